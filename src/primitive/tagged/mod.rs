//! A name of a node and a tag, changed as one: the head of a list whose nodes come back.
//!
//! Two forms behind one trait:
//!
//! | | [`IndexWord`] | `AddressWord` |
//! |---|---|---|
//! | width | 64 bits | 128 bits |
//! | name | an index, of as many bits as there are nodes | an address |
//! | tag | the bits that are left, at least 40 | 64 bits |
//! | where | everywhere, the model too | x86-64 with `cmpxchg16b` |
//!
//! [`WideWord`] is the second where there is one, and the first elsewhere: on aarch64, in the
//! model, and under `--cfg lockwork_portable`, as race detectors do not look into assembly.

#![allow(unreachable_pub, reason = "the types are public in `raw`, which is not always public")]

mod index;

#[cfg(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(any(lockwork_portable, all(loom, feature = "loom")))
))]
mod address;

use core::fmt::Debug;

use super::Ordering;

pub use index::IndexWord;

#[cfg(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(any(lockwork_portable, all(loom, feature = "loom")))
))]
pub use address::AddressWord as WideWord;
#[cfg(not(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(any(lockwork_portable, all(loom, feature = "loom")))
)))]
pub use index::IndexWord as WideWord;

/// What such a word holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tagged<N> {
    /// Counts removals, modulo 2^bits.
    pub tag: u64,
    /// The first node, or [`TaggedWord::NONE`].
    pub name: N,
}

/// An atomic [`Tagged`], and the atomic name that nodes have of each other.
pub trait TaggedWord: Send + Sync {
    /// Tells nodes apart.
    type Name: Copy + PartialEq + Debug;

    /// The name of no node.
    const NONE: Self::Name;

    /// An atomic name: the link of a node.
    type Link: Send + Sync;

    /// How many nodes can have names at the most.
    const MAX_NODES: usize;

    /// A word with tag 0 that names nothing, for at most so many nodes.
    ///
    /// # Panics
    ///
    /// If the processor lacks what it takes.
    fn new(nodes: usize) -> Self;

    /// The width of the tag.
    fn tag_bits(&self) -> u32;

    /// Loads both. Whoever finds `NONE` has found it at one moment; for a name, only the
    /// compare-exchange says that the two belong together.
    fn load(&self, order: Ordering) -> Tagged<Self::Name>;

    /// Replaces both, if they are `current`; else says what they are. The tag is cut to its width.
    ///
    /// # Errors
    ///
    /// What was there instead.
    fn compare_exchange(
        &self,
        current: Tagged<Self::Name>,
        new: Tagged<Self::Name>,
        success: Ordering,
        failure: Ordering,
    ) -> Result<(), Tagged<Self::Name>>;

    /// A link to no node.
    fn link() -> Self::Link;

    /// Loads a link.
    fn load_link(link: &Self::Link, order: Ordering) -> Self::Name;

    /// Stores a link.
    fn store_link(link: &Self::Link, name: Self::Name, order: Ordering);

    /// The name of the node with this number and this address.
    fn name(number: usize, address: *mut ()) -> Self::Name;

    /// The address of the node of this name; `address_of` knows those of numbers.
    fn address(name: Self::Name, address_of: impl FnOnce(usize) -> *mut ()) -> *mut ();
}
