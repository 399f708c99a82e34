//! Forbidding system calls.

/// Ends the process, by SIGSYS, at the calling thread's next futex call of any kind. Says whether
/// the kernel agreed. There is no way back.
pub(crate) fn forbid_futex() -> bool {
    let calls = [libc::SYS_futex, libc::SYS_futex_waitv];
    install(&calls_among(&calls, libc::SECCOMP_RET_KILL_PROCESS))
}

/// Ends the process, by SIGSYS, at the next call of any of its threads that is not among `allowed`.
/// Says whether the kernel agreed. There is no way back.
pub(crate) fn forbid_all_but(allowed: &[libc::c_long]) -> bool {
    let mut filter = vec![step(LOAD, 0, 0, NUMBER)];
    let allowed = allowed.iter().map(|&call| call as u32);
    decide(&mut filter, allowed, libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_KILL_PROCESS);
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: `program` and `filter` outlive the calls, which only read them.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_TSYNC,
                &raw const program,
            ) == 0
    }
}

/// Has one system call fail with `error`, for the calling thread and those that it starts. Says
/// whether the kernel agreed. There is no way back.
pub(crate) fn answer(call: libc::c_long, error: i32) -> bool {
    install(&calls_among(&[call], libc::SECCOMP_RET_ERRNO | error as u32))
}

/// Has the futex operations among `operations` fail with `error`, as [`answer`] does; the last that
/// was said of one holds.
pub(crate) fn answer_futex(operations: &[i32], error: i32) -> bool {
    let deny = libc::SECCOMP_RET_ERRNO | error as u32;
    // The operation is the second argument; flags say on which clock it is and who shares the word.
    let mut filter = vec![
        step(LOAD, 0, 0, NUMBER),
        step(EQUAL, 1, 0, libc::SYS_futex as u32),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW),
        step(LOAD, 0, 0, SECOND_ARGUMENT),
        step(AND, 0, 0, libc::FUTEX_CMD_MASK as u32),
    ];
    among(&mut filter, operations.iter().map(|&operation| operation as u32), deny);
    install(&filter)
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Where a filter finds the number of the call, and half of its second argument.
const NUMBER: u32 = 0;
const SECOND_ARGUMENT: u32 = 24 + if cfg!(target_endian = "big") { 4 } else { 0 };

const fn step(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

fn calls_among(calls: &[libc::c_long], action: u32) -> Vec<libc::sock_filter> {
    let mut filter = vec![step(LOAD, 0, 0, NUMBER)];
    among(&mut filter, calls.iter().map(|&call| call as u32), action);
    filter
}

/// The end of a filter: `action` if what it has loaded is among `values`.
fn among(filter: &mut Vec<libc::sock_filter>, values: impl Iterator<Item = u32>, action: u32) {
    decide(filter, values, action, libc::SECCOMP_RET_ALLOW);
}

/// The same, with another action for what is not among them.
fn decide(
    filter: &mut Vec<libc::sock_filter>,
    values: impl Iterator<Item = u32>,
    action: u32,
    otherwise: u32,
) {
    for value in values {
        filter.extend([step(EQUAL, 0, 1, value), step(ANSWER, 0, 0, action)]);
    }
    filter.push(step(ANSWER, 0, 0, otherwise));
}

fn install(filter: &[libc::sock_filter]) -> bool {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: `program` and `filter` outlive the calls, which only read them.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) == 0
    }
}
