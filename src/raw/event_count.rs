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
//! 63       62          47 46          32 31 30                 0
//! +--------+-------------+-------------+--+--------------------+
//! | FENCED |   waiters   |   called    | 0|      sequence      |   the low half is slept on
//! +--------+-------------+-------------+--+--------------------+
//! ```
//!
//! `waiters` counts the threads between `prepare` and the end of `cancel` or `wait`, `called` how
//! many of them have been called and have not taken note of it. A notifier that finds more waiters
//! than calls adds a call, moves the sequence on, so that a waiter not yet asleep does not fall
//! asleep, and wakes a sleeper. One that finds as many calls as waiters leaves: all of them are on
//! their way already. A waiter that leaves, or looks again, takes one call off, if there is one,
//! whoever it was meant for.
//!
//! FENCED tells notifiers to make a full fence. It is there from the start, and in the private
//! scope it is taken away by the first notifier to learn that the process has asymmetric fences
//! (`primitive::asymmetric`). So a notifier finds "nobody waits" and "no fence needed" in one load.
//!
//! # Transitions
//!
//! | | from | to | then |
//! |---|---|---|---|
//! | `prepare` | w, c | w + 1, c | heavy fence |
//! | `cancel`, end of `wait` | w, c | w - 1, c - 1, or 0 if that is 0 | - |
//! | `again`, if the sequence has moved | w, c | w, c - 1, or 0 if that is 0 | heavy fence |
//! | `notify` of n, with d = min(n, w - c) above 0 | w, c, sequence | w, c + d, sequence + 1 | wake d |
//!
//! # Invariants
//!
//! 1. A waiter sleeps only while the sequence is the one its ticket was given.
//! 2. With nobody waiting, and with everybody called, `notify` enters no kernel.
//! 3. `called <= waiters`.
//! 4. Of the waiters, at least as many as there are calls are awake, or about to be woken: by a
//!    notifier that has added its call and not yet woken. (Awake: not asleep, and not about to
//!    sleep on a sequence that is still current.) Each transition keeps it: a call comes with the
//!    wake of a sleeper, or there is none, and then the move of the sequence has made everybody
//!    awake; who leaves or looks again is awake, and takes a call with it, if there is one.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | heavy fence in `prepare` and `again`, after the change of the word | SeqCst | b, c | the look that follows stays behind it (no store after a load): Dekker with (b) |
//! | b | light fence in `notify`, before looking at the word | SeqCst | a | the look at the word stays behind the change before it |
//! | c | fence in `notify`, if the word says FENCED | SeqCst | a, d | as (b), where light fences are not for free |
//! | d | fence in `prepare` and `again`, of the shared scope | SeqCst | c | as (a) |
//! | e | all accesses of the word | Relaxed | - | the structure itself orders what is read in it; see below for the sequence |
//!
//! # Why no wake-up is lost
//!
//! Let a notifier change the structure (S1) and then look at the word (S2), and a waiter announce
//! itself (N1) and then look at the structure (N2). By the pair of fences, N2 sees S1 or S2 sees
//! N1. If N2 sees S1, there is nothing to lose. If S2 sees N1, it finds either more waiters than
//! calls, and then adds one: whoever was awake does not sleep, and otherwise one of the sleepers is
//! woken. Or it finds everybody called. Then, by (4), nobody is asleep who is not about to be
//! woken, and each of them will make a heavy fence (a) or leave before it sleeps again; and behind
//! that fence its look sees S1, as S2, which did not see the fence's announcement, has come before
//! it.
//!
//! A waiter that is given a sequence by N1 which a notifier has moved sees in N2 what that notifier
//! had changed, although all accesses are relaxed: between the two lies (a), and the move came
//! before that; so did the change, which is earlier in the notifier's program.
//!
//! A sleeper whose wake-up was meant for a change that another thread used up simply looks again.
//! One that gives up has looked for the last time after it left.
//!
//! For a waiter that was preempted between `prepare` and its sleep to miss a wake-up, the sequence
//! would have to come around: 2^31 times somebody else would have to announce himself, sleep, and
//! be called. That takes hours.
//!
//! # Where there is no barrier to be had
//!
//! If the kernel refuses a heavy fence ([`barrier_was_refused`]), a waiter may not rely on S2. It
//! sleeps for five milliseconds at a time and looks again.
//!
//! There is room for 32 767 waiters. Others are not counted, and look every five milliseconds too.
//! They sleep elsewhere: a wake-up that one of them took would be missing among those counted, of
//! whom one would go on sleeping while (4) says that he does not.
//!
//! # Cost
//!
//! `notify` without waiters: one plain load, and nothing else; a full fence and another load where
//! FENCED stays (shared scope; no membarrier). A wait: two read-modify-writes, a heavy fence (a
//! system call of about a microsecond) and the sleep.
//!
//! # Sources
//!
//! The name and the protocol: Dmitry Vyukov, "eventcounts" (2008). Calls that are not repeated: as
//! the semaphores of several runtimes count the wake-ups under way.

