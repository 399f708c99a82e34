//! Channels: the names of crossbeam-channel with its meanings, and what is ours.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::Deadline;
use lockwork::cancel::CancelToken;
use lockwork::queue::channel::{
    self, Receiver, RecvCancellableError, RecvError, RecvTimeoutError, SendCancellableError,
    SendError, SendTimeoutError, Sender, TryRecvError, TrySendError,
};

use super::support::scaled;
use super::support::watchdog::Watchdog;

/// Counts how many of it were dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Each way to make one that holds a value while it is not received.
fn all_kinds<T>() -> [(&'static str, Sender<T>, Receiver<T>); 2] {
    let ((a, b), (c, d)) = (channel::bounded(2), channel::rendezvous());
    [("bounded", a, b), ("rendezvous", c, d)]
}

#[test]
fn values_and_their_order() {
    for (kind, sender, receiver) in all_kinds() {
        let producer = thread::spawn(move || (0..100).for_each(|n| sender.send(n).unwrap()));
        assert_eq!(receiver.iter().collect::<Vec<i32>>(), Vec::from_iter(0..100), "{kind}");
        producer.join().unwrap();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected), "{kind}");
    }
}

#[test]
fn gauges() {
    let (sender, receiver) = channel::bounded(2);
    assert_eq!((sender.len(), sender.capacity(), sender.is_full()), (0, Some(2), false));
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    assert_eq!((receiver.len(), receiver.is_full(), receiver.is_empty()), (2, true, false));
    let (sender, receiver) = channel::rendezvous::<u8>();
    assert_eq!((sender.len(), sender.capacity()), (0, Some(0)));
    assert!(receiver.is_empty() && receiver.is_full());
    assert!(!channel::bounded::<u8>(2).0.same_channel(&sender));
    assert!(sender.same_channel(&sender.clone()) && receiver.same_channel(&receiver.clone()));
}

#[test]
#[should_panic(expected = "capacity of at least 1")]
fn no_places_is_a_rendezvous() {
    drop(channel::bounded::<u8>(0));
}

#[test]
fn refusals_give_the_value_back() {
    for (kind, sender, receiver) in all_kinds::<String>() {
        while sender.try_send("filler".to_owned()).is_ok() {}
        let value = || "value".to_owned();
        assert_eq!(sender.try_send(value()), Err(TrySendError::Full(value())), "{kind}");
        let timeout = Err(SendTimeoutError::Timeout(value()));
        assert_eq!(sender.send_timeout(value(), Duration::ZERO), timeout, "{kind}");
        assert_eq!(sender.send_deadline(value(), Instant::now()), timeout, "{kind}");
        assert_eq!(sender.send_until(value(), Deadline::now()), timeout, "{kind}");
        assert_eq!(sender.send_for(value(), Duration::from_millis(1)), timeout, "{kind}");
        let token = CancelToken::new();
        token.cancel();
        let cancelled = Err(SendCancellableError::Cancelled(value()));
        assert_eq!(sender.send_cancellable(value(), &token), cancelled, "{kind}");
        drop(receiver);
        let gone = Err(SendTimeoutError::Disconnected(value()));
        assert_eq!(sender.try_send(value()), Err(TrySendError::Disconnected(value())), "{kind}");
        assert_eq!(sender.send(value()), Err(SendError(value())), "{kind}");
        assert_eq!(sender.send_timeout(value(), Duration::MAX), gone, "{kind}");
        let gone = Err(SendCancellableError::Disconnected(value()));
        assert_eq!(sender.send_cancellable(value(), &CancelToken::new()), gone, "{kind}");
    }
}

#[test]
fn nothing_to_receive() {
    for (kind, sender, receiver) in all_kinds::<u8>() {
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty), "{kind}");
        let timeout = Err(RecvTimeoutError::Timeout);
        assert_eq!(receiver.recv_timeout(Duration::ZERO), timeout, "{kind}");
        assert_eq!(receiver.recv_deadline(Instant::now()), timeout, "{kind}");
        assert_eq!(receiver.recv_until(Deadline::now()), timeout, "{kind}");
        assert_eq!(receiver.recv_for(Duration::from_millis(1)), timeout, "{kind}");
        assert_eq!(receiver.try_iter().next(), None, "{kind}");
        let token = CancelToken::new();
        let cancelled = Err(RecvCancellableError::Cancelled);
        thread::scope(|s| {
            let waiter = s.spawn(|| receiver.recv_cancellable(&token));
            token.cancel();
            assert_eq!(waiter.join().unwrap(), cancelled, "{kind}");
        });
        assert_eq!(receiver.recv_cancellable(&token), cancelled, "{kind}");
        drop(sender);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected), "{kind}");
        assert_eq!(receiver.recv(), Err(RecvError), "{kind}");
        assert_eq!(receiver.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Disconnected));
        let gone = Err(RecvCancellableError::Disconnected);
        assert_eq!(receiver.recv_cancellable(&CancelToken::new()), gone, "{kind}");
        assert_eq!(receiver.into_iter().next(), None, "{kind}");
    }
}

/// A deadline too far to represent is none.
#[test]
fn huge_limits() {
    for (kind, sender, receiver) in all_kinds() {
        let taker = thread::spawn(move || receiver.recv_timeout(Duration::MAX));
        assert_eq!(sender.send_timeout(1, Duration::MAX), Ok(()), "{kind}");
        assert_eq!(taker.join().unwrap(), Ok(1), "{kind}");
    }
}

