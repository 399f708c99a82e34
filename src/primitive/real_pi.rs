//! The word of a lock with priority inheritance, on the real kernel.

#![allow(unreachable_pub, reason = "the types are public in `raw`, which is not always public")]

use super::identity::is_forked;
use super::pi::{Handed, NotOwner, OWNER, OWNER_DIED, PiError, WAITERS};
use super::real::unexpected;
use super::{AtomicU32, Deadline, Futex, Ordering, Private};
use crate::sys;
use crate::sys::errno::Errno;
use crate::sys::futex::Reach;

const _: () = assert!(
    WAITERS == sys::futex::WAITERS
        && OWNER_DIED == sys::futex::OWNER_DIED
        && OWNER == sys::futex::OWNER
);

/// A 32-bit word that threads take turns to own, by the kernel's protocol: it holds the id of the
/// thread that owns it, or 0, and the kernel's two bits.
///
/// Wherever threads may wait, the kernel writes it too, so code of ours changes it by
/// compare-and-exchange only.
#[repr(transparent)]
pub struct PiFutex {
    word: AtomicU32,
}

impl PiFutex {
    pub(crate) const fn new() -> Self {
        Self { word: AtomicU32::new(0) }
    }

    /// See [`show_hand_over`]: the same for one who finds the word free in the kernel.
    #[inline]
    pub(crate) fn show_receipt(&self) {
        if cfg!(lockwork_portable) {
            self.load(Ordering::Acquire); // Acquire: as the fence beside it.
        }
    }

    #[inline]
    pub(crate) fn load(&self, order: Ordering) -> u32 {
        self.word.load(order)
    }

