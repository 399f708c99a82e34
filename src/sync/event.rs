//! `Event`.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

#[cfg(feature = "alloc")]
use crate::cancel::{CancelToken, Cancelled};
use crate::primitive::{Deadline, model_const_fn};
use crate::raw::{self, Waitable as _};

/// Something that happens, and threads that wait for it.
///
/// | | [`Event::manual`] | [`Event::auto`] |
/// |---|---|---|
/// | [`set`](Self::set) lets go | everybody who waits | one who waits |
/// | and who comes later | too, until [`reset`](Self::reset) | too, if nobody waited: the first |
/// | like | an open door | a turnstile; a token for one |
///
/// Four bytes, no allocation. Setting it while nobody waits is one locked instruction; setting it
/// for any number of waiters is one system call.
///
/// A manual event lets everybody go who waited when it was set, even if it is reset at once. An
/// automatic one holds one token at the most: two sets of which nobody has yet taken the first are
/// one. Each is taken by exactly one thread, or undone by a reset.
///
/// # Fairness
///
/// Which of several sleeping threads is let go by an automatic event is up to the kernel, by
/// priority and then by time; a thread that arrives awake may be faster.
///
/// # Memory ordering
///
/// What a thread did before `set` happens before the return of every wait that it ends, and of a
/// `reset` that undoes it. So whoever resets first and then looks for work misses none.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork` an event is set or not, as it was, and works; waiters of the parent do not
/// exist there, but those of an automatic event remain counted, so that each `set` in the child
/// makes a system call that finds nobody.
///
/// A signal neither ends a wait nor moves its limit. A handler may call [`set`](Self::set),
/// [`reset`](Self::reset) and [`try_wait`](Self::try_wait), which leave `errno` what it was.
///
/// Nothing of the caller's runs inside, so no panic comes in between. Nothing is allocated and no
/// thread-local used, so an event may serve below an allocator and in the destructors of those.
///
/// # Differences
///
/// From Win32's `CreateEvent`: two sets in a row of an automatic event let one thread go, also if
/// two waited, unless the first thread took its token in between (as .NET documents for
/// `AutoResetEvent`). `PulseEvent` is `set`, then `reset`, of a manual event, and reliable. From
/// `ManualResetEventSlim`: a thread that waits cannot miss a `set` that is followed by a `reset`.
/// From folly's `Baton`: any number of waiters, used again after `reset`.
///
/// # Examples
///
/// ```
/// use lockwork::Event;
/// use std::thread;
///
/// let started = Event::manual();
/// thread::scope(|s| {
///     for _ in 0..3 {
///         s.spawn(|| started.wait());
///     }
///     started.set();
/// });
/// assert!(started.is_set());
/// ```
#[doc(alias("ManualResetEvent", "AutoResetEvent", "ManualResetEventSlim", "EventWaitHandle"))]
#[doc(alias("CreateEvent", "Baton", "Notification", "binary semaphore", "threading.Event"))]
pub struct Event {
    pub(super) raw: raw::Event,
}

// SAFETY: a word that is changed by atomic operations only, and no data.
unsafe impl Send for Event {}
// SAFETY: as for `Send`.
unsafe impl Sync for Event {}
// A panic leaves it set or not, and both are fine.
impl UnwindSafe for Event {}
impl RefUnwindSafe for Event {}

impl Event {
    model_const_fn! {
        /// Creates an event, not set, that stays set until [`reset`](Self::reset).
        ///
        /// ```
        /// static STOP: lockwork::Event = lockwork::Event::manual();
        /// STOP.set();
        /// STOP.wait();
        /// STOP.wait();
        /// ```
        #[doc(alias("ManualResetEvent"))]
        #[must_use]
        pub const fn manual() -> Self {
            Self { raw: raw::Event::manual() }
        }
    }

    model_const_fn! {
        /// Creates an event, not set, that is reset by the one thread that it lets go.
        ///
        /// ```
        /// static READY: lockwork::Event = lockwork::Event::auto();
        /// READY.set();
        /// READY.wait();
        /// assert!(!READY.try_wait(), "the wait took it");
        /// ```
        #[doc(alias("AutoResetEvent"))]
        #[must_use]
        pub const fn auto() -> Self {
            Self { raw: raw::Event::auto() }
        }
    }

