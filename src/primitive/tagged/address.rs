//! An address and a tag in 128 bits.

use core::cell::UnsafeCell;
use core::ptr;

use super::super::{AtomicPtr, Ordering};
use super::TaggedWord;
use crate::sys::x86::{self, Pair};

/// ```text
/// +---------------------+---------------------+
/// |       address       |         tag         |      null: no node
/// +---------------------+---------------------+
/// ```
///
/// Accessed by two functions of `sys` and in no other way: no part of it is ever an atomic of
/// another size. The loads and the exchange are as strong as any ordering asks for.
#[derive(Debug)]
#[repr(transparent)]
pub struct AddressWord(UnsafeCell<Pair>);

// SAFETY: the pointer is a name here, never followed.
unsafe impl Send for AddressWord {}
// SAFETY: as for `Send`; accessed atomically.
unsafe impl Sync for AddressWord {}

impl TaggedWord for AddressWord {
    type Name = *mut ();
    type Head = Pair;
    type Link = AtomicPtr<()>;

    const MAX_NODES: usize = isize::MAX as usize;

    #[track_caller]
    fn new(_: usize) -> Self {
        assert!(
            x86::has_compare_exchange_16(),
            "lockwork: this processor has no cmpxchg16b, which a TaggedStack needs; use an \
             ArrayStack, or build with --cfg lockwork_portable"
        );
        Self(UnsafeCell::new(Pair { pointer: ptr::null_mut(), number: 0 }))
    }

    fn tag_bits(&self) -> u32 {
        u64::BITS
    }

    #[inline]
    fn none(&self) -> *mut () {
        ptr::null_mut()
    }

    #[inline]
    fn name(&self, head: Pair) -> *mut () {
        head.pointer
    }

    #[inline]
    fn tag(&self, head: Pair) -> u64 {
        head.number
    }

    #[inline]
    fn replace(&self, head: Pair, step: u64, name: *mut ()) -> Pair {
        Pair { pointer: name, number: head.number.wrapping_add(step) }
    }

    #[inline]
    fn load(&self, _: Ordering) -> Pair {
        // SAFETY: ours, and accessed here and below only.
        unsafe { x86::load_16(self.0.get()) }
    }

    #[inline]
    fn compare_exchange(
        &self,
        current: Pair,
        new: Pair,
        _: Ordering,
        _: Ordering,
    ) -> Result<(), Pair> {
        #[cfg(lockwork_chaos)]
        super::super::chaos::step_aside();
        // SAFETY: ours, accessed here and above only; `new` has asked the processor.
        unsafe { x86::compare_exchange_16(self.0.get(), current, new) }
    }

    fn link() -> AtomicPtr<()> {
        AtomicPtr::new(ptr::null_mut())
    }

    #[inline]
    fn load_link(link: &AtomicPtr<()>, order: Ordering) -> *mut () {
        link.load(order)
    }

    #[inline]
    fn store_link(link: &AtomicPtr<()>, name: *mut (), order: Ordering) {
        link.store(name, order);
    }

    fn name_of(_: usize, address: *mut ()) -> *mut () {
        address
    }

    #[inline]
    fn address(name: *mut (), _: impl FnOnce(usize) -> *mut ()) -> *mut () {
        name
    }
}
