//! C2: two threads take turns. An operation is a round trip: two notifications, two wake-ups.
//!
//! Each notifies after it has unlocked, the kindest order for all implementations.

use crate::condvars::Condvars;
use crate::harness::sample::Sample;
use crate::harness::stage::{Timing, perform};
use crossbeam_utils::CachePadded;

/// The parameters.
#[derive(Clone, Copy, Debug)]
pub struct PingPong {
    /// How long.
    pub timing: Timing,
}

#[derive(Default)]
struct Table {
    turn: usize,
    over: bool,
}

/// Thread 0 serves and counts; thread 1 returns.
#[must_use]
pub fn run<C: Condvars>(cell: &PingPong) -> Sample {
    let table = CachePadded::new(C::mutex(Table::default()));
    let moved = CachePadded::new(C::condvar());
    let (performance, _) = perform(&cell.timing, 2, |me, seat| {
        loop {
            let mut guard = C::lock(&table);
            while guard.turn != me {
                guard = C::wait(&moved, guard);
            }
            let proceeds = seat.proceed();
            guard.over |= me == 0 && !proceeds;
            let over = guard.over;
            guard.turn = 1 - me;
            drop(guard);
            C::notify_one(&moved);
            if over {
                break;
            }
            seat.count(u64::from(me == 0));
        }
    });
    Sample::of_crew(&performance)
}
