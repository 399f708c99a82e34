//! `RwLock`, `RecursiveRwLock`, their guards, mapped and owned ones too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard, Deadline,
    MappedRwLockReadGuard, MappedRwLockWriteGuard, RecursiveRwLock, RecursiveRwLockReadGuard,
    RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
};

use super::support::scaled;
use super::support::threads::{asleep, asleep_or_over, join_all, together, words_of};
use super::support::values::{Counted, Place};
use super::support::watchdog::Watchdog;

const MILLISECOND: Duration = Duration::from_millis(1);

/// How many readers a lock can count.
const READERS: usize = (1 << 20) - 1;

#[test]
fn sizes() {
    assert_eq!(size_of::<RwLock<()>>(), 4);
    assert_eq!(size_of::<RecursiveRwLock<()>>(), 4);
    assert_eq!(size_of::<RwLock<u32>>(), 8);
    assert_eq!(size_of::<RwLockReadGuard<'_, u64>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<RwLockWriteGuard<'_, u64>>>(), size_of::<usize>());
    assert_eq!(size_of::<RwLockUpgradableReadGuard<'_, u64>>(), size_of::<usize>());
    assert_eq!(size_of::<ArcRwLockWriteGuard<u64>>(), size_of::<usize>());
    assert_eq!(size_of::<MappedRwLockReadGuard<'_, u64>>(), 2 * size_of::<usize>());
}

static TABLE: RwLock<[u32; 3]> = RwLock::new([1, 2, 3]);

#[test]
fn a_static_needs_no_preparation() {
    let sums = together(4, |_| TABLE.read().iter().sum::<u32>());
    assert_eq!(sums, [6; 4]);
}

/// Who gets in beside whom, from the same thread and from another.
#[test]
fn who_excludes_whom() {
    let lock = RwLock::new(0);
    let here_and_there = |read: bool, upgradable: bool, write: bool| {
        let look = || {
            // One after the other: a guard must not meet the next attempt.
            let can_read = lock.try_read().is_some();
            let can_upgrade = lock.try_upgradable_read().is_some();
            let can_write = lock.try_write().is_some();
            let answers = (can_read, can_upgrade, can_write);
            assert_eq!(answers, (read, upgradable, write));
        };
        look();
        thread::scope(|s| s.spawn(look).join().unwrap());
    };
    here_and_there(true, true, true);
    assert!(!lock.is_locked());
    let reading = lock.read();
    here_and_there(true, true, false);
    assert!(lock.is_locked() && !lock.is_locked_exclusive());
    let upgradable = lock.upgradable_read();
    here_and_there(true, false, false);
    drop(reading);
    here_and_there(true, false, false);
    let writing = RwLockUpgradableReadGuard::upgrade(upgradable);
    here_and_there(false, false, false);
    assert!(lock.is_locked() && lock.is_locked_exclusive());
    let upgradable = RwLockWriteGuard::downgrade_to_upgradable(writing);
    here_and_there(true, false, false);
    let reading = RwLockUpgradableReadGuard::downgrade(upgradable);
    here_and_there(true, true, false);
    drop(reading);
    let reading = RwLockWriteGuard::downgrade(lock.write());
    here_and_there(true, true, false);
    drop(reading);
    here_and_there(true, true, true);
    assert!(!lock.is_locked());
}

#[test]
fn readers_sleep_until_the_writer_leaves() {
    let _watchdog = Watchdog::start();
    let lock = RwLock::new(1);
    let mut writing = lock.write();
    thread::scope(|s| {
        let readers: Vec<_> = (0..4).map(|_| asleep(s, words_of(&lock), || *lock.read())).collect();
        *writing = 2;
        drop(writing);
        assert_eq!(join_all(readers), [2; 4]);
    });
}

#[test]
fn a_writer_sleeps_until_the_last_reader_leaves() {
    let _watchdog = Watchdog::start();
    let lock = RwLock::new(1);
    let (one, two) = (lock.read(), lock.read());
    thread::scope(|s| {
        let writer = asleep(s, words_of(&lock), || *lock.write() += 1);
        drop(one);
        assert!(!writer.is_finished());
        drop(two);
        writer.join().unwrap();
    });
    assert_eq!(lock.into_inner(), 2);
}

#[test]
fn writers_are_each_woken() {
    let _watchdog = Watchdog::start();
    let lock = RwLock::new(0);
    let writing = lock.write();
    thread::scope(|s| {
        let writers: Vec<_> =
            (0..6).map(|_| asleep(s, words_of(&lock), || *lock.write() += 1)).collect();
        drop(writing);
        join_all(writers);
    });
    assert_eq!(*lock.read(), 6);
}

/// A reader that comes while a writer waits, waits too; one beside an upgradable reader does not,
/// whoever waits for that (parking_lot issue 101).
#[test]
fn a_waiting_writer_goes_before_new_readers() {
    let _watchdog = Watchdog::start();
    let lock = RwLock::new(0);
    let reading = lock.read();
    thread::scope(|s| {
        let writer = asleep(s, words_of(&lock), || *lock.write() += 1);
        assert!(lock.try_read().is_none());
        let reader = asleep(s, words_of(&lock), || *lock.read());
        drop(reading);
        writer.join().unwrap();
        assert_eq!(reader.join().unwrap(), 1);
    });
    let upgradable = lock.upgradable_read();
    thread::scope(|s| {
        let writer = asleep(s, words_of(&lock), || *lock.write() += 1);
        assert_eq!(*lock.read(), 1);
        drop(upgradable);
        writer.join().unwrap();
    });
}

/// A reader that holds the lock already may read again while a writer waits; in an ordinary lock
/// that would be a deadlock (parking_lot issue 212, rust issue 93740).
#[test]
fn recursive_reads_pass_a_waiting_writer() {
    let _watchdog = Watchdog::start();
    let lock = RecursiveRwLock::new(0);
    let outer = lock.read();
    thread::scope(|s| {
        let writer = asleep(s, words_of(&lock), || *lock.write() += 1);
        let mut inner = lock.read();
        assert!(lock.try_read_for(Duration::from_secs(100)).is_some());
        RecursiveRwLockReadGuard::bump(&mut inner);
        assert_eq!(*inner + *outer, 0);
        drop(outer);
        drop(inner);
        writer.join().unwrap();
    });
    assert_eq!(*lock.read(), 1);
    assert_eq!(format!("{lock:?}"), "RecursiveRwLock { data: 1 }");
}

/// Refused before the count wraps, by every way to read; and the lock remains usable.
#[test]
fn more_readers_than_can_be_counted() {
    let lock = RwLock::new(());
    for _ in 0..READERS {
        std::mem::forget(lock.read());
    }
    let attempts: [&dyn Fn(); 4] = [
        &|| drop(lock.read()),
        &|| drop(lock.try_read()),
        &|| drop(lock.try_read_for(MILLISECOND)),
        &|| drop(RwLockUpgradableReadGuard::downgrade(lock.upgradable_read())),
    ];
    for attempt in attempts {
        let panic = catch_unwind(AssertUnwindSafe(attempt)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert_eq!(message, "more than 1048575 readers at a time");
        assert!(lock.try_write().is_none());
        assert!(lock.try_upgradable_read().is_some(), "nothing is left behind");
    }
}

#[test]
fn the_data_comes_out_and_is_dropped_once() {
    let drops = AtomicUsize::new(0);
    drop(RwLock::new(Counted(&drops)));
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    let inner = RwLock::new(Counted(&drops)).into_inner();
    assert_eq!(drops.load(Ordering::Relaxed), 1, "moved out, not dropped");
    drop(inner);
    assert_eq!(drops.load(Ordering::Relaxed), 2);
}

#[test]
fn exclusive_access_needs_no_lock() {
    let mut lock = RwLock::new(vec![1]);
    std::mem::forget(lock.write());
    lock.get_mut().push(2);
    assert!(std::ptr::eq(lock.data_ptr(), lock.get_mut()));
    assert_eq!(lock.into_inner(), [1, 2]);
}

#[test]
fn conversions_and_unsized_data() {
    assert_eq!(*RwLock::from(3).read(), 3);
    assert_eq!(*RwLock::<String>::default().read(), "");
    let lock: &RwLock<[u8]> = &RwLock::new([3, 1, 2]);
    lock.write().sort_unstable();
    assert_eq!(*lock.read(), [1, 2, 3]);
    let dynamic: Arc<RwLock<dyn Fn() -> u8 + Send + Sync>> = Arc::new(RwLock::new(|| 5));
    assert_eq!((dynamic.read())() + (dynamic.read_arc())(), 10);
}

/// Not poisoned: what the panicking owner left is what the next one finds.
#[test]
fn a_panic_releases_the_lock_and_keeps_the_data() {
    let lock = Arc::new(RwLock::new(0));
    let holders: [fn(&RwLock<i32>); 3] = [
        |lock| {
            let mut writing = lock.write();
            *writing += 1;
            panic!("while writing");
        },
        |lock| {
            let _reading = lock.read();
            panic!("while reading");
        },
        |lock| {
            lock.upgradable_read().with_upgraded(|value| {
                *value += 1;
                panic!("while upgraded");
            })
        },
    ];
    for holder in holders {
        let lock = lock.clone();
        thread::spawn(move || holder(&lock)).join().unwrap_err();
    }
    assert!(!lock.is_locked());
    assert_eq!(*lock.write(), 2);
}

#[test]
fn debug_shows_the_data_or_that_it_is_locked() {
    let lock = RwLock::new(vec![1, 2]);
    assert_eq!(format!("{lock:?}"), "RwLock { data: [1, 2] }");
    let reading = lock.read();
    assert_eq!(format!("{lock:?} {reading:?}"), "RwLock { data: [1, 2] } [1, 2]");
    drop(reading);
    let writing = lock.write();
    assert_eq!(format!("{lock:?} {writing:?}"), "RwLock { data: <locked> } [1, 2]");
    let part = RwLockWriteGuard::map(writing, |list| &mut list[0]);
    assert_eq!(format!("{part:?} {part}"), "1 1");
}

mod timed {
    use super::*;

    #[test]
    fn limits_in_the_past_and_of_zero_try_once() {
        let past = Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
        let lock = RwLock::new(1);
        assert!(lock.try_read_for(Duration::ZERO).is_some());
        assert!(lock.try_write_until(past).is_some());
        assert!(lock.try_upgradable_read_until(Deadline::now()).is_some());
        let writing = lock.write();
        assert!(lock.try_read_for(Duration::ZERO).is_none());
        assert!(lock.try_write_for(Duration::from_nanos(1)).is_none());
        assert!(lock.try_write_until(past).is_none());
        assert!(lock.try_upgradable_read_until(past).is_none());
        drop(writing);
        let _reading = lock.read();
        assert!(lock.try_write_until(past).is_none());
        let upgradable = lock.upgradable_read();
        let upgradable = RwLockUpgradableReadGuard::try_upgrade_until(upgradable, past);
        assert!(lock.try_upgradable_read().is_none());
        drop(upgradable.unwrap_err());
        assert!(lock.try_upgradable_read().is_some());
    }

    #[test]
    fn a_limit_is_waited_out() {
        let lock = RwLock::new(());
        let wait = Duration::from_millis(20);
        let waits = |call: &dyn Fn() -> bool| {
            let start = Instant::now();
            assert!(call());
            assert!(start.elapsed() >= wait, "gave up after {:?}", start.elapsed());
        };
        let writing = lock.write();
        waits(&|| lock.try_read_for(wait).is_none());
        waits(&|| lock.try_write_for(wait).is_none());
        waits(&|| lock.try_upgradable_read_until(Instant::now() + wait).is_none());
        drop(writing);
        let _reading = lock.read();
        waits(&|| lock.try_write_for(wait).is_none());
        waits(&|| {
            RwLockUpgradableReadGuard::try_upgrade_for(lock.upgradable_read(), wait).is_err()
        });
        waits(&|| lock.upgradable_read().try_with_upgraded_for(wait, |()| ()).is_none());
        assert!(lock.try_read().is_some(), "no claim is left");
    }

    #[test]
    fn limits_beyond_the_end_of_time_wait() {
        let _watchdog = Watchdog::start();
        let lock = RwLock::new(0);
        let calls: [&(dyn Fn() -> bool + Sync); 4] = [
            &|| lock.try_read_for(Duration::MAX).is_some(),
            &|| lock.try_write_for(Duration::from_secs(u64::MAX / 3)).is_some(),
            &|| lock.try_upgradable_read_until(Deadline::NEVER).is_some(),
            &|| lock.try_write_until(Deadline::NEVER).is_some(),
        ];
        for call in calls {
            let writing = lock.write();
            thread::scope(|s| {
                let waiter = asleep(s, words_of(&lock), call);
                drop(writing);
                assert!(waiter.join().unwrap());
            });
        }
    }

    /// A writer that gives up lets those in whom its claim has held up, and the other writers too.
    #[test]
    fn a_claim_given_up_lets_readers_in() {
        let _watchdog = Watchdog::start();
        let lock = RwLock::new(0);
        let reading = lock.read();
        let wait = Duration::from_millis(100);
        thread::scope(|s| {
            let leaves = asleep_or_over(s, words_of(&lock), || lock.try_write_for(wait).is_none());
            let readers: Vec<_> =
                (0..3).map(|_| asleep_or_over(s, words_of(&lock), || *lock.read())).collect();
            assert!(leaves.join().unwrap());
            assert_eq!(join_all(readers), [0; 3]);
        });
        drop(reading);
        assert!(lock.try_write().is_some());
    }

    /// Whoever gives up takes nobody's turn (parking_lot issue 465).
    #[test]
    fn giving_up_takes_nobody_s_turn() {
        let _watchdog = Watchdog::start();
        let lock = &RwLock::new(0);
        let writing = lock.write();
        thread::scope(|s| {
            let stays = asleep(s, words_of(lock), || *lock.write() += 1);
            let reads = asleep(s, words_of(lock), || *lock.read());
            for _ in 0..3 {
                let wait = Duration::from_millis(5);
                assert!(s.spawn(move || lock_for(lock, wait)).join().unwrap());
            }
            drop(writing);
            stays.join().unwrap();
            assert!(reads.join().unwrap() <= 1);
        });
        fn lock_for(lock: &RwLock<i32>, wait: Duration) -> bool {
            lock.try_write_for(wait).is_none() && lock.try_read_for(wait).is_none()
        }
    }
}

mod fairness {
    use super::*;

    /// The one who unlocks fairly comes back at once and finds that the other was there.
    fn goes_first(unlock: impl Fn(&RwLock<u32>, RwLockWriteGuard<'_, u32>)) {
        let _watchdog = Watchdog::start();
        for _ in 0..20 {
            let lock = RwLock::new(0);
            let writing = lock.write();
            thread::scope(|s| {
                let waiter = asleep(s, words_of(&lock), || *lock.write() += 1);
                unlock(&lock, writing);
                waiter.join().unwrap();
            });
        }
    }

    #[test]
    fn a_fair_unlock_lets_a_sleeping_writer_go_first() {
        goes_first(|lock, writing| {
            RwLockWriteGuard::unlock_fair(writing);
            assert_eq!(*lock.write(), 1, "back before the one who slept");
        });
    }

    /// What the reader saw was written before it, not after.
    #[test]
    fn a_fair_unlock_lets_a_sleeping_reader_go_first() {
        let _watchdog = Watchdog::start();
        for _ in 0..20 {
            let lock = RwLock::new(0);
            let writing = lock.write();
            thread::scope(|s| {
                let waiter = asleep(s, words_of(&lock), || *lock.read());
                RwLockWriteGuard::unlock_fair(writing);
                *lock.write() += 1;
                assert_eq!(waiter.join().unwrap(), 0, "back before the one who slept");
            });
        }
    }

    #[test]
    fn bump_and_unlocked_fair_let_a_sleeping_writer_go_first() {
        goes_first(|_, mut writing| {
            RwLockWriteGuard::bump(&mut writing);
            assert_eq!(*writing, 1);
        });
        goes_first(|_, mut writing| {
            RwLockWriteGuard::unlocked_fair(&mut writing, || ());
            assert_eq!(*writing, 1);
        });
    }

    #[test]
    fn an_upgradable_reader_lets_a_sleeping_writer_go_first() {
        let _watchdog = Watchdog::start();
        let lock = RwLock::new(0);
        let mut reading = lock.upgradable_read();
        thread::scope(|s| {
            let writer = asleep(s, words_of(&lock), || *lock.write() += 1);
            RwLockUpgradableReadGuard::bump(&mut reading);
            assert_eq!(*reading, 1);
            writer.join().unwrap();
            let writer = asleep(s, words_of(&lock), || *lock.write() += 1);
            RwLockUpgradableReadGuard::unlock_fair(reading);
            assert_eq!(*lock.upgradable_read(), 2);
            writer.join().unwrap();
        });
    }

    /// A reader's fair unlock, as any: a writer that waits is next.
    #[test]
    fn a_reader_lets_a_sleeping_writer_go_first() {
        let _watchdog = Watchdog::start();
        let lock = RwLock::new(0);
        let mut reading = lock.read();
        thread::scope(|s| {
            let writer = asleep(s, words_of(&lock), || *lock.write() += 1);
            RwLockReadGuard::bump(&mut reading);
            assert_eq!(*reading, 1);
            writer.join().unwrap();
        });
    }

    /// Writers without a pause do not keep a reader out, nor readers without a pause a writer.
    #[test]
    fn nobody_starves() {
        let watchdog = Watchdog::start();
        let lock = RwLock::new(0_u64);
        let over = AtomicUsize::new(0);
        together(6, |i| match i {
            0..2 => {
                while over.load(Ordering::Relaxed) < 2 {
                    *lock.write() += 1;
                }
            }
            2..4 => {
                while over.load(Ordering::Relaxed) < 2 {
                    std::hint::black_box(*lock.read());
                }
            }
            _ => {
                for _ in 0..50 {
                    if i == 4 {
                        drop(lock.read())
                    } else {
                        *lock.write() += 1
                    }
                    watchdog.tick();
                    thread::sleep(Duration::from_micros(100));
                }
                over.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}

mod guards {
    use super::*;

    #[test]
    fn map_keeps_the_lock_until_the_part_is_given_up() {
        let lock = RwLock::new((1, [2, 3]));
        let part = RwLockWriteGuard::map(lock.write(), |pair| &mut pair.1);
        let mut element = MappedRwLockWriteGuard::map(part, |array| &mut array[1]);
        assert!(lock.is_locked_exclusive());
        *element += 10;
        drop(element);
        assert!(!lock.is_locked());
        let part = RwLockReadGuard::map(lock.read(), |pair| &pair.1);
        let element = MappedRwLockReadGuard::map(part, |array| &array[1]);
        assert!(lock.try_write().is_none() && lock.try_read().is_some());
        assert_eq!(*element, 13);
        MappedRwLockReadGuard::unlock_fair(element);
        assert!(!lock.is_locked());
    }

    #[test]
    fn a_failed_map_gives_the_guard_back() {
        let lock = RwLock::new(vec![1, 2]);
        let whole = RwLockReadGuard::try_map(lock.read(), |list| list.get(5)).unwrap_err();
        let (whole, why) =
            RwLockReadGuard::try_map_or_err(whole, |_| Err::<&u8, _>("why")).unwrap_err();
        assert_eq!((whole.len(), why), (2, "why"));
        let list = RwLockReadGuard::map(whole, |list| list.as_slice());
        let list = MappedRwLockReadGuard::try_map(list, |list| list.get(5)).unwrap_err();
        let two =
            MappedRwLockReadGuard::try_map_or_err(list, |list| list.get(1).ok_or(())).unwrap();
        assert_eq!(*two, 2);
        assert!(lock.try_write().is_none());
        drop(two);
        let whole = RwLockWriteGuard::try_map(lock.write(), |list| list.get_mut(5)).unwrap_err();
        let list = RwLockWriteGuard::try_map_or_err(whole, |list| Ok::<_, ()>(&mut list[..]));
        let list = MappedRwLockWriteGuard::try_map(list.unwrap(), |list| list.get_mut(5));
        let (list, ()) =
            MappedRwLockWriteGuard::try_map_or_err(list.unwrap_err(), |_| Err::<&mut u8, _>(()))
                .unwrap_err();
        assert!(lock.is_locked_exclusive() && list.len() == 2);
        MappedRwLockWriteGuard::unlock_fair(list);
        assert!(!lock.is_locked());
    }

    /// Locked again in the same way.
    #[test]
    fn unlocked_locks_again() {
        let lock = RwLock::new(0);
        let mut writing = lock.write();
        RwLockWriteGuard::unlocked(&mut writing, || *lock.write() += 1);
        assert!(lock.is_locked_exclusive() && *writing == 1);
        drop(writing);
        let mut reading = lock.read();
        RwLockReadGuard::unlocked_fair(&mut reading, || *lock.write() += 1);
        assert!(lock.try_read().is_some() && lock.try_write().is_none() && *reading == 2);
        drop(reading);
        let mut reading = lock.upgradable_read();
        RwLockUpgradableReadGuard::unlocked(&mut reading, || *lock.write() += 1);
        assert!(lock.try_upgradable_read().is_none() && *reading == 3);
        drop(reading);
        assert!(!lock.is_locked());
    }

    #[test]
    fn with_upgraded_is_upgradable_again() {
        let lock = RwLock::new(0);
        let mut reading = lock.upgradable_read();
        reading.with_upgraded(|value| {
            *value += 1;
            assert!(lock.is_locked_exclusive());
        });
        assert!(lock.try_read().is_some() && lock.try_upgradable_read().is_none());
        let other = lock.read();
        assert_eq!(reading.try_with_upgraded(|value| *value), None);
        assert_eq!(reading.try_with_upgraded_until(Deadline::now(), |value| *value), None);
        drop(other);
        assert_eq!(reading.try_with_upgraded(|value| *value), Some(1));
    }

    /// The upgrade waits for the readers inside, and nobody writes before it.
    #[test]
    fn an_upgrade_waits_for_readers_and_goes_before_writers() {
        let _watchdog = Watchdog::start();
        let lock = RwLock::new(0);
        let reading = lock.read();
        thread::scope(|s| {
            let upgrader = asleep(s, words_of(&lock), || {
                let upgradable = lock.upgradable_read();
                let mut writing = RwLockUpgradableReadGuard::upgrade(upgradable);
                *writing += 1;
                *writing
            });
            assert!(lock.try_read().is_none(), "an upgrade is a claim");
            let writer = asleep(s, words_of(&lock), || *lock.write() += 1);
            drop(reading);
            assert_eq!(upgrader.join().unwrap(), 1);
            writer.join().unwrap();
        });
        assert_eq!(lock.into_inner(), 2);
    }

    #[test]
    fn a_downgrade_lets_sleeping_readers_in() {
        let _watchdog = Watchdog::start();
        let lock = RwLock::new(0);
        let mut writing = lock.write();
        thread::scope(|s| {
            let readers: Vec<_> =
                (0..3).map(|_| asleep(s, words_of(&lock), || *lock.read())).collect();
            *writing = 1;
            let reading = RwLockWriteGuard::downgrade(writing);
            assert_eq!(join_all(readers), [1; 3]);
            assert_eq!(*reading, 1);
        });
        let writing = lock.write();
        thread::scope(|s| {
            let readers: Vec<_> =
                (0..3).map(|_| asleep(s, words_of(&lock), || *lock.read())).collect();
            let reading = RwLockWriteGuard::downgrade_to_upgradable(writing);
            assert_eq!(join_all(readers), [1; 3]);
            let writer = asleep(s, words_of(&lock), || *lock.write() += 1);
            let reading = RwLockUpgradableReadGuard::downgrade(reading);
            drop(reading);
            writer.join().unwrap();
        });
    }
}

/// What a panic does to each kind of guard. Others wait meanwhile, and are woken.
mod panics {
    use super::*;
    use lockwork::rwlock::{
        Lock, MappedReadGuard, MappedWriteGuard, ReadGuard, UpgradableReadGuard, WriteGuard,
    };

    /// A call that panics is one of these: the lock is free or in some way held when it is over.
    fn panics(call: impl FnOnce()) {
        let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"as meant"));
    }

    fn meant() {
        std::panic::panic_any("as meant");
    }

    /// With the guard in a local, a writer and a reader asleep or kept out.
    fn unwinding_unlocks<const RECURSIVE: bool, G>(
        lock: &Lock<(u32, u32), RECURSIVE>,
        hold: impl Fn() -> G,
    ) {
        let before = lock.read().0;
        thread::scope(|s| {
            let mut others = Vec::new();
            panics(|| {
                let _guard = hold();
                others.push(asleep(s, words_of(lock), || lock.write().0 += 1));
                if lock.is_locked_exclusive() {
                    others.push(asleep(s, words_of(lock), || assert_ne!(lock.read().1, 0)));
                }
                meant();
            });
            join_all(others);
        });
        assert!(!lock.is_locked());
        assert_eq!(lock.read().0, before + 1);
    }

    fn each_guard<const RECURSIVE: bool>(lock: &Arc<Lock<(u32, u32), RECURSIVE>>) {
        let _watchdog = Watchdog::start();
        lock.write().1 = 1;
        unwinding_unlocks(lock, || lock.read());
        unwinding_unlocks(lock, || lock.upgradable_read());
        unwinding_unlocks(lock, || lock.write());
        unwinding_unlocks(lock, || lock.read_arc());
        unwinding_unlocks(lock, || lock.upgradable_read_arc());
        unwinding_unlocks(lock, || lock.write_arc());
        unwinding_unlocks(lock, || ReadGuard::map(lock.read(), |pair| &pair.0));
        unwinding_unlocks(lock, || WriteGuard::map(lock.write(), |pair| &mut pair.0));
        unwinding_unlocks(lock, || UpgradableReadGuard::upgrade(lock.upgradable_read()));
        unwinding_unlocks(lock, || WriteGuard::downgrade(lock.write_arc()));
        unwinding_unlocks(lock, || WriteGuard::downgrade_to_upgradable(lock.write()));
        assert_eq!(Arc::strong_count(lock), 1, "owned guards gave their references back");
    }

    #[test]
    fn a_guard_dropped_by_unwinding_unlocks() {
        each_guard(&Arc::new(RwLock::new((0, 0))));
        each_guard(&Arc::new(RecursiveRwLock::new((0, 0))));
    }

    /// The guard is used up by the call, so nobody else could unlock.
    #[test]
    fn mapping_that_panics_unlocks() {
        let lock = RwLock::new((1, 2));
        fn part(_: &(i32, i32)) -> &i32 {
            meant();
            unreachable!()
        }
        fn part_mut(_: &mut (i32, i32)) -> &mut i32 {
            meant();
            unreachable!()
        }
        let reading = || ReadGuard::map(lock.read(), |pair| pair);
        let writing = || WriteGuard::map(lock.write(), |pair| pair);
        let attempts: [&dyn Fn(); 12] = [
            &|| drop(ReadGuard::map(lock.read(), part)),
            &|| drop(ReadGuard::try_map(lock.read(), |pair| Some(part(pair)))),
            &|| drop(ReadGuard::try_map_or_err(lock.read(), |pair| Ok::<_, ()>(part(pair)))),
            &|| drop(WriteGuard::map(lock.write(), part_mut)),
            &|| drop(WriteGuard::try_map(lock.write(), |pair| Some(part_mut(pair)))),
            &|| drop(WriteGuard::try_map_or_err(lock.write(), |pair| Ok::<_, ()>(part_mut(pair)))),
            &|| drop(MappedReadGuard::map(reading(), part)),
            &|| drop(MappedReadGuard::try_map(reading(), |pair| Some(part(pair)))),
            &|| drop(MappedReadGuard::try_map_or_err(reading(), |pair| Ok::<_, ()>(part(pair)))),
            &|| drop(MappedWriteGuard::map(writing(), part_mut)),
            &|| drop(MappedWriteGuard::try_map(writing(), |pair| Some(part_mut(pair)))),
            &|| {
                drop(MappedWriteGuard::try_map_or_err(writing(), |pair| {
                    Ok::<_, ()>(part_mut(pair))
                }))
            },
        ];
        for attempt in attempts {
            panics(attempt);
            assert!(!lock.is_locked());
        }
        assert_eq!(lock.into_inner(), (1, 2));
    }

    /// The lock is free while the closure runs, and taken again in the same way when it panics.
    #[test]
    fn a_panic_while_unlocked_locks_again() {
        let lock = Arc::new(RwLock::new(0));
        let between = || {
            *lock.try_write().expect("free for a while") += 1;
            meant();
        };
        macro_rules! again {
            ($Guard:ident, $lock:ident, $read:literal, $upgrade:literal) => {
                let mut guard = lock.$lock();
                for fair in [false, true] {
                    let before = *guard;
                    panics(|| match fair {
                        false => $Guard::unlocked(&mut guard, between),
                        true => $Guard::unlocked_fair(&mut guard, between),
                    });
                    assert_eq!(*guard, before + 1);
                    assert_eq!(lock.try_read().is_some(), $read);
                    assert_eq!(lock.try_upgradable_read().is_some(), $upgrade);
                    assert!(lock.try_write().is_none());
                }
                drop(guard);
                assert!(!lock.is_locked());
            };
        }
        again!(ReadGuard, read, true, true);
        again!(ReadGuard, read_arc, true, true);
        again!(UpgradableReadGuard, upgradable_read, true, false);
        again!(UpgradableReadGuard, upgradable_read_arc, true, false);
        again!(WriteGuard, write, false, false);
        again!(WriteGuard, write_arc, false, false);
    }

    /// What the closure wrote stays; the guard is the upgradable one again, and can be used.
    #[test]
    fn a_panic_while_upgraded_is_upgradable_again() {
        let lock = Arc::new(RwLock::new(0));
        let limit = Duration::from_secs(100);
        fn write(value: &mut u32) {
            *value += 1;
            meant();
        }
        macro_rules! again {
            ($lock:ident) => {
                let mut guard = lock.$lock();
                for form in 0..4 {
                    let before = *guard;
                    panics(|| match form {
                        0 => guard.with_upgraded(write),
                        1 => drop(guard.try_with_upgraded(write)),
                        2 => drop(guard.try_with_upgraded_for(limit, write)),
                        _ => drop(guard.try_with_upgraded_until(Deadline::now(), write)),
                    });
                    assert_eq!(*guard, before + 1);
                    assert!(lock.try_read().is_some() && lock.try_upgradable_read().is_none());
                    guard.with_upgraded(|value| *value += 1);
                }
                drop(guard);
                assert!(!lock.is_locked());
            };
        }
        again!(upgradable_read);
        again!(upgradable_read_arc);
        assert_eq!(*lock.read(), 16);
    }
}

mod owned {
    use super::*;

    #[test]
    fn outlive_the_reference_they_came_from() {
        let lock = Arc::new(RwLock::new(1));
        let reading = lock.clone().read_arc();
        assert!(Arc::ptr_eq(ArcRwLockReadGuard::rwlock(&reading), &lock));
        assert_eq!(Arc::strong_count(&lock), 2);
        assert!(lock.try_write_arc().is_none());
        assert!(lock.try_write_arc_for(MILLISECOND).is_none());
        drop(reading);
        assert_eq!(Arc::strong_count(&lock), 1);
        let mut writing = lock.try_write_arc_until(Instant::now()).unwrap();
        *writing += 1;
        assert!(lock.try_read_arc().is_none() && lock.try_read_arc_for(MILLISECOND).is_none());
        assert!(lock.try_upgradable_read_arc_until(Deadline::now()).is_none());
        assert_eq!(Arc::strong_count(&lock), 2, "what was refused keeps no reference");
        let lock_again = ArcRwLockWriteGuard::into_arc(writing);
        assert!(!lock_again.is_locked());
        drop(lock);
        assert_eq!(Arc::into_inner(lock_again).unwrap().into_inner(), 2);
    }

    #[test]
    fn convert_as_the_borrowed_ones() {
        let lock = Arc::new(RwLock::new(1));
        let upgradable = lock.upgradable_read_arc();
        assert!(lock.try_upgradable_read_arc().is_none());
        let mut writing = ArcRwLockUpgradableReadGuard::upgrade(upgradable);
        *writing += 1;
        ArcRwLockWriteGuard::bump(&mut writing);
        let mut upgradable = ArcRwLockWriteGuard::downgrade_to_upgradable(writing);
        upgradable.with_upgraded(|value| *value += 1);
        let other = lock.read_arc();
        let upgradable = ArcRwLockUpgradableReadGuard::try_upgrade(upgradable).unwrap_err();
        drop(other);
        let writing = ArcRwLockUpgradableReadGuard::try_upgrade(upgradable).unwrap();
        let mut reading = ArcRwLockWriteGuard::downgrade(writing);
        assert_eq!(ArcRwLockReadGuard::unlocked(&mut reading, || *lock.write()), 3);
        assert_eq!(Arc::strong_count(&lock), 2);
        let same = ArcRwLockReadGuard::into_arc_fair(reading);
        assert!(Arc::ptr_eq(&same, &lock) && !lock.is_locked());
    }
}

/// The last owner frees the lock while the unlock before it may still be on its way out.
#[test]
fn freed_by_the_last_owner() {
    let watchdog = Watchdog::start();
    for _ in 0..scaled(2_000) {
        let place = Place::new(RwLock::new(0));
        together(3, |i| {
            // SAFETY: freed by the third to come, after which nobody touches it.
            let lock = unsafe { place.get() };
            if i == 2 {
                drop(lock.read());
            }
            let mut count = lock.write();
            *count += 1;
            let last = *count == 3;
            drop(count);
            if last {
                // SAFETY: the other two have had their turns, of which only an address is left.
                unsafe { place.free() };
            }
        });
        watchdog.tick();
    }
}
