//! What happens to a task that does not fit, and what comes back.

use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use super::shared::Shared;

/// What a pool does with a task when its queue is full.
///
/// A pool that was shut down refuses, whatever the policy.
///
/// ```
/// use lockwork::pool::{RejectionPolicy, ThreadPool};
///
/// // A walker that fills the queue faster than two threads empty it is made to help.
/// let pool = ThreadPool::builder()
///     .threads(2)
///     .queue_capacity(4)
///     .rejection(RejectionPolicy::CallerRuns)
///     .build()?;
/// for _ in 0..100 {
///     pool.execute(|| ()).expect("never refused while the pool is open");
/// }
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[allow(
    unpredictable_function_pointer_comparisons,
    reason = "two policies that differ may be equal"
)]
#[non_exhaustive]
pub enum RejectionPolicy {
    /// Refuse: the caller gets the closure back with [`RejectReason::Full`].
    #[default]
    #[doc(alias = "AbortPolicy")]
    Abort,
    /// Run the task on the caller, which slows it down to what the pool can take. A panic is
    /// caught, as on a worker. If 32 such calls are nested already, refuse.
    #[doc(alias = "CallerRunsPolicy")]
    CallerRuns,
    /// Wait for room. A task of the same pool does not wait, as the room might have to be made by
    /// itself: it runs the new task at once, or, if 32 such calls are nested already, is refused
    /// with
    /// [`RejectReason::WouldDeadlock`].
    Block,
    /// Accept the task and drop it un-run; its handle says so.
    #[doc(alias = "DiscardPolicy")]
    Discard,
    /// Drop the oldest task in the queue un-run, whose handle says so, and try again. If others
    /// take the room eight times in a row, refuse.
    #[doc(alias = "DiscardOldestPolicy")]
    DiscardOldest,
    /// As [`Block`](Self::Block), for at most this long; then refuse with
    /// [`RejectReason::TimedOut`].
    BlockFor(Duration),
    /// Ask this function, on the submitting thread, once for each task that finds no room. It never
    /// has the task, so it cannot lose it. If it panics, the task is refused.
    #[doc(alias = "RejectedExecutionHandler")]
    Custom(fn(&RejectInfo<'_>) -> RejectAction),
}

/// What a [`RejectionPolicy::Custom`] decides.
///
/// ```
/// use lockwork::pool::{RejectAction, RejectInfo, RejectionPolicy, ThreadPool};
///
/// /// Keeps a short queue to itself, and makes callers help with a long one.
/// fn choose(info: &RejectInfo<'_>) -> RejectAction {
///     if info.capacity() < 10 { RejectAction::Abort } else { RejectAction::CallerRuns }
/// }
///
/// let pool = ThreadPool::builder()
///     .threads(1)
///     .queue_capacity(64)
///     .rejection(RejectionPolicy::Custom(choose))
///     .build()?;
/// for _ in 0..1000 {
///     pool.execute(|| ()).unwrap();
/// }
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectAction {
    /// As [`RejectionPolicy::Abort`].
    Abort,
    /// As [`RejectionPolicy::CallerRuns`].
    CallerRuns,
    /// As [`RejectionPolicy::Block`].
    Block,
    /// As [`RejectionPolicy::BlockFor`].
    BlockFor(Duration),
    /// As [`RejectionPolicy::Discard`].
    Discard,
    /// As [`RejectionPolicy::DiscardOldest`].
    DiscardOldest,
}

impl RejectAction {
    pub(super) fn as_policy(self) -> RejectionPolicy {
        match self {
            Self::Abort => RejectionPolicy::Abort,
            Self::CallerRuns => RejectionPolicy::CallerRuns,
            Self::Block => RejectionPolicy::Block,
            Self::BlockFor(timeout) => RejectionPolicy::BlockFor(timeout),
            Self::Discard => RejectionPolicy::Discard,
            Self::DiscardOldest => RejectionPolicy::DiscardOldest,
        }
    }
}

/// What a [`RejectionPolicy::Custom`] is told; see [`RejectAction`].
#[derive(Debug)]
pub struct RejectInfo<'a> {
    pool: &'a str,
    reason: RejectReason,
    queued: usize,
    capacity: usize,
}

impl<'a> RejectInfo<'a> {
    pub(super) fn new(pool: &'a Shared, reason: RejectReason) -> Self {
        let (queued, capacity) = (pool.queue.len(), pool.queue.capacity());
        Self { pool: &pool.name, reason, queued, capacity }
    }

