//! The pool's workers: how they sleep, search, come and go; and futures.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use lockwork::model::Ordering::Relaxed;
use lockwork::model::{AtomicU32, Explore, Futex, Private, Wait, refuse_threads, unvaried};
use lockwork::pool::{Builder, Prestart, RejectReason, RejectionPolicy, ThreadPool};

use crate::support::{Watched, beside};

pub(crate) fn builder(threads: usize, capacity: usize) -> Builder {
    ThreadPool::builder().threads(threads).queue_capacity(capacity)
}

/// A pool whose threads sleep.
pub(crate) fn settled(builder: Builder) -> ThreadPool {
    unvaried(|| {
        let pool = builder.build().unwrap();
        pool.wait_idle();
        pool
    })
}

/// A pool of one thread at the most, which may go when it has nothing to do.
fn fleeting() -> Builder {
    let builder = ThreadPool::builder().core_threads(0).max_threads(1).queue_capacity(2);
    builder.idle_timeout(Duration::from_secs(1)).prestart(Prestart::Count(1))
}

/// Wakes a thread of the model, and sees what came before.
pub(crate) struct Bell {
    word: Futex<Private>,
    seen: Watched,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.seen.add();
        self.word.swap(1, lockwork::model::Ordering::Release);
        Futex::wake(&self.word, 1);
    }
}

impl Bell {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { word: Futex::new(0), seen: Watched::new(0) })
    }

    pub(crate) fn wait(&self) {
        use lockwork::model::Ordering::Acquire;
        while self.word.load(Acquire) == 0 {
            if self.word.wait(0, lockwork::Deadline::NEVER) == Wait::TimedOut {
                unreachable!("there is no limit");
            }
        }
    }
}

/// Holds a task up, until somebody opens it.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Futex<Private>>);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Futex::new(0)))
    }

    pub(crate) fn wait(&self) {
        while self.0.load(Relaxed) == 0 {
            self.0.wait(0, lockwork::Deadline::NEVER);
        }
    }

    pub(crate) fn open(&self) {
        self.0.swap(1, Relaxed);
        Futex::wake(&*self.0, u32::MAX);
    }
}

/// A worker on its way to sleep, and a task that comes.
#[test]
fn park_and_submit() {
    Explore::new("pool, park").preemptions(1).at_least(500).run(&[2], || {
        let pool = settled(builder(1, 2));
        pool.submit(|| 1).unwrap().join().unwrap() + pool.submit(|| 1).unwrap().join().unwrap()
    });
}

/// Two tasks, two sleeping workers: the first wakes one, and that one the other, as each task waits
/// for the other.
#[test]
fn the_baton() {
    Explore::new("pool, baton").without_strict_wakes().preemptions(1).at_least(500).run(
        &[()],
        || {
            let pool = settled(builder(2, 2));
            let word = Arc::new(Futex::<Private>::new(0));
            let tasks = [(); 2].map(|()| {
                let word = word.clone();
                let meet = move || {
                    if word.fetch_add(1, Relaxed) == 0 {
                        while word.load(Relaxed) == 1 {
                            word.wait(1, lockwork::Deadline::NEVER);
                        }
                    } else {
                        Futex::wake(&*word, 1);
                    }
                };
                pool.submit(meet).unwrap()
            });
            // The end would wake all.
            for task in tasks {
                task.join().unwrap();
            }
        },
    );
}

/// A task that comes as the last worker goes: it runs, on that one or, if no other can be started,
/// comes back.
#[test]
fn the_last_worker_goes() {
    let model = Explore::new("pool, last worker").without_strict_wakes().preemptions(2);
    model.at_least(300).run(&[true, false], || {
        let gate = Gate::new();
        let opened = gate.clone();
        let pool = fleeting().on_thread_start(move |_| opened.open()).build().unwrap();
        // By then, it may have looked at the queue and gone to sleep.
        gate.wait();
        refuse_threads();
        match pool.submit(|| 5) {
            Ok(task) => {
                assert_eq!(task.join().unwrap(), 5);
                true
            }
            Err(refused) => {
                assert!(matches!(refused.reason(), RejectReason::SpawnFailed { .. }));
                false
            }
        }
    });
}

/// Who awaits the end of a pool that is not shut down yet is told when it is.
#[test]
fn awaited_before_it_is_shut_down() {
    Explore::new("pool, awaited").preemptions(2).at_least(30).run(&[true], || {
        let pool = Arc::new(builder(1, 1).prestart(Prestart::None).build().unwrap());
        let waiter = beside(&pool, |pool| {
            pool.await_termination();
            pool.is_terminated()
        });
        pool.shutdown();
        waiter.join().unwrap()
    });
}

/// Nothing queued, and nobody at work: the waiter hears of it.
#[test]
fn idleness() {
    Explore::new("pool, idleness").preemptions(2).at_least(300).run(&[2], || {
        let pool = settled(builder(1, 1));
        let watched = Watched::new(0);
        let task = watched.clone();
        pool.execute(move || {
            task.add();
        })
        .unwrap();
        pool.wait_idle();
        watched.add()
    });
}

