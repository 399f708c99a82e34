//! Layer 1: the seam between the algorithms and the world.
//!
//! Everything above this layer is written against the names exported here: atomics, futex words,
//! cells, deadlines, threads. There are two sets behind the names:
//!
//! | | real | model |
//! |---|---|---|
//! | chosen by | default | `--cfg loom` **and** feature `loom` |
//! | atomics | `core::sync::atomic` | loom's, each with a shadow (`model`) |
//! | futex calls | the kernel's, through `sys` | a queue that the explorer can see |
//! | deadlines | `CLOCK_MONOTONIC` | "may pass at any moment" |
//! | spin counts | as measured | zero: waiters sleep, so wake-up duties are explored |
//!
//! So the source that ships is the source that is model-checked. This is the only place in the
//! crate that names `loom` or `core::sync::atomic`, and the only caller of `sys`.

#[cfg(not(all(loom, feature = "loom")))]
mod real;
#[cfg(not(all(loom, feature = "loom")))]
pub(crate) use real::*;

#[cfg(all(loom, feature = "loom"))]
pub mod model;
#[cfg(all(loom, feature = "loom"))]
pub(crate) use model::backend::*;

#[cfg(all(feature = "alloc", not(all(loom, feature = "loom"))))]
#[allow(dead_code, reason = "one set for all users")]
mod asymmetric;
mod backoff;
#[cfg(feature = "std")]
mod badge;
#[cfg(feature = "alloc")]
mod cells;
#[cfg(all(lockwork_chaos, not(all(loom, feature = "loom"))))]
mod chaos;
#[cfg(feature = "std")]
mod counter;
mod deadline;
#[cfg(not(all(loom, feature = "loom")))]
mod identity;
#[cfg(feature = "alloc")]
mod looks;
mod mutants;
#[cfg(feature = "std")]
mod per_cpu;
#[cfg(any(feature = "std", all(loom, feature = "loom")))]
mod pi;
mod plain_data;
#[cfg(all(feature = "std", not(all(loom, feature = "loom"))))]
mod real_pi;
#[cfg(feature = "std")]
pub(crate) mod rt;
mod scope;
#[cfg(feature = "std")]
pub(crate) mod signals;
#[cfg(feature = "alloc")]
mod tagged;
#[cfg(feature = "std")]
mod thread_number;
#[cfg(feature = "alloc")]
mod total;
#[cfg(not(all(loom, feature = "loom")))]
mod wait_many;

pub(crate) use core::sync::atomic::Ordering;

#[cfg(all(feature = "alloc", not(all(loom, feature = "loom"))))]
#[allow(unused_imports, reason = "one set for all users")]
pub(crate) use asymmetric::{
    bare_light_fence, barrier_was_refused, heavy_fence, light_fence, settle,
};
pub(crate) use backoff::Backoff;
#[cfg(feature = "std")]
pub(crate) use badge::Badge;
#[cfg(feature = "alloc")]
pub(crate) use cells::Cells;
#[cfg(feature = "std")]
pub(crate) use counter::Counter;
pub use deadline::Deadline;
#[cfg(feature = "alloc")]
pub(crate) use looks::Looks;
#[cfg(lockwork_mutants)]
pub(crate) use mutants::{chosen, weakened};
pub(crate) use mutants::{mutant, ord};
#[cfg(feature = "std")]
pub(crate) use per_cpu::{LINE, PER_CPU, add_on_this_cpu, possible_cpus, rseq_offset};
#[cfg(feature = "std")]
pub use pi::PiError;
#[cfg(feature = "std")]
pub(crate) use pi::{Handed, NOBODY, NotOwner, OWNER, OWNER_DIED, WAITERS};
pub use plain_data::{PlainData, size_of_plain_field};
#[cfg(any(test, all(loom, feature = "loom")))]
#[allow(unreachable_pub, reason = "public in the model build")]
pub use scope::ProcessShared;
#[allow(unreachable_pub, reason = "public in the model build")]
pub use scope::{Private, Scope};
#[cfg(feature = "alloc")]
pub(crate) use tagged::{IndexWord, TaggedWord, WideWord};
#[cfg(feature = "std")]
pub(crate) use thread_number::thread_number;
#[cfg(feature = "std")]
pub(crate) use total::TotalPtr;
#[cfg(feature = "alloc")]
pub(crate) use total::TotalU64;
// Where there is no `std`, it is the kernel's id.
#[cfg(feature = "std")]
pub(crate) use thread_number::thread_number as this_thread;
#[cfg(not(all(loom, feature = "loom")))]
pub(crate) use wait_many::{WaitWord, wait_many};

