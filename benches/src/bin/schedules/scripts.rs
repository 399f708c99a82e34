//! The schedules. Each is written as its steps, in the order in which they happen.

use crate::cast::Actor;
use crate::rwlock;
use lockwork_bench::condvars::{Condvars, Lockwork, ParkingLot, Pthread, PthreadMutex, Std, Usync};
use lockwork_bench::meetings::{Meeting, PthreadBarrier};
use lockwork_bench::semaphores::{SemT, Semaphores};
use std::sync::Arc;
use std::time::Duration;

/// A schedule that is ready to be run some number of times.
pub(crate) struct Script {
    pub(crate) schedule: &'static str,
    pub(crate) peer: &'static str,
    pub(crate) play: Box<dyn Fn(u64)>,
}

/// How many wait in the broadcasts.
const MANY: usize = 8;

/// A timeout that is over soon, but not before the waiter is tired of spinning and sleeps.
const SOON: Duration = Duration::from_millis(3);

/// Every schedule of every peer that can play it.
pub(crate) fn all() -> Vec<Script> {
    let mut scripts = vec![];
    of::<Lockwork>(&mut scripts);
    of::<Std>(&mut scripts);
    of::<ParkingLot>(&mut scripts);
    of::<Usync>(&mut scripts);
    of::<Pthread>(&mut scripts);
    // std and usync have no timed lock.
    let mut timed = |peer, play: fn(u64)| {
        scripts.push(Script { schedule: "lock-timed-out", peer, play: Box::new(play) });
    };
    timed(Lockwork::NAME, |times| lock_timed_out::<Lockwork>(times, lockwork_times_out));
    timed(ParkingLot::NAME, |times| lock_timed_out::<ParkingLot>(times, parking_lot_times_out));
    timed(Pthread::NAME, |times| lock_timed_out::<Pthread>(times, pthread_times_out));
    rwlock::add_all(&mut scripts);
    let mut permits = |schedule, peer, play: fn(u64)| {
        scripts.push(Script { schedule, peer, play: Box::new(play) });
    };
    permits("permit-uncontended", Lockwork::NAME, permit::<lockwork::Semaphore>);
    permits("permit-uncontended", Pthread::NAME, permit::<SemT>);
    permits("release-16", Lockwork::NAME, release_many::<lockwork::Semaphore>);
    permits("release-16", Pthread::NAME, release_many::<SemT>);
    permits("release-16-fair", Lockwork::NAME, release_many::<lockwork::FairSemaphore>);
    let mut add = |schedule, peer, play: Box<dyn Fn(u64)>| {
        scripts.push(Script { schedule, peer, play });
    };
    add("set-nobody", "lockwork", Box::new(set_nobody));
    add("set-all-8", "lockwork", Box::new(|times| set_all(times, MANY)));
    add("set-one", "lockwork", Box::new(set_one));
    add("barrier-8", "lockwork", Box::new(|times| meet::<lockwork::Barrier>(times, MANY)));
    add("barrier-8", "std", Box::new(|times| meet::<std::sync::Barrier>(times, MANY)));
    add("barrier-8", "pthread", Box::new(|times| meet::<PthreadBarrier>(times, MANY)));
    scripts
}

/// A takes a permit and gives it back; nobody else is there.
fn permit<S: Semaphores>(times: u64) {
    let semaphore = S::new(1);
    for _ in 0..times {
        semaphore.acquire_release();
    }
}

/// Sixteen go to sleep; A releases as many permits, at once if it can; all get through. Sixteen of
/// the calls are those of the sleepers.
fn release_many<S: Semaphores>(times: u64) {
    const WAITERS: u32 = 16;
    let semaphore = Arc::new(S::new(0));
    let waiters: Vec<Actor> = (0..WAITERS)
        .map(|_| {
            let theirs = Arc::clone(&semaphore);
            Actor::engage(move || theirs.acquire())
        })
        .collect();
    for _ in 0..times {
        for waiter in &waiters {
            waiter.cue();
            waiter.await_asleep();
        }
        semaphore.release(WAITERS);
        waiters.iter().for_each(Actor::await_done);
    }
}

/// A sets and resets events of both kinds; nobody waits.
fn set_nobody(times: u64) {
    let (manual, auto) = (lockwork::Event::manual(), lockwork::Event::auto());
    for _ in 0..times {
        manual.set();
        auto.set();
        manual.reset();
        auto.reset();
    }
}

/// Waiters go to sleep; A sets; all get through.
fn set_all(times: u64, waiters: usize) {
    let event = Arc::new(lockwork::Event::manual());
    let waits = || {
        let event = Arc::clone(&event);
        Actor::engage(move || event.wait())
    };
    let waiters: Vec<Actor> = (0..waiters).map(|_| waits()).collect();
    for _ in 0..times {
        for waiter in &waiters {
            waiter.cue();
            waiter.await_asleep();
        }
        event.set();
        waiters.iter().for_each(Actor::await_done);
        event.reset();
    }
}

/// B waits for an automatic event; A sets it, and once more when B has gone.
fn set_one(times: u64) {
    let event = Arc::new(lockwork::Event::auto());
    let theirs = Arc::clone(&event);
    let b = Actor::engage(move || theirs.wait());
    for _ in 0..times {
        b.cue();
        b.await_asleep();
        event.set();
        b.await_done();
        event.set();
        event.reset();
    }
}

