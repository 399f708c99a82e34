//! A fixed number of slots that are handed out one after the other, to pushers and to poppers.
//!
//! # State words
//!
//! ```text
//!         63               32 31                0
//!         +------------------+------------------+
//! tickets |      sealed      |       next       |
//!         +------------------+------------------+
//!
//! next     the slot of the next ticket; goes on counting when there is none left
//! sealed   0, or one more than the number of tickets there were when the segment was sealed
//! taken    the first slot that no popper has claimed or gone past; at most the number of slots
//! idle     one more than what `taken` was when it was last found that nothing was there; a hint
//! next     the segment after this one, null, or `END`
//! base     the position of the first slot in the whole queue
//! ```
//!
//! The *limit* of a segment is the number of its slots, or of its tickets if it is sealed: slots
//! from there on have no pusher and never will.
//!
//! # Invariants
//!
//! 1. A ticket below the limit is one pusher's, who fills the slot or finds it dead.
//! 2. `taken` goes past a slot only if that is full, by the popper whose value this is; or dead.
//! 3. `next` is changed once, from null, when no ticket is left: `tickets` is at the limit.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | tickets are taken, or left to nobody | SeqCst | c | in one order with all "empty": who has pushed, and then finds another queue empty, is before or after whoever does that the other way round; the slot orders the value |
//! | b | `taken` | Relaxed | - | hands out a slot; that all reads are over, reclamation knows |
//! | c | `tickets` before "empty" | SeqCst | a | as above |
//! | d | the next segment is set | Release | e | publish it; or what came before the end |
//! | e | load of the next segment | Acquire | d | see that |
//! | f | the next segment is set | SeqCst | g | as (a), for the push that set it |
//! | g | the next segment before "empty" | SeqCst | f | as (c) |
//! | h | other accesses of `tickets`, and `idle` | Relaxed | - | gauges and hints, and a segment that is one thread's |

use alloc::alloc::{alloc, dealloc, handle_alloc_error};
use core::alloc::Layout;
use core::mem::size_of;
use core::ptr;

use crossbeam_utils::CachePadded;

use super::super::reclaim::Header;
use super::slot::{Any, Light, Seen, Slot};
use crate::primitive::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::primitive::{AtomicU64, Backoff, TotalPtr, TotalU64, ord, spin_loop, tuned, tuning};

/// A segment of values of type `T`, followed in memory by its slots.
#[repr(C)]
pub(super) struct Segment<T> {
    header: Header,
    next: TotalPtr<Header>,
    base: AtomicU64,
    tickets: CachePadded<TotalU64>,
    poppers: CachePadded<Poppers>,
    /// A place for the first slot to begin at.
    slots: [Slot<T>; 0],
}

/// What poppers change.
struct Poppers {
    taken: AtomicU64,
    idle: AtomicU64,
}

/// Stands in `next` for the end of a closed queue; and as a mark, in the queue's pointer to its
/// last segment.
pub(super) const END: usize = 1;

/// What a popper finds at the front of a segment.
pub(super) enum Front {
    /// A value in this slot, and those claimed with it: the caller's.
    Claimed { first: u32, count: u32 },
    /// None, and this is the last segment.
    Empty,
    /// None, and none will come here: go on with the next segment, which may be `END`.
    Past(*mut Header),
}

/// What a popper finds at first sight.
pub(super) enum Quick {
    /// A value in this slot, which is the caller's.
    Claimed(u32),
    /// None, and this is the last segment.
    Empty,
    /// Somebody else was quicker.
    Lost,
    /// Something that needs more than a look.
    Other,
}

/// How long a popper looks at a slot whose pusher does not come, before it gives it up. As long as
/// a few cache misses: a pusher that is not there by then is probably not running.
const PATIENCE: u32 = 128;

/// The size that a segment has if that makes for a reasonable number of slots.
const BYTES: usize = 8192;

