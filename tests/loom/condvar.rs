//! `Condvar`: no notification is lost, invented or eaten; counts are exact; nodes are left alone
//! once their owner may go.
//!
//! In most models this thread is a waiter and the thread that is spawned last notifies, so that the
//! plainest schedule is the one in which all wait.

use std::sync::Arc;
use std::time::Duration;

use lockwork::model::{Explore, enter_forked_child, futex_calls, thread, unvaried};
use lockwork::{Condvar, Mutex};

/// A licence to time out at any moment: see the model's notes on time.
const SOON: Duration = Duration::from_secs(1);

/// A mutex and the condition variable that goes with it.
struct Monitor<T> {
    mutex: Mutex<T>,
    changed: Condvar,
}

impl<T> Monitor<T> {
    fn new(value: T) -> Arc<Self> {
        Arc::new(Self { mutex: Mutex::new(value), changed: Condvar::new() })
    }
}

impl<T: Send + 'static> Monitor<T> {
    fn spawn<R: 'static>(
        self: &Arc<Self>,
        body: impl FnOnce(&Self) -> R + 'static,
    ) -> thread::JoinHandle<R> {
        let shared = self.clone();
        thread::spawn(move || body(&shared))
    }

    /// Waits once with a deadline; whether it was notified.
    fn wait_briefly(&self) -> bool {
        !self.changed.wait_for(&mut self.mutex.lock(), SOON).timed_out()
    }
}

impl Monitor<bool> {
    /// Waits once, unless the value is true already; whether it did.
    fn wait_unless(&self) -> bool {
        let mut over = self.mutex.lock();
        let waits = !*over;
        if waits {
            self.changed.wait(&mut over);
        }
        waits
    }
}

// One waiter, one notifier.

/// The plain use: the condition changes under the mutex, the notification comes after it.
#[test]
fn notify_one_after_unlocking() {
    Explore::new("condvar, notify after unlock").preemptions(4).at_least(900).run(
        &[(false, 1), (true, 1)],
        || {
            let monitor = Monitor::new(0);
            let notifier = monitor.spawn(|monitor| {
                *monitor.mutex.lock() = 1;
                monitor.changed.notify_one()
            });
            let mut value = monitor.mutex.lock();
            monitor.changed.wait_while(&mut value, |value| *value == 0);
            let seen = *value;
            drop(value);
            (notifier.join().unwrap(), seen)
        },
    );
}

#[test]
fn notify_one_while_locked() {
    Explore::new("condvar, notify while locked").preemptions(4).at_least(2_000).run(
        &[(false, 1), (true, 1)],
        || {
            let monitor = Monitor::new(0);
            let notifier = monitor.spawn(|monitor| {
                let mut value = monitor.mutex.lock();
                *value = 1;
                monitor.changed.notify_one()
            });
            let mut value = monitor.mutex.lock();
            monitor.changed.wait_while(&mut value, |value| *value == 0);
            let seen = *value;
            drop(value);
            (notifier.join().unwrap(), seen)
        },
    );
}

/// The mutex orders nothing between these two: what they share is the list and the node. The
/// notification finds the waiter, and then the wait was notified; or it does not, and then not.
#[test]
fn bare_notify_one_against_timed_wait() {
    Explore::new("condvar, bare notify_one").preemptions(2).at_least(800).run(
        &[(false, false), (true, true)],
        || {
            let monitor = Monitor::new(());
            let notifier = monitor.spawn(|monitor| monitor.changed.notify_one());
            let notified = monitor.wait_briefly();
            (notifier.join().unwrap(), notified)
        },
    );
}

#[test]
fn bare_notify_all_against_timed_wait() {
    Explore::new("condvar, bare notify_all").preemptions(2).at_least(800).run(
        &[(0, false), (1, true)],
        || {
            let monitor = Monitor::new(());
            let notifier = monitor.spawn(|monitor| monitor.changed.notify_all());
            let notified = monitor.wait_briefly();
            (notifier.join().unwrap(), notified)
        },
    );
}

/// Nobody waits: no system call.
#[test]
fn notify_without_a_waiter_is_free() {
    Explore::new("condvar, nobody waits").unbounded().run(&[(false, 0, 0)], || {
        let changed = Condvar::new();
        (changed.notify_one(), changed.notify_all(), futex_calls())
    });
}

