//! `PiMutex` and `PiCondvar` among threads without real-time priorities: what the guards do, and
//! what is refused. Who goes before whom is in `process real_time`, what a crowd does in
//! `pi_stress`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    ArcPiMutexGuard, CondvarAny, Deadline, MappedPiMutexGuard, PiCondvar, PiError, PiMutex,
    PiMutexGuard,
};

use super::support::threads::{asleep, join_all, together, words_of};
use super::support::values::Counted;
use super::support::watchdog::Watchdog;

const A_MOMENT: Duration = Duration::from_millis(1);

#[test]
fn sizes() {
    assert_eq!((size_of::<PiMutex<()>>(), align_of::<PiMutex<()>>()), (8, 4));
    assert_eq!(size_of::<PiMutex<u64>>(), 16);
    assert_eq!(size_of::<PiCondvar>(), 40);
    assert_eq!(size_of::<Result<PiMutexGuard<'static, u8>, PiError>>(), 16);
}

#[test]
fn begins_and_ends() {
    static STATIC: PiMutex<u8> = PiMutex::new(7);
    assert_eq!(together(4, |_| *STATIC.lock()), [7; 4]);
    assert_eq!(*PiMutex::from(3).lock(), 3);
    assert_eq!(*PiMutex::<String>::default().lock(), "");
    let mut mutex = PiMutex::new(vec![1]);
    mutex.get_mut().push(2);
    assert!(std::ptr::eq(mutex.data_ptr(), &*mutex.lock()));
    assert_eq!(format!("{mutex:?}"), "PiMutex { data: [1, 2] }");
    let held = mutex.lock();
    assert_eq!(format!("{mutex:?} {held:?}"), "PiMutex { data: <locked> } [1, 2]");
    drop(held);
    assert_eq!(mutex.into_inner(), [1, 2]);
    let drops = AtomicUsize::new(0);
    drop(PiMutex::new(Counted(&drops)).into_inner());
    drop(PiMutex::new(Counted(&drops)));
    assert_eq!(drops.into_inner(), 2);
}

/// Why not, for each way to ask, by the owner and by another thread.
#[test]
fn refusals() {
    let mutex = Arc::new(PiMutex::new(1));
    let held = mutex.lock();
    let past = Instant::now();
    let ask = |while_taken: PiError, in_time: PiError| {
        let answers = [
            mutex.try_lock().map(drop),
            mutex.try_lock_arc().map(drop),
            mutex.try_lock_for(A_MOMENT).map(drop),
            mutex.try_lock_until(past).map(drop),
            mutex.try_lock_until(Deadline::now()).map(drop),
            mutex.try_lock_arc_for(Duration::ZERO).map(drop),
            mutex.try_lock_arc_until(past).map(drop),
        ];
        for (i, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer, Err(if i < 2 { while_taken } else { in_time }), "way {i}");
        }
    };
    ask(PiError::Deadlock, PiError::Deadlock);
    assert_eq!(mutex.lock_checked().map(drop), Err(PiError::Deadlock));
    assert_eq!(mutex.lock_arc_checked().map(drop), Err(PiError::Deadlock));
    thread::scope(|s| {
        s.spawn(|| ask(PiError::Taken, PiError::TimedOut)).join().unwrap();
    });
    for lock in [&(|| drop(mutex.lock())) as &dyn Fn(), &|| drop(mutex.lock_arc())] {
        let panic = catch_unwind(AssertUnwindSafe(lock)).unwrap_err();
        let message = panic.downcast::<String>().unwrap();
        assert!(message.contains("deadlock: the thread has the lock already"), "{message}");
    }
    assert_eq!(*held, 1, "and still has it");
    drop(held);
    // What time-outs left behind costs a call, and nothing else.
    assert_eq!(*mutex.try_lock().unwrap(), 1);
    assert_eq!(*mutex.try_lock_for(Duration::ZERO).unwrap(), 1);
    assert_eq!(*mutex.try_lock_until(past).unwrap(), 1);
    assert_eq!(*mutex.try_lock_arc_until(past).unwrap(), 1);
    assert!(!mutex.is_locked());
}

/// Three threads, each of which has a lock and wants the next one's: the one that would close the
/// circle is told, however the others wait.
#[test]
fn circle_of_three() {
    let _watchdog = Watchdog::start();
    let locks = [(); 3].map(|()| PiMutex::new(0));
    let [a, b, c] = &locks;
    thread::scope(|s| {
        let held = c.lock();
        let second = asleep(s, words_of(c), || {
            let _held = b.lock();
            *c.try_lock_for(Duration::from_secs(3_600)).unwrap() += 1;
        });
        let first = asleep(s, words_of(b), || {
            let held = a.lock();
            *b.lock() += *held + 1;
        });
        assert_eq!(a.lock_checked().map(drop), Err(PiError::Deadlock));
        assert_eq!(a.try_lock_for(Duration::from_secs(3_600)).map(drop), Err(PiError::Deadlock));
        drop(held);
        join_all([first, second]);
    });
    assert_eq!(locks.map(PiMutex::into_inner), [0, 1, 1]);
}

