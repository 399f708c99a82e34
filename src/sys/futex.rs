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

/// The bits of a PI word: somebody waits in the kernel; the owner before died; and the owner's id.
#[cfg(feature = "std")]
pub(crate) const WAITERS: u32 = libc::FUTEX_WAITERS;
#[cfg(feature = "std")]
pub(crate) const OWNER_DIED: u32 = libc::FUTEX_OWNER_DIED;
#[cfg(feature = "std")]
pub(crate) const OWNER: u32 = libc::FUTEX_TID_MASK;

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
#[cfg_attr(not(feature = "std"), allow(dead_code, reason = "only `PiMutex` builds on it"))]
pub(crate) unsafe fn lock_pi2(
    word: *const u32,
    reach: Reach,
    deadline: Option<u64>,
) -> Result<(), Errno> {
    let op = libc::FUTEX_LOCK_PI2 | reach.flag();
    // SAFETY: the kernel writes `word` alone, as the caller allows.
    unsafe { futex(word, op, 0, Fourth::Deadline(deadline), ptr::null(), 0) }.map(drop)
}

/// As [`lock_pi2`], with a deadline on `CLOCK_REALTIME`, in nanoseconds since 1970: what kernels
/// before 5.14 have. Without a deadline there is no clock in it, and the two do the same.
///
/// Whoever sets that clock while the call sleeps moves the deadline: after `ETIMEDOUT` the caller
/// looks at its own clock. The errors are those of [`lock_pi2`]; `ENOSYS` means that the kernel has
/// no PI futexes at all.
///
/// # Safety
///
/// As for [`lock_pi2`].
#[cfg_attr(not(feature = "std"), allow(dead_code, reason = "only `PiMutex` builds on it"))]
pub(crate) unsafe fn lock_pi(
    word: *const u32,
    reach: Reach,
    realtime: Option<u64>,
) -> Result<(), Errno> {
    let op = libc::FUTEX_LOCK_PI | reach.flag();
    // SAFETY: the kernel writes `word` alone, as the caller allows.
    unsafe { futex(word, op, 0, Fourth::Deadline(realtime), ptr::null(), 0) }.map(drop)
}

/// Takes the PI lock at `word` if nobody owns it, also where `FUTEX_OWNER_DIED` is all that a dead
/// owner left of the word. Never waits.
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
#[cfg_attr(not(test), expect(dead_code, reason = "`try_lock` sets no `FUTEX_WAITERS`"))]
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
#[cfg_attr(not(feature = "std"), allow(dead_code, reason = "only `PiMutex` builds on it"))]
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
/// | `EFAULT`    | nothing readable at `from`; shared: nothing writable | has a bug             |
/// |             | at `to`                                              |                       |
/// | `ENOSYS`    | a kernel without PI futexes                          | reports it            |
///
/// Not `EINTR`: a signal before the move restarts the wait.
///
/// # Safety
///
/// `to` is as for [`lock_pi2`].
#[cfg_attr(not(feature = "std"), allow(dead_code, reason = "only `PiCondvar` builds on it"))]
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
#[cfg_attr(not(feature = "std"), allow(dead_code, reason = "only `PiCondvar` builds on it"))]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// The most words that one [`waitv`] takes.
pub(crate) const WAITV_MAX: usize = 128;

impl Waiter {
    /// No word. Fills lists up; the kernel refuses it.
    pub(crate) const NONE: Self = Self { value: 0, address: 0, flags: SIZE_U32, reserved: 0 };

    /// Sleep while `word` holds `expected`.
    pub(crate) fn new(word: *const u32, reach: Reach, expected: u32) -> Self {
        Self {
            value: u64::from(expected),
            address: word.expose_provenance() as u64,
            flags: SIZE_U32 | reach.flag() as u32,
            reserved: 0,
        }
    }

    /// The value that the word must hold.
    pub(crate) fn expected(&self) -> u32 {
        self.value as u32
    }

