//! Methods that both semaphores have.

macro_rules! semaphore_methods {
    (
        semaphore: $Semaphore:ident,
        permit: $Permit:ident,
        arc: $Arc:ident,
        raw: $raw:ty,
        wait: ($waiter:ident, $limit:ident) $wait:expr,
        turn: $turn:literal,
        drained: $drained:literal $(,)?
    ) => {
        impl $Semaphore {
            $crate::primitive::model_const_fn! {
                /// Creates a semaphore with `permits` permits.
                ///
                /// # Panics
                ///
                /// If they are more than [`MAX_PERMITS`](crate::semaphore::MAX_PERMITS).
                ///
                /// ```
                #[doc = concat!("use lockwork::", stringify!($Semaphore), ";")]
                ///
                #[doc = concat!("static CONNECTIONS: ", stringify!($Semaphore), " = ",
                    stringify!($Semaphore), "::new(8);")]
                /// assert_eq!(CONNECTIONS.available(), 8);
                /// ```
                #[must_use]
                #[track_caller]
                pub const fn new(permits: u32) -> Self {
                    Self { raw: <$raw>::new(permits, $crate::raw::MAX_PERMITS) }
                }
            }

            $crate::primitive::model_const_fn! {
                /// Creates a semaphore with `permits` permits, that never has more than `max`
                /// available.
                ///
                /// # Panics
                ///
                /// If `permits` are more than `max`, or `max` is more than
                /// [`MAX_PERMITS`](crate::semaphore::MAX_PERMITS).
                ///
                /// ```
                #[doc = concat!("let semaphore = lockwork::", stringify!($Semaphore),
                    "::with_max(0, 1);")]
                /// semaphore.release(1)?;
                /// assert!(semaphore.release(1).is_err(), "there is one already");
                /// # Ok::<(), lockwork::semaphore::Full>(())
                /// ```
                #[doc(alias("CreateSemaphore", "SemaphoreSlim"))]
                #[must_use]
                #[track_caller]
                pub const fn with_max(permits: u32, max: u32) -> Self {
                    Self { raw: <$raw>::new(permits, max) }
                }
            }

            /// Takes a permit, sleeping until there is one.
            #[doc = $turn]
            ///
            /// # Errors
            ///
            /// [`Closed`](crate::semaphore::Closed) if the semaphore is closed, or is while this
            /// waits.
            ///
            /// ```
            #[doc = concat!("let semaphore = lockwork::", stringify!($Semaphore), "::new(1);")]
            /// let permit = semaphore.acquire()?;
            /// assert_eq!(semaphore.available(), 0);
            /// drop(permit);
            /// assert_eq!(semaphore.available(), 1);
            /// # Ok::<(), lockwork::semaphore::Closed>(())
            /// ```
            #[doc(alias("sem_wait", "down", "P", "wait"))]
            #[inline]
            #[track_caller]
            pub fn acquire(&self) -> Result<$Permit<'_>, $crate::sync::semaphore::Closed> {
                self.take(|| $crate::primitive::Deadline::NEVER)
                    .map_err($crate::sync::semaphore::Closed::from_refusal)?;
                Ok($Permit { semaphore: self, permits: 1 })
            }

            /// Takes a permit if there is one at this moment. Never blocks.
            ///
            /// # Errors
            ///
            /// If there is none, or the semaphore is closed.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Semaphore),
                                                        ", semaphore::TryAcquireError};")]
            ///
            #[doc = concat!("let semaphore = ", stringify!($Semaphore), "::new(1);")]
            /// let permit = semaphore.try_acquire()?;
            /// assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::NoPermits));
            /// # drop(permit);
            /// # Ok::<(), TryAcquireError>(())
            /// ```
            #[doc(alias("sem_trywait", "tryAcquire"))]
            #[inline]
            pub fn try_acquire(
                &self,
            ) -> Result<$Permit<'_>, $crate::sync::semaphore::TryAcquireError> {
                self.try_acquire_many(1)
            }

            /// Takes `n` permits if there are as many at this moment. Never blocks.
            ///
            /// # Errors
            ///
            /// If there are fewer, of which none is taken then, or the semaphore is closed.
            ///
            /// ```
            #[doc = concat!("let semaphore = lockwork::", stringify!($Semaphore), "::new(3);")]
            /// let both = semaphore.try_acquire_many(2)?;
            /// assert!(semaphore.try_acquire_many(2).is_err());
            /// assert_eq!(semaphore.available(), 1);
            /// # drop(both);
            /// # Ok::<(), lockwork::semaphore::TryAcquireError>(())
            /// ```
            #[inline]
            pub fn try_acquire_many(
                &self,
                n: u32,
            ) -> Result<$Permit<'_>, $crate::sync::semaphore::TryAcquireError> {
                self.raw
                    .try_acquire(n)
                    .map_err($crate::sync::semaphore::TryAcquireError::from_refusal)?;
                Ok($Permit { semaphore: self, permits: n })
            }

            /// As [`acquire`](Self::acquire), waiting at most `timeout`. A time-out too long to
            /// represent means no limit.
            ///
            /// # Errors
            ///
            /// If there was no permit in time, or the semaphore is closed, or is while this waits.
            /// A permit that is there is taken, also with a time-out of zero.
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Semaphore),
                                                        ", semaphore::AcquireError};")]
            /// use std::time::Duration;
            ///
            #[doc = concat!("let semaphore = ", stringify!($Semaphore), "::new(0);")]
            /// let late = semaphore.acquire_for(Duration::from_millis(1));
            /// assert_eq!(late.err(), Some(AcquireError::TimedOut));
            /// ```
            #[doc(alias("sem_timedwait", "acquire_timeout", "try_acquire_for"))]
            #[inline]
            #[track_caller]
            pub fn acquire_for(
                &self,
                timeout: core::time::Duration,
            ) -> Result<$Permit<'_>, $crate::sync::semaphore::AcquireError> {
                self.take(|| $crate::primitive::Deadline::after(timeout))
                    .map_err($crate::sync::semaphore::AcquireError::from_refusal)?;
                Ok($Permit { semaphore: self, permits: 1 })
            }

            /// As [`acquire`](Self::acquire), waiting until `deadline` at the latest: an `Instant`
            /// or a [`Deadline`](crate::Deadline).
            ///
            /// # Errors
            ///
            /// If there was no permit in time, or the semaphore is closed, or is while this waits.
            /// A permit that is there is taken, however late it is.
            ///
            /// ```
            #[doc = concat!("use lockwork::{Deadline, ", stringify!($Semaphore), "};")]
            ///
            #[doc = concat!("let semaphore = ", stringify!($Semaphore), "::new(1);")]
            /// let permit = semaphore.acquire_until(Deadline::now())?;
            /// assert!(semaphore.acquire_until(Deadline::now()).is_err());
            /// # drop(permit);
            /// # Ok::<(), lockwork::semaphore::AcquireError>(())
            /// ```
            #[doc(alias("sem_clockwait", "try_acquire_until"))]
            #[inline]
            #[track_caller]
            pub fn acquire_until(
                &self,
                deadline: impl Into<$crate::primitive::Deadline>,
            ) -> Result<$Permit<'_>, $crate::sync::semaphore::AcquireError> {
                self.take(|| deadline.into())
                    .map_err($crate::sync::semaphore::AcquireError::from_refusal)?;
                Ok($Permit { semaphore: self, permits: 1 })
            }

            /// Adds `n` permits, which need not have been acquired before, and wakes those who can
            /// have them now.
            ///
            /// Permits that were acquired go back by themselves, when the value that stands for
            /// them is dropped; this is for those that were forgotten, and for semaphores that
            /// count something which comes from elsewhere.
            ///
            /// # Errors
            ///
            /// [`Full`](crate::semaphore::Full) if there would be more permits than the maximum.
            /// None is added then.
            ///
            /// ```
            #[doc = concat!("let arrived = lockwork::", stringify!($Semaphore), "::new(0);")]
            /// std::thread::scope(|s| {
            ///     for _ in 0..3 {
            ///         s.spawn(|| arrived.acquire().unwrap().forget());
            ///     }
            ///     arrived.release(3).unwrap();
            /// });
            /// assert_eq!(arrived.available(), 0);
            /// ```
            #[doc(alias("sem_post", "up", "V", "add_permits", "ReleaseSemaphore", "signal"))]
            #[inline]
            pub fn release(&self, n: u32) -> Result<(), $crate::sync::semaphore::Full> {
                // Before, as the semaphore may be gone afterwards.
                let max = self.raw.max();
                if n == 0 {
                    return Ok(());
                }
                self.raw.release(n).map_err(|available| $crate::sync::semaphore::Full {
                    released: n,
                    available,
                    max,
                })
            }

            /// Takes all permits there are at this moment, possibly none. Never blocks, and works
            /// on a closed semaphore too.
            #[doc = $drained]
            ///
            /// ```
            #[doc = concat!("let semaphore = lockwork::", stringify!($Semaphore), "::new(3);")]
            /// let all = semaphore.drain();
            /// assert_eq!((all.permits(), semaphore.available()), (3, 0));
            /// all.forget(); // or drop it, and they are back
            /// ```
            #[doc(alias("drainPermits", "forget_permits"))]
            pub fn drain(&self) -> $Permit<'_> {
                $Permit { semaphore: self, permits: self.raw.drain() }
            }

            /// The number of permits at this moment; a gauge while others acquire and release.
            ///
            /// ```
            #[doc = concat!("assert_eq!(lockwork::", stringify!($Semaphore),
                                                        "::new(2).available(), 2);")]
            /// ```
            #[doc(alias("sem_getvalue", "availablePermits", "available_permits"))]
            #[must_use]
            pub fn available(&self) -> u32 {
                self.raw.available()
            }

            /// The most permits that there can be.
            ///
            /// ```
            #[doc = concat!("assert_eq!(lockwork::", stringify!($Semaphore),
                                                        "::with_max(0, 5).max(), 5);")]
            /// ```
            #[must_use]
            pub fn max(&self) -> u32 {
                self.raw.max()
            }

            /// Lets nobody acquire any more: whoever waits gets an error now, and whoever comes
            /// gets one at once, also if there are permits. Says whether the semaphore was open.
            ///
            /// Permits that are out stay valid, and go back as ever.
            ///
            /// ```
            #[doc = concat!("let semaphore = lockwork::", stringify!($Semaphore), "::new(0);")]
            /// std::thread::scope(|s| {
            ///     let waiter = s.spawn(|| semaphore.acquire().is_err());
            ///     assert!(semaphore.close());
            ///     assert!(waiter.join().unwrap());
            /// });
            /// assert!(!semaphore.close(), "closed already");
            /// ```
            pub fn close(&self) -> bool {
                self.raw.close()
            }

            /// Whether [`close`](Self::close) was called.
            ///
            /// ```
            #[doc = concat!("assert!(!lockwork::", stringify!($Semaphore),
                                                        "::new(1).is_closed());")]
            /// ```
            #[must_use]
            pub fn is_closed(&self) -> bool {
                self.raw.is_closed()
            }

            #[inline]
            fn take<L: $crate::raw::Limit>(
                &self,
                limit: impl FnOnce() -> L,
            ) -> Result<(), $crate::raw::Refusal> {
                match self.raw.try_acquire(1) {
                    Err($crate::raw::Refusal::NoPermits) => {
                        let ($waiter, $limit) = (&self.raw, limit());
                        $wait
                    }
                    end => end,
                }
            }
        }

        #[cfg(feature = "alloc")]
        impl $Semaphore {
            /// As [`acquire`](Self::acquire), waiting until `token` is cancelled at the latest.
            ///
            /// # Errors
            ///
            /// [`AcquireError::Cancelled`](crate::semaphore::AcquireError::Cancelled) if the token
            /// was cancelled before there was a permit, or is already, or
            /// [`AcquireError::Closed`](crate::semaphore::AcquireError::Closed). Nothing is taken
            /// then.
            ///
            /// # Panics
            ///
            /// As [`CancelToken::is_cancelled`](crate::cancel::CancelToken::is_cancelled).
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Semaphore),
                                    ", cancel::CancelToken, semaphore::AcquireError};")]
            ///
            #[doc = concat!("let (semaphore, token) = (", stringify!($Semaphore),
                                    "::new(0), CancelToken::new());")]
            /// std::thread::scope(|s| {
            ///     let waiter = s.spawn(|| semaphore.acquire_cancellable(&token).err());
            ///     token.cancel();
            ///     assert_eq!(waiter.join().unwrap(), Some(AcquireError::Cancelled));
            /// });
            /// ```
            #[doc(alias("acquireInterruptibly", "sem_wait"))]
            #[track_caller]
            pub fn acquire_cancellable(
                &self,
                token: &$crate::cancel::CancelToken,
            ) -> Result<$Permit<'_>, $crate::sync::semaphore::AcquireError> {
                token.check()?;
                self.take(|| token).map_err(|refusal| {
                    $crate::sync::semaphore::AcquireError::of_cancellable(refusal, token)
                })?;
                Ok($Permit { semaphore: self, permits: 1 })
            }

            /// As [`acquire_cancellable`](Self::acquire_cancellable), for a permit that owns a
            /// reference count.
            ///
            /// # Errors
            ///
            /// Those of [`acquire_cancellable`](Self::acquire_cancellable).
            ///
            /// # Panics
            ///
            /// As [`acquire_cancellable`](Self::acquire_cancellable).
            ///
            /// ```
            #[doc = concat!("use lockwork::{", stringify!($Semaphore),
                                    ", cancel::CancelToken};")]
            ///
            #[doc = concat!("let semaphore = std::sync::Arc::new(", stringify!($Semaphore),
                                    "::new(1));")]
            /// let permit = semaphore.acquire_arc_cancellable(&CancelToken::new())?;
            /// assert_eq!(permit.permits(), 1);
            /// # Ok::<(), lockwork::semaphore::AcquireError>(())
            /// ```
            #[track_caller]
            pub fn acquire_arc_cancellable(
                self: &alloc::sync::Arc<Self>,
                token: &$crate::cancel::CancelToken,
            ) -> Result<$Arc, $crate::sync::semaphore::AcquireError> {
                Ok(self.own(self.acquire_cancellable(token)?))
            }

            /// As [`acquire`](Self::acquire), for a permit that owns a reference count.
            ///
            /// # Errors
            ///
            /// Those of [`acquire`](Self::acquire).
            ///
            /// ```
            /// use std::{sync::Arc, thread};
            ///
            #[doc = concat!("let semaphore = Arc::new(lockwork::", stringify!($Semaphore),
                                                        "::new(2));")]
            /// let permit = semaphore.acquire_arc()?;
            /// thread::spawn(move || drop(permit)).join().unwrap();
            /// assert_eq!(semaphore.available(), 2);
            /// # Ok::<(), lockwork::semaphore::Closed>(())
            /// ```
            #[doc(alias("acquire_owned"))]
            #[inline]
            #[track_caller]
            pub fn acquire_arc(
                self: &alloc::sync::Arc<Self>,
            ) -> Result<$Arc, $crate::sync::semaphore::Closed> {
                Ok(self.own(self.acquire()?))
            }

            /// As [`try_acquire`](Self::try_acquire), for a permit that owns a reference count.
            ///
            /// # Errors
            ///
            /// Those of [`try_acquire`](Self::try_acquire).
            ///
            /// ```
            #[doc = concat!("let semaphore = std::sync::Arc::new(lockwork::",
                                                        stringify!($Semaphore), "::new(1));")]
            /// let permit = semaphore.try_acquire_arc()?;
            /// assert!(semaphore.try_acquire_arc().is_err());
            /// # drop(permit);
            /// # Ok::<(), lockwork::semaphore::TryAcquireError>(())
            /// ```
            #[doc(alias("try_acquire_owned"))]
            #[inline]
            pub fn try_acquire_arc(
                self: &alloc::sync::Arc<Self>,
            ) -> Result<$Arc, $crate::sync::semaphore::TryAcquireError> {
                Ok(self.own(self.try_acquire()?))
            }

            /// As [`try_acquire_many`](Self::try_acquire_many), for a permit that owns a reference
            /// count.
            ///
            /// # Errors
            ///
            /// Those of [`try_acquire_many`](Self::try_acquire_many).
            ///
            /// ```
            #[doc = concat!("let semaphore = std::sync::Arc::new(lockwork::",
                                                        stringify!($Semaphore), "::new(3));")]
            /// let both = semaphore.try_acquire_many_arc(2)?;
            /// assert_eq!(both.permits(), 2);
            /// # Ok::<(), lockwork::semaphore::TryAcquireError>(())
            /// ```
            #[doc(alias("try_acquire_many_owned"))]
            #[inline]
            pub fn try_acquire_many_arc(
                self: &alloc::sync::Arc<Self>,
                n: u32,
            ) -> Result<$Arc, $crate::sync::semaphore::TryAcquireError> {
                Ok(self.own(self.try_acquire_many(n)?))
            }

            /// As [`acquire_for`](Self::acquire_for), for a permit that owns a reference count.
            ///
            /// # Errors
            ///
            /// Those of [`acquire_for`](Self::acquire_for).
            ///
            /// ```
            /// use std::{sync::Arc, time::Duration};
            ///
            #[doc = concat!("let semaphore = Arc::new(lockwork::", stringify!($Semaphore),
                                                        "::new(0));")]
            /// assert!(semaphore.acquire_arc_for(Duration::from_millis(1)).is_err());
            /// ```
            #[inline]
            #[track_caller]
            pub fn acquire_arc_for(
                self: &alloc::sync::Arc<Self>,
                timeout: core::time::Duration,
            ) -> Result<$Arc, $crate::sync::semaphore::AcquireError> {
                Ok(self.own(self.acquire_for(timeout)?))
            }

            /// As [`acquire_until`](Self::acquire_until), for a permit that owns a reference count.
            ///
            /// # Errors
            ///
            /// Those of [`acquire_until`](Self::acquire_until).
            ///
            /// ```
            /// use lockwork::Deadline;
            ///
            #[doc = concat!("let semaphore = std::sync::Arc::new(lockwork::",
                                                        stringify!($Semaphore), "::new(0));")]
            /// assert!(semaphore.acquire_arc_until(Deadline::now()).is_err());
            /// ```
            #[inline]
            #[track_caller]
            pub fn acquire_arc_until(
                self: &alloc::sync::Arc<Self>,
                deadline: impl Into<$crate::primitive::Deadline>,
            ) -> Result<$Arc, $crate::sync::semaphore::AcquireError> {
                Ok(self.own(self.acquire_until(deadline)?))
            }

            /// The same permits, with a reference count of the semaphore that they are from.
            fn own(self: &alloc::sync::Arc<Self>, permit: $Permit<'_>) -> $Arc {
                let permits = permit.permits;
                permit.forget();
                $Arc { semaphore: self.clone(), permits }
            }
        }

        impl core::fmt::Debug for $Semaphore {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.raw.fmt(f)
            }
        }
    };
}
pub(super) use semaphore_methods;
