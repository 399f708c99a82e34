//! `AbaHorizon`.

use core::fmt;
use core::time::Duration;

/// How long it takes until a tag comes back.
///
/// A thread that is stopped in the middle of a pop, and goes on after exactly this number of values
/// has been taken, or a multiple of it, with the same place on top as before, does damage. Before
/// and after, it notices and starts again. With an operating system that lets every thread run now
/// and then, that takes a process that is stopped for longer than the duration, in which its other
/// threads are not.
///
/// ```
/// use std::time::Duration;
/// use lockwork::stack::{ArrayStack, TaggedStack};
///
/// let horizon = ArrayStack::<u8>::new(1_000).aba_horizon();
/// assert_eq!(horizon.values(), 1 << 54);
/// assert!(horizon.duration() > Duration::from_secs(200 * 86_400));
/// let horizon = TaggedStack::<u8>::new().aba_horizon();
/// # #[cfg(all(target_arch = "x86_64", not(lockwork_portable)))]
/// assert!(horizon.duration() > Duration::from_secs(500 * 365 * 86_400));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbaHorizon {
    tag_bits: u32,
}

/// How many values per second can be taken at the most: one each nanosecond. One by one, each costs
/// a locked instruction, of about five nanoseconds; in a batch, each costs a load that has to wait
/// for the one before.
const FULL_RATE: u128 = 1_000_000_000;

impl AbaHorizon {
    pub(super) const fn new(tag_bits: u32) -> Self {
        Self { tag_bits }
    }

    /// The number of values that are taken until a tag comes back.
    ///
    /// ```
    /// let horizon = lockwork::stack::ArrayStack::<u8>::new(7).aba_horizon();
    /// assert_eq!(horizon.values(), 1 << 61);
    /// ```
    #[must_use]
    pub const fn values(&self) -> u128 {
        1 << self.tag_bits
    }

    /// The time that takes at full rate: no faster than one value each nanosecond, around the
    /// clock, by all threads together.
    ///
    /// ```
    /// use lockwork::stack::ArrayStack;
    ///
    /// let horizon = ArrayStack::<u8>::new(ArrayStack::<u8>::MAX_CAPACITY).aba_horizon();
    /// assert_eq!(horizon.duration().as_secs() / 60, 18);
    /// ```
    #[must_use]
    pub const fn duration(&self) -> Duration {
        let values = self.values();
        // At most 2^64 values: 2^34 seconds.
        Duration::new((values / FULL_RATE) as u64, (values % FULL_RATE) as u32)
    }
}

impl fmt::Debug for AbaHorizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbaHorizon")
            .field("values", &self.values())
            .field("duration", &self.duration())
            .finish()
    }
}
