//! `SeqLock`, and what may be in it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use lockwork::{PlainData, SeqLock, plain_data};

use super::support::threads::{asleep, words_of};
use super::support::watchdog::Watchdog;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Mixed {
    long: u64,
    int: u32,
    short: u16,
    bytes: [u8; 2],
}
plain_data!(Mixed { long, int, short, bytes });

#[derive(Clone, Copy, Debug, PartialEq)]
struct Unit;
plain_data!(Unit {});

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(32))]
struct Aligned([u64; 4]);
plain_data!(Aligned { 0 });

#[test]
fn sizes() {
    assert_eq!(size_of::<SeqLock<()>>(), 16);
    assert_eq!(size_of::<SeqLock<u8>>(), 24);
    assert_eq!(size_of::<SeqLock<[u64; 2]>>(), 32);
    assert_eq!(size_of::<SeqLock<Aligned>>(), 64);
}

/// Through a lock and back, by each way in and out.
#[track_caller]
fn comes_back<T: PlainData + PartialEq + std::fmt::Debug>(first: T, second: T) {
    let lock = SeqLock::new(first);
    assert_eq!((lock.read(), lock.try_read()), (first, Some(first)));
    lock.write(second);
    assert_eq!(lock.read(), second);
    assert_eq!(lock.update(|value| std::mem::replace(value, first)), second);
    assert_eq!(lock.read(), first);
    *lock.lock() = second;
    assert_eq!(*lock.try_lock().unwrap(), second);
    assert_eq!(lock.into_inner(), second);
}

/// All sizes that are copied by words of several sizes, and alignments below and above a word's.
#[test]
fn every_size() {
    comes_back((), ());
    comes_back(Unit, Unit);
    comes_back(true, false);
    comes_back('a', '\u{10ffff}');
    comes_back(1.5_f32, f32::MAX);
    comes_back(u128::MAX, 1 << 64);
    comes_back(Mixed::default(), Mixed { long: u64::MAX, int: 1, short: 2, bytes: [3, 4] });
    comes_back(Aligned([1; 4]), Aligned([1, 2, 3, 4]));
    macro_rules! lengths {
        ($($n:literal)*) => {$(
            comes_back([0_u8; $n], std::array::from_fn(|i| i as u8 + 1));
            comes_back([[0_u16; 3]; $n], [[1, u16::MAX, 3]; $n]);
        )*};
    }
    lengths!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 31 33 63 100);
}

#[test]
fn readers_see_what_was_there_until_the_guard_goes() {
    let lock = SeqLock::new([1, 2]);
    let mut guard = lock.lock();
    guard[0] = 9;
    assert_eq!((*guard, lock.read(), lock.try_read()), ([9, 2], [1, 2], Some([1, 2])));
    assert!(lock.is_locked() && lock.try_lock().is_none());
    assert_eq!(format!("{lock:?}, {guard:?}"), "SeqLock { data: [1, 2] }, [9, 2]");
    drop(guard);
    assert_eq!((lock.is_locked(), lock.read()), (false, [9, 2]));
}

#[test]
fn a_panic_in_an_update_changes_nothing() {
    let lock = SeqLock::new([1, 2]);
    let update = || {
        lock.update(|pair| {
            pair[0] = 9;
            panic!("planned");
        })
    };
    assert!(catch_unwind(AssertUnwindSafe(update)).is_err());
    assert_eq!((lock.is_locked(), lock.read()), (false, [1, 2]));
    // A guard's copy is stored however it ends.
    let guarded = || {
        lock.lock()[0] = 9;
        let mut guard = lock.lock();
        guard[1] = 9;
        panic!("planned");
    };
    assert!(catch_unwind(AssertUnwindSafe(guarded)).is_err());
    assert_eq!((lock.is_locked(), lock.read()), (false, [9, 9]));
}

#[test]
fn a_second_writer_sleeps() {
    let _watchdog = Watchdog::start();
    let lock = SeqLock::new(0);
    thread::scope(|s| {
        let lock = &lock;
        let mut guard = lock.lock();
        let other = asleep(s, words_of(lock), || lock.update(|n| *n += 10));
        *guard += 1;
        drop(guard);
        other.join().unwrap();
    });
    assert_eq!(lock.read(), 11);
}

#[test]
fn made_of_what_it_holds() {
    assert_eq!(SeqLock::<Mixed>::default().read(), Mixed::default());
    assert_eq!(SeqLock::from(3).into_inner(), 3);
    static LOCK: SeqLock<Mixed> = SeqLock::new(Mixed { long: 1, int: 2, short: 3, bytes: [4; 2] });
    LOCK.update(|mixed| mixed.long += 1);
    assert_eq!(LOCK.read().long, 2);
}
