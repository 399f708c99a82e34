//! When threads run, and where; and what is kept in memory for them. See sched(7) and mlock(2).
//!
//! The C library's functions of these names are not used for scheduling: musl's refuse to work, as
//! POSIX has them act on processes and Linux has them act on threads.

use core::mem::MaybeUninit;

use super::errno::{self, Errno};

/// Processors that a [`Cpus`] has bits for. The kernel's own limit on x86-64 is 8192; machines
/// with more than these many get `EINVAL` from [`affinity`].
pub(crate) const MAX_CPUS: usize = 1024;

/// A set of processors: bit `n % 64` of word `n / 64` is processor `n`.
pub(crate) type Cpus = [u64; MAX_CPUS / 64];

/// A scheduling class, by the kernel's number, and the static priority in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) policy: i32,
    pub(crate) priority: i32,
}

/// `SCHED_OTHER`.
pub(crate) const OTHER: i32 = libc::SCHED_OTHER;
/// `SCHED_BATCH`.
pub(crate) const BATCH: i32 = libc::SCHED_BATCH;
/// `SCHED_IDLE`.
pub(crate) const IDLE: i32 = libc::SCHED_IDLE;
/// `SCHED_FIFO`.
pub(crate) const FIFO: i32 = libc::SCHED_FIFO;
/// `SCHED_RR`.
pub(crate) const ROUND_ROBIN: i32 = libc::SCHED_RR;

/// Puts a thread, 0 for the calling one, into a class. Its children begin in the same.
///
/// | error    | when                                                           | the caller  |
/// |----------|----------------------------------------------------------------|-------------|
/// | `EPERM`  | above `RLIMIT_RTPRIO` without `CAP_SYS_NICE`; another user's   | reports it  |
/// |          | thread; no real-time budget in the cgroup                      |             |
/// | `ESRCH`  | no thread has this id                                          | reports it  |
/// | `EINVAL` | a priority outside of the class's range                        | has a bug   |
pub(crate) fn set_class(tid: u32, class: Class) -> Result<(), Errno> {
    let parameter = libc::c_int::from(class.priority);
    // SAFETY: the kernel reads one `int`, the whole of its `struct sched_param`, which outlives the
    // call.
    let call = || unsafe {
        libc::syscall(libc::SYS_sched_setscheduler, tid, class.policy, &raw const parameter)
    };
    errno::call(-1, call).map(drop)
}

/// The class of a thread, 0 for the calling one, without the flag that its children start anew.
///
/// | error    | when                                                           | the caller  |
/// |----------|----------------------------------------------------------------|-------------|
/// | `ESRCH`  | no thread has this id                                          | reports it  |
pub(crate) fn class(tid: u32) -> Result<Class, Errno> {
    // SAFETY: no memory.
    let policy = errno::call(-1, || unsafe { libc::syscall(libc::SYS_sched_getscheduler, tid) })?;
    let mut parameter: libc::c_int = 0;
    // SAFETY: the kernel writes one `int` to `parameter`, which outlives the call.
    errno::call(-1, || unsafe {
        libc::syscall(libc::SYS_sched_getparam, tid, &raw mut parameter)
    })?;
    Ok(Class { policy: policy as i32 & !libc::SCHED_RESET_ON_FORK, priority: parameter })
}

/// Keeps a thread, 0 for the calling one, on these processors. Its children begin with the same.
///
/// | error    | when                                                           | the caller  |
/// |----------|----------------------------------------------------------------|-------------|
/// | `EINVAL` | none of them is there, is on and is allowed to this process    | reports it  |
/// | `EPERM`  | another user's thread                                          | reports it  |
/// | `ESRCH`  | no thread has this id                                          | reports it  |
pub(crate) fn set_affinity(tid: u32, cpus: &Cpus) -> Result<(), Errno> {
    // SAFETY: the kernel reads the words of `cpus`, which outlive the call.
    let call = || unsafe {
        libc::syscall(libc::SYS_sched_setaffinity, tid, size_of::<Cpus>(), cpus.as_ptr())
    };
    errno::call(-1, call).map(drop)
}

/// The processors that a thread, 0 for the calling one, may run on.
///
/// | error    | when                                                           | the caller  |
/// |----------|----------------------------------------------------------------|-------------|
/// | `EINVAL` | the kernel's own sets are larger than a [`Cpus`]               | reports it  |
/// | `ESRCH`  | no thread has this id                                          | reports it  |
pub(crate) fn affinity(tid: u32) -> Result<Cpus, Errno> {
    let mut cpus: Cpus = [0; MAX_CPUS / 64];
    // SAFETY: the kernel writes as many bytes as its own sets have, at most those of `cpus`.
    errno::call(-1, || unsafe {
        libc::syscall(libc::SYS_sched_getaffinity, tid, size_of::<Cpus>(), cpus.as_mut_ptr())
    })?;
    Ok(cpus)
}

