//! Tasks that do nothing, so that what is left is the pool.
//!
//! Where results do not matter, not even a count is kept: one that all threads share would cost as
//! much as a task. All these pools start tasks in the order in which they came from outside, so
//! when the last of each producer has run, of those before it at most one per thread is left.

use crate::harness::sample::Sample;
use crate::harness::stage::{Performance, Timing};
use crate::harness::usage::Usage;
use crate::pools::Pools;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Tasks at a time.
const TASKS: u64 = 50_000;

/// The depth of the tree.
const DEPTH: u32 = 15;

/// For how long.
#[derive(Clone, Copy, Debug)]
pub struct Tasks {
    /// How long.
    pub timing: Timing,
}

/// Does nothing, with a word that makes it a closure like others.
fn nothing(word: u64) -> impl FnOnce() + Send + 'static {
    move || _ = black_box(word)
}

/// Hands in so many tasks, the last of which counts.
fn hand_in<P: Pools>(pool: &P, tasks: u64, count: &Arc<Countdown>) {
    for task in 1..tasks {
        pool.execute(nothing(task));
    }
    let count = count.clone();
    pool.execute(move || count.one());
}

/// Counts tasks down, and wakes the thread that waits for the last.
struct Countdown {
    left: AtomicU64,
    waiter: Thread,
}

impl Countdown {
    fn new(tasks: u64) -> Arc<Self> {
        Arc::new(Self { left: AtomicU64::new(tasks), waiter: thread::current() })
    }

    fn one(&self) {
        // AcqRel: the waiter sees what all have done.
        if self.left.fetch_sub(1, AcqRel) == 1 {
            self.waiter.unpark();
        }
    }

    fn wait(&self) {
        // Relaxed: only the number matters.
        while self.left.load(Relaxed) > 0 {
            thread::park();
        }
    }
}

/// Goes on for the time that `timing` says, and then to the end of a round: a round is no small
/// part of that time, and one that is cut off would be missing. What it costs is what all threads
/// of the process have used, those of the pool too.
fn repeat(timing: &Timing, per_round: u64, mut round: impl FnMut()) -> Sample {
    let mut until = |length: Duration| {
        let (start, before) = (Instant::now(), Usage::of_this_process());
        let mut rounds = 0;
        while rounds == 0 || start.elapsed() < length {
            round();
            rounds += 1;
        }
        let usage = Usage::of_this_process() - before;
        let counts = vec![vec![rounds * per_round]];
        Performance { seconds: start.elapsed().as_secs_f64(), counts, usage }
    };
    until(timing.warm_up);
    Sample::of_crew(&until(timing.window * timing.windows))
}

/// One thread hands in many tasks, and waits for the last.
#[must_use]
pub fn execute<P: Pools>(cell: &Tasks) -> Sample {
    let pool = P::new();
    let sample = repeat(&cell.timing, TASKS, || {
        let count = Countdown::new(1);
        hand_in(&pool, TASKS, &count);
        count.wait();
    });
    pool.assert_fair();
    sample
}

/// Four threads do so at once.
#[must_use]
pub fn execute_from_four<P: Pools>(cell: &Tasks) -> Sample {
    let pool = P::new();
    let sample = repeat(&cell.timing, TASKS, || {
        let count = Countdown::new(4);
        thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| hand_in(&pool, TASKS / 4, &count));
            }
        });
        count.wait();
    });
    pool.assert_fair();
    sample
}

/// One thread hands in many tasks, and joins each.
///
/// # Panics
///
/// If a result is not that of its task.
#[must_use]
pub fn submit_and_join<P: Pools>(cell: &Tasks) -> Sample {
    let pool = P::new();
    let sample = repeat(&cell.timing, TASKS, || {
        let handles: Vec<_> = (0..TASKS).map(|i| pool.submit(move || i)).collect();
        let sum: u64 = handles.into_iter().map(P::join).sum();
        assert_eq!(sum, TASKS * (TASKS - 1) / 2, "{}", P::NAME);
    });
    pool.assert_fair();
    sample
}

/// One task at a time, while the pool has nothing else to do.
#[must_use]
pub fn round_trip<P: Pools>(cell: &Tasks) -> Sample {
    let pool = P::new();
    let sample = repeat(&cell.timing, 1, || {
        assert_eq!(P::join(pool.submit(|| 7)), 7);
    });
    pool.assert_fair();
    sample
}

/// Tasks that hand in two others each: a tree of 65,535.
#[must_use]
pub fn tree<P: Pools>(cell: &Tasks) -> Sample {
    fn grow<P: Pools>(pool: &Arc<P>, count: &Arc<Countdown>, depth: u32) {
        if depth > 0 {
            for _ in 0..2 {
                let (next, counted) = (pool.clone(), count.clone());
                pool.execute(move || grow(&next, &counted, depth - 1));
            }
        }
        count.one();
    }
    let pool = Arc::new(P::new());
    let tasks = (2 << DEPTH) - 1;
    let sample = repeat(&cell.timing, tasks, || {
        let count = Countdown::new(tasks);
        let (root, counted) = (pool.clone(), count.clone());
        pool.execute(move || grow(&root, &counted, DEPTH));
        count.wait();
    });
    // The last task may hold the pool for a moment longer; a pool is not dropped by its own task.
    while Arc::strong_count(&pool) > 1 {
        thread::yield_now();
    }
    pool.assert_fair();
    sample
}
