//! `ReentrantMutex` and its guards.

use alloc::sync::Arc;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::exclusive::{arc_guard_methods, guard_methods, lock_methods, mapped_guard_methods};
use crate::primitive::{Tracked, UnsafeCell};
use crate::raw;

/// A mutual exclusion lock that the thread which has it may lock again.
///
/// Each guard of a thread stands for one level; the lock is free again once all of them are
/// dropped, in whatever order. Since a thread may have several guards at once, they give out
/// shared references only: put a `Cell` or a `RefCell` inside to change the data. It need not be
/// `Sync`, as only one thread at a time gets at it.
///
/// Sixteen bytes around the data. The first level costs what a [`Mutex`](crate::Mutex) costs and a
/// look at a thread-local; each further one costs that look and an addition, and no atomic
/// read-modify-write.
///
/// Use it where a function that locks is called by others that have locked. Where you can, lock
/// once and pass the data on instead: a [`Mutex`](crate::Mutex) gives out exclusive references.
///
/// # Fairness
///
/// As [`Mutex`](crate::Mutex#fairness): none is promised; [`ReentrantMutexGuard::unlock_fair`] and
/// [`ReentrantMutexGuard::bump`] hand the lock to a sleeper when they give the last level back.
///
/// # Memory ordering
///
/// Everything done before the unlock of the last level happens before everything done after the
/// next lock.
///
/// # Panics
///
/// Locking panics if a thread has 2 147 483 647 levels already, and leaves the lock as it was.
///
/// # Fork, signals, panics, allocators
///
/// In the child of a `fork`, the thread that forked has the levels that it had, and its guards; it
/// may lock again, and once the guards there are dropped the lock is free in the child, whatever
/// the parent does with its own. What another thread had locked stays locked for ever in the child:
/// no thread there owns it, and waits with a limit end. A lock that was free works.
///
/// A signal neither ends a wait nor moves its limit. A handler must not wait without a limit: if it
/// interrupted its own thread on the way in or out of the lock, it finds the lock taken by nobody
/// yet, or any more. It may try, also with a limit, if it gives back what it got before it returns;
/// where the thread that it interrupted is the owner, so is the handler. `errno` stays what it was.
///
/// Each guard gives its level back when it is dropped, during unwinding too. There is no poisoning.
/// A closure that panics inside [`ReentrantMutexGuard::map`] drops the guard; inside
/// [`ReentrantMutexGuard::unlocked`], the level is taken again first.
///
/// Nothing is allocated. What says which thread it is, a thread-local, has no destructor, so the
/// lock works in those of others. In an allocator, use a [`Mutex`](crate::Mutex): in a library that
/// is loaded at run time the C library may have to allocate a thread's locals when they are first
/// used.
///
/// # Differences
///
/// From `parking_lot::ReentrantMutex`: 16 bytes plus the data, and the numbers of threads are never
/// used again, so no new thread is taken for an owner that has ended without unlocking. From
/// `pthread_mutex_t` of the recursive kind: after a fork the child's thread is still the owner.
///
/// # Examples
///
/// ```
/// use lockwork::ReentrantMutex;
/// use std::cell::RefCell;
///
/// struct Tree {
///     nodes: ReentrantMutex<RefCell<Vec<u32>>>,
/// }
///
/// impl Tree {
///     fn add(&self, node: u32) {
///         self.nodes.lock().borrow_mut().push(node);
///     }
///
///     fn add_twice(&self, node: u32) {
///         let _both = self.nodes.lock(); // nobody sees only one of them
///         self.add(node);
///         self.add(node);
///     }
/// }
///
/// let tree = Tree { nodes: ReentrantMutex::default() };
/// std::thread::scope(|s| {
///     s.spawn(|| tree.add_twice(1));
///     s.spawn(|| tree.add_twice(2));
/// });
/// let nodes = tree.nodes.into_inner().into_inner();
/// assert!(nodes == [1, 1, 2, 2] || nodes == [2, 2, 1, 1]);
/// ```
///
/// Data that must not leave its thread cannot be shared by a mutex:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::ReentrantMutex::new(std::rc::Rc::new(0)));
/// ```
///
/// A guard gives no exclusive access, as it may not be the only one:
///
/// ```compile_fail,E0594
/// let mutex = lockwork::ReentrantMutex::new(0);
/// *mutex.lock() = 1;
/// ```
#[doc(alias("recursive mutex", "PTHREAD_MUTEX_RECURSIVE", "recursive_mutex", "ReentrantLock"))]
#[doc(alias("RLock", "remutex", "CRITICAL_SECTION", "synchronized"))]
pub struct ReentrantMutex<T: ?Sized> {
    raw: raw::ReentrantMutex,
    data: UnsafeCell<T>,
}

