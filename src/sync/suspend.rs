//! Guards that a condition variable can wait with, and the waiting itself.

use sealed::Access;

use super::WaitTimeoutResult;
#[cfg(feature = "alloc")]
use crate::cancel::{CancelToken, Cancelled};
use crate::raw::{self, Limit, Relock};

/// A guard that a [`CondvarAny`](crate::CondvarAny) can wait with: one that stands for the whole of
/// a lock's data, borrowed or by an `Arc`.
///
/// Guards of a part (`Mapped...`) are not among them: while the lock is free, others may change the
/// data so that the part is there no more.
///
/// Sealed: the condition variable relies on what the locks of this crate do.
///
/// ```
/// use lockwork::{CondvarAny, WaitGuard};
/// use std::time::Duration;
///
/// /// Waits for a moment, with whatever lock.
/// fn doze(changed: &CondvarAny, guard: &mut impl WaitGuard) {
///     let _ = changed.wait_for(guard, Duration::from_millis(1));
/// }
/// doze(&CondvarAny::new(), &mut lockwork::RwLock::new(1).read());
/// doze(&CondvarAny::new(), &mut lockwork::FairMutex::new(1).lock());
/// ```
#[diagnostic::on_unimplemented(
    message = "a condition variable cannot wait with a `{Self}`",
    label = "not the guard of a whole lock of `lockwork`",
    note = "the guards of `lock`, `read`, `write`, `upgradable_read` and their `_arc` forms can \
            wait; guards of a part of the data cannot, as the part may be gone after the wait"
)]
pub trait WaitGuard: for<'a> sealed::Access<'a> + sealed::Suspend {}

pub(super) mod sealed {
    use crate::raw::Relock;

    /// The data of a guard, as it gives them out. (The parameter that nobody names says that the
    /// guard outlives `'a`; an associated type with a lifetime would, for all `'a`, ask for guards
    /// that live for ever.)
    pub trait Access<'a, Outlives = &'a Self> {
        /// `&mut T` if the guard gives out that, else `&T`.
        type Data;

        fn access(&'a mut self) -> Self::Data;
    }

    /// What a guard stands for can be given up for a while.
    ///
    /// # Safety
    ///
    /// The guard stands for having [`lock`](Self::lock) in the way that `Way` says, and gives
    /// access to its data for no longer than it is borrowed.
    pub unsafe trait Suspend {
        /// How the lock is had.
        type Way: Relock;

        /// The lock.
        fn lock(&self) -> &<Self::Way as Relock>::Lock;

        /// Ends the tracked access to the data; the lock is about to be given up.
        fn suspend(&mut self);

        /// Begins a new tracked access, with the lock taken again.
        fn resume(&mut self);
    }
}

/// Implements [`WaitGuard`] for a guard with a `track`. `lock` says where the guard has its lock,
/// which has a `raw` and `data`; the other arguments are as in `exclusive`.
macro_rules! wait_guard {
    (
        { impl<$($params:tt)* } for $Guard:ty,
        data: $Data:ty,
        lock: |$guard:ident| $lock:expr,
        way: $way:ty,
        track: $track:ident,
        access: [$($mut:tt)?] $(,)?
    ) => {
        impl<$($params)* $crate::sync::suspend::WaitGuard for $Guard {}

        // The list of parameters ends with its bracket.
        impl<'access, $($params)* $crate::sync::suspend::sealed::Access<'access> for $Guard {
            type Data = &'access $($mut)? $Data;

            #[inline]
            fn access(&'access mut self) -> Self::Data {
                self
            }
        }

        // SAFETY: that is what the guard stands for; it gives out what its `deref` does.
        unsafe impl<$($params)* $crate::sync::suspend::sealed::Suspend for $Guard {
            type Way = $way;

            #[inline]
            fn lock(&self) -> &<$way as $crate::raw::Relock>::Lock {
                let $guard = self;
                &$lock.raw
            }

            #[inline]
            fn suspend(&mut self) {
                self.track.end();
            }

            #[inline]
            fn resume(&mut self) {
                let $guard = &*self;
                self.track = $lock.data.$track();
            }
        }
    };
}
pub(in crate::sync) use wait_guard;

/// Gives up what the guard stands for, waits, and takes it again; whether the wait ended by a
/// notification.
#[track_caller]
pub(super) fn wait<G: WaitGuard>(condvar: &raw::Condvar, guard: &mut G, limit: impl Limit) -> bool {
    /// # Safety
    ///
    /// The calling context has `lock` in the way of `R`, and has it again when this returns.
    unsafe fn wait_as<R: Relock, L: Limit>(
        condvar: &raw::Condvar,
        lock: &R::Lock,
        limit: L,
    ) -> bool {
        // SAFETY: by the caller's contract; the way differs in what the condition variable may do.
        unsafe { condvar.wait::<L::Way<R>>(lock, limit) }
    }
    // SAFETY: the guard stands for having the lock.
    unsafe { G::Way::check(guard.lock()) };
    guard.suspend();
    // SAFETY: the guard stands for having the lock before the call and after it, and cannot be
    // reached in between.
    let notified = unsafe { wait_as::<G::Way, _>(condvar, guard.lock(), limit) };
    guard.resume();
    notified
}

/// As [`wait`], until `token` is cancelled.
#[cfg(feature = "alloc")]
#[track_caller]
pub(super) fn wait_cancellable<G: WaitGuard>(
    condvar: &raw::Condvar,
    guard: &mut G,
    token: &CancelToken,
) -> Result<(), Cancelled> {
    let over = token.is_known_to_be_cancelled();
    if !over && wait(condvar, guard, token) { Ok(()) } else { Err(Cancelled) }
}

/// As [`wait_while`], until `token` is cancelled.
#[cfg(feature = "alloc")]
#[track_caller]
pub(super) fn wait_while_cancellable<G: WaitGuard>(
    condvar: &raw::Condvar,
    guard: &mut G,
    condition: impl FnMut(<G as Access<'_>>::Data) -> bool,
    token: &CancelToken,
) -> Result<(), Cancelled> {
    match wait_while(condvar, guard, condition, token).timed_out() {
        false => Ok(()),
        true => Err(Cancelled),
    }
}

/// Waits as long as `condition` holds; the result says that the limit was reached and that it still
/// held.
#[track_caller]
pub(super) fn wait_while<G: WaitGuard>(
    condvar: &raw::Condvar,
    guard: &mut G,
    mut condition: impl FnMut(<G as Access<'_>>::Data) -> bool,
    limit: impl Limit,
) -> WaitTimeoutResult {
    while condition(guard.access()) {
        if !wait(condvar, guard, limit) {
            return WaitTimeoutResult::new(condition(guard.access()));
        }
    }
    WaitTimeoutResult::new(false)
}
