//! `PiMutex` and its guards.

use alloc::sync::Arc;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::time::Duration;

use super::exclusive::{arc_guard_methods, guard_methods, lock_data_methods, mapped_guard_methods};
use crate::primitive::{Deadline, PiError, Tracked, UnsafeCell};
use crate::raw;

/// A mutual exclusion lock with priority inheritance: while a thread has it, it runs at the
/// priority of the most urgent thread that waits for it.
///
/// For real-time threads (`SCHED_FIFO`, `SCHED_RR`, see [`rt`](crate::rt)). With any other lock, a
/// thread of low priority that has it may be kept from the processor by threads of middling
/// priority, and with it, for as long as those like, the most urgent thread of all, which waits for
/// the lock. With this one, it is the owner that runs: how long the urgent thread waits depends on
/// the section alone. That holds along chains, where the owner waits for another such lock itself.
///
/// Eight bytes around the data: the kernel's word, and one that says whether an owner died. Locking
/// is one atomic exchange when nobody is in the way, and so is unlocking. With waiters each is a
/// call of the kernel, and each unlock switches threads: **among threads without real-time
/// priorities, a [`Mutex`](crate::Mutex) has several times the throughput**, and there this lock
/// has nothing to give in exchange.
///
/// To wait for a condition on the data, add a [`PiCondvar`](crate::PiCondvar).
///
/// # Semaphores have no priority inheritance
///
/// Nobody owns a permit: whoever waits for one cannot know who will release it, so there is no
/// thread to lend a priority to. The same holds for events, latches and queues. Where real-time
/// threads have to wait for a place or for work, guard the count, or the queue, with a `PiMutex`
/// and wait with a [`PiCondvar`](crate::PiCondvar#a-bounded-buffer): threads in a section inherit,
/// and those that wait are served by priority.
///
/// # Fairness
///
/// Each unlock hands the lock to the waiter with the highest priority, and of those with the same
/// one to the first who came; threads without real-time priority come last, in the order in which
/// they came. Nobody gets in between. A thread of low priority may thus wait for ever, which is
/// what priorities say.
///
/// If the priority of a waiting thread is changed, it is served, and lends, by the new one.
///
/// # Memory ordering
///
/// Everything done before an unlock happens before everything done after the next lock.
///
/// # Deadlocks
///
/// The kernel knows who waits for whom. A thread that locks what it has already, or that would
/// close a circle of threads which wait for each other's `PiMutex`es, is told instead of blocked:
/// [`lock`](Self::lock) panics, the others return [`PiError::Deadlock`]. Other kinds of locks in
/// the circle are not seen.
///
/// # Owners that die
///
/// A thread can end without giving the lock back only if it forgets its guard. Then nobody gets the
/// lock any more, as what the guard gave out may be borrowed for ever: [`lock`](Self::lock) panics,
/// the others return [`PiError::OwnerDied`], those that wait at that moment too. The data can be
/// had by [`get_mut`](Self::get_mut) and [`into_inner`](Self::into_inner). (Until the first thread
/// asks the kernel, the lock looks taken; should the kernel give the dead thread's id to another
/// one before, waiters wait for that one.)
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork`, a mutex that was free works. One that the forking thread held is held by
/// the child's thread: the guard is there, in both processes, and each unlocks its own copy; before
/// it does, other threads of the child that lock are told [`PiError::NotPermitted`], and so is, for
/// good, who locks what another thread of the parent held. Clones that share the memory (`vfork`)
/// must not use it.
///
/// A signal neither ends a wait nor moves its limit. A handler must not wait for a mutex: if it
/// interrupted the owner it is told [`PiError::Deadlock`]. It may [`try_lock`](Self::try_lock), and
/// unlock what it got; `errno` stays what it was.
///
/// The lock is released when the guard is dropped, during unwinding too, and is not poisoned. A
/// closure that panics inside [`PiMutexGuard::map`] drops the guard; inside
/// [`PiMutexGuard::unlocked`], the lock is taken again first. Where that cannot be, as it would
/// deadlock or an owner died meanwhile, the process ends with a message: the guard is owed the
/// lock.
///
/// Nothing is allocated. What says which thread it is, a thread-local, has no destructor, so the
/// lock works in those of others.
///
/// # Differences
///
/// From `std::sync::Mutex` and `parking_lot::Mutex`, which have no priority inheritance:
/// [`try_lock`](Self::try_lock) and its kin return a `Result` that says why not, and
/// [`lock`](Self::lock) may panic. From `pthread_mutex_t` with `PTHREAD_PRIO_INHERIT`: 8 bytes
/// instead of 40, constants need no initialization at run time; deadlocks and dead owners are
/// reported, where the GNU C library's default kind blocks for ever; limits are on
/// `CLOCK_MONOTONIC`; a thread's id is known anew after a fork. There are no priority ceilings, and
/// it is not shared between processes.
///
/// # Platforms
///
/// A kernel with `CONFIG_FUTEX_PI`, as all distributions have it; else a lock that is taken is
/// [`PiError::Unsupported`]. (A guard that gave it up for a while has it again all the same: such a
/// thread looks again and again, and sleeps in between. So it does where there is no memory for the
/// kernel's half.) Before Linux 5.14 the kernel takes limits by the clock of the day: one
/// that is set back while a thread waits makes it wait longer.
///
/// # Examples
///
/// ```
/// use lockwork::{PiError, PiMutex};
/// use std::time::Duration;
///
/// static SPEED: PiMutex<f64> = PiMutex::new(0.0);
///
/// // A control loop would rather skip a step than be late.
/// match SPEED.try_lock_for(Duration::from_micros(500)) {
///     Ok(mut speed) => *speed += 0.1,
///     Err(PiError::TimedOut) => {}
///     Err(error) => panic!("{error}"),
/// }
/// ```
///
/// Data that must not leave its thread cannot be shared by a mutex:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::PiMutex::new(std::rc::Rc::new(0)));
/// ```
#[doc(alias("PTHREAD_PRIO_INHERIT", "priority inheritance", "rt_mutex", "FUTEX_LOCK_PI"))]
#[doc(alias("pi_mutex", "real-time mutex", "priority inversion", "xSemaphoreCreateMutex"))]
pub struct PiMutex<T: ?Sized> {
    raw: raw::PiMutex,
    data: UnsafeCell<T>,
}

