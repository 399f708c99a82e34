//! The thread pool, promise by promise.
//!
//! Most tests keep the workers busy behind a gate, so that what is queued, full or refused is no
//! matter of luck. Tasks that panic use `resume_unwind`, which prints nothing.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, mpsc};
use std::thread::{self, Scope, ScopedJoinHandle, ThreadId};
use std::time::{Duration, Instant};

use lockwork::pool::{Cancel, CancelReason, JoinHandle, RejectReason, RejectionPolicy, ThreadPool};
use lockwork::{Deadline, Mutex};

use super::support::child;
use super::support::proc::{asleep_in_futex, thread_count, tid, until_asleep, until_thread_count};
use super::support::random::{Rng, seed};
use super::support::scaled;
use super::support::threads::{crowd, together};
use super::support::watchdog::Watchdog;

const POLICIES: [RejectionPolicy; 5] = [
    RejectionPolicy::Abort,
    RejectionPolicy::CallerRuns,
    RejectionPolicy::Block,
    RejectionPolicy::Discard,
    RejectionPolicy::DiscardOldest,
];

/// Inline calls nest at most this deep, as `RejectionPolicy` says.
const MAX_NESTED: usize = 32;

/// A worker is kept busy for as long as this lives.
pub(super) type Gate = mpsc::Sender<()>;

fn pool(threads: usize, capacity: usize, policy: RejectionPolicy) -> Arc<ThreadPool> {
    let builder = ThreadPool::builder().name("io").threads(threads).queue_capacity(capacity);
    Arc::new(builder.rejection(policy).build().unwrap())
}

/// Keeps one worker busy. Returns once it is.
pub(super) fn occupy(pool: &ThreadPool) -> Gate {
    let (started, starts) = mpsc::channel();
    let (gate, opened) = mpsc::channel();
    pool.execute(move || {
        started.send(()).unwrap();
        assert!(opened.recv().is_err());
    })
    .unwrap();
    starts.recv().unwrap();
    gate
}

/// A pool whose one thread is busy and whose queue is full: of one task, whose handle is the last.
///
/// A test that fails opens the gate before it drops the pool, by the order of its variables.
fn saturated(policy: RejectionPolicy) -> (Arc<ThreadPool>, Gate, JoinHandle<&'static str>) {
    let pool = pool(1, 1, policy);
    let gate = occupy(&pool);
    let oldest = pool.submit(|| "oldest").unwrap();
    assert_eq!(pool.queued(), 1);
    (pool, gate, oldest)
}

/// Runs `call` in a thread and returns once that sleeps.
fn asleep<'s, R: Send + 's>(
    s: &'s Scope<'s, '_>,
    call: impl FnOnce() -> R + Send + 's,
) -> ScopedJoinHandle<'s, R> {
    let (send, receive) = mpsc::channel();
    let thread = s.spawn(move || {
        send.send(tid()).unwrap();
        call()
    });
    until_asleep(receive.recv().unwrap(), None);
    thread
}

/// Panics without a word.
pub(super) fn quiet(text: &'static str) -> ! {
    resume_unwind(Box::new(text))
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    match payload.downcast_ref::<&'static str>() {
        Some(text) => text,
        None => payload.downcast_ref::<String>().expect("a panic with a text"),
    }
}

/// Calls its function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Panics when it is dropped, with something that does so too.
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            resume_unwind(Box::new(Bomb(self.0 - 1)));
        }
    }
}

/// Fails if `call` panics, without a bomb for the test harness to drop.
fn unharmed(call: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
        std::mem::forget(payload);
        panic!("what a task's panic carried has hit the caller");
    }
}

/// Says where it was dropped.
fn witness() -> (OnDrop<impl FnMut() + Send>, mpsc::Receiver<ThreadId>) {
    let (send, receive) = mpsc::channel();
    (OnDrop(move || send.send(thread::current().id()).unwrap()), receive)
}

mod building {
    use super::*;

    #[test]
    fn defaults() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().build().unwrap();
        let cores = thread::available_parallelism().unwrap().get();
        assert_eq!((pool.name(), pool.threads()), ("pool", cores));
        assert_eq!(pool.queue_capacity(), (8 * cores).max(64));
        assert_eq!((pool.queued(), pool.panicked()), (0, 0));
        assert!(!pool.is_shutdown() && !pool.is_terminated());
        let _gates: Vec<_> = (0..cores).map(|_| occupy(&pool)).collect();
        for _ in 0..pool.queue_capacity() {
            pool.execute(|| ()).unwrap();
        }
        let capacity = pool.queue_capacity();
        assert_eq!(pool.execute(|| ()).unwrap_err().reason(), RejectReason::Full { capacity });
        assert_eq!(RejectionPolicy::default(), RejectionPolicy::Abort);

        let many = ThreadPool::builder().threads(9).build().unwrap();
        assert_eq!((many.threads(), many.queue_capacity()), (9, 72));
    }

    #[test]
    fn one_description_many_pools() {
        let builder = ThreadPool::builder().name(String::from("twin")).threads(2);
        let builder = builder.queue_capacity(5).rejection(RejectionPolicy::Discard);
        let text = format!("{builder:?}");
        assert!(text.contains("twin") && text.contains("Discard"), "{text}");
        for pool in [builder.clone().build().unwrap(), builder.build().unwrap()] {
            assert_eq!((pool.name(), pool.threads(), pool.queue_capacity()), ("twin", 2, 5));
        }
    }

    #[test]
    fn what_is_no_pool_is_an_error() {
        let builder = || ThreadPool::builder().name("io");
        let ids = "the number of threads is above what the kernel has ids for";
        let memory = "there is no memory for a queue of this capacity";
        let stack = "the stack size is above what a process can address";
        let (zero_byte, escaped) = ("the name contains a zero byte", r"a\0b");
        for (builder, name, problem) in [
            (builder().threads(0), "io", "the number of threads is zero"),
            (builder().threads(usize::MAX), "io", ids),
            (builder().threads(usize::MAX).queue_capacity(1), "io", ids),
            (builder().threads((1 << 22) + 1), "io", ids),
            (builder().queue_capacity(0), "io", "the queue capacity is zero"),
            (builder().queue_capacity(usize::MAX), "io", memory),
            (builder().queue_capacity(1 << 44), "io", memory),
            (builder().stack_size((1 << 47) + 1), "io", stack),
            (builder().stack_size(usize::MAX), "io", stack),
            (builder().name("a\0b"), escaped, zero_byte),
            (builder().name("\0").threads(1), r"\0", zero_byte),
        ] {
            let error = builder.build().unwrap_err();
            assert_eq!(error.to_string(), format!("pool \"{name}\": {problem}"));
            assert!(error.source().is_none());
            assert!(format!("{error:?}").contains(problem));
        }
    }

    #[test]
    fn a_stack_that_cannot_be_had_is_an_error() {
        let _watchdog = Watchdog::start();
        for bytes in [1 << 46, 1 << 47] {
            // A system that promises what it does not have lets a few of them start.
            let builder = ThreadPool::builder().name("io").threads(5).stack_size(bytes);
            let error = builder.build().unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("cannot start worker "), "{text}");
            assert!(text.contains(" of 5 of pool \"io\": "), "{text}");
            let source = error.source().expect("what the system said").to_string();
            assert!(text.ends_with(&source), "{text}");
        }
    }

    /// Whichever thread cannot be started, those that could are gone when the error comes.
    #[test]
    fn a_thread_that_cannot_be_started_takes_the_others_along() {
        const ROLE: &str = "short-of-memory";
        const STACK: usize = 256 << 20;
        let _watchdog = Watchdog::start();
        if !child::is(ROLE) {
            let path = thread::current().name().unwrap().to_owned();
            return child::assert_exit(&child::run(&path, ROLE), 0);
        }
        let before = thread_count();
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: usize = pages.split(' ').next().unwrap().parse().unwrap();
        let bytes = (pages * 4096 + 4 * STACK) as libc::rlim_t;
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: `limit` outlives the call, which only reads it.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
        let builder = ThreadPool::builder().name("io").threads(8).stack_size(STACK);
        let error = builder.build().unwrap_err();
        let text = error.to_string();
        let worker = text.strip_prefix("cannot start worker ").expect("a failure to start");
        let worker: u32 = worker.split(' ').next().unwrap().parse().unwrap();
        assert!((2..=5).contains(&worker), "{text}");
        assert!(text.contains(" of 8 of pool \"io\": "), "{text}");
        until_thread_count(before);
    }

    #[test]
    fn names_of_threads() {
        let _watchdog = Watchdog::start();
        let pool = ThreadPool::builder().name("a name that is long").threads(3).build().unwrap();
        let (send, names) = mpsc::channel();
        let gates: Vec<_> = (0..3)
            .map(|_| {
                let (gate, opened) = mpsc::channel::<()>();
                let send = send.clone();
                pool.execute(move || {
                    let path = format!("/proc/self/task/{}/comm", tid());
                    let shown = std::fs::read_to_string(path).unwrap();
                    let name = thread::current().name().map(str::to_owned);
                    send.send((name.unwrap(), shown)).unwrap();
                    assert!(opened.recv().is_err());
                })
                .unwrap();
                gate
            })
            .collect();
        let names: BTreeSet<_> = names.iter().take(3).collect();
        drop(gates);
        for (i, (name, shown)) in names.iter().enumerate() {
            assert_eq!(name, &format!("a name that is long-{i}"));
            assert_eq!(shown, "a name that is \n");
        }
        assert_eq!(names.len(), 3);
    }

    /// The size of the calling thread's stack.
    fn stack_bytes() -> usize {
        let mut attributes = std::mem::MaybeUninit::uninit();
        let (mut start, mut bytes) = (std::ptr::null_mut(), 0);
        // SAFETY: the first call initializes `attributes`, which the others then may use; all
        // pointers are to locals.
        unsafe {
            let this = libc::pthread_self();
            assert_eq!(libc::pthread_getattr_np(this, attributes.as_mut_ptr()), 0);
            let attributes = attributes.assume_init_mut();
            assert_eq!(libc::pthread_attr_getstack(attributes, &mut start, &mut bytes), 0);
            libc::pthread_attr_destroy(attributes);
        }
        bytes
    }

    #[test]
    fn stack_sizes() {
        let _watchdog = Watchdog::start();
        // Above the default. The C library may reuse a stack that is larger.
        for wanted in [16 << 20, 64 << 20] {
            let pool = ThreadPool::builder().threads(1).stack_size(wanted).build().unwrap();
            let bytes = pool.submit(stack_bytes).unwrap().join().unwrap();
            let guard = 64 << 10; // at most; the C library takes it out of the size
            assert!(bytes + guard >= wanted, "{bytes} of {wanted}");
        }
        // Whatever is too small or not a number of pages is rounded up.
        for odd in [0, 1, 100_001] {
            let pool = ThreadPool::builder().threads(1).stack_size(odd).build().unwrap();
            assert_eq!(pool.submit(|| 5).unwrap().join().unwrap(), 5);
        }
    }
}

