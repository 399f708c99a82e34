//! Locks in a child of fork: what was free works, what cannot work is no silent hang.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::queue::{ArrayQueue, BlockingQueue, PopError, SegQueue};
use lockwork::rwlock::Lock;
use lockwork::{
    Barrier, BarrierError, Condvar, CondvarAny, Event, FairMutex, FairMutexGuard, FairSemaphore,
    Latch, LazyLock, Mutex, MutexGuard, Once, OnceLock, OnceState, Parker, RecursiveRwLock,
    ReentrantMutex, ReentrantMutexGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard,
    RwLockWriteGuard, Semaphore, SeqLock, WaitGroup,
};

use super::forking::{fork, raw_clone};
use super::runner::{Case, Outcome};
use super::support::scaled;
use super::support::threads::{asleep, join_all, together, words_of};

pub(crate) const CASES: &[Case] = &[
    ("fork::a_mutex_held_by_another_thread", a_mutex_held_by_another_thread),
    ("fork::a_mutex_held_by_the_forking_thread", a_mutex_held_by_the_forking_thread),
    ("fork::a_free_mutex", a_free_mutex),
    ("fork::a_free_fair_mutex", a_free_fair_mutex),
    ("fork::a_free_reentrant_mutex", a_free_reentrant_mutex),
    ("fork::a_reentrant_mutex_held_by_the_forking_thread", || {
        reentrant_held_by_the_forking_thread(|child| fork(child))
    }),
    ("fork::a_reentrant_mutex_held_by_the_forking_thread_raw_clone", || {
        reentrant_held_by_the_forking_thread(|child| raw_clone(child))
    }),
    ("fork::a_reentrant_mutex_held_by_another_thread", reentrant_held_by_another_thread),
    ("fork::inside_unlocked", inside_unlocked),
    ("fork::a_free_rwlock", a_free_rwlock),
    ("fork::an_rwlock_held_by_the_forking_thread", an_rwlock_held_by_the_forking_thread),
    ("fork::an_rwlock_held_by_another_thread", an_rwlock_held_by_another_thread),
    ("fork::a_reader_for_whom_a_writer_waits", a_reader_for_whom_a_writer_waits),
    ("fork::leftovers", || leftovers(|child| fork(child))),
    ("fork::leftovers_raw_clone", || leftovers(|child| raw_clone(child))),
    ("fork::guards_of_every_kind", guards_of_every_kind),
    ("fork::locked_around_each_fork", locked_around_each_fork),
    ("fork::waiters_of_a_condvar", || waiters_of_a_condvar(|child| fork(child))),
    ("fork::waiters_of_a_condvar_raw_clone", || waiters_of_a_condvar(|child| raw_clone(child))),
    ("fork::a_condvar_in_use", a_condvar_in_use),
    ("fork::waiters_of_a_condvar_any", || waiters_of_a_condvar_any(|child| fork(child))),
    ("fork::waiters_of_a_condvar_any_raw_clone", || {
        waiters_of_a_condvar_any(|child| raw_clone(child))
    }),
    ("fork::three_generations", three_generations),
    ("fork::inside_a_condition", inside_a_condition),
    ("fork::a_once_in_each_state", a_once_in_each_state),
    ("fork::inside_a_once", inside_a_once),
    ("fork::while_another_thread_makes_a_value", while_another_thread_makes_a_value),
    ("fork::a_seq_lock", a_seq_lock),
    ("fork::a_parker", a_parker),
    ("fork::waiters_of_a_semaphore", || waiters_of_a_semaphore(|child| fork(child))),
    ("fork::waiters_of_a_semaphore_raw_clone", || waiters_of_a_semaphore(|child| raw_clone(child))),
    ("fork::semaphores_in_use", semaphores_in_use),
    ("fork::events", || events(|child| fork(child))),
    ("fork::events_raw_clone", || events(|child| raw_clone(child))),
    ("fork::latches_and_groups", latches_and_groups),
    ("fork::a_barrier", a_barrier),
    ("fork::queues_at_rest", queues_at_rest),
    ("fork::queues_with_sleepers", queues_with_sleepers),
    ("fork::an_unbounded_queue_in_use", an_unbounded_queue_in_use),
];

/// Mutual exclusion and wake-ups among the threads of this process.
fn use_mutex(mutex: &Mutex<u64>) {
    let before = *mutex.lock();
    let held = mutex.lock();
    thread::scope(|s| {
        let sleeper = asleep(s, words_of(mutex), || *mutex.lock() += 1);
        drop(held);
        sleeper.join().unwrap();
    });
    together(4, |_| {
        for _ in 0..500 {
            *mutex.lock() += 1;
        }
    });
    assert_eq!(*mutex.lock(), before + 2001);
}

/// Waits and notifications among the threads of this process.
fn use_condvar(changed: &Condvar) {
    let waiting = Mutex::new(0);
    assert!(changed.wait_for(&mut waiting.lock(), Duration::from_millis(1)).timed_out());
    thread::scope(|s| {
        let waiters: [_; 4] = std::array::from_fn(|_| {
            s.spawn(|| {
                let mut waiting = waiting.lock();
                *waiting += 1;
                changed.wait(&mut waiting);
            })
        });
        while *waiting.lock() < 4 {
            thread::yield_now();
        }
        drop(waiting.lock());
        assert!(changed.notify_one());
        assert_eq!(changed.notify_all(), 3);
        join_all(waiters);
    });
    assert!(!changed.notify_one());
}

