//! Where nobody waits, the kernel is not entered.
//!
//! A child process forbids itself every futex call on pain of death, and then does whatever needs
//! none. Two more children show that the ban bites.

use lockwork::queue::{ArrayQueue, BlockingQueue};
use lockwork::{Condvar, CondvarAny, FairMutex, Mutex, MutexGuard, Parker, ReentrantMutex};

use super::support::threads::{asleep, words_of};
use super::support::{child, say, seccomp};
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
    let any = CondvarAny::new();
    let array = ArrayQueue::new(3);
    let blocking = BlockingQueue::new(3);
    forbidden(|| {
        for i in 0..10_000 {
            mutex.lock().0 += 1;
            drop(mutex.try_lock());
            drop(mutex.try_lock_for(Duration::from_secs(1)));
            *fair.lock() += 1;
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
    let (mutex, changed) = (Mutex::new(()), Condvar::new());
    let held = mutex.lock();
    assert!(mutex.try_lock_for(Duration::from_millis(1)).is_none());
    drop(held); // may enter the kernel
    assert!(changed.wait_for(&mut mutex.lock(), Duration::from_millis(1)).timed_out());
    let queue = BlockingQueue::new(1);
    assert!(queue.pop_for(Duration::from_millis(1)).is_err());
    let parker = Parker::new();
    assert!(!parker.park_for(Duration::from_millis(1)));
    forbidden(|| {
        drop(mutex.lock());
        assert_eq!(changed.notify_all(), 0);
        queue.push(1).unwrap();
        assert_eq!(queue.pop(), Ok(1));
        parker.unparker().unpark();
        parker.park();
    })
}
