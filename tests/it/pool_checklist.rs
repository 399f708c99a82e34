//! The behaviours that users of `ThreadPoolExecutor` rely on, one by one, with our differences, and
//! what this pool has on top.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use std::future::Future;
use std::pin::pin;

use lockwork::cancel::CancelToken;
use lockwork::pool::{
    Builder, Cancel, CancelReason, Growth, InvokeError, Prestart, RejectAction, RejectInfo,
    RejectReason, RejectionPolicy, TaskEnd, ThreadPool, as_completed, blocking, current_token,
};
use lockwork::{Deadline, Event, Mutex, wait_any};

use super::pool::{Gate, occupy, quiet};
use super::support::proc::{thread_count, tid, until_asleep};
use super::support::threads::together;
use super::support::watchdog::Watchdog;

fn lazy(core: usize, max: usize) -> Builder {
    ThreadPool::builder().name("io").core_threads(core).max_threads(max).prestart(Prestart::None)
}

/// Waits for something that comes about by itself; the watchdog is the limit.
fn until(what: impl Fn() -> bool) {
    while !what() {
        thread::yield_now();
    }
}

fn fill(pool: &ThreadPool, count: usize) -> Vec<Gate> {
    (0..count).map(|_| occupy(pool)).collect()
}

mod counts {
    use super::*;

    #[test]
    fn active_is_what_runs() {
        let _watchdog = Watchdog::start();
        let pool = Arc::new(lazy(2, 2).build().unwrap());
        assert_eq!(pool.snapshot().active, 0);
        let inner = pool.clone();
        assert_eq!(pool.submit(move || inner.snapshot().active).unwrap().join().unwrap(), 1);
        let gate = occupy(&pool);
        until(|| pool.snapshot().active == 1);
        drop(gate);
        pool.wait_idle();
        assert_eq!(pool.snapshot().active, 0);
    }

    #[test]
    fn completed_is_what_has_returned() {
        let _watchdog = Watchdog::start();
        let pool = Arc::new(lazy(2, 2).build().unwrap());
        let inner = pool.clone();
        let seen = pool.submit(move || inner.snapshot().completed).unwrap().join().unwrap();
        assert_eq!((seen, pool.snapshot().completed), (0, 1), "counted before join returns");
        assert!(pool.submit(|| quiet("oh")).unwrap().join().is_err());
        let seen = pool.snapshot();
        assert_eq!((seen.completed, seen.panicked, seen.submitted, seen.started), (1, 1, 2, 2));
    }

    #[test]
    fn largest_is_kept() {
        let _watchdog = Watchdog::start();
        let pool = lazy(3, 3).build().unwrap();
        assert_eq!(pool.snapshot().largest, 0);
        drop(fill(&pool, 3));
        assert_eq!(pool.snapshot().largest, 3);
        pool.shutdown();
        pool.await_termination();
        let end = pool.snapshot();
        assert_eq!((end.largest, end.workers, end.idle, end.active), (3, 0, 0, 0));
    }

    #[test]
    fn a_lazy_pool_has_no_threads() {
        let _watchdog = Watchdog::start();
        let before = thread_count();
        let pool = lazy(4, 4).build().unwrap();
        assert_eq!((pool.snapshot().workers, thread_count() <= before + 4), (0, true));
        pool.submit(|| ()).unwrap().join().unwrap();
        assert_eq!(pool.snapshot().workers, 1);
        // An idle thread is used before one is added.
        for _ in 0..20 {
            pool.wait_idle();
            pool.submit(|| ()).unwrap().join().unwrap();
        }
        assert_eq!(pool.snapshot().workers, 1);
    }

    #[test]
    fn tasks_see_the_counts_and_the_end_adds_up() {
        let _watchdog = Watchdog::start();
        let pool = Arc::new(lazy(1, 1).build().unwrap());
        let gate = occupy(&pool);
        let tasks: Vec<_> = (0..10_u64)
            .map(|i| {
                assert_eq!(pool.snapshot().submitted, i + 1);
                let inner = pool.clone();
                pool.submit(move || inner.snapshot().submitted).unwrap()
            })
            .collect();
        drop(gate);
        for task in tasks {
            assert_eq!(task.join().unwrap(), 11);
        }
        let seen = pool.snapshot();
        assert_eq!((seen.submitted, seen.completed, seen.queued), (11, 11, 0));
    }

    #[test]
    fn a_running_task_is_not_queued() {
        let _watchdog = Watchdog::start();
        let pool = lazy(1, 1).build().unwrap();
        let _gate = occupy(&pool);
        for i in 0..5 {
            assert_eq!(pool.queued(), i);
            pool.execute(|| ()).unwrap();
        }
    }

    /// What `remove` and `purge` are there: the place is taken until a worker comes by.
    #[test]
    fn cancelled_tasks_are_counted_once_and_leave() {
        let _watchdog = Watchdog::start();
        let pool = lazy(1, 1).build().unwrap();
        let gate = occupy(&pool);
        let tasks: Vec<_> = (0..6).map(|i| pool.submit(move || i).unwrap()).collect();
        for task in &tasks[..3] {
            assert_eq!(task.cancel(), Cancel::Prevented);
            assert_eq!(task.cancel(), Cancel::TooLate, "once");
        }
        assert_eq!(pool.queued(), 6);
        drop(gate);
        pool.wait_idle();
        let seen = pool.snapshot();
        assert_eq!((seen.submitted, seen.completed, seen.cancelled), (7, 4, 3));
    }

    /// In every snapshot, whoever does what meanwhile.
    #[test]
    fn snapshots_are_consistent() {
        let watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(3).queue_capacity(4).build().unwrap();
        let stop = AtomicBool::new(false);
        let (pool, stop) = (&pool, &stop);
        thread::scope(|s| {
            s.spawn(|| {
                let mut last = pool.snapshot();
                while !stop.load(Relaxed) {
                    let now = pool.snapshot();
                    assert!(now.completed + now.panicked + now.cancelled <= now.submitted);
                    assert!(now.completed + now.panicked <= now.started);
                    assert!(now.idle + now.active <= now.workers && now.workers <= 3, "{now:?}");
                    assert!(now.queued <= 4);
                    for (before, after) in [
                        (last.submitted, now.submitted),
                        (last.completed, now.completed),
                        (last.panicked, now.panicked),
                        (last.cancelled, now.cancelled),
                        (last.rejected, now.rejected),
                        (last.parks, now.parks),
                        (last.wakes, now.wakes),
                    ] {
                        assert!(before <= after);
                    }
                    last = now;
                }
            });
            for i in 0..20_000_u32 {
                match i % 4 {
                    0 => drop(pool.execute(move || {
                        if i % 128 == 0 {
                            quiet("on purpose")
                        }
                    })),
                    1 => drop(pool.submit(|| ()).map(|task| task.cancel())),
                    2 => drop(pool.submit(|| ()).map(|task| task.join())),
                    _ => drop(pool.execute_blocking(|| ())),
                }
                watchdog.tick();
            }
            pool.wait_idle();
            stop.store(true, Relaxed);
        });
        let end = pool.snapshot();
        assert_eq!(end.completed + end.panicked + end.cancelled, end.submitted);
        assert_eq!(end.submitted + end.rejected, 20_000);
    }

