//! A bounded multi-producer multi-consumer ring, closable.
//!
//! # State words
//!
//! ```text
//! head   position of the next pop
//! tail   position of the next push, with CLOSED in bit 63
//! slots  one {stamp, value} per place
//!
//!        62              log2(one_lap)               0
//!        +----------------------+--------------------+
//!        |         lap          |       index        |      a position
//!        +----------------------+--------------------+
//!
//! stamp of the slot at a position p       meaning
//! p                                       empty, for the push that gets position p
//! p + 1                                   full, for the pop that gets position p
//! p + one_lap                             empty, for the push one lap later
//! ```
//!
//! `one_lap` is the power of two above the capacity, so any capacity works, and `p + 1` of a slot
//! is never `p + one_lap`. Positions have 63 bits and go round: whatever the capacity is, the same
//! one comes again after at least 2^62 pushes (seven centuries, if no two of them take less than
//! the five nanoseconds of one locked instruction). Even that does harm only to a thread that has
//! been in the middle of one and the same operation all the while.
//!
//! # Invariants
//!
//! 1. The compare-exchange that moves `tail` past positions gives their slots to one pusher, the
//!    one that moves `head` gives them to one popper; between that and the store of its stamp
//!    nobody else touches the value of a slot. Nothing of a user's is called in between.
//! 2. `tail` does not move once CLOSED is set. So whoever reads `CLOSED | p` with `head == p` knows
//!    that the ring is empty for good.
//! 3. `head <= tail <= head + capacity`, in positions. A move of `tail` past *p* comes after the
//!    move of `head` past the position one lap before (by rows d and a), and the move of `head`
//!    past *p* after that of `tail` (by rows b and c): also in the total order of row e.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | push loads the stamp | Acquire | d | the last popper has read its value before we write ours |
//! | b | push stores the stamp | Release | c | publish the value |
//! | c | pop loads the stamp | Acquire | b | see the value |
//! | d | pop stores the stamp | Release | a | our read of the value is over |
//! | e | read-modify-writes that move `head`, `tail` | SeqCst | f, g | hand out positions, in the one total order in which (f) and (g) look; the slots are ordered by (a) to (d) |
//! | f | loads of `tail`, then `head`, before "full" | SeqCst | e | a pop that came before is seen |
//! | g | loads of `head`, then `tail`, before "empty" | SeqCst | e | a push that came before is seen |
//! | h | close sets CLOSED | Release | i | publish what came before the end |
//! | i | load of the tail once CLOSED was seen | Acquire | h | see it |
//!
//! # Linearization points
//!
//! A push or pop that succeeds, alone or as a run: its compare-exchange, which takes all positions
//! of a run at once. An answer "empty": its load of `tail`. It found `head == p` before, so `head`
//! is at least *p* there, `tail` is *p*, and by invariant 3 `head` is too. An answer "full": its
//! load of `head`, likewise, and so are [`Ring::is_empty`], [`Ring::is_full`] and [`Ring::len`],
//! which finds the same tail before and after. All of these are accesses in the one total order of
//! `SeqCst` operations, which agrees with what happens before what. On x86-64 the loads among them
//! are plain ones: the barrier is in the locked instructions of those who push and pop. What is
//! *not* promised: that an answer is a fence for other accesses of its caller.
//!
//! An operation that finds a position handed out but not yet published waits for it rather than
//! answer "full" or "empty" falsely; it is therefore **not lock-free**: a thread that is preempted
//! between its two steps holds up those that come to the same slot. They pause, then yield, then
//! sleep for up to a millisecond at a time, so that a thread of lower priority gets to finish. The
//! `try_` forms say "busy" instead: they found, with `head` or `tail` at one position before and
//! after, that its slot is not free for them though the ring is neither full nor empty.
//!
//! [`Ring::force_push`] on a full ring moves `head` first, which is its linearization point, and
//! then `tail`. Until it has moved that, its slot keeps the stamp of the displaced value: pushes
//! find neither room nor "full", and pops that come to the slot find neither a value nor "empty".
//! So both wait, and nobody is told of the moment in between, but for `is_empty`, `is_full` and
//! `len`, which look at `head` and `tail` alone.
//!
//! # Scaling
//!
//! A push or a pop is one compare-exchange on its end's line and one plain store to the slot's
//! line. Pushers contend for `tail`, poppers for `head`; the two ends are on lines of their own and
//! look at each other only when the ring seems full or empty. A run of *n* is one compare-exchange
//! and *n* stores. A lost race is followed by pauses that double, so that of many pushers most are
//! away from the line while one succeeds.
//!
//! # Sources
//!
//! Dmitry Vyukov, "Bounded MPMC queue" (1024cores.net); the lap in the position, for capacities
//! that are not powers of two, as in crossbeam-queue's `ArrayQueue`.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::mem::{self, MaybeUninit};
use core::slice;

use crossbeam_utils::CachePadded;

use super::AbortOnUnwind;
use crate::primitive::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::primitive::{AtomicU64, Backoff, Ordering, TotalU64, UnsafeCell, mutant, ord};

