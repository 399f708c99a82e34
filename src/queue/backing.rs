//! What a `BlockingQueue` can be made of.

use super::ArrayQueue;
use super::batch::{self, Sink, Source};
use crate::raw::{PopError, PushError};

/// A queue that [`BlockingQueue`](super::BlockingQueue) adds sleeping and closing to: an
/// [`ArrayQueue`].
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
    label = "not an `ArrayQueue<{T}>`"
)]
pub trait Backing<T>: sealed::Backing<T> {}

pub(super) mod sealed {
    use super::{PopError, PushError, Sink, Source};

    #[allow(unreachable_pub, reason = "in the signatures of a sealed trait")]
    /// How many went, and what ended it if it was not all.
    pub type Batch<E> = (usize, Result<(), E>);

    pub trait Backing<T> {
        fn push(&self, value: T) -> Result<(), PushError<T>>;
        fn pop(&self) -> Result<T, PopError>;
        fn push_many(&self, values: &mut impl Source<T>) -> Batch<PushError<()>>;
        fn pop_many(&self, into: &mut impl Sink<T>, max: usize) -> Batch<PopError>;
        fn close(&self) -> bool;
        fn is_closed(&self) -> bool;
        fn len(&self) -> usize;
        fn is_empty(&self) -> bool;
        fn is_full(&self) -> bool;
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

    fn push_many(&self, values: &mut impl Source<T>) -> sealed::Batch<PushError<()>> {
        batch::push_many(&self.ring, values)
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
}
