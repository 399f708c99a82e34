//! What `Mutex`, `SpinLock`, `FairMutex` and `ReentrantMutex` have in common, tested on each; what
//! is special about the last.
//!
//! The data is in `Cell`s, since guards of a `ReentrantMutex` give out shared references only.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    ArcFairMutexGuard, ArcMutexGuard, ArcReentrantMutexGuard, ArcSpinLockGuard, Deadline,
    FairMutex, FairMutexGuard, MappedFairMutexGuard, MappedMutexGuard, MappedReentrantMutexGuard,
    MappedSpinLockGuard, Mutex, MutexGuard, ReentrantMutex, ReentrantMutexGuard, SpinLock,
    SpinLockGuard,
};

use super::support::random::{Rng, seed};
use super::support::scaled;
use super::support::threads::{asleep, crowd, join_all, together, words_of};
use super::support::values::{Counted, Place};
use super::support::watchdog::Watchdog;

const A_MOMENT: Duration = Duration::from_millis(1);

macro_rules! family {
    (
        $Mutex:ident, $Guard:ident, $Mapped:ident, $Arc:ident, $whole:ident,
        $get:ident, [$($mut:tt)?] $(,)?
    ) => {
        /// Whether another thread can have the lock.
        fn free<T: ?Sized + Send>(mutex: &$Mutex<T>) -> bool {
            thread::scope(|s| s.spawn(|| mutex.try_lock().is_some()).join().unwrap())
        }

        #[test]
        fn begins_and_ends() {
            static STATIC: $Mutex<u8> = $Mutex::new(7);
            assert_eq!(together(4, |_| *STATIC.lock()), [7; 4]);
            assert_eq!(*$Mutex::from(3).lock(), 3);
            assert_eq!(*$Mutex::<String>::default().lock(), "");
            let mut mutex = $Mutex::new(vec![1]);
            mutex.get_mut().push(2);
            assert!(std::ptr::eq(mutex.data_ptr(), &*mutex.lock()));
            assert_eq!(mutex.into_inner(), [1, 2]);
            let drops = AtomicUsize::new(0);
            let inner = $Mutex::new(Counted(&drops)).into_inner();
            assert_eq!(drops.load(Relaxed), 0, "moved out, not dropped");
            drop(inner);
            drop($Mutex::new(Counted(&drops)));
            std::mem::forget($Mutex::new(Counted(&drops)).lock());
            assert_eq!(drops.load(Relaxed), 3);
        }

        #[test]
        fn one_thread_at_a_time() {
            let mutex: &$Mutex<[u8]> = &$Mutex::new([1, 2]);
            assert!(!mutex.is_locked() && free(mutex));
            let held = mutex.lock();
            assert!(mutex.is_locked() && !free(mutex));
            let past = Instant::now();
            thread::scope(|s| {
                s.spawn(|| {
                    assert!(mutex.try_lock_for(A_MOMENT).is_none());
                    assert!(mutex.try_lock_for(Duration::ZERO).is_none());
                    assert!(mutex.try_lock_until(past).is_none());
                    assert!(mutex.try_lock_until(Deadline::now()).is_none());
                });
            });
            drop(held);
            assert!(!mutex.is_locked() && free(mutex));
            assert!(mutex.try_lock_for(Duration::ZERO).is_some());
            assert!(mutex.try_lock_until(past).is_some());
        }

        /// Each way to unlock wakes one who sleeps, whatever limit he sleeps with.
        #[test]
        fn each_way_to_unlock_wakes() {
            let _watchdog = Watchdog::start();
            let mutex = Arc::new($Mutex::new((Cell::new(0), 0)));
            let unlock: [&dyn Fn(); 13] = [
                &|| drop(mutex.lock()),
                &|| $Guard::unlock_fair(mutex.lock()),
                &|| drop($Guard::map(mutex.lock(), |pair| &$($mut)? pair.1)),
                &|| $Mapped::unlock_fair($Guard::map(mutex.lock(), |pair| &$($mut)? pair.1)),
                &|| drop(mutex.lock_arc()),
                &|| $Arc::unlock_fair(mutex.lock_arc()),
                &|| drop($Arc::into_arc(mutex.lock_arc())),
                &|| drop($Arc::into_arc_fair(mutex.lock_arc())),
                &|| $Guard::unlocked(&mut mutex.lock(), || ()),
                &|| $Guard::unlocked_fair(&mut mutex.lock(), || ()),
                &|| $Arc::unlocked(&mut mutex.lock_arc(), || ()),
                &|| $Arc::unlocked_fair(&mut mutex.lock_arc(), || ()),
                &|| $Guard::bump(&mut mutex.lock()),
            ];
            let wait: [&(dyn Fn() + Sync); 3] = [
                &|| mutex.lock().0.set(1),
                &|| mutex.try_lock_for(Duration::MAX).unwrap().0.set(1),
                &|| mutex.try_lock_arc_until(Deadline::NEVER).unwrap().0.set(1),
            ];
            for (i, unlock) in unlock.into_iter().enumerate() {
                let held = mutex.lock();
                held.0.set(0);
                thread::scope(|s| {
                    let waiter = asleep(s, words_of(&*mutex), wait[i % 3]);
                    drop(held);
                    unlock();
                    waiter.join().unwrap();
                });
                assert_eq!(mutex.lock().0.get(), 1);
                assert!(!mutex.is_locked(), "way {i}");
            }
        }

        #[test]
        fn guards_know_their_mutex() {
            let mutex = Arc::new($Mutex::new(1));
            let found: &$Mutex<i32> = $Guard::$whole(&mutex.lock());
            assert!(std::ptr::eq(found, &*mutex), "and outlives the guard");
            assert!(Arc::ptr_eq($Arc::$whole(&mutex.lock_arc()), &mutex));
        }

        #[test]
        fn maps_keep_the_lock() {
            let mutex = $Mutex::new((vec![Cell::new(1)], "b"));
            let list = $Guard::map(mutex.lock(), |pair| &$($mut)? pair.0);
            let slice = $Mapped::map(list, |list| &$($mut)? list[..]);
            let first = $Mapped::map(slice, |slice| &$($mut)? slice[0]);
            first.set(2);
            assert!(mutex.is_locked() && !free(&mutex));
            drop(first);
            assert!(!mutex.is_locked());
            assert_eq!(mutex.into_inner().0[0].get(), 2);
        }

        #[test]
        fn parts_that_are_not_there_give_the_guard_back() {
            let mutex = $Mutex::new((Some(1), None::<u8>));
            let whole = $Guard::try_map(mutex.lock(), |pair| pair.1.$get()).unwrap_err();
            assert!(mutex.is_locked() && !free(&mutex));
            let (whole, why) =
                $Guard::try_map_or_err(whole, |pair| pair.1.$get().ok_or("why")).unwrap_err();
            assert_eq!((why, *whole), ("why", (Some(1), None)));
            let one = $Guard::try_map(whole, |pair| Some(&$($mut)? pair.0)).unwrap();
            let one = $Mapped::try_map(one, |_| None::<&$($mut)? u8>).unwrap_err();
            let (one, why) =
                $Mapped::try_map_or_err(one, |_| Err::<&$($mut)? u8, _>("not")).unwrap_err();
            assert_eq!((why, *one), ("not", Some(1)));
            assert!(mutex.is_locked() && !free(&mutex));
            let one = $Mapped::try_map_or_err(one, |one| Ok::<_, ()>(one)).unwrap();
            assert_eq!(*$Mapped::try_map(one, |one| Some(&$($mut)? *one)).unwrap(), Some(1));
            assert!(!mutex.is_locked());
            let one = $Guard::try_map_or_err(mutex.lock(), |pair| Ok::<_, ()>(pair)).unwrap();
            assert!(mutex.is_locked());
            drop(one);
            assert!(!mutex.is_locked() && free(&mutex));
        }

        /// The guard is used up by the call, so nobody else could unlock.
        #[test]
        fn panics_while_mapping_unlock() {
            let mutex = $Mutex::new((1, 2));
            fn part(_: &$($mut)? (i32, i32)) -> &$($mut)? i32 {
                panic!("no part")
            }
            let whole = || $Guard::map(mutex.lock(), |pair| pair);
            let attempts: [&dyn Fn(); 6] = [
                &|| drop($Guard::map(mutex.lock(), part)),
                &|| drop($Guard::try_map(mutex.lock(), |pair| Some(part(pair)))),
                &|| drop($Guard::try_map_or_err(mutex.lock(), |pair| Ok::<_, ()>(part(pair)))),
                &|| drop($Mapped::map(whole(), part)),
                &|| drop($Mapped::try_map(whole(), |pair| Some(part(pair)))),
                &|| drop($Mapped::try_map_or_err(whole(), |pair| Ok::<_, ()>(part(pair)))),
            ];
            for attempt in attempts {
                catch_unwind(AssertUnwindSafe(attempt)).unwrap_err();
                assert!(!mutex.is_locked() && free(&mutex));
            }
        }

        /// Others have it meanwhile, and the guard has it again afterwards.
        #[test]
        fn given_back_for_a_while() {
            let mutex = Arc::new($Mutex::new(Cell::new(0)));
            let others_turn = || {
                thread::scope(|s| {
                    let add = || {
                        let value = mutex.try_lock().expect("free for a while");
                        value.set(value.get() + 1);
                    };
                    s.spawn(add).join().unwrap();
                });
                "result"
            };
            let mut guard = mutex.lock();
            assert_eq!($Guard::unlocked(&mut guard, others_turn), "result");
            assert_eq!((guard.get(), free(&mutex)), (1, false));
            assert_eq!($Guard::unlocked_fair(&mut guard, others_turn), "result");
            assert_eq!((guard.get(), free(&mutex)), (2, false));
            drop(guard);
            assert!(free(&mutex));
            let mut guard = mutex.lock_arc();
            assert_eq!($Arc::unlocked(&mut guard, others_turn), "result");
            assert_eq!((guard.get(), free(&mutex)), (3, false));
            assert_eq!($Arc::unlocked_fair(&mut guard, others_turn), "result");
            assert_eq!((guard.get(), free(&mutex)), (4, false));
            drop(guard);
            assert!(free(&mutex));
        }

        /// What panics meanwhile finds the lock taken again on its way out, by the guard, which
        /// works as before. If another thread has the lock, the unwinding waits for it.
        #[test]
        fn a_panic_meanwhile_locks_again() {
            let _watchdog = Watchdog::start();
            let mutex = Arc::new($Mutex::new(Cell::new(0)));
            let (mut guard, mut owned);
            guard = mutex.lock();
            let panics: fn() = || panic!("meanwhile");
            for unlocked in [$Guard::unlocked, $Guard::unlocked_fair] {
                catch_unwind(AssertUnwindSafe(|| unlocked(&mut guard, panics))).unwrap_err();
                assert!(mutex.is_locked() && !free(&mutex));
                guard.set(guard.get() + 1);
            }
            drop(guard);
            assert!(!mutex.is_locked() && free(&mutex));
            owned = mutex.lock_arc();
            for unlocked in [$Arc::unlocked, $Arc::unlocked_fair] {
                catch_unwind(AssertUnwindSafe(|| unlocked(&mut owned, panics))).unwrap_err();
                assert!(mutex.is_locked() && !free(&mutex));
                owned.set(owned.get() + 1);
            }
            drop(owned);
            assert!(!mutex.is_locked() && free(&mutex));
            // Another thread gets in, says so, and keeps the lock for a moment longer.
            let inside = std::sync::Barrier::new(2);
            thread::scope(|s| {
                let mut guard = mutex.lock();
                let unwound = catch_unwind(AssertUnwindSafe(|| {
                    $Guard::unlocked(&mut guard, || {
                        s.spawn(|| {
                            let value = mutex.lock();
                            inside.wait();
                            thread::sleep(A_MOMENT);
                            value.set(value.get() + 1);
                        });
                        inside.wait();
                        panic!("meanwhile");
                    })
                }));
                unwound.unwrap_err();
                assert_eq!(guard.get(), 5, "locked again once the other had left");
                assert!(!free(&mutex));
            });
            assert!(!mutex.is_locked());
        }

        /// Without anybody who waits, it stays locked all the time; with somebody, he gets in.
        #[test]
        fn bump_gives_way() {
            let watchdog = Watchdog::start();
            let mutex = Arc::new($Mutex::new(Cell::new(0)));
            let mut guard = mutex.lock();
            $Guard::bump(&mut guard);
            assert!(mutex.is_locked() && !free(&mutex));
            thread::scope(|s| {
                let waiters = [0; 3].map(|_| {
                    asleep(s, words_of(&*mutex), || {
                        let value = mutex.lock();
                        value.set(value.get() + 1);
                    })
                });
                while guard.get() < 3 {
                    $Guard::bump(&mut guard);
                    watchdog.tick();
                }
                join_all(waiters);
            });
            drop(guard);
            assert!(!mutex.is_locked());
            let mut guard = mutex.lock_arc();
            $Arc::bump(&mut guard);
            thread::scope(|s| {
                let waiter = asleep(s, words_of(&*mutex), || mutex.lock().set(0));
                while guard.get() > 0 {
                    $Arc::bump(&mut guard);
                }
                waiter.join().unwrap();
            });
            drop(guard);
            assert!(!mutex.is_locked());
        }

        /// With one asleep, runs `unlock`, which then calls what it is given: that comes too late,
        /// since the lock is the sleeper's by then. He keeps it until it was tried.
        fn handed_over<G>(
            mutex: &$Mutex<(Cell<u32>, u32)>,
            lock: impl FnOnce() -> G,
            unlock: impl FnOnce(G, &dyn Fn()),
        ) {
            let tried = AtomicUsize::new(0);
            thread::scope(|s| {
                let guard = lock();
                let sleeper = asleep(s, words_of(mutex), || {
                    let _pair = mutex.lock();
                    while tried.load(Relaxed) == 0 {
                        thread::yield_now();
                    }
                });
                unlock(guard, &|| {
                    let late = mutex.try_lock().is_some();
                    tried.store(1, Relaxed);
                    assert!(!late, "the lock went to one who came after the unlock");
                });
                sleeper.join().unwrap();
            });
        }

        /// A fair unlock with one asleep leaves the lock to him: whoever comes at once after it
        /// is too late, the one who has just unlocked too.
        #[test]
        fn a_fair_unlock_hands_over() {
            let watchdog = Watchdog::start();
            let mutex = &Arc::new($Mutex::new((Cell::new(0), 0)));
            for _ in 0..scaled(10) {
                let (lock, lock_arc) = (|| mutex.lock(), || mutex.lock_arc());
                let part = || $Guard::map(mutex.lock(), |pair| &$($mut)? pair.1);
                handed_over(mutex, lock, |guard, late| {
                    $Guard::unlock_fair(guard);
                    late();
                });
                handed_over(mutex, part, |guard, late| {
                    $Mapped::unlock_fair(guard);
                    late();
                });
                handed_over(mutex, lock_arc, |guard, late| {
                    $Arc::unlock_fair(guard);
                    late();
                });
                handed_over(mutex, lock_arc, |guard, late| {
                    let _mutex = $Arc::into_arc_fair(guard);
                    late();
                });
                handed_over(mutex, lock, |mut guard, late| {
                    $Guard::unlocked_fair(&mut guard, late);
                });
                handed_over(mutex, lock_arc, |mut guard, late| {
                    $Arc::unlocked_fair(&mut guard, late);
                });
                watchdog.tick();
            }
        }

        /// One call is enough: the sleeper has been in when it returns.
        #[test]
        fn one_bump_is_enough() {
            let watchdog = Watchdog::start();
            let mutex = Arc::new($Mutex::new((Cell::new(0), 0)));
            for _ in 0..scaled(20) {
                let mut guard = mutex.lock();
                guard.0.set(0);
                thread::scope(|s| {
                    let sleeper = asleep(s, words_of(&*mutex), || mutex.lock().0.set(1));
                    $Guard::bump(&mut guard);
                    let before = guard.0.get() == 1;
                    drop(guard);
                    sleeper.join().unwrap();
                    assert!(before, "took the lock back before the sleeper");
                });
                watchdog.tick();
            }
        }

        /// The mutex lives as long as its guard, and no longer.
        #[test]
        fn owned_guards_count() {
            let drops = AtomicUsize::new(0);
            let mutex = Arc::new($Mutex::new(Counted(&drops)));
            let guard = mutex.lock_arc();
            assert_eq!(Arc::strong_count(&mutex), 2);
            drop(mutex);
            assert_eq!(drops.load(Relaxed), 0);
            let mutex = $Arc::into_arc(guard);
            assert_eq!(Arc::strong_count(&mutex), 1);
            drop($Arc::into_arc_fair(mutex.try_lock_arc().unwrap()));
            assert!(mutex.try_lock_arc_for(A_MOMENT).is_some());
            let guard = mutex.try_lock_arc_until(Instant::now()).unwrap();
            assert_eq!(Arc::strong_count(&mutex), 2);
            thread::scope(|s| {
                s.spawn(|| {
                    assert!(mutex.try_lock_arc().is_none());
                    assert!(mutex.try_lock_arc_for(A_MOMENT).is_none());
                    assert!(mutex.try_lock_arc_until(Deadline::now()).is_none());
                });
            });
            assert_eq!(Arc::strong_count(&mutex), 2, "a refusal keeps no count");
            drop(mutex);
            $Arc::unlock_fair(guard);
            assert_eq!(drops.load(Relaxed), 1);
        }

        #[test]
        fn unsized_data() {
            let mutex: Arc<$Mutex<[u8]>> = Arc::new($Mutex::new([1, 2]));
            assert_eq!(mutex.lock_arc().len(), 2);
            assert_eq!(*$Guard::map(mutex.lock(), |bytes| &$($mut)? bytes[1..]), [2]);
            let call: Arc<$Mutex<dyn Fn() -> u8 + Send>> = Arc::new($Mutex::new(|| 5));
            assert_eq!((call.lock())(), 5);
            assert_eq!((call.lock_arc())(), 5);
        }

        #[test]
        fn shown() {
            let mutex = Arc::new($Mutex::new(1));
            assert_eq!(format!("{mutex:?}"), concat!(stringify!($Mutex), " { data: 1 }"));
            let guard = mutex.lock();
            assert_eq!(format!("{guard:?} {guard:>3}"), "1   1");
            let elsewhere = thread::scope(|s| s.spawn(|| format!("{mutex:?}")).join().unwrap());
            assert_eq!(elsewhere, concat!(stringify!($Mutex), " { data: <locked> }"));
            let part = $Guard::map(guard, |one| one);
            assert_eq!(format!("{part:?} {part:>3}"), "1   1");
            drop(part);
            let guard = mutex.lock_arc();
            assert_eq!(format!("{guard:?} {guard:>3}"), "1   1");
        }

        /// Not poisoned, and free by the time that what was declared earlier is dropped.
        #[test]
        fn a_panic_unlocks() {
            struct Later<'a>(&'a $Mutex<Cell<u32>>);
            impl Drop for Later<'_> {
                fn drop(&mut self) {
                    assert!(!self.0.is_locked());
                    self.0.lock().set(2);
                }
            }
            let mutex = $Mutex::new(Cell::new(0));
            catch_unwind(AssertUnwindSafe(|| {
                let _later = Later(&mutex);
                let guard = mutex.lock();
                guard.set(1);
                panic!("with a guard in a local");
            }))
            .unwrap_err();
            assert_eq!(mutex.lock().get(), 2);
        }

        /// The last owner may free the mutex while the unlock before it is still on its way out:
        /// by then that unlock touches nothing.
        #[test]
        fn freed_by_the_last_owner() {
            let watchdog = Watchdog::start();
            for round in 0..scaled(600) {
                let place = Place::new($Mutex::new(Cell::new(0)));
                let freed = together(3, |_| {
                    // SAFETY: not freed: this thread has not been counted yet.
                    let owners = unsafe { place.get() }.lock();
                    owners.set(owners.get() + 1);
                    let last = owners.get() == 3;
                    if round % 2 == 0 {
                        drop(owners);
                    } else {
                        $Guard::unlock_fair(owners);
                    }
                    if last {
                        // SAFETY: all three have had it, and two of them are at most on their way
                        // out of it.
                        unsafe { place.free() };
                    }
                    usize::from(last)
                });
                assert_eq!(freed.iter().sum::<usize>(), 1);
                watchdog.tick();
            }
        }

        mod stress {
            use super::*;

            /// Everything at once, with more threads than cores. The two numbers agree whenever
            /// nobody is inside.
            #[test]
            fn under_load() {
                let (watchdog, seed) = (Watchdog::start(), seed());
                let (threads, rounds) = (crowd(), scaled(2_000));
                let mutex = Arc::new($Mutex::new((Cell::new(0), Cell::new(0))));
                let add = |pair: &(Cell<u64>, Cell<u64>)| {
                    assert_eq!(pair.0.get(), pair.1.get(), "somebody else is in here");
                    pair.0.set(pair.0.get() + 1);
                    if pair.0.get() % 32 == 0 {
                        thread::yield_now(); // the others find the lock taken, and sleep
                    }
                    pair.1.set(pair.1.get() + 1);
                };
                let entered = together(threads, |i| {
                    let mut rng = Rng::stream(seed, i as u64);
                    let mut entered = 0;
                    for round in 0..rounds {
                        match rng.below(7) {
                            0 => {
                                let limit = Duration::from_nanos(rng.below(100_000));
                                let Some(guard) = mutex.try_lock_for(limit) else { continue };
                                add(&guard);
                            }
                            1 => {
                                let mut guard = mutex.lock();
                                add(&guard);
                                $Guard::bump(&mut guard);
                                add(&guard);
                                entered += 1;
                                $Guard::unlock_fair(guard);
                            }
                            2 => {
                                let mut guard = mutex.lock();
                                $Guard::unlocked(&mut guard, thread::yield_now);
                                add(&guard);
                            }
                            3 => add(&mutex.lock_arc()),
                            4 => {
                                let guard = $Guard::map(mutex.lock(), |pair| pair);
                                add(&guard);
                                $Mapped::unlock_fair(guard);
                            }
                            _ => add(&mutex.lock()),
                        }
                        entered += 1;
                        if round % 64 == 0 {
                            watchdog.tick();
                        }
                    }
                    entered
                });
                let pair = Arc::into_inner(mutex).unwrap().into_inner();
                let total = entered.iter().sum();
                assert_eq!((pair.0.get(), pair.1.get()), (total, total));
            }
        }
    };
}

