//! Does a figure meet its bar, given the noise floor?
//!
//! The floor is the subject against itself, under a second name, in the same rounds: whatever
//! that ratio shows is noise. It widens every interval before a bar is looked at.
//!
//! - A bar of at most 1 ("not slower than") is met if the widened interval reaches it.
//! - A higher bar ("faster than") must lie wholly below the widened interval.
//! - If the floor is not within 3 %, nothing is met: the cell is undecided, or missed if even
//!   the widened interval stays below the bar.
//! - Fewer than 30 rounds decide nothing, neither a bar nor a gain or a loss.
//! - A bar may leave out cells whose single rounds scatter too much against themselves.

use super::stats::{Estimate, Interval};

/// How far the floor may lie from 1 for a bar to be met.
pub const FLOOR_LIMIT: f64 = 0.03;

/// Rounds that make a figure evidence.
pub const ENOUGH_ROUNDS: usize = 30;

/// The subject against itself.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    /// The ratio, which should be 1.
    pub ratio: Estimate,
}

impl Floor {
    /// How far from 1 the ratio may be by chance.
    #[must_use]
    pub fn width(&self) -> f64 {
        let Interval { low, high } = self.ratio.interval;
        (1.0 - low).abs().max((high - 1.0).abs())
    }

    /// Is it low enough to decide anything?
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.width() <= FLOOR_LIMIT
    }

    /// An interval with the floor's noise added on both sides.
    #[must_use]
    pub fn widen(&self, interval: Interval) -> Interval {
        let width = self.width();
        Interval { low: interval.low * (1.0 - width), high: interval.high * (1.0 + width) }
    }

    /// Slower than a peer beyond doubt?
    #[must_use]
    pub fn is_loss(&self, ratio: &Estimate) -> bool {
        ratio.rounds >= ENOUGH_ROUNDS && self.widen(ratio.interval).high < 1.0
    }

    /// Faster than a peer beyond doubt?
    #[must_use]
    pub fn is_gain(&self, ratio: &Estimate) -> bool {
        ratio.rounds >= ENOUGH_ROUNDS && self.widen(ratio.interval).low > 1.0
    }
}

/// A promise about a speed ratio.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// What must be reached.
    pub least: f64,
    /// Cells whose floor scatters more than this from round to round do not count.
    pub spread_limit: Option<f64>,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The bar is reached.
    Met,
    /// It is not, noise considered.
    Missed,
    /// The noise is too high to say.
    Undecided,
    /// The bar leaves out cells like this one.
    NotCounted,
}

impl Verdict {
    /// One or two words for tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Missed => "**missed**",
            Verdict::Undecided => "undecided",
            Verdict::NotCounted => "not counted",
        }
    }
}

impl Bar {
    /// Judges a ratio by the rules above.
    #[must_use]
    pub fn judge(&self, ratio: &Estimate, floor: &Floor) -> Verdict {
        if self.spread_limit.is_some_and(|limit| floor.ratio.spread > limit) {
            return Verdict::NotCounted;
        }
        if ratio.rounds < ENOUGH_ROUNDS {
            return Verdict::Undecided;
        }
        let Interval { low, high } = floor.widen(ratio.interval);
        let reached = if self.least <= 1.0 { high >= self.least } else { low > self.least };
        if reached && floor.is_low() {
            Verdict::Met
        } else if high < self.least {
            Verdict::Missed
        } else {
            Verdict::Undecided
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(low: f64, median: f64, high: f64, spread: f64) -> Estimate {
        Estimate { median, interval: Interval { low, high }, spread, rounds: ENOUGH_ROUNDS }
    }

    fn floor(width: f64, spread: f64) -> Floor {
        Floor { ratio: estimate(1.0 - width, 1.0, 1.0 + width, spread) }
    }

    const PARITY: Bar = Bar { least: 0.97, spread_limit: None };
    const GAIN: Bar = Bar { least: 1.1, spread_limit: None };

    #[test]
    fn a_bar_up_to_one_is_met_when_the_widened_interval_reaches_it() {
        let ratio = estimate(0.93, 0.94, 0.95, 0.0);
        assert_eq!(PARITY.judge(&ratio, &floor(0.01, 0.0)), Verdict::Missed);
        assert_eq!(PARITY.judge(&ratio, &floor(0.025, 0.0)), Verdict::Met);
    }

    #[test]
    fn a_higher_bar_must_be_cleared_by_the_whole_interval() {
        assert_eq!(GAIN.judge(&estimate(1.13, 1.2, 1.3, 0.0), &floor(0.01, 0.0)), Verdict::Met);
        assert_eq!(
            GAIN.judge(&estimate(1.09, 1.2, 1.3, 0.0), &floor(0.01, 0.0)),
            Verdict::Undecided
        );
        assert_eq!(GAIN.judge(&estimate(1.0, 1.02, 1.05, 0.0), &floor(0.01, 0.0)), Verdict::Missed);
    }

    #[test]
    fn nothing_is_met_over_a_high_floor() {
        assert_eq!(
            PARITY.judge(&estimate(1.3, 1.4, 1.5, 0.0), &floor(0.05, 0.0)),
            Verdict::Undecided
        );
        assert_eq!(PARITY.judge(&estimate(0.6, 0.7, 0.8, 0.0), &floor(0.05, 0.0)), Verdict::Missed);
    }

    #[test]
    fn a_cell_that_jumps_between_modes_does_not_count() {
        let bar = Bar { least: 0.85, spread_limit: Some(0.10) };
        assert_eq!(
            bar.judge(&estimate(0.5, 0.5, 0.5, 0.0), &floor(0.01, 0.2)),
            Verdict::NotCounted
        );
    }

    #[test]
    fn a_few_rounds_decide_nothing() {
        let few = Estimate { rounds: ENOUGH_ROUNDS - 1, ..estimate(0.5, 0.5, 0.5, 0.0) };
        assert_eq!(PARITY.judge(&few, &floor(0.01, 0.0)), Verdict::Undecided);
        assert!(!floor(0.01, 0.0).is_loss(&few));
        assert!(floor(0.01, 0.0).is_loss(&estimate(0.5, 0.5, 0.5, 0.0)));
    }

    #[test]
    fn a_floor_off_centre_is_as_wide_as_its_far_end() {
        let off = Floor { ratio: estimate(1.01, 1.02, 1.04, 0.0) };
        assert!((off.width() - 0.04).abs() < 1e-12);
        assert!(!off.is_low());
    }
}
