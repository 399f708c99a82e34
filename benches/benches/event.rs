//! The family of events and counts: E1 meetings at a barrier, E2 two take turns by tokens, also by
//! the first of two, E3 one thread alone.
//!
//! `cargo bench -p lockwork-bench --bench event [-- OPTIONS]`

use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell, Promise};
use lockwork_bench::harness::round::{Field, Plan, interleave};
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::verdict::Bar;
use lockwork_bench::meetings::{PthreadBarrier, StdPark};
use lockwork_bench::scenarios::meet::{self, Meetings};
use lockwork_bench::scenarios::solo::Solo;
use lockwork_bench::selects::{AnyEvent, Selected, StdFlags};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The cell with a bar.
const EIGHT: &str = "barrier of 8";

/// The table with a bar.
const MEETINGS: &str = "event: meetings";

const PROMISES: [Promise; 1] = [Promise {
    what: "barrier",
    bar: Bar { least: 1.0, spread_limit: None },
    peers: &["std"],
    covers: |cell| cell == EIGHT,
}];

/// A run of this family, half done.
struct Family {
    options: Options,
    plan: Plan,
    random: fastrand::Rng,
    journal: Journal,
    /// By their titles.
    tables: Vec<(&'static str, Vec<Cell>)>,
}

impl Family {
    fn measure<C>(
        &mut self,
        title: &'static str,
        name: &str,
        field: &Field<C>,
        cell: &C,
    ) -> io::Result<()> {
        if !name.contains(&self.options.filter) {
            return Ok(());
        }
        report::progress(self.tables.iter().map(|table| table.1.len()).sum(), CELLS, name);
        let Family { plan, random, journal, tables, .. } = self;
        let rounds = interleave(field, cell, name, plan, random, journal)?;
        let cell = Cell { name: name.to_owned(), rounds, traced: None };
        match tables.last_mut().filter(|table| table.0 == title) {
            Some(table) => table.1.push(cell),
            None => tables.push((title, vec![cell])),
        }
        Ok(())
    }
}

const PARTIES: [usize; 3] = [2, 8, 64];

/// Barriers, turns, turns of two, set and reset, a token with and without `Arc`.
const CELLS: usize = PARTIES.len() + 2 + 3;

fn main() -> io::Result<()> {
    let options = Options::from_arguments();
    let (plan, turn) = (Plan::new(&options, Instant::now()), options.turn);
    let random = fastrand::Rng::with_seed(options.seed);
    let journal = Journal::create("event")?;
    let mut family = Family { options, plan, random, journal, tables: vec![] };

    let barriers = Field::of("lockwork", meet::meet::<lockwork::Barrier>)
        .against("std", meet::meet::<std::sync::Barrier>)
        .against("pthread", meet::meet::<PthreadBarrier>);
    for parties in PARTIES {
        let timing = Timing::lasting(turn.max(Duration::from_millis(parties as u64)));
        family.measure(
            MEETINGS,
            &format!("barrier of {parties}"),
            &barriers,
            &Meetings { parties, timing },
        )?;
    }

    let tokens = Field::of("lockwork", meet::turns::<Arc<lockwork::Event>>)
        .against("lockwork Parker", meet::turns::<lockwork::Parker>)
        .against("crossbeam", meet::turns::<crossbeam_utils::sync::Parker>)
        .against("std", meet::turns::<StdPark>);
    let cell = Meetings { parties: 2, timing: Timing::lasting(turn) };
    family.measure("event: turns", "turns", &tokens, &cell)?;

    let selects = Field::of("lockwork wait_any", meet::turns::<AnyEvent>)
        .against("crossbeam-channel", meet::turns::<Selected>)
        .against("std flags", meet::turns::<StdFlags>)
        .against("lockwork Event alone", meet::turns::<Arc<lockwork::Event>>);
    family.measure("event: first of two", "turns, first of two", &selects, &cell)?;

    let solo = Solo { length: turn };
    let events = Field::of("lockwork", meet::set).against("std", meet::std_set);
    family.measure("event: alone", "set and reset, nobody waits", &events, &solo)?;
    let groups = Field::of("lockwork", meet::group).against("crossbeam", meet::crossbeam_group);
    family.measure("event: groups, alone", "group: one more, one less", &groups, &solo)?;
    let groups = Field::of("lockwork", meet::group_arc).against("crossbeam", meet::crossbeam_group);
    family.measure("event: groups, alone", "group: one more, one less, by Arc", &groups, &solo)?;

    let journal = family.journal.finish()?;
    // A table for each set of peers.
    for (title, cells) in family.tables {
        report::print(title, &cells, if title == MEETINGS { &PROMISES } else { &[] }, &journal);
    }
    Ok(())
}
