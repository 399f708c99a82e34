//! Admission, the workers' loop, and their end.
//!
//! # State word
//!
//! `live` counts the workers that have not ended: bits 31..1 the number, bit 0 AWAITED, set by a
//! thread before it sleeps until the number is zero.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | all accesses of `live` | Relaxed | - | whoever awaits the end joins the threads after it, which orders all they did |
//! | b | the counter of panics | Relaxed | - | counted before the handle is told, which orders it |
//!
//! # Why shutting down ends
//!
//! Closing the queue sets a bit in the word that every push goes through: a push that succeeded
//! came before, and the pops that drain the queue find it. It then wakes all sleepers. A worker
//! leaves when the queue says "closed and empty", which no later push can undo; the last to leave
//! finds AWAITED set, or the one that awaits finds the number zero.

use alloc::sync::Arc;
use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use core::ptr;
use std::panic::catch_unwind;

use super::packet::{Outcome, Runnable, State, Task, drop_payload};
use super::{CancelReason, RejectReason, RejectionPolicy};
use crate::primitive::Ordering::Relaxed;
use crate::primitive::{AtomicU64, Deadline, Futex, Private, Wait};
use crate::primitive::{fork_epoch, mutant, thread_locals, unique_id};
use crate::queue::{BlockingQueue, PushErrorReason};

const AWAITED: u32 = 1 << 0;
const ONE_WORKER: u32 = 1 << 1;

/// Tasks run or are dropped inside submissions, because the policy says so, at most this deep.
const MAX_INLINE: u32 = 32;

/// Times that `DiscardOldest` makes room for others to take.
const DISCARD_TRIES: u32 = 8;

thread_locals! {
    /// The number of the pool whose worker this thread is or was; it may be asked for until the
    /// thread's last destructor has run.
    static POOL: Cell<u64> = Cell::new(0);
    /// The pool that this thread takes tasks from at present, alive for as long.
    static WORKING: Cell<*const Shared> = Cell::new(ptr::null());
    /// How many submissions this thread is inside of that run or drop a task.
    static INLINE: Cell<u32> = Cell::new(0);
}

/// What the owner of a pool and its workers share.
pub(super) struct Shared {
    pub(super) queue: BlockingQueue<Task>,
    pub(super) name: Arc<str>,
    pub(super) threads: usize,
    /// Tells this pool from all others, past ones included, whose memory it may have.
    pub(super) id: u64,
    /// The process that has the threads.
    pub(super) epoch: u32,
    policy: RejectionPolicy,
    live: Futex<Private>,
    panicked: AtomicU64,
}

impl Shared {
    pub(super) fn new(
        name: Arc<str>,
        threads: usize,
        queue: BlockingQueue<Task>,
        policy: RejectionPolicy,
    ) -> Self {
        Self {
            queue,
            name,
            threads,
            id: unique_id(),
            epoch: fork_epoch(),
            policy,
            live: Futex::new(0),
            panicked: AtomicU64::new(0),
        }
    }

    pub(super) fn is_forked(&self) -> bool {
        self.epoch != fork_epoch()
    }

    pub(super) fn is_own_worker(&self) -> bool {
        POOL.try_with(Cell::get).is_ok_and(|pool| pool == self.id)
    }

    pub(super) fn panicked(&self) -> u64 {
        self.panicked.load(Relaxed) // Relaxed: row b.
    }

