//! A counting semaphore on one 64-bit word.
//!
//! # State word
//!
//! ```text
//!  63                     32 31       30                    0
//! +------------------------+---------+-----------------------+
//! |        waiters         | CLOSED  |        permits        |   waiters sleep on the low half
//! +------------------------+---------+-----------------------+
//!
//! move                      word                              owes
//! acquire, at once          permits - n                       nothing
//! begin to wait             waiters + 1                       to leave by one of the next four
//! acquire, after waiting    permits - 1, waiters - 1          nothing
//! give up (deadline)        waiters - 1                       nothing
//! give up (closed)          waiters - 1                       nothing
//! withdraw                  waiters - 1                       a wake-up, if permits and waiters
//!                                                             are left
//! release                   permits + n                       n wake-ups, if there are waiters
//! close                     CLOSED                            a wake-up for all, if there are any
//! ```
//!
//! `waiters` counts the threads between the beginning of their wait and its end. The low half is
//! zero, the one value that anybody sleeps on, iff there are no permits and the semaphore is open.
//!
//! # Invariants
//!
//! 1. While a thread sleeps, there are at most as many permits as there are wake-ups on their way
//!    plus threads that were woken and have not looked yet.
//! 2. A thread that was woken looks at the word before it leaves, however late it is, or withdraws.
//! 3. Once `release` has added its permits, another thread may take one and free the semaphore:
//!    from there on only the *address* of the word is used. The same holds for `close`, and for a
//!    waiter once it is no longer counted. What `release` has to know of waiters is in the word
//!    that its one read-modify-write returns.
//! 4. The maximum is never written after the semaphore was made.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | permits taken | Acquire | b | see what was done before their release |
//! | b | permits added | Release | a | publish it |
//! | c | `CLOSED` set in `close` | Release | d | publish what was done before |
//! | d | who is told of it | Acquire | c | see that |
//! | e | waiters counted, failed looks, gauges | Relaxed | - | they publish nothing, and as read-modify-writes do not part (b), (c) from (a), (d) |
//!
//! # Why no wake-up is lost
//!
//! Invariant 1, move by move. A thread goes to sleep only where the kernel finds the low half zero
//! as it queues it: no permits. `release(n)` adds *n* permits and, if it found anybody counted, *n*
//! wake-ups that are on their way; if it found nobody counted, nobody slept. (Who begins to wait
//! later is counted later, and finds the permits.) The kernel turns *n* wake-ups into *n* threads
//! that were woken, or leaves no sleeper. A thread that was woken takes a permit or finds none. Who
//! takes a permit without having slept leaves fewer permits. A wait that timed out or was
//! interrupted consumed no wake-up, so leaving then loses none. Who withdraws, because of several
//! things something else came, may have been woken here as well; if so, and there are permits, it
//! wakes another in its stead.
//!
//! So if the permit that a thread was woken for is gone, there is none left for it to sleep beside:
//! it sleeps again, and is still counted when whoever was faster releases.
//!
//! # Cost
//!
//! One read-modify-write each for `acquire` and `release`, and no system call while nobody waits,
//! not even after a wait that timed out. `release(n)` is one read-modify-write and at most one
//! system call, whatever *n* is.
//!
//! # Fork and shared memory
//!
//! Waiters that do not exist any more, because they were left behind by a fork or killed, stay
//! counted. That costs each release a call that finds nobody, and nothing else. One that is killed
//! after it was woken takes the wake-up along: the permit can be had by whoever comes, but a thread
//! that slept beside it may sleep until the next release.
//!
//! # Sources
//!
//! The word is that of `sem_t` in glibc since 2.21 (Torvald Riegel), which cured its bug 12674: a
//! post that looked at the semaphore once it could be gone.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use super::waitable::take_slow;
use super::{Found, Limit, Waitable};
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{Futex64, Private, Scope, UnsafeCell, WaitWord};
use crate::primitive::{model_const_fn, mutant, ord, spin_loop, tuning};

const ONE_WAITER: u64 = 1 << 32;
const CLOSED: u32 = 1 << 31;

