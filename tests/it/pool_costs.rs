//! What a pool costs while it is idle, and for each task: system calls, time on a processor, blocks
//! of memory.
//!
//! Calls are counted the hard way: a child process forbids itself and all its threads every system
//! call but a few, on pain of death.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::thread;
use std::time::Duration;

use lockwork::pool::{Builder, Growth, JoinHandle, ThreadPool};

use super::support::proc::{tid, until_asleep};
use super::support::watchdog::Watchdog;
use super::support::{child, say, seccomp};

/// Exit status of a child that could not forbid itself anything.
const NO_SECCOMP: i32 = 77;

/// Ends the child at once, whatever its threads are doing.
fn leave(status: i32) -> ! {
    // SAFETY: ends the process and runs nothing else of it.
    unsafe { libc::_exit(status) }
}

/// From here on no thread of this process makes a call that is not among `allowed`, or to end it.
fn forbid_all_but(allowed: &[libc::c_long]) {
    let mut all = [&[libc::SYS_exit_group], allowed].concat();
    if cfg!(lockwork_chaos) {
        all.push(libc::SYS_sched_yield);
    }
    // The harness's own thread, which waits for this one, may be on its way to sleep.
    until_asleep(std::process::id(), None);
    if !seccomp::forbid_all_but(&all) {
        leave(NO_SECCOMP);
    }
}

/// The name of the calling test, which is how libtest starts it by itself.
fn this_test() -> String {
    thread::current().name().expect("the harness names its threads").to_owned()
}

/// In the parent, `true` after it has judged the child's end.
fn is_parent(check: impl FnOnce(&std::process::Output)) -> bool {
    let test = this_test();
    if child::is(&test) {
        return false;
    }
    let output = child::run(&test, &test);
    if output.status.code() == Some(NO_SECCOMP) {
        say(&format!("SKIP {test}: no seccomp filters here"));
    } else {
        check(&output);
    }
    true
}

/// Pools of every kind of queue and growth.
fn kinds() -> [Builder; 5] {
    let builder = || ThreadPool::builder().core_threads(1).max_threads(2);
    [
        builder(),
        builder().unbounded(),
        builder().handoff(),
        builder().growth(Growth::QueueFirst),
        builder().growth(Growth::OnDelay { target: Duration::from_millis(1) }),
    ]
}

/// A pool whose workers sleep, having worked.
fn idle(builder: Builder) -> ThreadPool {
    let pool = builder.build().unwrap();
    for _ in 0..100 {
        pool.submit_blocking(|| ()).unwrap().join().unwrap();
    }
    pool.wait_idle();
    for worker in pool.worker_info() {
        until_asleep(worker.tid.expect("it has worked"), None);
    }
    pool
}

/// All workers of five pools sleep; a call by any of them would be its last, and the process's.
#[test]
fn an_idle_pool_makes_no_system_call() {
    if is_parent(|output| child::assert_exit(output, 0)) {
        return;
    }
    // Ends above the core within the test would be calls: the time-out is a minute.
    let _pools = kinds().map(idle);
    // This thread only waits, by these.
    forbid_all_but(&[libc::SYS_clock_nanosleep, libc::SYS_nanosleep, libc::SYS_restart_syscall]);
    thread::sleep(Duration::from_millis(500));
    leave(0);
}

/// The same test, of a pool that is not idle: so the ban is in force for the workers too.
#[test]
fn a_pool_that_is_woken_makes_one() {
    if is_parent(|output| child::assert_signal(output, libc::SIGSYS)) {
        return;
    }
    let pool = idle(ThreadPool::builder().threads(1));
    forbid_all_but(&[libc::SYS_clock_nanosleep, libc::SYS_nanosleep]);
    let _ = pool.execute(|| ());
    thread::sleep(Duration::from_secs(10));
    leave(0);
}

/// Nor does it take any time on a processor, not a nanosecond of it.
#[test]
fn idle_workers_have_no_time_on_a_processor() {
    let _watchdog = Watchdog::start();
    let pools = kinds().map(idle);
    let times = || {
        let workers = pools.iter().flat_map(|pool| pool.worker_info());
        workers.map(|worker| worker.cpu_time.expect("it is there")).collect::<Vec<_>>()
    };
    // A worker that the kernel names as asleep may be on its last steps to it.
    let mut before = times();
    loop {
        thread::sleep(Duration::from_millis(2));
        let now = times();
        if now == before {
            break;
        }
        before = now;
    }
    thread::sleep(Duration::from_millis(200));
    assert_eq!(times(), before);
    assert!(before.iter().all(|time| *time > Duration::ZERO), "they have worked: {before:?}");
}

#[test]
fn workers_say_who_they_are() {
    let _watchdog = Watchdog::start();
    let pool = ThreadPool::builder().threads(1).build().unwrap();
    let own = pool.submit(tid).unwrap().join().unwrap();
    pool.wait_idle();
    let [worker] = &pool.worker_info()[..] else { panic!("one thread") };
    assert_eq!(worker.tid, Some(own));
    let before = worker.cpu_time.unwrap();
    let work = || {
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_millis(5) {
            black_box(());
        }
    };
    pool.submit(work).unwrap().join().unwrap();
    assert!(pool.worker_info()[0].cpu_time.unwrap() > before);
    let handle = pool.handle();
    drop(pool);
    assert!(handle.worker_info().is_empty());
}

/// The one worker runs a task that polls, until the last of the others is queued.
fn awake(pool: &ThreadPool, go: &Arc<AtomicBool>) {
    let (runs, go) = (Arc::new(AtomicBool::new(false)), go.clone());
    let started = runs.clone();
    pool.execute(move || {
        started.store(true, Release);
        while !go.load(Acquire) {
            std::hint::spin_loop();
        }
    })
    .unwrap();
    while !runs.load(Acquire) {
        thread::yield_now();
    }
}

