//! `Condvar`.

use core::fmt;
use core::time::Duration;

use super::{MutexGuard, suspend};
#[cfg(feature = "alloc")]
use crate::cancel::{CancelToken, Cancelled};
use crate::primitive::{Deadline, model_const_fn};
use crate::raw;

/// A condition variable: lets a thread that holds a [`Mutex`](crate::Mutex) give it up and sleep
/// until another thread says that the guarded data has changed.
///
/// Sixteen bytes, no allocation. Waiters queue on their own stacks, first come, first notified. So
/// there are **no spurious wake-ups**, `notify_*` says exactly how many it let go, and a waiter
/// that timed out took nobody's notification. (Look at the condition again all the same: between
/// the notification and the return another thread may have had the mutex.)
///
/// [`notify_all`](Self::notify_all) lets the waiters go together while the mutex is free, at most
/// 64 at a time. While it is taken, where they would only run into it, two are woken; the others
/// move to the queue of the mutex, where each is woken when it can have it.
///
/// Different waiters of one condition variable may use different mutexes. With guards of other
/// locks, a [`CondvarAny`](crate::CondvarAny) waits.
///
/// # Fairness
///
/// Notifications go to waiters in the order in which they began to wait. Who gets the mutex then is
/// up to the mutex.
///
/// If [`notify_all`](Self::notify_all) does not let all go at once, those left go on once the last
/// of those it woke has run. Under real-time priorities, one of low priority can therefore hold up
/// the rest.
///
/// # Memory ordering
///
/// The condition variable itself orders nothing; the mutex does.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork`, waiters of the parent do not exist; the condition variable is as new,
/// whatever other threads were doing with it. The rules for the mutex are
/// [its own](crate::Mutex#fork-signals-panics-allocators).
///
/// A signal neither ends a wait nor moves its limit. A handler must not wait, nor notify: there is
/// a short lock on the queue of waiters, and it may have interrupted the one who has it. An
/// [`Unparker`](crate::Unparker) can be used there.
///
/// A condition of [`wait_while`](Self::wait_while) is called with the mutex locked and the thread
/// in no queue. If it panics, the guard is as it was.
///
/// Nothing is allocated and no thread-local is used, so waits and notifications work below a global
/// allocator, and in the destructors of thread-locals.
///
/// # Differences
///
/// From `std::sync::Condvar`: `wait` takes the guard by reference, there are no spurious wake-ups,
/// and a notification without a waiter is one load. From `parking_lot::Condvar`: 16 bytes instead
/// of 8 and no parking lot; several mutexes at once are allowed; `notify_all` wakes its first
/// waiter even while the mutex is locked; `wait_until` and its kin also take a [`Deadline`].
///
/// # Examples
///
/// ```
/// use lockwork::{Condvar, Mutex};
/// use std::thread;
///
/// let (ready, changed) = (Mutex::new(false), Condvar::new());
/// thread::scope(|s| {
///     s.spawn(|| {
///         *ready.lock() = true;
///         changed.notify_one();
///     });
///     let mut ready = ready.lock();
///     changed.wait_while(&mut ready, |ready| !*ready);
///     assert!(*ready);
/// });
/// ```
#[doc(alias("pthread_cond_t", "condition_variable", "monitor", "Object.wait", "signal"))]
pub struct Condvar {
    raw: raw::Condvar,
}

impl Condvar {
    model_const_fn! {
        /// Creates a condition variable that nobody waits on.
        ///
        /// ```
        /// static CHANGED: lockwork::Condvar = lockwork::Condvar::new();
        /// assert!(!CHANGED.notify_one());
        /// ```
        #[must_use]
        pub const fn new() -> Self {
            Self { raw: raw::Condvar::new() }
        }
    }

    /// Lets the waiter that has waited longest go. Returns whether there was one.
    ///
    /// Costs one load if there is none. The caller need not hold the mutex, but must have held it
    /// when it changed what the waiter waits for.
    ///
    /// ```
    /// let changed = lockwork::Condvar::new();
    /// assert!(!changed.notify_one(), "nobody waits");
    /// ```
    #[doc(alias("pthread_cond_signal", "notify"))]
    #[inline]
    pub fn notify_one(&self) -> bool {
        self.raw.notify_one()
    }

    /// Lets all threads go that wait at this moment. Returns how many there were.
    ///
    /// ```
    /// let changed = lockwork::Condvar::new();
    /// assert_eq!(changed.notify_all(), 0);
    /// ```
    #[doc(alias("pthread_cond_broadcast", "notifyAll", "broadcast"))]
    #[inline]
    pub fn notify_all(&self) -> usize {
        self.raw.notify_all()
    }

