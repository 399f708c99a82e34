//! A pair of fences of which one side pays for both.
//!
//! Two threads each write one thing and then read the other's. If both have a full fence in
//! between, at least one of them sees what the other wrote. If one does it all the time (it
//! publishes a value and looks for sleepers, it announces a pointer and looks whether that is still
//! current) and the other rarely, then the one can leave its fence out, and the other has the
//! kernel make one on every processor that runs a thread of this process: `membarrier(2)`.
//!
//! ```text
//! often                                    rarely
//! L1 write A                               H1 write B
//! L2 light_fence()                         H2 heavy_fence()
//! L3 read B                                H3 read A
//! ```
//!
//! # What the pair promises
//!
//! If `heavy_fence` returned `true`, then L3 sees H1 or H3 sees L1. The kernel's barrier falls
//! somewhere into the other thread's program: before L3, and then H1 came before it; or after L3,
//! and then L1 has come before it, which the compiler has not moved behind L3 (L2 sees to that).
//! A thread that does not run has been through a barrier when it was taken off its processor, and
//! comes back through another.
//!
//! Two heavy fences are full fences towards each other as well, and so are a heavy fence and
//! `fence(SeqCst)`. Two light ones promise nothing.
//!
//! # Chosen once
//!
//! Which form is used is settled once in a process, before the first fence of either side: the
//! kernel's barrier if it can be had, and full fences on both sides if not (before Linux 4.14, or
//! where a filter forbids it). It is never changed afterwards, as threads may be between L1 and L3
//! at any time. [`settle`] does that ahead of time; registering takes the kernel ten milliseconds
//! in a process that has other threads, and microseconds in one that has not.
//!
//! A child of `fork` inherits the choice and the registration that goes with it. If a parent that
//! was about to register forks, its child finds nothing settled and registers for itself.
//!
//! # A barrier that is refused later
//!
//! A filter can be installed after the choice, and for one thread only. The others have left their
//! fences out by then, so there is no way to make up for the barrier; `heavy_fence` says `false`,
//! and the process remembers that one was refused. What that means is up to the caller: who wanted
//! to free memory must keep it. A thread that wanted to sleep may not count on being woken, so it
//! looks again every few milliseconds ([`barrier_was_refused`]): what another thread has written
//! before it looked for sleepers is in its processor's store buffer at most, and comes out of that
//! by itself, soon.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | the choice | Relaxed | - | made by one CAS, and then the same for all; registered with the kernel before, and nothing else depends on it |
//! | b | the remembered refusal | Relaxed | - | read by the thread that was refused after it was; by others whenever |
//!
//! # Under the model
//!
//! Both sides are `fence(SeqCst)`; that the machine's barrier is as good as that is the kernel's
//! promise. The users' models show that neither side can be left out.
//!
//! # Sources
//!
//! membarrier(2), and `Documentation/scheduler/membarrier.rst` of the kernel.

use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicU32, compiler_fence, fence};

use crate::sys::errno::Errno;
use crate::sys::membarrier;

/// The choice.
static FORM: AtomicU32 = AtomicU32::new(UNSETTLED);

const UNSETTLED: u32 = 0;
/// A full fence on both sides.
const FENCES: u32 = 1;
/// The compiler's fence on the light side, the kernel's barrier on the heavy one.
const BARRIER: u32 = 2;

static REFUSED: AtomicBool = AtomicBool::new(false);

/// The side that does it often: one plain load, and a branch that always goes the same way.
#[inline]
pub(crate) fn light_fence() {
    // Relaxed: row a.
    if FORM.load(Relaxed) == BARRIER || settle() {
        bare_light_fence();
    } else {
        fence(SeqCst); // SeqCst: L1's store is not delayed beyond L3's load; see the heavy side's.
    }
}

/// As [`light_fence`], for who knows that [`settle`] has said `true` in this process: nothing at
/// all in the program that comes out.
#[inline]
pub(crate) fn bare_light_fence() {
    compiler_fence(SeqCst); // SeqCst: L1 stays before L3; the heavy side's barrier does the rest.
}

/// The side that does it rarely: about a microsecond, and as much for each thread of this process
/// that runs at the time. Whether the fence was made.
#[must_use = "without a fence, the other side has to be thought capable of anything"]
pub(crate) fn heavy_fence() -> bool {
    // SeqCst: H1's store is not delayed beyond H3's load, which is all there is to it where the
    // light side has such a fence too. With a barrier: nor beyond the entry into the kernel.
    fence(SeqCst);
    if !settle() {
        return true;
    }
    let made = match membarrier::private_expedited() {
        // Memory that was restored without what the kernel knew of it. If it is a filter, it says
        // so again.
        Err(Errno::PERM) => {
            membarrier::register_private_expedited().and_then(|()| membarrier::private_expedited())
        }
        made => made,
    };
    if made.is_err() {
        REFUSED.store(true, Relaxed); // Relaxed: row b.
    }
    // SeqCst: H3's load is not done before the kernel was left.
    fence(SeqCst);
    made.is_ok()
}

/// Whether a heavy fence of this process ever said `false`. Then a sleep that relies on one has to
/// be a short one.
pub(crate) fn barrier_was_refused() -> bool {
    REFUSED.load(Relaxed) // Relaxed: row b.
}

