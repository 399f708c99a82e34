//! Mutual exclusion on one 32-bit futex word.
//!
//! # State word
//!
//! ```text
//!   31                         3          2          1         0
//!   +--------------------------+----------+----------+---------+
//!   |          unused          | HANDOFF  | SLEEPERS | LOCKED  |
//!   +--------------------------+----------+----------+---------+
//!
//! value               lock       the unlocker owes   moves
//! 0        (FREE)     free       -                   anybody -> L
//! L        (HELD)     taken      nothing             unlock -> 0, a waiter -> L+S
//! L+S                 taken      one wake-up         unlock -> 0, unlock_fair -> L+H
//! L+H, L+S+H          taken, a   it is waking one    its owner: -> H, H+S; nobody slept: -> L, L+S
//!                     hand-over
//! H, H+S              reserved   one wake-up if S    one that was woken -> L+S
//! ```
//!
//! # Invariants
//!
//! 1. A context owns the lock iff it set `LOCKED` and has not called [`unlock`](Mutex::unlock) or
//!    [`unlock_fair`](Mutex::unlock_fair) since.
//! 2. While a thread sleeps on the word, the word has `SLEEPERS`, or a wake-up is on its way, or a
//!    woken thread has yet to set it. So a thread that was woken never takes the lock without it,
//!    and never sleeps without it. Who was not woken consumed nothing, and owes nobody.
//! 3. Once an unlock has cleared `LOCKED`, a new owner may free the mutex: from there on only the
//!    *address* of the word is used.
//! 4. `HANDOFF` is set only while a thread that slept is on its way to take it. Only who was woken
//!    may, so nobody who came later gets in before. A thread that was woken does not give up while
//!    it sees a hand-over begin, as it may be the one.
//! 5. A reservation that has stood for a whole nap may be taken by anybody: in a child of fork,
//!    whoever it was for does not exist.
//!
//! # Orderings
//!
//! | row | operation                     | order   | pairs with | why                            |
//! |-----|-------------------------------|---------|------------|--------------------------------|
//! | a   | `try_lock`, success           | Acquire | c, d       | see the last owner's writes    |
//! | b   | taking the lock in `wait`     | Acquire | c, d       | as (a)                         |
//! | c   | swap in `unlock`              | Release | a, b       | publish this owner's writes    |
//! | d   | `LOCKED` off in `unlock_fair` | Release | a, b       | as (c)                         |
//! | e   | failed `try_lock`, polls      | Relaxed | -          | hints: nothing is read through them |
//! | f   | S and H, on and off           | Relaxed | -          | they publish nothing, and as read-modify-writes do not part (c), (d) from (a), (b) |
//!
//! # Why no wake-up is lost
//!
//! A waiter runs W1 `set SLEEPERS`, W2 `wait`; the owner runs U1 `swap(FREE)`, and U2 `wake(1)` if
//! U1 saw `SLEEPERS`. If U1 comes before W1 in the order of the word, W1 fails, or marks the word
//! of a newer owner. Otherwise U1 sees `SLEEPERS`, so U2 runs. The kernel compares and enqueues for
//! W2 under the bucket lock that U2 takes. If it compared before U1, W2 is queued by the time U2
//! looks. If after, it returns `Changed`, unless the word has `SLEEPERS` again, and then a newer
//! owner owes the wake-up. A thread that was woken sets `SLEEPERS` whether it takes the lock or
//! sleeps again, so the duty passes on to it. A wait that timed out consumed no wake-up, so leaving
//! then loses none; the `SLEEPERS` bit it leaves behind costs one wake-up call that finds nobody.
//!
//! `unlock_fair` wakes while it still owns the lock, so it can go back if nobody slept. It takes
//! `SLEEPERS` away first. If the thread it woke looks before the lock is released and sleeps again,
//! `SLEEPERS` is back when `LOCKED` goes, and one more is woken, that thread or another that slept.
//! `SLEEPERS` beside a reservation is kept until the lock is taken.
//!
//! Sleepers also arrive by requeueing, from a condition variable whose notifier owns the lock: it
//! sets `SLEEPERS` first (row f), so invariant 2 holds when they arrive.
//!
//! # Scaling
//!
//! One read-modify-write to lock, one to unlock; with the word and the data in one line, a
//! hand-over moves that line once. A waiter polls only while nobody sleeps, and looks less and less
//! often: each look takes the line away from an owner that may lock again, and costs it a transfer
//! to get it back. So of two that compete, one runs on for some sections, which costs no transfer.
//!
//! # Sources
//!
//! Ulrich Drepper, "Futexes Are Tricky" (2011), the mutex in its section 5. That looking rarely
//! matters more than for how long: the Linux mutex of Swift's Synchronization module (2026), and
//! WebKit's adaptive lock.

