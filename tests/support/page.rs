//! A value alone on a page that can be taken away: touching it afterwards is a SIGSEGV, so a test
//! notices.

use std::marker::PhantomData;

const LENGTH: usize = 4096;

/// The value's page. Copies are the same page.
pub(crate) struct Page<T: Sync>(usize, PhantomData<T>);

impl<T: Sync> Clone for Page<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Sync> Copy for Page<T> {}

impl<T: Sync> Page<T> {
    /// A page of its own for `value`, which is not dropped.
    pub(crate) fn new(value: T) -> Self {
        assert!(size_of::<T>() <= LENGTH && !std::mem::needs_drop::<T>());
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping, at an address of the kernel's choice.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), LENGTH, protection, flags, -1, 0) };
        assert_ne!(page, libc::MAP_FAILED);
        // SAFETY: the page is large enough, writable, and aligned for anything.
        unsafe { page.cast::<T>().write(value) };
        Self(page.expose_provenance(), PhantomData)
    }

    /// The value.
    ///
    /// # Safety
    ///
    /// Nobody takes the page away until the reference has been handed to the last method that uses
    /// it; that method may be on its way back.
    pub(crate) unsafe fn get<'a>(self) -> &'a T {
        // SAFETY: written by `new`, and the caller's contract.
        unsafe { &*std::ptr::with_exposed_provenance::<T>(self.0) }
    }

    /// Lets nobody write to the page any more: that is a SIGSEGV too.
    pub(crate) fn protect(self) {
        let page = std::ptr::with_exposed_provenance_mut(self.0);
        // SAFETY: mapped by `new`, as long; what is in it stays.
        assert_eq!(unsafe { libc::mprotect(page, LENGTH, libc::PROT_READ) }, 0);
    }

    /// Takes the page away.
    pub(crate) fn unmap(self) {
        let page = std::ptr::with_exposed_provenance_mut(self.0);
        // SAFETY: mapped by `new`; what is still inside must not touch it, which is the test.
        assert_eq!(unsafe { libc::munmap(page, LENGTH) }, 0);
    }
}
