//! Many tasks at once: all of them, the first that succeeds, or each as it comes.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::panic::AssertUnwindSafe;
use core::task::Waker;
use core::time::Duration;
use std::panic::catch_unwind;

use super::handle::{Cancel, CancelReason, JoinError, JoinHandle};
use super::packet;
use super::reject::{RejectReason, Rejected};
use super::submit::PoolHandle;
use super::worker;
use crate::primitive::{Deadline, mutant};
use crate::raw::EventCount;
use crate::sync::Mutex;

/// Results as they come: [`as_completed`].
#[must_use = "an iterator does nothing unless it is used"]
pub struct AsCompleted<T> {
    handles: Vec<Option<JoinHandle<T>>>,
    left: usize,
    done: Arc<Done>,
}

/// Who has ended, told by the tasks' wakers.
struct Done {
    list: Mutex<VecDeque<usize>>,
    came: EventCount,
}

/// The waker of one task.
struct Note {
    index: usize,
    done: Arc<Done>,
}

impl Wake for Note {
    fn wake(self: Arc<Self>) {
        self.done.note(self.index);
    }
}

impl Done {
    fn note(&self, index: usize) {
        self.list.lock().push_back(index);
        if !mutant!("batch.wake") {
            self.came.notify_one();
        }
    }
}

/// The results of some tasks in the order in which they come, each with its place among the
/// handles.
///
/// In a task of the same pool, one that has not started is run at once, on this thread, instead of
/// waiting for another; see [`JoinHandle::join`].
///
/// ```
/// use lockwork::pool::{ThreadPool, as_completed};
///
/// let pool = ThreadPool::builder().threads(2).build()?;
/// let tasks = [3, 1, 2].map(|n| pool.submit(move || n * 10).unwrap());
/// let mut results: Vec<_> = as_completed(tasks).map(|(i, result)| (i, result.unwrap())).collect();
/// results.sort();
/// assert_eq!(results, [(0, 30), (1, 10), (2, 20)]);
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[doc(alias("CompletionService", "FuturesUnordered", "select", "JoinSet"))]
pub fn as_completed<T>(handles: impl IntoIterator<Item = JoinHandle<T>>) -> AsCompleted<T> {
    let handles: Vec<_> = handles.into_iter().map(Some).collect();
    let done = Arc::new(Done { list: Mutex::new(VecDeque::new()), came: EventCount::new() });
    for (index, handle) in handles.iter().flatten().enumerate() {
        let waker = Waker::from(Arc::new(Note { index, done: done.clone() }));
        // SAFETY: this is the handle, and nobody else has it.
        if !unsafe { handle.state().leave_waker(&waker) } {
            done.list.lock().push_back(index);
        }
    }
    AsCompleted { left: handles.len(), handles, done }
}

impl<T> AsCompleted<T> {
    /// How many are yet to come.
    ///
    /// ```
    /// # use lockwork::pool::{ThreadPool, as_completed};
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// let mut results = as_completed([pool.submit(|| 1).unwrap()]);
    /// assert_eq!(results.left(), 1);
    /// results.next();
    /// assert_eq!(results.left(), 0);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[must_use]
    pub fn left(&self) -> usize {
        self.left
    }

    /// The next one, if it comes within `timeout`; `None` also if none is left.
    ///
    /// ```
    /// # use lockwork::pool::{ThreadPool, as_completed};
    /// use std::time::Duration;
    ///
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// let mut results = as_completed([pool.submit(|| 1).unwrap()]);
    /// assert!(results.next_for(Duration::from_secs(60)).is_some());
    /// assert!(results.next_for(Duration::from_secs(60)).is_none());
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn next_for(&mut self, timeout: Duration) -> Option<(usize, Result<T, JoinError>)> {
        self.next_until(Deadline::after(timeout))
    }

    /// As [`next_for`](Self::next_for), until `deadline`.
    ///
    /// ```
    /// # use lockwork::pool::{ThreadPool, as_completed};
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// let mut results = as_completed([pool.submit(|| 1).unwrap()]);
    /// assert!(results.next_until(Instant::now() + Duration::from_secs(60)).is_some());
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn next_until(
        &mut self,
        deadline: impl Into<Deadline>,
    ) -> Option<(usize, Result<T, JoinError>)> {
        if self.left == 0 {
            return None;
        }
        let index = self.wait(deadline.into())?;
        self.left -= 1;
        let handle = self.handles.get_mut(index).and_then(Option::take)?;
        // Done, or never to be done in this process: at once in any case.
        handle.join_until(Deadline::NEVER).ok().map(|result| (index, result))
    }