mod submitting {
    use super::*;

    #[test]
    fn values() {
        let _watchdog = Watchdog::start();
        let pool = pool(2, 8, RejectionPolicy::Abort);
        let text = String::from("some text");
        assert_eq!(pool.submit(move || text.len()).unwrap().join().unwrap(), 9);
        pool.submit(|| ()).unwrap().join().unwrap();
        let boxed: Box<dyn FnOnce() -> Vec<u8> + Send> = Box::new(|| vec![1, 2, 3]);
        assert_eq!(pool.submit(boxed).unwrap().join().unwrap(), [1, 2, 3]);
        let large = [7_u64; 1000];
        assert_eq!(pool.submit(move || large).unwrap().join().unwrap(), large);
        let (send, receive) = mpsc::channel();
        pool.execute(move || send.send(thread::current().id()).unwrap()).unwrap();
        assert_ne!(receive.recv().unwrap(), thread::current().id());
    }

    /// Large values, and values of a strict alignment, are where they should be.
    #[test]
    fn alignment_is_kept() {
        #[repr(align(128))]
        struct Aligned(u8);
        let _watchdog = Watchdog::start();
        let pool = pool(1, 8, RejectionPolicy::Abort);
        for i in 0..20 {
            let aligned = Aligned(i);
            let task = pool.submit(move || {
                let here = (&raw const aligned).addr();
                (here % 128, aligned)
            });
            let (misfit, back) = task.unwrap().join().unwrap();
            assert_eq!((misfit, back.0), (0, i));
        }
    }

    #[test]
    fn one_thread_starts_tasks_in_order() {
        let _watchdog = Watchdog::start();
        let pool = pool(1, 100, RejectionPolicy::Abort);
        let gate = occupy(&pool);
        let order = Arc::new(Mutex::new(Vec::new()));
        for i in 0..100 {
            let order = order.clone();
            pool.execute(move || order.lock().push(i)).unwrap();
        }
        drop(gate);
        drop(pool);
        assert_eq!(*order.lock(), Vec::from_iter(0..100));
    }

    #[test]
    fn threads_run_at_the_same_time() {
        let _watchdog = Watchdog::start();
        let pool = pool(4, 4, RejectionPolicy::Abort);
        let barrier = Arc::new(std::sync::Barrier::new(5));
        for _ in 0..4 {
            let barrier = barrier.clone();
            pool.execute(move || {
                barrier.wait();
            })
            .unwrap();
        }
        barrier.wait();
    }

    #[test]
    fn numbers() {
        let _watchdog = Watchdog::start();
        for capacity in [1, 2, 3, 7] {
            let pool = pool(1, capacity, RejectionPolicy::Abort);
            assert_eq!((pool.queued(), pool.queue_capacity()), (0, capacity));
            let gate = occupy(&pool);
            assert_eq!(pool.queued(), 0, "what runs is not queued");
            let tasks: Vec<_> = (0..capacity)
                .map(|before| {
                    assert_eq!(pool.queued(), before);
                    let pool_in_task = pool.clone();
                    pool.submit(move || pool_in_task.queued()).unwrap()
                })
                .collect();
            let full = RejectReason::Full { capacity };
            assert_eq!(pool.execute(|| ()).unwrap_err().reason(), full);
            assert_eq!(pool.queued(), capacity, "a refusal changes nothing");
            drop(gate);
            for (i, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.join().unwrap(), capacity - 1 - i);
            }
            assert_eq!((pool.queued(), pool.panicked()), (0, 0));
        }
    }

    /// However often a task is refused, it can be submitted again, and then it runs.
    #[test]
    fn a_task_survives_refusals() {
        let watchdog = Watchdog::start();
        for threads in [1, 30] {
            let pool = pool(threads, 30, RejectionPolicy::Abort);
            let gates: Vec<_> = (0..threads).map(|_| occupy(&pool)).collect();
            for _ in 0..30 {
                pool.execute(|| ()).unwrap();
            }
            let ran = Arc::new(AtomicUsize::new(0));
            let mut task = {
                let ran = ran.clone();
                move || {
                    let _ = ran.fetch_add(1, Relaxed);
                }
            };
            for _ in 0..100 {
                let refused = pool.execute(task).unwrap_err();
                assert_eq!(refused.reason(), RejectReason::Full { capacity: 30 });
                task = refused.into_inner();
            }
            drop(gates);
            for _ in 0..1000 {
                let mut once = task.clone();
                while let Err(refused) = pool.execute(once) {
                    once = refused.into_inner();
                    thread::yield_now();
                }
                watchdog.tick();
            }
            drop(pool);
            assert_eq!(ran.load(Relaxed), 1000);
        }
    }

    #[test]
    fn two_pools_submit_to_each_other() {
        /// Goes to and fro and ends with the number of the last.
        fn ball(left: u32, here: Arc<ThreadPool>, there: Arc<ThreadPool>, end: mpsc::Sender<u32>) {
            if left == 0 {
                return end.send(left).unwrap();
            }
            let next = there.clone();
            next.execute(move || ball(left - 1, there, here, end)).unwrap();
        }
        let _watchdog = Watchdog::start();
        for policy in POLICIES {
            let (here, there) = (pool(1, 16, policy), pool(1, 16, policy));
            let (end, ends) = mpsc::channel();
            for _ in 0..4 {
                ball(100, here.clone(), there.clone(), end.clone());
            }
            for _ in 0..4 {
                assert_eq!(ends.recv(), Ok(0));
            }
            // And a task may wait for one of the other pool.
            let other = there.clone();
            let task = here.submit(move || other.submit(|| 7).unwrap().join().unwrap());
            assert_eq!(task.unwrap().join().unwrap(), 7);
        }
    }

    #[test]
    fn a_pool_in_a_static() {
        static POOL: LazyLock<ThreadPool> =
            LazyLock::new(|| ThreadPool::builder().name("static").threads(2).build().unwrap());
        const ROLE: &str = "static-pool";
        let _watchdog = Watchdog::start();
        let task = POOL.submit(|| POOL.submit(|| POOL.name()).unwrap().join().unwrap());
        assert_eq!(task.unwrap().join().unwrap(), "static");
        if child::is(ROLE) {
            // Nobody drops the pool, and the process ends all the same.
            return std::mem::forget(occupy(&POOL));
        }
        let path = thread::current().name().unwrap().to_owned();
        child::assert_exit(&child::run(&path, ROLE), 0);
    }
}

mod policies {
    use super::*;

    #[test]
    fn abort_gives_the_closure_back() {
        let _watchdog = Watchdog::start();
        let (pool, gate, oldest) = saturated(RejectionPolicy::Abort);
        let ran = Arc::new(AtomicUsize::new(0));
        let (witness, dropped) = witness();
        let task = {
            let ran = ran.clone();
            move || {
                let _witness = &witness;
                ran.fetch_add(1, Relaxed) + 1
            }
        };
        let refused = pool.submit(task).unwrap_err();
        assert_eq!(refused.reason(), RejectReason::Full { capacity: 1 });
        drop(gate);
        assert_eq!(oldest.join().unwrap(), "oldest");
        assert_eq!((ran.load(Relaxed), dropped.try_recv()), (0, Err(mpsc::TryRecvError::Empty)));
        assert_eq!(refused.into_inner()(), 1);
        assert_eq!(dropped.recv(), Ok(thread::current().id()));
        assert_eq!(pool.panicked(), 0);
    }

    #[test]
    fn caller_runs() {
        let _watchdog = Watchdog::start();
        let (pool, gate, oldest) = saturated(RejectionPolicy::CallerRuns);
        let here = thread::current().id();
        let task = pool.submit(|| thread::current().id()).unwrap();
        assert!(task.is_finished(), "run before submit returned");
        assert_eq!(task.join().unwrap(), here);
        let (send, receive) = mpsc::channel();
        pool.execute(move || send.send(thread::current().id()).unwrap()).unwrap();
        assert_eq!(receive.try_recv(), Ok(here));
        assert_eq!((pool.queued(), oldest.is_finished()), (1, false));
        drop(gate);
        assert_eq!(oldest.join().unwrap(), "oldest");
    }

    #[test]
    fn caller_runs_and_catches_panics() {
        let _watchdog = Watchdog::start();
        let (pool, _gate, _oldest) = saturated(RejectionPolicy::CallerRuns);
        pool.execute(|| quiet("for nobody")).unwrap();
        assert_eq!(pool.panicked(), 1);
        let task = pool.submit(|| -> u8 { quiet("for the handle") }).unwrap();
        assert_eq!(pool.panicked(), 2);
        assert_eq!(text_of(&*task.join().unwrap_err().into_panic().unwrap()), "for the handle");
        unharmed(|| pool.execute(|| resume_unwind(Box::new(Bomb(3)))).unwrap());
        assert_eq!(pool.panicked(), 3);
    }

