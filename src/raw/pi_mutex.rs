//! Mutual exclusion with priority inheritance: whoever has the lock runs at the priority of the
//! most urgent thread that waits for it.
//!
//! # State
//!
//! The first word is the kernel's: its protocol for it is part of the system call (futex(2)).
//!
//! ```text
//!     31         30         29                        0
//!   +---------+------------+---------------------------+
//!   | WAITERS | OWNER_DIED |           OWNER           |
//!   +---------+------------+---------------------------+
//!
//! value       lock    the unlocker owes     moves
//! 0           free    -                     locker -> O
//! O           taken   nothing               unlock -> 0; the kernel, for a waiter -> O+W
//! O+W         taken   a call of the kernel  the kernel: -> P+W for the next owner P, or 0
//! O+W+D       taken   the same              as O+W, after what invariant 4 asks for
//! NOBODY      dead    -                     none
//! ```
//!
//! The second word says whether an owner died. It changes once.
//!
//! # Invariants
//!
//! 1. A thread owns the lock iff it put its id into the word, or the kernel did, and it has not
//!    called [`unlock`](PiMutex::unlock) since.
//! 2. The kernel sets `WAITERS` before it lets anybody sleep. From then on the word is changed by
//!    the kernel alone, until it hands the lock to nobody. Changes of ours expect a word without
//!    `WAITERS`, and thus fail; but for that to `NOBODY`, when the kernel itself has given the
//!    owner up (invariant 4).
//! 3. Once the lock is released a new owner may free the mutex: from there on only the address of
//!    the word is used. (That is the case by itself: an unlock is one exchange, or one call.)
//! 4. Of a thread that ended as the owner, the data is never handed out again: what it borrowed
//!    from a guard that it forgot may be borrowed for ever. Who inherits the lock from it finds
//!    `D`, says so in the second word, and unlocks; everybody who takes the lock later finds that
//!    and does the same. If nobody waited when it ended, the word names it for ever, and the kernel
//!    tells those who come; the first of them writes `NOBODY` instead, as the id may be another
//!    thread's one day. Whoever was told so, and finds `D`, or that an heir has been there, writes
//!    nothing: the word is that of a thread that lives, and others may wait for its unlock.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | taking a free lock at once | Acquire | c, d | see the last owner's writes |
//! | b | fence once the kernel has handed the lock over | Acquire | c, d | as (a) |
//! | c | an unlock without the kernel | Release | a, b | publish this owner's writes |
//! | d | fence before the kernel is asked to unlock | Release | a, b | as (c) |
//! | e | loads of the word, hints | Relaxed | - | the exchange, or the kernel, decides |
//! | f | the second word | Relaxed | - | written and read by owners of the lock, which orders it |
//! | g | look at the word of an owner that is gone | Acquire | c, d | an owner after an heir: see what the heir said in the second word |
//!
//! Rows b and d take nothing from the kernel but that it writes the word on behalf of the caller,
//! and that who was handed the lock then reads what was written, or something later.
//!
//! # Why no wake-up is lost
//!
//! The kernel waits and wakes; what is left to user space is to call it when it has to be called.
//! An unlock calls it unless its exchange found the word without `WAITERS`, and by invariant 2
//! nobody sleeps then.
//!
//! # Fork
//!
//! Thread ids are the kernel's, and a child has others: `thread_id` does not survive a fork. A
//! guard that the forking thread has in the child names a thread of the parent there. Its unlock
//! takes the word as it is for its own: nobody in the child waits for the lock, as the kernel
//! refuses those who would wait for a thread of another process (and `PiFutex::lock` does, where it
//! is too old for that). What another thread of the parent had locked stays locked, and says so to
//! who locks.
//!
//! # Scaling
//!
//! One read-modify-write to lock, one to unlock, and a look at the thread's id. With waiters each
//! unlock is a call, and hands the lock over: one switch of threads for each turn. That is what
//! bounds the wait, and it is slow; use it where the bound is what matters. And once somebody
//! waits, whoever comes has to wait too: a line that forms does not dissolve before a moment comes
//! when nobody wants the lock. So a newcomer looks a few times before it begins one, as the owner
//! of a short section is about to leave. Less than a microsecond, and not once anybody waits: at a
//! high priority, who polls keeps the owner from the processor, if they share one.
//!
//! # Sources
//!
//! futex(2), the kernel's `Documentation/locking/pi-futex.rst`; Sha, Rajkumar and Lehoczky,
//! "Priority Inheritance Protocols" (1990). What happens to locks of owners that end was measured.

