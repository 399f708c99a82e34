//! The names of this layer under loom, and the means to run a model and judge what it explored.
//!
//! # What the model adds to loom
//!
//! * **Shadows.** loom 0.7 keeps one last access per atomic and thread, so a thread's own load
//!   hides its earlier ones, and interleavings are skipped (tokio-rs/loom#166 and #392). Each
//!   atomic here carries a shadow on which a Relaxed read-modify-write is done before every access:
//!   that gives the explorer a conflict to reorder and gives the program no happens-before edge.
//! * **A kernel.** Sleepers queue in ordinary memory, which the explorer does not see. Every futex
//!   operation therefore begins with a Relaxed read-modify-write of one token that it does see. The
//!   value check of a wait is a read-modify-write too, as the kernel compares the newest value.
//! * **Several words.** Who sleeps on several queues for one after the other, with a point between
//!   two at which others can run, and keeps its places until it runs: it may be woken on each.
//!   Where the kernel is told to refuse that, it sleeps on the first, and polls the others.
//! * **Timeouts and signals.** A timed wait, and a wait that a signal may interrupt, has one more
//!   point at which others can run: whoever gets there first decides how it ends.
//! * **Two wake modes.** loom's `unpark` hands the waker's view of memory to the sleeper; a futex
//!   promises no such thing. In strict mode a sleeper polls a hidden flag with `yield_now`, which
//!   gives no edge. A deadlock then shows as too many branches. Models run in both.
//!
//! * **Locks with priority inheritance.** The kernel's half of these reads and writes their words.
//!   Each of its operations, and each access of ours to such a word, begins with the token; then
//!   the kernel's goes on in one step, as the kernel does it under its own locks (`pi`).
//!
//! # Where the model is kinder than the machine
//!
//! No load buffering; at most five threads; seven old values per atomic; `SeqCst` accesses count as
//! `AcqRel`, so the crate orders stores against later loads with `fence(SeqCst)` only; but for
//! those of `TotalU64`, whose loads the model puts such a fence before (`total_order`).

pub(super) mod backend;
mod explore;
mod kernel;
pub(super) mod pi;
pub(super) mod total_order;

pub use backend::{
    AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Futex, Futex64, UnsafeCell, fence, heavy_fence,
    light_fence,
};
pub use explore::Explore;
pub use kernel::{bury, futex_calls, interrupt_sleepers};
pub use pi::{PiFutex, end_thread, set_priority};

pub use super::{Deadline, Private, ProcessShared, Scope, Wait};
pub use core::sync::atomic::Ordering;

/// Threads and reference counts of the model, for the tests.
pub mod thread {
    pub use loom::thread::{JoinHandle, current, spawn, yield_now};
}

/// Starts a new fork epoch, as the child of a fork would.
pub fn enter_forked_child() {
    kernel::advance_fork_epoch();
}

/// No thread can be started any more, as at a limit of the system's.
pub fn refuse_threads() {
    kernel::refuse_threads();
}

/// Runs `body` in one way only, whatever other threads could do meanwhile: for what has to have
/// happened before a model becomes interesting.
pub fn unvaried<R>(body: impl FnOnce() -> R) -> R {
    kernel::unvaried(body)
}
