//! `lock_api`'s types over our raw locks: every method of its locks and of their guards.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lockwork::lock_api::{
    self, ArcMutexGuard, ArcReentrantMutexGuard, ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard,
    ArcRwLockWriteGuard, MappedMutexGuard, MappedReentrantMutexGuard, MappedRwLockReadGuard,
    MappedRwLockWriteGuard, Mutex, MutexGuard, RawMutexFair, RawMutexTimed, RawReentrantMutex,
    RawRwLockUpgradeDowngrade, RawRwLockUpgradeFair, RawRwLockUpgradeTimed, ReentrantMutex,
    ReentrantMutexGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
};
use lockwork::{
    RawCondvar, RawFairMutex, RawMutex, RawRwLock, RawRwLockRecursive, RawSpinLock, RawThreadId,
};

use super::support::threads::{asleep, join_all, together};
use super::support::watchdog::Watchdog;

const A_MOMENT: Duration = Duration::from_millis(1);

/// What `parking_lot`'s raw locks have, and code that is generic over raw locks may ask for.
trait Exclusive:
    RawMutexFair + RawMutexTimed<Duration = Duration, Instant = Instant> + Send + Sync + 'static
{
}
impl<R> Exclusive for R where
    R: RawMutexFair + RawMutexTimed<Duration = Duration, Instant = Instant> + Send + Sync + 'static
{
}

trait Shared:
    RawRwLockUpgradeFair
    + RawRwLockUpgradeDowngrade
    + RawRwLockUpgradeTimed<Duration = Duration, Instant = Instant>
    + Send
    + Sync
    + 'static
{
}
impl<R> Shared for R where
    R: RawRwLockUpgradeFair
        + RawRwLockUpgradeDowngrade
        + RawRwLockUpgradeTimed<Duration = Duration, Instant = Instant>
        + Send
        + Sync
        + 'static
{
}

/// The result of `call` on a thread of its own.
fn elsewhere<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    thread::scope(|s| s.spawn(call).join().unwrap())
}

#[test]
fn sizes_and_statics() {
    static MUTEX: Mutex<RawMutex, u32> = Mutex::new(1);
    static LOCK: RwLock<RawRwLock, u32> = RwLock::new(2);
    assert_eq!((size_of_val(&MUTEX), size_of_val(&LOCK)), (8, 8));
    assert_eq!((size_of::<RawFairMutex>(), size_of::<RawSpinLock>()), (4, 4));
    assert_eq!((size_of::<RawRwLockRecursive>(), size_of::<RawCondvar>()), (4, 16));
    assert_eq!(together(4, |_| *MUTEX.lock() + *LOCK.read()), [3; 4]);
}

