//! `StripedCounter`, `BoundedCounter` and `Stamped`: exact at rest, in their bounds always.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lockwork::counter::{
    BoundError, BoundedCounter, CompareError, OutOfRange, Stamped, StampedValue, StripedCounter,
};
use lockwork::plain_data;

use super::support::page::Page;
use super::support::threads::together;

#[test]
fn sizes() {
    assert_eq!(size_of::<StripedCounter>(), 32);
    assert_eq!(size_of::<BoundedCounter>(), 24);
    assert_eq!(size_of::<Stamped<u8>>(), 8);
}

/// Restartable sequences, where there are any, and the other way.
fn both() -> [StripedCounter; 2] {
    [StripedCounter::new(), StripedCounter::__portable()]
}

#[test]
fn striped_adds_and_subtracts() {
    for counter in both() {
        assert_eq!((counter.sum(), counter.added(), counter.subtracted()), (0, 0, 0));
        assert_eq!(counter.reset(), 0);
        counter.add(5);
        counter.sub(7);
        assert_eq!((counter.sum(), counter.added(), counter.subtracted()), (-2, 5, 7));
        counter.add(0);
        counter.prepare();
        assert_eq!(counter.sum(), -2);
    }
}

#[test]
fn striped_wraps() {
    for counter in both() {
        counter.add(u64::MAX);
        assert_eq!(counter.sum(), -1);
        counter.add(2);
        assert_eq!((counter.sum(), counter.added()), (1, 1));
        counter.sub(1 << 63);
        assert_eq!(counter.sum(), i64::MIN + 1);
    }
}

#[test]
fn striped_resets_write_no_totals() {
    for counter in both() {
        counter.add(5);
        assert_eq!(counter.reset(), 5);
        assert_eq!((counter.sum(), counter.added()), (0, 5));
        counter.sub(2);
        assert_eq!((counter.sum(), counter.reset(), counter.reset()), (-2, -2, 0));
        assert_eq!((counter.added(), counter.subtracted()), (5, 2));
    }
}

/// In a `static`, before anything is allocated and afterwards; and what `Debug` says of it.
#[test]
fn striped_shows_what_it_does() {
    static COUNTER: StripedCounter = StripedCounter::new();
    let unmade = "StripedCounter { sum: 0, words: 0, per_cpu: false, astray: 0 }";
    assert_eq!(format!("{COUNTER:?}"), unmade);
    assert!(!COUNTER.is_per_cpu());
    COUNTER.prepare();
    let words = format!("{COUNTER:?}");
    assert!(words.starts_with("StripedCounter { sum: 0, words: ") && !words.contains("words: 0"));
    assert!(words.contains(&format!("per_cpu: {}", COUNTER.is_per_cpu())), "{words}");
    assert!(
        cfg!(not(any(lockwork_portable, not(target_arch = "x86_64")))) || !COUNTER.is_per_cpu()
    );
    let portable = StripedCounter::__portable();
    portable.prepare();
    assert!(!portable.is_per_cpu());
}

/// Threads that come and go leave what they added.
#[test]
fn striped_outlives_its_threads() {
    for counter in both() {
        for _ in 0..20 {
            together(5, |i| {
                counter.add(i as u64);
                counter.sub(1);
            });
        }
        assert_eq!((counter.sum(), counter.added()), (100, 200));
    }
}

#[test]
fn bounded_stays_in_its_range() {
    let counter = BoundedCounter::at(2..=5, 3);
    let above = |value, by| Err(BoundError::AboveLimit { value, by, limit: 5 });
    let below = |value, by| Err(BoundError::BelowFloor { value, by, floor: 2 });
    assert_eq!(counter.try_add(3), above(3, 3));
    assert_eq!(counter.try_add(u64::MAX), above(3, u64::MAX));
    assert_eq!(counter.try_sub(2), below(3, 2));
    assert_eq!(counter.try_sub(4), below(3, 4));
    assert_eq!((counter.try_add(2), counter.try_add(1)), (Ok(3), above(5, 1)));
    assert_eq!((counter.try_sub(3), counter.try_sub(1)), (Ok(5), below(2, 1)));
    assert_eq!((counter.try_add(0), counter.try_sub(0), counter.get()), (Ok(2), Ok(2), 2));
    assert_eq!((counter.saturating_add(u64::MAX), counter.get()), (2, 5));
    assert_eq!((counter.saturating_sub(u64::MAX), counter.get()), (5, 2));
    assert_eq!((counter.fetch_max(9), counter.get()), (2, 5));
    assert_eq!((counter.fetch_min(0), counter.get()), (5, 2));
    assert_eq!((counter.fetch_max(1), counter.fetch_min(7), counter.get()), (2, 2, 2));
    assert_eq!((counter.update(|n| n * 2), counter.get()), (2, 4));
    assert_eq!((counter.update(|n| n * 2), counter.get()), (4, 5));
    assert_eq!((counter.update(|_| 0), counter.into_inner()), (5, 2));
}

