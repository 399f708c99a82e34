//! The futex operations, one function each. See futex(2) for what they do.
//!
//! A word is passed as a bare address. The plain operations, from [`wait`] to [`cmp_requeue`], and
//! [`waitv`] are safe functions: the kernel checks the address, reads at most four bytes there,
//! atomically, and never writes. At worst they sleep, or wake or move somebody else's sleepers,
//! which every user of a futex must bear anyway. The PI operations let the kernel *write* the
//! word, so they are `unsafe`.
//!
//! The tables list every error of the kernel, and what the caller does about it. Three more are
//! left out of them, since they may come from any operation and have one answer, to report them:
//! `EPERM` and `ENOSYS` from a seccomp filter, and with [`Reach::Shared`] `ENOMEM` where the page
//! of the word cannot be brought in. (futex(2) also lists `EACCES`, for a word that may not be
//! read, and `ENFILE`; current kernels answer `EFAULT` to the first and have dropped what gave
//! the second.)

use core::ptr;

use super::clock;
use super::errno::{self, Errno};

/// The mask of a [`wait`] or [`wake`] that does not tell classes of waiters apart.
pub(crate) const ANY: u32 = !0;

/// Who meets on a word. Waiter and waker must name the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Threads that share the address space: the kernel compares addresses, and asks for nothing
    /// to be mapped there when it wakes.
    Private,
    /// All who map the same memory, at whatever address: the kernel looks the page up.
    Shared,
}

impl Reach {
    fn flag(self) -> libc::c_int {
        match self {
            Self::Private => libc::FUTEX_PRIVATE_FLAG,
            Self::Shared => 0,
        }
    }
}

/// The fourth argument, which some operations take for a deadline and some for a second count.
enum Fourth {
    Deadline(Option<u64>),
    Count(u32),
}

/// `SYS_futex` itself.
///
/// # Safety
///
/// If `op` makes the kernel write to `word` or `word2`, the caller's contract permits that.
unsafe fn futex(
    word: *const u32,
    op: libc::c_int,
    value: u32,
    fourth: Fourth,
    word2: *const u32,
    value3: u32,
) -> Result<u32, Errno> {
    let deadline = match fourth {
        Fourth::Deadline(deadline) => timespec(deadline),
        Fourth::Count(_) => None,
    };
    let fourth: *const libc::timespec = match fourth {
        Fourth::Deadline(_) => as_ptr(&deadline),
        Fourth::Count(count) => ptr::without_provenance(clamp(count) as usize),
    };
    // SAFETY: `deadline` outlives the call, which only reads it. The kernel checks every address
    // that it is given, and answers EFAULT instead of touching what is not mapped. What it may
    // write is the caller's contract. The types are those that futex(2) names; `*mut` because
    // that is how the kernel declares the words.
    let result = errno::call(-1, || unsafe {
        libc::syscall(libc::SYS_futex, word.cast_mut(), op, value, fourth, word2.cast_mut(), value3)
    });
    // Not negative, and a count of threads at most: the kernel's own type for it is `int`.
    result.map(|value| value as u32)
}

/// `None` stands for the null pointer that means no deadline.
fn timespec(deadline: Option<u64>) -> Option<libc::timespec> {
    match deadline {
        None | Some(u64::MAX) => None,
        Some(nanos) => Some(clock::timespec(nanos)),
    }
}

fn as_ptr(deadline: &Option<libc::timespec>) -> *const libc::timespec {
    deadline.as_ref().map_or(ptr::null(), ptr::from_ref)
}

/// The kernel reads counts as `int` and refuses, or misreads, negative ones.
fn clamp(count: u32) -> u32 {
    count.min(i32::MAX as u32)
}

