//! `ArrayQueue`.

use core::fmt;
use core::iter::FusedIterator;
use core::panic::{RefUnwindSafe, UnwindSafe};

use crate::raw::{PushError, Ring};

/// A bounded queue for any number of producers and consumers.
///
/// Allocates its places when it is made and nothing afterwards. First in, first out: values leave
/// in the order in which their pushes took effect.
///
/// # Progress
///
/// Not lock-free: a push or pop that comes to a slot in which another thread is in the middle of
/// its own operation waits for it: pausing, then yielding, then sleeping. Operations on other slots
/// go on. The answers "full" and "empty" are therefore never false.
///
/// # Memory ordering
///
/// Everything done before a push happens before the return of the pop that took its value.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork`, an operation that another thread was in the middle of stays so for ever,
/// and whoever comes to its slot waits for ever. Use a queue in a child only if no other thread was
/// using it at the fork.
///
/// Not for signal handlers: one may have interrupted the operation that it would wait for.
///
/// Values are moved in and out, and nothing of theirs is called but their destructors when the
/// queue is dropped. So no panic comes in the middle of an operation.
///
/// The queue allocates when it is made, and uses no thread-local, so it works in the destructors of
/// those.
///
/// # Differences
///
/// From `crossbeam_queue::ArrayQueue`: same names and meanings, as far as they stand;
/// `force_push`, `push_mut` and `pop_mut` do not yet.
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
    ring: Ring<T>,
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
    pub fn push(&self, value: T) -> Result<(), T> {
        match self.ring.push(value) {
            Ok(()) => Ok(()),
            Err(PushError::Full(value) | PushError::Closed(value)) => Err(value),
        }
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
    pub fn pop(&self) -> Option<T> {
        self.ring.pop().ok()
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

    /// The number of values at this moment; a gauge while others push and pop, never above the
    /// capacity.
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

    /// Whether there is no value at this moment.
    ///
    /// ```
    /// assert!(lockwork::queue::ArrayQueue::<()>::new(1).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Whether there is no free place at this moment.
    ///
    /// ```
    /// let queue = lockwork::queue::ArrayQueue::new(1);
    /// queue.push(());
    /// assert!(queue.is_full());
    /// ```
    #[must_use]
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
        self.queue.pop()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.queue.len();
        (len, Some(len))
    }
}

impl<T> ExactSizeIterator for IntoIter<T> {}
impl<T> FusedIterator for IntoIter<T> {}
