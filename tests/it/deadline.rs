//! `Deadline`.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::Deadline;

#[test]
fn the_order_is_that_of_time() {
    let now = Deadline::now();
    let soon = Deadline::after(Duration::from_secs(1));
    let late = Deadline::after(Duration::from_secs(1000));
    assert!(now < soon && soon < late && late < Deadline::NEVER);
    assert!(now.has_passed() && !soon.has_passed() && !Deadline::NEVER.has_passed());
    assert_eq!([late, now, Deadline::NEVER, soon].iter().min(), Some(&now));
}

#[test]
fn what_cannot_be_represented_is_never() {
    let edges = [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_nanos(u64::MAX)];
    for edge in edges {
        assert_eq!(Deadline::after(edge), Deadline::NEVER);
    }
    // The last moment that is one, seen from now: half the range is certainly left.
    assert!(Deadline::after(Duration::from_nanos(u64::MAX / 2)) < Deadline::NEVER);
}

#[test]
fn what_remains() {
    assert_eq!(Deadline::NEVER.remaining(), None);
    assert_eq!(Deadline::now().remaining(), Some(Duration::ZERO));
    let minute = Duration::from_secs(60);
    let remaining = Deadline::after(minute).remaining().unwrap();
    assert!(remaining <= minute && !remaining.is_zero());
    let soon = Deadline::after(Duration::from_millis(2));
    while !soon.has_passed() {
        thread::yield_now();
    }
    assert_eq!(soon.remaining(), Some(Duration::ZERO));
}

#[test]
fn an_instant_is_the_same_moment() {
    let now = Instant::now();
    let before = Deadline::after(Duration::from_secs(10));
    let converted = Deadline::from(now + Duration::from_secs(10));
    // `now` was read first, so the moment is not after the one before; a conversion is late by the
    // time between its two readings of the clock.
    let after = Deadline::after(Duration::from_secs(10));
    assert!(converted <= after);
    assert!(before.remaining().unwrap() <= Duration::from_secs(10));
    // The past is the past, and not an arithmetic error.
    if let Some(past) = Instant::now().checked_sub(Duration::from_millis(1)) {
        assert!(Deadline::from(past).has_passed());
    }
    let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
    assert!(Deadline::from(far) > Deadline::after(Duration::from_secs(60 * 60 * 24 * 365 * 199)));
}

#[test]
fn it_never_comes_early() {
    for nanos in [0, 1, 1000, 1_000_000] {
        let wait = Duration::from_nanos(nanos);
        let start = Instant::now();
        let deadline = Deadline::after(wait);
        while !deadline.has_passed() {
            thread::yield_now();
        }
        assert!(start.elapsed() >= wait);
    }
}

#[test]
fn shown_hashed_copied() {
    assert_eq!(format!("{:?}", Deadline::NEVER), "Deadline::NEVER");
    let now = Deadline::now();
    assert!(format!("{now:?}").starts_with("Deadline("));
    let copy = now;
    assert_eq!(HashSet::from([now, copy, Deadline::NEVER]).len(), 2);
    assert_eq!(size_of::<Deadline>(), 8);
}
