//! `ThreadPool`: programs of submissions, cancels, joins, resizes and ends, and an account of every
//! task.
//!
//! This file knows nothing of the fuzzing engine; it is included by the fuzz target and by
//! `tests/it/pool_programs.rs`, which runs random programs on several threads at once.
//!
//! # Input
//!
//! ```text
//! byte 0     the pool: threads, kind of queue, growth
//! byte 1     its policy
//! each next  one operation (low four bits) and its parameter (high four bits)
//! ```
//!
//! Every sequence of bytes is a valid input.
//!
//! # What is checked
//!
//! Each closure is run once, or comes back, or is dropped, and what it captured is dropped once, as
//! its submitter was told. Each handle resolves once, in the way that fits. Every snapshot is
//! consistent, and the last one adds up.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockwork::pool::{
    Cancel, CancelReason, Growth, JoinError, JoinHandle, Prestart, RejectReason, RejectionPolicy,
    Snapshot, ThreadPool, current_token,
};

/// Longer inputs reach nothing that shorter ones do not.
const MAX_OPERATIONS: usize = 2048;

/// What a task that panics throws.
const ON_PURPOSE: &str = "on purpose";

/// What became of one task.
#[derive(Default)]
struct Account {
    ran: AtomicUsize,
    /// How often what it captured was dropped.
    gone: AtomicUsize,
}

/// What a task captures.
struct Entry(Arc<Account>);

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.gone.fetch_add(1, Relaxed);
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// The closure came back, and was dropped.
    Refused,
    /// The handle says that it ran.
    Ran,
    /// The handle says that it did not.
    Cancelled,
    /// Accepted, with nobody to ask.
    Unknown,
}

/// A pool, and all that was ever handed to it.
pub(crate) struct Ledger {
    pool: ThreadPool,
    accounts: Mutex<Vec<(Arc<Account>, Fate)>>,
}

type Kept = Vec<(Arc<Account>, JoinHandle<usize>)>;

/// Runs one input.
///
/// # Panics
///
/// If a task's account does not add up.
pub(crate) fn run(data: &[u8]) {
    let ledger = Ledger::new(data);
    ledger.program(data.get(2..).unwrap_or(&[]));
    ledger.close();
}

impl Ledger {
    pub(crate) fn new(data: &[u8]) -> Arc<Self> {
        let (shape, policy) = (data.first().copied().unwrap_or(0), data.get(1).copied());
        let builder = ThreadPool::builder();
        let builder = match shape & 3 {
            0 => builder.core_threads(1).max_threads(1),
            1 => builder.core_threads(0).max_threads(2).prestart(Prestart::None),
            2 => builder.core_threads(1).max_threads(3).prestart(Prestart::None),
            _ => builder.threads(2).core_timeout(true),
        };
        let builder = builder.idle_timeout(Duration::from_micros(u64::from(shape)));
        let builder = match shape >> 2 & 7 {
            0 => builder.handoff(),
            1 => builder.unbounded(),
            capacity => builder.queue_capacity(usize::from(capacity) - 1),
        };
        let builder = match shape >> 5 & 3 {
            0 => builder.growth(Growth::QueueFirst),
            1 => builder.growth(Growth::OnDelay { target: Duration::from_micros(20) }),
            _ => builder,
        };
        // A time-out of zero and core threads that time out are no pool.
        let builder = builder.idle_timeout(Duration::from_micros(u64::from(shape) + 1));
        let pool = builder.rejection(choose_policy(policy.unwrap_or(0))).build().unwrap();
        Arc::new(Self { pool, accounts: Mutex::new(Vec::new()) })
    }

    /// Interprets `program` on this thread.
    pub(crate) fn program(self: &Arc<Self>, program: &[u8]) {
        let mut kept = Kept::new();
        for &byte in program.iter().take(MAX_OPERATIONS) {
            self.operate(byte & 15, usize::from(byte >> 4), &mut kept);
            if kept.len() > 64 {
                let (account, handle) = kept.swap_remove(0);
                self.joined(account, handle.join());
            }
        }
        for (account, handle) in kept {
            self.joined(account, handle.join());
        }
    }

