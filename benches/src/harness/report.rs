//! Tables for people, losses included.
//!
//! Speed ratios read "above 1 = we are faster": their time over ours. Cost ratios (CPU time) are
//! ours over theirs. A ratio is printed as `median [95 % interval] ±spread of single rounds`, in
//! bold if it lies outside the noise floor on either side: gains and losses look the same.

use super::machine::Machine;
use super::round::Rounds;
use super::sample::{Fairness, Sample, Waits};
use super::stats::{Estimate, median, modes};
use super::verdict::{Bar, Floor};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};
use std::path::Path;

/// A finished cell.
#[derive(Debug)]
pub struct Cell {
    /// Its name: the parameters.
    pub name: String,
    /// The rounds that count for speed.
    pub rounds: Rounds,
    /// Rounds in which each wait was timed, where that makes sense.
    pub traced: Option<Rounds>,
}

/// A bar, and the cells and peers that it is for.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// In words.
    pub what: &'static str,
    /// The figure.
    pub bar: Bar,
    /// Against whom.
    pub peers: &'static [&'static str],
    /// In which cells, by name.
    pub covers: fn(&str) -> bool,
}

/// Floors may scatter this much from round to round before a cell counts as unstable.
pub const STABLE_SPREAD: f64 = 0.10;

/// Prints everything there is to say about a family.
pub fn print(family: &str, cells: &[Cell], promises: &[Promise], journal: &Path) {
    println!("# {family}\n");
    println!("{}", header(cells));
    println!("## Speed (ratios above 1: we are faster)\n\n{}", speed(cells));
    println!("## Cost and fairness (medians of the same rounds)\n\n{}", cost(cells));
    if cells.iter().any(|cell| cell.traced.is_some()) {
        println!("## Waiting (traced rounds: each acquisition is timed)\n\n{}", waiting(cells));
    }
    section("Cells that jump between modes, and do not count", &unstable(cells));
    if !promises.is_empty() {
        println!("## Bars\n\n{}", bars(cells, promises));
    }
    section("Rows we lose", &losses(cells));
    println!("Every round: {}", journal.display());
}

fn section(title: &str, lines: &[String]) {
    println!("## {title}\n");
    if lines.is_empty() {
        println!("- none");
    }
    for line in lines {
        println!("- {line}");
    }
    println!();
}

/// One row about the machine and the run.
fn header(cells: &[Cell]) -> Table {
    let mut facts = Machine::inspect().facts;
    let widths: Vec<f64> =
        cells.iter().filter_map(|cell| Some(cell.rounds.floor(Sample::speed)?.width())).collect();
    let widest = widths.iter().copied().fold(0.0, f64::max);
    let floor = if widths.is_empty() {
        "no quiet round".to_owned()
    } else {
        format!("{} (widest {})", percent(median(widths)), percent(widest))
    };
    facts.push(("A/A floor", floor));
    facts.push(("rounds dropped", dropped(cells)));

    let mut table = Table::new(facts.iter().map(|(name, _)| *name));
    table.row(facts.into_iter().map(|(_, value)| value));
    table
}

/// `12 of 300 (foreign 10, steal 2)`.
fn dropped(cells: &[Cell]) -> String {
    let mut reasons = BTreeMap::<&str, usize>::new();
    for (&reason, &count) in cells.iter().flat_map(|cell| &cell.rounds.dropped) {
        *reasons.entry(reason).or_default() += count;
    }
    let dropped: usize = reasons.values().sum();
    let taken = dropped + cells.iter().map(|cell| cell.rounds.kept()).sum::<usize>();
    let reasons: Vec<String> =
        reasons.iter().map(|(why, count)| format!("{why} {count}")).collect();
    match reasons.as_slice() {
        [] => format!("0 of {taken}"),
        reasons => format!("{dropped} of {taken} ({})", reasons.join(", ")),
    }
}

