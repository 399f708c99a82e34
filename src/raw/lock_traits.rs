//! The locks as `lock_api` wants them, for types and functions that are generic over its traits.
//!
//! Each is one of the raw locks in a type of its own: these traits' methods have the names of the
//! raw locks' own methods and take a token, so on the raw locks themselves it would depend on what
//! is in scope which of the two is called. The tokens say nothing but that a guard stays with its
//! thread.
//!
//! The trait's contracts on unwinding: an operation that takes a lock and panics has not taken it;
//! one that gives a token back gives it back, or ends the process; one that uses a token up has
//! given up what it stands for.

use core::num::NonZeroUsize;
use core::time::Duration;
use std::time::Instant;

use lock_api::GuardNoSend;

use super::{AbortOnUnwind, Condvar, Mutex, Plain, RwLock, SpinLock};
use crate::primitive::{Deadline, thread_number};

/// What the traits ask of a lock that one thread has at a time.
macro_rules! raw_mutex {
    ($(#[$doc:meta])* $Raw:ident($Inner:ty), unlock: $unlock:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[repr(transparent)]
        pub struct $Raw($Inner);

        // SAFETY: the inner lock excludes; a token is made for an acquisition, and asked for by
        // whoever gives one up.
        unsafe impl lock_api::RawMutex for $Raw {
            const INIT: Self = Self(<$Inner>::new());

            type Guard = GuardNoSend;

            #[inline]
            #[track_caller]
            fn lock(&self) -> GuardNoSend {
                self.0.lock();
                GuardNoSend::new()
            }

            #[inline]
            fn try_lock(&self) -> Option<GuardNoSend> {
                self.0.try_lock().then(GuardNoSend::new)
            }

            #[inline]
            unsafe fn unlock(&self, _: GuardNoSend) {
                // SAFETY: by the caller's contract.
                unsafe { self.0.$unlock() }
            }

            #[inline]
            fn is_locked(&self) -> bool {
                self.0.is_locked()
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawMutexFair for $Raw {
            #[inline]
            unsafe fn unlock_fair(&self, _: GuardNoSend) {
                // SAFETY: by the caller's contract.
                unsafe { self.0.unlock_fair() }
            }

            #[inline]
            unsafe fn bump(&self, _: &mut GuardNoSend) {
                // SAFETY: by the caller's contract; it does not unwind.
                unsafe { self.0.bump() }
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawMutexTimed for $Raw {
            type Duration = Duration;
            type Instant = Instant;

            #[inline]
            #[track_caller]
            fn try_lock_for(&self, timeout: Duration) -> Option<GuardNoSend> {
                let locked = self.0.try_lock() || self.0.lock_until(Deadline::after(timeout));
                locked.then(GuardNoSend::new)
            }

            #[inline]
            #[track_caller]
            fn try_lock_until(&self, timeout: Instant) -> Option<GuardNoSend> {
                let locked = self.0.try_lock() || self.0.lock_until(timeout.into());
                locked.then(GuardNoSend::new)
            }
        }
    };
}

raw_mutex! {
    /// The lock of a [`Mutex`](crate::Mutex), without data, for code that is generic over
    /// `lock_api`'s traits.
    ///
    /// What holds for [`Mutex`](crate::Mutex) holds for it: four bytes, no global state, bounded
    /// bypass. Guards stay with their thread.
    ///
    /// ```
    /// use lockwork::RawMutex;
    /// use lockwork::lock_api::{Mutex, MutexGuard};
    ///
    /// static NAMES: Mutex<RawMutex, Vec<&str>> = Mutex::new(Vec::new());
    ///
    /// NAMES.lock().push("ada");
    /// let first = MutexGuard::map(NAMES.lock(), |names| &mut names[0]);
    /// assert_eq!(*first, "ada");
    /// ```
    ///
    /// A guard stays with the thread that locked:
    ///
    /// ```compile_fail,E0277
    /// let mutex = lockwork::lock_api::Mutex::<lockwork::RawMutex, _>::new(0);
    /// let guard = mutex.lock();
    /// std::thread::scope(|s| s.spawn(move || drop(guard)));
    /// ```
    ///
    /// With [`RawThreadId`], one that its owner may lock again:
    ///
    /// ```
    /// use lockwork::lock_api::ReentrantMutex;
    /// use lockwork::{RawMutex, RawThreadId};
    ///
    /// let mutex = ReentrantMutex::<RawMutex, RawThreadId, _>::new(1);
    /// let (outer, inner) = (mutex.lock(), mutex.lock());
    /// assert_eq!(*outer, *inner);
    /// ```
    RawMutex(Mutex), unlock: unlock
}

raw_mutex! {
    /// The lock of a [`FairMutex`](crate::FairMutex), without data: a [`RawMutex`] of which every
    /// unlock is a fair one.
    ///
    /// ```
    /// use lockwork::{RawFairMutex, lock_api::Mutex};
    ///
    /// let mutex = Mutex::<RawFairMutex, _>::new(1);
    /// *mutex.lock() += 1;
    /// assert_eq!(mutex.into_inner(), 2);
    /// ```
    RawFairMutex(Mutex), unlock: unlock_fair
}

raw_mutex! {
    /// The lock of a [`SpinLock`](crate::SpinLock), without data: a [`RawMutex`] whose waiters poll
    /// for longer.
    ///
    /// ```
    /// use lockwork::{RawSpinLock, lock_api::Mutex};
    ///
    /// let lock = Mutex::<RawSpinLock, _>::new(1);
    /// assert_eq!(lock.try_lock().as_deref(), Some(&1));
    /// ```
    RawSpinLock(SpinLock), unlock: unlock
}

/// What the traits ask of a lock with readers.
macro_rules! raw_rwlock {
    ($(#[$doc:meta])* $Raw:ident($recursive:literal)) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[repr(transparent)]
        pub struct $Raw(RwLock<$recursive>);

        impl $Raw {
            /// Runs `bump`, and ends the process if there are too many readers by then to be one
            /// again.
            #[inline]
            fn restored(&self, bump: impl FnOnce(&RwLock<$recursive>)) {
                let abort = AbortOnUnwind;
                bump(&self.0);
                core::mem::forget(abort);
            }
        }

        // SAFETY: the inner lock keeps writers from others; a token is made for an acquisition of
        // its kind, and asked for by whoever gives one up.
        unsafe impl lock_api::RawRwLock for $Raw {
            const INIT: Self = Self(RwLock::new());

            type SharedGuard = GuardNoSend;
            type ExclusiveGuard = GuardNoSend;

            #[inline]
            #[track_caller]
            fn lock_shared(&self) -> GuardNoSend {
                self.0.read();
                GuardNoSend::new()
            }

            #[inline]
            #[track_caller]
            fn try_lock_shared(&self) -> Option<GuardNoSend> {
                self.0.try_read().then(GuardNoSend::new)
            }

            #[inline]
            unsafe fn unlock_shared(&self, _: GuardNoSend) {
                // SAFETY: by the caller's contract.
                unsafe { self.0.unlock_read() }
            }

            #[inline]
            #[track_caller]
            fn lock_exclusive(&self) -> GuardNoSend {
                self.0.write();
                GuardNoSend::new()
            }

            #[inline]
            fn try_lock_exclusive(&self) -> Option<GuardNoSend> {
                self.0.try_write().then(GuardNoSend::new)
            }

            #[inline]
            unsafe fn unlock_exclusive(&self, _: GuardNoSend) {
                // SAFETY: by the caller's contract.
                unsafe { self.0.unlock_write() }
            }

            #[inline]
            fn is_locked(&self) -> bool {
                self.0.is_locked()
            }

            #[inline]
            fn is_locked_exclusive(&self) -> bool {
                self.0.is_locked_exclusive()
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawRwLockFair for $Raw {
            #[inline]
            unsafe fn unlock_shared_fair(&self, _: GuardNoSend) {
                // A reader that leaves lets nobody in but who waits.
                // SAFETY: by the caller's contract.
                unsafe { self.0.unlock_read() }
            }

            #[inline]
            unsafe fn unlock_exclusive_fair(&self, _: GuardNoSend) {
                // SAFETY: by the caller's contract.
                unsafe { self.0.unlock_write_fair() }
            }

            #[inline]
            unsafe fn bump_shared(&self, _: &mut GuardNoSend) {
                // SAFETY: by the caller's contract.
                self.restored(|lock| unsafe { lock.bump_read() });
            }

            #[inline]
            unsafe fn bump_exclusive(&self, _: &mut GuardNoSend) {
                // SAFETY: by the caller's contract.
                self.restored(|lock| unsafe { lock.bump_write() });
            }
        }

        // SAFETY: as above; the writer's release in a downgrade is an ordering of the inner lock.
        unsafe impl lock_api::RawRwLockDowngrade for $Raw {
            #[inline]
            unsafe fn downgrade(&self, _: GuardNoSend) -> GuardNoSend {
                // SAFETY: by the caller's contract.
                unsafe { self.0.downgrade() }
                GuardNoSend::new()
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawRwLockTimed for $Raw {
            type Duration = Duration;
            type Instant = Instant;

            #[inline]
            #[track_caller]
            fn try_lock_shared_for(&self, timeout: Duration) -> Option<GuardNoSend> {
                let entered = self.0.try_read() || self.0.read_until(Deadline::after(timeout));
                entered.then(GuardNoSend::new)
            }

            #[inline]
            #[track_caller]
            fn try_lock_shared_until(&self, timeout: Instant) -> Option<GuardNoSend> {
                let entered = self.0.try_read() || self.0.read_until(timeout.into());
                entered.then(GuardNoSend::new)
            }

            #[inline]
            #[track_caller]
            fn try_lock_exclusive_for(&self, timeout: Duration) -> Option<GuardNoSend> {
                let entered = self.0.try_write() || self.0.write_until(Deadline::after(timeout));
                entered.then(GuardNoSend::new)
            }

            #[inline]
            #[track_caller]
            fn try_lock_exclusive_until(&self, timeout: Instant) -> Option<GuardNoSend> {
                let entered = self.0.try_write() || self.0.write_until(timeout.into());
                entered.then(GuardNoSend::new)
            }
        }

        // SAFETY: as above; an upgrade acquires from the readers that it waits for.
        unsafe impl lock_api::RawRwLockUpgrade for $Raw {
            type UpgradableGuard = GuardNoSend;

            #[inline]
            #[track_caller]
            fn lock_upgradable(&self) -> GuardNoSend {
                self.0.upgradable();
                GuardNoSend::new()
            }

            #[inline]
            fn try_lock_upgradable(&self) -> Option<GuardNoSend> {
                self.0.try_upgradable().then(GuardNoSend::new)
            }

            #[inline]
            unsafe fn unlock_upgradable(&self, _: GuardNoSend) {
                // SAFETY: by the caller's contract.
                unsafe { self.0.unlock_upgradable() }
            }

            #[inline]
            #[track_caller]
            unsafe fn upgrade(&self, token: GuardNoSend) -> GuardNoSend {
                // SAFETY: by the caller's contract.
                unsafe { self.0.upgrade_until(Deadline::NEVER) };
                token
            }

            #[inline]
            unsafe fn try_upgrade(&self, token: GuardNoSend) -> Result<GuardNoSend, GuardNoSend> {
                // SAFETY: by the caller's contract.
                if unsafe { self.0.try_upgrade() } { Ok(token) } else { Err(token) }
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawRwLockUpgradeFair for $Raw {
            #[inline]
            unsafe fn unlock_upgradable_fair(&self, _: GuardNoSend) {
                // SAFETY: by the caller's contract.
                unsafe { self.0.unlock_upgradable_fair() }
            }

            #[inline]
            unsafe fn bump_upgradable(&self, _: &mut GuardNoSend) {
                // SAFETY: by the caller's contract.
                self.restored(|lock| unsafe { lock.bump_upgradable() });
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawRwLockUpgradeDowngrade for $Raw {
            #[inline]
            #[track_caller]
            unsafe fn downgrade_upgradable(&self, token: GuardNoSend) -> GuardNoSend {
                // There may be too many readers. The token is used up, whatever happens.
                let unlock = UnlockOnUnwind(&self.0);
                // SAFETY: by the caller's contract.
                unsafe { self.0.downgrade_upgradable() }
                core::mem::forget(unlock);
                token
            }

            #[inline]
            unsafe fn downgrade_to_upgradable(&self, token: GuardNoSend) -> GuardNoSend {
                // SAFETY: by the caller's contract.
                unsafe { self.0.downgrade_to_upgradable() }
                token
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawRwLockUpgradeTimed for $Raw {
            #[inline]
            #[track_caller]
            fn try_lock_upgradable_for(&self, timeout: Duration) -> Option<GuardNoSend> {
                let entered =
                    self.0.try_upgradable() || self.0.upgradable_until(Deadline::after(timeout));
                entered.then(GuardNoSend::new)
            }

            #[inline]
            #[track_caller]
            fn try_lock_upgradable_until(&self, timeout: Instant) -> Option<GuardNoSend> {
                let entered = self.0.try_upgradable() || self.0.upgradable_until(timeout.into());
                entered.then(GuardNoSend::new)
            }

            #[inline]
            #[track_caller]
            unsafe fn try_upgrade_for(
                &self,
                token: GuardNoSend,
                timeout: Duration,
            ) -> Result<GuardNoSend, GuardNoSend> {
                // SAFETY: by the caller's contract.
                let upgraded = unsafe { self.0.upgrade_until(Deadline::after(timeout)) };
                if upgraded { Ok(token) } else { Err(token) }
            }

            #[inline]
            #[track_caller]
            unsafe fn try_upgrade_until(
                &self,
                token: GuardNoSend,
                timeout: Instant,
            ) -> Result<GuardNoSend, GuardNoSend> {
                // SAFETY: by the caller's contract.
                let upgraded = unsafe { self.0.upgrade_until(timeout.into()) };
                if upgraded { Ok(token) } else { Err(token) }
            }
        }
    };
}

raw_rwlock! {
    /// The lock of a [`RwLock`](crate::RwLock), without data, for code that is generic over
    /// `lock_api`'s traits.
    ///
    /// ```
    /// use lockwork::RawRwLock;
    /// use lockwork::lock_api::{RwLock, RwLockUpgradableReadGuard};
    ///
    /// static CACHE: RwLock<RawRwLock, Option<u64>> = RwLock::new(None);
    ///
    /// let reading = CACHE.upgradable_read();
    /// *RwLockUpgradableReadGuard::upgrade(reading) = Some(42);
    /// assert_eq!(*CACHE.read(), Some(42));
    /// ```
    RawRwLock(false)
}

raw_rwlock! {
    /// The lock of a [`RecursiveRwLock`](crate::RecursiveRwLock), without data: a [`RawRwLock`]
    /// whose readers wait for nobody while others read.
    ///
    /// ```
    /// use lockwork::{RawRwLockRecursive, lock_api::RwLock};
    ///
    /// let lock = RwLock::<RawRwLockRecursive, _>::new(1);
    /// let outer = lock.read();
    /// assert_eq!(*lock.read(), *outer);
    /// ```
    RawRwLockRecursive(true)
}

/// Dropped by unwinding, gives up the place of the upgradable reader.
struct UnlockOnUnwind<'a, const RECURSIVE: bool>(&'a RwLock<RECURSIVE>);

impl<const RECURSIVE: bool> Drop for UnlockOnUnwind<'_, RECURSIVE> {
    fn drop(&mut self) {
        // SAFETY: made by whoever is the upgradable reader, and still is if this is dropped.
        unsafe { self.0.unlock_upgradable() }
    }
}

/// A [`Condvar`](crate::Condvar) for `lock_api`'s: it waits with guards of
/// `lock_api::Mutex<RawMutex, T>`.
///
/// No spurious wake-ups, so the counts that its notifications return are exact. Different waiters
/// may use different mutexes.
///
/// ```
/// use lockwork::lock_api::{Condvar, Mutex};
/// use lockwork::{RawCondvar, RawMutex};
///
/// let (ready, changed) = (Mutex::<RawMutex, _>::new(false), Condvar::<RawCondvar>::new());
/// std::thread::scope(|s| {
///     s.spawn(|| {
///         *ready.lock() = true;
///         changed.notify_one();
///     });
///     changed.wait_while(&mut ready.lock(), |ready| !*ready);
/// });
/// assert!(!changed.notify_one()); // nobody is there any more
/// ```
#[derive(Debug)]
#[repr(transparent)]
pub struct RawCondvar(Condvar);

// SAFETY: the waiter is in the list before it gives the mutex up, and has it again afterwards; it
// does not unwind in between.
unsafe impl lock_api::RawCondvar for RawCondvar {
    const INIT: Self = Self(Condvar::new());

    type RawMutex = RawMutex;

    #[inline]
    #[track_caller]
    unsafe fn wait(&self, mutex: &RawMutex, _: &mut GuardNoSend) {
        // SAFETY: by the caller's contract.
        unsafe { self.0.wait::<Plain>(&mutex.0, Deadline::NEVER) };
    }

    #[inline]
    fn notify_one(&self) -> bool {
        self.0.notify_one()
    }

    #[inline]
    fn notify_all(&self) -> usize {
        self.0.notify_all()
    }
}

// SAFETY: as above.
unsafe impl lock_api::RawCondvarTimed for RawCondvar {
    #[inline]
    fn checked_duration_to_instant(timeout: &Duration) -> Option<Instant> {
        Instant::now().checked_add(*timeout)
    }

    #[inline]
    #[track_caller]
    unsafe fn wait_until(&self, mutex: &RawMutex, _: &mut GuardNoSend, timeout: &Instant) -> bool {
        // SAFETY: by the caller's contract.
        !unsafe { self.0.wait::<Plain>(&mutex.0, Deadline::from(*timeout)) }
    }

    #[inline]
    #[track_caller]
    unsafe fn wait_for(&self, mutex: &RawMutex, _: &mut GuardNoSend, timeout: &Duration) -> bool {
        // SAFETY: by the caller's contract.
        !unsafe { self.0.wait::<Plain>(&mutex.0, Deadline::after(*timeout)) }
    }
}

/// How `lock_api`'s `ReentrantMutex` tells threads apart: by a number that never comes again, also
/// not in a child of `fork`.
///
/// ```
/// use lockwork::lock_api::ReentrantMutex;
/// use lockwork::{RawFairMutex, RawThreadId};
///
/// let mutex = ReentrantMutex::<RawFairMutex, RawThreadId, _>::new(1);
/// let _outer = mutex.lock();
/// assert!(mutex.is_owned_by_current_thread() && mutex.try_lock().is_some());
/// ```
#[derive(Debug)]
pub struct RawThreadId(());

// SAFETY: each thread has a number of its own, for as long as it lives.
unsafe impl lock_api::GetThreadId for RawThreadId {
    const INIT: Self = Self(());

    #[inline]
    fn nonzero_thread_id(&self) -> NonZeroUsize {
        let number = usize::try_from(thread_number()).ok().and_then(NonZeroUsize::new);
        number.expect("numbers are not zero, and words have 64 bits")
    }
}
