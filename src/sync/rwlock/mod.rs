//! [`RwLock`], [`RecursiveRwLock`] and their guards.
//!
//! The two differ in who may read, not in what they offer, so they are one type with a parameter,
//! [`Lock`], and have names of their own at the root of the crate; their guards too.

mod guards;
mod holder;
mod mapped;

#[cfg(feature = "alloc")]
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use crate::primitive::{Deadline, UnsafeCell, model_const_fn};
use crate::raw;

pub use guards::{ReadGuard, UpgradableReadGuard, WriteGuard};
pub use mapped::{MappedReadGuard, MappedWriteGuard};

/// A [`Lock`] in which a reader waits for a writer that is waiting, so that writers get in.
///
/// ```
/// let lock = lockwork::RwLock::new(5);
/// assert_eq!(*lock.read() + *lock.read(), 10);
/// *lock.write() = 6;
/// ```
pub type RwLock<T> = Lock<T, false>;

/// A [`Lock`] in which a reader never waits while others read: a thread that reads may read again.
///
/// # Fairness
///
/// Writers wait until there happens to be no reader at all, so readers that overlap for ever keep
/// them out for ever. That has no bound: a reader that is inside already cannot be told from one
/// that is not, and must not wait.
///
/// ```
/// let lock = lockwork::RecursiveRwLock::new(5);
/// let outer = lock.read();
/// let inner = lock.read(); // cannot wait, whoever wants to write meanwhile
/// assert_eq!(*outer, *inner);
/// ```
pub type RecursiveRwLock<T> = Lock<T, true>;

/// The [`ReadGuard`] of a [`RwLock`].
pub type RwLockReadGuard<'a, T> = ReadGuard<&'a RwLock<T>, false>;
/// The [`WriteGuard`] of a [`RwLock`].
pub type RwLockWriteGuard<'a, T> = WriteGuard<&'a RwLock<T>, false>;
/// The [`UpgradableReadGuard`] of a [`RwLock`].
pub type RwLockUpgradableReadGuard<'a, T> = UpgradableReadGuard<&'a RwLock<T>, false>;
/// The [`MappedReadGuard`] of a [`RwLock`].
pub type MappedRwLockReadGuard<'a, T> = MappedReadGuard<'a, T, false>;
/// The [`MappedWriteGuard`] of a [`RwLock`].
pub type MappedRwLockWriteGuard<'a, T> = MappedWriteGuard<'a, T, false>;

/// The [`ReadGuard`] of a [`RwLock`] that owns a reference to it.
#[cfg(feature = "alloc")]
pub type ArcRwLockReadGuard<T> = ReadGuard<Arc<RwLock<T>>, false>;
/// The [`WriteGuard`] of a [`RwLock`] that owns a reference to it.
#[cfg(feature = "alloc")]
pub type ArcRwLockWriteGuard<T> = WriteGuard<Arc<RwLock<T>>, false>;
/// The [`UpgradableReadGuard`] of a [`RwLock`] that owns a reference to it.
#[cfg(feature = "alloc")]
pub type ArcRwLockUpgradableReadGuard<T> = UpgradableReadGuard<Arc<RwLock<T>>, false>;

/// The [`ReadGuard`] of a [`RecursiveRwLock`].
pub type RecursiveRwLockReadGuard<'a, T> = ReadGuard<&'a RecursiveRwLock<T>, true>;
/// The [`WriteGuard`] of a [`RecursiveRwLock`].
pub type RecursiveRwLockWriteGuard<'a, T> = WriteGuard<&'a RecursiveRwLock<T>, true>;
/// The [`UpgradableReadGuard`] of a [`RecursiveRwLock`].
pub type RecursiveRwLockUpgradableReadGuard<'a, T> =
    UpgradableReadGuard<&'a RecursiveRwLock<T>, true>;
/// The [`MappedReadGuard`] of a [`RecursiveRwLock`].
pub type MappedRecursiveRwLockReadGuard<'a, T> = MappedReadGuard<'a, T, true>;
/// The [`MappedWriteGuard`] of a [`RecursiveRwLock`].
pub type MappedRecursiveRwLockWriteGuard<'a, T> = MappedWriteGuard<'a, T, true>;

