//! `BlockingQueue` and its errors.

use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::error::Error;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use lockwork::Deadline;
use lockwork::queue::{BlockingQueue, PopError, PushErrorReason};

use super::support::random::{Rng, seed};
use super::support::scaled;
use super::support::threads::{asleep, together, words_of};
use super::support::values::Counted;
use super::support::watchdog::Watchdog;

/// Runs `call` in a thread and returns once that sleeps in the queue.
fn asleep_in<'s, T: Send, R: Send + 's>(
    s: &'s Scope<'s, '_>,
    queue: &BlockingQueue<T>,
    call: impl FnOnce() -> R + Send + 's,
) -> ScopedJoinHandle<'s, R> {
    asleep(s, words_of(queue), call)
}

#[test]
fn capacity_order_and_numbers() {
    for capacity in [1, 2, 3, 7] {
        let queue = BlockingQueue::new(capacity);
        assert_eq!(queue.capacity(), capacity);
        for lap in 0..20 {
            assert!(queue.is_empty() && !queue.is_full());
            for i in 0..capacity {
                assert_eq!(queue.len(), i);
                queue.push(lap * capacity + i).unwrap();
            }
            assert!(queue.is_full());
            let refused = queue.try_push(0).unwrap_err();
            assert_eq!((refused.reason(), refused.into_inner()), (PushErrorReason::Full, 0));
            for i in 0..capacity {
                assert_eq!(queue.pop(), Ok(lap * capacity + i));
            }
            assert_eq!(queue.try_pop(), Err(PopError::Empty));
        }
    }
    catch_unwind(|| BlockingQueue::<u8>::new(0)).unwrap_err();
}

#[test]
fn agrees_with_a_deque() {
    let mut rng = Rng::stream(seed(), 0);
    for capacity in [1, 3, 8] {
        for _ in 0..20 {
            let (queue, mut model) = (BlockingQueue::new(capacity), VecDeque::new());
            let mut closed = false;
            for i in 0..300_u32 {
                match rng.below(100) {
                    0 if i > 200 => {
                        assert_eq!(queue.close(), !closed);
                        closed = true;
                    }
                    0..50 => {
                        let expected = match model.pop_front() {
                            Some(value) => Ok(value),
                            None if closed => Err(PopError::Closed),
                            None => Err(PopError::Empty),
                        };
                        assert_eq!(queue.try_pop(), expected);
                    }
                    _ => {
                        let refusal = if closed {
                            Some(PushErrorReason::Closed)
                        } else if model.len() == capacity {
                            Some(PushErrorReason::Full)
                        } else {
                            model.push_back(i);
                            None
                        };
                        let refused = queue.try_push(i).err();
                        assert_eq!(refused.as_ref().map(|refused| refused.reason()), refusal);
                        assert!(refused.is_none_or(|refused| refused.into_inner() == i));
                    }
                }
                assert_eq!((queue.len(), queue.is_closed()), (model.len(), closed));
            }
        }
    }
}

mod sleepers {
    use super::*;

    #[test]
    fn a_consumer_is_woken_by_a_push() {
        let _watchdog = Watchdog::start();
        let queue = BlockingQueue::new(2);
        thread::scope(|s| {
            let consumer = asleep_in(s, &queue, || queue.pop());
            queue.push('x').unwrap();
            assert_eq!(consumer.join().unwrap(), Ok('x'));
            let consumer = asleep_in(s, &queue, || queue.pop_for(Duration::MAX));
            queue.try_push('y').unwrap();
            assert_eq!(consumer.join().unwrap(), Ok('y'));
        });
    }

    #[test]
    fn a_producer_is_woken_by_a_pop() {
        let _watchdog = Watchdog::start();
        let queue = BlockingQueue::new(1);
        queue.push(1).unwrap();
        thread::scope(|s| {
            let producer = asleep_in(s, &queue, || queue.push(2));
            assert_eq!(queue.pop(), Ok(1));
            producer.join().unwrap().unwrap();
            let producer = asleep_in(s, &queue, || queue.push_for(3, Duration::MAX));
            assert_eq!(queue.try_pop(), Ok(2));
            producer.join().unwrap().unwrap();
        });
        assert_eq!(queue.pop(), Ok(3));
    }

