//! One task with a handle: its closure, then its result, and the word that says which.
//!
//! # State word
//!
//! ```text
//!   31        5        4        3        2       1       0
//!   +----------+--------+--------+--------+----------------+
//!   |  unused  | UNRUN  | WAKER  | WAITER |     phase      |
//!   +----------+--------+--------+--------+----------------+
//!
//! phase         cell               who may touch the cell     moves
//! QUEUED   (0)  Closure            whoever claims             claim -> CLAIMED
//! CLAIMED  (1)  whatever           the one that claimed       publish -> DONE
//! DONE     (2)  Value, Panic or    the handle                 -
//!               Cancelled
//! ```
//!
//! WAITER is set by a thread before it sleeps. WAKER says that `waker` is set: the handle writes it
//! while the bit is clear, and sets the bit; who publishes and finds it set takes the waker out.
//! UNRUN says that the handle claimed the task to drop it; it is for whoever comes by its place in
//! the queue, to be counted.
//!
//! # Invariants
//!
//! 1. One compare-exchange claims: a worker, the thread that joins, the one that cancels or the one
//!    that discards. So a task runs at most once, and never after it was cancelled.
//! 2. Whoever claims publishes, whatever the closure does: an accepted task's handle resolves.
//! 3. The closure is gone, with all it captured, before DONE is published.
//! 4. While WAKER is set and the task is not DONE, nobody touches `waker`. Once it is DONE, the
//!    publisher has it if it found the bit set, and the handle otherwise.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | publish: swap to DONE | AcqRel | b, e | the result is in the cell; see the waker |
//! | b | the handle loads the phase | Acquire | a | see the result |
//! | c | claim | Relaxed | - | the closure came to the claimant by the queue or by the handle, both of which order it |
//! | d | WAITER | Relaxed | - | says only that a wake-up is owed |
//! | e | WAKER on | Release | a | the waker is written |
//! | f | WAKER off | Relaxed | - | who takes the bit off has put it on |
//!
//! # Why no joiner sleeps for ever
//!
//! It sets WAITER by a read-modify-write and sleeps while the word holds what that left. A
//! publisher whose swap comes before finds its way into that value, so there is no sleep; one that
//! comes after sees WAITER and wakes. With a waker it is the same: either the publisher's swap
//! finds WAKER set, or setting it finds the task DONE.
//!
//! Before all that a joiner looks for a moment (row b), and gives its core away a few times
//! (`Looks`): a look owes nothing to anybody, so none of them can be missed.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::Any;
use core::mem;
use core::panic::AssertUnwindSafe;
use core::task::Waker;
use std::panic::{catch_unwind, resume_unwind};

use super::handle::CancelReason;
use super::job::Job;
use super::runner::Runner;
use super::shared::Shared;
use crate::cancel::{CancelCallback, CancelToken};
use crate::primitive::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::primitive::{Deadline, Futex, Looks, Private, UnsafeCell, Wait, WaitWord};
use crate::primitive::{fork_epoch, mutant, ord};
use crate::raw::{Found, Waitable};
use crate::sync::OnceLock;

const QUEUED: u32 = 0;
const CLAIMED: u32 = 1;
const DONE: u32 = 2;
const PHASE: u32 = 0b0_0011;
const WAITER: u32 = 0b0_0100;
const WAKER: u32 = 0b0_1000;
const UNRUN: u32 = 0b1_0000;

/// What a panic carries.
pub(super) type Payload = Box<dyn Any + Send>;

/// A task whose result type is known, as its handle holds it.
pub(super) trait Joinable<T>: Send + Sync {
    /// The state that is apart from the closure.
    fn state(&self) -> &State;

