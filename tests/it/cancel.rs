//! `CancelToken`, and waits that end with it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex as Plain};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::cancel::{CancelToken, Cancelled};
use lockwork::queue::{BlockingQueue, PopError, PushErrorReason};
use lockwork::semaphore::AcquireError;
use lockwork::{
    Condvar, CondvarAny, Deadline, Event, FairSemaphore, Latch, Mutex, Parker, RwLock, Semaphore,
    WaitGroup,
};

use super::support::random::{Rng, seed};
use super::support::threads::{asleep, crowd, join_all, together};
use super::support::watchdog::Watchdog;
use super::support::{child, errno, say, scaled, seccomp};

const SHORT: Duration = Duration::from_millis(2);

/// Counts calls, and hands out closures that do.
#[derive(Clone, Default)]
struct Calls(Arc<AtomicU32>);

impl Calls {
    fn one(&self) -> impl FnOnce() + Send + 'static {
        let calls = self.0.clone();
        move || {
            calls.fetch_add(1, Relaxed);
        }
    }

    fn count(&self) -> u32 {
        self.0.load(Relaxed)
    }
}

/// One of each thing that can be waited for, none of them there, and none ever until it is asked.
struct Things {
    semaphore: Semaphore,
    fair: FairSemaphore,
    manual: Event,
    auto: Event,
    latch: Latch,
    group: WaitGroup,
    mutex: Mutex<bool>,
    table: RwLock<bool>,
    changed: Condvar,
    any: CondvarAny,
    empty: BlockingQueue<u8>,
    full: BlockingQueue<u8>,
}

const KINDS: usize = 11;

impl Things {
    fn new() -> Self {
        let (group, full) = (WaitGroup::new(), BlockingQueue::new(1));
        group.add(1);
        full.push(1).unwrap();
        Self {
            semaphore: Semaphore::new(0),
            fair: FairSemaphore::new(1),
            manual: Event::manual(),
            auto: Event::auto(),
            latch: Latch::new(1),
            group,
            mutex: Mutex::new(false),
            table: RwLock::new(false),
            changed: Condvar::new(),
            any: CondvarAny::new(),
            empty: BlockingQueue::new(1),
            full,
        }
    }

    /// Whether it came before the token was cancelled.
    fn wait(&self, which: usize, token: &CancelToken) -> bool {
        let permit = |taken: Result<(), AcquireError>| match taken {
            Ok(()) => Ok(()),
            Err(AcquireError::Cancelled) => Err(Cancelled),
            Err(other) => panic!("{other}"),
        };
        let end = match which {
            0 => permit(self.semaphore.acquire_cancellable(token).map(|permit| permit.forget())),
            1 => permit(self.fair.acquire_many_cancellable(2, token).map(|both| both.forget())),
            2 => self.manual.wait_cancellable(token),
            3 => self.auto.wait_cancellable(token),
            4 => self.latch.wait_cancellable(token),
            5 => self.group.wait_cancellable(token),
            6 => {
                let mut open = self.mutex.lock();
                self.changed.wait_while_cancellable(&mut open, |open| !*open, token)
            }
            7 => {
                let mut open = self.table.read();
                self.any.wait_while_cancellable(&mut open, |open| !*open, token)
            }
            8 => {
                let mut open = self.mutex.lock();
                self.any.wait_while_cancellable(&mut open, |open| !*open, token)
            }
            9 => match self.empty.pop_cancellable(token) {
                Ok(value) => {
                    assert_eq!(value, 7);
                    Ok(())
                }
                Err(error) => {
                    assert_eq!(error, PopError::Cancelled);
                    Err(Cancelled)
                }
            },
            _ => self.full.push_cancellable(2, token).map_err(|refused| {
                assert_eq!(refused.reason(), PushErrorReason::Cancelled);
                assert_eq!(refused.into_inner(), 2);
                Cancelled
            }),
        };
        end.is_ok()
    }

