//! `lock_all` and its kin: what is in a set, what comes of it, and who else may be about.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::lock_set::{Read, UpgradableRead, Write};
use lockwork::{
    Deadline, FairMutex, Mutex, RecursiveRwLock, RecursiveRwLockUpgradableReadGuard,
    ReentrantMutex, RwLock, SpinLock, lock_all, try_lock_all, try_lock_all_for, try_lock_all_until,
};

use super::support::random::{Rng, seed};
use super::support::scaled;
use super::support::threads::{asleep, crowd, join_all, together, words_of};
use super::support::watchdog::Watchdog;

const A_MOMENT: Duration = Duration::from_millis(1);

/// Guards come in the order in which the locks are given, wherever these are.
#[test]
fn guards_are_in_the_callers_order() {
    let locks = [10, 11, 12].map(Mutex::new);
    let [a, b, c] = &locks;
    for (x, y, z) in [(a, b, c), (a, c, b), (b, a, c), (b, c, a), (c, a, b), (c, b, a)] {
        let expected = [x, y, z].map(|lock| *lock.lock());
        let (one, two, three) = lock_all((x, y, z));
        assert!(locks.iter().all(Mutex::is_locked));
        assert_eq!([*one, *two, *three], expected);
        drop((one, two, three));
        assert_eq!(lock_all([x, y, z]).map(|guard| *guard), expected);
        let guards = lock_all(&[x, y, z][..]);
        assert_eq!(guards.iter().map(|guard| **guard).collect::<Vec<_>>(), expected);
        drop(guards);
        assert!(!locks.iter().any(Mutex::is_locked));
    }
}

/// Each kind of lock, in the longest of tuples, in each of the four functions.
#[test]
fn locks_of_all_kinds() {
    let (plain, fair, spin) = (Mutex::new(1), FairMutex::new("fair"), SpinLock::new('s'));
    let (reentrant, text) = (ReentrantMutex::new(4), boxed());
    let (shared, recursive) = (RwLock::new(5), RecursiveRwLock::new(vec![6]));
    let written = RwLock::new(7);
    let reader = shared.read();
    let again = reentrant.lock();
    let past = Instant::now();
    for how in 0..4 {
        let set = (
            &plain,
            &fair,
            &spin,
            &reentrant,
            &*text,
            Read(&shared),
            UpgradableRead(&recursive),
            Write(&written),
        );
        let (mut plain, fair, spin, reentrant, text, shared, upgradable, mut writing) = match how {
            0 => lock_all(set),
            1 => try_lock_all(set).unwrap(),
            2 => try_lock_all_for(set, Duration::ZERO).unwrap(),
            _ => try_lock_all_until(set, past).unwrap(),
        };
        *plain += 1;
        *writing += 1;
        assert_eq!((*fair, *spin, *reentrant, &*text, *shared), ("fair", 's', 4, &[8][..], 5));
        RecursiveRwLockUpgradableReadGuard::upgrade(upgradable).push(*writing);
        assert!(written.is_locked_exclusive() && !recursive.is_locked());
    }
    drop((reader, again));
    assert_eq!(*recursive.read(), [6, 8, 9, 10, 11]);
    assert_eq!((plain.into_inner(), shared.is_locked()), (5, false));
}

/// Of no fixed size.
fn boxed() -> Box<Mutex<[u8]>> {
    Box::new(Mutex::new([8]))
}

#[test]
fn arrays_and_slices() {
    let table: [Mutex<usize>; 5] = std::array::from_fn(Mutex::new);
    let guards = lock_all(&table);
    assert_eq!(guards.map(|guard| *guard), [0, 1, 2, 3, 4]);
    let list: Vec<_> = (0..100).map(FairMutex::new).collect();
    for guard in &mut lock_all(&list[..]) {
        **guard += 1;
    }
    assert!(list.iter().enumerate().all(|(i, lock)| *lock.lock() == i + 1));
    let backwards: Vec<_> = list.iter().rev().collect();
    assert_eq!(*lock_all(&backwards[..])[0], 100);
    let pair = [RwLock::new(1), RwLock::new(2)];
    let [one, two] = lock_all([Write(&pair[1]), Write(&pair[0])]);
    assert_eq!((*one, *two), (2, 1));
    drop((one, two));
    assert_eq!(lock_all(&[Read(&pair[1]), Read(&pair[0])]).map(|guard| *guard), [2, 1]);
    // Nothing at all.
    assert!(lock_all(&list[..0]).is_empty() && try_lock_all(&list[..0]).unwrap().is_empty());
    let [] = lock_all([(); 0].map(|()| &list[0]));
}

