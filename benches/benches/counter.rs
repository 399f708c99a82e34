//! Counters: C1 one thread, C2 two and eight on one counter; by restartable sequences, and in the
//! form for where there are none.
//!
//! `cargo bench -p lockwork-bench --bench counter [-- OPTIONS]`

use crossbeam_utils::CachePadded;
use lockwork::counter::StripedCounter;
use lockwork_bench::counters::{Counts, Portable};
use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell, Promise};
use lockwork_bench::harness::round::{Field, Plan, interleave};
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::verdict::Bar;
use lockwork_bench::scenarios::adds::{self, Crowd};
use lockwork_bench::scenarios::solo::Solo;
use std::io;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

type Sharded = fast_counter::ConcurrentCounter;
type Shared = CachePadded<AtomicU64>;

/// What this family promises.
const PROMISES: [Promise; 3] = [
    Promise {
        what: "one thread",
        bar: Bar { least: 4.0, spread_limit: None },
        peers: &["AtomicU64"],
        covers: |cell| cell == "add, 1 thread",
    },
    Promise {
        what: "several threads",
        bar: Bar { least: 8.0, spread_limit: None },
        peers: &["AtomicU64"],
        covers: |cell| cell == "add, 2 threads" || cell == "add, 8 threads",
    },
    Promise {
        what: "without restartable sequences",
        bar: Bar { least: 1.3, spread_limit: None },
        peers: &["AtomicU64"],
        covers: |cell| cell == "portable, 2 threads" || cell == "portable, 8 threads",
    },
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
        report::progress(self.cells.len(), 6, name);
        let Family { plan, random, journal, .. } = self;
        let rounds = interleave(field, cell, name, plan, random, journal)?;
        self.cells.push(Cell { name: name.to_owned(), rounds, traced: None });
        Ok(())
    }

    /// One thread, two and eight.
    fn grid<C: Counts>(&mut self, what: &str) -> io::Result<()> {
        let length = self.options.turn;
        let field = Field::of(C::NAME, adds::alone::<C>)
            .against(<Shared as Counts>::NAME, adds::alone::<Shared>)
            .against(Sharded::NAME, adds::alone::<Sharded>);
        self.measure(&format!("{what}, 1 thread"), &field, &Solo { length })?;
        let field = Field::of(C::NAME, adds::together::<C>)
            .against(<Shared as Counts>::NAME, adds::together::<Shared>)
            .against(Sharded::NAME, adds::together::<Sharded>);
        for threads in [2, 8] {
            let cell = Crowd { threads, timing: Timing::lasting(length) };
            self.measure(&format!("{what}, {threads} threads"), &field, &cell)?;
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let options = Options::from_arguments();
    let plan = Plan::new(&options, Instant::now());
    let random = fastrand::Rng::with_seed(options.seed);
    let journal = Journal::create("counter")?;
    let mut family = Family { options, plan, random, journal, cells: vec![] };
    family.grid::<StripedCounter>("add")?;
    family.grid::<Portable>("portable")?;
    report::print("counter", &family.cells, &PROMISES, &family.journal.finish()?);
    Ok(())
}
