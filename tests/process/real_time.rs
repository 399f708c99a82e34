//! Priority inheritance, on one processor with real-time priorities: who runs before whom. No time
//! is measured; what is asserted is an order, which holds however slow the machine is.

use std::mem::forget;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use lockwork::rt::{self, Priority, RtError, Scheduling, ThreadId};
use lockwork::{Mutex, Parker, PiCondvar, PiError, PiMutex, Unparker};

use super::forking::{fork, raw_clone};
use super::runner::{Case, Outcome};
use super::support::proc;
use super::support::scaled;
use super::support::threads::{asleep, join_all};
use super::support::watchdog::Watchdog;

pub(crate) const CASES: &[Case] = &[
    ("real_time::rt_sets_what_it_says", || fifo(rt_sets_what_it_says)),
    ("real_time::rt_says_what_is_missing", rt_says_what_is_missing),
    ("real_time::inversion_is_bounded", || fifo(inversion_is_bounded)),
    ("real_time::chain_of_three", || fifo(chain_of_three)),
    ("real_time::nested_locks", || fifo(nested_locks)),
    ("real_time::priority_raised_while_waiting", || fifo(priority_raised_while_waiting)),
    ("real_time::lent_until_the_waiter_gives_up", || fifo(lent_until_the_waiter_gives_up)),
    ("real_time::handed_on_by_priority", || fifo(handed_on_by_priority)),
    ("real_time::ten_waiters_by_priority", || fifo(ten_waiters_by_priority)),
    ("real_time::notify_all_by_priority", || fifo(notify_all_by_priority)),
    ("real_time::notified_waiter_lends", || fifo(notified_waiter_lends)),
    ("real_time::mixed_priorities", || fifo(mixed_priorities)),
    ("real_time::timeout_on_the_way_to_the_mutex", timeout_on_the_way_to_the_mutex),
    ("real_time::signals_meet_every_wait", signals_meet_every_wait),
    ("real_time::owner_ends", owner_ends),
    ("real_time::owner_ends_while_waiters_are_sent", owner_ends_while_waiters_are_sent),
    ("real_time::child_of_fork", || child_of_fork(|child| fork(child))),
    ("real_time::child_of_clone", || child_of_fork(|child| raw_clone(child))),
];

pub(super) fn at(priority: u8) -> Scheduling {
    Scheduling::Fifo(Priority::new(priority).expect("a real-time priority"))
}

/// Runs `test` where the kernel gives real-time priorities, as its own call says: if that works,
/// the test must not be left out, whatever `rt` says.
pub(super) fn fifo(test: fn()) -> Outcome {
    let ask = || {
        let parameter = libc::sched_param { sched_priority: 1 };
        // SAFETY: `parameter` outlives the call, which only reads it.
        match unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &parameter) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    if let Err(error) = thread::spawn(ask).join().unwrap() {
        return Outcome::Skipped(format!("no real-time scheduling: {error}"));
    }
    let _watchdog = Watchdog::start();
    test();
    Outcome::Passed
}

/// The one processor that all of a test runs on.
pub(super) fn processor() -> usize {
    *rt::cpus().unwrap().last().expect("this thread runs on one")
}

/// Makes the calling thread compete for the one processor.
pub(super) fn compete(priority: u8) {
    rt::set_scheduling(at(priority)).expect("was possible before");
    // In this order: an ordinary thread would not get to run where real-time ones are busy.
    rt::pin_to(&[processor()]).expect("a processor it may run on");
}

/// Processor time of the calling thread.
fn used() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for the write.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Keeps the processor for so long.
pub(super) fn burn(millis: u64) {
    let until = used() + Duration::from_millis(millis);
    while used() < until {
        std::hint::spin_loop();
    }
}

pub(super) const LOW: u8 = 10;
pub(super) const MEDIUM: u8 = 20;
pub(super) const HIGH: u8 = 30;

/// Threads that are parked until somebody wants them to begin.
pub(super) struct Starter {
    parker: Mutex<Option<Parker>>,
    unparker: Unparker,
    ready: AtomicBool,
}

impl Starter {
    pub(super) fn new() -> Self {
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        Self { unparker, parker: Mutex::new(Some(parker)), ready: AtomicBool::new(false) }
    }