/// Each way to unlock hands the lock to one who sleeps, however that waits.
#[test]
fn each_way_to_unlock_hands_over() {
    let _watchdog = Watchdog::start();
    let mutex = Arc::new(PiMutex::new((0, 0)));
    let unlock: [&dyn Fn(); 10] = [
        &|| drop(mutex.lock()),
        &|| PiMutexGuard::unlock_fair(mutex.lock()),
        &|| drop(PiMutexGuard::map(mutex.lock(), |pair| &mut pair.1)),
        &|| MappedPiMutexGuard::unlock_fair(PiMutexGuard::map(mutex.lock(), |pair| &mut pair.1)),
        &|| drop(mutex.lock_arc()),
        &|| drop(ArcPiMutexGuard::into_arc(mutex.lock_arc())),
        &|| PiMutexGuard::unlocked(&mut mutex.lock(), || ()),
        &|| ArcPiMutexGuard::unlocked_fair(&mut mutex.lock_arc(), || ()),
        &|| PiMutexGuard::bump(&mut mutex.lock()),
        &|| {
            drop(catch_unwind(AssertUnwindSafe(|| {
                let _held = mutex.lock();
                std::panic::resume_unwind(Box::new(()));
            })))
        },
    ];
    let wait: [&(dyn Fn() + Sync); 3] =
        [&|| mutex.lock().0 = 1, &|| mutex.try_lock_for(Duration::MAX).unwrap().0 = 1, &|| {
            mutex.lock_arc_checked().unwrap().0 = 1
        }];
    for (i, unlock) in unlock.into_iter().enumerate() {
        let mut held = mutex.lock();
        held.0 = 0;
        thread::scope(|s| {
            let waiter = asleep(s, words_of(&*mutex), wait[i % 3]);
            drop(held);
            unlock();
            waiter.join().unwrap();
        });
        assert_eq!(mutex.lock().0, 1);
        assert!(!mutex.is_locked(), "way {i}");
    }
}

/// The lock comes back to whoever gave it up for a while, also by unwinding; with it, a condition
/// variable for any lock waits.
#[test]
fn given_up_for_a_while() {
    let _watchdog = Watchdog::start();
    let mutex = PiMutex::new(0);
    let mut guard = mutex.lock();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        PiMutexGuard::unlocked(&mut guard, || {
            *mutex.lock() += 1;
            std::panic::resume_unwind(Box::new(5));
        });
    }));
    assert_eq!(*panic.unwrap_err().downcast::<i32>().unwrap(), 5);
    assert_eq!((*guard, mutex.is_locked()), (1, true));
    let any = CondvarAny::new();
    assert!(any.wait_for(&mut guard, A_MOMENT).timed_out());
    thread::scope(|s| {
        s.spawn(|| {
            *mutex.lock() += 1;
            any.notify_one();
        });
        any.wait_while(&mut guard, |value| *value == 1);
    });
    assert_eq!(*guard, 2);
}

/// Notifications are counted exactly, and go to those who wait.
#[test]
fn notifications_are_counted() {
    let _watchdog = Watchdog::start();
    let (mutex, changed) = (PiMutex::new(0), PiCondvar::new());
    assert!(!changed.notify_one(&mutex.lock()));
    assert_eq!(changed.notify_all(&mutex.lock()), 0);
    thread::scope(|s| {
        let waiters: Vec<_> = (0..5)
            .map(|_| asleep(s, words_of(&changed), || *changed.wait(mutex.lock()) += 1))
            .collect();
        assert_eq!(format!("{changed:?}"), "PiCondvar { has_waiters: true }");
        let guard = mutex.lock();
        assert!(changed.notify_one(&guard) && changed.notify_one(&guard));
        drop(guard);
        while *mutex.lock() < 2 {
            thread::yield_now();
        }
        assert_eq!(*mutex.lock(), 2, "and no more");
        let guard = mutex.lock();
        assert!(changed.notify_one(&guard));
        assert_eq!(changed.notify_all(&guard), 2, "those that were not notified yet");
        assert!(!changed.notify_one(&guard), "nobody is left, though all of them are still here");
        drop(guard);
        join_all(waiters);
    });
    assert_eq!(*mutex.lock(), 5);
    assert!(!changed.notify_one(&mutex.lock()));
    assert_eq!(format!("{changed:?}"), "PiCondvar { has_waiters: false }");
}

/// A limit that has passed is no reason to miss what was there before.
#[test]
fn limits() {
    let (mutex, changed) = (PiMutex::new(3), PiCondvar::default());
    for deadline in [Deadline::now(), Deadline::after(A_MOMENT)] {
        let (guard, result) = changed.wait_until(mutex.lock(), deadline);
        assert!(*guard == 3 && result.timed_out() && deadline.has_passed());
    }
    let (guard, result) = changed.wait_while_for(mutex.lock(), |n| *n == 3, A_MOMENT);
    assert!(*guard == 3 && result.timed_out());
    drop(guard);
    let (guard, result) = changed.wait_while_for(mutex.lock(), |n| *n == 4, Duration::MAX);
    assert!(*guard == 3 && !result.timed_out());
}

/// One that waits with another mutex is refused before anything has changed.
#[test]
fn one_mutex_at_a_time() {
    let _watchdog = Watchdog::start();
    let (mutex, other, changed) = (PiMutex::new(()), PiMutex::new(()), PiCondvar::new());
    thread::scope(|s| {
        let waiter = asleep(s, words_of(&changed), || drop(changed.wait(mutex.lock())));
        let wrong: [&dyn Fn(); 3] = [
            &|| drop(changed.wait(other.lock())),
            &|| drop(changed.wait_for(other.lock(), A_MOMENT)),
            &|| assert!(changed.notify_one(&other.lock())),
        ];
        for wrong in wrong {
            let panic = catch_unwind(AssertUnwindSafe(wrong)).unwrap_err();
            let message = panic.downcast::<&str>().unwrap();
            assert!(message.contains("another mutex"), "{message}");
            assert!(!other.is_locked() && !waiter.is_finished());
        }
        assert!(changed.notify_one(&mutex.lock()));
        waiter.join().unwrap();
    });
    let (_guard, result) = changed.wait_for(other.lock(), A_MOMENT);
    assert!(result.timed_out(), "once nobody waits any more, it is free for another one");
}
