//! Mutual exclusion on one 32-bit futex word.
//!
//! # State word
//!
//! ```text
//!     31       30            9     8      7      2      1         0
//!   +----------+--------------+---------+----------+----------+--------+
//!   | STARVING |    EPOCH     | HANDOFF |   zero   | SLEEPERS | LOCKED |
//!   +----------+--------------+---------+----------+----------+--------+
//!
//! value         lock       the unlocker owes   moves
//! 0      (FREE) free       -                   anybody -> L
//! S             free       a wake-up, which    who was woken -> L+S, anybody else -> L
//!                          is on its way
//! L      (HELD) taken      nothing             unlock -> 0, a waiter -> L+S, a starver -> L+T
//! L+S           taken      one wake-up         unlock -> S, a starver -> L+T, unlock_fair -> L+H
//! L+T, L+S+T    taken      one wake-up of the  unlock -> T, S+T; the starver gave up: -> L+S
//!                          starver, if S
//! T, S+T        reserved   -                   the starver -> L+H
//! L+H, L+S+H    taken      one wake-up, if S   unlock -> H, S+H; nobody was woken: -> L, L+S;
//!                                              who was woken -> L+T, L+S+T, or gave up: -> L+S
//! H, S+H        reserved   -                   who was woken -> L+S, or -> L+H
//! ```
//!
//! `EPOCH` is zero without `H` (`HANDOFF`) or `T` (`STARVING`), and with them says in which process
//! they were set. In a child of fork, whoever the lock was reserved for does not exist, so there
//! these two bits say nothing: waiters read the word as if they were not set, and write it so. A
//! wait that began in the parent may go on in the child, so nobody sleeps for more than a
//! millisecond where the lock is free.
//!
//! # Invariants
//!
//! 1. A context owns the lock iff it set `LOCKED` and has not called [`unlock`](Mutex::unlock) or
//!    [`unlock_fair`](Mutex::unlock_fair) since.
//! 2. While a thread sleeps on the word, the word has `LOCKED` and `SLEEPERS`, or a wake-up is on
//!    its way, or a thread that was woken or starves is awake, which takes the lock or sets them.
//!    So a thread that was woken never takes the lock without `SLEEPERS` or `HANDOFF`, and never
//!    sleeps without `SLEEPERS`. Who was not woken consumed nothing, and owes nobody.
//! 3. Once an unlock has cleared `LOCKED`, a new owner may free the mutex: from there on only the
//!    *address* of the word is used, and what the unlock saw of the word.
//! 4. `HANDOFF` is set by the owner, before it wakes a sleeper for it, and stays only if one was
//!    woken. Only who was woken may take the lock then, so nobody who has yet to sleep gets in.
//! 5. `STARVING` is set by a waiter, the *starver*, for itself, while the lock is taken: in place
//!    of `HANDOFF` if it was woken, or if it has waited for a millisecond and the lock is not
//!    reserved. Until it has had the lock or given up, nobody else sets or clears it, and nobody
//!    else takes the lock: the starver is overtaken by nobody.
//!
//! # Orderings
//!
//! | row | operation                     | order   | pairs with | why                            |
//! |-----|-------------------------------|---------|------------|--------------------------------|
//! | a   | taking a free lock at once    | Acquire | c          | see the last owner's writes    |
//! | b   | taking it later               | Acquire | c          | as (a)                         |
//! | c   | `LOCKED` off in `unlock`      | Release | a, b       | publish this owner's writes    |
//! | d   | failed `try_lock`, polls      | Relaxed | -          | hints: nothing is read through them |
//! | e   | S, H and T, on and off        | Relaxed | -          | they publish nothing, and as read-modify-writes do not part (c) from (a), (b) |
//!
//! # Why no wake-up is lost
//!
//! A waiter runs W1 `set SLEEPERS`, W2 `wait`; the owner runs U1 `clear LOCKED`, and U2 `wake(1)`
//! if U1 saw `SLEEPERS`. If U1 comes before W1 in the order of the word, W1 fails, or marks the
//! word of a newer owner. Otherwise U1 sees `SLEEPERS`, so U2 runs. The kernel compares and
//! enqueues for W2 under the bucket lock that U2 takes. If it compared before U1, W2 is queued by
//! the time U2 looks. If after, it returns `Changed`, unless the word has `LOCKED` again, and then
//! a newer owner owes the wake-up if `SLEEPERS` is still there. A thread that was woken sets
//! `SLEEPERS` whether it takes the lock or sleeps again, so the duty passes on to it. A newcomer
//! that finds the lock free takes `SLEEPERS` away: U2 of whoever left it there does what it asks
//! for. A wait that timed out consumed no wake-up, so leaving then loses none; the `SLEEPERS` bit
//! it leaves behind costs one wake-up call that finds nobody.
//!
//! An owner that hands the lock over wakes a sleeper first, and then unlocks, so it can go back if
//! nobody slept. It takes `SLEEPERS` away when it sets `HANDOFF`, as the duty is with the one it
//! wakes. If that one looks before the lock is released, it becomes the starver, so that it keeps
//! its turn however long the section still is.
//!
//! A starver takes `SLEEPERS` away as well: it is awake, and owes a wake-up from then on. It sets
//! it again if it goes to sleep or gives up, and hands the lock over once it has it. While it
//! sleeps, U2 wakes it and nobody else: starvers have a class of their own. If it is awake by then,
//! U2 finds nobody, and the starver finds the lock free, also when it is late. Woken as one of all,
//! it is a woken thread like any other.
//!
//! Sleepers also arrive by requeueing, from a condition variable whose notifier owns the lock: it
//! sets `SLEEPERS` first (row e), so invariant 2 holds when they arrive. They sleep in the ordinary
//! class, as a wake-up for the starver must not reach anybody else.
//!
//! # Fairness
//!
//! Barging, with a bound. A thread that is running may take the lock before one that sleeps, and
//! does so as long as nobody has waited for long: a lock that is given to sleeping threads stands
//! idle while they wake up. A waiter that runs a millisecond after it first slept, and finds the
//! lock taken and not reserved, reserves it. Once it has the lock, it hands it over to the first of
//! the sleepers, as early as that, and so does that one, until one has it that has not waited for
//! long. So those who have waited have their turn one after the other, in the order in which they
//! went to sleep, and then the lock is open to all again. For a waiter to run it has to get a core:
//! what others do meanwhile is the scheduler's.
//!
//! # Scaling
//!
//! One read-modify-write to lock, one to unlock; with the word and the data in one line, a
//! hand-over moves that line once. A waiter polls only while nobody sleeps, and looks less and less
//! often: each look takes the line away from an owner that may lock again, and costs it a transfer
//! to get it back. So of two that compete, one runs on for some sections, which costs no transfer.
//!
//! Before it sleeps for the first time, a waiter gives its core away three times. Where every core
//! has something to run, whoever owns the lock gets on, and so do those who would queue behind it:
//! with 16 threads on 2 cores the longest wait is 16 ms instead of 28, the worst overtaking 0.7
//! times as much, and there are a quarter fewer calls to wake. Where a core is idle, a yield is a
//! longer pause.
//!
//! An unlock leaves a reservation in place, so it is no exchange. On x86-64 it is an *and* whose
//! flags say whether there is more to do, the cheapest of all the ways to unlock: a lock and unlock
//! take 5.3 ns on a Zen 4, and with an exchange 5.6, with a compare-and-exchange 5.9, with an
//! exchange of the low byte 9.5, as the next lock has to wait for a store of another size.
//!
//! # Sources
//!
//! Ulrich Drepper, "Futexes Are Tricky" (2011), the mutex in its section 5. That looking rarely
//! matters more than for how long: the Linux mutex of Swift's Synchronization module (2026), and
//! WebKit's adaptive lock. A millisecond, and turns in order after that: Go's `sync.Mutex` (1.9).

