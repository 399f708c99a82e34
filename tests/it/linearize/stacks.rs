//! `ArrayStack` and `TaggedStack`, with batches.
//!
//! 20,000 histories each, `LOCKWORK_STRESS` times.

use lockwork::stack::{ArrayStack, TaggedStack};

use super::{Event, Histories, Stack, Subject, Worker};
use crate::support::scaled;

struct Array<const CAPACITY: usize>(ArrayStack<u32>);

impl<const CAPACITY: usize> Subject for Array<CAPACITY> {
    type Spec = Stack;

    fn spec() -> Stack {
        Stack::bounded_with_calls(CAPACITY)
    }

    fn new() -> Self {
        Self(ArrayStack::new(CAPACITY))
    }

    fn act(&self, worker: &mut Worker<'_, Event>) {
        match worker.rng.below(16) {
            0..6 => {
                let value = worker.value();
                worker.record(|| match self.0.push(value) {
                    Ok(()) => Event::Push(value),
                    Err(_) => Event::Full { wanted: 1 },
                });
            }
            6..8 => {
                let count = 2 + worker.rng.below(2) as usize;
                let values = worker.values(count);
                worker.record_all(|| match self.0.push_many(values.iter().copied()) {
                    Ok(()) => vec![Event::PushMany(values)],
                    Err(refused) => {
                        let accepted = values.len() - refused.into_iter().count();
                        let full = Event::Full { wanted: accepted + 1 };
                        vec![full, Event::PushMany(values[..accepted].to_vec())]
                    }
                });
            }
            8 => worker.record(|| Event::PopAll(self.0.pop_all().collect())),
            9 => worker.record(|| Event::IsEmpty(self.0.is_empty())),
            _ => _ = self.pop(worker),
        }
    }

    fn pop(&self, worker: &mut Worker<'_, Event>) -> bool {
        worker.record(|| self.0.pop().map_or(Event::Empty, Event::Pop));
        worker.last() != Some(&Event::Empty)
    }
}

struct Tagged(TaggedStack<u32>);

impl Subject for Tagged {
    type Spec = Stack;

    fn spec() -> Stack {
        Stack::unbounded()
    }

    fn new() -> Self {
        Self(TaggedStack::new())
    }

    fn act(&self, worker: &mut Worker<'_, Event>) {
        match worker.rng.below(16) {
            0..6 => {
                let value = worker.value();
                worker.record(|| {
                    self.0.push(value);
                    Event::Push(value)
                });
            }
            6..8 => {
                let values = worker.values(2);
                worker.record(|| {
                    self.0.push_many(values.iter().copied());
                    Event::PushMany(values)
                });
            }
            8 => worker.record(|| Event::PopAll(self.0.pop_all().collect())),
            9 => worker.record(|| Event::IsEmpty(self.0.is_empty())),
            _ => _ = self.pop(worker),
        }
    }

    fn pop(&self, worker: &mut Worker<'_, Event>) -> bool {
        worker.record(|| self.0.pop().map_or(Event::Empty, Event::Pop));
        worker.last() != Some(&Event::Empty)
    }
}

#[test]
fn array_of_one() {
    Histories::of(scaled(4_000)).threads(2).calls(6).accept::<Array<1>>();
}

#[test]
fn array_of_three() {
    Histories::of(scaled(8_000)).calls(6).accept::<Array<3>>();
}

#[test]
fn array_of_eight() {
    Histories::of(scaled(8_000)).threads(4).calls(4).accept::<Array<8>>();
}

#[test]
fn tagged() {
    Histories::of(scaled(12_000)).calls(6).accept::<Tagged>();
}

#[test]
fn tagged_four_threads() {
    Histories::of(scaled(8_000)).threads(4).calls(4).accept::<Tagged>();
}