impl<T> Segment<T> {
    /// The number of slots: enough that what a change of segments costs does not count, as long as
    /// the segment is no larger than a few pages.
    pub(super) const SLOTS: u32 = {
        let slots = BYTES / size_of::<Slot<T>>();
        let slots = if slots < 32 { 32 } else { slots };
        tuning(if slots > 512 { 512 } else { slots as u32 }, 2)
    };

    fn layout() -> Layout {
        let slots = Layout::array::<Slot<T>>(Self::SLOTS as usize);
        let both = slots.and_then(|slots| Layout::new::<Self>().extend(slots));
        match both {
            Ok((layout, offset)) => {
                debug_assert_eq!(offset, core::mem::offset_of!(Self, slots));
                layout
            }
            Err(_) => panic!("lockwork: a value is too large for any memory"),
        }
    }

    /// A segment that nobody else knows.
    pub(super) fn allocate() -> *mut Self {
        let layout = Self::layout();
        // SAFETY: the layout's size is not zero: there are words.
        let segment = unsafe { alloc(layout) }.cast::<Self>();
        if segment.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: the memory is as large as the segment and its slots, aligned for both, and ours.
        // It is made in place: on the stack there may be no room for slots of large values.
        unsafe {
            (&raw mut (*segment).header).write(Header::new());
            (&raw mut (*segment).next).write(TotalPtr::new(ptr::null_mut()));
            (&raw mut (*segment).base).write(AtomicU64::new(0));
            (&raw mut (*segment).tickets).write(CachePadded::new(TotalU64::new(0)));
            let poppers = Poppers { taken: AtomicU64::new(0), idle: AtomicU64::new(0) };
            (&raw mut (*segment).poppers).write(CachePadded::new(poppers));
            for i in 0..Self::SLOTS {
                Slot::make_at(Self::place(segment, i).cast_mut());
            }
        }
        segment
    }

    /// Gives back the memory of a segment, and leaves alone what is in its slots.
    ///
    /// # Safety
    ///
    /// `segment` comes from `allocate` for this type, and nobody uses it from now on.
    pub(super) unsafe fn free(segment: *mut Header) {
        let segment = segment.cast::<Self>();
        // SAFETY: by this function's contract; slots drop no values.
        unsafe {
            for i in 0..Self::SLOTS {
                Self::place(segment, i).cast_mut().drop_in_place();
            }
            segment.drop_in_place();
            dealloc(segment.cast(), Self::layout());
        }
    }

    /// Where a slot is.
    ///
    /// # Safety
    ///
    /// `this` is a segment from `allocate`, and `i` is below the number of its slots.
    #[inline]
    unsafe fn place(this: *const Self, i: u32) -> *const Slot<T> {
        debug_assert!(i < Self::SLOTS);
        // SAFETY: the slots are there, behind the words (`layout`).
        unsafe { (&raw const (*this).slots).cast::<Slot<T>>().add(i as usize) }
    }
}

/// A segment that is not freed as long as this is used, which whoever makes one has to see to.
pub(super) struct Ref<T>(*const Segment<T>);

impl<T> Clone for Ref<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ref<T> {}

impl<T> Ref<T> {
    /// # Safety
    ///
    /// `segment` comes from `allocate` for this type, and is not freed before the last use of the
    /// value returned.
    #[inline]
    pub(super) unsafe fn new(segment: *mut Header) -> Self {
        Self(segment.cast_const().cast())
    }

    pub(super) fn as_header(self) -> *mut Header {
        self.0.cast_mut().cast()
    }

    #[inline]
    fn words(&self) -> &Segment<T> {
        // SAFETY: the segment lives (contract of `new`), and its words are only ever shared.
        let words = unsafe { &*self.0 };
        words.header.is_used();
        words
    }

    /// A slot, by its number, which has to be below the number of slots.
    #[inline]
    pub(super) fn slot(&self, i: u32) -> &Slot<T> {
        // SAFETY: the segment lives (contract of `new`).
        unsafe { &*Segment::place(self.0, i) }
    }

    // Pushing.

