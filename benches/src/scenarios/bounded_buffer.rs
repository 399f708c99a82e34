//! C4: one producer, some consumers, a buffer of sixteen places, a mutex and two condition
//! variables: the textbook's queue. An operation is one item taken out.
//!
//! Everybody notifies once per item, after unlocking, as most programs do. Most of these
//! notifications find nobody waiting.

use crate::condvars::Condvars;
use crate::harness::sample::Sample;
use crate::harness::stage::{Timing, perform};
use crossbeam_utils::CachePadded;
use std::collections::VecDeque;

/// Places in the buffer.
const CAPACITY: usize = 16;

/// The parameters.
#[derive(Clone, Copy, Debug)]
pub struct BoundedBuffer {
    /// How many take items out.
    pub consumers: usize,
    /// How long.
    pub timing: Timing,
}

struct Buffer {
    items: VecDeque<u64>,
    over: bool,
}

/// Thread 0 produces; the others consume.
///
/// # Panics
///
/// If items were lost or invented.
#[must_use]
pub fn run<C: Condvars>(cell: &BoundedBuffer) -> Sample {
    let empty = Buffer { items: VecDeque::with_capacity(CAPACITY), over: false };
    let buffer = CachePadded::new(C::mutex(empty));
    let not_full = CachePadded::new(C::condvar());
    let not_empty = CachePadded::new(C::condvar());

    let produce = |proceeds: &mut dyn FnMut() -> bool| {
        let mut item = 0;
        while proceeds() {
            let mut guard = C::lock(&buffer);
            while guard.items.len() == CAPACITY {
                guard = C::wait(&not_full, guard);
            }
            item += 1;
            guard.items.push_back(item);
            drop(guard);
            C::notify_one(&not_empty);
        }
        C::lock(&buffer).over = true;
        C::notify_all(&not_empty);
        // Of 1, 2, 3, ..., item.
        item * (item + 1) / 2
    };
    let consume = |count: &mut dyn FnMut()| {
        let mut sum = 0_u64;
        loop {
            let mut guard = C::lock(&buffer);
            while guard.items.is_empty() && !guard.over {
                guard = C::wait(&not_empty, guard);
            }
            let Some(item) = guard.items.pop_front() else { return sum };
            drop(guard);
            C::notify_one(&not_full);
            sum += item;
            count();
        }
    };

    let (performance, sums) = perform(&cell.timing, 1 + cell.consumers, |index, seat| {
        if index == 0 {
            produce(&mut || seat.proceed())
        } else {
            consume(&mut || {
                seat.count(1);
                seat.proceed();
            })
        }
    });
    let taken = sums[1..].iter().sum::<u64>();
    assert_eq!(sums[0], taken, "{}: items were lost or invented", C::NAME);
    Sample::of_crew(&performance)
}