    /// The last thing that a thread does before it is on its own, and competes.
    pub(super) fn wait(&self) {
        let parker = self.parker.lock().take().expect("one thread waits");
        self.ready.store(true, SeqCst);
        parker.park();
    }

    /// A thread that is more urgent, and is there, runs before this returns.
    pub(super) fn start(&self) {
        while !self.ready.load(SeqCst) {
            thread::sleep(Duration::from_micros(100));
        }
        self.unparker.unpark();
    }
}

/// What happened, in order.
#[derive(Default)]
pub(super) struct Log {
    ticks: AtomicUsize,
}

impl Log {
    pub(super) fn now(&self) -> usize {
        self.ticks.fetch_add(1, SeqCst)
    }
}

/// A thread of low priority has a lock; one of high priority waits for it, and one of medium
/// priority does not let the other two run. Whether the high one gets the lock before the medium
/// one is done.
fn high_before_medium(lock: impl Fn(&dyn Fn()) + Sync) -> bool {
    let (log, high, medium) = (Log::default(), Starter::new(), Starter::new());
    let (mut got, mut done) = (0, 0);
    thread::scope(|s| {
        let threads = (
            s.spawn(|| {
                compete(HIGH);
                high.wait();
                let got = AtomicUsize::new(0);
                lock(&|| got.store(log.now(), Relaxed));
                got.into_inner()
            }),
            s.spawn(|| {
                compete(MEDIUM);
                medium.wait();
                burn(200);
                log.now()
            }),
        );
        s.spawn(|| {
            compete(LOW);
            lock(&|| {
                high.start(); // it runs at once, until it waits for the lock
                medium.start(); // and so does this one, unless we are more urgent by now
                burn(20);
            });
        });
        (got, done) = (threads.0.join().unwrap(), threads.1.join().unwrap());
    });
    got < done
}

/// The Mars Pathfinder's fault, and its remedy, every time.
fn inversion_is_bounded() {
    let (inheriting, plain) = (PiMutex::new(()), Mutex::new(()));
    for round in 0..20 {
        let bounded = high_before_medium(|inside| {
            let _held = inheriting.lock();
            inside();
        });
        assert!(bounded, "round {round}: the high thread had to wait for the medium one");
        let unbounded = !high_before_medium(|inside| {
            let _held = plain.lock();
            inside();
        });
        assert!(unbounded, "round {round}: there was no inversion to bound");
    }
}

/// Runs `others` in threads of their own, and `medium`, which is done at the tick that is returned;
/// the ticks of the others come first. Each begins when it is started.
pub(super) fn run_with_medium(
    log: &Log,
    medium: &Starter,
    others: &[(u8, &(dyn Fn() -> usize + Sync))],
) -> (Vec<usize>, usize) {
    thread::scope(|s| {
        let burner = s.spawn(|| {
            compete(MEDIUM);
            medium.wait();
            burn(100);
            log.now()
        });
        let others: Vec<_> = others
            .iter()
            .map(|&(priority, body)| {
                s.spawn(move || {
                    compete(priority);
                    body()
                })
            })
            .collect();
        (join_all(others), burner.join().unwrap())
    })
}

/// Each has a lock that the next one waits for: what the last one lends arrives at the first.
fn chain_of_three() {
    let (log, medium) = (Log::default(), Starter::new());
    let [second, third, high] = [(); 3].map(|()| Starter::new());
    let [a, b, c] = [(); 3].map(|()| PiMutex::new(()));
    let (ticks, done) = run_with_medium(
        &log,
        &medium,
        &[
            (LOW, &|| {
                let _a = a.lock();
                second.start();
                third.start();
                high.start();
                medium.start();
                burn(20);
                log.now()
            }),
            (LOW + 1, &|| {
                second.wait();
                let _b = b.lock();
                let _a = a.lock();
                burn(5);
                log.now()
            }),
            (LOW + 2, &|| {
                third.wait();
                let _c = c.lock();
                let _b = b.lock();
                burn(5);
                log.now()
            }),
            (HIGH, &|| {
                high.wait();
                let _c = c.lock();
                log.now()
            }),
        ],
    );
    assert_eq!((ticks, done), (vec![0, 1, 2, 3], 4));
}

