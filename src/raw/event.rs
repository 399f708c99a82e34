//! "It has happened", on one futex word: for all who wait (manual reset), or for one of them
//! (automatic reset).
//!
//! # State word
//!
//! ```text
//! 31                            3   2        1      0
//! +------------------------------+----------+------+-----+
//! |          generation          | SLEEPERS |  0   | SET |   manual
//! +------------------------------+----------+------+-----+
//! |                waiters                  | AUTO | SET |   automatic
//! +-----------------------------------------+------+-----+
//!
//!            manual                                      automatic
//! set        SET on, SLEEPERS off, generation + 1,       SET on; was it off, and are there
//!            and if SLEEPERS was on, all are woken       waiters, then one is woken
//! reset      SET off                                     SET off
//! wait       SET on: return                              SET on: off, and return
//! else       SLEEPERS on, and sleep until SET is on      waiters + 1, and sleep until SET could be
//!            or the generation is another one            taken off; waiters - 1
//! withdraw   nothing                                     waiters - 1; is SET on, and are there
//!                                                        more, then one is woken
//! ```
//!
//! # Invariants
//!
//! 1. `AUTO` never changes.
//! 2. Manual: while a thread sleeps in a generation, the word is of that generation and has
//!    `SLEEPERS` and not `SET`, or a wake-up for all is on its way.
//! 3. Automatic: while a thread sleeps, it is counted. Whoever sets `SET` over no `SET` and finds
//!    waiters counted wakes one. So while `SET` is on and somebody sleeps, a thread that was woken
//!    has yet to look, or will be.
//! 4. Automatic: `SET` is taken off by one thread, which has it: a set lets exactly one go.
//! 5. After the step that sets `SET`, a waiter may return and free the event: only the *address* of
//!    the word is used from there on.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | looks at a manual event | Acquire | b | see what was done before `set` |
//! | b | exchange in `set`, manual | Release | a, d | publish it. Over `SET` too: every set is seen by a wait that comes after it |
//! | c | `SET` on, automatic | Release | d, e | as (b) |
//! | d | `SET` off in `reset` | Acquire | b, c | whoever resets and then looks for work sees the work of the sets it undid |
//! | e | `SET` off in a wait, automatic | Acquire | c | as (a) |
//! | f | marks and counts of waiters, failed exchanges | Relaxed | - | they publish nothing, and as read-modify-writes do not part (b), (c) from (a), (d), (e) |
//!
//! # Why no wake-up is lost
//!
//! Manual: a waiter runs W1 `SLEEPERS on`, W2 `sleep`; a setter S1 `set`, S2 `wake all` if S1 saw
//! `SLEEPERS`. Both W1 and S1 are exchanges of one word. If S1 comes before W1, W1 fails, and the
//! waiter sees another generation and returns, also if there was a reset in between. Otherwise S1
//! sees `SLEEPERS`, and S2 wakes whoever sleeps; who does not yet finds the generation changed, and
//! the kernel, which compares under the lock that S2 takes, does not put it to sleep. The
//! generation would have to come round, by exactly 2^29 sets between two steps of one waiter, for
//! it to sleep on until the next set.
//!
//! Automatic: W1 `waiters + 1`, W2 `sleep`; S1 `SET on`, S2 `wake one`. If S1 comes before W1, W1
//! sees `SET`. Otherwise S1 sees a waiter; S2 wakes one that sleeps, if any does, and one that is
//! about to finds the word changed. Who was woken takes `SET`, or another thread has, and nothing
//! is owed. It looks however late it is, and whoever gives up looks too, so no `SET` is left to
//! somebody who has gone; and who withdraws because something else came, and leaves `SET` to
//! waiters, wakes one of them. Two sets between which nobody took the first are one.
//!
//! Where other processes sleep on the word, the setter may be killed between S1 and S2; so there
//! S2 is also done by whoever finds `SET` on.
//!
//! # Scaling
//!
//! One read-modify-write a set; a manual event that is set is only read by those who wait. Counting
//! waiters in the word makes a waiter that is about to sleep start again when another comes or
//! goes; those asleep are left alone.
//!
//! # Sources
//!
//! The two kinds are those of Win32 (`CreateEvent`). Its `PulseEvent` is left out; set and reset do
//! what it was for.

use super::{Found, Waitable};
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{Futex, Private, Scope, WaitWord};
use crate::primitive::{model_const_fn, mutant, ord};

const SET: u32 = 1 << 0;
const AUTO: u32 = 1 << 1;

