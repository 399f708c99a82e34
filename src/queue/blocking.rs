//! `BlockingQueue`.

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use super::ArrayQueue;
#[cfg(feature = "std")]
use super::SegQueue;
use super::backing::Backing;
use super::batch::{self, Sink, Source};
use super::pace::Pace;
use crate::cancel::CancelToken;
use crate::primitive::{Deadline, Looks, Wait, mutant, settle};
use crate::raw::{self, EventCount, Found, Limit, Readiness};
use crate::sync::{Waitable, waitable};

/// A queue whose producers sleep while it is full and whose consumers sleep while it is empty,
/// until it is closed. Made by [`new`](Self::new) it is bounded, by `unbounded` it is not;
/// [`over`](Self::over) makes it of a queue that there is already.
///
/// With a `SegQueue` inside, nobody waits for an operation that is under way, pushes never sleep,
/// and `is_full` is never true. Batches go in one by one there: a batch takes its places before its
/// values, and a lock-free queue cannot promise to keep them if it is closed in between.
///
/// Every operation comes in four forms: at once (`try_push`, `try_pop`), with a limit (`push_for`,
/// `push_until`, `pop_for`, `pop_until`), until a token is [cancelled](crate::cancel)
/// (`push_cancellable`, `pop_cancellable`), and without (`push`, `pop`).
///
/// Batches go in and out by [`push_many`](Self::push_many) and [`pop_many`](Self::pop_many), which
/// waits for its first value. [`iter`](Self::iter) takes values until the end.
/// [`wait_any`](crate::wait_any) waits for a queue beside other things.
///
/// # Progress
///
/// | operation | class |
/// |---|---|
/// | `try_push`, `try_pop`, the `try_` batches, `try_iter` | as [`ArrayQueue`](super::ArrayQueue#progress): wait for an operation on the same place that is under way. Lock-free otherwise, but for one system call where somebody sleeps |
/// | `push`, `pop`, `push_many`, `pop_many`, their limited and cancellable forms, `iter` | the same, and sleep |
/// | `close`, `is_closed`, `is_empty`, `is_full`, `capacity` | wait-free, but for the system call that wakes sleepers |
/// | `len` | wait-free, unless pushes overtake it |
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
/// That of [`ArrayQueue`], and one plain load to see that nobody sleeps: no
/// fence, as whoever goes to sleep has the kernel make one on every processor that runs a thread of
/// this process (`membarrier`, about a microsecond). Where that is missing or forbidden, each push
/// and pop makes a full fence. Registering for it happens with the first queue of a process, and
/// takes ten milliseconds if there are other threads by then.
///
/// The kernel is entered only to sleep, and to wake somebody who is not on his way already. A
/// waiter looks for a microsecond or two and gives its core away eight times before it sleeps,
/// which is about as long as it takes to fall asleep and be woken. Where the other side runs ahead
/// of it, it stays away for about as long at a time, so that the lines of a run of values change
/// cores once, and not once a value. Of threads that sleep at one end, 32,767 are woken; each one
/// beyond these looks by itself every five milliseconds.
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
pub struct BlockingQueue<T, Q: Backing<T> = ArrayQueue<T>> {
    queue: Q,
    /// Consumers sleep here; notified by a push, and by closing.
    not_empty: EventCount,
    /// Producers sleep here; notified by a pop, and by closing.
    not_full: EventCount,
    consumers: Pace,
    producers: Pace,
    values: PhantomData<fn(T) -> T>,
}

impl<T, Q: Backing<T>> UnwindSafe for BlockingQueue<T, Q> {}
impl<T, Q: Backing<T>> RefUnwindSafe for BlockingQueue<T, Q> {}

