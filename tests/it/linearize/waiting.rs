//! `BlockingQueue` and channels: the same, with an end; and a rendezvous, which is two calls at one
//! moment.
//!
//! 60,000 histories, `LOCKWORK_STRESS` times: 20,000 of each kind.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use lockwork::Deadline;
use lockwork::queue::channel::{
    self, Receiver, RecvTimeoutError, SendTimeoutError, Sender, TryRecvError, TrySendError,
};
use lockwork::queue::{BlockingQueue, PopError, PushErrorReason};

use super::{Histories, Spec, Subject, Worker};
use crate::support::scaled;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Push(u32),
    /// A push for which there was no room, at once or in time.
    Full,
    /// A push after the end.
    Refused,
    Pop(u32),
    /// A pop for which there was nothing, at once or in time.
    Empty,
    /// A pop that was told that there will be nothing any more.
    End,
    /// The end, and whether it was not there before.
    Close(bool),
    /// One of those goes whose last is the end.
    Leave,
}

/// First in, first out, until the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Ending {
    values: VecDeque<u32>,
    capacity: usize,
    /// How many may still push; none after the end.
    open: usize,
}

impl Spec for Ending {
    type Event = Event;

    fn step(&self, event: &Event, _held: usize) -> Option<Self> {
        let mut next = self.clone();
        let closed = self.open == 0;
        let room = self.values.len() < self.capacity;
        let right = match *event {
            Event::Push(value) => {
                next.values.push_back(value);
                !closed && room
            }
            Event::Full => !closed && !room,
            Event::Refused => closed,
            Event::Pop(value) => next.values.pop_front() == Some(value),
            Event::Empty => !closed && self.values.is_empty(),
            Event::End => closed && self.values.is_empty(),
            Event::Close(first) => {
                next.open = 0;
                first != closed
            }
            Event::Leave => {
                next.open = self.open.checked_sub(1)?;
                true
            }
        };
        right.then_some(next)
    }
}

/// Long enough to sleep, and to be called or not.
fn soon() -> Duration {
    Duration::from_micros(20)
}

struct Queue<const CAPACITY: usize>(BlockingQueue<u32>);

impl<const CAPACITY: usize> Subject for Queue<CAPACITY> {
    type Spec = Ending;

    fn spec() -> Ending {
        Ending { values: VecDeque::new(), capacity: CAPACITY, open: 1 }
    }

    fn new() -> Self {
        Self(BlockingQueue::new(CAPACITY))
    }

    fn act(&self, worker: &mut Worker<'_, Event>) {
        let form = worker.rng.below(8);
        match worker.rng.below(16) {
            0..8 => {
                let value = worker.value();
                worker.record(|| {
                    let pushed = match form {
                        0 => self.0.push_for(value, soon()),
                        1 => self.0.push_until(value, Deadline::now()),
                        _ => self.0.try_push(value),
                    };
                    match pushed.map_err(|refused| refused.reason()) {
                        Ok(()) => Event::Push(value),
                        Err(PushErrorReason::Closed) => Event::Refused,
                        Err(_) => Event::Full,
                    }
                });
            }
            8 => worker.record(|| Event::Close(self.0.close())),
            _ => worker.record(|| {
                let popped = match form {
                    0 => self.0.pop_for(soon()),
                    1 => self.0.pop_until(Deadline::now()),
                    _ => self.0.try_pop(),
                };
                match popped {
                    Ok(value) => Event::Pop(value),
                    Err(PopError::Closed) => Event::End,
                    Err(_) => Event::Empty,
                }
            }),
        }
    }

    fn pop(&self, worker: &mut Worker<'_, Event>) -> bool {
        worker.record(|| match self.0.try_pop() {
            Ok(value) => Event::Pop(value),
            Err(PopError::Closed) => Event::End,
            Err(_) => Event::Empty,
        });
        matches!(worker.last(), Some(Event::Pop(_)))
    }
}

#[test]
fn blocking_queue_of_one() {
    Histories::of(scaled(10_000)).threads(2).calls(5).accept::<Queue<1>>();
}

#[test]
fn blocking_queue_of_two() {
    Histories::of(scaled(10_000)).accept::<Queue<2>>();
}

const THREADS: usize = 3;

/// A sender for each thread, until it leaves.
struct Channel<const CAPACITY: usize> {
    senders: [Mutex<Option<Sender<u32>>>; THREADS],
    receiver: Receiver<u32>,
}

impl<const CAPACITY: usize> Subject for Channel<CAPACITY> {
    type Spec = Ending;

    fn spec() -> Ending {
        Ending { values: VecDeque::new(), capacity: CAPACITY, open: THREADS }
    }

    fn new() -> Self {
        let (sender, receiver) = channel::bounded(CAPACITY);
        Self { senders: [(); THREADS].map(|()| Mutex::new(Some(sender.clone()))), receiver }
    }

