//! The workers of a pool: who sleeps, who looks for work, who comes and who goes.
//!
//! # State
//!
//! ```text
//! duty   63 62      61      60         40 39        20 19          0
//!        +-+-------+-------+-------------+------------+-------------+
//!        |-| EMPTY | GROW  |      -      | searching  |    idle     |
//!        +-+-------+-------+-------------+------------+-------------+
//!
//! idle        workers in the stack, asleep or about to be
//! searching   workers that look for work, having none: woken ones, new ones
//! GROW        a worker may be added for a task that finds none idle
//! EMPTY       there is no worker that a task could rely on
//!
//! in flight   submissions that rely on a worker, in a pool that may have none
//! roster      under a lock: the stack, the numbers, the threads
//! ```
//!
//! `searching` changes at any time, the rest of `duty` only with the roster's lock held. That is
//! held for a few stores; nothing of the user's runs under it.
//!
//! # Invariants
//!
//! 1. A worker in the stack sleeps on its own word. Whoever takes it out, under the lock, owes it
//!    one wake-up, or is itself. One that was started for a certain task is owed one likewise.
//! 2. A worker counts as searching from the moment when it is taken out to be woken, or its thread
//!    is about to be started, until it has a task or goes back to the stack.
//! 3. EMPTY is clear only while a worker's thread is known to have started, and the worker has not
//!    retired.
//! 4. The last worker retires only if no submission is in flight and the queue is empty.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | a submission looks at `duty`, after its push | SeqCst | b | Dekker: of a push and a change of `duty`, one is seen by whoever made the other |
//! | b | read-modify-writes of `duty` | SeqCst | a, d | the same from the other side, before a look at the queue; and before (e) |
//! | c | read-modify-writes of those in flight | SeqCst | e | Dekker with (b), and the end of a submission comes after its push |
//! | d | a submission looks at EMPTY, after it was counted | SeqCst | b | Dekker |
//! | e | the last worker looks at those in flight, after it has set EMPTY | SeqCst | c | Dekker |
//! | f | other loads of `duty` | Relaxed | - | a hint; or made under the lock, by which who looks later finds what is decided |
//! | g | all accesses of `live` | Relaxed | - | whoever awaits the end joins the threads after it, which orders all they did |
//!
//! The look at the queue, by a worker that has left `searching` or gone to the stack, is
//! `Queue::is_empty`. That and the push are in the same total order (`raw::ring`, rows e and g). A
//! queue with a lock needs no order of its own: the look that comes first under the lock happens
//! before the push, and what was announced before it before the submission's look at `duty`.
//!
//! # Why no worker sleeps beside work
//!
//! See the pool's README, which proves it from row a.
//!
//! # Sources
//!
//! One searching worker that passes the baton: the schedulers of Go and tokio. The stack of idle
//! workers: j.u.c.'s ForkJoinPool (Doug Lea).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use std::io;

use crossbeam_utils::CachePadded;

use super::builder::Growth;
use super::job::Job;
use super::reject::RejectReason;
use super::runner::Tally;
use super::shared::{Refused, Shared};
use super::worker::{self, Worker};
use crate::primitive::Ordering::{Relaxed, SeqCst};
use crate::primitive::{
    Backoff, Badge, Counter, Deadline, Futex, Private, TotalU64, UnsafeCell, Wait,
};
use crate::primitive::{mutant, ord, thread};
use crate::raw::{EventCount, Parker};
use crate::sync::{Mutex, MutexGuard};

const ONE_IDLE: u64 = 1 << 0;
const IDLE: u64 = (1 << 20) - 1;
const ONE_SEARCHING: u64 = 1 << 20;
const SEARCHING: u64 = IDLE << 20;
/// Added when a worker leaves the stack to search.
const WOKEN: u64 = ONE_SEARCHING - ONE_IDLE;
const GROW: u64 = 1 << 61;
const EMPTY: u64 = 1 << 62;

/// More workers than this do not fit into `duty`.
pub(super) const MAX_WORKERS: usize = IDLE as usize;

const AWAITED: u32 = 1 << 0;
const ONE_LIVE: u32 = 1 << 1;

