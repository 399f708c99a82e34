//! What several models share.

use std::sync::Arc;

use lockwork::model::{UnsafeCell, thread};

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