const TASKS: usize = 1000;

/// A thousand tasks are queued beside a busy worker, which then runs them.
#[test]
fn execute_makes_no_system_call_while_a_worker_is_awake() {
    if is_parent(|output| child::assert_exit(output, 0)) {
        return;
    }
    let pool = ThreadPool::builder().threads(1).queue_capacity(TASKS + 2).build().unwrap();
    let (go, ran) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    awake(&pool, &go);
    forbid_all_but(&[]);
    for i in 0..TASKS {
        let ran = ran.clone();
        let accepted = pool.execute(move || {
            let before = ran.fetch_add(1, Relaxed);
            if before != i {
                leave(1);
            }
        });
        if accepted.is_err() {
            leave(2);
        }
    }
    // The last task ends the process, before the worker finds nothing more to do.
    let last = pool.execute(move || leave(if ran.load(Relaxed) == TASKS { 0 } else { 3 }));
    if last.is_err() {
        leave(4);
    }
    go.store(true, Release);
    loop {
        std::hint::spin_loop();
    }
}

/// The same with handles, whose blocks the allocator may have to ask for; and joins of what has
/// ended.
#[test]
fn submit_and_join_make_no_system_call_while_a_worker_is_awake() {
    if is_parent(|output| child::assert_exit(output, 0)) {
        return;
    }
    let pool = ThreadPool::builder().threads(1).queue_capacity(TASKS + 2).build().unwrap();
    let go = Arc::new(AtomicBool::new(false));
    awake(&pool, &go);
    let mut tasks: Vec<JoinHandle<usize>> = Vec::with_capacity(TASKS);
    forbid_all_but(&[
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
    ]);
    for i in 0..TASKS {
        tasks.push(pool.submit(move || i).unwrap_or_else(|_| leave(2)));
    }
    let never = pool.execute(|| {
        loop {
            std::hint::spin_loop();
        }
    });
    if never.is_err() {
        leave(3);
    }
    go.store(true, Release);
    for (i, task) in tasks.into_iter().enumerate() {
        while !task.is_finished() {
            std::hint::spin_loop();
        }
        if !matches!(task.join(), Ok(value) if value == i) {
            leave(4);
        }
    }
    leave(0);
}

/// Choosing a mutant allocates.
#[cfg(not(lockwork_mutants))]
mod memory {
    use super::super::allocator::allocations;
    use super::*;

    /// A pool whose one worker polls while the others are queued.
    fn kept(stamped: bool) -> (ThreadPool, Arc<AtomicBool>) {
        let builder = ThreadPool::builder().core_threads(1).max_threads(1).queue_capacity(600);
        let growth = match stamped {
            true => Growth::OnDelay { target: Duration::from_secs(3600) },
            false => Growth::IdleFirst,
        };
        let pool = builder.growth(growth).build().unwrap();
        let go = Arc::new(AtomicBool::new(false));
        awake(&pool, &go);
        (pool, go)
    }

    /// How many blocks it takes to execute a closure of `N` bytes, and how many to run it.
    fn of_execute<const N: usize>(stamped: bool) -> (usize, usize) {
        /// Blocks asked for by the worker, up to the first task and up to the last.
        fn calls() -> usize {
            super::super::allocator::calls()
        }
        let (pool, go) = kept(stamped);
        let marks = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let mark = |at: usize| {
            let marks = marks.clone();
            move || marks[at].store(calls(), Relaxed)
        };
        pool.execute(mark(0)).unwrap();
        let used = allocations(|| {
            for i in 0..500 {
                let data = [i as u8; N];
                pool.execute(move || _ = black_box(data)).unwrap();
            }
        });
        pool.execute(mark(1)).unwrap();
        go.store(true, Release);
        pool.wait_idle();
        (used, marks[1].load(Relaxed) - marks[0].load(Relaxed))
    }

    #[test]
    fn execute_takes_none_up_to_48_bytes() {
        let _watchdog = Watchdog::start();
        assert_eq!(of_execute::<0>(false), (0, 0));
        assert_eq!(of_execute::<48>(false), (0, 0));
        assert_eq!(of_execute::<49>(false), (500, 0), "one each above that");
        assert_eq!(of_execute::<40>(true), (0, 0), "where the queue remembers when a task came");
        assert_eq!(of_execute::<41>(true), (500, 0));
    }

    /// One for the closure, its result and all that belongs to them.
    #[test]
    fn submit_takes_one() {
        let _watchdog = Watchdog::start();
        let (pool, go) = kept(false);
        let mut tasks = Vec::with_capacity(500);
        let submitted = allocations(|| {
            for i in 0..500_usize {
                let data = [i; 9];
                tasks.push(pool.submit(move || black_box(data)).unwrap());
            }
        });
        go.store(true, Release);
        pool.wait_idle();
        let joined = allocations(|| {
            for (i, task) in tasks.drain(..).enumerate() {
                assert_eq!(task.join().unwrap(), [i; 9]);
            }
        });
        assert_eq!((submitted, joined), (500, 0));
    }

    /// Nor does it take one to wake a worker, and to wait for what it does.
    #[test]
    fn to_wake_and_to_wait_takes_none() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(2).build().unwrap();
        pool.submit(|| ()).unwrap().join().unwrap();
        let used = allocations(|| {
            for _ in 0..200 {
                pool.wait_idle();
                pool.submit(|| ()).unwrap().join().unwrap();
            }
        });
        assert_eq!(used, 200);
    }
}
