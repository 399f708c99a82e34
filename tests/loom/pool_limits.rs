//! The pool where there is no place, no thread or no end: limits that change, threads that cannot
//! be started, tasks that block; and who claims a task.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lockwork::model::{Explore, refuse_threads, thread, unvaried};
use lockwork::pool::{
    Builder, Cancel, CancelReason, PoolHandle, Prestart, RejectReason, RejectionPolicy, ThreadPool,
    as_completed, blocking,
};

use crate::pool_more::{Bell, Gate, builder, settled};
use crate::support::{Watched, beside};

/// A pool whose only worker is busy, until the gate is opened; no other can be started.
fn busy(builder: Builder) -> (Arc<ThreadPool>, Gate) {
    let pool = Arc::new(settled(builder.prestart(Prestart::Count(1)).queue_capacity(2)));
    let (begun, gate) = (Gate::new(), Gate::new());
    let (begins, opened) = (begun.clone(), gate.clone());
    unvaried(|| {
        let busy = move || {
            begins.open();
            opened.wait();
        };
        pool.execute(busy).unwrap();
        begun.wait();
    });
    refuse_threads();
    (pool, gate)
}

/// A worker is busy, and a thread is started to help it. Before that fails, the worker goes to
/// sleep, and a task comes, whose submitter counts on the new one: the other is woken.
#[test]
fn a_thread_that_cannot_be_started() {
    Explore::new("pool, failed start").preemptions(1).at_least(100).run(&[3], || {
        let shared = Arc::new(OnceLock::<(PoolHandle, Gate)>::new());
        let meanwhile = shared.clone();
        let name = move |_| {
            if let Some((pool, gate)) = meanwhile.get() {
                gate.open();
                while pool.snapshot().idle == 0 {
                    thread::yield_now();
                }
                pool.execute(|| ()).unwrap();
            }
            String::new()
        };
        let (pool, gate) = busy(ThreadPool::builder().threads(2).thread_name(name));
        assert!(shared.set((pool.handle(), gate)).is_ok());
        pool.execute(|| ()).unwrap();
        // The end would wake it.
        pool.wait_idle();
        pool.snapshot().completed
    });
}

/// The same, and the worker that is there is one too many, for a while: it stays.
#[test]
fn the_worker_that_is_left_stays() {
    Explore::new("pool, too many").preemptions(1).at_least(300).run(&[5], || {
        let pool = ThreadPool::builder().core_threads(1).max_threads(2);
        let (pool, gate) = busy(pool.idle_timeout(Duration::from_secs(1)));
        gate.open();
        let first = pool.submit(|| 2).unwrap().join().unwrap();
        first + pool.submit(|| 3).unwrap().join().unwrap()
    });
}

/// There is no queue, and the only place for a worker is taken by one that cannot be started: who
/// waits for the place hears of it.
#[test]
fn a_place_that_becomes_free() {
    Explore::new("pool, failed place").preemptions(1).at_least(200).run(&[(true, true)], || {
        let pool = ThreadPool::builder().handoff().core_threads(0).max_threads(1);
        let pool = Arc::new(pool.rejection(RejectionPolicy::Block).build().unwrap());
        refuse_threads();
        let is_refused = |pool: &ThreadPool| {
            let refused = pool.execute(|| ()).unwrap_err();
            matches!(refused.reason(), RejectReason::SpawnFailed { .. })
        };
        let other = beside(&pool, is_refused);
        let mine = is_refused(&pool);
        (mine, other.join().unwrap())
    });
}

/// Who waits for idleness while a thread is started that cannot be.
#[test]
fn idleness_without_threads() {
    Explore::new("pool, idle without threads").preemptions(2).at_least(100).run(&[()], || {
        let pool = Arc::new(builder(1, 1).prestart(Prestart::None).build().unwrap());
        refuse_threads();
        let other = beside(&pool, |pool| assert!(pool.execute(|| ()).is_err()));
        pool.wait_idle();
        other.join().unwrap();
    });
}

/// Who waits for idleness while the last worker goes as the pool is shut down.
#[test]
fn idleness_at_the_end() {
    Explore::new("pool, idle at the end").preemptions(2).at_least(300).run(&[2], || {
        let pool = settled(builder(1, 1));
        let watched = Watched::new(0);
        let inner = watched.clone();
        pool.execute(move || {
            inner.add();
        })
        .unwrap();
        pool.shutdown();
        pool.wait_idle();
        watched.add()
    });
}

/// A future waits for room as a worker makes some.
#[test]
fn a_future_waits_for_room() {
    let model = Explore::new("pool, future").without_strict_wakes().preemptions(2);
    model.at_least(300).run(&[true, false], || {
        let pool = settled(builder(1, 1));
        pool.execute(|| ()).unwrap();
        let bell = Bell::new();
        let waker = Waker::from(bell.clone());
        let mut context = Context::from_waker(&waker);
        let mut submission = pin!(pool.submit_async(|| ()));
        match submission.as_mut().poll(&mut context) {
            Poll::Ready(task) => {
                task.unwrap().detach();
                true
            }
            Poll::Pending => {
                bell.wait();
                let Poll::Ready(task) = submission.poll(&mut context) else {
                    panic!("there is room, and nobody else to take it")
                };
                task.unwrap().detach();
                false
            }
        }
    });
}

