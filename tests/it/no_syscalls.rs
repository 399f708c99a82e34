//! Where nobody waits, the kernel is not entered.
//!
//! A child process forbids itself every futex call on pain of death, and then does whatever needs
//! none. Two more children show that the ban bites.

use lockwork::cancel::CancelToken;
use lockwork::queue::{ArrayQueue, BlockingQueue};
use lockwork::rwlock::{Lock, ReadGuard, UpgradableReadGuard, WriteGuard};
use lockwork::stack::{ArrayStack, TaggedStack};
use lockwork::{
    Barrier, Condvar, CondvarAny, Event, FairMutex, FairMutexGuard, FairSemaphore, Latch, LazyLock,
    Mutex, MutexGuard, Once, OnceLock, Parker, PiCondvar, PiMutex, RecursiveRwLock, ReentrantMutex,
    ReentrantMutexGuard, RwLock, Semaphore, SeqLock, SpinLock, WaitGroup, lock_all, wait_any,
    wait_any_for,
};

use super::support::threads::{asleep, words_of};
use super::support::{child, say, seccomp};
use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Ends the child at once: the test harness itself would wake its other threads, by futex.
fn leave(status: i32) -> ! {
    // SAFETY: ends the process and runs nothing else of it.
    unsafe { libc::_exit(status) }
}

/// Exit status of a child that could not forbid itself anything.
const NO_SECCOMP: i32 = 77;

/// In the child: forbids futex calls, runs `body`, and leaves.
fn forbidden(body: impl FnOnce()) -> ! {
    if !seccomp::forbid_futex() {
        leave(NO_SECCOMP);
    }
    // Unwinding would meet the harness.
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
    leave(if done.is_ok() { 0 } else { 1 });
}

/// In the parent: the child's end, or a line that says why there was no test.
fn judge(test: &str, check: impl FnOnce(&std::process::Output)) {
    let output = child::run(test, test);
    if output.status.code() == Some(NO_SECCOMP) {
        say(&format!("SKIP {test}: no seccomp filters here"));
    } else {
        check(&output);
    }
}

