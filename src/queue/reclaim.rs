//! How a [`SegQueue`](super::SegQueue) knows that nobody looks at a segment any more, which is its
//! second type parameter.
//!
//! | | [`Hazard`], the default | `Epoch`, with feature `epoch` |
//! |---|---|---|
//! | a thread says | which segment it looks at | that it looks at something |
//! | that costs | two plain stores; a full fence where it comes to another block | a full fence |
//! | a thread that is stopped in an operation keeps | that segment | all that are retired from then on |
//! | segments are used again | by the queue itself | by way of the allocator |
//! | state | a record for each thread, never more than there were at a time | `crossbeam-epoch`'s |

#[cfg(feature = "epoch")]
crate::primitive::except_in_model! {
    pub use crate::raw::reclaim::Epoch;
}
pub use crate::raw::reclaim::{Hazard, Reclaim};
