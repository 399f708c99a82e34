//! `Once` and what it says of itself.

use core::fmt;
use core::time::Duration;

use crate::primitive::{Deadline, model_const_fn};
use crate::raw;

/// Runs a closure once, whoever comes first, in four bytes.
///
/// Who comes while the closure runs sleeps until it has; who comes later pays one load and one
/// branch. For a value that is made once, see [`OnceLock`](crate::OnceLock) and
/// [`LazyLock`](crate::LazyLock).
///
/// # Panics in the closure
///
/// A closure that panics *poisons* the `Once`: [`call_once`](Self::call_once) and
/// [`wait`](Self::wait) panic from then on, until [`call_once_force`](Self::call_once_force) has
/// run a closure to its end.
///
/// # Waiting for itself
///
/// A closure that calls `call_once`, `call_once_force` or a wait of its own `Once` would wait for
/// its own end. With the `std` feature that is a panic, which poisons. (The state has room for the
/// numbers of the first 2^29 threads that use one; a later one sleeps for ever, as it does without
/// `std`.) If the closure waits for another thread that waits for the closure, both sleep for ever.
///
/// # Memory ordering
///
/// Everything the closure did happens before the return of every call that finds it done; and what
/// one that panicked did, before the closure that is forced after it.
///
/// # Fork, signals, panics, allocators
///
/// A child of `fork` has a copy of the state. Done is done there, and what has not begun can begin.
/// If the forking thread was in the closure, the child's thread still is, and each process comes to
/// an end of its own. If another thread was, nobody is in the child: whoever waits there waits for
/// ever, except with a limit ([`wait_for`](Self::wait_for)). A signal handler may call
/// [`is_completed`](Self::is_completed) and [`state`](Self::state); to wait there may be to wait
/// for the interrupted code.
///
/// # Differences
///
/// From `std::sync::Once`: [`state`](Self::state), waits with limits, and a closure that waits for
/// itself panics instead of sleeping for ever. From `parking_lot::Once`: the same two, four bytes
/// instead of one, and no parking lot behind them.
///
/// # Examples
///
/// ```
/// use lockwork::Once;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static START: Once = Once::new();
/// static STARTS: AtomicU32 = AtomicU32::new(0);
///
/// std::thread::scope(|s| {
///     for _ in 0..4 {
///         s.spawn(|| START.call_once(|| _ = STARTS.fetch_add(1, Ordering::Relaxed)));
///     }
/// });
/// assert_eq!(STARTS.load(Ordering::Relaxed), 1);
/// ```
#[doc(alias("pthread_once", "pthread_once_t", "std::call_once", "once_flag", "InitOnce"))]
pub struct Once {
    raw: raw::Once,
}

/// What a [`Once`] says of itself: of the moment it is asked, or, to the closure of
/// [`call_once_force`](Once::call_once_force), of the time before.
///
/// ```
/// use lockwork::{Once, OnceState};
///
/// let once = Once::new();
/// assert_eq!(once.state(), OnceState::New);
/// once.call_once(|| assert_eq!(once.state(), OnceState::InProgress));
/// assert_eq!(once.state(), OnceState::Done);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnceState {
    /// No closure has run.
    New,
    /// A closure panicked.
    Poisoned,
    /// A thread is running a closure.
    InProgress,
    /// A closure has run to its end.
    Done,
}

impl OnceState {
    /// Whether a closure panicked.
    ///
    /// ```
    /// assert!(lockwork::OnceState::Poisoned.is_poisoned());
    /// ```
    #[must_use]
    pub const fn is_poisoned(self) -> bool {
        matches!(self, Self::Poisoned)
    }

    /// The same as [`is_poisoned`](Self::is_poisoned).
    ///
    /// ```
    /// assert!(!lockwork::OnceState::New.poisoned());
    /// ```
    #[must_use]
    pub const fn poisoned(self) -> bool {
        self.is_poisoned()
    }

    /// Whether a closure has run to its end.
    ///
    /// ```
    /// assert!(lockwork::Once::new_completed().state().is_completed());
    /// ```
    #[must_use]
    pub const fn is_completed(self) -> bool {
        matches!(self, Self::Done)
    }

    /// The same as [`is_completed`](Self::is_completed).
    ///
    /// ```
    /// assert!(lockwork::OnceState::Done.done());
    /// ```
    #[must_use]
    pub const fn done(self) -> bool {
        self.is_completed()
    }
}

impl Once {
    model_const_fn! {
        /// Creates a `Once` of which no closure has run.
        ///
        /// ```
        /// static START: lockwork::Once = lockwork::Once::new();
        /// assert!(!START.is_completed());
        /// ```
        #[must_use]
        pub const fn new() -> Self {
            Self { raw: raw::Once::new() }
        }
    }

    model_const_fn! {
        /// Creates a `Once` that is done: no closure will run.
        ///
        /// ```
        /// lockwork::Once::new_completed().call_once(|| unreachable!());
        /// ```
        #[must_use]
        pub const fn new_completed() -> Self {
            Self { raw: raw::Once::new_done() }
        }
    }

