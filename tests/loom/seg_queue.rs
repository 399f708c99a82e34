//! Segments of two slots: values come once and in order, "empty" and "closed" are true, and what
//! was reclaimed is used again by nobody who still looks at it.
//!
//! The slots' values are watched cells, so two threads in one slot fail any of these models. Most
//! have [`Keep`], which reclaims nothing; those that are about reclamation have hazard pointers.

use std::sync::Arc;

use std::sync::atomic::Ordering::{AcqRel, Acquire};

use lockwork::model::{AtomicPtr, Explore, thread};
use lockwork::model_raw::{Any, Bin, End, Header, Keep, PopError, Seen, Segments, Slot};
use lockwork::queue::SegQueue;
use lockwork::queue::reclaim::{Hazard, Reclaim};

use crate::support::{Watched, beside};

/// Nobody sleeps here, so how the kernel wakes makes no difference.
fn explore(name: &'static str) -> Explore {
    Explore::new(name).without_strict_wakes()
}

/// A queue that holds these values.
fn queue<R: Reclaim>(values: &[u32]) -> Arc<SegQueue<u32, R>> {
    let queue = SegQueue::with_reclaim();
    for &value in values {
        queue.push(value);
    }
    Arc::new(queue)
}

/// All values that are left.
fn rest<R: Reclaim>(queue: &SegQueue<u32, R>) -> Vec<u32> {
    std::iter::from_fn(|| queue.pop()).collect()
}

fn pop_at_last<R: Reclaim>(queue: &SegQueue<u32, R>) -> u32 {
    loop {
        match queue.pop() {
            Some(value) => return value,
            None => thread::yield_now(),
        }
    }
}

// One slot.

/// A pusher, and poppers of which the first one reads what it finds: whether the value is in, and
/// what the poppers have found. A look without a value is followed by a verdict.
fn one_slot(poppers: usize) -> impl Fn() -> (bool, Vec<Option<u32>>) + Send + Sync + 'static {
    move || {
        let slot = Arc::new(Slot::<u32>::empty());
        let pops = (0..poppers).map(|reader| {
            beside(&slot, move |slot| {
                let found = loop {
                    let found = match slot.look::<Any>() {
                        Seen::NotYet => slot.lose_patience(),
                        found => found,
                    };
                    if found != Seen::NotYet {
                        break found;
                    }
                    thread::yield_now(); // the fence was refused
                };
                // SAFETY: one of the poppers reads, and only what it has found.
                let read = || if reader == 0 { unsafe { slot.read() } } else { 7 };
                (found == Seen::Value).then(read)
            })
        });
        let pops: Vec<_> = pops.collect();
        // SAFETY: nobody else pushes, and this once.
        let pushed = unsafe { slot.fill::<Any>(7) };
        (pushed.is_ok(), pops.into_iter().map(|pop| pop.join().unwrap()).collect())
    }
}

#[test]
fn slot_and_popper() {
    explore("slot, a popper")
        .unbounded()
        .at_least(20)
        .run(&[(false, vec![None]), (true, vec![Some(7)])], one_slot(1));
}

/// Without a verdict of his own, a popper waits for the pusher's.
#[test]
fn slot_without_barriers() {
    explore("slot, no barriers")
        .preemptions(3)
        .without_barriers()
        .at_least(20)
        .run(&[(true, vec![Some(7)])], one_slot(1));
}

#[test]
fn slot_and_two_poppers() {
    explore("slot, two poppers")
        .preemptions(3)
        .at_least(500)
        .run(&[(false, vec![None, None]), (true, vec![Some(7), Some(7)])], one_slot(2));
}

// One thread at each end.

/// What came before the push is seen after the pop, in the first segment and in the second.
fn hands_over(before: usize) -> impl Fn() -> Option<u32> + Send + Sync + 'static {
    move || {
        let queue = Arc::new(SegQueue::<Watched, Keep>::with_reclaim());
        for _ in 0..before {
            queue.push(Watched::new(9));
        }
        let producer = beside(&queue, |queue| {
            let watched = Watched::new(0);
            watched.set(1);
            queue.push(watched);
        });
        for _ in 0..before {
            queue.pop().unwrap();
        }
        let seen = queue.pop().map(|watched| watched.get());
        producer.join().unwrap();
        seen
    }
}

