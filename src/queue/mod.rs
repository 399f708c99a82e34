//! Queues.
//!
//! | type | capacity | full or empty | progress |
//! |---|---|---|---|
//! | [`ArrayQueue`] | fixed | says so at once | waits out an operation in flight on its slot |
//! | [`BlockingQueue`] | fixed | sleeps, with deadlines; can be closed | as `ArrayQueue`, and sleeps |
//!
//! Both are first in, first out, for any number of producers and consumers, and allocate only when
//! they are made.

mod array;
mod blocking;

pub use array::{ArrayQueue, IntoIter};
pub use blocking::{BlockingQueue, PopError, PushError, PushErrorReason};
