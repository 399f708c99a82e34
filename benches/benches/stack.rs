//! The stack family: K1 alone, K2 pairs by 2 and 8 threads, K3 batches.
//!
//! `cargo bench -p lockwork-bench --bench stack [-- OPTIONS]`

use lockwork::stack::{ArrayStack, TaggedStack};
use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell, Promise};
use lockwork_bench::harness::round::{Field, Plan, interleave};
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::verdict::Bar;
use lockwork_bench::scenarios::solo::Solo;
use lockwork_bench::scenarios::stacks::{self, Pairs};
use lockwork_bench::stacks::{Epochs, OneByOne, Stacks};
use std::io;
use std::sync::Mutex;
use std::time::Instant;

type Array = ArrayStack<u64>;
type Tagged = TaggedStack<u64>;
type StdVec = Mutex<Vec<u64>>;
type OurVec = lockwork::Mutex<Vec<u64>>;

const VECS: &[&str] = &[StdVec::NAME, OurVec::NAME];

const fn at_least(least: f64) -> Bar {
    Bar { least, spread_limit: None }
}

/// What this family promises.
const PROMISES: [Promise; 5] = [
    Promise {
        what: "ArrayStack, alone",
        bar: at_least(0.8),
        peers: VECS,
        covers: |cell| cell == "array, alone",
    },
    Promise {
        what: "ArrayStack, several threads",
        bar: at_least(1.5),
        peers: VECS,
        covers: |cell| cell.starts_with("array, ") && cell.ends_with("threads"),
    },
    Promise {
        what: "both, alone",
        bar: at_least(1.7),
        peers: &[Epochs::NAME],
        covers: |cell| cell.ends_with("alone"),
    },
    Promise {
        what: "both, several threads",
        bar: at_least(1.5),
        peers: &[Epochs::NAME],
        covers: |cell| cell.ends_with("threads"),
    },
    Promise {
        what: "batches of 32",
        bar: at_least(8.0),
        peers: &[<OneByOne<Array> as Stacks>::NAME],
        covers: |cell| cell.ends_with("batches"),
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
        report::progress(self.cells.len(), 8, name);
        let Family { plan, random, journal, .. } = self;
        let rounds = interleave(field, cell, name, plan, random, journal)?;
        self.cells.push(Cell { name: name.to_owned(), rounds, traced: None });
        Ok(())
    }
}

/// A stack against everybody.
macro_rules! against_all {
    ($stack:ident, $run:path) => {{
        use $run as run;
        Field::of($stack::NAME, run::<$stack>)
            .against(StdVec::NAME, run::<StdVec>)
            .against(OurVec::NAME, run::<OurVec>)
            .against(Epochs::NAME, run::<Epochs>)
    }};
}

fn main() -> io::Result<()> {
    let options = Options::from_arguments();
    let (plan, turn) = (Plan::new(&options, Instant::now()), options.turn);
    let random = fastrand::Rng::with_seed(options.seed);
    let journal = Journal::create("stack")?;
    let mut family = Family { options, plan, random, journal, cells: vec![] };

    let solo = Solo { length: turn };
    family.measure("array, alone", &against_all!(Array, stacks::alone), &solo)?;
    family.measure("tagged, alone", &against_all!(Tagged, stacks::alone), &solo)?;
    for threads in [2, 8] {
        let cell = Pairs { threads, timing: Timing::lasting(turn) };
        let array = against_all!(Array, stacks::pairs);
        family.measure(&format!("array, {threads} threads"), &array, &cell)?;
        let tagged = against_all!(Tagged, stacks::pairs);
        family.measure(&format!("tagged, {threads} threads"), &tagged, &cell)?;
    }
    let field = Field::of(Array::NAME, stacks::batches::<Array>)
        .against(<OneByOne<Array>>::NAME, stacks::batches::<OneByOne<Array>>);
    family.measure("array, batches", &field, &solo)?;
    let field = Field::of(Tagged::NAME, stacks::batches::<Tagged>)
        .against(<OneByOne<Tagged>>::NAME, stacks::batches::<OneByOne<Tagged>>);
    family.measure("tagged, batches", &field, &solo)?;

    report::print("stack", &family.cells, &PROMISES, &family.journal.finish()?);
    Ok(())
}
