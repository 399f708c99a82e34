//! `RwLock`: exclusion, hand-over of data, wake-up duties between the kinds of holders, time-outs,
//! conversions, waiters that have waited long, marks of another process.

use std::sync::Arc;
use std::time::Duration;

use lockwork::model::{Explore, enter_forked_child, futex_calls, thread};
use lockwork::{
    RecursiveRwLock, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
};

use super::support::beside;

/// A limit that may pass at any moment, or not.
const SOON: Duration = Duration::from_secs(1);

type Shared = RwLock<u32>;

fn write(lock: &Shared) {
    *lock.write() += 1;
}

fn read(lock: &Shared) -> u32 {
    *lock.read()
}

/// Runs the bodies on threads of their own but for the last, and returns what is left.
fn race(bodies: &[fn(&Shared)]) -> u32 {
    let lock = Arc::new(RwLock::new(0));
    let (last, others) = bodies.split_last().unwrap();
    let others: Vec<_> = others.iter().map(|&body| beside(&lock, body)).collect();
    last(&lock);
    for other in others {
        other.join().unwrap();
    }
    assert!(!lock.is_locked());
    *lock.read()
}

#[test]
fn two_writers() {
    Explore::new("rwlock, two writers")
        .unbounded()
        .at_least(100)
        .run(&[2], || race(&[write, write]));
}

/// Either may come first; each sees what the other did before.
#[test]
fn reader_and_writer() {
    Explore::new("rwlock, reader and writer").unbounded().at_least(100).run(&[0, 1], || {
        let lock = Arc::new(RwLock::new(0));
        let reader = beside(&lock, read);
        write(&lock);
        reader.join().unwrap()
    });
}

/// Uncontended, the kernel is left alone.
#[test]
fn futex_calls_only_when_somebody_sleeps() {
    Explore::new("rwlock, calls").unbounded().at_least(50).run(&[false, true], || {
        race(&[write, |lock| drop(lock.read())]);
        futex_calls() > 0
    });
}

#[test]
fn two_writers_and_a_reader() {
    Explore::new("rwlock, two writers and a reader")
        .preemptions(3)
        .at_least(500)
        .run(&[2], || race(&[write, write, |lock| drop(lock.read())]));
}

#[test]
fn two_readers_and_a_writer() {
    Explore::new("rwlock, two readers and a writer")
        .preemptions(2)
        .at_least(1_000)
        .run(&[1], || race(&[write, |lock| drop(lock.read()), |lock| drop(lock.read())]));
}

/// One owns, one is the heir, two sleep: whoever was woken from among those knows of the others.
#[test]
fn four_writers() {
    let explore = Explore::new("rwlock, four writers").preemptions(1).without_strict_wakes();
    explore.at_least(1000).run(&[4], || {
        let lock = Arc::new(RwLock::new(0));
        let mut first = lock.write();
        let others = [(); 3].map(|()| beside(&lock, write));
        *first += 1;
        thread::yield_now(); // to sleep, all of them
        drop(first);
        for other in others {
            other.join().unwrap();
        }
        *lock.read()
    });
}

#[test]
fn interrupted() {
    Explore::new("rwlock, signals")
        .preemptions(2)
        .signals(2)
        .at_least(1_000)
        .run(&[2], || race(&[write, write, |lock| drop(lock.read())]));
}

fn write_soon(lock: &Shared) {
    if let Some(mut value) = lock.try_write_for(SOON) {
        *value += 1;
    }
}

/// Whoever gives up takes nobody's wake-up along.
#[test]
fn writers_with_limits() {
    Explore::new("rwlock, writers with limits")
        .preemptions(3)
        .at_least(1_000)
        .run(&[1, 2, 3], || race(&[write, write_soon, write_soon]));
}

#[test]
fn writers_with_limits_and_a_reader() {
    Explore::new("rwlock, writers with limits and a reader")
        .preemptions(2)
        .at_least(1_000)
        .run(&[1, 2, 3], || race(&[write, write_soon, write_soon, |lock| drop(lock.read())]));
}

/// A claim that is taken back lets the readers in that it held up.
#[test]
fn claim_taken_back() {
    Explore::new("rwlock, claim taken back")
        .preemptions(2)
        .at_least(1000)
        .run(&[0, 1], || race(&[write_soon, |lock| drop(lock.read()), |lock| drop(lock.read())]));
}

#[test]
fn readers_with_limits() {
    Explore::new("rwlock, readers with limits")
        .preemptions(2)
        .at_least(300)
        .run(&[2], || race(&[write, write, |lock| drop(lock.try_read_for(SOON))]));
}

