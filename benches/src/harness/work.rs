//! Busy work of a given length: critical sections and think times.
//!
//! The work is a chain of multiplications, each of which needs the last: it touches no memory, so
//! it does not disturb the cache line under test, and its length does not depend on the clock.
//! The length of a link is measured once per process.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::Instant;

/// An amount of busy work. The default is none at all: not even a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    links: u32,
}

impl Work {
    /// Work that takes about `nanos` when nobody interrupts it.
    #[must_use]
    pub fn lasting(nanos: u64) -> Work {
        Work { links: (nanos as f64 * links_per_nano()).round() as u32 }
    }

    /// Does the work.
    #[inline]
    pub fn run(self) {
        if self.links != 0 {
            chain(self.links);
        }
    }

    /// Does between half and one and a half times the work: threads whose think times are all
    /// equal fall into step with each other, and then measure their own rhythm.
    #[inline]
    pub fn run_jittered(self, random: &mut fastrand::Rng) {
        if self.links != 0 {
            chain(self.links / 2 + random.u32(0..self.links) + 1);
        }
    }
}

/// One copy for everybody, so that no peer gets a better compiled loop.
#[inline(never)]
fn chain(links: u32) {
    let mut x = black_box(1_u64);
    for _ in 0..links {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    }
    black_box(x);
}

/// Speed of the chain: the best of several tries, since interruptions only ever lengthen one.
fn links_per_nano() -> f64 {
    static SPEED: OnceLock<f64> = OnceLock::new();
    *SPEED.get_or_init(|| {
        const LINKS: u32 = 200_000;
        let shortest = (0..20).map(|_| {
            let start = Instant::now();
            chain(LINKS);
            start.elapsed().as_nanos()
        });
        f64::from(LINKS) / shortest.min().unwrap_or(1).max(1) as f64
    })
}