use super::Limit;
use crate::primitive::Ordering::{Relaxed, SeqCst};
use crate::primitive::{Deadline, Futex64, Private, Scope, Wait, WaitWord};
use crate::primitive::{as_shipped, bare_light_fence, barrier_was_refused, heavy_fence, settle};
use crate::primitive::{fence, model_const_fn, mutant, ord};

const FENCED: u64 = 1 << 63;
const ONE_WAITER: u64 = 1 << 47;
const ONE_CALL: u64 = 1 << 32;
const SEQUENCE: u64 = (1 << 31) - 1;

/// As many waiters, and calls, as are counted.
const MOST: u64 = (1 << 15) - 1;

/// In a ticket: its owner is not counted. No sequence has this bit.
const UNCOUNTED: u32 = WaitWord::OF_NOBODY;

/// How long a waiter sleeps that cannot count on being woken.
pub(super) const NAP: core::time::Duration = core::time::Duration::from_millis(5);

const fn waiters(word: u64) -> u64 {
    (word & !FENCED) / ONE_WAITER
}

const fn called(word: u64) -> u64 {
    (word / ONE_CALL) & MOST
}

const fn sequence(word: u64) -> u32 {
    (word & SEQUENCE) as u32
}

/// The word after a waiter has taken note of a call, if there is one.
fn one_call_less(word: u64) -> u64 {
    if called(word) > 0 && !mutant!("event_count.call-stays") { word - ONE_CALL } else { word }
}

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

impl Ticket {
    /// Whether its owner is counted. Who is not may not sleep on the word: it would take a wake-up
    /// away from those who are.
    pub fn is_counted(&self) -> bool {
        self.sequence != UNCOUNTED
    }

    /// As a number, to sleep on together with others; [`from_raw`](Self::from_raw) takes it back.
    pub fn into_raw(self) -> u32 {
        self.sequence
    }

    pub fn from_raw(sequence: u32) -> Self {
        Self { sequence }
    }
}

impl<S: Scope> EventCount<S> {
    model_const_fn! {
        /// Creates an event count without waiters.
        pub const fn new() -> Self {
            // Models start without it, but for those that are about it.
            let start = if S::SHARED || as_shipped() { FENCED } else { 0 };
            Self { word: Futex64::new(start) }
        }
    }

    /// Announces a waiter, which then has to look at the structure once more.
    pub fn prepare(&self) -> Ticket {
        let mut cur = self.word.load(Relaxed); // Relaxed: row e.
        loop {
            if waiters(cur) >= MOST {
                return Ticket { sequence: UNCOUNTED };
            }
            // Relaxed: row e.
            match self.word.compare_exchange(cur, cur + ONE_WAITER, Relaxed, Relaxed) {
                Ok(_) => break,
                Err(now) => cur = now,
            }
        }
        Self::fence();
        Ticket { sequence: sequence(cur) }
    }

    /// As withdrawing and announcing the waiter once more, but at no cost if it was not called.
    pub fn again(&self, ticket: &mut Ticket) {
        if !ticket.is_counted() {
            *ticket = self.prepare();
            return;
        }
        let mut cur = self.word.load(Relaxed); // Relaxed: row e.
        loop {
            if sequence(cur) == ticket.sequence {
                return; // The fence of then is still good: see (4).
            }
            // Relaxed: row e.
            match self.word.compare_exchange(cur, one_call_less(cur), Relaxed, Relaxed) {
                Ok(_) => break,
                Err(now) => cur = now,
            }
        }
        ticket.sequence = sequence(cur);
        if !mutant!("event_count.again-unfenced") {
            Self::fence();
        }
    }

    /// The waiter's side of the pair of fences.
    fn fence() {
        if S::SHARED {
            fence(ord!("event_count.d", SeqCst)); // SeqCst: row d.
        } else if !mutant!("event_count.a") {
            // Row a. If it was refused, `sleep` will know.
            let _made = heavy_fence();
        }
    }

