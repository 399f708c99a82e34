//! `wait_any`: behaviour, load, and the same again where the kernel refuses to sleep on several
//! words.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::{
    Deadline, Event, Latch, Semaphore, Taken, TakenKind, WaitGroup, Waitable, wait_any,
    wait_any_for, wait_any_until,
};

use super::support::random::{Rng, seed};
use super::support::threads::{asleep, crowd, join_all, together};
use super::support::watchdog::Watchdog;
use super::support::{child, errno, say, scaled, seccomp};

/// Which one was taken; a permit is kept for good.
fn index(taken: Taken<'_>) -> usize {
    if let TakenKind::Permit(permit) = taken.kind {
        permit.forget();
    }
    taken.index
}

/// One of each kind, none of them there.
struct Kinds {
    manual: Event,
    auto: Event,
    semaphore: Semaphore,
    latch: Latch,
    group: WaitGroup,
}

impl Kinds {
    fn new() -> Self {
        let group = WaitGroup::new();
        group.add(1);
        Self {
            manual: Event::manual(),
            auto: Event::auto(),
            semaphore: Semaphore::new(0),
            latch: Latch::new(1),
            group,
        }
    }

    fn list(&self) -> [&dyn Waitable; 5] {
        [&self.manual, &self.auto, &self.semaphore, &self.latch, &self.group]
    }

    fn fire(&self, which: usize) {
        match which {
            0 => self.manual.set(),
            1 => self.auto.set(),
            2 => self.semaphore.release(1).unwrap(),
            3 => self.latch.count_down(1),
            _ => self.group.done(),
        }
    }

    /// Of the two that are used up, those that are there.
    fn left(&self) -> (bool, u32) {
        (self.auto.is_set(), self.semaphore.available())
    }
}

#[test]
fn what_is_there_is_taken() {
    for which in 0..5 {
        let kinds = Kinds::new();
        kinds.fire(which);
        let taken = wait_any(&kinds.list());
        assert_eq!(taken.index, which);
        match taken.kind {
            TakenKind::Permit(permit) => assert_eq!((which, permit.permits()), (2, 1)),
            TakenKind::Came => assert_ne!(which, 2),
            kind => panic!("{kind:?}"),
        }
        assert_eq!(kinds.left(), (false, u32::from(which == 2)), "the permit went back");
    }
}

#[test]
fn the_first_of_the_list_is_taken_and_no_other() {
    let kinds = Kinds::new();
    (1..4).for_each(|which| kinds.fire(which));
    assert_eq!(index(wait_any(&kinds.list())), 1);
    assert_eq!(kinds.left(), (false, 1));
    assert_eq!(index(wait_any(&kinds.list())), 2);
    assert_eq!(kinds.left(), (false, 0));
    assert_eq!(index(wait_any(&kinds.list())), 3);
    assert_eq!(index(wait_any(&kinds.list())), 3, "a latch stays open");
}

fn a_sleeper_is_woken_by_each_kind() {
    let _watchdog = Watchdog::start();
    for which in 0..5 {
        let kinds = Kinds::new();
        thread::scope(|s| {
            let sleeper = asleep(s, None, || index(wait_any(&kinds.list())));
            kinds.fire(which);
            assert_eq!(sleeper.join().unwrap(), which);
        });
        assert_eq!(kinds.left(), (false, 0));
    }
}

/// What woke everybody who waited has come, also if it is undone before they look.
fn what_has_passed_has_come() {
    let _watchdog = Watchdog::start();
    for _ in 0..scaled(20) {
        let kinds = Kinds::new();
        thread::scope(|s| {
            let sleepers = [(); 3].map(|()| asleep(s, None, || index(wait_any(&kinds.list()))));
            kinds.manual.set();
            assert!(kinds.manual.reset());
            assert_eq!(join_all(sleepers), [0; 3]);
            let sleepers = [(); 3].map(|()| asleep(s, None, || index(wait_any(&kinds.list()))));
            kinds.group.done();
            kinds.group.add(1);
            assert_eq!(join_all(sleepers), [4; 3]);
        });
    }
}