/// All but one come to a barrier and sleep; A comes last.
fn meet<M: Meeting + 'static>(times: u64, parties: usize) {
    let barrier = Arc::new(M::of(parties));
    let meets = || {
        let barrier = Arc::clone(&barrier);
        Actor::engage(move || {
            barrier.meet();
        })
    };
    let others: Vec<Actor> = (1..parties).map(|_| meets()).collect();
    for _ in 0..times {
        for other in &others {
            other.cue();
            other.await_asleep();
        }
        barrier.meet();
        others.iter().for_each(Actor::await_done);
    }
}

fn of<C: Condvars>(scripts: &mut Vec<Script>) {
    let mut add = |schedule, play: Box<dyn Fn(u64)>| {
        scripts.push(Script { schedule, peer: C::NAME, play });
    };
    add("uncontended", Box::new(uncontended::<C>));
    add("notify-one-nobody", Box::new(|times| notify_nobody::<C>(times, C::notify_one)));
    add("notify-all-nobody", Box::new(|times| notify_nobody::<C>(times, C::notify_all)));
    add("handoff", Box::new(handoff::<C>));
    add("notify-one-under", Box::new(|times| notify::<C>(times, 1, C::notify_one, Order::Under)));
    add("notify-one-after", Box::new(|times| notify::<C>(times, 1, C::notify_one, Order::After)));
    add("notify-all-8-under", Box::new(|n| notify::<C>(n, MANY, C::notify_all, Order::Under)));
    add("notify-all-8-after", Box::new(|n| notify::<C>(n, MANY, C::notify_all, Order::After)));
    add("wait-timed-out", Box::new(wait_timed_out::<C>));
}

/// A locks and unlocks; nobody else is there.
fn uncontended<C: Condvars>(times: u64) {
    let mutex = C::mutex(0);
    for _ in 0..times {
        *C::lock(&mutex) += 1;
    }
}

/// A notifies; nobody waits.
fn notify_nobody<C: Condvars>(times: u64, notify: fn(&C::Condvar)) {
    let condvar = C::condvar();
    for _ in 0..times {
        notify(&condvar);
    }
}

/// A holds; B parks; A unlocks; B locks and unlocks.
fn handoff<C: Condvars>(times: u64) {
    let mutex = Arc::new(C::mutex(0));
    let theirs = Arc::clone(&mutex);
    let b = Actor::engage(move || *C::lock(&theirs) += 1);
    for _ in 0..times {
        let guard = C::lock(&mutex);
        b.cue();
        b.await_asleep();
        drop(guard);
        b.await_done();
    }
}

/// Does A notify with the lock held, or after unlocking?
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Under,
    After,
}

/// Waiters go to sleep, one after the other; A notifies; all get through.
///
/// Under the lock, A keeps it until every waiter sleeps again, or still: what a waiter does when it
/// is woken too early is part of the count. After it, waiters race for the lock, and the count is
/// a mean.
fn notify<C: Condvars>(times: u64, waiters: usize, notify: fn(&C::Condvar), order: Order) {
    struct Stage<C: Condvars> {
        generation: C::Mutex<u64>,
        advanced: C::Condvar,
    }
    let stage = Arc::new(Stage::<C> { generation: C::mutex(0), advanced: C::condvar() });
    let waits = || {
        let stage = Arc::clone(&stage);
        Actor::engage(move || {
            let mut guard = C::lock(&stage.generation);
            let seen = *guard;
            while *guard == seen {
                guard = C::wait(&stage.advanced, guard);
            }
        })
    };
    let waiters: Vec<Actor> = (0..waiters).map(|_| waits()).collect();
    for _ in 0..times {
        for waiter in &waiters {
            waiter.cue();
            waiter.await_asleep();
        }
        let mut guard = C::lock(&stage.generation);
        *guard += 1;
        if order == Order::Under {
            notify(&stage.advanced);
            waiters.iter().for_each(Actor::await_asleep);
            drop(guard);
        } else {
            drop(guard);
            notify(&stage.advanced);
        }
        waiters.iter().for_each(Actor::await_done);
    }
}

/// B waits for a notification until its time is up and leaves; then A notifies nobody.
fn wait_timed_out<C: Condvars>(times: u64) {
    let pair = Arc::new((C::mutex(0), C::condvar()));
    let theirs = Arc::clone(&pair);
    let b = Actor::engage(move || drop(C::wait_for(&theirs.1, C::lock(&theirs.0), SOON)));
    for _ in 0..times {
        b.cue();
        b.await_done();
        C::notify_one(&pair.1);
    }
}

/// A holds; B tries to lock until its time is up and leaves; A unlocks; then A locks and unlocks
/// once more: what a waiter leaves behind may cost one call, and only one.
fn lock_timed_out<C: Condvars>(times: u64, times_out: fn(&C::Mutex<u64>) -> bool) {
    let mutex = Arc::new(C::mutex(0));
    let theirs = Arc::clone(&mutex);
    let b = Actor::engage(move || assert!(times_out(&theirs), "A holds the lock"));
    for _ in 0..times {
        let guard = C::lock(&mutex);
        b.cue();
        b.await_done();
        drop(guard);
        drop(C::lock(&mutex));
    }
}

fn lockwork_times_out(mutex: &lockwork::Mutex<u64>) -> bool {
    mutex.try_lock_for(SOON).is_none()
}

fn parking_lot_times_out(mutex: &parking_lot::Mutex<u64>) -> bool {
    mutex.try_lock_for(SOON).is_none()
}

fn pthread_times_out(mutex: &PthreadMutex<u64>) -> bool {
    mutex.try_lock_for(SOON).is_none()
}