use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{AtomicU32, Backoff, Deadline, Futex, Handed, PiError, PiFutex, Private};
use crate::primitive::{NOBODY, NotOwner, OWNER, OWNER_DIED, WAITERS};
use crate::primitive::{fence, model_const_fn, mutant, ord, spin_loop, thread_id, tuning};
use crate::primitive::{show_hand_over, show_receipt};

const FREE: u32 = 0;

/// Looks at a lock that has an owner and no waiters, before the kernel is asked.
const LOOKS: u32 = tuning(20, 0);

const ALIVE: u32 = 0;
const DEAD: u32 = 1;

/// The lock inside [`PiMutex`](crate::PiMutex): no data, no guard, not re-entrant.
pub struct PiMutex {
    word: PiFutex,
    fate: AtomicU32,
}

impl PiMutex {
    model_const_fn! {
        /// Creates a free lock.
        pub const fn new() -> Self {
            Self { word: PiFutex::new(), fate: AtomicU32::new(ALIVE) }
        }
    }

    /// Takes the lock, sleeping while it is taken and lending the owner this thread's priority.
    ///
    /// # Errors
    ///
    /// Those of [`lock_until`](Self::lock_until), but for `TimedOut`.
    #[inline]
    pub fn lock_checked(&self) -> Result<(), PiError> {
        self.lock_until(Deadline::NEVER)
    }

    /// Takes the lock if nobody has it. Never blocks, and never asks the kernel: an owner that died
    /// without anybody having noticed yet counts as one.
    ///
    /// # Errors
    ///
    /// `Taken`, `Deadlock` if this thread has it, or `OwnerDied`.
    #[inline]
    pub fn try_lock(&self) -> Result<(), PiError> {
        let me = thread_id();
        // Acquire / Relaxed: rows a and e.
        match self.word.compare_exchange(FREE, me, ord!("pi_mutex.a", Acquire), Relaxed) {
            Ok(_) => self.accept(),
            Err(word) if word & OWNER == me => Err(PiError::Deadlock),
            Err(NOBODY) => Err(PiError::OwnerDied),
            // Relaxed: row f. It may be early, and never wrong.
            Err(_) if self.fate.load(Relaxed) == DEAD => Err(PiError::OwnerDied),
            Err(_) => Err(PiError::Taken),
        }
    }

    /// Takes the lock, or gives up once `deadline` has passed.
    ///
    /// # Errors
    ///
    /// Anything but `Taken`.
    #[inline]
    pub fn lock_until(&self, deadline: Deadline) -> Result<(), PiError> {
        // Acquire / Relaxed: rows a and e.
        let free =
            self.word.compare_exchange(FREE, thread_id(), ord!("pi_mutex.a", Acquire), Relaxed);
        if let Err(word) = free {
            self.lock_slow(word, deadline)?;
        }
        self.accept()
    }

