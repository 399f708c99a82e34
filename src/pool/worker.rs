//! The life of a worker, and what a thread knows of being one.

use alloc::sync::Arc;
use core::cell::Cell;
use core::ptr;

use crossbeam_utils::CachePadded;

use super::crew::{Parked, Seat};
use super::job::Job;
use super::packet::State;
use super::runner::Runner;
use super::shared::Shared;
use crate::primitive::{Deadline, mutant, spin_loop, thread_locals, tuning};
use crate::raw::PopError;

/// A worker polls for this long before it goes to sleep, if a core has nothing better to do.
const SPIN_NANOS: u64 = 3_000;

/// Between two looks at the clock.
const POLLS: u32 = tuning(8, 0);

thread_locals! {
    /// The number of the pool whose worker this thread is or was; it may be asked for until the
    /// thread's last destructor has run.
    static POOL: Cell<u64> = Cell::new(0);
    /// The worker that this thread is at present.
    static WORKING: Cell<*const Worker> = Cell::new(ptr::null());
}

/// A worker, on the stack of its thread.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) seat: Arc<CachePadded<Seat>>,
    pub(super) index: usize,
    /// Whether it was started for a task that whoever did it has for it.
    reserved: bool,
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        seat: Arc<CachePadded<Seat>>,
        index: usize,
        reserved: bool,
    ) -> Self {
        Self { shared, seat, index, reserved }
    }

    /// The task that this worker was woken with, if any.
    pub(super) fn take_mail(&self) -> Option<Job> {
        // SAFETY: taken out of the stack or reserved, and woken, so the mailbox is this worker's.
        self.seat.mailbox.with_mut(|mailbox| unsafe { (*mailbox).take() })
    }

    /// Waits for the task that it was started for.
    fn first(&self) -> Option<Job> {
        if !self.reserved {
            return None;
        }
        // SAFETY: only this worker parks here.
        while !unsafe { self.seat.parker.park(Deadline::NEVER) } {}
        self.take_mail()
    }

    /// Calls `f` with the worker that the calling thread is, if it is one.
    pub(super) fn with<R>(f: impl FnOnce(&Self) -> R) -> Option<R> {
        let working = WORKING.try_with(Cell::get).ok()?;
        // SAFETY: set only while `work` has the worker on this thread's stack.
        unsafe { working.as_ref() }.map(f)
    }

    fn runner(&self) -> Runner<'_> {
        Runner::new(&self.shared, &self.seat.tally)
    }

    /// Runs a task; `false` if that has forked, and this is the child.
    #[inline]
    fn run(&self, job: Job) -> bool {
        job.run(&self.runner());
        !self.shared.is_forked()
    }

    /// How often to look at the queue between two looks at the clock, if looking is worth it.
    pub(super) fn may_spin(&self) -> Option<u32> {
        (POLLS != 0 && self.shared.has_idle_core()).then_some(POLLS)
    }

    /// Polls for a while. Whether there is something, or nothing any more.
    pub(super) fn spin(&self, polls: u32) -> bool {
        let end = Deadline::after(core::time::Duration::from_nanos(SPIN_NANOS));
        loop {
            for _ in 0..polls {
                if !self.shared.queue.seems_empty() {
                    return true;
                }
                spin_loop();
            }
            if end.has_passed() {
                return false;
            }
        }
    }
}

/// Whether the calling thread is, or was, a worker of this pool.
pub(super) fn is_of(pool: &Shared) -> bool {
    POOL.try_with(Cell::get).is_ok_and(|id| id == pool.id)
}

/// The life of a worker.
pub(super) fn work(worker: Worker) {
    let shared = &worker.shared;
    let _ = POOL.try_with(|pool| pool.set(shared.id));
    let _ = WORKING.try_with(|working| working.set(&raw const worker));
    worker.seat.badge.put_on();
    shared.recruiting.settle_in(&worker.runner(), worker.index, shared.hooks.as_deref());
    let mut own = worker.first();
    let mut searching = own.is_none();
    loop {
        let job = match own.take() {
            Some(job) => job,
            None => match shared.queue.pop() {
                Ok(job) => {
                    worker.found(&mut searching);
                    shared.took(&job);
                    job
                }
                Err(PopError::Closed) => {
                    worker.leave(searching);
                    break;
                }
                Err(PopError::Empty) => match worker.park(searching) {
                    Parked::Retired => break,
                    Parked::Woken(job) => {
                        searching = job.is_none();
                        own = job;
                        continue;
                    }
                },
            },
        };
        if !worker.run(job) {
            // The task forked and this is the child: the queue is the parent's, and the other
            // workers are not here. Leave everything as it is, and let this thread end.
            let _ = WORKING.try_with(|working| working.set(ptr::null()));
            core::mem::forget(worker);
            return;
        }
    }
    shared.recruiting.clear_out(&worker.runner(), worker.index, shared.hooks.as_deref());
    let _ = WORKING.try_with(|working| working.set(ptr::null()));
    shared.crew.dies(1);
}

/// Runs a task that somebody is about to wait for, if this is a worker of its pool and nobody has
/// started it: otherwise all workers might come to wait for what none is left to run.
pub(super) fn run_if_own(state: &State, run: impl FnOnce(&Runner<'_>) -> bool) {
    Worker::with(|worker| {
        let is_queued = !mutant!("worker.only-wait") && state.is_queued();
        if is_queued && state.belongs_to(&worker.shared) && !state.is_forked() {
            let runner = worker.runner();
            if run(&runner) {
                runner.tally.up(&runner.tally.inlined);
            }
        }
    });
}

/// Whether the calling thread is a worker of the pool of this task.
pub(super) fn is_own_task(state: &State) -> bool {
    Worker::with(|worker| state.belongs_to(&worker.shared)).unwrap_or(false)
}

/// Declares that `body` blocks: meanwhile the pool whose worker this is may have one worker more,
/// so that as many as before can work.
///
/// On a thread that is no worker, or once the pool has as many of these as it may
/// ([`Builder::max_blocked`](super::Builder::max_blocked)), it just calls `body`. Afterwards the
/// pool has one too many for a while: the next that finds nothing to do ends.
///
/// ```
/// use lockwork::pool::{ThreadPool, blocking};
/// use std::sync::mpsc::channel;
///
/// let pool = ThreadPool::builder().threads(1).build()?;
/// let (send, receive) = channel();
/// let waits = pool.submit(move || blocking(|| receive.recv().unwrap())).unwrap();
/// // The only thread sleeps; this task has another.
/// pool.execute(move || send.send("done").unwrap()).unwrap();
/// assert_eq!(waits.join().unwrap(), "done");
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[doc(alias("ManagedBlocker", "block_in_place"))]
pub fn blocking<R>(body: impl FnOnce() -> R) -> R {
    /// Takes the declaration back, also if `body` unwinds.
    struct Blocked(bool);
    impl Drop for Blocked {
        fn drop(&mut self) {
            if self.0 {
                Worker::with(|worker| {
                    if !worker.shared.is_forked() {
                        worker.shared.set_blocked(false);
                    }
                });
            }
        }
    }
    let declared =
        Worker::with(|worker| !worker.shared.is_forked() && worker.shared.set_blocked(true));
    let _blocked = Blocked(declared.unwrap_or(false));
    body()
}
