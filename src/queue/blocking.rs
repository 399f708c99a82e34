//! `BlockingQueue`.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use crate::cancel::CancelToken;
use crate::primitive::{Deadline, mutant, settle};
use crate::raw::{self, EventCount, Limit, Ring};

/// A bounded queue whose producers sleep while it is full and whose consumers sleep while it is
/// empty, until it is closed.
///
/// Every operation comes in four forms: at once (`try_push`, `try_pop`), with a limit (`push_for`,
/// `push_until`, `pop_for`, `pop_until`), until a token is [cancelled](crate::cancel)
/// (`push_cancellable`, `pop_cancellable`), and without (`push`, `pop`).
///
/// # Closing
///
/// After [`close`](Self::close), pushes are refused and hand their value back, also those that were
/// asleep; pops go on until the queue is empty and then say [`PopError::Closed`]. A push that
/// returned `Ok` is never lost: it is popped, or dropped with the queue.
///
/// # Fairness
///
/// Values leave first in, first out. Which of several sleeping threads is served next is up to the
/// kernel, by priority and then by time; a thread that arrives awake may be faster.
///
/// # Memory ordering
///
/// Everything done before a push happens before the return of the pop that took its value, and
/// everything done before `close` happens before the return of an operation that says
/// [`PopError::Closed`] or [`PushErrorReason::Closed`].
///
/// # Fork, signals, panics, allocators
///
/// As for [`ArrayQueue`](super::ArrayQueue#fork-signals-panics-allocators). Threads that are asleep
/// in the queue at a fork do no harm: in the child each operation makes a needless call for them. A
/// signal neither ends a wait nor moves its limit.
///
/// # Cost
///
/// That of [`ArrayQueue`](super::ArrayQueue), and one full fence and one load to see that nobody
/// sleeps. The kernel is entered only to sleep, and to wake when somebody does.
///
/// # Differences
///
/// From `crossbeam_channel::bounded`: one object instead of two ends, closed by name instead of by
/// dropping, capacity at least 1.
///
/// # Examples
///
/// ```
/// use lockwork::queue::{BlockingQueue, PopError};
/// use std::thread;
///
/// let queue = BlockingQueue::new(4);
/// let sum = thread::scope(|s| {
///     let consumer = s.spawn(|| {
///         let mut sum = 0;
///         while let Ok(n) = queue.pop() {
///             sum += n;
///         }
///         sum
///     });
///     for n in 1..=100 {
///         queue.push(n).unwrap();
///     }
///     queue.close();
///     consumer.join().unwrap()
/// });
/// assert_eq!(sum, 5050);
/// assert_eq!(queue.pop(), Err(PopError::Closed));
/// ```
///
/// Only values that may change threads make a queue that may be shared:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::queue::BlockingQueue::<std::rc::Rc<()>>::new(1));
/// ```
///
/// ```
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::queue::BlockingQueue::<std::cell::Cell<()>>::new(1));
/// ```
#[doc(alias("bounded channel", "ArrayBlockingQueue", "backpressure", "sync_channel"))]
pub struct BlockingQueue<T> {
    ring: Ring<T>,
    /// Consumers sleep here; notified by a push, and by closing.
    not_empty: EventCount,
    /// Producers sleep here; notified by a pop, and by closing.
    not_full: EventCount,
}

impl<T> UnwindSafe for BlockingQueue<T> {}
impl<T> RefUnwindSafe for BlockingQueue<T> {}

