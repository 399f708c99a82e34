//! Code of the user's that the pool calls at certain moments.

use alloc::sync::Arc;
use core::fmt;

use super::packet::Payload;

type Hook<A> = Arc<dyn Fn(A) + Send + Sync>;
type PlainHook = Arc<dyn Fn() + Send + Sync>;

/// How a task that ran has ended, as a hook is told.
///
/// ```
/// use lockwork::pool::{TaskEnd, ThreadPool};
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
/// use std::sync::Arc;
///
/// let failures = Arc::new(AtomicU32::new(0));
/// let counted = failures.clone();
/// let pool = ThreadPool::builder()
///     .threads(1)
///     .after_task(move |end| {
///         if end == TaskEnd::Panicked {
///             counted.fetch_add(1, Relaxed);
///         }
///     })
///     .build()?;
/// pool.submit(|| panic!("on purpose")).unwrap().join().unwrap_err();
/// assert_eq!(failures.load(Relaxed), 1);
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskEnd {
    /// It returned.
    Completed,
    /// It panicked, or the destructor of something that it captured did.
    Panicked,
}

/// What is called, if anything is. Tested once for a task that runs.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    pub(super) thread_start: Option<Hook<usize>>,
    pub(super) thread_stop: Option<Hook<usize>>,
    pub(super) before_task: Option<PlainHook>,
    pub(super) after_task: Option<Hook<TaskEnd>>,
    pub(super) panic_handler: Option<Hook<Payload>>,
    pub(super) terminated: Option<PlainHook>,
}

impl Hooks {
    pub(super) fn is_empty(&self) -> bool {
        self.thread_start.is_none()
            && self.thread_stop.is_none()
            && self.before_task.is_none()
            && self.after_task.is_none()
            && self.panic_handler.is_none()
            && self.terminated.is_none()
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = f.debug_set();
        for (name, is_there) in [
            ("on_thread_start", self.thread_start.is_some()),
            ("on_thread_stop", self.thread_stop.is_some()),
            ("before_task", self.before_task.is_some()),
            ("after_task", self.after_task.is_some()),
            ("panic_handler", self.panic_handler.is_some()),
            ("on_terminated", self.terminated.is_some()),
        ] {
            if is_there {
                set.entry(&format_args!("{name}"));
            }
        }
        set.finish()
    }
}
