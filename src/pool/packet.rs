//! One task: its closure, then its result, and the word that says which.
//!
//! # State word
//!
//! ```text
//!   31              3        2        1       0
//!   +---------------+--------+----------------+
//!   |    unused     | WAITER |     phase      |
//!   +---------------+--------+----------------+
//!
//! phase         cell               who may touch the cell     moves
//! QUEUED   (0)  Closure            whoever claims             claim -> CLAIMED
//! CLAIMED  (1)  whatever           the one that claimed       publish -> DONE
//! DONE     (2)  Value, Panic or    the handle                 -
//!               Cancelled
//! ```
//!
//! WAITER is set by the handle's owner before it sleeps.
//!
//! # Invariants
//!
//! 1. One compare-exchange claims: a worker, the thread that joins, the one that cancels or the one
//!    that discards. So a task runs at most once, and never after it was cancelled.
//! 2. Whoever claims publishes, whatever the closure does: an accepted task's handle resolves.
//! 3. The closure is gone, with all it captured, before DONE is published.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | publish: swap to DONE | Release | b | the result is in the cell |
//! | b | the handle loads the phase | Acquire | a | see the result |
//! | c | claim | Relaxed | - | the closure came to the claimant by the queue or by the handle, both of which order it |
//! | d | WAITER | Relaxed | - | says only that a wake-up is owed |
//!
//! # Why no joiner sleeps for ever
//!
//! It sets WAITER by a read-modify-write and sleeps while the word holds what that left. A
//! publisher whose swap comes before finds its way into that value, so there is no sleep; one that
//! comes after sees WAITER and wakes.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::Any;
use core::mem;
use core::panic::AssertUnwindSafe;
use std::panic::{catch_unwind, resume_unwind};

use super::CancelReason;
use super::worker::Shared;
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{Deadline, Futex, Private, UnsafeCell, Wait};
use crate::primitive::{fork_epoch, mutant, ord};

const QUEUED: u32 = 0;
const CLAIMED: u32 = 1;
const DONE: u32 = 2;
const PHASE: u32 = 0b011;
const WAITER: u32 = 0b100;

/// What a panic carries.
pub(super) type Payload = Box<dyn Any + Send>;

/// A task as the queue holds it.
pub(super) type Task = Arc<dyn Runnable>;

/// A task, its closure's and its result's types forgotten.
pub(super) trait Runnable: Send + Sync {
    /// Runs the task, unless somebody has claimed it before. Never unwinds. A panic is counted by
    /// `pool` before the handle says so.
    fn run(&self, pool: &Shared);

    /// Drops the closure un-run, unless somebody has claimed it before. Never unwinds. A panic is
    /// counted as by `run`, if it is the pool that cancels.
    fn cancel(&self, reason: CancelReason, pool: Option<&Shared>) -> Outcome;
}

/// A task whose result type is known, as its handle holds it.
pub(super) trait Joinable<T>: Runnable {
    /// The state that is apart from the closure.
    fn state(&self) -> &State;

    /// Takes the result out.
    ///
    /// # Safety
    ///
    /// The task is [done](State::is_done), and the caller is its handle, for the last time.
    unsafe fn take(&self) -> Finished<T>;
}

/// What became of an attempt to cancel.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Another thread had claimed the task.
    TooLate,
    /// The closure was dropped.
    Cancelled,
    /// The closure was dropped, and its destructor panicked.
    Panicked(Payload),
}

/// How a task ended.
pub(super) enum Finished<T> {
    Value(T),
    Panic(Payload),
    Cancelled(CancelReason),
}

enum Cell<F, T> {
    Closure(F),
    Empty,
    Finished(Finished<T>),
}

/// A task: see the module.
pub(super) struct Packet<F, T> {
    state: State,
    cell: UnsafeCell<Cell<F, T>>,
}

// SAFETY: the closure goes to the one thread that claims it and the result to the one that has the
// handle; both may change threads.
unsafe impl<F: Send, T: Send> Send for Packet<F, T> {}
// SAFETY: as for `Send`; the cell is touched by one thread at a time, as the phase says.
unsafe impl<F: Send, T: Send> Sync for Packet<F, T> {}

/// The word, and what a joiner has to know about the pool.
pub(super) struct State {
    word: Futex<Private>,
    /// The process in which there are threads to run the task.
    epoch: u32,
    /// The pool's number.
    pool: u64,
}

impl<F, T> Packet<F, T> {
    pub(super) fn new(closure: F, pool: &Shared) -> Self {
        Self {
            state: State { word: Futex::new(QUEUED), epoch: pool.epoch, pool: pool.id },
            cell: UnsafeCell::new(Cell::Closure(closure)),
        }
    }