const SLEEPERS: u32 = 1 << 2;
const ONE_GENERATION: u32 = 1 << 3;
const GENERATION: u32 = !(ONE_GENERATION - 1);

/// A thread needs a number of its own in the kernel, of which there are fewer than this field has.
const ONE_WAITER: u32 = 1 << 2;

/// The event inside [`Event`](crate::Event).
pub struct Event<S: Scope = Private> {
    word: Futex<S>,
}

impl<S: Scope> Event<S> {
    model_const_fn! {
        /// Creates an event, not set, that stays set until it is reset.
        pub const fn manual() -> Self {
            Self { word: Futex::new(0) }
        }
    }

    model_const_fn! {
        /// Creates an event, not set, that one waiter resets by returning.
        pub const fn auto() -> Self {
            Self { word: Futex::new(AUTO) }
        }
    }

    /// Whether one waiter resets it by returning.
    #[inline]
    pub fn is_auto(&self) -> bool {
        // Relaxed: it never changes (invariant 1).
        self.word.load(Relaxed) & AUTO != 0
    }

    /// Whether it is set at this moment.
    #[inline]
    pub fn is_set(&self) -> bool {
        // Acquire: row a.
        self.word.load(ord!("event.a", Acquire)) & SET != 0
    }

    /// Sets it: lets all waiters go, or one.
    #[inline]
    pub fn set(&self) {
        if self.is_auto() { self.set_for_one() } else { self.set_for_all() }
    }

    #[inline]
    fn set_for_one(&self) {
        let word = &raw const self.word;
        // Release: row c. Past this line `word` is only an address (invariant 5).
        let prev = self.word.fetch_or(SET, ord!("event.c", Release));
        let owes = prev & SET == 0 || S::SHARED;
        if owes && prev >= ONE_WAITER && !mutant!("event.wake-one") {
            wake(word, 1);
        }
    }

    #[inline]
    fn set_for_all(&self) {
        let word = &raw const self.word;
        let mut cur = self.word.load(Relaxed); // Relaxed: row f.
        loop {
            let new = match cur & SET {
                0 => ((cur | SET) & !SLEEPERS).wrapping_add(ONE_GENERATION),
                _ => cur,
            };
            // Release: row b. Past the exchange `word` is only an address (invariant 5).
            match self.word.compare_exchange(cur, new, ord!("event.b", Release), Relaxed) {
                Ok(_) => break,
                Err(now) => cur = now,
            }
        }
        if cur & SLEEPERS != 0 && !mutant!("event.wake-all") {
            wake(word, if mutant!("event.wake-one-of-all") { 1 } else { u32::MAX });
        }
    }

    /// Undoes a set, and says whether there was one to undo.
    #[inline]
    pub fn reset(&self) -> bool {
        let mut cur = self.word.load(Relaxed); // Relaxed: row f.
        while cur & SET != 0 {
            // Acquire: row d.
            match self.word.compare_exchange(cur, cur & !SET, ord!("event.d", Acquire), Relaxed) {
                Ok(_) => return true,
                Err(now) => cur = now,
            }
        }
        false
    }

    /// Whether a manual event was set since the ticket was given out.
    fn came(&self, ticket: u32) -> bool {
        // Acquire: row a.
        let cur = self.word.load(ord!("event.a", Acquire));
        cur & SET != 0 || is_later(cur, ticket)
    }

    /// Announces a waiter of a manual event.
    fn mark(&self, earlier: Option<u32>) -> Option<u32> {
        // Acquire: row a.
        let mut cur = self.word.load(ord!("event.a", Acquire));
        let earlier = earlier.unwrap_or(cur);
        while cur & SET == 0 && !is_later(cur, earlier) {
            let marked = cur | SLEEPERS;
            // Relaxed: row f.
            if cur == marked || self.word.compare_exchange(cur, marked, Relaxed, Relaxed).is_ok() {
                return Some(marked);
            }
            cur = self.word.load(ord!("event.a", Acquire)); // Acquire: row a.
        }
        None
    }

    /// Counts a waiter of an automatic event, unless it is counted already.
    fn count(&self, counted: bool) -> Option<u32> {
        // Relaxed: row f.
        let mut cur = match counted {
            false => self.word.fetch_add(ONE_WAITER, Relaxed) + ONE_WAITER,
            true => self.word.load(Relaxed),
        };
        while cur & SET != 0 {
            match self.depart(cur) {
                Ok(_) => return None,
                Err(now) => cur = now,
            }
        }
        Some(cur)
    }