    fn fire(&self, which: usize) {
        match which {
            0 => self.semaphore.release(1).unwrap(),
            1 => self.fair.release(1).unwrap(),
            2 => self.manual.set(),
            3 => self.auto.set(),
            4 => self.latch.count_down(1),
            5 => self.group.done(),
            6 => {
                *self.mutex.lock() = true;
                self.changed.notify_one();
            }
            7 => {
                *self.table.write() = true;
                self.any.notify_all();
            }
            8 => {
                *self.mutex.lock() = true;
                self.any.notify_all();
            }
            9 => self.empty.push(7).unwrap(),
            _ => assert_eq!(self.full.pop(), Ok(1)),
        }
    }

    /// Nobody waits any more, and nothing is missing.
    #[track_caller]
    fn assert_untouched(&self) {
        assert_eq!((self.semaphore.available(), self.fair.available()), (0, 1));
        assert!(format!("{:?}", self.semaphore).contains("waiters: 0"), "{:?}", self.semaphore);
        assert!(format!("{:?}", self.fair).contains("has_waiters: false"), "{:?}", self.fair);
        assert_eq!((self.changed.notify_all(), self.any.notify_all()), (0, 0));
        assert_eq!((self.empty.len(), self.full.len()), (0, 1));
        assert!(self.mutex.try_lock().is_some() && self.table.try_write().is_some());
    }
}

fn sleepers_are_woken_by_cancelling() {
    let _watchdog = Watchdog::start();
    for which in 0..KINDS {
        let (things, token) = (Things::new(), CancelToken::new());
        thread::scope(|s| {
            let sleeper = asleep(s, None, || things.wait(which, &token));
            assert!(token.cancel());
            assert!(!sleeper.join().unwrap(), "kind {which}");
        });
        things.assert_untouched();
        assert!(!things.wait(which, &token), "kind {which}: it is cancelled already");
        things.assert_untouched();
    }
}

fn sleepers_are_woken_by_what_they_wait_for() {
    let _watchdog = Watchdog::start();
    for which in 0..KINDS {
        let (things, token) = (Things::new(), CancelToken::new());
        thread::scope(|s| {
            let sleeper = asleep(s, None, || things.wait(which, &token));
            things.fire(which);
            assert!(sleeper.join().unwrap(), "kind {which}");
        });
        assert!(!token.is_cancelled());
    }
}

fn deadlines_end_waits() {
    let _watchdog = Watchdog::start();
    for which in 0..KINDS {
        let (things, parent) = (Things::new(), CancelToken::new());
        let start = Instant::now();
        let token = parent.child_for(SHORT);
        assert!(!things.wait(which, &token), "kind {which}");
        assert!(start.elapsed() >= SHORT);
        assert!(token.is_cancelled() && !parent.is_cancelled());
        things.assert_untouched();
    }
}

fn parents_end_waits() {
    let _watchdog = Watchdog::start();
    for which in 0..KINDS {
        let (things, root) = (Things::new(), CancelToken::new());
        // The one in between is gone.
        let token = root.child().child_until(Deadline::after(Duration::from_secs(1000)));
        thread::scope(|s| {
            let sleeper = asleep(s, None, || things.wait(which, &token));
            root.cancel();
            assert!(!sleeper.join().unwrap(), "kind {which}");
        });
        things.assert_untouched();
    }
}

/// What is there counts if the token is live, and does not if it is cancelled.
fn what_is_there_is_taken() {
    for which in 0..KINDS {
        let (things, token) = (Things::new(), CancelToken::new());
        things.fire(which);
        assert!(things.wait(which, &token), "kind {which}");
    }
    for which in [0, 1, 2, 3, 4, 5, 9, 10] {
        let (things, token) = (Things::new(), CancelToken::with_timeout(Duration::ZERO));
        things.fire(which);
        assert!(!things.wait(which, &token), "kind {which}");
    }
    // A condition that does not hold is no reason to give up.
    for which in [6, 7, 8] {
        let (things, token) = (Things::new(), CancelToken::new());
        things.fire(which);
        token.cancel();
        assert!(things.wait(which, &token), "kind {which}");
    }
}

