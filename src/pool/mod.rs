//! A bounded thread pool that can refuse work.
//!
//! A [`ThreadPool`] has a number of threads and a queue of fixed capacity. When the queue is full,
//! the [`RejectionPolicy`] decides: refuse, run the task on the caller, wait, or discard. What is
//! refused comes back, un-run and with its own type, in [`Rejected`]; what is accepted resolves its
//! [`JoinHandle`], whatever happens to it.
//!
//! ```
//! use lockwork::pool::{RejectionPolicy, ThreadPool};
//!
//! let pool = ThreadPool::builder()
//!     .name("squares")
//!     .threads(2)
//!     .queue_capacity(16)
//!     .rejection(RejectionPolicy::CallerRuns)
//!     .build()?;
//! let handles: Vec<_> = (0..100_u64)
//!     .map(|n| pool.submit(move || n * n).expect("the caller runs what does not fit"))
//!     .collect();
//! let sum: u64 = handles.into_iter().map(|handle| handle.join().unwrap()).sum();
//! assert_eq!(sum, 328_350);
//! # Ok::<(), lockwork::pool::BuildError>(())
//! ```
//!
//! # A task's way
//!
//! ```text
//!                    +--> Err(Rejected { reason, task })          the closure comes back
//!  execute, submit --+--> queue --> worker runs it ---------+
//!                    +--> run on the caller ----------------+--> handle: value or panic
//!                    +--> discarded, now or later ----------+--> handle: cancelled
//! ```
//!
//! # Panics
//!
//! Every task runs inside `catch_unwind`. The worker survives; the payload goes to the handle, or
//! is dropped and counted if there is none. With `panic = "abort"` a panic ends the process, as
//! everywhere.
//!
//! # Ending
//!
//! [`shutdown`](ThreadPool::shutdown) refuses new tasks; those accepted still run.
//! [`shutdown_now`](ThreadPool::shutdown_now) gives those back that have not started. Dropping the
//! pool shuts it down, waits until the queue is drained, and joins the threads, destructors of
//! thread locals included.
//!
//! # Tracing
//!
//! With feature `tracing`, each task runs in a span of its own, on the thread that runs it: `task`,
//! at level `DEBUG`, of target `lockwork::pool`, with the fields `pool` (the name), `has_handle`
//! and `end` (`completed` or `panicked`, once it is known). Hooks around the task are inside. The
//! span's parent is what that thread is in, which on a worker is nothing; a task that should be
//! seen below its submitter takes the submitter's span along:
//!
#![cfg_attr(feature = "tracing", doc = "```")]
#![cfg_attr(not(feature = "tracing"), doc = "```text")]
//! use lockwork::pool::ThreadPool;
//!
//! let pool = ThreadPool::builder().name("io").threads(1).build()?;
//! let request = tracing::info_span!("request", id = 7);
//! let task = pool.submit(move || request.in_scope(|| tracing::info!("in task and request")));
//! task.unwrap().join().unwrap();
//! # Ok::<(), lockwork::pool::BuildError>(())
//! ```
//!
//! A subscriber that panics is treated like a hook that does.
//!
//! # Fork
//!
//! The threads of a pool do not exist in a child of `fork`. There, submitting gives
//! [`RejectReason::Forked`], joining an unfinished task gives [`CancelReason::Forked`], and
//! dropping the pool leaks it: nothing waits for what cannot come. If it was a task that forked,
//! the thread it runs on in the child ends when the task returns.
//!
//! How it works, and the proof that it loses no task: [`inside`].

#[cfg(any(doc, doctest))]
#[doc = include_str!("README.md")]
pub mod inside {}

mod batch;
mod builder;
mod crew;
mod ending;
mod handle;
mod hooks;
mod job;
mod packet;
mod queue;
mod recruiting;
mod reject;
mod room;
mod runner;
mod shared;
mod signal;
pub mod sizing;
mod snapshot;
#[cfg(feature = "tracing")]
mod spans;
mod submit;
mod submit_async;
mod worker;

