//! `Once`, `OnceLock` and `LazyLock`.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{Deadline, LazyLock, Once, OnceLock, OnceState};

use super::support::threads::{asleep, crowd, join_all, together, words_of};
use super::support::watchdog::Watchdog;

/// What a panic of `f` says; fails if there is none.
#[track_caller]
fn panics<R>(f: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else { panic!("it returned") };
    match payload.downcast::<String>() {
        Ok(said) => *said,
        Err(payload) => payload.downcast_ref::<&str>().expect("a message").to_string(),
    }
}

fn poison(once: &Once) {
    assert_eq!(panics(|| once.call_once(|| panic!("planned"))), "planned");
}

/// Counts how often it is dropped.
struct Counted<'a>(&'a Cell<u32>);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn sizes() {
    assert_eq!(size_of::<Once>(), 4);
    assert_eq!(size_of::<OnceLock<()>>(), 8);
    assert_eq!(size_of::<OnceLock<u32>>(), 12);
    assert_eq!(size_of::<OnceLock<Box<u8>>>(), 16);
    assert_eq!(size_of::<OnceLock<String>>(), size_of::<std::sync::OnceLock<String>>());
    assert_eq!(size_of::<LazyLock<u32, fn() -> u32>>(), 16);
    assert_eq!(size_of::<LazyLock<[u8; 12]>>(), size_of::<std::sync::LazyLock<[u8; 12]>>());
    fn make() -> u32 {
        1
    }
    /// The state is all there is beside the value.
    fn size<F: FnOnce() -> u32>(_: &LazyLock<u32, F>) -> usize {
        size_of::<LazyLock<u32, F>>()
    }
    assert_eq!(size(&LazyLock::new(make)), 8);
}

mod plain {
    use super::*;

    #[test]
    fn one_closure_runs() {
        let _watchdog = Watchdog::start();
        for _ in 0..200 {
            let (once, runs) = (Once::new(), AtomicUsize::new(0));
            let seen = together(4, |_| {
                once.call_once(|| _ = runs.fetch_add(1, Relaxed));
                (once.is_completed(), runs.load(Relaxed))
            });
            assert!(seen.into_iter().all(|seen| seen == (true, 1)));
        }
    }

    #[test]
    fn states() {
        let once = Once::default();
        assert_eq!((once.state(), once.is_completed()), (OnceState::New, false));
        assert_eq!(format!("{once:?}"), "Once { state: New }");
        once.call_once_force(|before| {
            assert_eq!((before, once.state()), (OnceState::New, OnceState::InProgress));
        });
        assert_eq!((once.state(), once.is_completed()), (OnceState::Done, true));
        assert!(once.state().done() && once.state().is_completed() && !once.state().poisoned());
        assert_eq!(Once::new_completed().state(), OnceState::Done);
    }

    #[test]
    fn a_panic_poisons_until_forced() {
        let once = Once::new();
        poison(&once);
        assert_eq!(once.state(), OnceState::Poisoned);
        for _ in 0..2 {
            assert!(panics(|| once.call_once(|| unreachable!())).contains("poisoned"));
            assert!(panics(|| once.wait()).contains("poisoned"));
            assert!(panics(|| once.wait_for(Duration::from_secs(9))).contains("poisoned"));
        }
        assert_eq!(panics(|| once.call_once_force(|_| panic!("again"))), "again");
        once.call_once_force(|before| assert!(before.is_poisoned()));
        once.call_once(|| unreachable!());
        once.call_once_force(|_| unreachable!());
        once.wait();
    }

    /// Told, and poisoned by what it was told.
    #[test]
    fn a_closure_that_waits_for_itself_panics() {
        let _watchdog = Watchdog::start();
        let once = Once::new();
        let said = panics(|| once.call_once(|| once.call_once(|| ())));
        assert!(said.contains("waits for its own end"), "{said}");
        assert!(once.state().is_poisoned());
        once.call_once_force(|_| {
            assert!(panics(|| once.call_once_force(|_| ())).contains("own end"));
            assert!(panics(|| once.wait()).contains("own end"));
            assert!(panics(|| once.wait_force()).contains("own end"));
            assert!(panics(|| once.wait_until(Deadline::NEVER)).contains("own end"));
            // A once of its own is another matter.
            Once::new().call_once(|| ());
        });
        assert!(once.is_completed());
    }

    #[test]
    fn all_kinds_of_sleepers_are_woken() {
        let _watchdog = Watchdog::start();
        let once = &Once::new();
        thread::scope(|s| {
            let early = asleep(s, words_of(once), || once.wait());
            let mut late = Vec::new();
            once.call_once(|| {
                late.push(asleep(s, words_of(once), || once.call_once(|| unreachable!())));
                late.push(asleep(s, words_of(once), || once.wait_force()));
                late.push(asleep(s, words_of(once), || assert!(once.wait_for(Duration::MAX))));
            });
            early.join().unwrap();
            join_all(late);
        });
    }