    /// Withdraws: the look found what was wanted.
    pub fn cancel(&self, ticket: Ticket) {
        if !ticket.is_counted() {
            return;
        }
        let mut cur = self.word.load(Relaxed); // Relaxed: row e.
        loop {
            let new = one_call_less(cur - ONE_WAITER);
            match self.word.compare_exchange(cur, new, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(now) => cur = now,
            }
        }
    }

    /// Sleeps until notified or until `limit` is reached, withdraws, and says which; `false` if the
    /// limit was.
    ///
    /// A `true` may be a notification meant for others, or a signal: look again. So must a caller
    /// that gives up after `true`, as it may have had the only wake-up there was.
    #[allow(dead_code, reason = "for who looks by himself after a sleep")]
    pub fn wait(&self, ticket: Ticket, limit: impl Limit) -> bool {
        let wait = self.sleep(&ticket, limit);
        self.cancel(ticket);
        wait != Wait::TimedOut
    }

    /// Sleeps as [`wait`](Self::wait) does; the waiter stays announced.
    pub fn sleep(&self, ticket: &Ticket, limit: impl Limit) -> Wait {
        if !ticket.is_counted() || !S::SHARED && barrier_was_refused() {
            return self.nap(ticket, limit);
        }
        let alone = |deadline| self.word.wait_low(ticket.sequence, deadline);
        limit.sleep(self.word(ticket.sequence), alone)
    }

    /// Sleeps for a while, without much hope of being woken.
    #[cold]
    fn nap(&self, ticket: &Ticket, limit: impl Limit) -> Wait {
        let end = Deadline::after(NAP).min(limit.deadline());
        match self.word(ticket.sequence).wait(end) {
            Wait::TimedOut if !limit.is_reached() => Wait::Interrupted,
            wait => wait,
        }
    }

    /// The word to sleep on, and what it should be, for whoever sleeps on several. Nobody wakes who
    /// is not counted ([`WaitWord::is_of_nobody`]), so he looks again after a [`NAP`].
    pub fn word(&self, ticket: u32) -> WaitWord<'_> {
        match ticket {
            UNCOUNTED => WaitWord::of_nobody(),
            sequence => self.word.while_low_is(sequence),
        }
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

    /// Announces this many changes: wakes as many sleepers.
    #[inline]
    pub fn notify(&self, count: u32) {
        if !S::SHARED && !mutant!("event_count.b") {
            bare_light_fence(); // Row b. If it is not enough, the word says so.
        }
        // Relaxed: row e.
        if self.word.load(Relaxed) >= ONE_WAITER {
            self.notify_slow(count);
        }
    }

    #[cold]
    #[inline(never)]
    fn notify_slow(&self, count: u32) {
        let mut cur = self.word.load(Relaxed); // Relaxed: row e.
        if cur & FENCED != 0 {
            if !S::SHARED && settle() {
                self.word.fetch_and(!FENCED, Relaxed); // Relaxed: row e.
            }
            fence(ord!("event_count.c", SeqCst)); // SeqCst: row c.
            cur = self.word.load(Relaxed);
        }
        let calls = loop {
            let calls = match waiters(cur) - called(cur) {
                // Mutant: who comes while somebody is on his way thinks that enough.
                _ if mutant!("event_count.one-call") && called(cur) > 0 => 0,
                idle => idle.min(count.into()),
            };
            if calls == 0 {
                return;
            }
            let step = u64::from(!mutant!("event_count.sequence"));
            // The sequence wraps within its part.
            let new = cur & !SEQUENCE | cur.wrapping_add(step) & SEQUENCE;
            match self.word.compare_exchange(cur, new + calls * ONE_CALL, Relaxed, Relaxed) {
                Ok(_) => break calls,
                Err(now) => cur = now,
            }
        };
        if !mutant!("event_count.wake") {
            Futex64::wake(&raw const self.word, calls as u32);
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
        let word = self.word.load(Relaxed); // Relaxed: a display.
        f.debug_struct("EventCount")
            .field("waiters", &waiters(word))
            .field("called", &called(word))
            .finish()
    }
}

#[cfg(test)]
impl EventCount {
    /// One on which as many are asleep as are counted.
    pub(crate) fn full() -> Self {
        Self::crowded(MOST, 0)
    }

