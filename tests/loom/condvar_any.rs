//! `CondvarAny`: what `Condvar` promises, with locks that are no mutexes, of which none is held up
//! by another one or by another way to have the same.
//!
//! What does not depend on the lock is shown with `Condvar`, which is the same code.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use lockwork::model::{Explore, enter_forked_child, futex_calls, thread, unvaried};
use lockwork::{
    CondvarAny, FairMutex, Mutex, RecursiveRwLock, ReentrantMutex, RwLock, RwLockWriteGuard,
};

use super::support::beside;

/// A licence to time out at any moment: see the model's notes on time.
const SOON: Duration = Duration::from_secs(1);

/// A lock and the condition variable that goes with it.
struct Monitor<L> {
    lock: L,
    changed: CondvarAny,
    /// Those that have counted themselves under the lock, and wait once that is free.
    waiting: Mutex<usize>,
}

impl<L> Monitor<L> {
    fn new(lock: L) -> Arc<Self> {
        Arc::new(Self { lock, changed: CondvarAny::new(), waiting: Mutex::new(0) })
    }
}

impl<L: 'static> Monitor<L> {
    /// One that waits as `body` says, which counts it; how it came to wait is not varied.
    fn waiter(self: &Arc<Self>, body: impl FnOnce(&Self) + 'static) -> thread::JoinHandle<()> {
        unvaried(|| {
            let before = *self.waiting.lock();
            let waiter = beside(self, body);
            while *self.waiting.lock() == before {
                thread::yield_now();
            }
            waiter
        })
    }

    fn count(&self) {
        *self.waiting.lock() += 1;
    }
}

// One waiter, one notifier: each way to have a lock.

/// The condition changes under the lock, the notification comes after it; one wait, in which a
/// signal must not look like a notification.
macro_rules! one_waiter {
    ($test:ident, $lock:expr, $at_least:literal, $wait:ident, |$other:ident| $set:expr) => {
        #[test]
        fn $test() {
            Explore::new(concat!("condvar_any, ", stringify!($test)))
                .preemptions(2)
                .signals(1)
                .at_least($at_least)
                .run(&[(false, true), (true, true)], || {
                    let monitor = Monitor::new($lock);
                    let notifier = beside(&monitor, |monitor| {
                        let $other = &monitor.lock;
                        $set;
                        monitor.changed.notify_one()
                    });
                    let seen = {
                        let mut guard = monitor.lock.$wait();
                        if !guard.is_set() {
                            monitor.changed.wait(&mut guard);
                        }
                        guard.is_set()
                    };
                    (notifier.join().unwrap(), seen)
                });
        }
    };
}

/// A value that some guards let be changed, or that is changed behind a shared reference.
trait Flag {
    fn is_set(&self) -> bool;
}

impl Flag for bool {
    fn is_set(&self) -> bool {
        *self
    }
}

impl Flag for Cell<bool> {
    fn is_set(&self) -> bool {
        self.get()
    }
}

fn join<const N: usize>(waiters: [thread::JoinHandle<()>; N]) {
    for waiter in waiters {
        waiter.join().unwrap();
    }
}

one_waiter!(reader, RwLock::new(false), 140, read, |lock| *lock.write() = true);
one_waiter!(writer, RwLock::new(false), 100, write, |lock| *lock.write() = true);
one_waiter!(upgradable, RwLock::new(false), 100, upgradable_read, |lock| *lock.write() = true);
one_waiter!(recursive_reader, RecursiveRwLock::new(false), 140, read, |lock| {
    *lock.write() = true
});
one_waiter!(fair, FairMutex::new(false), 200, lock, |lock| *lock.lock() = true);
one_waiter!(reentrant, ReentrantMutex::new(Cell::new(false)), 500, lock, |lock| {
    lock.lock().set(true)
});

