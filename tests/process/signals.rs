//! Signals at a high rate: no wait fails, ends early or hangs for them.

use std::cell::Cell;
use std::env;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::pool::ThreadPool;
use lockwork::queue::{BlockingQueue, PopError, PushErrorReason};
use lockwork::rwlock::{Lock, UpgradableReadGuard};
use lockwork::{
    Barrier, BarrierError, Condvar, CondvarAny, Event, FairMutex, FairSemaphore, Latch, Mutex,
    Parker, RecursiveRwLock, ReentrantMutex, ReentrantMutexGuard, RwLock, Semaphore, Unparker,
    WaitGroup,
};

use super::runner::{Case, Outcome, run_limited};
use super::support::proc::tid;
use super::support::random::{Rng, seed};
use super::support::threads::together;
use super::support::{load, say, scaled};

pub(crate) const CASES: &[Case] = &[
    ("signals::hand_overs_under_a_storm", hand_overs_under_a_storm),
    ("signals::limits_under_a_storm", limits_under_a_storm),
    ("signals::endless_waits_under_a_storm", endless_waits_under_a_storm),
    ("signals::events_under_a_storm", events_under_a_storm),
    ("signals::sets_in_a_handler", sets_in_a_handler),
    ("signals::a_pool_under_a_storm", a_pool_under_a_storm),
    ("signals::stopped_and_continued", stopped_and_continued),
    ("signals::restarted_waits_while_moved", restarted_waits_while_moved),
    ("signals::restarted_waits_while_passed_on", restarted_waits_while_passed_on),
    ("signals::locks_in_a_handler", locks_in_a_handler),
    ("signals::a_release_in_a_handler", a_release_in_a_handler),
];

static HANDLED: AtomicU64 = AtomicU64::new(0);
/// Signals that came in the middle of a system call and made it fail.
static INTERRUPTED: AtomicU64 = AtomicU64::new(0);

/// How many those were so far.
pub(crate) fn interrupted() -> u64 {
    INTERRUPTED.load(Relaxed)
}

extern "C" fn count(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    HANDLED.fetch_add(1, Relaxed);
    // SAFETY: the kernel passes the context of the interrupted thread to a handler that was
    // installed with SA_SIGINFO.
    let context = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
    // The result register holds the error of a call that will not be restarted.
    #[cfg(target_arch = "x86_64")]
    let result = context.gregs[libc::REG_RAX as usize];
    #[cfg(target_arch = "aarch64")]
    let result = context.regs[0] as i64;
    if result == -i64::from(libc::EINTR) {
        INTERRUPTED.fetch_add(1, Relaxed);
    }
}

pub(crate) fn install(
    handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void),
) {
    install_with(handler, 0);
}

fn install_with(
    handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void),
    flags: libc::c_int,
) {
    // SAFETY: all zeros is a valid `sigaction`: no flags and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | flags;
    // SAFETY: `action` outlives the call, and the handler is safe to run at any moment.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) }, 0);
}

/// Lets time pass without a sleep. One that signals interrupt too often never ends: whenever it is
/// taken up again, the kernel's slack for timers is added to what is left.
pub(crate) fn pass(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        thread::yield_now();
    }
}

/// How long the next signal waits for the handlers of the last one, which may have no reason to
/// count.
const PATIENCE: Duration = Duration::from_millis(2);

/// Where threads put themselves into the line of fire.
struct Targets {
    tids: Vec<AtomicU32>,
}

impl Targets {
    fn new(threads: usize) -> Self {
        Self { tids: (0..threads).map(|_| AtomicU32::new(0)).collect() }
    }

    /// Sends signals to all who stand there, for as long as anybody has something to do.
    fn shoot(&self, busy: &AtomicUsize) -> u64 {
        let mut sent = 0;
        while busy.load(Relaxed) > 0 {
            let handled = HANDLED.load(Relaxed);
            let shots = self.tids.iter().filter(|tid| shoot(tid.load(Relaxed))).count() as u64;
            sent += shots;
            // Often enough to hit every wait several times; not so often that nothing else runs,
            // however long the handlers take, and whoever they give their processor to.
            let start = Instant::now();
            while HANDLED.load(Relaxed) < handled + shots && start.elapsed() < PATIENCE {
                thread::yield_now();
            }
            pass(Duration::from_micros(20));
        }
        sent
    }
}