/// Looks until that was not in vain, or `limit` is reached: with the last look's answer.
fn look_until<R>(
    event: &EventCount,
    mut looks: Looks,
    limit: impl Limit,
    mut look: impl FnMut() -> Option<R>,
) -> Option<R> {
    while looks.once_more(|| limit.is_reached()) {
        if let Some(found) = look() {
            return Some(found);
        }
    }
    let mut ticket = event.prepare();
    loop {
        if let Some(found) = look() {
            event.cancel(ticket);
            return Some(found);
        }
        if event.sleep(&ticket, limit) == Wait::TimedOut {
            event.cancel(ticket);
            // A call may have gone with the ticket.
            return look();
        }
        event.again(&mut ticket);
    }
}

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
        Self::over(ArrayQueue::new(capacity))
    }

    /// The number of places.
    ///
    /// ```
    /// assert_eq!(lockwork::queue::BlockingQueue::<u8>::new(9).capacity(), 9);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.queue.capacity()
    }
}

#[cfg(feature = "std")]
impl<T> BlockingQueue<T, SegQueue<T>> {
    /// Creates an empty queue without a bound: a push never sleeps, and is refused only when the
    /// queue is closed.
    ///
    /// ```
    /// use lockwork::queue::{BlockingQueue, PopError};
    ///
    /// let queue = BlockingQueue::unbounded();
    /// (0..1000).for_each(|n| queue.push(n).unwrap());
    /// queue.close();
    /// assert_eq!(queue.iter().count(), 1000);
    /// assert_eq!(queue.pop(), Err(PopError::Closed));
    /// ```
    #[doc(alias = "LinkedBlockingQueue")]
    #[must_use]
    pub fn unbounded() -> Self {
        Self::over(SegQueue::new())
    }
}

