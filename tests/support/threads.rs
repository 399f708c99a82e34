//! Threads that start together.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};

use super::proc;

/// Lets threads go at the same moment, or as near to it as the processors allow. Spins, since
/// waking sleepers takes longer than the races that are looked for.
pub(crate) struct Gate {
    missing: AtomicUsize,
}

impl Gate {
    pub(crate) fn new(threads: usize) -> Self {
        Self { missing: AtomicUsize::new(threads) }
    }

    /// Returns once all threads have come here.
    pub(crate) fn pass(&self) {
        self.missing.fetch_sub(1, Ordering::AcqRel);
        let mut polls = 0_u32;
        while self.missing.load(Ordering::Acquire) > 0 {
            polls += 1;
            if polls % 64 == 0 {
                thread::yield_now(); // more threads than cores
            } else {
                std::hint::spin_loop();
            }
        }
    }
}

/// Four threads for each core: enough that every lock is met while its holder is not running.
pub(crate) fn crowd() -> usize {
    4 * thread::available_parallelism().map_or(2, usize::from).clamp(2, 4)
}

/// Runs `body` with the numbers `0..n` on as many threads, started together, and returns what they
/// returned, in that order. A panic in one is passed on once all have ended.
pub(crate) fn together<T: Send>(n: usize, body: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let gate = Gate::new(n);
    thread::scope(|s| {
        let threads: Vec<_> = (0..n)
            .map(|i| {
                let (gate, body) = (&gate, &body);
                s.spawn(move || {
                    gate.pass();
                    body(i)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Joins threads and returns what they returned. Scopes join what is left as well, but in a way
/// that a race detector does not see.
pub(crate) fn join_all<'s, T>(
    threads: impl IntoIterator<Item = ScopedJoinHandle<'s, T>>,
) -> Vec<T> {
    let join = |thread: ScopedJoinHandle<'s, T>| {
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    };
    threads.into_iter().map(join).collect()
}

/// Runs `call` in a thread and returns once that sleeps in a futex call on a word within `words`,
/// or on any word if `None`.
pub(crate) fn asleep<'s, T: Send + 's>(
    s: &'s Scope<'s, '_>,
    words: Option<Range<usize>>,
    call: impl FnOnce() -> T + Send + 's,
) -> ScopedJoinHandle<'s, T> {
    let (thread, tid) = with_tid(s, call);
    proc::until_asleep(tid, words);
    thread
}

/// As [`asleep`], for a call that may be over before it can be seen asleep: one with a limit, or
/// beside such a one.
pub(crate) fn asleep_or_over<'s, T: Send + 's>(
    s: &'s Scope<'s, '_>,
    words: Option<Range<usize>>,
    call: impl FnOnce() -> T + Send + 's,
) -> ScopedJoinHandle<'s, T> {
    let (thread, tid) = with_tid(s, call);
    while !thread.is_finished() && !proc::asleep_in_futex(tid, words.clone()) {
        thread::yield_now();
    }
    thread
}

/// A thread that calls, and its id.
fn with_tid<'s, T: Send + 's>(
    s: &'s Scope<'s, '_>,
    call: impl FnOnce() -> T + Send + 's,
) -> (ScopedJoinHandle<'s, T>, u32) {
    let tid = Arc::new(AtomicU32::new(0));
    let thread = s.spawn({
        let tid = tid.clone();
        move || {
            tid.store(proc::tid(), Ordering::Relaxed);
            call()
        }
    });
    while tid.load(Ordering::Relaxed) == 0 {
        thread::yield_now();
    }
    (thread, tid.load(Ordering::Relaxed))
}

/// The addresses of an object, for [`asleep`].
pub(crate) fn words_of<T: ?Sized>(object: &T) -> Option<Range<usize>> {
    let start = (&raw const *object).cast::<u8>().addr();
    Some(start..start + size_of_val(object))
}
