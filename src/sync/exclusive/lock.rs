//! Methods of the locks.

macro_rules! lock_methods {
    (
        lock: $Lock:ident,
        guard: $Guard:ident,
        arc: $Arc:ident,
        raw: $raw:ty,
        taken: $taken:literal,
        panics: { $(#[$panics:meta])* } $(,)?
    ) => {
        $crate::sync::exclusive::lock_data_methods! { lock: $Lock, raw: $raw }

        impl<T: ?Sized> $Lock<T> {
            /// Takes the lock, sleeping until it is free.
            $(#[$panics])*
            ///
            /// ```
            #[doc = concat!("let mutex = lockwork::", stringify!($Lock), "::new(vec![1, 2]);")]
            /// let list = mutex.lock();
            /// assert_eq!(list.len(), 2);
            /// ```
            #[inline]
            #[track_caller]
            pub fn lock(&self) -> $Guard<'_, T> {
                self.raw.lock();
                // SAFETY: just locked.
                unsafe { $Guard::new(self) }
            }

            /// Takes the lock if it is free at this moment.
            ///
            /// # Errors
            ///
            #[doc = concat!("`None` if ", $taken, ".")]
            $(#[$panics])*
            ///
            /// ```
            #[doc = concat!("let mutex = lockwork::", stringify!($Lock), "::new(5);")]
            /// let held = mutex.try_lock().expect("nobody else is here");
            /// std::thread::scope(|s| {
            ///     s.spawn(|| assert!(mutex.try_lock().is_none()));
            /// });
            /// assert_eq!(*held, 5);
            /// ```
            #[doc(alias("pthread_mutex_trylock"))]
            #[inline]
            #[track_caller]
            pub fn try_lock(&self) -> Option<$Guard<'_, T>> {
                // SAFETY: locked if it says so.
                self.raw.try_lock().then(|| unsafe { $Guard::new(self) })
            }

            /// Takes the lock, waiting at most `timeout`. A time-out too long to represent means no
            /// limit.
            ///
            /// # Errors
            ///
            /// `None` if the lock could not be taken in time. It is tried at least once, also with
            /// a time-out of zero.
            $(#[$panics])*
            ///
            /// ```
            /// use std::time::Duration;
            ///
            #[doc = concat!("let mutex = lockwork::", stringify!($Lock), "::new(());")]
            /// let _held = mutex.lock();
            /// std::thread::scope(|s| {
            ///     s.spawn(|| assert!(mutex.try_lock_for(Duration::from_millis(1)).is_none()));
            /// });
            /// ```
            #[doc(alias("lock_timeout", "pthread_mutex_timedlock", "tryLock"))]
            #[inline]
            #[track_caller]
            pub fn try_lock_for(&self, timeout: core::time::Duration) -> Option<$Guard<'_, T>> {
                self.try_lock()
                    .or_else(|| self.lock_until($crate::primitive::Deadline::after(timeout)))
            }

            /// Takes the lock, waiting until `deadline` at the latest: an `Instant` or a
            /// [`Deadline`](crate::Deadline).
            ///
            /// # Errors
            ///
            /// `None` if the lock could not be taken in time. It is tried at least once, also after
            /// the deadline.
            $(#[$panics])*
            ///
            /// ```
            /// use std::time::{Duration, Instant};
            ///
            #[doc = concat!("let mutex = lockwork::", stringify!($Lock), "::new(5);")]
            /// let in_a_second = Instant::now() + Duration::from_secs(1);
            /// assert_eq!(mutex.try_lock_until(in_a_second).as_deref(), Some(&5));
            /// ```
            #[doc(alias = "pthread_mutex_clocklock")]
            #[inline]
            #[track_caller]
            pub fn try_lock_until(
                &self,
                deadline: impl Into<$crate::primitive::Deadline>,
            ) -> Option<$Guard<'_, T>> {
                self.try_lock().or_else(|| self.lock_until(deadline.into()))
            }

            fn lock_until(
                &self,
                deadline: $crate::primitive::Deadline,
            ) -> Option<$Guard<'_, T>> {
                // SAFETY: locked if it says so.
                self.raw.lock_until(deadline).then(|| unsafe { $Guard::new(self) })
            }
        }

        #[cfg(feature = "alloc")]
        impl<T: ?Sized> $Lock<T> {
            /// As [`lock`](Self::lock), with a guard that owns a reference count instead of
            /// borrowing.
            $(#[$panics])*
            ///
            /// ```
            /// use std::sync::Arc;
            ///
            #[doc = concat!("let guard = Arc::new(lockwork::", stringify!($Lock),
                "::new(\"kept\")).lock_arc();")]
            /// assert_eq!(*guard, "kept"); // the mutex lives as long as its guard
            /// ```
            #[inline]
            #[track_caller]
            pub fn lock_arc(self: &alloc::sync::Arc<Self>) -> $Arc<T> {
                self.raw.lock();
                // SAFETY: just locked.
                unsafe { $Arc::new(self.clone()) }
            }

            /// As [`try_lock`](Self::try_lock), with a guard that owns a reference count.
            ///
            /// # Errors
            ///
            #[doc = concat!("`None` if ", $taken, ".")]
            $(#[$panics])*
            ///
            /// ```
            /// use std::sync::Arc;
            ///
            #[doc = concat!("let mutex = Arc::new(lockwork::", stringify!($Lock), "::new(5));")]
            /// let _held = mutex.lock();
            /// let other = mutex.clone();
            /// std::thread::spawn(move || assert!(other.try_lock_arc().is_none())).join().unwrap();
            /// ```
            #[inline]
            #[track_caller]
            pub fn try_lock_arc(self: &alloc::sync::Arc<Self>) -> Option<$Arc<T>> {
                // SAFETY: locked if it says so.
                self.raw.try_lock().then(|| unsafe { $Arc::new(self.clone()) })
            }

            /// As [`try_lock_for`](Self::try_lock_for), with a guard that owns a reference count.
            ///
            /// # Errors
            ///
            /// `None` if the lock could not be taken in time.
            $(#[$panics])*
            ///
            /// ```
            /// use std::sync::Arc;
            /// use std::time::Duration;
            ///
            #[doc = concat!("let mutex = Arc::new(lockwork::", stringify!($Lock), "::new(5));")]
            /// assert!(mutex.try_lock_arc_for(Duration::from_secs(1)).is_some());
            /// ```
            #[inline]
            #[track_caller]
            pub fn try_lock_arc_for(
                self: &alloc::sync::Arc<Self>,
                timeout: core::time::Duration,
            ) -> Option<$Arc<T>> {
                self.try_lock_arc()
                    .or_else(|| self.lock_arc_until($crate::primitive::Deadline::after(timeout)))
            }

            /// As [`try_lock_until`](Self::try_lock_until), with a guard that owns a reference
            /// count.
            ///
            /// # Errors
            ///
            /// `None` if the lock could not be taken in time.
            $(#[$panics])*
            ///
            /// ```
            /// use std::sync::Arc;
            ///
            #[doc = concat!("let mutex = Arc::new(lockwork::", stringify!($Lock), "::new(5));")]
            /// assert!(mutex.try_lock_arc_until(lockwork::Deadline::now()).is_some());
            /// ```
            #[inline]
            #[track_caller]
            pub fn try_lock_arc_until(
                self: &alloc::sync::Arc<Self>,
                deadline: impl Into<$crate::primitive::Deadline>,
            ) -> Option<$Arc<T>> {
                self.try_lock_arc().or_else(|| self.lock_arc_until(deadline.into()))
            }

            fn lock_arc_until(
                self: &alloc::sync::Arc<Self>,
                deadline: $crate::primitive::Deadline,
            ) -> Option<$Arc<T>> {
                // SAFETY: locked if it says so.
                self.raw.lock_until(deadline).then(|| unsafe { $Arc::new(self.clone()) })
            }
        }

        $crate::sync::lock_set::lockable!($Lock, $Guard);

        impl<T: ?Sized + core::fmt::Debug> core::fmt::Debug for $Lock<T> {
            /// Shows the data if the lock can be had at this moment, and that it is locked
            /// otherwise.
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let mut out = f.debug_struct(stringify!($Lock));
                match self.try_lock() {
                    Some(guard) => out.field("data", &&*guard).finish(),
                    None => out.field("data", &format_args!("<locked>")).finish(),
                }
            }
        }
    };
}
pub(in crate::sync) use lock_methods;