/// Stays locked for ever, since its owner is not there; whoever waits with a limit gets to know.
fn a_mutex_held_by_another_thread() -> Outcome {
    let (held, free) = (Mutex::new(1), Mutex::new(0));
    let release = Parker::new();
    let unparker = release.unparker().clone();
    thread::scope(|s| {
        let held = &held;
        let owner = asleep(s, None, move || {
            let _guard = held.lock();
            release.park();
        });
        // One more is asleep on it, and is not there in the child either.
        let waiter = asleep(s, words_of(held), || *held.lock());
        fork(|| {
            assert!(held.is_locked());
            assert!(held.try_lock().is_none());
            assert!(held.try_lock_for(Duration::from_millis(20)).is_none());
            assert_eq!(format!("{held:?}"), "Mutex { data: <locked> }");
            use_mutex(&free);
        });
        unparker.unpark();
        owner.join().unwrap();
        assert_eq!(waiter.join().unwrap(), 1);
    });
    use_mutex(&held);
    Outcome::Passed
}

/// The guard is there in both processes, and each unlocks its own copy.
fn a_mutex_held_by_the_forking_thread() -> Outcome {
    let mutex = Mutex::new(0);
    thread::scope(|s| {
        let mutex = &mutex;
        let mut guard = mutex.lock();
        let waiter = asleep(s, words_of(mutex), || *mutex.lock() += 1);
        let copy = &mut guard;
        fork(move || {
            **copy = 5;
            // Unlocks a mutex whose word says that somebody sleeps. Nobody does, here.
            // SAFETY: this process ends without using the guard again.
            unsafe { std::ptr::drop_in_place(copy) };
            assert_eq!(*mutex.lock(), 5);
            use_mutex(mutex);
        });
        assert_eq!(*guard, 0);
        drop(guard);
        waiter.join().unwrap();
    });
    assert_eq!(mutex.into_inner(), 1);
    Outcome::Passed
}

/// Every kind of holder and sleeper among the threads of this process.
fn use_rwlock<const RECURSIVE: bool>(lock: &Lock<u64, RECURSIVE>) {
    assert!(lock.try_write().is_some() && lock.try_read().is_some());
    let before = *lock.read();
    let writing = lock.write();
    thread::scope(|s| {
        let reader = asleep(s, words_of(lock), || *lock.read());
        let writer = asleep(s, words_of(lock), || *lock.write() += 1);
        drop(writing);
        writer.join().unwrap();
        assert!(reader.join().unwrap() <= before + 1);
    });
    together(4, |i| {
        for _ in 0..500 {
            if i < 2 {
                *lock.write() += 1;
            } else {
                lock.upgradable_read().with_upgraded(|value| *value += 1);
            }
            assert!(*lock.read() > before);
        }
    });
    assert_eq!(*lock.read(), before + 2001);
}

fn a_free_rwlock() -> Outcome {
    fn forked<const RECURSIVE: bool>(lock: &Lock<u64, RECURSIVE>) {
        fork(|| use_rwlock(lock));
        raw_clone(|| use_rwlock(lock));
        use_rwlock(lock);
        fork(|| use_rwlock(lock));
        raw_clone(|| use_rwlock(lock));
        use_rwlock(lock);
    }
    forked(&RwLock::new(0));
    forked(&RecursiveRwLock::new(0));
    Outcome::Passed
}

/// Held for ever in the child, in the way that it was held: beside a reader who is not there one
/// can read. No wait with a limit outlasts it.
fn an_rwlock_held_by_another_thread() -> Outcome {
    fn held<const RECURSIVE: bool, G>(
        lock: &Lock<u64, RECURSIVE>,
        hold: impl FnOnce() -> G + Send,
        readable: bool,
        upgradable: bool,
    ) {
        let wait = Duration::from_millis(5);
        let release = Parker::new();
        let unparker = release.unparker().clone();
        thread::scope(|s| {
            let owner = asleep(s, None, move || {
                let _guard = hold();
                release.park();
            });
            fork(|| {
                for _ in 0..2 {
                    assert_eq!(lock.try_read_for(wait).is_some(), readable);
                    assert_eq!(lock.try_upgradable_read_for(wait).is_some(), upgradable);
                    if upgradable {
                        let mut reading = lock.upgradable_read();
                        assert!(reading.try_with_upgraded_for(wait, |_| ()).is_none());
                    }
                    assert!(lock.try_write_for(wait).is_none());
                    assert_eq!(lock.try_read().is_some(), readable, "after all who gave up");
                    assert!(lock.is_locked());
                }
            });
            unparker.unpark();
            owner.join().unwrap();
        });
        use_rwlock(lock);
    }
    fn each<const RECURSIVE: bool>(lock: &Lock<u64, RECURSIVE>) {
        held(lock, || lock.read(), true, true);
        held(lock, || lock.upgradable_read(), true, false);
        held(lock, || lock.write(), false, false);
    }
    each(&RwLock::new(0));
    each(&RecursiveRwLock::new(0));
    Outcome::Passed
}

/// The writer has claimed the lock and is not there to take it in the child, where the claim stays.
/// Whoever waits with a limit gets to know; in the parent all is as usual.
fn a_reader_for_whom_a_writer_waits() -> Outcome {
    let lock = RwLock::new(0);
    thread::scope(|s| {
        let mut reading = lock.read();
        let writer = asleep(s, words_of(&lock), || *lock.write() += 1);
        let copy = &mut reading;
        fork(|| {
            // SAFETY: this process ends without using the guard again.
            unsafe { std::ptr::drop_in_place(copy) };
            let wait = Duration::from_millis(5);
            assert!(lock.try_write_for(wait).is_none() && lock.try_read_for(wait).is_none());
        });
        drop(reading);
        writer.join().unwrap();
    });
    use_rwlock(&lock);
    Outcome::Passed
}

