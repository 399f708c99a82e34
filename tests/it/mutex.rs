//! `Mutex`, `MutexGuard`, `MappedMutexGuard`: what is not tested for the whole family in
//! `mutex_family`.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lockwork::{MappedMutexGuard, Mutex, MutexGuard};

use super::support::threads::{asleep, join_all, together, words_of};
use super::support::watchdog::Watchdog;

#[test]
fn sizes() {
    assert_eq!(size_of::<Mutex<()>>(), 4);
    assert_eq!(size_of::<Mutex<u32>>(), 8);
    assert_eq!(size_of::<Mutex<u8>>(), 8);
    assert_eq!(size_of::<MutexGuard<'_, u64>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<MutexGuard<'_, u64>>>(), size_of::<usize>());
    // The word and the part.
    assert_eq!(size_of::<MappedMutexGuard<'_, u64>>(), 2 * size_of::<usize>());
}

static TABLE: Mutex<[u32; 3]> = Mutex::new([1, 2, 3]);

#[test]
fn a_static_needs_no_preparation() {
    let sums = together(4, |_| TABLE.lock().iter().sum::<u32>());
    assert_eq!(sums, [6; 4]);
}

#[test]
fn one_at_a_time() {
    let mutex = Mutex::new(0);
    let held = mutex.lock();
    assert!(mutex.is_locked());
    assert!(mutex.try_lock().is_none());
    thread::scope(|s| {
        let other = s.spawn(|| mutex.try_lock().is_none());
        assert!(other.join().unwrap(), "from another thread as well");
    });
    drop(held);
    assert!(!mutex.is_locked());
    let taken = mutex.try_lock();
    assert!(taken.is_some() && mutex.is_locked());
}

#[test]
fn a_waiter_sleeps_and_is_woken_by_the_unlock() {
    let _watchdog = Watchdog::start();
    let mutex = Mutex::new(String::from("before"));
    let mut held = mutex.lock();
    thread::scope(|s| {
        let waiter = asleep(s, words_of(&mutex), || mutex.lock().clone());
        *held = String::from("after");
        drop(held);
        assert_eq!(waiter.join().unwrap(), "after");
    });
}

#[test]
fn several_sleepers_are_each_woken() {
    let _watchdog = Watchdog::start();
    let mutex = Mutex::new(0);
    let held = mutex.lock();
    thread::scope(|s| {
        let waiters: Vec<_> =
            (0..6).map(|_| asleep(s, words_of(&mutex), || *mutex.lock() += 1)).collect();
        drop(held);
        join_all(waiters);
    });
    assert_eq!(*mutex.lock(), 6);
}

#[test]
fn exclusive_access_needs_no_lock() {
    let mut mutex = Mutex::new(vec![1]);
    mutex.get_mut().push(2);
    assert_eq!(*mutex.lock(), [1, 2]);
    // A guard that was forgotten leaves the mutex locked; an exclusive borrow gets through.
    std::mem::forget(mutex.lock());
    assert!(mutex.is_locked());
    mutex.get_mut().push(3);
    assert_eq!(mutex.into_inner(), [1, 2, 3]);
}

#[test]
fn unsized_data() {
    let mutex: &Mutex<[u8]> = &Mutex::new([3, 1, 2]);
    mutex.lock().sort_unstable();
    assert_eq!(*mutex.lock(), [1, 2, 3]);
    let dynamic: Arc<Mutex<dyn Fn() -> u8 + Send>> = Arc::new(Mutex::new(|| 5));
    assert_eq!((dynamic.lock())(), 5);
    let first = MutexGuard::map(mutex.lock(), |bytes| &mut bytes[..1]);
    assert_eq!(*first, [1]);
}

#[test]
fn zero_sized_data_still_excludes() {
    let mutex = Mutex::new(());
    let held = mutex.lock();
    assert!(mutex.try_lock().is_none());
    drop(held);
    assert!(mutex.try_lock().is_some());
}

/// Not poisoned: what the panicking owner left is what the next one finds.
#[test]
fn a_panic_releases_the_lock_and_keeps_the_data() {
    let mutex = Arc::new(Mutex::new(0));
    let panicked = {
        let mutex = mutex.clone();
        thread::spawn(move || {
            let mut value = mutex.lock();
            *value = 41;
            panic!("in a critical section");
        })
    };
    panicked.join().unwrap_err();
    assert!(!mutex.is_locked());
    *mutex.lock() += 1;
    assert_eq!(*mutex.lock(), 42);
    assert_eq!(Arc::into_inner(mutex).unwrap().into_inner(), 42);
}

mod timed {
    use super::*;
    use lockwork::Deadline;
    use std::time::Instant;

    /// Every limit that can be written down, with the lock taken and with it free.
    #[test]
    fn limits_in_the_past_and_of_zero_try_once() {
        let past = Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
        let mutex = Mutex::new(1);
        assert!(mutex.try_lock_for(Duration::ZERO).is_some());
        assert!(mutex.try_lock_until(past).is_some());
        assert!(mutex.try_lock_until(Deadline::now()).is_some());
        let _held = mutex.lock();
        assert!(mutex.try_lock_for(Duration::ZERO).is_none());
        assert!(mutex.try_lock_for(Duration::from_nanos(1)).is_none());
        assert!(mutex.try_lock_until(past).is_none());
        assert!(mutex.try_lock_until(Deadline::now()).is_none());
    }

    #[test]
    fn a_limit_is_waited_out() {
        let mutex = Mutex::new(());
        let _held = mutex.lock();
        let wait = Duration::from_millis(20);
        let start = Instant::now();
        assert!(mutex.try_lock_for(wait).is_none());
        assert!(start.elapsed() >= wait, "gave up after {:?}", start.elapsed());
        let until = Instant::now() + wait;
        assert!(mutex.try_lock_until(until).is_none());
        assert!(Instant::now() >= until);
    }

    fn is_woken_with<T: Send>(lock: impl Fn(&Mutex<u32>) -> Option<T> + Send + Sync) {
        let mutex = Mutex::new(0);
        let held = mutex.lock();
        thread::scope(|s| {
            let waiter = asleep(s, words_of(&mutex), || lock(&mutex).is_some());
            drop(held);
            assert!(waiter.join().unwrap());
        });
    }

    /// Neither refused by the kernel nor taken for a time in the past.
    #[test]
    fn limits_beyond_the_end_of_time_wait() {
        let _watchdog = Watchdog::start();
        is_woken_with(|mutex| mutex.try_lock_for(Duration::MAX).map(drop));
        is_woken_with(|mutex| mutex.try_lock_for(Duration::from_secs(u64::MAX / 3)).map(drop));
        let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
        is_woken_with(move |mutex| mutex.try_lock_until(far).map(drop));
        is_woken_with(|mutex| mutex.try_lock_until(Deadline::NEVER).map(drop));
        let nearly = Deadline::after(Duration::from_nanos(u64::MAX - u64::MAX / 8));
        is_woken_with(move |mutex| mutex.try_lock_until(nearly).map(drop));
    }

    /// Whoever gives up leaves the lock usable, and the others asleep are still woken.
    #[test]
    fn giving_up_takes_nobody_s_turn() {
        let _watchdog = Watchdog::start();
        let mutex = Mutex::new(0);
        let held = mutex.lock();
        thread::scope(|s| {
            let stays = asleep(s, words_of(&mutex), || *mutex.lock() += 1);
            for _ in 0..3 {
                let leaves = s.spawn(|| mutex.try_lock_for(Duration::from_millis(5)).is_none());
                assert!(leaves.join().unwrap());
            }
            drop(held);
            stays.join().unwrap();
        });
        assert_eq!(*mutex.lock(), 1);
    }
}

mod guards {
    use super::*;

    #[test]
    fn read_and_write_through() {
        let mutex = Mutex::new(vec![1, 2]);
        let mut guard = mutex.lock();
        guard.push(3);
        assert_eq!(guard.len(), 3);
        assert_eq!(&*guard, &[1, 2, 3]);
    }

    #[test]
    fn map_keeps_the_lock_until_the_part_is_given_up() {
        let mutex = Mutex::new((1, [2, 3]));
        let part = MutexGuard::map(mutex.lock(), |pair| &mut pair.1);
        assert!(mutex.is_locked());
        let mut element = MappedMutexGuard::map(part, |array| &mut array[1]);
        assert!(mutex.is_locked());
        *element += 10;
        drop(element);
        assert!(!mutex.is_locked());
        assert_eq!(*mutex.lock(), (1, [2, 13]));
    }

    #[test]
    fn try_map_gives_the_guard_back() {
        let mutex = Mutex::new(vec![1, 2]);
        let whole = MutexGuard::try_map(mutex.lock(), |list| list.get_mut(5)).unwrap_err();
        assert_eq!(*whole, [1, 2]);
        assert!(mutex.is_locked());
        let list = MutexGuard::try_map(whole, |list| Some(list.as_mut_slice())).unwrap();
        let list = MappedMutexGuard::try_map(list, |list| list.get_mut(5)).unwrap_err();
        assert!(mutex.is_locked());
        let mut second = MappedMutexGuard::try_map(list, |list| list.get_mut(1)).unwrap();
        *second = 20;
        drop(second);
        assert!(!mutex.is_locked());
        assert_eq!(mutex.into_inner(), [1, 20]);
    }

    #[test]
    fn a_panic_with_a_mapped_guard_unlocks() {
        let mutex = Mutex::new((1, 2));
        catch_unwind(AssertUnwindSafe(|| {
            let mut part = MutexGuard::map(mutex.lock(), |pair| &mut pair.0);
            *part = 5;
            panic!("with a part in hand");
        }))
        .unwrap_err();
        assert_eq!(*mutex.lock(), (5, 2));
    }

    #[test]
    fn parts_need_not_live_in_the_mutex() {
        let mut outside = 1;
        let mutex = Mutex::new(&mut outside);
        let mut part = MutexGuard::map(mutex.lock(), |place| &mut **place);
        *part = 2;
        drop(part);
        assert_eq!(outside, 2);
    }

    #[test]
    fn wakes_when_the_part_is_dropped() {
        let _watchdog = Watchdog::start();
        let mutex = Mutex::new((0, 0));
        let part = MutexGuard::map(mutex.lock(), |pair| &mut pair.1);
        thread::scope(|s| {
            let waiter = asleep(s, words_of(&mutex), || mutex.lock().0);
            drop(part);
            assert_eq!(waiter.join().unwrap(), 0);
        });
    }
}

mod shown {
    use super::*;

    #[test]
    fn debug_shows_the_data_or_that_it_is_locked() {
        let mutex = Mutex::new(vec![1, 2]);
        assert_eq!(format!("{mutex:?}"), "Mutex { data: [1, 2] }");
        let guard = mutex.lock();
        assert_eq!(format!("{mutex:?}"), "Mutex { data: <locked> }");
        assert_eq!(format!("{guard:?}"), "[1, 2]");
        let part = MutexGuard::map(guard, |list| &mut list[0]);
        assert_eq!(format!("{part:?} {part}"), "1 1");
        assert_eq!(format!("{mutex:?}"), "Mutex { data: <locked> }");
    }

    #[test]
    fn guards_display_what_they_guard() {
        assert_eq!(format!("{:>5}", Mutex::new("ab").lock()), "   ab");
        assert_eq!(
            format!("{:#?}", Mutex::new(Some(1))),
            "Mutex {\n    data: Some(\n        1,\n    ),\n}"
        );
    }

    /// Showing a mutex leaves it free, whatever the data's own `Debug` does.
    #[test]
    fn debug_leaves_the_lock_as_it_was() {
        struct Rude;
        impl std::fmt::Debug for Rude {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                panic!("will not be shown");
            }
        }
        let mutex = Mutex::new(Rude);
        catch_unwind(AssertUnwindSafe(|| format!("{mutex:?}"))).unwrap_err();
        assert!(!mutex.is_locked());
        // Its own mutex, from within: says so instead of waiting for itself.
        struct Own<'a>(Cell<Option<&'a Mutex<Own<'a>>>>);
        impl std::fmt::Debug for Own<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.0.get() {
                    Some(mutex) if f.alternate() => write!(f, "{mutex:?}"),
                    _ => f.write_str("own"),
                }
            }
        }
        let mutex = Mutex::new(Own(Cell::new(None)));
        mutex.lock().0.set(Some(&mutex));
        assert!(format!("{mutex:#?}").contains("<locked>"));
        assert!(!mutex.is_locked());
        mutex.lock().0.set(None);
    }
}