    #[inline]
    pub(crate) fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.word.compare_exchange(current, new, success, failure)
    }

    /// Takes the lock with the kernel's help, sleeping until it is handed over, for a thread that
    /// found it taken. Returns the word as it is then.
    ///
    /// The kernel's handing over orders nothing by itself: an Acquire fence is due.
    pub(crate) fn lock(&self, deadline: Deadline) -> Result<u32, PiError> {
        self.refuse_inherited()?;
        let word = self.word.as_ptr();
        // SAFETY: the word belongs to a PI lock, which the caller borrows.
        let result = unsafe {
            if deadline == Deadline::NEVER {
                // In every kernel that has PI futexes at all; no clock is looked at.
                sys::futex::lock_pi(word, Reach::Private, None)
            } else {
                match sys::futex::lock_pi2(word, Reach::Private, Some(deadline.nanos())) {
                    Err(Errno::NO_SYS) => self.lock_by_the_other_clock(deadline),
                    result => result,
                }
            }
        };
        match result {
            // Relaxed: the caller's fence.
            Ok(()) => Ok(self.word.load(Ordering::Relaxed)),
            Err(errno) => Err(refusal("FUTEX_LOCK_PI", errno)),
        }
    }

    /// Before Linux 5.14 the kernel takes deadlines on `CLOCK_REALTIME` only. The time that is left
    /// is counted from now on that clock. If it is set back meanwhile, the wait may last longer by
    /// as much; if it is set forward, the wait begins again.
    #[cold]
    fn lock_by_the_other_clock(&self, deadline: Deadline) -> Result<(), Errno> {
        loop {
            let left = deadline.nanos().saturating_sub(super::monotonic_nanos());
            let until = sys::clock::realtime_nanos().saturating_add(left);
            // SAFETY: as in `lock`.
            let result =
                unsafe { sys::futex::lock_pi(self.word.as_ptr(), Reach::Private, Some(until)) };
            if result != Err(Errno::TIMED_OUT) || deadline.has_passed() {
                return result;
            }
        }
    }

    /// In a child of fork the word may name a thread of the parent. Newer kernels refuse to wait
    /// for that; older ones would, and lend it our priority, for nothing.
    fn refuse_inherited(&self) -> Result<(), PiError> {
        if !is_forked() {
            return Ok(());
        }
        let word = self.word.load(Ordering::Relaxed); // Relaxed: looked at twice.
        let owner = word & OWNER;
        let foreign = owner != 0 && sys::thread::is_of_another_process(owner);
        // An owner of this process may have unlocked and ended, and its id be somebody else's.
        if foreign && self.word.load(Ordering::Relaxed) & OWNER == owner {
            return Err(PiError::NotPermitted);
        }
        Ok(())
    }

    /// Releases the lock to the waiter of highest priority, or to nobody, with the kernel's help.
    /// By address: once it is released, the memory may be gone.
    ///
    /// A Release fence is due before.
    ///
    /// # Safety
    ///
    /// The word is there, at least until the lock is released.
    pub(crate) unsafe fn unlock(this: *const Self) -> Result<(), NotOwner> {
        // SAFETY: by the caller's contract.
        match unsafe { sys::futex::unlock_pi(this.cast(), Reach::Private) } {
            Ok(()) => Ok(()),
            Err(Errno::PERM) => Err(NotOwner),
            Err(errno) => unexpected("FUTEX_UNLOCK_PI", errno),
        }
    }

    /// Sleeps on `from` while it holds `expected`, until [`requeue`](Self::requeue) sends the
    /// caller on to this lock and it is handed over; or a signal or `deadline`.
    ///
    /// An Acquire fence is due if it was.
    pub(crate) fn wait_requeue(
        &self,
        from: &Futex<Private>,
        expected: u32,
        deadline: Deadline,
    ) -> Result<Handed, PiError> {
        let (from, to) = (from.as_ptr(), self.word.as_ptr());
        let until = Some(deadline.nanos());
        // SAFETY: `to` belongs to a PI lock, which the caller borrows.
        match unsafe { sys::futex::wait_requeue_pi(from, Reach::Private, expected, until, to) } {
            // Relaxed: the caller's fence.
            Ok(()) => Ok(Handed::Owner(self.word.load(Ordering::Relaxed))),
            Err(Errno::AGAIN) => Ok(Handed::Changed),
            Err(Errno::TIMED_OUT) => Ok(Handed::TimedOut),
            Err(errno) => Err(refusal("FUTEX_WAIT_REQUEUE_PI", errno)),
        }
    }

    /// Sends those who wait on `from` for this lock on to it: the first by priority, and up to
    /// `more` after it. Says how many it sent.
    ///
    /// The caller owns the lock, and nobody else writes `from`.
    pub(crate) fn requeue(&self, from: &Futex<Private>, more: u32) -> Result<u32, PiError> {
        loop {
            // Relaxed: the kernel compares.
            let expected = from.load(Ordering::Relaxed);
            let (from, to) = (from.as_ptr(), self.word.as_ptr());
            // SAFETY: `to` belongs to a PI lock, which the caller owns.
            match unsafe { sys::futex::cmp_requeue_pi(from, Reach::Private, expected, more, to) } {
                Ok(count) => return Ok(count),
                Err(Errno::AGAIN) => {}
                Err(errno) => return Err(refusal("FUTEX_CMP_REQUEUE_PI", errno)),
            }
        }
    }
}

/// For a race detector, which sees neither fences nor what the kernel writes: comes before the
/// kernel hands a lock over or makes it free, and is seen by [`show_receipt`]. Nothing in other
/// builds.
#[inline]
pub(crate) fn show_hand_over(witness: &AtomicU32) {
    if cfg!(lockwork_portable) {
        witness.fetch_add(0, Ordering::Release); // Release: as the fence beside it.
    }
}

/// See [`show_hand_over`].
#[inline]
pub(crate) fn show_receipt(witness: &AtomicU32) {
    if cfg!(lockwork_portable) {
        witness.load(Ordering::Acquire); // Acquire: as the fence beside it.
    }
}

/// What an error of the kernel means for whoever wants the lock. What can only come of a bug ends
/// the process.
#[cold]
fn refusal(operation: &'static str, errno: Errno) -> PiError {
    match errno {
        Errno::TIMED_OUT => PiError::TimedOut,
        Errno::DEADLOCK => PiError::Deadlock,
        // The kernel's record of the lock has no owner any more, and the waiter that is to be the
        // next one has yet to write its id: the owner has just died. (The word is aligned, and
        // nobody waits on it in other ways.)
        Errno::SRCH | Errno::INVAL => PiError::OwnerDied,
        Errno::PERM => PiError::NotPermitted,
        Errno::NO_MEM => PiError::OutOfMemory,
        Errno::NO_SYS => PiError::Unsupported,
        errno => unexpected(operation, errno),
    }
}