    /// The name of the pool.
    #[must_use]
    pub fn pool(&self) -> &str {
        self.pool
    }

    /// Why the task was not accepted: [`RejectReason::Full`] or [`RejectReason::SpawnFailed`].
    #[must_use]
    pub fn reason(&self) -> RejectReason {
        self.reason
    }

    /// How many tasks are queued at this moment.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// How many the queue has room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }
}

/// Why a pool refused a task.
///
/// ```
/// use lockwork::pool::{RejectReason, ThreadPool};
///
/// let pool = ThreadPool::builder().threads(1).build()?;
/// pool.shutdown();
/// match pool.execute(|| ()).unwrap_err().reason() {
///     RejectReason::Full { capacity } => panic!("{capacity} tasks wait already"),
///     reason => assert_eq!(reason, RejectReason::ShutDown),
/// }
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectReason {
    /// The queue was full.
    Full {
        /// The capacity of the queue.
        capacity: usize,
    },
    /// The pool was shut down.
    ShutDown,
    /// There was no room in time.
    TimedOut,
    /// There was no room, and the thread that would have been added for the task could not be
    /// started.
    SpawnFailed {
        /// The system's error number, usually `EAGAIN`; 0 if it was no error of the system's.
        code: i32,
    },
    /// A task of this pool may not wait for room in it.
    WouldDeadlock,
    /// This is a child of the process that built the pool, and has none of its threads.
    Forked,
}

/// A task that was refused: the closure, un-run, and why.
///
/// ```
/// use lockwork::pool::{RejectReason, ThreadPool};
///
/// let pool = ThreadPool::builder().name("io").threads(1).build()?;
/// pool.shutdown();
/// let text = String::from("moved in");
/// let refused = pool.submit(move || text.len()).unwrap_err();
/// assert_eq!(refused.to_string(), "task rejected: pool \"io\" was shut down");
/// assert_eq!(refused.into_inner()(), 8);
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[must_use = "the closure is in here, un-run"]
pub struct Rejected<F> {
    reason: RejectReason,
    pool: Arc<str>,
    task: F,
}

impl<F> Rejected<F> {
    pub(super) fn new(reason: RejectReason, pool: Arc<str>, task: F) -> Self {
        Self { reason, pool, task }
    }

    /// Why the task was refused.
    ///
    /// ```
    /// # use lockwork::pool::{RejectReason, ThreadPool};
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// pool.shutdown();
    /// assert_eq!(pool.execute(|| ()).unwrap_err().reason(), RejectReason::ShutDown);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn reason(&self) -> RejectReason {
        self.reason
    }

    /// The closure.
    ///
    /// ```
    /// # use lockwork::pool::ThreadPool;
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// pool.shutdown();
    /// let task = pool.submit(|| 7).unwrap_err().into_inner();
    /// assert_eq!(task(), 7);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn into_inner(self) -> F {
        self.task
    }
}

impl<F> fmt::Debug for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("reason", &self.reason)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Display for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pool = &self.pool;
        match self.reason {
            RejectReason::Full { capacity } => {
                write!(
                    f,
                    "task rejected: queue of pool {pool:?} is full ({capacity} of {capacity})"
                )
            }
            RejectReason::ShutDown => write!(f, "task rejected: pool {pool:?} was shut down"),
            RejectReason::TimedOut => {
                write!(f, "task rejected: queue of pool {pool:?} stayed full until the deadline")
            }
            RejectReason::SpawnFailed { code } => write!(
                f,
                "task rejected: pool {pool:?} could not start a thread: {}",
                std::io::Error::from_raw_os_error(code)
            ),
            RejectReason::WouldDeadlock => write!(
                f,
                "task rejected: queue of pool {pool:?} is full and its own tasks may not wait"
            ),
            RejectReason::Forked => {
                write!(f, "task rejected: pool {pool:?} was built before this process was forked")
            }
        }
    }
}

impl<F> core::error::Error for Rejected<F> {}
