//! E1: all threads meet at a barrier, again and again. An operation is a meeting.
//!
//! E2: two threads take turns, each with a token that it sleeps for. An operation is a round trip.
//!
//! E3: one thread counts something and takes it off again; nobody waits.

use super::solo::{Solo, repeat};
use crate::harness::sample::Sample;
use crate::harness::stage::{Timing, perform};
use crate::meetings::{Meeting, Token};
use crossbeam_utils::CachePadded;
use std::hint::black_box;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// How many meet, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Meetings {
    /// How many.
    pub parties: usize,
    /// How long.
    pub timing: Timing,
}

/// Thread 0 counts, and says before a meeting whether it is the last.
#[must_use]
pub fn meet<M: Meeting>(cell: &Meetings) -> Sample {
    let barrier = CachePadded::new(M::of(cell.parties));
    let last = CachePadded::new(AtomicU64::new(u64::MAX));
    let (performance, _) = perform(&cell.timing, cell.parties, |me, seat| {
        for meeting in 0.. {
            let proceeds = seat.proceed();
            if me == 0 && !proceeds {
                // Relaxed: the barrier orders.
                last.store(meeting, Relaxed);
            }
            black_box(barrier.meet());
            // By its number: thread 0 may be at the next meeting already.
            if last.load(Relaxed) == meeting {
                break;
            }
            seat.count(u64::from(me == 0));
        }
    });
    Sample::of_crew(&performance)
}

/// Thread 0 begins and counts.
#[must_use]
pub fn turns<T: Token>(cell: &Meetings) -> Sample {
    let givers: [OnceLock<T::Giver>; 2] = [const { OnceLock::new() }; 2];
    // Whose turn it is, how often so far: a thread that is let go without a token sleeps again.
    let turn = CachePadded::new(AtomicU64::new(0));
    let over = CachePadded::new(AtomicU64::new(0));
    let (performance, _) = perform(&cell.timing, 2, |me, seat| {
        let token = T::new();
        assert!(givers[me].set(token.giver()).is_ok());
        let other = loop {
            match givers[1 - me].get() {
                Some(other) => break other,
                None => std::thread::yield_now(),
            }
        };
        let mut mine = me as u64;
        loop {
            while turn.load(Relaxed) != mine {
                token.take();
            }
            let proceeds = seat.proceed();
            if me == 0 && !proceeds {
                over.store(1, Relaxed);
            }
            let ends = over.load(Relaxed) == 1;
            turn.store(mine + 1, Relaxed);
            T::give(other);
            if ends {
                break;
            }
            seat.count(u64::from(me == 0));
            mine += 2;
        }
    });
    Sample::of_crew(&performance)
}

/// `lockwork::WaitGroup`: a token and its end, beside another one.
#[must_use]
pub fn group(cell: &Solo) -> Sample {
    let group = black_box(CachePadded::new(lockwork::WaitGroup::new()));
    let _another = group.token();
    repeat(cell.length, || drop(black_box(group.token())))
}

/// The same by an `Arc`, as crossbeam's.
#[must_use]
pub fn group_arc(cell: &Solo) -> Sample {
    let group = black_box(std::sync::Arc::new(lockwork::WaitGroup::new()));
    let _another = group.token();
    repeat(cell.length, || drop(black_box(group.token_arc())))
}

/// `crossbeam_utils::sync::WaitGroup`: a clone and its end.
#[must_use]
pub fn crossbeam_group(cell: &Solo) -> Sample {
    let group = black_box(crossbeam_utils::sync::WaitGroup::new());
    repeat(cell.length, || drop(black_box(group.clone())))
}

/// `lockwork::Event::set` and `reset`, nobody waits.
#[must_use]
pub fn set(cell: &Solo) -> Sample {
    let event = black_box(CachePadded::new(lockwork::Event::manual()));
    repeat(cell.length, || {
        event.set();
        black_box(event.reset());
    })
}

/// What one writes without an event: a flag under a mutex and a condition variable.
#[must_use]
pub fn std_set(cell: &Solo) -> Sample {
    let event =
        black_box(CachePadded::new((std::sync::Mutex::new(false), std::sync::Condvar::new())));
    repeat(cell.length, || {
        *event.0.lock().expect("nobody panics") = true;
        event.1.notify_all();
        black_box(std::mem::take(&mut *event.0.lock().expect("nobody panics")));
    })
}
