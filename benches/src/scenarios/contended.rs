//! M2, M3, M5: several threads, one lock.
//!
//! Each thread locks, works for the length of the *section*, unlocks, and *thinks* elsewhere. The
//! protected number counts acquisitions, so that a lock which fails to exclude is found out.
//!
//! Throughput alone flatters a lock that lets one thread run on; so the shares of the threads come
//! with it, and a *traced* run, which times each acquisition, says who waited for how long, and how
//! many others went by between a thread's arrival and its turn. Reading clocks costs about as much
//! as a quick acquisition: traced runs are no evidence of speed.

use crate::harness::clock::{nanos, ticks};
use crate::harness::futex_calls::{FutexCalls, FutexCounter};
use crate::harness::sample::{Sample, WaitLog};
use crate::harness::stage::{Timing, perform};
use crate::harness::work::Work;
use crate::locks::Lock;
use crossbeam_utils::CachePadded;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// The parameters.
#[derive(Clone, Copy, Debug)]
pub struct Contended {
    /// How many threads compete.
    pub threads: usize,
    /// Work with the lock held.
    pub section: Work,
    /// Work between an unlock and the next lock, on average.
    pub think: Work,
    /// How long.
    pub timing: Timing,
}

/// Runs freely: nothing between operations but a load.
///
/// # Panics
///
/// If the lock failed to exclude.
#[must_use]
pub fn free<L: Lock>(cell: &Contended) -> Sample {
    let lock = CachePadded::new(L::new());
    let (performance, acquired) = perform(&cell.timing, cell.threads, |index, seat| {
        let mut random = fastrand::Rng::with_seed(index as u64);
        let mut acquired = 0;
        while seat.proceed() {
            lock.with(|n| {
                *n += 1;
                cell.section.run();
            });
            seat.count(1);
            acquired += 1;
            cell.think.run_jittered(&mut random);
        }
        acquired
    });
    assert_exclusion(&*lock, &acquired);
    Sample::of_rivals(&performance)
}

/// Counts futex calls: each thread's from its first operation to its last, the warm-up included.
///
/// # Panics
///
/// If the lock failed to exclude, or calls cannot be counted: ask
/// [`FutexCounter::start`] before.
#[must_use]
pub fn counted<L: Lock>(cell: &Contended) -> Sample {
    let lock = CachePadded::new(L::new());
    let (performance, results) = perform(&cell.timing, cell.threads, |index, seat| {
        let mut random = fastrand::Rng::with_seed(index as u64);
        let mut counter = FutexCounter::start().expect("could be started before");
        let mut acquired = 0;
        while seat.proceed() {
            lock.with(|n| {
                *n += 1;
                cell.section.run();
            });
            seat.count(1);
            acquired += 1;
            cell.think.run_jittered(&mut random);
        }
        (acquired, counter.read().expect("a running counter can be read"))
    });
    let mut calls = FutexCalls::default();
    results.iter().for_each(|(_, of_one)| calls += *of_one);
    let acquired: Vec<u64> = results.into_iter().map(|(acquired, _)| acquired).collect();
    assert_exclusion(&*lock, &acquired);
    let acquired = acquired.iter().sum();
    Sample { futex: Some((calls, acquired)), ..Sample::of_rivals(&performance) }
}

/// Times each acquisition.
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
        let (mut acquired, mut log) = (0, WaitLog::new());
        while seat.proceed() {
            // The clock first: if this thread is stopped right here, both figures show it.
            let arrival = ticks();
            // Relaxed, as the store: a count that may lag by the one acquisition in flight.
            let before = mirror.load(Relaxed);
            let (wait, bypasses) = lock.with(|n| {
                let wait = ticks().saturating_sub(arrival);
                let bypasses = n.saturating_sub(before);
                *n += 1;
                mirror.store(*n, Relaxed);
                cell.section.run();
                (wait, bypasses)
            });
            if seat.is_measured() {
                log.record(nanos(wait), bypasses);
            }
            seat.count(1);
            acquired += 1;
            cell.think.run_jittered(&mut random);
        }
        (acquired, log)
    });
    let (acquired, logs): (Vec<u64>, Vec<WaitLog>) = results.into_iter().unzip();
    assert_exclusion(&*lock, &acquired);
    let waits = vec![WaitLog::summary("lock", &logs)];
    Sample { waits, ..Sample::of_rivals(&performance) }
}

pub(super) fn assert_exclusion<L: Lock>(lock: &L, acquired: &[u64]) {
    assert_eq!(lock.with(|n| *n), acquired.iter().sum(), "{}: two threads were in", L::NAME);
}
