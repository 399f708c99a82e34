//! `PiCondvar`.

use core::fmt;
use core::time::Duration;

use super::pi_mutex::refused;
use super::{PiMutexGuard, WaitTimeoutResult};
use crate::primitive::{Deadline, PiError, model_const_fn};
use crate::raw;

/// A condition variable for a [`PiMutex`](crate::PiMutex): its waiters go by priority, and are
/// handed the mutex.
///
/// With an ordinary condition variable a thread is woken first and locks the mutex then, in the
/// order in which the waiters came; while it is in between, nobody inherits its priority. Here the
/// kernel moves the waiter with the highest priority to the queue of the mutex
/// (`FUTEX_WAIT_REQUEUE_PI`), in one step: from the notification on, whoever has the mutex runs at
/// the waiter's priority, and the waiter wakes when the mutex is its own. No other Rust crate
/// offers that, nor does the GNU C library since 2.25.
///
/// **A notification takes the guard of the mutex**, as proof that the caller has it: the kernel has
/// to know where to move the waiters. So the one who is notified runs when the notifier unlocks.
///
/// Forty bytes, no allocation. There are **no spurious wake-ups**, `notify_*` say exactly how many
/// they let go, a waiter that timed out took nobody's notification, and none is taken by a thread
/// that began to wait after it. (Look at the condition again all the same: another thread may have
/// had the mutex first.)
///
/// # A bounded buffer
///
/// Semaphores cannot lend priorities, as
/// [`PiMutex`](crate::PiMutex#semaphores-have-no-priority-inheritance) says. Where real-time
/// threads wait for places and for work, this takes the place of two of them:
///
/// ```
/// use lockwork::{PiCondvar, PiMutex};
/// use std::collections::VecDeque;
///
/// struct Buffer<T> {
///     items: PiMutex<VecDeque<T>>,
///     limit: usize,
///     filled: PiCondvar,
///     emptied: PiCondvar,
/// }
///
/// impl<T> Buffer<T> {
///     fn new(limit: usize) -> Self {
///         let items = PiMutex::new(VecDeque::with_capacity(limit)); // no allocation later
///         Self { items, limit, filled: PiCondvar::new(), emptied: PiCondvar::new() }
///     }
///
///     fn push(&self, item: T) {
///         let full = |items: &mut VecDeque<T>| items.len() == self.limit;
///         let mut items = self.emptied.wait_while(self.items.lock(), full);
///         items.push_back(item);
///         self.filled.notify_one(&items);
///     }
///
///     fn pop(&self) -> T {
///         let mut items = self.filled.wait_while(self.items.lock(), |items| items.is_empty());
///         let item = items.pop_front().expect("there is one");
///         self.emptied.notify_one(&items);
///         item
///     }
/// }
///
/// let buffer = Buffer::new(2);
/// std::thread::scope(|s| {
///     s.spawn(|| (0..100).for_each(|n| buffer.push(n)));
///     assert!((0..100).all(|n| buffer.pop() == n));
/// });
/// ```
///
/// # One mutex at a time
///
/// All who wait at one time use the same mutex; another one is a panic. When nobody waits, it may
/// be used with another one.
///
/// # Fairness
///
/// A notification goes to the waiter of the highest priority, and among the same to the one that
/// has slept longest; threads without real-time priority come last, in order. What counts is the
/// priority with which a thread began to wait. (One that is about to fall asleep, or has just timed
/// out, may take a notification that would have gone to another; the other then goes on waiting.)
/// The mutex is handed on by the priorities of that moment.
///
/// # Memory ordering
///
/// The condition variable itself orders nothing; the mutex does.
///
/// # When the mutex cannot be had again
///
/// Waits take the guard and give it back. If another thread that has the mutex dies meanwhile (see
/// [`PiMutex`](crate::PiMutex#owners-that-die)), there is no guard to give back:
/// [`wait`](Self::wait) panics, [`wait_checked`](Self::wait_checked) says so, and the condition
/// variable cannot be used any more. Threads that sleep until they are notified go on sleeping: who
/// would notify them cannot have the mutex. If locking it again would deadlock, as its owner waits
/// for another lock of the waiter, the process ends with a message.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork`, waiters of the parent do not exist: the condition variable is as new, but
/// stays with the mutex that they used until it has been used with that. The rules for the mutex
/// are [its own](crate::PiMutex#fork-signals-panics-allocators).
///
/// A signal neither ends a wait nor moves its limit, wherever it meets the waiter. A handler must
/// neither wait nor notify: that needs the mutex.
///
/// A condition of [`wait_while`](Self::wait_while) is called with the mutex locked and the thread
/// in no queue. If it panics, the guard is dropped.
///
/// # Differences
///
/// From `std::sync::Condvar`: notifications take the guard, guards come without a `LockResult`, and
/// there are no spurious wake-ups. From [`Condvar`](crate::Condvar) and `parking_lot::Condvar`:
/// waits take the guard and give it back, as they may have none to give. From `pthread_cond_t`: the
/// mutex has to be locked to notify, and its priority inheritance covers the way from the
/// notification to the mutex.
///
/// # Examples
///
/// ```
/// use lockwork::{PiCondvar, PiMutex};
/// use std::thread;
///
/// let (ready, changed) = (PiMutex::new(false), PiCondvar::new());
/// thread::scope(|s| {
///     s.spawn(|| {
///         let mut ready = ready.lock();
///         *ready = true;
///         changed.notify_one(&ready);
///     });
///     let ready = changed.wait_while(ready.lock(), |ready| !*ready);
///     assert!(*ready);
/// });
/// ```
#[doc(alias("pthread_cond_t", "condition_variable", "FUTEX_WAIT_REQUEUE_PI", "pi_cond"))]
#[doc(alias("real-time condition variable", "priority inheritance", "librtpi"))]
pub struct PiCondvar {
    raw: raw::PiCondvar,
}

