//! A bounded ring between one producer and one consumer.
//!
//! # State words
//!
//! ```text
//! head   position of the next pop: written by the consumer alone
//! tail   position of the next push: written by the producer alone
//! gone   0; 1 once one end was dropped; whoever finds it 1 frees the ring
//! ```
//!
//! Positions are numbers of 64 bits that wrap around; the place of a position is its remainder by
//! the number of places, which is a power of two, the capacity or the next one above it.
//!
//! Each end has its own position, and what it last saw of the other one's, in its own memory: a
//! push or a pop looks at the other side's word only when the ring seems full or empty.
//!
//! # Invariants
//!
//! 1. `head <= tail <= head + capacity`, and the same of what an end has seen: what it knows of the
//!    other's position is too old by any number of steps, and each of them only gave it more.
//! 2. The places from `head` to `tail` hold values and are the consumer's; the others are empty and
//!    the producer's. A store to `tail` hands some from this side to that, one to `head` back.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | the producer loads `head` | Acquire | d | the consumer has read the values before we write ours |
//! | b | the producer stores `tail` | Release | c | publish the values |
//! | c | the consumer loads `tail` | Acquire | b | see the values |
//! | d | the consumer stores `head` | Release | a | our reads of the values are over |
//! | e | an end that is dropped swaps `gone` | AcqRel | e, f | whoever is last sees all that the other did before it frees the ring |
//! | f | an end looks whether the other is gone | Acquire | e | and sees all that it did: a ring found empty after that stays so |
//!
//! # Progress
//!
//! Wait-free: no operation has a loop, and none has a read-modify-write, but for the end of an end.
//!
//! # Scaling
//!
//! Two threads at most. `head` and `tail` are on lines of their own. While both are at work, each
//! crosses between the cores twice for as many values as the other side has got ahead by: once to
//! be read there, and once to be written again here. A ring that is neither nearly full nor nearly
//! empty thus moves next to nothing but the values, whose lines cross once each way a lap.
//!
//! # How long it works
//!
//! Positions that wrap around do no harm: they are only ever subtracted from each other, and are at
//! most the capacity apart.
//!
//! # Sources
//!
//! Leslie Lamport, "Specifying Concurrent Program Modules" (1983), for the ring without
//! read-modify-writes; the other side's position kept at hand as in Erik Rigtorp's `SPSCQueue`; the
//! chunks as in the crate `rtrb`.

use alloc::boxed::Box;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use crossbeam_utils::CachePadded;

use crate::primitive::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::primitive::{AtomicU32, AtomicU64, Cells, ord};

/// What both ends share.
struct Shared<T> {
    head: CachePadded<AtomicU64>,
    tail: CachePadded<AtomicU64>,
    gone: CachePadded<AtomicU32>,
    places: Cells<T>,
    capacity: u64,
}

/// The places of some positions: up to the end of the memory, and from its start.
type Slices<T> = (NonNull<[MaybeUninit<T>]>, NonNull<[MaybeUninit<T>]>);

impl<T> Shared<T> {
    #[inline(always)]
    fn mask(&self) -> usize {
        self.places.len() - 1
    }

    #[inline(always)]
    fn place(&self, position: u64) -> *mut MaybeUninit<T> {
        self.places.place(position as usize & self.mask())
    }

    fn slices(&self, position: u64, count: usize) -> Slices<T> {
        let start = position as usize & self.mask();
        let first = count.min(self.places.len() - start);
        let slice = |range| NonNull::new(self.places.slice(range)).expect("a part of an object");
        (slice(start..start + first), slice(0..count - first))
    }

    fn is_abandoned(&self) -> bool {
        self.gone.load(ord!("spsc.f", Acquire)) != 0 // Acquire: row f.
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        if core::mem::needs_drop::<T>() {
            let (head, tail) = (*self.head.get_mut(), *self.tail.get_mut());
            let (first, second) = self.slices(head, tail.wrapping_sub(head) as usize);
            // SAFETY: these places hold values, of which nobody else is left to know; each place is
            // in one slice.
            unsafe { drop_values(first.as_ptr() as *mut [T], second.as_ptr() as *mut [T]) };
        }
    }
}

/// Drops the values of both slices, the second also if a destructor of the first panics.
///
/// # Safety
///
/// They are values, which nobody uses afterwards, and the slices do not overlap.
pub unsafe fn drop_values<T>(first: *mut [T], second: *mut [T]) {
    struct Rest<T>(*mut [T]);

    impl<T> Drop for Rest<T> {
        fn drop(&mut self) {
            // SAFETY: by the contract of the function.
            unsafe { core::ptr::drop_in_place(self.0) };
        }
    }

    let _second = Rest(second);
    drop(Rest(first));
}

