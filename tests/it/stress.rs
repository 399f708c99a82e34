//! Many more threads than cores, for as long as `LOCKWORK_STRESS` says.
//!
//! A lost wake-up shows as a test that stops: its watchdog says where the threads are. So nothing
//! in the tests that look for one waits with a limit, which would hide it. Every notification,
//! value and token is accounted for, in the tests with limits too.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::thread;
use std::time::Duration;

use lockwork::queue::{ArrayQueue, BlockingQueue, PopError, PushErrorReason};
use lockwork::rwlock::{Lock, UpgradableReadGuard, WriteGuard};
use lockwork::{
    Barrier, BarrierError, Condvar, Event, FairSemaphore, Latch, Mutex, Once, OnceLock, Parker,
    Semaphore, SeqLock, SpinLock, WaitGroup,
};

use super::support::random::{Rng, seed};
use super::support::scaled;
use super::support::threads::{crowd, join_all, together};
use super::support::watchdog::Watchdog;

/// A few nanoseconds to a few microseconds of something that is not optimized away.
fn work(rng: &mut Rng) {
    for _ in 0..rng.below(64) {
        std::hint::spin_loop();
    }
}

/// A limit that sometimes passes and sometimes does not.
fn soon(rng: &mut Rng) -> Duration {
    Duration::from_nanos(rng.below(200_000))
}

/// Two halves of plain memory that agree whenever nobody is inside.
#[derive(Default)]
struct Halves {
    left: u64,
    right: u64,
}

impl Halves {
    fn add(&mut self, rng: &mut Rng) {
        assert_eq!(self.left, self.right, "somebody else is in here");
        self.left += 1;
        work(rng);
        self.right += 1;
    }

    fn look(&self) {
        assert_eq!(self.left, self.right, "somebody writes");
    }
}

mod mutex {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn lock_and_try_lock() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (threads, rounds) = (crowd(), scaled(12_000));
        let mutex = Mutex::new(Halves::default());
        together(threads, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            for round in 0..rounds {
                if rng.one_in(4) {
                    let mut guard = loop {
                        match mutex.try_lock() {
                            Some(guard) => break guard,
                            None => thread::yield_now(),
                        }
                    };
                    guard.add(&mut rng);
                } else {
                    mutex.lock().add(&mut rng);
                }
                if rng.one_in(64) {
                    thread::yield_now();
                }
                if round % 64 == 0 {
                    watchdog.tick();
                }
            }
        });
        let halves = mutex.into_inner();
        let total = (threads * rounds) as u64;
        assert_eq!((halves.left, halves.right), (total, total));
    }

    /// One thread locks again at once whenever it has unlocked, and holds the lock for long.
    /// Whoever sleeps is never quick enough for it, and gets in all the same.
    #[test]
    fn nobody_starves() {
        let watchdog = Watchdog::start();
        let mutex = Mutex::new(0_u64);
        let waiters = AtomicUsize::new(3);
        together(4, |i| {
            if i == 0 {
                while waiters.load(Ordering::Relaxed) > 0 {
                    let guard = mutex.lock();
                    thread::sleep(Duration::from_millis(2)); // others wait for longer than one
                    drop(guard);
                }
            } else {
                for _ in 0..20 {
                    *mutex.lock() += 1;
                    watchdog.tick();
                }
                waiters.fetch_sub(1, Ordering::Relaxed);
            }
        });
        assert_eq!(mutex.into_inner(), 60);
    }

    /// All want the lock again at once, for so long that whoever is woken early for it sleeps
    /// again: everybody has his share of turns.
    #[test]
    fn turns_are_shared() {
        let watchdog = Watchdog::start();
        const TURNS: usize = 600;
        let mutex = Mutex::new(0);
        let shares = together(5, |_| {
            let mut share = 0;
            loop {
                let mut turns = mutex.lock();
                if *turns == TURNS {
                    return share;
                }
                *turns += 1;
                share += 1;
                thread::sleep(Duration::from_micros(300));
                drop(turns);
                watchdog.tick();
            }
        });
        assert!(shares.iter().all(|&share| share >= TURNS / 20), "{shares:?} of {TURNS}");
    }

    /// Those who wait with a limit and those who wait without, on one lock: whoever gives up
    /// neither counts nor takes the others' wake-ups along.
    #[test]
    fn with_and_without_limits() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (threads, rounds) = (crowd(), scaled(6_000));
        let mutex = Mutex::new(Halves::default());
        let entered = together(threads, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            let mut entered = 0;
            for round in 0..rounds {
                let guard = if i % 2 == 0 {
                    Some(mutex.lock())
                } else {
                    mutex.try_lock_for(soon(&mut rng))
                };
                if let Some(mut guard) = guard {
                    guard.add(&mut rng);
                    entered += 1;
                    if rng.one_in(32) {
                        thread::yield_now(); // with the lock held: the others sleep
                    }
                }
                if round % 64 == 0 {
                    watchdog.tick();
                }
            }
            entered
        });
        let halves = mutex.into_inner();
        assert_eq!((halves.left, halves.right), (entered.iter().sum(), entered.iter().sum()));
        let patient = entered.iter().step_by(2);
        assert!(patient.into_iter().all(|&entered| entered == rounds as u64));
    }
}

mod rwlock {
    use super::*;

    /// What one thread did to the lock in one round: how often it wrote.
    type Round<const RECURSIVE: bool> = fn(&Lock<Halves, RECURSIVE>, &mut Rng) -> u64;

    /// A crowd in which each thread does one of `rounds` after the other, at random.
    fn crowd_does<const RECURSIVE: bool>(rounds: &[Round<RECURSIVE>]) {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let count = scaled(3_000);
        let lock = Lock::<_, RECURSIVE>::new(Halves::default());
        let writes = together(crowd(), |i| {
            let mut rng = Rng::stream(seed, i as u64);
            let mut writes = 0;
            for n in 0..count {
                writes += rounds[rng.below(rounds.len() as u64) as usize](&lock, &mut rng);
                if rng.one_in(64) {
                    thread::yield_now();
                }
                if n % 64 == 0 {
                    watchdog.tick();
                }
            }
            writes
        });
        assert!(!lock.is_locked());
        let halves = lock.into_inner();
        let total: u64 = writes.into_iter().sum();
        assert_eq!((halves.left, halves.right), (total, total));
    }

    fn read<const RECURSIVE: bool>(lock: &Lock<Halves, RECURSIVE>, rng: &mut Rng) -> u64 {
        let halves = lock.read();
        halves.look();
        work(rng);
        if rng.one_in(16) {
            thread::yield_now(); // with the lock held: writers sleep
        }
        halves.look();
        0
    }

    fn write<const RECURSIVE: bool>(lock: &Lock<Halves, RECURSIVE>, rng: &mut Rng) -> u64 {
        let mut halves = lock.write();
        halves.add(rng);
        if rng.one_in(16) {
            thread::yield_now(); // everybody sleeps
        }
        1
    }

    fn write_fairly<const RECURSIVE: bool>(lock: &Lock<Halves, RECURSIVE>, rng: &mut Rng) -> u64 {
        let mut halves = lock.write();
        halves.add(rng);
        WriteGuard::unlock_fair(halves);
        1
    }