/// Runs `body(0..threads)` while each of them gets signals, for the handler that was installed, and
/// says how many.
pub(crate) fn under_fire(threads: usize, body: impl Fn(usize) + Sync) -> u64 {
    let (targets, busy) = (Targets::new(threads), AtomicUsize::new(threads));
    let shots = together(threads + 1, |i| {
        if i == threads {
            return targets.shoot(&busy);
        }
        targets.tids[i].store(tid(), Relaxed);
        body(i);
        targets.tids[i].store(0, Relaxed);
        busy.fetch_sub(1, Relaxed);
        // Stay until no signal can be on its way to this thread's number.
        while busy.load(Relaxed) > 0 {
            thread::yield_now();
        }
        0
    });
    shots.iter().sum()
}

/// A handler says that it has run.
pub(crate) fn handled_one() {
    HANDLED.fetch_add(1, Relaxed);
}

/// How many have.
pub(crate) fn handled() -> u64 {
    HANDLED.load(Relaxed)
}

/// Interrupted system calls that make a storm.
pub(crate) fn enough() -> u64 {
    scaled(100) as u64
}

/// Runs `body(0..threads)` under a storm of signals, again and again until it was one, and says how
/// often that was.
pub(crate) fn storm(what: &str, threads: usize, body: impl Fn(usize) + Sync) -> usize {
    install(count);
    let (handled, interrupted) = (HANDLED.load(Relaxed), INTERRUPTED.load(Relaxed));
    let (mut runs, mut sent) = (0, 0);
    while runs == 0 || INTERRUPTED.load(Relaxed) - interrupted < enough() {
        runs += 1;
        sent += under_fire(threads, &body);
    }
    say(&format!(
        "{what}: {sent} signals sent, {} handled, {} interrupted a system call",
        HANDLED.load(Relaxed) - handled,
        INTERRUPTED.load(Relaxed) - interrupted,
    ));
    runs
}

/// Threads that wait for each other in every way there is, and are never let down.
fn hand_overs_under_a_storm() -> Outcome {
    let rounds = 400;
    let (turn, changed) = (Mutex::new(0_usize), Condvar::new());
    let runs = storm("condvar", 4, |me| {
        for round in 0..rounds {
            let mut turn = turn.lock();
            if round % 2 == 0 {
                changed.wait_while(&mut turn, |turn| *turn % 4 != me);
            } else {
                let forever = Duration::MAX;
                let late = changed.wait_while_for(&mut turn, |turn| *turn % 4 != me, forever);
                assert!(!late.timed_out());
            }
            *turn += 1;
            changed.notify_all();
        }
    });
    assert_eq!(*turn.lock(), runs * 4 * rounds);

    let (turn, changed) = (RwLock::new(0_usize), CondvarAny::new());
    let runs = storm("condvar_any", 4, |me| {
        for round in 0..rounds {
            let mut turn = if round % 2 == 0 {
                let mut reading = turn.read();
                changed.wait_while(&mut reading, |turn| *turn % 4 != me);
                drop(reading);
                turn.write() // still this thread's turn
            } else {
                let mut writing = turn.write();
                changed.wait_while(&mut writing, |turn| *turn % 4 != me);
                writing
            };
            *turn += 1;
            changed.notify_all();
        }
    });
    assert_eq!(*turn.read(), runs * 4 * rounds);

    macro_rules! mutex_under_a_storm {
        ($Mutex:ident) => {
            let count = $Mutex::new(Cell::new(0_usize));
            let runs = storm(stringify!($Mutex), 4, |me| {
                for round in 0..rounds {
                    let count = match (me + round) % 3 {
                        0 => count.lock(),
                        1 => count.try_lock_for(Duration::MAX).expect("no limit"),
                        _ => count.try_lock_for(Duration::from_secs(600)).expect("ten minutes"),
                    };
                    let before = count.get();
                    if round % 8 == 0 {
                        pass(Duration::from_micros(50)); // the others sleep, on the mutex
                    }
                    assert_eq!(count.replace(before + 1), before);
                }
            });
            assert_eq!(count.into_inner().get(), runs * 4 * rounds);
        };
    }
    mutex_under_a_storm!(Mutex);
    mutex_under_a_storm!(FairMutex);
    mutex_under_a_storm!(ReentrantMutex);

    rwlock_under_a_storm("RwLock", &RwLock::new(0), rounds);
    rwlock_under_a_storm("RecursiveRwLock", &RecursiveRwLock::new(0), rounds);

    let (requests, answers) = (BlockingQueue::new(1), BlockingQueue::new(1));
    storm("queue", 4, |i| {
        for n in 0..rounds {
            if i < 2 {
                requests.push(n).unwrap();
                answers.pop().unwrap();
            } else {
                let request = requests.pop_for(Duration::MAX).unwrap();
                answers.push_for(request, Duration::MAX).unwrap();
            }
        }
    });

    let parkers: [_; 4] = std::array::from_fn(|_| Parker::new());
    let unparkers = parkers.each_ref().map(|parker| parker.unparker().clone());
    let parkers = parkers.map(Mutex::new);
    storm("parker", 4, |i| {
        let parker = parkers[i].lock();
        for round in 0..rounds {
            // One of each pair begins; else two tokens could become one.
            if i % 2 == 0 {
                unparkers[i + 1].unpark();
            }
            if round % 2 == 0 {
                parker.park();
            } else {
                assert!(parker.park_for(Duration::MAX));
            }
            if i % 2 == 1 {
                unparkers[i - 1].unpark();
            }
        }
    });

    // Two who take turns, twice, and each by a semaphore of its own.
    let plain: [_; 4] = std::array::from_fn(|i| Semaphore::new(1 - i as u32 % 2));
    let fair: [_; 4] = std::array::from_fn(|i| FairSemaphore::new(1 - i as u32 % 2));
    storm("semaphore", 4, |i| {
        for round in 0..rounds {
            if round % 2 == 0 {
                plain[i].acquire().unwrap().forget();
                fair[i].acquire().unwrap().forget();
            } else {
                plain[i].acquire_for(Duration::MAX).unwrap().forget();
                fair[i].acquire_for(Duration::from_secs(600)).unwrap().forget();
            }
            plain[i ^ 1].release(1).unwrap();
            fair[i ^ 1].release(1).unwrap();
        }
    });
    Outcome::Passed
}

