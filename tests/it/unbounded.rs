//! `BlockingQueue` and channels without a bound.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::cancel::CancelToken;
use lockwork::queue::channel::{self, RecvTimeoutError, TryRecvError, TrySendError};
use lockwork::queue::{BlockingQueue, PopError, PushErrorReason, SegQueue};
use lockwork::{Event, wait_any};

use super::support::scaled;
use super::support::threads::{crowd, together};
use super::support::watchdog::Watchdog;

#[test]
fn never_full() {
    let queue = BlockingQueue::unbounded();
    for n in 0..10_000 {
        assert!(!queue.is_full());
        queue.try_push(n).unwrap();
    }
    assert_eq!((queue.len(), queue.is_empty(), queue.is_closed()), (10_000, false, false));
    assert!(queue.try_iter().eq(0..10_000));
    assert_eq!(format!("{queue:?}"), "BlockingQueue { len: 0, closed: false }");
    assert_eq!(queue.try_pop(), Err(PopError::Empty));
}

#[test]
fn a_queue_with_values_becomes_one_that_waits() {
    let queue = BlockingQueue::over(SegQueue::from_iter([1, 2, 3]));
    assert_eq!(queue.pop(), Ok(1));
    queue.push(4).unwrap();
    assert!(queue.into_iter().eq([2, 3, 4]));
}

#[test]
fn closed_refuses_and_gives_back() {
    let queue = BlockingQueue::unbounded();
    queue.push("a").unwrap();
    assert!(queue.close() && !queue.close() && queue.is_closed());
    let refused = queue.push("b").unwrap_err();
    assert_eq!((refused.reason(), refused.into_inner()), (PushErrorReason::Closed, "b"));
    assert_eq!((queue.pop(), queue.pop()), (Ok("a"), Err(PopError::Closed)));
    // One that nobody has used.
    let queue = BlockingQueue::<u8, _>::unbounded();
    assert!(queue.close());
    assert_eq!((queue.pop(), queue.is_empty(), queue.len()), (Err(PopError::Closed), true, 0));
    assert!(queue.push(1).is_err());
}

/// Closed at every place of a segment, with values left in it.
#[test]
fn closed_anywhere() {
    let places = SegQueue::<usize>::places_per_segment();
    for pushed in (0..places).step_by(61).chain([places - 1, places, places + 1, 3 * places]) {
        for left in [0, 1, 5].into_iter().filter(|&left| left <= pushed) {
            let queue = BlockingQueue::unbounded();
            (0..pushed).for_each(|n| queue.push(n).unwrap());
            assert!(queue.try_iter().take(pushed - left).eq(0..pushed - left));
            queue.close();
            assert!(queue.push(0).is_err());
            assert_eq!((queue.len(), queue.is_empty()), (left, left == 0));
            assert!(queue.iter().eq(pushed - left..pushed));
            assert_eq!(queue.pop(), Err(PopError::Closed));
        }
    }
}

#[test]
fn batches_come_out() {
    let queue = BlockingQueue::unbounded();
    (0..2000).for_each(|n| queue.push(n).unwrap());
    let mut batch = Vec::new();
    assert_eq!(queue.pop_many(&mut batch, 1999), Ok(1999));
    assert!(batch.iter().copied().eq(0..1999));
    assert_eq!(queue.try_pop_many(&mut batch, 5), Ok(1));
    assert_eq!(queue.try_pop_many(&mut batch, 5), Err(PopError::Empty));
    assert_eq!(queue.pop_many_for(&mut batch, 5, Duration::ZERO), Err(PopError::TimedOut));
    queue.close();
    assert_eq!(queue.pop_many(&mut batch, 5), Err(PopError::Closed));
}

