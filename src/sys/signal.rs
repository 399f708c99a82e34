//! Signals: which ones a thread lets through, and waiting for the others. See signal(7).
//!
//! The kernel's calls and not the C library's, whose sets are of another size each; the two signals
//! that glibc keeps for itself are for the caller to leave alone.

use core::mem::{MaybeUninit, size_of};
use core::ptr;

use super::{errno, fork};

/// A set of signals: bit `n - 1` is signal `n`.
pub(crate) type Set = u64;

/// The kernel's numbers of signals that must not be held back.
pub(crate) mod numbers {
    pub(crate) use libc::{
        SIGBUS as BUS, SIGFPE as FPE, SIGILL as ILL, SIGKILL as KILL, SIGSEGV as SEGV,
        SIGSTOP as STOP, SIGSYS as SYS, SIGTRAP as TRAP,
    };
}

/// Replaces the set of signals that the calling thread holds back: what it was.
///
/// Threads that it starts begin with the same, and so does a program that it executes. Signals
/// that cannot be held back, 9 and 19, are passed over.
pub(crate) fn replace_mask(mask: Set) -> Set {
    let mut before: Set = 0;
    // SAFETY: the kernel reads the one set and writes the other, each of the size given.
    let done = errno::call(-1, || unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const mask,
            &raw mut before,
            size_of::<Set>(),
        )
    });
    // There is no error but for a bad address or size, and what a filter makes up.
    done.unwrap_or_else(|errno| panic!("cannot set the signal mask: {errno}"));
    before
}

/// The set of signals that the calling thread holds back.
pub(crate) fn mask() -> Set {
    let mut mask: Set = 0;
    // SAFETY: the kernel writes one set, of the size given.
    let done = errno::call(-1, || unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            ptr::null::<Set>(),
            &raw mut mask,
            size_of::<Set>(),
        )
    });
    done.unwrap_or_else(|errno| panic!("cannot read the signal mask: {errno}"));
    mask
}

/// A signal that was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) signal: i32,
    /// The process that sent it, where one did.
    pub(crate) sender: Option<u32>,
    /// Whether it was sent to this very thread.
    pub(crate) to_thread: bool,
}

/// Waits for one of these signals, all of which the calling thread holds back.
///
/// | error    | when                                                           | the caller  |
/// |----------|----------------------------------------------------------------|-------------|
/// | `EINTR`  | a handler ran for another signal, or the process was stopped   | waits again |
pub(crate) fn wait(set: Set) -> Result<Arrival, errno::Errno> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: the kernel reads the set, of the size given, and writes the information. No timeout.
    let signal = errno::call(-1, || unsafe {
        libc::syscall(
            libc::SYS_rt_sigtimedwait,
            &raw const set,
            info.as_mut_ptr(),
            ptr::null::<libc::timespec>(),
            size_of::<Set>(),
        )
    })?;
    // SAFETY: written by the kernel, and all zeros are a value of it too.
    let info = unsafe { info.assume_init() };
    let sent = [libc::SI_USER, libc::SI_QUEUE, libc::SI_TKILL].contains(&info.si_code);
    // SAFETY: with these codes the field is there.
    let sender = sent.then(|| unsafe { info.si_pid() } as u32);
    Ok(Arrival { signal: signal as i32, sender, to_thread: info.si_code == libc::SI_TKILL })
}

/// Sends a signal to a thread of this process.
///
/// | error    | when                                                           | the caller  |
/// |----------|----------------------------------------------------------------|-------------|
/// | `ESRCH`  | it is gone                                                     | needs none  |
/// | `EAGAIN` | too many real-time signals are queued                          | tries again |
pub(crate) fn send(tid: u32, signal: i32) -> Result<(), errno::Errno> {
    // SAFETY: no memory.
    errno::call(-1, || unsafe { libc::syscall(libc::SYS_tgkill, fork::pid(), tid, signal) })
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{UNTOUCHED, get_errno, set_errno};
    use super::super::thread::tid;
    use super::*;

    const USER: Set = 1 << (libc::SIGUSR1 - 1);

    #[test]
    fn masks_are_the_thread_s_own() {
        let there = std::thread::spawn(|| {
            set_errno();
            let before = replace_mask(mask() | USER);
            assert_eq!(before & USER, 0);
            assert_eq!(mask(), before | USER);
            let inherited = std::thread::spawn(mask).join().expect("it does not panic");
            assert_eq!(inherited, before | USER);
            assert_eq!(replace_mask(before), before | USER);
            assert_eq!(get_errno(), UNTOUCHED);
        });
        there.join().expect("the checks hold there");
        assert_eq!(mask() & USER, 0);
    }

    #[test]
    fn what_is_sent_arrives() {
        let there = std::thread::spawn(|| {
            let _ = replace_mask(mask() | USER);
            set_errno();
            assert_eq!(send(tid(), libc::SIGUSR1), Ok(()));
            let arrival = wait(USER).expect("nothing interrupts");
            let pid = Some(fork::pid());
            let expected = Arrival { signal: libc::SIGUSR1, sender: pid, to_thread: true };
            assert_eq!(arrival, expected);
            assert_eq!(get_errno(), UNTOUCHED);
        });
        there.join().expect("the checks hold there");
    }
}