/// One thread sleeps for two things that come at once, another for the second alone.
fn a_wake_up_that_is_not_used_is_passed_on() {
    let watchdog = Watchdog::start();
    for round in 0..scaled(200) {
        let (first, second) = (Event::auto(), Semaphore::new(0));
        let turned = Event::auto();
        thread::scope(|s| {
            let any = asleep(s, None, || index(wait_any(&[&first, &second, &turned])));
            let other = asleep(s, None, || second.acquire().unwrap().forget());
            let third = asleep(s, None, || turned.wait());
            if round % 2 == 0 {
                first.set();
                second.release(1).unwrap();
                turned.set();
            } else {
                turned.set();
                second.release(1).unwrap();
                first.set();
            }
            // Whatever it took has to come once more for who waits for nothing else.
            match any.join().unwrap() {
                0 => {}
                1 => second.release(1).unwrap(),
                _ => turned.set(),
            }
            other.join().unwrap();
            third.join().unwrap();
        });
        assert_eq!((second.available(), turned.is_set()), (0, false));
        watchdog.tick();
    }
}

/// As many permits as there are places in the lists of those who sleep.
fn one_thing_twice() {
    let _watchdog = Watchdog::start();
    let semaphore = Semaphore::new(0);
    for _ in 0..scaled(50) {
        thread::scope(|s| {
            let any = asleep(s, None, || index(wait_any(&[&semaphore, &semaphore])));
            let other = asleep(s, None, || semaphore.acquire().unwrap().forget());
            semaphore.release(2).unwrap();
            any.join().unwrap();
            other.join().unwrap();
        });
        assert_eq!(semaphore.available(), 0);
    }
}

fn limits_in_the_past_and_of_zero_look_once() {
    let past = Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
    let kinds = Kinds::new();
    for _ in 0..2 {
        assert!(wait_any_for(&kinds.list(), Duration::ZERO).is_none());
        assert!(wait_any_until(&kinds.list(), past).is_none());
        assert!(wait_any_until(&kinds.list(), Deadline::now()).is_none());
    }
    for which in [1, 2] {
        kinds.fire(which);
        assert_eq!(wait_any_until(&kinds.list(), past).map(index), Some(which));
        kinds.fire(which);
        assert_eq!(wait_any_for(&kinds.list(), Duration::ZERO).map(index), Some(which));
    }
    assert_eq!(kinds.left(), (false, 0));
}

fn a_limit_is_waited_out() {
    let kinds = Kinds::new();
    for wait in [Duration::from_millis(1), Duration::from_millis(35)] {
        let start = Instant::now();
        assert!(wait_any_for(&kinds.list(), wait).is_none());
        assert!(start.elapsed() >= wait);
        let until = Instant::now() + wait;
        assert!(wait_any_until(&kinds.list(), until).is_none());
        assert!(Instant::now() >= until);
    }
}

fn limits_beyond_the_end_of_time_wait() {
    let _watchdog = Watchdog::start();
    let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
    for way in 0..3 {
        let kinds = Kinds::new();
        thread::scope(|s| {
            let sleeper = asleep(s, None, || match way {
                0 => wait_any_for(&kinds.list(), Duration::MAX).map(index),
                1 => wait_any_until(&kinds.list(), far).map(index),
                _ => wait_any_until(&kinds.list(), Deadline::NEVER).map(index),
            });
            kinds.fire(4);
            assert_eq!(sleeper.join().unwrap(), Some(4));
        });
    }
}

