//! Many readers or one writer, and one reader who may become the writer, on one 32-bit futex word.
//!
//! # State word
//!
//! ```text
//!     31         30        29     10   9 8       7             6              5
//!   +--------+-------------+---------+-------+-------------+---------------+-----------+
//!   | WRITER | SOLO_STRICT | readers | epoch | HEIR_ASLEEP | READER_STRICT | SOLO_HEIR |
//!   +--------+-------------+---------+-------+-------------+---------------+-----------+
//!         4            3         2          1               0
//!   +-------------+------------+-------+--------------+----------------+
//!   | READER_HEIR | UPGRADABLE | DRAIN | SOLOS_ASLEEP | READERS_ASLEEP |
//!   +-------------+------------+-------+--------------+----------------+
//! ```
//!
//! `WRITER` and `UPGRADABLE` are the two ways to have the *slot*, of which there is one; a *solo*
//! is whoever has it or wants it. `WRITER` is a claim: no reader enters any more, and the writer
//! owns the lock once the readers inside have left. Sleepers are of five classes, told apart by the
//! mask of their wait:
//!
//! | class | who | announced by |
//! |-------|-----|--------------|
//! | R  | readers | `READERS_ASLEEP` |
//! | HR | the reader that is the heir | `READERS_ASLEEP` |
//! | S  | solos | `SOLOS_ASLEEP` |
//! | HS | the solo that is the heir | `HEIR_ASLEEP` |
//! | D  | the holder of the slot, until readers are out of its way | `DRAIN` |
//!
//! An *heir* is a waiter who has put its mark on the word, at most one of each kind, and takes it
//! off when it enters or gives up. Its mark becomes *strict* when it has waited for a millisecond,
//! or at once when a lock is released fairly. Strict marks close the lock to others while the slot
//! is free:
//!
//! | | may enter |
//! |-|-----------|
//! | a reader | no `WRITER`, and no `SOLO_STRICT`, or beside `UPGRADABLE`, or as the strict heir |
//! | a solo | the slot is free and no `READER_STRICT`; no `SOLO_STRICT`, or as the heir |
//! | an upgrade | it has `UPGRADABLE`, and no `READER_STRICT` |
//!
//! With `RECURSIVE`, a reader may enter wherever another one is inside. That is all the difference:
//! a claim then becomes ownership when the last reader happens to leave, if ever.
//!
//! # Invariants
//!
//! 1. `WRITER` without readers is one context's exclusive ownership; each reader counted is one
//!    context's shared ownership; `UPGRADABLE` is one context's, beside readers.
//! 2. A solo sleeps in class S only while `SOLOS_ASLEEP` is set, or one solo that was woken from S,
//!    or the heir, is awake and will set it again: whoever was woken from S sets it when it takes
//!    the slot and when it sleeps again.
//! 3. Whoever gives the slot up while others sleep, wakes: a strict reader, else the heir of the
//!    solos if it sleeps, else a solo, else the readers. A solo or strict reader that enters or
//!    gives up while the slot is free does it in their place.
//! 4. The mark of an heir is taken off by the heir alone, which is alive: marks carry the two low
//!    bits of the fork epoch, and those of another process count as absent. (Four forks in a row,
//!    each by a holder of the lock, would bring an epoch back; so much for two bits.)
//! 5. After a releasing operation only the *address* of the word is used: a new owner may free it.
//! 6. At most two wake-up calls for one operation.
//!
//! # Orderings
//!
//! | row | operation                   | order   | pairs with | why                             |
//! |-----|-----------------------------|---------|------------|---------------------------------|
//! | a   | a reader enters             | Acquire | d, e       | see the last writer's writes    |
//! | b   | a solo takes the slot       | Acquire | d, f       | as (a), and the reads are over  |
//! | c   | no reader is left           | Acquire | f          | their reads are over            |
//! | d   | the slot is given up        | Release | a, b       | publish this holder's writes    |
//! | e   | a writer becomes a reader   | Release | a          | as (d): readers enter from here |
//! | f   | a reader leaves             | Release | b, c       | it reads before the next writes |
//! | g   | an upgradable one converts  | Relaxed | -          | it wrote nothing; (c), (f) come |
//! | h   | announcing, marking, polls  | Relaxed | -          | nothing is read through them    |
//!
//! All operations on the word but loads are read-modify-writes, so every release heads a sequence
//! that reaches whoever acquires later.
//!
//! # Why no wake-up is lost
//!
//! A waiter runs W1, a compare-exchange that sets its class's bit (or a load that finds it set),
//! and W2, a wait on exactly that word; whoever changes the word so that the class may proceed runs
//! U1, a read-modify-write that returns the bits, and U2, the wake-ups for them. If U1 comes after
//! W1 it sees the bit; the kernel compares for W2 under the bucket lock that U2 takes, so the
//! waiter is queued by then or finds the word changed. If U1 comes before W1, W1 sees its result,
//! and the waiter does not wait. What remains is that U2 picks a class which then does not proceed.
//! The solo that is woken first takes the slot, sleeps again with its bit set behind somebody who
//! holds the slot and owes the same wake-ups, or gives up, which passes the duty on (invariant 3).
//! If no solo is asleep after all, the wake-up call says so, and the readers are woken in its
//! place. The heir is the same case, except that it is known to exist (invariant 4), awake if
//! `HEIR_ASLEEP` is clear. A strict reader keeps solos out, so it wakes the next one when it enters
//! or gives up; an upgrade that waits for it sleeps in class D and is woken then, too. The last
//! reader to leave wakes D: nobody enters meanwhile, so it is indeed the last. A wait that timed
//! out consumed no wake-up; one that was woken tries once more before it looks at its deadline.
//!
//! U1 takes off the bits of those whom U2 wakes, but for one case: whoever looks, sees nobody, and
//! gives the slot up by a subtraction may learn from it that somebody came in between. The lock may
//! be gone by then, so the bits stay, and U2 wakes whoever may be there. A bit of a class that is
//! awake costs the next one a call that finds nobody, or wakes one solo more; no rule here takes a
//! bit for a proof that somebody sleeps.
//!
//! `tests/models/rwlock.py` searches these rules exhaustively.
//!
//! # Bypass
//!
//! From the moment a mark is strict until its owner enters, at most one writer goes before a reader
//! (the one that had the claim already), and at most one solo and one reader before a solo, not
//! counting readers beside an upgradable one. The model proves that for threads that go on for
//! ever. With `RECURSIVE` a claim may wait for ever in class D.
//!
//! # Scaling
//!
//! Uncontended, one read-modify-write to enter and one to leave, whatever the kind. Every reader
//! moves the line of the word twice, so the rate of read sections does not grow with the number of
//! cores. Waiters look less and less often, as those of the mutex do and for its reasons: with two
//! threads and a tenth of writes that is a tenth more sections than looking all the time. They poll
//! while nobody sleeps whom the next unlock would have to wake, so also while the heir is on its
//! way; when they stopped at any mark, eight threads on two cores got a fifth less done. And as
//! those of the mutex, newcomers give their core away before they sleep: with eight threads on two
//! cores and half of them writes, the longest wait is 12 ms instead of 24, for as many sections.
//!
//! What did not gain, and is not here: an exchange from the free word as a reader's first try (a
//! twentieth faster alone, a tenth slower beside another reader), shorter gaps while the readers
//! leave, fewer looks by those who have been woken, and a second try of a writer before it counts
//! as waiting.
//!
//! # Sources
//!
//! The classes of sleepers on one word: folly's `SharedMutex`. The claim that holds readers off
//! while they drain: parking_lot. Ulrich Drepper, "Futexes Are Tricky" (2011), for the duty that
//! passes from waker to woken.

