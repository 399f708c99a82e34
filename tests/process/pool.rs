//! The pool without threads: where none can be started, and where none are left.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use lockwork::Deadline;
use lockwork::pool::{
    CancelReason, Prestart, RejectReason, RejectionPolicy, SignalMask, ThreadPool, as_completed,
    with_original_sigmask,
};

use super::forking::{fork, raw_clone, wait};
use super::runner::{Case, Outcome};
use super::support::proc::{thread_count, until_thread_count};

pub(crate) const CASES: &[Case] = &[
    ("pool::no_thread_to_be_had", no_thread_to_be_had),
    ("pool::in_a_forked_child", || in_a_forked_child(|child| fork(child))),
    ("pool::in_a_cloned_child", || in_a_forked_child(|child| raw_clone(child))),
    ("pool::a_task_that_forks", a_task_that_forks),
    ("pool::dropped_by_the_child_only", dropped_by_the_child_only),
    ("pool::no_thread_to_grow", no_thread_to_grow),
    ("pool::other_forms_in_a_child", other_forms_in_a_child),
    ("pool::signals_are_left_to_others", signals_are_left_to_others),
];

/// At the limit on threads of a user, `build` says so, and leaves none of those it could start.
fn no_thread_to_be_had() -> Outcome {
    // The limit does not bind the superuser: become somebody who has no other processes.
    // SAFETY: no memory.
    let nobody = unsafe { libc::geteuid() != 0 || libc::setresuid(54_321, 54_321, 54_321) == 0 };
    if !nobody {
        return Outcome::Skipped("may not change the user".into());
    }
    let before = thread_count();
    let limit_threads = |limit: libc::rlim_t| {
        let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `old` is valid for the write, and then for the read.
        unsafe {
            assert_eq!(libc::getrlimit(libc::RLIMIT_NPROC, &mut old), 0);
            let new = libc::rlimit { rlim_cur: limit.min(old.rlim_max), ..old };
            assert_eq!(libc::setrlimit(libc::RLIMIT_NPROC, &new), 0);
        }
        old.rlim_cur
    };
    for room in [0, 1, 5] {
        let old = limit_threads((before + room) as libc::rlim_t);
        let built = ThreadPool::builder().name("io").threads(16).build();
        limit_threads(old);
        let Err(error) = built else {
            return Outcome::Skipped("the limit on threads does not bind here".into());
        };
        let text = error.to_string();
        let worker = text.strip_prefix("cannot start worker ").expect(&text);
        let worker: usize = worker.split(' ').next().unwrap().parse().expect(&text);
        assert!(worker <= room + 1, "{text} with room for {room}");
        assert!(text.contains(" of 16 of pool \"io\": "), "{text}");
        let source = std::error::Error::source(&error).expect("the system's error");
        let source = source.downcast_ref::<std::io::Error>().expect("an io::Error");
        assert_eq!(source.raw_os_error(), Some(libc::EAGAIN));
        until_thread_count(before);
    }
    let pool = ThreadPool::builder().threads(4).build().expect("the limit is lifted");
    assert_eq!(pool.submit(|| 7).unwrap().join().unwrap(), 7);
    Outcome::Passed
}

