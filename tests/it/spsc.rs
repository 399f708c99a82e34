//! `queue::spsc`.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lockwork::queue::spsc::{self, ChunkError};

use super::support::random::{Rng, seed};
use super::support::values::Counted;

#[test]
fn a_capacity_of_zero_is_refused() {
    assert!(catch_unwind(|| spsc::ring::<u8>(0)).is_err());
    assert!(catch_unwind(|| spsc::ring::<u64>(usize::MAX)).is_err());
}

#[test]
fn capacity_is_what_was_asked_for() {
    for capacity in [1, 2, 3, 5, 64, 100] {
        let (mut producer, mut consumer) = spsc::ring(capacity);
        assert_eq!((producer.capacity(), consumer.capacity()), (capacity, capacity));
        for i in 0..capacity {
            assert_eq!((producer.slots(), consumer.slots()), (capacity - i, i));
            assert_eq!(producer.push(i), Ok(()));
        }
        assert_eq!(producer.push(99), Err(99));
        assert!(producer.is_full() && !consumer.is_empty());
        for i in 0..capacity {
            assert_eq!(consumer.peek(), Some(&i));
            assert_eq!(consumer.pop(), Some(i));
        }
        assert_eq!((consumer.pop(), consumer.peek()), (None, None));
        assert!(consumer.is_empty() && !producer.is_full());
    }
}

/// Every form, in any order, agrees with a deque.
#[test]
fn agrees_with_a_deque() {
    let mut rng = Rng::stream(seed(), 0);
    for capacity in [1, 2, 3, 7, 8, 64] {
        let (mut producer, mut consumer) = spsc::ring(capacity);
        let mut model = VecDeque::new();
        let mut next = 0_u64;
        for _ in 0..5_000 {
            let count = rng.below(capacity as u64 + 2) as usize;
            let free = capacity - model.len();
            let values: Vec<u64> = (next..).take(count).collect();
            let fits = match rng.below(10) {
                0 => usize::from(producer.push(next).is_ok()),
                1 => producer.push_many(&mut values.clone()),
                2 => producer.push_partial_slice(&values).0.len(),
                3 => match producer.push_entire_slice(&values) {
                    Ok(()) => count,
                    Err(refused) => {
                        assert_eq!(refused, ChunkError::TooFewSlots(free));
                        0
                    }
                },
                4 => match producer.write_chunk_uninit(count) {
                    Ok(chunk) => chunk.fill_from_iter(values.into_iter().take(3)),
                    Err(_) => 0,
                },
                5 => match producer.write_chunk(count) {
                    Ok(mut chunk) => {
                        let (first, second) = chunk.as_mut_slices();
                        assert!(first.iter().chain(&*second).all(|value| *value == 0));
                        first.iter_mut().chain(second).zip(next..).for_each(|(to, n)| *to = n);
                        let some = rng.below(count as u64 + 1) as usize;
                        chunk.commit(some);
                        some
                    }
                    Err(_) => 0,
                },
                way => {
                    let mut popped = Vec::new();
                    match way {
                        6 => popped.extend(consumer.pop()),
                        7 => _ = consumer.pop_many(&mut popped, count),
                        8 => {
                            popped = vec![0; count];
                            let some = consumer.pop_partial_slice(&mut popped).0.len();
                            popped.truncate(some);
                        }
                        _ => {
                            if let Ok(mut chunk) = consumer.read_chunk(count) {
                                assert_eq!(
                                    chunk.as_slices().0.len(),
                                    chunk.as_mut_slices().0.len()
                                );
                                popped.extend(chunk.into_iter().take(count / 2));
                            }
                        }
                    }
                    let count = popped.len();
                    assert!(popped.into_iter().eq(model.drain(..count)));
                    0
                }
            };
            model.extend(next..next + fits as u64);
            next += fits as u64;
            assert_eq!((consumer.slots(), producer.slots()), (model.len(), capacity - model.len()));
        }
    }
}

#[test]
fn what_is_left_is_dropped_once() {
    for (pushed, popped, producer_first) in
        [(3, 1, true), (3, 1, false), (5, 5, true), (5, 0, false)]
    {
        let drops = AtomicUsize::new(0);
        let (mut producer, mut consumer) = spsc::ring(5);
        // Off the start, so that what is left wraps around.
        for _ in 0..4 {
            assert!(producer.push(Counted(&drops)).is_ok());
            drop(consumer.pop());
        }
        drops.store(0, Relaxed);
        for _ in 0..pushed {
            assert!(producer.push(Counted(&drops)).is_ok());
        }
        (0..popped).for_each(|_| drop(consumer.pop()));
        assert_eq!(drops.load(Relaxed), popped);
        if producer_first {
            drop(producer);
            assert!(consumer.is_abandoned());
            drop(consumer);
        } else {
            drop(consumer);
            assert!(producer.is_abandoned());
            drop(producer);
        }
        assert_eq!(drops.load(Relaxed), pushed);
    }
}