/// Whichever of them is taken, the others are not kept.
#[test]
fn one_that_is_taken() {
    let locks = [(); 3].map(Mutex::new);
    let [a, b, c] = &locks;
    for taken in 0..3 {
        let held = locks[taken].lock();
        let others_are_free = || (0..3).all(|i| i == taken || !locks[i].is_locked());
        assert!(try_lock_all((a, b, c)).is_none() && others_are_free());
        assert!(try_lock_all((c, b, a)).is_none() && others_are_free());
        assert!(try_lock_all(&locks[..]).is_none() && others_are_free());
        assert!(try_lock_all_for([b, c, a], Duration::ZERO).is_none() && others_are_free());
        assert!(try_lock_all_for([b, c, a], 20 * A_MOMENT).is_none() && others_are_free());
        assert!(try_lock_all_until(&locks, Instant::now()).is_none() && others_are_free());
        assert!(try_lock_all_until(&locks, Deadline::after(A_MOMENT)).is_none());
        assert!(others_are_free());
        drop(held);
        assert!(try_lock_all_until(&locks, Deadline::now()).is_some());
    }
    let shared = RwLock::new(());
    let reader = shared.read();
    assert!(try_lock_all((a, Write(&shared))).is_none() && !a.is_locked());
    assert!(try_lock_all((a, Read(&shared))).is_some() && !a.is_locked());
    drop(reader);
}

/// One that sleeps for the lock which is taken has none of the others, and gets all in the end.
#[test]
fn sleepers_have_nothing() {
    let _watchdog = Watchdog::start();
    let locks = [0; 3].map(Mutex::new);
    for taken in 0..3 {
        let held = locks[taken].lock();
        thread::scope(|s| {
            let sleeper = asleep(s, words_of(&locks[taken]), || {
                lock_all(&locks).iter_mut().for_each(|guard| **guard += 1);
            });
            // In its patient rounds it has the others for some time, again and again.
            for other in (0..3).filter(|&i| i != taken) {
                drop(locks[other].lock());
            }
            drop(held);
            sleeper.join().unwrap();
        });
    }
    assert_eq!(locks.map(Mutex::into_inner), [3; 3]);
}

#[test]
fn the_same_lock_twice() {
    let (a, b, c) = (Mutex::new(0), Mutex::new(0), Mutex::new(0));
    let shared = RwLock::new(());
    let attempts: [(&dyn Fn(), _); 6] = [
        (&|| drop(lock_all((&a, &b, &a))), "0 and at 2"),
        (&|| drop(try_lock_all([&c, &b, &b])), "1 and at 2"),
        (&|| drop(try_lock_all_for(&[&a, &a][..], A_MOMENT)), "0 and at 1"),
        (&|| drop(try_lock_all_until([&b, &c, &b, &a], Deadline::now())), "0 and at 2"),
        (&|| drop(lock_all((&a, Read(&shared), Read(&shared)))), "1 and at 2"),
        (&|| drop(lock_all((Write(&shared), UpgradableRead(&shared)))), "0 and at 1"),
    ];
    for (attempt, places) in attempts {
        let panic = catch_unwind(AssertUnwindSafe(attempt)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert_eq!(message, &format!("a set to lock has the same lock twice, at {places}"));
        assert!(![&a, &b, &c].iter().any(|lock| lock.is_locked()) && !shared.is_locked());
    }
}

/// A lock inside the data of another is another lock, even where the two begin at one address.
#[test]
fn a_lock_inside_another() {
    let outer = ReentrantMutex::new(Mutex::new(Mutex::new(1)));
    let held = outer.lock();
    let (whole, part) = lock_all((&outer, &*held));
    assert!(held.is_locked() && std::ptr::eq(&*whole, &*held));
    let (_again, inner) = lock_all((&outer, &*part));
    assert_eq!(*inner, 1);
}

/// A lock that refuses by a panic leaves the others as they were.
#[test]
fn a_panic_part_way_gives_back() {
    let full = RwLock::new(());
    for _ in 0..(1 << 20) - 1 {
        std::mem::forget(full.read());
    }
    let (a, b) = (Mutex::new(0), FairMutex::new(0));
    let attempts: [&dyn Fn(); 4] = [
        &|| drop(lock_all((&a, Read(&full), &b))),
        &|| drop(lock_all((Read(&full), &b, &a))),
        &|| drop(try_lock_all((&a, &b, Read(&full)))),
        &|| drop(try_lock_all_for((&b, Read(&full), &a), A_MOMENT)),
    ];
    for attempt in attempts {
        let panic = catch_unwind(AssertUnwindSafe(attempt)).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("readers"));
        assert!(!a.is_locked() && !b.is_locked());
    }
}