mod plain {
    use super::*;
    family!(Mutex, MutexGuard, MappedMutexGuard, ArcMutexGuard, mutex, as_mut, [mut]);
}

mod spin {
    use super::*;
    family!(
        SpinLock,
        SpinLockGuard,
        MappedSpinLockGuard,
        ArcSpinLockGuard,
        mutex,
        as_mut,
        [mut],
    );
}

mod fair {
    use super::*;
    family!(
        FairMutex,
        FairMutexGuard,
        MappedFairMutexGuard,
        ArcFairMutexGuard,
        mutex,
        as_mut,
        [mut],
    );

    /// Every unlock is a fair one, whatever it is called.
    #[test]
    fn every_unlock_hands_over() {
        let watchdog = Watchdog::start();
        let mutex = &Arc::new(FairMutex::new((Cell::new(0), 0)));
        for _ in 0..scaled(10) {
            let (lock, lock_arc) = (|| mutex.lock(), || mutex.lock_arc());
            let part = || FairMutexGuard::map(mutex.lock(), |pair| &mut pair.1);
            handed_over(mutex, lock, |guard, late| {
                drop(guard);
                late();
            });
            handed_over(mutex, part, |guard, late| {
                drop(guard);
                late();
            });
            handed_over(mutex, lock_arc, |guard, late| {
                drop(guard);
                late();
            });
            handed_over(mutex, lock_arc, |guard, late| {
                let _mutex = ArcFairMutexGuard::into_arc(guard);
                late();
            });
            handed_over(mutex, lock, |mut guard, late| FairMutexGuard::unlocked(&mut guard, late));
            handed_over(mutex, lock_arc, |mut guard, late| {
                ArcFairMutexGuard::unlocked(&mut guard, late);
            });
            watchdog.tick();
        }
    }
}

