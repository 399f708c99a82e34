//! Ends a test that hangs, and says where its threads were.
//!
//! A lost wake-up stays lost, so a generous limit costs nothing. There is no other time limit in
//! these tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{proc, say};

/// Watches one test: aborts the process if nobody calls [`tick`](Self::tick) for too long.
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    ticks: AtomicU64,
    over: AtomicBool,
}

/// Seconds without a tick. `LOCKWORK_WATCHDOG` overrides it, for machines under an emulator.
fn limit() -> Duration {
    let text = std::env::var("LOCKWORK_WATCHDOG");
    Duration::from_secs(text.map_or(60, |text| text.parse().expect("LOCKWORK_WATCHDOG: seconds")))
}

impl Watchdog {
    /// Starts watching the test that calls this.
    pub(crate) fn start() -> Self {
        Self::named(thread::current().name().unwrap_or("a test"))
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::with_limit(name, limit())
    }

    pub(crate) fn with_limit(name: &str, limit: Duration) -> Self {
        let name = name.to_owned();
        let shared = Arc::new(Shared::default());
        let thread = thread::spawn({
            let shared = shared.clone();
            move || watch(&name, limit, &shared)
        });
        Self { shared, thread: Some(thread) }
    }

    /// Says that the test is getting on.
    pub(crate) fn tick(&self) {
        self.shared.ticks.fetch_add(1, Relaxed);
    }
}

fn watch(name: &str, limit: Duration, shared: &Shared) {
    let mut seen = 0;
    let mut since = Instant::now();
    // Parked: a channel of the standard library, which is not built with the race detector, would
    // be reported by it.
    while !shared.over.load(Relaxed) {
        thread::park_timeout(limit / 10);
        let now = shared.ticks.load(Relaxed);
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() >= limit && !shared.over.load(Relaxed) {
            say(&format!("WATCHDOG: {name}: no progress for {limit:?} after {now} ticks"));
            for line in proc::threads() {
                say(&line);
            }
            std::process::abort();
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking());
        }
    }
}