// SAFETY: moving the mutex moves the data; the owner's number stays right, as no guard lives.
unsafe impl<T: ?Sized + Send> Send for ReentrantMutex<T> {}
// SAFETY: a shared mutex lends its data to one thread at a time, however many guards that has. So
// the data must be `Send`, and need not be `Sync`.
unsafe impl<T: ?Sized + Send> Sync for ReentrantMutex<T> {}

lock_methods! {
    lock: ReentrantMutex,
    guard: ReentrantMutexGuard,
    arc: ArcReentrantMutexGuard,
    raw: raw::ReentrantMutex,
    taken: "another thread has the lock",
    panics: {
        ///
        /// # Panics
        ///
        /// If the thread has more levels than can be counted.
    },
}

impl<T: ?Sized> ReentrantMutex<T> {
    /// Whether the calling thread has the lock. Unlike [`is_locked`](Self::is_locked), this cannot
    /// change behind its back.
    ///
    /// ```
    /// let mutex = lockwork::ReentrantMutex::new(());
    /// assert!(!mutex.is_owned_by_current_thread());
    /// let _held = mutex.lock();
    /// assert!(mutex.is_owned_by_current_thread());
    /// std::thread::scope(|s| {
    ///     s.spawn(|| assert!(!mutex.is_owned_by_current_thread()));
    /// });
    /// ```
    #[doc(alias("isHeldByCurrentThread", "Thread.holdsLock"))]
    #[must_use]
    pub fn is_owned_by_current_thread(&self) -> bool {
        self.raw.is_owned_by_current_thread()
    }
}

/// One level of a lock on a [`ReentrantMutex`], and the way to its data. Dropping it gives the
/// level back, and unlocks if it is the thread's last.
///
/// ```
/// use std::cell::Cell;
///
/// let mutex = lockwork::ReentrantMutex::new(Cell::new(0));
/// let first = mutex.lock();
/// let second = mutex.lock();
/// drop(first); // in any order
/// second.set(1);
/// assert!(mutex.is_locked());
/// drop(second);
/// assert!(!mutex.is_locked());
/// ```
///
/// It stays with the thread that locked:
///
/// ```compile_fail,E0277
/// let mutex = lockwork::ReentrantMutex::new(0);
/// let guard = mutex.lock();
/// std::thread::scope(|s| s.spawn(move || drop(guard)));
/// ```
///
/// and is shared by reference only if the data may be:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: &T) {}
/// let mutex = lockwork::ReentrantMutex::new(std::cell::Cell::new(0));
/// shared(&mutex.lock());
/// ```
#[must_use = "if unused the level is given back again at once"]
pub struct ReentrantMutexGuard<'a, T: ?Sized> {
    mutex: &'a ReentrantMutex<T>,
    track: Tracked,
    /// Not `Send`: a thread that locks is the one that unlocks.
    stays: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out shared references to the data, which needs `Sync`, and to the
// mutex, which is shared only if the data is `Send`.
unsafe impl<T: ?Sized + Send + Sync> Sync for ReentrantMutexGuard<'_, T> {}

