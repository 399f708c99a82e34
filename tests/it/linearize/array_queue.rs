//! `ArrayQueue`: its "full" and "empty" are true, whatever else is under way.
//!
//! 40,000 histories, `LOCKWORK_STRESS` times.

use lockwork::queue::{ArrayQueue, TryPopError, TryPushError};

use super::{Event, Fifo, Histories, Subject, Worker};
use crate::support::scaled;

struct Queue<const CAPACITY: usize>(ArrayQueue<u32>);

impl<const CAPACITY: usize> Subject for Queue<CAPACITY> {
    type Spec = Fifo;

    fn spec() -> Fifo {
        Fifo::bounded(CAPACITY)
    }

    fn new() -> Self {
        Self(ArrayQueue::new(CAPACITY))
    }

    fn act(&self, worker: &mut Worker<'_, Event>) {
        match worker.rng.below(16) {
            0..7 => {
                let value = worker.value();
                worker.record(|| match self.0.push(value) {
                    Ok(()) => Event::Push(value),
                    Err(_) => Event::Full { wanted: 1 },
                });
            }
            7..14 => _ = self.pop(worker),
            14 if worker.rng.one_in(2) => worker.record(|| Event::Len(self.0.len())),
            14 => worker.record(|| Event::IsEmpty(self.0.is_empty())),
            _ => worker.record(|| Event::IsFull(self.0.is_full())),
        }
    }

    fn pop(&self, worker: &mut Worker<'_, Event>) -> bool {
        worker.record(|| self.0.pop().map_or(Event::Empty, Event::Pop));
        worker.last() != Some(&Event::Empty)
    }
}

#[test]
fn one_place() {
    Histories::of(scaled(8_000)).threads(2).calls(5).accept::<Queue<1>>();
}

#[test]
fn two_places() {
    Histories::of(scaled(8_000)).accept::<Queue<2>>();
}

#[test]
fn three_places() {
    Histories::of(scaled(4_000)).threads(4).calls(3).accept::<Queue<3>>();
}

/// Every form of push and pop. A batch is its values, one after the other, and if it ends early
/// the answer that ended it; each run of it is one step, but how long those are is not said.
struct Forms<const CAPACITY: usize>(ArrayQueue<u32>);

impl<const CAPACITY: usize> Subject for Forms<CAPACITY> {
    type Spec = Fifo;

    fn spec() -> Fifo {
        Fifo::bounded(CAPACITY)
    }

    fn new() -> Self {
        Self(ArrayQueue::new(CAPACITY))
    }

    fn act(&self, worker: &mut Worker<'_, Event>) {
        let value = worker.value();
        match worker.rng.below(8) {
            0 => worker.record(|| match self.0.push(value) {
                Ok(()) => Event::Push(value),
                Err(_) => Event::Full { wanted: 1 },
            }),
            1 => worker.record(|| match self.0.try_push(value) {
                Ok(()) => Event::Push(value),
                Err(TryPushError::Full(_)) => Event::Full { wanted: 1 },
                Err(TryPushError::Busy(_)) => Event::Busy,
            }),
            2 => worker.record(|| match self.0.force_push(value) {
                None => Event::Push(value),
                Some(old) => Event::Displace(value, old),
            }),
            3 => {
                let values = worker.values(3);
                worker.record_all(|| {
                    let pushed = self.0.push_many(&mut values.clone());
                    let full = (pushed < values.len()).then_some(Event::Full { wanted: 1 });
                    values.into_iter().take(pushed).map(Event::Push).chain(full)
                });
            }
            4 => worker.record(|| match self.0.try_pop() {
                Ok(value) => Event::Pop(value),
                Err(TryPopError::Empty) => Event::Empty,
                Err(TryPopError::Busy) => Event::Busy,
            }),
            5 => worker.record_all(|| {
                let mut values = Vec::new();
                let empty = (self.0.pop_many(&mut values, 3) < 3).then_some(Event::Empty);
                values.into_iter().map(Event::Pop).chain(empty)
            }),
            _ => _ = self.pop(worker),
        }
    }

    fn pop(&self, worker: &mut Worker<'_, Event>) -> bool {
        worker.record(|| self.0.pop().map_or(Event::Empty, Event::Pop));
        worker.last() != Some(&Event::Empty)
    }
}

#[test]
fn every_form_one_place() {
    Histories::of(scaled(8_000)).threads(2).calls(5).accept::<Forms<1>>();
}

#[test]
fn every_form_two_places() {
    Histories::of(scaled(8_000)).accept::<Forms<2>>();
}

#[test]
fn every_form_five_places() {
    Histories::of(scaled(4_000)).threads(4).calls(3).accept::<Forms<5>>();
}
