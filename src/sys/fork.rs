//! Noticing `fork`: a page that reads as zeros in the child.

use core::ptr::{self, NonNull};

use super::errno;

/// The kernel rounds this up to one page in each of the three calls.
const LENGTH: usize = size_of::<u32>();

/// Maps a private page of zeros that every child of `fork` sees as zeros again.
///
/// The page is never unmapped: the word in it lives as long as the process. A child keeps the
/// advice, so the page is wiped again in *its* children. `vfork` and threads share the memory and
/// see no wipe. `None`, with nothing left mapped, if
///
/// * `mmap` fails: `ENOMEM` (memory, or the limit on mappings), `EAGAIN` (`mlockall(MCL_FUTURE)`
///   and its limit), `EPERM` (seccomp);
/// * `madvise` fails: `EINVAL` (before Linux 4.14), `ENOMEM` (splitting the mapping would exceed
///   the limit on mappings), `EPERM` (seccomp).
///
/// The caller has one answer to all of them, to compare process ids instead, so they are not told
/// apart.
pub(crate) fn wipe_on_fork_page() -> Option<NonNull<u32>> {
    let page = errno::call(libc::MAP_FAILED, || {
        // SAFETY: a new mapping at an address of the kernel's choice disturbs no other memory.
        unsafe {
            libc::mmap(
                ptr::null_mut(),
                LENGTH,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        }
    });
    let page = page.ok()?;
    // SAFETY: the range is the page mapped above; the advice changes nothing in this process.
    let advice = errno::call(-1, || unsafe { libc::madvise(page, LENGTH, libc::MADV_WIPEONFORK) });
    if advice.is_err() {
        // SAFETY: the range is the page mapped above, and nobody else has seen its address.
        let unmapped = errno::call(-1, || unsafe { libc::munmap(page, LENGTH) });
        // Fails only for a bad range, or where it would have to split a mapping.
        debug_assert_eq!(unmapped, Ok(0));
        return None;
    }
    NonNull::new(page.cast())
}

/// The calling process's id. Never 0.
pub(crate) fn pid() -> u32 {
    // SAFETY: no arguments, no memory; the call cannot fail.
    let pid = unsafe { libc::getpid() };
    pid as u32
}
