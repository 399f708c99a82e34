//! What blocks, in an asynchronous program: a bounded pool under tokio.
//!
//! `cargo run --release -p lockwork-bench --example tokio_with_pool`
//!
//! tokio's own `spawn_blocking` has a queue without a bound, and a closure that has begun cannot be
//! told to stop. Here:
//!
//! * [`run`] waits for room and for the result as a future does; no thread of the runtime sleeps.
//! * Whoever drops that future, such as a timeout, takes the task with it: one that has not begun
//!   is dropped un-run, one that runs has its token cancelled.
//! * [`run_now`] does not wait for room, so that a server can say "busy" while it still means
//!   something.
//! * [`end`] waits for the tasks that were accepted, away from the runtime's threads.
//!
//! The runtime has one thread: whatever blocked it would stop everything.

use lockwork::cancel::CancelToken;
use lockwork::pool::{JoinError, PoolHandle, RejectReason, ThreadPool, blocking, current_token};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::time::Duration;
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;

/// Why there is no result.
#[derive(Debug)]
enum Failed {
    /// The task did not get in.
    Refused(RejectReason),
    /// It panicked, or was cancelled.
    Ended(JoinError),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "the pool has refused the task: {reason:?}"),
            Self::Ended(error) => error.fmt(f),
        }
    }
}

impl Error for Failed {}

/// Runs `work` on the pool, when there is room.
async fn run<T: Send + 'static>(
    pool: &PoolHandle,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failed> {
    let task = pool.submit_async(work).await.map_err(|error| Failed::Refused(error.reason()))?;
    task.cancel_on_drop().await.map_err(Failed::Ended)
}

/// Runs `work` on the pool, if there is room now.
async fn run_now<T: Send + 'static>(
    pool: &PoolHandle,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failed> {
    // Whatever the pool's policy, this neither waits nor runs the task here.
    let task = pool.try_submit(work).map_err(|error| Failed::Refused(error.reason()))?;
    task.cancel_on_drop().await.map_err(Failed::Ended)
}

/// Runs `work` on a pool whose policy does not block, unless `token` is cancelled first; `work` can
/// ask for it by [`current_token`].
async fn run_with_token<T: Send + 'static>(
    pool: &PoolHandle,
    token: &CancelToken,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failed> {
    let task = pool.submit_with_token(token, work);
    task.map_err(|error| Failed::Refused(error.reason()))?.await.map_err(Failed::Ended)
}

/// From a task back into the runtime: waits there for a future, while another thread of the pool
/// takes its place.
fn wait_for<F: Future>(runtime: &runtime::Handle, future: F) -> F::Output {
    blocking(|| runtime.block_on(future))
}

/// Ends the pool. To drop it here would have this thread of the runtime wait.
async fn end(pool: ThreadPool) {
    tokio::task::spawn_blocking(move || drop(pool)).await.expect("no destructor panics");
}

/// Stands for something slow that looks now and then whether it is still wanted.
fn slow(steps: u32) -> u32 {
    let token = current_token().expect("a task");
    // A wait for the token stands for a piece of work.
    (0..steps).take_while(|_| !token.wait_for(Duration::from_millis(1))).count() as u32
}

