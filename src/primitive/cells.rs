//! Places for values, side by side.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell;
use core::mem::MaybeUninit;
use core::ops::Range;
use core::ptr;

use super::UnsafeCell;

/// Places that lie behind each other, so that several make a slice, and whose accesses the model
/// checks one by one.
pub(crate) struct Cells<T> {
    values: Box<[cell::UnsafeCell<MaybeUninit<T>>]>,
    /// In the model, one for each place, and none otherwise.
    watched: Box<[UnsafeCell<()>]>,
}

impl<T> Cells<T> {
    /// So many places, or `None` if there is no memory for them.
    pub(crate) fn new(count: usize) -> Option<Self> {
        let (mut values, mut watched) = (Vec::new(), Vec::new());
        values.try_reserve_exact(count).ok()?;
        values.extend((0..count).map(|_| cell::UnsafeCell::new(MaybeUninit::uninit())));
        if cfg!(all(loom, feature = "loom")) {
            watched.extend((0..count).map(|_| UnsafeCell::new(())));
        }
        Some(Self { values: values.into_boxed_slice(), watched: watched.into_boxed_slice() })
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// A place, for an exclusive access at this moment.
    #[inline(always)]
    pub(crate) fn place(&self, i: usize) -> *mut MaybeUninit<T> {
        self.slice(i..i + 1).cast()
    }

    /// Places behind each other, for exclusive accesses: the model checks them at this moment. Call
    /// it again when they end.
    #[inline(always)]
    pub(crate) fn slice(&self, range: Range<usize>) -> *mut [MaybeUninit<T>] {
        debug_assert!(range.start <= range.end && range.end <= self.values.len());
        if cfg!(all(loom, feature = "loom")) {
            self.watched[range.clone()].iter().for_each(|place| place.with_mut(drop));
        }
        // The cells are as large as what is in them. A pointer to the whole, as its part would not
        // do for the places behind the first.
        let start = cell::UnsafeCell::raw_get(self.values.as_ptr());
        ptr::slice_from_raw_parts_mut(start.wrapping_add(range.start), range.len())
    }
}
