//! A mutex that the thread which has it may lock again: a [`Mutex`], who has it, and how often.
//!
//! # State
//!
//! ```text
//! owner   levels  mutex   state
//! NOBODY  0       free    nobody has the lock
//! NOBODY  0, 1    taken   a thread has just taken it, or is about to release it
//! n       1..     taken   thread number n has it, and owes as many releases as there are levels
//! ```
//!
//! # Invariants
//!
//! 1. A thread stores its own number as the owner only while it has the mutex, and takes it back
//!    before it releases the mutex. Numbers are never used twice (`thread_number`).
//! 2. So whoever reads its own number has the mutex, and who has the mutex and is between the two
//!    stores reads its own.
//! 3. `levels` is touched by the thread that has the mutex only.
//! 4. While a thread is the owner there is a level: it counts the first before it says that it is
//!    the owner, and takes that back before it counts the last off. A signal handler that comes in
//!    between meets one of the states above.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | load of the owner | Relaxed | - | a thread finds its number only if it stored it last |
//! | b | stores of the owner | Relaxed | - | see (a); the mutex orders everything else |
//!
//! Row a in full. If the load returns the thread's own number, it returns the value of one of the
//! thread's own stores (invariant 1), and of the last one, since a thread does not read behind its
//! own writes: then it has not taken the number back. If the thread has the lock, its number is
//! the newest value of the word, as nobody else stores while it has the mutex; so the load returns
//! that. Any other value, however old, says only that somebody else may have the lock, and sends
//! the thread to the mutex.
//!
//! # Fork
//!
//! In the child, the thread that forked has the number it had, so it still owns what it owned: it
//! can lock again, and its guards release in the child what they stand for there. What another
//! thread owned stays locked, and belongs to no thread of the child.
//!
//! # Signals
//!
//! A handler that interrupts its thread between taking the mutex and storing the owner, or between
//! taking the owner back and releasing the mutex, finds the mutex taken by nobody: it must not wait
//! for it, but may try. Anywhere else it finds itself the owner or a stranger (invariant 4), and if
//! it gives back the levels that it takes, the count is what it was when the interrupted code goes
//! on.

use crate::primitive::Ordering::Relaxed;
use crate::primitive::{AtomicU64, Deadline, UnsafeCell};
use crate::primitive::{model_const_fn, mutant, signal_fence, thread_number};

use super::Mutex;

/// The owner of a free lock: no thread's number.
const NOBODY: u64 = 0;

/// Levels beyond which `lock` refuses. The other half of the range is for `relock`, which cannot
/// refuse: each level of those lies in a call that has yet to return.
const LIMIT: u32 = u32::MAX / 2;

/// The lock inside [`ReentrantMutex`](crate::ReentrantMutex).
pub struct ReentrantMutex {
    owner: AtomicU64,
    mutex: Mutex,
    levels: UnsafeCell<u32>,
}

// SAFETY: `levels` is touched by one thread at a time (invariant 3), with the mutex in between.
unsafe impl Sync for ReentrantMutex {}

impl ReentrantMutex {
    model_const_fn! {
        /// Creates a free lock.
        pub const fn new() -> Self {
            let owner = AtomicU64::new(NOBODY);
            Self { owner, mutex: Mutex::new(), levels: UnsafeCell::new(0) }
        }
    }

    /// Takes the lock, once more if the thread has it already, sleeping while another one has it.
    ///
    /// # Panics
    ///
    /// If there are more levels than can be counted, with the lock as it was.
    #[inline]
    #[track_caller]
    pub fn lock(&self) {
        self.enter(LIMIT, |mutex| {
            mutex.lock();
            true
        });
    }

    /// Takes the lock again on behalf of a guard that gave it back for a while: never refuses.
    #[inline]
    pub fn relock(&self) {
        self.enter(u32::MAX, |mutex| {
            mutex.lock();
            true
        });
    }

    /// As [`relock`](Self::relock), for a thread that was moved to the word of the mutex.
    pub(super) fn relock_moved(&self) {
        self.enter(u32::MAX, |mutex| {
            mutex.relock_moved();
            true
        });
    }

    /// The mutex below.
    pub(super) fn mutex(&self) -> &Mutex {
        &self.mutex
    }

    /// How often the calling thread has the lock.
    ///
    /// # Safety
    ///
    /// The calling thread has the lock.
    pub(super) unsafe fn levels(&self) -> u32 {
        // SAFETY: by the caller's contract.
        unsafe { self.add(0) }
    }

    /// Takes the lock if no other thread has it, and says whether it did. Never blocks.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    #[inline]
    #[track_caller]
    pub fn try_lock(&self) -> bool {
        self.enter(LIMIT, Mutex::try_lock)
    }

    /// Takes the lock, or returns `false` once `deadline` has passed.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    #[inline]
    #[track_caller]
    pub fn lock_until(&self, deadline: Deadline) -> bool {
        self.enter(LIMIT, |mutex| mutex.lock_until(deadline))
    }

    /// Whether any thread has the lock at this moment.
    #[inline]
    pub fn is_locked(&self) -> bool {
        self.mutex.is_locked()
    }

    /// Whether the calling thread has the lock.
    #[inline]
    pub fn is_owned_by_current_thread(&self) -> bool {
        // Relaxed: row a.
        self.owner.load(Relaxed) == thread_number()
    }

