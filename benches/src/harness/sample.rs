//! What one peer did in one round.

use super::futex_calls::FutexCalls;
use super::stage::Performance;
use super::stats::jain;
use super::usage::Usage;
use hdrhistogram::Histogram;

/// One peer, one round.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Operations finished while the clock ran.
    pub ops: u64,
    /// How long it ran.
    pub seconds: f64,
    /// What the workers used.
    pub usage: Usage,
    /// How the operations were shared out, if several threads competed for them.
    pub fairness: Option<Fairness>,
    /// How long threads waited, if the run was traced; by the kind of what they waited for.
    pub waits: Vec<Waits>,
    /// Who was overtaken how often, if that was counted.
    pub overtaking: Option<Overtaking>,
    /// Futex calls, and the acquisitions that they were made for, if they were counted.
    pub futex: Option<(FutexCalls, u64)>,
    /// Instructions per operation, if the machine counts them.
    pub instructions: Option<f64>,
}

/// How evenly threads were served.
#[derive(Clone, Copy, Debug)]
pub struct Fairness {
    /// Jain's index within windows of 10 ms, averaged over the windows: 1 is even, 1/threads is
    /// one thread alone.
    pub jain_window: f64,
    /// The same over the whole round.
    pub jain_round: f64,
    /// The least served thread's operations, as a share of the mean.
    pub fewest: f64,
    /// The best served thread's.
    pub most: f64,
}

/// Waiting, measured around every acquisition of a traced run.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// What was asked for: `lock`, `read`, `write`.
    pub kind: &'static str,
    /// Nanoseconds from arrival to acquisition, median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// All but one in a thousand.
    pub p999: f64,
    /// All but one in ten thousand.
    pub p9999: f64,
    /// The longest.
    pub longest: f64,
    /// How many acquisitions of others went by between arrival and acquisition, 99th percentile.
    pub bypass_p99: f64,
    /// The most.
    pub bypass_most: f64,
}

/// Waiting and overtaking, of those acquisitions that found the lock taken.
#[derive(Clone, Copy, Debug)]
pub struct Overtaking {
    /// Their share of all acquisitions.
    pub contended: f64,
    /// The share of those that slept.
    pub slept: f64,
    /// Nanoseconds from request to grant, median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.99th percentile.
    pub p99_99: f64,
    /// The same of those that slept: polling does not water it down.
    pub slept_p99_99: f64,
    /// The longest.
    pub longest: f64,
    /// How many acquisitions of others came between request and grant, 99th percentile.
    pub bypass_p99: f64,
    /// The most.
    pub bypass_most: f64,
    /// The most among those that slept and were never preempted: a thread whose time was up after
    /// its request, and before the lock knew of it, is overtaken under any lock. It says nothing
    /// of a lock that yields: that is booked as a preemption.
    pub bypass_undisturbed: f64,
}

impl Sample {
    /// The sum of a crew's work, where single threads' shares mean nothing.
    #[must_use]
    pub fn of_crew(performance: &Performance) -> Sample {
        Sample {
            ops: performance.counts.iter().flatten().sum(),
            seconds: performance.seconds,
            usage: performance.usage,
            fairness: None,
            waits: vec![],
            overtaking: None,
            futex: None,
            instructions: None,
        }
    }

    /// The work of threads that competed on equal terms.
    #[must_use]
    pub fn of_rivals(performance: &Performance) -> Sample {
        Sample {
            fairness: Some(Fairness::among(&performance.counts)),
            ..Sample::of_crew(performance)
        }
    }

    /// Operations per second. A round without any counts as one operation, so that a ratio stays
    /// a number.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.operations() / self.seconds
    }

    /// CPU time per operation, in nanoseconds.
    #[must_use]
    pub fn cpu_nanos(&self) -> f64 {
        self.usage.cpu_seconds * 1e9 / self.operations()
    }

    /// Operations per second of CPU time: spinning cannot hide from it.
    #[must_use]
    pub fn ops_per_cpu_second(&self) -> f64 {
        self.operations() / self.usage.cpu_seconds
    }

    /// Context switches per operation: waiting ones, preempted ones.
    #[must_use]
    pub fn switches(&self) -> (f64, f64) {
        let per_op = |n: u64| n as f64 / self.operations();
        (per_op(self.usage.voluntary), per_op(self.usage.involuntary))
    }

    /// All figures, named, for the journal.
    #[must_use]
    pub fn figures(&self) -> Vec<(String, f64)> {
        let (voluntary, involuntary) = self.switches();
        let mut figures = vec![
            ("ops", self.ops as f64),
            ("seconds", self.seconds),
            ("ns_per_op", 1e9 / self.speed()),
            ("cpu_ns_per_op", self.cpu_nanos()),
            ("voluntary_switches_per_op", voluntary),
            ("involuntary_switches_per_op", involuntary),
        ];
        if let Some(fairness) = self.fairness {
            figures.extend([
                ("jain_10ms", fairness.jain_window),
                ("jain_round", fairness.jain_round),
                ("fewest_of_mean", fairness.fewest),
                ("most_of_mean", fairness.most),
            ]);
        }
        figures.extend(self.instructions.map(|n| ("instructions_per_op", n)));
        let mut named: Vec<_> =
            figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for waits in &self.waits {
            let taken = [
                ("wait_p50_ns", waits.p50),
                ("wait_p99_ns", waits.p99),
                ("wait_p999_ns", waits.p999),
                ("wait_p9999_ns", waits.p9999),
                ("wait_longest_ns", waits.longest),
                ("bypass_p99", waits.bypass_p99),
                ("bypass_most", waits.bypass_most),
            ];
            named.extend(taken.map(|(name, value)| (format!("{}_{name}", waits.kind), value)));
        }
        if let Some(overtaking) = self.overtaking {
            let taken = [
                ("contended_share", overtaking.contended),
                ("slept_share", overtaking.slept),
                ("wait_p50_ns", overtaking.p50),
                ("wait_p99_ns", overtaking.p99),
                ("wait_p99_99_ns", overtaking.p99_99),
                ("slept_p99_99_ns", overtaking.slept_p99_99),
                ("wait_longest_ns", overtaking.longest),
                ("bypass_p99", overtaking.bypass_p99),
                ("bypass_most", overtaking.bypass_most),
                ("bypass_undisturbed", overtaking.bypass_undisturbed),
            ];
            named.extend(taken.map(|(name, value)| (name.to_owned(), value)));
        }
        if let Some((calls, acquired)) = self.futex {
            let taken = [
                ("futex_acquisitions", acquired as f64),
                ("futex_waits", calls.waits as f64),
                ("futex_wakes", calls.wakes as f64),
                ("futex_others", calls.others as f64),
            ];
            named.extend(taken.map(|(name, value)| (name.to_owned(), value)));
        }
        named
    }

    fn operations(&self) -> f64 {
        self.ops.max(1) as f64
    }
}