/// Sleepers of all sorts on one lock, which is never free for long.
fn rwlock_under_a_storm<const RECURSIVE: bool>(
    what: &str,
    lock: &Lock<usize, RECURSIVE>,
    rounds: usize,
) {
    let runs = storm(what, 4, |me| {
        for round in 0..rounds {
            let before = *lock.try_read_for(Duration::MAX).expect("no limit");
            match (me + round) % 3 {
                0 => *lock.write() += 1,
                1 => *lock.try_write_for(Duration::from_secs(600)).expect("ten minutes") += 1,
                _ => *UpgradableReadGuard::upgrade(lock.upgradable_read()) += 1,
            }
            let reading = lock.read();
            assert!(*reading > before);
            if round % 8 == 0 {
                pass(Duration::from_micros(50)); // writers sleep in both places
            }
        }
    });
    assert_eq!(*lock.read(), runs * 4 * rounds);
}

/// Limits that nobody cuts short: neither before their time nor by an error.
fn limits_under_a_storm() -> Outcome {
    let mutex = Mutex::new(());
    let idle = (Mutex::new(()), Condvar::new());
    let any = (RwLock::new(()), CondvarAny::new());
    let (empty, full) = (BlockingQueue::<u8>::new(1), BlockingQueue::new(1));
    full.push(0).unwrap();
    let _held = mutex.lock();
    let (read, written) = (RwLock::new(()), RwLock::new(()));
    let (_reading, _writing) = (read.read(), written.write());
    let recursive = RecursiveRwLock::new(());
    let _reading = recursive.read();
    let (fair, levels) = (FairMutex::new(()), ReentrantMutex::new(()));
    let (_fair, _level) = (fair.lock(), levels.lock());
    let (none, fair_none) = (Semaphore::new(0), FairSemaphore::new(1));
    storm("limits", 15, |i| {
        for round in 0..40 {
            let wait = Duration::from_micros(500 + 100 * (round % 10));
            let start = Instant::now();
            match i {
                0 => assert!(mutex.try_lock_for(wait).is_none()),
                1 => assert!(idle.1.wait_for(&mut idle.0.lock(), wait).timed_out()),
                2 => assert_eq!(empty.pop_for(wait), Err(PopError::TimedOut)),
                3 => {
                    let refused = full.push_for(1, wait).unwrap_err();
                    assert_eq!(refused.reason(), PushErrorReason::TimedOut);
                }
                4 => assert!(!Parker::new().park_for(wait)),
                5 => assert!(read.try_write_for(wait).is_none()),
                6 => assert!(written.try_read_for(wait).is_none()),
                7 => assert!(written.try_upgradable_read_for(wait).is_none()),
                8 => assert!(fair.try_lock_for(wait).is_none()),
                9 => assert!(levels.try_lock_for(wait).is_none()),
                10 => assert!(recursive.try_write_for(wait).is_none()),
                11 => assert!(any.1.wait_for(&mut any.0.read(), wait).timed_out()),
                12 => assert!(none.acquire_for(wait).is_err()),
                13 => assert!(fair_none.acquire_many_for(2, wait).is_err()),
                _ => drop(read.upgradable_read().try_with_upgraded_for(wait, |()| ())),
            }
            assert!(start.elapsed() >= wait, "operation {i}: {:?} of {wait:?}", start.elapsed());
        }
    });
    Outcome::Passed
}

