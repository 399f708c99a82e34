//! One call, one instruction at a time.

use crate::probes::Probe;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What one call executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) instructions: u32,
    pub(crate) locked: u32,
    pub(crate) system_calls: u32,
}

/// More steps than any fast path takes: something else is going on.
const STEP_LIMIT: u32 = 1_000_000;

/// From the thread pointer to the area that the C library has registered for restartable sequences,
/// if it has.
fn rseq_offset() -> Option<isize> {
    // SAFETY: names that end with a zero.
    let find = |name: &std::ffi::CStr| unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    let (size, offset) = (find(c"__rseq_size"), find(c"__rseq_offset"));
    if size.is_null() || offset.is_null() {
        return None;
    }
    // SAFETY: glibc's variables of these names and types, written before `main`.
    let (size, offset) = unsafe { (*size.cast::<u32>(), *offset.cast::<isize>()) };
    (size > 0).then_some(offset)
}

/// Whether there are any on this machine.
pub(crate) fn has_restartable_sequences() -> bool {
    rseq_offset().is_some()
}

/// Forks a child that makes the call, and steps it from the probe's first instruction to the one
/// it returns to.
///
/// # Errors
///
/// If the kernel does not let us trace, or the child ends early.
pub(crate) fn count(probe: &Probe) -> io::Result<Steps> {
    // SAFETY: this program has one thread, so the child is a whole copy of it.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => be_traced(probe),
        pid => {
            let mut child = Child { pid };
            child.wait_for_stop()?;
            child.step_through(probe.entry as u64)
        }
    }
}

/// The child: ready, stopped, and then the call.
fn be_traced(probe: &Probe) -> ! {
    // Warm: whatever a first call sets up is set up now.
    (probe.call)();
    (probe.call)();
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: the request has no arguments, and stopping is what the parent waits for.
    unsafe {
        libc::ptrace(libc::PTRACE_TRACEME, 0, none, none);
        libc::raise(libc::SIGSTOP);
    }
    (probe.call)();
    // SAFETY: always sound; leaves the parent's buffers alone.
    unsafe { libc::_exit(0) }
}

/// A traced child, killed when it is no longer needed.
struct Child {
    pid: libc::pid_t,
}

impl Child {
    fn step_through(&mut self, entry: u64) -> io::Result<Steps> {
        let memory = File::open(format!("/proc/{}/mem", self.pid))?;
        let mut registers = self.registers()?;
        let mut before = 0;
        while registers.rip != entry {
            registers = self.step()?;
            before += 1;
            if before == STEP_LIMIT {
                return Err(io::Error::other("the probe was never called"));
            }
        }
        // On entry the top of the stack is the address to return to.
        let stack = registers.rsp;
        let mut back = [0; 8];
        memory.read_exact_at(&mut back, stack)?;
        let back = u64::from_ne_bytes(back);

        let mut steps = Steps::default();
        while !(registers.rip == back && registers.rsp > stack) {
            let mut code = [0; 15];
            // Short only at the very end of a mapping.
            let length = memory.read_at(&mut code, registers.rip)?;
            steps.instructions += 1;
            match kind(&code[..length]) {
                Kind::Locked => steps.locked += 1,
                Kind::SystemCall => steps.system_calls += 1,
                Kind::Other => {}
            }
            if steps.instructions == STEP_LIMIT {
                return Err(io::Error::other("the probe does not return"));
            }
            registers = self.step()?;
        }
        Ok(steps)
    }

