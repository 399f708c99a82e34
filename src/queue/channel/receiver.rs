//! The end that values come out of.

use alloc::sync::Arc;
use core::fmt;
use core::iter::FusedIterator;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use super::{Flavor, RecvCancellableError, RecvError, RecvTimeoutError, Shared, TryRecvError};
use crate::cancel::CancelToken;
use crate::primitive::Deadline;
use crate::queue::PopError;
use crate::raw::{self, NoDeal};
use crate::sync::{Waitable, waitable};

/// The end of a [channel](super) that values come out of.
///
/// When the last one is dropped, the channel is closed, and what is in it is dropped.
///
/// ```
/// use lockwork::queue::channel;
///
/// let (sender, receiver) = channel::bounded(2);
/// let another = receiver.clone();
/// sender.send('a').unwrap();
/// sender.send('b').unwrap();
/// assert_eq!((receiver.recv(), another.recv()), (Ok('a'), Ok('b')));
/// ```
///
/// # Waiting for several
///
/// [`wait_any`](crate::wait_any) waits until one of several receivers, or of other things, is
/// ready: there is a value, or in a rendezvous a sender that waits, or neither a value nor a sender
/// any more. Nothing is taken, and another receiver may be faster. Who waits so is no receiver for
/// the `try_send` of a rendezvous.
///
/// ```
/// use lockwork::queue::channel;
/// use lockwork::wait_any;
///
/// let (urgent, ordinary) = (channel::bounded(8), channel::rendezvous::<u8>());
/// urgent.0.send(1).unwrap();
/// let first = wait_any(&[&urgent.1, &ordinary.1]).index;
/// assert_eq!((first, urgent.1.try_recv()), (0, Ok(1)));
/// ```
///
/// Only values that may change threads make an end that may:
///
/// ```compile_fail,E0277
/// fn sent<T: Send>(_: T) {}
/// sent(lockwork::queue::channel::bounded::<std::rc::Rc<()>>(1).1);
/// ```
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Receiver<T> {
    pub(super) fn of(shared: Arc<Shared<T>>) -> Self {
        Self { shared }
    }

    /// Takes the oldest value if there is one at this moment, or, in a rendezvous, somebody who
    /// waits with one.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`].
    ///
    /// ```
    /// use lockwork::queue::channel::{self, TryRecvError};
    ///
    /// let (sender, receiver) = channel::bounded(1);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let received = match &self.shared.flavor {
            Flavor::Bounded(queue) => queue.try_pop(),
            #[cfg(feature = "std")]
            Flavor::Unbounded(queue) => queue.try_pop(),
            Flavor::Rendezvous(meeting) => meeting.try_recv().map_err(PopError::from),
        };
        received.map_err(|nothing| match nothing {
            PopError::Closed => TryRecvError::Disconnected,
            _ => TryRecvError::Empty,
        })
    }

    /// Takes the oldest value, sleeping until there is one.
    ///
    /// # Errors
    ///
    /// [`RecvError`] if there is no sender any more, and nothing left.
    ///
    /// ```
    /// let (sender, receiver) = lockwork::queue::channel::bounded(1);
    /// std::thread::spawn(move || sender.send(1));
    /// assert_eq!(receiver.recv(), Ok(1));
    /// assert!(receiver.recv().is_err());
    /// ```
    #[track_caller]
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.recv_limited(Deadline::NEVER).map_err(|_| RecvError)
    }

    /// As [`recv`](Self::recv), for at most `timeout`. A time-out too long to represent means no
    /// limit.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`].
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (_sender, receiver) = lockwork::queue::channel::bounded::<u8>(1);
    /// assert!(receiver.recv_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    /// ```
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_deadline(Deadline::after(timeout))
    }

    /// [`recv_timeout`](Self::recv_timeout) by the name that this crate has for it elsewhere.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`].
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = lockwork::queue::channel::bounded(1);
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.recv_for(Duration::from_millis(1)), Ok(1));
    /// ```
    #[track_caller]
    pub fn recv_for(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_timeout(timeout)
    }

    /// As [`recv`](Self::recv), until `deadline` at the latest, an `Instant` or a [`Deadline`]. A
    /// value that is there is taken however late it is.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`].
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let (sender, receiver) = lockwork::queue::channel::bounded(1);
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.recv_deadline(Instant::now()), Ok(1));
    /// assert!(receiver.recv_deadline(Instant::now()).is_err());
    /// ```
    #[track_caller]
    pub fn recv_deadline(&self, deadline: impl Into<Deadline>) -> Result<T, RecvTimeoutError> {
        self.recv_limited(deadline.into()).map_err(|nothing| match nothing {
            PopError::Closed => RecvTimeoutError::Disconnected,
            _ => RecvTimeoutError::Timeout,
        })
    }

    /// [`recv_deadline`](Self::recv_deadline) by the name that this crate has for it elsewhere.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`].
    ///
    /// ```
    /// use lockwork::Deadline;
    ///
    /// let (_sender, receiver) = lockwork::queue::channel::bounded::<u8>(1);
    /// assert!(receiver.recv_until(Deadline::now()).is_err());
    /// ```
    #[track_caller]
    pub fn recv_until(&self, deadline: impl Into<Deadline>) -> Result<T, RecvTimeoutError> {
        self.recv_deadline(deadline)
    }

    #[inline]
    fn recv_limited(&self, deadline: Deadline) -> Result<T, PopError> {
        match &self.shared.flavor {
            Flavor::Bounded(queue) => queue.pop_until(deadline),
            #[cfg(feature = "std")]
            Flavor::Unbounded(queue) => queue.pop_until(deadline),
            Flavor::Rendezvous(meeting) => meeting.recv(deadline).map_err(PopError::from),
        }
    }

    /// As [`recv`](Self::recv), until `token` is [cancelled](crate::cancel).
    ///
    /// # Errors
    ///
    /// [`RecvCancellableError`]; also if the token is cancelled already.
    ///
    /// # Panics
    ///
    /// As [`CancelToken::is_cancelled`].
    ///
    /// ```
    /// use lockwork::{cancel::CancelToken, queue::channel};
    ///
    /// let (_sender, receiver) = channel::rendezvous::<u8>();
    /// let token = CancelToken::new();
    /// std::thread::scope(|s| {
    ///     let nothing = s.spawn(|| receiver.recv_cancellable(&token).unwrap_err());
    ///     token.cancel();
    ///     assert!(nothing.join().unwrap().is_cancelled());
    /// });
    /// ```
    #[track_caller]
    pub fn recv_cancellable(&self, token: &CancelToken) -> Result<T, RecvCancellableError> {
        let received = match &self.shared.flavor {
            Flavor::Bounded(queue) => queue.pop_cancellable(token),
            #[cfg(feature = "std")]
            Flavor::Unbounded(queue) => queue.pop_cancellable(token),
            Flavor::Rendezvous(_) if token.is_cancelled() => Err(PopError::Cancelled),
            Flavor::Rendezvous(meeting) => meeting.recv(token).map_err(|why| {
                if why == NoDeal::Reached {
                    token.reached();
                }
                PopError::from(why)
            }),
        };
        received.map_err(|nothing| match nothing {
            PopError::Closed => RecvCancellableError::Disconnected,
            _ => RecvCancellableError::Cancelled,
        })
    }

    /// Takes values, sleeping whenever there is none, until the channel is empty and has no
    /// senders.
    ///
    /// ```
    /// let (sender, receiver) = lockwork::queue::channel::bounded(4);
    /// "abc".chars().for_each(|letter| sender.send(letter).unwrap());
    /// drop(sender);
    /// assert_eq!(receiver.iter().collect::<String>(), "abc");
    /// ```
    #[must_use = "an iterator does nothing by itself"]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// Takes values until there is none at the moment.
    ///
    /// ```
    /// let (sender, receiver) = lockwork::queue::channel::bounded(4);
    /// "abc".chars().for_each(|letter| sender.send(letter).unwrap());
    /// assert_eq!(receiver.try_iter().collect::<String>(), "abc");
    /// ```
    #[must_use = "an iterator does nothing by itself"]
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { receiver: self }
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
    /// let (_sender, receiver) = lockwork::queue::channel::bounded::<u8>(2);
    /// let another = receiver.clone();
    /// assert!(receiver.same_channel(&another));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        super::one_more(&self.shared.receivers);
        Self { shared: self.shared.clone() }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.receiver_goes();
    }
}

