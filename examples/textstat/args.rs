//! The command line.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use lexopt::{Arg, Error, Parser, ValueExt};
use lockwork::pool::{RejectionPolicy, sizing};

const VERSION: &str = concat!("textstat ", env!("CARGO_PKG_VERSION"), "\n");
const HELP: &str = "\
Counts files, bytes, lines and words on a bounded thread pool.

Usage: textstat [OPTION]... [PATH]...

  --threads N   worker threads at most, 1 to 1024 (default: one per CPU)
  --queue N     tasks that may wait, 1 to 1048576 (default: 64)
  --policy P    when the queue is full: 'caller-runs' (default) and 'abort' have the walker count
                the file, 'abort' after the pool gave the task back; 'block' has it wait for room
  --top N       how many of the most frequent words to show (default: 10)
  --check       count again on one thread and compare every number and word
  --help, --version

Without a PATH: the tree of this crate (the current directory, if that is gone), leaving out
directories named '.git' and 'target'. Symbolic links are not followed, unless named as a PATH;
FIFOs, sockets and devices are not opened. A line ends with a line feed. A word is a run of
letters and digits, with apostrophes inside, in lower case. Of a file that is not UTF-8 no words
count, as nobody knows where they end, but bytes and lines do. What cannot be read is reported.

Exit status: 1 if a PATH cannot be read, a task panicked or the check differs; 2 if used wrongly.
";

pub(crate) enum Request {
    Run(Options),
    Print(&'static str),
}

pub(crate) struct Options {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) own_tree: bool,
    pub(crate) threads: usize,
    pub(crate) queue: usize,
    pub(crate) policy: RejectionPolicy,
    pub(crate) top: usize,
    pub(crate) check: bool,
}

pub(crate) fn parse(mut parser: Parser) -> Result<Request, Error> {
    let (mut paths, mut check, mut policy) = (Vec::new(), false, RejectionPolicy::CallerRuns);
    // What the quota of a container pays for, not only what the machine has.
    let cpus = sizing::parallelism().get();
    let (mut threads, mut queue, mut top) = (cpus.min(1024), 64, 10);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("threads") => threads = parser.value()?.parse_with(number(1..=1024))?,
            Arg::Long("queue") => queue = parser.value()?.parse_with(number(1..=1 << 20))?,
            Arg::Long("top") => top = parser.value()?.parse_with(number(0..=1 << 20))?,
            Arg::Long("policy") => policy = parser.value()?.parse_with(policy_named)?,
            Arg::Long("check") => check = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(Request::Print(HELP)),
            Arg::Long("version") | Arg::Short('V') => return Ok(Request::Print(VERSION)),
            Arg::Value(path) => paths.push(path.into()),
            other => return Err(other.unexpected()),
        }
    }
    let own_tree = paths.is_empty();
    if own_tree {
        let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
        paths.push(if tree.is_dir() { tree } else { Path::new(".") }.into());
    }
    Ok(Request::Run(Options { paths, own_tree, threads, queue, policy, top, check }))
}

fn number(range: RangeInclusive<usize>) -> impl Fn(&str) -> Result<usize, String> {
    let wanted = format!("want a number from {} to {}", range.start(), range.end());
    move |text| text.parse().ok().filter(|n| range.contains(n)).ok_or_else(|| wanted.clone())
}

fn policy_named(name: &str) -> Result<RejectionPolicy, &'static str> {
    match name {
        "caller-runs" => Ok(RejectionPolicy::CallerRuns),
        "block" => Ok(RejectionPolicy::Block),
        "abort" => Ok(RejectionPolicy::Abort),
        "discard" | "discard-oldest" => Err(
            "it throws tasks away, so files would go uncounted; want caller-runs, block or abort",
        ),
        _ => Err("want caller-runs, block or abort"),
    }
}

#[test]
fn options_are_read_and_mistakes_explained() {
    let read = |args: &[&str]| match parse(Parser::from_args(args)) {
        Ok(Request::Run(Options { paths, own_tree, threads, queue, policy, top, check })) => {
            format!("{paths:?} {own_tree} {threads} {queue} {policy:?} {top} {check}")
        }
        Ok(Request::Print(text)) => text.into(),
        Err(error) => error.to_string(),
    };
    let got = read(&["a", "--threads=3", "--policy", "abort", "--", "--check"]);
    assert_eq!(got, r#"["a", "--check"] false 3 64 Abort 10 false"#);
    let got = read(&["--check", "--threads", "64", "--queue=1", "--top=0", "--policy=block"]);
    assert!(got.ends_with(" true 64 1 Block 0 true"), "{got}");

    let wrong = |arg, error: &str| assert!(read(&[arg]).ends_with(error), "{arg}");
    wrong("--threads=0", "\"0\": want a number from 1 to 1024");
    wrong("--queue=x", "\"x\": want a number from 1 to 1048576");
    wrong("--policy=discard", "uncounted; want caller-runs, block or abort");
    wrong("--policy=x", "\"x\": want caller-runs, block or abort");
    wrong("--nope", "invalid option '--nope'");
}