/// After a thread could not be started, none is tried for this long, unless a task depends on it.
const GROWTH_PAUSE: Duration = Duration::from_millis(20);

/// What a worker has to itself, and whoever takes it out of the stack.
pub(super) struct Seat {
    pub(super) parker: Parker,
    /// A task for this worker alone, put there before it is woken.
    pub(super) mailbox: UnsafeCell<Option<Job>>,
    pub(super) tally: Tally,
    /// Worn by the worker, for as long as it is one.
    pub(super) badge: Badge,
}

// SAFETY: the mailbox belongs to whoever has taken the worker out of the stack, or has reserved it,
// until the worker is woken, which orders the accesses (`raw::parker`).
unsafe impl Sync for Seat {}

/// The numbers that may be changed while the pool works.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) core: usize,
    pub(super) max: usize,
    pub(super) idle_timeout: Duration,
    pub(super) core_timeout: bool,
}

/// What the roster knows about a place.
struct Entry {
    seat: Arc<CachePadded<Seat>>,
    /// The thread, once whoever started it has put it here.
    thread: Option<thread::JoinHandle<()>>,
    /// The worker or its starter has said that the thread is there.
    confirmed: bool,
    /// The worker has retired, and who started it has not come back yet.
    ended: bool,
    taken: bool,
}

/// The workers: under the lock.
pub(super) struct Roster {
    pub(super) limits: Limits,
    /// Threads that work or are about to be started.
    workers: usize,
    /// Of these, not confirmed yet.
    starting: usize,
    /// Workers in `blocking`.
    blocked: usize,
    largest: usize,
    idle: Vec<usize>,
    entries: Vec<Entry>,
    free: Vec<usize>,
    /// Threads that have nothing to do any more but end.
    ended: Vec<thread::JoinHandle<()>>,
    /// When threads may be started again.
    pause: Option<Deadline>,
    closed: bool,
    bits: u64,
}

/// See the module.
pub(super) struct Crew {
    duty: CachePadded<TotalU64>,
    in_flight: CachePadded<TotalU64>,
    /// Whether the last worker may retire. Then submissions are counted.
    pub(super) may_be_empty: bool,
    growth: Growth,
    spares: usize,
    roster: Mutex<Roster>,
    /// Held by who starts a worker where there is none.
    first: Mutex<()>,
    /// Workers, and those who start one, that have not come to their end.
    live: Futex<Private>,
    /// Notified when all are idle.
    quiet: EventCount,
    /// Workers that are not idle, more or less: for who thinks of spinning.
    awake: Counter,
    pub(super) counts: Counts,
}

/// What is counted of workers.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) parks: Counter,
    pub(super) wakes: Counter,
    pub(super) spawns: Counter,
    pub(super) spawn_failures: Counter,
}

impl Roster {
    fn limit(&self) -> usize {
        self.limits.max + self.blocked
    }

    fn confirmed(&self) -> usize {
        // One that has retired is confirmed, so there are no more starting than there are.
        self.workers - self.starting
    }

    /// How many workers there are for sure: one that is about to be started may never be.
    fn sure(&self) -> usize {
        if mutant!("crew.count-on-starting") { self.workers } else { self.confirmed() }
    }

    /// Whether a worker may be added at all.
    fn has_place(&self) -> bool {
        !self.closed && self.workers < self.limit()
    }

    /// Whether one may be added for a task that has found room in the queue.
    fn may_grow(&self, growth: Growth) -> bool {
        let target = match growth {
            Growth::IdleFirst => self.limit(),
            Growth::QueueFirst | Growth::OnDelay { .. } => self.limits.core.max(1) + self.blocked,
        };
        self.has_place() && self.workers < target && self.pause.is_none_or(Deadline::has_passed)
    }

    fn confirm(&mut self, index: usize) {
        if !self.entries[index].confirmed {
            self.entries[index].confirmed = true;
            self.starting -= 1;
        }
    }