/// One end's share of the ring; frees it with the second one.
struct End<T>(NonNull<Shared<T>>);

impl<T> End<T> {
    #[inline(always)]
    fn shared(&self) -> &Shared<T> {
        // SAFETY: freed by the drop of the second end, and this one is not dropped.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        // AcqRel: row e.
        if self.shared().gone.swap(1, ord!("spsc.e", AcqRel)) != 0 {
            // SAFETY: made by `Box::leak`, and the other end is gone.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}

/// The end that pushes.
pub struct Producer<T> {
    end: End<T>,
    tail: u64,
    /// As last seen.
    head: u64,
}

/// The end that pops.
pub struct Consumer<T> {
    end: End<T>,
    head: u64,
    /// As last seen.
    tail: u64,
}

// SAFETY: an end is used by one thread at a time, and hands values from one thread to another; the
// ring outlives it.
unsafe impl<T: Send> Send for Producer<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Consumer<T> {}

/// The two ends of an empty ring, or `None` if there is no memory for it.
pub fn spsc<T>(capacity: usize) -> Option<(Producer<T>, Consumer<T>)> {
    starting_at(capacity, 0)
}

/// As [`spsc`], from this position on, to come to the last one soon.
fn starting_at<T>(capacity: usize, first: u64) -> Option<(Producer<T>, Consumer<T>)> {
    let shared = Box::leak(Box::new(Shared {
        head: CachePadded::new(AtomicU64::new(first)),
        tail: CachePadded::new(AtomicU64::new(first)),
        gone: CachePadded::new(AtomicU32::new(0)),
        places: Cells::new(capacity.checked_next_power_of_two()?)?,
        capacity: capacity as u64,
    }));
    let shared = NonNull::from(shared);
    Some((
        Producer { end: End(shared), tail: first, head: first },
        Consumer { end: End(shared), head: first, tail: first },
    ))
}

impl<T> Producer<T> {
    /// The number of places in the ring.
    pub fn capacity(&self) -> usize {
        self.end.shared().capacity as usize
    }

    /// Whether the other end was dropped.
    pub fn is_abandoned(&self) -> bool {
        self.end.shared().is_abandoned()
    }

    /// Free places, as far as is known without a look at the other side.
    #[inline(always)]
    fn known_free(&self) -> u64 {
        self.end.shared().capacity - self.tail.wrapping_sub(self.head)
    }

    /// Looks how far the consumer is.
    #[inline]
    fn look(&mut self) -> u64 {
        // Acquire: row a.
        self.head = self.end.shared().head.load(ord!("spsc.a", Acquire));
        self.known_free()
    }

    /// How many free places there are, having looked for more only if fewer than `wanted` are known
    /// of.
    #[inline(always)]
    pub fn free(&mut self, wanted: usize) -> usize {
        let known = self.known_free();
        (if known < wanted as u64 { self.look() } else { known }) as usize
    }

    /// How many free places there are at this moment.
    pub fn free_now(&self) -> usize {
        let shared = self.end.shared();
        // Relaxed: a number, on whose account nothing is written.
        let head = shared.head.load(Relaxed);
        (shared.capacity - self.tail.wrapping_sub(head)) as usize
    }

    /// Appends a value, or gives it back if there is no room.
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), T> {
        if self.free(1) == 0 {
            return Err(value);
        }
        // SAFETY: an empty place, which is the producer's (invariant 2).
        unsafe { (*self.end.shared().place(self.tail)).write(value) };
        // SAFETY: there is a value now.
        unsafe { self.publish(1) };
        Ok(())
    }

    /// The next places, to be written to until they are published or the next operation.
    ///
    /// # Safety
    ///
    /// `count` is not above what [`free`](Self::free) said since the last push.
    pub unsafe fn places(&mut self, count: usize) -> Slices<T> {
        self.end.shared().slices(self.tail, count)
    }

    /// Hands the next places over, with their values.
    ///
    /// # Safety
    ///
    /// `count` is not above what [`free`](Self::free) said since the last push, and all of these
    /// places hold values.
    #[inline(always)]
    pub unsafe fn publish(&mut self, count: usize) {
        self.tail = self.tail.wrapping_add(count as u64);
        // Release: row b.
        self.end.shared().tail.store(self.tail, ord!("spsc.b", Release));
    }
}

impl<T> Consumer<T> {
    /// The number of places in the ring.
    pub fn capacity(&self) -> usize {
        self.end.shared().capacity as usize
    }

    /// Whether the other end was dropped. All that it has pushed is seen afterwards.
    pub fn is_abandoned(&self) -> bool {
        self.end.shared().is_abandoned()
    }

    /// Looks how far the producer is.
    #[inline]
    fn look(&mut self) -> u64 {
        // Acquire: row c.
        self.tail = self.end.shared().tail.load(ord!("spsc.c", Acquire));
        self.tail.wrapping_sub(self.head)
    }

    /// How many values there are, having looked for more only if fewer than `wanted` are known of.
    #[inline(always)]
    pub fn ready(&mut self, wanted: usize) -> usize {
        let known = self.tail.wrapping_sub(self.head);
        (if known < wanted as u64 { self.look() } else { known }) as usize
    }

    /// How many values there are at this moment.
    pub fn ready_now(&self) -> usize {
        // Relaxed: a number, on whose account nothing is read.
        self.end.shared().tail.load(Relaxed).wrapping_sub(self.head) as usize
    }

    /// The oldest value.
    #[inline]
    pub fn peek(&mut self) -> Option<&mut T> {
        if self.ready(1) == 0 {
            return None;
        }
        // SAFETY: a value, which is the consumer's (invariant 2); `self` is borrowed for as long.
        Some(unsafe { (*self.end.shared().place(self.head)).assume_init_mut() })
    }

    /// Takes the oldest value.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.ready(1) == 0 {
            return None;
        }
        // SAFETY: a value, which is the consumer's (invariant 2), and left behind.
        let value = unsafe { (*self.end.shared().place(self.head)).assume_init_read() };
        // SAFETY: it was moved out.
        unsafe { self.leave(1) };
        Some(value)
    }

