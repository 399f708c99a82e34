//! No reclamation: what is retired stays until the structure goes. For models of other things.

use super::{Bin, End, Free, Header, Reclaim, sealed};
use crate::primitive::AtomicPtr;
use crate::primitive::Ordering::Acquire;

/// Frees nothing before the end.
#[derive(Debug)]
pub enum Keep {}

impl sealed::Sealed for Keep {}

impl Reclaim for Keep {
    type Guard = ();

    const BARE: bool = false;

    #[inline]
    fn quick(_end: End) -> Option<()> {
        Some(())
    }

    #[inline]
    fn protect_once(guard: &(), place: &AtomicPtr<Header>) -> Option<*mut Header> {
        Some(Self::protect(guard, place))
    }

    fn enter(_end: End) {}

    fn protect((): &(), place: &AtomicPtr<Header>) -> *mut Header {
        place.load(Acquire) // Acquire: sees the node that it points to.
    }

    fn release((): &mut ()) {}

    unsafe fn retire((): (), bin: &Bin, node: *mut Header, _free: Free) {
        // SAFETY: by this function's contract.
        unsafe { bin.add(node) };
    }

    unsafe fn collect(_bin: &Bin, _free: Free) {}

    unsafe fn insist(_bin: &Bin, _free: Free) {}
}