use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{Deadline, Futex, Private, Scope, Wait, fork_epoch, patience};
use crate::primitive::{model_const_fn, mutant, ord, spin_loop, tuning, yield_now};

const LOCKED: u32 = 1 << 0;
const SLEEPERS: u32 = 1 << 1;
const HANDOFF: u32 = 1 << 8;
const EPOCH_SHIFT: u32 = 9;
const STARVING: u32 = 1 << 31;

const FREE: u32 = 0;
const HELD: u32 = LOCKED;

/// A reservation, and the process that it was made in.
const MARK: u32 = !(LOCKED | SLEEPERS);
const EPOCH: u32 = MARK & !(HANDOFF | STARVING);

/// Classes of sleepers: the masks of their waits.
pub(super) mod class {
    /// Everybody, also whoever a condition variable moves here.
    pub(crate) const ORDINARY: u32 = 1 << 0;
    /// The starver, beside the one above.
    pub(super) const STARVER: u32 = 1 << 1;
}

/// Pauses for which a waiter polls before it sleeps. None in the model, so that it sleeps.
const PAUSES: u32 = tuning(255, 0);

/// How often a waiter gives its core away before it sleeps for the first time.
const YIELDS: u32 = tuning(3, 0);

/// Pauses between two looks at the most; the first few are closer together.
const LONGEST_GAP: u32 = 64;

