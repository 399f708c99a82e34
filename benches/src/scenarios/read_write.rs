//! R1 to R3: one reader-writer lock, alone, and in company with some share of writes.
//!
//! Each thread draws what it will do next, a read or a write, enters, works for the length of the
//! *section*, leaves, and *thinks* elsewhere. The protected number counts writes, so that a lock
//! which fails to exclude is found out.
//!
//! Readers are served together, so throughput flatters a lock that lets no writer in; the *traced*
//! run, which times each acquisition, tells the waits of readers and writers apart. What goes by
//! while one waits are the writes of others. Traced runs are no evidence of speed.

use super::solo::{Solo, repeat};
use crate::harness::clock::{nanos, ticks};
use crate::harness::sample::{Sample, WaitLog};
use crate::harness::stage::{Timing, perform};
use crate::harness::work::Work;
use crate::rwlocks::SharedLock;
use crossbeam_utils::CachePadded;
use std::hint::black_box;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// R1: reads and leaves; nobody else is there.
#[must_use]
pub fn alone_reading<L: SharedLock>(cell: &Solo) -> Sample {
    let lock = black_box(CachePadded::new(L::new()));
    repeat(cell.length, || {
        lock.read(|n| black_box(*n));
    })
}

/// R1: adds one and leaves; nobody else is there.
///
/// # Panics
///
/// If the lock lost an addition.
#[must_use]
pub fn alone_writing<L: SharedLock>(cell: &Solo) -> Sample {
    let lock = black_box(CachePadded::new(L::new()));
    let mut calls = 0;
    let sample = repeat(cell.length, || {
        calls += 1;
        lock.write(|n| *n += 1);
    });
    assert_eq!(lock.read(|n| *n), calls, "{}: additions were lost", L::NAME);
    sample
}

/// The parameters.
#[derive(Clone, Copy, Debug)]
pub struct ReadWrite {
    /// How many threads compete.
    pub threads: usize,
    /// How many of a hundred operations are writes.
    pub writes: u32,
    /// Work with the lock held, in either way.
    pub section: Work,
    /// Work between leaving and the next entry, on average.
    pub think: Work,
    /// How long.
    pub timing: Timing,
}

impl ReadWrite {
    #[inline]
    fn draws_write(&self, random: &mut fastrand::Rng) -> bool {
        random.u32(0..100) < self.writes
    }
}

/// Runs freely.
///
/// # Panics
///
/// If the lock failed to exclude.
#[must_use]
pub fn free<L: SharedLock>(cell: &ReadWrite) -> Sample {
    let lock = CachePadded::new(L::new());
    let (performance, written) = perform(&cell.timing, cell.threads, |index, seat| {
        let mut random = fastrand::Rng::with_seed(index as u64);
        let mut written = 0;
        while seat.proceed() {
            if cell.draws_write(&mut random) {
                lock.write(|n| {
                    *n += 1;
                    cell.section.run();
                });
                written += 1;
            } else {
                lock.read(|n| {
                    black_box(*n);
                    cell.section.run();
                });
            }
            seat.count(1);
            cell.think.run_jittered(&mut random);
        }
        written
    });
    assert_exclusion(&*lock, &written);
    Sample::of_rivals(&performance)
}

/// Times each acquisition.
///
/// # Panics
///
/// If the lock failed to exclude.
#[must_use]
pub fn traced<L: SharedLock>(cell: &ReadWrite) -> Sample {
    let lock = CachePadded::new(L::new());
    // What the protected number says, for those who arrive and may not look at it.
    let mirror = CachePadded::new(AtomicU64::new(0));
    let (performance, results) = perform(&cell.timing, cell.threads, |index, seat| {
        let mut random = fastrand::Rng::with_seed(index as u64);
        let (mut written, mut reads, mut writes) = (0, WaitLog::new(), WaitLog::new());
        while seat.proceed() {
            let is_write = cell.draws_write(&mut random);
            // The clock first: if this thread is stopped right here, both figures show it.
            let arrival = ticks();
            // Relaxed, as the store: a count that may lag by the one write in flight.
            let before = mirror.load(Relaxed);
            let (wait, bypasses) = if is_write {
                written += 1;
                lock.write(|n| {
                    let wait = ticks().saturating_sub(arrival);
                    let bypasses = n.saturating_sub(before);
                    *n += 1;
                    mirror.store(*n, Relaxed);
                    cell.section.run();
                    (wait, bypasses)
                })
            } else {
                lock.read(|n| {
                    let wait = ticks().saturating_sub(arrival);
                    let bypasses = n.saturating_sub(before);
                    cell.section.run();
                    (wait, bypasses)
                })
            };
            if seat.is_measured() {
                let log = if is_write { &mut writes } else { &mut reads };
                log.record(nanos(wait), bypasses);
            }
            seat.count(1);
            cell.think.run_jittered(&mut random);
        }
        (written, (reads, writes))
    });
    let (written, logs): (Vec<u64>, Vec<_>) = results.into_iter().unzip();
    assert_exclusion(&*lock, &written);
    let (reads, writes): (Vec<WaitLog>, Vec<WaitLog>) = logs.into_iter().unzip();
    let mut waits = vec![WaitLog::summary("read", &reads)];
    if cell.writes != 0 {
        waits.push(WaitLog::summary("write", &writes));
    }
    Sample { waits, ..Sample::of_rivals(&performance) }
}

fn assert_exclusion<L: SharedLock>(lock: &L, written: &[u64]) {
    assert_eq!(lock.read(|n| *n), written.iter().sum(), "{}: two writers were in", L::NAME);
}
