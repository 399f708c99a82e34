//! Mutual exclusion on one 32-bit futex word.
//!
//! # State word
//!
//! ```text
//!   31                              2          1         0
//!   +-------------------------------+----------+---------+
//!   |             unused            | SLEEPERS | LOCKED  |
//!   +-------------------------------+----------+---------+
//!
//! value                   lock    the unlocker owes   moves
//! FREE      (0)           free    -                   lock -> HELD, a waiter swaps -> CONTENDED
//! HELD      (LOCKED)      taken   nothing             unlock -> FREE, a waiter -> CONTENDED
//! CONTENDED (both bits)   taken   one wake-up         unlock -> FREE
//! ```
//!
//! `SLEEPERS` is never set without `LOCKED`. The other bits are room for what has yet to earn its
//! place.
//!
//! # Invariants
//!
//! 1. A context owns the lock iff it set `LOCKED` and has not called [`unlock`](Mutex::unlock)
//!    since.
//! 2. While a thread sleeps on the word, the word is `CONTENDED`, or a wake-up is on its way, or a
//!    woken thread has yet to swap. So a thread that may have slept, and one that others sleep
//!    behind, never takes the lock as `HELD`.
//! 3. Once `unlock` has stored `FREE`, a new owner may free the mutex: from there on only the
//!    *address* of the word is used.
//!
//! # Orderings
//!
//! | row | operation                | order   | pairs with | why                                  |
//! |-----|--------------------------|---------|------------|--------------------------------------|
//! | a   | `try_lock`, success      | Acquire | c          | see the last owner's writes          |
//! | b   | swap in `lock_sleeping`  | Acquire | c          | as (a): it may take the lock         |
//! | c   | swap in `unlock`         | Release | a, b       | publish this owner's writes          |
//! | d   | failed `try_lock`, polls | Relaxed | -          | hints: nothing is read through them  |
//! | e   | `expect_sleepers`        | Relaxed | -          | the caller owns the lock: (c) follows |
//!
//! # Why no wake-up is lost
//!
//! A waiter runs W1 `swap(CONTENDED)`, W2 `wait(CONTENDED)`; the owner runs U1 `swap(FREE)`, and U2
//! `wake(1)` if U1 saw `CONTENDED`. If U1 comes before W1 in the order of the word, W1 returns
//! `FREE` and the waiter owns the lock. Otherwise U1 sees `CONTENDED`, so U2 runs. The kernel
//! compares and enqueues for W2 under the bucket lock that U2 takes. If it compared before U1, W2
//! is queued by the time U2 looks. If after, it returns `Changed`, unless the word is `CONTENDED`
//! again, and then a newer owner owes the wake-up. A thread that was woken swaps `CONTENDED` in
//! whether others sleep or not, so the duty passes on to it. A wait that timed out consumed no
//! wake-up, so leaving then loses none; the `SLEEPERS` bit it leaves behind costs one wake-up call
//! that finds nobody.
//!
//! Sleepers also arrive by requeueing, from a condition variable whose notifier owns the lock: it
//! sets `SLEEPERS` first (row e), so invariant 2 holds when they arrive.
//!
//! # Scaling
//!
//! One read-modify-write to lock, one to unlock; with the word and the data in one line, a
//! hand-over moves that line once. A waiter polls only while nobody sleeps and then leaves the line
//! alone.
//!
//! # Sources
//!
//! Ulrich Drepper, "Futexes Are Tricky" (2011), the mutex in its section 5.

use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{Deadline, Futex, Private, Scope, Wait};
use crate::primitive::{model_const_fn, mutant, ord, spin_loop, tuning};

const LOCKED: u32 = 1 << 0;
const SLEEPERS: u32 = 1 << 1;

const FREE: u32 = 0;
const HELD: u32 = LOCKED;
const CONTENDED: u32 = LOCKED | SLEEPERS;

/// Polls before a waiter sleeps. None in the model, so that it sleeps.
const SPIN_LIMIT: u32 = tuning(100, 0);

/// The lock inside [`Mutex`](crate::Mutex): no data, no guard, not fair, not re-entrant.
pub struct Mutex<S: Scope = Private> {
    word: Futex<S>,
}

impl<S: Scope> Mutex<S> {
    model_const_fn! {
        /// Creates a free mutex.
        pub const fn new() -> Self {
            Self { word: Futex::new(FREE) }
        }
    }

    /// Takes the lock if it is free, and says whether it did. Never blocks.
    #[inline]
    pub fn try_lock(&self) -> bool {
        // Acquire / Relaxed: rows a and d.
        self.word.compare_exchange(FREE, HELD, ord!("mutex.a", Acquire), Relaxed).is_ok()
    }

    /// Takes the lock, sleeping while it is taken.
    #[inline]
    pub fn lock(&self) {
        if !self.try_lock() {
            self.lock_slow(Deadline::NEVER);
        }
    }

