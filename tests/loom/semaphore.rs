//! `Semaphore`: permits carry what was written, no wake-up is lost, whoever else takes, gives up,
//! releases or closes meanwhile.

use std::sync::Arc;
use std::time::Duration;

use lockwork::Semaphore;
use lockwork::model::{Explore, bury, futex_calls};
use lockwork::semaphore::{AcquireError, Closed, TryAcquireError};

use crate::support::{Watched, beside};

const SOON: Duration = Duration::from_secs(1);

/// A semaphore, and a number that is accessed by those with a permit only.
struct Room {
    semaphore: Semaphore,
    number: Watched,
}

impl Room {
    fn new(permits: u32) -> Arc<Self> {
        Arc::new(Self { semaphore: Semaphore::new(permits), number: Watched::new(0) })
    }

    fn visit(&self) {
        let _permit = self.semaphore.acquire().unwrap();
        self.number.add();
    }

    /// Whether there was a permit in time.
    fn visit_briefly(&self) -> bool {
        match self.semaphore.acquire_for(SOON) {
            Ok(_permit) => {
                self.number.add();
                true
            }
            Err(end) => {
                assert_eq!(end, AcquireError::TimedOut);
                false
            }
        }
    }
}

#[test]
fn two_threads() {
    Explore::new("semaphore").preemptions(3).at_least(50).run(&[(2, 1)], || {
        let room = Room::new(1);
        let other = beside(&room, Room::visit);
        room.visit();
        other.join().unwrap();
        (room.number.get(), room.semaphore.available())
    });
}

/// Who sleeps is woken by one who may have been woken.
#[test]
fn three_threads() {
    Explore::new("semaphore, three").preemptions(1).at_least(50).run(&[(3, 1)], || {
        let room = Room::new(1);
        let others = [(); 2].map(|()| beside(&room, Room::visit));
        room.visit();
        others.into_iter().for_each(|other| other.join().unwrap());
        (room.number.get(), room.semaphore.available())
    });
}

/// A permit that was released is taken by a thread that does not wait, with what came with it.
#[test]
fn try_and_drain() {
    Explore::new("semaphore, try and drain").unbounded().at_least(10).run(
        &[(0, 0, 2), (0, 2, 0), (1, 1, 0)],
        || {
            let room = Room::new(0);
            let other = beside(&room, |room| {
                room.number.set(1);
                room.semaphore.release(2).unwrap();
            });
            let tried = room.semaphore.try_acquire().map(|permit| {
                assert_eq!(room.number.get(), 1);
                permit.forget();
            });
            let drained = room.semaphore.drain();
            if drained.permits() > 0 {
                assert_eq!(room.number.get(), 1);
            }
            let count = drained.permits();
            drained.forget();
            other.join().unwrap();
            (u32::from(tried.is_ok()), count, room.semaphore.available())
        },
    );
}

/// One call that releases two, for two who sleep.
#[test]
fn two_permits_for_two_waiters() {
    Explore::new("semaphore, release(2) for two").preemptions(1).at_least(50).run(&[0], || {
        let semaphore = Arc::new(Semaphore::new(0));
        let take = |semaphore: &Semaphore| semaphore.acquire().unwrap().forget();
        let other = beside(&semaphore, take);
        let releaser = beside(&semaphore, |semaphore| semaphore.release(2).unwrap());
        take(&semaphore);
        other.join().unwrap();
        releaser.join().unwrap();
        semaphore.available()
    });
}

/// Two calls that release one each, for two who sleep.
#[test]
fn one_and_one_for_two_waiters() {
    Explore::new("semaphore, two releases for two").preemptions(1).at_least(50).run(&[0], || {
        let semaphore = Arc::new(Semaphore::new(0));
        let take = |semaphore: &Semaphore| semaphore.acquire().unwrap().forget();
        let others = [(); 2].map(|()| beside(&semaphore, take));
        semaphore.release(1).unwrap();
        semaphore.release(1).unwrap();
        others.into_iter().for_each(|other| other.join().unwrap());
        semaphore.available()
    });
}

/// Whoever is woken and finds that another thread was faster sleeps again, and that one wakes it.
#[test]
fn woken_and_too_late() {
    Explore::new("semaphore, a thief").preemptions(2).at_least(50).run(
        &[(1, false), (2, true)],
        || {
            let room = Room::new(0);
            let waiter = beside(&room, Room::visit);
            let thief = beside(&room, |room| {
                let Ok(_permit) = room.semaphore.try_acquire() else { return false };
                room.number.add();
                true
            });
            room.semaphore.release(1).unwrap();
            waiter.join().unwrap();
            let stole = thief.join().unwrap();
            assert_eq!(room.semaphore.available(), 1);
            (room.number.get(), stole)
        },
    );
}

