//! `SegQueue`.

use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;
use core::panic::{RefUnwindSafe, UnwindSafe};

use super::batch::{self, Sink};
use super::reclaim::{Hazard, Reclaim};
use crate::primitive::model_const_fn;
use crate::raw::{PushError, Segments};

/// An unbounded queue for any number of producers and consumers, lock-free.
///
/// First in, first out: values leave in the order in which their pushes took effect. Made without
/// allocating, also in a `static`. Values lie in segments of up to 512, which are used again: a
/// queue that has reached its usual length allocates nothing any more.
///
/// # Progress
///
/// Lock-free: whatever thread is stopped, for however long and wherever in a `push` or a `pop`, the
/// others go on. A popper that comes to the place of a pusher that is not running waits about a
/// microsecond for it, and then takes the place away; the pusher finds another one once it runs.
/// This costs a system call (`membarrier`), which waits for processors and not for threads.
///
/// Two limits. When a push needs a segment and there is no spare one, it asks the allocator, which
/// may have locks of its own. And if the system call is forbidden to a thread by a filter that was
/// installed after the first use of a queue, then that thread waits for a pusher as long as that
/// takes.
///
/// # Memory
///
/// A segment takes 8 KiB for values of up to eight bytes; for larger ones it has fewer places, but
/// at least 32. The queue keeps up to two spare segments, and a few that wait for the moment at
/// which nobody can be looking at them; with those in use, a short queue has three or four. Each
/// thread that is stopped inside an operation keeps at most a few more from being used again,
/// however many values pass by. See [`reclaim`](super::reclaim) for how that is known.
///
/// # Memory ordering
///
/// Everything done before a push happens before the return of the pop that took its value. "Empty"
/// is the truth at some moment of the call: of two threads that push to one queue each, and then
/// pop from the other's, at most one is told that it is empty.
///
/// # Fork, signals, panics, allocators
///
/// Works in a child of `fork`, whatever other threads were in the middle of at the time: to the
/// child, those are threads that have stopped. Values that they had in hand are leaked there. (The
/// allocator has to work in the child as well; those of glibc and musl do.)
///
/// A `pop` may be called in a signal handler, whatever it has interrupted, but for its `T`'s own
/// sake, a first use by the thread, which allocates, and a queue that was long, of which it frees
/// memory. A `push` may allocate.
///
/// Values are moved in and out, and nothing of theirs is called but their destructors when the
/// queue is dropped. If one of these panics, the others are still run.
///
/// A thread's first operation allocates a few words that stay for the process, and are used again
/// by another thread when it has ended. Operations work in destructors of thread-locals. An
/// allocator may use queues itself, as long as they do not come to allocate within it.
///
/// # Differences
///
/// From `crossbeam_queue::SegQueue`: same names and meanings. `len` and `is_empty` count a push
/// that is under way. [`push_many`](Self::push_many), [`pop_many`](Self::pop_many),
/// [`try_iter`](Self::try_iter) and [`drain`](Self::drain) are new, as are `Extend` and
/// `FromIterator`. There, a thread that is stopped in the middle of a push stops all that pop, and
/// at the end of a block, all that push; and each block of 31 values is allocated and freed.
///
/// # Examples
///
/// ```
/// use lockwork::queue::SegQueue;
///
/// static JOBS: SegQueue<String> = SegQueue::new();
///
/// std::thread::scope(|s| {
///     for i in 0..4 {
///         s.spawn(move || JOBS.push(format!("job {i}")));
///     }
/// });
/// assert_eq!(JOBS.len(), 4);
/// assert!(JOBS.pop().unwrap().starts_with("job"));
/// ```
///
/// Only values that may change threads make a queue that may be shared:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::queue::SegQueue::<std::rc::Rc<()>>::new());
/// ```
///
/// ```
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::queue::SegQueue::<std::cell::Cell<()>>::new());
/// ```
#[doc(alias(
    "MPMC",
    "unbounded",
    "ConcurrentLinkedQueue",
    "ConcurrentQueue",
    "LCRQ",
    "FAAArrayQueue"
))]
pub struct SegQueue<T, R: Reclaim = Hazard> {
    pub(super) segments: Segments<T, R>,
}

impl<T, R: Reclaim> UnwindSafe for SegQueue<T, R> {}
impl<T, R: Reclaim> RefUnwindSafe for SegQueue<T, R> {}

impl<T> SegQueue<T> {
    model_const_fn! {
        /// Creates an empty queue, without allocating.
        ///
        /// ```
        /// use lockwork::queue::SegQueue;
        ///
        /// static QUEUE: SegQueue<u32> = SegQueue::new();
        /// QUEUE.push(1);
        /// ```
        #[must_use]
        pub const fn new() -> Self {
            Self { segments: Segments::new() }
        }
    }
}

