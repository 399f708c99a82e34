//! What every guard is: the way to its data, and the unlock at its end.

macro_rules! guard_traits {
    (
        { $($impl:tt)* } for $Guard:ty,
        data: $T:ident,
        unlock: $unlock:ident,
        access: [mut] $(,)?
    ) => {
        $crate::sync::exclusive::guard_traits! {
            { $($impl)* } for $Guard, data: $T, unlock: $unlock, access: []
        }

        $($impl)* core::ops::DerefMut for $Guard {
            #[inline]
            fn deref_mut(&mut self) -> &mut $T {
                // SAFETY: the guard stands for exclusive access (invariant 3), and is borrowed
                // exclusively.
                unsafe { &mut *Self::data(self) }
            }
        }
    };
    (
        { $($impl:tt)* } for $Guard:ty,
        data: $T:ident,
        unlock: $unlock:ident,
        access: [] $(,)?
    ) => {
        $($impl)* core::ops::Deref for $Guard {
            type Target = $T;

            #[inline]
            fn deref(&self) -> &$T {
                // SAFETY: the guard stands for access to its data (invariant 3).
                unsafe { &*Self::data(self) }
            }
        }

        $($impl)* Drop for $Guard {
            #[inline]
            fn drop(&mut self) {
                self.track.end();
                // SAFETY: the guard stands for an acquisition, and ends here.
                unsafe { Self::raw(self).$unlock() }
            }
        }

        $($impl)* core::fmt::Debug for $Guard
        where
            $T: core::fmt::Debug,
        {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                (**self).fmt(f)
            }
        }

        $($impl)* core::fmt::Display for $Guard
        where
            $T: core::fmt::Display,
        {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                (**self).fmt(f)
            }
        }
    };
}
pub(in crate::sync) use guard_traits;