mod reentrant {
    use super::*;
    family!(
        ReentrantMutex,
        ReentrantMutexGuard,
        MappedReentrantMutexGuard,
        ArcReentrantMutexGuard,
        remutex,
        as_ref,
        [],
    );

    /// Free once as many guards are gone as were made, in whatever order and of whatever kind.
    #[test]
    fn levels() {
        let mutex = Arc::new(ReentrantMutex::new((RefCell::new(vec![1]), 2)));
        let first = mutex.lock();
        let second = mutex.try_lock().unwrap();
        let third = mutex.try_lock_for(Duration::ZERO).unwrap();
        let fourth = mutex.lock_arc();
        let fifth = ReentrantMutexGuard::map(mutex.lock(), |pair| &pair.1);
        let sixth = MappedReentrantMutexGuard::map(fifth, |two| two);
        first.0.borrow_mut().push(2);
        assert_eq!(*fourth.0.borrow(), [1, 2]);
        let drops: [Box<dyn FnOnce() + '_>; 5] = [
            Box::new(|| drop(first)),
            Box::new(|| ReentrantMutexGuard::unlock_fair(third)),
            Box::new(|| drop(sixth)),
            Box::new(|| drop(ArcReentrantMutexGuard::into_arc(fourth))),
            Box::new(|| drop(second)),
        ];
        for drop in drops {
            assert!(mutex.is_owned_by_current_thread() && mutex.is_locked() && !free(&mutex));
            drop();
        }
        assert!(!mutex.is_owned_by_current_thread() && !mutex.is_locked() && free(&mutex));
    }