    /// A place for a worker that is about to be started.
    fn take_place(&mut self) -> usize {
        let index = self.free.pop().unwrap_or_else(|| {
            let seat = Seat {
                parker: Parker::new(),
                mailbox: UnsafeCell::new(None),
                tally: Tally::new(true),
                badge: Badge::new(),
            };
            self.entries.push(Entry {
                seat: Arc::new(CachePadded::new(seat)),
                thread: None,
                confirmed: false,
                ended: false,
                taken: false,
            });
            self.idle.reserve(self.entries.len());
            self.free.reserve(self.entries.len());
            self.ended.reserve(self.entries.len());
            self.entries.len() - 1
        });
        let entry = &mut self.entries[index];
        (entry.confirmed, entry.ended, entry.taken) = (false, false, true);
        self.workers += 1;
        self.starting += 1;
        self.largest = self.largest.max(self.workers);
        index
    }

    /// The worker has retired, or could not be started.
    fn leave_place(&mut self, index: usize) {
        self.confirm(index);
        self.workers -= 1;
    }

    /// The thread of a place whose worker has retired.
    fn end_thread(&mut self, index: usize, thread: thread::JoinHandle<()>) {
        self.entries[index].taken = false;
        self.free.push(index);
        self.ended.push(thread);
    }
}

/// How a worker that had nothing to do goes on.
pub(super) enum Parked {
    /// It looks for work, or has it.
    Woken(Option<Job>),
    /// It is none any more.
    Retired,
}

impl Crew {
    pub(super) fn new(limits: Limits, growth: Growth, spares: usize) -> Self {
        let crew = Self {
            duty: CachePadded::new(TotalU64::new(EMPTY)),
            in_flight: CachePadded::new(TotalU64::new(0)),
            may_be_empty: limits.core == 0 || limits.core_timeout,
            growth,
            spares,
            roster: Mutex::new(Roster {
                limits,
                workers: 0,
                starting: 0,
                blocked: 0,
                largest: 0,
                idle: Vec::new(),
                entries: Vec::new(),
                free: Vec::new(),
                ended: Vec::new(),
                pause: None,
                closed: false,
                bits: EMPTY,
            }),
            first: Mutex::new(()),
            live: Futex::new(0),
            quiet: EventCount::new(),
            awake: Counter::new(),
            counts: Counts {
                parks: Counter::new(),
                wakes: Counter::new(),
                spawns: Counter::new(),
                spawn_failures: Counter::new(),
            },
        };
        crew.settle(&mut crew.roster.lock(), 0);
        crew
    }

    /// Changes `duty`, and returns what it was.
    #[inline]
    fn shift(&self, change: u64) -> u64 {
        self.duty.fetch_add_total(change, ord!("crew.b", SeqCst)) // SeqCst: row b.
    }

    /// Changes `duty`, and brings it up to date with the roster.
    fn settle(&self, roster: &mut Roster, change: u64) {
        let mut bits = 0;
        if roster.may_grow(self.growth) {
            bits |= GROW;
        }
        if roster.confirmed() == 0 {
            bits |= EMPTY;
        }
        self.awake.set((roster.workers - roster.idle.len()) as u64);
        // The bits are changed here only.
        let change = change.wrapping_add(bits.wrapping_sub(roster.bits));
        roster.bits = bits;
        if change != 0 {
            self.shift(change);
        }
    }

    /// Has all idle workers search, and returns them, to be woken.
    fn rouse(&self, roster: &mut Roster) -> Vec<Arc<CachePadded<Seat>>> {
        let seats: Vec<_> =
            roster.idle.iter().map(|&index| roster.entries[index].seat.clone()).collect();
        roster.idle.clear();
        self.settle(roster, WOKEN.wrapping_mul(seats.len() as u64));
        seats
    }

    /// How many workers are not idle, more or less.
    pub(super) fn awake(&self) -> u64 {
        self.awake.get()
    }

