//! `CancelToken`, and what a cancelled wait says.

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use super::CancelCallback;
use crate::primitive::{Deadline, Wait, WaitWord};
use crate::raw::{self, InPlace, Limit, Relock};

/// Says to those who listen that they are to give up: to threads that look at it now and then, to
/// [waits](crate::cancel#what-all-these-waits-have-in-common), and to closures.
///
/// A handle: clones are the same token. It is cancelled once, by [`cancel`](Self::cancel) or by its
/// deadline, and stays so. Tokens make a tree: whatever cancels one cancels all that come from it
/// by [`child`](Self::child), and none of those that it comes from.
///
/// # Deadlines
///
/// A deadline, of the token or of one that it comes from, counts as soon as it has passed:
/// [`is_cancelled`](Self::is_cancelled) says so, and waits end. As there is no thread that waits
/// for that moment, its callbacks run a little later: in the first call that finds out, whether it
/// looks or has waited.
///
/// # Fairness
///
/// All who wait are woken at once. Callbacks are called one after the other by the thread that
/// cancels: those of a token in the order in which they were registered, after those of all tokens
/// that come from it.
///
/// # Memory ordering
///
/// What a thread did before it cancelled a token happens before whatever is done by those who find
/// it cancelled, or one that comes from it. Who finds a token cancelled finds all cancelled that
/// come from it.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork`, tokens are what they were in the parent, and no longer the same: each
/// process cancels its own. Should another thread have been about to make, drop or cancel a token
/// of the same tree at that very moment, or to register or take back a closure, then in the child
/// all tokens of the tree are by themselves: those made before no longer follow each other, and
/// closures registered before are not called.
///
/// A signal neither ends a wait nor moves its limit. A handler may call
/// [`is_cancelled`](Self::is_cancelled) of a token without a deadline, and nothing else; to cancel
/// one from a handler, have it set an [`Event`](crate::Event) that a thread waits for.
///
/// A callback that panics does not keep the others from being called. The first such panic goes on
/// from the call that cancelled the token, when all have been. (Without the feature `std`, a second
/// one ends the process.)
///
/// To make a token allocates, and so does to register a callback; nothing else does. A wait uses no
/// thread-local.
///
/// # Differences
///
/// From `tokio_util`'s `CancellationToken`: for threads; deadlines, callbacks. From C++20's
/// `std::stop_token`: a tree, and deadlines; a callback that panics is no disaster; one type for
/// `stop_source` and `stop_token`, so whoever has it may cancel. From Go's `context`: no values,
/// and callbacks run in the thread that cancels. From .NET's `CancellationToken`: tokens that are
/// linked need not be disposed of, and callbacks run in the order in which they were registered.
///
/// # Examples
///
/// A worker that stops when it is told to, whether it works or waits for work:
///
/// ```
/// use lockwork::cancel::CancelToken;
/// use lockwork::queue::BlockingQueue;
/// use std::thread;
///
/// let (token, jobs) = (CancelToken::new(), BlockingQueue::new(8));
/// thread::scope(|s| {
///     s.spawn(|| {
///         while let Ok(job) = jobs.pop_cancellable(&token) {
///             for step in 0..job {
///                 if token.is_cancelled() {
///                     return;
///                 }
///                 let _ = step; // one of many
///             }
///         }
///     });
///     jobs.push(1000).unwrap();
///     token.cancel();
/// });
/// ```
///
/// A time limit for a whole request, whatever it waits for:
///
/// ```
/// use lockwork::{Event, Semaphore, cancel::CancelToken};
/// use std::time::Duration;
///
/// let (server, connections) = (CancelToken::new(), Semaphore::new(1));
/// let answered = Event::manual();
///
/// let request = server.child_for(Duration::from_millis(5));
/// let connection = connections.acquire_cancellable(&request)?;
/// assert!(answered.wait_cancellable(&request).is_err(), "nobody answers");
/// assert!(request.is_cancelled() && !server.is_cancelled());
/// # drop(connection);
/// # Ok::<(), lockwork::semaphore::AcquireError>(())
/// ```
#[doc(alias("CancellationToken", "stop_token", "stop_source", "context.Context", "interrupt"))]
#[doc(alias("nsync_note", "CancellationTokenSource", "pthread_cancel", "abort"))]
pub struct CancelToken {
    raw: raw::CancelToken,
}

