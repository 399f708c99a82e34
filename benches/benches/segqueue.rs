//! The family of queues without a bound: a pair, an empty pop and batches on one thread, threads
//! that do both, producers and consumers apart.
//!
//! `cargo bench -p lockwork-bench --bench segqueue [-- OPTIONS]`

use lockwork_bench::every_unbounded_queue;
use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell, Promise};
use lockwork_bench::harness::round::{Field, Plan, interleave};
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::verdict::Bar;
use lockwork_bench::harness::work::Work;
use lockwork_bench::scenarios::queue::{self, Alone, Crowd};
use lockwork_bench::scenarios::solo::Solo;
use std::io;
use std::time::{Duration, Instant};

/// Whose names and meanings ours are.
const CROSSBEAM: &[&str] = &["crossbeam SegQueue"];

const fn promise(what: &'static str, least: f64, covers: fn(&str) -> bool) -> Promise {
    Promise { what, bar: Bar { least, spread_limit: None }, peers: CROSSBEAM, covers }
}

/// What this family promises.
const PROMISES: [Promise; 4] = [
    promise("a pair on one thread", 1.4, |cell| cell == "pair"),
    promise("an empty pop", 1.0, |cell| cell == "empty"),
    promise("batches of 16 on one thread", 3.0, |cell| cell == "batch"),
    promise("several threads, each cell", 1.0, |cell| cell.contains("threads")),
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
        report::progress(self.cells.len(), 11, name);
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
    let journal = Journal::create("segqueue")?;
    let mut family = Family { options, plan, random, journal, cells: vec![] };

    // There is no capacity: whatever it says, there is room.
    let alone = Alone { capacity: usize::MAX, solo: Solo { length: turn } };
    family.measure("pair", &every_unbounded_queue!(queue::pair), &alone)?;
    family.measure("empty", &every_unbounded_queue!(queue::empty), &alone)?;
    family.measure("batch", &every_unbounded_queue!(queue::batches), &alone)?;
    for threads in [2, 8] {
        for think in [0, 200] {
            let timing = Timing::lasting(turn.max(Duration::from_millis(10 * threads as u64)));
            let think_time = Work::lasting(think);
            let cell = Crowd { capacity: usize::MAX, threads, think: think_time, timing };
            let name = format!("{threads} threads, think {think} ns");
            let (mixed, apart) = (format!("mixed, {name}"), format!("apart, {name}"));
            family.measure(&mixed, &every_unbounded_queue!(queue::mixed), &cell)?;
            family.measure(&apart, &every_unbounded_queue!(queue::apart), &cell)?;
        }
    }

    report::print("segqueue", &family.cells, &PROMISES, &family.journal.finish()?);
    Ok(())
}
