//! What all things have in common that a thread waits for on one futex word.
//!
//! ```text
//! try_take                     there already: nobody sleeps
//! ticket = prepare(None)       announce a waiter, and look once more
//! sleep(ticket)                as long as the word is what the ticket says
//! ticket = prepare(ticket)     look again; it came, or sleep on
//! leave(ticket)                the deadline passed: look for the last time, and withdraw
//! ```
//!
//! Whoever waits for several of them at once calls these steps by himself, with one sleep on all
//! the words in place of [`Waitable::sleep`].

use crate::primitive::{Deadline, Wait};

/// Something that a thread can wait for on one futex word.
pub(crate) trait Waitable {
    /// Takes what is waited for, if it is there, and says whether it was. Never blocks.
    fn try_take(&self) -> bool;

    /// Announces a waiter: the value to sleep on, or `None` if what is waited for was there, and is
    /// taken. `earlier` is what the last `prepare` of the same wait returned.
    fn prepare(&self, earlier: Option<u32>) -> Option<u32>;

    /// Withdraws a waiter that has slept on `ticket`, and says whether it took what it waited for
    /// all the same. Its sleep has not consumed a wake-up since its last `prepare`.
    fn leave(&self, ticket: u32) -> bool;

    /// Sleeps while the word is what `ticket` says.
    fn sleep(&self, ticket: u32, deadline: Deadline) -> Wait;

    /// Takes what is waited for, sleeping until it is there or `deadline` passes. Says whether it
    /// took it.
    #[inline]
    fn take(&self, deadline: Deadline) -> bool {
        self.try_take() || take_slow(self, deadline)
    }
}

#[cold]
#[inline(never)]
fn take_slow<W: Waitable + ?Sized>(wanted: &W, deadline: Deadline) -> bool {
    let mut earlier = None;
    // A sleep that consumed a wake-up is followed by a look, however late it is.
    while let Some(ticket) = wanted.prepare(earlier) {
        if wanted.sleep(ticket, deadline) == Wait::TimedOut {
            return wanted.leave(ticket);
        }
        earlier = Some(ticket);
    }
    true
}
