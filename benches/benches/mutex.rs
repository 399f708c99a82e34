//! The mutex family: M1 alone, M2 to M5 in company, against every peer.
//!
//! `cargo bench -p lockwork-bench --bench mutex [-- OPTIONS]`

use lockwork_bench::every_lock;
use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell, Promise, STABLE_SPREAD};
use lockwork_bench::harness::round::{Plan, interleave};
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::verdict::Bar;
use lockwork_bench::harness::work::Work;
use lockwork_bench::scenarios::contended::{self, Contended};
use lockwork_bench::scenarios::solo::{self, Solo};
use std::io;
use std::time::{Duration, Instant};

/// The one cell without company.
const ALONE: &str = "1 thread";

/// What this family promises.
const PROMISES: [Promise; 2] = [
    Promise {
        what: "uncontended",
        bar: Bar { least: 0.97, spread_limit: None },
        peers: &["std", "parking_lot", "usync"],
        covers: |cell| cell == ALONE,
    },
    Promise {
        what: "contended",
        bar: Bar { least: 0.85, spread_limit: Some(STABLE_SPREAD) },
        peers: &["std"],
        covers: |cell| cell != ALONE,
    },
];

/// Threads, section in ns, think time as a multiple of the section.
#[derive(Clone, Copy)]
struct Point {
    threads: usize,
    section: u64,
    think: u64,
}

impl Point {
    fn name(self) -> String {
        let Point { threads, section, think } = self;
        format!("{threads} threads, section {section} ns, think {think}x")
    }

    /// The cell, for rounds that last `turn`, or longer if so many threads need more.
    fn cell(self, turn: Duration) -> Contended {
        // An empty section still takes a locked instruction or two: think times are multiples of
        // about that.
        let think = self.think * self.section.max(20);
        Contended {
            threads: self.threads,
            section: Work::lasting(self.section),
            think: Work::lasting(think),
            timing: Timing::lasting(turn.max(self.least_turn())),
        }
    }

    /// Time in which every thread gets to run on two cores, if the scheduler lets it.
    fn least_turn(self) -> Duration {
        Duration::from_micros(1500 * self.threads as u64)
    }
}

/// The corners of the grid, and its middle; or all of it.
fn grid(full: bool) -> Vec<Point> {
    let loads: Vec<(u64, u64)> = if full {
        let thinks = [0, 1, 4, 16];
        let sections = [0, 20, 100, 500];
        sections.into_iter().flat_map(|s| thinks.map(|think| (s, think))).collect()
    } else {
        vec![(0, 0), (20, 1), (100, 0), (100, 4), (500, 1)]
    };
    let threads = [2, 4, 8, 64];
    let points = threads.into_iter().flat_map(|threads| {
        loads.iter().map(move |&(section, think)| Point { threads, section, think })
    });
    points.collect()
}

fn main() -> io::Result<()> {
    let options = Options::from_arguments();
    let plan = Plan::new(&options, Instant::now());
    let mut random = fastrand::Rng::with_seed(options.seed);
    let mut journal = Journal::create("mutex")?;
    let mut cells = vec![];

    let points: Vec<Point> = grid(options.full)
        .into_iter()
        .filter(|point| point.name().contains(&options.filter))
        .collect();
    let total = 1 + points.len();

    if ALONE.contains(&options.filter) {
        report::progress(0, total, ALONE);
        let (field, cell) = (every_lock!(solo::lock_unlock), Solo { length: options.turn });
        let rounds = interleave(&field, &cell, ALONE, &plan, &mut random, &mut journal)?;
        cells.push(Cell { name: ALONE.to_owned(), rounds, traced: None });
    }

    let (free, traced) = (every_lock!(contended::free), every_lock!(contended::traced));
    for (index, point) in points.into_iter().enumerate() {
        let name = point.name();
        report::progress(1 + index, total, &name);
        let rounds =
            interleave(&free, &point.cell(options.turn), &name, &plan, &mut random, &mut journal)?;
        // Long waits need time to happen.
        let long = point.cell(4 * options.turn.max(point.least_turn()));
        let traced = interleave(&traced, &long, &name, &plan.traced(), &mut random, &mut journal)?;
        cells.push(Cell { name, rounds, traced: Some(traced) });
    }
    report::print("mutex", &cells, &PROMISES, &journal.finish()?);
    Ok(())
}