#[test]
fn try_forms() {
    Explore::new("rwlock, try forms").preemptions(3).at_least(100).run(&[0, 1, 2], || {
        race(&[
            |lock| {
                if let Some(mut value) = lock.try_write() {
                    *value += 1;
                }
            },
            |lock| {
                if let Some(guard) = lock.try_upgradable_read() {
                    if let Ok(mut value) = RwLockUpgradableReadGuard::try_upgrade(guard) {
                        *value += 1;
                    }
                }
            },
            |lock| drop(lock.try_read()),
        ])
    });
}

/// The solo that is woken first lets the readers in that sleep beside it: it waits for one.
#[test]
fn reader_beside_an_upgradable() {
    Explore::new("rwlock, reader beside an upgradable").preemptions(2).at_least(300).run(
        &[1],
        || {
            let lock = Arc::new(RwLock::new(0));
            let mut writing = lock.write();
            *writing = 1;
            let reader = beside(&lock, read);
            let upgradable = beside(&lock, |lock| {
                let _reading = lock.upgradable_read();
                reader.join().unwrap()
            });
            drop(writing);
            upgradable.join().unwrap()
        },
    );
}

/// Nobody writes between the read and the upgrade.
#[test]
fn upgrade() {
    Explore::new("rwlock, upgrade").preemptions(3).at_least(300).run(&[2], || {
        race(&[write, |lock| {
            let guard = lock.upgradable_read();
            let before = *guard;
            let mut guard = RwLockUpgradableReadGuard::upgrade(guard);
            assert_eq!(*guard, before);
            *guard += 1;
        }])
    });
}

#[test]
fn upgrade_among_readers() {
    Explore::new("rwlock, upgrade among readers").preemptions(2).at_least(500).run(&[1], || {
        race(&[
            |lock| drop(lock.read()),
            |lock| drop(lock.read()),
            |lock| *RwLockUpgradableReadGuard::upgrade(lock.upgradable_read()) += 1,
        ])
    });
}

/// An upgrade that gives up is an upgradable reader as before.
#[test]
fn upgrade_with_a_limit() {
    Explore::new("rwlock, upgrade with a limit").preemptions(2).at_least(500).run(&[1, 2], || {
        race(&[
            write,
            |lock| drop(lock.read()),
            |lock| match RwLockUpgradableReadGuard::try_upgrade_for(lock.upgradable_read(), SOON) {
                Ok(mut value) => *value += 1,
                Err(guard) => assert!(lock.try_upgradable_read().is_none() && *guard <= 1),
            },
        ])
    });
}

/// What the writer wrote is seen by those who enter beside the reader it becomes.
#[test]
fn downgrade() {
    Explore::new("rwlock, downgrade").preemptions(3).at_least(200).run(&[0, 1], || {
        let lock = Arc::new(RwLock::new(0));
        let reader = beside(&lock, read);
        let mut writing = lock.write();
        *writing = 1;
        let reading = RwLockWriteGuard::downgrade(writing);
        let seen = reader.join().unwrap(); // it has to be let in
        drop(reading);
        seen
    });
}

#[test]
fn downgrade_with_a_writer() {
    Explore::new("rwlock, downgrade and writer").preemptions(2).at_least(1_000).run(&[2], || {
        race(&[
            write,
            |lock| drop(lock.read()),
            |lock| {
                let mut writing = lock.write();
                *writing += 1;
                drop(RwLockWriteGuard::downgrade(writing));
            },
        ])
    });
}

#[test]
fn downgrade_to_upgradable() {
    Explore::new("rwlock, downgrade to upgradable").preemptions(3).at_least(200).run(
        &[0, 1],
        || {
            let lock = Arc::new(RwLock::new(0));
            let reader = beside(&lock, read);
            let mut writing = lock.write();
            *writing = 1;
            let mut reading = RwLockWriteGuard::downgrade_to_upgradable(writing);
            let seen = reader.join().unwrap();
            reading.with_upgraded(|value| *value += 1);
            drop(RwLockUpgradableReadGuard::downgrade(reading));
            seen
        },
    );
}

/// A reader that has waited long keeps the writers out, and hands on to them.
#[test]
fn starving_reader() {
    Explore::new("rwlock, starving reader")
        .preemptions(3)
        .without_strict_wakes()
        .naps(2)
        .at_least(1_000)
        .run(&[2], || race(&[write, write, |lock| drop(lock.read())]));
}