#[test]
fn uncontended_operations_enter_no_kernel() {
    const TEST: &str = "no_syscalls::uncontended_operations_enter_no_kernel";
    if !child::is(TEST) {
        return judge(TEST, |output| child::assert_exit(output, 0));
    }
    let parker = Parker::new();
    let (mutex, changed) = (Mutex::new((0, 0)), Condvar::new());
    let (fair, reentrant) = (FairMutex::new(0), ReentrantMutex::new(()));
    let (manual, auto, group) = (Event::manual(), Event::auto(), WaitGroup::new());
    let any = CondvarAny::new();
    let (inheriting, pi_changed) = (PiMutex::new(0), PiCondvar::new());
    let (spin, sequence) = (SpinLock::new(0), SeqLock::new([0, 0]));
    let array = ArrayQueue::new(3);
    let (array_stack, tagged_stack) = (ArrayStack::new(3), TaggedStack::with_capacity(3));
    let blocking = BlockingQueue::new(3);
    let (semaphore, fair_semaphore) = (Semaphore::new(2), FairSemaphore::new(2));
    let root = CancelToken::with_timeout(Duration::from_secs(1000));
    forbidden(|| {
        for i in 0..10_000 {
            array_stack.push_many([i, i]).unwrap();
            tagged_stack.push_many([i, i]);
            assert_eq!((array_stack.pop(), tagged_stack.pop()), (Some(i), Some(i)));
            assert!(array_stack.pop_all().eq(tagged_stack.pop_all()));
            let (token, below) = (root.child(), root.child().child());
            let callback = below.on_cancel(|| ());
            token.on_cancel(|| ()).detach();
            drop(semaphore.acquire_cancellable(&token));
            blocking.push_cancellable(i, &token).unwrap();
            assert_eq!(blocking.pop_cancellable(&below), Ok(i));
            assert!(!root.is_cancelled() && token.cancel() && !below.is_cancelled());
            assert!(semaphore.acquire_cancellable(&token).is_err());
            drop(callback);
            drop((semaphore.acquire(), semaphore.acquire_for(Duration::from_secs(1))));
            semaphore.drain().forget();
            assert!(semaphore.try_acquire().is_err() && semaphore.release(2).is_ok());
            drop((fair_semaphore.acquire_many(1), fair_semaphore.try_acquire()));
            fair_semaphore.drain().forget();
            assert!(fair_semaphore.try_acquire().is_err() && fair_semaphore.release(2).is_ok());
            mutex.lock().0 += 1;
            drop(mutex.try_lock());
            drop(mutex.try_lock_for(Duration::from_secs(1)));
            *fair.lock() += 1;
            drop(lock_all((&fair, &mutex)));
            *inheriting.lock() += 1;
            assert!(inheriting.try_lock().is_ok());
            let again = inheriting.try_lock_for(Duration::from_secs(1)).unwrap();
            assert!(inheriting.try_lock_for(Duration::from_secs(1)).is_err());
            drop(again);
            assert!(!pi_changed.notify_one(&inheriting.lock()));
            *spin.lock() += 1;
            let (once, place, lazy) = (Once::new(), OnceLock::new(), LazyLock::new(|| i));
            once.call_once(|| ());
            once.wait();
            assert_eq!(place.get_or_try_init(|| Err(())), Err(()));
            assert_eq!((place.set(i), place.wait()), (Ok(()), &i));
            assert_eq!(*lazy, i);
            sequence.write([i, i]);
            sequence.lock()[0] += 1;
            assert_eq!(sequence.read(), [i + 1, i]);
            let mut bumped = mutex.lock();
            MutexGuard::bump(&mut bumped);
            MutexGuard::unlocked_fair(&mut bumped, || ());
            MutexGuard::unlock_fair(bumped);
            drop((reentrant.lock(), reentrant.lock(), reentrant.try_lock()));
            let held = mutex.lock();
            assert!(mutex.try_lock().is_none());
            *MutexGuard::map(held, |pair| &mut pair.1) += 1;
            assert!(!changed.notify_one());
            assert_eq!(changed.notify_all(), 0);
            let mut guard = mutex.lock();
            changed.wait_while(&mut guard, |_| false);
            any.wait_while(&mut guard, |_| false);
            drop(guard);
            assert!(!any.notify_one());
            assert_eq!(any.notify_all(), 0);
            parker.unparker().unpark();
            parker.unparker().unpark();
            parker.park();
            for event in [&manual, &auto] {
                event.set();
                event.set();
                event.wait();
                assert_eq!(event.is_set(), event.reset());
                assert!(!event.reset() && !event.try_wait());
            }
            let latch = Latch::new(2);
            latch.count_down(1);
            latch.arrive_and_wait();
            group.add(1);
            drop(group.token());
            group.done();
            group.wait();
            assert_eq!(wait_any(&[&auto, &manual, &group]).index, 2);
            assert_eq!(wait_any(&[&manual, &semaphore]).index, 1);
            assert!(wait_any_for(&[&auto, &latch], Duration::from_secs(1)).is_some());
            assert!(Barrier::new(1).wait().is_ok());
            assert_eq!(array.push(i), Ok(()));
            assert_eq!(array.pop(), Some(i));
            assert_eq!(array.pop(), None);
            for j in 0..3 {
                blocking.push(i + j).unwrap();
            }
            assert!(blocking.try_push(i).is_err());
            for j in 0..3 {
                assert_eq!(blocking.pop_for(Duration::from_secs(1)), Ok(i + j));
            }
            assert!(blocking.try_pop().is_err());
        }
        assert_eq!(*mutex.lock(), (10_000, 10_000));
        blocking.close();
        assert!(semaphore.close() && fair_semaphore.close());
    })
}