/// Whoever gives up leaves those alone who do not, and is not counted any more.
fn giving_up_takes_nobody_s_turn() {
    let _watchdog = Watchdog::start();
    let kinds = Kinds::new();
    thread::scope(|s| {
        let patient = asleep(s, None, || kinds.auto.wait());
        let other = asleep(s, None, || kinds.semaphore.acquire().unwrap().forget());
        assert!(wait_any_for(&kinds.list(), Duration::from_millis(2)).is_none());
        kinds.auto.set();
        kinds.semaphore.release(1).unwrap();
        patient.join().unwrap();
        other.join().unwrap();
    });
    assert!(format!("{:?}", kinds.semaphore).contains("waiters: 0"), "{:?}", kinds.semaphore);
}

#[test]
fn nothing_comes_of_nothing() {
    assert!(catch_unwind(|| wait_any(&[]).index).is_err());
    assert!(catch_unwind(|| wait_any_for(&[], Duration::MAX).is_some()).is_err());
    assert!(catch_unwind(|| wait_any_until(&[], Deadline::NEVER).is_some()).is_err());
    let (start, wait) = (Instant::now(), Duration::from_millis(15));
    assert!(wait_any_for(&[], wait).is_none());
    assert!(start.elapsed() >= wait);
    assert!(wait_any_until(&[], Instant::now()).is_none());
}

/// Also longer lists than the kernel takes at once.
fn long_lists() {
    let _watchdog = Watchdog::start();
    for count in [2, 8, 9, 128, 129, 300] {
        let semaphores: Vec<_> = (0..count).map(|_| Semaphore::new(0)).collect();
        let list: Vec<&dyn Waitable> = semaphores.iter().map(|one| one as &dyn Waitable).collect();
        for which in [0, 1, count / 2, count - 1] {
            assert!(wait_any_for(&list, Duration::from_millis(1)).is_none());
            semaphores[which].release(1).unwrap();
            assert_eq!(index(wait_any(&list)), which);
            thread::scope(|s| {
                let sleeper = asleep(s, None, || index(wait_any(&list)));
                semaphores[which].release(1).unwrap();
                assert_eq!(sleeper.join().unwrap(), which);
            });
        }
        let idle = semaphores
            .iter()
            .all(|one| one.available() == 0 && format!("{one:?}").contains("waiters: 0"));
        assert!(idle, "nobody stays announced, nothing is left");
    }
}

/// Permits or not, a closed one answers, and says that there is no permit.
fn closed_semaphores_answer() {
    let _watchdog = Watchdog::start();
    for permits in [0, 3] {
        let kinds = Kinds::new();
        kinds.semaphore.release(permits).unwrap();
        kinds.semaphore.close();
        let taken = wait_any(&kinds.list());
        assert!(matches!(taken, Taken { index: 2, kind: TakenKind::Closed }), "{taken:?}");
        assert_eq!(kinds.semaphore.available(), permits);
    }
    let kinds = Kinds::new();
    thread::scope(|s| {
        let sleepers = [(); 3].map(|()| {
            asleep(s, None, || {
                let taken = wait_any(&kinds.list());
                (taken.index, matches!(taken.kind, TakenKind::Closed))
            })
        });
        assert!(kinds.semaphore.close());
        assert_eq!(join_all(sleepers), [(2, true); 3]);
    });
}

#[test]
fn references_of_all_sorts() {
    let (event, latch) = (Arc::new(Event::manual()), Latch::new(1));
    let boxed: Vec<Arc<dyn Waitable>> = vec![event.clone(), Arc::new(Semaphore::new(1))];
    let list: Vec<&dyn Waitable> = boxed.iter().map(|one| one as &dyn Waitable).collect();
    assert!(matches!(wait_any(&list), Taken { index: 1, kind: TakenKind::Permit(_) }));
    event.set();
    assert_eq!(wait_any(&[&latch, &event]).index, 1);
    assert_eq!(wait_any(&[&&latch, &&*event]).index, 1);
    // A list is made once and used by several threads.
    thread::scope(|s| {
        let threads = [(); 2].map(|()| s.spawn(|| wait_any(&list).index));
        assert_eq!(join_all(threads), [0; 2]);
    });
}

