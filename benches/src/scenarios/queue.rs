//! Q1 to Q6: what bounded queues are for. One thread; many that do both; producers and consumers
//! apart; batches; two ends.

use super::solo::{Solo, repeat};
use crate::harness::sample::Sample;
use crate::harness::stage::{Timing, perform};
use crate::harness::work::Work;
use crate::queues::{Queues, Rings};
use crossbeam_utils::CachePadded;
use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::yield_now;

/// Values in a batch.
pub const BATCH: usize = 16;

/// Tries without success between two yields.
const TRIES: u32 = 32;

/// A queue on one thread.
#[derive(Clone, Copy, Debug)]
pub struct Alone {
    /// Its places.
    pub capacity: usize,
    /// How long.
    pub solo: Solo,
}

/// Q1: a push and a pop.
#[must_use]
pub fn pair<Q: Queues>(cell: &Alone) -> Sample {
    let queue = black_box(Q::new(cell.capacity));
    repeat(cell.solo.length, || {
        black_box(queue.push(black_box(7)));
        black_box(queue.pop());
    })
}

/// Q2: a pop from an empty queue.
#[must_use]
pub fn empty<Q: Queues>(cell: &Alone) -> Sample {
    let queue = black_box(Q::new(cell.capacity));
    // Not at its very first place.
    (0..3).for_each(|value| _ = (queue.push(value), queue.pop()));
    repeat(cell.solo.length, || _ = black_box(queue.pop()))
}

/// Q3: a batch in and out again. An operation is the batch.
#[must_use]
pub fn batches<Q: Queues>(cell: &Alone) -> Sample {
    let queue = black_box(Q::new(cell.capacity));
    let mut values: Vec<u64> = (0..BATCH as u64).collect();
    repeat(cell.solo.length, || {
        queue.push_many(&mut values);
        queue.pop_many(&mut values, BATCH);
    })
}

/// Several threads and one queue.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// Its places.
    pub capacity: usize,
    /// How many.
    pub threads: usize,
    /// What each does between two operations.
    pub think: Work,
    /// How long.
    pub timing: Timing,
}

/// Tries again, and gives up the core now and then.
struct Patience(u32);

impl Patience {
    fn fail(&mut self) {
        self.0 += 1;
        if self.0.is_multiple_of(TRIES) { yield_now() } else { std::hint::spin_loop() }
    }
}

/// Q4: each thread pushes one and pops one. An operation is both.
///
/// # Panics
///
/// If values were lost or invented.
#[must_use]
pub fn mixed<Q: Queues>(cell: &Crowd) -> Sample {
    let queue = CachePadded::new(Q::new(cell.capacity));
    let (performance, sums) = perform(&cell.timing, cell.threads, |me, seat| {
        let mut random = fastrand::Rng::with_seed(me as u64);
        let (mut pushed, mut popped, mut patience) = (0_u64, 0_u64, Patience(0));
        while seat.proceed() {
            // Who pushed pops, so there is room for each once all have: nobody waits for ever.
            while !queue.push(pushed + 1) {
                patience.fail();
            }
            pushed += 1;
            cell.think.run_jittered(&mut random);
            loop {
                match queue.pop() {
                    Some(_) => break,
                    None => patience.fail(),
                }
            }
            popped += 1;
            cell.think.run_jittered(&mut random);
            seat.count(1);
        }
        pushed - popped
    });
    assert!(sums.iter().all(|left| *left == 0) && queue.pop().is_none(), "{}", Q::NAME);
    Sample::of_crew(&performance)
}