    /// Runs `f`, if no closure has run to its end before. Sleeps while another thread runs one;
    /// when this returns, one has run to its end, and what it did is seen.
    ///
    /// # Panics
    ///
    /// If `f` panics; if a closure has panicked before; if this is called by the closure that is
    /// running ([details](Self#waiting-for-itself)).
    ///
    /// ```
    /// let once = lockwork::Once::new();
    /// let mut runs = 0;
    /// once.call_once(|| runs += 1);
    /// once.call_once(|| runs += 1);
    /// assert_eq!(runs, 1);
    /// ```
    #[doc(alias("InitOnceExecuteOnce", "sync.Once", "Do"))]
    #[inline]
    #[track_caller]
    pub fn call_once(&self, f: impl FnOnce()) {
        if !self.raw.is_done() {
            self.call_slow(false, |_| f());
        }
    }

    /// As [`call_once`](Self::call_once), also after a closure has panicked, which `f` is told of.
    ///
    /// # Panics
    ///
    /// If `f` panics; if this is called by the closure that is running.
    ///
    /// ```
    /// use std::panic::{AssertUnwindSafe, catch_unwind};
    ///
    /// let once = lockwork::Once::new();
    /// let failed = catch_unwind(AssertUnwindSafe(|| once.call_once(|| panic!("no disk"))));
    /// assert!(failed.is_err() && once.state().is_poisoned());
    ///
    /// once.call_once_force(|before| assert!(before.is_poisoned()));
    /// assert!(once.is_completed());
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once_force(&self, f: impl FnOnce(OnceState)) {
        if !self.raw.is_done() {
            self.call_slow(true, f);
        }
    }

    #[cold]
    #[track_caller]
    fn call_slow(&self, force: bool, f: impl FnOnce(OnceState)) {
        if let Some(attempt) = self.raw.begin(force) {
            f(if attempt.was_poisoned() { OnceState::Poisoned } else { OnceState::New });
            attempt.complete();
        }
    }

    /// Sleeps until a closure has run to its end, also if none has begun.
    ///
    /// # Panics
    ///
    /// If a closure has panicked, or panics meanwhile; if this is called by the closure that is
    /// running.
    ///
    /// ```
    /// let ready = lockwork::Once::new();
    /// std::thread::scope(|s| {
    ///     s.spawn(|| ready.wait());
    ///     ready.call_once(|| ());
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait(&self) {
        let done = self.wait_as(false, || Deadline::NEVER);
        debug_assert!(done, "a wait without a deadline timed out");
    }

    /// As [`wait`](Self::wait); a closure that panics is waited for to be followed by another.
    ///
    /// # Panics
    ///
    /// If this is called by the closure that is running.
    ///
    /// ```
    /// let ready = lockwork::Once::new();
    /// ready.call_once_force(|_| ());
    /// ready.wait_force();
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait_force(&self) {
        let done = self.wait_as(true, || Deadline::NEVER);
        debug_assert!(done, "a wait without a deadline timed out");
    }

    /// As [`wait`](Self::wait), for at most `timeout`; `false` if no closure came to its end by
    /// then. A time-out too long to represent means no limit.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let never = lockwork::Once::new();
    /// assert!(!never.wait_for(Duration::from_millis(1)));
    /// ```
    #[inline]
    #[track_caller]
    #[must_use = "says whether a closure has run"]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.wait_as(false, || Deadline::after(timeout))
    }

    /// As [`wait`](Self::wait), until `deadline` at the latest: an `Instant` or a
    /// [`Deadline`]. `false` if no closure came to its end by then.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// ```
    /// use lockwork::{Deadline, Once};
    ///
    /// assert!(Once::new_completed().wait_until(Deadline::now()));
    /// ```
    #[inline]
    #[track_caller]
    #[must_use = "says whether a closure has run"]
    pub fn wait_until(&self, deadline: impl Into<Deadline>) -> bool {
        self.wait_as(false, || deadline.into())
    }

    #[inline]
    #[track_caller]
    fn wait_as(&self, force: bool, deadline: impl FnOnce() -> Deadline) -> bool {
        self.raw.is_done() || self.raw.watch(force, deadline())
    }

    /// What the `Once` is at this moment. If it is [`OnceState::Done`], what the closure did is
    /// seen; everything else may be out of date by the time it is read.
    ///
    /// ```
    /// use lockwork::{Once, OnceState};
    ///
    /// assert_eq!(Once::new().state(), OnceState::New);
    /// ```
    #[inline]
    #[must_use]
    pub fn state(&self) -> OnceState {
        match self.raw.state() {
            raw::OnceState::New => OnceState::New,
            raw::OnceState::Poisoned => OnceState::Poisoned,
            raw::OnceState::Running => OnceState::InProgress,
            raw::OnceState::Done => OnceState::Done,
        }
    }

    /// Whether a closure has run to its end, and what it did is seen.
    ///
    /// ```
    /// let once = lockwork::Once::new();
    /// once.call_once(|| assert!(!once.is_completed()));
    /// assert!(once.is_completed());
    /// ```
    #[inline]
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.raw.is_done()
    }
}

impl Default for Once {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("state", &self.state()).finish()
    }
}