/// The lock inside [`Mutex`](crate::Mutex): no data, no guard, not re-entrant.
pub struct Mutex<S: Scope = Private> {
    word: Futex<S>,
}

/// What a waiter knows of its own wait.
struct Waiter {
    /// Was woken here, or counts as such: others may sleep behind it, and the lock may be reserved
    /// for it.
    woken: bool,
    /// When it will have waited for long. Known once it has slept.
    long: Deadline,
    /// The reservation that it made for itself last, or 0.
    mark: u32,
    /// Pauses it may still poll for before it sleeps.
    pauses: u32,
    /// How often it may still give its core away before it sleeps.
    yields: u32,
}

impl<S: Scope> Mutex<S> {
    model_const_fn! {
        /// Creates a free mutex.
        pub const fn new() -> Self {
            Self { word: Futex::new(FREE) }
        }
    }

    /// Takes the lock if it is free, and says whether it did. Never blocks.
    #[inline]
    pub fn try_lock(&self) -> bool {
        // Acquire / Relaxed: rows a and d.
        match self.word.compare_exchange(FREE, HELD, ord!("mutex.a", Acquire), Relaxed) {
            Ok(_) => true,
            Err(word) => word & LOCKED == 0 && self.try_lock_marked(),
        }
    }

    /// Takes a lock that is free although its word is not `FREE`.
    #[cold]
    fn try_lock_marked(&self) -> bool {
        let newcomer = Waiter::newcomer();
        loop {
            let word = self.word.load(Relaxed); // Relaxed: the exchange decides.
            if !newcomer.may_take(sane(word)) {
                return false;
            }
            if self.take(word, &newcomer) {
                return true;
            }
        }
    }

    /// Takes the lock, sleeping while it is taken.
    #[inline]
    pub fn lock(&self) {
        self.lock_until(Deadline::NEVER);
    }

    /// Takes the lock, or returns `false` once `deadline` has passed.
    #[inline]
    pub fn lock_until(&self, deadline: Deadline) -> bool {
        // Acquire / Relaxed: rows a and d.
        self.word.compare_exchange(FREE, HELD, ord!("mutex.a", Acquire), Relaxed).is_ok()
            || self.lock_slow(deadline)
    }

    /// Whether the lock is taken, or reserved for a waiter, at this moment.
    #[inline]
    pub fn is_locked(&self) -> bool {
        // Relaxed: row d.
        self.word.load(Relaxed) & LOCKED != 0 || self.is_reserved()
    }

    /// Whether the next to have the lock is a certain waiter, at this moment.
    pub fn is_reserved(&self) -> bool {
        reservation(self.word.load(Relaxed)) != 0 // Relaxed: row d.
    }

    /// Releases the lock, waking one sleeper if there may be any.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock (invariant 1).
    #[inline]
    pub unsafe fn unlock(&self) {
        let word = &raw const self.word;
        // Relaxed: row d.
        debug_assert_ne!(self.word.load(Relaxed) & LOCKED, 0, "unlocked a free mutex");
        // Release: row c. Past this line `word` is only an address (invariant 3).
        let (sleepers, starving) = self.word.clear_lowest(ord!("mutex.c", Release));
        if sleepers {
            wake_sleeper(word, starving);
        }
    }

