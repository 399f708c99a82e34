//! A count of what is under way, which may go up again, and sleepers who wait for it to be zero.
//!
//! # State word
//!
//! ```text
//! 63                     32 31               1        0
//! +------------------------+------------------+----------+
//! |         count          |    generation    | SLEEPERS |    sleepers sleep on the low half
//! +------------------------+------------------+----------+
//!
//! add(n)     count + n
//! done(n)    count - n; at zero generation + 1 and SLEEPERS off, and if it was on, all are woken
//! wait       count is zero: return; else SLEEPERS on, and sleep until the generation is another
//! ```
//!
//! # Invariants
//!
//! 1. The generation says how often the count has come down to zero.
//! 2. While a thread sleeps in a generation, the low half is that generation with `SLEEPERS`, or a
//!    wake-up for all is on its way.
//! 3. After the step to zero, a waiter may return and free the group: only the *address* of the
//!    word is used from there on.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | looks of a waiter | Acquire | b | see what was done before each `done` |
//! | b | exchange in `done` | Release | a | publish it: each is read by (a) through the exchanges after it |
//! | c | exchange in `add`, `SLEEPERS` on, other looks | Relaxed | - | they publish nothing, and as read-modify-writes do not part (b) from (a) |
//!
//! # Why no wake-up is lost
//!
//! A waiter runs W1 `SLEEPERS on`, W2 `sleep`; the last one runs D1 `to zero`, D2 `wake all` if D1
//! saw `SLEEPERS`. If D1 comes before W1, W1 fails, and the waiter sees zero or another generation,
//! however often something was added since. Otherwise D1 sees `SLEEPERS`: D2 wakes who sleeps, and
//! who does not yet finds the low half changed, as the kernel compares under the lock that D2
//! takes. The generation would have to come round, by exactly 2^31 descents to zero between two
//! steps of one waiter, for it to sleep on until the next.
//!
//! # Scaling
//!
//! The count is not in the half that is slept on, so `add` and `done` disturb no waiter, asleep or
//! about to be.
//!
//! # Sources
//!
//! `sync.WaitGroup` of Go, whose rule that a group may be used again only when all waiters have
//! returned is not needed here, thanks to the generation.

use super::{Found, Waitable};
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{Futex64, Private, Scope, WaitWord};
use crate::primitive::{model_const_fn, mutant, ord};

const SLEEPERS: u64 = 1 << 0;
const ONE_GENERATION: u32 = 1 << 1;
const ONE: u64 = 1 << 32;

/// The group inside [`WaitGroup`](crate::WaitGroup).
pub struct WaitGroup<S: Scope = Private> {
    word: Futex64<S>,
}

impl<S: Scope> WaitGroup<S> {
    model_const_fn! {
        /// Creates a group of none.
        pub const fn new() -> Self {
            Self { word: Futex64::new(0) }
        }
    }

    /// How many there are.
    #[inline]
    pub fn count(&self) -> u32 {
        // Acquire: row a.
        count_of(self.word.load(ord!("wait_group.a", Acquire)))
    }

    /// Adds `n`; changes nothing and says how many there are if that is too many.
    #[inline]
    pub fn add(&self, n: u32) -> Result<(), u32> {
        let mut cur = self.word.load(Relaxed); // Relaxed: row c.
        loop {
            let count = count_of(cur).checked_add(n);
            // What was loaded may be old: a refusal is an exchange, too.
            let new = if count.is_some() { cur + u64::from(n) * ONE } else { cur };
            // Relaxed: row c.
            match self.word.compare_exchange(cur, new, Relaxed, Relaxed) {
                Ok(_) => return count.map(drop).ok_or(count_of(cur)),
                Err(now) => cur = now,
            }
        }
    }

    /// Takes `n` off; changes nothing and says how many there are if there are fewer.
    #[inline]
    pub fn done(&self, n: u32) -> Result<(), u32> {
        let word = &raw const self.word;
        let mut cur = self.word.load(Relaxed); // Relaxed: row c.
        let to_zero = loop {
            // What was loaded may be old, but has what the caller added or was given to take off.
            let Some(left) = count_of(cur).checked_sub(n) else { return Err(count_of(cur)) };
            let to_zero = left == 0 && n > 0;
            let new = if to_zero { next_generation(cur) } else { cur - u64::from(n) * ONE };
            // Release: row b. Past the exchange `word` is only an address (invariant 3).
            match self.word.compare_exchange(cur, new, ord!("wait_group.b", Release), Relaxed) {
                Ok(_) => break to_zero,
                Err(now) => cur = now,
            }
        };
        if to_zero && cur & SLEEPERS != 0 && !mutant!("wait_group.wake") {
            wake_all(word);
        }
        if to_zero && mutant!("wait_group.touch-after-zero") {
            self.word.fetch_add(ONE, Relaxed);
        }
        Ok(())
    }

    /// The word, and whether the wait that began with `earlier` is over.
    fn look(&self, earlier: Option<u32>) -> (u64, bool) {
        // Acquire: row a.
        let cur = self.word.load(ord!("wait_group.a", Acquire));
        let later = earlier.is_some_and(|earlier| is_later(cur, earlier));
        (cur, count_of(cur) == 0 || later)
    }
}

impl<S: Scope> Waitable for WaitGroup<S> {
    #[inline]
    fn try_take(&self) -> Option<Found> {
        (self.count() == 0).then_some(Found::It)
    }

    fn prepare(&self, mut earlier: Option<u32>) -> Result<u32, Found> {
        loop {
            let (cur, over) = self.look(earlier);
            if over {
                return Err(Found::It);
            }
            let marked = cur | SLEEPERS;
            // Relaxed: row c.
            if cur == marked || self.word.compare_exchange(cur, marked, Relaxed, Relaxed).is_ok() {
                return Ok(marked as u32);
            }
            earlier = earlier.or(Some(cur as u32));
        }
    }

    fn leave(&self, ticket: u32) -> Option<Found> {
        self.look(Some(ticket)).1.then_some(Found::It)
    }

    fn word(&self, ticket: u32) -> WaitWord<'_> {
        self.word.while_low_is(ticket)
    }
}

fn count_of(word: u64) -> u32 {
    (word >> 32) as u32
}

/// Whether two low halves are of different generations.
fn is_later(cur: u64, earlier: u32) -> bool {
    (cur as u32 ^ earlier) & !(SLEEPERS as u32) != 0 && !mutant!("wait_group.forget-generation")
}

/// The word with no count, in the next generation, which wraps within its half.
fn next_generation(cur: u64) -> u64 {
    u64::from((cur & !SLEEPERS) as u32).wrapping_add(u64::from(ONE_GENERATION)) & (ONE - 1)
}

#[cold]
#[inline(never)]
fn wake_all<S: Scope>(word: *const Futex64<S>) {
    Futex64::wake(word, if mutant!("wait_group.wake-one") { 1 } else { u32::MAX });
}

impl<S: Scope> Default for WaitGroup<S> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The count next to the generation stays as it is.
    #[test]
    fn the_generation_wraps_within_its_half() {
        let group = WaitGroup::<Private> { word: Futex64::new(u64::from(u32::MAX) & !SLEEPERS) };
        group.add(3).unwrap();
        let Ok(ticket) = group.prepare(None) else { panic!("there are some") };
        group.done(3).unwrap();
        assert_eq!(group.word.load(Relaxed), 0);
        group.add(1).unwrap();
        assert_eq!(group.prepare(Some(ticket)), Err(Found::It));
    }
}