/// The most permits that a semaphore can have.
pub const MAX_PERMITS: u32 = CLOSED - 1;

/// Looks at the word before a waiter sleeps; none in the model, so that it sleeps.
const POLLS: u32 = tuning(100, 0);

/// Why permits were not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There were too few, until the deadline if there was one.
    NoPermits,
    /// The semaphore was closed.
    Closed,
}

/// The semaphore inside [`Semaphore`](crate::Semaphore).
pub struct Semaphore<S: Scope = Private> {
    word: Futex64<S>,
    /// Like the word in a cell, and as wide, so that no byte of a semaphore is outside of one: who
    /// releases has a reference to a semaphore that may be gone when the call returns.
    max: UnsafeCell<u64>,
}

// SAFETY: `max` is never written (invariant 4), and everything else is atomic.
unsafe impl<S: Scope> Send for Semaphore<S> {}
// SAFETY: as for `Send`.
unsafe impl<S: Scope> Sync for Semaphore<S> {}
// A panic leaves a number of permits, and any number is fine.
impl<S: Scope> UnwindSafe for Semaphore<S> {}
impl<S: Scope> RefUnwindSafe for Semaphore<S> {}

/// Refuses numbers of permits that cannot be.
#[track_caller]
pub(super) const fn check(permits: u32, max: u32) {
    assert!(max <= MAX_PERMITS, "a semaphore has at most i32::MAX permits");
    assert!(permits <= max, "more permits than the maximum");
}

/// For `add`: `n` permits if there is room for them, beside those there are and below the maximum.
pub(super) fn all_of(n: u32) -> impl Fn(u32, u32) -> Result<u32, u32> {
    move |permits, max| if n <= max - permits { Ok(n) } else { Err(permits) }
}

/// For `add`: as many of `n` permits as there is room for.
pub(super) fn as_many_of(n: u32) -> impl Fn(u32, u32) -> Result<u32, u32> {
    move |permits, max| match n.min(max - permits) {
        0 => Err(permits),
        n => Ok(n),
    }
}

/// The permits in a word, and [`CLOSED`].
const fn low(word: u64) -> u32 {
    word as u32
}

impl<S: Scope> Semaphore<S> {
    model_const_fn! {
        /// Creates a semaphore with some permits, that can have up to `max`.
        ///
        /// # Panics
        ///
        /// If `permits` are more than `max`, or that is more than [`MAX_PERMITS`].
        #[track_caller]
        pub const fn new(permits: u32, max: u32) -> Self {
            check(permits, max);
            Self { word: Futex64::new(permits as u64), max: UnsafeCell::new(max as u64) }
        }
    }

    /// Takes `n` permits if there are as many.
    #[inline]
    pub fn try_acquire(&self, n: u32) -> Result<(), Refusal> {
        let mut cur = self.word.load(Relaxed); // Relaxed: row e; the exchange decides.
        loop {
            // A closed one has more than `MAX_PERMITS` in its low half, and refuses those too.
            if low(cur) > MAX_PERMITS || low(cur) < n {
                return Err(self.refusal());
            }
            let new = cur - u64::from(n);
            // Acquire / Relaxed: rows a and e.
            match self.word.compare_exchange(cur, new, ord!("semaphore.a", Acquire), Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => cur = now,
            }
        }
    }

    /// Adds `n` permits and wakes as many waiters; if there would be too many, adds none, and says
    /// how many there are.
    #[inline]
    pub fn release(&self, n: u32) -> Result<(), u32> {
        self.add(all_of(n))
    }

    /// Adds `n` permits, or as many of them as there is room for, and wakes as many waiters.
    #[inline]
    pub fn put_back(&self, n: u32) {
        let _full = self.add(as_many_of(n));
    }

    /// Takes all the permits there are, and says how many they were.
    pub fn drain(&self) -> u32 {
        let mut cur = self.word.load(Relaxed); // Relaxed: row e; the exchange decides.
        loop {
            let permits = low(cur) & MAX_PERMITS;
            let new = cur - u64::from(permits);
            // Acquire / Relaxed: rows a and e.
            match self.word.compare_exchange(cur, new, ord!("semaphore.a/drain", Acquire), Relaxed)
            {
                Ok(_) => return permits,
                Err(now) => cur = now,
            }
        }
    }

