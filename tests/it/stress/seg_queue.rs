//! `SegQueue`: values on the heap, so that a sanitizer sees one that is read twice or never; and
//! threads that come and go, so that records of hazards change hands.

use lockwork::queue::SegQueue;
use lockwork::queue::reclaim::{Hazard, Reclaim};

use super::*;

/// Values that one producer pushes. With three seeds of the sanitizers' run that is over a million
/// operations.
const EACH: usize = 50_000;

fn push_some<R: Reclaim>(
    queue: &SegQueue<Box<u64>, R>,
    rng: &mut Rng,
    me: usize,
    n: usize,
) -> usize {
    let left = EACH - n;
    if !rng.one_in(8) {
        queue.push(Box::new(value(me, n)));
        return 1;
    }
    let count = (1 + rng.below(40) as usize).min(left);
    queue.push_many(&mut (n..n + count).map(|n| Box::new(value(me, n))).collect());
    count
}

fn pop_some<R: Reclaim>(queue: &SegQueue<Box<u64>, R>, rng: &mut Rng, taken: &mut Vec<u64>) {
    match rng.below(16) {
        0 => {
            let mut batch = Vec::new();
            queue.pop_many(&mut batch, 1 + rng.below(40) as usize);
            taken.extend(batch.into_iter().map(|value| *value));
        }
        1 => taken.extend(queue.try_iter().take(3).map(|value| *value)),
        2 => drop(format!("{queue:?} {}", queue.is_empty())),
        _ => taken.extend(queue.pop().map(|value| *value)),
    }
}

fn every_form<R: Reclaim>() {
    let (watchdog, seed) = (Watchdog::start(), seed());
    let pairs = crowd() / 2;
    for round in 0..scaled(1) {
        let queue = SegQueue::<Box<u64>, R>::with_reclaim();
        let missing = AtomicUsize::new(pairs * EACH);
        let taken = together(2 * pairs, |i| {
            let mut rng = Rng::stream(seed + round as u64, i as u64);
            let mut taken = Vec::new();
            if i < pairs {
                let mut n = 0;
                while n < EACH {
                    n += push_some(&queue, &mut rng, i, n);
                    if rng.one_in(64) {
                        work(&mut rng);
                    }
                    watchdog.tick();
                }
                return taken;
            }
            while missing.load(Relaxed) > 0 {
                let before = taken.len();
                pop_some(&queue, &mut rng, &mut taken);
                if taken.len() == before {
                    thread::yield_now();
                }
                missing.fetch_sub(taken.len() - before, Relaxed);
                watchdog.tick();
            }
            taken
        });
        check_delivery(&taken, &vec![EACH; pairs]);
        assert!(queue.is_empty());
    }
}

#[test]
fn every_form_with_hazards() {
    every_form::<Hazard>();
}

#[cfg(feature = "epoch")]
#[test]
fn every_form_with_epochs() {
    every_form::<lockwork::queue::reclaim::Epoch>();
}

/// Each thread does a few operations, over the end of a segment now and then, and ends.
#[test]
fn threads_come_and_go() {
    let watchdog = Watchdog::start();
    let (queue, pushed) = (SegQueue::new(), AtomicUsize::new(0));
    let taken = together(crowd(), |_| {
        let mut taken = Vec::new();
        for _ in 0..scaled(60) {
            let batch = thread::scope(|s| {
                let one = s.spawn(|| {
                    let from = pushed.fetch_add(100, Relaxed);
                    (from..from + 100).for_each(|n| queue.push(Box::new(n)));
                    queue.try_iter().take(99).map(|value| *value).collect::<Vec<_>>()
                });
                one.join().unwrap()
            });
            taken.extend(batch);
            watchdog.tick();
        }
        taken
    });
    let left = queue.into_iter().map(|value| *value);
    let mut all: Vec<usize> = taken.into_iter().flatten().chain(left).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..pushed.into_inner()));
}
