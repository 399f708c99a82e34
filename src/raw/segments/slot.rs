//! One place for one value: filled by who has its ticket, or given up by who waits in vain.
//!
//! # State words
//!
//! ```text
//! full      0   the pusher has not written yet
//!           1   it has: the value is there, unless the verdict is DEAD
//!
//! verdict   NONE      nobody has lost patience with the pusher
//!           SUSPECT   somebody has, and is about to find out whether the value is there
//!           LIVE      it is: the slot is full, for good
//!           DEAD      it was not: whatever the pusher writes, nobody reads it
//! ```
//!
//! `full` has one writer, the pusher with the slot's ticket. The verdict leaves NONE only if
//! somebody loses patience, and then ends in LIVE or DEAD by one compare-exchange:
//!
//! ```text
//!         popper, patience lost        popper that saw full = 0 after its fence
//!   NONE ----------------------> SUSPECT --------------------------------------> DEAD
//!                                   |
//!                                   +--- pusher, or popper that saw full = 1 ---> LIVE
//! ```
//!
//! # Two steps of a pusher, and no read-modify-write
//!
//! ```text
//! pusher                         patience lost                 any popper
//! P1 full = 1                    Q1 verdict: NONE -> SUSPECT   R1 full is 1
//! P2 light fence                 Q2 heavy fence                R2 light fence
//! P3 verdict is NONE: done       Q3 full is 0: -> DEAD         R3 verdict is NONE: take it
//! ```
//!
//! The fences make it impossible that P3 finds NONE and Q3 finds 0: one of the two sees what the
//! other has done. So a pusher that goes away at P3 leaves a slot that can only be taken, and of a
//! slot that dies its pusher gets to know. Likewise R3 and Q3: a popper that sees the value and
//! still no suspicion has its fence before Q2, and so Q3 sees the value too. Hence a slot taken at
//! R3 does not die afterwards. If somebody else has turned NONE into SUSPECT, Q1 is the load that
//! found it, and all the same holds.
//!
//! Whoever finds SUSPECT does the rest himself: a pusher tries for LIVE, a popper goes on from Q2.
//! So nobody waits for whom was suspicious first.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | pusher stores `full` | Release | b | publish the value |
//! | b | load of `full` | Acquire | a | see it |
//! | c | fence between P1 and P3 | light | e | as above |
//! | d | fence between R1 and R3 | light | e | as above |
//! | e | fence between Q1 and Q3 | heavy | c, d | as above |
//! | f | the verdict becomes LIVE | Release | g | publish the value, also for who sees `full` as it was |
//! | g | load of the verdict, where `full` was 0 | Acquire | f | see it |
//! | h | other accesses of the verdict | Relaxed | - | DEAD publishes nothing: its finder reads nothing |
//!
//! # A heavy fence that is refused
//!
//! Then nothing is known, and nothing is decided: the slot stays SUSPECT until its pusher, or
//! somebody who gets his fence, decides.

use core::fmt;
use core::mem::MaybeUninit;

use super::super::reclaim::Reclaim;
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{AtomicU32, UnsafeCell, bare_light_fence, heavy_fence, light_fence};
use crate::primitive::{mutant, only_in_model, ord};

const NONE: u32 = 0;
const SUSPECT: u32 = 1;
const LIVE: u32 = 2;
const DEAD: u32 = 3;

/// Whether light fences may be taken to be for the compiler only.
pub trait Light {
    const BARE: bool;
}

/// They may be anything.
#[derive(Debug)]
pub enum Any {}

impl Light for Any {
    const BARE: bool = false;
}

impl<R: Reclaim> Light for R {
    const BARE: bool = <R as Reclaim>::BARE;
}

#[inline]
fn light<L: Light>() {
    if L::BARE {
        bare_light_fence();
    } else {
        light_fence();
    }
}

/// What a popper finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A value, which is his once he has claimed the slot.
    Value,
    /// A slot to go past.
    Nothing,
    /// A slot whose pusher has not come yet, if it has a pusher.
    NotYet,
}

/// One place for one value.
pub struct Slot<T> {
    full: AtomicU32,
    verdict: AtomicU32,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the value is written by the one who has the ticket and read by the one who has claimed
// the slot, in this order (rows a and b, or f and g).
unsafe impl<T: Send> Sync for Slot<T> {}

only_in_model! {
    impl<T> Slot<T> {
        /// An empty one, for models of one slot.
        pub fn empty() -> Self {
            Self {
                full: AtomicU32::new(0),
                verdict: AtomicU32::new(NONE),
                value: UnsafeCell::new(MaybeUninit::uninit()),
            }
        }
    }
}

impl<T> Slot<T> {
    /// Makes an empty one at `place`, where there may be no room for a value on the stack.
    ///
    /// # Safety
    ///
    /// `place` is valid for writes, and aligned.
    pub unsafe fn make_at(place: *mut Self) {
        // SAFETY: by this function's contract.
        unsafe {
            (&raw mut (*place).full).write(AtomicU32::new(0));
            (&raw mut (*place).verdict).write(AtomicU32::new(NONE));
            UnsafeCell::make_uninit_at(&raw mut (*place).value);
        }
    }

