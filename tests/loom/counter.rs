//! Counters and stamped values: nothing is lost, no sum is one that the promise does not allow, and
//! what was done before a change is seen by who finds it.

use std::sync::Arc;

use lockwork::counter::{BoundedCounter, Stamped, StampedValue, StripedCounter};
use lockwork::model::{AtomicU32, Explore, Ordering::Relaxed};

use super::support::{Watched, beside};

/// A counter whose words are there.
fn prepared() -> Arc<StripedCounter> {
    let counter = StripedCounter::new();
    counter.prepare();
    Arc::new(counter)
}

/// The first additions make the words: one thread does, and the other counts without them or with.
#[test]
fn first_additions() {
    Explore::new("counter, first additions").preemptions(3).at_least(50).run(&[(2, 2)], || {
        let counter = Arc::new(StripedCounter::new());
        let other = beside(&counter, |counter| counter.add(1));
        counter.add(1);
        other.join().unwrap();
        let first = counter.sum();
        (first, counter.sum())
    });
}

/// Three, two of which share a word.
#[test]
fn three_threads() {
    Explore::new("counter, three threads").preemptions(2).at_least(50).run(&[111], || {
        let counter = prepared();
        let others = [1, 10].map(|n| beside(&counter, move |counter| counter.add(n)));
        counter.add(100);
        others.into_iter().for_each(|other| other.join().unwrap());
        counter.sum()
    });
}

/// Sums beside additions of different threads: each between what was before and what comes after,
/// and none less than the one before.
#[test]
fn sums_beside_additions() {
    let mut outcomes = Vec::new();
    for first in [0, 1, 10, 11] {
        for second in [0, 1, 10, 11] {
            if first <= second && (first, second) != (1, 10) {
                outcomes.push((first, second));
            }
        }
    }
    Explore::new("counter, sums").preemptions(2).at_least(500).run(&outcomes, || {
        let counter = prepared();
        let others = [1, 10].map(|n| beside(&counter, move |counter| counter.add(n)));
        let sums = (counter.sum(), counter.sum());
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(counter.sum(), 11);
        sums
    });
}

/// What is subtracted after it was added is never counted without that.
#[test]
fn no_sum_is_negative() {
    Explore::new("counter, no negative sum").preemptions(4).at_least(50).run(&[0, 1], || {
        let counter = prepared();
        let other = beside(&counter, |counter| {
            counter.add(1);
            counter.sub(1);
        });
        let sum = counter.sum();
        other.join().unwrap();
        assert_eq!(counter.sum(), 0);
        sum
    });
}

/// The same where another thread subtracts, on a word of its own.
#[test]
fn handed_over() {
    let outcomes = [(false, 0), (false, 1), (true, 0), (true, 1)];
    Explore::new("counter, handed over").preemptions(2).at_least(100).run(&outcomes, || {
        let shared = Arc::new((prepared(), Stamped::new(false)));
        let adds = beside(&shared, |(counter, there)| {
            counter.add(1);
            there.store(true);
        });
        let subtracts = beside(&shared, |(counter, there)| {
            let there = there.load().value;
            if there {
                counter.sub(1);
            }
            there
        });
        let sum = shared.0.sum();
        adds.join().unwrap();
        (subtracts.join().unwrap(), sum)
    });
}

/// Who finds an addition in a sum sees what was done before it.
#[test]
fn additions_publish() {
    Explore::new("counter, publishes").preemptions(3).at_least(20).run(&[(0, 0), (1, 7)], || {
        let (counter, data) = (prepared(), Watched::new(0));
        let other = beside(&counter, {
            let data = data.clone();
            move |counter| {
                data.set(7);
                counter.add(1);
            }
        });
        let sum = counter.sum();
        let seen = if sum == 1 { data.get() } else { 0 };
        other.join().unwrap();
        (sum, seen)
    });
}

/// Of resets at the same time, each addition is in one.
#[test]
fn resets_share_out() {
    let outcomes = [(0, 0, 1), (0, 1, 0), (1, 0, 0)];
    Explore::new("counter, resets").preemptions(2).at_least(100).run(&outcomes, || {
        let counter = prepared();
        let adds = beside(&counter, |counter| counter.add(1));
        let resets = beside(&counter, |counter| counter.reset());
        let mine = counter.reset();
        adds.join().unwrap();
        (mine, resets.join().unwrap(), counter.sum())
    });
}

/// What is added after a reset is not counted from the baseline before it.
#[test]
fn sum_beside_a_reset() {
    Explore::new("counter, sum and reset").preemptions(3).at_least(100).run(&[0, 1], || {
        let counter = prepared();
        let other = beside(&counter, |counter| {
            counter.add(1);
            assert_eq!(counter.reset(), 1);
            counter.add(1);
        });
        let sum = counter.sum();
        other.join().unwrap();
        assert_eq!((counter.sum(), counter.added()), (1, 2));
        sum
    });
}

/// As many as there is room for get in, and who is refused is told what is there.
#[test]
fn up_to_a_limit() {
    let outcomes = [[true, true, false], [true, false, true], [false, true, true]];
    Explore::new("bounded, limit").preemptions(3).at_least(20).run(&outcomes, || {
        let counter = Arc::new(BoundedCounter::new(0..=2));
        let others = [(); 2].map(|()| beside(&counter, |counter| counter.try_add(1).is_ok()));
        let mine = counter.try_add(1).is_ok();
        let [one, two] = others.map(|other| other.join().unwrap());
        assert_eq!(counter.get(), 2);
        [mine, one, two]
    });
}