fn parkers_are_woken_by_both() {
    let _watchdog = Watchdog::start();
    let (parker, token) = (Parker::new(), CancelToken::new());
    let unparker = parker.unparker().clone();
    let parker = &Plain::new(parker);
    thread::scope(|s| {
        let sleeper = asleep(s, None, || parker.lock().unwrap().park_cancellable(&token));
        unparker.unpark();
        assert_eq!(sleeper.join().unwrap(), Ok(()));
        let sleeper = asleep(s, None, || parker.lock().unwrap().park_cancellable(&token));
        token.cancel();
        assert_eq!(sleeper.join().unwrap(), Err(Cancelled));
    });
    unparker.unpark();
    let parker = parker.lock().unwrap();
    assert_eq!(parker.park_cancellable(&token), Err(Cancelled));
    assert!(parker.park_for(Duration::ZERO), "it is still there");
    let soon = CancelToken::with_timeout(SHORT);
    assert_eq!(parker.park_cancellable(&soon), Err(Cancelled));
}

/// A wake-up that meets a cancelled waiter goes to another.
fn wake_ups_are_passed_on() {
    let watchdog = Watchdog::start();
    for round in 0..scaled(200) {
        let token = CancelToken::new();
        let (semaphore, fair, event) = (Semaphore::new(0), FairSemaphore::new(0), Event::auto());
        let queue = BlockingQueue::new(1);
        let (mutex, changed) = (Mutex::new(0), CondvarAny::new());
        thread::scope(|s| {
            let first = asleep(s, None, || match round % 5 {
                0 => semaphore.acquire_cancellable(&token).map(drop).is_ok(),
                1 => fair.acquire_cancellable(&token).map(drop).is_ok(),
                2 => event.wait_cancellable(&token).map(|()| event.set()).is_ok(),
                3 => queue.pop_cancellable(&token).map(|value| queue.push(value)).is_ok(),
                _ => {
                    let mut jobs = mutex.lock();
                    let end = changed.wait_while_cancellable(&mut jobs, |jobs| *jobs == 0, &token);
                    changed.notify_one();
                    end.is_ok()
                }
            });
            let other = asleep(s, None, || match round % 5 {
                0 => semaphore.acquire().unwrap().forget(),
                1 => fair.acquire().unwrap().forget(),
                2 => event.wait(),
                3 => assert_eq!(queue.pop(), Ok(1)),
                _ => changed.wait_while(&mut mutex.lock(), |jobs| *jobs == 0),
            });
            let canceller = s.spawn(|| token.cancel());
            match round % 5 {
                0 => semaphore.release(1).unwrap(),
                1 => fair.release(1).unwrap(),
                2 => event.set(),
                3 => queue.push(1).unwrap(),
                _ => {
                    *mutex.lock() = 1;
                    changed.notify_one();
                }
            }
            other.join().unwrap();
            first.join().unwrap();
            assert!(canceller.join().unwrap());
        });
        watchdog.tick();
    }
}

/// Many who wait for permits, each for a token of its own that somebody cancels at some moment;
/// permits are neither lost nor made.
fn permits_are_accounted_for() {
    let watchdog = Watchdog::start();
    let (rounds, seed) = (scaled(300), seed());
    let (semaphore, fair) = (Semaphore::new(2), FairSemaphore::new(2));
    let root = CancelToken::new();
    let (taken, given_up) = (AtomicUsize::new(0), AtomicUsize::new(0));
    together(crowd(), |i| {
        let mut rng = Rng::stream(seed, i as u64);
        for _ in 0..rounds {
            let token = match rng.below(3) {
                0 => root.child(),
                1 => root.child_for(Duration::from_nanos(rng.below(100_000))),
                _ => root.child().child(),
            };
            thread::scope(|s| {
                let canceller = rng.one_in(3).then(|| s.spawn(|| token.cancel()));
                let got = match rng.one_in(2) {
                    true => semaphore.acquire_cancellable(&token).map(drop),
                    false => fair.acquire_many_cancellable(2, &token).map(drop),
                };
                let counter = if got.is_ok() { &taken } else { &given_up };
                counter.fetch_add(1, Relaxed);
                join_all(canceller);
            });
            watchdog.tick();
        }
    });
    assert_eq!(taken.load(Relaxed) + given_up.load(Relaxed), crowd() * rounds);
    assert_eq!((semaphore.available(), fair.available()), (2, 2));
    assert!(!root.is_cancelled());
}

