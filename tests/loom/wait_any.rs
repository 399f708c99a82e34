//! `wait_any`: what comes first is taken, with what came before it; nothing else is, and whoever
//! waits for that is woken.

use std::sync::Arc;
use std::time::Duration;

use lockwork::model::{Explore, futex_calls};
use lockwork::{Event, Latch, Semaphore, Taken, TakenKind, WaitGroup, wait_any, wait_any_for};

use super::support::{Watched, beside, let_sleep};

/// A licence to time out at any moment: see the model's notes on time.
const SOON: Duration = Duration::from_secs(1);

/// On kernels that can sleep on several words, and on those that cannot, where polls make for more
/// schedules.
fn on_both_kernels(name: &'static str, preemptions: usize, run: impl Fn(Explore)) {
    run(Explore::new(name).preemptions(preemptions));
    run(Explore::new(name).preemptions(preemptions - 1).one_word());
}

/// Which one was taken. A permit is kept for good, as a token would be.
fn index(taken: Taken<'_>) -> usize {
    if let TakenKind::Permit(permit) = taken.kind {
        permit.forget();
    }
    taken.index
}

/// Two automatic events. Which is first in the list is up to who waits.
#[derive(Default)]
struct Pair([Auto; 2]);

struct Auto(Event);

impl Default for Auto {
    fn default() -> Self {
        Self(Event::auto())
    }
}

impl Pair {
    fn wait(&self) -> usize {
        let [Auto(first), Auto(second)] = &self.0;
        index(wait_any(&[first, second]))
    }

    /// In the other order, with the same answers.
    fn wait_turned(&self) -> usize {
        let [Auto(first), Auto(second)] = &self.0;
        1 - index(wait_any(&[second, first]))
    }

    fn wait_briefly(&self) -> Option<usize> {
        let [Auto(first), Auto(second)] = &self.0;
        wait_any_for(&[first, second], SOON).map(index)
    }

    fn set(&self, which: usize) {
        self.0[which].0.set();
    }

    fn wait_for(&self, which: usize) {
        self.0[which].0.wait();
    }

    /// How many are set, in which case they are not any more.
    fn left(&self) -> usize {
        self.0.iter().filter(|event| event.0.reset()).count()
    }
}

/// Whichever comes, and however late the thread sleeps: what was written before is seen.
#[test]
fn hand_over() {
    on_both_kernels("wait_any, hand-over", 3, |explore| {
        explore.at_least(20).run(&[(1, 5)], || {
            let shared = Arc::new((Event::manual(), Semaphore::new(0), Watched::new(0)));
            let other = beside(&shared, |(_, semaphore, data)| {
                data.set(5);
                semaphore.release(1).unwrap();
            });
            let which = index(wait_any(&[&shared.0, &shared.1]));
            let seen = shared.2.get();
            other.join().unwrap();
            (which, seen)
        });
    });
}

/// Both come at once: one is taken by each wait, and each once.
#[test]
fn two_at_once() {
    on_both_kernels("wait_any, two at once", 3, |explore| {
        explore.at_least(50).run(&[(0, 1, 0), (1, 0, 0)], || {
            let pair = Arc::new(Pair::default());
            let setter = beside(&pair, |pair| {
                pair.set(1);
                pair.set(0);
            });
            let (first, second) = (pair.wait(), pair.wait());
            setter.join().unwrap();
            (first, second, pair.left())
        });
    });
}

/// One is taken, and the other left as it is.
#[test]
fn takes_one() {
    on_both_kernels("wait_any, takes one", 3, |explore| {
        explore.at_least(50).run(&[(0, 1), (1, 1)], || {
            let pair = Arc::new(Pair::default());
            let setter = beside(&pair, |pair| {
                pair.set(1);
                pair.set(0);
            });
            let first = pair.wait();
            setter.join().unwrap();
            (first, pair.left())
        });
    });
}

/// Woken for two things, it takes one, and the wake-up for the other goes to who waits for that.
#[test]
fn passes_on_the_wake_of_an_event() {
    on_both_kernels("wait_any, passes on", 2, |explore| {
        explore.at_least(20).run(&[(0, 0)], || {
            loom::stop_exploring();
            let pair = Arc::new(Pair::default());
            let any = beside(&pair, Pair::wait);
            let_sleep(1);
            let other = beside(&pair, |pair| pair.wait_for(1));
            let_sleep(2);
            loom::explore();
            pair.set(0);
            pair.set(1);
            let first = any.join().unwrap();
            other.join().unwrap();
            (first, pair.left())
        });
    });
}

#[test]
fn passes_on_the_wake_of_a_semaphore() {
    on_both_kernels("wait_any, passes a permit on", 2, |explore| {
        explore.at_least(20).run(&[(0, 0)], || {
            loom::stop_exploring();
            let shared = Arc::new((Latch::new(1), Semaphore::new(0)));
            let any = beside(&shared, |(latch, semaphore)| index(wait_any(&[latch, semaphore])));
            let_sleep(1);
            let other = beside(&shared, |(_, permits)| permits.acquire().unwrap().forget());
            let_sleep(2);
            loom::explore();
            shared.0.count_down(1);
            shared.1.release(1).unwrap();
            let first = any.join().unwrap();
            other.join().unwrap();
            (first, shared.1.available())
        });
    });
}

