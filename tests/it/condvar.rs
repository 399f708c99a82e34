//! `Condvar` and `WaitTimeoutResult`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Condvar, Deadline, Mutex, MutexGuard};

use super::support::threads::{asleep, join_all, together};
use super::support::watchdog::Watchdog;

/// A mutex with the number of threads that wait, and the condition variable that they wait on. A
/// thread that counted itself under the mutex is in the queue once the mutex is free again.
#[derive(Default)]
struct Room {
    waiting: Mutex<usize>,
    changed: Condvar,
    /// How many ever came.
    entered: AtomicUsize,
}

impl Room {
    fn enter(&self) -> MutexGuard<'_, usize> {
        let mut waiting = self.waiting.lock();
        *waiting += 1;
        self.entered.fetch_add(1, Relaxed);
        waiting
    }

    /// Returns once `n` threads have begun to wait, even if some have ended.
    fn until_entered(&self, n: usize) {
        while self.entered.load(Relaxed) < n {
            thread::yield_now();
        }
        drop(self.waiting.lock());
    }

    /// Returns once `n` threads wait.
    fn until_waiting(&self, n: usize) {
        while *self.waiting.lock() != n {
            thread::yield_now();
        }
    }
}

#[test]
fn sizes_and_a_static() {
    static CHANGED: Condvar = Condvar::new();
    assert_eq!(size_of::<Condvar>(), 16);
    assert!(!CHANGED.notify_one());
    assert_eq!(CHANGED.notify_all(), 0);
}

#[test]
fn nobody_waits_nobody_is_notified() {
    let changed = Condvar::default();
    for _ in 0..3 {
        assert!(!changed.notify_one());
        assert_eq!(changed.notify_all(), 0);
    }
    // Nor is a notification kept for those who come later.
    let mutex = Mutex::new(());
    assert!(changed.wait_for(&mut mutex.lock(), Duration::from_millis(1)).timed_out());
}

#[test]
fn a_wait_gives_the_mutex_up_and_takes_it_again() {
    let _watchdog = Watchdog::start();
    let room = Room::default();
    thread::scope(|s| {
        let waiter = s.spawn(|| {
            let mut waiting = room.enter();
            room.changed.wait(&mut waiting);
            assert!(room.waiting.is_locked(), "by this thread");
            *waiting
        });
        room.until_waiting(1);
        let mut waiting = room.waiting.lock();
        *waiting = 7;
        assert!(room.changed.notify_one(), "linked by the time the mutex is free");
        assert!(!room.changed.notify_one(), "once");
        drop(waiting);
        assert_eq!(waiter.join().unwrap(), 7);
    });
}

#[test]
fn counts_are_exact() {
    let _watchdog = Watchdog::start();
    let room = Room::default();
    thread::scope(|s| {
        let wait = || {
            let mut waiting = room.enter();
            room.changed.wait(&mut waiting);
            *waiting -= 1;
        };
        let waiters: [_; 5] = std::array::from_fn(|_| s.spawn(wait));
        room.until_waiting(5);
        assert!(room.changed.notify_one());
        assert!(room.changed.notify_one());
        assert_eq!(room.changed.notify_all(), 3);
        assert_eq!(room.changed.notify_all(), 0);
        assert!(!room.changed.notify_one());
        join_all(waiters);
        assert_eq!(*room.waiting.lock(), 0);
    });
}

/// Who holds the mutex queues the waiters on it; with the same counts.
#[test]
fn held_notifications() {
    let _watchdog = Watchdog::start();
    let room = Room::default();
    let other = Mutex::new(false);
    thread::scope(|s| {
        let wait = || {
            let mut waiting = room.enter();
            room.changed.wait(&mut waiting);
            *waiting -= 1;
        };
        let waiters: [_; 5] = std::array::from_fn(|_| s.spawn(wait));
        room.until_waiting(5);
        let stranger = asleep(s, None, || room.changed.wait(&mut other.lock()));
        let waiting = room.waiting.lock();
        assert!(room.changed.notify_one_held(&waiting));
        assert!(room.changed.notify_one_held(&waiting));
        assert_eq!(room.changed.notify_all_held(&waiting), 4);
        assert_eq!(room.changed.notify_all_held(&waiting), 0);
        assert!(!room.changed.notify_one_held(&waiting));
        // It waits with another mutex, so it need not wait for this one.
        stranger.join().unwrap();
        assert_eq!(*waiting, 5, "nobody else returned");
        drop(waiting);
        join_all(waiters);
        assert_eq!(*room.waiting.lock(), 0);
    });
}

