//! `PiCondvar`: no notification is lost, doubled or stolen; the most urgent waiter is first; and
//! whatever ends a sleep on its way to the mutex, counts are exact.

use std::mem::forget;
use std::sync::Arc;
use std::time::Duration;

use lockwork::model::{
    Explore, end_thread, enter_forked_child, futex_calls, interrupt_sleepers, set_priority, thread,
    unvaried,
};
use lockwork::{PiCondvar, PiError, PiMutex};

use super::support::let_sleep;

/// A licence to time out at any moment: see the model's notes on time.
const SOON: Duration = Duration::from_secs(1);

/// A mutex and the condition variable that goes with it.
struct Monitor<T> {
    mutex: PiMutex<T>,
    changed: PiCondvar,
}

impl<T: Send + 'static> Monitor<T> {
    fn new(value: T) -> Arc<Self> {
        Arc::new(Self { mutex: PiMutex::new(value), changed: PiCondvar::new() })
    }

    fn spawn<R: 'static>(
        self: &Arc<Self>,
        body: impl FnOnce(&Self) -> R + 'static,
    ) -> thread::JoinHandle<R> {
        let shared = self.clone();
        thread::spawn(move || body(&shared))
    }

    /// Waits once with a deadline; whether it was notified.
    fn wait_briefly(&self) -> bool {
        !self.changed.wait_for(self.mutex.lock(), SOON).1.timed_out()
    }

    fn notify_one(&self) -> bool {
        self.changed.notify_one(&self.mutex.lock())
    }

    fn notify_all(&self) -> usize {
        self.changed.notify_all(&self.mutex.lock())
    }
}

/// The plain use.
#[test]
fn notify_one() {
    Explore::new("pi condvar, notify_one").preemptions(4).at_least(500).run(
        &[(false, 1), (true, 1)],
        || {
            let monitor = Monitor::new(0);
            let notifier = monitor.spawn(|monitor| {
                let mut value = monitor.mutex.lock();
                *value = 1;
                monitor.changed.notify_one(&value)
            });
            let value = monitor.changed.wait_while(monitor.mutex.lock(), |value| *value == 0);
            let seen = *value;
            drop(value);
            (notifier.join().unwrap(), seen)
        },
    );
}

/// One wait and not a loop: it is notified if and only if the notification found it.
#[test]
fn notify_one_against_timed_wait() {
    Explore::new("pi condvar, timed").preemptions(3).at_least(200).run(
        &[(false, false), (true, true)],
        || {
            let monitor = Monitor::new(());
            let notifier = monitor.spawn(|monitor| monitor.notify_one());
            let notified = monitor.wait_briefly();
            (notifier.join().unwrap(), notified)
        },
    );
}

#[test]
fn notify_all_against_timed_wait() {
    Explore::new("pi condvar, timed, all").preemptions(3).at_least(200).run(
        &[(0, false), (1, true)],
        || {
            let monitor = Monitor::new(());
            let notifier = monitor.spawn(|monitor| monitor.notify_all());
            let notified = monitor.wait_briefly();
            (notifier.join().unwrap(), notified)
        },
    );
}

/// Nobody waits: no system call.
#[test]
fn notify_without_a_waiter_is_free() {
    Explore::new("pi condvar, nobody waits").unbounded().run(&[(false, 0, 0)], || {
        let monitor = Monitor::new(());
        (monitor.notify_one(), monitor.notify_all(), futex_calls())
    });
}

/// A signal before the move begins the wait again, and one after it ends the sleep; neither ends
/// the wait.
#[test]
fn interrupted() {
    let model = Explore::new("pi condvar, signals").preemptions(3).signals(2).at_least(300);
    model.run(&[(false, 1), (true, 1)], || {
        let monitor = Monitor::new(0);
        let notifier = monitor.spawn(|monitor| {
            let mut value = monitor.mutex.lock();
            *value = 1;
            monitor.changed.notify_one(&value)
        });
        // One wait, not a loop: a signal must not look like a notification.
        let mut value = monitor.mutex.lock();
        if *value == 0 {
            value = monitor.changed.wait(value);
        }
        let seen = *value;
        drop(value);
        (notifier.join().unwrap(), seen)
    });
}

