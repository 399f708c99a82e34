//! Ways to have a lock that a waiter gives up while it waits, and then takes again.
//!
//! A condition variable asks four things of one: to be given up, to be taken again, whether taking
//! it would block at this moment, and which of the others want the same. That last question has to
//! be answered with care: of those that want the same some are let go by one another, so **whatever
//! keeps one of them out must keep out the others too**. A writer waits for readers inside; if
//! readers were let go by a writer, they would wait for readers as well. So each way to have one
//! lock is another [`Way`].

#[cfg(feature = "alloc")]
use core::marker::PhantomData;

use super::{Mutex, RwLock, SpinLock};
#[cfg(feature = "std")]
use crate::primitive::PiError;

/// Tells the ways to have one lock apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As its owner, where there is no other way.
    Owner,
    /// The same, of one that is not to be moved to its mutex.
    OwnerInPlace,
    /// As a reader.
    Reader,
    /// As the writer of a lock that has readers.
    Writer,
    /// As the reader that may become the writer.
    Upgradable,
}

/// A way to have a lock, for a waiter that gives it up and takes it again.
pub trait Relock {
    /// The lock.
    type Lock;

    /// The way. No two implementations for one type of lock have the same, but for those whose
    /// waiters keep each other out as if they were one.
    const WAY: Way;

    /// Refuses a wait that nobody could end, before anything has changed.
    ///
    /// # Panics
    ///
    /// If it does.
    ///
    /// # Safety
    ///
    /// The calling context has the lock in this way.
    #[inline]
    #[track_caller]
    unsafe fn check(lock: &Self::Lock) {
        let _ = lock;
    }

    /// Gives the lock up.
    ///
    /// # Safety
    ///
    /// The calling context has the lock in this way.
    unsafe fn unlock(lock: &Self::Lock);

    /// Takes the lock in this way, sleeping until that is possible. Does not unwind.
    fn relock(lock: &Self::Lock);

    /// As [`relock`](Self::relock), for one that was moved to the word of [`mutex`](Self::mutex),
    /// and may have slept there.
    fn relock_moved(lock: &Self::Lock) {
        Self::relock(lock);
    }

    /// Whether one that takes the lock in this way at this moment would sleep. A hint.
    fn is_taken(lock: &Self::Lock) -> bool;

    /// The mutex that the lock consists of, if it is one. Waiters can be moved to it.
    fn mutex(lock: &Self::Lock) -> Option<&Mutex> {
        let _ = lock;
        None
    }
}