// SAFETY: moving the mutex moves the data.
unsafe impl<T: ?Sized + Send> Send for PiMutex<T> {}
// SAFETY: a shared mutex hands its data from thread to thread, one at a time, so the data must be
// `Send`; it is never reached by two at once, so it need not be `Sync`.
unsafe impl<T: ?Sized + Send> Sync for PiMutex<T> {}

lock_data_methods! { lock: PiMutex, raw: raw::PiMutex }

impl<T: ?Sized> PiMutex<T> {
    /// Takes the lock, sleeping until it is free and lending its owner the priority of this thread.
    ///
    /// # Panics
    ///
    /// Where [`lock_checked`](Self::lock_checked) returns an error, with what that says: above all
    /// if the thread has the lock already.
    ///
    /// ```
    /// let mutex = lockwork::PiMutex::new(vec![1, 2]);
    /// let list = mutex.lock();
    /// assert_eq!(list.len(), 2);
    /// ```
    #[doc(alias("pthread_mutex_lock"))]
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> PiMutexGuard<'_, T> {
        self.lock_checked().unwrap_or_else(|error| refused(error))
    }

    /// As [`lock`](Self::lock), with an error where that panics.
    ///
    /// # Errors
    ///
    /// [`Deadlock`](PiError::Deadlock), [`OwnerDied`](PiError::OwnerDied),
    /// [`NotPermitted`](PiError::NotPermitted), [`OutOfMemory`](PiError::OutOfMemory) or
    /// [`Unsupported`](PiError::Unsupported). The calling thread does not have the lock then.
    ///
    /// ```
    /// use lockwork::{PiError, PiMutex};
    ///
    /// let mutex = PiMutex::new(());
    /// let _held = mutex.lock_checked()?;
    /// assert_eq!(mutex.lock_checked().unwrap_err(), PiError::Deadlock);
    /// # Ok::<(), PiError>(())
    /// ```
    #[doc(alias("EDEADLK", "EOWNERDEAD"))]
    #[inline]
    pub fn lock_checked(&self) -> Result<PiMutexGuard<'_, T>, PiError> {
        self.raw.lock_checked()?;
        // SAFETY: just locked.
        Ok(unsafe { PiMutexGuard::new(self) })
    }

    /// Takes the lock if it is free at this moment. Never enters the kernel to get it.
    ///
    /// # Errors
    ///
    /// [`Taken`](PiError::Taken) if another thread has it, also if that is dead and nobody has
    /// asked the kernel yet; [`Deadlock`](PiError::Deadlock) if the calling thread has it;
    /// [`OwnerDied`](PiError::OwnerDied).
    ///
    /// ```
    /// use lockwork::{PiError, PiMutex};
    ///
    /// let mutex = PiMutex::new(5);
    /// let held = mutex.try_lock()?;
    /// std::thread::scope(|s| {
    ///     s.spawn(|| assert_eq!(mutex.try_lock().unwrap_err(), PiError::Taken));
    /// });
    /// assert_eq!(*held, 5);
    /// # Ok::<(), PiError>(())
    /// ```
    #[doc(alias("pthread_mutex_trylock"))]
    #[inline]
    pub fn try_lock(&self) -> Result<PiMutexGuard<'_, T>, PiError> {
        self.raw.try_lock()?;
        // SAFETY: just locked.
        Ok(unsafe { PiMutexGuard::new(self) })
    }

    /// Takes the lock, waiting at most `timeout`, and lending priority meanwhile. A time-out too
    /// long to represent means no limit.
    ///
    /// Where both share a processor, the owner runs at the priority of this thread, and before it,
    /// until it unlocks or sleeps. If the limit passes meanwhile, this thread learns of it then; if
    /// that was by an unlock, it has the lock after all.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PiError::TimedOut), or what [`lock_checked`](Self::lock_checked) returns. It is
    /// tried at least once, also with a time-out of zero.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mutex = lockwork::PiMutex::new(5);
    /// assert!(mutex.try_lock_for(Duration::from_millis(1)).is_ok());
    /// ```
    #[inline]
    pub fn try_lock_for(&self, timeout: Duration) -> Result<PiMutexGuard<'_, T>, PiError> {
        self.try_lock().or_else(|error| self.lock_after(error, || Deadline::after(timeout)))
    }

    /// As [`try_lock_for`](Self::try_lock_for), until a moment.
    ///
    /// # Errors
    ///
    /// As [`try_lock_for`](Self::try_lock_for).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let mutex = lockwork::PiMutex::new(5);
    /// let soon = Instant::now() + Duration::from_millis(1);
    /// assert!(mutex.try_lock_until(soon).is_ok());
    /// ```
    #[doc(alias("pthread_mutex_timedlock", "pthread_mutex_clocklock"))]
    #[inline]
    pub fn try_lock_until(
        &self,
        deadline: impl Into<Deadline>,
    ) -> Result<PiMutexGuard<'_, T>, PiError> {
        self.try_lock().or_else(|error| self.lock_after(error, || deadline.into()))
    }

    /// Waits until a deadline if a try was in vain only because of another owner.
    fn lock_after(
        &self,
        error: PiError,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<PiMutexGuard<'_, T>, PiError> {
        self.raw.lock_after(error, deadline)?;
        // SAFETY: just locked.
        Ok(unsafe { PiMutexGuard::new(self) })
    }

    /// As [`lock`](Self::lock), with a guard that owns a reference count instead of borrowing.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let guard = Arc::new(lockwork::PiMutex::new("kept")).lock_arc();
    /// assert_eq!(*guard, "kept"); // the mutex lives as long as its guard
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock_arc(self: &Arc<Self>) -> ArcPiMutexGuard<T> {
        self.lock_arc_checked().unwrap_or_else(|error| refused(error))
    }

    /// As [`lock_checked`](Self::lock_checked), with a guard that owns a reference count.
    ///
    /// # Errors
    ///
    /// As [`lock_checked`](Self::lock_checked).
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let mutex = Arc::new(lockwork::PiMutex::new(5));
    /// let _held = mutex.lock_arc_checked()?;
    /// assert!(mutex.lock_arc_checked().is_err());
    /// # Ok::<(), lockwork::PiError>(())
    /// ```
    #[inline]
    pub fn lock_arc_checked(self: &Arc<Self>) -> Result<ArcPiMutexGuard<T>, PiError> {
        self.raw.lock_checked()?;
        // SAFETY: just locked.
        Ok(unsafe { ArcPiMutexGuard::new(self.clone()) })
    }

    /// As [`try_lock`](Self::try_lock), with a guard that owns a reference count.
    ///
    /// # Errors
    ///
    /// As [`try_lock`](Self::try_lock).
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let mutex = Arc::new(lockwork::PiMutex::new(5));
    /// assert!(mutex.try_lock_arc().is_ok());
    /// ```
    #[inline]
    pub fn try_lock_arc(self: &Arc<Self>) -> Result<ArcPiMutexGuard<T>, PiError> {
        self.raw.try_lock()?;
        // SAFETY: just locked.
        Ok(unsafe { ArcPiMutexGuard::new(self.clone()) })
    }

    /// As [`try_lock_for`](Self::try_lock_for), with a guard that owns a reference count.
    ///
    /// # Errors
    ///
    /// As [`try_lock_for`](Self::try_lock_for).
    ///
    /// ```
    /// use std::{sync::Arc, time::Duration};
    ///
    /// let mutex = Arc::new(lockwork::PiMutex::new(5));
    /// assert!(mutex.try_lock_arc_for(Duration::from_secs(1)).is_ok());
    /// ```
    #[inline]
    pub fn try_lock_arc_for(
        self: &Arc<Self>,
        timeout: Duration,
    ) -> Result<ArcPiMutexGuard<T>, PiError> {
        self.try_lock_arc().or_else(|error| self.lock_arc_after(error, || Deadline::after(timeout)))
    }

    /// As [`try_lock_until`](Self::try_lock_until), with a guard that owns a reference count.
    ///
    /// # Errors
    ///
    /// As [`try_lock_for`](Self::try_lock_for).
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let mutex = Arc::new(lockwork::PiMutex::new(5));
    /// assert!(mutex.try_lock_arc_until(lockwork::Deadline::now()).is_ok());
    /// ```
    #[inline]
    pub fn try_lock_arc_until(
        self: &Arc<Self>,
        deadline: impl Into<Deadline>,
    ) -> Result<ArcPiMutexGuard<T>, PiError> {
        self.try_lock_arc().or_else(|error| self.lock_arc_after(error, || deadline.into()))
    }

    fn lock_arc_after(
        self: &Arc<Self>,
        error: PiError,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<ArcPiMutexGuard<T>, PiError> {
        self.raw.lock_after(error, deadline)?;
        // SAFETY: just locked.
        Ok(unsafe { ArcPiMutexGuard::new(self.clone()) })
    }
}

