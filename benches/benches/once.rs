//! What is made once and then read, and sequence locks: O1 to O3 read what is there, S1 to S3 read
//! a value of 8, 16 and 64 bytes, S4 writes one.
//!
//! `cargo bench -p lockwork-bench --bench once [-- OPTIONS]`

use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell, Promise, STABLE_SPREAD};
use lockwork_bench::harness::round::{Field, Plan, interleave};
use lockwork_bench::harness::sample::Sample;
use lockwork_bench::harness::verdict::Bar;
use lockwork_bench::onces::{Cached, Snapshot};
use lockwork_bench::scenarios::reads;
use lockwork_bench::scenarios::solo::Solo;
use std::io;
use std::time::Instant;

/// What this family promises. Two fast paths that are the same differ by the noise alone, so the
/// bar is as far below 1 as that.
const PROMISES: [Promise; 2] = [
    Promise {
        what: "made once",
        bar: Bar { least: 0.97, spread_limit: Some(STABLE_SPREAD) },
        peers: &["std"],
        covers: |cell| cell.starts_with("Once") || cell.starts_with("LazyLock"),
    },
    Promise {
        what: "SeqLock",
        bar: Bar { least: 0.97, spread_limit: Some(STABLE_SPREAD) },
        peers: &["seqlock"],
        covers: |cell| cell.starts_with("SeqLock, read"),
    },
];

/// A subject and its peer.
fn pair<A: Cached, B: Cached>() -> Field<Solo> {
    Field::of(A::NAME, reads::cached::<A>).against(B::NAME, reads::cached::<B>)
}

type Ours<const WORDS: usize> = lockwork::SeqLock<[u64; WORDS]>;
type Theirs<const WORDS: usize> = seqlock::SeqLock<[u64; WORDS]>;
type Locked<const WORDS: usize> = parking_lot::RwLock<[u64; WORDS]>;

fn snapshots<const WORDS: usize>(
    ours: fn(&Solo) -> Sample,
    theirs: fn(&Solo) -> Sample,
    locked: fn(&Solo) -> Sample,
) -> Field<Solo> {
    Field::of(<Ours<WORDS> as Snapshot<WORDS>>::NAME, ours)
        .against(<Theirs<WORDS> as Snapshot<WORDS>>::NAME, theirs)
        .against(<Locked<WORDS> as Snapshot<WORDS>>::NAME, locked)
}

/// Readers of so many words.
fn readers<const WORDS: usize>() -> Field<Solo> {
    snapshots::<WORDS>(
        reads::snapshot::<Ours<WORDS>, WORDS>,
        reads::snapshot::<Theirs<WORDS>, WORDS>,
        reads::snapshot::<Locked<WORDS>, WORDS>,
    )
}

fn writers<const WORDS: usize>() -> Field<Solo> {
    snapshots::<WORDS>(
        reads::write::<Ours<WORDS>, WORDS>,
        reads::write::<Theirs<WORDS>, WORDS>,
        reads::write::<Locked<WORDS>, WORDS>,
    )
}

fn main() -> io::Result<()> {
    let options = Options::from_arguments();
    let plan = Plan::new(&options, Instant::now());
    let mut random = fastrand::Rng::with_seed(options.seed);
    let mut journal = Journal::create("once")?;
    let once = pair::<lockwork::Once, std::sync::Once>()
        .against(<parking_lot::Once as Cached>::NAME, reads::cached::<parking_lot::Once>);
    let fields = [
        ("Once::call_once, done", once),
        (
            "OnceLock::get_or_init, there",
            pair::<lockwork::OnceLock<u64>, std::sync::OnceLock<u64>>(),
        ),
        ("LazyLock, there", pair::<lockwork::LazyLock<u64>, std::sync::LazyLock<u64>>()),
        ("SeqLock, read 8 bytes", readers::<1>()),
        ("SeqLock, read 16 bytes", readers::<2>()),
        ("SeqLock, read 64 bytes", readers::<8>()),
        ("SeqLock, write 16 bytes", writers::<2>()),
    ];
    let mut cells = vec![];
    for (index, (name, field)) in fields.iter().enumerate() {
        if name.contains(&options.filter) {
            report::progress(index, fields.len(), name);
            let cell = Solo { length: options.turn };
            let rounds = interleave(field, &cell, name, &plan, &mut random, &mut journal)?;
            cells.push(Cell { name: (*name).to_owned(), rounds, traced: None });
        }
    }
    report::print("once", &cells, &PROMISES, &journal.finish()?);
    Ok(())
}
