//! The ends of threads and processes: locks in the destructors of thread locals, and threads that
//! still wait when the process goes.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{LazyLock, OnceLock};
use std::thread;
use std::time::Duration;

use lockwork::pool::ThreadPool;
use lockwork::queue::BlockingQueue;
use lockwork::{
    Condvar, FairMutex, Mutex, MutexGuard, Parker, RecursiveRwLock, ReentrantMutex,
    ReentrantMutexGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
    Unparker,
};

use super::runner::{Case, Outcome};
use super::support::scaled;
use super::support::threads::{asleep, join_all};

pub(crate) const CASES: &[Case] = &[
    ("endings::destructors_of_thread_locals", destructors_of_thread_locals),
    ("endings::destructors_beside_others", destructors_beside_others),
    ("endings::guards_in_thread_locals", guards_in_thread_locals),
    ("endings::a_pool_in_a_destructor", a_pool_in_a_destructor),
    ("endings::the_process_ends_while_threads_wait", the_process_ends_while_threads_wait),
];

static LOG: Mutex<Vec<&str>> = Mutex::new(Vec::new());
static TURN: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());
static FAIR: FairMutex<usize> = FairMutex::new(0);
static LEVELS: ReentrantMutex<Cell<usize>> = ReentrantMutex::new(Cell::new(0));
static TABLE: RwLock<usize> = RwLock::new(0);
static RECURSIVE: RecursiveRwLock<usize> = RecursiveRwLock::new(0);
static QUEUE: LazyLock<BlockingQueue<usize>> = LazyLock::new(|| BlockingQueue::new(1));
static UNPARKER: OnceLock<Unparker> = OnceLock::new();

/// Uses everything when its thread ends.
struct Last(&'static str);

impl Drop for Last {
    fn drop(&mut self) {
        LOG.lock().push(self.0);
        let (turn, changed) = &TURN;
        // Waits, by sleeping, for its thread's turn, and for nothing.
        let mut turn = turn.lock();
        *turn += 1;
        changed.notify_all();
        changed.wait_while(&mut turn, |turn| *turn % 4 != 0);
        let _ = changed.wait_for(&mut turn, Duration::from_millis(1));
        drop(turn);
        QUEUE.push(1).unwrap();
        add_in_every_way();
        let parker = Parker::new();
        assert!(!parker.park_for(Duration::from_millis(1)));
        UNPARKER.get().unwrap().unpark();
    }
}

/// Adds one to each of the locked numbers, and the like to those of the reader-writer locks.
fn add_in_every_way() {
    *FAIR.lock() += 1;
    let outer = LEVELS.lock();
    LEVELS.lock().set(outer.get() + 1);
    assert!(LEVELS.is_owned_by_current_thread());
    drop(outer);
    assert!(!LEVELS.is_owned_by_current_thread());
    macro_rules! add {
        ($lock:ident) => {
            *$lock.write() += 1;
            let before = *$lock.read();
            assert!(before > 0);
            $lock.upgradable_read().with_upgraded(|value| *value += 1);
            drop($lock.try_write_for(Duration::from_micros(20)));
            assert!(*$lock.read() > before);
        };
    }
    add!(TABLE);
    add!(RECURSIVE);
}

thread_local! {
    static BEFORE: RefCell<Option<Last>> = const { RefCell::new(None) };
    static AFTER: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// Whether the thread used the locks before, after, or not at all.
fn destructors_of_thread_locals() -> Outcome {
    let parker = Parker::new();
    UNPARKER.set(parker.unparker().clone()).expect("the only case of this process");
    let threads: [_; 4] = std::array::from_fn(|i| {
        thread::spawn(move || {
            if i % 2 == 0 {
                BEFORE.set(Some(Last("before")));
            }
            if i < 2 {
                drop(LOG.lock());
                drop((FAIR.lock(), LEVELS.lock(), TABLE.read(), RECURSIVE.read()));
                let idle = Condvar::new();
                assert!(idle.wait_for(&mut Mutex::new(()).lock(), Duration::ZERO).timed_out());
            }
            if i % 2 == 1 {
                AFTER.set(Some(Last("after")));
            }
        })
    });
    for _ in 0..4 {
        assert_eq!(QUEUE.pop(), Ok(1));
    }
    parker.park();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!((*FAIR.lock(), LEVELS.lock().get()), (4, 4));
    assert_eq!((*TABLE.read(), *RECURSIVE.read()), (8, 8));
    let mut log = LOG.lock();
    log.sort_unstable();
    assert_eq!(*log, ["after", "after", "before", "before"]);
    Outcome::Passed
}

/// Threads end one after the other, and what their locals do at the end is in the middle of a crowd
/// that does the same: it polls, sleeps, and is woken, when its thread has no more code of its own.
fn destructors_beside_others() -> Outcome {
    struct Adds;
    impl Drop for Adds {
        fn drop(&mut self) {
            (0..8).for_each(|_| add_in_every_way());
        }
    }
    thread_local!(static ADDS: RefCell<Option<Adds>> = const { RefCell::new(None) });
    let (endings, stop) = (scaled(200), AtomicBool::new(false));
    let others: usize = thread::scope(|s| {
        let others = [0; 2].map(|_| {
            s.spawn(|| {
                let mut rounds = 0;
                while !stop.load(Relaxed) {
                    add_in_every_way();
                    rounds += 1;
                }
                rounds
            })
        });
        for i in 0..endings {
            let pair = [0; 2].map(|_| {
                thread::spawn(move || {
                    ADDS.set(Some(Adds));
                    if i % 2 == 0 {
                        drop(LEVELS.lock()); // known by its number before, or in the end only
                    }
                })
            });
            // Not by a scope, which does not wait for destructors.
            pair.into_iter().for_each(|thread| thread.join().unwrap());
        }
        stop.store(true, Relaxed);
        join_all(others).iter().sum()
    });
    let total = others + endings * 2 * 8;
    assert_eq!((*FAIR.lock(), LEVELS.lock().get()), (total, total));
    assert_eq!((*TABLE.read(), *RECURSIVE.read()), (2 * total, 2 * total));
    Outcome::Passed
}

static HELD: (Mutex<usize>, ReentrantMutex<Cell<usize>>) =
    (Mutex::new(0), ReentrantMutex::new(Cell::new(0)));
static READ: (RwLock<()>, RwLock<usize>) = (RwLock::new(()), RwLock::new(0));

/// Locks kept until the thread ends: dropped there, by the thread that has them.
struct Kept {
    _plain: MutexGuard<'static, usize>,
    levels: [ReentrantMutexGuard<'static, Cell<usize>>; 2],
    _reading: RwLockReadGuard<'static, ()>,
    /// Becomes a writer in the end.
    upgradable: Option<RwLockUpgradableReadGuard<'static, usize>>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        assert!(HELD.0.is_locked() && HELD.1.is_owned_by_current_thread());
        self.levels[1].set(self.levels[0].get() + 1);
        HELD.1.lock().set(self.levels[0].get() + 1);
        assert!(READ.0.is_locked() && !READ.0.is_locked_exclusive());
        let upgradable = self.upgradable.take().expect("kept until now");
        let mut writing: RwLockWriteGuard<'_, _> = RwLockUpgradableReadGuard::upgrade(upgradable);
        *writing += 1;
    }
}

fn guards_in_thread_locals() -> Outcome {
    thread_local!(static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) });
    let keep = || {
        let mut plain = HELD.0.lock();
        *plain += 1;
        let levels = [HELD.1.lock(), HELD.1.lock()];
        let (_reading, upgradable) = (READ.0.read(), Some(READ.1.upgradable_read()));
        KEPT.set(Some(Kept { _plain: plain, levels, _reading, upgradable }));
    };
    // Each next one sleeps until the one before it has ended.
    let threads: [_; 4] = std::array::from_fn(|_| thread::spawn(keep));
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!((*HELD.0.lock(), HELD.1.lock().get(), *READ.1.read()), (4, 8, 4));
    assert!(READ.0.try_write().is_some());
    Outcome::Passed
}

