//! Methods of the guards that own a reference count of the lock.

#[cfg(feature = "alloc")]
macro_rules! arc_guard_methods {
    (
        lock: $Lock:ident,
        arc: $Arc:ident,
        unlock: $unlock:ident,
        relock: $relock:ident,
        track: $track:ident,
        access: [$($mut:tt)?],
        whole: $whole:ident,
        levels: { $(#[$levels:meta])* } $(,)?
    ) => {
        impl<T: ?Sized> $Arc<T> {
            /// # Safety
            ///
            /// The calling thread has acquired the lock, and no guard stands for that yet.
            #[inline]
            unsafe fn new(mutex: alloc::sync::Arc<$Lock<T>>) -> Self {
                Self { track: mutex.data.$track(), mutex, stays: core::marker::PhantomData }
            }

            /// The mutex that this guard has locked.
            ///
            /// An associated function, as all here are: a method would hide one of the data's.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Arc), "};")]
            /// use std::sync::Arc;
            ///
            #[doc = concat!("let mutex = Arc::new(", stringify!($Lock), "::new(1));")]
            /// let guard = mutex.lock_arc();
            #[doc = concat!("assert!(Arc::ptr_eq(", stringify!($Arc), "::",
                stringify!($whole), "(&guard), &mutex));")]
            /// ```
            #[must_use]
            pub fn $whole(guard: &Self) -> &alloc::sync::Arc<$Lock<T>> {
                &guard.mutex
            }

            /// Unlocks, and keeps the reference count.
            $(#[$levels])*
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Arc), "};")]
            /// use std::sync::Arc;
            ///
            #[doc = concat!("let guard = Arc::new(", stringify!($Lock), "::new(1)).lock_arc();")]
            #[doc = concat!("let mutex = ", stringify!($Arc), "::into_arc(guard);")]
            /// assert!(!mutex.is_locked());
            /// ```
            #[inline]
            #[track_caller]
            pub fn into_arc(guard: Self) -> alloc::sync::Arc<$Lock<T>> {
                let (mutex, mut track) = guard.into_parts();
                track.end();
                // SAFETY: the parts stand for an acquisition, which ends here.
                unsafe { mutex.raw.$unlock() };
                mutex
            }

            /// As [`into_arc`](Self::into_arc), but hands the lock to a thread that sleeps for it,
            /// if there is one.
            $(#[$levels])*
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Arc), "};")]
            /// use std::sync::Arc;
            ///
            #[doc = concat!("let guard = Arc::new(", stringify!($Lock), "::new(1)).lock_arc();")]
            #[doc = concat!("let mutex = ", stringify!($Arc), "::into_arc_fair(guard);")]
            /// assert!(!mutex.is_locked());
            /// ```
            #[inline]
            #[track_caller]
            pub fn into_arc_fair(guard: Self) -> alloc::sync::Arc<$Lock<T>> {
                let (mutex, mut track) = guard.into_parts();
                track.end();
                // SAFETY: the parts stand for an acquisition, which ends here.
                unsafe { mutex.raw.unlock_fair() };
                mutex
            }

            /// Unlocks, and hands the lock to a thread that sleeps for it, if there is one: nobody
            /// who comes meanwhile gets in between.
            $(#[$levels])*
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Arc), "};")]
            /// use std::sync::Arc;
            ///
            #[doc = concat!("let mutex = Arc::new(", stringify!($Lock), "::new(1));")]
            #[doc = concat!(stringify!($Arc), "::unlock_fair(mutex.lock_arc());")]
            /// assert!(!mutex.is_locked());
            /// ```
            #[inline]
            #[track_caller]
            pub fn unlock_fair(guard: Self) {
                drop(Self::into_arc_fair(guard));
            }

            /// Unlocks, runs `between`, and locks again, sleeping until the lock is free.
            $(#[$levels])*
            ///
            /// If `between` panics, the lock is taken again before the unwinding goes on.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Arc), "};")]
            /// use std::sync::Arc;
            ///
            #[doc = concat!("let mutex = Arc::new(", stringify!($Lock), "::new(1));")]
            /// let mut guard = mutex.lock_arc();
            #[doc = concat!("let free = ", stringify!($Arc),
                "::unlocked(&mut guard, || !mutex.is_locked());")]
            /// assert!(free && mutex.is_locked());
            /// ```
            #[track_caller]
            pub fn unlocked<R>(guard: &mut Self, between: impl FnOnce() -> R) -> R {
                let mutex = &*guard.mutex;
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
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Arc), "};")]
            /// use std::sync::Arc;
            ///
            #[doc = concat!("let mut guard = Arc::new(", stringify!($Lock),
                "::new(1)).lock_arc();")]
            #[doc = concat!("assert_eq!(", stringify!($Arc),
                "::unlocked_fair(&mut guard, || \"meanwhile\"), \"meanwhile\");")]
            /// assert_eq!(*guard, 1);
            /// ```
            #[track_caller]
            pub fn unlocked_fair<R>(guard: &mut Self, between: impl FnOnce() -> R) -> R {
                let mutex = &*guard.mutex;
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

            /// Lets a thread that waits for the lock have its turn, and locks again; does nothing
            /// if nobody waits.
            $(#[$levels])*
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Arc), "};")]
            /// use std::sync::Arc;
            ///
            #[doc = concat!("let mut guard = Arc::new(", stringify!($Lock),
                "::new(1)).lock_arc();")]
            #[doc = concat!(stringify!($Arc), "::bump(&mut guard);")]
            /// assert_eq!(*guard, 1);
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
            fn into_parts(self) -> (alloc::sync::Arc<$Lock<T>>, $crate::primitive::Tracked) {
                let guard = core::mem::ManuallyDrop::new(self);
                // SAFETY: the guard is not dropped, so these are the only copies.
                unsafe {
                    (
                        core::ptr::read(&raw const guard.mutex),
                        core::ptr::read(&raw const guard.track),
                    )
                }
            }
        }

        impl<T: ?Sized> core::ops::Deref for $Arc<T> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                // SAFETY: the guard stands for access to the data (invariant 3).
                unsafe { &*self.mutex.data.get() }
            }
        }

        $(impl<T: ?Sized> core::ops::DerefMut for $Arc<T> {
            #[inline]
            fn deref_mut(&mut self) -> &$mut T {
                // SAFETY: as in `deref`; this guard is the only one, and borrowed exclusively.
                unsafe { &$mut *self.mutex.data.get() }
            }
        })?

        impl<T: ?Sized> Drop for $Arc<T> {
            /// Unlocks; the reference count is given up after that.
            #[inline]
            fn drop(&mut self) {
                self.track.end();
                // SAFETY: the guard stands for an acquisition, and ends here.
                unsafe { self.mutex.raw.$unlock() }
            }
        }

        $crate::sync::exclusive::show_as_data!($Arc<T>, T);
    };
}
#[cfg(feature = "alloc")]
pub(in crate::sync) use arc_guard_methods;