/// Sets the nice value of a thread, 0 for the calling one; the kernel moves what is out of its
/// range to the end of that. Its children begin with the same.
///
/// | error    | when                                                           | the caller  |
/// |----------|----------------------------------------------------------------|-------------|
/// | `EACCES` | lower than it is and than `RLIMIT_NICE` allows, without        | reports it  |
/// |          | `CAP_SYS_NICE`                                                 |             |
/// | `EPERM`  | another user's thread                                          | reports it  |
/// | `ESRCH`  | no thread has this id                                          | reports it  |
pub(crate) fn set_nice(tid: u32, nice: i32) -> Result<(), Errno> {
    // POSIX says "process"; for Linux a thread's id is as good.
    let which = libc::PRIO_PROCESS;
    // SAFETY: no memory.
    errno::call(-1, || unsafe { libc::syscall(libc::SYS_setpriority, which, tid, nice) }).map(drop)
}

/// The nice value of a thread, 0 for the calling one.
///
/// | error    | when                                                           | the caller  |
/// |----------|----------------------------------------------------------------|-------------|
/// | `ESRCH`  | no thread has this id                                          | reports it  |
pub(crate) fn nice(tid: u32) -> Result<i32, Errno> {
    // SAFETY: no memory.
    let call = || unsafe { libc::syscall(libc::SYS_getpriority, libc::PRIO_PROCESS, tid) };
    // The call itself, unlike the C library's function, returns 20 less the value: from 1 to 40.
    errno::call(-1, call).map(|value| 20 - value as i32)
}

/// Which pages [`lock_memory`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pages {
    /// Those mapped now.
    pub(crate) current: bool,
    /// Those mapped later.
    pub(crate) future: bool,
    /// Each from the moment on when it is first touched (Linux 4.4), instead of reading all in.
    pub(crate) on_fault: bool,
}

/// Keeps pages of the process in memory.
///
/// | error    | when                                                           | the caller  |
/// |----------|----------------------------------------------------------------|-------------|
/// | `ENOMEM` | above `RLIMIT_MEMLOCK` without `CAP_IPC_LOCK`                  | reports it  |
/// | `EPERM`  | that limit is 0                                                | reports it  |
/// | `EAGAIN` | some pages could not be brought in                             | reports it  |
/// | `EINVAL` | neither current nor future                                     | has a bug   |
pub(crate) fn lock_memory(pages: Pages) -> Result<(), Errno> {
    let flag = |on, flag| if on { flag } else { 0 };
    let flags = flag(pages.current, libc::MCL_CURRENT)
        | flag(pages.future, libc::MCL_FUTURE)
        | flag(pages.on_fault, libc::MCL_ONFAULT);
    // SAFETY: keeps pages where they are, and changes nothing in them.
    errno::call(-1, || unsafe { libc::mlockall(flags) }).map(drop)
}

/// Lets all pages of the process go again. Without privileges; fails only where a filter forbids
/// it.
pub(crate) fn unlock_memory() -> Result<(), Errno> {
    // SAFETY: changes nothing in the pages.
    errno::call(-1, || unsafe { libc::munlockall() }).map(drop)
}

/// A resource limit that stands in the way of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// `RLIMIT_RTPRIO`: the highest real-time priority without privileges.
    Priority,
    /// `RLIMIT_NICE`: 20 less the lowest nice value without privileges.
    Nice,
    /// `RLIMIT_MEMLOCK`: bytes that may be kept in memory without privileges.
    LockedMemory,
}

/// What a limit is for this process; `u64::MAX` is none, also where it cannot be asked for.
pub(crate) fn limit(limit: Limit) -> u64 {
    let resource = match limit {
        Limit::Priority => libc::RLIMIT_RTPRIO,
        Limit::Nice => libc::RLIMIT_NICE,
        Limit::LockedMemory => libc::RLIMIT_MEMLOCK,
    };
    let mut found = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: `found` is valid for the write of one `rlimit`.
    match errno::call(-1, || unsafe { libc::getrlimit(resource, found.as_mut_ptr()) }) {
        // SAFETY: the call succeeded, so it has filled in `found`.
        Ok(_) => unsafe { found.assume_init() }.rlim_cur,
        Err(_) => u64::MAX,
    }
}