#[test]
fn hand_over() {
    explore("segments, hand-over")
        .preemptions(3)
        .at_least(100)
        .run(&[None, Some(1)], hands_over(0));
}

#[test]
fn hand_over_by_slot() {
    explore("segments, hand-over by a slot")
        .preemptions(3)
        .at_least(100)
        .run(&[None, Some(1)], hands_over(1));
}

#[test]
fn hand_over_by_segment() {
    explore("segments, hand-over by a segment")
        .preemptions(3)
        .at_least(20)
        .run(&[None, Some(1)], hands_over(2));
}

/// The same where fences are no help: a slot's own words have to do it.
#[test]
fn hand_over_without_barriers() {
    for before in 0..3 {
        explore("segments, hand-over, no barriers")
            .preemptions(3)
            .without_barriers()
            .at_least(20)
            .run(&[None, Some(1)], hands_over(before));
    }
}

/// A popper that loses patience, and a pusher that comes at that moment: whatever the verdict, the
/// value is popped once.
#[test]
fn poison_race() {
    explore("segments, poison race").preemptions(3).at_least(100).run(
        &[(None, vec![2]), (Some(2), vec![])],
        || {
            let queue = queue::<Keep>(&[1]);
            let producer = beside(&queue, |queue| queue.push(2));
            assert_eq!(queue.pop(), Some(1));
            let popped = queue.pop();
            producer.join().unwrap();
            (popped, rest(&queue))
        },
    );
}

/// Values of one producer keep their order, over several segments.
fn in_order<R: Reclaim>(values: u32) -> impl Fn() + Send + Sync + 'static {
    move || {
        let queue = queue::<R>(&[]);
        let producer = beside(&queue, move |queue| (0..values).for_each(|v| queue.push(v)));
        for value in 0..values {
            assert_eq!(pop_at_last(&queue), value, "out of order");
        }
        producer.join().unwrap();
        assert!(queue.is_empty());
    }
}

#[test]
fn over_segments() {
    explore("segments, in order").preemptions(2).at_least(300).run(&[()], in_order::<Keep>(4));
}

#[test]
fn over_segments_with_hazards() {
    explore("segments, in order, hazards")
        .preemptions(1)
        .at_least(100)
        .run(&[()], in_order::<Hazard>(6));
}

// Several threads at one end.

/// Two first pushes: one makes the first segment.
#[test]
fn first_pushes() {
    explore("segments, first pushes").preemptions(2).at_least(50).run(
        &[vec![1, 2], vec![2, 1]],
        || {
            let queue = queue::<Keep>(&[]);
            let other = beside(&queue, |queue| queue.push(1));
            queue.push(2);
            other.join().unwrap();
            rest(&queue)
        },
    );
}

/// A push that sees the other's first one as done is behind it; a pop sees both.
#[test]
fn first_push_and_pop() {
    explore("segments, first push and pop").preemptions(3).at_least(100).run(
        &[(Some(1), vec![2]), (Some(2), vec![1])],
        || {
            let queue = queue::<Keep>(&[]);
            let other = beside(&queue, |queue| queue.push(1));
            queue.push(2);
            let popped = queue.pop();
            other.join().unwrap();
            (popped, rest(&queue))
        },
    );
}

/// Three threads at the end of a segment: each brings one along, or takes a slot of another's.
#[test]
fn three_at_segment_end() {
    explore("segments, three at the end").preemptions(2).at_least(500).run(&[15], || {
        let queue = queue::<Keep>(&[1, 2]);
        let others = [4, 8].map(|v| beside(&queue, move |queue| queue.push(v)));
        assert_eq!(queue.pop(), Some(1));
        assert_eq!(queue.pop(), Some(2));
        let third = queue.pop();
        for other in others {
            other.join().unwrap();
        }
        rest(&queue).into_iter().chain(third).sum::<u32>() + 3
    });
}

/// One links a segment, one goes on to it, and one finds it.
#[test]
fn segment_is_passed_on() {
    explore("segments, passed on").preemptions(2).at_least(100).run(&[3], || {
        let queue = queue::<Keep>(&[1, 2]);
        assert_eq!((queue.pop(), queue.pop()), (Some(1), Some(2)));
        let pusher = beside(&queue, |queue| queue.push(3));
        let other = beside(&queue, |queue| queue.pop());
        let popped = queue.pop();
        pusher.join().unwrap();
        let popped = [popped, other.join().unwrap()];
        rest(&queue).into_iter().chain(popped.into_iter().flatten()).sum::<u32>()
    });
}

