//! `CancelCallback`.

use core::fmt;

use crate::raw;

/// A closure that is called when a [`CancelToken`](super::CancelToken) is cancelled, for as long as
/// this is there. Dropping it takes the closure back.
///
/// Once it is dropped, the closure is not running any more, nor will it: if it is being called at
/// that moment, the drop waits for the end of the call. (Not if it happens within that very call,
/// which then goes on.) So a closure may use what is taken down after the drop.
///
/// As the drop may wait, do not do it while holding a lock that the closure takes.
///
/// ```
/// use lockwork::cancel::CancelToken;
///
/// let token = CancelToken::new();
/// let callback = token.on_cancel(|| unreachable!("it was taken back"));
/// drop(callback);
/// token.cancel();
/// ```
///
/// The closure cannot borrow what may be gone when the token is cancelled, as the guard might be
/// forgotten:
///
/// ```compile_fail,E0597
/// let token = lockwork::cancel::CancelToken::new();
/// let callback = {
///     let local = 1;
///     token.on_cancel(|| println!("{}", local + 0 * &local))
/// };
/// ```
#[doc(alias(
    "stop_callback",
    "CancellationTokenRegistration",
    "CancellationCallback",
    "AfterFunc"
))]
#[must_use = "the closure is taken back at once; `detach` it to leave it with the token"]
pub struct CancelCallback {
    /// `None` once it is detached.
    registration: Option<raw::Registration>,
}

impl CancelCallback {
    pub(super) fn new(registration: raw::Registration) -> Self {
        Self { registration: Some(registration) }
    }

    /// Leaves the closure with the token: it is called when that is cancelled, and dropped with
    /// the last handle of it if that never happens.
    ///
    /// A closure that has a clone of its own token keeps it alive until it is cancelled.
    ///
    /// ```
    /// use lockwork::{Event, cancel::CancelToken};
    /// use std::sync::Arc;
    ///
    /// let (token, stopped) = (CancelToken::new(), Arc::new(Event::manual()));
    /// let event = stopped.clone();
    /// token.on_cancel(move || event.set()).detach();
    /// token.cancel();
    /// assert!(stopped.is_set());
    /// ```
    pub fn detach(mut self) {
        self.registration = None;
    }
}

impl Drop for CancelCallback {
    fn drop(&mut self) {
        if let Some(registration) = &mut self.registration {
            registration.take_back();
        }
    }
}

impl fmt::Debug for CancelCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pending = self.registration.as_ref().is_some_and(raw::Registration::is_pending);
        f.debug_struct("CancelCallback").field("pending", &pending).finish()
    }
}