/// Set in `tail` by [`Ring::close`].
const CLOSED: u64 = 1 << 63;

/// The bits of a position.
const POSITION: u64 = CLOSED - 1;

/// Why a push was refused; the value comes back.
#[derive(Debug)]
pub enum PushError<T> {
    /// Every slot was taken.
    Full(T),
    /// The ring was closed.
    Closed(T),
}

/// Why a pop found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PopError {
    /// No slot was full.
    Empty,
    /// No slot was full and none will be.
    Closed,
}

/// Why a push that does not wait was refused; the value comes back.
#[derive(Debug)]
pub enum TryPushError<T> {
    /// Every slot was taken.
    Full(T),
    /// The ring was closed.
    Closed(T),
    /// Somebody else was in the middle of an operation on the slot.
    Busy(T),
}

/// Why a pop that does not wait found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryPopError {
    /// No slot was full.
    Empty,
    /// No slot was full and none will be.
    Closed,
    /// Somebody else was in the middle of an operation on the slot.
    Busy,
}

/// Why there are no places to push to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoPlace {
    Full,
    Closed,
    Busy,
}

/// What comes of a first try to pop, if it is no value.
enum Once {
    Empty,
    /// Not the plain case; or a race was lost.
    Again {
        lost: bool,
    },
}

/// The ring inside [`ArrayQueue`](crate::queue::ArrayQueue) and
/// [`BlockingQueue`](crate::queue::BlockingQueue).
pub struct Ring<T> {
    head: CachePadded<TotalU64>,
    tail: CachePadded<TotalU64>,
    slots: Box<[Slot<T>]>,
    one_lap: u64,
}