    #[test]
    fn block_waits_for_room() {
        let watchdog = Watchdog::start();
        let (pool, gate, oldest) = saturated(RejectionPolicy::Block);
        thread::scope(|s| {
            let one = asleep(s, || pool.submit(|| thread::current().id()).unwrap());
            let two = asleep(s, || pool.execute(|| ()).unwrap());
            assert!(!one.is_finished() && !two.is_finished());
            watchdog.tick();
            drop(gate);
            assert_eq!(oldest.join().unwrap(), "oldest");
            let submitter = one.thread().id();
            let runner = one.join().unwrap().join().unwrap();
            assert!(runner != submitter && runner != thread::current().id());
            two.join().unwrap();
        });
    }

    #[test]
    fn block_ends_with_the_shutdown() {
        let _watchdog = Watchdog::start();
        let (pool, gate, oldest) = saturated(RejectionPolicy::Block);
        let pool = &pool;
        thread::scope(|s| {
            let blocked: Vec<_> =
                (0..3).map(|i| asleep(s, move || pool.submit(move || i))).collect();
            pool.shutdown();
            for (i, blocked) in blocked.into_iter().enumerate() {
                let refused = blocked.join().unwrap().unwrap_err();
                assert_eq!(refused.reason(), RejectReason::ShutDown);
                assert_eq!(refused.into_inner()(), i);
            }
        });
        drop(gate);
        assert_eq!(oldest.join().unwrap(), "oldest");
    }

    #[test]
    fn discard_drops_the_new_one() {
        let _watchdog = Watchdog::start();
        let (pool, gate, oldest) = saturated(RejectionPolicy::Discard);
        let (seen, dropped) = witness();
        let task = pool.submit(move || drop(seen)).unwrap();
        assert_eq!(dropped.try_recv(), Ok(thread::current().id()));
        assert!(task.is_finished());
        let error = task.join().unwrap_err();
        assert_eq!(error.cancel_reason(), Some(CancelReason::Discarded));
        let (seen, dropped) = witness();
        pool.execute(move || drop(seen)).unwrap();
        assert_eq!(dropped.try_recv(), Ok(thread::current().id()));
        drop(gate);
        assert_eq!(oldest.join().unwrap(), "oldest");
        assert_eq!(pool.panicked(), 0);
    }

    #[test]
    fn discard_oldest_goes_by_age() {
        let _watchdog = Watchdog::start();
        let pool = pool(1, 3, RejectionPolicy::DiscardOldest);
        let gate = occupy(&pool);
        let order = Arc::new(Mutex::new(Vec::new()));
        let (seen, dropped) = mpsc::channel();
        let tasks: Vec<_> = (0..5)
            .map(|i| {
                let (order, seen) = (order.clone(), seen.clone());
                let captured = OnDrop(move || seen.send(i).unwrap());
                let task = pool.submit(move || {
                    order.lock().push(i);
                    let _captured = captured;
                });
                assert_eq!(pool.queued(), 3.min(i + 1));
                task.unwrap()
            })
            .collect();
        assert_eq!(dropped.try_iter().collect::<Vec<_>>(), [0, 1]);
        drop(gate);
        for (i, task) in tasks.into_iter().enumerate() {
            match task.join() {
                Ok(()) => assert!(i >= 2),
                Err(error) => {
                    assert!(i < 2);
                    assert_eq!(error.cancel_reason(), Some(CancelReason::Discarded));
                }
            }
        }
        assert_eq!(*order.lock(), [2, 3, 4]);
        assert_eq!(dropped.try_iter().collect::<Vec<_>>(), [2, 3, 4]);
    }

    /// Who sleeps in a join hears that the task was thrown out.
    #[test]
    fn discarding_wakes_the_joiner() {
        let _watchdog = Watchdog::start();
        let (pool, _gate, oldest) = saturated(RejectionPolicy::DiscardOldest);
        thread::scope(|s| {
            let joiner = asleep(s, || oldest.join());
            pool.execute(|| ()).unwrap();
            let error = joiner.join().unwrap().unwrap_err();
            assert_eq!(error.cancel_reason(), Some(CancelReason::Discarded));
        });
    }

    /// A cancelled task still has its place, and is the oldest to be thrown out.
    #[test]
    fn a_cancelled_task_keeps_its_place() {
        let _watchdog = Watchdog::start();
        for policy in POLICIES {
            let (pool, gate, oldest) = saturated(policy);
            assert_eq!(oldest.cancel(), Cancel::Prevented);
            assert_eq!(pool.queued(), 1);
            match policy {
                RejectionPolicy::Abort => drop(pool.execute(|| ()).unwrap_err()),
                RejectionPolicy::DiscardOldest => {
                    let newest = pool.submit(|| 5).unwrap();
                    drop(gate);
                    assert_eq!(newest.join().unwrap(), 5);
                }
                _ => {}
            }
            assert_eq!(oldest.join().unwrap_err().cancel_reason(), Some(CancelReason::Handle));
        }
    }

    #[test]
    fn a_shut_down_pool_refuses_whatever_the_policy() {
        fn refuses(pool: &ThreadPool) {
            let (witness, dropped) = witness();
            let refused = pool.submit(move || drop(witness)).unwrap_err();
            assert_eq!(refused.reason(), RejectReason::ShutDown);
            assert!(dropped.try_recv().is_err(), "it came back whole");
            refused.into_inner()();
            assert_eq!(dropped.try_recv(), Ok(thread::current().id()));
            let ran = AtomicBool::new(false);
            let ran = Arc::new(ran);
            let flag = ran.clone();
            let refused = pool.execute(move || flag.store(true, Relaxed)).unwrap_err();
            assert_eq!(refused.reason(), RejectReason::ShutDown);
            assert!(!ran.load(Relaxed));
            refused.into_inner()();
            assert!(ran.load(Relaxed));
        }
        let _watchdog = Watchdog::start();
        for policy in POLICIES {
            let (full, gate, oldest) = saturated(policy);
            full.shutdown();
            refuses(&full);
            assert!(!oldest.is_finished(), "nothing was thrown out for nothing");
            drop(gate);
            assert_eq!(oldest.join().unwrap(), "oldest");
            full.await_termination();
            refuses(&full);

            let busy = pool(1, 4, policy);
            let gate = occupy(&busy);
            busy.shutdown();
            refuses(&busy);
            drop(gate);

            let idle = pool(2, 4, policy);
            idle.shutdown();
            refuses(&idle);
        }
    }

    #[test]
    fn a_refusal_says_what_and_why() {
        let _watchdog = Watchdog::start();
        let builder = ThreadPool::builder().name("a \"name\"").threads(1).queue_capacity(2);
        let pool = builder.build().unwrap();
        let _gate = occupy(&pool);
        pool.execute(|| ()).unwrap();
        pool.execute(|| ()).unwrap();
        struct NoDebug;
        let captured = NoDebug;
        let refused = pool.submit(move || captured).unwrap_err();
        let name = r#""a \"name\"""#;
        assert_eq!(
            refused.to_string(),
            format!("task rejected: queue of pool {name} is full (2 of 2)")
        );
        assert_eq!(
            format!("{refused:?}"),
            format!("Rejected {{ reason: Full {{ capacity: 2 }}, pool: {name}, .. }}")
        );
        assert!(refused.source().is_none());
        let NoDebug = refused.into_inner()();
        pool.shutdown();
        let refused = pool.execute(|| ()).unwrap_err();
        assert_eq!(refused.to_string(), format!("task rejected: pool {name} was shut down"));
        let debug = format!("{refused:?}");
        assert_eq!(debug, format!("Rejected {{ reason: ShutDown, pool: {name}, .. }}"));
    }
}

/// Submissions inside of submissions.
mod nesting {
    use super::*;

    /// Submits itself from inside, until it is refused.
    fn nest(pool: &Arc<ThreadPool>, depth: usize, refusals: &mpsc::Sender<(usize, RejectReason)>) {
        let (inner, sender) = (pool.clone(), refusals.clone());
        if let Err(refused) = pool.execute(move || nest(&inner, depth + 1, &sender)) {
            refusals.send((depth, refused.reason())).unwrap();
        }
    }

    #[test]
    fn callers_nest_to_a_depth() {
        let _watchdog = Watchdog::start();
        let (pool, _gate, _oldest) = saturated(RejectionPolicy::CallerRuns);
        let (send, refusals) = mpsc::channel();
        for _ in 0..3 {
            nest(&pool, 0, &send);
            let full = RejectReason::Full { capacity: 1 };
            assert_eq!(refusals.try_recv(), Ok((MAX_NESTED, full)));
        }
        assert!(refusals.try_recv().is_err());
        // A panic on the way leaves no depth behind.
        for _ in 0..MAX_NESTED + 1 {
            pool.execute(|| quiet("on purpose")).unwrap();
        }
    }

    #[test]
    fn tasks_nest_to_a_depth() {
        let _watchdog = Watchdog::start();
        for (policy, reason) in [
            (RejectionPolicy::Block, RejectReason::WouldDeadlock),
            (RejectionPolicy::CallerRuns, RejectReason::Full { capacity: 1 }),
        ] {
            let pool = pool(1, 1, policy);
            let (send, refusals) = mpsc::channel();
            let inner = pool.clone();
            let task = pool.submit(move || {
                inner.execute(|| ()).unwrap(); // takes the one place
                nest(&inner, 0, &send);
            });
            task.unwrap().join().unwrap();
            assert_eq!(refusals.recv(), Ok((MAX_NESTED, reason)));
            assert!(refusals.recv().is_err());
        }
    }

