//! `Semaphore` and `FairSemaphore`, and their permits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::semaphore::{AcquireError, Closed, Full, MAX_PERMITS, TryAcquireError};
use lockwork::{
    ArcFairSemaphorePermit, ArcSemaphorePermit, Deadline, FairSemaphore, FairSemaphorePermit,
    Semaphore, SemaphorePermit,
};

use super::support::scaled;
use super::support::threads::{asleep, join_all, together, words_of};
use super::support::watchdog::Watchdog;

#[test]
fn sizes() {
    assert_eq!(size_of::<Semaphore>(), 16);
    assert_eq!(size_of::<FairSemaphore>(), 32);
    assert_eq!(size_of::<Option<SemaphorePermit<'_>>>(), 16);
    assert_eq!(size_of::<Option<FairSemaphorePermit<'_>>>(), 16);
    assert_eq!(size_of::<Option<ArcSemaphorePermit>>(), 16);
    assert_eq!(size_of::<Option<ArcFairSemaphorePermit>>(), 16);
}

#[test]
fn errors_say_what_and_how_many() {
    let semaphore = Semaphore::with_max(1, 4);
    let full = semaphore.release(4).unwrap_err();
    assert_eq!(full.to_string(), "semaphore is full: 4 released to 1 available, of at most 4");
    assert_eq!(TryAcquireError::NoPermits.to_string(), "semaphore has too few permits");
    let late = "semaphore had too few permits until the deadline";
    assert_eq!(AcquireError::TimedOut.to_string(), late);
    for closed in [
        Closed.to_string(),
        TryAcquireError::Closed.to_string(),
        AcquireError::Closed.to_string(),
        TryAcquireError::from(Closed).to_string(),
        AcquireError::from(Closed).to_string(),
    ] {
        assert_eq!(closed, "semaphore is closed");
    }
}

/// What both promise, once for each.
macro_rules! both {
    ($Semaphore:ident) => {
        /// What a panic of `body` says.
        fn panic_of(body: impl FnOnce() -> $Semaphore) -> String {
            let panic = catch_unwind(AssertUnwindSafe(body)).map(drop).unwrap_err();
            (*panic.downcast::<&str>().unwrap()).to_owned()
        }

        static PLACES: $Semaphore = $Semaphore::with_max(3, 3);

        #[test]
        fn a_static_needs_no_preparation() {
            let counts = together(3, |_| {
                let permit = PLACES.acquire().unwrap();
                permit.permits()
            });
            assert_eq!((counts, PLACES.available()), (vec![1; 3], 3));
        }

        #[test]
        fn counts() {
            let semaphore = $Semaphore::new(2);
            let (first, second) = (semaphore.acquire().unwrap(), semaphore.try_acquire());
            assert_eq!(semaphore.available(), 0);
            assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::NoPermits));
            drop(first);
            assert_eq!(semaphore.available(), 1);
            drop(second);
            assert_eq!(semaphore.available(), 2);
            assert_eq!(semaphore.max(), MAX_PERMITS);
        }

        #[test]
        fn limits_of_the_numbers() {
            let semaphore = $Semaphore::new(MAX_PERMITS);
            let full = semaphore.release(1).unwrap_err();
            assert_eq!((full.released, full.available, full.max), (1, MAX_PERMITS, MAX_PERMITS));
            assert_eq!(semaphore.release(0), Ok(()));
            for n in [MAX_PERMITS + 1, u32::MAX] {
                assert!(semaphore.try_acquire_many(n).is_err());
                assert!(semaphore.release(n).is_err());
            }
            let all = semaphore.try_acquire_many(MAX_PERMITS).unwrap();
            assert_eq!((all.permits(), semaphore.available()), (MAX_PERMITS, 0));
            for n in [MAX_PERMITS + 1, u32::MAX] {
                assert!(semaphore.release(n).is_err());
            }
            drop(all);
            assert_eq!(semaphore.available(), MAX_PERMITS);
            let too_many = "a semaphore has at most i32::MAX permits";
            assert_eq!(panic_of(|| $Semaphore::with_max(0, MAX_PERMITS + 1)), too_many);
            let more = "more permits than the maximum";
            assert_eq!(panic_of(|| $Semaphore::new(u32::MAX)), more);
            assert_eq!(panic_of(|| $Semaphore::with_max(2, 1)), more);
        }

        #[test]
        fn a_release_too_many_changes_nothing() {
            let semaphore = $Semaphore::with_max(2, 3);
            let full = semaphore.release(2).unwrap_err();
            assert!(matches!(full, Full { released: 2, available: 2, max: 3, .. }));
            assert_eq!(semaphore.available(), 2);
            assert_eq!(semaphore.release(1), Ok(()));
            assert!(semaphore.release(1).is_err());
            // With room for none at all.
            assert!($Semaphore::with_max(0, 0).release(1).is_err());
        }

        /// As many as there is room for go back.
        #[test]
        fn permits_that_find_no_room() {
            let semaphore = $Semaphore::with_max(3, 3);
            let two = semaphore.try_acquire_many(2).unwrap();
            semaphore.release(1).unwrap();
            drop(two);
            assert_eq!(semaphore.available(), 3);
            let one = semaphore.acquire().unwrap();
            semaphore.release(1).unwrap();
            drop(one);
            assert_eq!(semaphore.available(), 3);
        }

        #[test]
        fn none_is_a_number_too() {
            let semaphore = $Semaphore::new(0);
            let none = semaphore.try_acquire_many(0).unwrap();
            assert_eq!(none.permits(), 0);
            drop(none);
            assert_eq!(semaphore.drain().permits(), 0);
            assert_eq!(semaphore.release(0), Ok(()));
            assert_eq!(semaphore.available(), 0);
            semaphore.close();
            assert_eq!(semaphore.try_acquire_many(0).err(), Some(TryAcquireError::Closed));
        }

        #[test]
        fn split_merge_forget() {
            let semaphore = $Semaphore::new(4);
            let mut permits = semaphore.try_acquire_many(4).unwrap();
            let two = permits.split(2).unwrap();
            assert_eq!((permits.permits(), two.permits()), (2, 2));
            assert!(permits.split(3).is_none());
            assert_eq!(permits.permits(), 2);
            let none = permits.split(0).unwrap();
            permits.merge(none).unwrap();
            permits.merge(two).unwrap();
            assert_eq!((permits.permits(), semaphore.available()), (4, 0));
            drop(permits.split(1));
            assert_eq!(semaphore.available(), 1);
            permits.forget();
            assert_eq!(semaphore.available(), 1);
            semaphore.release(3).unwrap();
            assert_eq!(semaphore.available(), 4);
        }

        #[test]
        fn foreign_permits_come_back() {
            let (ours, theirs) = ($Semaphore::new(2), $Semaphore::new(2));
            let mut permit = ours.acquire().unwrap();
            let refused = permit.merge(theirs.try_acquire_many(2).unwrap()).unwrap_err();
            assert_eq!((permit.permits(), refused.permits()), (1, 2));
            assert!(std::ptr::eq(refused.semaphore(), &theirs));
            drop(refused);
            assert_eq!((ours.available(), theirs.available()), (1, 2));
            let (ours, theirs) = (Arc::new($Semaphore::new(1)), Arc::new($Semaphore::new(1)));
            let mut permit = ours.try_acquire_arc().unwrap();
            let refused = permit.merge(theirs.acquire_arc().unwrap()).unwrap_err();
            assert!(Arc::ptr_eq(refused.semaphore(), &theirs));
        }

        /// More permits than can be counted in one value stay in two.
        #[test]
        fn a_sum_too_large_comes_back() {
            let semaphore = $Semaphore::new(MAX_PERMITS);
            let mut sum = semaphore.try_acquire_many(MAX_PERMITS).unwrap();
            for round in 0..2 {
                semaphore.release(MAX_PERMITS).unwrap();
                let more = semaphore.drain();
                assert_eq!(sum.merge(more).is_ok(), round == 0);
            }
            assert_eq!(sum.permits(), 2 * MAX_PERMITS);
            assert_eq!(semaphore.available(), MAX_PERMITS, "dropped when it was refused");
        }

        #[test]
        fn owned_permits() {
            let semaphore = Arc::new($Semaphore::new(5));
            let now = Deadline::now();
            let mut permits = vec![
                semaphore.acquire_arc().unwrap(),
                semaphore.try_acquire_arc().unwrap(),
                semaphore.acquire_arc_for(Duration::ZERO).unwrap(),
                semaphore.acquire_arc_until(now).unwrap(),
            ];
            let mut last = semaphore.try_acquire_many_arc(1).unwrap();
            assert_eq!(Arc::strong_count(&semaphore), 6);
            assert!(semaphore.try_acquire_arc().is_err());
            assert!(semaphore.try_acquire_many_arc(1).is_err());
            assert!(semaphore.acquire_arc_for(Duration::from_millis(1)).is_err());
            assert!(semaphore.acquire_arc_until(now).is_err());
            last.merge(permits.pop().unwrap()).unwrap();
            assert_eq!(Arc::strong_count(&semaphore), 5);
            permits.push(last.split(1).unwrap());
            assert_eq!(Arc::strong_count(&semaphore), 6);
            thread::spawn(move || drop(permits)).join().unwrap();
            assert_eq!(semaphore.available(), 4);
            last.forget();
            assert_eq!((semaphore.available(), Arc::strong_count(&semaphore)), (4, 1));
            semaphore.close();
            assert_eq!(semaphore.acquire_arc().err(), Some(Closed));
        }

        #[test]
        fn a_panic_gives_the_permit_back() {
            let semaphore = $Semaphore::new(1);
            let panics = catch_unwind(|| {
                let _permit = semaphore.acquire();
                panic!("with a permit");
            });
            assert!(panics.is_err());
            assert_eq!(semaphore.available(), 1);
        }

        #[test]
        fn a_sleeper_is_woken_by_a_release_and_by_a_drop() {
            let _watchdog = Watchdog::start();
            let semaphore = $Semaphore::new(1);
            let permit = semaphore.acquire().unwrap();
            for held in [Some(permit), None] {
                thread::scope(|s| {
                    let sleeper = asleep(s, None, || semaphore.acquire().unwrap().forget());
                    match held {
                        Some(permit) => drop(permit),
                        None => semaphore.release(1).unwrap(),
                    }
                    sleeper.join().unwrap();
                });
                assert_eq!(semaphore.available(), 0);
            }
        }

        /// Those who sleep are as many as the permits that come, in one call.
        #[test]
        fn one_release_for_sixteen() {
            let _watchdog = Watchdog::start();
            let semaphore = $Semaphore::new(0);
            thread::scope(|s| {
                let take = || semaphore.acquire().unwrap().forget();
                let sleepers: [_; 16] = std::array::from_fn(|_| asleep(s, None, take));
                semaphore.release(15).unwrap();
                semaphore.release(1).unwrap();
                join_all(sleepers);
            });
            assert_eq!(semaphore.available(), 0);
        }

        #[test]
        fn limits_in_the_past_and_of_zero_try_once() {
            let past =
                Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
            let semaphore = $Semaphore::new(1);
            for _ in 0..2 {
                assert!(semaphore.acquire_for(Duration::ZERO).is_ok());
                assert!(semaphore.acquire_until(past).is_ok());
                assert!(semaphore.acquire_until(Deadline::now()).is_ok());
                let held = semaphore.acquire();
                let late = Some(AcquireError::TimedOut);
                assert_eq!(semaphore.acquire_for(Duration::ZERO).err(), late);
                assert_eq!(semaphore.acquire_until(past).err(), late);
                drop(held);
            }
            assert_eq!(semaphore.available(), 1);
        }

        #[test]
        fn a_limit_is_waited_out() {
            let semaphore = $Semaphore::new(0);
            let wait = Duration::from_millis(20);
            let start = Instant::now();
            assert!(semaphore.acquire_for(wait).is_err());
            assert!(start.elapsed() >= wait);
            let until = Instant::now() + wait;
            assert!(semaphore.acquire_until(until).is_err());
            assert!(Instant::now() >= until);
        }

        #[test]
        fn limits_beyond_the_end_of_time_wait() {
            let _watchdog = Watchdog::start();
            let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
            let semaphore = $Semaphore::new(0);
            let waits: [&(dyn Fn() + Sync); 3] = [
                &|| semaphore.acquire_for(Duration::MAX).unwrap().forget(),
                &|| semaphore.acquire_until(far).unwrap().forget(),
                &|| semaphore.acquire_until(Deadline::NEVER).unwrap().forget(),
            ];
            for wait in waits {
                thread::scope(|s| {
                    let sleeper = asleep(s, None, wait);
                    semaphore.release(1).unwrap();
                    sleeper.join().unwrap();
                });
            }
        }

        #[test]
        fn closing_sends_all_away() {
            let _watchdog = Watchdog::start();
            let semaphore = &$Semaphore::new(1);
            let permit = semaphore.acquire().unwrap();
            thread::scope(|s| {
                let forever = asleep(s, None, || semaphore.acquire().err());
                let hour = Deadline::after(Duration::from_secs(3600));
                let timed = asleep(s, None, move || semaphore.acquire_until(hour).err());
                assert!(semaphore.close());
                assert_eq!(forever.join().unwrap(), Some(Closed));
                assert_eq!(timed.join().unwrap(), Some(AcquireError::Closed));
            });
            assert!(semaphore.is_closed() && !semaphore.close());
            drop(permit);
            assert_eq!(semaphore.available(), 1, "goes back all the same");
            assert_eq!(semaphore.acquire().err(), Some(Closed));
            assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::Closed));
            let now = semaphore.acquire_until(Deadline::now());
            assert_eq!(now.err(), Some(AcquireError::Closed));
            assert_eq!(semaphore.release(2), Ok(()));
            assert_eq!(semaphore.drain().permits(), 3);
            assert_eq!(semaphore.available(), 3, "those were dropped");
        }

        /// Whoever gets the permit frees the semaphore, while the release that it came from is
        /// still under way.
        #[test]
        fn freed_by_whoever_acquires() {
            struct Place(*mut $Semaphore);
            // SAFETY: used as a shared reference until it is freed; a semaphore may be shared.
            unsafe impl Sync for Place {}

            let watchdog = Watchdog::start();
            for round in 0..scaled(2_000) {
                let place = Place(Box::into_raw(Box::new($Semaphore::new(0))));
                let place = &place;
                together(2, |i| {
                    // SAFETY: not freed, as the permit has not been released.
                    let semaphore = unsafe { &*place.0 };
                    if i == 0 {
                        for _ in 0..round % 64 {
                            std::hint::spin_loop();
                        }
                        semaphore.release(1).unwrap();
                    } else {
                        semaphore.acquire().unwrap().forget();
                        // SAFETY: made by `Box::into_raw`; the only permit is here.
                        drop(unsafe { Box::from_raw(place.0) });
                    }
                });
                watchdog.tick();
            }
        }
    };
}

