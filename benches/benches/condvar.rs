//! The condition variable family: C1 nobody waits, C2 two take turns, C3 one wakes many, C4 the
//! bounded buffer.
//!
//! `cargo bench -p lockwork-bench --bench condvar [-- OPTIONS]`

use lockwork_bench::every_condvar;
use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell, Shown, Table};
use lockwork_bench::harness::round::{Field, Plan, interleave};
use lockwork_bench::harness::sample::Sample;
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::stats::median;
use lockwork_bench::harness::verdict::{Bar, Verdict};
use lockwork_bench::harness::work::Work;
use lockwork_bench::scenarios::bounded_buffer::{self, BoundedBuffer};
use lockwork_bench::scenarios::broadcast::{self, Broadcast, Order};
use lockwork_bench::scenarios::notify;
use lockwork_bench::scenarios::ping_pong::{self, PingPong};
use lockwork_bench::scenarios::solo::Solo;
use std::io;
use std::time::{Duration, Instant};

/// A run of this family, half done.
struct Family {
    options: Options,
    plan: Plan,
    random: fastrand::Rng,
    journal: Journal,
    cells: Vec<Cell>,
}

impl Family {
    fn measure<C>(&mut self, name: String, field: &Field<C>, cell: &C) -> io::Result<()> {
        if !name.contains(&self.options.filter) {
            return Ok(());
        }
        report::progress(self.cells.len(), CELLS, &name);
        let Family { plan, random, journal, .. } = self;
        let rounds = interleave(field, cell, &name, plan, random, journal)?;
        self.cells.push(Cell { name, rounds, traced: None });
        Ok(())
    }
}

/// Waiters, and for how many microseconds the caller keeps the lock.
const BROADCASTS: [(usize, u64); 6] = [(2, 0), (2, 5), (8, 0), (8, 5), (64, 0), (64, 5)];

/// When the caller notifies, in words.
const ORDERS: [(Order, &str); 3] =
    [(Order::Under, "under the lock"), (Order::After, "after it"), (Order::Held, "held")];

/// How the names of the cells begin that are about context switches.
const HELD: &str = "notify_all held";

/// Their switches over ours: the waiters of a lock that is held are moved, and woken once.
const SAVING: Bar = Bar { least: 2.0, spread_limit: None };

/// Two notifications, one ping-pong, two buffers, and the above.
const CELLS: usize = 5 + BROADCASTS.len() * ORDERS.len();

fn main() -> io::Result<()> {
    let options = Options::from_arguments();
    let (plan, turn) = (Plan::new(&options, Instant::now()), options.turn);
    let random = fastrand::Rng::with_seed(options.seed);
    let journal = Journal::create("condvar")?;
    let mut family = Family { options, plan, random, journal, cells: vec![] };

    let solo = Solo { length: turn };
    family.measure("notify_one, nobody waits".into(), &every_condvar!(notify::one), &solo)?;
    family.measure("notify_all, nobody waits".into(), &every_condvar!(notify::all), &solo)?;

    let timing = Timing::lasting(turn);
    let ping_pong = PingPong { timing };
    family.measure("ping-pong".into(), &every_condvar!(ping_pong::run), &ping_pong)?;

    let field = every_condvar!(broadcast::run);
    let broadcasts = BROADCASTS.into_iter().flat_map(|cell| ORDERS.map(|order| (cell, order)));
    for ((waiters, micros), (order, word)) in broadcasts {
        let name = format!("notify_all {word}, {waiters} waiters, hold {micros} us");
        // A cycle of 64 waiters takes a good part of a millisecond.
        let timing = Timing::lasting(turn.max(Duration::from_millis(waiters as u64)));
        let hold = Work::lasting(1000 * micros);
        family.measure(name, &field, &Broadcast { waiters, order, hold, timing })?;
    }

    let field = every_condvar!(bounded_buffer::run);
    for consumers in [1, 4] {
        let name = format!("bounded buffer, 1 producer to {consumers}");
        family.measure(name, &field, &BoundedBuffer { consumers, timing })?;
    }

    report::print("condvar", &family.cells, &[], &family.journal.finish()?);
    let held = family.cells.iter().filter(|cell| cell.name.starts_with(HELD));
    println!("\n## Context switches per waiter, held\n\n{}", switches(held));
    Ok(())
}

/// Context switches of the whole crew per waiter woken, waiting and preempted ones together.
fn of_both_kinds(sample: &Sample) -> f64 {
    let (voluntary, involuntary) = sample.switches();
    voluntary + involuntary
}

/// Ratios are ours over theirs; the bar is for the largest cells and std.
fn switches<'a>(cells: impl Iterator<Item = &'a Cell>) -> Table {
    let mut table = Table::new([
        "cell",
        "peer",
        "per waiter",
        "waiting",
        "preempted",
        "ours/theirs",
        "verdict",
    ]);
    for cell in cells.filter(|cell| cell.rounds.kept() != 0) {
        let rounds = &cell.rounds;
        let Some(floor) = rounds.floor(of_both_kinds) else { continue };
        for (peer, samples) in rounds.everybody().chain([("A/A", rounds.again())]) {
            let of =
                |figure: fn(&Sample) -> f64| format!("{:.3}", median(samples.iter().map(figure)));
            let ratio = rounds.ratio(samples, of_both_kinds);
            // A saving is judged as a gain: theirs over ours, at least twice.
            let judged = peer == "std" && cell.name.contains("64 waiters");
            let verdict = judged.then(|| {
                let saving = rounds.ratio(samples, |sample| 1.0 / of_both_kinds(sample));
                saving.map_or(Verdict::Undecided, |saving| SAVING.judge(&saving, &floor))
            });
            table.row([
                cell.name.clone(),
                peer.to_owned(),
                of(of_both_kinds),
                of(|sample| sample.switches().0),
                of(|sample| sample.switches().1),
                ratio.map_or_else(String::new, |ratio| Shown(&ratio).to_string()),
                verdict.map_or_else(String::new, |verdict| {
                    format!("<= {}: {}", 1.0 / SAVING.least, verdict.name())
                }),
            ]);
        }
    }
    table
}
