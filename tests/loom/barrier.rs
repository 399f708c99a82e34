//! `Barrier`: all have come, or nobody is told so.

use std::sync::Arc;
use std::time::Duration;

use lockwork::model::Explore;
use lockwork::{Barrier, BarrierError, BarrierWaitResult};

use super::support::{Reused, Watched, beside, let_sleep};

/// A licence to time out at any moment: see the model's notes on time.
const SOON: Duration = Duration::from_secs(1);

/// What one wait was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Leads,
    Follows,
    Broken,
    TimedOut,
}
use Told::{Broken, Follows, Leads, TimedOut};

fn told(result: Result<BarrierWaitResult, BarrierError>) -> Told {
    match result {
        Ok(result) if result.is_leader() => Leads,
        Ok(_) => Follows,
        Err(BarrierError::Broken) => Broken,
        Err(BarrierError::TimedOut) => TimedOut,
        Err(error) => panic!("{error}"),
    }
}

fn meet(barrier: &Barrier) -> Told {
    told(barrier.wait())
}

fn meet_soon(barrier: &Barrier) -> Told {
    told(barrier.wait_for(SOON))
}

/// Each sees what the other did before, whoever is the last; and after the next meeting, what it
/// changes is not seen any more.
fn write_meet_read((barrier, mine, theirs): (&Barrier, &Watched, &Watched)) -> (Told, u32, Told) {
    mine.set(1);
    let first = meet(barrier);
    let seen = theirs.get();
    let second = meet(barrier);
    mine.set(2);
    (first, seen, second)
}

/// Two meetings in a row.
#[test]
fn two_threads() {
    Explore::new("barrier, two").preemptions(3).at_least(100).run(&[()], || {
        let shared = Arc::new((Barrier::new(2), Watched::new(0), Watched::new(0)));
        let other = beside(&shared, |(barrier, a, b)| write_meet_read((barrier, a, b)));
        let mine = write_meet_read((&shared.0, &shared.2, &shared.1));
        let other = other.join().unwrap();
        assert_eq!((mine.1, other.1), (1, 1));
        for pair in [(mine.0, other.0), (mine.2, other.2)] {
            assert!(pair == (Leads, Follows) || pair == (Follows, Leads), "{pair:?}");
        }
    });
}

/// The wake-up duty: all are woken.
#[test]
fn three_threads() {
    Explore::new("barrier, three").preemptions(2).at_least(50).run(&[1], || {
        loom::stop_exploring();
        let barrier = Arc::new(Barrier::new(3));
        let others = [(); 2].map(|()| beside(&barrier, meet));
        let_sleep(1);
        loom::explore();
        let mut leaders = u32::from(meet(&barrier) == Leads);
        for other in others {
            leaders += u32::from(other.join().unwrap() == Leads);
        }
        leaders
    });
}

/// The first to come makes something else of the memory as soon as its wait returns.
#[test]
fn reused_by_a_waiter() {
    Explore::new("barrier, memory used again").unbounded().at_least(5).run(&[0], || {
        loom::stop_exploring();
        let place = Reused::new(Barrier::new(2));
        let last = beside(&place, |place| {
            let_sleep(1);
            loom::explore();
            assert_eq!(meet(place.get()), Leads);
        });
        assert_eq!(meet(place.get()), Follows);
        place.make_another(Barrier::new(2));
        last.join().unwrap();
        place.get().waiting()
    });
}

/// One gives up: the other is told, or both have come.
#[test]
fn timed() {
    Explore::new("barrier, timed").preemptions(3).at_least(20).run(
        &[(Follows, Leads, false), (Leads, Follows, false), (TimedOut, Broken, true)],
        || {
            let barrier = Arc::new(Barrier::new(2));
            let timed = beside(&barrier, meet_soon);
            let mine = meet(&barrier);
            (timed.join().unwrap(), mine, barrier.is_broken())
        },
    );
}

/// The wake-up duty of one who gives up.
#[test]
fn timed_with_two_more() {
    Explore::new("barrier of four, timed").preemptions(2).at_least(50).run(
        &[(Broken, Broken)],
        || {
            loom::stop_exploring();
            let barrier = Arc::new(Barrier::new(4));
            let first = beside(&barrier, meet);
            let second = beside(&barrier, meet);
            let_sleep(2);
            loom::explore();
            assert_eq!(meet_soon(&barrier), TimedOut);
            (first.join().unwrap(), second.join().unwrap())
        },
    );
}

/// Two with limits: one breaks it, or both have come.
#[test]
fn both_timed() {
    Explore::new("barrier, both timed").preemptions(3).at_least(20).run(
        &[(Follows, Leads), (Leads, Follows), (TimedOut, Broken), (Broken, TimedOut)],
        || {
            let barrier = Arc::new(Barrier::new(2));
            let timed = beside(&barrier, meet_soon);
            let mine = meet_soon(&barrier);
            (timed.join().unwrap(), mine)
        },
    );
}

/// A reset sends everybody away who waits, and nobody is told that all had come.
#[test]
fn reset() {
    Explore::new("barrier, reset").preemptions(2).at_least(50).run(&[(Broken, Broken, 0)], || {
        loom::stop_exploring();
        let barrier = Arc::new(Barrier::new(3));
        let others = [(); 2].map(|()| beside(&barrier, meet));
        let_sleep(2);
        loom::explore();
        barrier.reset();
        assert!(!barrier.is_broken());
        let [first, second] = others.map(|other| other.join().unwrap());
        (first, second, barrier.waiting())
    });
}

/// Broken, mended and met at by others, all before one who waited at first looks: that one is not
/// told that all came.
#[test]
fn reset_and_met_again() {
    Explore::new("barrier, met again").preemptions(2).at_least(20).run(&[Broken], || {
        loom::stop_exploring();
        let barrier = Arc::new(Barrier::new(2));
        let early = beside(&barrier, meet);
        let_sleep(1);
        loom::explore();
        barrier.reset();
        let other = beside(&barrier, meet);
        let mine = meet(&barrier);
        assert!(mine != Broken && other.join().unwrap() != Broken && !barrier.is_broken());
        early.join().unwrap()
    });
}

#[test]
fn interrupted() {
    Explore::new("barrier, signals").preemptions(3).signals(2).at_least(20).run(&[()], || {
        let barrier = Arc::new(Barrier::new(2));
        let other = beside(&barrier, meet);
        let pair = (meet(&barrier), other.join().unwrap());
        assert!(pair == (Leads, Follows) || pair == (Follows, Leads), "{pair:?}");
    });
}