    /// Gives one level back; releases the lock if it is the last.
    ///
    /// # Safety
    ///
    /// The calling thread has the lock, and owes a release.
    #[inline]
    pub unsafe fn unlock(&self) {
        // SAFETY: by the caller's contract.
        if unsafe { self.leave() } {
            // SAFETY: the thread has the mutex (invariant 2).
            unsafe { self.mutex.unlock() }
        }
    }

    /// As [`unlock`](Self::unlock), but releases to a thread that sleeps for the lock, if there is
    /// one.
    ///
    /// # Safety
    ///
    /// As for [`unlock`](Self::unlock).
    #[inline]
    pub unsafe fn unlock_fair(&self) {
        // SAFETY: by the caller's contract.
        if unsafe { self.leave() } {
            // SAFETY: the thread has the mutex (invariant 2).
            unsafe { self.mutex.unlock_fair() }
        }
    }

    /// Gives way to a thread that sleeps for the lock, and takes the lock again; does nothing if
    /// nobody sleeps, or if the thread has the lock more than once.
    ///
    /// # Safety
    ///
    /// As for [`unlock`](Self::unlock).
    #[inline]
    pub unsafe fn bump(&self) {
        // SAFETY: the thread has the lock.
        if unsafe { self.levels() } > 1 {
            return;
        }
        // SAFETY: by the caller's contract; the mutex is released once, and taken again.
        unsafe {
            self.leave();
            self.mutex.bump();
        }
        self.begin(thread_number());
    }

    /// Takes one more level, up to `limit`, or the mutex by `acquire`.
    #[inline]
    #[track_caller]
    fn enter(&self, limit: u32, acquire: impl FnOnce(&Mutex) -> bool) -> bool {
        let me = thread_number();
        let owner = self.owner.load(Relaxed); // Relaxed: row a.
        if owner == me || owner != NOBODY && mutant!("reentrant.anybody") {
            // SAFETY: the thread has the lock (invariant 2), before the call and at the increment.
            unsafe {
                if self.levels() >= limit {
                    too_many_levels();
                }
                self.add(1);
            }
            return true;
        }
        if !acquire(&self.mutex) {
            return false;
        }
        self.begin(me);
        true
    }

    /// The first level of the thread that has just taken the mutex.
    #[inline]
    fn begin(&self, me: u64) {
        // SAFETY: the calling thread has the mutex.
        let levels = unsafe { self.add(1) };
        debug_assert_eq!(levels, 1, "levels of a lock that was free");
        signal_fence(); // Invariant 4.
        // Relaxed: row b.
        self.owner.store(me, Relaxed);
    }

    /// Gives one level back. Whether it was the last, and the mutex is to be released.
    ///
    /// # Safety
    ///
    /// The calling thread has the lock.
    #[inline]
    unsafe fn leave(&self) -> bool {
        // SAFETY: by the caller's contract.
        let last = unsafe { self.add(0) } == 1 || mutant!("reentrant.first-release");
        if last && !mutant!("reentrant.owner-stays") {
            // Relaxed: row b.
            self.owner.store(NOBODY, Relaxed);
            signal_fence(); // Invariant 4.
        }
        // SAFETY: by the caller's contract; it has the mutex still.
        unsafe { self.add(-1) };
        last
    }

    /// Adds to the levels; the sum.
    ///
    /// # Safety
    ///
    /// The calling thread has the mutex, and the sum is in range.
    #[inline]
    unsafe fn add(&self, more: i32) -> u32 {
        self.levels.with_mut(|levels| {
            // SAFETY: the only thread that touches it (invariant 3), and in this call only.
            let levels = unsafe { &mut *levels };
            debug_assert!(levels.checked_add_signed(more).is_some(), "levels out of range");
            *levels = levels.wrapping_add_signed(more);
            *levels
        })
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn too_many_levels() -> ! {
    panic!("a thread locked a reentrant mutex more than {LIMIT} times")
}

impl Default for ReentrantMutex {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for ReentrantMutex {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ReentrantMutex").field("locked", &self.is_locked()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use super::*;

    /// Who locks too often is told, and has the lock as often as before: it releases in the end.
    #[test]
    fn levels_do_not_wrap() {
        let lock = ReentrantMutex::new();
        lock.lock();
        // SAFETY: locked above. As if by forgotten guards, which would take a while.
        unsafe { lock.add(i32::MAX - 2) };
        lock.lock();
        let refused: [&dyn Fn(); 3] = [&|| lock.lock(), &|| assert!(lock.try_lock()), &|| {
            assert!(lock.lock_until(Deadline::NEVER))
        }];
        for attempt in refused {
            let panic = catch_unwind(AssertUnwindSafe(attempt)).unwrap_err();
            let message = panic.downcast::<std::string::String>().unwrap();
            assert!(message.contains("more than 2147483647 times"), "{message}");
            // SAFETY: this thread has the lock.
            assert_eq!(unsafe { lock.add(0) }, LIMIT);
        }
        // What was given back for a while is always taken again.
        lock.relock();
        // SAFETY: this thread has the lock, as often as the sum says.
        unsafe {
            lock.unlock();
            assert_eq!(lock.add(2 - i32::MAX), 2);
            lock.unlock();
            assert!(lock.is_owned_by_current_thread());
            lock.unlock();
        }
        assert!(!lock.is_locked());
        let other = || lock.try_lock();
        assert!(thread::scope(|s| s.spawn(other).join().unwrap()));
    }
}