    /// Takes one ticket, if one is left: the number of its slot.
    #[inline]
    pub(super) fn take_ticket(&self) -> Option<u32> {
        let slot = self.take_tickets(1);
        (slot < u64::from(Segment::<T>::SLOTS)).then_some(slot as u32)
    }

    /// Takes so many tickets. They begin with the slot returned; those that are not below the
    /// number of slots are none.
    #[inline]
    pub(super) fn take_tickets(&self, count: u32) -> u64 {
        let tickets = &self.words().tickets;
        // SeqCst: row a.
        next(tickets.fetch_add_total(u64::from(count), ord!("segment.a", SeqCst)))
    }

    /// Leaves no tickets.
    pub(super) fn seal(&self) {
        let mut tickets = self.words().tickets.load(Relaxed); // Relaxed: row h.
        while next(tickets) < u64::from(Segment::<T>::SLOTS) {
            let sealed = (next(tickets) + 1) << 32 | u64::from(Segment::<T>::SLOTS);
            // SeqCst: row a. (In the model it takes part by what follows, which is row f.)
            match self.words().tickets.compare_exchange_weak_total(tickets, sealed, SeqCst) {
                Ok(_) => return,
                Err(now) => tickets = now,
            }
        }
    }

    /// The segment after this one, or null, or `END`.
    pub(super) fn next(&self) -> *mut Header {
        self.words().next.beside().load(ord!("segment.e", Acquire)) // Acquire: row e.
    }

    /// Sets the segment after this one, or `END`, if it is still null, and otherwise says what it
    /// is. This one has no tickets left.
    pub(super) fn set_next(&self, segment: *mut Header) -> Result<(), *mut Header> {
        debug_assert!(next(self.words().tickets.load(Relaxed)) >= u64::from(Segment::<T>::SLOTS));
        // Release, Acquire: rows d and e.
        let (ok, err) = (ord!("segment.d", Release), ord!("segment.e/push", Acquire));
        let (word, null) = (&self.words().next, ptr::null_mut());
        // SeqCst: row f.
        word.compare_exchange_total(null, segment, ord!("segment.f", SeqCst), ok, err).map(|_| ())
    }

    /// Makes a segment ready to be set as another one's next, with a value in its first slot.
    ///
    /// # Safety
    ///
    /// The segment is the caller's alone, and new or cleaned.
    pub(super) unsafe fn prefill(&self, after: Option<Self>, value: T) {
        let words = self.words();
        // SAFETY: the caller's alone.
        unsafe { words.header.begins() };
        // Relaxed, both: whoever publishes the segment publishes these.
        words.base.store(after.map_or(0, |after| after.end()), Relaxed);
        words.tickets.store(1, Relaxed);
        // SAFETY: nobody else has a ticket.
        let filled = unsafe { self.slot(0).fill::<Any>(value) };
        debug_assert!(filled.is_ok());
    }

    /// Takes the value of `prefill` back, from a segment that could not be set.
    ///
    /// # Safety
    ///
    /// The segment is the caller's alone, was prefilled, and is cleaned next.
    pub(super) unsafe fn unfill(&self) -> T {
        // SAFETY: filled by `prefill`, and nobody else reads it.
        unsafe { self.slot(0).read() }
    }

    /// Makes a segment as good as new, except for `base`, which `prefill` sets.
    ///
    /// # Safety
    ///
    /// It is the caller's alone.
    pub(super) unsafe fn clean(&self) {
        let words = self.words();
        // Relaxed, all: whoever publishes the segment publishes these.
        words.next.beside().store(ptr::null_mut(), Relaxed);
        words.poppers.taken.store(0, Relaxed);
        words.poppers.idle.store(0, Relaxed);
        let used = next(words.tickets.load(Relaxed)).min(u64::from(Segment::<T>::SLOTS));
        words.tickets.store(0, Relaxed);
        for i in 0..used as u32 {
            // SAFETY: one of the segment's slots, and the caller's alone.
            unsafe { (*Segment::place(self.0, i).cast_mut()).reset() };
        }
    }