/// The lock orders nothing between these two: what they share is the list and the node. The
/// notification finds the waiter, and then the wait was notified; or it does not, and then not.
#[test]
fn bare_notify_one_against_timed_wait() {
    Explore::new("condvar_any, bare notify_one").preemptions(2).at_least(1_400).run(
        &[(false, false), (true, true)],
        || {
            let monitor = Monitor::new(RwLock::new(()));
            let notifier = beside(&monitor, |monitor| monitor.changed.notify_one());
            let result = monitor.changed.wait_for(&mut monitor.lock.read(), SOON);
            (notifier.join().unwrap(), !result.timed_out())
        },
    );
}

#[test]
fn notify_without_a_waiter_is_free() {
    Explore::new("condvar_any, nobody waits").unbounded().run(&[(false, 0, 0)], || {
        let changed = CondvarAny::new();
        (changed.notify_one(), changed.notify_all(), futex_calls())
    });
}

// Two waiters.

/// The first to go has the other one behind it, and lets it go once it has the lock again.
#[test]
fn writers_let_each_other_go() {
    two_waiters("condvar_any, two writers", 100, |monitor| {
        monitor.changed.wait_while(&mut monitor.lock.write(), |go| !*go);
    });
}

/// Readers go together once they can.
#[test]
fn readers_go_together() {
    two_waiters("condvar_any, two readers", 6_000, |monitor| {
        monitor.changed.wait_while(&mut monitor.lock.read(), |go| !*go);
    });
}

fn two_waiters(name: &'static str, at_least: usize, wait: fn(&Monitor<RwLock<bool>>)) {
    Explore::new(name).preemptions(1).at_least(at_least).run(&[0, 1, 2], move || {
        let monitor = Monitor::new(RwLock::new(false));
        let second = beside(&monitor, wait);
        let notifier = beside(&monitor, |monitor| {
            // Kept locked, so that only one is let go.
            let mut go = monitor.lock.write();
            *go = true;
            monitor.changed.notify_all()
        });
        wait(&monitor);
        second.join().unwrap();
        notifier.join().unwrap()
    });
}

/// A mutex takes those that are left to its own queue, whichever kind it is.
#[test]
fn moved_to_a_fair_mutex() {
    Explore::new("condvar_any, moved, fair").preemptions(2).at_least(200).run(&[2], || {
        let monitor = Monitor::new(FairMutex::new(false));
        let waiters = [(); 2].map(|()| {
            monitor.waiter(|monitor| {
                let mut go = monitor.lock.lock();
                monitor.count();
                monitor.changed.wait(&mut go);
                assert!(*go);
            })
        });
        let mut go = monitor.lock.lock();
        *go = true;
        let count = monitor.changed.notify_all();
        drop(go);
        join(waiters);
        count
    });
}

#[test]
fn moved_to_a_reentrant_mutex() {
    Explore::new("condvar_any, moved, reentrant").preemptions(1).at_least(200).run(&[2], || {
        let monitor = Monitor::new(ReentrantMutex::new(Cell::new(false)));
        let waiters = [(); 2].map(|()| {
            monitor.waiter(|monitor| {
                let mut go = monitor.lock.lock();
                monitor.count();
                monitor.changed.wait(&mut go);
                assert!(go.get());
                // It has the lock once, and as its owner.
                drop(monitor.lock.lock());
            })
        });
        let go = monitor.lock.lock();
        go.set(true);
        let count = monitor.changed.notify_all();
        drop(go);
        join(waiters);
        assert!(!monitor.lock.is_locked());
        count
    });
}

/// One of the two waits is timed: if it times out, it does not count, and who was behind it goes.
#[test]
fn timed_out_in_the_chain() {
    Explore::new("condvar_any, timed against notify_all").preemptions(1).at_least(200).run(
        &[(0, false, false), (1, false, true), (2, true, true)],
        || {
            let monitor = Monitor::new(RwLock::new(false));
            let timed = beside(&monitor, |monitor| {
                let mut over = monitor.lock.write();
                !monitor.changed.wait_for(&mut over, SOON).timed_out()
            });
            let notifier = beside(&monitor, |monitor| {
                let mut over = monitor.lock.write();
                *over = true;
                monitor.changed.notify_all()
            });
            let waited = {
                let mut over = monitor.lock.write();
                let waits = !*over;
                if waits {
                    monitor.changed.wait(&mut over);
                }
                waits
            };
            let timed = timed.join().unwrap();
            let count = notifier.join().unwrap();
            assert_eq!(count, usize::from(timed) + usize::from(waited));
            (count, timed, waited)
        },
    );
}

