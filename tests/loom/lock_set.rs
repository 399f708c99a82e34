//! `lock_all`: no deadlock, whatever the others do, and nothing kept by a call that gave up.

use std::sync::Arc;
use std::time::Duration;

use lockwork::lock_set::{Read, Write};
use lockwork::model::Explore;
use lockwork::{Mutex, RwLock, lock_all, try_lock_all, try_lock_all_for};

use super::support::beside;

/// A licence to time out at any moment: see the model's notes on time.
const SOON: Duration = Duration::from_secs(1);

/// Forks on a table. Their addresses ascend, in every execution.
type Forks<const N: usize> = [Mutex<u32>; N];

fn forks<const N: usize>() -> Arc<Forks<N>> {
    Arc::new(std::array::from_fn(|_| Mutex::new(0)))
}

/// Takes two forks at once, and uses them.
fn eat<const N: usize>(forks: &Forks<N>, left: usize, right: usize) {
    let (mut left, mut right) = lock_all((&forks[left], &forks[right]));
    *left += 1;
    *right += 1;
}

fn used<const N: usize>(forks: &Forks<N>) -> [u32; N] {
    std::array::from_fn(|i| *forks[i].lock())
}

/// Two that ask for the same locks in opposite orders.
#[test]
fn two_philosophers() {
    Explore::new("lock_all, two philosophers").preemptions(3).at_least(100).run(&[[2, 2]], || {
        let forks = forks::<2>();
        let other = beside(&forks, |forks| eat(forks, 0, 1));
        eat(&forks, 1, 0);
        other.join().unwrap();
        used(&forks)
    });
}

/// Beside one that sleeps for its second lock with the first in hand, in whichever order.
#[test]
fn beside_one_that_holds_and_waits() {
    let by_hand = |first: usize, second: usize| {
        Explore::new("lock_all, holder").preemptions(3).at_least(50).run(&[[2, 2]], move || {
            let forks = forks::<2>();
            let other = beside(&forks, move |forks: &Forks<2>| {
                let mut one = forks[first].lock();
                *forks[second].lock() += 1;
                *one += 1;
            });
            eat(&forks, 0, 1);
            other.join().unwrap();
            used(&forks)
        });
    };
    by_hand(0, 1);
    by_hand(1, 0);
}

/// The table is round: each asks for the fork on its left, and then for the one on its right.
#[test]
fn three_philosophers() {
    let model = Explore::new("lock_all, three philosophers").preemptions(2);
    model.at_least(100).run(&[[2, 2, 2]], || {
        let forks = forks::<3>();
        let one = beside(&forks, |forks| eat(forks, 0, 1));
        let two = beside(&forks, |forks| eat(forks, 1, 2));
        eat(&forks, 2, 0);
        one.join().unwrap();
        two.join().unwrap();
        used(&forks)
    });
}

/// One that gives up, by not waiting or because the time is up, has nothing.
#[test]
fn giving_up() {
    type Try = fn(&Forks<2>) -> bool;
    let once: Try = |forks| try_lock_all((&forks[0], &forks[1])).is_some();
    let timed: Try = |forks| try_lock_all_for((&forks[0], &forks[1]), SOON).is_some();
    for attempt in [once, timed] {
        let model = Explore::new("lock_all, giving up").preemptions(2).at_least(10);
        model.run(&[false, true], move || {
            let forks = forks::<2>();
            let other = beside(&forks, |forks: &Forks<2>| *forks[1].lock() += 1);
            let got = attempt(&forks);
            // Free, or only the other has one of them.
            assert!(forks[0].try_lock().is_some());
            other.join().unwrap();
            assert_eq!(used(&forks), [0, 1]);
            got
        });
    }
}

/// Readers and writers in one set; who reads sees what was written together.
#[test]
fn readers_and_writers() {
    Explore::new("lock_all, readers").preemptions(2).at_least(100).run(&[(0, 0), (1, 1)], || {
        let pair = Arc::new((RwLock::new(0), RwLock::new(0)));
        let writer = beside(&pair, |(a, b)| {
            let (mut b, mut a) = lock_all((Write(b), Write(a)));
            *a += 1;
            *b += 1;
        });
        let (a, b) = lock_all((Read(&pair.0), Read(&pair.1)));
        let seen = (*a, *b);
        drop((a, b));
        writer.join().unwrap();
        seen
    });
}
