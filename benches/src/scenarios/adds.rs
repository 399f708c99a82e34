//! C1 and C2: threads that count, alone and all on the same counter.

use super::solo::{Solo, repeat};
use crate::counters::Counts;
use crate::harness::sample::Sample;
use crate::harness::stage::{Timing, perform};
use crossbeam_utils::CachePadded;
use std::hint::black_box;

/// C1: one thread.
///
/// # Panics
///
/// If an addition was lost.
#[must_use]
pub fn alone<C: Counts>(cell: &Solo) -> Sample {
    let counter = black_box(CachePadded::new(C::new()));
    let mut calls = 0;
    let sample = repeat(cell.length, || {
        calls += 1;
        counter.add();
    });
    assert_eq!(counter.sum(), calls, "{}: additions were lost", C::NAME);
    sample
}

/// The parameters of C2.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// How many threads count.
    pub threads: usize,
    /// How long.
    pub timing: Timing,
}

/// Additions between two looks at whether it is over.
const BATCH: u64 = 100;

/// C2: several threads, without a pause.
///
/// # Panics
///
/// If an addition was lost.
#[must_use]
pub fn together<C: Counts>(cell: &Crowd) -> Sample {
    let counter = CachePadded::new(C::new());
    let (performance, added) = perform(&cell.timing, cell.threads, |_, seat| {
        let mut added = 0;
        while seat.proceed() {
            for _ in 0..BATCH {
                counter.add();
            }
            seat.count(BATCH);
            added += BATCH;
        }
        added
    });
    assert_eq!(counter.sum(), added.iter().sum::<u64>(), "{}: additions were lost", C::NAME);
    Sample::of_rivals(&performance)
}