    /// Runs the task, unless somebody has claimed it before; whether it did. Never unwinds.
    fn run(&self, runner: &Runner<'_>) -> bool;

    /// Drops the closure un-run, unless somebody has claimed it before. Never unwinds.
    fn cancel(&self, reason: CancelReason, by_handle: bool) -> Outcome;

    /// Takes the result out; `None` if that was done before.
    ///
    /// # Safety
    ///
    /// The task is [done](State::is_done), and the caller is its handle.
    unsafe fn take(&self) -> Option<Finished<T>>;
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
// SAFETY: as for `Send`; the cell is touched by one thread at a time, as the phase says, and so is
// the waker.
unsafe impl<F: Send, T: Send> Sync for Packet<F, T> {}

/// The word, and what a joiner has to know about the pool.
pub(super) struct State {
    word: Futex<Private>,
    /// The process in which there are threads to run the task.
    epoch: u32,
    /// The pool's number.
    pool: u64,
    waker: UnsafeCell<Option<Waker>>,
    token: OnceLock<CancelToken>,
    /// Cancels the token when the pool is stopped, if the token comes from the user.
    _stop: Option<CancelCallback>,
}

// SAFETY: the waker is touched by one thread at a time (invariant 4), and may be sent.
unsafe impl Sync for State {}

impl State {
    fn new(pool: &Shared, token: OnceLock<CancelToken>, stop: Option<CancelCallback>) -> Self {
        Self {
            word: Futex::new(QUEUED),
            epoch: pool.epoch,
            pool: pool.id,
            waker: UnsafeCell::new(None),
            token,
            _stop: stop,
        }
    }
}

impl<F, T> Packet<F, T> {
    pub(super) fn new(closure: F, pool: &Shared) -> Self {
        let state = State::new(pool, OnceLock::new(), None);
        Self { state, cell: UnsafeCell::new(Cell::Closure(closure)) }
    }

    /// A task that `token` cancels, as does the end of the pool.
    pub(super) fn with_token(closure: F, pool: &Shared, token: &CancelToken) -> Self {
        let token = token.child();
        let stopped = token.clone();
        let stop = pool.stop.on_cancel(move || {
            stopped.cancel();
        });
        let slot = OnceLock::new();
        let _ = slot.set(token);
        let state = State::new(pool, slot, Some(stop));
        Self { state, cell: UnsafeCell::new(Cell::Closure(closure)) }
    }

    /// Takes the closure back out of a packet that was refused, which the caller has for itself.
    pub(super) fn into_closure(this: Arc<Self>) -> F {
        match Arc::into_inner(this).map(|packet| packet.cell.into_inner()) {
            Some(Cell::Closure(closure)) => closure,
            _ => unreachable!("a refused task was claimed, or kept by somebody"),
        }
    }

    /// Claims the task and takes the closure.
    fn claim(&self, flags: u32) -> Option<F> {
        if !self.state.claim(flags) {
            return None;
        }
        // SAFETY: claimed, so the cell is ours (invariant 1).
        match self.cell.with_mut(|cell| unsafe { mem::replace(&mut *cell, Cell::Empty) }) {
            Cell::Closure(closure) => Some(closure),
            _ => unreachable!("a queued task has no closure"),
        }
    }

    /// Takes the closure un-run; the handle hears of `reason` at once.
    pub(super) fn take_closure(&self, reason: CancelReason) -> Option<F> {
        let closure = self.claim(0)?;
        self.publish(Finished::Cancelled(reason), 0);
        Some(closure)
    }

    fn publish(&self, finished: Finished<T>, flags: u32) {
        // SAFETY: claimed by the caller and not published yet, so the cell is ours.
        self.cell.with_mut(|cell| unsafe { *cell = Cell::Finished(finished) });
        self.state.publish(flags);
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

    fn run(&self, runner: &Runner<'_>) -> bool {
        // First: once the task is claimed, a cancelled token is a request, and no more.
        let not_any_more = self.state.token.get().is_some_and(CancelToken::is_cancelled);
        let Some(closure) = self.claim(0) else {
            return false;
        };
        if not_any_more {
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(closure)));
            runner.cancelled(dropped.err());
            self.publish(Finished::Cancelled(CancelReason::Token), 0);
            return true;
        }
        self.publish(
            match runner.call_task(Some(&self.state), closure) {
                Ok(value) => Finished::Value(value),
                Err(payload) => Finished::Panic(payload),
            },
            0,
        );
        true
    }

    fn cancel(&self, reason: CancelReason, by_handle: bool) -> Outcome {
        let flags = if by_handle { UNRUN } else { 0 };
        let Some(closure) = self.claim(flags) else {
            return Outcome::TooLate;
        };
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(closure)));
        self.publish(Finished::Cancelled(reason), flags);
        match dropped {
            Ok(()) => Outcome::Cancelled,
            Err(payload) => Outcome::Panicked(payload),
        }
    }

    unsafe fn take(&self) -> Option<Finished<T>> {
        // SAFETY: DONE was seen, so the cell is the handle's, and the caller is the handle.
        match self.cell.with_mut(|cell| unsafe { mem::replace(&mut *cell, Cell::Empty) }) {
            Cell::Finished(finished) => Some(finished),
            _ => None,
        }
    }
}

impl State {
    fn claim(&self, flags: u32) -> bool {
        let mut cur = self.word.load(Relaxed); // Relaxed: row c.
        while cur & PHASE == QUEUED {
            if mutant!("packet.claim") {
                self.word.fetch_or(CLAIMED | flags, Relaxed);
                return true;
            }
            // Relaxed: row c.
            match self.word.compare_exchange(cur, cur | CLAIMED | flags, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => cur = now,
            }
        }
        false
    }

    fn publish(&self, flags: u32) {
        // AcqRel: row a. The packet outlives this call: the caller has it by reference count.
        let prev = self.word.swap(DONE | flags, ord!("packet.a", AcqRel));
        if prev & WAITER != 0 && !mutant!("packet.wake") {
            Futex::wake(&raw const self.word, u32::MAX);
        }
        if prev & WAKER != 0 && !mutant!("packet.waker") {
            // SAFETY: the bit was set as the task became DONE: it is ours (invariant 4).
            let waker = self.waker.with_mut(|waker| unsafe { (*waker).take() });
            if let Some(waker) = waker {
                wake(waker);
            }
        }
    }

