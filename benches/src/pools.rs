//! Adapters: every thread pool behind one small trait. Each has two threads.

use lockwork::pool::{RejectionPolicy, ThreadPool};
use std::sync::mpsc;

/// How many threads each has.
pub const THREADS: usize = 2;

/// A thread pool.
pub trait Pools: Send + Sync + 'static {
    /// For tables.
    const NAME: &'static str;

    /// A pool of [`THREADS`] threads.
    fn new() -> Self;

    /// Has a task run, and forgets about it.
    fn execute(&self, task: impl FnOnce() + Send + 'static);

    /// What leads to a result.
    type Handle;

    /// Has a task run.
    fn submit(&self, task: impl FnOnce() -> u64 + Send + 'static) -> Self::Handle;

    /// Waits for the result.
    fn join(handle: Self::Handle) -> u64;

    /// Panics if a task was not run by one of the threads for its own sake, but by whoever handed
    /// it in or waited for it, which would compare something else. To be called at the end.
    fn assert_fair(&self) {}
}

/// Ours, with a queue of so many places; who finds it full waits.
#[derive(Debug)]
pub struct Bounded<const CAPACITY: usize>(ThreadPool);

impl<const CAPACITY: usize> Pools for Bounded<CAPACITY> {
    const NAME: &'static str = if CAPACITY > 1024 { "lockwork" } else { "lockwork, 1k" };

    type Handle = lockwork::pool::JoinHandle<u64>;

    fn new() -> Self {
        let builder = ThreadPool::builder().threads(THREADS).queue_capacity(CAPACITY);
        Self(builder.rejection(RejectionPolicy::Block).build().expect("two threads"))
    }

    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        self.0.execute(task).expect("open");
    }

    fn submit(&self, task: impl FnOnce() -> u64 + Send + 'static) -> Self::Handle {
        self.0.submit(task).expect("open")
    }

    fn join(handle: Self::Handle) -> u64 {
        handle.join().expect("it returns")
    }

    fn assert_fair(&self) {
        let seen = self.0.snapshot();
        assert_eq!((seen.caller_ran, seen.inlined), (0, 0), "{seen:?}");
    }
}

/// The peers without handles have their results sent, as their users do it.
fn sending(
    task: impl FnOnce() -> u64 + Send + 'static,
) -> (impl FnOnce() + Send + 'static, mpsc::Receiver<u64>) {
    let (send, receive) = mpsc::sync_channel(1);
    let body = move || {
        let _ = send.send(task());
    };
    (body, receive)
}

impl Pools for rayon::ThreadPool {
    const NAME: &'static str = "rayon";

    type Handle = mpsc::Receiver<u64>;

    fn new() -> Self {
        rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().expect("two threads")
    }

    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        self.spawn(task);
    }

    fn submit(&self, task: impl FnOnce() -> u64 + Send + 'static) -> Self::Handle {
        let (task, result) = sending(task);
        self.spawn(task);
        result
    }

    fn join(handle: Self::Handle) -> u64 {
        handle.recv().expect("it returns")
    }
}

/// The crate `threadpool`, whose pool may be submitted to by one thread at a time.
#[derive(Debug)]
pub struct Threadpool(std::sync::Mutex<threadpool::ThreadPool>);

impl Threadpool {
    fn run(&self, task: impl FnOnce() + Send + 'static) {
        self.0.lock().expect("no panic").execute(task);
    }
}

impl Pools for Threadpool {
    const NAME: &'static str = "threadpool";

    type Handle = mpsc::Receiver<u64>;

    fn new() -> Self {
        Self(std::sync::Mutex::new(threadpool::ThreadPool::new(THREADS)))
    }

    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        self.run(task);
    }

    fn submit(&self, task: impl FnOnce() -> u64 + Send + 'static) -> Self::Handle {
        let (task, result) = sending(task);
        self.run(task);
        result
    }

    fn join(handle: Self::Handle) -> u64 {
        handle.recv().expect("it returns")
    }
}

/// The crate `rusty_pool`.
pub struct RustyPool(rusty_pool::ThreadPool);

impl Pools for RustyPool {
    const NAME: &'static str = "rusty_pool";

    type Handle = rusty_pool::JoinHandle<u64>;

    fn new() -> Self {
        let pool =
            rusty_pool::ThreadPool::new(THREADS, THREADS, std::time::Duration::from_secs(60));
        pool.start_core_threads();
        Self(pool)
    }

    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        self.0.execute(task);
    }

    fn submit(&self, task: impl FnOnce() -> u64 + Send + 'static) -> Self::Handle {
        self.0.evaluate(task)
    }

    fn join(handle: Self::Handle) -> u64 {
        handle.await_complete()
    }
}

/// A scenario for each of them, ours with a queue of 65,536 and of 1,024 places.
#[macro_export]
macro_rules! every_pool {
    ($run:path) => {{
        use $crate::pools::{Bounded, Pools};
        use $run as run;
        $crate::every_deep_pool!($run).against(<Bounded<1024>>::NAME, run::<Bounded<1024>>)
    }};
}

/// A scenario for each that has room for all of its tasks at a time.
#[macro_export]
macro_rules! every_deep_pool {
    ($run:path) => {{
        use $crate::pools::{Bounded, Pools, RustyPool, Threadpool};
        use $run as run;
        type Ours = Bounded<65_536>;
        $crate::harness::round::Field::of(Ours::NAME, run::<Ours>)
            .against(rayon::ThreadPool::NAME, run::<rayon::ThreadPool>)
            .against(Threadpool::NAME, run::<Threadpool>)
            .against(RustyPool::NAME, run::<RustyPool>)
    }};
}
