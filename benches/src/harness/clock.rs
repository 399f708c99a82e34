//! A clock that is cheap enough to read around one lock acquisition.
//!
//! On x86-64 it is the time stamp counter (about 20 cycles), scaled once against the monotonic
//! clock; elsewhere it is the monotonic clock itself. The counter is read without a fence: the
//! locked instruction between two readings keeps them apart, and nothing here looks at single
//! nanoseconds.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The counter, in ticks of unknown length: differences go through [`nanos`].
#[inline]
#[must_use]
pub fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction reads a register, and Linux leaves it open to user code.
    return unsafe { core::arch::x86_64::_rdtsc() };
    #[cfg(not(target_arch = "x86_64"))]
    return origin().elapsed().as_nanos() as u64;
}

/// A difference of two readings, in nanoseconds.
#[must_use]
pub fn nanos(ticks: u64) -> u64 {
    (ticks as f64 * nanos_per_tick()) as u64
}

/// Where the portable clock starts to count.
#[cfg(not(target_arch = "x86_64"))]
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// The length of a tick, measured once over 20 ms.
fn nanos_per_tick() -> f64 {
    static SCALE: OnceLock<f64> = OnceLock::new();
    *SCALE.get_or_init(|| {
        let (start, first) = (Instant::now(), ticks());
        while start.elapsed() < Duration::from_millis(20) {
            core::hint::spin_loop();
        }
        let (elapsed, last) = (start.elapsed(), ticks());
        elapsed.as_nanos() as f64 / (last - first) as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_difference_is_about_the_time_that_passed() {
        let (start, first) = (Instant::now(), ticks());
        while start.elapsed() < Duration::from_millis(5) {
            core::hint::spin_loop();
        }
        let measured = nanos(ticks() - first);
        let elapsed = start.elapsed().as_nanos() as u64;
        assert!(measured >= 4_900_000, "{measured} ns is less than the 5 ms that passed");
        assert!(measured <= elapsed + elapsed / 50, "{measured} ns measured, {elapsed} ns passed");
    }
}
