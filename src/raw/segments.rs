//! An unbounded multi-producer multi-consumer queue of segments, closable and lock-free.
//!
//! # State words
//!
//! ```text
//! first   the segment at which pops begin, or null, or END
//! last    the segment at which pushes begin, or null; with END as a mark in its lowest bit once
//!         the queue is closed
//! bin     segments that were removed, and spare ones
//!
//!  first             last
//!    |                 |
//!    v                 v
//! +-----+   next    +-----+   next    +-----+
//! |.DVVV| --------> |VV.VV| --------> |Vv...| --------> null, or END
//! +-----+           +-----+           +-----+
//!
//! . no value (any more)   D dead   V value   v a ticket is out, and the pusher not there yet
//! ```
//!
//! Both are null, and nothing is allocated, until the first push. `last` may be behind the segment
//! that it is named for, as here, but never behind `first`. What happens within a segment is told
//! in `segment`, within a slot in `slot`.
//!
//! # Transitions
//!
//! | operation | when | does |
//! |---|---|---|
//! | push | a ticket is left in the last segment | takes it by `fetch_add`, fills the slot; if that died meanwhile, again |
//! | push | none is left, and there is no next segment | sets a next one, with the value in its first slot; moves `last` |
//! | push | its slots died three times | seals the segment, and so goes on as above |
//! | push | there is no segment at all | sets `first`, and then `last`, to one with the value in its first slot |
//! | pop | the first slot not taken has a value | claims the slot by a compare-exchange, reads |
//! | pop | that slot is dead | goes past it |
//! | pop | its ticket is out, and its pusher does not come | has the slot die, or finds the value after all |
//! | pop | no ticket is out for it, and there is no next segment | says "empty", or "closed" |
//! | pop | all slots are taken, and there is a next segment | moves `last` if need be, then `first`, and retires the segment |
//! | close | | seals the last segment, sets END as its next one, marks `last` |
//! | any | it finds one of these half done | does the rest |
//!
//! # Invariants
//!
//! 1. Segments are linked once, at the end, and stay linked; `first` and `last` only move along the
//!    links. So they never come back to a segment, until that was retired and used again.
//! 2. `first` moves past a segment only when all of its slots up to its limit are taken, and `last`
//!    is past it. So a retired segment is in neither word, and in no other segment's `next` but
//!    those of segments retired before.
//! 3. A value is read by who claimed its slot, and by nobody else; a slot is claimed only if it can
//!    not die any more (`slot`).
//! 4. END is set once, as the next of a segment that was sealed before; nothing follows it.
//!
//! # Linearization points
//!
//! A push that took a ticket takes effect when it took that one of its tickets whose slot did not
//! die; one that brought a segment along, when that was linked. So values are in the queue in the
//! order of their positions. A pop that returns a value takes effect when it claims the slot.
//! Slots are claimed in the order of their positions, each after its ticket was taken: so it is the
//! oldest value, those with dead slots not being in the queue yet.
//!
//! "Empty" takes effect at the load of `tickets` (or of the next segment, if all slots are taken)
//! after the fence. At that moment every ticket that was out belonged to a slot that is taken, so
//! every push that had taken effect had been popped; and there was no later segment, as one is only
//! set once no ticket is left. The fence puts that moment behind what this thread has done before,
//! so that two threads cannot each push to one queue and then find the other's empty.
//!
//! A close takes effect when END is set: pushes that took effect before have their tickets or are
//! linked before, and no push gets a ticket or links a segment after. "Closed" for a pop is "empty"
//! with END in the place of null; for a push, the load of END or of the mark.
//!
//! A batch is as many pushes, or pops, one after the other: others' may come in between where its
//! slots do not follow each other. It keeps its own order in any case.
//!
//! # Why it is lock-free
//!
//! A thread may be stopped anywhere, for ever, and the others go on:
//!
//! * A pusher with a ticket: its slot is given up by the first popper that comes to it. That makes
//!   a heavy fence, which waits for processors and not for threads.
//! * A popper with a claim: it has its value, which nobody else wants.
//! * Between linking a segment and moving `last`, between `first` and `last` at the first push,
//!   between END and its mark, between moving `last` and `first`: the next one does it.
//! * Between finding a slot suspect and its verdict: the next one does it (`slot`).
//! * With segments in hand that it took from the bin: they are missed, and others are allocated.
//!
//! Every loop goes round again only because another operation has taken effect, or because a slot
//! died. A pop makes a slot die only if its ticket is out, so one pop cannot keep one push from
//! taking effect more often than a segment has slots: then that push brings a segment along, and
//! its value is in there before anybody sees it. (It does so after the third time.)
//!
//! Two things are not ours: an allocator that takes a lock, when there is no spare segment; and the
//! kernel's barrier being refused once it was granted, which leaves a popper nothing but to wait.
//!
//! # Why no segment is freed under a reader
//!
//! Every operation protects the segment that it found in `first` or `last` (`reclaim`), and uses no
//! other, except to set these words to its next one. Segments are removed from both words before
//! they are retired (invariant 2). A compare-exchange from a protected segment cannot be deceived
//! by one used again, as that one is not used again while it is protected.
//!
//! # Garbage
//!
//! Retired segments that are not used again: fewer than a few, and one for each thread that was
//! stopped inside an operation (`reclaim`).
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | `first` or `last` is set to a segment, or marked | Release | reclaim | publish what the segment's `next` had published; or what came before the end |
//! | b | look at the other word, at the first push | Acquire | a | see it |
//! | c | look at `first` before "empty", where there is no segment | SeqCst | d | as in `segment`, row c |
//! | d | `first` is set for the first time | SeqCst | c | as in `segment`, row a |
//! | e | look whether `last` is marked | Acquire | a | see what came before the end, and so that all pushes did |
//!
//! The Acquire that pairs with a is the one by which `protect` loads the word.
//!
//! # Cost
//!
//! A push is one `fetch_add` and plain stores, a pop is one compare-exchange and plain loads; the
//! two work on different lines, and look at the other's only when the queue seems empty. Once in so
//! many values a segment is linked or retired, at a full fence or two for each thread (`reclaim`).
//! In steady state nothing is allocated.
//!
//! # Sources
//!
//! Segments with `fetch_add` tickets and slots that can be given up: Pedro Ramalhete and Andreia
//! Correia, "FAAArrayQueue" (2016), after Adam Morrison and Yehuda Afek, "Fast Concurrent Queues
//! for x86 Processors" (2013). Here a popper claims a slot only once it can be taken, so poppers do
//! not run ahead of pushers; and a slot is given up by a verdict with an asymmetric fence, so that
//! filling one takes no read-modify-write.

