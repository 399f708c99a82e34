//! Queues.
//!
//! | type | capacity | full or empty | progress |
//! |---|---|---|---|
//! | [`ArrayQueue`] | fixed | says so at once | waits out an operation in flight on its slot |
//! | [`BlockingQueue`] | fixed | sleeps, with deadlines; can be closed | as `ArrayQueue`, and sleeps |
//!
//! Both are first in, first out, for any number of producers and consumers, and allocate only when
//! they are made.

mod ahead;
mod array;
mod batch;
mod blocking;
pub mod spsc;

pub use ahead::Ahead;
pub use array::{ArrayQueue, Drain, IntoIter, TryIter, TryPopError, TryPushError};
pub use batch::{Sink, Source};
pub use blocking::{BlockingQueue, PopError, PushError, PushErrorReason};