    #[test]
    fn what_workers_do() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().name("io").threads(2).build().unwrap();
        let gate = occupy(&pool);
        let workers = pool.worker_info();
        let names: Vec<_> = workers.iter().map(|worker| &*worker.name).collect();
        assert_eq!(names, ["io-0", "io-1"]);
        assert_eq!(workers.iter().filter(|worker| worker.active).count(), 1);
        drop(gate);
        pool.wait_idle();
        let workers = pool.worker_info();
        assert!(workers.iter().all(|worker| !worker.active));
        assert_eq!(workers.iter().map(|worker| worker.completed).sum::<u64>(), 1);
    }
}

mod size {
    use super::*;

    #[test]
    fn prestart_one_and_all() {
        let _watchdog = Watchdog::start();
        let pool = lazy(2, 4).build().unwrap();
        assert!(pool.prestart_core_thread() && pool.prestart_core_thread());
        assert!(!pool.prestart_core_thread());
        assert_eq!(pool.snapshot().workers, 2);
        pool.set_core_threads(4).unwrap();
        assert!(pool.prestart_core_thread());
        assert_eq!((pool.prestart_all_core_threads(), pool.prestart_all_core_threads()), (1, 0));
        assert_eq!(pool.snapshot().workers, 4);
    }

    #[test]
    fn settings_are_seen_and_wrong_ones_change_nothing() {
        let _watchdog = Watchdog::start();
        let pool = lazy(2, 4).rejection(RejectionPolicy::Discard).build().unwrap();
        assert_eq!((pool.core_threads(), pool.threads()), (2, 4));
        assert_eq!(pool.rejection(), RejectionPolicy::Discard);
        for wrong in [
            pool.set_core_threads(5),
            pool.set_max_threads(1),
            pool.set_max_threads(0),
            pool.resize(3, 2),
            pool.resize(0, 0),
            pool.set_max_threads(usize::MAX),
        ] {
            assert!(wrong.unwrap_err().to_string().starts_with("pool \"io\": "));
            assert_eq!((pool.core_threads(), pool.threads()), (2, 4));
        }
        pool.resize(3, 6).unwrap();
        assert_eq!((pool.core_threads(), pool.threads()), (3, 6));
        pool.set_idle_timeout(Duration::ZERO).unwrap();
        assert!(pool.set_core_timeout(true).is_err());
        pool.set_idle_timeout(Duration::from_millis(1)).unwrap();
        pool.set_core_timeout(true).unwrap();
        assert!(pool.set_idle_timeout(Duration::ZERO).is_err());
        assert!(lazy(3, 2).build().is_err());
        assert!(lazy(1, 1).core_timeout(true).idle_timeout(Duration::ZERO).build().is_err());
    }

    #[test]
    fn idle_threads_above_the_core_end() {
        let _watchdog = Watchdog::start();
        let pool = lazy(1, 4).idle_timeout(Duration::from_millis(5)).build().unwrap();
        drop(fill(&pool, 4));
        until(|| pool.snapshot().workers == 1);
        // The core thread stays for a good while longer.
        thread::sleep(Duration::from_millis(20));
        assert_eq!(pool.snapshot().workers, 1);
        drop(fill(&pool, 3));
        assert_eq!(pool.snapshot().largest, 4);
    }

    #[test]
    fn core_threads_end_if_they_may_and_come_back() {
        let _watchdog = Watchdog::start();
        let pool =
            lazy(3, 3).core_timeout(true).idle_timeout(Duration::from_millis(2)).build().unwrap();
        for round in 1..=20 {
            drop(fill(&pool, 3));
            until(|| pool.snapshot().workers == 0);
            assert_eq!(pool.submit(move || round).unwrap().join().unwrap(), round);
        }
        let before = pool.snapshot();
        assert!(before.spawns >= 40, "{before:?}");
    }

    #[test]
    fn no_core_threads_at_all() {
        let _watchdog = Watchdog::start();
        for timeout in [Duration::ZERO, Duration::from_micros(1), Duration::from_secs(60)] {
            let pool = lazy(0, 2).idle_timeout(timeout).build().unwrap();
            for i in 0..200 {
                assert_eq!(pool.submit(move || i).unwrap().join().unwrap(), i);
            }
            pool.shutdown();
            pool.await_termination();
        }
    }

    #[test]
    fn grown_and_shrunk_while_it_works() {
        let watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(1).queue_capacity(64).build().unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        let stop = AtomicBool::new(false);
        let accepted: usize = thread::scope(|s| {
            s.spawn(|| {
                let mut size = 0;
                while !stop.load(Relaxed) {
                    size = size % 5 + 1;
                    pool.resize(size / 2, size).unwrap();
                    thread::yield_now();
                }
            });
            let sum = together(3, |_| {
                let mut accepted = 0;
                for _ in 0..2000 {
                    let ran = ran.clone();
                    let task = move || {
                        ran.fetch_add(1, Relaxed);
                    };
                    accepted += usize::from(pool.execute_blocking(task).is_ok());
                    watchdog.tick();
                }
                accepted
            });
            stop.store(true, Relaxed);
            sum.into_iter().sum()
        });
        pool.wait_idle();
        assert_eq!((accepted, ran.load(Relaxed)), (6000, 6000));
        pool.resize(1, 1).unwrap();
        until(|| pool.snapshot().workers == 1);
    }

    #[test]
    fn more_core_threads_for_what_is_queued() {
        let _watchdog = Watchdog::start();
        let pool = lazy(1, 8).growth(Growth::QueueFirst).build().unwrap();
        let _gate = occupy(&pool);
        let barrier = Arc::new(Barrier::new(4));
        for _ in 0..3 {
            let barrier = barrier.clone();
            pool.execute(move || {
                barrier.wait();
            })
            .unwrap();
        }
        assert_eq!(pool.snapshot().workers, 1);
        pool.set_core_threads(4).unwrap();
        barrier.wait();
        assert_eq!(pool.snapshot().workers, 4);
    }
}

mod growth {
    use super::*;

    #[test]
    fn idle_first_adds_threads_before_it_queues() {
        let _watchdog = Watchdog::start();
        let pool = lazy(0, 3).queue_capacity(2).build().unwrap();
        let gates = fill(&pool, 3);
        assert_eq!(pool.snapshot().workers, 3);
        pool.execute(|| ()).unwrap();
        pool.execute(|| ()).unwrap();
        let full = RejectReason::Full { capacity: 2 };
        assert_eq!(pool.execute(|| ()).unwrap_err().reason(), full);
        drop(gates);
    }

