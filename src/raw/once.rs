//! One closure that runs to its end, on one 32-bit futex word.
//!
//! # State word
//!
//! ```text
//!   31                                       3          2          1         0
//!   +----------------------------------------+----------+--------------------+
//!   |                 runner                 | SLEEPERS |        state       |
//!   +----------------------------------------+----------+--------------------+
//!
//! state          means                        moves
//! DONE     (0)   one has run to its end       none, for ever
//! NEW      (1)   no closure has run           begin -> RUNNING
//! POISONED (2)   the last one panicked        begin, forced -> RUNNING
//! RUNNING  (3)   `runner` runs one            its end -> DONE, POISONED; given up -> NEW
//! ```
//!
//! DONE is zero, the cheapest number to compare with, as that is what is done most.
//!
//! `runner` is the number of the thread that runs a closure, so that it is told instead of put to
//! sleep when it waits for itself; zero where no number is known, and while nobody runs one.
//!
//! Sleepers are of two classes: *callers* run a closure themselves if need be, *watchers* wait for
//! another thread to do it.
//!
//! # Invariants
//!
//! 1. An [`Attempt`] exists iff the word is `RUNNING`, and there is one. Its end moves the word on.
//! 2. While a thread sleeps on the word, the word has `SLEEPERS`, or a wake-up is on its way.
//!    `SLEEPERS` goes only with a wake-up of all who sleep.
//! 3. While a caller sleeps, the word is `RUNNING`, or a caller that was woken has yet to look.
//! 4. `DONE` is the last value. From the moment it is there whoever sees it may free the word: only
//!    its *address* is used afterwards.
//!
//! # Orderings
//!
//! | row | operation                   | order   | pairs with | why                               |
//! |-----|-----------------------------|---------|------------|-----------------------------------|
//! | a   | `is_done`, `state`          | Acquire | d          | see what the closure did          |
//! | b   | `begin` takes the word      | Acquire | d, e       | see what one that failed did      |
//! | c   | looks of those who wait     | Acquire | d          | as (a): it may be the last look   |
//! | d   | DONE or POISONED            | Release | a, b, c    | publish what the closure did      |
//! | e   | RUNNING off, on giving up   | Release | b          | as (d)                            |
//! | f   | SLEEPERS on                 | Relaxed | -          | publishes nothing, and as a read-modify-write does not part (d), (e) from (a), (b), (c) |
//!
//! # Why no wake-up is lost
//!
//! A waiter runs W1 `set SLEEPERS`, W2 `wait`; the runner ends with U1, a read-modify-write of the
//! word, and U2, a wake-up, if U1 saw `SLEEPERS`. If U1 comes before W1, W1 fails and the waiter
//! looks again. Otherwise U1 sees `SLEEPERS`. The kernel compares and enqueues for W2 under the
//! bucket lock that U2 takes: either W2 is queued by the time U2 looks, or it compares after U1 and
//! finds the word changed, or as it was because another attempt began, and then the end of that one
//! owes a wake-up.
//!
//! DONE and POISONED wake all. An attempt that is given up leaves `SLEEPERS` and wakes one caller,
//! which begins an attempt or finds that another thread has, and sleeps again: in both cases the
//! end of an attempt under way sees `SLEEPERS`. Watchers sleep through it, as there is nothing for
//! them to see. A caller has no deadline, so it never leaves with the wake-up; a watcher may, as it
//! is only ever woken together with all others.
//!
//! # Sources
//!
//! The states are those of `std`'s `Once`. That a failed attempt wakes one, and that the word names
//! the runner, is ours.

use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{Deadline, Futex, Private, Scope, Wait};
use crate::primitive::{model_const_fn, mutant, ord};

const DONE: u32 = 0;
const NEW: u32 = 1;
const POISONED: u32 = 2;
const RUNNING: u32 = 3;
const STATE: u32 = 3;

const SLEEPERS: u32 = 1 << 2;

const RUNNER_SHIFT: u32 = 3;