/// On a page that cannot be written: what writes dies.
#[test]
fn bounded_writes_only_what_changes() {
    let page = Page::new(BoundedCounter::at(2..=5, 5));
    page.protect();
    // SAFETY: the page stays.
    let counter = unsafe { page.get() };
    assert!(counter.try_add(1).is_err() && counter.try_sub(4).is_err());
    assert_eq!((counter.try_add(0), counter.try_sub(0)), (Ok(5), Ok(5)));
    assert_eq!((counter.saturating_add(3), counter.saturating_sub(0)), (5, 5));
    assert_eq!((counter.fetch_max(4), counter.fetch_max(9), counter.fetch_min(7)), (5, 5, 5));
    assert_eq!((counter.swap(5), counter.update(|n| n)), (Ok(5), 5));
    assert!(counter.compare_exchange(5, 5).is_ok() && counter.compare_exchange(4, 3).is_err());
    page.unmap();
}

#[test]
fn bounded_compares() {
    let counter = BoundedCounter::at(2..=5, 3);
    let range = |new| OutOfRange { new, floor: 2, limit: 5 };
    assert_eq!(counter.compare_exchange(3, 6), Err(CompareError::OutOfRange(range(6))));
    assert_eq!(counter.compare_exchange(9, 1), Err(range(1).into()));
    let different = CompareError::Different { expected: 4, found: 3 };
    assert_eq!(counter.compare_exchange(4, 5), Err(different));
    assert_eq!(counter.compare_exchange(3, 3), Ok(()));
    assert_eq!(counter.compare_exchange(3, 5), Ok(()));
    assert_eq!((counter.swap(1), counter.swap(2), counter.get()), (Err(range(1)), Ok(5), 2));
    assert_eq!(format!("{counter:?}"), "BoundedCounter { value: 2, floor: 2, limit: 5 }");
}

#[test]
fn bounded_at_the_ends_of_what_there_is() {
    let all = BoundedCounter::new(0..=u64::MAX);
    assert_eq!(all.try_add(u64::MAX), Ok(0));
    let refused = BoundError::AboveLimit { value: u64::MAX, by: 1, limit: u64::MAX };
    assert_eq!(all.try_add(1), Err(refused));
    assert_eq!(
        (all.saturating_add(1), all.try_sub(u64::MAX), all.get()),
        (u64::MAX, Ok(u64::MAX), 0)
    );
    let one = BoundedCounter::new(7..=7);
    assert!(one.try_add(1).is_err() && one.try_sub(1).is_err() && one.try_add(0) == Ok(7));
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    let empty = 1..=0;
    assert!(catch_unwind(|| BoundedCounter::new(empty)).is_err());
    assert!(catch_unwind(|| BoundedCounter::at(1..=2, 3)).is_err());
}

