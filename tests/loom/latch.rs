//! `Latch`: the last step lets all go, and is the last that anybody does to it.

use std::sync::Arc;
use std::time::Duration;

use lockwork::Latch;
use lockwork::model::Explore;

use super::support::{Reused, Watched, beside};

/// A licence to time out at any moment: see the model's notes on time.
const SOON: Duration = Duration::from_secs(1);

/// A waiter sees what came before every step, also the first.
#[test]
fn two_steps() {
    Explore::new("latch, two steps").preemptions(2).at_least(100).run(&[(1, 1)], || {
        let shared = Arc::new((Latch::new(2), Watched::new(0), Watched::new(0)));
        let first = beside(&shared, |(latch, data, _)| {
            data.set(1);
            latch.count_down(1);
        });
        let second = beside(&shared, |(latch, _, data)| {
            data.set(1);
            latch.count_down(1);
        });
        shared.0.wait();
        let seen = (shared.1.get(), shared.2.get());
        first.join().unwrap();
        second.join().unwrap();
        seen
    });
}

/// The wake-up duty: all are woken.
#[test]
fn two_waiters() {
    Explore::new("latch, two waiters").preemptions(2).at_least(100).run(&[()], || {
        let latch = Arc::new(Latch::new(1));
        let waiters = [(); 2].map(|()| beside(&latch, Latch::wait));
        latch.count_down(1);
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

/// The waiter makes something else of the memory as soon as its wait returns.
#[test]
fn reused_by_the_waiter() {
    Explore::new("latch, used again").unbounded().at_least(10).run(&[1], || {
        let place = Reused::new(Latch::new(1));
        let stepping = beside(&place, |place| place.get().count_down(1));
        place.get().wait();
        place.make_another(Latch::new(1));
        stepping.join().unwrap();
        place.get().count()
    });
}

#[test]
fn timed() {
    Explore::new("latch, timed").preemptions(3).at_least(50).run(&[false, true], || {
        let latch = Arc::new(Latch::new(1));
        let timed = beside(&latch, |latch| latch.wait_for(SOON));
        latch.count_down(1);
        timed.join().unwrap()
    });
}

#[test]
fn interrupted() {
    Explore::new("latch, signals").preemptions(3).signals(2).at_least(20).run(&[()], || {
        let latch = Arc::new(Latch::new(2));
        let waiter = beside(&latch, Latch::wait);
        latch.count_down(1);
        latch.arrive_and_wait();
        waiter.join().unwrap();
    });
}

/// A step too many is refused, whoever else steps meanwhile, and changes nothing.
#[test]
fn a_step_too_many() {
    Explore::new("latch, a step too many").unbounded().at_least(2).run(&[1], || {
        let latch = Arc::new(Latch::new(3));
        let other = beside(&latch, |latch| latch.try_count_down(2).is_ok());
        let mine = latch.try_count_down(2).is_ok();
        assert!(mine != other.join().unwrap());
        latch.count()
    });
}
