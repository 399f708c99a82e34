//! Adapters: numbers that threads add to.

use crossbeam_utils::CachePadded;
use lockwork::counter::StripedCounter;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// A number that is added to, and read now and then.
pub trait Counts: Send + Sync {
    /// For tables.
    const NAME: &'static str;

    /// Zero.
    fn new() -> Self;

    /// Adds one.
    fn add(&self);

    /// The number, once nobody adds.
    fn sum(&self) -> u64;
}

impl Counts for StripedCounter {
    const NAME: &'static str = "lockwork";

    fn new() -> Self {
        let counter = Self::new();
        counter.prepare();
        counter
    }

    #[inline]
    fn add(&self) {
        StripedCounter::add(self, 1);
    }

    fn sum(&self) -> u64 {
        self.added()
    }
}

/// The form for where there are no restartable sequences.
#[derive(Debug)]
pub struct Portable(StripedCounter);

impl Counts for Portable {
    const NAME: &'static str = "lockwork, portable";

    fn new() -> Self {
        let counter = StripedCounter::__portable();
        counter.prepare();
        Self(counter)
    }

    #[inline]
    fn add(&self) {
        self.0.add(1);
    }

    fn sum(&self) -> u64 {
        self.0.added()
    }
}

impl Counts for CachePadded<AtomicU64> {
    const NAME: &'static str = "AtomicU64";

    fn new() -> Self {
        CachePadded::new(AtomicU64::new(0))
    }

    #[inline]
    fn add(&self) {
        self.fetch_add(1, Relaxed);
    }

    fn sum(&self) -> u64 {
        self.load(Relaxed)
    }
}

/// Eight places for as many threads at a time.
impl Counts for fast_counter::ConcurrentCounter {
    const NAME: &'static str = "fast-counter";

    fn new() -> Self {
        Self::new(8)
    }

    #[inline]
    fn add(&self) {
        Self::add(self, 1);
    }

    fn sum(&self) -> u64 {
        Self::sum(self) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts<C: Counts>() {
        let counter = C::new();
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| (0..10_000).for_each(|_| counter.add()));
            }
        });
        assert_eq!(counter.sum(), 30_000, "{}", C::NAME);
    }

    #[test]
    fn every_adapter_counts() {
        counts::<StripedCounter>();
        counts::<Portable>();
        counts::<CachePadded<AtomicU64>>();
        counts::<fast_counter::ConcurrentCounter>();
    }
}
