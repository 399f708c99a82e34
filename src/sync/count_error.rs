//! `CountError`.

use core::error::Error;
use core::fmt;

/// A count would have left its range; it is as it was.
///
/// From [`Latch::try_count_down`](crate::Latch::try_count_down),
/// [`WaitGroup::try_add`](crate::WaitGroup::try_add) and
/// [`WaitGroup::try_done`](crate::WaitGroup::try_done).
///
/// ```
/// use lockwork::{CountError, Latch};
///
/// let refused = Latch::new(2).try_count_down(3).unwrap_err();
/// assert_eq!(refused, CountError::Underflow { count: 2, by: 3 });
/// assert_eq!(refused.to_string(), "cannot count down by 3 from 2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CountError {
    /// Less than zero.
    Underflow {
        /// The count.
        count: u32,
        /// What was to be taken off.
        by: u32,
    },
    /// More than can be counted.
    Overflow {
        /// The count.
        count: u32,
        /// What was to be added.
        by: u32,
    },
}

impl fmt::Display for CountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Underflow { count, by } => write!(f, "cannot count down by {by} from {count}"),
            Self::Overflow { count, by } => {
                write!(f, "cannot add {by} to {count}: the limit is {}", u32::MAX)
            }
        }
    }
}

impl Error for CountError {}

/// Panics with what was refused.
pub(super) trait OrPanic {
    /// Returns if nothing was.
    #[track_caller]
    fn or_panic(self);
}

impl OrPanic for Result<(), CountError> {
    #[inline]
    #[track_caller]
    fn or_panic(self) {
        if let Err(error) = self {
            refuse(error);
        }
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn refuse(error: CountError) -> ! {
    panic!("lockwork: {error}")
}
