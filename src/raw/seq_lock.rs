//! A sequence lock: readers that write nothing, and read again if somebody wrote meanwhile.
//!
//! # State words
//!
//! ```text
//! sequence   63                                                       1   0
//!            +---------------------------------------------------------+---+
//!            |                      writes begun                       | W |   W: one is under way
//!            +---------------------------------------------------------+---+
//!
//! writers    a mutex: one writer at a time, the others sleep
//! ```
//!
//! The data is not here: it is the caller's, in words that are read and written atomically
//! ([`Words`](crate::primitive::Words)).
//!
//! # Invariants
//!
//! 1. The sequence is changed by the owner of `writers` only. It is even while nobody writes, and
//!    grows by two with each write, so no value comes again: there are 2^63 writes.
//! 2. The words are stored to only while the sequence is odd.
//! 3. A reader stores nothing. A copy that it took counts only if the sequence was even before and
//!    the same afterwards.
//!
//! # Orderings
//!
//! | row | operation                           | order   | pairs with | why                        |
//! |-----|-------------------------------------|---------|------------|----------------------------|
//! | a   | `begin_read` loads the sequence     | Acquire | d          | the words are no older     |
//! | b   | fence in `end_read`, after the words | Acquire | c         | who read a word of a write sees that it had begun |
//! | c   | fence in `begin_write`, after the sequence is odd | Release | b | as (b)                  |
//! | d   | `end_write` makes the sequence even | Release | a          | publish the words          |
//! | e   | the words; the sequence elsewhere   | Relaxed | -          | fences (b) and (c) order them; a writer reads its own |
//!
//! # Why no copy is torn
//!
//! Let a reader find the even value *s* before and after (R1 load, words, fence b, R2 load). Each
//! word it took was stored by the write that ended with *s*, or by an earlier one, or by a later
//! one. Not by an earlier one: (a) and (d) order the stores of the one that ended with *s* before.
//! Not by a later one: that made the sequence odd before fence (c), the reader took its word before
//! fence (b), so R2 would find that odd value or a later one, and *s* never comes again
//! (invariant 1).
//!
//! # Progress
//!
//! A write is bounded once the writer has the mutex. A read is obstruction-free: it ends if no
//! write begins while it copies, and writes without pause can make it try again without end.
//!
//! # Scaling
//!
//! A reader leaves the line as it is, so readers do not disturb each other. A write takes the line
//! from all of them.
//!
//! # Sources
//!
//! Hans Boehm, "Can Seqlocks Get Along With Programming Language Memory Models?" (2012), the form
//! with fences. The lock is Linux's `seqcount_t` with a `seqlock_t`'s writers.

use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{AtomicU64, Private, Scope};
use crate::primitive::{fence, model_const_fn, mutant, ord};

use super::Mutex;

/// Set while a write is under way.
const WRITING: u64 = 1;

/// The sequence and the writers' mutex of [`SeqLock`](crate::SeqLock).
pub struct SeqLock<S: Scope = Private> {
    sequence: AtomicU64,
    writers: Mutex<S>,
}

/// The sequence that a copy must end with to count: even.
#[derive(Clone, Copy, Debug)]
#[must_use = "a copy counts only if `end_read` says so"]
pub struct Reading {
    sequence: u64,
}

impl<S: Scope> SeqLock<S> {
    model_const_fn! {
        /// Nobody writes.
        pub const fn new() -> Self {
            Self { sequence: AtomicU64::new(0), writers: Mutex::new() }
        }
    }

    /// Before the words are copied.
    #[inline]
    pub fn begin_read(&self) -> Reading {
        // Acquire: row a.
        let sequence = self.sequence.load(ord!("seq_lock.a", Acquire));
        // What is odd now is never even again, so that the one look at the end is enough.
        Reading { sequence: sequence & !WRITING }
    }

    /// After the words have been copied: whether the copy counts.
    #[inline]
    pub fn end_read(&self, reading: Reading) -> bool {
        fence(ord!("seq_lock.b", Acquire)); // Acquire: row b.
        // Relaxed: row e.
        self.sequence.load(Relaxed) == reading.sequence || mutant!("seq_lock.read-once")
    }

    /// Whether a write is under way at this moment.
    #[inline]
    pub fn is_writing(&self) -> bool {
        // Relaxed: row e.
        self.sequence.load(Relaxed) & WRITING != 0
    }

    /// Keeps other writers out. Readers go on.
    #[inline]
    pub fn writers(&self) -> &Mutex<S> {
        &self.writers
    }

    /// Before the words are stored to.
    ///
    /// # Safety
    ///
    /// The calling context has the writers' mutex, and no write is under way.
    #[inline]
    pub unsafe fn begin_write(&self) {
        // Relaxed: row e.
        let sequence = self.sequence.load(Relaxed);
        debug_assert_eq!(sequence & WRITING, 0, "a write inside a write");
        let mark = if mutant!("seq_lock.unmarked") { 0 } else { WRITING };
        self.sequence.store(sequence + mark, Relaxed);
        fence(ord!("seq_lock.c", Release)); // Release: row c.
    }

    /// After the words have been stored.
    ///
    /// # Safety
    ///
    /// The calling context has begun a write.
    #[inline]
    pub unsafe fn end_write(&self) {
        // Relaxed: row e.
        let sequence = self.sequence.load(Relaxed);
        // Release: row d.
        self.sequence.store((sequence | WRITING) + 1, ord!("seq_lock.d", Release));
    }
}

impl<S: Scope> Default for SeqLock<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Scope> core::fmt::Debug for SeqLock<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SeqLock").field("writing", &self.is_writing()).finish()
    }
}