/// Many readers or one writer, in four bytes beside the data.
///
/// Locking is one atomic read-modify-write when nobody is in the way, and so is unlocking; neither
/// enters the kernel then. A thread that has to wait polls for a moment, gives its core away three
/// times in case the owner waits for one, and then sleeps in the kernel. There is no allocation and
/// no table of waiters: a lock is its word, and one that is free when a process forks works in the
/// child.
///
/// Beside readers and writers there is the *upgradable* reader, one at a time. Other readers come
/// and go meanwhile; it keeps writers out, and may become one without anybody coming in between.
///
/// Use it where reading takes much longer than the locking itself: short sections under many
/// readers are faster under a [`Mutex`](crate::Mutex), as every reader writes to the lock.
///
/// # Fairness
///
/// A writer that waits for the readers to leave lets no more of them in, unless they come beside an
/// upgradable reader. Otherwise whoever comes first enters, and may overtake those who are being
/// woken, but not for ever. One reader and one writer at a time can be the next of their kind: when
/// that one has waited for about a millisecond, it is passed by at most one more writer, which was
/// on its way in before; a writer is passed by one more reader, too. Unlocking fairly, or `bump`,
/// makes them the next at once. Where nobody has registered as the next yet, because the last one
/// has only just been served or is being woken, a fair unlock is a plain one.
///
/// # Memory ordering
///
/// Everything done before a writer unlocks happens before everything done after the next lock of
/// any kind; everything a reader did, before everything done after the next lock by a writer.
///
/// # Panics
///
/// Where a thread reads: if the lock has 1,048,575 readers already, such as by guards that were
/// forgotten.
///
/// # Deadlocks
///
/// Reading twice in one thread is one, if another thread comes to write in between: use
/// [`RecursiveRwLock`] for that. So is any other second lock of a thread,
/// except reading beside its own upgradable guard.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork`, a lock that was free works, whoever waits for it in the parent. What
/// another thread held stays held for ever, as that thread does not exist there: by a writer, by an
/// upgradable reader, or by a reader, beside whom one can read but not write. Waits with a limit
/// end. What the forking thread held is held by the child's thread: the guard is there, in both
/// processes, and each unlocks its own copy. Fork as a writer or as the upgradable reader, or with
/// nobody else about: a writer that waits for a reader to leave has claimed the lock, and in the
/// child nobody takes the claim back.
///
/// A signal neither ends a wait nor moves its limit. A handler must not wait without a limit, not
/// even to read beside readers, as it may have interrupted one who is in its way. It may try, also
/// with a limit, and unlock what it got; `errno` stays what it was.
///
/// The lock is released when the guard is dropped, during unwinding too, and is not poisoned. A
/// closure that panics while a guard is mapped drops the guard; in a `with_upgraded` form the guard
/// is the upgradable one again; in `unlocked` or `unlocked_fair` the lock is taken again first. If
/// that fails, for too many readers, the process is aborted.
///
/// Nothing is allocated and no thread-local is used, so a lock can guard a global allocator, and
/// works in the destructors of thread-locals. An allocator has one duty more: to lock it for
/// writing around each `fork` (`pthread_atfork`), or a child may find it locked for ever. The first
/// wait in a process maps a page of memory that is wiped at a fork.
///
/// # Differences
///
/// From `std::sync::RwLock`: no poisoning, timed and upgradable locking, mapped and owned guards.
/// From `parking_lot::RwLock`: four bytes instead of eight and no parking lot behind them; bounded
/// bypass; fewer readers at a time; `_until` takes an `Instant` or a [`Deadline`];
/// `is_locked_exclusive` means a writer that has the lock, not one
/// that waits for readers; access to the raw lock is missing.
///
/// # Examples
///
/// ```
/// use lockwork::RwLock;
/// use std::thread;
///
/// static NAMES: RwLock<Vec<&str>> = RwLock::new(Vec::new());
///
/// thread::scope(|s| {
///     s.spawn(|| NAMES.write().push("ada"));
///     s.spawn(|| println!("{} so far", NAMES.read().len()));
/// });
/// assert_eq!(*NAMES.read(), ["ada"]);
/// ```
///
/// What cannot be shared between threads cannot be read by several:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::RwLock::new(std::cell::Cell::new(0)));
/// ```
///
/// and what cannot leave its thread cannot be written by others:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::RwLock::new(std::rc::Rc::new(0)));
/// ```
#[doc(alias("pthread_rwlock_t", "SRWLOCK", "shared_mutex", "shared_lock", "SharedMutex"))]
#[doc(alias("ReentrantReadWriteLock", "ReadWriteLock", "reader-writer", "futex"))]
pub struct Lock<T: ?Sized, const RECURSIVE: bool> {
    raw: raw::RwLock<RECURSIVE>,
    data: UnsafeCell<T>,
}

