//! Threads that start together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Lets threads go at the same moment, or as near to it as the processors allow. Spins, since
/// waking sleepers takes longer than the races that are looked for.
pub(crate) struct Gate {
    missing: AtomicUsize,
}

impl Gate {
    pub(crate) fn new(threads: usize) -> Self {
        Self { missing: AtomicUsize::new(threads) }
    }

    /// Returns once all threads have come here.
    pub(crate) fn pass(&self) {
        self.missing.fetch_sub(1, Ordering::AcqRel);
        let mut polls = 0_u32;
        while self.missing.load(Ordering::Acquire) > 0 {
            polls += 1;
            if polls % 64 == 0 {
                thread::yield_now(); // more threads than cores
            } else {
                std::hint::spin_loop();
            }
        }
    }
}

/// Four threads for each core: enough that every lock is met while its holder is not running.
pub(crate) fn crowd() -> usize {
    4 * thread::available_parallelism().map_or(2, usize::from).clamp(2, 4)
}

/// Runs `body` with the numbers `0..n` on as many threads, started together, and returns what they
/// returned, in that order. A panic in one is passed on once all have ended.
pub(crate) fn together<T: Send>(n: usize, body: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let gate = Gate::new(n);
    thread::scope(|s| {
        let threads: Vec<_> = (0..n)
            .map(|i| {
                let (gate, body) = (&gate, &body);
                s.spawn(move || {
                    gate.pass();
                    body(i)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
