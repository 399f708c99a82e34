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

#[cfg(test)]
mod tests {
    use std::{fs, process};

    use super::super::testing::{
        Page, UNTOUCHED, forbid, fork, get_errno, in_child, say, set_errno,
    };
    use super::*;

    fn read(page: NonNull<u32>) -> u32 {
        // SAFETY: the page stays mapped, and one thread of each process uses it.
        unsafe { page.read_volatile() }
    }

    fn write(page: NonNull<u32>, value: u32) {
        // SAFETY: as in `read`.
        unsafe { page.write_volatile(value) }
    }

    /// False, with a line that says so, where the kernel does not know the advice.
    fn supported() -> bool {
        let page = Page::anonymous(libc::PROT_READ | libc::PROT_WRITE);
        let address = page.at().cast_mut().cast();
        // SAFETY: the range is the page; the advice changes nothing in this process.
        let supported = unsafe { libc::madvise(address, Page::SIZE, libc::MADV_WIPEONFORK) } == 0;
        if !supported {
            say("SKIP no MADV_WIPEONFORK in this kernel");
        }
        supported
    }

    #[test]
    fn the_page_reads_zero_in_a_child_and_in_its_child() {
        if !in_child(module_path!(), "the_page_reads_zero_in_a_child_and_in_its_child") {
            return;
        }
        if !supported() {
            return;
        }
        let page = wipe_on_fork_page().expect("the kernel has the advice");
        assert_eq!(read(page), 0, "it starts so");
        write(page, 7);
        let status = fork(|| {
            if read(page) != 0 {
                return 1;
            }
            write(page, 9);
            let grandchild = fork(|| u8::from(read(page) != 0));
            if grandchild != 0 || read(page) != 9 {
                return 2;
            }
            0
        });
        assert_eq!(
            status, 0,
            "1: the child saw the parent's value; 2: its own child saw the child's"
        );
        assert_eq!(read(page), 7, "the parent keeps its own");
    }

    #[test]
    fn pages_are_distinct_and_errno_is_left() {
        set_errno();
        let pages = (wipe_on_fork_page(), wipe_on_fork_page());
        assert_eq!(get_errno(), UNTOUCHED);
        if !supported() {
            return;
        }
        let first = pages.0.expect("the kernel has the advice");
        let second = pages.1.expect("the kernel has the advice");
        write(first, 1);
        write(second, 2);
        assert_eq!((read(first), read(second)), (1, 2));
        for page in [first, second] {
            // SAFETY: mapped above, and not used any more.
            assert_eq!(unsafe { libc::munmap(page.as_ptr().cast(), LENGTH) }, 0);
        }
    }

    /// The size of the address space in pages.
    fn mapped() -> u64 {
        let statm = fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
        let size = statm.split(' ').next().map(str::parse);
        size.expect("a first field").expect("a number")
    }

    #[test]
    fn a_kernel_without_the_advice_gives_none_and_leaves_nothing_mapped() {
        const ADVICE: (u32, u32) = (2, libc::MADV_WIPEONFORK as u32);
        const TEST: &str = "a_kernel_without_the_advice_gives_none_and_leaves_nothing_mapped";
        if !in_child(module_path!(), TEST) || !forbid(libc::SYS_madvise, ADVICE, libc::EINVAL) {
            return;
        }
        let before = mapped();
        set_errno();
        for _ in 0..4096 {
            assert_eq!(wipe_on_fork_page(), None);
        }
        assert_eq!(get_errno(), UNTOUCHED);
        let after = mapped();
        assert!(after < before + 2048, "grew from {before} to {after} pages in 4096 calls");
    }

    #[test]
    fn no_memory_for_the_page_gives_none() {
        // No other mapping is this small, so what the test harness maps is not affected.
        const SIZE: (u32, u32) = (1, LENGTH as u32);
        if !in_child(module_path!(), "no_memory_for_the_page_gives_none")
            || !forbid(libc::SYS_mmap, SIZE, libc::ENOMEM)
        {
            return;
        }
        set_errno();
        let page = wipe_on_fork_page();
        assert_eq!(get_errno(), UNTOUCHED);
        assert_eq!(page, None);
    }

    #[test]
    fn pid_is_this_process_and_changes_in_a_child() {
        if !in_child(module_path!(), "pid_is_this_process_and_changes_in_a_child") {
            return;
        }
        assert_eq!(pid(), process::id());
        let here = pid();
        // SAFETY: no arguments, no memory.
        let status = fork(|| u8::from(pid() != here && unsafe { libc::getppid() } as u32 == here));
        assert_eq!(status, 1);
        assert_eq!(pid(), here);
    }
}