    #[test]
    fn each_of_many_is_woken() {
        let _watchdog = Watchdog::start();
        let queue = BlockingQueue::new(1);
        thread::scope(|s| {
            let consumers: Vec<_> =
                (0..5).map(|_| asleep_in(s, &queue, || queue.pop().unwrap())).collect();
            for i in 0..5 {
                queue.push(i).unwrap();
            }
            let mut got: Vec<_> = consumers.into_iter().map(|c| c.join().unwrap()).collect();
            got.sort_unstable();
            assert_eq!(got, [0, 1, 2, 3, 4]);
        });
    }

    #[test]
    fn limits_beyond_the_end_of_time_sleep() {
        let _watchdog = Watchdog::start();
        let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
        let queue = BlockingQueue::new(1);
        thread::scope(|s| {
            let consumer = asleep_in(s, &queue, || queue.pop_until(far));
            queue.push(1).unwrap();
            assert_eq!(consumer.join().unwrap(), Ok(1));
            let consumer = asleep_in(s, &queue, || queue.pop_until(Deadline::NEVER));
            queue.push(2).unwrap();
            assert_eq!(consumer.join().unwrap(), Ok(2));
            queue.push(3).unwrap();
            let producer = asleep_in(s, &queue, || queue.push_until(4, far));
            assert_eq!(queue.pop(), Ok(3));
            producer.join().unwrap().unwrap();
            let producer = asleep_in(s, &queue, || queue.push_until(5, Deadline::NEVER));
            assert_eq!(queue.pop(), Ok(4));
            producer.join().unwrap().unwrap();
        });
    }

    /// One that gives up takes no other's wake-up along.
    #[test]
    fn giving_up_leaves_the_others_their_turn() {
        let _watchdog = Watchdog::start();
        let queue = BlockingQueue::new(1);
        thread::scope(|s| {
            let stays = asleep_in(s, &queue, || queue.pop());
            for _ in 0..3 {
                let leaves = s.spawn(|| queue.pop_for(Duration::from_millis(5)));
                assert_eq!(leaves.join().unwrap(), Err(PopError::TimedOut));
            }
            queue.push(1).unwrap();
            assert_eq!(stays.join().unwrap(), Ok(1));
        });
    }
}

mod limits {
    use super::*;

    #[test]
    fn past_and_zero_try_once() {
        let past = Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
        let queue = BlockingQueue::new(1);
        assert_eq!(queue.pop_for(Duration::ZERO), Err(PopError::TimedOut));
        assert_eq!(queue.pop_until(past), Err(PopError::TimedOut));
        assert_eq!(queue.pop_until(Deadline::now()), Err(PopError::TimedOut));
        // What is possible is done, however late.
        queue.push_until(1, past).unwrap();
        assert_eq!(queue.pop_until(past), Ok(1));
        queue.push_for(2, Duration::ZERO).unwrap();
        for refused in [
            queue.push_for(3, Duration::ZERO),
            queue.push_until(3, past),
            queue.push_until(3, Deadline::now()),
        ] {
            let refused = refused.unwrap_err();
            assert_eq!((refused.reason(), refused.into_inner()), (PushErrorReason::TimedOut, 3));
        }
        assert_eq!(queue.pop_for(Duration::ZERO), Ok(2));
    }

    #[test]
    fn are_waited_out() {
        let queue = BlockingQueue::new(1);
        let wait = Duration::from_millis(20);
        let start = Instant::now();
        assert_eq!(queue.pop_for(wait), Err(PopError::TimedOut));
        assert!(start.elapsed() >= wait);
        queue.push(1).unwrap();
        let start = Instant::now();
        assert_eq!(queue.push_for(2, wait).unwrap_err().reason(), PushErrorReason::TimedOut);
        assert!(start.elapsed() >= wait);
    }
}

mod closing {
    use super::*;

    #[test]
    fn refuses_pushes_and_drains() {
        let queue = BlockingQueue::new(3);
        queue.push(1).unwrap();
        queue.push(2).unwrap();
        assert!(!queue.is_closed());
        assert!(queue.close());
        assert!(!queue.close(), "once");
        assert!(queue.is_closed());
        for refused in [
            queue.try_push(3),
            queue.push(3),
            queue.push_for(3, Duration::ZERO),
            queue.push_until(3, Deadline::NEVER),
        ] {
            let refused = refused.unwrap_err();
            assert_eq!((refused.reason(), refused.into_inner()), (PushErrorReason::Closed, 3));
        }
        assert_eq!(queue.len(), 2);
        assert_eq!((queue.try_pop(), queue.pop()), (Ok(1), Ok(2)));
        assert_eq!(queue.try_pop(), Err(PopError::Closed));
        assert_eq!(queue.pop(), Err(PopError::Closed));
        assert_eq!(queue.pop_for(Duration::MAX), Err(PopError::Closed));
        assert_eq!(queue.pop_until(Deadline::now()), Err(PopError::Closed));
        assert!(queue.is_empty());
    }