    /// Whether there is no worker that a task could rely on.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.duty.load(Relaxed) & EMPTY != 0 // Relaxed: row f.
    }

    /// One that starts, or one that ends, is under way.
    fn lives(&self, count: u32) {
        self.live.fetch_add(count * ONE_LIVE, Relaxed); // Relaxed: row g.
    }

    pub(super) fn dies(&self, count: u32) {
        let gone = count * ONE_LIVE;
        let prev = self.live.fetch_sub(gone, Relaxed); // Relaxed: row g.
        if prev == gone | AWAITED && !mutant!("crew.last-wake") {
            // Whoever awaits the end has the pool; the caller has it too.
            Futex::wake(&raw const self.live, u32::MAX);
        }
    }

    /// Sleeps until all workers have ended; `false` if `deadline` passed first. Orders nothing:
    /// that is for joining them to do.
    pub(super) fn await_workers(&self, deadline: Deadline) -> bool {
        loop {
            let cur = self.live.fetch_or(AWAITED, Relaxed) | AWAITED; // Relaxed: row g.
            if cur < ONE_LIVE {
                return true;
            }
            if self.live.wait(cur, deadline) == Wait::TimedOut {
                return self.live.load(Relaxed) < ONE_LIVE; // Relaxed: row g.
            }
        }
    }

    /// Whether no worker will be added any more.
    pub(super) fn is_closed(&self) -> bool {
        self.roster.lock().closed
    }

    /// Takes the threads that have retired, to be joined.
    pub(super) fn take_ended(&self) -> Vec<thread::JoinHandle<()>> {
        core::mem::take(&mut self.roster.lock().ended)
    }

    pub(super) fn limits(&self) -> Limits {
        self.roster.lock().limits
    }

    /// The numbers that a snapshot shows: workers, idle ones, blocked ones, the most there were.
    pub(super) fn numbers(&self) -> [usize; 4] {
        let roster = self.roster.lock();
        [roster.workers, roster.idle.len(), roster.blocked, roster.largest]
    }

    /// The places that are taken, by number.
    pub(super) fn seats(&self) -> Vec<(usize, bool, Arc<CachePadded<Seat>>)> {
        let roster = self.roster.lock();
        let entries = roster.entries.iter().enumerate();
        entries.map(|(i, entry)| (i, entry.taken, entry.seat.clone())).collect()
    }

    /// Whether a task that was refused so never finds room: nobody is there to make it.
    pub(super) fn is_hopeless(&self, refused: &Refused) -> bool {
        matches!(refused.reason, RejectReason::SpawnFailed { .. }) && self.is_empty()
    }

    /// Whether no submission that relies on a worker is under way.
    fn none_in_flight(&self) -> bool {
        self.in_flight.load_total(ord!("crew.e", SeqCst)) == 0 // SeqCst: row e.
    }
}

/// Whether somebody has to be told of a task: nobody looks for work, and there is somebody to tell.
const fn needs_help(duty: u64) -> bool {
    duty & SEARCHING == 0 && duty & (IDLE | GROW) != 0
}

impl Shared {
    /// Tells of a task that was queued, if somebody has to be told.
    #[inline]
    pub(super) fn signal(self: &Arc<Self>) {
        // SeqCst: row a; this look is not done before the push is there for all.
        if needs_help(self.crew.duty.load_total(ord!("crew.a", SeqCst))) {
            self.help(true);
        }
    }

    /// Wakes a worker, or adds one if that may be.
    #[cold]
    #[inline(never)]
    fn help(self: &Arc<Self>, may_add: bool) {
        if mutant!("crew.help") {
            return;
        }
        let mut roster = self.crew.roster.lock();
        // Relaxed: row f. Who searches by now looks at the queue later.
        if !needs_help(self.crew.duty.load(Relaxed)) {
            return;
        }
        if let Some(index) = roster.idle.pop() {
            self.crew.settle(&mut roster, WOKEN);
            let seat = roster.entries[index].seat.clone();
            drop(roster);
            self.wake(&seat);
        } else if may_add && roster.may_grow(self.crew.growth) {
            // A failure is counted. There are other workers, or the caller has seen to that.
            let _ = self.add_worker(roster, false);
        } else {
            self.crew.settle(&mut roster, 0);
        }
    }

    fn wake(&self, seat: &Seat) {
        self.crew.counts.wakes.up();
        if !mutant!("crew.wake") {
            seat.parker.unpark();
        }
    }

