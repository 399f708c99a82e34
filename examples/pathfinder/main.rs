//! What stopped the Mars Pathfinder in 1997, live: a thread of low priority has a lock that one of
//! high priority waits for, and one of medium priority keeps both from the processor. First with an
//! ordinary mutex, then with a `PiMutex`.
//!
//! `cargo run --release --example pathfinder` prints who ran when; `--svg FILE` draws it. It takes
//! the right to real-time priorities (root, or `ulimit -r 30`) and says so where it is missing;
//! then it shows the locks without anybody who waits.
//!
//! What to look at: `scene::play`, which is the whole of the fault, and the wait of the high
//! thread: as long as the medium one likes, or as long as the section of the low one.

mod scene;
mod timeline;

use std::process::ExitCode;
use std::time::Duration;

use lexopt::ValueExt;
use lockwork::rt::RtError;
use lockwork::{Mutex, PiCondvar, PiError, PiMutex};

use crate::scene::Script;
use crate::timeline::Timeline;

const HELP: &str = "\
Usage: pathfinder [OPTIONS]

Shows an inversion of priorities on one processor, and its remedy.

  --svg FILE   also draws both runs
  --hold MS    how long the low thread works with the lock (20)
  --burn MS    how long the medium thread keeps the processor (200)
  --help       prints this
";

struct Options {
    script: Script,
    svg: Option<std::path::PathBuf>,
}

fn main() -> ExitCode {
    let options = match parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("pathfinder: {error}\nTry 'pathfinder --help'.");
            return ExitCode::from(2);
        }
    };
    match both(&options.script) {
        Ok(runs) => report(&runs, options.svg.as_deref()),
        Err(error) => {
            println!("No inversion to be seen here: {error}.\n");
            println!("What is left is the lock without anybody who waits:\n");
            alone();
            ExitCode::SUCCESS
        }
    }
}

fn parse(mut arguments: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    use lexopt::Arg::Long;
    let millis = Duration::from_millis;
    let mut options = Options { script: Script { hold: millis(20), burn: millis(200) }, svg: None };
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("svg") => options.svg = Some(arguments.value()?.into()),
            Long("hold") => options.script.hold = millis(arguments.value()?.parse()?),
            Long("burn") => options.script.burn = millis(arguments.value()?.parse()?),
            Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

/// The same scene with either lock.
fn both(script: &Script) -> Result<[Timeline; 2], RtError> {
    let (plain, inheriting) = (Mutex::new(()), PiMutex::new(()));
    let with_plain = scene::play("Mutex", script, |inside| {
        let _held = plain.lock();
        inside();
    })?;
    let with_inheriting = scene::play("PiMutex", script, |inside| {
        let _held = inheriting.lock();
        inside();
    })?;
    Ok([with_plain, with_inheriting])
}

fn report(runs: &[Timeline; 2], svg: Option<&std::path::Path>) -> ExitCode {
    println!("{}", timeline::text(runs));
    let Some(path) = svg else { return ExitCode::SUCCESS };
    match std::fs::write(path, timeline::svg(runs)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pathfinder: {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

/// What can be shown without real-time priorities.
fn alone() {
    let speed = PiMutex::new(3);
    let changed = PiCondvar::new();
    let mut held = speed.lock();
    println!("  lock()             the value is {}", *held);
    *held += 1;
    let again = speed.lock_checked().map(drop);
    assert_eq!(again, Err(PiError::Deadlock));
    println!("  lock_checked()     again: {}", PiError::Deadlock);
    println!("  notify_one(&held)  somebody was waiting: {}", changed.notify_one(&held));
    let (held, result) = changed.wait_for(held, Duration::from_millis(1));
    println!("  wait_for(1 ms)     timed out: {}", result.timed_out());
    drop(held);
    println!("  try_lock()         the value is {:?}", speed.try_lock().as_deref().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Option<Options>, lexopt::Error> {
        parse(lexopt::Parser::from_args(words))
    }

    #[test]
    fn options() {
        let options = parse_words(&["--hold", "5", "--burn=50", "--svg", "a.svg"]);
        let options = options.unwrap().unwrap();
        assert_eq!(options.script.hold, Duration::from_millis(5));
        assert_eq!(options.script.burn, Duration::from_millis(50));
        assert_eq!(options.svg.unwrap().to_str(), Some("a.svg"));
        assert!(parse_words(&["--help"]).unwrap().is_none());
        for wrong in [&["--hold"][..], &["--hold", "x"], &["--what"], &["file"]] {
            assert!(parse_words(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn without_permission_the_rest_works() {
        alone();
    }

    /// Where it is permitted, the whole story: the order of the ends, however long they took.
    #[test]
    fn the_remedy_works() {
        let millis = Duration::from_millis;
        match both(&Script { hold: millis(5), burn: millis(40) }) {
            Ok([plain, inheriting]) => {
                assert!(plain.wait() > inheriting.wait());
                assert!(timeline::text(&[plain, inheriting]).contains("PiMutex"));
            }
            Err(error) => assert!(error.to_string().contains("CAP_SYS_NICE"), "{error}"),
        }
    }
}