mod plain {
    use super::*;

    both!(Semaphore);
}

mod fair {
    use super::*;

    both!(FairSemaphore);
}

#[test]
fn debug_shows_the_state() {
    let semaphore = Semaphore::with_max(2, 3);
    let text = "Semaphore { available: 2, max: 3, waiters: 0, closed: false }";
    assert_eq!(format!("{semaphore:?}"), text);
    let permit = semaphore.try_acquire_many(2).unwrap();
    assert_eq!(format!("{permit:?}"), "SemaphorePermit { permits: 2, .. }");
    thread::scope(|s| {
        let sleeper = asleep(s, words_of(&semaphore), || drop(semaphore.acquire()));
        let text = "Semaphore { available: 0, max: 3, waiters: 1, closed: false }";
        assert_eq!(format!("{semaphore:?}"), text);
        semaphore.close();
        sleeper.join().unwrap();
    });
    drop(permit);
    let text = "Semaphore { available: 2, max: 3, waiters: 0, closed: true }";
    assert_eq!(format!("{semaphore:?}"), text);

    let fair = FairSemaphore::with_max(1, 3);
    thread::scope(|s| {
        let sleeper = asleep(s, None, || drop(fair.acquire_many(2)));
        let text = "FairSemaphore { available: 1, max: 3, has_waiters: true, closed: false }";
        assert_eq!(format!("{fair:?}"), text);
        fair.close();
        sleeper.join().unwrap();
    });
    let text = "FairSemaphore { available: 1, max: 3, has_waiters: false, closed: true }";
    assert_eq!(format!("{fair:?}"), text);
    let permit = Arc::new(FairSemaphore::new(1)).acquire_arc().unwrap();
    assert_eq!(format!("{permit:?}"), "ArcFairSemaphorePermit { permits: 1, .. }");
}