    /// A worker that searched has found work: if there is more, another one searches.
    fn pass_baton(self: &Arc<Self>) {
        let prev = self.crew.shift(ONE_SEARCHING.wrapping_neg());
        // By what that found: whoever goes to the stack later looks at the queue himself.
        if needs_help(prev - ONE_SEARCHING) && !self.queue.is_empty() && !mutant!("crew.baton") {
            self.help(true);
        }
    }

    /// Starts a worker, to search; or, if it is `reserved`, to wait for a task that the caller has
    /// for it, as one that was taken out of the stack.
    pub(super) fn add_worker(
        self: &Arc<Self>,
        mut roster: MutexGuard<'_, Roster>,
        reserved: bool,
    ) -> io::Result<Arc<CachePadded<Seat>>> {
        let index = roster.take_place();
        let seat = roster.entries[index].seat.clone();
        let searches = if reserved { 0 } else { ONE_SEARCHING };
        self.crew.settle(&mut roster, searches);
        // The worker, and this thread until it is done with it.
        self.crew.lives(2);
        drop(roster);
        self.reap();
        let worker = Box::new(Worker::new(self.clone(), seat.clone(), index, reserved));
        match self.recruiting.start(&self.name, index, move || worker::work(*worker)) {
            Ok(thread) => {
                self.crew.counts.spawns.up();
                let mut roster = self.crew.roster.lock();
                roster.confirm(index);
                if roster.entries[index].ended {
                    roster.end_thread(index, thread);
                } else {
                    roster.entries[index].thread = Some(thread);
                }
                self.crew.settle(&mut roster, 0);
                drop(roster);
                self.crew.dies(1);
                Ok(seat)
            }
            Err(error) => {
                self.crew.counts.spawn_failures.up();
                let mut roster = self.crew.roster.lock();
                roster.leave_place(index);
                roster.entries[index].taken = false;
                roster.free.push(index);
                roster.pause = Some(Deadline::after(GROWTH_PAUSE));
                self.crew.settle(&mut roster, searches.wrapping_neg());
                drop(roster);
                if !mutant!("crew.quiet-failed") {
                    self.crew.quiet.notify_all();
                }
                // It was counted as searching: others may have relied on it.
                if !reserved && !mutant!("crew.failed-search") {
                    self.help(false);
                }
                // It had a place, for the want of which others may have gone to sleep. They may
                // find out for themselves that there is no thread to be had.
                if !mutant!("crew.failed-place") {
                    self.room.changed();
                }
                self.crew.dies(2);
                Err(error)
            }
        }
    }

    /// Joins threads of workers that have retired.
    fn reap(&self) {
        let mut roster = self.crew.roster.lock();
        let mut at = 0;
        while at < roster.ended.len() {
            if thread::has_ended(&roster.ended[at]) {
                let thread = roster.ended.swap_remove(at);
                drop(roster);
                let _ = thread.join(); // see `join_threads`
                roster = self.crew.roster.lock();
            } else {
                at += 1;
            }
        }
    }

    /// Counts a submission that relies on a worker, and sees to it that there is one.
    pub(super) fn begin_submission(self: &Arc<Self>) -> Result<(), io::Error> {
        self.crew.in_flight.fetch_add_total(1, ord!("crew.c", SeqCst)); // SeqCst: row c.
        // SeqCst: row d; this look is not done before the count is there for all.
        if self.crew.duty.load_total(ord!("crew.d", SeqCst)) & EMPTY == 0 {
            return Ok(());
        }
        let there_is_one = self.start_first();
        if there_is_one.is_err() {
            self.end_submission();
        }
        there_is_one
    }

    pub(super) fn end_submission(&self) {
        // SeqCst: row c; the count does not fall before the push is there for all.
        self.crew.in_flight.fetch_add_total(1_u64.wrapping_neg(), ord!("crew.c", SeqCst));
    }

    /// Starts a worker where there is none.
    #[cold]
    pub(super) fn start_first(self: &Arc<Self>) -> Result<(), io::Error> {
        let _first = self.crew.first.lock();
        let mut backoff = Backoff::new();
        loop {
            let roster = self.crew.roster.lock();
            if roster.confirmed() > 0 || roster.closed {
                return Ok(());
            }
            if roster.has_place() {
                return self.add_worker(roster, false).map(drop);
            }
            // Somebody else is at it, for another reason, and has yet to hear from the system.
            drop(roster);
            backoff.wait_for_other();
        }
    }

