//! `PiMutex` and `PiCondvar` under many more threads than cores, for as long as `LOCKWORK_STRESS`
//! says. See `stress`, whose rules hold here too.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use lockwork::{PiCondvar, PiError, PiMutex};

use super::support::random::{Rng, seed};
use super::support::scaled;
use super::support::threads::{crowd, together};
use super::support::watchdog::Watchdog;

/// Owners count what they do, under four threads for each core, by every way to lock.
#[test]
fn mutex_under_load() {
    let watchdog = Watchdog::start();
    let (mutex, rounds) = (Arc::new(PiMutex::new([0_usize; 8])), scaled(2_000));
    let counts = together(crowd(), |thread| {
        let mut rng = Rng::stream(seed(), thread as u64);
        let mut count = 0;
        for _ in 0..rounds {
            let guard = match rng.below(4) {
                0 => mutex.lock_checked(),
                1 => mutex.try_lock(),
                2 => mutex.try_lock_for(Duration::from_micros(rng.below(100))),
                _ => Ok(mutex.lock()),
            };
            match guard {
                Ok(mut guard) => {
                    guard.iter_mut().for_each(|word| *word += 1);
                    count += 1;
                }
                Err(PiError::Taken | PiError::TimedOut) => {}
                Err(error) => panic!("{error}"),
            }
            watchdog.tick();
        }
        count
    });
    assert_eq!(*mutex.lock(), [counts.iter().sum(); 8]);
    assert!(!mutex.is_locked());
}

/// As many waits are notified as there were notifications, whatever else ends them.
#[test]
fn condvar_under_load() {
    let watchdog = Watchdog::start();
    let (mutex, changed) = (PiMutex::new(0_usize), PiCondvar::new());
    let (threads, rounds) = (crowd(), scaled(500));
    let notified = AtomicUsize::new(0);
    let found = together(threads, |thread| {
        let mut rng = Rng::stream(seed(), thread as u64);
        let mut found = 0;
        for _ in 0..rounds {
            let guard = mutex.lock();
            match rng.below(4) {
                0 => found += usize::from(changed.notify_one(&guard)),
                1 => found += changed.notify_all(&guard),
                _ => {
                    let limit = Duration::from_micros(rng.below(200));
                    let (guard, result) = changed.wait_for(guard, limit);
                    notified.fetch_add(usize::from(!result.timed_out()), Relaxed);
                    drop(guard);
                }
            }
            watchdog.tick();
        }
        found
    });
    assert_eq!(found.iter().sum::<usize>(), notified.into_inner());
    assert!(!changed.notify_one(&mutex.lock()));
}

/// A buffer with two condition variables and no limits: nothing is lost, or it hangs.
#[test]
fn buffer_under_load() {
    let watchdog = Watchdog::start();
    let (items, filled, emptied) = (PiMutex::new(Vec::new()), PiCondvar::new(), PiCondvar::new());
    let (pairs, each) = (crowd() / 2, scaled(1_000));
    let sums = together(2 * pairs, |thread| {
        let mut sum = 0;
        for n in 1..=each {
            if thread % 2 == 0 {
                let mut items = emptied.wait_while(items.lock(), |items| items.len() == 3);
                items.push(n);
                filled.notify_one(&items);
            } else {
                let mut items = filled.wait_while(items.lock(), |items| items.is_empty());
                sum += items.pop().unwrap();
                emptied.notify_one(&items);
            }
            watchdog.tick();
        }
        sum
    });
    assert_eq!(sums.iter().sum::<usize>(), pairs * each * (each + 1) / 2);
    assert!(items.into_inner().is_empty());
}
