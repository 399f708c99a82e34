//! `ArrayStack` and `TaggedStack`.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lockwork::stack::{ArrayStack, TaggedStack};

use super::support::random::{Rng, seed};
use super::support::scaled;
use super::support::threads::{crowd, together};
use super::support::values::Counted;
use super::support::watchdog::Watchdog;

/// The same tests for both; `$new` makes one with this many places, or room for more.
macro_rules! both {
    ($($name:ident: $stack:ident, $new:path, $bounded:tt;)*) => {$(
        mod $name {
            use super::*;

            fn new<T>(capacity: usize) -> $stack<T> {
                $new(capacity)
            }

            #[test]
            fn last_in_first_out() {
                for len in [1, 2, 3, 7, 32, 33, 200] {
                    let stack = new(len);
                    assert!(stack.is_empty() && stack.pop().is_none());
                    for i in 0..len {
                        assert_eq!(stack.len(), i);
                        push(&stack, i);
                        assert!(!stack.is_empty());
                    }
                    for i in (0..len).rev() {
                        assert_eq!(stack.len(), i + 1);
                        assert_eq!(stack.pop(), Some(i));
                    }
                    assert!(stack.is_empty());
                    assert_eq!((stack.len(), stack.pop()), (0, None));
                }
            }

            fn push<T: std::fmt::Debug>(stack: &$stack<T>, value: T) {
                both!(@accepted $bounded stack.push(value));
            }

            /// Pushes, and drops what is refused.
            fn offer<T>(stack: &$stack<T>, value: T) {
                both!(@offered $bounded stack.push(value));
            }

            fn offer_many<I: Iterator>(stack: &$stack<I::Item>, values: I) {
                both!(@offered $bounded stack.push_many(values));
            }

            fn push_many<I: Iterator>(stack: &$stack<I::Item>, values: I) {
                both!(@accepted $bounded stack.push_many(values));
            }

            /// The same operations on a vector.
            #[test]
            fn agrees_with_a_vector() {
                let mut rng = Rng::stream(seed(), 0);
                const CAPACITY: usize = 100;
                let (stack, mut model) = (new(CAPACITY), Vec::new());
                for i in 0..20_000_u64 {
                    match rng.below(64) {
                        0 => {
                            model.reverse();
                            let skip = rng.below(3) as usize; // of the end, which is dropped
                            let popped: Vec<u64> =
                                stack.pop_all().take(model.len().saturating_sub(skip)).collect();
                            assert!(model.starts_with(&popped));
                            model.clear();
                        }
                        1..4 => {
                            let room = (CAPACITY - model.len()) as u64;
                            let count = rng.below(room.min(80) + 1);
                            if rng.one_in(2) {
                                push_many(&stack, i..i + count);
                            } else {
                                // An iterator that does not know how long it is.
                                push_many(&stack, (i..i + 2 * count).filter(|n| n % 2 == i % 2));
                                model.extend((i..i + 2 * count).filter(|n| n % 2 == i % 2));
                                assert_eq!(stack.len(), model.len());
                                continue;
                            }
                            model.extend(i..i + count);
                        }
                        4..34 if model.len() < CAPACITY => {
                            push(&stack, i);
                            model.push(i);
                        }
                        _ => assert_eq!(stack.pop(), model.pop()),
                    }
                    assert_eq!(stack.len(), model.len());
                    assert_eq!(stack.is_empty(), model.is_empty());
                }
                model.reverse();
                assert!(stack.into_iter().eq(model));
            }

            #[test]
            fn what_is_left_is_dropped_once() {
                for (pushed, popped) in [(1, 0), (3, 1), (70, 7), (5, 5), (0, 0)] {
                    let drops = AtomicUsize::new(0);
                    let stack = new(70);
                    for _ in 0..pushed {
                        offer(&stack, Counted(&drops));
                    }
                    for _ in 0..popped {
                        drop(stack.pop());
                    }
                    assert_eq!(drops.load(Relaxed), popped);
                    drop(stack);
                    assert_eq!(drops.load(Relaxed), pushed);
                }
            }

            #[test]
            fn pop_all_owns_what_it_took() {
                let drops = AtomicUsize::new(0);
                let stack = new(100);
                offer_many(&stack, (0..100).map(|_| Counted(&drops)));
                let mut all = stack.pop_all();
                assert!(stack.is_empty() && stack.pop().is_none());
                assert!((99..=100).contains(&stack.len()), "places in use");
                let kept: Vec<_> = all.by_ref().take(40).collect();
                assert_eq!(stack.len(), 68, "given back 32 at a time");
                assert_eq!(drops.load(Relaxed), 0);
                drop(all);
                assert_eq!((drops.load(Relaxed), stack.len()), (60, 0));
                drop(kept);
                assert_eq!(drops.load(Relaxed), 100);
                let mut none = stack.pop_all();
                assert_eq!(none.size_hint(), (0, Some(0)));
                assert!(none.next().is_none() && none.next().is_none());
                // Each place is there to be used again.
                offer_many(&stack, (0..100).map(|_| Counted(&drops)));
                assert_eq!((stack.len(), drops.load(Relaxed)), (100, 100));
                let mut all = stack.pop_all();
                assert!(all.by_ref().nth(98).is_some());
                assert_eq!(all.size_hint().0, 1);
                drop(all.next());
                assert_eq!(stack.len(), 0, "exhausted, and not dropped yet");
                assert!(all.next().is_none());
            }

            /// What is forgotten is lost, and nothing else.
            #[test]
            fn forgotten_pop_all() {
                let drops = AtomicUsize::new(0);
                let stack = new(8);
                offer_many(&stack, (0..3).map(|_| Counted(&drops)));
                std::mem::forget(stack.pop_all());
                assert!((2..=3).contains(&stack.len()) && stack.is_empty(), "about");
                offer_many(&stack, (0..5).map(|_| Counted(&drops)));
                assert!((7..=8).contains(&stack.len()) && drops.load(Relaxed) == 0);
                assert_eq!(stack.into_iter().count(), 5);
                assert_eq!(drops.load(Relaxed), 5);
            }

            /// A value whose destructor panics costs no other value its drop, nor a second one.
            #[test]
            fn a_destructor_that_panics() {
                struct Fragile<'a>(&'a AtomicUsize, bool);
                impl Drop for Fragile<'_> {
                    fn drop(&mut self) {
                        self.0.fetch_add(1, Relaxed);
                        assert!(!self.1, "in a destructor");
                    }
                }
                let drops = AtomicUsize::new(0);
                let stack = new(50);
                let values = || (0..50).map(|i| Fragile(&drops, i == 25));
                offer_many(&stack, values());
                catch_unwind(AssertUnwindSafe(|| drop(stack.pop_all()))).unwrap_err();
                assert_eq!((drops.load(Relaxed), stack.len()), (50, 0));
                offer_many(&stack, values());
                catch_unwind(AssertUnwindSafe(|| drop(stack))).unwrap_err();
                assert_eq!(drops.load(Relaxed), 100);
            }

            /// An iterator that panics: what it gave is in, and no place is lost.
            #[test]
            fn a_batch_that_panics() {
                let stack = new(64);
                for known in [true, false] {
                    let give = |i: i32| if i < 10 { i } else { panic!("enough") };
                    let batch = || {
                        if known {
                            offer_many(&stack, (0..40).map(give));
                        } else {
                            offer_many(&stack, (0..40).filter(|_| true).map(give));
                        }
                    };
                    catch_unwind(AssertUnwindSafe(batch)).unwrap_err();
                    assert_eq!(stack.len(), 10);
                    assert!(stack.pop_all().eq((0..10).rev()));
                    push_many(&stack, 0..64);
                    assert_eq!(stack.pop_all().count(), 64);
                }
            }

            /// Destructors and iterators that use the stack.
            #[test]
            fn calls_from_within() {
                struct Again<'a>(&'a $stack<u32>, u32);
                impl Drop for Again<'_> {
                    fn drop(&mut self) {
                        push(self.0, self.1);
                        assert_eq!(self.0.pop(), Some(self.1));
                        push(self.0, self.1);
                    }
                }
                let (inner, outer) = (new(100), new(50));
                offer_many(&outer, (0..50).map(|i| Again(&inner, i)));
                drop(outer.pop_all());
                assert!(inner.pop_all().eq(0..50), "in the order of the drops, turned round");
                offer(&outer, Again(&inner, 7));
                drop(outer);
                assert_eq!(inner.pop(), Some(7));
                // A batch whose iterator pushes and pops.
                push_many(&inner, [1, 2].into_iter());
                push_many(&inner, (10..15).inspect(|i| {
                    assert!(inner.pop().is_some());
                    push(&inner, *i);
                }));
                assert!(inner.pop_all().eq([14, 13, 12, 11, 10, 14, 1]));
            }

            #[test]
            fn zero_sized_and_unusual_values() {
                let stack = new(40);
                push_many(&stack, (0..40).map(|_| ()));
                assert_eq!(stack.len(), 40);
                assert_eq!(stack.into_iter().count(), 40);
                let large = new(2);
                push(&large, [7_u8; 4096]);
                assert_eq!(large.pop(), Some([7; 4096]));
                #[repr(align(256))]
                #[derive(Debug, PartialEq)]
                struct Aligned(u8);
                let aligned = new(70);
                push_many(&aligned, (0..70).map(Aligned));
                for (i, value) in (0..70).rev().zip(aligned.pop_all()) {
                    assert_eq!(value, Aligned(i));
                    assert_eq!((&raw const value).addr() % 256, 0);
                }
            }

            #[test]
            fn debug_needs_nothing_of_the_values() {
                struct Silent;
                let stack = new(3);
                offer(&stack, Silent);
                let debug = format!("{stack:?}");
                let start = concat!(stringify!($stack), " { len: 1, capacity: ");
                assert!(debug.starts_with(start), "{debug}");
                assert_eq!(format!("{:?}", stack.pop_all()), "PopAll { .. }");
                assert_eq!(format!("{:?}", stack.into_iter()), "IntoIter { len: 0 }");
            }

            /// Gauges stay within their bounds while others push and pop.
            #[test]
            fn len_under_load_is_a_length() {
                let watchdog = Watchdog::start();
                let stack = new(3);
                together(3, |i| {
                    for _ in 0..scaled(20_000) {
                        match i {
                            0 if stack.len() < 3 => offer(&stack, 1_u8),
                            1 => drop(stack.pop()),
                            _ => {
                                assert!(stack.len() <= stack.capacity());
                                _ = stack.is_empty();
                            }
                        }
                    }
                });
                watchdog.tick();
            }

            /// With as many values as threads, one that takes a value finds one, and a place for it
            /// afterwards.
            #[test]
            fn a_place_that_was_freed_is_found() {
                let watchdog = Watchdog::start();
                for tokens in [1, 3, 7] {
                    let stack = new(tokens);
                    push_many(&stack, 0..tokens);
                    together(tokens, |_| {
                        for _ in 0..scaled(5_000) {
                            let token = stack.pop().expect("a value for each thread");
                            push(&stack, token);
                        }
                    });
                    watchdog.tick();
                    let mut left: Vec<_> = stack.into_iter().collect();
                    left.sort_unstable();
                    assert!(left.into_iter().eq(0..tokens));
                }
            }

            mod stress {
                use super::*;

                /// Everything at once: each value comes out once.
                #[test]
                fn every_value_once() {
                    let (watchdog, seed) = (Watchdog::start(), seed());
                    let (threads, rounds) = (crowd(), scaled(30_000) as u64);
                    let drops = AtomicUsize::new(0);
                    struct Value<'a>(u64, #[allow(dead_code)] Counted<'a>);
                    let stack = new::<Value<'_>>(40);
                    let value = |n| Value(n, Counted(&drops));
                    let taken = together(threads, |i| {
                        let mut rng = Rng::stream(seed, i as u64);
                        let (mut pushed, mut taken) = (0, Vec::new());
                        let number = |n: u64| n * threads as u64 + i as u64;
                        for round in 0..rounds {
                            match rng.below(16) {
                                0 => taken.extend(stack.pop_all().map(|value| value.0)),
                                1 => {
                                    let all = stack.pop_all();
                                    let most = rng.below(5) as usize;
                                    taken.extend(all.take(most).map(|value| value.0));
                                }
                                2 => {
                                    let count = rng.below(9);
                                    // Made beforehand: those that are refused are there to be
                                    // counted.
                                    let batch = (pushed..pushed + count).map(|n| value(number(n)));
                                    offer_many(&stack, batch.collect::<Vec<_>>().into_iter());
                                    pushed += count;
                                }
                                3..9 => {
                                    offer(&stack, value(number(pushed)));
                                    pushed += 1;
                                }
                                _ => taken.extend(stack.pop().map(|value| value.0)),
                            }
                            if rng.one_in(64) {
                                std::thread::yield_now();
                            }
                            if round % 64 == 0 {
                                watchdog.tick();
                            }
                        }
                        (pushed, taken)
                    });
                    let pushed: u64 = taken.iter().map(|(pushed, _)| pushed).sum();
                    let mut seen = HashSet::new();
                    for (_, taken) in &taken {
                        for number in taken {
                            assert!(seen.insert(*number), "{number} twice");
                        }
                    }
                    let left = stack.into_iter().map(|value| {
                        assert!(seen.insert(value.0), "{} twice", value.0);
                    });
                    left.for_each(drop);
                    let real = |number: &u64| {
                        let (n, thread) = (number / threads as u64, number % threads as u64);
                        n < taken[thread as usize].0
                    };
                    assert!(seen.iter().all(real), "a value that nobody pushed");
                    assert_eq!(drops.load(Relaxed) as u64, pushed, "each dropped, once");
                }
            }
        }
    )*};
    (@accepted true $call:expr) => {
        $call.expect("a free place")
    };
    (@offered true $call:expr) => {
        drop($call)
    };
    (@$how:ident false $call:expr) => {
        $call
    };
}

