//! One thread reads what is there already, or writes what nobody else reads at the time.

use super::solo::{Solo, repeat};
use crate::harness::sample::Sample;
use crate::onces::{Cached, Snapshot};
use std::hint::black_box;

/// Asks for what has been made.
#[must_use]
pub fn cached<C: Cached>(cell: &Solo) -> Sample {
    let place = crossbeam_utils::CachePadded::new(C::new());
    black_box(place.get());
    repeat(cell.length, || {
        black_box(black_box(&*place).get());
    })
}

/// Reads a value.
#[must_use]
pub fn snapshot<S: Snapshot<WORDS>, const WORDS: usize>(cell: &Solo) -> Sample {
    let lock = crossbeam_utils::CachePadded::new(S::new());
    repeat(cell.length, || {
        black_box(black_box(&*lock).read());
    })
}

/// Writes a value.
#[must_use]
pub fn write<S: Snapshot<WORDS>, const WORDS: usize>(cell: &Solo) -> Sample {
    let lock = crossbeam_utils::CachePadded::new(S::new());
    let mut n = 0;
    repeat(cell.length, || {
        n += 1;
        black_box(&*lock).write([n; WORDS]);
    })
}
