//! A span of `tracing` around each task.
//!
//! A subscriber is code of the user's, like a hook: it is called on the thread that runs the task,
//! under no lock, and what it throws is caught and counted.

use super::runner::{End, Runner};
use tracing::field::Empty;
use tracing::span::{EnteredSpan, Span};

/// The span of a task that runs, if anybody wants it.
pub(super) struct TaskSpan(Option<EnteredSpan>);

impl TaskSpan {
    /// Before the first hook of the task.
    #[inline]
    pub(super) fn enter(runner: &Runner<'_>, has_handle: bool) -> Self {
        let mut entered = None;
        runner.call(|| {
            let span = tracing::debug_span!(
                target: "lockwork::pool",
                "task",
                pool = runner.pool_name(),
                has_handle,
                end = Empty,
            );
            if !span.is_disabled() {
                entered = Some(span.entered());
            }
        });
        Self(entered)
    }

    /// After the last.
    #[inline]
    pub(super) fn exit(self, runner: &Runner<'_>, end: End) {
        if let Some(entered) = self.0 {
            runner.call(|| {
                entered.record(
                    "end",
                    match end {
                        End::Completed => "completed",
                        End::Panicked => "panicked",
                    },
                );
                let span: Span = entered.exit();
                drop(span);
            });
        }
    }
}
