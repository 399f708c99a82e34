//! A count that goes down to zero once, on one futex word.
//!
//! # State word
//!
//! ```text
//! 31         30                       0
//! +----------+------------------------+
//! | SLEEPERS |         count          |     0: open, for ever
//! +----------+------------------------+
//!
//! count_down(n)   count - n; at zero SLEEPERS off, and if it was on, all are woken
//! wait            count is zero: return; else SLEEPERS on, and sleep while the word is the same
//! ```
//!
//! # Invariants
//!
//! 1. The count never goes up.
//! 2. While a thread sleeps on the word, it has `SLEEPERS` and a count, or a wake-up for all is on
//!    its way.
//! 3. After the step to zero, a waiter may return and free the latch: only the *address* of the
//!    word is used from there on.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | looks for zero | Acquire | b | see what was done before each `count_down` |
//! | b | exchange in `count_down` | Release | a | publish it: each is read by (a) through the exchanges after it |
//! | c | `SLEEPERS` on, other looks | Relaxed | - | they publish nothing, and as read-modify-writes do not part (b) from (a) |
//!
//! # Why no wake-up is lost
//!
//! A waiter runs W1 `SLEEPERS on`, W2 `sleep`; the last to count down runs C1 `to zero`, C2
//! `wake all` if C1 saw `SLEEPERS`. If C1 comes before W1, W1 fails, and the waiter sees zero.
//! Otherwise C1 sees `SLEEPERS`: C2 wakes who sleeps, and who does not yet finds the word changed,
//! as the kernel compares under the lock that C2 takes. A count in between may also find a waiter
//! not yet asleep, and makes it look again: at most once for each step of the count.
//!
//! # Sources
//!
//! `CountDownLatch` of j.u.c. and `std::latch` of C++20.

use super::{Found, Waitable};
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{Futex, Private, Scope, WaitWord};
use crate::primitive::{model_const_fn, mutant, ord};

const SLEEPERS: u32 = 1 << 31;
const COUNT: u32 = SLEEPERS - 1;

/// The latch inside [`Latch`](crate::Latch).
pub struct Latch<S: Scope = Private> {
    word: Futex<S>,
}

impl<S: Scope> Latch<S> {
    model_const_fn! {
        /// Creates a latch that opens after `count` steps.
        ///
        /// # Panics
        ///
        /// If `count` takes more than 31 bits.
        #[track_caller]
        pub const fn new(count: u32) -> Self {
            assert!(count <= COUNT, "lockwork: a latch counts from 2147483647 at the most");
            Self { word: Futex::new(count) }
        }
    }

    /// What is left to count down.
    #[inline]
    pub fn count(&self) -> u32 {
        // Acquire: row a.
        self.word.load(ord!("latch.a", Acquire)) & COUNT
    }

    /// Counts `n` down; changes nothing and says what is left if that is less than `n`.
    #[inline]
    pub fn count_down(&self, n: u32) -> Result<(), u32> {
        let word = &raw const self.word;
        let mut cur = self.word.load(Relaxed); // Relaxed: row c.
        let (sleepers, left) = loop {
            let Some(left) = (cur & COUNT).checked_sub(n) else { return Err(cur & COUNT) };
            let new = if left == 0 { 0 } else { cur - n };
            // Release: row b. Past the exchange `word` is only an address (invariant 3).
            match self.word.compare_exchange(cur, new, ord!("latch.b", Release), Relaxed) {
                Ok(_) => break (cur & SLEEPERS != 0, left),
                Err(now) => cur = now,
            }
        };
        if left == 0 && sleepers && !mutant!("latch.wake") {
            wake_all(word);
        }
        if mutant!("latch.touch-after-zero") {
            self.word.swap(0, Relaxed);
        }
        Ok(())
    }
}

impl<S: Scope> Waitable for Latch<S> {
    #[inline]
    fn try_take(&self) -> Option<Found> {
        (self.count() == 0).then_some(Found::It)
    }

    fn prepare(&self, _earlier: Option<u32>) -> Result<u32, Found> {
        loop {
            // Acquire: row a.
            let cur = self.word.load(ord!("latch.a", Acquire));
            if cur & COUNT == 0 {
                return Err(Found::It);
            }
            let marked = cur | SLEEPERS;
            // Relaxed: row c.
            if cur == marked || self.word.compare_exchange(cur, marked, Relaxed, Relaxed).is_ok() {
                return Ok(marked);
            }
        }
    }

    fn leave(&self, _ticket: u32) -> Option<Found> {
        self.try_take()
    }

    fn word(&self, ticket: u32) -> WaitWord<'_> {
        self.word.while_it_is(ticket)
    }
}

#[cold]
#[inline(never)]
fn wake_all<S: Scope>(word: *const Futex<S>) {
    Futex::wake(word, if mutant!("latch.wake-one") { 1 } else { u32::MAX });
}