mod segment;
mod slot;

pub use self::slot::Any;
only_in_model! {
    pub use self::slot::{Seen, Slot};
}

use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;
use core::ptr;

use crossbeam_utils::CachePadded;

use self::segment::{END, Front, Quick, Ref, Segment};
use self::slot::Light;
use super::reclaim::{Bin, End, Hazard, Header, Reclaim, unmarked};
use super::{PopError, PushError};
use crate::primitive::Ordering::{self, Acquire, Relaxed, Release, SeqCst};
use crate::primitive::{AtomicPtr, Backoff, TotalPtr, model_const_fn, mutant, only_in_model, ord};

/// Slots that may die under a push before it seals the segment.
const DEATHS: u32 = 3;

/// With this many segments, one that is needed is looked for among those retired before another is
/// allocated.
const FEW: u32 = 3;

/// The queue inside [`SegQueue`](crate::queue::SegQueue).
pub struct Segments<T, R: Reclaim = Hazard> {
    first: CachePadded<TotalPtr<Header>>,
    last: CachePadded<AtomicPtr<Header>>,
    bin: CachePadded<Bin>,
    values: PhantomData<(T, R)>,
}

// SAFETY: the queue owns its values and hands each to one thread (invariant 3); a segment is used
// by threads that have it protected, and by one that has it to itself.
unsafe impl<T: Send, R: Reclaim> Send for Segments<T, R> {}
// SAFETY: as for `Send`; no reference to a value is ever shared.
unsafe impl<T: Send, R: Reclaim> Sync for Segments<T, R> {}

/// Values to push. None of these iterators calls anything of a user's.
struct Batch<T, I> {
    values: I,
    /// One that was taken out and could not be pushed yet: the first.
    back: Option<T>,
}

impl<T, I: ExactSizeIterator<Item = T>> Batch<T, I> {
    fn len(&self) -> usize {
        self.values.len() + usize::from(self.back.is_some())
    }

