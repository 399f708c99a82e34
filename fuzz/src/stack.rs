//! `ArrayStack` and `TaggedStack` against a `Vec`, on one thread.
//!
//! This file knows nothing of the fuzzing engine. It is included twice: by the fuzz target, and by
//! `tests/it/replay_stack.rs`, so that `cargo test` replays the corpus on any toolchain.
//!
//! # Input
//!
//! ```text
//! byte 0     capacity, see `CAPACITIES`; the highest bit chooses the stack
//! each next  one operation (low three bits), with a count of 0 to 31 (the others)
//! ```
//!
//! # What is compared
//!
//! After every operation: its answer, the values that came back, every gauge, and the number of
//! values that are alive, which shows a leak or a second drop at the operation that caused it.

use std::cell::RefCell;
use std::fmt::Debug;

use lockwork::stack::{ArrayStack, TaggedStack};

const CAPACITIES: [usize; 8] = [1, 2, 3, 8, 31, 32, 33, 100];

/// Longer inputs reach nothing that shorter ones do not.
const MAX_OPERATIONS: usize = 512;

/// Runs one input against the stack that it chooses.
///
/// # Panics
///
/// If the stack differs from the model.
pub(crate) fn run(data: &[u8]) {
    match data.first() {
        Some(byte) if byte >> 7 != 0 => compare::<TaggedStack<Payload>>(data),
        _ => compare::<ArrayStack<Payload>>(data),
    }
}

/// What is compared with the model: a stack, or in the tests of this comparison one that errs.
pub(crate) trait Subject {
    fn with_capacity(capacity: usize) -> Self;
    fn push(&self, value: Payload) -> Result<(), Payload>;
    /// The values that were refused.
    fn push_many(&self, values: impl Iterator<Item = Payload>) -> Vec<Payload>;
    fn pop(&self) -> Option<Payload>;
    /// Those of all values that are looked at; the others are dropped.
    fn pop_all(&self, most: usize) -> Vec<Payload>;
    fn gauges(&self) -> Gauges;
    /// The values that are left.
    fn rest(self) -> Vec<Payload>;
}

/// Everything that can be asked without changing the stack. `None`: no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gauges {
    pub(crate) capacity: Option<usize>,
    pub(crate) len: usize,
    pub(crate) is_empty: bool,
    pub(crate) is_full: bool,
}

impl Subject for ArrayStack<Payload> {
    fn with_capacity(capacity: usize) -> Self {
        Self::new(capacity)
    }

    fn push(&self, value: Payload) -> Result<(), Payload> {
        self.push(value)
    }

    fn push_many(&self, values: impl Iterator<Item = Payload>) -> Vec<Payload> {
        self.push_many(values).map_or_else(|refused| refused.into_iter().collect(), |()| Vec::new())
    }

    fn pop(&self) -> Option<Payload> {
        self.pop()
    }

    fn pop_all(&self, most: usize) -> Vec<Payload> {
        self.pop_all().take(most).collect()
    }

    fn gauges(&self) -> Gauges {
        Gauges {
            capacity: Some(self.capacity()),
            len: self.len(),
            is_empty: self.is_empty(),
            is_full: self.is_full(),
        }
    }

    fn rest(self) -> Vec<Payload> {
        self.into_iter().collect()
    }
}

impl Subject for TaggedStack<Payload> {
    fn with_capacity(capacity: usize) -> Self {
        if capacity % 2 == 0 { Self::new() } else { Self::with_capacity(capacity) }
    }

    fn push(&self, value: Payload) -> Result<(), Payload> {
        self.try_push(value)
    }

    fn push_many(&self, values: impl Iterator<Item = Payload>) -> Vec<Payload> {
        self.push_many(values);
        Vec::new()
    }

    fn pop(&self) -> Option<Payload> {
        self.pop()
    }

    fn pop_all(&self, most: usize) -> Vec<Payload> {
        self.pop_all().take(most).collect()
    }

    fn gauges(&self) -> Gauges {
        assert!(self.capacity() >= self.len());
        Gauges { capacity: None, len: self.len(), is_empty: self.is_empty(), is_full: false }
    }

    fn rest(self) -> Vec<Payload> {
        self.into_iter().collect()
    }
}

/// A value that is counted, in a ledger of this thread.
#[derive(Debug)]
pub(crate) struct Payload(usize);