fn mutexes<R: Exclusive>() {
    let mutex = Mutex::<R, _>::new((1, "one"));
    let free = |locked: bool| {
        assert_eq!(mutex.is_locked(), locked);
        assert_eq!(elsewhere(|| mutex.try_lock().is_none()), locked);
    };
    // Plain and timed locking, and what a guard can become.
    let guard = mutex.lock();
    free(true);
    assert!(elsewhere(|| mutex.try_lock_for(A_MOMENT).is_none()));
    assert!(elsewhere(|| mutex.try_lock_until(Instant::now() + A_MOMENT).is_none()));
    assert!(std::ptr::eq(MutexGuard::mutex(&guard), &mutex));
    drop(guard);
    free(false);
    let mut guard = mutex.try_lock().unwrap();
    guard.0 += 1;
    MutexGuard::unlocked(&mut guard, || free(false));
    free(true);
    MutexGuard::unlocked_fair(&mut guard, || free(false));
    free(true);
    MutexGuard::bump(&mut guard);
    free(true);
    MutexGuard::unlock_fair(guard);
    assert_eq!(mutex.try_lock_for(A_MOMENT).unwrap().0, 2);
    assert_eq!(mutex.try_lock_until(Instant::now()).unwrap().0, 2);
    let name = MutexGuard::map(mutex.lock(), |pair| &mut pair.1);
    free(true);
    let name = MappedMutexGuard::map(name, |name| name);
    let name = MappedMutexGuard::try_map(name, |_| None::<&mut u8>).unwrap_err();
    let name = MappedMutexGuard::try_map(name, |name| Some(name)).unwrap();
    let (name, why) = MappedMutexGuard::try_map_or_err(name, |_| Err::<&mut u8, _>(1)).unwrap_err();
    assert_eq!((*name, why), ("one", 1));
    free(true);
    MappedMutexGuard::unlock_fair(name);
    free(false);
    let guard = MutexGuard::try_map(mutex.lock(), |_| None::<&mut u8>).unwrap_err();
    let (guard, ()) = MutexGuard::try_map_or_err(guard, |_| Err::<&mut u8, _>(())).unwrap_err();
    drop(MutexGuard::try_map(guard, |pair| Some(&mut pair.0)).unwrap());
    free(false);
    // Without guards.
    for fair in [false, true] {
        std::mem::forget(mutex.lock());
        free(true);
        // SAFETY: locked above, and nobody unlocks that.
        let token = unsafe {
            let raw = mutex.raw();
            raw.unlock(lock_api_token(raw));
            raw.lock()
        };
        // SAFETY: that is an acquisition and its token.
        drop(unsafe { mutex.make_guard_unchecked(token) });
        free(false);
        // SAFETY: nobody else unlocks what is taken here.
        unsafe {
            let token = mutex.raw().lock();
            if fair { mutex.force_unlock_fair(token) } else { mutex.force_unlock(token) }
        }
        free(false);
    }
    assert!(format!("{mutex:?}").contains("one"));
    assert!(format!("{:?}", mutex.lock()).contains("one"));
    let mut mutex = mutex;
    mutex.get_mut().0 = 9;
    assert!(std::ptr::eq(mutex.data_ptr(), mutex.get_mut()));
    let (raw, data) = mutex.into_inner_with_raw();
    assert_eq!(Mutex::from_raw(raw, data).into_inner().0, 9);

    // Guards that own a count.
    let mutex = Arc::new(Mutex::<R, _>::from(0));
    *mutex.lock_arc() += 1;
    *mutex.try_lock_arc().unwrap() += 1;
    *mutex.try_lock_arc_for(A_MOMENT).unwrap() += 1;
    let mut guard = mutex.try_lock_arc_until(Instant::now()).unwrap();
    *guard += 1;
    assert!(elsewhere(|| mutex.try_lock_arc().is_none()));
    assert!(Arc::ptr_eq(ArcMutexGuard::mutex(&guard), &mutex));
    ArcMutexGuard::unlocked(&mut guard, || assert!(!mutex.is_locked()));
    ArcMutexGuard::unlocked_fair(&mut guard, || assert!(!mutex.is_locked()));
    ArcMutexGuard::bump(&mut guard);
    assert!(mutex.is_locked());
    ArcMutexGuard::unlock_fair(guard);
    assert!(Arc::ptr_eq(&ArcMutexGuard::into_arc(mutex.lock_arc()), &mutex));
    assert!(Arc::ptr_eq(&ArcMutexGuard::into_arc_fair(mutex.lock_arc()), &mutex));
    assert!(!mutex.is_locked());
    let leaked: &mut i32 = MutexGuard::leak(mutex.lock());
    assert_eq!(*leaked, 4);
}

/// The token of an acquisition that was forgotten: these locks have one token for all.
fn lock_api_token<R: Exclusive>(_: &R) -> R::Guard {
    let other = R::INIT;
    other.lock()
}

#[test]
fn each_method_of_mutexes() {
    mutexes::<RawMutex>();
    mutexes::<RawFairMutex>();
    mutexes::<RawSpinLock>();
}