    fn step(&mut self) -> io::Result<libc::user_regs_struct> {
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: the child is stopped and ours; no signal is passed on.
        let status = unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.pid, none, none) };
        if status == -1 {
            return Err(io::Error::last_os_error());
        }
        self.wait_for_stop()?;
        let registers = self.registers()?;
        self.leave_undisturbed(&registers)?;
        Ok(registers)
    }

    /// Takes the mark off that the thread is inside a restartable sequence. A step disturbs it, and
    /// the kernel would send it the other way, when it goes on, which is not the way that it goes
    /// when nobody looks.
    fn leave_undisturbed(&self, registers: &libc::user_regs_struct) -> io::Result<()> {
        let Some(area) = rseq_offset() else { return Ok(()) };
        let section = registers.fs_base.wrapping_add_signed(area as i64) + 8;
        let memory = File::options().write(true).open(format!("/proc/{}/mem", self.pid))?;
        memory.write_all_at(&[0; 8], section)
    }

    fn wait_for_stop(&mut self) -> io::Result<()> {
        let mut status = 0;
        // SAFETY: the pointer is to a live integer.
        if unsafe { libc::waitpid(self.pid, &mut status, 0) } == -1 {
            return Err(io::Error::last_os_error());
        }
        if libc::WIFSTOPPED(status) {
            Ok(())
        } else {
            self.pid = 0;
            Err(io::Error::other("the child ended before its call did; may it be traced?"))
        }
    }

    fn registers(&self) -> io::Result<libc::user_regs_struct> {
        // SAFETY: all-zero bytes are valid registers: they are integers.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: the child is stopped and ours, and the pointer is to a live register block.
        let status =
            unsafe { libc::ptrace(libc::PTRACE_GETREGS, self.pid, none, &raw mut registers) };
        if status == -1 { Err(io::Error::last_os_error()) } else { Ok(registers) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.pid != 0 {
            // SAFETY: the child is ours and has not been waited for, so the id is still its own.
            unsafe {
                libc::kill(self.pid, libc::SIGKILL);
                libc::waitpid(self.pid, std::ptr::null_mut(), 0);
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Locked,
    SystemCall,
    Other,
}

/// Looks at the prefixes, the opcode, and for `xchg` at its operand: that is enough to tell.
fn kind(code: &[u8]) -> Kind {
    const LOCK: u8 = 0xF0;
    let is_prefix = |byte: &u8| {
        // Operand and address size, repeat, segments.
        matches!(byte, 0x66 | 0x67 | 0xF2 | 0xF3 | 0x26 | 0x2E | 0x36 | 0x3E | 0x64 | 0x65 | &LOCK)
    };
    let prefixes = code.iter().take_while(|byte| is_prefix(byte)).count();
    if code[..prefixes].contains(&LOCK) {
        return Kind::Locked;
    }
    let rest = &code[prefixes..];
    let is_rex = rest.first().is_some_and(|byte| byte & 0xF0 == 0x40);
    match &rest[usize::from(is_rex)..] {
        [0x0F, 0x05, ..] => Kind::SystemCall,
        // `xchg` of two registers locks nothing; its operand byte starts with two ones.
        [0x86 | 0x87, operand, ..] if operand >> 6 != 0b11 => Kind::Locked,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_instructions_are_told_from_others() {
        // lock cmpxchg %ecx,(%rdi)
        assert_eq!(kind(&[0xF0, 0x0F, 0xB1, 0x0F]), Kind::Locked);
        // lock cmpxchg %r8d,(%r9), with a REX prefix after the lock
        assert_eq!(kind(&[0xF0, 0x45, 0x0F, 0xB1, 0x01]), Kind::Locked);
        // xchg %eax,(%rbx); the same on 16 and 64 bits; xchg %al,(%rdi)
        assert_eq!(kind(&[0x87, 0x03]), Kind::Locked);
        assert_eq!(kind(&[0x66, 0x87, 0x03]), Kind::Locked);
        assert_eq!(kind(&[0x48, 0x87, 0x03]), Kind::Locked);
        assert_eq!(kind(&[0x86, 0x07]), Kind::Locked);
        // xchg %eax,%ebx; mov %eax,(%rbx); nop
        assert_eq!(kind(&[0x87, 0xC3]), Kind::Other);
        assert_eq!(kind(&[0x89, 0x03]), Kind::Other);
        assert_eq!(kind(&[0x90]), Kind::Other);
        // syscall, and an instruction cut off by the end of a mapping
        assert_eq!(kind(&[0x0F, 0x05]), Kind::SystemCall);
        assert_eq!(kind(&[0x0F]), Kind::Other);
        assert_eq!(kind(&[]), Kind::Other);
    }

    #[test]
    fn a_call_is_counted_from_its_first_instruction_to_its_return() {
        #[inline(never)]
        fn adds(target: &AtomicU32) {
            target.fetch_add(1, Ordering::Relaxed);
        }
        use std::sync::atomic::{AtomicU32, Ordering};
        let target = AtomicU32::new(0);
        let probe = Probe {
            path: "add",
            peer: "none",
            entry: adds as fn(&AtomicU32) as usize,
            call: Box::new(move || adds(&target)),
        };
        let steps = count(&probe).unwrap();
        assert_eq!((steps.locked, steps.system_calls), (1, 0));
        assert!((2..200).contains(&steps.instructions), "{}", steps.instructions);
        assert_eq!(count(&probe).unwrap(), steps, "the same every time");
    }
}