both! {
    array: ArrayStack, ArrayStack::new, true;
    tagged: TaggedStack, TaggedStack::with_capacity, false;
}

mod array_only {
    use super::*;

    fn message(make: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let panic = catch_unwind(make).unwrap_err();
        match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => (*panic.downcast_ref::<&str>().unwrap()).to_owned(),
        }
    }

    #[test]
    fn capacity_is_what_was_asked_for() {
        for capacity in [1, 2, 3, 7, 8, 1000] {
            let stack = ArrayStack::<u16>::new(capacity);
            assert_eq!((stack.capacity(), stack.len()), (capacity, 0));
            for i in 0..capacity {
                assert!(!stack.is_full());
                assert_eq!(stack.push(i as u16), Ok(()));
            }
            assert!(stack.is_full());
            assert_eq!(stack.push(99), Err(99), "the value comes back");
            assert!(stack.pop().is_some() && !stack.is_full());
        }
    }

    #[test]
    fn capacities_that_are_refused() {
        let text = message(|| drop(ArrayStack::<u8>::new(0)));
        assert_eq!(text, "lockwork: a stack needs a capacity of at least 1");
        assert_eq!(ArrayStack::<()>::MAX_CAPACITY, 16_777_215);
        let text = message(|| drop(ArrayStack::<u8>::new(16_777_216)));
        assert!(text.ends_with("no room for a tag (at most 16777215)"), "{text}");
        let text = message(|| drop(ArrayStack::<[u64; 1 << 50]>::new(1 << 20)));
        assert_eq!(text, "lockwork: there is no memory for a stack of 1048576 places");
    }

    /// The tag has what the capacity leaves, and never less than 40 bits.
    #[test]
    fn horizon() {
        for (capacity, bits) in [(1, 63), (2, 62), (3, 62), (4, 61), (1023, 54), (1024, 53)] {
            let horizon = ArrayStack::<()>::new(capacity).aba_horizon();
            assert_eq!(horizon.values(), 1 << bits, "{capacity}");
        }
        let least = ArrayStack::<()>::new(ArrayStack::<()>::MAX_CAPACITY).aba_horizon();
        assert_eq!(least.values(), 1 << 40);
        assert_eq!(least.duration().as_nanos(), 1 << 40);
    }

    /// The largest stack: all places have names, and none has that of no place.
    #[test]
    fn as_large_as_can_be() {
        let stack = ArrayStack::new(ArrayStack::<()>::MAX_CAPACITY);
        stack.push_many(std::iter::repeat_n((), stack.capacity())).unwrap();
        assert!(stack.is_full());
        assert_eq!(stack.pop_all().count(), stack.capacity());
        assert_eq!((stack.len(), stack.is_empty()), (0, true));
    }

    #[test]
    fn a_batch_that_does_not_fit() {
        let drops = AtomicUsize::new(0);
        let stack = ArrayStack::new(40);
        let refused = stack.push_many((0..100).map(|i| (i, Counted(&drops)))).unwrap_err();
        assert_eq!(refused.to_string(), "stack is full (capacity 40)");
        assert_eq!(format!("{refused:?}"), "PushManyError { capacity: 40, .. }");
        assert!(refused.into_iter().map(|(i, _)| i).eq(40..100));
        assert_eq!(drops.load(Relaxed), 60);
        // Nothing to refuse: the places are just enough, whether or not the length is known.
        assert!(stack.pop_all().map(|(i, _)| i).eq((0..40).rev()));
        let stack = ArrayStack::new(40);
        stack.push_many((0..80).filter(|i| i % 2 == 0)).unwrap();
        assert!(stack.is_full());
        stack.push_many(std::iter::empty()).unwrap();
        let refused = stack.push_many([7]).unwrap_err();
        assert!(refused.into_iter().eq([7]));
    }
}

