//! Cancel tokens under signals, and in a child of fork.

use std::sync::Arc;
use std::sync::Mutex as Plain;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::cancel::{CancelCallback, CancelToken, Cancelled};
use lockwork::queue::{BlockingQueue, PopError};
use lockwork::{CondvarAny, Event, FairSemaphore, Mutex, Parker, Semaphore};

use super::forking::{fork, raw_clone};
use super::runner::{Case, Outcome};
use super::signals::storm;
use super::support::scaled;
use super::support::threads::asleep;

pub(crate) const CASES: &[Case] = &[
    ("cancel::waits_under_a_storm", waits_under_a_storm),
    ("cancel::limits_under_a_storm", limits_under_a_storm),
    ("cancel::a_token_in_a_child", || a_token_in_a_child(|child| fork(child))),
    ("cancel::a_token_in_a_child_raw_clone", || a_token_in_a_child(|child| raw_clone(child))),
    ("cancel::a_call_that_does_not_go_on", a_call_that_does_not_go_on),
    ("cancel::a_fork_inside_a_call", a_fork_inside_a_call),
    ("cancel::a_tree_in_use", a_tree_in_use),
];

const LONG: Duration = Duration::from_secs(1000);

/// Turns that threads hand to each other, with a live token; in the end somebody cancels.
fn waits_under_a_storm() -> Outcome {
    let rounds = 200;
    let (events, token) = ([const { Event::auto() }; 3], CancelToken::new());
    events[0].set();
    storm("cancellable events", 3, |i| {
        for _ in 0..rounds {
            assert_eq!(events[i].wait_cancellable(&token), Ok(()));
            events[(i + 1) % 3].set();
        }
    });
    let queues = [(); 3].map(|()| BlockingQueue::new(1));
    queues[0].push(0).unwrap();
    storm("cancellable queues", 3, |i| {
        for _ in 0..rounds {
            let value = queues[i].pop_cancellable(&token).unwrap();
            queues[(i + 1) % 3].push_cancellable(value, &token).unwrap();
        }
    });
    assert_eq!(queues[0].pop(), Ok(0));
    let (turn, changed) = (Mutex::new(0), CondvarAny::new());
    storm("cancellable condvar", 3, |i| {
        for _ in 0..rounds {
            let mut turn = turn.lock();
            let mine = changed.wait_while_cancellable(&mut turn, |turn| *turn % 3 != i, &token);
            assert_eq!(mine, Ok(()));
            *turn += 1;
            changed.notify_all();
        }
    });
    Outcome::Passed
}

fn limits_under_a_storm() -> Outcome {
    let (semaphore, fair, event) = (Semaphore::new(0), FairSemaphore::new(0), Event::manual());
    let (mutex, changed) = (Mutex::new(()), CondvarAny::new());
    let root = CancelToken::new();
    storm("limits of tokens", 5, |i| {
        for round in 0..40 {
            let wait = Duration::from_micros(500 + 100 * (round % 10));
            let start = Instant::now();
            let token = root.child_for(wait);
            match i {
                0 => assert!(semaphore.acquire_cancellable(&token).is_err()),
                1 => assert!(fair.acquire_cancellable(&token).is_err()),
                2 => assert!(event.wait_cancellable(&token).is_err()),
                3 => assert!(changed.wait_cancellable(&mut mutex.lock(), &token).is_err()),
                _ => token.wait(),
            }
            assert!(start.elapsed() >= wait, "operation {i}: {:?} of {wait:?}", start.elapsed());
        }
    });
    Outcome::Passed
}

/// Waits and cancels among the threads of this process.
fn use_tree(root: &CancelToken) {
    let (token, event) = (root.child().child(), Event::manual());
    thread::scope(|s| {
        let sleeper = asleep(s, None, || event.wait_cancellable(&token));
        root.cancel();
        assert_eq!(sleeper.join().unwrap(), Err(Cancelled));
    });
}

/// Tokens are what they were, and no longer the parent's.
fn a_token_in_a_child(start: impl Fn(&dyn Fn())) -> Outcome {
    let root = CancelToken::new();
    let (token, over) = (root.child_for(LONG), root.child());
    over.cancel();
    let (calls, queue) = (Arc::new(AtomicU32::new(0)), BlockingQueue::<u8>::new(1));
    let counter = calls.clone();
    let callback = token.on_cancel(move || {
        counter.fetch_add(1, Relaxed);
    });
    thread::scope(|s| {
        let sleeper = asleep(s, None, || queue.pop_cancellable(&token));
        start(&|| {
            assert!(over.is_cancelled() && !token.is_cancelled());
            use_tree(&root);
            assert!(token.is_cancelled());
            assert_eq!(calls.load(Relaxed), 1);
            assert_eq!(queue.pop_cancellable(&token), Err(PopError::Cancelled));
        });
        assert!(!token.is_cancelled());
        root.cancel();
        assert_eq!(sleeper.join().unwrap(), Err(PopError::Cancelled));
    });
    assert_eq!(calls.load(Relaxed), 1);
    drop(callback);
    Outcome::Passed
}

/// A thread that is not there in the child was in the middle of a call, and had more to make.
fn a_call_that_does_not_go_on() -> Outcome {
    let token = CancelToken::new();
    let (entered, go) = (Arc::new(Event::manual()), Arc::new(Event::manual()));
    let (inside, outside) = (entered.clone(), go.clone());
    let first = token.on_cancel(move || {
        inside.set();
        outside.wait();
    });
    let called = Arc::new(AtomicBool::new(false));
    let flag = called.clone();
    let second = token.on_cancel(move || flag.store(true, Relaxed));
    let guards = Plain::new(Some((first, second)));
    thread::scope(|s| {
        let canceller = s.spawn(|| token.cancel());
        entered.wait();
        fork(|| {
            drop(guards.lock().unwrap().take());
            assert!(token.is_cancelled() && !called.load(Relaxed));
            assert!(token.child().is_cancelled());
            use_tree(&CancelToken::new());
        });
        go.set();
        assert!(canceller.join().unwrap());
    });
    drop(guards.into_inner());
    assert!(called.load(Relaxed));
    Outcome::Passed
}

/// The thread that forks goes on with the call in the child, and may take it back there.
fn a_fork_inside_a_call() -> Outcome {
    let token = CancelToken::new();
    let place = Arc::new(Plain::new(None::<CancelCallback>));
    let (inside, parker) = (place.clone(), Parker::new());
    let unparker = parker.unparker().clone();
    let callback = token.on_cancel(move || {
        fork(|| drop(inside.lock().unwrap().take()));
        unparker.unpark();
    });
    *place.lock().unwrap() = Some(callback);
    token.cancel();
    parker.park();
    Outcome::Passed
}

/// Forks while other threads change the tree: whatever is left of it in the child, it works.
fn a_tree_in_use() -> Outcome {
    let root = CancelToken::new();
    let kept = root.child();
    let stop = AtomicBool::new(false);
    thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                while !stop.load(Relaxed) {
                    let child = kept.child();
                    let callback = child.on_cancel(|| ());
                    drop(child.child());
                    drop(callback);
                }
            });
        }
        for _ in 0..scaled(100) {
            fork(|| {
                assert!(!kept.is_cancelled());
                use_tree(&kept);
                assert!(kept.is_cancelled());
                root.cancel();
                assert!(root.is_cancelled() && root.child().is_cancelled());
            });
        }
        stop.store(true, Relaxed);
    });
    assert!(!kept.is_cancelled());
    Outcome::Passed
}
