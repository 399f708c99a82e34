//! Instructions of x86-64 that the language has no name for.

use core::arch::asm;

/// Clears the lowest bit of `*word` in one atomic step. Says whether any other bit is set, and
/// whether the highest is.
///
/// The same as an atomic *and*. That one gives back the whole old word, so it is a loop; the
/// processor's own instruction tells these two things by its flags. As ordered as any locked
/// instruction, so that every ordering is served.
///
/// # Safety
///
/// `word` is valid for atomic accesses.
#[inline]
pub(crate) unsafe fn clear_lowest(word: *mut u32) -> (bool, bool) {
    let (any, highest): (u8, u8);
    // SAFETY: by the caller's contract. No `nomem`: the compiler moves no access across.
    unsafe {
        asm!(
            "lock and dword ptr [{word}], -2",
            "setnz {any}",
            "sets {highest}",
            word = in(reg) word,
            any = lateout(reg_byte) any,
            highest = lateout(reg_byte) highest,
            options(nostack),
        );
    }
    (any != 0, highest != 0)
}
