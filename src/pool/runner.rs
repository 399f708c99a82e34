//! What surrounds a task while it runs: counters, hooks, and what the task may ask for.
//!
//! A task runs on a worker, or, because the policy says so, on the thread that submitted it. Each
//! worker counts for itself, with plain stores to a line of its own; other threads count together.
//!
//! Who sees the end of a task counted also finds it counted as submitted, as that came before:
//! counters go up as a release and are read as an acquire (`primitive::counter`). They are no part
//! of the models, as nothing is decided by them.

use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use core::ptr;
use std::panic::catch_unwind;

use super::hooks::{Hooks, TaskEnd};
use super::packet::{self, Payload, State};
use super::shared::Shared;
#[cfg(feature = "tracing")]
use super::spans::TaskSpan;
use crate::cancel::CancelToken;
use crate::primitive::{Counter, thread_locals};

/// How a task that ran has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    Panicked,
}

/// What is counted of tasks.
#[derive(Debug)]
pub(super) struct Tally {
    /// Counted by one thread only.
    alone: bool,
    pub(super) started: Counter,
    pub(super) completed: Counter,
    pub(super) panicked: Counter,
    /// Ended without having run.
    pub(super) cancelled: Counter,
    pub(super) hook_panics: Counter,
    /// Closures whose destructor panicked as they were dropped un-run.
    pub(super) drop_panics: Counter,
    /// Run ahead of the queue by a join.
    pub(super) inlined: Counter,
    /// Accepted past the queue.
    pub(super) direct: Counter,
}

impl Tally {
    pub(super) const fn new(alone: bool) -> Self {
        Self {
            alone,
            started: Counter::new(),
            completed: Counter::new(),
            panicked: Counter::new(),
            cancelled: Counter::new(),
            hook_panics: Counter::new(),
            drop_panics: Counter::new(),
            inlined: Counter::new(),
            direct: Counter::new(),
        }
    }

    #[inline]
    pub(super) fn up(&self, counter: &Counter) {
        match self.alone {
            true => counter.up_alone(),
            false => counter.up(),
        }
    }

    /// How many tasks run here at present: never more than there are.
    pub(super) fn running(&self) -> u64 {
        let started = self.started.get();
        started.saturating_sub(self.completed.get() + self.panicked.get())
    }
}

/// Where a task runs.
pub(super) struct Runner<'a> {
    shared: &'a Shared,
    pub(super) tally: &'a Tally,
}

thread_locals! {
    /// The innermost task that this thread runs.
    static CURRENT: Cell<*const Current> = Cell::new(ptr::null());
}

/// The innermost task of a thread, on its stack.
struct Current {
    shared: *const Shared,
    /// Null if the task has no handle.
    state: *const State,
}

impl<'a> Runner<'a> {
    pub(super) fn new(shared: &'a Shared, tally: &'a Tally) -> Self {
        Self { shared, tally }
    }

    /// Before the closure is called.
    #[inline]
    fn begin(&self) {
        self.tally.up(&self.tally.started);
        if let Some(hooks) = &self.shared.hooks {
            self.before(hooks);
        }
    }

    /// After it, and after all that it captured is gone.
    #[inline]
    fn run_after(&self, end: End) {
        if let Some(hooks) = &self.shared.hooks {
            self.after(hooks, end);
        }
    }

    /// Last, as who sees it may take the task for over.
    #[inline]
    fn count(&self, end: End) {
        self.tally.up(match end {
            End::Completed => &self.tally.completed,
            End::Panicked => &self.tally.panicked,
        });
    }

    #[cold]
    fn before(&self, hooks: &Hooks) {
        if let Some(hook) = &hooks.before_task {
            self.call(|| hook());
        }
    }

    #[cold]
    fn after(&self, hooks: &Hooks, end: End) {
        if let Some(hook) = &hooks.after_task {
            self.call(|| {
                hook(match end {
                    End::Completed => TaskEnd::Completed,
                    End::Panicked => TaskEnd::Panicked,
                });
            });
        }
    }