    #[test]
    fn queue_first_queues_before_it_adds_threads() {
        let _watchdog = Watchdog::start();
        let pool = lazy(1, 2).queue_capacity(2).growth(Growth::QueueFirst).build().unwrap();
        let gate = occupy(&pool);
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |i| {
            let order = order.clone();
            move || order.lock().push(i)
        };
        pool.execute(note(1)).unwrap();
        pool.execute(note(2)).unwrap();
        assert_eq!(pool.snapshot().workers, 1);
        // The one that finds the queue full has a thread at once, ahead of the others.
        pool.execute(note(3)).unwrap();
        assert_eq!(pool.snapshot().workers, 2);
        until(|| order.lock().len() == 3);
        assert_eq!(*order.lock(), [3, 1, 2]);
        drop(gate);
    }

    #[test]
    fn on_delay_adds_a_thread_when_tasks_wait() {
        let _watchdog = Watchdog::start();
        let target = Duration::from_millis(1);
        let pool = lazy(1, 3).growth(Growth::OnDelay { target }).build().unwrap();
        let gate = occupy(&pool);
        // The core thread is busy; the queue has room; but the head waits for too long.
        let (send, receive) = mpsc::channel();
        let first = send.clone();
        pool.execute(move || first.send(1).unwrap()).unwrap();
        while receive.try_recv().is_err() {
            thread::sleep(Duration::from_millis(2));
            pool.execute(|| ()).unwrap();
        }
        assert!(pool.snapshot().workers >= 2);
        drop(gate);
        // A closure between 40 and 48 bytes is where it belongs, and so is the stamp.
        let bytes = [7_u8; 44];
        pool.execute(move || send.send(bytes.iter().map(|&b| i32::from(b)).sum()).unwrap())
            .unwrap();
        assert_eq!(receive.recv(), Ok(7 * 44));
    }

    #[test]
    fn handoff_has_no_queue() {
        let _watchdog = Watchdog::start();
        let pool = lazy(0, 2).handoff().build().unwrap();
        let gates = fill(&pool, 2);
        let full = RejectReason::Full { capacity: 0 };
        assert_eq!(pool.try_submit(|| 5).unwrap_err().reason(), full);
        assert_eq!((pool.queued(), pool.queue_capacity()), (0, 0));
        pool.set_rejection(RejectionPolicy::DiscardOldest);
        assert_eq!(pool.execute(|| ()).unwrap_err().reason(), full, "there is no oldest");
        let late = pool.execute_for(|| (), Duration::from_millis(1)).unwrap_err();
        assert_eq!(late.reason(), RejectReason::TimedOut);
        thread::scope(|s| {
            let waits = s.spawn(|| pool.submit_blocking(|| 6).unwrap().join().unwrap());
            drop(gates);
            assert_eq!(waits.join().unwrap(), 6);
        });
        for i in 0..500 {
            assert_eq!(pool.submit_blocking(move || i).unwrap().join().unwrap(), i);
        }
        pool.shutdown();
        assert_eq!(pool.execute(|| ()).unwrap_err().reason(), RejectReason::ShutDown);
    }

    #[test]
    fn unbounded_takes_all() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(1).unbounded().build().unwrap();
        let gate = occupy(&pool);
        let ran = Arc::new(AtomicU64::new(0));
        for _ in 0..10_000 {
            let ran = ran.clone();
            pool.try_execute(move || {
                ran.fetch_add(1, Relaxed);
            })
            .unwrap();
        }
        assert_eq!((pool.queued(), pool.queue_capacity()), (10_000, usize::MAX));
        drop(gate);
        pool.wait_idle();
        assert_eq!((ran.load(Relaxed), pool.snapshot().submitted), (10_000, 10_001));
    }

    /// Each of four blocks until all have come; the pool has two threads.
    #[test]
    fn blocking_calls_have_somebody_stand_in() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(2).build().unwrap();
        let barrier = Arc::new(Barrier::new(4));
        let tasks: Vec<_> = (0..4)
            .map(|i| {
                let barrier = barrier.clone();
                let blocks = move || {
                    blocking(|| barrier.wait());
                    i
                };
                pool.submit(blocks).unwrap()
            })
            .collect();
        let sum: i32 = tasks.into_iter().map(|task| task.join().unwrap()).sum();
        assert_eq!(sum, 6);
        until(|| pool.snapshot().workers == 2);
        assert_eq!((pool.snapshot().blocked, pool.snapshot().largest), (0, 4));
        assert_eq!(blocking(|| 7), 7, "no worker");
    }

    #[test]
    fn only_so_many_stand_in() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(1).max_blocked(1).build().unwrap();
        let (gates, opened): (Vec<_>, Vec<_>) = (0..3).map(|_| mpsc::channel::<()>()).unzip();
        let (started, starts) = mpsc::channel();
        for opened in opened {
            let started = started.clone();
            let task = move || {
                started.send(()).unwrap();
                blocking(|| opened.recv().unwrap_err());
            };
            pool.execute(task).unwrap();
        }
        starts.recv().unwrap();
        starts.recv().unwrap();
        until(|| pool.snapshot().active == 2);
        assert_eq!((pool.snapshot().workers, pool.queued()), (2, 1));
        drop(gates);
        starts.recv().unwrap();
        // A panic inside takes the declaration back.
        let task = pool.submit(|| blocking(|| quiet("inside"))).unwrap();
        assert!(task.join().unwrap_err().is_panic());
        pool.wait_idle();
        assert_eq!(pool.snapshot().blocked, 0);
    }
}

mod rejection {
    use super::*;

    static CALLS: AtomicUsize = AtomicUsize::new(0);

    fn saturated(policy: RejectionPolicy) -> (ThreadPool, Gate) {
        let pool = lazy(1, 1).queue_capacity(1).rejection(policy).build().unwrap();
        let gate = occupy(&pool);
        pool.execute(|| ()).unwrap();
        (pool, gate)
    }

    #[test]
    fn custom_is_asked_once_for_each_and_counts_nothing() {
        fn choose(info: &RejectInfo<'_>) -> RejectAction {
            CALLS.fetch_add(1, Relaxed);
            assert_eq!((info.pool(), info.queued(), info.capacity()), ("io", 1, 1));
            assert_eq!(info.reason(), RejectReason::Full { capacity: 1 });
            RejectAction::Abort
        }
        let _watchdog = Watchdog::start();
        let (pool, gate) = saturated(RejectionPolicy::Custom(choose));
        let before = pool.snapshot();
        assert_eq!(pool.submit(|| 5).unwrap_err().into_inner()(), 5);
        assert!(pool.execute(|| ()).is_err());
        assert_eq!(CALLS.load(Relaxed), 2);
        let after = pool.snapshot();
        assert_eq!(after.rejected, 2);
        assert_eq!((before.submitted, before.queued), (after.submitted, after.queued));
        assert!(pool.try_execute(|| ()).is_err());
        assert_eq!(CALLS.load(Relaxed), 2, "not for those who want it back");
        pool.shutdown();
        assert_eq!(pool.execute(|| ()).unwrap_err().reason(), RejectReason::ShutDown);
        assert_eq!(CALLS.load(Relaxed), 2, "nor once it is shut down");
        drop(gate);
    }