    #[test]
    fn a_task_of_the_pool_is_not_blocked() {
        let _watchdog = Watchdog::start();
        let pool = pool(1, 1, RejectionPolicy::Block);
        let inner = pool.clone();
        let task = pool.submit(move || {
            let queued = inner.submit(|| thread::current().id()).unwrap();
            let inline = inner.submit(|| thread::current().id()).unwrap();
            assert!(inline.is_finished() && !queued.is_finished());
            assert_eq!(inline.join().unwrap(), thread::current().id());
            let failed = inner.submit(|| quiet("inline")).unwrap();
            assert!(failed.join().unwrap_err().is_panic());
            queued
        });
        let worker = task.unwrap().join().unwrap().join().unwrap();
        assert_ne!(worker, thread::current().id());
        assert_eq!(pool.panicked(), 1);
    }

    #[test]
    fn would_deadlock_has_a_text() {
        let _watchdog = Watchdog::start();
        let pool = pool(1, 1, RejectionPolicy::Block);
        fn deep(pool: &Arc<ThreadPool>) -> String {
            let inner = pool.clone();
            match pool.submit(move || deep(&inner)) {
                Ok(task) => task.join().unwrap(),
                Err(refused) => format!("{refused} / {refused:?}"),
            }
        }
        let inner = pool.clone();
        let text = pool.submit(move || {
            inner.execute(|| ()).unwrap();
            deep(&inner)
        });
        assert_eq!(
            text.unwrap().join().unwrap(),
            "task rejected: queue of pool \"io\" is full and its own tasks may not wait / \
             Rejected { reason: WouldDeadlock, pool: \"io\", .. }"
        );
    }

    /// Submits another like it when it is dropped, until that is refused.
    struct Phoenix {
        pool: Arc<ThreadPool>,
        lives: Arc<Lives>,
    }

    #[derive(Default)]
    struct Lives {
        drops: AtomicUsize,
        over: AtomicBool,
    }

    impl Phoenix {
        /// Returns how the submission ended, and how many were dropped in it.
        fn rise(pool: &Arc<ThreadPool>) -> (Result<(), RejectReason>, usize) {
            let lives = Arc::new(Lives::default());
            let phoenix = Self { pool: pool.clone(), lives: lives.clone() };
            let outcome = phoenix.submit();
            (outcome, lives.drops.load(Relaxed))
        }

        fn submit(self) -> Result<(), RejectReason> {
            let (pool, lives) = (self.pool.clone(), self.lives.clone());
            pool.execute(move || drop(self)).map_err(|refused| {
                lives.over.store(true, Relaxed);
                refused.reason()
            })
        }
    }

    impl Drop for Phoenix {
        fn drop(&mut self) {
            if !self.lives.over.load(Relaxed) {
                self.lives.drops.fetch_add(1, Relaxed);
                let _ = Self { pool: self.pool.clone(), lives: self.lives.clone() }.submit();
            }
        }
    }

    /// Each drop is inside the one before, to a depth.
    #[test]
    fn a_discarded_capture_may_submit_again() {
        let _watchdog = Watchdog::start();
        let (pool, gate, oldest) = saturated(RejectionPolicy::Discard);
        for _ in 0..3 {
            assert_eq!(Phoenix::rise(&pool), (Ok(()), MAX_NESTED));
        }
        drop(gate);
        assert_eq!(oldest.join().unwrap(), "oldest");
    }

    /// A capture takes the room that its own end has made; after eight times the submission is
    /// refused.
    #[test]
    fn discard_oldest_gives_up() {
        let _watchdog = Watchdog::start();
        let (pool, gate, oldest) = saturated(RejectionPolicy::DiscardOldest);
        let lives = Arc::new(Lives::default());
        Phoenix { pool: pool.clone(), lives: lives.clone() }.submit().unwrap();
        let error = oldest.join().unwrap_err();
        assert_eq!(error.cancel_reason(), Some(CancelReason::Discarded));
        for i in 1..=3 {
            let refused = pool.submit(|| 5).unwrap_err();
            assert_eq!(refused.reason(), RejectReason::Full { capacity: 1 });
            assert_eq!((refused.into_inner()(), lives.drops.load(Relaxed)), (5, 8 * i));
        }
        lives.over.store(true, Relaxed);
        let newest = pool.submit(|| 6).unwrap();
        drop(gate);
        assert_eq!(newest.join().unwrap(), 6);
    }
}

mod panics {
    use super::*;

    #[test]
    fn a_worker_outlives_its_tasks() {
        let _watchdog = Watchdog::start();
        let pool = pool(1, 8, RejectionPolicy::Abort);
        let worker = pool.submit(|| thread::current().id()).unwrap().join().unwrap();
        for i in 1..=20 {
            let error = pool.submit(|| -> () { quiet("oh") }).unwrap().join().unwrap_err();
            assert_eq!((text_of(&*error.into_panic().unwrap()), pool.panicked()), ("oh", i));
            let now = pool.submit(|| thread::current().id()).unwrap().join().unwrap();
            assert_eq!((now, pool.panicked()), (worker, i), "the same thread, one more panic");
        }
        for _ in 0..5 {
            pool.execute(|| quiet("for nobody")).unwrap();
        }
        pool.submit(|| ()).unwrap().join().unwrap();
        assert_eq!(pool.panicked(), 25);
    }

    #[test]
    fn of_a_captured_value() {
        let _watchdog = Watchdog::start();
        let pool = pool(1, 8, RejectionPolicy::Abort);
        let captured = OnDrop(|| quiet("captured"));
        let task = pool.submit(move || {
            let _captured = &captured;
            5
        });
        let error = task.unwrap().join().unwrap_err();
        assert_eq!(text_of(&*error.into_panic().unwrap()), "captured");
        assert_eq!(pool.panicked(), 1);
        assert_eq!(pool.submit(|| 6).unwrap().join().unwrap(), 6);
    }

    /// Nobody is to blame for what a destructor does to a closure that is thrown out.
    #[test]
    fn of_a_discarded_closure() {
        let _watchdog = Watchdog::start();
        for policy in [RejectionPolicy::Discard, RejectionPolicy::DiscardOldest] {
            let (pool, gate, _oldest) = saturated(policy);
            let victim = |text| {
                let captured = OnDrop(move || quiet(text));
                pool.submit(move || drop(captured)).unwrap()
            };
            let one = victim("one");
            let two = victim("two");
            let three = pool.submit(|| 3).unwrap();
            for task in [one, two] {
                let error = task.join().unwrap_err();
                assert_eq!(error.cancel_reason(), Some(CancelReason::Discarded));
            }
            drop(gate);
            assert_eq!(three.join().is_ok(), policy == RejectionPolicy::DiscardOldest);
            assert_eq!(pool.panicked(), 2);
        }
    }

    #[test]
    fn of_a_result_that_nobody_wants() {
        let _watchdog = Watchdog::start();
        let pool = pool(1, 8, RejectionPolicy::Abort);
        for _ in 0..3 {
            let gate = occupy(&pool);
            drop(pool.submit(|| Bomb(3)).unwrap());
            drop(pool.submit(|| OnDrop(|| quiet("a result"))).unwrap());
            drop(gate);
            assert_eq!(pool.submit(|| 1).unwrap().join().unwrap(), 1);
        }
    }

    #[test]
    fn of_what_a_panic_carried() {
        let _watchdog = Watchdog::start();
        let pool = pool(1, 8, RejectionPolicy::Abort);
        for i in 1..=3 {
            let gate = occupy(&pool);
            unharmed(|| pool.execute(move || resume_unwind(Box::new(Bomb(i)))).unwrap());
            drop(pool.submit(move || -> u8 { resume_unwind(Box::new(Bomb(i))) }).unwrap());
            drop(gate);
            assert_eq!(pool.submit(|| 1).unwrap().join().unwrap(), 1);
            assert_eq!(pool.panicked(), 2 * u64::from(i));
        }
        // Who has the handle has the payload.
        let task = pool.submit(|| -> u8 { resume_unwind(Box::new(Bomb(0))) }).unwrap();
        let error = task.join().unwrap_err();
        assert!(error.into_panic().unwrap().is::<Bomb>());
    }

    /// Errors of all kinds of tasks, here and there, are counted once each.
    #[test]
    fn are_counted_wherever_the_task_runs() {
        let _watchdog = Watchdog::start();
        let pool = pool(1, 4, RejectionPolicy::Abort);
        let inner = pool.clone();
        let task = pool.submit(move || {
            let joined = inner.submit(|| -> u8 { quiet("joined before it started") }).unwrap();
            assert!(joined.join().unwrap_err().is_panic());
            inner.panicked()
        });
        assert_eq!(task.unwrap().join().unwrap(), 1);
        assert_eq!(pool.panicked(), 1);
    }
}

mod handles {
    use super::*;

    #[test]
    fn limits() {
        let _watchdog = Watchdog::start();
        let (pool, gate, task) = saturated(RejectionPolicy::Abort);
        let past = Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
        assert!(!task.is_finished());
        assert_eq!(format!("{task:?}"), "JoinHandle { finished: false, .. }");
        let task = task.try_join().unwrap_err();
        let task = task.join_for(Duration::ZERO).unwrap_err();
        let task = task.join_for(Duration::from_millis(1)).unwrap_err();
        let task = task.join_until(past).unwrap_err();
        let task = task.join_until(Instant::now() + Duration::from_millis(1)).unwrap_err();
        let task = task.join_until(Deadline::now()).unwrap_err();
        drop(gate);
        assert_eq!(task.join_until(Deadline::NEVER).unwrap().unwrap(), "oldest");

        let finished = || {
            let task = pool.submit(|| 5).unwrap();
            while !task.is_finished() {
                thread::yield_now();
            }
            assert_eq!(format!("{task:?}"), "JoinHandle { finished: true, .. }");
            task
        };
        // What is there is handed over, however late.
        assert_eq!(finished().join().unwrap(), 5);
        assert_eq!(finished().try_join().unwrap().unwrap(), 5);
        assert_eq!(finished().join_for(Duration::ZERO).unwrap().unwrap(), 5);
        assert_eq!(finished().join_until(past).unwrap().unwrap(), 5);
        assert_eq!(pool.submit(|| 6).unwrap().join_for(Duration::MAX).unwrap().unwrap(), 6);
    }

