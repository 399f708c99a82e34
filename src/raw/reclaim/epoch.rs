//! Epochs, by crossbeam-epoch: what is retired is freed once every thread that was looking at
//! something has stopped doing so.
//!
//! A thread that does not go on stops reclamation everywhere, so garbage has no bound; and each
//! batch of 64 retirements is a heap node of its own. That is why it is not the default.

use super::{Bin, End, Free, Header, Reclaim, sealed};
use crate::primitive::AtomicPtr;
use crate::primitive::Ordering::Acquire;

/// Epochs, by `crossbeam-epoch`: simple, well known, and at the mercy of the slowest thread. Needs
/// feature `epoch`.
///
/// A thread that is stopped in the middle of an operation keeps everything that is retired from
/// then on, in all structures of the process that use epochs, from being freed. Memory is not used
/// again but freed and allocated. To compare with; [`Hazard`](super::Hazard) has neither problem.
///
/// ```
/// use lockwork::queue::SegQueue;
/// use lockwork::queue::reclaim::Epoch;
///
/// let queue = SegQueue::<u32, Epoch>::with_reclaim();
/// queue.push(1);
/// assert_eq!(queue.pop(), Some(1));
/// ```
#[derive(Debug)]
pub enum Epoch {}

impl sealed::Sealed for Epoch {}

impl Reclaim for Epoch {
    type Guard = crossbeam_epoch::Guard;

    const BARE: bool = false;

    #[inline]
    fn quick(end: End) -> Option<Self::Guard> {
        Some(Self::enter(end))
    }

    #[inline]
    fn protect_once(guard: &Self::Guard, place: &AtomicPtr<Header>) -> Option<*mut Header> {
        Some(Self::protect(guard, place))
    }

    #[inline]
    fn enter(_end: End) -> Self::Guard {
        crossbeam_epoch::pin()
    }

    #[inline]
    fn protect(_guard: &Self::Guard, place: &AtomicPtr<Header>) -> *mut Header {
        place.load(Acquire) // Acquire: sees the node that it points to.
    }

    fn release(_guard: &mut Self::Guard) {}

    unsafe fn retire(guard: Self::Guard, bin: &Bin, node: *mut Header, free: Free) {
        bin.forget_node();
        // SAFETY: the node is out of reach of whoever is pinned from now on (this function's
        // contract); to free it touches nothing but its memory, so any thread may, at any time.
        unsafe { guard.defer_unchecked(move || free(node)) };
    }

    unsafe fn collect(_bin: &Bin, _free: Free) {}

    unsafe fn insist(_bin: &Bin, _free: Free) {}
}