use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{Deadline, Futex, Private, Scope, Wait};
use crate::primitive::{model_const_fn, mutant, ord, patience, spin_loop, tuning};

const LOCKED: u32 = 1 << 0;
const SLEEPERS: u32 = 1 << 1;
const HANDOFF: u32 = 1 << 2;

const FREE: u32 = 0;
const HELD: u32 = LOCKED;

/// Pauses for which a waiter polls before it sleeps. None in the model, so that it sleeps.
const PAUSES: u32 = tuning(255, 0);

/// Pauses between two looks at the most; the first few are closer together.
const LONGEST_GAP: u32 = 64;

/// The lock inside [`Mutex`](crate::Mutex): no data, no guard, not re-entrant.
pub struct Mutex<S: Scope = Private> {
    word: Futex<S>,
}

/// What a waiter knows of its own wait.
struct Waiter {
    /// Was woken here, or counts as such: others may sleep behind it, and the lock may be reserved
    /// for it.
    woken: bool,
    /// A reservation that stood for a whole nap.
    stale: Option<u32>,
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
        // Acquire / Relaxed: rows a and e.
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

    /// Whether the lock is taken, or reserved for a waiter, at this moment.
    #[inline]
    pub fn is_locked(&self) -> bool {
        // Relaxed: row e.
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
        debug_assert_eq!(prev & (LOCKED | HANDOFF), LOCKED, "unlocked a free mutex");
        if prev != HELD {
            wake_sleeper(word);
        }
    }

    /// Releases the lock to a thread that sleeps for it, if there is one: nobody who comes later
    /// gets in before.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock (invariant 1).
    #[inline]
    pub unsafe fn unlock_fair(&self) {
        // Relaxed: row e.
        if self.word.load(Relaxed) == HELD {
            // SAFETY: by the caller's contract.
            unsafe { self.unlock() };
        } else {
            // SAFETY: by the caller's contract.
            unsafe { self.hand_over() };
        }
    }

    /// Gives way to a thread that sleeps for the lock, and takes the lock again; does nothing if
    /// nobody sleeps.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock (invariant 1).
    #[inline]
    pub unsafe fn bump(&self) {
        // Relaxed: row e.
        if self.word.load(Relaxed) != HELD {
            // SAFETY: by the caller's contract.
            unsafe { self.hand_over() };
            // Not having slept, it is not for us that the lock may be reserved.
            self.lock();
        }
    }

    /// Releases the lock to one that sleeps, or to nobody.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock (invariant 1).
    #[cold]
    #[inline(never)]
    unsafe fn hand_over(&self) {
        let word = &raw const self.word;
        // Sleepers of other processes can be killed on their way; no lock waits for them.
        // Relaxed: row f.
        let (cur, new) = (HELD | SLEEPERS, HELD | HANDOFF);
        let marks = !S::SHARED && self.word.compare_exchange(cur, new, Relaxed, Relaxed).is_ok();
        if !marks {
            // SAFETY: by the caller's contract.
            return unsafe { self.unlock() };
        }
        // While we own the lock, so that the mark can be taken back if nobody sleeps after all.
        if Futex::wake(word, 1) == 0 && !mutant!("mutex.hand-to-nobody") {
            self.word.fetch_sub(HANDOFF, Relaxed); // Relaxed: row f.
            // SAFETY: by the caller's contract.
            return unsafe { self.unlock() };
        }
        // Release: row d. Past this line `word` is only an address (invariant 3).
        let prev = self.word.fetch_sub(LOCKED, ord!("mutex.d", Release));
        if prev & SLEEPERS != 0 && !mutant!("mutex.hand-over-wake") {
            // Whoever was woken may have looked too early, and sleep again.
            wake_sleeper(word);
        }
    }

