//! Q1: some threads send numbers to others. An operation is a number received.
//!
//! Q2: two threads send one number to and fro. An operation is a round trip.

use crate::channels::Channel;
use crate::harness::sample::Sample;
use crate::harness::stage::{Timing, perform};
use std::sync::Mutex;

/// The parameters.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Threads that send.
    pub senders: usize,
    /// Threads that receive.
    pub receivers: usize,
    /// Places.
    pub capacity: usize,
    /// How long.
    pub timing: Timing,
}

enum End<C: Channel> {
    Sender(C::Sender),
    Receiver(C::Receiver),
}

/// Each thread drops its end when its time is over.
///
/// # Panics
///
/// If numbers were lost or invented.
#[must_use]
pub fn stream<C: Channel>(cell: &Stream) -> Sample {
    let (sender, receiver) = C::bounded(cell.capacity);
    let more: Vec<_> = (1..cell.receivers).map(|_| C::another(&receiver)).collect();
    let ends: Vec<Mutex<Option<End<C>>>> = (0..cell.senders)
        .map(|_| End::Sender(sender.clone()))
        .chain(more.into_iter().chain([receiver]).map(End::Receiver))
        .map(|end| Mutex::new(Some(end)))
        .collect();
    drop(sender);
    let (performance, sums) = perform(&cell.timing, ends.len(), |me, seat| {
        let end = ends[me].lock().expect("nobody panics").take();
        let mut sum = 0_u64;
        match end.expect("each has one") {
            End::Sender(sender) => {
                let mut value = 0;
                while seat.proceed() {
                    value += 1;
                    assert!(C::send(&sender, value));
                    sum = sum.wrapping_sub(value);
                }
            }
            End::Receiver(receiver) => {
                while let Some(value) = C::recv(&receiver) {
                    sum = sum.wrapping_add(value);
                    seat.count(1);
                    seat.proceed();
                }
            }
        }
        sum
    });
    let balance = sums.into_iter().fold(0, u64::wrapping_add);
    assert_eq!(balance, 0, "numbers were lost or invented");
    Sample::of_crew(&performance)
}

/// Thread 0 begins and counts, with a channel for each direction.
///
/// # Panics
///
/// If a number other than the one sent comes back.
#[must_use]
pub fn to_and_fro<C: Channel>(cell: &Stream) -> Sample {
    let (there, back) = (C::bounded(cell.capacity), C::bounded(cell.capacity));
    let ends = [Mutex::new(Some((there.0, back.1))), Mutex::new(Some((back.0, there.1)))];
    let (performance, _) = perform(&cell.timing, 2, |me, seat| {
        let (sender, receiver) =
            ends[me].lock().expect("nobody panics").take().expect("each has its two");
        if me == 0 {
            let mut value = 0;
            while seat.proceed() {
                value += 1;
                assert!(C::send(&sender, value));
                assert_eq!(C::recv(&receiver), Some(value));
                seat.count(1);
            }
        } else {
            while let Some(value) = C::recv(&receiver) {
                seat.proceed();
                // The last answer may find its receiver gone.
                C::send(&sender, value);
            }
        }
    });
    Sample::of_crew(&performance)
}