/// One at a time, each thread that waits longest first.
#[test]
fn first_come_first_notified() {
    let _watchdog = Watchdog::start();
    let room = Room::default();
    let order = Mutex::new(Vec::new());
    thread::scope(|s| {
        let mut waiters = Vec::new();
        for i in 0..6 {
            let (room, order) = (&room, &order);
            waiters.push(s.spawn(move || {
                let mut waiting = room.enter();
                room.changed.wait(&mut waiting);
                order.lock().push(i);
                *waiting -= 1;
            }));
            room.until_waiting(i + 1);
        }
        for left in (0..6).rev() {
            assert!(room.changed.notify_one());
            room.until_waiting(left);
        }
        join_all(waiters);
    });
    assert_eq!(order.into_inner(), [0, 1, 2, 3, 4, 5]);
}

/// There are no spurious wake-ups to hide behind: a wait that nobody notifies goes on, here while
/// its mutex is used and others are notified.
#[test]
fn a_notification_wakes_no_other() {
    let _watchdog = Watchdog::start();
    let room = Room::default();
    let woken = Mutex::new(0);
    thread::scope(|s| {
        let wait = || {
            let mut waiting = room.enter();
            room.changed.wait(&mut waiting);
            *woken.lock() += 1;
            *waiting -= 1;
        };
        let waiters: [_; 4] = std::array::from_fn(|_| s.spawn(wait));
        room.until_waiting(4);
        assert!(room.changed.notify_one());
        room.until_waiting(3);
        for _ in 0..1000 {
            drop(room.waiting.lock());
        }
        assert_eq!((*woken.lock(), *room.waiting.lock()), (1, 3));
        assert_eq!(room.changed.notify_all(), 3);
        join_all(waiters);
    });
}

/// A waiter that times out leaves the queue, wherever in it it stands, and eats no notification.
#[test]
fn those_who_time_out_leave_no_trace() {
    let _watchdog = Watchdog::start();
    for leaver in 0..3 {
        let room = Room::default();
        thread::scope(|s| {
            let mut threads = Vec::new();
            for i in 0..3 {
                let room = &room;
                threads.push(s.spawn(move || {
                    let mut waiting = room.enter();
                    if i == leaver {
                        let limit = Duration::from_millis(20);
                        assert!(room.changed.wait_for(&mut waiting, limit).timed_out());
                    } else {
                        room.changed.wait(&mut waiting);
                    }
                    *waiting -= 1;
                }));
                room.until_entered(i + 1);
            }
            threads.remove(leaver).join().unwrap();
            room.until_waiting(2);
            assert!(room.changed.notify_one());
            assert_eq!(room.changed.notify_all(), 1);
            join_all(threads);
        });
        assert!(!room.changed.notify_one());
    }
}

/// While a waiter queues for the mutex after its notification, its time may run out: it was
/// notified all the same.
#[test]
fn notified_in_time_counts_however_long_the_mutex_takes() {
    let _watchdog = Watchdog::start();
    for notify_all in [false, true] {
        let room = Room::default();
        let limit = Duration::from_millis(300);
        thread::scope(|s| {
            let waiters: [_; 3] = std::array::from_fn(|_| {
                s.spawn(|| room.changed.wait_for(&mut room.enter(), limit).timed_out())
            });
            room.until_entered(3);
            let held = room.waiting.lock();
            let count = if notify_all {
                room.changed.notify_all()
            } else {
                (0..4).filter(|_| room.changed.notify_one()).count()
            };
            thread::sleep(limit + limit / 10);
            drop(held);
            // On a machine that stood still for so long, some may have left before.
            let timed_out = join_all(waiters);
            assert_eq!(timed_out.iter().filter(|&&timed_out| !timed_out).count(), count);
        });
    }
}

mod limits {
    use super::*;

    #[test]
    fn past_and_zero_end_at_once_with_the_mutex_held() {
        let past = Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
        let (mutex, changed) = (Mutex::new(()), Condvar::new());
        let mut guard = mutex.lock();
        assert!(changed.wait_for(&mut guard, Duration::ZERO).timed_out());
        assert!(changed.wait_until(&mut guard, past).timed_out());
        assert!(changed.wait_until(&mut guard, Deadline::now()).timed_out());
        assert!(mutex.is_locked());
        assert_eq!(changed.notify_all(), 0, "nobody was left in the queue");
    }

    #[test]
    fn a_limit_is_waited_out() {
        let (mutex, changed) = (Mutex::new(()), Condvar::new());
        let mut guard = mutex.lock();
        let wait = Duration::from_millis(20);
        let start = Instant::now();
        assert!(changed.wait_for(&mut guard, wait).timed_out());
        assert!(start.elapsed() >= wait);
        let until = Instant::now() + wait;
        assert!(changed.wait_until(&mut guard, until).timed_out());
        assert!(Instant::now() >= until);
    }

