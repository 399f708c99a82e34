//! What semaphores answer instead of a permit.

use core::fmt;

#[cfg(feature = "alloc")]
use crate::cancel::{CancelToken, Cancelled};
use crate::raw::Refusal;

/// The semaphore is closed: it gives no permits any more.
///
/// ```
/// use lockwork::semaphore::{Closed, Semaphore};
///
/// let semaphore = Semaphore::new(1);
/// semaphore.close();
/// assert_eq!(semaphore.acquire().err(), Some(Closed));
/// assert_eq!(Closed.to_string(), "semaphore is closed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Closed;

impl Closed {
    /// For a wait without a deadline.
    pub(super) fn from_refusal(refusal: Refusal) -> Self {
        debug_assert_eq!(refusal, Refusal::Closed, "a wait without a deadline timed out");
        Self
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("semaphore is closed")
    }
}

impl core::error::Error for Closed {}

/// Why there was no permit at once.
///
/// ```
/// use lockwork::semaphore::{Semaphore, TryAcquireError};
///
/// let semaphore = Semaphore::new(0);
/// assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::NoPermits));
/// assert_eq!(TryAcquireError::NoPermits.to_string(), "semaphore has too few permits");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TryAcquireError {
    /// There were too few permits, or others wait in front.
    NoPermits,
    /// The semaphore is closed.
    Closed,
}

impl TryAcquireError {
    pub(super) fn from_refusal(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoPermits => Self::NoPermits,
            Refusal::Closed => Self::Closed,
        }
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPermits => f.write_str("semaphore has too few permits"),
            Self::Closed => Closed.fmt(f),
        }
    }
}

impl core::error::Error for TryAcquireError {}

impl From<Closed> for TryAcquireError {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

/// Why there was no permit in time.
///
/// ```
/// use lockwork::semaphore::{AcquireError, Semaphore};
/// use std::time::Duration;
///
/// let semaphore = Semaphore::new(0);
/// let late = semaphore.acquire_for(Duration::from_millis(1)).unwrap_err();
/// assert_eq!(late, AcquireError::TimedOut);
/// assert_eq!(late.to_string(), "semaphore had too few permits until the deadline");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcquireError {
    /// The deadline passed.
    TimedOut,
    /// The token was cancelled.
    Cancelled,
    /// The semaphore is closed.
    Closed,
}

impl AcquireError {
    pub(super) fn from_refusal(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoPermits => Self::TimedOut,
            Refusal::Closed => Self::Closed,
        }
    }

    /// For a wait that `token` has ended, if it was not closed.
    #[cfg(feature = "alloc")]
    pub(super) fn of_cancellable(refusal: Refusal, token: &CancelToken) -> Self {
        match refusal {
            Refusal::NoPermits => token.reached().into(),
            Refusal::Closed => Self::Closed,
        }
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("semaphore had too few permits until the deadline"),
            Self::Cancelled => f.write_str("wait for a permit was cancelled"),
            Self::Closed => Closed.fmt(f),
        }
    }
}

impl core::error::Error for AcquireError {}

#[cfg(feature = "alloc")]
impl From<Cancelled> for AcquireError {
    fn from(Cancelled: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<Closed> for AcquireError {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

/// There would be more permits than the maximum; none were added.
///
/// ```
/// use lockwork::semaphore::{Full, Semaphore};
///
/// let semaphore = Semaphore::with_max(2, 3);
/// let full = semaphore.release(2).unwrap_err();
/// assert_eq!((full.released, full.available, full.max), (2, 2, 3));
/// assert_eq!(full.to_string(), "semaphore is full: 2 released to 2 available, of at most 3");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Full {
    /// How many permits were to be added.
    pub released: u32,
    /// How many there were at that moment.
    pub available: u32,
    /// How many there can be.
    pub max: u32,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { released, available, max } = self;
        write!(
            f,
            "semaphore is full: {released} released to {available} available, of at most {max}"
        )
    }
}

impl core::error::Error for Full {}
