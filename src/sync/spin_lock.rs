//! `SpinLock` and its guards.

#[cfg(feature = "alloc")]
use alloc::sync::Arc;
use core::marker::PhantomData;
use core::ptr::NonNull;

#[cfg(feature = "alloc")]
use super::exclusive::arc_guard_methods;
use super::exclusive::{guard_methods, lock_methods, mapped_guard_methods};
use crate::primitive::{Tracked, UnsafeCell};
use crate::raw;

/// A [`Mutex`](crate::Mutex) whose waiters poll for twenty microseconds before they sleep.
///
/// They look at the lock at growing distances, up to 64 pauses of the processor, and go on while
/// others sleep already; then they sleep as those of a [`Mutex`](crate::Mutex) do. So it is no lock
/// that burns a processor for as long as somebody else works, and it is safe with more threads than
/// cores, with priorities, and when its owner is stopped: there it is only slower.
///
/// # When to use it
///
/// Seldom. [`Mutex`](crate::Mutex) polls too, for about as long as a short section takes, and stops
/// as soon as others sleep, which is better for the machine as a whole; it is the choice unless a
/// measurement of your program says otherwise. That may be so if *all* of this holds: sections last
/// a few microseconds and never block; the threads that use the lock have cores to themselves; and
/// what matters is the time from an unlock to the next owner's first instruction, which for a
/// sleeper is a system call and a switch of threads. On a single core it can only lose.
///
/// Four bytes, no global state and a `const` constructor, as a [`Mutex`](crate::Mutex) has. A
/// [`CondvarAny`](crate::CondvarAny) takes its guards.
///
/// # Fairness
///
/// Whoever polls overtakes whoever sleeps, until a sleeper has waited for long
/// ([as there](crate::Mutex#fairness)). [`SpinLockGuard::unlock_fair`] and
/// [`SpinLockGuard::bump`] hand the lock to a sleeper, if there is one, and not to one that polls.
///
/// # Memory ordering
///
/// Everything done before an unlock happens before everything done after the next lock.
///
/// # Panics in a critical section
///
/// The lock is released when the guard is dropped, during unwinding too, and is not poisoned.
///
/// # Deadlocks
///
/// Locking a lock that the same thread holds blocks for ever.
///
/// # Fork, signals, panics, allocators
///
/// As for [`Mutex`](crate::Mutex#fork-signals-panics-allocators).
///
/// # Differences
///
/// From `spin::Mutex` and `pthread_spin_lock`: waiters sleep in the end, and there are limits to
/// waits. From a lock with interrupts off, in a kernel: the owner may be preempted at any moment.
///
/// # Examples
///
/// ```
/// use lockwork::SpinLock;
/// use std::thread;
///
/// static LAST: SpinLock<u64> = SpinLock::new(0);
///
/// thread::scope(|s| {
///     for _ in 0..2 {
///         s.spawn(|| (0..1000).for_each(|_| *LAST.lock() += 1));
///     }
/// });
/// assert_eq!(*LAST.lock(), 2000);
/// ```
///
/// Data that must not leave its thread cannot be shared by a lock:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::SpinLock::new(std::rc::Rc::new(0)));
/// ```
#[doc(alias("pthread_spinlock_t", "pthread_spin_lock", "spin::Mutex", "adaptive mutex"))]
pub struct SpinLock<T: ?Sized> {
    raw: raw::SpinLock,
    data: UnsafeCell<T>,
}

// SAFETY: moving the lock moves the data.
unsafe impl<T: ?Sized + Send> Send for SpinLock<T> {}
// SAFETY: a shared lock hands its data from thread to thread, one at a time, so the data must be
// `Send`; it is never reached by two at once, so it need not be `Sync`.
unsafe impl<T: ?Sized + Send> Sync for SpinLock<T> {}

lock_methods! {
    lock: SpinLock,
    guard: SpinLockGuard,
    arc: ArcSpinLockGuard,
    raw: raw::SpinLock,
    taken: "the lock is taken, whoever has it",
    panics: {},
}

