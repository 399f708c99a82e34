//! Values that tell when they are dropped, and objects that are freed by whoever is last.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts what is dropped.
pub(crate) struct Counted<'a>(pub(crate) &'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// An object without a count of references: with one, nobody could tell whether an operation
/// touches the object after it has let others go on, as each of them keeps its own reference until
/// its operations have returned.
pub(crate) struct Place<T>(*mut T);

// SAFETY: used as a shared reference until one thread frees the object.
unsafe impl<T: Send + Sync> Sync for Place<T> {}

impl<T> Place<T> {
    pub(crate) fn new(object: T) -> Self {
        Self(Box::into_raw(Box::new(object)))
    }

    /// # Safety
    ///
    /// The object has not been freed, and is not while the reference is used.
    pub(crate) unsafe fn get(&self) -> &T {
        // SAFETY: by the caller's contract.
        unsafe { &*self.0 }
    }

    /// # Safety
    ///
    /// The object has not been freed, and nobody gets at it from now on.
    pub(crate) unsafe fn free(&self) {
        // SAFETY: made by `Box::into_raw`; by the caller's contract.
        drop(unsafe { Box::from_raw(self.0) });
    }
}