    /// Makes it as good as new.
    pub fn reset(&mut self) {
        *self.full.get_mut() = 0;
        *self.verdict.get_mut() = NONE;
    }

    /// Writes a value. Says whether nobody is suspicious, and so it certainly is in: otherwise
    /// [`plead`](Self::plead).
    ///
    /// # Safety
    ///
    /// The caller has this slot's ticket and has not called this before. If `BARE`, light fences
    /// are for the compiler only.
    #[inline]
    pub unsafe fn put<L: Light>(&self, value: T) -> bool {
        // SAFETY: nobody else touches the value before `full` is stored: poppers look at that or at
        // LIVE first, and this is the slot's only pusher.
        self.value.with_mut(|place| unsafe { (*place).as_mut_ptr().write(value) });
        self.full.store(1, ord!("slot.a", Release)); // Release: row a.
        if !mutant!("slot.c") {
            light::<L>(); // Row c.
        }
        // Relaxed: row h; the fence has made it a recent one.
        self.verdict.load(Relaxed) == NONE
    }

    /// Writes a value, which comes back if the slot has died: nobody will read it.
    ///
    /// # Safety
    ///
    /// As for `put`.
    #[inline]
    pub unsafe fn fill<L: Light>(&self, value: T) -> Result<(), T> {
        // SAFETY: by this function's contract.
        if unsafe { self.put::<L>(value) } || self.plead() {
            Ok(())
        } else {
            // SAFETY: the value was written above, and nobody reads it from a dead slot.
            Err(unsafe { self.read() })
        }
    }

    /// Tries for LIVE, where somebody is suspicious and there is a value. If it fails, the slot is
    /// dead.
    #[cold]
    #[inline(never)]
    pub fn plead(&self) -> bool {
        if mutant!("slot.plead") {
            return true;
        }
        // Release: row f. Relaxed: row h.
        match self.verdict.compare_exchange(SUSPECT, LIVE, ord!("slot.f", Release), Relaxed) {
            Ok(_) => true,
            Err(verdict) => verdict == LIVE,
        }
    }

    /// Whether the pusher has written.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.full.load(ord!("slot.b", Acquire)) != 0 // Acquire: row b.
    }

    /// Whether nobody is suspicious of a slot that is full, so that it certainly has a value.
    #[inline]
    pub fn is_trusted<L: Light>(&self) -> bool {
        if !mutant!("slot.d") {
            light::<L>(); // Row d.
        }
        // Relaxed: row h; the fence has made it a recent one.
        self.verdict.load(Relaxed) == NONE
    }

    /// What there is.
    #[inline]
    pub fn look<L: Light>(&self) -> Seen {
        if !self.is_full() {
            self.look_without_value()
        } else if self.is_trusted::<L>() || self.plead() {
            Seen::Value
        } else {
            Seen::Nothing
        }
    }

    #[cold]
    fn look_without_value(&self) -> Seen {
        // Acquire: row g.
        match self.verdict.load(ord!("slot.g", Acquire)) {
            LIVE => Seen::Value,
            DEAD => Seen::Nothing,
            _ => Seen::NotYet,
        }
    }

    /// Whether there certainly is something to see: a look for those who poll.
    pub fn is_decided(&self) -> bool {
        // Relaxed, both: a proper look follows.
        self.full.load(Relaxed) != 0 || self.verdict.load(Relaxed) >= LIVE
    }

    /// Ends the wait for a pusher: afterwards the slot has a value or is dead. `NotYet` only if
    /// there is no fence to be had.
    #[cold]
    pub fn lose_patience(&self) -> Seen {
        let order = ord!("slot.g/q", Acquire); // Acquire: row g.
        // Relaxed: row h.
        let verdict = match self.verdict.compare_exchange(NONE, SUSPECT, Relaxed, order) {
            Ok(_) | Err(SUSPECT) => {
                // Row e.
                if !mutant!("slot.e") && !heavy_fence() {
                    return Seen::NotYet;
                }
                // Acquire: row b.
                let full = self.full.load(ord!("slot.b/q", Acquire)) != 0;
                let verdict = if full { LIVE } else { DEAD };
                // Release, Acquire: rows f and g.
                let (ok, err) = (ord!("slot.f/q", Release), ord!("slot.g/r", Acquire));
                match self.verdict.compare_exchange(SUSPECT, verdict, ok, err) {
                    Ok(_) => verdict,
                    Err(verdict) => verdict,
                }
            }
            Err(verdict) => verdict,
        };
        if verdict == LIVE { Seen::Value } else { Seen::Nothing }
    }

    /// Takes the value out.
    ///
    /// # Safety
    ///
    /// The caller has claimed the slot, in which it found a value; or has filled it, and it is
    /// dead. It has not read it yet.
    #[inline]
    pub unsafe fn read(&self) -> T {
        // SAFETY: the slot is the caller's, and full (its contract); rows a and b, or f and g.
        self.value.with_mut(|place| unsafe { (*place).assume_init_read() })
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}
