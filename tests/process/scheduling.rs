//! One processor, and real-time priorities on it: whoever has to wait lets the other run.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::queue::{ArrayQueue, BlockingQueue};
use lockwork::{Condvar, Mutex, Parker};

use super::runner::{Case, Outcome};
use super::support::threads::join_all;
use super::support::{load, scaled};

pub(crate) const CASES: &[Case] = &[
    ("scheduling::one_processor", one_processor),
    ("scheduling::fifo_mutex", || fifo(mutex)),
    ("scheduling::fifo_condvar", || fifo(condvar)),
    ("scheduling::fifo_array_queue", || fifo(array_queue)),
    ("scheduling::fifo_blocking_queue", || fifo(blocking_queue)),
    ("scheduling::fifo_parker", || fifo(parker)),
];

/// The processors that the calling thread may run on.
fn processors() -> Vec<usize> {
    // SAFETY: all zeros is an empty set, and the kernel fills it in.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set), 0);
        set
    };
    // SAFETY: all numbers are within the set.
    (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect()
}

/// Keeps the calling thread, and those it will start, on one processor.
fn stay_on(processor: usize) {
    // SAFETY: as above.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        assert_eq!(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set), 0);
    }
}

fn one_processor() -> Outcome {
    stay_on(processors()[0]);
    load::mixed(8, scaled(3_000));
    Outcome::Passed
}

const LOW: i32 = 10;
const MIDDLE: i32 = 20;
const HIGH: i32 = 30;

/// Makes the calling thread a real-time one, on the processor that all of them share.
fn become_fifo(priority: i32) -> Result<(), std::io::Error> {
    let parameter = libc::sched_param { sched_priority: priority };
    // SAFETY: `parameter` outlives the call, which only reads it.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &parameter) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // In this order: an ordinary thread would not get to run where real-time ones are busy.
    stay_on(*processors().last().expect("this thread runs on one"));
    Ok(())
}

/// Runs `test` unless real-time priorities are not to be had. This thread, which starts the others
/// and ends them, keeps away from their processor if it can.
fn fifo(test: fn()) -> Outcome {
    if let Err(error) = thread::spawn(|| become_fifo(LOW)).join().unwrap() {
        return Outcome::Skipped(format!("no real-time scheduling: {error}"));
    }
    test();
    Outcome::Passed
}

/// Runs `body` in one thread of each priority.
fn at_all_priorities(body: impl Fn(i32) + Sync) {
    let body = &body;
    thread::scope(|s| {
        join_all([LOW, MIDDLE, HIGH].map(|priority| {
            s.spawn(move || {
                become_fifo(priority).expect("was possible before");
                body(priority);
            })
        }));
    });
}

/// Lets threads of lower priority run for a moment.
fn give_way() {
    thread::sleep(Duration::from_micros(30));
}

fn mutex() {
    let count = Mutex::new(0);
    let rounds = scaled(3_000);
    at_all_priorities(|_| {
        for round in 0..rounds {
            let mut count = count.lock();
            *count += 1;
            if round % 4 == 0 {
                give_way(); // with the lock held: the others come to wait for it
            }
            drop(count);
            if round % 3 == 0 {
                give_way();
            }
        }
    });
    assert_eq!(count.into_inner(), 3 * rounds);
}

fn condvar() {
    let (turn, changed) = (Mutex::new(0), Condvar::new());
    let laps = scaled(1_500);
    at_all_priorities(|priority| {
        let me = (priority / 10 - 1) as usize;
        for _ in 0..laps {
            let mut turn = turn.lock();
            changed.wait_while(&mut turn, |turn| *turn % 3 != me);
            *turn += 1;
            changed.notify_all();
        }
    });
    assert_eq!(turn.into_inner(), 3 * laps);
}

/// A thread of low priority never stops using the queue, so that one of high priority, which uses
/// it now and then, finds it in the middle of an operation sooner or later.
fn array_queue() {
    let (queue, over) = (ArrayQueue::new(8), AtomicBool::new(false));
    at_all_priorities(|priority| {
        if priority == LOW {
            while !over.load(Relaxed) {
                let _ = queue.push(1);
                queue.pop();
            }
            return;
        }
        for _ in 0..scaled(3_000) {
            give_way();
            let _ = queue.push(1);
            queue.pop();
        }
        if priority == HIGH {
            over.store(true, Relaxed);
        }
    });
}

fn blocking_queue() {
    let queue = BlockingQueue::new(2);
    let (each, sum) = (scaled(3_000), AtomicUsize::new(0));
    let sending = AtomicUsize::new(2);
    // The consumer in the middle: below one of its producers and above the other.
    at_all_priorities(|priority| {
        if priority == MIDDLE {
            while let Ok(n) = queue.pop() {
                sum.fetch_add(n, Relaxed);
            }
            return;
        }
        for n in 1..=each {
            queue.push(n).unwrap();
            if n % 5 == 0 {
                give_way();
            }
        }
        if sending.fetch_sub(1, Relaxed) == 1 {
            queue.close();
        }
    });
    assert_eq!(sum.into_inner(), each * (each + 1));
}

fn parker() {
    let rounds = scaled(3_000);
    let pairs: [_; 2] = std::array::from_fn(|_| Parker::new());
    let unparkers = pairs.each_ref().map(|parker| parker.unparker().clone());
    let parkers = pairs.map(|parker| Mutex::new(Some(parker)));
    at_all_priorities(|priority| {
        let i = match priority {
            LOW => 0,
            HIGH => 1,
            _ => return,
        };
        let parker = parkers[i].lock().take().unwrap();
        for _ in 0..rounds {
            // One begins; else two tokens could become one.
            if i == 0 {
                unparkers[1].unpark();
            }
            parker.park();
            if i == 1 {
                unparkers[0].unpark();
            }
        }
    });
}
