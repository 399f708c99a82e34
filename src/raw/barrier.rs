//! A meeting point for a fixed number of threads, again and again, on one 64-bit word.
//!
//! # State word
//!
//! ```text
//! 63       48 47       32 31       10 9        2    1        0
//! +----------+-----------+-----------+----------+--------+----------+
//! | parties  |  arrived  |   phase   |  resets  | BROKEN | SLEEPERS |
//! +----------+-----------+-----------+----------+--------+----------+
//!                        |          sleepers sleep on this half      |
//!
//! arrive, not the last   arrived + 1, SLEEPERS on, and sleep
//! arrive, the last       arrived 0, phase + 1, SLEEPERS off; if it was on, all are woken
//! give up                arrived 0, BROKEN on, SLEEPERS off; the others are woken
//! reset                  arrived 0, resets + 1, BROKEN and SLEEPERS off; if it was on, all wake
//! ```
//!
//! A waiter compares the low half with the one that it made when it arrived:
//!
//! ```text
//! resets   phase     BROKEN
//! same     other     -        all have come
//! same     same      off      not yet: sleep on
//! same     same      on       broken
//! other    -         -        broken: there was a reset before all had come, or before it looked
//! ```
//!
//! # Invariants
//!
//! 1. `parties` never changes; `arrived` is less.
//! 2. `arrived` threads have arrived in this phase since the last reset, and no more.
//! 3. While a thread sleeps, the low half is the one it arrived in, with `SLEEPERS` and without
//!    `BROKEN`, or a wake-up for all is on its way.
//! 4. Whoever is told that all have come is told the truth: the phase goes on only by a last
//!    arrival, or, which breaks it, along with `resets`. (Unless between two steps of one waiter
//!    there are exactly 2^8 resets and another phase; it would sleep too long after exactly 2^22
//!    phases.) The other way round, a waiter that was reset before it looked does not know that
//!    all had come, and says that the barrier was broken, as it has been since.
//! 5. After the last arrival's exchange, a waiter may return and free the barrier: only the
//!    *address* of the word is used from there on. The same goes for the exchange that breaks it.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | exchange of an arrival | AcqRel | a, b | publish what was done before; the last sees it all |
//! | b | looks of a waiter | Acquire | a | see what all did before they came |
//! | c | exchanges that break and reset, first looks | Relaxed | - | they publish nothing, and as read-modify-writes do not part (a) from (a), (b) |
//!
//! # Why no wake-up is lost
//!
//! An arrival counts itself, says that it sleeps, and learns what it sleeps on, by one exchange A;
//! the exchange E that ends the phase, of whichever kind, comes after it and sees `SLEEPERS`, and
//! all who sleep are woken. Who does not sleep yet finds the low half changed, as the kernel
//! compares under the lock that the wake-up takes. Arrivals between A and E leave that half alone.
//! A wait that timed out consumed no wake-up; what it does to the others is up to its own exchange,
//! which fails if the phase has ended.
//!
//! # Scaling
//!
//! One read-modify-write an arrival, one wake-up call a phase.
//!
//! # Sources
//!
//! `CyclicBarrier` of j.u.c. for the broken state.

use crate::primitive::Ordering::{AcqRel, Acquire, Relaxed};
use crate::primitive::{Deadline, Futex64, Private, Scope, Wait};
use crate::primitive::{model_const_fn, mutant, ord};

const SLEEPERS: u64 = 1 << 0;
const BROKEN: u64 = 1 << 1;
const ONE_RESET: u64 = 1 << 2;
const RESETS: u64 = ONE_PHASE - ONE_RESET;
const ONE_PHASE: u64 = 1 << 10;
const PHASE: u64 = ONE_ARRIVAL - ONE_PHASE;
const ONE_ARRIVAL: u64 = 1 << 32;
const ARRIVED: u64 = (1 << 48) - ONE_ARRIVAL;
const PARTIES_SHIFT: u32 = 48;

/// The barrier inside [`Barrier`](crate::Barrier).
pub struct Barrier<S: Scope = Private> {
    word: Futex64<S>,
}

/// Why a wait ended without all having come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// Another thread gave up or reset the barrier.
    Broken,
    /// The deadline passed, which broke the barrier for the others.
    TimedOut,
}

impl<S: Scope> Barrier<S> {
    model_const_fn! {
        /// Creates a barrier for `parties` threads; none are as one.
        pub const fn new(parties: u16) -> Self {
            let parties = if parties == 0 { 1 } else { parties as u64 };
            Self { word: Futex64::new(parties << PARTIES_SHIFT) }
        }
    }

    /// How many have to come.
    #[inline]
    pub fn parties(&self) -> u16 {
        parties(self.word.load(Relaxed)) // Relaxed: it never changes.
    }

    /// How many have come.
    #[inline]
    pub fn arrived(&self) -> u16 {
        arrived(self.word.load(Relaxed)) // Relaxed: row c.
    }

    /// Whether somebody gave up since the last reset.
    #[inline]
    pub fn is_broken(&self) -> bool {
        self.word.load(Relaxed) & BROKEN != 0 // Relaxed: row c.
    }

