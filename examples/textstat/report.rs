//! What the user sees: the report on stdout, problems on stderr.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use crate::Work;
use crate::args::Options;
use crate::count::{NAMES, Tally};

/// The numbers, how the work went, and the most frequent words.
pub(crate) fn render(options: &Options, tally: &Tally, work: &Work, time: Duration) -> String {
    let [_, _, _, total, ..] = tally.numbers;
    let mut text: String = NAMES.iter().zip(tally.numbers).map(|(s, n)| row(s, n, "")).collect();
    text += &row("different words", tally.table.len() as u64, "");
    text += &format!("{:>42}\n\n", speed(tally, time));
    let how =
        format!("on {} of {} threads, policy {:?}", work.threads, options.threads, options.policy);
    text += &row("tasks", work.tasks, &how);
    text += &row("run by the walker", work.by_walker, "when the queue was full");
    text += &row("refused, given back", work.refused, "only by policy Abort");
    let most = format!("of {}", grouped(options.queue as u64));
    text += &row("longest queue", work.longest_queue, &most);
    text += "\n";
    let mut words: Vec<_> = tally.table.iter().map(|(word, n)| (*n, &**word)).collect();
    words.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    for (n, word) in words.into_iter().take(options.top) {
        let share = 100.0 * n as f64 / total as f64;
        text += &row(word, n, &format!("{share:.1} % of words"));
    }
    text
}

/// Whether two counts of the same files agree, and a text that says where they do not.
pub(crate) fn compare(pooled: &Tally, alone: &Tally, time: Duration) -> (bool, String) {
    let mut rows = BTreeMap::new(); // the numbers come before the words
    let mut check = |is_word, what, pooled, alone| {
        if pooled != alone {
            let note = format!("but {} on one thread", grouped(alone));
            rows.insert((is_word, what), row(what, pooled, &note));
        }
    };
    for (i, name) in NAMES.iter().enumerate() {
        check(false, *name, pooled.numbers[i], alone.numbers[i]);
    }
    for word in pooled.table.keys().chain(alone.table.keys()) {
        let [pooled, alone] = [pooled, alone].map(|side| side.table.get(word).unwrap_or(&0));
        check(true, &**word, *pooled, *alone);
    }
    if rows.is_empty() {
        return (true, format!("\ncheck: equal; one thread alone: {}\n", speed(alone, time)));
    }
    let first: String = rows.values().take(20).map(String::as_str).collect();
    (false, format!("\ncheck: {} DIFFERENCES\n{first}", rows.len()))
}

/// Tells on stderr what could not be counted.
pub(crate) fn problems(tally: &Tally, work: &Work) {
    let [.., not_utf8, unreadable, _] = tally.numbers;
    let more = not_utf8 + unreadable - tally.problems.len() as u64;
    tally.problems.iter().for_each(|problem| _ = complain(problem));
    if more > 0 {
        complain(&format_args!("and {} more", grouped(more)));
    }
    if work.panicked > 0 {
        complain(&format_args!("tasks that panicked, their files uncounted: {}", work.panicked));
    }
}

/// A line on stderr, and `false`. Not `eprintln!`: that panics once nobody reads any more.
pub(crate) fn complain(problem: &dyn Display) -> bool {
    let _ = writeln!(io::stderr(), "textstat: {problem}");
    false
}

/// Writes to stdout and says whether that went well. A reader that has seen enough is no error.
pub(crate) fn print(text: &str) -> bool {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => complain(&error),
        _ => true,
    }
}

fn row(name: &str, number: u64, note: &str) -> String {
    let line = format!("{name:<24.24}{:>18}  {note}", grouped(number));
    format!("{}\n", line.trim_end())
}

fn speed(tally: &Tally, time: Duration) -> String {
    let [_, bytes, ..] = tally.numbers;
    let seconds = time.as_secs_f64().max(1e-9);
    format!("{:.1} MB/s in {seconds:.2} s", bytes as f64 / 1e6 / seconds)
}

/// With a comma between thousands.
fn grouped(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}

#[test]
fn numbers_are_grouped_and_differences_found() {
    assert_eq!([0, 999, 1000, 12_034_567].map(grouped), ["0", "999", "1,000", "12,034,567"]);
    let tally = |words: &[&str]| {
        let table = words.iter().map(|word| ((*word).into(), 1)).collect();
        Tally { table, ..Tally::default() }
    };
    let ab = tally(&["a", "b"]);
    assert!(compare(&ab, &tally(&["b", "a"]), Duration::ZERO).0);
    for other in
        [tally(&["a"]), tally(&["b", "c", "a"]), Tally { numbers: [1; 7], ..tally(&["a", "b"]) }]
    {
        assert!(!compare(&ab, &other, Duration::ZERO).0);
    }
}
