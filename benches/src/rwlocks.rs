//! Adapters: every reader-writer lock behind one small trait.
//!
//! Each protects a `u64` that lies next to its words, as it would in a program. As with the
//! mutexes, the compiler sees of every lock what a user's program would show it.

use std::cell::UnsafeCell;

/// A reader-writer lock around a `u64`.
pub trait SharedLock: Send + Sync + 'static {
    /// For tables.
    const NAME: &'static str;

    /// A free lock around zero.
    fn new() -> Self;

    /// Runs `section` beside other readers.
    fn read<R>(&self, section: impl FnOnce(&u64) -> R) -> R;

    /// Runs `section` alone.
    fn write<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R;
}

/// For the locks with parking_lot's method names.
macro_rules! unpoisoned_lock {
    ($name:literal, $lock:ty) => {
        impl SharedLock for $lock {
            const NAME: &'static str = $name;

            fn new() -> Self {
                Self::new(0)
            }

            #[inline]
            fn read<R>(&self, section: impl FnOnce(&u64) -> R) -> R {
                section(&self.read())
            }

            #[inline]
            fn write<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R {
                section(&mut self.write())
            }
        }
    };
}

unpoisoned_lock!("lockwork", lockwork::RwLock<u64>);
unpoisoned_lock!("parking_lot", parking_lot::RwLock<u64>);
unpoisoned_lock!("usync", usync::RwLock<u64>);

impl SharedLock for std::sync::RwLock<u64> {
    const NAME: &'static str = "std";

    fn new() -> Self {
        Self::new(0)
    }

    #[inline]
    fn read<R>(&self, section: impl FnOnce(&u64) -> R) -> R {
        section(&self.read().unwrap())
    }

    #[inline]
    fn write<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R {
        section(&mut self.write().unwrap())
    }
}

/// pthread's default lock: readers go before writers, for ever if need be.
///
/// It is borrowed while it is locked, so it cannot be moved then; free, it holds no address, and
/// Linux lets it be moved.
#[derive(Debug)]
pub struct Pthread {
    lock: UnsafeCell<libc::pthread_rwlock_t>,
    value: UnsafeCell<u64>,
}

// SAFETY: the lock is made for use by several threads, and the value, which is `Send` and `Sync`,
// is reached only with the lock held in the way that the kind of reference asks for.
unsafe impl Sync for Pthread {}

impl Pthread {
    /// The caller holds the lock; it is given back here. A panic leaves it locked: sections here do
    /// not panic.
    #[inline]
    fn section<R>(&self, section: impl FnOnce() -> R) -> R {
        let result = section();
        // SAFETY: this thread has locked it.
        unsafe { libc::pthread_rwlock_unlock(self.lock.get()) };
        result
    }
}

impl SharedLock for Pthread {
    const NAME: &'static str = "pthread";

    fn new() -> Self {
        let lock = UnsafeCell::new(libc::PTHREAD_RWLOCK_INITIALIZER);
        Pthread { lock, value: UnsafeCell::new(0) }
    }

    #[inline]
    fn read<R>(&self, section: impl FnOnce(&u64) -> R) -> R {
        // SAFETY: the lock was initialised by value in `new` and has not moved since.
        let status = unsafe { libc::pthread_rwlock_rdlock(self.lock.get()) };
        assert_eq!(status, 0, "no writer of this thread, and not millions of readers");
        // SAFETY: the lock is held by readers, so nobody changes the value.
        self.section(|| section(unsafe { &*self.value.get() }))
    }

    #[inline]
    fn write<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R {
        // SAFETY: as in `read`.
        let status = unsafe { libc::pthread_rwlock_wrlock(self.lock.get()) };
        assert_eq!(status, 0, "this thread does not hold it already");
        // SAFETY: the lock is held by this writer, so nobody else has a reference to the value.
        self.section(|| section(unsafe { &mut *self.value.get() }))
    }
}

/// A [`Field`](crate::harness::round::Field) of all reader-writer locks: `run` is a function that
/// is generic over a [`SharedLock`].
#[macro_export]
macro_rules! every_rwlock {
    ($($run:ident)::+) => {{
        use $crate::harness::round::Field;
        use $crate::rwlocks::*;
        Field::of(lockwork::RwLock::<u64>::NAME, $($run)::+::<lockwork::RwLock<u64>>)
            .against(std::sync::RwLock::<u64>::NAME, $($run)::+::<std::sync::RwLock<u64>>)
            .against(parking_lot::RwLock::<u64>::NAME, $($run)::+::<parking_lot::RwLock<u64>>)
            .against(usync::RwLock::<u64>::NAME, $($run)::+::<usync::RwLock<u64>>)
            .against(Pthread::NAME, $($run)::+::<Pthread>)
    }};
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    fn excludes_and_shares<L: SharedLock>() {
        let lock = L::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| lock.write(|n| *n += 1)));
            }
        });
        assert_eq!(lock.read(|n| *n), 40_000, "{}", L::NAME);
        // Two readers meet inside.
        let inside = Barrier::new(2);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| lock.read(|_| inside.wait().is_leader()));
            }
        });
    }

    #[test]
    fn every_adapter_excludes_and_shares() {
        excludes_and_shares::<lockwork::RwLock<u64>>();
        excludes_and_shares::<std::sync::RwLock<u64>>();
        excludes_and_shares::<parking_lot::RwLock<u64>>();
        excludes_and_shares::<usync::RwLock<u64>>();
        excludes_and_shares::<Pthread>();
    }
}