    #[test]
    fn a_joiner_is_woken() {
        let _watchdog = Watchdog::start();
        let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
        for form in 0..4 {
            let (_pool, gate, task) = saturated(RejectionPolicy::Abort);
            let value = thread::scope(|s| {
                let joiner = asleep(s, || match form {
                    0 => task.join(),
                    1 => task.join_for(Duration::MAX).unwrap(),
                    2 => task.join_until(far).unwrap(),
                    _ => task.join_until(Deadline::NEVER).unwrap(),
                });
                drop(gate);
                joiner.join().unwrap()
            });
            assert_eq!(value.unwrap(), "oldest");
        }
    }

    #[test]
    fn cancel_prevents() {
        let _watchdog = Watchdog::start();
        let pool = pool(1, 4, RejectionPolicy::Abort);
        let gate = occupy(&pool);
        let (witness, dropped) = witness();
        let ran = Arc::new(AtomicBool::new(false));
        let flag = ran.clone();
        let task = pool.submit(move || {
            let _witness = witness;
            flag.store(true, Relaxed);
        });
        let task = task.unwrap();
        let after = pool.submit(|| 5).unwrap();
        assert_eq!(task.cancel(), Cancel::Prevented);
        assert_eq!(dropped.try_recv(), Ok(thread::current().id()), "dropped at once, and here");
        assert!(task.is_finished());
        assert_eq!(task.cancel(), Cancel::TooLate);
        assert_eq!(pool.queued(), 2, "the place stays taken");
        let error = task.try_join().unwrap().unwrap_err();
        assert_eq!(error.cancel_reason(), Some(CancelReason::Handle));
        drop(gate);
        assert_eq!(after.join().unwrap(), 5);
        assert!(!ran.load(Relaxed));
        assert_eq!(pool.panicked(), 0);
    }

    #[test]
    fn cancel_comes_too_late() {
        let _watchdog = Watchdog::start();
        let pool = pool(1, 4, RejectionPolicy::Abort);
        let (started, starts) = mpsc::channel();
        let (gate, opened) = mpsc::channel::<()>();
        let task = pool.submit(move || {
            started.send(()).unwrap();
            assert!(opened.recv().is_err());
            5
        });
        let task = task.unwrap();
        starts.recv().unwrap();
        assert_eq!(task.cancel(), Cancel::Requested);
        assert!(!task.is_finished());
        drop(gate);
        assert_eq!(task.join().unwrap(), 5, "a late cancel takes no value away");
        let task = pool.submit(|| -> u8 { quiet("oh") }).unwrap();
        while !task.is_finished() {
            thread::yield_now();
        }
        assert_eq!(task.cancel(), Cancel::TooLate);
        assert!(task.join().unwrap_err().is_panic());
    }

    #[test]
    fn cancel_of_a_closure_that_panics() {
        let _watchdog = Watchdog::start();
        let (pool, gate, oldest) = saturated(RejectionPolicy::DiscardOldest);
        let captured = OnDrop(|| quiet("captured"));
        let ran = Arc::new(AtomicBool::new(false));
        let flag = ran.clone();
        let task = pool.submit(move || {
            flag.store(true, Relaxed);
            std::mem::forget(captured);
        });
        let task = task.unwrap();
        let payload = catch_unwind(AssertUnwindSafe(|| task.cancel())).unwrap_err();
        assert_eq!(text_of(&*payload), "captured");
        assert_eq!(task.cancel(), Cancel::TooLate);
        drop(gate);
        assert_eq!(task.join().unwrap_err().cancel_reason(), Some(CancelReason::Handle));
        assert!(oldest.join().unwrap_err().is_cancelled());
        assert_eq!(pool.submit(|| 1).unwrap().join().unwrap(), 1);
        assert!(!ran.load(Relaxed));
    }

    #[test]
    fn dropping_a_handle_detaches() {
        let _watchdog = Watchdog::start();
        let (pool, gate, oldest) = saturated(RejectionPolicy::Block);
        drop(oldest);
        let (send, receive) = mpsc::channel();
        drop(gate);
        let result = OnDrop(move || send.send(thread::current().id()).unwrap());
        drop(pool.submit(move || result).unwrap());
        // The result of a task that goes on alone is dropped when it is done.
        receive.recv().unwrap();
    }

    #[test]
    fn outlive_the_pool() {
        let _watchdog = Watchdog::start();
        let (pool, gate, oldest) = saturated(RejectionPolicy::Block);
        drop(gate);
        let failed = pool.submit(|| -> u8 { quiet("oh") }).unwrap();
        let waits = pool.submit(|| String::from("text")).unwrap();
        drop(pool);
        assert!(waits.is_finished());
        assert_eq!(waits.cancel(), Cancel::TooLate);
        assert_eq!(waits.join().unwrap(), "text");
        assert_eq!(oldest.try_join().unwrap().unwrap(), "oldest");
        let error = failed.join_for(Duration::ZERO).unwrap().unwrap_err();
        assert_eq!(error.to_string(), "task panicked: oh");
    }

    /// What the closure captured is gone when its result is there.
    #[test]
    fn captures_are_gone_when_join_returns() {
        let _watchdog = Watchdog::start();
        let pool = pool(2, 8, RejectionPolicy::Block);
        let shared = Arc::new(());
        for i in 0..500 {
            let copy = shared.clone();
            let task = pool.submit(move || {
                let _copy = &copy;
                if i % 3 == 0 {
                    quiet("on purpose");
                }
            });
            let task = task.unwrap();
            match i % 4 {
                0 => drop(task.join()),
                1 => {
                    while !task.is_finished() {
                        std::hint::spin_loop();
                    }
                }
                2 => drop(task.join_for(Duration::MAX).unwrap()),
                _ => {
                    let _ = task.cancel();
                    drop(task.join());
                }
            }
            assert_eq!(Arc::strong_count(&shared), 1);
        }
    }

    #[test]
    fn what_errors_say() {
        let _watchdog = Watchdog::start();
        let pool = pool(1, 8, RejectionPolicy::Abort);
        let number = 7;
        type Fails = Box<dyn FnOnce() + Send>;
        let fails: [(Fails, Option<&str>); 3] = [
            (Box::new(|| quiet("a str")), Some("a str")),
            (Box::new(move || resume_unwind(Box::new(format!("no. {number}")))), Some("no. 7")),
            (Box::new(|| resume_unwind(Box::new(7_u8))), None),
        ];
        for (task, text) in fails {
            let error = pool.submit(task).unwrap().join().unwrap_err();
            assert!(error.is_panic() && !error.is_cancelled());
            assert_eq!(error.cancel_reason(), None);
            assert!(error.source().is_none());
            let full =
                text.map_or(String::from("task panicked"), |t| format!("task panicked: {t}"));
            assert_eq!(error.to_string(), full);
            assert_eq!(format!("{error:?}"), format!("Panicked({text:?})"));
            let payload = error.into_panic().unwrap();
            match text {
                Some(text) => assert_eq!(text_of(&*payload), text),
                None => assert_eq!(payload.downcast_ref(), Some(&7_u8)),
            }
        }

        let (discarding, _gate, _oldest) = saturated(RejectionPolicy::Discard);
        let discarded = discarding.submit(|| ()).unwrap().join().unwrap_err();
        let (_pool, _gate, task) = saturated(RejectionPolicy::Abort);
        assert_eq!(task.cancel(), Cancel::Prevented);
        let cancelled = task.join().unwrap_err();
        for (error, reason, text, debug) in [
            (
                discarded,
                CancelReason::Discarded,
                "task was discarded: the queue was full",
                "Cancelled(Discarded)",
            ),
            (
                cancelled,
                CancelReason::Handle,
                "task was cancelled before it ran",
                "Cancelled(Handle)",
            ),
        ] {
            assert!(error.is_cancelled() && !error.is_panic());
            assert_eq!((error.to_string(), format!("{error:?}")), (text.into(), debug.into()));
            let error = error.into_panic().unwrap_err();
            assert_eq!(error.cancel_reason(), Some(reason), "it comes back");
        }
    }

    #[test]
    fn nothing_needs_debug() {
        struct NoDebug(u8);
        let _watchdog = Watchdog::start();
        let pool = pool(1, 1, RejectionPolicy::Abort);
        let value = NoDebug(3);
        let task = pool.submit(move || value).unwrap();
        assert!(format!("{task:?}").starts_with("JoinHandle { finished: "));
        assert_eq!(task.join().map(|value| value.0).unwrap(), 3);
        let gate = occupy(&pool);
        let text = "ThreadPool { name: \"io\", threads: 1, queued: 0, queue_capacity: 1, \
                    panicked: 0, shutdown: false, .. }";
        assert_eq!(format!("{pool:?}"), text);
        pool.execute(|| quiet("oh")).unwrap();
        pool.shutdown();
        let text =
            text.replace("queued: 0", "queued: 1").replace("shutdown: false", "shutdown: true");
        assert_eq!(format!("{pool:?}"), text);
        drop(gate);
        pool.await_termination();
        let text = text.replace("queued: 1", "queued: 0").replace("panicked: 0", "panicked: 1");
        assert_eq!(format!("{pool:?}"), text);
    }
}

/// Tasks that join tasks of their own pool.
mod joins {
    use super::*;

    fn fib(pool: &Arc<ThreadPool>, n: u32) -> u64 {
        if n < 2 {
            return n.into();
        }
        let inner = pool.clone();
        let one = pool.submit(move || fib(&inner, n - 1)).unwrap();
        let two = fib(pool, n - 2);
        one.join().unwrap() + two
    }

