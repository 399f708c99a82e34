//! P3: an urgent thread waits, and another one notifies it. How long from the notification until it
//! runs with the mutex locked.
//!
//! Both are real-time threads (`SCHED_FIFO`), the waiter the more urgent one, on the same processor
//! or on two. In between the notifier sleeps: the kernel leaves real-time threads 95 % of the time,
//! and a pause of that kind would be all there is to see.

use crate::harness::clock::{nanos, ticks};
use crate::harness::sample::{Sample, WaitLog};
use crate::harness::stage::{Timing, perform};
use crate::priority::Bell;
use crossbeam_utils::CachePadded;
use lockwork::rt::{self, Priority, RtError, Scheduling};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

/// The parameters.
#[derive(Clone, Copy, Debug)]
pub struct Wake {
    /// Where the waiter runs.
    pub waiter: usize,
    /// Where the notifier runs.
    pub notifier: usize,
    /// How long.
    pub timing: Timing,
}

/// Of the waiter and the notifier.
const PRIORITIES: [u8; 2] = [40, 30];

/// From one notification to the next, and a little more.
const REST: Duration = Duration::from_micros(40);

/// The value in the bell once it is over.
const OVER: u64 = u64::MAX;

/// Makes the calling thread a real-time one on one processor.
///
/// # Errors
///
/// Without the permission.
pub fn compete(priority: u8, cpu: usize) -> Result<(), RtError> {
    rt::set_scheduling(Scheduling::Fifo(Priority::new(priority).expect("from 1 to 99")))?;
    rt::pin_to(&[cpu])
}

/// Times each wake-up. The notifier counts.
///
/// # Panics
///
/// Without the permission to use `SCHED_FIFO`.
#[must_use]
pub fn run<B: Bell>(cell: &Wake) -> Sample {
    let bell = CachePadded::new(B::new());
    // How many notifications the waiter has seen, and the moment of the last one.
    let (seen, rung) = (CachePadded::new(AtomicU64::new(0)), AtomicU64::new(0));
    let (performance, mut logs) = perform(&cell.timing, 2, |index, seat| {
        let mut log = WaitLog::new();
        let cpu = [cell.waiter, cell.notifier][index];
        compete(PRIORITIES[index], cpu).expect("was asked before");
        if index == 0 {
            let mut last = 0;
            loop {
                let (value, now) = bell.wait(|n| (*n != last).then(|| (*n, ticks())));
                if value == OVER {
                    break;
                }
                // Relaxed, here and below: the mutex orders it.
                let wait = now.saturating_sub(rung.load(Relaxed));
                seat.proceed();
                if seat.is_measured() {
                    log.record(nanos(wait), 0);
                }
                last = value;
                seen.store(last, Relaxed);
            }
        } else {
            let mut rings = 0;
            while seat.proceed() {
                thread::sleep(REST);
                if seen.load(Relaxed) != rings {
                    continue;
                }
                rings += 1;
                bell.ring(|n| {
                    *n = rings;
                    rung.store(ticks(), Relaxed);
                });
                seat.count(1);
            }
            bell.ring(|n| *n = OVER);
        }
        log
    });
    logs.truncate(1);
    Sample { waits: vec![WaitLog::summary("wake", &logs)], ..Sample::of_crew(&performance) }
}
