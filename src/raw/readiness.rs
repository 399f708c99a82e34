//! Waiting until there is something to be had, without taking it.
//!
//! Where taking needs a value's type, who waits for several things at once is told which one to
//! ask, and others may be faster. Nothing is taken, so whoever was told passes that on.
//!
//! # Invariants
//!
//! 1. Every announcement ends in `cancel`, once, with the last ticket of that waiter: only that
//!    says whether the event count counts it. One that is not counted is given the word of nobody
//!    to sleep on, and looks by itself (`wait_any`).
//! 2. A look that was not in vain, or a withdrawal, is followed by a notification as long as there
//!    is something to be had: the call that this waiter may have used up was for one who would have
//!    taken it. It may be one too many: then somebody looks and sleeps again.
//!
//! # Orderings
//!
//! None here: `event_count` says why no wake-up is lost between a look and a sleep.

use super::{EventCount, Found, Ticket, Waitable};
use crate::primitive::{WaitWord, mutant};

/// Something that there is, or is not, something in to be had.
pub trait Readiness {
    /// Whether there is, or never will be. Takes nothing.
    fn look(&self) -> Option<Found>;

    /// Whether there is something to be had.
    fn has_some(&self) -> bool;

    /// Notified of every change after which `look` says more than before: of one for each thing
    /// that can be had, and all when there will be no more.
    fn changes(&self) -> &EventCount;

    /// A call may have been used up by one who takes nothing.
    fn pass_on(&self) {
        if self.has_some() && !mutant!("readiness.keep-the-call") {
            self.changes().notify_one();
        }
    }
}

impl<R: Readiness> Waitable for R {
    fn try_take(&self) -> Option<Found> {
        self.look()
    }

    fn prepare(&self, earlier: Option<u32>) -> Result<u32, Found> {
        let ticket = match earlier {
            None => self.changes().prepare(),
            Some(earlier) => {
                let mut ticket = Ticket::from_raw(earlier);
                self.changes().again(&mut ticket);
                ticket
            }
        };
        let Some(found) = self.look() else { return Ok(ticket.into_raw()) };
        self.changes().cancel(ticket);
        self.pass_on();
        Err(found)
    }

    fn leave(&self, ticket: u32) -> Option<Found> {
        self.changes().cancel(Ticket::from_raw(ticket));
        let found = self.look();
        if found.is_some() {
            self.pass_on();
        }
        found
    }

    fn withdraw(&self, ticket: u32) {
        self.changes().cancel(Ticket::from_raw(ticket));
        self.pass_on();
    }

    fn word(&self, ticket: u32) -> WaitWord<'_> {
        self.changes().word(ticket)
    }
}