/// Q5: one half pushes, the other half pops. An operation is a value.
///
/// # Panics
///
/// If values were lost or invented.
#[must_use]
pub fn apart<Q: Queues>(cell: &Crowd) -> Sample {
    let queue = CachePadded::new(Q::new(cell.capacity));
    let over = CachePadded::new(AtomicBool::new(false));
    let producers = (cell.threads / 2).max(1);
    let left = std::sync::atomic::AtomicUsize::new(producers);
    let (performance, sums) = perform(&cell.timing, cell.threads, |me, seat| {
        let mut random = fastrand::Rng::with_seed(me as u64);
        let (mut sum, mut patience) = (0_u64, Patience(0));
        if me < producers {
            let mut value = me as u64;
            'all: while seat.proceed() {
                while !queue.push(value) {
                    patience.fail();
                    if !seat.proceed() {
                        break 'all;
                    }
                }
                sum = sum.wrapping_add(value);
                value += 1;
                cell.think.run_jittered(&mut random);
            }
            // The queue orders the values; the last one leaves word that there are no more.
            if left.fetch_sub(1, std::sync::atomic::Ordering::AcqRel) == 1 {
                over.store(true, std::sync::atomic::Ordering::Release);
            }
            return sum;
        }
        loop {
            seat.proceed();
            let last = over.load(std::sync::atomic::Ordering::Acquire);
            match queue.pop() {
                Some(value) => {
                    sum = sum.wrapping_add(value);
                    seat.count(1);
                    cell.think.run_jittered(&mut random);
                }
                None if last => return sum,
                None => patience.fail(),
            }
        }
    });
    let total = |sums: &[u64]| sums.iter().fold(0_u64, |sum, part| sum.wrapping_add(*part));
    assert_eq!(total(&sums[..producers]), total(&sums[producers..]), "{}", Q::NAME);
    Sample::of_crew(&performance)
}

/// Q6: both ends on one thread.
#[must_use]
pub fn ends_alone<R: Rings>(cell: &Alone) -> Sample {
    let (mut producer, mut consumer) = black_box(R::new(cell.capacity));
    repeat(cell.solo.length, || {
        black_box(R::push(&mut producer, black_box(7)));
        black_box(R::pop(&mut consumer));
    })
}

/// Q6: slices of [`BATCH`] on one thread. An operation is a slice in and out.
#[must_use]
pub fn ends_slices<R: Rings>(cell: &Alone) -> Sample {
    let (mut producer, mut consumer) = black_box(R::new(cell.capacity));
    let mut values = [7; BATCH];
    repeat(cell.solo.length, || {
        black_box(R::push_slice(&mut producer, &values));
        black_box(R::pop_slice(&mut consumer, black_box(&mut values)));
    })
}

/// Q6: an end on each of two threads. An operation is a value.
///
/// # Panics
///
/// If values were lost, invented or came out of order.
#[must_use]
pub fn ends_apart<R: Rings>(cell: &Crowd) -> Sample {
    let (producer, consumer) = R::new(cell.capacity);
    let ends = std::sync::Mutex::new((Some(producer), Some(consumer)));
    let over = CachePadded::new(AtomicBool::new(false));
    let (performance, counts) = perform(&cell.timing, 2, |me, seat| {
        let mut patience = Patience(0);
        let (producer, consumer) = {
            let mut ends = ends.lock().expect("nobody panics");
            if me == 0 { (ends.0.take(), None) } else { (None, ends.1.take()) }
        };
        let mut count = 0;
        if let Some(mut producer) = producer {
            while seat.proceed() {
                if R::push(&mut producer, count) { count += 1 } else { patience.fail() }
            }
            over.store(true, std::sync::atomic::Ordering::Release);
        } else if let Some(mut consumer) = consumer {
            loop {
                seat.proceed();
                let last = over.load(Relaxed);
                if last {
                    std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
                }
                match R::pop(&mut consumer) {
                    Some(value) => {
                        assert_eq!(value, count, "{}", R::NAME);
                        count += 1;
                        seat.count(1);
                    }
                    None if last => break,
                    None => patience.fail(),
                }
            }
        }
        count
    });
    assert_eq!(counts[0], counts[1], "{}", R::NAME);
    Sample::of_crew(&performance)
}
