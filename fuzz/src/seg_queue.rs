//! `SegQueue` against a `VecDeque`, on one thread.
//!
//! This file knows nothing of the fuzzing engine. It is included by the fuzz target and by
//! `tests/it/replay_queues.rs`, so that `cargo test` replays its corpus on any toolchain.
//!
//! # Input
//!
//! ```text
//! byte 0     how many values go through the queue first, in steps of 37, up to 63: where in its
//!            segment, and in which one, the rest begins
//! each next  one operation (low four bits), with a number from zero to fifteen (high four bits)
//! ```
//!
//! # What is compared
//!
//! After every operation: its answer, every gauge, and the number of values that are alive, which
//! shows a leak or a second drop at the operation that caused it. At the end, how many segments
//! there are: no more than the values need and the few that are kept.

use std::collections::VecDeque;
use std::rc::Rc;

use lockwork::queue::SegQueue;

/// Longer inputs reach nothing that shorter ones do not.
const MAX_OPERATIONS: usize = 1024;

/// Batches are of as many times their number: some go over the end of a segment, or over a whole
/// one.
const STEP: usize = 23;

/// A value, and a share in the count of those alive.
#[derive(Debug)]
struct Value(u32, #[expect(dead_code, reason = "it is counted")] Rc<()>);

/// What a queue must hold, and what comes next.
#[derive(Default)]
struct Model {
    values: VecDeque<u32>,
    alive: Rc<()>,
    next: u32,
}

impl Model {
    /// One that is pushed at once.
    fn value(&mut self) -> Value {
        self.next += 1;
        self.values.push_back(self.next);
        Value(self.next, self.alive.clone())
    }

    fn batch(&mut self, count: usize) -> Vec<Value> {
        (0..count).map(|_| self.value()).collect()
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

/// Runs one input.
///
/// # Panics
///
/// If the queue differs from the model.
pub(crate) fn run(data: &[u8]) {
    let Some((&first, operations)) = data.split_first() else { return };
    let (mut queue, mut model) = (SegQueue::new(), Model::default());
    for _ in 0..usize::from(first % 64) * 37 {
        queue.push(model.value());
        model.popped(&queue.pop());
    }
    let mut most = 0;
    for byte in operations.iter().take(MAX_OPERATIONS) {
        let n = usize::from(byte >> 4);
        match byte & 15 {
            0 | 1 => queue.push(model.value()),
            2 => queue.push_mut(model.value()),
            3 | 4 => {
                let mut batch = model.batch(n * STEP);
                assert_eq!(queue.push_many(&mut batch), n * STEP);
                assert!(batch.is_empty());
            }
            5 => queue.extend(model.batch(n)),
            6..=8 => {
                let popped = if byte & 15 == 8 { queue.pop_mut() } else { queue.pop() };
                assert_eq!(popped.is_some(), !model.values.is_empty());
                model.popped(&popped);
            }
            9 | 10 => {
                let (mut into, max) = (Vec::new(), n * STEP);
                assert_eq!(queue.pop_many(&mut into, max), max.min(model.values.len()));
                model.popped(&into);
            }
            11 => {
                let some: Vec<Value> = queue.try_iter().take(n).collect();
                assert_eq!(some.len(), n.min(model.values.len()));
                model.popped(&some);
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
                queue = SegQueue::new();
            }
            14 => std::mem::forget(queue.drain()),
            _ => assert!(format!("{queue:?}").contains(&format!("len: {}", model.values.len()))),
        }
        let len = model.values.len();
        assert_eq!((queue.len(), queue.is_empty()), (len, len == 0));
        most = most.max(len);
        model.check("queue");
    }
    let needed = most / SegQueue::<Value>::places_per_segment() + 2;
    assert!(queue.segments() <= needed + 3, "{} segments for {most} values", queue.segments());
    drop(queue);
    model.values.clear();
    model.check("dropped");
}