impl CancelToken {
    /// Creates a token that comes from no other and has no deadline.
    ///
    /// ```
    /// assert!(!lockwork::cancel::CancelToken::new().is_cancelled());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::with_deadline(Deadline::NEVER)
    }

    /// As [`new`](Self::new), cancelled when `timeout` has passed. A time-out too long to represent
    /// means none.
    ///
    /// ```
    /// use lockwork::cancel::CancelToken;
    /// use std::time::Duration;
    ///
    /// assert!(CancelToken::with_timeout(Duration::ZERO).is_cancelled());
    /// ```
    #[doc(alias("CancelAfter", "WithTimeout"))]
    #[must_use]
    pub fn with_timeout(timeout: Duration) -> Self {
        Self::with_deadline(Deadline::after(timeout))
    }

    /// As [`new`](Self::new), cancelled when `deadline` has passed: an `Instant` or a [`Deadline`].
    ///
    /// ```
    /// use lockwork::{Deadline, cancel::CancelToken};
    ///
    /// assert!(CancelToken::with_deadline(Deadline::now()).is_cancelled());
    /// ```
    #[doc(alias = "WithDeadline")]
    #[must_use]
    pub fn with_deadline(deadline: impl Into<Deadline>) -> Self {
        Self { raw: raw::CancelToken::new(deadline.into()) }
    }

    /// Creates a token that is cancelled when this one is, and may be cancelled without it.
    ///
    /// It goes on to listen to what this one comes from when all handles of this one are dropped.
    ///
    /// ```
    /// let parent = lockwork::cancel::CancelToken::new();
    /// let (one, other) = (parent.child(), parent.child());
    /// one.cancel();
    /// assert!(!parent.is_cancelled() && !other.is_cancelled());
    /// parent.cancel();
    /// assert!(other.is_cancelled() && parent.child().is_cancelled());
    /// ```
    #[doc(alias("child_token", "WithCancel", "CreateLinkedTokenSource", "MergeCancellationToken"))]
    #[must_use]
    pub fn child(&self) -> Self {
        self.child_until(Deadline::NEVER)
    }

    /// As [`child`](Self::child), also cancelled when `timeout` has passed.
    ///
    /// ```
    /// use lockwork::cancel::CancelToken;
    /// use std::time::Duration;
    ///
    /// let all = CancelToken::new();
    /// assert!(all.child_for(Duration::ZERO).is_cancelled());
    /// assert!(!all.is_cancelled());
    /// ```
    #[must_use]
    pub fn child_for(&self, timeout: Duration) -> Self {
        self.child_until(Deadline::after(timeout))
    }

    /// As [`child`](Self::child), also cancelled when `deadline` has passed, an `Instant` or a
    /// [`Deadline`]; that of this token counts if it is sooner.
    ///
    /// ```
    /// use lockwork::{Deadline, cancel::CancelToken};
    ///
    /// let soon = Deadline::now();
    /// let child = CancelToken::with_deadline(soon).child_until(Deadline::NEVER);
    /// assert_eq!(child.deadline(), soon);
    /// ```
    #[must_use]
    pub fn child_until(&self, deadline: impl Into<Deadline>) -> Self {
        Self { raw: self.raw.child(deadline.into()) }
    }

    /// Cancels this token and all that come from it, wakes those who wait with one of them, and
    /// calls their callbacks. Returns whether this call did it: `false` if the token was cancelled
    /// before, and then callbacks may still be running in another thread.
    ///
    /// When it returns, this token and all that come from it are cancelled.
    ///
    /// # Panics
    ///
    /// If a callback does, once the others have been called.
    ///
    /// ```
    /// let token = lockwork::cancel::CancelToken::new();
    /// std::thread::scope(|s| {
    ///     s.spawn(|| token.wait());
    ///     assert!(token.cancel());
    /// });
    /// assert!(!token.cancel(), "it was already");
    /// ```
    #[doc(alias("request_stop", "interrupt", "requestCancellation", "nsync_note_notify"))]
    pub fn cancel(&self) -> bool {
        match self.raw.cancel() {
            Some(calls) => {
                call_all(calls);
                true
            }
            None => false,
        }
    }

    /// Whether this token, or one that it comes from, was cancelled or has a deadline that has
    /// passed.
    ///
    /// One load, and with a deadline a look at the clock.
    ///
    /// # Panics
    ///
    /// If it is the first to find that the deadline has passed, and a callback panics.
    ///
    /// ```
    /// let token = lockwork::cancel::CancelToken::new();
    /// token.clone().cancel();
    /// assert!(token.is_cancelled());
    /// ```
    #[doc(alias("stop_requested", "IsCancellationRequested", "isInterrupted"))]
    #[must_use]
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.raw.is_cancelled() || self.raw.deadline().has_passed() && self.expire()
    }

    /// [`is_cancelled`](Self::is_cancelled), for `?`.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] if it is.
    ///
    /// # Panics
    ///
    /// As [`is_cancelled`](Self::is_cancelled).
    ///
    /// ```
    /// use lockwork::cancel::{CancelToken, Cancelled};
    ///
    /// fn sum(numbers: &[u64], token: &CancelToken) -> Result<u64, Cancelled> {
    ///     numbers.iter().try_fold(0, |sum, n| token.check().map(|()| sum + n))
    /// }
    /// let token = CancelToken::new();
    /// assert_eq!(sum(&[1, 2], &token), Ok(3));
    /// token.cancel();
    /// assert_eq!(sum(&[1, 2], &token), Err(Cancelled));
    /// ```
    #[doc(alias("ThrowIfCancellationRequested", "ctx.Err"))]
    #[inline]
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    /// When it counts as cancelled at the latest: its own deadline or that of a token that it comes
    /// from; [`Deadline::NEVER`] if there is none.
    ///
    /// ```
    /// use lockwork::{Deadline, cancel::CancelToken};
    ///
    /// assert_eq!(CancelToken::new().deadline(), Deadline::NEVER);
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.raw.deadline()
    }

    /// Has `callback` called when the token is cancelled, by the thread that does it; if that has
    /// happened already, at once and by this one.
    ///
    /// It is called once at the most, with none of this crate's locks held. It can be [taken
    /// back](CancelCallback) until then.
    ///
    /// The thread that it runs in may hold locks of its own, and goes on only when all callbacks
    /// have returned: let them do little. For instance, shut down a socket that some thread reads
    /// from.
    ///
    /// # Panics
    ///
    /// If the token is cancelled already and `callback` panics.
    ///
    /// ```
    /// use lockwork::cancel::CancelToken;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// let (token, calls) = (CancelToken::new(), Arc::new(AtomicU32::new(0)));
    /// let counter = calls.clone();
    /// let callback = token.on_cancel(move || {
    ///     counter.fetch_add(1, Ordering::Relaxed);
    /// });
    /// token.cancel();
    /// assert_eq!(calls.load(Ordering::Relaxed), 1);
    /// # drop(callback);
    /// ```
    #[doc(alias("Register", "stop_callback", "AfterFunc", "subscribe"))]
    pub fn on_cancel(&self, callback: impl FnOnce() + Send + 'static) -> CancelCallback {
        let (registration, late) = self.raw.on_cancel(Box::new(callback));
        if late {
            registration.call();
        }
        CancelCallback::new(registration)
    }

    /// Sleeps until the token is cancelled, or its deadline has passed.
    ///
    /// # Panics
    ///
    /// As [`is_cancelled`](Self::is_cancelled).
    ///
    /// ```
    /// let token = lockwork::cancel::CancelToken::new();
    /// std::thread::scope(|s| {
    ///     s.spawn(|| token.wait());
    ///     token.cancel();
    /// });
    /// ```
    #[doc(alias("cancelled", "Done"))]
    #[track_caller]
    pub fn wait(&self) {
        let cancelled = self.wait_until(Deadline::NEVER);
        debug_assert!(cancelled, "a wait without a deadline timed out");
    }

    /// As [`wait`](Self::wait), for at most `timeout`; `false` if the token is not cancelled by
    /// then. So it is a sleep that can be cut short.
    ///
    /// # Panics
    ///
    /// As [`is_cancelled`](Self::is_cancelled).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let token = lockwork::cancel::CancelToken::new();
    /// assert!(!token.wait_for(Duration::from_millis(1)));
    /// ```
    #[doc(alias("sleep", "WaitOne", "sleep_cancellable"))]
    #[must_use = "says whether the token is cancelled"]
    #[track_caller]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.wait_until(Deadline::after(timeout))
    }

    /// As [`wait`](Self::wait), until `deadline` at the latest, an `Instant` or a [`Deadline`];
    /// `false` if the token is not cancelled by then.
    ///
    /// # Panics
    ///
    /// As [`is_cancelled`](Self::is_cancelled).
    ///
    /// ```
    /// use lockwork::{Deadline, cancel::CancelToken};
    ///
    /// assert!(!CancelToken::new().wait_until(Deadline::now()));
    /// assert!(CancelToken::with_deadline(Deadline::now()).wait_until(Deadline::NEVER));
    /// ```
    #[must_use = "says whether the token is cancelled"]
    #[track_caller]
    pub fn wait_until(&self, deadline: impl Into<Deadline>) -> bool {
        let (given, own) = (deadline.into(), self.raw.deadline());
        self.raw.wait(given.min(own)) || own <= given && self.expire()
    }

    /// The deadline has passed: cancels. True.
    #[cold]
    fn expire(&self) -> bool {
        self.cancel();
        true
    }

    /// For those who are about to wait and have a lock: whether it is known to be cancelled. Calls
    /// no callbacks.
    pub(crate) fn is_known_to_be_cancelled(&self) -> bool {
        self.raw.is_cancelled()
    }

    /// What a wait returns that has reached this limit.
    pub(crate) fn reached(&self) -> Cancelled {
        if !self.raw.is_cancelled() {
            self.expire();
        }
        Cancelled
    }
}

