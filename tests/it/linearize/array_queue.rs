//! `ArrayQueue`: its "full" and "empty" are true, whatever else is under way.
//!
//! 20,000 histories, `LOCKWORK_STRESS` times.

use lockwork::queue::ArrayQueue;

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
