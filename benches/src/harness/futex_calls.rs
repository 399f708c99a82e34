//! Futex calls of a thread, as the kernel's tracepoint sees them, by what they ask for.
//!
//! Counting makes each call slower, and each context switch: runs in which calls are counted are no
//! evidence of speed.

use super::counter::{Counter, Event};
use std::ffi::CString;
use std::fs;
use std::io;
use std::ops::{AddAssign, Sub};

/// How many calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FutexCalls {
    /// Asked to wait.
    pub waits: u64,
    /// Asked to wake somebody, whether or not anybody slept.
    pub wakes: u64,
    /// Anything else: requeuing, priority inheritance.
    pub others: u64,
}

impl Sub for FutexCalls {
    type Output = FutexCalls;

    fn sub(self, earlier: FutexCalls) -> FutexCalls {
        FutexCalls {
            waits: self.waits - earlier.waits,
            wakes: self.wakes - earlier.wakes,
            others: self.others - earlier.others,
        }
    }
}

impl AddAssign for FutexCalls {
    fn add_assign(&mut self, other: FutexCalls) {
        self.waits += other.waits;
        self.wakes += other.wakes;
        self.others += other.others;
    }
}

/// Running counters of the calling thread.
#[derive(Debug)]
pub struct FutexCounter {
    all: Counter,
    waits: Counter,
    wakes: Counter,
    /// What they had counted when the last of them was ready: until it has its condition, a counter
    /// counts whatever there is, the allocator's lock included.
    before: FutexCalls,
}

impl FutexCounter {
    /// Starts to count the calling thread's calls.
    ///
    /// # Errors
    ///
    /// If there is no such tracepoint here, or no permission to use it.
    pub fn start() -> io::Result<FutexCounter> {
        let event = Event::Tracepoint(tracepoint()?);
        let of = |commands| Counter::start(event)?.only_if(&condition(commands));
        let mut counter = FutexCounter {
            waits: of([libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET])?,
            wakes: of([libc::FUTEX_WAKE, libc::FUTEX_WAKE_BITSET])?,
            all: Counter::start(event)?,
            before: FutexCalls::default(),
        };
        counter.before = counter.raw()?;
        Ok(counter)
    }

    /// The counts so far.
    ///
    /// # Errors
    ///
    /// If the kernel cannot read its counters.
    pub fn read(&mut self) -> io::Result<FutexCalls> {
        let mut calls = self.raw()? - self.before;
        // Up to here it was all of them.
        calls.others -= calls.waits + calls.wakes;
        Ok(calls)
    }

    /// As the kernel counts, with all calls as the others.
    fn raw(&mut self) -> io::Result<FutexCalls> {
        let (waits, wakes) = (self.waits.read()?, self.wakes.read()?);
        Ok(FutexCalls { waits, wakes, others: self.all.read()? })
    }
}

/// The number of the tracepoint at the entry of `futex`.
fn tracepoint() -> io::Result<u64> {
    let places = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for place in places {
        match fs::read_to_string(format!("{place}/events/syscalls/sys_enter_futex/id")) {
            Ok(number) => return number.trim().parse().map_err(io::Error::other),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The commands, with any flags. The kernel's conditions cannot mask and compare.
fn condition(commands: [libc::c_int; 2]) -> CString {
    let flags = [0, libc::FUTEX_PRIVATE_FLAG, libc::FUTEX_CLOCK_REALTIME];
    let flags = flags.into_iter().chain([flags[1] | flags[2]]);
    let tests: Vec<String> =
        flags.flat_map(|flag| commands.map(|command| format!("op=={}", command | flag))).collect();
    CString::new(tests.join("||")).expect("no zero among operators and digits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn calls_are_counted_by_kind() {
        let Ok(mut counter) = FutexCounter::start() else {
            eprintln!("SKIP: the futex tracepoint cannot be used here");
            return;
        };
        let word = AtomicU32::new(1);
        let call = |op: libc::c_int, value: u32| {
            let nothing = std::ptr::null::<u8>();
            // SAFETY: the word is alive; it differs from the value, so no wait sleeps, and it is
            // a place to requeue to.
            unsafe {
                let word = word.as_ptr();
                libc::syscall(libc::SYS_futex, word, op, value, nothing, word, u32::MAX)
            };
        };
        let before = counter.read().unwrap();
        for flag in [0, libc::FUTEX_PRIVATE_FLAG] {
            call(libc::FUTEX_WAIT | flag, 7);
            call(libc::FUTEX_WAIT_BITSET | flag, 7);
            call(libc::FUTEX_WAIT_BITSET | flag | libc::FUTEX_CLOCK_REALTIME, 7);
            call(libc::FUTEX_WAKE | flag, 1);
            call(libc::FUTEX_REQUEUE | flag, 1);
        }
        let calls = counter.read().unwrap() - before;
        assert_eq!(calls, FutexCalls { waits: 6, wakes: 2, others: 2 });
    }
}
