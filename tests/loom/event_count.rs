//! `EventCount`: no notification is lost between the look and the sleep.

use std::sync::Arc;
use std::time::Duration;

use lockwork::model::Ordering::Relaxed;
use lockwork::model::{AtomicU32, Deadline, Explore, Private, ProcessShared, Scope, futex_calls};
use lockwork::model_raw::EventCount;

use crate::support::beside;

/// A number of things to be had, and the event of there being one.
struct Supply<S: Scope = Private> {
    stock: AtomicU32,
    came: EventCount<S>,
}

impl<S: Scope> Supply<S> {
    fn empty() -> Arc<Self> {
        Arc::new(Self { stock: AtomicU32::new(0), came: EventCount::new() })
    }

    fn add_one(&self) {
        self.stock.fetch_add(1, Relaxed);
        self.came.notify_one();
    }

    /// Relaxed throughout: all order is the event count's.
    fn try_take(&self) -> bool {
        let mut stock = self.stock.load(Relaxed);
        while stock > 0 {
            match self.stock.compare_exchange(stock, stock - 1, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => stock = now,
            }
        }
        false
    }

    fn take(&self, deadline: Deadline) -> bool {
        loop {
            if self.try_take() {
                return true;
            }
            let ticket = self.came.prepare();
            if self.try_take() {
                self.came.cancel(ticket);
                return true;
            }
            if !self.came.wait(ticket, deadline) {
                return false;
            }
        }
    }

    /// As [`take`](Self::take), without a limit, staying announced between two looks.
    fn take_patiently(&self) {
        if self.try_take() {
            return;
        }
        let mut ticket = self.came.prepare();
        while !self.try_take() {
            self.came.sleep(&ticket, Deadline::NEVER);
            self.came.again(&mut ticket);
        }
        self.came.cancel(ticket);
    }

    fn wait_until_there_is_some(&self) {
        while self.stock.load(Relaxed) == 0 {
            let ticket = self.came.prepare();
            if self.stock.load(Relaxed) > 0 {
                self.came.cancel(ticket);
                return;
            }
            self.came.wait(ticket, Deadline::NEVER);
        }
    }
}

#[test]
fn look_and_sleep() {
    Explore::new("event count").preemptions(4).at_least(300).run(&[()], || {
        let supply = <Supply>::empty();
        let waiter = beside(&supply, |supply| assert!(supply.take(Deadline::NEVER)));
        supply.stock.store(1, Relaxed);
        supply.came.notify_one();
        waiter.join().unwrap();
    });
}

#[test]
fn interrupted() {
    Explore::new("event count, signals").preemptions(3).signals(2).at_least(500).run(&[()], || {
        let supply = <Supply>::empty();
        let waiter = beside(&supply, |supply| assert!(supply.take(Deadline::NEVER)));
        supply.stock.store(1, Relaxed);
        supply.came.notify_one();
        waiter.join().unwrap();
    });
}

/// What is not taken in time is still there.
#[test]
fn timed() {
    Explore::new("event count, timed").preemptions(3).at_least(200).run(
        &[(false, 1), (true, 0)],
        || {
            let supply = <Supply>::empty();
            let waiter =
                beside(&supply, |supply| supply.take(Deadline::after(Duration::from_secs(1))));
            supply.stock.store(1, Relaxed);
            supply.came.notify_one();
            (waiter.join().unwrap(), supply.stock.load(Relaxed))
        },
    );
}

#[test]
fn notify_without_a_waiter_is_free() {
    Explore::new("event count, nobody waits").unbounded().run(&[0], || {
        let came = EventCount::<lockwork::model::Private>::new();
        came.notify_one();
        came.notify_all();
        let ticket = came.prepare();
        came.cancel(ticket);
        came.notify_one();
        futex_calls()
    });
}