/// A waiter that is woken waits again on the same stack: a wake-up that comes late finds a new node
/// in the place of the old one, and must not disturb it.
#[test]
fn node_is_reused() {
    Explore::new("condvar, node reused").preemptions(3).at_least(1_000).run(&[0, 1, 2], || {
        let monitor = Monitor::new(0);
        let notifier = monitor.spawn(|monitor| {
            let mut found = 0;
            for stage in 1..=2 {
                *monitor.mutex.lock() = stage;
                found += usize::from(monitor.changed.notify_one());
            }
            found
        });
        for stage in 1..=2 {
            let mut value = monitor.mutex.lock();
            monitor.changed.wait_while(&mut value, |value| *value < stage);
        }
        notifier.join().unwrap()
    });
}

/// Timed out *and* unfulfilled; a notification without the change, and a change without the
/// notification, are told apart.
#[test]
fn wait_while_for_looks_once_more() {
    Explore::new("condvar, wait_while_for").preemptions(3).at_least(4_000).run(
        &[(false, 1), (true, 0)],
        || {
            let monitor = Monitor::new(0);
            let notifier = monitor.spawn(|monitor| {
                *monitor.mutex.lock() = 1;
                monitor.changed.notify_one();
            });
            let mut value = monitor.mutex.lock();
            let result = monitor.changed.wait_while_for(&mut value, |value| *value == 0, SOON);
            let seen = *value;
            drop(value);
            notifier.join().unwrap();
            (result.timed_out(), seen)
        },
    );
}

/// Signals end the sleep and not the wait.
#[test]
fn interrupted() {
    Explore::new("condvar, signals").preemptions(3).signals(2).at_least(700).run(
        &[(false, 1), (true, 1)],
        || {
            let monitor = Monitor::new(0);
            let notifier = monitor.spawn(|monitor| {
                *monitor.mutex.lock() = 1;
                monitor.changed.notify_one()
            });
            let mut value = monitor.mutex.lock();
            // One wait, not a loop: a signal must not look like a notification.
            if *value == 0 {
                monitor.changed.wait(&mut value);
            }
            let seen = *value;
            drop(value);
            (notifier.join().unwrap(), seen)
        },
    );
}

/// What a waiter of the parent left behind is not touched in the child: neither its node nor its
/// place in the queue. (The waiter of the model lives on, and can only time out. It is alone in its
/// ring, so that it touches nothing of the child's when it leaves.)
#[test]
fn forked_child_starts_anew() {
    Explore::new("condvar, fork").preemptions(3).at_least(1_000).run(
        &[(false, false), (false, true)],
        || {
            let monitor = Monitor::new(false);
            let own = Mutex::new(());
            let parents = monitor.spawn(|monitor| {
                let mut waits = monitor.mutex.lock();
                *waits = true;
                let timed_out = monitor.changed.wait_for(&mut waits, SOON).timed_out();
                *waits = false;
                assert!(timed_out, "notified by another process");
            });
            let left_behind = *monitor.mutex.lock();
            if !left_behind {
                // Too early: it would link itself in the child.
                parents.join().unwrap();
                return (false, false);
            }
            enter_forked_child();
            let found = monitor.changed.notify_one();
            assert_eq!(monitor.changed.notify_all(), 0);
            assert!(monitor.changed.wait_for(&mut own.lock(), SOON).timed_out());
            parents.join().unwrap();
            (found, left_behind)
        },
    );
}

// Two waiters.

/// Each waiter that is found is released; the others see the change and do not wait.
#[test]
fn notify_all_two_waiters() {
    Explore::new("condvar, notify_all of two").preemptions(2).at_least(800).run(&[0, 1, 2], || {
        let monitor = Monitor::new(false);
        let wait = |monitor: &Monitor<bool>| {
            let mut go = monitor.mutex.lock();
            monitor.changed.wait_while(&mut go, |go| !*go);
        };
        let second = monitor.spawn(wait);
        let notifier = monitor.spawn(|monitor| {
            *monitor.mutex.lock() = true;
            monitor.changed.notify_all()
        });
        wait(&monitor);
        second.join().unwrap();
        notifier.join().unwrap()
    });
}

