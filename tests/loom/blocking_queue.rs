//! `BlockingQueue`: nobody sleeps while there is something to do, and closing loses nothing.

use std::sync::Arc;
use std::time::Duration;

use lockwork::model::{Explore, thread};
use lockwork::queue::{BlockingQueue, PopError, PushError, PushErrorReason};

use crate::support::{Watched, beside};

/// A licence to time out at any moment: see the model's notes on time.
const SOON: Duration = Duration::from_secs(1);

type Queue = BlockingQueue<u32>;

fn queue<const N: usize>(capacity: usize, values: [u32; N]) -> Arc<Queue> {
    let queue = BlockingQueue::new(capacity);
    for value in values {
        queue.push(value).unwrap();
    }
    Arc::new(queue)
}

/// Why a push or a pop did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum No {
    Empty,
    Full,
    Closed,
    TimedOut,
}

fn pushed<T>(result: Result<(), PushError<T>>) -> Result<(), No> {
    result.map_err(|refused| match refused.reason() {
        PushErrorReason::Full => No::Full,
        PushErrorReason::Closed => No::Closed,
        PushErrorReason::TimedOut => No::TimedOut,
        other => panic!("{other:?}"),
    })
}

fn popped<T>(result: Result<T, PopError>) -> Result<T, No> {
    result.map_err(|nothing| match nothing {
        PopError::Empty => No::Empty,
        PopError::Closed => No::Closed,
        PopError::TimedOut => No::TimedOut,
        other => panic!("{other:?}"),
    })
}

/// All values until the end.
fn pop_all(queue: &Queue) -> Vec<u32> {
    std::iter::from_fn(|| queue.pop().ok()).collect()
}

fn join_all<T: 'static, const N: usize>(threads: [thread::JoinHandle<T>; N]) -> [T; N] {
    threads.map(|thread| thread.join().unwrap())
}

// Sleeping and waking.

#[test]
fn pop_waits_for_a_push() {
    Explore::new("queue, pop waits").preemptions(3).at_least(600).run(&[1], || {
        let queue = Arc::new(BlockingQueue::new(1));
        let producer = beside(&queue, |queue: &BlockingQueue<Watched>| {
            let watched = Watched::new(0);
            watched.set(1);
            queue.push(watched).map_err(drop).unwrap();
        });
        let seen = queue.pop().unwrap().get();
        producer.join().unwrap();
        seen
    });
}

#[test]
fn push_waits_for_a_pop() {
    Explore::new("queue, push waits").preemptions(3).at_least(500).run(&[Ok(2)], || {
        let queue = queue(1, [1]);
        let consumer = beside(&queue, |queue| assert_eq!(queue.pop(), Ok(1)));
        queue.push(2).unwrap();
        consumer.join().unwrap();
        popped(queue.try_pop())
    });
}

/// Signals end the sleep and not the wait.
#[test]
fn interrupted() {
    Explore::new("queue, signals").preemptions(1).signals(1).at_least(500).run(&[()], || {
        let queue = queue(1, []);
        let producer = beside(&queue, |queue| [1, 2].map(|value| queue.push(value).unwrap()));
        assert_eq!([(); 2].map(|()| queue.pop().unwrap()), [1, 2]);
        producer.join().unwrap();
    });
}

/// A value is popped in time, or it is there later.
#[test]
fn timed_pop() {
    Explore::new("queue, timed pop").preemptions(3).at_least(2_000).run(
        &[(Ok(1), Err(No::Empty)), (Err(No::TimedOut), Ok(1))],
        || {
            let queue = queue(1, []);
            let producer = beside(&queue, |queue| queue.push(1).unwrap());
            let in_time = popped(queue.pop_for(SOON));
            producer.join().unwrap();
            (in_time, popped(queue.try_pop()))
        },
    );
}

/// A value is pushed in time, or it comes back.
#[test]
fn timed_push() {
    Explore::new("queue, timed push").preemptions(3).at_least(2_000).run(
        &[(Ok(()), Ok(2)), (Err(No::TimedOut), Err(No::Empty))],
        || {
            let queue = queue(1, [1]);
            let consumer = beside(&queue, |queue| assert_eq!(queue.pop(), Ok(1)));
            let in_time = pushed(queue.push_for(2, SOON));
            consumer.join().unwrap();
            (in_time, popped(queue.try_pop()))
        },
    );
}

/// One value and two that want it, of whom one gives up: it must not take the only wake-up with it.
#[test]
fn giving_up_leaves_the_value_to_others() {
    Explore::new("queue, timed pop and pop").preemptions(1).at_least(150).run(
        &[(Err(No::TimedOut), Ok(1)), (Err(No::Closed), Ok(1)), (Ok(1), Err(No::Closed))],
        || {
            let queue = queue(1, []);
            let timed = beside(&queue, |queue| {
                let result = popped(queue.pop_for(SOON));
                if result.is_ok() {
                    // The other one has nothing to wait for.
                    queue.close();
                }
                result
            });
            let plain = beside(&queue, |queue| {
                let result = popped(queue.pop());
                queue.close();
                result
            });
            queue.push(1).unwrap();
            (timed.join().unwrap(), plain.join().unwrap())
        },
    );
}

#[test]
fn two_producers_one_consumer() {
    Explore::new("queue, 2 producers").preemptions(1).at_least(5_000).run(
        &[[1, 2], [2, 1]],
        || {
            let queue = queue(1, []);
            let producers =
                [1, 2].map(|value| beside(&queue, move |queue| pushed(queue.push(value))));
            let values = [(); 2].map(|()| queue.pop().unwrap());
            assert_eq!(join_all(producers), [Ok(()), Ok(())]);
            values
        },
    );
}