/// A waiter that timed out is not counted any more.
#[test]
fn a_time_out_leaves_nothing_behind() {
    let semaphore = Semaphore::new(0);
    assert!(semaphore.acquire_for(Duration::from_millis(1)).is_err());
    assert!(format!("{semaphore:?}").contains("waiters: 0"));
}

mod order {
    use std::sync::Mutex;

    use super::*;

    /// Who sleeps is served in the order in which they came, whatever each of them wants.
    #[test]
    fn first_come_first_served() {
        let _watchdog = Watchdog::start();
        let semaphore = FairSemaphore::new(1);
        let served = Mutex::new(Vec::new());
        let wants = [3, 1, 2, 1, 5, 1];
        thread::scope(|s| {
            let sleepers: Vec<_> = wants
                .into_iter()
                .map(|n| {
                    let (semaphore, served) = (&semaphore, &served);
                    asleep(s, None, move || {
                        let permits = semaphore.acquire_many(n).unwrap();
                        served.lock().unwrap().push(n);
                        permits.forget();
                    })
                })
                .collect();
            // One at a time, and each waits until its owner has written itself down.
            let mut total = 1;
            for (i, _) in wants.iter().enumerate() {
                let needed: u32 = wants[..=i].iter().sum();
                while total < needed {
                    assert_eq!(served.lock().unwrap().len(), i, "too few for the next");
                    assert!(semaphore.try_acquire().is_err(), "nobody overtakes");
                    assert_eq!(semaphore.drain().permits(), 0, "nor this way");
                    semaphore.release(1).unwrap();
                    total += 1;
                }
                while served.lock().unwrap().len() <= i {
                    thread::yield_now();
                }
            }
            join_all(sleepers);
        });
        assert_eq!(*served.lock().unwrap(), wants);
        assert_eq!(semaphore.available(), 0);
    }

