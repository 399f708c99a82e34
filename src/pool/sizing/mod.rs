//! How many threads, and how long a queue: what the machine gives, and what arithmetic says.
//!
//! Two things bound how much a process computes at once, and they are not the same. Its *affinity*
//! says on which processors its threads may stand at all. The *quota* of its control group says how
//! much processor time all of them together get per period; they may well stand on sixteen
//! processors at once, use the quota up in the first tenth of the period, and then stand still for
//! the rest of it. Both are given here apart, [`cpus`] and [`quota`], and together as
//! [`parallelism`].
//!
//! A thread more than that gains nothing as long as threads compute. As soon as they wait, for a
//! disk, a lock or another service, more are needed to keep the processors busy:
//! [`threads_with_waits`] says how many. And how many are needed to serve a given load, whatever
//! they do meanwhile, is [Little's law](in_service).
//!
//! ```
//! use std::time::Duration;
//! use lockwork::pool::{ThreadPool, sizing};
//!
//! // Tasks that compute for 2 ms and wait for 8: five threads a core.
//! let threads = sizing::threads_with_waits(
//!     sizing::parallelism(),
//!     Duration::from_millis(8),
//!     Duration::from_millis(2),
//! )
//! .expect("they do compute");
//!
//! // Each core ends 500 of them a second. Whoever is queued shall start within 100 ms.
//! let rate = 500.0 * sizing::parallelism().get() as f64;
//! let capacity = sizing::queue_capacity(rate, Duration::from_millis(100)).expect("a rate");
//!
//! let pool = ThreadPool::builder()
//!     .threads(threads.get())
//!     .queue_capacity(capacity.get())
//!     .build()?;
//! # Ok::<(), lockwork::pool::BuildError>(())
//! ```
//!
//! # What these numbers are not
//!
//! Both laws are about means. They hold for any distribution, but say nothing of the tail: a pool
//! sized exactly to its load has a queue that grows without bound. Keep a reserve, and let a
//! bounded queue refuse what is too much.

mod cgroup;

use core::num::NonZeroUsize;
use core::time::Duration;
use std::path::Path;

use crate::primitive::rt as kernel;

/// How many threads can compute at once: the processors of the calling thread, or what the quota of
/// its control group pays for, rounded up, if that is less.
///
/// Rounded up, since a thread that has half a processor's time must be there to use it.
///
/// Reads a few small files; whoever needs it often keeps the answer. It changes when somebody
/// changes the affinity or the quota.
///
/// # Differences
///
/// From [`std::thread::available_parallelism`]: that rounds the quota down, so that a quota of 1.9
/// processors leaves almost half of it unused.
///
/// ```
/// use lockwork::pool::sizing;
///
/// assert!(sizing::parallelism() <= sizing::cpus());
/// ```
#[must_use]
#[doc(alias("available_parallelism", "num_cpus", "availableProcessors", "hardware_concurrency"))]
pub fn parallelism() -> NonZeroUsize {
    limited(cpus(), quota())
}

fn limited(cpus: NonZeroUsize, quota: Option<f64>) -> NonZeroUsize {
    quota.and_then(whole).map_or(cpus, |paid| paid.min(cpus))
}

/// How many processors the calling thread may run on: its affinity, whatever the quota.
///
/// Threads that it starts begin with the same. 1 where the kernel does not tell.
///
/// ```
/// assert!(lockwork::pool::sizing::cpus().get() >= 1);
/// ```
#[must_use]
#[doc(alias("sched_getaffinity", "nproc", "CPU_COUNT"))]
pub fn cpus() -> NonZeroUsize {
    let allowed = kernel::cpus(0).map_or(0, |cpus| cpus.len());
    NonZeroUsize::new(allowed).unwrap_or(NonZeroUsize::MIN)
}

/// How many processors' time the control groups of this process allow it, such as 1.5; `None` if
/// they set no limit.
///
/// The least of the limits of its own group and of all those around it that can be seen from here.
/// Inside a container, that is the limit that the container was started with. Both forms are known,
/// `cpu.max` of control groups 2 and `cpu.cfs_quota_us` of control groups 1.
///
/// Other processes of the same group share the quota with this one.
///
/// ```
/// match lockwork::pool::sizing::quota() {
///     Some(cpus) => println!("limited to {cpus} processors"),
///     None => println!("no limit"),
/// }
/// ```
#[must_use]
#[doc(alias("cgroup", "cpu.max", "cfs_quota_us", "container", "docker", "kubernetes"))]
pub fn quota() -> Option<f64> {
    cgroup::quota(Path::new("/proc/self"), Path::new("/"))
}