    /// Full and closed at once: it is closed that matters, there is nothing to wait for.
    #[test]
    fn goes_before_full() {
        let queue = BlockingQueue::new(1);
        queue.push(1).unwrap();
        queue.close();
        assert_eq!(queue.try_push(2).unwrap_err().reason(), PushErrorReason::Closed);
        let refused = queue.push_for(2, Duration::MAX).unwrap_err();
        assert_eq!(refused.reason(), PushErrorReason::Closed);
    }

    #[test]
    fn wakes_all_who_sleep() {
        let _watchdog = Watchdog::start();
        let queue = BlockingQueue::<u32>::new(1);
        thread::scope(|s| {
            let consumers: Vec<_> = (0..4).map(|_| asleep_in(s, &queue, || queue.pop())).collect();
            assert!(queue.close());
            for consumer in consumers {
                assert_eq!(consumer.join().unwrap(), Err(PopError::Closed));
            }
        });
        let queue = BlockingQueue::new(1);
        queue.push(0).unwrap();
        thread::scope(|s| {
            let queue = &queue;
            let producers: Vec<_> =
                (1..5).map(|i| asleep_in(s, queue, move || queue.push(i))).collect();
            assert!(queue.close());
            let mut back: Vec<_> = producers
                .into_iter()
                .map(|producer| producer.join().unwrap().unwrap_err())
                .inspect(|refused| assert_eq!(refused.reason(), PushErrorReason::Closed))
                .map(|refused| refused.into_inner())
                .collect();
            back.sort_unstable();
            assert_eq!(back, [1, 2, 3, 4], "every value comes back");
        });
        assert_eq!((queue.pop(), queue.pop()), (Ok(0), Err(PopError::Closed)));
    }

    /// One of many who close is told that it did.
    #[test]
    fn has_one_author() {
        for _ in 0..50 {
            let queue = BlockingQueue::<u8>::new(1);
            let closed = together(4, |_| queue.close());
            assert_eq!(closed.into_iter().filter(|&first| first).count(), 1);
        }
    }

    /// Plain memory: a race detector sees whether closing orders it.
    struct LastWords(UnsafeCell<u32>);

    // SAFETY: written before the queue is closed, read only by those who found it closed.
    unsafe impl Sync for LastWords {}

    impl LastWords {
        fn write(&self, value: u32) {
            // SAFETY: see above.
            unsafe { *self.0.get() = value }
        }

        fn read(&self) -> u32 {
            // SAFETY: see above.
            unsafe { *self.0.get() }
        }
    }

    /// What its author wrote before is there for whoever is told that the queue is closed, asleep
    /// by then or not.
    #[test]
    fn carries_what_came_before() {
        let watchdog = Watchdog::start();
        for _ in 0..scaled(200) {
            let (empty, full) = (BlockingQueue::<u8>::new(1), BlockingQueue::new(1));
            full.push(0).unwrap();
            let words = LastWords(UnsafeCell::new(0));
            let seen = together(5, |i| match i {
                0 => {
                    words.write(7);
                    empty.close();
                    full.close();
                    7
                }
                1 => {
                    assert_eq!(empty.pop(), Err(PopError::Closed));
                    words.read()
                }
                2 => {
                    while empty.try_pop() != Err(PopError::Closed) {
                        thread::yield_now();
                    }
                    words.read()
                }
                3 => {
                    assert_eq!(full.push(1).unwrap_err().reason(), PushErrorReason::Closed);
                    words.read()
                }
                _ => {
                    while full.try_push(1).unwrap_err().reason() != PushErrorReason::Closed {
                        thread::yield_now();
                    }
                    words.read()
                }
            });
            assert_eq!(seen, [7; 5]);
            watchdog.tick();
        }
    }

    #[test]
    fn what_is_in_is_dropped_with_the_queue() {
        let drops = AtomicUsize::new(0);
        let queue = BlockingQueue::new(3);
        for _ in 0..3 {
            assert!(queue.push(Counted(&drops)).is_ok());
        }
        queue.close();
        let refused = queue.push(Counted(&drops)).unwrap_err();
        assert_eq!(drops.load(Relaxed), 0);
        drop(refused);
        assert_eq!(drops.load(Relaxed), 1, "the error drops what nobody takes out of it");
        drop(queue.pop());
        drop(queue);
        assert_eq!(drops.load(Relaxed), 4);
    }
}