impl<T: Send> Waitable for Receiver<T> {}

impl<T> waitable::Sealed for Receiver<T> {
    fn raw(&self) -> &dyn raw::Waitable {
        match &self.shared.flavor {
            Flavor::Bounded(queue) => queue,
            #[cfg(feature = "std")]
            Flavor::Unbounded(queue) => queue,
            Flavor::Rendezvous(meeting) => meeting,
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::debug("Receiver", &self.shared, f)
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}

macro_rules! iterators {
    ($($(#[$meta:meta])* $Name:ident [$($parameters:tt)*] $Field:ty, $next:ident;)*) => {$(
        $(#[$meta])*
        pub struct $Name<$($parameters)*> {
            receiver: $Field,
        }

        impl<$($parameters)*> Iterator for $Name<$($parameters)*> {
            type Item = T;

            #[track_caller]
            fn next(&mut self) -> Option<T> {
                self.receiver.$next().ok()
            }
        }

        impl<$($parameters)*> fmt::Debug for $Name<$($parameters)*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($Name)).field(&self.receiver).finish()
            }
        }
    )*};
}

iterators! {
    /// The values of a channel as they come, until it is empty and has no senders.
    ///
    /// ```
    /// let (sender, receiver) = lockwork::queue::channel::bounded(1);
    /// sender.send(7).unwrap();
    /// assert_eq!(receiver.iter().next(), Some(7));
    /// ```
    Iter['a, T] &'a Receiver<T>, recv;

    /// As [`Iter`], with the receiver that it takes them from.
    ///
    /// ```
    /// let (sender, receiver) = lockwork::queue::channel::bounded(1);
    /// sender.send(7).unwrap();
    /// assert_eq!(receiver.into_iter().next(), Some(7));
    /// ```
    IntoIter[T] Receiver<T>, recv;

    /// The values that a channel has at the moment. It may be asked again after its end.
    ///
    /// ```
    /// let (_sender, receiver) = lockwork::queue::channel::bounded::<u8>(1);
    /// assert_eq!(receiver.try_iter().next(), None);
    /// ```
    TryIter['a, T] &'a Receiver<T>, try_recv;
}

impl<T> FusedIterator for Iter<'_, T> {}
impl<T> FusedIterator for IntoIter<T> {}