impl<T, Q: Backing<T>> BlockingQueue<T, Q> {
    /// Makes a blocking queue of `queue`, with the values that are in it.
    ///
    /// ```
    /// use lockwork::queue::{ArrayQueue, BlockingQueue};
    ///
    /// let queue = BlockingQueue::over(ArrayQueue::new(1));
    /// queue.push('a').unwrap();
    /// ```
    #[must_use]
    pub fn over(queue: Q) -> Self {
        // Rather now than in the first push.
        settle();
        Self {
            queue,
            not_empty: EventCount::new(),
            not_full: EventCount::new(),
            consumers: Pace::new(),
            producers: Pace::new(),
            values: PhantomData,
        }
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
    #[inline]
    pub fn try_push(&self, value: T) -> Result<(), PushError<T>> {
        match self.queue.push(value) {
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
    #[inline]
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
    #[inline]
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
    #[inline]
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
    #[inline]
    fn push_limited<L: Limit>(
        &self,
        value: T,
        limit: impl FnOnce() -> L,
        reached: impl FnOnce(L) -> PushErrorReason,
    ) -> Result<(), PushError<T>> {
        match self.try_push(value) {
            Err(refused) if refused.reason == PushErrorReason::Full => {
                self.push_slow(refused.value, limit(), reached)
            }
            done => done,
        }
    }

    /// For whom there was no room at once.
    #[inline(never)]
    fn push_slow<L: Limit>(
        &self,
        value: T,
        limit: L,
        reached: impl FnOnce(L) -> PushErrorReason,
    ) -> Result<(), PushError<T>> {
        let mut value = Some(value);
        let done = look_until(&self.not_full, self.producer_looks(), limit, || {
            match self.try_push(value.take()?) {
                Err(refused) if refused.reason == PushErrorReason::Full => {
                    value = Some(refused.value);
                    None
                }
                done => Some(done),
            }
        });
        match (done, value) {
            (None, Some(value)) => Err(self.refuse(reached(limit), value)),
            (Some(done), _) => done,
            (None, None) => unreachable!("a value that is neither in the queue nor refused"),
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
    #[inline]
    pub fn try_pop(&self) -> Result<T, PopError> {
        match self.queue.pop() {
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
    #[inline]
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
    #[inline]
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
    #[inline]
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
    #[inline]
    fn pop_limited<L: Limit>(
        &self,
        limit: impl FnOnce() -> L,
        reached: impl FnOnce(L) -> PopError,
    ) -> Result<T, PopError> {
        match self.try_pop() {
            Err(PopError::Empty) => self.pop_slow(limit(), reached),
            done => done,
        }
    }

    /// For whom there was nothing at once.
    #[inline(never)]
    fn pop_slow<L: Limit>(
        &self,
        limit: L,
        reached: impl FnOnce(L) -> PopError,
    ) -> Result<T, PopError> {
        look_until(&self.not_empty, self.consumer_looks(), limit, || match self.try_pop() {
            Err(PopError::Empty) => None,
            done => Some(done),
        })
        .unwrap_or_else(|| Err(reached(limit)))
    }
}

impl<T> BlockingQueue<T> {
    /// Appends all of `values`, sleeping whenever there is no room, and says how many: fewer only
    /// if the queue is closed. What was not pushed stays where it is.
    ///
    /// Values of other producers may come in between. For what can be a source, see [`Source`].
    ///
    /// # Panics
    ///
    /// As [`ArrayQueue::push_many`].
    ///
    /// ```
    /// let queue = lockwork::queue::BlockingQueue::new(8);
    /// assert_eq!(queue.push_many(&mut vec![1, 2, 3]), 3);
    /// assert_eq!(queue.len(), 3);
    /// ```
    #[doc(alias("send_many", "putAll", "push_batch"))]
    #[track_caller]
    pub fn push_many(&self, values: &mut impl Source<T>) -> usize {
        self.push_many_until(values, Deadline::NEVER)
    }

    /// Appends those of `values` for which there is room at this moment, and says how many.
    ///
    /// ```
    /// let queue = lockwork::queue::BlockingQueue::new(2);
    /// let mut values = vec![1, 2, 3];
    /// assert_eq!(queue.try_push_many(&mut values), 2);
    /// assert_eq!(values, [3]);
    /// ```
    pub fn try_push_many(&self, values: &mut impl Source<T>) -> usize {
        self.push_run(values).0
    }

    /// As [`push_many`](Self::push_many), for at most `timeout` in all.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let queue = lockwork::queue::BlockingQueue::new(2);
    /// assert_eq!(queue.push_many_for(&mut vec![1, 2, 3], Duration::from_millis(1)), 2);
    /// ```
    #[track_caller]
    pub fn push_many_for(&self, values: &mut impl Source<T>, timeout: Duration) -> usize {
        self.push_many_until(values, Deadline::after(timeout))
    }

    /// As [`push_many`](Self::push_many), until `deadline` at the latest.
    ///
    /// ```
    /// use lockwork::{Deadline, queue::BlockingQueue};
    ///
    /// let queue = BlockingQueue::new(2);
    /// assert_eq!(queue.push_many_until(&mut vec![1, 2, 3], Deadline::now()), 2);
    /// ```
    #[track_caller]
    pub fn push_many_until(
        &self,
        values: &mut impl Source<T>,
        deadline: impl Into<Deadline>,
    ) -> usize {
        self.push_many_limited(values, || deadline.into(), |_| {})
    }

    /// As [`push_many`](Self::push_many), until `token` is cancelled.
    ///
    /// # Panics
    ///
    /// As [`CancelToken::is_cancelled`], and as [`ArrayQueue::push_many`].
    ///
    /// ```
    /// use lockwork::{cancel::CancelToken, queue::BlockingQueue};
    ///
    /// let (queue, token) = (BlockingQueue::new(2), CancelToken::new());
    /// token.cancel();
    /// assert_eq!(queue.push_many_cancellable(&mut vec![1, 2, 3], &token), 0);
    /// ```
    #[track_caller]
    pub fn push_many_cancellable(&self, values: &mut impl Source<T>, token: &CancelToken) -> usize {
        if token.is_cancelled() {
            return 0;
        }
        self.push_many_limited(
            values,
            || token,
            |token| {
                token.reached();
            },
        )
    }

    fn push_many_limited<L: Limit>(
        &self,
        values: &mut impl Source<T>,
        limit: impl FnOnce() -> L,
        reached: impl FnOnce(L),
    ) -> usize {
        let (mut pushed, end) = self.push_run(values);
        if !matches!(end, Err(raw::PushError::Full(()))) {
            return pushed;
        }
        let limit = limit();
        loop {
            let run = look_until(&self.not_full, self.producer_looks(), limit, || {
                match self.push_run(values) {
                    (0, Err(raw::PushError::Full(()))) => None,
                    run => Some(run),
                }
            });
            match run {
                None => {
                    reached(limit);
                    return pushed;
                }
                Some((more, end)) => {
                    pushed += more;
                    if !matches!(end, Err(raw::PushError::Full(()))) {
                        return pushed;
                    }
                }
            }
        }
    }

    fn push_run(&self, values: &mut impl Source<T>) -> (usize, Result<(), raw::PushError<()>>) {
        let (pushed, end) = batch::push_many(&self.queue.ring, values);
        if pushed > 0 && !mutant!("blocking_queue.push-many-wake") {
            self.not_empty.notify(u32::try_from(pushed).unwrap_or(u32::MAX));
        }
        (pushed, end)
    }
}

impl<T, Q: Backing<T>> BlockingQueue<T, Q> {
    /// Waits until there is a value, takes up to `max` of those that are there, appends them to
    /// `into`, and says how many: at least one, if `max` is not 0.
    ///
    /// # Errors
    ///
    /// [`PopError::Closed`] once the queue is closed and empty, and nothing else.
    ///
    /// # Panics
    ///
    /// As [`ArrayQueue::pop_many`].
    ///
    /// ```
    /// use lockwork::queue::{BlockingQueue, PopError};
    ///
    /// let queue = BlockingQueue::new(8);
    /// queue.push_many(&mut vec![1, 2, 3]);
    /// let mut batch = Vec::new();
    /// assert_eq!(queue.pop_many(&mut batch, 2), Ok(2));
    /// assert_eq!(queue.pop_many(&mut batch, 2), Ok(1));
    /// assert_eq!(batch, [1, 2, 3]);
    /// queue.close();
    /// assert_eq!(queue.pop_many(&mut batch, 2), Err(PopError::Closed));
    /// ```
    #[doc(alias("recv_many", "drainTo", "pop_batch"))]
    #[track_caller]
    pub fn pop_many(&self, into: &mut impl Sink<T>, max: usize) -> Result<usize, PopError> {
        self.pop_many_until(into, max, Deadline::NEVER)
    }

    /// Takes up to `max` of the values that are there at this moment, appends them to `into`, and
    /// says how many.
    ///
    /// # Errors
    ///
    /// [`PopError::Empty`], or [`PopError::Closed`] if there will never be one.
    ///
    /// ```
    /// let queue = lockwork::queue::BlockingQueue::new(8);
    /// queue.push('a').unwrap();
    /// let mut batch = Vec::new();
    /// assert_eq!(queue.try_pop_many(&mut batch, 8), Ok(1));
    /// assert!(queue.try_pop_many(&mut batch, 8).is_err());
    /// ```
    pub fn try_pop_many(&self, into: &mut impl Sink<T>, max: usize) -> Result<usize, PopError> {
        let (popped, end) = self.queue.pop_many(into, max);
        if popped > 0 {
            if !mutant!("blocking_queue.pop-many-wake") {
                self.not_full.notify(u32::try_from(popped).unwrap_or(u32::MAX));
            }
            return Ok(popped);
        }
        match end {
            Ok(()) => Ok(0),
            Err(raw::PopError::Empty) => Err(PopError::Empty),
            Err(raw::PopError::Closed) => Err(PopError::Closed),
        }
    }

    /// As [`pop_many`](Self::pop_many), sleeping for at most `timeout` until there is a value.
    ///
    /// # Errors
    ///
    /// [`PopError::TimedOut`] or [`PopError::Closed`].
    ///
    /// ```
    /// use lockwork::queue::{BlockingQueue, PopError};
    /// use std::time::Duration;
    ///
    /// let queue = BlockingQueue::<u8>::new(8);
    /// let nothing = queue.pop_many_for(&mut Vec::new(), 8, Duration::from_millis(1));
    /// assert_eq!(nothing, Err(PopError::TimedOut));
    /// ```
    #[track_caller]
    pub fn pop_many_for(
        &self,
        into: &mut impl Sink<T>,
        max: usize,
        timeout: Duration,
    ) -> Result<usize, PopError> {
        self.pop_many_until(into, max, Deadline::after(timeout))
    }

    /// As [`pop_many`](Self::pop_many), sleeping until `deadline` at the latest until there is a
    /// value.
    ///
    /// # Errors
    ///
    /// [`PopError::TimedOut`] or [`PopError::Closed`].
    ///
    /// ```
    /// use lockwork::{Deadline, queue::{BlockingQueue, PopError}};
    ///
    /// let queue = BlockingQueue::<u8>::new(8);
    /// let nothing = queue.pop_many_until(&mut Vec::new(), 8, Deadline::now());
    /// assert_eq!(nothing, Err(PopError::TimedOut));
    /// ```
    #[track_caller]
    pub fn pop_many_until(
        &self,
        into: &mut impl Sink<T>,
        max: usize,
        deadline: impl Into<Deadline>,
    ) -> Result<usize, PopError> {
        self.pop_many_limited(into, max, || deadline.into(), |_| PopError::TimedOut)
    }

    /// As [`pop_many`](Self::pop_many), sleeping until there is a value or `token` is cancelled.
    ///
    /// # Errors
    ///
    /// [`PopError::Cancelled`] if the token was cancelled before there was a value, or is already,
    /// or [`PopError::Closed`].
    ///
    /// # Panics
    ///
    /// As [`CancelToken::is_cancelled`], and as [`ArrayQueue::pop_many`].
    ///
    /// ```
    /// use lockwork::{cancel::CancelToken, queue::{BlockingQueue, PopError}};
    ///
    /// let (queue, token) = (BlockingQueue::<u8>::new(8), CancelToken::new());
    /// token.cancel();
    /// let nothing = queue.pop_many_cancellable(&mut Vec::new(), 8, &token);
    /// assert_eq!(nothing, Err(PopError::Cancelled));
    /// ```
    #[track_caller]
    pub fn pop_many_cancellable(
        &self,
        into: &mut impl Sink<T>,
        max: usize,
        token: &CancelToken,
    ) -> Result<usize, PopError> {
        if token.is_cancelled() {
            return Err(PopError::Cancelled);
        }
        let reached = |token: &CancelToken| {
            token.reached();
            PopError::Cancelled
        };
        self.pop_many_limited(into, max, || token, reached)
    }

    fn pop_many_limited<L: Limit>(
        &self,
        into: &mut impl Sink<T>,
        max: usize,
        limit: impl FnOnce() -> L,
        reached: impl FnOnce(L) -> PopError,
    ) -> Result<usize, PopError> {
        match self.try_pop_many(into, max) {
            Err(PopError::Empty) => {}
            done => return done,
        }
        let limit = limit();
        look_until(&self.not_empty, self.consumer_looks(), limit, || {
            match self.try_pop_many(into, max) {
                Err(PopError::Empty) => None,
                done => Some(done),
            }
        })
        .unwrap_or_else(|| Err(reached(limit)))
    }

    /// Takes values, sleeping whenever there is none, until the queue is closed and empty.
    ///
    /// ```
    /// let queue = lockwork::queue::BlockingQueue::new(8);
    /// queue.push_many(&mut vec!['a', 'b']);
    /// queue.close();
    /// assert_eq!(queue.iter().collect::<String>(), "ab");
    /// ```
    #[must_use = "an iterator does nothing by itself"]
    pub fn iter(&self) -> Iter<'_, T, Q> {
        Iter { queue: self }
    }

    /// Takes values until there is none at the moment.
    ///
    /// ```
    /// let queue = lockwork::queue::BlockingQueue::new(8);
    /// queue.push_many(&mut vec!['a', 'b']);
    /// assert_eq!(queue.try_iter().collect::<String>(), "ab");
    /// ```
    #[doc(alias("drain", "drainTo"))]
    #[must_use = "an iterator does nothing by itself"]
    pub fn try_iter(&self) -> BlockingTryIter<'_, T, Q> {
        BlockingTryIter { queue: self }
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
        let first = self.queue.close();
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
        self.queue.is_closed()
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
        self.queue.len()
    }

    /// Whether there is no value at this moment.
    ///
    /// ```
    /// assert!(lockwork::queue::BlockingQueue::<u8>::new(1).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
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
        self.queue.is_full()
    }

    /// The looks of a producer that found no room.
    fn producer_looks(&self) -> Looks {
        self.producers.looks(self.queue.bound(), || self.queue.pushed())
    }

    /// The looks of a consumer that found nothing.
    fn consumer_looks(&self) -> Looks {
        self.consumers.looks(self.queue.bound(), || self.queue.popped())
    }

    fn refuse(&self, reason: PushErrorReason, value: T) -> PushError<T> {
        PushError { reason, capacity: self.queue.bound().unwrap_or(usize::MAX), value }
    }
}

/// The values of a [`BlockingQueue`] as they come, until it is closed and empty.
///
/// ```
/// let queue = lockwork::queue::BlockingQueue::new(1);
/// queue.push(7).unwrap();
/// assert_eq!(queue.iter().next(), Some(7));
/// ```
pub struct Iter<'a, T, Q: Backing<T> = ArrayQueue<T>> {
    queue: &'a BlockingQueue<T, Q>,
}

impl<T, Q: Backing<T>> Iterator for Iter<'_, T, Q> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.queue.pop().ok()
    }
}

impl<T, Q: Backing<T>> FusedIterator for Iter<'_, T, Q> {}

impl<T, Q: Backing<T>> fmt::Debug for Iter<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Iter").field(self.queue).finish()
    }
}