    /// Arrives, and sleeps until all have; says whether this was the last. Breaks the barrier if
    /// `deadline` passes first.
    pub fn wait(&self, deadline: Deadline) -> Result<bool, Breach> {
        let word = &raw const self.word;
        let mut cur = self.word.load(Relaxed); // Relaxed: row c.
        let ticket = loop {
            if cur & BROKEN != 0 {
                return Err(Breach::Broken);
            }
            let last = arrived(cur) + 1 == parties(cur);
            let new = if last { next_phase(cur) } else { (cur + ONE_ARRIVAL) | SLEEPERS };
            // AcqRel: row a. If it is the last, past the exchange `word` is only an address
            // (invariant 5).
            match self.word.compare_exchange(cur, new, ord!("barrier.a", AcqRel), Relaxed) {
                Ok(_) if last => {
                    if cur & SLEEPERS != 0 && !mutant!("barrier.wake") {
                        wake_all(word);
                    }
                    if mutant!("barrier.touch-after-last") {
                        self.word.fetch_add(ONE_ARRIVAL, Relaxed);
                    }
                    return Ok(true);
                }
                Ok(_) => break new,
                Err(now) => cur = now,
            }
        };
        loop {
            if self.word.wait_low(ticket as u32, deadline) == Wait::TimedOut {
                return self.give_up(ticket);
            }
            if let Some(end) = self.end_of(ticket) {
                return end;
            }
        }
    }

    /// How the phase of this arrival ended, if it did.
    fn end_of(&self, ticket: u64) -> Option<Result<bool, Breach>> {
        // Acquire: row b.
        end(self.word.load(ord!("barrier.b", Acquire)), ticket)
    }

    /// Breaks the barrier, unless its phase has ended.
    fn give_up(&self, ticket: u64) -> Result<bool, Breach> {
        let word = &raw const self.word;
        loop {
            // Acquire: row b.
            let cur = self.word.load(ord!("barrier.b", Acquire));
            if let Some(end) = end(cur, ticket) {
                return end;
            }
            let new = cur & !(ARRIVED | SLEEPERS) | BROKEN;
            // Relaxed: row c. Past the exchange `word` is only an address (invariant 5).
            if self.word.compare_exchange(cur, new, Relaxed, Relaxed).is_ok() {
                if arrived(cur) > 1 && !mutant!("barrier.break-in-silence") {
                    wake_all(word);
                }
                return Err(Breach::TimedOut);
            }
        }
    }

    /// Mends the barrier; whoever waits is told that it was broken. Without effect if nobody waits
    /// and it is whole.
    pub fn reset(&self) {
        let word = &raw const self.word;
        let mut cur = self.word.load(Relaxed); // Relaxed: row c.
        loop {
            let resets = if mutant!("barrier.reset-as-before") { 0 } else { ONE_RESET };
            let new = match cur & (BROKEN | ARRIVED) {
                // What was loaded may be old: this is an exchange, too.
                0 => cur,
                _ => {
                    let kept = cur & !(BROKEN | SLEEPERS | ARRIVED | RESETS);
                    kept | cur.wrapping_add(resets) & RESETS
                }
            };
            // Relaxed: row c. Past the exchange `word` is only an address (invariant 5).
            match self.word.compare_exchange(cur, new, Relaxed, Relaxed) {
                Ok(_) => break,
                Err(now) => cur = now,
            }
        }
        if cur & SLEEPERS != 0 && !mutant!("barrier.reset-in-silence") {
            wake_all(word);
        }
    }
}

fn parties(word: u64) -> u16 {
    (word >> PARTIES_SHIFT) as u16
}

fn arrived(word: u64) -> u16 {
    ((word & ARRIVED) / ONE_ARRIVAL) as u16
}

/// The word with nobody in it, in the next phase, which wraps within its field.
fn next_phase(word: u64) -> u64 {
    word & !(ARRIVED | SLEEPERS | PHASE) | word.wrapping_add(ONE_PHASE) & PHASE
}

/// How a phase ended in which a thread arrived and made the word `ticket`, if it did.
fn end(word: u64, ticket: u64) -> Option<Result<bool, Breach>> {
    let differs = word ^ ticket;
    if differs & RESETS != 0 {
        Some(Err(Breach::Broken))
    } else if differs & PHASE != 0 {
        Some(Ok(false))
    } else {
        (word & BROKEN != 0).then_some(Err(Breach::Broken))
    }
}

#[cold]
#[inline(never)]
fn wake_all<S: Scope>(word: *const Futex64<S>) {
    Futex64::wake(word, if mutant!("barrier.wake-one") { 1 } else { u32::MAX });
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::thread;

    use super::*;
    use crate::primitive::ProcessShared;

    /// On words of the other scope: a private wake would miss a shared sleeper.
    #[test]
    fn process_shared_words_sleep_and_wake() {
        let barrier = Barrier::<ProcessShared>::new(2);
        assert_eq!(barrier.wait(Deadline::after(Duration::from_millis(1))), Err(Breach::TimedOut));
        barrier.reset();
        thread::scope(|s| {
            let sleeper = s.spawn(|| barrier.wait(Deadline::NEVER));
            while barrier.arrived() == 0 {
                thread::yield_now();
            }
            assert_eq!(barrier.wait(Deadline::NEVER), Ok(true));
            assert_eq!(sleeper.join().unwrap(), Ok(false));
        });
    }

    /// The fields next to those that wrap stay as they are.
    #[test]
    fn phases_and_resets_wrap_within_their_fields() {
        let full = Barrier::<ProcessShared>::new(1);
        let start = full.word.load(Relaxed) | PHASE | RESETS;
        let full = Barrier::<ProcessShared> { word: Futex64::new(start) };
        assert_eq!(full.wait(Deadline::NEVER), Ok(true));
        assert_eq!(full.word.load(Relaxed), start & !PHASE);
        let broken = Barrier::<ProcessShared> { word: Futex64::new(start | BROKEN) };
        broken.reset();
        assert_eq!(broken.word.load(Relaxed), start & !RESETS);
    }
}