    /// Hands a task to a worker of its own, past the queue: an idle one, if there is no queue, or a
    /// new one. The task comes back if there is none to be had.
    pub(super) fn hand_over(self: &Arc<Self>, job: Job) -> Result<(), (Job, Option<io::Error>)> {
        let mut roster = self.crew.roster.lock();
        if roster.closed {
            return Err((job, None));
        }
        if self.queue.is_handoff() {
            if let Some(index) = roster.idle.pop() {
                self.crew.settle(&mut roster, ONE_IDLE.wrapping_neg());
                let seat = roster.entries[index].seat.clone();
                drop(roster);
                self.give(&seat, job);
                return Ok(());
            }
        }
        if !roster.has_place() {
            return Err((job, None));
        }
        match self.add_worker(roster, true) {
            Ok(seat) => {
                self.give(&seat, job);
                Ok(())
            }
            Err(error) => Err((job, Some(error))),
        }
    }

    /// Gives a task to a worker that waits for it alone.
    fn give(&self, seat: &Seat, job: Job) {
        // Counted first, as the task may end at once.
        self.outside.tally.up(&self.outside.tally.direct);
        // SAFETY: whoever takes a worker out of the stack, or has it reserved, has its mailbox
        // (invariant 1).
        seat.mailbox.with_mut(|mailbox| unsafe { *mailbox = Some(job) });
        self.wake(seat);
    }

    /// Adds a worker as the queue is slow, if that may be.
    pub(super) fn grow_for_delay(self: &Arc<Self>) {
        let roster = self.crew.roster.lock();
        if roster.has_place()
            && roster.idle.is_empty()
            && roster.pause.is_none_or(Deadline::has_passed)
        {
            // A failure is counted; there are other workers.
            let _ = self.add_worker(roster, false);
        }
    }

    /// Starts workers until there are this many; how many were started.
    pub(super) fn prestart(self: &Arc<Self>, count: usize) -> Result<usize, (usize, io::Error)> {
        for started in 0..count {
            let roster = self.crew.roster.lock();
            if roster.workers >= count.min(roster.limits.max) || roster.closed {
                return Ok(started);
            }
            if let Err(error) = self.add_worker(roster, false) {
                return Err((started, error));
            }
        }
        Ok(count)
    }

