//! Counters that nothing is decided by.
//!
//! They are the machine's in the model too, where they are no steps: whoever reads one displays it.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// A count that goes up.
#[derive(Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// One more.
    #[inline]
    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Release); // Release: what is counted came before.
    }

    /// One more, where only one thread ever counts.
    #[inline]
    pub(crate) fn up_alone(&self) {
        let count = self.0.load(Relaxed); // Relaxed: this thread's own.
        self.0.store(count + 1, Release); // Release: as in `up`.
    }

    /// This many now.
    pub(crate) fn set(&self, count: u64) {
        self.0.store(count, Release); // Release: as in `up`.
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Acquire) // Acquire: what was counted is seen with its count.
    }
}
