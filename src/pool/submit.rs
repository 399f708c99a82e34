//! `PoolHandle`: the ways to hand in a task.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use super::handle::JoinHandle;
use super::job::Job;
use super::packet::{self, Packet};
use super::reject::{RejectReason, Rejected, RejectionPolicy};
use super::shared::{Refused, Shared, Wish};
use super::snapshot::{Snapshot, WorkerInfo};
use crate::cancel::CancelToken;
use crate::primitive::Deadline;

/// The way to hand tasks to a [`ThreadPool`](super::ThreadPool): everything but ending it.
///
/// A pool is one of these by dereference; [`ThreadPool::handle`](super::ThreadPool::handle) gives
/// more, which do not keep the pool open: once it was shut down, or dropped, they get
/// [`RejectReason::ShutDown`].
///
/// # Which form?
///
/// | no room: | forget about it | have its result |
/// |---|---|---|
/// | what the [`RejectionPolicy`] says | [`execute`](Self::execute) | [`submit`](Self::submit) |
/// | give it back | [`try_execute`](Self::try_execute) | [`try_submit`](Self::try_submit) |
/// | wait for a time | [`execute_for`](Self::execute_for), [`execute_until`](Self::execute_until) | [`submit_for`](Self::submit_for), [`submit_until`](Self::submit_until) |
/// | wait | [`execute_blocking`](Self::execute_blocking) | [`submit_blocking`](Self::submit_blocking) |
/// | wait in a future | - | [`submit_async`](Self::submit_async) |
///
/// Many at once: [`submit_batch`](Self::submit_batch), [`invoke_all`](Self::invoke_all),
/// [`invoke_any`](Self::invoke_any). With a token: [`submit_with_token`](Self::submit_with_token).
///
/// # Waiting for room in a task of the same pool
///
/// A worker never waits for room in the queue of its own pool, which it might have to make itself:
/// it runs the new task at once instead. If 32 of these are inside each other, the task comes back
/// with [`RejectReason::WouldDeadlock`].
///
/// ```
/// use lockwork::pool::{PoolHandle, ThreadPool};
///
/// fn answer(pool: &PoolHandle) -> u32 {
///     pool.submit(|| 42).unwrap().join().unwrap()
/// }
///
/// let pool = ThreadPool::builder().threads(1).build()?;
/// assert_eq!(answer(&pool), 42);
/// let handle = pool.handle();
/// assert_eq!(std::thread::spawn(move || answer(&handle)).join().unwrap(), 42);
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[doc(alias("Executor", "ExecutorService"))]
#[derive(Clone)]
pub struct PoolHandle {
    pub(super) shared: Arc<Shared>,
}

// What unwinds through a call to a pool leaves its words and its queue as after any other call.
impl UnwindSafe for PoolHandle {}
impl RefUnwindSafe for PoolHandle {}

