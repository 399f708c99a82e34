//! What can be in a set.

use crate::primitive::Deadline;
use crate::sync::rwlock::{Lock, ReadGuard, UpgradableReadGuard, WriteGuard};

/// What [`lock_all`](crate::lock_all) can take: a reference to a [`Mutex`](crate::Mutex),
/// [`FairMutex`](crate::FairMutex), [`SpinLock`](crate::SpinLock) or
/// [`ReentrantMutex`](crate::ReentrantMutex), or a [`Read`], [`UpgradableRead`] or [`Write`] of a
/// [`RwLock`](crate::RwLock) or [`RecursiveRwLock`](crate::RecursiveRwLock).
///
/// Sealed: that no lock is in a set twice is found out by where the locks have their words.
///
/// ```
/// use lockwork::lock_set::Lockable;
/// use lockwork::{Mutex, SpinLock, lock_all};
///
/// fn with_both<A: Lockable, B: Lockable>(a: A, b: B) {
///     let _both = lock_all((a, b));
/// }
/// with_both(&Mutex::new(1), &SpinLock::new(2));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be locked together with others",
    label = "not a reference to a lock of `lockwork`",
    note = "give references to mutexes, and say of an `RwLock` what for: `Read(&lock)`, \
            `UpgradableRead(&lock)` or `Write(&lock)`"
)]
pub trait Lockable: sealed::Sealed {
    /// What stands for the lock being taken.
    type Guard;

    /// Where the word of the lock is: no two locks have theirs in the same place.
    #[doc(hidden)]
    fn address(&self) -> usize;

    /// Takes the lock, waiting until `limit`, or not at all.
    #[doc(hidden)]
    fn take(&self, limit: Option<Deadline>) -> Option<Self::Guard>;
}

pub(in crate::sync) mod sealed {
    pub trait Sealed {}
}

/// Locks that lie in a slice.
impl<L: Lockable> Lockable for &L {
    type Guard = L::Guard;

    fn address(&self) -> usize {
        (**self).address()
    }

    #[track_caller]
    fn take(&self, limit: Option<Deadline>) -> Option<L::Guard> {
        (**self).take(limit)
    }
}

impl<L: Lockable> sealed::Sealed for &L {}

/// Implements [`Lockable`] for references to a type with a field `raw`.
macro_rules! lockable {
    ($Lock:ident, $Guard:ident) => {
        impl<T: ?Sized> $crate::sync::lock_set::Sealed for &$Lock<T> {}

        impl<'a, T: ?Sized> $crate::sync::lock_set::Lockable for &'a $Lock<T> {
            type Guard = $Guard<'a, T>;

            #[inline]
            fn address(&self) -> usize {
                (&raw const self.raw).addr()
            }

            #[inline]
            #[track_caller]
            fn take(&self, limit: Option<$crate::primitive::Deadline>) -> Option<$Guard<'a, T>> {
                match limit {
                    Some(deadline) => self.try_lock_until(deadline),
                    None => self.try_lock(),
                }
            }
        }
    };
}
pub(in crate::sync) use lockable;

macro_rules! ways {
    ($($(#[$doc:meta])* $Way:ident: $Guard:ident, $try:ident, $until:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $Way<'a, T: ?Sized, const RECURSIVE: bool = false>(
                pub &'a Lock<T, RECURSIVE>,
            );

            impl<T: ?Sized, const RECURSIVE: bool> sealed::Sealed for $Way<'_, T, RECURSIVE> {}

            impl<'a, T: ?Sized, const RECURSIVE: bool> Lockable for $Way<'a, T, RECURSIVE> {
                type Guard = $Guard<&'a Lock<T, RECURSIVE>, RECURSIVE>;

                fn address(&self) -> usize {
                    self.0.address()
                }

                #[track_caller]
                fn take(&self, limit: Option<Deadline>) -> Option<Self::Guard> {
                    match limit {
                        Some(deadline) => self.0.$until(deadline),
                        None => self.0.$try(),
                    }
                }
            }
        )*
    };
}

ways! {
    /// A lock to be taken for reading.
    ///
    /// ```
    /// use lockwork::lock_set::Read;
    /// use lockwork::{RwLock, lock_all};
    ///
    /// let (a, b) = (RwLock::new(1), RwLock::new(2));
    /// let (a, b) = lock_all((Read(&a), Read(&b)));
    /// assert_eq!(*a + *b, 3);
    /// ```
    Read: ReadGuard, try_read, try_read_until;

    /// A lock to be taken for reading, and perhaps writing later.
    ///
    /// ```
    /// use lockwork::lock_set::{Read, UpgradableRead};
    /// use lockwork::{RwLock, RwLockUpgradableReadGuard, lock_all};
    ///
    /// let (limit, count) = (RwLock::new(1), RwLock::new(0));
    /// let (limit, count) = lock_all((Read(&limit), UpgradableRead(&count)));
    /// if *count < *limit {
    ///     *RwLockUpgradableReadGuard::upgrade(count) += 1;
    /// }
    /// ```
    UpgradableRead: UpgradableReadGuard, try_upgradable_read, try_upgradable_read_until;

    /// A lock to be taken for writing.
    ///
    /// ```
    /// use lockwork::lock_set::Write;
    /// use lockwork::{Mutex, RwLock, lock_all};
    ///
    /// let (from, to) = (Mutex::new(vec![1]), RwLock::new(vec![]));
    /// let (mut from, mut to) = lock_all((&from, Write(&to)));
    /// to.append(&mut from);
    /// assert_eq!(*to, [1]);
    /// ```
    Write: WriteGuard, try_write, try_write_until;
}
