//! `FairSemaphore` and its permits.

#[cfg(feature = "alloc")]
use alloc::sync::Arc;
use core::ptr;
use core::time::Duration;

use super::methods::semaphore_methods;
use super::permit::permit_methods;
use super::{AcquireError, Closed};
#[cfg(feature = "alloc")]
use crate::cancel::CancelToken;
use crate::primitive::Deadline;
use crate::raw::{self, Limit, Refusal};

/// A counting semaphore of 32 bytes that serves strictly in the order of arrival, also those who
/// want several permits at once.
///
/// As long as somebody waits, nobody who comes later gets a permit: [`acquire`](Self::acquire)
/// queues, [`try_acquire`](Self::try_acquire) is refused. So a thread that waits for many permits
/// collects what comes back until it has enough, and is not overtaken by those who want few.
///
/// Waiters queue on their own stacks; nothing is allocated.
///
/// # Fairness
///
/// First come, first served, by the order in which threads queue. Who gives up leaves the queue at
/// once, and those behind are served if there are enough permits for them. The price is
/// throughput under contention: every permit goes to a thread that may have to be woken first.
/// Where the order does not matter, use a [`Semaphore`](crate::Semaphore).
///
/// # Memory ordering
///
/// Everything done before a release, or before a permit is dropped, happens before the return of
/// an acquisition that takes a permit from then on; and everything done before
/// [`close`](Self::close) happens before the return of an operation that says so.
///
/// # Panics, threads
///
/// A permit that is dropped by unwinding goes back. Permits do not belong to a thread: they may be
/// sent elsewhere, and waiting for a permit that the same thread has is no error but a deadlock.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork`, waiters of the parent do not exist: the queue is empty. Permits that other
/// threads had are out for ever. No method but [`available`](Self::available) may be called in a
/// signal handler, and a handler that forks while its thread waits may leave it waiting for ever in
/// the child. It allocates nothing and uses no thread-local, so that an allocator may use it.
///
/// # Differences
///
/// From `new Semaphore(n, true)` of `java.util.concurrent`: [`try_acquire`](Self::try_acquire) does
/// not overtake either, nor does [`drain`](Self::drain), and asking for more permits than there can
/// be panics instead of waiting for ever. From `tokio::sync::Semaphore`, which is as fair: blocks
/// the thread, has a maximum and time-outs. POSIX and C++20 have nothing like it.
///
/// # Examples
///
/// Readers take one, whoever wants to be alone takes all:
///
/// ```
/// use lockwork::FairSemaphore;
/// use std::thread;
///
/// static SEATS: FairSemaphore = FairSemaphore::new(4);
///
/// thread::scope(|s| {
///     for _ in 0..8 {
///         s.spawn(|| drop(SEATS.acquire().unwrap()));
///     }
///     let all = SEATS.acquire_many(4).unwrap();
///     assert_eq!(SEATS.available(), 0);
///     drop(all);
/// });
/// assert_eq!(SEATS.available(), 4);
/// ```
#[doc(alias("sem_t", "fair semaphore", "weighted semaphore", "counting_semaphore"))]
pub struct FairSemaphore {
    pub(super) raw: raw::FairSemaphore,
}

semaphore_methods! {
    semaphore: FairSemaphore,
    permit: FairSemaphorePermit,
    arc: ArcFairSemaphorePermit,
    raw: raw::FairSemaphore,
    wait: (semaphore, limit) semaphore.wait(1, limit),
    turn: "Those who came before are served before.",
    drained: "While somebody waits it takes none: what is there is for the first in the queue.",
}