impl<T> BlockingQueue<T> {
    /// Creates an empty queue with `capacity` places.
    ///
    /// # Panics
    ///
    /// If `capacity` is zero, or more than there is memory for.
    ///
    /// ```
    /// let queue = lockwork::queue::BlockingQueue::<u8>::new(16);
    /// assert!(queue.is_empty());
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        Self::on(Ring::new(capacity))
    }

    /// As [`new`](Self::new), for a capacity above zero; `None` if there is no memory for it.
    #[cfg(feature = "std")]
    pub(crate) fn try_new(capacity: usize) -> Option<Self> {
        Ring::try_new(capacity).map(Self::on)
    }

    fn on(ring: Ring<T>) -> Self {
        // Rather now than in the first push.
        settle();
        Self { ring, not_empty: EventCount::new(), not_full: EventCount::new() }
    }

    /// Appends a value if there is room at this moment.
    ///
    /// # Errors
    ///
    /// [`Full`](PushErrorReason::Full) or [`Closed`](PushErrorReason::Closed), with the value.
    ///
    /// ```
    /// use lockwork::queue::{BlockingQueue, PushErrorReason};
    ///
    /// let queue = BlockingQueue::new(1);
    /// queue.try_push("a").unwrap();
    /// let refused = queue.try_push("b").unwrap_err();
    /// assert_eq!(refused.reason(), PushErrorReason::Full);
    /// assert_eq!(refused.into_inner(), "b");
    /// ```
    #[doc(alias("offer", "try_send"))]
    pub fn try_push(&self, value: T) -> Result<(), PushError<T>> {
        match self.ring.push(value) {
            Ok(()) => {
                if !mutant!("blocking_queue.push-wake") {
                    self.not_empty.notify_one();
                }
                Ok(())
            }
            Err(raw::PushError::Full(value)) => Err(self.refuse(PushErrorReason::Full, value)),
            Err(raw::PushError::Closed(value)) => Err(self.refuse(PushErrorReason::Closed, value)),
        }
    }

    /// Appends a value, sleeping until there is room.
    ///
    /// # Errors
    ///
    /// [`Closed`](PushErrorReason::Closed), with the value.
    ///
    /// ```
    /// let queue = lockwork::queue::BlockingQueue::new(1);
    /// queue.push(1).unwrap();
    /// queue.close();
    /// assert_eq!(queue.push(2).unwrap_err().into_inner(), 2);
    /// ```
    #[doc(alias("put", "send"))]
    #[track_caller]
    pub fn push(&self, value: T) -> Result<(), PushError<T>> {
        self.push_until(value, Deadline::NEVER)
    }

    /// Appends a value, sleeping for at most `timeout` until there is room.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PushErrorReason::TimedOut) or [`Closed`](PushErrorReason::Closed), with the
    /// value.
    ///
    /// ```
    /// use lockwork::queue::{BlockingQueue, PushErrorReason};
    /// use std::time::Duration;
    ///
    /// let queue = BlockingQueue::new(1);
    /// queue.push(1).unwrap();
    /// let refused = queue.push_for(2, Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(refused.reason(), PushErrorReason::TimedOut);
    /// ```
    #[doc(alias = "send_timeout")]
    #[track_caller]
    pub fn push_for(&self, value: T, timeout: Duration) -> Result<(), PushError<T>> {
        self.push_until(value, Deadline::after(timeout))
    }

    /// Appends a value, sleeping until `deadline` at the latest until there is room. A value for
    /// which there is room is accepted however late it is.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PushErrorReason::TimedOut) or [`Closed`](PushErrorReason::Closed), with the
    /// value.
    ///
    /// ```
    /// use lockwork::{Deadline, queue::BlockingQueue};
    ///
    /// let queue = BlockingQueue::new(1);
    /// assert!(queue.push_until(1, Deadline::now()).is_ok());
    /// assert!(queue.push_until(2, Deadline::now()).is_err());
    /// ```
    #[doc(alias = "send_deadline")]
    #[track_caller]
    pub fn push_until(&self, value: T, deadline: impl Into<Deadline>) -> Result<(), PushError<T>> {
        self.push_limited(value, || deadline.into(), |_| PushErrorReason::TimedOut)
    }

    /// Appends a value, sleeping until there is room or `token` is cancelled.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](PushErrorReason::Cancelled) if the token was cancelled before there was room,
    /// or is already, or [`Closed`](PushErrorReason::Closed); with the value.
    ///
    /// # Panics
    ///
    /// As [`CancelToken::is_cancelled`].
    ///
    /// ```
    /// use lockwork::{cancel::CancelToken, queue::{BlockingQueue, PushErrorReason}};
    /// use std::time::Duration;
    ///
    /// let (queue, token) = (BlockingQueue::new(1), CancelToken::new());
    /// queue.push_cancellable("a", &token).unwrap();
    /// let soon = token.child_for(Duration::from_millis(1));
    /// let refused = queue.push_cancellable("b", &soon).unwrap_err();
    /// assert_eq!(refused.reason(), PushErrorReason::Cancelled);
    /// assert_eq!(refused.into_inner(), "b");
    /// ```
    #[track_caller]
    pub fn push_cancellable(&self, value: T, token: &CancelToken) -> Result<(), PushError<T>> {
        if token.is_cancelled() {
            return Err(self.refuse(PushErrorReason::Cancelled, value));
        }
        self.push_limited(
            value,
            || token,
            |token| {
                token.reached();
                PushErrorReason::Cancelled
            },
        )
    }

    /// `reached` says what to answer if the limit was.
    fn push_limited<L: Limit>(
        &self,
        value: T,
        limit: impl FnOnce() -> L,
        reached: impl FnOnce(L) -> PushErrorReason,
    ) -> Result<(), PushError<T>> {
        let mut refused = match self.try_push(value) {
            Err(refused) if refused.reason == PushErrorReason::Full => refused,
            done => return done,
        };
        let limit = limit();
        loop {
            let ticket = self.not_full.prepare();
            refused = match self.try_push(refused.value) {
                Err(refused) if refused.reason == PushErrorReason::Full => refused,
                done => {
                    self.not_full.cancel(ticket);
                    return done;
                }
            };
            let in_time = self.not_full.wait(ticket, limit);
            refused = match self.try_push(refused.value) {
                Err(refused) if refused.reason == PushErrorReason::Full => refused,
                done => return done,
            };
            if !in_time {
                return Err(self.refuse(reached(limit), refused.value));
            }
        }
    }

    /// Takes the oldest value if there is one at this moment.
    ///
    /// # Errors
    ///
    /// [`PopError::Empty`], or [`PopError::Closed`] if there will never be one.
    ///
    /// ```
    /// use lockwork::queue::{BlockingQueue, PopError};
    ///
    /// let queue = BlockingQueue::<u8>::new(1);
    /// assert_eq!(queue.try_pop(), Err(PopError::Empty));
    /// queue.close();
    /// assert_eq!(queue.try_pop(), Err(PopError::Closed));
    /// ```
    #[doc(alias("poll", "try_recv"))]
    pub fn try_pop(&self) -> Result<T, PopError> {
        match self.ring.pop() {
            Ok(value) => {
                if !mutant!("blocking_queue.pop-wake") {
                    self.not_full.notify_one();
                }
                Ok(value)
            }
            Err(raw::PopError::Empty) => Err(PopError::Empty),
            Err(raw::PopError::Closed) => Err(PopError::Closed),
        }
    }

    /// Takes the oldest value, sleeping until there is one.
    ///
    /// # Errors
    ///
    /// [`PopError::Closed`] once the queue is closed and empty, and nothing else.
    ///
    /// ```
    /// use lockwork::queue::{BlockingQueue, PopError};
    ///
    /// let queue = BlockingQueue::new(1);
    /// queue.push(1).unwrap();
    /// queue.close();
    /// assert_eq!(queue.pop(), Ok(1));
    /// assert_eq!(queue.pop(), Err(PopError::Closed));
    /// ```
    #[doc(alias("take", "recv"))]
    #[track_caller]
    pub fn pop(&self) -> Result<T, PopError> {
        self.pop_until(Deadline::NEVER)
    }

    /// Takes the oldest value, sleeping for at most `timeout` until there is one.
    ///
    /// # Errors
    ///
    /// [`PopError::TimedOut`] or [`PopError::Closed`].
    ///
    /// ```
    /// use lockwork::queue::{BlockingQueue, PopError};
    /// use std::time::Duration;
    ///
    /// let queue = BlockingQueue::<u8>::new(1);
    /// assert_eq!(queue.pop_for(Duration::from_millis(1)), Err(PopError::TimedOut));
    /// ```
    #[doc(alias = "recv_timeout")]
    #[track_caller]
    pub fn pop_for(&self, timeout: Duration) -> Result<T, PopError> {
        self.pop_until(Deadline::after(timeout))
    }

    /// Takes the oldest value, sleeping until `deadline` at the latest until there is one. A value
    /// that is there is taken however late it is.
    ///
    /// # Errors
    ///
    /// [`PopError::TimedOut`] or [`PopError::Closed`].
    ///
    /// ```
    /// use lockwork::{Deadline, queue::{BlockingQueue, PopError}};
    ///
    /// let queue = BlockingQueue::<u8>::new(1);
    /// assert_eq!(queue.pop_until(Deadline::now()), Err(PopError::TimedOut));
    /// ```
    #[doc(alias = "recv_deadline")]
    #[track_caller]
    pub fn pop_until(&self, deadline: impl Into<Deadline>) -> Result<T, PopError> {
        self.pop_limited(|| deadline.into(), |_| PopError::TimedOut)
    }

    /// Takes the oldest value, sleeping until there is one or `token` is cancelled.
    ///
    /// # Errors
    ///
    /// [`PopError::Cancelled`] if the token was cancelled before there was a value, or is already,
    /// or [`PopError::Closed`].
    ///
    /// # Panics
    ///
    /// As [`CancelToken::is_cancelled`].
    ///
    /// ```
    /// use lockwork::{cancel::CancelToken, queue::{BlockingQueue, PopError}};
    ///
    /// let (queue, token) = (BlockingQueue::<u8>::new(1), CancelToken::new());
    /// std::thread::scope(|s| {
    ///     let consumer = s.spawn(|| queue.pop_cancellable(&token));
    ///     token.cancel();
    ///     assert_eq!(consumer.join().unwrap(), Err(PopError::Cancelled));
    /// });
    /// ```
    #[track_caller]
    pub fn pop_cancellable(&self, token: &CancelToken) -> Result<T, PopError> {
        if token.is_cancelled() {
            return Err(PopError::Cancelled);
        }
        self.pop_limited(
            || token,
            |token| {
                token.reached();
                PopError::Cancelled
            },
        )
    }

    /// `reached` says what to answer if the limit was.
    fn pop_limited<L: Limit>(
        &self,
        limit: impl FnOnce() -> L,
        reached: impl FnOnce(L) -> PopError,
    ) -> Result<T, PopError> {
        match self.try_pop() {
            Err(PopError::Empty) => {}
            done => return done,
        }
        let limit = limit();
        loop {
            let ticket = self.not_empty.prepare();
            match self.try_pop() {
                Err(PopError::Empty) => {}
                done => {
                    self.not_empty.cancel(ticket);
                    return done;
                }
            }
            let in_time = self.not_empty.wait(ticket, limit);
            match self.try_pop() {
                Err(PopError::Empty) if in_time => {}
                Err(PopError::Empty) => return Err(reached(limit)),
                done => return done,
            }
        }
    }

    /// Refuses pushes from now on and wakes all sleepers. Returns whether this call did it, `false`
    /// if the queue was closed already.
    ///
    /// ```
    /// let queue = lockwork::queue::BlockingQueue::<u8>::new(1);
    /// assert!(queue.close());
    /// assert!(!queue.close());
    /// ```
    #[doc(alias = "shutdown")]
    pub fn close(&self) -> bool {
        let first = self.ring.close();
        if first {
            if !mutant!("blocking_queue.close-wakes-consumers") {
                self.not_empty.notify_all();
            }
            if !mutant!("blocking_queue.close-wakes-producers") {
                self.not_full.notify_all();
            }
        }
        first
    }

    /// Whether the queue was closed.
    ///
    /// ```
    /// assert!(!lockwork::queue::BlockingQueue::<u8>::new(1).is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }

    /// The number of places.
    ///
    /// ```
    /// assert_eq!(lockwork::queue::BlockingQueue::<u8>::new(9).capacity(), 9);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// The number of values at this moment; a gauge while others push and pop, never above the
    /// capacity.
    ///
    /// ```
    /// let queue = lockwork::queue::BlockingQueue::new(2);
    /// queue.push('x').unwrap();
    /// assert_eq!(queue.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether there is no value at this moment.
    ///
    /// ```
    /// assert!(lockwork::queue::BlockingQueue::<u8>::new(1).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Whether there is no free place at this moment.
    ///
    /// ```
    /// let queue = lockwork::queue::BlockingQueue::new(1);
    /// queue.push(1).unwrap();
    /// assert!(queue.is_full());
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.ring.is_full()
    }

    fn refuse(&self, reason: PushErrorReason, value: T) -> PushError<T> {
        PushError { reason, capacity: self.capacity(), value }
    }
}

