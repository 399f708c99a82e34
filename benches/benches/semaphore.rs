//! The semaphore family: S1 alone, S2 two take turns, S3 one lets many go.
//!
//! `cargo bench -p lockwork-bench --bench semaphore [-- OPTIONS]`

use lockwork_bench::every_semaphore;
use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell, Promise};
use lockwork_bench::harness::round::{Field, Plan, interleave};
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::verdict::Bar;
use lockwork_bench::scenarios::permits::{self, Batch, Turns};
use lockwork_bench::scenarios::solo::Solo;
use std::io;
use std::time::{Duration, Instant};

/// What this family promises.
const PROMISES: [Promise; 1] = [Promise {
    what: "acquire, release, turns",
    bar: Bar { least: 1.0, spread_limit: None },
    peers: &["sem_t"],
    covers: |cell| cell == "alone" || cell == "turns",
}];

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
        report::progress(self.cells.len(), 4, name);
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
    let journal = Journal::create("semaphore")?;
    let mut family = Family { options, plan, random, journal, cells: vec![] };

    let field = every_semaphore!(permits::alone);
    family.measure("alone", &field, &Solo { length: turn })?;
    let field = every_semaphore!(permits::turns);
    family.measure("turns", &field, &Turns { timing: Timing::lasting(turn) })?;
    for waiters in [2, 16] {
        let timing = Timing::lasting(turn.max(Duration::from_millis(20)));
        let name = format!("release({waiters}) to {waiters}");
        family.measure(&name, &every_semaphore!(permits::batch), &Batch { waiters, timing })?;
    }

    report::print("semaphore", &family.cells, &PROMISES, &family.journal.finish()?);
    Ok(())
}
