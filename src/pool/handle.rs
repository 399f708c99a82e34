//! `JoinHandle` and how a task can end.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::any::Any;
use core::fmt;
use core::future::Future;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::packet::{self, Finished, Joinable, Outcome, Payload, State};
use super::worker;
use crate::cancel::CancelToken;
use crate::primitive::Deadline;
use crate::raw;
use crate::sync::{Waitable, waitable};

/// The way to the result of a task.
///
/// Dropping the handle lets the task go on; its result is dropped when it is done.
///
/// # Examples
///
/// ```
/// use lockwork::pool::ThreadPool;
///
/// let pool = ThreadPool::builder().threads(2).build()?;
/// let length = pool.submit(|| "some text".len()).unwrap();
/// let failure = pool.submit(|| -> u32 { panic!("no number today") }).unwrap();
///
/// assert_eq!(length.join().unwrap(), 9);
/// assert_eq!(failure.join().unwrap_err().to_string(), "task panicked: no number today");
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[must_use = "dropping the handle detaches the task"]
#[doc(alias("Future", "FutureTask", "promise"))]
pub struct JoinHandle<T> {
    task: Arc<dyn Joinable<T>>,
}

impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    pub(super) fn new(task: Arc<dyn Joinable<T>>) -> Self {
        Self { task }
    }

    /// Waits until the task has ended and returns its value.
    ///
    /// Called by a task of the same pool, it runs a task that has not started at once, on this
    /// thread, instead of waiting for another: so tasks can join what they submit, on any number of
    /// threads. Such joins nest on the stack as deep as the tasks depend on each other. The place
    /// in the queue stays taken until a worker comes by.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if the task panicked or was cancelled.
    ///
    /// # Panics
    ///
    /// This and all other forms: if the result was given out by a poll.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// assert_eq!(pool.submit(|| 1 + 1).unwrap().join().unwrap(), 2);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "get")]
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        self.run_if_own();
        match self.join_until(Deadline::NEVER) {
            Ok(result) => result,
            Err(_) => unreachable!("a wait without a deadline timed out"),
        }
    }

    /// As [`join`](Self::join), waiting for at most `timeout`. Does not run the task itself.
    ///
    /// # Errors
    ///
    /// The handle comes back if the task has not ended in time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// let slow = pool.submit(|| std::thread::sleep(Duration::from_millis(20))).unwrap();
    /// match slow.join_for(Duration::from_millis(1)) {
    ///     Ok(result) => result.unwrap(),
    ///     Err(slow) => slow.join().unwrap(),
    /// }
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn join_for(self, timeout: Duration) -> Result<Result<T, JoinError>, Self> {
        self.join_until(Deadline::after(timeout))
    }

    /// As [`join`](Self::join), waiting until `deadline` at the latest. Does not run the task
    /// itself.
    ///
    /// # Errors
    ///
    /// The handle comes back if the task has not ended in time.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// let quick = pool.submit(|| 5).unwrap();
    /// let result = quick.join_until(Instant::now() + Duration::from_secs(60));
    /// assert_eq!(result.unwrap().unwrap(), 5);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn join_until(self, deadline: impl Into<Deadline>) -> Result<Result<T, JoinError>, Self> {
        let state = self.task.state();
        if !state.wait(deadline.into()) {
            return if state.is_forked() {
                Ok(Err(JoinError::cancelled(CancelReason::Forked)))
            } else {
                Err(self)
            };
        }
        // SAFETY: done, and this is the handle.
        Ok(match unsafe { self.task.take() } {
            Some(finished) => Self::result(finished),
            None => panic!("lockwork: the result of this task was taken by a poll"),
        })
    }

    /// As [`join`](Self::join), waiting until `token` is cancelled at the latest. Does not run the
    /// task itself, nor tell it anything: for that there is [`cancel`](Self::cancel).
    ///
    /// # Errors
    ///
    /// The handle comes back if the token was cancelled before, or is already.
    ///
    /// # Panics
    ///
    /// As [`is_cancelled`](CancelToken::is_cancelled), and as [`join`](Self::join).
    ///
    /// ```
    /// use lockwork::cancel::CancelToken;
    /// use lockwork::pool::{Cancel, ThreadPool, current_token};
    ///
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// let slow = pool.submit(|| current_token().unwrap().wait()).unwrap();
    /// let request = CancelToken::new();
    /// let gave_up = std::thread::scope(|s| {
    ///     let joiner = s.spawn(|| slow.join_cancellable(&request));
    ///     request.cancel();
    ///     joiner.join().unwrap().expect_err("the task waits for its own token")
    /// });
    /// gave_up.cancel();
    /// // It ends, whether it had begun or not.
    /// let _ = gave_up.join();
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("interrupt", "InterruptedException"))]
    #[track_caller]
    pub fn join_cancellable(self, token: &CancelToken) -> Result<Result<T, JoinError>, Self> {
        if token.is_cancelled() {
            return Err(self);
        }
        match raw::Waitable::take(self.task.state(), token) {
            Some(_) => self.join_until(Deadline::NEVER), // there is nothing left to wait for
            None => Err(self),
        }
    }

    fn result(finished: Finished<T>) -> Result<T, JoinError> {
        match finished {
            Finished::Value(value) => Ok(value),
            Finished::Panic(payload) => Err(JoinError { kind: Kind::Panicked(payload) }),
            Finished::Cancelled(reason) => Err(JoinError::cancelled(reason)),
        }
    }

    /// Runs the task, if nobody has started it and the calling thread is a worker of its pool.
    pub(super) fn run_if_own(&self) {
        worker::run_if_own(self.task.state(), |runner| self.task.run(runner));
    }

    pub(super) fn state(&self) -> &State {
        self.task.state()
    }

    /// The result, if the task has ended.
    ///
    /// # Errors
    ///
    /// The handle comes back if it has not.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// let mut handle = pool.submit(|| 5).unwrap();
    /// let five = loop {
    ///     match handle.try_join() {
    ///         Ok(result) => break result.unwrap(),
    ///         Err(unfinished) => handle = unfinished,
    ///     }
    /// };
    /// assert_eq!(five, 5);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn try_join(self) -> Result<Result<T, JoinError>, Self> {
        if self.is_finished() { self.join_until(Deadline::NEVER) } else { Err(self) }
    }

    /// Whether the task has ended, one way or another.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// let handle = pool.submit(|| ()).unwrap();
    /// while !handle.is_finished() {
    ///     std::thread::yield_now();
    /// }
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "isDone")]
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let state = self.task.state();
        state.is_done() || state.is_forked()
    }

    /// Keeps the task from running, if it has not started: drops the closure, on this thread, and
    /// makes the result [`CancelReason::Handle`]. Its place in the queue stays taken until a worker
    /// comes by. A task that runs already has its [token](super::current_token) cancelled, and what
    /// it returns is its result.
    ///
    /// # Panics
    ///
    /// If the closure's destructor does, or what was registered with the token; the task is
    /// cancelled all the same.
    ///
    /// ```
    /// use lockwork::pool::{Cancel, CancelReason, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// let task = pool.submit(|| 1).unwrap();
    /// match task.cancel() {
    ///     Cancel::Prevented => {
    ///         assert_eq!(task.join().unwrap_err().cancel_reason(), Some(CancelReason::Handle));
    ///     }
    ///     _ => assert_eq!(task.join().unwrap(), 1),
    /// }
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn cancel(&self) -> Cancel {
        self.cancel_for(CancelReason::Handle)
    }

    pub(super) fn cancel_for(&self, reason: CancelReason) -> Cancel {
        match self.task.cancel(reason, true) {
            Outcome::TooLate if self.is_finished() => Cancel::TooLate,
            Outcome::TooLate => {
                // One that is cancelled already comes from no other.
                self.task.state().token(CancelToken::new).cancel();
                Cancel::Requested
            }
            Outcome::Cancelled => Cancel::Prevented,
            Outcome::Panicked(payload) => packet::resume(payload),
        }
    }

    /// Gives the handle up; the task goes on. As dropping it does, said in so many words.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// pool.submit(|| 5).unwrap().detach();
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn detach(self) {}

    /// Cancels the task if this handle is dropped before it has ended.
    ///
    /// ```
    /// use lockwork::pool::ThreadPool;
    ///
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// let task = pool.submit(|| 5).unwrap().cancel_on_drop();
    /// assert_eq!(task.into_inner().join().unwrap(), 5);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn cancel_on_drop(self) -> CancelOnDrop<T> {
        CancelOnDrop { handle: Some(self) }
    }
}