thread_local! {
    /// By number, whether that payload is alive; and whether one was dropped that was not.
    static LEDGER: RefCell<(Vec<bool>, bool)> = const { RefCell::new((Vec::new(), false)) };
}

impl Payload {
    /// The next value.
    pub(crate) fn new() -> Self {
        LEDGER.with_borrow_mut(|(alive, _)| {
            alive.push(true);
            Self(alive.len() - 1)
        })
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        LEDGER.with_borrow_mut(|(alive, twice)| *twice |= !std::mem::take(&mut alive[self.0]));
    }
}

/// Panics unless exactly so many values are alive and none was dropped twice.
fn check_alive(expected: usize, when: &str) {
    LEDGER.with_borrow(|(alive, twice)| {
        assert!(!twice, "{when}: dropped twice");
        let count = alive.iter().filter(|alive| **alive).count();
        assert_eq!(count, expected, "{when}: values alive");
    });
}

/// The numbers of values, which are dropped.
fn numbers(values: Vec<Payload>) -> Vec<usize> {
    values.iter().map(|value| value.0).collect()
}

/// Runs one input against a subject.
///
/// # Panics
///
/// If the subject differs from the model.
pub(crate) fn compare<S: Subject>(data: &[u8]) {
    let Some((&first, operations)) = data.split_first() else {
        return;
    };
    LEDGER.set((Vec::new(), false));
    let capacity = CAPACITIES[usize::from(first) % CAPACITIES.len()];
    let subject = S::with_capacity(capacity);
    // The subject says whether it has a bound; how large that is, is known here.
    let bound = subject.gauges().capacity.map(|_| capacity);
    let mut model: Vec<usize> = Vec::new();
    for (step, &byte) in operations.iter().take(MAX_OPERATIONS).enumerate() {
        let count = usize::from(byte >> 3);
        let when = format!("step {step}, operation {} of {count}, {bound:?}", byte & 7);
        let room = bound.map_or(usize::MAX, |bound| bound - model.len());
        match byte & 7 {
            0 => {
                for _ in 0..=count {
                    let value = Payload::new();
                    let number = value.0;
                    let room = bound.is_none_or(|bound| model.len() < bound);
                    match subject.push(value) {
                        Ok(()) => model.push(number),
                        Err(value) => same(value.0, number, &when),
                    }
                    same(model.last() == Some(&number), room, &when);
                }
            }
            1 => {
                for _ in 0..=count {
                    same(subject.pop().map(|value| value.0), model.pop(), &when);
                }
            }
            // A batch whose length is known, half known, and not known at all.
            kind @ 2..5 => {
                let next = LEDGER.with_borrow(|(alive, _)| alive.len());
                let values = (0..count).map(|_| Payload::new());
                let refused = match kind {
                    2 => subject.push_many(values),
                    3 => {
                        let (known, more) = (count / 2, count - count / 2);
                        let more = (0..more).filter(|_| true).map(|_| Payload::new());
                        subject.push_many((0..known).map(|_| Payload::new()).chain(more))
                    }
                    _ => subject.push_many(values.filter(|_| true)),
                };
                let expected: Vec<usize> = (next..next + count).collect();
                let accepted = count.min(room);
                same(numbers(refused), expected[accepted..].to_vec(), &when);
                model.extend(&expected[..accepted]);
            }
            5 | 6 => {
                let most = if byte & 7 == 5 { usize::MAX } else { count };
                model.reverse();
                let all = numbers(subject.pop_all(most));
                same(all, model.drain(..).take(most).collect(), &when);
            }
            _ => check_alive(model.len(), &when),
        }
        let expected = Gauges {
            capacity: bound,
            len: model.len(),
            is_empty: model.is_empty(),
            is_full: bound == Some(model.len()),
        };
        same(subject.gauges(), expected, &when);
        check_alive(model.len(), &when);
    }
    if first >> 6 & 1 != 0 {
        model.reverse();
        same(numbers(subject.rest()), model, "the rest");
    } else {
        drop(subject);
    }
    check_alive(0, "dropped");
}

#[track_caller]
fn same<T: PartialEq + Debug>(got: T, expected: T, when: &str) {
    assert_eq!(got, expected, "{when}: stack (left) and model (right)");
}
