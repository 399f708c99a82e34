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

mod litmus;
mod mutants;
mod seg_queue;
mod support;
mod unbounded;