/// An owner of two locks, for each of which somebody waits: it is as urgent as the most urgent
/// waiter of those that are left.
fn nested_locks() {
    let (log, medium) = (Log::default(), Starter::new());
    let (for_a, for_b) = (Starter::new(), Starter::new());
    let [a, b] = [(); 2].map(|()| PiMutex::new(()));
    let (ticks, done) = run_with_medium(
        &log,
        &medium,
        &[
            (LOW, &|| {
                let outer = a.lock();
                let inner = b.lock();
                for_a.start();
                for_b.start();
                medium.start();
                burn(10);
                drop(inner); // it goes on with what the waiter for the other one lends
                burn(10);
                let tick = log.now();
                drop(outer);
                tick
            }),
            (MEDIUM + 5, &|| {
                for_a.wait();
                let _a = a.lock();
                log.now()
            }),
            (HIGH, &|| {
                for_b.wait();
                let _b = b.lock();
                log.now()
            }),
        ],
    );
    assert_eq!((ticks, done), (vec![1, 2, 0], 3));
}

/// A waiter of low priority lends nothing that helps; once it is made an urgent one, it does.
fn priority_raised_while_waiting() {
    let (log, medium, waiter) = (Log::default(), Starter::new(), Starter::new());
    let (mutex, id) = (PiMutex::new(()), Mutex::new(None));
    let over = AtomicBool::new(false);
    let (ticks, done) = run_with_medium(
        &log,
        &medium,
        &[
            (LOW, &|| {
                let held = mutex.lock();
                waiter.start();
                burn(5); // the waiter is more urgent than we are: it sleeps by now
                id.lock()
                    .unwrap_or_else(|| -> ThreadId { unreachable!("it came first") })
                    .set_scheduling(at(HIGH))
                    .unwrap();
                medium.start();
                burn(20);
                let tick = log.now();
                drop(held);
                over.store(true, Relaxed);
                tick
            }),
            (LOW + 1, &|| {
                *id.lock() = Some(ThreadId::current());
                waiter.wait();
                let _held = mutex.lock();
                log.now()
            }),
        ],
    );
    assert!(over.into_inner());
    assert_eq!((ticks, done), (vec![0, 1], 2));
}

/// What a waiter lent it takes away again when its limit has passed. (It notices once the owner
/// sleeps: until then that runs at the waiter's own priority, and was there first.)
fn lent_until_the_waiter_gives_up() {
    let (log, medium, waiter) = (Log::default(), Starter::new(), Starter::new());
    let mutex = PiMutex::new(());
    let (ticks, done) = run_with_medium(
        &log,
        &medium,
        &[
            (LOW, &|| {
                let _held = mutex.lock();
                waiter.start();
                medium.start();
                thread::sleep(Duration::from_millis(10));
                // As ourselves again: the medium one is not done yet, so it has to be by now.
                log.now()
            }),
            (HIGH, &|| {
                waiter.wait();
                let refused = mutex.try_lock_for(Duration::from_millis(2)).map(drop);
                assert_eq!(refused, Err(PiError::TimedOut));
                log.now()
            }),
        ],
    );
    assert_eq!((ticks, done), (vec![2, 0], 1));
}

/// Priorities in an order that is neither rising nor falling.
pub(super) const MIXED: [u8; 10] = [14, 19, 11, 17, 12, 20, 15, 13, 18, 16];

/// The places in `MIXED`, the most urgent first.
pub(super) fn by_priority() -> Vec<usize> {
    let mut places: Vec<usize> = (0..MIXED.len()).collect();
    places.sort_by_key(|&i| std::cmp::Reverse(MIXED[i]));
    places
}

/// Runs `wait` in a thread for each priority, one after the other, each of which has to sleep
/// before the next one comes. It returns what it returns when `let_go` has been called.
pub(super) fn in_order(wait: impl Fn(usize) + Sync, let_go: impl FnOnce()) {
    let wait = &wait;
    thread::scope(|s| {
        let waiters: Vec<_> = (0..MIXED.len())
            .map(|i| {
                let id = Arc::new(AtomicUsize::new(0));
                let theirs = id.clone();
                let waiter = s.spawn(move || {
                    compete(MIXED[i]);
                    theirs.store(proc::tid() as usize, Relaxed);
                    wait(i);
                });
                while id.load(Relaxed) == 0 {
                    thread::sleep(Duration::from_micros(100));
                }
                proc::until_asleep(id.load(Relaxed) as u32, None);
                waiter
            })
            .collect();
        let_go();
        join_all(waiters);
    });
}

