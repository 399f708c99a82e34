//! Forbidding system calls.

/// Ends the process, by SIGSYS, at the calling thread's next futex call of any kind. Says whether
/// the kernel agreed. There is no way back.
pub(crate) fn forbid_futex() -> bool {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    // The number of the call is the first word that a filter sees.
    let mut filter = [
        step(LOAD, 0, 0, 0),
        step(EQUAL, 1, 0, libc::SYS_futex as u32),
        step(EQUAL, 0, 1, libc::SYS_futex_waitv as u32),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 5, filter: filter.as_mut_ptr() };
    // SAFETY: `program` and `filter` outlive the calls, which only read them.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) == 0
    }
}