    /// As [`notify_one`](Self::notify_one), for a caller that holds the mutex of the waiter: it is
    /// not woken now, to find the mutex taken, but when an unlock of the mutex makes it its turn.
    ///
    /// A waiter that waits with another mutex is let go as usual.
    ///
    /// ```
    /// use lockwork::{Condvar, Mutex};
    ///
    /// let (jobs, pushed) = (Mutex::new(vec![]), Condvar::new());
    /// let mut guard = jobs.lock();
    /// guard.push(1);
    /// assert!(!pushed.notify_one_held(&guard), "nobody waits");
    /// ```
    #[doc(alias("wait morphing"))]
    #[inline]
    pub fn notify_one_held<T: ?Sized>(&self, guard: &MutexGuard<'_, T>) -> bool {
        // SAFETY: the guard stands for the ownership of the mutex.
        unsafe { self.raw.notify_one_held(guard.raw_mutex()) }
    }

    /// As [`notify_all`](Self::notify_all), for a caller that holds the mutex of the waiters: none
    /// is woken now; each unlock of the mutex wakes the next. Returns how many there were.
    ///
    /// Those that wait with another mutex are let go as usual.
    ///
    /// ```
    /// use lockwork::{Condvar, Mutex};
    /// use std::thread;
    ///
    /// let (open, changed) = (Mutex::new(false), Condvar::new());
    /// thread::scope(|s| {
    ///     for _ in 0..3 {
    ///         s.spawn(|| changed.wait_while(&mut open.lock(), |open| !*open));
    ///     }
    ///     let mut guard = open.lock();
    ///     *guard = true;
    ///     changed.notify_all_held(&guard);
    /// });
    /// ```
    #[doc(alias("wait morphing"))]
    #[inline]
    pub fn notify_all_held<T: ?Sized>(&self, guard: &MutexGuard<'_, T>) -> usize {
        // SAFETY: the guard stands for the ownership of the mutex.
        unsafe { self.raw.notify_all_held(guard.raw_mutex()) }
    }