    /// Sleeps on this word alone: [`wait`].
    pub(crate) fn wait(&self, deadline: Option<u64>) -> Result<(), Errno> {
        let private = self.flags & Reach::Private.flag() as u32 != 0;
        let reach = if private { Reach::Private } else { Reach::Shared };
        let word = ptr::with_exposed_provenance(self.address as usize);
        wait(word, reach, self.expected(), ANY, deadline)
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
/// | `EPERM`,    | a seccomp filter that does not know the call         | falls back            |
/// | `EACCES`    |                                                      |                       |
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

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;
    use std::{format, fs, thread};

    use super::super::testing::{
        Page, Sleeper, UNTOUCHED, Watchdog, Word, forbid, fork, get_errno, in_child, say,
        set_errno, wake_all,
    };
    use super::super::thread::tid;
    use super::Reach::{Private, Shared};
    use super::*;

    /// Past every clock, and a deadline all the same: `u64::MAX` would be none.
    const FAR: Option<u64> = Some(u64::MAX - 1);
    /// Passed when the machine started.
    const PAST: Option<u64> = Some(0);
    /// An owner that cannot exist: above the kernel's limit on thread ids, 2^22.
    const NOBODY: u32 = libc::FUTEX_TID_MASK - 1;

    const REACHES: [Reach; 2] = [Private, Shared];

    /// User space, but never mapped: the kernel keeps the lowest pages free.
    const NOWHERE: *const u32 = ptr::without_provenance(4);
    /// Aligned, and not in user space.
    const OUTSIDE: *const u32 = ptr::without_provenance(usize::MAX & !3);

    fn misaligned(word: &Word) -> *const u32 {
        word.at().wrapping_byte_add(1)
    }

    fn in_millis(millis: u64) -> Option<u64> {
        Some(clock::monotonic_nanos() + millis * 1_000_000)
    }

    /// The PI operations as safe functions. The tests pass them either a `Word`, which expects the
    /// kernel's writes, or an address where nothing can be written.
    mod pi {
        use super::*;

        pub(super) fn lock(word: *const u32, deadline: Option<u64>) -> Result<(), Errno> {
            // SAFETY: see the module.
            unsafe { lock_pi2(word, Private, deadline) }
        }

        pub(super) fn try_lock(word: *const u32) -> Result<(), Errno> {
            // SAFETY: see the module.
            unsafe { trylock_pi(word, Private) }
        }

        pub(super) fn unlock(word: *const u32) -> Result<(), Errno> {
            // SAFETY: see the module.
            unsafe { unlock_pi(word, Private) }
        }

        pub(super) fn wait(
            from: *const u32,
            expected: u32,
            deadline: Option<u64>,
            to: *const u32,
        ) -> Result<(), Errno> {
            // SAFETY: see the module.
            unsafe { wait_requeue_pi(from, Private, expected, deadline, to) }
        }

        pub(super) fn move_to(
            from: *const u32,
            expected: u32,
            requeue: u32,
            to: *const u32,
        ) -> Result<u32, Errno> {
            // SAFETY: see the module.
            unsafe { cmp_requeue_pi(from, Private, expected, requeue, to) }
        }

        /// False, with a line that says so, where the kernel lacks what these tests are about.
        pub(super) fn supported() -> bool {
            let word = Word::new(0);
            if lock(word.at(), None) == Err(Errno::NO_SYS) {
                say("SKIP no FUTEX_LOCK_PI2 in this kernel");
                return false;
            }
            true
        }
    }

    fn waitv_supported() -> bool {
        let missing = matches!(waitv(&[], None), Err(Errno::NO_SYS | Errno::PERM));
        if missing {
            say("SKIP no futex_waitv in this kernel, or a filter forbids it");
        }
        !missing
    }

    /// A thread that waits on `word`, which holds 0.
    fn waiter(word: &Word, mask: u32, deadline: Option<u64>) -> Sleeper<Result<(), Errno>> {
        let theirs = word.clone();
        Sleeper::start(Some(word), move || wait(theirs.at(), Private, 0, mask, deadline))
    }

    /// A thread that waits for the PI lock at `word`, which somebody holds.
    fn locker(word: &Word, deadline: Option<u64>) -> Sleeper<Result<(), Errno>> {
        let theirs = word.clone();
        Sleeper::start(Some(word), move || {
            pi::lock(theirs.at(), deadline)?;
            pi::unlock(theirs.at()) // EPERM unless it owns the lock
        })
    }

    /// A thread that waits on `from`, which holds 0, to be given the PI lock at `to`.
    fn pi_waiter(from: &Word, deadline: Option<u64>, to: &Word) -> Sleeper<Result<(), Errno>> {
        let (theirs, lock) = (from.clone(), to.clone());
        Sleeper::start(Some(from), move || {
            pi::wait(theirs.at(), 0, deadline, lock.at())?;
            pi::unlock(lock.at()) // EPERM unless it owns the lock
        })
    }

    fn owner(word: &Word) -> u32 {
        word.get() & libc::FUTEX_TID_MASK
    }

    // ---- wait and wake

    #[test]
    fn wait_on_a_changed_word_is_eagain() {
        let word = Word::new(1);
        for reach in REACHES {
            for deadline in [None, PAST, FAR, Some(u64::MAX)] {
                assert_eq!(wait(word.at(), reach, 0, ANY, deadline), Err(Errno::AGAIN));
            }
        }
    }

    #[test]
    fn wait_until_a_past_deadline_is_etimedout() {
        let word = Word::new(0);
        for reach in REACHES {
            for deadline in [0, 1, clock::monotonic_nanos()] {
                let result = wait(word.at(), reach, 0, ANY, Some(deadline));
                assert_eq!(result, Err(Errno::TIMED_OUT));
            }
        }
    }

    #[test]
    fn wait_never_times_out_before_its_deadline() {
        let _watchdog = Watchdog::start();
        let word = Word::new(0);
        for nanos in [1, 1_000, 3_000_000] {
            let deadline = clock::monotonic_nanos() + nanos;
            assert_eq!(wait(word.at(), Private, 0, ANY, Some(deadline)), Err(Errno::TIMED_OUT));
            assert!(clock::monotonic_nanos() >= deadline);
        }
    }

    #[test]
    fn wait_with_a_far_or_no_deadline_sleeps_until_it_is_woken() {
        let _watchdog = Watchdog::start();
        for deadline in [None, Some(u64::MAX), FAR, Some(i64::MAX as u64)] {
            let word = Word::new(0);
            let waiter = waiter(&word, ANY, deadline);
            wake_all(&word, 1);
            assert_eq!(waiter.join(), Ok(()));
        }
    }

    #[test]
    fn wake_wakes_as_many_as_asked_and_says_how_many() {
        let _watchdog = Watchdog::start();
        let word = Word::new(0);
        let waiters: Vec<_> = (0..5).map(|_| waiter(&word, ANY, None)).collect();
        assert_eq!(wake(word.at(), Private, 0, ANY), Ok(0));
        waiters.iter().for_each(Sleeper::assert_asleep); // the kernel would wake one for 0
        assert_eq!(wake(word.at(), Private, 1, ANY), Ok(1));
        assert_eq!(wake(word.at(), Private, 2, ANY), Ok(2));
        wake_all(&word, 2);
        wake_all(&word, 0);
        for waiter in waiters {
            assert_eq!(waiter.join(), Ok(()));
        }
    }

    #[test]
    fn wake_reaches_the_classes_in_its_mask_and_no_other() {
        let _watchdog = Watchdog::start();
        let word = Word::new(0);
        let [one, two, both, top] = [0b01, 0b10, 0b11, 1 << 31].map(|m| waiter(&word, m, None));
        assert_eq!(wake(word.at(), Private, u32::MAX, 0b100), Ok(0));
        assert_eq!(wake(word.at(), Private, u32::MAX, 0b10), Ok(2));
        assert_eq!((two.join(), both.join()), (Ok(()), Ok(())));
        one.assert_asleep();
        top.assert_asleep();
        assert_eq!(wake(word.at(), Private, u32::MAX, 1 << 31), Ok(1));
        assert_eq!(top.join(), Ok(()));
        one.assert_asleep();
        wake_all(&word, 1);
        assert_eq!(one.join(), Ok(()));
    }

    #[test]
    fn private_and_shared_do_not_meet() {
        let _watchdog = Watchdog::start();
        for (reach, other) in [(Private, Shared), (Shared, Private)] {
            let word = Word::new(0);
            let theirs = word.clone();
            let waiter =
                Sleeper::start(Some(&word), move || wait(theirs.at(), reach, 0, ANY, None));
            assert_eq!(wake(word.at(), other, 1, ANY), Ok(0));
            waiter.assert_asleep();
            assert_eq!(wake(word.at(), reach, 1, ANY), Ok(1));
            assert_eq!(waiter.join(), Ok(()));
        }
    }

    #[test]
    fn shared_meets_at_the_memory_private_at_the_address() {
        let _watchdog = Watchdog::start();
        // SAFETY: the name is a C string; the descriptor is closed below.
        let file = unsafe { libc::memfd_create(c"futex".as_ptr(), libc::MFD_CLOEXEC) };
        if file < 0 {
            return say("SKIP no memfd_create here");
        }
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::ftruncate(file, Page::SIZE as libc::off_t) }, 0);
        let (here, there) = (Page::of_file(file), Page::of_file(file));
        // SAFETY: the descriptor is this test's own; the mappings do not need it.
        assert_eq!(unsafe { libc::close(file) }, 0);
        for (reach, woken) in [(Shared, 1), (Private, 0)] {
            let address = here.at().addr();
            let waiter = Sleeper::start_at(Some(here.at()), move || {
                wait(ptr::without_provenance(address), reach, 0, ANY, None)
            });
            assert_eq!(wake(there.at(), reach, 1, ANY), Ok(woken));
            assert_eq!(wake(here.at(), reach, 1, ANY), Ok(1 - woken));
            assert_eq!(waiter.join(), Ok(()));
        }
    }

    #[test]
    fn an_empty_mask_is_einval() {
        let word = Word::new(0);
        for reach in REACHES {
            assert_eq!(wait(word.at(), reach, 0, 0, PAST), Err(Errno::INVAL));
            assert_eq!(wake(word.at(), reach, 1, 0), Err(Errno::INVAL));
        }
    }

    // ---- addresses

    #[test]
    fn a_misaligned_address_is_einval_everywhere() {
        let (word, zero) = (Word::new(0), Word::new(0));
        let odd = misaligned(&word);
        for reach in REACHES {
            assert_eq!(wait(odd, reach, 0, ANY, PAST), Err(Errno::INVAL));
            assert_eq!(wake(odd, reach, 1, ANY), Err(Errno::INVAL));
            assert_eq!(requeue(odd, reach, 1, 1, zero.at()), Err(Errno::INVAL));
            assert_eq!(requeue(zero.at(), reach, 1, 1, odd), Err(Errno::INVAL));
            assert_eq!(cmp_requeue(odd, reach, 0, 1, 1, zero.at()), Err(Errno::INVAL));
            assert_eq!(cmp_requeue(zero.at(), reach, 0, 1, 1, odd), Err(Errno::INVAL));
        }
        if pi::supported() {
            assert_eq!(pi::lock(odd, PAST), Err(Errno::INVAL));
            assert_eq!(pi::try_lock(odd), Err(Errno::INVAL));
            // The kernel looks at the owner first, and here there is none.
            assert_eq!(pi::unlock(odd), Err(Errno::PERM));
            assert_eq!(pi::wait(odd, 0, PAST, zero.at()), Err(Errno::INVAL));
            assert_eq!(pi::wait(zero.at(), 0, PAST, odd), Err(Errno::INVAL));
            assert_eq!(pi::move_to(odd, 0, 0, zero.at()), Err(Errno::INVAL));
            assert_eq!(pi::move_to(zero.at(), 0, 0, odd), Err(Errno::INVAL));
        }
        if waitv_supported() {
            let waiters = [Waiter::new(zero.at(), Private, 0), Waiter::new(odd, Private, 0)];
            assert_eq!(waitv(&waiters, PAST), Err(Errno::INVAL));
        }
        assert_eq!((word.get(), zero.get()), (0, 0), "nobody wrote anything");
    }

    #[test]
    fn memory_that_cannot_be_read_is_efault_for_what_compares() {
        let hidden = Page::anonymous(libc::PROT_NONE);
        let word = Word::new(0);
        for bad in [NOWHERE, OUTSIDE, hidden.at()] {
            for reach in REACHES {
                assert_eq!(wait(bad, reach, 0, ANY, PAST), Err(Errno::FAULT));
                assert_eq!(cmp_requeue(bad, reach, 0, 1, 1, word.at()), Err(Errno::FAULT));
            }
        }
        if !waitv_supported() {
            return;
        }
        for bad in [NOWHERE, OUTSIDE, hidden.at()] {
            for reach in REACHES {
                let waiters = [Waiter::new(word.at(), reach, 0), Waiter::new(bad, reach, 0)];
                assert_eq!(waitv(&waiters, PAST), Err(Errno::FAULT));
            }
        }
    }

    #[test]
    fn a_private_wake_needs_nothing_mapped_and_a_shared_one_does() {
        let hidden = Page::anonymous(libc::PROT_NONE);
        let word = Word::new(0);
        for dead in [NOWHERE, hidden.at()] {
            assert_eq!(wake(dead, Private, 1, ANY), Ok(0));
            assert_eq!(requeue(dead, Private, 1, 1, word.at()), Ok(0));
            assert_eq!(requeue(word.at(), Private, 1, 1, dead), Ok(0));
            assert_eq!(cmp_requeue(word.at(), Private, 0, 1, 1, dead), Ok(0));
            assert_eq!(wake(dead, Shared, 1, ANY), Err(Errno::FAULT));
            assert_eq!(requeue(dead, Shared, 1, 1, word.at()), Err(Errno::FAULT));
            assert_eq!(requeue(word.at(), Shared, 1, 1, dead), Err(Errno::FAULT));
            assert_eq!(cmp_requeue(word.at(), Shared, 0, 1, 1, dead), Err(Errno::FAULT));
        }
        for reach in REACHES {
            assert_eq!(wake(OUTSIDE, reach, 1, ANY), Err(Errno::FAULT));
            assert_eq!(requeue(OUTSIDE, reach, 1, 1, word.at()), Err(Errno::FAULT));
            assert_eq!(requeue(word.at(), reach, 1, 1, OUTSIDE), Err(Errno::FAULT));
        }
    }

    #[test]
    fn memory_that_cannot_be_written_is_efault_for_pi() {
        if !pi::supported() {
            return;
        }
        let word = Word::new(0);
        let pages = [Page::anonymous(libc::PROT_NONE), Page::anonymous(libc::PROT_READ)];
        for bad in [NOWHERE, OUTSIDE, pages[0].at(), pages[1].at()] {
            assert_eq!(pi::lock(bad, PAST), Err(Errno::FAULT));
            assert_eq!(pi::try_lock(bad), Err(Errno::FAULT));
        }
        for bad in [NOWHERE, OUTSIDE, pages[0].at()] {
            assert_eq!(pi::unlock(bad), Err(Errno::FAULT));
            assert_eq!(pi::wait(bad, 0, PAST, word.at()), Err(Errno::FAULT));
            assert_eq!(pi::move_to(bad, 0, 0, word.at()), Err(Errno::FAULT));
            // Even though nobody waits.
            assert_eq!(pi::move_to(word.at(), 0, 0, bad), Err(Errno::FAULT));
        }
        assert_eq!(pi::wait(word.at(), 0, PAST, OUTSIDE), Err(Errno::FAULT));
        assert_eq!(pi::wait(word.at(), 0, PAST, NOWHERE), Err(Errno::TIMED_OUT), "not looked at");
        // SAFETY: nothing is mapped at the target.
        let shared = unsafe { wait_requeue_pi(word.at(), Shared, 0, PAST, NOWHERE) };
        assert_eq!(shared, Err(Errno::FAULT));
    }

    #[test]
    fn failing_calls_leave_the_thread_s_errno() {
        let word = Word::new(1);
        let at = word.at();
        set_errno();
        assert_eq!(wait(at, Private, 0, ANY, None), Err(Errno::AGAIN));
        assert_eq!(get_errno(), UNTOUCHED);
        assert_eq!(wait(at, Private, 1, ANY, PAST), Err(Errno::TIMED_OUT));
        assert_eq!(get_errno(), UNTOUCHED);
        assert_eq!(wake(OUTSIDE, Private, 1, ANY), Err(Errno::FAULT));
        assert_eq!(get_errno(), UNTOUCHED);
        assert_eq!(cmp_requeue(at, Private, 0, 1, 1, at), Err(Errno::AGAIN));
        assert_eq!(get_errno(), UNTOUCHED);
        assert!(pi::unlock(at).is_err());
        assert_eq!(get_errno(), UNTOUCHED);
        assert!(waitv(&[], None).is_err());
        assert_eq!(get_errno(), UNTOUCHED);
        assert_eq!(wake(at, Private, 1, ANY), Ok(0));
        assert_eq!(get_errno(), UNTOUCHED);
    }

    // ---- requeue

    #[test]
    fn requeue_counts_the_woken_and_the_moved_and_moves_no_more() {
        let _watchdog = Watchdog::start();
        let (from, to) = (Word::new(0), Word::new(7));
        let waiters: Vec<_> = (0..5).map(|_| waiter(&from, ANY, None)).collect();
        assert_eq!(requeue(from.at(), Private, 0, 0, to.at()), Ok(0));
        assert_eq!(requeue(from.at(), Private, 1, 2, to.at()), Ok(3));
        wake_all(&to, 2);
        assert_eq!(requeue(from.at(), Private, 0, u32::MAX, to.at()), Ok(2));
        wake_all(&from, 0);
        wake_all(&to, 2);
        for waiter in waiters {
            assert_eq!(waiter.join(), Ok(()));
        }
        assert_eq!((from.get(), to.get()), (0, 7), "the value at the target does not matter");
    }

    #[test]
    fn requeue_with_the_largest_counts_is_not_negative() {
        let _watchdog = Watchdog::start();
        let (from, to) = (Word::new(0), Word::new(0));
        let waiters: Vec<_> = (0..2).map(|_| waiter(&from, ANY, None)).collect();
        assert_eq!(requeue(from.at(), Private, u32::MAX, u32::MAX, to.at()), Ok(2));
        wake_all(&to, 0); // all were woken
        for waiter in waiters {
            assert_eq!(waiter.join(), Ok(()));
        }
    }

    #[test]
    fn a_moved_waiter_keeps_its_mask_and_its_deadline() {
        let _watchdog = Watchdog::start();
        let (from, to) = (Word::new(0), Word::new(0));
        let masked = waiter(&from, 0b10, None);
        assert_eq!(requeue(from.at(), Private, 0, 1, to.at()), Ok(1));
        assert_eq!(wake(to.at(), Private, 1, 0b01), Ok(0));
        masked.assert_asleep();
        assert_eq!(wake(to.at(), Private, 1, 0b10), Ok(1));
        assert_eq!(masked.join(), Ok(()));

        // The deadline may come before the move on a slow machine: then try again with more time.
        let mut millis = 20;
        loop {
            let theirs = from.clone();
            let deadline = in_millis(millis);
            let timed = thread::spawn(move || wait(theirs.at(), Private, 0, ANY, deadline));
            let moved = loop {
                match requeue(from.at(), Private, 0, 1, to.at()) {
                    Ok(0) if !timed.is_finished() => thread::yield_now(),
                    result => break result,
                }
            };
            assert_eq!(timed.join().expect("it does not panic"), Err(Errno::TIMED_OUT));
            if moved == Ok(1) {
                break wake_all(&to, 0);
            }
            millis *= 2;
        }
    }

    #[test]
    fn requeue_with_shared_reach_moves_shared_waiters() {
        let _watchdog = Watchdog::start();
        let (from, to) = (Word::new(0), Word::new(0));
        let theirs = from.clone();
        let waiter = Sleeper::start(Some(&from), move || wait(theirs.at(), Shared, 0, ANY, None));
        assert_eq!(requeue(from.at(), Private, 0, 1, to.at()), Ok(0));
        assert_eq!(requeue(from.at(), Shared, 0, 1, to.at()), Ok(1));
        assert_eq!(wake(from.at(), Shared, 1, ANY), Ok(0));
        assert_eq!(wake(to.at(), Shared, 1, ANY), Ok(1));
        assert_eq!(waiter.join(), Ok(()));
    }

    #[test]
    fn cmp_requeue_on_a_changed_word_is_eagain_and_touches_nobody() {
        let _watchdog = Watchdog::start();
        let (from, to) = (Word::new(0), Word::new(0));
        let waiters: Vec<_> = (0..3).map(|_| waiter(&from, ANY, None)).collect();
        for reach in REACHES {
            let result = cmp_requeue(from.at(), reach, 1, u32::MAX, u32::MAX, to.at());
            assert_eq!(result, Err(Errno::AGAIN));
        }
        waiters.iter().for_each(Sleeper::assert_asleep);
        assert_eq!(cmp_requeue(from.at(), Private, 0, 1, u32::MAX, to.at()), Ok(3));
        wake_all(&from, 0);
        wake_all(&to, 2);
        for waiter in waiters {
            assert_eq!(waiter.join(), Ok(()));
        }
    }

    // ---- PI locks

    #[test]
    fn a_pi_lock_is_taken_and_released_by_the_kernel() {
        if !pi::supported() {
            return;
        }
        for reach in REACHES {
            let word = Word::new(0);
            // SAFETY: the word expects the kernel's writes.
            unsafe {
                assert_eq!(lock_pi2(word.at(), reach, PAST), Ok(()), "it need not wait");
                assert_eq!(word.get(), tid());
                assert_eq!(unlock_pi(word.at(), reach), Ok(()));
                assert_eq!(word.get(), 0);
                assert_eq!(trylock_pi(word.at(), reach), Ok(()));
                assert_eq!(word.get(), tid());
                assert_eq!(unlock_pi(word.at(), reach), Ok(()));
                assert_eq!(word.get(), 0);
            }
        }
    }

    /// The older call: without a deadline, with one on the other clock, and where a kernel does not
    /// have the newer one.
    #[test]
    fn lock_pi_takes_its_deadline_on_the_clock_of_the_day() {
        let _watchdog = Watchdog::start();
        if !pi::supported() {
            return;
        }
        // SAFETY: a `Word` expects the kernel's writes.
        let lock = |word: &Word, until| unsafe { lock_pi(word.at(), Private, until) };
        let word = Word::new(0);
        assert_eq!(lock(&word, None), Ok(()));
        let theirs = word.clone();
        let started = clock::monotonic_nanos();
        let late = thread::spawn(move || {
            // SAFETY: as above.
            let lock = |until| unsafe { lock_pi(theirs.at(), Private, until) };
            (lock(PAST), lock(Some(clock::realtime_nanos() + 5_000_000)))
        });
        let timed_out = Err(Errno::TIMED_OUT);
        assert_eq!(late.join().expect("it does not panic"), (timed_out, timed_out));
        assert!(clock::monotonic_nanos() - started >= 4_000_000);
        assert_eq!(pi::unlock(word.at()), Ok(()));
        assert_eq!(word.get(), 0);
    }

    #[test]
    fn a_word_that_a_dead_owner_left_is_taken_with_its_mark() {
        if !pi::supported() {
            return;
        }
        for take in [pi::try_lock, |word| pi::lock(word, PAST)] {
            let word = Word::new(libc::FUTEX_OWNER_DIED);
            assert_eq!(take(word.at()), Ok(()));
            assert_eq!(word.get(), tid() | libc::FUTEX_OWNER_DIED);
            assert_eq!(pi::unlock(word.at()), Ok(()));
            assert_eq!(word.get(), 0);
        }
    }

    #[test]
    fn relocking_is_edeadlk() {
        if !pi::supported() {
            return;
        }
        let word = Word::new(tid());
        assert_eq!(pi::lock(word.at(), None), Err(Errno::DEADLOCK));
        assert_eq!(pi::try_lock(word.at()), Err(Errno::DEADLOCK));
        assert_eq!(pi::unlock(word.at()), Ok(()));
        assert_eq!(word.get(), 0);
    }

    #[test]
    fn a_cycle_of_owners_is_edeadlk_for_whoever_would_close_it() {
        let _watchdog = Watchdog::start();
        if !pi::supported() {
            return;
        }
        let (mine, theirs) = (Word::new(tid()), Word::new(0));
        let (first, second) = (theirs.clone(), mine.clone());
        let other = Sleeper::start(Some(&mine), move || {
            pi::lock(first.at(), None)?;
            pi::lock(second.at(), None)?; // here it sleeps, since the main thread holds that
            pi::unlock(second.at())?;
            pi::unlock(first.at())
        });
        assert_eq!(pi::lock(theirs.at(), None), Err(Errno::DEADLOCK));
        other.assert_asleep();
        assert_eq!(pi::unlock(mine.at()), Ok(()));
        assert_eq!(other.join(), Ok(()));
    }

    #[test]
    fn unlock_pi_hands_the_lock_from_thread_to_thread() {
        let _watchdog = Watchdog::start();
        if !pi::supported() {
            return;
        }
        for deadline in [None, Some(u64::MAX), FAR] {
            let word = Word::new(0);
            assert_eq!(pi::lock(word.at(), None), Ok(()));
            let lockers: Vec<_> = (0..3).map(|_| locker(&word, deadline)).collect();
            assert_eq!(word.get(), tid() | libc::FUTEX_WAITERS);
            assert_eq!(pi::unlock(word.at()), Ok(()));
            for locker in lockers {
                assert_eq!(locker.join(), Ok(()));
            }
            assert_eq!(word.get(), 0);
        }
    }

    #[test]
    fn a_pi_lock_that_is_held_is_etimedout_or_eagain() {
        let _watchdog = Watchdog::start();
        if !pi::supported() {
            return;
        }
        let word = Word::new(tid());
        let theirs = word.clone();
        let results = thread::spawn(move || {
            let late = in_millis(2);
            let results = [
                pi::lock(theirs.at(), PAST),
                pi::lock(theirs.at(), late),
                pi::try_lock(theirs.at()),
                pi::unlock(theirs.at()),
            ];
            assert!(late <= Some(clock::monotonic_nanos()));
            results
        });
        let expected = [Errno::TIMED_OUT, Errno::TIMED_OUT, Errno::AGAIN, Errno::PERM].map(Err);
        assert_eq!(results.join().expect("it does not panic"), expected);
        assert_eq!(owner(&word), tid());
        assert_eq!(pi::unlock(word.at()), Ok(()));
        assert_eq!(word.get(), 0);
    }

    #[test]
    fn unlocking_what_one_does_not_hold_is_eperm() {
        if !pi::supported() {
            return;
        }
        for value in [0, NOBODY, libc::FUTEX_WAITERS, libc::FUTEX_OWNER_DIED | NOBODY] {
            let word = Word::new(value);
            assert_eq!(pi::unlock(word.at()), Err(Errno::PERM));
            assert_eq!(word.get(), value);
        }
    }

    #[test]
    fn an_owner_that_is_gone_is_esrch() {
        let _watchdog = Watchdog::start();
        if !pi::supported() {
            return;
        }
        // `join` may return while the kernel is still at the thread's end, which it waits out.
        let gone = thread::spawn(tid).join().expect("it does not panic");
        for owner in [gone, NOBODY] {
            let word = Word::new(owner);
            assert_eq!(pi::lock(word.at(), None), Err(Errno::SRCH));
            assert_eq!(pi::try_lock(word.at()), Err(Errno::SRCH));
            assert_eq!(word.get() & !libc::FUTEX_WAITERS, owner);
        }
    }

    #[test]
    fn a_waiter_inherits_from_an_owner_that_dies() {
        let _watchdog = Watchdog::start();
        if !pi::supported() {
            return;
        }
        let (word, gate) = (Word::new(0), Word::new(0));
        let (theirs, until) = (word.clone(), gate.clone());
        let dying = Sleeper::start(Some(&gate), move || {
            pi::lock(theirs.at(), None)?;
            wait(until.at(), Private, 0, ANY, None)
        });
        let theirs = word.clone();
        let heir = Sleeper::start(Some(&word), move || {
            let result = pi::lock(theirs.at(), None);
            let value = theirs.get() & !libc::FUTEX_WAITERS;
            (result, value == tid() | libc::FUTEX_OWNER_DIED, pi::unlock(theirs.at()))
        });
        wake_all(&gate, 1);
        assert_eq!(dying.join(), Ok(()));
        assert_eq!(heir.join(), (Ok(()), true, Ok(())));
    }

    #[test]
    fn an_owner_in_another_process_is_eperm_or_waited_for() {
        let _watchdog = Watchdog::start();
        if !pi::supported() {
            return;
        }
        if tid() == 1 {
            return say("SKIP this is the first thread of its namespace");
        }
        // Newer kernels refuse to lend priority across processes for a private word. Older ones
        // wait for the stranger.
        let word = Word::new(1);
        let result = pi::lock(word.at(), PAST);
        assert!(matches!(result, Err(Errno::PERM | Errno::TIMED_OUT)), "{result:?}");
        assert_eq!(owner(&word), 1);
    }

    #[test]
    fn a_kernel_thread_as_owner_is_eperm() {
        if !pi::supported() {
            return;
        }
        if fs::read_to_string("/proc/2/comm").is_ok_and(|name| name == "kthreadd\n") {
            let word = Word::new(2);
            assert_eq!(pi::lock(word.at(), PAST), Err(Errno::PERM));
            assert_eq!(pi::try_lock(word.at()), Err(Errno::PERM));
            return;
        }
        say("SKIP no kernel thread is visible here");
    }

    #[test]
    fn a_lock_held_across_a_fork_is_eperm_for_the_child() {
        if !in_child(module_path!(), "a_lock_held_across_a_fork_is_eperm_for_the_child")
            || !pi::supported()
        {
            return;
        }
        let word = Word::new(tid());
        let status = fork(|| {
            if pi::unlock(word.at()) != Err(Errno::PERM) {
                return 1;
            }
            match pi::lock(word.at(), PAST) {
                Err(Errno::PERM | Errno::TIMED_OUT) => 0,
                _ => 2,
            }
        });
        assert_eq!(status, 0, "1: it could unlock; 2: it could lock");
        assert_eq!(pi::unlock(word.at()), Ok(()));
    }

    #[test]
    fn plain_and_pi_waiters_on_one_word_are_einval() {
        let _watchdog = Watchdog::start();
        if !pi::supported() {
            return;
        }
        let other = Word::new(0);
        let invalid = Err(Errno::INVAL);

        let word = Word::new(0);
        let plain = waiter(&word, ANY, None);
        assert_eq!(pi::lock(word.at(), PAST), Err(Errno::INVAL));
        assert_eq!(pi::try_lock(word.at()), Err(Errno::INVAL));
        assert_eq!(pi::move_to(word.at(), 0, 0, other.at()), invalid, "not in wait_requeue_pi");
        word.set(tid() | libc::FUTEX_WAITERS);
        assert_eq!(pi::unlock(word.at()), Err(Errno::INVAL));
        wake_all(&word, 1);
        assert_eq!(plain.join(), Ok(()));

        let word = Word::new(0);
        assert_eq!(pi::lock(word.at(), None), Ok(()));
        let locker = locker(&word, None);
        assert_eq!(wake(word.at(), Private, 1, ANY), invalid);
        assert_eq!(requeue(word.at(), Private, 1, 1, other.at()), invalid);
        assert_eq!(cmp_requeue(word.at(), Private, word.get(), 1, 1, other.at()), invalid);
        assert_eq!(pi::move_to(word.at(), word.get(), 0, other.at()), invalid);
        locker.assert_asleep();
        assert_eq!(pi::unlock(word.at()), Ok(()));
        assert_eq!(locker.join(), Ok(()));
        assert_eq!(other.get(), 0);
    }

    #[test]
    fn a_word_that_contradicts_the_kernel_is_einval() {
        let _watchdog = Watchdog::start();
        if !pi::supported() {
            return;
        }
        let word = Word::new(0);
        assert_eq!(pi::lock(word.at(), None), Ok(()));
        let locker = locker(&word, None);
        let value = word.get();
        // The kernel knows the owner of a lock with waiters; this names somebody else.
        word.set(NOBODY | libc::FUTEX_WAITERS);
        let theirs = word.clone();
        let result = thread::spawn(move || pi::lock(theirs.at(), PAST));
        assert_eq!(result.join().expect("it does not panic"), Err(Errno::INVAL));
        word.set(value);
        assert_eq!(pi::unlock(word.at()), Ok(()));
        assert_eq!(locker.join(), Ok(()));
    }

    // ---- waiting for a PI lock through another word

    #[test]
    fn a_requeued_waiter_gets_a_free_lock_before_it_wakes() {
        let _watchdog = Watchdog::start();
        if !pi::supported() {
            return;
        }
        let (from, lock, gate) = (Word::new(0), Word::new(0), Word::new(0));
        let (theirs, to, until) = (from.clone(), lock.clone(), gate.clone());
        let waiter = Sleeper::start(Some(&from), move || {
            pi::wait(theirs.at(), 0, FAR, to.at())?;
            wait(until.at(), Private, 0, ANY, None)?;
            pi::unlock(to.at())
        });
        assert_eq!(pi::move_to(from.at(), 0, 0, lock.at()), Ok(1));
        assert_eq!(owner(&lock), waiter.tid, "the lock has been handed over already");
        while wake(gate.at(), Private, 1, ANY) == Ok(0) {
            thread::yield_now();
        }
        assert_eq!(waiter.join(), Ok(()));
        assert_eq!(lock.get(), 0);
        assert_eq!(pi::move_to(from.at(), 0, u32::MAX, lock.at()), Ok(0), "nobody is left");
    }

    #[test]
    fn requeued_waiters_queue_for_a_lock_that_is_held() {
        let _watchdog = Watchdog::start();
        if !pi::supported() {
            return;
        }
        let (from, lock) = (Word::new(0), Word::new(0));
        assert_eq!(pi::lock(lock.at(), None), Ok(()));
        let waiters: Vec<_> = (0..3).map(|_| pi_waiter(&from, None, &lock)).collect();
        assert_eq!(pi::move_to(from.at(), 0, 0, lock.at()), Ok(1));
        assert_eq!(lock.get(), tid() | libc::FUTEX_WAITERS);
        assert_eq!(pi::move_to(from.at(), 0, u32::MAX, lock.at()), Ok(2));
        waiters.iter().for_each(Sleeper::assert_asleep);
        assert_eq!(pi::unlock(lock.at()), Ok(()));
        for waiter in waiters {
            assert_eq!(waiter.join(), Ok(()));
        }
        assert_eq!(lock.get(), 0);
    }

    #[test]
    fn requeue_pi_on_a_changed_word_is_eagain() {
        let _watchdog = Watchdog::start();
        if !pi::supported() {
            return;
        }
        let (from, lock) = (Word::new(0), Word::new(0));
        assert_eq!(pi::wait(from.at(), 1, None, lock.at()), Err(Errno::AGAIN));
        assert_eq!(pi::move_to(from.at(), 1, 0, lock.at()), Err(Errno::AGAIN));
        let waiter = pi_waiter(&from, None, &lock);
        assert_eq!(pi::move_to(from.at(), 1, u32::MAX, lock.at()), Err(Errno::AGAIN));
        waiter.assert_asleep();
        assert_eq!(lock.get(), 0);
        assert_eq!(pi::move_to(from.at(), 0, 0, lock.at()), Ok(1));
        assert_eq!(waiter.join(), Ok(()));
    }

    #[test]
    fn wait_requeue_pi_times_out_before_the_move_and_after_it_without_the_lock() {
        let _watchdog = Watchdog::start();
        if !pi::supported() {
            return;
        }
        let (from, lock) = (Word::new(0), Word::new(0));
        assert_eq!(pi::lock(lock.at(), None), Ok(()));
        assert_eq!(pi::wait(from.at(), 0, PAST, lock.at()), Err(Errno::TIMED_OUT));

        // As for the moved waiter above: the deadline has to come after the move.
        let mut millis = 20;
        loop {
            let (theirs, to) = (from.clone(), lock.clone());
            let deadline = in_millis(millis);
            let timed = thread::spawn(move || pi::wait(theirs.at(), 0, deadline, to.at()));
            let moved = loop {
                match pi::move_to(from.at(), 0, 0, lock.at()) {
                    Ok(0) if !timed.is_finished() => thread::yield_now(),
                    result => break result,
                }
            };
            assert_eq!(timed.join().expect("it does not panic"), Err(Errno::TIMED_OUT));
            assert_eq!(owner(&lock), tid());
            if moved == Ok(1) {
                break;
            }
            millis *= 2;
        }
        assert_eq!(pi::unlock(lock.at()), Ok(()));
        assert_eq!(lock.get(), 0);
    }

    #[test]
    fn requeue_pi_refuses_the_wrong_words_and_the_wrong_waiters() {
        let _watchdog = Watchdog::start();
        if !pi::supported() {
            return;
        }
        let (from, lock, other) = (Word::new(0), Word::new(0), Word::new(0));
        assert_eq!(pi::wait(from.at(), 0, PAST, from.at()), Err(Errno::INVAL));
        assert_eq!(pi::move_to(from.at(), 0, 0, from.at()), Err(Errno::INVAL));

        let waiter = pi_waiter(&from, None, &lock);
        assert_eq!(pi::move_to(from.at(), 0, 0, other.at()), Err(Errno::INVAL), "another lock");
        let plain = Err(Errno::INVAL);
        assert_eq!(wake(from.at(), Private, 1, ANY), plain, "a plain wake does not reach it");
        assert_eq!(requeue(from.at(), Private, 0, 1, other.at()), plain);
        assert_eq!(cmp_requeue(from.at(), Private, 0, 1, 1, other.at()), plain);
        lock.set(NOBODY);
        assert_eq!(pi::move_to(from.at(), 0, 0, lock.at()), Err(Errno::SRCH));
        lock.set(waiter.tid);
        assert_eq!(pi::move_to(from.at(), 0, 0, lock.at()), Err(Errno::DEADLOCK), "its own lock");
        waiter.assert_asleep();
        lock.set(0);
        assert_eq!(pi::move_to(from.at(), 0, 0, lock.at()), Ok(1));
        assert_eq!(waiter.join(), Ok(()));
        assert_eq!((lock.get(), other.get()), (0, 0));
    }

    // ---- waitv

    #[test]
    fn waitv_reports_the_index_of_a_woken_word_whatever_the_mask() {
        let _watchdog = Watchdog::start();
        if !waitv_supported() {
            return;
        }
        let words: Vec<_> = (0..4).map(Word::new).collect();
        for (index, reach) in [(0, Private), (2, Private), (3, Shared)] {
            let theirs = words.clone();
            let waiter = Sleeper::start(None, move || {
                let waiters: Vec<_> = (0..)
                    .zip(&theirs)
                    .map(|(value, word)| {
                        Waiter::new(word.at(), if value < 3 { Private } else { Shared }, value)
                    })
                    .collect();
                waitv(&waiters, FAR)
            });
            assert_eq!(wake(words[index].at(), reach, u32::MAX, 1 << 9), Ok(1));
            assert_eq!(waiter.join(), Ok(index));
            for word in &words {
                wake_all(word, 0); // it left the other queues
            }
        }
    }

    #[test]
    fn waitv_keeps_its_index_through_a_requeue() {
        let _watchdog = Watchdog::start();
        if !waitv_supported() {
            return;
        }
        let (first, second, to) = (Word::new(0), Word::new(0), Word::new(0));
        let theirs = [first.clone(), second.clone()];
        let waiter = Sleeper::start(None, move || {
            waitv(&theirs.each_ref().map(|word| Waiter::new(word.at(), Private, 0)), None)
        });
        assert_eq!(requeue(second.at(), Private, 0, 1, to.at()), Ok(1));
        wake_all(&second, 0);
        waiter.assert_asleep();
        wake_all(&to, 1);
        assert_eq!(waiter.join(), Ok(1));
        wake_all(&first, 0);
    }

    #[test]
    fn waitv_takes_from_1_to_128_words_also_the_same_one() {
        let _watchdog = Watchdog::start();
        if !waitv_supported() {
            return;
        }
        let word = Word::new(0);
        let many = [Waiter::new(word.at(), Private, 0); 129];
        assert_eq!(waitv(&[], PAST), Err(Errno::INVAL));
        assert_eq!(waitv(&many, PAST), Err(Errno::INVAL));
        for count in [1, 2, 128] {
            assert_eq!(waitv(&many[..count], PAST), Err(Errno::TIMED_OUT));
            let late = in_millis(1);
            assert_eq!(waitv(&many[..count], late), Err(Errno::TIMED_OUT));
            assert!(late <= Some(clock::monotonic_nanos()));
        }
    }

    #[test]
    fn waitv_with_one_changed_word_is_eagain() {
        if !waitv_supported() {
            return;
        }
        let (same, changed) = (Word::new(0), Word::new(1));
        let waiters = [&same, &same, &changed].map(|word| Waiter::new(word.at(), Private, 0));
        for deadline in [None, PAST, FAR] {
            assert_eq!(waitv(&waiters, deadline), Err(Errno::AGAIN));
        }
        wake_all(&same, 0); // it left the queues that it had joined
    }

    #[test]
    fn a_seccomp_filter_answers_for_the_kernel() {
        if !in_child(module_path!(), "a_seccomp_filter_answers_for_the_kernel") {
            return;
        }
        for (errno, expected) in [(libc::EPERM, Errno::PERM), (libc::ENOSYS, Errno::NO_SYS)] {
            // A thread each: a filter stays with its thread.
            let test = move || {
                if forbid(libc::SYS_futex_waitv, (2, 0), errno) {
                    let word = Word::new(0);
                    let waiters = [Waiter::new(word.at(), Private, 0)];
                    set_errno();
                    assert_eq!(waitv(&waiters, PAST), Err(expected));
                    assert_eq!(get_errno(), UNTOUCHED);
                    assert_eq!(wait(word.at(), Private, 0, ANY, PAST), Err(Errno::TIMED_OUT));
                }
            };
            thread::spawn(test).join().expect("the assertions hold");
        }
    }

    // ---- signals, in processes of their own

    /// The handled signals come out of this pipe, one byte each.
    struct Signals {
        read: libc::c_int,
    }

    static mut PIPE: libc::c_int = -1;

    extern "C" fn on_signal(_: libc::c_int) {
        // SAFETY: set once, before any handler was installed; `write` is async-signal-safe, and
        // the byte is valid for the read.
        unsafe { libc::write(PIPE, [0_u8].as_ptr().cast(), 1) };
    }

    impl Signals {
        /// Once in a process.
        fn handle() -> Self {
            let mut pipe = [-1; 2];
            // SAFETY: `pipe` has room for the two descriptors; nothing else runs that knows PIPE.
            unsafe {
                assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
                PIPE = pipe[1];
            }
            let signals = Self { read: pipe[0] };
            signals.restart(false);
            signals
        }

        /// Installs the handler, with `SA_RESTART` or without.
        fn restart(&self, restart: bool) {
            let handler: extern "C" fn(libc::c_int) = on_signal;
            // SAFETY: all zeros are a `sigaction` with an empty mask; the handler does only what a
            // handler may.
            unsafe {
                let mut action: libc::sigaction = core::mem::zeroed();
                action.sa_sigaction = handler as libc::sighandler_t;
                action.sa_flags = if restart { libc::SA_RESTART } else { 0 };
                assert_eq!(libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()), 0);
            }
        }

        /// Sends a signal to one thread and returns after its handler ran there.
        fn send(&self, thread: u32) {
            let process = std::process::id();
            let mut byte = 0_u8;
            // SAFETY: `byte` is valid for the write; the signal has a handler.
            unsafe {
                let signal = libc::SIGUSR1;
                assert_eq!(libc::syscall(libc::SYS_tgkill, process, thread, signal), 0);
                assert_eq!(libc::read(self.read, (&raw mut byte).cast(), 1), 1);
            }
        }
    }

    #[test]
    fn a_signal_is_eintr_for_wait_unless_it_restarts() {
        if !in_child(module_path!(), "a_signal_is_eintr_for_wait_unless_it_restarts") {
            return;
        }
        let _watchdog = Watchdog::start();
        let signals = Signals::handle();
        for (restart, deadline, interrupted) in [
            (false, None, true),
            (false, FAR, true),
            (true, FAR, true), // with a deadline, whatever the flag
            (true, None, false),
            (true, Some(u64::MAX), false), // which is none
        ] {
            signals.restart(restart);
            let word = Word::new(0);
            let theirs = word.clone();
            let waiter = Sleeper::start(Some(&word), move || {
                set_errno();
                let result = wait(theirs.at(), Private, 0, ANY, deadline);
                (result, get_errno())
            });
            signals.send(waiter.tid);
            if interrupted {
                assert_eq!(waiter.join(), (Err(Errno::INTR), UNTOUCHED));
                wake_all(&word, 0);
            } else {
                waiter.assert_asleep();
                wake_all(&word, 1);
                assert_eq!(waiter.join(), (Ok(()), UNTOUCHED));
            }
        }
    }

    #[test]
    fn a_signal_is_eintr_for_waitv_unless_it_restarts() {
        if !in_child(module_path!(), "a_signal_is_eintr_for_waitv_unless_it_restarts")
            || !waitv_supported()
        {
            return;
        }
        let _watchdog = Watchdog::start();
        let signals = Signals::handle();
        for restart in [false, true] {
            signals.restart(restart);
            for deadline in [None, FAR] {
                let word = Word::new(0);
                let theirs = word.clone();
                let waiter = Sleeper::start(None, move || {
                    waitv(&[Waiter::new(theirs.at(), Private, 0)], deadline)
                });
                signals.send(waiter.tid);
                if restart {
                    waiter.assert_asleep();
                    wake_all(&word, 1);
                    assert_eq!(waiter.join(), Ok(0));
                } else {
                    assert_eq!(waiter.join(), Err(Errno::INTR));
                    wake_all(&word, 0);
                }
            }
        }
    }

    #[test]
    fn a_signal_does_not_end_a_wait_for_a_pi_lock() {
        if !in_child(module_path!(), "a_signal_does_not_end_a_wait_for_a_pi_lock")
            || !pi::supported()
        {
            return;
        }
        let _watchdog = Watchdog::start();
        let signals = Signals::handle();
        for deadline in [None, FAR] {
            let word = Word::new(0);
            assert_eq!(pi::lock(word.at(), None), Ok(()));
            let locker = locker(&word, deadline);
            signals.send(locker.tid);
            locker.assert_asleep();
            assert_eq!(pi::unlock(word.at()), Ok(()));
            assert_eq!(locker.join(), Ok(()));
        }
    }

    #[test]
    fn a_signal_restarts_wait_requeue_pi_before_the_move_and_is_eagain_after_it() {
        const TEST: &str =
            "a_signal_restarts_wait_requeue_pi_before_the_move_and_is_eagain_after_it";
        if !in_child(module_path!(), TEST) || !pi::supported() {
            return;
        }
        let _watchdog = Watchdog::start();
        let signals = Signals::handle();
        for deadline in [None, FAR] {
            let (from, lock) = (Word::new(0), Word::new(0));
            assert_eq!(pi::lock(lock.at(), None), Ok(()));
            let waiter = pi_waiter(&from, deadline, &lock);
            signals.send(waiter.tid);
            waiter.assert_asleep();
            assert_eq!(pi::move_to(from.at(), 0, 0, lock.at()), Ok(1));
            signals.send(waiter.tid);
            assert_eq!(waiter.join(), Err(Errno::AGAIN));
            assert_eq!(owner(&lock), tid(), "it did not get the lock");
            assert_eq!(pi::unlock(lock.at()), Ok(()));
        }
        // A signal before the move, and a word that changed by the time the wait restarts.
        let (from, lock) = (Word::new(0), Word::new(0));
        let waiter = pi_waiter(&from, None, &lock);
        from.set(1);
        signals.send(waiter.tid);
        assert_eq!(waiter.join(), Err(Errno::AGAIN));
        assert_eq!(lock.get(), 0);
    }

    // ---- what the tests stand on

    #[test]
    fn an_entry_of_waitv_is_laid_out_as_the_kernel_s() {
        let word = Word::new(0);
        let entry = Waiter::new(word.at(), Private, 5);
        let fields = (entry.value, entry.address, entry.flags, entry.reserved);
        assert_eq!(fields, (5, word.at().addr() as u64, 2 | 128, 0));
        assert_eq!(Waiter::new(word.at(), Shared, 5).flags, 2);
    }

    #[test]
    fn reach_is_told_apart_in_debug() {
        let names: [String; 2] = REACHES.map(|reach| format!("{reach:?}"));
        assert_eq!(names, ["Private", "Shared"]);
    }
}