impl Fairness {
    fn among(counts: &[Vec<u64>]) -> Fairness {
        let windows = counts.first().map_or(0, Vec::len);
        let within: Vec<f64> = (0..windows)
            .map(|window| counts.iter().map(|thread| thread[window]).collect::<Vec<_>>())
            .filter(|shares| shares.iter().any(|&ops| ops != 0))
            .map(|shares| jain(&shares))
            .collect();
        let totals: Vec<u64> = counts.iter().map(|thread| thread.iter().sum()).collect();
        let mean = (totals.iter().sum::<u64>() as f64 / totals.len() as f64).max(1.0);
        Fairness {
            jain_window: within.iter().sum::<f64>() / within.len().max(1) as f64,
            jain_round: jain(&totals),
            fewest: totals.iter().min().copied().unwrap_or(0) as f64 / mean,
            most: totals.iter().max().copied().unwrap_or(0) as f64 / mean,
        }
    }
}

/// What a thread of a traced run writes down; to be added up and summarised as [`Waits`].
#[derive(Debug)]
pub struct WaitLog {
    nanos: Histogram<u64>,
    bypasses: Histogram<u64>,
}

impl WaitLog {
    /// An empty log. It allocates now, and not when something is written.
    #[must_use]
    pub fn new() -> WaitLog {
        // Two digits, up to ten minutes: far more than a round, in 60 kB.
        let histogram = || Histogram::new_with_bounds(1, 600_000_000_000, 2);
        let empty = || histogram().expect("1 < 600e9, and two digits are within the crate's five");
        WaitLog { nanos: empty(), bypasses: empty() }
    }

    /// Writes down one acquisition.
    #[inline]
    pub fn record(&mut self, nanos: u64, bypasses: u64) {
        self.nanos.saturating_record(nanos);
        self.bypasses.saturating_record(bypasses);
    }

    /// The sum of all logs, of waits for `kind`.
    #[must_use]
    pub fn summary(kind: &'static str, logs: &[WaitLog]) -> Waits {
        let mut all = WaitLog::new();
        for log in logs {
            // All histograms here have the same bounds, so none can be too wide for another.
            all.nanos.add(&log.nanos).expect("same bounds");
            all.bypasses.add(&log.bypasses).expect("same bounds");
        }
        let at = |histogram: &Histogram<u64>, q| histogram.value_at_quantile(q) as f64;
        Waits {
            kind,
            p50: at(&all.nanos, 0.5),
            p99: at(&all.nanos, 0.99),
            p999: at(&all.nanos, 0.999),
            p9999: at(&all.nanos, 0.9999),
            longest: all.nanos.max() as f64,
            bypass_p99: at(&all.bypasses, 0.99),
            bypass_most: all.bypasses.max() as f64,
        }
    }
}

impl Default for WaitLog {
    fn default() -> WaitLog {
        WaitLog::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fairness_is_per_window_and_per_round() {
        // Two threads take turns by window: unfair within each, fair over the round.
        let fairness = Fairness::among(&[vec![10, 0], vec![0, 10]]);
        assert_eq!(fairness.jain_window, 0.5);
        assert_eq!(fairness.jain_round, 1.0);
        assert_eq!((fairness.fewest, fairness.most), (1.0, 1.0));

        let fairness = Fairness::among(&[vec![30], vec![10]]);
        assert_eq!((fairness.fewest, fairness.most), (0.5, 1.5));
    }

    #[test]
    fn wait_logs_add_up() {
        let mut logs = [WaitLog::new(), WaitLog::new()];
        (0..98).for_each(|_| logs[0].record(100, 0));
        logs[1].record(5_000, 3);
        logs[1].record(90_000, 40);
        let waits = WaitLog::summary("lock", &logs);
        assert_eq!(waits.p50, 100.0);
        assert!((waits.p99 - 5_000.0).abs() < 50.0, "{}", waits.p99);
        assert!((waits.longest - 90_000.0).abs() < 900.0, "{}", waits.longest);
        assert_eq!((waits.bypass_p99, waits.bypass_most), (3.0, 40.0));
    }
}
