//! Methods of the guards that borrow the lock.

macro_rules! guard_methods {
    (
        lock: $Lock:ident,
        guard: $Guard:ident,
        mapped: $Mapped:ident,
        raw: $raw:ty,
        unlock: $unlock:ident,
        relock: $relock:ident,
        way: $way:ty,
        track: $track:ident,
        access: [$($mut:tt)?],
        whole: $whole:ident,
        levels: { $(#[$levels:meta])* } $(,)?
    ) => {
        impl<'a, T: ?Sized> $Guard<'a, T> {
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

        $crate::sync::exclusive::map_methods! {
            guard: $Guard,
            mapped: $Mapped,
            access: [$($mut)?],
            example: {
                #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard),
                    "};")]
                ///
                #[doc = concat!("let pair = ", stringify!($Lock), "::new((1, \"one\"));")]
                /// let guard = pair.lock();
            },
        }

        $crate::sync::exclusive::whole_guard_methods! {
            { impl<'a, T: ?Sized> } for $Guard<'a, T>,
            mutex: &'a $Lock<T>,
            raw: $raw,
            unlock: $unlock,
            relock: $relock,
            way: $way,
            track: $track,
            access: [$($mut)?],
            levels: { $(#[$levels])* },
            example: {
                #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard),
                    "};")]
                ///
                #[doc = concat!("let mutex = ", stringify!($Lock), "::new(5);")]
                /// let mut guard = mutex.lock();
            },
        }

        $crate::sync::exclusive::guard_traits! {
            { impl<T: ?Sized> } for $Guard<'_, T>,
            data: T,
            unlock: $unlock,
            access: [$($mut)?],
        }
    };
}
pub(in crate::sync) use guard_methods;
