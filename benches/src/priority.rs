//! Adapters: mutexes with priority inheritance, and condition variables that go with them.

use crate::locks::Lock;
use std::cell::UnsafeCell;

impl Lock for lockwork::PiMutex<u64> {
    const NAME: &'static str = "lockwork PI";

    fn new() -> Self {
        Self::new(0)
    }

    #[inline]
    fn with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R {
        section(&mut self.lock())
    }

    #[inline]
    fn try_with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> Option<R> {
        self.try_lock().ok().map(|mut guard| section(&mut guard))
    }
}

/// pthread's mutex with `PTHREAD_PRIO_INHERIT`.
#[derive(Debug)]
pub struct PthreadPi(Native<u64>);

impl Lock for PthreadPi {
    const NAME: &'static str = "pthread PI";

    fn new() -> Self {
        PthreadPi(Native::new(0))
    }

    #[inline]
    fn with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R {
        // SAFETY: the mutex was initialised in `new`; it is free whenever it is moved, and Linux
        // lets it be moved then.
        let status = unsafe { libc::pthread_mutex_lock(self.0.mutex.get()) };
        assert_eq!(status, 0, "neither recursive, robust nor error-checking");
        self.0.section(section)
    }

    #[inline]
    fn try_with<R>(&self, section: impl FnOnce(&mut u64) -> R) -> Option<R> {
        // SAFETY: as in `with`.
        let status = unsafe { libc::pthread_mutex_trylock(self.0.mutex.get()) };
        (status == 0).then(|| self.0.section(section))
    }
}

#[derive(Debug)]
struct Native<T> {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    value: UnsafeCell<T>,
}

// SAFETY: the value, which is `Send`, is reached only by the thread that has the mutex.
unsafe impl<T: Send> Sync for Native<T> {}

impl<T> Native<T> {
    fn new(value: T) -> Self {
        let mutex = UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER);
        let mut kind = std::mem::MaybeUninit::uninit();
        // SAFETY: the attributes are initialised before they are used, and destroyed once; nobody
        // has the mutex yet.
        unsafe {
            assert_eq!(libc::pthread_mutexattr_init(kind.as_mut_ptr()), 0);
            let inherit = libc::PTHREAD_PRIO_INHERIT;
            assert_eq!(libc::pthread_mutexattr_setprotocol(kind.as_mut_ptr(), inherit), 0);
            assert_eq!(libc::pthread_mutex_init(mutex.get(), kind.as_ptr()), 0);
            libc::pthread_mutexattr_destroy(kind.as_mut_ptr());
        }
        Native { mutex, value: UnsafeCell::new(value) }
    }

    /// The caller has the lock; it is given back here. A panic leaves it locked: sections here do
    /// not panic.
    #[inline]
    fn section<R>(&self, section: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the lock is held, so nobody else has a reference to the value.
        let result = section(unsafe { &mut *self.value.get() });
        // SAFETY: this thread has locked it.
        unsafe { libc::pthread_mutex_unlock(self.mutex.get()) };
        result
    }
}

/// A value with a mutex, and a condition variable that says that it has changed.
pub trait Bell: Send + Sync {
    /// For tables.
    const NAME: &'static str;

    /// Around zero.
    fn new() -> Self;

    /// Changes the value and notifies one.
    fn ring(&self, change: impl FnOnce(&mut u64));

    /// Waits until `ready` is content.
    fn wait<R>(&self, ready: impl FnMut(&mut u64) -> Option<R>) -> R;
}

/// The subject.
#[derive(Debug)]
pub struct Ours {
    value: lockwork::PiMutex<u64>,
    changed: lockwork::PiCondvar,
}

impl Bell for Ours {
    const NAME: &'static str = "lockwork PI";

    fn new() -> Self {
        Ours { value: lockwork::PiMutex::new(0), changed: lockwork::PiCondvar::new() }
    }

    fn ring(&self, change: impl FnOnce(&mut u64)) {
        let mut value = self.value.lock();
        change(&mut value);
        self.changed.notify_one(&value);
    }

    fn wait<R>(&self, mut ready: impl FnMut(&mut u64) -> Option<R>) -> R {
        let mut value = self.value.lock();
        loop {
            if let Some(result) = ready(&mut value) {
                return result;
            }
            value = self.changed.wait(value);
        }
    }
}

/// pthread's condition variable with a mutex that inherits; signals under the lock, as is advised
/// where priorities matter, or after it (`AFTER`), where there is less to collide with.
#[derive(Debug)]
pub struct Theirs<const AFTER: bool> {
    native: Native<u64>,
    changed: UnsafeCell<libc::pthread_cond_t>,
}

// SAFETY: the condition variable is made for use by several threads.
unsafe impl<const AFTER: bool> Sync for Theirs<AFTER> {}

impl<const AFTER: bool> Theirs<AFTER> {
    fn signal(&self) {
        // SAFETY: initialised by value, and not moved while anybody waits.
        unsafe { libc::pthread_cond_signal(self.changed.get()) };
    }

    fn lock(&self) {
        // SAFETY: initialised in `new`.
        let status = unsafe { libc::pthread_mutex_lock(self.native.mutex.get()) };
        assert_eq!(status, 0, "neither recursive, robust nor error-checking");
    }
}

impl<const AFTER: bool> Bell for Theirs<AFTER> {
    const NAME: &'static str =
        if AFTER { "pthread PI, signal after unlock" } else { "pthread PI, signal under the lock" };

    fn new() -> Self {
        let changed = UnsafeCell::new(libc::PTHREAD_COND_INITIALIZER);
        Theirs { native: Native::new(0), changed }
    }

    fn ring(&self, change: impl FnOnce(&mut u64)) {
        self.lock();
        self.native.section(|value| {
            change(value);
            if !AFTER {
                self.signal();
            }
        });
        if AFTER {
            self.signal();
        }
    }

    fn wait<R>(&self, mut ready: impl FnMut(&mut u64) -> Option<R>) -> R {
        self.lock();
        loop {
            // SAFETY: the lock is held, so nobody else has a reference. It is made anew each time:
            // one that lived across the wait would promise that nobody else changes the value.
            if let Some(result) = ready(unsafe { &mut *self.native.value.get() }) {
                self.native.section(|_| ());
                return result;
            }
            // SAFETY: both are initialised; this thread has the mutex, and does again after it.
            let status =
                unsafe { libc::pthread_cond_wait(self.changed.get(), self.native.mutex.get()) };
            assert_eq!(status, 0, "the mutex is held, and the only one used here");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes<L: Lock>() {
        let lock = L::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| lock.with(|n| *n += 1)));
            }
        });
        assert_eq!(lock.try_with(|n| *n), Some(4_000), "{}", L::NAME);
        let inner = lock.with(|_| std::thread::scope(|s| s.spawn(|| lock.try_with(|n| *n)).join()));
        assert_eq!(inner.unwrap(), None, "{}", L::NAME);
    }

    fn rings<B: Bell>() {
        let bell = B::new();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| bell.wait(|n| (*n == 3).then_some(*n)));
            (0..3).for_each(|_| bell.ring(|n| *n += 1));
            assert_eq!(waiter.join().unwrap(), 3, "{}", B::NAME);
        });
    }

    #[test]
    fn every_adapter_does_what_it_says() {
        excludes::<lockwork::PiMutex<u64>>();
        excludes::<PthreadPi>();
        rings::<Ours>();
        rings::<Theirs<false>>();
        rings::<Theirs<true>>();
    }
}
