//! Adapters: every condition variable, with the mutex it belongs to, behind one small trait.
//!
//! Waiting takes the guard and gives it back, as in std; for the others that is a move of one
//! pointer.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// A mutex and a condition variable that work together.
pub trait Condvars: 'static {
    /// For tables.
    const NAME: &'static str;

    /// The mutex.
    type Mutex<T: Send>: Send + Sync;

    /// Its guard.
    type Guard<'a, T: Send + 'a>: DerefMut<Target = T>;

    /// The condition variable.
    type Condvar: Send + Sync;

    /// A free mutex.
    fn mutex<T: Send>(value: T) -> Self::Mutex<T>;

    /// A condition variable on which nobody waits.
    fn condvar() -> Self::Condvar;

    /// Locks.
    fn lock<T: Send>(mutex: &Self::Mutex<T>) -> Self::Guard<'_, T>;

    /// Waits for a notification, or without reason.
    fn wait<'a, T: Send>(condvar: &Self::Condvar, guard: Self::Guard<'a, T>) -> Self::Guard<'a, T>;

    /// Waits for a notification, or for some time.
    fn wait_for<'a, T: Send>(
        condvar: &Self::Condvar,
        guard: Self::Guard<'a, T>,
        time: Duration,
    ) -> Self::Guard<'a, T>;

    /// Wakes one waiter.
    fn notify_one(condvar: &Self::Condvar);

    /// Wakes all.
    fn notify_all(condvar: &Self::Condvar);

    /// Wakes all who wait with the mutex that the caller holds, as they can get it. Those that
    /// know no such call get the plain one, at the same point.
    #[inline]
    fn notify_all_held<'a, T: Send + 'a>(condvar: &Self::Condvar, _guard: &Self::Guard<'a, T>) {
        Self::notify_all(condvar);
    }
}

/// For the crates with parking_lot's method names.
macro_rules! unpoisoned_condvars {
    ($(#[$doc:meta])* $tag:ident, $name:literal, $library:ident $(, $held:item)?) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $tag {}

        impl Condvars for $tag {
            const NAME: &'static str = $name;
            type Mutex<T: Send> = $library::Mutex<T>;
            type Guard<'a, T: Send + 'a> = $library::MutexGuard<'a, T>;
            type Condvar = $library::Condvar;

            fn mutex<T: Send>(value: T) -> $library::Mutex<T> {
                $library::Mutex::new(value)
            }

            fn condvar() -> $library::Condvar {
                $library::Condvar::new()
            }

            #[inline]
            fn lock<T: Send>(mutex: &$library::Mutex<T>) -> $library::MutexGuard<'_, T> {
                mutex.lock()
            }

            #[inline]
            fn wait<'a, T: Send>(
                condvar: &$library::Condvar,
                mut guard: Self::Guard<'a, T>,
            ) -> Self::Guard<'a, T> {
                condvar.wait(&mut guard);
                guard
            }

            #[inline]
            fn wait_for<'a, T: Send>(
                condvar: &$library::Condvar,
                mut guard: Self::Guard<'a, T>,
                time: Duration,
            ) -> Self::Guard<'a, T> {
                let _ = condvar.wait_for(&mut guard, time);
                guard
            }

            #[inline]
            fn notify_one(condvar: &$library::Condvar) {
                condvar.notify_one();
            }

            #[inline]
            fn notify_all(condvar: &$library::Condvar) {
                condvar.notify_all();
            }

            $($held)?
        }
    };
}

unpoisoned_condvars!(
    /// The subject.
    Lockwork, "lockwork", lockwork,
    #[inline]
    fn notify_all_held<'a, T: Send + 'a>(
        condvar: &lockwork::Condvar,
        guard: &lockwork::MutexGuard<'a, T>,
    ) {
        condvar.notify_all_held(guard);
    }
);
unpoisoned_condvars!(
    /// parking_lot.
    ParkingLot, "parking_lot", parking_lot
);
unpoisoned_condvars!(
    /// usync.
    Usync, "usync", usync
);

/// The standard library.
#[derive(Debug)]
pub enum Std {}

