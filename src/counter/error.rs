//! Why a number stays as it is.

use core::error::Error;
use core::fmt;

/// The number would have left its range; it is as it was.
///
/// From [`BoundedCounter::try_add`](super::BoundedCounter::try_add) and
/// [`BoundedCounter::try_sub`](super::BoundedCounter::try_sub).
///
/// ```
/// use lockwork::counter::{BoundError, BoundedCounter};
///
/// let seats = BoundedCounter::new(0..=3);
/// let refused = seats.try_add(4).unwrap_err();
/// assert_eq!(refused, BoundError::AboveLimit { value: 0, by: 4, limit: 3 });
/// assert_eq!(refused.to_string(), "cannot add 4 to 0: the limit is 3");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BoundError {
    /// More than the limit.
    AboveLimit {
        /// The number.
        value: u64,
        /// What was to be added.
        by: u64,
        /// The limit.
        limit: u64,
    },
    /// Less than the floor.
    BelowFloor {
        /// The number.
        value: u64,
        /// What was to be subtracted.
        by: u64,
        /// The floor.
        floor: u64,
    },
}

impl fmt::Display for BoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AboveLimit { value, by, limit } => {
                write!(f, "cannot add {by} to {value}: the limit is {limit}")
            }
            Self::BelowFloor { value, by, floor } => {
                write!(f, "cannot subtract {by} from {value}: the floor is {floor}")
            }
        }
    }
}

impl Error for BoundError {}

/// A new number outside of the range.
///
/// From [`BoundedCounter::swap`](super::BoundedCounter::swap).
///
/// ```
/// use lockwork::counter::{BoundedCounter, OutOfRange};
///
/// let refused = BoundedCounter::new(1..=3).swap(9).unwrap_err();
/// assert_eq!(refused, OutOfRange { new: 9, floor: 1, limit: 3 });
/// assert_eq!(refused.to_string(), "9 is not between 1 and 3");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutOfRange {
    /// What was to be the number.
    pub new: u64,
    /// The floor.
    pub floor: u64,
    /// The limit.
    pub limit: u64,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { new, floor, limit } = self;
        write!(f, "{new} is not between {floor} and {limit}")
    }
}

impl Error for OutOfRange {}

/// Why a compare-and-exchange did not take place.
///
/// From [`BoundedCounter::compare_exchange`](super::BoundedCounter::compare_exchange).
///
/// ```
/// use lockwork::counter::{BoundedCounter, CompareError};
///
/// let refused = BoundedCounter::new(0..=3).compare_exchange(2, 3).unwrap_err();
/// assert_eq!(refused, CompareError::Different { expected: 2, found: 0 });
/// assert_eq!(refused.to_string(), "expected 2 and found 0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareError {
    /// The number is another one.
    Different {
        /// What it was to be.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// The new number is outside of the range. The old one was not looked at.
    OutOfRange(OutOfRange),
}

impl fmt::Display for CompareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Different { expected, found } => {
                write!(f, "expected {expected} and found {found}")
            }
            Self::OutOfRange(range) => range.fmt(f),
        }
    }
}

impl Error for CompareError {}

impl From<OutOfRange> for CompareError {
    fn from(range: OutOfRange) -> Self {
        Self::OutOfRange(range)
    }
}
