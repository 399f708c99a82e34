//! `CondvarAny`: every way to have a lock, several at a time, nested ones. What does not depend on
//! the lock is tested with `Condvar`, which is the same code.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    CondvarAny, Deadline, FairMutex, Mutex, RecursiveRwLock, ReentrantMutex, RwLock,
    RwLockUpgradableReadGuard, RwLockWriteGuard, SpinLock, WaitGuard,
};

use super::support::threads::{asleep, join_all};
use super::support::watchdog::Watchdog;

#[test]
fn sizes_and_a_static() {
    static CHANGED: CondvarAny = CondvarAny::new();
    assert_eq!(size_of::<CondvarAny>(), 16);
    assert!(!CHANGED.notify_one());
    assert_eq!(CHANGED.notify_all(), 0);
    assert!(!CondvarAny::default().notify_one());
}

/// A wait that times out and one that is notified, with a guard that `lock` makes; in between,
/// `free` says whether others may have the lock as the guard would not let them.
fn gives_up_and_takes_again<G: WaitGuard>(lock: impl Fn() -> G + Sync, free: impl Fn() -> bool) {
    let changed = CondvarAny::new();
    let mut guard = lock();
    assert!(!free(), "what the guard keeps out");
    assert!(changed.wait_for(&mut guard, Duration::from_micros(10)).timed_out());
    assert!(changed.wait_until(&mut guard, Deadline::now()).timed_out());
    assert!(!free(), "taken again");
    assert_eq!(changed.notify_all(), 0, "nobody was left in the queue");
    drop(guard);
    assert!(free(), "had once");
    thread::scope(|s| {
        let waiter = asleep(s, None, || changed.wait(&mut lock()));
        while !free() {
            thread::yield_now();
        }
        assert!(changed.notify_one(), "linked by the time the lock is free");
        waiter.join().unwrap();
    });
    assert!(free(), "had once");
}

#[test]
fn guards_of_each_kind() {
    let _watchdog = Watchdog::start();
    let plain = Arc::new(Mutex::new(0));
    gives_up_and_takes_again(|| plain.lock(), || plain.try_lock().is_some());
    gives_up_and_takes_again(|| plain.lock_arc(), || plain.try_lock().is_some());
    let spin = Arc::new(SpinLock::new(0));
    gives_up_and_takes_again(|| spin.lock(), || spin.try_lock().is_some());
    gives_up_and_takes_again(|| spin.lock_arc(), || spin.try_lock().is_some());
    let fair = Arc::new(FairMutex::new(0));
    gives_up_and_takes_again(|| fair.lock(), || fair.try_lock().is_some());
    gives_up_and_takes_again(|| fair.lock_arc(), || fair.try_lock().is_some());
    let reentrant = Arc::new(ReentrantMutex::new(0));
    gives_up_and_takes_again(|| reentrant.lock(), || !reentrant.is_locked());
    gives_up_and_takes_again(|| reentrant.lock_arc(), || !reentrant.is_locked());

    let lock = Arc::new(RwLock::new(0));
    gives_up_and_takes_again(|| lock.read(), || lock.try_write().is_some());
    gives_up_and_takes_again(|| lock.write(), || lock.try_read().is_some());
    gives_up_and_takes_again(|| lock.upgradable_read(), || lock.try_upgradable_read().is_some());
    gives_up_and_takes_again(|| lock.read_arc(), || lock.try_write().is_some());
    gives_up_and_takes_again(|| lock.write_arc(), || lock.try_read().is_some());
    gives_up_and_takes_again(
        || lock.upgradable_read_arc(),
        || lock.try_upgradable_read().is_some(),
    );
    let lock = RecursiveRwLock::new(0);
    gives_up_and_takes_again(|| lock.read(), || lock.try_write().is_some());
    gives_up_and_takes_again(|| lock.write(), || lock.try_read().is_some());
    gives_up_and_takes_again(|| lock.upgradable_read(), || lock.try_upgradable_read().is_some());
}