/// Waits without an end, and with ends beyond that of time, for a while under fire: none returns
/// before it is told to.
fn endless_waits_under_a_storm() -> Outcome {
    let told = AtomicBool::new(false);
    let (mutex, changed) = (Mutex::new(()), Condvar::new());
    let held = Mutex::new(());
    let (empty, full) = (BlockingQueue::<u8>::new(2), BlockingQueue::new(1));
    full.push(0).unwrap();
    let parker = Parker::new();
    let unparker = parker.unparker().clone();
    let parker = Mutex::new(Some(parker));
    let (fair, written, read) = (FairMutex::new(()), RwLock::new(()), RwLock::new(()));
    let guards = (held.lock(), fair.lock(), written.write(), read.read());
    let owner = Mutex::new(Some(SendGuard(guards)));
    let runs = storm("endless", 13, |i| {
        let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
        match i {
            0 => changed.wait(&mut mutex.lock()),
            1 => assert!(!changed.wait_until(&mut mutex.lock(), far).timed_out()),
            2 => assert_eq!(empty.pop(), Ok(1)),
            3 => assert_eq!(empty.pop_for(Duration::MAX), Ok(1)),
            4 => full.push_until(1, far).unwrap(),
            5 => drop(held.try_lock_until(far).expect("no limit")),
            6 => parker.lock().take().unwrap().park(),
            7 => drop(fair.lock()),
            8 => drop(written.read()),
            9 => drop(written.try_upgradable_read_until(far).expect("no limit")),
            10 => drop(written.try_write_for(Duration::MAX).expect("no limit")),
            11 => drop(read.write()),
            _ => {
                let before = INTERRUPTED.load(Relaxed);
                while INTERRUPTED.load(Relaxed) - before < 12 * enough() {
                    pass(Duration::from_millis(10));
                }
                told.store(true, Relaxed);
                while changed.notify_one() {}
                empty.push(1).unwrap();
                empty.push(1).unwrap();
                full.pop().unwrap();
                drop(owner.lock().take());
                unparker.unpark();
            }
        }
        assert!(told.load(Relaxed), "operation {i} returned by itself");
    });
    assert_eq!(runs, 1, "the last thread waited for the storm");
    Outcome::Passed
}