/// No thread of the pool is there: whatever would need one says so, and nothing waits for it.
fn in_a_forked_child(fork: impl Fn(&mut dyn FnMut())) -> Outcome {
    for policy in [
        RejectionPolicy::Abort,
        RejectionPolicy::CallerRuns,
        RejectionPolicy::Block,
        RejectionPolicy::Discard,
        RejectionPolicy::DiscardOldest,
    ] {
        let builder = ThreadPool::builder().name("io").threads(2).queue_capacity(2);
        let pool = builder.rejection(policy).build().unwrap();
        let (gates, opened): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::channel::<()>()).unzip();
        let running: Vec<_> = opened
            .into_iter()
            .map(|opened| {
                let (started, starts) = mpsc::channel();
                let task = pool.submit(move || {
                    started.send(()).unwrap();
                    assert!(opened.recv().is_err());
                    1
                });
                starts.recv().unwrap();
                task.unwrap()
            })
            .collect();
        let queued: Vec<_> = (0..2).map(|_| pool.submit(|| 2).unwrap()).collect();
        // What the child does with its copies the parent does not see.
        let mut there = Some((pool, running, queued));
        fork(&mut || {
            let (pool, running, queued) = there.take().unwrap();
            let refused = pool.submit(|| 3).unwrap_err();
            assert_eq!(refused.reason(), RejectReason::Forked);
            assert_eq!(refused.into_inner()(), 3);
            assert_eq!(pool.execute(|| ()).unwrap_err().reason(), RejectReason::Forked);
            let mut tasks = running.into_iter().chain(queued);
            let reason = |error: lockwork::pool::JoinError| error.cancel_reason();
            assert_eq!(
                tasks.next().unwrap().join().map_err(reason),
                Err(Some(CancelReason::Forked))
            );
            for task in tasks {
                assert!(task.is_finished());
                let ended = task.join_until(Deadline::NEVER).expect("an answer at once");
                assert_eq!(ended.map_err(reason), Err(Some(CancelReason::Forked)));
            }
            pool.shutdown();
            assert!(!pool.await_termination_for(Duration::MAX));
            pool.await_termination();
            drop(format!("{pool:?}"));
            drop(pool);
            // A pool of the child's own works, and ends.
            let own = ThreadPool::builder().threads(2).build().unwrap();
            assert_eq!(own.submit(|| 4).unwrap().join().unwrap(), 4);
            drop(own);
            until_thread_count(1);
        });
        // In the parent all is as it was.
        let (pool, running, queued) = there.take().expect("the child took its copy");
        drop(gates);
        for task in running {
            assert_eq!(task.join().unwrap(), 1);
        }
        for task in queued {
            assert_eq!(task.join().unwrap(), 2);
        }
        drop(pool);
    }
    Outcome::Passed
}

/// In the child, the worker that forked is the only thread. It ends with the task, and with it the
/// process; the queue is not the child's to drain.
fn a_task_that_forks() -> Outcome {
    let pool = ThreadPool::builder().threads(1).queue_capacity(8).build().unwrap();
    let (child, others) = (Arc::new(AtomicI32::new(-1)), Arc::new(AtomicUsize::new(0)));
    let (gate, opened) = mpsc::channel::<()>();
    let forks = {
        let (child, others) = (child.clone(), others.clone());
        pool.submit(move || {
            assert!(opened.recv().is_err());
            // SAFETY: the child goes on in this closure and in the worker's loop, which ends there.
            let pid = unsafe { libc::fork() };
            assert!(pid >= 0);
            child.store(pid, Relaxed);
            if pid == 0 {
                // A queued task that ran in the child would be counted twice by exit status.
                others.store(100, Relaxed);
            }
        })
    };
    let after: Vec<_> = (0..4)
        .map(|_| {
            let others = others.clone();
            pool.submit(move || {
                let before = others.fetch_add(1, Relaxed);
                if before >= 100 {
                    // SAFETY: ends the process and runs nothing else of it.
                    unsafe { libc::_exit(9) };
                }
            })
            .unwrap()
        })
        .collect();
    drop(gate);
    forks.unwrap().join().unwrap();
    for task in after {
        task.join().unwrap();
    }
    assert_eq!(others.load(Relaxed), 4, "each in the parent, once");
    assert_eq!(wait(child.load(Relaxed)), Some(0), "the child ended with its one thread");
    drop(pool);
    Outcome::Passed
}

