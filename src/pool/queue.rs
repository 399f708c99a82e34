//! Where tasks wait for a worker: a ring of fixed size, a list that grows, or nowhere.

use alloc::collections::VecDeque;

use super::job::Job;
use crate::raw::{PopError, PushError, Ring};
use crate::sync::Mutex;

/// The kinds of queue.
#[allow(clippy::large_enum_variant, reason = "a pool has one, and the large one is the usual")]
pub(super) enum Queue {
    /// So many tasks, and no more.
    Bounded(Ring<Job>),
    /// As many as there is memory for.
    Unbounded(Mutex<List>),
    /// None: a task goes to a worker that waits for it. Says whether it is closed.
    Handoff(Mutex<bool>),
}

/// A queue that grows. No code of the user's runs with its lock held.
#[derive(Default)]
pub(super) struct List {
    jobs: VecDeque<Job>,
    pushed: u64,
    closed: bool,
}

impl Queue {
    #[inline]
    pub(super) fn push(&self, job: Job) -> Result<(), PushError<Job>> {
        match self {
            Self::Bounded(ring) => ring.push(job),
            Self::Unbounded(list) => {
                let mut list = list.lock();
                if list.closed {
                    return Err(PushError::Closed(job));
                }
                list.pushed += 1;
                list.jobs.push_back(job);
                Ok(())
            }
            Self::Handoff(closed) => Err(match *closed.lock() {
                true => PushError::Closed(job),
                false => PushError::Full(job),
            }),
        }
    }

    #[inline]
    pub(super) fn pop(&self) -> Result<Job, PopError> {
        match self {
            Self::Bounded(ring) => ring.pop(),
            Self::Unbounded(list) => {
                let mut list = list.lock();
                let closed = list.closed;
                list.jobs.pop_front().ok_or(if closed { PopError::Closed } else { PopError::Empty })
            }
            Self::Handoff(closed) => {
                Err(if *closed.lock() { PopError::Closed } else { PopError::Empty })
            }
        }
    }

    pub(super) fn close(&self) {
        match self {
            Self::Bounded(ring) => {
                ring.close();
            }
            Self::Unbounded(list) => list.lock().closed = true,
            Self::Handoff(closed) => *closed.lock() = true,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Bounded(ring) => ring.is_closed(),
            Self::Unbounded(list) => list.lock().closed,
            Self::Handoff(closed) => *closed.lock(),
        }
    }

    /// Whether there is no task at this moment: the look that `crew` speaks of.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Bounded(ring) => ring.is_empty(),
            Self::Unbounded(list) => list.lock().jobs.is_empty(),
            Self::Handoff(_) => true,
        }
    }

    /// As [`is_empty`](Self::is_empty) or closed, at a glance: for who looks again.
    pub(super) fn seems_empty(&self) -> bool {
        self.is_empty() && !self.is_closed()
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bounded(ring) => ring.len(),
            Self::Unbounded(list) => list.lock().jobs.len(),
            Self::Handoff(_) => 0,
        }
    }

    /// How many tasks fit at the most.
    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Bounded(ring) => ring.capacity(),
            Self::Unbounded(_) => usize::MAX,
            Self::Handoff(_) => 0,
        }
    }

    /// How many tasks have ever been queued.
    pub(super) fn pushed(&self) -> u64 {
        match self {
            Self::Bounded(ring) => ring.pushed(),
            Self::Unbounded(list) => list.lock().pushed,
            Self::Handoff(_) => 0,
        }
    }

    pub(super) fn is_handoff(&self) -> bool {
        matches!(self, Self::Handoff(_))
    }
}
