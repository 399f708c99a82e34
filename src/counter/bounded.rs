//! A number in a range, changed by compare-and-exchange.
//!
//! # Invariants
//!
//! 1. `floor <= value <= limit`, at every moment: each exchange is of a number that was checked.
//! 2. Every operation takes effect at one moment, between its call and its return: that of its
//!    exchange, or if it changes nothing, that of the load that says so.
//! 3. What would change nothing does not write: neither a refusal, nor an addition of zero or at
//!    the limit, nor a minimum or maximum that is there already.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | loads, and exchanges that fail | Acquire | b | an answer without a change sees what was done before the change that it is due to |
//! | b | exchanges | AcqRel | a, b | publish what was done before the change; see what was done before those it follows, also if the number came back meanwhile |
//!
//! # Progress
//!
//! Lock-free: an exchange fails only if another one took place.

use core::fmt;
use core::ops::RangeInclusive;

use super::error::{BoundError, CompareError, OutOfRange};
use crate::primitive::Ordering::{AcqRel, Acquire};
use crate::primitive::{AtomicU64, model_const_fn, mutant, ord};

/// A number that stays between a floor and a limit: additions and subtractions that would lead out
/// are refused, or go as far as they can.
///
/// For quotas, tickets and free places that nobody waits for: a [`Semaphore`](crate::Semaphore) is
/// the same with waiting. And for the largest or smallest number so far, over a range as large as
/// there is.
///
/// All operations that change the number return what it was before, as those of `AtomicU64` do.
///
/// # Progress
///
/// Lock-free, and linearizable: every operation takes effect at one moment. An operation that would
/// leave the number as it is only reads it, so a full counter that is asked again and again does
/// not move from core to core.
///
/// # Memory ordering
///
/// Everything done before an operation that changes the number happens before the return of all
/// operations that follow it in the order of changes, also of those that are refused.
///
/// # Fork, signals, panics, allocators
///
/// One atomic number and two plain ones: all of it works in a child of `fork`, which has a copy, in
/// signal handlers, and in allocators. Nothing but the closure of [`update`](Self::update) is
/// called, and if that panics, the number is as it was.
///
/// # Differences
///
/// From `AtomicU64`: the range; `fetch_max` and `fetch_min` that have nothing to do do not write.
/// From Java's `LongAccumulator`: every answer is exact. For adding without a limit,
/// [`StripedCounter`](crate::counter) takes half the time of an atomic addition, and a tenth
/// where threads meet.
///
/// # Examples
///
/// ```
/// use lockwork::counter::BoundedCounter;
///
/// static CONNECTIONS: BoundedCounter = BoundedCounter::new(0..=2);
///
/// assert_eq!(CONNECTIONS.try_add(1), Ok(0));
/// assert_eq!(CONNECTIONS.try_add(1), Ok(1));
/// let refused = CONNECTIONS.try_add(1).unwrap_err();
/// assert_eq!(refused.to_string(), "cannot add 1 to 2: the limit is 2");
/// CONNECTIONS.try_sub(1)?;
/// # Ok::<(), lockwork::counter::BoundError>(())
/// ```
#[doc(alias("quota", "saturating counter", "atomic_dec_if_positive", "LongAccumulator"))]
pub struct BoundedCounter {
    value: AtomicU64,
    floor: u64,
    limit: u64,
}

impl BoundedCounter {
    model_const_fn! {
        /// Creates a counter for this range, at its floor.
        ///
        /// # Panics
        ///
        /// If the range is empty.
        ///
        /// ```
        /// use lockwork::counter::BoundedCounter;
        ///
        /// let tickets = BoundedCounter::new(100..=199);
        /// assert_eq!((tickets.get(), tickets.floor(), tickets.limit()), (100, 100, 199));
        /// ```
        #[must_use]
        #[track_caller]
        pub const fn new(range: RangeInclusive<u64>) -> Self {
            let floor = *range.start();
            Self::at(range, floor)
        }
    }

    model_const_fn! {
        /// Creates a counter for this range, at a number of it.
        ///
        /// # Panics
        ///
        /// If the number is not in the range.
        ///
        /// ```
        /// let free = lockwork::counter::BoundedCounter::at(0..=8, 8);
        /// assert_eq!(free.try_sub(3), Ok(8));
        /// ```
        #[must_use]
        #[track_caller]
        pub const fn at(range: RangeInclusive<u64>, value: u64) -> Self {
            let (floor, limit) = (*range.start(), *range.end());
            assert!(
                floor <= value && value <= limit,
                "lockwork: a bounded counter begins at a number of its range"
            );
            Self { value: AtomicU64::new(value), floor, limit }
        }
    }