/// Settles the form if nobody has yet: whether heavy fences are the kernel's, so that light ones
/// are for the compiler only.
#[inline]
pub(crate) fn settle() -> bool {
    // Relaxed: row a.
    match FORM.load(Relaxed) {
        UNSETTLED => settle_now() == BARRIER,
        form => form == BARRIER,
    }
}

#[cold]
#[inline(never)]
fn settle_now() -> u32 {
    // One barrier to see: a filter may let the registration pass and not the barrier.
    let registered = membarrier::register_private_expedited();
    let form = match registered.and_then(|()| membarrier::private_expedited()) {
        Ok(()) => BARRIER,
        Err(_) => FENCES,
    };
    // Threads may race here, one of them under a filter; the first decides for all. Relaxed: row a.
    match FORM.compare_exchange(UNSETTLED, form, Relaxed, Relaxed) {
        Ok(_) => form,
        Err(first) => first,
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::Ordering::{AcqRel, Acquire};
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::sys::membarrier::testing::{forbid_barrier, forbid_registration};
    use crate::sys::testing::{fork, in_child};

    /// Where two threads meet, round after round.
    #[derive(Default)]
    struct Meeting {
        come: AtomicU32,
    }

    impl Meeting {
        /// Returns once both have come `times` times.
        fn meet(&self, times: u32) {
            self.come.fetch_add(1, AcqRel); // AcqRel: round follows round, also in memory.
            let mut looks = 0;
            // Acquire: the other's AcqRel.
            while self.come.load(Acquire) < 2 * times {
                looks += 1;
                if looks % 64 == 0 {
                    thread::yield_now();
                }
            }
        }
    }

    /// A few nanoseconds or a few more: who comes last to a meeting knows first that it is over, by
    /// as long as the news takes from one core to the other.
    fn linger(turns: u32) {
        for turn in 0..turns {
            core::hint::black_box(turn);
        }
    }

    /// Store buffering: again and again both sides write and look, and at least one has to see.
    fn one_side_sees(rounds: u32) {
        let shared: Arc<([AtomicU32; 2], Meeting)> = Arc::default();
        let rarely = {
            let shared = shared.clone();
            thread::spawn(move || {
                let ([a, b], meeting) = &*shared;
                let side = |round| {
                    meeting.meet(2 * round - 1);
                    linger(round / 128 % 128);
                    b.store(round, Relaxed);
                    assert!(heavy_fence());
                    let sees = a.load(Relaxed) == round;
                    meeting.meet(2 * round);
                    sees
                };
                (1..=rounds).map(side).collect::<std::vec::Vec<_>>()
            })
        };
        let ([a, b], meeting) = &*shared;
        let side = |round| {
            meeting.meet(2 * round - 1);
            linger(round % 128);
            a.store(round, Relaxed);
            light_fence();
            let sees = b.load(Relaxed) == round;
            meeting.meet(2 * round);
            sees
        };
        let often: std::vec::Vec<bool> = (1..=rounds).map(side).collect();
        for (often, rarely) in often.into_iter().zip(rarely.join().unwrap()) {
            assert!(often || rarely, "both looked before either had written");
        }
    }

    #[test]
    fn one_of_the_two_sides_sees_the_other() {
        one_side_sees(10_000);
        assert!(!barrier_was_refused());
    }

    #[test]
    fn the_choice_is_made_once_and_goes_to_children() {
        if !in_child(module_path!(), "the_choice_is_made_once_and_goes_to_children") {
            return;
        }
        let unsettled = || FORM.load(Relaxed) == UNSETTLED;
        let before = fork(|| u8::from(unsettled()) + 2 * u8::from(heavy_fence()));
        assert_eq!(before, 3, "a child of one that has not chosen chooses for itself");
        assert!(unsettled(), "and not for its parent");
        let chosen = settle();
        assert_eq!(chosen, thread::spawn(settle).join().unwrap());
        let child = fork(|| {
            let inherited = !unsettled() && settle() == chosen;
            u8::from(inherited) + 2 * u8::from(heavy_fence()) + 4 * u8::from(barrier_was_refused())
        });
        assert_eq!(child, 3);
    }

    /// A filter that is there from the start: full fences, and nothing is ever refused.
    #[test]
    fn registration_forbidden_from_the_start() {
        const TEST: &str = "registration_forbidden_from_the_start";
        if in_child(module_path!(), TEST) && forbid_registration() {
            assert!(!settle());
            one_side_sees(2_000);
            assert!(!barrier_was_refused());
        }
    }

    /// A filter that lets the registration pass.
    #[test]
    fn barrier_forbidden_from_the_start() {
        if in_child(module_path!(), "barrier_forbidden_from_the_start") && forbid_barrier() {
            light_fence();
            assert!(!settle());
            assert!(heavy_fence());
            assert!(!barrier_was_refused());
        }
    }

    /// A filter that comes after the choice, for one thread only: that thread is told.
    #[test]
    fn forbidden_later() {
        if !in_child(module_path!(), "forbidden_later") || !settle() {
            return;
        }
        let there = thread::spawn(|| forbid_barrier().then(heavy_fence)).join().unwrap();
        if let Some(made) = there {
            assert!(!made, "there was no barrier");
            assert!(barrier_was_refused());
            assert!(heavy_fence(), "the others have theirs");
            assert!(settle(), "the choice stands");
        }
    }
}
