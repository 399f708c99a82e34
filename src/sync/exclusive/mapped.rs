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

            /// Where the part is. What may be done with it, the guard says.
            #[inline]
            fn data(guard: &Self) -> *mut T {
                guard.data.as_ptr()
            }

            #[inline]
            fn raw(guard: &Self) -> &$raw {
                guard.raw
            }
        }

        $crate::sync::exclusive::map_methods! {
            guard: $Mapped,
            mapped: $Mapped,
            access: [$($mut)?],
            example: {
                #[doc = concat!("use lockwork::{", stringify!($Lock), ", ", stringify!($Guard),
                    ", ", stringify!($Mapped), "};")]
                ///
                #[doc = concat!("let list = ", stringify!($Lock), "::new([(1, \"one\")]);")]
                #[doc = concat!("let guard = ", stringify!($Guard), "::map(list.lock(), |list| ",
                    $crate::sync::exclusive::borrow!([$($mut)?]), "list[0]);")]
            },
        }

        $crate::sync::exclusive::guard_traits! {
            { impl<T: ?Sized> } for $Mapped<'_, T>,
            data: T,
            unlock: $unlock,
            access: [$($mut)?],
        }
    };
}
pub(in crate::sync) use mapped_guard_methods;