    fn next(&mut self) -> Option<T> {
        self.back.take().or_else(|| self.values.next())
    }
}

/// Begins to look at one end.
fn look<R: Reclaim>(end: End) -> R::Guard {
    R::quick(end).unwrap_or_else(|| R::enter(end))
}

fn end() -> *mut Header {
    ptr::without_provenance_mut(END)
}

/// Whether it is a segment, and the queue not closed.
#[inline]
fn is_segment(segment: *mut Header) -> bool {
    !segment.is_null() && !is_marked(segment)
}

#[inline]
fn is_marked(segment: *mut Header) -> bool {
    segment.addr() & END != 0
}

impl<T, R: Reclaim> Segments<T, R> {
    model_const_fn! {
        /// Creates an empty queue, without allocating.
        pub const fn new() -> Self {
            Self {
                first: CachePadded::new(TotalPtr::new(ptr::null_mut())),
                last: CachePadded::new(AtomicPtr::new(ptr::null_mut())),
                bin: CachePadded::new(Bin::new()),
                values: PhantomData,
            }
        }
    }

    /// Appends `value`; fails only if the queue is closed.
    #[inline]
    pub fn push(&self, value: T) -> Result<(), PushError<T>> {
        let Some(guard) = R::quick(End::Back) else {
            return self.push_one(R::enter(End::Back), value, 0);
        };
        if let Some(last) = R::protect_once(&guard, &self.last) {
            if is_segment(last) {
                // SAFETY: protected, and a segment.
                let segment = unsafe { Ref::<T>::new(last) };
                if let Some(i) = segment.take_ticket() {
                    // SAFETY: the ticket is ours, the guard from `quick`.
                    if unsafe { segment.slot(i).put::<R>(value) } {
                        return Ok(());
                    }
                    return self.push_doubtful(guard, segment, i);
                }
            }
        }
        self.push_one(guard, value, 0)
    }

    /// Goes on with a push that has filled a slot of which somebody was suspicious.
    #[cold]
    #[inline(never)]
    fn push_doubtful(&self, guard: R::Guard, segment: Ref<T>, i: u32) -> Result<(), PushError<T>> {
        if segment.slot(i).plead() {
            return Ok(());
        }
        // SAFETY: the slot is dead, and the value ours as before.
        let value = unsafe { segment.slot(i).read() };
        self.push_one(guard, value, 1)
    }

    #[cold]
    #[inline(never)]
    fn push_one(&self, guard: R::Guard, value: T, died: u32) -> Result<(), PushError<T>> {
        let mut value = Batch { values: Some(value).into_iter(), back: None };
        self.push_batch::<Any, _>(guard, &mut value, died);
        match value.next() {
            None => Ok(()),
            Some(value) => Err(PushError::Closed(value)),
        }
    }

    /// Appends the values, in their order, and takes them out of `values`, which calls nothing of a
    /// user's. Fails only if the queue is closed: the rest stays in `values`, but for its first,
    /// which comes back if it was already taken out.
    pub fn push_all<I>(&self, values: I) -> Result<(), PushError<Option<T>>>
    where
        I: ExactSizeIterator<Item = T>,
    {
        let mut batch = Batch { values, back: None };
        match R::quick(End::Back) {
            Some(guard) => self.push_batch::<R, _>(guard, &mut batch, 0),
            None => self.push_batch::<Any, _>(R::enter(End::Back), &mut batch, 0),
        }
        if batch.len() == 0 { Ok(()) } else { Err(PushError::Closed(batch.back)) }
    }

    /// Takes the oldest value.
    #[inline]
    pub fn pop(&self) -> Result<T, PopError> {
        let Some(guard) = R::quick(End::Front) else {
            return self.pop_slow(R::enter(End::Front), Backoff::new());
        };
        let mut backoff = Backoff::new();
        if let Some(first) = R::protect_once(&guard, self.first.beside()) {
            if is_segment(first) {
                // SAFETY: protected, and a segment.
                let segment = unsafe { Ref::<T>::new(first) };
                match segment.claim_one::<R>() {
                    // SAFETY: claimed, and a value.
                    Quick::Claimed(i) => return Ok(unsafe { segment.slot(i).read() }),
                    Quick::Empty => return Err(PopError::Empty),
                    Quick::Lost => backoff.lost_race(),
                    Quick::Other => {}
                }
            }
        }
        self.pop_slow(guard, backoff)
    }

