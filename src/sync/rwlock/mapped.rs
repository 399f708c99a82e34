//! The guards of a part of the data.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};

use crate::primitive::Tracked;
use crate::raw;

/// A guard of a part, which stands for a reference of type `$part`.
macro_rules! mapped_guard {
    (
        $(#[$meta:meta])*
        $guard:ident, $public:literal, $whole:literal, $lock:ident, $part:ty;
        $amp:literal, $unlock:ident $unlock_fair:ident
    ) => {
        $(#[$meta])*
        #[must_use = "if unused the lock is unlocked again at once"]
        pub struct $guard<'a, T: ?Sized, const RECURSIVE: bool> {
            raw: &'a raw::RwLock<RECURSIVE>,
            data: NonNull<T>,
            track: Tracked,
            /// As variant in `T` as the reference it stands for; `NonNull` keeps it from being
            /// `Send`.
            part: PhantomData<$part>,
        }

        // SAFETY: a shared guard gives out shared references to the part, and nothing else.
        unsafe impl<T: ?Sized + Sync, const RECURSIVE: bool> Sync for $guard<'_, T, RECURSIVE> {}

        impl<'a, T: ?Sized, const RECURSIVE: bool> $guard<'a, T, RECURSIVE> {
            pub(super) fn from_parts(
                (raw, track): (&'a raw::RwLock<RECURSIVE>, Tracked),
                data: NonNull<T>,
            ) -> Self {
                Self { raw, data, track, part: PhantomData }
            }

            /// Takes the guard apart without unlocking.
            fn into_parts(self) -> (&'a raw::RwLock<RECURSIVE>, Tracked) {
                let guard = ManuallyDrop::new(self);
                // SAFETY: the guard is not dropped, so this is the only copy.
                (guard.raw, unsafe { ptr::read(&raw const guard.track) })
            }

            /// Unlocks as the whole guard's `unlock_fair` does.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", $public, ", RwLock, ", $whole, "};")]
            ///
            /// let lock = RwLock::new((1, 2));
            #[doc = concat!(
                "let part = ", $whole, "::map(lock.", stringify!($lock), "(), |pair| ", $amp,
                "pair.0);"
            )]
            #[doc = concat!($public, "::unlock_fair(part);")]
            /// assert!(!lock.is_locked());
            /// ```
            pub fn unlock_fair(s: Self) {
                let (raw, mut track) = s.into_parts();
                track.end();
                // SAFETY: the guard stood for that, and is gone.
                unsafe { raw.$unlock_fair() }
            }
        }

        impl<T: ?Sized, const RECURSIVE: bool> Deref for $guard<'_, T, RECURSIVE> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                // SAFETY: the lock is held while the guard lives, and the part is inside the data.
                unsafe { self.data.as_ref() }
            }
        }

        impl<T: ?Sized, const RECURSIVE: bool> Drop for $guard<'_, T, RECURSIVE> {
            #[inline]
            fn drop(&mut self) {
                self.track.end();
                // SAFETY: the guard stands for that, and ends here.
                unsafe { self.raw.$unlock() }
            }
        }

        impl<T: ?Sized + fmt::Debug, const RECURSIVE: bool> fmt::Debug
            for $guard<'_, T, RECURSIVE>
        {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + fmt::Display, const RECURSIVE: bool> fmt::Display
            for $guard<'_, T, RECURSIVE>
        {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    };
}

