//! Guards and waits that gave a `PiMutex` up for a while, and cannot have it back: the process ends
//! and says why, or the wait says so. Never is there a guard without the lock, and nobody hangs.

use std::mem::forget;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lockwork::{ArcPiMutexGuard, CondvarAny, PiCondvar, PiError, PiMutex, PiMutexGuard};

use super::runner::{Case, Outcome, role, run_role};
use super::support::proc;
use super::support::threads::{asleep, words_of};
use super::support::watchdog::Watchdog;

const ENDS: &str = "pi_relock::process_ends_with_its_message";

pub(crate) const CASES: &[Case] = &[
    (ENDS, process_ends_with_its_message),
    ("pi_relock::wait_is_told_of_a_dead_owner", wait_is_told_of_a_dead_owner),
    ("pi_relock::deadlock_through_a_notified_waiter", deadlock_through_a_notified_waiter),
];

/// What is given up and wanted back, and what its owner has meanwhile.
static WANTED: LazyLock<Arc<PiMutex<()>>> = LazyLock::new(|| Arc::new(PiMutex::new(())));
static KEPT: PiMutex<()> = PiMutex::new(());

/// Runs `call` in a thread that may outlive this one, and returns once it sleeps for `mutex`.
fn asleep_for<T: Send + 'static>(
    mutex: &PiMutex<()>,
    call: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let id = Arc::new(AtomicU32::new(0));
    let theirs = id.clone();
    let thread = thread::spawn(move || {
        theirs.store(proc::tid(), Relaxed);
        call()
    });
    while id.load(Relaxed) == 0 {
        thread::yield_now();
    }
    proc::until_asleep(id.load(Relaxed), words_of(mutex));
    thread
}

/// Has another thread take what is wanted, and wait for what is kept.
fn close_the_circle() {
    asleep_for(&KEPT, || {
        let _wanted = WANTED.lock();
        drop(KEPT.lock());
    });
}

/// Has another thread take what is wanted, and end.
fn die_with_it() {
    thread::spawn(|| forget(WANTED.lock())).join().unwrap();
}

/// Waits by `wait` for so long while another thread, which takes what is wanted, wants what is
/// kept. Should this one come back before that one sleeps, the other one is told of the deadlock,
/// and it all begins again.
fn wait_in_a_circle(wait: impl Fn(Guard, Duration)) {
    let _kept = KEPT.lock();
    for doublings in 0.. {
        let held = WANTED.lock();
        let other = asleep_for(&WANTED, || {
            let _wanted = WANTED.lock();
            KEPT.lock_checked().map(drop)
        });
        wait(held, Duration::from_millis(1 << doublings));
        assert_eq!(other.join().unwrap(), Err(PiError::Deadlock));
    }
}

/// The same while another one, which takes what is wanted, ends.
fn wait_with_a_dead_owner(wait: impl FnOnce(Guard, Duration)) {
    let held = WANTED.lock();
    asleep_for(&WANTED, || forget(WANTED.lock()));
    wait(held, Duration::from_millis(1));
}

type Guard = PiMutexGuard<'static, ()>;

const DEADLOCK: &str = "cannot be locked again: deadlock";
const DEAD: &str = "cannot be locked again: the thread that had the lock has ended";