/// The proof that a [`SpinLock`] is locked, and the way to its data. Dropping it unlocks.
///
/// ```
/// let lock = lockwork::SpinLock::new(vec![1]);
/// lock.lock().push(2);
/// assert_eq!(lock.into_inner(), [1, 2]);
/// ```
///
/// It stays with the thread that locked:
///
/// ```compile_fail,E0277
/// let lock = lockwork::SpinLock::new(0);
/// let guard = lock.lock();
/// std::thread::scope(|s| s.spawn(move || drop(guard)));
/// ```
#[must_use = "if unused the lock is released again at once"]
pub struct SpinLockGuard<'a, T: ?Sized> {
    mutex: &'a SpinLock<T>,
    track: Tracked,
    /// Not `Send`: a thread that locks is the one that unlocks.
    stays: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out shared references to the data, which needs `Sync`, and to the
// lock, which is shared only if the data is `Send`.
unsafe impl<T: ?Sized + Send + Sync> Sync for SpinLockGuard<'_, T> {}

guard_methods! {
    lock: SpinLock,
    guard: SpinLockGuard,
    mapped: MappedSpinLockGuard,
    raw: raw::SpinLock,
    unlock: unlock,
    relock: lock,
    way: raw::Spinning,
    track: track_mut,
    access: [mut],
    whole: mutex,
    levels: {},
}

/// The proof that a [`SpinLock`] is locked, and the way to a part of its data. Dropping it unlocks.
///
/// Made by [`SpinLockGuard::map`].
///
/// ```
/// use lockwork::{MappedSpinLockGuard, SpinLock, SpinLockGuard};
///
/// fn first(pair: &SpinLock<(u8, u8)>) -> MappedSpinLockGuard<'_, u8> {
///     SpinLockGuard::map(pair.lock(), |pair| &mut pair.0)
/// }
///
/// let pair = SpinLock::new((1, 2));
/// *first(&pair) = 10;
/// assert_eq!(*pair.lock(), (10, 2));
/// ```
#[must_use = "if unused the lock is released again at once"]
pub struct MappedSpinLockGuard<'a, T: ?Sized> {
    raw: &'a raw::SpinLock,
    data: NonNull<T>,
    track: Tracked,
    /// Invariant in `T`, as a mutable reference is; `NonNull` keeps it from being `Send`.
    part: PhantomData<&'a mut T>,
}

// SAFETY: a shared guard gives out shared references to the part, and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedSpinLockGuard<'_, T> {}

mapped_guard_methods! {
    lock: SpinLock,
    guard: SpinLockGuard,
    mapped: MappedSpinLockGuard,
    raw: raw::SpinLock,
    unlock: unlock,
    access: [mut],
    levels: {},
}

/// The proof that a [`SpinLock`] is locked, and the way to its data, by an [`Arc`] instead of a
/// borrow. Dropping it unlocks, and gives the reference count up.
///
/// Made by [`SpinLock::lock_arc`].
///
/// ```
/// use lockwork::{ArcSpinLockGuard, SpinLock};
/// use std::sync::Arc;
///
/// fn open() -> ArcSpinLockGuard<u32> {
///     Arc::new(SpinLock::new(1)).lock_arc() // the lock lives as long as its guard
/// }
/// assert_eq!(*open(), 1);
/// ```
#[cfg(feature = "alloc")]
#[must_use = "if unused the lock is released again at once"]
pub struct ArcSpinLockGuard<T: ?Sized> {
    mutex: Arc<SpinLock<T>>,
    track: Tracked,
    /// Not `Send`: a thread that locks is the one that unlocks.
    stays: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out shared references to the data, which needs `Sync`, and to the
// `Arc` of the lock, which needs `Send`, as another thread may drop it last.
#[cfg(feature = "alloc")]
unsafe impl<T: ?Sized + Send + Sync> Sync for ArcSpinLockGuard<T> {}

#[cfg(feature = "alloc")]
arc_guard_methods! {
    lock: SpinLock,
    arc: ArcSpinLockGuard,
    raw: raw::SpinLock,
    unlock: unlock,
    relock: lock,
    way: raw::Spinning,
    track: track_mut,
    access: [mut],
    whole: mutex,
    levels: {},
}