/// Sleeps on `word` while it holds `expected`, until a [`wake`] whose mask shares a bit with
/// `mask`, or `deadline`.
///
/// `Ok` means that a wake-up was consumed, maybe a stray one, maybe after the deadline.
///
/// | error       | when                                                 | the caller            |
/// |-------------|------------------------------------------------------|-----------------------|
/// | `EAGAIN`    | the word did not hold `expected`                     | looks at it again     |
/// | `ETIMEDOUT` | the deadline passed; no wake-up was consumed         | gives up              |
/// | `EINTR`     | a signal handler ran (see the module of this layer)  | waits again           |
/// | `EFAULT`    | nothing readable at `word`                           | has a bug             |
/// | `EINVAL`    | `word` is not a multiple of 4, or `mask` is 0        | has a bug             |
pub(crate) fn wait(
    word: *const u32,
    reach: Reach,
    expected: u32,
    mask: u32,
    deadline: Option<u64>,
) -> Result<(), Errno> {
    let op = libc::FUTEX_WAIT_BITSET | reach.flag();
    // SAFETY: this operation writes no memory.
    unsafe { futex(word, op, expected, Fourth::Deadline(deadline), ptr::null(), mask) }.map(drop)
}

/// Wakes up to `count` of those who sleep on `word` with a mask that shares a bit with `mask`, and
/// says how many.
///
/// Takes an address that may be dead: by then its waiters are gone, or sleep on something else and
/// bear a stray wake-up. A `count` of 0 is `Ok(0)` without asking the kernel, which would wake one.
///
/// | error       | when                                                 | the caller            |
/// |-------------|------------------------------------------------------|-----------------------|
/// | `EFAULT`    | shared: nothing mapped at `word`; private: not an    | ignores it where the  |
/// |             | address of user space                                | word may be freed     |
/// | `EINVAL`    | `word` is not a multiple of 4, or `mask` is 0        | has a bug             |
/// | `EINVAL`    | a PI waiter sleeps on `word`; those before it in the | has a bug, or the     |
/// |             | queue may have been woken                            | memory is used anew   |
pub(crate) fn wake(word: *const u32, reach: Reach, count: u32, mask: u32) -> Result<u32, Errno> {
    if count == 0 {
        return Ok(0);
    }
    let op = libc::FUTEX_WAKE_BITSET | reach.flag();
    // SAFETY: this operation writes no memory.
    unsafe { futex(word, op, clamp(count), Fourth::Count(0), ptr::null(), mask) }
}

/// Wakes up to `wake` of those who sleep on `from` and moves up to `requeue` more to `to`, whatever
/// their masks, which they keep. Returns how many it woke and moved together.
///
/// (futex(2) says that only the woken are counted. Linux counts both, as it does for
/// [`cmp_requeue`]; a test holds it to that.)
///
/// | error       | when                                                 | the caller            |
/// |-------------|------------------------------------------------------|-----------------------|
/// | `EFAULT`    | shared: nothing mapped at `from` or `to`; private:   | ignores it where the  |
/// |             | not an address of user space                         | words may be freed    |
/// | `EINVAL`    | an address is not a multiple of 4                    | has a bug             |
/// | `EINVAL`    | a PI waiter sleeps on `from`                         | as for [`wake`]       |
pub(crate) fn requeue(
    from: *const u32,
    reach: Reach,
    wake: u32,
    requeue: u32,
    to: *const u32,
) -> Result<u32, Errno> {
    let op = libc::FUTEX_REQUEUE | reach.flag();
    // SAFETY: this operation writes no memory.
    unsafe { futex(from, op, clamp(wake), Fourth::Count(requeue), to, 0) }
}

/// [`requeue`], if `from` still holds `expected`. The comparison and the moves are one step for
/// whoever waits on `from`.
///
/// | error       | when                                                 | the caller            |
/// |-------------|------------------------------------------------------|-----------------------|
/// | `EAGAIN`    | `from` did not hold `expected`; nobody was touched   | looks at it again     |
/// | `EFAULT`    | nothing readable at `from`; `to` as for [`requeue`]  | has a bug             |
/// | `EINVAL`    | as for [`requeue`]                                   | as for [`wake`]       |
#[cfg_attr(not(test), expect(dead_code, reason = "process-shared condition variables build on it"))]
pub(crate) fn cmp_requeue(
    from: *const u32,
    reach: Reach,
    expected: u32,
    wake: u32,
    requeue: u32,
    to: *const u32,
) -> Result<u32, Errno> {
    let op = libc::FUTEX_CMP_REQUEUE | reach.flag();
    // SAFETY: this operation writes no memory.
    unsafe { futex(from, op, clamp(wake), Fourth::Count(requeue), to, expected) }
}