/// A rendezvous is one: the send is not over before the value is taken.
#[test]
fn a_send_to_a_rendezvous_waits_for_its_receiver() {
    let (sender, receiver) = channel::rendezvous();
    assert_eq!(sender.try_send(0), Err(TrySendError::Full(0)));
    let taken = Arc::new(AtomicUsize::new(0));
    let seen = taken.clone();
    let producer = thread::spawn(move || {
        sender.send(1).unwrap();
        seen.load(SeqCst)
    });
    while receiver.is_empty() && taken.load(SeqCst) == 0 {
        taken.store(1, SeqCst);
        assert_eq!(receiver.recv(), Ok(1));
    }
    assert_eq!(producer.join().unwrap(), 1, "it returned before anybody asked");
}

#[test]
fn ends_are_counted() {
    let (sender, receiver) = channel::bounded(4);
    let more = [sender.clone(), sender.clone()];
    drop(sender);
    more[0].send(1).unwrap();
    drop(more);
    let another = receiver.clone();
    drop(receiver);
    assert_eq!((another.recv(), another.recv()), (Ok(1), Err(RecvError)));
}

#[test]
fn values_that_nobody_can_receive_are_dropped_at_once() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = channel::bounded(4);
    for _ in 0..3 {
        sender.send(Counted(dropped.clone())).map_err(drop).unwrap();
    }
    drop(receiver.recv());
    assert_eq!(dropped.load(SeqCst), 1);
    drop(receiver);
    assert_eq!(dropped.load(SeqCst), 3);
    let unsent = sender.send(Counted(dropped.clone()));
    assert_eq!(dropped.load(SeqCst), 3, "it came back");
    drop(unsent);
    drop(sender);
    assert_eq!(dropped.load(SeqCst), 4);
}

/// With threads asleep on the other side, and values inside.
#[test]
fn the_last_end_wakes_all_of_the_other_side() {
    let _watchdog = Watchdog::start();
    for _ in 0..scaled(20) {
        for (kind, sender, receiver) in all_kinds() {
            let senders: Vec<_> = (0..4)
                .map(|n| {
                    let sender = sender.clone();
                    thread::spawn(move || while sender.send(n).is_ok() {})
                })
                .collect();
            assert!(receiver.recv().is_ok(), "{kind}");
            drop(receiver);
            for waiter in senders {
                waiter.join().unwrap();
            }
            drop(sender);
        }
        for (kind, sender, receiver) in all_kinds::<u32>() {
            let receivers: Vec<_> = (0..4)
                .map(|_| {
                    let receiver = receiver.clone();
                    thread::spawn(move || receiver.iter().count())
                })
                .collect();
            sender.send(1).unwrap();
            drop(sender);
            let counts = receivers.into_iter().map(|waiter| waiter.join().unwrap());
            assert_eq!(counts.sum::<usize>(), 1, "{kind}");
        }
    }
}

/// Each value exactly once, in the order of its sender, with senders that give up and cancel.
#[test]
fn nothing_is_lost_or_doubled_by_those_who_give_up() {
    let watchdog = Watchdog::start();
    let rounds = scaled(2_000);
    for (kind, sender, receiver) in all_kinds() {
        let senders: Vec<_> = (0..3_u64)
            .map(|who| {
                let sender = sender.clone();
                thread::spawn(move || {
                    let mut sent = Vec::new();
                    for n in 0..rounds as u64 {
                        let value = who << 32 | n;
                        let done = match n % 3 {
                            0 => sender.send(value).is_ok(),
                            1 => sender.send_timeout(value, Duration::from_micros(n % 50)).is_ok(),
                            _ => sender.try_send(value).is_ok(),
                        };
                        if done {
                            sent.push(value);
                        }
                    }
                    sent
                })
            })
            .collect();
        drop(sender);
        let receivers: Vec<_> = (0..2)
            .map(|_| {
                let receiver = receiver.clone();
                thread::spawn(move || {
                    let mut received = Vec::new();
                    loop {
                        match receiver.recv_timeout(Duration::from_micros(20)) {
                            Ok(value) => received.push(value),
                            Err(RecvTimeoutError::Timeout) => {}
                            Err(RecvTimeoutError::Disconnected) => return received,
                        }
                    }
                })
            })
            .collect();
        let received: Vec<Vec<u64>> =
            receivers.into_iter().map(|thread| thread.join().unwrap()).collect();
        let sent: Vec<u64> =
            senders.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        for each in &received {
            for who in 0..3 {
                let own: Vec<_> = each.iter().filter(|value| *value >> 32 == who).collect();
                assert!(own.is_sorted(), "{kind}: out of order");
            }
        }
        let all: Vec<u64> = received.concat();
        let distinct: HashSet<u64> = all.iter().copied().collect();
        assert_eq!(distinct.len(), all.len(), "{kind}: doubled");
        assert_eq!(distinct, sent.into_iter().collect(), "{kind}");
        watchdog.tick();
    }
}

#[test]
fn errors_say_what_happened() {
    assert_eq!(TrySendError::Full(1).to_string(), "sending on a full channel");
    assert_eq!(format!("{:?}", SendError(1)), "SendError(..)");
    assert_eq!(RecvError.to_string(), "receiving on an empty channel without senders");
    assert_eq!(TrySendError::from(SendError(1)), TrySendError::Disconnected(1));
    assert_eq!(RecvTimeoutError::from(RecvError), RecvTimeoutError::Disconnected);
    let (sender, receiver) = channel::bounded::<u8>(3);
    assert_eq!(format!("{sender:?}"), "Sender { len: 0, capacity: Some(3), .. }");
    assert_eq!(format!("{receiver:?}"), "Receiver { len: 0, capacity: Some(3), .. }");
}