    /// The place of one that has ended.
    fn wait(&self, deadline: Deadline) -> Option<usize> {
        loop {
            if let Some(index) = self.take() {
                return Some(index);
            }
            if let Some(index) = self.orphan() {
                return Some(index);
            }
            if deadline == Deadline::NEVER && self.run_one() {
                continue;
            }
            let ticket = self.done.came.prepare();
            if let Some(index) = self.take() {
                self.done.came.cancel(ticket);
                return Some(index);
            }
            if !self.done.came.wait(ticket, deadline) {
                return self.take();
            }
        }
    }

    fn take(&self) -> Option<usize> {
        self.done.list.lock().pop_front()
    }

    /// One that this process has no threads for.
    fn orphan(&self) -> Option<usize> {
        self.handles.iter().position(|handle| {
            let state = handle.as_ref().map(JoinHandle::state);
            state.is_some_and(|state| state.is_forked())
        })
    }

    /// Runs one that nobody has started, if this thread is a worker of its pool.
    fn run_one(&self) -> bool {
        let mut waiting = self.handles.iter().flatten();
        let own = waiting
            .find(|handle| handle.state().is_queued() && worker::is_own_task(handle.state()));
        own.map(JoinHandle::run_if_own).is_some()
    }
}

impl<T> Iterator for AsCompleted<T> {
    type Item = (usize, Result<T, JoinError>);

    #[track_caller]
    fn next(&mut self) -> Option<Self::Item> {
        self.next_until(Deadline::NEVER)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for AsCompleted<T> {}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted").field("left", &self.left).finish_non_exhaustive()
    }
}

/// Why [`PoolHandle::invoke_any`] has no result.
///
/// ```
/// use lockwork::pool::{InvokeError, ThreadPool};
///
/// let pool = ThreadPool::builder().threads(1).build()?;
/// let none: [fn() -> u32; 0] = [];
/// assert!(matches!(pool.invoke_any(none), Err(InvokeError::Empty)));
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum InvokeError {
    /// There was no task.
    Empty,
    /// Each task failed; this is how the last one did.
    AllFailed(JoinError),
    /// No task had succeeded by the deadline.
    TimedOut,
    /// The pool refused a task, and none that it had accepted before succeeded.
    Rejected(RejectReason),
}

impl fmt::Display for InvokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there was no task"),
            Self::AllFailed(last) => write!(f, "all tasks have failed, the last one so: {last}"),
            Self::TimedOut => f.write_str("no task has succeeded by the deadline"),
            Self::Rejected(reason) => write!(f, "a task was rejected: {reason:?}"),
        }
    }
}

impl core::error::Error for InvokeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::AllFailed(last) => Some(last),
            _ => None,
        }
    }
}

/// Cancels a task whose result nobody waits for any more. Whether it still runs.
fn give_up<T>(handle: &JoinHandle<T>, reason: CancelReason) -> bool {
    // Code of the user's.
    match catch_unwind(AssertUnwindSafe(|| handle.cancel_for(reason))) {
        Ok(cancelled) => cancelled == Cancel::Requested,
        Err(payload) => {
            packet::drop_payload(payload);
            false
        }
    }
}

/// Gives up those that are left, however it ends.
struct Others<T>(AsCompleted<T>);

impl<T> Drop for Others<T> {
    fn drop(&mut self) {
        for handle in self.0.handles.iter().flatten() {
            give_up(handle, CancelReason::Handle);
        }
    }
}