use crate::primitive::Ordering::{self, Acquire, Relaxed, Release};
use crate::primitive::{Deadline, Futex, Private, Scope, Wait, fork_epoch, patience};
use crate::primitive::{model_const_fn, mutant, ord, spin_loop, tuning, yield_now};

const READERS_ASLEEP: u32 = 1 << 0;
const SOLOS_ASLEEP: u32 = 1 << 1;
const DRAIN: u32 = 1 << 2;
const UPGRADABLE: u32 = 1 << 3;
const READER_HEIR: u32 = 1 << 4;
const SOLO_HEIR: u32 = 1 << 5;
const READER_STRICT: u32 = 1 << 6;
const HEIR_ASLEEP: u32 = 1 << 7;
const EPOCH_SHIFT: u32 = 8;
const EPOCH: u32 = 0b11 << EPOCH_SHIFT;
const ONE_READER: u32 = 1 << 10;
const READERS: u32 = MAX_READERS * ONE_READER;
const SOLO_STRICT: u32 = 1 << 30;
const WRITER: u32 = 1 << 31;

const MAX_READERS: u32 = (1 << 20) - 1;

const FREE: u32 = 0;
const SLOT: u32 = WRITER | UPGRADABLE;
const HEIRS: u32 = READER_HEIR | SOLO_HEIR;
/// That somebody sleeps, or is about to.
const WAITERS: u32 = READERS_ASLEEP | SOLOS_ASLEEP | HEIRS;
const READER_MARKS: u32 = READER_HEIR | READER_STRICT;
const SOLO_MARKS: u32 = SOLO_HEIR | SOLO_STRICT | HEIR_ASLEEP;
/// Below this, a word has no flag that keeps every reader out, and room for one more: what could
/// keep a reader out lies above the count, so that one comparison tells.
const OPEN: u32 = READERS;

/// Classes of sleepers: the masks of their waits.
mod class {
    pub(super) const READER: u32 = 1 << 0;
    pub(super) const SOLO: u32 = 1 << 1;
    pub(super) const DRAIN: u32 = 1 << 2;
    pub(super) const READER_HEIR: u32 = 1 << 3;
    pub(super) const SOLO_HEIR: u32 = 1 << 4;
    pub(super) const READERS: u32 = READER | READER_HEIR;
}

const ALL: u32 = u32::MAX;