fn speed(cells: &[Cell]) -> Table {
    // A cell need not have every peer: one leaves its columns empty.
    let mut peers = vec![];
    for (name, _) in cells.iter().flat_map(|cell| cell.rounds.peers()) {
        if !peers.contains(&name) {
            peers.push(name);
        }
    }
    let mut columns = vec!["cell", "op/s", "ns/op"];
    columns.extend(&peers);
    columns.extend(["A/A", "rounds"]);
    let mut table = Table::new(columns);
    for cell in cells {
        let rounds = &cell.rounds;
        let ours = median(rounds.subject().iter().map(Sample::speed));
        let nanos = number(1e9 / ours, |nanos| format!("{nanos:.1}"));
        let mut row = vec![cell.name.clone(), number(ours, si), nanos];
        let Some(floor) = rounds.floor(Sample::speed) else {
            row.push("no quiet round".to_owned());
            table.row(row);
            continue;
        };
        for peer in &peers {
            let theirs = rounds.peers().find(|(name, _)| name == peer);
            let ratio = theirs.and_then(|(_, theirs)| rounds.ratio(theirs, Sample::speed));
            row.push(ratio.map_or_else(String::new, |ratio| {
                let decided = floor.is_gain(&ratio) || floor.is_loss(&ratio);
                if decided { format!("**{}**", Shown(&ratio)) } else { Shown(&ratio).to_string() }
            }));
        }
        row.push(Shown(&floor.ratio).to_string());
        row.push(rounds.kept().to_string());
        table.row(row);
    }
    table
}

fn cost(cells: &[Cell]) -> Table {
    let instructions = cells.iter().any(|cell| cell.rounds.subject().iter().any(has_instructions));
    let mut table = Table::new([
        "cell",
        "peer",
        "op/s",
        "op per CPU s",
        "CPU, ours/theirs",
        "switches/op (wait, preempt)",
        "Jain 10 ms",
        "Jain round",
        "least, most served",
        "instructions/op",
    ]);
    for cell in cells.iter().filter(|cell| cell.rounds.kept() != 0) {
        let rounds = &cell.rounds;
        for (peer, samples) in rounds.everybody() {
            let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure));
            let fair = |figure: fn(&Fairness) -> f64| {
                median(samples.iter().filter_map(|sample| sample.fairness.as_ref()).map(figure))
            };
            let even = |figure| number(fair(figure), |x| format!("{x:.2}"));
            let ratio = rounds.ratio(samples, Sample::cpu_nanos);
            let is_subject = std::ptr::eq(samples, rounds.subject());
            let counted = median(samples.iter().filter_map(|sample| sample.instructions));
            table.row([
                cell.name.clone(),
                peer.to_owned(),
                number(of(Sample::speed), si),
                number(of(Sample::ops_per_cpu_second), si),
                ratio.filter(|_| !is_subject).map_or_else(String::new, |r| Shown(&r).to_string()),
                number(of(|s| s.switches().0), |wait| {
                    format!("{wait:.4}, {:.4}", of(|s| s.switches().1))
                }),
                even(|f| f.jain_window),
                even(|f| f.jain_round),
                number(fair(|f| f.fewest), |x| format!("{x:.2}, {:.2}", fair(|f| f.most))),
                if instructions {
                    number(counted, |n| format!("{n:.1}"))
                } else {
                    "not available".to_owned()
                },
            ]);
        }
    }
    table
}

fn has_instructions(sample: &Sample) -> bool {
    sample.instructions.is_some()
}

fn waiting(cells: &[Cell]) -> Table {
    let mut table = Table::new([
        "cell",
        "peer",
        "wait for",
        "p50",
        "p99",
        "p99.99",
        "longest",
        "bypasses p99",
        "most",
        "rounds",
    ]);
    let traced = cells.iter().filter_map(|cell| Some((&cell.name, cell.traced.as_ref()?)));
    for (name, traced) in traced.filter(|(_, rounds)| rounds.kept() != 0) {
        for (peer, samples) in traced.everybody() {
            for kind in kinds(traced) {
                let of = |figure: fn(&Waits) -> f64| median(waits(samples, kind).map(figure));
                table.row([
                    name.clone(),
                    peer.to_owned(),
                    kind.to_owned(),
                    time(of(|w| w.p50)),
                    time(of(|w| w.p99)),
                    time(of(|w| w.p9999)),
                    time(most(samples, kind, |w| w.longest)),
                    number(of(|w| w.bypass_p99), |n| format!("{n:.0}")),
                    number(most(samples, kind, |w| w.bypass_most), |n| format!("{n:.0}")),
                    samples.len().to_string(),
                ]);
            }
        }
    }
    table
}

