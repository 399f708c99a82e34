//! A small value and a stamp in one 64-bit word, changed by compare-and-exchange.
//!
//! # State word
//!
//! ```text
//! 63                              8 * size                  0
//! +---------------------------------+-----------------------+
//! |              stamp              |  the value, bit by bit |     size: 0 to 4 bytes
//! +---------------------------------+-----------------------+
//! ```
//!
//! # Invariants
//!
//! 1. The low bytes are those of a value that somebody gave.
//! 2. Every change that chooses no stamp of its own adds one to the stamp, modulo its width. So a
//!    pair comes again only after 2^(64 - 8 * size) of them, or if somebody sets it.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | loads, and exchanges that fail | Acquire | b | who finds a value sees what was done before it was put there: what an index leads to |
//! | b | exchanges | AcqRel | a, b | publish that; and see the same of the pair that goes, also if it was put there again meanwhile |
//!
//! # Progress
//!
//! Lock-free: an exchange fails only if another one took place.
//!
//! # Sources
//!
//! `AtomicStampedReference` of j.u.c. for what it is for.

use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr;

use crate::primitive::Ordering::{AcqRel, Acquire};
use crate::primitive::{AtomicU64, PlainData, model_const_fn, mutant, ord};

/// A small value that is replaced as a whole, with a stamp that moves each time: a value that was
/// replaced and came back is told from one that stayed.
///
/// A compare-and-exchange on a value alone succeeds if the value is what it was, though everything
/// it stood for may have changed meanwhile (the *ABA problem*): the index of a node that was taken
/// out, used and put back, the number of a buffer that holds other data now. With a stamp beside
/// it, that is another pair.
///
/// # Sizes
///
/// Both are in one 64-bit word, so that no instruction is needed that not every processor has. The
/// value may have up to four bytes, and the stamp gets what is left:
///
/// | value | for example | bits of the stamp | until a stamp comes again, at 100 million changes a second |
/// |---|---|---|---|
/// | 0 bytes | `()` | 64 | 5,800 years |
/// | 1 byte | `bool`, `u8` | 56 | 22 years |
/// | 2 bytes | `u16`, `[u8; 2]` | 48 | 32 days |
/// | 3 bytes | `[u8; 3]` | 40 | 3 hours |
/// | 4 bytes | `u32`, `f32`, `char` | 32 | 43 seconds |
///
/// A stale exchange is fooled only if it comes at exactly that moment and the value is the same. If
/// 43 seconds of sleep at full rate are to be thought of, use fewer bytes.
///
/// Values are [`PlainData`]: `Copy`, without padding and pointers. They are compared bit by bit:
/// `0.0` is not `-0.0`, and a NaN is itself.
///
/// ```compile_fail
/// lockwork::counter::Stamped::new(0_u64); // no room for a stamp
/// ```
///
/// ```compile_fail,E0277
/// lockwork::counter::Stamped::new((0_u8, 0_u16)); // padding
/// ```
///
/// # Progress
///
/// Lock-free, and linearizable: every operation takes effect at one moment.
///
/// # Memory ordering
///
/// Everything done before a change happens before the return of all operations that find its pair,
/// or a later one.
///
/// # Fork, signals, panics, allocators
///
/// One atomic word: all of it works in a child of `fork`, which has a copy, in signal handlers, and
/// in allocators. Nothing but the closure of [`update`](Self::update) is called, and if that
/// panics, the pair is as it was.
///
/// # Differences
///
/// From Java's `AtomicStampedReference`: the stamp moves by itself, so that it cannot be forgotten;
/// nothing is allocated; [`compare_exchange_stamped`](Self::compare_exchange_stamped) has the stamp
/// chosen by the caller, as `compareAndSet` there.
///
/// # Examples
///
/// ```
/// use lockwork::counter::Stamped;
///
/// static FIRST: Stamped<u32> = Stamped::new(7);
///
/// let seen = FIRST.load();
/// FIRST.store(8);
/// FIRST.store(7); // there again
/// let found = FIRST.compare_exchange(seen, 9).unwrap_err();
/// assert_eq!((found.value, found.stamp), (7, 2));
/// assert!(FIRST.compare_exchange(found, 9).is_ok());
/// ```
#[doc(alias("AtomicStampedReference", "AtomicMarkableReference", "ABA", "version", "tag"))]
pub struct Stamped<T> {
    word: AtomicU64,
    value: PhantomData<*mut T>,
}

// SAFETY: moving it moves the value.
unsafe impl<T: Send> Send for Stamped<T> {}
// SAFETY: hands copies from thread to thread, so the value must be `Send`; references to it are not
// given out, so it need not be `Sync`.
unsafe impl<T: Send> Sync for Stamped<T> {}
impl<T> Unpin for Stamped<T> {}
impl<T> core::panic::UnwindSafe for Stamped<T> {}
impl<T> core::panic::RefUnwindSafe for Stamped<T> {}

