//! CPU time and context switches of a thread, as the kernel counts them.

use std::ops::{AddAssign, Sub};

/// What a thread has used so far, or between two readings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU time, user and system together.
    pub cpu_seconds: f64,
    /// Context switches because the thread waited for something.
    pub voluntary: u64,
    /// Context switches because its time was up.
    pub involuntary: u64,
}

impl Usage {
    /// Of the calling thread.
    #[must_use]
    pub fn of_this_thread() -> Usage {
        Usage::of(libc::RUSAGE_THREAD, libc::CLOCK_THREAD_CPUTIME_ID)
    }

    /// Of all threads of this process, ended ones included.
    #[must_use]
    pub fn of_this_process() -> Usage {
        Usage::of(libc::RUSAGE_SELF, libc::CLOCK_PROCESS_CPUTIME_ID)
    }

    /// Switches from the resource account. Times from the clock: the account's are brought up to
    /// date once per tick, milliseconds apart.
    fn of(who: libc::c_int, clock: libc::clockid_t) -> Usage {
        // SAFETY: all-zero bytes are a valid `rusage` and `timespec`: they are made of integers.
        let mut account: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut time: libc::timespec = unsafe { std::mem::zeroed() };
        // SAFETY: the pointers are to the live structures that the calls fill in.
        let status =
            unsafe { libc::getrusage(who, &mut account) | libc::clock_gettime(clock, &mut time) };
        assert_eq!(status, 0, "every Linux has these accounts and clocks");
        Usage {
            cpu_seconds: time.tv_sec as f64 + time.tv_nsec as f64 / 1e9,
            voluntary: account.ru_nvcsw as u64,
            involuntary: account.ru_nivcsw as u64,
        }
    }
}

impl Sub for Usage {
    type Output = Usage;

    fn sub(self, earlier: Usage) -> Usage {
        Usage {
            cpu_seconds: self.cpu_seconds - earlier.cpu_seconds,
            voluntary: self.voluntary - earlier.voluntary,
            involuntary: self.involuntary - earlier.involuntary,
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Usage) {
        self.cpu_seconds += other.cpu_seconds;
        self.voluntary += other.voluntary;
        self.involuntary += other.involuntary;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn sleeping_is_a_voluntary_switch_and_costs_next_to_nothing() {
        let before = Usage::of_this_thread();
        (0..5).for_each(|_| std::thread::sleep(Duration::from_millis(2)));
        let slept = Usage::of_this_thread() - before;
        assert!(slept.voluntary >= 5, "{slept:?}");
        assert!(slept.cpu_seconds < 0.005, "{slept:?}");
    }

    #[test]
    fn a_process_uses_at_least_what_its_thread_uses() {
        let (process, thread) = (Usage::of_this_process(), Usage::of_this_thread());
        crate::harness::work::Work::lasting(3_000_000).run();
        let thread = Usage::of_this_thread() - thread;
        let process = Usage::of_this_process() - process;
        assert!(thread.cpu_seconds > 0.001, "{thread:?}");
        assert!(process.cpu_seconds >= thread.cpu_seconds, "{process:?}, {thread:?}");
    }
}
