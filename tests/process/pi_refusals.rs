//! Kernels that lack something: a filter of system calls stands for them. Before Linux 5.14 there
//! is no `FUTEX_LOCK_PI2`, and without `CONFIG_FUTEX_PI` none of these locks; and any may be out of
//! memory, or forbid it.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{CondvarAny, Deadline, PiCondvar, PiError, PiMutex, PiMutexGuard};

use super::runner::{Case, Outcome};
use super::support::seccomp::answer_futex;
use super::support::threads::{asleep, join_all, words_of};
use super::support::watchdog::Watchdog;

pub(crate) const CASES: &[Case] = &[
    ("pi_refusals::before_lock_pi2", before_lock_pi2),
    ("pi_refusals::without_pi", without_pi),
    ("pi_refusals::kernel_answers", kernel_answers),
    ("pi_refusals::who_is_not_notified_waits_on", who_is_not_notified_waits_on),
];

const AN_HOUR: Duration = Duration::from_secs(3_600);

const LOCKS: [i32; 2] = [libc::FUTEX_LOCK_PI, libc::FUTEX_LOCK_PI2];
const ALL: [i32; 6] = [
    libc::FUTEX_LOCK_PI,
    libc::FUTEX_LOCK_PI2,
    libc::FUTEX_TRYLOCK_PI,
    libc::FUTEX_UNLOCK_PI,
    libc::FUTEX_WAIT_REQUEUE_PI,
    libc::FUTEX_CMP_REQUEUE_PI,
];

/// Has the kernel refuse, from here on, and makes sure of it.
fn refuse(operations: &[i32], error: i32) -> Result<(), Outcome> {
    if !answer_futex(operations, error) {
        let error = std::io::Error::last_os_error();
        return Err(Outcome::Skipped(format!("no filter of system calls: {error}")));
    }
    let nowhere = std::ptr::null_mut::<u32>();
    for operation in operations {
        // SAFETY: the filter answers; without it, the kernel finds no word there.
        let result =
            unsafe { libc::syscall(libc::SYS_futex, nowhere, operation | 128, 0, nowhere) };
        assert_eq!(result, -1);
        assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(error));
    }
    Ok(())
}

#[track_caller]
fn assert_panics(what: impl FnOnce(), message: impl Display) {
    let panic = catch_unwind(AssertUnwindSafe(what)).unwrap_err();
    let text = panic.downcast::<String>().unwrap();
    assert!(text.contains(&message.to_string()), "{text}");
}

/// Deadlines go by `CLOCK_MONOTONIC` and the kernel's by the clock of the day: with the one taken
/// for the other, a wait would not sleep, or end in half a century.
fn before_lock_pi2() -> Outcome {
    let _watchdog = Watchdog::start();
    if let Err(skipped) = refuse(&[libc::FUTEX_LOCK_PI2], libc::ENOSYS) {
        return skipped;
    }
    let (mutex, changed) = (PiMutex::new(0), PiCondvar::new());
    let held = mutex.lock();
    let timed_out = |deadline: Deadline| {
        assert_eq!(mutex.try_lock_until(deadline).map(drop), Err(PiError::TimedOut));
        assert!(deadline.has_passed());
    };
    thread::scope(|s| {
        let in_vain = s.spawn(|| {
            timed_out(Deadline::now());
            timed_out(Instant::now().into());
            timed_out(Deadline::after(Duration::from_millis(20)));
        });
        in_vain.join().unwrap();
        assert_eq!(mutex.lock_checked().map(drop), Err(PiError::Deadlock));
        // Each is seen asleep, so its limit is not taken for one that has passed.
        let ages = Duration::from_secs(1 << 40);
        let waiters = [Duration::MAX, ages, AN_HOUR].map(|limit| {
            let mutex = &mutex;
            asleep(s, words_of(mutex), move || *mutex.try_lock_for(limit).unwrap() += 1)
        });
        drop(held);
        join_all(waiters);
    });
    assert_eq!(*mutex.lock(), 3);
    // A circle, and owners that end.
    let (other, held) = (PiMutex::new(()), mutex.lock());
    thread::scope(|s| {
        let waiter = asleep(s, words_of(&mutex), || {
            let _other = other.lock();
            *mutex.try_lock_for(AN_HOUR).unwrap() += 1;
        });
        assert_eq!(other.try_lock_for(AN_HOUR).map(drop), Err(PiError::Deadlock));
        drop(held);
        waiter.join().unwrap();
        let waiter = asleep(s, words_of(&changed), || {
            let (held, result) = changed.wait_for(mutex.lock(), AN_HOUR);
            assert!(!result.timed_out());
            std::mem::forget(held);
        });
        let held = mutex.lock();
        let late = asleep(s, words_of(&mutex), || mutex.try_lock_for(AN_HOUR).map(drop));
        assert!(changed.notify_one(&held));
        drop(held);
        assert_eq!(late.join().unwrap(), Ok(()), "it was first");
        waiter.join().unwrap();
    });
    while mutex.try_lock_for(Duration::ZERO).map(drop) != Err(PiError::OwnerDied) {
        thread::yield_now();
    }
    assert_eq!(mutex.try_lock_for(AN_HOUR).map(drop), Err(PiError::OwnerDied));
    Outcome::Passed
}