/// How the lock is given up, by whom it is kept, and what the process says at its end.
const ROLES: &[(&str, &str, fn())] = &[
    ("unlocked, deadlock", DEADLOCK, || {
        let _kept = KEPT.lock();
        PiMutexGuard::unlocked(&mut WANTED.lock(), close_the_circle);
    }),
    ("unlocked_fair, deadlock", DEADLOCK, || {
        let _kept = KEPT.lock();
        PiMutexGuard::unlocked_fair(&mut WANTED.lock(), close_the_circle);
    }),
    ("Arc, unlocked, deadlock", DEADLOCK, || {
        let _kept = KEPT.lock();
        ArcPiMutexGuard::unlocked(&mut WANTED.lock_arc(), close_the_circle);
    }),
    ("unlocked by what panics, deadlock", DEADLOCK, || {
        let _kept = KEPT.lock();
        PiMutexGuard::unlocked(&mut WANTED.lock(), || {
            close_the_circle();
            panic!("while it was unlocked");
        });
    }),
    ("unlocked, owner died", DEAD, || PiMutexGuard::unlocked(&mut WANTED.lock(), die_with_it)),
    ("Arc, unlocked_fair, owner died", DEAD, || {
        ArcPiMutexGuard::unlocked_fair(&mut WANTED.lock_arc(), die_with_it);
    }),
    ("PiCondvar, deadlock", DEADLOCK, || {
        let changed = PiCondvar::new();
        wait_in_a_circle(|held, limit| drop(changed.wait_for(held, limit)));
    }),
    ("CondvarAny, deadlock", DEADLOCK, || {
        let changed = CondvarAny::new();
        wait_in_a_circle(|mut held, limit| _ = changed.wait_for(&mut held, limit));
    }),
    ("CondvarAny, owner died", DEAD, || {
        wait_with_a_dead_owner(|mut held, limit| {
            let _ = CondvarAny::new().wait_for(&mut held, limit);
        });
    }),
];

fn process_ends_with_its_message() -> Outcome {
    if let Some(role) = role() {
        let _watchdog = Watchdog::start();
        let (.., act) = ROLES.iter().find(|(name, ..)| *name == role).expect("a role");
        let _ = catch_unwind(AssertUnwindSafe(act));
        panic!("{role}: there is a guard, and no lock");
    }
    for (role, message, _) in ROLES {
        let end = run_role(ENDS, role);
        assert_eq!(end.status.signal(), Some(libc::SIGABRT), "{role}: {}", end.output);
        assert!(end.output.contains(message), "{role}: {}", end.output);
    }
    Outcome::Passed
}

/// A wait takes the guard, so it can say that there is none to give back.
fn wait_is_told_of_a_dead_owner() -> Outcome {
    let _watchdog = Watchdog::start();
    let (mutex, changed) = (PiMutex::new(()), PiCondvar::new());
    thread::scope(|s| {
        let held = mutex.lock();
        let owner = asleep(s, words_of(&mutex), || forget(mutex.lock()));
        // The mutex goes to that one, which ends with it while this one sleeps, or is on its way.
        let far = Duration::from_secs(3_600);
        let short = Duration::from_millis(20);
        let deadline = lockwork::Deadline::after(short);
        let told = changed.wait_until_checked(held, deadline).map(drop);
        assert_eq!(told, Err(PiError::OwnerDied));
        owner.join().unwrap();
        assert_eq!(mutex.try_lock_for(far).map(drop), Err(PiError::OwnerDied));
    });
    let (mutex, changed) = (PiMutex::new(()), PiCondvar::new());
    thread::scope(|s| {
        let held = mutex.lock();
        let owner = asleep(s, words_of(&mutex), || forget(mutex.lock()));
        let wait = || drop(changed.wait_for(held, Duration::from_millis(20)));
        let panic = catch_unwind(AssertUnwindSafe(wait)).unwrap_err();
        let message = panic.downcast::<String>().unwrap();
        assert!(message.contains("ended without giving it back"), "{message}");
        owner.join().unwrap();
    });
    Outcome::Passed
}

/// A waiter that was notified waits for the mutex: a notifier that has it, and then wants what the
/// waiter has, is told. It was no deadlock before.
fn deadlock_through_a_notified_waiter() -> Outcome {
    let _watchdog = Watchdog::start();
    let (mutex, kept, changed) = (PiMutex::new(()), PiMutex::new(()), PiCondvar::new());
    thread::scope(|s| {
        let waiter = asleep(s, words_of(&changed), || {
            let _kept = kept.lock();
            drop(changed.wait(mutex.lock()));
        });
        let held = mutex.lock();
        let soon = Duration::from_millis(1);
        assert_eq!(kept.try_lock_for(soon).map(drop), Err(PiError::TimedOut));
        assert!(changed.notify_one(&held));
        assert_eq!(kept.lock_checked().map(drop), Err(PiError::Deadlock));
        drop(held);
        drop(kept.lock());
        waiter.join().unwrap();
    });
    Outcome::Passed
}
