//! What a `BlockingQueue` can be made of.

use super::ArrayQueue;
#[cfg(feature = "std")]
use super::SegQueue;
use super::batch::{self, Sink};
#[cfg(feature = "std")]
use super::reclaim::Reclaim;
use crate::raw::{PopError, PushError};

/// A queue that [`BlockingQueue`](super::BlockingQueue) adds sleeping and closing to: an
/// [`ArrayQueue`], or a `SegQueue`, which has no bound.
///
/// Sealed: closing, and answers that are never false, are matters between a queue and this crate.
///
/// ```
/// use lockwork::queue::{ArrayQueue, BlockingQueue};
///
/// let queue = ArrayQueue::new(2);
/// queue.push('a').unwrap();
/// let queue = BlockingQueue::over(queue);
/// assert_eq!(queue.pop(), Ok('a'));
/// ```
#[diagnostic::on_unimplemented(
    message = "`BlockingQueue` cannot be made of `{Self}`",
    label = "neither an `ArrayQueue<{T}>` nor a `SegQueue<{T}>`"
)]
pub trait Backing<T>: sealed::Backing<T> {}

pub(super) mod sealed {
    use super::{PopError, PushError, Sink};

    #[allow(unreachable_pub, reason = "in the signatures of a sealed trait")]
    /// How many went, and what ended it if it was not all.
    pub type Batch<E> = (usize, Result<(), E>);

    pub trait Backing<T> {
        fn push(&self, value: T) -> Result<(), PushError<T>>;
        fn pop(&self) -> Result<T, PopError>;
        fn pop_many(&self, into: &mut impl Sink<T>, max: usize) -> Batch<PopError>;
        fn close(&self) -> bool;
        fn is_closed(&self) -> bool;
        fn len(&self) -> usize;
        fn is_empty(&self) -> bool;
        fn is_full(&self) -> bool;
        /// How many values were pushed so far. A hint: others may be at it.
        fn pushed(&self) -> u64;
        /// How many values were popped so far. A hint, too.
        fn popped(&self) -> u64;
        /// The number of places, if there is a limit.
        fn bound(&self) -> Option<usize>;
    }
}

impl<T> Backing<T> for ArrayQueue<T> {}

impl<T> sealed::Backing<T> for ArrayQueue<T> {
    #[inline]
    fn push(&self, value: T) -> Result<(), PushError<T>> {
        self.ring.push(value)
    }

    #[inline]
    fn pop(&self) -> Result<T, PopError> {
        self.ring.pop()
    }

    fn pop_many(&self, into: &mut impl Sink<T>, max: usize) -> sealed::Batch<PopError> {
        batch::pop_many(&self.ring, into, max)
    }

    fn close(&self) -> bool {
        self.ring.close()
    }

    fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }

    fn len(&self) -> usize {
        self.ring.len()
    }

    fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    fn is_full(&self) -> bool {
        self.ring.is_full()
    }

    fn bound(&self) -> Option<usize> {
        Some(self.ring.capacity())
    }

    fn pushed(&self) -> u64 {
        self.ring.pushed()
    }

    fn popped(&self) -> u64 {
        self.ring.popped()
    }
}

#[cfg(feature = "std")]
impl<T, R: Reclaim> Backing<T> for SegQueue<T, R> {}

#[cfg(feature = "std")]
impl<T, R: Reclaim> sealed::Backing<T> for SegQueue<T, R> {
    #[inline]
    fn push(&self, value: T) -> Result<(), PushError<T>> {
        self.segments.push(value)
    }

    #[inline]
    fn pop(&self) -> Result<T, PopError> {
        self.segments.pop()
    }

    fn pop_many(&self, into: &mut impl Sink<T>, max: usize) -> sealed::Batch<PopError> {
        batch::pop_many_of_segments(&self.segments, into, max)
    }

    fn close(&self) -> bool {
        self.segments.close()
    }

    fn is_closed(&self) -> bool {
        self.segments.is_closed()
    }

    fn len(&self) -> usize {
        self.segments.len()
    }

    fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    fn is_full(&self) -> bool {
        false
    }

    fn bound(&self) -> Option<usize> {
        None
    }

    /// Nobody asks, as no push waits.
    fn pushed(&self) -> u64 {
        0
    }

    fn popped(&self) -> u64 {
        self.segments.popped()
    }
}

#[cfg(test)]
mod tests {
    use super::sealed::Backing as _;
    use super::*;

    /// As the pace of waiters is made of these: exact while nobody else is there, from lap to lap
    /// and from segment to segment.
    #[test]
    fn counts_what_has_gone() {
        for capacity in [1, 3, 8] {
            let queue = ArrayQueue::new(capacity);
            for gone in 0..50 {
                assert_eq!((queue.pushed(), queue.popped()), (gone, gone));
                queue.push(gone).unwrap();
                assert_eq!((queue.pushed(), queue.popped()), (gone + 1, gone));
                queue.pop().unwrap();
            }
        }
        #[cfg(feature = "std")]
        {
            let queue = SegQueue::<u64>::new();
            for gone in 0..3000 {
                assert_eq!(queue.popped(), gone);
                queue.push(gone);
                queue.pop().unwrap();
            }
        }
    }
}