/// As above, with the mutex held during the notification.
#[test]
fn notify_all_while_locked() {
    Explore::new("condvar, notify_all while locked").preemptions(2).at_least(1_000).run(
        &[0, 1, 2],
        || {
            let monitor = Monitor::new(false);
            let wait = |monitor: &Monitor<bool>| {
                let mut go = monitor.mutex.lock();
                monitor.changed.wait_while(&mut go, |go| !*go);
            };
            let second = monitor.spawn(wait);
            let notifier = monitor.spawn(|monitor| {
                let mut go = monitor.mutex.lock();
                *go = true;
                monitor.changed.notify_all()
            });
            wait(&monitor);
            second.join().unwrap();
            notifier.join().unwrap()
        },
    );
}

/// An owner of the mutex moves the waiters: nobody is woken before it unlocks.
#[test]
fn notify_all_held() {
    Explore::new("condvar, notify_all_held").preemptions(1).at_least(50).run(&[0, 1, 2], || {
        let monitor = Monitor::new(false);
        let wait = |monitor: &Monitor<bool>| {
            let mut go = monitor.mutex.lock();
            monitor.changed.wait_while(&mut go, |go| !*go);
        };
        let second = monitor.spawn(wait);
        let notifier = monitor.spawn(|monitor| {
            let mut go = monitor.mutex.lock();
            *go = true;
            monitor.changed.notify_all_held(&go)
        });
        wait(&monitor);
        second.join().unwrap();
        notifier.join().unwrap()
    });
}

#[test]
fn notify_one_held() {
    Explore::new("condvar, notify_one_held").preemptions(3).signals(1).at_least(300).run(
        &[(false, 1), (true, 1)],
        || {
            let monitor = Monitor::new(0);
            let notifier = monitor.spawn(|monitor| {
                let mut value = monitor.mutex.lock();
                *value = 1;
                monitor.changed.notify_one_held(&value)
            });
            let mut value = monitor.mutex.lock();
            if *value == 0 {
                monitor.changed.wait(&mut value);
            }
            let seen = *value;
            drop(value);
            (notifier.join().unwrap(), seen)
        },
    );
}

/// A deadline that passes while it is moved: it was notified, and says so.
#[test]
fn notify_held_against_a_deadline() {
    Explore::new("condvar, notify_one_held, timed").preemptions(3).at_least(300).run(
        &[(false, false), (true, true)],
        || {
            let monitor = Monitor::new(());
            let notifier =
                monitor.spawn(|monitor| monitor.changed.notify_one_held(&monitor.mutex.lock()));
            let notified = monitor.wait_briefly();
            (notifier.join().unwrap(), notified)
        },
    );
}

/// Those with another mutex are let go, held as this one is.
#[test]
fn held_with_another_mutex() {
    Explore::new("condvar, notify_all_held, two mutexes").preemptions(1).at_least(50).run(
        &[0, 1, 2],
        two_mutexes(|other, monitor| {
            *other.lock() = true;
            let mut go = monitor.mutex.lock();
            *go = true;
            monitor.changed.notify_all_held(&go)
        }),
    );
}

/// Two waits, of which one is timed, and one bare notification: if it found somebody, exactly one
/// of the waits was notified by it. The wait that is not timed is ended by a second notification,
/// whose count completes the sum.
#[test]
fn timed_out_waiter_eats_no_notification() {
    Explore::new("condvar, timed against notify_one").preemptions(1).at_least(1_000).run(
        // What the bare one found, what the last one found, the timed wait, the plain wait.
        &[
            (false, 0, false, false),
            (false, 1, false, true),
            (false, 2, true, true),
            (true, 0, false, true),
            (true, 1, true, true),
        ],
        || {
            let monitor = Monitor::new(false);
            let timed = monitor.spawn(Monitor::wait_briefly);
            let notifier = monitor.spawn(|monitor| {
                let bare = monitor.changed.notify_one();
                *monitor.mutex.lock() = true;
                (bare, monitor.changed.notify_all())
            });
            let waited = monitor.wait_unless();
            let timed = timed.join().unwrap();
            let (bare, last) = notifier.join().unwrap();
            let waits = usize::from(timed) + usize::from(waited);
            assert_eq!(usize::from(bare) + last, waits, "notifications against notified waits");
            (bare, last, timed, waited)
        },
    );
}

