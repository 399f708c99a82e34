//! The queue family: Q1 a pair and Q2 an empty pop on one thread, Q3 batches, Q4 threads that do
//! both, Q5 producers and consumers apart, Q6 two ends.
//!
//! `cargo bench -p lockwork-bench --bench queue [-- OPTIONS]`

use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell, Promise, STABLE_SPREAD};
use lockwork_bench::harness::round::{Field, Plan, interleave};
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::verdict::Bar;
use lockwork_bench::harness::work::Work;
use lockwork_bench::scenarios::queue::{self, Alone, Crowd};
use lockwork_bench::scenarios::solo::Solo;
use lockwork_bench::{every_queue, every_ring};
use std::io;
use std::time::{Duration, Instant};

/// Whose names and meanings ours are.
const CROSSBEAM: &[&str] = &["crossbeam ArrayQueue"];

/// The others.
const OTHERS: &[&str] =
    &["concurrent-queue", "crossbeam-channel", "kanal", "flume", "Mutex<VecDeque>"];

/// What this family promises.
const PROMISES: [Promise; 6] = [
    Promise {
        what: "a pair on one thread",
        bar: Bar { least: 0.97, spread_limit: None },
        peers: CROSSBEAM,
        covers: |cell| cell.starts_with("pair"),
    },
    Promise {
        what: "an empty pop",
        bar: Bar { least: 3.0, spread_limit: None },
        peers: CROSSBEAM,
        covers: |cell| cell.starts_with("empty"),
    },
    Promise {
        what: "batches of 16 on one thread",
        bar: Bar { least: 4.0, spread_limit: None },
        peers: CROSSBEAM,
        covers: |cell| cell.starts_with("batch"),
    },
    Promise {
        what: "several threads, each cell",
        bar: Bar { least: 0.8, spread_limit: Some(STABLE_SPREAD) },
        peers: CROSSBEAM,
        covers: |cell| cell.contains("threads"),
    },
    Promise {
        what: "several threads, each cell, others",
        bar: Bar { least: 0.8, spread_limit: Some(STABLE_SPREAD) },
        peers: OTHERS,
        covers: |cell| cell.contains("threads"),
    },
    Promise {
        what: "two ends",
        bar: Bar { least: 1.0, spread_limit: None },
        peers: &["rtrb"],
        covers: |cell| cell.starts_with("ends"),
    },
];

const CAPACITIES: [(usize, &str); 4] = [(1, "1"), (8, "8"), (1 << 10, "1k"), (1 << 16, "64k")];

/// A run of this family, half done.
struct Family {
    options: Options,
    plan: Plan,
    random: fastrand::Rng,
    journal: Journal,
    cells: Vec<Cell>,
}

impl Family {
    fn measure<C>(&mut self, name: &str, field: &Field<C>, cell: &C) -> io::Result<()> {
        if !name.contains(&self.options.filter) {
            return Ok(());
        }
        report::progress(self.cells.len(), 68, name);
        let Family { plan, random, journal, .. } = self;
        let rounds = interleave(field, cell, name, plan, random, journal)?;
        self.cells.push(Cell { name: name.to_owned(), rounds, traced: None });
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let options = Options::from_arguments();
    let (plan, turn) = (Plan::new(&options, Instant::now()), options.turn);
    let random = fastrand::Rng::with_seed(options.seed);
    let journal = Journal::create("queue")?;
    let mut family = Family { options, plan, random, journal, cells: vec![] };
    let solo = Solo { length: turn };

    for (capacity, text) in CAPACITIES {
        let cell = Alone { capacity, solo };
        family.measure(&format!("pair, capacity {text}"), &every_queue!(queue::pair), &cell)?;
        family.measure(&format!("empty, capacity {text}"), &every_queue!(queue::empty), &cell)?;
        family.measure(&format!("ends, {text}"), &every_ring!(queue::ends_alone), &cell)?;
        if capacity > 8 {
            let (batch, ends) =
                (format!("batch, capacity {text}"), format!("ends, {text}, slices"));
            family.measure(&batch, &every_queue!(queue::batches), &cell)?;
            family.measure(&ends, &every_ring!(queue::ends_slices), &cell)?;
        }
    }
    for (capacity, text) in CAPACITIES {
        for threads in [2, 4, 8] {
            for think in [0, 200] {
                let timing = Timing::lasting(turn.max(Duration::from_millis(10 * threads as u64)));
                let cell = Crowd { capacity, threads, think: Work::lasting(think), timing };
                let name = format!("{threads} threads, capacity {text}, think {think} ns");
                let (mixed, apart) = (format!("mixed, {name}"), format!("apart, {name}"));
                family.measure(&mixed, &every_queue!(queue::mixed), &cell)?;
                family.measure(&apart, &every_queue!(queue::apart), &cell)?;
            }
        }
        let timing = Timing::lasting(turn.max(Duration::from_millis(20)));
        let cell = Crowd { capacity, threads: 2, think: Work::default(), timing };
        family.measure(
            &format!("ends, {text}, two cores"),
            &every_ring!(queue::ends_apart),
            &cell,
        )?;
    }

    report::print("queue", &family.cells, &PROMISES, &family.journal.finish()?);
    Ok(())
}
