//! An address and a tag in 128 bits.

use core::cell::UnsafeCell;
use core::ptr;

use super::super::{AtomicPtr, Ordering};
use super::{Tagged, TaggedWord};
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
    type Link = AtomicPtr<()>;

    const NONE: *mut () = ptr::null_mut();
    const MAX_NODES: usize = isize::MAX as usize;

    #[track_caller]
    fn new(_: usize) -> Self {
        assert!(
            x86::has_compare_exchange_16(),
            "lockwork: this processor has no cmpxchg16b, which a TaggedStack needs; use an \
             ArrayStack, or build with --cfg lockwork_portable"
        );
        Self(UnsafeCell::new(Pair { pointer: Self::NONE, number: 0 }))
    }

    fn tag_bits(&self) -> u32 {
        u64::BITS
    }

    #[inline]
    fn load(&self, _: Ordering) -> Tagged<*mut ()> {
        // SAFETY: ours, and accessed here and below only.
        let Pair { pointer, number } = unsafe { x86::load_16(self.0.get()) };
        Tagged { tag: number, name: pointer }
    }

    #[inline]
    fn compare_exchange(
        &self,
        current: Tagged<*mut ()>,
        new: Tagged<*mut ()>,
        _: Ordering,
        _: Ordering,
    ) -> Result<(), Tagged<*mut ()>> {
        #[cfg(lockwork_chaos)]
        super::super::chaos::step_aside();
        let pair = |Tagged { tag, name }| Pair { pointer: name, number: tag };
        // SAFETY: ours, accessed here and above only; `new` has asked the processor.
        match unsafe { x86::compare_exchange_16(self.0.get(), pair(current), pair(new)) } {
            Ok(()) => Ok(()),
            Err(Pair { pointer, number }) => Err(Tagged { tag: number, name: pointer }),
        }
    }

    fn link() -> AtomicPtr<()> {
        AtomicPtr::new(Self::NONE)
    }

    #[inline]
    fn load_link(link: &AtomicPtr<()>, order: Ordering) -> *mut () {
        link.load(order)
    }

    #[inline]
    fn store_link(link: &AtomicPtr<()>, name: *mut (), order: Ordering) {
        link.store(name, order);
    }

    fn name(_: usize, address: *mut ()) -> *mut () {
        address
    }

    #[inline]
    fn address(name: *mut (), _: impl FnOnce(usize) -> *mut ()) -> *mut () {
        name
    }
}
