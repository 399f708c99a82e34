//! What a send or a receive says that did nothing.

use core::error::Error;
use core::fmt;

use crate::queue::{PopError, PushError, PushErrorReason};
use crate::raw::NoDeal;

/// A value came back, and why.
pub(super) enum Unsent<T> {
    Full(T),
    Disconnected(T),
    TimedOut(T),
    Cancelled(T),
}

impl<T> From<PushError<T>> for Unsent<T> {
    fn from(error: PushError<T>) -> Self {
        match error.reason() {
            PushErrorReason::Full => Self::Full(error.into_inner()),
            PushErrorReason::Closed => Self::Disconnected(error.into_inner()),
            PushErrorReason::TimedOut => Self::TimedOut(error.into_inner()),
            PushErrorReason::Cancelled => Self::Cancelled(error.into_inner()),
        }
    }
}

impl<T> From<(NoDeal, T)> for Unsent<T> {
    fn from((why, value): (NoDeal, T)) -> Self {
        match why {
            NoDeal::Nobody => Self::Full(value),
            NoDeal::Closed => Self::Disconnected(value),
            NoDeal::Reached => Self::TimedOut(value),
        }
    }
}

impl From<NoDeal> for PopError {
    fn from(why: NoDeal) -> Self {
        match why {
            NoDeal::Nobody => Self::Empty,
            NoDeal::Closed => Self::Closed,
            NoDeal::Reached => Self::TimedOut,
        }
    }
}

impl<T> Unsent<T> {
    /// For a wait without a limit.
    pub(super) fn disconnected(self) -> T {
        match self {
            Self::Disconnected(value) => value,
            _ => unreachable!("a wait without a limit ended"),
        }
    }
}

/// A send to a channel without receivers; the value comes back.
///
/// ```
/// use lockwork::queue::channel::{self, SendError};
///
/// let (sender, receiver) = channel::bounded(1);
/// drop(receiver);
/// assert_eq!(sender.send(7), Err(SendError(7)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> SendError<T> {
    /// The value.
    ///
    /// ```
    /// assert_eq!(lockwork::queue::channel::SendError(7).into_inner(), 7);
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError(..)")
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sending on a channel without receivers")
    }
}

impl<T> Error for SendError<T> {}

/// Why a send that does not wait did nothing, with the value.
///
/// ```
/// use lockwork::queue::channel::{self, TrySendError};
///
/// let (sender, _receiver) = channel::bounded(1);
/// sender.send(1).unwrap();
/// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// There is no place, or, in a rendezvous, nobody who waits for a value.
    Full(T),
    /// There is no receiver any more.
    Disconnected(T),
}

impl<T> TrySendError<T> {
    /// The value.
    ///
    /// ```
    /// use lockwork::queue::channel::TrySendError;
    ///
    /// assert_eq!(TrySendError::Disconnected(7).into_inner(), 7);
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Disconnected(value) => value,
        }
    }

    /// Whether there is no receiver any more.
    ///
    /// ```
    /// use lockwork::queue::channel::TrySendError;
    ///
    /// assert!(TrySendError::Disconnected(7).is_disconnected());
    /// ```
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected(_))
    }

    /// Whether it is the other reason.
    ///
    /// ```
    /// use lockwork::queue::channel::TrySendError;
    ///
    /// assert!(TrySendError::Full(7).is_full());
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Disconnected(_) => "Disconnected(..)",
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "sending on a full channel",
            Self::Disconnected(_) => "sending on a channel without receivers",
        })
    }
}

impl<T> Error for TrySendError<T> {}

impl<T> From<SendError<T>> for TrySendError<T> {
    fn from(error: SendError<T>) -> Self {
        Self::Disconnected(error.0)
    }
}