struct Slot<T> {
    stamp: AtomicU64,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the ring owns its values and hands each to one thread (invariant 1).
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as for `Send`; no reference to a value is ever shared.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    /// Creates an empty ring.
    ///
    /// # Panics
    ///
    /// If `capacity` is zero, or more than there is memory for.
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "lockwork: a queue needs a capacity of at least 1");
        match Self::try_new(capacity) {
            Some(ring) => ring,
            None => panic!("lockwork: there is no memory for a queue of {capacity} places"),
        }
    }

    /// As [`new`](Self::new), for a capacity above zero; `None` if there is no memory for it.
    pub fn try_new(capacity: usize) -> Option<Self> {
        Self::starting_at(capacity, 0)
    }

    /// A ring whose first position is this one, to come to the last one soon.
    fn starting_at(capacity: usize, first: u64) -> Option<Self> {
        let mut slots = Vec::new();
        slots.try_reserve_exact(capacity).ok()?; // Afterwards the numbers below are small enough.
        let one_lap = (capacity as u64 + 1).next_power_of_two();
        let index = first & (one_lap - 1);
        let (lap, next_lap) = (first - index, (first - index + one_lap) & POSITION);
        slots.extend((0..capacity as u64).map(|i| Slot {
            stamp: AtomicU64::new(if i < index { next_lap } else { lap } + i),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }));
        Some(Self {
            head: CachePadded::new(TotalU64::new(first)),
            tail: CachePadded::new(TotalU64::new(first)),
            slots: slots.into_boxed_slice(),
            one_lap,
        })
    }

    /// Appends `value`.
    #[inline]
    pub fn push(&self, value: T) -> Result<(), PushError<T>> {
        let Err((value, lost)) = self.push_once(value) else { return Ok(()) };
        self.push_again::<true>(value, lost).map_err(|(value, reason)| match reason {
            NoPlace::Closed => PushError::Closed(value),
            NoPlace::Full | NoPlace::Busy => PushError::Full(value),
        })
    }

    /// Appends `value`, and does not wait for anybody.
    #[inline]
    pub fn try_push(&self, value: T) -> Result<(), TryPushError<T>> {
        let Err((value, lost)) = self.push_once(value) else { return Ok(()) };
        self.push_again::<false>(value, lost).map_err(|(value, reason)| match reason {
            NoPlace::Full => TryPushError::Full(value),
            NoPlace::Closed => TryPushError::Closed(value),
            NoPlace::Busy => TryPushError::Busy(value),
        })
    }

    /// The first try. Says whether it was a race that was lost.
    #[inline(always)]
    fn push_once(&self, value: T) -> Result<(), (T, bool)> {
        let tail = self.tail.load(Relaxed); // Relaxed: row e decides.
        let slot = self.slot(tail);
        // Acquire: row a. A tail that is closed is no stamp.
        if slot.stamp.load(ord!("ring.a", Acquire)) != tail {
            return Err((value, false));
        }
        let next = self.after(tail);
        // SeqCst: row e.
        match self.tail.compare_exchange_weak_total(tail, next, ord!("ring.e", SeqCst)) {
            Ok(_) => {
                // SAFETY: just claimed.
                unsafe { Self::put(slot, tail, value) };
                Ok(())
            }
            Err(_) => Err((value, true)),
        }
    }

    #[cold]
    fn push_again<const WAIT: bool>(&self, value: T, lost: bool) -> Result<(), (T, NoPlace)> {
        match self.claim_places::<WAIT>(1, lost) {
            Ok((position, _)) => {
                // SAFETY: just claimed.
                unsafe { Self::put(self.slot(position), position, value) };
                Ok(())
            }
            Err(reason) => Err((value, reason)),
        }
    }

    /// Claims up to `max` places behind each other, at least one, for values that leave one after
    /// the other. `max` is not 0.
    #[inline]
    pub fn push_run(&self, max: usize) -> Result<PushRun<'_, T>, PushError<()>> {
        match self.claim_places::<true>(max, false) {
            Ok((position, count)) => Ok(PushRun { slots: self.slots(position, count) }),
            Err(NoPlace::Closed) => Err(PushError::Closed(())),
            Err(NoPlace::Full | NoPlace::Busy) => Err(PushError::Full(())),
        }
    }

    /// Appends `value`; to a full ring in place of the oldest, which is returned. Not for rings
    /// that are closed.
    #[inline]
    pub fn force_push(&self, value: T) -> Option<T> {
        let mut backoff = Backoff::new();
        loop {
            match self.claim_places::<true>(1, false) {
                Ok((position, _)) => {
                    // SAFETY: just claimed.
                    unsafe { Self::put(self.slot(position), position, value) };
                    return None;
                }
                Err(reason) => debug_assert_ne!(reason, NoPlace::Closed),
            }
            let tail = self.tail.load(Relaxed); // Relaxed: row e decides, of the head.
            let slot = self.slot(tail);
            // Acquire: row c.
            let stamp = slot.stamp.load(ord!("ring.c/force_push", Acquire));
            let head = tail.wrapping_sub(self.one_lap) & POSITION;
            if stamp != head + 1 {
                // Just popped; or the value that is one lap old is still being pushed.
                backoff.wait_for_other();
                continue;
            }
            let next = self.after(head);
            // SeqCst: row e.
            match self.head.compare_exchange_weak_total(head, next, SeqCst) {
                Ok(_) => {
                    // The head was one lap behind, so `tail` is the tail, and stays it: its slot is
                    // ours, and has not the stamp that pushes look for.
                    if !mutant!("ring.displace-without-place") {
                        // SeqCst: row e. (It leaves the ring as full as it was: what it would do
                        // otherwise, no answer shows.)
                        self.tail.swap_total(self.after(tail), SeqCst);
                    }
                    // SAFETY: the slot is ours (invariant 1), and full by its stamp.
                    let old = slot.value.with_mut(|place| unsafe {
                        mem::replace(&mut *place, MaybeUninit::new(value)).assume_init()
                    });
                    // Release: row b.
                    slot.stamp.store(tail + 1, ord!("ring.b/force_push", Release));
                    return Some(old);
                }
                Err(_) => backoff.lost_race(),
            }
        }
    }

    /// Takes the oldest value.
    #[inline]
    pub fn pop(&self) -> Result<T, PopError> {
        let lost = match self.pop_once() {
            Ok(value) => return Ok(value),
            Err(Once::Empty) => return Err(PopError::Empty),
            Err(Once::Again { lost }) => lost,
        };
        self.pop_again::<true>(lost).map_err(|reason| match reason {
            TryPopError::Closed => PopError::Closed,
            TryPopError::Empty | TryPopError::Busy => PopError::Empty,
        })
    }

    /// Takes the oldest value, and does not wait for anybody.
    #[inline]
    pub fn try_pop(&self) -> Result<T, TryPopError> {
        match self.pop_once() {
            Ok(value) => Ok(value),
            Err(Once::Empty) => Err(TryPopError::Empty),
            Err(Once::Again { lost }) => self.pop_again::<false>(lost),
        }
    }

    /// The first try, which also answers "empty" where that is plain.
    #[inline(always)]
    fn pop_once(&self) -> Result<T, Once> {
        let head = self.head.load_total(ord!("ring.g", SeqCst)); // SeqCst: row g.
        let slot = self.slot(head);
        let stamp = slot.stamp.load(ord!("ring.c", Acquire)); // Acquire: row c.
        if stamp == head {
            // SeqCst: row g. A tail that is closed is no head.
            let empty = self.tail.load_total(ord!("ring.g", SeqCst)) == head;
            return Err(if empty { Once::Empty } else { Once::Again { lost: false } });
        }
        if stamp != head + 1 {
            return Err(Once::Again { lost: false });
        }
        let next = self.after(head);
        // SeqCst: row e.
        match self.head.compare_exchange_weak_total(head, next, ord!("ring.e", SeqCst)) {
            // SAFETY: just claimed.
            Ok(_) => Ok(unsafe { self.take(slot, head) }),
            Err(_) => Err(Once::Again { lost: true }),
        }
    }

    #[cold]
    fn pop_again<const WAIT: bool>(&self, lost: bool) -> Result<T, TryPopError> {
        let (position, _) = self.claim_values::<WAIT>(1, lost)?;
        // SAFETY: just claimed.
        Ok(unsafe { self.take(self.slot(position), position) })
    }

    /// Claims up to `max` of the oldest values, at least one. `max` is not 0.
    #[inline]
    pub fn pop_run(&self, max: usize) -> Result<PopRun<'_, T>, PopError> {
        match self.claim_values::<true>(max, false) {
            Ok((position, count)) => Ok(PopRun { ring: self, slots: self.slots(position, count) }),
            Err(TryPopError::Closed) => Err(PopError::Closed),
            Err(TryPopError::Empty | TryPopError::Busy) => Err(PopError::Empty),
        }
    }

    /// Claims up to `max` places, at least one: the first position, and how many. Only if `WAIT` is
    /// false can they be busy. `lost`: a try before has lost its race.
    #[inline(always)]
    fn claim_places<const WAIT: bool>(
        &self,
        max: usize,
        lost: bool,
    ) -> Result<(u64, usize), NoPlace> {
        debug_assert!(max > 0);
        let mut backoff = Backoff::new();
        if lost {
            backoff.lost_race();
        }
        let mut tail = self.tail.load(Relaxed); // Relaxed: row e decides.
        loop {
            if tail & CLOSED != 0 {
                self.see_closed();
                return Err(NoPlace::Closed);
            }
            let slot = self.slot(tail);
            let stamp = slot.stamp.load(ord!("ring.a", Acquire)); // Acquire: row a.
            if stamp == tail {
                // Acquire: row a, of those behind.
                let order = ord!("ring.a/run", Acquire);
                let (end, count) = self.run_of(tail, max, 0, order);
                // SeqCst: row e.
                match self.tail.compare_exchange_weak_total(tail, end, ord!("ring.e", SeqCst)) {
                    Ok(_) => return Ok((tail, count)),
                    Err(now) => {
                        tail = now;
                        backoff.lost_race();
                    }
                }
                continue;
            }
            let now = self.tail.load_total(ord!("ring.f", SeqCst)); // SeqCst: row f.
            if now != tail {
                tail = now;
                backoff.lost_race();
                continue;
            }
            let head = self.head.load_total(ord!("ring.f", SeqCst)); // SeqCst: row f.
            if (head + self.one_lap) & POSITION == tail {
                return Err(NoPlace::Full);
            }
            // The value that is one lap old is still being popped, or was meanwhile.
            if WAIT {
                backoff.wait_for_other();
                tail = self.tail.load(Relaxed);
            } else if slot.stamp.load(Relaxed) == stamp {
                return Err(NoPlace::Busy);
            }
        }
    }

    /// Claims up to `max` values, at least one: the first position, and how many. Only if `WAIT` is
    /// false can they be busy. `lost`: a try before has lost its race.
    #[inline(always)]
    fn claim_values<const WAIT: bool>(
        &self,
        max: usize,
        lost: bool,
    ) -> Result<(u64, usize), TryPopError> {
        debug_assert!(max > 0);
        let mut backoff = Backoff::new();
        if lost {
            backoff.lost_race();
        }
        let mut head = self.head.load(Relaxed); // Relaxed: row e decides.
        loop {
            let slot = self.slot(head);
            let stamp = slot.stamp.load(ord!("ring.c", Acquire)); // Acquire: row c.
            if stamp == head + 1 {
                // Acquire: row c, of those behind.
                let order = ord!("ring.c/run", Acquire);
                let (end, count) = self.run_of(head, max, 1, order);
                // SeqCst: row e.
                match self.head.compare_exchange_weak_total(head, end, ord!("ring.e", SeqCst)) {
                    Ok(_) => return Ok((head, count)),
                    Err(now) => {
                        head = now;
                        backoff.lost_race();
                    }
                }
                continue;
            }
            let now = self.head.load_total(ord!("ring.g", SeqCst)); // SeqCst: row g.
            if now != head {
                head = now;
                backoff.lost_race();
                continue;
            }
            // With any other stamp the value one lap before is still being taken; and then perhaps
            // displaced, which leaves another one in its place.
            if stamp == head || mutant!("ring.empty-while-displaced") {
                let tail = self.tail.load_total(ord!("ring.g", SeqCst)); // SeqCst: row g.
                if tail & POSITION == head {
                    if tail & CLOSED == 0 {
                        return Err(TryPopError::Empty);
                    }
                    self.see_closed();
                    return Err(TryPopError::Closed);
                }
            }
            // A push is under way, or was until now.
            if WAIT {
                backoff.wait_for_other();
                head = self.head.load(Relaxed);
            } else if slot.stamp.load(Relaxed) == stamp {
                return Err(TryPopError::Busy);
            }
        }
    }

    /// How far a run can go that begins at a position that is ready: where it ends, and how many
    /// those are. The stamp of each has to be its position and `full` more.
    #[inline(always)]
    fn run_of(&self, position: u64, max: usize, full: u64, order: Ordering) -> (u64, usize) {
        let mut count = 1;
        if max > 1 {
            let mut slots = self.slots(position, max.min(self.slots.len()));
            slots.next();
            count += slots.ready(full, order);
            if slots.now.len() == 0 && !slots.rest.is_empty() {
                slots.turn();
                count += slots.ready(full, order);
            }
        }
        (self.advance(position, count), count)
    }

    /// The slots of `count` positions, no more than there are slots.
    #[inline(always)]
    fn slots(&self, position: u64, count: usize) -> Slots<'_, T> {
        let index = (position & (self.one_lap - 1)) as usize;
        let (before, from) = self.slots.split_at(index);
        let (now, rest) = match count.checked_sub(from.len()) {
            None => (&from[..count], &before[..0]),
            Some(rest) => (from, &before[..rest]),
        };
        let rest_position = (position - index as u64 + self.one_lap) & POSITION;
        Slots { now: now.iter(), position, rest, rest_position }
    }

    /// Writes and publishes a value.
    ///
    /// # Safety
    ///
    /// The position was claimed by this caller, for its place, and is published once.
    #[inline(always)]
    unsafe fn put(slot: &Slot<T>, position: u64, value: T) {
        // SAFETY: the slot is ours (invariant 1), and empty by its stamp.
        slot.value.with_mut(|place| unsafe { (*place).write(value) });
        slot.stamp.store(position + 1, ord!("ring.b", Release)); // Release: row b.
    }

    /// Reads a value and leaves its place to others.
    ///
    /// # Safety
    ///
    /// The position was claimed by this caller, for its value, and is left once.
    #[inline(always)]
    unsafe fn take(&self, slot: &Slot<T>, position: u64) -> T {
        // SAFETY: as told.
        unsafe { Self::leave(slot, (position + self.one_lap) & POSITION) }
    }

    /// The same; `free` is the position one lap later.
    ///
    /// # Safety
    ///
    /// As for [`take`](Self::take).
    #[inline(always)]
    unsafe fn leave(slot: &Slot<T>, free: u64) -> T {
        // SAFETY: the slot is ours (invariant 1), and full by its stamp.
        let value = slot.value.with_mut(|place| unsafe { (*place).assume_init_read() });
        slot.stamp.store(free, ord!("ring.d", Release)); // Release: row d.
        value
    }

    /// As [`push`](Self::push), when there is nobody else.
    pub fn push_mut(&mut self, value: T) -> Result<(), PushError<T>> {
        let (head, tail) = (*self.head.get_mut(), *self.tail.get_mut());
        if tail & CLOSED != 0 {
            return Err(PushError::Closed(value));
        }
        if (head + self.one_lap) & POSITION == tail {
            return Err(PushError::Full(value));
        }
        *self.tail.get_mut() = self.after(tail);
        let slot = self.slot_mut(tail);
        slot.value.get_mut().write(value);
        *slot.stamp.get_mut() = tail + 1;
        Ok(())
    }

    /// As [`pop`](Self::pop), when there is nobody else.
    pub fn pop_mut(&mut self) -> Result<T, PopError> {
        let (head, tail) = (*self.head.get_mut(), *self.tail.get_mut());
        if tail & POSITION == head {
            return Err(if tail & CLOSED == 0 { PopError::Empty } else { PopError::Closed });
        }
        *self.head.get_mut() = self.after(head);
        let free = (head + self.one_lap) & POSITION;
        let slot = self.slot_mut(head);
        *slot.stamp.get_mut() = free;
        // SAFETY: between head and tail slots are full, when nobody is in the middle of anything;
        // the head has moved on, so nobody reads this one again.
        Ok(unsafe { slot.value.get_mut().assume_init_read() })
    }

    /// Drops all values, when there is nobody else; the rest also if a destructor panics.
    pub fn clear(&mut self) {
        drop_all(self, |ring| ring.pop_mut().ok());
    }

    /// Refuses pushes from now on, and says whether it did not already. A push is either refused or
    /// seen by the pops that drain the ring: both go through `tail`.
    pub fn close(&self) -> bool {
        if mutant!("ring.close") {
            return true;
        }
        // Release: row h.
        self.tail.fetch_or(CLOSED, ord!("ring.h", Release)) & CLOSED == 0
    }

    /// Makes what came before `close` visible to a thread that has found CLOSED set. It stays set,
    /// and the tail stays where it is, so this reads it again.
    #[cold]
    fn see_closed(&self) {
        self.tail.load(ord!("ring.i", Acquire)); // Acquire: row i.
    }

    /// Whether the ring was closed.
    pub fn is_closed(&self) -> bool {
        self.tail.load(Relaxed) & CLOSED != 0
    }

    /// The number of places.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// The number of values at a moment between call and return.
    pub fn len(&self) -> usize {
        // SeqCst: as row f, for those who ask instead of pushing.
        let look = |end: &TotalU64| end.load_total(ord!("ring.f/len", SeqCst));
        let mut tail = look(&self.tail);
        loop {
            let head = look(&self.head);
            let now = look(&self.tail);
            if now == tail {
                return self.distance(head, tail & POSITION);
            }
            tail = now;
        }
    }

    /// The number of values that were ever pushed.
    pub fn pushed(&self) -> u64 {
        // Acquire: whoever has seen what became of a value finds its push counted.
        self.number_of(self.tail.load(Acquire) & POSITION)
    }

    /// The number of values that were ever popped.
    pub fn popped(&self) -> u64 {
        self.number_of(self.head.load(Relaxed)) // Relaxed: a hint.
    }

    /// How many values come before the one at this position.
    fn number_of(&self, position: u64) -> u64 {
        let index = position & (self.one_lap - 1);
        position / self.one_lap * self.slots.len() as u64 + index
    }

    /// Whether there is no value at a moment between call and return.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // SeqCst: as row g, for those who ask instead of popping.
        let look = |end: &TotalU64| end.load_total(ord!("ring.g/is_empty", SeqCst));
        let head = look(&self.head);
        head == look(&self.tail) & POSITION
    }

    /// Whether there is no free place at a moment between call and return.
    #[inline]
    pub fn is_full(&self) -> bool {
        // SeqCst: as row f, for those who ask instead of pushing.
        let look = |end: &TotalU64| end.load_total(ord!("ring.f/is_full", SeqCst));
        let tail = look(&self.tail) & POSITION;
        (look(&self.head) + self.one_lap) & POSITION == tail
    }

    /// How far apart they are, in values.
    fn distance(&self, head: u64, tail: u64) -> usize {
        let mask = self.one_lap - 1;
        let (from, to) = (head & mask, tail & mask);
        let capacity = self.slots.len() as u64;
        let len = if from < to {
            to - from
        } else if from > to {
            capacity - from + to
        } else if tail == head {
            0
        } else {
            capacity
        };
        len as usize
    }

    #[inline(always)]
    fn slot(&self, position: u64) -> &Slot<T> {
        let index = (position & (self.one_lap - 1)) as usize;
        debug_assert!(index < self.slots.len());
        // SAFETY: positions are made by `after`, which keeps the index below the number of slots.
        unsafe { self.slots.get_unchecked(index) }
    }

    fn slot_mut(&mut self, position: u64) -> &mut Slot<T> {
        let index = (position & (self.one_lap - 1)) as usize;
        &mut self.slots[index]
    }

    #[inline(always)]
    fn after(&self, position: u64) -> u64 {
        self.advance(position, 1)
    }

    /// The position that is `count` behind, no more than there are slots.
    #[inline(always)]
    fn advance(&self, position: u64, count: usize) -> u64 {
        let (index, count) = (position & (self.one_lap - 1), count as u64);
        match (index + count).checked_sub(self.slots.len() as u64) {
            None => position + count,
            // In the next lap; bit 63 is not a lap's.
            Some(beyond) => ((position - index + self.one_lap) & POSITION) + beyond,
        }
    }
}

