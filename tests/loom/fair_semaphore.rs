//! `FairSemaphore`: strict order, whatever each one wants, and exact however waits end.

use std::sync::Arc;
use std::time::Duration;

use lockwork::model::{Explore, bury, enter_forked_child, futex_calls, interrupt_sleepers};
use lockwork::semaphore::{AcquireError, Closed, TryAcquireError};
use lockwork::{FairSemaphore, Mutex};

use crate::support::{Watched, beside, let_sleep};

const SOON: Duration = Duration::from_secs(1);

/// A semaphore, and a number that is accessed by those with all its permits only.
struct Room {
    semaphore: FairSemaphore,
    number: Watched,
}

impl Room {
    fn new(permits: u32) -> Arc<Self> {
        Arc::new(Self { semaphore: FairSemaphore::new(permits), number: Watched::new(0) })
    }

    fn visit(&self) {
        let _permit = self.semaphore.acquire().unwrap();
        self.number.add();
    }
}

fn take(semaphore: &FairSemaphore, n: u32) {
    semaphore.acquire_many(n).unwrap().forget();
}

#[test]
fn two_threads() {
    Explore::new("fair semaphore").preemptions(3).at_least(50).run(&[(2, 1)], || {
        let room = Room::new(1);
        let other = beside(&room, Room::visit);
        room.visit();
        other.join().unwrap();
        (room.number.get(), room.semaphore.available())
    });
}

#[test]
fn three_threads() {
    Explore::new("fair semaphore, three").preemptions(1).at_least(50).run(&[(3, 1)], || {
        let room = Room::new(1);
        let held = room.semaphore.acquire().unwrap();
        let others = [(); 2].map(|()| beside(&room, Room::visit));
        room.number.add();
        drop(held);
        others.into_iter().for_each(|other| other.join().unwrap());
        (room.number.get(), room.semaphore.available())
    });
}

/// What was done before each of two releases is seen by one who needed both, whether they found it
/// in the queue or not.
#[test]
fn two_releases_for_one() {
    Explore::new("fair semaphore, two releases").preemptions(1).at_least(50).run(&[0], || {
        let semaphore = Arc::new(FairSemaphore::new(0));
        let written = [(); 2].map(|()| Watched::new(0));
        let releasers = written.clone().map(|written| {
            beside(&semaphore, move |semaphore| {
                written.set(1);
                semaphore.release(1).unwrap();
            })
        });
        take(&semaphore, 2);
        assert!(written.iter().all(|written| written.get() == 1));
        releasers.into_iter().for_each(|releaser| releaser.join().unwrap());
        semaphore.available()
    });
}

/// What is left of a release once the queue was served: whoever takes that sees what came before.
#[test]
fn the_rest_of_a_release() {
    Explore::new("fair semaphore, the rest").preemptions(2).at_least(50).run(
        &[false, true],
        || {
            let room = Room::new(0);
            let waiter = beside(&room, |room| take(&room.semaphore, 1));
            let releaser = beside(&room, |room| {
                room.number.set(1);
                room.semaphore.release(2).unwrap();
            });
            let rest = room.semaphore.try_acquire().map(|permit| permit.forget()).is_ok();
            if rest {
                assert_eq!(room.number.get(), 1);
            }
            waiter.join().unwrap();
            releaser.join().unwrap();
            assert_eq!(room.semaphore.available(), u32::from(!rest));
            rest
        },
    );
}

/// The same for all that is left.
#[test]
fn drained_while_it_is_released() {
    Explore::new("fair semaphore, drain").unbounded().at_least(5).run(&[0, 2], || {
        let room = Room::new(0);
        let releaser = beside(&room, |room| {
            room.number.set(1);
            room.semaphore.release(2).unwrap();
        });
        let drained = room.semaphore.drain();
        let count = drained.permits();
        drained.forget();
        if count > 0 {
            assert_eq!(room.number.get(), 1);
        }
        releaser.join().unwrap();
        count
    });
}

