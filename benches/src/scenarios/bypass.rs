//! M6: many more threads than cores, one lock: who is overtaken how often?
//!
//! The threads do what they do in [`contended`](super::contended). Each acquisition tries first;
//! one that finds the lock free has waited for nobody, and is only counted. So a lock's fast path
//! is slowed by no clock, and by one store. The others read the clock and the count of
//! acquisitions, ask for the lock, and read both again once they have it.
//!
//! Between its request and the moment the lock knows of it, a thread may lose its processor, and is
//! overtaken by whole time slices under any lock, a strictly fair one included. The kernel's
//! account of context switches tells: it is read after every wait of a microsecond or more. No
//! sleep is shorter, so a sleep it shows was in that wait. A preemption may have been before it,
//! after the last reading; then one wait too many is taken for disturbed. A `sched_yield` is booked
//! as a preemption, so of a lock that yields before it sleeps, hardly any wait is left.

use super::contended::{Contended, assert_exclusion};
use crate::harness::clock::{nanos, ticks};
use crate::harness::sample::{Overtaking, Sample};
use crate::harness::stage::perform;
use crate::harness::usage::Usage;
use crate::locks::Lock;
use crossbeam_utils::CachePadded;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Shorter waits, in nanoseconds, were spent polling: going to sleep alone takes longer.
const SHORTEST_SLEEP: u64 = 1000;

/// Counts by powers of two, each cut into 32 parts: 3 % at worst, and one increment to write.
struct Buckets(Box<[u64; 64 * PARTS as usize]>);

const PARTS: u64 = 32;

impl Buckets {
    fn new() -> Buckets {
        Buckets(Box::new([0; 64 * PARTS as usize]))
    }

    #[inline]
    fn record(&mut self, value: u64) {
        self.0[Buckets::index(value)] += 1;
    }

    /// Values below two times the parts have buckets of their own.
    #[inline]
    fn index(value: u64) -> usize {
        let shift = (value | PARTS).ilog2() - PARTS.ilog2();
        (u64::from(shift) * PARTS + (value >> shift)) as usize
    }

    /// The largest value that goes into a bucket.
    fn value(index: usize) -> u64 {
        let index = index as u64;
        let shift = (index / PARTS).saturating_sub(1);
        ((index - shift * PARTS + 1) << shift) - 1
    }

    fn add(&mut self, other: &Buckets) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(sum, count)| *sum += count);
    }

    fn len(&self) -> u64 {
        self.0.iter().sum()
    }

    /// NaN of nothing.
    fn quantile(&self, q: f64) -> f64 {
        let rank = (q * self.len() as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        let found = self.0.iter().position(|count| {
            below += count;
            below >= rank
        });
        found.map_or(f64::NAN, |index| Buckets::value(index) as f64)
    }
}

/// What one thread writes down, on memory of its own.
struct Log {
    acquired: u64,
    /// In nanoseconds.
    waits: Buckets,
    sleeps: Buckets,
    longest: u64,
    bypasses: Buckets,
    most: u64,
    most_undisturbed: u64,
}

impl Log {
    fn new() -> Log {
        Log {
            acquired: 0,
            waits: Buckets::new(),
            sleeps: Buckets::new(),
            longest: 0,
            bypasses: Buckets::new(),
            most: 0,
            most_undisturbed: 0,
        }
    }

    /// `switches` are those of this wait, if it was long enough for any.
    #[inline]
    fn record(&mut self, nanos: u64, bypasses: u64, switches: Option<Usage>) {
        self.waits.record(nanos);
        self.bypasses.record(bypasses);
        self.longest = self.longest.max(nanos);
        self.most = self.most.max(bypasses);
        let Some(switches) = switches.filter(|switches| switches.voluntary != 0) else { return };
        self.sleeps.record(nanos);
        if switches.involuntary == 0 {
            self.most_undisturbed = self.most_undisturbed.max(bypasses);
        }
    }

    fn add(&mut self, other: &Log) {
        self.acquired += other.acquired;
        self.waits.add(&other.waits);
        self.sleeps.add(&other.sleeps);
        self.longest = self.longest.max(other.longest);
        self.bypasses.add(&other.bypasses);
        self.most = self.most.max(other.most);
        self.most_undisturbed = self.most_undisturbed.max(other.most_undisturbed);
    }

