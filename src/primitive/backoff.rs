//! Waiting for another thread that is in the middle of something short.

use core::time::Duration;

use super::{Deadline, Futex, Private, spin_loop, yield_now};

/// Doubling pauses; yields once those were in vain; and in the end sleep, as a yield gives nothing
/// to a thread of lower real-time priority, which may be the one to wait for.
pub(crate) struct Backoff {
    step: u32,
}

/// At most 2^6 pauses at a time: a few microseconds on the slowest `PAUSE`.
const MAX_PAUSES: u32 = 6;

/// Steps up to which a wait yields.
const MAX_YIELDS: u32 = MAX_PAUSES + 16;

/// The first sleep lasts this long, and each of the next four twice as long as the one before.
const SLEEP: Duration = Duration::from_micros(50);

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { step: 0 }
    }

    /// After a lost race: another thread made progress, so the next try may well succeed. In the
    /// model there is nothing to gain by waiting, and a schedule to lose.
    #[cfg(feature = "alloc")]
    pub(crate) fn lost_race(&mut self) {
        if !cfg!(all(loom, feature = "loom")) {
            self.pause();
        }
    }

    /// Before looking again whether another thread has finished: it may not be running at all.
    pub(crate) fn wait_for_other(&mut self) {
        if cfg!(all(loom, feature = "loom")) {
            yield_now();
        } else if self.step <= MAX_PAUSES {
            self.pause();
        } else if self.step <= MAX_YIELDS {
            self.step += 1;
            yield_now();
        } else {
            let doublings = (self.step - MAX_YIELDS).min(5) - 1;
            self.step += 1;
            // A word of our own that nobody wakes: whatever ends the wait, time has passed.
            let nobody = Futex::<Private>::new(0);
            nobody.wait(0, Deadline::after(SLEEP * (1 << doublings)));
        }
    }

    fn pause(&mut self) {
        for _ in 0..1_u32 << self.step.min(MAX_PAUSES) {
            spin_loop();
        }
        self.step = (self.step + 1).min(MAX_PAUSES + 1);
    }
}
