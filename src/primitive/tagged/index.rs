//! An index and a tag in 64 bits.

use super::super::{AtomicU32, AtomicU64, Ordering, mutant, tuning};
use super::TaggedWord;

/// ```text
///  63            k   k-1            0
/// +----------------+----------------+
/// |      tag       |     index      |      all ones in the index: no node
/// +----------------+----------------+
/// ```
///
/// *k* is as small as the number of nodes lets it be. What is added to the tag may overflow: it is
/// the highest part.
#[derive(Debug)]
pub struct IndexWord {
    word: AtomicU64,
    /// All ones in the index.
    none: u32,
    /// Where the tag begins, and what its lowest bit is worth there.
    index_bits: u32,
    one: u64,
    tag_bits: u32,
}

/// The width of the tag in the model: narrow enough that one comes back there.
const MODEL_TAG_BITS: u32 = 2;

impl IndexWord {
    /// A tag in its place, cut to its width: only where that is less than what is left, in the
    /// model.
    #[inline]
    fn cut(&self, tag: u64) -> u64 {
        if tuning(64, MODEL_TAG_BITS) == 64 {
            return tag;
        }
        tag & !(u64::MAX << self.tag_bits << self.index_bits)
    }
}

impl TaggedWord for IndexWord {
    type Name = u32;
    type Head = u64;
    type Link = AtomicU32;

    const MAX_NODES: usize = (1 << 24) - 1;

    fn new(nodes: usize) -> Self {
        debug_assert!((1..=Self::MAX_NODES).contains(&nodes));
        let index_bits = nodes.ilog2() + 1;
        let tag_bits = if mutant!("index_word.no-tag") {
            0
        } else {
            (64 - index_bits).min(tuning(64, MODEL_TAG_BITS))
        };
        let none = (1 << index_bits) - 1;
        // With tag 0.
        Self {
            word: AtomicU64::new(u64::from(none)),
            none,
            index_bits,
            one: 1 << index_bits,
            tag_bits,
        }
    }

    fn tag_bits(&self) -> u32 {
        self.tag_bits
    }

    #[inline]
    fn none(&self) -> u32 {
        self.none
    }

    #[inline]
    fn name(&self, head: u64) -> u32 {
        head as u32 & self.none
    }

    #[inline]
    fn tag(&self, head: u64) -> u64 {
        head >> self.index_bits
    }

    #[inline]
    fn replace(&self, head: u64, step: u64, name: u32) -> u64 {
        debug_assert!(name <= self.none);
        let tag = (head & !u64::from(self.none)).wrapping_add(step.wrapping_mul(self.one));
        self.cut(tag) | u64::from(name)
    }

    #[inline]
    fn load(&self, order: Ordering) -> u64 {
        self.word.load(order)
    }

    #[inline]
    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<(), u64> {
        self.word.compare_exchange(current, new, success, failure).map(drop)
    }

    fn link() -> AtomicU32 {
        AtomicU32::new(u32::MAX)
    }

    #[inline]
    fn load_link(link: &AtomicU32, order: Ordering) -> u32 {
        link.load(order)
    }

    #[inline]
    fn store_link(link: &AtomicU32, name: u32, order: Ordering) {
        link.store(name, order);
    }

    fn name_of(number: usize, _: *mut ()) -> u32 {
        number as u32
    }

    #[inline]
    fn address(name: u32, address_of: impl FnOnce(usize) -> *mut ()) -> *mut () {
        address_of(name as usize)
    }
}
