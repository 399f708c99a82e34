//! `BlockingQueue` and channels without a bound: nobody sleeps while there is something to do, and
//! closing loses nothing. What goes on inside the queue itself, `seg_queue` explores.

use std::sync::Arc;

use lockwork::model::{Explore, thread};
use lockwork::model_raw::{Keep, Segments};
use lockwork::queue::channel;
use lockwork::queue::{BlockingQueue, PopError, SegQueue};

use crate::support::{Watched, beside};

type Queue<T> = BlockingQueue<T, SegQueue<T, Keep>>;

/// With so many values that went through it.
fn queue(before: u32) -> Arc<Queue<u32>> {
    let queue = Queue::over(SegQueue::with_reclaim());
    for value in 0..before {
        queue.push(value).unwrap();
        queue.pop().unwrap();
    }
    Arc::new(queue)
}

#[test]
fn pop_waits_for_a_push() {
    Explore::new("unbounded, pop waits").preemptions(2).at_least(100).run(&[1], || {
        let queue = Arc::new(Queue::<Watched>::over(SegQueue::with_reclaim()));
        let producer = beside(&queue, |queue| {
            let watched = Watched::new(0);
            watched.set(1);
            queue.push(watched).map_err(drop).unwrap();
        });
        let seen = queue.pop().unwrap().get();
        producer.join().unwrap();
        seen
    });
}

/// At each place of a segment.
#[test]
fn pop_waits_anywhere() {
    for before in 0..3 {
        Explore::new("unbounded, pop waits anywhere").preemptions(2).at_least(50).run(
            &[Ok(7)],
            move || {
                let queue = queue(before);
                let producer = beside(&queue, |queue| queue.push(7).unwrap());
                let popped = queue.pop();
                producer.join().unwrap();
                popped.map_err(drop)
            },
        );
    }
}

#[test]
fn two_consumers() {
    Explore::new("unbounded, two consumers")
        .preemptions(1)
        .without_strict_wakes()
        .at_least(100)
        .run(&[3], || {
            let queue = queue(1);
            let other = beside(&queue, |queue| queue.pop().unwrap());
            let producer = beside(&queue, |queue| {
                queue.push(1).unwrap();
                queue.push(2).unwrap();
            });
            let sum = queue.pop().unwrap() + other.join().unwrap();
            producer.join().unwrap();
            sum
        });
}

/// The last value before the end, and the end, for a consumer that may be asleep.
#[test]
fn close_wakes_and_loses_nothing() {
    for before in 0..3 {
        Explore::new("unbounded, close").preemptions(2).at_least(50).run(
            &[(Ok(7), true)],
            move || {
                let queue = queue(before);
                let producer = beside(&queue, |queue| {
                    queue.push(7).unwrap();
                    queue.close();
                });
                let popped = queue.pop().map_err(drop);
                let closed = queue.pop() == Err(PopError::Closed);
                producer.join().unwrap();
                (popped, closed)
            },
        );
    }
}

/// Who sees that the queue is closed, sees what came before.
#[test]
fn is_closed_publishes() {
    Explore::new("unbounded, is_closed").preemptions(3).at_least(5).run(&[None, Some(1)], || {
        let shared = Arc::new((Segments::<u32, Keep>::new(), Watched::new(0)));
        shared.0.push(9).unwrap();
        let closer = beside(&shared, |(queue, watched)| {
            watched.set(1);
            queue.close();
        });
        let seen = shared.0.is_closed().then(|| shared.1.get());
        closer.join().unwrap();
        seen
    });
}

/// What the last sender left is received, and then the end is.
#[test]
fn last_sender_leaves_its_value() {
    Explore::new("unbounded channel, last sender").preemptions(2).at_least(50).run(
        &[(Ok(1), true)],
        || {
            let (sender, receiver) = channel::unbounded();
            let other = thread::spawn(move || sender.send(1).unwrap());
            let received = (receiver.recv().map_err(drop), receiver.recv().is_err());
            other.join().unwrap();
            received
        },
    );
}

/// A value is refused, or dropped with the channel: once.
#[test]
fn last_receiver_goes() {
    Explore::new("unbounded channel, last receiver").preemptions(2).at_least(20).run(&[1], || {
        let value = Arc::new(());
        let (sender, receiver) = channel::unbounded();
        // The channel itself goes with this, when all threads are done.
        let _stays = sender.clone();
        let other = thread::spawn({
            let value = value.clone();
            move || drop(sender.send(value))
        });
        drop(receiver);
        other.join().unwrap();
        Arc::strong_count(&value)
    });
}
