//! `ArrayQueue` and the ends of `spsc::ring` against a `VecDeque`, on one thread.
//!
//! This file knows nothing of the fuzzing engine. It is included by both fuzz targets and by
//! `tests/it/replay_queues.rs`, so that `cargo test` replays their corpora on any toolchain.
//!
//! # Input
//!
//! ```text
//! byte 0     capacity, see `CAPACITIES`
//! each next  one operation (low four bits), with a number from zero to fifteen (high four bits)
//! ```
//!
//! # What is compared
//!
//! After every operation: its answer, every gauge, and the number of values that are alive, which
//! shows a leak or a second drop at the operation that caused it.
#![allow(dead_code, reason = "each target uses one of the two")]

use std::collections::VecDeque;
use std::rc::Rc;

use lockwork::queue::spsc::{self, ChunkError};
use lockwork::queue::{Ahead, ArrayQueue, TryPopError, TryPushError};

const CAPACITIES: [usize; 8] = [1, 2, 3, 4, 5, 8, 17, 64];

/// Longer inputs reach nothing that shorter ones do not.
const MAX_OPERATIONS: usize = 1024;

/// A value, and a share in the count of those alive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Value(u32, Rc<()>);

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// What a queue must hold, and what comes next.
struct Model {
    values: VecDeque<u32>,
    capacity: usize,
    alive: Rc<()>,
    next: u32,
}

impl Model {
    fn new(capacity: usize) -> Self {
        Self { values: VecDeque::new(), capacity, alive: Rc::default(), next: 0 }
    }

    fn value(&mut self) -> Value {
        self.next += 1;
        Value(self.next, self.alive.clone())
    }

    fn batch(&mut self, count: usize) -> Vec<Value> {
        (0..count).map(|_| self.value()).collect()
    }

    fn room(&self) -> usize {
        self.capacity - self.values.len()
    }

    /// A push of these was accepted.
    fn pushed(&mut self, values: impl IntoIterator<Item = u32>) {
        self.values.extend(values);
        assert!(self.values.len() <= self.capacity, "more values than places");
    }

    /// These came out.
    fn popped<'a>(&mut self, values: impl IntoIterator<Item = &'a Value>) {
        for value in values {
            assert_eq!(self.values.pop_front(), Some(value.0), "another value");
        }
    }

    /// As many values are alive as there are in the queue.
    fn check(&self, when: &str) {
        assert_eq!(Rc::strong_count(&self.alive) - 1, self.values.len(), "{when}: values alive");
    }
}

fn operations(data: &[u8]) -> Option<(usize, impl Iterator<Item = (u8, usize)> + '_)> {
    let (&first, rest) = data.split_first()?;
    let operations = rest.iter().map(|byte| (byte & 15, usize::from(byte >> 4)));
    Some((CAPACITIES[usize::from(first) % CAPACITIES.len()], operations.take(MAX_OPERATIONS)))
}

/// Runs one input against `ArrayQueue`.
///
/// # Panics
///
/// If the queue differs from the model.
pub(crate) fn array_queue(data: &[u8]) {
    let Some((capacity, operations)) = operations(data) else { return };
    let (mut queue, mut model) = (ArrayQueue::new(capacity), Model::new(capacity));
    for (operation, n) in operations {
        let (id, room) = (model.next + 1, model.room());
        match operation {
            0..=2 => {
                let value = model.value();
                let answer = match operation {
                    0 => queue.push(value),
                    1 => queue.push_mut(value),
                    _ => queue.try_push(value).map_err(|refused| {
                        assert!(matches!(refused, TryPushError::Full(_)));
                        refused.into_inner()
                    }),
                };
                match answer {
                    Ok(()) => model.pushed([id]),
                    Err(back) => assert_eq!((back.0, room), (id, 0)),
                }
            }
            3 => {
                let displaced = queue.force_push(model.value());
                assert_eq!(displaced.is_some(), room == 0);
                model.popped(&displaced);
                model.pushed([id]);
            }
            4..=6 => {
                let batch = model.batch(n);
                let (pushed, left) = match operation {
                    4 => {
                        let mut batch = batch;
                        (queue.push_many(&mut batch), batch)
                    }
                    5 => {
                        let mut batch = VecDeque::from(batch);
                        (queue.push_many(&mut batch.drain(..)), Vec::new())
                    }
                    _ => {
                        let mut batch = Ahead::new(batch);
                        (queue.push_many(&mut batch), batch.collect())
                    }
                };
                assert_eq!(pushed, n.min(room));
                if operation != 5 {
                    assert!(left.iter().map(|value| value.0).eq((id..).take(n).skip(pushed)));
                }
                model.pushed((id..).take(pushed));
            }
            7..=9 => {
                let popped = match operation {
                    7 => queue.pop(),
                    8 => queue.pop_mut(),
                    _ => queue.try_pop().inspect_err(|&e| assert_eq!(e, TryPopError::Empty)).ok(),
                };
                assert_eq!(popped.is_some(), !model.values.is_empty());
                model.popped(&popped);
            }
            10 | 11 => {
                let mut into = Vec::new();
                let expected = n.min(model.values.len());
                let popped = if operation == 10 {
                    queue.pop_many(&mut into, n)
                } else {
                    into.extend(queue.try_iter().take(n));
                    into.len()
                };
                assert_eq!((popped, into.len()), (expected, expected));
                model.popped(&into);
            }
            12 => {
                let some: Vec<Value> = queue.drain().take(n).collect();
                model.popped(&some);
                model.values.clear();
            }
            13 => {
                let some: Vec<Value> = queue.into_iter().take(n).collect();
                model.popped(&some);
                model.values.clear();
                queue = ArrayQueue::new(capacity);
            }
            _ => assert!(format!("{queue:?}").contains(&format!("len: {}", model.values.len()))),
        }
        assert_eq!(queue.len(), model.values.len());
        assert_eq!(queue.is_empty(), model.values.is_empty());
        assert_eq!((queue.is_full(), queue.capacity()), (model.room() == 0, capacity));
        // `into_inner` of what was refused is gone by now.
        model.check("queue");
    }
    drop(queue);
    model.values.clear();
    model.check("dropped");
}

