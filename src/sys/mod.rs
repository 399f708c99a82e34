//! System calls: one function per operation, raw numbers in, `Result<_, Errno>` out.
//!
//! This layer decides nothing. It retries nothing, hides no error and keeps no state; it gives
//! each operation a type and says what every answer means. Its one caller is `primitive`. It is
//! also the only place that names `libc`. The model build replaces it, hence the gate below.
//!
//! # What every operation promises
//!
//! * **Errno stays out of sight.** A failing call returns its error and puts the calling thread's
//!   `errno` back to what it was. Locks run inside allocators and signal handlers, whose own
//!   callers may be about to read `errno` after a call that "cannot touch it".
//! * **No allocation, no lock, no unwinding**, so each may be called from a signal handler or in
//!   the child of a `fork`. One exception: a kernel that has no `CLOCK_MONOTONIC` is a panic.
//! * **Time** is absolute `CLOCK_MONOTONIC` in nanoseconds, but for `lock_pi`. `None` and
//!   `Some(u64::MAX)` mean no deadline. No value is out of range: the kernel clamps what lies past
//!   its own end of time.
//! * **Counts** are clamped to `i32::MAX`, the kernel's own type.
//!
//! # What the caller owes for each error
//!
//! | errno       | operations                  | meaning, and what to do                    |
//! |-------------|-----------------------------|--------------------------------------------|
//! | `EAGAIN`    | waits, compare-and-requeues | the word changed: look at it again         |
//! | `EAGAIN`    | `wait_requeue_pi`           | or a signal came: the lock is *not* held   |
//! | `EAGAIN`    | `trylock_pi`                | somebody else holds the lock               |
//! | `EINTR`     | `wait`, `waitv`             | a signal came: wait again, same deadline   |
//! | `ETIMEDOUT` | whatever takes a deadline   | it passed; no wake-up was consumed         |
//! | `EFAULT`    | wakes and plain requeues    | the waiters freed the word: ignore         |
//! | `EFAULT`    | all others                  | nothing is mapped there: a caller's bug    |
//! | `EINVAL`    | all                         | misaligned, mask 0, or plain and PI waits  |
//! |             |                             | on one word: a caller's bug, or, for a     |
//! |             |                             | wake, memory that is used anew: ignore     |
//! | `EDEADLK`   | `lock_pi2`, `trylock_pi`,   | the caller holds the lock already, or      |
//! |             | `cmp_requeue_pi`            | waiting would close a cycle of owners      |
//! | `EPERM`     | `unlock_pi`                 | the caller does not hold the lock          |
//! | `EPERM`     | `membarrier`                | not registered: do that, and once more     |
//! | `EPERM`     | other PI operations         | the word names a thread that cannot own it |
//! | `ESRCH`     | `lock_pi2`, `trylock_pi`,   | the word names a thread that is gone       |
//! |             | `cmp_requeue_pi`            |                                            |
//! | `ENOMEM`    | PI operations, `waitv`      | no kernel memory: report it                |
//! | `ENOMEM`    | all with `Reach::Shared`    | no memory to bring the page in: report it  |
//! | `ENOSYS`    | PI operations, `waitv`      | the kernel lacks it: fall back, or report  |
//! | `EPERM`,    | all                         | a seccomp filter answered in the kernel's  |
//! | `EACCES`,   |                             | place, as seen with `waitv` in containers  |
//! | `ENOSYS`    |                             |                                            |
//!
//! A wait that returns `Ok` consumed a wake-up, even if its deadline has passed as well, and even
//! if the wake-up was meant for whoever used the address before. So the caller looks at the word
//! again, and tries once before it gives up.
//!
//! `EINTR` in full. A signal whose handler was installed with `SA_RESTART` restarts a wait without
//! deadline inside the kernel; a [`futex::wait`] with a deadline fails with `EINTR` whatever the
//! flag, but a `waitv` restarts; the PI operations never show it: they restart, or answer `EAGAIN`.
//!
//! `EFAULT` in full. With `Reach::Private` the kernel names a word by its address alone and reads
//! it only to compare. So a private wake or requeue on unmapped memory is `Ok(0)`, and `EFAULT`
//! needs an address outside user space; a shared one must find the page and fails.
//!
//! Sources: futex(2), and for `waitv` the kernel's `Documentation/userspace-api/futex2.rst`. What
//! they leave open was measured on Linux 6.18, and the tests hold the kernel to it.

#![cfg(not(all(loom, feature = "loom")))]

pub(crate) mod clock;
#[cfg(feature = "std")]
pub(crate) mod cpus;
pub(crate) mod errno;
pub(crate) mod fork;
pub(crate) mod futex;
#[cfg(feature = "alloc")]
pub(crate) mod membarrier;
#[cfg(all(
    feature = "std",
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(lockwork_portable),
))]
pub(crate) mod rseq;
#[cfg(feature = "std")]
pub(crate) mod sched;
#[cfg(feature = "std")]
pub(crate) mod signal;
pub(crate) mod thread;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#[cfg_attr(not(feature = "alloc"), allow(dead_code, reason = "wide words are for containers"))]
#[cfg_attr(
    any(lockwork_portable, lockwork_chaos),
    allow(dead_code, reason = "what stands for it is used")
)]
pub(crate) mod x86;

