//! Medians, intervals, fairness index, modes.
//!
//! Rounds on a shared machine have outliers on one side and sometimes two modes, so everything
//! here goes by rank: medians and quantiles, and for the uncertainty of a median a bootstrap,
//! which assumes nothing about the distribution.

/// A closed interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// A figure that was taken once per round, over all rounds.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// The middle round.
    pub median: f64,
    /// Where the median lies, at 95 %.
    pub interval: Interval,
    /// How far single rounds scatter: the middle half's width, relative to the median.
    pub spread: f64,
    /// How many rounds it is made of.
    pub rounds: usize,
}

/// Resamples of the bootstrap: enough for two digits of a 95 % interval.
const RESAMPLES: usize = 2000;

impl Estimate {
    /// From one value per round; `None` without any.
    #[must_use]
    pub fn over(rounds: &[f64]) -> Option<Estimate> {
        if rounds.is_empty() {
            return None;
        }
        let sorted = ascending(rounds.to_vec());
        let median = quantile(&sorted, 0.5);
        let spread = (quantile(&sorted, 0.75) - quantile(&sorted, 0.25)) / median;
        Some(Estimate { median, interval: bootstrap(&sorted), spread, rounds: rounds.len() })
    }
}

/// The interval that holds the median of 95 % of all resamples of `sorted`.
fn bootstrap(sorted: &[f64]) -> Interval {
    resampled(sorted.len(), |picks| {
        quantile(&ascending(picks.iter().map(|&pick| sorted[pick]).collect()), 0.5)
    })
}

/// The interval that holds `figure` of 95 % of all resamples of so many rounds: it is given the
/// numbers of the rounds to make it of.
///
/// # Panics
///
/// Without rounds.
#[must_use]
pub fn resampled(rounds: usize, figure: impl Fn(&[usize]) -> f64) -> Interval {
    // A fixed seed: the same rounds give the same interval.
    let mut random = fastrand::Rng::with_seed(0x5EED);
    let mut picks = vec![0; rounds];
    let figures = (0..RESAMPLES).map(|_| {
        picks.fill_with(|| random.usize(0..rounds));
        figure(&picks)
    });
    let figures = ascending(figures.collect());
    Interval { low: quantile(&figures, 0.025), high: quantile(&figures, 0.975) }
}

fn ascending(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The value at `q` of a sorted list, between neighbours in proportion.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

/// The median, or NaN of nothing.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let sorted = ascending(values.into_iter().collect());
    if sorted.is_empty() { f64::NAN } else { quantile(&sorted, 0.5) }
}

/// Jain's fairness index: 1 if all shares are equal, 1/n if one has everything.
#[must_use]
pub fn jain(shares: &[u64]) -> f64 {
    let sum: f64 = shares.iter().map(|&x| x as f64).sum();
    let squares: f64 = shares.iter().map(|&x| (x as f64).powi(2)).sum();
    if squares == 0.0 { 1.0 } else { sum.powi(2) / (shares.len() as f64 * squares) }
}

/// Two groups that a list of values falls into.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Modes {
    /// Median of the lower group.
    pub low: f64,
    /// Median of the upper group.
    pub high: f64,
    /// The part of all values that is in the lower group.
    pub low_share: f64,
}

/// Splits values where the two halves scatter least around their own means; `None` if there are
/// fewer than two.
#[must_use]
pub fn modes(values: &[f64]) -> Option<Modes> {
    let sorted = ascending(values.to_vec());
    let scatter = |group: &[f64]| {
        let mean = group.iter().sum::<f64>() / group.len() as f64;
        group.iter().map(|x| (x - mean).powi(2)).sum::<f64>()
    };
    let split = (1..sorted.len()).min_by(|&a, &b| {
        let cost = |at: usize| scatter(&sorted[..at]) + scatter(&sorted[at..]);
        cost(a).total_cmp(&cost(b))
    })?;
    Some(Modes {
        low: quantile(&sorted[..split], 0.5),
        high: quantile(&sorted[split..], 0.5),
        low_share: split as f64 / sorted.len() as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let sorted = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(quantile(&sorted, 0.0), 1.0);
        assert_eq!(quantile(&sorted, 0.5), 2.5);
        assert_eq!(quantile(&sorted, 1.0), 4.0);
        assert_eq!(median([9.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn one_outlier_moves_neither_median_nor_interval_much() {
        let mut rounds = vec![1.0; 39];
        rounds.push(50.0);
        let estimate = Estimate::over(&rounds).unwrap();
        assert_eq!(estimate.median, 1.0);
        assert_eq!(estimate.interval, Interval { low: 1.0, high: 1.0 });
        assert_eq!(estimate.spread, 0.0);
    }

    #[test]
    fn the_interval_covers_the_median_of_the_source_about_95_times_in_100() {
        let mut random = fastrand::Rng::with_seed(7);
        let covered = (0..150).filter(|_| {
            let rounds: Vec<f64> = (0..30).map(|_| random.f64()).collect();
            let interval = Estimate::over(&rounds).unwrap().interval;
            interval.low <= 0.5 && 0.5 <= interval.high
        });
        let covered = covered.count();
        assert!((133..150).contains(&covered), "{covered} of 150");
    }

    #[test]
    fn jain_knows_both_ends() {
        assert_eq!(jain(&[5, 5, 5, 5]), 1.0);
        assert_eq!(jain(&[9, 0, 0]), 1.0 / 3.0);
    }

    #[test]
    fn modes_are_told_apart() {
        let found = modes(&[10.0, 11.0, 12.0, 30.0, 31.0, 32.0, 33.0, 10.5]).unwrap();
        assert_eq!(found, Modes { low: 10.75, high: 31.5, low_share: 0.5 });
        assert_eq!(modes(&[1.0]), None);
    }
}