    #[cold]
    #[inline(never)]
    fn pop_slow(&self, guard: R::Guard, backoff: Backoff) -> Result<T, PopError> {
        self.claim::<Any, _>(guard, 1, backoff, |segment, first, _| {
            // SAFETY: the slot was claimed, with one value.
            unsafe { segment.slot(first).read() }
        })
    }

    /// Takes as many of the oldest values as there are in a row, up to `max` and at least one, and
    /// says how many. All are handed to `take`, which does not unwind.
    #[inline]
    pub fn pop_run(&self, max: usize, mut take: impl FnMut(Run<'_, T>)) -> Result<usize, PopError> {
        let max = u32::try_from(max).unwrap_or(u32::MAX);
        let read = |segment: Ref<T>, first, count: u32| {
            take(Run { segment: &segment, slots: first..first + count });
            count as usize
        };
        match R::quick(End::Front) {
            Some(guard) => self.claim::<R, _>(guard, max, Backoff::new(), read),
            None => self.claim::<Any, _>(R::enter(End::Front), max, Backoff::new(), read),
        }
    }

    /// Refuses pushes from now on, and says whether it did not already. Pops find what was pushed
    /// before.
    pub fn close(&self) -> bool {
        let guard = look::<R>(End::Back);
        loop {
            let last = R::protect(&guard, &self.last);
            if is_marked(last) {
                return false;
            }
            if last.is_null() {
                // Release: row a.
                let publish = ord!("segments.a/close", Release);
                if !self.last_from_first() && self.set_first(end(), publish) {
                    self.last_from_first();
                    return true;
                }
                continue;
            }
            // SAFETY: protected, and neither null nor marked.
            let segment = unsafe { Ref::<T>::new(last) };
            if !mutant!("segments.seal") {
                segment.seal();
            }
            match segment.set_next(end()) {
                Ok(()) => {
                    self.mark_last(last);
                    return true;
                }
                Err(next) => self.move_last(last, next),
            }
        }
    }

    /// Whether the queue was closed.
    pub fn is_closed(&self) -> bool {
        is_marked(self.last.load(ord!("segments.e", Acquire))) // Acquire: row e.
    }

    /// The number of values, exact while nobody pushes or pops.
    pub fn len(&self) -> usize {
        let (at_back, at_front) = (look::<R>(End::Back), look::<R>(End::Front));
        let position = |guard: &R::Guard, word: &AtomicPtr<Header>, of: fn(&Ref<T>) -> u64| {
            let segment = unmarked(R::protect(guard, word));
            // SAFETY: protected, and neither null nor `END`.
            (!segment.is_null()).then(|| of(&unsafe { Ref::<T>::new(segment) }))
        };
        let mut tries = 8;
        loop {
            let back = position(&at_back, &self.last, Ref::back);
            let front = position(&at_front, self.first.beside(), Ref::front);
            tries -= 1;
            // Both at one moment, as far as a gauge can tell.
            if tries == 0 || position(&at_back, &self.last, Ref::back) == back {
                let len = back.unwrap_or(0).saturating_sub(front.unwrap_or(0));
                return usize::try_from(len).unwrap_or(usize::MAX);
            }
        }
    }

    /// The number of values that were popped, or a little less. A hint.
    pub fn popped(&self) -> u64 {
        let guard = look::<R>(End::Front);
        let segment = unmarked(R::protect(&guard, self.first.beside()));
        // SAFETY: protected, and neither null nor `END`.
        if segment.is_null() { 0 } else { unsafe { Ref::<T>::new(segment) }.front() }
    }

    /// Whether there is no value at this moment, nor anybody who is about to push one.
    pub fn is_empty(&self) -> bool {
        loop {
            let guard = look::<R>(End::Front);
            let first = R::protect(&guard, self.first.beside());
            if unmarked(first).is_null() {
                if !first.is_null() || self.has_no_segment() {
                    return true;
                }
                continue;
            }
            // SAFETY: protected, and neither null nor `END`.
            match unsafe { Ref::<T>::new(first) }.is_empty() {
                Front::Empty => return true,
                Front::Claimed { .. } => return false,
                Front::Past(next) if next.addr() == END => return true,
                Front::Past(next) => self.move_first(guard, first, next),
            }
        }
    }

    /// Segments that are allocated at this moment.
    pub fn segments(&self) -> u32 {
        self.bin.nodes()
    }

    /// How many values a segment takes.
    pub fn places_per_segment() -> usize {
        Segment::<T>::SLOTS as usize
    }

    // Pushing.

    /// Pushes as many of the values as it can: all, unless the queue is closed. `died` slots have
    /// died under the first one before.
    fn push_batch<L, I>(&self, guard: R::Guard, values: &mut Batch<T, I>, died: u32)
    where
        L: Light,
        I: ExactSizeIterator<Item = T>,
    {
        let mut fresh = Fresh { queue: self, segment: None };
        // Goes before `fresh` does, which may free its segment.
        let (mut guard, mut died) = (guard, died);
        while values.len() > 0 {
            let last = R::protect(&guard, &self.last);
            if is_marked(last) {
                return;
            }
            if last.is_null() {
                if !self.last_from_first() {
                    let Some(segment) = fresh.segment else {
                        R::release(&mut guard);
                        fresh.get();
                        continue;
                    };
                    let Some(value) = values.next() else { continue };
                    // SAFETY: the segment is ours, and clean.
                    unsafe { segment.prefill(None, value) };
                    // Release: row a.
                    if self.set_first(segment.as_header(), ord!("segments.a/first", Release)) {
                        fresh.segment = None;
                        self.last_from_first();
                    } else {
                        fresh.take_back(values);
                    }
                }
                continue;
            }
            // SAFETY: protected, and neither null nor marked.
            let segment = unsafe { Ref::new(last) };
            if died >= DEATHS {
                segment.seal();
                died = 0;
            } else {
                let before = died;
                died += Self::fill::<L, _>(segment, values);
                if died > before || values.len() == 0 {
                    continue;
                }
            }
            // No tickets are left.
            let mut next = segment.next();
            if next.is_null() {
                let Some(new) = fresh.segment else {
                    R::release(&mut guard); // the allocator may have a queue of its own
                    fresh.get();
                    continue;
                };
                let Some(value) = values.next() else { continue };
                // SAFETY: the segment is ours, and clean.
                unsafe { new.prefill(Some(segment), value) };
                next = match segment.set_next(new.as_header()) {
                    Ok(()) => {
                        fresh.segment = None;
                        new.as_header()
                    }
                    Err(other) => {
                        fresh.take_back(values);
                        other
                    }
                };
            }
            self.move_last(last, next);
        }
    }

    /// Fills slots of a segment, as long as there are values and tickets for one go; how many of
    /// the slots were dead.
    fn fill<L, I>(segment: Ref<T>, values: &mut Batch<T, I>) -> u32
    where
        L: Light,
        I: ExactSizeIterator<Item = T>,
    {
        let slots = Segment::<T>::SLOTS;
        let count = u32::try_from(values.len()).unwrap_or(slots).min(slots);
        let first = segment.take_tickets(count);
        if first >= u64::from(slots) {
            return 0;
        }
        let mut died = 0;
        for i in first as u32..slots.min(first as u32 + count) {
            // A value whose slot is dead goes into the next one, so there are enough for the
            // tickets, and their order stays.
            if let Some(value) = values.next() {
                // SAFETY: the ticket is ours; `L` is as the guard (`push_all`).
                if let Err(value) = unsafe { segment.slot(i).fill::<L>(value) } {
                    values.back = Some(value);
                    died += 1;
                }
            }
        }
        died
    }

    /// Sets `first` for the first time, if nobody has.
    fn set_first(&self, to: *mut Header, publish: Ordering) -> bool {
        let (word, null) = (&self.first, ptr::null_mut());
        // SeqCst: row d. Relaxed: others set it, and the caller looks again.
        word.compare_exchange_total(null, to, ord!("segments.d", SeqCst), publish, Relaxed).is_ok()
    }

    /// Sets `last`, once `first` was: whether it was.
    fn last_from_first(&self) -> bool {
        // Acquire: row b.
        let first = self.first.beside().load(ord!("segments.b", Acquire));
        if !first.is_null() {
            let order = ord!("segments.a/last", Release); // Release: row a.
            let _ = self.last.compare_exchange(ptr::null_mut(), first, order, Relaxed);
        }
        !first.is_null()
    }

    /// Moves `last` on from a segment, which is protected, to its next one; or marks it.
    fn move_last(&self, from: *mut Header, next: *mut Header) {
        if next.addr() == END {
            return self.mark_last(from);
        }
        let order = ord!("segments.a", Release); // Release: row a.
        let _ = self.last.compare_exchange(from, next, order, Relaxed);
    }

    /// Says in `last` that the queue is closed.
    fn mark_last(&self, last: *mut Header) {
        let marked = last.map_addr(|a| a | END);
        let order = ord!("segments.a/mark", Release); // Release: row a.
        let _ = self.last.compare_exchange(last, marked, order, Relaxed);
    }

    // Popping.

    /// Claims up to `max` of the oldest values and has them read.
    #[inline]
    fn claim<L: Light, U>(
        &self,
        guard: R::Guard,
        max: u32,
        backoff: Backoff,
        mut read: impl FnMut(Ref<T>, u32, u32) -> U,
    ) -> Result<U, PopError> {
        let (mut guard, mut backoff) = (guard, backoff);
        loop {
            let first = R::protect(&guard, self.first.beside());
            if unmarked(first).is_null() {
                if !first.is_null() {
                    return Err(self.found_end());
                }
                if self.has_no_segment() {
                    return Err(PopError::Empty);
                }
                continue;
            }
            // SAFETY: protected, and neither null nor `END`.
            let segment = unsafe { Ref::new(first) };
            match segment.claim::<L>(max, &mut backoff) {
                Front::Claimed { first, count } => return Ok(read(segment, first, count)),
                Front::Empty => return Err(PopError::Empty),
                Front::Past(next) if next.addr() == END => {
                    self.mark_last(first);
                    return Err(PopError::Closed);
                }
                Front::Past(next) => {
                    self.move_first(guard, first, next);
                    guard = R::enter(End::Front);
                }
            }
        }
    }

    /// Goes past a segment, of which nothing is left, to its next one.
    #[cold]
    #[inline(never)]
    fn move_first(&self, guard: R::Guard, from: *mut Header, next: *mut Header) {
        // Whoever set the next segment does this too, and protects this one until then. But so it
        // is plain that a retired segment is in neither word (invariant 2).
        self.move_last(from, next);
        // Release: row a.
        let order = ord!("segments.a/move-first", Release);
        if self.first.beside().compare_exchange(from, next, order, Relaxed).is_ok() {
            // SAFETY: in neither word any more (invariant 2), and retired by who moved `first`.
            unsafe { R::retire(guard, &self.bin, from, Segment::<T>::free) };
        }
    }

    /// The queue was closed before the first push.
    fn found_end(&self) -> PopError {
        self.last_from_first();
        PopError::Closed
    }

    /// Whether nothing was ever pushed, nor the queue closed.
    fn has_no_segment(&self) -> bool {
        // SeqCst: row c. Relaxed: looked at again if not.
        self.first.load_total(ord!("segments.c", SeqCst), Relaxed).is_null()
    }
}

/// Values that were claimed. What is not asked for is lost.
pub struct Run<'a, T> {
    segment: &'a Ref<T>,
    slots: Range<u32>,
}

