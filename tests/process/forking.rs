//! Forks, the library's way and the kernel's, of processes with threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::support::{proc, say};

/// Forks and checks in the child. Fails here if `child` panics there, or hangs.
#[track_caller]
pub(crate) fn fork(child: impl FnOnce()) {
    // SAFETY: the child has this thread only. What it does beyond what POSIX allows there, such as
    // allocating and starting threads, glibc sees to.
    let pid = unsafe { libc::fork() };
    live(pid, child);
}

/// As [`fork`], by the system call alone: no handler of any library runs. The caller sees to it
/// that no other thread is inside the allocator.
#[track_caller]
pub(crate) fn raw_clone(child: impl FnOnce()) {
    // SAFETY: without CLONE_VM and a new stack this is what fork does.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    live(i32::try_from(pid).expect("a process id"), child);
}

#[track_caller]
fn live(pid: i32, child: impl FnOnce()) {
    assert!(pid >= 0, "{}", std::io::Error::last_os_error());
    if pid == 0 {
        let done = catch_unwind(AssertUnwindSafe(child));
        // SAFETY: ends the process and runs nothing else of it.
        unsafe { libc::_exit(if done.is_ok() { 0 } else { 1 }) };
    }
    let status = wait(pid);
    if status != Some(0) {
        // Not a panic: that would first wait for threads that the test has put to sleep.
        let caller = std::panic::Location::caller();
        say(&format!("{caller}: the child failed, exit status {status:?}"));
        // SAFETY: ends the process and runs nothing else of it.
        unsafe { libc::_exit(101) };
    }
}

/// The exit status of a child; `None` if it died of a signal, the one we send it if it hangs, too.
pub(crate) fn wait(pid: i32) -> Option<i32> {
    let start = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: `status` is valid for the write.
        let ended = unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) };
        assert!(ended >= 0, "{}", std::io::Error::last_os_error());
        if ended == pid {
            return libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
        }
        if start.elapsed() > Duration::from_secs(20) {
            for line in proc::threads_of(&pid.to_string()) {
                say(&line);
            }
            // SAFETY: no memory; our own child, which has not been waited for.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}
