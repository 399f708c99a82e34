//! The checker itself: histories whose verdict is known, and containers with a fault planted in
//! them, each beside its twin without the fault.

use std::cell::Cell;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::thread;

use super::Event::{
    Busy, Displace, Empty, Full, IsEmpty, IsFull, Pop, PopAll, PopMany, Push, PushMany,
};
use super::{Event, Fifo, Histories, Record, Spec, Stack, Subject, Worker, check};
use crate::support::scaled;

/// A history of this many threads, from `(thread, called, returned, event)`.
fn history<const N: usize>(
    threads: usize,
    calls: [(usize, u64, u64, Event); N],
) -> Vec<Vec<Record<Event>>> {
    let mut logs: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
    for (thread, called, returned, event) in calls {
        logs[thread].push(Record { called, returned, event });
    }
    logs
}

/// One thread after the other: a call each.
fn in_turn<S: Spec<Event = Event>, const N: usize>(start: &S, events: [Event; N]) -> bool {
    let mut time = 0;
    let calls = events.map(|event| {
        time += 2;
        (0, time, time + 1, event)
    });
    check(start, &history(1, calls))
}

#[test]
fn what_one_thread_sees() {
    let (stack, fifo) = (Stack::unbounded(), Fifo::unbounded());
    assert!(in_turn(&stack, []));
    assert!(in_turn(&stack, [Push(1), Push(2), Pop(2), Pop(1), Empty]));
    assert!(in_turn(&fifo, [Push(1), Push(2), Pop(1), Pop(2), Empty]));
    assert!(!in_turn(&stack, [Push(1), Push(2), Pop(1)]));
    assert!(!in_turn(&fifo, [Push(1), Push(2), Pop(2)]));
    for start in [Stack::bounded(2), Stack::bounded_with_calls(2)] {
        let full = Full { wanted: 1 };
        assert!(in_turn(&start, [Push(1), Push(2), full.clone(), Pop(2), Push(3)]));
        assert!(!in_turn(&start, [Push(1), full.clone()]), "full, alone and with room");
        assert!(in_turn(&start, [Push(1), Full { wanted: 2 }, Push(2)]), "no room for two");
        assert!(!in_turn(&start, [Push(1), Push(2), Push(3)]), "beyond the capacity");
        assert!(!in_turn(&start, [Push(1), PushMany(vec![2, 3])]));
        assert!(in_turn(&start, [IsFull(false), Push(1), Push(2), IsFull(true), IsEmpty(false)]));
        assert!(!in_turn(&start, [IsEmpty(false)]));
        assert!(!in_turn(&start, [IsFull(true)]));
    }
    assert!(!in_turn(&stack, [Push(1), Pop(1), Pop(1)]), "twice");
    assert!(!in_turn(&stack, [Push(1), Empty]), "lost");
    assert!(!in_turn(&stack, [Pop(1), Push(1)]), "before it was there");
    assert!(in_turn(&stack, [Busy, Push(1), Busy, Pop(1), Busy]));
    assert!(in_turn(&stack, [PushMany(vec![1, 2, 3]), PopAll(vec![3, 2, 1]), PopAll(vec![])]));
    assert!(in_turn(&fifo, [PushMany(vec![1, 2, 3]), PopAll(vec![1, 2, 3]), PopAll(vec![])]));
    assert!(!in_turn(&fifo, [PushMany(vec![1, 2, 3]), PopAll(vec![1, 2])]), "not all");
    assert!(in_turn(&fifo, [PushMany(vec![1, 2, 3]), PopMany(2, vec![1, 2]), Pop(3)]));
    assert!(!in_turn(&fifo, [PushMany(vec![1, 2, 3]), PopMany(2, vec![1])]), "fewer than asked");
    assert!(!in_turn(&fifo, [PushMany(vec![1, 2, 3]), PopMany(1, vec![1, 2])]), "more than asked");
    let two = Fifo::bounded(2);
    assert!(in_turn(&two, [Push(1), Push(2), Displace(3, 1), Pop(2), Pop(3)]));
    assert!(!in_turn(&two, [Push(1), Displace(2, 1)]), "there was room");
    assert!(!in_turn(&two, [Push(1), Push(2), Displace(3, 2)]), "not the oldest");
}

