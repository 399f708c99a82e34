//! A number in many words, of which each thread adds to one that is near.
//!
//! # State words
//!
//! ```text
//! lines     -> one of three constants: not made yet (two kinds), or BEING_MADE, for ever if there
//!              was no memory; else
//!           -> line 0: how the lines are used; two words
//!              line 1 ... line n: two words each
//!
//! baseline     what the difference of all words was at the last reset
//! spare        two words
//! ```
//!
//! The two words of a line hold what was *added* and what was *subtracted*; both only grow, and
//! wrap. A line is 128 bytes, so that no two share a cache line, nor a pair of them.
//!
//! Who adds goes to one of these:
//!
//! | | when | how |
//! |---|---|---|
//! | the line of this processor | there are restartable sequences | load, add, store in one section that nobody else on this processor is inside of |
//! | line 0 | the same, and the section was disturbed, or the processor has no line | atomic |
//! | the line of this thread's number, modulo n | there are none | atomic |
//! | spare | there are no lines: somebody is making them, or there was no memory | atomic |
//!
//! # Invariants
//!
//! 1. A line from 1 on is either one of a processor, and then only sections write it, on that
//!    processor; or one of threads, and then only atomic operations do. Which, is decided when the
//!    lines are made, and never mixed: an atomic addition between the load and the store of a
//!    section would be lost.
//! 2. `lines` is changed twice at most: by one thread from "not made" to BEING_MADE, and by the
//!    same thread to what it made. They are freed with the whole.
//! 3. Nobody waits: who meets BEING_MADE adds to the spare words. So an allocator may count with
//!    this, a signal handler that interrupts the maker may, and so may a child of `fork` that has a
//!    copy of BEING_MADE and not the maker.
//! 4. The words are never written but to add. A reset writes `baseline`.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | the made lines are stored to `lines` | Release | b | who finds them finds them zero, and how they are used |
//! | b | loads of `lines` | Acquire | a | as (a) |
//! | c | additions to a word | Release | d | who counts it sees what came before it: of the same thread, also other additions |
//! | d | loads of a word by who sums up | Acquire | c | as (c) |
//! | e | exchange of `baseline` by a reset | Release | f | what the reset counted, who sees its baseline counts too |
//! | f | loads of `baseline` | Acquire | e | as (e): no difference to a baseline is one of before it |
//! | g | the claim to make the lines; looks for displays | Relaxed | - | one exchange decides, and what it publishes comes with (a) |
//!
//! Additions of a section are (c) too: the architecture keeps stores in order, and the compiler
//! takes the section for something that writes any memory.
//!
//! # What a sum is
//!
//! Let nothing be subtracted, and S be what [`sum`](Stripes::sum) finds. Every addition that
//! happened before the call is in S, as each word is read no older than that; none is that begins
//! after the call has returned. So S lies between the number at the call and that at the return:
//! *intermediate value linearizability*. (The words are not read at one moment, so two sums that
//! run at the same time may each count an addition that the other misses.)
//!
//! With subtractions, the words for these are read first. Let t be the moment between the last of
//! them and the first of the others. At t no fewer subtractions were done than were counted, and no
//! more additions than will be. So S is *no less* than the number was at t; it is more by what was
//! added after t and subtracted before it was read. And if each subtraction takes back an addition
//! that happened before it, (c) and (d) have the latter counted if the former is: S is not
//! negative.
//!
//! # Resets
//!
//! A reset loads `baseline`, adds all up and exchanges `baseline` for the sum, from the start again
//! if another one came between. What each of them returns is the difference of two successive
//! baselines, so every addition is in one of them and in one only, or in the sum after the last.
//!
//! # Progress
//!
//! An addition is wait-free: no loop. A sum reads each line once, and again if there was a reset
//! meanwhile; a reset is lock-free.
//!
//! # Scaling
//!
//! A line of a processor is in that processor's cache, and stays: an addition neither fetches it
//! nor locks it. A sum takes all lines from there. Lines of threads are shared by threads whose
//! numbers are the same modulo n.
//!
//! # Sources
//!
//! Arik Rinberg and Idit Keidar, "Intermediate Value Linearizability: A Quantitative Correctness
//! Criterion" (DISC 2020). `LongAdder` of j.u.c. for stripes by thread. Linux's
//! `Documentation/userspace-api/rseq.rst` and its `tools/testing/selftests/rseq` for sections.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::offset_of;
use core::{ptr, slice};

use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{AtomicPtr, AtomicU64};
use crate::primitive::{LINE, PER_CPU, add_on_this_cpu, possible_cpus, rseq_offset, thread_number};
use crate::primitive::{as_shipped, model_const_fn, mutant, ord};

/// How the lines are used. At the start of line 0.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Use {
    /// Where to find out the processor; 0 if the lines belong to threads, or there are none.
    rseq: isize,
    /// How many there are behind line 0; a power of two if they belong to threads.
    lines: usize,
}

/// Not made yet; not made yet, and to belong to threads in any case; being made.
static NO_LINES: [Use; 3] = [Use { rseq: 0, lines: 0 }; 3];