    /// The number.
    ///
    /// ```
    /// let counter = lockwork::counter::BoundedCounter::at(0..=8, 5);
    /// assert_eq!(counter.get(), 5);
    /// ```
    #[doc(alias = "load")]
    #[inline]
    #[must_use]
    pub fn get(&self) -> u64 {
        self.value.load(ord!("bounded.a", Acquire)) // Acquire: row a.
    }

    /// The smallest number that it can be.
    ///
    /// ```
    /// assert_eq!(lockwork::counter::BoundedCounter::new(2..=8).floor(), 2);
    /// ```
    #[inline]
    #[must_use]
    pub const fn floor(&self) -> u64 {
        self.floor
    }

    /// The largest number that it can be.
    ///
    /// ```
    /// assert_eq!(lockwork::counter::BoundedCounter::new(2..=8).limit(), 8);
    /// ```
    #[inline]
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Puts what `next` makes of the number in its place, if that is something else, again if
    /// another thread was faster; the number before.
    #[inline]
    fn change<E>(&self, mut next: impl FnMut(u64) -> Result<u64, E>) -> Result<u64, E> {
        let mut value = self.get();
        loop {
            let new = next(value)?;
            if new == value {
                return Ok(value);
            }
            debug_assert!(self.floor <= new && new <= self.limit);
            if mutant!("bounded.check-then-set") {
                self.value.swap(new, ord!("bounded.b", AcqRel)); // AcqRel: row b.
                return Ok(value);
            }
            match self.value.compare_exchange_weak(
                value,
                new,
                // AcqRel, Acquire: rows b and a.
                ord!("bounded.b", AcqRel),
                ord!("bounded.a", Acquire),
            ) {
                Ok(_) => return Ok(value),
                Err(now) => value = now,
            }
        }
    }

    /// As [`change`](Self::change), with what is never refused.
    #[inline]
    fn change_to(&self, mut next: impl FnMut(u64) -> u64) -> u64 {
        let Ok(before) = self.change::<core::convert::Infallible>(|value| Ok(next(value)));
        before
    }

    /// Adds, unless that leads above the limit. Returns the number before.
    ///
    /// # Errors
    ///
    /// [`BoundError::AboveLimit`], and the number is as it was.
    ///
    /// ```
    /// use lockwork::counter::{BoundError, BoundedCounter};
    ///
    /// let counter = BoundedCounter::new(0..=3);
    /// assert_eq!(counter.try_add(2), Ok(0));
    /// let refused = BoundError::AboveLimit { value: 2, by: 2, limit: 3 };
    /// assert_eq!(counter.try_add(2), Err(refused));
    /// assert_eq!(counter.get(), 2);
    /// ```
    #[doc(alias("fetch_add", "increment", "atomic_add_unless"))]
    #[inline]
    pub fn try_add(&self, n: u64) -> Result<u64, BoundError> {
        self.change(|value| match value.checked_add(n) {
            Some(sum) if sum <= self.limit => Ok(sum),
            _ => Err(BoundError::AboveLimit { value, by: n, limit: self.limit }),
        })
    }

    /// Subtracts, unless that leads below the floor. Returns the number before.
    ///
    /// # Errors
    ///
    /// [`BoundError::BelowFloor`], and the number is as it was.
    ///
    /// ```
    /// use lockwork::counter::{BoundError, BoundedCounter};
    ///
    /// let counter = BoundedCounter::at(1..=3, 2);
    /// assert_eq!(counter.try_sub(1), Ok(2));
    /// let refused = BoundError::BelowFloor { value: 1, by: 1, floor: 1 };
    /// assert_eq!(counter.try_sub(1), Err(refused));
    /// ```
    #[doc(alias("fetch_sub", "decrement", "atomic_dec_if_positive"))]
    #[inline]
    pub fn try_sub(&self, n: u64) -> Result<u64, BoundError> {
        self.change(|value| match value.checked_sub(n) {
            Some(rest) if rest >= self.floor => Ok(rest),
            _ => Err(BoundError::BelowFloor { value, by: n, floor: self.floor }),
        })
    }

    /// Adds as much of `n` as the limit allows. Returns the number before.
    ///
    /// ```
    /// let counter = lockwork::counter::BoundedCounter::at(0..=3, 2);
    /// let before = counter.saturating_add(5);
    /// assert_eq!((before, counter.get()), (2, 3));
    /// ```
    #[inline]
    pub fn saturating_add(&self, n: u64) -> u64 {
        self.change_to(|value| value.saturating_add(n).min(self.limit))
    }

    /// Subtracts as much of `n` as the floor allows. Returns the number before; so the difference
    /// of that to the floor, or `n` if that is less, is what was taken.
    ///
    /// ```
    /// let tokens = lockwork::counter::BoundedCounter::at(0..=8, 3);
    /// let taken = tokens.saturating_sub(5).min(5);
    /// assert_eq!((taken, tokens.get()), (3, 0));
    /// ```
    #[inline]
    pub fn saturating_sub(&self, n: u64) -> u64 {
        self.change_to(|value| value.saturating_sub(n).max(self.floor))
    }

