//! `CondvarAny`.

use core::fmt;
use core::time::Duration;

use super::WaitTimeoutResult;
use super::suspend::{self, WaitGuard, sealed::Access};
#[cfg(feature = "alloc")]
use crate::cancel::{CancelToken, Cancelled};
use crate::primitive::{Deadline, model_const_fn};
use crate::raw;

/// A condition variable for any lock: lets a thread that holds one give it up and sleep until
/// another thread says that the guarded data has changed.
///
/// A [`Condvar`](crate::Condvar) waits with guards of a [`Mutex`](crate::Mutex). This one also
/// waits with those of [`FairMutex`](crate::FairMutex), [`SpinLock`](crate::SpinLock) and
/// [`ReentrantMutex`](crate::ReentrantMutex), and with those that read, write or may be upgraded of
/// [`RwLock`](crate::RwLock) and [`RecursiveRwLock`](crate::RecursiveRwLock): see [`WaitGuard`].
/// After the wait the guard stands for what it stood for before.
///
/// Sixteen bytes, no allocation; as with [`Condvar`](crate::Condvar) there are **no spurious
/// wake-ups**, `notify_*` says exactly how many it let go, and a waiter that timed out took
/// nobody's notification.
///
/// # Who must hold what
///
/// A waiter looks at the data and begins to wait under its guard. Whoever makes the condition true
/// must do so under a guard that keeps the waiters' guards out; otherwise the change and the
/// notification may fall between the look and the wait, and the waiter sleeps on. So what readers
/// wait for is changed by a writer. The notification may come after the unlock.
///
/// # Several locks
///
/// Different waiters may use different locks, and the same lock in different ways; none of them is
/// held up by a lock that it does not use. A `notify_*` counts all of them.
///
/// # Nested locks
///
/// A wait with a guard of a [`ReentrantMutex`](crate::ReentrantMutex) panics if its thread has the
/// mutex more than once: the other guards would keep it locked for as long as the wait lasts, and
/// nobody could change what it waits for. (They cannot be given up too: references to the data may
/// exist that borrow from them.) Of a [`RecursiveRwLock`](crate::RecursiveRwLock) that its thread
/// reads several times, a wait gives up one; as long as there are others, no writer comes.
///
/// # Fairness
///
/// Notifications go to waiters in the order in which they began to wait. Who gets the lock then is
/// up to the lock.
///
/// [`notify_all`](Self::notify_all) lets go, of those who wait for the same lock in the same way,
/// up to 64 together if the lock can be had at this moment, and else two. One of them sees to the
/// others: at once if the lock can be had by then, else as soon as it has it itself. Then those of
/// a mutex move to its queue, where each is woken when it can have it; of those of other locks, the
/// next few are let go. So readers go together, and writers do not crowd. Under real-time
/// priorities, a thread of low priority can hold up those behind it.
///
/// # Memory ordering
///
/// The condition variable itself orders nothing; the locks do.
///
/// # Panics
///
/// A condition that panics leaves its guard locked, to be used or dropped. The process is aborted
/// if a reader cannot lock again because there are as many readers as the lock can count.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork`, waiters of the parent do not exist; the condition variable is as new. A
/// signal ends no wait. Not for signal handlers. It allocates nothing and uses no thread-local.
///
/// # Differences
///
/// Neither `std` nor `parking_lot` has one. From C++'s `condition_variable_any`: no mutex and no
/// allocation inside, no spurious wake-ups, and a recursive mutex that is locked twice is refused.
/// From `java.util.concurrent`'s `Condition`: one that is held several times is not released as
/// often, but refused; one condition serves several locks; readers may wait.
///
/// From [`Condvar`](crate::Condvar): there is no `notify_*_held`.
///
/// # Examples
///
/// Readers wait until a writer has loaded what they are to read:
///
/// ```
/// use lockwork::{CondvarAny, RwLock};
/// use std::thread;
///
/// let (config, loaded) = (RwLock::new(None), CondvarAny::new());
/// thread::scope(|s| {
///     for _ in 0..2 {
///         s.spawn(|| {
///             let mut config = config.read();
///             loaded.wait_while(&mut config, |config| config.is_none());
///             assert_eq!(*config, Some("fast")); // both may be here at once
///         });
///     }
///     *config.write() = Some("fast");
///     loaded.notify_all();
/// });
/// ```
///
/// Guards of a part of the data cannot wait:
///
/// ```compile_fail,E0277
/// use lockwork::{CondvarAny, Mutex, MutexGuard};
///
/// let pair = Mutex::new((1, 2));
/// let mut part = MutexGuard::map(pair.lock(), |pair| &mut pair.1);
/// CondvarAny::new().wait(&mut part);
/// ```
#[doc(alias("condition_variable_any", "Condition", "monitor", "signal", "cond"))]
#[derive(Default)]
pub struct CondvarAny {
    raw: raw::Condvar,
}

