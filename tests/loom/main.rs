//! Models: every algorithm of the crate, from the source that ships, under every schedule within a
//! bound.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release --features loom --test loom
//! ```
//!
//! Without `--cfg loom` this binary is empty. Each model lists the outcomes that must be seen and
//! the executions that must be reached, so an explorer that lost its sight fails too.
#![cfg(all(loom, feature = "loom"))]

mod barrier;
mod blocking_queue;
mod cancel;
mod channel;
mod condvar;
mod condvar_any;
mod counter;
mod event;
mod event_count;
mod fair_mutex;
mod fair_semaphore;
mod latch;
mod litmus;
mod lock_set;
mod mutants;
mod mutex;
mod once;
mod parker;
mod pi_condvar;
mod pi_mutex;
mod pool;
mod pool_limits;
mod pool_more;
mod reentrant;
mod ring;
mod rwlock;
mod seg_queue;
mod semaphore;
mod seq_lock;
mod spsc;
mod stack;
mod support;
mod unbounded;
mod wait_any;
mod wait_group;