/// After the wait, the guard lets in whom it let in before.
#[test]
fn a_guard_stands_for_the_same_afterwards() {
    let (lock, changed) = (RwLock::new(1), CondvarAny::new());
    let soon = Duration::from_micros(10);
    let mut reading = lock.read();
    assert!(changed.wait_for(&mut reading, soon).timed_out());
    assert!(lock.try_read().is_some() && lock.try_upgradable_read().is_some());
    assert!(lock.try_write().is_none());
    drop(reading);
    let mut upgradable = lock.upgradable_read();
    assert!(changed.wait_for(&mut upgradable, soon).timed_out());
    assert!(lock.try_read().is_some() && lock.try_upgradable_read().is_none());
    let mut writing = RwLockUpgradableReadGuard::upgrade(upgradable);
    assert!(changed.wait_for(&mut writing, soon).timed_out());
    assert!(lock.try_read().is_none());
    *writing = 2;
    let reading = RwLockWriteGuard::downgrade(writing);
    assert_eq!((*reading, lock.is_locked_exclusive()), (2, false));
}

/// A lock, the threads that wait with it, and what they wait on.
#[derive(Default)]
struct Room {
    lock: RwLock<bool>,
    changed: CondvarAny,
    waiting: Mutex<usize>,
}

impl Room {
    fn count(&self) {
        *self.waiting.lock() += 1;
    }

    /// Returns once `n` threads wait, which counted themselves under the lock.
    fn until_waiting(&self, n: usize) {
        while *self.waiting.lock() != n {
            thread::yield_now();
        }
        drop(self.lock.write());
    }
}

/// All readers are inside at the same time once they were notified.
#[test]
fn readers_wait_and_go_together() {
    let _watchdog = Watchdog::start();
    for held in [false, true] {
        let (room, inside) = (Room::default(), std::sync::Barrier::new(5));
        thread::scope(|s| {
            let read = || {
                let mut open = room.lock.read();
                room.count();
                room.changed.wait_while(&mut open, |open| !*open);
                inside.wait();
            };
            let readers: [_; 5] = std::array::from_fn(|_| s.spawn(read));
            room.until_waiting(5);
            let mut open = room.lock.write();
            *open = true;
            let open = (held).then_some(open);
            assert_eq!(room.changed.notify_all(), 5);
            drop(open);
            join_all(readers);
        });
    }
}

/// One at a time, though they are let go by one another.
#[test]
fn writers_go_one_by_one() {
    let _watchdog = Watchdog::start();
    for held in [false, true] {
        let (room, order) = (Room::default(), RwLock::new(0_u32));
        thread::scope(|s| {
            let write = || {
                let mut turns = order.write();
                room.count();
                room.changed.wait(&mut turns);
                *turns += 1;
            };
            let writers: [_; 70] = std::array::from_fn(|_| s.spawn(write));
            room.until_waiting(70);
            let guard = order.write();
            let guard = held.then_some(guard);
            assert_eq!(room.changed.notify_all(), 70);
            assert!(guard.as_deref().is_none_or(|turns| *turns == 0), "nobody is in there");
            drop(guard);
            join_all(writers);
        });
        assert_eq!(order.into_inner(), 70);
    }
}

#[test]
fn counts_are_exact_and_in_order() {
    let _watchdog = Watchdog::start();
    let (room, order) = (Room::default(), Mutex::new(Vec::new()));
    thread::scope(|s| {
        let mut waiters = Vec::new();
        for i in 0..6 {
            let (room, order) = (&room, &order);
            waiters.push(s.spawn(move || {
                match i % 3 {
                    0 => {
                        let mut guard = room.lock.read();
                        room.count();
                        room.changed.wait(&mut guard);
                    }
                    1 => {
                        let mut guard = room.lock.write();
                        room.count();
                        room.changed.wait(&mut guard);
                    }
                    _ => {
                        let mut guard = room.lock.upgradable_read();
                        room.count();
                        room.changed.wait(&mut guard);
                    }
                }
                order.lock().push(i);
            }));
            room.until_waiting(i + 1);
        }
        for gone in 1..=3 {
            assert!(room.changed.notify_one());
            while order.lock().len() < gone {
                thread::yield_now();
            }
        }
        assert_eq!(room.changed.notify_all(), 3);
        assert!(!room.changed.notify_one());
        join_all(waiters);
    });
    let mut order = order.into_inner();
    assert_eq!(order[..3], [0, 1, 2]);
    order.sort_unstable();
    assert_eq!(order, [0, 1, 2, 3, 4, 5]);
}

