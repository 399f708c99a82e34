//! The stack, by way of `ArrayStack` and `TaggedStack`, which add nothing to it. In the model both
//! have indices for names, tags of two bits, and the second one grows by 1, 2 and 4 places.
//!
//! The places are watched cells, so two threads in one place fail any of these models.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use lockwork::model::{Explore, thread};
use lockwork::stack::{ArrayStack, TaggedStack};

use crate::support::{Watched, beside};

/// A stack of this capacity with these values, the last one on top.
fn stack<const N: usize>(capacity: usize, values: [u32; N]) -> Arc<ArrayStack<u32>> {
    let stack = ArrayStack::new(capacity);
    for value in values {
        stack.push(value).unwrap();
    }
    Arc::new(stack)
}

/// All values that are left, the uppermost first.
fn drain(stack: &ArrayStack<u32>) -> Vec<u32> {
    std::iter::from_fn(|| stack.pop()).collect()
}

fn published() -> Watched {
    let watched = Watched::new(0);
    watched.set(1);
    watched
}

// What one thread hands over to another.

/// What came before the push is seen after the pop.
#[test]
fn hand_over() {
    Explore::new("stack, hand-over").unbounded().at_least(20).run(&[None, Some(1)], || {
        let stack = Arc::new(ArrayStack::new(1));
        let producer = beside(&stack, |stack| stack.push(published()).map_err(drop).unwrap());
        let seen = stack.pop().map(|watched| watched.get());
        producer.join().unwrap();
        seen
    });
}

/// The same for a pop that loses a race to a second push.
#[test]
fn hand_over_of_two() {
    Explore::new("stack, hand-over of two").preemptions(3).at_least(20).run(
        &[None, Some(1)],
        || {
            let stack = Arc::new(ArrayStack::new(2));
            let producer = beside(&stack, |stack| {
                for _ in 0..2 {
                    stack.push(published()).map_err(drop).unwrap();
                }
            });
            let seen = stack.pop().map(|watched| watched.get());
            producer.join().unwrap();
            seen
        },
    );
}

/// The same for one that takes all.
#[test]
fn hand_over_of_all() {
    Explore::new("stack, hand-over of all").preemptions(3).at_least(20).run(&[0, 1, 2], || {
        let stack = Arc::new(ArrayStack::new(2));
        let producer = beside(&stack, |stack| {
            for _ in 0..2 {
                stack.push(published()).map_err(drop).unwrap();
            }
        });
        let seen = stack.pop_all().map(|watched| watched.get()).sum::<u32>();
        producer.join().unwrap();
        seen
    });
}

/// The next push finds the place that a pop has left, or none.
#[test]
fn place_is_reused() {
    Explore::new("stack, place reused").unbounded().at_least(20).run(
        &[(Ok(()), vec![2]), (Err(2), vec![])],
        || {
            let stack = stack(1, [1]);
            let consumer = beside(&stack, |stack| assert_eq!(stack.pop(), Some(1)));
            let pushed = stack.push(2);
            consumer.join().unwrap();
            (pushed, drain(&stack))
        },
    );
}

// Two at a time.

#[test]
fn two_pushes() {
    Explore::new("stack, push and push").preemptions(3).at_least(50).run(
        &[vec![1, 2], vec![2, 1]],
        || {
            let stack = stack(2, []);
            let other = beside(&stack, |stack| stack.push(1).unwrap());
            stack.push(2).unwrap();
            other.join().unwrap();
            drain(&stack)
        },
    );
}

#[test]
fn two_pops() {
    Explore::new("stack, pop and pop").preemptions(3).at_least(50).run(
        &[(Some(1), Some(2)), (Some(2), Some(1))],
        || {
            let stack = stack(2, [1, 2]);
            let other = beside(&stack, |stack| stack.pop());
            let second = stack.pop();
            (other.join().unwrap(), second)
        },
    );
}

#[test]
fn two_pops_of_one_value() {
    Explore::new("stack, pop and pop, 1 value").preemptions(3).at_least(50).run(
        &[(Some(1), None), (None, Some(1))],
        || {
            let stack = stack(1, [1]);
            let other = beside(&stack, |stack| stack.pop());
            let second = stack.pop();
            (other.join().unwrap(), second)
        },
    );
}

