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
}
