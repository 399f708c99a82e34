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
//! is never `p + one_lap`. Positions have 63 bits; with capacity *c* they are used up after more
//! than 2^61 pushes whatever *c* is: centuries at any rate.
//!
//! # Invariants
//!
//! 1. The compare-exchange that moves `tail` past a position gives its slot to one pusher, the one
//!    that moves `head` gives it to one popper; between that and the store of the stamp nobody else
//!    touches the value.
//! 2. `tail` does not move once CLOSED is set. So whoever reads `CLOSED | p` with `head == p` knows
//!    that the ring is empty for good.
//! 3. `head <= tail <= head + capacity`, in positions.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | push loads the stamp | Acquire | d | the last popper has read its value before we write ours |
//! | b | push stores the stamp | Release | c | publish the value |
//! | c | pop loads the stamp | Acquire | b | see the value |
//! | d | pop stores the stamp | Release | a | our read of the value is over |
//! | e | compare-exchange of `head`, `tail` | Relaxed | - | hands out a position; (a) to (d) order the slot |
//! | f | fence before "full" | SeqCst | f, g | the look stays behind our own stores before it: a pop that came before in real time is seen |
//! | g | fence before "empty" | SeqCst | f, g | as (f), for a push |
//! | h | close sets CLOSED | Release | i | publish what came before the end |
//! | i | load of the tail once CLOSED was seen | Acquire | h | see it |
//!
//! # Linearization points
//!
//! A push or pop that succeeds: its compare-exchange. A refusal: the load of the other end after
//! the fence. An operation that finds a position handed out but not yet published waits for it
//! rather than answer "full" or "empty" falsely; it is therefore **not lock-free**: a thread that
//! is preempted between its two steps holds up those that come to the same slot. They pause, then
//! yield, then sleep for up to a millisecond at a time, so that a thread of lower priority gets to
//! finish.
//!
//! # Scaling
//!
//! A push or a pop is one compare-exchange on its end's line and one plain store to the slot's
//! line. Pushers contend for `tail`, poppers for `head`; the two ends are on lines of their own and
//! look at each other only when the ring seems full or empty.
//!
//! # Sources
//!
//! Dmitry Vyukov, "Bounded MPMC queue" (1024cores.net); the lap in the position, for capacities
//! that are not powers of two, as in crossbeam-queue's `ArrayQueue`.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::mem::MaybeUninit;

use crossbeam_utils::CachePadded;

use crate::primitive::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::primitive::{AtomicU64, Backoff, UnsafeCell, fence, mutant, ord};

/// Set in `tail` by [`Ring::close`].
const CLOSED: u64 = 1 << 63;

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