    /// Changes the limits; `false`, and nothing is changed, if they are none.
    pub(super) fn set_limits(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Limits),
    ) -> Result<(), &'static str> {
        let mut roster = self.crew.roster.lock();
        let mut limits = roster.limits;
        change(&mut limits);
        limits.check()?;
        let more_core = limits.core.saturating_sub(roster.limits.core);
        roster.limits = limits;
        // Those that sleep without a limit, or are too many, look at it.
        let seats = self.crew.rouse(&mut roster);
        let workers = roster.workers;
        drop(roster);
        for seat in &seats {
            if !mutant!("crew.limits-unseen") {
                self.wake(seat);
            }
        }
        // A worker more is room for who found none.
        if !mutant!("crew.limits-unannounced") {
            self.room.changed();
        }
        let queued = self.queue.len();
        if more_core > 0 && queued > 0 {
            // A failure is none: the queue has workers.
            let _ = self.prestart((workers + more_core.min(queued)).min(limits.core));
        }
        Ok(())
    }

    /// A task of this pool is about to block, or has done so.
    pub(super) fn set_blocked(self: &Arc<Self>, blocked: bool) -> bool {
        let mut roster = self.crew.roster.lock();
        if blocked {
            if roster.blocked >= self.crew.spares {
                return false;
            }
            roster.blocked += 1;
        } else {
            roster.blocked -= 1;
        }
        self.crew.settle(&mut roster, 0);
        drop(roster);
        if blocked {
            // One worker more, for what is queued or finds no room.
            if !self.queue.is_empty() && !mutant!("crew.blocked-queue") {
                self.signal();
            }
            if !mutant!("crew.blocked-room") {
                self.room.made();
            }
        }
        true
    }

    /// Sleeps until the pool is closed; `false` if `deadline` passed first.
    pub(super) fn await_close(&self, deadline: Deadline) -> bool {
        loop {
            let ticket = self.crew.quiet.prepare();
            if self.crew.is_closed() {
                self.crew.quiet.cancel(ticket);
                return true;
            }
            if !self.crew.quiet.wait(ticket, deadline) {
                return self.crew.is_closed();
            }
        }
    }

    /// Ends admission, and wakes whoever waits for work or for room.
    pub(super) fn close(&self) {
        self.queue.close();
        let mut roster = self.crew.roster.lock();
        roster.closed = true;
        let seats = self.crew.rouse(&mut roster);
        drop(roster);
        for seat in seats {
            if !mutant!("crew.close") {
                self.wake(&seat);
            }
        }
        if !mutant!("crew.close-room") {
            self.room.changed();
        }
        if !mutant!("crew.close-unannounced") {
            self.crew.quiet.notify_all();
        }
    }

    /// Sleeps until, at one moment, nothing is queued and no worker has a task; `false` if
    /// `deadline` passed first.
    pub(super) fn await_quiet(&self, deadline: Deadline) -> bool {
        let is_quiet = || {
            let roster = self.crew.roster.lock();
            roster.idle.len() == roster.workers && self.queue.is_empty()
        };
        loop {
            if is_quiet() {
                return true;
            }
            let ticket = self.crew.quiet.prepare();
            if is_quiet() {
                self.crew.quiet.cancel(ticket);
                return true;
            }
            if !self.crew.quiet.wait(ticket, deadline) {
                return is_quiet();
            }
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.max == 0 {
            return Err("the number of threads is zero");
        }
        if self.max > super::builder::MAX_THREADS {
            return Err("the number of threads is above what the kernel has ids for");
        }
        if self.core > self.max {
            return Err("there are more core threads than threads at the most");
        }
        if self.core_timeout && self.idle_timeout == Duration::ZERO {
            return Err("core threads that time out need a time-out above zero");
        }
        Ok(())
    }
}

impl Worker {
    /// What a worker does that has found the queue empty.
    ///
    /// `searching` says whether it counts as such; it does, when it comes back woken and without a
    /// task of its own.
    pub(super) fn park(&self, mut searching: bool) -> Parked {
        let (shared, crew) = (&self.shared, &self.shared.crew);
        if let Some(polls) = self.may_spin() {
            if !searching {
                let prev = crew.shift(ONE_SEARCHING);
                searching = true;
                if prev & SEARCHING == 0 && self.spin(polls) {
                    return Parked::Woken(None);
                }
            } else if self.spin(polls) {
                return Parked::Woken(None);
            }
        }
        let mut roster = crew.roster.lock();
        roster.confirm(self.index);
        if !roster.closed && roster.workers > roster.limit() && roster.sure() > 1 {
            self.retire(&mut roster, 0);
            drop(roster);
            if searching {
                shared.pass_baton();
            }
            if !mutant!("crew.quiet-surplus") {
                crew.quiet.notify_all();
            }
            return Parked::Retired;
        }
        roster.idle.push(self.index);
        let searched = if searching { ONE_SEARCHING } else { 0 };
        crew.settle(&mut roster, ONE_IDLE.wrapping_sub(searched));
        let all_idle = roster.idle.len() == roster.workers;
        let mut deadline = roster.idle_deadline(crew.may_be_empty);
        drop(roster);
        // After the change of `duty`: see the table.
        if !mutant!("crew.no-look") && !shared.queue.is_empty() || shared.queue.is_closed() {
            if self.leave_stack() {
                return Parked::Woken(None);
            }
            deadline = Deadline::NEVER; // taken out by another, which owes a wake-up
        }
        if all_idle && !mutant!("crew.quiet") {
            crew.quiet.notify_all();
        }
        if shared.queue.is_handoff() {
            shared.room.made();
        }
        crew.counts.parks.up();
        let mut backoff = Backoff::new();
        loop {
            // SAFETY: only this worker parks here.
            if unsafe { self.seat.parker.park(deadline) } {
                return Parked::Woken(self.take_mail());
            }
            let mut roster = crew.roster.lock();
            let Some(at) = roster.idle.iter().position(|&index| index == self.index) else {
                deadline = Deadline::NEVER; // as above
                continue;
            };
            if roster.may_retire(crew.may_be_empty) {
                roster.idle.remove(at);
                let last = roster.sure() == 1;
                self.retire(&mut roster, ONE_IDLE.wrapping_neg());
                // One that was idle makes no difference to who waits for idleness.
                if !last || mutant!("crew.last-retires") {
                    return Parked::Retired;
                }
                // Invariant 4.
                if crew.none_in_flight() && shared.queue.is_empty() {
                    return Parked::Retired;
                }
                roster.idle.push(self.index);
                self.unretire(&mut roster);
                let is_left = shared.queue.is_empty();
                deadline = roster.idle_deadline(crew.may_be_empty);
                drop(roster);
                if is_left {
                    // Who submits has yet to push. The time may be very short.
                    backoff.wait_for_other();
                } else if self.leave_stack() {
                    // Whoever has pushed that may have found nobody idle.
                    return Parked::Woken(None);
                } else {
                    deadline = Deadline::NEVER; // as above
                }
                continue;
            }
            deadline = roster.idle_deadline(crew.may_be_empty);
            drop(roster);
            // Another is about to be started. The time may be very short.
            backoff.wait_for_other();
        }
    }

