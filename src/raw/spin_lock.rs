//! A mutex whose waiters poll for longer before they sleep.
//!
//! The word, the invariants, the orderings and the proof are those of [`Mutex`]: polling takes the
//! lock as any newcomer does, or not at all. What differs is when a waiter gives up and sleeps: the
//! mutex does so after some hundred pauses, and at once if others sleep already; here it is after
//! [`SPIN_MICROS`], whoever sleeps. So a waiter may overtake sleepers for as long as it polls,
//! except those to whom the lock is handed over.
//!
//! # Scaling
//!
//! As for the mutex; in addition each waiter takes the line from the owner at each look, once for
//! [`LONGEST_GAP`] pauses in the end, and a processor from others for as long as it polls.

use core::time::Duration;

use crate::primitive::{Deadline, Private, Scope};
use crate::primitive::{model_const_fn, spin_loop, tuning};

use super::Mutex;

/// How long a waiter polls. About what it costs to sleep and to be woken on a busy machine: who
/// polls for as long as that loses at most half of the time it could have saved.
const SPIN_MICROS: u32 = tuning(20, 0);

/// Pauses between two looks at the most; the first few are closer together.
const LONGEST_GAP: u32 = 64;

/// The lock inside [`SpinLock`](crate::SpinLock): no data, no guard, not re-entrant.
pub struct SpinLock<S: Scope = Private> {
    mutex: Mutex<S>,
}

impl<S: Scope> SpinLock<S> {
    model_const_fn! {
        /// Creates a free lock.
        pub const fn new() -> Self {
            Self { mutex: Mutex::new() }
        }
    }

    /// Takes the lock if it is free, and says whether it did. Never blocks.
    #[inline]
    pub fn try_lock(&self) -> bool {
        self.mutex.try_lock()
    }

    /// Takes the lock, polling and then sleeping while it is taken.
    #[inline]
    pub fn lock(&self) {
        if !self.try_lock() {
            self.lock_slow(Deadline::NEVER);
        }
    }

    /// Takes the lock, or returns `false` once `deadline` has passed.
    #[inline]
    pub fn lock_until(&self, deadline: Deadline) -> bool {
        self.try_lock() || self.lock_slow(deadline)
    }

    /// Whether the lock is taken, or reserved for a waiter, at this moment.
    #[inline]
    pub fn is_locked(&self) -> bool {
        self.mutex.is_locked()
    }

    /// Releases the lock, waking one sleeper if there may be any.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock.
    #[inline]
    pub unsafe fn unlock(&self) {
        // SAFETY: by the caller.
        unsafe { self.mutex.unlock() }
    }

    /// Releases the lock, to a sleeper if there is one.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock.
    #[inline]
    pub unsafe fn unlock_fair(&self) {
        // SAFETY: by the caller.
        unsafe { self.mutex.unlock_fair() }
    }

    /// Lets a sleeper have its turn, if there is one, and takes the lock again.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock, and does so again afterwards.
    #[inline]
    pub unsafe fn bump(&self) {
        // SAFETY: by the caller.
        unsafe { self.mutex.bump() }
    }

    /// The mutex that it consists of.
    pub(super) fn mutex(&self) -> &Mutex<S> {
        &self.mutex
    }

    #[cold]
    fn lock_slow(&self, deadline: Deadline) -> bool {
        self.spin(deadline) || self.mutex.lock_until(deadline)
    }

    /// Polls for a while, with growing gaps; whether it has taken the lock.
    fn spin(&self, deadline: Deadline) -> bool {
        let mut gap = 1;
        // In the model one look, as polls there hide what sleepers do.
        while gap < tuning(LONGEST_GAP, 1) {
            if self.look(gap) {
                return true;
            }
            gap *= 2;
        }
        // The clock is read only by those who have waited for some time already.
        let end = Deadline::after(Duration::from_micros(SPIN_MICROS.into())).min(deadline);
        loop {
            if self.look(gap) {
                return true;
            }
            if end.has_passed() {
                return false;
            }
        }
    }

    /// Lets `gap` pauses pass, and takes the lock if it is free then.
    fn look(&self, gap: u32) -> bool {
        for _ in 0..gap {
            spin_loop();
        }
        !self.is_locked() && self.try_lock()
    }
}

impl<S: Scope> Default for SpinLock<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Scope> core::fmt::Debug for SpinLock<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SpinLock").field("locked", &self.is_locked()).finish()
    }
}