/// A [`JoinHandle`] that cancels its task when it is dropped; see [`JoinHandle::cancel_on_drop`].
#[must_use = "dropping it cancels the task"]
pub struct CancelOnDrop<T> {
    handle: Option<JoinHandle<T>>,
}

impl<T> CancelOnDrop<T> {
    /// The handle itself, which cancels nothing any more.
    pub fn into_inner(mut self) -> JoinHandle<T> {
        match self.handle.take() {
            Some(handle) => handle,
            None => unreachable!("taken only here"),
        }
    }
}

/// As the handle in it: so a future that is dropped while it waits for a task, by a timeout or
/// because another was ready first, takes the task with it.
///
/// # Panics
///
/// A poll after the result was given out panics.
///
/// ```
/// use std::future::Future;
/// use std::pin::pin;
/// use std::task::{Context, Poll, Waker};
///
/// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
/// let mut task = pin!(pool.submit(|| 5).unwrap().cancel_on_drop());
/// let mut context = Context::from_waker(Waker::noop());
/// let five = loop {
///     match task.as_mut().poll(&mut context) {
///         Poll::Ready(result) => break result.unwrap(),
///         Poll::Pending => std::thread::yield_now(),
///     }
/// };
/// assert_eq!(five, 5);
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
impl<T> Future for CancelOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.handle {
            Some(handle) => Pin::new(handle).poll(context),
            None => unreachable!("taken only by `into_inner`"),
        }
    }
}

