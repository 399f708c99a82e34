//! Layer 3: locks with the data they guard, and the guards that prove a lock is held.

mod condvar;
mod condvar_any;
mod exclusive;
mod fair_mutex;
mod mutex;
#[cfg(feature = "alloc")]
mod parker;
#[cfg(feature = "std")]
mod reentrant_mutex;
pub mod rwlock;
pub mod semaphore;
mod suspend;

pub use condvar::{Condvar, WaitTimeoutResult};
pub use condvar_any::CondvarAny;
#[cfg(feature = "alloc")]
pub use fair_mutex::ArcFairMutexGuard;
pub use fair_mutex::{FairMutex, FairMutexGuard, MappedFairMutexGuard};
#[cfg(feature = "alloc")]
pub use mutex::ArcMutexGuard;
pub use mutex::{MappedMutexGuard, Mutex, MutexGuard};
#[cfg(feature = "alloc")]
pub use parker::{Parker, Unparker};
#[cfg(feature = "std")]
pub use reentrant_mutex::{
    ArcReentrantMutexGuard, MappedReentrantMutexGuard, ReentrantMutex, ReentrantMutexGuard,
};
pub use suspend::WaitGuard;
