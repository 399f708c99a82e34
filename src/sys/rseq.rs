//! Restartable sequences: instructions that the kernel lets a thread do on one processor without
//! being disturbed, or else sends it elsewhere. See `Documentation/userspace-api/rseq.rst` and
//! rseq(2).
//!
//! Each thread shares an area of memory with the kernel, which the C library registers (glibc does,
//! since 2.35; musl does not). In it the kernel writes the number of the processor, and the thread
//! the address of a *descriptor*: where a section begins, how long it is, and where to go if the
//! thread is preempted, moved or interrupted by a signal inside. A section ends with the one
//! instruction that has an effect. So that instruction runs on the processor whose number was read,
//! and nothing else of this kind has run on it since.
//!
//! What this relies on, and what it keeps to:
//!
//! * **The C library's area**, not one of its own: a thread has one, and the second to register
//!   fails. `__rseq_size` says whether it is registered: it is 0 if it was switched off
//!   (`GLIBC_TUNABLES=glibc.pthread.rseq=0`), if a sandbox refuses the call, and under emulators
//!   that do not know it. `__rseq_offset` has a value even then.
//! * **`cpu_id`, never `cpu_id_start`**: in a thread that is not registered it is negative, and as
//!   an unsigned number larger than any processor's. It is compared inside of the section.
//! * **Nothing of the area is written but `rseq_cs`**, and that is zero again behind a section, or
//!   the kernel would look for the descriptor of a library that is no longer loaded.
//! * **No way back into the section**: whoever is thrown out takes the other way at once. A
//!   debugger that goes step by step throws a thread out each time, for ever.
//!
//! A child of `vfork` that has not called `exec` yet is not registered, and sees its parent's area:
//! it must not get here. (Nor may it do anything else but call `exec`.)

use core::arch::asm;
use core::num::NonZeroIsize;

/// What lies before each abort handler, or the kernel ends the process: `RSEQ_SIG` of glibc and of
/// the kernel's own tests, behind the first bytes of an instruction that nobody has (`ud1`).
#[cfg(test)]
const SIGNATURE: u32 = 0x5305_3053;

/// The size of the area up to the end of the fields that every kernel with this call has.
const FIRST_FIELDS: u32 = 20;

/// From the thread pointer to the area, or `None` where the C library has registered none. The same
/// for all threads, and for as long as the process lives.
pub(crate) fn offset() -> Option<NonZeroIsize> {
    let (size, offset) = (symbol::size()?, symbol::offset()?);
    // SAFETY: the C library's variables of these names and types, which it writes before `main`.
    let (size, offset) = unsafe { (size.read(), offset.read()) };
    if size < FIRST_FIELDS {
        return None;
    }
    NonZeroIsize::new(offset)
}

/// Asks the dynamic linker: a symbol that the program itself asks for would make it want the C
/// library of the machine it was built on.
#[cfg(not(target_feature = "crt-static"))]
mod symbol {
    use core::ffi::CStr;
    use core::ptr;

    use super::super::errno;

    pub(super) fn size() -> Option<*const u32> {
        find(c"__rseq_size").map(<*mut _>::cast_const).map(<*const _>::cast)
    }

    pub(super) fn offset() -> Option<*const isize> {
        find(c"__rseq_offset").map(<*mut _>::cast_const).map(<*const _>::cast)
    }

    fn find(name: &CStr) -> Option<*mut libc::c_void> {
        // SAFETY: a name that ends with a zero.
        let call = || unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        // It tells by its value that there is no such symbol; why does not matter.
        errno::call(ptr::null_mut(), call).ok()
    }
}

/// There is no dynamic linker to ask: the addresses are those of the symbols if the C library has
/// them, and else null.
#[cfg(target_feature = "crt-static")]
mod symbol {
    use core::arch::asm;

