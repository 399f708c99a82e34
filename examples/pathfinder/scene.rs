//! Three threads on one processor, and what they do there.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::rt::{self, Priority, RtError, Scheduling};
use lockwork::{Mutex, Parker, Unparker};

use crate::timeline::{HIGH, Kind, LOW, MEDIUM, Span, Timeline};

/// How long the two work who are in the way of the third.
pub(crate) struct Script {
    pub(crate) hold: Duration,
    pub(crate) burn: Duration,
}

/// A thread that does something for at least this long without being seen was not running.
const GAP: Duration = Duration::from_micros(500);

/// What one thread saw of itself.
struct Recorder {
    lane: usize,
    start: Instant,
    spans: Vec<Span>,
}

impl Recorder {
    /// Room for more spans than there will be: a real-time thread should not allocate.
    fn new(lane: usize, start: Instant) -> Self {
        Self { lane, start, spans: Vec::with_capacity(4096) }
    }

    fn span(&mut self, kind: Kind, from: Duration, to: Duration) {
        if self.spans.len() < self.spans.capacity() {
            self.spans.push(Span { lane: self.lane, kind, from, to });
        }
    }

    /// Keeps the processor for so long, not counting the time in which others had it.
    fn work(&mut self, kind: Kind, time: Duration) {
        let mut begun = self.start.elapsed();
        let (mut last, mut left) = (begun, time);
        while !left.is_zero() {
            let now = self.start.elapsed();
            if now - last > GAP {
                self.span(kind, begun, last);
                begun = now;
            } else {
                left = left.saturating_sub(now - last);
            }
            last = now;
        }
        self.span(kind, begun, last);
    }
}

/// A thread that is parked until it is its turn.
struct Cue {
    parker: Mutex<Option<Parker>>,
    unparker: Unparker,
    ready: AtomicBool,
}

impl Cue {
    fn new() -> Self {
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        Self { parker: Mutex::new(Some(parker)), unparker, ready: AtomicBool::new(false) }
    }

    fn wait(&self) {
        let parker = self.parker.lock().take().expect("one thread waits");
        self.ready.store(true, SeqCst);
        parker.park();
    }

    /// If the thread is more urgent than this one, it runs before this returns.
    fn give(&self) {
        while !self.ready.load(SeqCst) {
            thread::sleep(Duration::from_micros(100));
        }
        self.unparker.unpark();
    }
}

/// The one processor that all of them are on.
fn stage() -> Result<usize, RtError> {
    rt::cpus()?.last().copied().ok_or(RtError::NoSuchCpu)
}

fn enter(priority: u8) -> Result<(), RtError> {
    let priority = Priority::new(priority).expect("from 1 to 99");
    rt::set_scheduling(Scheduling::Fifo(priority))?;
    rt::pin_to(&[stage()?])
}

/// Plays the scene with a lock: `with_lock` takes it, runs what it is given, and unlocks.
pub(crate) fn play(
    name: &'static str,
    script: &Script,
    with_lock: impl Fn(&mut dyn FnMut()) + Sync,
) -> Result<Timeline, RtError> {
    // Whether it is permitted at all, before anybody waits for a cue that is never given.
    thread::spawn(|| enter(30)).join().expect("it does not panic")?;
    let (high_cue, medium_cue) = (Cue::new(), Cue::new());
    let start = Instant::now();
    let spans = thread::scope(|s| {
        let high = s.spawn(|| {
            let mut recorder = Recorder::new(HIGH, start);
            enter(30)?;
            high_cue.wait();
            let asked = start.elapsed();
            with_lock(&mut || {
                recorder.span(Kind::Waits, asked, start.elapsed());
                recorder.work(Kind::Works, Duration::from_millis(2));
            });
            Ok(recorder.spans)
        });
        let medium = s.spawn(|| {
            let mut recorder = Recorder::new(MEDIUM, start);
            enter(20)?;
            medium_cue.wait();
            recorder.work(Kind::Works, script.burn); // no lock, nothing to do with the others
            Ok(recorder.spans)
        });
        let low = s.spawn(|| {
            let mut recorder = Recorder::new(LOW, start);
            enter(10)?;
            with_lock(&mut || {
                recorder.work(Kind::HasLock, script.hold / 4);
                high_cue.give(); // it runs at once, and then has to wait for us
                medium_cue.give(); // and now this one runs, unless we are more urgent than it
                recorder.work(Kind::HasLock, script.hold - script.hold / 4);
            });
            Ok(recorder.spans)
        });
        let mut spans = Vec::new();
        for thread in [high, medium, low] {
            let theirs: Result<Vec<Span>, RtError> = thread.join().expect("it does not panic");
            spans.extend(theirs?);
        }
        Ok(spans)
    })?;
    Ok(Timeline { name, spans })
}
