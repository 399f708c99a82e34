//! Methods of the guards for a part of the data.

macro_rules! mapped_guard_methods {
    (
        lock: $Lock:ident,
        guard: $Guard:ident,
        mapped: $Mapped:ident,
        raw: $raw:ty,
        unlock: $unlock:ident,
        access: [$($mut:tt)?],
        levels: { $(#[$levels:meta])* } $(,)?
    ) => {
        impl<'a, T: ?Sized> $Mapped<'a, T> {
            fn from_parts(
                (raw, track): (&'a $raw, $crate::primitive::Tracked),
                data: core::ptr::NonNull<T>,
            ) -> Self {
                Self { raw, data, track, part: core::marker::PhantomData }
            }

            /// Narrows the guard further. If `part` panics, the guard is dropped.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard), ", ",
                stringify!($Mapped), "};")]
            ///
            #[doc = concat!("let nested = ", stringify!($Lock), "::new(((1, 2), 3));")]
            #[doc = concat!("let pair = ", stringify!($Guard), "::map(nested.lock(), |nested| ",
                $crate::sync::exclusive::borrow!([$($mut)?]), "nested.0);")]
            #[doc = concat!("let two = ", stringify!($Mapped), "::map(pair, |pair| ",
                $crate::sync::exclusive::borrow!([$($mut)?]), "pair.1);")]
            /// assert_eq!(*two, 2);
            /// ```
            pub fn map<U: ?Sized>(
                guard: Self,
                part: impl FnOnce(&$($mut)? T) -> &$($mut)? U,
            ) -> $Mapped<'a, U> {
                // SAFETY: the guard stands for this access to its part (invariant 3), and is used
                // up below.
                let part = part(unsafe { &$($mut)? *guard.data.as_ptr() });
                $Mapped::from_parts(guard.into_parts(), core::ptr::NonNull::from(part))
            }

            /// Narrows the guard further, if there is such a part. If `part` panics, the guard is
            /// dropped.
            ///
            /// # Errors
            ///
            /// The guard comes back if `part` returns `None`.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard), ", ",
                stringify!($Mapped), "};")]
            ///
            #[doc = concat!("let lists = ", stringify!($Lock), "::new((vec![1], vec![2]));")]
            #[doc = concat!("let second = ", stringify!($Guard), "::map(lists.lock(), |lists| ",
                $crate::sync::exclusive::borrow!([$($mut)?]), "lists.1);")]
            #[doc = concat!("let none = ", stringify!($Mapped), "::try_map(second, |list| list.get",
                $crate::sync::exclusive::suffix!([$($mut)?]), "(1));")]
            /// assert_eq!(*none.unwrap_err(), [2]);
            /// ```
            pub fn try_map<U: ?Sized>(
                guard: Self,
                part: impl FnOnce(&$($mut)? T) -> Option<&$($mut)? U>,
            ) -> Result<$Mapped<'a, U>, Self> {
                Self::try_map_or_err(guard, |data| part(data).ok_or(()))
                    .map_err(|(guard, ())| guard)
            }

            /// Narrows the guard further, or hands on why there is no such part. If `part` panics,
            /// the guard is dropped.
            ///
            /// # Errors
            ///
            /// The guard comes back, with the error of `part`.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard), ", ",
                stringify!($Mapped), "};")]
            ///
            #[doc = concat!("let lists = ", stringify!($Lock), "::new((vec![1], vec![2]));")]
            #[doc = concat!("let second = ", stringify!($Guard), "::map(lists.lock(), |lists| ",
                $crate::sync::exclusive::borrow!([$($mut)?]), "lists.1);")]
            #[doc = concat!("let third = ", stringify!($Mapped),
                "::try_map_or_err(second, |list| {")]
            /// let len = list.len();
            #[doc = concat!("    list.get", $crate::sync::exclusive::suffix!([$($mut)?]),
                "(2).ok_or(len)")]
            /// });
            /// let (list, len) = third.unwrap_err();
            /// assert_eq!((list[0], len), (2, 1));
            /// ```
            pub fn try_map_or_err<U: ?Sized, E>(
                guard: Self,
                part: impl FnOnce(&$($mut)? T) -> Result<&$($mut)? U, E>,
            ) -> Result<$Mapped<'a, U>, (Self, E)> {
                // SAFETY: as in `map`; if there is no part, no reference is left either.
                match part(unsafe { &$($mut)? *guard.data.as_ptr() }) {
                    Ok(part) => {
                        let part = core::ptr::NonNull::from(part);
                        Ok($Mapped::from_parts(guard.into_parts(), part))
                    }
                    Err(error) => Err((guard, error)),
                }
            }

            /// Unlocks, and hands the lock to a thread that sleeps for it, if there is one: nobody
            /// who comes meanwhile gets in between.
            $(#[$levels])*
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard), ", ",
                stringify!($Mapped), "};")]
            ///
            #[doc = concat!("let pair = ", stringify!($Lock), "::new((1, 2));")]
            #[doc = concat!("let two = ", stringify!($Guard), "::map(pair.lock(), |pair| ",
                $crate::sync::exclusive::borrow!([$($mut)?]), "pair.1);")]
            #[doc = concat!(stringify!($Mapped), "::unlock_fair(two);")]
            /// assert!(!pair.is_locked());
            /// ```
            #[inline]
            #[track_caller]
            pub fn unlock_fair(guard: Self) {
                let (raw, mut track) = guard.into_parts();
                track.end();
                // SAFETY: the parts stand for an acquisition, and are used up here.
                unsafe { raw.unlock_fair() }
            }

            /// Takes the guard apart without unlocking.
            fn into_parts(self) -> (&'a $raw, $crate::primitive::Tracked) {
                let guard = core::mem::ManuallyDrop::new(self);
                // SAFETY: the guard is not dropped, so this is the only copy.
                (guard.raw, unsafe { core::ptr::read(&raw const guard.track) })
            }
        }

        impl<T: ?Sized> core::ops::Deref for $Mapped<'_, T> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                // SAFETY: the guard stands for access to its part (invariant 3).
                unsafe { self.data.as_ref() }
            }
        }

        $(impl<T: ?Sized> core::ops::DerefMut for $Mapped<'_, T> {
            #[inline]
            fn deref_mut(&mut self) -> &$mut T {
                // SAFETY: as in `deref`; this guard is the only one, and borrowed exclusively.
                unsafe { self.data.as_mut() }
            }
        })?

        impl<T: ?Sized> Drop for $Mapped<'_, T> {
            #[inline]
            fn drop(&mut self) {
                self.track.end();
                // SAFETY: the guard stands for an acquisition, and ends here.
                unsafe { self.raw.$unlock() }
            }
        }

        $crate::sync::exclusive::show_as_data!($Mapped<'_, T>, T);
    };
}
pub(in crate::sync) use mapped_guard_methods;