    #[test]
    fn custom_may_choose_any_other() {
        let _watchdog = Watchdog::start();
        let (pool, gate) = saturated(RejectionPolicy::Custom(|_| RejectAction::CallerRuns));
        let here = thread::current().id();
        assert_eq!(pool.submit(|| thread::current().id()).unwrap().join().unwrap(), here);
        pool.set_rejection(RejectionPolicy::Custom(|_| RejectAction::Discard));
        let error = pool.submit(|| 5).unwrap().join().unwrap_err();
        assert_eq!(error.cancel_reason(), Some(CancelReason::Discarded));
        let soon = |_: &RejectInfo<'_>| RejectAction::BlockFor(Duration::from_millis(1));
        pool.set_rejection(RejectionPolicy::Custom(soon));
        assert_eq!(pool.execute(|| ()).unwrap_err().reason(), RejectReason::TimedOut);
        pool.set_rejection(RejectionPolicy::Custom(|_| RejectAction::DiscardOldest));
        let newest = pool.submit(|| 6).unwrap();
        pool.set_rejection(RejectionPolicy::Custom(|_| quiet("the policy")));
        let full = RejectReason::Full { capacity: 1 };
        assert_eq!(pool.submit(|| 5).unwrap_err().reason(), full, "a panic gives it back");
        assert_eq!(pool.snapshot().hook_panics, 1);
        drop(gate);
        assert_eq!(newest.join().unwrap(), 6);
    }

    #[test]
    fn block_for_a_time() {
        let _watchdog = Watchdog::start();
        let policy = RejectionPolicy::BlockFor(Duration::from_millis(3));
        let (pool, gate) = saturated(policy);
        let start = Instant::now();
        let refused = pool.submit(|| 5).unwrap_err();
        assert!(start.elapsed() >= Duration::from_millis(3));
        assert_eq!(refused.reason(), RejectReason::TimedOut);
        assert_eq!(
            refused.to_string(),
            "task rejected: queue of pool \"io\" stayed full until the deadline"
        );
        assert_eq!(refused.into_inner()(), 5);
        pool.set_rejection(RejectionPolicy::BlockFor(Duration::MAX));
        thread::scope(|s| {
            let waits = s.spawn(|| pool.submit(|| 6).unwrap().join().unwrap());
            drop(gate);
            assert_eq!(waits.join().unwrap(), 6);
        });
    }

    #[test]
    fn forms_override_the_policy() {
        let _watchdog = Watchdog::start();
        for policy in [
            RejectionPolicy::CallerRuns,
            RejectionPolicy::Discard,
            RejectionPolicy::DiscardOldest,
            RejectionPolicy::Block,
        ] {
            let (pool, gate) = saturated(policy);
            let full = RejectReason::Full { capacity: 1 };
            assert_eq!(pool.try_submit(|| 5).unwrap_err().into_inner()(), 5);
            assert_eq!(pool.try_execute(|| ()).unwrap_err().reason(), full);
            let soon = Duration::from_millis(1);
            assert_eq!(pool.submit_for(|| 5, soon).unwrap_err().reason(), RejectReason::TimedOut);
            let past = Deadline::now();
            let refused = pool.execute_until(|| (), past).unwrap_err();
            assert_eq!(refused.reason(), RejectReason::TimedOut);
            assert_eq!(pool.snapshot().discarded, 0);
            thread::scope(|s| {
                let waits = s.spawn(|| pool.submit_blocking(|| 6).unwrap().join().unwrap());
                drop(gate);
                assert_eq!(waits.join().unwrap(), 6);
            });
        }
    }

    #[test]
    fn what_saturation_leaves() {
        let _watchdog = Watchdog::start();
        for now in [false, true] {
            let pool = lazy(2, 2).queue_capacity(3).build().unwrap();
            let gates = fill(&pool, 2);
            for _ in 0..3 {
                pool.execute(|| ()).unwrap();
            }
            assert!(pool.execute(|| ()).is_err());
            let unrun = if now {
                pool.shutdown_now().len()
            } else {
                pool.shutdown();
                0
            };
            drop(gates);
            pool.await_termination();
            assert_eq!(unrun, if now { 3 } else { 0 });
            let end = pool.snapshot();
            assert_eq!((end.completed, end.cancelled), (5 - unrun as u64, unrun as u64));
        }
    }
}

mod batches {
    use super::*;