/// Why a send with a limit did nothing, with the value.
///
/// ```
/// use lockwork::queue::channel::{self, SendTimeoutError};
/// use std::time::Duration;
///
/// let (sender, _receiver) = channel::rendezvous();
/// let unsent = sender.send_timeout(2, Duration::from_millis(1));
/// assert_eq!(unsent, Err(SendTimeoutError::Timeout(2)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// There was no place until the limit, or nobody to take the value.
    Timeout(T),
    /// There is no receiver any more.
    Disconnected(T),
}

impl<T> SendTimeoutError<T> {
    /// The value.
    ///
    /// ```
    /// use lockwork::queue::channel::SendTimeoutError;
    ///
    /// assert_eq!(SendTimeoutError::Disconnected(7).into_inner(), 7);
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        match self {
            Self::Timeout(value) | Self::Disconnected(value) => value,
        }
    }

    /// Whether there is no receiver any more.
    ///
    /// ```
    /// use lockwork::queue::channel::SendTimeoutError;
    ///
    /// assert!(SendTimeoutError::Disconnected(7).is_disconnected());
    /// ```
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected(_))
    }

    /// Whether it is the other reason.
    ///
    /// ```
    /// use lockwork::queue::channel::SendTimeoutError;
    ///
    /// assert!(SendTimeoutError::Timeout(7).is_timeout());
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "Timeout(..)",
            Self::Disconnected(_) => "Disconnected(..)",
        })
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "timed out while sending on a channel",
            Self::Disconnected(_) => "sending on a channel without receivers",
        })
    }
}

impl<T> Error for SendTimeoutError<T> {}

impl<T> From<SendError<T>> for SendTimeoutError<T> {
    fn from(error: SendError<T>) -> Self {
        Self::Disconnected(error.0)
    }
}

/// Why a send that could be cancelled did nothing, with the value.
///
/// ```
/// use lockwork::cancel::CancelToken;
/// use lockwork::queue::channel::{self, SendCancellableError};
///
/// let (sender, _receiver) = channel::rendezvous();
/// let token = CancelToken::new();
/// token.cancel();
/// assert_eq!(sender.send_cancellable(2, &token), Err(SendCancellableError::Cancelled(2)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendCancellableError<T> {
    /// The token was cancelled before there was a place, or somebody to take the value.
    Cancelled(T),
    /// There is no receiver any more.
    Disconnected(T),
}

impl<T> SendCancellableError<T> {
    /// The value.
    ///
    /// ```
    /// use lockwork::queue::channel::SendCancellableError;
    ///
    /// assert_eq!(SendCancellableError::Disconnected(7).into_inner(), 7);
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        match self {
            Self::Cancelled(value) | Self::Disconnected(value) => value,
        }
    }

    /// Whether there is no receiver any more.
    ///
    /// ```
    /// use lockwork::queue::channel::SendCancellableError;
    ///
    /// assert!(SendCancellableError::Disconnected(7).is_disconnected());
    /// ```
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected(_))
    }

    /// Whether it is the other reason.
    ///
    /// ```
    /// use lockwork::queue::channel::SendCancellableError;
    ///
    /// assert!(SendCancellableError::Cancelled(7).is_cancelled());
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }
}

impl<T> fmt::Debug for SendCancellableError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled(_) => "Cancelled(..)",
            Self::Disconnected(_) => "Disconnected(..)",
        })
    }
}

impl<T> fmt::Display for SendCancellableError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled(_) => "sending was cancelled",
            Self::Disconnected(_) => "sending on a channel without receivers",
        })
    }
}

impl<T> Error for SendCancellableError<T> {}

impl<T> From<SendError<T>> for SendCancellableError<T> {
    fn from(error: SendError<T>) -> Self {
        Self::Disconnected(error.0)
    }
}

/// A receive from a channel that is empty and has no senders.
///
/// ```
/// use lockwork::queue::channel::{self, RecvError};
///
/// let (sender, receiver) = channel::bounded::<u8>(1);
/// drop(sender);
/// assert_eq!(receiver.recv(), Err(RecvError));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError;

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("receiving on an empty channel without senders")
    }
}