    fn upgrade<const RECURSIVE: bool>(lock: &Lock<Halves, RECURSIVE>, rng: &mut Rng) -> u64 {
        let mut halves = lock.upgradable_read();
        let before = halves.left;
        work(rng);
        halves.with_upgraded(|halves| {
            assert_eq!(halves.left, before, "written between the read and the upgrade");
            halves.add(rng);
        });
        halves.look();
        if rng.one_in(2) {
            UpgradableReadGuard::upgrade(halves).add(rng);
            return 2;
        }
        UpgradableReadGuard::downgrade(halves).look();
        1
    }

    fn downgrade<const RECURSIVE: bool>(lock: &Lock<Halves, RECURSIVE>, rng: &mut Rng) -> u64 {
        let mut halves = lock.write();
        halves.add(rng);
        let written = halves.left;
        let halves = WriteGuard::downgrade(halves);
        work(rng);
        assert_eq!(halves.left, written, "written while the writer goes on reading");
        1
    }

    #[test]
    fn readers_and_writers() {
        crowd_does::<false>(&[read, read, read, write]);
    }

    #[test]
    fn mostly_writers() {
        crowd_does::<false>(&[read, write, write]);
    }

    #[test]
    fn all_kinds() {
        crowd_does::<false>(&[read, read, write, write_fairly, upgrade, downgrade]);
    }

    #[test]
    fn all_kinds_with_recursive_readers() {
        fn read_twice(lock: &Lock<Halves, true>, rng: &mut Rng) -> u64 {
            let halves = lock.read();
            read(lock, rng);
            halves.look();
            0
        }
        crowd_does::<true>(&[read, read_twice, write, write_fairly, upgrade, downgrade]);
    }

    /// Those with limits beside those without: whoever gives up takes no wake-up along.
    #[test]
    fn with_and_without_limits() {
        fn write_soon(lock: &Lock<Halves, false>, rng: &mut Rng) -> u64 {
            let Some(mut halves) = lock.try_write_for(soon(rng)) else { return 0 };
            halves.add(rng);
            1
        }
        fn read_soon(lock: &Lock<Halves, false>, rng: &mut Rng) -> u64 {
            if let Some(halves) = lock.try_read_for(soon(rng)) {
                halves.look();
            }
            0
        }
        fn upgrade_soon(lock: &Lock<Halves, false>, rng: &mut Rng) -> u64 {
            let Some(halves) = lock.try_upgradable_read_for(soon(rng)) else { return 0 };
            match UpgradableReadGuard::try_upgrade_for(halves, soon(rng)) {
                Ok(mut halves) => {
                    halves.add(rng);
                    1
                }
                Err(halves) => {
                    halves.look();
                    0
                }
            }
        }
        crowd_does::<false>(&[read, write, write_soon, read_soon, upgrade_soon]);
    }
}

/// Waiters on a condition variable who do nothing but wait, and notifiers who count what they are
/// told. In the end both sides must agree: no notification is lost, none is answered twice, nobody
/// wakes without.
struct Books {
    stop: AtomicBool,
    /// Waits that ended by a notification.
    woken: AtomicU64,
    /// Waits that ended by their limit.
    timed_out: AtomicU64,
    /// What the notifications returned, added up.
    notified: AtomicU64,
    waiters: AtomicUsize,
    watchdog: Watchdog,
}

impl Books {
    fn new(waiters: usize) -> Self {
        Self {
            stop: AtomicBool::new(false),
            woken: AtomicU64::new(0),
            timed_out: AtomicU64::new(0),
            notified: AtomicU64::new(0),
            waiters: AtomicUsize::new(waiters),
            watchdog: Watchdog::start(),
        }
    }

    /// Waits, with a limit where `timed`, until it is over. `wait` says whether it timed out.
    fn wait<G>(
        &self,
        timed: bool,
        rng: &mut Rng,
        lock: impl Fn() -> G,
        wait: impl Fn(&mut G, Option<Duration>) -> bool,
    ) {
        let mut guard = lock();
        while !self.stop.load(Relaxed) {
            let timed_out = wait(&mut guard, timed.then(|| soon(rng)));
            let counter = if timed_out { &self.timed_out } else { &self.woken };
            counter.fetch_add(1, Relaxed);
            if rng.one_in(8) {
                drop(guard);
                work(rng);
                guard = lock();
            }
        }
        self.waiters.fetch_sub(1, Release);
    }

    /// Notifies until that was answered `goal` times. `notify` says how often it was.
    fn notify(&self, goal: u64, rng: &mut Rng, notify: impl Fn(&mut Rng) -> usize) {
        let mut told = 0;
        while told < goal {
            let count = notify(rng) as u64;
            self.notified.fetch_add(count, Relaxed);
            told += count;
            if count == 0 {
                thread::yield_now();
            } else {
                self.watchdog.tick();
            }
            if rng.one_in(4) {
                work(rng);
            }
        }
    }

    /// Lets all waiters go, and compares.
    fn settle(&self, notify_all: impl Fn() -> usize) {
        self.stop.store(true, Relaxed);
        while self.waiters.load(Acquire) > 0 {
            // A waiter between its look at `stop` and its wait is in neither; later it is.
            self.notified.fetch_add(notify_all() as u64, Relaxed);
            thread::yield_now();
        }
        assert_eq!(notify_all(), 0);
        let (woken, notified) = (self.woken.load(Relaxed), self.notified.load(Relaxed));
        assert_eq!(woken, notified, "woken and notified");
        println!("{woken} woken, {} timed out", self.timed_out.load(Relaxed));
    }
}

mod semaphore {
    use super::*;

    /// A crowd that holds permits for a moment, with no more of them out at a time than there are,
    /// and all of them back in the end.
    fn crowd_holds<T: Sync>(
        semaphore: &T,
        permits: u32,
        acquire: impl Fn(&T, &mut Rng, &dyn Fn(u32, &mut Rng)) + Sync,
    ) {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let rounds = scaled(4_000);
        let out = AtomicUsize::new(0);
        together(crowd(), |i| {
            let mut rng = Rng::stream(seed, i as u64);
            let hold = |n: u32, rng: &mut Rng| {
                let others = out.fetch_add(n as usize, Relaxed);
                assert!(others + n as usize <= permits as usize, "more out than there are");
                work(rng);
                if rng.one_in(32) {
                    thread::yield_now(); // the others sleep
                }
                out.fetch_sub(n as usize, Relaxed);
            };
            for round in 0..rounds {
                acquire(semaphore, &mut rng, &hold);
                if round % 64 == 0 {
                    watchdog.tick();
                }
            }
        });
    }

    #[test]
    fn permits_in_and_out() {
        let semaphore = Semaphore::new(3);
        crowd_holds(&semaphore, 3, |semaphore, rng, hold| {
            let permit = match rng.below(4) {
                0 => semaphore.acquire_for(soon(rng)).ok(),
                1 => semaphore.try_acquire_many(2).ok(),
                _ => semaphore.acquire().ok(),
            };
            if let Some(mut permit) = permit {
                hold(permit.permits(), rng);
                if rng.one_in(4) {
                    let count = permit.permits();
                    drop(permit.split(1));
                    permit.forget();
                    semaphore.release(count - 1).unwrap();
                }
            }
        });
        assert_eq!(semaphore.available(), 3);
    }

