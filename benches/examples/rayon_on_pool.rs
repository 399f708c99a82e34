//! rayon on the threads of a pool, and beside another that does what blocks.
//!
//! `cargo run --release -p lockwork-bench --example rayon_on_pool`
//!
//! * [`rayon_on`] has rayon run on threads of ours: with their names, attributes, signal mask and
//!   hooks, and with an end. A pool of rayon's that is dropped tells its threads to go, and does
//!   not wait for them; here, `await_termination` has joined them.
//! * [`join_in_rayon`] waits in a job of rayon's for a task of a pool: by working on other jobs. So
//!   files, sockets and locks go to a bounded pool, and rayon's threads, one per core, compute.

use lockwork::pool::{BuildError, JoinError, JoinHandle, RejectionPolicy, ThreadPool, sizing};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPoolBuildError, Yield};
use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::thread;
use std::time::Duration;

/// A pool for [`rayon_on`]. One of rayon's threads is one task, which lasts as long as rayon does:
/// so there is no queue, where it would wait for ever, and each task starts its own thread.
fn threads_for_rayon(name: &str, threads: usize) -> Result<ThreadPool, BuildError> {
    let builder = ThreadPool::builder().name(name).handoff();
    builder.core_threads(0).max_threads(threads).build()
}

/// rayon, with `threads` threads of `pool`, which must have as many to spare.
fn rayon_on(pool: &ThreadPool, threads: usize) -> Result<rayon::ThreadPool, ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .spawn_handler(|thread| {
            let refused = |refused: &dyn Error| io::Error::other(refused.to_string());
            pool.execute(|| thread.run()).map_err(|error| refused(&error))
        })
        .build()
}

/// Waits for `task`, of whatever pool, and lets the calling thread of rayon's work meanwhile.
///
/// The jobs that it works on may be any of rayon's: as with a nested `rayon::join`, the caller
/// must hold no lock that they need.
fn join_in_rayon<T>(mut task: JoinHandle<T>) -> Result<T, JoinError> {
    loop {
        task = match task.try_join() {
            Ok(result) => return result,
            Err(task) => task,
        };
        match rayon::yield_now() {
            Some(Yield::Executed) => {}
            // There is nothing to work on just now; there may be soon.
            Some(Yield::Idle) => match task.join_for(Duration::from_millis(1)) {
                Ok(result) => return result,
                Err(unfinished) => task = unfinished,
            },
            None => return task.join(), // this is no thread of rayon's
        }
    }
}

/// Stands for a file that has to be read.
fn read(block: u64) -> Vec<u64> {
    thread::sleep(Duration::from_micros(200));
    (0..1_000).map(|i| block * 1_000 + i).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let cores = sizing::parallelism().get();
    let computing = threads_for_rayon("compute", cores)?;
    // Who finds the queue full waits: so no more blocks are in memory than can be worked on.
    let reading = ThreadPool::builder()
        .name("read")
        .threads(4)
        .queue_capacity(16)
        .rejection(RejectionPolicy::Block)
        .build()?;
    let rayon = rayon_on(&computing, cores)?;

    let (sum, threads) = rayon.install(|| {
        let block = |number| {
            let block = reading.submit(move || read(number)).expect("it is open");
            let sum = join_in_rayon(block).expect("it returns").into_iter().sum::<u64>();
            let name = thread::current().name().map(str::to_owned);
            (sum, BTreeSet::from([name.expect("a pool's threads have names")]))
        };
        (0..400_u64)
            .into_par_iter()
            .map(block)
            .reduce(Default::default, |one, other| (one.0 + other.0, &one.1 | &other.1))
    });
    assert_eq!(sum, (0..400_000).sum());
    println!("sum of 400 blocks: {sum}");
    println!("computed by: {}", Vec::from_iter(threads).join(", "));
    println!("read by: {} threads, {} blocks", reading.threads(), reading.snapshot().completed);

    drop(rayon); // tells its threads to go
    computing.shutdown();
    computing.await_termination(); // and these are the threads
    println!("joined: {} threads", computing.snapshot().spawns);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;
    use std::sync::mpsc::channel;

    #[test]
    fn it_runs_to_its_end() {
        main().unwrap();
    }

    #[test]
    fn jobs_run_on_the_threads_of_the_pool() {
        let pool = threads_for_rayon("ours", 2).unwrap();
        let rayon = rayon_on(&pool, 2).unwrap();
        let names = rayon.broadcast(|_| thread::current().name().map(str::to_owned));
        let names: BTreeSet<_> = names.into_iter().map(Option::unwrap).collect();
        assert_eq!(Vec::from_iter(names), ["ours-0", "ours-1"]);
        let sum: u64 = rayon.install(|| (0..100_000_u64).into_par_iter().sum());
        assert_eq!(sum, 4_999_950_000);
    }

    #[test]
    fn the_threads_are_joined() {
        let stopped = Arc::new(AtomicUsize::new(0));
        let counted = stopped.clone();
        let pool = ThreadPool::builder()
            .handoff()
            .core_threads(0)
            .max_threads(3)
            .on_thread_stop(move |_| {
                thread::sleep(Duration::from_millis(5));
                counted.fetch_add(1, Relaxed);
            })
            .build()
            .unwrap();
        drop(rayon_on(&pool, 3).unwrap());
        pool.shutdown();
        pool.await_termination();
        assert_eq!((stopped.load(Relaxed), pool.snapshot().completed), (3, 3));
    }

    #[test]
    fn a_pool_without_so_many_threads_says_so_and_keeps_none_busy() {
        let pool = threads_for_rayon("few", 2).unwrap();
        let error = rayon_on(&pool, 3).expect_err("there are but two");
        assert!(error.to_string().contains("pool \"few\" is full"), "{error}");
        pool.wait_idle(); // those that rayon had got have gone home
        assert_eq!(rayon_on(&pool, 2).unwrap().current_num_threads(), 2);
    }

    /// The only thread of rayon's waits for a task which waits for a job that only it can run.
    #[test]
    fn who_waits_for_a_task_works_meanwhile() {
        let pool = ThreadPool::builder().threads(1).build().unwrap();
        let computing = threads_for_rayon("one", 1).unwrap();
        let rayon = rayon_on(&computing, 1).unwrap();
        let (send, receive) = channel();
        let (heard, ()) = rayon.install(|| {
            rayon::join(
                || join_in_rayon(pool.submit(move || receive.recv().unwrap()).unwrap()),
                || send.send("a job was run").unwrap(),
            )
        });
        assert_eq!(heard.unwrap(), "a job was run");
    }

    #[test]
    fn a_task_that_panics_or_is_joined_elsewhere() {
        let pool = ThreadPool::builder().threads(1).build().unwrap();
        let computing = threads_for_rayon("one", 1).unwrap();
        let rayon = rayon_on(&computing, 1).unwrap();
        let fails = pool.submit(|| std::panic::resume_unwind(Box::new(())));
        assert!(rayon.install(|| join_in_rayon(fails.unwrap())).unwrap_err().is_panic());
        assert_eq!(join_in_rayon(pool.submit(|| 5).unwrap()).unwrap(), 5);
    }
}