    pub(super) fn size() -> Option<*const u32> {
        let at: *const u32;
        // SAFETY: an address from the table of such, which the linker fills in.
        unsafe {
            asm!(
                ".weak __rseq_size",
                "mov {at}, qword ptr [rip + __rseq_size@GOTPCREL]",
                at = out(reg) at,
                options(nomem, nostack, preserves_flags),
            );
        }
        (!at.is_null()).then_some(at)
    }

    pub(super) fn offset() -> Option<*const isize> {
        let at: *const isize;
        // SAFETY: as above.
        unsafe {
            asm!(
                ".weak __rseq_offset",
                "mov {at}, qword ptr [rip + __rseq_offset@GOTPCREL]",
                at = out(reg) at,
                options(nomem, nostack, preserves_flags),
            );
        }
        (!at.is_null()).then_some(at)
    }
}

/// Bytes from one line to the next, as a power of two.
pub(crate) const LINE_SHIFT: u32 = 7;

/// Adds `n` to the word at byte `AT` of the line of the processor that the thread is on, without
/// locking it; if the thread is disturbed meanwhile, or the processor has no line, to the word at
/// byte `AT` of the first line, with a lock. Line `1 + i` is that of processor `i`.
///
/// Who does this on one processor does it one after the other, so that no addition is lost; and
/// what came before it is seen by whoever reads the word (Acquire) and finds it done, as stores are
/// seen in order on this architecture.
///
/// # Safety
///
/// * `lines` points to `1 + cpus` lines of `1 << LINE_SHIFT` bytes each, of which `AT` is a
///   multiple of eight and inside. They stay until this returns.
/// * Other threads access the words by this and by atomic loads; those of the first line by any
///   atomic operations.
/// * `offset` came from [`offset`].
#[inline]
pub(crate) unsafe fn add<const AT: usize>(lines: *mut u8, cpus: u32, offset: isize, n: u64) {
    // SAFETY: by the caller's contract. The area at `offset` is the calling thread's own. The
    // section (4 to 5) has one effect, its last instruction; its descriptor (3) says so, and goes
    // to 6, in front of which is the signature. It uses no stack. Not `nomem`: the compiler moves
    // no access across.
    unsafe {
        asm!(
            // The descriptor's address: from the end of this store on, the section is one.
            "lea {cpu}, [rip + 3f]",
            "mov qword ptr fs:[{offset} + 8], {cpu}",
            "4:",
            "mov {cpu:e}, dword ptr fs:[{offset} + 4]",
            "cmp {cpu:e}, {cpus:e}",
            "jae 7f",
            "shl {cpu}, {shift}",
            "add qword ptr [{lines} + {cpu} + {at} + {line}], {n}",
            "5:",
            "mov qword ptr fs:[{offset} + 8], 0",
            // Out of the way: thrown out (6), or a processor without a line (7).
            ".pushsection __rseq_failure, \"ax\", @progbits",
            ".byte 0x0f, 0xb9, 0x3d",
            ".long 0x53053053",
            "6:",
            "7:",
            "lock add qword ptr [{lines} + {at}], {n}",
            "jmp 5b",
            ".popsection",
            // Version, flags; begin, length, and where to go.
            ".pushsection __rseq_cs, \"aw\", @progbits",
            ".balign 32",
            "3:",
            ".long 0, 0",
            ".quad 4b, 5b - 4b, 6b",
            ".popsection",
            lines = in(reg) lines,
            cpus = in(reg) cpus,
            offset = in(reg) offset,
            n = in(reg) n,
            cpu = out(reg) _,
            at = const AT,
            shift = const LINE_SHIFT,
            line = const 1 << LINE_SHIFT,
            options(nostack),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::boxed::Box;
    use std::cell::UnsafeCell;
    use std::{fs, thread, vec};

    use super::super::testing::{UNTOUCHED, get_errno, say, set_errno};
    use super::*;

    /// A line as large as it says.
    #[repr(C, align(128))]
    #[derive(Default)]
    struct Line(UnsafeCell<[u64; 3]>);

    // SAFETY: one thread at a time reads them, and others add as `add` demands.
    unsafe impl Sync for Line {}

    fn lines(cpus: usize) -> Box<[Line]> {
        (0..=cpus).map(|_| Line::default()).collect::<vec::Vec<_>>().into_boxed_slice()
    }

    fn base(lines: &[Line]) -> *mut u8 {
        lines.as_ptr().cast_mut().cast()
    }

    fn words(lines: &[Line]) -> vec::Vec<[u64; 3]> {
        // SAFETY: nobody adds at this time.
        lines.iter().map(|line| unsafe { line.0.get().read() }).collect()
    }

    fn registered() -> Option<isize> {
        let offset = offset().map(NonZeroIsize::get);
        if offset.is_none() {
            say("SKIP the C library has registered no restartable sequences");
        }
        offset
    }

    #[test]
    fn a_line_is_as_long_as_it_says() {
        assert_eq!(size_of::<Line>(), 1 << LINE_SHIFT);
    }

    #[test]
    fn looking_for_the_area_leaves_errno() {
        set_errno();
        let first = offset();
        assert_eq!((offset(), get_errno()), (first, UNTOUCHED));
    }

    #[test]
    fn adds_to_the_word_that_was_named_and_to_no_other() {
        let Some(offset) = registered() else { return };
        let lines = lines(super::super::cpus::possible());
        let cpus = lines.len() as u32 - 1;
        for _ in 0..1000 {
            // SAFETY: as many lines, and the area's offset.
            unsafe {
                add::<8>(base(&lines), cpus, offset, 3);
                add::<16>(base(&lines), cpus, offset, 5);
            }
        }
        let words = words(&lines);
        let sum = |i: usize| words.iter().map(|line| line[i]).sum::<u64>();
        assert_eq!([sum(0), sum(1), sum(2)], [0, 3000, 5000]);
        assert!(words[0][1] < 3000, "it is not always disturbed");
    }

    #[test]
    fn a_processor_without_a_line_adds_to_the_first() {
        let Some(offset) = registered() else { return };
        let lines = lines(0);
        // SAFETY: no line but the first, and the area's offset.
        unsafe { add::<8>(base(&lines), 0, offset, 7) };
        assert_eq!(words(&lines), [[0, 7, 0]]);
    }

    /// Nothing points to the descriptor afterwards: the kernel would read it.
    #[test]
    fn the_area_is_left_as_it_was() {
        let Some(offset) = registered() else { return };
        let lines = lines(1);
        // SAFETY: one line and the first, and the area's offset.
        unsafe { add::<8>(base(&lines), 1, offset, 7) };
        let section: u64;
        // SAFETY: reads the field of the calling thread's own area.
        unsafe {
            asm!("mov {section}, qword ptr fs:[{offset} + 8]", section = out(reg) section,
                offset = in(reg) offset, options(nostack, readonly, preserves_flags));
        }
        assert_eq!(section, 0);
    }

    #[test]
    fn none_is_lost_where_threads_share_processors() {
        let Some(offset) = registered() else { return };
        const EACH: u64 = 200_000;
        let lines = lines(super::super::cpus::possible());
        let cpus = lines.len() as u32 - 1;
        thread::scope(|s| {
            for _ in 0..8 {
                s.spawn(|| {
                    for _ in 0..EACH {
                        // SAFETY: as many lines, and the area's offset.
                        unsafe { add::<8>(base(&lines), cpus, offset, 1) };
                    }
                });
            }
        });
        assert_eq!(words(&lines).iter().map(|line| line[1]).sum::<u64>(), 8 * EACH);
    }

    /// The kernel ends a process whose handler does not come behind this number.
    #[test]
    fn the_signature_is_in_the_program() {
        let Some(_) = registered() else { return };
        let program = fs::read("/proc/self/exe").expect("/proc is mounted");
        let [a, b, c, d] = SIGNATURE.to_le_bytes();
        let found = program.windows(7).filter(|bytes| **bytes == [0x0f, 0xb9, 0x3d, a, b, c, d]);
        assert!(found.count() > 0);
    }
}