mod stress {
    use super::*;

    /// Philosophers who take all they need at once, from two to all of the forks, in any order,
    /// beside others who take two by hand, in either order by turns, and hold one while they wait.
    #[test]
    fn philosophers() {
        const FORKS: usize = 5;
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (threads, rounds) = (crowd(), scaled(1_500));
        let forks: [Mutex<u64>; FORKS] = Default::default();
        let meals = together(threads, |i| {
            let mut rng = Rng::stream(seed, i as u64);
            let mut used = [0; FORKS];
            for round in 0..rounds {
                let first = rng.below(FORKS as u64) as usize;
                let second = (first + 1 + rng.below(FORKS as u64 - 1) as usize) % FORKS;
                let mut use_up = |at: usize, count: &mut u64| {
                    *count += 1;
                    used[at] += 1;
                };
                match rng.below(4) {
                    // By hand, all in one order, so that these do not lock each other up; but it
                    // is not the order in which the others sleep with forks in hand.
                    0 => {
                        let (above, below) = (first.max(second), first.min(second));
                        let mut one = forks[above].lock();
                        if rng.one_in(8) {
                            thread::yield_now();
                        }
                        use_up(below, &mut forks[below].lock());
                        use_up(above, &mut one);
                    }
                    1 => {
                        for (at, mut fork) in lock_all(&forks).into_iter().enumerate() {
                            use_up(at, &mut fork);
                        }
                    }
                    2 => {
                        let limit = Duration::from_nanos(rng.below(200_000));
                        let pair = (&forks[first], &forks[second]);
                        if let Some((mut one, mut other)) = try_lock_all_for(pair, limit) {
                            use_up(first, &mut one);
                            use_up(second, &mut other);
                        }
                    }
                    _ => {
                        let (mut one, mut other) = lock_all((&forks[first], &forks[second]));
                        use_up(first, &mut one);
                        use_up(second, &mut other);
                    }
                }
                if round % 64 == 0 {
                    watchdog.tick();
                }
            }
            used
        });
        for (at, fork) in forks.into_iter().enumerate() {
            assert_eq!(fork.into_inner(), meals.iter().map(|used| used[at]).sum::<u64>());
        }
    }

    /// Locks that others have nearly all the time, each by itself: all are had together all the
    /// same. They are not free at one moment, so a call that only ever tried would go on trying.
    #[test]
    fn busy_locks_do_not_starve_a_set() {
        use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

        let watchdog = Watchdog::start();
        let locks = [(); 3].map(Mutex::new);
        let over = AtomicBool::new(false);
        thread::scope(|s| {
            let others: Vec<_> = locks
                .iter()
                .zip([1_000, 1_300, 1_700])
                .map(|(lock, micros)| {
                    let over = &over;
                    s.spawn(move || {
                        while !over.load(Relaxed) {
                            let _held = lock.lock();
                            thread::sleep(Duration::from_micros(micros));
                        }
                    })
                })
                .collect();
            for _ in 0..scaled(20) {
                while !locks.iter().all(Mutex::is_locked) {
                    thread::yield_now(); // until the others are all there again
                }
                drop(lock_all(&locks));
                watchdog.tick();
            }
            over.store(true, Relaxed);
            join_all(others);
        });
    }
}
