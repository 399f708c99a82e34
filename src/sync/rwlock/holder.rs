//! How a guard holds on to its lock.

#[cfg(feature = "alloc")]
use alloc::sync::Arc;

use super::Lock;

/// By reference, or by an `Arc`. Nobody outside can name it, so there are no others.
pub trait Holder<const RECURSIVE: bool> {
    /// The data of the lock.
    type Data: ?Sized;

    /// The lock.
    fn lock(&self) -> &Lock<Self::Data, RECURSIVE>;
}

impl<T: ?Sized, const RECURSIVE: bool> Holder<RECURSIVE> for &Lock<T, RECURSIVE> {
    type Data = T;

    #[inline]
    fn lock(&self) -> &Lock<T, RECURSIVE> {
        self
    }
}

#[cfg(feature = "alloc")]
impl<T: ?Sized, const RECURSIVE: bool> Holder<RECURSIVE> for Arc<Lock<T, RECURSIVE>> {
    type Data = T;

    #[inline]
    fn lock(&self) -> &Lock<T, RECURSIVE> {
        self
    }
}
