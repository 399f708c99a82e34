//! Queues.
//!
//! | type | capacity | full or empty | progress |
//! |---|---|---|---|
//! | [`ArrayQueue`] | fixed | says so at once | waits out an operation in flight on its place, or says "busy" |
//! | `SegQueue`, with feature `std` | no limit | says "empty" at once | lock-free |
//! | [`BlockingQueue`] | of either kind | sleeps, with deadlines; can be closed | as what it is made of, and sleeps |
//! | [`channel`] | of either kind, or no places at all | the same; closed by dropping an end | the same |
//! | [`spsc`] | fixed | says so at once | wait-free; one producer and one consumer |
//!
//! All are first in, first out. Those with a fixed capacity allocate only when they are made, those
//! without a limit while they grow. All but `spsc` are for any number of producers and consumers.

mod ahead;
mod array;
mod backing;
mod batch;
mod blocking;
pub mod channel;
mod pace;
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