    /// As [`lock_until`](Self::lock_until), for one whose try returned `error`.
    ///
    /// # Errors
    ///
    /// As for that; `error`, if waiting would not change it.
    pub fn lock_after(
        &self,
        error: PiError,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<(), PiError> {
        if error == PiError::Taken { self.lock_until(deadline()) } else { Err(error) }
    }

    /// Whether the lock is taken at this moment, or dead.
    #[inline]
    pub fn is_locked(&self) -> bool {
        // Relaxed: rows e and f.
        self.word.load(Relaxed) != FREE || self.fate.load(Relaxed) == DEAD
    }

    /// Releases the lock, to the most urgent of those who wait for it if there are any.
    ///
    /// # Safety
    ///
    /// The calling thread owns the lock (invariant 1), or did in the process that this one was
    /// forked from.
    #[inline]
    pub unsafe fn unlock(&self) {
        let word = self.word.load(Relaxed); // Relaxed: row e.
        // Release / Relaxed: rows c and e. With either bit set it is the kernel's.
        let released = word & (WAITERS | OWNER_DIED) == 0
            && self.word.compare_exchange(word, FREE, ord!("pi_mutex.c", Release), Relaxed).is_ok();
        if !released {
            self.unlock_slow();
        }
    }

    /// As [`unlock`](Self::unlock): every unlock gives the lock to who waits for it.
    ///
    /// # Safety
    ///
    /// As for [`unlock`](Self::unlock).
    #[inline]
    pub unsafe fn unlock_fair(&self) {
        // SAFETY: by the caller's contract.
        unsafe { self.unlock() }
    }

    /// Gives way to the most urgent of those who wait for the lock, and takes it again; does
    /// nothing if nobody waits.
    ///
    /// # Safety
    ///
    /// As for [`unlock`](Self::unlock).
    #[inline]
    pub unsafe fn bump(&self) {
        // Relaxed: row e.
        if self.word.load(Relaxed) & WAITERS != 0 {
            // SAFETY: by the caller's contract.
            unsafe { self.unlock() };
            self.relock();
        }
    }

    /// Takes the lock again for a guard that gave it up for a while, and is owed it: where that is
    /// not possible, ends the process.
    pub fn relock(&self) {
        if let Err(error) = self.lock_owed() {
            super::relock::never(&error);
        }
    }

    /// Takes the lock for one that is owed it. A kernel that cannot put a thread to sleep for it,
    /// for want of memory or because it has no such locks, is no reason not to: then this looks
    /// again and again, and sleeps in between, as the owner may be a thread of lower priority.
    ///
    /// # Errors
    ///
    /// `Deadlock`, `OwnerDied` or `NotPermitted`: those that waiting does not change.
    pub(super) fn lock_owed(&self) -> Result<(), PiError> {
        let mut backoff = Backoff::new();
        loop {
            match self.lock_checked() {
                Err(PiError::OutOfMemory | PiError::Unsupported) => backoff.wait_for_other(),
                result => return result,
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn lock_slow(&self, found: u32, deadline: Deadline) -> Result<(), PiError> {
        if found & OWNER == thread_id() {
            return Err(PiError::Deadlock);
        }
        if self.comes_free(found) {
            return Ok(());
        }
        let word = self.word.lock(deadline).inspect_err(|error| self.note(*error))?;
        self.receive(word);
        Ok(())
    }

    /// Takes the lock if its owner leaves in a moment and nobody waits.
    #[inline]
    fn comes_free(&self, mut word: u32) -> bool {
        let mut left = LOOKS;
        while left > 0 {
            left -= 1;
            if word == FREE {
                let (free, taken) = (FREE, thread_id());
                // Acquire / Relaxed: rows a and e.
                let acquire = ord!("pi_mutex.a", Acquire);
                match self.word.compare_exchange(free, taken, acquire, Relaxed) {
                    Ok(_) => return true,
                    Err(now) => word = now,
                }
            }
            if word & (WAITERS | OWNER_DIED) != 0 {
                break;
            }
            spin_loop();
            word = self.word.load(Relaxed); // Relaxed: row e.
        }
        false
    }

    /// What is due when the kernel has made this thread the owner; it left `word` behind.
    fn receive(&self, word: u32) {
        // Acquire: row b.
        fence(ord!("pi_mutex.b", Acquire));
        // The last owner may have made it free without the kernel.
        self.word.show_receipt();
        if word & OWNER_DIED != 0 && !mutant!("pi_mutex.trust-heirs") {
            self.fate.store(DEAD, Relaxed); // Relaxed: row f.
        }
    }

    /// Keeps the id of an owner that is gone from being taken for that of another thread (invariant
    /// 4): while the owner is gone, the word stays what it is. Not so once there is an heir: that
    /// one and those after it live, and their unlocks have to find what the kernel wrote.
    #[cold]
    fn note(&self, error: PiError) {
        if error != PiError::OwnerDied {
            return;
        }
        let word = self.word.load(ord!("pi_mutex.g", Acquire)); // Acquire: row g.
        // By its word there is no heir yet, or it is the heir's own; Relaxed: row f. Once an heir
        // has unlocked, whoever is in the word came after it, and this finds what that one said.
        let heir = word & OWNER_DIED != 0 || self.fate.load(Relaxed) == DEAD;
        if word & OWNER != FREE && (!heir || mutant!("pi_mutex.bury-heirs")) {
            // Relaxed: row e. It publishes nothing. An heir that has yet to write its id writes it
            // whatever it finds.
            let _ = self.word.compare_exchange(word, NOBODY, Relaxed, Relaxed);
        }
    }

    /// The last step of taking the lock: gives it back if it is dead.
    #[inline]
    fn accept(&self) -> Result<(), PiError> {
        // Also where the lock was free: the kernel may have made it so.
        show_receipt(&self.fate);
        if self.fate.load(Relaxed) == ALIVE { Ok(()) } else { self.refuse() } // Relaxed: row f.
    }

    #[cold]
    #[inline(never)]
    fn refuse(&self) -> Result<(), PiError> {
        // SAFETY: this thread has just become the owner.
        unsafe { self.unlock() };
        Err(PiError::OwnerDied)
    }

    #[cold]
    #[inline(never)]
    fn unlock_slow(&self) {
        if mutant!("pi_mutex.hand-over") {
            return;
        }
        // Release: row d.
        show_hand_over(&self.fate);
        fence(ord!("pi_mutex.d", Release));
        // SAFETY: the word is there while this thread owns the lock.
        if unsafe { PiFutex::unlock(&raw const self.word) } == Err(NotOwner) {
            self.unlock_inherited();
        }
    }

    /// In a child of fork, where the word names the thread that forked.
    #[cold]
    fn unlock_inherited(&self) {
        // Who comes meanwhile is refused, and changes nothing.
        let word = self.word.load(Relaxed); // Relaxed: row e.
        // Release / Relaxed: rows c and e.
        let result = self.word.compare_exchange(word, FREE, ord!("pi_mutex.c", Release), Relaxed);
        debug_assert!(result.is_ok(), "an inherited lock was changed by another thread");
    }

    /// Unlocks, sleeps on `from` while that holds `expected`, until [`send`](Self::send) sends this
    /// thread on and it has the lock again; or a signal, or `deadline`. What it says of ownership
    /// is final: after `Owner` this thread owns the lock, which is not dead.
    ///
    /// # Safety
    ///
    /// As for [`unlock`](Self::unlock).
    pub(super) unsafe fn unlock_and_wait(
        &self,
        from: &Futex<Private>,
        expected: u32,
        deadline: Deadline,
    ) -> Result<Handed, PiError> {
        // SAFETY: by the caller's contract.
        unsafe { self.unlock() };
        let handed = self.word.wait_requeue(from, expected, deadline)?;
        if let Handed::Owner(word) = handed {
            self.receive(word);
            self.accept()?;
        }
        Ok(handed)
    }

    /// Sends those who sleep on `from` on to this lock: the most urgent, and up to `more` after it.
    ///
    /// # Safety
    ///
    /// The calling thread owns the lock, and nobody else writes `from`.
    pub(super) unsafe fn send(&self, from: &Futex<Private>, more: u32) -> Result<u32, PiError> {
        self.word.requeue(from, more)
    }
}

impl Default for PiMutex {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for PiMutex {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PiMutex")
            .field("locked", &self.is_locked())
            .field("dead", &(self.fate.load(Relaxed) == DEAD)) // Relaxed: row f.
            .finish()
    }
}