/// Runs cases here and, by name, where the kernel does not sleep on several words.
macro_rules! waits_here {
    ($($case:ident)*) => {
        const WAITS: &[(&str, fn())] = &[$((stringify!($case), $case)),*];

        mod waits {
            $(
                #[test]
                fn $case() {
                    super::$case();
                }
            )*
        }
    };
}

waits_here! {
    sleepers_are_woken_by_cancelling
    sleepers_are_woken_by_what_they_wait_for
    deadlines_end_waits
    parents_end_waits
    what_is_there_is_taken
    parkers_are_woken_by_both
    wake_ups_are_passed_on
    permits_are_accounted_for
}

/// Exit status of a child that could not forbid itself anything.
const NO_SECCOMP: i32 = 77;

/// In a child: all of them again, with a kernel that answers `error` to `futex_waitv`.
fn without_the_call(test: &str, error: i32) {
    if !child::is(test) {
        let output = child::run(test, test);
        if output.status.code() == Some(NO_SECCOMP) {
            return say(&format!("SKIP {test}: no seccomp filters here"));
        }
        return child::assert_exit(&output, 0);
    }
    // The threads that are started from here on inherit it.
    if !seccomp::answer(libc::SYS_futex_waitv, error) {
        // SAFETY: ends the process and runs nothing else of it.
        unsafe { libc::_exit(NO_SECCOMP) };
    }
    // SAFETY: no list, so no memory; it is refused before it is looked at.
    let refused = unsafe { libc::syscall(libc::SYS_futex_waitv, 0, 0, 0, 0, 0) };
    assert_eq!((refused, errno()), (-1, error), "the filter is in force");
    for (name, case) in WAITS {
        let done = catch_unwind(AssertUnwindSafe(case));
        assert!(done.is_ok(), "{name}, without the call");
    }
}

#[test]
fn waits_where_the_call_is_forbidden() {
    without_the_call("cancel::waits_where_the_call_is_forbidden", libc::EPERM);
}

#[test]
fn waits_where_there_is_no_call() {
    without_the_call("cancel::waits_where_there_is_no_call", libc::ENOSYS);
}

#[test]
fn a_token_is_cancelled_once() {
    let token = CancelToken::new();
    let same = token.clone();
    assert!(!token.is_cancelled() && token.check().is_ok());
    assert!(same.cancel());
    assert!(!token.cancel() && !same.cancel());
    assert!(token.is_cancelled());
    assert_eq!(token.check(), Err(Cancelled));
    token.wait();
    assert!(token.wait_for(Duration::ZERO) && token.wait_until(Deadline::NEVER));
}

#[test]
fn who_waits_for_the_token_itself() {
    let _watchdog = Watchdog::start();
    let token = CancelToken::new();
    assert!(!token.wait_for(SHORT) && !token.wait_until(Deadline::now()));
    thread::scope(|s| {
        let child = token.child();
        let sleepers = [token.clone(), token.clone(), child].map(|token| {
            asleep(s, None, move || {
                token.wait();
                token.is_cancelled()
            })
        });
        token.cancel();
        for sleeper in sleepers {
            assert!(sleeper.join().unwrap());
        }
    });
    let start = Instant::now();
    CancelToken::with_timeout(SHORT).wait();
    assert!(start.elapsed() >= SHORT);
    assert!(CancelToken::with_timeout(SHORT).wait_for(Duration::from_secs(1000)));
}

#[test]
fn children_follow_and_do_not_lead() {
    let root = CancelToken::new();
    let [one, other, third] = [root.child(), root.child(), root.child()];
    let below = one.child();
    assert!(one.cancel() && below.is_cancelled());
    assert!(!root.is_cancelled() && !other.is_cancelled());
    drop(third);
    let late = one.child();
    assert!(late.is_cancelled() && !late.cancel(), "born cancelled");
    assert!(root.cancel() && other.is_cancelled() && !other.cancel());
}

