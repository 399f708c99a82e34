//! A number and a pointer whose accesses take part in one total order.

use core::ops::DerefMut;

#[cfg(feature = "std")]
use super::AtomicPtr;
#[cfg(all(loom, feature = "loom"))]
use super::model::total_order;
use super::{AtomicU64, Ordering, model_const_fn};

/// An `AtomicU64` for those who rely on the total order of `SeqCst` accesses.
///
/// The model has no such accesses, only fences that are `SeqCst`. There, a load in the total order
/// has such a fence before it, but only as long as the read-modify-writes of its thread are in the
/// order as well: with one side weakened there is no order left, as on the real machine.
pub(crate) struct TotalU64(AtomicU64);

impl TotalU64 {
    model_const_fn! {
        pub(crate) const fn new(value: u64) -> Self {
            Self(AtomicU64::new(value))
        }
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

    #[cfg(feature = "std")]
    #[inline(always)]
    pub(crate) fn fetch_add_total(&self, value: u64, order: Ordering) -> u64 {
        #[cfg(all(loom, feature = "loom"))]
        let order = total_order::before_write(order);
        self.0.fetch_add(value, order)
    }

    /// A store outside the total order, by who has the number to himself.
    #[cfg(feature = "std")]
    #[inline(always)]
    pub(crate) fn store(&self, value: u64, order: Ordering) {
        self.0.store(value, order);
    }

    /// A read-modify-write outside the total order, which moves nothing that those in it look at.
    pub(crate) fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
        self.0.fetch_or(bits, order)
    }
}

/// The same for an `AtomicPtr`, whose accesses also publish and see what it points to. In the total
/// order they do that anyway; what the model makes of them says it by an order of its own.
#[cfg(feature = "std")]
pub(crate) struct TotalPtr<T>(AtomicPtr<T>);

#[cfg(feature = "std")]
impl<T> TotalPtr<T> {
    model_const_fn! {
        pub(crate) const fn new(value: *mut T) -> Self {
            Self(AtomicPtr::new(value))
        }
    }

    /// For accesses outside the total order.
    #[inline(always)]
    pub(crate) fn beside(&self) -> &AtomicPtr<T> {
        &self.0
    }

    #[inline(always)]
    pub(crate) fn load_total(&self, order: Ordering, see: Ordering) -> *mut T {
        #[cfg(all(loom, feature = "loom"))]
        let order = {
            total_order::before_load(order);
            see
        };
        #[cfg(not(all(loom, feature = "loom")))]
        let _ = see;
        self.0.load(order)
    }

    #[inline(always)]
    pub(crate) fn compare_exchange_total(
        &self,
        current: *mut T,
        new: *mut T,
        order: Ordering,
        publish: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        #[cfg(all(loom, feature = "loom"))]
        let order = {
            total_order::before_write(order);
            publish
        };
        #[cfg(not(all(loom, feature = "loom")))]
        let _ = publish;
        self.0.compare_exchange(current, new, order, failure)
    }
}
