//! `ArrayQueue`.

use core::fmt;
use core::iter::FusedIterator;
use core::panic::{RefUnwindSafe, UnwindSafe};

use super::batch::{self, Sink, Source};
use crate::raw::{self, PushError, Ring};

/// A bounded queue for any number of producers and consumers.
///
/// Allocates its places when it is made and nothing afterwards. First in, first out: values leave
/// in the order in which their pushes took effect.
///
/// # Progress
///
/// An operation takes its position in one step and is done with the place there in a second one. A
/// thread that is stopped between the two (by the scheduler, or for good) holds up those that come
/// to the same place. So:
///
/// | operation | beside others |
/// |---|---|
/// | [`push`](Self::push), [`pop`](Self::pop), [`force_push`](Self::force_push), [`push_many`](Self::push_many), [`pop_many`](Self::pop_many), [`try_iter`](Self::try_iter) | wait for an operation in flight on their place: they pause, then yield, then sleep for a millisecond at most. Operations on other places go on. |
/// | [`try_push`](Self::try_push), [`try_pop`](Self::try_pop) | lock-free: they answer "busy" where the others wait, and try again only if somebody else succeeded |
/// | [`len`](Self::len) | lock-free: starts again if something was pushed meanwhile |
/// | [`is_empty`](Self::is_empty), [`is_full`](Self::is_full), [`capacity`](Self::capacity) | wait-free |
///
/// The forms that wait are thus never told falsely that the queue is full or empty, and neither are
/// those that do not: "busy" means that somebody else *was* in the middle of an operation on that
/// very place. The queue may be tried again at once, or later, or be left alone.
///
/// # Which answers can be relied on
///
/// Each operation takes effect at one moment between its call and its return, and its answer is
/// true at that moment: also "full" and "empty", [`len`](Self::len), [`is_empty`](Self::is_empty)
/// and [`is_full`](Self::is_full), and also across several queues (all of them take part in the
/// one total order of `SeqCst` operations). If two threads each push to a queue and then find the
/// other's queue empty, the values were popped in between. Two things take effect in several steps:
///
/// * [`force_push`](Self::force_push) on a full queue: for a moment `len` is one less, and
///   `is_full` may be false, or `is_empty` true if the capacity is 1. No push or pop is told so:
///   for them it is one step.
/// * A batch is one step for each run of places that it finds ready in a row. Its values stay in
///   order. It is one run if nobody else is in the middle of an operation meanwhile.
///
/// These answers are no fences: what else a thread reads and writes beside them needs orderings of
/// its own, unless it comes before a push and after the pop of that value.
///
/// # How long it works
///
/// Positions in the queue are numbers of 63 bits. The same one comes again after 2^62 pushes or
/// more, which take centuries, and even then does harm only to a thread that has been in the middle
/// of the same operation all the while.
///
/// # Memory ordering
///
/// Everything done before a push happens before the return of the pop that took its value.
///
/// # Fairness
///
/// Values leave first in, first out. Which of several threads that push or pop at the same time
/// comes first is up to the machine; whoever loses a race pauses for a moment, longer each time.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork`, an operation that another thread was in the middle of stays so for ever,
/// and whoever comes to its place waits for ever (or is told "busy"). Use a queue in a child only
/// if no other thread was using it at the fork.
///
/// Not for signal handlers: one may have interrupted the operation that it would wait for.
/// `try_push` and `try_pop` come back from there too.
///
/// Values are moved in and out, and nothing of theirs is called but their destructors when the
/// queue is dropped. So no panic comes in the middle of an operation, and in a batch neither: see
/// [`Source`].
///
/// The queue allocates when it is made, and uses no thread-local, so it works in the destructors of
/// those.
///
/// # Differences
///
/// From `crossbeam_queue::ArrayQueue`: same names and meanings. `Debug` shows length and capacity.
/// An answer "empty" or "full" is no full fence here, and costs a few plain loads instead. On top
/// come `try_push`, `try_pop`, batches, `try_iter` and `drain`; and whoever waits for another
/// thread sleeps in the end instead of yielding for ever.
///
/// # Examples
///
/// ```
/// use lockwork::queue::ArrayQueue;
///
/// let queue = ArrayQueue::new(2);
/// assert_eq!(queue.push('a'), Ok(()));
/// assert_eq!(queue.push('b'), Ok(()));
/// assert_eq!(queue.push('c'), Err('c'));
/// assert_eq!(queue.pop(), Some('a'));
/// ```
///
/// Only values that may change threads make a queue that may be shared:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::queue::ArrayQueue::<std::rc::Rc<()>>::new(1));
/// ```
///
/// ```
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::queue::ArrayQueue::<std::cell::Cell<()>>::new(1));
/// ```
#[doc(alias("ring_buffer", "MPMC", "Vyukov", "ArrayBlockingQueue"))]
pub struct ArrayQueue<T> {
    pub(super) ring: Ring<T>,
}

