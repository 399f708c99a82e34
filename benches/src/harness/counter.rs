//! A counter that the kernel keeps for the calling thread: instructions, or visits to a point of
//! its own.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd};

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

/// What to count.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// Instructions retired in user space.
    Instructions,
    /// Visits to the kernel's tracepoint of this number.
    Tracepoint(u64),
}

const PERF_TYPE_HARDWARE: u32 = 0;
const PERF_TYPE_TRACEPOINT: u32 = 2;
const PERF_COUNT_HW_INSTRUCTIONS: u64 = 1;
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HYPERVISOR: u64 = 1 << 6;
const FD_CLOEXEC: libc::c_ulong = 1 << 3;
/// `PERF_EVENT_IOC_SET_FILTER`: a write of a pointer, call 6 of group `$`.
const SET_FILTER: libc::c_ulong =
    1 << 30 | (size_of::<*const u8>() as libc::c_ulong) << 16 | (b'$' as libc::c_ulong) << 8 | 6;

/// A running counter of the thread that opened it.
#[derive(Debug)]
pub struct Counter {
    file: File,
}

impl Counter {
    /// Starts to count for the calling thread.
    ///
    /// # Errors
    ///
    /// With the kernel's reason: no such counter on this machine, or no permission to use it.
    pub fn start(event: Event) -> io::Result<Counter> {
        let (kind, config, flags) = match event {
            Event::Instructions => {
                let flags = EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR;
                (PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, flags)
            }
            Event::Tracepoint(number) => (PERF_TYPE_TRACEPOINT, number, 0),
        };
        let size = size_of::<Attributes>() as u32;
        let attributes = Attributes { kind, size, config, flags, ..Attributes::default() };
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
        Ok(Counter { file: unsafe { File::from_raw_fd(fd as i32) } })
    }

    /// From now on, counts only visits for which `condition` on the tracepoint's fields holds.
    ///
    /// # Errors
    ///
    /// If the kernel does not understand the condition.
    pub fn only_if(self, condition: &CStr) -> io::Result<Counter> {
        // SAFETY: the descriptor is open, and the call reads a string that ends with a zero.
        let status = unsafe { libc::ioctl(self.file.as_raw_fd(), SET_FILTER, condition.as_ptr()) };
        if status == -1 { Err(io::Error::last_os_error()) } else { Ok(self) }
    }

    /// The count so far.
    ///
    /// # Errors
    ///
    /// If the kernel cannot read its counter.
    pub fn read(&mut self) -> io::Result<u64> {
        let mut count = [0; 8];
        self.file.read_exact(&mut count)?;
        Ok(u64::from_ne_bytes(count))
    }
}