/// Pauses for which a waiter polls before it sleeps. None in the model, so that it sleeps.
const PAUSES: u32 = tuning(255, 0);

/// How often a newcomer gives its core away before it sleeps.
const YIELDS: u32 = tuning(3, 0);

/// Pauses between two looks at the most; the first few are closer together.
const LONGEST_GAP: u32 = 64;

/// Whether somebody sleeps whom the next to give the slot up has to wake: while the heir of the
/// solos is awake, the others are left alone.
fn somebody_sleeps(word: u32) -> bool {
    if word & SOLO_HEIR != 0 {
        word & HEIR_ASLEEP != 0
    } else {
        word & (READERS_ASLEEP | SOLOS_ASLEEP) != 0
    }
}

/// For whoever has been woken, or owns the lock but for some readers: it polls in any case.
fn never(_: u32) -> bool {
    false
}

/// The wake-up calls that a change of the word calls for.
#[derive(Clone, Copy)]
struct Owed {
    /// Classes that are woken as a whole.
    all: u32,
    /// The class of which one is woken.
    one: u32,
    /// Whether the readers are woken if there was no such one.
    or_readers: bool,
}

impl Owed {
    const NOTHING: Self = Self { all: 0, one: 0, or_readers: false };

    const fn all(classes: u32) -> Self {
        Self { all: classes, ..Self::NOTHING }
    }

    const fn one(class: u32) -> Self {
        Self { one: class, ..Self::NOTHING }
    }

    /// Only the address is used (invariant 5).
    fn pay<S: Scope>(self, word: *const Futex<S>) {
        if self.all != 0 && !mutant!("rwlock.wake-readers") {
            Futex::wake_classes(word, self.all, ALL);
        }
        if self.one == 0 || mutant!("rwlock.wake-one") {
            return;
        }
        let nobody = Futex::wake_classes(word, self.one, 1) == 0;
        if nobody && self.or_readers && !mutant!("rwlock.wake-readers-instead") {
            Futex::wake_classes(word, class::READERS, ALL);
        }
    }
}

/// The low bits of the fork epoch, where marks have them.
fn epoch() -> u32 {
    fork_epoch() << EPOCH_SHIFT & EPOCH
}

/// The word without marks that were made in another process (invariant 4).
fn sane(word: u32) -> u32 {
    if word & HEIRS == 0 || word & EPOCH == epoch() || mutant!("rwlock.trust-inherited-marks") {
        word
    } else {
        word & !(READER_MARKS | SOLO_MARKS | EPOCH)
    }
}

/// Whether there is no room for one more reader.
fn is_full(word: u32) -> bool {
    word & READERS == READERS
}

/// The word without `marks`, and without an epoch if no marks are left.
fn unmark(word: u32, marks: u32) -> u32 {
    let word = word & !marks;
    if word & HEIRS == 0 { word & !EPOCH } else { word }
}

/// The word after the slot was given up, or when it is free and somebody has to see to the others
/// (invariant 3).
fn vacate(word: u32) -> (u32, Owed) {
    let word = word & !DRAIN;
    if word & READER_STRICT != 0 {
        if word & SOLO_STRICT != 0 {
            (word, Owed::all(class::READER_HEIR)) // the others may not enter
        } else {
            (word & !READERS_ASLEEP, Owed::all(class::READERS))
        }
    } else if word & SOLO_HEIR != 0 {
        call_heir(word)
    } else if word & SOLOS_ASLEEP != 0 {
        (word & !SOLOS_ASLEEP, Owed { or_readers: true, ..Owed::one(class::SOLO) })
    } else {
        admit(word)
    }
}

/// The heir of the solos is woken, unless it is awake and on its way.
fn call_heir(word: u32) -> (u32, Owed) {
    if word & HEIR_ASLEEP != 0 {
        (word & !HEIR_ASLEEP, Owed::one(class::SOLO_HEIR))
    } else {
        (word, Owed::NOTHING)
    }
}

/// The word now that readers may enter.
fn admit(word: u32) -> (u32, Owed) {
    if word & READERS_ASLEEP != 0 {
        (word & !READERS_ASLEEP, Owed::all(class::READERS))
    } else {
        (word, Owed::NOTHING)
    }
}

/// What a writer leaves behind that stays as a reader: readers may enter and a solo may claim.
fn share(word: u32) -> (u32, Owed) {
    let word = (word & !(WRITER | DRAIN)) + ONE_READER;
    if word & (READER_STRICT | SOLO_STRICT) != 0 {
        return vacate(word);
    }
    let (word, readers) = admit(word);
    let (word, solo) = if word & SOLO_HEIR != 0 {
        call_heir(word)
    } else if word & SOLOS_ASLEEP != 0 {
        (word & !SOLOS_ASLEEP, Owed::one(class::SOLO))
    } else {
        (word, Owed::NOTHING)
    };
    (word, Owed { all: readers.all, ..solo })
}

