//! A memory barrier on behalf of the other threads of the process.

use super::errno::{self, Errno};

/// Announces that this process will call [`private_expedited`], which fails without.
///
/// Belongs to the address space: whoever shares it (threads, the child of a `vfork` or of a `clone`
/// with `CLONE_VM`) is registered with it, and a child of `fork` inherits it. `exec` ends it. Once
/// more is `Ok` too, and cheap; the first time, with other threads about, waits for all processors
/// to schedule (ten milliseconds, seen on Linux 6.18).
///
/// | errno     | when                                        | what to do            |
/// |-----------|---------------------------------------------|-----------------------|
/// | `ENOSYS`  | before Linux 4.3, or built without the call | fence on both sides   |
/// | `EINVAL`  | before Linux 4.14                           | fence on both sides   |
/// | `EPERM`,  | a seccomp filter                            | fence on both sides   |
/// | `EACCES`, |                                             |                       |
/// | `ENOSYS`  |                                             |                       |
/// | `ENOMEM`  | no kernel memory for a list of processors   | fence on both sides   |
pub(crate) fn register_private_expedited() -> Result<(), Errno> {
    membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
}

/// Has every thread of this address space that runs pass through a full memory barrier before this
/// returns, and this one as well. Threads that do not run have passed one when they were
/// descheduled.
///
/// | errno     | when                                        | what to do            |
/// |-----------|---------------------------------------------|-----------------------|
/// | `EPERM`   | not registered                              | register, once more   |
/// | `EPERM`,  | a seccomp filter, maybe of this thread only | no barrier was made:  |
/// | `EACCES`, |                                             | assume the worst      |
/// | `ENOSYS`, |                                             |                       |
/// | `EINVAL`  |                                             |                       |
/// | `ENOMEM`  | no kernel memory for a list of processors   | the same, this time   |
pub(crate) fn private_expedited() -> Result<(), Errno> {
    membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
}

fn membarrier(command: libc::c_int) -> Result<(), Errno> {
    // The flags and the processor, both zero, are for other commands.
    // SAFETY: no memory of ours.
    errno::call(-1, || unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }).map(drop)
}

/// Filters that stand in the way, for good and for the calling thread; whether that was possible.
#[cfg(test)]
pub(crate) mod testing {
    use super::super::testing::forbid;

    pub(crate) fn forbid_registration() -> bool {
        let command = libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
        forbid(libc::SYS_membarrier, (0, command as u32), libc::EPERM)
    }

    pub(crate) fn forbid_barrier() -> bool {
        let command = libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED;
        forbid(libc::SYS_membarrier, (0, command as u32), libc::EPERM)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{UNTOUCHED, forbid, fork, get_errno, in_child, say, set_errno};
    use super::*;

    /// False, with a line that says so, where there is no such barrier.
    fn supported() -> bool {
        // SAFETY: no memory.
        let commands =
            unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_QUERY, 0, 0) };
        let both = libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED
            | libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
        let supported = commands >= 0 && commands & libc::c_long::from(both) == both.into();
        if !supported {
            say("SKIP no private expedited membarrier here");
        }
        supported
    }

    /// As an exit status: how a barrier ends in this process.
    fn barrier() -> u8 {
        match private_expedited() {
            Ok(()) => 0,
            Err(Errno::PERM) => 1,
            Err(_) => 2,
        }
    }

    #[test]
    fn nothing_goes_without_registration_and_errno_is_left() {
        const TEST: &str = "nothing_goes_without_registration_and_errno_is_left";
        if !in_child(module_path!(), TEST) || !supported() {
            return;
        }
        set_errno();
        assert_eq!(private_expedited(), Err(Errno::PERM));
        assert_eq!(register_private_expedited(), Ok(()));
        assert_eq!(register_private_expedited(), Ok(()), "once more does no harm");
        assert_eq!(private_expedited(), Ok(()));
        assert_eq!(get_errno(), UNTOUCHED);
        let elsewhere = std::thread::spawn(private_expedited).join();
        assert_eq!(elsewhere.expect("it does not panic"), Ok(()), "it is the process's");
    }

    #[test]
    fn a_child_inherits_the_registration_and_not_that_of_its_parent_s_future() {
        const TEST: &str = "a_child_inherits_the_registration_and_not_that_of_its_parent_s_future";
        if !in_child(module_path!(), TEST) || !supported() {
            return;
        }
        let before = fork(|| {
            let alone = barrier();
            let registered = register_private_expedited();
            alone + 4 * u8::from(registered.is_err()) + 8 * barrier()
        });
        assert_eq!(before, 1, "forked unregistered, a process registers for itself");
        assert_eq!(barrier(), 1, "what the child did is the child's");
        register_private_expedited().expect("it is supported");
        let grandchild = fork(|| barrier() + 4 * fork(barrier));
        assert_eq!(grandchild, 0, "a child, and a child of that");
        assert_eq!(barrier(), 0);
    }

    #[test]
    fn whoever_shares_the_memory_shares_the_registration() {
        const TEST: &str = "whoever_shares_the_memory_shares_the_registration";
        if !in_child(module_path!(), TEST) || !supported() {
            return;
        }
        extern "C" fn register(_: *mut libc::c_void) -> libc::c_int {
            libc::c_int::from(register_private_expedited().is_err())
        }
        let mut stack = std::vec![0_u128; 4096];
        let top = stack.as_mut_ptr_range().end.cast();
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        // SAFETY: the child runs on a stack of its own, which outlives it, as this thread sleeps
        // until it is gone.
        let pid = unsafe { libc::clone(register, top, flags, core::ptr::null_mut()) };
        assert!(pid > 0);
        let mut status = 0;
        // SAFETY: `status` is valid for the write.
        assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
        assert_eq!(status, 0);
        assert_eq!(private_expedited(), Ok(()));
    }

    fn refused(test: &str, command: libc::c_int, errno: libc::c_int, expected: Errno) {
        if !in_child(module_path!(), test)
            || !supported()
            || !forbid(libc::SYS_membarrier, (0, command as u32), errno)
        {
            return;
        }
        set_errno();
        let register = register_private_expedited();
        let barrier = private_expedited();
        if command == libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED {
            assert_eq!((register, barrier), (Ok(()), Err(expected)));
        } else {
            assert_eq!((register, barrier), (Err(expected), Err(Errno::PERM)));
        }
        assert_eq!(get_errno(), UNTOUCHED);
    }

    #[test]
    fn a_filter_that_forbids_the_barrier() {
        let command = libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED;
        refused("a_filter_that_forbids_the_barrier", command, libc::EACCES, Errno::ACCES);
    }

    #[test]
    fn a_kernel_that_does_not_know_the_command() {
        let command = libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
        refused("a_kernel_that_does_not_know_the_command", command, libc::EINVAL, Errno::INVAL);
    }

    #[test]
    fn a_kernel_without_the_call() {
        let command = libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
        refused("a_kernel_without_the_call", command, libc::ENOSYS, Errno::NO_SYS);
    }
}