impl PiCondvar {
    model_const_fn! {
        /// Creates a condition variable that nobody waits on.
        ///
        /// ```
        /// static CHANGED: lockwork::PiCondvar = lockwork::PiCondvar::new();
        /// static MUTEX: lockwork::PiMutex<()> = lockwork::PiMutex::new(());
        /// assert!(!CHANGED.notify_one(&MUTEX.lock()));
        /// ```
        #[must_use]
        pub const fn new() -> Self {
            Self { raw: raw::PiCondvar::new() }
        }
    }

    /// Lets the waiter of the highest priority go. Returns whether there was one. It is handed the
    /// mutex when it is its turn there, at the earliest when the guard is dropped.
    ///
    /// Costs one load if nobody waits.
    ///
    /// # Panics
    ///
    /// If there are waiters that wait with another mutex; or if the kernel has no memory for what
    /// it has to note, and then nobody was notified.
    ///
    /// ```
    /// use lockwork::{PiCondvar, PiMutex};
    ///
    /// let (jobs, pushed) = (PiMutex::new(vec![]), PiCondvar::new());
    /// let mut guard = jobs.lock();
    /// guard.push(1);
    /// assert!(!pushed.notify_one(&guard), "nobody waits");
    /// ```
    #[doc(alias("pthread_cond_signal", "notify"))]
    #[inline]
    #[track_caller]
    pub fn notify_one<T: ?Sized>(&self, guard: &PiMutexGuard<'_, T>) -> bool {
        // SAFETY: the guard stands for the ownership of the mutex.
        unsafe { self.raw.notify_one(guard.raw_mutex()) }
    }

    /// Lets all threads go that wait at this moment, one after the other by their priorities, as
    /// each is handed the mutex. Returns how many there were.
    ///
    /// # Panics
    ///
    /// As [`notify_one`](Self::notify_one).
    ///
    /// ```
    /// use lockwork::{PiCondvar, PiMutex};
    /// use std::thread;
    ///
    /// let (open, changed) = (PiMutex::new(false), PiCondvar::new());
    /// thread::scope(|s| {
    ///     for _ in 0..3 {
    ///         s.spawn(|| drop(changed.wait_while(open.lock(), |open| !*open)));
    ///     }
    ///     let mut guard = open.lock();
    ///     *guard = true;
    ///     changed.notify_all(&guard);
    /// });
    /// ```
    #[doc(alias("pthread_cond_broadcast", "notifyAll", "broadcast"))]
    #[inline]
    #[track_caller]
    pub fn notify_all<T: ?Sized>(&self, guard: &PiMutexGuard<'_, T>) -> usize {
        // SAFETY: the guard stands for the ownership of the mutex.
        unsafe { self.raw.notify_all(guard.raw_mutex()) }
    }

