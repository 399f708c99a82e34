//! Stacks.
//!
//! | type | capacity | full | a tag comes back |
//! |---|---|---|---|
//! | [`ArrayStack`] | fixed | says so at once | after at least 2^40 values |
//! | [`TaggedStack`] | grows | grows | after 2^64 values |
//!
//! Both are last in, first out, for any number of threads, and lock-free: whoever is stopped in the
//! middle of an operation stops nobody else. Both use the places of values again and again, at
//! once; what keeps a thread that was held up from taking an old place for the one it knew is a tag
//! beside the name of the first place. [`aba_horizon`](ArrayStack::aba_horizon) says how long that
//! lasts, and [`guide::aba`](crate::guide::aba) how it works and why it is needed.

mod array;
mod horizon;
mod iter;
mod push_many_error;
mod tagged;

pub use array::ArrayStack;
pub use horizon::AbaHorizon;
pub use iter::{IntoIter, PopAll, Stack};
pub use push_many_error::PushManyError;
pub use tagged::TaggedStack;
