//! Sleeping on several words at once.
//!
//! # What the call promises
//!
//! That of one word: it returns when one of the words was woken or is not what it was, when a
//! signal came, or when the deadline has passed. `Woken` means that at least one wake-up was
//! consumed, and maybe one on *each* of the words: which ones, the kernel does not say. (It names
//! one, as a hint; nobody here asks.) So whoever does not take what all the words announce has to
//! pass wake-ups on. Every other answer means that none was consumed.
//!
//! # Where the kernel does not help
//!
//! `futex_waitv` came with Linux 5.16, and filters that are older than that forbid it. Then a
//! thread sleeps on the first word alone, for a slice of time, compares the others, and goes on
//! with a slice of twice the length: from a tenth of a millisecond up to ten. So the first word
//! wakes as ever, and another is noticed late by as long as it took, but by ten milliseconds at the
//! most; a long wait costs a hundred looks a second. On the words that are only looked at, no
//! wake-up is consumed.
//!
//! The same is done for words beyond the 128 that the kernel takes at once, while the thread
//! sleeps on the first 128.
//!
//! A refusal is remembered for the whole process: a filter may have been installed for one thread
//! only, and then the others sleep in slices too.

#![allow(unreachable_pub, reason = "public in the model build")]

use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use core::time::Duration;

use super::real::how_it_ended;
use super::{Deadline, Wait};
#[cfg(feature = "alloc")]
use super::{Futex, Private};
use crate::sys::errno::Errno;
use crate::sys::futex::{WAITV_MAX, Waiter, waitv};

/// One of several words to sleep on, and the value that it has to hold.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct WaitWord<'a> {
    entry: Waiter,
    word: PhantomData<&'a ()>,
}

impl WaitWord<'_> {
    /// None; fills lists up, and is not for sleeping.
    pub(crate) const NONE: Self = Self::new(Waiter::NONE);

    pub(super) const fn new(entry: Waiter) -> Self {
        Self { entry, word: PhantomData }
    }

    /// The value that the word has to hold.
    pub(crate) fn expected(&self) -> u32 {
        self.entry.expected()
    }

    /// Sleeps on this word alone.
    pub(crate) fn wait(&self, deadline: Deadline) -> Wait {
        how_it_ended("FUTEX_WAIT_BITSET", self.entry.wait(Some(deadline.nanos())))
    }
}

// For event counts.
#[cfg(feature = "alloc")]
impl WaitWord<'_> {
    /// What the [word of nobody](Self::of_nobody) holds.
    pub(crate) const OF_NOBODY: u32 = 1 << 31;

    /// A word that holds what it should for ever, and that nobody wakes: for who looks by himself.
    pub(crate) fn of_nobody() -> Self {
        static WORD: Futex<Private> = Futex::new(WaitWord::OF_NOBODY);
        WORD.while_it_is(Self::OF_NOBODY)
    }

    pub(crate) fn is_of_nobody(&self) -> bool {
        self.entry == Self::of_nobody().entry
    }
}

/// Whether the kernel, or a filter before it, has refused once. Relaxed: nothing depends on when it
/// is seen, and at worst the kernel is asked again.
static REFUSED: AtomicBool = AtomicBool::new(false);

const FIRST_SLICE: Duration = Duration::from_micros(100);
const LONGEST_SLICE: Duration = Duration::from_millis(10);

