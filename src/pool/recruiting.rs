//! How the threads of a pool are made, and what each does before its first task and after its last.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::panic::AssertUnwindSafe;
use std::io;
use std::panic::catch_unwind;

use super::hooks::Hooks;
use super::packet;
use super::runner::Runner;
use crate::primitive::{signals, thread};
use crate::sync::rt::{self, Scheduling};

/// Which signals the threads of a pool leave to others.
///
/// ```
/// use lockwork::pool::{SignalMask, ThreadPool};
///
/// let pool = ThreadPool::builder().threads(1).signal_mask(SignalMask::BlockAsync).build()?;
/// # Ok::<(), lockwork::pool::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SignalMask {
    /// As the thread has it that starts the worker.
    #[default]
    Inherit,
    /// All are blocked but those that a thread raises by what it does itself, such as `SIGSEGV`,
    /// and `SIGPROF`, by which profilers work: signals sent to the process go to other threads.
    ///
    /// Processes that a task starts inherit that, and may then not be ended by `SIGTERM`: start
    /// them within [`with_original_sigmask`](super::with_original_sigmask).
    BlockAsync,
}

/// What a thread may leave to others, without `SIGABRT` and `SIGPROF`.
const ASYNCHRONOUS: signals::Set = signals::WAITABLE & !(signals::bit(6) | signals::bit(27));

/// Signals are held back in this thread, and in those that it starts, for as long as this lives.
struct HeldBack(signals::Set);

impl Drop for HeldBack {
    fn drop(&mut self) {
        let _ = signals::replace_mask(self.0);
    }
}

type ThreadName = Arc<dyn Fn(usize) -> String + Send + Sync>;

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Recruiting {
    pub(super) stack_size: Option<usize>,
    pub(super) thread_name: Option<ThreadName>,
    pub(super) signals: SignalMask,
    pub(super) nice: Option<i8>,
    pub(super) scheduling: Option<Scheduling>,
    pub(super) cpus: Option<Vec<usize>>,
}

impl Recruiting {
    pub(super) fn name_of(&self, pool: &str, index: usize) -> String {
        match &self.thread_name {
            Some(name) => name(index),
            None => format!("{pool}-{index}"),
        }
    }

    /// Starts a thread.
    pub(super) fn start(
        &self,
        pool: &str,
        index: usize,
        life: impl FnOnce() + Send + 'static,
    ) -> io::Result<thread::JoinHandle<()>> {
        // Code of the user's.
        let name = match catch_unwind(AssertUnwindSafe(|| self.name_of(pool, index))) {
            Ok(name) if !name.contains('\0') => name,
            Ok(_) => return Err(io::Error::from(io::ErrorKind::InvalidInput)),
            Err(payload) => {
                packet::drop_payload(payload);
                return Err(io::Error::other("the name of the thread panicked"));
            }
        };
        let mut builder = thread::Builder::new().name(name);
        if let Some(bytes) = self.stack_size {
            builder = builder.stack_size(bytes);
        }
        // Blocked here, and inherited: there is no moment at which the new thread has them open.
        let _held_back = (self.signals == SignalMask::BlockAsync)
            .then(|| HeldBack(signals::hold_back(ASYNCHRONOUS)));
        thread::start(builder, life)
    }

    /// What a new thread does first, on it.
    pub(super) fn settle_in(&self, runner: &Runner<'_>, index: usize, hooks: Option<&Hooks>) {
        let mut refused = false;
        if let Some(cpus) = &self.cpus {
            refused |= rt::pin_to(cpus).is_err();
        }
        if let Some(nice) = self.nice {
            refused |= rt::set_nice(nice).is_err();
        }
        // The class last: see `rt`.
        if let Some(scheduling) = self.scheduling {
            refused |= rt::set_scheduling(scheduling).is_err();
        }
        if refused {
            runner.attributes_refused();
        }
        if let Some(hook) = hooks.and_then(|hooks| hooks.thread_start.as_ref()) {
            runner.call(|| hook(index));
        }
    }

    /// What it does last, before its thread locals go.
    pub(super) fn clear_out(&self, runner: &Runner<'_>, index: usize, hooks: Option<&Hooks>) {
        if let Some(hook) = hooks.and_then(|hooks| hooks.thread_stop.as_ref()) {
            runner.call(|| hook(index));
        }
    }
}

impl fmt::Debug for Recruiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recruiting")
            .field("stack_size", &self.stack_size)
            .field("signals", &self.signals)
            .field("nice", &self.nice)
            .field("scheduling", &self.scheduling)
            .field("cpus", &self.cpus)
            .finish_non_exhaustive()
    }
}
