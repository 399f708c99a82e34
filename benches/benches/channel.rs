//! Channels with a bound: Q1 numbers from some threads to others, Q2 one number to and fro.
//!
//! `cargo bench -p lockwork-bench --bench channel [-- OPTIONS]`

use lockwork_bench::channels::{Crossbeam, Flume, Kanal, Lockwork, Std};
use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell, Promise};
use lockwork_bench::harness::round::{Field, Plan, interleave};
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::verdict::Bar;
use lockwork_bench::scenarios::stream::{self, Stream};
use std::io;
use std::time::Instant;

const PROMISES: [Promise; 1] = [Promise {
    what: "channel",
    bar: Bar { least: 1.0, spread_limit: Some(0.1) },
    peers: &["crossbeam", "kanal", "flume"],
    covers: |_| true,
}];

/// Senders, receivers, places.
const STREAMS: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (1, 1, 8),
    (1, 1, 1024),
    (1, 1, 65536),
    (2, 2, 1024),
    (4, 4, 8),
    (4, 4, 1024),
    (8, 8, 1024),
    (32, 32, 1024),
];

fn main() -> io::Result<()> {
    let options = Options::from_arguments();
    let plan = Plan::new(&options, Instant::now());
    let mut random = fastrand::Rng::with_seed(options.seed);
    let mut journal = Journal::create("channel")?;
    let timing = Timing::lasting(options.turn);

    let to_and_fro = Field::of("lockwork", stream::to_and_fro::<Lockwork>)
        .against("crossbeam", stream::to_and_fro::<Crossbeam>)
        .against("kanal", stream::to_and_fro::<Kanal>)
        .against("flume", stream::to_and_fro::<Flume>)
        .against("std", stream::to_and_fro::<Std>);
    let streams = Field::of("lockwork", stream::stream::<Lockwork>)
        .against("crossbeam", stream::stream::<Crossbeam>)
        .against("kanal", stream::stream::<Kanal>)
        .against("flume", stream::stream::<Flume>);
    let to_one = Field::of("lockwork", stream::stream::<Lockwork>)
        .against("crossbeam", stream::stream::<Crossbeam>)
        .against("kanal", stream::stream::<Kanal>)
        .against("flume", stream::stream::<Flume>)
        .against("std", stream::stream::<Std>);

    let mut cells = vec![];
    let all = std::iter::once(("to and fro".to_owned(), &to_and_fro, (1, 1, 1))).chain(
        STREAMS.map(|cell| {
            let (senders, receivers, capacity) = cell;
            let field = if receivers == 1 { &to_one } else { &streams };
            (format!("{senders} to {receivers}, {capacity} places"), field, cell)
        }),
    );
    for (name, field, (senders, receivers, capacity)) in all {
        if !name.contains(&options.filter) {
            continue;
        }
        report::progress(cells.len(), 1 + STREAMS.len(), &name);
        let cell = Stream { senders, receivers, capacity, timing };
        let rounds = interleave(field, &cell, &name, &plan, &mut random, &mut journal)?;
        cells.push(Cell { name, rounds, traced: None });
    }
    let journal = journal.finish()?;
    report::print("channel", &cells, &PROMISES, &journal);
    Ok(())
}