    /// Raises the number to `n`, or to the limit if that is less, unless it is there already: then
    /// nothing is written. Returns the number before.
    ///
    /// ```
    /// use lockwork::counter::BoundedCounter;
    ///
    /// static LONGEST: BoundedCounter = BoundedCounter::new(0..=u64::MAX);
    /// assert_eq!(LONGEST.fetch_max(7), 0);
    /// assert_eq!(LONGEST.fetch_max(5), 7);
    /// assert_eq!(LONGEST.get(), 7);
    /// ```
    #[doc(alias("maximum", "high-water mark", "LongAccumulator"))]
    #[inline]
    pub fn fetch_max(&self, n: u64) -> u64 {
        self.change_to(|value| value.max(n.min(self.limit)))
    }

    /// Lowers the number to `n`, or to the floor if that is more, unless it is there already: then
    /// nothing is written. Returns the number before.
    ///
    /// ```
    /// use lockwork::counter::BoundedCounter;
    ///
    /// let shortest = BoundedCounter::at(0..=u64::MAX, u64::MAX);
    /// shortest.fetch_min(5);
    /// assert_eq!(shortest.fetch_min(7), 5);
    /// assert_eq!(shortest.get(), 5);
    /// ```
    #[doc(alias("minimum", "low-water mark", "LongAccumulator"))]
    #[inline]
    pub fn fetch_min(&self, n: u64) -> u64 {
        self.change_to(|value| value.min(n.max(self.floor)))
    }

    /// Puts what the closure makes of the number in its place, or the floor or the limit if that is
    /// beyond. Calls it again if another thread was faster. Returns the number before.
    ///
    /// ```
    /// let counter = lockwork::counter::BoundedCounter::at(0..=100, 30);
    /// assert_eq!(counter.update(|n| n * 2), 30);
    /// assert_eq!(counter.update(|n| n * 2), 60);
    /// assert_eq!(counter.get(), 100);
    /// ```
    #[doc(alias("fetch_update", "getAndUpdate"))]
    #[inline]
    pub fn update(&self, mut next: impl FnMut(u64) -> u64) -> u64 {
        self.change_to(|value| next(value).clamp(self.floor, self.limit))
    }

    /// Puts `new` in place of `current`, if that is the number.
    ///
    /// # Errors
    ///
    /// [`CompareError::Different`] if it is not, [`CompareError::OutOfRange`] if `new` is no number
    /// of the range. The number is as it was.
    ///
    /// ```
    /// use lockwork::counter::{BoundedCounter, CompareError};
    ///
    /// let counter = BoundedCounter::new(0..=3);
    /// assert_eq!(counter.compare_exchange(0, 2), Ok(()));
    /// let different = CompareError::Different { expected: 0, found: 2 };
    /// assert_eq!(counter.compare_exchange(0, 1), Err(different));
    /// assert!(counter.compare_exchange(2, 4).is_err());
    /// ```
    #[doc(alias("compare_and_set", "compareAndSet", "cas"))]
    #[inline]
    pub fn compare_exchange(&self, current: u64, new: u64) -> Result<(), CompareError> {
        self.check(new)?;
        let changed = self.change(|value| {
            let different = CompareError::Different { expected: current, found: value };
            if value == current { Ok(new) } else { Err(different) }
        });
        changed.map(drop)
    }

    /// Puts `new` in place of the number, and returns that.
    ///
    /// # Errors
    ///
    /// If `new` is no number of the range. The number is as it was.
    ///
    /// ```
    /// let counter = lockwork::counter::BoundedCounter::new(0..=3);
    /// assert_eq!(counter.swap(2), Ok(0));
    /// assert!(counter.swap(4).is_err());
    /// assert_eq!(counter.get(), 2);
    /// ```
    #[doc(alias("set", "store", "exchange"))]
    #[inline]
    pub fn swap(&self, new: u64) -> Result<u64, OutOfRange> {
        self.check(new)?;
        Ok(self.change_to(|_| new))
    }

    #[inline]
    fn check(&self, new: u64) -> Result<(), OutOfRange> {
        let (floor, limit) = (self.floor, self.limit);
        if floor <= new && new <= limit { Ok(()) } else { Err(OutOfRange { new, floor, limit }) }
    }

    /// Takes the number out of a counter that nobody else can reach.
    ///
    /// ```
    /// assert_eq!(lockwork::counter::BoundedCounter::at(0..=3, 2).into_inner(), 2);
    /// ```
    #[must_use]
    pub fn into_inner(mut self) -> u64 {
        *self.value.get_mut()
    }
}

impl fmt::Debug for BoundedCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedCounter")
            .field("value", &self.get())
            .field("floor", &self.floor)
            .field("limit", &self.limit)
            .finish()
    }
}