// SAFETY: moving the lock moves the data.
unsafe impl<T: ?Sized + Send, const RECURSIVE: bool> Send for Lock<T, RECURSIVE> {}
// SAFETY: a shared lock hands its data from thread to thread, so the data must be `Send`, and lets
// several read at a time, so it must be `Sync`.
unsafe impl<T: ?Sized + Send + Sync, const RECURSIVE: bool> Sync for Lock<T, RECURSIVE> {}

impl<T, const RECURSIVE: bool> Lock<T, RECURSIVE> {
    model_const_fn! {
        /// Creates a free lock around `value`.
        ///
        /// ```
        /// static LIMITS: lockwork::RwLock<(u32, u32)> = lockwork::RwLock::new((0, 10));
        /// assert_eq!(LIMITS.read().1, 10);
        /// ```
        #[must_use]
        pub const fn new(value: T) -> Self {
            Self { raw: raw::RwLock::new(), data: UnsafeCell::new(value) }
        }
    }

    /// Takes the data out of a lock that nobody else can reach.
    ///
    /// ```
    /// assert_eq!(lockwork::RwLock::new(7).into_inner(), 7);
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

/// The eight ways to take a lock for one purpose.
macro_rules! ways_to_lock {
    (
        $guard:ident, $what:literal, $who:literal, $blocked:literal, $alias:literal;
        $lock:ident $try_lock:ident $for:ident $until:ident
        $arc:ident $try_arc:ident $arc_for:ident $arc_until:ident;
        $raw:ident $raw_try:ident $raw_until:ident
    ) => {
        impl<T: ?Sized, const RECURSIVE: bool> Lock<T, RECURSIVE> {
            #[doc = concat!("Locks for ", $what, ", sleeping until that is possible.")]
            ///
            /// # Panics
            ///
            /// If there are as many readers as the lock can count.
            ///
            /// ```
            /// let lock = lockwork::RwLock::new(1);
            #[doc = concat!("assert_eq!(*lock.", stringify!($lock), "(), 1);")]
            /// ```
            #[doc(alias = $alias)]
            #[inline]
            #[track_caller]
            pub fn $lock(&self) -> $guard<&Self, RECURSIVE> {
                self.raw.$raw();
                // SAFETY: just locked that way.
                unsafe { $guard::new(self) }
            }

            #[doc = concat!("Locks for ", $what, " if that is possible at this moment.")]
            ///
            /// # Errors
            ///
            #[doc = concat!("`None` if the lock is ", $blocked, ", or about to be given to a")]
            /// thread that has waited too long.
            ///
            /// # Panics
            ///
            /// If there are as many readers as the lock can count.
            ///
            /// ```
            /// let lock = lockwork::RwLock::new(1);
            /// let held = lock.write();
            #[doc = concat!("assert!(lock.", stringify!($try_lock), "().is_none());")]
            /// drop(held);
            #[doc = concat!("assert!(lock.", stringify!($try_lock), "().is_some());")]
            /// ```
            #[inline]
            #[track_caller]
            pub fn $try_lock(&self) -> Option<$guard<&Self, RECURSIVE>> {
                // SAFETY: locked that way if it says so.
                self.raw.$raw_try().then(|| unsafe { $guard::new(self) })
            }

            #[doc = concat!("Locks for ", $what, ", waiting at most `timeout`. One that is too")]
            /// long to represent means no limit.
            ///
            /// # Errors
            ///
            /// `None` if that was not possible in time. It is tried at least once.
            ///
            /// # Panics
            ///
            /// If there are as many readers as the lock can count.
            ///
            /// ```
            /// use std::time::Duration;
            ///
            /// let lock = lockwork::RwLock::new(1);
            /// let held = lock.write();
            #[doc = concat!(
                "assert!(lock.", stringify!($for), "(Duration::from_millis(1)).is_none());"
            )]
            /// # drop(held);
            /// ```
            #[inline]
            #[track_caller]
            pub fn $for(&self, timeout: Duration) -> Option<$guard<&Self, RECURSIVE>> {
                self.$try_lock().or_else(|| self.$until(Deadline::after(timeout)))
            }

            #[doc = concat!("Locks for ", $what, ", waiting until `deadline` at the latest: an")]
            /// `Instant` or a [`Deadline`].
            ///
            /// # Errors
            ///
            /// `None` if that was not possible in time. It is tried at least once, also after the
            /// deadline.
            ///
            /// # Panics
            ///
            /// If there are as many readers as the lock can count.
            ///
            /// ```
            /// use std::time::{Duration, Instant};
            ///
            /// let lock = lockwork::RwLock::new(1);
            /// let soon = Instant::now() + Duration::from_secs(1);
            #[doc = concat!("assert!(lock.", stringify!($until), "(soon).is_some());")]
            /// ```
            #[inline]
            #[track_caller]
            pub fn $until(
                &self,
                deadline: impl Into<Deadline>,
            ) -> Option<$guard<&Self, RECURSIVE>> {
                // SAFETY: locked that way if it says so.
                self.raw.$raw_until(deadline.into()).then(|| unsafe { $guard::new(self) })
            }

            #[doc = concat!("As [`", stringify!($lock), "`](Self::", stringify!($lock), "()),")]
            /// with a guard that owns a reference to the lock, and so may outlive the caller's.
            ///
            /// # Panics
            ///
            /// If there are as many readers as the lock can count.
            ///
            /// ```
            /// use std::sync::Arc;
            ///
            /// let lock = Arc::new(lockwork::RwLock::new(1));
            #[doc = concat!("let guard = lock.", stringify!($arc), "();")]
            /// drop(lock);
            /// assert_eq!(*guard, 1);
            /// ```
            #[cfg(feature = "alloc")]
            #[inline]
            #[track_caller]
            pub fn $arc(self: &Arc<Self>) -> $guard<Arc<Self>, RECURSIVE> {
                self.raw.$raw();
                // SAFETY: just locked that way.
                unsafe { $guard::new(self.clone()) }
            }

            #[doc = concat!(
                "As [`", stringify!($try_lock), "`](Self::", stringify!($try_lock), "), with a"
            )]
            /// guard that owns a reference to the lock.
            ///
            /// # Errors
            ///
            #[doc = concat!("`None` if the lock is ", $blocked, ".")]
            ///
            /// # Panics
            ///
            /// If there are as many readers as the lock can count.
            ///
            /// ```
            /// let lock = std::sync::Arc::new(lockwork::RwLock::new(1));
            #[doc = concat!("assert!(lock.", stringify!($try_arc), "().is_some());")]
            /// ```
            #[cfg(feature = "alloc")]
            #[inline]
            #[track_caller]
            pub fn $try_arc(self: &Arc<Self>) -> Option<$guard<Arc<Self>, RECURSIVE>> {
                // SAFETY: locked that way if it says so.
                self.raw.$raw_try().then(|| unsafe { $guard::new(self.clone()) })
            }

            #[doc = concat!("As [`", stringify!($for), "`](Self::", stringify!($for), "), with a")]
            /// guard that owns a reference to the lock.
            ///
            /// # Errors
            ///
            /// `None` if that was not possible in time.
            ///
            /// # Panics
            ///
            /// If there are as many readers as the lock can count.
            ///
            /// ```
            /// use std::time::Duration;
            ///
            /// let lock = std::sync::Arc::new(lockwork::RwLock::new(1));
            #[doc = concat!(
                "assert!(lock.", stringify!($arc_for), "(Duration::from_secs(1)).is_some());"
            )]
            /// ```
            #[cfg(feature = "alloc")]
            #[inline]
            #[track_caller]
            pub fn $arc_for(
                self: &Arc<Self>,
                timeout: Duration,
            ) -> Option<$guard<Arc<Self>, RECURSIVE>> {
                self.$try_arc().or_else(|| self.$arc_until(Deadline::after(timeout)))
            }

            #[doc = concat!(
                "As [`", stringify!($until), "`](Self::", stringify!($until), "), with a guard"
            )]
            /// that owns a reference to the lock.
            ///
            /// # Errors
            ///
            /// `None` if that was not possible in time.
            ///
            /// # Panics
            ///
            /// If there are as many readers as the lock can count.
            ///
            /// ```
            /// use lockwork::{Deadline, RwLock};
            ///
            /// let lock = std::sync::Arc::new(RwLock::new(1));
            #[doc = concat!(
                "assert!(lock.", stringify!($arc_until), "(Deadline::NEVER).is_some());"
            )]
            /// ```
            #[cfg(feature = "alloc")]
            #[inline]
            #[track_caller]
            pub fn $arc_until(
                self: &Arc<Self>,
                deadline: impl Into<Deadline>,
            ) -> Option<$guard<Arc<Self>, RECURSIVE>> {
                // SAFETY: locked that way if it says so.
                self.raw.$raw_until(deadline.into()).then(|| unsafe { $guard::new(self.clone()) })
            }
        }
    };
}

