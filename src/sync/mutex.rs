//! `Mutex` and its guards.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};
use core::time::Duration;

use crate::primitive::{Deadline, Tracked, UnsafeCell, model_const_fn};
use crate::raw;

/// A mutual exclusion lock of four bytes around the data it guards.
///
/// Locking is one atomic exchange when nobody is in the way, and so is unlocking; neither enters
/// the kernel then. A thread that finds the lock taken polls for a moment and then sleeps in the
/// kernel. There is no global state and no allocation, so the lock may guard a global allocator,
/// and one that is free when a process forks works in the child.
///
/// The constructor is `const`: a `static` needs no lazy initialization.
///
/// Use [`Mutex`] for data that threads of one process share. To wait for a condition on the data,
/// add a [`Condvar`](crate::Condvar).
///
/// # Fairness
///
/// None is promised: a thread that arrives while a sleeper is being woken may take the lock first.
///
/// # Memory ordering
///
/// Everything done before an unlock happens before everything done after the next lock.
///
/// # Panics in a critical section
///
/// The lock is released when the guard is dropped, during unwinding too, and is not poisoned: what
/// the panicking thread left half done is what the next owner finds.
///
/// # Deadlocks
///
/// Locking a mutex that the same thread holds blocks for ever.
///
/// # Fork and signals
///
/// In a child of `fork`, a mutex that another thread held stays locked for ever, as that thread
/// does not exist there. Locking inside a signal handler may find the interrupted code as the
/// owner.
///
/// # Differences
///
/// From `std::sync::Mutex`: no poisoning, timed locking, mapped guards. From `parking_lot::Mutex`:
/// four bytes instead of one, and no parking lot behind them.
///
/// # Examples
///
/// ```
/// use lockwork::Mutex;
/// use std::thread;
///
/// static HITS: Mutex<u64> = Mutex::new(0);
///
/// thread::scope(|s| {
///     for _ in 0..4 {
///         s.spawn(|| {
///             for _ in 0..1000 {
///                 *HITS.lock() += 1;
///             }
///         });
///     }
/// });
/// assert_eq!(*HITS.lock(), 4000);
/// ```
///
/// Data that must not leave its thread cannot be shared by a mutex:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::Mutex::new(std::rc::Rc::new(0)));
/// ```
///
/// A `Cell` may: only one thread at a time gets at it.
///
/// ```
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::Mutex::new(std::cell::Cell::new(0)));
/// ```
#[doc(alias("pthread_mutex_t", "pthread_mutex_lock", "CRITICAL_SECTION", "SRWLOCK"))]
#[doc(alias("std::mutex", "lock_guard", "synchronized", "ReentrantLock", "futex"))]
pub struct Mutex<T: ?Sized> {
    raw: raw::Mutex,
    data: UnsafeCell<T>,
}

