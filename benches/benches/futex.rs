//! M7: futex calls per operation, with company.
//!
//! `cargo bench -p lockwork-bench --bench futex [-- OPTIONS]`
//!
//! The kernel's tracepoint counts, thread by thread, so nothing but the operations is in the
//! figures. Where it may not be used, this says SKIP: a tool that stops the threads at each call
//! would change how often they must call. Even so each call is slower here than in life; the speed
//! shown is that of the counted run.

use lockwork_bench::every_lock;
use lockwork_bench::harness::futex_calls::{FutexCalls, FutexCounter};
use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell, Table};
use lockwork_bench::harness::round::{Plan, interleave};
use lockwork_bench::harness::sample::Sample;
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::stats::{Interval, resampled};
use lockwork_bench::harness::verdict::{ENOUGH_ROUNDS, Verdict};
use lockwork_bench::harness::work::Work;
use lockwork_bench::scenarios::contended::{self, Contended};
use std::io;
use std::time::{Duration, Instant};

/// Wake calls per operation, ours over std's, at most.
const BAR: f64 = 0.5;

/// Work under the lock, in nanoseconds.
const SECTION: u64 = 100;

fn main() -> io::Result<()> {
    let options = Options::from_arguments();
    // Kept open: the first to use a tracepoint waits until the kernel has armed it.
    let _armed = match FutexCounter::start() {
        Ok(counter) => counter,
        Err(error) => {
            println!("SKIP: futex calls cannot be counted here: {error}");
            return Ok(());
        }
    };
    let plan = Plan::new(&options, Instant::now());
    // Speed is not the question, so its scatter asks for no more rounds.
    let plan = Plan { limit: plan.rounds, ..plan };
    let mut random = fastrand::Rng::with_seed(options.seed);
    let mut journal = Journal::create("futex")?;
    let mut cells = vec![];

    let points = [2, 4, 8, 16, 64].into_iter().flat_map(|threads| [(threads, 0), (threads, 4)]);
    let name =
        |(threads, think)| format!("{threads} threads, section {SECTION} ns, think {think}x");
    let points: Vec<(usize, u64)> =
        points.filter(|&point| name(point).contains(&options.filter)).collect();
    let total = points.len();
    let field = every_lock!(contended::counted);
    for (index, (threads, think)) in points.into_iter().enumerate() {
        let name = name((threads, think));
        report::progress(index, total, &name);
        let turn = options.turn.max(Duration::from_micros(1500 * threads as u64));
        let cell = Contended {
            threads,
            section: Work::lasting(SECTION),
            think: Work::lasting(think * SECTION),
            timing: Timing::lasting(turn),
        };
        let rounds = interleave(&field, &cell, &name, &plan, &mut random, &mut journal)?;
        cells.push(Cell { name, rounds, traced: None });
    }
    report::print("futex", &cells, &[], &journal.finish()?);
    println!("\n## Futex calls per 1000 operations (sums over all rounds)\n\n{}", calls(&cells));
    println!("## Bars: wake calls per operation, ours over std's, <= {BAR}\n\n{}", bars(&cells));
    Ok(())
}

/// Over all rounds together: a round may have no call at all, and then no ratio.
fn sum(samples: &[Sample]) -> (FutexCalls, f64) {
    let (mut calls, mut acquired) = (FutexCalls::default(), 0);
    for (of_round, acquired_in_round) in samples.iter().filter_map(|sample| sample.futex) {
        calls += of_round;
        acquired += acquired_in_round;
    }
    (calls, acquired as f64)
}

fn calls(cells: &[Cell]) -> Table {
    let mut table = Table::new([
        "cell",
        "peer",
        "waits",
        "wakes",
        "others",
        "wakes, ours/theirs",
        "waits, ours/theirs",
        "operations",
        "rounds",
    ]);
    for cell in cells.iter().filter(|cell| cell.rounds.kept() != 0) {
        let (ours, our_ops) = sum(cell.rounds.subject());
        let (again, again_ops) = sum(cell.rounds.again());
        let peers = cell.rounds.everybody().map(|(peer, samples)| (peer, sum(samples)));
        for (peer, (calls, ops)) in peers.chain([("A/A", (again, again_ops))]) {
            let rate = |calls: u64| format!("{:.4}", 1000.0 * calls as f64 / ops);
            let ratio = |ours: u64, theirs: u64| {
                format!("{:.3}", (ours as f64 / our_ops) / (theirs as f64 / ops))
            };
            table.row([
                cell.name.clone(),
                peer.to_owned(),
                rate(calls.waits),
                rate(calls.wakes),
                rate(calls.others),
                ratio(ours.wakes, calls.wakes),
                ratio(ours.waits, calls.waits),
                format!("{ops:.0}"),
                cell.rounds.kept().to_string(),
            ]);
        }
    }
    table
}

/// Calls come in bursts, so a ratio of sums is worth little without the interval that resampled
/// rounds give it, and the one of the subject against itself.
fn bars(cells: &[Cell]) -> Table {
    let mut table = Table::new(["cell", "wakes, ours/std's", "A/A", "rounds", "verdict"]);
    for cell in cells.iter().filter(|cell| cell.rounds.kept() != 0) {
        let rounds = &cell.rounds;
        let against = |theirs: &[Sample]| {
            resampled(rounds.kept(), |picks| {
                let wakes = |samples: &[Sample]| {
                    let picked: Vec<Sample> = picks.iter().map(|&i| samples[i].clone()).collect();
                    let (calls, ops) = sum(&picked);
                    calls.wakes as f64 / ops
                };
                wakes(rounds.subject()) / wakes(theirs)
            })
        };
        let Some((_, std)) = rounds.peers().find(|(name, _)| *name == "std") else { continue };
        let (ratio, floor) = (against(std), against(rounds.again()));
        // No call of either gives no ratio, and decides nothing.
        let verdict = if rounds.kept() < ENOUGH_ROUNDS {
            Verdict::Undecided
        } else if ratio.high <= BAR {
            Verdict::Met
        } else if ratio.low > BAR {
            Verdict::Missed
        } else {
            Verdict::Undecided
        };
        let shown = |Interval { low, high }| format!("[{low:.3}, {high:.3}]");
        table.row([
            cell.name.clone(),
            shown(ratio),
            shown(floor),
            rounds.kept().to_string(),
            verdict.name().to_owned(),
        ]);
    }
    table
}