ways_to_lock! {
    ReadGuard, "reading", "readers", "a writer's, or claimed by one", "lock_shared";
    read try_read try_read_for try_read_until
    read_arc try_read_arc try_read_arc_for try_read_arc_until;
    read try_read read_until
}

ways_to_lock! {
    WriteGuard, "writing", "writers", "taken in any way", "lock_exclusive";
    write try_write try_write_for try_write_until
    write_arc try_write_arc try_write_arc_for try_write_arc_until;
    write try_write write_until
}

ways_to_lock! {
    UpgradableReadGuard, "reading and maybe writing later", "upgradable readers",
    "a writer's or an upgradable reader's", "lock_upgrade";
    upgradable_read try_upgradable_read try_upgradable_read_for try_upgradable_read_until
    upgradable_read_arc try_upgradable_read_arc try_upgradable_read_arc_for
    try_upgradable_read_arc_until;
    upgradable try_upgradable upgradable_until
}

impl<T: ?Sized, const RECURSIVE: bool> Lock<T, RECURSIVE> {
    /// Whether anybody has the lock at this moment, in any way, or is a writer who waits for the
    /// readers to leave. By the time the answer is read it may be out of date.
    ///
    /// ```
    /// let lock = lockwork::RwLock::new(());
    /// let reading = lock.read();
    /// assert!(lock.is_locked());
    /// drop(reading);
    /// assert!(!lock.is_locked());
    /// ```
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// Whether a writer has the lock at this moment.
    ///
    /// ```
    /// let lock = lockwork::RwLock::new(());
    /// let reading = lock.read();
    /// assert!(!lock.is_locked_exclusive());
    /// drop(reading);
    /// let _writing = lock.write();
    /// assert!(lock.is_locked_exclusive());
    /// ```
    #[must_use]
    pub fn is_locked_exclusive(&self) -> bool {
        self.raw.is_locked_exclusive()
    }

