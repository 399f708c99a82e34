//! `EventCount`: no notification is lost between the look and the sleep.

use std::sync::Arc;
use std::time::Duration;

use lockwork::model::Ordering::Relaxed;
use lockwork::model::{AtomicU32, Deadline, Explore, futex_calls};
use lockwork::model_raw::EventCount;

use crate::support::beside;

/// A number of things to be had, and the event of there being one.
struct Supply {
    stock: AtomicU32,
    came: EventCount,
}

impl Supply {
    fn new() -> Arc<Self> {
        Arc::new(Self { stock: AtomicU32::new(0), came: EventCount::new() })
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
        let supply = Supply::new();
        let waiter = beside(&supply, |supply| assert!(supply.take(Deadline::NEVER)));
        supply.stock.store(1, Relaxed);
        supply.came.notify_one();
        waiter.join().unwrap();
    });
}

#[test]
fn interrupted() {
    Explore::new("event count, signals").preemptions(3).signals(2).at_least(500).run(&[()], || {
        let supply = Supply::new();
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
            let supply = Supply::new();
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
        let supply = Supply::new();
        let waiters = [(); 2].map(|()| beside(&supply, Supply::wait_until_there_is_some));
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
        let supply = Supply::new();
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