#[test]
fn debug_shows_what_was_taken() {
    let (event, semaphore) = (Event::manual(), Semaphore::new(1));
    let taken = format!("{:?}", wait_any(&[&event, &semaphore]));
    assert!(taken.starts_with("Taken { index: 1, kind: Permit(SemaphorePermit"), "{taken}");
    event.set();
    let taken = wait_any(&[&event, &semaphore]);
    assert_eq!(format!("{taken:?}"), "Taken { index: 0, kind: Came }");
}

/// Without limits: a wake-up that is lost ends the test.
fn every_token_is_taken_once() {
    take_tokens(false);
}

fn every_token_is_taken_once_with_limits() {
    take_tokens(true);
}

/// Every token is taken once, by threads that wait for all of them, each in an order of its own,
/// and by threads that wait for one.
fn take_tokens(limits: bool) {
    const TOKENS: usize = 4;
    let (watchdog, seed) = (Watchdog::start(), seed());
    let each = scaled(400);
    let semaphores = [const { Semaphore::new(0) }; TOKENS];
    let events = [const { Event::auto() }; TOKENS];
    // One for each event: its last set was taken.
    let acknowledged = [const { Event::auto() }; TOKENS];
    let (stop, taken) = (Event::manual(), AtomicUsize::new(0));
    let over = AtomicBool::new(false);
    let total = 2 * TOKENS * each;
    let take = |n: usize| {
        if taken.fetch_add(n, Relaxed) + n == total {
            over.store(true, Relaxed);
            stop.set();
            semaphores.iter().for_each(|one| _ = one.close());
            events[0].set(); // for who waits for this one alone
        }
        watchdog.tick();
    };
    let any = |me: usize| {
        let mut rng = Rng::stream(seed, me as u64);
        loop {
            let shift = rng.below(TOKENS as u64) as usize;
            let order: Vec<usize> = (0..TOKENS).map(|i| (i + shift) % TOKENS).collect();
            let mut list: Vec<&dyn Waitable> = Vec::new();
            for &i in &order {
                list.extend([&events[i] as &dyn Waitable, &semaphores[i]]);
            }
            list.push(&stop);
            let waited = if limits && rng.one_in(2) {
                wait_any_for(&list, Duration::from_nanos(rng.below(100_000)))
            } else {
                Some(wait_any(&list))
            };
            let Some(got) = waited else { continue };
            if over.load(Relaxed) {
                events[0].set(); // it may have been what was taken
                return;
            }
            if got.index < 2 * TOKENS && got.index % 2 == 0 {
                acknowledged[order[got.index / 2]].set();
            }
            match got.kind {
                TakenKind::Permit(permit) => permit.forget(),
                TakenKind::Came if got.index < 2 * TOKENS => {}
                kind => panic!("{kind:?} of {} before the end", got.index),
            }
            take(1);
        }
    };
    let anybody = crowd();
    together(anybody + 2 + 2 * TOKENS, |me| match me.checked_sub(anybody) {
        None => any(me),
        Some(0) => loop {
            events[0].wait();
            if over.load(Relaxed) {
                return;
            }
            acknowledged[0].set();
            take(1);
        },
        Some(1) => {
            while let Ok(permit) = semaphores[1].acquire() {
                permit.forget();
                take(1);
            }
        }
        Some(producer) => {
            let mut rng = Rng::stream(seed, me as u64);
            let which = (producer - 2) / 2;
            for _ in 0..each {
                if producer % 2 == 0 {
                    semaphores[which].release(1).unwrap();
                } else {
                    events[which].set();
                    acknowledged[which].wait();
                }
                if rng.one_in(8) {
                    thread::yield_now();
                }
            }
        }
    });
    assert_eq!(taken.into_inner(), total);
    assert!(semaphores.iter().all(|one| one.available() == 0));
}