impl<T> UnwindSafe for ArrayQueue<T> {}
impl<T> RefUnwindSafe for ArrayQueue<T> {}

impl<T> ArrayQueue<T> {
    /// Creates an empty queue with `capacity` places.
    ///
    /// # Panics
    ///
    /// If `capacity` is zero, or more than there is memory for.
    ///
    /// ```
    /// let queue = lockwork::queue::ArrayQueue::<u8>::new(100);
    /// assert_eq!(queue.capacity(), 100);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        Self { ring: Ring::new(capacity) }
    }

    /// Appends a value.
    ///
    /// # Errors
    ///
    /// The value comes back if the queue is full.
    ///
    /// ```
    /// let queue = lockwork::queue::ArrayQueue::new(1);
    /// assert_eq!(queue.push(1), Ok(()));
    /// assert_eq!(queue.push(2), Err(2));
    /// ```
    #[doc(alias("enqueue", "offer"))]
    #[inline]
    pub fn push(&self, value: T) -> Result<(), T> {
        match self.ring.push(value) {
            Ok(()) => Ok(()),
            Err(PushError::Full(value) | PushError::Closed(value)) => Err(value),
        }
    }

    /// Appends a value, and waits for nobody.
    ///
    /// # Errors
    ///
    /// [`TryPushError::Full`], or [`TryPushError::Busy`] if another thread was in the middle of an
    /// operation on the place that is next; with the value.
    ///
    /// ```
    /// use lockwork::queue::{ArrayQueue, TryPushError};
    ///
    /// let queue = ArrayQueue::new(1);
    /// assert_eq!(queue.try_push(1), Ok(()));
    /// assert_eq!(queue.try_push(2), Err(TryPushError::Full(2)));
    /// ```
    #[inline]
    pub fn try_push(&self, value: T) -> Result<(), TryPushError<T>> {
        match self.ring.try_push(value) {
            Ok(()) => Ok(()),
            Err(raw::TryPushError::Full(value) | raw::TryPushError::Closed(value)) => {
                Err(TryPushError::Full(value))
            }
            Err(raw::TryPushError::Busy(value)) => Err(TryPushError::Busy(value)),
        }
    }

    /// Appends a value; if the queue is full, in place of the oldest one, which is returned.
    ///
    /// ```
    /// let queue = lockwork::queue::ArrayQueue::new(2);
    /// assert_eq!(queue.force_push(1), None);
    /// assert_eq!(queue.force_push(2), None);
    /// assert_eq!(queue.force_push(3), Some(1));
    /// assert_eq!(queue.pop(), Some(2));
    /// ```
    #[doc(alias("overwrite", "push_overwrite"))]
    #[inline]
    pub fn force_push(&self, value: T) -> Option<T> {
        self.ring.force_push(value)
    }

    /// Appends values from the front of `values` until the queue is full or there are no more, and
    /// says how many. What did not fit stays where it is.
    ///
    /// Places are taken for as many values at once as there is room for in a row, by a single
    /// locked instruction: a batch of 16 costs a fraction of 16 pushes.
    ///
    /// `values` is a `Vec`, a `VecDeque`, what their `drain` or `into_iter` gives, an array's
    /// `into_iter`, or any iterator in an [`Ahead`](super::Ahead): see [`Source`].
    ///
    /// # Panics
    ///
    /// If an iterator in an `Ahead` does. What was pushed until then stays pushed, and what was not
    /// stays in the `Ahead`.
    ///
    /// ```
    /// let queue = lockwork::queue::ArrayQueue::new(3);
    /// let mut jobs = vec!['a', 'b', 'c', 'd', 'e'];
    /// assert_eq!(queue.push_many(&mut jobs), 3);
    /// assert_eq!(jobs, ['d', 'e']);
    /// assert_eq!(queue.push_many(&mut jobs.drain(..)), 0);
    /// ```
    #[doc(alias("push_bulk", "enqueue_bulk", "push_batch", "extend"))]
    pub fn push_many<S: Source<T>>(&self, values: &mut S) -> usize {
        batch::push_many(&self.ring, values).0
    }

    /// Takes the oldest value, if there is one.
    ///
    /// ```
    /// let queue = lockwork::queue::ArrayQueue::new(1);
    /// assert_eq!(queue.pop(), None);
    /// queue.push(1);
    /// assert_eq!(queue.pop(), Some(1));
    /// ```
    #[doc(alias("dequeue", "poll"))]
    #[inline]
    pub fn pop(&self) -> Option<T> {
        self.ring.pop().ok()
    }

    /// Takes the oldest value, and waits for nobody.
    ///
    /// # Errors
    ///
    /// [`TryPopError::Empty`], or [`TryPopError::Busy`] if another thread was in the middle of an
    /// operation on the place that is next.
    ///
    /// ```
    /// use lockwork::queue::{ArrayQueue, TryPopError};
    ///
    /// let queue = ArrayQueue::new(1);
    /// assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
    /// queue.push(1);
    /// assert_eq!(queue.try_pop(), Ok(1));
    /// ```
    #[inline]
    pub fn try_pop(&self) -> Result<T, TryPopError> {
        match self.ring.try_pop() {
            Ok(value) => Ok(value),
            Err(raw::TryPopError::Empty | raw::TryPopError::Closed) => Err(TryPopError::Empty),
            Err(raw::TryPopError::Busy) => Err(TryPopError::Busy),
        }
    }

    /// Takes up to `max` of the oldest values, appends them to `into`, and says how many: fewer
    /// than `max` only if the queue is then empty.
    ///
    /// Takes as many at once as there are in a row, by a single locked instruction. `into` is a
    /// `Vec` or a `VecDeque`; it allocates if it has not room for what there is, and before
    /// anything is taken.
    ///
    /// # Panics
    ///
    /// If `into` would become too large. Nothing that was taken is lost then.
    ///
    /// ```
    /// let queue = lockwork::queue::ArrayQueue::new(8);
    /// queue.push_many(&mut vec![1, 2, 3]);
    /// let mut batch = Vec::with_capacity(16);
    /// assert_eq!(queue.pop_many(&mut batch, 16), 3);
    /// assert_eq!(batch, [1, 2, 3]);
    /// ```
    #[doc(alias("pop_bulk", "dequeue_bulk", "pop_batch", "drain_into"))]
    pub fn pop_many<S: Sink<T>>(&self, into: &mut S, max: usize) -> usize {
        batch::pop_many(&self.ring, into, max).0
    }

    /// Takes values, one for each `next`, until the queue is empty. It may be asked again
    /// afterwards.
    ///
    /// ```
    /// let queue = lockwork::queue::ArrayQueue::new(8);
    /// queue.push_many(&mut vec!['a', 'b', 'c']);
    /// assert_eq!(queue.try_iter().take(2).collect::<String>(), "ab");
    /// assert_eq!(queue.len(), 1);
    /// ```
    #[inline]
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { queue: self }
    }

    /// As [`push`](Self::push), when there is nobody else: without atomic operations.
    ///
    /// # Errors
    ///
    /// The value comes back if the queue is full.
    ///
    /// ```
    /// let mut queue = lockwork::queue::ArrayQueue::new(1);
    /// assert_eq!(queue.push_mut(1), Ok(()));
    /// assert_eq!(queue.push_mut(2), Err(2));
    /// ```
    pub fn push_mut(&mut self, value: T) -> Result<(), T> {
        match self.ring.push_mut(value) {
            Ok(()) => Ok(()),
            Err(PushError::Full(value) | PushError::Closed(value)) => Err(value),
        }
    }

    /// As [`pop`](Self::pop), when there is nobody else: without atomic operations.
    ///
    /// ```
    /// let mut queue = lockwork::queue::ArrayQueue::new(1);
    /// queue.push_mut(1);
    /// assert_eq!(queue.pop_mut(), Some(1));
    /// assert_eq!(queue.pop_mut(), None);
    /// ```
    pub fn pop_mut(&mut self) -> Option<T> {
        self.ring.pop_mut().ok()
    }

    /// Takes all values, when there is nobody else. What is not asked for is dropped with the
    /// iterator; if that is leaked, it stays in the queue.
    ///
    /// ```
    /// let mut queue = lockwork::queue::ArrayQueue::new(8);
    /// queue.push_many(&mut vec![1, 2, 3]);
    /// assert_eq!(queue.drain().sum::<i32>(), 6);
    /// assert!(queue.is_empty());
    /// ```
    #[doc(alias = "clear")]
    pub fn drain(&mut self) -> Drain<'_, T> {
        Drain { queue: self }
    }

    /// The number of places.
    ///
    /// ```
    /// assert_eq!(lockwork::queue::ArrayQueue::<()>::new(3).capacity(), 3);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// The number of values, at a moment between call and return.
    ///
    /// ```
    /// let queue = lockwork::queue::ArrayQueue::new(3);
    /// queue.push('x');
    /// assert_eq!(queue.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether there is no value, at a moment between call and return.
    ///
    /// ```
    /// assert!(lockwork::queue::ArrayQueue::<()>::new(1).is_empty());
    /// ```
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Whether there is no free place, at a moment between call and return.
    ///
    /// ```
    /// let queue = lockwork::queue::ArrayQueue::new(1);
    /// queue.push(());
    /// assert!(queue.is_full());
    /// ```
    #[must_use]
    #[inline]
    pub fn is_full(&self) -> bool {
        self.ring.is_full()
    }
}

