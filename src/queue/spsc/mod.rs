//! A bounded queue from one thread to another.
//!
//! [`ring`] makes one and returns its two ends: a [`Producer`] that pushes, a [`Consumer`] that
//! pops. Each may be moved to another thread, and neither can be used by two at a time.
//!
//! # Progress
//!
//! Wait-free, each operation: nothing here has a loop but over the values that it moves, nothing
//! waits, and nothing is a locked instruction (but for the drop of an end).
//!
//! # Chunks
//!
//! Several values at a time, without moving them one by one: [`Producer::write_chunk`] and
//! [`Producer::write_chunk_uninit`] lend the next free places as slices, and what is committed is
//! pushed at once. [`Consumer::read_chunk`] lends the oldest values, and what is committed is
//! dropped. As the memory is a ring, a chunk is two slices, the second of which is often empty.
//! For values that are `Copy`, `push_entire_slice` and its relations copy from and to slices of the
//! caller; [`Producer::push_many`] and [`Consumer::pop_many`] move values between the ring and
//! collections.
//!
//! # Ends that are gone
//!
//! `is_abandoned` of one end says that the other was dropped. To lose nothing, a consumer has to
//! ask in this order:
//!
//! ```
//! use lockwork::queue::spsc;
//! use std::thread;
//!
//! let (mut producer, mut consumer) = spsc::ring(8);
//! let sum = thread::spawn(move || {
//!     let mut sum = 0;
//!     loop {
//!         let last = consumer.is_abandoned(); // first: nothing comes after this
//!         while let Some(value) = consumer.pop() {
//!             sum += value;
//!         }
//!         if last {
//!             return sum;
//!         }
//!         thread::yield_now();
//!     }
//! });
//! for mut value in 1..=100 {
//!     while let Err(back) = producer.push(value) {
//!         value = back;
//!         thread::yield_now();
//!     }
//! }
//! drop(producer);
//! assert_eq!(sum.join().unwrap(), 5050);
//! ```
//!
//! Threads that want to sleep meanwhile: [`BlockingQueue`](super::BlockingQueue).
//!
//! # Memory ordering
//!
//! Everything done before a push happens before the return of the pop, or the read of a chunk, that
//! got its value; everything done with a value in a chunk happens before its place is written to
//! again; and everything done with an end before it is dropped happens before the `is_abandoned` of
//! the other that says so.
//!
//! # Fork, signals, panics, allocators
//!
//! Each process has its own copy after a fork, with the values in it, and can go on with the ends
//! that its one thread has. The other end, if its thread is not there any more, just does nothing.
//!
//! An end may be used in a signal handler if nobody else uses that end.
//!
//! A panic in user code (an iterator, `Default`, a destructor) leaves the ring whole: what was
//! completed is pushed or popped, and nothing twice.
//!
//! The ring allocates when it is made, and uses no thread-local.
//!
//! # Differences
//!
//! From the crate `rtrb`: the same names, but `ring(n)` for `RingBuffer::new(n)`; `push` and `pop`
//! say `Result<(), T>` and `Option<T>`, as the other queues here do; `peek` takes `&mut self`, and
//! there is a `peek_mut`. The capacity is at least 1, and memory is there for the next power of two
//! above it.

mod chunks;
#[cfg(feature = "std")]
mod io;

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use super::batch::{Sink, Source};
use crate::raw::spsc as raw;

pub use self::chunks::{ChunkError, ReadChunk, ReadChunkIntoIter, WriteChunk, WriteChunkUninit};

/// Makes a ring with `capacity` places and returns its ends.
///
/// # Panics
///
/// If `capacity` is zero, or more than there is memory for.
///
/// ```
/// use lockwork::queue::spsc;
///
/// let (mut producer, mut consumer) = spsc::ring(2);
/// assert_eq!(producer.push('a'), Ok(()));
/// assert_eq!(producer.push('b'), Ok(()));
/// assert_eq!(producer.push('c'), Err('c'));
/// assert_eq!(consumer.pop(), Some('a'));
/// ```
#[doc(alias("RingBuffer", "ring_buffer", "channel", "bounded"))]
#[must_use]
#[track_caller]
pub fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    assert!(capacity > 0, "lockwork: a queue needs a capacity of at least 1");
    match raw::spsc(capacity) {
        Some((producer, consumer)) => (Producer { raw: producer }, Consumer { raw: consumer }),
        None => panic!("lockwork: there is no memory for a queue of {capacity} places"),
    }
}

/// The end of a [`ring`] that pushes.
///
/// ```
/// let (mut producer, consumer) = lockwork::queue::spsc::ring(1);
/// producer.push(1).unwrap();
/// assert!(producer.is_full());
/// drop(consumer);
/// assert!(producer.is_abandoned());
/// ```
///
/// It may be moved to another thread if the values may, and is used by one thread at a time:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::queue::spsc::ring::<u8>(1).0);
/// ```
///
/// ```compile_fail,E0277
/// fn moved<T: Send>(_: T) {}
/// moved(lockwork::queue::spsc::ring::<std::rc::Rc<()>>(1).0);
/// ```
pub struct Producer<T> {
    raw: raw::Producer<T>,
}

