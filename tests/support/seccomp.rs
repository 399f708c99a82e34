//! Forbidding system calls.

/// Ends the process, by SIGSYS, at the calling thread's next futex call of any kind. Says whether
/// the kernel agreed. There is no way back.
pub(crate) fn forbid_futex() -> bool {
    install([libc::SYS_futex, libc::SYS_futex_waitv], libc::SECCOMP_RET_KILL_PROCESS)
}

/// Has one system call fail with `error`, for the calling thread and those that it starts. Says
/// whether the kernel agreed. There is no way back.
pub(crate) fn answer(call: libc::c_long, error: i32) -> bool {
    install([call, call], libc::SECCOMP_RET_ERRNO | error as u32)
}

fn install(calls: [libc::c_long; 2], action: u32) -> bool {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    // The number of the call is the first word that a filter sees.
    let mut filter = [
        step(LOAD, 0, 0, 0),
        step(EQUAL, 1, 0, calls[0] as u32),
        step(EQUAL, 0, 1, calls[1] as u32),
        step(ANSWER, 0, 0, action),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 5, filter: filter.as_mut_ptr() };
    // SAFETY: `program` and `filter` outlive the calls, which only read them.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) == 0
    }
}
