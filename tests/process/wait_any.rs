//! `wait_any` in a storm of signals, and on both sides of a fork.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    Event, Latch, Semaphore, TakenKind, WaitGroup, Waitable, wait_any, wait_any_for, wait_any_until,
};

use super::forking::{fork, raw_clone};
use super::runner::{Case, Outcome};
use super::signals::{enough, interrupted, pass, storm};
use super::support::threads::asleep;

pub(crate) const CASES: &[Case] = &[
    ("wait_any::under_a_storm", under_a_storm),
    ("wait_any::both_sides_of_a_fork", || both_sides(|child| fork(child))),
    ("wait_any::both_sides_of_a_raw_clone", || both_sides(|child| raw_clone(child))),
];

/// Hand-overs, limits, and waits without an end: none fails, ends early or hangs.
fn under_a_storm() -> Outcome {
    let rounds = 300;
    let (events, permits) = ([const { Event::auto() }; 4], [const { Semaphore::new(0) }; 4]);
    let nothing = Latch::new(1);
    events[0].set();
    storm("wait_any", 4, |me| {
        for round in 0..rounds {
            let list: [&dyn Waitable; 3] = [&nothing, &events[me], &permits[me]];
            let taken = if round % 2 == 0 {
                wait_any(&list)
            } else {
                wait_any_for(&list, Duration::MAX).expect("no limit")
            };
            assert_ne!(taken.index, 0);
            if let TakenKind::Permit(permit) = taken.kind {
                permit.forget();
            }
            let next = (me + 1) % 4;
            if (round + me) % 2 == 0 {
                events[next].set();
            } else {
                permits[next].release(1).unwrap();
            }
        }
    });

    let (event, semaphore) = (Event::auto(), Semaphore::new(0));
    storm("limits of wait_any", 4, |i| {
        for round in 0..40 {
            let wait = Duration::from_micros(500 * (1 + (i as u64 + round) % 8));
            let start = Instant::now();
            assert!(wait_any_for(&[&event, &semaphore, &nothing], wait).is_none());
            assert!(start.elapsed() >= wait, "{:?} of {wait:?}", start.elapsed());
        }
    });

    let (told, stop, group) = (AtomicBool::new(false), Event::manual(), WaitGroup::new());
    group.add(1);
    let runs = storm("endless waits for any", 3, |i| {
        let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
        let list: [&dyn Waitable; 3] = [&nothing, &group, &stop];
        let index = match i {
            0 => wait_any(&list).index,
            1 => wait_any_until(&list, far).expect("no limit").index,
            _ => {
                let before = interrupted();
                while interrupted() - before < 4 * enough() {
                    pass(Duration::from_millis(10));
                }
                told.store(true, Relaxed);
                stop.set();
                2
            }
        };
        assert!(told.load(Relaxed) && index == 2, "operation {i} returned by itself");
    });
    assert_eq!(runs, 1, "the last thread waited for the storm");
    Outcome::Passed
}

/// Each side has things of its own, and threads that wait for them; the waiters of the parent are
/// none of the child's.
fn both_sides(fork: impl Fn(&mut dyn FnMut())) -> Outcome {
    let (event, semaphore, latch) = (Event::auto(), Semaphore::new(0), Latch::new(1));
    let list: [&dyn Waitable; 3] = [&event, &semaphore, &latch];
    let index = || wait_any(&list).index;
    thread::scope(|s| {
        let sleeper = asleep(s, None, index);
        fork(&mut || {
            thread::scope(|s| {
                let mine = asleep(s, None, index);
                event.set();
                assert_eq!(mine.join().unwrap(), 0);
                let (one, other) = (asleep(s, None, index), asleep(s, None, || event.wait()));
                latch.count_down(1);
                event.set();
                // Whichever it took, the event was for one of the two.
                if one.join().unwrap() == 0 {
                    event.set();
                }
                other.join().unwrap();
                assert!(wait_any_for(&[&semaphore], Duration::from_millis(1)).is_none());
            });
        });
        assert!(!sleeper.is_finished() && !event.is_set() && latch.count() == 1);
        semaphore.release(1).unwrap();
        assert_eq!(sleeper.join().unwrap(), 1);
    });
    Outcome::Passed
}