/// Free at the fork, but waiters have been there and given up, so that the words are not as new.
fn leftovers(fork: impl Fn(&mut dyn FnMut())) -> Outcome {
    let wait = Duration::from_millis(3);
    let (plain, fair) = (Mutex::new(0), FairMutex::new(0));
    let reentrant = ReentrantMutex::new(Cell::new(0));
    let (ordinary, recursive) = (RwLock::new(0), RecursiveRwLock::new(0));
    let (changed, queue) = (Condvar::new(), BlockingQueue::new(1));
    macro_rules! leave_some {
        ($lock:expr, $hold:ident, [$($try_for:ident),*]) => {{
            let held = $lock.$hold();
            thread::scope(|s| {
                // Two of each: of some kinds the first to come is marked as the next.
                join_all([0; 2].iter().flat_map(|_| {
                    [$(s.spawn(|| assert!($lock.$try_for(wait).is_none()))),*]
                }));
            });
            drop(held);
            $lock.is_locked()
        }};
    }
    macro_rules! leave_some_in_rwlock {
        ($lock:expr) => {{
            // A writer gives up its claim beside a reader, then all sorts behind a writer.
            leave_some!($lock, read, [try_write_for])
                || leave_some!($lock, write, [try_read_for, try_write_for, try_upgradable_read_for])
        }};
    }
    for _ in 0..2 {
        let locked = [
            leave_some!(plain, lock, [try_lock_for]),
            leave_some!(fair, lock, [try_lock_for]),
            leave_some!(reentrant, lock, [try_lock_for]),
            leave_some_in_rwlock!(ordinary),
            leave_some_in_rwlock!(recursive),
        ];
        assert_eq!(locked, [false; 5]);
        assert!(changed.wait_for(&mut plain.lock(), wait).timed_out());
        assert!(queue.pop_for(wait).is_err());
        fork(&mut || {
            use_mutex(&plain);
            use_fair_mutex(&fair);
            use_reentrant_mutex(&reentrant);
            use_rwlock(&ordinary);
            use_rwlock(&recursive);
            use_condvar(&changed);
            queue.push(1).unwrap();
            assert_eq!(queue.pop(), Ok(1));
        });
    }
    Outcome::Passed
}

/// Whatever the forking thread holds, and by whatever guard, each process releases its own copy.
fn guards_of_every_kind() -> Outcome {
    let (plain, fair) = (Arc::new(Mutex::new(0)), Arc::new(FairMutex::new(0)));
    let reentrant = Arc::new(ReentrantMutex::new(Cell::new(0)));
    let (ordinary, recursive) = (Arc::new(RwLock::new(0)), Arc::new(RecursiveRwLock::new(0)));
    macro_rules! each {
        ($lock:ident, $use_it:ident, [$($guard:expr),* $(,)?]) => {$({
            let mut guard = $guard;
            assert!($lock.is_locked());
            let copy = &mut guard;
            fork(|| {
                assert!($lock.is_locked());
                // SAFETY: this process ends without using the guard again.
                unsafe { std::ptr::drop_in_place(copy) };
                assert!(!$lock.is_locked());
                $use_it(&$lock);
            });
            assert!($lock.is_locked());
            drop(guard);
            $use_it(&$lock);
        })*};
    }
    each!(
        plain,
        use_mutex,
        [plain.lock(), plain.lock_arc(), MutexGuard::map(plain.lock(), |value| value),]
    );
    each!(
        fair,
        use_fair_mutex,
        [fair.lock(), fair.lock_arc(), FairMutexGuard::map(fair.lock(), |value| value),]
    );
    each!(
        reentrant,
        use_reentrant_mutex,
        [
            reentrant.lock(),
            reentrant.lock_arc(),
            ReentrantMutexGuard::map(reentrant.lock(), |value| value),
        ]
    );
    each!(
        ordinary,
        use_rwlock,
        [
            ordinary.read(),
            ordinary.write(),
            ordinary.upgradable_read(),
            (ordinary.read(), ordinary.upgradable_read(), ordinary.read()),
            ordinary.read_arc(),
            ordinary.write_arc(),
            ordinary.upgradable_read_arc(),
            RwLockReadGuard::map(ordinary.read(), |value| value),
            RwLockWriteGuard::map(ordinary.write(), |value| value),
            RwLockWriteGuard::downgrade(ordinary.write()),
            RwLockUpgradableReadGuard::upgrade(ordinary.upgradable_read()),
        ]
    );
    each!(
        recursive,
        use_rwlock,
        [
            recursive.read(),
            (recursive.read(), recursive.read()),
            recursive.write(),
            recursive.upgradable_read(),
        ]
    );
    Outcome::Passed
}

/// What an allocator does: it locks around the fork, while other threads come and go, so that its
/// lock is the forking thread's and works in the child.
fn locked_around_each_fork() -> Outcome {
    let (plain, fair, table) = (Mutex::new(0), FairMutex::new(0), RwLock::new(0));
    let reentrant = ReentrantMutex::new(Cell::new(0));
    let stop = AtomicBool::new(false);
    macro_rules! around {
        ($lock:ident.$way:ident, $use_it:ident) => {{
            let mut guard = $lock.$way();
            let copy = &mut guard;
            fork(|| {
                // SAFETY: this process ends without using the guard again.
                unsafe { std::ptr::drop_in_place(copy) };
                $use_it(&$lock);
            });
            drop(guard);
        }};
    }
    thread::scope(|s| {
        let busy: [_; 3] = std::array::from_fn(|_| {
            s.spawn(|| {
                while !stop.load(Relaxed) {
                    *plain.lock() += 1;
                    *fair.lock() += 1;
                    reentrant.lock().set(1);
                    *table.write() += 1;
                    drop(table.read());
                    drop(table.upgradable_read());
                    drop(table.try_write_for(Duration::from_micros(20)));
                }
            })
        });
        for _ in 0..scaled(15) {
            around!(plain.lock, use_mutex);
            around!(fair.lock, use_fair_mutex);
            around!(reentrant.lock, use_reentrant_mutex);
            around!(table.write, use_rwlock);
        }
        stop.store(true, Relaxed);
        join_all(busy);
    });
    Outcome::Passed
}

