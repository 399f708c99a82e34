//! Adapters: every semaphore behind one small trait.

use std::cell::UnsafeCell;

/// A counting semaphore.
pub trait Semaphores: Send + Sync + 'static {
    /// For tables.
    const NAME: &'static str;

    /// A semaphore with some permits.
    fn new(permits: u32) -> Self;

    /// Takes a permit, for good.
    fn acquire(&self);

    /// Adds permits, as many at a time as the semaphore can.
    fn release(&self, permits: u32);

    /// Takes a permit and gives it back, as its users write it.
    fn acquire_release(&self);
}

macro_rules! ours {
    ($type:ident, $name:literal) => {
        impl Semaphores for lockwork::$type {
            const NAME: &'static str = $name;

            fn new(permits: u32) -> Self {
                Self::new(permits)
            }

            #[inline]
            fn acquire(&self) {
                self.acquire().expect("never closed").forget();
            }

            #[inline]
            fn release(&self, permits: u32) {
                self.release(permits).expect("room for all");
            }

            #[inline]
            fn acquire_release(&self) {
                drop(self.acquire().expect("never closed"));
            }
        }
    };
}

ours!(Semaphore, "lockwork");
ours!(FairSemaphore, "lockwork, fair");

/// The C library's.
#[derive(Debug)]
pub struct SemT(UnsafeCell<libc::sem_t>);

// SAFETY: it is made for use by several threads, and nothing else is reached through it.
unsafe impl Send for SemT {}
// SAFETY: as above.
unsafe impl Sync for SemT {}

impl Semaphores for SemT {
    const NAME: &'static str = "sem_t";

    fn new(permits: u32) -> Self {
        // SAFETY: it is made of integers, for which all zeros are values.
        let semaphore = UnsafeCell::new(unsafe { std::mem::zeroed() });
        // SAFETY: the pointer is to a `sem_t`. Moving it afterwards is fine on Linux, where it
        // holds no address, as long as nobody uses it yet.
        assert_eq!(unsafe { libc::sem_init(semaphore.get(), 0, permits) }, 0);
        Self(semaphore)
    }

    #[inline]
    fn acquire(&self) {
        // SAFETY: initialised in `new` and not moved since it is shared.
        while unsafe { libc::sem_wait(self.0.get()) } != 0 {
            // A signal; we ask for none.
        }
    }

    #[inline]
    fn release(&self, permits: u32) {
        for _ in 0..permits {
            // SAFETY: as in `acquire`.
            assert_eq!(unsafe { libc::sem_post(self.0.get()) }, 0);
        }
    }

    #[inline]
    fn acquire_release(&self) {
        self.acquire();
        self.release(1);
    }
}

/// A [`Field`](crate::harness::round::Field) of all of them: `run` is a function that is generic
/// over [`Semaphores`].
#[macro_export]
macro_rules! every_semaphore {
    ($($run:ident)::+) => {{
        use $crate::harness::round::Field;
        use $crate::semaphores::{SemT, Semaphores};
        type Fair = lockwork::FairSemaphore;
        Field::of(<lockwork::Semaphore as Semaphores>::NAME, $($run)::+::<lockwork::Semaphore>)
            .against(<Fair as Semaphores>::NAME, $($run)::+::<Fair>)
            .against(SemT::NAME, $($run)::+::<SemT>)
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts<S: Semaphores>() {
        let semaphore = S::new(2);
        let taken = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..1000).for_each(|_| semaphore.acquire_release());
                    semaphore.acquire();
                    taken.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                });
            }
            semaphore.release(3);
        });
        // One is left of five, and is all there is.
        semaphore.acquire();
        assert_eq!(taken.into_inner(), 4, "{}", S::NAME);
    }

    #[test]
    fn every_adapter_counts() {
        counts::<lockwork::Semaphore>();
        counts::<lockwork::FairSemaphore>();
        counts::<SemT>();
    }
}