/// The ring inside [`ArrayQueue`](crate::queue::ArrayQueue) and
/// [`BlockingQueue`](crate::queue::BlockingQueue).
pub struct Ring<T> {
    head: CachePadded<AtomicU64>,
    tail: CachePadded<AtomicU64>,
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
        let mut slots = Vec::new();
        slots.try_reserve_exact(capacity).ok()?;
        slots.extend((0..capacity as u64).map(|position| Slot {
            stamp: AtomicU64::new(position),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }));
        Some(Self {
            head: CachePadded::new(AtomicU64::new(0)),
            tail: CachePadded::new(AtomicU64::new(0)),
            slots: slots.into_boxed_slice(),
            one_lap: (capacity as u64 + 1).next_power_of_two(),
        })
    }

    /// Appends `value`.
    pub fn push(&self, value: T) -> Result<(), PushError<T>> {
        let mut backoff = Backoff::new();
        let mut tail = self.tail.load(Relaxed); // Relaxed: row e decides.
        loop {
            if tail & CLOSED != 0 {
                self.see_closed();
                return Err(PushError::Closed(value));
            }
            let slot = self.slot(tail);
            let stamp = slot.stamp.load(ord!("ring.a", Acquire)); // Acquire: row a.
            if stamp == tail {
                let next = self.after(tail);
                // Relaxed: row e.
                match self.tail.compare_exchange_weak(tail, next, Relaxed, Relaxed) {
                    Ok(_) => {
                        // SAFETY: the slot is ours (invariant 1), and empty by its stamp.
                        slot.value.with_mut(|place| unsafe { (*place).write(value) });
                        slot.stamp.store(tail + 1, ord!("ring.b", Release)); // Release: row b.
                        return Ok(());
                    }
                    Err(now) => {
                        tail = now;
                        backoff.lost_race();
                    }
                }
            } else {
                if stamp + self.one_lap == tail + 1 {
                    // Full, or a pop of the value that is one lap old is under way.
                    fence(ord!("ring.f", SeqCst)); // SeqCst: row f.
                    if self.head.load(Relaxed) + self.one_lap == tail {
                        return Err(PushError::Full(value));
                    }
                }
                backoff.wait_for_other();
                tail = self.tail.load(Relaxed);
            }
        }
    }

    /// Takes the oldest value.
    pub fn pop(&self) -> Result<T, PopError> {
        let mut backoff = Backoff::new();
        let mut head = self.head.load(Relaxed); // Relaxed: row e decides.
        loop {
            let slot = self.slot(head);
            let stamp = slot.stamp.load(ord!("ring.c", Acquire)); // Acquire: row c.
            if stamp == head + 1 {
                let next = self.after(head);
                // Relaxed: row e.
                match self.head.compare_exchange_weak(head, next, Relaxed, Relaxed) {
                    Ok(_) => {
                        // SAFETY: the slot is ours (invariant 1), and full by its stamp.
                        let value =
                            slot.value.with_mut(|place| unsafe { (*place).assume_init_read() });
                        // Release: row d.
                        slot.stamp.store(head + self.one_lap, ord!("ring.d", Release));
                        return Ok(value);
                    }
                    Err(now) => {
                        head = now;
                        backoff.lost_race();
                    }
                }
            } else {
                if stamp == head {
                    // Empty, or a push is under way.
                    fence(ord!("ring.g", SeqCst)); // SeqCst: row g.
                    let tail = self.tail.load(Relaxed);
                    if tail & !CLOSED == head {
                        if tail & CLOSED == 0 {
                            return Err(PopError::Empty);
                        }
                        self.see_closed();
                        return Err(PopError::Closed);
                    }
                }
                backoff.wait_for_other();
                head = self.head.load(Relaxed);
            }
        }
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

    /// The number of values, exact while nobody pushes or pops, between 0 and the capacity always.
    pub fn len(&self) -> usize {
        loop {
            let tail = self.tail.load(Relaxed);
            let head = self.head.load(Relaxed);
            // Both at one moment, as far as a gauge can tell.
            if self.tail.load(Relaxed) == tail {
                return self.distance(head, tail & !CLOSED);
            }
        }
    }

    /// Whether there is no value at this moment.
    pub fn is_empty(&self) -> bool {
        // SeqCst: as row g, for those who ask instead of popping.
        fence(ord!("ring.g/is_empty", SeqCst));
        self.head.load(Relaxed) == self.tail.load(Relaxed) & !CLOSED
    }

    /// Whether there is no free place at this moment.
    pub fn is_full(&self) -> bool {
        // SeqCst: as row f, for those who ask instead of pushing.
        fence(ord!("ring.f/is_full", SeqCst));
        let tail = self.tail.load(Relaxed) & !CLOSED;
        self.head.load(Relaxed) + self.one_lap == tail
    }

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
        len.min(capacity) as usize
    }

    fn slot(&self, position: u64) -> &Slot<T> {
        let index = (position & (self.one_lap - 1)) as usize;
        debug_assert!(index < self.slots.len());
        // SAFETY: positions are made by `after`, which keeps the index below the number of slots.
        unsafe { self.slots.get_unchecked(index) }
    }

    fn after(&self, position: u64) -> u64 {
        let index = position & (self.one_lap - 1);
        if index + 1 < self.slots.len() as u64 {
            position + 1
        } else {
            // The first place, one lap on; bit 63 is not a lap's.
            ((position & !(self.one_lap - 1)) + self.one_lap) & !CLOSED
        }
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        /// Drops what is left, also if a destructor has panicked.
        struct Rest<'a, T>(&'a Ring<T>);

        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                while self.0.pop().is_ok() {}
            }
        }

        if core::mem::needs_drop::<T>() {
            let rest = Rest(self);
            while self.pop().is_ok() {}
            drop(rest);
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