impl<T> fmt::Debug for ArrayQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrayQueue")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}

impl<T> IntoIterator for ArrayQueue<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { queue: self }
    }
}

/// The values of an [`ArrayQueue`], oldest first.
///
/// ```
/// let queue = lockwork::queue::ArrayQueue::new(2);
/// queue.push('a');
/// queue.push('b');
/// assert_eq!(queue.into_iter().collect::<String>(), "ab");
/// ```
pub struct IntoIter<T> {
    queue: ArrayQueue<T>,
}

impl<T> fmt::Debug for IntoIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoIter").field("len", &self.queue.len()).finish()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.pop_mut()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.queue.len();
        (len, Some(len))
    }
}

impl<T> ExactSizeIterator for IntoIter<T> {}
impl<T> FusedIterator for IntoIter<T> {}

/// The values of an [`ArrayQueue`], oldest first, out of the queue while it stays: see
/// [`ArrayQueue::drain`].
///
/// ```
/// let mut queue = lockwork::queue::ArrayQueue::new(2);
/// queue.push('a');
/// assert_eq!(queue.drain().next(), Some('a'));
/// ```
#[must_use = "dropping it drops the values; leave it out to keep them"]
pub struct Drain<'a, T> {
    queue: &'a mut ArrayQueue<T>,
}