/// The values that a [`BlockingQueue`] has at the moment. It may be asked again after its end.
///
/// ```
/// let queue = lockwork::queue::BlockingQueue::<u8>::new(1);
/// assert_eq!(queue.try_iter().next(), None);
/// ```
pub struct BlockingTryIter<'a, T, Q: Backing<T> = ArrayQueue<T>> {
    queue: &'a BlockingQueue<T, Q>,
}

impl<T, Q: Backing<T>> Iterator for BlockingTryIter<'_, T, Q> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.try_pop().ok()
    }
}

impl<T, Q: Backing<T>> fmt::Debug for BlockingTryIter<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BlockingTryIter").field(self.queue).finish()
    }
}

impl<'a, T, Q: Backing<T>> IntoIterator for &'a BlockingQueue<T, Q> {
    type Item = T;
    type IntoIter = Iter<'a, T, Q>;

    fn into_iter(self) -> Iter<'a, T, Q> {
        self.iter()
    }
}

/// What is left, with nobody else there to push.
impl<T, Q: Backing<T> + IntoIterator<Item = T>> IntoIterator for BlockingQueue<T, Q> {
    type Item = T;
    type IntoIter = Q::IntoIter;

    fn into_iter(self) -> Q::IntoIter {
        self.queue.into_iter()
    }
}