impl Condvars for Std {
    const NAME: &'static str = "std";
    type Mutex<T: Send> = std::sync::Mutex<T>;
    type Guard<'a, T: Send + 'a> = std::sync::MutexGuard<'a, T>;
    type Condvar = std::sync::Condvar;

    fn mutex<T: Send>(value: T) -> std::sync::Mutex<T> {
        std::sync::Mutex::new(value)
    }

    fn condvar() -> std::sync::Condvar {
        std::sync::Condvar::new()
    }

    #[inline]
    fn lock<T: Send>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }

    #[inline]
    fn wait<'a, T: Send>(
        condvar: &std::sync::Condvar,
        guard: Self::Guard<'a, T>,
    ) -> Self::Guard<'a, T> {
        condvar.wait(guard).unwrap()
    }

    #[inline]
    fn wait_for<'a, T: Send>(
        condvar: &std::sync::Condvar,
        guard: Self::Guard<'a, T>,
        time: Duration,
    ) -> Self::Guard<'a, T> {
        condvar.wait_timeout(guard, time).unwrap().0
    }

    #[inline]
    fn notify_one(condvar: &std::sync::Condvar) {
        condvar.notify_one();
    }

    #[inline]
    fn notify_all(condvar: &std::sync::Condvar) {
        condvar.notify_all();
    }
}

/// pthread's.
#[derive(Debug)]
pub enum Pthread {}

/// A pthread mutex and the value it protects. Used by reference, so it stays where it is.
#[derive(Debug)]
pub struct PthreadMutex<T> {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through the guard, by the thread that holds the mutex; it may
// be any thread, and then the value is there, hence `T: Send`.
unsafe impl<T: Send> Sync for PthreadMutex<T> {}

impl<T: Send> PthreadMutex<T> {
    /// Locks, if that is possible within `time`.
    pub fn try_lock_for(&self, time: Duration) -> Option<PthreadGuard<'_, T>> {
        let deadline = wall_clock_in(time);
        // SAFETY: the mutex was initialised by value and has not moved since; the deadline is a
        // valid time.
        let status = unsafe { libc::pthread_mutex_timedlock(self.mutex.get(), &deadline) };
        assert!(status == 0 || status == libc::ETIMEDOUT, "errno {status}");
        (status == 0).then(|| PthreadGuard { mutex: self, here: PhantomData })
    }
}

/// pthread's timed calls go by the clock on the wall, unless told otherwise one by one.
fn wall_clock_in(time: Duration) -> libc::timespec {
    // SAFETY: all-zero bytes are a valid `timespec`: it is made of integers.
    let mut then: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live `timespec`.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut then) };
    let nanos = then.tv_nsec + libc::c_long::from(time.subsec_nanos() as i32);
    then.tv_sec += time.as_secs() as libc::time_t + nanos / 1_000_000_000;
    then.tv_nsec = nanos % 1_000_000_000;
    then
}

/// Holds the mutex.
#[derive(Debug)]
pub struct PthreadGuard<'a, T> {
    mutex: &'a PthreadMutex<T>,
    /// Not `Send`: only the thread that locked may unlock.
    here: PhantomData<*const ()>,
}

impl<T> Deref for PthreadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard exists while the mutex is held.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for PthreadGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; and there is only this guard.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for PthreadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this thread holds the mutex, and this guard is all that says so.
        unsafe { libc::pthread_mutex_unlock(self.mutex.mutex.get()) };
    }
}

/// A pthread condition variable. Used by reference, so it stays where it is.
#[derive(Debug)]
pub struct PthreadCondvar(UnsafeCell<libc::pthread_cond_t>);

// SAFETY: it is made for use by several threads, and nothing else is reached through it.
unsafe impl Sync for PthreadCondvar {}

impl Condvars for Pthread {
    const NAME: &'static str = "pthread";
    type Mutex<T: Send> = PthreadMutex<T>;
    type Guard<'a, T: Send + 'a> = PthreadGuard<'a, T>;
    type Condvar = PthreadCondvar;