/// Two waiters, one call for both, and all the ways in which it meets them.
#[test]
fn notify_all_two_waiters() {
    Explore::new("pi condvar, notify_all").preemptions(2).at_least(700).run(&[0, 1, 2], || {
        let monitor = Monitor::new(false);
        let wait = |monitor: &Monitor<bool>| {
            drop(monitor.changed.wait_while(monitor.mutex.lock(), |over| !*over));
        };
        let other = monitor.spawn(wait);
        let notifier = monitor.spawn(|monitor| {
            let mut over = monitor.mutex.lock();
            *over = true;
            monitor.changed.notify_all(&over)
        });
        wait(&monitor);
        other.join().unwrap();
        notifier.join().unwrap()
    });
}

/// Two notifications for two waiters, each of whom waits once.
#[test]
fn notify_one_twice() {
    Explore::new("pi condvar, two for two").preemptions(2).at_least(1_000).run(&[2], || {
        let monitor = Monitor::new(0);
        // Each counts itself in, and is let go by whoever is sure that both are there.
        fn wait(monitor: &Monitor<u32>) {
            let mut count = monitor.mutex.lock();
            *count += 1;
            drop(monitor.changed.wait(count));
        }
        let other = monitor.spawn(wait);
        let notifier = monitor.spawn(|monitor| {
            loop {
                let count = monitor.mutex.lock();
                if *count == 2 {
                    let first = monitor.changed.notify_one(&count);
                    drop(count);
                    let second = monitor.notify_one();
                    return u32::from(first) + u32::from(second);
                }
                drop(count);
                thread::yield_now();
            }
        });
        wait(&monitor);
        other.join().unwrap();
        notifier.join().unwrap()
    });
}

/// One notification, two waiters, one of whom may give up: as many are let go as were notified, and
/// the other is let go by the next one.
#[test]
fn timed_out_waiter_eats_no_notification() {
    Explore::new("pi condvar, timed and not").preemptions(2).at_least(50).run(
        &[(false, 1), (true, 2)],
        || {
            let monitor = Monitor::new(());
            let plain = monitor.spawn(|monitor| drop(monitor.changed.wait(monitor.mutex.lock())));
            unvaried(|| let_sleep(1));
            let timed = monitor.spawn(|monitor| {
                set_priority(1); // so that it is the first to be notified
                monitor.wait_briefly()
            });
            // What the one with a limit does not take, the other does.
            let mut found = 0;
            for _ in 0..2 {
                found += u32::from(monitor.notify_one());
            }
            let notified = timed.join().unwrap();
            plain.join().unwrap();
            (notified, found)
        },
    );
}

/// A thread that began to wait after the notification does not take it, if it has the mutex before
/// the one it was for: it is more urgent, and so is another one, which has it in between.
#[test]
fn latecomer_steals_nothing() {
    Explore::new("pi condvar, latecomer").preemptions(2).at_least(20).run(&[false], || {
        let monitor = Monitor::new(());
        let first = monitor.spawn(|monitor| drop(monitor.changed.wait(monitor.mutex.lock())));
        unvaried(|| let_sleep(1));
        let held = monitor.mutex.lock();
        assert!(monitor.changed.notify_one(&held));
        let late = monitor.spawn(|monitor| {
            set_priority(2);
            monitor.wait_briefly()
        });
        unvaried(|| let_sleep(3));
        let between = monitor.spawn(|monitor| {
            set_priority(1);
            drop(monitor.mutex.lock());
        });
        unvaried(|| let_sleep(4));
        drop(held);
        between.join().unwrap();
        let late = late.join().unwrap();
        first.join().unwrap();
        late
    });
}