/// Implements what waiters do with a mutex themselves, whichever way it is unlocked.
macro_rules! relock_mutex {
    ($(#[$meta:meta])* $name:ident, $unlock:ident) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub enum $name {}

        impl Relock for $name {
            type Lock = Mutex;
            const WAY: Way = Way::Owner;

            #[inline]
            unsafe fn unlock(mutex: &Mutex) {
                // SAFETY: by the caller's contract.
                unsafe { mutex.$unlock() }
            }

            #[inline]
            fn relock(mutex: &Mutex) {
                mutex.lock();
            }

            #[inline]
            fn relock_moved(mutex: &Mutex) {
                mutex.relock_moved();
            }

            #[inline]
            fn is_taken(mutex: &Mutex) -> bool {
                mutex.is_locked()
            }

            #[inline]
            fn mutex(mutex: &Mutex) -> Option<&Mutex> {
                Some(mutex)
            }
        }
    };
}

relock_mutex! {
    /// A mutex, unlocked as is quickest.
    Plain, unlock
}

relock_mutex! {
    /// A mutex, handed to a thread that sleeps for it.
    Fair, unlock_fair
}

/// A mutex whose waiters poll for longer.
#[derive(Debug)]
pub enum Spinning {}

impl Relock for Spinning {
    type Lock = SpinLock;
    const WAY: Way = Way::Owner;

    #[inline]
    unsafe fn unlock(lock: &SpinLock) {
        // SAFETY: by the caller's contract.
        unsafe { lock.unlock() }
    }

    #[inline]
    fn relock(lock: &SpinLock) {
        lock.lock();
    }

    #[inline]
    fn relock_moved(lock: &SpinLock) {
        lock.mutex().relock_moved();
    }

    #[inline]
    fn is_taken(lock: &SpinLock) -> bool {
        lock.is_locked()
    }

    #[inline]
    fn mutex(lock: &SpinLock) -> Option<&Mutex> {
        Some(lock.mutex())
    }
}

/// A mutex that the thread may have several times, and has once.
#[cfg(feature = "std")]
#[derive(Debug)]
pub enum Reentrant {}

#[cfg(feature = "std")]
impl Relock for Reentrant {
    type Lock = super::ReentrantMutex;
    const WAY: Way = Way::Owner;

    #[inline]
    #[track_caller]
    unsafe fn check(lock: &Self::Lock) {
        // SAFETY: by the caller's contract.
        let levels = unsafe { lock.levels() };
        if levels > 1 {
            refuse_levels(levels);
        }
    }

    #[inline]
    unsafe fn unlock(lock: &Self::Lock) {
        // SAFETY: by the caller's contract.
        unsafe { lock.unlock() }
    }

    #[inline]
    fn relock(lock: &Self::Lock) {
        lock.relock();
    }

    #[inline]
    fn relock_moved(lock: &Self::Lock) {
        lock.relock_moved();
    }

    #[inline]
    fn is_taken(lock: &Self::Lock) -> bool {
        lock.is_locked()
    }

    #[inline]
    fn mutex(lock: &Self::Lock) -> Option<&Mutex> {
        Some(lock.mutex())
    }
}

#[cfg(feature = "std")]
#[cold]
#[inline(never)]
#[track_caller]
fn refuse_levels(levels: u32) -> ! {
    panic!("a thread waited with a reentrant mutex that it has locked {levels} times, not once")
}

/// A mutex that lends priority. Who waits for a notification lends none, and who waits for the
/// mutex after it does.
#[cfg(feature = "std")]
#[derive(Debug)]
pub enum Inheriting {}

#[cfg(feature = "std")]
impl Relock for Inheriting {
    type Lock = super::PiMutex;
    const WAY: Way = Way::Owner;

    #[inline]
    unsafe fn unlock(lock: &Self::Lock) {
        // SAFETY: by the caller's contract.
        unsafe { lock.unlock() }
    }

    #[inline]
    fn relock(lock: &Self::Lock) {
        lock.relock();
    }

    #[inline]
    fn is_taken(lock: &Self::Lock) -> bool {
        lock.is_locked()
    }
}

/// Ends the process, as somebody is owed a lock that cannot be had any more.
#[cfg(feature = "std")]
#[cold]
#[inline(never)]
pub(super) fn never(error: &PiError) -> ! {
    let _abort = AbortOnUnwind;
    panic!("lockwork: a `PiMutex` that was given up for a while cannot be locked again: {error}")
}

/// Implements a way to have a lock with readers.
macro_rules! relock_rwlock {
    ($(#[$meta:meta])* $name:ident, $lock:ident, $unlock:ident, $is_taken:ident) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub enum $name<const RECURSIVE: bool> {}

        impl<const RECURSIVE: bool> Relock for $name<RECURSIVE> {
            type Lock = RwLock<RECURSIVE>;
            const WAY: Way = Way::$name;

            #[inline]
            unsafe fn unlock(lock: &RwLock<RECURSIVE>) {
                // SAFETY: by the caller's contract.
                unsafe { lock.$unlock() }
            }

            #[inline]
            fn relock(lock: &RwLock<RECURSIVE>) {
                // The lock can have too many readers.
                let abort = AbortOnUnwind;
                lock.$lock();
                core::mem::forget(abort);
            }

            #[inline]
            fn is_taken(lock: &RwLock<RECURSIVE>) -> bool {
                lock.$is_taken()
            }
        }
    };
}

relock_rwlock! {
    /// A lock with readers, as one of them.
    Reader, read, unlock_read, keeps_readers_out
}

relock_rwlock! {
    /// A lock with readers, as the writer.
    Writer, write, unlock_write, keeps_writers_out
}

relock_rwlock! {
    /// A lock with readers, as the one that may become the writer.
    Upgradable, upgradable, unlock_upgradable, keeps_upgradable_out
}

/// A way to have a lock, for one that sleeps on more than one word: it is not moved to a mutex.
///
/// There it would be woken by whatever is meant for some class of that mutex's sleepers: who sleeps
/// on several words cannot say of which class it is.
#[cfg(feature = "alloc")]
#[derive(Debug)]
pub struct InPlace<R>(PhantomData<R>);

#[cfg(feature = "alloc")]
impl<R: Relock> Relock for InPlace<R> {
    type Lock = R::Lock;
    const WAY: Way = match R::WAY {
        Way::Owner => Way::OwnerInPlace,
        way => way,
    };

    #[inline]
    #[track_caller]
    unsafe fn check(lock: &R::Lock) {
        // SAFETY: by the caller's contract.
        unsafe { R::check(lock) }
    }

    #[inline]
    unsafe fn unlock(lock: &R::Lock) {
        // SAFETY: by the caller's contract.
        unsafe { R::unlock(lock) }
    }

    #[inline]
    fn relock(lock: &R::Lock) {
        R::relock(lock);
    }

    #[inline]
    fn is_taken(lock: &R::Lock) -> bool {
        R::is_taken(lock)
    }
}

/// Dropped by unwinding, ends the process.
pub(crate) struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        // A panic while panicking aborts.
        panic!("a guard could not lock again");
    }
}