    /// Releases the lock to a thread that sleeps for it, if there is one: nobody who comes later
    /// gets in before.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock (invariant 1).
    #[inline]
    pub unsafe fn unlock_fair(&self) {
        // Relaxed: row d.
        if self.word.load(Relaxed) == HELD {
            // SAFETY: by the caller's contract.
            unsafe { self.unlock() };
        } else {
            // SAFETY: by the caller's contract.
            unsafe { self.hand_over() };
        }
    }

    /// Gives way to a thread that sleeps for the lock, and takes the lock again; does nothing if
    /// nobody sleeps.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock (invariant 1).
    #[inline]
    pub unsafe fn bump(&self) {
        // Relaxed: row d.
        if self.word.load(Relaxed) != HELD {
            // SAFETY: by the caller's contract.
            unsafe { self.hand_over() };
            // Not having slept, it is not for us that the lock may be reserved.
            self.lock();
        }
    }

    /// Releases the lock to one that sleeps, or to nobody.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock (invariant 1).
    #[cold]
    #[inline(never)]
    unsafe fn hand_over(&self) {
        // Sleepers of other processes can be killed on their way; no lock waits for them. One that
        // reserved the lock for itself gets it anyway.
        let cur = self.word.load(Relaxed); // Relaxed: row d.
        let new = HELD | HANDOFF | epoch();
        let marks = !S::SHARED
            && cur & SLEEPERS != 0
            && reservation(cur) == 0
            // Relaxed: row e.
            && self.word.compare_exchange(cur, new, Relaxed, Relaxed).is_ok();
        if !marks {
            // SAFETY: by the caller's contract.
            return unsafe { self.unlock() };
        }
        self.wake_heir();
        // SAFETY: by the caller's contract.
        unsafe { self.unlock() };
    }

