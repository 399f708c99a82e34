//! Semaphores, their permits, and what they answer.
//!
//! [`Semaphore`] and [`FairSemaphore`] have the same methods, but for
//! [`acquire_many`](FairSemaphore::acquire_many), which only the second one has: without an order
//! of service, whoever wants many can be overtaken for ever by those who want few.

mod error;
mod fair;
mod methods;
mod permit;
mod plain;

pub use error::{AcquireError, Closed, Full, TryAcquireError};
#[cfg(feature = "alloc")]
pub use fair::ArcFairSemaphorePermit;
pub use fair::{FairSemaphore, FairSemaphorePermit};
#[cfg(feature = "alloc")]
pub use plain::ArcSemaphorePermit;
pub use plain::{Semaphore, SemaphorePermit};

use crate::raw;

/// The most permits that a semaphore can have: as many as `sem_t` can in POSIX, `i32::MAX`.
///
/// ```
/// use lockwork::semaphore::{MAX_PERMITS, Semaphore};
///
/// assert_eq!(Semaphore::new(1).max(), MAX_PERMITS);
/// ```
#[doc(alias("SEM_VALUE_MAX"))]
pub const MAX_PERMITS: u32 = raw::MAX_PERMITS;