    #[test]
    fn fib_on_any_number_of_threads() {
        let watchdog = Watchdog::start();
        for threads in 1..=4 {
            for (policy, capacity) in [
                (RejectionPolicy::Abort, 1000),
                (RejectionPolicy::Block, 2),
                (RejectionPolicy::CallerRuns, 1),
            ] {
                let pool = pool(threads, capacity, policy);
                let inner = pool.clone();
                let task = pool.submit(move || fib(&inner, 13)).unwrap();
                assert_eq!(task.join().unwrap(), 233);
                watchdog.tick();
                pool.shutdown();
                pool.await_termination();
            }
        }
    }

    /// What a join runs is what it waits for, and nothing that was queued before.
    #[test]
    fn a_join_runs_its_task_and_no_stranger() {
        let _watchdog = Watchdog::start();
        let pool = pool(1, 8, RejectionPolicy::Abort);
        let gate = occupy(&pool);
        let order = Arc::new(Mutex::new(Vec::new()));
        let say = |what: &'static str| {
            let order = order.clone();
            move || {
                order.lock().push(what);
                thread::current().id()
            }
        };
        let (inner, joined) = (pool.clone(), say("joined"));
        let (outer_begins, outer_ends) = (say("outer begins"), say("outer ends"));
        let outer = pool.submit(move || {
            let here = outer_begins();
            let task = inner.submit(joined).unwrap();
            let task = task.try_join().unwrap_err(); // runs nothing
            let task = task.join_for(Duration::from_millis(1)).unwrap_err(); // nor does this
            let task = task.join_until(Deadline::now()).unwrap_err();
            let there = task.join().unwrap();
            assert_eq!((here, inner.queued()), (there, 2), "its place stays taken");
            outer_ends()
        });
        let stranger = pool.submit(say("stranger")).unwrap();
        drop(gate);
        assert_eq!(outer.unwrap().join().unwrap(), stranger.join().unwrap());
        assert_eq!(*order.lock(), ["outer begins", "joined", "outer ends", "stranger"]);
    }

    /// A worker of another pool waits like any thread.
    #[test]
    fn a_worker_of_another_pool_runs_nothing() {
        let _watchdog = Watchdog::start();
        let (pool, other) =
            (pool(1, 2, RejectionPolicy::Abort), pool(1, 2, RejectionPolicy::Abort));
        let gate = occupy(&pool);
        let task = pool.submit(|| thread::current().id()).unwrap();
        let (send, joiner) = mpsc::channel();
        let join = other.submit(move || {
            send.send(tid()).unwrap();
            (task.join().unwrap(), thread::current().id())
        });
        until_asleep(joiner.recv().unwrap(), None);
        drop(gate);
        let (ran_on, joined_on) = join.unwrap().join().unwrap();
        assert!(ran_on != joined_on && ran_on != thread::current().id());
    }

    /// A task of a graph: its handle, then its value.
    enum Node {
        Submitted(JoinHandle<u64>),
        Known(u64),
        Missing,
    }

    type Graph = Arc<(Vec<Vec<usize>>, Vec<Mutex<Node>>)>;

    /// The value of a node, for which it is joined by whoever comes first, under its lock. A pool
    /// that ran strangers inside a join would lock twice here.
    fn value(graph: &Graph, node: usize) -> u64 {
        let mut entry = graph.1[node].lock();
        let value = match std::mem::replace(&mut *entry, Node::Missing) {
            Node::Submitted(task) => task.join().unwrap(),
            Node::Known(value) => value,
            Node::Missing => panic!("a node that was never submitted"),
        };
        *entry = Node::Known(value);
        value
    }

    #[test]
    fn random_graphs() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let mut rng = Rng::stream(seed, 0);
        for round in 0..scaled(40) {
            let nodes = 2 + rng.below(60) as usize;
            // Each depends on a few before it.
            let edges: Vec<Vec<usize>> = (0..nodes)
                .map(|i| {
                    let count = if i == 0 { 0 } else { rng.below(4) };
                    (0..count).map(|_| rng.below(i as u64) as usize).collect()
                })
                .collect();
            let mut expected: Vec<u64> = Vec::new();
            for (i, edges) in edges.iter().enumerate() {
                let sum = edges.iter().map(|&edge| expected[edge]);
                expected.push(sum.fold(i as u64 + 1, u64::wrapping_add));
            }
            let threads = 1 + round % 4;
            let pool = pool(threads, nodes, RejectionPolicy::Abort);
            let slots = (0..nodes).map(|_| Mutex::new(Node::Missing)).collect();
            let graph: Graph = Arc::new((edges, slots));
            let gates: Vec<_> = (0..threads).map(|_| occupy(&pool)).collect();
            // Submitted in any order, so that tasks wait for some that are far behind them.
            let mut order: Vec<usize> = (0..nodes).collect();
            for i in (1..nodes).rev() {
                order.swap(i, rng.below(i as u64 + 1) as usize);
            }
            for node in order {
                let inner = graph.clone();
                let task = pool.submit(move || {
                    let values = inner.0[node].iter().map(|&edge| value(&inner, edge));
                    values.fold(node as u64 + 1, u64::wrapping_add)
                });
                *graph.1[node].lock() = Node::Submitted(task.unwrap());
            }
            drop(gates);
            for (node, &expected) in expected.iter().enumerate().rev() {
                assert_eq!(value(&graph, node), expected);
            }
            watchdog.tick();
        }
    }
}

mod ending {
    use super::*;