/// Those who sleep have waited long, and are not there in the child: what they left on the word
/// holds nobody up there, however the guard's copy is given up.
fn an_rwlock_held_by_the_forking_thread() -> Outcome {
    for fair in [false, true] {
        let lock = RwLock::new(0);
        thread::scope(|s| {
            let lock = &lock;
            let mut guard = lock.write();
            let reader = asleep(s, words_of(lock), || *lock.read());
            let writer = asleep(s, words_of(lock), || *lock.write() += 1);
            thread::sleep(Duration::from_millis(20));
            let copy = &mut guard;
            let in_child = move || {
                // SAFETY: this process ends without using the guard again.
                let mut guard = unsafe { std::ptr::read(copy) };
                *guard = 5;
                if fair {
                    RwLockWriteGuard::unlock_fair(guard);
                } else {
                    drop(guard);
                }
                use_rwlock(lock);
            };
            fork(in_child);
            assert_eq!(*guard, 0);
            drop(guard);
            writer.join().unwrap();
            assert!(reader.join().unwrap() <= 1);
        });
        use_rwlock(&lock);
    }
    Outcome::Passed
}

/// Done is done, and what has not begun can begin, in both processes.
fn a_once_in_each_state() -> Outcome {
    let (new, poisoned, done) = (Once::new(), Once::new(), Once::new_completed());
    let lazy = LazyLock::new(|| vec![1]);
    let failed = catch_unwind(AssertUnwindSafe(|| {
        poisoned.call_once(|| resume_unwind(Box::new("planned")));
    }));
    assert!(failed.is_err());
    let checks = || {
        done.call_once(|| unreachable!());
        let runs = together(4, |_| {
            let mut ran = 0;
            new.call_once(|| ran = 1);
            ran
        });
        assert_eq!(runs.iter().sum::<u32>(), 1);
        poisoned.call_once_force(|before| assert!(before.is_poisoned()));
        assert_eq!(*lazy, [1]);
    };
    fork(checks);
    raw_clone(checks);
    checks();
    Outcome::Passed
}

/// The forking thread runs the closure, and so does the child's: it is still told that it would
/// wait for itself, while other threads of the child wait for it as long as they may.
fn inside_a_once() -> Outcome {
    let once = &Once::new();
    let refused = || catch_unwind(AssertUnwindSafe(|| once.call_once(|| ()))).is_err();
    thread::scope(|s| {
        let mut sleeper = None;
        once.call_once(|| {
            sleeper = Some(asleep(s, words_of(once), || once.wait()));
            fork(|| {
                assert!(refused(), "not told in the child");
                let limit = Duration::from_millis(20);
                assert_eq!(together(3, |_| once.wait_for(limit)), [false; 3]);
            });
            assert!(refused());
        });
        sleeper.expect("started").join().unwrap();
    });
    assert!(once.is_completed());
    Outcome::Passed
}

/// Another thread makes the value, and is not there in the child: whoever waits with a limit gets
/// to know, and a look says that it is not there.
fn while_another_thread_makes_a_value() -> Outcome {
    let (place, once) = (&OnceLock::new(), &Once::new());
    let release = Parker::new();
    let unparker = release.unparker().clone();
    thread::scope(|s| {
        let maker = asleep(s, None, move || {
            once.call_once(|| {
                place.get_or_init(|| {
                    release.park();
                    1
                });
            });
        });
        fork(|| {
            assert_eq!((place.get(), once.state()), (None, OnceState::InProgress));
            assert_eq!(place.wait_for(Duration::from_millis(20)), None);
            assert!(!once.wait_for(Duration::from_millis(20)));
            assert_eq!(format!("{place:?}"), "OnceLock(<uninit>)");
        });
        unparker.unpark();
        maker.join().unwrap();
    });
    assert_eq!((place.get(), once.is_completed()), (Some(&1), true));
    Outcome::Passed
}

/// At rest it works in the child; under a writer that is not there, it can be read as long as that
/// was not storing.
fn a_seq_lock() -> Outcome {
    let lock = &SeqLock::new([1, 1]);
    let checks = || {
        let before = lock.read()[0];
        together(3, |i| match i {
            0 => assert!((0..500).map(|_| lock.read()).all(|[a, b]| a == b)),
            _ => (0..500).for_each(|_| lock.update(|pair| *pair = pair.map(|n| n + 1))),
        });
        assert_eq!(lock.read(), [before + 1000; 2]);
    };
    fork(checks);
    checks();
    let release = Parker::new();
    let unparker = release.unparker().clone();
    thread::scope(|s| {
        let writer = asleep(s, None, move || {
            let mut guard = lock.lock();
            release.park();
            *guard = [0, 0];
        });
        fork(|| {
            assert_eq!((lock.read(), lock.try_read()), ([1001; 2], Some([1001; 2])));
            assert!(lock.is_locked() && lock.try_lock().is_none());
        });
        unparker.unpark();
        writer.join().unwrap();
    });
    assert_eq!(lock.read(), [0, 0]);
    Outcome::Passed
}

/// Free at the fork, used a lot before it and after it.
fn a_free_mutex() -> Outcome {
    let mutex = Mutex::new(0);
    use_mutex(&mutex);
    fork(|| use_mutex(&mutex));
    raw_clone(|| use_mutex(&mutex));
    use_mutex(&mutex);
    assert_eq!(*mutex.lock(), 4002);
    Outcome::Passed
}

