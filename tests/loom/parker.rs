//! `Parker`: the token is not lost, and carries what came before.

use std::sync::Arc;
use std::time::Duration;

use lockwork::Parker;
use lockwork::model::Ordering::Relaxed;
use lockwork::model::{AtomicU32, Explore, thread};

#[test]
fn park_sees_what_came_before_unpark() {
    Explore::new("parker").unbounded().at_least(6).run(&[1], || {
        let parker = Parker::new();
        let data = Arc::new(AtomicU32::new(0));
        let thread = {
            let (unparker, data) = (parker.unparker().clone(), data.clone());
            thread::spawn(move || {
                data.store(1, Relaxed);
                unparker.unpark();
            })
        };
        parker.park();
        let seen = data.load(Relaxed);
        thread.join().unwrap();
        seen
    });
}

/// Two tokens at once are one; but each `unpark` is seen by a `park` that comes after it.
#[test]
fn two_unparkers() {
    Explore::new("parker, two unparkers").preemptions(3).at_least(100).run(&[false, true], || {
        let parker = Parker::new();
        let data = Arc::new((AtomicU32::new(0), AtomicU32::new(0)));
        let left = {
            let (unparker, data) = (parker.unparker().clone(), data.clone());
            thread::spawn(move || {
                data.0.store(1, Relaxed);
                unparker.unpark();
            })
        };
        let right = {
            let (unparker, data) = (parker.unparker().clone(), data.clone());
            thread::spawn(move || {
                data.1.store(1, Relaxed);
                unparker.unpark();
            })
        };
        parker.park();
        assert!(data.0.load(Relaxed) + data.1.load(Relaxed) >= 1);
        left.join().unwrap();
        right.join().unwrap();
        // Both are over: is there a second token?
        parker.park_for(Duration::ZERO)
    });
}

#[test]
fn timed_park() {
    Explore::new("parker, timed").unbounded().at_least(6).run(
        &[(false, true), (true, false)],
        || {
            let parker = Parker::new();
            let unparker = parker.unparker().clone();
            let thread = thread::spawn(move || unparker.unpark());
            let first = parker.park_for(Duration::from_secs(1));
            thread.join().unwrap();
            // The token is taken exactly once, in time or afterwards.
            (first, parker.park_for(Duration::ZERO))
        },
    );
}

#[test]
fn interrupted() {
    Explore::new("parker, signals").unbounded().signals(2).at_least(6).run(&[()], || {
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        let thread = thread::spawn(move || unparker.unpark());
        parker.park();
        thread.join().unwrap();
    });
}
