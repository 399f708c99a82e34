//! Which thread of the kernel's somebody is, for those who look on.
//!
//! In the model, whose threads are not the kernel's, nobody wears one.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;
use core::time::Duration;

/// The id of a thread for as long as it says so, and 0 else. Nothing is decided by it.
#[derive(Debug)]
pub(crate) struct Badge(AtomicU32);

impl Badge {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// The calling thread's.
    pub(crate) fn put_on(&self) {
        #[cfg(not(all(loom, feature = "loom")))]
        self.0.store(crate::sys::thread::tid(), Relaxed); // Relaxed: a number by itself.
    }

    /// Before that thread may end: its id may be another's then.
    pub(crate) fn take_off(&self) {
        self.0.store(0, Relaxed); // Relaxed: a number by itself.
    }

    /// The id of the thread.
    pub(crate) fn tid(&self) -> Option<u32> {
        Some(self.0.load(Relaxed)).filter(|&tid| tid != 0) // Relaxed: a number by itself.
    }

    /// For how long the thread has had a processor.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        #[cfg(not(all(loom, feature = "loom")))]
        {
            let tid = self.tid()?;
            let nanos = crate::sys::clock::thread_nanos(tid)?;
            // If it is still worn, the clock was that of the thread.
            (self.tid() == Some(tid)).then(|| Duration::from_nanos(nanos))
        }
        #[cfg(all(loom, feature = "loom"))]
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_wearer_s() {
        let badge = Badge::new();
        assert_eq!((badge.tid(), badge.cpu_time()), (None, None));
        badge.put_on();
        assert_eq!(badge.tid(), Some(crate::sys::thread::tid()));
        let before = badge.cpu_time();
        assert!(before.is_some() && badge.cpu_time() >= before);
        badge.take_off();
        assert_eq!((badge.tid(), badge.cpu_time()), (None, None));
    }
}
