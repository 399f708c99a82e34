//! Atomics that yield at bad moments, for stress tests built with `--cfg lockwork_chaos`.
//!
//! On few cores a window of a dozen instructions between a load and the compare-exchange that
//! relies on it is hardly ever hit. These atomics step aside before some read-modify-writes: most
//! times not at all, sometimes for a few pauses, sometimes for the rest of the time slice.

use core::sync::atomic::Ordering;

use crate::sys;

pub(super) fn step_aside() {
    use core::cell::Cell;
    std::thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    let Ok(random) = STATE.try_with(|state| {
        let mut x = state.get();
        if x == 0 {
            x = u64::from(sys::thread::tid()) ^ sys::clock::monotonic_nanos() | 1;
        }
        // Xorshift (Marsaglia 2003): enough to be irregular.
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.set(x);
        x
    }) else {
        return;
    };
    match random >> 56 {
        0..24 => sys::thread::yield_now(),
        pauses @ 24..64 => (0..pauses).for_each(|_| core::hint::spin_loop()),
        _ => {}
    }
}

macro_rules! chaotic {
    ($($name:ident: $int:ty),*) => {$(
        #[repr(transparent)]
        #[derive(Debug)]
        #[allow(unreachable_pub, reason = "in the public interface of what is public in the model")]
        pub struct $name(core::sync::atomic::$name);

        #[allow(dead_code, reason = "one set for all users")]
        impl $name {
            pub(crate) const fn new(value: $int) -> Self {
                Self(core::sync::atomic::$name::new(value))
            }
            pub(crate) const fn as_ptr(&self) -> *mut $int {
                self.0.as_ptr()
            }
            pub(crate) fn get_mut(&mut self) -> &mut $int {
                self.0.get_mut()
            }
            pub(crate) fn load(&self, order: Ordering) -> $int {
                self.0.load(order)
            }
            pub(crate) fn store(&self, value: $int, order: Ordering) {
                step_aside();
                self.0.store(value, order);
            }
            pub(crate) fn swap(&self, value: $int, order: Ordering) -> $int {
                step_aside();
                self.0.swap(value, order)
            }
            pub(crate) fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                step_aside();
                self.0.compare_exchange(current, new, success, failure)
            }
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                step_aside();
                self.0.compare_exchange_weak(current, new, success, failure)
            }
            pub(crate) fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                step_aside();
                self.0.fetch_add(value, order)
            }
            pub(crate) fn fetch_sub(&self, value: $int, order: Ordering) -> $int {
                step_aside();
                self.0.fetch_sub(value, order)
            }
            pub(crate) fn fetch_and(&self, bits: $int, order: Ordering) -> $int {
                step_aside();
                self.0.fetch_and(bits, order)
            }
            pub(crate) fn fetch_or(&self, bits: $int, order: Ordering) -> $int {
                step_aside();
                self.0.fetch_or(bits, order)
            }
        }
    )*};
}

chaotic!(AtomicU32: u32, AtomicU64: u64, AtomicUsize: usize);

/// As the numbers.
#[derive(Debug)]
#[repr(transparent)]
#[allow(unreachable_pub, reason = "in the signatures of sealed traits")]
pub struct AtomicPtr<T>(core::sync::atomic::AtomicPtr<T>);

#[allow(dead_code, reason = "one set for all users")]
impl<T> AtomicPtr<T> {
    pub(crate) const fn new(value: *mut T) -> Self {
        Self(core::sync::atomic::AtomicPtr::new(value))
    }
    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        self.0.load(order)
    }
    pub(crate) fn store(&self, value: *mut T, order: Ordering) {
        step_aside();
        self.0.store(value, order);
    }
    pub(crate) fn swap(&self, value: *mut T, order: Ordering) -> *mut T {
        step_aside();
        self.0.swap(value, order)
    }
    pub(crate) fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        step_aside();
        self.0.compare_exchange(current, new, success, failure)
    }
}