/// Guards that another thread drops.
struct SendGuard<G>(#[allow(dead_code, reason = "dropped")] G);

// SAFETY: the locks that it is used for record no owner, so it does not matter which thread unlocks
// them; only the types are stricter. The test needs an owner that does not sleep.
unsafe impl<G> Send for SendGuard<G> {}

/// Events, latches, groups and barriers: hand-overs, limits, and waits without an end.
fn events_under_a_storm() -> Outcome {
    let rounds = 400;
    let events = [const { Event::auto() }; 4];
    events[0].set();
    storm("events", 4, |i| {
        for round in 0..rounds {
            if round % 2 == 0 {
                events[i].wait();
            } else {
                assert!(events[i].wait_for(Duration::MAX));
            }
            assert!(!events[i].is_set());
            events[(i + 1) % 4].set();
        }
    });

    let barrier = Barrier::new(4);
    storm("barrier", 4, |i| {
        for round in 0..rounds {
            let limit = if (i + round) % 2 == 0 { Duration::MAX } else { Duration::from_secs(600) };
            assert!(barrier.wait().is_ok() && barrier.wait_for(limit).is_ok());
        }
    });

    let (manual, auto, latch) = (Event::manual(), Event::auto(), Latch::new(1));
    let (group, barrier) = (WaitGroup::new(), Barrier::new(2));
    group.add(1);
    storm("limits of events", 5, |i| {
        for round in 0..40 {
            let wait = Duration::from_micros(500 + 100 * (round % 10));
            let start = Instant::now();
            match i {
                0 => assert!(!manual.wait_for(wait)),
                1 => assert!(!auto.wait_for(wait)),
                2 => assert!(!latch.wait_for(wait)),
                3 => assert!(!group.wait_for(wait)),
                _ => {
                    assert_eq!(barrier.wait_for(wait), Err(BarrierError::TimedOut));
                    barrier.reset();
                }
            }
            assert!(start.elapsed() >= wait, "operation {i}: {:?} of {wait:?}", start.elapsed());
        }
    });

    let told = AtomicBool::new(false);
    let runs = storm("endless waits for events", 6, |i| {
        let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
        match i {
            0 => manual.wait(),
            1 => assert!(auto.wait_until(far)),
            2 => latch.wait(),
            3 => assert!(group.wait_for(Duration::MAX)),
            4 => assert!(!barrier.wait_until(far).unwrap().is_leader()),
            _ => {
                let before = INTERRUPTED.load(Relaxed);
                while INTERRUPTED.load(Relaxed) - before < 5 * enough() {
                    pass(Duration::from_millis(10));
                }
                told.store(true, Relaxed);
                manual.set();
                auto.set();
                latch.count_down(1);
                group.done();
                // Whoever was only just coming comes last.
                while barrier.waiting() == 0 {
                    thread::yield_now();
                }
                assert!(barrier.wait().unwrap().is_leader());
            }
        }
        assert!(told.load(Relaxed), "operation {i} returned by itself");
    });
    assert_eq!(runs, 1, "the last thread waited for the storm");
    Outcome::Passed
}

static CALLED: Event = Event::auto();
static UNDER_WAY: WaitGroup = WaitGroup::new();

/// A set that wakes enters the kernel, in the middle of whatever was interrupted, and leaves
/// `errno` what it was.
extern "C" fn call(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the C library's pointer to this thread's own variable.
    let errno = unsafe { *libc::__errno_location() };
    CALLED.set();
    UNDER_WAY.add(1);
    UNDER_WAY.done();
    // SAFETY: as above.
    assert_eq!(unsafe { *libc::__errno_location() }, errno);
    HANDLED.fetch_add(1, Relaxed);
}

/// What a handler sets, counts and takes off arrives, also if it interrupted just that.
fn sets_in_a_handler() -> Outcome {
    install(call);
    let (targets, busy) = (Targets::new(1), AtomicUsize::new(1));
    let (enough, called) = (scaled(500) as u64, AtomicU64::new(0));
    together(3, |i| match i {
        0 => {
            targets.tids[0].store(tid(), Relaxed);
            while HANDLED.load(Relaxed) < enough {
                call(0, std::ptr::null_mut(), std::ptr::null_mut());
                HANDLED.fetch_sub(1, Relaxed);
            }
            targets.tids[0].store(0, Relaxed);
            busy.store(0, Relaxed);
        }
        1 => {
            targets.shoot(&busy);
            // For one who waits for a handler that has been.
            CALLED.set();
        }
        _ => {
            while HANDLED.load(Relaxed) < enough {
                CALLED.wait();
                called.fetch_add(1, Relaxed);
            }
        }
    });
    assert_eq!(UNDER_WAY.count(), 0);
    say(&format!("{} handlers, {} sets arrived", HANDLED.load(Relaxed), called.load(Relaxed)));
    assert!(called.into_inner() > 0);
    Outcome::Passed
}

fn a_pool_under_a_storm() -> Outcome {
    let pool = ThreadPool::builder().threads(2).queue_capacity(2).build().unwrap();
    storm("pool", 3, |_| {
        for n in 0..300 {
            // Under fire on both sides: the worker shoots at nobody, but is a target as well.
            let task = loop {
                match pool.submit(move || n) {
                    Ok(task) => break task,
                    Err(_) => thread::yield_now(),
                }
            };
            let value = match n % 3 {
                0 => task.join(),
                1 => task.join_for(Duration::MAX).expect("no limit"),
                _ => task.join_until(Instant::now() + Duration::from_secs(600)).expect("in time"),
            };
            assert_eq!(value.unwrap(), n);
        }
    });
    pool.shutdown();
    storm("termination", 1, |_| {
        let pool = ThreadPool::builder().threads(1).build().unwrap();
        pool.execute(|| pass(Duration::from_millis(50))).unwrap();
        pool.shutdown();
        assert!(pool.await_termination_for(Duration::from_secs(600)));
    });
    Outcome::Passed
}

/// A process that is stopped and continued while it works, over and over.
/// Sends a signal to a thread of this process; 0 is none.
fn shoot(tid: u32) -> bool {
    // SAFETY: no memory.
    let process = unsafe { libc::getpid() };
    // SAFETY: no memory. A thread that has ended is no target, or an error.
    tid != 0 && unsafe { libc::syscall(libc::SYS_tgkill, process, tid, libc::SIGUSR1) } == 0
}

/// The kernel begins a wait again on the word that it was called with, wherever the sleeper was
/// moved since, and no code of ours runs in between.
fn restarted_waits_while_moved() -> Outcome {
    let (room, changed) = (Mutex::new(Room::default()), Condvar::new());
    restarted_waits(
        scaled(12_000) as u64,
        |rounds| {
            let mut inside = room.lock();
            for round in 1..=rounds {
                inside.waiting += 1;
                changed.wait_while(&mut inside, |room| room.round < round);
            }
        },
        |round| room.lock().begin(round),
        || {
            changed.notify_all();
        },
    )
}

/// As above, where each waiter lets those behind it go.
fn restarted_waits_while_passed_on() -> Outcome {
    let (room, changed) = (RwLock::new(Room::default()), CondvarAny::new());
    restarted_waits(
        scaled(6_000) as u64,
        |rounds| {
            let mut inside = room.write();
            for round in 1..=rounds {
                inside.waiting += 1;
                changed.wait_while(&mut inside, |room| room.round < round);
            }
        },
        |round| room.write().begin(round),
        || {
            changed.notify_all();
        },
    )
}

const WAITERS: usize = 16;

#[derive(Default)]
struct Room {
    round: u64,
    waiting: usize,
}

impl Room {
    /// Begins a round if everybody waits for it, and says whether it did.
    fn begin(&mut self, round: u64) -> bool {
        let ready = self.waiting == WAITERS;
        if ready {
            *self = Self { round, waiting: 0 };
        }
        ready
    }
}

/// Waiters who do nothing but wait, for `rounds` times, under fire. A few signals a round and then
/// silence: the next signal would put right what this one broke.
fn restarted_waits(
    rounds: u64,
    wait: impl Fn(u64) + Sync,
    begin: impl Fn(u64) -> bool + Sync,
    notify: impl Fn() + Sync,
) -> Outcome {
    install_with(count, libc::SA_RESTART);
    let handled = HANDLED.load(Relaxed);
    let (tids, begun) = ([const { AtomicU32::new(0) }; WAITERS], AtomicU64::new(0));
    together(WAITERS + 2, |i| match i {
        WAITERS => {
            for round in 1..=rounds {
                while !begin(round) {
                    thread::yield_now();
                }
                begun.store(round, Relaxed);
                notify();
            }
        }
        i if i > WAITERS => {
            let mut random = Rng::stream(seed(), i as u64);
            for round in 1..=rounds {
                while begun.load(Relaxed) < round {
                    thread::yield_now();
                }
                // Some moment within the notification.
                for _ in 0..random.below(2_000) {
                    std::hint::spin_loop();
                }
                for _ in 0..3 {
                    let target = tids[random.below(WAITERS as u64) as usize].load(Relaxed);
                    shoot(target);
                }
            }
            begun.store(rounds + 1, Relaxed);
        }
        i => {
            tids[i].store(tid(), Relaxed);
            wait(rounds);
            // Stay: signals of the last round may be on their way to this thread's number.
            while begun.load(Relaxed) <= rounds {
                thread::yield_now();
            }
        }
    });
    say(&format!("{rounds} rounds, {} signals handled", HANDLED.load(Relaxed) - handled));
    assert!(HANDLED.load(Relaxed) > handled);
    Outcome::Passed
}

fn stopped_and_continued() -> Outcome {
    if env::var("ROLE").is_ok_and(|role| role == "load") {
        load::mixed(4, scaled(6_000));
        return Outcome::Passed;
    }
    let mut command = Command::new(env::current_exe().expect("this binary"));
    let mut stops = 0;
    let end = run_limited(command.env("ROLE", "load"), Duration::from_secs(50), |child| {
        let send = |signal| {
            // SAFETY: no memory; our own child, which has not been waited for.
            assert_eq!(unsafe { libc::kill(child, signal) }, 0);
            thread::sleep(Duration::from_millis(6));
        };
        send(libc::SIGSTOP);
        send(libc::SIGCONT);
        stops += 1;
    });
    assert!(end.status.success(), "{}", end.output);
    say(&format!("stopped {stops} times"));
    assert!(stops >= 5, "stopped {stops} times only");
    Outcome::Passed
}

/// One kind of lock, as a handler uses it and as the code that it interrupts does.
struct Meddled {
    what: &'static str,
    /// What a handler may do: try, also with a limit. Says how often it got in to add one.
    handler: fn() -> u64,
    /// Adds one, and notices whether anybody gets in meanwhile.
    work: fn(),
    total: fn() -> u64,
}

/// Adds one in two steps that a handler or another thread could fall between.
fn add_one(value: &mut u64) {
    let before = *value;
    // So that the steps stay two, with time between them.
    (0..8).for_each(|_| std::hint::spin_loop());
    assert_eq!(*std::hint::black_box(&mut *value), before, "somebody got in");
    *value = before + 1;
}

static PLAIN: Mutex<u64> = Mutex::new(0);
static FAIR: FairMutex<u64> = FairMutex::new(0);
/// The number, and whether somebody is adding to it.
static LEVELS: ReentrantMutex<(Cell<u64>, Cell<bool>)> =
    ReentrantMutex::new((Cell::new(0), Cell::new(false)));
static TABLE: RwLock<u64> = RwLock::new(0);
static RECURSIVE: RecursiveRwLock<u64> = RecursiveRwLock::new(0);
static UNPARKER: OnceLock<Unparker> = OnceLock::new();

macro_rules! meddled_mutex {
    ($mutex:ident) => {
        Meddled {
            what: stringify!($mutex),
            handler: || {
                let tried = $mutex.try_lock().map(|mut value| *value += 1);
                let waited = $mutex.try_lock_for(Duration::ZERO).map(|mut value| *value += 1);
                u64::from(tried.is_some()) + u64::from(waited.is_some())
            },
            work: || add_one(&mut $mutex.lock()),
            total: || *$mutex.lock(),
        }
    };
}

macro_rules! meddled_rwlock {
    ($lock:ident) => {
        Meddled {
            what: stringify!($lock),
            handler: || {
                drop(($lock.try_read(), $lock.try_read_for(Duration::ZERO)));
                let tried = $lock.try_write().map(|mut value| *value += 1);
                let waited = $lock.try_write_for(Duration::ZERO).map(|mut value| *value += 1);
                let upgraded = $lock
                    .try_upgradable_read()
                    .and_then(|mut value| value.try_with_upgraded(|value| *value += 1));
                [tried, waited, upgraded].iter().flatten().count() as u64
            },
            work: || {
                add_one(&mut $lock.write());
                let reading = $lock.read();
                let before = *reading;
                (0..8).for_each(|_| std::hint::spin_loop());
                assert_eq!(*std::hint::black_box(&*reading), before, "written while read");
                drop(reading);
                $lock.upgradable_read().with_upgraded(add_one);
            },
            total: || *$lock.read(),
        }
    };
}

static MEDDLED: &[Meddled] = &[
    meddled_mutex!(PLAIN),
    meddled_mutex!(FAIR),
    Meddled {
        what: "LEVELS",
        handler: || {
            // It may be inside of what it interrupted; then it leaves the data alone.
            let add = |guard: ReentrantMutexGuard<'_, (Cell<u64>, Cell<bool>)>| {
                let own = !guard.1.get();
                guard.0.set(guard.0.get() + u64::from(own));
                own
            };
            let (tried, waited) = (LEVELS.try_lock(), LEVELS.try_lock_for(Duration::ZERO));
            u64::from(tried.is_some_and(add)) + u64::from(waited.is_some_and(add))
        },
        work: || {
            let outer = LEVELS.lock();
            assert!(!outer.1.replace(true), "somebody else is inside");
            let inner = LEVELS.lock();
            let mut value = outer.0.get();
            add_one(&mut value);
            assert_eq!(inner.0.replace(value), value - 1, "somebody got in");
            drop(inner);
            outer.1.set(false);
        },
        total: || LEVELS.lock().0.get(),
    },
    meddled_rwlock!(TABLE),
    meddled_rwlock!(RECURSIVE),
];