/// What overlaps may come in either order; what does not, may not.
#[test]
fn overlap() {
    let fifo = Fifo::unbounded();
    let overlapping =
        [(0, 1, 4, Push(1)), (1, 2, 3, Push(2)), (0, 5, 6, Pop(2)), (0, 7, 8, Pop(1))];
    assert!(check(&fifo, &history(2, overlapping)));
    let in_order = [(0, 1, 2, Push(1)), (1, 3, 4, Push(2)), (0, 5, 6, Pop(2)), (0, 7, 8, Pop(1))];
    assert!(!check(&fifo, &history(2, in_order)));
    // A pop may find what a push that has not returned has put in.
    assert!(check(&fifo, &history(2, [(0, 1, 4, Push(1)), (1, 2, 3, Pop(1))])));
    assert!(check(&fifo, &history(2, [(0, 1, 4, Push(1)), (1, 2, 3, Empty)])));
    assert!(!check(&fifo, &history(2, [(0, 3, 4, Push(1)), (1, 1, 2, Pop(1))])));
    // A late call decides for an early one: if 2 comes out first, both of 2's rivals were later.
    let chain = |first, second| {
        let calls = [
            (0, 1, 10, Push(1)),
            (1, 2, 3, Push(2)),
            (1, 4, 5, Push(3)),
            (2, 11, 12, Pop(first)),
            (2, 13, 14, Pop(second)),
        ];
        check(&fifo, &history(3, calls))
    };
    assert!(chain(2, 1) && chain(2, 3) && chain(1, 2));
    assert!(!chain(3, 2) && !chain(1, 3) && !chain(3, 1));
    // A batch that is none: its parts come in their order, with others between them.
    let parts = |popped| {
        let calls = [
            (0, 1, 9, Push(1)),
            (0, 1, 9, Push(2)),
            (1, 2, 3, Push(7)),
            (1, 10, 11, PopAll(popped)),
        ];
        check(&fifo, &history(2, calls))
    };
    assert!(parts(vec![1, 7, 2]) && parts(vec![7, 1, 2]) && parts(vec![1, 2, 7]));
    assert!(!parts(vec![2, 7, 1]));
}

/// A push that comes before another one's end and was told "empty" or "full" by a slow third.
#[test]
fn refusals() {
    // The shape that a ring without a look at its other end gets wrong: a push that is over is not
    // seen because one that got its place earlier is not.
    let fifo = Fifo::unbounded();
    let false_empty = [(0, 1, 10, Push(1)), (1, 2, 3, Push(2)), (1, 4, 5, Empty)];
    assert!(!check(&fifo, &history(2, false_empty.clone())));
    let [slow, push, _] = false_empty;
    assert!(check(&fifo, &history(2, [slow, push, (1, 4, 5, Busy)])), "not now is no lie");
    // Full, with a pop under way whose value is out: right if places in hand count.
    let calls =
        [(0, 1, 2, Push(1)), (0, 3, 10, Pop(1)), (1, 4, 5, Empty), (1, 6, 7, Full { wanted: 1 })];
    assert!(!check(&Stack::bounded(1), &history(2, calls.clone())));
    assert!(check(&Stack::bounded_with_calls(1), &history(2, calls.clone())));
    let [push, _, empty, full] = calls;
    let over = [push, (0, 3, 3, Pop(1)), empty, full];
    assert!(!check(&Stack::bounded_with_calls(1), &history(2, over)));
}

/// Steps aside where it hurts.
fn chaos() {
    thread_local! {
        static STATE: Cell<u32> = const { Cell::new(0x9e37_79b9) };
    }
    // Xorshift (Marsaglia 2003).
    let mut x = STATE.get();
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    STATE.set(x);
    if x & 1 == 0 {
        thread::yield_now();
    }
}

const NIL: u32 = u32::MAX;

/// A list of places, with a tag of `TAG_BITS` bits that every removal moves on.
struct List<const TAG_BITS: u32>(AtomicU64);

impl<const TAG_BITS: u32> List<TAG_BITS> {
    fn tag(word: u64) -> u64 {
        (((word >> 32) + 1) & ((1 << TAG_BITS) - 1)) << 32
    }