/// Runs one input against the two ends of a ring.
///
/// # Panics
///
/// If the ring differs from the model.
pub(crate) fn ends(data: &[u8]) {
    let Some((capacity, operations)) = operations(data) else { return };
    let (mut producer, mut consumer) = spsc::ring(capacity);
    let mut model = Model::new(capacity);
    for (operation, n) in operations {
        let (room, len) = (model.room(), model.values.len());
        let few = |refused: ChunkError, there| assert_eq!(refused, ChunkError::TooFewSlots(there));
        match operation {
            0 | 1 => {
                let value = model.value();
                let id = value.0;
                match producer.push(value) {
                    Ok(()) => model.pushed([id]),
                    Err(back) => assert_eq!((back.0, room), (id, 0)),
                }
            }
            2 | 3 => {
                let first = model.next + 1;
                let mut batch = model.batch(n);
                let pushed = if operation == 2 {
                    producer.push_many(&mut batch)
                } else {
                    producer.push_many(&mut Ahead::new(batch.drain(..)))
                };
                assert_eq!(pushed, n.min(room));
                model.pushed((first..).take(pushed));
            }
            4 | 5 => match producer.write_chunk_uninit(n) {
                Ok(chunk) => {
                    assert_eq!(chunk.len(), n);
                    let first = model.next + 1;
                    let some = if operation == 4 { n } else { n / 2 };
                    assert_eq!(chunk.fill_from_iter(model.batch(some)), some);
                    model.pushed((first..).take(some));
                }
                Err(refused) => few(refused, room),
            },
            6 | 7 => match producer.write_chunk(n) {
                Ok(mut chunk) => {
                    let first = model.next + 1;
                    let (one, two) = chunk.as_mut_slices();
                    for place in one.iter_mut().chain(two) {
                        *place = model.value();
                    }
                    let some = if operation == 6 { n } else { n / 3 };
                    chunk.commit(some);
                    model.pushed((first..).take(some));
                }
                Err(refused) => few(refused, room),
            },
            8 | 9 => {
                let popped = consumer.pop();
                assert_eq!(popped.is_some(), len > 0);
                model.popped(&popped);
            }
            10 => {
                let mut into = Vec::new();
                assert_eq!(consumer.pop_many(&mut into, n), n.min(len));
                model.popped(&into);
            }
            11..=13 => match consumer.read_chunk(n) {
                Ok(mut chunk) => {
                    assert_eq!(chunk.len(), n);
                    let (one, two) = chunk.as_slices();
                    assert!(one.iter().chain(two).map(|v| &v.0).eq(model.values.iter().take(n)));
                    match operation {
                        11 => {
                            chunk.commit(n / 2);
                            model.values.drain(..n / 2);
                        }
                        12 => {
                            let (one, two) = chunk.as_mut_slices();
                            for value in one.iter_mut().chain(two) {
                                value.0 += 1000;
                            }
                            model.values.iter_mut().take(n).for_each(|value| *value += 1000);
                        }
                        _ => model.popped(&chunk.into_iter().take(n / 2).collect::<Vec<_>>()),
                    }
                }
                Err(refused) => few(refused, len),
            },
            _ => {
                assert_eq!(consumer.peek().map(|value| value.0), model.values.front().copied());
            }
        }
        assert_eq!((consumer.slots(), producer.slots()), (model.values.len(), model.room()));
        assert_eq!(consumer.is_empty(), model.values.is_empty());
        assert_eq!(producer.is_full(), model.room() == 0);
        model.check("ring");
    }
    let producer_first = data.len() % 2 == 0;
    if producer_first {
        drop(producer);
        assert!(consumer.is_abandoned());
        drop(consumer);
    } else {
        drop(consumer);
        assert!(producer.is_abandoned());
        drop(producer);
    }
    model.values.clear();
    model.check("dropped");
}
