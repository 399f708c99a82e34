//! Adapters: queues without a bound, behind the trait of those that have one. There is always room.

use crate::queues::Queues;
use std::collections::VecDeque;
use std::sync::Mutex;

impl Queues for lockwork::queue::SegQueue<u64> {
    const NAME: &'static str = "lockwork";

    fn new(_capacity: usize) -> Self {
        Self::new()
    }

    #[inline]
    fn push(&self, value: u64) -> bool {
        self.push(value);
        true
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.pop()
    }

    #[inline]
    fn push_many(&self, values: &mut Vec<u64>) -> usize {
        self.push_many(values)
    }

    #[inline]
    fn pop_many(&self, into: &mut Vec<u64>, max: usize) -> usize {
        self.pop_many(into, max)
    }
}

/// Ours, reclaimed by `crossbeam-epoch`.
#[derive(Debug)]
pub struct Epochs(lockwork::queue::SegQueue<u64, lockwork::queue::reclaim::Epoch>);

impl Queues for Epochs {
    const NAME: &'static str = "lockwork, epochs";

    fn new(_capacity: usize) -> Self {
        Self(lockwork::queue::SegQueue::with_reclaim())
    }

    #[inline]
    fn push(&self, value: u64) -> bool {
        self.0.push(value);
        true
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.0.pop()
    }
}

impl Queues for crossbeam_queue::SegQueue<u64> {
    const NAME: &'static str = "crossbeam SegQueue";

    fn new(_capacity: usize) -> Self {
        Self::new()
    }

    #[inline]
    fn push(&self, value: u64) -> bool {
        self.push(value);
        true
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.pop()
    }
}

/// `concurrent-queue` without a bound.
#[derive(Debug)]
pub struct Concurrent(concurrent_queue::ConcurrentQueue<u64>);

impl Queues for Concurrent {
    const NAME: &'static str = "concurrent-queue";

    fn new(_capacity: usize) -> Self {
        Self(concurrent_queue::ConcurrentQueue::unbounded())
    }

    #[inline]
    fn push(&self, value: u64) -> bool {
        self.0.push(value).is_ok()
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.0.pop().ok()
    }
}

/// A `VecDeque` that grows, behind std's lock.
#[derive(Debug, Default)]
pub struct Locked(Mutex<VecDeque<u64>>);

impl Queues for Locked {
    const NAME: &'static str = "Mutex<VecDeque>";

    fn new(_capacity: usize) -> Self {
        Self::default()
    }

    #[inline]
    fn push(&self, value: u64) -> bool {
        self.0.lock().expect("nobody panics").push_back(value);
        true
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.0.lock().expect("nobody panics").pop_front()
    }
}

/// A [`Field`](crate::harness::round::Field) of all of them: `run` is a function that is generic
/// over [`Queues`].
#[macro_export]
macro_rules! every_unbounded_queue {
    ($($run:ident)::+) => {{
        use $crate::harness::round::Field;
        use $crate::queues::Queues;
        use $crate::unbounded::{Concurrent, Epochs, Locked};
        type Ours = lockwork::queue::SegQueue<u64>;
        type Crossbeam = crossbeam_queue::SegQueue<u64>;
        Field::of(<Ours as Queues>::NAME, $($run)::+::<Ours>)
            .against(<Crossbeam as Queues>::NAME, $($run)::+::<Crossbeam>)
            .against(Concurrent::NAME, $($run)::+::<Concurrent>)
            .against(Epochs::NAME, $($run)::+::<Epochs>)
            .against(Locked::NAME, $($run)::+::<Locked>)
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_a_queue<Q: Queues>() {
        let queue = Q::new(0);
        assert_eq!(queue.pop(), None, "{}", Q::NAME);
        assert!((0..100).all(|value| queue.push(value)), "{}", Q::NAME);
        assert_eq!(queue.push_many(&mut vec![100, 101]), 2, "{}", Q::NAME);
        assert_eq!(queue.pop(), Some(0), "{}", Q::NAME);
        let mut popped = vec![];
        assert_eq!(queue.pop_many(&mut popped, 200), 101, "{}", Q::NAME);
        assert!(popped.into_iter().eq(1..102), "{}", Q::NAME);
    }

    #[test]
    fn every_adapter_is_a_queue() {
        is_a_queue::<lockwork::queue::SegQueue<u64>>();
        is_a_queue::<Epochs>();
        is_a_queue::<crossbeam_queue::SegQueue<u64>>();
        is_a_queue::<Concurrent>();
        is_a_queue::<Locked>();
    }
}