/// What a reader with a mark owes once it has entered or given up: a strict one kept solos out.
fn reader_unmarked(before: u32, word: u32) -> (u32, Owed) {
    if before & READER_STRICT == 0 || mutant!("rwlock.strict-reader-hands-nothing-on") {
        (word, Owed::NOTHING)
    } else if word & SLOT == 0 {
        vacate(word)
    } else if word & UPGRADABLE != 0 && word & DRAIN != 0 {
        (word & !DRAIN, Owed::one(class::DRAIN)) // an upgrade that waits for us
    } else {
        (word, Owed::NOTHING)
    }
}

/// The lock inside [`RwLock`](crate::RwLock) and [`RecursiveRwLock`](crate::RecursiveRwLock): no
/// data and no guards.
pub struct RwLock<const RECURSIVE: bool = false, S: Scope = Private> {
    word: Futex<S>,
}

impl<const RECURSIVE: bool, S: Scope> RwLock<RECURSIVE, S> {
    model_const_fn! {
        /// Creates a free lock.
        pub const fn new() -> Self {
            Self { word: Futex::new(FREE) }
        }
    }

    // What may be done to which word.

    fn may_read(word: u32, heir: bool) -> bool {
        if RECURSIVE && word & READERS != 0 {
            return true;
        }
        word & WRITER == 0
            && (word & SOLO_STRICT == 0
                || word & UPGRADABLE != 0
                || heir && word & READER_STRICT != 0)
    }

    fn may_claim(word: u32, heir: bool) -> bool {
        word & (SLOT | READER_STRICT) == 0 && (heir || word & SOLO_STRICT == 0)
    }

    // Readers.

    /// Enters as a reader if that is possible at this moment, and says whether it did.
    ///
    /// # Panics
    ///
    /// If the lock has as many readers as it can count.
    #[inline]
    pub fn try_read(&self) -> bool {
        self.read_fast().is_ok() || self.try_read_slow()
    }

    /// Enters as a reader, sleeping until that is possible.
    ///
    /// # Panics
    ///
    /// As [`try_read`](Self::try_read).
    #[inline]
    #[track_caller]
    pub fn read(&self) {
        if let Err(seen) = self.read_fast() {
            self.read_slow(seen, Deadline::NEVER);
        }
    }

    /// Enters as a reader, or returns `false` once `deadline` has passed.
    ///
    /// # Panics
    ///
    /// As [`try_read`](Self::try_read).
    #[inline]
    #[track_caller]
    pub fn read_until(&self, deadline: Deadline) -> bool {
        match self.read_fast() {
            Ok(()) => true,
            Err(seen) => self.read_slow(seen, deadline),
        }
    }

    /// Enters if nothing at all speaks against it, or says what the word was.
    #[inline]
    fn read_fast(&self) -> Result<(), u32> {
        self.read_at(self.word.load(Relaxed)) // Relaxed: row h.
    }