impl<T> Iterator for Run<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        let i = self.slots.next()?;
        // SAFETY: the slots were claimed, with one value each, and each is read once.
        Some(unsafe { self.segment.slot(i).read() })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.slots.size_hint()
    }
}

impl<T> ExactSizeIterator for Run<'_, T> {}

impl<T> fmt::Debug for Run<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Run").field(&self.slots).finish()
    }
}

/// A segment that is not in the queue yet, and goes back if it does not get there.
struct Fresh<'a, T, R: Reclaim> {
    queue: &'a Segments<T, R>,
    segment: Option<Ref<T>>,
}

impl<T, R: Reclaim> Fresh<'_, T, R> {
    /// Finds a clean one.
    fn get(&mut self) {
        let bin = &*self.queue.bin;
        let spare = bin.take_spare().or_else(|| {
            if bin.nodes() < FEW || !bin.has_retired() {
                return None;
            }
            // SAFETY: the segments of this queue are of this type; there is no guard.
            unsafe { R::collect(bin, Segment::<T>::free) };
            bin.take_spare().or_else(|| {
                // SAFETY: as above.
                unsafe { R::insist(bin, Segment::<T>::free) };
                bin.take_spare()
            })
        });
        let Some(spare) = spare else {
            let segment = Segment::<T>::allocate();
            bin.count_node();
            // SAFETY: just made, and ours alone.
            self.segment = Some(unsafe { Ref::new(segment.cast()) });
            return;
        };
        // SAFETY: a spare segment is ours alone, and one from `allocate`.
        let segment = unsafe { Ref::new(spare) };
        // SAFETY: as above.
        unsafe { segment.clean() };
        self.segment = Some(segment);
    }

    /// Takes the value back and cleans it, after it could not be linked.
    fn take_back<I>(&self, values: &mut Batch<T, I>) {
        if let Some(segment) = self.segment {
            // SAFETY: it is ours alone.
            unsafe {
                values.back = Some(segment.unfill());
                segment.clean();
            }
        }
    }
}

