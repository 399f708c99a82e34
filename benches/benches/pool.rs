//! The thread pools: tasks that do nothing.
//!
//! `cargo bench -p lockwork-bench --bench pool [-- OPTIONS]`

use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell, Promise};
use lockwork_bench::harness::round::{Field, Plan, interleave};
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::verdict::Bar;
use lockwork_bench::scenarios::tasks::{self, Tasks};
use lockwork_bench::{every_deep_pool, every_pool};
use std::io;
use std::time::{Duration, Instant};

const PEERS: &[&str] = &["rayon", "threadpool", "rusty_pool"];

const fn bar(least: f64) -> Bar {
    Bar { least, spread_limit: None }
}

/// What this family promises.
const PROMISES: [Promise; 5] = [
    Promise { what: "execute", bar: bar(1.2), peers: PEERS, covers: |cell| cell == "execute" },
    Promise {
        what: "execute from four threads",
        bar: bar(1.5),
        peers: PEERS,
        covers: |cell| cell == "execute from four",
    },
    Promise {
        what: "submit and join",
        bar: bar(1.2),
        peers: PEERS,
        covers: |cell| cell == "submit and join",
    },
    Promise {
        what: "round trip",
        bar: bar(1.0),
        peers: PEERS,
        covers: |cell| cell == "round trip",
    },
    Promise { what: "tree", bar: bar(1.0), peers: &["rayon"], covers: |cell| cell == "tree" },
];

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
        report::progress(self.cells.len(), 5, name);
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
    let journal = Journal::create("pool")?;
    let mut family = Family { options, plan, random, journal, cells: vec![] };

    // A round of tasks takes some milliseconds.
    let cell = Tasks { timing: Timing::lasting(turn.max(Duration::from_millis(100))) };
    family.measure("execute", &every_pool!(tasks::execute), &cell)?;
    family.measure("execute from four", &every_pool!(tasks::execute_from_four), &cell)?;
    family.measure("submit and join", &every_pool!(tasks::submit_and_join), &cell)?;
    family.measure("round trip", &every_pool!(tasks::round_trip), &cell)?;
    // A worker of ours that finds the queue full runs the new task itself: with room for all, the
    // tree is a matter of queueing for everybody.
    family.measure("tree", &every_deep_pool!(tasks::tree), &cell)?;

    report::print("pool", &family.cells, &PROMISES, &family.journal.finish()?);
    Ok(())
}