    /// The lock is the thread's that has it, and no other's.
    #[test]
    fn owners() {
        let mutex = ReentrantMutex::new(());
        let owned = || mutex.is_owned_by_current_thread();
        assert!(!owned());
        let held = mutex.lock();
        assert!(owned());
        thread::scope(|s| assert!(!s.spawn(owned).join().unwrap()));
        drop(held);
        thread::scope(|s| {
            s.spawn(|| {
                let _held = mutex.lock();
                assert!(owned());
            });
        });
        assert!(!owned());
    }

    /// One who ended without unlocking is not taken for a newcomer, as the kernel's ids and the
    /// addresses of thread-locals come again.
    #[test]
    fn an_owner_that_has_ended_is_nobody_else() {
        let mutex = ReentrantMutex::new(());
        thread::scope(|s| s.spawn(|| std::mem::forget(mutex.lock())).join().unwrap());
        for _ in 0..scaled(50) {
            thread::scope(|s| {
                s.spawn(|| {
                    assert!(!mutex.is_owned_by_current_thread());
                    assert!(mutex.try_lock().is_none());
                });
            });
        }
        assert!(mutex.is_locked());
    }

    /// A guard gives its own level back and no more, for a while too.
    #[test]
    fn one_of_two_levels_given_back_keeps_the_lock() {
        let mutex = ReentrantMutex::new(Cell::new(0));
        let outer = mutex.lock();
        let mut inner = mutex.lock();
        ReentrantMutexGuard::unlocked(&mut inner, || {
            assert!(mutex.is_owned_by_current_thread() && !free(&mutex));
            outer.set(1);
        });
        ReentrantMutexGuard::unlocked_fair(&mut inner, || assert!(!free(&mutex)));
        ReentrantMutexGuard::bump(&mut inner);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            ReentrantMutexGuard::unlocked(&mut inner, || panic!("meanwhile"));
        }));
        panicked.unwrap_err();
        drop(outer);
        assert!(mutex.is_owned_by_current_thread() && !free(&mutex), "the inner one has its level");
        assert_eq!(inner.get(), 1);
        // Both given back, by two guards of one thread, the one inside the other.
        let mut outer = mutex.lock();
        ReentrantMutexGuard::unlocked(&mut outer, || {
            ReentrantMutexGuard::unlocked(&mut inner, || {
                assert!(!mutex.is_owned_by_current_thread() && free(&mutex));
            });
            assert!(mutex.is_owned_by_current_thread() && !free(&mutex));
        });
        drop((outer, inner));
        assert!(!mutex.is_locked());
    }

    /// A panic gives back the levels that it unwinds through, and leaves those outside.
    #[test]
    fn a_panic_gives_back_its_own_levels() {
        let mutex = ReentrantMutex::new(RefCell::new(0));
        let outer = mutex.lock();
        catch_unwind(AssertUnwindSafe(|| {
            let _second = mutex.lock();
            let third = mutex.lock();
            *third.borrow_mut() += 1;
            panic!("two levels in");
        }))
        .unwrap_err();
        assert!(mutex.is_owned_by_current_thread() && !free(&mutex));
        assert_eq!(*outer.borrow(), 1);
        drop(outer);
        assert!(free(&mutex));
    }

    mod deep_stress {
        use super::*;

        /// Threads that go in to random depths, give levels back in between, and come out in
        /// another order than they went in.
        #[test]
        fn depths_under_load() {
            fn dive(
                mutex: &ReentrantMutex<RefCell<Vec<usize>>>,
                depth: usize,
                rng: &mut Rng,
            ) -> usize {
                let outer = mutex.lock();
                let mut inner = mutex.lock();
                assert!(mutex.is_owned_by_current_thread());
                let before = outer.borrow().len();
                if rng.one_in(8) {
                    ReentrantMutexGuard::unlocked(&mut inner, thread::yield_now);
                }
                assert_eq!(inner.borrow().len(), before, "somebody came in between");
                inner.borrow_mut().push(depth);
                drop(outer);
                let below = if depth > 0 { dive(mutex, depth - 1, rng) } else { 0 };
                assert_eq!(inner.borrow().len(), before + 1 + below);
                1 + below
            }
            let (watchdog, seed) = (Watchdog::start(), seed());
            let mutex = ReentrantMutex::new(RefCell::new(Vec::new()));
            let entries = together(crowd(), |i| {
                let mut rng = Rng::stream(seed, i as u64);
                let mut entries = 0;
                for _ in 0..scaled(300) {
                    let depth = rng.below(5) as usize;
                    entries += dive(&mutex, depth, &mut rng);
                    assert!(!mutex.is_owned_by_current_thread());
                    watchdog.tick();
                }
                entries
            });
            assert_eq!(mutex.into_inner().into_inner().len(), entries.iter().sum());
        }
    }

    /// The data's own `Debug` may lock again.
    #[test]
    fn shown_from_within() {
        let mutex = ReentrantMutex::new(Cell::new(1));
        let _held = mutex.lock();
        assert_eq!(format!("{mutex:?}"), "ReentrantMutex { data: Cell { value: 1 } }");
        assert!(mutex.is_owned_by_current_thread());
    }
}