/// Takes the PI lock at `word`, or waits for it, lending the caller's priority to its owner.
///
/// Call it when the word could not be moved from 0 to the caller's thread id. On `Ok` the caller
/// owns the lock: the word holds its id, with `FUTEX_WAITERS` if others may wait and with
/// `FUTEX_OWNER_DIED` if the owner before it died holding the lock while somebody waited. That the
/// kernel handed the lock over orders no memory for the compiler: an acquire fence is due.
///
/// | error       | when                                                 | the caller            |
/// |-------------|------------------------------------------------------|-----------------------|
/// | `ETIMEDOUT` | the deadline passed; `FUTEX_WAITERS` may stay set,   | gives up              |
/// |             | and makes the next unlock a system call              |                       |
/// | `EDEADLK`   | the caller owns it, or its owner waits, maybe        | reports it            |
/// |             | through others, for a lock of the caller             |                       |
/// | `ESRCH`     | the word names a thread that is gone                 | reports a dead owner  |
/// | `EPERM`     | the word names a kernel thread or, private, a thread | reports it: a lock    |
/// |             | of another process                                   | held across `fork`    |
/// | `EINVAL`    | not a multiple of 4, a plain waiter on the word, or  | has a bug, or a       |
/// |             | a word that contradicts the kernel's own state       | corrupt word          |
/// | `EFAULT`    | nothing writable at `word`                           | has a bug             |
/// | `ENOMEM`    | no memory for the kernel's half of the lock          | reports it            |
/// | `ENOSYS`    | before Linux 5.14, or a kernel without PI futexes    | falls back or reports |
///
/// Neither `EINTR` nor `EAGAIN`: the kernel restarts for a signal, and itself waits out an owner
/// that is about to exit.
///
/// # Safety
///
/// `word` belongs to a PI lock, or is not mapped writable: the kernel may change it at any time
/// from now until nobody owns the lock or waits for it.
#[cfg_attr(not(test), expect(dead_code, reason = "`PiMutex` builds on it"))]
pub(crate) unsafe fn lock_pi2(
    word: *const u32,
    reach: Reach,
    deadline: Option<u64>,
) -> Result<(), Errno> {
    let op = libc::FUTEX_LOCK_PI2 | reach.flag();
    // SAFETY: the kernel writes `word` alone, as the caller allows.
    unsafe { futex(word, op, 0, Fourth::Deadline(deadline), ptr::null(), 0) }.map(drop)
}

/// Takes the PI lock at `word` if nobody owns it, also where the word still names a dead owner
/// whose death the kernel has seen (`FUTEX_OWNER_DIED`). Never waits.
///
/// On `Ok`, and for the errors not listed here, as for [`lock_pi2`].
///
/// | error       | when                                                 | the caller            |
/// |-------------|------------------------------------------------------|-----------------------|
/// | `EAGAIN`    | somebody else owns the lock                          | gives up              |
/// | `ETIMEDOUT` | never                                                |                       |
/// | `ENOSYS`    | a kernel without PI futexes                          | reports it            |
///
/// # Safety
///
/// As for [`lock_pi2`].
#[cfg_attr(not(test), expect(dead_code, reason = "`PiMutex` builds on it"))]
pub(crate) unsafe fn trylock_pi(word: *const u32, reach: Reach) -> Result<(), Errno> {
    let op = libc::FUTEX_TRYLOCK_PI | reach.flag();
    // SAFETY: the kernel writes `word` alone, as the caller allows.
    unsafe { futex(word, op, 0, Fourth::Count(0), ptr::null(), 0) }.map(drop)
}