/// As [`use_mutex`], on a fair one.
fn use_fair_mutex(mutex: &FairMutex<u64>) {
    let mut held = mutex.lock();
    *held = 0;
    thread::scope(|s| {
        let sleeper = asleep(s, words_of(mutex), || *mutex.lock() += 1);
        drop(held);
        sleeper.join().unwrap();
    });
    together(3, |_| {
        for _ in 0..200 {
            *mutex.lock() += 1;
        }
    });
    assert_eq!(*mutex.lock(), 601);
}

fn a_free_fair_mutex() -> Outcome {
    let mutex = FairMutex::new(0);
    use_fair_mutex(&mutex);
    fork(|| use_fair_mutex(&mutex));
    raw_clone(|| use_fair_mutex(&mutex));
    use_fair_mutex(&mutex);
    Outcome::Passed
}

/// As [`use_mutex`], with two levels each time.
fn use_reentrant_mutex(mutex: &ReentrantMutex<Cell<u64>>) {
    let add = || {
        let outer = mutex.lock();
        let before = outer.get();
        mutex.lock().set(before + 1);
        assert!(outer.get() == before + 1 && mutex.is_owned_by_current_thread());
    };
    let held = mutex.lock();
    held.set(0);
    thread::scope(|s| {
        let sleeper = asleep(s, words_of(mutex), add);
        drop(held);
        sleeper.join().unwrap();
    });
    together(3, |_| (0..200).for_each(|_| add()));
    assert_eq!(mutex.lock().get(), 601);
    assert!(!mutex.is_locked() && !mutex.is_owned_by_current_thread());
}

fn a_free_reentrant_mutex() -> Outcome {
    let mutex = ReentrantMutex::new(Cell::new(0));
    use_reentrant_mutex(&mutex);
    fork(|| use_reentrant_mutex(&mutex));
    raw_clone(|| {
        use_reentrant_mutex(&mutex);
        fork(|| use_reentrant_mutex(&mutex));
    });
    use_reentrant_mutex(&mutex);
    Outcome::Passed
}

/// The child's thread goes on with the stack of the one that forked, guards included: it owns the
/// lock, to the same depth, and can go deeper. What either process does with its copy is its own
/// business.
fn reentrant_held_by_the_forking_thread(fork: impl Fn(&mut dyn FnMut())) -> Outcome {
    let mutex = ReentrantMutex::new(Cell::new(0));
    thread::scope(|s| {
        let mutex = &mutex;
        let mut outer = mutex.lock();
        let mut inner = mutex.lock();
        let waiter = asleep(s, words_of(mutex), || mutex.lock().set(7));
        let (outer_copy, inner_copy) = (&mut outer, &mut inner);
        fork(&mut || {
            assert!(mutex.is_owned_by_current_thread());
            drop(mutex.lock());
            assert!(mutex.try_lock().is_some() && mutex.is_owned_by_current_thread());
            // A new thread of the child is nobody's heir.
            thread::scope(|s| {
                s.spawn(|| {
                    assert!(!mutex.is_owned_by_current_thread());
                    assert!(mutex.try_lock_for(Duration::from_millis(1)).is_none());
                });
            });
            ReentrantMutexGuard::unlocked(inner_copy, || assert!(mutex.is_locked()));
            // SAFETY: this process ends without using the guards again.
            unsafe {
                std::ptr::drop_in_place(inner_copy);
                assert!(mutex.is_owned_by_current_thread());
                std::ptr::drop_in_place(outer_copy);
            }
            assert!(!mutex.is_locked());
            use_reentrant_mutex(mutex);
        });
        assert!(mutex.is_owned_by_current_thread());
        drop((outer, inner));
        waiter.join().unwrap();
    });
    assert_eq!(mutex.into_inner().get(), 7);
    Outcome::Passed
}

/// Locked for ever in the child, and owned by none of its threads, however many it starts.
fn reentrant_held_by_another_thread() -> Outcome {
    let mutex = ReentrantMutex::new(Cell::new(0));
    let release = Parker::new();
    let unparker = release.unparker().clone();
    thread::scope(|s| {
        let mutex = &mutex;
        let owner = asleep(s, None, move || {
            let _outer = mutex.lock();
            let _inner = mutex.lock();
            release.park();
        });
        fork(|| {
            let refused = |_| {
                assert!(mutex.is_locked() && !mutex.is_owned_by_current_thread());
                assert!(mutex.try_lock().is_none());
                assert!(mutex.try_lock_for(Duration::from_millis(5)).is_none());
            };
            refused(0);
            for _ in 0..10 {
                together(2, refused);
            }
        });
        unparker.unpark();
        owner.join().unwrap();
    });
    use_reentrant_mutex(&mutex);
    Outcome::Passed
}

/// The lock is free for a while, and that in both processes; each takes its own again.
fn inside_unlocked() -> Outcome {
    let plain = Mutex::new(0);
    let reentrant = ReentrantMutex::new(Cell::new(0));
    let mut held = plain.lock();
    let mut level = reentrant.lock();
    MutexGuard::unlocked(&mut held, || {
        ReentrantMutexGuard::unlocked(&mut level, || {
            fork(|| {
                use_mutex(&plain);
                use_reentrant_mutex(&reentrant);
            });
        });
    });
    assert!(plain.is_locked() && reentrant.is_owned_by_current_thread());
    assert_eq!((*held, level.get()), (0, 0));
    drop((held, level));
    use_mutex(&plain);
    use_reentrant_mutex(&reentrant);
    Outcome::Passed
}