impl Error for RecvError {}

/// Why a receive that does not wait has nothing.
///
/// ```
/// use lockwork::queue::channel::{self, TryRecvError};
///
/// let (_sender, receiver) = channel::bounded::<u8>(1);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// There is no value, or, in a rendezvous, nobody who waits with one.
    Empty,
    /// There is no sender any more, and nothing left.
    Disconnected,
}

impl TryRecvError {
    /// Whether there is no sender any more, and nothing left.
    ///
    /// ```
    /// use lockwork::queue::channel::TryRecvError;
    ///
    /// assert!(TryRecvError::Disconnected.is_disconnected());
    /// ```
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected)
    }

    /// Whether it is the other reason.
    ///
    /// ```
    /// use lockwork::queue::channel::TryRecvError;
    ///
    /// assert!(TryRecvError::Empty.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "receiving on an empty channel",
            Self::Disconnected => "receiving on an empty channel without senders",
        })
    }
}

impl Error for TryRecvError {}

impl From<RecvError> for TryRecvError {
    fn from(_: RecvError) -> Self {
        Self::Disconnected
    }
}

/// Why a receive with a limit has nothing.
///
/// ```
/// use lockwork::queue::channel::{self, RecvTimeoutError};
/// use std::time::Duration;
///
/// let (_sender, receiver) = channel::bounded::<u8>(1);
/// let nothing = receiver.recv_timeout(Duration::from_millis(1));
/// assert_eq!(nothing, Err(RecvTimeoutError::Timeout));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvTimeoutError {
    /// There was no value until the limit.
    Timeout,
    /// There is no sender any more, and nothing left.
    Disconnected,
}

impl RecvTimeoutError {
    /// Whether there is no sender any more, and nothing left.
    ///
    /// ```
    /// use lockwork::queue::channel::RecvTimeoutError;
    ///
    /// assert!(RecvTimeoutError::Disconnected.is_disconnected());
    /// ```
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected)
    }

    /// Whether it is the other reason.
    ///
    /// ```
    /// use lockwork::queue::channel::RecvTimeoutError;
    ///
    /// assert!(RecvTimeoutError::Timeout.is_timeout());
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "timed out while receiving on a channel",
            Self::Disconnected => "receiving on an empty channel without senders",
        })
    }
}

impl Error for RecvTimeoutError {}

impl From<RecvError> for RecvTimeoutError {
    fn from(_: RecvError) -> Self {
        Self::Disconnected
    }
}

/// Why a receive that could be cancelled has nothing.
///
/// ```
/// use lockwork::cancel::CancelToken;
/// use lockwork::queue::channel::{self, RecvCancellableError};
///
/// let (_sender, receiver) = channel::bounded::<u8>(1);
/// let token = CancelToken::new();
/// token.cancel();
/// assert_eq!(receiver.recv_cancellable(&token), Err(RecvCancellableError::Cancelled));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvCancellableError {
    /// The token was cancelled before there was a value.
    Cancelled,
    /// There is no sender any more, and nothing left.
    Disconnected,
}

impl RecvCancellableError {
    /// Whether there is no sender any more, and nothing left.
    ///
    /// ```
    /// use lockwork::queue::channel::RecvCancellableError;
    ///
    /// assert!(RecvCancellableError::Disconnected.is_disconnected());
    /// ```
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected)
    }

    /// Whether it is the other reason.
    ///
    /// ```
    /// use lockwork::queue::channel::RecvCancellableError;
    ///
    /// assert!(RecvCancellableError::Cancelled.is_cancelled());
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }
}

impl fmt::Display for RecvCancellableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "receiving was cancelled",
            Self::Disconnected => "receiving on an empty channel without senders",
        })
    }
}

impl Error for RecvCancellableError {}

impl From<RecvError> for RecvCancellableError {
    fn from(_: RecvError) -> Self {
        Self::Disconnected
    }
}
