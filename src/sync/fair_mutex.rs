//! `FairMutex` and its guards.

#[cfg(feature = "alloc")]
use alloc::sync::Arc;
use core::marker::PhantomData;
use core::ptr::NonNull;

#[cfg(feature = "alloc")]
use super::exclusive::arc_guard_methods;
use super::exclusive::{guard_methods, lock_methods, mapped_guard_methods};
use crate::primitive::{Tracked, UnsafeCell};
use crate::raw;

/// A [`Mutex`](crate::Mutex) of which every unlock is a fair one.
///
/// A guard that is dropped hands the lock to a thread that sleeps for it, if there is one, instead
/// of making it free: the thread that unlocks cannot take it back at once, however fast it is.
/// That costs a switch of threads for each turn, while a [`Mutex`](crate::Mutex) lets one thread
/// have several turns between two switches. Use it where everybody's next turn matters more than
/// the number of turns, and a [`Mutex`](crate::Mutex) with an occasional
/// [`bump`](crate::MutexGuard::bump) where one thread does long work in pieces.
///
/// Four bytes, no global state and a `const` constructor, as a [`Mutex`](crate::Mutex) has.
///
/// # Fairness
///
/// Who sleeps is served before whoever comes later. Threads that have not gone to sleep yet, and
/// those that use [`try_lock`](Self::try_lock), can still be first while the lock is free. Of the
/// sleepers the kernel takes the one with the highest real-time priority, else the first.
///
/// # Memory ordering
///
/// Everything done before an unlock happens before everything done after the next lock.
///
/// # Deadlocks
///
/// Locking a mutex that the same thread holds blocks for ever.
///
/// # Fork, signals, panics, allocators
///
/// As for [`Mutex`](crate::Mutex#fork-signals-panics-allocators). Every unlock is a fair one here,
/// during unwinding too.
///
/// # Differences
///
/// From `parking_lot::FairMutex`: four bytes instead of one, and no parking lot behind them. `std`
/// has no such lock. A [`Condvar`](crate::Condvar) takes guards of [`Mutex`](crate::Mutex) only, as
/// in `parking_lot`; a [`CondvarAny`](crate::CondvarAny) takes those of this one too.
///
/// # Examples
///
/// ```
/// use lockwork::FairMutex;
/// use std::thread;
///
/// let log = FairMutex::new(Vec::new());
/// thread::scope(|s| {
///     for name in ["a", "b", "c"] {
///         let log = &log;
///         s.spawn(move || {
///             for _ in 0..10 {
///                 log.lock().push(name);
///             }
///         });
///     }
/// });
/// assert_eq!(log.into_inner().len(), 30);
/// ```
///
/// Data that must not leave its thread cannot be shared by a mutex:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::FairMutex::new(std::rc::Rc::new(0)));
/// ```
#[doc(alias("fair lock", "ticket lock", "ReentrantLock", "hand-off"))]
pub struct FairMutex<T: ?Sized> {
    raw: raw::Mutex,
    data: UnsafeCell<T>,
}

// SAFETY: moving the mutex moves the data.
unsafe impl<T: ?Sized + Send> Send for FairMutex<T> {}
// SAFETY: a shared mutex hands its data from thread to thread, one at a time, so the data must be
// `Send`; it is never reached by two at once, so it need not be `Sync`.
unsafe impl<T: ?Sized + Send> Sync for FairMutex<T> {}

lock_methods! {
    lock: FairMutex,
    guard: FairMutexGuard,
    arc: ArcFairMutexGuard,
    raw: raw::Mutex,
    taken: "the lock is taken, whoever has it",
    panics: {},
}

