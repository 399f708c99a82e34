//! Ends a test that hangs, and says where its threads were.
//!
//! A lost wake-up stays lost, so a generous limit costs nothing. There is no other time limit in
//! these tests.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{proc, say};

/// Watches one test: aborts the process if nobody calls [`tick`](Self::tick) for too long.
pub(crate) struct Watchdog {
    ticks: Arc<AtomicU64>,
    /// Dropped to end the thread.
    alive: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
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
        let ticks = Arc::new(AtomicU64::new(0));
        let (alive, end) = mpsc::channel::<()>();
        let thread = thread::spawn({
            let ticks = ticks.clone();
            move || watch(&name, limit, &ticks, &end)
        });
        Self { ticks, alive: Some(alive), thread: Some(thread) }
    }

    /// Says that the test is getting on.
    pub(crate) fn tick(&self) {
        self.ticks.fetch_add(1, Relaxed);
    }
}

fn watch(name: &str, limit: Duration, ticks: &AtomicU64, end: &mpsc::Receiver<()>) {
    let mut seen = ticks.load(Relaxed);
    let mut since = Instant::now();
    while end.recv_timeout(limit / 10) == Err(mpsc::RecvTimeoutError::Timeout) {
        let now = ticks.load(Relaxed);
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() >= limit {
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
        drop(self.alive.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking());
        }
    }
}