#[test]
fn sizes() {
    const WORD: usize = size_of::<usize>();
    assert_eq!((size_of::<FairMutex<()>>(), size_of::<FairMutex<u32>>()), (4, 8));
    assert_eq!((size_of::<SpinLock<()>>(), size_of::<SpinLock<u32>>()), (4, 8));
    assert_eq!(size_of::<ReentrantMutex<()>>(), 16);
    assert_eq!(size_of::<ReentrantMutex<u64>>(), 24);
    assert_eq!(size_of::<Option<FairMutexGuard<'_, u64>>>(), WORD);
    assert_eq!(size_of::<Option<ReentrantMutexGuard<'_, u64>>>(), WORD);
    assert_eq!(size_of::<Option<ArcMutexGuard<u64>>>(), WORD);
    assert_eq!(size_of::<Option<ArcFairMutexGuard<u64>>>(), WORD);
    assert_eq!(size_of::<Option<ArcReentrantMutexGuard<u64>>>(), WORD);
    assert_eq!(size_of::<MappedFairMutexGuard<'_, u64>>(), 2 * WORD);
    assert_eq!(size_of::<MappedReentrantMutexGuard<'_, u64>>(), 2 * WORD);
}

/// What is leaked stays locked and can be written to for as long as the mutex is borrowed.
#[test]
fn leaked_guards() {
    let (mutex, fair) = (Mutex::new(1), FairMutex::new(1));
    let (data, fair_data) = (MutexGuard::leak(mutex.lock()), FairMutexGuard::leak(fair.lock()));
    *data += 1;
    *fair_data += 2;
    assert!(mutex.try_lock().is_none() && fair.try_lock().is_none());
    assert_eq!((*data, *fair_data), (2, 3));
    assert_eq!((mutex.into_inner(), fair.into_inner()), (2, 3));
}