impl FairSemaphore {
    /// Takes `n` permits at once, sleeping until all those who came before have theirs and there
    /// are as many.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the semaphore is closed, or is while this waits.
    ///
    /// # Panics
    ///
    /// If `n` is more than [`max`](Self::max): it would wait for ever.
    ///
    /// ```
    /// let semaphore = lockwork::FairSemaphore::new(3);
    /// let mut both = semaphore.acquire_many(2)?;
    /// drop(both.split(1));
    /// assert_eq!(semaphore.available(), 2);
    /// # Ok::<(), lockwork::semaphore::Closed>(())
    /// ```
    #[track_caller]
    pub fn acquire_many(&self, n: u32) -> Result<FairSemaphorePermit<'_>, Closed> {
        self.take_many(n, || Deadline::NEVER).map_err(Closed::from_refusal)?;
        Ok(FairSemaphorePermit { semaphore: self, permits: n })
    }

    /// As [`acquire_many`](Self::acquire_many), waiting at most `timeout`. A time-out too long to
    /// represent means no limit.
    ///
    /// # Errors
    ///
    /// If there were too few permits in time, or the semaphore is closed, or is while this waits.
    /// Who gives up has taken nothing.
    ///
    /// # Panics
    ///
    /// If `n` is more than [`max`](Self::max).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let semaphore = lockwork::FairSemaphore::new(1);
    /// assert!(semaphore.acquire_many_for(2, Duration::from_millis(1)).is_err());
    /// assert_eq!(semaphore.available(), 1);
    /// ```
    #[track_caller]
    pub fn acquire_many_for(
        &self,
        n: u32,
        timeout: Duration,
    ) -> Result<FairSemaphorePermit<'_>, AcquireError> {
        self.take_many(n, || Deadline::after(timeout)).map_err(AcquireError::from_refusal)?;
        Ok(FairSemaphorePermit { semaphore: self, permits: n })
    }

    /// As [`acquire_many`](Self::acquire_many), waiting until `deadline` at the latest: an
    /// `Instant` or a [`Deadline`].
    ///
    /// # Errors
    ///
    /// Those of [`acquire_many_for`](Self::acquire_many_for).
    ///
    /// # Panics
    ///
    /// If `n` is more than [`max`](Self::max).
    ///
    /// ```
    /// use lockwork::{Deadline, FairSemaphore};
    ///
    /// let semaphore = FairSemaphore::new(2);
    /// assert!(semaphore.acquire_many_until(2, Deadline::now()).is_ok());
    /// ```
    #[track_caller]
    pub fn acquire_many_until(
        &self,
        n: u32,
        deadline: impl Into<Deadline>,
    ) -> Result<FairSemaphorePermit<'_>, AcquireError> {
        self.take_many(n, || deadline.into()).map_err(AcquireError::from_refusal)?;
        Ok(FairSemaphorePermit { semaphore: self, permits: n })
    }

    #[track_caller]
    fn take_many<L: Limit>(&self, n: u32, limit: impl FnOnce() -> L) -> Result<(), Refusal> {
        let max = self.max();
        assert!(n <= max, "{n} permits of a semaphore that has at most {max}");
        match self.raw.try_acquire(n) {
            Err(Refusal::NoPermits) => self.raw.wait(n, limit()),
            end => end,
        }
    }
}