    /// Unlocks the mutex, sleeps until notified, and returns with the mutex locked again.
    ///
    /// # Panics
    ///
    /// If there are waiters with another mutex, and where [`wait_checked`](Self::wait_checked)
    /// returns an error.
    ///
    /// ```
    /// use lockwork::{PiCondvar, PiMutex};
    ///
    /// let (turn, changed) = (PiMutex::new(0), PiCondvar::new());
    /// std::thread::scope(|s| {
    ///     let turn_here = turn.lock();
    ///     s.spawn(|| {
    ///         let mut turn = turn.lock();
    ///         *turn = 1;
    ///         changed.notify_one(&turn);
    ///     });
    ///     let turn_here = changed.wait(turn_here);
    ///     assert_eq!(*turn_here, 1);
    /// });
    /// ```
    #[doc(alias = "pthread_cond_wait")]
    #[track_caller]
    pub fn wait<'a, T: ?Sized>(&self, guard: PiMutexGuard<'a, T>) -> PiMutexGuard<'a, T> {
        self.wait_checked(guard).unwrap_or_else(|error| refused(error))
    }

    /// As [`wait`](Self::wait), with an error where that panics for want of the mutex.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](PiError::OwnerDied), with the mutex lost; or, unlocked without having waited,
    /// [`Unsupported`](PiError::Unsupported), [`OutOfMemory`](PiError::OutOfMemory),
    /// [`NotPermitted`](PiError::NotPermitted).
    ///
    /// # Panics
    ///
    /// If there are waiters with another mutex.
    ///
    /// ```
    /// use lockwork::{PiCondvar, PiError, PiMutex};
    ///
    /// fn take(jobs: &PiMutex<Vec<u32>>, pushed: &PiCondvar) -> Result<u32, PiError> {
    ///     let mut guard = jobs.lock_checked()?;
    ///     loop {
    ///         match guard.pop() {
    ///             Some(job) => return Ok(job),
    ///             None => guard = pushed.wait_checked(guard)?,
    ///         }
    ///     }
    /// }
    ///
    /// let (jobs, pushed) = (PiMutex::new(vec![7]), PiCondvar::new());
    /// assert_eq!(take(&jobs, &pushed), Ok(7));
    /// ```
    #[track_caller]
    pub fn wait_checked<'a, T: ?Sized>(
        &self,
        guard: PiMutexGuard<'a, T>,
    ) -> Result<PiMutexGuard<'a, T>, PiError> {
        self.wait_until_checked(guard, Deadline::NEVER).map(|(guard, _)| guard)
    }

    /// As [`wait`](Self::wait), but for at most `timeout`; locking the mutex again may take longer.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// ```
    /// use lockwork::{PiCondvar, PiMutex};
    /// use std::time::Duration;
    ///
    /// let (mutex, changed) = (PiMutex::new(()), PiCondvar::new());
    /// let (_guard, result) = changed.wait_for(mutex.lock(), Duration::from_millis(1));
    /// assert!(result.timed_out());
    /// ```
    #[doc(alias = "wait_timeout")]
    #[track_caller]
    pub fn wait_for<'a, T: ?Sized>(
        &self,
        guard: PiMutexGuard<'a, T>,
        timeout: Duration,
    ) -> (PiMutexGuard<'a, T>, WaitTimeoutResult) {
        self.wait_until(guard, Deadline::after(timeout))
    }

    /// As [`wait`](Self::wait), but until `deadline` at the latest; locking the mutex again may
    /// take longer.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// ```
    /// use lockwork::{PiCondvar, PiMutex};
    /// use std::time::{Duration, Instant};
    ///
    /// let (mutex, changed) = (PiMutex::new(()), PiCondvar::new());
    /// let soon = Instant::now() + Duration::from_millis(1);
    /// assert!(changed.wait_until(mutex.lock(), soon).1.timed_out());
    /// ```
    #[doc(alias("pthread_cond_timedwait", "pthread_cond_clockwait"))]
    #[track_caller]
    pub fn wait_until<'a, T: ?Sized>(
        &self,
        guard: PiMutexGuard<'a, T>,
        deadline: impl Into<Deadline>,
    ) -> (PiMutexGuard<'a, T>, WaitTimeoutResult) {
        self.wait_until_checked(guard, deadline).unwrap_or_else(|error| refused(error))
    }

    /// As [`wait_until`](Self::wait_until), with an error where that panics for want of the mutex.
    ///
    /// # Errors
    ///
    /// As [`wait_checked`](Self::wait_checked). That the time was up is none.
    ///
    /// # Panics
    ///
    /// If there are waiters with another mutex.
    ///
    /// ```
    /// use lockwork::{Deadline, PiCondvar, PiError, PiMutex};
    ///
    /// let (mutex, changed) = (PiMutex::new(3), PiCondvar::new());
    /// let (guard, result) = changed.wait_until_checked(mutex.lock(), Deadline::now())?;
    /// assert!(*guard == 3 && result.timed_out());
    /// # Ok::<(), PiError>(())
    /// ```
    #[track_caller]
    pub fn wait_until_checked<'a, T: ?Sized>(
        &self,
        guard: PiMutexGuard<'a, T>,
        deadline: impl Into<Deadline>,
    ) -> Result<(PiMutexGuard<'a, T>, WaitTimeoutResult), PiError> {
        let deadline = deadline.into();
        // SAFETY: the guard stands for the ownership of the mutex, which is given back as it says.
        let waited = guard.suspended(|mutex| unsafe { self.raw.wait(mutex, deadline) })?;
        Ok((waited.0, WaitTimeoutResult::new(!waited.1)))
    }

    /// Waits as long as `condition` holds. It is called with the mutex locked, first at once.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait). If `condition` panics, the guard is dropped.
    ///
    /// ```
    /// use lockwork::{PiCondvar, PiMutex};
    ///
    /// let (jobs, changed) = (PiMutex::new(vec![1]), PiCondvar::new());
    /// let mut jobs = changed.wait_while(jobs.lock(), |jobs| jobs.is_empty());
    /// assert_eq!(jobs.pop(), Some(1));
    /// ```
    #[track_caller]
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        guard: PiMutexGuard<'a, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> PiMutexGuard<'a, T> {
        self.wait_while_until(guard, condition, Deadline::NEVER).0
    }

    /// As [`wait_while`](Self::wait_while), for at most `timeout` in all. The result says that the
    /// time was up *and* the condition still held.
    ///
    /// # Panics
    ///
    /// As [`wait_while`](Self::wait_while).
    ///
    /// ```
    /// use lockwork::{PiCondvar, PiMutex};
    /// use std::time::Duration;
    ///
    /// let (ready, changed) = (PiMutex::new(false), PiCondvar::new());
    /// let wait = Duration::from_millis(1);
    /// let (_ready, result) = changed.wait_while_for(ready.lock(), |ready| !*ready, wait);
    /// assert!(result.timed_out());
    /// ```
    #[doc(alias = "wait_timeout_while")]
    #[track_caller]
    pub fn wait_while_for<'a, T: ?Sized>(
        &self,
        guard: PiMutexGuard<'a, T>,
        condition: impl FnMut(&mut T) -> bool,
        timeout: Duration,
    ) -> (PiMutexGuard<'a, T>, WaitTimeoutResult) {
        self.wait_while_until(guard, condition, Deadline::after(timeout))
    }

    /// As [`wait_while`](Self::wait_while), until `deadline` at the latest. The result says that
    /// the time was up *and* the condition still held.
    ///
    /// # Panics
    ///
    /// As [`wait_while`](Self::wait_while).
    ///
    /// ```
    /// use lockwork::{Deadline, PiCondvar, PiMutex};
    ///
    /// let (ready, changed) = (PiMutex::new(true), PiCondvar::new());
    /// let result = changed.wait_while_until(ready.lock(), |ready| !*ready, Deadline::now()).1;
    /// assert!(!result.timed_out());
    /// ```
    #[track_caller]
    pub fn wait_while_until<'a, T: ?Sized>(
        &self,
        mut guard: PiMutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
        deadline: impl Into<Deadline>,
    ) -> (PiMutexGuard<'a, T>, WaitTimeoutResult) {
        let deadline = deadline.into();
        while condition(&mut guard) {
            let result;
            (guard, result) = self.wait_until(guard, deadline);
            if result.timed_out() {
                let still = condition(&mut guard);
                return (guard, WaitTimeoutResult::new(still));
            }
        }
        (guard, WaitTimeoutResult::new(false))
    }
}

impl Default for PiCondvar {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for PiCondvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PiCondvar").field("has_waiters", &self.raw.has_waiters()).finish()
    }
}