/// Bytes of the calling thread's stack below the caller; `None` where the C library cannot say.
/// For the first thread the C library reads a file.
pub(crate) fn stack_left() -> Option<usize> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut lowest, mut size) = (core::ptr::null_mut(), 0);
    // SAFETY: `attributes` is valid for the write; this is the calling thread.
    if unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call above filled the attributes in; they are destroyed once. The two places are
    // valid for writes.
    let known = unsafe {
        let known = libc::pthread_attr_getstack(attributes.as_ptr(), &mut lowest, &mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        known == 0
    };
    let here = (&raw const size).addr();
    (known && lowest.addr() < here).then(|| here - lowest.addr())
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::super::testing::{UNTOUCHED, get_errno, in_child, say, set_errno};
    use super::super::thread::tid;
    use super::*;

    const NOBODY: u32 = (1 << 30) - 2;

    #[test]
    fn classes_are_set_and_told() {
        let check = || {
            set_errno();
            for policy in [BATCH, OTHER] {
                let class_set = Class { policy, priority: 0 };
                assert_eq!(set_class(0, class_set), Ok(()));
                assert_eq!((class(0), class(tid())), (Ok(class_set), Ok(class_set)));
            }
            for (policy, priority) in [(FIFO, 1), (ROUND_ROBIN, 99)] {
                match set_class(0, Class { policy, priority }) {
                    Ok(()) => assert_eq!(class(0), Ok(Class { policy, priority })),
                    Err(error) => {
                        assert_eq!(error, Errno::PERM);
                        say("SKIP no real-time scheduling here");
                    }
                }
            }
            assert_eq!(set_class(0, Class { policy: FIFO, priority: 100 }), Err(Errno::INVAL));
            assert_eq!(set_class(0, Class { policy: IDLE, priority: 0 }), Ok(()));
            assert_eq!(get_errno(), UNTOUCHED);
        };
        thread::spawn(check).join().expect("the checks hold");
    }

    #[test]
    fn nobody_is_esrch() {
        let class_set = Class { policy: OTHER, priority: 0 };
        assert_eq!(set_class(NOBODY, class_set), Err(Errno::SRCH));
        assert_eq!(class(NOBODY), Err(Errno::SRCH));
        assert_eq!(affinity(NOBODY), Err(Errno::SRCH));
        assert_eq!(set_affinity(NOBODY, &[1; MAX_CPUS / 64]), Err(Errno::SRCH));
        assert_eq!((nice(NOBODY), set_nice(NOBODY, 0)), (Err(Errno::SRCH), Err(Errno::SRCH)));
    }

    #[test]
    fn nice_values_are_set_and_told() {
        let check = || {
            set_errno();
            let before = nice(0).expect("this thread runs");
            for higher in [before, 18.max(before), 19, 100] {
                assert_eq!(set_nice(tid(), higher), Ok(()));
                assert_eq!((nice(0), nice(tid())), (Ok(higher.min(19)), Ok(higher.min(19))));
            }
            for lower in [18, -1, -20, -100] {
                match set_nice(0, lower) {
                    Ok(()) => assert_eq!(nice(0), Ok(lower.max(-20))),
                    Err(error) => assert_eq!(error, Errno::ACCES),
                }
            }
            assert_eq!(get_errno(), UNTOUCHED);
        };
        thread::spawn(check).join().expect("the checks hold");
    }

    #[test]
    fn a_thread_stays_where_it_is_put() {
        let check = || {
            let all = affinity(0).expect("this thread runs");
            let word = all.iter().position(|&word| word != 0).expect("on some processor");
            let mut one: Cpus = [0; MAX_CPUS / 64];
            one[word] = 1 << all[word].trailing_zeros();
            assert_eq!(set_affinity(0, &one), Ok(()));
            assert_eq!((affinity(0), affinity(tid())), (Ok(one), Ok(one)));
            let mut nowhere: Cpus = [0; MAX_CPUS / 64];
            assert_eq!(set_affinity(0, &nowhere), Err(Errno::INVAL));
            nowhere[MAX_CPUS / 64 - 1] = 1 << 63;
            if all[MAX_CPUS / 64 - 1] >> 63 == 0 {
                assert_eq!(set_affinity(0, &nowhere), Err(Errno::INVAL), "no such processor");
            }
        };
        thread::spawn(check).join().expect("the checks hold");
    }

    #[test]
    fn memory_is_locked_and_let_go() {
        if !in_child(module_path!(), "memory_is_locked_and_let_go") {
            return;
        }
        let locked = || {
            let status = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
            let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).expect("a line");
            line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
        };
        assert_eq!(
            lock_memory(Pages { current: false, future: false, on_fault: true }),
            Err(Errno::INVAL)
        );
        match lock_memory(Pages { current: true, future: true, on_fault: false }) {
            Ok(()) => assert!(locked() > 0),
            Err(error) => {
                assert!(error == Errno::NO_MEM || error == Errno::PERM, "{error}");
                assert!(limit(Limit::LockedMemory) < u64::MAX);
                say("SKIP memory may not be locked here");
            }
        }
        assert_eq!(unlock_memory(), Ok(()));
        assert_eq!(locked(), 0);
    }

    #[test]
    fn a_thread_knows_its_stack() {
        const SIZE: usize = 256 << 10;
        let builder = thread::Builder::new().stack_size(SIZE);
        let small = builder.spawn(stack_left).expect("a thread").join().expect("no panic");
        let small = small.expect("this C library knows");
        assert!(small > SIZE / 2 && small < 2 * SIZE, "{small} bytes");
    }

    #[test]
    fn limits_are_what_the_kernel_says() {
        let limits = fs::read_to_string("/proc/self/limits").expect("/proc is mounted");
        for (name, limit_asked) in [
            ("Max realtime priority", Limit::Priority),
            ("Max nice priority", Limit::Nice),
            ("Max locked memory", Limit::LockedMemory),
        ] {
            let rest = limits.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
            let soft = rest.split_whitespace().next().expect("a number");
            let soft = if soft == "unlimited" { u64::MAX } else { soft.parse().expect("one") };
            assert_eq!(limit(limit_asked), soft);
        }
    }
}
