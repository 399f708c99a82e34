//! `Event`: who is let go by a set, by how many calls, and what he sees.

use std::sync::Arc;
use std::time::Duration;

use lockwork::Event;
use lockwork::model::Ordering::Relaxed;
use lockwork::model::{AtomicU32, Explore, futex_calls};

use super::support::{Watched, beside, let_sleep};

/// A licence to time out at any moment: see the model's notes on time.
const SOON: Duration = Duration::from_secs(1);

/// The waiter sees what came before the set, whether it slept or not.
fn hand_over(event: fn() -> Event) -> impl Fn() -> u32 {
    move || {
        let shared = Arc::new((event(), Watched::new(0)));
        let setter = beside(&shared, |(event, data)| {
            data.set(1);
            event.set();
        });
        shared.0.wait();
        let seen = shared.1.get();
        setter.join().unwrap();
        seen
    }
}

#[test]
fn manual() {
    Explore::new("event, manual").preemptions(3).at_least(20).run(&[1], hand_over(Event::manual));
}

#[test]
fn auto() {
    Explore::new("event, auto").unbounded().at_least(20).run(&[1], hand_over(Event::auto));
}

/// The wake-up duty: one call lets all go.
#[test]
fn manual_two_waiters() {
    Explore::new("event, two waiters").preemptions(2).at_least(100).run(&[()], || {
        let event = Arc::new(Event::manual());
        let waiters = [(); 2].map(|()| beside(&event, Event::wait));
        event.set();
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

/// A set that is undone at once lets everybody go who waited for it.
#[test]
fn manual_pulse() {
    Explore::new("event, set and reset").preemptions(3).at_least(20).run(&[()], || {
        loom::stop_exploring();
        let event = Arc::new(Event::manual());
        let waiter = beside(&event, Event::wait);
        let_sleep(1);
        loom::explore();
        event.set();
        assert!(event.reset());
        waiter.join().unwrap();
    });
}

/// Resets, then looks for work, then waits: the work of a set that was undone is not missed.
#[test]
fn manual_reset_and_look() {
    Explore::new("event, reset and look").preemptions(3).at_least(50).run(&[1], || {
        let shared = Arc::new((Event::manual(), AtomicU32::new(0)));
        let worker = beside(&shared, |(event, work)| {
            loop {
                event.reset();
                match work.load(Relaxed) {
                    0 => event.wait(),
                    found => break found,
                }
            }
        });
        shared.1.store(1, Relaxed);
        shared.0.set();
        worker.join().unwrap()
    });
}

/// Two sets, of which the second may come before the first is taken: then they are one. None is
/// lost, and none is taken twice.
#[test]
fn auto_two_sets() {
    Explore::new("event, auto, two sets").preemptions(3).at_least(50).run(&[1, 2], || {
        let event = Arc::new(Event::auto());
        let waiter = beside(&event, Event::wait);
        event.set();
        event.set();
        waiter.join().unwrap();
        1 + u32::from(event.try_wait()) + u32::from(event.try_wait())
    });
}

/// One at a time is let go, by the one before, and none is left asleep: each set wakes one.
#[test]
fn auto_two_waiters() {
    Explore::new("event, auto, two waiters").preemptions(2).at_least(50).run(&[(1, 2)], || {
        loom::stop_exploring();
        let shared = Arc::new((Event::auto(), Watched::new(0)));
        let pass = |(event, count): &(Event, Watched)| {
            event.wait();
            count.add();
            event.set();
        };
        let first = beside(&shared, pass);
        let_sleep(1);
        let second = beside(&shared, pass);
        loom::explore();
        shared.0.set();
        first.join().unwrap();
        second.join().unwrap();
        // Set by the last of them, and nobody waits.
        (u32::from(shared.0.try_wait()) + u32::from(shared.0.try_wait()), shared.1.get())
    });
}

/// Whoever gives up neither takes a set along nor the wake-up of another.
#[test]
fn auto_timed() {
    Explore::new("event, auto, timed").preemptions(2).at_least(200).run(
        &[(false, 0), (true, 1)],
        || {
            let event = Arc::new(Event::auto());
            let timed = beside(&event, |event| event.wait_for(SOON));
            let patient = beside(&event, Event::wait);
            event.set();
            let in_time = timed.join().unwrap();
            let mut more = 0;
            if in_time {
                event.set();
                more += 1;
            }
            patient.join().unwrap();
            assert!(!event.is_set());
            (in_time, more)
        },
    );
}

#[test]
fn manual_timed() {
    Explore::new("event, manual, timed").preemptions(2).at_least(100).run(&[false, true], || {
        let event = Arc::new(Event::manual());
        let timed = beside(&event, |event| event.wait_for(SOON));
        let patient = beside(&event, Event::wait);
        event.set();
        patient.join().unwrap();
        timed.join().unwrap()
    });
}

#[test]
fn interrupted() {
    for event in [Event::manual, Event::auto] {
        let name = "event, signals";
        Explore::new(name).preemptions(2).signals(2).at_least(20).run(&[1], hand_over(event));
    }
}

/// Without a waiter, and after one that has left, no call.
#[test]
fn set_without_a_waiter_is_free() {
    Explore::new("event, nobody waits").unbounded().run(&[0], || {
        for event in [Event::manual(), Event::auto()] {
            event.set();
            event.set();
            event.wait();
            event.reset();
            event.set();
        }
        futex_calls()
    });
}