    #[test]
    fn beyond_the_end_of_time_waits() {
        let _watchdog = Watchdog::start();
        let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
        type Wait = Box<dyn Fn(&Room, &mut MutexGuard<'_, usize>) -> bool + Send + Sync>;
        let waits: [Wait; 4] = [
            Box::new(|room, guard| room.changed.wait_for(guard, Duration::MAX).timed_out()),
            Box::new(move |room, guard| room.changed.wait_until(guard, far).timed_out()),
            Box::new(|room, guard| room.changed.wait_until(guard, Deadline::NEVER).timed_out()),
            Box::new(|room, guard| {
                let mut first = true;
                let once = |_: &mut usize| std::mem::take(&mut first);
                room.changed.wait_while_for(guard, once, Duration::MAX).timed_out()
            }),
        ];
        for wait in waits {
            let room = Room::default();
            thread::scope(|s| {
                let waiter = asleep(s, None, || wait(&room, &mut room.enter()));
                room.until_waiting(1);
                assert!(!waiter.is_finished());
                assert!(room.changed.notify_one());
                assert!(!waiter.join().unwrap());
            });
        }
    }

    #[test]
    fn results_compare_and_show() {
        let (mutex, changed) = (Mutex::new(()), Condvar::new());
        let first = changed.wait_for(&mut mutex.lock(), Duration::ZERO);
        let second = changed.wait_until(&mut mutex.lock(), Deadline::now());
        assert_eq!(first, second);
        assert_eq!(format!("{first:?}"), "WaitTimeoutResult(true)");
    }
}

mod conditions {
    use super::*;

    #[test]
    fn are_looked_at_first() {
        let (mutex, changed) = (Mutex::new(3), Condvar::new());
        let mut guard = mutex.lock();
        let mut calls = 0;
        changed.wait_while(&mut guard, |value| {
            calls += 1;
            assert_eq!(*value, 3);
            false
        });
        assert_eq!(calls, 1);
        assert!(!changed.wait_while_for(&mut guard, |_| false, Duration::ZERO).timed_out());
        assert!(!changed.wait_while_until(&mut guard, |_| false, Deadline::now()).timed_out());
    }

    #[test]
    fn are_looked_at_after_every_notification() {
        let _watchdog = Watchdog::start();
        let (value, changed) = (Mutex::new(0), Condvar::new());
        let seen = thread::scope(|s| {
            let waiter = s.spawn(|| {
                let mut seen = Vec::new();
                changed.wait_while(&mut value.lock(), |value| {
                    seen.push(*value);
                    *value < 4
                });
                seen
            });
            for next in 1..=4 {
                // Only a waiter that is back in the queue can be notified.
                loop {
                    let mut value = value.lock();
                    *value = next;
                    if changed.notify_one() {
                        break;
                    }
                    *value = next - 1;
                    drop(value);
                    thread::yield_now();
                }
            }
            waiter.join().unwrap()
        });
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }

    /// Time up and the condition false at last: not a time-out.
    #[test]
    fn decide_when_the_time_is_up() {
        let (mutex, changed) = (Mutex::new(0), Condvar::new());
        let mut guard = mutex.lock();
        let mut looks = 0;
        let result = changed.wait_while_for(
            &mut guard,
            |_| {
                looks += 1;
                looks < 2
            },
            Duration::from_millis(1),
        );
        assert_eq!((looks, result.timed_out()), (2, false));
        let soon = Instant::now() + Duration::from_millis(1);
        assert!(changed.wait_while_until(&mut guard, |_| true, soon).timed_out());
    }

    /// The time is for the whole of it, however often the waiter is notified.
    #[test]
    fn share_one_deadline() {
        let _watchdog = Watchdog::start();
        let room = Room::default();
        let done = Mutex::new(false);
        thread::scope(|s| {
            let waiter = s.spawn(|| {
                let limit = Duration::from_millis(30);
                let start = Instant::now();
                let result = room.changed.wait_while_for(&mut room.enter(), |_| true, limit);
                *done.lock() = true;
                assert!(result.timed_out() && start.elapsed() >= limit);
            });
            while !*done.lock() {
                room.changed.notify_one();
                thread::yield_now();
            }
            waiter.join().unwrap();
        });
    }

