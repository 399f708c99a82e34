//! The corpora of the fuzz targets for `ArrayQueue`, `spsc` and channels, replayed: no fuzzing
//! The corpora of the fuzz targets for `ArrayQueue`, `SegQueue` and `spsc`, replayed: no fuzzing
//! engine, any toolchain.

#[path = "../../fuzz/src/channel.rs"]
mod channel;
#[path = "../../fuzz/src/queues.rs"]
mod queues;
#[path = "../../fuzz/src/seg_queue.rs"]
mod seg_queue;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use super::support::random::{Rng, seed};
use super::support::scaled;
use super::support::watchdog::Watchdog;

fn replay(target: &str, run: fn(&[u8])) {
    let watchdog = Watchdog::start();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        assert!(catch_unwind(|| run(&input)).is_ok(), "{}", path.display());
        inputs += 1;
        watchdog.tick();
    }
    assert!(inputs >= 20, "{inputs} inputs in {}", folder.display());
    // And some that are in no corpus.
    let mut rng = Rng::stream(seed(), 0);
    for _ in 0..scaled(500) {
        let input: Vec<u8> = (0..rng.below(400)).map(|_| rng.next() as u8).collect();
        assert!(catch_unwind(|| run(&input)).is_ok(), "{input:02x?}");
        watchdog.tick();
    }
}

#[test]
fn array_queue_agrees_with_its_model() {
    replay("array_queue", queues::array_queue);
}

#[test]
fn seg_queue_agrees_with_its_model() {
    replay("seg_queue", seg_queue::run);
}

#[test]
fn the_ends_of_a_ring_agree_with_their_model() {
    replay("spsc", queues::ends);
}

#[test]
fn channels_agree_with_their_model() {
    replay("channel", channel::run);
}
