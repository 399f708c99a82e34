//! A crew of threads: seated, warmed, timed in windows, stopped.
//!
//! Threads are created and seated at a spinning barrier before any clock runs. Released, they do
//! the real work through the warm-up, so that the measured time starts in the steady state and
//! not with a stampede. From then on the main thread only advances one number, the *phase*, at
//! the end of each window; a worker looks at it once per operation, a load that hits its own
//! cache, and files what it did under the window it was in. Nothing is created, joined or
//! allocated while the clock runs.

use super::usage::Usage;
use crossbeam_utils::CachePadded;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread;
use std::time::{Duration, Instant};

/// Phases: the barrier, the warm-up, the windows (2, 3, 4, ...), the end.
const SEATING: u32 = 0;
const WARM_UP: u32 = 1;
const FIRST_WINDOW: u32 = 2;
const OVER: u32 = u32::MAX;

/// How long one run takes.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Before the clock starts.
    pub warm_up: Duration,
    /// Length of a window.
    pub window: Duration,
    /// Number of windows.
    pub windows: u32,
}

impl Timing {
    /// Measures for `length`, in windows of 10 ms, or of `length` if that is shorter, after a
    /// warm-up of an eighth.
    #[must_use]
    pub fn lasting(length: Duration) -> Timing {
        let window = length.min(Duration::from_millis(10));
        let windows = length.as_nanos().div_ceil(window.as_nanos().max(1)).max(1);
        let warm_up = (length / 8).max(Duration::from_millis(1));
        Timing { warm_up, window, windows: windows as u32 }
    }
}

/// The shared part: who is seated, and which phase it is.
#[derive(Debug)]
struct Stage {
    phase: CachePadded<AtomicU32>,
    seated: CachePadded<AtomicU32>,
}

/// A worker's place: it says when to stop, and counts.
#[derive(Debug)]
pub struct Seat<'a> {
    stage: &'a Stage,
    phase: u32,
    ops: u64,
    windows: Vec<u64>,
    opened: Usage,
    closed: Usage,
}

impl Seat<'_> {
    /// To be asked before each operation: false once the run is over.
    #[inline]
    pub fn proceed(&mut self) -> bool {
        // Relaxed: a hint about time. No data is read through it.
        let phase = self.stage.phase.load(Relaxed);
        if phase == self.phase { true } else { self.turn(phase) }
    }

    /// Counts `ops` finished operations.
    #[inline]
    pub fn count(&mut self, ops: u64) {
        self.ops += ops;
    }

    /// Is the clock running?
    #[inline]
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.phase >= FIRST_WINDOW
    }

    /// Files the window that has ended and starts the next.
    #[cold]
    fn turn(&mut self, phase: u32) -> bool {
        match self.phase {
            WARM_UP => self.opened = Usage::of_this_thread(),
            OVER => return false,
            window => self.windows[(window - FIRST_WINDOW) as usize] += self.ops,
        }
        if phase == OVER {
            self.closed = Usage::of_this_thread();
        }
        self.ops = 0;
        self.phase = phase;
        phase != OVER
    }
}

/// What the crew did while the clock ran.
#[derive(Debug)]
pub struct Performance {
    /// By the main thread's clock.
    pub seconds: f64,
    /// Operations, by thread and window.
    pub counts: Vec<Vec<u64>>,
    /// Of all workers together.
    pub usage: Usage,
}

/// Runs `part(index, seat)` on `threads` threads for the time that `timing` says. A part loops
/// while [`Seat::proceed`] is true, or until a colleague tells it that the run is over; what the
/// parts return comes back in the order of their index.
///
/// # Panics
///
/// With the panic of a part.
pub fn perform<R: Send>(
    timing: &Timing,
    threads: usize,
    part: impl Fn(usize, &mut Seat<'_>) -> R + Sync,
) -> (Performance, Vec<R>) {
    let stage = Stage {
        phase: CachePadded::new(AtomicU32::new(SEATING)),
        seated: CachePadded::new(AtomicU32::new(0)),
    };
    let (stage, part) = (&stage, &part);
    let windows = timing.windows as usize;

    thread::scope(|scope| {
        let crew: Vec<_> = (0..threads)
            .map(|index| {
                scope.spawn(move || {
                    let mut seat = Seat {
                        stage,
                        phase: WARM_UP,
                        ops: 0,
                        windows: vec![0; windows],
                        opened: Usage::default(),
                        closed: Usage::default(),
                    };
                    stage.take_a_seat();
                    let result = part(index, &mut seat);
                    // A part that was told by a colleague may not have looked at the end.
                    seat.turn(OVER);
                    (seat.windows, seat.closed - seat.opened, result)
                })
            })
            .collect();

        stage.wait_until_seated(threads);
        stage.phase.store(WARM_UP, Release);
        thread::sleep(timing.warm_up);
        let start = Instant::now();
        for window in 0..timing.windows {
            stage.phase.store(FIRST_WINDOW + window, Relaxed);
            // By the start and not by the last window: lateness must not add up.
            let end = timing.window * (window + 1);
            thread::sleep(end.saturating_sub(start.elapsed()));
        }
        stage.phase.store(OVER, Relaxed);
        let seconds = start.elapsed().as_secs_f64();

        let mut performance = Performance { seconds, counts: vec![], usage: Usage::default() };
        let mut results = Vec::with_capacity(threads);
        for worker in crew {
            let (counts, usage, result) =
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            performance.counts.push(counts);
            performance.usage += usage;
            results.push(result);
        }
        (performance, results)
    })
}

impl Stage {
    fn take_a_seat(&self) {
        self.seated.fetch_add(1, Release);
        // Acquire: pairs with the release by the main thread, after it has seen all seated.
        while self.phase.load(Acquire) == SEATING {
            // There may be more threads than cores: let the others come to their seats.
            thread::yield_now();
        }
    }

    fn wait_until_seated(&self, threads: usize) {
        while self.seated.load(Acquire) as usize != threads {
            thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_of_every_thread_is_filed_once() {
        let timing = Timing {
            warm_up: Duration::from_millis(1),
            window: Duration::from_millis(2),
            windows: 3,
        };
        let (performance, measured) = perform(&timing, 3, |_, seat| {
            let mut measured = 0;
            while seat.proceed() {
                seat.count(1);
                measured += u64::from(seat.is_measured());
            }
            measured
        });
        assert_eq!(performance.counts.len(), 3);
        for (windows, measured) in performance.counts.iter().zip(measured) {
            assert_eq!(windows.len(), 3);
            assert_eq!(windows.iter().sum::<u64>(), measured);
        }
        assert!(performance.seconds >= 0.006, "{} s", performance.seconds);
    }

    #[test]
    fn a_part_that_never_looks_counts_nothing() {
        let timing = Timing::lasting(Duration::from_millis(1));
        let (performance, _) = perform(&timing, 1, |_, seat| seat.count(7));
        assert_eq!(performance.counts, [[0]]);
    }
}
