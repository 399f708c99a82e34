//! `SegQueue`: its "empty" is true, whatever else is under way.
//!
//! A history begins at one of several places of a segment, so that many cross the end of one.
//! 50,000 histories, `LOCKWORK_STRESS` times.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lockwork::queue::SegQueue;

use super::{Event, Fifo, Histories, Subject, Worker};
use crate::support::scaled;

struct Queue(SegQueue<u32>);

impl Subject for Queue {
    type Spec = Fifo;

    fn spec() -> Fifo {
        Fifo::unbounded()
    }

    fn new() -> Self {
        let queue = SegQueue::new();
        // Half of them at most six places before the end of the first segment.
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let places = SegQueue::<u32>::places_per_segment();
        let offset = MADE.fetch_add(1, Relaxed) % 13;
        if offset < 7 {
            for i in 0..places - offset {
                queue.push(i as u32);
                queue.pop();
            }
        }
        Self(queue)
    }

    fn act(&self, worker: &mut Worker<'_, Event>) {
        match worker.rng.below(16) {
            0..7 => {
                let value = worker.value();
                worker.record(|| {
                    self.0.push(value);
                    Event::Push(value)
                });
            }
            7..14 => _ = self.pop(worker),
            14 => {
                let values = [worker.value(), worker.value()];
                let batch = || {
                    self.0.push_many(&mut values.to_vec());
                    values.map(Event::Push)
                };
                worker.record_all(batch);
            }
            _ => worker.record_all(|| {
                let mut batch = Vec::with_capacity(4);
                self.0.pop_many(&mut batch, 2);
                let short = batch.len() < 2;
                let popped = batch.into_iter().map(Event::Pop);
                popped.chain(short.then_some(Event::Empty)).collect::<Vec<_>>()
            }),
        }
    }

    fn pop(&self, worker: &mut Worker<'_, Event>) -> bool {
        worker.record(|| self.0.pop().map_or(Event::Empty, Event::Pop));
        worker.last() != Some(&Event::Empty)
    }
}

#[test]
fn two_threads() {
    Histories::of(scaled(40_000)).threads(2).calls(5).accept::<Queue>();
}

#[test]
fn three_threads() {
    Histories::of(scaled(7_000)).accept::<Queue>();
}

#[test]
fn four_threads() {
    Histories::of(scaled(3_000)).threads(4).calls(3).accept::<Queue>();
}
