//! Bugs that other mutexes and condition variables had, each with the tests in which ours would
//! show it.
//!
//! Most of the tests stand elsewhere, where they belong by subject; those written for one bug stand
//! here and carry its name.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Condvar, Deadline, FairMutex, Mutex, ReentrantMutex};

use super::readme::exists;
use super::support::random::{Rng, seed};
use super::support::scaled;
use super::support::threads::{asleep, join_all, together, words_of};
use super::support::watchdog::Watchdog;

/// Where, what happened, and which tests would tell.
struct Bug(&'static str, &'static str, &'static [&'static str]);

const BUGS: &[Bug] = &[
    Bug(
        "RUSTSEC-2019-0013, spin",
        "a lock was released with an ordering that published nothing",
        &["loom mutex::two_threads", "loom reentrant::two_threads", "loom fair_mutex::two_threads"],
    ),
    Bug(
        "CVE-2017-20004, std; RUSTSEC-2020-0070, lock_api",
        "guards were `Sync` or `Send` with data that was not",
        &["it auto_traits::guards_of_mutexes", "it auto_traits::mutexes"],
    ),
    Bug(
        "Amanieu/parking_lot#466",
        "a waiter that timed out took back the mark by which others were to be woken",
        &[
            "it known_bugs::parking_lot_466_a_time_out_hides_the_others",
            "it mutex::timed::giving_up_takes_nobody_s_turn",
            "loom mutex::timed",
            "loom fair_mutex::timed",
            "it stress::mutex::with_and_without_limits",
        ],
    ),
    Bug(
        "musl 0db393d",
        "a woken waiter that found the lock taken again slept on unmarked",
        &[
            "it known_bugs::musl_0db393d_overtaken_on_the_way_out_of_bed",
            "it mutex::several_sleepers_are_each_woken",
            "loom mutex::three_threads",
        ],
    ),
    Bug(
        "glibc 13690",
        "an unlock read the mutex after it was free, and perhaps freed",
        &["it mutex::freed_by_the_last_owner", "loom mutex::freed_by_the_last_owner"],
    ),
    Bug(
        "Amanieu/parking_lot#203",
        "a lock could not be used in the destructor of a thread-local",
        &[
            "process endings::destructors_of_thread_locals",
            "process endings::guards_in_thread_locals",
        ],
    ),
    Bug(
        "Amanieu/parking_lot#501",
        "a notification looked for waiters in a stale word, and found none",
        &[
            "it known_bugs::parking_lot_501_a_chain_of_notifications",
            "loom condvar::notify_one_after_unlocking",
            "it stress::condvar::notify_one_counts",
        ],
    ),
    Bug(
        "glibc 12875, 25847",
        "a waiter that came after a signal took it from one that had waited",
        &[
            "it known_bugs::glibc_12875_a_latecomer_takes_the_signal",
            "it condvar::first_come_first_notified",
            "it condvar::counts_are_exact",
        ],
    ),
    Bug(
        "musl 97c5b5a",
        "a waiter missed its signal because the next one made the word look as before",
        &[
            "it stress::condvar::nodes_on_short_lived_stacks",
            "loom condvar::moved_waiters_wake_each_other",
        ],
    ),
    Bug(
        "rust-lang/rust#43082",
        "a wait locked the mutex twice when it returned",
        &["it known_bugs::rust_43082_a_wait_locks_once"],
    ),
    Bug(
        "JDK-6314875, NPTL",
        "a wait until a moment in the past hung, or broke the condition variable",
        &[
            "it known_bugs::jdk_6314875_waits_into_the_past",
            "it condvar::limits::past_and_zero_end_at_once_with_the_mutex_held",
            "it mutex::timed::limits_in_the_past_and_of_zero_try_once",
        ],
    ),
    Bug(
        "JDK-6402537",
        "a limit too far to be written down was taken for one in the past",
        &[
            "it mutex::timed::limits_beyond_the_end_of_time_wait",
            "it condvar::limits::beyond_the_end_of_time_waits",
        ],
    ),
    Bug(
        "EINTR, in many",
        "a signal ended a wait, or made it longer",
        &[
            "loom mutex::interrupted",
            "loom condvar::interrupted",
            "process signals::limits_under_a_storm",
            "process signals::endless_waits_under_a_storm",
        ],
    ),
    Bug(
        "owners by kernel id or by address of a thread-local, in many",
        "after a fork, or after a thread had ended, a lock took another thread for its owner",
        &[
            "it mutex_family::reentrant::an_owner_that_has_ended_is_nobody_else",
            "process fork::a_reentrant_mutex_held_by_the_forking_thread",
            "process fork::a_reentrant_mutex_held_by_another_thread",
        ],
    ),
];

