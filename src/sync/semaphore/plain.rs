//! `Semaphore` and its permits.

#[cfg(feature = "alloc")]
use alloc::sync::Arc;
use core::ptr;

use super::methods::semaphore_methods;
use super::permit::permit_methods;
use crate::raw;

/// A counting semaphore of sixteen bytes: a number of permits, that threads take and give back, and
/// sleep for while there are none.
///
/// Use it to let at most so many do something at a time, or to count what some threads make and
/// others use up. A permit goes back when the [`SemaphorePermit`] that stands for it is dropped, in
/// whatever thread; [`release`](Self::release) adds permits that nobody has acquired.
///
/// `release(n)` is one atomic operation, and at most one system call however many it wakes.
///
/// # Fairness
///
/// None is promised: a thread that comes at the right moment is faster than one that is being
/// woken. Who wants an order, or several permits at once, uses a
/// [`FairSemaphore`](crate::FairSemaphore).
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
/// # Freeing it
///
/// Whoever has got the last permit that will be released may free the semaphore, although the
/// release that it came from has not returned yet.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork`, permits that other threads had are out for ever, as those threads do not
/// exist there. Waiters of the parent stay counted: each release in the child makes one system call
/// that finds nobody. [`release`](Self::release) and [`try_acquire`](Self::try_acquire) may be
/// called in a signal handler. It allocates nothing and uses no thread-local, so that an allocator
/// may use it.
///
/// # Differences
///
/// From `sem_t`: [`release`](Self::release) of many at once, a maximum, closing, time-outs by
/// `CLOCK_MONOTONIC`; a signal does not end a wait; no initialization and no destruction; not
/// shared between processes. From `std::counting_semaphore` of C++20: more permits than the maximum
/// are refused and not undefined. From `java.util.concurrent.Semaphore`: permits are values that go
/// back by themselves, and only [`FairSemaphore`](crate::FairSemaphore) waits for several. From
/// `tokio::sync::Semaphore`: blocks the thread, is not fair, and merging foreign permits gives them
/// back and does not panic.
///
/// # Examples
///
/// At most two at a time:
///
/// ```
/// use lockwork::Semaphore;
/// use std::thread;
///
/// static LIMIT: Semaphore = Semaphore::new(2);
///
/// thread::scope(|s| {
///     for _ in 0..8 {
///         s.spawn(|| {
///             let _permit = LIMIT.acquire().expect("never closed");
///             // two of the eight are here at any time
///         });
///     }
/// });
/// assert_eq!(LIMIT.available(), 2);
/// ```
///
/// A permit borrows its semaphore:
///
/// ```compile_fail,E0597
/// let permit = {
///     let semaphore = lockwork::Semaphore::new(1);
///     semaphore.acquire()
/// };
/// ```
#[doc(alias("sem_t", "sem_init", "counting_semaphore", "binary_semaphore", "bounded parallelism"))]
#[doc(alias("CreateSemaphore", "SemaphoreSlim", "LifoSem"))]
pub struct Semaphore {
    pub(super) raw: raw::Semaphore,
}

semaphore_methods! {
    semaphore: Semaphore,
    permit: SemaphorePermit,
    arc: ArcSemaphorePermit,
    raw: raw::Semaphore,
    wait: (semaphore, limit) semaphore.wait(limit),
    turn: "",
    drained: "",
}

/// Permits of a [`Semaphore`], usually one. Dropping it gives them back.
///
/// ```
/// let semaphore = lockwork::Semaphore::new(1);
/// let permit = semaphore.acquire().unwrap();
/// std::thread::scope(|s| {
///     s.spawn(move || drop(permit));
/// });
/// assert_eq!(semaphore.available(), 1);
/// ```
#[must_use = "a permit that is dropped goes back at once"]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    permits: u32,
}

impl Semaphore {
    /// What `wait_any` waits for.
    pub(in crate::sync) fn raw_waitable(&self) -> &dyn raw::Waitable {
        &self.raw
    }
}

impl<'a> SemaphorePermit<'a> {
    /// For a permit that was taken from the semaphore inside.
    pub(in crate::sync) fn of_one(semaphore: &'a Semaphore) -> Self {
        Self { semaphore, permits: 1 }
    }
}

permit_methods! {
    permit: SemaphorePermit<'_>,
    name: "SemaphorePermit",
    make: "let semaphore = lockwork::Semaphore::new(3);\n\
        let mut permit = semaphore.try_acquire_many(3).unwrap();",
    semaphore: Semaphore,
    again: (semaphore) semaphore,
    same: (left, right) ptr::eq(*left, *right),
}

/// Permits of a [`Semaphore`] that own a reference count of it. Dropping it gives them back.
///
/// ```
/// use lockwork::Semaphore;
/// use std::{sync::Arc, thread};
///
/// let semaphore = Arc::new(Semaphore::new(4));
/// let workers: Vec<_> = (0..8)
///     .map(|_| {
///         let permit = semaphore.acquire_arc().unwrap();
///         thread::spawn(move || drop(permit)) // after its work
///     })
///     .collect();
/// workers.into_iter().for_each(|worker| worker.join().unwrap());
/// assert_eq!(semaphore.available(), 4);
/// ```
#[cfg(feature = "alloc")]
#[doc(alias("OwnedSemaphorePermit"))]
#[must_use = "a permit that is dropped goes back at once"]
pub struct ArcSemaphorePermit {
    semaphore: Arc<Semaphore>,
    permits: u32,
}

#[cfg(feature = "alloc")]
permit_methods! {
    permit: ArcSemaphorePermit,
    name: "ArcSemaphorePermit",
    make: "let semaphore = std::sync::Arc::new(lockwork::Semaphore::new(3));\n\
        let mut permit = semaphore.try_acquire_many_arc(3).unwrap();",
    semaphore: Arc<Semaphore>,
    again: (semaphore) semaphore.clone(),
    same: (left, right) Arc::ptr_eq(left, right),
}