    /// Takes the closure back out of a packet that was refused.
    pub(super) fn into_closure(this: Arc<Self>) -> F {
        match Arc::into_inner(this).map(|packet| packet.cell.into_inner()) {
            Some(Cell::Closure(closure)) => closure,
            _ => unreachable!("a refused task was claimed, or kept by somebody"),
        }
    }

    /// Claims the task and takes the closure.
    fn claim(&self) -> Option<F> {
        if !self.state.claim() {
            return None;
        }
        // SAFETY: claimed, so the cell is ours (invariant 1).
        match self.cell.with_mut(|cell| unsafe { mem::replace(&mut *cell, Cell::Empty) }) {
            Cell::Closure(closure) => Some(closure),
            _ => unreachable!("a queued task has no closure"),
        }
    }

    fn publish(&self, finished: Finished<T>) {
        // SAFETY: claimed by the caller and not published yet, so the cell is ours.
        self.cell.with_mut(|cell| unsafe { *cell = Cell::Finished(finished) });
        self.state.publish();
    }
}

impl<F, T> Runnable for Packet<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn run(&self, pool: &Shared) {
        let Some(closure) = self.claim() else {
            return;
        };
        // Unwind safe: what the closure captured goes with it, and the payload says what happened.
        match catch_unwind(AssertUnwindSafe(closure)) {
            Ok(value) => self.publish(Finished::Value(value)),
            Err(payload) => {
                pool.count_panic();
                self.publish(Finished::Panic(payload));
            }
        }
    }

    fn cancel(&self, reason: CancelReason, pool: Option<&Shared>) -> Outcome {
        let Some(closure) = self.claim() else {
            return Outcome::TooLate;
        };
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(closure)));
        if let (Err(_), Some(pool)) = (&dropped, pool) {
            pool.count_panic();
        }
        self.publish(Finished::Cancelled(reason));
        match dropped {
            Ok(()) => Outcome::Cancelled,
            Err(payload) => Outcome::Panicked(payload),
        }
    }
}

impl<F, T> Joinable<T> for Packet<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn state(&self) -> &State {
        &self.state
    }

    unsafe fn take(&self) -> Finished<T> {
        // SAFETY: DONE was seen, so the cell is the handle's, and the caller is the handle.
        match self.cell.with_mut(|cell| unsafe { mem::replace(&mut *cell, Cell::Empty) }) {
            Cell::Finished(finished) => finished,
            _ => unreachable!("a finished task has no result"),
        }
    }
}

impl State {
    fn claim(&self) -> bool {
        let mut cur = self.word.load(Relaxed); // Relaxed: row c.
        while cur & PHASE == QUEUED {
            // Relaxed: row c.
            match self.word.compare_exchange(cur, cur & WAITER | CLAIMED, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => cur = now,
            }
        }
        false
    }

    fn publish(&self) {
        // Release: row a. The packet outlives this call: the caller has it by reference count.
        let prev = self.word.swap(DONE, ord!("packet.a", Release));
        if prev & WAITER != 0 && !mutant!("packet.wake") {
            Futex::wake(&raw const self.word, 1);
        }
    }

    /// Whether the result is there, to be seen by the caller.
    pub(super) fn is_done(&self) -> bool {
        self.word.load(ord!("packet.b", Acquire)) & PHASE == DONE // Acquire: row b.
    }

    /// Whether this process has no threads to run the task.
    pub(super) fn is_forked(&self) -> bool {
        self.epoch != fork_epoch()
    }

    /// Whether the task was submitted to this pool.
    pub(super) fn belongs_to(&self, pool: &Shared) -> bool {
        self.pool == pool.id
    }

    /// Sleeps until the task is done; `false` if `deadline` passed first, or if this process cannot
    /// run it.
    pub(super) fn wait(&self, deadline: Deadline) -> bool {
        loop {
            if self.is_done() {
                return true;
            }
            if self.is_forked() {
                return false;
            }
            let cur = self.word.fetch_or(WAITER, Relaxed) | WAITER; // Relaxed: row d.
            if cur & PHASE != DONE && self.word.wait(cur, deadline) == Wait::TimedOut {
                return self.is_done();
            }
        }
    }
}

/// Drops what a panic carried; its destructor is user code too, and may panic in turn.
pub(super) fn drop_payload(payload: Payload) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // There is no end to that: leak it.
        mem::forget(another);
    }
}

/// Lets a panic that was caught to keep the books go on, on the thread whose doing it is.
pub(super) fn resume(payload: Payload) -> ! {
    resume_unwind(payload)
}
