//! The ring, by way of `ArrayQueue`, which adds nothing to it: values are handed over whole and in
//! order, and "full" and "empty" are told truthfully.
//!
//! The ring's slots are watched cells, so two threads in one slot fail any of these models.

use std::sync::Arc;

use lockwork::model::{Explore, thread};
use lockwork::queue::{ArrayQueue, TryPopError, TryPushError};

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
    Explore::new("ring, hand-over").preemptions(3).at_least(100).run(&[None, Some(1)], || {
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
    Explore::new("ring, laps, 1 place").preemptions(2).at_least(1_000).run(&[()], laps(1, 3));
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

#[test]
#[allow(clippy::len_zero, reason = "`is_empty` has a model of its own")]
fn len_and_len() {
    Explore::new("ring, len and len")
        .preemptions(3)
        .at_least(30)
        .run(NOT_BOTH, one_sees_the_other(&[], [fill; 2], [|queue| queue.len() == 0; 2]));
}

// Operations that do not wait.

/// An operation in flight is told of, and so is a queue without one.
#[test]
fn try_pop_beside_a_push() {
    Explore::new("ring, try_pop").unbounded().at_least(30).run(
        &[("empty", vec![1]), ("busy", vec![1]), ("popped", vec![])],
        || {
            let queue = queue(1, []);
            let other = beside(&queue, |queue| queue.push(1).unwrap());
            let answer = match queue.try_pop() {
                Ok(1) => "popped",
                Err(TryPopError::Empty) => "empty",
                Err(TryPopError::Busy) => "busy",
                Ok(_) => "another value",
            };
            other.join().unwrap();
            (answer, drain(&queue))
        },
    );
}

#[test]
fn try_push_beside_a_pop() {
    Explore::new("ring, try_push").unbounded().at_least(30).run(
        &[("full", vec![]), ("busy", vec![]), ("pushed", vec![2])],
        || {
            let queue = queue(1, [1]);
            let other = beside(&queue, |queue| queue.pop().unwrap());
            let answer = match queue.try_push(2) {
                Ok(()) => "pushed",
                Err(TryPushError::Full(2)) => "full",
                Err(TryPushError::Busy(2)) => "busy",
                Err(_) => "another value",
            };
            other.join().unwrap();
            (answer, drain(&queue))
        },
    );
}

// Runs.

fn pop_two(queue: &ArrayQueue<u32>) -> Vec<u32> {
    let mut values = Vec::new();
    queue.pop_many(&mut values, 2);
    values
}

/// A run takes places whose last values were popped one by one.
#[test]
fn run_of_places() {
    Explore::new("ring, run of places").preemptions(2).at_least(50).run(
        &[(0, vec![]), (1, vec![3]), (2, vec![3, 4])],
        || {
            let queue = queue(2, [1, 2]);
            let other = beside(&queue, |queue| [queue.pop(), queue.pop()]);
            let pushed = queue.push_many(&mut [3, 4].into_iter());
            assert_eq!(other.join().unwrap(), [Some(1), Some(2)]);
            (pushed, drain(&queue))
        },
    );
}

/// A run takes values that were pushed one by one.
#[test]
fn run_sees_all_values() {
    Explore::new("ring, run of values").preemptions(2).at_least(100).run(
        &[(vec![], vec![1, 2]), (vec![1], vec![2]), (vec![1, 2], vec![])],
        || {
            let queue = queue(2, []);
            let other = beside(&queue, |queue| {
                queue.push(1).unwrap();
                queue.push(2).unwrap();
            });
            let popped = pop_two(&queue);
            other.join().unwrap();
            (popped, drain(&queue))
        },
    );
}

/// Nothing comes between the values of a run.
#[test]
fn batch_beside_a_push() {
    Explore::new("ring, batch and push").preemptions(3).at_least(80).run(
        &[vec![1, 2, 3], vec![3, 1, 2]],
        || {
            let queue = queue(3, []);
            let other = beside(&queue, |queue| queue.push_many(&mut vec![1, 2]));
            queue.push(3).unwrap();
            assert_eq!(other.join().unwrap(), 2);
            drain(&queue)
        },
    );
}

#[test]
fn batch_beside_a_pop() {
    Explore::new("ring, batch and pop").preemptions(3).at_least(80).run(
        &[(vec![1, 2], Some(3)), (vec![2, 3], Some(1))],
        || {
            let queue = queue(3, [1, 2, 3]);
            let other = beside(&queue, pop_two);
            let popped = queue.pop();
            (other.join().unwrap(), popped)
        },
    );
}

// In place of the oldest.

/// Nobody is told of the moment in which the old value is gone and the new one is not there.
#[test]
fn displaced_while_popped() {
    Explore::new("ring, displaced and popped").preemptions(3).at_least(100).run(
        &[(Some(1), Some(2), vec![]), (None, Some(1), vec![2])],
        || {
            let queue = queue(1, [1]);
            let other = beside(&queue, |queue| queue.force_push(2));
            let popped = queue.pop();
            let displaced = other.join().unwrap();
            assert_eq!(queue.len(), usize::from(displaced.is_none()));
            (displaced, popped, drain(&queue))
        },
    );
}

/// What is displaced is seen whole, also if its push was in flight.
#[test]
fn displaced_is_seen() {
    Explore::new("ring, displaced").preemptions(3).at_least(100).run(
        &[(Ok(()), Some(1), vec![2]), (Err(1), None, vec![2])],
        || {
            let queue = queue(1, []);
            let other = beside(&queue, |queue| queue.push(1));
            let displaced = queue.force_push(2);
            (other.join().unwrap(), displaced, drain(&queue))
        },
    );
}

/// A push beside a displacement is refused: the queue is full before and after.
#[test]
fn full_while_displaced() {
    Explore::new("ring, full while displaced").preemptions(3).at_least(50).run(
        &[(Some(1), Err(3), vec![2])],
        || {
            let queue = queue(1, [1]);
            let other = beside(&queue, |queue| queue.force_push(2));
            let pushed = queue.push(3);
            (other.join().unwrap(), pushed, drain(&queue))
        },
    );
}

#[test]
fn displaced_twice() {
    Explore::new("ring, displaced twice").preemptions(2).at_least(50).run(
        &[(Some(1), Some(2), vec![3]), (Some(3), Some(1), vec![2])],
        || {
            let queue = queue(1, [1]);
            let other = beside(&queue, |queue| queue.force_push(2));
            let displaced = queue.force_push(3);
            (other.join().unwrap(), displaced, drain(&queue))
        },
    );
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