/// A task that blocks has somebody stand in for it, who runs the one that it waits for: whether
/// that is queued by then or not. Afterwards there is one too many.
#[test]
fn somebody_stands_in() {
    Explore::new("pool, blocking").preemptions(1).at_least(500).run(&[()], || {
        let pool = settled(builder(1, 2).max_blocked(1));
        let gate = Gate::new();
        let opened = gate.clone();
        pool.execute(move || blocking(|| opened.wait())).unwrap();
        pool.execute(move || gate.open()).unwrap();
        pool.wait_idle();
    });
}

/// The same without a queue: who waits for a place hears that there is one.
#[test]
fn somebody_stands_in_without_a_queue() {
    Explore::new("pool, blocking, no queue").preemptions(1).at_least(1_000).run(&[()], || {
        let pool = ThreadPool::builder().handoff().threads(1).max_blocked(1);
        let pool = settled(pool.rejection(RejectionPolicy::Block));
        let gate = Gate::new();
        let opened = gate.clone();
        pool.execute(move || blocking(|| opened.wait())).unwrap();
        pool.execute(move || gate.open()).unwrap();
        pool.wait_idle();
    });
}

/// More threads are allowed: who waits for one hears of it.
#[test]
fn a_limit_is_raised() {
    Explore::new("pool, more threads").preemptions(1).at_least(1_000).run(&[5], || {
        let pool = ThreadPool::builder().handoff().threads(1);
        let pool = Arc::new(settled(pool.rejection(RejectionPolicy::Block)));
        let gate = Gate::new();
        let opened = gate.clone();
        pool.execute(move || opened.wait()).unwrap();
        let other = beside(&pool, |pool| pool.submit(|| 5).unwrap().join().unwrap());
        pool.set_max_threads(2).unwrap();
        let five = other.join().unwrap();
        gate.open();
        five
    });
}

/// Fewer threads are allowed: one that sleeps goes.
#[test]
fn a_limit_is_lowered() {
    Explore::new("pool, fewer threads").preemptions(1).at_least(300).run(&[()], || {
        let gone = Gate::new();
        let goes = gone.clone();
        let pool = builder(2, 1).on_thread_stop(move |_| goes.open()).build().unwrap();
        pool.wait_idle();
        pool.resize(1, 1).unwrap();
        gone.wait();
    });
}

/// The worker, the handle that cancels and the end that drains: one of them has the task.
#[test]
fn cancel_against_start_against_drain() {
    let ends = ["ran", "cancelled", "drained"];
    Explore::new("pool, cancel, start, drain").preemptions(1).at_least(300).run(&ends, || {
        let pool = settled(builder(1, 1));
        let watched = Watched::new(0);
        let inner = watched.clone();
        let task = pool.submit(move || inner.add()).unwrap();
        let canceller = thread::spawn(move || {
            let prevented = task.cancel() == Cancel::Prevented;
            (prevented, task)
        });
        let unrun = pool.shutdown_now().len();
        let (prevented, task) = canceller.join().unwrap();
        let end = task.join().map_err(|error| error.cancel_reason().unwrap());
        pool.await_termination();
        let (end, ran) = match end {
            Ok(_) => ("ran", 1),
            Err(CancelReason::Handle) => ("cancelled", 0),
            Err(CancelReason::PoolShutdown) => ("drained", 0),
            Err(reason) => panic!("{reason:?}"),
        };
        assert_eq!((prevented, unrun), (end == "cancelled", usize::from(end == "drained")));
        assert_eq!(watched.add(), ran + 1);
        end
    });
}

/// A task joins another, and a second worker comes for that: one of them runs it.
#[test]
fn join_against_start() {
    let model = Explore::new("pool, claim").without_strict_wakes().preemptions(1);
    model.at_least(700).run(&[(1, 0), (1, 1)], || {
        let pool = settled(builder(2, 2));
        let (inner, watched) = (pool.handle(), Watched::new(0));
        let outer = pool.submit(move || {
            let task = inner.submit(move || watched.add()).unwrap();
            drop(inner);
            task.join().unwrap()
        });
        (outer.unwrap().join().unwrap(), pool.snapshot().inlined)
    });
}

/// Who waits for the first of several tasks is told.
#[test]
fn as_they_come() {
    Explore::new("pool, as they come").preemptions(1).at_least(300).run(&[(0, 2)], || {
        let pool = settled(builder(1, 1));
        let watched = Watched::new(0);
        let inner = watched.clone();
        let task = pool.submit(move || inner.add()).unwrap();
        let (index, one) = as_completed([task]).next().unwrap();
        assert_eq!(one.unwrap(), 1);
        (index, watched.add())
    });
}
