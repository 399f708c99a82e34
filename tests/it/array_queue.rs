//! `ArrayQueue`.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lockwork::queue::{Ahead, ArrayQueue, Sink, Source, TryPopError, TryPushError};

use super::support::random::{Rng, seed};
use super::support::scaled;
use super::support::threads::together;
use super::support::watchdog::Watchdog;

#[test]
fn capacity_is_what_was_asked_for() {
    for capacity in [1, 2, 3, 7, 8, 1000] {
        let queue = ArrayQueue::<u8>::new(capacity);
        assert_eq!((queue.capacity(), queue.len()), (capacity, 0));
    }
}

#[test]
fn a_capacity_of_zero_is_refused_with_the_caller_s_place() {
    let panic = catch_unwind(|| ArrayQueue::<u8>::new(0)).unwrap_err();
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    assert_eq!(text, Some("lockwork: a queue needs a capacity of at least 1"));
}

#[test]
fn full_and_empty_and_the_numbers_between() {
    for capacity in [1, 2, 3, 7] {
        let queue = ArrayQueue::new(capacity);
        assert!(queue.is_empty() && queue.pop().is_none());
        for i in 0..capacity {
            assert!(!queue.is_full());
            assert_eq!(queue.len(), i);
            assert_eq!(queue.push(i), Ok(()));
            assert!(!queue.is_empty());
        }
        assert!(queue.is_full());
        assert_eq!(queue.len(), capacity);
        assert_eq!(queue.push(99), Err(99), "the value comes back");
        for i in 0..capacity {
            assert_eq!(queue.len(), capacity - i);
            assert_eq!(queue.pop(), Some(i));
            assert!(!queue.is_full());
        }
        assert!(queue.is_empty());
        assert_eq!((queue.len(), queue.pop()), (0, None));
    }
}

/// Every offset of head and tail within a lap, over many laps.
#[test]
fn wraps_around() {
    for capacity in [1, 2, 3, 7, 8] {
        let queue = ArrayQueue::new(capacity);
        let (mut pushed, mut popped) = (0_usize, 0_usize);
        for round in 0..200 * capacity {
            for _ in 0..=round % capacity {
                if queue.push(pushed).is_ok() {
                    pushed += 1;
                }
            }
            assert_eq!(queue.len(), pushed - popped);
            for _ in 0..=(round / capacity) % capacity {
                if let Some(value) = queue.pop() {
                    assert_eq!(value, popped);
                    popped += 1;
                }
            }
            assert_eq!(queue.len(), pushed - popped);
            assert_eq!(queue.is_full(), pushed - popped == capacity);
            assert_eq!(queue.is_empty(), pushed == popped);
        }
        assert!(pushed > 50 * capacity);
    }
}

/// The same operations on a queue that is known to be right.
#[test]
fn agrees_with_a_deque() {
    let mut rng = Rng::stream(seed(), 0);
    for capacity in [1, 2, 3, 7, 64] {
        let (queue, mut model) = (ArrayQueue::new(capacity), VecDeque::new());
        // Now mostly full, now mostly empty.
        for i in 0..20_000_u64 {
            let bias = if i / 1000 % 2 == 0 { 3 } else { 7 };
            if rng.below(10) < bias {
                assert_eq!(queue.pop(), model.pop_front());
            } else if model.len() == capacity {
                assert_eq!(queue.push(i), Err(i));
            } else {
                assert_eq!(queue.push(i), Ok(()));
                model.push_back(i);
            }
            assert_eq!(queue.len(), model.len());
        }
        assert!(queue.into_iter().eq(model));
    }
}

/// Counts itself when it is dropped.
struct Counted<'a>(&'a AtomicUsize, usize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn what_is_left_is_dropped_once() {
    for (capacity, pushed, popped) in [(1, 1, 0), (3, 3, 1), (7, 7, 7), (8, 5, 2), (3, 0, 0)] {
        let drops = AtomicUsize::new(0);
        let queue = ArrayQueue::new(capacity);
        // Off the beginning of the ring, so that what is left wraps around its end.
        for _ in 0..capacity / 2 + 1 {
            assert!(queue.push(Counted(&drops, 0)).is_ok());
            drop(queue.pop());
        }
        let before = drops.load(Relaxed);
        for i in 0..pushed {
            assert!(queue.push(Counted(&drops, i)).is_ok());
        }
        for i in 0..popped {
            assert_eq!(queue.pop().map(|value| value.1), Some(i));
        }
        assert_eq!(drops.load(Relaxed), before + popped);
        drop(queue);
        assert_eq!(drops.load(Relaxed), before + pushed);
    }
}

