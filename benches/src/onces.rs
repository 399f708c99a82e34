//! Adapters: what is made once and then read, and what is read all the time and seldom written.

use std::hint::black_box;
use std::sync::LazyLock;

/// Something that is there already, and is asked for.
pub trait Cached: Send + Sync {
    /// For tables.
    const NAME: &'static str;

    /// Not there yet.
    fn new() -> Self;

    /// Makes it if need be, and says what it is.
    fn get(&self) -> u64;
}

macro_rules! cached {
    ($name:literal, $cell:ty, $new:expr, |$this:ident| $get:expr) => {
        impl Cached for $cell {
            const NAME: &'static str = $name;

            fn new() -> Self {
                $new
            }

            #[inline]
            fn get(&self) -> u64 {
                let $this = self;
                $get
            }
        }
    };
}

/// What a closure makes, here and below. Not known when it is compiled.
fn make() -> u64 {
    black_box(7)
}

cached!("lockwork", lockwork::OnceLock<u64>, Self::new(), |it| *it.get_or_init(make));
cached!("std", std::sync::OnceLock<u64>, Self::new(), |it| *it.get_or_init(make));
cached!("lockwork", lockwork::LazyLock<u64>, Self::new(make), |it| **it);
cached!("std", LazyLock<u64>, Self::new(make), |it| **it);
cached!("lockwork", lockwork::Once, Self::new(), |it| {
    it.call_once(|| _ = make());
    7
});
cached!("std", std::sync::Once, Self::new(), |it| {
    it.call_once(|| _ = make());
    7
});
cached!("parking_lot", parking_lot::Once, Self::new(), |it| {
    it.call_once(|| _ = make());
    7
});

/// A value of some words that is read whole.
pub trait Snapshot<const WORDS: usize>: Send + Sync {
    /// For tables.
    const NAME: &'static str;

    /// All zero.
    fn new() -> Self;

    /// A copy.
    fn read(&self) -> [u64; WORDS];

    /// Another value.
    fn write(&self, value: [u64; WORDS]);
}

macro_rules! snapshot {
    ($name:literal, $lock:ty, |$this:ident| $read:expr, |$that:ident, $new:ident| $write:expr) => {
        impl<const WORDS: usize> Snapshot<WORDS> for $lock {
            const NAME: &'static str = $name;

            fn new() -> Self {
                Self::new([0; WORDS])
            }

            #[inline]
            fn read(&self) -> [u64; WORDS] {
                let $this = self;
                $read
            }

            #[inline]
            fn write(&self, $new: [u64; WORDS]) {
                let $that = self;
                $write
            }
        }
    };
}

snapshot!("lockwork", lockwork::SeqLock<[u64; WORDS]>, |it| it.read(), |it, new| it.write(new));
snapshot!("seqlock", seqlock::SeqLock<[u64; WORDS]>, |it| it.read(), |it, new| {
    *it.lock_write() = new
});
snapshot!("parking_lot RwLock", parking_lot::RwLock<[u64; WORDS]>, |it| *it.read(), |it, new| {
    *it.write() = new
});

#[cfg(test)]
mod tests {
    use super::*;

    fn made_once<C: Cached>() {
        let cell = C::new();
        assert_eq!((cell.get(), cell.get()), (7, 7), "{}", C::NAME);
    }

    fn whole<S: Snapshot<3>>() {
        let lock = S::new();
        std::thread::scope(|s| {
            s.spawn(|| (0..10_000).for_each(|n| lock.write([n; 3])));
            for _ in 0..10_000 {
                let [a, b, c] = lock.read();
                assert!(a == b && b == c, "{}", S::NAME);
            }
        });
        assert_eq!(lock.read(), [9_999; 3]);
    }

    #[test]
    fn every_adapter_does_what_it_says() {
        made_once::<lockwork::OnceLock<u64>>();
        made_once::<std::sync::OnceLock<u64>>();
        made_once::<lockwork::LazyLock<u64>>();
        made_once::<LazyLock<u64>>();
        made_once::<lockwork::Once>();
        made_once::<std::sync::Once>();
        made_once::<parking_lot::Once>();
        whole::<lockwork::SeqLock<[u64; 3]>>();
        whole::<seqlock::SeqLock<[u64; 3]>>();
        whole::<parking_lot::RwLock<[u64; 3]>>();
    }
}