mod shown {
    use super::*;

    #[test]
    fn the_queue() {
        struct Silent;
        let queue = BlockingQueue::new(2);
        assert!(queue.push(Silent).is_ok());
        let text = "BlockingQueue { len: 1, capacity: 2, closed: false }";
        assert_eq!(format!("{queue:?}"), text);
        queue.close();
        assert!(format!("{queue:?}").contains("closed: true"));
    }

    #[test]
    fn errors_say_the_numbers() {
        struct Silent;
        let queue = BlockingQueue::new(2);
        queue.push(Silent).unwrap();
        queue.push(Silent).unwrap();
        let full = queue.try_push(Silent).unwrap_err();
        assert_eq!(full.to_string(), "queue is full (2 of 2)");
        assert_eq!(format!("{full:?}"), "PushError { reason: Full, .. }");
        assert!(full.source().is_none());
        let late = queue.push_for(Silent, Duration::ZERO).unwrap_err();
        assert_eq!(late.to_string(), "queue stayed full until the deadline (2 of 2)");
        queue.close();
        assert_eq!(queue.push(Silent).unwrap_err().to_string(), "queue is closed");
        assert_eq!(PopError::Empty.to_string(), "queue is empty");
        assert_eq!(PopError::Closed.to_string(), "queue is closed and empty");
        assert_eq!(PopError::TimedOut.to_string(), "queue stayed empty until the deadline");
    }
}

// Over another queue, in batches, and beside other things.

#[test]
fn made_of_a_queue_that_has_values() {
    let queue = lockwork::queue::ArrayQueue::new(2);
    queue.push(1).unwrap();
    let queue = BlockingQueue::over(queue);
    queue.push(2).unwrap();
    assert_eq!(queue.try_push(3).unwrap_err().to_string(), "queue is full (2 of 2)");
    assert_eq!(queue.into_iter().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn batches() {
    let queue = BlockingQueue::new(4);
    let mut values = Vec::from_iter(0..6);
    assert_eq!(queue.try_push_many(&mut values), 4);
    assert_eq!(queue.push_many_for(&mut values, Duration::from_millis(1)), 0);
    assert_eq!(values, [4, 5]);
    let mut taken = Vec::new();
    assert_eq!(queue.pop_many(&mut taken, 0), Ok(0));
    assert_eq!(queue.pop_many(&mut taken, 3), Ok(3));
    assert_eq!(queue.push_many(&mut values), 2);
    assert_eq!(queue.try_pop_many(&mut taken, 100), Ok(3));
    assert_eq!(taken, [0, 1, 2, 3, 4, 5]);
    assert_eq!(queue.try_pop_many(&mut taken, 100), Err(PopError::Empty));
    queue.close();
    assert_eq!(queue.push_many(&mut vec![7]), 0);
    assert_eq!(queue.pop_many(&mut taken, 1), Err(PopError::Closed));
}

#[test]
fn batches_larger_than_the_queue() {
    let queue = BlockingQueue::new(3);
    thread::scope(|s| {
        s.spawn(|| {
            assert_eq!(queue.push_many(&mut Vec::from_iter(0..100)), 100);
            queue.close();
        });
        let mut taken = Vec::new();
        while queue.pop_many(&mut taken, 7).is_ok() {}
        assert_eq!(taken, Vec::from_iter(0..100));
    });
}

#[test]
fn a_queue_among_others() {
    let (queue, stop) = (BlockingQueue::new(2), lockwork::Event::manual());
    thread::scope(|s| {
        let consumer = s.spawn(|| {
            let mut values = Vec::new();
            loop {
                match lockwork::wait_any(&[&queue, &stop]) {
                    lockwork::Taken { index: 0, kind: lockwork::TakenKind::Came } => {
                        values.extend(queue.try_pop());
                    }
                    _ => return values,
                }
            }
        });
        for n in 0..50 {
            queue.push(n).unwrap();
        }
        stop.set();
        assert_eq!(consumer.join().unwrap(), Vec::from_iter(0..50));
    });
    assert!(lockwork::wait_any_for(&[&queue], Duration::from_millis(1)).is_none());
    queue.close();
    assert!(matches!(lockwork::wait_any(&[&queue]).kind, lockwork::TakenKind::Closed));
}