fn handed_on_by_priority() {
    let order = PiMutex::new(Vec::new());
    let held = order.lock();
    in_order(|i| order.lock().push(i), || drop(held));
    assert_eq!(order.into_inner(), by_priority());
}

/// Ten notifications, each of which lets the most urgent of those go who still wait.
fn ten_waiters_by_priority() {
    let (order, changed) = (PiMutex::new(Vec::new()), PiCondvar::new());
    in_order(
        |i| changed.wait(order.lock()).push(i),
        || {
            for n in 0..MIXED.len() {
                let guard = order.lock();
                assert_eq!(guard.len(), n, "the one that was notified last has had its turn");
                assert!(changed.notify_one(&guard));
                drop(guard);
                while order.lock().len() == n {
                    thread::sleep(Duration::from_micros(100));
                }
            }
            assert!(!changed.notify_one(&order.lock()));
        },
    );
    assert_eq!(order.into_inner(), by_priority());
}

/// One call for all of them, as in the kernel's own `requeue_pi` test, with the mutex locked.
fn notify_all_by_priority() {
    let (order, changed) = (PiMutex::new(Vec::new()), PiCondvar::new());
    in_order(
        |i| changed.wait(order.lock()).push(i),
        || {
            assert_eq!(changed.notify_all(&order.lock()), MIXED.len());
        },
    );
    assert_eq!(order.into_inner(), by_priority());
}

/// From the notification on, the owner of the mutex is as urgent as the waiter.
fn notified_waiter_lends() {
    let (log, medium) = (Log::default(), Starter::new());
    let low = Starter::new();
    let (mutex, changed) = (PiMutex::new(()), PiCondvar::new());
    let (ticks, done) = run_with_medium(
        &log,
        &medium,
        &[
            (HIGH, &|| {
                let held = mutex.lock();
                low.start();
                let _held = changed.wait(held);
                log.now()
            }),
            (LOW, &|| {
                low.wait();
                let held = mutex.lock();
                assert!(changed.notify_one(&held));
                medium.start();
                burn(20);
                let tick = log.now();
                drop(held);
                tick
            }),
        ],
    );
    assert_eq!((ticks, done), (vec![1, 0], 2));
}

/// Threads of all priorities, with and without limits, push and pop; nothing is lost, and all end.
fn mixed_priorities() {
    let (each, limit) = (scaled(2_000), 3);
    let items = PiMutex::new(Vec::new());
    let (filled, emptied) = (PiCondvar::new(), PiCondvar::new());
    let sums = AtomicUsize::new(0);
    let soon = Duration::from_micros(50);
    thread::scope(|s| {
        let threads: Vec<_> = (0..6_u8)
            .map(|i| {
                let (items, filled, emptied, sums) = (&items, &filled, &emptied, &sums);
                s.spawn(move || {
                    compete(LOW + 3 * (i / 2) + i % 2);
                    for n in 1..=each {
                        let mut held = items.lock();
                        if i % 2 == 0 {
                            while held.len() >= limit {
                                held = if n % 3 == 0 {
                                    emptied.wait_for(held, soon).0
                                } else {
                                    emptied.wait(held)
                                };
                            }
                            held.push(n);
                            filled.notify_one(&held);
                        } else {
                            while held.is_empty() {
                                held = if n % 3 == 0 {
                                    filled.wait_for(held, soon).0
                                } else {
                                    filled.wait(held)
                                };
                            }
                            sums.fetch_add(held.pop().unwrap(), Relaxed);
                            emptied.notify_one(&held);
                        }
                        drop(held);
                        if n % 16 == 0 {
                            thread::sleep(Duration::from_micros(20));
                        }
                    }
                })
            })
            .collect();
        join_all(threads);
    });
    assert_eq!(sums.into_inner(), 3 * each * (each + 1) / 2);
    assert!(items.into_inner().is_empty());
}