impl<T, R: Reclaim> SegQueue<T, R> {
    model_const_fn! {
        /// Creates an empty queue whose segments are reclaimed in a way that the type says; [`new`]
        /// makes one with [`Hazard`].
        ///
        /// ```
        /// use lockwork::queue::{SegQueue, reclaim};
        ///
        /// let queue = SegQueue::<u32, reclaim::Hazard>::with_reclaim();
        /// assert!(queue.is_empty());
        /// ```
        ///
        /// [`new`]: SegQueue::new
        #[must_use]
        pub const fn with_reclaim() -> Self {
            Self { segments: Segments::new() }
        }
    }

    /// Appends a value.
    ///
    /// ```
    /// let queue = lockwork::queue::SegQueue::new();
    /// queue.push(10);
    /// queue.push(20);
    /// assert_eq!(queue.pop(), Some(10));
    /// ```
    #[doc(alias("enqueue", "offer", "add"))]
    #[inline]
    pub fn push(&self, value: T) {
        match self.segments.push(value) {
            Ok(()) => {}
            Err(PushError::Full(_) | PushError::Closed(_)) => {
                unreachable!("lockwork: a SegQueue is neither bounded nor closed")
            }
        }
    }

    /// Appends all values, in their order, and says how many that were. Afterwards `values` is
    /// empty, and has its capacity.
    ///
    /// Places are taken for as many values at once as there are in a segment, by a single locked
    /// instruction: a batch of 16 costs a fraction of 16 pushes. Values of other threads' pushes
    /// may come in between, but as a rule do not.
    ///
    /// ```
    /// let queue = lockwork::queue::SegQueue::new();
    /// let mut jobs = vec!['a', 'b', 'c'];
    /// assert_eq!(queue.push_many(&mut jobs), 3);
    /// assert!(jobs.is_empty());
    /// assert_eq!(queue.len(), 3);
    /// ```
    #[doc(alias("push_bulk", "enqueue_bulk", "push_batch", "extend"))]
    pub fn push_many(&self, values: &mut Vec<T>) -> usize {
        let count = values.len();
        let pushed = self.segments.push_all(values.drain(..));
        debug_assert!(pushed.is_ok());
        count
    }

    /// Takes the oldest value, if there is one.
    ///
    /// ```
    /// let queue = lockwork::queue::SegQueue::new();
    /// assert_eq!(queue.pop(), None);
    /// queue.push(1);
    /// assert_eq!(queue.pop(), Some(1));
    /// ```
    #[doc(alias("dequeue", "poll"))]
    #[inline]
    pub fn pop(&self) -> Option<T> {
        self.segments.pop().ok()
    }

    /// Takes up to `max` of the oldest values, appends them to `into`, and says how many: fewer
    /// than `max` only if the queue was then empty.
    ///
    /// Takes as many at once as there are in a row, by a single locked instruction. `into`
    /// allocates if it has no room for what there is, and before anything is taken.
    ///
    /// # Panics
    ///
    /// If `into` would become too large. Nothing that was taken is lost then.
    ///
    /// ```
    /// let queue = lockwork::queue::SegQueue::new();
    /// queue.push_many(&mut vec![1, 2, 3]);
    /// let mut batch = Vec::with_capacity(16);
    /// assert_eq!(queue.pop_many(&mut batch, 16), 3);
    /// assert_eq!(batch, [1, 2, 3]);
    /// ```
    #[doc(alias("pop_bulk", "dequeue_bulk", "pop_batch", "drain_into"))]
    pub fn pop_many(&self, into: &mut impl Sink<T>, max: usize) -> usize {
        batch::pop_many_of_segments(&self.segments, into, max).0
    }

