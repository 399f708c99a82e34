//! What ends a wait besides what is waited for.
//!
//! Every wait of this crate is a loop around a sleep on one word, which it leaves when it has what
//! it wants, or when a sleep says that its time is up. A limit is what that sleep asks. A
//! [`Deadline`] is one: the kernel sleeps until then. Another is a token that somebody cancels
//! (`raw::cancel_token`): the kernel sleeps on its word as well.
//!
//! The rules are those of a deadline, whatever the limit is:
//!
//! 1. [`Wait::TimedOut`] means that the limit was reached, that the sleep consumed no wake-up, and
//!    that the kernel found in the word what it should hold. So a loop that leaves by it has
//!    nothing to pass on: if an earlier sleep consumed a wake-up, what that announced was seen by
//!    the look in between, or is gone. (A look by itself may be at an old value.)
//! 2. Once it was reached, it is: every later sleep says so at once, or that a wake-up came.
//! 3. A sleep that *is* woken by the limit says `Woken`, and the loop looks at what it waits for
//!    once more before it sleeps and is told (1).

use super::Relock;
use crate::primitive::{Deadline, Wait, WaitWord};

/// When to give up.
pub trait Limit: Copy {
    /// How a waiter has its lock that has this limit and would have it in the way of `R` otherwise.
    type Way<R: Relock>: Relock<Lock = R::Lock>;

    /// Whether it is never reached.
    #[inline]
    fn is_endless(self) -> bool {
        false
    }

    /// The point in time at which it is reached, if not before.
    fn deadline(self) -> Deadline;

    /// Whether it is reached: for who sleeps in slices of his own.
    fn is_reached(self) -> bool;

    /// Sleeps on `word`, and says why no longer. `alone` does that with a deadline only.
    fn sleep(self, word: WaitWord<'_>, alone: impl FnOnce(Deadline) -> Wait) -> Wait;

    /// For a waiter that leaves because the limit was reached, with nothing of it left behind and
    /// before it takes locks again. May run code of the user's, and unwind.
    #[inline]
    fn reached(self) {}
}

impl Limit for Deadline {
    type Way<R: Relock> = R;

    #[inline]
    fn is_endless(self) -> bool {
        self == Self::NEVER
    }

    #[inline]
    fn deadline(self) -> Deadline {
        self
    }

    #[inline]
    fn is_reached(self) -> bool {
        self.has_passed()
    }

    #[inline]
    fn sleep(self, _word: WaitWord<'_>, alone: impl FnOnce(Deadline) -> Wait) -> Wait {
        alone(self)
    }
}