/// Slots behind each other, each with its position.
struct Slots<'a, T> {
    /// Up to the end of the ring, or of the run.
    now: slice::Iter<'a, Slot<T>>,
    position: u64,
    /// From the start of the ring.
    rest: &'a [Slot<T>],
    rest_position: u64,
}

impl<'a, T> Slots<'a, T> {
    #[inline(always)]
    fn next(&mut self) -> Option<(u64, &'a Slot<T>)> {
        if self.now.len() == 0 {
            self.turn();
        }
        let slot = self.now.next()?;
        self.position += 1;
        Some((self.position - 1, slot))
    }

    /// Goes on from the start of the ring.
    #[inline(always)]
    fn turn(&mut self) {
        self.now = mem::take(&mut self.rest).iter();
        self.position = self.rest_position;
    }

    /// Passes those that are ready, up to the end of the ring, and says how many.
    #[inline(always)]
    fn ready(&mut self, full: u64, order: Ordering) -> usize {
        let (slots, first) = (self.now.as_slice(), self.position + full);
        let is_ready = |(slot, stamp): &(&Slot<T>, u64)| slot.stamp.load(order) == *stamp;
        let count = slots.iter().zip(first..).take_while(is_ready).count();
        self.now = slots[count..].iter();
        count
    }

    /// Splits off those up to the end of the ring; or from its start, if there are no such.
    #[inline(always)]
    fn part(&mut self) -> Slots<'a, T> {
        if self.now.len() == 0 {
            self.turn();
        }
        let now = mem::replace(&mut self.now, [].iter());
        Slots { now, position: self.position, rest: &[], rest_position: 0 }
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.now.len() + self.rest.len()
    }
}

