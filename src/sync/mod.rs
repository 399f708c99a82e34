//! Layer 3: locks with the data they guard, and the guards that prove a lock is held; and what
//! threads wait for each other with.

mod barrier;
mod condvar;
mod condvar_any;
mod count_error;
mod event;
mod exclusive;
mod fair_mutex;
mod latch;
mod lazy_lock;
pub mod lock_set;
mod mutex;
mod once;
mod once_lock;
#[cfg(feature = "alloc")]
mod parker;
#[cfg(feature = "std")]
mod pi_condvar;
#[cfg(feature = "std")]
mod pi_mutex;
#[cfg(feature = "std")]
mod reentrant_mutex;
#[cfg(feature = "std")]
pub mod rt;
pub mod rwlock;
pub mod semaphore;
mod seq_lock;
#[cfg(feature = "serde")]
mod serde;
mod spin_lock;
mod suspend;
mod wait_any;
mod wait_group;

pub use barrier::{Barrier, BarrierError, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use condvar_any::CondvarAny;
pub use count_error::CountError;
pub use event::Event;
#[cfg(feature = "alloc")]
pub use fair_mutex::ArcFairMutexGuard;
pub use fair_mutex::{FairMutex, FairMutexGuard, MappedFairMutexGuard};
pub use latch::Latch;
pub use lazy_lock::LazyLock;
pub use lock_set::{lock_all, try_lock_all, try_lock_all_for, try_lock_all_until};
#[cfg(feature = "alloc")]
pub use mutex::ArcMutexGuard;
pub use mutex::{MappedMutexGuard, Mutex, MutexGuard};
pub use once::{Once, OnceState};
pub use once_lock::OnceLock;
#[cfg(feature = "alloc")]
pub use parker::{Parker, Unparker};
#[cfg(feature = "std")]
pub use pi_condvar::PiCondvar;
#[cfg(feature = "std")]
pub use pi_mutex::{ArcPiMutexGuard, MappedPiMutexGuard, PiMutex, PiMutexGuard};
#[cfg(feature = "std")]
pub use reentrant_mutex::{
    ArcReentrantMutexGuard, MappedReentrantMutexGuard, ReentrantMutex, ReentrantMutexGuard,
};
pub use seq_lock::{SeqLock, SeqLockGuard};
#[cfg(feature = "alloc")]
pub use spin_lock::ArcSpinLockGuard;
pub use spin_lock::{MappedSpinLockGuard, SpinLock, SpinLockGuard};
pub use suspend::WaitGuard;
#[cfg(feature = "alloc")]
pub(crate) use wait_any::sealed as waitable;
pub use wait_any::{Taken, TakenKind, Waitable, wait_any, wait_any_for, wait_any_until};
#[cfg(feature = "alloc")]
pub use wait_group::ArcWaitGroupToken;
pub use wait_group::{WaitGroup, WaitGroupToken};
