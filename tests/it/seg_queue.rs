//! `SegQueue`.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lockwork::queue::SegQueue;

use super::support::random::{Rng, seed};
use super::support::scaled;
use super::support::threads::{crowd, together};
use super::support::values::Counted;
use super::support::watchdog::Watchdog;

static IN_A_STATIC: SegQueue<String> = SegQueue::new();

#[test]
fn is_made_without_allocating() {
    assert_eq!(SegQueue::<u32>::new().segments(), 0);
    IN_A_STATIC.push("a".into());
    assert_eq!(IN_A_STATIC.pop().as_deref(), Some("a"));
}

/// The same operations on a queue that is known to be right, over many segments.
#[test]
fn agrees_with_a_deque() {
    let mut rng = Rng::stream(seed(), 0);
    let (mut queue, mut model) = (SegQueue::new(), VecDeque::new());
    // Now mostly growing, now mostly shrinking.
    for i in 0..200_000_u64 {
        let bias = if i / 10_000 % 2 == 0 { 4 } else { 8 };
        match rng.below(12) {
            0 => {
                let mut batch: Vec<u64> = (0..rng.below(40)).map(|k| i + k).collect();
                model.extend(&batch);
                let count = batch.len();
                assert_eq!(queue.push_many(&mut batch), count);
                assert!(batch.is_empty());
            }
            1 => {
                let (mut batch, max) = (Vec::new(), rng.below(40) as usize);
                let count = queue.pop_many(&mut batch, max);
                assert_eq!(count, max.min(model.len()));
                assert!(batch.into_iter().eq(model.drain(..count)));
            }
            2 => assert_eq!(queue.pop_mut(), model.pop_front()),
            3 => {
                queue.push_mut(i);
                model.push_back(i);
            }
            dice if dice < bias => {
                queue.push(i);
                model.push_back(i);
            }
            _ => assert_eq!(queue.pop(), model.pop_front()),
        }
        assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
    }
    assert!(queue.into_iter().eq(model));
}

/// Each way in with each way out, at every offset from the end of a segment.
#[test]
fn every_place_of_a_segment() {
    let places = SegQueue::<usize>::places_per_segment();
    for offset in (0..places).step_by(7).chain([places - 1, places, places + 1]) {
        let queue = SegQueue::new();
        for i in 0..offset {
            queue.push(i);
            assert_eq!(queue.pop(), Some(i));
        }
        assert!(queue.is_empty() && queue.pop().is_none());
        let mut batch: Vec<usize> = (0..3 * places).collect();
        assert_eq!(queue.push_many(&mut batch), 3 * places);
        assert_eq!(queue.len(), 3 * places);
        assert_eq!(queue.pop_many(&mut batch, usize::MAX), 3 * places);
        assert!(batch.into_iter().eq(0..3 * places));
        assert_eq!((queue.len(), queue.pop()), (0, None));
    }
}

#[test]
fn iterators_take_what_there_is() {
    let mut queue = SegQueue::from_iter(0..2000);
    assert!(queue.try_iter().take(1000).eq(0..1000));
    assert_eq!(queue.drain().len(), 1000);
    assert!(queue.is_empty(), "what was not asked for is dropped");
    queue.extend([1, 2]);
    std::mem::forget(queue.drain());
    assert_eq!(queue.into_iter().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn what_is_left_is_dropped_once() {
    for (pushed, popped) in [(0, 0), (1, 0), (1, 1), (600, 3), (1500, 700), (1024, 1024)] {
        let drops = AtomicUsize::new(0);
        let queue = SegQueue::new();
        for _ in 0..pushed {
            queue.push(Counted(&drops));
        }
        for _ in 0..popped {
            drop(queue.pop());
        }
        assert_eq!(drops.load(Relaxed), popped);
        drop(queue);
        assert_eq!(drops.load(Relaxed), pushed);
    }
}

/// A destructor that panics: the others are run, and the memory is freed.
#[test]
fn a_destructor_that_panics() {
    #[expect(dead_code, reason = "dropped")]
    struct Bomb<'a>(Counted<'a>, bool);
    impl Drop for Bomb<'_> {
        fn drop(&mut self) {
            assert!(!self.1, "bomb");
        }
    }
    let drops = AtomicUsize::new(0);
    let queue = SegQueue::new();
    for i in 0..1200 {
        queue.push(Bomb(Counted(&drops), i == 600));
    }
    assert!(catch_unwind(AssertUnwindSafe(|| drop(queue))).is_err());
    assert_eq!(drops.load(Relaxed), 1200);
}

#[test]
fn values_of_no_size() {
    let queue = SegQueue::new();
    for _ in 0..5000 {
        queue.push(());
    }
    assert_eq!(queue.len(), 5000);
    assert_eq!(queue.try_iter().count(), 5000);
}