    /// A task was found: this worker searches no more.
    #[inline]
    pub(super) fn found(&self, searching: &mut bool) {
        if core::mem::replace(searching, false) {
            self.shared.pass_baton();
        }
    }

    /// The queue is closed and empty.
    pub(super) fn leave(&self, searching: bool) {
        let mut roster = self.shared.crew.roster.lock();
        self.retire(&mut roster, if searching { ONE_SEARCHING.wrapping_neg() } else { 0 });
        drop(roster);
        if !mutant!("crew.quiet-end") {
            self.shared.crew.quiet.notify_all();
        }
    }

    fn retire(&self, roster: &mut Roster, change: u64) {
        // Under the lock: from here on the place may be another worker's.
        self.seat.badge.take_off();
        roster.leave_place(self.index);
        match roster.entries[self.index].thread.take() {
            Some(thread) => roster.end_thread(self.index, thread),
            None => roster.entries[self.index].ended = true,
        }
        self.shared.crew.settle(roster, change);
    }

    /// Takes `retire` back, with the lock held all the time, and the worker is idle again.
    fn unretire(&self, roster: &mut Roster) {
        self.seat.badge.put_on();
        roster.workers += 1;
        if core::mem::replace(&mut roster.entries[self.index].ended, false) {
            // Its starter has not come back yet, and finds it as it was.
        } else {
            let thread = roster.ended.pop();
            roster.free.pop();
            let entry = &mut roster.entries[self.index];
            (entry.thread, entry.taken) = (thread, true);
        }
        self.shared.crew.settle(roster, ONE_IDLE);
    }

    /// Takes this worker out of the stack, to search; `false` if another has done that.
    fn leave_stack(&self) -> bool {
        let crew = &self.shared.crew;
        let mut roster = crew.roster.lock();
        let Some(at) = roster.idle.iter().rposition(|&index| index == self.index) else {
            return false;
        };
        roster.idle.remove(at);
        crew.settle(&mut roster, WOKEN);
        true
    }
}

impl Roster {
    /// When a worker that goes to sleep is to think of retiring.
    fn idle_deadline(&self, may_be_empty: bool) -> Deadline {
        let surplus = self.workers > self.limits.core || self.limits.core_timeout;
        if surplus && (self.workers > 1 || may_be_empty) {
            Deadline::after(self.limits.idle_timeout)
        } else {
            Deadline::NEVER
        }
    }

    /// Whether a worker that has slept for its time may go.
    fn may_retire(&self, may_be_empty: bool) -> bool {
        let surplus = self.workers > self.limits.core || self.limits.core_timeout;
        surplus && !self.closed && (self.sure() > 1 || may_be_empty)
    }
}
