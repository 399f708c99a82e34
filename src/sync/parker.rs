//! `Parker` and `Unparker`.

use alloc::sync::Arc;
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::panic::RefUnwindSafe;
use core::time::Duration;

use crate::cancel::{CancelToken, Cancelled};
use crate::primitive::Deadline;
use crate::raw;

/// Puts its thread to sleep until somebody with the [`Unparker`] says go.
///
/// A parker holds at most one token. [`park`](Self::park) takes it, sleeping until there is one;
/// [`unpark`](Unparker::unpark) leaves it, however often it is called. So an `unpark` that comes
/// first is not lost, and there are no spurious returns.
///
/// # Memory ordering
///
/// What a thread did before `unpark` happens before the return of the `park` that took the token.
///
/// # Fork, signals, panics, allocators
///
/// A `fork` copies a token that is there; from then on there are two parkers, one in each process,
/// that know nothing of each other.
///
/// A signal neither ends a wait nor moves its limit. A handler may call
/// [`unpark`](Unparker::unpark), which leaves `errno` what it was; it must not park, nor drop what
/// may be the last of the parker and its unparkers.
///
/// Nothing of the caller's runs inside, so no panic comes in between.
///
/// [`new`](Self::new) allocates what the parker shares with its unparkers, and nothing else does.
/// No thread-local is used, so a parker works in the destructors of those.
///
/// # Differences
///
/// From `std::thread::park`: the token belongs to this object, not to the thread, so libraries do
/// not take each other's. From `crossbeam_utils::sync::Parker`: [`park_for`](Self::park_for) and
/// [`park_until`](Self::park_until) say whether the token came.
///
/// # Examples
///
/// ```
/// use lockwork::Parker;
/// use std::thread;
///
/// let parker = Parker::new();
/// let unparker = parker.unparker().clone();
/// thread::spawn(move || unparker.unpark());
/// parker.park();
/// ```
///
/// A parker may move to another thread, but not be used by two at once:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::Parker::new());
/// ```
#[doc(alias("LockSupport", "thread::park"))]
pub struct Parker {
    unparker: Unparker,
    /// `Send`, not `Sync`: one thread at a time parks.
    one_thread: PhantomData<Cell<()>>,
}

// A panic leaves the token there or not, and both are fine.
impl RefUnwindSafe for Parker {}

impl Parker {
    /// Creates a parker without a token.
    ///
    /// ```
    /// let parker = lockwork::Parker::new();
    /// parker.unparker().unpark();
    /// parker.park();
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { unparker: Unparker { raw: Arc::new(raw::Parker::new()) }, one_thread: PhantomData }
    }

    /// Takes the token, sleeping until there is one.
    ///
    /// ```
    /// let parker = lockwork::Parker::new();
    /// parker.unparker().unpark();
    /// parker.park();
    /// ```
    #[track_caller]
    pub fn park(&self) {
        let taken = self.park_until(Deadline::NEVER);
        debug_assert!(taken, "a wait without a deadline timed out");
    }

    /// Takes the token, sleeping for at most `timeout`; `false` if none came in time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let parker = lockwork::Parker::new();
    /// assert!(!parker.park_for(Duration::from_millis(1)));
    /// ```
    #[doc(alias("park_timeout", "parkNanos"))]
    #[track_caller]
    #[must_use = "says whether the token came"]
    pub fn park_for(&self, timeout: Duration) -> bool {
        self.park_until(Deadline::after(timeout))
    }

    /// Takes the token, sleeping until `deadline` at the latest; `false` if none came in time.
    ///
    /// ```
    /// use lockwork::{Deadline, Parker};
    ///
    /// let parker = Parker::new();
    /// parker.unparker().unpark();
    /// assert!(parker.park_until(Deadline::now()), "a token that is there is taken, however late");
    /// ```
    #[doc(alias("park_deadline", "parkUntil"))]
    #[track_caller]
    #[must_use = "says whether the token came"]
    pub fn park_until(&self, deadline: impl Into<Deadline>) -> bool {
        // SAFETY: the parker is not `Sync` and not `Clone`, and an `Unparker` cannot park.
        unsafe { self.unparker.raw.park(deadline.into()) }
    }

    /// Takes the token that wakes, sleeping until there is one or `token` is cancelled.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] if `token` was cancelled before, or is already.
    ///
    /// # Panics
    ///
    /// As [`is_cancelled`](CancelToken::is_cancelled).
    ///
    /// ```
    /// use lockwork::{Parker, cancel::{CancelToken, Cancelled}};
    ///
    /// let (parker, token) = (Parker::new(), CancelToken::new());
    /// parker.unparker().unpark();
    /// assert_eq!(parker.park_cancellable(&token), Ok(()));
    /// token.cancel();
    /// assert_eq!(parker.park_cancellable(&token), Err(Cancelled));
    /// ```
    #[doc(alias("interrupt"))]
    #[track_caller]
    pub fn park_cancellable(&self, token: &CancelToken) -> Result<(), Cancelled> {
        token.check()?;
        // SAFETY: as in `park_until`.
        match unsafe { self.unparker.raw.park(token) } {
            true => Ok(()),
            false => Err(token.reached()),
        }
    }

    /// The handle that wakes this parker. Clone it to send it elsewhere.
    ///
    /// ```
    /// let parker = lockwork::Parker::new();
    /// let unparker = parker.unparker().clone();
    /// std::thread::spawn(move || unparker.unpark()).join().unwrap();
    /// parker.park();
    /// ```
    #[must_use]
    pub fn unparker(&self) -> &Unparker {
        &self.unparker
    }
}

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Parker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parker").finish_non_exhaustive()
    }
}

/// Leaves the token for a [`Parker`]; may be cloned and shared freely.
///
/// ```
/// use lockwork::{Parker, Unparker};
///
/// let parker = Parker::new();
/// let unparker: Unparker = parker.unparker().clone();
/// let sleeper = std::thread::spawn(move || parker.park());
/// unparker.unpark();
/// sleeper.join().unwrap();
/// ```
#[derive(Clone)]
pub struct Unparker {
    raw: Arc<raw::Parker>,
}

impl Unparker {
    /// Leaves the token, waking the parker's thread if it sleeps. Without effect if the token is
    /// there already, except that the `park` that takes it also sees what this thread did before.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let parker = lockwork::Parker::new();
    /// parker.unparker().unpark();
    /// parker.unparker().unpark();
    /// parker.park();
    /// assert!(!parker.park_for(Duration::ZERO), "two calls left one token");
    /// ```
    pub fn unpark(&self) {
        self.raw.unpark();
    }
}

impl fmt::Debug for Unparker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unparker").finish_non_exhaustive()
    }
}
