//! A server that says "busy" instead of letting its clients queue up without end, and the clients
//! that make it do so, on the loopback.
//!
//! `cargo run --release --example server -- --help` lists the options. It ends by itself: clients
//! ask more than the server can do, and in the middle of that it is told to stop. What to look at:
//!
//! * `server::Connection`: it answers when it is dropped. So a client hears something whatever
//!   becomes of the task that has its connection: refused, discarded, given back, or panicked.
//! * `server::accept`: the loop itself. It never waits for a client, and its memory is bounded: so
//!   many threads, so many connections in the queue, and the kernel's backlog.
//! * `Server::stop`: no new clients, those accepted are served; who takes too long is interrupted
//!   by its token, and what has not started comes back.

mod load;
mod server;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use lexopt::{Arg, ValueExt};
use lockwork::pool::{RejectionPolicy, sizing};

use crate::load::{Load, Seen};
use crate::server::{Outcome, Server};

const HELP: &str = "\
Counts prime numbers for clients on the loopback, and turns away those that are too many.

Usage: server [OPTION]...

  --threads N    worker threads (default: one per CPU)
  --queue N      accepted clients that may wait for one (default: 4)
  --policy P     when the queue is full: 'newest' (default) or 'oldest' is turned away, or clients
                 'wait' for at most 5 ms, and so do those behind them
  --clients N    clients at a time (default: 16)
  --requests N   requests of each (default: 200); the server stops when half of them have answers
  --check        says that each request has had one answer, and the right one, if so
  --help

Exit status: 1 if something failed, or the two sides do not agree; 2 if used wrongly.
";

struct Options {
    threads: usize,
    queue: usize,
    policy: RejectionPolicy,
    load: Load,
    check: bool,
}

fn main() -> ExitCode {
    let options = match parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("server: {error}\nTry 'server --help'.");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(good) => ExitCode::from(u8::from(!good)),
        Err(error) => {
            eprintln!("server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut parser: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    let threads = sizing::parallelism().get();
    let load = Load { clients: 16, requests: 200 };
    let policy = RejectionPolicy::Abort;
    let mut options = Options { threads, queue: 4, policy, load, check: false };
    while let Some(arg) = parser.next()? {
        let (load, up_to) = (&mut options.load, number_up_to);
        match arg {
            Arg::Long("threads") => options.threads = parser.value()?.parse_with(up_to(1024))?,
            Arg::Long("queue") => options.queue = parser.value()?.parse_with(up_to(1 << 16))?,
            Arg::Long("clients") => load.clients = parser.value()?.parse_with(up_to(1024))?,
            Arg::Long("requests") => load.requests = parser.value()?.parse_with(up_to(1 << 20))?,
            Arg::Long("policy") => options.policy = parser.value()?.parse_with(policy_named)?,
            Arg::Long("check") => options.check = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

fn number_up_to(most: usize) -> impl Fn(&str) -> Result<usize, String> {
    move |text| match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!("want a number from 1 to {most}")),
    }
}

fn policy_named(name: &str) -> Result<RejectionPolicy, &'static str> {
    match name {
        "newest" => Ok(RejectionPolicy::Abort),
        "oldest" => Ok(RejectionPolicy::DiscardOldest),
        "wait" => Ok(RejectionPolicy::BlockFor(Duration::from_millis(5))),
        _ => Err("want newest, oldest or wait"),
    }
}

/// Serves, prints what happened, and says whether it was what should happen.
fn run(options: &Options) -> std::io::Result<bool> {
    let begun = Instant::now();
    let server = Server::start(options.threads, options.queue, options.policy)?;
    println!(
        "serving on {}: {} threads, queue {}",
        server.address(),
        options.threads,
        options.queue
    );
    let (seen, outcome) = options.load.run(server);
    let Outcome { pool, .. } = &outcome;
    row("requests answered", seen.answered, "");
    row("turned away", seen.busy, "and most came again a little later");
    row("given up", seen.gone, "as the server had stopped");
    row("threads started", pool.spawns, "");
    row("drained", outcome.drained, "had been accepted when it stopped, and were served");
    row(
        "given back",
        outcome.given_back as u64,
        "had been accepted, and were turned away after all",
    );
    println!("{:>32}", format!("{:.2} s", begun.elapsed().as_secs_f64()));
    let problems = problems(options, &seen, &outcome);
    for problem in &problems {
        eprintln!("server: {problem}");
    }
    if options.check && problems.is_empty() {
        println!("\ncheck: each request has had one answer, and the right one");
    }
    Ok(problems.is_empty())
}

fn row(name: &str, number: u64, note: &str) {
    println!("{}", format!("{name:<20}{number:>12}  {note}").trim_end());
}

/// What the two sides do not agree on.
fn problems(options: &Options, seen: &Seen, outcome: &Outcome) -> Vec<String> {
    let (pool, mut problems) = (&outcome.pool, seen.failures.clone());
    let mut check = |good: bool, what: String| {
        if !good {
            problems.push(what);
        }
    };
    let (here, there) = (seen.answered, outcome.served);
    check(here == there, format!("{there} answers were sent, and {here} received"));
    let (here, there) = (seen.busy, outcome.turned_away);
    // The one who tells the server to stop is turned away as well; and who is met by the end of
    // the listening socket may have been, without hearing it.
    check(
        (here..=here + seen.gone + 1).contains(&there),
        format!("{there} were turned away, and {here} heard of it"),
    );
    let ended = pool.completed + pool.panicked + pool.cancelled;
    check(pool.submitted == ended, format!("{} accepted, {ended} ended", pool.submitted));
    check(pool.panicked == 0, format!("{} panics", pool.panicked));
    check(pool.largest <= options.threads, format!("{} threads", pool.largest));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Option<Options>, lexopt::Error> {
        parse(lexopt::Parser::from_args(words))
    }

    #[test]
    fn options_are_read_and_mistakes_explained() {
        let words = ["--threads=3", "--queue", "9", "--policy", "oldest", "--clients=7", "--check"];
        let options = parse_words(&words).unwrap().unwrap();
        assert_eq!((options.threads, options.queue, options.load.clients), (3, 9, 7));
        assert_eq!((options.policy, options.check), (RejectionPolicy::DiscardOldest, true));
        assert!(parse_words(&["--help"]).unwrap().is_none());
        for wrong in ["--threads=0", "--queue=x", "--policy=unbounded", "--what", "file"] {
            assert!(parse_words(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_request_has_one_answer_whatever_the_policy() {
        for policy in ["newest", "oldest", "wait"] {
            let words = ["--threads=2", "--queue=1", "--clients=8", "--requests=20", "--policy"];
            let options = parse_words(&[&words[..], &[policy]].concat()).unwrap().unwrap();
            let server = Server::start(options.threads, options.queue, options.policy).unwrap();
            let (seen, outcome) = options.load.run(server);
            assert!(seen.answered >= options.load.enough(), "{policy}: {seen:?}");
            let problems = problems(&options, &seen, &outcome);
            assert!(problems.is_empty(), "{policy}: {problems:?}");
        }
    }
}