/// There is something to pop.
impl<T, Q: Backing<T>> Readiness for BlockingQueue<T, Q> {
    fn look(&self) -> Option<Found> {
        // First, as nothing comes after the end.
        let closed = self.queue.is_closed();
        match self.queue.is_empty() {
            false => Some(Found::It),
            true => closed.then_some(Found::Closed),
        }
    }

    fn has_some(&self) -> bool {
        !self.queue.is_empty()
    }

    fn changes(&self) -> &EventCount {
        &self.not_empty
    }
}

impl<T: Send, Q: Backing<T> + Send + Sync> Waitable for BlockingQueue<T, Q> {}

impl<T, Q: Backing<T>> waitable::Sealed for BlockingQueue<T, Q> {
    fn raw(&self) -> &dyn raw::Waitable {
        self
    }
}

impl<T, Q: Backing<T>> fmt::Debug for BlockingQueue<T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("BlockingQueue");
        shown.field("len", &self.len());
        if let Some(capacity) = self.queue.bound() {
            shown.field("capacity", &capacity);
        }
        shown.field("closed", &self.is_closed()).finish()
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

#[cfg(test)]
mod tests {
    use std::time::Instant;
    use std::{format, thread};

    use super::*;
    use crate::sync::{Event, TakenKind, wait_any, wait_any_for};