#[test]
fn zero_sized_and_unusual_values() {
    let (mut producer, mut consumer) = spsc::ring(3);
    assert_eq!(producer.push_many(&mut vec![(); 5]), 3);
    assert_eq!(consumer.read_chunk(3).unwrap().into_iter().count(), 3);
    #[repr(align(256))]
    #[derive(Debug, PartialEq)]
    struct Aligned(u8);
    let (mut producer, mut consumer) = spsc::ring(3);
    for i in 0..7 {
        assert_eq!(producer.push(Aligned(i)), Ok(()));
        let place = consumer.peek().unwrap();
        assert_eq!((place, &raw const *place as usize % 256), (&Aligned(i), 0));
        consumer.pop();
    }
}

/// What a panic leaves: everything pushed or not, and dropped once.
#[test]
fn panics_in_user_code_lose_nothing() {
    let drops = AtomicUsize::new(0);
    let (mut producer, mut consumer) = spsc::ring(4);
    let fails = std::iter::from_fn({
        let (mut given, drops) = (0, &drops);
        move || {
            given += 1;
            assert!(given < 3, "asked for one too many");
            Some(Counted(drops))
        }
    });
    let chunk = producer.write_chunk_uninit(4).unwrap();
    catch_unwind(AssertUnwindSafe(|| chunk.fill_from_iter(fails))).unwrap_err();
    assert_eq!((consumer.slots(), drops.load(Relaxed)), (2, 0));
    consumer.read_chunk(2).unwrap().commit_all();
    assert_eq!(drops.load(Relaxed), 2);

    // A destructor in a chunk that is committed: all are dropped, and left.
    struct Fragile<'a>(&'a AtomicUsize, bool);
    impl Drop for Fragile<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
            assert!(!self.1, "in a destructor");
        }
    }
    let drops = AtomicUsize::new(0);
    let (mut producer, mut consumer) = spsc::ring(4);
    for panics in [false, true, false, false] {
        assert!(producer.push(Fragile(&drops, panics)).is_ok());
    }
    let chunk = consumer.read_chunk(3).unwrap();
    catch_unwind(AssertUnwindSafe(|| chunk.commit_all())).unwrap_err();
    assert_eq!((drops.load(Relaxed), consumer.slots(), producer.slots()), (3, 1, 3));
    drop((producer, consumer));
    assert_eq!(drops.load(Relaxed), 4);
}

/// Counts how many there are, and cannot be made once too often.
struct Made;

static MADE: AtomicUsize = AtomicUsize::new(0);

impl Default for Made {
    fn default() -> Self {
        assert!(MADE.load(Relaxed) < 6, "one too many");
        MADE.fetch_add(1, Relaxed);
        Self
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        MADE.fetch_sub(1, Relaxed);
    }
}

#[test]
fn chunks_of_defaults_are_dropped_or_pushed() {
    let (mut producer, mut consumer) = spsc::ring::<Made>(8);
    drop(producer.write_chunk(5).unwrap());
    assert_eq!((MADE.load(Relaxed), consumer.slots()), (0, 0));
    producer.write_chunk(5).unwrap().commit(2);
    assert_eq!((MADE.load(Relaxed), consumer.slots()), (2, 2));
    catch_unwind(AssertUnwindSafe(|| drop(producer.write_chunk(6)))).unwrap_err();
    assert_eq!((MADE.load(Relaxed), consumer.slots()), (2, 2));
    consumer.read_chunk(2).unwrap().commit(1);
    assert_eq!(MADE.load(Relaxed), 1);
    drop((producer, consumer));
    assert_eq!(MADE.load(Relaxed), 0);
}

#[test]
fn more_than_a_chunk_has_is_refused() {
    let (mut producer, mut consumer) = spsc::ring::<u8>(4);
    let chunk = producer.write_chunk(2).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| chunk.commit(3))).is_err());
    assert!(consumer.is_empty());
    producer.push(1).unwrap();
    let chunk = consumer.read_chunk(1).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| chunk.commit(2))).is_err());
    assert_eq!(consumer.pop(), Some(1));
}

#[test]
fn bytes_are_written_and_read() {
    let (mut producer, mut consumer) = spsc::ring(4);
    assert_eq!(producer.write(b"hello").unwrap(), 4);
    assert_eq!(producer.write(b"o").unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut bytes = [0; 8];
    assert_eq!(consumer.read(&mut bytes).unwrap(), 4);
    assert_eq!(&bytes[..4], b"hell");
    assert_eq!(consumer.read(&mut bytes).unwrap_err().kind(), ErrorKind::WouldBlock);
    producer.write_all(b"o").unwrap();
    drop(producer);
    let mut rest = String::new();
    assert_eq!(consumer.read_to_string(&mut rest).unwrap(), 1);
}

#[test]
fn debug_needs_nothing_of_the_values() {
    struct Silent;
    let (mut producer, mut consumer) = spsc::ring(3);
    assert!(producer.push(Silent).is_ok());
    assert_eq!(format!("{producer:?}"), "Producer { slots: 2, capacity: 3 }");
    assert_eq!(format!("{consumer:?}"), "Consumer { slots: 1, capacity: 3 }");
    let chunk = producer.write_chunk_uninit(2).map(|chunk| format!("{chunk:?}"));
    assert_eq!(chunk.as_deref(), Ok("WriteChunkUninit { len: 2 }"));
    assert_eq!(format!("{:?}", consumer.read_chunk(1).unwrap()), "ReadChunk { len: 1 }");
}
