//! What a process does to its locks, and what is done to it: fork, signals, scheduling, limits.
//!
//! Each case runs in a child of its own, with a time limit, since each changes what belongs to a
//! whole process. `cargo test --test process -- fork` runs those with `fork` in their names. A case
//! that needs a permission it has not got says so and counts as ignored.

#[cfg(all(not(loom), feature = "std"))]
#[path = "../support/mod.rs"]
mod support;

#[cfg(all(not(loom), feature = "std"))]
mod cancel;
#[cfg(all(not(loom), feature = "std"))]
mod channel;
#[cfg(all(not(loom), feature = "std"))]
mod counter;
#[cfg(all(not(loom), feature = "std"))]
mod endings;
#[cfg(all(not(loom), feature = "std"))]
mod fork;
#[cfg(all(not(loom), feature = "std"))]
mod forking;
#[cfg(all(not(loom), feature = "std"))]
mod frozen;
#[cfg(all(not(loom), feature = "std"))]
mod pi_kernel;
#[cfg(all(not(loom), feature = "std"))]
mod pi_refusals;
#[cfg(all(not(loom), feature = "std"))]
mod pi_relock;
#[cfg(all(not(loom), feature = "std"))]
mod pool;
#[cfg(all(not(loom), feature = "std"))]
mod queue;
#[cfg(all(not(loom), feature = "std"))]
mod real_time;
#[cfg(all(not(loom), feature = "std"))]
mod runner;
#[cfg(all(not(loom), feature = "std"))]
mod scheduling;
#[cfg(all(not(loom), feature = "std"))]
mod signal_thread;
#[cfg(all(not(loom), feature = "std"))]
mod signals;
#[cfg(all(not(loom), feature = "std"))]
mod sizing;
#[cfg(all(not(loom), feature = "std"))]
mod stack;
#[cfg(all(not(loom), feature = "std"))]
mod wait_any;

#[cfg(all(not(loom), feature = "std"))]
fn main() -> std::process::ExitCode {
    runner::main(&[
        fork::CASES,
        frozen::CASES,
        cancel::CASES,
        channel::CASES,
        counter::CASES,
        pool::CASES,
        queue::CASES,
        signals::CASES,
        wait_any::CASES,
        scheduling::CASES,
        stack::CASES,
        real_time::CASES,
        signal_thread::CASES,
        sizing::CASES,
        pi_kernel::CASES,
        pi_relock::CASES,
        pi_refusals::CASES,
        endings::CASES,
        runner::CASES,
    ])
}

#[cfg(not(all(not(loom), feature = "std")))]
fn main() {}