#[test]
fn a_token_nobody_has_leaves_its_children_to_its_parent() {
    let root = CancelToken::new();
    let middle = root.child();
    let (left, right) = (middle.child(), middle.child());
    let orphan = CancelToken::new().child();
    drop(middle);
    drop(left);
    let mut last = right.child();
    for _ in 0..1000 {
        last = last.child();
    }
    assert!(root.cancel() && right.is_cancelled() && last.is_cancelled());
    assert!(!orphan.is_cancelled() && orphan.cancel());
}

#[test]
fn a_childs_deadline_is_its_parents_at_the_latest() {
    let hour = Deadline::after(Duration::from_secs(3600));
    let parent = CancelToken::with_deadline(hour);
    assert_eq!(parent.child().deadline(), hour);
    assert_eq!(parent.child_until(Deadline::NEVER).deadline(), hour);
    assert_eq!(parent.child_for(Duration::MAX).deadline(), hour);
    let soon = Deadline::after(SHORT);
    let child = parent.child_until(soon);
    assert_eq!((child.deadline(), child.child().deadline()), (soon, soon));
    let past = Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
    let over = parent.child_until(past);
    assert!(over.is_cancelled() && over.child().is_cancelled() && !parent.is_cancelled());
    assert_eq!(CancelToken::with_timeout(Duration::MAX).deadline(), Deadline::NEVER);
    assert_eq!(CancelToken::default().deadline(), Deadline::NEVER);
}

#[test]
fn callbacks_are_called_once_and_in_order() {
    let (root, order) = (CancelToken::new(), Arc::new(Plain::new(Vec::new())));
    let child = root.child();
    let note = |token: &CancelToken, n: u32| {
        let order = order.clone();
        token.on_cancel(move || order.lock().unwrap().push(n))
    };
    let kept = [note(&root, 3), note(&child, 1), note(&root, 4), note(&child, 2)];
    let gone = note(&root, 99);
    note(&root, 5).detach();
    drop(gone);
    assert!(order.lock().unwrap().is_empty());
    assert!(format!("{:?}", kept[0]).contains("pending: true"));
    root.cancel();
    child.cancel();
    assert_eq!(*order.lock().unwrap(), [1, 2, 3, 4, 5]);
    assert!(format!("{:?}", kept[0]).contains("pending: false"));
    drop(kept);
    let late = note(&child, 6);
    assert_eq!(order.lock().unwrap().last(), Some(&6), "at once");
    drop(late);
    assert_eq!(order.lock().unwrap().len(), 6);
}

#[test]
fn callbacks_run_when_the_end_of_time_is_noticed() {
    let looks: [fn(&CancelToken); 5] = [
        |token| assert!(token.is_cancelled()),
        |token| assert!(token.check().is_err()),
        |token| token.wait(),
        |token| assert!(Event::manual().wait_cancellable(token).is_err()),
        |token| assert!(BlockingQueue::<u8>::new(1).pop_cancellable(token).is_err()),
    ];
    for look in looks {
        for wait in [Duration::ZERO, SHORT] {
            let (token, calls) = (CancelToken::with_timeout(wait), Calls::default());
            token.on_cancel(calls.one()).detach();
            if wait.is_zero() {
                look(&token);
            } else {
                token.wait_until(Deadline::NEVER).then(|| look(&token));
            }
            assert_eq!(calls.count(), 1);
            assert!(!token.cancel(), "it was by its deadline");
            look(&token);
            assert_eq!(calls.count(), 1);
        }
    }
}

