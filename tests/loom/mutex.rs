//! `Mutex`: mutual exclusion, hand-over of data, wake-up duty, time-outs.

use std::sync::Arc;
use std::time::Duration;

use lockwork::model::{Explore, enter_forked_child, futex_calls, thread};
use lockwork::{ArcMutexGuard, Deadline, Mutex, MutexGuard, model_raw};

use super::support::{Watched, beside, let_sleep};

/// A licence to time out at any moment: see the model's notes on time.
const SOON: Duration = Duration::from_secs(1);

/// Runs `body` on `n` threads, one of them this one.
fn on_threads(n: usize, body: impl Fn(usize) + Send + Sync + 'static) {
    let body = Arc::new(body);
    let threads: Vec<_> = (1..n)
        .map(|i| {
            let body = body.clone();
            thread::spawn(move || body(i))
        })
        .collect();
    body(0);
    for thread in threads {
        thread.join().unwrap();
    }
}

/// The orderings: the second owner sees what the first wrote.
#[test]
fn two_threads() {
    Explore::new("mutex, two threads").unbounded().at_least(100).run(&[2], || {
        let count = Arc::new(Mutex::new(0));
        let shared = count.clone();
        on_threads(2, move |_| *shared.lock() += 1);
        *count.lock()
    });
}

/// Uncontended, in any mode of arrival, the kernel is left alone; contended, it is called.
#[test]
fn futex_calls_only_when_somebody_sleeps() {
    Explore::new("mutex, calls").unbounded().at_least(100).run(&[false, true], || {
        let mutex = Arc::new(Mutex::new(()));
        let shared = mutex.clone();
        on_threads(2, move |_| drop(shared.lock()));
        futex_calls() > 0
    });
}

/// The wake-up duty: with three owners, one that slept has to wake the next.
#[test]
fn three_threads() {
    Explore::new("mutex, three threads").preemptions(3).at_least(1_000).run(&[3], || {
        let count = Arc::new(Mutex::new(0));
        let shared = count.clone();
        on_threads(3, move |_| *shared.lock() += 1);
        *count.lock()
    });
}

/// Signals wake waiters who own nothing.
#[test]
fn interrupted() {
    Explore::new("mutex, signals").preemptions(3).signals(2).at_least(100).run(&[2], || {
        let count = Arc::new(Mutex::new(0));
        let shared = count.clone();
        on_threads(2, move |_| *shared.lock() += 1);
        *count.lock()
    });
}

/// A waiter that gives up leaves the lock usable, and takes no wake-up with it.
#[test]
fn timed() {
    Explore::new("mutex, timed").preemptions(3).at_least(1_000).run(&[2, 3], || {
        let count = Arc::new(Mutex::new(0));
        let shared = count.clone();
        on_threads(3, move |i| match i {
            0 => {
                let soon = Duration::from_secs(1);
                if let Some(mut count) = shared.try_lock_for(soon) {
                    *count += 1;
                }
            }
            _ => *shared.lock() += 1,
        });
        *count.lock()
    });
}

#[test]
fn try_lock() {
    Explore::new("mutex, try_lock").unbounded().at_least(20).run(&[1, 2], || {
        let count = Arc::new(Mutex::new(0));
        let shared = count.clone();
        on_threads(2, move |_| {
            if let Some(mut count) = shared.try_lock() {
                *count += 1;
            }
        });
        *count.lock()
    });
}

/// A mapped guard excludes as the whole one does.
#[test]
fn mapped() {
    Explore::new("mutex, mapped").unbounded().at_least(100).run(&[(1, 1)], || {
        let pair = Arc::new(Mutex::new((0, 0)));
        let shared = pair.clone();
        on_threads(2, move |i| {
            let part = |pair: &mut (u32, u32)| -> *mut u32 {
                if i == 0 { &mut pair.0 } else { &mut pair.1 }
            };
            // SAFETY: the pointer is to a part of what the closure was given.
            *MutexGuard::map(shared.lock(), |pair| unsafe { &mut *part(pair) }) += 1;
        });
        *pair.lock()
    });
}

