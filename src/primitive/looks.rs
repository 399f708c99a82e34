//! Looking for a while before it comes to sleep.

use super::{spin_loop, tuning, yield_now};

/// The processor's pauses between looks, in all: two microseconds or so, which is what another core
/// takes to come by several times.
const PAUSES: u32 = tuning(128, 0);

/// A pause takes this part of those before it, and one more: so much later than it could have comes
/// a waiter at worst, and who waits for longer looks less often.
const GROWTH: u32 = 4;

/// Then the core is given away so often: whoever is waited for may share it. With the pauses that
/// is about what it costs to fall asleep and be woken, so a wait takes at most twice of what it
/// would have taken if it had been known how it ends.
const YIELDS: u32 = tuning(8, 0);

/// What is left of a waiter's looks. None are made in the model, where waiters sleep at once.
///
/// A look owes nothing to anybody, so no protocol knows of these: whoever changes what is looked at
/// has nobody to wake yet.
pub(crate) struct Looks {
    next: u32,
    pauses: u32,
    yields: u32,
}

impl Looks {
    pub(crate) const fn new() -> Self {
        Self::after(1)
    }

    /// The first look after so many pauses.
    pub(crate) const fn after(pauses: u32) -> Self {
        Self { next: pauses, pauses: PAUSES, yields: YIELDS }
    }

    /// Lets time pass before another look, if there is to be one: not if the waiter `is_late`,
    /// which is asked once the pauses are over.
    pub(crate) fn once_more(&mut self, is_late: impl FnOnce() -> bool) -> bool {
        if self.pauses > 0 {
            (0..self.next).for_each(|_| spin_loop());
            self.pauses = self.pauses.saturating_sub(self.next);
            self.next = 1 + (PAUSES - self.pauses) / GROWTH;
        } else if self.yields > 0 && !is_late() {
            self.yields -= 1;
            yield_now();
        } else {
            return false;
        }
        true
    }
}
