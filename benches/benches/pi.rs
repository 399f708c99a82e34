//! Priority inheritance: P1 alone, P2 in company, P3 from a notification to the waiter.
//!
//! `cargo bench -p lockwork-bench --bench pi [-- OPTIONS]`
//!
//! P3 needs the permission to use `SCHED_FIFO`, and says so where it is missing.

use lockwork::{PiMutex, rt};
use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell, Promise, Shown, Table};
use lockwork_bench::harness::round::{Field, Plan, interleave};
use lockwork_bench::harness::sample::{Sample, Waits};
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::stats::median;
use lockwork_bench::harness::verdict::{Bar, Verdict};
use lockwork_bench::harness::work::Work;
use lockwork_bench::locks::Lock;
use lockwork_bench::priority::{Bell, Ours, PthreadPi, Theirs};
use lockwork_bench::scenarios::contended::{self, Contended};
use lockwork_bench::scenarios::solo::{self, Solo};
use lockwork_bench::scenarios::wake::{self, Wake};
use std::io;
use std::time::{Duration, Instant};

const ALONE: &str = "1 thread";

const PROMISES: [Promise; 2] = [
    Promise {
        what: "uncontended",
        bar: Bar { least: 1.1, spread_limit: None },
        peers: &[PthreadPi::NAME],
        covers: |cell| cell == ALONE,
    },
    Promise {
        what: "contended",
        bar: Bar { least: 1.0, spread_limit: None },
        peers: &[PthreadPi::NAME],
        covers: |cell| cell != ALONE,
    },
];

/// Not slower, in the middle and at the far end.
const LATENCY: Bar = Bar { least: 1.0, spread_limit: None };

/// Threads, section in ns, think time in ns.
const COMPANY: [(usize, u64, u64); 6] =
    [(2, 0, 20), (4, 0, 20), (2, 100, 400), (4, 100, 400), (2, 1_000, 4_000), (4, 1_000, 4_000)];

/// A figure of a wake-up, by name.
type Figure = (&'static str, fn(&Waits) -> f64);

/// The two that count.
const FIGURES: [Figure; 2] = [("median", |waits| waits.p50), ("99.9 %", |waits| waits.p999)];

fn main() -> io::Result<()> {
    let options = Options::from_arguments();
    let plan = Plan::new(&options, Instant::now());
    let mut random = fastrand::Rng::with_seed(options.seed);
    let mut journal = Journal::create("pi")?;
    let (mut cells, mut wakes) = (vec![], vec![]);
    let turn = options.turn;

    if ALONE.contains(&options.filter) {
        report::progress(0, 1 + COMPANY.len(), ALONE);
        let field = Field::of(PiMutex::<u64>::NAME, solo::lock_unlock::<PiMutex<u64>>)
            .against(PthreadPi::NAME, solo::lock_unlock::<PthreadPi>);
        let cell = Solo { length: turn };
        let rounds = interleave(&field, &cell, ALONE, &plan, &mut random, &mut journal)?;
        cells.push(Cell { name: ALONE.to_owned(), rounds, traced: None });
    }
    let field = Field::of(PiMutex::<u64>::NAME, contended::free::<PiMutex<u64>>)
        .against(PthreadPi::NAME, contended::free::<PthreadPi>);
    for (index, (threads, section, think)) in COMPANY.into_iter().enumerate() {
        let name = format!("{threads} threads, section {section} ns, think {think} ns");
        if !name.contains(&options.filter) {
            continue;
        }
        report::progress(1 + index, 1 + COMPANY.len(), &name);
        let cell = Contended {
            threads,
            section: Work::lasting(section),
            think: Work::lasting(think),
            timing: Timing::lasting(turn),
        };
        let rounds = interleave(&field, &cell, &name, &plan, &mut random, &mut journal)?;
        cells.push(Cell { name, rounds, traced: None });
    }

    let field = Field::of(Ours::NAME, wake::run::<Ours>)
        .against(Theirs::<false>::NAME, wake::run::<Theirs<false>>)
        .against(Theirs::<true>::NAME, wake::run::<Theirs<true>>);
    match processors() {
        Ok(processors) => {
            let last = processors[processors.len() - 1];
            for (name, notifier) in
                [("wake-up, one processor", last), ("wake-up, two processors", processors[0])]
            {
                if !name.contains(&options.filter) {
                    continue;
                }
                report::progress(wakes.len(), 2, name);
                // Enough of them for one in a thousand.
                let timing = Timing::lasting(turn.max(Duration::from_millis(300)));
                let cell = Wake { waiter: last, notifier, timing };
                let rounds = interleave(&field, &cell, name, &plan, &mut random, &mut journal)?;
                wakes.push(Cell { name: name.to_owned(), rounds, traced: None });
            }
        }
        Err(error) => println!("SKIP wake-ups: {error}\n"),
    }

    report::print("pi", &cells, &PROMISES, &journal.finish()?);
    println!("\n## From the notification to the waiter (their time / ours)\n\n{}", latency(&wakes));
    Ok(())
}

/// Those that threads may be pinned to, if they may be real-time ones.
fn processors() -> Result<Vec<usize>, rt::RtError> {
    let ask = || {
        let all = rt::cpus()?;
        wake::compete(1, all[0])?;
        Ok(all)
    };
    std::thread::spawn(ask).join().expect("it does not panic")
}

fn latency(cells: &[Cell]) -> Table {
    let mut table = Table::new(["cell", "peer", "figure", "time", "theirs/ours", "verdict"]);
    for cell in cells.iter().filter(|cell| cell.rounds.kept() != 0) {
        let rounds = &cell.rounds;
        for (what, figure) in FIGURES {
            let speed = |sample: &Sample| 1.0 / figure(&sample.waits[0]).max(1.0);
            let Some(floor) = rounds.floor(speed) else { continue };
            for (peer, samples) in rounds.everybody().chain([("A/A", rounds.again())]) {
                let ratio = rounds.ratio(samples, speed);
                let judged = peer != Ours::NAME && peer != "A/A";
                let verdict = judged.then(|| {
                    ratio.as_ref().map_or(Verdict::Undecided, |ratio| LATENCY.judge(ratio, &floor))
                });
                table.row([
                    cell.name.clone(),
                    peer.to_owned(),
                    what.to_owned(),
                    report::time(median(samples.iter().map(|sample| figure(&sample.waits[0])))),
                    ratio.map_or_else(String::new, |ratio| Shown(&ratio).to_string()),
                    verdict.map_or_else(String::new, |verdict| {
                        format!(">= {}: {}", LATENCY.least, verdict.name())
                    }),
                ]);
            }
        }
    }
    table
}