/// The mutex is freed by whoever unlocks last: nothing may touch it afterwards but its address.
#[test]
fn freed_by_the_last_owner() {
    Explore::new("mutex, freed early").unbounded().at_least(100).run(&[()], || {
        let mutex = Arc::new(Mutex::new(false));
        let other = mutex.clone();
        let thread = thread::spawn(move || *other.lock() = true);
        drop(mutex.lock());
        drop(mutex);
        thread.join().unwrap();
    });
}

/// While it is given back, others have it; the owner sees afterwards what they did.
#[test]
fn unlocked() {
    Explore::new("mutex, unlocked").preemptions(4).at_least(100).run(&[(1, 2), (2, 2)], || {
        let count = Arc::new(Mutex::new(0));
        let shared = count.clone();
        let other = thread::spawn(move || *shared.lock() += 1);
        let mut mine = count.lock();
        *mine += 1;
        MutexGuard::unlocked(&mut mine, thread::yield_now);
        let seen = *mine;
        drop(mine);
        other.join().unwrap();
        (seen, *count.lock())
    });
}

/// The ways to give the lock on, with a waiter that may sleep.
#[test]
fn handed_on() {
    Explore::new("mutex, bump, unlock_fair").preemptions(3).at_least(100).run(&[3], || {
        let count = Arc::new(Mutex::new(0));
        let shared = count.clone();
        on_threads(2, move |i| {
            let mut mine = shared.lock();
            *mine += 1;
            if i == 0 {
                MutexGuard::bump(&mut mine);
                *mine += 1;
            }
            MutexGuard::unlock_fair(mine);
        });
        *count.lock()
    });
}

/// A guard that owns its mutex unlocks before it gives that up, and the last one frees it.
#[test]
fn owned() {
    Explore::new("mutex, owned guards").unbounded().at_least(100).run(&[2, 3], || {
        let mutex = Arc::new(Mutex::new(1));
        let other = mutex.clone();
        let thread = thread::spawn(move || {
            let mut guard = other.lock_arc();
            drop(other);
            *guard += 1;
        });
        let mut guard = mutex.lock_arc();
        drop(mutex);
        *guard += 1;
        let seen = *guard;
        drop(ArcMutexGuard::into_arc(guard));
        thread.join().unwrap();
        seen
    });
}

// A lock that is handed over. Who gets in is written down: a letter each.

type Log = Mutex<Vec<char>>;

fn log() -> Arc<Log> {
    Arc::new(Mutex::new(Vec::new()))
}

fn sign(log: &Log, letter: char) {
    log.lock().push(letter);
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.into()).collect()
}

/// The log, as a word.
fn read(log: &Log) -> String {
    log.lock().iter().collect()
}

/// Who sleeps when the lock is unlocked fairly has it next, and sees what was written before.
#[test]
fn fair_unlock_hands_over() {
    Explore::new("mutex, unlock_fair").preemptions(3).at_least(500).run(&words(&["msm"]), || {
        loom::stop_exploring();
        let log = log();
        let mut mine = log.lock();
        let sleeper = beside(&log, |log| sign(log, 's'));
        let_sleep(1);
        loom::explore();
        mine.push('m');
        MutexGuard::unlock_fair(mine);
        sign(&log, 'm');
        sleeper.join().unwrap();
        read(&log)
    });
}

/// Of two sleepers the first is let in, and then wakes the other; also if it is awake so early that
/// it finds the lock still taken.
#[test]
fn fair_unlock_with_two_sleepers() {
    Explore::new("mutex, unlock_fair with two").preemptions(2).at_least(20).run(
        &words(&["ab"]),
        || {
            loom::stop_exploring();
            let log = log();
            let mine = log.lock();
            let first = beside(&log, |log| sign(log, 'a'));
            let_sleep(1);
            let second = beside(&log, |log| sign(log, 'b'));
            let_sleep(2);
            loom::explore();
            MutexGuard::unlock_fair(mine);
            first.join().unwrap();
            second.join().unwrap();
            read(&log)
        },
    );
}