    // Popping.

    /// One try at [`claim`](Self::claim), for the usual cases.
    #[inline]
    pub(super) fn claim_one<L: Light>(&self) -> Quick {
        let Poppers { taken: word, idle } = &*self.words().poppers;
        let taken = word.load(Relaxed); // Relaxed: row b.
        if taken == u64::from(Segment::<T>::SLOTS) {
            return Quick::Other;
        }
        // Relaxed: row h. Who polls leaves the slot alone, as its pusher is about to write to it.
        let polls = tuned(1, 0) != 0 && idle.load(Relaxed) == taken + 1;
        let slot = self.slot(taken as u32);
        if !polls && slot.is_full() {
            // Relaxed: row b.
            if !slot.is_trusted::<L>() {
                return Quick::Other;
            }
            // Relaxed: row b.
            return match word.compare_exchange(taken, taken + 1, Relaxed, Relaxed) {
                Ok(_) => Quick::Claimed(taken as u32),
                Err(_) => Quick::Lost,
            };
        }
        // SeqCst: row c. Sealed, it has no ticket left, which is no smaller number.
        if next(self.words().tickets.load_total(ord!("segment.c/one", SeqCst))) > taken {
            return Quick::Other;
        }
        if !polls {
            idle.store(taken + 1, Relaxed); // Relaxed: row h.
        }
        Quick::Empty
    }

    /// Claims the value at the front, and up to `max` of those behind it if they are there.
    #[inline]
    pub(super) fn claim<L: Light>(&self, max: u32, backoff: &mut Backoff) -> Front {
        let mut taken = self.words().poppers.taken.load(Relaxed) as u32; // Relaxed: row b.
        loop {
            if taken == Segment::<T>::SLOTS {
                return self.after_last();
            }
            let count = match self.slot(taken).look::<L>() {
                Seen::Value => 1 + self.more_values::<L>(taken + 1, max - 1),
                Seen::Nothing => 0,
                Seen::NotYet => match self.front_without_value(taken) {
                    Some(front) => return front,
                    None => {
                        taken = self.words().poppers.taken.load(Relaxed) as u32; // Relaxed: row b.
                        continue;
                    }
                },
            };
            let (from, to) = (u64::from(taken), u64::from(taken + count.max(1)));
            // Relaxed: row b.
            match self.words().poppers.taken.compare_exchange(from, to, Relaxed, Relaxed) {
                Ok(_) if count > 0 => return Front::Claimed { first: taken, count },
                Ok(_) => taken += 1,
                Err(now) => {
                    taken = now as u32;
                    backoff.lost_race();
                }
            }
        }
    }

    /// How many values there are from a slot on, without a gap.
    #[inline]
    fn more_values<L: Light>(&self, from: u32, max: u32) -> u32 {
        let max = max.min(Segment::<T>::SLOTS - from);
        let is_value = |slot: &Slot<T>| slot.is_full() && slot.is_trusted::<L>();
        (0..max).take_while(|i| is_value(self.slot(from + i))).count() as u32
    }

    /// Tells an empty queue from a pusher on its way, and gives that some time, or its slot up.
    /// `None` to look again.
    #[inline(never)]
    fn front_without_value(&self, taken: u32) -> Option<Front> {
        // SeqCst: row c.
        let tickets = self.words().tickets.load_total(ord!("segment.c", SeqCst));
        if u64::from(taken) >= limit::<T>(tickets) {
            return Some(self.after_last());
        }
        if u64::from(taken) >= next(tickets) {
            return Some(Front::Empty);
        }
        let slot = self.slot(taken);
        // Looks get fewer: each takes the line away from the pusher, who is in the middle of it.
        let (mut pauses, mut waited) = (1, 0);
        while waited < tuned(PATIENCE, 0) {
            (0..pauses).for_each(|_| spin_loop());
            if slot.is_decided() {
                return None;
            }
            waited += pauses;
            pauses *= 2;
        }
        if slot.lose_patience() == Seen::NotYet {
            // There is no fence to be had, and so no way on but to wait.
            crate::primitive::yield_now();
        }
        None
    }