pub use batch::{AsCompleted, InvokeError, as_completed};
pub use builder::{BuildError, Builder, Growth, Prestart};
pub use ending::{StillRunning, Unrun};
pub use handle::{Cancel, CancelOnDrop, CancelReason, JoinError, JoinHandle};
pub use hooks::TaskEnd;
pub use recruiting::SignalMask;
pub use reject::{RejectAction, RejectInfo, RejectReason, Rejected, RejectionPolicy};
pub use runner::current_token;
pub use signal::{
    InvalidSignal, Signal, SignalSet, SignalThread, reset_sigmask, with_original_sigmask,
};
pub use snapshot::{Snapshot, WorkerInfo};
pub use submit::PoolHandle;
pub use submit_async::SubmitAsync;
pub use worker::blocking;

use alloc::sync::Arc;
use core::fmt;
use core::ops::Deref;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use crate::sync::Mutex;
use shared::Shared;

/// Threads that run tasks from a queue, and end when this is dropped.
///
/// Made by [`ThreadPool::builder`]. Tasks are handed in by the methods of [`PoolHandle`], which it
/// has too. The owner submits through a shared reference, so a pool may be put in an `Arc` or
/// borrowed by scoped threads.
///
/// # Ordering
///
/// Tasks start in the order in which they were queued. A task that goes to a thread of its own, or
/// that the caller runs, because the policy says so, overtakes the queue.
///
/// # Memory ordering
///
/// Everything done before a submission happens before the task starts; everything the task does
/// happens before the return of the `join` that hands over its result, and, if a worker ran it,
/// before the return of [`await_termination`](Self::await_termination).
///
/// # Deadlocks
///
/// A task that joins another of the same pool that has not started runs it itself, so tasks may
/// join what they submitted on any number of threads. A task that waits for another by other means,
/// such as a channel, may wait for ever for a thread; [`blocking`] gives the pool one more
/// meanwhile. And a task that the policy or a join runs inside another suspends that one: it must
/// neither need a lock that the other holds nor join it.
///
/// # Differences
///
/// From `java.util.concurrent.ThreadPoolExecutor`: a bounded queue unless one says otherwise;
/// threads are added before tasks queue up, and idle ones are used before any is added; refused
/// closures come back; discarded tasks, and those that [`shutdown_now`](Self::shutdown_now) gives
/// back, resolve their handles; a shut down pool refuses also under `CallerRuns` and does not drop
/// silently; core threads are there from the beginning; hooks that panic do no harm; `remove` is
/// [`JoinHandle::cancel`], and the place in the queue stays taken until a worker comes by. From
/// `threadpool` and `rayon::spawn`: bounded, handles, panics are handed over and do not abort. From
/// tokio's `spawn_blocking`: bounded, refuses, and a task that was not started can be given back.
///
/// # Examples
///
/// ```
/// use lockwork::pool::ThreadPool;
///
/// let pool = ThreadPool::builder().threads(2).build()?;
/// let answer = pool.submit(|| 6 * 7).unwrap();
/// assert_eq!(answer.join().unwrap(), 42);
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[doc(alias(
    "ThreadPoolExecutor",
    "ExecutorService",
    "executor",
    "spawn_blocking",
    "backpressure"
))]
pub struct ThreadPool {
    handle: PoolHandle,
    /// Whether the threads were joined. Held by who joins them.
    terminated: Mutex<bool>,
    /// Nobody waits for the threads when this is dropped.
    left_alone: bool,
}

// What unwinds through a call to a pool leaves its words and its queue as after any other call.
impl UnwindSafe for ThreadPool {}
impl RefUnwindSafe for ThreadPool {}

impl ThreadPool {
    /// Starts the description of a pool.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }

    fn new(shared: Arc<Shared>) -> Self {
        Self { handle: PoolHandle::new(shared), terminated: Mutex::new(false), left_alone: false }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    fn terminated(&self) -> &Mutex<bool> {
        &self.terminated
    }

    fn leave_alone(mut self) {
        self.left_alone = true;
    }

    /// One more way to hand tasks in. It does not keep the pool open.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// let handle = pool.handle();
    /// assert_eq!(handle.submit(|| 5).unwrap().join().unwrap(), 5);
    /// drop(pool);
    /// assert!(handle.submit(|| 5).is_err());
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> PoolHandle {
        self.handle.clone()
    }

    /// Changes the number of core threads. More of them are started at once, as far as tasks are
    /// queued; fewer are left when the others have nothing to do.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if that is more than there may be at the most. Nothing is changed then; so
    /// with the other setters.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().core_threads(1).max_threads(4).build()?;
    /// pool.set_core_threads(3)?;
    /// assert!(pool.set_core_threads(5).is_err());
    /// assert_eq!(pool.core_threads(), 3);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "setCorePoolSize")]
    pub fn set_core_threads(&self, threads: usize) -> Result<(), BuildError> {
        self.set_limits(|limits| limits.core = threads)
    }

    /// Changes the number of threads that there may be. Those that are too many end when they have
    /// nothing to do.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if that is zero, or less than the core threads.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().core_threads(1).max_threads(4).build()?;
    /// pool.set_max_threads(8)?;
    /// assert_eq!(pool.threads(), 8);
    /// assert!(pool.set_max_threads(0).is_err());
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "setMaximumPoolSize")]
    pub fn set_max_threads(&self, threads: usize) -> Result<(), BuildError> {
        self.set_limits(|limits| limits.max = threads)
    }

    /// Changes both numbers, in one step.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if `max` is zero, or less than `core`.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// pool.resize(4, 8)?;
    /// assert_eq!((pool.core_threads(), pool.threads()), (4, 8));
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn resize(&self, core: usize, max: usize) -> Result<(), BuildError> {
        self.set_limits(|limits| (limits.core, limits.max) = (core, max))
    }

    /// Changes how long a thread above the core threads is idle before it ends.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if that is zero, and core threads time out too.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// pool.set_idle_timeout(Duration::from_secs(1))?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "setKeepAliveTime")]
    pub fn set_idle_timeout(&self, timeout: Duration) -> Result<(), BuildError> {
        self.set_limits(|limits| limits.idle_timeout = timeout)
    }

    /// Changes whether core threads end too when they have been idle for long. A pool that was
    /// built with core threads that do not keeps the last one.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if they are to, and the time is zero.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// pool.set_core_timeout(true)?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "allowCoreThreadTimeOut")]
    pub fn set_core_timeout(&self, timeout: bool) -> Result<(), BuildError> {
        self.set_limits(|limits| limits.core_timeout = timeout)
    }

    fn set_limits(&self, change: impl FnOnce(&mut crew::Limits)) -> Result<(), BuildError> {
        if self.shared().is_forked() {
            return Ok(());
        }
        let problem = |problem| BuildError::config(self.shared().name.clone(), problem);
        self.shared().set_limits(change).map_err(problem)
    }

    /// Starts one core thread, if there are fewer than there should be; whether it did.
    ///
    /// ```
    /// use lockwork::pool::{Prestart, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().threads(1).prestart(Prestart::None).build()?;
    /// assert!(pool.prestart_core_thread());
    /// assert!(!pool.prestart_core_thread());
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "prestartCoreThread")]
    pub fn prestart_core_thread(&self) -> bool {
        if self.shared().is_forked() {
            return false;
        }
        let there = self.shared().crew.numbers()[0];
        let wanted = self.core_threads().min(there + 1);
        matches!(self.shared().prestart(wanted), Ok(1..))
    }

    /// Starts the core threads that are not there; how many it has started.
    ///
    /// ```
    /// use lockwork::pool::{Prestart, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().threads(3).prestart(Prestart::None).build()?;
    /// assert_eq!(pool.prestart_all_core_threads(), 3);
    /// assert_eq!(pool.prestart_all_core_threads(), 0);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "prestartAllCoreThreads")]
    pub fn prestart_all_core_threads(&self) -> usize {
        if self.shared().is_forked() {
            return 0;
        }
        match self.shared().prestart(self.core_threads()) {
            Ok(started) | Err((started, _)) => started,
        }
    }
}

impl Deref for ThreadPool {
    type Target = PoolHandle;

    fn deref(&self) -> &PoolHandle {
        &self.handle
    }
}

impl Drop for ThreadPool {
    /// Refuses tasks, waits until those accepted have run, and joins the threads.
    ///
    /// In one of its own tasks it does not wait: the threads end by themselves once the queue is
    /// drained. In a child of `fork` it leaks the pool.
    fn drop(&mut self) {
        if self.shared().is_forked() {
            // The handles name threads that are not here, and the queue may be in the middle of
            // what one of them did.
            core::mem::forget(self.shared().clone());
            return;
        }
        self.shutdown();
        if !self.left_alone && !self.shared().is_own_worker() {
            self.await_termination();
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ThreadPool");
        debug.field("name", &self.name());
        self.handle.show(&mut debug);
        debug.finish_non_exhaustive()
    }
}