    #[test]
    fn fair_permits_in_and_out() {
        let semaphore = FairSemaphore::new(3);
        crowd_holds(&semaphore, 3, |semaphore, rng, hold| {
            let n = 1 + rng.below(3) as u32;
            let permits = match rng.below(4) {
                0 => semaphore.acquire_many_for(n, soon(rng)).ok(),
                1 => semaphore.try_acquire_many(n).ok(),
                _ => semaphore.acquire_many(n).ok(),
            };
            if let Some(mut permits) = permits {
                assert_eq!(permits.permits(), n);
                hold(n, rng);
                drop(permits.split(n / 2)); // in two steps
            }
        });
        assert_eq!(semaphore.available(), 3);
    }

    /// Nobody waits with a limit here: a wake-up that is lost stops the test. The ring is as long
    /// as the crowd, each member wakes the next.
    #[test]
    fn ring_of_many() {
        let watchdog = Watchdog::start();
        let (threads, laps) = (crowd(), scaled(1_000));
        let plain: Vec<_> = (0..threads).map(|_| Semaphore::with_max(0, 1)).collect();
        let fair: Vec<_> = (0..threads).map(|_| FairSemaphore::with_max(0, 1)).collect();
        plain[0].release(1).unwrap();
        fair[0].release(1).unwrap();
        together(threads, |me| {
            for _ in 0..laps {
                plain[me].acquire().unwrap().forget();
                fair[me].acquire().unwrap().forget();
                fair[(me + 1) % threads].release(1).unwrap();
                plain[(me + 1) % threads].release(1).unwrap();
                watchdog.tick();
            }
        });
    }

    /// What is made and what is used up: batches of any size, for users who sleep one by one.
    #[test]
    fn batches() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (users, each) = (crowd(), scaled(2_000) as u32);
        let (plain, fair) = (Semaphore::new(0), FairSemaphore::new(0));
        together(users + 2, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            if i < users {
                for n in 0..each {
                    plain.acquire().unwrap().forget();
                    fair.acquire().unwrap().forget();
                    if n % 64 == 0 {
                        watchdog.tick();
                    }
                }
            } else {
                let mut left = users as u32 * each;
                while left > 0 {
                    let n = left.min(1 + rng.below(20) as u32);
                    if i == users { plain.release(n) } else { fair.release(n) }.unwrap();
                    left -= n;
                    if rng.one_in(4) {
                        thread::yield_now();
                    }
                }
            }
        });
        assert_eq!((plain.available(), fair.available()), (0, 0));
    }

    /// Closed at any moment: everybody leaves, and what was released and not taken is there.
    #[test]
    fn closed_at_any_time() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        for round in 0..scaled(200) as u64 {
            let (plain, fair) = (Semaphore::new(0), FairSemaphore::new(0));
            let taken = together(crowd() + 1, |i| {
                let mut rng = Rng::stream(seed, round << 8 | i as u64);
                let mut taken = (0, 0);
                if i == 0 {
                    for _ in 0..rng.below(100) {
                        plain.release(1).unwrap();
                        fair.release(1).unwrap();
                        taken = (taken.0 + 1, taken.1 + 1);
                    }
                    assert!(plain.close() && fair.close());
                    return taken;
                }
                while let Ok(permit) = plain.acquire() {
                    permit.forget();
                    taken.0 += 1;
                }
                while let Ok(permits) = fair.acquire_many(1 + rng.below(2) as u32) {
                    taken.1 += permits.permits();
                    permits.forget();
                }
                taken
            });
            let sum = |of: fn(&(u32, u32)) -> u32| taken[1..].iter().map(of).sum::<u32>();
            assert_eq!(sum(|taken| taken.0) + plain.available(), taken[0].0);
            assert_eq!(sum(|taken| taken.1) + fair.available(), taken[0].1);
            watchdog.tick();
        }
    }
}

mod condvar {
    use super::*;

    /// The turn goes round a ring of threads, each with a condition variable of its own.
    #[test]
    fn ring_of_many() {
        let watchdog = Watchdog::start();
        let (threads, laps) = (crowd(), scaled(1_200));
        let turn = Mutex::new(0_usize);
        let changed: Vec<_> = (0..threads).map(|_| Condvar::new()).collect();
        together(threads, |me| {
            for _ in 0..laps {
                let mut turn = turn.lock();
                changed[me].wait_while(&mut turn, |turn| *turn % threads != me);
                *turn += 1;
                if me % 2 == 0 {
                    drop(turn); // notified by one who owns the mutex and by one who does not
                }
                changed[(me + 1) % threads].notify_one();
                watchdog.tick();
            }
        });
        assert_eq!(turn.into_inner(), threads * laps);
    }

    /// As above with one condition variable for all: everybody is notified and one can go on.
    #[test]
    fn ring_on_one() {
        let watchdog = Watchdog::start();
        let (threads, laps) = (crowd(), scaled(400));
        let (turn, changed) = (Mutex::new(0_usize), Condvar::new());
        together(threads, |me| {
            for _ in 0..laps {
                let mut turn = turn.lock();
                changed.wait_while(&mut turn, |turn| *turn % threads != me);
                *turn += 1;
                if me % 2 == 0 {
                    drop(turn);
                }
                changed.notify_all();
                watchdog.tick();
            }
        });
        assert_eq!(turn.into_inner(), threads * laps);
    }

    /// Waiters with one of several mutexes, and notifiers.
    struct Accounts {
        /// One for each group of waiters.
        mutexes: Vec<Mutex<()>>,
        changed: Condvar,
        books: Books,
    }

    impl Accounts {
        fn new(mutexes: usize, waiters: usize) -> Self {
            Self {
                mutexes: (0..mutexes).map(|_| Mutex::new(())).collect(),
                changed: Condvar::new(),
                books: Books::new(waiters),
            }
        }

        /// Waits, with a limit where `timed`, until it is over.
        fn wait(&self, i: usize, timed: bool, rng: &mut Rng) {
            let mutex = &self.mutexes[i % self.mutexes.len()];
            let wait = |guard: &mut _, limit| match limit {
                Some(limit) => self.changed.wait_for(guard, limit).timed_out(),
                None => {
                    self.changed.wait(guard);
                    false
                }
            };
            self.books.wait(timed, rng, || mutex.lock(), wait);
        }

        /// Notifies until that was answered `goal` times, all at once every `all`-th time.
        fn notify(&self, goal: u64, all: u64, rng: &mut Rng) {
            self.books.notify(goal, rng, |rng| {
                // Holding one of the mutexes, or none.
                let held = rng
                    .one_in(2)
                    .then(|| self.mutexes[rng.below(self.mutexes.len() as u64) as usize].lock());
                // An owner may say so; for waiters with other mutexes it makes no difference.
                let said = held.as_ref().filter(|_| rng.one_in(2));
                match (rng.one_in(all), said) {
                    (true, Some(guard)) => self.changed.notify_all_held(guard),
                    (true, None) => self.changed.notify_all(),
                    (false, Some(guard)) => usize::from(self.changed.notify_one_held(guard)),
                    (false, None) => usize::from(self.changed.notify_one()),
                }
            });
        }

        fn settle(&self) {
            self.books.settle(|| self.changed.notify_all());
        }

        /// `waiters` of whom every `timed`-th has limits, against `notifiers`.
        fn run(mutexes: usize, timed: usize, all: u64, goal: u64) {
            let seed = seed();
            let (waiters, notifiers) = (crowd(), 2);
            let accounts = Self::new(mutexes, waiters);
            let notifying = AtomicUsize::new(notifiers);
            together(waiters + notifiers, |i| {
                let mut rng = Rng::stream(seed, i as u64);
                if i < waiters {
                    accounts.wait(i, timed > 0 && i % timed == 0, &mut rng);
                } else {
                    accounts.notify(goal, all, &mut rng);
                    if notifying.fetch_sub(1, Relaxed) == 1 {
                        accounts.settle();
                    }
                }
            });
        }
    }