    /// Sets the event: lets everybody go who waits (manual), or one (automatic).
    ///
    /// If it is set already, nothing changes, except that who waits for it later also sees what
    /// this thread did before.
    ///
    /// ```
    /// let event = lockwork::Event::manual();
    /// event.set();
    /// assert!(event.is_set());
    /// ```
    #[doc(alias("SetEvent", "signal", "post", "notify"))]
    #[inline]
    pub fn set(&self) {
        self.raw.set();
    }

    /// Makes it not set, and says whether it was.
    ///
    /// ```
    /// let event = lockwork::Event::manual();
    /// event.set();
    /// assert!(event.reset());
    /// assert!(!event.reset());
    /// ```
    #[doc(alias("ResetEvent", "clear"))]
    #[inline]
    pub fn reset(&self) -> bool {
        self.raw.reset()
    }

    /// Whether it is set at this moment. Takes nothing.
    ///
    /// ```
    /// let event = lockwork::Event::auto();
    /// event.set();
    /// assert!(event.is_set() && event.is_set());
    /// ```
    #[must_use]
    #[inline]
    pub fn is_set(&self) -> bool {
        self.raw.is_set()
    }

    /// Waits until it is set; resets it if it is automatic.
    ///
    /// ```
    /// let event = lockwork::Event::auto();
    /// std::thread::scope(|s| {
    ///     s.spawn(|| event.set());
    ///     event.wait();
    /// });
    /// assert!(!event.is_set());
    /// ```
    #[doc(alias("WaitForSingleObject", "WaitOne"))]
    #[inline]
    #[track_caller]
    pub fn wait(&self) {
        let came = self.raw.take(Deadline::NEVER);
        debug_assert!(came.is_some(), "a wait without a deadline timed out");
    }

    /// What [`wait`](Self::wait) would do at once, if it would: says whether it was set, and resets
    /// it if it is automatic.
    ///
    /// ```
    /// let event = lockwork::Event::auto();
    /// assert!(!event.try_wait());
    /// event.set();
    /// assert!(event.try_wait());
    /// assert!(!event.try_wait());
    /// ```
    #[must_use = "says whether it was set; an automatic event is not any more"]
    #[inline]
    pub fn try_wait(&self) -> bool {
        self.raw.try_take().is_some()
    }

    /// Waits until it is set, for at most `timeout`; `false` if it was not in time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let event = lockwork::Event::manual();
    /// assert!(!event.wait_for(Duration::from_millis(1)));
    /// ```
    #[must_use = "says whether it was set"]
    #[track_caller]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.raw.try_take().is_some() || self.raw.take(Deadline::after(timeout)).is_some()
    }

    /// Waits until it is set, until `deadline` at the latest; `false` if it was not in time.
    ///
    /// ```
    /// use lockwork::{Deadline, Event};
    ///
    /// let event = Event::manual();
    /// event.set();
    /// assert!(event.wait_until(Deadline::now()), "it is set, however late");
    /// ```
    #[must_use = "says whether it was set"]
    #[track_caller]
    pub fn wait_until(&self, deadline: impl Into<Deadline>) -> bool {
        self.raw.take(deadline.into()).is_some()
    }

    /// Waits until it is set or `token` is cancelled; resets it if it is automatic.
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
    /// use lockwork::{Event, cancel::{CancelToken, Cancelled}};
    ///
    /// let (event, token) = (Event::auto(), CancelToken::new());
    /// event.set();
    /// assert_eq!(event.wait_cancellable(&token), Ok(()));
    /// std::thread::scope(|s| {
    ///     let waiter = s.spawn(|| event.wait_cancellable(&token));
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
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reset = if self.raw.is_auto() { "auto" } else { "manual" };
        f.debug_struct("Event")
            .field("reset", &format_args!("{reset}"))
            .field("set", &self.is_set())
            .finish()
    }
}