/// How many threads keep `cores` busy with tasks that compute for `compute` and wait for `wait`:
/// `cores` × (1 + `wait` ÷ `compute`), rounded up.
///
/// `None` if the tasks do not compute at all: then the number of cores says nothing, and
/// [`in_service`] does.
///
/// Measure the two on a running system. A guess is wrong by as much as the result is.
///
/// Source: Goetz and others, *Java Concurrency in Practice*, 8.2, at full utilization.
///
/// ```
/// use std::num::NonZeroUsize;
/// use std::time::Duration;
/// use lockwork::pool::sizing::threads_with_waits;
///
/// let cores = NonZeroUsize::new(4).unwrap();
/// let [none, ms, long] = [0, 1, 9].map(Duration::from_millis);
/// assert_eq!(threads_with_waits(cores, none, ms).unwrap().get(), 4);
/// assert_eq!(threads_with_waits(cores, long, ms).unwrap().get(), 40);
/// assert_eq!(threads_with_waits(cores, long, none), None);
/// ```
#[must_use]
pub fn threads_with_waits(
    cores: NonZeroUsize,
    wait: Duration,
    compute: Duration,
) -> Option<NonZeroUsize> {
    if compute.is_zero() {
        return None;
    }
    // In whole nanoseconds, so that a whole result stays one.
    let (wait, compute) = (wait.as_nanos(), compute.as_nanos());
    let threads = (cores.get() as u128).saturating_mul(wait + compute).div_ceil(compute);
    NonZeroUsize::new(usize::try_from(threads).unwrap_or(usize::MAX))
}

/// Little's law: how many are being served at once, if `per_second` arrive and each stays for
/// `time`. Rounded up: so many threads are needed to serve them.
///
/// `None` if the rate is negative or no finite number, or the product is larger than a `usize`.
///
/// Source: Little, *A Proof for the Queuing Formula L = λW*, 1961.
///
/// ```
/// use std::time::Duration;
/// use lockwork::pool::sizing::in_service;
///
/// // A thousand requests a second that take half a second each.
/// assert_eq!(in_service(1000.0, Duration::from_millis(500)), Some(500));
/// assert_eq!(in_service(f64::NAN, Duration::from_millis(500)), None);
/// ```
#[must_use]
#[doc(alias("little", "concurrency"))]
pub fn in_service(per_second: f64, time: Duration) -> Option<usize> {
    product(per_second, time).map(f64::ceil).and_then(as_count)
}

/// Little's law once more: how many may be queued, if `per_second` are taken out and the last one
/// shall not wait for longer than `longest_wait`. At least 1.
///
/// `None` if the rate is negative or no finite number, or the product is larger than a `usize`.
///
/// ```
/// use std::time::Duration;
/// use lockwork::pool::sizing::queue_capacity;
///
/// let capacity = queue_capacity(2000.0, Duration::from_millis(250)).unwrap();
/// assert_eq!(capacity.get(), 500);
/// ```
#[must_use]
pub fn queue_capacity(per_second: f64, longest_wait: Duration) -> Option<NonZeroUsize> {
    let count = product(per_second, longest_wait).map(f64::floor).and_then(as_count)?;
    Some(NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN))
}

fn product(per_second: f64, time: Duration) -> Option<f64> {
    if !per_second.is_finite() || per_second < 0.0 {
        return None;
    }
    let product = per_second * time.as_secs_f64();
    // 500.00000000000006 means 500, rounded up as well.
    let near = product.round();
    let whole = (product - near).abs() <= near.abs() * 4.0 * f64::EPSILON;
    Some(if whole { near } else { product })
}

fn as_count(count: f64) -> Option<usize> {
    // 2^64 itself is a float, and too large; what is below it fits.
    (count < usize::MAX as f64).then_some(count as usize)
}

/// A quota as a number of threads.
fn whole(quota: f64) -> Option<NonZeroUsize> {
    Some(NonZeroUsize::new(as_count(quota.ceil())?).unwrap_or(NonZeroUsize::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).unwrap()
    }

    #[test]
    fn the_quota_is_rounded_up_and_never_adds() {
        assert_eq!(limited(count(8), None), count(8));
        assert_eq!(limited(count(8), Some(1.5)), count(2));
        assert_eq!(limited(count(8), Some(2.0)), count(2));
        assert_eq!(limited(count(8), Some(0.1)), count(1));
        assert_eq!(limited(count(2), Some(7.5)), count(2));
        assert_eq!(limited(count(2), Some(1e300)), count(2));
    }

    #[test]
    fn waits_of_any_size() {
        let cores = count(usize::MAX);
        assert_eq!(threads_with_waits(cores, Duration::MAX, Duration::from_nanos(1)), Some(cores));
        let third = threads_with_waits(count(1), Duration::from_nanos(1), Duration::from_nanos(3));
        assert_eq!(third, Some(count(2)));
    }

    #[test]
    fn a_law_without_a_rate() {
        let second = Duration::from_secs(1);
        for rate in [-1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e300] {
            assert_eq!(in_service(rate, second), None, "{rate}");
            assert_eq!(queue_capacity(rate, second), None, "{rate}");
        }
        assert_eq!(in_service(0.0, second), Some(0));
        assert_eq!(queue_capacity(0.0, second), Some(count(1)));
    }

    #[test]
    fn fractions_are_no_further_thread() {
        assert_eq!(in_service(10.0, Duration::from_millis(300)), Some(3));
        assert_eq!(in_service(10.0, Duration::from_millis(301)), Some(4));
        assert_eq!(queue_capacity(10.0, Duration::from_millis(700)), Some(count(7)));
    }
}