/// The end of a [`ring`] that pops.
///
/// ```
/// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(1);
/// producer.push(1).unwrap();
/// assert_eq!(consumer.peek(), Some(&1));
/// assert_eq!(consumer.pop(), Some(1));
/// assert_eq!(consumer.pop(), None);
/// ```
///
/// It may be moved to another thread if the values may, and is used by one thread at a time:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::queue::spsc::ring::<u8>(1).1);
/// ```
///
/// ```compile_fail,E0277
/// fn moved<T: Send>(_: T) {}
/// moved(lockwork::queue::spsc::ring::<std::rc::Rc<()>>(1).1);
/// ```
pub struct Consumer<T> {
    raw: raw::Consumer<T>,
}

impl<T> UnwindSafe for Producer<T> {}
impl<T> RefUnwindSafe for Producer<T> {}
impl<T> UnwindSafe for Consumer<T> {}
impl<T> RefUnwindSafe for Consumer<T> {}

impl<T> Producer<T> {
    /// Appends a value.
    ///
    /// # Errors
    ///
    /// The value comes back if there is no room.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring(1);
    /// assert_eq!(producer.push('a'), Ok(()));
    /// assert_eq!(producer.push('b'), Err('b'));
    /// ```
    #[doc(alias("enqueue", "offer"))]
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), T> {
        self.raw.push(value)
    }

    /// Appends values from the front of `values` until there is no room or there are no more, and
    /// says how many. What did not fit stays where it is. The consumer sees all of them at once, or
    /// sixteen at a time if they come from an [`Ahead`](super::Ahead).
    ///
    /// # Panics
    ///
    /// If an iterator in an [`Ahead`](super::Ahead) does. What was pushed until then stays pushed,
    /// and what was not stays in the `Ahead`.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring(2);
    /// let mut letters = vec!['a', 'b', 'c'];
    /// assert_eq!(producer.push_many(&mut letters), 2);
    /// assert_eq!(letters, ['c']);
    /// ```
    #[doc(alias = "extend")]
    pub fn push_many<S: Source<T>>(&mut self, values: &mut S) -> usize {
        let mut pushed = 0;
        loop {
            // This may panic, before any value is taken.
            let ready = values.ready(self.capacity());
            let count = self.raw.free(ready).min(ready);
            if count == 0 {
                return pushed;
            }
            let mut filled = chunks::Filled::new(&mut self.raw, count);
            values.fill(count, |value| filled.put(value));
            drop(filled);
            pushed += count;
        }
    }

    /// The number of free places at this moment. The consumer may add to it at any time.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring(3);
    /// producer.push('a').unwrap();
    /// assert_eq!(producer.slots(), 2);
    /// ```
    #[doc(alias("len", "vacant_len"))]
    #[must_use]
    pub fn slots(&self) -> usize {
        self.raw.free_now()
    }

    /// Whether there is no free place at this moment.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring(1);
    /// producer.push('a').unwrap();
    /// assert!(producer.is_full());
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.slots() == 0
    }

    /// The number of places.
    ///
    /// ```
    /// assert_eq!(lockwork::queue::spsc::ring::<u8>(3).0.capacity(), 3);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.raw.capacity()
    }

    /// Whether the consumer was dropped: nobody will take what is pushed.
    ///
    /// ```
    /// let (producer, consumer) = lockwork::queue::spsc::ring::<u8>(1);
    /// assert!(!producer.is_abandoned());
    /// drop(consumer);
    /// assert!(producer.is_abandoned());
    /// ```
    #[doc(alias("is_closed", "is_disconnected"))]
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.raw.is_abandoned()
    }
}

impl<T: Copy> Producer<T> {
    /// Copies as many values from the front of a slice as there is room for, and returns those and
    /// the others.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring(2);
    /// let (pushed, rest) = producer.push_partial_slice(&[1, 2, 3]);
    /// assert_eq!((pushed, rest), (&[1, 2][..], &[3][..]));
    /// ```
    #[doc(alias = "push_slice")]
    pub fn push_partial_slice<'a>(&mut self, values: &'a [T]) -> (&'a [T], &'a [T]) {
        let (pushed, rest) = values.split_at(self.raw.free(values.len()).min(values.len()));
        let mut filled = chunks::Filled::new(&mut self.raw, pushed.len());
        filled.copy(pushed);
        drop(filled);
        (pushed, rest)
    }

    /// Copies a whole slice, or nothing.
    ///
    /// # Errors
    ///
    /// If there is not room for all of it.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring(3);
    /// assert!(producer.push_entire_slice(&[1, 2]).is_ok());
    /// assert!(producer.push_entire_slice(&[3, 4]).is_err());
    /// ```
    #[doc(alias = "push_slice")]
    pub fn push_entire_slice(&mut self, values: &[T]) -> Result<(), ChunkError> {
        ChunkError::check(values.len(), self.raw.free(values.len()))?;
        self.push_partial_slice(values);
        Ok(())
    }
}