/// One announcement for all.
#[test]
fn notify_all() {
    Explore::new("event count, notify_all").preemptions(2).at_least(900).run(&[()], || {
        let supply = <Supply>::empty();
        let waiters = [(); 2].map(|()| beside(&supply, <Supply>::wait_until_there_is_some));
        supply.stock.store(1, Relaxed);
        supply.came.notify_all();
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

/// Two announcements, each for one: together they reach both.
#[test]
fn two_for_two() {
    Explore::new("event count, two for two").preemptions(1).at_least(200).run(&[0], || {
        let supply = <Supply>::empty();
        let waiters =
            [(); 2].map(|()| beside(&supply, |supply| assert!(supply.take(Deadline::NEVER))));
        for _ in 0..2 {
            supply.stock.fetch_add(1, Relaxed);
            supply.came.notify_one();
        }
        for waiter in waiters {
            waiter.join().unwrap();
        }
        supply.stock.load(Relaxed)
    });
}

/// A second call for one who has been called and is not back yet is none; and then one is needed.
#[test]
fn two_for_one() {
    Explore::new("event count, two for one").preemptions(3).at_least(200).run(&[0], || {
        let supply = <Supply>::empty();
        let waiter =
            beside(&supply, |supply| [(); 2].map(|()| assert!(supply.take(Deadline::NEVER))));
        supply.add_one();
        supply.add_one();
        waiter.join().unwrap();
        supply.stock.load(Relaxed)
    });
}

/// Who stays announced between two looks.
#[test]
fn two_for_one_who_stays() {
    Explore::new("event count, two for one who stays").preemptions(3).at_least(200).run(
        &[0],
        || {
            let supply = <Supply>::empty();
            let waiter = beside(&supply, |supply| [(); 2].map(|()| supply.take_patiently()));
            supply.add_one();
            supply.add_one();
            waiter.join().unwrap();
            supply.stock.load(Relaxed)
        },
    );
}

/// One of those called finds nothing left, stays, and has to be called once more.
#[test]
fn called_in_vain() {
    Explore::new("event count, called in vain").preemptions(2).at_least(200).run(&[0], || {
        let supply = <Supply>::empty();
        let waiter = beside(&supply, |supply| supply.take_patiently());
        let thief = beside(&supply, |supply| supply.try_take());
        supply.add_one();
        if thief.join().unwrap() {
            supply.add_one();
        }
        waiter.join().unwrap();
        supply.stock.load(Relaxed)
    });
}

/// Two notifiers, and two who stay announced.
#[test]
fn two_for_two_who_stay() {
    Explore::new("event count, two for two who stay")
        .without_strict_wakes()
        .preemptions(2)
        .at_least(200)
        .run(&[0], || {
            let supply = <Supply>::empty();
            let waiters = [(); 2].map(|()| beside(&supply, |supply| supply.take_patiently()));
            supply.add_one();
            supply.add_one();
            for waiter in waiters {
                waiter.join().unwrap();
            }
            supply.stock.load(Relaxed)
        });
}

/// Both in one announcement.
#[test]
fn two_at_once() {
    Explore::new("event count, two at once").preemptions(2).at_least(200).run(&[0], || {
        let supply = <Supply>::empty();
        let waiters =
            [(); 2].map(|()| beside(&supply, |supply| assert!(supply.take(Deadline::NEVER))));
        supply.stock.fetch_add(2, Relaxed);
        supply.came.notify(2);
        for waiter in waiters {
            waiter.join().unwrap();
        }
        supply.stock.load(Relaxed)
    });
}

/// One gives up while the other sleeps: a call that it takes along is not the other's wake-up.
#[test]
fn giving_up_beside_a_sleeper() {
    Explore::new("event count, giving up beside a sleeper").preemptions(2).at_least(200).run(
        &[(false, 0), (true, 0)],
        || {
            let supply = <Supply>::empty();
            let timed =
                beside(&supply, |supply| supply.take(Deadline::after(Duration::from_secs(1))));
            let plain = beside(&supply, |supply| assert!(supply.take(Deadline::NEVER)));
            supply.add_one();
            let in_time = timed.join().unwrap();
            if in_time {
                supply.add_one();
            }
            plain.join().unwrap();
            (in_time, supply.stock.load(Relaxed))
        },
    );
}

/// Between processes: both sides have fences.
#[test]
fn shared() {
    Explore::new("event count, shared").preemptions(4).at_least(300).run(&[()], || {
        let supply = Supply::<ProcessShared>::empty();
        let waiter = beside(&supply, |supply| assert!(supply.take(Deadline::NEVER)));
        supply.stock.store(1, Relaxed);
        supply.came.notify_one();
        waiter.join().unwrap();
    });
}

/// The first notifier takes FENCED away; others come before, after and in between.
#[test]
fn fence_goes() {
    Explore::new("event count, the fence goes").as_shipped().preemptions(2).at_least(300).run(
        &[0],
        || {
            let supply = <Supply>::empty();
            let waiter =
                beside(&supply, |supply| [(); 2].map(|()| assert!(supply.take(Deadline::NEVER))));
            let other = beside(&supply, |supply| supply.add_one());
            supply.add_one();
            waiter.join().unwrap();
            other.join().unwrap();
            supply.stock.load(Relaxed)
        },
    );
}