impl<T> fmt::Debug for Slots<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Values for places that were claimed.
pub trait Values<T> {
    /// Gives `put` this many values; there are so many. Does not unwind, if `put` does not.
    fn fill(&mut self, count: usize, put: impl FnMut(T));
}

const TOO_MANY: &str = "lockwork: more values than places were claimed for";

/// Places that were claimed together. Each needs its value: until then, whoever comes to it waits.
#[derive(Debug)]
#[must_use = "those who come to these places wait for their values"]
pub struct PushRun<'a, T> {
    slots: Slots<'a, T>,
}

impl<'a, T> PushRun<'a, T> {
    /// How many places there still are.
    #[inline]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Fills all places.
    #[inline]
    pub fn fill(mut self, values: &mut impl Values<T>) {
        let abort = AbortOnUnwind; // others would wait for ever
        while self.len() > 0 {
            // Places that lie behind each other in memory: to fill these is a simple loop.
            let Slots { now: mut slots, mut position, .. } = self.slots.part();
            values.fill(slots.len(), |value| {
                let Some(slot) = slots.next() else { panic!("{TOO_MANY}") };
                // SAFETY: one of those claimed, and the next in turn.
                unsafe { Ring::put(slot, position, value) };
                position += 1;
            });
            assert!(slots.len() == 0, "lockwork: places were claimed and not filled");
        }
        mem::forget(abort);
    }

