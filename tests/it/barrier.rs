//! `Barrier`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Barrier, BarrierError, BarrierWaitResult, Deadline};

use super::support::page::Page;
use super::support::scaled;
use super::support::threads::{asleep, join_all, together, words_of};
use super::support::watchdog::Watchdog;

static START: Barrier = Barrier::new(2);

#[test]
fn sizes_and_a_static() {
    assert!(size_of::<Barrier>() <= 12);
    together(2, |_| START.wait().unwrap());
}

#[test]
fn one_party_passes() {
    for parties in [0, 1] {
        let barrier = Barrier::new(parties);
        for _ in 0..3 {
            assert!(barrier.wait().unwrap().is_leader());
            assert!(barrier.wait_for(Duration::ZERO).unwrap().is_leader());
            assert!(barrier.wait_until(Deadline::now()).unwrap().is_leader());
        }
        assert_eq!((barrier.parties(), barrier.waiting()), (1, 0));
    }
}

#[test]
fn one_leader_each_time() {
    let _watchdog = Watchdog::start();
    let (barrier, leaders, meetings) = (Barrier::new(5), AtomicUsize::new(0), scaled(200));
    together(5, |_| {
        for meeting in 1..=meetings {
            if barrier.wait().unwrap().is_leader() {
                leaders.fetch_add(1, Relaxed);
            }
            barrier.wait().unwrap();
            assert_eq!(leaders.load(Relaxed), meeting);
            barrier.wait().unwrap();
        }
    });
}

#[test]
fn the_last_lets_all_go() {
    let _watchdog = Watchdog::start();
    let barrier = Barrier::new(4);
    thread::scope(|s| {
        let sleepers = [(); 3].map(|()| asleep(s, words_of(&barrier), || barrier.wait()));
        assert_eq!(barrier.waiting(), 3);
        assert!(barrier.wait().unwrap().is_leader());
        assert_eq!(barrier.waiting(), 0);
        for sleeper in sleepers {
            assert!(!sleeper.join().unwrap().unwrap().is_leader());
        }
    });
}

/// Threads in excess belong to later meetings.
#[test]
fn more_threads_than_parties() {
    let _watchdog = Watchdog::start();
    let (barrier, meetings) = (Barrier::new(3), scaled(900));
    let arrivals = AtomicUsize::new(0);
    let leaders = together(9, |_| {
        let mut leader = 0;
        while arrivals.fetch_add(1, Relaxed) < 3 * meetings {
            leader += usize::from(barrier.wait().unwrap().is_leader());
        }
        leader
    });
    assert_eq!(leaders.iter().sum::<usize>(), meetings);
    assert_eq!(barrier.waiting(), 0);
}

#[test]
fn the_highest_number_of_parties() {
    let barrier = Barrier::new(65_535);
    assert_eq!(barrier.parties(), 65_535);
    assert_eq!(barrier.wait_for(Duration::ZERO), Err(BarrierError::TimedOut));
}

#[test]
#[should_panic(expected = "65535 parties at most")]
fn too_many_parties_panic() {
    let _ = Barrier::new(65_536);
}

#[test]
fn who_gives_up_breaks_it_for_the_others() {
    let _watchdog = Watchdog::start();
    let barrier = Barrier::new(5);
    thread::scope(|s| {
        let sleepers = [(); 3].map(|()| asleep(s, words_of(&barrier), || barrier.wait()));
        assert!(!barrier.is_broken());
        let wait = Duration::from_millis(5);
        let start = Instant::now();
        assert_eq!(barrier.wait_for(wait), Err(BarrierError::TimedOut));
        assert!(start.elapsed() >= wait);
        for result in join_all(sleepers) {
            assert_eq!(result, Err(BarrierError::Broken));
        }
    });
    assert!(barrier.is_broken() && barrier.waiting() == 0);
    // So it stays, for all who come, with and without limits.
    assert_eq!(barrier.wait(), Err(BarrierError::Broken));
    assert_eq!(barrier.wait_for(Duration::MAX), Err(BarrierError::Broken));
    assert_eq!(barrier.wait_until(Deadline::now()), Err(BarrierError::Broken));
    barrier.reset();
    assert!(!barrier.is_broken());
    together(5, |_| barrier.wait().unwrap());
}