    /// Takes values, one for each `next`, until the queue is empty. It may be asked again
    /// afterwards.
    ///
    /// ```
    /// let queue = lockwork::queue::SegQueue::from_iter(['a', 'b', 'c']);
    /// assert_eq!(queue.try_iter().take(2).collect::<String>(), "ab");
    /// assert_eq!(queue.len(), 1);
    /// ```
    #[inline]
    pub fn try_iter(&self) -> SegTryIter<'_, T, R> {
        SegTryIter { queue: self }
    }

    /// As [`push`](Self::push), when there is nobody else: without locked instructions.
    ///
    /// ```
    /// let mut queue = lockwork::queue::SegQueue::new();
    /// queue.push_mut(1);
    /// assert_eq!(queue.pop_mut(), Some(1));
    /// ```
    pub fn push_mut(&mut self, value: T) {
        let pushed = self.segments.push_mut(value);
        debug_assert!(pushed.is_ok());
    }

    /// As [`pop`](Self::pop), when there is nobody else: without locked instructions.
    ///
    /// ```
    /// let mut queue = lockwork::queue::SegQueue::from_iter([1]);
    /// assert_eq!(queue.pop_mut(), Some(1));
    /// assert_eq!(queue.pop_mut(), None);
    /// ```
    pub fn pop_mut(&mut self) -> Option<T> {
        self.segments.pop_mut().ok()
    }

    /// Takes all values, when there is nobody else. What is not asked for is dropped with the
    /// iterator; if that is leaked, it stays in the queue.
    ///
    /// ```
    /// let mut queue = lockwork::queue::SegQueue::from_iter([1, 2, 3]);
    /// assert_eq!(queue.drain().sum::<i32>(), 6);
    /// assert!(queue.is_empty());
    /// ```
    #[doc(alias = "clear")]
    pub fn drain(&mut self) -> SegDrain<'_, T, R> {
        SegDrain { queue: self }
    }

    /// The number of values; a gauge while others push and pop, which counts pushes under way.
    ///
    /// ```
    /// let queue = lockwork::queue::SegQueue::new();
    /// queue.push('x');
    /// assert_eq!(queue.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.segments.len()
    }

    /// Whether there is no value at this moment, nor a push under way.
    ///
    /// ```
    /// assert!(lockwork::queue::SegQueue::<()>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// How many segments the queue has allocated at this moment, for tests of what it promises.
    #[doc(hidden)]
    pub fn segments(&self) -> usize {
        self.segments.segments() as usize
    }

    /// How many values a segment takes, for tests.
    #[doc(hidden)]
    pub fn places_per_segment() -> usize {
        Segments::<T, R>::places_per_segment()
    }
}

impl<T, R: Reclaim> Default for SegQueue<T, R> {
    fn default() -> Self {
        Self::with_reclaim()
    }
}

impl<T, R: Reclaim> fmt::Debug for SegQueue<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegQueue").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T, R: Reclaim> Extend<T> for SegQueue<T, R> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.push_mut(value));
    }
}

impl<T> FromIterator<T> for SegQueue<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut queue = Self::new();
        queue.extend(values);
        queue
    }
}

impl<T, R: Reclaim> IntoIterator for SegQueue<T, R> {
    type Item = T;
    type IntoIter = SegIntoIter<T, R>;

    fn into_iter(self) -> SegIntoIter<T, R> {
        SegIntoIter { queue: self }
    }
}

/// The values of a [`SegQueue`], oldest first.
///
/// ```
/// let queue = lockwork::queue::SegQueue::from_iter(['a', 'b']);
/// assert_eq!(queue.into_iter().collect::<String>(), "ab");
/// ```
pub struct SegIntoIter<T, R: Reclaim = Hazard> {
    queue: SegQueue<T, R>,
}

impl<T, R: Reclaim> fmt::Debug for SegIntoIter<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegIntoIter").field("len", &self.queue.len()).finish()
    }
}

impl<T, R: Reclaim> Iterator for SegIntoIter<T, R> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.pop_mut()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.queue.len();
        (len, Some(len))
    }
}

impl<T, R: Reclaim> ExactSizeIterator for SegIntoIter<T, R> {}
impl<T, R: Reclaim> FusedIterator for SegIntoIter<T, R> {}

/// What [`SegQueue::drain`] returns.
///
/// ```
/// let mut queue = lockwork::queue::SegQueue::from_iter([1, 2]);
/// let mut drain = queue.drain();
/// assert_eq!((drain.next(), drain.len()), (Some(1), 1));
/// ```
pub struct SegDrain<'a, T, R: Reclaim = Hazard> {
    queue: &'a mut SegQueue<T, R>,
}

impl<T, R: Reclaim> fmt::Debug for SegDrain<'_, T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegDrain").field("len", &self.queue.len()).finish()
    }
}

impl<T, R: Reclaim> Iterator for SegDrain<'_, T, R> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.pop_mut()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.queue.len();
        (len, Some(len))
    }
}

impl<T, R: Reclaim> ExactSizeIterator for SegDrain<'_, T, R> {}
impl<T, R: Reclaim> FusedIterator for SegDrain<'_, T, R> {}

impl<T, R: Reclaim> Drop for SegDrain<'_, T, R> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

/// What [`SegQueue::try_iter`] returns.
///
/// ```
/// let queue = lockwork::queue::SegQueue::from_iter([1]);
/// let mut values = queue.try_iter();
/// assert_eq!((values.next(), values.next()), (Some(1), None));
/// queue.push(2);
/// assert_eq!(values.next(), Some(2));
/// ```
pub struct SegTryIter<'a, T, R: Reclaim = Hazard> {
    queue: &'a SegQueue<T, R>,
}

impl<T, R: Reclaim> fmt::Debug for SegTryIter<'_, T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegTryIter").field("queue", &self.queue).finish()
    }
}

impl<T, R: Reclaim> Iterator for SegTryIter<'_, T, R> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.queue.pop()
    }
}
