//! What the kernel and its users say to each other about a lock with priority inheritance.

use core::fmt;

/// Bits of the word, which the kernel defines: somebody waits inside the kernel, so an unlock has
/// to go there.
pub(crate) const WAITERS: u32 = 1 << 31;

/// The thread that had the lock before ended and did not give it back.
pub(crate) const OWNER_DIED: u32 = 1 << 30;

/// The id of the thread that has the lock, or 0.
pub(crate) const OWNER: u32 = OWNER_DIED - 1;

/// In the place of an owner, says that the lock is nobody's for ever. No thread has this id, as the
/// kernel gives out smaller ones only; so it answers those who ask that the owner is gone.
pub(crate) const NOBODY: u32 = OWNER;

/// Why a [`PiMutex`](crate::PiMutex) could not be locked.
///
/// ```
/// use lockwork::{PiError, PiMutex};
///
/// let mutex = PiMutex::new(1);
/// let held = mutex.lock();
/// assert_eq!(mutex.lock_checked().unwrap_err(), PiError::Deadlock);
/// drop(held);
/// assert_eq!(*mutex.lock_checked()?, 1);
/// # Ok::<(), PiError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PiError {
    /// Another thread has the lock. From [`try_lock`](crate::PiMutex::try_lock) only.
    Taken,
    /// The deadline passed, and another thread still had the lock.
    TimedOut,
    /// The calling thread has the lock already, or whoever has it waits, maybe by way of others,
    /// for a lock that the calling thread has.
    Deadlock,
    /// The thread that had the lock has ended and did not give it back: it forgot its guard. What
    /// it left behind may be half done, and may be borrowed for ever, so nobody gets the lock any
    /// more.
    OwnerDied,
    /// The lock was held by another thread when this process was forked, so here it belongs to no
    /// thread; or a filter forbids the system call.
    NotPermitted,
    /// The kernel had no memory for its half of a lock that somebody waits for.
    OutOfMemory,
    /// The kernel has no locks with priority inheritance (`CONFIG_FUTEX_PI`), and without its help
    /// a lock that is taken cannot be waited for.
    Unsupported,
}

impl fmt::Display for PiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "another thread has the lock",
            Self::TimedOut => "the lock could not be taken in time",
            Self::Deadlock => {
                "deadlock: the thread has the lock already, or its owner waits for a lock of the \
                 thread"
            }
            Self::OwnerDied => "the thread that had the lock has ended without giving it back",
            Self::NotPermitted => {
                "the lock belongs to a thread of the process that this one was forked from, or the \
                 system call is forbidden"
            }
            Self::OutOfMemory => "out of kernel memory for a lock that is waited for",
            Self::Unsupported => "this kernel has no locks with priority inheritance",
        })
    }
}

impl core::error::Error for PiError {}

/// How a wait to be handed a lock ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(unreachable_pub, reason = "public in the model build")]
pub enum Handed {
    /// The caller has the lock; the word as it was given to it.
    Owner(u32),
    /// The word that it slept on had changed, or a signal came once it was on its way to the lock.
    /// It does not have the lock.
    Changed,
    /// The deadline passed, maybe on the way to the lock. It does not have the lock.
    TimedOut,
}

/// The word does not name the calling thread as its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(unreachable_pub, reason = "public in the model build")]
pub struct NotOwner;