    fn push(&self, links: &[AtomicU32], place: u32) {
        let mut head = self.0.load(Acquire);
        loop {
            links[place as usize].store(head as u32, Relaxed);
            let new = head & !u64::from(NIL) | u64::from(place);
            match self.0.compare_exchange(head, new, Release, Acquire) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    fn pop(&self, links: &[AtomicU32]) -> Option<u32> {
        let mut head = self.0.load(Acquire);
        loop {
            let place = head as u32;
            if place == NIL {
                return None;
            }
            let next = links[place as usize].load(Relaxed);
            chaos();
            let new = Self::tag(head) | u64::from(next);
            match self.0.compare_exchange(head, new, AcqRel, Acquire) {
                Ok(_) => return Some(place),
                Err(now) => head = now,
            }
        }
    }
}

/// A stack of places that are used again at once. Without a tag, one that comes back in the middle
/// of somebody's pop passes for itself.
struct Places<const TAG_BITS: u32> {
    full: List<TAG_BITS>,
    /// Tagged well: the fault is to show as one of the stack.
    free: List<32>,
    links: [AtomicU32; 4],
    values: [AtomicU32; 4],
}

impl<const TAG_BITS: u32> Subject for Places<TAG_BITS> {
    type Spec = Stack;

    fn spec() -> Stack {
        Stack::bounded_with_calls(4)
    }

    fn new() -> Self {
        let new = Self {
            full: List(AtomicU64::new(NIL.into())),
            free: List(AtomicU64::new(NIL.into())),
            links: Default::default(),
            values: Default::default(),
        };
        (0..4).for_each(|place| new.free.push(&new.links, place));
        new
    }

    fn act(&self, worker: &mut Worker<'_, Event>) {
        if worker.rng.one_in(2) {
            self.pop(worker);
            return;
        }
        let value = worker.value();
        worker.record(|| match self.free.pop(&self.links) {
            None => Full { wanted: 1 },
            Some(place) => {
                self.values[place as usize].store(value, Relaxed);
                self.full.push(&self.links, place);
                Push(value)
            }
        });
    }

    fn pop(&self, worker: &mut Worker<'_, Event>) -> bool {
        worker.record(|| match self.full.pop(&self.links) {
            None => Empty,
            Some(place) => {
                let value = self.values[place as usize].load(Relaxed);
                self.free.push(&self.links, place);
                Pop(value)
            }
        });
        worker.last() != Some(&Empty)
    }
}

/// The classic ring with a stamp for each place. `WAITS`: a pop that comes to a place that is
/// handed out and not filled yet waits for it; else it says that the queue is empty.
struct Stamped<const WAITS: bool> {
    head: AtomicU64,
    tail: AtomicU64,
    stamps: [AtomicU64; 4],
    values: [AtomicU32; 4],
}

impl<const WAITS: bool> Subject for Stamped<WAITS> {
    type Spec = Fifo;

    fn spec() -> Fifo {
        Fifo::bounded(4)
    }

    fn new() -> Self {
        Self {
            head: AtomicU64::new(0),
            tail: AtomicU64::new(0),
            stamps: std::array::from_fn(|i| AtomicU64::new(i as u64)),
            values: Default::default(),
        }
    }

    fn act(&self, worker: &mut Worker<'_, Event>) {
        if worker.rng.one_in(2) {
            self.pop(worker);
            return;
        }
        let value = worker.value();
        worker.record(|| {
            loop {
                let tail = self.tail.load(Acquire);
                let place = (tail % 4) as usize;
                if self.stamps[place].load(Acquire) == tail {
                    if self.tail.compare_exchange(tail, tail + 1, AcqRel, Relaxed).is_ok() {
                        chaos();
                        self.values[place].store(value, Relaxed);
                        self.stamps[place].store(tail + 1, Release);
                        return Push(value);
                    }
                } else if self.head.load(Acquire) + 4 == tail {
                    return Full { wanted: 1 };
                }
                thread::yield_now();
            }
        });
    }

    fn pop(&self, worker: &mut Worker<'_, Event>) -> bool {
        worker.record(|| {
            loop {
                let head = self.head.load(Acquire);
                let place = (head % 4) as usize;
                if self.stamps[place].load(Acquire) == head + 1 {
                    if self.head.compare_exchange(head, head + 1, AcqRel, Relaxed).is_ok() {
                        let value = self.values[place].load(Relaxed);
                        self.stamps[place].store(head + 4, Release);
                        return Pop(value);
                    }
                } else if !WAITS && self.stamps[place].load(Acquire) == head
                    || self.tail.load(Acquire) == head
                {
                    return Empty;
                }
                thread::yield_now();
            }
        });
        worker.last() != Some(&Empty)
    }
}

/// Far more than it takes: a fault that is not found in so many is not found.
const ENOUGH: usize = 400_000;

#[test]
fn a_stack_without_tags_is_rejected() {
    let found = Histories::of(ENOUGH).calls(8).first_rejected::<Places<0>>();
    let (number, history) = found.expect("the planted fault shows");
    println!("history {number}:\n{}", super::record::show(&history));
}

#[test]
fn a_stack_with_tags_is_not() {
    Histories::of(scaled(4_000)).calls(8).accept::<Places<32>>();
}

#[test]
fn a_queue_that_says_empty_too_early_is_rejected() {
    let found = Histories::of(ENOUGH).first_rejected::<Stamped<false>>();
    let (number, history) = found.expect("the planted fault shows");
    println!("history {number}:\n{}", super::record::show(&history));
}

#[test]
fn a_queue_that_waits_is_not() {
    Histories::of(scaled(4_000)).accept::<Stamped<true>>();
}
