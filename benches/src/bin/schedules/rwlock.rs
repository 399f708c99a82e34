//! The schedules of the reader-writer locks.

use crate::cast::Actor;
use crate::scripts::Script;
use lockwork_bench::harness::work::Work;
use lockwork_bench::rwlocks::{Pthread, SharedLock};
use std::sync::Arc;

/// How many readers sleep where many do.
const MANY: usize = 8;

/// How many operations one run of a rush has, and how long each of them stays inside, in ns.
const RUSH: u64 = 10_000;
const SECTION: u64 = 100;

/// Every schedule of every peer.
pub(crate) fn add_all(scripts: &mut Vec<Script>) {
    of::<lockwork::RwLock<u64>>(scripts);
    of::<std::sync::RwLock<u64>>(scripts);
    of::<parking_lot::RwLock<u64>>(scripts);
    of::<usync::RwLock<u64>>(scripts);
    of::<Pthread>(scripts);
}

fn of<L: SharedLock>(scripts: &mut Vec<Script>) {
    let mut add = |schedule, play: Box<dyn Fn(u64)>| {
        scripts.push(Script { schedule, peer: L::NAME, play });
    };
    add("rwlock-uncontended", Box::new(uncontended::<L>));
    add("rwlock-writer-waits", Box::new(|times| unlock_to::<L>(times, 0, 1)));
    add("rwlock-8-readers-wait", Box::new(|times| unlock_to::<L>(times, MANY, 0)));
    add("rwlock-both-wait", Box::new(|times| unlock_to::<L>(times, MANY, 2)));
    add("rwlock-last-reader-leaves", Box::new(last_reader_leaves::<L>));
    add("rwlock-rush-2-10%", Box::new(|times| rush::<L>(times, 2, 10)));
    add("rwlock-rush-2-50%", Box::new(|times| rush::<L>(times, 2, 50)));
    add("rwlock-rush-8-1%", Box::new(|times| rush::<L>(times, 8, 1)));
    add("rwlock-rush-8-10%", Box::new(|times| rush::<L>(times, 8, 10)));
    add("rwlock-rush-8-50%", Box::new(|times| rush::<L>(times, 8, 50)));
}

/// A writes and leaves, reads and leaves; nobody else is there.
fn uncontended<L: SharedLock>(times: u64) {
    let lock = L::new();
    for _ in 0..times {
        lock.write(|n| *n += 1);
        lock.read(|n| assert_ne!(*n, 0));
    }
}

/// A writes; readers and writers park; A leaves; all get through.
fn unlock_to<L: SharedLock>(times: u64, readers: usize, writers: usize) {
    let lock = Arc::new(L::new());
    let reads = || {
        let lock = Arc::clone(&lock);
        Actor::engage(move || lock.read(|n| assert_ne!(*n, 0)))
    };
    let writes = || {
        let lock = Arc::clone(&lock);
        Actor::engage(move || lock.write(|n| *n += 1))
    };
    let mut waiters: Vec<Actor> = (0..readers).map(|_| reads()).collect();
    waiters.extend((0..writers).map(|_| writes()));
    for _ in 0..times {
        lock.write(|n| {
            *n += 1;
            for waiter in &waiters {
                waiter.cue();
                waiter.await_asleep();
            }
        });
        waiters.iter().for_each(Actor::await_done);
    }
}

/// A reads; B wants to write and parks; A leaves; B writes.
fn last_reader_leaves<L: SharedLock>(times: u64) {
    let lock = Arc::new(L::new());
    let theirs = Arc::clone(&lock);
    let b = Actor::engage(move || theirs.write(|n| *n += 1));
    for _ in 0..times {
        lock.read(|_| {
            b.cue();
            b.await_asleep();
        });
        b.await_done();
    }
}

/// Threads read and write without a pause, ten thousand operations together in each run; how many
/// calls that takes depends on the day, so it is a mean and not exact.
fn rush<L: SharedLock>(times: u64, threads: u64, writes: u32) {
    let lock = Arc::new(L::new());
    let each = times * RUSH / threads;
    let section = Work::lasting(SECTION);
    let crew: Vec<Actor> = (0..threads)
        .map(|seed| {
            let lock = Arc::clone(&lock);
            Actor::engage(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..each {
                    if random.u32(0..100) < writes {
                        lock.write(|n| {
                            *n += 1;
                            section.run();
                        });
                    } else {
                        lock.read(|_| section.run());
                    }
                }
            })
        })
        .collect();
    crew.iter().for_each(Actor::cue);
    crew.iter().for_each(Actor::await_done_asleep);
}