/// Saturating operations stop where they should, whatever comes between.
#[test]
fn saturating() {
    // Either goes first.
    Explore::new("bounded, saturating").preemptions(3).at_least(10).run(
        &[(1, 3, 1), (2, 1, 0)],
        || {
            let counter = Arc::new(BoundedCounter::at(0..=3, 1));
            let other = beside(&counter, |counter| counter.saturating_add(9));
            let mine = counter.saturating_sub(2);
            // Down to 0 and up to 3; or up to 3 and down to 1.
            let theirs = other.join().unwrap();
            match (mine, theirs) {
                (1, 0) => (1, counter.get(), 1),
                (3, 1) => (2, counter.get(), 0),
                other => panic!("{other:?}"),
            }
        },
    );
}

/// Two maxima: the larger stays, and who comes late writes nothing.
#[test]
fn largest_stays() {
    Explore::new("bounded, max").preemptions(3).at_least(10).run(&[(0, 5), (3, 0)], || {
        let counter = Arc::new(BoundedCounter::new(0..=9));
        let other = beside(&counter, |counter| counter.fetch_max(5));
        let mine = counter.fetch_max(3);
        let theirs = other.join().unwrap();
        assert_eq!(counter.get(), 5);
        (theirs, mine)
    });
}

/// What was done before a change is seen by who follows it, and by who is refused because of it.
#[test]
fn bounded_publishes() {
    // What the refused and the admitted found.
    Explore::new("bounded, publishes").preemptions(3).at_least(10).run(
        &[(false, 0), (true, 7)],
        || {
            let (counter, data) = (Arc::new(BoundedCounter::new(0..=1)), Watched::new(0));
            let other = beside(&counter, {
                let data = data.clone();
                move |counter| {
                    data.set(7);
                    counter.try_add(1).unwrap();
                }
            });
            let refused = counter.fetch_max(0) == 1;
            let seen = if refused { data.get() } else { 0 };
            other.join().unwrap();
            (refused, seen)
        },
    );
}

/// Who takes what came back meanwhile sees what was done before it came back.
#[test]
fn bounded_came_back() {
    // Whether the other got it back, whether this one had it, and what it saw then.
    let outcomes = [(false, true, 0), (true, false, 0), (true, true, 7)];
    Explore::new("bounded, came back").preemptions(3).at_least(20).run(&outcomes, || {
        let shared = Arc::new((BoundedCounter::at(0..=1, 1), AtomicU32::new(0)));
        let other = beside(&shared, |(counter, data)| {
            let mine = counter.try_sub(1).is_ok();
            if mine {
                data.store(7, Relaxed);
                counter.try_add(1).unwrap();
            }
            mine
        });
        let mine = shared.0.try_sub(1).is_ok();
        let seen = if mine { shared.1.load(Relaxed) } else { 0 };
        (other.join().unwrap(), mine, seen)
    });
}

/// A value that came back is not the one that was there.
#[test]
fn stamps_tell() {
    // Before the other, in the middle of it or after it; and how many changes there were then.
    Explore::new("stamped, came back").preemptions(3).at_least(20).run(
        &[(Ok(1), false), (Ok(1), true), (Err(1), true), (Err(2), true)],
        || {
            let state = Arc::new(Stamped::new('a'));
            let seen = state.load();
            let other = beside(&state, |state| {
                let seen = state.load();
                match state.compare_exchange(seen, 'b') {
                    Ok(mine) => state.compare_exchange(mine, 'a').is_ok(),
                    Err(_) => false,
                }
            });
            let mine = state.compare_exchange(seen, 'c');
            let stamp = |pair: StampedValue<char>| pair.stamp;
            let done = other.join().unwrap();
            (mine.map(stamp).map_err(stamp), done)
        },
    );
}

/// Who finds a value sees what was done before it was put there.
#[test]
fn stamped_publishes() {
    Explore::new("stamped, publishes").preemptions(3).at_least(10).run(&[(0, 0), (1, 7)], || {
        let (state, data) = (Arc::new(Stamped::new(0_u8)), Watched::new(0));
        let other = beside(&state, {
            let data = data.clone();
            move |state| {
                data.set(7);
                state.store(1);
            }
        });
        let value = state.load().value;
        let seen = if value == 1 { data.get() } else { 0 };
        other.join().unwrap();
        (value, seen)
    });
}

/// The same for who expects the pair without having loaded it.
#[test]
fn stamped_expected() {
    Explore::new("stamped, expected").preemptions(3).at_least(10).run(
        &[(false, 0), (true, 7)],
        || {
            let (state, data) = (Arc::new(Stamped::new(0_u8)), Watched::new(0));
            let other = beside(&state, {
                let data = data.clone();
                move |state| {
                    data.set(7);
                    state.store(1);
                }
            });
            let mine = state.compare_exchange(StampedValue { value: 1, stamp: 1 }, 2).is_ok();
            let seen = if mine { data.get() } else { 0 };
            other.join().unwrap();
            (mine, seen)
        },
    );
}