/// A sleeper that was woken to be handed the lock may leave in between.
#[test]
fn fair_unlock_with_a_timed_sleeper() {
    Explore::new("mutex, unlock_fair and a deadline").preemptions(4).at_least(1_000).run(
        &words(&["mm", "mmt", "mtm", "tmm"]),
        || {
            let log = log();
            let timed = beside(&log, |log| {
                if let Some(mut log) = log.try_lock_for(SOON) {
                    log.push('t');
                }
            });
            let mut mine = log.lock();
            mine.push('m');
            MutexGuard::unlock_fair(mine);
            sign(&log, 'm');
            timed.join().unwrap();
            read(&log)
        },
    );
}

/// The lock is made free where a waiter has left, who comes back and sees what was written.
#[test]
fn fair_unlock_after_a_waiter_left() {
    Explore::new("mutex, unlock_fair and who left").preemptions(3).at_least(500).run(
        &words(&["mt", "tm"]),
        || {
            let log = log();
            let timed = beside(&log, |log| {
                let mut mine = log.try_lock_for(SOON).unwrap_or_else(|| log.lock());
                mine.push('t');
            });
            let mut mine = log.lock();
            mine.push('m');
            MutexGuard::unlock_fair(mine);
            timed.join().unwrap();
            read(&log)
        },
    );
}

/// Nobody sleeps any more, and the word says that somebody may: the lock is free, not handed over.
#[test]
fn fair_unlock_with_nobody_left() {
    Explore::new("mutex, unlock_fair with nobody").unbounded().at_least(1).run(&[2], || {
        let log = log();
        let mine = log.lock();
        let timed = beside(&log, |log| assert!(log.try_lock_for(SOON).is_none()));
        timed.join().unwrap();
        MutexGuard::unlock_fair(mine);
        sign(&log, 'm');
        futex_calls()
    });
}

/// A bump lets a sleeper in, and only then goes on.
#[test]
fn bump_lets_a_sleeper_in() {
    Explore::new("mutex, bump").preemptions(3).at_least(100).run(&words(&["sm"]), || {
        loom::stop_exploring();
        let log = log();
        let mut mine = log.lock();
        let sleeper = beside(&log, |log| sign(log, 's'));
        let_sleep(1);
        loom::explore();
        MutexGuard::bump(&mut mine);
        mine.push('m');
        drop(mine);
        sleeper.join().unwrap();
        read(&log)
    });
}

/// A reservation made in the parent of a fork is nobody's: whoever it was for does not exist. Here
/// that one lives on, and gets the lock later.
#[test]
fn child_of_fork_ignores_a_hand_over() {
    Explore::new("mutex, inherited hand-over").preemptions(3).at_least(100).run(
        &words(&["mms", "msm"]),
        || {
            loom::stop_exploring();
            let log = log();
            let mut mine = log.lock();
            let sleeper = beside(&log, |log| sign(log, 's'));
            let_sleep(1);
            loom::explore();
            mine.push('m');
            MutexGuard::unlock_fair(mine);
            enter_forked_child();
            sign(&log, 'm');
            sleeper.join().unwrap();
            read(&log)
        },
    );
}

// A waiter that has waited for long.

/// A lock, and whether the waiter that this is about has had it.
struct Contest {
    lock: model_raw::Mutex,
    served: Watched,
}

impl Contest {
    /// Taken by this thread.
    fn begin() -> Arc<Self> {
        let contest = Self { lock: model_raw::Mutex::new(), served: Watched::new(0) };
        contest.lock.lock();
        Arc::new(contest)
    }

    /// As the waiter that this is about.
    fn wait(&self) {
        self.lock.lock();
        self.served.set(1);
        self.unlock();
    }