#[cold]
#[inline(never)]
#[track_caller]
pub(super) fn refused(error: PiError) -> ! {
    panic!("a `PiMutex` cannot be locked: {error}")
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for PiMutex<T> {
    /// Shows the data if the lock can be had at this moment, and why not otherwise.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("PiMutex");
        match self.try_lock() {
            Ok(guard) => out.field("data", &&*guard).finish(),
            Err(PiError::OwnerDied) => out.field("data", &format_args!("<owner died>")).finish(),
            Err(_) => out.field("data", &format_args!("<locked>")).finish(),
        }
    }
}

/// The proof that a [`PiMutex`] is locked, and the way to its data. Dropping it unlocks, and hands
/// the lock to the most urgent of the threads that wait for it.
///
/// ```
/// let mutex = lockwork::PiMutex::new(vec![1]);
/// mutex.lock().push(2);
/// assert_eq!(mutex.into_inner(), [1, 2]);
/// ```
///
/// It stays with the thread that locked, whose id the lock has:
///
/// ```compile_fail,E0277
/// let mutex = lockwork::PiMutex::new(0);
/// let guard = mutex.lock();
/// std::thread::scope(|s| s.spawn(move || drop(guard)));
/// ```
///
/// and is shared by reference only if the data may be:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: &T) {}
/// let mutex = lockwork::PiMutex::new(std::cell::Cell::new(0));
/// shared(&mutex.lock());
/// ```
#[must_use = "if unused the mutex is unlocked again at once"]
pub struct PiMutexGuard<'a, T: ?Sized> {
    mutex: &'a PiMutex<T>,
    track: Tracked,
    /// Not `Send`: a thread that locks is the one that unlocks.
    stays: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out shared references to the data, which needs `Sync`, and to the
