//! The reader-writer lock family: R1 alone, R2 and R3 in company, against every peer.
//!
//! `cargo bench -p lockwork-bench --bench rwlock [-- OPTIONS]`

use lockwork_bench::every_rwlock;
use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell, Promise, STABLE_SPREAD};
use lockwork_bench::harness::round::{Plan, interleave};
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::verdict::Bar;
use lockwork_bench::harness::work::Work;
use lockwork_bench::scenarios::read_write::{self, ReadWrite};
use lockwork_bench::scenarios::solo::Solo;
use std::io;
use std::time::{Duration, Instant};

/// The cells without company begin with this.
const ALONE: &str = "1 thread";

/// What this family promises.
const PROMISES: [Promise; 3] = [
    Promise {
        what: "uncontended",
        bar: Bar { least: 0.97, spread_limit: None },
        peers: &["std", "parking_lot", "usync", "pthread"],
        covers: |cell| cell.starts_with(ALONE),
    },
    Promise {
        what: "contended",
        bar: Bar { least: 1.0, spread_limit: Some(STABLE_SPREAD) },
        peers: &["std"],
        covers: |cell| !cell.starts_with(ALONE),
    },
    Promise {
        what: "contended",
        bar: Bar { least: 0.8, spread_limit: Some(STABLE_SPREAD) },
        peers: &["parking_lot"],
        covers: |cell| !cell.starts_with(ALONE),
    },
];

/// Threads, writes in a hundred, section in ns, think time as a multiple of the section.
#[derive(Clone, Copy)]
struct Point {
    threads: usize,
    writes: u32,
    section: u64,
    think: u64,
}

impl Point {
    fn name(self) -> String {
        let Point { threads, writes, section, think } = self;
        format!("{threads} threads, {writes} % writes, section {section} ns, think {think}x")
    }

    /// The cell, for rounds that last `turn`, or longer if so many threads need more.
    fn cell(self, turn: Duration) -> ReadWrite {
        // An empty section still takes a locked instruction or two.
        let think = self.think * self.section.max(20);
        ReadWrite {
            threads: self.threads,
            writes: self.writes,
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

/// Every share of writes, under full load and with pauses; or under all loads.
fn grid(full: bool) -> Vec<Point> {
    let loads: Vec<(u64, u64)> = if full {
        [0, 20, 100, 500].into_iter().flat_map(|s| [0, 1, 4].map(|think| (s, think))).collect()
    } else {
        vec![(100, 0), (100, 4)]
    };
    let mut points = vec![];
    for threads in [2, 8] {
        for writes in [0, 1, 10, 50] {
            let point = |&(section, think)| Point { threads, writes, section, think };
            points.extend(loads.iter().map(point));
        }
    }
    points
}

fn main() -> io::Result<()> {
    let options = Options::from_arguments();
    let plan = Plan::new(&options, Instant::now());
    let mut random = fastrand::Rng::with_seed(options.seed);
    let mut journal = Journal::create("rwlock")?;
    let mut cells = vec![];

    let alone = [
        (format!("{ALONE}, read"), every_rwlock!(read_write::alone_reading)),
        (format!("{ALONE}, write"), every_rwlock!(read_write::alone_writing)),
    ];
    let wanted = |name: &str| name.contains(&options.filter);
    let alone: Vec<_> = alone.into_iter().filter(|(name, _)| wanted(name)).collect();
    let points: Vec<Point> =
        grid(options.full).into_iter().filter(|point| wanted(&point.name())).collect();
    let total = alone.len() + points.len();

    for (name, field) in alone {
        report::progress(cells.len(), total, &name);
        let cell = Solo { length: options.turn };
        let rounds = interleave(&field, &cell, &name, &plan, &mut random, &mut journal)?;
        cells.push(Cell { name, rounds, traced: None });
    }

    let (free, traced) = (every_rwlock!(read_write::free), every_rwlock!(read_write::traced));
    for point in points {
        let name = point.name();
        report::progress(cells.len(), total, &name);
        let rounds =
            interleave(&free, &point.cell(options.turn), &name, &plan, &mut random, &mut journal)?;
        // Long waits need time to happen.
        let long = point.cell(4 * options.turn.max(point.least_turn()));
        let traced = interleave(&traced, &long, &name, &plan.traced(), &mut random, &mut journal)?;
        cells.push(Cell { name, rounds, traced: Some(traced) });
    }
    report::print("rwlock", &cells, &PROMISES, &journal.finish()?);
    Ok(())
}