    fn mutex<T: Send>(value: T) -> PthreadMutex<T> {
        let mutex = UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER);
        PthreadMutex { mutex, value: UnsafeCell::new(value) }
    }

    fn condvar() -> PthreadCondvar {
        PthreadCondvar(UnsafeCell::new(libc::PTHREAD_COND_INITIALIZER))
    }

    #[inline]
    fn lock<T: Send>(mutex: &PthreadMutex<T>) -> PthreadGuard<'_, T> {
        // SAFETY: the mutex was initialised by value and has not moved since.
        let status = unsafe { libc::pthread_mutex_lock(mutex.mutex.get()) };
        assert_eq!(status, 0, "neither recursive, robust nor error-checking");
        PthreadGuard { mutex, here: PhantomData }
    }

    #[inline]
    fn wait<'a, T: Send>(
        condvar: &PthreadCondvar,
        guard: Self::Guard<'a, T>,
    ) -> Self::Guard<'a, T> {
        // SAFETY: both were initialised by value and have not moved since; this thread holds the
        // mutex, and does again afterwards.
        let status = unsafe { libc::pthread_cond_wait(condvar.0.get(), guard.mutex.mutex.get()) };
        assert_eq!(status, 0, "the mutex is held, and it is the only one used with this condvar");
        guard
    }

    #[inline]
    fn wait_for<'a, T: Send>(
        condvar: &PthreadCondvar,
        guard: Self::Guard<'a, T>,
        time: Duration,
    ) -> Self::Guard<'a, T> {
        let deadline = wall_clock_in(time);
        let mutex = guard.mutex.mutex.get();
        // SAFETY: as in `wait`; the deadline is a valid time.
        let status = unsafe { libc::pthread_cond_timedwait(condvar.0.get(), mutex, &deadline) };
        assert!(status == 0 || status == libc::ETIMEDOUT, "errno {status}");
        guard
    }

    #[inline]
    fn notify_one(condvar: &PthreadCondvar) {
        // SAFETY: initialised by value and not moved since.
        unsafe { libc::pthread_cond_signal(condvar.0.get()) };
    }

    #[inline]
    fn notify_all(condvar: &PthreadCondvar) {
        // SAFETY: initialised by value and not moved since.
        unsafe { libc::pthread_cond_broadcast(condvar.0.get()) };
    }
}

/// A [`Field`](crate::harness::round::Field) of all of them: `run` is a function that is generic
/// over [`Condvars`].
#[macro_export]
macro_rules! every_condvar {
    ($($run:ident)::+) => {{
        use $crate::condvars::*;
        use $crate::harness::round::Field;
        Field::of(Lockwork::NAME, $($run)::+::<Lockwork>)
            .against(Std::NAME, $($run)::+::<Std>)
            .against(ParkingLot::NAME, $($run)::+::<ParkingLot>)
            .against(Usync::NAME, $($run)::+::<Usync>)
            .against(Pthread::NAME, $($run)::+::<Pthread>)
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A waiter is woken by either notification, and a timed one also by nothing.
    fn wakes<C: Condvars>(held: bool) {
        let (mutex, condvar) = (C::mutex(0), C::condvar());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut guard = C::lock(&mutex);
                    *guard += 1;
                    while *guard < 10 {
                        guard = C::wait(&condvar, guard);
                    }
                    *guard += 1;
                });
            }
            let mut guard = C::lock(&mutex);
            while *guard < 3 {
                guard = C::wait_for(&condvar, guard, Duration::from_millis(1));
            }
            *guard = 10;
            C::notify_one(&condvar);
            if held {
                C::notify_all_held(&condvar, &guard);
            } else {
                drop(guard);
                C::notify_all(&condvar);
            }
        });
        assert_eq!(*C::lock(&mutex), 13, "{}", C::NAME);
    }

    #[test]
    fn every_adapter_wakes() {
        for held in [false, true] {
            wakes::<Lockwork>(held);
            wakes::<Std>(held);
            wakes::<ParkingLot>(held);
            wakes::<Usync>(held);
            wakes::<Pthread>(held);
        }
    }
}