impl CondvarAny {
    model_const_fn! {
        /// Creates a condition variable that nobody waits on.
        ///
        /// ```
        /// static CHANGED: lockwork::CondvarAny = lockwork::CondvarAny::new();
        /// assert!(!CHANGED.notify_one());
        /// ```
        #[must_use]
        pub const fn new() -> Self {
            Self { raw: raw::Condvar::new() }
        }
    }

    /// Lets the waiter that has waited longest go, whichever lock it uses. Returns whether there
    /// was one.
    ///
    /// Costs one load if there is none. The caller need not hold the lock, but must have held it
    /// when it changed what the waiter waits for: see [above](Self#who-must-hold-what).
    ///
    /// ```
    /// let changed = lockwork::CondvarAny::new();
    /// assert!(!changed.notify_one(), "nobody waits");
    /// ```
    #[doc(alias("notify", "signal"))]
    #[inline]
    pub fn notify_one(&self) -> bool {
        self.raw.notify_one()
    }

    /// Lets all threads go that wait at this moment. Returns how many there were.
    ///
    /// ```
    /// let changed = lockwork::CondvarAny::new();
    /// assert_eq!(changed.notify_all(), 0);
    /// ```
    #[doc(alias("notifyAll", "signalAll", "broadcast"))]
    #[inline]
    pub fn notify_all(&self) -> usize {
        self.raw.notify_all()
    }

    /// Unlocks, sleeps until notified, and locks again in the same way.
    ///
    /// # Panics
    ///
    /// If the guard is one of several that this thread has of a
    /// [`ReentrantMutex`](crate::ReentrantMutex). So do the other waits.
    ///
    /// ```
    /// use lockwork::{CondvarAny, FairMutex};
    ///
    /// let (turn, changed) = (FairMutex::new(0), CondvarAny::new());
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
    #[doc(alias = "await")]
    #[track_caller]
    pub fn wait<G: WaitGuard>(&self, guard: &mut G) {
        let notified = suspend::wait(&self.raw, guard, Deadline::NEVER);
        debug_assert!(notified, "a wait without a deadline timed out");
    }

    /// As [`wait`](Self::wait), but for at most `timeout`; locking again may take longer.
    ///
    /// ```
    /// use lockwork::{CondvarAny, RwLock};
    /// use std::time::Duration;
    ///
    /// let (lock, changed) = (RwLock::new(()), CondvarAny::new());
    /// let result = changed.wait_for(&mut lock.upgradable_read(), Duration::from_millis(1));
    /// assert!(result.timed_out());
    /// ```
    #[doc(alias("wait_timeout", "awaitNanos"))]
    #[track_caller]
    pub fn wait_for<G: WaitGuard>(&self, guard: &mut G, timeout: Duration) -> WaitTimeoutResult {
        self.wait_until(guard, Deadline::after(timeout))
    }

    /// As [`wait`](Self::wait), but until `deadline` at the latest, an `Instant` or a [`Deadline`];
    /// locking again may take longer.
    ///
    /// ```
    /// use lockwork::{CondvarAny, RwLock};
    /// use std::time::{Duration, Instant};
    ///
    /// let (lock, changed) = (RwLock::new(()), CondvarAny::new());
    /// let soon = Instant::now() + Duration::from_millis(1);
    /// assert!(changed.wait_until(&mut lock.write(), soon).timed_out());
    /// ```
    #[doc(alias = "awaitUntil")]
    #[track_caller]
    pub fn wait_until<G: WaitGuard>(
        &self,
        guard: &mut G,
        deadline: impl Into<Deadline>,
    ) -> WaitTimeoutResult {
        WaitTimeoutResult::new(!suspend::wait(&self.raw, guard, deadline.into()))
    }