/// Nobody sees half a batch, nor another value in the middle of it.
#[test]
fn batch_and_push() {
    Explore::new("stack, batch and push").preemptions(2).at_least(50).run(
        &[vec![2, 1, 3], vec![3, 2, 1]],
        || {
            let stack = stack(3, []);
            let other = beside(&stack, |stack| stack.push_many([1, 2]).unwrap());
            stack.push(3).unwrap();
            other.join().unwrap();
            drain(&stack)
        },
    );
}

#[test]
fn batch_and_pop_all() {
    Explore::new("stack, batch and pop_all").preemptions(3).at_least(15).run(
        &[(vec![], vec![2, 1]), (vec![2, 1], vec![])],
        || {
            let stack = stack(2, []);
            let other = beside(&stack, |stack| stack.push_many([1, 2]).unwrap());
            let all = stack.pop_all().collect();
            other.join().unwrap();
            (all, drain(&stack))
        },
    );
}

// The same place again.

/// One pops, and is held up; the other pops two, and puts back the place that the first one saw.
#[test]
fn place_comes_back() {
    Explore::new("stack, place comes back").preemptions(2).at_least(50).run(
        &[
            (Some(1), Some(2), None, vec![3]),
            (Some(2), Some(1), None, vec![3]),
            (None, Some(2), Some(1), vec![3]),
            (Some(3), Some(2), Some(1), vec![]),
        ],
        || {
            let stack = stack(2, [1, 2]);
            let other = beside(&stack, |stack| {
                let taken = (stack.pop(), stack.pop());
                stack.push(3).unwrap();
                taken
            });
            let own = stack.pop();
            let (first, second) = other.join().unwrap();
            (own, first, second, drain(&stack))
        },
    );
}

/// The same by way of `pop_all`, which has to move the tag on as well.
#[test]
fn place_comes_back_after_pop_all() {
    Explore::new("stack, place comes back after pop_all").preemptions(2).at_least(50).run(
        &[(None, vec![2, 1], vec![3]), (Some(2), vec![1], vec![3]), (Some(3), vec![2, 1], vec![])],
        || {
            let stack = stack(2, [1, 2]);
            let other = beside(&stack, |stack| {
                let taken: Vec<_> = stack.pop_all().collect();
                stack.push(3).unwrap();
                taken
            });
            let own = stack.pop();
            let taken = other.join().unwrap();
            (own, taken, drain(&stack))
        },
    );
}

/// Its first step has to: here the place that the other one saw is back before there is a second,
/// with another one below it.
#[test]
fn pop_all_moves_the_tag_at_once() {
    Explore::new("stack, pop_all moves the tag").preemptions(2).at_least(50).run(
        &[
            (None, vec![1], Ok(()), vec![3, 2]),
            (Some(1), vec![], Ok(()), vec![3, 2]),
            (Some(1), vec![], Err(3), vec![2]),
            (Some(2), vec![1], Ok(()), vec![3]),
            (Some(3), vec![1], Ok(()), vec![2]),
        ],
        || {
            let stack = stack(2, [1]);
            let other = beside(&stack, |stack| {
                let all = stack.pop_all();
                stack.push(2).unwrap();
                let taken = all.collect::<Vec<_>>();
                (taken, stack.push(3))
            });
            let own = stack.pop();
            let (taken, pushed) = other.join().unwrap();
            (own, taken, pushed, drain(&stack))
        },
    );
}

/// Three threads and one place: `pop_all`, pop and push.
#[test]
fn pop_all_pop_and_push() {
    Explore::new("stack, pop_all, pop, push").preemptions(2).at_least(200).run(
        &[
            (vec![], Some(1), Ok(()), vec![2]),
            (vec![], Some(1), Err(2), vec![]),
            (vec![1], None, Ok(()), vec![2]),
            (vec![1], None, Err(2), vec![]),
            (vec![1], Some(2), Ok(()), vec![]),
            (vec![2], Some(1), Ok(()), vec![]),
        ],
        || {
            let stack = stack(1, [1]);
            let all = beside(&stack, |stack| stack.pop_all().collect::<Vec<_>>());
            let push = beside(&stack, |stack| stack.push(2));
            let own = stack.pop();
            (all.join().unwrap(), own, push.join().unwrap(), drain(&stack))
        },
    );
}

// Links that are followed at a wrong time.

