//! `ThreadPool`: admission, claiming, results, and the end, over the modelled queue and kernel.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use lockwork::model::Ordering::Relaxed;
use lockwork::model::{AtomicU32, Explore, thread};
use lockwork::pool::{Cancel, CancelReason, RejectReason, RejectionPolicy, ThreadPool};

use crate::pool_more::{builder, settled};
use crate::support::Watched;

fn pool(threads: usize, capacity: usize, policy: RejectionPolicy) -> ThreadPool {
    settled(builder(threads, capacity).rejection(policy))
}

/// The task sees what came before `submit`; `join` sees what the task did.
#[test]
fn submit_and_join() {
    Explore::new("pool, join").preemptions(2).at_least(2_000).run(&[3], || {
        let pool = pool(1, 1, RejectionPolicy::Abort);
        let watched = Watched::new(0);
        watched.add();
        let task = {
            let watched = watched.clone();
            pool.submit(move || watched.add()).unwrap()
        };
        assert_eq!(task.join().unwrap(), 2);
        watched.add()
    });
}

/// Dropping the pool runs what was accepted, and orders it before what follows.
#[test]
fn drop_drains_and_joins() {
    Explore::new("pool, drop").preemptions(2).at_least(2_000).run(&[3], || {
        let pool = pool(1, 2, RejectionPolicy::Abort);
        let watched = Watched::new(0);
        for _ in 0..2 {
            let watched = watched.clone();
            pool.execute(move || {
                watched.add();
            })
            .unwrap();
        }
        drop(pool);
        watched.add()
    });
}

/// A queue that is full: the submitter sleeps until there is room.
#[test]
fn block_waits_for_room() {
    Explore::new("pool, block").preemptions(1).at_least(1_000).run(&[2], || {
        let pool = pool(1, 1, RejectionPolicy::Block);
        let ran = Arc::new(AtomicU32::new(0));
        for _ in 0..2 {
            let ran = ran.clone();
            pool.execute(move || {
                ran.fetch_add(1, Relaxed);
            })
            .unwrap();
        }
        drop(pool);
        ran.load(Relaxed)
    });
}

#[test]
fn two_workers() {
    Explore::new("pool, two workers").preemptions(1).at_least(250).run(&[2], || {
        let pool = pool(2, 2, RejectionPolicy::Abort);
        let ran = Arc::new(AtomicU32::new(0));
        for _ in 0..2 {
            let ran = ran.clone();
            pool.execute(move || {
                ran.fetch_add(1, Relaxed);
            })
            .unwrap();
        }
        drop(pool);
        ran.load(Relaxed)
    });
}

/// A submission against a shutdown: it is refused, or it runs. Nothing in between.
#[test]
fn submit_against_shutdown() {
    Explore::new("pool, shutdown").preemptions(2).at_least(1_000).run(
        &[(true, 1), (false, 0)],
        || {
            let pool = Arc::new(pool(1, 1, RejectionPolicy::Abort));
            let ran = Arc::new(AtomicU32::new(0));
            let submitter = {
                let (pool, ran) = (pool.clone(), ran.clone());
                thread::spawn(move || {
                    let task = move || {
                        ran.fetch_add(1, Relaxed);
                    };
                    match pool.execute(task) {
                        Ok(()) => true,
                        Err(refused) => {
                            assert_eq!(refused.reason(), RejectReason::ShutDown);
                            false
                        }
                    }
                })
            };
            pool.shutdown();
            let accepted = submitter.join().unwrap();
            pool.await_termination();
            (accepted, ran.load(Relaxed))
        },
    );
}

/// A task is cancelled or runs, never both, and the handle says which.
#[test]
fn cancel_against_run() {
    Explore::new("pool, cancel").preemptions(2).at_least(2_000).run(
        &[(true, 0), (false, 1)],
        || {
            let pool = pool(1, 1, RejectionPolicy::Abort);
            let watched = Watched::new(0);
            let task = {
                let watched = watched.clone();
                pool.submit(move || watched.add()).unwrap()
            };
            let prevented = task.cancel() == Cancel::Prevented;
            let ran = match task.join() {
                Ok(_) => 1,
                Err(error) => {
                    assert_eq!(error.cancel_reason(), Some(CancelReason::Handle));
                    0
                }
            };
            drop(pool);
            assert_eq!(watched.add(), ran + 1);
            (prevented, ran)
        },
    );
}

/// The oldest gives way if the worker has not come for it: each handle says what became of its
/// task.
#[test]
fn discard_oldest() {
    Explore::new("pool, discard oldest").preemptions(1).at_least(300).run(
        &[(false, true), (true, true)],
        || {
            let pool = pool(1, 1, RejectionPolicy::DiscardOldest);
            let tasks = [(); 2].map(|()| pool.submit(|| ()).unwrap());
            let [first, second] = tasks.map(|task| match task.join() {
                Ok(()) => true,
                Err(error) => {
                    assert_eq!(error.cancel_reason(), Some(CancelReason::Discarded));
                    false
                }
            });
            (first, second)
        },
    );
}

/// A time-out hands the handle back, and the result is there later.
#[test]
fn timed_join() {
    Explore::new("pool, timed join").preemptions(1).at_least(250).run(&[false, true], || {
        let pool = pool(1, 1, RejectionPolicy::Abort);
        let task = pool.submit(|| 7).unwrap();
        match task.join_for(Duration::from_secs(1)) {
            Ok(result) => {
                assert_eq!(result.unwrap(), 7);
                true
            }
            Err(task) => {
                assert_eq!(task.join().unwrap(), 7);
                false
            }
        }
    });
}

/// One worker, whose task joins another: it runs it itself.
#[test]
fn join_inside_a_task() {
    Explore::new("pool, nested join").preemptions(1).at_least(100).run(&[42], || {
        let pool = Arc::new(pool(1, 2, RejectionPolicy::Abort));
        let outer = {
            let inner = pool.clone();
            pool.submit(move || {
                let task = inner.submit(|| 42).unwrap();
                drop(inner);
                task.join().unwrap()
            })
            .unwrap()
        };
        outer.join().unwrap()
    });
}

/// The last owner of a pool may be one of its own tasks.
#[test]
fn dropped_by_its_own_task() {
    Explore::new("pool, dropped inside").preemptions(1).at_least(30).run(&[1], || {
        let pool = Arc::new(builder(1, 1).build().unwrap());
        // The worker ends when it likes, and the model with this thread: memory is not freed there.
        std::mem::forget(pool.handle());
        let task = {
            let inner = pool.clone();
            pool.submit(move || {
                drop(inner);
                1
            })
            .unwrap()
        };
        drop(pool);
        task.join().unwrap()
    });
}

/// A panic goes to the handle, and the worker lives on. (`resume_unwind` calls no panic hook.)
#[test]
fn panic_goes_to_the_handle() {
    Explore::new("pool, panic").preemptions(1).at_least(600).run(&[(true, 2)], || {
        let pool = pool(1, 2, RejectionPolicy::Abort);
        let bad = pool.submit(|| resume_unwind(Box::new("on purpose"))).unwrap();
        let good = pool.submit(|| 2).unwrap();
        let panicked = bad.join().is_err_and(|error| error.is_panic());
        (panicked, good.join().unwrap())
    });
}
