//! `Builder` and what can go wrong with it.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use std::io;

use super::crew::{Crew, Limits, MAX_WORKERS};
use super::hooks::{Hooks, TaskEnd};
use super::packet::Payload;
use super::queue::Queue;
use super::recruiting::{Recruiting, SignalMask};
use super::shared::Shared;
use super::{RejectionPolicy, ThreadPool, sizing};
use crate::raw::Ring;
use crate::sync::Mutex;
use crate::sync::rt::Scheduling;

/// When a pool that has fewer threads than it may have adds one.
///
/// ```
/// use lockwork::pool::{Growth, ThreadPool};
/// use std::time::Duration;
///
/// let pool = ThreadPool::builder()
///     .core_threads(1)
///     .max_threads(4)
///     .growth(Growth::OnDelay { target: Duration::from_millis(5) })
///     .build()?;
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Growth {
    /// When a task comes and no thread is idle, up to the most there may be; only then do tasks
    /// queue up.
    #[default]
    IdleFirst,
    /// Up to the core threads when a task comes and no thread is idle; then tasks are queued; and
    /// when the queue is full, up to the most there may be. The task that finds it full goes to the
    /// new thread at once, ahead of those in the queue.
    #[doc(alias = "ThreadPoolExecutor")]
    QueueFirst,
    /// As [`QueueFirst`](Self::QueueFirst), and one thread more when the oldest task has waited for
    /// longer than this, at most one in as much time. It is looked at when tasks come and go, so
    /// every one of them reads the clock.
    OnDelay {
        /// The longest that a task should have to wait.
        target: Duration,
    },
}

