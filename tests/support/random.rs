//! Reproducible random numbers.

use std::time::{SystemTime, UNIX_EPOCH};

/// A small generator: SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone)]
pub(crate) struct Rng(u64);

/// The seed of this run: `LOCKWORK_SEED`, or a new one. Printed, so that a failure can be repeated
/// as far as the scheduler allows.
pub(crate) fn seed() -> u64 {
    use std::sync::OnceLock;
    static SEED: OnceLock<u64> = OnceLock::new();
    let seed = *SEED.get_or_init(|| match std::env::var("LOCKWORK_SEED") {
        Ok(text) => text.parse().expect("LOCKWORK_SEED is a number"),
        Err(_) => {
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64)
        }
    });
    println!("LOCKWORK_SEED={seed}");
    seed
}

impl Rng {
    /// The generator of one stream, usually a thread's, of the run's seed.
    pub(crate) fn stream(seed: u64, stream: u64) -> Self {
        let mut rng = Self(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        rng.next();
        rng
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}
