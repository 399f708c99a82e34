//! Random programs over small pools, on one thread and on several at once, with an account of every
//! task; and the inputs of the fuzz target.

#[path = "../../fuzz/src/pool.rs"]
mod pool;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use self::pool::{Ledger, run};
use super::support::random::{Rng, seed};
use super::support::scaled;
use super::support::threads::together;
use super::support::watchdog::Watchdog;

fn program(rng: &mut Rng, length: usize) -> Vec<u8> {
    (0..length).map(|_| rng.next() as u8).collect()
}

/// A million operations, by three threads at a time: each handle resolves once, each closure is
/// run, returned or dropped once, and every snapshot adds up.
#[test]
fn a_million_operations_at_once() {
    const THREADS: usize = 3;
    const LENGTH: usize = 400;
    let (watchdog, seed) = (Watchdog::start(), seed());
    for round in 0..scaled(1_000_000 / (THREADS * LENGTH) + 1) {
        let mut rng = Rng::stream(seed, round as u64);
        let ledger = Ledger::new(&[round as u8, rng.next() as u8]);
        let stream = rng.next();
        together(THREADS, |thread| {
            let mut rng = Rng::stream(stream, thread as u64);
            // The end comes at any moment, and in most programs not at all.
            let mut program = program(&mut rng, LENGTH);
            let last = program.len() - rng.below(40) as usize;
            for byte in &mut program[..last] {
                if *byte & 15 == 14 && *byte >> 4 >= 13 {
                    *byte = 0x0e;
                }
            }
            ledger.program(&program);
            watchdog.tick();
        });
        ledger.close();
    }
}

#[test]
fn short_programs() {
    let (watchdog, seed) = (Watchdog::start(), seed());
    for round in 0..scaled(1500) {
        let mut rng = Rng::stream(seed, round as u64);
        let length = rng.below(40) as usize;
        let input = program(&mut rng, length);
        assert!(catch_unwind(|| run(&input)).is_ok(), "{input:02x?}");
        watchdog.tick();
    }
}

#[test]
fn the_corpus() {
    let watchdog = Watchdog::start();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/pool");
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        assert!(catch_unwind(|| run(&input)).is_ok(), "{}", path.display());
        inputs += 1;
        watchdog.tick();
    }
    assert!(inputs >= 20, "{inputs} inputs in {}", folder.display());
}
