//! What happens to a task that does not fit, and what comes back.

use alloc::sync::Arc;
use core::fmt;

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