/// The parent's waiters do not exist in the child: nobody is notified, nothing of them is touched,
/// and the condition variable is as new. In the parent they are all still there.
fn waiters_of_a_condvar(fork: impl Fn(&mut dyn FnMut())) -> Outcome {
    let (waiting, changed) = (Mutex::new(0), Condvar::new());
    thread::scope(|s| {
        let wait = || {
            let mut waiting = waiting.lock();
            *waiting += 1;
            changed.wait(&mut waiting);
        };
        // Asleep, not just queued: nobody is inside the allocator.
        let waiters: [_; 3] = std::array::from_fn(|_| asleep(s, None, wait));
        fork(&mut || {
            assert!(!changed.notify_one());
            assert_eq!(changed.notify_all(), 0);
            use_condvar(&changed);
            assert_eq!(*waiting.lock(), 3, "and the mutex is free");
        });
        // A child that waits before it notifies.
        fork(&mut || use_condvar(&changed));
        // And one whose first sign of life is a wait that nobody ends.
        fork(&mut || {
            assert!(changed.wait_for(&mut waiting.lock(), Duration::from_millis(5)).timed_out());
            assert_eq!(changed.notify_all(), 0);
        });
        assert_eq!(changed.notify_all(), 3);
        join_all(waiters);
    });
    use_condvar(&changed);
    Outcome::Passed
}

/// As [`use_condvar`], with readers, writers and a mutex.
fn use_condvar_any(changed: &CondvarAny) {
    let (lock, fair, waiting) = (RwLock::new(false), FairMutex::new(false), Mutex::new(0));
    assert!(changed.wait_for(&mut lock.read(), Duration::from_millis(1)).timed_out());
    thread::scope(|s| {
        let waiters: [_; 6] = std::array::from_fn(|i| {
            let (lock, fair, waiting) = (&lock, &fair, &waiting);
            s.spawn(move || {
                let come = || *waiting.lock() += 1;
                match i % 3 {
                    0 => {
                        let mut open = lock.read();
                        come();
                        changed.wait(&mut open);
                    }
                    1 => {
                        let mut open = lock.write();
                        come();
                        changed.wait(&mut open);
                    }
                    _ => {
                        let mut open = fair.lock();
                        come();
                        changed.wait(&mut open);
                    }
                }
            })
        });
        while *waiting.lock() < 6 {
            thread::yield_now();
        }
        drop((lock.write(), fair.lock()));
        assert!(changed.notify_one());
        // One of the locks held, so that its waiters have to be passed on.
        let held = lock.write();
        assert_eq!(changed.notify_all(), 5);
        drop(held);
        join_all(waiters);
    });
    assert!(!changed.notify_one());
}

/// As [`waiters_of_a_condvar`], whatever lock they gave up.
fn waiters_of_a_condvar_any(fork: impl Fn(&mut dyn FnMut())) -> Outcome {
    let (lock, fair, changed) = (RwLock::new(0), FairMutex::new(0), CondvarAny::new());
    thread::scope(|s| {
        // Asleep, not just queued: nobody is inside the allocator.
        let waiters = [
            asleep(s, None, || changed.wait(&mut lock.read())),
            asleep(s, None, || changed.wait(&mut lock.write())),
            asleep(s, None, || changed.wait(&mut lock.upgradable_read())),
            asleep(s, None, || changed.wait(&mut fair.lock())),
        ];
        fork(&mut || {
            assert!(!changed.notify_one());
            assert_eq!(changed.notify_all(), 0);
            use_condvar_any(&changed);
            drop((lock.write(), fair.lock())); // the locks are free
        });
        // One whose first sign of life is a wait that nobody ends.
        fork(&mut || {
            assert!(changed.wait_for(&mut lock.read(), Duration::from_millis(5)).timed_out());
            assert_eq!(changed.notify_all(), 0);
        });
        assert_eq!(changed.notify_all(), 4);
        join_all(waiters);
    });
    use_condvar_any(&changed);
    Outcome::Passed
}

/// Forks at any moment of other threads' waits and notifications: the list is in the middle of
/// being changed, or its lock is taken or waited for.
fn a_condvar_in_use() -> Outcome {
    let (mutex, changed) = (Mutex::new(0_u64), Condvar::new());
    let stop = AtomicBool::new(false);
    thread::scope(|s| {
        let busy: [_; 4] = std::array::from_fn(|i| {
            let (mutex, changed, stop) = (&mutex, &changed, &stop);
            s.spawn(move || {
                while !stop.load(Relaxed) {
                    if i < 2 {
                        let limit = Duration::from_micros(20);
                        let _ = changed.wait_for(&mut mutex.lock(), limit);
                    } else {
                        changed.notify_all();
                        changed.notify_one();
                    }
                }
            })
        });
        for _ in 0..scaled(100) {
            fork(|| {
                assert!(!changed.notify_one());
                use_condvar(&changed);
            });
        }
        stop.store(true, Relaxed);
        join_all(busy);
    });
    use_condvar(&changed);
    Outcome::Passed
}

/// A child's waiters are as absent in its own child.
fn three_generations() -> Outcome {
    let (waiting, changed) = (Mutex::new(0), Condvar::new());
    fn generation(depth: u32, waiting: &Mutex<u32>, changed: &Condvar) {
        thread::scope(|s| {
            let waiter = asleep(s, None, || changed.wait(&mut waiting.lock()));
            if depth < 3 {
                fork(|| {
                    assert!(!changed.notify_one());
                    generation(depth + 1, waiting, changed);
                });
            }
            assert_eq!(changed.notify_all(), 1);
            waiter.join().unwrap();
        });
        use_condvar(changed);
    }
    generation(0, &waiting, &changed);
    Outcome::Passed
}

