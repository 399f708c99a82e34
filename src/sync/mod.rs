//! Layer 3: locks with the data they guard, and the guards that prove a lock is held.

mod condvar;
mod mutex;
#[cfg(feature = "alloc")]
mod parker;

pub use condvar::{Condvar, WaitTimeoutResult};
pub use mutex::{MappedMutexGuard, Mutex, MutexGuard};
#[cfg(feature = "alloc")]
pub use parker::{Parker, Unparker};
