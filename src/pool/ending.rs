//! How a pool ends.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::ThreadPool;
use super::handle::CancelReason;
use super::job::Closure;
use super::shared::Shared;
use crate::primitive::Deadline;

/// Closures that [`ThreadPool::shutdown_now`] has found in the queue, un-run, in the order in which
/// they were to run. Their handles, where there are any, have resolved; what they return when they
/// are called goes nowhere.
///
/// ```
/// use lockwork::pool::ThreadPool;
///
/// let pool = ThreadPool::builder().threads(1).build()?;
/// for task in pool.shutdown_now() {
///     task(); // here, instead
/// }
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[must_use = "the closures are in here, un-run"]
#[derive(Default)]
pub struct Unrun {
    tasks: Vec<Closure>,
}

impl Unrun {
    /// How many there are.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// assert_eq!(pool.shutdown_now().len(), 0);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there is none.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// assert!(pool.shutdown_now().is_empty());
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl IntoIterator for Unrun {
    type Item = Closure;
    type IntoIter = alloc::vec::IntoIter<Closure>;

    fn into_iter(self) -> Self::IntoIter {
        self.tasks.into_iter()
    }
}

impl fmt::Debug for Unrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unrun").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// A pool that had not come to its end in time: [`ThreadPool::close_timeout`].
///
/// ```
/// use lockwork::pool::ThreadPool;
/// use std::sync::mpsc::channel;
/// use std::time::Duration;
///
/// let pool = ThreadPool::builder().name("io").threads(1).build()?;
/// let (open, gate) = channel::<()>();
/// let (started, starts) = channel();
/// pool.execute(move || {
///     started.send(()).unwrap();
///     let _ = gate.recv();
/// })
/// .unwrap();
/// starts.recv().unwrap();
/// let running = pool.close_timeout(Duration::from_millis(1)).unwrap_err();
/// assert_eq!(running.to_string(), "pool \"io\" has not ended in time: io-0 still runs");
/// drop(open);
/// running.into_pool().await_termination();
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[must_use = "the pool is in here; dropping it does not wait"]
pub struct StillRunning {
    pool: Option<ThreadPool>,
    names: Vec<String>,
}

impl StillRunning {
    /// The names of the threads that still ran a task.
    ///
    /// ```
    /// # use lockwork::pool::ThreadPool;
    /// # use std::time::Duration;
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// if let Err(running) = pool.close_timeout(Duration::from_secs(60)) {
    ///     panic!("{:?}", running.names());
    /// }
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The pool, to wait for it. If this is dropped instead, its threads end by themselves.
    #[must_use]
    pub fn into_pool(mut self) -> ThreadPool {
        match self.pool.take() {
            Some(pool) => pool,
            None => unreachable!("taken only here"),
        }
    }
}

impl Drop for StillRunning {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.leave_alone();
        }
    }
}

impl fmt::Debug for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StillRunning").field("names", &self.names).finish_non_exhaustive()
    }
}

impl fmt::Display for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pool = self.pool.as_ref().map_or("", |pool| pool.name());
        write!(f, "pool {pool:?} has not ended in time: ")?;
        match &*self.names {
            [] => f.write_str("its threads are about to end"),
            [one] => write!(f, "{one} still runs"),
            names => write!(f, "{} still run", names.join(", ")),
        }
    }
}

impl core::error::Error for StillRunning {}

