//! Methods of the guards that own a reference count of the lock.

#[cfg(feature = "alloc")]
macro_rules! arc_guard_methods {
    (
        lock: $Lock:ident,
        arc: $Arc:ident,
        raw: $raw:ty,
        unlock: $unlock:ident,
        relock: $relock:ident,
        way: $way:ty,
        track: $track:ident,
        access: [$($mut:tt)?],
        whole: $whole:ident,
        levels: { $(#[$levels:meta])* } $(,)?
    ) => {
        impl<T: ?Sized> $Arc<T> {
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

        $crate::sync::exclusive::whole_guard_methods! {
            { impl<T: ?Sized> } for $Arc<T>,
            mutex: alloc::sync::Arc<$Lock<T>>,
            raw: $raw,
            unlock: $unlock,
            relock: $relock,
            way: $way,
            track: $track,
            access: [$($mut)?],
            levels: { $(#[$levels])* },
            example: {
                #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Arc),
                    "};")]
                /// use std::sync::Arc;
                ///
                #[doc = concat!("let mutex = Arc::new(", stringify!($Lock), "::new(5));")]
                /// let mut guard = mutex.lock_arc();
            },
        }

        $crate::sync::exclusive::guard_traits! {
            { impl<T: ?Sized> } for $Arc<T>,
            data: T,
            unlock: $unlock,
            access: [$($mut)?],
        }
    };
}
#[cfg(feature = "alloc")]
pub(in crate::sync) use arc_guard_methods;