/// A submitter that waits for room at the end.
#[test]
fn blocked_at_the_end() {
    Explore::new("pool, blocked at the end").preemptions(1).at_least(300).run(&[false], || {
        let pool = settled(builder(1, 1).rejection(RejectionPolicy::Block));
        let pool = Arc::new(pool);
        let gate = Arc::new(Futex::<Private>::new(0));
        let opened = gate.clone();
        let running = pool.submit(move || {
            while opened.load(Relaxed) == 0 {
                opened.wait(0, lockwork::Deadline::NEVER);
            }
        });
        pool.execute(|| ()).map_err(|refused| refused.reason()).unwrap();
        let submitter = beside(&pool, |pool| match pool.execute(|| ()) {
            Ok(()) => true,
            Err(refused) => {
                assert_eq!(refused.reason(), RejectReason::ShutDown);
                false
            }
        });
        pool.shutdown();
        let end = submitter.join().unwrap();
        gate.swap(1, Relaxed);
        Futex::wake(&*gate, 1);
        running.unwrap().join().unwrap();
        end
    });
}

/// A task's handle is polled as the task ends: it is ready, or its waker is woken, once.
#[test]
fn a_waker_is_woken() {
    Explore::new("pool, waker").preemptions(2).at_least(300).run(&[true, false], || {
        let pool = settled(builder(1, 1));
        let bell = Bell::new();
        let mut task = pin!(pool.submit(|| 5).unwrap());
        bell.seen.add();
        let waker = Waker::from(bell.clone());
        let mut context = Context::from_waker(&waker);
        if let Poll::Ready(five) = task.as_mut().poll(&mut context) {
            assert_eq!(five.unwrap(), 5);
            return true;
        }
        bell.wait();
        assert_eq!(bell.seen.add(), 3);
        let Poll::Ready(five) = task.as_mut().poll(&mut context) else {
            panic!("it was woken and is not ready")
        };
        assert_eq!(five.unwrap(), 5);
        false
    });
}

/// Two futures wait for room, and the one that is told of it is dropped: the other is told.
#[test]
fn a_dropped_future_passes_on() {
    Explore::new("pool, dropped future").preemptions(1).at_least(30).run(&[7], || {
        let pool = settled(builder(1, 1));
        let gate = Arc::new(Futex::<Private>::new(0));
        let (opened, started) = (gate.clone(), Arc::new(Futex::<Private>::new(0)));
        let begun = started.clone();
        pool.execute(move || {
            begun.swap(1, Relaxed);
            Futex::wake(&*begun, 1);
            while opened.load(Relaxed) == 0 {
                opened.wait(0, lockwork::Deadline::NEVER);
            }
        })
        .unwrap();
        while started.load(Relaxed) == 0 {
            started.wait(0, lockwork::Deadline::NEVER);
        }
        pool.execute(|| ()).unwrap();
        let bells = [Bell::new(), Bell::new()];
        let mut first = Box::pin(pool.submit_async(|| 6));
        let mut second = Box::pin(pool.submit_async(|| 7));
        let wakers = bells.each_ref().map(|bell| Waker::from(bell.clone()));
        assert!(first.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_pending());
        assert!(second.as_mut().poll(&mut Context::from_waker(&wakers[1])).is_pending());
        gate.swap(1, Relaxed);
        Futex::wake(&*gate, 1);
        bells[0].wait();
        drop(first);
        bells[1].wait();
        let Poll::Ready(task) = second.as_mut().poll(&mut Context::from_waker(&wakers[1])) else {
            panic!("there is room")
        };
        task.unwrap().join().unwrap()
    });
}

/// A worker about to be idle, one that may be added, a producer and a closer: what is accepted
/// runs, and all come to an end.
#[test]
fn close_beside_a_producer() {
    let model = Explore::new("pool, close").without_strict_wakes().preemptions(1);
    model.at_least(1_000).run(&[(0, 0), (1, 1)], || {
        let pool = ThreadPool::builder().core_threads(2).max_threads(2).queue_capacity(1);
        let pool = Arc::new(settled(pool.prestart(Prestart::Count(1))));
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
        gate.open();
        let closer = beside(&pool, |pool| pool.shutdown());
        let ran = Arc::new(AtomicU32::new(0));
        let counted = ran.clone();
        let task = move || {
            counted.fetch_add(1, Relaxed);
        };
        let accepted = u32::from(pool.execute(task).is_ok());
        closer.join().unwrap();
        pool.await_termination();
        (accepted, ran.load(Relaxed))
    });
}

/// A drain beside the worker that comes for the task: one of them has it, and the handle says who.
#[test]
fn stop_against_start() {
    Explore::new("pool, stop").preemptions(2).at_least(300).run(&[(1, false), (0, true)], || {
        let pool = settled(builder(1, 1));
        let watched = Watched::new(0);
        let inner = watched.clone();
        let task = pool.submit(move || inner.add()).unwrap();
        let unrun = pool.shutdown_now();
        let ran = task.join().is_ok();
        assert_eq!(unrun.len(), usize::from(!ran));
        let left = unrun.len();
        for closure in unrun {
            closure();
        }
        pool.await_termination();
        assert_eq!(watched.get(), 1);
        (left as u32, ran)
    });
}