/// One takes places for a batch while the other uses the first of them, has the stack grow, and
/// puts it back in front of the new ones.
#[test]
fn batch_while_it_grows() {
    Explore::new("stack, batch while it grows").preemptions(1).at_least(50).run(&[2], || {
        let stack = Arc::new(TaggedStack::with_capacity(1));
        let other = beside(&stack, |stack| {
            stack.push(1);
            stack.push(2);
            assert!(stack.pop().is_some() && stack.pop().is_some());
        });
        stack.push_many([3, 4]);
        other.join().unwrap();
        std::iter::from_fn(|| stack.pop()).count()
    });
}

/// One takes places for a batch while another one puts the first of them back in front of places
/// that a third one has just made: who follows the link comes to these by way of two threads.
#[test]
fn batch_while_another_grows() {
    Explore::new("stack, batch while another grows").preemptions(1).at_least(50).run(&[2], || {
        // The flag is not one of the model's: what it tells orders nothing.
        let both = Arc::new((TaggedStack::with_capacity(1), AtomicBool::new(false)));
        let batch = beside(&both, |(stack, _)| stack.push_many([2, 3]));
        let (stack, grown) = &*both;
        stack.push(1);
        let grower = beside(&both, |(stack, grown)| {
            stack.reserve(2);
            grown.store(true, Relaxed);
        });
        while !grown.load(Relaxed) {
            thread::yield_now();
        }
        assert!(stack.pop().is_some());
        batch.join().unwrap();
        grower.join().unwrap();
        stack.len()
    });
}

// Empty, full, and how many.

/// Two stacks, two threads: each does something to its own and then asks about the other's. At
/// least one comes second, and has to see what the first did.
fn one_sees_the_other(
    values: &'static [u32],
    act: fn(&ArrayStack<u32>),
    refused: fn(&ArrayStack<u32>) -> bool,
) -> impl Fn() -> (bool, bool) + Send + Sync + 'static {
    move || {
        let stacks = Arc::new([(); 2].map(|()| {
            let stack = ArrayStack::new(1);
            values.iter().for_each(|&value| stack.push(value).unwrap());
            stack
        }));
        let other = beside(&stacks, move |stacks| {
            act(&stacks[0]);
            refused(&stacks[1])
        });
        act(&stacks[1]);
        let refused = refused(&stacks[0]);
        (other.join().unwrap(), refused)
    }
}

const NOT_BOTH: &[(bool, bool)] = &[(false, false), (false, true), (true, false)];

fn fill(stack: &ArrayStack<u32>) {
    stack.push(7).unwrap();
}

fn clear(stack: &ArrayStack<u32>) {
    stack.pop().unwrap();
}

#[test]
fn empty_and_empty() {
    Explore::new("stack, empty and empty")
        .preemptions(3)
        .at_least(50)
        .run(NOT_BOTH, one_sees_the_other(&[], fill, |stack| stack.pop().is_none()));
}

#[test]
fn full_and_full() {
    Explore::new("stack, full and full")
        .preemptions(3)
        .at_least(50)
        .run(NOT_BOTH, one_sees_the_other(&[1], clear, |stack| stack.push(8).is_err()));
}

#[test]
fn is_empty_and_is_empty() {
    Explore::new("stack, is_empty")
        .preemptions(3)
        .at_least(30)
        .run(NOT_BOTH, one_sees_the_other(&[], fill, |stack| stack.is_empty()));
}

/// A gauge may be late, and is never what there cannot be.
#[test]
fn length_is_one_that_was() {
    Explore::new("stack, len").preemptions(2).at_least(20).run(&[0, 1], || {
        let stack = stack(2, []);
        let other = beside(&stack, |stack| {
            fill(stack);
            clear(stack);
        });
        let len = stack.len();
        other.join().unwrap();
        assert_eq!(stack.len(), 0);
        len
    });
}

/// What is left is dropped with the stack, whoever pushed it.
#[test]
fn drop_with_values() {
    Explore::new("stack, drop").preemptions(1).at_least(5).run(&[()], || {
        let count = Arc::new(());
        let stack = Arc::new(TaggedStack::new());
        let other = {
            let count = count.clone();
            beside(&stack, move |stack| stack.push(count))
        };
        stack.push(count.clone());
        assert!(stack.pop().is_some());
        other.join().unwrap();
        assert_eq!((stack.len(), Arc::strong_count(&count)), (1, 2));
        drop(stack);
        assert_eq!(Arc::strong_count(&count), 1);
    });
}
