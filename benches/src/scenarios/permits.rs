//! S1 to S3: what semaphores are for. Alone; two who take turns; many who are let go at once.

use super::solo::{Solo, repeat};
use crate::harness::sample::Sample;
use crate::harness::stage::{Timing, perform};
use crate::semaphores::Semaphores;
use crossbeam_utils::CachePadded;
use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

/// S1: one thread takes a permit and gives it back.
#[must_use]
pub fn alone<S: Semaphores>(cell: &Solo) -> Sample {
    let semaphore = black_box(CachePadded::new(S::new(1)));
    repeat(cell.length, || semaphore.acquire_release())
}

/// The parameters of S2.
#[derive(Clone, Copy, Debug)]
pub struct Turns {
    /// How long.
    pub timing: Timing,
}

/// S2: two threads take turns, each with a semaphore of its own. An operation is a round trip.
#[must_use]
pub fn turns<S: Semaphores>(cell: &Turns) -> Sample {
    let turn = [CachePadded::new(S::new(0)), CachePadded::new(S::new(0))];
    let over = CachePadded::new(AtomicBool::new(false));
    let (performance, _) = perform(&cell.timing, 2, |me, seat| {
        if me == 0 {
            loop {
                let proceeds = seat.proceed();
                // Relaxed: the semaphore orders it.
                over.store(!proceeds, Relaxed);
                turn[1].release(1);
                if !proceeds {
                    break;
                }
                turn[0].acquire();
                seat.count(1);
            }
        } else {
            loop {
                turn[1].acquire();
                if over.load(Relaxed) {
                    break;
                }
                // For its CPU time only: the other says when it is over.
                seat.proceed();
                turn[0].release(1);
            }
        }
    });
    Sample::of_crew(&performance)
}

/// The parameters of S3.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// How many wait.
    pub waiters: u32,
    /// How long.
    pub timing: Timing,
}

/// S3: one thread releases as many permits as there are waiters, in one call where there is one,
/// and waits until all are taken. An operation is one permit.
#[must_use]
pub fn batch<S: Semaphores>(cell: &Batch) -> Sample {
    let (gate, complete) = (CachePadded::new(S::new(0)), CachePadded::new(S::new(0)));
    let left = CachePadded::new(AtomicU32::new(cell.waiters));
    let over = CachePadded::new(AtomicBool::new(false));
    let (performance, _) = perform(&cell.timing, 1 + cell.waiters as usize, |me, seat| {
        if me == 0 {
            loop {
                let proceeds = seat.proceed();
                // Relaxed: the semaphore orders it.
                over.store(!proceeds, Relaxed);
                gate.release(cell.waiters);
                if !proceeds {
                    break;
                }
                complete.acquire();
                seat.count(u64::from(cell.waiters));
            }
        } else {
            loop {
                gate.acquire();
                if over.load(Relaxed) {
                    break;
                }
                seat.proceed();
                // AcqRel: the last sees that all have been here before it says so.
                if left.fetch_sub(1, AcqRel) == 1 {
                    left.store(cell.waiters, Relaxed);
                    complete.release(1);
                }
            }
        }
    });
    Sample::of_crew(&performance)
}
