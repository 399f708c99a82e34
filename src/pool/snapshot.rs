//! What a pool is doing, in numbers.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::runner::Tally;
use super::shared::Shared;
use crate::primitive::Counter;

/// What a pool is doing at about one moment: [`PoolHandle::snapshot`](super::PoolHandle::snapshot).
///
/// Each number is read by itself while the pool goes on. All the same, in every snapshot:
///
/// * `completed + panicked + cancelled <= submitted`; equal once everything has ended and no place
///   in the queue is left taken.
/// * No count is less than in an earlier snapshot.
/// * `idle + active <= workers`, and `workers` is never more than there may be.
///
/// ```
/// use lockwork::pool::ThreadPool;
///
/// let pool = ThreadPool::builder().threads(2).build()?;
/// pool.submit(|| ()).unwrap().join().unwrap();
/// let seen = pool.snapshot();
/// assert_eq!((seen.workers, seen.submitted, seen.completed), (2, 1, 1));
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Threads that take tasks.
    pub workers: usize,
    /// Those that sleep as there is nothing to do.
    pub idle: usize,
    /// Those that run a task.
    pub active: usize,
    /// Those in [`blocking`](super::blocking).
    pub blocked: usize,
    /// The most there ever were.
    pub largest: usize,
    /// Places taken in the queue.
    pub queued: usize,
    /// Tasks that were accepted.
    pub submitted: u64,
    /// Tasks whose closure was called.
    pub started: u64,
    /// Tasks that returned.
    pub completed: u64,
    /// Tasks that panicked.
    pub panicked: u64,
    /// Tasks that were dropped un-run, or given back by
    /// [`shutdown_now`](super::ThreadPool::shutdown_now). Those that a handle has cancelled are
    /// counted when a worker comes by their place.
    pub cancelled: u64,
    /// Of these, the ones that a policy has discarded.
    pub discarded: u64,
    /// Closures that came back.
    pub rejected: u64,
    /// Tasks that were run by the thread that submitted them.
    pub caller_ran: u64,
    /// Tasks that were run ahead of the queue, by a join.
    pub inlined: u64,
    /// How often a worker went to sleep.
    pub parks: u64,
    /// How often one was woken.
    pub wakes: u64,
    /// Threads that were started.
    pub spawns: u64,
    /// Threads that could not be.
    pub spawn_failures: u64,
    /// Hooks and policies that panicked.
    pub hook_panics: u64,
    /// Closures whose destructor panicked when they were dropped un-run.
    pub drop_panics: u64,
    /// Threads that were refused one of their attributes.
    pub attributes_refused: u64,
}

/// What a worker is doing: [`PoolHandle::worker_info`](super::PoolHandle::worker_info).
///
/// ```
/// let pool = lockwork::pool::ThreadPool::builder().name("io").threads(2).build()?;
/// let workers = pool.worker_info();
/// assert_eq!(workers[1].name, "io-1");
/// for worker in workers {
///     // The thread, as `top -H` and `/proc/<pid>/task` show it, and what it has cost.
///     println!("{}: {:?} {:?}", worker.name, worker.tid, worker.cpu_time);
/// }
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// Its number.
    pub index: usize,
    /// The name of its thread.
    pub name: String,
    /// The kernel's id of its thread; `None` if that is about to begin.
    pub tid: Option<u32>,
    /// For how long its thread has had a processor. An idle worker's stands still.
    pub cpu_time: Option<Duration>,
    /// Whether it runs a task.
    pub active: bool,
    /// Tasks that this number has begun; others may have had the number before.
    pub started: u64,
    /// Tasks that returned.
    pub completed: u64,
    /// Tasks that panicked.
    pub panicked: u64,
}

impl Shared {
    pub(super) fn snapshot(&self) -> Snapshot {
        let [workers, idle, blocked, largest] = self.crew.numbers();
        let seats = self.crew.seats();
        let tallies = || seats.iter().map(|(_, _, seat)| &seat.tally).chain([&self.outside.tally]);
        let sum =
            |of: fn(&Tally) -> &Counter| -> u64 { tallies().map(|tally| of(tally).get()).sum() };
        let active = seats.iter().filter(|(_, _, seat)| seat.tally.running() > 0).count();
        // Ends before starts before submissions: so no end is seen without its beginning.
        let completed = sum(|tally| &tally.completed);
        let panicked = sum(|tally| &tally.panicked);
        let cancelled = sum(|tally| &tally.cancelled);
        let started = sum(|tally| &tally.started);
        let counts = &self.crew.counts;
        Snapshot {
            workers,
            idle,
            active: active.min(workers - idle),
            blocked,
            largest,
            queued: self.queue.len(),
            completed,
            panicked,
            cancelled,
            started,
            discarded: self.outside.discarded.get(),
            rejected: self.outside.rejected.get(),
            caller_ran: self.outside.caller_ran.get(),
            inlined: sum(|tally| &tally.inlined),
            parks: counts.parks.get(),
            wakes: counts.wakes.get(),
            spawns: counts.spawns.get(),
            spawn_failures: counts.spawn_failures.get(),
            hook_panics: sum(|tally| &tally.hook_panics),
            drop_panics: sum(|tally| &tally.drop_panics),
            attributes_refused: self.outside.attributes_refused.get(),
            submitted: sum(|tally| &tally.direct) + self.queue.pushed(),
        }
    }

    pub(super) fn worker_info(&self) -> Vec<WorkerInfo> {
        let seats = self.crew.seats();
        let taken = seats.into_iter().filter(|(_, taken, _)| *taken);
        taken
            .map(|(index, _, seat)| {
                let active = seat.tally.running() > 0;
                let completed = seat.tally.completed.get();
                let panicked = seat.tally.panicked.get();
                WorkerInfo {
                    index,
                    name: self.recruiting.name_of(&self.name, index),
                    tid: seat.badge.tid(),
                    cpu_time: seat.badge.cpu_time(),
                    active,
                    started: seat.tally.started.get(),
                    completed,
                    panicked,
                }
            })
            .collect()
    }

    pub(super) fn panicked(&self) -> u64 {
        let seats = self.crew.seats();
        let of = |tally: &Tally| tally.panicked.get() + tally.drop_panics.get();
        seats.iter().map(|(_, _, seat)| of(&seat.tally)).sum::<u64>() + of(&self.outside.tally)
    }
}
