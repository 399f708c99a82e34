//! Waiting for the first of several things.
//!
//! # Steps
//!
//! ```text
//! A1  try_take each, first to last           one was there: done, and nobody was announced
//! A2  prepare each, first to last            one is there: taken; withdraw those announced
//! A3  sleep on all the words at once
//! A4  prepare each again, first to last      one is there: taken; withdraw all others
//!     none is there: A3
//! A5  the deadline passed: leave each        one is there: taken; withdraw those not left yet
//! ```
//!
//! # Invariants
//!
//! 1. At most one thing is taken: every step that takes is followed by nothing but withdrawals,
//!    which take nothing.
//! 2. Every announcement ends: by the step that takes, by `leave`, or by `withdraw`, once each.
//! 3. A wake-up that the sleep A3 consumed on a word is followed by a look at that thing, in A4, or
//!    by its withdrawal.
//!
//! # Orderings
//!
//! There is no word of its own here. What is taken brings with it what its own table promises, and
//! withdrawals promise nothing.
//!
//! # Why no wake-up is lost
//!
//! For one thing by itself: the waiter is announced like any other, and sleeps on the word as any
//! other, so what its module says of waiters holds for this one, as long as it looks after a sleep
//! that consumed a wake-up.
//!
//! That is what can fail here. Two things may happen at once, and each may wake this thread, which
//! is one thread: the kernel takes it off each queue as it is woken there, until it runs. It takes
//! the first, and the wake-up for the second, of which it may not even know, was meant for one of
//! those who sleep there. So a withdrawal passes a wake-up on, if it finds that the thing is there
//! while others are announced, in the step that takes its own announcement back. (Invariant 3. If
//! the thing is not there, somebody has taken it, or it was looked at in A4 before it came, and
//! then this thread was in no queue, and the wake-up went to somebody else. If nobody else is
//! announced, nobody else sleeps.) It may be that no wake-up was consumed: then one too many is
//! given, to somebody who looks and sleeps again. Things that wake all who wait have nothing to
//! pass on.
//!
//! A sleep that ended in any other way than by a wake-up consumed none on any word.
//!
//! # Where the kernel cannot sleep on several words
//!
//! `primitive` sleeps on the first word and looks at the others now and then. A waiter is announced
//! on those all the same, so their wake-ups are called for: they go to those who do sleep there,
//! and consume nothing of theirs.
//!
//! # Memory
//!
//! Up to 128 things, the list of words is on the stack; the kernel takes no longer list either.
//!
//! # Sources
//!
//! `WaitForMultipleObjects` of Win32, which also says which is first; `nsync_wait_n`.

use super::{Found, Latch, Waitable};
use crate::primitive::{Deadline, Private, Wait, WaitWord, mutant, wait_many};

/// Lists of this length take a few hundred bytes of stack, and others some thousand.
const FEW: usize = 8;
const MANY: usize = 128;

/// Takes the first of some things that is there, sleeping until one is or `deadline` passes: which
/// one, and what came of it. `of` says what each of `list` is to be waited for as; `deadline` is
/// asked if nothing is there at once.
///
/// # Panics
///
/// If there is nothing to wait for, for ever, or, without an allocator, more than 128 things.
#[inline]
#[track_caller]
pub(crate) fn wait_any<'a, T, F: Fn(&'a T) -> &'a dyn Waitable>(
    list: &'a [T],
    of: F,
    deadline: impl FnOnce() -> Deadline,
) -> Option<(usize, Found)> {
    // A1.
    for (i, wanted) in list.iter().enumerate() {
        if let Some(found) = of(wanted).try_take() {
            return Some((i, found));
        }
    }
    sleep_for_any(list, of, deadline())
}

#[cold]
#[inline(never)]
#[track_caller]
fn sleep_for_any<'a, T, F: Fn(&'a T) -> &'a dyn Waitable>(
    list: &'a [T],
    of: F,
    deadline: Deadline,
) -> Option<(usize, Found)> {
    match list.len() {
        0 => {
            assert!(deadline != Deadline::NEVER, "lockwork: a wait for any of nothing");
            Latch::<Private>::new(1).take(deadline).map(|found| (0, found))
        }
        ..=FEW => sleep_on(list, of, &mut [WaitWord::NONE; FEW], deadline),
        ..=MANY => sleep_on(list, of, &mut [WaitWord::NONE; MANY], deadline),
        #[cfg(feature = "alloc")]
        more => sleep_on(list, of, &mut alloc::vec![WaitWord::NONE; more], deadline),
        #[cfg(not(feature = "alloc"))]
        more => panic!("lockwork: a wait for any of {more} things needs the feature `alloc`"),
    }
}

/// Steps A2 to A5. There is room for as many words as there are things.
fn sleep_on<'a, T, F: Fn(&'a T) -> &'a dyn Waitable>(
    list: &'a [T],
    of: F,
    words: &mut [WaitWord<'a>],
    deadline: Deadline,
) -> Option<(usize, Found)> {
    let words = &mut words[..list.len()];
    let each = || list.iter().map(&of).enumerate();
    // A2.
    for (i, wanted) in each() {
        match wanted.prepare(None) {
            Ok(ticket) => words[i] = wanted.word(ticket),
            Err(found) => {
                each().take(i).for_each(|one| withdraw(one, words));
                return Some((i, found));
            }
        }
    }
    loop {
        // A3.
        match sleep_on_all(words, deadline) {
            Wait::TimedOut => break,
            Wait::Woken
                if deadline != Deadline::NEVER && mutant!("wait_any.leave-with-the-wake") =>
            {
                return None;
            }
            _ => {}
        }
        // A4. A sleep that consumed wake-ups is followed by looks, however late it is.
        for (i, wanted) in each() {
            match wanted.prepare(Some(words[i].expected())) {
                Ok(ticket) => words[i] = wanted.word(ticket),
                Err(found) => {
                    let others = each().filter(|&(other, _)| other != i);
                    others.for_each(|one| withdraw(one, words));
                    return Some((i, found));
                }
            }
        }
    }
    // A5.
    for (i, wanted) in each() {
        if let Some(found) = wanted.leave(words[i].expected()) {
            each().skip(i + 1).for_each(|one| withdraw(one, words));
            return Some((i, found));
        }
    }
    None
}

fn sleep_on_all(words: &[WaitWord<'_>], deadline: Deadline) -> Wait {
    // Some of those who are to wake us may not know of us, or not count us: `event_count`.
    #[cfg(feature = "alloc")]
    if crate::primitive::barrier_was_refused() || words.iter().any(WaitWord::is_of_nobody) {
        let soon = Deadline::after(super::event_count::NAP);
        return match wait_many(words, soon.min(deadline)) {
            Wait::TimedOut if !deadline.has_passed() => Wait::Interrupted,
            wait => wait,
        };
    }
    wait_many(words, deadline)
}

fn withdraw((i, wanted): (usize, &dyn Waitable), words: &[WaitWord<'_>]) {
    if mutant!("wait_any.take-two") {
        wanted.try_take();
    }
    if !mutant!("wait_any.stay-announced") {
        wanted.withdraw(words[i].expected());
    }
}
