//! `FairMutex`: what its guards do when they are dropped. The lock below is `Mutex`'s.

use std::sync::Arc;
use std::time::Duration;

use lockwork::model::{Explore, thread};
use lockwork::{FairMutex, FairMutexGuard};

use super::support::beside;

/// Each sees what the last one wrote, by every kind of guard.
#[test]
fn two_threads() {
    Explore::new("fair mutex, two threads").preemptions(4).at_least(100).run(&[(2, 2)], || {
        let pair = Arc::new(FairMutex::new((0, 0)));
        let other = beside(&pair, |pair| {
            let mut both = pair.lock();
            both.0 += 1;
            *FairMutexGuard::map(both, |pair| &mut pair.1) += 1;
        });
        let mut both = pair.lock_arc();
        both.0 += 1;
        both.1 += 1;
        drop(both);
        other.join().unwrap();
        *pair.lock()
    });
}

/// With three owners, each that slept is woken.
#[test]
fn three_threads() {
    Explore::new("fair mutex, three threads").preemptions(2).at_least(1_000).run(&[3], || {
        let count = Arc::new(FairMutex::new(0));
        let others = [0; 2].map(|_| beside(&count, |count| *count.lock() += 1));
        *count.lock() += 1;
        for other in others {
            other.join().unwrap();
        }
        *count.lock()
    });
}

/// Somebody who sleeps with a limit may leave while the lock is on its way to him.
#[test]
fn timed() {
    Explore::new("fair mutex, timed").preemptions(2).at_least(1_000).run(&[2, 3], || {
        let count = Arc::new(FairMutex::new(0));
        let timed = beside(&count, |count| {
            if let Some(mut count) = count.try_lock_for(Duration::from_secs(1)) {
                *count += 1;
            }
        });
        let other = beside(&count, |count| *count.lock() += 1);
        *count.lock() += 1;
        timed.join().unwrap();
        other.join().unwrap();
        *count.lock()
    });
}

/// The lock is given away and had again, with what the other did.
#[test]
fn bump() {
    Explore::new("fair mutex, bump").preemptions(2).at_least(100).run(&[3], || {
        let count = Arc::new(FairMutex::new(0));
        let shared = count.clone();
        let other = thread::spawn(move || *shared.lock() += 1);
        let mut mine = count.lock();
        *mine += 1;
        FairMutexGuard::bump(&mut mine);
        *mine += 1;
        drop(mine);
        other.join().unwrap();
        *count.lock()
    });
}
