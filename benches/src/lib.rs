//! Side by side measurements of lockwork and its peers.
//!
//! Peers: std, parking_lot, usync, crossbeam, concurrent-queue, kanal, flume, rtrb, seqlock,
//! rayon, threadpool, rusty_pool, and pthread (with glibc's adaptive mutex).
//! All are in one binary and take part in one run; the [`harness`] says how a figure comes about
//! and when it means something.
//!
//! # Time
//!
//! ```sh
//! cargo bench -p lockwork-bench --bench mutex     # one thread, then 2 to 64 on one lock: 10 min
//! cargo bench -p lockwork-bench --bench bypass    # 8 threads a core: who is overtaken how often
//! cargo bench -p lockwork-bench --bench channel   # streams, and one value to and fro
//! cargo bench -p lockwork-bench --bench condvar   # notify, ping-pong, notify_all, bounded buffer
//! cargo bench -p lockwork-bench --bench counter   # additions by one thread, two and eight
//! cargo bench -p lockwork-bench --bench event     # barriers, turns by tokens, groups
//! cargo bench -p lockwork-bench --bench futex     # futex calls per operation under contention
//! cargo bench -p lockwork-bench --bench rwlock    # one thread, then 2 and 8 with 0 to 50 % writes
//! cargo bench -p lockwork-bench --bench semaphore # alone, taking turns, release(16) to 16
//! cargo bench -p lockwork-bench --bench stack     # one thread, then 2 and 8; batches
//! cargo bench -p lockwork-bench --bench once      # what is made once, and sequence locks
//! cargo bench -p lockwork-bench --bench queue     # one thread, many, batches, two ends: 15 min
//! cargo bench -p lockwork-bench --bench segqueue  # queues without a bound: one thread, many
//! cargo bench -p lockwork-bench --bench pool      # tasks that do nothing, joined, in a tree
//! cargo bench -p lockwork-bench --bench pi        # priority inheritance; as root, its wake-ups
//! cargo bench -p lockwork-bench --bench micro     # criterion: single-thread fast paths
//! ```
//!
//! `-- --help` lists the options of all but the last: `--quick` to see whether it runs, `--full`
//! for the whole grid, `--filter TEXT` for some cells, `--rounds`, `--millis`. Each prints
//! Markdown, ends with the rows we lose, and leaves every single round as JSON lines in
//! `target/bench/`.
//!
//! How to read a ratio: *above 1 = we are faster*. `1.10 [1.07, 1.12] ±2 %` is the median over the
//! rounds, its 95 % interval, and the scatter of single rounds. In the column A/A the subject runs
//! against itself: that interval is the noise floor, and a claim must lie outside it. Costs (CPU
//! time) are ours over theirs.
//!
//! # Counts
//!
//! Times on a shared machine are evidence; these are exact, and fail if a promise is broken.
//!
//! ```sh
//! cargo run --release -p lockwork-bench --bin count-instructions  # single-steps each fast path
//! cargo run --release -p lockwork-bench --bin pool-costs          # allocations, an idle pool
//! bash benches/futex-calls.sh                                     # futex calls per schedule
//! ```
//!
//! # Neighbours
//!
//! `examples/` has rayon on the threads of a pool, and a pool under tokio; they have tests.
//!
//! # Layout
//!
//! A module for each family of types holds the adapters, such as [`locks`]; [`scenarios`] what is
//! done with them, `benches/*.rs` the grids and bars, `src/bin/` the counting tools.

pub mod channels;
pub mod condvars;
pub mod counters;
pub mod harness;
pub mod locks;
pub mod meetings;
pub mod onces;
pub mod pools;
pub mod priority;
pub mod queues;
pub mod rwlocks;
pub mod scenarios;
pub mod selects;
pub mod semaphores;
pub mod stacks;
pub mod unbounded;