    #[test]
    fn notify_one_counts() {
        Accounts::run(1, 0, u64::MAX, scaled(8_000) as u64);
    }

    #[test]
    fn notify_all_storm() {
        Accounts::run(1, 0, 1, scaled(16_000) as u64);
    }

    #[test]
    fn both_kinds() {
        Accounts::run(1, 0, 5, scaled(12_000) as u64);
    }

    /// A waiter that times out never eats a notification.
    #[test]
    fn timed_and_untimed() {
        Accounts::run(1, 2, u64::MAX, scaled(8_000) as u64);
    }

    #[test]
    fn all_timed_in_a_storm() {
        Accounts::run(1, 1, 3, scaled(8_000) as u64);
    }

    #[test]
    fn several_mutexes() {
        Accounts::run(3, 0, 5, scaled(12_000) as u64);
    }

    #[test]
    fn several_mutexes_timed_and_untimed() {
        Accounts::run(3, 2, 3, scaled(8_000) as u64);
    }

    /// The place on the stack where a node was is overwritten as soon as the wait has returned, and
    /// is another node's soon after. In a thread that ends, it is gone.
    #[test]
    fn nodes_on_short_lived_stacks() {
        fn wait_deep(depth: usize, accounts: &Accounts) {
            let mut frame = [depth as u8; 96];
            if depth > 0 {
                wait_deep(depth - 1, accounts);
            } else {
                let mut guard = accounts.mutexes[0].lock();
                if !accounts.books.stop.load(Relaxed) {
                    accounts.changed.wait(&mut guard);
                    accounts.books.woken.fetch_add(1, Relaxed);
                }
            }
            std::hint::black_box(&mut frame).fill(0xA5);
            assert!(std::hint::black_box(&frame).iter().all(|&byte| byte == 0xA5));
        }
        let seed = seed();
        let waiters = crowd();
        let accounts = Accounts::new(1, waiters);
        let goal = scaled(1_600) as u64;
        together(waiters + 1, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            if i == waiters {
                accounts.notify(goal, 4, &mut rng);
                accounts.settle();
                return;
            }
            while !accounts.books.stop.load(Relaxed) {
                if i % 2 == 0 {
                    wait_deep(rng.below(40) as usize, &accounts);
                } else {
                    let (accounts, depth) = (&accounts, rng.below(4) as usize);
                    thread::scope(|s| {
                        s.spawn(move || wait_deep(depth, accounts)).join().unwrap();
                    });
                }
            }
            accounts.books.waiters.fetch_sub(1, Release);
        });
    }

    /// The textbook use: a bounded buffer from one mutex and two condition variables.
    #[test]
    fn bounded_buffer() {
        let watchdog = Watchdog::start();
        let (pairs, each) = (crowd() / 2, scaled(4_000) as u64);
        let buffer = Mutex::new(VecDeque::new());
        let (not_empty, not_full) = (Condvar::new(), Condvar::new());
        let sums = together(2 * pairs, |i| {
            let mut sum = 0;
            for n in 1..=each {
                let mut buffer = buffer.lock();
                if i % 2 == 0 {
                    not_full.wait_while(&mut buffer, |buffer| buffer.len() == 3);
                    buffer.push_back(n);
                    drop(buffer);
                    not_empty.notify_one();
                } else {
                    not_empty.wait_while(&mut buffer, |buffer| buffer.is_empty());
                    sum += buffer.pop_front().expect("the condition");
                    not_full.notify_one();
                }
                watchdog.tick();
            }
            sum
        });
        assert_eq!(sums.iter().sum::<u64>(), pairs as u64 * each * (each + 1) / 2);
        assert!(buffer.lock().is_empty());
    }
}

mod condvar_any {
    use lockwork::{CondvarAny, FairMutex, ReentrantMutex, RwLock, RwLockUpgradableReadGuard};
    use lockwork::{RecursiveRwLock, WaitGuard};

    use super::*;

    /// The turn goes round a ring of threads, of which each waits in a way of its own. Everybody is
    /// notified and one can go on.
    #[test]
    fn ring_of_ways() {
        let watchdog = Watchdog::start();
        let (threads, laps) = (crowd(), scaled(400));
        let (turn, changed) = (RwLock::new(0_usize), CondvarAny::new());
        together(threads, |me| {
            for lap in 0..laps {
                let mut turn_here = match (me + lap) % 3 {
                    0 => {
                        let mut reading = turn.read();
                        changed.wait_while(&mut reading, |turn| *turn % threads != me);
                        drop(reading);
                        turn.write() // still this thread's turn
                    }
                    1 => {
                        let mut upgradable = turn.upgradable_read();
                        changed.wait_while(&mut upgradable, |turn| *turn % threads != me);
                        RwLockUpgradableReadGuard::upgrade(upgradable)
                    }
                    _ => {
                        let mut writing = turn.write();
                        changed.wait_while(&mut writing, |turn| *turn % threads != me);
                        writing
                    }
                };
                *turn_here += 1;
                if me % 2 == 0 {
                    drop(turn_here);
                }
                changed.notify_all();
                watchdog.tick();
            }
        });
        assert_eq!(*turn.read(), threads * laps);
    }

    /// Waiters with any of these locks, in any way, on one condition variable.
    struct Accounts {
        fair: FairMutex<()>,
        reentrant: ReentrantMutex<()>,
        lock: RwLock<()>,
        recursive: RecursiveRwLock<()>,
        changed: CondvarAny,
        books: Books,
    }

    impl Accounts {
        fn wait(&self, way: usize, timed: bool, rng: &mut Rng) {
            match way {
                0 => self.wait_with(timed, rng, || self.lock.write()),
                1 => self.wait_with(timed, rng, || self.lock.read()),
                2 => self.wait_with(timed, rng, || self.lock.upgradable_read()),
                3 => self.wait_with(timed, rng, || self.fair.lock()),
                4 => self.wait_with(timed, rng, || self.reentrant.lock()),
                5 => self.wait_with(timed, rng, || self.recursive.read()),
                _ => self.wait_with(timed, rng, || self.recursive.write()),
            }
        }

        fn wait_with<G: WaitGuard>(&self, timed: bool, rng: &mut Rng, lock: impl Fn() -> G) {
            self.books.wait(timed, rng, lock, |guard, limit| match limit {
                Some(limit) => self.changed.wait_for(guard, limit).timed_out(),
                None => {
                    self.changed.wait(guard);
                    false
                }
            });
        }

        fn notify(&self, goal: u64, all: u64, rng: &mut Rng) {
            self.books.notify(goal, rng, |rng| {
                // Holding some of the locks, or none.
                let _written = rng.one_in(4).then(|| self.lock.write());
                let _shared = rng.one_in(4).then(|| self.recursive.upgradable_read());
                let _owned = rng.one_in(4).then(|| (self.fair.lock(), self.reentrant.lock()));
                if rng.one_in(all) {
                    self.changed.notify_all()
                } else {
                    usize::from(self.changed.notify_one())
                }
            });
        }