const UNMADE: *const Use = (&raw const NO_LINES).cast();
const UNMADE_FOR_THREADS: *const Use = UNMADE.wrapping_add(1);
const BEING_MADE: *const Use = UNMADE.wrapping_add(2);

/// What was added, and what was subtracted.
#[derive(Debug)]
#[repr(C)]
struct Words {
    added: AtomicU64,
    subtracted: AtomicU64,
}

#[derive(Debug)]
#[repr(C, align(128))]
struct Line {
    all: Use,
    words: Words,
}

// Sections find words by these.
const _: () = assert!(!PER_CPU || size_of::<Line>() == LINE && size_of::<AtomicU64>() == 8);
const ADDED: usize = offset_of!(Line, words) + offset_of!(Words, added);
const SUBTRACTED: usize = offset_of!(Line, words) + offset_of!(Words, subtracted);

impl Words {
    model_const_fn! {
        const fn new() -> Self {
            Self { added: AtomicU64::new(0), subtracted: AtomicU64::new(0) }
        }
    }

    #[inline]
    fn get(&self, at: usize) -> &AtomicU64 {
        if at == ADDED { &self.added } else { &self.subtracted }
    }
}

/// The number in [`StripedCounter`](crate::counter::StripedCounter).
pub struct Stripes {
    lines: AtomicPtr<Use>,
    baseline: AtomicU64,
    spare: Words,
}

impl Stripes {
    model_const_fn! {
        /// Zero. The lines are made when something is added.
        pub const fn new() -> Self {
            Self::unmade(UNMADE)
        }
    }

    model_const_fn! {
        /// The same with lines of threads, whatever there is.
        pub const fn for_threads() -> Self {
            Self::unmade(UNMADE_FOR_THREADS)
        }
    }

    model_const_fn! {
        const fn unmade(lines: *const Use) -> Self {
            Self {
                lines: AtomicPtr::new(lines.cast_mut()),
                baseline: AtomicU64::new(0),
                spare: Words::new(),
            }
        }
    }

    /// Adds, modulo 2^64.
    #[inline]
    pub fn add(&self, n: u64) {
        self.add_at::<ADDED>(n);
    }

    /// Subtracts, modulo 2^64.
    #[inline]
    pub fn subtract(&self, n: u64) {
        self.add_at::<SUBTRACTED>(n);
    }

    #[inline]
    fn add_at<const AT: usize>(&self, n: u64) {
        // Acquire: row b.
        let lines = self.lines.load(ord!("stripes.b", Acquire));
        // SAFETY: a constant, or line 0 of what is there as long as `self` is (invariant 2).
        let all = unsafe { *lines };
        if PER_CPU && all.rseq != 0 {
            // SAFETY: there are as many lines; they are those of processors (invariant 1), and
            // `AT` is one of their words.
            unsafe { add_on_this_cpu::<AT>(lines.cast(), all.lines as u32, all.rseq, n) };
        } else {
            self.add_atomically::<AT>(lines, n);
        }
    }

    /// Where there are no sections, or no lines.
    #[cfg_attr(any(not(target_arch = "x86_64"), lockwork_portable), inline)]
    fn add_atomically<const AT: usize>(&self, lines: *const Use, n: u64) {
        // SAFETY: as in `add_at`, here and below.
        let lines = if unsafe { (*lines).lines } == 0 { self.make() } else { lines };
        // SAFETY: as above.
        let Use { rseq, lines: behind } = unsafe { *lines };
        let words = if behind == 0 {
            &self.spare
        } else {
            // Lines of processors were made just now, or this were a section: line 0 will do. There
            // is a power of two of those of threads.
            let mine = 1 + (thread_number() as usize & (behind - 1));
            let mine = if rseq == 0 { mine } else { 0 };
            // SAFETY: there are so many behind line 0, and they stay as long as `self`.
            unsafe { &(*lines.cast::<Line>().add(mine)).words }
        };
        // Release: row c.
        words.get(AT).fetch_add(n, ord!("stripes.c", Release));
    }

    /// Makes the lines unless somebody did or does; what there is now.
    #[cold]
    #[inline(never)]
    pub fn prepare(&self) {
        // SAFETY: as in `add_at`.
        if unsafe { (*self.load()).lines } == 0 {
            self.make();
        }
    }

    /// The lines, or what there is instead.
    #[inline]
    fn load(&self) -> *const Use {
        self.lines.load(ord!("stripes.b", Acquire)) // Acquire: row b.
    }

    #[cold]
    #[inline(never)]
    fn make(&self) -> *const Use {
        let found = self.load();
        // SAFETY: as in `add_at`.
        if ptr::eq(found, BEING_MADE) || unsafe { (*found).lines } != 0 {
            return found;
        }
        let claim = self.lines.compare_exchange(
            found.cast_mut(),
            BEING_MADE.cast_mut(),
            Relaxed,                    // Relaxed: row g.
            ord!("stripes.b", Acquire), // Acquire: row b.
        );
        match claim {
            Err(theirs) if !mutant!("stripes.make-twice") => return theirs,
            _ => {}
        }
        match allocate(ptr::eq(found, UNMADE_FOR_THREADS)) {
            Some(lines) => {
                // Release: row a.
                self.lines.store(lines, ord!("stripes.a", Release));
                lines
            }
            // It stays as it is, and the spare words are used.
            None => BEING_MADE,
        }
    }

