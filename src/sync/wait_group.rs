//! `WaitGroup` and its tokens.

#[cfg(feature = "alloc")]
use alloc::sync::Arc;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use super::CountError;
use super::count_error::OrPanic;
#[cfg(feature = "alloc")]
use crate::cancel::{CancelToken, Cancelled};
use crate::primitive::{Deadline, model_const_fn};
use crate::raw::{self, Waitable as _};

/// Counts what is under way, and lets threads wait until nothing is.
///
/// Eight bytes, no allocation. [`token`](Self::token) counts something until the token is dropped,
/// whatever happens to whoever has it; [`add`](Self::add) and [`done`](Self::done) do the same by
/// hand. A group may be used again and again: a wait returns once the count was zero, however much
/// has been added since. Only a count that comes down to zero with somebody waiting makes a system
/// call, one for all waiters.
///
/// Add before whatever is added can start: a wait returns at once while the count is zero.
///
/// # Fairness
///
/// Everybody who waits may go at the same moment.
///
/// # Memory ordering
///
/// What a thread did before `done`, or before it dropped a token, happens before the return of the
/// waits that this let go.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork` the count is what it was; the threads that were to finish are not there.
///
/// A signal neither ends a wait nor moves its limit. A handler may call [`try_add`](Self::try_add)
/// and [`try_done`](Self::try_done), which leave `errno` what it was.
///
/// A panic drops the tokens that it passes. Nothing is allocated (a
/// [`token_arc`](Self::token_arc) shares what its `Arc` allocated) and no thread-local used.
///
/// A waiter may free the group when its wait returns, also while the last one done is still on its
/// way back from waking it.
///
/// # Differences
///
/// From Go's `sync.WaitGroup`: timed waits; a group may be used again while waiters of the last use
/// are on their way out; `add` takes no negative numbers; 4,294,967,295 at the most, and one more
/// is an error. From `crossbeam_utils::sync::WaitGroup`: no allocation; whoever waits is not part
/// of the group, and may wait again. From [`Latch`](crate::Latch): the count can go up.
///
/// # Examples
///
/// ```
/// use lockwork::WaitGroup;
/// use std::sync::Arc;
/// use std::thread;
///
/// let group = Arc::new(WaitGroup::new());
/// for _ in 0..3 {
///     let token = group.token_arc();
///     thread::spawn(move || {
///         // ... work ...
///         drop(token); // or leave it to the end of the closure, panics included
///     });
/// }
/// group.wait();
/// assert_eq!(group.count(), 0);
/// ```
#[doc(alias("sync.WaitGroup", "Phaser", "TaskTracker"))]
pub struct WaitGroup {
    pub(super) raw: raw::WaitGroup,
}

// SAFETY: a word that is changed by atomic operations only, and no data.
unsafe impl Send for WaitGroup {}
// SAFETY: as for `Send`.
unsafe impl Sync for WaitGroup {}
// A panic leaves some count, and each is fine.
impl UnwindSafe for WaitGroup {}
impl RefUnwindSafe for WaitGroup {}

impl WaitGroup {
    model_const_fn! {
        /// Creates a group of none.
        ///
        /// ```
        /// static REQUESTS: lockwork::WaitGroup = lockwork::WaitGroup::new();
        /// let token = REQUESTS.token();
        /// assert_eq!(REQUESTS.count(), 1);
        /// # drop(token);
        /// ```
        #[must_use]
        pub const fn new() -> Self {
            Self { raw: raw::WaitGroup::new() }
        }
    }