// SAFETY: moving the mutex moves the data.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: a shared mutex hands its data from thread to thread, one at a time, so the data must be
// `Send`; it is never reached by two at once, so it need not be `Sync`.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    model_const_fn! {
        /// Creates a free mutex around `value`.
        ///
        /// ```
        /// static LOG: lockwork::Mutex<Vec<String>> = lockwork::Mutex::new(Vec::new());
        /// LOG.lock().push("started".into());
        /// ```
        #[must_use]
        pub const fn new(value: T) -> Self {
            Self { raw: raw::Mutex::new(), data: UnsafeCell::new(value) }
        }
    }

    /// Takes the data out of a mutex that nobody else can reach.
    ///
    /// ```
    /// assert_eq!(lockwork::Mutex::new(7).into_inner(), 7);
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Takes the lock, sleeping until it is free.
    ///
    /// ```
    /// let mutex = lockwork::Mutex::new(1);
    /// *mutex.lock() += 1;
    /// assert_eq!(*mutex.lock(), 2);
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.raw.lock();
        // SAFETY: just locked.
        unsafe { MutexGuard::new(self) }
    }

    /// Takes the lock if it is free at this moment.
    ///
    /// # Errors
    ///
    /// `None` if the lock is taken, whoever has it.
    ///
    /// ```
    /// let mutex = lockwork::Mutex::new(());
    /// let held = mutex.try_lock().expect("nobody else is here");
    /// assert!(mutex.try_lock().is_none());
    /// # drop(held);
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        // SAFETY: locked if it says so.
        self.raw.try_lock().then(|| unsafe { MutexGuard::new(self) })
    }

    /// Takes the lock, waiting at most `timeout`. A time-out too long to represent means no limit.
    ///
    /// # Errors
    ///
    /// `None` if the lock could not be taken in time. It is tried at least once, also with a
    /// time-out of zero.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mutex = lockwork::Mutex::new(());
    /// let held = mutex.lock();
    /// assert!(mutex.try_lock_for(Duration::from_millis(1)).is_none());
    /// # drop(held);
    /// ```
    #[doc(alias("lock_timeout", "pthread_mutex_timedlock", "tryLock"))]
    #[inline]
    #[track_caller]
    pub fn try_lock_for(&self, timeout: Duration) -> Option<MutexGuard<'_, T>> {
        self.try_lock().or_else(|| self.lock_until(Deadline::after(timeout)))
    }

    /// Takes the lock, waiting until `deadline` at the latest: an `Instant` or a [`Deadline`].
    ///
    /// # Errors
    ///
    /// `None` if the lock could not be taken in time. It is tried at least once, also after the
    /// deadline.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let mutex = lockwork::Mutex::new(5);
    /// let in_a_second = Instant::now() + Duration::from_secs(1);
    /// assert_eq!(mutex.try_lock_until(in_a_second).as_deref(), Some(&5));
    /// ```
    #[doc(alias = "pthread_mutex_clocklock")]
    #[inline]
    #[track_caller]
    pub fn try_lock_until(&self, deadline: impl Into<Deadline>) -> Option<MutexGuard<'_, T>> {
        self.try_lock().or_else(|| self.lock_until(deadline.into()))
    }

    fn lock_until(&self, deadline: Deadline) -> Option<MutexGuard<'_, T>> {
        // SAFETY: locked if it says so.
        self.raw.lock_until(deadline).then(|| unsafe { MutexGuard::new(self) })
    }

    /// Whether the lock is taken at this moment, by any thread. Good for assertions and displays;
    /// by the time the answer is read it may be out of date.
    ///
    /// ```
    /// let mutex = lockwork::Mutex::new(());
    /// assert!(!mutex.is_locked());
    /// let _held = mutex.lock();
    /// assert!(mutex.is_locked());
    /// ```
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// The data, without locking: the exclusive borrow proves that nobody else has the mutex.
    ///
    /// ```
    /// let mut mutex = lockwork::Mutex::new(1);
    /// *mutex.get_mut() = 2;
    /// assert_eq!(mutex.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    /// The address of the data. Only the owner of the lock may read or write through it.
    ///
    /// ```
    /// let mutex = lockwork::Mutex::new(3);
    /// let held = mutex.lock();
    /// assert!(std::ptr::eq(mutex.data_ptr(), &*held));
    /// ```
    #[must_use]
    pub fn data_ptr(&self) -> *mut T {
        self.data.get()
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    /// Shows the data if the lock is free at this moment, and that it is locked otherwise.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Mutex");
        match self.try_lock() {
            Some(guard) => out.field("data", &&*guard).finish(),
            None => out.field("data", &format_args!("<locked>")).finish(),
        }
    }
}