    #[test]
    fn what_was_accepted_runs() {
        let _watchdog = Watchdog::start();
        let pool = pool(1, 10, RejectionPolicy::Abort);
        let gate = occupy(&pool);
        let tasks: Vec<_> = (0..10).map(|i| pool.submit(move || i).unwrap()).collect();
        assert!(!pool.is_shutdown());
        pool.shutdown();
        assert!(pool.is_shutdown() && !pool.is_terminated());
        pool.shutdown();
        assert!(!pool.await_termination_for(Duration::from_millis(1)));
        assert!(!pool.await_termination_until(Deadline::now()));
        assert_eq!(pool.queued(), 10);
        assert!(tasks.iter().all(|task| !task.is_finished()));
        drop(gate);
        pool.await_termination();
        assert!(pool.is_shutdown() && pool.is_terminated());
        assert!(tasks.iter().all(JoinHandle::is_finished));
        for (i, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.join().unwrap(), i);
        }
        // Again, once it is over.
        pool.shutdown();
        pool.await_termination();
        assert!(pool.await_termination_for(Duration::ZERO));
        assert!(pool.await_termination_until(Deadline::now()));
        assert_eq!(pool.queued(), 0);
    }

    #[test]
    fn nobody_shut_it_down() {
        let _watchdog = Watchdog::start();
        let pool = pool(2, 4, RejectionPolicy::Abort);
        let past = Instant::now().checked_sub(Duration::from_secs(3)).unwrap_or_else(Instant::now);
        assert!(!pool.await_termination_for(Duration::ZERO));
        assert!(!pool.await_termination_for(Duration::from_millis(2)));
        assert!(!pool.await_termination_until(past));
        assert!(!pool.await_termination_until(Instant::now() + Duration::from_millis(2)));
        assert!(!pool.is_shutdown() && !pool.is_terminated());
        assert_eq!(pool.submit(|| 1).unwrap().join().unwrap(), 1, "it goes on");
    }

    #[test]
    fn those_who_await_the_end_are_woken() {
        let _watchdog = Watchdog::start();
        let (pool, gate, oldest) = saturated(RejectionPolicy::Abort);
        let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
        thread::scope(|s| {
            let waits = [
                asleep(s, || pool.await_termination_for(Duration::MAX)),
                asleep(s, || pool.await_termination_until(far)),
                asleep(s, || pool.await_termination_until(Deadline::NEVER)),
            ];
            let forever = asleep(s, || pool.await_termination());
            pool.shutdown();
            assert!(!waits.iter().any(ScopedJoinHandle::is_finished));
            drop(gate);
            assert!(waits.into_iter().all(|wait| wait.join().unwrap()));
            forever.join().unwrap();
        });
        assert_eq!(oldest.try_join().unwrap().unwrap(), "oldest");
    }

    /// Termination includes the destructors of the workers' thread locals, whoever asks.
    #[test]
    fn threads_are_joined() {
        struct Local(Arc<AtomicUsize>, Duration);
        impl Drop for Local {
            fn drop(&mut self) {
                thread::sleep(self.1);
                self.0.fetch_add(1, Relaxed);
            }
        }
        thread_local! {
            static LOCAL: RefCell<Option<Local>> = const { RefCell::new(None) };
        }
        let watchdog = Watchdog::start();
        // Each thread is once the last to end.
        for (form, late) in (0..5).flat_map(|form| (0..3).map(move |late| (form, late))) {
            let pool = pool(3, 4, RejectionPolicy::Abort);
            let ended = Arc::new(AtomicUsize::new(0));
            let barrier = Arc::new(std::sync::Barrier::new(3));
            for _ in 0..3 {
                let (ended, barrier) = (ended.clone(), barrier.clone());
                let set = move || {
                    let is_late = thread::current().name() == Some(&*format!("io-{late}"));
                    let time = Duration::from_millis(if is_late { 10 } else { 0 });
                    LOCAL.with(|slot| *slot.borrow_mut() = Some(Local(ended, time)));
                    barrier.wait();
                };
                pool.execute(set).unwrap();
            }
            match form {
                0 => drop(pool),
                form => {
                    pool.shutdown();
                    match form {
                        1 => pool.await_termination(),
                        2 => assert!(pool.await_termination_for(Duration::MAX)),
                        3 => while !pool.await_termination_until(Deadline::now()) {},
                        _ => while !pool.is_terminated() {},
                    }
                }
            }
            assert_eq!(ended.load(Relaxed), 3);
            watchdog.tick();
        }
    }

    #[test]
    fn dropping_drains() {
        let _watchdog = Watchdog::start();
        let ran = Arc::new(AtomicUsize::new(0));
        let pool = pool(2, 50, RejectionPolicy::Abort);
        let gates = [occupy(&pool), occupy(&pool)];
        for _ in 0..50 {
            let ran = ran.clone();
            pool.execute(move || {
                let _ = ran.fetch_add(1, Relaxed);
            })
            .unwrap();
        }
        thread::scope(|s| {
            let dropper = asleep(s, || drop(pool));
            assert_eq!(ran.load(Relaxed), 0);
            drop(gates);
            dropper.join().unwrap();
        });
        assert_eq!(ran.load(Relaxed), 50);
    }

    #[test]
    fn dropping_while_panicking_drains() {
        let _watchdog = Watchdog::start();
        let (ran, sum) = (Arc::new(AtomicUsize::new(0)), 3);
        let payload = catch_unwind(|| {
            let pool = pool(1, 8, RejectionPolicy::Abort);
            for _ in 0..sum {
                let ran = ran.clone();
                pool.execute(move || {
                    thread::sleep(Duration::from_millis(1));
                    ran.fetch_add(1, Relaxed);
                })
                .unwrap();
            }
            quiet("on the way")
        });
        let payload = payload.map(|(): ()| ()).unwrap_err();
        assert_eq!((text_of(&*payload), ran.load(Relaxed)), ("on the way", sum));
    }

    /// Its last owner may be one of its tasks: that neither waits for itself nor loses the others.
    #[test]
    fn dropping_in_an_own_task() {
        let _watchdog = Watchdog::start();
        for (threads, panics) in [(1, false), (1, true), (3, false), (3, true)] {
            let pool = pool(threads, 8, RejectionPolicy::Abort);
            let (go, goes) = mpsc::channel::<()>();
            let (send, receive) = mpsc::channel();
            let inner = pool.clone();
            let last = pool.submit(move || {
                assert!(goes.recv().is_err());
                if panics {
                    let _inner = inner;
                    quiet("with the pool in hand");
                }
                drop(inner);
            });
            let last = last.unwrap();
            let gates: Vec<_> = (1..threads).map(|_| occupy(&pool)).collect();
            for i in 0..5 {
                let send = send.clone();
                pool.execute(move || send.send(i).unwrap()).unwrap();
            }
            drop((pool, send));
            drop(go);
            assert_eq!(last.join().is_err(), panics);
            drop(gates);
            let mut ran: Vec<_> = receive.iter().collect();
            ran.sort_unstable();
            assert_eq!(ran, [0, 1, 2, 3, 4]);
        }
    }

    /// The last owner may even be a thread local of a worker.
    #[test]
    fn dropping_in_a_destructor_of_an_own_thread() {
        struct Owner(Option<Arc<ThreadPool>>, mpsc::Sender<bool>);
        impl Drop for Owner {
            fn drop(&mut self) {
                let last = Arc::into_inner(self.0.take().unwrap());
                let was_last = last.is_some();
                drop(last);
                self.1.send(was_last).unwrap();
            }
        }
        thread_local! {
            static OWNER: RefCell<Option<Owner>> = const { RefCell::new(None) };
        }
        let _watchdog = Watchdog::start();
        let pool = pool(1, 8, RejectionPolicy::Abort);
        let (send, receive) = mpsc::channel();
        let owner = Owner(Some(pool.clone()), send);
        let gate = {
            pool.execute(move || OWNER.with(|slot| *slot.borrow_mut() = Some(owner))).unwrap();
            occupy(&pool)
        };
        pool.shutdown();
        drop(pool);
        drop(gate);
        assert_eq!(receive.recv(), Ok(true));
    }

    #[test]
    fn a_task_may_not_await_the_end_of_its_pool() {
        let _watchdog = Watchdog::start();
        let text = "lockwork: a task waits for the end of its own pool \"io\"; \
                    let another thread do it";
        let calls: [fn(&ThreadPool); 3] = [
            |pool| pool.await_termination(),
            |pool| assert!(pool.await_termination_for(Duration::ZERO)),
            |pool| assert!(pool.await_termination_until(Deadline::now())),
        ];
        let pool = pool(1, 8, RejectionPolicy::Abort);
        let other = super::pool(1, 8, RejectionPolicy::Abort);
        for call in calls {
            let inner = pool.clone();
            let error = pool.submit(move || call(&inner)).unwrap().join().unwrap_err();
            assert_eq!(text_of(&*error.into_panic().unwrap()), text);
        }
        assert_eq!(pool.panicked(), 3);
        let inner = pool.clone();
        assert!(!pool.submit(move || inner.is_terminated()).unwrap().join().unwrap());
        // Its own, that is; of another it may.
        pool.shutdown();
        let inner = pool.clone();
        other.submit(move || inner.await_termination()).unwrap().join().unwrap();
        assert!(pool.is_terminated());
    }

    /// A pool without tasks, and one after another: whatever else the threads are at.
    #[test]
    fn comes_at_any_moment() {
        let watchdog = Watchdog::start();
        for round in 0..scaled(150) {
            let pool = pool(1 + round % 3, 2, RejectionPolicy::Abort);
            match round % 5 {
                0 => {}
                1 => pool.shutdown(),
                2 => pool.execute(|| ()).unwrap(),
                3 => drop(pool.submit(|| ()).unwrap().join()),
                _ => {
                    pool.shutdown();
                    assert!(pool.await_termination_for(Duration::MAX));
                }
            }
            drop(pool);
            watchdog.tick();
        }
    }
}

/// Many more threads than cores, and an account of each task.
mod stress {
    use super::*;

    /// What became of one task.
    #[derive(Default)]
    struct Account {
        ran: AtomicUsize,
        /// How often what it captured was dropped.
        gone: AtomicUsize,
    }

    /// What a task captures.
    struct Entry(Arc<Account>);

    impl Entry {
        fn note(&self) {
            self.0.ran.fetch_add(1, Relaxed);
        }
    }

    impl Drop for Entry {
        fn drop(&mut self) {
            self.0.gone.fetch_add(1, Relaxed);
        }
    }

