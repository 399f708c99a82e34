//! Runs the cases, each in a process of its own, and reports as the standard harness does.

use std::env;
use std::fmt::Write as _;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::support::{proc, say};

/// A name, and what is done in the child.
pub(crate) type Case = (&'static str, fn() -> Outcome);

/// How a case ends that does not fail.
pub(crate) enum Outcome {
    Passed,
    /// Not possible here, and why.
    Skipped(String),
}

/// Set in a child: the case to run.
const CASE: &str = "LOCKWORK_PROCESS_CASE";

/// Set where a case runs itself once more: what to do there.
const ROLE: &str = "LOCKWORK_PROCESS_ROLE";

/// Exit status of a case that was not possible.
const SKIPPED: i32 = 77;

/// How long a case may take. A hang lasts for ever, so this may be generous.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn main(groups: &[&[Case]]) -> ExitCode {
    let cases: Vec<Case> = groups.concat();
    if let Ok(name) = env::var(CASE) {
        let (_, case) = cases.iter().find(|(case, _)| *case == name).expect("a case of this name");
        return match case() {
            Outcome::Passed => ExitCode::SUCCESS,
            Outcome::Skipped(reason) => {
                say(&format!("SKIP {name}: {reason}"));
                ExitCode::from(SKIPPED as u8)
            }
        };
    }
    let arguments = Arguments::parse(env::args().skip(1));
    let chosen: Vec<&Case> = cases.iter().filter(|(name, _)| arguments.choose(name)).collect();
    if arguments.list {
        for (name, _) in &chosen {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    report(&chosen, cases.len() - chosen.len())
}

fn report(chosen: &[&Case], left_out: usize) -> ExitCode {
    println!("\nrunning {} tests", chosen.len());
    let start = Instant::now();
    let (mut passed, mut ignored, mut failures) = (0, 0, String::new());
    for (name, _) in chosen {
        let mut command = Command::new(env::current_exe().expect("this binary"));
        let end = run_limited(command.env(CASE, name), LIMIT, |_| {});
        if end.status.success() {
            passed += 1;
            println!("test {name} ... ok");
        } else if end.status.code() == Some(SKIPPED) {
            ignored += 1;
            // Past any capture: a check that was not made should not go unseen.
            say(end.output.lines().find(|line| line.starts_with("SKIP")).unwrap_or("SKIP"));
            println!("test {name} ... ignored");
        } else {
            println!("test {name} ... FAILED");
            let _ = writeln!(failures, "---- {name} ----\n{}\n{}", end.output, end.describe());
        }
        if env::args().any(|argument| argument == "--nocapture") {
            print!("{}", end.output);
        }
    }
    let failed = chosen.len() - passed - ignored;
    if failed > 0 {
        println!("\nfailures:\n\n{failures}");
    }
    println!(
        "\ntest result: {}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; \
         {left_out} filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        start.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the standard harness accepts, as far as it means something here.
#[derive(Default)]
struct Arguments {
    list: bool,
    exact: bool,
    only: Vec<String>,
    skip: Vec<String>,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Self {
        let mut arguments = Self::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--list" => arguments.list = true,
                "--exact" => arguments.exact = true,
                "--skip" => arguments.skip.extend(words.next()),
                "--test-threads" | "--format" | "--color" | "--logfile" | "--shuffle-seed" => {
                    words.next();
                }
                _ if word.starts_with('-') => {}
                _ => arguments.only.push(word),
            }
        }
        arguments
    }

    fn choose(&self, name: &str) -> bool {
        let fits = |pattern: &String| {
            if self.exact { name == pattern } else { name.contains(pattern.as_str()) }
        };
        (self.only.is_empty() || self.only.iter().any(fits)) && !self.skip.iter().any(fits)
    }
}

/// How a child ended and what it wrote.
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    in_time: bool,
}

impl End {
    fn describe(&self) -> String {
        match self.status.signal() {
            _ if !self.in_time => format!("still running after {LIMIT:?}: ended"),
            Some(signal) => format!("died of signal {signal}"),
            None => self.status.to_string(),
        }
    }
}

/// Runs a command in a process group of its own, which is gone when this returns, in time or not.
/// Calls `meanwhile` with its process id, again and again.
pub(crate) fn run_limited(
    command: &mut Command,
    limit: Duration,
    mut meanwhile: impl FnMut(i32),
) -> End {
    let pipes = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let die_with_us = || {
        // SAFETY: no memory.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        Ok(())
    };
    // SAFETY: one system call, which is all that may be done between fork and exec.
    let pipes = unsafe { pipes.pre_exec(die_with_us) };
    let mut child = pipes.process_group(0).spawn().expect("the test binary runs");
    let pid = i32::try_from(child.id()).expect("process ids are positive");
    let output = [collect(child.stdout.take()), collect(child.stderr.take())];
    let start = Instant::now();
    let mut hung = String::new();
    let status = loop {
        if let Some(status) = child.try_wait().expect("our own child") {
            break status;
        }
        if start.elapsed() > limit {
            hung = proc::threads_of(&pid.to_string()).join("\n");
            end_group(pid);
            break child.wait().expect("our own child");
        }
        meanwhile(pid);
        thread::sleep(Duration::from_millis(2));
    };
    let in_time = hung.is_empty();
    if in_time {
        end_group(pid); // whatever it started and forgot
    }
    let mut text = hung;
    for reader in output {
        text.push_str(&reader.join().expect("reading does not panic"));
    }
    End { status, output: text, in_time }
}

/// What a case does that [`run_role`] runs once more; `None` if it is run by itself, as others are.
pub(crate) fn role() -> Option<String> {
    env::var(ROLE).ok()
}

/// Runs a case of this name in a process of its own, for what ends a process.
pub(crate) fn run_role(case: &str, role: &str) -> End {
    let mut command = Command::new(env::current_exe().expect("this binary"));
    run_limited(command.env(CASE, case).env(ROLE, role), LIMIT, |_| {})
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.expect("asked for above").read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Ends what is left of a child's process group.
fn end_group(leader: i32) {
    // SAFETY: no memory. The group was made for this child; while it has members, its number is
    // nobody else's, and without any the call fails.
    unsafe { libc::kill(-leader, libc::SIGKILL) };
}

/// The runner itself has to notice failures.
pub(crate) const CASES: &[Case] = &[
    ("runner::notices_failures_and_hangs", || {
        let run = |role: &str, limit| {
            let mut command = Command::new(env::current_exe().expect("this binary"));
            run_limited(command.env(CASE, "runner::itself").env(ROLE, role), limit, |_| {})
        };
        let panicked = run("panic", LIMIT);
        assert!(panicked.status.code() == Some(101) && panicked.output.contains("for the runner"));
        assert_eq!(run("signal", LIMIT).status.signal(), Some(libc::SIGABRT));
        let hung = run("hang", Duration::from_millis(200));
        assert_eq!(hung.status.signal(), Some(libc::SIGKILL));
        assert!(!hung.in_time && hung.describe().starts_with("still running"));
        assert!(run("pass", LIMIT).status.success());
        let filter = Arguments::parse(
            ["--test-threads", "3", "fork", "-q", "--skip", "raw"].into_iter().map(str::to_owned),
        );
        assert!(filter.choose("fork::mutex") && !filter.choose("fork::raw") && !filter.choose("x"));
        Outcome::Passed
    }),
    ("runner::itself", || match role().as_deref() {
        Some("panic") => panic!("a failure for the runner"),
        Some("signal") => std::process::abort(),
        Some("hang") => loop {
            thread::park();
        },
        _ => Outcome::Passed,
    }),
];
