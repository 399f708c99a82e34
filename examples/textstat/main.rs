//! Word statistics of files and directories: one task per file on a bounded thread pool.
//!
//! `cargo run --release --example textstat -- --help` lists the options. What to look at:
//!
//! * `count_pooled`: the full queue pushes back on the directory walk, however large the tree is. A
//!   closure that the pool refuses is not lost: it comes back un-run, and runs here.
//! * `count::Stats`: a file is counted without a lock, then added to a slot under a `Mutex`.
//! * A task that panics costs its own file only: the pool goes on, and the exit status tells.

mod args;
mod count;
mod report;
mod walk;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use lockwork::pool::{BuildError, Prestart, ThreadPool};

use crate::args::{Options, Request};
use crate::count::{Stats, Tally, count_file};
use crate::report::complain;

fn main() -> ExitCode {
    let good = match args::parse(lexopt::Parser::from_env()) {
        Ok(Request::Run(options)) => run(&options).unwrap_or_else(|error| complain(&error)),
        Ok(Request::Print(text)) => report::print(text),
        Err(error) => {
            complain(&format_args!("{error}\nTry 'textstat --help'."));
            return ExitCode::from(2);
        }
    };
    ExitCode::from(u8::from(!good))
}

/// Counts, prints, and says whether all went well.
fn run(options: &Options) -> Result<bool, BuildError> {
    let bar = ProgressBar::new_spinner(); // on stderr, and hidden if that is not a terminal
    bar.enable_steady_tick(Duration::from_millis(100));
    let begun = Instant::now();
    let (tally, work) = count_pooled(options, &bar)?;
    let mut text = report::render(options, &tally, &work, begun.elapsed());
    let mut good = !tally.named_failed && work.panicked == 0;
    if options.check {
        bar.set_message("checking on one thread");
        let (begun, stats) = (Instant::now(), Stats::new(1));
        walk::walk(options, &stats, |path, named| stats.add(count_file(&path, named)));
        let (equal, verdict) = report::compare(&tally, &stats.finish(), begun.elapsed());
        text += &verdict;
        good &= equal;
    }
    bar.finish_and_clear();
    report::problems(&tally, &work);
    Ok(report::print(&text) && good)
}

/// How the pool and the walker shared the work.
#[derive(Default)]
struct Work {
    tasks: u64,
    by_walker: u64,
    refused: u64,
    panicked: u64,
    longest_queue: u64,
    /// Threads that were started: as many as were needed.
    threads: u64,
}

/// Walks the tree on this thread and counts on the threads of a pool.
fn count_pooled(options: &Options, bar: &ProgressBar) -> Result<(Tally, Work), BuildError> {
    let pool = ThreadPool::builder()
        .name("textstat")
        .threads(options.threads)
        .prestart(Prestart::None) // three files need no more than three threads
        .queue_capacity(options.queue)
        .rejection(options.policy)
        .build()?;
    let stats = Arc::new(Stats::new(options.threads + 1)); // the walker adds too
    let mut work = Work::default();

    walk::walk(options, &stats, |path, named| {
        let stats = Arc::clone(&stats);
        // A pointer, a path and a flag: it lies in the queue as it is, without an allocation.
        let task = move || stats.add(count_file(&path, named));
        // Only this thread makes the queue longer, so it is longest when the next task arrives.
        let queued = pool.queued();
        work.longest_queue = work.longest_queue.max(queued as u64);
        bar.set_message(format!("{} files, {queued} waiting", work.tasks));
        feed(&pool, task, &mut work);
    });

    pool.shutdown();
    pool.await_termination();
    let seen = pool.snapshot();
    work.panicked += pool.panicked();
    work.by_walker = seen.caller_ran + work.refused;
    work.threads = seen.spawns;
    drop(pool);
    let stats = Arc::into_inner(stats).expect("a task that has ended holds nothing");
    Ok((stats.finish(), work))
}

/// Hands `task` to the pool; runs it here if the pool refuses it.
fn feed(pool: &ThreadPool, task: impl FnOnce() + Send + 'static, work: &mut Work) {
    work.tasks += 1;
    if let Err(rejected) = pool.execute(task) {
        // Better than to try again in a loop: time passes usefully until there is room. The pool
        // catches and counts the panics of the tasks that it runs; here, that is up to us.
        work.refused += 1;
        let task = AssertUnwindSafe(rejected.into_inner());
        work.panicked += u64::from(catch_unwind(task).is_err());
    }
}

#[test]
fn a_panic_is_counted_whoever_runs_the_task() {
    use lockwork::pool::RejectionPolicy::{Abort, Block, CallerRuns};
    use std::panic::resume_unwind; // a panic without its message

    for policy in [CallerRuns, Abort, Block] {
        let builder = ThreadPool::builder().threads(1).queue_capacity(1).rejection(policy);
        let (pool, mut work) = (builder.build().unwrap(), Work::default());
        (0..100).for_each(|_| feed(&pool, || resume_unwind(Box::new(())), &mut work));
        pool.shutdown();
        pool.await_termination();
        assert_eq!(pool.panicked() + work.panicked, 100);
    }
}
