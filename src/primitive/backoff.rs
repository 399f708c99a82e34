//! Waiting for another thread that is in the middle of something short.

use super::{spin_loop, yield_now};

/// Doubling pauses, and the rest of the time slice once those were in vain.
pub(crate) struct Backoff {
    step: u32,
}

/// At most 2^6 pauses at a time: a few microseconds on the slowest `PAUSE`.
const MAX_STEP: u32 = 6;

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { step: 0 }
    }

    /// After a lost race: another thread made progress, so the next try may well succeed. In the
    /// model there is nothing to gain by waiting, and a schedule to lose.
    pub(crate) fn lost_race(&mut self) {
        if !cfg!(all(loom, feature = "loom")) {
            self.pause();
        }
    }

    /// Before looking again whether another thread has finished: it may not be running at all.
    pub(crate) fn wait_for_other(&mut self) {
        if self.step > MAX_STEP || cfg!(all(loom, feature = "loom")) {
            yield_now();
        } else {
            self.pause();
        }
    }

    fn pause(&mut self) {
        for _ in 0..1_u32 << self.step.min(MAX_STEP) {
            spin_loop();
        }
        self.step += 1;
    }
}