impl<T, R: Reclaim> Drop for Fresh<'_, T, R> {
    fn drop(&mut self) {
        if let Some(segment) = self.segment {
            let free = Segment::<T>::free;
            // SAFETY: it is ours alone, and of this queue; its slots own nothing.
            unsafe { self.queue.bin.keep(segment.as_header(), free) };
        }
    }
}

// Alone with the queue.

impl<T, R: Reclaim> Segments<T, R> {
    /// As [`push`](Self::push), without a read-modify-write.
    pub fn push_mut(&mut self, value: T) -> Result<(), PushError<T>> {
        let last = self.last.load(Relaxed);
        if is_segment(last) {
            // SAFETY: nobody else uses the queue, so its last segment lives.
            match unsafe { Ref::new(last).push_alone(value) } {
                Ok(()) => Ok(()),
                Err(value) => self.push(value),
            }
        } else {
            self.push(value)
        }
    }

    /// As [`pop`](Self::pop), without a read-modify-write.
    pub fn pop_mut(&mut self) -> Result<T, PopError> {
        loop {
            let first = self.first.beside().load(Relaxed);
            if first.is_null() {
                return Err(PopError::Empty);
            }
            if first.addr() == END {
                return Err(PopError::Closed);
            }
            // SAFETY: nobody else uses the queue, so its segments live.
            let segment = unsafe { Ref::new(first) };
            // SAFETY: as above.
            if let Some(value) = unsafe { segment.pop_alone() } {
                return Ok(value);
            }
            let next = segment.next();
            if next.is_null() {
                return Err(PopError::Empty);
            }
            if next.addr() == END {
                return Err(PopError::Closed);
            }
            if self.last.load(Relaxed) == first {
                self.last.store(next, Relaxed); // Relaxed: alone.
            }
            self.first.beside().store(next, Relaxed); // Relaxed: alone.
            // SAFETY: nobody else has its address, as nobody else is in an operation.
            unsafe { self.bin.keep(first, Segment::<T>::free) };
        }
    }
}