/// A condition is called with the mutex locked and the thread in no queue: it may even fork.
fn inside_a_condition() -> Outcome {
    let (mutex, changed) = (Mutex::new(0), Condvar::new());
    let mut looks = 0;
    let mut guard = mutex.lock();
    let limit = Duration::from_millis(5);
    let result = changed.wait_while_for(
        &mut guard,
        |_| {
            looks += 1;
            fork(|| {
                assert!(mutex.is_locked());
                assert!(!changed.notify_one());
                use_condvar(&changed);
            });
            true
        },
        limit,
    );
    assert!(result.timed_out() && looks == 2);
    drop(guard);
    use_condvar(&changed);
    Outcome::Passed
}

/// Permits, waits, deadlines and order among the threads of this process. Both have one permit.
fn use_semaphores(plain: &Semaphore, fair: &FairSemaphore) {
    assert_eq!((plain.available(), fair.available()), (1, 1));
    let held = (plain.try_acquire().unwrap(), fair.try_acquire().unwrap());
    assert!(plain.acquire_for(Duration::from_millis(1)).is_err());
    assert!(fair.acquire_for(Duration::from_millis(1)).is_err());
    thread::scope(|s| {
        let sleeper = asleep(s, words_of(plain), || drop(plain.acquire().unwrap()));
        let fair_sleeper = asleep(s, None, || drop(fair.acquire().unwrap()));
        drop(held);
        join_all([sleeper, fair_sleeper]);
    });
    together(4, |_| {
        for _ in 0..200 {
            drop(plain.acquire().unwrap());
            drop(fair.acquire().unwrap());
        }
    });
    assert_eq!((plain.available(), fair.available()), (1, 1));
}

/// The parent's waiters do not exist in the child: they are not served there, and hold nobody up.
/// In the parent they are all still there.
fn waiters_of_a_semaphore(fork: impl Fn(&mut dyn FnMut())) -> Outcome {
    let (plain, fair) = (Semaphore::new(0), FairSemaphore::new(1));
    thread::scope(|s| {
        let (plain, fair) = (&plain, &fair);
        let waiter = asleep(s, words_of(plain), || plain.acquire().unwrap().forget());
        // Wants more than there is, so it holds the next one up, too.
        let many = asleep(s, None, || fair.acquire_many(2).unwrap().forget());
        let few = asleep(s, None, || fair.acquire().unwrap().forget());
        fork(&mut || {
            plain.release(1).unwrap();
            use_semaphores(plain, fair);
        });
        // One whose first sign of life is a release, and one whose is a wait.
        fork(&mut || {
            fair.release(3).unwrap();
            assert_eq!(fair.available(), 4);
        });
        fork(&mut || {
            assert!(fair.acquire_many_for(2, Duration::from_millis(5)).is_err());
            assert_eq!(fair.drain().permits(), 1);
            assert!(fair.close());
        });
        plain.release(1).unwrap();
        fair.release(2).unwrap();
        join_all([waiter, many, few]);
        plain.release(1).unwrap();
        fair.release(1).unwrap();
    });
    use_semaphores(&plain, &fair);
    Outcome::Passed
}

/// Forks at any moment of other threads' waits and releases: the queue is in the middle of being
/// changed, or its lock is taken or waited for.
fn semaphores_in_use() -> Outcome {
    let (plain, fair) = (Semaphore::with_max(1, 3), FairSemaphore::with_max(1, 3));
    let stop = AtomicBool::new(false);
    thread::scope(|s| {
        let busy: [_; 4] = std::array::from_fn(|i| {
            let (plain, fair, stop) = (&plain, &fair, &stop);
            s.spawn(move || {
                let limit = Duration::from_micros(20);
                while !stop.load(Relaxed) {
                    drop(plain.acquire_for(limit));
                    drop(fair.acquire_many_for(1 + i as u32 % 3, limit));
                }
            })
        });
        for _ in 0..scaled(100) {
            fork(|| {
                // What the threads that are not here had taken is out for ever.
                plain.drain().forget();
                fair.drain().forget();
                assert!(plain.release(1).is_ok() && fair.release(1).is_ok());
                use_semaphores(&plain, &fair);
            });
        }
        stop.store(true, Relaxed);
        join_all(busy);
    });
    use_semaphores(&plain, &fair);
    Outcome::Passed
}

/// A token is copied with the rest of memory; from then on there are two.
fn a_parker() -> Outcome {
    let parker = Parker::new();
    parker.unparker().unpark();
    fork(|| {
        assert!(parker.park_for(Duration::ZERO));
        assert!(!parker.park_for(Duration::from_millis(1)));
        thread::scope(|s| {
            let unparker = parker.unparker().clone();
            s.spawn(move || unparker.unpark()).join().unwrap();
        });
        parker.park();
    });
    assert!(parker.park_for(Duration::ZERO), "the child took its own");
    // The owner asleep in the parent at the time of the fork.
    let unparker = parker.unparker().clone();
    thread::scope(|s| {
        let sleeper = asleep(s, None, move || parker.park());
        fork(|| unparker.unpark());
        assert!(!sleeper.is_finished(), "woken by another process");
        unparker.unpark();
        sleeper.join().unwrap();
    });
    Outcome::Passed
}

/// Sets, waits and resets among the threads of this process, on an event that is not set.
fn use_event(event: &Event) {
    let auto = format!("{event:?}").contains("auto");
    assert!(!event.wait_for(Duration::from_millis(1)));
    thread::scope(|s| {
        let sleepers = [(); 2].map(|()| asleep(s, words_of(event), || event.wait()));
        event.set();
        if auto {
            while event.is_set() {
                thread::yield_now();
            }
            event.set();
        }
        join_all(sleepers);
    });
    assert_eq!(event.reset(), !auto);
}