/// A value and its stamp, as they were at one moment. From [`Stamped::load`].
///
/// ```
/// use lockwork::counter::{Stamped, StampedValue};
///
/// let pair = Stamped::new('a').load();
/// assert_eq!(pair, StampedValue { value: 'a', stamp: 0 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StampedValue<T> {
    /// The value.
    pub value: T,
    /// How many changes there were since the first stamp, modulo the stamp's width.
    pub stamp: u64,
}

impl<T: PlainData> Stamped<T> {
    const VALUE_BITS: u32 = 8 * size_of::<T>() as u32;

    /// The bits that are the value's.
    const VALUE: u64 = (1 << Self::VALUE_BITS) - 1;

    /// How many bits the stamp has: at least 32.
    ///
    /// ```
    /// use lockwork::counter::Stamped;
    ///
    /// assert_eq!(Stamped::<u32>::STAMP_BITS, 32);
    /// assert_eq!(Stamped::<u16>::STAMP_BITS, 48);
    /// ```
    pub const STAMP_BITS: u32 = u64::BITS - Self::VALUE_BITS;

    /// The largest stamp, after which comes 0.
    ///
    /// ```
    /// assert_eq!(lockwork::counter::Stamped::<u32>::MAX_STAMP, u32::MAX.into());
    /// ```
    pub const MAX_STAMP: u64 = u64::MAX >> Self::VALUE_BITS;

    model_const_fn! {
        /// Creates it with stamp 0.
        ///
        /// ```
        /// static STATE: lockwork::counter::Stamped<u8> = lockwork::counter::Stamped::new(3);
        /// assert_eq!(STATE.load().value, 3);
        /// ```
        #[must_use]
        pub const fn new(value: T) -> Self {
            Self { word: AtomicU64::new(Self::bits(value)), value: PhantomData }
        }
    }

    model_const_fn! {
        /// Creates it with this stamp, of which as many bits count as there are.
        ///
        /// ```
        /// use lockwork::counter::Stamped;
        ///
        /// let state = Stamped::with_stamp('a', Stamped::<char>::MAX_STAMP);
        /// state.store('b');
        /// assert_eq!(state.load().stamp, 0);
        /// ```
        #[must_use]
        pub const fn with_stamp(value: T, stamp: u64) -> Self {
            let word = Self::bits(value) | stamp << Self::VALUE_BITS;
            Self { word: AtomicU64::new(word), value: PhantomData }
        }
    }

    /// The value's bytes, and zeros behind them: the low ones of a number, on the targets there
    /// are.
    const fn bits(value: T) -> u64 {
        const { assert!(size_of::<T>() <= 4, "a stamped value has four bytes at the most") };
        let mut bits = 0_u64;
        // SAFETY: no more bytes than `bits` has, all initialized as `T` is plain, and none part of
        // a pointer.
        unsafe {
            let from = (&raw const value).cast::<u8>();
            ptr::copy_nonoverlapping(from, (&raw mut bits).cast::<u8>(), size_of::<T>());
        }
        bits
    }

    fn word(pair: StampedValue<T>) -> u64 {
        Self::bits(pair.value) | pair.stamp << Self::VALUE_BITS
    }

    #[inline]
    fn pair(word: u64) -> StampedValue<T> {
        let bits = word & Self::VALUE;
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: no more bytes than `bits` has; and they are those of a value (invariant 1).
        let value = unsafe {
            let from = (&raw const bits).cast::<u8>();
            ptr::copy_nonoverlapping(from, value.as_mut_ptr().cast::<u8>(), size_of::<T>());
            value.assume_init()
        };
        StampedValue { value, stamp: word >> Self::VALUE_BITS }
    }

    /// The word of `value` that comes after `word`.
    #[inline]
    fn after(word: u64, value: T) -> u64 {
        let step = if mutant!("stamped.keep-stamp") { 0 } else { 1 << Self::VALUE_BITS };
        (word & !Self::VALUE).wrapping_add(step) | Self::bits(value)
    }

    /// The value and the stamp.
    ///
    /// ```
    /// let state = lockwork::counter::Stamped::new('a');
    /// let (value, stamp) = (state.load().value, state.load().stamp);
    /// assert_eq!((value, stamp), ('a', 0));
    /// ```
    #[doc(alias("get", "getReference", "getStamp"))]
    #[inline]
    #[must_use]
    pub fn load(&self) -> StampedValue<T> {
        Self::pair(self.word.load(ord!("stamped.a", Acquire))) // Acquire: row a.
    }

