//! `Mutex` and its guards.

#[cfg(feature = "alloc")]
use alloc::sync::Arc;
use core::marker::PhantomData;
use core::ptr::NonNull;

#[cfg(feature = "alloc")]
use super::exclusive::arc_guard_methods;
use super::exclusive::{guard_methods, lock_methods, mapped_guard_methods};
use crate::primitive::{Tracked, UnsafeCell};
use crate::raw;

/// A mutual exclusion lock of four bytes around the data it guards.
///
/// Locking is one atomic read-modify-write when nobody is in the way, and so is unlocking; neither
/// enters the kernel then. A thread that finds the lock taken polls for a moment, gives its core
/// away three times in case the owner waits for one, and then sleeps in the kernel. There is no
/// global state and no allocation, so the lock may guard a global allocator, and one that is free
/// when a process forks works in the child.
///
/// The constructor is `const`: a `static` needs no lazy initialization.
///
/// Use [`Mutex`] for data that threads of one process share. To wait for a condition on the data,
/// add a [`Condvar`](crate::Condvar).
///
/// # Fairness
///
/// Barging, with a bound. A thread that arrives while a sleeper is being woken may take the lock
/// first, as often as it likes, for about a millisecond: a lock that always waits for the sleeper
/// stands idle meanwhile. A sleeper that is woken later than that, and finds the lock taken again,
/// reserves it, and then nobody gets in before it. One waiter at a time can do so; the others keep
/// their turn, as sleepers are woken in the order in which they went to sleep (real-time threads
/// first, by priority). So no thread starves, and most sections run without a switch of threads.
///
/// While the lock is reserved, `try_lock` finds it taken.
///
/// [`MutexGuard::unlock_fair`] and [`MutexGuard::bump`] hand the lock to a sleeper at once;
/// [`FairMutex`](crate::FairMutex) does so every time.
///
/// # Memory ordering
///
/// Everything done before an unlock happens before everything done after the next lock.
///
/// # Deadlocks
///
/// Locking a mutex that the same thread holds blocks for ever;
/// [`ReentrantMutex`](crate::ReentrantMutex) does not.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork`, a mutex that was free works. One that another thread held stays locked for
/// ever, as that thread does not exist there; waits with a limit end. One that the forking thread
/// held is held by the child's thread: the guard is there, in both processes, and each unlocks its
/// own copy. One that was reserved for a waiter is not reserved in the child, where that thread
/// does not exist.
///
/// A signal neither ends a wait nor moves its limit. A handler must not wait for a mutex without a
/// limit, as it may have interrupted the owner, or the waiter that is next. It may try, also with a
/// limit, and unlock what it got; `errno` stays what it was.
///
/// The lock is released when the guard is dropped, during unwinding too, and is not poisoned: what
/// the panicking thread left half done is what the next owner finds. A closure that panics inside
/// [`MutexGuard::map`] drops the guard; inside [`MutexGuard::unlocked`], the lock is taken again
/// first, so that the guard still stands for it.
///
/// Nothing is allocated and no thread-local is used, so a mutex can guard a global allocator, and
/// works in the destructors of thread-locals. An allocator has one duty more: to lock its mutex
/// around each `fork` (`pthread_atfork`), or a child may find it locked for ever.
///
/// # Differences
///
/// From `std::sync::Mutex`: no poisoning, timed locking, mapped guards. From `parking_lot::Mutex`:
/// four bytes instead of one, and no parking lot behind them.
///
/// # Examples
///
/// ```
/// use lockwork::Mutex;
/// use std::thread;
///
/// static HITS: Mutex<u64> = Mutex::new(0);
///
/// thread::scope(|s| {
///     for _ in 0..4 {
///         s.spawn(|| {
///             for _ in 0..1000 {
///                 *HITS.lock() += 1;
///             }
///         });
///     }
/// });
/// assert_eq!(*HITS.lock(), 4000);
/// ```
///
/// Data that must not leave its thread cannot be shared by a mutex:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::Mutex::new(std::rc::Rc::new(0)));
/// ```
///
/// A `Cell` may: only one thread at a time gets at it.
///
/// ```
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::Mutex::new(std::cell::Cell::new(0)));
/// ```
#[doc(alias("pthread_mutex_t", "pthread_mutex_lock", "CRITICAL_SECTION", "SRWLOCK"))]
#[doc(alias("std::mutex", "lock_guard", "synchronized", "futex"))]
pub struct Mutex<T: ?Sized> {
    raw: raw::Mutex,
    data: UnsafeCell<T>,
}

// SAFETY: moving the mutex moves the data.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: a shared mutex hands its data from thread to thread, one at a time, so the data must be
// `Send`; it is never reached by two at once, so it need not be `Sync`.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

lock_methods! {
    lock: Mutex,
    guard: MutexGuard,
    arc: ArcMutexGuard,
    raw: raw::Mutex,
    taken: "the lock is taken, whoever has it",
    panics: {},
}