    /// Whether the result is there, to be seen by the caller.
    pub(super) fn is_done(&self) -> bool {
        self.word.load(ord!("packet.b", Acquire)) & PHASE == DONE // Acquire: row b.
    }

    /// Whether nobody has claimed the task yet.
    pub(super) fn is_queued(&self) -> bool {
        self.word.load(Relaxed) & PHASE == QUEUED // Relaxed: row c.
    }

    /// Whether it was the handle that claimed the task, to drop it.
    pub(super) fn was_cancelled_by_handle(&self) -> bool {
        self.word.load(Relaxed) & UNRUN != 0 // Relaxed: set with the claim (row c).
    }

    /// Whether this process has no threads to run the task.
    pub(super) fn is_forked(&self) -> bool {
        self.epoch != fork_epoch()
    }

    /// Whether the task was submitted to this pool.
    pub(super) fn belongs_to(&self, pool: &Shared) -> bool {
        self.pool == pool.id
    }

    /// The token that the task is to look at; made when it is first asked for.
    pub(super) fn token(&self, make: impl FnOnce() -> CancelToken) -> &CancelToken {
        self.token.get_or_init(make)
    }

    /// Sleeps until the task is done; `false` if `deadline` passed first, or if this process cannot
    /// run it.
    pub(super) fn wait(&self, deadline: Deadline) -> bool {
        let mut looks = Looks::new();
        loop {
            if self.is_done() {
                return true;
            }
            if looks.once_more(|| deadline.has_passed()) {
                continue;
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

    /// Leaves `waker` to be woken once the task is done; `false` if it is. For the handle.
    ///
    /// # Safety
    ///
    /// No other thread is in here.
    pub(super) unsafe fn leave_waker(&self, waker: &Waker) -> bool {
        let mut cur = self.word.load(Relaxed); // Relaxed: the exchanges decide.
        // Take back the one of an earlier call, if there is one.
        while cur & PHASE != DONE && cur & WAKER != 0 {
            // Relaxed: row f.
            match self.word.compare_exchange(cur, cur & !WAKER, Relaxed, Relaxed) {
                Ok(_) => cur &= !WAKER,
                Err(now) => cur = now,
            }
        }
        if cur & PHASE == DONE {
            return false;
        }
        let fresh = waker.clone();
        // SAFETY: the bit is clear, the task was not done with it set since, and this is the handle
        // (invariant 4).
        let earlier = self.waker.with_mut(|waker| unsafe { (*waker).replace(fresh) });
        drop(earlier);
        // Release: row e.
        let prev = self.word.fetch_or(WAKER, ord!("packet.e", Release));
        if prev & PHASE == DONE {
            // SAFETY: it became done with the bit clear, so the waker is still the handle's.
            let unused = self.waker.with_mut(|waker| unsafe { (*waker).take() });
            drop(unused);
            return false;
        }
        true
    }
}

impl Waitable for State {
    /// In a child of fork there is nothing to wait for either: a join says so at once.
    fn try_take(&self) -> Option<Found> {
        (self.is_done() || self.is_forked()).then_some(Found::It)
    }

    fn prepare(&self, _earlier: Option<u32>) -> Result<u32, Found> {
        if self.is_forked() {
            return Err(Found::It);
        }
        let cur = self.word.fetch_or(WAITER, Relaxed) | WAITER; // Relaxed: row d.
        if cur & PHASE != DONE {
            return Ok(cur);
        }
        // Acquire: row b, by a look of its own.
        let done = self.is_done();
        debug_assert!(done, "DONE stays");
        Err(Found::It)
    }

    fn leave(&self, _ticket: u32) -> Option<Found> {
        self.try_take()
    }

    fn word(&self, ticket: u32) -> WaitWord<'_> {
        self.word.while_it_is(ticket)
    }
}

/// Makes a task of a closure: what its handle has, and what the queue gets.
pub(super) fn pair<F, T>(packet: Packet<F, T>) -> (Arc<Packet<F, T>>, Job)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let packet = Arc::new(packet);
    (packet.clone(), Job::joinable(packet))
}

/// Drops what a panic carried; its destructor is user code too, and may panic in turn.
pub(super) fn drop_payload(payload: Payload) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // There is no end to that: leak it.
        mem::forget(another);
    }
}

/// Wakes a future. That is code of the user's, and what it throws is nobody's here.
pub(super) fn wake(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        drop_payload(payload);
    }
}

/// Lets a panic that was caught to keep the books go on, on the thread whose doing it is.
pub(super) fn resume(payload: Payload) -> ! {
    resume_unwind(payload)
}