static POOL: OnceLock<ThreadPool> = OnceLock::new();
static RAN: AtomicUsize = AtomicUsize::new(0);

struct Submits;

impl Drop for Submits {
    fn drop(&mut self) {
        let pool = POOL.get().expect("set before any thread was started");
        let task = pool.submit(|| RAN.fetch_add(1, Relaxed)).expect("room enough");
        task.join().unwrap();
        // A pool of its own, begun and ended here.
        let own = ThreadPool::builder().threads(1).build().unwrap();
        own.execute(|| _ = RAN.fetch_add(1, Relaxed)).unwrap();
    }
}

thread_local! {
    static SUBMITS: RefCell<Option<Submits>> = const { RefCell::new(None) };
}

/// Also in a worker: the locals of one pool's threads submit to another pool while theirs ends.
fn a_pool_in_a_destructor() -> Outcome {
    let pool = ThreadPool::builder().threads(2).build().unwrap();
    assert!(POOL.set(pool).is_ok());
    thread::spawn(|| SUBMITS.set(Some(Submits))).join().unwrap();
    assert_eq!(RAN.load(Relaxed), 2);
    let other = ThreadPool::builder().threads(1).build().unwrap();
    other.execute(|| SUBMITS.set(Some(Submits))).unwrap();
    drop(other);
    assert_eq!(RAN.load(Relaxed), 4, "joined, destructors included");
    Outcome::Passed
}

/// Nothing of ours keeps a process from ending.
fn the_process_ends_while_threads_wait() -> Outcome {
    static HELD: Mutex<()> = Mutex::new(());
    static NEVER: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());
    std::mem::forget(HELD.lock());
    static TAKEN: (RwLock<()>, FairMutex<()>) = (RwLock::new(()), FairMutex::new(()));
    std::mem::forget((TAKEN.0.write(), TAKEN.1.lock()));
    let waits: [fn(); 8] = [
        || drop(HELD.lock()),
        || drop(TAKEN.0.read()),
        || drop(TAKEN.0.write()),
        || drop(TAKEN.0.upgradable_read()),
        || drop(TAKEN.1.lock()),
        || NEVER.1.wait(&mut NEVER.0.lock()),
        || _ = QUEUE.pop(),
        || Parker::new().park(),
    ];
    static ASLEEP: AtomicUsize = AtomicUsize::new(0);
    for wait in waits {
        // In a thread that is never joined: its scope waits for ever for what sleeps for ever.
        thread::spawn(move || {
            thread::scope(|s| {
                asleep(s, None, wait);
                ASLEEP.fetch_add(1, Relaxed);
            });
        });
    }
    while ASLEEP.load(Relaxed) < waits.len() {
        thread::yield_now();
    }
    let pool = ThreadPool::builder().threads(2).build().unwrap();
    assert!(POOL.set(pool).is_ok(), "a static, so it is never dropped");
    Outcome::Passed // and returns from main
}