/// What was waited for.
fn kinds(traced: &Rounds) -> impl Iterator<Item = &'static str> {
    let waits = traced.subject().first().map_or(&[][..], |sample| &sample.waits);
    waits.iter().map(|waits| waits.kind)
}

/// The waits of one kind, one a round.
fn waits<'a>(samples: &'a [Sample], kind: &'a str) -> impl Iterator<Item = &'a Waits> {
    samples.iter().flat_map(|sample| &sample.waits).filter(move |waits| waits.kind == kind)
}

/// The largest figure of all traced rounds.
fn most(samples: &[Sample], kind: &str, figure: fn(&Waits) -> f64) -> f64 {
    waits(samples, kind).map(figure).fold(f64::NAN, f64::max)
}

/// For each cell whose floor scatters: where everybody's rounds lie.
fn unstable(cells: &[Cell]) -> Vec<String> {
    let mut lines = vec![];
    for cell in cells {
        let Some(floor) = cell.rounds.floor(Sample::speed) else { continue };
        if floor.ratio.spread <= STABLE_SPREAD {
            continue;
        }
        let mut line = format!("{} (A/A spread {}):", cell.name, percent(floor.ratio.spread));
        for (peer, samples) in cell.rounds.everybody() {
            let speeds: Vec<f64> = samples.iter().map(Sample::speed).collect();
            if let Some(found) = modes(&speeds) {
                let share = percent(found.low_share);
                // Writing to a string cannot fail.
                let _ = write!(line, " {peer} {} ({share}) or {};", si(found.low), si(found.high));
            }
        }
        line.pop();
        lines.push(line);
    }
    lines
}

fn bars(cells: &[Cell], promises: &[Promise]) -> Table {
    let mut table = Table::new(["bar", "cell", "peer", "ratio", "A/A", "A/A spread", "verdict"]);
    for promise in promises {
        for cell in cells.iter().filter(|cell| (promise.covers)(&cell.name)) {
            let rounds = &cell.rounds;
            let Some(floor) = rounds.floor(Sample::speed) else {
                let undecided =
                    [promise.what, &cell.name, "", "no quiet round", "", "", "undecided"];
                table.row(undecided.map(str::to_owned));
                continue;
            };
            for (peer, theirs) in rounds.peers().filter(|(peer, _)| promise.peers.contains(peer)) {
                let Some(ratio) = rounds.ratio(theirs, Sample::speed) else { continue };
                table.row([
                    format!("{} ≥ {}", promise.what, promise.bar.least),
                    cell.name.clone(),
                    peer.to_owned(),
                    Shown(&ratio).to_string(),
                    format!("±{}", percent(floor.width())),
                    percent(floor.ratio.spread),
                    promise.bar.judge(&ratio, &floor).name().to_owned(),
                ]);
            }
        }
    }
    table
}

/// Where a peer is better, beyond the floor where there is one.
fn losses(cells: &[Cell]) -> Vec<String> {
    let mut lines = vec![];
    for cell in cells {
        let (name, rounds) = (&cell.name, &cell.rounds);
        for (peer, theirs) in rounds.peers() {
            let judged = |figure: fn(&Sample) -> f64| -> Option<(Estimate, Floor)> {
                Some((rounds.ratio(theirs, figure)?, rounds.floor(figure)?))
            };
            if let Some((ratio, _)) = judged(Sample::speed).filter(|(r, floor)| floor.is_loss(r)) {
                lines.push(format!("{name}, {peer}: speed {}", Shown(&ratio)));
            }
            // A cost above 1 is a loss where a speed above 1 is a gain.
            if let Some((ratio, _)) =
                judged(Sample::cpu_nanos).filter(|(r, floor)| floor.is_gain(r))
            {
                lines.push(format!("{name}, {peer}: CPU per op, ours/theirs {}", Shown(&ratio)));
            }
        }
        if let Some(traced) = &cell.traced {
            let count = |n| format!("{n:.0}");
            for kind in kinds(traced) {
                let waits = worse(traced, kind, |w| w.longest, time);
                lines.extend(waits.map(|w| format!("{name}: longest wait for a {kind} {w}")));
                let bypasses = worse(traced, kind, |w| w.bypass_most, count);
                lines.extend(bypasses.map(|w| format!("{name}: bypasses of a {kind} {w}")));
            }
        }
    }
    lines
}

