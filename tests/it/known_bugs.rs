//! Bugs that other locks, condition variables and queues had, each with the tests in which ours
//! would show it.
//!
//! Most of the tests stand elsewhere, where they belong by subject; those written for one bug stand
//! here and carry its name. Where a mutant makes such a mistake, the test says which. Sleeping
//! readers look up now and then, which repairs some of them; not in builds with `lockwork_chaos`.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::rwlock::{Lock, UpgradableReadGuard};
use lockwork::{Condvar, Deadline, FairMutex, Mutex, RecursiveRwLock, ReentrantMutex, RwLock};

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
        "rust-lang/rust#121626",
        "what a thread read in a lock came from before the lock was taken",
        &["loom rwlock::reader_and_writer", "loom rwlock::two_writers", "loom rwlock::downgrade"],
    ),
    Bug(
        "CVE-2017-20004, std; RUSTSEC-2020-0070, lock_api",
        "guards were `Sync` or `Send` with data that was not",
        &[
            "it auto_traits::guards_of_mutexes",
            "it auto_traits::mutexes",
            "it auto_traits::rwlock_guards",
            "it auto_traits::rwlock",
        ],
    ),
    Bug(
        "RUSTSEC-2020-0111, may_queue; RUSTSEC-2020-0117, conqueue",
        "a queue took values to other threads that must not go there",
        &["it auto_traits::queues"],
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
        "Amanieu/parking_lot#465",
        "a writer that gave up as the lock was freed took more off the word than it had put there",
        &[
            "it known_bugs::parking_lot_465_a_writer_gives_up_as_the_lock_is_freed",
            "it rwlock::timed::giving_up_takes_nobody_s_turn",
            "it stress::rwlock::with_and_without_limits",
            "loom rwlock::writers_with_limits",
            "loom rwlock::claim_taken_back",
        ],
    ),
    Bug(
        "dotnet/corefx#3364; FreeBSD PR 211947",
        "who gave up, or was interrupted, left the mark by which others stayed out or asleep",
        &[
            "it known_bugs::corefx_3364_readers_behind_a_writer_that_gave_up",
            "it rwlock::timed::a_claim_given_up_lets_readers_in",
            "loom rwlock::interrupted",
            "process signals::hand_overs_under_a_storm",
        ],
    ),
    Bug(
        "llvm/llvm-project#201937",
        "a writer gave up with the only wake-up there was",
        &[
            "it known_bugs::llvm_201937_who_gave_up_had_the_only_wake_up",
            "loom rwlock::writers_with_limits_and_a_reader",
        ],
    ),
    Bug(
        "FEX-Emu/FEX#5161; microsoft/litebox#809",
        "of readers and writers asleep, those were woken that were not there",
        &[
            "it known_bugs::litebox_809_readers_behind_two_writers",
            "it stress::rwlock::readers_and_writers",
            "it stress::rwlock::all_kinds",
            "loom rwlock::two_writers_and_a_reader",
            "loom rwlock::two_readers_and_a_writer",
        ],
    ),
    Bug(
        "glibc 23844, 23861",
        "a reader-writer lock hung where some tried while others waited",
        &["it known_bugs::glibc_23844_some_try_while_others_wait", "loom rwlock::try_forms"],
    ),
    Bug(
        "Amanieu/parking_lot#212; rust-lang/rust#93740",
        "a thread that read twice waited for a writer that waited for it",
        &["it rwlock::recursive_reads_pass_a_waiting_writer", "loom rwlock::recursive_reads"],
    ),
    Bug(
        "Amanieu/parking_lot#101",
        "readers waited behind those who waited for an upgradable reader",
        &[
            "it rwlock::a_waiting_writer_goes_before_new_readers",
            "loom rwlock::reader_beside_an_upgradable",
        ],
    ),
    Bug(
        "Amanieu/parking_lot#489",
        "new readers held an upgrade up for ever",
        &["it known_bugs::parking_lot_489_readers_hold_up_an_upgrade"],
    ),
    Bug(
        "Amanieu/parking_lot#392, #430",
        "a guard that had been upgraded and back could not be upgraded again",
        &[
            "it known_bugs::parking_lot_392_upgraded_twice",
            "it rwlock::guards::with_upgraded_is_upgradable_again",
        ],
    ),
    Bug(
        "awslabs/shuttle#351",
        "a writer came in between a read and its upgrade",
        &[
            "it rwlock::guards::an_upgrade_waits_for_readers_and_goes_before_writers",
            "loom rwlock::upgrade",
        ],
    ),
    Bug(
        "musl 0db393d",
        "a woken waiter that found the lock taken again slept on unmarked",
        &[
            "it known_bugs::musl_0db393d_overtaken_on_the_way_out_of_bed",
            "it mutex::several_sleepers_are_each_woken",
            "it rwlock::writers_are_each_woken",
            "loom mutex::three_threads",
            "loom rwlock::four_writers",
        ],
    ),
    Bug(
        "glibc 13690",
        "an unlock read the mutex after it was free, and perhaps freed",
        &[
            "it mutex_family::plain::freed_by_the_last_owner",
            "it mutex_family::fair::freed_by_the_last_owner",
            "it rwlock::freed_by_the_last_owner",
            "loom mutex::freed_by_the_last_owner",
            "loom rwlock::freed_by_the_last_owner",
        ],
    ),
    Bug(
        "glibc 12674",
        "a post looked at the semaphore after its permit could be taken, and the semaphore freed",
        &[
            "it semaphore::plain::freed_by_whoever_acquires",
            "it semaphore::fair::freed_by_whoever_acquires",
            "loom semaphore::freed_by_whoever_acquires",
            "loom fair_semaphore::freed_by_whoever_acquires",
        ],
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
            "it rwlock::timed::limits_in_the_past_and_of_zero_try_once",
        ],
    ),
    Bug(
        "JDK-6402537",
        "a limit too far to be written down was taken for one in the past",
        &[
            "it mutex::timed::limits_beyond_the_end_of_time_wait",
            "it rwlock::timed::limits_beyond_the_end_of_time_wait",
            "it condvar::limits::beyond_the_end_of_time_waits",
        ],
    ),
    Bug(
        "EINTR, in many",
        "a signal ended a wait, or made it longer",
        &[
            "loom mutex::interrupted",
            "loom condvar::interrupted",
            "loom rwlock::interrupted",
            "loom blocking_queue::interrupted",
            "process signals::hand_overs_under_a_storm",
            "process signals::limits_under_a_storm",
            "process signals::endless_waits_under_a_storm",
        ],
    ),
    Bug(
        "RUSTSEC-2021-0124, tokio",
        "a value sent as the other side closed was lost, or taken twice",
        &[
            "loom blocking_queue::close_against_push_against_pop",
            "loom blocking_queue::closed_is_seen_by_a_pop",
            "loom blocking_queue::closed_is_seen_by_a_push",
            "it stress::blocking_queue::closed_at_any_time",
        ],
    ),
    Bug(
        "one lock with the bookkeeping of a handler's, in many",
        "a signal handler that only tried a re-entrant lock released it under the interrupted code",
        &["process signals::locks_in_a_handler"],
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
    Bug(
        "RUSTSEC-2019-0017, once_cell",
        "a lazy value whose closure had panicked was used as if it were there",
        &["it once::lazy::a_panic_is_for_ever", "loom once::lazy_that_panics"],
    ),
    Bug(
        "RUSTSEC-2023-0031, spin",
        "a closure that failed let others take for made what was not",
        &[
            "it once::lock::failures_leave_it_empty",
            "it once::lock::failures_among_sleepers",
            "loom once::place_after_a_failure",
        ],
    ),
    Bug(
        "RUSTSEC-2021-0004, lazy-init",
        "a value that must not change threads was made on one and dropped on another",
        &["it auto_traits::made_once"],
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

/// Waits until `moment` with the processor in hand: a sleep would end too late to meet anybody.
fn spin_until(moment: Instant) {
    while Instant::now() < moment {
        std::hint::spin_loop();
    }
}

/// One sleeps on, and others give up at about the moment at which the lock becomes free.
fn given_up_as_it_is_freed<G>(
    rng: &mut Rng,
    hold: impl FnOnce() -> G,
    stays: impl FnOnce() + Send,
    sleeps_on: Option<std::ops::Range<usize>>,
    gives_up: [&(dyn Fn(Duration) + Sync); 3],
) {
    let held = hold();
    let mut moment = || Duration::from_nanos(rng.below(400_000));
    thread::scope(|s| {
        let stays = asleep(s, sleeps_on, stays);
        let leavers = gives_up.map(|wait| (wait, moment()));
        let leavers = leavers.map(|(wait, limit)| s.spawn(move || wait(limit)));
        spin_until(Instant::now() + moment());
        drop(held);
        stays.join().unwrap();
        join_all(leavers);
    });
}

/// All of them give up while a writer stays, beside readers or behind a writer. The lock is as new
/// afterwards. A claim that is taken back after it has become ownership shows, too.
#[test]
fn parking_lot_465_a_writer_gives_up_as_the_lock_is_freed() {
    let (watchdog, seed) = (Watchdog::start(), seed());
    fn round<const RECURSIVE: bool>(lock: &Lock<u32, RECURSIVE>, rng: &mut Rng) {
        let write: &(dyn Fn(Duration) + Sync) = &|limit| drop(lock.try_write_for(limit));
        let upgrade: &(dyn Fn(Duration) + Sync) = &|limit| {
            let upgradable = lock.try_upgradable_read_for(limit);
            drop(upgradable.map(|guard| UpgradableReadGuard::try_upgrade_for(guard, limit)));
        };
        let stays = || *lock.write() += 1;
        let words = words_of(lock);
        given_up_as_it_is_freed(rng, || lock.read(), stays, words.clone(), [write; 3]);
        given_up_as_it_is_freed(rng, || lock.write(), stays, words, [write, upgrade, upgrade]);
        assert!(!lock.is_locked() && lock.try_write().is_some() && lock.try_read().is_some());
    }
    let mut rng = Rng::stream(seed, 465);
    let (ordinary, recursive) = (RwLock::new(0), RecursiveRwLock::new(0));
    for _ in 0..scaled(75) {
        round(&ordinary, &mut rng);
        round(&recursive, &mut rng);
        watchdog.tick();
    }
    assert_eq!(*ordinary.read() + *recursive.read(), 4 * scaled(75) as u32);
}

/// A reader stays out for a writer that waits, and gets in when that gives up, although nobody
/// unlocks. Mutant `rwlock.wake-readers`.
#[test]
fn corefx_3364_readers_behind_a_writer_that_gave_up() {
    let watchdog = Watchdog::start();
    let (lock, limit) = (RwLock::new(7), Duration::from_millis(3));
    for _ in 0..scaled(20) {
        let reading = lock.read();
        thread::scope(|s| {
            let writer = s.spawn(|| lock.try_write_for(limit).is_none());
            let readers = [0; 2].map(|_| {
                s.spawn(|| {
                    // Not before the writer has claimed the lock, or is gone.
                    let late = Instant::now() + limit;
                    while lock.try_read().is_some() && Instant::now() < late {
                        thread::yield_now();
                    }
                    *lock.read()
                })
            });
            assert!(writer.join().unwrap());
            assert_eq!(join_all(readers), [7; 2]);
        });
        drop(reading);
        watchdog.tick();
    }
}

/// A reader sleeps behind a writer that gives up when it may just have been woken. Mutants
/// `rwlock.give-up-in-silence` and `rwlock.wake-readers-instead`.
#[test]
fn llvm_201937_who_gave_up_had_the_only_wake_up() {
    let (watchdog, seed) = (Watchdog::start(), seed());
    let mut rng = Rng::stream(seed, 201_937);
    let lock = RwLock::new(0);
    let write: &(dyn Fn(Duration) + Sync) = &|limit| drop(lock.try_write_for(limit));
    let upgradable: &(dyn Fn(Duration) + Sync) = &|limit| drop(lock.try_upgradable_read_for(limit));
    for _ in 0..scaled(150) {
        let stays: [fn(&RwLock<i32>); 2] = [|lock| drop(lock.read()), |lock| drop(lock.write())];
        for stays in stays {
            let others = [write, upgradable, write];
            let stays = || stays(&lock);
            given_up_as_it_is_freed(&mut rng, || lock.write(), stays, words_of(&lock), others);
        }
        watchdog.tick();
    }
    assert!(lock.try_write().is_some());
}

/// A reader and writers sleep; whoever unlocks comes back before the one that was woken, who then
/// sleeps again or not. All get in. Mutants `rwlock.wake-one`, `rwlock.wake-readers-instead`.
#[test]
fn litebox_809_readers_behind_two_writers() {
    let watchdog = Watchdog::start();
    let lock = RwLock::new(0);
    for round in 0..scaled(150) {
        let held = lock.write();
        thread::scope(|s| {
            let reader = asleep(s, words_of(&lock), || drop(lock.read()));
            let writers = [0; 4].map(|_| asleep(s, words_of(&lock), || *lock.write() += 1));
            drop(held);
            if let Some(again) = lock.try_write() {
                if round % 2 == 0 {
                    spin_until(Instant::now() + Duration::from_micros(100));
                }
                drop(again);
            }
            join_all([reader]);
            join_all(writers);
        });
        watchdog.tick();
    }
    assert_eq!(lock.into_inner(), 4 * scaled(150));
}

/// With one reader and one writer who wait, and one of each who only try, nobody is left asleep on
/// a lock that is free. Mutants `rwlock.wake-one`, `rwlock.wake-drain`.
#[test]
fn glibc_23844_some_try_while_others_wait() {
    let watchdog = Watchdog::start();
    let (lock, waiting) = (RwLock::new(0_u64), AtomicUsize::new(2));
    let rounds = scaled(20_000);
    let written = together(4, |i| {
        let mut written = 0;
        for _ in 0..rounds {
            if waiting.load(Relaxed) == 0 && i > 1 {
                break;
            }
            match i {
                0 => drop(lock.read()),
                1 => {
                    *lock.write() += 1;
                    written += 1;
                }
                2 => drop(lock.try_read()),
                _ => written += u64::from(lock.try_write().map(|mut n| *n += 1).is_some()),
            }
            watchdog.tick();
        }
        if i < 2 {
            waiting.fetch_sub(1, Relaxed);
        }
        written
    });
    assert_eq!(lock.into_inner(), written.iter().sum::<u64>());
}

/// Readers that overlap without a pause let an upgrade come in. In a lock whose readers may be
/// inside already, they need not.
#[test]
fn parking_lot_489_readers_hold_up_an_upgrade() {
    let watchdog = Watchdog::start();
    let (lock, over) = (RwLock::new(0), AtomicBool::new(false));
    thread::scope(|s| {
        let readers = [0; 3].map(|_| {
            s.spawn(|| {
                while !over.load(Relaxed) {
                    let reading = lock.read();
                    spin_until(Instant::now() + Duration::from_micros(20));
                    drop(reading);
                }
            })
        });
        for _ in 0..scaled(100) {
            let upgradable = lock.upgradable_read();
            let before = *upgradable;
            let mut writing = UpgradableReadGuard::upgrade(upgradable);
            *writing += 1;
            assert_eq!(*writing, before + 1);
            watchdog.tick();
        }
        over.store(true, Relaxed);
        join_all(readers);
    });
}

/// In each form, borrowed and owned; and the guard is the upgradable one afterwards, no more.
#[test]
fn parking_lot_392_upgraded_twice() {
    let lock = Arc::new(RwLock::new(0));
    let limit = Duration::from_secs(100);
    macro_rules! twice {
        ($upgradable:expr) => {{
            let mut upgradable = $upgradable;
            for _ in 0..2 {
                let before = *upgradable;
                upgradable.with_upgraded(|value| *value += 1);
                upgradable.try_with_upgraded(|value| *value += 1).unwrap();
                upgradable.try_with_upgraded_for(limit, |value| *value += 1).unwrap();
                let until = Instant::now() + limit;
                upgradable.try_with_upgraded_until(until, |value| *value += 1).unwrap();
                assert_eq!(*upgradable, before + 4);
                assert!(lock.try_read().is_some() && lock.try_upgradable_read().is_none());
            }
        }};
    }
    twice!(lock.upgradable_read());
    twice!(lock.upgradable_read_arc());
    assert_eq!(*lock.try_write().expect("free again"), 16);
}