/// Sleeps while all the words hold what they should, until a wake-up on any of them, a signal or
/// `deadline`. There has to be a word.
///
/// The words are compared one after the other, each as by [`Futex::wait`](super::Futex::wait).
pub(crate) fn wait_many(words: &[WaitWord<'_>], deadline: Deadline) -> Wait {
    if let [word] = words {
        return word.wait(deadline);
    }
    if !REFUSED.load(Relaxed) {
        match in_spans(words, WAITV_MAX, deadline) {
            Ok(wait) => return wait,
            Err(Refused::ForNow) => {}
            Err(Refused::ForEver) => REFUSED.store(true, Relaxed),
        }
    }
    match in_spans(words, 1, deadline) {
        Ok(wait) => wait,
        Err(_) => unreachable!("a sleep on one word is not refused"),
    }
}

/// Why the kernel does not let a thread sleep on several words.
#[derive(Debug)]
enum Refused {
    /// There was no memory for the list.
    ForNow,
    /// It does not know how, or may not.
    ForEver,
}

/// Sleeps on as many words as make a span, the first ones, and looks at the others now and then.
fn in_spans(words: &[WaitWord<'_>], span: usize, deadline: Deadline) -> Result<Wait, Refused> {
    let (first, others) = words.split_at(words.len().min(span));
    let mut slice = FIRST_SLICE;
    loop {
        let until = match others {
            [] => deadline,
            _ => deadline.min(Deadline::after(slice)),
        };
        let wait = sleep(first, until)?;
        // Who is late looks at everything himself.
        if wait != Wait::TimedOut || until == deadline {
            return Ok(wait);
        }
        for some in others.chunks(span) {
            let look = sleep(some, Deadline::PAST)?;
            if look != Wait::TimedOut {
                return Ok(look);
            }
        }
        slice = (slice * 2).min(LONGEST_SLICE);
    }
}

/// One sleep on all of the words; there are as many as a span has at the most.
fn sleep(words: &[WaitWord<'_>], deadline: Deadline) -> Result<Wait, Refused> {
    if let [word] = words {
        return Ok(word.wait(deadline));
    }
    // SAFETY: `WaitWord` is a transparent `Waiter`.
    let entries = unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), words.len()) };
    match waitv(entries, Some(deadline.nanos())) {
        Err(Errno::NO_SYS | Errno::PERM | Errno::ACCES) => Err(Refused::ForEver),
        Err(Errno::NO_MEM) => Err(Refused::ForNow),
        slept => Ok(how_it_ended("futex_waitv", slept)),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;
    use std::vec::Vec;

    use super::super::{Futex, Futex64, Private, ProcessShared};
    use super::*;

    const SPANS: [usize; 2] = [1, WAITV_MAX];

    /// Nothing if there is no such call here: then the other span is what is tested.
    fn ends(words: &[WaitWord<'_>], span: usize, deadline: Deadline) -> Option<Wait> {
        match in_spans(words, span, deadline) {
            Ok(wait) => Some(wait),
            Err(Refused::ForEver) if span > 1 => None,
            Err(refused) => panic!("{refused:?}"),
        }
    }

    fn many(count: usize) -> Vec<Futex<Private>> {
        (0..count).map(|_| Futex::new(7)).collect()
    }

    fn all_of(words: &[Futex<Private>]) -> Vec<WaitWord<'_>> {
        words.iter().map(|word| word.while_it_is(7)).collect()
    }

    #[test]
    fn a_word_that_is_not_what_it_was_is_noticed_wherever_it_is() {
        for (count, span) in [(2, 1), (2, WAITV_MAX), (5, 1), (300, WAITV_MAX), (300, 1)] {
            for changed in [0, 1, count / 2, count - 1] {
                let words = many(count);
                words[changed].swap(8, Relaxed);
                let wait = ends(&all_of(&words), span, Deadline::NEVER);
                assert!(matches!(wait, Some(Wait::Changed) | None), "{count} {span} {changed}");
            }
        }
    }

    #[test]
    fn a_change_and_a_wake_up_later_are_noticed_too() {
        for (count, span) in [(2, 1), (2, WAITV_MAX), (130, WAITV_MAX), (130, 1)] {
            for woken in [0, count - 1] {
                let words = many(count);
                thread::scope(|s| {
                    let sleeper = s.spawn(|| ends(&all_of(&words), span, Deadline::NEVER));
                    thread::sleep(Duration::from_millis(3));
                    words[woken].swap(8, Relaxed);
                    Futex::wake(&words[woken], 1);
                    let wait = sleeper.join().unwrap();
                    assert!(matches!(wait, Some(Wait::Changed | Wait::Woken) | None));
                });
            }
        }
    }

    #[test]
    fn low_halves_count_and_high_halves_do_not() {
        for span in SPANS {
            let (wide, narrow) = (Futex64::<Private>::new(7 << 32 | 3), Futex::<Private>::new(0));
            let words = [narrow.while_it_is(0), wide.while_low_is(3)];
            let soon = Deadline::after(Duration::from_millis(1));
            assert!(matches!(ends(&words, span, soon), Some(Wait::TimedOut) | None));
            wide.fetch_add(1, Relaxed);
            assert!(matches!(ends(&words, span, Deadline::NEVER), Some(Wait::Changed) | None));
            assert_eq!(words[1].expected(), 3);
        }
    }

    /// A private wake would miss a shared sleeper, and the other way round.
    #[test]
    fn words_of_both_scopes() {
        let (private, shared) = (Futex::<Private>::new(7), Futex::<ProcessShared>::new(7));
        let words = [private.while_it_is(7), shared.while_it_is(7)];
        let turned = [words[1], words[0]];
        // Of a span of one, only the first word can be woken.
        for (words, span, of_private) in [
            (words, WAITV_MAX, true),
            (words, WAITV_MAX, false),
            (words, 1, true),
            (turned, 1, false),
        ] {
            thread::scope(|s| {
                let sleeper = s.spawn(move || ends(&words, span, Deadline::NEVER));
                let wake = || match of_private {
                    true => Futex::wake(&private, 1),
                    false => Futex::wake(&shared, 1),
                };
                while !sleeper.is_finished() && wake() == 0 {
                    thread::yield_now();
                }
                assert!(matches!(sleeper.join().unwrap(), Some(Wait::Woken) | None));
            });
        }
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn the_word_of_nobody_ends_no_sleep() {
        let (changed, nobody) = (Futex::<Private>::new(8), WaitWord::of_nobody());
        assert!(nobody.is_of_nobody() && !changed.while_it_is(WaitWord::OF_NOBODY).is_of_nobody());
        assert_eq!(nobody.expected(), WaitWord::OF_NOBODY);
        assert_eq!(nobody.wait(Deadline::after(Duration::from_millis(1))), Wait::TimedOut);
        for span in SPANS {
            let words = [nobody, nobody, changed.while_it_is(7)];
            let soon = Deadline::after(Duration::from_millis(1));
            assert!(matches!(ends(&words[..2], span, soon), Some(Wait::TimedOut) | None));
            assert!(matches!(ends(&words, span, Deadline::NEVER), Some(Wait::Changed) | None));
        }
    }

    #[test]
    fn no_wait_ends_before_its_deadline() {
        for (count, span) in [(2, 1), (2, WAITV_MAX), (200, WAITV_MAX), (200, 1)] {
            let words = many(count);
            for millis in [0, 1, 25] {
                let wait = Duration::from_millis(millis);
                let start = Instant::now();
                let end = ends(&all_of(&words), span, Deadline::after(wait));
                assert!(end.is_none() || end == Some(Wait::TimedOut) && start.elapsed() >= wait);
            }
            let end = ends(&all_of(&words), span, Deadline::PAST);
            assert!(matches!(end, Some(Wait::TimedOut) | None));
        }
    }
}