/// Two who wait for the same two things, each in its own order: each gets one.
#[test]
fn two_who_wait_for_both() {
    on_both_kernels("wait_any, two for two", 2, |explore| {
        explore.at_least(50).run(&[(0, 1), (1, 0)], || {
            loom::stop_exploring();
            let pair = Arc::new(Pair::default());
            let one = beside(&pair, Pair::wait);
            let_sleep(1);
            let other = beside(&pair, Pair::wait_turned);
            let_sleep(2);
            loom::explore();
            pair.set(1);
            pair.set(0);
            (one.join().unwrap(), other.join().unwrap())
        });
    });
}

/// The same semaphore twice: the thread may be woken for two permits, and takes one.
#[test]
fn one_thing_twice() {
    on_both_kernels("wait_any, the same twice", 2, |explore| {
        explore.at_least(20).run(&[0], || {
            loom::stop_exploring();
            let semaphore = Arc::new(Semaphore::new(0));
            let any = beside(&semaphore, |twice| index(wait_any(&[twice, twice])));
            let_sleep(1);
            let other = beside(&semaphore, |permits| permits.acquire().unwrap().forget());
            let_sleep(2);
            loom::explore();
            semaphore.release(2).unwrap();
            any.join().unwrap();
            other.join().unwrap();
            semaphore.available()
        });
    });
}

/// The deadline against the second thing: it is taken or left, and nobody stays announced.
#[test]
fn timed() {
    on_both_kernels("wait_any, timed", 3, |explore| {
        explore.at_least(50).run(&[(None, 1, 0), (Some(1), 0, 0)], || {
            let pair = Arc::new(Pair::default());
            let setter = beside(&pair, |pair| pair.set(1));
            let taken = pair.wait_briefly();
            setter.join().unwrap();
            let left = pair.left();
            let calls = futex_calls();
            pair.set(0);
            pair.set(1);
            (taken, left, futex_calls() - calls)
        });
    });
}

/// Whoever gives up takes no wake-up along that was meant for another.
#[test]
fn timed_beside_a_patient_one() {
    on_both_kernels("wait_any, timed and not timed", 2, |explore| {
        explore.at_least(50).run(&[None, Some(1)], || {
            loom::stop_exploring();
            let pair = Arc::new(Pair::default());
            loom::explore();
            let timed = beside(&pair, Pair::wait_briefly);
            let patient = beside(&pair, |pair| pair.wait_for(1));
            pair.set(1);
            let taken = timed.join().unwrap();
            if taken.is_some() {
                pair.set(1);
            }
            patient.join().unwrap();
            assert_eq!(pair.left(), 0);
            taken
        });
    });
}

/// Two things at once, against the deadline, beside one who waits for the second.
#[test]
fn timed_and_two_at_once() {
    on_both_kernels("wait_any, timed, two at once", 2, |explore| {
        explore.at_least(50).run(&[(None, 1), (Some(0), 0), (Some(1), 1)], || {
            loom::stop_exploring();
            let pair = Arc::new(Pair::default());
            let other = beside(&pair, |pair| pair.wait_for(1));
            let_sleep(1);
            loom::explore();
            let timed = beside(&pair, Pair::wait_briefly);
            pair.set(0);
            pair.set(1);
            let taken = timed.join().unwrap();
            if taken == Some(1) {
                pair.set(1);
            }
            other.join().unwrap();
            (taken, pair.left())
        });
    });
}

/// Signals end no wait, and lose nothing, whether the kernel begins it again or not.
#[test]
fn interrupted() {
    on_both_kernels("wait_any, signals", 2, |explore| {
        explore.signals(1).at_least(20).run(&[(0, 1), (1, 0)], || {
            let pair = Arc::new(Pair::default());
            let setter = beside(&pair, |pair| {
                pair.set(1);
                pair.set(0);
            });
            let taken = (pair.wait(), pair.wait());
            setter.join().unwrap();
            taken
        });
    });
}

/// A set that is undone at once, and a group that comes to zero and goes up again, have come.
#[test]
fn what_has_passed_has_come() {
    on_both_kernels("wait_any, what has passed", 2, |explore| {
        explore.at_least(20).run(&[0, 1], || {
            loom::stop_exploring();
            let shared = Arc::new((Event::manual(), WaitGroup::new()));
            shared.1.add(1);
            let any = beside(&shared, |(event, group)| index(wait_any(&[event, group])));
            let_sleep(1);
            loom::explore();
            shared.1.done();
            shared.1.add(1);
            shared.0.set();
            shared.0.reset();
            any.join().unwrap()
        });
    });
}

/// The end of a semaphore is an answer, and no permit.
#[test]
fn closed() {
    on_both_kernels("wait_any, closed", 3, |explore| {
        explore.at_least(20).run(&[(1, true)], || {
            let shared = Arc::new((Event::auto(), Semaphore::new(0)));
            let closer = beside(&shared, |(_, semaphore)| semaphore.close());
            let taken = wait_any(&[&shared.0, &shared.1]);
            let answer = (taken.index, matches!(taken.kind, TakenKind::Closed));
            closer.join().unwrap();
            answer
        });
    });
}

/// What is there already is taken without a call.
#[test]
fn what_is_there_is_free() {
    Explore::new("wait_any, at once").unbounded().run(&[(1, 0, 0)], || {
        let (event, semaphore) = (Event::manual(), Semaphore::new(1));
        let which = index(wait_any(&[&event, &semaphore]));
        (which, semaphore.available(), futex_calls())
    });
}