/// Releases the PI lock at `word`, handing it to the waiter of highest priority if there is one.
///
/// Call it when the word could not be moved from the caller's thread id to 0.
///
/// | error       | when                                                 | the caller            |
/// |-------------|------------------------------------------------------|-----------------------|
/// | `EPERM`     | the word does not name the caller                    | has a bug, or is the  |
/// |             |                                                      | child of a `fork`     |
/// | `EINVAL`    | not a multiple of 4, a plain waiter on the word, or  | has a bug, or a       |
/// |             | a word that contradicts the kernel's own state       | corrupt word          |
/// | `EFAULT`    | nothing writable at `word`                           | has a bug             |
/// | `ENOSYS`    | a kernel without PI futexes                          | reports it            |
///
/// # Safety
///
/// As for [`lock_pi2`].
#[cfg_attr(not(test), expect(dead_code, reason = "`PiMutex` builds on it"))]
pub(crate) unsafe fn unlock_pi(word: *const u32, reach: Reach) -> Result<(), Errno> {
    let op = libc::FUTEX_UNLOCK_PI | reach.flag();
    // SAFETY: the kernel writes `word` alone, as the caller allows.
    unsafe { futex(word, op, 0, Fourth::Count(0), ptr::null(), 0) }.map(drop)
}

/// Sleeps on `from` while it holds `expected`, to be moved by [`cmp_requeue_pi`] onto the PI lock
/// at `to`, and returns `Ok` as the owner of that lock. What [`lock_pi2`] says of `Ok` holds.
///
/// No plain [`wake`] reaches this waiter: it fails with `EINVAL`.
///
/// | error       | when                                                 | the caller            |
/// |-------------|------------------------------------------------------|-----------------------|
/// | `EAGAIN`    | `from` did not hold `expected`; or a signal came     | does *not* own the    |
/// |             | after the move                                       | lock: takes it        |
/// | `ETIMEDOUT` | the deadline passed, before the move or after it     | does *not* own the    |
/// |             |                                                      | lock: takes it        |
/// | `EINVAL`    | an address is not a multiple of 4, or `from` is `to` | has a bug             |
/// | `EDEADLK`   | after the move, waiting would have closed a cycle    | does *not* own the    |
/// |             | of owners                                            | lock: reports it      |
/// | `EFAULT`    | nothing readable at `from`; shared: nothing writable | has a bug             |
/// |             | at `to`                                              |                       |
/// | `ENOSYS`    | a kernel without PI futexes                          | reports it            |
///
/// Not `EINTR`: a signal before the move restarts the wait.
///
/// # Safety
///
/// `to` is as for [`lock_pi2`].
#[cfg_attr(not(test), expect(dead_code, reason = "`PiCondvar` builds on it"))]
pub(crate) unsafe fn wait_requeue_pi(
    from: *const u32,
    reach: Reach,
    expected: u32,
    deadline: Option<u64>,
    to: *const u32,
) -> Result<(), Errno> {
    let op = libc::FUTEX_WAIT_REQUEUE_PI | reach.flag();
    // SAFETY: the kernel writes `to` alone, as the caller allows.
    unsafe { futex(from, op, expected, Fourth::Deadline(deadline), to, ANY) }.map(drop)
}

/// If `from` holds `expected`, gives the PI lock at `to` to the first who waits on `from` in
/// [`wait_requeue_pi`], and wakes it, or queues it there if the lock is taken. Moves up to
/// `requeue` more onto the lock's queue. Returns how many it woke and moved together.
///
/// (The kernel also takes a count of threads to wake, and insists that it be 1.)
///
/// | error       | when                                                 | the caller            |
/// |-------------|------------------------------------------------------|-----------------------|
/// | `EAGAIN`    | `from` did not hold `expected`; nobody was touched   | looks at it again     |
/// | `EINVAL`    | an address is not a multiple of 4, or `from` is `to` | has a bug             |
/// | `EINVAL`    | somebody waits on `from` otherwise than in           | has a bug             |
/// |             | [`wait_requeue_pi`], or for another lock than `to`   |                       |
/// | `EINVAL`    | a plain waiter on `to`, or a word at `to` that       | has a bug, or a       |
/// |             | contradicts the kernel's own state                   | corrupt word          |
/// | `EDEADLK`   | the waiter owns the lock at `to`, or waiting would   | reports it            |
/// |             | close a cycle of owners                              |                       |
/// | `ESRCH`     | `to` names a thread that is gone                     | reports a dead owner  |
/// | `EPERM`     | as for [`lock_pi2`]                                  | reports it            |
/// | `EFAULT`    | nothing readable at `from`, nothing writable at `to` | has a bug, or nobody  |
/// |             |                                                      | waits and `to` is old |
/// | `ENOMEM`    | no memory for the kernel's half of the lock          | reports it            |
/// | `ENOSYS`    | a kernel without PI futexes                          | reports it            |
///
/// # Safety
///
/// If anybody waits on `from`, `to` is as for [`lock_pi2`].
#[cfg_attr(not(test), expect(dead_code, reason = "`PiCondvar` builds on it"))]
pub(crate) unsafe fn cmp_requeue_pi(
    from: *const u32,
    reach: Reach,
    expected: u32,
    requeue: u32,
    to: *const u32,
) -> Result<u32, Errno> {
    let op = libc::FUTEX_CMP_REQUEUE_PI | reach.flag();
    // SAFETY: the kernel writes `to` alone, and only for a waiter on `from`, as the caller allows.
    unsafe { futex(from, op, 1, Fourth::Count(requeue), to, expected) }
}

