//! Points in time that a wait can end at.

use core::fmt;
use core::time::Duration;

/// A point on `CLOCK_MONOTONIC`, or never.
///
/// Every timed wait of this crate turns its time-out into a deadline once and hands the same
/// deadline to the kernel however often the wait is interrupted, so time-outs do not drift. The
/// resolution is one nanosecond; the range reaches 584 years from the clock's origin (usually the
/// last boot), and whatever lies beyond saturates to [`NEVER`](Self::NEVER). The clock does not
/// count time in which the machine is suspended.
///
/// The `_until` methods take anything that converts into a `Deadline`: a `std::time::Instant`, or,
/// where there is none because the `std` feature is off, a `Deadline` itself.
///
/// ```
/// use lockwork::Deadline;
/// use std::time::Duration;
///
/// let soon = Deadline::after(Duration::from_millis(5));
/// assert!(soon < Deadline::after(Duration::from_secs(5)));
/// assert_eq!(Deadline::after(Duration::MAX), Deadline::NEVER);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline {
    /// Nanoseconds of `CLOCK_MONOTONIC`; `u64::MAX` is never.
    nanos: u64,
}

impl Deadline {
    /// The deadline that does not pass.
    ///
    /// ```
    /// assert!(!lockwork::Deadline::NEVER.has_passed());
    /// ```
    pub const NEVER: Self = Self { nanos: u64::MAX };

    /// One that has passed.
    #[cfg_attr(
        all(loom, feature = "loom", not(feature = "alloc")),
        expect(dead_code, reason = "only the kernel is asked")
    )]
    pub(crate) const PAST: Self = Self { nanos: 0 };

    /// This moment: a wait with it looks once and then gives up.
    ///
    /// ```
    /// use lockwork::{Deadline, Mutex};
    ///
    /// let mutex = Mutex::new(());
    /// let _held = mutex.lock();
    /// assert!(mutex.try_lock_until(Deadline::now()).is_none());
    /// ```
    #[must_use]
    pub fn now() -> Self {
        Self { nanos: super::monotonic_nanos() }
    }

    /// The moment `timeout` from now, or [`NEVER`](Self::NEVER) if that cannot be represented.
    ///
    /// ```
    /// use lockwork::Deadline;
    /// use std::time::Duration;
    ///
    /// assert!(!Deadline::after(Duration::from_secs(60)).has_passed());
    /// ```
    #[must_use]
    pub fn after(timeout: Duration) -> Self {
        let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        Self { nanos: super::monotonic_nanos().saturating_add(nanos) }
    }

    /// Whether the moment lies behind us. Reads the clock.
    ///
    /// ```
    /// assert!(lockwork::Deadline::now().has_passed());
    /// ```
    #[must_use]
    pub fn has_passed(self) -> bool {
        self != Self::NEVER && super::monotonic_nanos() >= self.nanos
    }

    /// The time left, zero once the moment has passed, `None` if it never will.
    ///
    /// ```
    /// use lockwork::Deadline;
    /// use std::time::Duration;
    ///
    /// assert_eq!(Deadline::NEVER.remaining(), None);
    /// assert_eq!(Deadline::now().remaining(), Some(Duration::ZERO));
    /// ```
    #[must_use]
    pub fn remaining(self) -> Option<Duration> {
        if self == Self::NEVER {
            return None;
        }
        Some(Duration::from_nanos(self.nanos.saturating_sub(super::monotonic_nanos())))
    }

    /// Nanoseconds of `CLOCK_MONOTONIC`, as the kernel wants them; `u64::MAX` is never.
    #[cfg_attr(
        all(loom, feature = "loom", not(feature = "std")),
        expect(dead_code, reason = "the model has no kernel")
    )]
    pub(crate) const fn nanos(self) -> u64 {
        self.nanos
    }
}

/// The same moment on this crate's clock. An `Instant` hides its value, so the conversion reads the
/// clock twice and is late by the time between the two readings, well under a microsecond. An
/// `Instant` in the past becomes a deadline that has passed.
#[cfg(feature = "std")]
impl From<std::time::Instant> for Deadline {
    fn from(instant: std::time::Instant) -> Self {
        Self::after(instant.saturating_duration_since(std::time::Instant::now()))
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            return f.write_str("Deadline::NEVER");
        }
        f.debug_tuple("Deadline").field(&Duration::from_nanos(self.nanos)).finish()
    }
}