impl PoolHandle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Has `task` run, and forgets about it. If it panics, that is [counted](Self::panicked).
    /// Allocates nothing for a closure of at most 48 bytes (40 with
    /// [`Growth::OnDelay`](super::Growth::OnDelay)).
    ///
    /// What happens if there is no room is up to the [`RejectionPolicy`].
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
    #[inline]
    #[track_caller]
    pub fn execute<F>(&self, task: F) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.execute_as(task, Wish::Policy)
    }

    /// As [`execute`](Self::execute), whatever the policy: refuses if there is no room, never
    /// waits, runs nothing here and drops nothing.
    ///
    /// # Errors
    ///
    /// [`RejectReason::Full`] if there is no room, and as `execute`.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// pool.try_execute(|| ()).unwrap();
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "offer")]
    pub fn try_execute<F>(&self, task: F) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.execute_as(task, Wish::Try)
    }

    /// As [`execute`](Self::execute), whatever the policy: waits for room, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`RejectReason::TimedOut`], and as `execute`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// pool.execute_for(|| (), Duration::from_secs(1)).unwrap();
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn execute_for<F>(&self, task: F, timeout: Duration) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.execute_until(task, Deadline::after(timeout))
    }

    /// As [`execute_for`](Self::execute_for), until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As `execute_for`.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// pool.execute_until(|| (), Instant::now() + Duration::from_secs(1)).unwrap();
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn execute_until<F>(
        &self,
        task: F,
        deadline: impl Into<Deadline>,
    ) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.execute_as(task, Wish::Wait(deadline.into()))
    }

    /// As [`execute`](Self::execute), whatever the policy: waits for room.
    ///
    /// # Errors
    ///
    /// [`RejectReason::ShutDown`] if the pool is or was shut down, and as `execute`.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// pool.execute_blocking(|| ()).unwrap();
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "put")]
    #[track_caller]
    pub fn execute_blocking<F>(&self, task: F) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.execute_until(task, Deadline::NEVER)
    }

    /// Has `task` run, and returns the handle to its result. Allocates once.
    ///
    /// What happens if there is no room is up to the [`RejectionPolicy`].
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
    #[inline]
    #[track_caller]
    pub fn submit<F, T>(&self, task: F) -> Result<JoinHandle<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_as(Packet::new(task, &self.shared), Wish::Policy)
    }

    /// As [`submit`](Self::submit), whatever the policy: refuses if there is no room, never waits,
    /// runs nothing here and drops nothing.
    ///
    /// # Errors
    ///
    /// [`RejectReason::Full`] if there is no room, and as `submit`.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// assert_eq!(pool.try_submit(|| 5).unwrap().join().unwrap(), 5);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn try_submit<F, T>(&self, task: F) -> Result<JoinHandle<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_as(Packet::new(task, &self.shared), Wish::Try)
    }

    /// As [`submit`](Self::submit), whatever the policy: waits for room, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`RejectReason::TimedOut`], and as `submit`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// let task = pool.submit_for(|| 5, Duration::from_secs(1)).unwrap();
    /// assert_eq!(task.join().unwrap(), 5);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn submit_for<F, T>(&self, task: F, timeout: Duration) -> Result<JoinHandle<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_until(task, Deadline::after(timeout))
    }

    /// As [`submit_for`](Self::submit_for), until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As `submit_for`.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// let task = pool.submit_until(|| 5, Instant::now() + Duration::from_secs(1)).unwrap();
    /// assert_eq!(task.join().unwrap(), 5);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn submit_until<F, T>(
        &self,
        task: F,
        deadline: impl Into<Deadline>,
    ) -> Result<JoinHandle<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_as(Packet::new(task, &self.shared), Wish::Wait(deadline.into()))
    }

    /// As [`submit`](Self::submit), whatever the policy: waits for room.
    ///
    /// # Errors
    ///
    /// [`RejectReason::ShutDown`] if the pool is or was shut down, and as `submit`.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// assert_eq!(pool.submit_blocking(|| 5).unwrap().join().unwrap(), 5);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn submit_blocking<F, T>(&self, task: F) -> Result<JoinHandle<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_until(task, Deadline::NEVER)
    }

    /// As [`submit`](Self::submit), for a task whose [token](super::current_token) is cancelled
    /// when `token` is. If that comes before it starts, it is not run: a worker drops it when it is
    /// its turn, and its handle says [`CancelReason::Token`](super::CancelReason::Token).
    ///
    /// # Errors
    ///
    /// As `submit`.
    ///
    /// ```
    /// use lockwork::cancel::CancelToken;
    /// use lockwork::pool::{CancelReason, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// let token = CancelToken::new();
    /// token.cancel();
    /// let task = pool.submit_with_token(&token, || 5).unwrap();
    /// assert_eq!(task.join().unwrap_err().cancel_reason(), Some(CancelReason::Token));
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn submit_with_token<F, T>(
        &self,
        token: &CancelToken,
        task: F,
    ) -> Result<JoinHandle<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        if self.shared.is_forked() {
            return Err(self.rejected(RejectReason::Forked, task));
        }
        self.submit_as(Packet::with_token(task, &self.shared, token), Wish::Policy)
    }

    /// Submits many tasks, each as by [`submit`](Self::submit), and tells the workers once.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// let tasks = pool.submit_batch((0..10).map(|n| move || n * n));
    /// let squares = tasks.into_iter().map(|task| task.unwrap().join().unwrap());
    /// assert_eq!(squares.sum::<i32>(), 285);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn submit_batch<F, T>(
        &self,
        tasks: impl IntoIterator<Item = F>,
    ) -> Vec<Result<JoinHandle<T>, Rejected<F>>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        /// Tells the workers, also if making a task has unwound.
        struct Told<'a>(&'a Arc<Shared>);
        impl Drop for Told<'_> {
            fn drop(&mut self) {
                if !self.0.is_forked() {
                    self.0.signal();
                }
            }
        }
        let told = Told(&self.shared);
        let submit = |task| {
            let (packet, job) = packet::pair(Packet::new(task, &self.shared));
            let admitted = if self.shared.is_forked() {
                self.shared.admit(job, Wish::Policy)
            } else {
                self.shared.offer(job, false).or_else(|refused| {
                    // What waits for room, or for a thread, must not wait for those untold.
                    self.shared.signal();
                    self.shared.settle_refusal(refused, Wish::Policy)
                })
            };
            self.handle_or_closure(packet, admitted)
        };
        let handles = tasks.into_iter().map(submit).collect();
        drop(told);
        handles
    }

    #[inline]
    fn execute_as<F>(&self, task: F, wish: Wish) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        let stamped = self.shared.is_stamped();
        self.shared.admit(Job::detached(task, stamped), wish).map_err(|refused| {
            // SAFETY: made just above, and this is the job that came back.
            let task = unsafe { refused.job.into_closure::<F>(stamped) };
            self.rejected(refused.reason, task)
        })
    }

    #[inline]
    fn submit_as<F, T>(
        &self,
        packet: Packet<F, T>,
        wish: Wish,
    ) -> Result<JoinHandle<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (packet, job) = packet::pair(packet);
        let admitted = self.shared.admit(job, wish);
        self.handle_or_closure(packet, admitted)
    }

    #[inline]
    pub(super) fn handle_or_closure<F, T>(
        &self,
        packet: Arc<Packet<F, T>>,
        admitted: Result<(), Refused>,
    ) -> Result<JoinHandle<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match admitted {
            Ok(()) => Ok(JoinHandle::new(packet)),
            Err(refused) => {
                refused.job.forget();
                Err(self.rejected(refused.reason, Packet::into_closure(packet)))
            }
        }
    }

    #[cold]
    fn rejected<F>(&self, reason: RejectReason, task: F) -> Rejected<F> {
        Rejected::new(reason, self.shared.name.clone(), task)
    }

    /// What to do from now on with a task when there is no room.
    ///
    /// ```
    /// use lockwork::pool::{RejectionPolicy, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// assert_eq!(pool.rejection(), RejectionPolicy::Abort);
    /// pool.set_rejection(RejectionPolicy::Block);
    /// assert_eq!(pool.rejection(), RejectionPolicy::Block);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "setRejectedExecutionHandler")]
    pub fn set_rejection(&self, policy: RejectionPolicy) {
        if !self.shared.is_forked() {
            self.shared.set_policy(policy);
        }
    }

    /// What is done with a task when there is no room.
    ///
    /// ```
    /// # use lockwork::pool::{RejectionPolicy, ThreadPool};
    /// let pool = ThreadPool::builder().rejection(RejectionPolicy::CallerRuns).build()?;
    /// assert_eq!(pool.rejection(), RejectionPolicy::CallerRuns);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn rejection(&self) -> RejectionPolicy {
        if self.shared.is_forked() { RejectionPolicy::Abort } else { self.shared.policy() }
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
        !self.shared.is_forked() && self.shared.queue.is_closed()
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
        if self.shared.is_forked() { 0 } else { self.shared.queue.len() }
    }

    /// The number of tasks that the queue has room for: 0 if there is none, `usize::MAX` if it has
    /// no bound.
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

    /// The number of threads that there may be.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(3).build()?;
    /// assert_eq!(pool.threads(), 3);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "max_threads")]
    #[must_use]
    pub fn threads(&self) -> usize {
        if self.shared.is_forked() { 0 } else { self.shared.crew.limits().max }
    }

    /// The number of threads that stay when there is nothing to do.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().core_threads(1).max_threads(3).build()?;
    /// assert_eq!(pool.core_threads(), 1);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn core_threads(&self) -> usize {
        if self.shared.is_forked() { 0 } else { self.shared.crew.limits().core }
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
        if self.shared.is_forked() { 0 } else { self.shared.panicked() }
    }

    /// What the pool is doing, in numbers. In a child of `fork`, all are zero.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// assert_eq!(pool.snapshot().workers, 2);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("metrics", "stats", "getActiveCount", "getCompletedTaskCount"))]
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        if self.shared.is_forked() { Snapshot::default() } else { self.shared.snapshot() }
    }

    /// What each worker is doing. In a child of `fork` there are none.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// assert_eq!(pool.worker_info().len(), 2);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn worker_info(&self) -> Vec<WorkerInfo> {
        if self.shared.is_forked() { Vec::new() } else { self.shared.worker_info() }
    }
}

impl fmt::Debug for PoolHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("PoolHandle");
        debug.field("name", &self.name());
        self.show(&mut debug);
        debug.finish_non_exhaustive()
    }
}

impl PoolHandle {
    pub(super) fn show(&self, debug: &mut fmt::DebugStruct<'_, '_>) {
        if self.shared.is_forked() {
            debug.field("forked", &true);
            return;
        }
        debug
            .field("threads", &self.threads())
            .field("queued", &self.queued())
            .field("queue_capacity", &self.queue_capacity())
            .field("panicked", &self.panicked())
            .field("shutdown", &self.is_shutdown());
    }
}