/// One word of a [`waitv`], with the value that it must hold: the kernel's `struct futex_waitv`.
///
/// Written out here because the oldest libc that the crate accepts does not have it, nor the flag.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Waiter {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

// The layout is the kernel's ABI: no padding, on any architecture.
const _: () = assert!(size_of::<Waiter>() == 24);

/// `FUTEX2_SIZE_U32`: the words are four bytes long.
const SIZE_U32: u32 = 2;

impl Waiter {
    /// Sleep while `word` holds `expected`.
    #[cfg_attr(not(test), expect(dead_code, reason = "`wait_any` builds on it"))]
    pub(crate) fn new(word: *const u32, reach: Reach, expected: u32) -> Self {
        Self {
            value: u64::from(expected),
            address: word.expose_provenance() as u64,
            flags: SIZE_U32 | reach.flag() as u32,
            reserved: 0,
        }
    }
}

/// Sleeps until one of up to 128 words is woken, and returns the index of one that was.
///
/// The index is a hint: several words may have been woken, and of their wake-ups, all consumed,
/// one is reported. Whoever does not take what the others announce must wake again for them. Any
/// mask of a [`wake`] reaches this waiter. A word may appear more than once. A waiter that a
/// [`requeue`] moved reports the index it had.
///
/// | error       | when                                                 | the caller            |
/// |-------------|------------------------------------------------------|-----------------------|
/// | `EAGAIN`    | some word did not hold its expected value, and none  | looks at all of them  |
/// |             | was woken meanwhile                                  |                       |
/// | `ETIMEDOUT` | the deadline passed; no wake-up was consumed         | gives up              |
/// | `EINTR`     | a signal handler without `SA_RESTART` ran            | waits again           |
/// | `EINVAL`    | no entry, more than 128 entries, or an address that  | has a bug             |
/// |             | is not a multiple of 4                               |                       |
/// | `EFAULT`    | nothing readable at some word                        | has a bug             |
/// | `ENOMEM`    | no memory for the kernel's copy of the list          | reports it            |
/// | `ENOSYS`    | before Linux 5.16                                    | falls back            |
/// | `EPERM`     | a seccomp filter that does not know the call         | falls back            |
#[cfg_attr(not(test), expect(dead_code, reason = "`wait_any` builds on it"))]
pub(crate) fn waitv(waiters: &[Waiter], deadline: Option<u64>) -> Result<usize, Errno> {
    let count = u32::try_from(waiters.len()).unwrap_or(u32::MAX);
    let deadline = timespec(deadline);
    // SAFETY: list and deadline outlive the call, which only reads them; `Waiter` is laid out as
    // the kernel's entry. The kernel checks each address in the list and only reads there.
    let result = errno::call(-1, || unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            waiters.as_ptr(),
            count,
            0_u32,
            as_ptr(&deadline),
            libc::CLOCK_MONOTONIC,
        )
    });
    result.map(|index| index as usize) // not negative: an index into `waiters`
}