#[test]
fn each_has_its_tests() {
    let mut missing = Vec::new();
    for Bug(place, what, tests) in BUGS {
        assert!(!tests.is_empty() && !what.is_empty(), "{place}");
        for name in *tests {
            let (binary, test) = name.split_once(' ').expect("a binary and a test");
            if !exists(binary, test) {
                missing.push((place, name));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    // And each test that carries the name of a bug stands in the table.
    let source = include_str!("known_bugs.rs");
    let here: BTreeSet<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("fn ")?.strip_suffix("() {"))
        .filter(|name| name.contains(|c: char| c.is_ascii_digit()))
        .collect();
    let listed: BTreeSet<&str> = BUGS
        .iter()
        .flat_map(|Bug(.., tests)| *tests)
        .filter_map(|test| test.strip_prefix("it known_bugs::"))
        .collect();
    assert_eq!(here, listed);
}

/// Some give up at about the moment of the unlock; the one who does not is woken all the same.
#[test]
fn parking_lot_466_a_time_out_hides_the_others() {
    let (watchdog, seed) = (Watchdog::start(), seed());
    let mut rng = Rng::stream(seed, 466);
    let (plain, fair, reentrant) = (Mutex::new(()), FairMutex::new(()), ReentrantMutex::new(()));
    macro_rules! round {
        ($mutex:ident) => {{
            let held = $mutex.lock();
            let limits = [0; 3].map(|_| Duration::from_nanos(rng.below(400_000)));
            thread::scope(|s| {
                let stays = asleep(s, words_of(&$mutex), || drop($mutex.lock()));
                let leavers = limits.map(|limit| {
                    let mutex = &$mutex;
                    s.spawn(move || drop(mutex.try_lock_for(limit)))
                });
                let unlock_at = Instant::now() + Duration::from_nanos(rng.below(400_000));
                while Instant::now() < unlock_at {
                    std::hint::spin_loop();
                }
                drop(held);
                stays.join().unwrap();
                join_all(leavers);
            });
            assert!(!$mutex.is_locked());
        }};
    }
    for _ in 0..scaled(150) {
        round!(plain);
        round!(fair);
        round!(reentrant);
        watchdog.tick();
    }
}

/// Two sleep; whoever unlocks takes the lock back at once, if he can, before the one that he woke
/// has got up. Both are woken in the end.
#[test]
fn musl_0db393d_overtaken_on_the_way_out_of_bed() {
    let watchdog = Watchdog::start();
    let mutex = Mutex::new(0);
    for _ in 0..scaled(150) {
        let held = mutex.lock();
        thread::scope(|s| {
            let sleepers = [0; 2].map(|_| asleep(s, words_of(&mutex), || *mutex.lock() += 1));
            drop(held);
            if let Some(again) = mutex.try_lock() {
                // Time enough for the woken one to find the lock taken and to sleep again.
                thread::sleep(Duration::from_micros(100));
                drop(again);
            }
            join_all(sleepers);
        });
        watchdog.tick();
    }
    assert_eq!(mutex.into_inner(), 2 * scaled(150));
}

/// The notified one cannot return yet, as the mutex is held by who notified. That one then waits on
/// the same condition variable: the notification is none of his, with a limit or without.
#[test]
fn glibc_12875_a_latecomer_takes_the_signal() {
    let watchdog = Watchdog::start();
    let (waiting, changed) = (Mutex::new(0), Condvar::new());
    for limit in [Duration::ZERO, Duration::from_millis(5)] {
        for _ in 0..scaled(20) {
            thread::scope(|s| {
                let first = s.spawn(|| {
                    let mut waiting = waiting.lock();
                    *waiting += 1;
                    changed.wait(&mut waiting);
                    *waiting -= 1;
                });
                let mut here = loop {
                    let waiting = waiting.lock();
                    if *waiting == 1 {
                        break waiting;
                    }
                };
                assert!(changed.notify_one());
                assert!(changed.wait_for(&mut here, limit).timed_out(), "took the signal");
                drop(here);
                first.join().unwrap();
            });
            watchdog.tick();
        }
    }
    assert_eq!(*waiting.lock(), 0);
}

/// Four wait; each that is notified waits a little more, with a limit, and then notifies the next.
/// One notification from outside gets them all going.
#[test]
fn parking_lot_501_a_chain_of_notifications() {
    let watchdog = Watchdog::start();
    for _ in 0..scaled(10) {
        let (waiting, changed) = (Mutex::new(0), Condvar::new());
        thread::scope(|s| {
            let waiters = [0; 4].map(|_| {
                s.spawn(|| {
                    let mut waiting = waiting.lock();
                    *waiting += 1;
                    changed.wait(&mut waiting);
                    let _ = changed.wait_for(&mut waiting, Duration::from_millis(1));
                    drop(waiting);
                    changed.notify_one();
                })
            });
            while *waiting.lock() < 4 {
                thread::yield_now();
            }
            assert!(changed.notify_one());
            join_all(waiters);
        });
        watchdog.tick();
    }
}

/// However a wait ends, the mutex is locked once: unlocking once frees it.
#[test]
fn rust_43082_a_wait_locks_once() {
    let _watchdog = Watchdog::start();
    let (mutex, changed) = (Mutex::new(false), Condvar::new());
    let mut guard = mutex.lock();
    assert!(changed.wait_until(&mut guard, Deadline::now()).timed_out());
    assert!(changed.wait_for(&mut guard, Duration::from_millis(1)).timed_out());
    for notify_all in [false, true] {
        for held in [false, true] {
            *guard = false;
            thread::scope(|s| {
                s.spawn(|| {
                    let mut locked = mutex.lock();
                    *locked = true;
                    let locked = held.then_some(locked);
                    let _ = if notify_all {
                        changed.notify_all()
                    } else {
                        usize::from(changed.notify_one())
                    };
                    drop(locked);
                });
                changed.wait_while(&mut guard, |over| !*over);
            });
            assert!(mutex.is_locked());
            drop(guard);
            assert!(!mutex.is_locked());
            guard = mutex.lock();
        }
    }
}

/// They end at once, each of them, and the waiter without a limit among them is still there and
/// gets its notification.
#[test]
fn jdk_6314875_waits_into_the_past() {
    let watchdog = Watchdog::start();
    let now = Instant::now();
    let past = now.checked_sub(Duration::from_secs(3600)).unwrap_or(now);
    let (waiting, changed) = (Mutex::new(Cell::new(false)), Condvar::new());
    for _ in 0..scaled(10) {
        thread::scope(|s| {
            let waiter = asleep(s, None, || {
                let mut waiting = waiting.lock();
                waiting.set(true);
                changed.wait(&mut waiting);
                waiting.set(false);
            });
            together(3, |i| {
                for _ in 0..100 {
                    let mut guard = waiting.lock();
                    let result = match i {
                        0 => changed.wait_until(&mut guard, past),
                        1 => changed.wait_until(&mut guard, Deadline::now()),
                        _ => changed.wait_for(&mut guard, Duration::ZERO),
                    };
                    assert!(result.timed_out() && guard.get());
                }
            });
            assert_eq!(changed.notify_all(), 1);
            waiter.join().unwrap();
        });
        watchdog.tick();
    }
    assert!(!changed.notify_one());
}
