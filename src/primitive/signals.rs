//! Which signals a thread lets through. The model has none.

/// A set of signals: bit `n - 1` is signal `n`.
pub(crate) type Set = u64;

/// Those that can be held back without harm. Not 9 and 19, which the kernel lets through; not those
/// that say that this very instruction is at fault, which would end the process instead; not the
/// two that the C library talks to its own threads with.
pub(crate) const WAITABLE: Set =
    !(bit(4) | bit(5) | bit(7) | bit(8) | bit(9) | bit(11) | bit(19) | bit(31) | bit(32) | bit(33));

/// The bit of a signal, from 1 to 64.
pub(crate) const fn bit(signal: i32) -> Set {
    1 << (signal - 1)
}

#[cfg(not(all(loom, feature = "loom")))]
mod calls {
    use core::sync::atomic::AtomicU64;
    use core::sync::atomic::Ordering::Relaxed;

    use super::Set;
    use crate::sys::errno::Errno;
    use crate::sys::signal;
    pub(crate) use crate::sys::signal::{Arrival, replace_mask};

    // The numbers above are those of all architectures but MIPS, SPARC and PA-RISC.
    const _: () = {
        use crate::sys::signal::numbers::*;
        assert!(ILL == 4 && TRAP == 5 && BUS == 7 && FPE == 8 && KILL == 9 && SEGV == 11);
        assert!(STOP == 19 && SYS == 31);
    };

    /// What [`hold_back`] has added to masks that did not have it.
    static ADDED: AtomicU64 = AtomicU64::new(0);

    /// Has the calling thread hold these back, and remembers for the process that it was us: the
    /// mask before.
    pub(crate) fn hold_back(set: Set) -> Set {
        let before = signal::mask();
        // Relaxed: whoever has inherited our mask was started, or forked, after this.
        ADDED.fetch_or(set & !before, Relaxed);
        let _ = replace_mask(before | set);
        before
    }

    /// The mask of the calling thread, without what we have added to masks in this process.
    pub(crate) fn original_mask() -> Set {
        signal::mask() & !ADDED.load(Relaxed) // Relaxed: as above.
    }

    /// Waits for one of these, which the calling thread holds back.
    pub(crate) fn wait(set: Set) -> Arrival {
        loop {
            match signal::wait(set) {
                Ok(arrival) => return arrival,
                Err(Errno::INTR) => {}
                Err(errno) => panic!("cannot wait for signals: {errno}"),
            }
        }
    }

    /// Sends a signal to a thread of this process, if it is still there.
    pub(crate) fn send(thread: u32, number: i32) {
        while signal::send(thread, number) == Err(Errno::AGAIN) {
            crate::primitive::yield_now();
        }
    }
}

#[cfg(all(loom, feature = "loom"))]
mod calls {
    use super::Set;

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Arrival {
        pub(crate) signal: i32,
        pub(crate) sender: Option<u32>,
        pub(crate) to_thread: bool,
    }

    pub(crate) fn hold_back(_: Set) -> Set {
        0
    }
    pub(crate) fn original_mask() -> Set {
        0
    }
    pub(crate) fn replace_mask(_: Set) -> Set {
        0
    }
    pub(crate) fn wait(_: Set) -> Arrival {
        unreachable!("the model has no signals")
    }
    pub(crate) fn send(_: u32, _: i32) {}
}

pub(crate) use calls::*;