        /// Waiters in `ways`, of whom every `timed`-th has limits, against notifiers.
        fn run(ways: &[usize], timed: usize, all: u64, goal: u64) {
            let seed = seed();
            let (waiters, notifiers) = (crowd(), 2);
            let accounts = Self {
                fair: FairMutex::new(()),
                reentrant: ReentrantMutex::new(()),
                lock: RwLock::new(()),
                recursive: RecursiveRwLock::new(()),
                changed: CondvarAny::new(),
                books: Books::new(waiters),
            };
            let notifying = AtomicUsize::new(notifiers);
            together(waiters + notifiers, |i| {
                let mut rng = Rng::stream(seed, i as u64);
                if i < waiters {
                    accounts.wait(ways[i % ways.len()], timed > 0 && i % timed == 0, &mut rng);
                } else {
                    accounts.notify(goal, all, &mut rng);
                    if notifying.fetch_sub(1, Relaxed) == 1 {
                        accounts.books.settle(|| accounts.changed.notify_all());
                    }
                }
            });
        }
    }

    #[test]
    fn writers_in_a_storm() {
        Accounts::run(&[0], 0, 2, scaled(8_000) as u64);
    }

    #[test]
    fn readers_in_a_storm() {
        Accounts::run(&[1], 0, 2, scaled(8_000) as u64);
    }

    #[test]
    fn every_way_in_a_storm() {
        Accounts::run(&[0, 1, 2, 3, 4, 5, 6], 0, 3, scaled(8_000) as u64);
    }

    /// A waiter that times out never eats a notification.
    #[test]
    fn timed_and_untimed() {
        Accounts::run(&[0, 1, 2, 3, 4, 5, 6], 2, u64::MAX, scaled(8_000) as u64);
    }

    #[test]
    fn all_timed_in_a_storm() {
        Accounts::run(&[0, 1, 2, 6], 1, 3, scaled(8_000) as u64);
    }
}

mod parker {
    use super::*;

    #[test]
    fn ping_pong() {
        let watchdog = Watchdog::start();
        let rounds = scaled(8_000);
        let pairs = crowd() / 2;
        // `Parker` is not `Sync`: each is handed to its thread by way of a mutex.
        let parkers: Vec<_> = (0..2 * pairs).map(|_| Mutex::new(Some(Parker::new()))).collect();
        let unparkers: Vec<_> = parkers
            .iter()
            .map(|parker| parker.lock().as_ref().map(|parker| parker.unparker().clone()))
            .collect();
        together(2 * pairs, |i| {
            let parker = parkers[i].lock().take().expect("one for each thread");
            let partner = unparkers[i ^ 1].as_ref().expect("made above");
            for _ in 0..rounds {
                if i % 2 == 0 {
                    partner.unpark();
                    parker.park();
                } else {
                    parker.park();
                    partner.unpark();
                }
                watchdog.tick();
            }
        });
    }

    /// Tokens fall together; what they announce does not.
    #[test]
    fn many_unparkers() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (threads, rounds) = (crowd(), scaled(8_000));
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        let announced = AtomicUsize::new(0);
        let announce = |i| {
            let mut rng = Rng::stream(seed, i);
            for _ in 0..rounds {
                announced.fetch_add(1, Relaxed);
                unparker.unpark();
                work(&mut rng);
            }
        };
        thread::scope(|s| {
            let announce = &announce;
            let announcers: Vec<_> =
                (0..threads as u64).map(|i| s.spawn(move || announce(i))).collect();
            let mut seen = 0;
            while seen < threads * rounds {
                parker.park();
                seen += announced.swap(0, Relaxed);
                watchdog.tick();
            }
            join_all(announcers);
        });
    }

    #[test]
    fn with_limits() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let rounds = scaled(8_000);
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        let (left, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|s| {
            let unparking = s.spawn(|| {
                let mut rng = Rng::stream(seed, 1);
                for _ in 0..rounds {
                    // One token at a time, so that each is worth a park.
                    while left.load(Relaxed) > taken.load(Relaxed) {
                        thread::yield_now();
                    }
                    left.fetch_add(1, Relaxed);
                    unparker.unpark();
                    work(&mut rng);
                }
            });
            let mut rng = Rng::stream(seed, 2);
            while taken.load(Relaxed) < rounds {
                if parker.park_for(soon(&mut rng)) {
                    taken.fetch_add(1, Relaxed);
                    watchdog.tick();
                }
            }
            unparking.join().unwrap();
        });
    }
}

mod event {
    use super::*;

    /// The turn goes round a ring of threads, each with an automatic event of its own.
    #[test]
    fn ring() {
        let watchdog = Watchdog::start();
        let (threads, laps) = (crowd(), scaled(1_500));
        let mine: Vec<_> = (0..threads).map(|_| Event::auto()).collect();
        let turns = Mutex::new(0);
        mine[0].set();
        together(threads, |me| {
            for _ in 0..laps {
                mine[me].wait();
                *turns.try_lock().expect("it is nobody else's turn") += 1;
                mine[(me + 1) % threads].set();
                watchdog.tick();
            }
        });
        assert_eq!(turns.into_inner(), threads * laps);
    }

    /// One token for all, as a mutex: every set is taken by one thread, limits or not.
    #[test]
    fn one_at_a_time() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (threads, rounds) = (crowd(), scaled(4_000));
        let (token, halves) = (Event::auto(), Mutex::new(Halves::default()));
        token.set();
        let entered = together(threads, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            let mut entered = 0;
            for round in 0..rounds {
                if i % 2 == 0 {
                    token.wait();
                } else if !token.wait_for(soon(&mut rng)) {
                    continue;
                }
                halves.try_lock().expect("the token is here").add(&mut rng);
                entered += 1;
                if rng.one_in(32) {
                    thread::yield_now(); // the others sleep
                }
                token.set();
                if round % 64 == 0 {
                    watchdog.tick();
                }
            }
            entered
        });
        assert!(token.try_wait() && !token.try_wait());
        assert_eq!(halves.into_inner().left, entered.iter().sum::<u64>());
    }

    /// Producers set, one consumer resets, looks, and waits if there was nothing.
    #[test]
    fn reset_and_look() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (producers, each) = (crowd(), scaled(4_000));
        let (event, work) = (Event::manual(), AtomicUsize::new(0));
        together(producers + 1, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            if i > 0 {
                for _ in 0..each {
                    work.fetch_add(1, Relaxed);
                    event.set();
                    if rng.one_in(8) {
                        thread::yield_now();
                    }
                }
                return;
            }
            let mut missing = producers * each;
            while missing > 0 {
                event.reset();
                match work.swap(0, Relaxed) {
                    0 => event.wait(),
                    found => missing -= found,
                }
                watchdog.tick();
            }
        });
    }
}

mod latch {
    use super::*;

    /// Half of the crowd steps, the other half waits, on one latch after the other.
    #[test]
    fn many() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (pairs, count) = (crowd() / 2, scaled(2_000));
        let latches: Vec<_> = (0..count).map(|_| Latch::new(pairs as u32)).collect();
        let steps: Vec<_> = (0..count).map(|_| AtomicUsize::new(0)).collect();
        together(2 * pairs, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            for (latch, steps) in latches.iter().zip(&steps) {
                if i < pairs {
                    work(&mut rng);
                    steps.fetch_add(1, Relaxed);
                    latch.count_down(1);
                } else {
                    latch.wait();
                    assert_eq!(steps.load(Relaxed), pairs);
                }
                watchdog.tick();
            }
        });
    }
}