/// A deadline against a release: a permit is taken or left, never lost.
#[test]
fn timed() {
    Explore::new("semaphore, timed").preemptions(4).at_least(50).run(&[(0, 1), (1, 1)], || {
        let room = Room::new(0);
        let releaser = beside(&room, |room| room.semaphore.release(1).unwrap());
        let got = room.visit_briefly();
        releaser.join().unwrap();
        (u32::from(got), room.semaphore.available())
    });
}

/// One with a deadline and one without: whoever gives up takes no wake-up along.
#[test]
fn timed_and_not_timed() {
    Explore::new("semaphore, timed and not").preemptions(2).at_least(50).run(
        &[(1, false), (2, true)],
        || {
            let room = Room::new(0);
            let timed = beside(&room, Room::visit_briefly);
            let waiter = beside(&room, Room::visit);
            room.semaphore.release(1).unwrap();
            let got = timed.join().unwrap();
            waiter.join().unwrap();
            (room.number.get(), got)
        },
    );
}

#[test]
fn interrupted() {
    Explore::new("semaphore, signals").preemptions(3).signals(2).at_least(50).run(&[0], || {
        let semaphore = Arc::new(Semaphore::new(0));
        let releaser = beside(&semaphore, |semaphore| semaphore.release(1).unwrap());
        semaphore.acquire().unwrap().forget();
        releaser.join().unwrap();
        semaphore.available()
    });
}

/// All who wait are told, with what came before.
#[test]
fn close_wakes_all() {
    Explore::new("semaphore, close").preemptions(2).at_least(50).run(&[true], || {
        let room = Room::new(0);
        let waiters = [(); 2].map(|()| {
            beside(&room, |room| {
                assert_eq!(room.semaphore.acquire().err(), Some(Closed));
                room.semaphore.is_closed()
            })
        });
        let closed = room.semaphore.close();
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
        closed
    });
}

#[test]
fn close_is_seen() {
    Explore::new("semaphore, close and acquire").unbounded().at_least(20).run(&[()], || {
        let room = Room::new(0);
        let closer = beside(&room, |room| {
            room.number.set(7);
            room.semaphore.close();
        });
        assert_eq!(room.semaphore.acquire().err(), Some(Closed));
        assert_eq!(room.number.get(), 7);
        closer.join().unwrap();
    });
}

#[test]
fn close_is_seen_by_a_try() {
    Explore::new("semaphore, close and try").unbounded().at_least(5).run(&[false, true], || {
        let room = Room::new(0);
        let closer = beside(&room, |room| {
            room.number.set(7);
            room.semaphore.close();
        });
        let closed = room.semaphore.try_acquire().err() == Some(TryAcquireError::Closed);
        if closed {
            assert_eq!(room.number.get(), 7);
        }
        closer.join().unwrap();
        closed
    });
}

/// A permit, the end, and a deadline, in any order.
#[test]
fn close_against_release_against_a_deadline() {
    Explore::new("semaphore, close, release, timed").preemptions(2).at_least(50).run(
        &[("closed", 1), ("got it", 0), ("timed out", 1)],
        || {
            let semaphore = Arc::new(Semaphore::new(0));
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
    Explore::new("semaphore, freed early").unbounded().at_least(20).run(&[()], || {
        let semaphore = Arc::new(Semaphore::new(0));
        let releaser = beside(&semaphore, |semaphore| semaphore.release(1).unwrap());
        semaphore.acquire().unwrap().forget();
        bury(&*semaphore);
        releaser.join().unwrap();
    });
}

/// Nobody waits, or nobody any more: no call.
#[test]
fn nobody_waits() {
    Explore::new("semaphore, nobody waits").unbounded().run(&[1], || {
        let semaphore = Arc::new(Semaphore::new(2));
        drop(semaphore.acquire());
        semaphore.release(3).unwrap();
        drop(semaphore.try_acquire_many(5));
        assert_eq!(semaphore.drain().permits(), 5);
        semaphore.drain().forget();
        assert_eq!(semaphore.acquire_for(SOON).err(), Some(AcquireError::TimedOut));
        semaphore.release(1).unwrap();
        semaphore.close();
        futex_calls()
    });
}