    #[test]
    fn submitted_at_once() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(2).queue_capacity(4).build().unwrap();
        let gates = fill(&pool, 2);
        let tasks = pool.submit_batch((0..6).map(|i| move || i));
        let accepted = tasks.iter().filter(|task| task.is_ok()).count();
        assert_eq!(accepted, 4);
        assert_eq!(tasks[5].as_ref().unwrap_err().reason(), RejectReason::Full { capacity: 4 });
        drop(gates);
        for (i, task) in tasks.into_iter().flatten().enumerate() {
            assert_eq!(task.join().unwrap(), i);
        }
        pool.set_rejection(RejectionPolicy::Block);
        let many = pool.submit_batch((0..1000_u64).map(|i| move || i));
        assert_eq!(
            many.into_iter().map(|task| task.unwrap().join().unwrap()).sum::<u64>(),
            499_500
        );
        // All are told, however the iterator ends.
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pool.submit_batch((0..2).map(|i| {
                if i == 1 {
                    quiet("no second");
                }
                || ()
            }))
        }));
        assert!(caught.is_err());
        pool.wait_idle();
        assert!(pool.submit_batch(Vec::<fn()>::new()).is_empty());
    }

    #[test]
    fn all_have_one_result_each() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(2).queue_capacity(2).build().unwrap();
        assert!(pool.invoke_all(Vec::<fn()>::new()).unwrap().is_empty());
        let results = pool.invoke_all((0..20).map(|i| {
            move || {
                if i == 13 {
                    quiet("thirteen");
                }
                i
            }
        }));
        for (i, result) in results.unwrap().into_iter().enumerate() {
            match result {
                Ok(value) => assert!(value == i && i != 13),
                Err(error) => assert!(error.is_panic() && i == 13),
            }
        }
        pool.shutdown();
        let refused = pool.invoke_all([|| 5]).unwrap_err();
        assert_eq!((refused.reason(), refused.into_inner()()), (RejectReason::ShutDown, 5));
    }

    #[test]
    fn all_within_a_time() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(1).build().unwrap();
        let slow = || {
            current_token().unwrap().wait();
            5
        };
        type Task = Box<dyn FnOnce() -> u32 + Send>;
        let tasks: [Task; 3] = [Box::new(|| 1), Box::new(slow), Box::new(|| 3)];
        let results = pool.invoke_all_for(tasks, Duration::from_secs(3)).unwrap();
        // Also of the one that returned as soon as it was told.
        let late = Some(CancelReason::Deadline);
        assert_eq!(*results[0].as_ref().unwrap(), 1);
        assert_eq!(results[1].as_ref().unwrap_err().cancel_reason(), late);
        assert_eq!(results[2].as_ref().unwrap_err().cancel_reason(), late);
        pool.wait_idle();
    }

    #[test]
    fn any_is_the_first_that_succeeds() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(2).build().unwrap();
        assert!(matches!(pool.invoke_any(Vec::<fn()>::new()), Err(InvokeError::Empty)));
        let tasks: [fn() -> u32; 3] = [|| quiet("one"), || quiet("two"), || 3];
        assert_eq!(pool.invoke_any(tasks).unwrap(), 3);
        let Err(InvokeError::AllFailed(last)) = pool.invoke_any([|| quiet("all")] as [fn(); 1])
        else {
            panic!("nothing succeeds")
        };
        assert!(last.is_panic());
        // The losers are told.
        let tasks: [fn() -> u32; 2] = [
            || {
                current_token().unwrap().wait();
                1
            },
            || 2,
        ];
        assert_eq!(pool.invoke_any(tasks).unwrap(), 2);
        pool.wait_idle();
        let never: [fn() -> u32; 1] = [|| {
            current_token().unwrap().wait();
            1
        }];
        let late = pool.invoke_any_for(never, Duration::from_millis(1));
        assert!(matches!(late, Err(InvokeError::TimedOut)));
        pool.shutdown();
        let shut = RejectReason::ShutDown;
        assert!(matches!(pool.invoke_any([|| 1]), Err(InvokeError::Rejected(r)) if r == shut));
    }

    #[test]
    fn as_they_come() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(2).build().unwrap();
        let (gate, opened) = mpsc::channel::<()>();
        let slow = pool.submit(move || opened.recv().unwrap_err()).unwrap();
        let mut results = as_completed([slow]);
        assert!(results.next_for(Duration::from_millis(1)).is_none());
        assert_eq!((results.left(), results.len()), (1, 1));
        drop(gate);
        assert!(results.next().unwrap().1.is_ok());
        assert!(results.next().is_none());
        for _ in 0..200 {
            let tasks: Vec<_> = (0..20).map(|i| pool.submit(move || i).unwrap()).collect();
            let mut seen: Vec<_> = as_completed(tasks)
                .map(|(i, result)| {
                    assert_eq!(result.unwrap(), i);
                    i
                })
                .collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..20));
        }
    }

    /// One thread, whose task waits for twenty others.
    #[test]
    fn inside_a_task() {
        let _watchdog = Watchdog::start();
        let pool = Arc::new(ThreadPool::builder().threads(1).queue_capacity(30).build().unwrap());
        let inner = pool.clone();
        let task = move || {
            let all: u32 =
                inner.invoke_all((0..20).map(|i| move || i)).unwrap().into_iter().flatten().sum();
            let any = inner.invoke_any([|| 7]).unwrap();
            let handles: Vec<_> = inner.submit_batch([|| 1, || 2]).into_iter().flatten().collect();
            let each: u32 = as_completed(handles).map(|(_, result)| result.unwrap()).sum();
            (all, any, each)
        };
        assert_eq!(pool.submit(task).unwrap().join().unwrap(), (190, 7, 3));
    }
}

mod futures {
    use super::*;

    /// Wakes a thread by its handle, and counts.
    struct Unpark(thread::Thread, AtomicUsize);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.1.fetch_add(1, Relaxed);
            self.0.unpark();
        }
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        let mut future = pin!(future);
        let waker = Waker::from(Arc::new(Unpark(thread::current(), AtomicUsize::new(0))));
        let mut context = Context::from_waker(&waker);
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(output) => return output,
                Poll::Pending => thread::park(),
            }
        }
    }

    #[test]
    fn a_handle_is_one() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(2).build().unwrap();
        for i in 0..300 {
            assert_eq!(block_on(pool.submit(move || i).unwrap()).unwrap(), i);
        }
        assert!(block_on(pool.submit(|| quiet("oh")).unwrap()).unwrap_err().is_panic());
        let gate = fill(&pool, 2);
        let task = pool.submit(|| 5).unwrap();
        assert_eq!(task.cancel(), Cancel::Prevented);
        let error = block_on(task).unwrap_err();
        assert_eq!(error.cancel_reason(), Some(CancelReason::Handle));
        drop(gate);
    }

    #[test]
    fn the_last_waker_is_woken_once() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(1).build().unwrap();
        let gate = occupy(&pool);
        let mut task = pin!(pool.submit(|| 5).unwrap());
        let wakers = [(); 3].map(|()| Arc::new(Unpark(thread::current(), AtomicUsize::new(0))));
        for waker in &wakers {
            let waker = Waker::from(waker.clone());
            assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(gate);
        until(|| wakers[2].1.load(Relaxed) == 1);
        let counts = wakers.each_ref().map(|waker| waker.1.load(Relaxed));
        assert_eq!(counts, [0, 0, 1]);
        let waker = Waker::noop();
        let Poll::Ready(Ok(5)) = task.as_mut().poll(&mut Context::from_waker(waker)) else {
            panic!("it was woken as it is ready")
        };
        assert_eq!(Arc::strong_count(&wakers[2]), 1, "wakers are dropped");
    }

    #[test]
    fn submit_async_waits_for_room() {
        let watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(1).queue_capacity(1).build().unwrap();
        assert_eq!(block_on(async { pool.submit_async(|| 5).await.unwrap().await }).unwrap(), 5);
        let gate = occupy(&pool);
        pool.execute(|| ()).unwrap();
        let (pool, ran) = (&pool, Arc::new(AtomicUsize::new(0)));
        thread::scope(|s| {
            for _ in 0..4 {
                let ran = ran.clone();
                s.spawn(move || {
                    for _ in 0..100 {
                        let ran = ran.clone();
                        let task = move || {
                            ran.fetch_add(1, Relaxed);
                        };
                        drop(block_on(pool.submit_async(task)).unwrap());
                    }
                });
            }
            watchdog.tick();
            drop(gate);
        });
        pool.wait_idle();
        assert_eq!(ran.load(Relaxed), 400);
    }

    #[test]
    fn one_that_is_dropped_withdraws_and_passes_its_wake_on() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(1).queue_capacity(1).build().unwrap();
        let gate = occupy(&pool);
        pool.execute(|| ()).unwrap();
        let wakers = [(); 2].map(|()| Arc::new(Unpark(thread::current(), AtomicUsize::new(0))));
        let mut waits = wakers.each_ref().map(|waker| {
            let mut wait = Box::pin(pool.submit_async(|| 7));
            let waker = Waker::from(waker.clone());
            assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            Some(wait)
        });
        let told = || wakers.each_ref().map(|waker| waker.1.load(Relaxed));
        drop(gate);
        until(|| told()[0] == 1);
        waits[0] = None;
        until(|| told()[1] == 1);
        let second = block_on(waits[1].take().unwrap()).unwrap();
        assert_eq!(second.join().unwrap(), 7);
        assert_eq!(pool.snapshot().submitted, 3, "what was dropped was not submitted");
    }

    #[test]
    fn submit_async_ends_with_the_shutdown() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(1).queue_capacity(1).build().unwrap();
        let gate = occupy(&pool);
        pool.execute(|| ()).unwrap();
        thread::scope(|s| {
            let waits = s.spawn(|| block_on(pool.submit_async(|| 7)));
            pool.shutdown();
            let refused = waits.join().unwrap().unwrap_err();
            assert_eq!((refused.reason(), refused.into_inner()()), (RejectReason::ShutDown, 7));
        });
        drop(gate);
    }

    #[test]
    fn a_handle_is_waited_for_with_others() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(2).build().unwrap();
        let event = Event::manual();
        let (gate, opened) = mpsc::channel::<()>();
        let slow = pool.submit(move || opened.recv().unwrap_err()).unwrap();
        let quick = pool.submit(|| 5).unwrap();
        assert_eq!(wait_any(&[&slow, &event, &quick]).index, 2);
        assert_eq!(quick.join().unwrap(), 5);
        event.set();
        assert_eq!(wait_any(&[&slow, &event]).index, 1);
        event.reset();
        thread::scope(|s| {
            // Two wait for one, and each is told.
            let waits = [(); 2].map(|()| s.spawn(|| wait_any(&[&event, &slow]).index));
            drop(gate);
            assert_eq!(waits.map(|wait| wait.join().unwrap()), [1, 1]);
        });
        slow.join().unwrap();
    }
}

