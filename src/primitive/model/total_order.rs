//! The total order of `SeqCst` accesses, by fences: see [`TotalU64`](super::super::TotalU64).

use std::cell::RefCell;
use std::thread_local;
use std::vec::Vec;

use loom::thread::{ThreadId, current};

use super::super::Ordering;
use super::backend::fence;

thread_local! {
    /// Threads of the model whose last write was not in the total order. (All of them run on one
    /// thread of the system.)
    static OUT_OF_ORDER: RefCell<Vec<ThreadId>> = const { RefCell::new(Vec::new()) };
}

/// Called first in every execution.
pub(super) fn boot() {
    OUT_OF_ORDER.with_borrow_mut(Vec::clear);
}

/// A read-modify-write: what order there is comes from the fences of the loads that follow.
pub(crate) fn before_write(order: Ordering) -> Ordering {
    let me = current().id();
    OUT_OF_ORDER.with_borrow_mut(|threads| {
        threads.retain(|thread| *thread != me);
        if order != Ordering::SeqCst {
            threads.push(me);
        }
    });
    Ordering::Relaxed
}

/// A load, behind a fence if both it and the last write of its thread are in the order.
pub(crate) fn before_load(order: Ordering) -> Ordering {
    let me = current().id();
    if order == Ordering::SeqCst && OUT_OF_ORDER.with_borrow(|threads| !threads.contains(&me)) {
        // SeqCst: the last read-modify-write of this thread is not delayed beyond the load.
        fence(Ordering::SeqCst);
    }
    Ordering::Relaxed
}