/// Also the ways that are fair, or give way, with nobody to be fair to.
#[test]
fn no_kind_of_mutex_enters_the_kernel_for_nobody() {
    const TEST: &str = "no_syscalls::no_kind_of_mutex_enters_the_kernel_for_nobody";
    if !child::is(TEST) {
        return judge(TEST, |output| child::assert_exit(output, 0));
    }
    macro_rules! turns {
        ($Mutex:ident, $Guard:ident, $mutex:ident) => {
            let guard = $mutex.lock();
            guard.set(guard.get() + 1);
            drop(guard);
            drop($mutex.try_lock());
            drop($mutex.try_lock_for(Duration::from_secs(1)));
            drop($mutex.lock_arc());
            drop($Guard::map($mutex.lock(), |value| value));
            $Guard::unlock_fair($mutex.lock());
            let mut guard = $mutex.lock();
            $Guard::bump(&mut guard);
            $Guard::unlocked(&mut guard, || assert!(!$mutex.is_locked()));
            $Guard::unlocked_fair(&mut guard, || assert!(!$mutex.is_locked()));
        };
    }
    let plain = Arc::new(Mutex::new(Cell::new(0)));
    let fair = Arc::new(FairMutex::new(Cell::new(0)));
    let reentrant = Arc::new(ReentrantMutex::new(Cell::new(0)));
    forbidden(|| {
        for _ in 0..1_000 {
            turns!(Mutex, MutexGuard, plain);
            turns!(FairMutex, FairMutexGuard, fair);
            turns!(ReentrantMutex, ReentrantMutexGuard, reentrant);
        }
        assert_eq!(plain.lock().get() + fair.lock().get() + reentrant.lock().get(), 3_000);
    })
}

/// Every way in, out, and from one kind to another.
#[test]
fn no_kind_of_reader_or_writer_enters_the_kernel_for_nobody() {
    const TEST: &str = "no_syscalls::no_kind_of_reader_or_writer_enters_the_kernel_for_nobody";
    if !child::is(TEST) {
        return judge(TEST, |output| child::assert_exit(output, 0));
    }
    fn turns<const RECURSIVE: bool>(lock: &Arc<Lock<u32, RECURSIVE>>) {
        let soon = Duration::from_secs(1);
        *lock.write() += 1;
        drop((lock.read(), lock.try_read(), lock.try_read_for(soon), lock.upgradable_read()));
        drop(lock.try_write());
        drop(lock.try_write_for(soon));
        drop(lock.try_upgradable_read_for(soon));
        drop((lock.read_arc(), lock.upgradable_read_arc()));
        drop(lock.write_arc());
        drop(ReadGuard::map(lock.read(), |value| value));
        drop(WriteGuard::map(lock.write(), |value| value));
        macro_rules! give_way {
            ($Guard:ident, $lock:ident) => {
                $Guard::unlock_fair(lock.$lock());
                let mut guard = lock.$lock();
                $Guard::bump(&mut guard);
                $Guard::unlocked(&mut guard, || assert!(!lock.is_locked()));
                $Guard::unlocked_fair(&mut guard, || assert!(!lock.is_locked()));
                drop(guard);
            };
        }
        give_way!(ReadGuard, read);
        give_way!(WriteGuard, write);
        give_way!(UpgradableReadGuard, upgradable_read);
        let mut upgradable = WriteGuard::downgrade_to_upgradable(lock.write());
        upgradable.with_upgraded(|value| *value += 1);
        assert_eq!(upgradable.try_with_upgraded_for(soon, |value| *value += 1), Some(()));
        let beside = lock.read();
        assert!(upgradable.try_with_upgraded(|_| ()).is_none() && lock.try_write().is_none());
        drop(beside);
        let reading = WriteGuard::downgrade(UpgradableReadGuard::upgrade(upgradable));
        assert!(lock.try_write().is_none());
        drop(reading);
        let writing = UpgradableReadGuard::try_upgrade_for(lock.upgradable_read(), soon).unwrap();
        assert!(lock.try_read().is_none() && lock.try_upgradable_read().is_none());
        drop(writing);
        drop(UpgradableReadGuard::downgrade(lock.upgradable_read()));
    }
    let (ordinary, recursive) = (Arc::new(RwLock::new(0)), Arc::new(RecursiveRwLock::new(0)));
    forbidden(|| {
        for _ in 0..1_000 {
            turns(&ordinary);
            turns(&recursive);
        }
        assert_eq!(*ordinary.read() + *recursive.read(), 6_000);
    })
}