    fn operate(self: &Arc<Self>, operation: u8, parameter: usize, kept: &mut Kept) {
        let pool = &self.pool;
        let pick = (!kept.is_empty()).then(|| parameter % kept.len().max(1));
        match (operation, pick) {
            (0, _) => {
                let account = Arc::new(Account::default());
                let task = self.task(&account, parameter);
                let done = pool.execute(move || {
                    task();
                });
                match done {
                    Ok(()) => self.note(account, Fate::Unknown),
                    Err(refused) => {
                        let reason = refused.reason();
                        drop(refused);
                        self.refused(account, reason);
                    }
                }
            }
            (1..=4, _) => {
                let account = Arc::new(Account::default());
                let task = self.task(&account, parameter);
                let submitted = match operation {
                    1 | 2 => pool.submit(task),
                    3 => pool.try_submit(task),
                    _ => pool.submit_for(task, Duration::from_micros(parameter as u64 * 10)),
                };
                self.submitted(account, submitted.map_err(|refused| refused.reason()), kept);
            }
            (5 | 6, Some(pick)) => {
                let (account, handle) = kept.swap_remove(pick);
                match handle.cancel() {
                    Cancel::Prevented => {
                        assert_eq!((loaded(&account.ran), loaded(&account.gone)), (0, 1));
                        let error = handle.try_join().expect("it was prevented").unwrap_err();
                        assert_eq!(error.cancel_reason(), Some(CancelReason::Handle));
                        self.note(account, Fate::Cancelled);
                    }
                    _ => kept.push((account, handle)),
                }
            }
            (7, Some(pick)) => {
                let (account, handle) = kept.swap_remove(pick);
                self.joined(account, handle.join());
            }
            (8, Some(pick)) => {
                let (account, handle) = kept.swap_remove(pick);
                match handle.join_for(Duration::from_micros(parameter as u64)) {
                    Ok(result) => self.joined(account, result),
                    Err(handle) => kept.push((account, handle)),
                }
            }
            (9, Some(pick)) => {
                let (account, handle) = kept.swap_remove(pick);
                drop(handle);
                self.note(account, Fate::Unknown);
            }
            (10, _) => {
                let (core, max) = (parameter & 3, parameter >> 2);
                assert_eq!(pool.resize(core, max).is_ok(), core <= max && max > 0);
            }
            (11, _) => {
                let accounts: Vec<_> = (0..parameter % 5).map(|_| Arc::default()).collect();
                let tasks = accounts.iter().map(|account| self.task(account, 2));
                let submitted = pool.submit_batch(tasks.collect::<Vec<_>>());
                for (account, submitted) in accounts.into_iter().zip(submitted) {
                    self.submitted(account, submitted.map_err(|refused| refused.reason()), kept);
                }
            }
            (12, _) => check(&pool.snapshot()),
            (13, _) => match parameter {
                0 => pool.set_rejection(choose_policy(parameter as u8)),
                1 => drop(pool.wait_idle_for(Duration::from_micros(50))),
                2 if pool.is_shutdown() => pool.await_termination(),
                policy => pool.set_rejection(choose_policy(policy as u8)),
            },
            (14, _) => match parameter {
                13 => pool.shutdown(),
                14 | 15 => {
                    for (i, task) in pool.shutdown_now().into_iter().enumerate() {
                        // Some are run here, and some are dropped.
                        if i % 2 == 0 {
                            let _ = catch_unwind(AssertUnwindSafe(task));
                        }
                    }
                }
                spins => (0..spins * 20).for_each(|_| std::hint::spin_loop()),
            },
            _ => std::thread::yield_now(),
        }
    }

    /// A task that does as `kind` says, and returns where its account is.
    fn task(
        self: &Arc<Self>,
        account: &Arc<Account>,
        kind: usize,
    ) -> impl FnOnce() -> usize + Send + use<> {
        let (entry, ledger) = (Entry(account.clone()), Arc::downgrade(self));
        move || {
            entry.0.ran.fetch_add(1, Relaxed);
            match kind {
                0 => resume_unwind(Box::new(ON_PURPOSE)),
                1 => std::thread::yield_now(),
                3 => {
                    let token = current_token();
                    let _ = token.is_some_and(|token| token.is_cancelled());
                }
                4..=6 => {
                    // The ledger is there as long as its owner is in `program` or `close`.
                    if let Some(ledger) = ledger.upgrade() {
                        let account = Arc::new(Account::default());
                        let inner = ledger.task(&account, 2);
                        let submitted = ledger.pool.submit(inner);
                        let mut kept = Kept::new();
                        let submitted = submitted.map_err(|refused| refused.reason());
                        ledger.submitted(account, submitted, &mut kept);
                        for (account, handle) in kept {
                            ledger.joined(account, handle.join());
                        }
                    }
                }
                _ => {}
            }
            Arc::as_ptr(&entry.0).addr()
        }
    }

