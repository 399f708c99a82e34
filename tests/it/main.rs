//! Behaviour of each public type, under load and in corners, in one binary.
//!
//! `LOCKWORK_STRESS=20` makes the stress tests twenty times as long; `LOCKWORK_SEED=n` repeats the
//! random choices of a run.
#![cfg(all(not(loom), feature = "std"))]

#[path = "../support/mod.rs"]
mod support;

#[cfg(not(lockwork_mutants))] // choosing a mutant allocates, inside every lock
mod allocator;
mod array_queue;
mod auto_traits;
mod barrier;
mod blocking_queue;
mod cancel;
mod channel;
mod condvar;
mod condvar_any;
mod counter;
mod deadline;
mod event;
mod event_count;
mod known_bugs;
mod latch;
mod layering;
mod linearize;
mod lock_set;
#[cfg(feature = "lock_api")]
mod lock_traits;
mod mutex;
mod mutex_family;
mod no_syscalls;
mod once;
mod parker;
mod pi;
mod pi_stress;
mod pool;
mod pool_checklist;
mod pool_costs;
mod pool_programs;
#[cfg(feature = "tracing")]
mod pool_spans;
mod readme;
mod replay;
mod replay_queues;
mod replay_stack;
mod rwlock;
mod seg_queue;
mod semaphore;
mod seq_lock;
#[cfg(feature = "serde")]
mod serde;
mod spsc;
mod stack;
mod stress;
mod unbounded;
mod wait_any;
mod wait_group;