#[test]
fn two_pops_of_one_value() {
    explore("segments, pop and pop").preemptions(3).at_least(50).run(
        &[(Some(1), None), (None, Some(1))],
        || {
            let queue = queue::<Keep>(&[1]);
            let other = beside(&queue, |queue| queue.pop());
            let second = queue.pop();
            (other.join().unwrap(), second)
        },
    );
}

/// A slot whose pusher is late, and two poppers: one gives it up, or finds it full, and the other
/// one agrees.
#[test]
fn two_poppers_and_a_late_pusher() {
    explore("segments, two poppers, late pusher").preemptions(3).at_least(500).run(&[1], || {
        let queue = queue::<Keep>(&[]);
        let other = beside(&queue, |queue| queue.pop());
        let producer = beside(&queue, |queue| queue.push(1));
        let popped = queue.pop();
        producer.join().unwrap();
        let all = [popped, other.join().unwrap()];
        rest(&queue).into_iter().chain(all.into_iter().flatten()).sum::<u32>()
    });
}

/// The same where the segment is there already, and the values are watched.
#[test]
fn verdict_is_agreed_on() {
    explore("segments, verdict").preemptions(2).at_least(500).run(&[1], || {
        let queue = Arc::new(SegQueue::<Watched, Keep>::with_reclaim());
        queue.push(Watched::new(0));
        drop(queue.pop());
        let other = beside(&queue, |queue| queue.pop().map_or(0, |watched| watched.get()));
        let producer = beside(&queue, |queue| {
            let watched = Watched::new(0);
            watched.set(1);
            queue.push(watched);
        });
        let popped = queue.pop().map_or(0, |watched| watched.get());
        producer.join().unwrap();
        let popped = popped + other.join().unwrap();
        popped + std::iter::from_fn(|| queue.pop()).map(|watched| watched.get()).sum::<u32>()
    });
}

// Empty.

/// The own push is over, so the queue is not empty, even if another push that has the place in
/// front of it is not.
#[test]
fn not_empty_after_a_push() {
    explore("segments, falsely empty").preemptions(3).at_least(100).run(
        &[(Some(1), vec![2]), (Some(2), vec![1])],
        || {
            let queue = queue::<Keep>(&[9]);
            assert_eq!(queue.pop(), Some(9));
            let other = beside(&queue, |queue| queue.push(1));
            queue.push(2);
            let popped = queue.pop();
            other.join().unwrap();
            (popped, rest(&queue))
        },
    );
}

/// Two queues, two threads: each pushes to its own and then asks the other. At least one comes
/// second, and sees what the first did.
fn one_sees_the_other(
    before: &'static [u32],
    finds_empty: fn(&SegQueue<u32, Keep>) -> bool,
) -> impl Fn() -> (bool, bool) + Send + Sync + 'static {
    move || {
        let queues = Arc::new([0, 1].map(|_| {
            let queue = SegQueue::<u32, Keep>::with_reclaim();
            for &value in before {
                queue.push(value);
                queue.pop();
            }
            queue
        }));
        let other = beside(&queues, move |queues| {
            queues[0].push(1);
            finds_empty(&queues[1])
        });
        queues[1].push(1);
        let empty = finds_empty(&queues[0]);
        (other.join().unwrap(), empty)
    }
}

const NOT_BOTH: &[(bool, bool)] = &[(false, false), (false, true), (true, false)];

#[test]
fn empty_and_empty() {
    explore("segments, empty and empty")
        .preemptions(2)
        .without_barriers()
        .at_least(50)
        .run(NOT_BOTH, one_sees_the_other(&[9], |queue| queue.pop().is_none()));
}

#[test]
fn empty_and_empty_slowly() {
    let slowly = |queue: &SegQueue<u32, Keep>| queue.pop_many(&mut Vec::with_capacity(4), 1) == 0;
    explore("segments, empty and empty, in a batch")
        .preemptions(2)
        .without_barriers()
        .at_least(50)
        .run(NOT_BOTH, one_sees_the_other(&[9], slowly));
}

#[test]
fn empty_and_empty_at_segment_end() {
    explore("segments, empty and empty at the end")
        .preemptions(2)
        .without_barriers()
        .at_least(50)
        .run(NOT_BOTH, one_sees_the_other(&[8, 9], |queue| queue.pop().is_none()));
}