mod wait_group {
    use super::*;

    /// A group in use again and again, by one who waits for each batch, and others who wait for any
    /// zero, with limits and without.
    #[test]
    fn batches() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (workers, batches) = (crowd(), scaled(1_000));
        let group = Arc::new(WaitGroup::new());
        let jobs = BlockingQueue::new(workers);
        let (done, over) = (AtomicUsize::new(0), AtomicBool::new(false));
        together(workers + 3, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            if i < workers {
                while let Ok(token) = jobs.pop() {
                    work(&mut rng);
                    done.fetch_add(1, Relaxed);
                    drop(token);
                }
            } else if i == workers {
                for batch in 1..=batches {
                    for _ in 0..workers {
                        jobs.push(group.token_arc()).expect("open");
                    }
                    group.wait();
                    assert_eq!(done.load(Relaxed), batch * workers);
                    watchdog.tick();
                }
                over.store(true, Relaxed);
                jobs.close();
            } else {
                while !over.load(Relaxed) {
                    if i % 2 == 0 {
                        group.wait();
                    } else {
                        let _in_time = group.wait_for(soon(&mut rng));
                    }
                    if rng.one_in(4) {
                        thread::yield_now();
                    }
                }
            }
        });
        assert_eq!(group.count(), 0);
    }
}

mod barrier {
    use super::*;

    /// Nobody is a meeting ahead or behind.
    #[test]
    fn meetings() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (threads, meetings) = (crowd(), scaled(1_500));
        let barrier = Barrier::new(threads);
        let at: Vec<_> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
        let leaders = together(threads, |me| {
            let mut rng = Rng::stream(seed, me as u64);
            let mut leader = 0;
            for meeting in 1..=meetings {
                at[me].store(meeting, Relaxed);
                if rng.one_in(4) {
                    work(&mut rng);
                }
                leader += usize::from(barrier.wait().expect("nobody gives up").is_leader());
                for other in &at {
                    let other = other.load(Relaxed);
                    assert!(other == meeting || other == meeting + 1, "{other} at {meeting}");
                }
                watchdog.tick();
            }
            leader
        });
        assert_eq!(leaders.into_iter().sum::<usize>(), meetings);
    }

    /// Limits that often pass, and one that mends: `Ok` is only said if all have come.
    #[test]
    fn broken_and_mended() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (threads, rounds) = (crowd(), scaled(2_000));
        let barrier = Barrier::new(threads);
        let (arrivals, met) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let inside = AtomicUsize::new(threads);
        together(threads + 1, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            if i == threads {
                while inside.load(Relaxed) > 0 {
                    if barrier.is_broken() {
                        barrier.reset();
                    }
                    thread::yield_now();
                }
                return;
            }
            for _ in 0..rounds {
                let before = arrivals.fetch_add(1, Relaxed);
                match barrier.wait_for(soon(&mut rng)) {
                    Ok(_) => {
                        let now = arrivals.load(Relaxed);
                        // All others came since this one did, or were there.
                        assert!(now >= threads, "{before} then {now}");
                        met.fetch_add(1, Relaxed);
                    }
                    Err(BarrierError::Broken) => thread::yield_now(),
                    Err(_) => {}
                }
                watchdog.tick();
            }
            inside.fetch_sub(1, Relaxed);
        });
        println!("{} of {} met", met.into_inner(), threads * rounds);
    }
}

/// Values that name their producer and their place in its sequence.
fn value(producer: usize, n: usize) -> u64 {
    (producer as u64) << 32 | n as u64
}

/// What consumers took: from each producer in order, and together every value once.
fn check_delivery(taken: &[Vec<u64>], sent: &[usize]) {
    for consumer in taken {
        let mut last = vec![None; sent.len()];
        for &value in consumer {
            let (producer, n) = ((value >> 32) as usize, value as u32);
            assert!(last[producer] < Some(n), "{n} of {producer} after {:?}", last[producer]);
            last[producer] = Some(n);
        }
    }
    let mut all: Vec<u64> = taken.iter().flatten().copied().collect();
    all.sort_unstable();
    let expected = sent
        .iter()
        .enumerate()
        .flat_map(|(producer, &count)| (0..count).map(move |n| (producer, n)));
    assert!(all.into_iter().eq(expected.map(|(producer, n)| value(producer, n))));
}

mod seg_queue;

mod array_queue {
    use super::*;

    #[test]
    fn many_to_many() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let pairs = crowd() / 2;
        for (capacity, each) in [(1, 500), (2, 2_000), (7, 4_000), (64, 4_000)] {
            let each = scaled(each);
            let queue = ArrayQueue::new(capacity);
            let missing = AtomicUsize::new(pairs * each);
            let taken = together(2 * pairs, |i| {
                let mut rng = Rng::stream(seed, i as u64);
                let mut taken = Vec::new();
                if i < pairs {
                    for n in 0..each {
                        let mut refused = value(i, n);
                        while let Err(back) = queue.push(refused) {
                            refused = back;
                            thread::yield_now();
                        }
                        if rng.one_in(16) {
                            work(&mut rng);
                        }
                    }
                } else {
                    while missing.load(Relaxed) > 0 {
                        match queue.pop() {
                            Some(value) => {
                                taken.push(value);
                                missing.fetch_sub(1, Relaxed);
                                watchdog.tick();
                            }
                            None => thread::yield_now(),
                        }
                    }
                }
                taken
            });
            check_delivery(&taken, &vec![each; pairs]);
            assert!(queue.is_empty());
        }
    }
}

mod array_queue_forms {
    use super::*;

    /// Every form of push and pop, and what is displaced: each value comes out once, and those of
    /// one producer in their order.
    #[test]
    fn every_form() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let pairs = crowd() / 2;
        for (capacity, each) in [(1, 1_000), (2, 4_000), (7, 16_000), (64, 24_000)] {
            let each = scaled(each);
            let queue = ArrayQueue::new(capacity);
            let missing = AtomicUsize::new(pairs * each);
            let taken = together(2 * pairs, |i| {
                let mut rng = Rng::stream(seed, i as u64);
                let mut taken = Vec::new();
                if i < pairs {
                    produce(&queue, i, each, &mut rng, &mut taken);
                    missing.fetch_sub(taken.len(), Relaxed);
                    return taken;
                }
                while missing.load(Relaxed) > 0 {
                    let before = taken.len();
                    match rng.below(4) {
                        0 => taken.extend(queue.pop()),
                        1 => taken.extend(queue.try_pop()),
                        2 => _ = queue.pop_many(&mut taken, 1 + rng.below(7) as usize),
                        _ => taken.extend(queue.try_iter().take(3)),
                    }
                    if taken.len() == before {
                        thread::yield_now();
                    }
                    missing.fetch_sub(taken.len() - before, Relaxed);
                    watchdog.tick();
                }
                taken
            });
            check_delivery(&taken, &vec![each; pairs]);
            assert!(queue.is_empty());
        }
    }

    fn produce(
        queue: &ArrayQueue<u64>,
        producer: usize,
        each: usize,
        rng: &mut Rng,
        displaced: &mut Vec<u64>,
    ) {
        let mut n = 0;
        while n < each {
            let mut refused = value(producer, n);
            match rng.below(8) {
                0 => displaced.extend(queue.force_push(refused)),
                1 | 2 => {
                    while let Err(back) = queue.try_push(refused) {
                        refused = back.into_inner();
                        thread::yield_now();
                    }
                }
                3 | 4 => {
                    let end = each.min(n + 1 + rng.below(9) as usize);
                    let mut batch: Vec<u64> = (n..end).map(|n| value(producer, n)).collect();
                    while !batch.is_empty() {
                        if queue.push_many(&mut batch) == 0 {
                            thread::yield_now();
                        }
                    }
                    n = end;
                    continue;
                }
                _ => {
                    while let Err(back) = queue.push(refused) {
                        refused = back;
                        thread::yield_now();
                    }
                }
            }
            n += 1;
        }
    }
}

