//! The guards of the whole data: for reading, for writing, and upgradable.

#[cfg(feature = "alloc")]
use alloc::sync::Arc;
use core::fmt;
use core::marker::PhantomData;
use core::mem::{self, ManuallyDrop};
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};
use core::time::Duration;

use super::holder::Holder;
use super::{Lock, MappedReadGuard, MappedWriteGuard};
use crate::primitive::{Deadline, Tracked};
use crate::raw::{self, AbortOnUnwind};
use crate::sync::suspend::wait_guard;

/// A guard and what all three have in common.
macro_rules! guard {
    (
        $(#[$meta:meta])*
        $guard:ident, $public:literal, $lock:ident, $lock_arc:ident, $track:ident $(, $mut:ident)?;
        way: $way:ident;
        $raw:ident $raw_unlock:ident $raw_unlock_fair:ident $raw_bump:ident;
        unlock_fair: $(#[$fair:meta])*;
        bump: $(#[$bump:meta])*;
    ) => {
        $(#[$meta])*
        #[must_use = "if unused the lock is unlocked again at once"]
        pub struct $guard<H: Holder<RECURSIVE>, const RECURSIVE: bool> {
            holder: H,
            track: Tracked,
            /// Not `Send`: a thread that locks is the one that unlocks.
            stays: PhantomData<*mut ()>,
        }

        // SAFETY: a shared guard gives out shared references to the data, which must be `Sync`, and
        // to the lock, which others may then lock: so the reference to it must be `Sync`, too.
        unsafe impl<H: Holder<RECURSIVE> + Sync, const RECURSIVE: bool> Sync
            for $guard<H, RECURSIVE>
        where
            H::Data: Sync,
        {
        }

        impl<H: Holder<RECURSIVE>, const RECURSIVE: bool> $guard<H, RECURSIVE> {
            /// # Safety
            ///
            /// The calling context has the lock in this guard's way, and no guard stands for that
            /// yet.
            #[inline]
            pub(super) unsafe fn new(holder: H) -> Self {
                let track = holder.lock().data.$track();
                Self { holder, track, stays: PhantomData }
            }

            /// Takes the guard apart without unlocking.
            fn into_parts(self) -> (H, Tracked) {
                let guard = ManuallyDrop::new(self);
                // SAFETY: the guard is not dropped, so these are the only copies.
                unsafe { (ptr::read(&raw const guard.holder), ptr::read(&raw const guard.track)) }
            }

            /// Unlocks, and gives back what held the lock.
            #[cfg(feature = "alloc")]
            fn unlock(self, fair: bool) -> H {
                let (holder, mut track) = self.into_parts();
                track.end();
                let raw = &holder.lock().raw;
                // SAFETY: the guard stood for that, and is gone.
                unsafe { if fair { raw.$raw_unlock_fair() } else { raw.$raw_unlock() } }
                holder
            }

            /// Unlocks, runs `f`, and locks again, also if `f` panics.
            ///
            /// The data may have changed meanwhile.
            ///
            /// # Panics
            ///
            /// If `f` does.
            ///
            /// ```
            #[doc = concat!("use lockwork::{RwLock, ", $public, "};")]
            ///
            /// let lock = RwLock::new(1);
            #[doc = concat!("let mut guard = lock.", stringify!($lock), "();")]
            #[doc = concat!($public, "::unlocked(&mut guard, || *lock.write() = 2);")]
            /// assert_eq!(*guard, 2);
            /// ```
            pub fn unlocked<U>(s: &mut Self, f: impl FnOnce() -> U) -> U {
                s.suspended(false, f)
            }

            /// As [`unlocked`](Self::unlocked), unlocking fairly.
            ///
            /// # Panics
            ///
            /// If `f` does.
            ///
            /// ```
            #[doc = concat!("use lockwork::{RwLock, ", $public, "};")]
            ///
            /// let lock = RwLock::new(1);
            #[doc = concat!("let mut guard = lock.", stringify!($lock), "();")]
            #[doc = concat!($public, "::unlocked_fair(&mut guard, || *lock.write() = 2);")]
            /// assert_eq!(*guard, 2);
            /// ```
            pub fn unlocked_fair<U>(s: &mut Self, f: impl FnOnce() -> U) -> U {
                s.suspended(true, f)
            }

            fn suspended<U>(&mut self, fair: bool, f: impl FnOnce() -> U) -> U {
                struct Again<'a, H: Holder<RECURSIVE>, const RECURSIVE: bool>(
                    &'a mut $guard<H, RECURSIVE>,
                );
                impl<H: Holder<RECURSIVE>, const RECURSIVE: bool> Drop for Again<'_, H, RECURSIVE> {
                    fn drop(&mut self) {
                        // Cannot unwind out of here with a guard that stands for nothing.
                        let abort = AbortOnUnwind;
                        self.0.holder.lock().raw.$raw();
                        mem::forget(abort);
                        self.0.track = self.0.holder.lock().data.$track();
                    }
                }
                self.track.end();
                let again = Again(self);
                let raw = &again.0.holder.lock().raw;
                // SAFETY: the guard stands for that, cannot be reached while it is borrowed here,
                // and stands for it again when `again` is dropped.
                unsafe { if fair { raw.$raw_unlock_fair() } else { raw.$raw_unlock() } }
                f()
            }

            $(#[$fair])*
            ///
            /// ```
            #[doc = concat!("use lockwork::{RwLock, ", $public, "};")]
            ///
            /// let lock = RwLock::new(());
            #[doc = concat!($public, "::unlock_fair(lock.", stringify!($lock), "());")]
            /// assert!(!lock.is_locked());
            /// ```
            pub fn unlock_fair(s: Self) {
                let (holder, mut track) = s.into_parts();
                track.end();
                // SAFETY: the guard stood for that, and is gone.
                unsafe { holder.lock().raw.$raw_unlock_fair() }
            }

            $(#[$bump])*
            ///
            /// ```
            #[doc = concat!("use lockwork::{RwLock, ", $public, "};")]
            ///
            /// let lock = RwLock::new(0);
            #[doc = concat!("let mut guard = lock.", stringify!($lock), "();")]
            /// for _ in 0..3 {
            #[doc = concat!("    ", $public, "::bump(&mut guard); // nobody waits")]
            /// }
            /// ```
            #[track_caller]
            pub fn bump(s: &mut Self) {
                s.track.end();
                let abort = AbortOnUnwind;
                // SAFETY: the guard stands for that before and after.
                unsafe { s.holder.lock().raw.$raw_bump() }
                mem::forget(abort);
                s.track = s.holder.lock().data.$track();
            }
        }

        impl<'a, T: ?Sized, const RECURSIVE: bool> $guard<&'a Lock<T, RECURSIVE>, RECURSIVE> {
            /// The lock that this is a guard of.
            ///
            /// ```
            #[doc = concat!("use lockwork::{RwLock, ", $public, "};")]
            ///
            /// let lock = RwLock::new(0);
            #[doc = concat!("let guard = lock.", stringify!($lock), "();")]
            #[doc = concat!("assert!(std::ptr::eq(", $public, "::rwlock(&guard), &lock));")]
            /// ```
            #[must_use]
            pub fn rwlock(s: &Self) -> &'a Lock<T, RECURSIVE> {
                s.holder
            }
        }

        #[cfg(feature = "alloc")]
        impl<T: ?Sized, const RECURSIVE: bool> $guard<Arc<Lock<T, RECURSIVE>>, RECURSIVE> {
            /// The lock that this is a guard of.
            ///
            /// ```
            #[doc = concat!("use lockwork::{RwLock, Arc", $public, "};")]
            ///
            /// let lock = std::sync::Arc::new(RwLock::new(0));
            #[doc = concat!("let guard = lock.", stringify!($lock_arc), "();")]
            #[doc = concat!(
                "assert!(std::sync::Arc::ptr_eq(Arc", $public, "::rwlock(&guard), &lock));"
            )]
            /// ```
            #[must_use]
            pub fn rwlock(s: &Self) -> &Arc<Lock<T, RECURSIVE>> {
                &s.holder
            }

            /// Unlocks, and gives the guard's reference to the lock back.
            ///
            /// ```
            #[doc = concat!("use lockwork::{RwLock, Arc", $public, "};")]
            ///
            /// let lock = std::sync::Arc::new(RwLock::new(7));
            #[doc = concat!("let guard = lock.", stringify!($lock_arc), "();")]
            /// drop(lock);
            #[doc = concat!("let lock = Arc", $public, "::into_arc(guard);")]
            /// assert_eq!(std::sync::Arc::into_inner(lock).unwrap().into_inner(), 7);
            /// ```
            #[must_use]
            pub fn into_arc(s: Self) -> Arc<Lock<T, RECURSIVE>> {
                s.unlock(false)
            }

            /// As [`into_arc`](Self::into_arc), unlocking fairly.
            ///
            /// ```
            #[doc = concat!("use lockwork::{RwLock, Arc", $public, "};")]
            ///
            /// let lock = std::sync::Arc::new(RwLock::new(7));
            #[doc = concat!("let lock = Arc", $public, "::into_arc_fair(lock.")]
            #[doc = concat!(stringify!($lock_arc), "());")]
            /// assert!(!lock.is_locked());
            /// ```
            #[must_use]
            pub fn into_arc_fair(s: Self) -> Arc<Lock<T, RECURSIVE>> {
                s.unlock(true)
            }
        }

        impl<H: Holder<RECURSIVE>, const RECURSIVE: bool> Deref for $guard<H, RECURSIVE> {
            type Target = H::Data;

            #[inline]
            fn deref(&self) -> &H::Data {
                // SAFETY: nobody writes while the guard lives, but through the guard itself.
                unsafe { &*self.holder.lock().data.get() }
            }
        }

        wait_guard! {
            { impl<H: Holder<RECURSIVE>, const RECURSIVE: bool> } for $guard<H, RECURSIVE>,
            data: H::Data,
            lock: |guard| guard.holder.lock(),
            way: raw::$way<RECURSIVE>,
            track: $track,
            access: [$($mut)?],
        }

        impl<H: Holder<RECURSIVE>, const RECURSIVE: bool> Drop for $guard<H, RECURSIVE> {
            #[inline]
            fn drop(&mut self) {
                self.track.end();
                // SAFETY: the guard stands for that, and ends here.
                unsafe { self.holder.lock().raw.$raw_unlock() }
            }
        }

        impl<H: Holder<RECURSIVE>, const RECURSIVE: bool> fmt::Debug for $guard<H, RECURSIVE>
        where
            H::Data: fmt::Debug,
        {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<H: Holder<RECURSIVE>, const RECURSIVE: bool> fmt::Display for $guard<H, RECURSIVE>
        where
            H::Data: fmt::Display,
        {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    };
}

guard! {
    /// The proof that a lock is locked for reading, and the way to its data. Dropping it unlocks.
    ///
    /// ```
    /// let lock = lockwork::RwLock::new(vec![1]);
    /// let (one, two) = (lock.read(), lock.try_read().unwrap());
    /// assert_eq!(*one, *two);
    /// ```
    ///
    /// It stays with the thread that locked:
    ///
    /// ```compile_fail,E0277
    /// let lock = lockwork::RwLock::new(0);
    /// let guard = lock.read();
    /// std::thread::scope(|s| s.spawn(move || drop(guard)));
    /// ```
    ReadGuard, "RwLockReadGuard", read, read_arc, track;
    way: Reader;
    read unlock_read unlock_read bump_read;
    unlock_fair:
        /// Unlocks. A writer that waits for the last reader is the next in any case, so this is
        /// what dropping the guard does.
        ;
    bump:
        /// Lets a writer go first that waits for the readers to leave: unlocks and locks again.
        ///
        /// # Panics
        ///
        /// Aborts if the lock has as many readers as it can count when it is locked again.
        ;
}

guard! {
    /// The proof that a lock is locked for writing, and the way to its data. Dropping it unlocks.
    ///
    /// ```
    /// let lock = lockwork::RwLock::new(vec![1]);
    /// lock.write().push(2);
    /// assert_eq!(lock.into_inner(), [1, 2]);
    /// ```
    ///
    /// It stays with the thread that locked:
    ///
    /// ```compile_fail,E0277
    /// let lock = lockwork::RwLock::new(0);
    /// let guard = lock.write();
    /// std::thread::scope(|s| s.spawn(move || drop(guard)));
    /// ```
    WriteGuard, "RwLockWriteGuard", write, write_arc, track_mut, mut;
    way: Writer;
    write unlock_write unlock_write_fair bump_write;
    unlock_fair:
        /// Unlocks, and gives the lock to those who sleep next in line: one reader and one writer
        /// or upgradable reader at most go before anybody who comes later, this thread too.
        ;
    bump:
        /// Lets those who wait go first: unlocks fairly and locks again.
        ;
}

guard! {
    /// The proof that a lock is locked by the one upgradable reader. Dropping it unlocks.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockUpgradableReadGuard};
    ///
    /// let cache = RwLock::new(None);
    /// let reading = cache.upgradable_read();
    /// if reading.is_none() {
    ///     // Nobody else has written in between.
    ///     *RwLockUpgradableReadGuard::upgrade(reading) = Some("filled once");
    /// }
    /// assert_eq!(*cache.read(), Some("filled once"));
    /// ```
    ///
    /// It stays with the thread that locked:
    ///
    /// ```compile_fail,E0277
    /// let lock = lockwork::RwLock::new(0);
    /// let guard = lock.upgradable_read();
    /// std::thread::scope(|s| s.spawn(move || drop(guard)));
    /// ```
    UpgradableReadGuard, "RwLockUpgradableReadGuard", upgradable_read, upgradable_read_arc, track;
    way: Upgradable;
    upgradable unlock_upgradable unlock_upgradable_fair bump_upgradable;
    unlock_fair:
        /// Unlocks, and gives the lock to the writer or upgradable reader that sleeps next in line:
        /// it goes before any that comes later, this thread too.
        ;
    bump:
        /// Lets a writer or upgradable reader go first: unlocks fairly and locks again.
        ;
}

impl<'a, T: ?Sized, const RECURSIVE: bool> ReadGuard<&'a Lock<T, RECURSIVE>, RECURSIVE> {
    /// Narrows the guard to a part of the data.
    ///
    /// An associated function, as a method would hide one of the data's. If `f` panics, the lock
    /// is unlocked.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockReadGuard};
    ///
    /// let pair = RwLock::new((1, "one"));
    /// let name = RwLockReadGuard::map(pair.read(), |pair| &pair.1);
    /// assert_eq!(*name, "one");
    /// ```
    pub fn map<U: ?Sized>(s: Self, f: impl FnOnce(&T) -> &U) -> MappedReadGuard<'a, U, RECURSIVE> {
        let data = NonNull::from(f(&s));
        MappedReadGuard::from_parts(s.mapped_parts(), data)
    }

    /// Narrows the guard to a part of the data, if there is one.
    ///
    /// # Errors
    ///
    /// The guard comes back if `f` returns `None`.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockReadGuard};
    ///
    /// let list = RwLock::new(vec![1, 2]);
    /// let second = RwLockReadGuard::try_map(list.read(), |list| list.get(1));
    /// assert_eq!(*second.unwrap(), 2);
    /// assert!(RwLockReadGuard::try_map(list.read(), |list| list.get(2)).is_err());
    /// ```
    pub fn try_map<U: ?Sized>(
        s: Self,
        f: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<MappedReadGuard<'a, U, RECURSIVE>, Self> {
        match f(&s).map(NonNull::from) {
            Some(data) => Ok(MappedReadGuard::from_parts(s.mapped_parts(), data)),
            None => Err(s),
        }
    }

    /// As [`try_map`](Self::try_map), with a reason.
    ///
    /// # Errors
    ///
    /// The guard and what `f` said.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockReadGuard};
    ///
    /// let list = RwLock::new(vec![1, 2]);
    /// let (list, why) =
    ///     RwLockReadGuard::try_map_or_err(list.read(), |list| list.get(2).ok_or("too short"))
    ///         .unwrap_err();
    /// assert_eq!((list.len(), why), (2, "too short"));
    /// ```
    pub fn try_map_or_err<U: ?Sized, E>(
        s: Self,
        f: impl FnOnce(&T) -> Result<&U, E>,
    ) -> Result<MappedReadGuard<'a, U, RECURSIVE>, (Self, E)> {
        match f(&s).map(NonNull::from) {
            Ok(data) => Ok(MappedReadGuard::from_parts(s.mapped_parts(), data)),
            Err(error) => Err((s, error)),
        }
    }

    fn mapped_parts(self) -> (&'a crate::raw::RwLock<RECURSIVE>, Tracked) {
        let (lock, track) = self.into_parts();
        (&lock.raw, track)
    }
}

impl<H: Holder<RECURSIVE>, const RECURSIVE: bool> DerefMut for WriteGuard<H, RECURSIVE> {
    #[inline]
    fn deref_mut(&mut self) -> &mut H::Data {
        // SAFETY: nobody else reads or writes while the guard lives, and it is borrowed
        // exclusively.
        unsafe { &mut *self.holder.lock().data.get() }
    }
}

impl<H: Holder<RECURSIVE>, const RECURSIVE: bool> WriteGuard<H, RECURSIVE> {
    /// Goes on as a reader. No writer comes in between; other readers may enter from now on.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut writing = lock.write();
    /// *writing = 2;
    /// let reading = RwLockWriteGuard::downgrade(writing);
    /// assert_eq!(*lock.read() + *reading, 4);
    /// ```
    pub fn downgrade(s: Self) -> ReadGuard<H, RECURSIVE> {
        let (holder, mut track) = s.into_parts();
        track.end();
        // SAFETY: the guard stood for a writer and is gone; the new one stands for a reader.
        unsafe {
            holder.lock().raw.downgrade();
            ReadGuard::new(holder)
        }
    }

    /// Goes on as the upgradable reader. No writer comes in between; other readers may enter.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let reading = RwLockWriteGuard::downgrade_to_upgradable(lock.write());
    /// assert!(lock.try_read().is_some() && lock.try_upgradable_read().is_none());
    /// # drop(reading);
    /// ```
    pub fn downgrade_to_upgradable(s: Self) -> UpgradableReadGuard<H, RECURSIVE> {
        let (holder, mut track) = s.into_parts();
        track.end();
        // SAFETY: the guard stood for a writer and is gone; the new one stands for an upgradable
        // reader.
        unsafe {
            holder.lock().raw.downgrade_to_upgradable();
            UpgradableReadGuard::new(holder)
        }
    }
}

impl<'a, T: ?Sized, const RECURSIVE: bool> WriteGuard<&'a Lock<T, RECURSIVE>, RECURSIVE> {
    /// Narrows the guard to a part of the data. If `f` panics, the lock is unlocked.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockWriteGuard};
    ///
    /// let pair = RwLock::new((1, "one"));
    /// *RwLockWriteGuard::map(pair.write(), |pair| &mut pair.0) = 2;
    /// assert_eq!(pair.into_inner(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(
        mut s: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedWriteGuard<'a, U, RECURSIVE> {
        let data = NonNull::from(f(&mut s));
        MappedWriteGuard::from_parts(s.mapped_parts(), data)
    }

    /// Narrows the guard to a part of the data, if there is one.
    ///
    /// # Errors
    ///
    /// The guard comes back if `f` returns `None`.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockWriteGuard};
    ///
    /// let list = RwLock::new(vec![1, 2]);
    /// *RwLockWriteGuard::try_map(list.write(), |list| list.get_mut(1)).unwrap() = 20;
    /// assert!(RwLockWriteGuard::try_map(list.write(), |list| list.get_mut(2)).is_err());
    /// ```
    pub fn try_map<U: ?Sized>(
        mut s: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedWriteGuard<'a, U, RECURSIVE>, Self> {
        match f(&mut s).map(NonNull::from) {
            Some(data) => Ok(MappedWriteGuard::from_parts(s.mapped_parts(), data)),
            None => Err(s),
        }
    }

    /// As [`try_map`](Self::try_map), with a reason.
    ///
    /// # Errors
    ///
    /// The guard and what `f` said.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockWriteGuard};
    ///
    /// let list = RwLock::new(vec![1, 2]);
    /// let refused = RwLockWriteGuard::try_map_or_err(list.write(), |list| {
    ///     list.get_mut(2).ok_or("too short")
    /// });
    /// assert_eq!(refused.unwrap_err().1, "too short");
    /// ```
    pub fn try_map_or_err<U: ?Sized, E>(
        mut s: Self,
        f: impl FnOnce(&mut T) -> Result<&mut U, E>,
    ) -> Result<MappedWriteGuard<'a, U, RECURSIVE>, (Self, E)> {
        match f(&mut s).map(NonNull::from) {
            Ok(data) => Ok(MappedWriteGuard::from_parts(s.mapped_parts(), data)),
            Err(error) => Err((s, error)),
        }
    }

    fn mapped_parts(self) -> (&'a crate::raw::RwLock<RECURSIVE>, Tracked) {
        let (lock, track) = self.into_parts();
        (&lock.raw, track)
    }
}

