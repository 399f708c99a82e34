//! `Latch`.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use super::CountError;
use super::count_error::OrPanic;
#[cfg(feature = "alloc")]
use crate::cancel::{CancelToken, Cancelled};
use crate::primitive::{Deadline, model_const_fn};
use crate::raw::{self, Waitable as _};

/// A door that opens, once and for ever, after a fixed number of steps.
///
/// Four bytes, no allocation. Threads [`count_down`](Self::count_down) as they get things done;
/// others [`wait`](Self::wait) until all is done. A step while nobody waits, or that is not the
/// last, makes no system call; the last one wakes everybody with one.
///
/// To count what is not known beforehand, or more than once: [`WaitGroup`](crate::WaitGroup).
///
/// # Fairness
///
/// Everybody who waits may go at the same moment.
///
/// # Memory ordering
///
/// What threads did before their steps happens before the return of every wait, and before
/// [`count`](Self::count) says 0.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork` the count is what it was; the threads that were to count down are not
/// there.
///
/// A signal neither ends a wait nor moves its limit. A handler may call
/// [`try_count_down`](Self::try_count_down), which leaves `errno` what it was.
///
/// A thread that panics counts nothing down: where others wait without a limit, count down in the
/// `drop` of something. Nothing is allocated and no thread-local used.
///
/// A waiter may free the latch when its wait returns, also while the last step is still on its way
/// back from waking it.
///
/// # Differences
///
/// From `java.util.concurrent.CountDownLatch`: a step too many is an error. From C++20's
/// `std::latch`: timed waits; a step too many is an error and not undefined; 2,147,483,647 steps at
/// the most.
///
/// # Examples
///
/// ```
/// use lockwork::Latch;
/// use std::thread;
///
/// let loaded = Latch::new(3);
/// thread::scope(|s| {
///     for _ in 0..3 {
///         s.spawn(|| loaded.count_down(1));
///     }
///     loaded.wait();
/// });
/// assert_eq!(loaded.count(), 0);
/// ```
#[doc(alias("CountDownLatch", "std::latch", "BlockingCounter", "CountdownEvent"))]
pub struct Latch {
    pub(super) raw: raw::Latch,
}

// SAFETY: a word that is changed by atomic operations only, and no data.
unsafe impl Send for Latch {}
// SAFETY: as for `Send`.
unsafe impl Sync for Latch {}
// A panic leaves some count, and each is fine.
impl UnwindSafe for Latch {}
impl RefUnwindSafe for Latch {}

impl Latch {
    model_const_fn! {
        /// Creates a latch that opens after `count` steps; one of none is open.
        ///
        /// ```
        /// static LOADED: lockwork::Latch = lockwork::Latch::new(2);
        /// assert_eq!(LOADED.count(), 2);
        /// ```
        ///
        /// # Panics
        ///
        /// If `count` is above 2,147,483,647.
        #[must_use]
        #[track_caller]
        pub const fn new(count: u32) -> Self {
            Self { raw: raw::Latch::new(count) }
        }
    }

    /// Takes `n` steps.
    ///
    /// ```
    /// let latch = lockwork::Latch::new(3);
    /// latch.count_down(1);
    /// latch.count_down(2);
    /// latch.wait();
    /// ```
    ///
    /// # Panics
    ///
    /// If there are fewer left; none is taken then.
    #[doc(alias("countDown", "arrive"))]
    #[inline]
    #[track_caller]
    pub fn count_down(&self, n: u32) {
        self.try_count_down(n).or_panic();
    }

    /// Takes `n` steps, if there are as many left.
    ///
    /// ```
    /// let latch = lockwork::Latch::new(1);
    /// assert!(latch.try_count_down(2).is_err());
    /// assert_eq!(latch.count(), 1);
    /// assert_eq!(latch.try_count_down(1), Ok(()));
    /// ```
    ///
    /// # Errors
    ///
    /// [`CountError::Underflow`] if there are fewer left; none is taken then.
    #[inline]
    pub fn try_count_down(&self, n: u32) -> Result<(), CountError> {
        self.raw.count_down(n).map_err(|count| CountError::Underflow { count, by: n })
    }

    /// How many steps are left.
    ///
    /// ```
    /// let latch = lockwork::Latch::new(2);
    /// latch.count_down(1);
    /// assert_eq!(latch.count(), 1);
    /// ```
    #[doc(alias("getCount"))]
    #[must_use]
    #[inline]
    pub fn count(&self) -> u32 {
        self.raw.count()
    }

    /// Waits until no step is left.
    ///
    /// ```
    /// let latch = lockwork::Latch::new(1);
    /// std::thread::scope(|s| {
    ///     s.spawn(|| latch.count_down(1));
    ///     latch.wait();
    /// });
    /// ```
    #[doc(alias("await"))]
    #[inline]
    #[track_caller]
    pub fn wait(&self) {
        let open = self.raw.take(Deadline::NEVER);
        debug_assert!(open.is_some(), "a wait without a deadline timed out");
    }

    /// Whether no step is left. Never blocks.
    ///
    /// ```
    /// let latch = lockwork::Latch::new(1);
    /// assert!(!latch.try_wait());
    /// ```
    #[must_use]
    #[inline]
    pub fn try_wait(&self) -> bool {
        self.raw.try_take().is_some()
    }

    /// Waits until no step is left, for at most `timeout`; `false` if there were any left then.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let latch = lockwork::Latch::new(1);
    /// assert!(!latch.wait_for(Duration::from_millis(1)));
    /// ```
    #[must_use = "says whether the latch is open"]
    #[track_caller]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.raw.try_take().is_some() || self.raw.take(Deadline::after(timeout)).is_some()
    }

    /// Waits until no step is left, until `deadline` at the latest; `false` if there were any left
    /// then.
    ///
    /// ```
    /// use lockwork::{Deadline, Latch};
    ///
    /// assert!(Latch::new(0).wait_until(Deadline::now()));
    /// ```
    #[must_use = "says whether the latch is open"]
    #[track_caller]
    pub fn wait_until(&self, deadline: impl Into<Deadline>) -> bool {
        self.raw.take(deadline.into()).is_some()
    }

    /// Waits until no step is left or `token` is cancelled.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] if the token was cancelled before, or is already.
    ///
    /// # Panics
    ///
    /// As [`is_cancelled`](CancelToken::is_cancelled).
    ///
    /// ```
    /// use lockwork::{Latch, cancel::{CancelToken, Cancelled}};
    ///
    /// let (latch, token) = (Latch::new(1), CancelToken::new());
    /// std::thread::scope(|s| {
    ///     let waiter = s.spawn(|| latch.wait_cancellable(&token));
    ///     token.cancel();
    ///     assert_eq!(waiter.join().unwrap(), Err(Cancelled));
    /// });
    /// ```
    #[cfg(feature = "alloc")]
    #[track_caller]
    pub fn wait_cancellable(&self, token: &CancelToken) -> Result<(), Cancelled> {
        token.check()?;
        self.raw.take(token).map(drop).ok_or_else(|| token.reached())
    }

    /// Takes one step, and waits until no step is left: all threads that do this meet here.
    ///
    /// ```
    /// let latch = lockwork::Latch::new(2);
    /// std::thread::scope(|s| {
    ///     s.spawn(|| latch.arrive_and_wait());
    ///     latch.arrive_and_wait();
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If no step was left.
    #[track_caller]
    pub fn arrive_and_wait(&self) {
        self.count_down(1);
        self.wait();
    }
}

impl fmt::Debug for Latch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latch").field("count", &self.count()).finish()
    }
}
