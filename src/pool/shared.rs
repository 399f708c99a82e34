//! What the owner of a pool, its handles and its workers share; and how a task gets in.
//!
//! # A submission's way
//!
//! ```text
//!            closed --------------------------------------------> Err(ShutDown), with the task
//! offer -->  room in the queue --> queued; tell somebody -------> Ok
//!            no room, workers below max: a new one for it alone -> Ok
//!            no room ----> the policy, or what the caller said:
//!                            refuse, wait, run here, drop, drop the oldest and offer again
//! ```
//!
//! Until it is accepted the submitter owns the task, and each step gives it back, so a task that is
//! refused is whole.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use std::io;
use std::panic::catch_unwind;

use crossbeam_utils::CachePadded;

use super::builder::Growth;
use super::crew::Crew;
use super::handle::CancelReason;
use super::hooks::Hooks;
use super::job::{Cancelled, Job};
use super::packet;
use super::queue::Queue;
use super::recruiting::Recruiting;
use super::reject::{RejectAction, RejectInfo, RejectReason, RejectionPolicy};
use super::room::Room;
use super::runner::{Runner, Tally};
use super::worker;
use crate::cancel::CancelToken;
use crate::primitive::Ordering::Relaxed;
use crate::primitive::{AtomicU64, Counter, Deadline, fork_epoch, thread_locals, unique_id};
use crate::raw::PushError;
use crate::sync::Mutex;

/// Tasks run or are dropped inside submissions, because the policy says so, at most this deep.
const MAX_INLINE: u32 = 32;

/// Times that `DiscardOldest` makes room for others to take.
const DISCARD_TRIES: u32 = 8;

thread_locals! {
    /// How many submissions this thread is inside of that run or drop a task.
    static INLINE: Cell<u32> = Cell::new(0);
}

/// See the module.
pub(super) struct Shared {
    pub(super) queue: Queue,
    /// Looked at after each pop, and seldom changed.
    pub(super) room: CachePadded<Room>,
    pub(super) crew: Crew,
    pub(super) recruiting: Recruiting,
    pub(super) hooks: Option<Box<Hooks>>,
    pub(super) name: Arc<str>,
    /// Tells this pool from all others, past ones included, whose memory it may have.
    pub(super) id: u64,
    /// The process that has the threads.
    pub(super) epoch: u32,
    /// Cancelled when the pool is stopped; the token of each task comes from it.
    pub(super) stop: CancelToken,
    pub(super) outside: Outside,
    policy: Mutex<RejectionPolicy>,
    delay: Option<Delay>,
    cores: usize,
}

/// What is counted by others than workers.
#[derive(Debug)]
pub(super) struct Outside {
    /// Tasks that were run or dropped there.
    pub(super) tally: Tally,
    pub(super) rejected: Counter,
    pub(super) discarded: Counter,
    pub(super) caller_ran: Counter,
    pub(super) attributes_refused: Counter,
}

/// For `Growth::OnDelay`.
struct Delay {
    target: u64,
    /// The oldest task in the queue has been that since then, or longer.
    head_since: AtomicU64,
    /// The next worker may be added then.
    next: AtomicU64,
}

/// What somebody who submits wants if there is no room.
#[derive(Clone, Copy)]
pub(super) enum Wish {
    /// What the policy says.
    Policy,
    /// To have it back.
    Try,
    /// To wait.
    Wait(Deadline),
}

/// A task that was not accepted.
pub(super) struct Refused {
    pub(super) reason: RejectReason,
    pub(super) job: Job,
}

impl Refused {
    fn new(reason: RejectReason, job: Job) -> Self {
        Self { reason, job }
    }
}

impl Shared {
    #[allow(clippy::too_many_arguments, reason = "the parts of a pool")]
    pub(super) fn new(
        name: Arc<str>,
        queue: Queue,
        crew: Crew,
        growth: Growth,
        policy: RejectionPolicy,
        recruiting: Recruiting,
        hooks: Hooks,
        cores: usize,
    ) -> Self {
        let delay = match growth {
            Growth::OnDelay { target } => Some(Delay {
                target: u64::try_from(target.as_nanos()).unwrap_or(u64::MAX),
                head_since: AtomicU64::new(u64::MAX),
                next: AtomicU64::new(0),
            }),
            _ => None,
        };
        Self {
            queue,
            room: CachePadded::new(Room::new()),
            crew,
            recruiting,
            hooks: (!hooks.is_empty()).then(|| Box::new(hooks)),
            name,
            id: unique_id(),
            epoch: fork_epoch(),
            stop: CancelToken::new(),
            outside: Outside {
                tally: Tally::new(false),
                rejected: Counter::new(),
                discarded: Counter::new(),
                caller_ran: Counter::new(),
                attributes_refused: Counter::new(),
            },
            policy: Mutex::new(policy),
            delay,
            cores,
        }
    }

    pub(super) fn is_forked(&self) -> bool {
        self.epoch != fork_epoch()
    }