fn reentrant<R: Exclusive>() {
    let mutex = ReentrantMutex::<R, RawThreadId, _>::new((Cell::new(1), "one"));
    let free = |locked: bool| {
        assert_eq!(mutex.is_owned_by_current_thread(), locked);
        assert_eq!(elsewhere(|| mutex.try_lock().is_none()), locked);
        assert!(!elsewhere(|| mutex.is_owned_by_current_thread()));
    };
    let outer = mutex.lock();
    let inner = mutex.try_lock().unwrap();
    free(true);
    assert!(elsewhere(|| mutex.try_lock_for(A_MOMENT).is_none()));
    assert!(elsewhere(|| mutex.try_lock_until(Instant::now()).is_none()));
    assert!(std::ptr::eq(ReentrantMutexGuard::remutex(&inner), &mutex));
    drop(outer);
    free(true);
    inner.0.set(2);
    drop(inner);
    free(false);
    let mut guard = mutex.try_lock_for(A_MOMENT).unwrap();
    ReentrantMutexGuard::unlocked(&mut guard, || free(false));
    ReentrantMutexGuard::unlocked_fair(&mut guard, || free(false));
    ReentrantMutexGuard::bump(&mut guard);
    free(true);
    ReentrantMutexGuard::unlock_fair(guard);
    free(false);
    let name = ReentrantMutexGuard::map(mutex.lock(), |pair| &pair.1);
    let name = MappedReentrantMutexGuard::map(name, |name| name);
    let name = MappedReentrantMutexGuard::try_map(name, |_| None::<&u8>).unwrap_err();
    let (name, ()) =
        MappedReentrantMutexGuard::try_map_or_err(name, |_| Err::<&u8, _>(())).unwrap_err();
    free(true);
    assert_eq!(*name, "one");
    MappedReentrantMutexGuard::unlock_fair(name);
    free(false);
    let guard = ReentrantMutexGuard::try_map(mutex.lock(), |_| None::<&u8>).unwrap_err();
    let (guard, ()) =
        ReentrantMutexGuard::try_map_or_err(guard, |_| Err::<&u8, _>(())).unwrap_err();
    drop(ReentrantMutexGuard::try_map(guard, |pair| Some(&pair.0)).unwrap());
    free(false);
    // SAFETY: a level is taken for each that is given back, or made a guard of.
    unsafe {
        assert!(!mutex.raw().is_locked());
        std::mem::forget(mutex.lock());
        assert!(mutex.raw().is_locked());
        mutex.force_unlock();
        std::mem::forget(mutex.lock());
        mutex.force_unlock_fair();
        std::mem::forget(mutex.lock());
        drop(mutex.make_guard_unchecked());
    }
    free(false);
    assert!(format!("{mutex:?}").contains("one"));
    let mut mutex = mutex;
    assert_eq!(mutex.get_mut().0.get(), 2);
    let (raw, threads, data) = mutex.into_inner_with_raw();
    let mutex = ReentrantMutex::from_raw(raw, threads, data);
    // SAFETY: a look at the address.
    assert_eq!(unsafe { (*mutex.data_ptr()).1 }, "one");
    assert_eq!(mutex.into_inner().0.get(), 2);

    let mutex = Arc::new(ReentrantMutex::<R, RawThreadId, _>::new(Cell::new(0)));
    let outer = mutex.lock_arc();
    drop(mutex.try_lock_arc().unwrap());
    drop(mutex.try_lock_arc_for(A_MOMENT).unwrap());
    let mut guard = mutex.try_lock_arc_until(Instant::now()).unwrap();
    drop(outer);
    assert!(elsewhere(|| mutex.try_lock_arc().is_none()));
    assert!(Arc::ptr_eq(ArcReentrantMutexGuard::remutex(&guard), &mutex));
    ArcReentrantMutexGuard::unlocked(&mut guard, || assert!(!mutex.is_locked()));
    ArcReentrantMutexGuard::unlocked_fair(&mut guard, || assert!(!mutex.is_locked()));
    ArcReentrantMutexGuard::bump(&mut guard);
    ArcReentrantMutexGuard::unlock_fair(guard);
    drop(ArcReentrantMutexGuard::into_arc(mutex.lock_arc()));
    drop(ArcReentrantMutexGuard::into_arc_fair(mutex.lock_arc()));
    // SAFETY: that level is taken by the call before.
    drop(unsafe {
        std::mem::forget(mutex.lock());
        mutex.make_arc_guard_unchecked()
    });
    assert!(!mutex.is_locked());
    // The raw form.
    let raw = RawReentrantMutex::<R, RawThreadId>::INIT;
    raw.lock();
    assert!(raw.try_lock() && raw.try_lock_for(A_MOMENT) && raw.try_lock_until(Instant::now()));
    assert!(raw.is_locked() && raw.is_owned_by_current_thread());
    // SAFETY: four levels were taken above.
    unsafe {
        raw.bump();
        raw.unlock();
        raw.unlock();
        raw.unlock();
        raw.unlock_fair();
    }
    assert!(!raw.is_locked());
}

