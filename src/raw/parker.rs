//! A one-thread token: sleep until somebody says go, and remember if it was said before.
//!
//! # State word
//!
//! ```text
//! EMPTY    (0)   no token                     park: -> PARKED       unpark: -> NOTIFIED
//! NOTIFIED (1)   the token is there           park: takes it        unpark: stays
//! PARKED   (2)   the owner sleeps, or is      unpark: -> NOTIFIED, and one wake-up
//!                about to
//! ```
//!
//! # Invariants
//!
//! 1. Only the owner moves the word away from NOTIFIED, and only the owner sets PARKED.
//! 2. While the owner sleeps the word is PARKED, or a wake-up is on its way.
//! 3. Once `unpark` has swapped, the owner may go and free the word: only its address is used.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | `park` takes the token | Acquire | b | see what was written before `unpark` |
//! | b | swap in `unpark` | Release | a | publish it. A swap, also over NOTIFIED: every `unpark` that comes before a `park` is seen by it |
//! | c | `park` announces itself | Relaxed | - | the token is not there yet; (a) follows |
//!
//! # Why no wake-up is lost
//!
//! The owner sets PARKED and the kernel compares it as it puts the owner to sleep. An `unpark` that
//! swapped before finds the comparison failing; one that swaps later sees PARKED and wakes.
//!
//! # Sources
//!
//! The protocol is the one of `LockSupport` in j.u.c. (Doug Lea) on one futex word.

use super::Limit;
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{Futex, Private, Scope, Wait};
use crate::primitive::{model_const_fn, mutant, ord};

const EMPTY: u32 = 0;
const NOTIFIED: u32 = 1;
const PARKED: u32 = 2;

/// The token inside [`Parker`](crate::Parker).
pub struct Parker<S: Scope = Private> {
    word: Futex<S>,
}

impl<S: Scope> Parker<S> {
    model_const_fn! {
        /// Creates a parker without a token.
        pub const fn new() -> Self {
            Self { word: Futex::new(EMPTY) }
        }
    }

    /// Takes the token, sleeping until there is one or `limit` is reached. Says whether it took it.
    ///
    /// # Safety
    ///
    /// No other thread is in `park` of this parker.
    pub unsafe fn park(&self, limit: impl Limit) -> bool {
        if self.take() {
            return true;
        }
        // Relaxed: row c. Fails only if the token has come.
        if self.word.compare_exchange(EMPTY, PARKED, Relaxed, Relaxed).is_ok() {
            let sleep = || {
                let alone = |deadline| self.word.wait(PARKED, deadline);
                limit.sleep(self.word.while_it_is(PARKED), alone)
            };
            while sleep() != Wait::TimedOut {
                if self.take() {
                    return true;
                }
            }
            // Withdraw, unless the token has come meanwhile. Relaxed: row c.
            if self.word.compare_exchange(PARKED, EMPTY, Relaxed, Relaxed).is_ok() {
                return false;
            }
        }
        let taken = self.take();
        debug_assert!(taken, "only the owner takes the token");
        taken
    }

    /// Leaves the token, if it is not there yet, and wakes the owner, if it sleeps.
    pub fn unpark(&self) {
        let word = &raw const self.word;
        // Release: row b. Past this line `word` is only an address (invariant 3).
        let prev = self.word.swap(NOTIFIED, ord!("parker.b", Release));
        if prev == PARKED && !mutant!("parker.wake") {
            Futex::wake(word, 1);
        }
    }

    #[inline]
    fn take(&self) -> bool {
        // Acquire: row a.
        self.word.compare_exchange(NOTIFIED, EMPTY, ord!("parker.a", Acquire), Relaxed).is_ok()
    }
}

impl<S: Scope> Default for Parker<S> {
    fn default() -> Self {
        Self::new()
    }
}