mod spsc {
    use lockwork::queue::{Ahead, spsc};

    use super::*;

    /// Boxes, so that one that is dropped twice or not at all is found.
    #[test]
    fn streams() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        for (capacity, count) in [(1, 4_000), (2, 20_000), (5, 100_000), (64, 200_000)] {
            let count = scaled(count);
            let (mut producer, mut consumer) = spsc::ring(capacity);
            thread::scope(|s| {
                let sender = s.spawn(move || {
                    let mut rng = Rng::stream(seed, 0);
                    let mut values = Ahead::new((0..count).map(Box::new));
                    let mut held = None;
                    while let Some(value) = held.take().or_else(|| values.next()) {
                        match rng.below(4) {
                            0 => {
                                if let Ok(chunk) = producer.write_chunk_uninit(1) {
                                    assert_eq!(chunk.fill_from_iter([value]), 1);
                                } else {
                                    held = Some(value);
                                    thread::yield_now();
                                }
                            }
                            1 => {
                                let mut batch: Vec<_> =
                                    [value].into_iter().chain(values.by_ref().take(4)).collect();
                                while !batch.is_empty() {
                                    if producer.push_many(&mut batch) == 0 {
                                        thread::yield_now();
                                    }
                                }
                                producer.push_many(&mut values);
                            }
                            _ => {
                                held = producer.push(value).err();
                                if held.is_some() {
                                    thread::yield_now();
                                }
                            }
                        }
                    }
                });
                let mut rng = Rng::stream(seed, 1);
                let (mut next, mut batch) = (0, Vec::new());
                loop {
                    let last = consumer.is_abandoned();
                    match rng.below(4) {
                        0 => _ = consumer.pop_many(&mut batch, 1 + rng.below(9) as usize),
                        1 => {
                            let some = consumer.slots().min(3);
                            let chunk = consumer.read_chunk(some).expect("only more by now");
                            batch.extend(chunk.into_iter().take(2));
                        }
                        2 if consumer.peek().is_some_and(|value| **value == next) => {
                            consumer.read_chunk(1).expect("just seen").commit_all();
                            next += 1;
                        }
                        _ => batch.extend(consumer.pop()),
                    }
                    if batch.is_empty() {
                        if last && consumer.is_empty() {
                            break;
                        }
                        thread::yield_now();
                    }
                    for value in batch.drain(..) {
                        assert_eq!(*value, next, "out of order");
                        next += 1;
                    }
                    watchdog.tick();
                }
                assert_eq!(next, count);
                join_all([sender]);
            });
        }
    }

    /// Ends that go at any time, with values inside.
    #[test]
    fn ends_go() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let token = Arc::new(());
        for round in 0..scaled(2_000) {
            let (mut producer, mut consumer) = spsc::ring(4);
            let (sent, got) = (seed.wrapping_add(round as u64) % 7, round % 5);
            let ends = thread::scope(|s| {
                let token = token.clone();
                let sender = s.spawn(move || {
                    for _ in 0..sent {
                        if producer.push(Box::new(token.clone())).is_err() {
                            break;
                        }
                    }
                });
                let receiver = s.spawn(move || (0..got).filter_map(|_| consumer.pop()).count());
                join_all([sender]);
                join_all([receiver])
            });
            assert!(ends[0] <= got);
            assert_eq!(Arc::strong_count(&token), 1, "a value was lost");
            watchdog.tick();
        }
    }
}

/// Channels: the ends are dropped as each thread is done.
mod channel {
    use lockwork::queue::channel::{Receiver, Sender, bounded, rendezvous};

    use super::*;

    fn deliver(ends: (Sender<u64>, Receiver<u64>), producers: usize, each: usize) {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let consumers = crowd() - producers;
        let (sender, receiver) = ends;
        let ends: Vec<_> = (0..producers + consumers)
            .map(|i| {
                Mutex::new(Some(match i < producers {
                    true => Ok(sender.clone()),
                    false => Err(receiver.clone()),
                }))
            })
            .collect();
        drop((sender, receiver));
        let taken = together(producers + consumers, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            let mut taken = Vec::new();
            let end = ends[i].lock().take().expect("each has one");
            match end {
                Ok(sender) => {
                    for n in 0..each {
                        sender.send(value(i, n)).expect("there are receivers until all is in");
                        if rng.one_in(16) {
                            work(&mut rng);
                        }
                    }
                }
                Err(receiver) => {
                    for value in receiver {
                        taken.push(value);
                        watchdog.tick();
                        if rng.one_in(16) {
                            work(&mut rng);
                        }
                    }
                }
            }
            taken
        });
        check_delivery(&taken, &vec![each; producers]);
    }

    #[test]
    fn few_places() {
        deliver(bounded(2), crowd() / 2, scaled(4_000));
    }

    #[test]
    fn many_senders_and_no_places() {
        deliver(rendezvous(), crowd() - 1, scaled(1_000));
    }

    #[test]
    fn many_receivers_and_no_places() {
        deliver(rendezvous(), 1, scaled(8_000));
    }
}

mod blocking_queue {
    use super::*;

