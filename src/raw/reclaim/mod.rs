//! When memory that others may be looking at can be used again.
//!
//! A lock-free structure takes a node out of itself while other threads still have its address. Who
//! takes it out retires it ([`Reclaim::retire`]); who looks at one says so before
//! ([`Reclaim::protect`]); and what is retired and looked at by nobody is the structure's spare
//! node, or goes back to the allocator.
//!
//! | | [`Hazard`] | `Epoch` |
//! |---|---|---|
//! | a thread says | which nodes it looks at | that it looks at something |
//! | that costs | two plain stores; a full fence for another node | a full fence |
//! | a thread that does not go on holds | that node | all that is retired from then on |
//! | memory is used again | by the structure itself | by way of the allocator |
//!
//! Under the model there is a third, `Keep`, which never frees anything before the end, for models
//! that are about something else.
//!
//! # What a node is
//!
//! Anything that begins with a [`Header`], behind a pointer that has the provenance of all of it.
//! This module allocates nothing, and frees by a function that it is given.

mod bin;
#[cfg(feature = "epoch")]
except_in_model! {
    mod epoch;
    pub use epoch::Epoch;
}
mod hazard;
only_in_model! {
    mod keep;
    pub use keep::Keep;
}

#[cfg(feature = "epoch")]
use crate::primitive::except_in_model;
use crate::primitive::{AtomicPtr, only_in_model};

pub use bin::{Bin, Header};
pub use hazard::Hazard;

/// Gives a node's memory back.
///
/// # Safety
///
/// To call one: nobody uses the node from now on, and it came from where this one frees.
pub type Free = unsafe fn(*mut Header);

/// The pointer without the lowest bit, which structures may use for a mark.
#[inline]
pub(super) fn unmarked(node: *mut Header) -> *mut Header {
    node.map_addr(|address| address & !1)
}

/// Where nodes are looked at. A thread may look at one on each side, and who goes to and fro
/// between them stays with both.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// Where values leave.
    Front,
    /// Where values come in.
    Back,
}

/// A way to know that nobody looks at a node any more. Sealed.
pub trait Reclaim: sealed::Sealed + 'static {
    /// What a thread has while it looks at nodes. Dropping it ends that.
    #[doc(hidden)]
    type Guard;

    /// Whether light fences are for the compiler only, for who has a guard from `quick`.
    #[doc(hidden)]
    const BARE: bool;

    /// Begins to look at nodes, if that takes no time; the usual case.
    #[doc(hidden)]
    fn quick(end: End) -> Option<Self::Guard>;

    /// One try at [`protect`](Self::protect) with a guard from `quick`.
    #[doc(hidden)]
    fn protect_once(guard: &Self::Guard, place: &AtomicPtr<Header>) -> Option<*mut Header>;

    /// Begins to look at nodes.
    #[doc(hidden)]
    fn enter(end: End) -> Self::Guard;

    /// Loads a pointer, Acquire, to a node that is not freed before the guard is released, is
    /// dropped, or protects another one: if the place is one from which nodes are removed before
    /// they are retired, and never come back to while anybody protects them. The lowest bit is a
    /// mark.
    #[doc(hidden)]
    fn protect(guard: &Self::Guard, place: &AtomicPtr<Header>) -> *mut Header;

    /// Protects nothing for now: user code may run, which may come back to the same structure.
    #[doc(hidden)]
    fn release(guard: &mut Self::Guard);

    /// Has the node freed, or used again, once nobody looks at it.
    ///
    /// # Safety
    ///
    /// The node was removed from all places that `protect` is called with; it is this bin's, is
    /// retired once, and `free` is its.
    #[doc(hidden)]
    unsafe fn retire(guard: Self::Guard, bin: &Bin, node: *mut Header, free: Free);

    /// Tries to find spare nodes among those retired; at no time when the caller has a guard.
    ///
    /// # Safety
    ///
    /// `free` is that of this bin's nodes.
    #[doc(hidden)]
    unsafe fn collect(bin: &Bin, free: Free);

    /// As [`collect`](Self::collect), at a higher price, for who would have to allocate otherwise.
    ///
    /// # Safety
    ///
    /// As for `collect`.
    #[doc(hidden)]
    unsafe fn insist(bin: &Bin, free: Free);
}

pub(super) mod sealed {
    pub trait Sealed {}
}