    /// No value is left here.
    fn after_last(&self) -> Front {
        let see = ord!("segment.e/last", Acquire); // Acquire: row e.
        // SeqCst: row g.
        let next = self.words().next.load_total(ord!("segment.g", SeqCst), see);
        if next.is_null() { Front::Empty } else { Front::Past(next) }
    }

    /// Whether there is no value and nobody on the way with one; the next segment if that is to be
    /// asked.
    pub(super) fn is_empty(&self) -> Front {
        loop {
            let taken = self.words().poppers.taken.load(Relaxed); // Relaxed: row b.
            // SeqCst: row c.
            let tickets = self.words().tickets.load_total(ord!("segment.c/is_empty", SeqCst));
            if taken >= limit::<T>(tickets) {
                return self.after_last();
            }
            if taken >= next(tickets) {
                return Front::Empty;
            }
            // A dead slot is not there, for who asks.
            if self.slot(taken as u32).look::<Any>() != Seen::Nothing {
                return Front::Claimed { first: taken as u32, count: 0 };
            }
            // Relaxed: row b.
            let _ = self.words().poppers.taken.compare_exchange(taken, taken + 1, Relaxed, Relaxed);
        }
    }

    // Alone.

    /// As [`fill`](Slot::fill) with a ticket, if there is one.
    ///
    /// # Safety
    ///
    /// Nobody else uses the segment.
    pub(super) unsafe fn push_alone(&self, value: T) -> Result<(), T> {
        let tickets = self.words().tickets.load(Relaxed); // Relaxed: alone.
        if next(tickets) >= u64::from(Segment::<T>::SLOTS) {
            return Err(value);
        }
        self.words().tickets.store(tickets + 1, Relaxed); // Relaxed: alone.
        // SAFETY: the slot's ticket is ours.
        unsafe { self.slot(next(tickets) as u32).fill::<Any>(value) }
    }

    /// Takes the value at the front, if there is one; pushers that are not there are no more.
    ///
    /// # Safety
    ///
    /// Nobody else uses the segment.
    pub(super) unsafe fn pop_alone(&self) -> Option<T> {
        loop {
            let taken = self.words().poppers.taken.load(Relaxed); // Relaxed: alone.
            let tickets = self.words().tickets.load(Relaxed); // Relaxed: alone.
            if taken >= next(tickets).min(limit::<T>(tickets)) {
                return None;
            }
            self.words().poppers.taken.store(taken + 1, Relaxed); // Relaxed: alone.
            let slot = self.slot(taken as u32);
            if slot.look::<Any>() == Seen::Value {
                // SAFETY: claimed above; the slot has a value.
                return Some(unsafe { slot.read() });
            }
        }
    }

    // Positions.

    /// The position of the first slot that no popper has taken.
    pub(super) fn front(&self) -> u64 {
        // Relaxed: row b, and `base` is published with the segment.
        self.words().base.load(Relaxed) + self.words().poppers.taken.load(Relaxed)
    }

    /// The position of the next ticket.
    pub(super) fn back(&self) -> u64 {
        let tickets = self.words().tickets.load(Relaxed); // Relaxed: row h.
        self.words().base.load(Relaxed) + next(tickets).min(limit::<T>(tickets))
    }

    /// The position of the first slot of the next segment.
    fn end(&self) -> u64 {
        let tickets = self.words().tickets.load(Relaxed); // Relaxed: row h.
        self.words().base.load(Relaxed) + limit::<T>(tickets)
    }
}

#[inline]
fn next(tickets: u64) -> u64 {
    tickets & u64::from(u32::MAX)
}

#[inline]
fn limit<T>(tickets: u64) -> u64 {
    match tickets >> 32 {
        0 => u64::from(Segment::<T>::SLOTS),
        sealed => sealed - 1,
    }
}