    /// Waits as long as `condition` holds. It is called under the lock, first at once, with what
    /// the guard gives out: `&mut T` for a guard that writes, and else `&T`.
    ///
    /// If `condition` panics, the guard is as usable as before.
    ///
    /// ```
    /// use lockwork::{CondvarAny, FairMutex, RwLock};
    ///
    /// let (jobs, changed) = (FairMutex::new(vec![1]), CondvarAny::new());
    /// let mut job = None;
    /// changed.wait_while(&mut jobs.lock(), |jobs| {
    ///     job = jobs.pop(); // this guard writes
    ///     job.is_none()
    /// });
    /// assert_eq!(job, Some(1));
    ///
    /// let ready = RwLock::new(true);
    /// changed.wait_while(&mut ready.read(), |ready| !*ready);
    /// ```
    #[track_caller]
    pub fn wait_while<G: WaitGuard>(
        &self,
        guard: &mut G,
        condition: impl FnMut(<G as Access<'_>>::Data) -> bool,
    ) {
        let result = suspend::wait_while(&self.raw, guard, condition, Deadline::NEVER);
        debug_assert!(!result.timed_out(), "a wait without a deadline timed out");
    }

    /// As [`wait_while`](Self::wait_while), for at most `timeout` in all. The result says that the
    /// time was up *and* the condition still held.
    ///
    /// ```
    /// use lockwork::{CondvarAny, RwLock};
    /// use std::time::Duration;
    ///
    /// let (ready, changed) = (RwLock::new(false), CondvarAny::new());
    /// let wait = Duration::from_millis(1);
    /// let result = changed.wait_while_for(&mut ready.read(), |ready| !*ready, wait);
    /// assert!(result.timed_out());
    /// ```
    #[doc(alias = "wait_timeout_while")]
    #[track_caller]
    pub fn wait_while_for<G: WaitGuard>(
        &self,
        guard: &mut G,
        condition: impl FnMut(<G as Access<'_>>::Data) -> bool,
        timeout: Duration,
    ) -> WaitTimeoutResult {
        suspend::wait_while(&self.raw, guard, condition, Deadline::after(timeout))
    }

    /// As [`wait_while`](Self::wait_while), until `deadline` at the latest, an `Instant` or a
    /// [`Deadline`]. The result says that the time was up *and* the condition still held.
    ///
    /// ```
    /// use lockwork::{CondvarAny, Deadline, RwLock};
    ///
    /// let (ready, changed) = (RwLock::new(true), CondvarAny::new());
    /// let result = changed.wait_while_until(&mut ready.write(), |ready| !*ready, Deadline::now());
    /// assert!(!result.timed_out());
    /// ```
    #[track_caller]
    pub fn wait_while_until<G: WaitGuard>(
        &self,
        guard: &mut G,
        condition: impl FnMut(<G as Access<'_>>::Data) -> bool,
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
    /// use lockwork::{CondvarAny, Mutex, cancel::{CancelToken, Cancelled}};
    /// use std::time::Duration;
    ///
    /// let (mutex, changed) = (Mutex::new(()), CondvarAny::new());
    /// let token = CancelToken::with_timeout(Duration::from_millis(1));
    /// assert_eq!(changed.wait_cancellable(&mut mutex.lock(), &token), Err(Cancelled));
    /// ```
    #[cfg(feature = "alloc")]
    #[doc(alias("condition_variable_any::wait", "awaitInterruptibly"))]
    #[track_caller]
    pub fn wait_cancellable<G: WaitGuard>(
        &self,
        guard: &mut G,
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
    /// use lockwork::{CondvarAny, Mutex, cancel::CancelToken};
    ///
    /// let (jobs, changed, token) = (Mutex::new(vec![1]), CondvarAny::new(), CancelToken::new());
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
    pub fn wait_while_cancellable<G: WaitGuard>(
        &self,
        guard: &mut G,
        condition: impl FnMut(<G as Access<'_>>::Data) -> bool,
        token: &CancelToken,
    ) -> Result<(), Cancelled> {
        suspend::wait_while_cancellable(&self.raw, guard, condition, token)
    }
}

impl fmt::Debug for CondvarAny {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CondvarAny").field("has_waiters", &self.raw.has_waiters()).finish()
    }
}