/// The proof that a [`Mutex`] is locked, and the way to its data. Dropping it unlocks.
///
/// ```
/// let mutex = lockwork::Mutex::new(vec![1]);
/// let mut guard = mutex.lock();
/// guard.push(2);
/// drop(guard); // or leave it to the end of the block
/// assert_eq!(mutex.into_inner(), [1, 2]);
/// ```
///
/// It stays with the thread that locked:
///
/// ```compile_fail,E0277
/// let mutex = lockwork::Mutex::new(0);
/// let guard = mutex.lock();
/// std::thread::scope(|s| s.spawn(move || drop(guard)));
/// ```
///
/// and is shared by reference only if the data may be:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: &T) {}
/// let mutex = lockwork::Mutex::new(std::cell::Cell::new(0));
/// shared(&mutex.lock());
/// ```
#[must_use = "if unused the mutex is unlocked again at once"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    track: Tracked,
    /// Not `Send`: a thread that locks is the one that unlocks.
    stays: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out shared references to the data, and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// # Safety
    ///
    /// The calling context owns the lock, and no guard stands for that yet.
    #[inline]
    unsafe fn new(mutex: &'a Mutex<T>) -> Self {
        Self { mutex, track: mutex.data.track_mut(), stays: PhantomData }
    }

    /// Narrows the guard to a part of the data.
    ///
    /// An associated function, as a method would hide one of the data's. If `part` panics, the
    /// mutex is unlocked.
    ///
    /// ```
    /// use lockwork::{Mutex, MutexGuard};
    ///
    /// let pair = Mutex::new((1, String::from("one")));
    /// let mut name = MutexGuard::map(pair.lock(), |pair| &mut pair.1);
    /// name.push('!');
    /// drop(name);
    /// assert_eq!(pair.lock().1, "one!");
    /// ```
    pub fn map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedMutexGuard<'a, U> {
        // SAFETY: the guard stands for exclusive access to the data, and is used up below.
        let data = NonNull::from(part(unsafe { &mut *guard.mutex.data.get() }));
        MappedMutexGuard::from_parts(guard.into_parts(), data)
    }

    /// Narrows the guard to a part of the data, if there is one.
    ///
    /// # Errors
    ///
    /// The guard comes back if `part` returns `None`.
    ///
    /// ```
    /// use lockwork::{Mutex, MutexGuard};
    ///
    /// let list = Mutex::new(vec![1, 2, 3]);
    /// let third = MutexGuard::try_map(list.lock(), |list| list.get_mut(2));
    /// *third.unwrap() = 30;
    /// let list = MutexGuard::try_map(list.lock(), |list| list.get_mut(7)).unwrap_err();
    /// assert_eq!(*list, [1, 2, 30]);
    /// ```
    pub fn try_map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedMutexGuard<'a, U>, Self> {
        // SAFETY: as in `map`; if there is no part, no reference is left either.
        match part(unsafe { &mut *guard.mutex.data.get() }).map(NonNull::from) {
            Some(data) => Ok(MappedMutexGuard::from_parts(guard.into_parts(), data)),
            None => Err(guard),
        }
    }

    /// Takes the guard apart without unlocking.
    fn into_parts(self) -> (&'a raw::Mutex, Tracked) {
        let guard = ManuallyDrop::new(self);
        // SAFETY: the guard is not dropped, so this is the only copy.
        (&guard.mutex.raw, unsafe { ptr::read(&raw const guard.track) })
    }

    /// The lock below, and the tracker to suspend around a wait.
    pub(super) fn for_wait(&mut self) -> (&'a raw::Mutex, &mut Tracked) {
        (&self.mutex.raw, &mut self.track)
    }

    /// Begins a new tracked access, after a wait.
    pub(super) fn track_again(&mut self) {
        self.track = self.mutex.data.track_mut();
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held while the guard lives.
        unsafe { &*self.mutex.data.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard is borrowed exclusively.
        unsafe { &mut *self.mutex.data.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.track.end();
        // SAFETY: the guard stands for the ownership of the lock, and ends here.
        unsafe { self.mutex.raw.unlock() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The proof that a [`Mutex`] is locked, and the way to a part of its data. Dropping it unlocks.
///
/// Made by [`MutexGuard::map`]. A condition variable cannot wait with it: it would have to give the
/// whole data away.
///
/// ```
/// use lockwork::{MappedMutexGuard, Mutex, MutexGuard};
///
/// struct Account {
///     balance: Mutex<(u64, u64)>,
/// }
///
/// impl Account {
///     fn euros(&self) -> MappedMutexGuard<'_, u64> {
///         MutexGuard::map(self.balance.lock(), |balance| &mut balance.0)
///     }
/// }
///
/// let account = Account { balance: Mutex::new((3, 50)) };
/// *account.euros() += 1;
/// assert_eq!(*account.euros(), 4);
/// ```
///
/// It stays with the thread that locked, as the whole guard does:
///
/// ```compile_fail,E0277
/// use lockwork::{Mutex, MutexGuard};
/// let mutex = Mutex::new((0, 0));
/// let part = MutexGuard::map(mutex.lock(), |pair| &mut pair.0);
/// std::thread::scope(|s| s.spawn(move || drop(part)));
/// ```
#[must_use = "if unused the mutex is unlocked again at once"]
pub struct MappedMutexGuard<'a, T: ?Sized> {
    raw: &'a raw::Mutex,
    data: NonNull<T>,
    track: Tracked,
    /// Invariant in `T`, as a mutable reference is; `NonNull` keeps it from being `Send`.
    part: PhantomData<&'a mut T>,
}

// SAFETY: a shared guard gives out shared references to the part, and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedMutexGuard<'_, T> {}

impl<'a, T: ?Sized> MappedMutexGuard<'a, T> {
    fn from_parts((raw, track): (&'a raw::Mutex, Tracked), data: NonNull<T>) -> Self {
        Self { raw, data, track, part: PhantomData }
    }

    /// Narrows the guard further.
    ///
    /// ```
    /// use lockwork::{MappedMutexGuard, Mutex, MutexGuard};
    ///
    /// let nested = Mutex::new(((1, 2), 3));
    /// let pair = MutexGuard::map(nested.lock(), |nested| &mut nested.0);
    /// *MappedMutexGuard::map(pair, |pair| &mut pair.1) = 20;
    /// assert_eq!(nested.into_inner(), ((1, 20), 3));
    /// ```
    pub fn map<U: ?Sized>(
        mut guard: Self,
        part: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedMutexGuard<'a, U> {
        // SAFETY: the guard stands for exclusive access to its part, and is used up below.
        let data = NonNull::from(part(unsafe { guard.data.as_mut() }));
        MappedMutexGuard::from_parts(guard.into_parts(), data)
    }

    /// Narrows the guard further, if there is such a part.
    ///
    /// # Errors
    ///
    /// The guard comes back if `part` returns `None`.
    ///
    /// ```
    /// use lockwork::{MappedMutexGuard, Mutex, MutexGuard};
    ///
    /// let lists = Mutex::new((vec![1], vec![2]));
    /// let second = MutexGuard::map(lists.lock(), |lists| &mut lists.1);
    /// assert!(MappedMutexGuard::try_map(second, |list| list.get_mut(1)).is_err());
    /// ```
    pub fn try_map<U: ?Sized>(
        mut guard: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedMutexGuard<'a, U>, Self> {
        // SAFETY: as in `map`; if there is no part, no reference is left either.
        match part(unsafe { guard.data.as_mut() }).map(NonNull::from) {
            Some(data) => Ok(MappedMutexGuard::from_parts(guard.into_parts(), data)),
            None => Err(guard),
        }
    }

    /// Takes the guard apart without unlocking.
    fn into_parts(self) -> (&'a raw::Mutex, Tracked) {
        let guard = ManuallyDrop::new(self);
        // SAFETY: the guard is not dropped, so this is the only copy.
        (guard.raw, unsafe { ptr::read(&raw const guard.track) })
    }
}

impl<T: ?Sized> Deref for MappedMutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held while the guard lives, and the part is inside the data.
        unsafe { self.data.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for MappedMutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard is borrowed exclusively.
        unsafe { self.data.as_mut() }
    }
}

impl<T: ?Sized> Drop for MappedMutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.track.end();
        // SAFETY: the guard stands for the ownership of the lock, and ends here.
        unsafe { self.raw.unlock() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MappedMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MappedMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
