//! PLACEHOLDER
#![no_std]
#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test, lockwork_chaos, lockwork_mutants, all(loom, feature = "loom")))]
extern crate std;

#[cfg(feature = "std")]
pub mod pool;
mod primitive;
#[cfg(feature = "alloc")]
pub mod queue;
mod raw;
mod sync;
mod sys;

pub use primitive::Deadline;
pub use sync::{Condvar, MappedMutexGuard, Mutex, MutexGuard, WaitTimeoutResult};
#[cfg(feature = "alloc")]
pub use sync::{Parker, Unparker};

primitive::export_model!(crate::raw::EventCount);