/// The proof that a [`Mutex`] is locked, and the way to its data. Dropping it unlocks.
///
/// ```
/// let mutex = lockwork::Mutex::new(vec![1]);
/// let mut guard = mutex.lock();
/// guard.push(2);
/// drop(guard); // or leave it to the end of the block
/// assert_eq!(mutex.into_inner(), [1, 2]);
/// ```
///
/// It stays with the thread that locked:
///
/// ```compile_fail,E0277
/// let mutex = lockwork::Mutex::new(0);
/// let guard = mutex.lock();
/// std::thread::scope(|s| s.spawn(move || drop(guard)));
/// ```
///
/// and is shared by reference only if the data may be,
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: &T) {}
/// let mutex = lockwork::Mutex::new(std::cell::Cell::new(0));
/// shared(&mutex.lock());
/// ```
///
/// and if the mutex may be, as the guard leads to it:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: &T) {}
/// let (inner, mutex) = (std::sync::Mutex::new(0), lockwork::Mutex::new(None));
/// *mutex.lock() = Some(inner.lock()); // a guard of `std`'s, which must not change threads
/// shared(&mutex.lock());
/// ```
#[must_use = "if unused the mutex is unlocked again at once"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    track: Tracked,
    /// Not `Send`: a thread that locks is the one that unlocks.
    stays: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out shared references to the data, which needs `Sync`, and to the
// mutex, which is shared only if the data is `Send`.
unsafe impl<T: ?Sized + Send + Sync> Sync for MutexGuard<'_, T> {}

guard_methods! {
    lock: Mutex,
    guard: MutexGuard,
    mapped: MappedMutexGuard,
    raw: raw::Mutex,
    unlock: unlock,
    relock: lock,
    way: raw::Plain,
    track: track_mut,
    access: [mut],
    whole: mutex,
    levels: {},
}

/// For notifications by the owner of the mutex.
impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The lock below.
    pub(super) fn raw_mutex(&self) -> &'a raw::Mutex {
        &self.mutex.raw
    }
}

/// The proof that a [`Mutex`] is locked, and the way to a part of its data. Dropping it unlocks.
///
/// Made by [`MutexGuard::map`]. A condition variable cannot wait with it: it would have to give the
/// whole data away.
///
/// ```
/// use lockwork::{MappedMutexGuard, Mutex, MutexGuard};
///
/// struct Account {
///     balance: Mutex<(u64, u64)>,
/// }
///
/// impl Account {
///     fn euros(&self) -> MappedMutexGuard<'_, u64> {
///         MutexGuard::map(self.balance.lock(), |balance| &mut balance.0)
///     }
/// }
///
/// let account = Account { balance: Mutex::new((3, 50)) };
/// *account.euros() += 1;
/// assert_eq!(*account.euros(), 4);
/// ```
///
/// It stays with the thread that locked, as the whole guard does:
///
/// ```compile_fail,E0277
/// use lockwork::{Mutex, MutexGuard};
/// let mutex = Mutex::new((0, 0));
/// let part = MutexGuard::map(mutex.lock(), |pair| &mut pair.0);
/// std::thread::scope(|s| s.spawn(move || drop(part)));
/// ```
#[must_use = "if unused the mutex is unlocked again at once"]
pub struct MappedMutexGuard<'a, T: ?Sized> {
    raw: &'a raw::Mutex,
    data: NonNull<T>,
    track: Tracked,
    /// Invariant in `T`, as a mutable reference is; `NonNull` keeps it from being `Send`.
    part: PhantomData<&'a mut T>,
}

// SAFETY: a shared guard gives out shared references to the part, and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedMutexGuard<'_, T> {}

mapped_guard_methods! {
    lock: Mutex,
    guard: MutexGuard,
    mapped: MappedMutexGuard,
    raw: raw::Mutex,
    unlock: unlock,
    access: [mut],
    levels: {},
}

/// The proof that a [`Mutex`] is locked, and the way to its data, by an [`Arc`] instead of a
/// borrow. Dropping it unlocks, and gives the reference count up.
///
/// Made by [`Mutex::lock_arc`], for guards that are kept beside what they guard, or returned from
/// where the mutex is found. Of the condition variables, a [`CondvarAny`](crate::CondvarAny) waits
/// with it.
///
/// ```
/// use lockwork::{ArcMutexGuard, Mutex};
/// use std::sync::Arc;
///
/// struct Session {
///     line: ArcMutexGuard<Vec<u8>>, // no lifetime
/// }
///
/// let line = Arc::new(Mutex::new(Vec::new()));
/// let mut session = Session { line: line.lock_arc() };
/// session.line.extend(b"hello");
/// drop(session);
/// assert_eq!(*line.lock(), b"hello");
/// ```
///
/// It stays with the thread that locked, as the one that borrows does:
///
/// ```compile_fail,E0277
/// let guard = std::sync::Arc::new(lockwork::Mutex::new(0)).lock_arc();
/// std::thread::spawn(move || drop(guard));
/// ```
#[cfg(feature = "alloc")]
#[must_use = "if unused the mutex is unlocked again at once"]
pub struct ArcMutexGuard<T: ?Sized> {
    mutex: Arc<Mutex<T>>,
    track: Tracked,
    /// Not `Send`: a thread that locks is the one that unlocks.
    stays: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out shared references to the data, which needs `Sync`, and to the
// `Arc` of the mutex, which needs `Send`, as another thread may drop it last.
#[cfg(feature = "alloc")]
unsafe impl<T: ?Sized + Send + Sync> Sync for ArcMutexGuard<T> {}

#[cfg(feature = "alloc")]
arc_guard_methods! {
    lock: Mutex,
    arc: ArcMutexGuard,
    raw: raw::Mutex,
    unlock: unlock,
    relock: lock,
    way: raw::Plain,
    track: track_mut,
    access: [mut],
    whole: mutex,
    levels: {},
}