/// A deadline that passes once the node is taken: it was notified and says so, once it was moved
/// or let go.
#[test]
fn timed_out_in_the_chain() {
    Explore::new("condvar, timed against notify_all").preemptions(1).at_least(90).run(
        &[(0, false, false), (1, false, true), (2, true, true)],
        || {
            let monitor = Monitor::new(false);
            let timed = monitor.spawn(Monitor::wait_briefly);
            let notifier = monitor.spawn(|monitor| {
                *monitor.mutex.lock() = true;
                monitor.changed.notify_all()
            });
            let waited = monitor.wait_unless();
            let timed = timed.join().unwrap();
            let count = notifier.join().unwrap();
            assert_eq!(count, usize::from(timed) + usize::from(waited));
            (count, timed, waited)
        },
    );
}

/// One waiter, two notifications at once: one of them finds it. All three meet at the list lock,
/// where one that has slept has to wake the next.
#[test]
fn two_notifiers_one_waiter() {
    Explore::new("condvar, two notifiers").preemptions(1).at_least(2_000).run(
        &[(false, false, false), (false, true, true), (true, false, true)],
        || {
            let monitor = Monitor::new(());
            let notify = |monitor: &Monitor<()>| monitor.changed.notify_one();
            let (left, right) = (monitor.spawn(notify), monitor.spawn(notify));
            let notified = monitor.wait_briefly();
            (left.join().unwrap(), right.join().unwrap(), notified)
        },
    );
}

/// The two wait with different mutexes: each is let go without the other.
#[test]
fn two_mutexes_one_condvar() {
    Explore::new("condvar, two mutexes").preemptions(1).at_least(50).run(
        &[0, 1, 2],
        two_mutexes(|other, monitor| {
            *other.lock() = true;
            *monitor.mutex.lock() = true;
            monitor.changed.notify_all()
        }),
    );
}

/// The same, while the notifier holds the mutex of one of them.
#[test]
fn two_mutexes_one_held() {
    Explore::new("condvar, two mutexes, one held").preemptions(1).at_least(50).run(
        &[0, 1, 2],
        two_mutexes(|other, monitor| {
            *other.lock() = true;
            let mut go = monitor.mutex.lock();
            *go = true;
            monitor.changed.notify_all()
        }),
    );
}

fn two_mutexes(
    notify: impl Fn(&Mutex<bool>, &Monitor<bool>) -> usize + Send + Sync + Copy + 'static,
) -> impl Fn() -> usize + Send + Sync + 'static {
    move || {
        let monitor = Monitor::new(false);
        let other = Arc::new(Mutex::new(false));
        let second = {
            let other = other.clone();
            monitor.spawn(move |monitor| {
                monitor.changed.wait_while(&mut other.lock(), |go| !*go);
            })
        };
        let notifier = {
            let other = other.clone();
            monitor.spawn(move |monitor| notify(&other, monitor))
        };
        monitor.changed.wait_while(&mut monitor.mutex.lock(), |go| !*go);
        second.join().unwrap();
        notifier.join().unwrap()
    }
}

/// A notified waiter does not depend on a mutex that is not its own: the notifier keeps the first
/// waiter's mutex until the second one has gone.
#[test]
fn other_mutex_is_not_waited_for() {
    Explore::new("condvar, held mutex of another").preemptions(2).at_least(700).run(
        &[0, 1, 2],
        || {
            let monitor = Monitor::new(false);
            let other = Arc::new(Mutex::new(false));
            let first = monitor.spawn(|monitor| {
                monitor.changed.wait_while(&mut monitor.mutex.lock(), |go| !*go);
            });
            let second = {
                let other = other.clone();
                monitor.spawn(move |monitor| {
                    monitor.changed.wait_while(&mut other.lock(), |go| !*go);
                })
            };
            *other.lock() = true;
            let mut go = monitor.mutex.lock();
            *go = true;
            let count = monitor.changed.notify_all();
            second.join().unwrap();
            drop(go);
            first.join().unwrap();
            count
        },
    );
}

/// Three threads at the list lock, where one that has slept has to wake the next. How the waiter
/// came to wait is not varied.
#[test]
fn list_lock_contention() {
    Explore::new("condvar, list lock").preemptions(1).at_least(1_000).run(&[1], || {
        let monitor = Monitor::new(false);
        let waiter = unvaried(|| {
            let waiter = monitor.spawn(|monitor| {
                let mut waits = monitor.mutex.lock();
                *waits = true;
                monitor.changed.wait(&mut waits);
            });
            while !*monitor.mutex.lock() {
                thread::yield_now();
            }
            waiter
        });
        let notify = |monitor: &Monitor<bool>| usize::from(monitor.changed.notify_one());
        let others = [(); 2].map(|()| monitor.spawn(notify));
        let own = notify(&monitor);
        waiter.join().unwrap();
        others.map(|other| other.join().unwrap()).iter().sum::<usize>() + own
    });
}

