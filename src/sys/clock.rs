//! `CLOCK_MONOTONIC` as nanoseconds in a `u64`, which last for 584 years after boot; and
//! `CLOCK_REALTIME`, for the one operation that knows no other.

use core::mem::MaybeUninit;

use super::errno;

const NANOS_PER_SEC: u64 = 1_000_000_000;

// The system calls take the kernel's 64-bit time. This is that, and no 32-bit form of it.
const _: () = assert!(size_of::<libc::timespec>() == 16);

/// Nanoseconds on `CLOCK_MONOTONIC`, the clock of every deadline in this crate.
///
/// Costs no system call where the vDSO serves the clock. Never fails on Linux: the clock exists
/// and the pointer is good. Only a seccomp filter that forbids `clock_gettime`, together with a
/// missing vDSO, makes it panic; the alternative would be waits that end at an arbitrary time.
pub(crate) fn monotonic_nanos() -> u64 {
    match read(libc::CLOCK_MONOTONIC) {
        // Not negative: the kernel keeps this clock, with the offset of a time namespace included,
        // between zero and `i64::MAX` nanoseconds.
        Ok(now) => nanos(now),
        Err(error) => no_clock(error),
    }
}

/// Nanoseconds on `CLOCK_REALTIME`, since 1970; 0 if it is set to a time before that.
///
/// Panics as [`monotonic_nanos`] does.
#[cfg_attr(not(feature = "std"), allow(dead_code, reason = "only PI locks fall back on it"))]
pub(crate) fn realtime_nanos() -> u64 {
    match read(libc::CLOCK_REALTIME) {
        Ok(now) if now.tv_sec >= 0 => nanos(now),
        Ok(_) => 0,
        Err(error) => no_clock(error),
    }
}

/// For how many nanoseconds the thread of this process with the id `tid` has had a processor;
/// `None` if there is no such thread.
///
/// Thread ids are used again, so the answer is about the id at this moment.
#[cfg(feature = "std")]
pub(crate) fn thread_nanos(tid: u32) -> Option<u64> {
    // As the kernel's `MAKE_THREAD_CPUCLOCK` does: the complement of the id above three bits, which
    // say "the scheduler's clock" (2) "of one thread" (4). `pthread_getcpuclockid` does the same,
    // but wants a `pthread_t`, which may be gone.
    const OF_ONE_THREAD: libc::clockid_t = 4 | 2;
    let clock = (!(tid as libc::clockid_t) << 3) | OF_ONE_THREAD;
    // `EINVAL`: no such thread, or one of another process. A filter that refuses the call has no
    // time to give either.
    read(clock).ok().map(nanos)
}

fn read(clock: libc::clockid_t) -> Result<libc::timespec, errno::Errno> {
    let mut now = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: `now` is valid for the write of one `timespec`.
    errno::call(-1, || unsafe { libc::clock_gettime(clock, now.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so it has filled in `now`.
    Ok(unsafe { now.assume_init() })
}

#[cold]
fn no_clock(error: errno::Errno) -> ! {
    panic!("cannot read the clock: {error}")
}

/// Of a time that is not negative; the kernel keeps its clocks below `i64::MAX` nanoseconds, so
/// neither cast nor product loses anything.
fn nanos(time: libc::timespec) -> u64 {
    time.tv_sec as u64 * NANOS_PER_SEC + time.tv_nsec as u64
}

/// The kernel's form of a deadline. In its range by construction: `u64::MAX` nanoseconds are some
/// 18 thousand million seconds, far from the sign bit, and the remainder is below a second.
/// (The kernel keeps time as signed nanoseconds and takes anything later than that as its end.)
pub(super) fn timespec(nanos: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: (nanos / NANOS_PER_SEC) as i64,
        tv_nsec: (nanos % NANOS_PER_SEC) as i64,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{UNTOUCHED, get_errno, set_errno};
    use super::*;

    #[test]
    fn every_number_of_nanoseconds_has_a_valid_timespec() {
        let edges = [
            0,
            1,
            999_999_999,
            1_000_000_000,
            1_000_000_001,
            i64::MAX as u64 - 1,
            i64::MAX as u64,
            i64::MAX as u64 + 1,
            u64::MAX - 1,
            u64::MAX,
        ];
        for edge in edges {
            let time = timespec(edge);
            assert!(time.tv_sec >= 0, "{edge}: negative seconds are EINVAL");
            assert!((0..1_000_000_000).contains(&time.tv_nsec), "{edge}");
            assert_eq!(nanos(time), edge, "nothing is lost");
        }
        assert_eq!(timespec(5_000_000_007).tv_sec, 5);
        assert_eq!(timespec(5_000_000_007).tv_nsec, 7);
    }

    #[test]
    fn the_clock_is_the_monotonic_one_and_leaves_errno() {
        let raw = || {
            let mut now = timespec(0);
            // SAFETY: `now` is valid for the write.
            assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) }, 0);
            (now.tv_sec, now.tv_nsec)
        };
        set_errno();
        let before = raw();
        let now = monotonic_nanos();
        let after = raw();
        let now = (timespec(now).tv_sec, timespec(now).tv_nsec);
        assert!(before <= now && now <= after, "{before:?} {now:?} {after:?}");
        assert_eq!(get_errno(), UNTOUCHED);
    }

    #[cfg(feature = "std")]
    #[test]
    fn a_thread_s_clock_goes_while_it_works() {
        use super::super::thread::tid;
        set_errno();
        let before = thread_nanos(tid()).expect("this thread is there");
        let mut after = before;
        while after < before + 1_000_000 {
            after = thread_nanos(tid()).expect("this thread is there");
        }
        let mut own = timespec(0);
        // SAFETY: `own` is valid for the write.
        assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut own) }, 0);
        assert!(nanos(own) >= after);
        assert_eq!(thread_nanos((1 << 28) - 2), None, "above the kernel's limit on ids");
        assert_eq!(get_errno(), UNTOUCHED);
    }
}