impl PoolHandle {
    /// Runs all of these tasks, and returns their results in the same order. Waits for room in the
    /// queue.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the first task that was refused, because the pool is shut down or a child
    /// of `fork`'s; those before it are cancelled, and those after it dropped.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// let results = pool.invoke_all((1..=3).map(|n| move || n * n)).unwrap();
    /// let squares: Vec<_> = results.into_iter().map(|result| result.unwrap()).collect();
    /// assert_eq!(squares, [1, 4, 9]);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias = "invokeAll")]
    #[track_caller]
    pub fn invoke_all<F, T>(
        &self,
        tasks: impl IntoIterator<Item = F>,
    ) -> Result<Vec<Result<T, JoinError>>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.invoke_all_until(tasks, Deadline::NEVER)
    }

    /// As [`invoke_all`](Self::invoke_all), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As `invoke_all`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// let results = pool.invoke_all_for([|| 1, || 2], Duration::from_secs(60)).unwrap();
    /// assert_eq!(results.len(), 2);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn invoke_all_for<F, T>(
        &self,
        tasks: impl IntoIterator<Item = F>,
        timeout: Duration,
    ) -> Result<Vec<Result<T, JoinError>>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.invoke_all_until(tasks, Deadline::after(timeout))
    }

    /// As [`invoke_all`](Self::invoke_all), until `deadline` at the latest. What has not ended by
    /// then is cancelled, and its result is [`CancelReason::Deadline`]; a task that runs then goes
    /// on, with its token cancelled, and what it returns goes nowhere.
    ///
    /// # Errors
    ///
    /// As `invoke_all`.
    ///
    /// ```
    /// use lockwork::pool::{CancelReason, ThreadPool, current_token};
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = ThreadPool::builder().threads(1).build()?;
    /// let sleep = || current_token().unwrap().wait();
    /// let soon = Instant::now() + Duration::from_millis(1);
    /// let results = pool.invoke_all_until([sleep], soon).unwrap();
    /// let error = results[0].as_ref().unwrap_err();
    /// assert_eq!(error.cancel_reason(), Some(CancelReason::Deadline));
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn invoke_all_until<F, T>(
        &self,
        tasks: impl IntoIterator<Item = F>,
        deadline: impl Into<Deadline>,
    ) -> Result<Vec<Result<T, JoinError>>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let deadline = deadline.into();
        let mut handles = Vec::new();
        for task in tasks {
            match self.submit_until(task, deadline) {
                Ok(handle) => handles.push(Some(handle)),
                Err(refused) if refused.reason() == RejectReason::TimedOut => handles.push(None),
                Err(refused) => {
                    for handle in handles.iter().flatten() {
                        give_up(handle, CancelReason::Handle);
                    }
                    return Err(refused);
                }
            }
        }
        let late = || Err(JoinError::cancelled(CancelReason::Deadline));
        if deadline == Deadline::NEVER {
            let end = |handle: Option<JoinHandle<T>>| handle.map_or_else(late, JoinHandle::join);
            return Ok(handles.into_iter().map(end).collect());
        }
        let mut given_up = vec![false; handles.len()];
        if !handles.iter().flatten().all(|handle| handle.state().wait(deadline)) {
            // From the end: one that runs and gives way must not let another begin.
            for (handle, given_up) in handles.iter().zip(&mut given_up).rev() {
                let unfinished = handle.as_ref().filter(|handle| !handle.is_finished());
                *given_up =
                    unfinished.is_some_and(|handle| give_up(handle, CancelReason::Deadline));
            }
        }
        let end = |(handle, given_up): (Option<JoinHandle<T>>, bool)| match handle {
            // Whatever one that was told to hurry says by now, it is late.
            Some(handle) if !given_up => handle.try_join().unwrap_or_else(|_| late()),
            _ => late(),
        };
        Ok(handles.into_iter().zip(given_up).map(end).collect())
    }

    /// Runs these tasks and returns the result of the first that succeeds: that does not panic. The
    /// others are cancelled. Waits for room in the queue.
    ///
    /// # Errors
    ///
    /// [`InvokeError`] if none succeeds.
    ///
    /// ```
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// let tasks: [fn() -> u32; 2] = [|| panic!("on purpose"), || 7];
    /// assert_eq!(pool.invoke_any(tasks).unwrap(), 7);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("invokeAny", "race"))]
    #[track_caller]
    pub fn invoke_any<F, T>(&self, tasks: impl IntoIterator<Item = F>) -> Result<T, InvokeError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.invoke_any_until(tasks, Deadline::NEVER)
    }

    /// As [`invoke_any`](Self::invoke_any), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As `invoke_any`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// assert_eq!(pool.invoke_any_for([|| 7, || 7], Duration::from_secs(60)).unwrap(), 7);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn invoke_any_for<F, T>(
        &self,
        tasks: impl IntoIterator<Item = F>,
        timeout: Duration,
    ) -> Result<T, InvokeError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.invoke_any_until(tasks, Deadline::after(timeout))
    }

    /// As [`invoke_any`](Self::invoke_any), until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As `invoke_any`.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = lockwork::pool::ThreadPool::builder().threads(2).build()?;
    /// let late = Instant::now() + Duration::from_secs(60);
    /// assert_eq!(pool.invoke_any_until([|| 7, || 7], late).unwrap(), 7);
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[track_caller]
    pub fn invoke_any_until<F, T>(
        &self,
        tasks: impl IntoIterator<Item = F>,
        deadline: impl Into<Deadline>,
    ) -> Result<T, InvokeError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let deadline = deadline.into();
        let (mut handles, mut refusal) = (Vec::new(), None);
        for task in tasks {
            match self.submit_until(task, deadline) {
                Ok(handle) => handles.push(handle),
                Err(refused) => {
                    refusal = Some(refused.reason());
                    break;
                }
            }
        }
        let mut others = Others(as_completed(handles));
        let mut last = None;
        while others.0.left() > 0 {
            match others.0.next_until(deadline) {
                Some((_, Ok(value))) => return Ok(value),
                Some((_, Err(error))) => last = Some(error),
                None => return Err(InvokeError::TimedOut),
            }
        }
        Err(match (refusal, last) {
            (Some(RejectReason::TimedOut), _) => InvokeError::TimedOut,
            (Some(reason), _) => InvokeError::Rejected(reason),
            (None, Some(error)) => InvokeError::AllFailed(error),
            (None, None) => InvokeError::Empty,
        })
    }
}