/// Of one lock, who wants to read does not wait for who wants to upgrade: the notifier stays
/// upgradable until the reader has gone.
#[test]
fn other_way_is_not_waited_for() {
    Explore::new("condvar_any, two ways").preemptions(2).at_least(200).run(&[2], || {
        let monitor = Monitor::new(RwLock::new(()));
        let first = monitor.waiter(|monitor| {
            let mut guard = monitor.lock.upgradable_read();
            monitor.count();
            monitor.changed.wait(&mut guard);
        });
        let second = monitor.waiter(|monitor| {
            let mut guard = monitor.lock.read();
            monitor.count();
            monitor.changed.wait(&mut guard);
        });
        let held = RwLockWriteGuard::downgrade_to_upgradable(monitor.lock.write());
        let count = monitor.changed.notify_all();
        second.join().unwrap();
        drop(held);
        first.join().unwrap();
        count
    });
}

/// Nor for who wants another lock: the notifier keeps the mutex until the reader has gone.
#[test]
fn other_lock_is_not_waited_for() {
    Explore::new("condvar_any, two locks").preemptions(2).at_least(400).run(&[2], || {
        let monitor = Monitor::new((FairMutex::new(()), RwLock::new(())));
        let first = monitor.waiter(|monitor| {
            let mut guard = monitor.lock.0.lock();
            monitor.count();
            monitor.changed.wait(&mut guard);
        });
        let second = monitor.waiter(|monitor| {
            let mut guard = monitor.lock.1.read();
            monitor.count();
            monitor.changed.wait(&mut guard);
        });
        drop(monitor.lock.1.write());
        let held = monitor.lock.0.lock();
        let count = monitor.changed.notify_all();
        second.join().unwrap();
        drop(held);
        first.join().unwrap();
        count
    });
}

/// What a waiter of the parent left behind is not touched in the child. (It lives on in the model,
/// and can only time out.)
#[test]
fn forked_child_starts_anew() {
    Explore::new("condvar_any, fork").preemptions(2).at_least(800).run(
        &[(false, false), (false, true)],
        || {
            let monitor = Monitor::new(RwLock::new(false));
            let parents = beside(&monitor, |monitor| {
                let mut waits = monitor.lock.write();
                *waits = true;
                let timed_out = monitor.changed.wait_for(&mut waits, SOON).timed_out();
                *waits = false;
                assert!(timed_out, "notified by another process");
            });
            let left_behind = *monitor.lock.read();
            if !left_behind {
                // Too early: it would link itself in the child.
                parents.join().unwrap();
                return (false, false);
            }
            enter_forked_child();
            let found = monitor.changed.notify_one();
            assert_eq!(monitor.changed.notify_all(), 0);
            let own = RwLock::new(());
            assert!(monitor.changed.wait_for(&mut own.read(), SOON).timed_out());
            parents.join().unwrap();
            (found, left_behind)
        },
    );
}

// Three waiters.

/// With the numbers that ship: two are let go, and the second of them lets the third go.
#[test]
fn three_writers() {
    Explore::new("condvar_any, three writers").as_shipped().preemptions(1).at_least(220).run(
        &[(3, 3)],
        || {
            let monitor = Monitor::new(RwLock::new(0));
            let waiters = [(); 3].map(|()| {
                monitor.waiter(|monitor| {
                    let mut gone = monitor.lock.write();
                    monitor.count();
                    monitor.changed.wait(&mut gone);
                    *gone += 1;
                })
            });
            let held = monitor.lock.write();
            let count = monitor.changed.notify_all();
            drop(held);
            join(waiters);
            (count, *monitor.lock.read())
        },
    );
}