impl<T> fmt::Debug for BlockingQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingQueue")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}

/// A refused push, with the value.
///
/// ```
/// use lockwork::queue::BlockingQueue;
///
/// let queue = BlockingQueue::new(1);
/// queue.push(1).unwrap();
/// let refused = queue.try_push(2).unwrap_err();
/// assert_eq!(refused.to_string(), "queue is full (1 of 1)");
/// assert_eq!(refused.into_inner(), 2);
/// ```
pub struct PushError<T> {
    reason: PushErrorReason,
    capacity: usize,
    value: T,
}

/// Why a push was refused.
///
/// ```
/// use lockwork::queue::{BlockingQueue, PushErrorReason};
///
/// let queue = BlockingQueue::new(1);
/// queue.push(1).unwrap();
/// assert_eq!(queue.try_push(2).unwrap_err().reason(), PushErrorReason::Full);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PushErrorReason {
    /// There was no room.
    Full,
    /// The queue was closed.
    Closed,
    /// There was no room until the deadline.
    TimedOut,
    /// There was no room until the token was cancelled.
    Cancelled,
}

impl<T> PushError<T> {
    /// Why the push was refused.
    ///
    /// ```
    /// use lockwork::queue::{BlockingQueue, PushErrorReason};
    ///
    /// let queue = BlockingQueue::new(1);
    /// queue.close();
    /// assert_eq!(queue.push(1).unwrap_err().reason(), PushErrorReason::Closed);
    /// ```
    #[must_use]
    pub fn reason(&self) -> PushErrorReason {
        self.reason
    }

