//! Sleeping until something that others change without a lock has changed.
//!
//! A lock-free structure has no mutex to wait with. Its waiters announce themselves, look once
//! more, and then sleep unless something was announced in between:
//!
//! ```text
//! waiter                                   notifier
//! N1 ticket = prepare()                    S1 change the structure
//! N2 look at the structure                 S2 notify(..)
//! N3 found: cancel(ticket), go on
//!    not found: wait(ticket, deadline)
//! ```
//!
//! # State word
//!
//! ```text
//! 63                     32 31                      0
//! +------------------------+------------------------+
//! |        waiters         |       sequence         |   sleepers sleep on the low half
//! +------------------------+------------------------+
//! ```
//!
//! `waiters` counts threads between `prepare` and the end of `cancel` or `wait`. A notifier that
//! finds it above zero moves the sequence on, so that a waiter not yet asleep does not fall asleep,
//! and wakes sleepers.
//!
//! # Invariants
//!
//! 1. A waiter sleeps only while the sequence is the one its ticket was given.
//! 2. With nobody waiting, `notify` enters no kernel.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | fence in `prepare`, after counting | SeqCst | b | the look that follows stays behind the count (no store after a load): Dekker with (b) |
//! | b | fence in `notify`, before looking at the count | SeqCst | a | the look at the count stays behind the change before it |
//! | c | all accesses of the word | Relaxed | - | the structure itself orders what is read in it |
//!
//! # Why no wake-up is lost
//!
//! One of the fences comes first. If (a): the notifier sees the waiter counted, moves the sequence
//! and wakes; the waiter, if it is not asleep yet, finds the sequence changed, and otherwise is
//! among the sleepers, of whom `notify(n)` wakes *n*. If (b): the waiter's look N2 sees the change.
//! A sleeper whose wake-up was meant for a change that another thread used up simply looks again.
//!
//! A waiter that was preempted between `prepare` and its sleep while exactly 2^32 notifications
//! were made would not notice; at one per 100 ns that is a preemption of seven minutes.
//!
//! # Cost
//!
//! `notify` without waiters: one full fence and one load. A wait: two read-modify-writes, a fence
//! and the sleep.
//!
//! # Sources
//!
//! The name and the protocol: Dmitry Vyukov, "eventcounts" (2008).

use super::Limit;
use crate::primitive::Ordering::{Relaxed, SeqCst};
use crate::primitive::{Futex64, Private, Scope, Wait};
use crate::primitive::{fence, model_const_fn, mutant, ord};

const ONE_WAITER: u64 = 1 << 32;
const SEQUENCE: u64 = ONE_WAITER - 1;

/// Lets threads sleep until a lock-free structure changes.
pub struct EventCount<S: Scope = Private> {
    word: Futex64<S>,
}

/// The sequence at the time of `prepare`. Every ticket goes back through `cancel` or `wait`.
#[derive(Debug)]
#[must_use = "a waiter that does not cancel or wait is counted for ever"]
pub struct Ticket {
    sequence: u32,
}

impl<S: Scope> EventCount<S> {
    model_const_fn! {
        /// Creates an event count without waiters.
        pub const fn new() -> Self {
            Self { word: Futex64::new(0) }
        }
    }

    /// Announces a waiter, which then has to look at the structure once more.
    pub fn prepare(&self) -> Ticket {
        // Relaxed: row c.
        let prev = self.word.fetch_add(ONE_WAITER, Relaxed);
        fence(ord!("event_count.a", SeqCst)); // SeqCst: row a.
        Ticket { sequence: (prev & SEQUENCE) as u32 }
    }

    /// Withdraws: the look found what was wanted.
    pub fn cancel(&self, ticket: Ticket) {
        let Ticket { .. } = ticket;
        self.word.fetch_sub(ONE_WAITER, Relaxed); // Relaxed: row c.
    }

    /// Sleeps until notified or until `limit` is reached, and says which; `false` if it was.
    ///
    /// A `true` may be a notification meant for others, or a signal: look again. So must a caller
    /// that gives up after `true`, as it may have had the only wake-up there was.
    pub fn wait(&self, Ticket { sequence }: Ticket, limit: impl Limit) -> bool {
        let alone = |deadline| self.word.wait_low(sequence, deadline);
        let wait = limit.sleep(self.word.while_low_is(sequence), alone);
        self.word.fetch_sub(ONE_WAITER, Relaxed); // Relaxed: row c.
        wait != Wait::TimedOut
    }

    /// Announces one change: wakes one sleeper, if there may be any.
    #[inline]
    pub fn notify_one(&self) {
        self.notify(1);
    }

    /// Announces a change that concerns all: wakes every sleeper.
    #[inline]
    pub fn notify_all(&self) {
        self.notify(if mutant!("event_count.notify-all") { 1 } else { u32::MAX });
    }

    #[inline]
    fn notify(&self, count: u32) {
        fence(ord!("event_count.b", SeqCst)); // SeqCst: row b.
        // Relaxed: row c.
        if self.word.load(Relaxed) >= ONE_WAITER {
            self.notify_slow(count);
        }
    }

    #[cold]
    #[inline(never)]
    fn notify_slow(&self, count: u32) {
        let mut cur = self.word.load(Relaxed); // Relaxed: row c.
        loop {
            let step = u64::from(!mutant!("event_count.sequence"));
            // The sequence wraps within its half.
            let new = cur & !SEQUENCE | cur.wrapping_add(step) & SEQUENCE;
            match self.word.compare_exchange(cur, new, Relaxed, Relaxed) {
                Ok(_) => break,
                Err(now) => cur = now,
            }
        }
        if !mutant!("event_count.wake") {
            Futex64::wake(&raw const self.word, count);
        }
    }
}

impl<S: Scope> Default for EventCount<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Scope> core::fmt::Debug for EventCount<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let waiters = self.word.load(Relaxed) / ONE_WAITER; // Relaxed: a display.
        f.debug_struct("EventCount").field("waiters", &waiters).finish()
    }
}
