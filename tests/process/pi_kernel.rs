//! What the kernel's own tests assert of locks with priority inheritance, asserted of ours: those
//! of `tools/testing/selftests/futex/functional` (`futex_lock_pi_exiting`, `futex_requeue_pi`,
//! `futex_requeue_pi_mismatched_ops`, `futex_requeue_pi_signal_restart`, `futex_wait_timeout`), and
//! of the Linux Test Project's `realtime/func/pi-tests`. A test has the name of the one that it
//! stands for; what it does is what that one is there to show.

use std::mem::forget;
use std::sync::atomic::{
    AtomicU32, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use lockwork::rt::{self, Priority, Scheduling, ThreadId};
use lockwork::{CondvarAny, Deadline, Mutex, PiCondvar, PiError, PiMutex};

use super::real_time::{
    HIGH, LOW, Log, MEDIUM, MIXED, Starter, at, burn, by_priority, catch_signals, compete, fifo,
    in_order, interrupt, processor,
};
use super::runner::{Case, Outcome};
use super::support::threads::{asleep, join_all, words_of};
use super::support::watchdog::Watchdog;
use super::support::{proc, scaled};

pub(crate) const CASES: &[Case] = &[
    ("pi_kernel::lock_pi_exiting_basic", lock_pi_exiting_basic),
    ("pi_kernel::lock_pi_exiting_blocked_waiter", lock_pi_exiting_blocked_waiter),
    ("pi_kernel::lock_pi_exiting_stress", lock_pi_exiting_stress),
    ("pi_kernel::requeue_pi", || fifo(|| requeue_pi(false, false, false))),
    ("pi_kernel::requeue_pi_locked", || fifo(|| requeue_pi(false, true, false))),
    ("pi_kernel::requeue_pi_owner", || fifo(|| requeue_pi(false, false, true))),
    ("pi_kernel::requeue_pi_locked_owner", || fifo(|| requeue_pi(false, true, true))),
    ("pi_kernel::requeue_pi_broadcast", || fifo(|| requeue_pi(true, false, false))),
    ("pi_kernel::requeue_pi_broadcast_locked", || fifo(|| requeue_pi(true, true, false))),
    ("pi_kernel::requeue_pi_broadcast_owner", || fifo(|| requeue_pi(true, false, true))),
    ("pi_kernel::requeue_pi_broadcast_locked_owner", || fifo(|| requeue_pi(true, true, true))),
    ("pi_kernel::requeue_pi_timeout", requeue_pi_timeout),
    ("pi_kernel::requeue_pi_mismatched_ops", requeue_pi_mismatched_ops),
    ("pi_kernel::requeue_pi_signal_restart", requeue_pi_signal_restart),
    ("pi_kernel::wait_timeout", wait_timeout),
    ("pi_kernel::testpi_1", || fifo(testpi_1)),
    ("pi_kernel::testpi_2", || fifo(testpi_2)),
    ("pi_kernel::testpi_4", || fifo(testpi_4)),
    ("pi_kernel::testpi_5", testpi_5),
    ("pi_kernel::priorities_change", || fifo(priorities_change)),
    ("pi_kernel::sbrk_mutex", sbrk_mutex),
];

const AN_HOUR: Duration = Duration::from_secs(3_600);

/// The words of the mutex, in whatever order they lie.
fn words(mutex: &PiMutex<()>) -> [u32; 2] {
    assert_eq!(size_of_val(mutex), 8);
    let words = (&raw const *mutex).cast::<AtomicU32>();
    // SAFETY: without data, a mutex consists of two words, which are atomics.
    [0, 1].map(|i| unsafe { &*words.add(i) }.load(Relaxed))
}

/// The owner's id is in the word, it is told when it locks again, and an unlock leaves nothing.
fn lock_pi_exiting_basic() -> Outcome {
    let _watchdog = Watchdog::start();
    let mutex = PiMutex::new(());
    assert_eq!(words(&mutex), [0, 0]);
    let held = mutex.lock();
    assert!(words(&mutex).contains(&proc::tid()) && words(&mutex).contains(&0));
    assert_eq!(mutex.lock_checked().map(drop), Err(PiError::Deadlock));
    assert_eq!(mutex.try_lock_for(AN_HOUR).map(drop), Err(PiError::Deadlock));
    thread::scope(|s| {
        let waiter = asleep(s, None, || drop(mutex.lock()));
        // By now it is the kernel that says so.
        assert!(words(&mutex).contains(&(1 << 31 | proc::tid())));
        assert_eq!(mutex.lock_checked().map(drop), Err(PiError::Deadlock));
        drop(held);
        waiter.join().unwrap();
    });
    assert_eq!(words(&mutex), [0, 0]);
    Outcome::Passed
}

/// An owner ends with the lock while somebody sleeps for it.
fn lock_pi_exiting_blocked_waiter() -> Outcome {
    let _watchdog = Watchdog::start();
    let (mutex, locked, end) = (PiMutex::new(1), Barrier::new(2), Barrier::new(2));
    thread::scope(|s| {
        let owner = s.spawn(|| {
            let mut held = mutex.lock();
            *held = 2;
            forget(held);
            locked.wait();
            end.wait();
        });
        locked.wait();
        let waiter = asleep(s, words_of(&mutex), || mutex.lock_checked().map(drop));
        end.wait();
        assert_eq!(waiter.join().unwrap(), Err(PiError::OwnerDied));
        owner.join().unwrap();
    });
    assert_eq!(mutex.into_inner(), 2);
    Outcome::Passed
}

/// An owner ends while others come: whatever state of its end they meet, all are told, none has the
/// lock, and none sleeps for ever.
fn lock_pi_exiting_stress() -> Outcome {
    let watchdog = Watchdog::start();
    for round in 0..scaled(1_000) {
        let mutex = PiMutex::new(());
        let (start, locked) = (Barrier::new(4), Barrier::new(2));
        thread::scope(|s| {
            let (mutex, start, locked) = (&mutex, &start, &locked);
            let owner = s.spawn(move || {
                forget(mutex.lock());
                locked.wait();
                start.wait();
            });
            locked.wait();
            let waiters: Vec<_> = (0..3)
                .map(|i| {
                    s.spawn(move || {
                        start.wait();
                        for _ in 0..(round + 7 * i) % 64 {
                            std::hint::spin_loop();
                        }
                        match i {
                            0 => mutex.lock_checked().map(drop),
                            1 => mutex.try_lock_for(AN_HOUR).map(drop),
                            _ => {
                                let mut told = mutex.try_lock().map(drop);
                                while told == Err(PiError::Taken) {
                                    told = mutex.lock_checked().map(drop);
                                }
                                told
                            }
                        }
                    })
                })
                .collect();
            for told in join_all(waiters) {
                assert_eq!(told, Err(PiError::OwnerDied), "round {round}");
            }
            owner.join().unwrap();
            assert_eq!(mutex.lock_checked().map(drop), Err(PiError::OwnerDied));
        });
        watchdog.tick();
    }
    Outcome::Passed
}

/// Ten waiters of ten priorities, with limits and without, are notified one by one or `all` at
/// once; by somebody who has the mutex the whole time (`locked`) or takes it for each; while a
/// third one waits for it (`owner`) or not. They wake with the mutex, by priority.
fn requeue_pi(all: bool, locked: bool, owner: bool) {
    let (order, changed) = (PiMutex::new(Vec::new()), PiCondvar::new());
    const OWNER: usize = MIXED.len();
    let wait = |i| {
        let mut order = if i % 2 == 0 {
            changed.wait(order.lock())
        } else {
            let (order, result) = changed.wait_for(order.lock(), AN_HOUR);
            assert!(!result.timed_out());
            order
        };
        order.push(i);
    };
    let notify = || {
        let held = order.lock();
        thread::scope(|s| {
            let third = owner.then(|| {
                asleep(s, words_of(&order), || {
                    compete(MIXED.into_iter().max().unwrap() + 1);
                    let mut order = order.lock();
                    order.push(OWNER);
                    burn(2);
                })
            });
            let held = if locked {
                held
            } else {
                drop(held);
                order.lock()
            };
            if all {
                assert_eq!(changed.notify_all(&held), MIXED.len());
            } else if locked {
                MIXED.iter().for_each(|_| assert!(changed.notify_one(&held)));
            } else {
                drop(held);
                MIXED.iter().for_each(|_| assert!(changed.notify_one(&order.lock())));
                return;
            }
            assert!(!changed.notify_one(&held), "all are on their way");
            drop(held);
            join_all(third);
        });
    };
    in_order(wait, notify);
    let third = owner.then_some(OWNER);
    let expected: Vec<_> = third.into_iter().chain(by_priority()).collect();
    assert_eq!(order.into_inner(), expected);
}

/// Waits end, some with their limit and some by a notification, and it is told apart which.
fn requeue_pi_timeout() -> Outcome {
    let watchdog = Watchdog::start();
    for round in 0..scaled(100) {
        let (mutex, changed) = (PiMutex::new(()), PiCondvar::new());
        let notified = AtomicUsize::new(0);
        thread::scope(|s| {
            let waiters: Vec<_> = (0..4_u64)
                .map(|i| {
                    let (mutex, changed, notified) = (&mutex, &changed, &notified);
                    s.spawn(move || {
                        let deadline = Deadline::after(Duration::from_micros(100 * i));
                        let (held, result) = changed.wait_until(mutex.lock(), deadline);
                        drop(held);
                        assert!(!result.timed_out() || deadline.has_passed());
                        notified.fetch_add(usize::from(!result.timed_out()), Relaxed);
                    })
                })
                .collect();
            thread::sleep(Duration::from_micros(100 + 10 * (round as u64 % 16)));
            let held = mutex.lock();
            let found = usize::from(changed.notify_one(&held)) + changed.notify_all(&held);
            thread::sleep(Duration::from_micros(50 * (round as u64 % 4)));
            drop(held);
            join_all(waiters);
            assert_eq!(notified.load(Relaxed), found, "round {round}");
            assert!(!changed.notify_one(&mutex.lock()), "nobody is left");
        });
        watchdog.tick();
    }
    Outcome::Passed
}

/// Those who sleep in other ways, with the same mutex, are not taken for waiters of the condition
/// variable, and the other way round.
fn requeue_pi_mismatched_ops() -> Outcome {
    let _watchdog = Watchdog::start();
    let (mutex, changed, any) = (PiMutex::new(0), PiCondvar::new(), CondvarAny::new());
    thread::scope(|s| {
        let other = asleep(s, None, || {
            let mut held = mutex.lock();
            any.wait(&mut held);
            *held += 1;
        });
        let held = mutex.lock();
        assert!(!changed.notify_one(&held) && changed.notify_all(&held) == 0);
        drop(held);
        let ours = asleep(s, words_of(&changed), || *changed.wait(mutex.lock()) += 10);
        let held = mutex.lock();
        let locker = asleep(s, words_of(&mutex), || *mutex.lock() += 100);
        assert_eq!(changed.notify_all(&held), 1, "neither who locks nor who waits elsewhere");
        drop(held);
        join_all([ours, locker]);
        assert_eq!(*mutex.lock(), 110);
        assert!(!other.is_finished());
        assert_eq!(any.notify_all(), 1);
        other.join().unwrap();
    });
    assert_eq!(mutex.into_inner(), 111);
    Outcome::Passed
}

/// A signal before the waiter is sent to the mutex, and one after it: the wait goes on, the
/// notification is not lost, and it counts once.
fn requeue_pi_signal_restart() -> Outcome {
    static HANDLED: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn count(_: libc::c_int) {
        HANDLED.fetch_add(1, Relaxed);
    }
    let _watchdog = Watchdog::start();
    catch_signals(count);
    let handled = |times| {
        while HANDLED.load(Relaxed) < times {
            thread::sleep(Duration::from_micros(100));
        }
    };
    for limit in [Duration::MAX, AN_HOUR] {
        HANDLED.store(0, Relaxed);
        let (mutex, changed, tid) = (PiMutex::new(()), PiCondvar::new(), AtomicU32::new(0));
        thread::scope(|s| {
            let waiter = asleep(s, words_of(&changed), || {
                tid.store(proc::tid(), Relaxed);
                let (_held, result) = changed.wait_for(mutex.lock(), limit);
                assert!(!result.timed_out());
            });
            let tid = tid.load(Relaxed);
            interrupt(tid);
            handled(1);
            proc::until_asleep(tid, words_of(&changed));
            assert!(!waiter.is_finished(), "it sleeps on");
            let held = mutex.lock();
            assert!(changed.notify_one(&held));
            interrupt(tid);
            handled(2);
            assert!(!waiter.is_finished(), "it does not have the mutex");
            assert!(!changed.notify_one(&held), "it has been notified");
            drop(held);
            waiter.join().unwrap();
        });
        assert!(!changed.notify_one(&mutex.lock()));
    }
    Outcome::Passed
}

/// No wait with a limit ends before it, whatever the limit.
fn wait_timeout() -> Outcome {
    let _watchdog = Watchdog::start();
    let (mutex, changed) = (PiMutex::new(()), PiCondvar::new());
    let limits = [0, 1, 1_000_000, 20_000_000].map(Duration::from_nanos);
    let deadlines = || limits.map(Deadline::after).into_iter().chain([Deadline::now()]);
    for deadline in deadlines() {
        let (_held, result) = changed.wait_until(mutex.lock(), deadline);
        assert!(result.timed_out() && deadline.has_passed());
    }
    let held = mutex.lock();
    thread::scope(|s| {
        let refused = s.spawn(|| {
            for deadline in deadlines() {
                let refused = mutex.try_lock_until(deadline).map(drop);
                assert_eq!(refused, Err(PiError::TimedOut));
                assert!(deadline.has_passed());
            }
        });
        refused.join().unwrap();
        // So far off that the kernel's clock has no such time.
        let far = [Duration::MAX, Duration::from_secs(u64::MAX / 2), AN_HOUR * 24 * 365_000];
        let waiters = far.map(|limit| {
            let mutex = &mutex;
            asleep(s, words_of(mutex), move || mutex.try_lock_for(limit).map(drop))
        });
        drop(held);
        assert_eq!(join_all(waiters), [Ok(()); 3]);
        let sleepers = far.map(|limit| {
            let (mutex, changed) = (&mutex, &changed);
            asleep(s, words_of(changed), move || changed.wait_for(mutex.lock(), limit).1)
        });
        assert_eq!(changed.notify_all(&mutex.lock()), 3);
        assert!(join_all(sleepers).iter().all(|result| !result.timed_out()));
    });
    Outcome::Passed
}

/// An owner of one class has the lock, others of theirs want it, and one makes noise in between: in
/// which order the owner, the noise and the others, as they are listed, are done.
fn contest(
    owner: Scheduling,
    noise: Scheduling,
    others: &[Scheduling],
) -> (usize, usize, Vec<usize>) {
    let (log, mutex, begin_noise) = (Log::default(), PiMutex::new(()), Starter::new());
    let starters: Vec<_> = others.iter().map(|_| Starter::new()).collect();
    let appear = |class| {
        // In this order: see `compete`. An ordinary thread finds nobody busy there yet.
        rt::set_scheduling(class).unwrap();
        rt::pin_to(&[processor()]).unwrap();
    };
    thread::scope(|s| {
        let noise = s.spawn(|| {
            appear(noise);
            begin_noise.wait();
            burn(100);
            log.now()
        });
        let others: Vec<_> = others
            .iter()
            .zip(&starters)
            .map(|(&class, starter)| {
                let (mutex, log) = (&mutex, &log);
                s.spawn(move || {
                    appear(class);
                    starter.wait();
                    let _held = mutex.lock();
                    burn(1);
                    log.now()
                })
            })
            .collect();
        let owner = s.spawn(|| {
            appear(owner);
            let _held = mutex.lock();
            starters.iter().for_each(Starter::start);
            begin_noise.start();
            burn(20);
            log.now()
        });
        (owner.join().unwrap(), noise.join().unwrap(), join_all(others))
    })
}

fn round_robin(priority: u8) -> Scheduling {
    Scheduling::RoundRobin(Priority::new(priority).expect("a real-time priority"))
}

/// A thread without any priority has the lock: it runs before the noise while an urgent one waits.
fn testpi_1() {
    for _ in 0..5 {
        let order = contest(Scheduling::Normal, at(MEDIUM), &[at(HIGH)]);
        assert_eq!(order, (0, 2, vec![1]));
    }
}

/// The same with classes that take turns among themselves: what counts is the priority.
fn testpi_2() {
    let order = contest(at(LOW), round_robin(MEDIUM), &[round_robin(HIGH)]);
    assert_eq!(order, (0, 2, vec![1]));
    let order = contest(round_robin(LOW), at(MEDIUM), &[at(HIGH), round_robin(HIGH + 1)]);
    assert_eq!(order, (0, 3, vec![2, 1]));
}

/// An owner without priority, three real-time threads that take turns with it, and noise that is
/// more urgent than one of them.
fn testpi_4() {
    let others = [20, 30, 40].map(round_robin);
    let order = contest(Scheduling::Normal, round_robin(25), &others);
    assert_eq!(order, (0, 3, vec![4, 2, 1]));
}

/// Who locks a second time is told, and still has it.
fn testpi_5() -> Outcome {
    let _watchdog = Watchdog::start();
    let mutex = PiMutex::new(0);
    thread::scope(|s| {
        s.spawn(|| {
            let mut held = mutex.lock();
            assert_eq!(mutex.lock_checked().map(drop), Err(PiError::Deadlock));
            *held += 1;
        });
    });
    assert_eq!(*mutex.lock(), 1);
    Outcome::Passed
}

/// Priorities change while threads wait: they are served by the new ones.
fn priorities_change() {
    let order = PiMutex::new(Vec::new());
    let ids = [(); 3].map(|()| Mutex::new(None));
    let held = order.lock();
    thread::scope(|s| {
        let (order, ids) = (&order, &ids);
        let waiters = [HIGH, MEDIUM, LOW].map(|priority| {
            let place = usize::from(HIGH - priority) / usize::from(HIGH - MEDIUM);
            asleep(s, words_of(order), move || {
                compete(priority);
                *ids[place].lock() = Some(ThreadId::current());
                order.lock().push(place);
            })
        });
        let change = |place: usize, class| ids[place].lock().unwrap().set_scheduling(class);
        change(0, at(LOW - 1)).unwrap(); // from first to last
        change(2, at(HIGH)).unwrap(); // from last to first
        drop(held);
        join_all(waiters);
    });
    assert_eq!(order.into_inner(), [2, 1, 0]);
}

/// Mutexes that come and go on the heap, in memory that was one before, with threads that meet at
/// them: the last one to unlock frees it.
fn sbrk_mutex() -> Outcome {
    let watchdog = Watchdog::start();
    let ready: [Mutex<Option<Arc<PiMutex<usize>>>>; 2] = [Mutex::new(None), Mutex::new(None)];
    let rounds = scaled(20_000);
    let met = AtomicUsize::new(0);
    thread::scope(|s| {
        let threads = [0, 1].map(|me| {
            let (ready, met, watchdog) = (&ready, &met, &watchdog);
            s.spawn(move || {
                for round in 0..rounds {
                    let mine = Arc::new(PiMutex::new(round));
                    let held = mine.lock();
                    *ready[me].lock() = Some(mine.clone());
                    let theirs = ready[1 - me].lock().take();
                    drop(held);
                    drop(mine);
                    if let Some(theirs) = theirs {
                        *theirs.lock() += 1;
                        met.fetch_add(1, Release);
                    }
                    watchdog.tick();
                }
            })
        });
        join_all(threads);
    });
    assert!(met.load(Acquire) > 0);
    Outcome::Passed
}
