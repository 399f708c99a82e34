//! The ring, by way of `ArrayQueue`, which adds nothing to it: values are handed over whole and in
//! order, and "full" and "empty" are told truthfully.
//!
//! The ring's slots are watched cells, so two threads in one slot fail any of these models.

use std::sync::Arc;

use lockwork::model::{Explore, thread};
use lockwork::queue::ArrayQueue;

use crate::support::{Watched, beside};

/// A queue of this capacity that holds these values.
fn queue<const N: usize>(capacity: usize, values: [u32; N]) -> Arc<ArrayQueue<u32>> {
    let queue = ArrayQueue::new(capacity);
    for value in values {
        queue.push(value).unwrap();
    }
    Arc::new(queue)
}

fn push_at_last(queue: &ArrayQueue<u32>, value: u32) {
    while queue.push(value).is_err() {
        thread::yield_now();
    }
}

fn pop_at_last(queue: &ArrayQueue<u32>) -> u32 {
    loop {
        match queue.pop() {
            Some(value) => return value,
            None => thread::yield_now(),
        }
    }
}

/// All values that are left.
fn drain(queue: &ArrayQueue<u32>) -> Vec<u32> {
    std::iter::from_fn(|| queue.pop()).collect()
}

// One thread at each end.

/// What came before the push is seen after the pop.
#[test]
fn hand_over() {
    Explore::new("ring, hand-over").unbounded().at_least(100).run(&[None, Some(1)], || {
        let queue = Arc::new(ArrayQueue::new(1));
        let producer = beside(&queue, |queue| {
            let watched = Watched::new(0);
            watched.set(1);
            queue.push(watched).map_err(drop).unwrap();
        });
        let seen = queue.pop().map(|watched| watched.get());
        producer.join().unwrap();
        seen
    });
}

/// The next push finds the place that a pop has left, or the queue full.
#[test]
fn place_is_reused() {
    Explore::new("ring, place reused").unbounded().at_least(100).run(
        &[(Ok(()), vec![2]), (Err(2), vec![])],
        || {
            let queue = queue(1, [1]);
            let consumer = beside(&queue, |queue| assert_eq!(queue.pop(), Some(1)));
            let pushed = queue.push(2);
            consumer.join().unwrap();
            (pushed, drain(&queue))
        },
    );
}

fn laps(capacity: usize, values: u32) -> impl Fn() + Send + Sync + 'static {
    move || {
        let queue = queue(capacity, []);
        let producer = beside(&queue, move |queue| {
            for value in 0..values {
                push_at_last(queue, value);
            }
        });
        for value in 0..values {
            assert_eq!(pop_at_last(&queue), value, "out of order");
        }
        producer.join().unwrap();
        assert!(queue.is_empty());
    }
}

#[test]
fn laps_with_one_place() {
    Explore::new("ring, laps, 1 place").preemptions(3).at_least(10_000).run(&[()], laps(1, 3));
}

#[test]
fn laps_with_two_places() {
    Explore::new("ring, laps, 2 places").preemptions(2).at_least(1_000).run(&[()], laps(2, 4));
}

// Several threads at one end.

#[test]
fn two_pushes_for_two_places() {
    Explore::new("ring, push and push").preemptions(3).at_least(80).run(
        &[vec![1, 2], vec![2, 1]],
        || {
            let queue = queue(2, []);
            let other = beside(&queue, |queue| queue.push(1).unwrap());
            queue.push(2).unwrap();
            other.join().unwrap();
            drain(&queue)
        },
    );
}

#[test]
fn two_pushes_for_one_place() {
    Explore::new("ring, push and push, 1 place").preemptions(3).at_least(100).run(
        &[(Ok(()), Err(2), vec![1]), (Err(1), Ok(()), vec![2])],
        || {
            let queue = queue(1, []);
            let other = beside(&queue, |queue| queue.push(1));
            let second = queue.push(2);
            (other.join().unwrap(), second, drain(&queue))
        },
    );
}

#[test]
fn two_pops_of_two_values() {
    Explore::new("ring, pop and pop").preemptions(3).at_least(80).run(
        &[(Some(1), Some(2)), (Some(2), Some(1))],
        || {
            let queue = queue(2, [1, 2]);
            let other = beside(&queue, |queue| queue.pop());
            let second = queue.pop();
            (other.join().unwrap(), second)
        },
    );
}

#[test]
fn two_pops_of_one_value() {
    Explore::new("ring, pop and pop, 1 value").preemptions(3).at_least(100).run(
        &[(Some(1), None), (None, Some(1))],
        || {
            let queue = queue(1, [1]);
            let other = beside(&queue, |queue| queue.pop());
            let second = queue.pop();
            (other.join().unwrap(), second)
        },
    );
}

// Three threads.

#[test]
fn two_producers_one_consumer() {
    Explore::new("ring, 2 producers").preemptions(1).at_least(500).run(&[[1, 2], [2, 1]], || {
        let queue = queue(1, []);
        let producers = [1, 2].map(|value| beside(&queue, move |queue| push_at_last(queue, value)));
        let popped = [(); 2].map(|()| pop_at_last(&queue));
        for producer in producers {
            producer.join().unwrap();
        }
        popped
    });
}

