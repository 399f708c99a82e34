//! Adapters: every stack behind one small trait.

use crossbeam_epoch::{Atomic, Owned, pin};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Values of a batch.
pub const BATCH: usize = 32;

/// Places where there is a capacity: more than are ever in use.
const CAPACITY: usize = 4096;

/// A stack of numbers.
pub trait Stacks: Send + Sync + 'static {
    /// For tables.
    const NAME: &'static str;

    /// An empty one, with room for some thousand values.
    fn new() -> Self;

    /// Puts a value on top.
    fn push(&self, value: u64);

    /// Takes the value on top.
    fn pop(&self) -> Option<u64>;

    /// Puts a batch of consecutive values on top, takes all values, and adds them up; as a whole
    /// where the stack can.
    #[inline]
    fn batch(&self, first: u64) -> u64 {
        (first..first + BATCH as u64).for_each(|value| self.push(value));
        std::iter::from_fn(|| self.pop()).sum()
    }
}

impl Stacks for lockwork::stack::ArrayStack<u64> {
    const NAME: &'static str = "ArrayStack";

    fn new() -> Self {
        Self::new(CAPACITY)
    }

    #[inline]
    fn push(&self, value: u64) {
        self.push(value).expect("a free place");
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.pop()
    }

    #[inline]
    fn batch(&self, first: u64) -> u64 {
        self.push_many(first..first + BATCH as u64).expect("free places");
        self.pop_all().sum()
    }
}

impl Stacks for lockwork::stack::TaggedStack<u64> {
    const NAME: &'static str = "TaggedStack";

    fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    #[inline]
    fn push(&self, value: u64) {
        self.push(value);
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.pop()
    }

    #[inline]
    fn batch(&self, first: u64) -> u64 {
        self.push_many(first..first + BATCH as u64);
        self.pop_all().sum()
    }
}

/// Ours, without its batches.
#[derive(Debug)]
pub struct OneByOne<S>(S);

impl<S: Stacks> Stacks for OneByOne<S> {
    const NAME: &'static str = "one by one";

    fn new() -> Self {
        Self(S::new())
    }

    #[inline]
    fn push(&self, value: u64) {
        self.0.push(value);
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.0.pop()
    }
}

impl Stacks for std::sync::Mutex<Vec<u64>> {
    const NAME: &'static str = "std Mutex<Vec>";

    fn new() -> Self {
        Self::new(Vec::with_capacity(CAPACITY))
    }

    #[inline]
    fn push(&self, value: u64) {
        self.lock().expect("no panic").push(value);
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.lock().expect("no panic").pop()
    }
}

impl Stacks for lockwork::Mutex<Vec<u64>> {
    const NAME: &'static str = "lockwork Mutex<Vec>";

    fn new() -> Self {
        Self::new(Vec::with_capacity(CAPACITY))
    }

    #[inline]
    fn push(&self, value: u64) {
        self.lock().push(value);
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.lock().pop()
    }
}

/// Treiber's stack with a node from the allocator for each value, and crossbeam's epochs.
#[derive(Debug)]
pub struct Epochs {
    head: Atomic<Node>,
}

#[derive(Debug)]
struct Node {
    value: u64,
    next: Atomic<Node>,
}

impl Stacks for Epochs {
    const NAME: &'static str = "crossbeam-epoch";

    fn new() -> Self {
        Self { head: Atomic::null() }
    }

    #[inline]
    fn push(&self, value: u64) {
        let mut node = Owned::new(Node { value, next: Atomic::null() });
        let guard = pin();
        loop {
            let head = self.head.load(Relaxed, &guard);
            node.next.store(head, Relaxed);
            // Release: publishes the node.
            match self.head.compare_exchange(head, node, Release, Relaxed, &guard) {
                Ok(_) => return,
                Err(error) => node = error.new,
            }
        }
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        let guard = pin();
        loop {
            // Acquire: sees the node.
            let head = self.head.load(Acquire, &guard);
            // SAFETY: loaded under the guard, so nobody has freed it.
            let node = unsafe { head.as_ref() }?;
            let next = node.next.load(Relaxed, &guard);
            if self.head.compare_exchange(head, next, Relaxed, Relaxed, &guard).is_ok() {
                let value = node.value;
                // SAFETY: out of the list, by this thread alone.
                unsafe { guard.defer_destroy(head) };
                return Some(value);
            }
        }
    }
}

impl Drop for Epochs {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps_what_it_gets<S: Stacks>() {
        let stack = S::new();
        let sums: Vec<(u64, u64)> = std::thread::scope(|scope| {
            let threads = [0, 1].map(|me| {
                let stack = &stack;
                scope.spawn(move || {
                    (0..1000).fold((0, 0), |(put, taken), i| {
                        let value = 2 * i + me;
                        stack.push(value);
                        let popped = stack.pop().expect("at least one's own");
                        (put + value, taken + popped)
                    })
                })
            });
            threads.map(|thread| thread.join().unwrap()).into()
        });
        let put: u64 = sums.iter().map(|(put, _)| put).sum();
        assert_eq!(put, sums.iter().map(|(_, taken)| taken).sum::<u64>());
        assert_eq!(stack.pop(), None);
        assert_eq!(stack.batch(10), (10..10 + BATCH as u64).sum());
    }

    #[test]
    fn every_stack_keeps_what_it_gets() {
        keeps_what_it_gets::<lockwork::stack::ArrayStack<u64>>();
        keeps_what_it_gets::<lockwork::stack::TaggedStack<u64>>();
        keeps_what_it_gets::<OneByOne<lockwork::stack::ArrayStack<u64>>>();
        keeps_what_it_gets::<std::sync::Mutex<Vec<u64>>>();
        keeps_what_it_gets::<lockwork::Mutex<Vec<u64>>>();
        keeps_what_it_gets::<Epochs>();
    }
}
