//! A task as it lies in the queue: 56 bytes, of which 48 are the closure's own.
//!
//! # Shapes
//!
//! ```text
//!                 0            8                                        56
//! detached        | operations | closure, up to 48 bytes                 |   nothing allocated
//! detached, large | operations | pointer to the closure | -              |   one allocation
//! with a handle   | operations | pointer to the packet  | -              |   one, for all of it
//! ```
//!
//! In a pool whose queue remembers when a task came, the last eight bytes are the moment, and 40
//! are left.
//!
//! # Invariants
//!
//! 1. `data` holds what `operations` expects, once: every operation takes it out and forgets the
//!    job.
//! 2. A job that is dropped is cancelled, so its handle resolves, whoever drops it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::mem::{ManuallyDrop, MaybeUninit, align_of, size_of};
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use super::handle::CancelReason;
use super::packet::{self, Joinable, Packet, Payload};
use super::runner::Runner;

const WORDS: usize = 6;

/// Room for a closure or a pointer.
type Data = [MaybeUninit<u64>; WORDS];

/// Closures up to this size lie in the queue itself.
const INLINE: usize = size_of::<Data>();

/// Where the queue remembers when a task came, up to this size.
const INLINE_STAMPED: usize = INLINE - size_of::<u64>();

/// A closure that was not run, its types forgotten.
pub(super) type Closure = Box<dyn FnOnce() + Send>;

/// What can be done with a job, by its shape and types. Each takes the data out.
struct Operations {
    /// # Safety
    ///
    /// The data is that of these operations, and nobody uses it again.
    run: unsafe fn(*mut Data, &Runner<'_>),
    /// Drops the closure un-run. What that threw comes back.
    ///
    /// # Safety
    ///
    /// As `run`.
    cancel: unsafe fn(*mut Data, CancelReason) -> Cancelled,
    /// Takes the closure, un-run; or says, as `Cancelled::Before`, who was faster.
    ///
    /// # Safety
    ///
    /// As `run`.
    take: unsafe fn(*mut Data, CancelReason) -> Result<Closure, bool>,
    /// Gives up the reference to the packet; drops a closure that has none.
    ///
    /// # Safety
    ///
    /// As `run`.
    release: unsafe fn(*mut Data),
}

/// What became of a job that was to be cancelled.
pub(super) enum Cancelled {
    /// The closure is gone.
    Now(Option<Payload>),
    /// It had been claimed before. The flag says that it had been cancelled then, by its handle.
    Before(bool),
}

/// A task in the queue.
pub(super) struct Job {
    operations: &'static Operations,
    data: Data,
}

// SAFETY: made from closures and packets that may be sent, and has no reference to anything else.
unsafe impl Send for Job {}

impl Job {
    /// A task without a handle.
    pub(super) fn detached<F: FnOnce() + Send + 'static>(closure: F, stamped: bool) -> Self {
        if Self::fits::<F>(stamped) {
            Self::with(const { &INLINE_OPERATIONS::<F>::VALUE }, closure)
        } else {
            Self::with(const { &BOXED_OPERATIONS::<F>::VALUE }, Box::into_raw(Box::new(closure)))
        }
    }

    /// The closure of a task without a handle that was refused.
    ///
    /// # Safety
    ///
    /// This is what `detached::<F>` has made, with the same `stamped`.
    pub(super) unsafe fn into_closure<F: FnOnce() + Send + 'static>(self, stamped: bool) -> F {
        let mut this = ManuallyDrop::new(self);
        let data = &raw mut this.data;
        // SAFETY: by the caller's contract, and nobody uses the data again (invariant 1).
        unsafe {
            match Self::fits::<F>(stamped) {
                true => data.cast::<F>().read(),
                false => *Box::from_raw(data.cast::<*mut F>().read()),
            }
        }
    }

    /// A task with a handle, one of the counted references to it.
    pub(super) fn joinable<F, T>(packet: Arc<Packet<F, T>>) -> Self
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Self::with(const { &PACKET_OPERATIONS::<F, T>::VALUE }, Arc::into_raw(packet))
    }

    fn with<V>(operations: &'static Operations, value: V) -> Self {
        const { assert!(align_of::<Data>() == 8) };
        debug_assert!(size_of::<V>() <= INLINE && align_of::<V>() <= align_of::<Data>());
        let mut data: Data = [MaybeUninit::uninit(); WORDS];
        // SAFETY: large enough and aligned, as is checked above by the callers' choice of shape.
        unsafe { data.as_mut_ptr().cast::<V>().write(value) };
        Self { operations, data }
    }

    const fn fits<F>(stamped: bool) -> bool {
        let room = if stamped { INLINE_STAMPED } else { INLINE };
        size_of::<F>() <= room && align_of::<F>() <= align_of::<Data>()
    }

    /// Writes down when the task came.
    pub(super) fn stamp(&mut self, nanos: u64) {
        self.data[WORDS - 1].write(nanos);
    }

    /// When the task came.
    ///
    /// # Safety
    ///
    /// It was stamped.
    pub(super) unsafe fn stamped_at(&self) -> u64 {
        // SAFETY: by the caller's contract.
        unsafe { self.data[WORDS - 1].assume_init() }
    }

    /// Gives up a reference to a packet that was refused, and leaves the closure to the other.
    pub(super) fn forget(self) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: as in `run`.
        unsafe { (this.operations.release)(&raw mut this.data) }
    }

    /// Runs the task, unless somebody has claimed it before. Never unwinds.
    #[inline]
    pub(super) fn run(self, runner: &Runner<'_>) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: the data is that of the operations, and is forgotten here (invariant 1).
        unsafe { (this.operations.run)(&raw mut this.data, runner) }
    }

    /// Drops the closure un-run, unless somebody has claimed it before. Never unwinds.
    pub(super) fn cancel(self, reason: CancelReason) -> Cancelled {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: as in `run`.
        unsafe { (this.operations.cancel)(&raw mut this.data, reason) }
    }

    /// Takes the closure out un-run, and its handle hears of `reason`; unless somebody has claimed
    /// it before, as by [`Cancelled::Before`].
    pub(super) fn take(self, reason: CancelReason) -> Result<Closure, bool> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: as in `run`.
        unsafe { (this.operations.take)(&raw mut this.data, reason) }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // SAFETY: as in `run`; a job that an operation has taken is not dropped.
        let cancelled =
            unsafe { (self.operations.cancel)(&raw mut self.data, CancelReason::PoolShutdown) };
        if let Cancelled::Now(Some(payload)) = cancelled {
            packet::drop_payload(payload);
        }
    }
}