#[test]
fn interrupted_while_moved() {
    Explore::new("condvar, notify_all and signals").preemptions(2).signals(2).at_least(1_000).run(
        &[0, 1, 2],
        || {
            let monitor = Monitor::new(false);
            let wait = |monitor: &Monitor<bool>| {
                let mut go = monitor.mutex.lock();
                if !*go {
                    monitor.changed.wait(&mut go);
                    assert!(*go, "a signal is no notification");
                }
            };
            let second = monitor.spawn(wait);
            let notifier = monitor.spawn(|monitor| {
                *monitor.mutex.lock() = true;
                monitor.changed.notify_all()
            });
            wait(&monitor);
            second.join().unwrap();
            notifier.join().unwrap()
        },
    );
}

/// Two notifications of all at once: whom the one lets go, the other's wake-up at the gate may
/// reach first.
#[test]
fn two_notifiers_of_all() {
    Explore::new("condvar, two notify_all").preemptions(1).at_least(300).run(&[0, 1, 2], || {
        let monitor = Monitor::new(false);
        let wait = |monitor: &Monitor<bool>| {
            let mut go = monitor.mutex.lock();
            monitor.changed.wait_while(&mut go, |go| !*go);
        };
        let notify = |monitor: &Monitor<bool>| {
            *monitor.mutex.lock() = true;
            monitor.changed.notify_all()
        };
        let second = monitor.spawn(wait);
        let notifiers = [(); 2].map(|()| monitor.spawn(notify));
        wait(&monitor);
        second.join().unwrap();
        notifiers.map(|notifier| notifier.join().unwrap()).iter().sum::<usize>()
    });
}

// Three waiters.

/// The chain has two nodes to move, and the first of them has to wake the second.
#[test]
fn moved_waiters_wake_each_other() {
    Explore::new("condvar, notify_all of three")
        .preemptions(1)
        .without_strict_wakes()
        .at_least(100)
        .run(&[(0, 3), (1, 3), (2, 3), (3, 3)], || {
            let monitor = Monitor::new((false, 0));
            let wait = |monitor: &Monitor<(bool, u32)>| {
                let mut state = monitor.mutex.lock();
                monitor.changed.wait_while(&mut state, |(go, _)| !*go);
                state.1 += 1;
            };
            let others = [(); 2].map(|()| monitor.spawn(wait));
            let notifier = monitor.spawn(|monitor| {
                // Kept locked, so that the chain goes to the first and is moved.
                let mut state = monitor.mutex.lock();
                state.0 = true;
                monitor.changed.notify_all()
            });
            wait(&monitor);
            for other in others {
                other.join().unwrap();
            }
            let count = notifier.join().unwrap();
            (count, monitor.mutex.lock().1)
        });
}

/// With the numbers that ship, and the mutex held: two are let go one by one, and the second of
/// them moves the third. How they came to wait is not varied.
#[test]
fn two_are_let_go_and_one_is_moved() {
    Explore::new("condvar, notify_all of three, as shipped, held")
        .as_shipped()
        .preemptions(1)
        .at_least(100)
        .run(&[(3, 3)], || three_as_shipped(true));
}

/// The same with the mutex free: two go by way of the gate.
#[test]
fn three_are_let_go_together() {
    Explore::new("condvar, notify_all of three, as shipped, free")
        .as_shipped()
        .preemptions(1)
        .at_least(100)
        .run(&[(3, 3)], || three_as_shipped(false));
}

fn three_as_shipped(held: bool) -> (usize, u32) {
    let monitor = Monitor::new((0, 0));
    let waiters = unvaried(|| {
        [1, 2, 3].map(|n| {
            let waiter = monitor.spawn(|monitor| {
                let mut state = monitor.mutex.lock();
                state.0 += 1;
                monitor.changed.wait(&mut state);
                state.1 += 1;
            });
            while monitor.mutex.lock().0 < n {
                thread::yield_now();
            }
            waiter
        })
    });
    let guard = held.then(|| monitor.mutex.lock());
    let count = monitor.changed.notify_all();
    drop(guard);
    for waiter in waiters {
        waiter.join().unwrap();
    }
    (count, monitor.mutex.lock().1)
}
