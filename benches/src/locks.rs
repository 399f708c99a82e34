//! Adapters: every mutex behind one small trait.
//!
//! Each protects a `u64` that lies next to its word, as it would in a program. Nobody's guard is
//! boxed or called through a pointer, so the compiler sees of every lock what a user's program
//! would show it.

use std::cell::UnsafeCell;

/// A mutex around a `u64`.
pub trait Lock: Send + Sync {
    /// For tables.
    const NAME: &'static str;

    /// A free lock around zero.
    fn new() -> Self;

    /// Runs `section` with the lock held.
    fn with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R;

    /// Runs `section` with the lock held, if it is free.
    fn try_with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> Option<R>;
}

/// For the locks with parking_lot's method names.
macro_rules! unpoisoned_lock {
    ($name:literal, $mutex:ty) => {
        impl Lock for $mutex {
            const NAME: &'static str = $name;

            fn new() -> Self {
                Self::new(0)
            }

            #[inline]
            fn with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R {
                section(&mut self.lock())
            }

            #[inline]
            fn try_with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> Option<R> {
                self.try_lock().map(|mut guard| section(&mut guard))
            }
        }
    };
}

unpoisoned_lock!("lockwork", lockwork::Mutex<u64>);
unpoisoned_lock!("lockwork fair", lockwork::FairMutex<u64>);
unpoisoned_lock!("parking_lot", parking_lot::Mutex<u64>);
unpoisoned_lock!("usync", usync::Mutex<u64>);

impl Lock for std::sync::Mutex<u64> {
    const NAME: &'static str = "std";

    fn new() -> Self {
        Self::new(0)
    }

    #[inline]
    fn with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R {
        section(&mut self.lock().unwrap())
    }

    #[inline]
    fn try_with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> Option<R> {
        self.try_lock().ok().map(|mut guard| section(&mut guard))
    }
}

/// pthread's default mutex: no spinning.
#[derive(Debug)]
pub struct Pthread(Native);

/// glibc's `PTHREAD_MUTEX_ADAPTIVE_NP`: spins a while before it sleeps.
#[cfg(target_env = "gnu")]
#[derive(Debug)]
pub struct PthreadAdaptive(Native);

/// A pthread mutex and the value it protects. It is borrowed while it is locked, so it cannot be
/// moved then; free, it holds no address, and Linux lets it be moved.
#[derive(Debug)]
struct Native {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    value: UnsafeCell<u64>,
}

// SAFETY: the mutex is made for use by several threads, and the value, which is `Send`, is reached
// only by the thread that holds it (`section`).
unsafe impl Sync for Native {}

impl Native {
    const fn new(mutex: libc::pthread_mutex_t) -> Native {
        Native { mutex: UnsafeCell::new(mutex), value: UnsafeCell::new(0) }
    }

    #[inline]
    fn with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R {
        // SAFETY: the mutex was initialised by value in `new` and has not moved since.
        let status = unsafe { libc::pthread_mutex_lock(self.mutex.get()) };
        assert_eq!(status, 0, "neither recursive, robust nor error-checking");
        self.section(section)
    }

    #[inline]
    fn try_with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> Option<R> {
        // SAFETY: as in `with`.
        let status = unsafe { libc::pthread_mutex_trylock(self.mutex.get()) };
        (status == 0).then(|| self.section(section))
    }

    /// The caller has the lock; it is given back here. A panic leaves it locked: sections here
    /// do not panic.
    #[inline]
    fn section<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R {
        // SAFETY: the lock is held, so nobody else has a reference to the value.
        let result = section(unsafe { &mut *self.value.get() });
        // SAFETY: this thread has locked it.
        unsafe { libc::pthread_mutex_unlock(self.mutex.get()) };
        result
    }
}

macro_rules! native_lock {
    ($name:literal, $lock:ident, $initial:expr) => {
        impl Lock for $lock {
            const NAME: &'static str = $name;

            fn new() -> Self {
                $lock(Native::new($initial))
            }

            #[inline]
            fn with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R {
                self.0.with(section)
            }

            #[inline]
            fn try_with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> Option<R> {
                self.0.try_with(section)
            }
        }
    };
}

native_lock!("pthread", Pthread, libc::PTHREAD_MUTEX_INITIALIZER);
#[cfg(target_env = "gnu")]
native_lock!("pthread adaptive", PthreadAdaptive, libc::PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP);

/// A [`Field`](crate::harness::round::Field) of all locks: `run` is a function that is generic
/// over a [`Lock`].
#[macro_export]
macro_rules! every_lock {
    ($($run:ident)::+) => {{
        use $crate::harness::round::Field;
        use $crate::locks::*;
        let field = Field::of(lockwork::Mutex::<u64>::NAME, $($run)::+::<lockwork::Mutex<u64>>)
            .against(std::sync::Mutex::<u64>::NAME, $($run)::+::<std::sync::Mutex<u64>>)
            .against(parking_lot::Mutex::<u64>::NAME, $($run)::+::<parking_lot::Mutex<u64>>)
            .against(usync::Mutex::<u64>::NAME, $($run)::+::<usync::Mutex<u64>>)
            .against(Pthread::NAME, $($run)::+::<Pthread>);
        #[cfg(target_env = "gnu")]
        let field = field.against(PthreadAdaptive::NAME, $($run)::+::<PthreadAdaptive>);
        field
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes<L: Lock>() {
        let lock = L::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| lock.with(|n| *n += 1)));
            }
        });
        assert_eq!(lock.try_with(|n| *n), Some(40_000), "{}", L::NAME);
        let inner = lock.with(|_| std::thread::scope(|s| s.spawn(|| lock.try_with(|n| *n)).join()));
        assert_eq!(inner.unwrap(), None, "{}", L::NAME);
    }

    #[test]
    fn every_adapter_excludes() {
        excludes::<lockwork::Mutex<u64>>();
        excludes::<lockwork::FairMutex<u64>>();
        excludes::<std::sync::Mutex<u64>>();
        excludes::<parking_lot::Mutex<u64>>();
        excludes::<usync::Mutex<u64>>();
        excludes::<Pthread>();
        #[cfg(target_env = "gnu")]
        excludes::<PthreadAdaptive>();
    }
}
