//! `WaitGroup`: zero lets all go who waited for it, whatever comes after.

use std::sync::Arc;
use std::time::Duration;

use lockwork::WaitGroup;
use lockwork::model::{Explore, thread};

use super::support::{Reused, Watched, beside, let_sleep};

/// A licence to time out at any moment: see the model's notes on time.
const SOON: Duration = Duration::from_secs(1);

/// A waiter sees what each did before it was done, also through what another added.
#[test]
fn two_done() {
    Explore::new("wait group, two done").preemptions(3).at_least(100).run(&[(1, 1)], || {
        let shared = Arc::new((WaitGroup::new(), Watched::new(0), Watched::new(0)));
        shared.0.add(1);
        let first = beside(&shared, |(group, data, other)| {
            group.add(1);
            data.set(1);
            group.done();
            other.set(1);
            group.done();
        });
        shared.0.wait();
        let seen = (shared.1.get(), shared.2.get());
        first.join().unwrap();
        seen
    });
}

#[test]
fn two_threads_done() {
    Explore::new("wait group, two threads").preemptions(2).at_least(100).run(&[(1, 1)], || {
        let shared = Arc::new((WaitGroup::new(), Watched::new(0), Watched::new(0)));
        shared.0.add(2);
        let first = beside(&shared, |(group, data, _)| {
            data.set(1);
            group.done();
        });
        let second = beside(&shared, |(group, _, data)| {
            data.set(1);
            group.done();
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
    Explore::new("wait group, two waiters").preemptions(2).at_least(100).run(&[()], || {
        let group = Arc::new(WaitGroup::new());
        group.add(1);
        let waiters = [(); 2].map(|()| beside(&group, WaitGroup::wait));
        group.done();
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

/// Zero for a moment only: who waited goes on all the same.
#[test]
fn used_again_at_once() {
    Explore::new("wait group, used again").preemptions(3).at_least(20).run(&[()], || {
        loom::stop_exploring();
        let group = Arc::new(WaitGroup::new());
        group.add(1);
        let waiter = beside(&group, WaitGroup::wait);
        let_sleep(1);
        loom::explore();
        group.done();
        group.add(1);
        waiter.join().unwrap();
    });
}

/// The waiter makes something else of the memory as soon as its wait returns.
#[test]
fn reused_by_the_waiter() {
    Explore::new("wait group, memory used again").unbounded().at_least(10).run(&[0], || {
        let place = Reused::new(WaitGroup::new());
        place.get().add(1);
        let working = beside(&place, |place| place.get().done());
        place.get().wait();
        place.make_another(WaitGroup::new());
        working.join().unwrap();
        place.get().count()
    });
}

/// Tokens of two threads.
#[test]
fn tokens() {
    Explore::new("wait group, tokens").preemptions(2).at_least(50).run(&[2], || {
        let group = Arc::new(WaitGroup::new());
        let count = Watched::new(0);
        let (first, second) = (group.token_arc(), group.token_arc());
        let mine = count.clone();
        let thread = thread::spawn(move || {
            mine.add();
            drop(first);
        });
        let waiter = {
            let (group, count) = (group.clone(), count.clone());
            thread::spawn(move || {
                group.wait();
                count.add()
            })
        };
        drop(second);
        thread.join().unwrap();
        waiter.join().unwrap()
    });
}

#[test]
fn timed() {
    Explore::new("wait group, timed").preemptions(3).at_least(50).run(&[false, true], || {
        let group = Arc::new(WaitGroup::new());
        group.add(1);
        let timed = beside(&group, |group| group.wait_for(SOON));
        group.done();
        timed.join().unwrap()
    });
}

#[test]
fn interrupted() {
    Explore::new("wait group, signals").preemptions(3).signals(2).at_least(20).run(&[()], || {
        let group = Arc::new(WaitGroup::new());
        group.add(1);
        let waiter = beside(&group, WaitGroup::wait);
        group.add(1);
        group.done();
        group.done();
        waiter.join().unwrap();
    });
}

/// One too many is refused, whoever else comes and goes meanwhile, and changes nothing.
#[test]
fn one_too_many() {
    Explore::new("wait group, one too many").unbounded().at_least(2).run(&[u32::MAX], || {
        let group = Arc::new(WaitGroup::new());
        group.add(u32::MAX - 1);
        let other = beside(&group, |group| group.try_add(1).is_ok());
        let mine = group.try_add(1).is_ok();
        assert!(mine != other.join().unwrap());
        group.count()
    });
}