/// Waits until nothing is queued or runs. What was taken back keeps its place until a thread comes
/// by.
async fn quiet(pool: &PoolHandle) {
    while pool.queued() + pool.snapshot().active > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn one_thread() -> std::io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_time().build()
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = ThreadPool::builder().name("slow").threads(2).queue_capacity(4).build()?;
    let handle = pool.handle();
    one_thread()?.block_on(async {
        let ask = |steps| {
            let pool = pool.handle();
            tokio::spawn(async move {
                timeout(Duration::from_millis(500), run(&pool, move || slow(steps))).await
            })
        };
        // More than the pool has room for; and two take too long.
        let asked: Vec<_> = (1..=40).map(|n| ask(if n % 20 == 0 { 100_000 } else { 2 })).collect();
        let (mut done, mut late) = (0, 0);
        for answer in asked {
            match answer.await? {
                Ok(steps) => done += u32::from(steps? == 2),
                Err(_) => late += 1,
            }
        }
        println!("{done} were done in time, {late} given up and taken back");
        quiet(&pool).await;
        let busy = (0..7).map(|_| {
            tokio::spawn({
                let pool = pool.handle();
                async move { run_now(&pool, || slow(2)).await }
            })
        });
        let mut refused = 0;
        for answer in Vec::from_iter(busy) {
            refused += u32::from(answer.await?.is_err());
        }
        println!("{refused} of 7 were refused at once");
        quiet(&pool).await;

        // All of them at once, when a client hangs up.
        let hung_up = CancelToken::new();
        let asked = [(); 2].map(|()| {
            let (pool, hung_up) = (pool.handle(), hung_up.clone());
            tokio::spawn(async move { run_with_token(&pool, &hung_up, || slow(100_000)).await })
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        hung_up.cancel();
        for answer in asked {
            println!("stopped by the token after {} of 100000 steps", answer.await??);
        }

        // A task that needs something from the asynchronous side.
        let runtime = runtime::Handle::current();
        let pause = async { tokio::time::sleep(Duration::from_millis(1)).await };
        let work = move || wait_for(&runtime, pause);
        run(&pool, work).await?;
        end(pool).await;
        Ok::<(), Box<dyn Error>>(())
    })?;
    let seen = handle.snapshot();
    println!("{} tasks: {} ran, {} did not", seen.submitted, seen.started, seen.cancelled);
    assert_eq!(seen.submitted, seen.completed + seen.cancelled);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Arc, Mutex};
    use std::thread;

    #[test]
    fn it_runs_to_its_end() {
        main().unwrap();
    }

    /// A pool with one thread and room for one task.
    fn small_pool() -> ThreadPool {
        ThreadPool::builder().threads(1).queue_capacity(1).build().unwrap()
    }

    /// A task that occupies the thread until the sender says so or is dropped, and begins before
    /// this returns.
    async fn occupied(pool: &ThreadPool) -> Sender<()> {
        let (open, gate) = channel();
        pool.execute(move || _ = gate.recv()).unwrap();
        while pool.queued() > 0 {
            tokio::task::yield_now().await;
        }
        open
    }

    #[test]
    fn the_runtime_goes_on_while_the_pool_is_full() {
        one_thread().unwrap().block_on(async {
            let pool = small_pool();
            let (open, gate) = channel::<()>();
            let gate = Arc::new(Mutex::new(gate));
            let ask = |n: u32| {
                let (pool, gate) = (pool.handle(), Arc::clone(&gate));
                let work = move || gate.lock().unwrap().recv().map(|()| n).unwrap();
                tokio::spawn(async move { run(&pool, work).await.unwrap() })
            };
            let asked: Vec<_> = (0..8).map(ask).collect();
            // This thread is the runtime: it would not come here if one of the eight blocked it.
            while pool.queued() == 0 {
                tokio::task::yield_now().await;
            }
            (0..8).for_each(|_| open.send(()).unwrap());
            let mut sum = 0;
            for answer in asked {
                sum += answer.await.unwrap();
            }
            assert_eq!(sum, 28);
            end(pool).await;
        });
    }

    #[test]
    fn a_timeout_takes_back_what_has_not_begun() {
        one_thread().unwrap().block_on(async {
            let pool = small_pool();
            let open = occupied(&pool).await;
            let captured = Arc::new(());
            let queued = {
                let held = captured.clone();
                run(&pool, move || drop(held))
            };
            assert!(timeout(Duration::from_millis(1), queued).await.is_err());
            assert_eq!(Arc::strong_count(&captured), 1, "the closure is gone, and has not run");
            drop(open);
            end_and_count(pool, 1, 1).await;
        });
    }

    #[test]
    fn a_timeout_takes_back_what_waits_for_room() {
        one_thread().unwrap().block_on(async {
            let pool = small_pool();
            let open = occupied(&pool).await;
            pool.try_execute(|| ()).unwrap();
            let captured = Arc::new(());
            let waiting = {
                let held = captured.clone();
                run(&pool, move || drop(held))
            };
            assert!(timeout(Duration::from_millis(1), waiting).await.is_err());
            assert_eq!(Arc::strong_count(&captured), 1);
            let busy = run_now(&pool, || ()).await.unwrap_err();
            assert_eq!(busy.to_string(), "the pool has refused the task: Full { capacity: 1 }");
            drop(open);
            end_and_count(pool, 2, 0).await;
        });
    }

    async fn end_and_count(pool: ThreadPool, completed: u64, cancelled: u64) {
        let handle = pool.handle();
        end(pool).await;
        let seen = handle.snapshot();
        assert_eq!((seen.completed, seen.cancelled), (completed, cancelled));
    }

    /// A task that waits until it is told that nobody wants it any more.
    fn until_unwanted() -> (impl FnOnce() + Send + 'static, Receiver<&'static str>) {
        let (say, hear) = channel();
        let body = move || {
            say.send("begun").unwrap();
            current_token().unwrap().wait();
            say.send("told").unwrap();
        };
        (body, hear)
    }

    #[test]
    fn a_dropped_future_tells_the_task_that_runs() {
        one_thread().unwrap().block_on(async {
            let pool = small_pool();
            let (work, heard) = until_unwanted();
            let task = tokio::spawn({
                let pool = pool.handle();
                async move { run(&pool, work).await }
            });
            while heard.try_recv().is_err() {
                tokio::task::yield_now().await;
            }
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            end(pool).await;
            assert_eq!(heard.try_recv(), Ok("told"));
        });
    }

    #[test]
    fn a_token_tells_the_task_and_those_that_follow() {
        one_thread().unwrap().block_on(async {
            let (pool, token) = (small_pool(), CancelToken::new());
            let (work, heard) = until_unwanted();
            let first = tokio::spawn({
                let (pool, token) = (pool.handle(), token.clone());
                async move { run_with_token(&pool, &token, work).await }
            });
            while heard.try_recv().is_err() {
                tokio::task::yield_now().await;
            }
            token.cancel();
            first.await.unwrap().unwrap();
            let late = run_with_token(&pool, &token, || ()).await.unwrap_err();
            assert_eq!(late.to_string(), "task was cancelled by its token before it ran");
            end_and_count(pool, 1, 1).await;
        });
    }

    #[test]
    fn a_panic_comes_back_and_a_closed_pool_refuses() {
        one_thread().unwrap().block_on(async {
            let pool = small_pool();
            let failed = run(&pool, || std::panic::resume_unwind(Box::new("no ink"))).await;
            let failed: Failed = Result::<(), _>::unwrap_err(failed);
            assert_eq!(failed.to_string(), "task panicked: no ink");
            pool.shutdown();
            let refused = run(&pool, || ()).await.unwrap_err();
            assert!(matches!(refused, Failed::Refused(RejectReason::ShutDown)), "{refused}");
        });
    }

    /// A task waits for a future which waits for another task of the same pool of one thread.
    #[test]
    fn a_task_may_wait_for_the_runtime() {
        one_thread().unwrap().block_on(async {
            let pool = small_pool();
            let (runtime, inner) = (runtime::Handle::current(), pool.handle());
            let outer = move || {
                wait_for(&runtime, async {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    run(&inner, || thread::current().id()).await.unwrap()
                })
            };
            let _stranger: thread::ThreadId = run(&pool, outer).await.unwrap();
            end(pool).await;
        });
    }
}