impl<T> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            // What came of it is nobody's business any more.
            let _ = handle.cancel();
        }
    }
}

impl<T> fmt::Debug for CancelOnDrop<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelOnDrop").field(&self.handle).finish()
    }
}

/// Ready when the task has ended. In a child of `fork`, a task that has not is
/// [`CancelReason::Forked`].
///
/// A handle keeps the waker of the last poll only. Joining by blocking and polling may be mixed;
/// the result is there once.
///
/// # Panics
///
/// A poll after the result was given out panics.
///
/// ```
/// use std::pin::pin;
/// use std::future::Future;
/// use std::task::{Context, Poll, Waker};
///
/// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
/// let mut task = pin!(pool.submit(|| 5).unwrap());
/// let mut context = Context::from_waker(Waker::noop());
/// let five = loop {
///     match task.as_mut().poll(&mut context) {
///         Poll::Ready(result) => break result.unwrap(),
///         Poll::Pending => std::thread::yield_now(),
///     }
/// };
/// assert_eq!(five, 5);
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let state = self.task.state();
        if !state.is_done() {
            if state.is_forked() {
                return Poll::Ready(Err(JoinError::cancelled(CancelReason::Forked)));
            }
            // SAFETY: this is the handle, which is borrowed for itself.
            if unsafe { state.leave_waker(context.waker()) } {
                return Poll::Pending;
            }
            // Order comes from a look of its own.
            let done = state.is_done();
            debug_assert!(done, "there is nothing to wake for only when the task is done");
        }
        // SAFETY: done, and this is the handle.
        match unsafe { self.task.take() } {
            Some(finished) => Poll::Ready(Self::result(finished)),
            None => panic!("lockwork: a task's handle was polled after it was ready"),
        }
    }
}

impl<T> Waitable for JoinHandle<T> {}
impl<T> waitable::Sealed for JoinHandle<T> {
    fn raw(&self) -> &dyn raw::Waitable {
        self.task.state()
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

/// What [`JoinHandle::cancel`] achieved.
///
/// ```
/// use lockwork::pool::{Cancel, ThreadPool};
///
/// let pool = ThreadPool::builder().threads(1).build()?;
/// let task = pool.submit(|| ()).unwrap();
/// let cancelled = task.cancel() == Cancel::Prevented;
/// assert_eq!(task.join().is_err(), cancelled);
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "says whether the task was kept from running"]
#[non_exhaustive]
pub enum Cancel {
    /// The task will not run.
    Prevented,
    /// The task runs, or somebody is about to drop it; its token is cancelled.
    Requested,
    /// The task has ended, or was cancelled before.
    TooLate,
}

/// Why a task did not run.
///
/// ```
/// use lockwork::pool::{CancelReason, RejectionPolicy, ThreadPool};
/// use std::sync::mpsc::channel;
///
/// let pool = ThreadPool::builder()
///     .threads(1)
///     .queue_capacity(1)
///     .rejection(RejectionPolicy::Discard)
///     .build()?;
/// let (open, gate) = channel::<()>();
/// pool.execute(move || drop(gate.recv())).unwrap();
/// let tasks: Vec<_> = (0..3).map(|_| pool.submit(|| ()).unwrap()).collect();
/// drop(open);
/// let last = tasks.into_iter().last().unwrap();
/// assert_eq!(last.join().unwrap_err().cancel_reason(), Some(CancelReason::Discarded));
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// [`JoinHandle::cancel`].
    Handle,
    /// A discarding [`RejectionPolicy`](super::RejectionPolicy).
    Discarded,
    /// The token that the task was submitted with.
    Token,
    /// The deadline of the call that waited for it, such as
    /// [`invoke_all_until`](super::PoolHandle::invoke_all_until). The task may still run, with its
    /// token cancelled.
    Deadline,
    /// [`ThreadPool::shutdown_now`](super::ThreadPool::shutdown_now).
    PoolShutdown,
    /// This is a child of the process that has the pool's threads.
    Forked,
}