impl<T> fmt::Debug for Drain<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("len", &self.queue.len()).finish()
    }
}

impl<T> Iterator for Drain<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.pop_mut()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.queue.len();
        (len, Some(len))
    }
}

impl<T> ExactSizeIterator for Drain<'_, T> {}
impl<T> FusedIterator for Drain<'_, T> {}

impl<T> Drop for Drain<'_, T> {
    fn drop(&mut self) {
        self.queue.ring.clear();
    }
}

/// Values taken out of an [`ArrayQueue`] one by one: see [`ArrayQueue::try_iter`].
///
/// ```
/// let queue = lockwork::queue::ArrayQueue::new(2);
/// let mut values = queue.try_iter();
/// assert_eq!(values.next(), None);
/// queue.push('a');
/// assert_eq!(values.next(), Some('a'));
/// ```
#[must_use = "iterators do nothing until they are asked"]
pub struct TryIter<'a, T> {
    queue: &'a ArrayQueue<T>,
}

impl<T> fmt::Debug for TryIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryIter").field("queue", self.queue).finish()
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.queue.pop()
    }
}

/// Why [`ArrayQueue::try_push`] was refused, with the value.
///
/// ```
/// use lockwork::queue::ArrayQueue;
///
/// let queue = ArrayQueue::new(1);
/// queue.push(1).unwrap();
/// let refused = queue.try_push(2).unwrap_err();
/// assert_eq!(refused.to_string(), "queue is full");
/// assert!(!refused.is_busy());
/// assert_eq!(refused.into_inner(), 2);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TryPushError<T> {
    /// There was no room.
    Full(T),
    /// Another thread was in the middle of an operation on the place that is next.
    Busy(T),
}

impl<T> TryPushError<T> {
    /// The value that was refused.
    ///
    /// ```
    /// assert_eq!(lockwork::queue::TryPushError::Busy('x').into_inner(), 'x');
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Busy(value) => value,
        }
    }

    /// Whether it was not for want of room.
    ///
    /// ```
    /// assert!(lockwork::queue::TryPushError::Busy('x').is_busy());
    /// ```
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy(_))
    }
}

impl<T> fmt::Debug for TryPushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Busy(_) => "Busy(..)",
        })
    }
}

impl<T> fmt::Display for TryPushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "queue is full",
            Self::Busy(_) => "next place of the queue is in use",
        })
    }
}

impl<T> core::error::Error for TryPushError<T> {}

/// Why [`ArrayQueue::try_pop`] found nothing.
///
/// ```
/// use lockwork::queue::{ArrayQueue, TryPopError};
///
/// let refused = ArrayQueue::<u8>::new(1).try_pop().unwrap_err();
/// assert_eq!(refused, TryPopError::Empty);
/// assert_eq!(refused.to_string(), "queue is empty");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TryPopError {
    /// There was no value.
    Empty,
    /// Another thread was in the middle of an operation on the place that is next.
    Busy,
}

impl fmt::Display for TryPopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "queue is empty",
            Self::Busy => "next place of the queue is in use",
        })
    }
}

impl core::error::Error for TryPopError {}