    /// Wakes a sleeper to whom `HANDOFF` gives the lock. We own it, so the mark can be taken back
    /// if nobody sleeps after all.
    fn wake_heir(&self) {
        if Futex::wake(&raw const self.word, 1) != 0 || mutant!("mutex.hand-to-nobody") {
            return;
        }
        loop {
            let word = self.word.load(Relaxed); // Relaxed: the exchange decides.
            // One that was woken before may have claimed it meanwhile.
            if word & HANDOFF == 0 || self.change(word, word & !MARK) {
                return;
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn lock_slow(&self, deadline: Deadline) -> bool {
        self.wait(Waiter::newcomer(), deadline)
    }

    fn wait(&self, mut waiter: Waiter, deadline: Deadline) -> bool {
        let mut late = false;
        loop {
            let word = self.word.load(Relaxed); // Relaxed: the exchanges decide.
            let cur = sane(word);
            if waiter.may_take(cur) {
                if self.take(word, &waiter) {
                    return true;
                }
                continue;
            }
            if late {
                if self.change(word, waiter.left(cur)) {
                    return false;
                }
                continue;
            }
            if waiter.claims::<S>(cur) {
                // Read once: a signal handler can fork in between.
                let mark = STARVING | epoch();
                // What a hand-over left of `SLEEPERS` is not this waiter's to take away.
                let kept = if cur & HANDOFF != 0 { cur & SLEEPERS } else { 0 };
                if self.change(word, HELD | kept | mark) {
                    waiter.mark = mark;
                }
                continue;
            }
            // In case the owner is about to leave; not while others sleep, as the line is then
            // better left to the owner.
            let polls = cur == HELD || waiter.owns(cur) && cur & SLEEPERS == 0;
            if polls && self.poll(word, &mut waiter.pauses) != word {
                continue;
            }
            // In case the owner waits for a core.
            if cur & LOCKED != 0 && waiter.yields > 0 {
                waiter.yields -= 1;
                yield_now();
                continue;
            }
            let next = cur | SLEEPERS;
            if !self.change(word, next) {
                continue;
            }
            if waiter.long == Deadline::NEVER {
                waiter.long = patience(0);
            }
            // A nap, where the lock is free. In a child of fork it is reserved for nobody, and the
            // kernel may have begun this very wait again there.
            let naps = next & LOCKED == 0;
            let until = if naps { deadline.min(patience(0)) } else { deadline };
            match self.word.wait_as(waiter.classes(next), next, until) {
                // It tries once more before it looks at the deadline again, and says again that
                // there are sleepers: it may have taken the only wake-up there is.
                Wait::Woken => waiter.woken = true,
                Wait::TimedOut => late = until == deadline,
                Wait::Changed | Wait::Interrupted => {}
            }
            waiter.pauses = PAUSES;
        }
    }

    /// Changes the word from `word`, for a waiter; `false` if somebody else did before.
    fn change(&self, word: u32, new: u32) -> bool {
        // Relaxed: row d.
        word == new || self.word.compare_exchange(word, new, Relaxed, Relaxed).is_ok()
    }

    /// Takes the lock for `waiter`, who may, if the word is still `word`.
    fn take(&self, word: u32, waiter: &Waiter) -> bool {
        let passes_on = reservation(word) != 0 && waiter.long.has_passed();
        let new = if passes_on { HELD | HANDOFF | epoch() } else { waiter.taken::<S>(word) };
        // Acquire: row b.
        if self.word.compare_exchange(word, new, ord!("mutex.b", Acquire), Relaxed).is_err() {
            return false;
        }
        if passes_on {
            self.wake_heir();
        }
        true
    }

    /// Looks at the word for a moment, as long as it is `word`; what it saw last. Each look takes
    /// the line away from its owner, so there are few, and fewer with time.
    fn poll(&self, word: u32, pauses: &mut u32) -> u32 {
        let mut gap = 1;
        loop {
            let seen = self.word.load(Relaxed); // Relaxed: row d.
            if seen != word || *pauses < gap {
                return seen;
            }
            for _ in 0..gap {
                spin_loop();
            }
            *pauses -= gap;
            gap = (2 * gap).min(LONGEST_GAP);
        }
    }
}

/// This process, as a reservation names it.
fn epoch() -> u32 {
    fork_epoch() << EPOCH_SHIFT & EPOCH
}

/// The word without a reservation that was made in another process.
fn sane(word: u32) -> u32 {
    if word & MARK == 0 || word & EPOCH == epoch() || mutant!("mutex.trust-inherited-marks") {
        word
    } else {
        word & !MARK
    }
}

/// How the lock is reserved, or 0.
fn reservation(word: u32) -> u32 {
    sane(word) & (HANDOFF | STARVING)
}

impl Waiter {
    fn newcomer() -> Self {
        Self { woken: false, long: Deadline::NEVER, mark: 0, pauses: PAUSES, yields: YIELDS }
    }

    /// Whether the lock is this waiter's to take. As all below, of a word that is [`sane`].
    fn may_take(&self, word: u32) -> bool {
        word & LOCKED == 0
            && match reservation(word) {
                0 => true,
                HANDOFF => self.woken || mutant!("mutex.overtake-hand-over"),
                _ => self.owns(word) || mutant!("mutex.overtake-starver"),
            }
    }

    /// The word when it has the lock. `SLEEPERS` if others may sleep behind it (invariant 2).
    fn taken<S: Scope>(&self, word: u32) -> u32 {
        let owes = self.owes() && !mutant!("mutex.forget-sleepers");
        // A sleeper of another process may have been killed while it woke up.
        let inherits = S::SHARED && word & SLEEPERS != 0;
        if owes || inherits { LOCKED | SLEEPERS } else { LOCKED }
    }

    /// Whether it may have taken a wake-up, or `SLEEPERS`, away from others.
    fn owes(&self) -> bool {
        self.woken || self.mark != 0
    }

    /// Whether it reserves the lock for itself: it was woken to be handed it, and is early, or it
    /// has waited for long.
    fn claims<S: Scope>(&self, word: u32) -> bool {
        if S::SHARED || word & LOCKED == 0 {
            return false;
        }
        match reservation(word) {
            0 => self.long.has_passed() && !mutant!("mutex.starve"),
            HANDOFF => self.woken && !mutant!("mutex.claim-nothing"),
            _ => false,
        }
    }

    /// Whether the reservation is the one it made for itself.
    fn owns(&self, word: u32) -> bool {
        self.mark != 0 && word & MARK == self.mark
    }

    /// As which it sleeps.
    fn classes(&self, word: u32) -> u32 {
        if self.owns(word) { class::ORDINARY | class::STARVER } else { class::ORDINARY }
    }

    /// The word when it has given up: without what was reserved for it, and with a duty to whoever
    /// sleeps that is the owner's from now on.
    fn left(&self, word: u32) -> u32 {
        if word & LOCKED == 0 || !self.owes() {
            return word;
        }
        let heir = self.owns(word) || reservation(word) == HANDOFF;
        let marked = heir && !mutant!("mutex.leave-mark");
        if marked { LOCKED | SLEEPERS } else { word | SLEEPERS }
    }
}

impl Mutex<Private> {
    /// Tells the owner-to-be of the next unlock that threads are about to be moved to the word.
    ///
    /// # Safety
    ///
    /// The calling context owns the lock.
    pub(super) unsafe fn expect_sleepers(&self) {
        if mutant!("condvar.move-without-mark") {
            return;
        }
        loop {
            let word = self.word.load(Relaxed); // Relaxed: the exchange decides.
            debug_assert_ne!(word & LOCKED, 0, "moved waiters to a free mutex");
            if self.change(word, sane(word) | SLEEPERS) {
                break;
            }
        }
    }

    /// Takes the lock on behalf of a thread that was moved to the word: it may have slept there,
    /// and others may sleep behind it (invariant 2).
    pub(super) fn relock_moved(&self) {
        if mutant!("condvar.moved-as-newcomer") {
            return self.lock();
        }
        self.wait(Waiter { woken: true, ..Waiter::newcomer() }, Deadline::NEVER);
    }

    /// The word that moved waiters sleep on.
    pub(super) fn word(&self) -> &Futex<Private> {
        &self.word
    }
}

#[cold]
#[inline(never)]
fn wake_sleeper<S: Scope>(word: *const Futex<S>, starving: bool) {
    if mutant!("mutex.wake") {
        return;
    }
    if starving && !mutant!("mutex.wake-starver") {
        Futex::wake_classes(word, class::STARVER, 1);
    } else {
        Futex::wake(word, 1);
    }
}

impl<S: Scope> Default for Mutex<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Scope> core::fmt::Debug for Mutex<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Mutex")
            .field("locked", &self.is_locked())
            .field("reserved", &self.is_reserved())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::thread;

    use super::*;
    use crate::primitive::ProcessShared;

    /// In a child of fork, with what a starver of the parent left on a lock that the child owns:
    /// there is no starver to wake, but who waits here is not forgotten.
    #[test]
    fn inherited_reservations_keep_nobody_asleep() {
        let inherited = epoch().wrapping_add(1 << EPOCH_SHIFT) & EPOCH;
        for left in [HANDOFF, STARVING] {
            let mark = inherited | left;
            let mutex = Mutex::<Private> { word: Futex::new(LOCKED | SLEEPERS | mark) };
            thread::scope(|s| {
                let sleepers = [(); 2].map(|()| {
                    s.spawn(|| {
                        mutex.lock();
                        // SAFETY: just locked.
                        unsafe { mutex.unlock() };
                    })
                });
                thread::sleep(Duration::from_millis(5)); // so that they sleep, as a rule
                // SAFETY: locked above.
                unsafe { mutex.unlock() };
                for sleeper in sleepers {
                    sleeper.join().unwrap();
                }
            });
            assert!(mutex.try_lock());

            // And one that nobody owns, which is free.
            let mutex = Mutex::<Private> { word: Futex::new(SLEEPERS | mark) };
            assert!(!mutex.is_locked() && mutex.try_lock());
        }
    }

    /// The protocol on a word of the other scope: a private wake would miss a shared sleeper.
    #[test]
    fn process_shared_words_sleep_and_wake() {
        let mutex = Mutex::<ProcessShared>::new();
        mutex.lock();
        assert!(!mutex.lock_until(Deadline::after(Duration::from_millis(1))));
        // SAFETY: locked above; again without what the time-out left behind.
        unsafe { mutex.unlock() };
        mutex.lock();
        thread::scope(|s| {
            let sleeper = s.spawn(|| {
                mutex.lock();
                // SAFETY: just locked.
                unsafe { mutex.unlock() };
            });
            // Until the sleeper has announced itself; whether it sleeps is up to the kernel.
            while mutex.word.load(Relaxed) != LOCKED | SLEEPERS {
                thread::yield_now();
            }
            // SAFETY: locked above.
            unsafe { mutex.unlock() };
            sleeper.join().unwrap();
        });
        assert!(!mutex.is_locked());
    }
}