impl<H: Holder<RECURSIVE>, const RECURSIVE: bool> UpgradableReadGuard<H, RECURSIVE> {
    /// Becomes the writer, sleeping until the other readers have left. Nobody else writes in
    /// between.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockUpgradableReadGuard};
    ///
    /// let lock = RwLock::new(1);
    /// *RwLockUpgradableReadGuard::upgrade(lock.upgradable_read()) = 2;
    /// assert_eq!(*lock.read(), 2);
    /// ```
    #[track_caller]
    pub fn upgrade(s: Self) -> WriteGuard<H, RECURSIVE> {
        let (holder, mut track) = s.into_parts();
        track.end();
        // SAFETY: the guard stood for the upgradable reader and is gone. Without a deadline the
        // upgrade succeeds, and the new guard stands for the writer.
        unsafe {
            holder.lock().raw.upgrade_until(Deadline::NEVER);
            WriteGuard::new(holder)
        }
    }

    /// Becomes the writer if there are no other readers at this moment.
    ///
    /// # Errors
    ///
    /// The guard comes back if there are, or if a reader that has waited too long is the next.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockUpgradableReadGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let reading = lock.read();
    /// let guard = RwLockUpgradableReadGuard::try_upgrade(lock.upgradable_read()).unwrap_err();
    /// drop(reading);
    /// *RwLockUpgradableReadGuard::try_upgrade(guard).unwrap() = 2;
    /// ```
    pub fn try_upgrade(s: Self) -> Result<WriteGuard<H, RECURSIVE>, Self> {
        // SAFETY: called once, by the upgradable reader.
        s.upgraded(|raw| unsafe { raw.try_upgrade() })
    }