impl<T> Consumer<T> {
    /// Takes the oldest value, if there is one.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(1);
    /// producer.push('a').unwrap();
    /// assert_eq!(consumer.pop(), Some('a'));
    /// assert_eq!(consumer.pop(), None);
    /// ```
    #[doc(alias("dequeue", "poll"))]
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        self.raw.pop()
    }

    /// Takes up to `max` of the oldest values, appends them to `into`, and says how many: fewer
    /// than `max` only if there were no more.
    ///
    /// # Panics
    ///
    /// If `into` would become too large. Nothing was taken then.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(4);
    /// producer.push_many(&mut vec![1, 2, 3]);
    /// let mut batch = Vec::with_capacity(4);
    /// assert_eq!(consumer.pop_many(&mut batch, 2), 2);
    /// assert_eq!(batch, [1, 2]);
    /// ```
    #[doc(alias = "drain_into")]
    pub fn pop_many<S: Sink<T>>(&mut self, into: &mut S, max: usize) -> usize {
        let count = self.raw.ready(max).min(max);
        if count > 0 {
            into.room(count, || count);
            into.empty(ReadChunkIntoIter::new(&mut self.raw, count));
        }
        count
    }

    /// The oldest value, which stays.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(1);
    /// assert_eq!(consumer.peek(), None);
    /// producer.push('a').unwrap();
    /// assert_eq!(consumer.peek(), Some(&'a'));
    /// ```
    #[doc(alias("front", "head"))]
    #[inline]
    pub fn peek(&mut self) -> Option<&T> {
        self.raw.peek().map(|value| &*value)
    }

    /// The oldest value, which stays and may be changed.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(1);
    /// producer.push(1).unwrap();
    /// *consumer.peek_mut().unwrap() += 1;
    /// assert_eq!(consumer.pop(), Some(2));
    /// ```
    #[inline]
    pub fn peek_mut(&mut self) -> Option<&mut T> {
        self.raw.peek()
    }

    /// The number of values at this moment. The producer may add to it at any time.
    ///
    /// ```
    /// let (mut producer, consumer) = lockwork::queue::spsc::ring(3);
    /// producer.push('a').unwrap();
    /// assert_eq!(consumer.slots(), 1);
    /// ```
    #[doc(alias("len", "occupied_len"))]
    #[must_use]
    pub fn slots(&self) -> usize {
        self.raw.ready_now()
    }

    /// Whether there is no value at this moment.
    ///
    /// ```
    /// assert!(lockwork::queue::spsc::ring::<u8>(1).1.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots() == 0
    }

    /// The number of places.
    ///
    /// ```
    /// assert_eq!(lockwork::queue::spsc::ring::<u8>(3).1.capacity(), 3);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.raw.capacity()
    }

    /// Whether the producer was dropped. All that it has pushed can be popped after that: ask
    /// first, and pop then.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(1);
    /// producer.push('a').unwrap();
    /// drop(producer);
    /// assert!(consumer.is_abandoned());
    /// assert_eq!(consumer.pop(), Some('a'));
    /// ```
    #[doc(alias("is_closed", "is_disconnected"))]
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.raw.is_abandoned()
    }
}

impl<T: Copy> Consumer<T> {
    /// Moves as many of the oldest values into the front of a slice as there are and as fit, and
    /// returns that part of it and the other.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(2);
    /// producer.push_entire_slice(&[1, 2]).unwrap();
    /// let mut values = [0; 3];
    /// let (popped, rest) = consumer.pop_partial_slice(&mut values);
    /// assert_eq!((popped.len(), rest.len()), (2, 1));
    /// assert_eq!(values, [1, 2, 0]);
    /// ```
    #[doc(alias = "pop_slice")]
    pub fn pop_partial_slice<'a>(&mut self, into: &'a mut [T]) -> (&'a mut [T], &'a mut [T]) {
        let count = self.raw.ready(into.len()).min(into.len());
        let (popped, rest) = into.split_at_mut(count);
        let chunk = ReadChunk::new(&mut self.raw, count);
        let (first, second) = chunk.as_slices();
        let (to_first, to_second) = popped.split_at_mut(first.len());
        to_first.copy_from_slice(first);
        to_second.copy_from_slice(second);
        chunk.commit_all();
        (popped, rest)
    }

    /// Moves as many values as the slice is long, or none.
    ///
    /// # Errors
    ///
    /// If there are not so many.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(2);
    /// producer.push(1).unwrap();
    /// let mut two = [0; 2];
    /// assert!(consumer.pop_entire_slice(&mut two).is_err());
    /// assert!(consumer.pop_entire_slice(&mut two[..1]).is_ok());
    /// assert_eq!(two, [1, 0]);
    /// ```
    #[doc(alias = "pop_slice")]
    pub fn pop_entire_slice(&mut self, into: &mut [T]) -> Result<(), ChunkError> {
        ChunkError::check(into.len(), self.raw.ready(into.len()))?;
        self.pop_partial_slice(into);
        Ok(())
    }
}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw.fmt(f)
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw.fmt(f)
    }
}