/// Ends a wait when the token is cancelled, or its deadline passes.
impl Limit for &CancelToken {
    type Way<R: Relock> = InPlace<R>;

    fn deadline(self) -> Deadline {
        self.raw.deadline()
    }

    fn is_reached(self) -> bool {
        self.raw.is_cancelled() || self.raw.deadline().has_passed()
    }

    fn sleep(self, word: WaitWord<'_>, _alone: impl FnOnce(Deadline) -> Wait) -> Wait {
        self.raw.sleep_beside(word)
    }

    fn reached(self) {
        self.reached();
    }
}

/// Calls them one after the other; the first panic goes on afterwards.
fn call_all(mut calls: raw::Calls) {
    #[cfg(feature = "std")]
    {
        use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
        let mut first = None;
        loop {
            // What the closures had is gone, and the list is whole.
            match catch_unwind(AssertUnwindSafe(|| calls.call_next())) {
                Ok(true) => {}
                Ok(false) => break,
                Err(panic) if first.is_none() => first = Some(panic),
                Err(another) => drop(another),
            }
        }
        if let Some(panic) = first {
            resume_unwind(panic);
        }
    }
    // Those that a panic leaves are called as `calls` is dropped.
    #[cfg(not(feature = "std"))]
    while calls.call_next() {}
}

impl Clone for CancelToken {
    fn clone(&self) -> Self {
        Self { raw: self.raw.clone() }
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether both are the same token.
///
/// ```
/// let token = lockwork::cancel::CancelToken::new();
/// assert!(token == token.clone());
/// assert!(token != token.child());
/// ```
impl PartialEq for CancelToken {
    fn eq(&self, other: &Self) -> bool {
        self.raw.is(&other.raw)
    }
}

impl Eq for CancelToken {}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CancelToken");
        // No callbacks run here.
        let cancelled = self.raw.is_cancelled() || self.raw.deadline().has_passed();
        debug.field("cancelled", &cancelled);
        if let Some(remaining) = self.raw.deadline().remaining() {
            debug.field("remaining", &remaining);
        }
        debug.finish_non_exhaustive()
    }
}

/// The token was cancelled, or its deadline has passed.
///
/// ```
/// use lockwork::cancel::{CancelToken, Cancelled};
///
/// let token = CancelToken::new();
/// token.cancel();
/// assert_eq!(token.check(), Err(Cancelled));
/// assert_eq!(Cancelled.to_string(), "cancelled");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled")
    }
}

impl core::error::Error for Cancelled {}