#[test]
fn each_method_of_reentrant_mutexes() {
    reentrant::<RawMutex>();
    reentrant::<RawFairMutex>();
    reentrant::<RawSpinLock>();
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Kept {
    Nobody,
    Reader,
    Upgradable,
    Writer,
}

/// How others find the lock.
fn kept<R: Shared, T: Send + Sync>(lock: &RwLock<R, T>) -> Kept {
    let kept = elsewhere(|| {
        if lock.try_write().is_some() {
            Kept::Nobody
        } else if lock.try_read().is_none() {
            Kept::Writer
        } else if lock.try_upgradable_read().is_none() {
            Kept::Upgradable
        } else {
            Kept::Reader
        }
    });
    assert_eq!(lock.is_locked(), kept != Kept::Nobody);
    assert_eq!(lock.is_locked_exclusive(), kept == Kept::Writer);
    kept
}

fn borrowed_guards<R: Shared>() {
    let lock = RwLock::<R, _>::new((1, "one"));
    let kept = || kept(&lock);
    let deadline = Instant::now() + A_MOMENT;

    let mut guard = lock.read();
    assert_eq!(kept(), Kept::Reader);
    assert!(elsewhere(|| lock.try_write_for(A_MOMENT).is_none()));
    assert!(elsewhere(|| lock.try_write_until(deadline).is_none()));
    drop([lock.try_read(), lock.try_read_for(A_MOMENT), lock.try_read_until(deadline)]);
    assert!(std::ptr::eq(RwLockReadGuard::rwlock(&guard), &lock));
    RwLockReadGuard::unlocked(&mut guard, || assert_eq!(kept(), Kept::Nobody));
    RwLockReadGuard::unlocked_fair(&mut guard, || assert_eq!(kept(), Kept::Nobody));
    RwLockReadGuard::bump(&mut guard);
    assert_eq!(kept(), Kept::Reader);
    let guard = RwLockReadGuard::try_map(guard, |_| None::<&u8>).unwrap_err();
    let (guard, ()) = RwLockReadGuard::try_map_or_err(guard, |_| Err::<&u8, _>(())).unwrap_err();
    let name = RwLockReadGuard::map(guard, |pair| &pair.1);
    let name = MappedRwLockReadGuard::map(name, |name| name);
    let name = MappedRwLockReadGuard::try_map(name, |_| None::<&u8>).unwrap_err();
    let (name, ()) =
        MappedRwLockReadGuard::try_map_or_err(name, |_| Err::<&u8, _>(())).unwrap_err();
    assert_eq!((*name, kept()), ("one", Kept::Reader));
    MappedRwLockReadGuard::unlock_fair(name);
    RwLockReadGuard::unlock_fair(lock.read());
    assert_eq!(kept(), Kept::Nobody);

    let mut guard = lock.write();
    guard.0 += 1;
    assert_eq!(kept(), Kept::Writer);
    assert!(elsewhere(|| lock.try_read_for(A_MOMENT).is_none()));
    assert!(elsewhere(|| lock.try_read_until(deadline).is_none()));
    assert!(elsewhere(|| lock.try_upgradable_read_for(A_MOMENT).is_none()));
    assert!(elsewhere(|| lock.try_upgradable_read_until(deadline).is_none()));
    assert!(std::ptr::eq(RwLockWriteGuard::rwlock(&guard), &lock));
    RwLockWriteGuard::unlocked(&mut guard, || assert_eq!(kept(), Kept::Nobody));
    RwLockWriteGuard::unlocked_fair(&mut guard, || assert_eq!(kept(), Kept::Nobody));
    RwLockWriteGuard::bump(&mut guard);
    assert_eq!(kept(), Kept::Writer);
    let guard = RwLockWriteGuard::try_map(guard, |_| None::<&mut u8>).unwrap_err();
    let (guard, ()) =
        RwLockWriteGuard::try_map_or_err(guard, |_| Err::<&mut u8, _>(())).unwrap_err();
    let name = RwLockWriteGuard::map(guard, |pair| &mut pair.1);
    let name = MappedRwLockWriteGuard::map(name, |name| name);
    let name = MappedRwLockWriteGuard::try_map(name, |_| None::<&mut u8>).unwrap_err();
    let (name, ()) =
        MappedRwLockWriteGuard::try_map_or_err(name, |_| Err::<&mut u8, _>(())).unwrap_err();
    assert_eq!((*name, kept()), ("one", Kept::Writer));
    MappedRwLockWriteGuard::unlock_fair(name);
    RwLockWriteGuard::unlock_fair(lock.try_write().unwrap());
    drop(lock.try_write_for(A_MOMENT).unwrap());
    let reading = RwLockWriteGuard::downgrade(lock.try_write_until(deadline).unwrap());
    assert_eq!((reading.0, kept()), (2, Kept::Reader));
    drop(reading);
    let reading = RwLockWriteGuard::downgrade_to_upgradable(lock.write());
    assert_eq!((reading.0, kept()), (2, Kept::Upgradable));
    drop(reading);
    assert_eq!(kept(), Kept::Nobody);

    let mut guard = lock.upgradable_read();
    assert_eq!(kept(), Kept::Upgradable);
    assert!(std::ptr::eq(RwLockUpgradableReadGuard::rwlock(&guard), &lock));
    RwLockUpgradableReadGuard::unlocked(&mut guard, || assert_eq!(kept(), Kept::Nobody));
    RwLockUpgradableReadGuard::unlocked_fair(&mut guard, || assert_eq!(kept(), Kept::Nobody));
    RwLockUpgradableReadGuard::bump(&mut guard);
    assert_eq!(kept(), Kept::Upgradable);
    // An upgrade that a reader is in the way of.
    let reader = lock.read();
    let guard = RwLockUpgradableReadGuard::try_upgrade(guard).unwrap_err();
    let guard = RwLockUpgradableReadGuard::try_upgrade_for(guard, A_MOMENT).unwrap_err();
    let mut guard = RwLockUpgradableReadGuard::try_upgrade_until(guard, deadline).unwrap_err();
    assert!(guard.try_with_upgraded(|_| ()).is_none());
    assert!(guard.try_with_upgraded_for(A_MOMENT, |_| ()).is_none());
    assert!(guard.try_with_upgraded_until(deadline, |_| ()).is_none());
    drop(reader);
    assert_eq!(kept(), Kept::Upgradable);
    guard.with_upgraded(|pair| pair.0 += 1);
    assert_eq!(guard.try_with_upgraded(|pair| pair.0), Some(3));
    assert_eq!(guard.try_with_upgraded_for(A_MOMENT, |pair| pair.0), Some(3));
    assert_eq!(guard.try_with_upgraded_until(deadline, |pair| pair.0), Some(3));
    assert_eq!(kept(), Kept::Upgradable);
    let guard = RwLockUpgradableReadGuard::downgrade(guard);
    assert_eq!(kept(), Kept::Reader);
    drop(guard);
    drop(RwLockUpgradableReadGuard::upgrade(lock.try_upgradable_read().unwrap()));
    let guard = lock.try_upgradable_read_for(A_MOMENT).unwrap();
    drop(RwLockUpgradableReadGuard::try_upgrade(guard).unwrap());
    let guard = lock.try_upgradable_read_until(deadline).unwrap();
    let writing = RwLockUpgradableReadGuard::try_upgrade_for(guard, A_MOMENT).unwrap();
    assert_eq!(kept(), Kept::Writer);
    drop(writing);
    let guard = lock.upgradable_read();
    drop(RwLockUpgradableReadGuard::try_upgrade_until(guard, deadline).unwrap());
    RwLockUpgradableReadGuard::unlock_fair(lock.upgradable_read());
    assert_eq!(kept(), Kept::Nobody);
}

fn owned_guards<R: Shared>() {
    let lock = Arc::new(RwLock::<R, _>::new(0));
    let kept = || kept(&*lock);
    let deadline = Instant::now() + A_MOMENT;

    let mut guard = lock.read_arc();
    drop([lock.try_read_arc(), lock.try_read_arc_for(A_MOMENT), lock.try_read_arc_until(deadline)]);
    assert!(Arc::ptr_eq(ArcRwLockReadGuard::rwlock(&guard), &lock));
    ArcRwLockReadGuard::unlocked(&mut guard, || assert_eq!(kept(), Kept::Nobody));
    ArcRwLockReadGuard::unlocked_fair(&mut guard, || assert_eq!(kept(), Kept::Nobody));
    ArcRwLockReadGuard::bump(&mut guard);
    assert_eq!(kept(), Kept::Reader);
    drop(ArcRwLockReadGuard::into_arc(guard));
    drop(ArcRwLockReadGuard::into_arc_fair(lock.read_arc()));
    ArcRwLockReadGuard::unlock_fair(lock.read_arc());
    assert_eq!(kept(), Kept::Nobody);

    let mut guard = lock.write_arc();
    *guard += 1;
    assert!(Arc::ptr_eq(ArcRwLockWriteGuard::rwlock(&guard), &lock));
    ArcRwLockWriteGuard::unlocked(&mut guard, || assert_eq!(kept(), Kept::Nobody));
    ArcRwLockWriteGuard::unlocked_fair(&mut guard, || assert_eq!(kept(), Kept::Nobody));
    ArcRwLockWriteGuard::bump(&mut guard);
    assert_eq!(kept(), Kept::Writer);
    drop(ArcRwLockWriteGuard::into_arc(guard));
    drop(ArcRwLockWriteGuard::into_arc_fair(lock.try_write_arc().unwrap()));
    ArcRwLockWriteGuard::unlock_fair(lock.try_write_arc_for(A_MOMENT).unwrap());
    let guard = ArcRwLockWriteGuard::downgrade(lock.try_write_arc_until(deadline).unwrap());
    assert_eq!(kept(), Kept::Reader);
    drop(guard);
    let guard = ArcRwLockWriteGuard::downgrade_to_upgradable(lock.write_arc());
    assert_eq!(kept(), Kept::Upgradable);
    drop(guard);

    let mut guard = lock.upgradable_read_arc();
    assert!(Arc::ptr_eq(ArcRwLockUpgradableReadGuard::rwlock(&guard), &lock));
    ArcRwLockUpgradableReadGuard::unlocked(&mut guard, || assert_eq!(kept(), Kept::Nobody));
    ArcRwLockUpgradableReadGuard::unlocked_fair(&mut guard, || assert_eq!(kept(), Kept::Nobody));
    ArcRwLockUpgradableReadGuard::bump(&mut guard);
    guard.with_upgraded(|value| *value += 1);
    assert_eq!(guard.try_with_upgraded(|value| *value), Some(2));
    assert_eq!(guard.try_with_upgraded_for(A_MOMENT, |value| *value), Some(2));
    assert_eq!(guard.try_with_upgraded_until(deadline, |value| *value), Some(2));
    let reader = lock.read();
    let guard = ArcRwLockUpgradableReadGuard::try_upgrade(guard).unwrap_err();
    let guard = ArcRwLockUpgradableReadGuard::try_upgrade_for(guard, A_MOMENT).unwrap_err();
    let guard = ArcRwLockUpgradableReadGuard::try_upgrade_until(guard, deadline).unwrap_err();
    drop(reader);
    assert_eq!(kept(), Kept::Upgradable);
    let guard = ArcRwLockUpgradableReadGuard::downgrade(guard);
    assert_eq!(kept(), Kept::Reader);
    drop(guard);
    let guard = lock.try_upgradable_read_arc().unwrap();
    drop(ArcRwLockUpgradableReadGuard::try_upgrade(guard).unwrap());
    let guard = lock.try_upgradable_read_arc_for(A_MOMENT).unwrap();
    drop(ArcRwLockUpgradableReadGuard::try_upgrade_for(guard, A_MOMENT).unwrap());
    let guard = lock.try_upgradable_read_arc_until(deadline).unwrap();
    drop(ArcRwLockUpgradableReadGuard::try_upgrade_until(guard, deadline).unwrap());
    let writing = ArcRwLockUpgradableReadGuard::upgrade(lock.upgradable_read_arc());
    assert_eq!((*writing, kept()), (2, Kept::Writer));
    drop(writing);
    drop(ArcRwLockUpgradableReadGuard::into_arc(lock.upgradable_read_arc()));
    drop(ArcRwLockUpgradableReadGuard::into_arc_fair(lock.upgradable_read_arc()));
    ArcRwLockUpgradableReadGuard::unlock_fair(lock.upgradable_read_arc());
    assert_eq!(kept(), Kept::Nobody);
}

fn without_guards<R: Shared>() {
    let lock = Arc::new(RwLock::<R, _>::new("data"));
    let kept = || kept(&*lock);
    // SAFETY: what is given up, or made a guard of, was taken just before, in the same way.
    unsafe {
        let raw = lock.raw();
        lock.force_unlock_read(raw.lock_shared());
        lock.force_unlock_read_fair(raw.lock_shared());
        lock.force_unlock_write(raw.lock_exclusive());
        lock.force_unlock_write_fair(raw.lock_exclusive());
        assert_eq!(kept(), Kept::Nobody);
        let guard = lock.make_read_guard_unchecked(raw.lock_shared());
        assert_eq!((*guard, kept()), ("data", Kept::Reader));
        drop(guard);
        let guard = lock.make_write_guard_unchecked(raw.lock_exclusive());
        assert_eq!((*guard, kept()), ("data", Kept::Writer));
        drop(guard);
        let guard = lock.make_upgradable_guard_unchecked(raw.lock_upgradable());
        assert_eq!((*guard, kept()), ("data", Kept::Upgradable));
        drop(guard);
        drop(lock.make_arc_read_guard_unchecked(raw.lock_shared()));
        drop(lock.make_arc_write_guard_unchecked(raw.lock_exclusive()));
        drop(lock.make_upgradable_arc_guard_unchecked(raw.lock_upgradable()));
    }
    assert_eq!(kept(), Kept::Nobody);
    assert!(format!("{lock:?}").contains("data"));
    let mut lock = Arc::into_inner(lock).unwrap();
    *lock.get_mut() = "other";
    assert!(std::ptr::eq(lock.data_ptr(), lock.get_mut()));
    let (raw, data) = lock.into_inner_with_raw();
    assert_eq!(RwLock::from_raw(raw, data).into_inner(), "other");
    assert_eq!(*RwLock::<R, String>::default().read(), "");
}

#[test]
fn each_method_of_reader_writer_locks() {
    borrowed_guards::<RawRwLock>();
    borrowed_guards::<RawRwLockRecursive>();
    owned_guards::<RawRwLock>();
    owned_guards::<RawRwLockRecursive>();
    without_guards::<RawRwLock>();
    without_guards::<RawRwLockRecursive>();
}

/// As the traits ask: the token is used up, whether the call returns or panics.
#[test]
fn one_reader_too_many() {
    let lock = RwLock::<RawRwLock, _>::new(());
    for _ in 0..(1 << 20) - 1 {
        std::mem::forget(lock.read());
    }
    let attempts: [&dyn Fn(); 4] = [
        &|| drop(lock.read()),
        &|| drop(lock.try_read()),
        &|| drop(lock.try_read_for(A_MOMENT)),
        &|| drop(RwLockUpgradableReadGuard::downgrade(lock.upgradable_read())),
    ];
    for attempt in attempts {
        catch_unwind(AssertUnwindSafe(attempt)).unwrap_err();
        assert!(lock.try_upgradable_read().is_some(), "nothing is left behind");
    }
}

#[test]
fn condition_variables() {
    let _watchdog = Watchdog::start();
    let mutex = Mutex::<RawMutex, _>::new(0);
    let changed = lock_api::Condvar::<RawCondvar>::new();
    assert!(!changed.notify_one());
    assert_eq!(changed.notify_all(), 0);
    let soon = || Instant::now() + A_MOMENT;
    let mut guard = mutex.lock();
    assert!(changed.wait_for(&mut guard, A_MOMENT).timed_out());
    assert!(changed.wait_until(&mut guard, soon()).timed_out());
    assert!(changed.wait_while_for(&mut guard, |_| true, A_MOMENT).timed_out());
    assert!(changed.wait_while_until(&mut guard, |_| true, soon()).timed_out());
    assert!(mutex.is_locked());
    drop(guard);
    let waits: [&(dyn Fn() + Sync); 6] = [
        &|| changed.wait(&mut mutex.lock()),
        &|| changed.wait_while(&mut mutex.lock(), |value| *value == 0),
        &|| assert!(!changed.wait_for(&mut mutex.lock(), Duration::MAX).timed_out()),
        &|| {
            let late = Instant::now() + Duration::from_secs(1_000);
            assert!(!changed.wait_until(&mut mutex.lock(), late).timed_out());
        },
        &|| {
            let mut guard = mutex.lock();
            let end = changed.wait_while_for(&mut guard, |value| *value == 0, Duration::MAX);
            assert!(!end.timed_out());
        },
        &|| {
            let late = Instant::now() + Duration::from_secs(1_000);
            let mut guard = mutex.lock();
            let end = changed.wait_while_until(&mut guard, |value| *value == 0, late);
            assert!(!end.timed_out());
        },
    ];
    thread::scope(|s| {
        let waiters = waits.map(|wait| asleep(s, None, wait));
        *mutex.lock() = 1;
        assert!(changed.notify_one(), "the first came first");
        assert_eq!(changed.notify_all(), 5, "exact");
        join_all(waiters);
    });
    assert!(!mutex.is_locked());
}

/// Threads that sleep for the locks are woken, whichever way these are given up.
#[test]
fn sleepers_are_woken() {
    /// A way to give a lock up.
    type Unlock<'a, G> = &'a dyn Fn(G);

    fn mutex<R: Exclusive>() {
        let mutex = Mutex::<R, _>::new(0);
        let ways: [Unlock<'_, MutexGuard<'_, R, u32>>; 3] =
            [&|guard| drop(guard), &|guard| MutexGuard::unlock_fair(guard), &|mut guard| {
                MutexGuard::bump(&mut guard)
            }];
        for unlock in ways {
            let guard = mutex.lock();
            thread::scope(|s| {
                let sleeper = asleep(s, None, || *mutex.lock() += 1);
                unlock(guard);
                sleeper.join().unwrap();
            });
        }
        assert_eq!(mutex.into_inner(), 3);
    }
    fn rwlock<R: Shared>() {
        let lock = RwLock::<R, _>::new(0);
        let ways: [Unlock<'_, RwLockWriteGuard<'_, R, u32>>; 4] = [
            &|guard| drop(guard),
            &|guard| RwLockWriteGuard::unlock_fair(guard),
            &|mut guard| RwLockWriteGuard::bump(&mut guard),
            &|guard| drop(RwLockWriteGuard::downgrade_to_upgradable(guard)),
        ];
        for unlock in ways {
            let guard = lock.write();
            thread::scope(|s| {
                let sleepers =
                    [asleep(s, None, || drop(lock.read())), asleep(s, None, || *lock.write() += 1)];
                unlock(guard);
                join_all(sleepers);
            });
        }
        assert_eq!(lock.into_inner(), 4);
    }
    let _watchdog = Watchdog::start();
    mutex::<RawMutex>();
    mutex::<RawFairMutex>();
    mutex::<RawSpinLock>();
    rwlock::<RawRwLock>();
    rwlock::<RawRwLockRecursive>();
}