#[test]
fn empty_and_empty_at_first() {
    explore("segments, empty and empty at first")
        .preemptions(2)
        .without_barriers()
        .at_least(50)
        .run(NOT_BOTH, one_sees_the_other(&[], |queue| queue.pop().is_none()));
}

/// One pushes and looks into the other queue, the other one closes that and looks into the first.
#[test]
fn closed_and_empty() {
    for before in [&[][..], &[9], &[8, 9]] {
        explore("segments, closed and empty").preemptions(2).without_barriers().at_least(20).run(
            NOT_BOTH,
            move || {
                let queues = Arc::new([0, 1].map(|_| {
                    let queue = Segments::<u32, Keep>::new();
                    for &value in before {
                        queue.push(value).unwrap();
                        queue.pop().unwrap();
                    }
                    queue
                }));
                let other = beside(&queues, |queues| {
                    queues[0].push(1).unwrap();
                    queues[1].pop() == Err(PopError::Empty)
                });
                assert!(queues[1].close());
                let empty = queues[0].pop() == Err(PopError::Empty);
                (other.join().unwrap(), empty)
            },
        );
    }
}

#[test]
fn is_empty_and_is_empty() {
    explore("segments, is_empty")
        .preemptions(2)
        .without_barriers()
        .at_least(50)
        .run(NOT_BOTH, one_sees_the_other(&[9], |queue| queue.is_empty()));
}

/// With one value more than threads that take one and put it back, nobody finds nothing; segments
/// are used again meanwhile.
#[test]
fn never_empty_while_segments_are_reused() {
    explore("segments, never empty").preemptions(1).at_least(100).run(&[()], || {
        let queue = queue::<Hazard>(&[1, 2]);
        let turn = |queue: &SegQueue<u32>| {
            for _ in 0..2 {
                queue.push(queue.pop().expect("there is one more than there are threads"));
            }
        };
        let other = beside(&queue, turn);
        turn(&queue);
        other.join().unwrap();
        let mut left = rest(&queue);
        left.sort_unstable();
        assert_eq!(left, [1, 2]);
    });
}

// Reclamation.

/// A node, and what whoever makes it writes into it.
#[repr(C)]
struct Node {
    header: Header,
    value: Watched,
}

/// At which end they all look: each looks at one node at a time.
const END: End = End::Front;

/// Two places, each with a node.
struct Places {
    places: [AtomicPtr<Header>; 2],
    bin: Bin,
}

impl Places {
    fn new() -> Arc<Self> {
        Arc::new(Self { places: [0, 1].map(|_| AtomicPtr::new(node())), bin: Bin::new() })
    }

    /// Puts a new node into one of them, and retires the old one.
    fn replace(&self, place: usize) {
        let old = self.places[place].swap(node(), AcqRel);
        // SAFETY: no longer in its place, from `node`, and retired here only.
        unsafe { Hazard::retire(Hazard::enter(END), &self.bin, old, free) };
    }

    /// The same, but nobody looks for those that have the old one.
    fn set_aside(&self, place: usize) {
        let old = self.places[place].swap(node(), AcqRel);
        // SAFETY: as above.
        unsafe { self.bin.add(old) };
    }

    /// Both, the one after the other.
    fn replace_both(&self) {
        (0..2).for_each(|place| self.replace(place));
    }

    /// Makes those spare that nobody has, or had last.
    fn collect(&self) {
        // SAFETY: all nodes are from `node`.
        unsafe { Hazard::collect(&self.bin, free) };
    }

    /// Makes those spare that nobody has.
    fn insist(&self) {
        // SAFETY: as above.
        unsafe { Hazard::insist(&self.bin, free) };
    }

    /// Puts a spare node into a place, if there is one, and retires the one that was there.
    fn put_spare(&self, place: usize) {
        if let Some(spare) = self.bin.take_spare() {
            let old = self.places[place].swap(spare, AcqRel);
            // SAFETY: as above.
            unsafe { Hazard::retire(Hazard::enter(END), &self.bin, old, free) };
        }
    }

    /// Looks at the node of a place, as a thread's first operations do.
    fn look_slowly(&self, guard: &Guard, place: usize) {
        let node = Hazard::protect(guard, &self.places[place]);
        // SAFETY: protected.
        unsafe { look_at(node) };
    }