/// Where no number is known.
const UNKNOWN: u32 = 0;

/// Classes of sleepers.
const CALLERS: u32 = 1 << 0;
const WATCHERS: u32 = 1 << 1;

/// The state inside [`Once`](crate::Once) and its kin.
pub struct Once<S: Scope = Private> {
    word: Futex<S>,
}

/// What the word says at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    New,
    Poisoned,
    Running,
    Done,
}

/// The right to run a closure, and the duty to say how it ended. Dropped, it says that it panicked.
#[must_use = "dropping it poisons"]
pub struct Attempt<'a, S: Scope = Private> {
    once: &'a Once<S>,
    was_poisoned: bool,
    /// Where a drop leads to: `POISONED`, or `NEW`.
    otherwise: u32,
}

impl State {
    #[inline]
    fn of(word: u32) -> Self {
        match word & STATE {
            NEW => Self::New,
            POISONED => Self::Poisoned,
            RUNNING => Self::Running,
            _ => Self::Done,
        }
    }
}

impl<S: Scope> Once<S> {
    model_const_fn! {
        /// Nothing has run.
        pub const fn new() -> Self {
            Self { word: Futex::new(NEW) }
        }
    }

    model_const_fn! {
        /// As if a closure had run.
        pub const fn new_done() -> Self {
            Self { word: Futex::new(DONE) }
        }
    }

    /// Whether a closure has run to its end, which is then seen.
    #[inline]
    pub fn is_done(&self) -> bool {
        // Acquire: row a. DONE stands alone on the word: nobody sleeps, nobody runs.
        self.word.load(ord!("once.a", Acquire)) == DONE
    }

    #[inline]
    pub fn state(&self) -> State {
        // Acquire: row a.
        State::of(self.word.load(ord!("once.a", Acquire)))
    }

    /// Begins an attempt, or returns `None` once a closure has run. Sleeps while another thread's
    /// attempt is under way.
    ///
    /// # Panics
    ///
    /// If the word is poisoned and this is not `forced`; if the attempt under way is the calling
    /// thread's.
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub fn begin(&self, forced: bool) -> Option<Attempt<'_, S>> {
        let me = runner();
        // Acquire: row c.
        let mut cur = self.word.load(ord!("once.c", Acquire));
        loop {
            cur = match State::of(cur) {
                State::Done => return None,
                State::Poisoned if !forced => poisoned(),
                State::New | State::Poisoned => {
                    let next = cur & SLEEPERS | RUNNING | me << RUNNER_SHIFT;
                    // Acquire: rows b and c.
                    let (taken, look) = (ord!("once.b", Acquire), ord!("once.c", Acquire));
                    match self.word.compare_exchange(cur, next, taken, look) {
                        Ok(_) => {
                            let was_poisoned = State::of(cur) == State::Poisoned;
                            return Some(Attempt { once: self, was_poisoned, otherwise: POISONED });
                        }
                        Err(now) => now,
                    }
                }
                State::Running => {
                    refuse_own(cur, me);
                    self.sleep(CALLERS, cur, Deadline::NEVER).unwrap_or(cur)
                }
            }
        }
    }

    /// Waits until a closure has run, or returns `false` once `deadline` has passed.
    ///
    /// # Panics
    ///
    /// As [`begin`](Self::begin).
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub fn watch(&self, forced: bool, deadline: Deadline) -> bool {
        let me = runner();
        // Acquire: row c.
        let mut cur = self.word.load(ord!("once.c", Acquire));
        loop {
            match State::of(cur) {
                State::Done => return true,
                State::Poisoned if !forced => poisoned(),
                State::Running => refuse_own(cur, me),
                State::New | State::Poisoned => {}
            }
            match self.sleep(WATCHERS, cur, deadline) {
                Some(now) => cur = now,
                None => return self.is_done(),
            }
        }
    }

    /// Sleeps while the word is `cur`, and says what it is then; `None` if `deadline` has passed.
    fn sleep(&self, class: u32, cur: u32, deadline: Deadline) -> Option<u32> {
        let marked = cur | if mutant!("once.sleep-unannounced") { 0 } else { SLEEPERS };
        if marked != cur {
            let look = ord!("once.c", Acquire); // Acquire: row c.
            // Relaxed: row f.
            if let Err(now) = self.word.compare_exchange(cur, marked, Relaxed, look) {
                return Some(now);
            }
        }
        if self.word.wait_as(class, marked, deadline) == Wait::TimedOut {
            return None;
        }
        Some(self.word.load(ord!("once.c", Acquire))) // Acquire: row c.
    }

    /// Ends the attempt under way, and wakes all.
    fn finish(&self, state: u32) {
        let word = &raw const self.word;
        // Release: row d. Past this line `word` is only an address (invariant 4).
        let prev = self.word.swap(state, ord!("once.d", Release));
        debug_assert_eq!(State::of(prev), State::Running, "an attempt has one end");
        if prev & SLEEPERS != 0 && !mutant!("once.wake") {
            let count = if mutant!("once.wake-all") { 1 } else { u32::MAX };
            Futex::wake(word, count);
        }
    }

    /// Ends the attempt under way as if it had not been, and lets one caller try next.
    fn give_up(&self) {
        let word = &raw const self.word;
        let keep = if mutant!("once.forget-sleepers") { 0 } else { SLEEPERS };
        // What an attempt has made of the word, which nobody else changes. Relaxed: our own store.
        let own = (self.word.load(Relaxed) & !keep) - NEW;
        // Release: row e. `SLEEPERS` stays if it is there, or comes in between (invariant 2).
        let prev = self.word.fetch_sub(own, ord!("once.e", Release));
        debug_assert_eq!(State::of(prev), State::Running, "an attempt has one end");
        if prev & SLEEPERS != 0 && !mutant!("once.hand-on") {
            Futex::wake_classes(word, CALLERS, 1);
        }
    }
}