    /// The data, without locking: the exclusive borrow proves that nobody else has the lock.
    ///
    /// ```
    /// let mut lock = lockwork::RwLock::new(1);
    /// *lock.get_mut() = 2;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    /// The address of the data. Only who has the lock may read through it, and only a writer may
    /// write.
    ///
    /// ```
    /// let lock = lockwork::RwLock::new(3);
    /// let reading = lock.read();
    /// assert!(std::ptr::eq(lock.data_ptr(), &*reading));
    /// ```
    #[must_use]
    pub fn data_ptr(&self) -> *mut T {
        self.data.get()
    }

    /// Where the lock's own word is.
    pub(in crate::sync) fn address(&self) -> usize {
        (&raw const self.raw).addr()
    }
}

impl<T: Default, const RECURSIVE: bool> Default for Lock<T, RECURSIVE> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T, const RECURSIVE: bool> From<T> for Lock<T, RECURSIVE> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug, const RECURSIVE: bool> fmt::Debug for Lock<T, RECURSIVE> {
    /// Shows the data if it can be read at this moment, and that it is locked otherwise.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if RECURSIVE { "RecursiveRwLock" } else { "RwLock" };
        let mut out = f.debug_struct(name);
        match self.try_read() {
            Some(guard) => out.field("data", &&*guard).finish(),
            None => out.field("data", &format_args!("<locked>")).finish(),
        }
    }
}
