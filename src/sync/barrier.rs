//! `Barrier`.

use core::error::Error;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use crate::primitive::{Deadline, model_const_fn};
use crate::raw;

/// A meeting point: nobody goes on until all have come. Then it is there for the next meeting.
///
/// Eight bytes, no allocation. The last to come wakes all others with one system call, and is told
/// that it was [the leader](BarrierWaitResult::is_leader).
///
/// # Broken
///
/// If one gives up, because its time is over, the others would wait in vain. So a wait that times
/// out breaks the barrier: the others return [`BarrierError::Broken`] at once, and so does whoever
/// comes later, until [`reset`](Self::reset). Without timed waits and resets, a barrier does not
/// break, and `wait` does not fail.
///
/// `Ok` is always true: all had come. `Broken` may be said to a thread that was woken because all
/// had come, if the barrier was reset before it looked; so reset a barrier when nobody is on his
/// way out any more, or take `Broken` for a reason to meet again.
///
/// # Fairness
///
/// Everybody may go at the same moment. More threads than it has parties may use a barrier: each
/// wait belongs to the meeting at which it arrived.
///
/// # Memory ordering
///
/// What the parties did before `wait` happens before the return of each `wait` of the same meeting
/// that says `Ok`.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork` those who had come before are still counted, and are not there; `reset`
/// sends them away.
///
/// A signal neither ends a wait nor moves its limit. A handler may call [`reset`](Self::reset),
/// which leaves `errno` what it was; it must not wait.
///
/// A thread that panics does not come: where others must not wait for it for ever, use timed waits,
/// or `reset` the barrier in the `drop` of something. Nothing is allocated and no thread-local is
/// used.
///
/// # Differences
///
/// From `std::sync::Barrier`: timed waits, the broken state, and therefore a `Result`; 8 bytes
/// instead of 40; 65,535 parties at the most. From `CyclicBarrier`: no action of the barrier's own
/// (the leader does it, and a second `wait` announces that it is done); no breaking by
/// interruption. From `pthread_barrier_t`: a thread may free it when its `wait` has returned and
/// all others have come.
///
/// # Examples
///
/// ```
/// use lockwork::Barrier;
/// use std::thread;
///
/// let barrier = Barrier::new(3);
/// let leaders: usize = thread::scope(|s| {
///     let threads = [(); 3].map(|()| s.spawn(|| barrier.wait().unwrap().is_leader()));
///     threads.map(|thread| usize::from(thread.join().unwrap())).iter().sum()
/// });
/// assert_eq!(leaders, 1);
/// ```
#[doc(alias("CyclicBarrier", "pthread_barrier_t", "std::barrier", "rendezvous"))]
pub struct Barrier {
    raw: raw::Barrier,
}

// SAFETY: a word that is changed by atomic operations only, and no data.
unsafe impl Send for Barrier {}
// SAFETY: as for `Send`.
unsafe impl Sync for Barrier {}
// A panic happens before or after a wait, and the barrier knows of neither.
impl UnwindSafe for Barrier {}
impl RefUnwindSafe for Barrier {}

impl Barrier {
    model_const_fn! {
        /// Creates a barrier at which `parties` threads meet; one of none is as one of one, and
        /// lets everybody pass.
        ///
        /// ```
        /// static START: lockwork::Barrier = lockwork::Barrier::new(2);
        /// assert_eq!(START.parties(), 2);
        /// ```
        ///
        /// # Panics
        ///
        /// If `parties` is above 65,535.
        #[doc(alias("pthread_barrier_init"))]
        #[must_use]
        #[track_caller]
        pub const fn new(parties: usize) -> Self {
            assert!(parties <= u16::MAX as usize, "lockwork: a barrier has 65535 parties at most");
            Self { raw: raw::Barrier::new(parties as u16) }
        }
    }

    /// Waits until all have come.
    ///
    /// ```
    /// let barrier = lockwork::Barrier::new(1);
    /// assert!(barrier.wait().unwrap().is_leader());
    /// ```
    ///
    /// # Errors
    ///
    /// [`BarrierError::Broken`] if another thread gave up or reset the barrier.
    #[doc(alias("await", "arrive_and_wait", "pthread_barrier_wait"))]
    #[inline]
    #[track_caller]
    pub fn wait(&self) -> Result<BarrierWaitResult, BarrierError> {
        self.wait_until(Deadline::NEVER)
    }

