//! M1: one thread, one lock, nobody else. The fast path, hot.
//!
//! The process has a second thread, which sleeps: glibc leaves locked instructions out of a process
//! that has none, and programs that use locks have one.

use crate::harness::counter::{Counter, Event};
use crate::harness::sample::Sample;
use crate::harness::usage::Usage;
use crate::locks::Lock;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Operations between two looks at the clock.
const BATCH: u64 = 2000;

/// One thread for a while.
#[derive(Clone, Copy, Debug)]
pub struct Solo {
    /// How long.
    pub length: Duration,
}

/// Locks, adds one, unlocks.
///
/// # Panics
///
/// If the lock lost an addition.
#[must_use]
pub fn lock_unlock<L: Lock>(cell: &Solo) -> Sample {
    let lock = black_box(crossbeam_utils::CachePadded::new(L::new()));
    let mut calls = 0;
    let sample = repeat(cell.length, || {
        calls += 1;
        lock.with(|n| *n += 1);
    });
    assert_eq!(lock.with(|n| *n), calls, "{}: additions were lost", L::NAME);
    sample
}

/// Calls `operation` for `length`, after an eighth of it to warm up.
pub(super) fn repeat(length: Duration, mut operation: impl FnMut()) -> Sample {
    let mut batches_for = |time: Duration| {
        let (start, mut ops) = (Instant::now(), 0);
        loop {
            for _ in 0..BATCH {
                operation();
            }
            ops += BATCH;
            let elapsed = start.elapsed();
            if elapsed >= time {
                return (ops, elapsed.as_secs_f64());
            }
        }
    };
    let _company = Company::new();
    batches_for(length / 8);
    let mut counter = Counter::start(Event::Instructions).ok();
    let mut retired = || counter.as_mut().and_then(|counter| counter.read().ok());
    let (before, used) = (retired(), Usage::of_this_thread());
    let (ops, seconds) = batches_for(length);
    let usage = Usage::of_this_thread() - used;
    let instructions = retired().zip(before).map(|(end, start)| (end - start) as f64 / ops as f64);
    Sample {
        ops,
        seconds,
        usage,
        fairness: None,
        waits: vec![],
        overtaking: None,
        futex: None,
        instructions,
    }
}

/// A thread that sleeps until it is no longer needed.
struct Company {
    sleeper: Option<JoinHandle<()>>,
    over: Arc<AtomicBool>,
}

impl Company {
    fn new() -> Company {
        let over = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&over);
        let sleeper = thread::spawn(move || {
            while !theirs.load(Relaxed) {
                thread::park();
            }
        });
        Company { sleeper: Some(sleeper), over }
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        // Relaxed: parking and unparking order it.
        self.over.store(true, Relaxed);
        if let Some(sleeper) = self.sleeper.take() {
            sleeper.thread().unpark();
            // It cannot have panicked; and if it had, the measurement would stand.
            let _ = sleeper.join();
        }
    }
}