/// An idle pool, workers asleep in the queue, that the child gives up and the parent goes on using.
fn dropped_by_the_child_only() -> Outcome {
    for _ in 0..20 {
        let mut pool = Some(ThreadPool::builder().threads(3).build().unwrap());
        fork(|| drop(pool.take()));
        let pool = pool.expect("the child took its copy");
        assert_eq!(pool.submit(|| 1).unwrap().join().unwrap(), 1);
    }
    Outcome::Passed
}

/// At the limit on threads of a user, a pool that would have one more goes on with those that it
/// has; one that has none gives its tasks back, and works once there is room.
fn no_thread_to_grow() -> Outcome {
    // The limit does not bind the superuser: become somebody who has no other processes.
    // SAFETY: no memory.
    let nobody = unsafe { libc::geteuid() != 0 || libc::setresuid(54_322, 54_322, 54_322) == 0 };
    if !nobody {
        return Outcome::Skipped("may not change the user".into());
    }
    let set_limit = |limit: libc::rlim_t| {
        let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `old` is valid for the write, and `new` for the read.
        unsafe {
            assert_eq!(libc::getrlimit(libc::RLIMIT_NPROC, &mut old), 0);
            let new = libc::rlimit { rlim_cur: limit.min(old.rlim_max), ..old };
            assert_eq!(libc::setrlimit(libc::RLIMIT_NPROC, &new), 0);
        }
        old.rlim_cur
    };
    let builder = || ThreadPool::builder().core_threads(1).max_threads(8).queue_capacity(1000);
    let one = builder().build().unwrap();
    let none = builder().core_threads(0).prestart(Prestart::None).build().unwrap();
    let handoff = builder().handoff().prestart(Prestart::None).build().unwrap();
    let old = set_limit(thread_count() as libc::rlim_t);
    let probe = std::thread::Builder::new().spawn(|| ());
    if probe.is_ok() {
        set_limit(old);
        return Outcome::Skipped("the limit on threads does not bind here".into());
    }
    for policy in [RejectionPolicy::Abort, RejectionPolicy::Block, RejectionPolicy::DiscardOldest] {
        for pool in [&none, &handoff] {
            pool.set_rejection(policy);
            let refused = pool.submit(|| 7).unwrap_err();
            assert_eq!(refused.reason(), RejectReason::SpawnFailed { code: libc::EAGAIN });
            assert!(refused.to_string().contains("could not start a thread"), "{refused}");
            assert_eq!(refused.into_inner()(), 7);
            let refused = pool.execute_for(|| (), Duration::from_secs(3600)).unwrap_err();
            assert_eq!(refused.reason(), RejectReason::SpawnFailed { code: libc::EAGAIN });
        }
    }
    none.set_rejection(RejectionPolicy::CallerRuns);
    assert_eq!(none.submit(|| 8).unwrap().join().unwrap(), 8);
    // All of these go through the one thread that there is.
    let (gate, opened) = mpsc::channel::<()>();
    let (started, starts) = mpsc::channel();
    let first = one.submit(move || {
        started.send(()).unwrap();
        opened.recv().unwrap_err()
    });
    let first = first.unwrap();
    starts.recv().unwrap();
    let tasks: Vec<_> = (0..100).map(|i| one.submit(move || i).unwrap()).collect();
    let seen = one.snapshot();
    assert_eq!((seen.workers, seen.submitted, seen.rejected), (1, 101, 0), "{seen:?}");
    assert!(seen.spawn_failures >= 1, "{seen:?}");
    drop(gate);
    first.join().unwrap();
    for (i, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.join().unwrap(), i);
    }
    one.wait_idle();
    set_limit(old);
    for pool in [&one, &none, &handoff] {
        pool.set_rejection(RejectionPolicy::Block);
        assert_eq!(pool.submit(|| 9).unwrap().join().unwrap(), 9);
        let seen = pool.snapshot();
        assert_eq!(seen.completed, seen.submitted, "{seen:?}");
        assert!(seen.workers >= 1 && seen.active == 0, "{seen:?}");
    }
    Outcome::Passed
}