/// The one of [`MEDDLED`] that the handler uses.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);
/// How often handlers got in.
static ENTERED: AtomicU64 = AtomicU64::new(0);

/// Neither may disturb what it interrupted, and `errno` stays what it was.
extern "C" fn meddle(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the C library's pointer to this thread's own variable.
    let errno = unsafe { *libc::__errno_location() };
    ENTERED.fetch_add((MEDDLED[CHOSEN.load(Relaxed)].handler)(), Relaxed);
    UNPARKER.get().expect("set before the handler was installed").unpark();
    // SAFETY: as above.
    assert_eq!(unsafe { *libc::__errno_location() }, errno);
    HANDLED.fetch_add(1, Relaxed);
}

/// A handler that panics ends the process. One that took part in a lock that its own thread was in
/// the middle of taking or releasing would show as an assertion, here or in the lock, or as a hang.
fn locks_in_a_handler() -> Outcome {
    let parker = Parker::new();
    UNPARKER.set(parker.unparker().clone()).expect("the only case of this process");
    install(meddle);
    for (chosen, lock) in MEDDLED.iter().enumerate() {
        CHOSEN.store(chosen, Relaxed);
        let (handled, entered) = (HANDLED.load(Relaxed), ENTERED.load(Relaxed));
        let enough = handled + scaled(1_000) as u64;
        let rounds = AtomicU64::new(0);
        under_fire(2, |_| {
            loop {
                (lock.work)();
                rounds.fetch_add(1, Relaxed);
                if HANDLED.load(Relaxed) >= enough {
                    break;
                }
                // Outside of it for a while, too.
                (0..16).for_each(|_| std::hint::spin_loop());
            }
        });
        // Handlers run by now: a signal is handled before its thread ends.
        let (handled, entered) = (HANDLED.load(Relaxed) - handled, ENTERED.load(Relaxed) - entered);
        let writes = if chosen < 3 { 1 } else { 2 };
        assert_eq!((lock.total)(), writes * rounds.into_inner() + entered);
        say(&format!("{}: {handled} handlers tried, {entered} times with success", lock.what));
        assert!(parker.park_for(Duration::ZERO), "woken by a handler");
    }
    Outcome::Passed
}

static COUNTED: Semaphore = Semaphore::new(0);

extern "C" fn post(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the C library's pointer to this thread's own variable.
    let errno = unsafe { *libc::__errno_location() };
    COUNTED.release(1).unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { *libc::__errno_location() }, errno);
    HANDLED.fetch_add(1, Relaxed);
}

/// Each signal is a permit, also one that interrupts the very wait for it.
fn a_release_in_a_handler() -> Outcome {
    install(post);
    let enough = scaled(500);
    under_fire(2, |_| {
        for n in 0..enough {
            if n % 2 == 0 {
                COUNTED.acquire().unwrap().forget();
            } else {
                COUNTED.acquire_for(Duration::from_secs(600)).unwrap().forget();
            }
        }
    });
    let posted = HANDLED.load(Relaxed);
    assert_eq!(posted, 2 * enough as u64 + u64::from(COUNTED.available()));
    say(&format!("{posted} permits released in handlers"));
    Outcome::Passed
}