    /// A panic wakes those who then panic too, and leaves those who wait by force.
    #[test]
    fn a_panic_among_sleepers() {
        let _watchdog = Watchdog::start();
        let once = &Once::new();
        thread::scope(|s| {
            let forced = asleep(s, words_of(once), || once.wait_force());
            let mut others = Vec::new();
            let attempt = || {
                others.push(asleep(s, words_of(once), || panics(|| once.wait())));
                others.push(asleep(s, words_of(once), || panics(|| once.call_once(|| ()))));
                panic!("planned");
            };
            assert_eq!(panics(|| once.call_once(attempt)), "planned");
            assert!(join_all(others).iter().all(|said| said.contains("poisoned")));
            assert!(!forced.is_finished());
            once.call_once_force(|_| ());
            forced.join().unwrap();
        });
    }

    #[test]
    fn limits() {
        let once = Once::new();
        let past = Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
        assert!(!once.wait_for(Duration::ZERO));
        assert!(!once.wait_for(Duration::from_millis(2)));
        assert!(!once.wait_until(past) && !once.wait_until(Deadline::now()));
        once.call_once(|| assert_eq!(once.state(), OnceState::InProgress));
        assert!(once.wait_for(Duration::ZERO) && once.wait_until(past));
    }

    /// In a `static`, also behind a function pointer of C's shape.
    #[test]
    fn in_a_static() {
        static ONCE: Once = Once::new();
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        together(4, |_| ONCE.call_once(|| _ = RUNS.fetch_add(1, Relaxed)));
        assert_eq!(RUNS.load(Relaxed), 1);
    }
}

mod lock {
    use super::*;

    #[test]
    fn what_std_has() {
        let mut place = OnceLock::new();
        assert_eq!(place.get(), None);
        assert_eq!(place.get_mut(), None);
        assert_eq!(format!("{place:?}"), "OnceLock(<uninit>)");
        assert_eq!(place.set(1), Ok(()));
        assert_eq!(place.set(2), Err(2));
        assert_eq!(place.try_insert(3), Err((&1, 3)));
        assert_eq!(place.get_or_init(|| unreachable!()), &1);
        assert_eq!(place.get_or_try_init(|| Err(())), Ok(&1));
        *place.get_mut().unwrap() += 1;
        assert_eq!(format!("{place:?}"), "OnceLock(2)");
        assert_eq!((place.wait(), place.wait_for(Duration::ZERO)), (&2, Some(&2)));
        let copy = place.clone();
        assert!(copy == place && place == OnceLock::from(2) && place != OnceLock::new());
        assert_eq!(place.take(), Some(2));
        assert_eq!(place.get(), None);
        assert_eq!(place.take(), None);
        assert_eq!(OnceLock::<u8>::new().clone().into_inner(), None);
        *place.get_mut_or_init(|| 5) += 1;
        assert_eq!(place.get_mut_or_try_init(|| Err(())), Ok(&mut 6));
        assert_eq!(copy.into_inner(), Some(2));
    }

    /// Neither a panic nor an error poisons; the next to ask tries again.
    #[test]
    fn failures_leave_it_empty() {
        let place = OnceLock::new();
        assert_eq!(panics(|| place.get_or_init(|| panic!("planned"))), "planned");
        assert_eq!(place.get(), None);
        assert_eq!(place.get_or_try_init(|| Err("no")), Err("no"));
        assert_eq!(place.get(), None);
        assert!(place.wait_until(Deadline::now()).is_none());
        assert_eq!(place.get_or_init(|| 4), &4);
    }

    /// Of those who sleep while a try fails, each has its turn, and who waits only sleeps on.
    #[test]
    fn failures_among_sleepers() {
        let _watchdog = Watchdog::start();
        let (place, tries) = (&OnceLock::new(), &AtomicUsize::new(0));
        let fail_thrice = || match tries.fetch_add(1, Relaxed) {
            2.. => Ok(7),
            n => Err(n),
        };
        thread::scope(|s| {
            let watcher = asleep(s, words_of(place), || *place.wait());
            let mut makers = Vec::new();
            let first = place.get_or_try_init(|| {
                for _ in 0..3 {
                    makers.push(asleep(s, words_of(place), move || {
                        place.get_or_try_init(fail_thrice).copied()
                    }));
                }
                Err(9)
            });
            assert_eq!(first, Err(9));
            let mut ends = join_all(makers);
            ends.sort();
            assert_eq!(ends, [Ok(7), Err(0), Err(1)]);
            assert_eq!(watcher.join().unwrap(), 7);
        });
    }

    #[test]
    fn its_own_closure_is_told() {
        let _watchdog = Watchdog::start();
        let place = OnceLock::new();
        let said = panics(|| place.get_or_init(|| *place.get_or_init(|| 1) + 1));
        assert!(said.contains("own end"), "{said}");
        assert_eq!(place.get(), None, "no poison");
        place.get_or_init(|| {
            assert!(panics(|| place.set(2)).contains("own end"));
            assert!(panics(|| *place.wait()).contains("own end"));
            1
        });
        assert_eq!(place.get(), Some(&1));
    }

