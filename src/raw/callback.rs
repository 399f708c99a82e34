//! A closure that is called once, or taken back before.
//!
//! Somebody registers it; somebody else comes to call it, maybe at the very moment when the first
//! takes it back. Then the closure belongs to whoever is faster, and who takes it back waits for a
//! call that is under way, unless it is this call that does it.
//!
//! # State word
//!
//! ```text
//! 31                        3     2       1     0
//! +--------------------------+---------+-----------+
//! |  epoch of who calls it   | WATCHED |   state   |
//! +--------------------------+---------+-----------+
//!
//! IDLE    (0)   nobody has called it           call: -> CALLED, with the epoch of the process
//!                                              take back: -> OVER
//! CALLED  (1)   the call is under way          caller, at its end: -> OVER, and wakes who watches
//!                                              take back: WATCHED on, and sleep
//! OVER    (2)   the closure is gone
//! ```
//!
//! # Invariants
//!
//! 1. IDLE is left once. Whoever does it has the closure.
//! 2. OVER comes after the closure's end, and after all that it had was dropped.
//! 3. `caller` is written by whoever is about to call, one thread only, and no other thread has its
//!    number.
//! 4. One thread takes it back, at the most, so one watches.
//! 5. Nobody sleeps for a call in another process: see the epoch.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | `OVER` stored by the caller | Release | b | what the closure did comes before the return of whoever took it back |
//! | b | loads of who takes it back | Acquire | a | see that |
//! | c | `IDLE` left | Relaxed | - | the closure was written before anybody else was told of it, under a lock, and has one user from here on |
//! | d | `caller` | Relaxed | - | a thread finds its number only if it stored it, and then it does find it: it does not read behind its own writes |
//! | e | `WATCHED` on | Relaxed | - | carries nothing; a failed exchange is followed by (b) |
//!
//! # Why no wake-up is lost
//!
//! A watcher runs W1 `WATCHED on`, W2 `sleep`; the caller C1 swaps OVER in, C2 wakes if it saw
//! WATCHED. If C1 comes before W1, W1 fails. Else C1 sees WATCHED; C2 finds the watcher asleep, or
//! the kernel finds the word changed.
//!
//! # Fork
//!
//! A call that was under way in another thread when the process forked does not go on in the child,
//! and nobody there waits for it: the word has the parent's epoch. A thread that forks within the
//! call goes on with it in the child; it is not waited for either.

use alloc::boxed::Box;

use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{AtomicU64, Deadline, Futex, Private, UnsafeCell};
use crate::primitive::{fork_epoch, mutant, ord, this_thread};

const IDLE: u32 = 0;
const CALLED: u32 = 1;
const OVER: u32 = 2;
const STATE: u32 = 0b11;
const WATCHED: u32 = 1 << 2;
const EPOCH_SHIFT: u32 = 3;

/// What is called.
pub type Function = Box<dyn FnOnce() + Send>;

/// The closure and what has become of it.
pub struct Callback {
    state: Futex<Private>,
    caller: AtomicU64,
    function: UnsafeCell<Option<Function>>,
}

// SAFETY: the closure may be sent, and has one user at a time (invariant 1).
unsafe impl Send for Callback {}
// SAFETY: as for `Send`; nothing gives out a reference to it.
unsafe impl Sync for Callback {}

/// What taking a callback back has found.
pub enum TakenBack {
    /// It was not called, and never will be. Dropping the closure runs code of the user's.
    Before(Option<Function>),
    /// It was called, and the call is over, or is what takes it back.
    TooLate,
}

impl Callback {
    pub fn new(function: Function) -> Self {
        Self {
            state: Futex::new(IDLE),
            caller: AtomicU64::new(0),
            function: UnsafeCell::new(Some(function)),
        }
    }

    /// Calls the closure, unless it was taken back. For the one thread that was told to.
    pub fn call(&self) {
        self.caller.store(this_thread(), Relaxed); // Relaxed: row d.
        let called = fork_epoch() << EPOCH_SHIFT | CALLED;
        // Relaxed: row c.
        if self.state.compare_exchange(IDLE, called, Relaxed, Relaxed).is_err() {
            return;
        }
        // SAFETY: the exchange has made it ours (invariant 1).
        let function = self.function.with_mut(|function| unsafe { (*function).take() });
        let _over = Over { callback: self };
        if let Some(function) = function {
            function();
        }
    }

    /// Whether the closure has not been called yet, nor taken back.
    pub fn is_pending(&self) -> bool {
        self.state.load(Relaxed) == IDLE // Relaxed: a display.
    }

    /// Makes sure that the closure is not called from now on: it never was, or the call is over.
    pub fn take_back(&self) -> TakenBack {
        // Relaxed: row c.
        let Err(mut cur) = self.state.compare_exchange(IDLE, OVER, Relaxed, Relaxed) else {
            // SAFETY: the exchange has made it ours (invariant 1).
            return TakenBack::Before(
                self.function.with_mut(|function| unsafe { (*function).take() }),
            );
        };
        loop {
            if cur & STATE == CALLED {
                if self.is_not_to_be_waited_for(cur) {
                    return TakenBack::TooLate;
                }
                let watched = cur | WATCHED;
                // Relaxed: row e.
                if cur == watched
                    || self.state.compare_exchange(cur, watched, Relaxed, Relaxed).is_ok()
                {
                    self.state.wait(watched, Deadline::NEVER);
                }
            }
            // Acquire: row b.
            cur = self.state.load(ord!("callback.b", Acquire));
            if cur & STATE == OVER {
                return TakenBack::TooLate;
            }
        }
    }

    /// Whether the call that is under way is one that the calling thread is in, or of a process
    /// that this one was forked from.
    fn is_not_to_be_waited_for(&self, state: u32) -> bool {
        let epoch = fork_epoch() << EPOCH_SHIFT;
        let here = state & !WATCHED == epoch | CALLED || mutant!("callback.wait-for-parent");
        // Relaxed: row d.
        let mine = self.caller.load(Relaxed) == this_thread() && !mutant!("callback.wait-for-self");
        !here || mine
    }
}

/// Says that the call is over, however it ended.
struct Over<'a> {
    callback: &'a Callback,
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        // Release: row a.
        let prev = self.callback.state.swap(OVER, ord!("callback.a", Release));
        if prev & WATCHED != 0 && !mutant!("callback.wake") {
            Futex::wake(&raw const self.callback.state, 1);
        }
    }
}