    /// Queues `task`, or does with it what the policy says. If it is refused, no copy of it is left
    /// here.
    pub(super) fn admit(&self, task: Task) -> Result<(), RejectReason> {
        if self.is_forked() {
            return Err(RejectReason::Forked);
        }
        let refused = match self.queue.try_push(task) {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        if refused.reason() == PushErrorReason::Closed {
            return Err(RejectReason::ShutDown);
        }
        let task = refused.into_inner();
        let full = RejectReason::Full { capacity: self.queue.capacity() };
        match self.policy {
            RejectionPolicy::Abort => Err(full),
            RejectionPolicy::CallerRuns => self.run_inline(&*task).ok_or(full),
            RejectionPolicy::Block if self.is_own_worker() => {
                self.run_inline(&*task).ok_or(RejectReason::WouldDeadlock)
            }
            RejectionPolicy::Block => self.queue.push(task).map_err(|_| RejectReason::ShutDown),
            RejectionPolicy::Discard => self.discard(&*task).ok_or(full),
            RejectionPolicy::DiscardOldest => self.admit_over_oldest(task, full),
        }
    }

    fn admit_over_oldest(&self, mut task: Task, full: RejectReason) -> Result<(), RejectReason> {
        for _ in 0..DISCARD_TRIES {
            if self.queue.is_closed() {
                return Err(RejectReason::ShutDown);
            }
            if Self::depth() >= MAX_INLINE {
                break;
            }
            if let Ok(oldest) = self.queue.try_pop() {
                let discarded = self.discard(&*oldest);
                debug_assert!(discarded.is_some(), "the depth was checked");
                drop_task(oldest);
            }
            task = match self.queue.try_push(task) {
                Ok(()) => return Ok(()),
                Err(refused) if refused.reason() == PushErrorReason::Closed => {
                    return Err(RejectReason::ShutDown);
                }
                Err(refused) => refused.into_inner(),
            };
        }
        Err(full)
    }

    /// Drops `task` un-run. `None` if that goes too deep: what it captured may submit in turn.
    fn discard(&self, task: &dyn Runnable) -> Option<()> {
        self.inline(|| {
            if let Outcome::Panicked(payload) = task.cancel(CancelReason::Discarded, Some(self)) {
                drop_payload(payload);
            }
        })
    }

    /// Runs `task` on this thread, inside whatever it is doing. `None` if that goes too deep.
    fn run_inline(&self, task: &dyn Runnable) -> Option<()> {
        self.inline(|| task.run(self))
    }

    fn inline(&self, user_code: impl FnOnce()) -> Option<()> {
        let depth = Self::depth();
        if depth >= MAX_INLINE {
            return None;
        }
        let _ = INLINE.try_with(|inline| inline.set(depth + 1));
        user_code();
        let _ = INLINE.try_with(|inline| inline.set(depth));
        Some(())
    }

    fn depth() -> u32 {
        // A thread whose locals are gone is ending: it has no depth to speak of.
        INLINE.try_with(Cell::get).unwrap_or(0)
    }

    pub(super) fn count_panic(&self) {
        self.panicked.fetch_add(1, Relaxed); // Relaxed: row b.
    }

    pub(super) fn worker_starts(&self) {
        self.live.fetch_add(ONE_WORKER, Relaxed); // Relaxed: row a.
    }

    pub(super) fn worker_ends(&self) {
        let prev = self.live.fetch_sub(ONE_WORKER, Relaxed); // Relaxed: row a.
        if prev == ONE_WORKER | AWAITED && !mutant!("worker.wake") {
            // Whoever awaits the end has the pool; the caller has it too.
            Futex::wake(&raw const self.live, u32::MAX);
        }
    }

    /// Sleeps until all workers have ended; `false` if `deadline` passed first. Orders nothing:
    /// that is for joining them to do.
    pub(super) fn await_workers(&self, deadline: Deadline) -> bool {
        loop {
            let cur = self.live.fetch_or(AWAITED, Relaxed) | AWAITED; // Relaxed: row a.
            if cur < ONE_WORKER {
                return true;
            }
            if self.live.wait(cur, deadline) == Wait::TimedOut {
                return self.live.load(Relaxed) < ONE_WORKER; // Relaxed: row a.
            }
        }
    }
}

/// The life of a worker.
pub(super) fn work(shared: &Arc<Shared>) {
    let _ = POOL.try_with(|pool| pool.set(shared.id));
    let _ = WORKING.try_with(|working| working.set(Arc::as_ptr(shared)));
    while let Ok(task) = shared.queue.pop() {
        task.run(shared);
        if shared.is_forked() {
            // The task forked and this is the child: the queue is the parent's, and the other
            // workers are not here. Leave everything as it is, and let this thread end.
            core::mem::forget((task, shared.clone()));
            return;
        }
        drop_task(task);
    }
    let _ = WORKING.try_with(|working| working.set(ptr::null()));
    shared.worker_ends();
}

/// Gives up a task. If its handle is gone, its result goes with it, whose destructor is user code.
pub(super) fn drop_task(task: Task) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(task))) {
        drop_payload(payload);
    }
}

/// Runs a task that somebody is about to wait for, if this is a worker of its pool and nobody has
/// started it: otherwise all workers might come to wait for what none is left to run.
pub(super) fn run_if_own(task: &(impl Runnable + ?Sized), state: &State) {
    let Ok(working) = WORKING.try_with(Cell::get) else {
        return;
    };
    // SAFETY: set only between the first and the last line of `work`, whose caller owns a share.
    let Some(shared) = (unsafe { working.as_ref() }) else {
        return;
    };
    if state.belongs_to(shared) && !state.is_forked() {
        task.run(shared);
    }
}