/// The proof that a [`FairMutex`] is locked, and the way to its data. Dropping it hands the lock
/// to a thread that sleeps for it, or unlocks.
///
/// ```
/// let mutex = lockwork::FairMutex::new(vec![1]);
/// mutex.lock().push(2);
/// assert_eq!(mutex.into_inner(), [1, 2]);
/// ```
///
/// It stays with the thread that locked:
///
/// ```compile_fail,E0277
/// let mutex = lockwork::FairMutex::new(0);
/// let guard = mutex.lock();
/// std::thread::scope(|s| s.spawn(move || drop(guard)));
/// ```
#[must_use = "if unused the mutex is unlocked again at once"]
pub struct FairMutexGuard<'a, T: ?Sized> {
    mutex: &'a FairMutex<T>,
    track: Tracked,
    /// Not `Send`: a thread that locks is the one that unlocks.
    stays: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out shared references to the data, which needs `Sync`, and to the
// mutex, which is shared only if the data is `Send`.
unsafe impl<T: ?Sized + Send + Sync> Sync for FairMutexGuard<'_, T> {}

guard_methods! {
    lock: FairMutex,
    guard: FairMutexGuard,
    mapped: MappedFairMutexGuard,
    raw: raw::Mutex,
    unlock: unlock_fair,
    relock: lock,
    way: raw::Fair,
    track: track_mut,
    access: [mut],
    whole: mutex,
    levels: {},
}

/// The proof that a [`FairMutex`] is locked, and the way to a part of its data. Dropping it hands
/// the lock to a thread that sleeps for it, or unlocks.
///
/// Made by [`FairMutexGuard::map`].
///
/// ```
/// use lockwork::{FairMutex, FairMutexGuard, MappedFairMutexGuard};
///
/// fn first(pair: &FairMutex<(u8, u8)>) -> MappedFairMutexGuard<'_, u8> {
///     FairMutexGuard::map(pair.lock(), |pair| &mut pair.0)
/// }
///
/// let pair = FairMutex::new((1, 2));
/// *first(&pair) = 10;
/// assert_eq!(*pair.lock(), (10, 2));
/// ```
#[must_use = "if unused the mutex is unlocked again at once"]
pub struct MappedFairMutexGuard<'a, T: ?Sized> {
    raw: &'a raw::Mutex,
    data: NonNull<T>,
    track: Tracked,
    /// Invariant in `T`, as a mutable reference is; `NonNull` keeps it from being `Send`.
    part: PhantomData<&'a mut T>,
}

// SAFETY: a shared guard gives out shared references to the part, and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedFairMutexGuard<'_, T> {}

mapped_guard_methods! {
    lock: FairMutex,
    guard: FairMutexGuard,
    mapped: MappedFairMutexGuard,
    raw: raw::Mutex,
    unlock: unlock_fair,
    access: [mut],
    levels: {},
}

/// The proof that a [`FairMutex`] is locked, by an [`Arc`] instead of a borrow. Dropping it hands
/// the lock to a thread that sleeps for it, or unlocks, and gives the reference count up.
///
/// Made by [`FairMutex::lock_arc`].
///
/// ```
/// use lockwork::FairMutex;
/// use std::sync::Arc;
///
/// let mutex = Arc::new(FairMutex::new(1));
/// *mutex.lock_arc() += 1;
/// assert_eq!(*mutex.lock(), 2);
/// ```
#[cfg(feature = "alloc")]
#[must_use = "if unused the mutex is unlocked again at once"]
pub struct ArcFairMutexGuard<T: ?Sized> {
    mutex: Arc<FairMutex<T>>,
    track: Tracked,
    /// Not `Send`: a thread that locks is the one that unlocks.
    stays: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out shared references to the data, which needs `Sync`, and to the
// `Arc` of the mutex, which needs `Send`, as another thread may drop it last.
#[cfg(feature = "alloc")]
unsafe impl<T: ?Sized + Send + Sync> Sync for ArcFairMutexGuard<T> {}

#[cfg(feature = "alloc")]
arc_guard_methods! {
    lock: FairMutex,
    arc: ArcFairMutexGuard,
    raw: raw::Mutex,
    unlock: unlock_fair,
    relock: lock,
    way: raw::Fair,
    track: track_mut,
    access: [mut],
    whole: mutex,
    levels: {},
}
