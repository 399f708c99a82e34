//! What several models share.

use std::sync::Arc;

use lockwork::model::{UnsafeCell, thread};

/// A number that loom watches: two accesses that nothing orders fail the model. Clones are the same
/// number.
#[derive(Clone)]
pub(crate) struct Watched(Arc<UnsafeCell<u32>>);

// SAFETY: that no two accesses overlap is what the models check.
unsafe impl Send for Watched {}
// SAFETY: as for `Send`.
unsafe impl Sync for Watched {}

impl Watched {
    pub(crate) fn new(value: u32) -> Self {
        Self(Arc::new(UnsafeCell::new(value)))
    }

    /// Reads, as an exclusive access: it has to be ordered with other reads as well.
    pub(crate) fn get(&self) -> u32 {
        // SAFETY: loom fails the model if this overlaps with another access.
        self.0.with_mut(|value| unsafe { *value })
    }

    pub(crate) fn set(&self, new: u32) {
        // SAFETY: as in `get`.
        self.0.with_mut(|value| unsafe { *value = new });
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