/// Also not when a second notification, which it might have had, went to somebody else.
#[test]
fn latecomer_takes_its_own_only() {
    let model = Explore::new("pi condvar, two latecomers").preemptions(2).at_least(200);
    model.run(&[(false, true), (true, true)], || {
        let monitor = Monitor::new(0);
        let first = monitor.spawn(|monitor| drop(monitor.changed.wait(monitor.mutex.lock())));
        unvaried(|| let_sleep(1));
        assert!(monitor.notify_one());
        let late = monitor.spawn(|monitor| {
            let mut count = monitor.mutex.lock();
            *count += 1;
            !monitor.changed.wait_for(count, SOON).1.timed_out()
        });
        let mut count = monitor.mutex.lock();
        // For those who are there.
        let found = monitor.changed.notify_one(&count);
        *count += 1;
        drop(count);
        let late = late.join().unwrap();
        first.join().unwrap();
        // The first was let go in any case.
        (late, found || !late)
    });
}

/// The most urgent goes first, with one notification each.
#[test]
fn by_priority() {
    Explore::new("pi condvar, priorities").preemptions(2).at_least(10).run(&[210], || {
        let monitor = Monitor::new(Vec::new());
        let mut threads = Vec::new();
        for i in 0..3 {
            threads.push(monitor.spawn(move |monitor| {
                set_priority(i as u32);
                let mut order = monitor.changed.wait(monitor.mutex.lock());
                order.push(i);
            }));
            unvaried(|| let_sleep(i + 1));
        }
        for _ in 0..3 {
            assert!(monitor.notify_one());
        }
        for thread in threads {
            thread.join().unwrap();
        }
        let order = monitor.mutex.lock();
        order[0] * 100 + order[1] * 10 + order[2]
    });
}

/// When nobody waits any more, waiters may come with another mutex: its list is in order.
#[test]
fn another_mutex_later() {
    let model = Explore::new("pi condvar, another mutex").preemptions(3).at_least(20);
    model.run(&[false, true], || {
        let monitor = Monitor::new(());
        let first = monitor.spawn(|monitor| drop(monitor.changed.wait(monitor.mutex.lock())));
        unvaried(|| let_sleep(1));
        let notifier = monitor.spawn(|monitor| assert!(monitor.notify_one()));
        let other = PiMutex::new(());
        // Nothing but this look is between the two.
        let over = format!("{:?}", monitor.changed).contains("false");
        if over {
            let (_guard, result) = monitor.changed.wait_for(other.lock(), SOON);
            assert!(result.timed_out());
        }
        first.join().unwrap();
        notifier.join().unwrap();
        over
    });
}

/// An owner of the mutex ends while a waiter is on its way to it: that one is told, and so is
/// everybody later.
#[test]
fn owner_dies() {
    Explore::new("pi condvar, owner dies").preemptions(2).at_least(20).run(&[()], || {
        let monitor = Monitor::new(());
        let owner = monitor.spawn(|monitor| {
            let held = monitor.mutex.lock();
            monitor.changed.notify_one(&held);
            forget(held);
            end_thread();
        });
        let waits = |monitor: &Monitor<()>| {
            let guard = monitor.mutex.lock_checked()?;
            monitor.changed.wait_until_checked(guard, lockwork::Deadline::now()).map(drop)
        };
        // In time, or too late, or too early.
        let _ = waits(&monitor);
        owner.join().unwrap();
        assert_eq!(waits(&monitor), Err(PiError::OwnerDied));
        // With another mutex it is of no use any more either.
        let other = PiMutex::new(());
        if format!("{:?}", monitor.changed).contains("true") {
            let refused = monitor.changed.wait_checked(other.lock()).map(drop);
            assert_eq!(refused, Err(PiError::OwnerDied));
            assert!(!monitor.changed.notify_one(&other.lock()));
        }
    });
}

/// A child of fork finds nobody there. A waiter whose own signal handler forked is in the child,
/// and is found once it has looked.
#[test]
fn child_of_fork() {
    Explore::new("pi condvar, fork").preemptions(2).run(&[(false, true)], || {
        let monitor = Monitor::new(());
        let waiter = monitor.spawn(|monitor| drop(monitor.changed.wait(monitor.mutex.lock())));
        unvaried(|| let_sleep(1));
        enter_forked_child();
        let found = monitor.notify_one();
        assert!(!monitor.wait_briefly(), "there is nobody to notify it");
        let calls = futex_calls();
        interrupt_sleepers();
        unvaried(|| let_sleep(calls + 1));
        let found_later = monitor.notify_one();
        waiter.join().unwrap();
        (found, found_later)
    });
}