#[test]
fn a_refused_value_is_not_dropped() {
    let drops = AtomicUsize::new(0);
    let queue = ArrayQueue::new(1);
    assert!(queue.push(Counted(&drops, 0)).is_ok());
    let refused = queue.push(Counted(&drops, 1)).err().unwrap();
    assert_eq!((drops.load(Relaxed), refused.1), (0, 1));
}

/// A value whose destructor panics costs no other value a second drop.
#[test]
fn a_destructor_that_panics_is_no_double_drop() {
    struct Fragile<'a>(&'a AtomicUsize, bool);
    impl Drop for Fragile<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
            assert!(!self.1, "in a destructor");
        }
    }
    let drops = AtomicUsize::new(0);
    let queue = ArrayQueue::new(3);
    for panics in [false, true, false] {
        assert!(queue.push(Fragile(&drops, panics)).is_ok());
    }
    catch_unwind(AssertUnwindSafe(|| drop(queue))).unwrap_err();
    assert!((2..=3).contains(&drops.load(Relaxed)), "none twice");
}

#[test]
fn zero_sized_and_unusual_values() {
    let queue = ArrayQueue::new(5);
    for _ in 0..5 {
        assert_eq!(queue.push(()), Ok(()));
    }
    assert_eq!(queue.push(()), Err(()));
    assert_eq!(queue.into_iter().count(), 5);
    let large = ArrayQueue::new(2);
    assert!(large.push([7_u8; 4096]).is_ok());
    assert_eq!(large.pop(), Some([7; 4096]));
    #[repr(align(256))]
    #[derive(Debug, PartialEq)]
    struct Aligned(u8);
    let aligned = ArrayQueue::new(3);
    for i in 0..3 {
        assert_eq!(aligned.push(Aligned(i)), Ok(()));
    }
    assert!(aligned.into_iter().eq([Aligned(0), Aligned(1), Aligned(2)]));
}

