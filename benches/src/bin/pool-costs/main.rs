//! Counts what a task costs in allocations, and what the threads of a pool with nothing to do are
//! doing: exact, on any machine, whatever else it does.
//!
//! `cargo run --release -p lockwork-bench --bin pool-costs`
//!
//! Allocations are those of all threads, from the first task to the end of the last, with a warm
//! pool. An idle second is what the kernel's scheduler has counted of all threads of the pool: how
//! long they ran, and how often they were put on a processor. A thread that was not has made no
//! system call.
//!
//! It exits with 1 if a promise is broken, and with 2 if it cannot count.

use lockwork_bench::harness::report::Table;
use lockwork_bench::pools::{Bounded, Pools, RustyPool, Threadpool};
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;
use std::{fs, io, thread};

/// Counts, and has the system's allocator do it.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: each call goes to the system's allocator as it is, and what that returns comes back.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promises are those that it wants.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: as above; `old` came from there.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Tasks at a time: fewer than there is room for.
const TASKS: u64 = 10_000;

/// Tasks that have run.
static DONE: AtomicU64 = AtomicU64::new(0);

/// What one pool costs.
struct Costs {
    /// Allocations per task: `execute` of 48 and of 56 bytes; `submit` and `join`.
    allocations: [f64; 3],
    idle: Idle,
}

/// Allocations per task of `round`, the second time.
fn allocations(mut round: impl FnMut()) -> f64 {
    round();
    let before = ALLOCATIONS.load(Relaxed);
    round();
    (ALLOCATIONS.load(Relaxed) - before) as f64 / TASKS as f64
}

/// Hands in tasks that capture so many words, and waits until they have run.
fn execute<P: Pools, const WORDS: usize>(pool: &P) {
    let before = DONE.load(Acquire);
    for task in 0..TASKS {
        let captured = [task; WORDS];
        pool.execute(move || {
            black_box(captured);
            // Release: the thread that counts sees what the task did, in its allocator too.
            DONE.fetch_add(1, Release);
        });
    }
    while DONE.load(Acquire) - before < TASKS {
        thread::yield_now();
    }
}

/// What the scheduler has counted of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Idle {
    threads: u64,
    nanos: u64,
    turns: u64,
}

/// Of all threads of this process but the calling one.
fn of_the_others() -> io::Result<Idle> {
    let mut sum = Idle::default();
    let own = fs::read_link("/proc/thread-self")?;
    for thread in fs::read_dir("/proc/self/task")? {
        let thread = thread?;
        if Some(&*thread.file_name()) == own.file_name() {
            continue;
        }
        // Time on a processor, time spent waiting for one, and turns.
        let text = fs::read_to_string(thread.path().join("schedstat"))?;
        let numbers: Vec<u64> = text.split_whitespace().map_while(|n| n.parse().ok()).collect();
        let [nanos, _, turns] = numbers[..] else {
            return Err(io::Error::other(format!("three numbers, not {text:?}")));
        };
        sum = Idle { threads: sum.threads + 1, nanos: sum.nanos + nanos, turns: sum.turns + turns };
    }
    Ok(sum)
}

fn idle_second() -> io::Result<Idle> {
    // Those that have just had something to do may look for more for a while.
    thread::sleep(Duration::from_millis(200));
    let before = of_the_others()?;
    thread::sleep(Duration::from_secs(1));
    let after = of_the_others()?;
    if before.nanos == 0 {
        return Err(io::Error::other("the scheduler counts nothing here"));
    }
    if before.threads != after.threads {
        return Err(io::Error::other("threads came or went"));
    }
    let Idle { threads, .. } = after;
    Ok(Idle { threads, nanos: after.nanos - before.nanos, turns: after.turns - before.turns })
}

fn costs<P: Pools>() -> io::Result<Costs> {
    let pool = P::new();
    let mut handles = Vec::with_capacity(TASKS as usize);
    let allocations = [
        allocations(|| execute::<P, 6>(&pool)),
        allocations(|| execute::<P, 7>(&pool)),
        allocations(|| {
            handles.extend((0..TASKS).map(|task| pool.submit(move || task)));
            let sum: u64 = handles.drain(..).map(P::join).sum();
            assert_eq!(sum, TASKS * (TASKS - 1) / 2, "{}", P::NAME);
        }),
    ];
    let idle = idle_second()?;
    pool.assert_fair();
    Ok(Costs { allocations, idle })
}

type Ours = Bounded<65_536>;
type Count = fn() -> io::Result<Costs>;

fn main() -> ExitCode {
    let all: [(&str, Count); 4] = [
        (Ours::NAME, costs::<Ours>),
        (rayon::ThreadPool::NAME, costs::<rayon::ThreadPool>),
        (Threadpool::NAME, costs::<Threadpool>),
        (RustyPool::NAME, costs::<RustyPool>),
    ];
    let mut table = Table::new([
        "pool",
        "allocations: execute, 48 bytes",
        "execute, 56 bytes",
        "submit",
        "an idle second: turns",
        "processor time",
    ]);
    let mut ours = None;
    for (name, count) in all {
        // What the peers before have left behind: their threads may take a while to end.
        while of_the_others().is_ok_and(|others| others.threads > 0) {
            thread::sleep(Duration::from_millis(1));
        }
        let costs = match count() {
            Ok(costs) => costs,
            Err(error) => {
                eprintln!("not available: {name}: {error}");
                return ExitCode::from(2);
            }
        };
        let [small, large, submit] = costs.allocations.map(|mean| format!("{mean:.2}"));
        let Idle { nanos, turns, .. } = costs.idle;
        table.row([
            name.to_owned(),
            small,
            large,
            submit,
            turns.to_string(),
            format!("{nanos} ns"),
        ]);
        ours = ours.or(Some(costs));
    }
    println!("{table}");

    let Costs { allocations: [small, large, submit], idle } = ours.expect("it is the first");
    let promises = [
        (small == 0.0, format!("execute, 48 bytes: {small} allocations, of 0")),
        (large == 1.0, format!("execute, 56 bytes: {large} allocations, of 1")),
        (submit == 1.0, format!("submit: {submit} allocations, of 1")),
        (
            (idle.turns, idle.nanos) == (0, 0),
            format!("idle: {} turns and {} ns, of 0", idle.turns, idle.nanos),
        ),
    ];
    for (kept, what) in &promises {
        println!("{} {what}", if *kept { "ok    " } else { "BROKEN" });
    }
    ExitCode::from(u8::from(!promises.iter().all(|(kept, _)| *kept)))
}
