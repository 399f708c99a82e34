//! The calling thread: its kernel id, and its turn on the processor.

use super::errno;

/// The calling thread's kernel id: what PI and robust futex words hold. Never 0.
///
/// A system call each time. Whoever caches it must notice `fork`: the child's thread has a new id.
pub(crate) fn tid() -> u32 {
    // SAFETY: no arguments, no memory; the call cannot fail. (`libc::gettid` is not used: glibc
    // has it only since 2.30, musl since 1.2.2.)
    let tid = unsafe { libc::syscall(libc::SYS_gettid) };
    tid as u32
}

/// Lets another thread run, if one is ready on this processor.
pub(crate) fn yield_now() {
    // SAFETY: no arguments, no memory.
    let result = errno::call(-1, || unsafe { libc::sched_yield() });
    // Cannot fail on Linux. Were a seccomp filter to refuse it, carrying on is all a hint needs.
    debug_assert_eq!(result, Ok(0));
}