    /// Lets nobody take permits any more, and wakes all who wait. Says whether it was open.
    pub fn close(&self) -> bool {
        let word = &raw const self.word;
        // Release: row c. Past this line `word` is only an address (invariant 3).
        let prev = self.word.fetch_or(u64::from(CLOSED), ord!("semaphore.c", Release));
        if prev >= ONE_WAITER && low(prev) & CLOSED == 0 && !mutant!("semaphore.close-wake") {
            Futex64::wake(word, u32::MAX);
        }
        low(prev) & CLOSED == 0
    }

    /// Whether nobody can take permits any more.
    #[inline]
    pub fn is_closed(&self) -> bool {
        // Acquire: row d.
        low(self.word.load(ord!("semaphore.d", Acquire))) & CLOSED != 0
    }

    /// The number of permits at this moment.
    #[inline]
    pub fn available(&self) -> u32 {
        low(self.word.load(Relaxed)) & MAX_PERMITS // Relaxed: row e.
    }

    /// The number of threads that wait, or are about to, at this moment.
    pub fn waiters(&self) -> u32 {
        (self.word.load(Relaxed) / ONE_WAITER) as u32 // Relaxed: row e.
    }

    /// The most permits that it can have.
    #[inline]
    pub fn max(&self) -> u32 {
        // SAFETY: nobody writes to it (invariant 4).
        (unsafe { *self.max.get() }) as u32
    }

    /// Adds as many permits as `room` says for the number of those there are and the most that
    /// there may be, and wakes as many waiters.
    #[inline]
    fn add(&self, room: impl Fn(u32, u32) -> Result<u32, u32>) -> Result<(), u32> {
        let (word, max) = (&raw const self.word, self.max());
        let mut cur = self.word.load(Relaxed); // Relaxed: row e; the exchange decides.
        loop {
            let n = room(low(cur) & MAX_PERMITS, max)?;
            let new = cur + u64::from(n);
            // Release: row b. Once it succeeds, `word` is only an address (invariant 3).
            match self.word.compare_exchange(cur, new, ord!("semaphore.b", Release), Relaxed) {
                Ok(_) => {
                    if mutant!("semaphore.touch-after-release") {
                        let _gone = self.word.load(Relaxed);
                    }
                    if cur >= ONE_WAITER {
                        wake(word, n);
                    }
                    return Ok(());
                }
                Err(now) => cur = now,
            }
        }
    }

    /// Why there were no permits, once a look has said so.
    #[cold]
    fn refusal(&self) -> Refusal {
        if self.is_closed() { Refusal::Closed } else { Refusal::NoPermits }
    }

    /// Takes a permit, sleeping until there is one or `limit` is reached. For whom
    /// [`try_acquire`](Self::try_acquire) has refused.
    #[cold]
    #[inline(never)]
    pub fn wait(&self, limit: impl Limit) -> Result<(), Refusal> {
        if self.poll() {
            match self.try_acquire(1) {
                Err(Refusal::NoPermits) => {}
                end => return end,
            }
        }
        match take_slow(self, limit) {
            Some(Found::It) => Ok(()),
            Some(Found::Closed) => Err(Refusal::Closed),
            None => Err(Refusal::NoPermits),
        }
    }

    /// Ends the wait of a counted waiter if there is a permit for it, or the semaphore is closed.
    fn end_wait(&self) -> Option<Found> {
        let mut cur = self.word.load(Relaxed); // Relaxed: row e; the exchanges decide.
        while low(cur) != 0 {
            if low(cur) & CLOSED != 0 {
                // Acquire: row d. Past this line the semaphore may be gone (invariant 3).
                self.word.fetch_sub(counted(), ord!("semaphore.d/waiter", Acquire));
                return Some(Found::Closed);
            }
            let new = cur - 1 - counted();
            // Acquire / Relaxed: rows a and e.
            let order = ord!("semaphore.a/waiter", Acquire);
            match self.word.compare_exchange(cur, new, order, Relaxed) {
                Ok(_) => return Some(Found::It),
                Err(now) => cur = now,
            }
        }
        None
    }