/// How many threads are started by [`Builder::build`].
///
/// ```
/// use lockwork::pool::{Prestart, ThreadPool};
///
/// let pool = ThreadPool::builder().threads(4).prestart(Prestart::None).build()?;
/// assert_eq!(pool.snapshot().workers, 0);
/// pool.submit(|| ()).unwrap().join().unwrap();
/// assert_eq!(pool.snapshot().workers, 1);
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Prestart {
    /// None: each comes with a task.
    None,
    /// The core threads. A pool that cannot have them is not built.
    #[default]
    Core,
    /// So many, but no more than the pool may have.
    Count(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum QueueKind {
    Default,
    Bounded(usize),
    Handoff,
    Unbounded,
}

/// The description of a [`ThreadPool`].
///
/// | option | default |
/// |---|---|
/// | [`threads`](Self::threads), or [`core_threads`](Self::core_threads) and [`max_threads`](Self::max_threads) | as many as the process may use cores |
/// | [`queue_capacity`](Self::queue_capacity), [`handoff`](Self::handoff), [`unbounded`](Self::unbounded) | eight per thread, at least 64 |
/// | [`rejection`](Self::rejection) | [`RejectionPolicy::Abort`] |
/// | [`growth`](Self::growth) | [`Growth::IdleFirst`] |
/// | [`idle_timeout`](Self::idle_timeout), [`core_timeout`](Self::core_timeout) | 60 s, and only above the core threads |
/// | [`prestart`](Self::prestart) | [`Prestart::Core`] |
/// | [`max_blocked`](Self::max_blocked) | 64 |
/// | [`name`](Self::name), [`thread_name`](Self::thread_name) | `pool`, `pool-0` and so on |
/// | [`stack_size`](Self::stack_size) | as `std::thread` |
/// | [`nice`](Self::nice), [`scheduling`](Self::scheduling), [`pin_to`](Self::pin_to), [`signal_mask`](Self::signal_mask) | as in the thread that starts the worker |
/// | hooks | none |
///
/// ```
/// use lockwork::pool::{RejectionPolicy, ThreadPool};
///
/// let pool = ThreadPool::builder()
///     .name("io")
///     .threads(4)
///     .queue_capacity(256)
///     .rejection(RejectionPolicy::Block)
///     .stack_size(256 * 1024)
///     .build()?;
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a description starts no thread; call `build`"]
pub struct Builder {
    core: Option<usize>,
    max: Option<usize>,
    queue: QueueKind,
    rejection: RejectionPolicy,
    growth: Growth,
    idle_timeout: Duration,
    core_timeout: bool,
    prestart: Prestart,
    max_blocked: usize,
    name: String,
    recruiting: Recruiting,
    hooks: Hooks,
}

/// More than a machine can be expected to run, with room for those that stand in for blocked ones.
pub(super) const MAX_THREADS: usize = MAX_WORKERS - MAX_BLOCKED;

const MAX_BLOCKED: usize = 1 << 16;

/// The address space of a process: more than any stack can have.
const MAX_STACK: usize = 1 << 47;

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            core: None,
            max: None,
            queue: QueueKind::Default,
            rejection: RejectionPolicy::Abort,
            growth: Growth::IdleFirst,
            idle_timeout: Duration::from_secs(60),
            core_timeout: false,
            prestart: Prestart::Core,
            max_blocked: 64,
            name: String::from("pool"),
            recruiting: Recruiting::default(),
            hooks: Hooks::default(),
        }
    }

    /// The number of threads, at least 1: as many core threads as threads at the most.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("num_threads", "worker_threads"))]
    pub fn threads(self, threads: usize) -> Self {
        Self { core: Some(threads), max: Some(threads), ..self }
    }

    /// The number of threads that stay, also when there is nothing to do. May be 0. A pool that was
    /// built with some, and without [`core_timeout`](Self::core_timeout), always keeps one, also if
    /// the number is set to 0 later.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().core_threads(0).max_threads(8).build()?;
    /// assert_eq!(pool.submit(|| 5).unwrap().join().unwrap(), 5);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "corePoolSize")]
    pub fn core_threads(self, threads: usize) -> Self {
        Self { core: Some(threads), ..self }
    }

    /// The number of threads that there may be, at least 1. When they are added is up to
    /// [`growth`](Self::growth).
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().core_threads(1).max_threads(8).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "maximumPoolSize")]
    pub fn max_threads(self, threads: usize) -> Self {
        Self { max: Some(threads), ..self }
    }

    /// The number of tasks that may wait for a thread, at least 1.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().queue_capacity(1000).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn queue_capacity(self, capacity: usize) -> Self {
        Self { queue: QueueKind::Bounded(capacity), ..self }
    }

    /// No queue: a task is accepted if an idle thread takes it at once, or one can be added for it.
    /// For tasks that depend on each other by other means than joins, with many threads.
    ///
    /// ```
    /// let builder = lockwork::pool::ThreadPool::builder().handoff();
    /// let pool = builder.core_threads(0).max_threads(50).build()?;
    /// assert_eq!(pool.submit(|| 5).unwrap().join().unwrap(), 5);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("SynchronousQueue", "direct handoff"))]
    pub fn handoff(self) -> Self {
        Self { queue: QueueKind::Handoff, ..self }
    }

    /// A queue without a bound: no task is ever refused for want of room. If tasks come faster than
    /// the threads take them, it grows until there is no memory, and each waits longer than the one
    /// before; a bound tells you in time.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).unbounded().build()?;
    /// for _ in 0..10_000 {
    ///     pool.execute(|| ()).unwrap();
    /// }
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "LinkedBlockingQueue")]
    pub fn unbounded(self) -> Self {
        Self { queue: QueueKind::Unbounded, ..self }
    }

    /// What to do with a task when there is no room.
    ///
    /// ```
    /// use lockwork::pool::{RejectionPolicy, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().rejection(RejectionPolicy::DiscardOldest).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("RejectedExecutionHandler", "load_shedding"))]
    pub fn rejection(self, policy: RejectionPolicy) -> Self {
        Self { rejection: policy, ..self }
    }

    /// When threads are added above those that there are.
    ///
    /// ```
    /// use lockwork::pool::{Growth, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().threads(2).growth(Growth::QueueFirst).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn growth(self, growth: Growth) -> Self {
        Self { growth, ..self }
    }

    /// How long a thread above the core threads is idle before it ends.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = lockwork::pool::ThreadPool::builder().idle_timeout(Duration::from_secs(5));
    /// let pool = builder.core_threads(1).max_threads(8).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("keepAliveTime", "keep_alive"))]
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        Self { idle_timeout: timeout, ..self }
    }

    /// Whether core threads end too when they have been idle for long, and an idle pool has none.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).core_timeout(true).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "allowCoreThreadTimeOut")]
    pub fn core_timeout(self, timeout: bool) -> Self {
        Self { core_timeout: timeout, ..self }
    }

    /// How many threads are there from the beginning.
    ///
    /// ```
    /// use lockwork::pool::{Prestart, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().threads(8).prestart(Prestart::Count(1)).build()?;
    /// assert_eq!(pool.snapshot().workers, 1);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("prestartAllCoreThreads", "lazy", "eager"))]
    pub fn prestart(self, prestart: Prestart) -> Self {
        Self { prestart, ..self }
    }

    /// How many threads may stand in at a time for those in [`blocking`](super::blocking).
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).max_blocked(8).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn max_blocked(self, threads: usize) -> Self {
        Self { max_blocked: threads.min(MAX_BLOCKED), ..self }
    }

    /// The name of the pool: it is part of error messages, and thread number *i* is called
    /// `name-i`, of which the kernel shows the first 15 bytes. No zero bytes.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().name("resize").threads(1).build()?;
    /// let thread = pool.submit(|| std::thread::current().name().map(str::to_owned)).unwrap();
    /// assert_eq!(thread.join().unwrap().as_deref(), Some("resize-0"));
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The names of the threads, by number. The number of a thread that has ended is given to
    /// another. A name with a zero byte is one that no thread can be started with.
    ///
    /// ```
    /// let builder = lockwork::pool::ThreadPool::builder().threads(1);
    /// let pool = builder.thread_name(|i| format!("writer {i}")).build()?;
    /// let thread = pool.submit(|| std::thread::current().name().map(str::to_owned)).unwrap();
    /// assert_eq!(thread.join().unwrap().as_deref(), Some("writer 0"));
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn thread_name(mut self, name: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        self.recruiting.thread_name = Some(Arc::new(name));
        self
    }

    /// The stack size of each thread, in bytes; the system rounds it up.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().stack_size(128 * 1024).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.recruiting.stack_size = Some(bytes);
        self
    }

    /// The nice value of the threads, from -20 to 19; see
    /// [`ThreadId::set_nice`](crate::rt::ThreadId::set_nice).
    ///
    /// This and the other attributes are given to each thread before its first task. One that the
    /// system refuses is left as it is, and [counted](super::Snapshot::attributes_refused).
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).nice(10).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn nice(mut self, nice: i8) -> Self {
        self.recruiting.nice = Some(nice);
        self
    }

    /// The scheduling class of the threads; see [`rt`](crate::rt).
    ///
    /// ```
    /// use lockwork::rt::Scheduling;
    ///
    /// let builder = lockwork::pool::ThreadPool::builder().threads(1);
    /// let pool = builder.scheduling(Scheduling::Batch).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn scheduling(mut self, scheduling: Scheduling) -> Self {
        self.recruiting.scheduling = Some(scheduling);
        self
    }

    /// The processors that the threads may run on; see [`rt::pin_to`](crate::rt::pin_to).
    ///
    /// ```
    /// let cpus = lockwork::rt::cpus().unwrap();
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).pin_to(&cpus[..1]).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "affinity")]
    pub fn pin_to(mut self, cpus: &[usize]) -> Self {
        self.recruiting.cpus = Some(Vec::from(cpus));
        self
    }

    /// Which signals the threads leave to others.
    ///
    /// ```
    /// use lockwork::pool::{SignalMask, ThreadPool};
    ///
    /// let builder = ThreadPool::builder().threads(1);
    /// let pool = builder.signal_mask(SignalMask::BlockAsync).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("sigprocmask", "pthread_sigmask"))]
    pub fn signal_mask(mut self, mask: SignalMask) -> Self {
        self.recruiting.signals = mask;
        self
    }

    /// Called by each thread before its first task, with its number. If it panics, that is
    /// [counted](super::Snapshot::hook_panics), and the thread works all the same; so with all
    /// hooks.
    ///
    /// ```
    /// let builder = lockwork::pool::ThreadPool::builder().threads(1);
    /// let pool = builder.on_thread_start(|i| println!("thread {i}")).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("start_handler", "ThreadFactory"))]
    pub fn on_thread_start(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.thread_start = Some(Arc::new(hook));
        self
    }

    /// Called by each thread after its last task, with its number, before its thread-locals are
    /// dropped.
    ///
    /// ```
    /// let builder = lockwork::pool::ThreadPool::builder().threads(1);
    /// let pool = builder.on_thread_stop(|i| println!("thread {i}")).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "exit_handler")]
    pub fn on_thread_stop(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.thread_stop = Some(Arc::new(hook));
        self
    }

    /// Called before each task that runs, by the thread that runs it.
    ///
    /// ```
    /// let builder = lockwork::pool::ThreadPool::builder().threads(1);
    /// let pool = builder.before_task(|| println!("now")).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "beforeExecute")]
    pub fn before_task(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.before_task = Some(Arc::new(hook));
        self
    }

    /// Called after each task that ran, by the thread that ran it, before its handle is told.
    ///
    /// ```
    /// let builder = lockwork::pool::ThreadPool::builder().threads(1);
    /// let pool = builder.after_task(|end| println!("{end:?}")).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "afterExecute")]
    pub fn after_task(mut self, hook: impl Fn(TaskEnd) + Send + Sync + 'static) -> Self {
        self.hooks.after_task = Some(Arc::new(hook));
        self
    }

    /// Called with what a task without a handle has thrown, by the thread that ran it.
    ///
    /// ```
    /// let builder = lockwork::pool::ThreadPool::builder().threads(1);
    /// let pool = builder.panic_handler(|_payload| eprintln!("a task has panicked")).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "UncaughtExceptionHandler")]
    pub fn panic_handler(mut self, handler: impl Fn(Payload) + Send + Sync + 'static) -> Self {
        self.hooks.panic_handler = Some(Arc::new(handler));
        self
    }

    /// Called once, when the pool was shut down and its threads are joined, by whoever has waited
    /// for that, or drops the pool.
    ///
    /// ```
    /// let builder = lockwork::pool::ThreadPool::builder().threads(1);
    /// let pool = builder.on_terminated(|| println!("that was it")).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "terminated")]
    pub fn on_terminated(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.terminated = Some(Arc::new(hook));
        self
    }

    /// Builds the pool and starts its first threads.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if the description is not one of a pool, or if a thread could not be started;
    /// then those that were are joined first. The usual reasons for the latter are the limits
    /// `ulimit -u` and `pids.max` of the cgroup.
    ///
    /// ```
    /// use lockwork::pool::ThreadPool;
    ///
    /// let error = ThreadPool::builder().name("io").threads(0).build().unwrap_err();
    /// assert_eq!(error.to_string(), "pool \"io\": the number of threads is zero");
    /// ```
    pub fn build(self) -> Result<ThreadPool, BuildError> {
        let name: Arc<str> = self.name.into();
        let refuse = |problem| Err(BuildError { name: name.clone(), kind: Kind::Config(problem) });
        let cores = sizing::parallelism().get();
        let max = self.max.unwrap_or(self.core.unwrap_or(0).max(cores));
        let limits = Limits {
            core: self.core.unwrap_or(max),
            max,
            idle_timeout: self.idle_timeout,
            core_timeout: self.core_timeout,
        };
        if let Err(problem) = limits.check() {
            return refuse(problem);
        }
        if self.queue == QueueKind::Bounded(0) {
            return refuse("the queue capacity is zero");
        }
        if name.contains('\0') {
            return refuse("the name contains a zero byte");
        }
        if self.recruiting.stack_size.is_some_and(|bytes| bytes > MAX_STACK) {
            return refuse("the stack size is above what a process can address");
        }
        let bounded = |capacity| Ring::try_new(capacity).map(Queue::Bounded);
        let queue = match self.queue {
            QueueKind::Default => bounded(max.saturating_mul(8).max(64)),
            QueueKind::Bounded(capacity) => bounded(capacity),
            QueueKind::Handoff => Some(Queue::Handoff(Mutex::new(false))),
            QueueKind::Unbounded => Some(Queue::Unbounded(Mutex::new(Default::default()))),
        };
        let Some(queue) = queue else {
            return refuse("there is no memory for a queue of this capacity");
        };
        let crew = Crew::new(limits, self.growth, self.max_blocked);
        let shared = Arc::new(Shared::new(
            name.clone(),
            queue,
            crew,
            self.growth,
            self.rejection,
            self.recruiting,
            self.hooks,
            cores,
        ));
        let pool = ThreadPool::new(shared.clone());
        let threads = match self.prestart {
            Prestart::None => 0,
            Prestart::Core => limits.core,
            Prestart::Count(count) => count.min(max),
        };
        match shared.prestart(threads) {
            Ok(_) => Ok(pool),
            Err((index, source)) => {
                // Dropping the pool ends and joins those that did start.
                drop(pool);
                Err(BuildError { name, kind: Kind::Spawn { index, threads, source } })
            }
        }
    }
}

/// Why a pool could not be built.
///
/// ```
/// let error = lockwork::pool::ThreadPool::builder().queue_capacity(0).build().unwrap_err();
/// assert_eq!(error.to_string(), "pool \"pool\": the queue capacity is zero");
/// ```
#[derive(Debug)]
pub struct BuildError {
    name: Arc<str>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Config(&'static str),
    Spawn { index: usize, threads: usize, source: io::Error },
}

impl BuildError {
    pub(super) fn config(name: Arc<str>, problem: &'static str) -> Self {
        Self { name, kind: Kind::Config(problem) }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.kind {
            Kind::Config(problem) => write!(f, "pool {name:?}: {problem}"),
            Kind::Spawn { index, threads, source } => {
                write!(
                    f,
                    "cannot start worker {} of {threads} of pool {name:?}: {source}",
                    index + 1
                )
            }
        }
    }
}

impl core::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.kind {
            Kind::Config(_) => None,
            Kind::Spawn { source, .. } => Some(source),
        }
    }
}
