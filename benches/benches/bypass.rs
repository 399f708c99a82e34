//! M6: how often a waiting thread is overtaken, with eight threads a core on one lock.
//!
//! `cargo bench -p lockwork-bench --bench bypass [-- OPTIONS]`
//!
//! A cell has two parts. The *free* rounds are short and many, do nothing between operations, and
//! are what speed and CPU time go by. The *traced* ones are long and few, since the longest wait
//! needs time to happen: each acquisition that finds the lock taken is timed, and counts how many
//! others came between its request and its grant.

use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::noise::cores;
use lockwork_bench::harness::options::{Options, positive};
use lockwork_bench::harness::report::{self, Cell, Shown, Table, time};
use lockwork_bench::harness::round::{Field, Plan, Rounds, interleave};
use lockwork_bench::harness::sample::{Overtaking, Sample};
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::stats::median;
use lockwork_bench::harness::verdict::{Bar, Verdict};
use lockwork_bench::harness::work::Work;
use lockwork_bench::locks::{Lock, Pthread};
use lockwork_bench::scenarios::bypass;
use lockwork_bench::scenarios::contended::{self, Contended};
use std::io;
use std::time::{Duration, Instant};

/// Options of this family alone.
const MORE: &str = "
  --load S/T      section and think time in ns; several times for several
                                                   [default: 0/0, 100/0, 500/500]
  --seconds N     length of a traced turn          [default: 2, with --full 10]
  --traced N      traced rounds per cell           [default: 2]
";

/// They call `sched_yield` before they sleep, so that their waits look preempted.
const YIELDS: [&str; 1] = ["parking_lot"];

/// One of the figures of a traced round.
type Figure = fn(&Overtaking) -> f64;

/// Waiting threads per core: many more than can poll.
const THREADS_PER_CORE: usize = 8;

/// A hypervisor that takes so little shows in the longest waits by a few milliseconds, and in
/// counts not at all. Long rounds without any are rare on shared machines.
const STEAL_SHARE: f64 = 0.002;

/// Section and think time, in nanoseconds.
#[derive(Clone, Copy)]
struct Load {
    section: u64,
    think: u64,
}

impl Load {
    /// From `100/0`.
    fn parse(text: &str) -> Option<Load> {
        let (section, think) = text.split_once('/')?;
        Some(Load { section: section.parse().ok()?, think: think.parse().ok()? })
    }

    fn name(self, threads: usize) -> String {
        format!("{threads} threads, section {} ns, think {} ns", self.section, self.think)
    }

    fn cell(self, threads: usize, turn: Duration) -> Contended {
        Contended {
            threads,
            section: Work::lasting(self.section),
            think: Work::lasting(self.think),
            timing: Timing::lasting(turn),
        }
    }
}

/// Everybody but glibc's adaptive mutex, and our strictly fair one for comparison.
macro_rules! field {
    ($run:path) => {{
        use $run as run;
        Field::of(lockwork::Mutex::<u64>::NAME, run::<lockwork::Mutex<u64>>)
            .against(std::sync::Mutex::<u64>::NAME, run::<std::sync::Mutex<u64>>)
            .against(parking_lot::Mutex::<u64>::NAME, run::<parking_lot::Mutex<u64>>)
            .against(usync::Mutex::<u64>::NAME, run::<usync::Mutex<u64>>)
            .against(Pthread::NAME, run::<Pthread>)
            .against(lockwork::FairMutex::<u64>::NAME, run::<lockwork::FairMutex<u64>>)
    }};
}

fn main() -> io::Result<()> {
    let (mut loads, mut seconds, mut traced_rounds) = (vec![], None, 2);
    let options = Options::with_more(MORE, &mut |name, arguments| {
        match name {
            "load" => {
                let text = arguments.value()?;
                let load = text.to_str().and_then(Load::parse);
                loads.push(load.ok_or("a load is a section and a think time: 100/0")?);
            }
            "seconds" => seconds = Some(positive(arguments.value()?)? as u64),
            "traced" => traced_rounds = positive(arguments.value()?)?,
            _ => return Ok(false),
        }
        Ok(true)
    });
    if loads.is_empty() {
        loads =
            [(0, 0), (100, 0), (500, 500)].map(|(section, think)| Load { section, think }).into();
    }
    let threads = THREADS_PER_CORE * cores();
    // On fewer cores than threads it takes a while until everybody has run.
    let turn = options.turn.max(Duration::from_micros(1500 * threads as u64));
    let long = match seconds {
        Some(seconds) => Duration::from_secs(seconds),
        None if options.quick => 2 * turn,
        None => Duration::from_secs(if options.full { 10 } else { 2 }),
    };

    let plan = Plan::new(&options, Instant::now());
    let traced_plan = Plan {
        rounds: traced_rounds,
        limit: traced_rounds,
        // Each is long: a busy machine may cost as many again, and no more.
        losses: traced_rounds,
        steal_share: STEAL_SHARE,
        kept_as: "traced",
        ..plan
    };
    let mut random = fastrand::Rng::with_seed(options.seed);
    let mut journal = Journal::create("bypass")?;
    let (mut cells, mut long_rounds) = (vec![], vec![]);
    loads.retain(|load| load.name(threads).contains(&options.filter));
    let total = loads.len();
    let (free, traced) = (field!(contended::free), field!(bypass::traced));
    for (index, load) in loads.into_iter().enumerate() {
        let name = load.name(threads);
        report::progress(index, total, &name);
        let cell = load.cell(threads, turn);
        let rounds = interleave(&free, &cell, &name, &plan, &mut random, &mut journal)?;
        let cell = load.cell(threads, long);
        let traced = interleave(&traced, &cell, &name, &traced_plan, &mut random, &mut journal)?;
        cells.push(Cell { name, rounds, traced: None });
        long_rounds.push(traced);
    }
    report::print("bypass", &cells, &[], &journal.finish()?);
    let pairs: Vec<(&Cell, &Rounds)> = cells.iter().zip(&long_rounds).collect();
    println!("\n## Waiting and overtaking (traced rounds of {long:?})\n\n{}", overtaking(&pairs));
    println!("## Bars\n\n{}", bars(&pairs));
    Ok(())
}