    /// Takes the lock, or returns `false` once `deadline` has passed.
    #[inline]
    pub fn lock_until(&self, deadline: Deadline) -> bool {
        self.try_lock() || self.lock_slow(deadline)
    }

    /// Whether the lock is taken by anybody at this moment.
    #[inline]
    pub fn is_locked(&self) -> bool {
        // Relaxed: row d.
        self.word.load(Relaxed) != FREE
    }

    /// Releases the lock, waking one sleeper if there may be any.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock (invariant 1).
    #[inline]
    pub unsafe fn unlock(&self) {
        let word = &raw const self.word;
        // Release: row c. Past this line `word` is only an address (invariant 3).
        let prev = self.word.swap(FREE, ord!("mutex.c", Release));
        debug_assert_ne!(prev & LOCKED, 0, "unlocked a free mutex");
        if prev == CONTENDED {
            wake_sleeper(word);
        }
    }

    /// Releases the lock to a thread that sleeps for it, if there is one.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock (invariant 1).
    #[inline]
    pub unsafe fn unlock_fair(&self) {
        // SAFETY: by the caller's contract.
        unsafe { self.unlock() }
    }

    /// Gives way to a thread that sleeps for the lock, and takes the lock again; does nothing if
    /// nobody sleeps.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock (invariant 1).
    #[inline]
    pub unsafe fn bump(&self) {
        // Relaxed: row d.
        if self.word.load(Relaxed) & SLEEPERS != 0 {
            // SAFETY: by the caller's contract.
            unsafe { self.unlock_fair() };
            self.lock();
        }
    }

    #[cold]
    #[inline(never)]
    fn lock_slow(&self, deadline: Deadline) -> bool {
        // Not having slept, we may take the lock as `HELD` (invariant 2).
        self.poll() == FREE && self.try_lock() || self.lock_sleeping(deadline)
    }

    /// Takes the lock on behalf of a thread that has slept on the word, or behind which others may
    /// sleep; `false` once `deadline` has passed.
    pub(super) fn lock_sleeping(&self, deadline: Deadline) -> bool {
        loop {
            // Acquire: row b. `CONTENDED` even if we win (invariant 2).
            let claim = if mutant!("mutex.forget-sleepers") { HELD } else { CONTENDED };
            if self.word.swap(claim, ord!("mutex.b", Acquire)) == FREE {
                return true;
            }
            // A wait that was woken tries once more before it looks at the deadline again: it may
            // have taken the only wake-up there is.
            if self.word.wait(claim, deadline) == Wait::TimedOut {
                return false;
            }
            self.poll();
        }
    }

    /// Looks at the word for a moment, in case its owner is about to leave; not while others sleep,
    /// as the line is then better left to the owner. Returns what it saw last.
    fn poll(&self) -> u32 {
        let mut polls = SPIN_LIMIT;
        loop {
            let word = self.word.load(Relaxed); // Relaxed: row d.
            if word != HELD || polls == 0 {
                return word;
            }
            polls -= 1;
            spin_loop();
        }
    }
}

impl Mutex<Private> {
    /// Tells the owner-to-be of the next unlock that threads are about to be moved to the word.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock.
    pub(super) unsafe fn expect_sleepers(&self) {
        if mutant!("condvar.move-without-mark") {
            return;
        }
        // Relaxed: row e.
        let prev = self.word.fetch_or(SLEEPERS, Relaxed);
        debug_assert_ne!(prev & LOCKED, 0, "moved waiters to a free mutex");
    }

    /// The word that moved waiters sleep on.
    pub(super) fn word(&self) -> &Futex<Private> {
        &self.word
    }
}

#[cold]
#[inline(never)]
fn wake_sleeper<S: Scope>(word: *const Futex<S>) {
    if !mutant!("mutex.wake") {
        Futex::wake(word, 1);
    }
}

impl<S: Scope> Default for Mutex<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Scope> core::fmt::Debug for Mutex<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Mutex").field("locked", &self.is_locked()).finish()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::thread;

    use super::*;
    use crate::primitive::ProcessShared;

    /// The protocol on a word of the other scope: a private wake would miss a shared sleeper.
    #[test]
    fn process_shared_words_sleep_and_wake() {
        let mutex = Mutex::<ProcessShared>::new();
        mutex.lock();
        assert!(!mutex.lock_until(Deadline::after(Duration::from_millis(1))));
        // SAFETY: locked above; again without what the time-out left behind.
        unsafe { mutex.unlock() };
        mutex.lock();
        thread::scope(|s| {
            let sleeper = s.spawn(|| {
                mutex.lock();
                // SAFETY: just locked.
                unsafe { mutex.unlock() };
            });
            // Until the sleeper has announced itself; whether it sleeps is up to the kernel.
            while mutex.word.load(Relaxed) != CONTENDED {
                thread::yield_now();
            }
            // SAFETY: locked above.
            unsafe { mutex.unlock() };
            sleeper.join().unwrap();
        });
        assert!(!mutex.is_locked());
    }
}