    /// The oldest values, to be used until they are left or the next operation.
    ///
    /// # Safety
    ///
    /// `count` is not above what [`ready`](Self::ready) said since the last pop.
    pub unsafe fn values(&self, count: usize) -> Slices<T> {
        self.end.shared().slices(self.head, count)
    }

    /// Hands the oldest places back.
    ///
    /// # Safety
    ///
    /// `count` is not above what [`ready`](Self::ready) said since the last pop, and the values of
    /// these places were moved out or dropped.
    #[inline(always)]
    pub unsafe fn leave(&mut self, count: usize) {
        self.head = self.head.wrapping_add(count as u64);
        // Release: row d.
        self.end.shared().head.store(self.head, ord!("spsc.d", Release));
    }

    /// Drops the oldest values, all of them also if a destructor panics.
    ///
    /// # Safety
    ///
    /// `count` is not above what [`ready`](Self::ready) said since the last pop.
    pub unsafe fn discard(&mut self, count: usize) {
        struct Leave<'a, T>(&'a mut Consumer<T>, usize);

        impl<T> Drop for Leave<'_, T> {
            fn drop(&mut self) {
                // SAFETY: by the contract of the function; the values are dropped.
                unsafe { self.0.leave(self.1) };
            }
        }

        if count == 0 {
            return;
        }
        // SAFETY: by our contract.
        let (first, second) = unsafe { self.values(count) };
        let _leave = Leave(self, count);
        // SAFETY: values, each in one of the slices; `_leave` leaves them behind.
        unsafe { drop_values(first.as_ptr() as *mut [T], second.as_ptr() as *mut [T]) };
    }
}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("slots", &self.free_now())
            .field("capacity", &self.capacity())
            .finish()
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("slots", &self.ready_now())
            .field("capacity", &self.capacity())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_go_round() {
        for capacity in [1, 2, 3, 5, 8] {
            let (mut producer, mut consumer) = starting_at(capacity, u64::MAX - 5).unwrap();
            let (mut pushed, mut popped) = (0, 0);
            for round in 0..20 {
                while producer.push(pushed).is_ok() {
                    pushed += 1;
                }
                assert_eq!((producer.free(1), producer.free_now()), (0, 0));
                assert_eq!((pushed - popped, consumer.ready_now()), (capacity, capacity));
                for _ in 0..=round % capacity {
                    assert_eq!(consumer.peek().copied(), Some(popped));
                    assert_eq!(consumer.pop(), Some(popped));
                    popped += 1;
                }
                assert_eq!(producer.free_now(), round % capacity + 1);
            }
            assert!(producer.tail < 1000 && consumer.head < 1000, "past the last position");
        }
    }
}
