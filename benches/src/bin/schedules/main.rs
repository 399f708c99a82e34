//! Scripted schedules: who does what in which order, so that the number of system calls is a
//! property of the lock and not of the day.
//!
//! `schedules --list` prints what there is; `schedules --only SCHEDULE --peer PEER --times N` runs
//! one schedule N times and prints nothing. The counting is done from outside, by a tool that the
//! program knows nothing about: `benches/futex-calls.sh` runs each schedule for two values of N and
//! divides the difference, so that starting and ending the process cancel out.

mod cast;
mod rwlock;
mod scripts;

use lexopt::prelude::*;
use scripts::Script;
use std::process::ExitCode;

const USAGE: &str = "Usage: schedules --list | --only SCHEDULE --peer PEER [--times N]";

fn main() -> ExitCode {
    match run() {
        // At once: joining the cast would add futex calls of its own.
        Ok(()) => std::process::exit(0),
        Err(mistake) => {
            eprintln!("error: {mistake}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), lexopt::Error> {
    let (mut only, mut peer, mut times, mut list) = (None, None, 100, false);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("list") => list = true,
            Long("only") => only = Some(arguments.value()?.string()?),
            Long("peer") => peer = Some(arguments.value()?.string()?),
            Long("times") => times = arguments.value()?.parse()?,
            Long("help") | Short('h') => {
                println!("{USAGE}");
                return Ok(());
            }
            other => return Err(other.unexpected()),
        }
    }
    let scripts = scripts::all();
    if list {
        for Script { schedule, peer, .. } in &scripts {
            println!("{schedule}\t{peer}");
        }
        return Ok(());
    }
    let (Some(only), Some(peer)) = (only, peer) else {
        return Err("which schedule, of which peer?".into());
    };
    match scripts.iter().find(|script| script.schedule == only && script.peer == peer) {
        Some(script) => {
            (script.play)(times);
            Ok(())
        }
        None => Err(format!("no schedule '{only}' of '{peer}'; see --list").into()),
    }
}