/// One call for two who queue.
#[test]
fn two_permits_for_two_waiters() {
    Explore::new("fair semaphore, release(2) for two").preemptions(1).at_least(50).run(
        &[0],
        || {
            loom::stop_exploring();
            let semaphore = Arc::new(FairSemaphore::new(0));
            let other = beside(&semaphore, |semaphore| take(semaphore, 1));
            let_sleep(1);
            loom::explore();
            let releaser = beside(&semaphore, |semaphore| semaphore.release(2).unwrap());
            take(&semaphore, 1);
            other.join().unwrap();
            releaser.join().unwrap();
            semaphore.available()
        },
    );
}

/// Nobody passes one who waits for more than there is.
#[test]
fn not_overtaken() {
    Explore::new("fair semaphore, order").preemptions(1).at_least(20).run(&["many, few"], || {
        loom::stop_exploring();
        let semaphore = Arc::new(FairSemaphore::new(1));
        let log = Arc::new(Mutex::new(Vec::new()));
        let theirs = log.clone();
        let many = beside(&semaphore, move |semaphore| {
            let permits = semaphore.acquire_many(2).unwrap();
            theirs.lock().push("many");
            drop(permits);
        });
        let_sleep(1);
        loom::explore();
        assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::NoPermits));
        assert_eq!(semaphore.drain().permits(), 0);
        let releaser = beside(&semaphore, |semaphore| semaphore.release(1).unwrap());
        let permit = semaphore.acquire().unwrap();
        log.lock().push("few");
        drop(permit);
        many.join().unwrap();
        releaser.join().unwrap();
        assert_eq!(semaphore.available(), 2);
        let order = log.lock().clone();
        if order == ["many", "few"] { "many, few" } else { "few, many" }
    });
}

/// Who gives up lets those behind have what was too little for it.
#[test]
fn giving_up_serves_the_next() {
    Explore::new("fair semaphore, giving up").preemptions(1).at_least(50).run(&[0], || {
        let semaphore = Arc::new(FairSemaphore::new(1));
        let many = beside(&semaphore, |semaphore| {
            assert!(semaphore.acquire_many_for(2, SOON).is_err());
        });
        let few = beside(&semaphore, |semaphore| take(semaphore, 1));
        many.join().unwrap();
        few.join().unwrap();
        semaphore.available()
    });
}

/// A deadline against a release: permits are taken or left, never lost.
#[test]
fn timed() {
    Explore::new("fair semaphore, timed").preemptions(2).at_least(50).run(
        &[(false, 2), (true, 0)],
        || {
            let semaphore = Arc::new(FairSemaphore::new(0));
            let releaser = beside(&semaphore, |semaphore| semaphore.release(2).unwrap());
            let got = semaphore.acquire_many_for(2, SOON).map(|permits| permits.forget());
            releaser.join().unwrap();
            (got.is_ok(), semaphore.available())
        },
    );
}

/// The first, the middle or the last of a queue leaves while it is served.
#[test]
fn timed_and_not_timed() {
    Explore::new("fair semaphore, timed and not").preemptions(1).at_least(50).run(
        &[(false, 1), (true, 0)],
        || {
            let semaphore = Arc::new(FairSemaphore::new(0));
            let timed = beside(&semaphore, |semaphore| {
                semaphore.acquire_for(SOON).map(|permit| permit.forget()).is_ok()
            });
            let waiter = beside(&semaphore, |semaphore| take(semaphore, 1));
            semaphore.release(2).unwrap();
            let got = timed.join().unwrap();
            waiter.join().unwrap();
            (got, semaphore.available())
        },
    );
}

#[test]
fn interrupted() {
    Explore::new("fair semaphore, signals").preemptions(3).signals(2).at_least(50).run(
        &[0],
        || {
            let semaphore = Arc::new(FairSemaphore::new(0));
            let releaser = beside(&semaphore, |semaphore| semaphore.release(1).unwrap());
            take(&semaphore, 1);
            releaser.join().unwrap();
            semaphore.available()
        },
    );
}

