//! C3: one caller wakes N waiters, again and again. An operation is one waiter woken.
//!
//! In each cycle the caller waits until all N wait, then lets them go with one `notify_all`; a
//! waiter relocks, as condition variables demand, and waits again. The last to arrive tells the
//! caller, on a condition variable of its own: one plain notification per cycle, the same for
//! every peer.
//!
//! *Held*: as *under*, by the call that is told of the guard, where there is one: waiters can then
//! be moved to the mutex instead of being woken for nothing. *Under*: the caller notifies first,
//! then keeps the lock for the length of `hold`, so that whoever is woken at once finds it taken.
//! *After*: it keeps the lock for as long, unlocks, and notifies then.

use crate::condvars::Condvars;
use crate::harness::sample::Sample;
use crate::harness::stage::{Timing, perform};
use crate::harness::work::Work;
use crossbeam_utils::CachePadded;

/// The parameters.
#[derive(Clone, Copy, Debug)]
pub struct Broadcast {
    /// How many wait.
    pub waiters: usize,
    /// When the caller notifies.
    pub order: Order,
    /// How long the caller keeps the lock.
    pub hold: Work,
    /// How long.
    pub timing: Timing,
}

/// When, and how, the caller notifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// With the lock, which it shows.
    Held,
    /// With the lock.
    Under,
    /// Once it has unlocked.
    After,
}

#[derive(Default)]
struct Gate {
    generation: u64,
    waiting: usize,
    over: bool,
}

/// Thread 0 calls; the others wait.
#[must_use]
pub fn run<C: Condvars>(cell: &Broadcast) -> Sample {
    let gate = CachePadded::new(C::mutex(Gate::default()));
    let opened = CachePadded::new(C::condvar());
    let complete = CachePadded::new(C::condvar());
    let (performance, _) = perform(&cell.timing, 1 + cell.waiters, |index, seat| {
        let mut guard = C::lock(&gate);
        if index == 0 {
            loop {
                while guard.waiting < cell.waiters {
                    guard = C::wait(&complete, guard);
                }
                let over = !seat.proceed();
                guard.over = over;
                guard.waiting = 0;
                guard.generation += 1;
                match cell.order {
                    Order::Held => C::notify_all_held(&opened, &guard),
                    Order::Under => C::notify_all(&opened),
                    Order::After => {}
                }
                cell.hold.run();
                drop(guard);
                if cell.order == Order::After {
                    C::notify_all(&opened);
                }
                if over {
                    break;
                }
                seat.count(cell.waiters as u64);
                guard = C::lock(&gate);
            }
        } else {
            while !guard.over {
                let seen = guard.generation;
                guard.waiting += 1;
                if guard.waiting == cell.waiters {
                    C::notify_one(&complete);
                }
                while guard.generation == seen {
                    guard = C::wait(&opened, guard);
                }
                // For its CPU time only: the caller says when it is over.
                seat.proceed();
            }
        }
    });
    Sample::of_crew(&performance)
}