    /// Producers and consumers who sleep without a limit; the last producer closes.
    fn deliver(capacity: usize, producers: usize, consumers: usize, each: usize) {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let queue = BlockingQueue::new(capacity);
        let producing = AtomicUsize::new(producers);
        let taken = together(producers + consumers, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            let mut taken = Vec::new();
            if i < producers {
                for n in 0..each {
                    queue.push(value(i, n)).expect("open until all is in");
                    if rng.one_in(16) {
                        work(&mut rng);
                    }
                }
                if producing.fetch_sub(1, Relaxed) == 1 {
                    assert!(queue.close());
                }
            } else {
                loop {
                    match queue.pop() {
                        Ok(value) => taken.push(value),
                        Err(end) => {
                            assert_eq!(end, PopError::Closed);
                            break;
                        }
                    }
                    watchdog.tick();
                    if rng.one_in(16) {
                        work(&mut rng);
                    }
                }
            }
            taken
        });
        check_delivery(&taken, &vec![each; producers]);
    }

    #[test]
    fn capacity_one() {
        let pairs = crowd() / 2;
        deliver(1, pairs, pairs, scaled(4_000));
    }

    #[test]
    fn capacity_three_and_few_consumers() {
        deliver(3, crowd() - 1, 1, scaled(4_000));
    }

    #[test]
    fn few_producers() {
        deliver(7, 1, crowd() - 1, scaled(16_000));
    }

    /// Two threads, each going to sleep just as the other comes to wake it.
    #[test]
    fn ping_pong() {
        let watchdog = Watchdog::start();
        let rounds = scaled(8_000);
        let queues = [BlockingQueue::new(1), BlockingQueue::new(1)];
        together(2, |i| {
            for n in 0..rounds {
                if i == 0 {
                    queues[0].push(n).unwrap();
                }
                assert_eq!(queues[1 - i].pop(), Ok(n)); // what the other sent
                if i == 1 {
                    queues[1].push(n).unwrap();
                }
                watchdog.tick();
            }
        });
    }

    /// Closed in the middle of it: what was accepted is delivered, what was refused is not.
    #[test]
    fn closed_at_any_time() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let pairs = crowd() / 2;
        for round in 0..scaled(240) as u64 {
            let queue = BlockingQueue::new(1 + (round % 3) as usize);
            let accepted = AtomicUsize::new(0);
            let ends = together(2 * pairs + 1, |i| {
                let mut taken = Vec::new();
                let mut sent = 0;
                if i < pairs {
                    while queue.push(value(i, sent)).is_ok() {
                        sent += 1;
                        accepted.fetch_add(1, Relaxed);
                    }
                } else if i < 2 * pairs {
                    while let Ok(value) = queue.pop() {
                        taken.push(value);
                    }
                } else {
                    let enough = Rng::stream(seed, round).below(500) as usize;
                    while accepted.load(Relaxed) < enough {
                        thread::yield_now();
                    }
                    assert!(queue.close());
                }
                (sent, taken)
            });
            watchdog.tick();
            let sent: Vec<usize> = ends[..pairs].iter().map(|(sent, _)| *sent).collect();
            let taken: Vec<Vec<u64>> = ends.into_iter().map(|(_, taken)| taken).collect();
            check_delivery(&taken, &sent);
            assert!(queue.is_empty());
        }
    }

    /// Limits on both sides: a value is delivered or comes back, never both.
    #[test]
    fn with_limits() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (pairs, each) = (crowd() / 2, scaled(2_000));
        let queue = BlockingQueue::new(2);
        let producing = AtomicUsize::new(pairs);
        let taken = together(2 * pairs, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            let mut taken = Vec::new();
            if i < pairs {
                for n in 0..each {
                    let mut value = value(i, n);
                    while let Err(refused) = queue.push_for(value, soon(&mut rng)) {
                        assert_eq!(refused.reason(), PushErrorReason::TimedOut);
                        value = refused.into_inner();
                    }
                }
                if producing.fetch_sub(1, Relaxed) == 1 {
                    queue.close();
                }
            } else {
                loop {
                    // Some consumers have no limit: they must not miss what the others give up.
                    let end = if i % 3 == 0 { queue.pop() } else { queue.pop_for(soon(&mut rng)) };
                    match end {
                        Ok(value) => taken.push(value),
                        Err(PopError::Closed) => break,
                        Err(end) => assert_eq!(end, PopError::TimedOut),
                    }
                    watchdog.tick();
                }
            }
            taken
        });
        check_delivery(&taken, &vec![each; pairs]);
    }

    /// Values that own memory: each is dropped once, wherever it ends.
    #[test]
    fn owned_values() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let token = Arc::new(());
        for round in 0..scaled(120) as u64 {
            let queue = BlockingQueue::new(3);
            let accepted = AtomicUsize::new(0);
            together(6, |i| {
                let mut rng = Rng::stream(seed, round << 8 | i as u64);
                match i {
                    0 | 1 => {
                        while queue.push(Box::new(token.clone())).is_ok() {
                            accepted.fetch_add(1, Relaxed);
                        }
                    }
                    2 | 3 => while queue.pop().is_ok() {},
                    4 => while queue.pop_for(soon(&mut rng)) != Err(PopError::Closed) {},
                    _ => {
                        let enough = rng.below(300) as usize;
                        while accepted.load(Relaxed) < enough {
                            thread::yield_now();
                        }
                        queue.close();
                    }
                }
            });
            watchdog.tick();
            drop(queue);
            assert_eq!(Arc::strong_count(&token), 1);
        }
    }
}

mod made_once {
    use super::*;

    /// Attempts that panic, fail and succeed, and all kinds of sleepers, on one after the other.
    #[test]
    fn all_kinds() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        for round in 0..scaled(100) as u64 {
            let (once, place) = (Once::new(), OnceLock::new());
            let (runs, tries) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let (whole, limit) = (AtomicU64::new(0), 3);
            let seen = together(crowd(), |i| {
                let mut rng = Rng::stream(seed, round << 8 | i as u64);
                work(&mut rng);
                match i % 4 {
                    0 => once.call_once_force(|_| {
                        work(&mut rng);
                        whole.store(1, Relaxed);
                        runs.fetch_add(1, Relaxed);
                    }),
                    1 => once.wait(),
                    2 => _ = once.wait_for(soon(&mut rng)),
                    _ => once.wait_force(),
                }
                assert!(!once.is_completed() || whole.load(Relaxed) == 1, "done and not seen");
                // Each fails a few times, and so does everybody together.
                let made = loop {
                    let attempt = place.get_or_try_init(|| {
                        if rng.one_in(4) {
                            thread::yield_now(); // the others sleep
                        }
                        match tries.fetch_add(1, Relaxed) {
                            n if n < limit => Err(n),
                            n => Ok(Box::new(n)),
                        }
                    });
                    match attempt {
                        Ok(made) => break **made,
                        Err(n) => assert!(n < limit),
                    }
                };
                assert_eq!(place.wait(), &Box::new(made));
                made
            });
            assert_eq!(runs.load(Relaxed), 1);
            assert_eq!(tries.load(Relaxed), limit + 1, "a try too many");
            assert!(seen.into_iter().all(|made| made == limit));
            watchdog.tick();
        }
    }
}

mod seq_lock {
    use super::*;

    /// Readers check each copy; writers add, and nothing is lost.
    #[test]
    fn copies_are_whole() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (threads, rounds) = (crowd(), scaled(20_000));
        let lock = SeqLock::new([0_u64; 9]);
        let check = |copy: [u64; 9]| {
            assert!(copy.iter().all(|&word| word == copy[0]), "torn: {copy:?}");
            copy[0]
        };
        together(threads, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            let mut last = 0;
            for round in 0..rounds {
                if i % 4 == 0 {
                    lock.update(|words| words.iter_mut().for_each(|word| *word += 1));
                } else {
                    let seen = check(lock.read());
                    assert!(seen >= last, "back in time");
                    last = lock.try_read().map_or(seen, check);
                    assert!(last >= seen);
                }
                if rng.one_in(64) {
                    thread::yield_now();
                }
                if round % 64 == 0 {
                    watchdog.tick();
                }
            }
        });
        assert_eq!(check(lock.into_inner()), (threads.div_ceil(4) * rounds) as u64);
    }
}

mod spin_lock {
    use super::*;

    /// Sections from nothing to a time slice: waiters poll, and sleep.
    #[test]
    fn short_and_long_sections() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (threads, rounds) = (crowd(), scaled(500));
        let lock = SpinLock::new(Halves::default());
        together(threads, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            for round in 0..rounds {
                let mut halves = lock.lock();
                halves.add(&mut rng);
                if rng.one_in(64) {
                    thread::yield_now(); // with the lock held: some go to sleep
                }
                drop(halves);
                if round % 64 == 0 {
                    watchdog.tick();
                }
            }
        });
        let halves = lock.into_inner();
        assert_eq!((halves.left, halves.right), ((threads * rounds) as u64, halves.left));
    }
}
