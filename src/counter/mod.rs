//! Counters, and a small value with a stamp.
//!
//! | type | for | an operation costs | its answer |
//! |---|---|---|---|
//! | [`StripedCounter`] | counting what happens all the time, on all processors, and is asked for now and then | a plain addition to memory of one's own | exact at rest; while others count, between what it was and what it becomes |
//! | [`BoundedCounter`] | a number with a limit, a floor, or a maximum to keep | a compare-and-exchange | exact, at one moment |
//! | [`Stamped`] | a small value that is replaced, where a value that came back is not the same | a compare-and-exchange | exact, at one moment |
//!
//! A number that all threads change, and each needs the answer, without limits:
//! `std::sync::atomic::AtomicU64`. A number that threads wait for: [`Semaphore`](crate::Semaphore),
//! [`Latch`](crate::Latch).
//!
//! # Memory ordering
//!
//! All three order: who finds a change by an operation of its own sees what was done before it.
//! What each of them promises stands with it; why each operation is ordered as it is, in the table
//! at the top of its module's source. In short, and what it costs:
//!
//! * **An addition to a striped counter publishes** (Release), which is free on x86-64 and a
//!   different store on aarch64. **A sum sees** (Acquire). So who finds in a sum all that it waits
//!   for sees what was done before.
//! * **A change to the others does both** (AcqRel), and **an answer without one sees** (Acquire):
//!   also a refusal, so that who is told that there is no room sees what filled it.
//! * None of them is part of the one order of `SeqCst`.

mod bounded;
mod error;
mod stamped;
#[cfg(feature = "std")]
mod striped;

pub use bounded::BoundedCounter;
pub use error::{BoundError, CompareError, OutOfRange};
pub use stamped::{Stamped, StampedValue};
#[cfg(feature = "std")]
pub use striped::StripedCounter;