/// Why a task has no value.
///
/// ```
/// use lockwork::pool::ThreadPool;
///
/// let pool = ThreadPool::builder().threads(1).build()?;
/// let error = pool.submit(|| panic!("out of ink")).unwrap().join().unwrap_err();
/// assert!(error.is_panic());
/// assert_eq!(error.to_string(), "task panicked: out of ink");
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
pub struct JoinError {
    kind: Kind,
}

enum Kind {
    Panicked(Payload),
    Cancelled(CancelReason),
}

// SAFETY: the payload may not be shared between threads, and never is: by reference an error only
// looks at its type, and at the text if it is a `&'static str` or a `String`, which may be shared.
unsafe impl Sync for JoinError {}
impl UnwindSafe for JoinError {}
impl RefUnwindSafe for JoinError {}

impl JoinError {
    pub(super) fn cancelled(reason: CancelReason) -> Self {
        Self { kind: Kind::Cancelled(reason) }
    }

    /// Whether the task panicked.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// assert!(pool.submit(|| panic!("oh")).unwrap().join().unwrap_err().is_panic());
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.kind, Kind::Panicked(_))
    }

    /// What the panic carried, for `std::panic::resume_unwind` or to look into.
    ///
    /// # Errors
    ///
    /// The error comes back if the task did not panic.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// let error = pool.submit(|| std::panic::panic_any(7_u8)).unwrap().join().unwrap_err();
    /// assert_eq!(error.into_panic().unwrap().downcast_ref(), Some(&7_u8));
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    pub fn into_panic(self) -> Result<Box<dyn Any + Send + 'static>, Self> {
        match self.kind {
            Kind::Panicked(payload) => Ok(payload),
            kind => Err(Self { kind }),
        }
    }

    /// Whether the task was cancelled before it ran.
    ///
    /// ```
    /// # use lockwork::pool::{RejectionPolicy, ThreadPool};
    /// # let pool = ThreadPool::builder().threads(1).build()?;
    /// let task = pool.submit(|| ()).unwrap();
    /// let _ = task.cancel();
    /// if let Err(error) = task.join() {
    ///     assert!(error.is_cancelled());
    /// }
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind, Kind::Cancelled(_))
    }

    /// Why the task was cancelled, if it was.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(1).build()?;
    /// let error = pool.submit(|| panic!("oh")).unwrap().join().unwrap_err();
    /// assert_eq!(error.cancel_reason(), None);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        match self.kind {
            Kind::Cancelled(reason) => Some(reason),
            Kind::Panicked(_) => None,
        }
    }
}

/// The text of a panic that carried one.
fn text(payload: &Payload) -> Option<&str> {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Panicked(payload) => f.debug_tuple("Panicked").field(&text(payload)).finish(),
            Kind::Cancelled(reason) => f.debug_tuple("Cancelled").field(reason).finish(),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Panicked(payload) => match text(payload) {
                Some(text) => write!(f, "task panicked: {text}"),
                None => f.write_str("task panicked"),
            },
            Kind::Cancelled(CancelReason::Handle) => {
                f.write_str("task was cancelled before it ran")
            }
            Kind::Cancelled(CancelReason::Discarded) => {
                f.write_str("task was discarded: the queue was full")
            }
            Kind::Cancelled(CancelReason::Token) => {
                f.write_str("task was cancelled by its token before it ran")
            }
            Kind::Cancelled(CancelReason::Deadline) => {
                f.write_str("task was given up: the deadline has passed")
            }
            Kind::Cancelled(CancelReason::PoolShutdown) => {
                f.write_str("task was cancelled: its pool was stopped before it ran")
            }
            Kind::Cancelled(CancelReason::Forked) => {
                f.write_str("task belongs to the process that this one was forked from")
            }
        }
    }
}

impl core::error::Error for JoinError {}
