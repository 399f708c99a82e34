//! What all things have in common that a thread waits for on one futex word.
//!
//! ```text
//! try_take                     there already: nobody sleeps
//! ticket = prepare(None)       announce a waiter, and look once more
//! sleep(ticket)                as long as the word is what the ticket says
//! ticket = prepare(ticket)     look again; it came, or sleep on
//! leave(ticket)                its limit is reached: look for the last time, and withdraw
//! withdraw()                   something else came: take nothing, and pass the wake-up on
//! ```
//!
//! Whoever waits for several of them at once (`wait_any`) calls these steps by himself, with one
//! sleep on all the [words](Waitable::word) in place of [`Waitable::sleep`].

use super::Limit;
use crate::primitive::{Deadline, Wait, WaitWord, mutant};

/// What came of a look that was not in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// What was waited for. If it is something that can be taken, it is taken.
    It,
    /// That it will not come any more, and nothing is taken: the semaphore is closed.
    Closed,
}

/// Something that a thread can wait for on one futex word.
pub trait Waitable {
    /// Takes what is waited for, if it is there. Never blocks.
    fn try_take(&self) -> Option<Found>;

    /// Announces a waiter: the value to sleep on, or what was found instead. `earlier` is what the
    /// last `prepare` of the same wait returned.
    fn prepare(&self, earlier: Option<u32>) -> Result<u32, Found>;

    /// Looks for the last time for a waiter that has slept on `ticket`, and withdraws it. Its sleep
    /// has not consumed a wake-up since its last `prepare`.
    fn leave(&self, ticket: u32) -> Option<Found>;

    /// Withdraws a waiter that has slept on `ticket` or not, and takes nothing. If what it waited
    /// for is there, and somebody else waits for it, wakes somebody: the wake-up for that may have
    /// been consumed by this waiter. There is nothing to do where all are woken at once.
    fn withdraw(&self, _ticket: u32) {}

    /// The word, and that it should be what `ticket` says.
    fn word(&self, ticket: u32) -> WaitWord<'_>;

    /// Sleeps while the word is what `ticket` says.
    fn sleep(&self, ticket: u32, deadline: Deadline) -> Wait {
        self.word(ticket).wait(deadline)
    }

    /// Takes what is waited for, sleeping until it is there or `limit` is reached.
    #[inline]
    fn take(&self, limit: impl Limit) -> Option<Found>
    where
        Self: Sized,
    {
        self.try_take().or_else(|| take_slow(self, limit))
    }
}

/// Takes what is waited for, for whom it was not there at once.
#[cold]
#[inline(never)]
pub(super) fn take_slow<W: Waitable + ?Sized>(wanted: &W, limit: impl Limit) -> Option<Found> {
    let mut earlier = None;
    loop {
        let ticket = match wanted.prepare(earlier) {
            Ok(ticket) => ticket,
            Err(found) => return Some(found),
        };
        // A sleep that consumed a wake-up is followed by a look, however late it is.
        match limit.sleep(wanted.word(ticket), |deadline| wanted.sleep(ticket, deadline)) {
            Wait::TimedOut => return wanted.leave(ticket),
            Wait::Woken if !limit.is_endless() && mutant!("waitable.leave-with-the-wake") => {
                return None;
            }
            _ => earlier = Some(ticket),
        }
    }
}