/// Why a wait on a futex word returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(unreachable_pub, reason = "public in the model build")]
pub enum Wait {
    /// The kernel took this thread off the queue for a wake-up, which is now consumed. The wake
    /// may have been meant for an earlier user of the same address: look at the word again.
    Woken,
    /// The word did not hold the expected value; the thread never slept.
    Changed,
    /// A signal handler ran. No wake-up was consumed.
    Interrupted,
    /// The deadline passed. No wake-up was consumed.
    TimedOut,
}

/// Defines a constructor that is `const` in real builds and plain in the model, whose atomics
/// register themselves with the explorer when they are made.
macro_rules! model_const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty
     $body:block) => {
        #[cfg(not(all(loom, feature = "loom")))]
        $(#[$meta])*
        $vis const fn $name($($arg: $ty),*) -> $ret $body

        #[cfg(all(loom, feature = "loom"))]
        $(#[$meta])*
        $vis fn $name($($arg: $ty),*) -> $ret $body
    };
}
pub(crate) use model_const_fn;

/// Items that the model does without: they ask for constants, which its locks cannot be, or use
/// somebody else's atomics.
#[cfg(any(feature = "lock_api", feature = "epoch"))]
macro_rules! except_in_model {
    ($($item:item)*) => {
        $(
            #[cfg(not(all(loom, feature = "loom")))]
            $item
        )*
    };
}
#[cfg(any(feature = "lock_api", feature = "epoch"))]
pub(crate) use except_in_model;

/// Items that only the model has.
#[cfg(feature = "std")]
macro_rules! only_in_model {
    ($($item:item)*) => {
        $(
            #[cfg(all(loom, feature = "loom"))]
            $item
        )*
    };
}
#[cfg(feature = "std")]
pub(crate) use only_in_model;

/// A static; in the model one that each execution makes anew.
#[cfg(feature = "std")]
macro_rules! global {
    ($(#[$meta:meta])* static $name:ident: $ty:ty = $init:expr;) => {
        #[cfg(not(all(loom, feature = "loom")))]
        $(#[$meta])*
        static $name: $ty = $init;

        #[cfg(all(loom, feature = "loom"))]
        $crate::primitive::lazy_static! {
            $(#[$meta])*
            static ref $name: $ty = $init;
        }
    };
}
#[cfg(feature = "std")]
pub(crate) use global;

/// Re-exports what model tests need, and only in the model build; `lib.rs` stays free of the gate.
macro_rules! export_model {
    ($($raw:path),* $(,)?) => {
        #[cfg(all(loom, feature = "loom"))]
        #[doc(hidden)]
        pub use $crate::primitive::model;
        #[cfg(all(loom, feature = "loom"))]
        #[doc(hidden)]
        pub mod model_raw {
            $(pub use $raw;)*
        }
    };
}
pub(crate) use export_model;

/// Chooses between the value that ships and the one that the model uses.
///
/// Every spin count goes through here: a model that polls first finds the lock free too often and
/// never explores the sleep.
pub(crate) const fn tuning(real: u32, model: u32) -> u32 {
    if cfg!(all(loom, feature = "loom")) { model } else { real }
}

/// As [`tuning`], where some models want the value that ships, and say so.
#[inline]
pub(crate) fn tuned(real: u32, model: u32) -> u32 {
    if as_shipped() { real } else { model }
}