/// A waiter that was notified while the mutex is taken, and whose limit passes on the way to it,
/// was notified: it does not say that it timed out, and takes nobody else's notification.
fn timeout_on_the_way_to_the_mutex() -> Outcome {
    let _watchdog = Watchdog::start();
    for (round, all) in [false, true].into_iter().cycle().take(20).enumerate() {
        let (mutex, changed) = (PiMutex::new(false), PiCondvar::new());
        thread::scope(|s| {
            let limit = Duration::from_millis(20);
            let (mutex, changed) = (&mutex, &changed);
            let timed = asleep(s, None, move || {
                let (guard, result) = changed.wait_for(mutex.lock(), limit);
                assert!(!*guard || !result.timed_out());
                result.timed_out()
            });
            let mut held = mutex.lock();
            let found =
                if all { changed.notify_all(&held) == 1 } else { changed.notify_one(&held) };
            *held = found;
            thread::sleep(2 * limit);
            drop(held);
            assert_eq!(timed.join().unwrap(), !found, "round {round}");
        });
        assert!(!changed.notify_one(&mutex.lock()), "nobody is left");
    }
    Outcome::Passed
}

pub(super) extern "C" fn ignore(_: libc::c_int) {}

/// Has a signal run `handler`, without `SA_RESTART`.
pub(super) fn catch_signals(handler: extern "C" fn(libc::c_int)) {
    // SAFETY: all zeros are a `sigaction` with an empty mask; the handlers here are safe in one.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
    }
}

/// Interrupts a thread of this process, wherever it is.
pub(super) fn interrupt(tid: u32) {
    // SAFETY: no memory; the signal has a handler.
    unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), tid, libc::SIGUSR1) };
}

/// Interrupts a thread again and again, wherever it is, until `over`.
fn storm(tid: u32, over: &AtomicBool) {
    while !over.load(Relaxed) {
        interrupt(tid);
        thread::sleep(Duration::from_micros(30));
    }
}

/// Signals before a wait, in it, and on the way to the mutex: each notification lets one go, and no
/// limit is moved. The kernel's own `requeue_pi_signal_restart`, and then some.
fn signals_meet_every_wait() -> Outcome {
    let _watchdog = Watchdog::start();
    catch_signals(ignore);
    let rounds = scaled(1_000);
    let (turn, changed, over) = (PiMutex::new(0), PiCondvar::new(), AtomicBool::new(false));
    thread::scope(|s| {
        let players = [0, 1].map(|me| {
            let (turn, changed, over) = (&turn, &changed, &over);
            s.spawn(move || {
                let tid = proc::tid();
                thread::scope(|s| {
                    let storm = s.spawn(move || storm(tid, over));
                    for round in 0..rounds {
                        let mut guard = turn.lock();
                        // One wait for each notification: none is spurious.
                        if *guard % 2 != me {
                            guard = if round % 2 == 0 {
                                changed.wait(guard)
                            } else {
                                let far = Duration::from_secs(3_600);
                                let (guard, result) = changed.wait_for(guard, far);
                                assert!(!result.timed_out());
                                guard
                            };
                        }
                        assert_eq!(*guard % 2, me);
                        *guard += 1;
                        changed.notify_one(&guard);
                        if round % 8 == 0 {
                            thread::sleep(Duration::from_micros(50)); // others wait for the mutex
                        }
                    }
                    if turn.lock().eq(&(2 * rounds)) {
                        over.store(true, Relaxed);
                    }
                    storm.join().unwrap();
                });
            })
        });
        join_all(players);
    });
    assert_eq!(turn.into_inner(), 2 * rounds);
    Outcome::Passed
}

/// An owner that ends: with waiters, with and without limits, and without any. All are told, and so
/// is everybody later.
fn owner_ends() -> Outcome {
    let _watchdog = Watchdog::start();
    for waiters in [0, 1, 3] {
        let mutex = PiMutex::new(String::from("half done"));
        let (end, may_end) = std::sync::mpsc::channel::<()>();
        thread::scope(|s| {
            let mutex = &mutex;
            let owner = s.spawn(move || {
                forget(mutex.lock());
                let _ = may_end.recv();
            });
            while !mutex.is_locked() {
                thread::yield_now();
            }
            let waiters: Vec<_> = (0..waiters)
                .map(|i| {
                    asleep(s, None, move || {
                        if i % 2 == 0 {
                            mutex.lock_checked().map(drop)
                        } else {
                            mutex.try_lock_for(Duration::from_secs(3_600)).map(drop)
                        }
                    })
                })
                .collect();
            end.send(()).unwrap();
            owner.join().unwrap();
            for told in join_all(waiters) {
                assert_eq!(told, Err(PiError::OwnerDied));
            }
        });
        // The kernel may still be busy with the thread for a moment.
        while mutex.try_lock_for(Duration::ZERO).map(drop) == Err(PiError::TimedOut) {
            thread::yield_now();
        }
        for _ in 0..2 {
            assert_eq!(mutex.lock_checked().map(drop), Err(PiError::OwnerDied));
            assert_eq!(mutex.try_lock().map(drop), Err(PiError::OwnerDied));
        }
        assert!(mutex.is_locked());
        assert_eq!(format!("{mutex:?}"), "PiMutex { data: <owner died> }");
        assert_eq!(mutex.into_inner(), "half done");
    }
    Outcome::Passed
}