/// The callback wants the very lock that the waiter is to have again.
#[test]
fn callbacks_do_not_run_under_the_waiters_lock() {
    let _watchdog = Watchdog::start();
    let (shared, changed) = (Arc::new(Mutex::new(0)), Condvar::new());
    for wait in [Duration::ZERO, SHORT] {
        let token = CancelToken::with_timeout(wait);
        let mutex = shared.clone();
        token.on_cancel(move || *mutex.lock() += 1).detach();
        let mut guard = shared.lock();
        assert_eq!(changed.wait_cancellable(&mut guard, &token), Err(Cancelled));
        *guard += 1;
    }
    assert_eq!(*shared.lock(), 4);
    // One that panics leaves the guard as it was: locked.
    let token = CancelToken::with_timeout(SHORT);
    token.on_cancel(|| panic!("callback")).detach();
    let mut guard = shared.lock();
    let end = catch_unwind(AssertUnwindSafe(|| changed.wait_cancellable(&mut guard, &token)));
    assert!(end.is_err() && shared.is_locked());
    *guard += 1;
    drop(guard);
    assert_eq!(*shared.lock(), 5);
    assert_eq!(changed.notify_all(), 0);
}

#[test]
fn callbacks_that_panic_lose_no_others() {
    let (token, calls) = (CancelToken::new(), Calls::default());
    let child = token.child();
    child.on_cancel(calls.one()).detach();
    token.on_cancel(|| panic!("first")).detach();
    token.on_cancel(calls.one()).detach();
    token.on_cancel(|| panic!("second")).detach();
    let guard = token.on_cancel(calls.one());
    let panic = catch_unwind(|| token.cancel()).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"first"));
    assert_eq!(calls.count(), 3);
    assert!(token.is_cancelled() && child.is_cancelled() && !token.cancel());
    drop(guard);
    // Late ones too.
    assert!(catch_unwind(|| token.on_cancel(|| panic!("late")).detach()).is_err());
}

/// No lock of ours is held: whatever a callback does with the token, it can.
#[test]
fn callbacks_may_use_the_token() {
    let _watchdog = Watchdog::start();
    let (token, calls) = (CancelToken::new(), Calls::default());
    let (inner, inner_calls) = (token.clone(), calls.clone());
    let bystander = token.on_cancel(calls.one());
    let bystander = Plain::new(Some(bystander));
    let first = token.on_cancel(move || {
        assert!(inner.is_cancelled() && !inner.cancel());
        assert!(inner.child().is_cancelled());
        drop(inner.on_cancel(inner_calls.one()));
        inner.wait();
    });
    let root = token.clone();
    token
        .on_cancel(move || {
            // Of a callback that has been called, and of the token.
            drop(bystander.lock().unwrap().take());
            drop(root);
        })
        .detach();
    token.cancel();
    drop(first);
    assert_eq!(calls.count(), 2);
}

#[test]
fn a_dropped_guard_has_waited_for_the_call() {
    let _watchdog = Watchdog::start();
    let token = CancelToken::new();
    let (entered, go) = (Arc::new(Event::manual()), Arc::new(Event::manual()));
    let over = Arc::new(AtomicBool::new(false));
    let shared = (entered.clone(), go.clone(), over.clone());
    let guard = token.on_cancel(move || {
        let (entered, go, over) = shared;
        entered.set();
        go.wait();
        over.store(true, Relaxed);
    });
    thread::scope(|s| {
        let canceller = s.spawn(|| token.cancel());
        entered.wait();
        let dropper = asleep(s, None, || {
            drop(guard);
            over.load(Relaxed)
        });
        // Others need not wait: neither who cancels nor who looks.
        assert!(!token.cancel() && token.is_cancelled());
        go.set();
        assert!(dropper.join().unwrap());
        assert!(canceller.join().unwrap());
    });
    assert_eq!(Arc::strong_count(&over), 1, "what the closure had is gone");
}

