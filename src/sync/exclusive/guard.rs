//! Methods of the guards that borrow the lock.

macro_rules! guard_methods {
    (
        lock: $Lock:ident,
        guard: $Guard:ident,
        mapped: $Mapped:ident,
        raw: $raw:ty,
        unlock: $unlock:ident,
        relock: $relock:ident,
        track: $track:ident,
        access: [$($mut:tt)?],
        whole: $whole:ident,
        levels: { $(#[$levels:meta])* } $(,)?
    ) => {
        impl<'a, T: ?Sized> $Guard<'a, T> {
            /// # Safety
            ///
            /// The calling thread has acquired the lock, and no guard stands for that yet.
            #[inline]
            unsafe fn new(mutex: &'a $Lock<T>) -> Self {
                Self { mutex, track: mutex.data.$track(), stays: core::marker::PhantomData }
            }

            /// The mutex that this guard has locked.
            ///
            /// An associated function, as all here are: a method would hide one of the data's.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard), "};")]
            ///
            #[doc = concat!("let mutex = ", stringify!($Lock), "::new(1);")]
            /// let guard = mutex.lock();
            #[doc = concat!("assert!(std::ptr::eq(", stringify!($Guard), "::",
                stringify!($whole), "(&guard), &mutex));")]
            /// ```
            #[must_use]
            pub fn $whole(guard: &Self) -> &'a $Lock<T> {
                guard.mutex
            }

            /// Narrows the guard to a part of the data. If `part` panics, the guard is dropped.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard), "};")]
            ///
            #[doc = concat!("let pair = ", stringify!($Lock), "::new((1, String::from(\"one\")));")]
            #[doc = concat!("let name = ", stringify!($Guard), "::map(pair.lock(), |pair| ",
                $crate::sync::exclusive::borrow!([$($mut)?]), "pair.1);")]
            /// assert_eq!(name.len(), 3);
            /// ```
            pub fn map<U: ?Sized>(
                guard: Self,
                part: impl FnOnce(&$($mut)? T) -> &$($mut)? U,
            ) -> $Mapped<'a, U> {
                // SAFETY: the guard stands for this access to the data (invariant 3), and is used
                // up below.
                let part = part(unsafe { &$($mut)? *guard.mutex.data.get() });
                $Mapped::from_parts(guard.into_parts(), core::ptr::NonNull::from(part))
            }

            /// Narrows the guard to a part of the data, if there is one. If `part` panics, the
            /// guard is dropped.
            ///
            /// # Errors
            ///
            /// The guard comes back if `part` returns `None`.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard), "};")]
            ///
            #[doc = concat!("let list = ", stringify!($Lock), "::new(vec![1, 2, 3]);")]
            #[doc = concat!("let third = ", stringify!($Guard),
                "::try_map(list.lock(), |list| list.get",
                $crate::sync::exclusive::suffix!([$($mut)?]), "(2));")]
            /// assert_eq!(third.as_deref().ok(), Some(&3));
            /// drop(third);
            #[doc = concat!("let eighth = ", stringify!($Guard),
                "::try_map(list.lock(), |list| list.get",
                $crate::sync::exclusive::suffix!([$($mut)?]), "(7));")]
            /// assert_eq!(*eighth.unwrap_err(), [1, 2, 3]);
            /// ```
            pub fn try_map<U: ?Sized>(
                guard: Self,
                part: impl FnOnce(&$($mut)? T) -> Option<&$($mut)? U>,
            ) -> Result<$Mapped<'a, U>, Self> {
                Self::try_map_or_err(guard, |data| part(data).ok_or(()))
                    .map_err(|(guard, ())| guard)
            }

            /// Narrows the guard to a part of the data, or hands on why there is none. If `part`
            /// panics, the guard is dropped.
            ///
            /// # Errors
            ///
            /// The guard comes back, with the error of `part`.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard), "};")]
            ///
            #[doc = concat!("let name = ", stringify!($Lock), "::new(vec![0xff]);")]
            #[doc = concat!("let text = ", stringify!($Guard),
                "::try_map_or_err(name.lock(), |bytes| {")]
            #[doc = concat!("    str::from_utf8", $crate::sync::exclusive::suffix!([$($mut)?]),
                "(bytes)")]
            /// });
            /// let (bytes, error) = text.unwrap_err();
            /// assert_eq!((bytes[0], error.valid_up_to()), (0xff, 0));
            /// ```
            pub fn try_map_or_err<U: ?Sized, E>(
                guard: Self,
                part: impl FnOnce(&$($mut)? T) -> Result<&$($mut)? U, E>,
            ) -> Result<$Mapped<'a, U>, (Self, E)> {
                // SAFETY: as in `map`; if there is no part, no reference is left either.
                match part(unsafe { &$($mut)? *guard.mutex.data.get() }) {
                    Ok(part) => {
                        let part = core::ptr::NonNull::from(part);
                        Ok($Mapped::from_parts(guard.into_parts(), part))
                    }
                    Err(error) => Err((guard, error)),
                }
            }

            /// Unlocks, runs `between`, and locks again, sleeping until the lock is free.
            $(#[$levels])*
            ///
            /// If `between` panics, the lock is taken again before the unwinding goes on.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard), "};")]
            ///
            #[doc = concat!("let mutex = ", stringify!($Lock), "::new(5);")]
            /// let mut guard = mutex.lock();
            #[doc = concat!("let free = ", stringify!($Guard),
                "::unlocked(&mut guard, || !mutex.is_locked());")]
            /// assert!(free && mutex.is_locked());
            /// ```
            #[track_caller]
            pub fn unlocked<R>(guard: &mut Self, between: impl FnOnce() -> R) -> R {
                let mutex = guard.mutex;
                $crate::sync::exclusive::unlocked(
                    &mut guard.track,
                    // SAFETY: the guard stands for an acquisition, which it has again afterwards.
                    || unsafe { mutex.raw.$unlock() },
                    || {
                        mutex.raw.$relock();
                        mutex.data.$track()
                    },
                    between,
                )
            }

            /// As [`unlocked`](Self::unlocked), but hands the lock to a thread that sleeps for it,
            /// if there is one.
            $(#[$levels])*
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard), "};")]
            ///
            #[doc = concat!("let mutex = ", stringify!($Lock), "::new(5);")]
            /// let mut guard = mutex.lock();
            #[doc = concat!("assert_eq!(", stringify!($Guard),
                "::unlocked_fair(&mut guard, || \"meanwhile\"), \"meanwhile\");")]
            /// assert_eq!(*guard, 5);
            /// ```
            #[track_caller]
            pub fn unlocked_fair<R>(guard: &mut Self, between: impl FnOnce() -> R) -> R {
                let mutex = guard.mutex;
                $crate::sync::exclusive::unlocked(
                    &mut guard.track,
                    // SAFETY: the guard stands for an acquisition, which it has again afterwards.
                    || unsafe { mutex.raw.unlock_fair() },
                    || {
                        mutex.raw.$relock();
                        mutex.data.$track()
                    },
                    between,
                )
            }

            /// Unlocks, and hands the lock to a thread that sleeps for it, if there is one: nobody
            /// who comes meanwhile gets in between.
            $(#[$levels])*
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard), "};")]
            ///
            #[doc = concat!("let mutex = ", stringify!($Lock), "::new(5);")]
            #[doc = concat!(stringify!($Guard), "::unlock_fair(mutex.lock());")]
            /// assert!(!mutex.is_locked());
            /// ```
            #[inline]
            #[track_caller]
            pub fn unlock_fair(guard: Self) {
                let (raw, mut track) = guard.into_parts();
                track.end();
                // SAFETY: the parts stand for an acquisition, and are used up here.
                unsafe { raw.unlock_fair() }
            }

            /// Lets a thread that waits for the lock have its turn, and locks again; does nothing
            /// if nobody waits. For long work that can be interrupted.
            $(#[$levels])*
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard), "};")]
            ///
            #[doc = concat!("let mutex = ", stringify!($Lock), "::new(5);")]
            /// let mut guard = mutex.lock();
            /// for _ in 0..3 {
            #[doc = concat!("    ", stringify!($Guard),
                "::bump(&mut guard); // between two pieces of work")]
            /// }
            /// assert_eq!(*guard, 5);
            /// ```
            #[inline]
            #[track_caller]
            pub fn bump(guard: &mut Self) {
                guard.track.end();
                // SAFETY: the guard stands for an acquisition, and does so again afterwards.
                unsafe { guard.mutex.raw.bump() };
                guard.track = guard.mutex.data.$track();
            }

            /// Takes the guard apart without unlocking.
            fn into_parts(self) -> (&'a $raw, $crate::primitive::Tracked) {
                let guard = core::mem::ManuallyDrop::new(self);
                // SAFETY: the guard is not dropped, so this is the only copy.
                (&guard.mutex.raw, unsafe { core::ptr::read(&raw const guard.track) })
            }
        }

        $(impl<'a, T: ?Sized> $Guard<'a, T> {
            /// Leaves the mutex locked for ever, and gives the data out for as long as the mutex is
            /// borrowed.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard), "};")]
            ///
            #[doc = concat!("static BUFFER: ", stringify!($Lock), "<[u8; 4]> = ",
                stringify!($Lock), "::new([0; 4]);")]
            #[doc = concat!("let buffer: &'static mut [u8; 4] = ", stringify!($Guard),
                "::leak(BUFFER.lock());")]
            /// buffer[0] = 1;
            /// assert!(BUFFER.is_locked());
            /// ```
            #[must_use = "the data is out of reach for ever otherwise"]
            pub fn leak(guard: Self) -> &'a $mut T {
                let guard = core::mem::ManuallyDrop::new(guard);
                // SAFETY: the acquisition is never given back, so the access lasts.
                unsafe { &$mut *guard.mutex.data.get() }
            }
        })?

        impl<T: ?Sized> core::ops::Deref for $Guard<'_, T> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                // SAFETY: the guard stands for access to the data (invariant 3).
                unsafe { &*self.mutex.data.get() }
            }
        }

        $(impl<T: ?Sized> core::ops::DerefMut for $Guard<'_, T> {
            #[inline]
            fn deref_mut(&mut self) -> &$mut T {
                // SAFETY: as in `deref`; this guard is the only one, and borrowed exclusively.
                unsafe { &$mut *self.mutex.data.get() }
            }
        })?

        impl<T: ?Sized> Drop for $Guard<'_, T> {
            #[inline]
            fn drop(&mut self) {
                self.track.end();
                // SAFETY: the guard stands for an acquisition, and ends here.
                unsafe { self.mutex.raw.$unlock() }
            }
        }

        $crate::sync::exclusive::show_as_data!($Guard<'_, T>, T);
    };
}
pub(in crate::sync) use guard_methods;