    pub(super) fn is_own_worker(&self) -> bool {
        worker::is_of(self)
    }

    /// Whether the queue remembers when a task came.
    pub(super) fn is_stamped(&self) -> bool {
        self.delay.is_some()
    }

    pub(super) fn policy(&self) -> RejectionPolicy {
        *self.policy.lock()
    }

    pub(super) fn set_policy(&self, policy: RejectionPolicy) {
        *self.policy.lock() = policy;
    }

    /// Whether there is a core for one more thread, this worker's, as far as the pool can tell.
    pub(super) fn has_idle_core(&self) -> bool {
        self.crew.awake() < self.cores as u64
    }

    /// Who runs tasks on a thread that is no worker.
    pub(super) fn outsider(&self) -> Runner<'_> {
        Runner::new(self, &self.outside.tally)
    }

    /// Accepts `job`, or gives it back, un-run.
    #[inline]
    pub(super) fn admit(self: &Arc<Self>, job: Job, wish: Wish) -> Result<(), Refused> {
        if self.is_forked() {
            return Err(Refused::new(RejectReason::Forked, job));
        }
        self.offer(job, true).or_else(|refused| self.settle_refusal(refused, wish))
    }

    /// Queues `job`, or has a new worker run it. The batch forms tell the workers later.
    #[inline]
    pub(super) fn offer(self: &Arc<Self>, mut job: Job, tell: bool) -> Result<(), Refused> {
        if let Some(delay) = &self.delay {
            self.stamp(delay, &mut job);
        }
        if self.crew.may_be_empty {
            return self.offer_counted(job);
        }
        if self.crew.is_empty() {
            if let Err(error) = self.start_first() {
                return Err(Refused::new(spawn_failed(&error), job));
            }
        }
        self.push(job, tell)
    }

    #[inline]
    fn push(self: &Arc<Self>, job: Job, tell: bool) -> Result<(), Refused> {
        match self.queue.push(job) {
            Ok(()) => {
                if tell {
                    self.signal();
                }
                Ok(())
            }
            Err(PushError::Full(job)) => self.offer_directly(job),
            Err(PushError::Closed(job)) => Err(Refused::new(RejectReason::ShutDown, job)),
        }
    }

    /// Tells the workers at once: the fence belongs to the count.
    fn offer_counted(self: &Arc<Self>, job: Job) -> Result<(), Refused> {
        if self.queue.is_handoff() {
            return self.push(job, true); // relies on no worker that it does not have
        }
        if let Err(error) = self.begin_submission() {
            return Err(Refused::new(spawn_failed(&error), job));
        }
        let offered = self.push(job, true);
        self.end_submission();
        offered
    }

    #[cold]
    fn offer_directly(self: &Arc<Self>, job: Job) -> Result<(), Refused> {
        self.hand_over(job).map_err(|(job, error)| {
            let reason = match error {
                _ if self.queue.is_closed() => RejectReason::ShutDown,
                Some(error) => spawn_failed(&error),
                None => self.full(),
            };
            Refused::new(reason, job)
        })
    }

    pub(super) fn full(&self) -> RejectReason {
        RejectReason::Full { capacity: self.queue.capacity() }
    }

    /// There was no room, or no thread to be had, or the pool is closed.
    #[cold]
    #[inline(never)]
    pub(super) fn settle_refusal(
        self: &Arc<Self>,
        refused: Refused,
        wish: Wish,
    ) -> Result<(), Refused> {
        let settled = match (wish, refused.reason) {
            (_, RejectReason::ShutDown | RejectReason::Forked) | (Wish::Try, _) => Err(refused),
            (Wish::Wait(deadline), _) => self.wait_for_room(refused, deadline),
            (Wish::Policy, _) => self.apply(self.policy(), refused),
        };
        if settled.is_err() {
            self.outside.rejected.up();
        }
        settled
    }

    fn apply(self: &Arc<Self>, policy: RejectionPolicy, refused: Refused) -> Result<(), Refused> {
        match policy {
            RejectionPolicy::Abort => Err(refused),
            RejectionPolicy::CallerRuns => self.run_inline(refused),
            RejectionPolicy::Block => self.wait_for_room(refused, Deadline::NEVER),
            RejectionPolicy::BlockFor(timeout) => {
                self.wait_for_room(refused, Deadline::after(timeout))
            }
            RejectionPolicy::Discard => self.discard(refused),
            RejectionPolicy::DiscardOldest => self.offer_over_oldest(refused),
            RejectionPolicy::Custom(choose) => {
                let info = RejectInfo::new(self, refused.reason);
                // Code of the user's; if it panics, the task comes back.
                let chosen = catch_unwind(AssertUnwindSafe(|| choose(&info)));
                let action = chosen.unwrap_or_else(|payload| {
                    self.outside.tally.up(&self.outside.tally.hook_panics);
                    packet::drop_payload(payload);
                    RejectAction::Abort
                });
                self.apply(action.as_policy(), refused)
            }
        }
    }

    /// Waits for room; a worker of this pool runs the task instead, as the room might have to be
    /// made by itself.
    fn wait_for_room(
        self: &Arc<Self>,
        refused: Refused,
        deadline: Deadline,
    ) -> Result<(), Refused> {
        if self.is_own_worker() {
            return self
                .run_inline(refused)
                .map_err(|refused| Refused::new(RejectReason::WouldDeadlock, refused.job));
        }
        let mut kept = Some(refused);
        let waited = self.room.wait(deadline, || {
            let refused = kept.take()?;
            if self.crew.is_hopeless(&refused) {
                return Some(Err(refused));
            }
            match self.offer(refused.job, true) {
                Ok(()) => Some(Ok(())),
                Err(refused) if refused.reason == RejectReason::ShutDown => Some(Err(refused)),
                Err(refused) => {
                    kept = Some(refused);
                    None
                }
            }
        });
        match (waited, kept) {
            (Some(result), _) => result,
            (None, Some(refused)) => Err(Refused::new(RejectReason::TimedOut, refused.job)),
            (None, None) => unreachable!("an attempt that says nothing keeps the task"),
        }
    }

    fn offer_over_oldest(self: &Arc<Self>, refused: Refused) -> Result<(), Refused> {
        let mut refused = refused;
        for _ in 0..DISCARD_TRIES {
            if self.queue.is_closed() {
                return Err(Refused::new(RejectReason::ShutDown, refused.job));
            }
            if Self::depth() >= MAX_INLINE {
                break;
            }
            if let Ok(oldest) = self.queue.pop() {
                self.inline(|| self.drop_unrun(oldest));
                self.room.made();
            }
            refused = match self.offer(refused.job, true) {
                Err(refused) if refused.reason != RejectReason::ShutDown => refused,
                settled => return settled,
            };
        }
        Err(refused)
    }

    /// Drops the task un-run, unless that goes too deep: what it captured may submit in turn.
    fn discard(&self, refused: Refused) -> Result<(), Refused> {
        if Self::depth() >= MAX_INLINE {
            return Err(refused);
        }
        self.outside.tally.direct.up();
        self.inline(|| self.drop_unrun(refused.job));
        Ok(())
    }

    fn drop_unrun(&self, job: Job) {
        let tally = &self.outside.tally;
        match job.cancel(CancelReason::Discarded) {
            Cancelled::Now(thrown) => {
                self.outside.discarded.up();
                self.outsider().cancelled(thrown);
            }
            Cancelled::Before(by_handle) => {
                if by_handle {
                    tally.up(&tally.cancelled);
                }
            }
        }
    }

    /// Runs the task on this thread, inside whatever it is doing, unless that goes too deep.
    fn run_inline(&self, refused: Refused) -> Result<(), Refused> {
        if Self::depth() >= MAX_INLINE {
            return Err(refused);
        }
        self.outside.tally.direct.up();
        self.outside.caller_ran.up();
        self.inline(|| refused.job.run(&self.outsider()));
        Ok(())
    }

    fn inline(&self, user_code: impl FnOnce()) {
        let depth = Self::depth();
        let _ = INLINE.try_with(|inline| inline.set(depth + 1));
        user_code();
        let _ = INLINE.try_with(|inline| inline.set(depth));
    }

    fn depth() -> u32 {
        // A thread whose locals are gone is ending: it has no depth to speak of.
        INLINE.try_with(Cell::get).unwrap_or(0)
    }

    // ---- growth by delay

    fn stamp(self: &Arc<Self>, delay: &Delay, job: &mut Job) {
        let now = Deadline::now().nanos();
        job.stamp(now);
        if self.queue.is_empty() {
            delay.head_since.store(now, Relaxed); // Relaxed: an estimate.
        } else {
            let since = delay.head_since.load(Relaxed); // Relaxed: an estimate.
            self.if_slow(delay, now, since);
        }
    }

    /// A worker has taken a task from the queue.
    #[inline]
    pub(super) fn took(self: &Arc<Self>, job: &Job) {
        self.room.made();
        if let Some(delay) = &self.delay {
            let now = Deadline::now().nanos();
            delay.head_since.store(now, Relaxed); // Relaxed: an estimate.
            // SAFETY: every task of this pool was stamped as it was offered.
            self.if_slow(delay, now, unsafe { job.stamped_at() });
        }
    }

    fn if_slow(self: &Arc<Self>, delay: &Delay, now: u64, since: u64) {
        if now.saturating_sub(since) <= delay.target {
            return;
        }
        let next = delay.next.load(Relaxed); // Relaxed: one exchange decides.
        let later = now.saturating_add(delay.target.max(1));
        if now >= next && delay.next.compare_exchange(next, later, Relaxed, Relaxed).is_ok() {
            self.grow_for_delay();
        }
    }
}

fn spawn_failed(error: &io::Error) -> RejectReason {
    RejectReason::SpawnFailed { code: error.raw_os_error().unwrap_or(0) }
}