    fn unlock(&self) {
        // SAFETY: everybody here unlocks after having locked.
        unsafe { self.lock.unlock() };
    }

    /// Goes on for some sections, and says what became of the waiter.
    fn compete(&self, on_reservation: fn()) -> Seen {
        let mut seen = Seen::NoReservation;
        for _ in 0..2 {
            self.unlock();
            self.lock.lock();
            if self.served.get() == 1 {
                break;
            }
            if seen == Seen::Reservation {
                seen = Seen::Overtaken;
            } else if self.lock.is_reserved() {
                seen = Seen::Reservation;
                on_reservation();
            }
        }
        self.unlock();
        seen
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Seen {
    NoReservation,
    Reservation,
    Overtaken,
}

/// Whoever has reserved the lock is the next to have it.
#[test]
fn starver_is_not_overtaken() {
    Explore::new("mutex, starver").preemptions(3).naps(1).at_least(100).run(
        &[Seen::NoReservation, Seen::Reservation],
        || {
            loom::stop_exploring();
            let contest = Contest::begin();
            let waiter = beside(&contest, Contest::wait);
            let_sleep(1);
            loom::explore();
            let seen = contest.compete(|| {});
            waiter.join().unwrap();
            seen
        },
    );
}

/// In a child of fork that waiter does not exist. Here it lives on, and gets the lock later.
#[test]
fn child_of_fork_ignores_a_starver() {
    Explore::new("mutex, inherited starver").preemptions(3).naps(1).at_least(100).run(
        &[Seen::NoReservation, Seen::Reservation, Seen::Overtaken],
        || {
            loom::stop_exploring();
            let contest = Contest::begin();
            let waiter = beside(&contest, Contest::wait);
            let_sleep(1);
            loom::explore();
            let seen = contest.compete(enter_forked_child);
            waiter.join().unwrap();
            seen
        },
    );
}

/// The starver is woken although another has slept for longer by now, and then wakes that one.
#[test]
fn starver_sleeps_behind_another() {
    Explore::new("mutex, starver and sleeper").preemptions(1).naps(1).at_least(50).run(
        &[Seen::NoReservation, Seen::Reservation],
        || {
            loom::stop_exploring();
            let contest = Contest::begin();
            let waiter = beside(&contest, Contest::wait);
            let_sleep(1);
            let other = beside(&contest, |contest| {
                contest.lock.lock();
                contest.unlock();
            });
            let_sleep(2);
            loom::explore();
            let seen = contest.compete(|| {});
            waiter.join().unwrap();
            other.join().unwrap();
            seen
        },
    );
}

/// A starver that gives up leaves a lock that others can have.
#[test]
fn starver_gives_up() {
    Explore::new("mutex, starver with a deadline").preemptions(3).naps(1).at_least(100).run(
        &[0, 1],
        || {
            let contest = Contest::begin();
            let waiter = beside(&contest, |contest| {
                if contest.lock.lock_until(Deadline::after(SOON)) {
                    contest.served.set(1);
                    contest.unlock();
                }
            });
            contest.compete(|| {});
            contest.lock.lock();
            contest.unlock();
            waiter.join().unwrap();
            contest.served.get()
        },
    );
}

/// A starver that finds the lock free without having been woken leaves nobody asleep behind it.
#[test]
fn starver_was_not_woken() {
    let model = Explore::new("mutex, starver and a signal").preemptions(2).naps(2).signals(1);
    model.restarting(false).at_least(100).run(&[1], || {
        loom::stop_exploring();
        let contest = Contest::begin();
        let other = beside(&contest, |contest| {
            contest.lock.lock();
            contest.unlock();
        });
        let_sleep(1);
        loom::explore();
        let waiter = beside(&contest, Contest::wait);
        contest.unlock();
        waiter.join().unwrap();
        other.join().unwrap();
        contest.served.get()
    });
}
