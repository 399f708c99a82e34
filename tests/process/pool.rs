//! The pool without threads: where none can be started, and where none are left.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use lockwork::Deadline;
use lockwork::pool::{CancelReason, RejectReason, RejectionPolicy, ThreadPool};

use super::forking::{fork, raw_clone, wait};
use super::runner::{Case, Outcome};
use super::support::proc::{thread_count, until_thread_count};

pub(crate) const CASES: &[Case] = &[
    ("pool::no_thread_to_be_had", no_thread_to_be_had),
    ("pool::in_a_forked_child", || in_a_forked_child(|child| fork(child))),
    ("pool::in_a_cloned_child", || in_a_forked_child(|child| raw_clone(child))),
    ("pool::a_task_that_forks", a_task_that_forks),
    ("pool::dropped_by_the_child_only", dropped_by_the_child_only),
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