    /// Those for whom there is enough go, up to the first for whom there is not.
    #[test]
    fn one_release_serves_several() {
        let _watchdog = Watchdog::start();
        let semaphore = FairSemaphore::new(0);
        thread::scope(|s| {
            let wait = |n| {
                let semaphore = &semaphore;
                asleep(s, None, move || semaphore.acquire_many(n).unwrap().forget())
            };
            let (first, second, third, fourth) = (wait(2), wait(1), wait(4), wait(1));
            semaphore.release(5).unwrap();
            join_all([first, second]);
            assert!(!third.is_finished() && !fourth.is_finished());
            assert_eq!(semaphore.available(), 2);
            semaphore.release(3).unwrap();
            join_all([third, fourth]);
        });
        assert_eq!(semaphore.available(), 0);
    }

    /// The first, one in the middle, and the last give up; those behind lose nothing, and gain
    /// what was too little for the first.
    #[test]
    fn giving_up_from_anywhere() {
        let _watchdog = Watchdog::start();
        for leaver in 0..3 {
            let semaphore = FairSemaphore::new(1);
            thread::scope(|s| {
                let threads: Vec<_> = (0..3)
                    .map(|i| {
                        let semaphore = &semaphore;
                        asleep(s, None, move || {
                            let end = if i == leaver {
                                semaphore.acquire_many_for(2, Duration::from_millis(100))
                            } else {
                                // The first wants more than there is; without it, the others go.
                                let n = if i == 0 { 2 } else { 1 };
                                Ok(semaphore.acquire_many(n).unwrap())
                            };
                            end.map(|permits| permits.forget()).is_ok()
                        })
                    })
                    .collect();
                while !threads[leaver].is_finished() {
                    thread::yield_now();
                }
                let waiting: u32 = if leaver == 0 { 2 } else { 3 };
                semaphore.release(waiting - 1).unwrap();
                let got = join_all(threads);
                let expected: Vec<bool> = (0..3).map(|i| i != leaver).collect();
                assert_eq!(got, expected);
            });
            assert_eq!(semaphore.available(), 0);
        }
    }