    /// Counts one until the token is dropped. The token may change threads.
    ///
    /// ```
    /// let group = lockwork::WaitGroup::new();
    /// std::thread::scope(|s| {
    ///     let token = group.token();
    ///     s.spawn(move || drop(token));
    ///     group.wait();
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If there are 4,294,967,295.
    #[inline]
    #[track_caller]
    pub fn token(&self) -> WaitGroupToken<'_> {
        self.add(1);
        WaitGroupToken { group: self }
    }

    /// As [`token`](Self::token), for threads that may outlive the caller: the token keeps the
    /// group.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let group = Arc::new(lockwork::WaitGroup::new());
    /// let token = group.token_arc();
    /// std::thread::spawn(move || drop(token));
    /// group.wait();
    /// ```
    ///
    /// # Panics
    ///
    /// If there are 4,294,967,295.
    #[cfg(feature = "alloc")]
    #[inline]
    #[track_caller]
    pub fn token_arc(self: &Arc<Self>) -> ArcWaitGroupToken {
        self.add(1);
        ArcWaitGroupToken { group: self.clone() }
    }

    /// Adds `n`; each has to be taken off again by [`done`](Self::done).
    ///
    /// ```
    /// let group = lockwork::WaitGroup::new();
    /// group.add(2);
    /// group.done();
    /// assert_eq!(group.count(), 1);
    /// # group.done();
    /// ```
    ///
    /// # Panics
    ///
    /// If there were more than 4,294,967,295 then; none is added.
    #[inline]
    #[track_caller]
    pub fn add(&self, n: u32) {
        self.try_add(n).or_panic();
    }

    /// Adds `n`, if that can be counted.
    ///
    /// ```
    /// let group = lockwork::WaitGroup::new();
    /// assert_eq!(group.try_add(u32::MAX), Ok(()));
    /// assert!(group.try_add(1).is_err());
    /// # assert_eq!(group.count(), u32::MAX);
    /// ```
    ///
    /// # Errors
    ///
    /// [`CountError::Overflow`] if there were more than 4,294,967,295 then; none is added.
    #[inline]
    pub fn try_add(&self, n: u32) -> Result<(), CountError> {
        self.raw.add(n).map_err(|count| CountError::Overflow { count, by: n })
    }

    /// Takes one off.
    ///
    /// ```
    /// let group = lockwork::WaitGroup::new();
    /// group.add(1);
    /// group.done();
    /// group.wait();
    /// ```
    ///
    /// # Panics
    ///
    /// If there is none; there is none afterwards either.
    #[inline]
    #[track_caller]
    pub fn done(&self) {
        self.try_done(1).or_panic();
    }

    /// Takes `n` off, if there are as many.
    ///
    /// ```
    /// let group = lockwork::WaitGroup::new();
    /// group.add(2);
    /// assert!(group.try_done(3).is_err());
    /// assert_eq!(group.try_done(2), Ok(()));
    /// ```
    ///
    /// # Errors
    ///
    /// [`CountError::Underflow`] if there are fewer; none is taken off then.
    #[inline]
    pub fn try_done(&self, n: u32) -> Result<(), CountError> {
        self.raw.done(n).map_err(|count| CountError::Underflow { count, by: n })
    }

    /// How many there are at this moment.
    ///
    /// ```
    /// assert_eq!(lockwork::WaitGroup::new().count(), 0);
    /// ```
    #[must_use]
    #[inline]
    pub fn count(&self) -> u32 {
        self.raw.count()
    }

    /// Waits until there are none, or were none since the call.
    ///
    /// ```
    /// let group = lockwork::WaitGroup::new();
    /// group.wait(); // there are none
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait(&self) {
        let none = self.raw.take(Deadline::NEVER);
        debug_assert!(none.is_some(), "a wait without a deadline timed out");
    }

    /// Whether there are none. Never blocks.
    ///
    /// ```
    /// assert!(lockwork::WaitGroup::new().try_wait());
    /// ```
    #[must_use]
    #[inline]
    pub fn try_wait(&self) -> bool {
        self.raw.try_take().is_some()
    }

    /// Waits until there are none, for at most `timeout`; `false` if there were some all the time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let group = lockwork::WaitGroup::new();
    /// let token = group.token();
    /// assert!(!group.wait_for(Duration::from_millis(1)));
    /// # drop(token);
    /// ```
    #[must_use = "says whether there were none"]
    #[track_caller]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.raw.try_take().is_some() || self.raw.take(Deadline::after(timeout)).is_some()
    }

    /// Waits until there are none, until `deadline` at the latest; `false` if there were some all
    /// the time.
    ///
    /// ```
    /// use lockwork::{Deadline, WaitGroup};
    ///
    /// assert!(WaitGroup::new().wait_until(Deadline::now()));
    /// ```
    #[must_use = "says whether there were none"]
    #[track_caller]
    pub fn wait_until(&self, deadline: impl Into<Deadline>) -> bool {
        self.raw.take(deadline.into()).is_some()
    }

    /// Waits until there are none or `token` is cancelled.
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
    /// use lockwork::{WaitGroup, cancel::{CancelToken, Cancelled}};
    /// use std::time::Duration;
    ///
    /// let group = WaitGroup::new();
    /// assert_eq!(group.wait_cancellable(&CancelToken::new()), Ok(()));
    /// group.add(1);
    /// let soon = CancelToken::with_timeout(Duration::from_millis(1));
    /// assert_eq!(group.wait_cancellable(&soon), Err(Cancelled));
    /// ```
    #[cfg(feature = "alloc")]
    #[track_caller]
    pub fn wait_cancellable(&self, token: &CancelToken) -> Result<(), Cancelled> {
        token.check()?;
        self.raw.take(token).map(drop).ok_or_else(|| token.reached())
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup").field("count", &self.count()).finish()
    }
}

/// One of a [`WaitGroup`], until it is dropped.
///
/// ```
/// let group = lockwork::WaitGroup::new();
/// let token: lockwork::WaitGroupToken<'_> = group.token();
/// drop(token);
/// group.wait();
/// ```
///
/// # Panics
///
/// Its drop panics if somebody took it off before, by a [`done`](WaitGroup::done) too many.
#[must_use = "is taken off when it is dropped, which is now"]
pub struct WaitGroupToken<'a> {
    group: &'a WaitGroup,
}

impl Drop for WaitGroupToken<'_> {
    #[track_caller]
    fn drop(&mut self) {
        self.group.done();
    }
}

impl fmt::Debug for WaitGroupToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroupToken").finish_non_exhaustive()
    }
}

/// One of a [`WaitGroup`] that it keeps alive, until it is dropped.
///
/// ```
/// use lockwork::{ArcWaitGroupToken, WaitGroup};
/// use std::sync::Arc;
///
/// let token: ArcWaitGroupToken = Arc::new(WaitGroup::new()).token_arc();
/// drop(token);
/// ```
///
/// # Panics
///
/// Its drop panics if somebody took it off before, by a [`done`](WaitGroup::done) too many.
#[cfg(feature = "alloc")]
#[must_use = "is taken off when it is dropped, which is now"]
pub struct ArcWaitGroupToken {
    group: Arc<WaitGroup>,
}

#[cfg(feature = "alloc")]
impl Drop for ArcWaitGroupToken {
    #[track_caller]
    fn drop(&mut self) {
        self.group.done();
    }
}

#[cfg(feature = "alloc")]
impl fmt::Debug for ArcWaitGroupToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArcWaitGroupToken").finish_non_exhaustive()
    }
}
