//! What several models share.

use std::sync::Arc;

use lockwork::model::UnsafeCell;

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
