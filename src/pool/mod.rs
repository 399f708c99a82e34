//! A bounded thread pool that can refuse work.
//!
//! A [`ThreadPool`] has a fixed number of threads and a queue of fixed capacity. When the queue is
//! full, the [`RejectionPolicy`] decides: refuse, run the task on the caller, wait, or discard.
//! What is refused comes back, un-run and with its own type, in [`Rejected`]; what is accepted
//! resolves its [`JoinHandle`], whatever happens to it.
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
//! [`shutdown`](ThreadPool::shutdown) refuses new tasks; those accepted still run. Dropping the
//! pool does that, waits until the queue is drained, and joins the threads, destructors of thread
//! locals included.
//!
//! # Fork
//!
//! The threads of a pool do not exist in a child of `fork`. There, submitting gives
//! [`RejectReason::Forked`], joining an unfinished task gives [`CancelReason::Forked`], and
//! dropping the pool leaks it: nothing waits for what cannot come. If it was a task that forked,
//! the thread it runs on in the child ends when the task returns.

mod builder;
mod handle;
mod packet;
mod reject;
mod signal;
pub mod sizing;
mod worker;

pub use builder::{BuildError, Builder};
pub use handle::{Cancel, CancelReason, JoinError, JoinHandle};
pub use reject::{RejectReason, Rejected, RejectionPolicy};
pub use signal::{
    InvalidSignal, Signal, SignalSet, SignalThread, reset_sigmask, with_original_sigmask,
};

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use crate::primitive::{Deadline, thread};
use crate::sync::Mutex;
use packet::{Packet, Task};
use worker::Shared;