    #[test]
    fn values_are_dropped_once() {
        let drops = Cell::new(0);
        let place = OnceLock::new();
        assert!(place.set(Counted(&drops)).is_ok());
        drop(place.set(Counted(&drops)));
        assert_eq!(drops.get(), 1, "the one that was refused");
        drop(place);
        assert_eq!(drops.get(), 2);
        let mut place = OnceLock::from(Counted(&drops));
        drop(place.take());
        assert_eq!(drops.get(), 3);
        drop(place.into_inner());
        assert_eq!(drops.get(), 3);
    }

    /// It may hold a reference to what is dropped before it, as it does nothing with it then.
    #[test]
    fn drop_check() {
        let place = OnceLock::new();
        {
            let short = String::from("lived");
            place.set(&short).unwrap();
            assert_eq!(place.get(), Some(&&short));
        }
        let lazy: LazyLock<&str> = LazyLock::new(|| "not this one");
        assert_eq!(lazy.len(), 12);
    }

    #[test]
    fn whoever_is_first_writes() {
        let _watchdog = Watchdog::start();
        for _ in 0..200 {
            let place = OnceLock::new();
            let set = together(4, |i| place.set(Box::new(i)).is_ok());
            let first = **place.get().unwrap();
            assert!(set.iter().enumerate().all(|(i, &set)| set == (i == first)));
        }
    }
}

mod lazy {
    use super::*;

    #[test]
    fn made_at_first_use() {
        let made = Cell::new(0);
        let mut lazy = LazyLock::new(|| {
            made.set(made.get() + 1);
            vec![1]
        });
        assert_eq!((LazyLock::get(&lazy), made.get()), (None, 0));
        assert_eq!(format!("{lazy:?}"), "LazyLock(<uninit>)");
        assert!(LazyLock::get_mut(&mut lazy).is_none());
        assert_eq!((lazy.len(), made.get()), (1, 1));
        lazy.push(2);
        LazyLock::force_mut(&mut lazy).push(3);
        LazyLock::get_mut(&mut lazy).unwrap().push(4);
        assert_eq!(LazyLock::force(&lazy), &[1, 2, 3, 4]);
        assert_eq!(format!("{lazy:?}"), "LazyLock([1, 2, 3, 4])");
        assert_eq!((LazyLock::into_inner(lazy).ok(), made.get()), (Some(vec![1, 2, 3, 4]), 1));
        assert_eq!(*LazyLock::<u8>::default(), 0);
    }

    /// As in `std`: whoever comes later panics as well.
    #[test]
    fn a_panic_is_for_ever() {
        let mut lazy: LazyLock<u8> = LazyLock::new(|| panic!("planned"));
        assert_eq!(panics(|| *lazy), "planned");
        assert!(panics(|| *lazy).contains("poisoned"));
        assert_eq!(LazyLock::get(&lazy), None);
        assert!(panics(|| *LazyLock::force_mut(&mut lazy)).contains("poisoned"));
        assert!(panics(|| LazyLock::into_inner(lazy)).contains("poisoned"));
    }

    #[test]
    fn its_own_closure_is_told() {
        static LAZY: LazyLock<u32> = LazyLock::new(|| *LAZY + 1);
        let _watchdog = Watchdog::start();
        let said = panics(|| *LAZY);
        assert!(said.contains("own end"), "{said}");
    }

    /// The closure goes when it has run, the value with its place, each once; one that panicked
    /// leaves nothing.
    #[test]
    fn closures_and_values_are_dropped_once() {
        let (values, closures) = (Cell::new(0), Cell::new(0));
        let make = |fails: bool| {
            let (value, closure) = (Counted(&values), Counted(&closures));
            LazyLock::new(move || {
                let _closure = closure;
                assert!(!fails);
                value
            })
        };
        drop(make(false));
        assert_eq!((values.get(), closures.get()), (1, 1), "never run");
        let lazy = make(false);
        LazyLock::force(&lazy);
        assert_eq!((values.get(), closures.get()), (1, 2), "run");
        drop(lazy);
        assert_eq!((values.get(), closures.get()), (2, 2));
        let lazy = make(true);
        panics(|| _ = LazyLock::force(&lazy));
        assert_eq!((values.get(), closures.get()), (3, 3), "failed");
        drop(lazy);
        assert_eq!((values.get(), closures.get()), (3, 3));
        drop(LazyLock::into_inner(make(false)));
        let lazy = make(false);
        LazyLock::force(&lazy);
        drop(LazyLock::into_inner(lazy));
        assert_eq!((values.get(), closures.get()), (5, 5));
    }

    #[test]
    fn a_crowd_has_one_value() {
        let _watchdog = Watchdog::start();
        for _ in 0..50 {
            let lazy = LazyLock::new(|| Arc::new(()));
            let seen = together(crowd(), |_| Arc::as_ptr(&lazy).addr());
            assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
        }
    }

    /// What may not be shared can still be made late.
    #[test]
    fn of_one_thread() {
        let lazy = LazyLock::new(|| Rc::new(1));
        assert_eq!(Rc::strong_count(&lazy), 1);
    }
}