mod tagged_only {
    use super::*;

    #[test]
    fn grows_and_keeps() {
        let stack = TaggedStack::new();
        assert_eq!(stack.capacity(), 0);
        stack.push_many(0..10_000);
        let capacity = stack.capacity();
        assert!((10_000..40_000).contains(&capacity), "{capacity}");
        assert_eq!(stack.len(), 10_000);
        assert!(stack.pop_all().eq((0..10_000).rev()));
        (0..10_000).for_each(|i| stack.push(i));
        assert_eq!(stack.capacity(), capacity, "nothing is allocated twice");
        assert!(stack.into_iter().eq((0..10_000).rev()));
        for asked in [1, 32, 33, 5_000] {
            let stack = TaggedStack::<u8>::with_capacity(asked);
            assert!((asked..2 * asked + 32).contains(&stack.capacity()), "{}", stack.capacity());
        }
    }

    #[test]
    fn reserves_for_more_than_there_are() {
        let stack = TaggedStack::from_iter(0..100);
        stack.reserve(0);
        assert!(stack.capacity() >= 100);
        stack.reserve(1_000);
        let capacity = stack.capacity();
        assert!((1_100..4_000).contains(&capacity), "{capacity}");
        stack.push_many(100..1_100);
        stack.reserve(0);
        assert_eq!(stack.capacity(), capacity, "there is room");
        assert!(stack.into_iter().eq((0..1_100).rev()));
    }

    #[test]
    fn collects_and_extends() {
        let mut stack = TaggedStack::from_iter(0..3);
        stack.extend([3, 4]);
        assert_eq!(stack.try_push(5), Ok(()));
        assert!(stack.pop_all().eq((0..6).rev()));
        assert!(TaggedStack::<u8>::default().is_empty());
    }

    /// Many threads find it empty of places at once.
    #[test]
    fn grows_from_several_sides() {
        let watchdog = Watchdog::start();
        for _ in 0..scaled(20) {
            let stack = TaggedStack::new();
            let threads = crowd();
            together(threads, |i| {
                for n in 0..200 {
                    if n % 3 == 0 {
                        stack.push_many([i, i]);
                    } else {
                        stack.push(i);
                    }
                }
            });
            let mut counts = vec![0; threads];
            stack.into_iter().for_each(|i: usize| counts[i] += 1);
            assert!(counts.iter().all(|&count| count == 267), "{counts:?}");
            watchdog.tick();
        }
    }
}