#[test]
fn values_with_an_alignment_of_their_own() {
    #[repr(align(256))]
    struct Aligned(u8);
    let queue = SegQueue::new();
    for i in 0..200 {
        queue.push(Aligned(i));
    }
    for i in 0..200 {
        let value = Box::new(queue.pop().unwrap());
        assert_eq!(value.0, i);
    }
}

/// Segments are made in place: 32 of these would not fit on this stack.
#[test]
fn large_values() {
    let thread = std::thread::Builder::new().stack_size(3 << 20).spawn(|| {
        let queue = SegQueue::<[u8; 100_000]>::new();
        for i in 0..40 {
            queue.push([i; 100_000]);
        }
        for i in 0..40 {
            assert!(queue.pop().unwrap().iter().all(|&byte| byte == i));
        }
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn debug_shows_the_number_of_values() {
    let mut queue = SegQueue::from_iter([1, 2]);
    assert_eq!(format!("{queue:?}"), "SegQueue { len: 2, .. }");
    assert_eq!(format!("{:?}", queue.try_iter()), "SegTryIter { queue: SegQueue { len: 2, .. } }");
    assert_eq!(format!("{:?}", queue.drain()), "SegDrain { len: 2 }");
    assert_eq!(format!("{:?}", queue.into_iter()), "SegIntoIter { len: 0 }");
}

/// In the destructors of thread-locals, whether those of the queue's own run before or after.
#[test]
fn works_while_a_thread_ends() {
    struct Late(&'static SegQueue<u32>);
    impl Drop for Late {
        fn drop(&mut self) {
            for i in 0..2000 {
                self.0.push(i);
                assert!(self.0.pop().is_some());
            }
            self.0.push(1);
        }
    }
    thread_local! {
        static EARLY: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) };
        static LATE: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) };
    }
    static QUEUE: SegQueue<u32> = SegQueue::new();
    for _ in 0..10 {
        std::thread::spawn(|| {
            EARLY.with(|early| *early.borrow_mut() = Some(Late(&QUEUE)));
            QUEUE.push(1);
            assert!(QUEUE.pop().is_some());
            LATE.with(|late| *late.borrow_mut() = Some(Late(&QUEUE)));
        })
        .join()
        .unwrap();
    }
    assert_eq!(QUEUE.len(), 20);
}

/// A short queue lives on a few segments for ever, whoever pushes and pops.
#[test]
fn a_short_queue_has_few_segments() {
    let watchdog = Watchdog::start();
    let rounds = scaled(5_000_000);
    let queue = SegQueue::new();
    let most = together(2, |i| {
        let mut most = 0;
        for round in 0..rounds {
            queue.push(i * rounds + round);
            queue.pop().expect("there are as many as pushes are over");
            if round % 64 == 0 {
                most = most.max(queue.segments());
                watchdog.tick();
            }
        }
        most
    });
    assert!(most.iter().all(|&most| most <= 4), "{most:?} segments");
}

/// What a burst took is given back, but for a few segments.
#[test]
fn memory_of_a_burst_is_given_back() {
    let queue = SegQueue::from_iter(0..1_000_000);
    assert!(queue.segments() > 1000);
    assert!(queue.try_iter().eq(0..1_000_000));
    assert!(queue.segments() <= 5, "{}", queue.segments());
}

/// Every value arrives once, and those of one producer in their order; alone and in batches.
#[test]
fn values_of_each_producer_in_order() {
    let watchdog = Watchdog::start();
    let (threads, rounds) = (crowd(), scaled(40_000));
    let producers = threads / 2;
    let queue = SegQueue::new();
    let left = AtomicUsize::new(producers * rounds);
    let drops = AtomicUsize::new(0);
    let popped = together(threads, |i| {
        let mut rng = Rng::stream(seed(), i as u64);
        let mut seen = vec![0; producers];
        if i < producers {
            let mut round = 0;
            while round < rounds {
                let count = if rng.one_in(4) { 1 + rng.below(20) as usize } else { 1 };
                let count = count.min(rounds - round);
                if count == 1 {
                    queue.push((i, round, Counted(&drops)));
                } else {
                    let values = (round..round + count).map(|r| (i, r, Counted(&drops)));
                    queue.push_many(&mut values.collect());
                }
                round += count;
                watchdog.tick();
            }
            return 0;
        }
        let mut count = 0;
        let mut batch = Vec::new();
        while left.load(Relaxed) > 0 {
            let max = if rng.one_in(4) { 20 } else { 1 };
            let got = if max == 1 {
                batch.extend(queue.pop());
                batch.len()
            } else {
                queue.pop_many(&mut batch, max)
            };
            for (producer, round, _counted) in batch.drain(..) {
                assert!(round + 1 > seen[producer], "{round} after {}", seen[producer]);
                seen[producer] = round + 1;
            }
            left.fetch_sub(got, Relaxed);
            count += got;
            if got == 0 {
                std::thread::yield_now();
            }
            watchdog.tick();
        }
        count
    });
    assert_eq!(popped.iter().sum::<usize>(), producers * rounds);
    assert_eq!(drops.load(Relaxed), producers * rounds);
}