#[test]
fn into_iter_gives_the_rest_in_order() {
    let queue = ArrayQueue::new(4);
    for i in 0..3 {
        queue.push(i).unwrap();
    }
    queue.pop();
    queue.push(3).unwrap();
    queue.push(4).unwrap();
    let mut values = queue.into_iter();
    assert_eq!((values.len(), values.size_hint()), (4, (4, Some(4))));
    assert_eq!(values.next(), Some(1));
    assert_eq!(values.by_ref().collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!((values.next(), values.next(), values.len()), (None, None, 0));
    // One that is given up early drops the rest.
    let drops = AtomicUsize::new(0);
    let queue = ArrayQueue::new(4);
    for i in 0..4 {
        assert!(queue.push(Counted(&drops, i)).is_ok());
    }
    let mut values = queue.into_iter();
    drop(values.next());
    assert_eq!(drops.load(Relaxed), 1);
    drop(values);
    assert_eq!(drops.load(Relaxed), 4);
}

#[test]
fn debug_needs_nothing_of_the_values() {
    struct Silent;
    let queue = ArrayQueue::new(3);
    assert!(queue.push(Silent).is_ok());
    assert_eq!(format!("{queue:?}"), "ArrayQueue { len: 1, capacity: 3 }");
}

/// The gauges stay within their bounds while others push and pop.
#[test]
fn len_under_load_is_a_length() {
    let watchdog = Watchdog::start();
    for capacity in [1, 3, 8] {
        let queue = ArrayQueue::new(capacity);
        together(3, |i| {
            for _ in 0..scaled(20_000) {
                match i {
                    0 => drop(queue.push(1_u8)),
                    1 => drop(queue.pop()),
                    _ => {
                        assert!(queue.len() <= capacity);
                        let _ = (queue.is_empty(), queue.is_full());
                    }
                }
            }
        });
        watchdog.tick();
    }
}

/// "Full" and "empty" are never false: with as many values as threads, one that takes a value finds
/// one, and room for it afterwards.
#[test]
fn a_place_that_was_freed_is_found() {
    let watchdog = Watchdog::start();
    for tokens in [1, 3, 7] {
        let queue = ArrayQueue::new(tokens);
        for i in 0..tokens {
            queue.push(i).unwrap();
        }
        together(tokens, |_| {
            for _ in 0..scaled(5_000) {
                let token = queue.pop().expect("a value for each thread");
                queue.push(token).expect("a place for each value");
            }
        });
        watchdog.tick();
        let mut left: Vec<_> = queue.into_iter().collect();
        left.sort_unstable();
        assert!(left.into_iter().eq(0..tokens));
    }
}

// In place of the oldest, and what is for one thread alone.

#[test]
fn force_push_displaces_the_oldest_of_a_full_queue() {
    for capacity in [1, 2, 3, 8] {
        let queue = ArrayQueue::new(capacity);
        for i in 0..capacity {
            assert_eq!(queue.force_push(i), None);
        }
        for i in capacity..5 * capacity {
            assert_eq!(queue.force_push(i), Some(i - capacity));
            assert!(queue.is_full());
        }
        assert_eq!(queue.pop(), Some(4 * capacity));
        assert_eq!(queue.force_push(7), None);
    }
}

#[test]
fn what_is_displaced_is_not_dropped() {
    let drops = AtomicUsize::new(0);
    let queue = ArrayQueue::new(1);
    assert!(queue.force_push(Counted(&drops, 1)).is_none());
    let displaced = queue.force_push(Counted(&drops, 2));
    assert_eq!((drops.load(Relaxed), displaced.map(|value| value.1)), (0, Some(1)));
    drop(queue);
    assert_eq!(drops.load(Relaxed), 2);
}

#[test]
fn exclusive_forms_do_as_the_shared_ones() {
    for capacity in [1, 2, 3, 8] {
        let mut queue = ArrayQueue::new(capacity);
        let mut next = 0;
        for round in 0..6 * capacity {
            while queue.len() < capacity {
                let pushed = if next % 2 == 0 { queue.push_mut(next) } else { queue.push(next) };
                assert_eq!(pushed, Ok(()));
                next += 1;
            }
            assert_eq!(queue.push_mut(99), Err(99));
            for i in 0..=round % capacity {
                let oldest = next - queue.len();
                let popped = if i % 2 == 0 { queue.pop_mut() } else { queue.pop() };
                assert_eq!(popped, Some(oldest));
            }
        }
        let oldest = next - queue.len();
        assert!(queue.drain().eq(oldest..next));
        assert_eq!(queue.pop_mut(), None);
    }
}

#[test]
fn drain_drops_what_is_not_asked_for() {
    let drops = AtomicUsize::new(0);
    let mut queue = ArrayQueue::new(4);
    for i in 0..4 {
        assert!(queue.push(Counted(&drops, i)).is_ok());
    }
    let mut values = queue.drain();
    assert_eq!((values.len(), values.next().map(|value| value.1)), (4, Some(0)));
    drop(values);
    assert_eq!((drops.load(Relaxed), queue.len()), (4, 0));
    assert!(queue.push(Counted(&drops, 4)).is_ok());
    // Leaked, it keeps the rest.
    std::mem::forget(queue.drain());
    assert_eq!(queue.len(), 1);
}

#[test]
fn try_iter_takes_one_by_one() {
    let queue = ArrayQueue::new(4);
    queue.push_many(&mut vec![1, 2, 3]);
    let mut values = queue.try_iter();
    assert_eq!((values.next(), queue.len()), (Some(1), 2));
    queue.push(4).unwrap();
    assert_eq!(values.by_ref().collect::<Vec<_>>(), [2, 3, 4]);
    queue.push(5).unwrap();
    assert_eq!(values.next(), Some(5), "asked again");
}

#[test]
fn try_forms_say_full_and_empty() {
    let queue = ArrayQueue::new(1);
    assert_eq!(queue.try_pop(), Err::<u8, _>(TryPopError::Empty));
    assert_eq!(queue.try_push(1), Ok(()));
    let refused = queue.try_push(2).unwrap_err();
    assert_eq!((refused, format!("{refused:?}")), (TryPushError::Full(2), "Full(..)".to_owned()));
    assert_eq!(queue.try_pop(), Ok(1));
}

// Batches.

/// Batches of all sizes on queues of all fillings agree with a deque.
#[test]
fn batches_agree_with_a_deque() {
    let mut rng = Rng::stream(seed(), 1);
    for capacity in [1, 2, 3, 7, 64] {
        let (queue, mut model) = (ArrayQueue::new(capacity), VecDeque::new());
        let mut next = 0_u64;
        for _ in 0..5_000 {
            let count = rng.below(2 * capacity as u64 + 2) as usize;
            if rng.one_in(2) {
                let mut batch: Vec<u64> = (next..).take(count).collect();
                let fits = count.min(capacity - model.len());
                assert_eq!(queue.push_many(&mut batch), fits);
                model.extend(next..next + fits as u64);
                assert!(batch.into_iter().eq(next + fits as u64..next + count as u64));
                next += count as u64;
            } else {
                let mut batch = Vec::with_capacity(count);
                let fits = count.min(model.len());
                assert_eq!(queue.pop_many(&mut batch, count), fits);
                assert!(batch.into_iter().eq(model.drain(..fits)));
            }
            assert_eq!(queue.len(), model.len());
        }
        assert!(queue.into_iter().eq(model));
    }
}

/// Pushes two of three, whatever they come from; the third stays.
fn leaves_the_third(source: &mut (impl Source<u8> + Iterator<Item = u8>)) {
    let queue = ArrayQueue::new(2);
    assert_eq!(queue.push_many(source), 2);
    assert_eq!((queue.pop(), queue.pop()), (Some(1), Some(2)));
    assert_eq!((source.next(), source.next()), (Some(3), None));
}

#[test]
fn every_source_keeps_what_does_not_fit() {
    leaves_the_third(&mut vec![1, 2, 3].into_iter());
    leaves_the_third(&mut vec![1, 2, 3].drain(..));
    leaves_the_third(&mut VecDeque::from([1, 2, 3]).into_iter());
    leaves_the_third(&mut VecDeque::from([1, 2, 3]).drain(..));
    leaves_the_third(&mut [1, 2, 3].into_iter());
    leaves_the_third(&mut Ahead::new(1..=3));
    let (queue, mut deque) = (ArrayQueue::new(2), VecDeque::from([1, 2, 3]));
    assert_eq!((queue.push_many(&mut deque), deque), (2, VecDeque::from([3])));
}

fn takes_two(into: &mut (impl Sink<u8> + Default + IntoIterator<Item = u8>)) {
    let queue = ArrayQueue::new(4);
    queue.push_many(&mut vec![1, 2, 3]);
    assert_eq!(queue.pop_many(into, 2), 2);
    assert_eq!(queue.pop_many(into, 0), 0);
    assert!(std::mem::take(into).into_iter().eq([9, 1, 2]));
    assert_eq!((queue.pop_many(into, 9), queue.pop_many(into, usize::MAX)), (1, 0));
    assert!(std::mem::take(into).into_iter().eq([3]));
}

#[test]
fn every_sink_appends() {
    takes_two(&mut vec![9]);
    takes_two(&mut VecDeque::from([9]));
}

#[test]
fn batches_of_unusual_values() {
    let queue = ArrayQueue::new(3);
    assert_eq!(queue.push_many(&mut vec![(); 5]), 3);
    let mut nothing = Vec::new();
    assert_eq!((queue.pop_many(&mut nothing, 9), nothing.len()), (3, 3));
    let queue = ArrayQueue::new(3);
    assert_eq!(queue.push_many(&mut vec![[7_u8; 4096]; 2]), 2);
    let mut large = VecDeque::new();
    assert_eq!((queue.pop_many(&mut large, 9), large[1]), (2, [7; 4096]));
}

/// An iterator that panics: what it gave is pushed or still there, each once, and the queue works.
#[test]
fn an_iterator_that_panics_loses_nothing() {
    let drops = AtomicUsize::new(0);
    let queue = ArrayQueue::new(64);
    for fails_at in [0, 1, 15, 16, 17, 40] {
        let mut given = 0..;
        let mut ahead = Ahead::new(std::iter::from_fn(|| {
            let n = given.next()?;
            assert_ne!(n, fails_at, "asked for one too many");
            Some(Counted(&drops, n))
        }));
        catch_unwind(AssertUnwindSafe(|| queue.push_many(&mut ahead))).unwrap_err();
        assert_eq!(drops.swap(0, Relaxed), 0);
        let pushed = queue.len();
        assert_eq!(pushed, fails_at / 16 * 16, "runs before the one that could not be had");
        for n in 0..pushed {
            assert_eq!(queue.pop().map(|value| value.1), Some(n));
        }
        for n in pushed..fails_at {
            assert_eq!(ahead.next().map(|value| value.1), Some(n));
        }
        drop(ahead);
        assert_eq!(drops.swap(0, Relaxed), fails_at);
    }
}

#[test]
fn a_sink_that_cannot_grow_costs_nothing() {
    let queue = ArrayQueue::new(4);
    queue.push_many(&mut vec![(), ()]);
    // As many as a vector of these can hold.
    let mut full = vec![(); usize::MAX];
    catch_unwind(AssertUnwindSafe(|| queue.pop_many(&mut full, 2))).unwrap_err();
    assert_eq!(queue.len(), 2);
}