    #[test]
    fn may_panic() {
        let (mutex, changed) = (Mutex::new(1), Condvar::new());
        let mut guard = mutex.lock();
        let panicking = |_: &mut i32| -> bool { panic!("in a condition") };
        catch_unwind(AssertUnwindSafe(|| changed.wait_while(&mut guard, panicking))).unwrap_err();
        let limit = Duration::from_millis(1);
        catch_unwind(AssertUnwindSafe(|| {
            let _ = changed.wait_while_for(&mut guard, panicking, limit);
        }))
        .unwrap_err();
        // Also once it has waited.
        let mut looks = 0;
        catch_unwind(AssertUnwindSafe(|| {
            let _ = changed.wait_while_for(
                &mut guard,
                |_| {
                    looks += 1;
                    assert!(looks < 2, "in a condition");
                    true
                },
                limit,
            );
        }))
        .unwrap_err();
        assert!(mutex.is_locked(), "still by this guard");
        *guard += 1;
        drop(guard);
        assert_eq!(*mutex.lock(), 2);
        assert_eq!(changed.notify_all(), 0);
    }
}

mod several_mutexes {
    use super::*;

    #[test]
    fn on_one_condition_variable() {
        let _watchdog = Watchdog::start();
        let (left, right, changed) = (Mutex::new(0), Mutex::new(0), Condvar::new());
        let wait = |mutex: &Mutex<u32>| {
            let mut count = mutex.lock();
            *count += 1;
            changed.wait(&mut count);
            *count -= 1;
        };
        thread::scope(|s| {
            let mutexes = [&left, &right, &left, &right];
            let waiters = mutexes.map(|mutex| s.spawn(move || wait(mutex)));
            while *left.lock() < 2 || *right.lock() < 2 {
                thread::yield_now();
            }
            drop((left.lock(), right.lock()));
            assert!(changed.notify_one());
            assert_eq!(changed.notify_all(), 3);
            join_all(waiters);
        });
        assert_eq!((left.into_inner(), right.into_inner()), (0, 0));
    }

    /// Being let go must not depend on a mutex that the waiter has nothing to do with.
    #[test]
    fn a_held_one_holds_up_its_own_waiters_only() {
        let _watchdog = Watchdog::start();
        let (left, right, changed) = (Mutex::new(false), Mutex::new(false), Condvar::new());
        let wait = |mutex: &Mutex<bool>| {
            let mut waits = mutex.lock();
            *waits = true;
            changed.wait(&mut waits);
        };
        thread::scope(|s| {
            let first = s.spawn(|| wait(&left));
            while !*left.lock() {
                thread::yield_now();
            }
            let second = s.spawn(|| wait(&right));
            while !*right.lock() {
                thread::yield_now();
            }
            let held = left.lock();
            assert_eq!(changed.notify_all(), 2);
            second.join().unwrap();
            drop(held);
            first.join().unwrap();
        });
    }
}

/// The notifier may hold the mutex or not, and may itself go on to wait.
#[test]
fn notified_with_the_mutex_held_or_not() {
    let _watchdog = Watchdog::start();
    for held in [false, true] {
        let (turn, changed) = (Mutex::new(0), Condvar::new());
        together(2, |me| {
            for _ in 0..200 {
                let mut turn = turn.lock();
                changed.wait_while(&mut turn, |turn| *turn % 2 != me);
                *turn += 1;
                if held {
                    changed.notify_one();
                } else {
                    drop(turn);
                    changed.notify_one();
                }
            }
        });
        assert_eq!(turn.into_inner(), 400);
    }
}

#[test]
fn debug_tells_without_waiting() {
    let _watchdog = Watchdog::start();
    let room = Room::default();
    assert_eq!(format!("{:?}", room.changed), "Condvar { has_waiters: false }");
    thread::scope(|s| {
        let waiter = s.spawn(|| room.changed.wait(&mut room.enter()));
        room.until_waiting(1);
        drop(room.waiting.lock());
        assert_eq!(format!("{:?}", room.changed), "Condvar { has_waiters: true }");
        assert!(room.changed.notify_one());
        assert_eq!(format!("{:?}", room.changed), "Condvar { has_waiters: false }");
        waiter.join().unwrap();
    });
}

/// The guard that waited is as good as before: it maps, it unlocks, it waits again.
#[test]
fn the_guard_lives_on() {
    let (mutex, changed) = (Mutex::new((1, 2)), Condvar::new());
    let mut guard = mutex.lock();
    for _ in 0..3 {
        assert!(changed.wait_for(&mut guard, Duration::from_micros(10)).timed_out());
    }
    let part = MutexGuard::map(guard, |pair| &mut pair.1);
    assert_eq!(*part, 2);
    drop(part);
    assert!(!mutex.is_locked());
}

#[test]
fn waits_on_unsized_data() {
    let (mutex, changed) = (Mutex::new([1, 2, 3]), Condvar::new());
    let mutex: &Mutex<[i32]> = &mutex;
    let mut guard = mutex.lock();
    assert!(changed.wait_for(&mut guard, Duration::from_micros(10)).timed_out());
    assert_eq!(guard.len(), 3);
}