/// The three ways to narrow a guard of a part; `mut` for the one that writes.
macro_rules! narrowing {
    ($guard:ident, $public:literal, $whole:literal, $lock:ident, $amp:literal, $get:literal,
     $as_part:ident $(, $mut:ident)?) => {
        impl<'a, T: ?Sized, const RECURSIVE: bool> $guard<'a, T, RECURSIVE> {
            /// Narrows the guard further. If `f` panics, the lock is unlocked.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", $public, ", RwLock, ", $whole, "};")]
            ///
            /// let lock = RwLock::new(((1, 2), 3));
            #[doc = concat!(
                "let pair = ", $whole, "::map(lock.", stringify!($lock), "(), |all| ", $amp,
                "all.0);"
            )]
            #[doc = concat!("let second = ", $public, "::map(pair, |pair| ", $amp, "pair.1);")]
            /// assert_eq!(*second, 2);
            /// ```
            #[allow(unused_mut, reason = "for one of the two kinds")]
            pub fn map<U: ?Sized>(
                mut s: Self,
                f: impl FnOnce(&$($mut)? T) -> &$($mut)? U,
            ) -> $guard<'a, U, RECURSIVE> {
                // SAFETY: the guard stands for that access to its part, and is used up below.
                let data = NonNull::from(f(unsafe { s.data.$as_part() }));
                $guard::from_parts(s.into_parts(), data)
            }

            /// Narrows the guard further, if there is such a part.
            ///
            /// # Errors
            ///
            /// The guard comes back if `f` returns `None`.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", $public, ", RwLock, ", $whole, "};")]
            ///
            /// let lock = RwLock::new((vec![1], 3));
            #[doc = concat!(
                "let list = ", $whole, "::map(lock.", stringify!($lock), "(), |all| ", $amp,
                "all.0);"
            )]
            #[doc = concat!(
                "assert!(", $public, "::try_map(list, |list| list.", $get, "(1)).is_err());"
            )]
            /// ```
            #[allow(unused_mut, reason = "for one of the two kinds")]
            pub fn try_map<U: ?Sized>(
                mut s: Self,
                f: impl FnOnce(&$($mut)? T) -> Option<&$($mut)? U>,
            ) -> Result<$guard<'a, U, RECURSIVE>, Self> {
                // SAFETY: as in `map`; if there is no part, no reference is left either.
                match f(unsafe { s.data.$as_part() }).map(NonNull::from) {
                    Some(data) => Ok($guard::from_parts(s.into_parts(), data)),
                    None => Err(s),
                }
            }

            /// As [`try_map`](Self::try_map), with a reason.
            ///
            /// # Errors
            ///
            /// The guard and what `f` said.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", $public, ", RwLock, ", $whole, "};")]
            ///
            /// let lock = RwLock::new((vec![1], 3));
            #[doc = concat!(
                "let list = ", $whole, "::map(lock.", stringify!($lock), "(), |all| ", $amp,
                "all.0);"
            )]
            #[doc = concat!("let refused = ", $public, "::try_map_or_err(list, |list| {")]
            #[doc = concat!("    list.", $get, "(1).ok_or(\"too short\")")]
            /// });
            /// assert_eq!(refused.unwrap_err().1, "too short");
            /// ```
            #[allow(unused_mut, reason = "for one of the two kinds")]
            pub fn try_map_or_err<U: ?Sized, E>(
                mut s: Self,
                f: impl FnOnce(&$($mut)? T) -> Result<&$($mut)? U, E>,
            ) -> Result<$guard<'a, U, RECURSIVE>, (Self, E)> {
                // SAFETY: as in `try_map`.
                match f(unsafe { s.data.$as_part() }).map(NonNull::from) {
                    Ok(data) => Ok($guard::from_parts(s.into_parts(), data)),
                    Err(error) => Err((s, error)),
                }
            }
        }
    };
}

mapped_guard! {
    /// The proof that a lock is locked for reading, and the way to a part of its data. Dropping it
    /// unlocks. Made by [`ReadGuard::map`](super::ReadGuard::map).
    ///
    /// ```
    /// use lockwork::{MappedRwLockReadGuard, RwLock, RwLockReadGuard};
    ///
    /// fn first(list: &RwLock<Vec<u8>>) -> MappedRwLockReadGuard<'_, u8> {
    ///     RwLockReadGuard::map(list.read(), |list| &list[0])
    /// }
    /// assert_eq!(*first(&RwLock::new(vec![7])), 7);
    /// ```
    MappedReadGuard, "MappedRwLockReadGuard", "RwLockReadGuard", read, &'a T;
    "&", unlock_read unlock_read
}

mapped_guard! {
    /// The proof that a lock is locked for writing, and the way to a part of its data. Dropping it
    /// unlocks. Made by [`WriteGuard::map`](super::WriteGuard::map).
    ///
    /// ```
    /// use lockwork::{MappedRwLockWriteGuard, RwLock, RwLockWriteGuard};
    ///
    /// fn first(list: &RwLock<Vec<u8>>) -> MappedRwLockWriteGuard<'_, u8> {
    ///     RwLockWriteGuard::map(list.write(), |list| &mut list[0])
    /// }
    /// let list = RwLock::new(vec![7]);
    /// *first(&list) = 8;
    /// assert_eq!(list.into_inner(), [8]);
    /// ```
    MappedWriteGuard, "MappedRwLockWriteGuard", "RwLockWriteGuard", write, &'a mut T;
    "&mut ", unlock_write unlock_write_fair
}

narrowing!(MappedReadGuard, "MappedRwLockReadGuard", "RwLockReadGuard", read, "&", "get", as_ref);
narrowing!(
    MappedWriteGuard,
    "MappedRwLockWriteGuard",
    "RwLockWriteGuard",
    write,
    "&mut ",
    "get_mut",
    as_mut,
    mut
);

impl<T: ?Sized, const RECURSIVE: bool> DerefMut for MappedWriteGuard<'_, T, RECURSIVE> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, nobody else reads or writes, and the guard is borrowed
        // exclusively.
        unsafe { self.data.as_mut() }
    }
}