    /// As all others do.
    fn look(&self, place: usize) {
        let guard = Hazard::quick(END).expect("this thread has a record");
        if let Some(node) = Hazard::protect_once(&guard, &self.places[place]) {
            // SAFETY: protected.
            unsafe { look_at(node) };
        }
    }
}

/// # Safety
///
/// From `node`, and not freed.
unsafe fn look_at(node: *mut Header) {
    // SAFETY: by this function's contract.
    let node = unsafe { &*node.cast::<Node>() };
    node.header.is_used();
    assert_eq!(node.value.peek(), 1);
}

impl Drop for Places {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // a model has failed
        }
        // SAFETY: nobody else is there any more; all nodes are from `node`.
        unsafe {
            self.places.iter().for_each(|place| free(place.load(Acquire)));
            self.bin.empty(free);
        }
    }
}

fn node() -> *mut Header {
    let node = Node { header: Header::new(), value: Watched::new(0) };
    node.value.set(1);
    Box::into_raw(Box::new(node)).cast()
}

/// # Safety
///
/// From `node`, and used by nobody.
unsafe fn free(node: *mut Header) {
    // SAFETY: by this function's contract.
    drop(unsafe { Box::from_raw(node.cast::<Node>()) });
}

type Guard = <Hazard as Reclaim>::Guard;

/// Whoever looks at a node has it to look at: what was retired is not taken for spare before.
fn protected(
    reader: impl Fn(&Places) + Copy + Send + Sync + 'static,
    remover: impl Fn(&Places) + Send + Sync + 'static,
) -> impl Fn() + Send + Sync {
    move || {
        let places = Places::new();
        drop(Hazard::enter(END)); // or the model would vary how a thread gets a record
        let other = beside(&places, move |places| {
            drop(Hazard::enter(END));
            reader(places);
        });
        remover(&places);
        other.join().unwrap();
    }
}

/// From node to node, and nothing is asked but what hazards say.
#[test]
fn protect() {
    explore("hazard, protect").preemptions(3).without_barriers().at_least(50).run(
        &[()],
        protected(
            |places| {
                places.look(0);
                places.look(1);
            },
            Places::replace_both,
        ),
    );
}

#[test]
fn protect_slowly() {
    explore("hazard, protect slowly").preemptions(3).without_barriers().at_least(50).run(
        &[()],
        protected(
            |places| {
                let guard = Hazard::enter(END);
                places.look_slowly(&guard, 0);
                places.look_slowly(&guard, 1);
            },
            Places::replace_both,
        ),
    );
}

/// The second look goes without a fence of its own, as far as who asks no more is concerned.
#[test]
fn protect_again() {
    explore("hazard, protect again").preemptions(3).without_barriers().at_least(50).run(
        &[()],
        protected(
            |places| {
                places.look(0);
                places.look(0);
            },
            Places::replace_both,
        ),
    );
}

/// Whoever needs a node has those that are held by nobody any more, and asks who looks at one now.
#[test]
fn protect_while_used() {
    explore("hazard, protect while used").preemptions(3).at_least(50).run(
        &[()],
        protected(
            |places| {
                places.look(0);
                places.look(0);
            },
            |places| {
                places.set_aside(0);
                places.insist();
            },
        ),
    );
}

#[test]
fn protect_while_used_slowly() {
    explore("hazard, protect while used, slowly").preemptions(3).at_least(50).run(
        &[()],
        protected(
            |places| {
                let mut guard = Hazard::enter(END);
                places.look_slowly(&guard, 0);
                Hazard::release(&mut guard);
                places.look_slowly(&guard, 0);
            },
            |places| {
                places.set_aside(0);
                places.insist();
            },
        ),
    );
}

/// It is asked while the other goes from node to node.
#[test]
fn protect_on_the_way() {
    explore("hazard, protect on the way").preemptions(3).at_least(50).run(
        &[()],
        protected(
            |places| {
                places.look(0);
                places.look(1);
            },
            |places| {
                places.set_aside(0);
                places.insist();
            },
        ),
    );
}

/// A node comes back to its place, and goes again: whoever looked at it before, and whose hazard
/// was taken away, or was not, looks at it as at another one.
fn comes_back(first_time: fn(&Places)) -> impl Fn() + Send + Sync {
    protected(
        |places| {
            places.look(0);
            places.look(0);
        },
        move |places| {
            places.replace(0);
            first_time(places);
            places.put_spare(0);
            places.replace(0);
            places.collect();
        },
    )
}