    /// One on which so many are asleep, and so many of them called: elsewhere.
    fn crowded(waiters: u64, called: u64) -> Self {
        let count = Self::new();
        count.word.fetch_add(waiters * ONE_WAITER + called * ONE_CALL, Relaxed);
        count
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::primitive::AtomicU32;

    fn crowded(waiters: u64, called: u64) -> EventCount {
        EventCount::crowded(waiters, called)
    }

    fn state(count: &EventCount) -> (u64, u64) {
        let word = count.word.load(Relaxed);
        (waiters(word), called(word))
    }

    #[test]
    fn the_last_who_is_counted_and_the_first_who_is_not() {
        let count = crowded(MOST - 1, 0);
        let last = count.prepare();
        assert!(last.is_counted());
        let mut beyond = count.prepare();
        assert!(!beyond.is_counted());
        assert_eq!(state(&count), (MOST, 0));
        count.cancel(beyond);
        assert_eq!(state(&count), (MOST, 0), "nobody was taken off for him");
        // Looking again, he finds the place of one who has left.
        beyond = count.prepare();
        count.again(&mut beyond);
        assert!(!beyond.is_counted());
        count.cancel(last);
        count.again(&mut beyond);
        assert!(beyond.is_counted());
        assert_eq!(state(&count), (MOST, 0));
        assert!(!count.wait(beyond, Deadline::after(Duration::from_millis(1))));
        assert_eq!(state(&count), (MOST - 1, 0));
    }

    /// No part of the word runs into the next one.
    #[test]
    fn as_many_calls_as_waiters() {
        let count = crowded(MOST, 0);
        count.notify_all();
        assert_eq!(state(&count), (MOST, MOST));
        let before = count.word.load(Relaxed);
        count.notify_one();
        count.notify_all();
        assert_eq!(count.word.load(Relaxed), before, "all are on their way");
        count.cancel(Ticket::from_raw(0));
        assert_eq!(state(&count), (MOST - 1, MOST - 1));
        let count = crowded(MOST, MOST - 2);
        count.notify(7);
        assert_eq!(state(&count), (MOST, MOST));
    }

    /// He who sleeps for longest would be woken first: not he who is not counted.
    #[test]
    fn who_is_not_counted_takes_no_wake_up() {
        for _ in 0..50 {
            let (count, ready) = (crowded(MOST - 1, 0), AtomicU32::new(0));
            thread::scope(|s| {
                let last = count.prepare();
                s.spawn(|| {
                    let beyond = count.prepare();
                    assert!(!beyond.is_counted());
                    ready.store(1, Relaxed);
                    assert_eq!(count.sleep(&beyond, Deadline::NEVER), Wait::Interrupted);
                    count.cancel(beyond);
                });
                let sleeper = s.spawn(|| {
                    while ready.load(Relaxed) == 0 {
                        thread::yield_now();
                    }
                    assert!(count.wait(last, Deadline::after(Duration::from_secs(20))));
                });
                while ready.load(Relaxed) == 0 {
                    thread::yield_now();
                }
                thread::sleep(NAP / 5);
                count.notify_one();
                sleeper.join().unwrap();
            });
            assert_eq!(state(&count), (MOST - 1, 0));
        }
    }

    /// Who is not counted is not called: he naps and looks, and his limit holds.
    #[test]
    fn who_is_not_counted_looks_by_himself() {
        for called in [0, MOST] {
            let (count, stock) = (crowded(MOST, called), AtomicU32::new(0));
            thread::scope(|s| {
                let waiter = s.spawn(|| {
                    let (mut ticket, mut naps) = (count.prepare(), 0_u32);
                    while stock.load(Relaxed) == 0 {
                        assert!(!ticket.is_counted());
                        assert_ne!(count.sleep(&ticket, Deadline::NEVER), Wait::TimedOut);
                        naps += 1;
                        count.again(&mut ticket);
                    }
                    count.cancel(ticket);
                    naps
                });
                thread::sleep(3 * NAP);
                stock.store(1, Relaxed);
                // Meant for the others, if they have not been called.
                count.notify_one();
                assert!(waiter.join().unwrap() >= 1);
            });
            let soon = Deadline::after(Duration::from_millis(1));
            assert_eq!(count.sleep(&count.prepare(), soon), Wait::TimedOut);
            assert!(soon.has_passed());
            assert_eq!(state(&count).0, MOST);
        }
    }
}
