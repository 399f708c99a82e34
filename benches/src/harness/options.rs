//! The command line that all families share.

use lexopt::prelude::*;
use std::process::exit;
use std::time::Duration;

/// What `--help` prints.
const HELP: &str = "\
Usage: cargo bench -p lockwork-bench --bench FAMILY -- [OPTIONS]

  --rounds N      rounds to keep per cell, at least            [default: 30]
  --limit N       rounds to keep per cell, at most, while the
                  subject against itself is not within 3 %     [default: twice --rounds]
  --millis N      length of one peer's turn in a round         [default: 30]
  --minutes N     after this time, no more extra rounds, and
                  no waiting for a busy machine to calm down   [default: 8]
  --filter TEXT   only cells whose name contains TEXT
  --quick         5 rounds of 10 ms: does it run at all?
  --full          the whole grid; half an hour if all is quiet [--minutes 60]
  --foreign N     per cent of the machine that other processes
                  may use before a round is dropped            [default: 10]
  --seed N        of the order of peers within each round      [default: 1]
";

/// Reads an option that only one family has.
pub type More<'a> = dyn FnMut(&str, &mut lexopt::Parser) -> Result<bool, lexopt::Error> + 'a;

/// How much to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Rounds to keep per cell, at least.
    pub rounds: usize,
    /// And at most.
    pub limit: usize,
    /// One peer's turn.
    pub turn: Duration,
    /// Time after which a family adds no more rounds than it must, and waits for nobody.
    pub patience: Duration,
    /// A part of the name of the cells that are wanted.
    pub filter: String,
    /// The larger grid.
    pub full: bool,
    /// The smallest possible run.
    pub quick: bool,
    /// Share of all cores that others may use.
    pub foreign_share: f64,
    /// Seed of the order of peers.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            rounds: 30,
            limit: 60,
            turn: Duration::from_millis(30),
            patience: minutes(8),
            filter: String::new(),
            full: false,
            quick: false,
            foreign_share: 0.10,
            seed: 1,
        }
    }
}

impl Options {
    /// Reads this process's arguments. On `--help` and on mistakes it prints and exits.
    #[must_use]
    pub fn from_arguments() -> Options {
        Options::with_more("", &mut |_, _| Ok(false))
    }

    /// The same for a family with options of its own: `more` is given the name of each option
    /// that is not among those above, and says whether it knew it and has read its value;
    /// `help` describes them.
    #[must_use]
    pub fn with_more(help: &str, more: &mut More<'_>) -> Options {
        match Options::parse(lexopt::Parser::from_env(), more) {
            Ok(Some(options)) => options,
            Ok(None) => {
                print!("{HELP}{help}");
                exit(0)
            }
            Err(mistake) => {
                eprintln!("error: {mistake}\n\n{HELP}{help}");
                exit(2)
            }
        }
    }

    /// `None` stands for `--help`.
    fn parse(
        mut arguments: lexopt::Parser,
        more: &mut More<'_>,
    ) -> Result<Option<Options>, lexopt::Error> {
        let mut options = Options::default();
        let (mut limit, mut patience, mut is_benchmark) = (None, None, false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("rounds") => options.rounds = positive(arguments.value()?)?,
                Long("limit") => limit = Some(positive(arguments.value()?)?),
                Long("millis") => {
                    options.turn = Duration::from_millis(positive(arguments.value()?)? as u64);
                }
                Long("minutes") => {
                    patience = Some(minutes(positive(arguments.value()?)? as u64));
                }
                Long("filter") => options.filter = arguments.value()?.string()?,
                Long("quick") => options.quick = true,
                Long("full") => (options.full, options.patience) = (true, minutes(60)),
                Long("foreign") => {
                    options.foreign_share = arguments.value()?.parse::<f64>()? / 100.0;
                }
                Long("seed") => options.seed = arguments.value()?.parse()?,
                // cargo says which command it is for; without it this is `cargo test`.
                Long("bench") => is_benchmark = true,
                Long("help") | Short('h') => return Ok(None),
                Long(name) => {
                    let name = name.to_owned();
                    if !more(&name, &mut arguments)? {
                        return Err(Long(&name).unexpected());
                    }
                }
                other => return Err(other.unexpected()),
            }
        }
        // Whatever the order of the two options, the explicit one counts.
        options.patience = patience.unwrap_or(options.patience);
        if options.quick || !is_benchmark {
            options.quick = true;
            options.patience = Duration::ZERO;
            (options.rounds, options.turn) = (5, Duration::from_millis(10));
            limit = Some(5);
        }
        options.limit = limit.unwrap_or(2 * options.rounds).max(options.rounds);
        Ok(Some(options))
    }
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// A count.
///
/// # Errors
///
/// If it is no number, or 0.
pub fn positive(value: std::ffi::OsString) -> Result<usize, lexopt::Error> {
    let number = value.parse()?;
    if number == 0 { Err("a count must be at least 1".into()) } else { Ok(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Option<Options>, lexopt::Error> {
        Options::parse(lexopt::Parser::from_args(arguments), &mut |_, _| Ok(false))
    }

    #[test]
    fn the_limit_follows_the_rounds() {
        let options = parse(&["--bench", "--rounds", "40"]).unwrap().unwrap();
        assert_eq!((options.rounds, options.limit), (40, 80));
        let options = parse(&["--bench", "--rounds", "40", "--limit", "7"]).unwrap().unwrap();
        assert_eq!((options.rounds, options.limit), (40, 40));
    }

    #[test]
    fn a_family_may_have_more_options() {
        let mut seconds = 0;
        let mut more = |name: &str, arguments: &mut lexopt::Parser| {
            Ok(name == "seconds" && {
                seconds = arguments.value()?.parse()?;
                true
            })
        };
        let arguments = || lexopt::Parser::from_args(["--seconds", "7", "--rounds", "40"]);
        let options = Options::parse(arguments(), &mut more).unwrap().unwrap();
        assert!(options.quick, "the others are read as well");
        assert_eq!(seconds, 7);
        assert!(Options::parse(arguments(), &mut |_, _| Ok(false)).is_err());
    }

    #[test]
    fn without_cargo_bench_a_run_is_quick() {
        assert!(parse(&[]).unwrap().unwrap().quick);
        assert!(!parse(&["--bench"]).unwrap().unwrap().quick);
    }

    #[test]
    fn mistakes_are_errors() {
        assert!(parse(&["--rouns", "3"]).is_err());
        assert!(parse(&["--rounds", "0"]).is_err());
        assert!(parse(&["--rounds"]).is_err());
        assert!(parse(&["--help"]).unwrap().is_none());
    }

    #[test]
    fn a_time_that_was_asked_for_counts_even_with_the_whole_grid() {
        for arguments in [["--minutes", "3", "--full"], ["--full", "--minutes", "3"]] {
            let options = parse(&[&["--bench"], &arguments[..]].concat()).unwrap().unwrap();
            assert_eq!((options.full, options.patience), (true, minutes(3)));
        }
    }
}
