//! The end that values go in by.

use alloc::sync::Arc;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use super::error::Unsent;
use super::{Flavor, SendCancellableError, SendError, SendTimeoutError, Shared, TrySendError};
use crate::cancel::CancelToken;
use crate::primitive::Deadline;
use crate::raw::NoDeal;

/// The end of a [channel](super) that values go in by.
///
/// When the last one is dropped, the channel is closed.
///
/// ```
/// use lockwork::queue::channel;
///
/// let (sender, receiver) = channel::bounded(2);
/// let another = sender.clone();
/// sender.send('a').unwrap();
/// another.send('b').unwrap();
/// drop((sender, another));
/// assert_eq!(receiver.into_iter().collect::<String>(), "ab");
/// ```
///
/// Only values that may change threads make an end that may:
///
/// ```compile_fail,E0277
/// fn sent<T: Send>(_: T) {}
/// sent(lockwork::queue::channel::bounded::<std::rc::Rc<()>>(1).0);
/// ```
#[doc(alias = "SyncSender")]
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    pub(super) fn of(shared: Arc<Shared<T>>) -> Self {
        Self { shared }
    }

    /// Sends a value if there is a place at this moment, or, in a rendezvous, somebody who waits.
    ///
    /// # Errors
    ///
    /// [`TrySendError`], with the value.
    ///
    /// ```
    /// use lockwork::queue::channel::{self, TrySendError};
    ///
    /// let (sender, receiver) = channel::bounded(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// drop(receiver);
    /// assert_eq!(sender.try_send(3), Err(TrySendError::Disconnected(3)));
    /// ```
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let sent: Result<(), Unsent<T>> = match &self.shared.flavor {
            Flavor::Bounded(queue) => queue.try_push(value).map_err(Unsent::from),
            #[cfg(feature = "std")]
            Flavor::Unbounded(queue) => queue.try_push(value).map_err(Unsent::from),
            Flavor::Rendezvous(meeting) => meeting.try_send(value).map_err(Unsent::from),
        };
        sent.map_err(|unsent| match unsent {
            Unsent::Full(value) => TrySendError::Full(value),
            unsent => TrySendError::Disconnected(unsent.disconnected()),
        })
    }

    /// Sends a value, sleeping until there is a place; in a rendezvous, until a receiver has it.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the value, if there is no receiver any more.
    ///
    /// ```
    /// let (sender, receiver) = lockwork::queue::channel::bounded(1);
    /// sender.send(1).unwrap();
    /// drop(receiver);
    /// assert_eq!(sender.send(2).unwrap_err().into_inner(), 2);
    /// ```
    #[track_caller]
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_limited(value, Deadline::NEVER).map_err(|unsent| SendError(unsent.disconnected()))
    }

    /// As [`send`](Self::send), for at most `timeout`. A time-out too long to represent means no
    /// limit.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`], with the value.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (sender, _receiver) = lockwork::queue::channel::rendezvous();
    /// assert!(sender.send_timeout(1, Duration::from_millis(1)).unwrap_err().is_timeout());
    /// ```
    #[track_caller]
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.send_deadline(value, Deadline::after(timeout))
    }

    /// [`send_timeout`](Self::send_timeout) by the name that this crate has for it elsewhere.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`], with the value.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (sender, _receiver) = lockwork::queue::channel::bounded(1);
    /// assert!(sender.send_for(1, Duration::from_millis(1)).is_ok());
    /// ```
    #[track_caller]
    pub fn send_for(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.send_timeout(value, timeout)
    }

    /// As [`send`](Self::send), until `deadline` at the latest, an `Instant` or a [`Deadline`]. A
    /// value for which there is a place is sent however late it is.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`], with the value.
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let (sender, _receiver) = lockwork::queue::channel::bounded(1);
    /// assert!(sender.send_deadline(1, Instant::now()).is_ok());
    /// assert!(sender.send_deadline(2, Instant::now()).is_err());
    /// ```
    #[track_caller]
    pub fn send_deadline(
        &self,
        value: T,
        deadline: impl Into<Deadline>,
    ) -> Result<(), SendTimeoutError<T>> {
        self.send_limited(value, deadline.into()).map_err(|unsent| match unsent {
            Unsent::TimedOut(value) => SendTimeoutError::Timeout(value),
            unsent => SendTimeoutError::Disconnected(unsent.disconnected()),
        })
    }

    /// [`send_deadline`](Self::send_deadline) by the name that this crate has for it elsewhere.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`], with the value.
    ///
    /// ```
    /// use lockwork::Deadline;
    ///
    /// let (sender, _receiver) = lockwork::queue::channel::bounded(1);
    /// assert!(sender.send_until(1, Deadline::now()).is_ok());
    /// ```
    #[track_caller]
    pub fn send_until(
        &self,
        value: T,
        deadline: impl Into<Deadline>,
    ) -> Result<(), SendTimeoutError<T>> {
        self.send_deadline(value, deadline)
    }

    #[inline]
    fn send_limited(&self, value: T, deadline: Deadline) -> Result<(), Unsent<T>> {
        match &self.shared.flavor {
            Flavor::Bounded(queue) => queue.push_until(value, deadline).map_err(Unsent::from),
            #[cfg(feature = "std")]
            Flavor::Unbounded(queue) => queue.try_push(value).map_err(Unsent::from),
            Flavor::Rendezvous(meeting) => meeting.send(value, deadline).map_err(Unsent::from),
        }
    }

    /// As [`send`](Self::send), until `token` is [cancelled](crate::cancel).
    ///
    /// # Errors
    ///
    /// [`SendCancellableError`], with the value; also if the token is cancelled already.
    ///
    /// # Panics
    ///
    /// As [`CancelToken::is_cancelled`].
    ///
    /// ```
    /// use lockwork::{cancel::CancelToken, queue::channel};
    ///
    /// let (sender, _receiver) = channel::rendezvous();
    /// let token = CancelToken::new();
    /// std::thread::scope(|s| {
    ///     let unsent = s.spawn(|| sender.send_cancellable(1, &token).unwrap_err());
    ///     token.cancel();
    ///     assert!(unsent.join().unwrap().is_cancelled());
    /// });
    /// ```
    #[track_caller]
    pub fn send_cancellable(
        &self,
        value: T,
        token: &CancelToken,
    ) -> Result<(), SendCancellableError<T>> {
        let sent = match &self.shared.flavor {
            Flavor::Bounded(queue) => queue.push_cancellable(value, token).map_err(Unsent::from),
            #[cfg(feature = "std")]
            Flavor::Unbounded(queue) => queue.push_cancellable(value, token).map_err(Unsent::from),
            Flavor::Rendezvous(_) if token.is_cancelled() => Err(Unsent::Cancelled(value)),
            Flavor::Rendezvous(meeting) => meeting.send(value, token).map_err(|unsent| {
                if unsent.0 == NoDeal::Reached {
                    token.reached();
                }
                Unsent::from(unsent)
            }),
        };
        sent.map_err(|unsent| match unsent {
            Unsent::Cancelled(value) | Unsent::TimedOut(value) => {
                SendCancellableError::Cancelled(value)
            }
            unsent => SendCancellableError::Disconnected(unsent.disconnected()),
        })
    }

    /// The number of values at this moment; a gauge while others send and receive. In a rendezvous
    /// always 0.
    ///
    /// ```
    /// let (sender, receiver) = lockwork::queue::channel::bounded(2);
    /// sender.send('x').unwrap();
    /// assert_eq!((sender.len(), receiver.len()), (1, 1));
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// Whether there is no value at this moment. A rendezvous always is.
    ///
    /// ```
    /// let (sender, receiver) = lockwork::queue::channel::bounded::<u8>(2);
    /// assert!(sender.is_empty() && receiver.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.is_empty()
    }

    /// Whether there is no free place at this moment. A rendezvous always is.
    ///
    /// ```
    /// let (sender, receiver) = lockwork::queue::channel::rendezvous::<u8>();
    /// assert!(sender.is_full() && receiver.is_full());
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.shared.is_full()
    }

    /// The number of places, if there is a limit: 0 for a rendezvous.
    ///
    /// ```
    /// let (sender, receiver) = lockwork::queue::channel::bounded::<u8>(2);
    /// assert_eq!((sender.capacity(), receiver.capacity()), (Some(2), Some(2)));
    /// ```
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.shared.capacity()
    }

    /// Whether both are ends of the same channel.
    ///
    /// ```
    /// let (sender, _receiver) = lockwork::queue::channel::bounded::<u8>(2);
    /// let another = sender.clone();
    /// assert!(sender.same_channel(&another));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        super::one_more(&self.shared.senders);
        Self { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.sender_goes();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::debug("Sender", &self.shared, f)
    }
}