#[test]
fn a_panic_in_an_update_changes_nothing() {
    let (counter, state) = (BoundedCounter::new(0..=9), Stamped::new('a'));
    let panics = [
        catch_unwind(AssertUnwindSafe(|| _ = counter.update(|_| panic!("planned")))),
        catch_unwind(AssertUnwindSafe(|| _ = state.update(|_| panic!("planned")))),
    ];
    assert!(panics.iter().all(Result::is_err));
    assert_eq!((counter.get(), state.load().value, state.load().stamp), (0, 'a', 0));
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Node {
    index: u16,
    kind: [u8; 1],
    used: bool,
}
plain_data!(Node { index, kind, used });

/// Through the word and back, with all the stamps there are.
#[track_caller]
fn comes_back<T: lockwork::PlainData + PartialEq + std::fmt::Debug>(first: T, second: T) {
    assert_eq!(Stamped::<T>::STAMP_BITS as usize, 64 - 8 * size_of::<T>());
    let last = Stamped::<T>::MAX_STAMP;
    let state = Stamped::with_stamp(first, last);
    assert_eq!(state.load(), StampedValue { value: first, stamp: last });
    assert_eq!(state.swap(second), StampedValue { value: first, stamp: last });
    let there = state.load();
    assert_eq!(there, StampedValue { value: second, stamp: 0 });
    let next = state.compare_exchange(there, first).unwrap();
    assert_eq!(next, StampedValue { value: first, stamp: 1 });
    assert_eq!(state.compare_exchange(there, first), Err(next));
    let chosen = StampedValue { value: second, stamp: last - 1 };
    assert_eq!(state.compare_exchange_stamped(next, chosen), Ok(chosen));
    assert_eq!(state.compare_exchange_stamped(next, next), Err(chosen));
    state.store(first);
    assert_eq!(state.into_inner(), StampedValue { value: first, stamp: last });
}

#[test]
fn stamped_of_every_size() {
    comes_back((), ());
    comes_back(true, false);
    comes_back(u8::MAX, 0);
    comes_back(i16::MIN, -1);
    comes_back([1_u8, 2, 3], [255; 3]);
    comes_back('a', '\u{10ffff}');
    comes_back(u32::MAX, 0);
    comes_back(-0.0_f32, f32::MAX);
    let node = Node { index: u16::MAX, kind: [3], used: true };
    comes_back(node, Node { used: false, ..node });
}

#[test]
fn stamped_compares_bits() {
    let state = Stamped::from(0.0_f32);
    let seen = state.load();
    let negative = StampedValue { value: -0.0, ..seen };
    assert!(negative == seen && state.compare_exchange(negative, 1.0).is_err());
    let nan = state.compare_exchange(seen, f32::NAN).unwrap();
    assert!(nan != nan && state.compare_exchange(nan, 1.0).is_ok());
    assert_eq!(format!("{:?}", Stamped::<u8>::default()), "Stamped { value: 0, stamp: 0 }");
}

/// What runs under the sanitizers as well, where all of it is made of portable words.
mod stress {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

    use super::super::support::random::{Rng, seed};
    use super::super::support::scaled;
    use super::super::support::threads::{crowd, together};
    use super::super::support::watchdog::Watchdog;
    use super::*;

    /// Threads that add, and one that sums up: exact afterwards, and never back before that.
    fn exact(counter: &StripedCounter) {
        let watchdog = Watchdog::start();
        let (threads, each) = (crowd().max(8), scaled(160_000) as u64);
        let over = AtomicBool::new(false);
        let left = AtomicU64::new(threads as u64);
        together(threads + 1, |i| {
            if i == threads {
                let mut last = 0;
                while !over.load(Relaxed) {
                    let sum = counter.sum();
                    assert!(sum >= last, "{sum} after {last}");
                    last = sum;
                    watchdog.tick();
                    std::thread::yield_now();
                }
                return;
            }
            for n in 0..each {
                counter.add(1 + (n & 1));
            }
            if left.fetch_sub(1, Relaxed) == 1 {
                over.store(true, Relaxed);
            }
        });
        let total = threads as u64 * (each + each / 2);
        assert_eq!((counter.sum(), counter.added()), (total as i64, total));
    }

    #[test]
    fn striped_is_exact() {
        exact(&StripedCounter::new());
    }

    #[test]
    fn striped_by_threads_is_exact() {
        exact(&StripedCounter::__portable());
    }

    /// What is under way is never counted as less than nothing, and resets share out all of it.
    #[test]
    fn striped_gauge_and_resets() {
        let watchdog = Watchdog::start();
        for counter in both() {
            let rounds = scaled(40_000);
            let finished = StripedCounter::new();
            let shares = together(crowd(), |i| {
                let mut share = 0;
                for round in 0..rounds {
                    counter.add(1);
                    if i == 0 {
                        assert!(counter.sum() >= 0);
                    }
                    finished.add(1);
                    counter.sub(1);
                    if round % 64 == i % 64 {
                        let part = finished.reset();
                        assert!(part >= 0, "{part}");
                        share += part;
                        watchdog.tick();
                    }
                }
                share
            });
            assert_eq!(counter.sum(), 0);
            let all = (crowd() * rounds) as i64;
            assert_eq!(shares.iter().sum::<i64>() + finished.sum(), all);
            assert_eq!(finished.added(), all as u64);
        }
    }

    #[test]
    fn bounded_keeps_its_bounds() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (counter, highest) = (BoundedCounter::new(0..=3), BoundedCounter::new(0..=u64::MAX));
        let (threads, rounds) = (crowd(), scaled(40_000));
        let held = together(threads, |i| {
            let (mut rng, mut held) = (Rng::stream(seed, i as u64), 0_u64);
            for round in 0..rounds {
                let n = rng.below(3);
                if rng.one_in(2) {
                    match counter.try_add(n) {
                        Ok(before) => {
                            assert!(before + n <= 3);
                            held += n;
                        }
                        Err(refused) => assert!(matches!(refused,
                            BoundError::AboveLimit { value, by, limit: 3 } if value + by > 3)),
                    }
                } else if n <= held {
                    counter.try_sub(n).expect("this thread has added as much");
                    held -= n;
                }
                highest.fetch_max(round as u64 * (i as u64 + 1));
                if round % 64 == 0 {
                    watchdog.tick();
                }
            }
            held
        });
        assert_eq!(counter.get(), held.iter().sum::<u64>());
        assert_eq!(highest.get(), ((rounds - 1) * threads) as u64);
    }

    /// Each success moves the stamp by one, and no stale one succeeds.
    #[test]
    fn stamped_counts_its_changes() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let state = Stamped::new(0_u8);
        let (threads, rounds) = (crowd(), scaled(40_000));
        let changes = together(threads, |i| {
            let (mut rng, mut changes) = (Rng::stream(seed, i as u64), 0_u64);
            for round in 0..rounds {
                let seen = state.load();
                let value = rng.below(2) as u8; // the same comes back all the time
                match state.compare_exchange(seen, value) {
                    Ok(mine) => {
                        assert_eq!((mine.value, mine.stamp), (value, seen.stamp + 1));
                        changes += 1;
                    }
                    Err(found) => assert!(found.stamp > seen.stamp),
                }
                if round % 64 == 0 {
                    watchdog.tick();
                }
            }
            changes
        });
        assert_eq!(state.load().stamp, changes.iter().sum::<u64>());
    }
}