    /// Becomes the writer, waiting for the other readers to leave for at most `timeout`.
    ///
    /// # Errors
    ///
    /// The guard comes back if they have not left in time.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockUpgradableReadGuard};
    /// use std::time::Duration;
    ///
    /// let lock = RwLock::new(1);
    /// let _reading = lock.read();
    /// let guard = lock.upgradable_read();
    /// let soon = Duration::from_millis(1);
    /// assert!(RwLockUpgradableReadGuard::try_upgrade_for(guard, soon).is_err());
    /// ```
    #[track_caller]
    pub fn try_upgrade_for(s: Self, timeout: Duration) -> Result<WriteGuard<H, RECURSIVE>, Self> {
        Self::try_upgrade_until(s, Deadline::after(timeout))
    }

    /// Becomes the writer, waiting for the other readers to leave until `deadline` at the latest:
    /// an `Instant` or a [`Deadline`].
    ///
    /// # Errors
    ///
    /// The guard comes back if they have not left in time.
    ///
    /// ```
    /// use lockwork::{Deadline, RwLock, RwLockUpgradableReadGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let guard = lock.upgradable_read();
    /// *RwLockUpgradableReadGuard::try_upgrade_until(guard, Deadline::now()).unwrap() = 2;
    /// ```
    #[track_caller]
    pub fn try_upgrade_until(
        s: Self,
        deadline: impl Into<Deadline>,
    ) -> Result<WriteGuard<H, RECURSIVE>, Self> {
        let deadline = deadline.into();
        // SAFETY: called once, by the upgradable reader.
        s.upgraded(|raw| unsafe { raw.upgrade_until(deadline) })
    }