/// What keeps one waiter out holds up those only whom it keeps out as well.
#[test]
fn ways_and_locks_do_not_wait_for_each_other() {
    let _watchdog = Watchdog::start();
    let room = Room::default();
    let other = FairMutex::new(());
    thread::scope(|s| {
        let [first, second] = std::array::from_fn(|_| {
            asleep(s, None, || {
                let mut guard = room.lock.upgradable_read();
                room.count();
                room.changed.wait(&mut guard);
            })
        });
        let stranger = asleep(s, None, || {
            let mut guard = other.lock();
            room.count();
            room.changed.wait(&mut guard);
        });
        let reader = asleep(s, None, || {
            let mut guard = room.lock.read();
            room.count();
            room.changed.wait(&mut guard);
        });
        room.until_waiting(4);
        drop(other.lock());
        let held = room.lock.upgradable_read();
        assert_eq!(room.changed.notify_all(), 4);
        reader.join().unwrap();
        stranger.join().unwrap();
        assert!(!first.is_finished() && !second.is_finished(), "kept out by this guard");
        drop(held);
        first.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn a_nested_reentrant_mutex_is_refused() {
    let (mutex, changed) = (ReentrantMutex::new(Cell::new(0)), CondvarAny::new());
    let outer = mutex.lock();
    let mut inner = mutex.lock();
    let refused: [&mut dyn FnMut(); 3] = [
        &mut || changed.wait(&mut inner),
        &mut || {
            let mut again = mutex.lock();
            let _ = changed.wait_for(&mut again, Duration::from_millis(1));
        },
        &mut || {
            let mut again = mutex.lock();
            changed.wait_while(&mut again, |value| value.get() == 0);
        },
    ];
    for wait in refused {
        let panic = catch_unwind(AssertUnwindSafe(wait)).unwrap_err();
        let message = panic.downcast::<String>().unwrap();
        assert!(message.contains("not once"), "{message}");
        assert_eq!(changed.notify_all(), 0, "it never came to wait");
        assert!(mutex.is_owned_by_current_thread());
    }
    // A condition that does not hold needs no wait.
    changed.wait_while(&mut inner, |value| value.get() == 1);
    drop(outer);
    assert!(mutex.is_locked(), "by the other guard");
    // Now it is the only one.
    assert!(changed.wait_for(&mut inner, Duration::from_micros(10)).timed_out());
    assert!(mutex.is_owned_by_current_thread());
    drop(inner);
    assert!(!mutex.is_locked());
}

/// After a wait its thread owns the mutex, once; meanwhile another one did.
#[test]
fn a_reentrant_mutex_changes_owners() {
    let _watchdog = Watchdog::start();
    let (mutex, changed) = (ReentrantMutex::new(Cell::new(0)), CondvarAny::new());
    thread::scope(|s| {
        for moved in [false, true] {
            let wait = || {
                let mut guard = mutex.lock();
                changed.wait(&mut guard);
                assert!(mutex.is_owned_by_current_thread());
                guard.set(guard.get() + mutex.lock().get());
            };
            // Asleep in the wait, as the mutex is free.
            let waiters: [_; 3] = std::array::from_fn(|_| asleep(s, None, wait));
            let mut guard = mutex.lock();
            guard.set(1);
            if !moved {
                drop(guard);
                assert_eq!(changed.notify_all(), 3);
            } else {
                let inner = mutex.lock();
                assert_eq!(changed.notify_all(), 3);
                drop((inner, guard));
            }
            join_all(waiters);
            guard = mutex.lock();
            assert_eq!(guard.get(), 8);
        }
    });
    assert!(!mutex.is_locked());
}

/// A thread that reads twice gives up one of the two.
#[test]
fn one_of_several_readers_of_a_thread() {
    let (lock, changed) = (RecursiveRwLock::new(0), CondvarAny::new());
    let outer = lock.read();
    let mut inner = lock.read();
    assert!(changed.wait_for(&mut inner, Duration::from_micros(10)).timed_out());
    drop(outer);
    assert!(lock.try_write().is_none(), "the one that waited reads");
    drop(inner);
    assert!(lock.try_write().is_some());
}

mod conditions {
    use super::*;

    /// A condition gets what the guard gives out.
    #[test]
    fn may_write_under_a_guard_that_writes() {
        let changed = CondvarAny::new();
        let (fair, lock) = (FairMutex::new(vec![1]), RwLock::new(vec![1]));
        changed.wait_while(&mut fair.lock(), |list| list.pop().is_some_and(|last| last != 1));
        changed.wait_while(&mut lock.write(), |list| list.pop().is_some_and(|last| last != 1));
        assert!(fair.into_inner().is_empty() && lock.read().is_empty());
        changed.wait_while(&mut lock.read(), |list| !list.is_empty());
        changed.wait_while(&mut lock.upgradable_read(), |list| !list.is_empty());
    }

    #[test]
    fn may_panic() {
        let (lock, changed) = (RwLock::new(1), CondvarAny::new());
        let mut guard = lock.read();
        let mut looks = 0;
        catch_unwind(AssertUnwindSafe(|| {
            let _ = changed.wait_while_for(
                &mut guard,
                |_| {
                    looks += 1;
                    assert!(looks < 2, "in a condition");
                    true
                },
                Duration::from_micros(10),
            );
        }))
        .unwrap_err();
        assert_eq!(changed.notify_all(), 0);
        assert!(lock.try_write().is_none(), "still by this guard");
        drop(guard);
        assert!(lock.try_write().is_some());
    }

    #[test]
    fn decide_when_the_time_is_up() {
        let (lock, changed) = (RwLock::new(1), CondvarAny::new());
        let start = Instant::now();
        let wait = Duration::from_millis(20);
        let mut guard = lock.read();
        assert!(changed.wait_while_for(&mut guard, |_| true, wait).timed_out());
        assert!(start.elapsed() >= wait);
        let mut looks = 0;
        let once = |_: &i32| {
            looks += 1;
            looks < 2
        };
        assert!(!changed.wait_while_until(&mut guard, once, Deadline::now()).timed_out());
        assert_eq!(looks, 2);
        assert!(changed.wait_while_until(&mut guard, |_| true, start).timed_out());
    }
}

#[test]
fn limits_beyond_the_end_of_time_wait() {
    let _watchdog = Watchdog::start();
    let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
    let room = Room::default();
    thread::scope(|s| {
        let waiters = [
            asleep(s, None, || room.changed.wait_for(&mut room.lock.read(), Duration::MAX)),
            asleep(s, None, || room.changed.wait_until(&mut room.lock.write(), far)),
        ];
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
        assert_eq!(room.changed.notify_all(), 2);
        assert!(join_all(waiters).iter().all(|result| !result.timed_out()));
    });
}

#[test]
fn debug_tells_without_waiting() {
    let room = Room::default();
    assert_eq!(format!("{:?}", room.changed), "CondvarAny { has_waiters: false }");
    thread::scope(|s| {
        let waiter = asleep(s, None, || room.changed.wait(&mut room.lock.read()));
        assert_eq!(format!("{:?}", room.changed), "CondvarAny { has_waiters: true }");
        assert!(room.changed.notify_one());
        waiter.join().unwrap();
    });
}

#[test]
fn waits_on_unsized_data() {
    let (lock, changed) = (RwLock::new([1, 2, 3]), CondvarAny::new());
    let lock: &RwLock<[i32]> = &lock;
    let mut guard = lock.write();
    assert!(changed.wait_for(&mut guard, Duration::from_micros(10)).timed_out());
    changed.wait_while(&mut guard, |list| list.len() != 3);
}