    /// Puts a value into the next place, and publishes it.
    ///
    /// # Panics
    ///
    /// If there is no next place.
    #[cfg(test)]
    pub fn put(&mut self, value: T) {
        let Some((position, slot)) = self.slots.next() else {
            panic!("{TOO_MANY}");
        };
        // SAFETY: one of those claimed, and the next in turn.
        unsafe { Ring::put(slot, position, value) };
    }
}

impl<T> Drop for PushRun<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.len() > 0 {
            // Others would wait for ever; no code of ours gets here.
            let _abort = AbortOnUnwind;
            panic!("lockwork: places were claimed and not filled");
        }
    }
}

/// Values that were claimed together, oldest first. Those who come to their places wait until they
/// are taken out or dropped.
#[derive(Debug)]
#[must_use = "those who come to these places wait until they are left"]
pub struct PopRun<'a, T> {
    ring: &'a Ring<T>,
    slots: Slots<'a, T>,
}

impl<T> Iterator for PopRun<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        let (position, slot) = self.slots.next()?;
        // SAFETY: one of those claimed, and the next in turn.
        Some(unsafe { self.ring.take(slot, position) })
    }

    #[inline]
    fn fold<B, F: FnMut(B, T) -> B>(mut self, first: B, mut join: F) -> B {
        let mut all = first;
        while self.len() > 0 {
            // Values that lie behind each other in memory: to take these is a simple loop.
            let mut part = PopRun { ring: self.ring, slots: self.slots.part() };
            let free = (part.slots.position + self.ring.one_lap) & POSITION;
            for (free, slot) in (free..).zip(part.slots.now.by_ref()) {
                part.slots.position += 1;
                // SAFETY: one of those claimed, and the next in turn.
                all = join(all, unsafe { Ring::leave(slot, free) });
            }
            mem::forget(part); // Nothing is left in it.
        }
        all
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.slots.len(), Some(self.slots.len()))
    }
}