/// So does a writer that has waited long.
#[test]
fn starving_writer() {
    Explore::new("rwlock, starving writer")
        .preemptions(3)
        .without_strict_wakes()
        .naps(3)
        .at_least(500)
        .run(&[3], || race(&[write, write, write]));
}

#[test]
fn starving_with_limits() {
    Explore::new("rwlock, starving with limits")
        .preemptions(2)
        .naps(3)
        .at_least(1_000)
        .run(&[1, 2], || race(&[write, write_soon, |lock| drop(lock.try_read_for(SOON))]));
}

/// An upgrade waits for a reader that has waited long, and is woken by it.
#[test]
fn starving_reader_and_upgrades() {
    Explore::new("rwlock, starving reader and upgrades")
        .preemptions(3)
        .naps(2)
        .at_least(1_000)
        .run(&[2], || {
            race(&[
                |lock| drop(lock.read()),
                |lock| {
                    let mut guard = lock.upgradable_read();
                    for _ in 0..2 {
                        guard.with_upgraded(|value| *value += 1);
                    }
                },
            ])
        });
}

/// Whoever sleeps next in line is in before the one who unlocked comes back.
#[test]
fn fair_unlock() {
    Explore::new("rwlock, fair unlock").preemptions(2).at_least(1000).run(&[2], || {
        race(&[
            |lock| {
                let mut writing = lock.write();
                RwLockWriteGuard::bump(&mut writing);
                *writing += 1;
            },
            |lock| {
                RwLockWriteGuard::unlock_fair({
                    let mut writing = lock.write();
                    *writing += 1;
                    writing
                })
            },
            |lock| drop(lock.read()),
        ])
    });
}

/// A reader lets a writer that waits for it go first, and reads what that has written.
#[test]
fn reader_bumps() {
    Explore::new("rwlock, reader bumps").preemptions(3).at_least(100).run(&[1], || {
        race(&[write, |lock| {
            let mut reading = lock.read();
            RwLockReadGuard::bump(&mut reading);
        }])
    });
}

/// A reader is not held up by a writer that waits.
#[test]
fn recursive_reads() {
    Explore::new("rwlock, recursive reads").preemptions(3).at_least(100).run(&[0, 1], || {
        let lock = Arc::new(RecursiveRwLock::new(0));
        let writer = beside(&lock, |lock| *lock.write() += 1);
        let outer = lock.read();
        let inner = lock.read();
        assert_eq!(*outer, *inner);
        let seen = *inner;
        drop(outer);
        drop(inner);
        writer.join().unwrap();
        assert_eq!(*lock.read(), 1);
        seen
    });
}

#[test]
fn recursive_lock_of_all_kinds() {
    Explore::new("rwlock, recursive, all kinds").preemptions(1).at_least(100).run(&[2], || {
        let lock = Arc::new(RecursiveRwLock::new(0));
        let writer = beside(&lock, |lock| *lock.write() += 1);
        let reader = beside(&lock, |lock| drop(lock.read()));
        lock.upgradable_read().with_upgraded(|value| *value += 1);
        writer.join().unwrap();
        reader.join().unwrap();
        *lock.read()
    });
}

/// The lock is freed by whoever unlocks last: nothing may touch it afterwards but its address.
#[test]
fn freed_by_the_last_owner() {
    Explore::new("rwlock, freed early").unbounded().at_least(50).run(&[()], || {
        let lock = Arc::new(RwLock::new(false));
        let other = lock.clone();
        let thread = thread::spawn(move || *other.write() = true);
        drop(lock.read());
        drop(lock);
        thread.join().unwrap();
    });
}

/// The holder forks while another waits, and unlocks in the child, where that is not: the mark it
/// has left keeps nobody out. (The model has one set of threads: the waiter is still there, so what
/// is shown is that the lock is refused only because the waiter got it.)
#[test]
fn marks_of_another_process() {
    Explore::new("rwlock, marks of another process").preemptions(3).at_least(50).run(
        &[false, true],
        || {
            let lock = Arc::new(RwLock::new(0));
            let writing = lock.write();
            let reader = beside(&lock, |lock| lock.try_read_for(SOON).is_some());
            thread::yield_now();
            let marked = futex_calls() > 0;
            if marked {
                enter_forked_child();
            }
            RwLockWriteGuard::unlock_fair(writing);
            let entered = lock.try_write().is_some();
            let read = reader.join().unwrap();
            assert!(entered || read || !marked, "kept out by a mark");
            marked
        },
    );
}