    fn act(&self, worker: &mut Worker<'_, Event>) {
        let (form, value) = (worker.rng.below(8), worker.value());
        // Values are numbered by thread.
        let mut own = self.senders[value as usize / 1000].lock().unwrap();
        match (&*own, worker.rng.below(16)) {
            (Some(sender), 0..6) => worker.record(|| {
                let sent = match form {
                    0 => sender.send_timeout(value, soon()),
                    _ => sender.try_send(value).map_err(|unsent| match unsent {
                        TrySendError::Full(value) => SendTimeoutError::Timeout(value),
                        TrySendError::Disconnected(value) => SendTimeoutError::Disconnected(value),
                    }),
                };
                match sent {
                    Ok(()) => Event::Push(value),
                    Err(SendTimeoutError::Timeout(_)) => Event::Full,
                    Err(SendTimeoutError::Disconnected(_)) => Event::Refused,
                }
            }),
            (Some(_), 6..10) => worker.record(|| {
                *own = None;
                Event::Leave
            }),
            _ if form == 0 => worker.record(|| match self.receiver.recv_timeout(soon()) {
                Ok(value) => Event::Pop(value),
                Err(RecvTimeoutError::Timeout) => Event::Empty,
                Err(RecvTimeoutError::Disconnected) => Event::End,
            }),
            _ => _ = self.pop(worker),
        }
    }

    fn pop(&self, worker: &mut Worker<'_, Event>) -> bool {
        worker.record(|| match self.receiver.try_recv() {
            Ok(value) => Event::Pop(value),
            Err(TryRecvError::Empty) => Event::Empty,
            Err(TryRecvError::Disconnected) => Event::End,
        });
        matches!(worker.last(), Some(Event::Pop(_)))
    }
}

#[test]
fn channel_of_one() {
    Histories::of(scaled(10_000)).threads(THREADS).accept::<Channel<1>>();
}

#[test]
fn channel_of_two() {
    Histories::of(scaled(10_000)).threads(THREADS).calls(5).accept::<Channel<2>>();
}

/// A value in the middle of changing hands. Of the two calls that are one moment, either can be
/// said to come first, so a history has to be explained in both ways: the one shows that each
/// receiver came before its sender had gone, the other the reverse.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Moment<const SENDER_FIRST: bool>(Option<u32>);

impl<const SENDER_FIRST: bool> Spec for Moment<SENDER_FIRST> {
    type Event = Event;

    fn step(&self, event: &Event, _held: usize) -> Option<Self> {
        let (first, value) = match *event {
            Event::Push(value) => (SENDER_FIRST, value),
            Event::Pop(value) => (!SENDER_FIRST, value),
            Event::Full | Event::Empty => return self.0.is_none().then(|| self.clone()),
            _ => return None,
        };
        if first {
            self.0.is_none().then_some(Self(Some(value)))
        } else {
            (self.0 == Some(value)).then_some(Self(None))
        }
    }
}

struct Rendezvous<const SENDER_FIRST: bool>(Sender<u32>, Receiver<u32>);

impl<const SENDER_FIRST: bool> Subject for Rendezvous<SENDER_FIRST> {
    type Spec = Moment<SENDER_FIRST>;

    fn spec() -> Self::Spec {
        Moment(None)
    }

    fn new() -> Self {
        let (sender, receiver) = channel::rendezvous();
        Self(sender, receiver)
    }

    fn act(&self, worker: &mut Worker<'_, Event>) {
        let value = worker.value();
        match worker.rng.below(8) {
            0 => worker.record(|| match self.0.try_send(value) {
                Ok(()) => Event::Push(value),
                Err(_) => Event::Full,
            }),
            1..4 => worker.record(|| match self.0.send_timeout(value, soon()) {
                Ok(()) => Event::Push(value),
                Err(_) => Event::Full,
            }),
            4 => _ = self.pop(worker),
            _ => worker.record(|| self.1.recv_timeout(soon()).map_or(Event::Empty, Event::Pop)),
        }
    }

    fn pop(&self, worker: &mut Worker<'_, Event>) -> bool {
        worker.record(|| self.1.try_recv().map_or(Event::Empty, Event::Pop));
        matches!(worker.last(), Some(Event::Pop(_)))
    }
}

#[test]
fn rendezvous_sender_first() {
    Histories::of(scaled(10_000)).accept::<Rendezvous<true>>();
}

#[test]
fn rendezvous_receiver_first() {
    Histories::of(scaled(10_000)).accept::<Rendezvous<false>>();
}

/// What the specifications tell apart.
#[test]
fn what_a_rendezvous_is_not() {
    let (push, pop) = (Event::Push(1), Event::Pop(1));
    let (before, after) = (Moment::<true>(None), Moment::<false>(None));
    let done = |step: Option<Moment<true>>| step.and_then(|moment| moment.step(&pop, 0));
    assert_eq!(done(before.step(&push, 0)), Some(Moment(None)));
    assert_eq!(before.step(&pop, 0), None, "from nobody");
    assert_eq!(after.step(&push, 0), None, "to nobody");
    assert_eq!(after.step(&pop, 0).unwrap().step(&Event::Full, 0), None, "in between");
    let ending = Channel::<1>::spec();
    let one_left = ending.step(&Event::Leave, 0).unwrap().step(&Event::Leave, 0).unwrap();
    assert_eq!(one_left.step(&Event::End, 0), None, "one can send still");
    let closed = one_left.step(&push, 0).unwrap().step(&Event::Leave, 0).unwrap();
    assert_eq!(closed.step(&Event::End, 0), None, "there is a value still");
    assert!(closed.step(&pop, 0).unwrap().step(&Event::End, 0).is_some());
    assert_eq!(closed.step(&Event::Push(2), 0), None, "after the end");
}
