//! `Parker` and `Unparker`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Deadline, Parker};

use super::support::threads::asleep;
use super::support::watchdog::Watchdog;

#[test]
fn a_token_left_before_is_there_after() {
    let parker = Parker::new();
    parker.unparker().unpark();
    parker.park();
    assert!(!parker.park_for(Duration::ZERO), "taken");
}

#[test]
fn several_tokens_are_one() {
    let parker = Parker::default();
    for _ in 0..3 {
        parker.unparker().unpark();
    }
    assert!(parker.park_for(Duration::ZERO));
    assert!(!parker.park_for(Duration::ZERO));
}

#[test]
fn a_sleeper_is_woken_from_another_thread() {
    let _watchdog = Watchdog::start();
    let parker = Parker::new();
    let unparker = parker.unparker().clone();
    thread::scope(|s| {
        // A parker may move to the thread that uses it.
        let sleeper = asleep(s, None, move || {
            parker.park();
            parker.park_for(Duration::ZERO)
        });
        unparker.unpark();
        assert!(!sleeper.join().unwrap(), "one token, and the park took it");
    });
}

#[test]
fn limits_in_the_past_and_of_zero() {
    let past = Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
    let parker = Parker::new();
    assert!(!parker.park_for(Duration::ZERO));
    assert!(!parker.park_until(past));
    assert!(!parker.park_until(Deadline::now()));
    // A token that is there is taken, however late.
    parker.unparker().unpark();
    assert!(parker.park_until(past));
    parker.unparker().unpark();
    assert!(parker.park_for(Duration::ZERO));
}

#[test]
fn a_limit_is_waited_out() {
    let parker = Parker::new();
    let wait = Duration::from_millis(20);
    let start = Instant::now();
    assert!(!parker.park_for(wait));
    assert!(start.elapsed() >= wait);
    let until = Instant::now() + wait;
    assert!(!parker.park_until(until));
    assert!(Instant::now() >= until);
}

#[test]
fn limits_beyond_the_end_of_time_wait() {
    let _watchdog = Watchdog::start();
    let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
    let parks: [fn(&Parker, Instant) -> bool; 3] = [
        |parker, _| parker.park_for(Duration::MAX),
        |parker, far| parker.park_until(far),
        |parker, _| parker.park_until(Deadline::NEVER),
    ];
    for park in parks {
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        thread::scope(|s| {
            let sleeper = asleep(s, None, move || park(&parker, far));
            unparker.unpark();
            assert!(sleeper.join().unwrap());
        });
    }
}

/// A park that timed out leaves no mark: the next `unpark` is a token, not a wake-up for nobody.
#[test]
fn usable_after_a_time_out() {
    let parker = Parker::new();
    for _ in 0..3 {
        assert!(!parker.park_for(Duration::from_millis(1)));
        parker.unparker().unpark();
        assert!(parker.park_for(Duration::ZERO));
    }
}

#[test]
fn what_came_before_unpark_is_seen_after_park() {
    let _watchdog = Watchdog::start();
    let data = Arc::new(AtomicUsize::new(0));
    let parker = Parker::new();
    for round in 1..=200 {
        let (unparker, data) = (parker.unparker().clone(), data.clone());
        let thread = thread::spawn({
            let data = data.clone();
            move || {
                data.store(round, Relaxed);
                unparker.unpark();
            }
        });
        parker.park();
        assert_eq!(data.load(Relaxed), round);
        thread.join().unwrap();
    }
}

/// Whoever unparks may outlive the parker.
#[test]
fn the_parker_may_go_first() {
    let parker = Parker::new();
    let unparker = parker.unparker().clone();
    drop(parker);
    unparker.unpark();
    unparker.clone().unpark();
    // Also while the wake-up is on its way.
    for _ in 0..super::support::scaled(200) {
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        let thread = thread::spawn(move || unparker.unpark());
        parker.park();
        drop(parker);
        thread.join().unwrap();
    }
}

#[test]
fn two_parkers_in_one_thread_are_apart() {
    let (first, second) = (Parker::new(), Parker::new());
    first.unparker().unpark();
    assert!(!second.park_for(Duration::ZERO));
    assert!(first.park_for(Duration::ZERO));
    // And neither is the standard library's token of the thread.
    thread::current().unpark();
    assert!(!first.park_for(Duration::ZERO));
    thread::park();
}

#[test]
fn debug_names_them() {
    let parker = Parker::new();
    assert_eq!(format!("{parker:?} {:?}", parker.unparker()), "Parker { .. } Unparker { .. }");
}