    fn upgraded(
        self,
        upgrade: impl FnOnce(&crate::raw::RwLock<RECURSIVE>) -> bool,
    ) -> Result<WriteGuard<H, RECURSIVE>, Self> {
        let (holder, mut track) = self.into_parts();
        track.end();
        // SAFETY: the guard is gone, and the new one stands for what the upgrade says.
        unsafe {
            if upgrade(&holder.lock().raw) {
                Ok(WriteGuard::new(holder))
            } else {
                Err(Self::new(holder))
            }
        }
    }

    /// Goes on as an ordinary reader. No writer comes in between.
    ///
    /// # Panics
    ///
    /// If there are as many readers as the lock can count; then it is unlocked.
    ///
    /// ```
    /// use lockwork::{RwLock, RwLockUpgradableReadGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let reading = RwLockUpgradableReadGuard::downgrade(lock.upgradable_read());
    /// assert!(lock.try_upgradable_read().is_some());
    /// # drop(reading);
    /// ```
    #[track_caller]
    pub fn downgrade(s: Self) -> ReadGuard<H, RECURSIVE> {
        // SAFETY: the guard stands for the upgradable reader; if this panics, it still does.
        unsafe { s.holder.lock().raw.downgrade_upgradable() }
        let (holder, mut track) = s.into_parts();
        track.end();
        // SAFETY: the old guard is gone; the new one stands for a reader.
        unsafe { ReadGuard::new(holder) }
    }