/// The notifier itself ends with the mutex.
fn owner_ends_while_waiters_are_sent() -> Outcome {
    let _watchdog = Watchdog::start();
    let (mutex, changed) = (PiMutex::new(()), PiCondvar::new());
    thread::scope(|s| {
        let waiters = [0, 1]
            .map(|_| asleep(s, None, || changed.wait_checked(mutex.lock_checked()?).map(drop)));
        let notifier = s.spawn(|| {
            let guard = mutex.lock();
            assert_eq!(changed.notify_all(&guard), 2);
            forget(guard);
        });
        notifier.join().unwrap();
        for told in join_all(waiters) {
            assert_eq!(told, Err(PiError::OwnerDied));
        }
    });
    let other = PiMutex::new(());
    assert_eq!(changed.wait_checked(other.lock()).map(drop), Err(PiError::OwnerDied));
    assert!(!changed.notify_one(&other.lock()));
    Outcome::Passed
}

/// In a child: what was free works, with threads and waits; what the forking thread has, it gives
/// back; what another thread has is refused.
fn child_of_fork(fork: impl Fn(&dyn Fn())) -> Outcome {
    let _watchdog = Watchdog::start();
    let [free, mine, wanted, theirs] = [(); 4].map(|()| PiMutex::new(0));
    let changed = PiCondvar::new();
    // The thread's id is known by now, and has to be known anew in the child.
    drop(free.lock());
    let (end, may_end) = std::sync::mpsc::channel::<()>();
    thread::scope(|s| {
        let theirs = &theirs;
        let owner = s.spawn(move || {
            let held = theirs.lock();
            let _ = may_end.recv();
            drop(held);
        });
        while !theirs.is_locked() {
            thread::yield_now();
        }
        let (held, held_too) = (mine.lock(), wanted.lock());
        let waiter = asleep(s, None, || *wanted.lock() += 1);
        let sleeper = asleep(s, None, || *changed.wait(free.lock()) += 1);
        let in_child = || {
            use PiError::NotPermitted;
            let refused = || assert_eq!(theirs.lock_checked().map(drop), Err(NotPermitted));
            refused();
            assert_eq!(theirs.try_lock_for(Duration::MAX).map(drop), Err(NotPermitted));
            assert!(!changed.notify_one(&free.lock()), "its waiter is the parent's");
            // SAFETY: copies of the guards, for the copies of the locks; the parent's are dropped
            // in the parent, and those here nowhere else, as the child ends.
            unsafe {
                drop(std::ptr::read(&held));
                drop(std::ptr::read(&held_too));
            }
            assert!(!mine.is_locked() && !wanted.is_locked());
            thread::scope(|s| {
                let threads = [&mine, &wanted, &free].map(|mutex| {
                    s.spawn(move || {
                        for _ in 0..100 {
                            *mutex.lock() += 1;
                        }
                    })
                });
                for _ in 0..100 {
                    *mine.lock() += 1;
                }
                join_all(threads);
                let waiter =
                    s.spawn(|| drop(changed.wait_while(free.lock(), |free| *free < 1_000)));
                *free.lock() = 1_000;
                while !changed.notify_one(&free.lock()) && !waiter.is_finished() {
                    thread::yield_now();
                }
                waiter.join().unwrap();
            });
            assert_eq!((*mine.lock(), *wanted.lock()), (200, 100));
            refused();
        };
        fork(&in_child);
        drop((held, held_too));
        waiter.join().unwrap();
        assert!(changed.notify_one(&free.lock()));
        sleeper.join().unwrap();
        end.send(()).unwrap();
        owner.join().unwrap();
    });
    assert_eq!([free, mine, wanted, theirs].map(PiMutex::into_inner), [1, 0, 1, 0]);
    Outcome::Passed
}