guard_methods! {
    lock: ReentrantMutex,
    guard: ReentrantMutexGuard,
    mapped: MappedReentrantMutexGuard,
    raw: raw::ReentrantMutex,
    unlock: unlock,
    relock: relock,
    way: raw::Reentrant,
    track: untracked,
    access: [],
    whole: remutex,
    levels: {
        ///
        /// This is about the guard's own level: while the thread has others, the mutex stays
        /// locked.
    },
}

/// One level of a lock on a [`ReentrantMutex`], and the way to a part of its data. Dropping it
/// gives the level back, and unlocks if it is the thread's last.
///
/// Made by [`ReentrantMutexGuard::map`].
///
/// ```
/// use lockwork::{MappedReentrantMutexGuard, ReentrantMutex, ReentrantMutexGuard};
///
/// fn first(pair: &ReentrantMutex<(u8, u8)>) -> MappedReentrantMutexGuard<'_, u8> {
///     ReentrantMutexGuard::map(pair.lock(), |pair| &pair.0)
/// }
///
/// let pair = ReentrantMutex::new((1, 2));
/// assert_eq!(*first(&pair) + *first(&pair), 2);
/// ```
///
/// It stays with the thread that locked, as the whole guard does:
///
/// ```compile_fail,E0277
/// use lockwork::{ReentrantMutex, ReentrantMutexGuard};
/// let mutex = ReentrantMutex::new((0, 0));
/// let part = ReentrantMutexGuard::map(mutex.lock(), |pair| &pair.0);
/// std::thread::scope(|s| s.spawn(move || drop(part)));
/// ```
#[must_use = "if unused the level is given back again at once"]
pub struct MappedReentrantMutexGuard<'a, T: ?Sized> {
    raw: &'a raw::ReentrantMutex,
    data: NonNull<T>,
    track: Tracked,
    /// A shared reference; `NonNull` keeps it from being `Send`.
    part: PhantomData<&'a T>,
}

// SAFETY: a shared guard gives out shared references to the part, and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedReentrantMutexGuard<'_, T> {}

mapped_guard_methods! {
    lock: ReentrantMutex,
    guard: ReentrantMutexGuard,
    mapped: MappedReentrantMutexGuard,
    raw: raw::ReentrantMutex,
    unlock: unlock,
    access: [],
    levels: {
        ///
        /// This is about the guard's own level: while the thread has others, the mutex stays
        /// locked.
    },
}

/// One level of a lock on a [`ReentrantMutex`], by an [`Arc`] instead of a borrow. Dropping it
/// gives the level back, unlocks if it is the thread's last, and gives the reference count up.
///
/// Made by [`ReentrantMutex::lock_arc`].
///
/// ```
/// use lockwork::ReentrantMutex;
/// use std::{cell::Cell, sync::Arc};
///
/// let mutex = Arc::new(ReentrantMutex::new(Cell::new(1)));
/// let (outer, inner) = (mutex.lock_arc(), mutex.lock_arc());
/// inner.set(2);
/// assert_eq!(outer.get(), 2);
/// ```
#[must_use = "if unused the level is given back again at once"]
pub struct ArcReentrantMutexGuard<T: ?Sized> {
    mutex: Arc<ReentrantMutex<T>>,
    track: Tracked,
    /// Not `Send`: a thread that locks is the one that unlocks.
    stays: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out shared references to the data, which needs `Sync`, and to the
// `Arc` of the mutex, which needs `Send`, as another thread may drop it last.
unsafe impl<T: ?Sized + Send + Sync> Sync for ArcReentrantMutexGuard<T> {}

arc_guard_methods! {
    lock: ReentrantMutex,
    arc: ArcReentrantMutexGuard,
    raw: raw::ReentrantMutex,
    unlock: unlock,
    relock: relock,
    way: raw::Reentrant,
    track: untracked,
    access: [],
    whole: remutex,
    levels: {
        ///
        /// This is about the guard's own level: while the thread has others, the mutex stays
        /// locked.
    },
}