/// What needs no kernel works; what does says so, each in its way; and nobody is left without a
/// lock that is owed.
fn without_pi() -> Outcome {
    let _watchdog = Watchdog::start();
    if let Err(skipped) = refuse(&ALL, libc::ENOSYS) {
        return skipped;
    }
    use PiError::Unsupported;
    let (mutex, changed) = (Arc::new(PiMutex::new(0)), PiCondvar::new());
    *mutex.lock() += 1;
    *mutex.try_lock_for(AN_HOUR).unwrap() += 1;
    let held = mutex.lock();
    assert_eq!(mutex.lock_checked().map(drop), Err(PiError::Deadlock));
    assert!(!changed.notify_one(&held) && changed.notify_all(&held) == 0);
    thread::scope(|s| {
        let ask = || {
            assert_eq!(mutex.try_lock().map(drop), Err(PiError::Taken));
            assert_eq!(mutex.lock_checked().map(drop), Err(Unsupported));
            assert_eq!(mutex.lock_arc_checked().map(drop), Err(Unsupported));
            for limit in [Duration::ZERO, AN_HOUR, Duration::MAX] {
                assert_eq!(mutex.try_lock_for(limit).map(drop), Err(Unsupported));
                assert_eq!(mutex.try_lock_arc_for(limit).map(drop), Err(Unsupported));
            }
            assert_eq!(mutex.try_lock_until(Instant::now()).map(drop), Err(Unsupported));
            assert_panics(|| drop(mutex.lock()), Unsupported);
            assert_panics(|| drop(mutex.lock_arc()), Unsupported);
        };
        s.spawn(ask).join().unwrap();
    });
    drop(held);
    let waits: [&dyn Fn(); 5] = [
        &|| drop(changed.wait(mutex.lock())),
        &|| drop(changed.wait_for(mutex.lock(), AN_HOUR)),
        &|| drop(changed.wait_until(mutex.lock(), Instant::now())),
        &|| drop(changed.wait_while(mutex.lock(), |n| *n == 2)),
        &|| drop(changed.wait_while_for(mutex.lock(), |n| *n == 2, AN_HOUR)),
    ];
    for wait in waits {
        assert_panics(wait, Unsupported);
        assert!(!mutex.is_locked());
    }
    assert_eq!(changed.wait_checked(mutex.lock()).map(drop), Err(Unsupported));
    let told = changed.wait_until_checked(mutex.lock(), Deadline::now());
    assert_eq!(told.map(drop), Err(Unsupported));
    assert!(!changed.notify_one(&mutex.lock()), "nobody is in the list");
    // Given up for a while, and taken by others, one of which has it for some time.
    thread::scope(|s| {
        let mut held = mutex.lock();
        let other = PiMutexGuard::unlocked(&mut held, || {
            let (locked, is_locked) = std::sync::mpsc::channel();
            let mutex = &mutex;
            let other = s.spawn(move || {
                let mut held = mutex.lock();
                locked.send(()).unwrap();
                thread::sleep(Duration::from_millis(20));
                *held += 1;
            });
            is_locked.recv().unwrap();
            other
        });
        assert_eq!(*held, 3);
        other.join().unwrap();
        assert!(CondvarAny::new().wait_for(&mut held, Duration::from_millis(1)).timed_out());
    });
    // Waits among others that have it, in and out.
    thread::scope(|s| {
        let threads = [0; 4].map(|_| {
            s.spawn(|| {
                for _ in 0..200 {
                    let Ok(mut held) = mutex.try_lock() else { continue };
                    *held += 1;
                    assert_eq!(changed.wait_checked(held).map(drop), Err(Unsupported));
                }
            })
        });
        join_all(threads);
    });
    assert!(!mutex.is_locked());
    Outcome::Passed
}

/// Each answer of the kernel is told in full.
fn kernel_answers() -> Outcome {
    let _watchdog = Watchdog::start();
    let mutex = PiMutex::new(());
    let _held = mutex.lock();
    let answers = [
        (libc::ENOSYS, PiError::Unsupported),
        (libc::EPERM, PiError::NotPermitted),
        (libc::ENOMEM, PiError::OutOfMemory),
        (libc::EDEADLK, PiError::Deadlock),
        (libc::ETIMEDOUT, PiError::TimedOut),
    ];
    for (error, expected) in answers {
        // A filter is for the thread that asks for it, and those that it starts.
        let ask = || {
            if let Err(skipped) = refuse(&LOCKS, error) {
                return Some(skipped);
            }
            assert_eq!(mutex.try_lock_for(AN_HOUR).map(drop), Err(expected));
            if error != libc::ETIMEDOUT {
                assert_eq!(mutex.lock_checked().map(drop), Err(expected));
                assert_panics(|| drop(mutex.lock()), expected);
            }
            None
        };
        if let Some(skipped) = thread::scope(|s| s.spawn(ask).join().unwrap()) {
            return skipped;
        }
    }
    Outcome::Passed
}

/// A notification that the kernel refuses has not happened: the waiters wait on, and go with the
/// next one, and it is said how many.
fn who_is_not_notified_waits_on() -> Outcome {
    let _watchdog = Watchdog::start();
    let (mutex, changed) = (PiMutex::new(()), PiCondvar::new());
    thread::scope(|s| {
        let waiters =
            [0; 2].map(|_| asleep(s, words_of(&changed), || drop(changed.wait(mutex.lock()))));
        let refused = s.spawn(|| {
            if let Err(skipped) = refuse(&[libc::FUTEX_CMP_REQUEUE_PI], libc::ENOMEM) {
                return Some(skipped);
            }
            let held = mutex.lock();
            let message = "a waiter could not be notified: out of kernel memory";
            assert_panics(|| _ = changed.notify_one(&held), message);
            assert_panics(|| _ = changed.notify_all(&held), message);
            None
        });
        let skipped = refused.join().unwrap();
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
        assert_eq!(changed.notify_all(&mutex.lock()), 2);
        join_all(waiters);
        skipped.unwrap_or(Outcome::Passed)
    })
}