#[test]
fn one_producer_two_consumers() {
    Explore::new("queue, 2 consumers").preemptions(1).at_least(2_500).run(
        &[[1, 2], [2, 1]],
        || {
            let queue = queue(1, []);
            let consumers = [(); 2].map(|()| beside(&queue, |queue| queue.pop().unwrap()));
            for value in [1, 2] {
                queue.push(value).unwrap();
            }
            join_all(consumers)
        },
    );
}

#[test]
fn two_places_two_consumers() {
    Explore::new("queue, 2 places, 2 consumers").preemptions(1).at_least(60).run(
        &[[1, 2], [2, 1]],
        || {
            let queue = queue(2, []);
            let consumers = [(); 2].map(|()| beside(&queue, |queue| queue.pop().unwrap()));
            for value in [1, 2] {
                queue.push(value).unwrap();
            }
            join_all(consumers)
        },
    );
}

// Closing.

/// Whoever is told by a pop that the queue is closed sees what came before the end.
#[test]
fn closed_is_seen_by_a_pop() {
    Explore::new("queue, closed to a pop").preemptions(3).at_least(10).run(
        &[Err(No::Empty), Ok(1)],
        || {
            let queue = queue(1, []);
            let watched = Watched::new(0);
            let closer = {
                let watched = watched.clone();
                beside(&queue, move |queue| {
                    watched.set(1);
                    assert!(queue.close());
                })
            };
            let seen = match popped(queue.try_pop()) {
                Err(No::Closed) => Ok(watched.get()),
                other => Err(other.unwrap_err()),
            };
            closer.join().unwrap();
            seen
        },
    );
}

/// As above, for a push.
#[test]
fn closed_is_seen_by_a_push() {
    Explore::new("queue, closed to a push").preemptions(3).at_least(20).run(
        &[None, Some(1)],
        || {
            let queue = queue(1, []);
            let watched = Watched::new(0);
            let closer = {
                let watched = watched.clone();
                beside(&queue, move |queue| {
                    watched.set(1);
                    assert!(queue.close());
                })
            };
            let seen = match pushed(queue.try_push(7)) {
                Err(No::Closed) => Some(watched.get()),
                other => {
                    assert_eq!(other, Ok(()));
                    None
                }
            };
            closer.join().unwrap();
            seen
        },
    );
}

/// What was accepted is popped before the end, and what was not comes back.
#[test]
fn close_against_push_against_pop() {
    Explore::new("queue, close, push, pop").preemptions(2).at_least(5_000).run(
        &[(Ok(()), vec![1]), (Err(No::Closed), vec![])],
        || {
            let queue = queue(1, []);
            let producer = beside(&queue, |queue| pushed(queue.push(1)));
            let closer = beside(&queue, |queue| assert!(queue.close()));
            let values = pop_all(&queue);
            let accepted = producer.join().unwrap();
            closer.join().unwrap();
            (accepted, values)
        },
    );
}

/// Only one of two is told that it closed the queue.
#[test]
fn two_closers() {
    Explore::new("queue, two closers").preemptions(3).at_least(5).run(
        &[(false, true), (true, false)],
        || {
            let queue = queue(1, []);
            let other = beside(&queue, |queue| queue.close());
            let own = queue.close();
            (other.join().unwrap(), own)
        },
    );
}

#[test]
fn close_wakes_all_consumers() {
    Explore::new("queue, close wakes consumers").preemptions(2).at_least(300).run(
        &[[Err(No::Closed); 2]],
        || {
            let queue = queue(1, []);
            let consumers = [(); 2].map(|()| beside(&queue, |queue| popped(queue.pop())));
            assert!(queue.close());
            join_all(consumers)
        },
    );
}

#[test]
fn close_wakes_all_producers() {
    Explore::new("queue, close wakes producers").preemptions(2).at_least(1_000).run(
        &[[Err(No::Closed); 2]],
        || {
            let queue = queue(1, [0]);
            let producers =
                [1, 2].map(|value| beside(&queue, move |queue| pushed(queue.push(value))));
            assert!(queue.close());
            let refused = join_all(producers);
            assert_eq!(pop_all(&queue), [0]);
            refused
        },
    );
}

// Batches, and waiting for several.

/// A batch that is larger than the queue, to one who takes as many as there are.
#[test]
fn batches_wake_both_sides() {
    Explore::new("queue, batches").preemptions(1).at_least(500).run(&[vec![1, 2, 3]], || {
        let queue = queue(1, []);
        let producer = beside(&queue, |queue| {
            assert_eq!(queue.push_many(&mut vec![1, 2, 3]), 3);
            queue.close();
        });
        let mut values = Vec::new();
        while queue.pop_many(&mut values, 2).is_ok() {}
        producer.join().unwrap();
        values
    });
}

/// One waits for the queue or for an event, and the other for a value; the event comes too.
#[test]
fn wait_any_takes_no_wake_up_along() {
    Explore::new("queue, wait_any beside a consumer")
        .preemptions(2)
        .without_strict_wakes()
        .at_least(500)
        .run(&[Ok(1)], || {
            let shared = Arc::new((BlockingQueue::<u32>::new(1), lockwork::Event::manual()));
            let several = beside(&shared, |(queue, event)| {
                let _first = lockwork::wait_any(&[event, queue]);
            });
            let plain = beside(&shared, |(queue, _)| popped(queue.pop()));
            shared.0.push(1).unwrap();
            shared.1.set();
            several.join().unwrap();
            plain.join().unwrap()
        });
}
