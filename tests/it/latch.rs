//! `Latch`.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{CountError, Deadline, Latch};

use super::support::page::Page;
use super::support::scaled;
use super::support::threads::{asleep, join_all, together, words_of};
use super::support::watchdog::Watchdog;

static LOADED: Latch = Latch::new(1);

#[test]
fn sizes_and_a_static() {
    assert_eq!(size_of::<Latch>(), 4);
    LOADED.count_down(1);
    LOADED.wait();
}

#[test]
fn counts_down_to_zero_and_stays() {
    let latch = Latch::new(4);
    latch.count_down(1);
    latch.count_down(0);
    assert_eq!((latch.count(), latch.try_wait()), (3, false));
    latch.count_down(2);
    assert!(!latch.wait_for(Duration::ZERO));
    latch.count_down(1);
    for _ in 0..3 {
        latch.wait();
        assert!(latch.try_wait() && latch.count() == 0);
    }
    latch.count_down(0);
}

#[test]
fn one_of_none_is_open() {
    Latch::new(0).wait();
    assert!(Latch::new(0).wait_until(Deadline::now()));
}

#[test]
fn a_step_too_many_changes_nothing() {
    let latch = Latch::new(2);
    assert_eq!(latch.try_count_down(3), Err(CountError::Underflow { count: 2, by: 3 }));
    assert_eq!(
        latch.try_count_down(u32::MAX).unwrap_err().to_string(),
        "cannot count down by 4294967295 from 2"
    );
    assert_eq!(latch.count(), 2);
    assert_eq!(latch.try_count_down(2), Ok(()));
    assert!(latch.try_count_down(1).is_err());
    latch.wait();
}

#[test]
#[should_panic(expected = "lockwork: cannot count down by 1 from 0")]
fn a_step_too_many_panics() {
    Latch::new(0).count_down(1);
}

/// Also while somebody sleeps: the mark that says so is no part of the count.
#[test]
fn a_step_too_many_beside_a_sleeper() {
    let _watchdog = Watchdog::start();
    let latch = Latch::new(1);
    thread::scope(|s| {
        let sleeper = asleep(s, words_of(&latch), || latch.wait());
        assert_eq!(latch.count(), 1);
        assert_eq!(latch.try_count_down(2), Err(CountError::Underflow { count: 1, by: 2 }));
        assert!(!sleeper.is_finished());
        latch.count_down(1);
        sleeper.join().unwrap();
    });
}

#[test]
fn the_highest_count() {
    let latch = Latch::new(u32::MAX >> 1);
    latch.count_down((u32::MAX >> 1) - 1);
    assert_eq!(latch.count(), 1);
}

#[test]
#[should_panic(expected = "2147483647 at the most")]
fn a_count_too_high_panics() {
    let _ = Latch::new(1 << 31);
}

#[test]
fn the_last_step_lets_all_go() {
    let _watchdog = Watchdog::start();
    let latch = Latch::new(2);
    thread::scope(|s| {
        let sleepers = [(); 5].map(|()| asleep(s, words_of(&latch), || latch.wait()));
        latch.count_down(1);
        assert!(sleepers.iter().all(|sleeper| !sleeper.is_finished()));
        latch.count_down(1);
        join_all(sleepers);
    });
}

#[test]
fn all_that_arrive_meet() {
    let _watchdog = Watchdog::start();
    let (latch, here) = (Latch::new(6), AtomicUsize::new(0));
    together(6, |_| {
        here.fetch_add(1, Relaxed);
        latch.arrive_and_wait();
        assert_eq!(here.load(Relaxed), 6);
    });
}

#[test]
fn limits() {
    let _watchdog = Watchdog::start();
    let latch = Latch::new(1);
    let wait = Duration::from_millis(10);
    let start = Instant::now();
    assert!(!latch.wait_for(wait));
    assert!(start.elapsed() >= wait);
    let until = Instant::now() + wait;
    assert!(!latch.wait_until(until));
    assert!(Instant::now() >= until);
    let past = Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
    assert!(!latch.wait_until(past));
    let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
    thread::scope(|s| {
        let with_a_limit = asleep(s, words_of(&latch), || latch.wait_for(Duration::MAX));
        let far_away = asleep(s, words_of(&latch), || latch.wait_until(far));
        latch.count_down(1);
        assert!(with_a_limit.join().unwrap() && far_away.join().unwrap());
        assert!(latch.wait_until(far) && latch.wait_until(past));
    });
}

/// The waiter takes the memory away while the last step is still waking it.
#[test]
fn freed_by_the_waiter() {
    let _watchdog = Watchdog::start();
    for _ in 0..scaled(300) {
        let page = Page::new(Latch::new(3));
        let steps = [(); 3].map(|()| {
            // SAFETY: taken away below, when all steps have been taken.
            thread::spawn(move || unsafe { page.get() }.count_down(1))
        });
        // SAFETY: taken away afterwards.
        unsafe { page.get() }.wait();
        page.unmap();
        for step in steps {
            step.join().unwrap();
        }
    }
}

#[test]
fn debug_shows_the_count() {
    assert_eq!(format!("{:?}", Latch::new(3)), "Latch { count: 3 }");
}
