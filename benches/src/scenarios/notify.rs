//! C1: a notification that nobody waits for.

use super::solo::{Solo, repeat};
use crate::condvars::Condvars;
use crate::harness::sample::Sample;
use crossbeam_utils::CachePadded;
use std::hint::black_box;

/// `notify_one`, no waiter.
#[must_use]
pub fn one<C: Condvars>(cell: &Solo) -> Sample {
    let condvar = black_box(CachePadded::new(C::condvar()));
    repeat(cell.length, || C::notify_one(&condvar))
}

/// `notify_all`, no waiter.
#[must_use]
pub fn all<C: Condvars>(cell: &Solo) -> Sample {
    let condvar = black_box(CachePadded::new(C::condvar()));
    repeat(cell.length, || C::notify_all(&condvar))
}