impl<S: Scope> Attempt<'_, S> {
    /// Whether the one before panicked.
    pub fn was_poisoned(&self) -> bool {
        self.was_poisoned
    }

    /// From now on a drop leaves everything as if there had been no attempt.
    pub fn or_as_before(mut self) -> Self {
        self.otherwise = NEW;
        self
    }

    /// The closure has run.
    pub fn complete(self) {
        let once = self.once;
        core::mem::forget(self);
        once.finish(DONE);
    }
}

impl<S: Scope> Drop for Attempt<'_, S> {
    fn drop(&mut self) {
        if self.otherwise == NEW {
            self.once.give_up();
        } else {
            self.once.finish(POISONED);
        }
    }
}

/// The calling thread's number, as far as it fits: a thread whose number does not is not told that
/// it waits for itself, and nobody is told falsely.
fn runner() -> u32 {
    #[cfg(feature = "std")]
    {
        let number = crate::primitive::thread_number();
        u32::try_from(number).ok().filter(|&it| it <= u32::MAX >> RUNNER_SHIFT).unwrap_or(UNKNOWN)
    }
    #[cfg(not(feature = "std"))]
    UNKNOWN
}

/// Panics if the attempt under way is the calling thread's, whose number is `me`.
#[track_caller]
fn refuse_own(word: u32, me: u32) {
    assert!(
        me == UNKNOWN || word >> RUNNER_SHIFT != me || mutant!("once.wait-for-itself"),
        "the closure of a once waits for its own end"
    );
}

#[cold]
#[track_caller]
fn poisoned() -> ! {
    panic!("poisoned: the closure of a once has panicked before")
}

impl<S: Scope> Default for Once<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Scope> core::fmt::Debug for Once<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Once").field("state", &self.state()).finish()
    }
}

impl<S: Scope> core::fmt::Debug for Attempt<'_, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Attempt").field("was_poisoned", &self.was_poisoned).finish()
    }
}