/// Percentiles and shares are medians of the rounds, extremes the largest of all.
fn overtaking(cells: &[(&Cell, &Rounds)]) -> Table {
    let mut table = Table::new([
        "cell",
        "peer",
        "contended",
        "slept",
        "wait p50",
        "p99",
        "p99.99",
        "p99.99 if slept",
        "longest",
        "bypass p99",
        "worst",
        "worst, never preempted",
        "op/s",
        "of free",
        "CPU ns/op",
        "rounds",
    ]);
    for (cell, traced) in cells.iter().filter(|(_, traced)| traced.kept() != 0) {
        let free = cell.rounds.everybody();
        for ((peer, samples), (_, free)) in traced.everybody().zip(free) {
            let of = |figure: Figure| {
                median(samples.iter().filter_map(|s| s.overtaking.as_ref()).map(figure))
            };
            let speed = |samples: &[Sample]| median(samples.iter().map(Sample::speed));
            table.row([
                cell.name.clone(),
                peer.to_owned(),
                format!("{:.4}", of(|o| o.contended)),
                format!("{:.6}", of(|o| o.slept)),
                time(of(|o| o.p50)),
                time(of(|o| o.p99)),
                time(of(|o| o.p99_99)),
                time(of(|o| o.slept_p99_99)),
                time(most(samples, |o| o.longest)),
                format!("{:.0}", of(|o| o.bypass_p99)),
                format!("{:.0}", most(samples, |o| o.bypass_most)),
                if YIELDS.contains(&peer) {
                    "yields".to_owned()
                } else {
                    format!("{:.0}", most(samples, |o| o.bypass_undisturbed))
                },
                format!("{:.0}", speed(samples)),
                format!("{:.2}", speed(samples) / speed(free)),
                format!("{:.1}", median(samples.iter().map(Sample::cpu_nanos))),
                format!("{} ({} dropped)", samples.len(), traced.dropped.values().sum::<usize>()),
            ]);
        }
    }
    table
}

/// The largest figure of all rounds.
fn most(samples: &[Sample], figure: Figure) -> f64 {
    samples.iter().filter_map(|s| s.overtaking.as_ref()).map(figure).fold(f64::NAN, f64::max)
}

/// What this family promises, cell by cell.
fn bars(cells: &[(&Cell, &Rounds)]) -> Table {
    let mut table = Table::new(["bar", "cell", "found", "verdict"]);
    for (cell, traced) in cells {
        let mut row = |what: &str, found: String, verdict: Verdict| {
            table.row([what.to_owned(), cell.name.clone(), found, verdict.name().to_owned()]);
        };
        if traced.kept() != 0 {
            let worst = |peer: &str, figure: Figure| -> f64 {
                let found = traced.everybody().find(|(name, _)| *name == peer);
                found.map_or(f64::NAN, |(_, samples)| most(samples, figure))
            };
            let kinds: [(&str, Figure); 2] = [
                ("worst bypass", |o| o.bypass_most),
                ("worst bypass, never preempted,", |o| o.bypass_undisturbed),
            ];
            for (kind, figure) in kinds {
                let ours = worst("lockwork", figure);
                let std = worst("std", figure);
                row(
                    &format!("{kind} <= 0.01 of std's"),
                    format!("{ours:.0} of {std:.0}: {:.5}", ours / std),
                    simply(ours <= 0.01 * std),
                );
            }
            let ours = worst("lockwork", |o| o.bypass_most);
            let theirs = worst("parking_lot", |o| o.bypass_most);
            row(
                "worst bypass < parking_lot's",
                format!("{ours:.0} of {theirs:.0}: {:.5}", ours / theirs),
                simply(ours < theirs),
            );
            let kinds: [(&str, Figure); 2] =
                [("waits", |o| o.p99_99), ("sleeps", |o| o.slept_p99_99)];
            for (kind, figure) in kinds {
                let nanos = most(traced.subject(), figure);
                row(&format!("p99.99 of {kind} <= 20 ms"), time(nanos), simply(nanos <= 20e6));
            }
        }
        let mut ratio = |what: &str, peer: &str, figure: fn(&Sample) -> f64, least: f64| {
            let found = cell.rounds.peers().find(|(name, _)| *name == peer);
            let judged = found.and_then(|(_, theirs)| {
                Some((cell.rounds.ratio(theirs, figure)?, cell.rounds.floor(figure)?))
            });
            let (found, verdict) = judged.map_or_else(
                || ("no quiet round".to_owned(), Verdict::Undecided),
                |(ratio, floor)| {
                    let bar = Bar { least, spread_limit: None };
                    let noise = 100.0 * floor.width();
                    let found = format!("{}, A/A ±{noise:.1} %", Shown(&ratio));
                    (found, bar.judge(&ratio, &floor))
                },
            );
            row(what, found, verdict);
        };
        ratio("throughput >= 0.95 of std's", "std", Sample::speed, 0.95);
        ratio(
            "op per CPU s >= 1.0 of parking_lot's",
            "parking_lot",
            Sample::ops_per_cpu_second,
            1.0,
        );
    }
    table
}

/// Of figures without an interval.
fn simply(met: bool) -> Verdict {
    if met { Verdict::Met } else { Verdict::Missed }
}
