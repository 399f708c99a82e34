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

/// An atomic *head*, which is a name and a tag, and the atomic name that nodes have of each other.
pub trait TaggedWord: Send + Sync {
    /// Tells nodes apart.
    type Name: Copy + PartialEq + Debug;

    /// What such a word holds. The tag counts removals, modulo 2^bits.
    type Head: Copy + PartialEq + Debug;

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

    /// The name of no node. All words for as many nodes have the same.
    fn none(&self) -> Self::Name;

    /// The first node, or [`none`](Self::none).
    fn name(&self, head: Self::Head) -> Self::Name;

    /// The tag.
    fn tag(&self, head: Self::Head) -> u64;

    /// That head, with its tag `step` further on, and another name.
    fn replace(&self, head: Self::Head, step: u64, name: Self::Name) -> Self::Head;

    /// Loads both. Whoever finds `none` has found it at one moment; for a name, only the
    /// compare-exchange says that the two belong together.
    fn load(&self, order: Ordering) -> Self::Head;

    /// Replaces both, if they are `current`; else says what they are.
    ///
    /// # Errors
    ///
    /// What was there instead.
    fn compare_exchange(
        &self,
        current: Self::Head,
        new: Self::Head,
        success: Ordering,
        failure: Ordering,
    ) -> Result<(), Self::Head>;

    /// A link that nobody has stored anything in.
    fn link() -> Self::Link;

    /// Loads a link.
    fn load_link(link: &Self::Link, order: Ordering) -> Self::Name;

    /// Stores a link.
    fn store_link(link: &Self::Link, name: Self::Name, order: Ordering);

    /// The name of the node with this number and this address.
    fn name_of(number: usize, address: *mut ()) -> Self::Name;

    /// The address of the node of this name; `address_of` knows those of numbers.
    fn address(name: Self::Name, address_of: impl FnOnce(usize) -> *mut ()) -> *mut ();
}
