//! Queues that nobody sleeps in: in a child of fork, and in signal handlers.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex};
use std::thread;

use lockwork::queue::spsc::{self, Consumer, Producer};
use lockwork::queue::{ArrayQueue, TryPopError};
use lockwork::stack::ArrayStack;

use super::forking::{fork, raw_clone};
use super::runner::{Case, Outcome};
use super::signals::{handled, handled_one, install, under_fire};
use super::support::threads::join_all;
use super::support::{say, scaled};

pub(crate) const CASES: &[Case] = &[
    ("queue::spsc_at_rest_at_a_fork", || spsc_at_rest(|child| fork(child))),
    ("queue::spsc_at_rest_at_a_raw_clone", || spsc_at_rest(|child| raw_clone(child))),
    ("queue::spsc_forked_in_the_middle_of_a_stream", spsc_forked_in_the_middle_of_a_stream),
    ("queue::spsc_in_a_handler", spsc_in_a_handler),
    ("queue::try_forms_in_a_child", try_forms_in_a_child),
    ("queue::try_forms_in_a_handler", try_forms_in_a_handler),
];

/// Both processes have both ends, and all that was in the ring.
fn spsc_at_rest(fork: impl Fn(&mut dyn FnMut())) -> Outcome {
    let (mut producer, mut consumer) = spsc::ring(3);
    producer.push_entire_slice(&[7, 1, 2]).unwrap();
    // The rest lies around the end of the ring.
    assert_eq!(consumer.pop(), Some(7));
    let mut use_both = || {
        assert_eq!(producer.push(3), Ok(()));
        assert_eq!(producer.push(4), Err(4));
        assert!((1..4).all(|n| consumer.pop() == Some(n)));
        assert_eq!(consumer.pop(), None);
        thread::scope(|s| {
            let sender = s.spawn(|| {
                for n in 0..1_000 {
                    while producer.push(n).is_err() {
                        thread::yield_now();
                    }
                }
            });
            for n in 0..1_000 {
                while consumer.is_empty() {
                    thread::yield_now();
                }
                assert_eq!(consumer.pop(), Some(n));
            }
            join_all([sender]);
        });
        assert!(!consumer.is_abandoned() && !producer.is_abandoned());
    };
    fork(&mut use_both);
    use_both();
    Outcome::Passed
}

/// A child with one end of a ring, whose other end was in the hands of a thread, has what was
/// pushed by then, in order, and no more comes.
fn spsc_forked_in_the_middle_of_a_stream() -> Outcome {
    const PLACES: usize = 8;
    let (mut producer, mut consumer) = spsc::ring(PLACES);
    let (mut back, mut forth) = spsc::ring(PLACES);
    let stop = AtomicBool::new(false);
    let (mut received, mut sent) = (0, 0_u64);
    thread::scope(|s| {
        // The one end of each ring; the main thread has the other two.
        let other = s.spawn(|| {
            let (mut pushed, mut popped) = (0_u64, 0_u64);
            while !stop.load(Relaxed) {
                pushed += u64::from(producer.push(pushed).is_ok());
                if let Some(value) = forth.pop() {
                    assert_eq!(value, popped);
                    popped += 1;
                } else if producer.is_full() {
                    thread::yield_now();
                }
            }
            (pushed, popped)
        });
        for round in 0..scaled(200) {
            for _ in 0..round % 64 {
                if let Some(value) = consumer.pop() {
                    assert_eq!(value, received);
                    received += 1;
                }
                sent += u64::from(back.push(sent).is_ok());
            }
            fork(|| {
                let there = consumer.slots() as u64;
                assert!(there as usize <= PLACES);
                assert!((received..received + there).all(|n| consumer.pop() == Some(n)));
                assert_eq!((consumer.pop(), consumer.slots()), (None, 0));
                for _ in 0..back.slots() {
                    back.push(1).unwrap();
                }
                assert_eq!((back.push(1), back.slots()), (Err(1), 0));
                assert!(!consumer.is_abandoned() && !back.is_abandoned());
                // Whoever has the other ends is not here to free anything.
                drop(std::mem::replace(&mut consumer, spsc::ring(1).1));
                drop(std::mem::replace(&mut back, spsc::ring(1).0));
            });
        }
        stop.store(true, Relaxed);
        let (pushed, popped) = other.join().unwrap();
        assert!(popped <= sent && sent <= popped + PLACES as u64);
        while let Some(value) = consumer.pop() {
            assert_eq!(value, received);
            received += 1;
        }
        assert_eq!(received, pushed);
    });
    Outcome::Passed
}

