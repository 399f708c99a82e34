//! A little of everything, for tests that disturb a process from outside while it works.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lockwork::pool::{RejectionPolicy, ThreadPool};
use lockwork::queue::BlockingQueue;
use lockwork::{Barrier, Condvar, Event, Mutex, Parker};

use super::threads::together;

/// Runs `rounds` rounds of each kind of work on `threads` threads at a time, and checks what came
/// of it.
pub(crate) fn mixed(threads: usize, rounds: usize) {
    counter(threads, rounds);
    ring(threads, rounds.div_ceil(4));
    delivery(threads, rounds);
    parkers(rounds);
    events_and_meetings(threads, rounds.div_ceil(4));
    tasks(threads, rounds);
}

fn counter(threads: usize, rounds: usize) {
    let count = Mutex::new((0, 0));
    together(threads, |_| {
        for _ in 0..rounds {
            let mut count = count.lock();
            count.0 += 1;
            std::hint::spin_loop();
            count.1 += 1;
        }
    });
    assert_eq!(count.into_inner(), (threads * rounds, threads * rounds));
}

fn ring(threads: usize, laps: usize) {
    let (turn, changed) = (Mutex::new(0), Condvar::new());
    together(threads, |me| {
        for _ in 0..laps {
            let mut turn = turn.lock();
            changed.wait_while(&mut turn, |turn| *turn % threads != me);
            *turn += 1;
            changed.notify_all();
        }
    });
    assert_eq!(turn.into_inner(), threads * laps);
}

fn delivery(threads: usize, rounds: usize) {
    let queue = BlockingQueue::new(3);
    let producing = AtomicUsize::new(threads);
    let sums = together(2 * threads, |i| {
        if i < threads {
            for n in 1..=rounds {
                queue.push(n).unwrap();
            }
            if producing.fetch_sub(1, Relaxed) == 1 {
                queue.close();
            }
            0
        } else {
            let mut sum = 0;
            while let Ok(n) = queue.pop() {
                sum += n;
            }
            sum
        }
    });
    assert_eq!(sums.iter().sum::<usize>(), threads * rounds * (rounds + 1) / 2);
}

fn parkers(rounds: usize) {
    let (left, right) = (Parker::new(), Parker::new());
    let (wake_left, wake_right) = (left.unparker().clone(), right.unparker().clone());
    let ends = [Mutex::new(Some((left, wake_right))), Mutex::new(Some((right, wake_left)))];
    together(2, |i| {
        let (own, other) = ends[i].lock().take().unwrap();
        for _ in 0..rounds {
            // One begins; else two tokens could become one.
            if i == 0 {
                other.unpark();
            }
            own.park();
            if i == 1 {
                other.unpark();
            }
        }
    });
}

fn events_and_meetings(threads: usize, rounds: usize) {
    let turns: Vec<_> = (0..threads).map(|_| Event::auto()).collect();
    let barrier = Barrier::new(threads);
    turns[0].set();
    together(threads, |me| {
        for _ in 0..rounds {
            turns[me].wait();
            turns[(me + 1) % threads].set();
            barrier.wait().expect("nobody gives up");
        }
    });
}

fn tasks(threads: usize, rounds: usize) {
    let builder = ThreadPool::builder().threads(threads).queue_capacity(4);
    let pool = builder.rejection(RejectionPolicy::CallerRuns).build().unwrap();
    let handles: Vec<_> = (0..rounds).map(|n| pool.submit(move || n).unwrap()).collect();
    for (n, handle) in handles.into_iter().enumerate() {
        assert_eq!(handle.join().unwrap(), n);
    }
}
