//! Layer 2: algorithms on words.
//!
//! No data, no guards: a raw lock says when its caller may touch something, and never touches it.
//! What proves that a caller may unlock, unlink or read is written as the contract of each `unsafe`
//! function; the layers above turn those contracts into types.

#![allow(unreachable_pub, reason = "public in the model build, and later for other lock traits")]

#[cfg(feature = "alloc")]
mod arena;
mod barrier;
#[cfg(feature = "alloc")]
mod callback;
#[cfg(feature = "alloc")]
mod cancel_token;
mod condvar;
mod event;
#[cfg(feature = "alloc")]
mod event_count;
mod fair_semaphore;
#[cfg(feature = "alloc")]
mod index_stack;
mod latch;
mod limit;
mod list_lock;
#[cfg(feature = "lock_api")]
crate::primitive::except_in_model! {
    mod lock_traits;
    pub use lock_traits::{
        RawCondvar, RawFairMutex, RawMutex, RawRwLock, RawRwLockRecursive, RawSpinLock, RawThreadId,
    };
}
mod mutex;
mod once;
#[cfg(feature = "alloc")]
mod parker;
#[cfg(feature = "std")]
mod pi_condvar;
#[cfg(feature = "std")]
mod pi_mutex;
#[cfg(feature = "alloc")]
mod readiness;
#[cfg(feature = "std")]
pub mod reclaim;
#[cfg(feature = "std")]
mod reentrant;
mod relock;
#[cfg(feature = "alloc")]
mod rendezvous;
#[cfg(feature = "alloc")]
mod ring;
mod rwlock;
#[cfg(feature = "std")]
mod segments;
mod semaphore;
mod seq_lock;
mod spin_lock;
#[cfg(feature = "alloc")]
pub mod spsc;
#[cfg(feature = "std")]
mod stripes;
mod wait_any;
mod wait_group;
mod waitable;

#[cfg(feature = "alloc")]
pub use arena::{Fixed, Growing};
pub use barrier::{Barrier, Breach};
#[cfg(feature = "alloc")]
pub use cancel_token::{Calls, CancelToken, Registration};
pub use condvar::Condvar;
pub use event::Event;
#[cfg(feature = "alloc")]
pub use event_count::{EventCount, Ticket};
pub use fair_semaphore::FairSemaphore;
#[cfg(feature = "alloc")]
pub use index_stack::{FixedStack, GrowingStack, Taken};
pub use latch::Latch;
pub use limit::Limit;
pub use mutex::Mutex;
pub use once::{Once, State as OnceState};
#[cfg(feature = "alloc")]
pub use parker::Parker;
#[cfg(feature = "std")]
pub use pi_condvar::{Lost, PiCondvar};
#[cfg(feature = "std")]
pub use pi_mutex::PiMutex;
#[cfg(feature = "alloc")]
pub use readiness::Readiness;
#[cfg(feature = "std")]
pub use reentrant::ReentrantMutex;
pub(crate) use relock::AbortOnUnwind;
#[cfg(feature = "alloc")]
pub use relock::InPlace;
pub use relock::{Fair, Plain, Reader, Relock, Spinning, Upgradable, Writer};
#[cfg(feature = "std")]
pub use relock::{Inheriting, Reentrant};
#[cfg(feature = "alloc")]
pub use rendezvous::{NoDeal, Rendezvous};
#[cfg(feature = "alloc")]
pub use ring::{PopError, PushError, Ring, TryPopError, TryPushError, Values};
pub use rwlock::RwLock;
#[cfg(feature = "std")]
pub use segments::Segments;
#[cfg(feature = "std")]
crate::primitive::only_in_model! {
    pub use segments::{Any, Seen, Slot};
}
pub use semaphore::{MAX_PERMITS, Refusal, Semaphore};
pub use seq_lock::SeqLock;
pub use spin_lock::SpinLock;
#[cfg(feature = "std")]
pub use stripes::Stripes;
pub(crate) use wait_any::wait_any;
pub use wait_group::WaitGroup;
pub use waitable::{Found, Waitable};