#[test]
fn close_sends_all_away() {
    Explore::new("fair semaphore, close").preemptions(1).at_least(50).run(&[true], || {
        let room = Room::new(1);
        let waiters = [2, 1].map(|n| {
            beside(&room, move |room| {
                let end = room.semaphore.acquire_many(n).map(|permits| permits.forget());
                // The one who wants one may have been there before.
                assert!(end == Err(Closed) || n == 1);
            })
        });
        let closed = room.semaphore.close();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        closed
    });
}

#[test]
fn close_is_seen() {
    Explore::new("fair semaphore, close and acquire").preemptions(3).at_least(20).run(
        &[false, true],
        || {
            let room = Room::new(0);
            let closer = beside(&room, |room| {
                room.number.set(7);
                room.semaphore.close();
            });
            let tried = room.semaphore.try_acquire().err() == Some(TryAcquireError::Closed);
            if tried {
                assert_eq!(room.number.get(), 7);
            }
            assert_eq!(room.semaphore.acquire().err(), Some(Closed));
            assert_eq!(room.number.get(), 7);
            closer.join().unwrap();
            tried
        },
    );
}

#[test]
fn close_against_release_against_a_deadline() {
    Explore::new("fair semaphore, close, release, timed").preemptions(1).at_least(50).run(
        &[("closed", 1), ("got it", 0), ("timed out", 1)],
        || {
            let semaphore = Arc::new(FairSemaphore::new(0));
            let releaser = beside(&semaphore, |semaphore| semaphore.release(1).unwrap());
            let closer = beside(&semaphore, |semaphore| assert!(semaphore.close()));
            let end = match semaphore.acquire_for(SOON).map(|permit| permit.forget()) {
                Ok(()) => "got it",
                Err(AcquireError::Closed) => "closed",
                Err(_) => "timed out",
            };
            releaser.join().unwrap();
            closer.join().unwrap();
            (end, semaphore.available())
        },
    );
}

/// Whoever gets the permit may free the semaphore: the release that it came from may use nothing
/// but the address from then on.
#[test]
fn freed_by_whoever_acquires() {
    Explore::new("fair semaphore, freed early").preemptions(3).at_least(50).run(&[()], || {
        let semaphore = Arc::new(FairSemaphore::new(0));
        let releaser = beside(&semaphore, |semaphore| semaphore.release(1).unwrap());
        take(&semaphore, 1);
        bury(&*semaphore);
        releaser.join().unwrap();
    });
}

/// What a waiter of the parent left behind holds nobody up in the child, and is not touched. The
/// thread that waited is there in the child too, as if a signal handler of its had forked: it
/// queues again.
#[test]
fn forked_child_starts_anew() {
    Explore::new("fair semaphore, fork").preemptions(1).at_least(10).run(&[(1, 0)], || {
        loom::stop_exploring();
        let semaphore = Arc::new(FairSemaphore::new(1));
        let waiter = beside(&semaphore, |semaphore| take(semaphore, 2));
        let_sleep(1);
        assert!(semaphore.try_acquire().is_err(), "somebody queues");
        enter_forked_child();
        loom::explore();
        let permit = semaphore.try_acquire().expect("nobody queues here");
        let count = permit.permits();
        drop(permit);
        interrupt_sleepers();
        semaphore.release(1).unwrap();
        waiter.join().unwrap();
        (count, semaphore.available())
    });
}

/// Nobody waits, or nobody any more: no call.
#[test]
fn nobody_waits() {
    Explore::new("fair semaphore, nobody waits").unbounded().run(&[1], || {
        let semaphore = Arc::new(FairSemaphore::new(2));
        drop(semaphore.acquire_many(2));
        semaphore.release(3).unwrap();
        drop(semaphore.try_acquire_many(5));
        semaphore.drain().forget();
        assert!(semaphore.acquire_for(SOON).is_err());
        semaphore.release(1).unwrap();
        semaphore.close();
        futex_calls()
    });
}