/// Set or not, as it was; those who wait for it are there in one process, and are let go there.
fn events(fork: impl Fn(&mut dyn FnMut())) -> Outcome {
    for event in [Event::manual(), Event::auto()] {
        thread::scope(|s| {
            let event = &event;
            let sleeper = asleep(s, words_of(event), || event.wait());
            fork(&mut || {
                use_event(event);
                event.set();
                assert!(event.try_wait());
            });
            assert!(!sleeper.is_finished() && !event.is_set());
            event.set();
            sleeper.join().unwrap();
        });
        event.set();
        fork(&mut || assert!(event.try_wait()));
        assert!(event.reset(), "the child took its own");
        use_event(&event);
    }
    Outcome::Passed
}

/// The count is what it was, and who was to go on with it may be a thread of the child.
fn latches_and_groups() -> Outcome {
    let (latch, group) = (Latch::new(2), WaitGroup::new());
    group.add(2);
    thread::scope(|s| {
        let (latch, group) = (&latch, &group);
        let at_the_latch = asleep(s, words_of(latch), || latch.wait());
        let at_the_group = asleep(s, words_of(group), || group.wait());
        fork(|| {
            assert!(!latch.wait_for(Duration::from_millis(1)));
            assert!(!group.wait_for(Duration::from_millis(1)));
            thread::scope(|s| {
                let sleeper = asleep(s, words_of(latch), || latch.wait());
                latch.count_down(2);
                sleeper.join().unwrap();
                let sleeper = asleep(s, words_of(group), || group.wait());
                assert_eq!(group.try_done(2), Ok(()));
                sleeper.join().unwrap();
            });
            let token = group.token();
            thread::scope(|s| drop(s.spawn(move || drop(token))));
            group.wait();
        });
        assert_eq!((latch.count(), group.count()), (2, 2));
        latch.count_down(2);
        assert_eq!(group.try_done(2), Ok(()));
        at_the_latch.join().unwrap();
        at_the_group.join().unwrap();
    });
    Outcome::Passed
}

/// Free, it works in the child. With somebody there who is not there in the child, a reset mends
/// it.
fn a_barrier() -> Outcome {
    let barrier = Barrier::new(3);
    let meet_often = || {
        together(3, |_| (0..100).for_each(|_| assert!(barrier.wait().is_ok())));
    };
    meet_often();
    fork(meet_often);
    thread::scope(|s| {
        let sleeper = asleep(s, words_of(&barrier), || barrier.wait());
        fork(|| {
            assert_eq!(barrier.waiting(), 1);
            assert_eq!(barrier.wait_for(Duration::from_millis(1)), Err(BarrierError::TimedOut));
            barrier.reset();
            meet_often();
        });
        assert_eq!(barrier.waiting(), 1);
        barrier.reset();
        assert_eq!(sleeper.join().unwrap(), Err(BarrierError::Broken));
    });
    meet_often();
    Outcome::Passed
}

fn queues_at_rest() -> Outcome {
    let (array, blocking) = (ArrayQueue::new(3), BlockingQueue::new(3));
    for i in 0..4 {
        let _ = array.push(i);
        let _ = blocking.try_push(i);
    }
    let use_queues = || {
        for i in 0..3 {
            assert_eq!((array.pop(), blocking.pop()), (Some(i), Ok(i)));
        }
        thread::scope(|s| {
            let consumer = asleep(s, words_of(&blocking), || blocking.pop());
            blocking.push(7).unwrap();
            assert_eq!(consumer.join().unwrap(), Ok(7));
        });
        together(2, |i| {
            for n in 0..500 {
                if i == 0 {
                    blocking.push(n).unwrap();
                } else {
                    assert_eq!(blocking.pop(), Ok(n));
                }
            }
        });
        blocking.close();
        assert_eq!(blocking.pop(), Err(PopError::Closed));
    };
    fork(use_queues);
    raw_clone(use_queues);
    assert!(!blocking.is_closed() && blocking.len() == 3);
    use_queues();
    Outcome::Passed
}

/// Those who sleep in it are in the middle of nothing, and not there in the child.
fn queues_with_sleepers() -> Outcome {
    let (empty, full) = (BlockingQueue::new(1), BlockingQueue::new(1));
    full.push(0).unwrap();
    thread::scope(|s| {
        let consumer = asleep(s, words_of(&empty), || empty.pop());
        let producer = asleep(s, words_of(&full), || full.push(1));
        fork(|| {
            for queue in [&empty, &full] {
                let _ = queue.try_pop();
                thread::scope(|s| {
                    let consumer = asleep(s, words_of(queue), || (queue.pop(), queue.pop()));
                    queue.push(5).unwrap();
                    queue.push(6).unwrap();
                    assert_eq!(consumer.join().unwrap(), (Ok(5), Ok(6)));
                });
                assert_eq!(queue.pop_for(Duration::from_millis(1)), Err(PopError::TimedOut));
            }
        });
        empty.push(7).unwrap();
        assert_eq!(consumer.join().unwrap(), Ok(7));
        assert_eq!(full.pop(), Ok(0));
        producer.join().unwrap().unwrap();
    });
    assert_eq!(full.pop(), Ok(1));
    Outcome::Passed
}

/// Whatever other threads are in the middle of, a child goes on: to it, those are threads that have
/// stopped. What each of them had in hand is missing, one value at most.
fn an_unbounded_queue_in_use() -> Outcome {
    let queue = SegQueue::new();
    let over = AtomicBool::new(false);
    thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                while !over.load(Relaxed) {
                    queue.push(1_u64);
                    queue.pop();
                }
            });
        }
        for _ in 0..scaled(100) {
            fork(|| {
                let places = 3 * SegQueue::<u64>::places_per_segment() as u64;
                assert!(queue.try_iter().count() <= 3, "one for each of the others");
                (0..places).for_each(|i| queue.push(i));
                assert!(queue.try_iter().eq(0..places));
                assert!(queue.is_empty());
            });
        }
        over.store(true, Relaxed);
    });
    Outcome::Passed
}