    /// The value that was refused.
    ///
    /// ```
    /// let queue = lockwork::queue::BlockingQueue::new(1);
    /// queue.close();
    /// assert_eq!(queue.push("back").unwrap_err().into_inner(), "back");
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushError").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capacity = self.capacity;
        match self.reason {
            PushErrorReason::Full => write!(f, "queue is full ({capacity} of {capacity})"),
            PushErrorReason::Closed => f.write_str("queue is closed"),
            PushErrorReason::Cancelled => f.write_str("push was cancelled"),
            PushErrorReason::TimedOut => {
                write!(f, "queue stayed full until the deadline ({capacity} of {capacity})")
            }
        }
    }
}

impl<T> core::error::Error for PushError<T> {}

/// Why a pop returned nothing.
///
/// ```
/// use lockwork::queue::{BlockingQueue, PopError};
///
/// let queue = BlockingQueue::<u8>::new(1);
/// assert_eq!(queue.try_pop(), Err(PopError::Empty));
/// assert_eq!(PopError::Closed.to_string(), "queue is closed and empty");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PopError {
    /// There was no value.
    Empty,
    /// The queue is closed and there will be no more values.
    Closed,
    /// There was no value until the deadline.
    TimedOut,
    /// The token was cancelled before there was a value.
    Cancelled,
}

impl fmt::Display for PopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "queue is empty",
            Self::Closed => "queue is closed and empty",
            Self::TimedOut => "queue stayed empty until the deadline",
            Self::Cancelled => "pop was cancelled",
        })
    }
}

impl core::error::Error for PopError {}