/// Drops something of the user's, and returns what that threw.
pub(super) fn drop_caught<V>(value: V) -> Option<Payload> {
    catch_unwind(AssertUnwindSafe(|| drop(value))).err()
}

macro_rules! operations {
    (
        $Name:ident<$($G:ident),*> where [$($bounds:tt)*],
        $run:expr, $cancel:expr, $take:expr, $release:expr
    ) => {
        #[allow(non_camel_case_types, reason = "a constant by type")]
        struct $Name<$($G),*>(core::marker::PhantomData<($($G,)*)>);
        impl<$($G),*> $Name<$($G),*> where $($bounds)* {
            const VALUE: Operations = Operations {
                run: $run,
                cancel: $cancel,
                take: $take,
                release: $release,
            };
        }
    };
}

operations!(INLINE_OPERATIONS<F> where [F: FnOnce() + Send + 'static],
    // SAFETY: the data is a closure of this type, by the contract of `Operations`.
    |data, runner| run_detached(unsafe { data.cast::<F>().read() }, runner),
    // SAFETY: as above.
    |data, _| Cancelled::Now(drop_caught(unsafe { data.cast::<F>().read() })),
    // SAFETY: as above.
    |data, _| Ok(Box::new(unsafe { data.cast::<F>().read() })),
    // SAFETY: as above.
    |data| drop(unsafe { data.cast::<F>().read() })
);

/// # Safety
///
/// The data is a pointer to a closure of this type in a box, and nobody uses it again.
unsafe fn boxed<F>(data: *mut Data) -> Box<F> {
    // SAFETY: by the caller's contract.
    unsafe { Box::from_raw(data.cast::<*mut F>().read()) }
}

operations!(BOXED_OPERATIONS<F> where [F: FnOnce() + Send + 'static],
    // SAFETY: the data is such a pointer, by the contract of `Operations`.
    |data, runner| run_detached(unsafe { boxed::<F>(data) }, runner),
    // SAFETY: as above.
    |data, _| Cancelled::Now(drop_caught(unsafe { boxed::<F>(data) })),
    // SAFETY: as above.
    |data, _| Ok(unsafe { boxed::<F>(data) }),
    // SAFETY: as above.
    |data| drop(unsafe { boxed::<F>(data) })
);

/// # Safety
///
/// The data is a counted pointer to a packet of these types, and nobody uses it again.
unsafe fn counted<F, T>(data: *mut Data) -> Arc<Packet<F, T>> {
    // SAFETY: by the caller's contract.
    unsafe { Arc::from_raw(data.cast::<*const Packet<F, T>>().read()) }
}

operations!(PACKET_OPERATIONS<F, T> where [F: FnOnce() -> T + Send + 'static, T: Send + 'static],
    |data, runner| {
        // SAFETY: the data is such a pointer, by the contract of `Operations`.
        let packet = unsafe { counted::<F, T>(data) };
        if !packet.run(runner) {
            runner.met_claimed(packet.state());
        }
        if runner.is_forked() {
            // The task forked, and this is the child: the handle is a thread's that is not here.
            core::mem::forget(packet);
        } else if let Some(payload) = drop_caught(packet) {
            // Nobody wanted the result, and its destructor panicked.
            packet::drop_payload(payload);
        }
    },
    |data, reason| {
        // SAFETY: as above.
        let packet = unsafe { counted::<F, T>(data) };
        let cancelled = match packet.cancel(reason, false) {
            packet::Outcome::TooLate => Cancelled::Before(packet.state().was_cancelled_by_handle()),
            packet::Outcome::Cancelled => Cancelled::Now(None),
            packet::Outcome::Panicked(payload) => Cancelled::Now(Some(payload)),
        };
        if let Some(payload) = drop_caught(packet) {
            packet::drop_payload(payload);
        }
        cancelled
    },
    |data, reason| {
        // SAFETY: as above.
        let packet = unsafe { counted::<F, T>(data) };
        let closure = packet.take_closure(reason);
        let by_handle = packet.state().was_cancelled_by_handle();
        if let Some(payload) = drop_caught(packet) {
            packet::drop_payload(payload);
        }
        closure.map(|closure| Box::new(move || drop(closure())) as Closure).ok_or(by_handle)
    },
    // SAFETY: as above.
    |data| drop(unsafe { counted::<F, T>(data) })
);

/// Runs a closure without a handle. What it throws is counted, and goes to who asked for it.
fn run_detached(closure: impl FnOnce(), runner: &Runner<'_>) {
    if let Err(payload) = runner.call_task(None, closure) {
        runner.hand_over(payload);
    }
}
