//! `WaitGroup` and its tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{CountError, Deadline, WaitGroup};

use super::support::page::Page;
use super::support::scaled;
use super::support::threads::{asleep, join_all, words_of};
use super::support::watchdog::Watchdog;

static GROUP: WaitGroup = WaitGroup::new();

#[test]
fn sizes_and_a_static() {
    assert!(size_of::<WaitGroup>() <= 8);
    assert_eq!(size_of::<lockwork::WaitGroupToken<'_>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<lockwork::ArcWaitGroupToken>>(), size_of::<usize>());
    let token = GROUP.token();
    thread::spawn(move || drop(token));
    GROUP.wait();
}

#[test]
fn goes_up_and_down() {
    let group = WaitGroup::default();
    group.wait();
    for _ in 0..3 {
        group.add(2);
        group.add(0);
        assert_eq!((group.count(), group.try_wait()), (2, false));
        group.done();
        assert!(!group.wait_for(Duration::ZERO));
        group.done();
        group.wait();
        assert!(group.try_wait() && group.wait_until(Deadline::now()));
    }
    assert_eq!(group.try_done(0), Ok(()));
}

#[test]
fn one_too_few_or_too_many_changes_nothing() {
    let group = WaitGroup::new();
    assert_eq!(group.try_done(1), Err(CountError::Underflow { count: 0, by: 1 }));
    group.add(2);
    assert_eq!(group.try_done(3), Err(CountError::Underflow { count: 2, by: 3 }));
    assert_eq!(group.count(), 2);
    let refused = group.try_add(u32::MAX - 1);
    assert_eq!(refused, Err(CountError::Overflow { count: 2, by: u32::MAX - 1 }));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "cannot add 4294967294 to 2: the limit is 4294967295"
    );
    assert_eq!(group.try_add(u32::MAX - 2), Ok(()));
    assert_eq!(group.count(), u32::MAX);
    assert_eq!(group.try_done(u32::MAX), Ok(()));
    group.wait();
}

#[test]
#[should_panic(expected = "lockwork: cannot count down by 1 from 0")]
fn done_too_often_panics() {
    WaitGroup::new().done();
}

#[test]
#[should_panic(expected = "lockwork: cannot add 1 to 4294967295: the limit is 4294967295")]
fn a_token_too_many_panics() {
    let group = WaitGroup::new();
    group.add(u32::MAX);
    let _token = group.token();
}

/// Also while somebody sleeps: what is beside the count is no part of it.
#[test]
fn refusals_beside_a_sleeper() {
    let _watchdog = Watchdog::start();
    let group = WaitGroup::new();
    group.add(1);
    thread::scope(|s| {
        let sleeper = asleep(s, words_of(&group), || group.wait());
        assert!(group.try_done(2).is_err() && group.try_add(u32::MAX).is_err());
        group.add(1);
        group.done();
        assert!(!sleeper.is_finished() && group.count() == 1);
        group.done();
        sleeper.join().unwrap();
    });
}

#[test]
fn the_last_one_lets_all_go() {
    let _watchdog = Watchdog::start();
    let group = WaitGroup::new();
    let (first, second) = (group.token(), group.token());
    thread::scope(|s| {
        let sleepers = [(); 5].map(|()| asleep(s, words_of(&group), || group.wait()));
        drop(first);
        assert!(sleepers.iter().all(|sleeper| !sleeper.is_finished()));
        drop(second);
        join_all(sleepers);
    });
}

/// Who waits for a zero goes on though the group is in use again before it looks.
#[test]
fn used_again_at_once() {
    let _watchdog = Watchdog::start();
    let group = WaitGroup::new();
    group.add(1);
    for _ in 0..scaled(30) {
        thread::scope(|s| {
            let sleepers = [(); 3].map(|()| asleep(s, words_of(&group), || group.wait()));
            group.done();
            group.add(1);
            join_all(sleepers);
        });
    }
    assert_eq!(group.count(), 1);
}

#[test]
fn a_panic_drops_its_tokens() {
    let _watchdog = Watchdog::start();
    let group = Arc::new(WaitGroup::new());
    let token = group.token_arc();
    let thread = thread::spawn(move || {
        let _token = token;
        panic!("on purpose");
    });
    group.wait();
    assert!(thread.join().is_err());
}

/// The group lives as long as its last token.
#[test]
fn a_token_may_outlive_its_group() {
    let group = Arc::new(WaitGroup::new());
    let token = group.token_arc();
    let weak = Arc::downgrade(&group);
    drop(group);
    assert_eq!(weak.upgrade().map(|group| group.count()), Some(1));
    drop(token);
    assert!(weak.upgrade().is_none());
}

#[test]
fn limits() {
    let _watchdog = Watchdog::start();
    let group = WaitGroup::new();
    group.add(1);
    let wait = Duration::from_millis(10);
    let start = Instant::now();
    assert!(!group.wait_for(wait));
    assert!(start.elapsed() >= wait);
    let until = Instant::now() + wait;
    assert!(!group.wait_until(until));
    assert!(Instant::now() >= until);
    let past = Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
    assert!(!group.wait_until(past));
    let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
    thread::scope(|s| {
        let with_a_limit = asleep(s, words_of(&group), || group.wait_for(Duration::MAX));
        let far_away = asleep(s, words_of(&group), || group.wait_until(far));
        group.done();
        assert!(with_a_limit.join().unwrap() && far_away.join().unwrap());
    });
    assert!(group.wait_until(past));
}

#[test]
fn work_that_adds_work() {
    let _watchdog = Watchdog::start();
    fn work(group: &Arc<WaitGroup>, depth: usize, leaves: &Arc<AtomicUsize>) {
        if depth == 0 {
            leaves.fetch_add(1, Relaxed);
            return;
        }
        for _ in 0..2 {
            let (token, leaves) = (group.token_arc(), leaves.clone());
            let group = group.clone();
            thread::spawn(move || {
                work(&group, depth - 1, &leaves);
                drop(token);
            });
        }
    }
    let (group, leaves) = (Arc::new(WaitGroup::new()), Arc::new(AtomicUsize::new(0)));
    let token = group.token();
    work(&group, 5, &leaves);
    drop(token);
    group.wait();
    assert_eq!(leaves.load(Relaxed), 32);
}

/// The waiter takes the memory away while the last one done is still waking it.
#[test]
fn freed_by_the_waiter() {
    let _watchdog = Watchdog::start();
    for _ in 0..scaled(300) {
        let page = Page::new(WaitGroup::new());
        // SAFETY: taken away below, when all are done.
        let group = unsafe { page.get() };
        let threads = [(); 3].map(|()| {
            group.add(1);
            // SAFETY: as above.
            thread::spawn(move || unsafe { page.get() }.done())
        });
        group.wait();
        page.unmap();
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

#[test]
fn debug_shows_the_count() {
    let group = Arc::new(WaitGroup::new());
    assert_eq!(format!("{:?}", group.token()), "WaitGroupToken { .. }");
    assert_eq!(format!("{:?}", group.token_arc()), "ArcWaitGroupToken { .. }");
    group.add(3);
    assert_eq!(format!("{group:?}"), "WaitGroup { count: 3 }");
}