#[test]
fn a_reset_sends_away_who_waits() {
    let _watchdog = Watchdog::start();
    let barrier = Barrier::new(4);
    for _ in 0..scaled(20) {
        thread::scope(|s| {
            let sleepers = [(); 3].map(|()| asleep(s, words_of(&barrier), || barrier.wait()));
            barrier.reset();
            assert!(!barrier.is_broken() && barrier.waiting() == 0);
            for result in join_all(sleepers) {
                assert_eq!(result, Err(BarrierError::Broken));
            }
        });
        together(4, |_| barrier.wait().unwrap());
    }
}

/// Where nobody waits and nothing is broken, a reset is none: those on their way out of a meeting
/// are told that all had come.
#[test]
fn a_reset_after_a_meeting_is_none() {
    let _watchdog = Watchdog::start();
    let barrier = Barrier::new(3);
    for _ in 0..scaled(300) {
        together(3, |_| {
            if barrier.wait().unwrap().is_leader() {
                barrier.reset();
            }
        });
    }
}

/// Broken and mended and met at by others before those who waited first have looked.
#[test]
fn nobody_is_told_that_all_came_when_they_did_not() {
    let _watchdog = Watchdog::start();
    let barrier = Barrier::new(3);
    for _ in 0..scaled(30) {
        thread::scope(|s| {
            let early = [(); 2].map(|()| asleep(s, words_of(&barrier), || barrier.wait()));
            barrier.reset();
            let later = [(); 2].map(|()| s.spawn(|| barrier.wait()));
            assert!(barrier.wait().is_ok());
            assert!(join_all(later).iter().all(Result::is_ok));
            for result in join_all(early) {
                assert_eq!(result, Err(BarrierError::Broken));
            }
        });
    }
}

#[test]
fn limits() {
    let _watchdog = Watchdog::start();
    let past = Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
    let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
    let barrier = Barrier::new(2);
    assert_eq!(barrier.wait_until(past), Err(BarrierError::TimedOut));
    barrier.reset();
    type Wait = fn(&Barrier, Instant) -> Result<BarrierWaitResult, BarrierError>;
    let waits: [Wait; 3] = [
        |barrier, _| barrier.wait_for(Duration::MAX),
        |barrier, far| barrier.wait_until(far),
        |barrier, _| barrier.wait_until(Deadline::NEVER),
    ];
    for wait in waits {
        thread::scope(|s| {
            let sleeper = asleep(s, words_of(&barrier), || wait(&barrier, far));
            assert!(barrier.wait_until(past).is_ok(), "all have come, however late");
            assert!(sleeper.join().unwrap().is_ok());
        });
    }
}

/// Limits that may pass: all that meet are told the same of the meeting, whoever it was that broke
/// it.
#[test]
fn all_are_told_the_same() {
    let _watchdog = Watchdog::start();
    let mut met = 0;
    for round in 0..scaled(500) {
        let barrier = Arc::new(Barrier::new(3));
        let limit = Duration::from_nanos(round as u64 % 50 * 2_000);
        let results = together(3, |i| match i {
            0 => barrier.wait_for(limit),
            _ => barrier.wait(),
        });
        let ok = results.iter().filter(|result| result.is_ok()).count();
        assert!(ok == 0 || ok == 3, "{results:?}");
        assert_eq!(barrier.is_broken(), ok == 0);
        let late = results.iter().filter(|&&result| result == Err(BarrierError::TimedOut)).count();
        assert_eq!(late, usize::from(ok == 0));
        met += usize::from(ok == 3);
    }
    println!("{met} meetings");
}

/// One who waited takes the memory away while the last to come is still waking it.
#[test]
fn freed_by_a_waiter() {
    let _watchdog = Watchdog::start();
    for _ in 0..scaled(300) {
        let page = Page::new(Barrier::new(2));
        // SAFETY: taken away below, by the one who came first, when both have come.
        let meet = move || unsafe { page.get() }.wait().unwrap().is_leader();
        let both = [(); 2].map(|()| {
            thread::spawn(move || {
                let leads = meet();
                if !leads {
                    page.unmap();
                }
                leads
            })
        });
        let leaders: usize = both.map(|one| usize::from(one.join().unwrap())).iter().sum();
        assert_eq!(leaders, 1);
    }
}

#[test]
fn debug_shows_the_state() {
    let barrier = Barrier::new(2);
    let text = "Barrier { parties: 2, waiting: 0, broken: false }";
    assert_eq!(format!("{barrier:?}"), text);
    assert!(barrier.wait_for(Duration::ZERO).is_err());
    assert_eq!(format!("{barrier:?}"), "Barrier { parties: 2, waiting: 0, broken: true }");
    let result = Barrier::new(1).wait().unwrap();
    assert_eq!(format!("{result:?}"), "BarrierWaitResult { is_leader: true }");
}
