//! The lock of a list of waiters, which notices that its holder was left behind by a fork.
//!
//! # State word
//!
//! ```text
//!  31                      2 1     0
//! +-------------------------+-------+
//! |       fork epoch        | state |
//! +-------------------------+-------+
//!
//! FREE      (0)   nobody has the lock
//! HELD      (1)   taken; the holder owes nothing
//! CONTENDED (3)   taken; the holder owes a wake-up
//! ```
//!
//! A mutex of the kind in `raw::mutex`, without its hand-over, in a word that says of which process
//! it is. A word with another epoch than this process's was left by a process we were forked from:
//! its holder does not exist here, nor do the waiters in the list, so whoever finds it takes the
//! lock over in one compare-exchange, and has to forget the list unread.
//!
//! # Invariants
//!
//! 1. While a thread of this process sleeps on the word, the word is `CONTENDED`, or a wake-up is
//!    on its way, or a woken thread has yet to take the lock, and takes it as `CONTENDED`.
//! 2. Once the lock is released, only the *address* of the word is used: what it belongs to may be
//!    gone.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | take the lock | Acquire | b | see the links the last holder wrote |
//! | b | release the lock | Release | a | publish them |
//! | c | say that somebody sleeps | Relaxed | - | takes nothing; order comes from (a) |

use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{Deadline, Futex, Private};
use crate::primitive::{fork_epoch, model_const_fn, mutant, ord, spin_loop, tuning};

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 3;
const STATE: u32 = 0b11;

/// Polls before the list lock sleeps; it is held for a few stores.
const POLLS: u32 = tuning(100, 0);

/// The list lock: `{ epoch, state }` in one word.
pub(super) struct ListLock {
    word: Futex<Private>,
}

/// Proof that the list lock is held; releases it when dropped.
pub(super) struct HeldList<'a> {
    lock: &'a ListLock,
    pub(super) epoch: u32,
}

/// The fork epoch, where the list lock's word has it.
pub(super) fn list_epoch() -> u32 {
    fork_epoch() << 2
}

impl ListLock {
    model_const_fn! {
        pub(super) const fn new() -> Self {
            // Epoch 0 is no process's: the first to lock "inherits" an empty list.
            Self { word: Futex::new(FREE) }
        }
    }

    /// Whether the word was last written by another process.
    pub(super) fn is_inherited(&self) -> bool {
        self.word.load(Relaxed) & !STATE != list_epoch() // Relaxed: a display.
    }

    /// Takes the lock. The flag says that it was taken over from another process.
    pub(super) fn lock(&self) -> (HeldList<'_>, bool) {
        let (held, found) = self.take();
        let inherited = found & !STATE != held.epoch && !mutant!("list_lock.trust-inherited");
        (held, inherited)
    }

    /// Takes the lock of a list whose nodes are memory of this process also after a fork. The flag
    /// says that it was taken over from another process in which somebody had it: then the list
    /// may be in the middle of a change.
    #[cfg(feature = "alloc")]
    pub(super) fn lock_copied(&self) -> (HeldList<'_>, bool) {
        let (held, found) = self.take();
        let torn = found & !STATE != held.epoch && found & STATE != FREE;
        (held, torn)
    }

    /// Takes the lock, and says what its word was.
    fn take(&self) -> (HeldList<'_>, u32) {
        let mut spins = POLLS;
        let mut claim = HELD;
        loop {
            // Each time: a signal handler may fork while we wait.
            let epoch = list_epoch();
            let cur = self.word.load(Relaxed); // Relaxed: decided by the compare-exchange.
            let inherited = cur & !STATE != epoch;
            if inherited || cur & STATE == FREE {
                let new = epoch | claim;
                // Acquire: row a.
                let order = ord!("list_lock.a", Acquire);
                if self.word.compare_exchange(cur, new, order, Relaxed).is_ok() {
                    return (HeldList { lock: self, epoch }, cur);
                }
            } else if cur & STATE == HELD && spins > 0 {
                spins -= 1;
                spin_loop();
            } else {
                let contended = epoch | CONTENDED;
                // Relaxed: does not take the lock; order comes from the exchange that does.
                if cur == contended
                    || self.word.compare_exchange(cur, contended, Relaxed, Relaxed).is_ok()
                {
                    self.word.wait(contended, Deadline::NEVER);
                    // Others may sleep behind us, as in `raw::mutex`.
                    if !mutant!("list_lock.forget-sleepers") {
                        claim = CONTENDED;
                    }
                }
            }
        }
    }
}

impl Drop for HeldList<'_> {
    fn drop(&mut self) {
        let word = &raw const self.lock.word;
        // Release: row b.
        let prev = self.lock.word.swap(self.epoch | FREE, ord!("list_lock.b", Release));
        if prev & STATE == CONTENDED && !mutant!("list_lock.wake") {
            Futex::wake(word, 1);
        }
    }
}