/// What else there is says so at once in a child, and waits for nothing.
fn other_forms_in_a_child() -> Outcome {
    let pool = ThreadPool::builder().threads(2).queue_capacity(4).build().unwrap();
    let (gate, opened) = mpsc::channel::<()>();
    let running = pool.submit(move || opened.recv().unwrap_err()).unwrap();
    let waited_for = pool.submit(|| ()).unwrap();
    let handle = pool.handle();
    let mut there = Some((pool, running, waited_for, handle));
    fork(|| {
        let (pool, running, waited_for, handle) = there.take().unwrap();
        let forked = RejectReason::Forked;
        assert_eq!(handle.try_execute(|| ()).unwrap_err().reason(), forked);
        assert_eq!(handle.submit_blocking(|| 1).unwrap_err().reason(), forked);
        assert_eq!(handle.submit_for(|| 1, Duration::MAX).unwrap_err().reason(), forked);
        let token = lockwork::cancel::CancelToken::new();
        assert_eq!(handle.submit_with_token(&token, || 1).unwrap_err().reason(), forked);
        let batch = handle.submit_batch([|| 1, || 2]);
        assert!(batch.iter().all(|task| task.as_ref().unwrap_err().reason() == forked));
        assert_eq!(handle.invoke_all([|| 1]).unwrap_err().reason(), forked);
        assert!(handle.invoke_any([|| 1]).is_err());
        let event = lockwork::Event::manual();
        assert_eq!(lockwork::wait_any(&[&event, &running]).index, 1, "a join says why");
        let joined = waited_for.join_cancellable(&token).expect("an answer at once");
        assert_eq!(joined.unwrap_err().cancel_reason(), Some(CancelReason::Forked));
        let mut results = as_completed([running]);
        let (index, result) = results.next().unwrap();
        assert_eq!((index, result.unwrap_err().cancel_reason()), (0, Some(CancelReason::Forked)));
        assert!(!pool.wait_idle_for(Duration::MAX));
        pool.wait_idle();
        assert!(pool.shutdown_now().is_empty());
        assert!(!pool.prestart_core_thread() && pool.prestart_all_core_threads() == 0);
        pool.resize(5, 5).unwrap();
        assert_eq!(pool.snapshot(), Default::default());
        assert!(pool.worker_info().is_empty() && pool.threads() == 0);
        drop(format!("{pool:?} {handle:?}"));
        pool.close_timeout(Duration::MAX).unwrap();
        drop(handle);
    });
    let (pool, running, _waited_for, _handle) = there.take().expect("the child took its copy");
    drop(gate);
    running.join().unwrap();
    assert_eq!(pool.submit(|| 4).unwrap().join().unwrap(), 4);
    Outcome::Passed
}

/// Threads that block signals leave them to others, and what they start does not inherit that if
/// it is told so.
fn signals_are_left_to_others() -> Outcome {
    fn blocked() -> bool {
        let mut set = std::mem::MaybeUninit::uninit();
        // SAFETY: the call initializes `set`, and changes nothing.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), set.as_mut_ptr());
            let set = set.assume_init();
            assert_eq!(libc::sigismember(&set, libc::SIGSEGV), 0);
            assert_eq!(libc::sigismember(&set, libc::SIGPROF), 0);
            assert_eq!(libc::sigismember(&set, libc::SIGABRT), 0);
            libc::sigismember(&set, libc::SIGUSR1) == 1
        }
    }
    let open = ThreadPool::builder().threads(1).build().unwrap();
    assert!(!open.submit(blocked).unwrap().join().unwrap());
    let builder = ThreadPool::builder().threads(1).signal_mask(SignalMask::BlockAsync);
    let closed = builder.build().unwrap();
    assert!(!blocked(), "the builder's own mask is as it was");
    let inside = || (blocked(), with_original_sigmask(blocked), blocked());
    assert_eq!(closed.submit(inside).unwrap().join().unwrap(), (true, false, true));
    Outcome::Passed
}
