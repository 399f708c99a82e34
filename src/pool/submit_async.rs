//! Handing in a task from a future, which waits for room without a thread.

use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::handle::JoinHandle;
use super::job::Job;
use super::packet::{self, Packet};
use super::reject::{RejectReason, Rejected};
use super::room::Place;
use super::shared::{Refused, Wish};
use super::submit::PoolHandle;

/// A submission that waits for room: [`PoolHandle::submit_async`].
///
/// Dropped before it is ready, it drops the task, un-run; whoever else waits for room loses nothing
/// by that.
#[must_use = "a future does nothing unless it is polled"]
pub struct SubmitAsync<F, T> {
    pool: PoolHandle,
    task: Option<(Arc<Packet<F, T>>, Job)>,
    place: Option<Place>,
}

impl PoolHandle {
    /// As [`submit`](Self::submit), whatever the policy: a future that waits for room, and is ready
    /// when the task is accepted. It is not offered before the first poll.
    ///
    /// # Errors
    ///
    /// [`RejectReason::ShutDown`] if the pool is or was shut down, and as `submit`.
    ///
    /// ```
    /// use lockwork::pool::ThreadPool;
    ///
    /// async fn length(pool: &ThreadPool, text: String) -> usize {
    ///     let task = pool.submit_async(move || text.len()).await.unwrap();
    ///     task.await.unwrap()
    /// }
    /// # use std::future::Future;
    /// # use std::task::{Context, Poll, Waker};
    /// # let pool = ThreadPool::builder().threads(1).build()?;
    /// # let mut future = std::pin::pin!(length(&pool, "text".into()));
    /// # let mut context = Context::from_waker(Waker::noop());
    /// # while future.as_mut().poll(&mut context) != Poll::Ready(4) {
    /// #     std::thread::yield_now();
    /// # }
    /// # Ok::<(), lockwork::pool::BuildError>(())
    /// ```
    #[doc(alias("spawn_blocking", "try_spawn_blocking"))]
    pub fn submit_async<F, T>(&self, task: F) -> SubmitAsync<F, T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let task = packet::pair(Packet::new(task, &self.shared));
        SubmitAsync { pool: self.clone(), task: Some(task), place: None }
    }
}

impl<F, T> Future for SubmitAsync<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = Result<JoinHandle<T>, Rejected<F>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some((packet, job)) = this.task.take() else {
            panic!("lockwork: a submission was polled after it was ready");
        };
        let shared = &this.pool.shared;
        let mut offered =
            if shared.is_forked() { shared.admit(job, Wish::Try) } else { shared.offer(job, true) };
        for registered in [false, true] {
            match offered {
                Err(refused) if may_wait(&refused) && !shared.crew.is_hopeless(&refused) => {
                    if registered {
                        this.task = Some((packet, refused.job));
                        return Poll::Pending;
                    }
                    shared.room.register(&mut this.place, context.waker());
                    offered = shared.offer(refused.job, true);
                }
                settled => {
                    offered = settled;
                    break;
                }
            }
        }
        if let Some(place) = this.place.take() {
            shared.room.withdraw(place, offered.is_ok());
        }
        if offered.is_err() {
            shared.outside.rejected.up();
        }
        Poll::Ready(this.pool.handle_or_closure(packet, offered))
    }
}

/// Whether there may be room later.
fn may_wait(refused: &Refused) -> bool {
    matches!(refused.reason, RejectReason::Full { .. } | RejectReason::SpawnFailed { .. })
}

impl<F, T> Drop for SubmitAsync<F, T> {
    fn drop(&mut self) {
        if let Some((_, job)) = self.task.take() {
            job.forget();
        }
        if let Some(place) = self.place.take() {
            if !self.pool.shared.is_forked() {
                self.pool.shared.room.withdraw(place, false);
            }
        }
    }
}

impl<F, T> fmt::Debug for SubmitAsync<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitAsync")
            .field("waiting", &self.place.is_some())
            .finish_non_exhaustive()
    }
}