/// What sleeps, so that it matters how: run here, and where the kernel refuses.
const ASLEEP: &[(&str, fn())] = &[
    ("a_sleeper_is_woken_by_each_kind", a_sleeper_is_woken_by_each_kind),
    ("what_has_passed_has_come", what_has_passed_has_come),
    ("a_wake_up_that_is_not_used_is_passed_on", a_wake_up_that_is_not_used_is_passed_on),
    ("one_thing_twice", one_thing_twice),
    ("limits_in_the_past_and_of_zero_look_once", limits_in_the_past_and_of_zero_look_once),
    ("a_limit_is_waited_out", a_limit_is_waited_out),
    ("limits_beyond_the_end_of_time_wait", limits_beyond_the_end_of_time_wait),
    ("giving_up_takes_nobody_s_turn", giving_up_takes_nobody_s_turn),
    ("long_lists", long_lists),
    ("closed_semaphores_answer", closed_semaphores_answer),
    ("every_token_is_taken_once", every_token_is_taken_once),
    ("every_token_is_taken_once_with_limits", every_token_is_taken_once_with_limits),
];

macro_rules! asleep_here {
    ($($name:ident)*) => {
        mod here {
            $(#[test]
            fn $name() {
                super::$name();
            })*

            #[test]
            fn all_that_sleeps_is_run_here() {
                let here = [$(stringify!($name)),*];
                assert!(super::ASLEEP.iter().map(|case| case.0).eq(here));
            }
        }
    };
}

asleep_here! {
    a_sleeper_is_woken_by_each_kind
    what_has_passed_has_come
    a_wake_up_that_is_not_used_is_passed_on
    one_thing_twice
    limits_in_the_past_and_of_zero_look_once
    a_limit_is_waited_out
    limits_beyond_the_end_of_time_wait
    giving_up_takes_nobody_s_turn
    long_lists
    closed_semaphores_answer
    every_token_is_taken_once
    every_token_is_taken_once_with_limits
}

/// Exit status of a child that could not forbid itself anything.
const NO_SECCOMP: i32 = 77;

/// In a child: everything again, with a kernel that answers `error` to `futex_waitv`, from its
/// start or from the moment when it has been used. In the parent: how that went.
fn without_the_call(test: &str, error: i32, used_before: bool) {
    if !child::is(test) {
        let output = child::run(test, test);
        if output.status.code() == Some(NO_SECCOMP) {
            return say(&format!("SKIP {test}: no seccomp filters here"));
        }
        return child::assert_exit(&output, 0);
    }
    if used_before {
        a_sleeper_is_woken_by_each_kind();
    }
    // The threads that are started from here on inherit it.
    if !seccomp::answer(libc::SYS_futex_waitv, error) {
        // SAFETY: ends the process and runs nothing else of it.
        unsafe { libc::_exit(NO_SECCOMP) };
    }
    // SAFETY: no list, so no memory; it is refused before it is looked at.
    let refused = unsafe { libc::syscall(libc::SYS_futex_waitv, 0, 0, 0, 0, 0) };
    assert_eq!((refused, errno()), (-1, error), "the filter is in force");
    for (name, case) in ASLEEP {
        let done = catch_unwind(AssertUnwindSafe(case));
        assert!(done.is_ok(), "{name}, without the call");
    }
}

#[test]
fn a_filter_that_says_eperm() {
    without_the_call("wait_any::a_filter_that_says_eperm", libc::EPERM, true);
}

#[test]
fn a_filter_that_says_eacces() {
    without_the_call("wait_any::a_filter_that_says_eacces", libc::EACCES, false);
}

#[test]
fn a_kernel_without_the_call() {
    without_the_call("wait_any::a_kernel_without_the_call", libc::ENOSYS, false);
}

/// No memory for the list of words: the answer is the same.
#[test]
fn a_kernel_without_memory() {
    without_the_call("wait_any::a_kernel_without_memory", libc::ENOMEM, false);
}
