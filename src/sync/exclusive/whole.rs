//! Methods of the guards for the whole data, which know their mutex, by a borrow or an `Arc`.

macro_rules! whole_guard_methods {
    (
        { $($impl:tt)* } for $Guard:ident<$($a:lifetime,)? $T:ident>,
        mutex: $mutex:ty,
        raw: $raw:ty,
        unlock: $unlock:ident,
        relock: $relock:ident,
        way: $way:ty,
        track: $track:ident,
        access: [$($mut:tt)?],
        levels: { $(#[$levels:meta])* },
        example: { $(#[$example:meta])* } $(,)?
    ) => {
        $($impl)* $Guard<$($a,)? $T> {
            /// # Safety
            ///
            /// The calling thread has acquired the lock, and no guard stands for that yet.
            #[inline]
            unsafe fn new(mutex: $mutex) -> Self {
                Self { track: mutex.data.$track(), mutex, stays: core::marker::PhantomData }
            }

            /// Unlocks, runs `between`, and locks again, sleeping until the lock is free.
            $(#[$levels])*
            ///
            /// If `between` panics, the lock is taken again before the unwinding goes on.
            ///
            /// ```
            $(#[$example])*
            #[doc = concat!("let free = ", stringify!($Guard),
                "::unlocked(&mut guard, || !mutex.is_locked());")]
            /// assert!(free && mutex.is_locked());
            /// ```
            #[track_caller]
            pub fn unlocked<R>(guard: &mut Self, between: impl FnOnce() -> R) -> R {
                // SAFETY: `release` is called with an acquisition.
                Self::released(guard, |raw| unsafe { raw.$unlock() }, between)
            }

            /// As [`unlocked`](Self::unlocked), but hands the lock to a thread that sleeps for it,
            /// if there is one.
            $(#[$levels])*
            ///
            /// ```
            $(#[$example])*
            #[doc = concat!("assert_eq!(", stringify!($Guard),
                "::unlocked_fair(&mut guard, || \"meanwhile\"), \"meanwhile\");")]
            /// assert_eq!(*guard, 5);
            /// ```
            #[track_caller]
            pub fn unlocked_fair<R>(guard: &mut Self, between: impl FnOnce() -> R) -> R {
                // SAFETY: `release` is called with an acquisition.
                Self::released(guard, |raw| unsafe { raw.unlock_fair() }, between)
            }

            /// Runs `between` with the acquisition given back by `release`. The guard has another
            /// one when this returns, and also when `between` panics: it goes on to stand for one
            /// (invariant 1), and will release it.
            fn released<R>(
                guard: &mut Self,
                release: impl FnOnce(&$raw),
                between: impl FnOnce() -> R,
            ) -> R {
                let (mutex, track) = (&*guard.mutex, &mut guard.track);
                track.end();
                release(&mutex.raw);
                let _again = $crate::sync::exclusive::OnDrop(|| {
                    mutex.raw.$relock();
                    *track = mutex.data.$track();
                });
                between()
            }

            /// Where the data is. What may be done with it, the guard says.
            #[inline]
            fn data(guard: &Self) -> *mut $T {
                guard.mutex.data.get()
            }

            #[inline]
            fn raw(guard: &Self) -> &$raw {
                &guard.mutex.raw
            }

            /// Lets a thread that waits for the lock have its turn, and locks again; does nothing
            /// if nobody waits. For long work that can be interrupted.
            $(#[$levels])*
            ///
            /// ```
            $(#[$example])*
            /// for _ in 0..3 {
            #[doc = concat!("    ", stringify!($Guard), "::bump(&mut guard); // between two steps")]
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
        }

        $crate::sync::suspend::wait_guard! {
            { $($impl)* } for $Guard<$($a,)? $T>,
            data: $T,
            lock: |guard| &guard.mutex,
            way: $way,
            track: $track,
            access: [$($mut)?],
        }
    };
}
pub(in crate::sync) use whole_guard_methods;
