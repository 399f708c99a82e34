//! The calling thread: its kernel id, and its turn on the processor.

use super::errno;

/// The calling thread's kernel id: what PI and robust futex words hold. Never 0.
///
/// A system call each time. Whoever caches it must notice `fork`: the child's thread has a new id.
#[cfg_attr(not(feature = "alloc"), allow(dead_code, reason = "only what remembers a thread"))]
pub(crate) fn tid() -> u32 {
    // SAFETY: no arguments, no memory; the call cannot fail. (`libc::gettid` is not used: glibc
    // has it only since 2.30, musl since 1.2.2.)
    let tid = unsafe { libc::syscall(libc::SYS_gettid) };
    tid as u32
}

/// Whether the thread of this id belongs to another process, and is there: `false` for one of this
/// process, for one that is gone, and where the kernel would not say.
///
/// Thread ids are used again, so the answer is about the id at this moment.
#[cfg(feature = "std")]
pub(crate) fn is_of_another_process(tid: u32) -> bool {
    // SAFETY: signal 0 is sent to nobody; the calls check what they are given.
    let ours =
        errno::call(-1, || unsafe { libc::syscall(libc::SYS_tgkill, super::fork::pid(), tid, 0) });
    // SAFETY: as above.
    let exists = || errno::call(-1, || unsafe { libc::syscall(libc::SYS_tkill, tid, 0) });
    // `EPERM`: there is such a thread, and it is somebody else's.
    ours == Err(errno::Errno::SRCH) && exists() != Err(errno::Errno::SRCH)
}

/// Lets another thread run, if one is ready on this processor.
///
/// Cannot fail on Linux. Where a seccomp filter refuses it, the caller carries on, which is all
/// that a hint needs; so there is no result.
#[cfg_attr(not(feature = "alloc"), allow(dead_code, reason = "only the rings wait by yielding"))]
pub(crate) fn yield_now() {
    // SAFETY: no arguments, no memory.
    let _ = errno::call(-1, || unsafe { libc::sched_yield() });
}

#[cfg(test)]
mod tests {
    use std::{fs, process};

    use super::super::testing::{UNTOUCHED, fork, get_errno, in_child, set_errno};
    use super::*;

    #[test]
    fn tid_is_the_kernel_s_name_for_this_very_thread() {
        let check = || {
            let link = fs::read_link("/proc/thread-self").expect("/proc is mounted");
            let mut parts = link.components().rev();
            let name = parts.next().expect("a thread id").as_os_str().to_str().map(str::parse);
            assert_eq!(name, Some(Ok(tid())));
            tid()
        };
        let here = check();
        let there = std::thread::spawn(check).join().expect("the checks hold there too");
        assert_ne!(here, there);
        assert_ne!(there, process::id(), "a thread that is not the first has an id of its own");
    }

    #[test]
    fn tid_does_not_outlive_a_fork() {
        if !in_child(module_path!(), "tid_does_not_outlive_a_fork") {
            return;
        }
        let here = tid();
        // The child has one thread, whose id is the child's.
        let status = fork(|| u8::from(tid() != here && tid() == super::super::fork::pid()));
        assert_eq!(status, 1);
        assert_eq!(tid(), here);
    }

    #[test]
    fn threads_of_this_process_and_of_none_are_not_another_s() {
        set_errno();
        assert!(!is_of_another_process(tid()));
        assert!(!is_of_another_process((1 << 30) - 2), "above the kernel's limit on ids");
        assert_eq!(is_of_another_process(1), process::id() != 1);
        assert_eq!(get_errno(), UNTOUCHED);
        let gone = std::thread::spawn(tid).join().expect("it does not panic");
        while fs::exists(std::format!("/proc/self/task/{gone}")).unwrap_or(false) {
            yield_now();
        }
        assert!(!is_of_another_process(gone));
    }

    #[test]
    fn yielding_leaves_errno() {
        set_errno();
        yield_now();
        assert_eq!(get_errno(), UNTOUCHED);
    }
}