    /// Calls a hook, and counts its panic.
    pub(super) fn call(&self, hook: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(hook)) {
            self.tally.up(&self.tally.hook_panics);
            packet::drop_payload(payload);
        }
    }

    /// What a task without a handle has thrown.
    #[cold]
    pub(super) fn hand_over(&self, payload: Payload) {
        match self.shared.hooks.as_ref().and_then(|hooks| hooks.panic_handler.as_ref()) {
            Some(handler) => self.call(|| handler(payload)),
            None => packet::drop_payload(payload),
        }
    }

    /// A task that was not to run any more, and is dropped, as whoever runs it finds.
    pub(super) fn cancelled(&self, thrown: Option<Payload>) {
        self.tally.up(&self.tally.cancelled);
        if let Some(payload) = thrown {
            self.tally.up(&self.tally.drop_panics);
            packet::drop_payload(payload);
        }
    }

    /// A place in the queue whose task somebody else has claimed.
    pub(super) fn met_claimed(&self, state: &State) {
        if state.was_cancelled_by_handle() {
            self.tally.up(&self.tally.cancelled);
        }
    }

    /// A worker has not all the attributes that it was to have.
    #[cold]
    pub(super) fn attributes_refused(&self) {
        self.shared.outside.attributes_refused.up();
    }

    pub(super) fn is_forked(&self) -> bool {
        self.shared.is_forked()
    }

    #[cfg(feature = "tracing")]
    pub(super) fn pool_name(&self) -> &str {
        &self.shared.name
    }

    /// Calls the closure of a task, and counts how it ended. Never unwinds.
    #[inline]
    pub(super) fn call_task<T>(
        &self,
        state: Option<&State>,
        closure: impl FnOnce() -> T,
    ) -> Result<T, Payload> {
        #[cfg(feature = "tracing")]
        let span = TaskSpan::enter(self, state.is_some());
        self.begin();
        let state = state.map_or(ptr::null(), ptr::from_ref);
        let current = Current { shared: self.shared, state };
        let outer = CURRENT.try_with(|slot| slot.replace(&raw const current));
        // Unwind safe: what the closure captured goes with it, and the payload says what happened.
        let result = catch_unwind(AssertUnwindSafe(closure));
        if let Ok(outer) = outer {
            let _ = CURRENT.try_with(|slot| slot.set(outer));
        }
        let end = if result.is_ok() { End::Completed } else { End::Panicked };
        self.run_after(end);
        #[cfg(feature = "tracing")]
        span.exit(self, end);
        self.count(end);
        result
    }
}

/// The token of the task that the calling thread runs, if it runs one.
///
/// A task looks at it now and then, and gives up when it is cancelled: by
/// [`JoinHandle::cancel`](super::JoinHandle::cancel) of a task that runs already, by the token that
/// it was submitted with, or by [`ThreadPool::shutdown_now`](super::ThreadPool::shutdown_now). What
/// it then returns is its result.
///
/// ```
/// use lockwork::pool::{Cancel, ThreadPool, current_token};
/// use std::sync::mpsc::channel;
///
/// let pool = ThreadPool::builder().threads(1).build()?;
/// let (started, starts) = channel();
/// let task = pool
///     .submit(move || {
///         let token = current_token().expect("this is a task");
///         started.send(()).unwrap();
///         token.wait(); // until it is cancelled
///         "gave up"
///     })
///     .unwrap();
/// starts.recv().unwrap();
/// assert_eq!(task.cancel(), Cancel::Requested);
/// assert_eq!(task.join().unwrap(), "gave up");
/// assert!(current_token().is_none());
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[must_use]
pub fn current_token() -> Option<CancelToken> {
    let current = CURRENT.try_with(Cell::get).ok()?;
    // SAFETY: set only while the task runs, on this thread, to what is on its stack; that points
    // to what the runner and the caller of the closure borrow meanwhile.
    let current = unsafe { current.as_ref()? };
    // SAFETY: as above.
    let stop = unsafe { &(*current.shared).stop };
    // SAFETY: as above.
    Some(match unsafe { current.state.as_ref() } {
        Some(state) => state.token(|| stop.child()).clone(),
        None => stop.child(),
    })
}