/// A deadline that has passed is looked at before the kernel is asked to wait for it, or the kernel
/// is asked: either way a call with a sleeper in view does enter it. So the ban is in force.
#[test]
fn a_wait_is_noticed() {
    const TEST: &str = "no_syscalls::a_wait_is_noticed";
    if !child::is(TEST) {
        return judge(TEST, |output| child::assert_signal(output, libc::SIGSYS));
    }
    let mutex = Mutex::new(());
    let _held = mutex.lock();
    forbidden(|| drop(mutex.try_lock_for(Duration::from_millis(1))));
}

#[test]
fn a_contended_wake_is_noticed() {
    const TEST: &str = "no_syscalls::a_contended_wake_is_noticed";
    if !child::is(TEST) {
        return judge(TEST, |output| child::assert_signal(output, libc::SIGSYS));
    }
    static MUTEX: Mutex<()> = Mutex::new(());
    let held = MUTEX.lock();
    thread::scope(|s| {
        let _waiter = asleep(s, words_of(&MUTEX), || drop(MUTEX.lock()));
        forbidden(|| drop(held))
    })
}

/// A time-out leaves one needless call behind, and no more than one.
#[test]
fn one_call_after_a_waiter_timed_out() {
    const TEST: &str = "no_syscalls::one_call_after_a_waiter_timed_out";
    if !child::is(TEST) {
        return judge(TEST, |output| child::assert_exit(output, 0));
    }
    let limit = Duration::from_millis(1);
    let (mutex, changed) = (Mutex::new(()), Condvar::new());
    let (fair, table, recursive) = (FairMutex::new(()), RwLock::new(()), RecursiveRwLock::new(()));
    let held = (mutex.lock(), fair.lock(), table.write(), recursive.read());
    assert!(mutex.try_lock_for(limit).is_none() && fair.try_lock_for(limit).is_none());
    assert!(table.try_read_for(limit).is_none() && table.try_write_for(limit).is_none());
    assert!(recursive.try_write_for(limit).is_none());
    drop(held); // may enter the kernel
    assert!(changed.wait_for(&mut mutex.lock(), limit).timed_out());
    let queue = BlockingQueue::new(1);
    assert!(queue.pop_for(Duration::from_millis(1)).is_err());
    let parker = Parker::new();
    assert!(!parker.park_for(Duration::from_millis(1)));
    let (semaphore, fair_semaphore) = (Semaphore::new(0), FairSemaphore::new(0));
    assert!(semaphore.acquire_for(Duration::from_millis(1)).is_err());
    assert!(fair_semaphore.acquire_for(Duration::from_millis(1)).is_err());
    // An automatic event counts its waiters, so it leaves none behind; the others leave a mark.
    let (manual, auto) = (Event::manual(), Event::auto());
    assert!(!manual.wait_for(Duration::from_millis(1)) && !auto.wait_for(Duration::from_millis(1)));
    manual.set(); // may enter the kernel
    // Nor does one who waits for several things.
    assert!(wait_any_for(&[&auto, &semaphore], Duration::from_millis(1)).is_none());
    let group = WaitGroup::new();
    group.add(1);
    assert!(!group.wait_for(Duration::from_millis(1)));
    group.done(); // may enter the kernel
    let barrier = Barrier::new(2);
    assert!(barrier.wait_for(Duration::from_millis(1)).is_err());
    forbidden(|| {
        assert!(semaphore.release(1).is_ok() && semaphore.acquire().is_ok());
        assert!(fair_semaphore.release(1).is_ok() && fair_semaphore.acquire().is_ok());
        auto.set();
        assert!(manual.reset());
        manual.set();
        group.add(1);
        group.done();
        barrier.reset();
        drop((mutex.lock(), fair.lock()));
        drop((table.write(), recursive.write()));
        drop((table.read(), recursive.upgradable_read()));
        assert_eq!(changed.notify_all(), 0);
        queue.push(1).unwrap();
        assert_eq!(queue.pop(), Ok(1));
        parker.unparker().unpark();
        parker.park();
    })
}