// mutex, which is shared only if the data is `Send`.
unsafe impl<T: ?Sized + Send + Sync> Sync for PiMutexGuard<'_, T> {}

guard_methods! {
    lock: PiMutex,
    guard: PiMutexGuard,
    mapped: MappedPiMutexGuard,
    raw: raw::PiMutex,
    unlock: unlock,
    relock: relock,
    way: raw::Inheriting,
    track: track_mut,
    access: [mut],
    whole: mutex,
    levels: {
        ///
        /// "A thread that sleeps" is here the most urgent one, and it is so with every unlock of a
        /// [`PiMutex`].
    },
}

impl<'a, T: ?Sized> PiMutexGuard<'a, T> {
    pub(super) fn raw_mutex(&self) -> &'a raw::PiMutex {
        &self.mutex.raw
    }

    /// What `wait` does with the lock that the guard stands for; the guard again, unless `wait`
    /// says that it does not stand for it any more.
    pub(super) fn suspended<R>(
        mut self,
        wait: impl FnOnce(&raw::PiMutex) -> Result<R, raw::Lost>,
    ) -> Result<(Self, R), PiError> {
        self.track.end();
        // If `wait` panics, the guard stands for the lock still.
        match wait(&self.mutex.raw) {
            Ok(result) => {
                self.track = self.mutex.data.track_mut();
                Ok((self, result))
            }
            Err(raw::Lost { error, owned: true }) => Err(error),
            Err(raw::Lost { error, owned: false }) => {
                let _ = self.into_parts();
                Err(error)
            }
        }
    }
}

