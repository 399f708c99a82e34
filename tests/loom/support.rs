//! What several models share.

use std::sync::Arc;

use lockwork::model::{UnsafeCell, futex_calls, thread};

/// A number that loom watches: two accesses that nothing orders fail the model. Clones are the same
/// number.
#[derive(Clone)]
pub(crate) struct Watched(Arc<Number>);

struct Number(UnsafeCell<u32>);

// SAFETY: that no two accesses overlap is what the models check.
unsafe impl Sync for Number {}

impl Watched {
    pub(crate) fn new(value: u32) -> Self {
        Self(Arc::new(Number(UnsafeCell::new(value))))
    }

    /// Reads, as an exclusive access: it has to be ordered with other reads as well.
    pub(crate) fn get(&self) -> u32 {
        self.access(|value| *value)
    }

    /// Reads, as one of several that may read at once.
    pub(crate) fn peek(&self) -> u32 {
        self.0.0.with(|value| {
            // SAFETY: loom fails the model if this overlaps with an exclusive access.
            unsafe { *value }
        })
    }

    pub(crate) fn set(&self, new: u32) {
        self.access(|value| *value = new);
    }

    /// Adds one; the sum.
    pub(crate) fn add(&self) -> u32 {
        self.access(|value| {
            *value += 1;
            *value
        })
    }

    fn access<R>(&self, access: impl FnOnce(&mut u32) -> R) -> R {
        // SAFETY: loom fails the model if this overlaps with another access.
        self.0.0.with_mut(|value| access(unsafe { &mut *value }))
    }
}

/// Runs `body` on a thread of its own, with what it shares with this one.
pub(crate) fn beside<S: 'static, R: 'static>(
    shared: &Arc<S>,
    body: impl FnOnce(&S) -> R + 'static,
) -> thread::JoinHandle<R> {
    let shared = shared.clone();
    thread::spawn(move || body(&shared))
}

/// Gets the others to where they have done this many futex operations; how is not varied.
pub(crate) fn let_sleep(calls: usize) {
    while futex_calls() < calls {
        thread::yield_now();
    }
}

/// Something in memory that its user makes something else of, while others may still be on their
/// way out of its methods: if they touch it, they touch the new one.
pub(crate) struct Reused<T>(std::cell::UnsafeCell<T>);

// SAFETY: loom runs all threads of a model on one thread of the system.
unsafe impl<T> Sync for Reused<T> {}

impl<T> Reused<T> {
    pub(crate) fn new(value: T) -> Arc<Self> {
        Arc::new(Self(std::cell::UnsafeCell::new(value)))
    }

    pub(crate) fn get(&self) -> &T {
        // SAFETY: `make_another` leaves a value of the same type in the same place.
        unsafe { &*self.0.get() }
    }

    pub(crate) fn make_another(&self, value: T) {
        // SAFETY: one thread of the system, which is not in the middle of reading it. That none of
        // those that are still in a method looks at it again is what the models check.
        unsafe { *self.0.get() = value };
    }
}