    /// Becomes the writer, runs `f` on the data, and is the upgradable reader again, also if `f`
    /// panics.
    ///
    /// # Panics
    ///
    /// If `f` does.
    ///
    /// ```
    /// let lock = lockwork::RwLock::new(1);
    /// let mut guard = lock.upgradable_read();
    /// guard.with_upgraded(|value| *value += 1);
    /// assert_eq!(*guard, 2);
    /// ```
    #[track_caller]
    pub fn with_upgraded<R>(&mut self, f: impl FnOnce(&mut H::Data) -> R) -> R {
        self.try_with_upgraded_until(Deadline::NEVER, f).expect("no deadline can pass")
    }

    /// As [`with_upgraded`](Self::with_upgraded), if there are no other readers at this moment.
    ///
    /// # Errors
    ///
    /// `None` if there are, or if a reader that has waited too long is the next.
    ///
    /// # Panics
    ///
    /// If `f` does.
    ///
    /// ```
    /// let lock = lockwork::RwLock::new(1);
    /// let mut guard = lock.upgradable_read();
    /// let reading = lock.read();
    /// assert_eq!(guard.try_with_upgraded(|value| *value += 1), None);
    /// drop(reading);
    /// assert_eq!(guard.try_with_upgraded(|value| *value += 1), Some(()));
    /// ```
    pub fn try_with_upgraded<R>(&mut self, f: impl FnOnce(&mut H::Data) -> R) -> Option<R> {
        // SAFETY: called once, by the upgradable reader.
        self.while_upgraded(|raw| unsafe { raw.try_upgrade() }, f)
    }