    /// How a submission ended, as far as the submitter knows.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Fate {
        /// The closure came back.
        Refused,
        /// The handle says that it ran.
        Ran,
        Cancelled,
        Discarded,
        /// Accepted, with nobody to ask.
        Detached,
    }

    /// All tasks of one pool, and the pool.
    struct Ledger {
        pool: Arc<ThreadPool>,
        policy: RejectionPolicy,
        entries: Mutex<Vec<(Arc<Account>, Fate)>>,
    }

    impl Ledger {
        fn close(&self, account: Arc<Account>, fate: Fate) {
            self.entries.lock().push((account, fate));
        }

        fn refused(&self, account: Arc<Account>, reason: RejectReason, here: bool) {
            match reason {
                RejectReason::ShutDown => assert!(self.pool.is_shutdown()),
                RejectReason::Full { capacity } => {
                    assert_eq!(capacity, self.pool.queue_capacity());
                    // The others are refused only at a depth that is not reached here.
                    assert!(matches!(
                        self.policy,
                        RejectionPolicy::Abort | RejectionPolicy::DiscardOldest
                    ));
                }
                reason => panic!("{reason:?}"),
            }
            assert_eq!(account.ran.load(Relaxed), usize::from(here));
            assert_eq!(account.gone.load(Relaxed), 1);
            self.close(account, Fate::Refused);
        }

        /// A join has returned.
        fn joined(&self, account: Arc<Account>, result: Result<u64, lockwork::pool::JoinError>) {
            let fate = match result {
                Ok(number) => {
                    assert_eq!(number, Arc::as_ptr(&account).addr() as u64);
                    Fate::Ran
                }
                Err(error) => match error.cancel_reason() {
                    Some(CancelReason::Handle) => Fate::Cancelled,
                    Some(CancelReason::Discarded) => Fate::Discarded,
                    Some(reason) => panic!("{reason:?}"),
                    None => {
                        assert_eq!(text_of(&*error.into_panic().unwrap()), "on purpose");
                        Fate::Ran
                    }
                },
            };
            assert_eq!(account.ran.load(Relaxed), usize::from(fate == Fate::Ran));
            assert_eq!(account.gone.load(Relaxed), 1);
            self.close(account, fate);
        }

        /// Everything has ended: each task ran once or not at all, as its submitter was told, and
        /// no closure is left.
        fn audit(&self) {
            assert!(self.pool.is_terminated());
            for (account, fate) in self.entries.lock().drain(..) {
                let (ran, gone) = (account.ran.load(Relaxed), account.gone.load(Relaxed));
                assert_eq!(gone, 1, "{fate:?}");
                let discards = matches!(
                    self.policy,
                    RejectionPolicy::Discard | RejectionPolicy::DiscardOldest
                );
                match fate {
                    Fate::Refused => assert!(ran <= 1),
                    Fate::Ran => assert_eq!(ran, 1),
                    Fate::Cancelled => assert_eq!(ran, 0),
                    Fate::Discarded => assert!(ran == 0 && discards),
                    Fate::Detached => assert!(ran == 1 || ran == 0 && discards),
                }
            }
        }
    }

    /// A task that does this and that, sometimes panics, and sometimes submits others and joins
    /// them.
    fn task(
        ledger: &Arc<Ledger>,
        account: &Arc<Account>,
        mut rng: Rng,
        depth: u32,
    ) -> impl FnOnce() -> u64 + Send + use<> {
        let (ledger, entry) = (Arc::downgrade(ledger), Entry(account.clone()));
        move || {
            entry.note();
            for _ in 0..rng.below(200) {
                std::hint::spin_loop();
            }
            if rng.one_in(16) {
                thread::yield_now();
            }
            if depth < 3 && rng.one_in(4) {
                let ledger = ledger.upgrade().expect("the pool is in there");
                for _ in 0..=rng.below(2) {
                    submit(&ledger, &mut rng, depth + 1, &mut Vec::new());
                }
            }
            if rng.one_in(16) {
                quiet("on purpose");
            }
            Arc::as_ptr(&entry.0).addr() as u64
        }
    }

    type Kept = Vec<(Arc<Account>, JoinHandle<u64>)>;

    /// Submits one task, in one of the ways there are. A handle that is not used up is kept.
    fn submit(ledger: &Arc<Ledger>, rng: &mut Rng, depth: u32, kept: &mut Kept) {
        let account = Arc::new(Account::default());
        let inner = task(ledger, &account, Rng::stream(rng.next(), 0), depth);
        if rng.one_in(4) {
            match ledger.pool.execute(move || {
                let _ = inner();
            }) {
                Ok(()) => ledger.close(account, Fate::Detached),
                Err(refused) => {
                    let reason = refused.reason();
                    drop(refused);
                    ledger.refused(account, reason, false);
                }
            }
            return;
        }
        let mut handle = match ledger.pool.submit(inner) {
            Ok(handle) => handle,
            Err(refused) => {
                let reason = refused.reason();
                let ran = catch_unwind(AssertUnwindSafe(refused.into_inner()));
                assert!(ran.is_ok() || text_of(&*ran.unwrap_err()) == "on purpose");
                return ledger.refused(account, reason, true);
            }
        };
        if rng.one_in(4) {
            match handle.cancel() {
                Cancel::Prevented => {
                    assert_eq!(account.gone.load(Relaxed), 1);
                    assert!(handle.is_finished());
                    let error = handle.try_join().unwrap().unwrap_err();
                    assert_eq!(error.cancel_reason(), Some(CancelReason::Handle));
                    return ledger.joined(account, Err(error));
                }
                Cancel::Requested | Cancel::TooLate => {}
                other => panic!("{other:?}"),
            }
        }
        match rng.below(6) {
            0 => ledger.close(account, Fate::Detached),
            1 => kept.push((account, handle)),
            2 => match handle.join_for(Duration::from_nanos(rng.below(100_000))) {
                Ok(result) => ledger.joined(account, result),
                Err(handle) => kept.push((account, handle)),
            },
            // Not in a task, which may be the one thread that the other waits for.
            3 if depth == 0 => loop {
                match handle.try_join() {
                    Ok(result) => break ledger.joined(account, result),
                    Err(unfinished) => handle = unfinished,
                }
                thread::yield_now();
            },
            _ => ledger.joined(account, handle.join()),
        }
        if depth > 0 {
            for (account, handle) in kept.drain(..) {
                ledger.joined(account, handle.join());
            }
        }
    }

    /// Every accepted task resolves once and every refused one comes back, whatever the threads are
    /// at when the pool is shut down.
    #[test]
    fn every_task_has_one_end() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let (threads, rounds) = (crowd(), scaled(25));
        for round in 0..rounds {
            for (i, policy) in POLICIES.into_iter().enumerate() {
                let mut rng = Rng::stream(seed, (round * POLICIES.len() + i) as u64);
                let (workers, capacity) = (1 + rng.below(4) as usize, 1 + rng.below(8) as usize);
                let ledger = Arc::new(Ledger {
                    pool: pool(workers, capacity, policy),
                    policy,
                    entries: Mutex::new(Vec::new()),
                });
                let (submissions, begun) = (rng.below(60), AtomicUsize::new(0));
                let end = rng.below(submissions * threads as u64 * 5 / 4 + 1) as usize;
                let stream = rng.next();
                together(threads, |thread| {
                    let mut rng = Rng::stream(stream, thread as u64);
                    let mut kept = Kept::new();
                    for _ in 0..submissions {
                        if begun.fetch_add(1, Relaxed) == end {
                            ledger.pool.shutdown();
                        }
                        submit(&ledger, &mut rng, 0, &mut kept);
                        watchdog.tick();
                        if kept.len() > 8 {
                            let (account, handle) = kept.swap_remove(rng.below(8) as usize);
                            ledger.joined(account, handle.join());
                        }
                    }
                    for (account, handle) in kept {
                        ledger.joined(account, handle.join());
                    }
                });
                ledger.pool.shutdown();
                ledger.pool.await_termination();
                ledger.audit();
            }
        }
    }

    /// A shutdown at the very moment of a submission: one of the two is first.
    #[test]
    fn a_submission_meets_the_shutdown() {
        let (watchdog, seed) = (Watchdog::start(), seed());
        let mut refusals = 0;
        for round in 0..scaled(1000) {
            let policy = POLICIES[round % POLICIES.len()];
            let mut rng = Rng::stream(seed, round as u64);
            let pool = pool(1 + round % 2, 1 + round % 3, policy);
            let delay = rng.below(400);
            let gate = super::super::support::threads::Gate::new(2);
            let (accepted, refused) = thread::scope(|s| {
                s.spawn(|| {
                    gate.pass();
                    for _ in 0..delay {
                        std::hint::spin_loop();
                    }
                    pool.shutdown();
                });
                let (mut accepted, mut refused) = (Vec::new(), 0);
                gate.pass();
                for i in 0..6_u64 {
                    let account = Arc::new(Account::default());
                    let entry = Entry(account.clone());
                    let submission = pool.submit(move || {
                        entry.note();
                        i
                    });
                    match submission {
                        Ok(handle) => accepted.push((account, handle, i)),
                        Err(back) => {
                            match back.reason() {
                                RejectReason::ShutDown => refused += 1,
                                RejectReason::Full { .. } => {}
                                other => panic!("{other:?}"),
                            }
                            assert_eq!(account.ran.load(Relaxed) + account.gone.load(Relaxed), 0);
                            assert_eq!(back.into_inner()(), i);
                            assert_eq!(account.ran.load(Relaxed), 1);
                        }
                    }
                }
                (accepted, refused)
            });
            pool.await_termination();
            refusals += refused;
            for (account, handle, i) in accepted {
                let result = handle.try_join().expect("the pool has ended");
                let ran = account.ran.load(Relaxed);
                match result {
                    Ok(number) => assert_eq!((number, ran), (i, 1)),
                    Err(error) => {
                        assert_eq!(error.cancel_reason(), Some(CancelReason::Discarded));
                        assert_eq!(ran, 0);
                    }
                }
                assert_eq!(account.gone.load(Relaxed), 1);
            }
            watchdog.tick();
        }
        println!("{refusals} refusals");
    }

    /// Blocked submitters, and room that comes and goes: each gets in, or hears of the end.
    #[test]
    fn blocked_submitters_all_return() {
        let watchdog = Watchdog::start();
        let threads = crowd();
        for round in 0..scaled(40) {
            let pool = pool(1 + round % 2, 1, RejectionPolicy::Block);
            let ran = Arc::new(AtomicUsize::new(0));
            let begun = AtomicUsize::new(0);
            let end = 20 * threads * (round % 4 + 1) / 4;
            let accepted: usize = together(threads, |_| {
                let mut accepted = 0;
                for _ in 0..20 {
                    if begun.fetch_add(1, Relaxed) == end {
                        pool.shutdown();
                    }
                    let ran = ran.clone();
                    match pool.execute(move || {
                        let _ = ran.fetch_add(1, Relaxed);
                    }) {
                        Ok(()) => accepted += 1,
                        Err(back) => assert_eq!(back.reason(), RejectReason::ShutDown),
                    }
                    watchdog.tick();
                }
                accepted
            })
            .into_iter()
            .sum();
            drop(pool);
            assert_eq!(ran.load(Relaxed), accepted);
        }
    }

    /// A thread that was a worker still runs destructors of thread locals, when the memory of its
    /// pool may have become that of another. Joining there runs nothing.
    #[test]
    fn a_former_worker_runs_no_tasks() {
        enum Said {
            Joins(u32),
            Joined(ThreadId, ThreadId),
        }
        type Tasks = mpsc::Receiver<JoinHandle<ThreadId>>;
        struct Late(RefCell<Option<(Tasks, mpsc::Sender<Said>)>>);
        impl Drop for Late {
            fn drop(&mut self) {
                let Some((tasks, say)) = self.0.take() else { return };
                for task in tasks {
                    say.send(Said::Joins(tid())).unwrap();
                    let ran_on = task.join().unwrap();
                    say.send(Said::Joined(ran_on, thread::current().id())).unwrap();
                }
            }
        }
        thread_local! {
            static LATE: Late = const { Late(RefCell::new(None)) };
        }
        let watchdog = Watchdog::start();
        for _ in 0..scaled(8) {
            let (give, tasks) = mpsc::channel();
            let (say, said) = mpsc::channel();
            let former = pool(1, 2, RejectionPolicy::Abort);
            // The pool goes in its own task, so that its memory goes with the thread's last share.
            let (last_owner, owner_is_last) = mpsc::channel::<()>();
            let inner = former.clone();
            let task = move || {
                LATE.with(|late| *late.0.borrow_mut() = Some((tasks, say)));
                assert!(owner_is_last.recv().is_err());
                drop(inner);
            };
            former.execute(task).unwrap();
            drop(former);
            drop(last_owner);
            // Where one of these is, the former one may have been.
            let mut others = Vec::new();
            for _ in 0..8 {
                let other = pool(1, 2, RejectionPolicy::Abort);
                let gate = occupy(&other);
                give.send(other.submit(|| thread::current().id()).unwrap()).unwrap();
                others.push(other);
                let Ok(Said::Joins(joiner)) = said.recv() else { panic!("it joins each") };
                let joined = loop {
                    match said.try_recv() {
                        Ok(joined) => break joined, // with the gate closed
                        Err(_) if asleep_in_futex(joiner, None) => {
                            drop(gate);
                            break said.recv().unwrap();
                        }
                        Err(_) => thread::yield_now(),
                    }
                };
                let Said::Joined(ran_on, former_worker) = joined else { panic!("it joins once") };
                assert_ne!(ran_on, former_worker);
                watchdog.tick();
            }
        }
    }
}