    /// Looks at the word for a moment, in case a release is about to come; not while others wait.
    /// Says whether there is a change.
    fn poll(&self) -> bool {
        let mut left = POLLS;
        while left > 0 {
            // Relaxed: row e.
            match self.word.load(Relaxed) {
                0 => spin_loop(),
                word => return low(word) > 0,
            }
            left -= 1;
        }
        false
    }
}

impl<S: Scope> Waitable for Semaphore<S> {
    fn try_take(&self) -> Option<Found> {
        match self.try_acquire(1) {
            Ok(()) => Some(Found::It),
            Err(Refusal::Closed) => Some(Found::Closed),
            Err(Refusal::NoPermits) => None,
        }
    }

    fn prepare(&self, earlier: Option<u32>) -> Result<u32, Found> {
        if earlier.is_none() {
            self.word.fetch_add(counted(), Relaxed); // Relaxed: row e.
        }
        // The only value that anybody sleeps on.
        self.end_wait().map_or(Ok(0), Err)
    }

    fn leave(&self, _ticket: u32) -> Option<Found> {
        let found = self.end_wait();
        if found.is_none() {
            // Relaxed: row e. A permit that comes before this line is left to others: its wake-up
            // went to one of them, as this waiter did not sleep any more.
            self.word.fetch_sub(counted(), Relaxed);
        }
        found
    }

    fn withdraw(&self, _ticket: u32) {
        let word = &raw const self.word;
        // Relaxed: row e. Past this line `word` is only an address (invariant 3).
        let prev = self.word.fetch_sub(counted(), Relaxed);
        let is_there = low(prev) != 0 && low(prev) & CLOSED == 0;
        if is_there && prev >= 2 * ONE_WAITER && !mutant!("semaphore.keep-the-wake") {
            wake(word, 1);
        }
    }

    fn word(&self, ticket: u32) -> WaitWord<'_> {
        self.word.while_low_is(ticket)
    }
}

/// What a waiter adds to the word.
fn counted() -> u64 {
    if mutant!("semaphore.uncounted") { 0 } else { ONE_WAITER }
}

#[cold]
#[inline(never)]
fn wake<S: Scope>(word: *const Futex64<S>, n: u32) {
    if !mutant!("semaphore.wake") {
        Futex64::wake(word, if mutant!("semaphore.wake-one") { 1 } else { n });
    }
}

impl<S: Scope> fmt::Debug for Semaphore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .field("max", &self.max())
            .field("waiters", &self.waiters())
            .field("closed", &self.is_closed())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::thread;

    use super::*;
    use crate::primitive::{Deadline, ProcessShared};

    /// The protocol on a word of the other scope: a private wake would miss a shared sleeper.
    #[test]
    fn process_shared_words_sleep_and_wake() {
        let semaphore = Semaphore::<ProcessShared>::new(0, 2);
        let soon = Deadline::after(Duration::from_millis(1));
        assert_eq!(semaphore.wait(soon), Err(Refusal::NoPermits));
        thread::scope(|s| {
            let sleepers = [(); 2].map(|()| s.spawn(|| semaphore.wait(Deadline::NEVER)));
            // Until they have announced themselves; whether they sleep is up to the kernel.
            while semaphore.waiters() < 2 {
                thread::yield_now();
            }
            assert_eq!(semaphore.release(2), Ok(()));
            for sleeper in sleepers {
                assert_eq!(sleeper.join().unwrap(), Ok(()));
            }
            let last = s.spawn(|| semaphore.wait(Deadline::NEVER));
            while semaphore.waiters() == 0 {
                thread::yield_now();
            }
            assert!(semaphore.close());
            assert_eq!(last.join().unwrap(), Err(Refusal::Closed));
        });
        assert_eq!((semaphore.available(), semaphore.waiters()), (0, 0));
    }
}
