//! Instructions retired in user space by the calling thread, where the machine lets one count
//! them. Many virtual machines do not; `count-instructions` then gives the exact figure instead.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::FromRawFd;

/// The first published size of the kernel's `perf_event_attr`: it has all that is needed here, and
/// every kernel accepts it.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    config1: u64,
}

const PERF_TYPE_HARDWARE: u32 = 0;
const PERF_COUNT_HW_INSTRUCTIONS: u64 = 1;
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HYPERVISOR: u64 = 1 << 6;
const FD_CLOEXEC: libc::c_ulong = 1 << 3;

/// A running counter of the thread that opened it.
#[derive(Debug)]
pub struct Instructions {
    counter: File,
}

impl Instructions {
    /// Starts to count the calling thread's instructions.
    ///
    /// # Errors
    ///
    /// With the kernel's reason: no such counter on this machine, or no permission to use it.
    pub fn count() -> io::Result<Instructions> {
        let attributes = Attributes {
            kind: PERF_TYPE_HARDWARE,
            size: size_of::<Attributes>() as u32,
            config: PERF_COUNT_HW_INSTRUCTIONS,
            flags: EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR,
            ..Attributes::default()
        };
        let (this_thread, any_cpu, no_group) = (0, -1, -1);
        // SAFETY: the pointer is to a live attribute block whose size is in it; the other
        // arguments are plain numbers.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attributes,
                this_thread,
                any_cpu,
                no_group,
                FD_CLOEXEC,
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
        Ok(Instructions { counter: unsafe { File::from_raw_fd(fd as i32) } })
    }

    /// The count so far.
    ///
    /// # Errors
    ///
    /// If the kernel cannot read its counter.
    pub fn read(&mut self) -> io::Result<u64> {
        let mut count = [0; 8];
        self.counter.read_exact(&mut count)?;
        Ok(u64::from_ne_bytes(count))
    }
}