/// The proof that a [`PiMutex`] is locked, and the way to a part of its data. Dropping it unlocks.
///
/// Made by [`PiMutexGuard::map`].
///
/// ```
/// use lockwork::{MappedPiMutexGuard, PiMutex, PiMutexGuard};
///
/// fn first(pair: &PiMutex<(u8, u8)>) -> MappedPiMutexGuard<'_, u8> {
///     PiMutexGuard::map(pair.lock(), |pair| &mut pair.0)
/// }
///
/// let pair = PiMutex::new((1, 2));
/// *first(&pair) = 10;
/// assert_eq!(*pair.lock(), (10, 2));
/// ```
#[must_use = "if unused the mutex is unlocked again at once"]
pub struct MappedPiMutexGuard<'a, T: ?Sized> {
    raw: &'a raw::PiMutex,
    data: NonNull<T>,
    track: Tracked,
    /// Invariant in `T`, as a mutable reference is; `NonNull` keeps it from being `Send`.
    part: PhantomData<&'a mut T>,
}

// SAFETY: a shared guard gives out shared references to the part, and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedPiMutexGuard<'_, T> {}

mapped_guard_methods! {
    lock: PiMutex,
    guard: PiMutexGuard,
    mapped: MappedPiMutexGuard,
    raw: raw::PiMutex,
    unlock: unlock,
    access: [mut],
    levels: {},
}

/// The proof that a [`PiMutex`] is locked, by an [`Arc`] instead of a borrow. Dropping it unlocks,
/// and gives the reference count up.
///
/// Made by [`PiMutex::lock_arc`].
///
/// ```
/// use lockwork::PiMutex;
/// use std::sync::Arc;
///
/// let mutex = Arc::new(PiMutex::new(1));
/// *mutex.lock_arc() += 1;
/// assert_eq!(*mutex.lock(), 2);
/// ```
#[must_use = "if unused the mutex is unlocked again at once"]
pub struct ArcPiMutexGuard<T: ?Sized> {
    mutex: Arc<PiMutex<T>>,
    track: Tracked,
    /// Not `Send`: a thread that locks is the one that unlocks.
    stays: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out shared references to the data, which needs `Sync`, and to the
// `Arc` of the mutex, which needs `Send`, as another thread may drop it last.
unsafe impl<T: ?Sized + Send + Sync> Sync for ArcPiMutexGuard<T> {}

arc_guard_methods! {
    lock: PiMutex,
    arc: ArcPiMutexGuard,
    raw: raw::PiMutex,
    unlock: unlock,
    relock: relock,
    way: raw::Inheriting,
    track: track_mut,
    access: [mut],
    whole: mutex,
    levels: {},
}