    const SOON: Duration = Duration::from_millis(1);

    /// A queue on which as many sleep, at either end, as are counted.
    fn crowded(values: &[u8]) -> BlockingQueue<u8> {
        let mut queue = BlockingQueue::new(1);
        values.iter().for_each(|&value| queue.push(value).unwrap());
        (queue.not_empty, queue.not_full) = (EventCount::full(), EventCount::full());
        queue
    }

    /// What `wait` answers, which `end` ends.
    fn beside<R: Send>(wait: impl FnOnce() -> R + Send, end: impl FnOnce()) -> R {
        thread::scope(|s| {
            let waiter = s.spawn(wait);
            thread::sleep(5 * SOON);
            end();
            waiter.join().unwrap()
        })
    }

    #[test]
    fn limits_of_who_is_not_counted() {
        let (empty, full) = (crowded(&[]), crowded(&[1]));
        assert_eq!(empty.pop_for(SOON), Err(PopError::TimedOut));
        let refused = full.push_for(2, SOON).unwrap_err();
        assert_eq!(refused.reason(), PushErrorReason::TimedOut);
        assert!(wait_any_for(&[&empty], SOON).is_none());
        let event = Event::manual();
        for list in [[&event as &dyn Waitable, &empty], [&empty, &event]] {
            for wait in [Duration::ZERO, SOON, 20 * SOON] {
                let start = Instant::now();
                assert!(wait_any_for(&list, wait).is_none());
                assert!(start.elapsed() >= wait);
            }
        }
    }

