//! Stacks in a child of fork, and in signal handlers: nobody there waits for a thread that is not.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;

use lockwork::stack::{ArrayStack, TaggedStack};

use super::forking::{fork, raw_clone};
use super::runner::{Case, Outcome};
use super::signals::{handled_one, install, under_fire};
use super::support::scaled;
use super::support::threads::{join_all, together};

pub(crate) const CASES: &[Case] = &[
    ("stack::forks_in_the_middle_of_operations", forks_in_the_middle_of_operations),
    ("stack::at_rest_in_a_raw_clone", at_rest_in_a_raw_clone),
    ("stack::pushes_and_pops_in_a_handler", pushes_and_pops_in_a_handler),
];

/// A child has what was in the stacks, but for what other threads had in hand: at most a place
/// each.
fn forks_in_the_middle_of_operations() -> Outcome {
    const BUSY: usize = 4;
    let (array, tagged) = (ArrayStack::new(20), TaggedStack::with_capacity(20));
    array.push_many(0..10).unwrap();
    tagged.push_many(0..10);
    let stop = AtomicBool::new(false);
    thread::scope(|s| {
        let busy = [(); BUSY].map(|()| {
            s.spawn(|| {
                while !stop.load(Relaxed) {
                    if let Some(value) = array.pop() {
                        array.push(value).expect("a place for each value");
                    }
                    if let Some(value) = tagged.pop() {
                        tagged.push(value);
                    }
                }
            })
        });
        for _ in 0..scaled(100) {
            fork(|| {
                let (from_array, from_tagged): (Vec<_>, Vec<_>) =
                    (array.pop_all().collect(), tagged.pop_all().collect());
                for left in [from_array, from_tagged] {
                    assert!((10 - BUSY..=10).contains(&left.len()), "{left:?}");
                    assert_eq!(left.iter().collect::<HashSet<_>>().len(), left.len());
                }
                let places = (0..).take_while(|&i| array.push(i).is_ok()).count();
                assert!((20 - BUSY..=20).contains(&places), "{places}");
                tagged.push_many(0..1_000);
                together(2, |_| while array.pop().is_some() && tagged.pop().is_some() {});
            });
        }
        stop.store(true, Relaxed);
        join_all(busy);
    });
    let mut left: Vec<_> = array.into_iter().collect();
    left.sort_unstable();
    assert!(left.into_iter().eq(0..10));
    assert_eq!(tagged.into_iter().count(), 10);
    Outcome::Passed
}

fn at_rest_in_a_raw_clone() -> Outcome {
    let (array, tagged) = (ArrayStack::new(3), TaggedStack::new());
    array.push_many([1, 2]).unwrap();
    tagged.push_many([1, 2]);
    raw_clone(|| {
        assert_eq!((array.pop(), tagged.pop()), (Some(2), Some(2)));
        assert_eq!((array.push(7), array.push(8)), (Ok(()), Ok(())));
        tagged.push(7);
        assert!(array.pop_all().eq([8, 7, 1]) && tagged.pop_all().eq([7, 1]));
    });
    assert!(array.pop_all().eq([2, 1]) && tagged.pop_all().eq([2, 1]));
    Outcome::Passed
}

/// As many values as there ever are; a handler takes one and puts it back, whatever it interrupts.
fn pushes_and_pops_in_a_handler() -> Outcome {
    const VALUES: u64 = 8;
    static ARRAY: LazyLock<ArrayStack<u64>> = LazyLock::new(|| ArrayStack::new(VALUES as usize));
    static TAGGED: LazyLock<TaggedStack<u64>> = LazyLock::new(|| TaggedStack::with_capacity(32));
    static MOVED: AtomicU64 = AtomicU64::new(0);

    extern "C" fn handler(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
        if let Some(value) = ARRAY.pop() {
            if ARRAY.push(value).is_err() {
                std::process::abort(); // no panic out of a handler
            }
            MOVED.fetch_add(1, Relaxed);
        }
        if let Some(value) = TAGGED.pop() {
            TAGGED.push(value);
        }
        handled_one();
    }

    ARRAY.push_many(0..VALUES).unwrap();
    TAGGED.push_many(0..VALUES);
    install(handler);
    under_fire(3, |_| {
        for _ in 0..scaled(60_000) {
            if let Some(value) = ARRAY.pop() {
                ARRAY.push(value).expect("a place for each value");
            }
            if let Some(value) = TAGGED.pop() {
                TAGGED.push(value);
            }
        }
    });
    assert!(MOVED.load(Relaxed) > 0, "no signal came");
    for left in [ARRAY.pop_all().collect::<Vec<_>>(), TAGGED.pop_all().collect()] {
        let mut left = left;
        left.sort_unstable();
        assert!(left.into_iter().eq(0..VALUES));
    }
    Outcome::Passed
}
