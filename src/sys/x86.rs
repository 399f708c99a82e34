//! Instructions of x86-64 that the language has no name for.

use core::arch::asm;

/// Clears bit 0 of `*word` in one atomic step. Says whether bit 1 is set, and whether bit 31 is;
/// the others of the low byte have to be zero.
///
/// The same as an atomic *and*. That one gives back the whole old word, so it is a loop; the
/// processor's own instruction tells these two things by its flags for parity and sign. As ordered
/// as any locked instruction is, so that every ordering is served.
///
/// # Safety
///
/// `word` is valid for atomic accesses.
#[inline]
pub(crate) unsafe fn clear_lowest(word: *mut u32) -> (bool, bool) {
    let (second, highest): (u8, u8);
    // SAFETY: by the caller's contract. No `nomem`: the compiler moves no access across.
    unsafe {
        asm!(
            "lock and dword ptr [{word}], -2",
            "setnp {second}", // an odd number of bits in the low byte: it is the one
            "sets {highest}",
            word = in(reg) word,
            second = lateout(reg_byte) second,
            highest = lateout(reg_byte) highest,
            options(nostack),
        );
    }
    (second != 0, highest != 0)
}

/// Whether the processor has `cmpxchg16b`: all but the first few with 64 bits do.
pub(crate) fn has_compare_exchange_16() -> bool {
    const CX16: u32 = 1 << 13;
    #[allow(unused_unsafe, reason = "safe since Rust 1.92")]
    // SAFETY: every processor with 64 bits has the instruction, and its leaf 1.
    let features = unsafe { core::arch::x86_64::__cpuid(1) };
    features.ecx & CX16 != 0
}

/// A pointer and a number beside it, loaded, stored and compared as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(16))]
#[allow(unreachable_pub, reason = "a trait of `primitive` has it for a type")]
pub struct Pair {
    pub(crate) pointer: *mut (),
    pub(crate) number: u64,
}

/// Loads the number, and then the pointer: each whole, and each ordered as an acquiring load is.
/// The two may be of different moments; [`compare_exchange_16`] then does not find them together.
///
/// # Safety
///
/// `pair` is valid, and other threads access it by these two functions only.
#[inline]
pub(crate) unsafe fn load_16(pair: *const Pair) -> Pair {
    let (pointer, number);
    // SAFETY: by the caller's contract. The processor does not load the second before the first,
    // and without `nomem` the compiler moves no access across.
    unsafe {
        asm!(
            "mov {number}, qword ptr [{pair} + 8]",
            "mov {pointer}, qword ptr [{pair}]",
            pair = in(reg) pair,
            number = out(reg) number, // not `lateout`: written before `pair` is read again
            pointer = lateout(reg) pointer,
            options(nostack, preserves_flags),
        );
    }
    Pair { pointer, number }
}

/// Replaces `*pair` by `new` if it is `current`, in one atomic step; says what it was, and whether
/// it was replaced. As ordered as any locked instruction is, so that every ordering is served.
///
/// # Safety
///
/// The processor has the instruction; `pair` is valid, and other threads access it by these two
/// functions only.
#[inline]
pub(crate) unsafe fn compare_exchange_16(
    pair: *mut Pair,
    current: Pair,
    new: Pair,
) -> Result<(), Pair> {
    let (pointer, number, replaced): (*mut (), u64, u64);
    // SAFETY: by the caller's contract; `Pair` is aligned to 16 bytes. The compiler keeps `rbx`
    // for itself and lets nobody name it, so it is put aside and put back by hand. No other operand
    // may be given that register, so all are named. No `nomem`: no access moves across.
    unsafe {
        asm!(
            "xchg rsi, rbx",
            "lock cmpxchg16b xmmword ptr [rdi]",
            "mov rbx, rsi",
            "sete dil",
            inout("rsi") new.pointer => _,
            in("rcx") new.number,
            inout("rax") current.pointer => pointer,
            inout("rdx") current.number => number,
            inout("rdi") pair => replaced,
            options(nostack),
        );
    }
    if replaced & 0xff != 0 { Ok(()) } else { Err(Pair { pointer, number }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_flags_come_from_the_word_that_is_left() {
        for rest in [0, 1 << 1, 1 << 31, 1 << 31 | 1 << 1, 0x7fff_ff00, 0x7fff_ff02, 0x100] {
            for lowest in [0, 1] {
                let mut word: u32 = rest | lowest;
                // SAFETY: a local that nobody else knows.
                let flags = unsafe { clear_lowest(&raw mut word) };
                assert_eq!(word, rest);
                assert_eq!(flags, (rest >> 1 & 1 != 0, rest >> 31 != 0), "{rest:#x}");
            }
        }
    }

    #[test]
    fn sixteen_bytes_are_replaced_whole_or_not_at_all() {
        assert!(has_compare_exchange_16());
        let (mut here, mut there) = (0_u8, 0_u8);
        let (here, there) = ((&raw mut here).cast::<()>(), (&raw mut there).cast::<()>());
        let mut pair = Pair { pointer: here, number: u64::MAX };
        let before = pair;
        let after = Pair { pointer: there, number: 7 };
        let cell = &raw mut pair;
        // SAFETY: a local that nobody else knows, and the processor has the instruction.
        unsafe {
            for wrong in [Pair { pointer: there, ..before }, Pair { number: 0, ..before }] {
                assert_eq!(compare_exchange_16(cell, wrong, after), Err(before));
                assert_eq!(load_16(cell), before);
            }
            assert_eq!(compare_exchange_16(cell, before, after), Ok(()));
            assert_eq!(load_16(cell), after);
            assert_eq!(compare_exchange_16(cell, before, after), Err(after));
        }
    }

    /// Two threads count by it, each in both halves; a half that is lost or torn shows.
    #[test]
    fn no_half_is_lost() {
        struct Shared(core::cell::UnsafeCell<Pair>);
        // SAFETY: accessed by the two functions only.
        unsafe impl Sync for Shared {}
        const ROUNDS: u64 = 50_000;
        let origin = core::ptr::null_mut::<u8>();
        let start = Pair { pointer: origin.cast(), number: 0 };
        let shared = Shared(core::cell::UnsafeCell::new(start));
        let shared = &shared;
        std::thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    for _ in 0..ROUNDS {
                        // SAFETY: lives, and is accessed so only.
                        let mut seen = unsafe { load_16(shared.0.get()) };
                        loop {
                            let new = Pair {
                                pointer: seen.pointer.cast::<u8>().wrapping_add(1).cast(),
                                number: seen.number + 1,
                            };
                            // SAFETY: as above.
                            match unsafe { compare_exchange_16(shared.0.get(), seen, new) } {
                                Ok(()) => break,
                                Err(now) => {
                                    assert_eq!(now.pointer.addr() as u64, now.number, "torn");
                                    seen = now;
                                }
                            }
                        }
                    }
                });
            }
        });
        // SAFETY: as above.
        let end = unsafe { load_16(shared.0.get()) };
        assert_eq!((end.pointer.addr() as u64, end.number), (2 * ROUNDS, 2 * ROUNDS));
    }
}