/// What a callback holds is dropped once: with the guard, after the call, or with the token.
#[test]
fn closures_are_dropped() {
    let (token, thing) = (CancelToken::new(), Arc::new(()));
    let hold = |token: &CancelToken| {
        let thing = thing.clone();
        token.on_cancel(move || drop(thing))
    };
    drop(hold(&token));
    assert_eq!(Arc::strong_count(&thing), 1);
    let guard = hold(&token);
    hold(&token).detach();
    assert_eq!(Arc::strong_count(&thing), 3);
    token.cancel();
    assert_eq!(Arc::strong_count(&thing), 1);
    drop(guard);
    let other = CancelToken::new();
    let child = other.child();
    hold(&other).detach();
    hold(&child).detach();
    drop(other);
    assert_eq!(Arc::strong_count(&thing), 2);
    drop(child);
    assert_eq!(Arc::strong_count(&thing), 1);
    // A guard keeps its token, and what that comes from is heard.
    let root = CancelToken::new();
    let guard = hold(&root.child());
    root.cancel();
    assert_eq!(Arc::strong_count(&thing), 1);
    drop(guard);
}

/// A closure whose drop uses the token is not dropped under a lock.
#[test]
fn closures_may_use_the_token_as_they_are_dropped() {
    struct Noisy(CancelToken, Calls);
    impl Drop for Noisy {
        fn drop(&mut self) {
            drop(self.0.child());
            drop(self.0.on_cancel(self.1.one()));
        }
    }
    let _watchdog = Watchdog::start();
    let (root, calls) = (CancelToken::new(), Calls::default());
    let noisy = || Noisy(root.clone(), calls.clone());
    let (first, second) = (noisy(), noisy());
    drop(root.on_cancel(move || drop(first)));
    let child = root.child();
    child.on_cancel(move || drop(second)).detach();
    drop(child);
    assert_eq!(calls.count(), 0);
    let third = noisy();
    root.on_cancel(move || drop(third)).detach();
    root.cancel();
    assert_eq!(calls.count(), 1);
}

#[test]
fn what_is_shown() {
    let token = CancelToken::new();
    assert_eq!(format!("{token:?}"), "CancelToken { cancelled: false, .. }");
    token.cancel();
    assert_eq!(format!("{token:?}"), "CancelToken { cancelled: true, .. }");
    let timed = CancelToken::with_timeout(Duration::from_secs(60));
    assert!(format!("{timed:?}").contains("remaining: "));
    assert!(token == token.clone() && token != timed);
    assert_eq!(AcquireError::from(Cancelled).to_string(), "wait for a permit was cancelled");
    assert_eq!(PopError::Cancelled.to_string(), "pop was cancelled");
    let queue = BlockingQueue::new(1);
    let refused = queue.push_cancellable(1, &token).unwrap_err();
    assert_eq!(refused.to_string(), "push was cancelled");
}

/// Tokens, children and callbacks come and go in many threads while some cancel: each callback is
/// called or taken back, never both.
#[test]
fn a_tree_under_load() {
    let watchdog = Watchdog::start();
    let (rounds, seed) = (scaled(200), seed());
    for round in 0..rounds as u64 {
        let root = CancelToken::new();
        let shared: Vec<_> = (0..4).map(|_| root.child()).collect();
        let calls = Calls::default();
        let after = AtomicU32::new(0);
        together(crowd(), |i| {
            let mut rng = Rng::stream(seed ^ round, i as u64);
            for step in 0..20 {
                let base = &shared[rng.below(4) as usize];
                let child = base.child();
                let called = Arc::new(AtomicU32::new(0));
                let (mine, all) = (called.clone(), calls.one());
                let guard = child.on_cancel(move || {
                    mine.fetch_add(1, Relaxed);
                    all();
                });
                let grandchild = child.child();
                if rng.one_in(2) {
                    drop(child);
                }
                match rng.below(8) {
                    0 => assert!(grandchild.cancel() || grandchild.is_cancelled()),
                    1 => assert!(base.cancel() || base.is_cancelled()),
                    2 if step == 19 => assert!(root.cancel() || root.is_cancelled()),
                    _ => {}
                }
                if base.is_cancelled() {
                    assert!(grandchild.is_cancelled());
                }
                drop(guard);
                let times = called.load(Relaxed);
                assert!(times <= 1);
                after.fetch_add(times, Relaxed);
            }
        });
        root.cancel();
        assert!(shared.iter().all(CancelToken::is_cancelled));
        assert_eq!(calls.count(), after.load(Relaxed), "called after its guard was dropped");
        watchdog.tick();
    }
}