    #[test]
    fn cancelling_who_is_not_counted() {
        let (queue, token) = (crowded(&[]), CancelToken::new());
        let popped = beside(|| queue.pop_cancellable(&token), || _ = token.cancel());
        assert_eq!(popped, Err(PopError::Cancelled));
        let (queue, token) = (crowded(&[1]), CancelToken::new());
        let pushed = beside(|| queue.push_cancellable(2, &token), || _ = token.cancel());
        assert_eq!(pushed.unwrap_err().reason(), PushErrorReason::Cancelled);
    }

    #[test]
    fn who_is_not_counted_finds_what_comes() {
        let queue = crowded(&[]);
        assert_eq!(beside(|| queue.pop(), || queue.push(1).unwrap()), Ok(1));
        let event = Event::manual();
        let both = [&event as &dyn Waitable, &queue];
        assert_eq!(beside(|| wait_any(&both).index, || queue.push(2).unwrap()), 1);
        beside(|| queue.push(3), || assert_eq!(queue.pop(), Ok(2))).unwrap();
        assert_eq!(queue.pop(), Ok(3));
        let kind = || matches!(wait_any(&both).kind, TakenKind::Closed);
        assert!(beside(kind, || assert!(queue.close())));
    }

    /// He is off the list as he came: nobody is taken off for him.
    #[test]
    fn who_is_not_counted_leaves_nothing_behind() {
        let (queue, event) = (crowded(&[]), Event::manual());
        let before = format!("{:?}", queue.not_empty);
        let both = [&event as &dyn Waitable, &queue];
        assert_eq!(beside(|| wait_any(&both).index, || event.set()), 0);
        event.reset();
        assert!(wait_any_for(&both, SOON).is_none());
        assert_eq!(format!("{:?}", queue.not_empty), before);
    }
}
