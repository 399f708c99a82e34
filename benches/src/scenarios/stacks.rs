//! K1 to K3: what stacks are for. Alone; several who put and take; batches.

use super::solo::{Solo, repeat};
use crate::harness::sample::Sample;
use crate::harness::stage::{Timing, perform};
use crate::stacks::{BATCH, Stacks};
use std::hint::black_box;

/// Values that are in the stack before and after.
const BELOW: u64 = 64;

fn stack<S: Stacks>() -> S {
    let stack = S::new();
    (0..BELOW).for_each(|value| stack.push(value));
    black_box(stack)
}

/// K1: one thread pushes and pops. An operation is a pair.
///
/// # Panics
///
/// If the stack lost a value.
#[must_use]
pub fn alone<S: Stacks>(cell: &Solo) -> Sample {
    let stack = stack::<S>();
    let mut value = 0;
    let sample = repeat(cell.length, || {
        value += 1;
        stack.push(value);
        assert_eq!(stack.pop(), Some(value), "{}", S::NAME);
    });
    assert_all_there(&stack);
    sample
}

/// The parameters of K2.
#[derive(Clone, Copy, Debug)]
pub struct Pairs {
    /// How many threads.
    pub threads: usize,
    /// How long.
    pub timing: Timing,
}

/// K2: several threads push and pop, without a pause. An operation is a pair.
///
/// # Panics
///
/// If the stack lost a value.
#[must_use]
pub fn pairs<S: Stacks>(cell: &Pairs) -> Sample {
    let stack = stack::<S>();
    let (performance, _) = perform(&cell.timing, cell.threads, |_, seat| {
        let mut value = 0;
        while seat.proceed() {
            stack.push(value);
            value = stack.pop().expect("at least one's own");
            seat.count(1);
        }
    });
    assert_all_there(&stack);
    Sample::of_rivals(&performance)
}

/// K3: one thread pushes a batch and takes it out again. An operation is a batch.
///
/// # Panics
///
/// If the stack lost a value.
#[must_use]
pub fn batches<S: Stacks>(cell: &Solo) -> Sample {
    let stack = black_box(S::new());
    let mut first = 0;
    repeat(cell.length, || {
        first += 1;
        let last = first + BATCH as u64 - 1;
        assert_eq!(stack.batch(first), (first + last) * BATCH as u64 / 2, "{}", S::NAME);
    })
}

fn assert_all_there<S: Stacks>(stack: &S) {
    let left = std::iter::from_fn(|| stack.pop()).count();
    assert_eq!(left as u64, BELOW, "{}: values were lost", S::NAME);
}