    #[cold]
    #[inline(never)]
    fn lock_slow(&self, deadline: Deadline) -> bool {
        // Not having slept, we may take the lock as `HELD` (invariant 2).
        self.poll() == FREE && self.try_lock() || self.wait(false, deadline)
    }

    fn wait(&self, woken: bool, deadline: Deadline) -> bool {
        let mut waiter = Waiter { woken, stale: None };
        let mut late = false;
        loop {
            let cur = self.word.load(Relaxed); // Relaxed: the exchanges decide.
            if waiter.may_take(cur) {
                // Acquire: row b.
                let order = ord!("mutex.b", Acquire);
                if self.word.compare_exchange(cur, waiter.taken(cur), order, Relaxed).is_ok() {
                    return true;
                }
                continue;
            }
            if late && !waiter.is_expected(cur) {
                return false;
            }
            let next = cur | SLEEPERS;
            // Relaxed: row f.
            if next != cur && self.word.compare_exchange(cur, next, Relaxed, Relaxed).is_err() {
                continue;
            }
            let reserved = next & LOCKED == 0;
            // A nap where a reservation may be nobody's, or a hand-over ours.
            let until = match (late, reserved) {
                (false, false) => deadline,
                (false, true) => deadline.min(patience(0)),
                (true, _) => patience(0),
            };
            // What it held for stale before says nothing of a reservation made since.
            waiter.stale = None;
            match self.word.wait(next, until) {
                // It tries once more before it looks at the deadline again, and says again that
                // there are sleepers: it may have taken the only wake-up there is.
                Wait::Woken => (waiter.woken, late) = (true, false),
                Wait::TimedOut if until == deadline => late = true,
                Wait::TimedOut if !mutant!("mutex.stale") => {
                    waiter.stale = reserved.then_some(next);
                }
                Wait::TimedOut | Wait::Changed | Wait::Interrupted => {}
            }
            self.poll();
        }
    }

    /// Looks at the word for a moment, in case its owner is about to leave; not while others sleep,
    /// as the line is then better left to the owner. Returns what it saw last.
    fn poll(&self) -> u32 {
        let (mut left, mut gap) = (PAUSES, 1);
        loop {
            let word = self.word.load(Relaxed); // Relaxed: row e.
            if word != HELD || left < gap {
                return word;
            }
            for _ in 0..gap {
                spin_loop();
            }
            left -= gap;
            gap = (2 * gap).min(LONGEST_GAP);
        }
    }
}

impl Waiter {
    /// Whether the lock is this waiter's to take.
    fn may_take(&self, word: u32) -> bool {
        match word & (LOCKED | HANDOFF) {
            FREE => true,
            HANDOFF => {
                self.woken || self.stale == Some(word) || mutant!("mutex.overtake-hand-over")
            }
            _ => false,
        }
    }

    /// The word when it has the lock. `SLEEPERS` if others may sleep behind it (invariant 2).
    fn taken(&self, word: u32) -> u32 {
        let owes = self.woken && !mutant!("mutex.forget-sleepers");
        word & !HANDOFF | LOCKED | if owes { SLEEPERS } else { 0 }
    }

    /// Whether the lock may be about to be reserved for it (invariant 4).
    fn is_expected(&self, word: u32) -> bool {
        self.woken
            && word & (LOCKED | HANDOFF) == LOCKED | HANDOFF
            && !mutant!("mutex.leave-hand-over")
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
        // Relaxed: row f.
        let prev = self.word.fetch_or(SLEEPERS, Relaxed);
        debug_assert_ne!(prev & LOCKED, 0, "moved waiters to a free mutex");
    }

    /// Takes the lock on behalf of a thread that was moved to the word: it may have slept there,
    /// and others may sleep behind it (invariant 2).
    pub(super) fn relock_moved(&self) {
        if mutant!("condvar.moved-as-newcomer") {
            return self.lock();
        }
        self.wait(true, Deadline::NEVER);
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
            while mutex.word.load(Relaxed) != LOCKED | SLEEPERS {
                thread::yield_now();
            }
            // SAFETY: locked above.
            unsafe { mutex.unlock() };
            sleeper.join().unwrap();
        });
        assert!(!mutex.is_locked());
    }
}
