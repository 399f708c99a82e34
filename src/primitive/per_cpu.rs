//! Words of which each processor has one.
//!
//! Where the C library has registered restartable sequences, a thread can add to the word of the
//! processor it is on without locking it ([`sys::rseq`](crate::sys)). It is not in the model,
//! under `--cfg lockwork_portable` (for tools that do not see what assembly does), or on other
//! architectures than x86-64: then there is never an area, and what is built on this goes its other
//! way.

/// Bytes from the line of one processor to that of the next: two cache lines, which some
/// processors fetch together.
pub(crate) const LINE: usize = 128;

#[cfg(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(any(lockwork_portable, all(loom, feature = "loom"))),
))]
mod rseq {
    use crate::sys;

    const _: () = assert!(super::LINE == 1 << sys::rseq::LINE_SHIFT);

    /// Whether a program built like this may find an area.
    pub(crate) const PER_CPU: bool = true;

    /// Where the area of each thread is, from its thread pointer; 0 if there is none.
    pub(crate) fn rseq_offset() -> isize {
        sys::rseq::offset().map_or(0, core::num::NonZeroIsize::get)
    }

    /// Adds to a word of this processor's line, or of the first line.
    ///
    /// # Safety
    ///
    /// That of `sys::rseq::add`: there are `1 + cpus` lines of [`LINE`](super::LINE) bytes, `AT` is
    /// a word in each, those behind the first are only added to by this, and `offset` is what
    /// [`rseq_offset`] said, and not 0.
    #[inline]
    pub(crate) unsafe fn add_on_this_cpu<const AT: usize>(
        lines: *mut u8,
        cpus: u32,
        offset: isize,
        n: u64,
    ) {
        // SAFETY: the same contract.
        unsafe { sys::rseq::add::<AT>(lines, cpus, offset, n) };
    }
}

#[cfg(not(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(any(lockwork_portable, all(loom, feature = "loom"))),
)))]
mod rseq {
    /// It may not.
    pub(crate) const PER_CPU: bool = false;

    /// There is none.
    pub(crate) fn rseq_offset() -> isize {
        0
    }

    /// Never called, as there is no offset to call it with.
    ///
    /// # Safety
    ///
    /// Not to be called.
    pub(crate) unsafe fn add_on_this_cpu<const AT: usize>(_: *mut u8, _: u32, _: isize, _: u64) {
        unreachable!("there are no areas");
    }
}

pub(crate) use rseq::{PER_CPU, add_on_this_cpu, rseq_offset};

/// One more than the largest number of a processor, from a look that is remembered.
#[cfg(not(all(loom, feature = "loom")))]
pub(crate) fn possible_cpus() -> usize {
    use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    /// Relaxed: a number by itself; who finds none looks too.
    static KNOWN: AtomicUsize = AtomicUsize::new(0);
    match KNOWN.load(Relaxed) {
        0 => {
            let found = crate::sys::cpus::possible();
            KNOWN.store(found, Relaxed);
            found
        }
        known => known,
    }
}

/// The model's machine.
#[cfg(all(loom, feature = "loom"))]
pub(crate) fn possible_cpus() -> usize {
    2
}