    /// Waits until all have come, for at most `timeout`. If they have not by then, the barrier is
    /// broken.
    ///
    /// ```
    /// use lockwork::{Barrier, BarrierError};
    /// use std::time::Duration;
    ///
    /// let barrier = Barrier::new(2);
    /// assert_eq!(barrier.wait_for(Duration::from_millis(1)), Err(BarrierError::TimedOut));
    /// assert_eq!(barrier.wait(), Err(BarrierError::Broken));
    /// ```
    ///
    /// # Errors
    ///
    /// [`BarrierError::TimedOut`] if not all had come in time, and [`BarrierError::Broken`] if
    /// another thread gave up or reset the barrier.
    #[track_caller]
    pub fn wait_for(&self, timeout: Duration) -> Result<BarrierWaitResult, BarrierError> {
        self.wait_until(Deadline::after(timeout))
    }

    /// Waits until all have come, until `deadline` at the latest. If they have not by then, the
    /// barrier is broken.
    ///
    /// ```
    /// use lockwork::{Barrier, Deadline};
    ///
    /// let barrier = Barrier::new(1);
    /// assert!(barrier.wait_until(Deadline::now()).is_ok(), "all have come");
    /// ```
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Self::wait_for).
    #[track_caller]
    pub fn wait_until(
        &self,
        deadline: impl Into<Deadline>,
    ) -> Result<BarrierWaitResult, BarrierError> {
        match self.raw.wait(deadline.into()) {
            Ok(leader) => Ok(BarrierWaitResult { leader }),
            Err(raw::Breach::Broken) => Err(BarrierError::Broken),
            Err(raw::Breach::TimedOut) => Err(BarrierError::TimedOut),
        }
    }

    /// Makes the barrier whole again. Threads that wait return [`BarrierError::Broken`]. Without
    /// effect if nobody waits and it is not broken.
    ///
    /// ```
    /// use lockwork::Barrier;
    /// use std::time::Duration;
    ///
    /// let barrier = Barrier::new(2);
    /// assert!(barrier.wait_for(Duration::ZERO).is_err());
    /// barrier.reset();
    /// assert!(!barrier.is_broken());
    /// ```
    pub fn reset(&self) {
        self.raw.reset();
    }

    /// Whether a thread has given up since the last [`reset`](Self::reset).
    ///
    /// ```
    /// assert!(!lockwork::Barrier::new(2).is_broken());
    /// ```
    #[doc(alias("isBroken"))]
    #[must_use]
    #[inline]
    pub fn is_broken(&self) -> bool {
        self.raw.is_broken()
    }

    /// How many threads meet here.
    ///
    /// ```
    /// assert_eq!(lockwork::Barrier::new(2).parties(), 2);
    /// ```
    #[doc(alias("getParties"))]
    #[must_use]
    #[inline]
    pub fn parties(&self) -> usize {
        self.raw.parties().into()
    }

    /// How many of them wait at this moment.
    ///
    /// ```
    /// assert_eq!(lockwork::Barrier::new(2).waiting(), 0);
    /// ```
    #[doc(alias("getNumberWaiting"))]
    #[must_use]
    #[inline]
    pub fn waiting(&self) -> usize {
        self.raw.arrived().into()
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("waiting", &self.waiting())
            .field("broken", &self.is_broken())
            .finish()
    }
}

/// All have come; says to one of them that it is the leader.
///
/// ```
/// let result = lockwork::Barrier::new(1).wait().unwrap();
/// assert!(result.is_leader());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BarrierWaitResult {
    leader: bool,
}

impl BarrierWaitResult {
    /// Whether this thread was the last to come. Exactly one of each meeting is.
    ///
    /// ```
    /// assert!(lockwork::Barrier::new(1).wait().unwrap().is_leader());
    /// ```
    #[doc(alias("PTHREAD_BARRIER_SERIAL_THREAD"))]
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.leader
    }
}

impl fmt::Debug for BarrierWaitResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWaitResult").field("is_leader", &self.leader).finish()
    }
}

/// Why a wait at a [`Barrier`] ended though not all had come.
///
/// ```
/// use lockwork::{Barrier, BarrierError};
/// use std::time::Duration;
///
/// let error = Barrier::new(2).wait_for(Duration::ZERO).unwrap_err();
/// assert_eq!(error, BarrierError::TimedOut);
/// assert_eq!(error.to_string(), "not all came to the barrier in time");
/// ```
#[doc(alias("BrokenBarrierException"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BarrierError {
    /// Another thread gave up, or reset the barrier.
    Broken,
    /// This thread gave up, which broke the barrier for the others.
    TimedOut,
}

impl fmt::Display for BarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "the barrier is broken",
            Self::TimedOut => "not all came to the barrier in time",
        })
    }
}

impl Error for BarrierError {}