    fn summary(logs: &[Log]) -> Overtaking {
        let mut all = Log::new();
        logs.iter().for_each(|log| all.add(log));
        let acquired = all.acquired.max(1) as f64;
        let longest = all.longest as f64;
        // A bucket's largest value may be one that nobody waited for. NaN stays: of nothing.
        let wait = |of: &Buckets, q| {
            let found = of.quantile(q);
            if found > longest { longest } else { found }
        };
        Overtaking {
            contended: all.waits.len() as f64 / acquired,
            slept: all.sleeps.len() as f64 / acquired,
            p50: wait(&all.waits, 0.5),
            p99: wait(&all.waits, 0.99),
            p99_99: wait(&all.waits, 0.9999),
            slept_p99_99: wait(&all.sleeps, 0.9999),
            longest,
            bypass_p99: all.bypasses.quantile(0.99),
            bypass_most: all.most as f64,
            bypass_undisturbed: all.most_undisturbed as f64,
        }
    }
}

/// Times each acquisition that finds the lock taken.
///
/// # Panics
///
/// If the lock failed to exclude.
#[must_use]
pub fn traced<L: Lock>(cell: &Contended) -> Sample {
    let lock = CachePadded::new(L::new());
    // What the protected number says, for those who arrive and may not look at it.
    let mirror = CachePadded::new(AtomicU64::new(0));
    let (performance, results) = perform(&cell.timing, cell.threads, |index, seat| {
        let mut random = fastrand::Rng::with_seed(index as u64);
        let (mut acquired, mut log) = (0, Log::new());
        let mut switches = Usage::of_this_thread();
        let section = |n: &mut u64| {
            let before = *n;
            *n += 1;
            // Relaxed, as the load: a count that may lag by the one acquisition in flight.
            mirror.store(*n, Relaxed);
            cell.section.run();
            before
        };
        while seat.proceed() {
            let quick = lock.try_with(section);
            if quick.is_none() {
                let (request, seen) = (ticks(), mirror.load(Relaxed));
                let (grant, before) = lock.with(|n| (ticks(), section(n)));
                let wait = nanos(grant.saturating_sub(request));
                let during = (wait >= SHORTEST_SLEEP).then(|| {
                    let now = Usage::of_this_thread();
                    let during = now - switches;
                    switches = now;
                    during
                });
                if seat.is_measured() {
                    log.record(wait, before.saturating_sub(seen), during);
                }
            }
            seat.count(1);
            acquired += 1;
            log.acquired += u64::from(seat.is_measured());
            cell.think.run_jittered(&mut random);
        }
        (acquired, log)
    });
    let (acquired, logs): (Vec<u64>, Vec<Log>) = results.into_iter().unzip();
    assert_exclusion(&*lock, &acquired);
    Sample { overtaking: Some(Log::summary(&logs)), ..Sample::of_rivals(&performance) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::stage::Timing;
    use crate::harness::work::Work;
    use std::time::Duration;

    #[test]
    fn every_value_is_at_most_3_percent_below_its_buckets_largest() {
        for value in (0..5000).chain([1 << 20, (1 << 20) + 77, 1 << 40, u64::MAX >> 1]) {
            let index = Buckets::index(value);
            let largest = Buckets::value(index);
            assert!(largest >= value, "{value} in bucket {index}, up to {largest}");
            assert!(largest - value <= value / PARTS, "{value} in bucket {index}, up to {largest}");
            assert_eq!(Buckets::index(largest), index);
            assert_eq!(Buckets::index(largest + 1), index + 1);
        }
        assert!(Buckets::index(u64::MAX) < 64 * PARTS as usize);
    }

    #[test]
    fn quantiles_are_by_rank() {
        let mut buckets = Buckets::new();
        (1..=50).for_each(|value| buckets.record(value));
        assert_eq!(buckets.quantile(0.5), 25.0);
        assert_eq!(buckets.quantile(1.0), 50.0);
        assert!(Buckets::new().quantile(0.5).is_nan());
    }

    #[test]
    fn preempted_waits_are_told_apart() {
        let mut log = Log::new();
        let switches =
            |voluntary, involuntary| Some(Usage { voluntary, involuntary, ..Usage::default() });
        log.record(500, 1, None);
        log.record(5_000, 70, switches(0, 1));
        log.record(6_000, 60, switches(1, 1));
        log.record(7_000, 50, switches(2, 0));
        log.acquired = 8;
        let found = Log::summary(&[log]);
        assert_eq!((found.contended, found.slept), (0.5, 0.25));
        assert_eq!((found.bypass_most, found.bypass_undisturbed), (70.0, 50.0));
        assert_eq!(found.longest, 7_000.0);
    }

    #[test]
    fn a_thread_that_must_sleep_is_seen_to() {
        let cell = Contended {
            threads: 4,
            section: Work::lasting(2_000_000),
            think: Work::default(),
            timing: Timing::lasting(Duration::from_millis(60)),
        };
        let found = traced::<std::sync::Mutex<u64>>(&cell).overtaking.unwrap();
        assert!(found.contended > 0.0 && found.slept > 0.0, "{found:?}");
        assert!(found.longest >= 1_000_000.0, "{found:?}");
    }
}