    /// All lines, line 0 and those behind it, if there are any.
    fn made(&self) -> &[Line] {
        let lines = self.load();
        // SAFETY: as in `add_at`; `allocate` made one more than `lines`, and they stay as long as
        // `self`. Whoever writes to them does so atomically, or as if.
        unsafe {
            match (*lines).lines {
                0 => &[],
                behind => slice::from_raw_parts(lines.cast::<Line>(), 1 + behind),
            }
        }
    }

    /// What one kind of words has in them.
    fn total(&self, at: usize) -> u64 {
        // Acquire: row d, here and below.
        let spare = self.spare.get(at).load(ord!("stripes.d", Acquire));
        let spare = if mutant!("stripes.forget-spare") { 0 } else { spare };
        self.made().iter().fold(spare, |sum, line| {
            let word = line.words.get(at).load(ord!("stripes.d", Acquire)); // Acquire: row d.
            sum.wrapping_add(word)
        })
    }

    /// All that was ever added.
    pub fn added(&self) -> u64 {
        self.total(ADDED)
    }

    /// All that was ever subtracted.
    pub fn subtracted(&self) -> u64 {
        self.total(SUBTRACTED)
    }

    /// The difference: subtractions first, see above.
    fn difference(&self) -> u64 {
        if mutant!("stripes.additions-first") {
            let added = self.added();
            return added.wrapping_sub(self.subtracted());
        }
        let subtracted = self.subtracted();
        self.added().wrapping_sub(subtracted)
    }

    /// The number, since the last reset.
    pub fn sum(&self) -> i64 {
        // Acquire: row f.
        let mut baseline = self.baseline.load(ord!("stripes.f", Acquire));
        loop {
            let difference = self.difference();
            // The same: what was added after a reset is not counted from the baseline before it.
            // Acquire: row f, for the next turn.
            let now = self.baseline.load(ord!("stripes.f", Acquire));
            if now == baseline || mutant!("stripes.one-look") {
                return difference.wrapping_sub(baseline) as i64;
            }
            baseline = now;
        }
    }

    /// The number, which begins anew at zero.
    pub fn reset(&self) -> i64 {
        // Acquire: row f.
        let mut baseline = self.baseline.load(ord!("stripes.f", Acquire));
        loop {
            let difference = self.difference();
            match self.baseline.compare_exchange(
                baseline,
                difference,
                // Release, Acquire: rows e and f.
                ord!("stripes.e", Release),
                ord!("stripes.f", Acquire),
            ) {
                Ok(_) => return difference.wrapping_sub(baseline) as i64,
                Err(now) => baseline = now,
            }
        }
    }

    /// Whether the lines are those of processors.
    pub fn is_per_cpu(&self) -> bool {
        // SAFETY: as in `add_at`.
        unsafe { (*self.load()).rseq != 0 }
    }

    /// How many lines there are to add to, beside line 0.
    pub fn width(&self) -> usize {
        self.made().len().saturating_sub(1)
    }

    /// What went, in additions and subtractions together, where it goes if nothing else can be had.
    pub fn astray(&self) -> u64 {
        let first = self.made().first().map(|line| &line.words);
        [Some(&self.spare), first].into_iter().flatten().fold(0, |sum, words| {
            // Relaxed: for displays.
            let (added, subtracted) = (words.added.load(Relaxed), words.subtracted.load(Relaxed));
            sum.wrapping_add(added).wrapping_add(subtracted)
        })
    }
}

/// Line 0 of new lines, unless there is no memory for them.
fn allocate(for_threads: bool) -> Option<*mut Use> {
    let cpus = possible_cpus();
    let all = match if for_threads { 0 } else { rseq_offset() } {
        0 => Use { rseq: 0, lines: stripes(cpus) },
        rseq => Use { rseq, lines: cpus },
    };
    let mut lines = Vec::new();
    lines.try_reserve_exact(1 + all.lines).ok()?;
    lines.extend((0..=all.lines).map(|_| Line { all, words: Words::new() }));
    Some(Box::into_raw(lines.into_boxed_slice()).cast())
}

/// Lines for threads on so many processors: threads that run at the same time should seldom have
/// the same one, and with four for each that can run, three of four have one of their own.
fn stripes(cpus: usize) -> usize {
    if as_shipped() { (4 * cpus.min(64)).max(cpus).next_power_of_two() } else { cpus }
}

impl Default for Stripes {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Stripes {
    fn drop(&mut self) {
        // Acquire: row b. Nobody else has `self` any more, and whoever had has handed it over.
        let lines = self.load();
        // SAFETY: as in `add_at`.
        let behind = unsafe { (*lines).lines };
        if behind != 0 {
            let lines = ptr::slice_from_raw_parts_mut(lines.cast_mut().cast::<Line>(), 1 + behind);
            // SAFETY: `allocate` let go of a box with as many, and nobody adds any more.
            drop(unsafe { Box::from_raw(lines) });
        }
    }
}