impl ThreadPool {
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
        if !self.shared().is_forked() {
            self.shared().close();
        }
    }

    /// Refuses tasks from now on, and gives back those that are queued. Their handles resolve at
    /// once, with [`CancelReason::PoolShutdown`]. Tasks that run already go on, with their
    /// [tokens](super::current_token) cancelled. Does not wait for them.
    ///
    /// # Panics
    ///
    /// If what was registered with one of the tokens panics; the pool is shut down all the same,
    /// and the closures are dropped.
    ///
    /// ```
    /// use lockwork::pool::{CancelReason, ThreadPool};
    /// use std::sync::mpsc::channel;
    ///
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// let (started, starts) = channel();
    /// let (open, gate) = channel::<()>();
    /// pool.execute(move || {
    ///     started.send(()).unwrap();
    ///     let _ = gate.recv();
    /// })
    /// .unwrap();
    /// starts.recv().unwrap();
    /// let queued = pool.submit(|| 5).unwrap();
    ///
    /// let unrun = pool.shutdown_now();
    /// assert_eq!(unrun.len(), 1);
    /// assert_eq!(queued.join().unwrap_err().cancel_reason(), Some(CancelReason::PoolShutdown));
    /// drop(open);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("shutdownNow", "abort"))]
    pub fn shutdown_now(&self) -> Unrun {
        let shared = self.shared();
        if shared.is_forked() {
            return Unrun::default();
        }
        shared.close();
        let unrun = Unrun { tasks: shared.drain() };
        shared.stop.cancel();
        unrun
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
        let shared = self.shared();
        if shared.is_forked() {
            return false;
        }
        self.is_no_task_of_its_own("end");
        let deadline = deadline.into();
        if !shared.crew.is_closed() {
            // No worker may be there, and yet it is not the end.
            return shared.await_close(deadline) && self.await_termination_until(deadline);
        }
        shared.crew.await_workers(deadline) && self.join_threads(deadline)
    }

    /// Joins the threads, all of which have done their last task.
    fn join_threads(&self, deadline: Deadline) -> bool {
        let Some(mut terminated) = self.terminated().try_lock_until(deadline) else {
            return false; // another thread is at it
        };
        for thread in self.shared().crew.take_ended() {
            // A worker catches what its tasks throw; what a destructor of a thread local throws
            // ends the process before it comes here.
            let _ = thread.join();
        }
        let first = !core::mem::replace(&mut *terminated, true);
        drop(terminated);
        let hooks = self.shared().hooks.as_deref();
        if let Some(hook) = hooks.and_then(|hooks| hooks.terminated.as_ref()).filter(|_| first) {
            self.shared().outsider().call(|| hook());
        }
        true
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
        !self.shared().is_own_worker() && self.await_termination_until(Deadline::now())
    }

    /// Whether the pool was shut down and has not come to its end yet.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// assert!(!pool.is_terminating());
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.is_shutdown() && !self.is_terminated()
    }

    /// Waits until, at one moment, nothing is queued and no worker runs a task. The pool stays
    /// open: the next moment there may be something again. Tasks that the policy has other threads
    /// run are theirs to wait for.
    ///
    /// In a child of `fork` it returns at once.
    ///
    /// # Panics
    ///
    /// If called by a task of this pool, which would wait for itself.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// for _ in 0..10 {
    ///     pool.execute(|| ()).unwrap();
    /// }
    /// pool.wait_idle();
    /// assert_eq!(pool.snapshot().completed, 10);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("awaitQuiescence", "join", "wait_for_tasks"))]
    #[track_caller]
    pub fn wait_idle(&self) {
        self.wait_idle_until(Deadline::NEVER);
    }

    /// As [`wait_idle`](Self::wait_idle), for at most `timeout`; `false` if the time was up first.
    ///
    /// # Panics
    ///
    /// As `wait_idle`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// assert!(pool.wait_idle_for(Duration::from_secs(60)));
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn wait_idle_for(&self, timeout: Duration) -> bool {
        self.wait_idle_until(Deadline::after(timeout))
    }

    /// As [`wait_idle`](Self::wait_idle), until `deadline` at the latest; `false` if the time was
    /// up first.
    ///
    /// # Panics
    ///
    /// As `wait_idle`.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// assert!(pool.wait_idle_until(Instant::now() + Duration::from_secs(60)));
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn wait_idle_until(&self, deadline: impl Into<Deadline>) -> bool {
        if self.shared().is_forked() {
            return false;
        }
        self.is_no_task_of_its_own("idleness");
        self.shared().await_quiet(deadline.into())
    }

    #[track_caller]
    fn is_no_task_of_its_own(&self, what: &str) {
        assert!(
            !self.shared().is_own_worker(),
            "lockwork: a task waits for the {what} of its own pool \"{}\"; \
             let another thread do it",
            self.name()
        );
    }

    /// Shuts the pool down and waits for its end, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`StillRunning`] if the time was up first: with the names of those threads that still run a
    /// task, and the pool. Dropped, it leaves the threads to end by themselves.
    ///
    /// # Panics
    ///
    /// If called by a task of this pool.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// pool.close_timeout(Duration::from_secs(60)).expect("nothing runs");
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn close_timeout(self, timeout: Duration) -> Result<(), StillRunning> {
        let deadline = Deadline::after(timeout);
        self.shutdown();
        if self.shared().is_forked() || self.await_termination_until(deadline) {
            return Ok(());
        }
        let active = self.worker_info().into_iter().filter(|worker| worker.active);
        let names = active.map(|worker| worker.name).collect();
        Err(StillRunning { pool: Some(self), names })
    }
}

impl Shared {
    /// Takes what is queued. The queue is closed.
    fn drain(&self) -> Vec<Closure> {
        let tally = &self.outside.tally;
        let mut tasks = Vec::new();
        while let Ok(job) = self.queue.pop() {
            match job.take(CancelReason::PoolShutdown) {
                Ok(closure) => {
                    tally.up(&tally.cancelled);
                    tasks.push(closure);
                }
                Err(true) => tally.up(&tally.cancelled),
                Err(false) => {}
            }
        }
        tasks
    }
}
