//! `Event`, manual and automatic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Deadline, Event};

use super::support::page::Page;
use super::support::scaled;
use super::support::threads::{asleep, join_all, together, words_of};
use super::support::watchdog::Watchdog;

static AUTO: Event = Event::auto();
static MANUAL: Event = Event::manual();

#[test]
fn sizes_and_statics() {
    assert_eq!(size_of::<Event>(), 4);
    MANUAL.set();
    AUTO.set();
    MANUAL.wait();
    AUTO.wait();
    assert!(MANUAL.is_set() && !AUTO.is_set());
}

#[test]
fn a_manual_event_stays_set() {
    let event = Event::manual();
    assert!(!event.is_set() && !event.try_wait());
    event.set();
    event.set();
    for _ in 0..3 {
        event.wait();
        assert!(event.try_wait() && event.is_set());
    }
    assert!(event.reset());
    assert!(!event.reset() && !event.try_wait() && !event.is_set());
    event.set();
    event.wait();
}

#[test]
fn an_automatic_event_lets_one_go() {
    let event = Event::auto();
    assert!(!event.is_set() && !event.try_wait());
    event.set();
    event.set();
    assert!(event.is_set());
    event.wait();
    assert!(!event.is_set() && !event.try_wait());
    event.set();
    assert!(event.try_wait() && !event.try_wait());
    event.set();
    assert!(event.reset() && !event.reset() && !event.try_wait());
}

#[test]
fn a_set_lets_all_sleepers_of_a_manual_event_go() {
    let _watchdog = Watchdog::start();
    let event = Event::manual();
    thread::scope(|s| {
        let sleepers = [(); 5].map(|()| asleep(s, words_of(&event), || event.wait()));
        event.set();
        join_all(sleepers);
    });
}

/// Also if it is undone before they have looked.
#[test]
fn set_and_reset_lets_all_sleepers_go() {
    let _watchdog = Watchdog::start();
    let event = Event::manual();
    for _ in 0..scaled(20) {
        thread::scope(|s| {
            let sleepers = [(); 5].map(|()| asleep(s, words_of(&event), || event.wait()));
            event.set();
            assert!(event.reset());
            join_all(sleepers);
        });
        assert!(!event.is_set());
    }
}

#[test]
fn each_set_lets_one_sleeper_of_an_automatic_event_go() {
    let _watchdog = Watchdog::start();
    let event = Event::auto();
    let gone = AtomicUsize::new(0);
    thread::scope(|s| {
        let sleepers = [(); 4].map(|()| {
            asleep(s, words_of(&event), || {
                event.wait();
                gone.fetch_add(1, Relaxed);
            })
        });
        for n in 1..=4 {
            event.set();
            while gone.load(Relaxed) < n {
                thread::yield_now();
            }
            assert!(!event.is_set(), "taken by the one that went");
        }
        join_all(sleepers);
    });
}

#[test]
fn limits_in_the_past_and_of_zero_look_once() {
    let past = Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
    for event in [Event::manual(), Event::auto()] {
        assert!(!event.wait_for(Duration::ZERO));
        assert!(!event.wait_until(past));
        assert!(!event.wait_until(Deadline::now()));
        event.set();
        assert!(event.wait_until(past), "set, however late");
        event.set();
        assert!(event.wait_for(Duration::ZERO));
    }
}

#[test]
fn a_limit_is_waited_out() {
    let wait = Duration::from_millis(10);
    for event in [Event::manual(), Event::auto()] {
        let start = Instant::now();
        assert!(!event.wait_for(wait));
        assert!(start.elapsed() >= wait);
        let until = Instant::now() + wait;
        assert!(!event.wait_until(until));
        assert!(Instant::now() >= until);
        event.set();
        assert!(event.try_wait());
    }
}

#[test]
fn limits_beyond_the_end_of_time_wait() {
    let _watchdog = Watchdog::start();
    let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
    let waits: [fn(&Event, Instant) -> bool; 3] = [
        |event, _| event.wait_for(Duration::MAX),
        |event, far| event.wait_until(far),
        |event, _| event.wait_until(Deadline::NEVER),
    ];
    for event in [Event::manual(), Event::auto()] {
        for wait in waits {
            thread::scope(|s| {
                let sleeper = asleep(s, words_of(&event), || wait(&event, far));
                event.set();
                assert!(sleeper.join().unwrap());
            });
            event.reset();
        }
    }
}

/// Whoever gives up leaves those alone who do not.
#[test]
fn giving_up_takes_nobody_s_turn() {
    let _watchdog = Watchdog::start();
    for event in [Event::manual(), Event::auto()] {
        thread::scope(|s| {
            let patient = asleep(s, words_of(&event), || event.wait());
            assert!(!event.wait_for(Duration::from_millis(2)));
            event.set();
            patient.join().unwrap();
        });
    }
}

/// The work queue of one consumer: resets, looks, and waits if there was nothing.
#[test]
fn reset_and_look_misses_nothing() {
    let _watchdog = Watchdog::start();
    let (event, work, total) = (Event::manual(), AtomicUsize::new(0), 4 * scaled(5_000));
    together(5, |i| {
        if i > 0 {
            for _ in 0..total / 4 {
                work.fetch_add(1, Relaxed);
                event.set();
            }
            return;
        }
        let mut done = 0;
        while done < total {
            event.reset();
            match work.swap(0, Relaxed) {
                0 => event.wait(),
                found => done += found,
            }
        }
    });
}

/// The waiter takes the memory away while the setter is still waking it.
#[test]
fn freed_by_the_waiter() {
    let _watchdog = Watchdog::start();
    for event in [Event::manual, Event::auto] {
        for _ in 0..scaled(300) {
            let page = Page::new(event());
            // SAFETY: taken away below, when the wait that this set ends has returned.
            let setter = thread::spawn(move || unsafe { page.get() }.set());
            // SAFETY: taken away afterwards.
            unsafe { page.get() }.wait();
            page.unmap();
            setter.join().unwrap();
        }
    }
}

#[test]
fn a_panic_while_others_wait_hurts_nobody() {
    let _watchdog = Watchdog::start();
    let event = Arc::new(Event::auto());
    let failed = AtomicBool::new(false);
    thread::scope(|s| {
        let sleeper = asleep(s, words_of(&*event), || event.wait());
        let panics = std::panic::catch_unwind(|| {
            event.reset();
            panic!("on purpose");
        });
        failed.store(panics.is_err(), Relaxed);
        event.set();
        sleeper.join().unwrap();
    });
    assert!(failed.into_inner());
}

#[test]
fn debug_shows_the_state() {
    let event = Event::manual();
    assert_eq!(format!("{event:?}"), "Event { reset: manual, set: false }");
    let event = Event::auto();
    event.set();
    assert_eq!(format!("{event:?}"), "Event { reset: auto, set: true }");
    assert!(event.is_set(), "looked at, not taken");
}