    /// Replaces the value, and moves the stamp.
    ///
    /// ```
    /// let state = lockwork::counter::Stamped::new('a');
    /// state.store('a');
    /// assert_eq!(state.load().stamp, 1);
    /// ```
    #[doc(alias = "set")]
    #[inline]
    pub fn store(&self, value: T) {
        self.swap(value);
    }

    /// Replaces the value, and moves the stamp. Returns what was there before.
    ///
    /// ```
    /// let state = lockwork::counter::Stamped::new('a');
    /// let before = state.swap('b');
    /// assert_eq!((before.value, before.stamp), ('a', 0));
    /// ```
    #[doc(alias("exchange", "getAndSet"))]
    #[inline]
    pub fn swap(&self, value: T) -> StampedValue<T> {
        self.update(|_| value)
    }

    /// Replaces the value by what the closure makes of it, and moves the stamp. Calls it again if
    /// another thread was faster. Returns what was there before.
    ///
    /// ```
    /// let state = lockwork::counter::Stamped::new(3_u8);
    /// assert_eq!(state.update(|n| n + 1).value, 3);
    /// assert_eq!(state.load().value, 4);
    /// ```
    #[doc(alias("fetch_update", "getAndUpdate"))]
    #[inline]
    pub fn update(&self, mut next: impl FnMut(T) -> T) -> StampedValue<T> {
        // Acquire: row a.
        let mut word = self.word.load(ord!("stamped.a", Acquire));
        loop {
            let before = Self::pair(word);
            match self.exchange(word, Self::after(word, next(before.value))) {
                Ok(()) => return before,
                Err(now) => word = now,
            }
        }
    }

    /// Replaces the value and moves the stamp, if both are still `current`. Returns the pair that
    /// is there now.
    ///
    /// # Errors
    ///
    /// The pair that is there if it is another one.
    ///
    /// ```
    /// let state = lockwork::counter::Stamped::new('a');
    /// let seen = state.load();
    /// let mine = state.compare_exchange(seen, 'b').expect("nobody else is here");
    /// assert_eq!((mine.value, mine.stamp), ('b', 1));
    /// assert_eq!(state.compare_exchange(seen, 'c'), Err(mine));
    /// ```
    #[doc(alias("compare_and_set", "compareAndSet", "cas"))]
    #[inline]
    pub fn compare_exchange(
        &self,
        current: StampedValue<T>,
        value: T,
    ) -> Result<StampedValue<T>, StampedValue<T>> {
        let word = Self::word(current);
        let new = Self::after(word, value);
        self.exchange(word, new).map(|()| Self::pair(new)).map_err(Self::pair)
    }

    /// As [`compare_exchange`](Self::compare_exchange), with a stamp of the caller's, of which as
    /// many bits count as there are. That a stamp does not come again too soon is then the caller's
    /// to see to; setting a mark of one bit and taking it off again is a use that needs no more.
    ///
    /// # Errors
    ///
    /// The pair that is there if it is another one than `current`.
    ///
    /// ```
    /// use lockwork::counter::{Stamped, StampedValue};
    ///
    /// let node = Stamped::new(17_u32);
    /// let seen = node.load();
    /// let deleted = StampedValue { stamp: 1, ..seen };
    /// assert!(node.compare_exchange_stamped(seen, deleted).is_ok());
    /// assert_eq!(node.load(), deleted);
    /// ```
    #[doc(alias("compareAndSet", "attemptStamp", "attemptMark"))]
    #[inline]
    pub fn compare_exchange_stamped(
        &self,
        current: StampedValue<T>,
        new: StampedValue<T>,
    ) -> Result<StampedValue<T>, StampedValue<T>> {
        let new = Self::word(new);
        let exchanged = self.exchange(Self::word(current), new);
        exchanged.map(|()| Self::pair(new)).map_err(Self::pair)
    }

    #[inline]
    fn exchange(&self, current: u64, new: u64) -> Result<(), u64> {
        let exchanged = self.word.compare_exchange(
            current,
            new,
            // AcqRel, Acquire: rows b and a.
            ord!("stamped.b", AcqRel),
            ord!("stamped.a", Acquire),
        );
        exchanged.map(drop)
    }

    /// Takes the pair out of what nobody else can reach.
    ///
    /// ```
    /// assert_eq!(lockwork::counter::Stamped::new('a').into_inner().value, 'a');
    /// ```
    #[must_use]
    pub fn into_inner(mut self) -> StampedValue<T> {
        Self::pair(*self.word.get_mut())
    }
}

impl<T: PlainData + Default> Default for Stamped<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: PlainData> From<T> for Stamped<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: PlainData + fmt::Debug> fmt::Debug for Stamped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StampedValue { value, stamp } = self.load();
        f.debug_struct("Stamped").field("value", &value).field("stamp", &stamp).finish()
    }
}
