//! Queues.
//!
//! | type | capacity | full or empty | progress |
//! |---|---|---|---|
//! | [`ArrayQueue`] | fixed | says so at once | waits out an operation in flight on its place, or says "busy" |
//! | [`BlockingQueue`] | fixed | sleeps, with deadlines; can be closed | as `ArrayQueue`, and sleeps |
//! | [`channel`] | fixed, or none at all | the same; closed by dropping an end | the same |
//! | [`spsc`] | fixed | says so at once | wait-free; one producer and one consumer |
//! | [`SegQueue`] | none | says "empty" at once | lock-free |
//!
//! All are first in, first out. All but `SegQueue`, and a channel without a capacity, allocate only
//! when they are made. All but `spsc` are for any number of producers and consumers.

mod ahead;
mod array;
mod backing;
mod batch;
mod blocking;
pub mod channel;
#[cfg(feature = "std")]
pub mod reclaim;
#[cfg(feature = "std")]
mod seg;
pub mod spsc;

pub use ahead::Ahead;
pub use array::{ArrayQueue, Drain, IntoIter, TryIter, TryPopError, TryPushError};
pub use backing::Backing;
pub use batch::{Sink, Source};
pub use blocking::{BlockingQueue, BlockingTryIter, Iter, PopError, PushError, PushErrorReason};
#[cfg(feature = "std")]
pub use seg::{SegDrain, SegIntoIter, SegQueue, SegTryIter};