/// A handler has one end of each of two rings, and the thread that it interrupts has the others:
/// all that goes out comes back, in order.
fn spsc_in_a_handler() -> Outcome {
    type Ends = (Producer<u64>, Consumer<u64>);
    static HANDLERS: AtomicPtr<Ends> = AtomicPtr::new(std::ptr::null_mut());

    extern "C" fn echo(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: stored before the handler was installed and valid until the process ends. Only
        // one thread gets this signal, and not while it is in here.
        let (producer, consumer) = unsafe { &mut *HANDLERS.load(Relaxed) };
        while !producer.is_full() {
            let Some(value) = consumer.pop() else { break };
            if producer.push(value).is_err() {
                std::process::abort(); // no panic out of a handler
            }
        }
        handled_one();
    }

    let (forth, from_here) = spsc::ring(5);
    let (to_here, back) = spsc::ring(3);
    HANDLERS.store(Box::into_raw(Box::new((to_here, from_here))), Relaxed);
    install(echo);
    let ends = Mutex::new((forth, back));
    let came = AtomicU64::new(0);
    under_fire(1, |_| {
        let (forth, back) = &mut *ends.lock().unwrap();
        let (mut sent, mut next) = (0, 0);
        while handled() < scaled(500) as u64 {
            sent += u64::from(forth.push(sent).is_ok());
            if let Some(value) = back.pop() {
                assert_eq!(value, next);
                next += 1;
            }
        }
        assert!(next <= sent && sent <= next + 3 + 5);
        came.store(next, Relaxed);
    });
    let came = came.into_inner();
    say(&format!("{came} values there and back by {} handlers", handled()));
    assert!(came > 0, "the handler moved nothing");
    Outcome::Passed
}

/// Values that go round in the two cases below.
const VALUES: u64 = 4;

/// In a child, operations of other threads stay half done, and those that do not wait come back.
fn try_forms_in_a_child() -> Outcome {
    let queue = ArrayQueue::new(VALUES as usize);
    (0..VALUES).for_each(|value| queue.push(value).unwrap());
    let stop = AtomicBool::new(false);
    thread::scope(|s| {
        let others = [(); 3].map(|()| {
            s.spawn(|| {
                while !stop.load(Relaxed) {
                    if let Some(value) = queue.pop() {
                        queue.push(value).expect("a place for each value");
                    }
                }
            })
        });
        for _ in 0..scaled(200) {
            fork(|| {
                let (mut seen, mut pushed) = (HashSet::new(), 0_u64);
                for n in 0..4 * VALUES {
                    match queue.try_pop() {
                        Ok(value) => assert!(seen.insert(value), "{value} twice"),
                        Err(TryPopError::Busy | TryPopError::Empty) => {}
                    }
                    pushed += u64::from(queue.try_push(100 + n).is_ok());
                }
                let known = |value| value < VALUES || (100..100 + 4 * VALUES).contains(&value);
                assert!(seen.iter().copied().all(known));
                assert!(pushed <= VALUES + seen.len() as u64);
            });
        }
        stop.store(true, Relaxed);
        join_all(others);
    });
    let mut left: Vec<_> = queue.into_iter().collect();
    left.sort_unstable();
    assert!(left.into_iter().eq(0..VALUES));
    Outcome::Passed
}

/// Whatever the handler interrupts, a push or a pop of the same queue too, it gets an answer, and
/// no value is lost or there twice.
fn try_forms_in_a_handler() -> Outcome {
    static QUEUE: LazyLock<ArrayQueue<u64>> = LazyLock::new(|| ArrayQueue::new(VALUES as usize));
    /// What a handler took out and could not put back.
    static ASIDE: LazyLock<ArrayStack<u64>> = LazyLock::new(|| ArrayStack::new(VALUES as usize));
    static MOVED: AtomicU64 = AtomicU64::new(0);
    static BUSY: AtomicU64 = AtomicU64::new(0);

    extern "C" fn take_and_put(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
        match QUEUE.try_pop() {
            Ok(value) => {
                let aside = QUEUE.try_push(value).is_err_and(|refused| {
                    BUSY.fetch_add(1, Relaxed);
                    ASIDE.push(refused.into_inner()).is_err()
                });
                if aside {
                    std::process::abort(); // no panic out of a handler
                }
                MOVED.fetch_add(1, Relaxed);
            }
            Err(TryPopError::Busy) => _ = BUSY.fetch_add(1, Relaxed),
            Err(TryPopError::Empty) => {}
        }
        handled_one();
    }

    (0..VALUES).for_each(|value| QUEUE.push(value).unwrap());
    LazyLock::force(&ASIDE);
    install(take_and_put);
    under_fire(2, |_| {
        while handled() < scaled(1_000) as u64 {
            if let Some(value) = QUEUE.pop().or_else(|| ASIDE.pop()) {
                QUEUE.push(value).expect("a place for each value");
            }
        }
    });
    say(&format!("{MOVED:?} times taken out and put back, {BUSY:?} times \"busy\""));
    assert!(MOVED.load(Relaxed) > 0, "no handler got a value");
    let mut left: Vec<_> = QUEUE.try_iter().chain(ASIDE.pop_all()).collect();
    left.sort_unstable();
    assert!(left.into_iter().eq(0..VALUES));
    Outcome::Passed
}