    /// Enters if the word is `word` and nothing at all speaks against it, or says what it is.
    #[inline]
    fn read_at(&self, word: u32) -> Result<(), u32> {
        if word >= OPEN {
            return Err(word);
        }
        // Acquire / Relaxed: rows a and h.
        let order = ord!("rwlock.a", Acquire);
        self.word.compare_exchange(word, word + ONE_READER, order, Relaxed).map(drop)
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn try_read_slow(&self) -> bool {
        // Acquire: row a.
        self.update(ord!("rwlock.a", Acquire), |word| {
            if !Self::may_read(word, false) {
                return None;
            }
            if is_full(word) {
                too_many_readers();
            }
            Some((word + ONE_READER, Owed::NOTHING))
        })
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn read_slow(&self, mut seen: u32, deadline: Deadline) -> bool {
        // Other readers come and go. A failed exchange has just brought the word here, so its
        // answer is better than a new look.
        loop {
            match self.read_at(seen) {
                Ok(()) => return true,
                Err(word) if word == seen => break,
                Err(word) => seen = word,
            }
        }
        let mut heir = false;
        let mut naps = 0;
        if !Self::may_read(self.look(), false) {
            self.poll(WRITER, somebody_sleeps);
            self.give_way(WRITER);
        }
        loop {
            let seen = self.word.load(Relaxed); // Relaxed: row h.
            let word = sane(seen);
            heir &= word & READER_HEIR != 0;
            if Self::may_read(word, heir) {
                if is_full(word) {
                    self.leave_as_reader(heir);
                    too_many_readers();
                }
                let (new, owed) = if heir {
                    reader_unmarked(word, unmark(word + ONE_READER, READER_MARKS))
                } else {
                    (word + ONE_READER, Owed::NOTHING)
                };
                // Acquire: row a.
                if self.exchange(seen, new, ord!("rwlock.a", Acquire)) {
                    owed.pay(&self.word);
                    return true;
                }
                continue;
            }
            let mut new = word | READERS_ASLEEP;
            let marks = heir || word & READER_HEIR == 0;
            if marks {
                new |= READER_HEIR | epoch();
                if naps > 0 && word & WRITER != 0 {
                    new |= READER_STRICT;
                }
            }
            // Relaxed: row h.
            if new != seen && !self.exchange(seen, new, Relaxed) {
                continue;
            }
            heir = marks;
            // A strict heir is served next. Others look up now and then, whether they are the heir.
            let strict = heir && new & READER_STRICT != 0;
            // Not in stress tests that look for lost wake-ups, which it would repair.
            let sleepy = strict || cfg!(lockwork_chaos);
            let nap = if sleepy { Deadline::NEVER } else { patience(naps) };
            let class = if heir { class::READER_HEIR } else { class::READER };
            if self.word.wait_as(class, new, nap.min(deadline)) == Wait::TimedOut {
                if nap >= deadline {
                    self.leave_as_reader(heir);
                    return false;
                }
                naps += 1;
            }
            self.poll(WRITER, never);
        }
    }

    /// Takes back the mark of a reader that gives up. Without one there is nothing to take back:
    /// all readers are woken together, so it has nobody's wake-up.
    fn leave_as_reader(&self, heir: bool) {
        // Relaxed: row h.
        self.update(Relaxed, |word| {
            (heir && word & READER_HEIR != 0)
                .then(|| reader_unmarked(word, unmark(word, READER_MARKS)))
        });
    }

    /// Leaves as a reader.
    ///
    /// # Safety
    ///
    /// The calling context is a reader (invariant 1).
    #[inline]
    pub unsafe fn unlock_read(&self) {
        let word = &raw const self.word;
        // Release: row f. Past this line `word` is only an address (invariant 5).
        let prev = self.word.fetch_sub(ONE_READER, ord!("rwlock.f", Release));
        debug_assert_ne!(prev & READERS, 0, "unlocked a lock without readers");
        if prev & (READERS | DRAIN) == ONE_READER | DRAIN {
            drained(word);
        }
    }

    // The slot.

    /// Becomes the writer if nobody is in the way, and says whether it did.
    #[inline]
    pub fn try_write(&self) -> bool {
        self.slot_fast(WRITER) || self.try_slot_slow(WRITER, READERS)
    }

    /// Becomes the writer, sleeping until that is possible.
    #[inline]
    pub fn write(&self) {
        if !self.slot_fast(WRITER) {
            self.write_slow(Deadline::NEVER);
        }
    }

    /// Becomes the writer, or returns `false` once `deadline` has passed.
    #[inline]
    pub fn write_until(&self, deadline: Deadline) -> bool {
        self.slot_fast(WRITER) || self.write_slow(deadline)
    }

    /// Becomes the upgradable reader if nobody is in the way, and says whether it did.
    #[inline]
    pub fn try_upgradable(&self) -> bool {
        self.slot_fast(UPGRADABLE) || self.try_slot_slow(UPGRADABLE, 0)
    }

    /// Becomes the upgradable reader, sleeping until that is possible.
    #[inline]
    pub fn upgradable(&self) {
        if !self.slot_fast(UPGRADABLE) {
            self.claim(UPGRADABLE, Deadline::NEVER);
        }
    }

    /// Becomes the upgradable reader, or returns `false` once `deadline` has passed.
    #[inline]
    pub fn upgradable_until(&self, deadline: Deadline) -> bool {
        self.slot_fast(UPGRADABLE) || self.claim(UPGRADABLE, deadline)
    }

    #[inline]
    fn slot_fast(&self, slot: u32) -> bool {
        // Acquire / Relaxed: rows b and h.
        self.word.compare_exchange(FREE, slot, ord!("rwlock.b", Acquire), Relaxed).is_ok()
    }

    #[cold]
    #[inline(never)]
    fn try_slot_slow(&self, slot: u32, unless: u32) -> bool {
        // Acquire: row b.
        self.update(ord!("rwlock.b", Acquire), |word| {
            (Self::may_claim(word, false) && word & unless == 0).then(|| Self::take(word, slot))
        })
    }

    /// The word with the slot taken. Readers who sleep may enter beside an upgradable one.
    fn take(word: u32, slot: u32) -> (u32, Owed) {
        if slot == UPGRADABLE && !mutant!("rwlock.upgradable-admits-nobody") {
            admit(word | slot)
        } else {
            (word | slot, Owed::NOTHING)
        }
    }

    #[cold]
    #[inline(never)]
    fn write_slow(&self, deadline: Deadline) -> bool {
        self.claim(WRITER, deadline) && (self.drain(deadline) || self.unclaim(vacate, WRITER))
    }

    /// Takes the slot; `false` once `deadline` has passed.
    #[cold]
    #[inline(never)]
    fn claim(&self, slot: u32, deadline: Deadline) -> bool {
        let (mut heir, mut woken) = (false, false);
        let mut long = None;
        self.poll(SLOT, somebody_sleeps);
        self.give_way(SLOT);
        loop {
            let seen = self.word.load(Relaxed); // Relaxed: row h.
            let word = sane(seen);
            heir &= word & SOLO_HEIR != 0;
            // Others may sleep behind one who was woken from among them (invariant 2).
            let others = woken && !mutant!("rwlock.forget-sleepers");
            let others = if others { SOLOS_ASLEEP } else { 0 };
            if Self::may_claim(word, heir) {
                let unmarked = if heir { unmark(word, SOLO_MARKS) } else { word };
                let (new, owed) = Self::take(unmarked | others, slot);
                // Acquire: row b.
                if self.exchange(seen, new, ord!("rwlock.b", Acquire)) {
                    owed.pay(&self.word);
                    return true;
                }
                continue;
            }
            let mut new = word | others;
            let marks = heir || word & SOLO_HEIR == 0;
            if marks {
                new |= SOLO_HEIR | HEIR_ASLEEP | epoch();
                if word & SLOT != 0 && long.is_some_and(Deadline::has_passed) {
                    new |= SOLO_STRICT;
                }
            } else {
                new |= SOLOS_ASLEEP;
            }
            // Relaxed: row h.
            if new != seen && !self.exchange(seen, new, Relaxed) {
                continue;
            }
            heir = marks;
            long.get_or_insert_with(|| patience(0));
            let class = if heir { class::SOLO_HEIR } else { class::SOLO };
            match self.word.wait_as(class, new, deadline) {
                Wait::TimedOut => {
                    self.leave_as_solo(heir);
                    return false;
                }
                Wait::Woken => woken |= class == class::SOLO,
                Wait::Changed | Wait::Interrupted => {}
            }
            self.poll(SLOT, never);
        }
    }

    /// Takes back the mark of a solo that gives up, and passes on what it may have been woken for.
    fn leave_as_solo(&self, heir: bool) {
        // Relaxed: row h.
        self.update(Relaxed, |word| {
            let new = if heir { unmark(word, SOLO_MARKS) } else { word };
            let vacant = new & SLOT == 0 && !mutant!("rwlock.give-up-in-silence");
            Some(if vacant { vacate(new) } else { (new, Owed::NOTHING) })
        });
    }

    /// Waits until the readers have left; `false` once `deadline` has passed. The caller has
    /// claimed the lock as the writer.
    fn drain(&self, deadline: Deadline) -> bool {
        loop {
            self.poll(READERS, never);
            // Acquire: row c.
            let word = self.word.load(ord!("rwlock.c", Acquire));
            if word & READERS == 0 {
                return true;
            }
            if !self.sleep_as_holder(word, deadline) {
                return false;
            }
        }
    }

    /// Sleeps in class D while the word is `word`; `false` once `deadline` has passed.
    fn sleep_as_holder(&self, word: u32, deadline: Deadline) -> bool {
        let new = word | DRAIN;
        // Relaxed: row h.
        (new != word && !self.exchange(word, new, Relaxed))
            || self.word.wait_as(class::DRAIN, new, deadline) != Wait::TimedOut
    }

    /// Takes the claim of a writer back, unless the last reader has left meanwhile: then it owns
    /// the lock, and this returns `true`.
    fn unclaim(&self, settle: impl Fn(u32) -> (u32, Owed), claim: u32) -> bool {
        // Relaxed: rows g and h.
        let back =
            self.update(Relaxed, |word| (word & READERS != 0).then(|| settle(word & !claim)));
        !back && self.drain(Deadline::NEVER)
    }

    /// Gives the slot up, of either kind, the word being `seen` a moment ago.
    ///
    /// # Safety
    ///
    /// The calling context has the slot, and owns the lock if that is `WRITER` (invariant 1).
    #[cold]
    #[inline(never)]
    unsafe fn unlock_slot_slow(&self, seen: u32, slot: u32, fair: bool) {
        // Release: row d.
        self.update_from(seen, ord!("rwlock.d", Release), |word| {
            let word = word & !slot;
            Some(vacate(if fair { strict(word, slot) } else { word }))
        });
    }

    /// As [`unlock_slot_slow`](Self::unlock_slot_slow), for when nobody waits.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline]
    unsafe fn unlock_slot(&self, slot: u32, fair: bool) {
        let word = &raw const self.word;
        let seen = self.word.load(Relaxed); // Relaxed: row h.
        if seen != slot {
            // SAFETY: the caller's contract.
            return unsafe { self.unlock_slot_slow(seen, slot, fair) };
        }
        // A subtraction of which only the flags are used is the quickest of these instructions.
        // Release: row d. Past this line `word` is only an address (invariant 5).
        if self.word.fetch_sub(slot, ord!("rwlock.d", Release)) != slot {
            vacated(word);
        }
    }

    /// Releases the lock.
    ///
    /// # Safety
    ///
    /// The calling context is the writer (invariant 1).
    #[inline]
    pub unsafe fn unlock_write(&self) {
        // SAFETY: the caller's contract.
        unsafe { self.unlock_slot(WRITER, false) }
    }

    /// Releases the lock to those who wait: its heirs go before anybody who arrives later, this
    /// context too.
    ///
    /// # Safety
    ///
    /// The calling context is the writer (invariant 1).
    #[inline]
    pub unsafe fn unlock_write_fair(&self) {
        // SAFETY: the caller's contract.
        unsafe { self.unlock_slot(WRITER, true) }
    }

    /// Leaves as the upgradable reader.
    ///
    /// # Safety
    ///
    /// The calling context is that (invariant 1).
    #[inline]
    pub unsafe fn unlock_upgradable(&self) {
        // SAFETY: the caller's contract.
        unsafe { self.unlock_slot(UPGRADABLE, false) }
    }

    /// As [`unlock_write_fair`](Self::unlock_write_fair).
    ///
    /// # Safety
    ///
    /// The calling context is the upgradable reader (invariant 1).
    #[inline]
    pub unsafe fn unlock_upgradable_fair(&self) {
        // SAFETY: the caller's contract.
        unsafe { self.unlock_slot(UPGRADABLE, true) }
    }

    // From one kind to another.

    /// The upgradable reader becomes the writer if it is the only reader, and says whether it did.
    ///
    /// # Safety
    ///
    /// The calling context is the upgradable reader (invariant 1).
    #[inline]
    pub unsafe fn try_upgrade(&self) -> bool {
        // Acquire: row c.
        self.update(ord!("rwlock.c", Acquire), |word| {
            (word & (READERS | READER_STRICT) == 0)
                .then_some((word & !(UPGRADABLE | DRAIN) | WRITER, Owed::NOTHING))
        })
    }

    /// The upgradable reader becomes the writer, sleeping until the other readers have left; or
    /// returns `false`, still upgradable, once `deadline` has passed.
    ///
    /// # Safety
    ///
    /// The calling context is the upgradable reader (invariant 1).
    #[inline]
    pub unsafe fn upgrade_until(&self, deadline: Deadline) -> bool {
        // SAFETY: the caller's contract.
        unsafe { self.try_upgrade() || self.upgrade_slow(deadline) }
    }

    /// # Safety
    ///
    /// The calling context is the upgradable reader (invariant 1).
    #[cold]
    #[inline(never)]
    unsafe fn upgrade_slow(&self, deadline: Deadline) -> bool {
        loop {
            let seen = self.word.load(Relaxed); // Relaxed: row h.
            let word = sane(seen);
            if word & READER_STRICT == 0 {
                // Relaxed: row g.
                if self.exchange(seen, word & !(UPGRADABLE | DRAIN) | WRITER, Relaxed) {
                    break;
                }
            } else if !self.sleep_as_holder(seen, deadline) {
                return false;
            }
        }
        let upgradable = |word| admit(word & !DRAIN | UPGRADABLE);
        self.drain(deadline) || self.unclaim(upgradable, WRITER)
    }

    /// The writer becomes a reader.
    ///
    /// # Safety
    ///
    /// The calling context is the writer (invariant 1).
    #[inline]
    pub unsafe fn downgrade(&self) {
        // Release: row e.
        self.update(ord!("rwlock.e", Release), |word| Some(share(word)));
    }

    /// The writer becomes the upgradable reader.
    ///
    /// # Safety
    ///
    /// The calling context is the writer (invariant 1).
    #[inline]
    pub unsafe fn downgrade_to_upgradable(&self) {
        // Release: row e.
        self.update(ord!("rwlock.e", Release), |word| {
            Some(admit(word & !(WRITER | DRAIN) | UPGRADABLE))
        });
    }

    /// The upgradable reader becomes a reader.
    ///
    /// # Safety
    ///
    /// The calling context is the upgradable reader (invariant 1).
    ///
    /// # Panics
    ///
    /// If the lock has as many readers as it can count. The caller is still the upgradable one.
    #[inline]
    #[track_caller]
    pub unsafe fn downgrade_upgradable(&self) {
        // Relaxed: row g.
        let done = self.update(Relaxed, |word| {
            (!is_full(word)).then(|| vacate((word & !UPGRADABLE) + ONE_READER))
        });
        if !done {
            too_many_readers();
        }
    }

    // Giving way.

    /// Lets a writer that waits for this reader go first.
    ///
    /// # Safety
    ///
    /// The calling context is a reader (invariant 1). It is one again when the call returns.
    #[inline]
    pub unsafe fn bump_read(&self) {
        // Relaxed: row h.
        if self.word.load(Relaxed) & WRITER != 0 {
            // SAFETY: the caller's contract.
            unsafe { self.unlock_read() };
            self.read();
        }
    }

    /// Lets those who wait go first.
    ///
    /// # Safety
    ///
    /// The calling context is the writer (invariant 1). It is that again when the call returns.
    #[inline]
    pub unsafe fn bump_write(&self) {
        if self.has_sleepers() {
            // SAFETY: the caller's contract.
            unsafe { self.unlock_write_fair() };
            self.write();
        }
    }

    /// Lets a solo that waits go first.
    ///
    /// # Safety
    ///
    /// The calling context is the upgradable reader (invariant 1), and again when the call returns.
    #[inline]
    pub unsafe fn bump_upgradable(&self) {
        if self.has_sleepers() {
            // SAFETY: the caller's contract.
            unsafe { self.unlock_upgradable_fair() };
            self.upgradable();
        }
    }

    // Looking.

    /// Whether anybody holds the lock in any way at this moment, or has claimed it.
    #[inline]
    pub fn is_locked(&self) -> bool {
        // Relaxed: row h.
        self.word.load(Relaxed) & (SLOT | READERS) != 0
    }

    /// Whether a writer owns the lock at this moment.
    #[inline]
    pub fn is_locked_exclusive(&self) -> bool {
        // Relaxed: row h.
        self.word.load(Relaxed) & (WRITER | READERS) == WRITER
    }

    /// Whether one that came to read at this moment would wait.
    pub(super) fn keeps_readers_out(&self) -> bool {
        !Self::may_read(self.look(), false)
    }

    /// Whether one that came to write at this moment would wait.
    pub(super) fn keeps_writers_out(&self) -> bool {
        let word = self.look();
        word & READERS != 0 || !Self::may_claim(word, false)
    }

    /// Whether one that came as the upgradable reader at this moment would wait.
    pub(super) fn keeps_upgradable_out(&self) -> bool {
        !Self::may_claim(self.look(), false)
    }

    fn has_sleepers(&self) -> bool {
        // Relaxed: row h.
        self.word.load(Relaxed) & WAITERS != 0
    }

    fn look(&self) -> u32 {
        sane(self.word.load(Relaxed)) // Relaxed: row h.
    }

    #[inline]
    fn exchange(&self, seen: u32, new: u32, order: Ordering) -> bool {
        // Relaxed on failure: row h.
        self.word.compare_exchange(seen, new, order, Relaxed).is_ok()
    }

    /// Replaces the word by what `change` makes of it, and pays what that owes; `false` if it says
    /// that nothing is to be done. `order` is that of the exchange. Nothing of the lock is touched
    /// after it but the address (invariant 5).
    #[inline]
    fn update(&self, order: Ordering, change: impl Fn(u32) -> Option<(u32, Owed)>) -> bool {
        self.update_from(self.word.load(Relaxed), order, change) // Relaxed: row h.
    }

    /// As [`update`](Self::update), for a caller that has just seen the word.
    #[inline]
    fn update_from(
        &self,
        mut seen: u32,
        order: Ordering,
        change: impl Fn(u32) -> Option<(u32, Owed)>,
    ) -> bool {
        let address = &raw const self.word;
        loop {
            let Some((new, owed)) = change(sane(seen)) else { return false };
            // Relaxed on failure: row h.
            match self.word.compare_exchange(seen, new, order, Relaxed) {
                Ok(_) => {
                    owed.pay(address);
                    return true;
                }
                Err(word) => seen = word,
            }
        }
    }

    /// Gives the core away a few times, in case whoever `blocks` waits for one.
    fn give_way(&self, blocks: u32) {
        let mut left = YIELDS;
        // Relaxed: row h.
        while left > 0 && self.word.load(Relaxed) & blocks != 0 {
            yield_now();
            left -= 1;
        }
    }

    /// Looks at the word for a moment, in case what `blocks` goes away; unless it is better to
    /// `stop`, as the line is then left to those who are awake.
    fn poll(&self, blocks: u32, stop: impl Fn(u32) -> bool) {
        let (mut left, mut gap) = (PAUSES, 1);
        while left >= gap {
            let word = self.word.load(Relaxed); // Relaxed: row h.
            if word & blocks == 0 || stop(word) {
                return;
            }
            for _ in 0..gap {
                spin_loop();
            }
            left -= gap;
            gap = (2 * gap).min(LONGEST_GAP);
        }
    }
}

/// The word with the marks of the heirs strict that the holder of `slot` keeps out.
fn strict(word: u32, slot: u32) -> u32 {
    let mut word = word;
    if word & READER_HEIR != 0 && slot == WRITER {
        word |= READER_STRICT;
    }
    if word & SOLO_HEIR != 0 {
        word |= SOLO_STRICT;
    }
    word
}

/// Wakes those who announced themselves between a look at the word and the release; of which kind
/// they are is not known. What they have set stays set, as the lock may be gone: that costs a call
/// that finds nobody, at most.
#[cold]
#[inline(never)]
fn vacated<S: Scope>(word: *const Futex<S>) {
    if !mutant!("rwlock.wake-latecomers") {
        let all = class::READERS | class::SOLO_HEIR;
        Owed { all, ..Owed::one(class::SOLO) }.pay(word);
    }
}

#[cold]
#[inline(never)]
fn drained<S: Scope>(word: *const Futex<S>) {
    if !mutant!("rwlock.wake-drain") {
        Futex::wake_classes(word, class::DRAIN, 1);
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn too_many_readers() -> ! {
    panic!("more than {MAX_READERS} readers at a time")
}

impl<const RECURSIVE: bool, S: Scope> Default for RwLock<RECURSIVE, S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const RECURSIVE: bool, S: Scope> core::fmt::Debug for RwLock<RECURSIVE, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let word = self.look();
        f.debug_struct("RwLock")
            .field("readers", &((word & READERS) / ONE_READER))
            .field("writer", &(word & WRITER != 0))
            .field("upgradable", &(word & UPGRADABLE != 0))
            .finish()
    }
}