/// A fixed number of threads that run tasks from a bounded queue.
///
/// Made by [`ThreadPool::builder`]. The owner submits through a shared reference, so a pool may be
/// put in an `Arc` or borrowed by scoped threads; when it is dropped, it ends.
///
/// # Ordering
///
/// Tasks start in the order in which they were queued. A task that the caller runs, because the
/// policy says so, overtakes the queue.
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
/// such as a channel, may wait for ever for a thread. And a task that the policy or a join runs
/// inside another suspends that one: it must neither need a lock that the other holds nor join it.
///
/// # Differences
///
/// From `java.util.concurrent.ThreadPoolExecutor`: fixed size, a bounded queue always; refused
/// closures come back; discarded tasks resolve their handles; a shut down pool refuses also under
/// `CallerRuns` instead of dropping silently. From `threadpool` and `rayon::spawn`: bounded,
/// handles, panics are handed over.
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
    shared: Arc<Shared>,
    /// The threads not yet joined.
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
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

    /// Has `task` run, and forgets about it. If it panics, that is [counted](Self::panicked).
    ///
    /// What happens if the queue is full is up to the [`RejectionPolicy`].
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the closure, for the reasons in [`RejectReason`]. The task has not run
    /// and will not.
    ///
    /// ```
    /// use lockwork::pool::ThreadPool;
    /// use std::sync::mpsc::channel;
    ///
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// let (sender, receiver) = channel();
    /// pool.execute(move || sender.send("done").unwrap()).unwrap();
    /// assert_eq!(receiver.recv(), Ok("done"));
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("spawn", "spawn_fifo"))]
    #[track_caller]
    pub fn execute<F>(&self, task: F) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        // Not a plain drop: a task that has panicked already leaves its payload to the last owner.
        self.admit(task).map(|packet| worker::drop_task(packet))
    }

    /// Has `task` run, and returns the handle to its result.
    ///
    /// What happens if the queue is full is up to the [`RejectionPolicy`].
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the closure, for the reasons in [`RejectReason`]. The task has not run
    /// and will not.
    ///
    /// ```
    /// use lockwork::pool::{RejectReason, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// assert_eq!(pool.submit(|| 1).unwrap().join().unwrap(), 1);
    ///
    /// pool.shutdown();
    /// let refused = pool.submit(|| 2).unwrap_err();
    /// assert_eq!(refused.reason(), RejectReason::ShutDown);
    /// assert_eq!(refused.into_inner()(), 2, "run here instead");
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn submit<F, T>(&self, task: F) -> Result<JoinHandle<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.admit(task).map(|packet| JoinHandle::new(packet))
    }

    fn admit<F, T>(&self, task: F) -> Result<Arc<Packet<F, T>>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let packet = Arc::new(Packet::new(task, &self.shared));
        let queued: Task = packet.clone();
        match self.shared.admit(queued) {
            Ok(()) => Ok(packet),
            Err(reason) => {
                let task = Packet::into_closure(packet);
                Err(Rejected::new(reason, self.shared.name.clone(), task))
            }
        }
    }

    /// Refuses tasks from now on. Those accepted before will still run. Returns at once.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// pool.shutdown();
    /// assert!(pool.execute(|| ()).is_err());
    /// pool.await_termination();
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "close")]
    pub fn shutdown(&self) {
        if !self.shared.is_forked() {
            self.shared.queue.close();
        }
    }

    /// Waits until the pool was shut down, the tasks it had queued have run, and its threads are
    /// joined. Tasks that the policy has other threads run are theirs to wait for.
    ///
    /// Does not shut it down: somebody has to. In a child of `fork` it returns at once.
    ///
    /// # Panics
    ///
    /// If called by a task of this pool, which would wait for itself.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// pool.shutdown();
    /// pool.await_termination();
    /// assert!(pool.is_terminated());
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn await_termination(&self) {
        self.await_termination_until(Deadline::NEVER);
    }

    /// As [`await_termination`](Self::await_termination), for at most `timeout`; `false` if the
    /// time was up first.
    ///
    /// # Panics
    ///
    /// If called by a task of this pool.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// assert!(!pool.await_termination_for(Duration::from_millis(1)), "nobody shut it down");
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn await_termination_for(&self, timeout: Duration) -> bool {
        self.await_termination_until(Deadline::after(timeout))
    }

    /// As [`await_termination`](Self::await_termination), until `deadline` at the latest; `false`
    /// if the time was up first.
    ///
    /// The deadline bounds the wait for the tasks. Destructors of the workers' thread locals that
    /// take their time come on top.
    ///
    /// In a child of `fork` the threads do not exist, and the answer is `false` at once.
    ///
    /// # Panics
    ///
    /// If called by a task of this pool.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// pool.shutdown();
    /// assert!(pool.await_termination_until(Instant::now() + Duration::from_secs(60)));
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn await_termination_until(&self, deadline: impl Into<Deadline>) -> bool {
        if self.shared.is_forked() {
            return false;
        }
        assert!(
            !self.shared.is_own_worker(),
            "lockwork: a task waits for the end of its own pool \"{}\"; let another thread do it",
            self.shared.name
        );
        let deadline = deadline.into();
        self.shared.await_workers(deadline) && self.join_threads(deadline)
    }

    /// Joins the threads, all of which have done their last task.
    fn join_threads(&self, deadline: Deadline) -> bool {
        let Some(mut threads) = self.threads.try_lock_until(deadline) else {
            return false; // another thread is at it
        };
        for thread in threads.drain(..) {
            // A worker catches what its tasks throw; what a destructor of a thread local throws
            // ends the process before it comes here.
            let _ = thread.join();
        }
        true
    }

    /// Whether tasks are refused because the pool was shut down.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// assert!(!pool.is_shutdown());
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn is_shutdown(&self) -> bool {
        self.shared.queue.is_closed()
    }

    /// Whether the pool was shut down, the tasks it had queued have run, and its threads are
    /// joined. If only the joining is left to do, does it.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// assert!(!pool.is_terminated());
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        !self.shared.is_own_worker() && self.await_termination_until(Deadline::now())
    }

    /// The number of places taken in the queue at this moment. Tasks that were cancelled, or that a
    /// join ran ahead of the queue, keep theirs until a worker comes by.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// assert!(pool.queued() <= pool.queue_capacity());
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.queue.len()
    }

    /// The number of tasks that the queue has room for.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).queue_capacity(9).build()?;
    /// assert_eq!(pool.queue_capacity(), 9);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn queue_capacity(&self) -> usize {
        self.shared.queue.capacity()
    }

    /// The number of threads the pool was built with.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(3).build()?;
    /// assert_eq!(pool.threads(), 3);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn threads(&self) -> usize {
        self.shared.threads
    }

    /// The name of the pool.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().name("io").threads(1).build()?;
    /// assert_eq!(pool.name(), "io");
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// How many tasks have panicked so far, wherever they ran, including those whose closure
    /// panicked while a policy dropped it un-run.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// pool.submit(|| panic!("on purpose")).unwrap().join().unwrap_err();
    /// assert_eq!(pool.panicked(), 1);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn panicked(&self) -> u64 {
        self.shared.panicked()
    }
}

impl Drop for ThreadPool {
    /// Refuses tasks, waits until those accepted have run, and joins the threads.
    ///
    /// In one of its own tasks it does not wait: the threads end by themselves once the queue is
    /// drained. In a child of `fork` it leaks the pool.
    fn drop(&mut self) {
        if self.shared.is_forked() {
            // The handles name threads that are not here, and the queue may be in the middle of
            // what one of them did.
            core::mem::forget(core::mem::take(self.threads.get_mut()));
            core::mem::forget(self.shared.clone());
            return;
        }
        self.shutdown();
        if !self.shared.is_own_worker() {
            self.await_termination();
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("name", &self.name())
            .field("threads", &self.threads())
            .field("queued", &self.queued())
            .field("queue_capacity", &self.queue_capacity())
            .field("panicked", &self.panicked())
            .field("shutdown", &self.is_shutdown())
            .finish_non_exhaustive()
    }
}