fn rt_sets_what_it_says() {
    let check = || {
        let class = Scheduling::RoundRobin(Priority::MIN);
        for class in [at(HIGH), class, Scheduling::Batch, Scheduling::Normal] {
            rt::set_scheduling(class).unwrap();
            assert_eq!(rt::scheduling(), Ok(class));
        }
        let me = ThreadId::current();
        thread::spawn(move || me.set_scheduling(at(LOW))).join().unwrap().unwrap();
        assert_eq!(rt::scheduling(), Ok(at(LOW)), "from outside");
        let heir = thread::spawn(rt::scheduling).join().unwrap();
        assert_eq!(heir, Ok(at(LOW)), "those it starts begin in the same");
        let values = [5, 19, 0, -20].map(|nice| {
            me.set_nice(nice).unwrap();
            (nice, rt::nice(), thread::spawn(rt::nice).join().unwrap())
        });
        assert!(values.iter().all(|&(nice, mine, heir)| (mine, heir) == (Ok(nice), Ok(nice))));
        assert_eq!((rt::set_nice(i8::MAX), me.nice()), (Ok(()), Ok(19)), "the most there is");
        let one = processor();
        thread::spawn(move || me.pin_to(&[one])).join().unwrap().unwrap();
        assert_eq!(me.cpus(), Ok(vec![one]), "from outside");
        rt::pin_to(&[one]).unwrap();
        assert_eq!(rt::cpus(), Ok(vec![one]));
        // SAFETY: no memory.
        assert_eq!(unsafe { libc::sched_getcpu() }, one as i32);
        for nowhere in [&[][..], &[1_023], &[1_024], &[usize::MAX]] {
            assert_eq!(rt::pin_to(nowhere), Err(RtError::NoSuchCpu));
        }
        assert_eq!(rt::cpus(), Ok(vec![one]));
    };
    thread::spawn(check).join().unwrap();
    let gone = thread::spawn(ThreadId::current).join().unwrap();
    while gone.scheduling() != Err(RtError::NoSuchThread) {
        thread::yield_now();
    }
    assert_eq!(gone.set_scheduling(at(LOW)), Err(RtError::NoSuchThread));
    assert_eq!(gone.set_nice(0), Err(RtError::NoSuchThread));
    assert_eq!(gone.nice(), Err(RtError::NoSuchThread));
    assert_eq!(gone.cpus(), Err(RtError::NoSuchThread));
}

/// Without the permission: what it takes, with the numbers.
fn rt_says_what_is_missing() -> Outcome {
    let _watchdog = Watchdog::start();
    for resource in [libc::RLIMIT_RTPRIO, libc::RLIMIT_NICE, libc::RLIMIT_MEMLOCK] {
        let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `limit` outlives the call, which only reads it.
        assert_eq!(unsafe { libc::setrlimit(resource, &limit) }, 0);
    }
    // SAFETY: no memory. As somebody without privileges, if it is not one already.
    let changed = unsafe { libc::geteuid() != 0 || libc::setuid(65_534) == 0 };
    assert!(changed, "{}", std::io::Error::last_os_error());
    let refused = rt::set_scheduling(at(HIGH)).unwrap_err();
    assert_eq!(refused, RtError::PriorityNotPermitted { asked: at(HIGH), limit: 0 });
    let text = refused.to_string();
    assert!(text.contains("SCHED_FIFO with priority 30") && text.contains("has 0"), "{text}");
    assert!(text.contains("CAP_SYS_NICE") && text.contains("RLIMIT_RTPRIO"), "{text}");
    assert_eq!(rt::scheduling(), Ok(Scheduling::Normal));
    let refused = rt::set_nice(-5).unwrap_err();
    assert_eq!(refused, RtError::NiceNotPermitted { asked: -5, least: 20 });
    let text = refused.to_string();
    assert!(text.contains("at least 25") && text.contains("has 0"), "{text}");
    let refused = rt::lock_memory(rt::Pages::ALL).unwrap_err();
    assert_eq!(refused, RtError::MemoryLimit { limit: 0 });
    assert!(refused.to_string().contains("CAP_IPC_LOCK"), "{refused}");
    rt::unlock_memory().unwrap();
    let init = rt::prefault_stack(1 << 16);
    assert_eq!(init, Ok(()));
    Outcome::Passed
}