/// `8.1 ms, less with std (4.2 ms)`, if the largest figure is less with somebody. Largest values
/// have no interval: a tenth is taken for a difference.
fn worse(
    traced: &Rounds,
    kind: &str,
    figure: fn(&Waits) -> f64,
    show: impl Fn(f64) -> String,
) -> Option<String> {
    let ours = most(traced.subject(), kind, figure);
    let peers = traced.peers().map(|(peer, theirs)| (peer, most(theirs, kind, figure)));
    let better: Vec<String> = peers
        .filter(|(_, theirs)| ours > 1.1 * theirs)
        .map(|(peer, theirs)| format!("{peer} ({})", show(theirs)))
        .collect();
    (!better.is_empty()).then(|| format!("{}, less with {}", show(ours), better.join(", ")))
}

/// A ratio as `1.23 [1.20, 1.26] ±4 %`: half the middle half's width is the scatter.
#[derive(Debug)]
pub struct Shown<'a>(pub &'a Estimate);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Estimate { median, interval, spread, .. } = *self.0;
        write!(f, "{} [{}, {}]", Ratio(median), Ratio(interval.low), Ratio(interval.high))?;
        write!(f, " ±{}", percent(spread / 2.0))
    }
}

/// A ratio with as many digits as one reads.
struct Ratio(f64);

impl Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            x if x >= 99.5 => write!(f, "{x:.0}"),
            x if x >= 9.95 => write!(f, "{x:.1}"),
            // Small, or near 1: there the third digit may be what decides.
            x if x < 0.095 || (0.9..1.1).contains(&x) => write!(f, "{x:.3}"),
            x => write!(f, "{x:.2}"),
        }
    }
}

fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// Something for a number, nothing for no number.
fn number(value: f64, show: impl Fn(f64) -> String) -> String {
    if value.is_finite() { show(value) } else { String::new() }
}

/// `12.3 M`.
fn si(value: f64) -> String {
    match value {
        x if x >= 1e9 => format!("{:.2} G", x / 1e9),
        x if x >= 1e6 => format!("{:.1} M", x / 1e6),
        x if x >= 1e3 => format!("{:.1} k", x / 1e3),
        x => format!("{x:.0}"),
    }
}

/// Nanoseconds as a person would say them.
#[must_use]
pub fn time(nanos: f64) -> String {
    number(nanos, |nanos| match nanos {
        x if x >= 1e9 => format!("{:.2} s", x / 1e9),
        x if x >= 1e6 => format!("{:.1} ms", x / 1e6),
        x if x >= 1e3 => format!("{:.1} us", x / 1e3),
        x => format!("{x:.0} ns"),
    })
}

/// A Markdown table, padded so that it can be read as plain text too.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Table {
        Table { rows: vec![columns.into_iter().map(str::to_owned).collect()] }
    }

    /// Adds a row; cells that are missing at its end stay empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut row: Vec<String> = cells.into_iter().collect();
        row.resize(self.rows[0].len(), String::new());
        self.rows.push(row);
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = 0..self.rows[0].len();
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = columns.map(|column| width(column).unwrap_or(0)).collect();
        for (index, row) in self.rows.iter().enumerate() {
            for (cell, &width) in row.iter().zip(&widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
            if index == 0 {
                widths.iter().try_for_each(|&width| write!(f, "|{:-<1$}", "", width + 2))?;
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// Says on standard error which cell is next: a run takes minutes.
pub fn progress(done: usize, of: usize, cell: &str) {
    eprintln!("[{}/{of}] {cell}", done + 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_markdown() {
        let mut table = Table::new(["a", "longer"]);
        table.row(["1 %".to_owned()]);
        assert_eq!(table.to_string(), "| a   | longer |\n|-----|--------|\n| 1 % |        |\n");
    }

    #[test]
    fn figures_have_the_digits_one_reads() {
        assert_eq!(si(12_345_678.0), "12.3 M");
        assert_eq!(time(1_500.0), "1.5 us");
        assert_eq!(time(f64::NAN), "");
        assert_eq!(percent(0.034), "3.4 %");
        assert_eq!(Ratio(123.4).to_string(), "123");
        assert_eq!(Ratio(0.97).to_string(), "0.970");
        assert_eq!(Ratio(1.5).to_string(), "1.50");
    }
}