    #[test]
    fn more_than_there_can_be_is_a_panic() {
        let semaphore = FairSemaphore::with_max(1, 2);
        let panic = catch_unwind(|| drop(semaphore.acquire_many(3))).unwrap_err();
        let text = panic.downcast::<String>().unwrap();
        assert_eq!(*text, "3 permits of a semaphore that has at most 2");
        assert!(semaphore.try_acquire_many(3).is_err());
        assert_eq!(semaphore.available(), 1);
    }

    #[test]
    fn owned_and_timed_forms_of_many() {
        let semaphore = Arc::new(FairSemaphore::new(3));
        let (soon, now) = (Duration::from_millis(1), Deadline::now());
        for round in 0..2 {
            let two = [
                semaphore.acquire_many_arc(2).map_err(AcquireError::from),
                semaphore.acquire_many_arc_for(2, soon),
                semaphore.acquire_many_arc_until(2, now),
            ]
            .map(|end| end.map(|permits| permits.permits()));
            // Each is dropped only at the end of the row.
            let late = Err(AcquireError::TimedOut);
            assert_eq!(two, [Ok(2), late, late], "round {round}");
            assert!(semaphore.acquire_many_for(4, soon).is_err());
            assert!(semaphore.acquire_many_until(4, now).is_err());
            assert!(semaphore.acquire_many_until(3, now).is_ok());
        }
        assert_eq!((semaphore.available(), Arc::strong_count(&semaphore)), (3, 1));
    }
}