    /// Takes a counted waiter off, and `SET` with it; whether there was one.
    fn depart(&self, cur: u32) -> Result<bool, u32> {
        let kept = if mutant!("event.take-nothing") { 0 } else { SET };
        let new = (cur & !kept) - ONE_WAITER;
        // Acquire: row e.
        self.word.compare_exchange(cur, new, ord!("event.e", Acquire), Relaxed)?;
        Ok(cur & SET != 0)
    }
}

impl<S: Scope> Waitable for Event<S> {
    #[inline]
    fn try_take(&self) -> Option<Found> {
        // Acquire: row a.
        let mut cur = self.word.load(ord!("event.a", Acquire));
        if cur & AUTO == 0 {
            return (cur & SET != 0).then_some(Found::It);
        }
        while cur & SET != 0 {
            // Acquire: row e.
            match self.word.compare_exchange(cur, cur & !SET, ord!("event.e", Acquire), Relaxed) {
                Ok(_) => return Some(Found::It),
                Err(now) => cur = now,
            }
        }
        None
    }

    fn prepare(&self, earlier: Option<u32>) -> Result<u32, Found> {
        let ticket =
            if self.is_auto() { self.count(earlier.is_some()) } else { self.mark(earlier) };
        ticket.ok_or(Found::It)
    }

    fn leave(&self, ticket: u32) -> Option<Found> {
        if !self.is_auto() {
            return self.came(ticket).then_some(Found::It);
        }
        let mut cur = self.word.load(Relaxed); // Relaxed: row f.
        loop {
            match self.depart(cur) {
                Ok(taken) => return taken.then_some(Found::It),
                Err(now) => cur = now,
            }
        }
    }

    fn withdraw(&self, _ticket: u32) {
        if self.is_auto() {
            let word = &raw const self.word;
            // Relaxed: row f. Past this line `word` is only an address.
            let prev = self.word.fetch_sub(ONE_WAITER, Relaxed);
            if prev & SET != 0 && prev >= 2 * ONE_WAITER && !mutant!("event.keep-the-wake") {
                wake(word, 1);
            }
        }
    }

    fn word(&self, ticket: u32) -> WaitWord<'_> {
        self.word.while_it_is(ticket)
    }
}

/// Whether two words of a manual event are of different generations.
fn is_later(cur: u32, earlier: u32) -> bool {
    (cur ^ earlier) & GENERATION != 0 && !mutant!("event.forget-generation")
}

#[cold]
#[inline(never)]
fn wake<S: Scope>(word: *const Futex<S>, count: u32) {
    Futex::wake(word, count);
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::thread;

    use super::*;
    use crate::primitive::{Deadline, ProcessShared};

    /// On words of the other scope: a private wake would miss a shared sleeper.
    #[test]
    fn process_shared_words_sleep_and_wake() {
        for event in [Event::<ProcessShared>::manual(), Event::auto()] {
            assert_eq!(event.take(Deadline::after(Duration::from_millis(1))), None);
            thread::scope(|s| {
                let sleeper = s.spawn(|| event.take(Deadline::NEVER));
                // Until the sleeper has announced itself; whether it sleeps is up to the kernel.
                while event.word.load(Relaxed) < ONE_WAITER {
                    thread::yield_now();
                }
                event.set();
                assert_eq!(sleeper.join().unwrap(), Some(Found::It));
            });
            assert_eq!(event.is_set(), !event.is_auto());
        }
    }

    /// The mode and the mark next to the generation stay as they are.
    #[test]
    fn the_generation_wraps_within_its_field() {
        let event = Event::<ProcessShared> { word: Futex::new(GENERATION) };
        let Ok(ticket) = event.prepare(None) else { panic!("it is not set") };
        event.set();
        assert_eq!(event.word.load(Relaxed), SET);
        assert!(event.reset());
        assert_eq!(event.prepare(Some(ticket)), Err(Found::It));
    }

    /// A setter of another process was killed before it woke anybody: the next one does it.
    #[test]
    fn a_wake_up_that_a_killed_process_owed_is_made_good() {
        let event = Event::<ProcessShared>::auto();
        thread::scope(|s| {
            let sleeper = s.spawn(|| event.take(Deadline::NEVER));
            while event.word.load(Relaxed) < ONE_WAITER {
                thread::yield_now();
            }
            event.word.fetch_or(SET, Relaxed);
            event.set();
            assert_eq!(sleeper.join().unwrap(), Some(Found::It));
        });
        assert_eq!(event.word.load(Relaxed), AUTO);
    }
}