#[test]
fn waits_have_limits() {
    let queue = BlockingQueue::<u8, _>::unbounded();
    assert_eq!(queue.pop_for(Duration::from_millis(5)), Err(PopError::TimedOut));
    assert_eq!(queue.pop_until(Instant::now()), Err(PopError::TimedOut));
    let token = CancelToken::new();
    token.cancel();
    assert_eq!(queue.pop_cancellable(&token), Err(PopError::Cancelled));
    assert!(queue.push_until(1, Instant::now()).is_ok(), "there is room, however late it is");
    let refused = queue.push_cancellable(2, &token).unwrap_err();
    assert_eq!(refused.reason(), PushErrorReason::Cancelled);
    assert_eq!(queue.pop_for(Duration::MAX), Ok(1));
}

#[test]
fn sleepers_are_woken() {
    let _watchdog = Watchdog::start();
    let queue = BlockingQueue::unbounded();
    thread::scope(|s| {
        let consumers: Vec<_> = (0..4).map(|_| s.spawn(|| queue.iter().sum::<u32>())).collect();
        for n in 1..=1000 {
            queue.push(n).unwrap();
            if n % 100 == 0 {
                thread::sleep(Duration::from_millis(1)); // all are asleep by then, as a rule
            }
        }
        queue.close();
        let sum: u32 = consumers.into_iter().map(|consumer| consumer.join().unwrap()).sum();
        assert_eq!(sum, 500_500);
    });
}

#[test]
fn a_channel_has_no_capacity_to_tell() {
    let (sender, receiver) = channel::unbounded();
    (0..1000).for_each(|n| sender.try_send(n).unwrap());
    assert_eq!((sender.capacity(), receiver.capacity()), (None, None));
    assert_eq!((sender.len(), sender.is_full(), receiver.is_empty()), (1000, false, false));
    assert!(receiver.try_iter().eq(0..1000));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
    assert_eq!(sender.send_deadline(1, Instant::now()), Ok(()));
    drop(sender);
    assert_eq!((receiver.recv(), receiver.recv().is_err()), (Ok(1), true));
}

#[test]
fn the_last_receiver_drops_what_is_left() {
    let value = Arc::new(());
    let (sender, receiver) = channel::unbounded();
    (0..1000).for_each(|_| sender.send(value.clone()).unwrap());
    let another = receiver.clone();
    drop(receiver);
    assert_eq!(Arc::strong_count(&value), 1001);
    drop(another);
    assert_eq!(Arc::strong_count(&value), 1);
    assert!(matches!(sender.try_send(value), Err(TrySendError::Disconnected(_))));
}

#[test]
fn wait_any_waits_for_it() {
    let _watchdog = Watchdog::start();
    let (sender, receiver) = channel::unbounded();
    let (queue, event) = (BlockingQueue::unbounded(), Event::manual());
    thread::scope(|s| {
        s.spawn(|| {
            sender.send(1).unwrap();
            event.wait();
            queue.push(2).unwrap();
        });
        assert_eq!(wait_any(&[&receiver, &queue]).index, 0);
        assert_eq!(receiver.try_recv(), Ok(1));
        event.set();
        assert_eq!(wait_any(&[&receiver, &queue]).index, 1);
        assert_eq!(queue.try_pop(), Ok(2));
    });
}

/// Every value arrives once, whoever closes when.
#[test]
fn many_to_many_until_the_end() {
    let watchdog = Watchdog::start();
    let pairs = crowd() / 2;
    for _ in 0..scaled(20) {
        let queue = BlockingQueue::unbounded();
        let counts = together(2 * pairs + 1, |i| {
            watchdog.tick();
            if i < pairs {
                // Until it is closed: what was accepted counts.
                (0..2000).take_while(|_| queue.push(i).is_ok()).count()
            } else if i < 2 * pairs {
                queue.iter().count()
            } else {
                while queue.len() < 200 && !queue.is_closed() {
                    thread::yield_now();
                    if queue.is_empty() {
                        break;
                    }
                }
                queue.close();
                0
            }
        });
        let (pushed, popped) = (&counts[..pairs], &counts[pairs..2 * pairs]);
        assert_eq!(pushed.iter().sum::<usize>(), popped.iter().sum::<usize>());
    }
}
