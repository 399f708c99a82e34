//! `SeqLock`: no copy is torn, and none is older than what the reader has seen of it.

use std::sync::Arc;

use lockwork::model::{AtomicU32, Explore, Ordering::Relaxed};
use lockwork::{SeqLock, SpinLock};

use super::support::beside;

/// Two words each of which is written with the other.
type Pair = SeqLock<[u32; 2]>;

fn pair() -> Arc<Pair> {
    Arc::new(SeqLock::new([0, 0]))
}

/// A copy taken beside a write is from before it or from after it.
#[test]
fn reader_beside_a_write() {
    let outcomes = [None, Some([0, 0]), Some([1, 1])];
    Explore::new("seq lock, a write").preemptions(4).at_least(100).run(&outcomes, || {
        let pair = pair();
        let writer = beside(&pair, |pair| pair.write([1, 1]));
        let seen = pair.try_read();
        writer.join().unwrap();
        assert_eq!(pair.read(), [1, 1]);
        seen
    });
}

/// Beside two writes, which leave a number that an earlier one left too.
#[test]
fn reader_beside_two_writes() {
    let outcomes = [None, Some([0, 0]), Some([1, 1]), Some([2, 2])];
    Explore::new("seq lock, two writes").preemptions(3).at_least(500).run(&outcomes, || {
        let pair = pair();
        let writer = beside(&pair, |pair| {
            pair.write([1, 1]);
            pair.write([2, 2]);
        });
        let seen = pair.try_read();
        writer.join().unwrap();
        seen
    });
}

/// What is read later is not older.
#[test]
fn reads_do_not_go_back() {
    // Who was disturbed has seen that the write has begun.
    let outcomes = [
        (None, None),
        (None, Some(1)),
        (Some(0), None),
        (Some(0), Some(0)),
        (Some(0), Some(1)),
        (Some(1), Some(1)),
    ];
    Explore::new("seq lock, two reads").preemptions(4).at_least(500).run(&outcomes, || {
        let pair = pair();
        let writer = beside(&pair, |pair| pair.write([1, 1]));
        let whole = |copy: Option<[u32; 2]>| {
            copy.map(|[left, right]| {
                assert_eq!(left, right, "torn");
                left
            })
        };
        let seen = (whole(pair.try_read()), whole(pair.try_read()));
        writer.join().unwrap();
        seen
    });
}

/// What came before a write is seen by whoever reads what was written.
#[test]
fn write_publishes() {
    let outcomes = [None, Some((0, false)), Some((0, true)), Some((1, true))];
    Explore::new("seq lock, publish").preemptions(4).at_least(100).run(&outcomes, || {
        let shared = Arc::new((AtomicU32::new(0), SeqLock::new(0_u32)));
        let writer = beside(&shared, |(before, number)| {
            before.store(1, Relaxed);
            number.write(1);
        });
        let seen = shared.1.try_read().map(|number| (number, shared.0.load(Relaxed) == 1));
        writer.join().unwrap();
        seen
    });
}

/// Two that add: neither addition is lost. With a reader, which sees whole sums.
#[test]
fn two_writers_and_a_reader() {
    Explore::new("seq lock, two writers").preemptions(2).at_least(1_000).run(&[[2, 2]], || {
        let pair = pair();
        let add =
            |pair: &Pair| pair.update(|[left, right]| (*left, *right) = (*left + 1, *right + 1));
        let (first, second) = (beside(&pair, add), beside(&pair, add));
        if let Some([left, right]) = pair.try_read() {
            assert_eq!(left, right, "torn");
        }
        first.join().unwrap();
        second.join().unwrap();
        pair.read()
    });
}

/// A reader that waits for a writer comes to an end, and so does the writer.
#[test]
fn read_waits() {
    Explore::new("seq lock, read").preemptions(3).at_least(100).run(&[0, 1], || {
        let pair = pair();
        let writer = beside(&pair, |pair| {
            let mut guard = pair.lock();
            guard[0] = 1;
            guard[1] = 1;
        });
        let [left, right] = pair.read();
        assert_eq!(left, right, "torn");
        writer.join().unwrap();
        left
    });
}

/// A `SpinLock` is a mutex whose polls are left out here: its sleepers are woken too.
#[test]
fn spin_lock() {
    Explore::new("spin lock").preemptions(2).at_least(500).run(&[3], || {
        let count = Arc::new(SpinLock::new(0));
        let others = [(); 2].map(|()| beside(&count, |count| *count.lock() += 1));
        *count.lock() += 1;
        for other in others {
            other.join().unwrap();
        }
        *count.lock()
    });
}