impl<T, R: Reclaim> Default for Segments<T, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, R: Reclaim> Drop for Segments<T, R> {
    fn drop(&mut self) {
        /// Drops what is left, also if a destructor has panicked, and frees the segments.
        struct Rest<'a, T, R: Reclaim>(&'a mut Segments<T, R>);

        impl<T, R: Reclaim> Rest<'_, T, R> {
            fn drop_values(&mut self) {
                if core::mem::needs_drop::<T>() {
                    while self.0.pop_mut().is_ok() {}
                }
            }
        }

        impl<T, R: Reclaim> Drop for Rest<'_, T, R> {
            fn drop(&mut self) {
                self.drop_values();
                let free = Segment::<T>::free;
                let mut next = unmarked(self.0.first.beside().load(Relaxed));
                while !next.is_null() {
                    let segment = next;
                    // SAFETY: nobody else uses the queue; each segment is linked once, and freed
                    // once its next one is known.
                    unsafe {
                        next = unmarked(Ref::<T>::new(segment).next());
                        free(segment);
                    }
                }
                // SAFETY: as above; these are not linked.
                unsafe { self.0.bin.empty(free) };
            }
        }

        let mut rest = Rest(self);
        rest.drop_values();
    }
}

impl<T, R: Reclaim> fmt::Debug for Segments<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segments")
            .field("len", &self.len())
            .field("closed", &self.is_closed())
            .finish()
    }
}