/// What the tests of this layer share.
///
/// No atomics here either: a thread is known to sleep when the kernel says so, and results come
/// back through `join`.
#[cfg(test)]
pub(crate) mod testing {
    use std::cell::UnsafeCell;
    use std::string::{String, ToString};
    use std::sync::{Arc, mpsc};
    use std::thread::{self, JoinHandle};
    use std::time::Duration;
    use std::{env, format, fs, process, ptr};

    use super::futex::{self, Reach};
    use super::thread::tid;

    /// Writes to standard error past the capture of the test harness.
    pub(super) fn say(line: &str) {
        let line = format!("{line}\n");
        // SAFETY: the pointer and the length are those of `line`.
        let written = unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
        assert_eq!(written, line.len() as isize);
    }

    /// Ends the process, loudly, if it lives for longer than any test here may take.
    pub(super) struct Watchdog {
        _alive: mpsc::Sender<()>,
    }

    impl Watchdog {
        pub(super) fn start() -> Self {
            let test = thread::current().name().unwrap_or("a test").to_string();
            let (alive, end) = mpsc::channel::<()>();
            thread::spawn(move || {
                if end.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout)
                {
                    say(&format!("WATCHDOG: {test} still runs after a minute"));
                    process::abort();
                }
            });
            Self { _alive: alive }
        }
    }

    /// A futex word that the kernel may write while threads look at it.
    #[derive(Clone)]
    pub(super) struct Word(Arc<Cell>);

    struct Cell(UnsafeCell<u32>);

    // SAFETY: Rust code accesses the cell by volatile reads and writes only, and the tests order
    // those of different threads by `spawn` and `join`. The kernel is no thread of the program.
    unsafe impl Send for Cell {}
    // SAFETY: as above.
    unsafe impl Sync for Cell {}

    impl Word {
        pub(super) fn new(value: u32) -> Self {
            Self(Arc::new(Cell(UnsafeCell::new(value))))
        }

        pub(super) fn at(&self) -> *const u32 {
            self.0.0.get()
        }

        pub(super) fn get(&self) -> u32 {
            // SAFETY: the cell lives as long as `self`; for races see `Cell`.
            unsafe { ptr::read_volatile(self.0.0.get()) }
        }

        pub(super) fn set(&self, value: u32) {
            // SAFETY: the cell lives as long as `self`; for races see `Cell`.
            unsafe { ptr::write_volatile(self.0.0.get(), value) }
        }
    }

    /// A thread that sleeps in a futex call.
    pub(super) struct Sleeper<T> {
        pub(super) tid: u32,
        on: Option<usize>,
        thread: JoinHandle<T>,
    }

    impl<T: Send + 'static> Sleeper<T> {
        /// Runs `call` in a thread and returns once that sleeps on `on`, or in `waitv` if `None`.
        pub(super) fn start(on: Option<&Word>, call: impl FnOnce() -> T + Send + 'static) -> Self {
            Self::start_at(on.map(Word::at), call)
        }

        pub(super) fn start_at(
            on: Option<*const u32>,
            call: impl FnOnce() -> T + Send + 'static,
        ) -> Self {
            let (send, receive) = mpsc::channel();
            let thread = thread::spawn(move || {
                send.send(tid()).expect("the spawning thread waits for this");
                call()
            });
            let tid = receive.recv().expect("the thread starts with this");
            let sleeper = Self { tid, on: on.map(<*const u32>::addr), thread };
            sleeper.assert_asleep();
            sleeper
        }

        /// Returns once the thread sleeps where it should. Fails if it returned instead.
        pub(super) fn assert_asleep(&self) {
            loop {
                assert!(!self.thread.is_finished(), "the thread returned instead of sleeping");
                if self.sleeps() {
                    return;
                }
                thread::sleep(Duration::from_micros(100));
            }
        }

        /// Two looks, in this order. The state is `S` once the call has done what it may block for
        /// on the way, such as a page fault, which is `D`; then it puts itself into the queue. The
        /// kernel says which call a thread sleeps in only after that has left the processor.
        fn sleeps(&self) -> bool {
            let look = |file| fs::read_to_string(format!("/proc/self/task/{}/{file}", self.tid));
            // The state follows the name, which is in parentheses and may hold any character.
            if !look("stat")
                .is_ok_and(|stat| stat.rsplit(") ").next().unwrap_or("").starts_with('S'))
            {
                return false;
            }
            // Not every kernel has this file, nor every container the right to read it. Once the
            // thread id was sent, nothing but the call in question is likely to sleep.
            let Ok(line) = look("syscall") else { return true };
            let mut fields = line.split_whitespace();
            let number = fields.next().and_then(|field| field.parse().ok());
            let first = fields.next().and_then(|field| field.strip_prefix("0x"));
            let first = first.and_then(|field| usize::from_str_radix(field, 16).ok());
            match self.on {
                Some(_) => number == Some(libc::SYS_futex) && first == self.on,
                None => number == Some(libc::SYS_futex_waitv),
            }
        }

        pub(super) fn join(self) -> T {
            self.thread.join().expect("the thread does not panic")
        }
    }

    /// A page of its own, unmapped when dropped.
    pub(super) struct Page(*mut libc::c_void);

    impl Page {
        pub(super) const SIZE: usize = 4096; // one page or a part of one

        pub(super) fn anonymous(protection: libc::c_int) -> Self {
            Self::map(protection, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
        }

        /// The first page of a file, shared with whoever else maps it.
        pub(super) fn of_file(file: libc::c_int) -> Self {
            Self::map(libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, file)
        }

        fn map(protection: libc::c_int, flags: libc::c_int, file: libc::c_int) -> Self {
            // SAFETY: a new mapping at an address of the kernel's choice.
            let page =
                unsafe { libc::mmap(ptr::null_mut(), Self::SIZE, protection, flags, file, 0) };
            assert_ne!(page, libc::MAP_FAILED);
            Self(page)
        }

        pub(super) fn at(&self) -> *const u32 {
            self.0.cast()
        }
    }

    impl Drop for Page {
        fn drop(&mut self) {
            // SAFETY: the range is the one that `map` mapped; the tests keep no pointer to it.
            assert_eq!(unsafe { libc::munmap(self.0, Self::SIZE) }, 0);
        }
    }

    const CHILD: &str = "LOCKWORK_SYS_TEST_CHILD";

    /// Runs the calling test once more in a process of its own, for tests that change what belongs
    /// to the whole process. True in that process, which goes on with the test; false here, after
    /// it has succeeded.
    pub(crate) fn in_child(module: &str, test: &str) -> bool {
        let (_, module) = module.split_once("::").expect("the crate comes first");
        let test = format!("{module}::{test}");
        if env::var(CHILD).is_ok_and(|child| child == test) {
            return true;
        }
        let output = process::Command::new(env::current_exe().expect("the test binary"))
            .args([&test, "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, &test)
            .stderr(process::Stdio::inherit())
            .output()
            .expect("the test binary runs");
        let report = String::from_utf8_lossy(&output.stdout);
        // A name that matches no test would succeed as well.
        let ran = report.contains("1 passed");
        assert!(output.status.success() && ran, "{}\n{report}", output.status);
        false
    }

    /// Forks, and returns what `child` returned in the child as its exit status. After a fork of
    /// a process with threads `child` may do next to nothing: no allocation, no panic.
    pub(crate) fn fork(child: impl FnOnce() -> u8) -> u8 {
        // SAFETY: the child calls what its author says is safe there, and then leaves.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            let status = child();
            // SAFETY: ends the process without running anything else of it.
            unsafe { libc::_exit(status.into()) };
        }
        let mut status = 0;
        // SAFETY: `status` is valid for the write.
        assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
        assert!(libc::WIFEXITED(status), "the child died of signal {}", libc::WTERMSIG(status));
        libc::WEXITSTATUS(status) as u8
    }

    /// Makes one system call, with one value for the low half of its argument `index`, fail with
    /// `errno` for the calling thread, for good. Says whether that was possible.
    pub(in crate::sys) fn forbid(
        call: libc::c_long,
        (index, value): (u32, u32),
        errno: libc::c_int,
    ) -> bool {
        const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
        const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
        const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
        let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
        // A filter sees a `struct seccomp_data`: the number of the call first, the six arguments
        // from byte 16. Both jumps lead to the last step.
        let mut filter = [
            step(LOAD, 0, 0, 0),
            step(EQUAL, 0, 3, call as u32),
            step(LOAD, 0, 0, 16 + 8 * index),
            step(EQUAL, 0, 1, value),
            step(ANSWER, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
            step(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: 6, filter: filter.as_mut_ptr() };
        // SAFETY: `program` and `filter` outlive the calls, which only read them.
        let done = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) == 0
        };
        if !done {
            say("SKIP no seccomp filters here");
        }
        done
    }

    /// The calling thread's `errno`, set to a value that no call here produces.
    pub(super) const UNTOUCHED: i32 = 4242;

    pub(super) fn set_errno() {
        // SAFETY: the C library's pointer to this thread's own variable.
        unsafe { *libc::__errno_location() = UNTOUCHED }
    }

    pub(super) fn get_errno() -> i32 {
        // SAFETY: as above.
        unsafe { *libc::__errno_location() }
    }

    /// Wakes everybody, and checks how many those were.
    pub(super) fn wake_all(word: &Word, expected: u32) {
        let woken = futex::wake(word.at(), Reach::Private, u32::MAX, futex::ANY);
        assert_eq!(woken, Ok(expected));
    }
}