impl<T> ExactSizeIterator for PopRun<'_, T> {}

impl<T> Drop for PopRun<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.len() > 0 {
            drop_all(self, Iterator::next);
        }
    }
}

/// Drops what `next` gives, also if a destructor has panicked.
fn drop_all<O, T>(owner: &mut O, next: fn(&mut O) -> Option<T>) {
    struct Rest<'a, O, T>(&'a mut O, fn(&mut O) -> Option<T>);

    impl<O, T> Drop for Rest<'_, O, T> {
        fn drop(&mut self) {
            while self.1(self.0).is_some() {}
        }
    }

    let rest = Rest(owner, next);
    while next(rest.0).is_some() {}
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        if mem::needs_drop::<T>() {
            self.clear();
        }
    }
}

impl<T> fmt::Debug for Ring<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::thread;

    use super::*;

    /// Rings of several capacities that come to their last position after a few steps.
    fn before_the_last_position() -> impl Iterator<Item = Ring<u64>> {
        [1_usize, 2, 3, 5, 7, 8].into_iter().flat_map(|capacity| {
            let one_lap = (capacity as u64 + 1).next_power_of_two();
            let last_lap = POSITION & !(one_lap - 1);
            (0..capacity as u64)
                .map(move |index| Ring::starting_at(capacity, last_lap - one_lap + index).unwrap())
        })
    }

    #[test]
    fn positions_go_round() {
        for mut ring in before_the_last_position() {
            let capacity = ring.capacity() as u64;
            let start = ring.tail.load(Relaxed);
            let (mut model, mut next) = (VecDeque::new(), 0..);
            for round in 0..12 * capacity {
                let want = if round % 5 < 3 { capacity } else { 1 };
                while (model.len() as u64) < want {
                    let value = next.next().unwrap();
                    match round % 3 {
                        0 => assert!(ring.push(value).is_ok()),
                        1 => assert!(ring.try_push(value).is_ok()),
                        _ => ring.push_run(1).unwrap().put(value),
                    }
                    model.push_back(value);
                }
                assert_eq!(ring.len(), model.len());
                assert_eq!(ring.is_full(), model.len() == ring.capacity());
                assert_eq!(ring.is_empty(), model.is_empty());
                if ring.is_full() {
                    assert!(matches!(ring.push(7), Err(PushError::Full(7))));
                    assert!(matches!(ring.try_push(7), Err(TryPushError::Full(7))));
                    let value = next.next().unwrap();
                    assert_eq!(ring.force_push(value), model.pop_front());
                    model.push_back(value);
                }
                for _ in 0..=round % capacity {
                    match round % 4 {
                        0 => assert_eq!(ring.pop().ok(), model.pop_front()),
                        1 => assert_eq!(ring.try_pop().ok(), model.pop_front()),
                        2 => assert_eq!(ring.pop_mut().ok(), model.pop_front()),
                        _ => {
                            if let Ok(run) = ring.pop_run(2) {
                                run.for_each(|value| assert_eq!(Some(value), model.pop_front()));
                            }
                        }
                    }
                }
            }
            assert!(ring.tail.load(Relaxed) < start, "still before the last position");
            ring.clear();
            assert_eq!(
                (ring.pop(), ring.try_pop()),
                (Err(PopError::Empty), Err(TryPopError::Empty))
            );
            assert!(ring.close());
            assert_eq!(ring.pop(), Err(PopError::Closed));
        }
    }

    #[test]
    fn positions_go_round_under_several_threads() {
        for ring in before_the_last_position() {
            const EACH: u64 = 2_000;
            let (ring, sum, count) = (&ring, &AtomicU64::new(0), &AtomicU64::new(0));
            thread::scope(|s| {
                for i in 0..2 {
                    s.spawn(move || {
                        for value in 0..EACH {
                            while ring.push(i * EACH + value).is_err() {
                                thread::yield_now();
                            }
                        }
                    });
                    s.spawn(move || {
                        while count.load(Relaxed) < 2 * EACH {
                            match ring.pop_run(3) {
                                Ok(run) => run.for_each(|value| {
                                    sum.fetch_add(value, Relaxed);
                                    count.fetch_add(1, Relaxed);
                                }),
                                Err(_) => thread::yield_now(),
                            }
                        }
                    });
                }
            });
            assert_eq!(sum.load(Relaxed), (0..2 * EACH).sum());
        }
    }

    /// A thread that has its position and does not go on: others are told so, or where there is
    /// more room than that one place, are not held up.
    #[test]
    fn a_stalled_operation_is_told_of() {
        let ring = Ring::new(3);
        let mut stalled = ring.push_run(1).unwrap();
        assert_eq!(ring.try_push(2).map_err(drop), Ok(()));
        assert_eq!(ring.try_pop(), Err(TryPopError::Busy));
        assert_eq!((ring.len(), ring.is_empty()), (2, false));
        assert!(ring.try_push(3).is_ok());
        // All places are taken: that much is certain without the stalled one.
        assert!(matches!(ring.try_push(4), Err(TryPushError::Full(4))));
        assert!(matches!(ring.push(4), Err(PushError::Full(4))));
        stalled.put(1);
        drop(stalled);
        assert_eq!([ring.try_pop(), ring.try_pop()], [Ok(1), Ok(2)]);

        let mut stalled = ring.pop_run(1).unwrap();
        assert_eq!((ring.len(), ring.try_pop()), (0, Err(TryPopError::Empty)));
        assert!(ring.try_push(5).is_ok() && ring.try_push(6).is_ok());
        assert!(matches!(ring.try_push(7), Err(TryPushError::Busy(7))));
        assert!(!ring.is_full());
        assert_eq!(stalled.next(), Some(3));
        assert!(ring.try_push(7).is_ok());
        drop(stalled);

        let ring = Ring::new(1);
        assert!(ring.push(1).is_ok());
        let stalled = ring.pop_run(1).unwrap();
        // Empty, but a displacement would look the same from here.
        assert_eq!((ring.try_pop(), ring.is_empty()), (Err(TryPopError::Busy), true));
        drop(stalled);
        assert_eq!(ring.try_pop(), Err(TryPopError::Empty));
    }

    /// Whoever waits for a stalled operation goes on when that does.
    #[test]
    fn a_stalled_operation_is_waited_for() {
        let ring = Ring::new(2);
        thread::scope(|s| {
            let mut stalled = ring.push_run(1).unwrap();
            let consumer = s.spawn(|| ring.pop());
            thread::sleep(std::time::Duration::from_millis(3)); // let it come to sleep, mostly
            stalled.put('a');
            assert_eq!(consumer.join().unwrap(), Ok('a'));
            drop(stalled);

            assert!(ring.push('b').is_ok() && ring.push('c').is_ok());
            let mut stalled = ring.pop_run(1).unwrap();
            let producer = s.spawn(|| ring.push('d').is_ok());
            thread::sleep(std::time::Duration::from_millis(3));
            assert_eq!(stalled.next(), Some('b'));
            assert!(producer.join().unwrap());
        });
        assert_eq!([ring.pop(), ring.pop()], [Ok('c'), Ok('d')]);
    }

    /// Values of a run that nobody takes are dropped, and their places are free.
    #[test]
    fn a_run_that_is_dropped_is_left() {
        let ring = Ring::new(3);
        let mut run = ring.push_run(3).unwrap();
        let token = std::sync::Arc::new(());
        (0..3).for_each(|_| run.put(token.clone()));
        drop(run);
        let mut run = ring.pop_run(3).unwrap();
        assert_eq!(run.len(), 3);
        drop(run.next());
        drop(run);
        assert_eq!(std::sync::Arc::strong_count(&token), 1);
        assert_eq!(
            ring.push_run(9)
                .map(|mut run| {
                    (0..3).for_each(|_| run.put(token.clone()));
                    run.len()
                })
                .ok(),
            Some(0)
        );
    }
}