    fn submitted(
        &self,
        account: Arc<Account>,
        submitted: Result<JoinHandle<usize>, RejectReason>,
        kept: &mut Kept,
    ) {
        match submitted {
            Ok(handle) => kept.push((account, handle)),
            Err(reason) => self.refused(account, reason),
        }
    }

    /// The closure came back, and was dropped.
    fn refused(&self, account: Arc<Account>, reason: RejectReason) {
        match reason {
            RejectReason::ShutDown => assert!(self.pool.is_shutdown()),
            RejectReason::Full { capacity } => assert_eq!(capacity, self.pool.queue_capacity()),
            RejectReason::TimedOut | RejectReason::WouldDeadlock => {}
            reason => panic!("{reason:?}"),
        }
        assert_eq!((loaded(&account.ran), loaded(&account.gone)), (0, 1), "{reason:?}");
        self.note(account, Fate::Refused);
    }

    /// A join has returned.
    fn joined(&self, account: Arc<Account>, result: Result<usize, JoinError>) {
        let fate = match result {
            Ok(address) => {
                assert_eq!(address, Arc::as_ptr(&account).addr());
                Fate::Ran
            }
            Err(error) => match error.cancel_reason() {
                Some(CancelReason::PoolShutdown) => {
                    assert!(self.pool.is_shutdown());
                    // The closure itself came back, to be run or dropped.
                    return self.note(account, Fate::Unknown);
                }
                Some(CancelReason::Handle | CancelReason::Discarded) => Fate::Cancelled,
                Some(reason) => panic!("{reason:?}"),
                None => {
                    let payload = error.into_panic().unwrap();
                    assert_eq!(payload.downcast_ref(), Some(&ON_PURPOSE));
                    Fate::Ran
                }
            },
        };
        assert_eq!(loaded(&account.ran), usize::from(fate == Fate::Ran), "{fate:?}");
        assert_eq!(loaded(&account.gone), 1, "{fate:?}");
        self.note(account, fate);
    }

    fn note(&self, account: Arc<Account>, fate: Fate) {
        self.accounts.lock().unwrap().push((account, fate));
    }

    /// Ends the pool, and audits the accounts.
    pub(crate) fn close(&self) {
        self.pool.shutdown();
        self.pool.await_termination();
        let end = self.pool.snapshot();
        check(&end);
        assert_eq!(end.completed + end.panicked + end.cancelled, end.submitted, "{end:?}");
        assert_eq!((end.workers, end.idle, end.active, end.queued, end.blocked), (0, 0, 0, 0, 0));
        let accounts = self.accounts.lock().unwrap();
        assert_eq!(accounts.len() as u64, end.submitted + end.rejected, "{end:?}");
        for (account, fate) in accounts.iter() {
            let (ran, gone) = (loaded(&account.ran), loaded(&account.gone));
            assert_eq!(gone, 1, "{fate:?}");
            match fate {
                Fate::Refused | Fate::Cancelled => assert_eq!(ran, 0, "{fate:?}"),
                Fate::Ran => assert_eq!(ran, 1),
                Fate::Unknown => assert!(ran <= 1),
            }
        }
    }
}

fn loaded(count: &AtomicUsize) -> usize {
    count.load(Relaxed)
}

/// What holds of every snapshot.
fn check(seen: &Snapshot) {
    assert!(seen.completed + seen.panicked + seen.cancelled <= seen.submitted, "{seen:?}");
    assert!(seen.completed + seen.panicked <= seen.started, "{seen:?}");
    assert!(seen.idle + seen.active <= seen.workers && seen.workers <= seen.largest, "{seen:?}");
    assert_eq!((seen.hook_panics, seen.drop_panics, seen.spawn_failures), (0, 0, 0));
}

fn choose_policy(byte: u8) -> RejectionPolicy {
    match byte % 6 {
        0 => RejectionPolicy::Abort,
        1 => RejectionPolicy::CallerRuns,
        2 => RejectionPolicy::Block,
        3 => RejectionPolicy::Discard,
        4 => RejectionPolicy::DiscardOldest,
        _ => RejectionPolicy::BlockFor(Duration::from_micros(u64::from(byte))),
    }
}
