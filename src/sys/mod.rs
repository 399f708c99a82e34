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
//! * **Time** is absolute `CLOCK_MONOTONIC` in nanoseconds. `None` and `Some(u64::MAX)` mean no
//!   deadline. No value is out of range: the kernel clamps what lies past its own end of time.
//! * **Counts** are clamped to `i32::MAX`, the kernel's own type.
//!
//! # What the caller owes for each error
//!
//! | errno       | operations                         | meaning, and what to do                    |
//! |-------------|------------------------------------|--------------------------------------------|
//! | `EAGAIN`    | waits, compare-and-requeues        | the word changed: look at it again         |
//! | `EAGAIN`    | `wait_requeue_pi`                  | or a signal came: the lock is *not* held   |
//! | `EAGAIN`    | `trylock_pi`                       | somebody else holds the lock               |
//! | `EINTR`     | `wait`, `waitv`                    | a signal came: wait again, same deadline   |
//! | `ETIMEDOUT` | whatever takes a deadline          | it passed; no wake-up was consumed         |
//! | `EFAULT`    | all                                | nothing is mapped there. For a wake: the   |
//! |             |                                    | waiter freed the word, ignore. For a wait: |
//! |             |                                    | a bug of the caller                        |
//! | `EINVAL`    | all                                | misaligned, mask 0, or plain and PI waits  |
//! |             |                                    | on one word: a bug of the caller           |
//! | `EDEADLK`   | `lock_pi2`, `trylock_pi`,          | the caller holds the lock already, or      |
//! |             | `cmp_requeue_pi`                   | waiting would close a cycle of owners      |
//! | `EPERM`     | `unlock_pi`                        | the caller does not hold the lock          |
//! | `EPERM`     | other PI operations                | the word names a thread that cannot own it |
//! | `ESRCH`     | `lock_pi2`, `trylock_pi`,          | the word names a thread that is gone       |
//! |             | `cmp_requeue_pi`                   |                                            |
//! | `ENOMEM`    | PI operations, `waitv`; all others | no kernel memory; with `Shared`, for the   |
//! |             | with `Reach::Shared`               | page tables of the word: report it         |
//! | `ENOSYS`    | PI operations, `waitv`             | the kernel lacks it: fall back, or report  |
//! | `EPERM`,    | all                                | a seccomp filter answers in the kernel's   |
//! | `ENOSYS`    |                                    | place. Seen with `waitv` in containers     |
//!
//! A wait that returns `Ok` consumed a wake-up, even if its deadline has passed as well, and even
//! if the wake-up was meant for whoever used the address before. So the caller looks at the word
//! again, and tries once before it gives up.
//!
//! `EINTR` in full. A signal whose handler was installed with `SA_RESTART` restarts a wait without
//! deadline inside the kernel; a [`futex::wait`] with a deadline fails with `EINTR` whatever the
//! flag; the PI operations never show it: they restart, or answer `EAGAIN`.
//!
//! `EFAULT` in full. With `Reach::Private` the kernel names a word by its address alone and reads
//! it only to compare. So a private wake or requeue on unmapped memory is `Ok(0)`, and `EFAULT`
//! needs an address outside user space; a shared one must find the page and fails.
//!
//! Sources: futex(2), futex_waitv in the kernel's `Documentation/userspace-api/futex2.rst`, and
//! `kernel/futex/` of Linux 6.18, against which the tests pin what the manual leaves open.

#![cfg(not(all(loom, feature = "loom")))]

pub(crate) mod clock;
pub(crate) mod errno;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod thread;
