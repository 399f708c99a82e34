//! How closely the waiters of one side of a queue follow the other side.
//!
//! A consumer that has caught up and takes each value the moment it comes makes two cores pass the
//! same lines to and fro, several times for each value: the slot, and the position that says there
//! is no more. One that stays away for a moment finds a run of values, and the lines move once a
//! run. But who answers each value with another, and waits for the next, gains nothing by staying
//! away: nothing comes meanwhile.
//!
//! So a waiter sees what the last wait was good for. Between two waits of its side,
//!
//! - one value has gone: the other side does not run ahead. Look sooner.
//! - some have gone, but few: it does, so look later, and there will be more.
//! - very many have gone: waits are rare, and need not be long to pay. Look sooner.
//!
//! "Few" is less than [`RUN`], and less than half of the places: who comes back when all are used
//! has kept the other side waiting. The first pause is between 1 and 2^[`LATEST`] times the
//! processor's, which is a microsecond or two; that much later than it could have a value is taken,
//! at worst, where some come quickly after each other.
//!
//! The word is a hint: all of this may be lost or wrong without harm, which is why its accesses are
//! plain loads and stores, and why the model does without. It has a line of its own, written by
//! waiters only.

use crossbeam_utils::CachePadded;

use crate::primitive::Ordering::Relaxed;
use crate::primitive::{AtomicU64, Looks, tuning};

/// Values over which the cost of moving some lines from core to core is spread thin.
const RUN: u64 = 64;

/// The longest first pause, as an exponent of two.
const LATEST: u64 = 6;

/// What the waiters of one side have found so far: the exponent of the first pause in the low byte,
/// and above it how many values had gone at the last wait.
pub(super) struct Pace {
    word: CachePadded<AtomicU64>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { word: CachePadded::new(AtomicU64::new(0)) }
    }

    /// For a waiter of a queue with so many places, through which `gone` values have gone.
    pub(super) fn looks(&self, places: Option<usize>, gone: impl FnOnce() -> u64) -> Looks {
        if tuning(1, 0) == 0 {
            return Looks::new();
        }
        let (gone, last) = (gone(), self.word.load(Relaxed)); // Relaxed: a hint.
        let since = (gone << 8).wrapping_sub(last & !0xff) >> 8;
        let exponent = adjusted(last & 0xff, since, places);
        self.word.store(gone << 8 | exponent, Relaxed); // Relaxed: a hint.
        Looks::after(1 << exponent)
    }
}

fn adjusted(exponent: u64, since: u64, places: Option<usize>) -> u64 {
    let run = places.map_or(RUN, |places| RUN.min(places as u64 / 2));
    if since <= 1 || since > 4 * run {
        exponent.saturating_sub(1)
    } else if since < run {
        LATEST.min(exponent + 1)
    } else {
        exponent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where `count` waits of which each finds so many values lead to.
    fn after(count: u32, places: Option<usize>, found: impl Fn(u64) -> u64) -> u64 {
        (0..count).fold(0, |exponent, _| adjusted(exponent, found(exponent), places))
    }

    #[test]
    fn who_gets_one_value_for_each_wait_looks_at_once() {
        for places in [Some(1), Some(2), Some(1024), None] {
            for before in 0..=LATEST {
                assert_eq!(adjusted(before, 1, places), before.saturating_sub(1));
                assert_eq!(adjusted(before, 0, places), before.saturating_sub(1));
            }
        }
    }

    /// The longer the pause, the more values.
    #[test]
    fn a_stream_is_left_alone_for_longer() {
        assert_eq!(after(20, None, |exponent| 2 << exponent), 5, "64 values are enough");
        assert_eq!(after(20, Some(1024), |exponent| 2 << exponent), 5);
        assert_eq!(after(20, Some(8), |exponent| 2 << exponent), 1, "half of the places");
        assert_eq!(after(20, Some(2), |_| 2), 0);
        assert_eq!(after(20, None, |_| 3), LATEST, "no longer than that");
    }

    #[test]
    fn rare_waits_are_short() {
        assert_eq!(adjusted(LATEST, 4 * RUN, None), LATEST);
        assert_eq!(adjusted(LATEST, 4 * RUN + 1, None), LATEST - 1);
        assert_eq!(adjusted(0, u64::MAX, Some(usize::MAX)), 0);
    }

    /// The count goes round at 2^56.
    #[test]
    fn what_has_gone_may_go_round() {
        let pace = Pace::new();
        let mut gone = (1 << 56) - 2_u64;
        for exponent in [0, 1, 2, 3] {
            pace.looks(None, || gone);
            assert_eq!(pace.word.load(Relaxed), gone << 8 | exponent);
            gone += 2;
        }
    }
}
