//! The ring between two ends: values are handed over whole and in order, and the last end frees
//! what is left.
//!
//! The places are watched cells, so a producer and a consumer in one place fail any of these.

use lockwork::model::{Explore, thread};
use lockwork::queue::spsc::{self, ChunkError, Consumer, Producer};

use crate::support::Watched;

fn push_at_last(producer: &mut Producer<u32>, value: u32) {
    while producer.push(value).is_err() {
        thread::yield_now();
    }
}

fn pop_at_last(consumer: &mut Consumer<u32>) -> u32 {
    loop {
        match consumer.pop() {
            Some(value) => return value,
            None => thread::yield_now(),
        }
    }
}

fn drain(consumer: &mut Consumer<u32>) -> Vec<u32> {
    std::iter::from_fn(|| consumer.pop()).collect()
}

/// Each place goes round several times.
#[test]
fn laps() {
    for capacity in [1, 2] {
        Explore::new("spsc, laps").preemptions(2).at_least(100).run(&[()], move || {
            let (mut producer, mut consumer) = spsc::ring(capacity);
            let other = thread::spawn(move || {
                (0..4).for_each(|value| push_at_last(&mut producer, value));
                producer
            });
            (0..4).for_each(|value| assert_eq!(pop_at_last(&mut consumer), value));
            assert!(consumer.is_empty());
            drop(other.join().unwrap());
        });
    }
}

/// What came before the push is seen after the pop; "full" and "empty" are answers.
#[test]
fn hand_over() {
    Explore::new("spsc, hand-over").unbounded().at_least(5).run(&[None, Some(1)], || {
        let (mut producer, mut consumer) = spsc::ring(1);
        let other = thread::spawn(move || {
            let watched = Watched::new(0);
            watched.set(1);
            producer.push(watched).map_err(drop).unwrap();
            producer
        });
        let seen = consumer.pop().map(|watched| watched.get());
        drop(other.join().unwrap());
        seen
    });
}

/// A chunk that is written while one is read, at both ends of the memory.
#[test]
fn chunks() {
    Explore::new("spsc, chunks").preemptions(3).at_least(20).run(
        &[(1, vec![1], vec![2, 3, 4]), (3, vec![1, 2, 3], vec![4])],
        || {
            let (mut producer, mut consumer) = spsc::ring(4);
            // Off the start, so that a chunk wraps around.
            producer.push_entire_slice(&[0, 0, 0]).unwrap();
            consumer.read_chunk(3).unwrap().commit_all();
            producer.push(1).unwrap();
            let other = thread::spawn(move || {
                let mut chunk = producer.write_chunk(3).unwrap();
                let (first, second) = chunk.as_mut_slices();
                for (place, value) in first.iter_mut().chain(second).zip(2..) {
                    *place = value;
                }
                chunk.commit(2);
                push_at_last(&mut producer, 4);
                producer
            });
            let (count, chunk) = match consumer.read_chunk(3) {
                Ok(chunk) => (3, chunk.into_iter().collect()),
                Err(ChunkError::TooFewSlots(_)) => {
                    let chunk = consumer.read_chunk(1).unwrap();
                    let values = chunk.as_slices().0.to_vec();
                    chunk.commit_all();
                    (1, values)
                }
            };
            let producer = other.join().unwrap();
            let rest = drain(&mut consumer);
            drop(producer);
            (count, chunk, rest)
        },
    );
}

/// A place that a chunk has left is written to again, by a chunk.
#[test]
fn chunks_reuse_places() {
    Explore::new("spsc, places of chunks").preemptions(3).at_least(10).run(
        &[(0, vec![]), (1, vec![3]), (2, vec![3, 4])],
        || {
            let (mut producer, mut consumer) = spsc::ring(2);
            producer.push_entire_slice(&[1, 2]).unwrap();
            let other = thread::spawn(move || {
                let pushed = producer.push_many(&mut vec![3, 4]);
                (producer, pushed)
            });
            let first: Vec<u32> = consumer.read_chunk(1).unwrap().into_iter().collect();
            let mut popped = first;
            consumer.pop_many(&mut popped, 1);
            assert_eq!(popped, [1, 2]);
            let (producer, pushed) = other.join().unwrap();
            drop(producer);
            (pushed, drain(&mut consumer))
        },
    );
}

/// Once the producer is known to be gone, what it has pushed is there, and there is no more.
#[test]
fn nothing_after_the_end() {
    Explore::new("spsc, the end").unbounded().at_least(10).run(
        &[(false, vec![]), (false, vec![1]), (false, vec![1, 2]), (true, vec![1, 2])],
        || {
            let (mut producer, mut consumer) = spsc::ring(2);
            let other = thread::spawn(move || {
                producer.push(1).unwrap();
                producer.push(2).unwrap();
            });
            let last = consumer.is_abandoned();
            let values = drain(&mut consumer);
            other.join().unwrap();
            (last, values)
        },
    );
}

/// Whichever end goes last drops what is left, and has seen what the other did.
#[test]
fn last_end_frees() {
    Explore::new("spsc, ends").unbounded().at_least(5).run(&[None, Some(1)], || {
        let (mut producer, mut consumer) = spsc::ring(2);
        let other = thread::spawn(move || {
            for value in [1, 2] {
                producer.push(Watched::new(value)).map_err(drop).unwrap();
            }
        });
        let seen = consumer.pop().map(|watched| watched.get());
        drop(consumer);
        other.join().unwrap();
        seen
    });
}