#[test]
fn protect_what_comes_back() {
    explore("hazard, comes back")
        .preemptions(3)
        .at_least(50)
        .run(&[()], comes_back(Places::insist));
}

#[test]
fn protect_what_comes_back_without_barriers() {
    explore("hazard, comes back, no barriers")
        .preemptions(2)
        .without_barriers()
        .at_least(50)
        .run(&[()], comes_back(Places::collect));
}

/// A thread that has just come takes a record, an old one or a new one, and is seen by who looks.
#[test]
fn protect_at_first() {
    explore("hazard, protect at first").preemptions(3).at_least(50).run(&[()], || {
        let places = Places::new();
        let other = beside(&places, |places| {
            let guard = Hazard::enter(END);
            places.look_slowly(&guard, 0);
        });
        places.replace_both();
        other.join().unwrap();
    });
}

/// A thread that ends leaves its record to the next one.
#[test]
fn record_is_left() {
    explore("hazard, a record is left").preemptions(2).at_least(20).run(&[()], || {
        let places = Places::new();
        drop(Hazard::enter(END));
        let first = beside(&places, |places| places.look_slowly(&Hazard::enter(END), 0));
        let second = beside(&places, |places| places.look_slowly(&Hazard::enter(END), 0));
        places.replace_both();
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// So that nobody takes what the first one says of its end for what the second one says.
#[test]
fn record_is_left_while_used() {
    explore("hazard, a record is left while used").preemptions(2).at_least(20).run(&[()], || {
        let places = Places::new();
        drop(Hazard::enter(END));
        let first = beside(&places, |_| drop(Hazard::enter(END)));
        let second = beside(&places, |places| places.look_slowly(&Hazard::enter(END), 0));
        places.replace(0);
        places.insist();
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// Two that retire: whoever comes second finds what the first one has left.
#[test]
fn two_retire() {
    explore("hazard, two retire").preemptions(2).at_least(20).run(&[()], || {
        let places = Places::new();
        drop(Hazard::enter(END));
        let other = beside(&places, |places| places.replace(1));
        places.replace(0);
        other.join().unwrap();
    });
}

/// A spare node is had by one at a time.
#[test]
fn spare_goes_from_hand_to_hand() {
    explore("bin, a spare").preemptions(3).at_least(20).run(&[()], || {
        let bin = Arc::new(Bin::new());
        // SAFETY: from `node`.
        unsafe { bin.keep(node(), free) };
        let turn = |bin: &Bin| {
            if let Some(node) = bin.take_spare() {
                // SAFETY: ours while it is no spare.
                unsafe {
                    (*node).is_used();
                    bin.keep(node, free);
                }
            }
        };
        let other = beside(&bin, turn);
        turn(&bin);
        turn(&bin);
        other.join().unwrap();
        // SAFETY: nobody else is there.
        unsafe { bin.empty(free) };
    });
}

/// A reader on its way to a segment that is retired and used again under it.
#[test]
fn protect_and_reuse() {
    explore("hazard, protect and reuse").preemptions(2).at_least(200).run(&[36], || {
        let queue = queue::<Hazard>(&[1, 2, 3, 4]);
        let popper = beside(&queue, |queue| queue.pop().unwrap_or(0));
        let mut sum = 0;
        for value in 5..=8 {
            sum += queue.pop().unwrap_or(0);
            queue.push(value);
        }
        sum + popper.join().unwrap() + rest(&queue).into_iter().sum::<u32>()
    });
}

/// The same for a pusher, who finds the last segment.
#[test]
fn push_and_reuse() {
    explore("hazard, push and reuse").preemptions(1).at_least(100).run(&[22], || {
        let queue = queue::<Hazard>(&[1, 2]);
        let pusher = beside(&queue, |queue| queue.push(10));
        let mut sum = 0;
        for value in [2, 3, 4] {
            sum += queue.pop().unwrap_or(0);
            queue.push(value);
        }
        pusher.join().unwrap();
        sum + rest(&queue).into_iter().sum::<u32>()
    });
}

/// Two threads after another use one record.
#[test]
fn record_goes_from_thread_to_thread() {
    explore("hazard, records").preemptions(1).at_least(20).run(&[vec![1, 2]], || {
        let queue = queue::<Hazard>(&[]);
        let first = beside(&queue, |queue| queue.push(1));
        let second = beside(&queue, |queue| queue.push(2));
        first.join().unwrap();
        second.join().unwrap();
        let mut values = rest(&queue);
        values.sort_unstable();
        values
    });
}

// Closing.

type Closed = (bool, bool, Result<u32, bool>, Vec<u32>);

/// A push is refused, or popped before the queue says that it is closed.
fn close_push_pop(before: &'static [u32]) -> impl Fn() -> Closed + Send + Sync + 'static {
    move || {
        let queue = Arc::new(Segments::<u32, Keep>::new());
        for &value in before {
            queue.push(value).unwrap();
            queue.pop().unwrap();
        }
        let pusher = beside(&queue, |queue| queue.push(1).is_ok());
        let closer = beside(&queue, |queue| queue.close());
        let popped = queue.pop().map_err(|error| error == PopError::Closed);
        let (pushed, closed) = (pusher.join().unwrap(), closer.join().unwrap());
        assert!(queue.is_closed() && queue.push(2).is_err());
        let mut left = Vec::new();
        let end = loop {
            match queue.pop() {
                Ok(value) => left.push(value),
                Err(end) => break end,
            }
        };
        assert_eq!(end, PopError::Closed);
        (pushed, closed, popped, left)
    }
}

/// How it may end: "closed" is never said while the value is still to come.
fn closed() -> [Closed; 4] {
    [
        (true, true, Ok(1), vec![]),
        (true, true, Err(false), vec![1]),
        (false, true, Err(false), vec![]),
        (false, true, Err(true), vec![]),
    ]
}

#[test]
fn close_push_and_pop() {
    explore("segments, close").preemptions(2).at_least(500).run(&closed(), close_push_pop(&[9]));
}

#[test]
fn close_push_and_pop_at_segment_end() {
    explore("segments, close at the end")
        .preemptions(2)
        .at_least(500)
        .run(&closed(), close_push_pop(&[8, 9]));
}

#[test]
fn close_push_and_pop_at_first() {
    explore("segments, close at first")
        .preemptions(2)
        .at_least(500)
        .run(&closed(), close_push_pop(&[]));
}

/// What the closer did before is seen by who finds the queue closed.
#[test]
fn close_publishes() {
    for before in [0, 1, 2] {
        explore("segments, close publishes").preemptions(3).at_least(30).run(
            &[None, Some(1)],
            move || {
                let shared = Arc::new((Segments::<u32, Keep>::new(), Watched::new(0)));
                for _ in 0..before {
                    shared.0.push(9).unwrap();
                    shared.0.pop().unwrap();
                }
                let closer = beside(&shared, |(queue, watched)| {
                    watched.set(1);
                    queue.close();
                });
                let closed = match shared.0.push(1) {
                    Ok(()) => {
                        shared.0.pop().unwrap();
                        shared.0.pop() == Err(PopError::Closed)
                    }
                    Err(_) => true,
                };
                let seen = closed.then(|| shared.1.get());
                closer.join().unwrap();
                seen
            },
        );
    }
}

/// One of two closers was the first.
#[test]
fn close_and_close() {
    explore("segments, close and close").preemptions(2).at_least(50).run(
        &[(false, true), (true, false)],
        || {
            let queue = Arc::new(Segments::<u32, Keep>::new());
            queue.push(1).unwrap();
            let other = beside(&queue, |queue| queue.close());
            let first = queue.close();
            (other.join().unwrap(), first)
        },
    );
}

// The end of the queue itself.

/// What is left is dropped once, and what was popped is not.
#[test]
fn drop_with_values() {
    explore("segments, drop").preemptions(2).at_least(50).run(&[2], || {
        let count = Arc::new(std::sync::atomic::AtomicU32::new(0));
        struct Counted(Arc<std::sync::atomic::AtomicU32>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let queue = Arc::new(SegQueue::<Counted, Keep>::with_reclaim());
        queue.push(Counted(count.clone()));
        let pusher = beside(&queue, {
            let count = count.clone();
            move |queue| queue.push(Counted(count))
        });
        drop(queue.pop());
        drop(queue.pop());
        pusher.join().unwrap();
        drop(queue);
        count.load(std::sync::atomic::Ordering::Relaxed)
    });
}