mod tokens {
    use super::*;

    #[test]
    fn cancelled_by_a_token_before_it_starts() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(1).build().unwrap();
        let gate = occupy(&pool);
        let token = CancelToken::new();
        let first = pool.submit_with_token(&token, || 1).unwrap();
        let other = pool.submit_with_token(&CancelToken::new(), || 2).unwrap();
        token.cancel();
        drop(gate);
        assert_eq!(first.join().unwrap_err().cancel_reason(), Some(CancelReason::Token));
        assert_eq!(other.join().unwrap(), 2);
        pool.wait_idle();
        assert_eq!(pool.snapshot().cancelled, 1);
    }

    #[test]
    fn a_running_task_is_told_by_each_of_its_cancellers() {
        let _watchdog = Watchdog::start();
        for how in 0..3 {
            let pool = ThreadPool::builder().threads(1).build().unwrap();
            let token = CancelToken::new();
            let (started, starts) = mpsc::channel();
            let task = pool.submit_with_token(&token, move || {
                started.send(()).unwrap();
                current_token().unwrap().wait();
                7
            });
            let task = task.unwrap();
            starts.recv().unwrap();
            match how {
                0 => assert!(token.cancel()),
                1 => assert_eq!(task.cancel(), Cancel::Requested),
                _ => drop(pool.shutdown_now()),
            }
            assert_eq!(task.join().unwrap(), 7, "a late cancel takes no value away");
            assert_eq!(token.is_cancelled(), how == 0, "the user's own is the user's");
        }
    }

    #[test]
    fn detached_tasks_hear_of_the_stop() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(1).build().unwrap();
        let (started, starts) = mpsc::channel();
        pool.execute(move || {
            let token = current_token().unwrap();
            token.child().cancel();
            started.send(()).unwrap();
            token.wait();
        })
        .unwrap();
        starts.recv().unwrap();
        assert!(pool.shutdown_now().is_empty());
        pool.await_termination();
        assert!(current_token().is_none());
    }

    #[test]
    fn a_nested_task_has_its_own() {
        let _watchdog = Watchdog::start();
        let pool = Arc::new(ThreadPool::builder().threads(1).build().unwrap());
        let inner = pool.clone();
        let task = move || {
            let outer = current_token().unwrap();
            let nested = inner.submit(|| current_token().unwrap()).unwrap().join().unwrap();
            (outer != nested, outer == current_token().unwrap())
        };
        assert_eq!(pool.submit(task).unwrap().join().unwrap(), (true, true));
    }

    /// What an interrupt is there: it ends the wait, and neither the task nor the handle.
    #[test]
    fn a_join_is_ended_by_a_token() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(1).build().unwrap();
        let gate = occupy(&pool);
        let mut task = pool.submit(|| 5).unwrap();
        for early in [true, false] {
            let token = CancelToken::new();
            task = thread::scope(|s| {
                if early {
                    token.cancel();
                }
                let (begins, begun) = mpsc::channel();
                let inner = &token;
                let joins = s.spawn(move || {
                    begins.send(tid()).unwrap();
                    task.join_cancellable(inner)
                });
                let joiner = begun.recv().unwrap();
                if !early {
                    until_asleep(joiner, None);
                }
                token.cancel();
                joins.join().unwrap().expect_err("it has not begun")
            });
        }
        let (token, soon) = (CancelToken::new(), CancelToken::with_timeout(Duration::ZERO));
        let task = task.join_cancellable(&soon).expect_err("the time is up");
        drop(gate);
        assert_eq!(task.join_cancellable(&token).expect("in time").unwrap(), 5);
        let done = pool.submit(|| 6).unwrap();
        pool.wait_idle();
        assert_eq!(done.join_cancellable(&token).expect("at once").unwrap(), 6);
        let cancelled = CancelToken::new();
        cancelled.cancel();
        let done = pool.submit(|| 7).unwrap();
        pool.wait_idle();
        let done = done.join_cancellable(&cancelled).expect_err("a cancelled token goes first");
        assert_eq!(done.join().unwrap(), 7);
    }

    #[test]
    fn cancel_on_drop() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(1).build().unwrap();
        let gate = occupy(&pool);
        let ran = Arc::new(AtomicBool::new(false));
        let flag = ran.clone();
        drop(pool.submit(move || flag.store(true, Relaxed)).unwrap().cancel_on_drop());
        assert_eq!(Arc::strong_count(&ran), 1, "the closure is gone at once");
        let kept = pool.submit(|| 5).unwrap().cancel_on_drop().into_inner();
        drop(gate);
        assert_eq!(kept.join().unwrap(), 5);
        assert!(!ran.load(Relaxed));
    }
}

mod ending {
    use super::*;