#[cfg(feature = "alloc")]
impl FairSemaphore {
    /// As [`acquire_many`](Self::acquire_many), waiting until `token` is cancelled at the latest.
    ///
    /// # Errors
    ///
    /// Those of [`acquire_cancellable`](Self::acquire_cancellable).
    ///
    /// # Panics
    ///
    /// If `n` is more than [`max`](Self::max), or as
    /// [`acquire_cancellable`](Self::acquire_cancellable).
    ///
    /// ```
    /// use lockwork::{FairSemaphore, cancel::CancelToken, semaphore::AcquireError};
    /// use std::time::Duration;
    ///
    /// let (semaphore, soon) = (FairSemaphore::new(1), Duration::from_millis(1));
    /// let both = semaphore.acquire_many_cancellable(2, &CancelToken::with_timeout(soon));
    /// assert_eq!(both.err(), Some(AcquireError::Cancelled));
    /// assert_eq!(semaphore.available(), 1);
    /// ```
    #[track_caller]
    pub fn acquire_many_cancellable(
        &self,
        n: u32,
        token: &CancelToken,
    ) -> Result<FairSemaphorePermit<'_>, AcquireError> {
        token.check()?;
        self.take_many(n, || token)
            .map_err(|refusal| AcquireError::of_cancellable(refusal, token))?;
        Ok(FairSemaphorePermit { semaphore: self, permits: n })
    }

    /// As [`acquire_many`](Self::acquire_many), for permits that own a reference count.
    ///
    /// # Errors
    ///
    /// Those of [`acquire_many`](Self::acquire_many).
    ///
    /// # Panics
    ///
    /// If `n` is more than [`max`](Self::max).
    ///
    /// ```
    /// use lockwork::FairSemaphore;
    /// use std::{sync::Arc, thread};
    ///
    /// let semaphore = Arc::new(FairSemaphore::new(3));
    /// let both = semaphore.acquire_many_arc(2)?;
    /// thread::spawn(move || drop(both)).join().unwrap();
    /// assert_eq!(semaphore.available(), 3);
    /// # Ok::<(), lockwork::semaphore::Closed>(())
    /// ```
    #[doc(alias("acquire_many_owned"))]
    #[track_caller]
    pub fn acquire_many_arc(self: &Arc<Self>, n: u32) -> Result<ArcFairSemaphorePermit, Closed> {
        Ok(self.own(self.acquire_many(n)?))
    }

    /// As [`acquire_many_for`](Self::acquire_many_for), for permits that own a reference count.
    ///
    /// # Errors
    ///
    /// Those of [`acquire_many_for`](Self::acquire_many_for).
    ///
    /// # Panics
    ///
    /// If `n` is more than [`max`](Self::max).
    ///
    /// ```
    /// use std::{sync::Arc, time::Duration};
    ///
    /// let semaphore = Arc::new(lockwork::FairSemaphore::new(1));
    /// assert!(semaphore.acquire_many_arc_for(2, Duration::from_millis(1)).is_err());
    /// ```
    #[track_caller]
    pub fn acquire_many_arc_for(
        self: &Arc<Self>,
        n: u32,
        timeout: Duration,
    ) -> Result<ArcFairSemaphorePermit, AcquireError> {
        Ok(self.own(self.acquire_many_for(n, timeout)?))
    }

    /// As [`acquire_many_until`](Self::acquire_many_until), for permits that own a reference count.
    ///
    /// # Errors
    ///
    /// Those of [`acquire_many_for`](Self::acquire_many_for).
    ///
    /// # Panics
    ///
    /// If `n` is more than [`max`](Self::max).
    ///
    /// ```
    /// use lockwork::{Deadline, FairSemaphore};
    ///
    /// let semaphore = std::sync::Arc::new(FairSemaphore::new(1));
    /// assert!(semaphore.acquire_many_arc_until(2, Deadline::now()).is_err());
    /// ```
    #[track_caller]
    pub fn acquire_many_arc_until(
        self: &Arc<Self>,
        n: u32,
        deadline: impl Into<Deadline>,
    ) -> Result<ArcFairSemaphorePermit, AcquireError> {
        Ok(self.own(self.acquire_many_until(n, deadline)?))
    }
}

/// Permits of a [`FairSemaphore`], one or several. Dropping it gives them back.
///
/// ```
/// let semaphore = lockwork::FairSemaphore::new(3);
/// let permit = semaphore.acquire_many(3).unwrap();
/// std::thread::scope(|s| {
///     s.spawn(move || drop(permit));
/// });
/// assert_eq!(semaphore.available(), 3);
/// ```
#[must_use = "a permit that is dropped goes back at once"]
pub struct FairSemaphorePermit<'a> {
    semaphore: &'a FairSemaphore,
    permits: u32,
}

permit_methods! {
    permit: FairSemaphorePermit<'_>,
    name: "FairSemaphorePermit",
    make: "let semaphore = lockwork::FairSemaphore::new(3);\n\
        let mut permit = semaphore.acquire_many(3).unwrap();",
    semaphore: FairSemaphore,
    again: (semaphore) semaphore,
    same: (left, right) ptr::eq(*left, *right),
}

/// Permits of a [`FairSemaphore`] that own a reference count of it. Dropping it gives them back.
///
/// ```
/// let semaphore = std::sync::Arc::new(lockwork::FairSemaphore::new(3));
/// let permit = semaphore.acquire_many_arc(3).unwrap();
/// std::thread::spawn(move || drop(permit)).join().unwrap();
/// assert_eq!(semaphore.available(), 3);
/// ```
#[cfg(feature = "alloc")]
#[doc(alias("OwnedSemaphorePermit"))]
#[must_use = "a permit that is dropped goes back at once"]
pub struct ArcFairSemaphorePermit {
    semaphore: Arc<FairSemaphore>,
    permits: u32,
}

#[cfg(feature = "alloc")]
permit_methods! {
    permit: ArcFairSemaphorePermit,
    name: "ArcFairSemaphorePermit",
    make: "let semaphore = std::sync::Arc::new(lockwork::FairSemaphore::new(3));\n\
        let mut permit = semaphore.acquire_many_arc(3).unwrap();",
    semaphore: Arc<FairSemaphore>,
    again: (semaphore) semaphore.clone(),
    same: (left, right) Arc::ptr_eq(left, right),
}
