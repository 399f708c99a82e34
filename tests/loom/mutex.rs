//! `Mutex`: mutual exclusion, hand-over of data, wake-up duty, time-outs.

use std::sync::Arc;
use std::time::Duration;

use lockwork::model::{Explore, futex_calls, thread};
use lockwork::{ArcMutexGuard, Mutex, MutexGuard};

/// Runs `body` on `n` threads, one of them this one.
fn on_threads(n: usize, body: impl Fn(usize) + Send + Sync + 'static) {
    let body = Arc::new(body);
    let threads: Vec<_> = (1..n)
        .map(|i| {
            let body = body.clone();
            thread::spawn(move || body(i))
        })
        .collect();
    body(0);
    for thread in threads {
        thread.join().unwrap();
    }
}

/// The orderings: the second owner sees what the first wrote.
#[test]
fn two_threads() {
    Explore::new("mutex, two threads").unbounded().at_least(100).run(&[2], || {
        let count = Arc::new(Mutex::new(0));
        let shared = count.clone();
        on_threads(2, move |_| *shared.lock() += 1);
        *count.lock()
    });
}

/// Uncontended, in any mode of arrival, the kernel is left alone; contended, it is called.
#[test]
fn futex_calls_only_when_somebody_sleeps() {
    Explore::new("mutex, calls").unbounded().at_least(100).run(&[false, true], || {
        let mutex = Arc::new(Mutex::new(()));
        let shared = mutex.clone();
        on_threads(2, move |_| drop(shared.lock()));
        futex_calls() > 0
    });
}

/// The wake-up duty: with three owners, one that slept has to wake the next.
#[test]
fn three_threads() {
    Explore::new("mutex, three threads").preemptions(3).at_least(1_000).run(&[3], || {
        let count = Arc::new(Mutex::new(0));
        let shared = count.clone();
        on_threads(3, move |_| *shared.lock() += 1);
        *count.lock()
    });
}

/// Signals wake waiters who own nothing.
#[test]
fn interrupted() {
    Explore::new("mutex, signals").preemptions(3).signals(2).at_least(100).run(&[2], || {
        let count = Arc::new(Mutex::new(0));
        let shared = count.clone();
        on_threads(2, move |_| *shared.lock() += 1);
        *count.lock()
    });
}

/// A waiter that gives up leaves the lock usable, and takes no wake-up with it.
#[test]
fn timed() {
    Explore::new("mutex, timed").preemptions(3).at_least(1_000).run(&[2, 3], || {
        let count = Arc::new(Mutex::new(0));
        let shared = count.clone();
        on_threads(3, move |i| match i {
            0 => {
                let soon = Duration::from_secs(1);
                if let Some(mut count) = shared.try_lock_for(soon) {
                    *count += 1;
                }
            }
            _ => *shared.lock() += 1,
        });
        *count.lock()
    });
}

#[test]
fn try_lock() {
    Explore::new("mutex, try_lock").unbounded().at_least(20).run(&[1, 2], || {
        let count = Arc::new(Mutex::new(0));
        let shared = count.clone();
        on_threads(2, move |_| {
            if let Some(mut count) = shared.try_lock() {
                *count += 1;
            }
        });
        *count.lock()
    });
}

/// A mapped guard excludes as the whole one does.
#[test]
fn mapped() {
    Explore::new("mutex, mapped").unbounded().at_least(100).run(&[(1, 1)], || {
        let pair = Arc::new(Mutex::new((0, 0)));
        let shared = pair.clone();
        on_threads(2, move |i| {
            let part = |pair: &mut (u32, u32)| -> *mut u32 {
                if i == 0 { &mut pair.0 } else { &mut pair.1 }
            };
            // SAFETY: the pointer is to a part of what the closure was given.
            *MutexGuard::map(shared.lock(), |pair| unsafe { &mut *part(pair) }) += 1;
        });
        *pair.lock()
    });
}

/// The mutex is freed by whoever unlocks last: nothing may touch it afterwards but its address.
#[test]
fn freed_by_the_last_owner() {
    Explore::new("mutex, freed early").unbounded().at_least(100).run(&[()], || {
        let mutex = Arc::new(Mutex::new(false));
        let other = mutex.clone();
        let thread = thread::spawn(move || *other.lock() = true);
        drop(mutex.lock());
        drop(mutex);
        thread.join().unwrap();
    });
}

/// While it is given back, others have it; the owner sees afterwards what they did.
#[test]
fn unlocked() {
    Explore::new("mutex, unlocked").preemptions(4).at_least(100).run(&[(1, 2), (2, 2)], || {
        let count = Arc::new(Mutex::new(0));
        let shared = count.clone();
        let other = thread::spawn(move || *shared.lock() += 1);
        let mut mine = count.lock();
        *mine += 1;
        MutexGuard::unlocked(&mut mine, thread::yield_now);
        let seen = *mine;
        drop(mine);
        other.join().unwrap();
        (seen, *count.lock())
    });
}

/// The ways to give the lock on, with a waiter that may sleep.
#[test]
fn handed_on() {
    Explore::new("mutex, bump, unlock_fair").preemptions(3).at_least(100).run(&[3], || {
        let count = Arc::new(Mutex::new(0));
        let shared = count.clone();
        on_threads(2, move |i| {
            let mut mine = shared.lock();
            *mine += 1;
            if i == 0 {
                MutexGuard::bump(&mut mine);
                *mine += 1;
            }
            MutexGuard::unlock_fair(mine);
        });
        *count.lock()
    });
}

/// A guard that owns its mutex unlocks before it gives that up, and the last one frees it.
#[test]
fn owned() {
    Explore::new("mutex, owned guards").unbounded().at_least(100).run(&[2, 3], || {
        let mutex = Arc::new(Mutex::new(1));
        let other = mutex.clone();
        let thread = thread::spawn(move || {
            let mut guard = other.lock_arc();
            drop(other);
            *guard += 1;
        });
        let mut guard = mutex.lock_arc();
        drop(mutex);
        *guard += 1;
        let seen = *guard;
        drop(ArcMutexGuard::into_arc(guard));
        thread.join().unwrap();
        seen
    });
}