    #[test]
    fn stages() {
        let _watchdog = Watchdog::start();
        let pool = lazy(1, 1).build().unwrap();
        assert!(!pool.is_shutdown() && !pool.is_terminating() && !pool.is_terminated());
        let gate = occupy(&pool);
        pool.shutdown();
        assert!(pool.is_shutdown() && pool.is_terminating() && !pool.is_terminated());
        drop(gate);
        pool.await_termination();
        assert!(pool.is_shutdown() && !pool.is_terminating() && pool.is_terminated());
    }

    /// One that never had a thread is not over before it is shut down, and then at once.
    #[test]
    fn of_a_pool_without_threads() {
        let _watchdog = Watchdog::start();
        let pool = lazy(2, 2).build().unwrap();
        assert!(!pool.await_termination_for(Duration::from_millis(1)) && !pool.is_terminated());
        thread::scope(|s| {
            let waits = s.spawn(|| pool.await_termination());
            pool.shutdown();
            waits.join().unwrap();
        });
        assert!(pool.is_terminated());
        drop(lazy(2, 2).build().unwrap());
    }

    #[test]
    fn now_gives_back_what_has_not_run() {
        let _watchdog = Watchdog::start();
        for kind in 0..3 {
            let builder = lazy(1, 1);
            let pool = match kind {
                0 => builder.queue_capacity(20),
                1 => builder.unbounded(),
                _ => builder.growth(Growth::OnDelay { target: Duration::from_secs(60) }),
            };
            let pool = pool.build().unwrap();
            let gate = occupy(&pool);
            let ran = Arc::new(AtomicUsize::new(0));
            let note = || {
                let ran = ran.clone();
                move || {
                    ran.fetch_add(1, Relaxed);
                }
            };
            let handle = pool.submit(note()).unwrap();
            pool.execute(note()).unwrap();
            let (large, inner) = ([0_u64; 100], note());
            let task = move || {
                assert_eq!(large.len(), 100);
                inner();
            };
            pool.execute(task).unwrap();
            let cancelled = pool.submit(note()).unwrap();
            assert_eq!(cancelled.cancel(), Cancel::Prevented);
            let unrun = pool.shutdown_now();
            assert_eq!((unrun.len(), pool.queued()), (3, 0));
            let error = handle.try_join().expect("at once").unwrap_err();
            assert_eq!(error.cancel_reason(), Some(CancelReason::PoolShutdown));
            assert_eq!(cancelled.join().unwrap_err().cancel_reason(), Some(CancelReason::Handle));
            assert!(pool.shutdown_now().is_empty());
            drop(gate);
            pool.await_termination();
            assert_eq!(ran.load(Relaxed), 0);
            for task in unrun {
                task();
            }
            assert_eq!((ran.load(Relaxed), Arc::strong_count(&ran)), (3, 1));
            let end = pool.snapshot();
            assert_eq!((end.submitted, end.completed, end.cancelled), (5, 1, 4));
        }
    }

    #[test]
    fn idle_is_when_nothing_is_left() {
        let watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(2).queue_capacity(64).build().unwrap();
        pool.wait_idle();
        let gate = occupy(&pool);
        assert!(!pool.wait_idle_for(Duration::from_millis(1)));
        assert!(!pool.wait_idle_until(Deadline::now()));
        thread::scope(|s| {
            let waits = s.spawn(|| pool.wait_idle());
            drop(gate);
            waits.join().unwrap();
        });
        let ran = Arc::new(AtomicUsize::new(0));
        for round in 1..300 {
            for _ in 0..7 {
                let ran = ran.clone();
                pool.execute(move || {
                    ran.fetch_add(1, Relaxed);
                })
                .unwrap();
            }
            pool.wait_idle();
            assert_eq!(ran.load(Relaxed), 7 * round);
            watchdog.tick();
        }
        let inner = pool.handle();
        drop(inner);
        assert!(!pool.is_shutdown());
    }

    #[test]
    fn closing_within_a_time() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().name("io").threads(2).build().unwrap();
        let gates = fill(&pool, 2);
        let running = pool.close_timeout(Duration::from_millis(1)).unwrap_err();
        assert_eq!(running.names(), ["io-0", "io-1"]);
        assert_eq!(running.to_string(), "pool \"io\" has not ended in time: io-0, io-1 still run");
        let pool = running.into_pool();
        drop(gates);
        pool.close_timeout(Duration::from_secs(3600)).unwrap();

        // Given up: the thread ends by itself.
        let pool = ThreadPool::builder().threads(1).build().unwrap();
        let (done, receive) = mpsc::channel();
        let gate = occupy(&pool);
        pool.execute(move || done.send(5).unwrap()).unwrap();
        drop(pool.close_timeout(Duration::ZERO).unwrap_err());
        drop(gate);
        assert_eq!(receive.recv(), Ok(5), "what was accepted runs");
    }

    #[test]
    fn handles_do_not_keep_it_open() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(1).build().unwrap();
        let handle = pool.handle();
        let other = handle.clone();
        assert_eq!(other.submit(|| 5).unwrap().join().unwrap(), 5);
        drop(pool);
        assert!(handle.is_shutdown());
        assert_eq!(handle.execute(|| ()).unwrap_err().reason(), RejectReason::ShutDown);
        assert_eq!(handle.submit_blocking(|| 5).unwrap_err().reason(), RejectReason::ShutDown);
    }

    /// A pool that may have no threads, shut down at the moment of a submission.
    #[test]
    fn meets_a_submission_where_there_is_no_thread() {
        let watchdog = Watchdog::start();
        for round in 0..400 {
            let pool = lazy(0, 1).idle_timeout(Duration::from_micros(round % 50)).build().unwrap();
            let ran = thread::scope(|s| {
                let submits = s.spawn(|| pool.submit(|| 5).ok());
                pool.shutdown();
                submits.join().unwrap()
            });
            pool.await_termination();
            if let Some(task) = ran {
                assert_eq!(task.try_join().expect("the pool has ended").unwrap(), 5);
            }
            watchdog.tick();
        }
    }
}

mod hooks {
    use super::*;

