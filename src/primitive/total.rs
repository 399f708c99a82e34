//! A number whose accesses take part in one total order.

use core::ops::DerefMut;

#[cfg(all(loom, feature = "loom"))]
use super::model::total_order;
use super::{AtomicU64, Ordering};

/// An `AtomicU64` for those who rely on the total order of `SeqCst` accesses.
///
/// The model has no such accesses, only fences that are `SeqCst`. There, a load in the total order
/// has such a fence before it, but only as long as the read-modify-writes of its thread are in the
/// order as well: with one side weakened there is no order left, as on the real machine.
pub(crate) struct TotalU64(AtomicU64);

impl TotalU64 {
    pub(crate) fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    pub(crate) fn get_mut(&mut self) -> impl DerefMut<Target = u64> {
        self.0.get_mut()
    }

    /// A load outside the total order.
    #[inline(always)]
    pub(crate) fn load(&self, order: Ordering) -> u64 {
        self.0.load(order)
    }

    #[inline(always)]
    pub(crate) fn load_total(&self, order: Ordering) -> u64 {
        #[cfg(all(loom, feature = "loom"))]
        let order = total_order::before_load(order);
        self.0.load(order)
    }

    #[inline(always)]
    pub(crate) fn compare_exchange_weak_total(
        &self,
        current: u64,
        new: u64,
        order: Ordering,
    ) -> Result<u64, u64> {
        #[cfg(all(loom, feature = "loom"))]
        let order = total_order::before_write(order);
        self.0.compare_exchange_weak(current, new, order, Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn swap_total(&self, value: u64, order: Ordering) -> u64 {
        #[cfg(all(loom, feature = "loom"))]
        let order = total_order::before_write(order);
        self.0.swap(value, order)
    }

    /// A read-modify-write outside the total order, which moves nothing that those in it look at.
    pub(crate) fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
        self.0.fetch_or(bits, order)
    }
}