    /// As [`with_upgraded`](Self::with_upgraded), waiting for at most `timeout`.
    ///
    /// # Errors
    ///
    /// `None` if the other readers have not left in time.
    ///
    /// # Panics
    ///
    /// If `f` does.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = lockwork::RwLock::new(1);
    /// let mut guard = lock.upgradable_read();
    /// let _reading = lock.read();
    /// let soon = Duration::from_millis(1);
    /// assert_eq!(guard.try_with_upgraded_for(soon, |value| *value += 1), None);
    /// ```
    #[track_caller]
    pub fn try_with_upgraded_for<R>(
        &mut self,
        timeout: Duration,
        f: impl FnOnce(&mut H::Data) -> R,
    ) -> Option<R> {
        self.try_with_upgraded_until(Deadline::after(timeout), f)
    }

    /// As [`with_upgraded`](Self::with_upgraded), waiting until `deadline` at the latest: an
    /// `Instant` or a [`Deadline`].
    ///
    /// # Errors
    ///
    /// `None` if the other readers have not left in time.
    ///
    /// # Panics
    ///
    /// If `f` does.
    ///
    /// ```
    /// use lockwork::{Deadline, RwLock};
    ///
    /// let lock = RwLock::new(1);
    /// let mut guard = lock.upgradable_read();
    /// assert!(guard.try_with_upgraded_until(Deadline::now(), |value| *value += 1).is_some());
    /// assert_eq!(*guard, 2);
    /// ```
    #[track_caller]
    pub fn try_with_upgraded_until<R>(
        &mut self,
        deadline: impl Into<Deadline>,
        f: impl FnOnce(&mut H::Data) -> R,
    ) -> Option<R> {
        let deadline = deadline.into();
        // SAFETY: called once, by the upgradable reader.
        self.while_upgraded(|raw| unsafe { raw.upgrade_until(deadline) }, f)
    }

    fn while_upgraded<R>(
        &mut self,
        upgrade: impl FnOnce(&crate::raw::RwLock<RECURSIVE>) -> bool,
        f: impl FnOnce(&mut H::Data) -> R,
    ) -> Option<R> {
        struct Again<'a, H: Holder<RECURSIVE>, const RECURSIVE: bool>(
            &'a mut UpgradableReadGuard<H, RECURSIVE>,
        );
        impl<H: Holder<RECURSIVE>, const RECURSIVE: bool> Drop for Again<'_, H, RECURSIVE> {
            fn drop(&mut self) {
                self.0.track.end();
                let lock = self.0.holder.lock();
                // SAFETY: made when the guard stood for the writer, which ends here.
                unsafe { lock.raw.downgrade_to_upgradable() }
                self.0.track = lock.data.track();
            }
        }
        self.track.end();
        let lock = self.holder.lock();
        if !upgrade(&lock.raw) {
            self.track = lock.data.track();
            return None;
        }
        self.track = lock.data.track_mut();
        let again = Again(self);
        // SAFETY: the writer is alone with the data until `again` is dropped.
        Some(f(unsafe { &mut *again.0.holder.lock().data.get() }))
    }
}