    /// Unlocks the mutex, sleeps until notified, and locks the mutex again.
    ///
    /// ```
    /// use lockwork::{Condvar, Mutex};
    ///
    /// let (turn, changed) = (Mutex::new(0), Condvar::new());
    /// std::thread::scope(|s| {
    ///     let mut turn_here = turn.lock();
    ///     s.spawn(|| {
    ///         *turn.lock() = 1;
    ///         changed.notify_one();
    ///     });
    ///     changed.wait(&mut turn_here);
    ///     assert_eq!(*turn_here, 1);
    /// });
    /// ```
    #[doc(alias = "pthread_cond_wait")]
    #[track_caller]
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) {
        let notified = suspend::wait(&self.raw, guard, Deadline::NEVER);
        debug_assert!(notified, "a wait without a deadline timed out");
    }

    /// As [`wait`](Self::wait), but for at most `timeout`; locking the mutex again may take longer.
    ///
    /// ```
    /// use lockwork::{Condvar, Mutex};
    /// use std::time::Duration;
    ///
    /// let (mutex, changed) = (Mutex::new(()), Condvar::new());
    /// let result = changed.wait_for(&mut mutex.lock(), Duration::from_millis(1));
    /// assert!(result.timed_out());
    /// ```
    #[doc(alias = "wait_timeout")]
    #[track_caller]
    pub fn wait_for<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        timeout: Duration,
    ) -> WaitTimeoutResult {
        self.wait_until(guard, Deadline::after(timeout))
    }

    /// As [`wait`](Self::wait), but until `deadline` at the latest; locking the mutex again may
    /// take longer.
    ///
    /// ```
    /// use lockwork::{Condvar, Mutex};
    /// use std::time::{Duration, Instant};
    ///
    /// let (mutex, changed) = (Mutex::new(()), Condvar::new());
    /// let soon = Instant::now() + Duration::from_millis(1);
    /// assert!(changed.wait_until(&mut mutex.lock(), soon).timed_out());
    /// ```
    #[doc(alias("pthread_cond_timedwait", "pthread_cond_clockwait"))]
    #[track_caller]
    pub fn wait_until<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        deadline: impl Into<Deadline>,
    ) -> WaitTimeoutResult {
        WaitTimeoutResult::new(!suspend::wait(&self.raw, guard, deadline.into()))
    }

    /// Waits as long as `condition` holds. It is called with the mutex locked, first at once.
    ///
    /// If `condition` panics, the guard is as usable as before.
    ///
    /// ```
    /// use lockwork::{Condvar, Mutex};
    ///
    /// let (jobs, changed) = (Mutex::new(vec![1]), Condvar::new());
    /// let mut jobs = jobs.lock();
    /// changed.wait_while(&mut jobs, |jobs| jobs.is_empty());
    /// assert_eq!(jobs.pop(), Some(1));
    /// ```
    #[track_caller]
    pub fn wait_while<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) {
        let result = suspend::wait_while(&self.raw, guard, condition, Deadline::NEVER);
        debug_assert!(!result.timed_out(), "a wait without a deadline timed out");
    }

    /// As [`wait_while`](Self::wait_while), for at most `timeout` in all. The result says that the
    /// time was up *and* the condition still held.
    ///
    /// ```
    /// use lockwork::{Condvar, Mutex};
    /// use std::time::Duration;
    ///
    /// let (ready, changed) = (Mutex::new(false), Condvar::new());
    /// let wait = Duration::from_millis(1);
    /// let result = changed.wait_while_for(&mut ready.lock(), |ready| !*ready, wait);
    /// assert!(result.timed_out());
    /// ```
    #[doc(alias = "wait_timeout_while")]
    #[track_caller]
    pub fn wait_while_for<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        condition: impl FnMut(&mut T) -> bool,
        timeout: Duration,
    ) -> WaitTimeoutResult {
        suspend::wait_while(&self.raw, guard, condition, Deadline::after(timeout))
    }

    /// As [`wait_while`](Self::wait_while), until `deadline` at the latest. The result says that
    /// the time was up *and* the condition still held.
    ///
    /// ```
    /// use lockwork::{Condvar, Deadline, Mutex};
    ///
    /// let (ready, changed) = (Mutex::new(true), Condvar::new());
    /// let result = changed.wait_while_until(&mut ready.lock(), |ready| !*ready, Deadline::now());
    /// assert!(!result.timed_out());
    /// ```
    #[track_caller]
    pub fn wait_while_until<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        condition: impl FnMut(&mut T) -> bool,
        deadline: impl Into<Deadline>,
    ) -> WaitTimeoutResult {
        suspend::wait_while(&self.raw, guard, condition, deadline.into())
    }

    /// As [`wait`](Self::wait), until `token` is cancelled at the latest; locking again may take
    /// longer.
    ///
    /// A notification that comes while the thread waits counts, also if the token is cancelled at
    /// the same time: it is not lost on a thread that gives up.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] if the token was cancelled before a notification came, or is already.
    ///
    /// # Panics
    ///
    /// As [`is_cancelled`](CancelToken::is_cancelled). The lock is locked again then.
    ///
    /// ```
    /// use lockwork::{Condvar, Mutex, cancel::{CancelToken, Cancelled}};
    /// use std::time::Duration;
    ///
    /// let (mutex, changed) = (Mutex::new(()), Condvar::new());
    /// let token = CancelToken::with_timeout(Duration::from_millis(1));
    /// assert_eq!(changed.wait_cancellable(&mut mutex.lock(), &token), Err(Cancelled));
    /// ```
    #[cfg(feature = "alloc")]
    #[doc(alias("condition_variable_any::wait", "awaitInterruptibly"))]
    #[track_caller]
    pub fn wait_cancellable<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        token: &CancelToken,
    ) -> Result<(), Cancelled> {
        suspend::wait_cancellable(&self.raw, guard, token)
    }

    /// As [`wait_while`](Self::wait_while), until `token` is cancelled at the latest.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] if the token was cancelled *and* the condition still held.
    ///
    /// # Panics
    ///
    /// As [`wait_cancellable`](Self::wait_cancellable).
    ///
    /// ```
    /// use lockwork::{Condvar, Mutex, cancel::CancelToken};
    ///
    /// let (jobs, changed, token) = (Mutex::new(vec![1]), Condvar::new(), CancelToken::new());
    /// std::thread::scope(|s| {
    ///     s.spawn(|| {
    ///         let (mut jobs, idle) = (jobs.lock(), |jobs: &mut Vec<_>| jobs.is_empty());
    ///         while changed.wait_while_cancellable(&mut jobs, idle, &token).is_ok() {
    ///             jobs.pop();
    ///         }
    ///     });
    ///     token.cancel();
    /// });
    /// ```
    #[cfg(feature = "alloc")]
    #[track_caller]
    pub fn wait_while_cancellable<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        condition: impl FnMut(&mut T) -> bool,
        token: &CancelToken,
    ) -> Result<(), Cancelled> {
        suspend::wait_while_cancellable(&self.raw, guard, condition, token)
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").field("has_waiters", &self.raw.has_waiters()).finish()
    }
}

/// How a timed wait ended.
///
/// ```
/// use lockwork::{Condvar, Deadline, Mutex};
///
/// let (mutex, changed) = (Mutex::new(()), Condvar::new());
/// let result = changed.wait_until(&mut mutex.lock(), Deadline::now());
/// assert!(result.timed_out());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "says whether the time was up"]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub(super) fn new(timed_out: bool) -> Self {
        Self(timed_out)
    }

    /// Whether the deadline passed without a notification.
    ///
    /// ```
    /// # use lockwork::{Condvar, Deadline, Mutex};
    /// let (mutex, changed) = (Mutex::new(()), Condvar::new());
    /// assert!(changed.wait_until(&mut mutex.lock(), Deadline::now()).timed_out());
    /// ```
    #[must_use]
    pub fn timed_out(self) -> bool {
        self.0
    }
}