    #[test]
    fn are_called_around_threads_and_tasks() {
        let _watchdog = Watchdog::start();
        let log = Arc::new(Mutex::new(Vec::new()));
        let note = |text: &'static str| {
            let log = log.clone();
            move || log.lock().push(text)
        };
        let (start, stop) = (note("start"), note("stop"));
        let (completed, panicked) = (note("completed"), note("panicked"));
        let pool = ThreadPool::builder()
            .threads(1)
            .on_thread_start(move |index| {
                assert_eq!(index, 0);
                start();
            })
            .on_thread_stop(move |_| stop())
            .before_task(note("before"))
            .after_task(move |end| match end {
                TaskEnd::Completed => completed(),
                _ => panicked(),
            })
            .on_terminated(note("terminated"))
            .build()
            .unwrap();
        pool.submit(note("task")).unwrap().join().unwrap();
        let gate = occupy(&pool);
        let never = pool.submit(|| ()).unwrap();
        assert_eq!(never.cancel(), Cancel::Prevented);
        drop(gate);
        drop(pool.submit(|| quiet("oh")).unwrap().join().unwrap_err());
        pool.shutdown();
        pool.await_termination();
        pool.await_termination();
        drop(pool);
        let expected = [
            "start",
            "before",
            "task",
            "completed",
            "before",
            "completed",
            "before",
            "panicked",
            "stop",
            "terminated",
        ];
        assert_eq!(*log.lock(), expected);
    }

    #[test]
    fn that_panic_do_no_harm() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder()
            .threads(1)
            .on_thread_start(|_| quiet("start"))
            .on_thread_stop(|_| quiet("stop"))
            .before_task(|| quiet("before"))
            .after_task(|_| quiet("after"))
            .panic_handler(|_| quiet("handler"))
            .on_terminated(|| quiet("terminated"))
            .build()
            .unwrap();
        assert_eq!(pool.submit(|| 5).unwrap().join().unwrap(), 5);
        pool.execute(|| quiet("task")).unwrap();
        pool.wait_idle();
        let seen = pool.snapshot();
        assert_eq!((seen.completed, seen.panicked, seen.hook_panics), (1, 1, 6));
        pool.shutdown();
        pool.await_termination();
        assert_eq!(pool.snapshot().hook_panics, 8);
    }

    #[test]
    fn a_handler_has_the_payload_of_tasks_without_a_handle() {
        let _watchdog = Watchdog::start();
        let (send, receive) = mpsc::channel();
        let send = Mutex::new(send);
        let pool = ThreadPool::builder()
            .threads(1)
            .panic_handler(move |payload| {
                send.lock().send(*payload.downcast::<&'static str>().unwrap()).unwrap();
            })
            .build()
            .unwrap();
        pool.execute(|| quiet("for the handler")).unwrap();
        assert_eq!(receive.recv(), Ok("for the handler"));
        assert!(pool.submit(|| quiet("for the handle")).unwrap().join().is_err());
        assert!(receive.try_recv().is_err());
    }

    #[test]
    fn names_of_threads_by_number() {
        let _watchdog = Watchdog::start();
        let builder = ThreadPool::builder().threads(2).thread_name(|i| format!("n{i}"));
        let pool = builder.build().unwrap();
        assert_eq!(pool.worker_info()[1].name, "n1");
        let own = pool.submit(|| thread::current().name().map(str::to_owned)).unwrap();
        assert!(own.join().unwrap().unwrap().starts_with('n'));
        let error = ThreadPool::builder().threads(1).thread_name(|_| "\0".into()).build();
        assert!(error.unwrap_err().to_string().starts_with("cannot start worker 1 of 1"));
        let error = ThreadPool::builder().threads(1).thread_name(|_| quiet("a name")).build();
        assert!(error.unwrap_err().to_string().ends_with("the name of the thread panicked"));
    }

    /// No thread after the first can be started, as the code that names it panics, or gives what is
    /// no name.
    #[test]
    fn threads_that_cannot_be_started_lose_no_task() {
        let watchdog = Watchdog::start();
        for growth in [Growth::IdleFirst, Growth::QueueFirst] {
            let names = [|| quiet("a name"), || "\0".to_owned()];
            for name in names as [fn() -> String; 2] {
                let pool = lazy(1, 8)
                    .growth(growth)
                    .queue_capacity(4)
                    .rejection(RejectionPolicy::Block)
                    .thread_name(move |i| if i == 0 { "first".into() } else { name() })
                    .build()
                    .unwrap();
                let ran = Arc::new(AtomicUsize::new(0));
                for _ in 0..100 {
                    let ran = ran.clone();
                    pool.execute(move || {
                        thread::yield_now();
                        ran.fetch_add(1, Relaxed);
                    })
                    .unwrap();
                    watchdog.tick();
                }
                pool.wait_idle();
                let gate = occupy(&pool);
                for _ in 0..4 {
                    pool.execute(|| ()).unwrap();
                }
                let failed = pool.try_execute(|| ()).unwrap_err().reason();
                assert!(matches!(failed, RejectReason::SpawnFailed { .. }), "{failed:?}");
                drop(gate);
                pool.wait_idle();
                let seen = pool.snapshot();
                assert_eq!((ran.load(Relaxed), seen.completed, seen.submitted), (100, 105, 105));
                assert_eq!((seen.workers, seen.spawns), (1, 1));
                assert!(seen.spawn_failures >= 1);
            }
        }
    }

    #[test]
    fn attributes_are_given_or_counted() {
        let _watchdog = Watchdog::start();
        let cpus = lockwork::rt::cpus().unwrap();
        let pool = ThreadPool::builder().threads(1).nice(3).pin_to(&cpus[..1]).build().unwrap();
        let (nice, own) = pool
            .submit(|| {
                // SAFETY: no memory.
                let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
                (nice, lockwork::rt::cpus().unwrap())
            })
            .unwrap()
            .join()
            .unwrap();
        assert_eq!((nice, &*own), (3, &cpus[..1]));
        assert_eq!(pool.snapshot().attributes_refused, 0);
        let pool = ThreadPool::builder().threads(2).pin_to(&[1_000_000]).build().unwrap();
        pool.submit(|| ()).unwrap().join().unwrap();
        until(|| pool.snapshot().attributes_refused == 2);
    }
}

mod joining {
    use super::*;

    /// On one thread, by joins that run what they wait for.
    #[test]
    fn fib_of_fifteen() {
        fn fib(pool: &Arc<ThreadPool>, n: u64) -> u64 {
            if n < 2 {
                return n;
            }
            let inner = pool.clone();
            let task = pool.submit_blocking(move || fib(&inner, n - 1)).unwrap();
            let other = fib(pool, n - 2);
            task.join().unwrap() + other
        }
        let _watchdog = Watchdog::start();
        for capacity in [2, 4000] {
            let builder = ThreadPool::builder().threads(1).stack_size(64 << 20);
            let pool = Arc::new(builder.queue_capacity(capacity).build().unwrap());
            let inner = pool.clone();
            assert_eq!(pool.submit(move || fib(&inner, 15)).unwrap().join().unwrap(), 610);
            pool.wait_idle();
            let seen = pool.snapshot();
            assert_eq!(seen.completed, seen.submitted);
            assert!(seen.inlined > 0);
        }
    }

    /// A sleeping worker costs nothing, and none is woken that is not needed.
    #[test]
    fn an_idle_pool_sleeps() {
        let watchdog = Watchdog::start();
        let pool = ThreadPool::builder().threads(2).build().unwrap();
        let worker = pool.submit(tid).unwrap().join().unwrap();
        pool.wait_idle();
        until_asleep(worker, None);
        let before = pool.snapshot();
        thread::sleep(Duration::from_millis(50));
        watchdog.tick();
        let after = pool.snapshot();
        assert_eq!((before.parks, before.wakes), (after.parks, after.wakes));
    }
}
