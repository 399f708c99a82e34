//! An index and a tag in 64 bits.

use super::super::{AtomicU32, AtomicU64, Ordering, mutant, tuning};
use super::{Tagged, TaggedWord};

/// ```text
///  63            k   k-1            0
/// +----------------+----------------+
/// |      tag       |     index      |      all ones in the index: no node
/// +----------------+----------------+
/// ```
///
/// *k* is as small as the number of nodes lets it be.
#[derive(Debug)]
pub struct IndexWord {
    word: AtomicU64,
    index_bits: u32,
    tag_bits: u32,
}

/// The width of the tag in the model: narrow enough that one comes back there.
const MODEL_TAG_BITS: u32 = 2;

impl IndexWord {
    fn pack(&self, Tagged { tag, name }: Tagged<u32>) -> u64 {
        let none = (1 << self.index_bits) - 1;
        let index = if name == Self::NONE { none } else { u64::from(name) };
        debug_assert!(index <= none);
        (tag & self.tag_mask()) << self.index_bits | index
    }

    fn unpack(&self, word: u64) -> Tagged<u32> {
        let none = (1 << self.index_bits) - 1;
        let index = word & none;
        let name = if index == none { Self::NONE } else { index as u32 };
        Tagged { tag: word >> self.index_bits, name }
    }

    fn tag_mask(&self) -> u64 {
        match self.tag_bits {
            0 => 0,
            bits => u64::MAX >> (64 - bits),
        }
    }
}

impl TaggedWord for IndexWord {
    type Name = u32;
    type Link = AtomicU32;

    const NONE: u32 = u32::MAX;
    const MAX_NODES: usize = (1 << 24) - 1;

    fn new(nodes: usize) -> Self {
        debug_assert!((1..=Self::MAX_NODES).contains(&nodes));
        let index_bits = nodes.ilog2() + 1;
        let tag_bits = if mutant!("index_word.no-tag") {
            0
        } else {
            (64 - index_bits).min(tuning(64, MODEL_TAG_BITS))
        };
        let nothing = (1 << index_bits) - 1; // and tag 0
        Self { word: AtomicU64::new(nothing), index_bits, tag_bits }
    }

    fn tag_bits(&self) -> u32 {
        self.tag_bits
    }

    #[inline]
    fn load(&self, order: Ordering) -> Tagged<u32> {
        self.unpack(self.word.load(order))
    }

    #[inline]
    fn compare_exchange(
        &self,
        current: Tagged<u32>,
        new: Tagged<u32>,
        success: Ordering,
        failure: Ordering,
    ) -> Result<(), Tagged<u32>> {
        let (current, new) = (self.pack(current), self.pack(new));
        match self.word.compare_exchange(current, new, success, failure) {
            Ok(_) => Ok(()),
            Err(now) => Err(self.unpack(now)),
        }
    }

    fn link() -> AtomicU32 {
        AtomicU32::new(Self::NONE)
    }

    #[inline]
    fn load_link(link: &AtomicU32, order: Ordering) -> u32 {
        link.load(order)
    }

    #[inline]
    fn store_link(link: &AtomicU32, name: u32, order: Ordering) {
        link.store(name, order);
    }

    fn name(number: usize, _: *mut ()) -> u32 {
        number as u32
    }

    #[inline]
    fn address(name: u32, address_of: impl FnOnce(usize) -> *mut ()) -> *mut () {
        address_of(name as usize)
    }
}