#[test]
fn one_producer_two_consumers() {
    Explore::new("ring, 2 consumers").preemptions(1).at_least(2_000).run(&[[1, 2], [2, 1]], || {
        let queue = queue(1, []);
        let consumers = [(); 2].map(|()| beside(&queue, pop_at_last));
        for value in [1, 2] {
            push_at_last(&queue, value);
        }
        consumers.map(|consumer| consumer.join().unwrap())
    });
}

/// A place goes round: from the first value to the second by way of two pushers and a popper.
#[test]
fn two_pushes_and_a_pop() {
    Explore::new("ring, 2 pushes, 1 pop").preemptions(2).at_least(500).run(
        &[
            (Ok(()), Ok(()), None, vec![1, 2]),
            (Ok(()), Ok(()), None, vec![2, 1]),
            (Ok(()), Ok(()), Some(1), vec![2]),
            (Ok(()), Ok(()), Some(2), vec![1]),
        ],
        || {
            let queue = queue(2, []);
            let first = beside(&queue, |queue| queue.push(1));
            let second = beside(&queue, |queue| queue.push(2));
            let popped = queue.pop();
            (first.join().unwrap(), second.join().unwrap(), popped, drain(&queue))
        },
    );
}

// Full and empty.

/// The own push is over, so the queue is not empty, even if another push that got the place in
/// front of it is not.
#[test]
fn not_empty_after_a_push() {
    Explore::new("ring, falsely empty").preemptions(3).at_least(200).run(
        &[(Some(1), vec![2]), (Some(2), vec![1])],
        || {
            let queue = queue(2, []);
            let other = beside(&queue, |queue| queue.push(1).unwrap());
            queue.push(2).unwrap();
            let popped = queue.pop();
            other.join().unwrap();
            (popped, drain(&queue))
        },
    );
}

/// The own pop is over, so the queue is not full, even if another pop that got the place in front
/// of it is not.
#[test]
fn not_full_after_a_pop() {
    Explore::new("ring, falsely full").preemptions(3).at_least(200).run(
        &[(Some(1), Some(2), vec![3]), (Some(2), Some(1), vec![3])],
        || {
            let queue = queue(2, [1, 2]);
            let other = beside(&queue, |queue| queue.pop());
            let own = queue.pop();
            queue.push(3).unwrap();
            (other.join().unwrap(), own, drain(&queue))
        },
    );
}

/// Two queues, two threads: each does something to its own and then asks about the other's. At
/// least one comes second, and has to see what the first did.
fn one_sees_the_other(
    held: &'static [u32],
    act: [fn(&ArrayQueue<u32>); 2],
    refused: [fn(&ArrayQueue<u32>) -> bool; 2],
) -> impl Fn() -> (bool, bool) + Send + Sync + 'static {
    move || {
        let queues = Arc::new([0, 1].map(|i| {
            let queue = ArrayQueue::new(1);
            if let Some(&value) = held.get(i).filter(|&&value| value != 0) {
                queue.push(value).unwrap();
            }
            queue
        }));
        let other = beside(&queues, move |queues| {
            act[0](&queues[0]);
            refused[0](&queues[1])
        });
        act[1](&queues[1]);
        let refused = refused[1](&queues[0]);
        (other.join().unwrap(), refused)
    }
}

const NOT_BOTH: &[(bool, bool)] = &[(false, false), (false, true), (true, false)];

fn fill(queue: &ArrayQueue<u32>) {
    queue.push(7).unwrap();
}

fn clear(queue: &ArrayQueue<u32>) {
    queue.pop().unwrap();
}

fn finds_full(queue: &ArrayQueue<u32>) -> bool {
    queue.push(8).is_err()
}

fn finds_empty(queue: &ArrayQueue<u32>) -> bool {
    queue.pop().is_none()
}

#[test]
fn empty_and_empty() {
    Explore::new("ring, empty and empty")
        .preemptions(3)
        .at_least(600)
        .run(NOT_BOTH, one_sees_the_other(&[], [fill; 2], [finds_empty; 2]));
}

#[test]
fn full_and_full() {
    Explore::new("ring, full and full")
        .preemptions(3)
        .at_least(600)
        .run(NOT_BOTH, one_sees_the_other(&[1, 2], [clear; 2], [finds_full; 2]));
}

/// One fence of each kind: rows f and g pair with each other as well.
#[test]
fn full_and_empty() {
    Explore::new("ring, full and empty")
        .preemptions(3)
        .at_least(600)
        .run(NOT_BOTH, one_sees_the_other(&[0, 2], [fill, clear], [finds_full, finds_empty]));
}

#[test]
fn is_empty_and_is_empty() {
    Explore::new("ring, is_empty")
        .preemptions(3)
        .at_least(30)
        .run(NOT_BOTH, one_sees_the_other(&[], [fill; 2], [|queue| queue.is_empty(); 2]));
}

#[test]
fn is_full_and_is_full() {
    Explore::new("ring, is_full")
        .preemptions(3)
        .at_least(30)
        .run(NOT_BOTH, one_sees_the_other(&[1, 2], [clear; 2], [|queue| queue.is_full(); 2]));
}

/// A gauge may be late, but not beyond the bounds.
#[test]
fn length_stays_within_bounds() {
    Explore::new("ring, len").preemptions(2).at_least(50).run(&[0, 1], || {
        let queue = queue(1, [1]);
        let other = beside(&queue, |queue| {
            clear(queue);
            fill(queue);
            clear(queue);
        });
        let len = queue.len();
        other.join().unwrap();
        assert_eq!(queue.len(), 0);
        len
    });
}
