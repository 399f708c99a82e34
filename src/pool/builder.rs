//! `Builder` and what can go wrong with it.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use std::io;

use super::worker::{self, Shared};
use super::{RejectionPolicy, ThreadPool};
use crate::primitive::thread;
use crate::queue::BlockingQueue;
use crate::sync::Mutex;

/// The description of a [`ThreadPool`].
///
/// | option | default |
/// |---|---|
/// | [`threads`](Self::threads) | as many as the process may use cores |
/// | [`queue_capacity`](Self::queue_capacity) | eight per thread, at least 64 |
/// | [`rejection`](Self::rejection) | [`RejectionPolicy::Abort`] |
/// | [`name`](Self::name) | `pool` |
/// | [`stack_size`](Self::stack_size) | as `std::thread` |
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
    threads: Option<usize>,
    queue_capacity: Option<usize>,
    rejection: RejectionPolicy,
    name: String,
    stack_size: Option<usize>,
}

/// The kernel's limit of ids on 64-bit machines (`PID_MAX_LIMIT`).
const MAX_THREADS: usize = 1 << 22;

/// The address space of a process: more than any stack can have.
const MAX_STACK: usize = 1 << 47;

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            threads: None,
            queue_capacity: None,
            rejection: RejectionPolicy::Abort,
            name: String::from("pool"),
            stack_size: None,
        }
    }

    /// The number of threads, at least 1.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("num_threads", "corePoolSize", "maximumPoolSize"))]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads: Some(threads), ..self }
    }

    /// The number of tasks that may wait for a thread, at least 1.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().queue_capacity(1000).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn queue_capacity(self, capacity: usize) -> Self {
        Self { queue_capacity: Some(capacity), ..self }
    }

    /// What to do with a task when the queue is full.
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

    /// The stack size of each thread, in bytes; the system rounds it up.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().stack_size(128 * 1024).build()?;
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn stack_size(self, bytes: usize) -> Self {
        Self { stack_size: Some(bytes), ..self }
    }

    /// Starts the threads.
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
        let threads = self.threads.unwrap_or_else(parallelism);
        let capacity = self.queue_capacity.unwrap_or_else(|| threads.saturating_mul(8).max(64));
        if threads == 0 {
            return refuse("the number of threads is zero");
        }
        if threads > MAX_THREADS {
            return refuse("the number of threads is above what the kernel has ids for");
        }
        if capacity == 0 {
            return refuse("the queue capacity is zero");
        }
        if name.contains('\0') {
            return refuse("the name contains a zero byte");
        }
        if self.stack_size.is_some_and(|bytes| bytes > MAX_STACK) {
            return refuse("the stack size is above what a process can address");
        }
        let Some(queue) = BlockingQueue::try_new(capacity) else {
            return refuse("there is no memory for a queue of this capacity");
        };
        let shared = Arc::new(Shared::new(name.clone(), threads, queue, self.rejection));
        let pool = ThreadPool { shared: shared.clone(), threads: Mutex::new(Vec::new()) };
        for index in 0..threads {
            let mut builder = thread::Builder::new().name(format!("{name}-{index}"));
            if let Some(bytes) = self.stack_size {
                builder = builder.stack_size(bytes);
            }
            shared.worker_starts();
            let worker = shared.clone();
            match builder.spawn(move || worker::work(&worker)) {
                Ok(thread) => pool.threads.lock().push(thread),
                Err(source) => {
                    shared.worker_ends();
                    // Dropping the pool ends and joins those that did start.
                    drop(pool);
                    return Err(BuildError { name, kind: Kind::Spawn { index, threads, source } });
                }
            }
        }
        Ok(pool)
    }
}

fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
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
