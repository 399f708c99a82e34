//! Channels, all ends on one thread, against a `VecDeque` and two counts of ends.
//!
//! This file knows nothing of the fuzzing engine. It is included by the fuzz target and by
//! `tests/it/replay_queues.rs`, so that `cargo test` replays the corpus on any toolchain.
//!
//! # Input
//!
//! ```text
//! byte 0     capacity, see `CAPACITIES`; the highest bit says which ends go first when all is done
//! each next  one operation (low four bits), with a number from zero to fifteen (high four bits)
//! ```
//!
//! The number chooses among the ends that there are, or says how many.
//!
//! # What is compared
//!
//! After every operation: its answer and the value that came back with it, every gauge of every
//! end, and the number of values that are alive, which shows a leak or a second drop at the
//! operation that caused it. A wait without a limit is made only where the model says that it will
//! not wait; with a limit that lies ahead likewise; any other limit has passed already.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use lockwork::Deadline;
use lockwork::cancel::CancelToken;
use lockwork::queue::channel::{
    self, Receiver, RecvCancellableError, RecvError, RecvTimeoutError, SendCancellableError,
    SendTimeoutError, Sender, TryRecvError, TrySendError,
};

/// No places, which is a rendezvous; one; both sides of powers of two; and more than a sequence of
/// average length fills.
const CAPACITIES: [usize; 8] = [0, 1, 2, 3, 5, 8, 17, 64];

/// Longer inputs reach nothing that shorter ones do not.
const MAX_OPERATIONS: usize = 1024;

/// As many ends of a kind.
const MAX_ENDS: usize = 20;

/// A value, and a share in the count of those alive.
#[derive(Debug)]
struct Value(u32, #[allow(dead_code, reason = "counted")] Rc<()>);

/// Why nothing was sent, or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum No {
    /// Full, or empty.
    Now,
    Timeout,
    Cancelled,
    Disconnected,
}

struct Ends {
    senders: Vec<Sender<Value>>,
    receivers: Vec<Receiver<Value>>,
}

struct Model {
    values: VecDeque<u32>,
    capacity: usize,
    alive: Rc<()>,
    next: u32,
}

impl Model {
    fn value(&mut self) -> Value {
        self.next += 1;
        Value(self.next, self.alive.clone())
    }

    /// What a send of the last value is answered, if waiting ends with `late`.
    fn sent(&mut self, ends: &Ends, late: No) -> Result<(), (No, u32)> {
        if ends.receivers.is_empty() {
            Err((No::Disconnected, self.next))
        } else if self.values.len() == self.capacity {
            Err((late, self.next))
        } else {
            self.values.push_back(self.next);
            Ok(())
        }
    }

    fn received(&mut self, ends: &Ends, late: No) -> Result<u32, No> {
        let end = if ends.senders.is_empty() { No::Disconnected } else { late };
        self.values.pop_front().ok_or(end)
    }

    fn send_would_wait(&self, ends: &Ends) -> bool {
        !ends.receivers.is_empty() && self.values.len() == self.capacity
    }

    fn recv_would_wait(&self, ends: &Ends) -> bool {
        !ends.senders.is_empty() && self.values.is_empty()
    }

    fn check(&self, ends: &Ends, when: &str) {
        let (len, capacity) = (self.values.len(), self.capacity);
        let expected = (len, len == 0, len == capacity, Some(capacity));
        for end in &ends.senders {
            let gauges = (end.len(), end.is_empty(), end.is_full(), end.capacity());
            assert_eq!(gauges, expected, "{when}: a sender's gauges");
        }
        for end in &ends.receivers {
            let gauges = (end.len(), end.is_empty(), end.is_full(), end.capacity());
            assert_eq!(gauges, expected, "{when}: a receiver's gauges");
        }
        assert_eq!(Rc::strong_count(&self.alive) - 1, len, "{when}: values alive");
    }
}

/// A token, cancelled already if something would wait for it otherwise.
fn token(cancelled: bool) -> CancelToken {
    let token = CancelToken::new();
    if cancelled {
        token.cancel();
    }
    token
}

fn send(ends: &Ends, model: &mut Model, form: u8, n: usize, when: &str) {
    let Some(sender) = ends.senders.get(n % ends.senders.len().max(1)) else { return };
    let (value, wait) = (model.value(), model.send_would_wait(ends));
    let timed = |sent: Result<(), SendTimeoutError<Value>>| {
        sent.map_err(|unsent| match unsent {
            SendTimeoutError::Timeout(value) => (No::Timeout, value.0),
            SendTimeoutError::Disconnected(value) => (No::Disconnected, value.0),
        })
    };
    let (got, late) = match form {
        1 if !wait => {
            (sender.send(value).map_err(|unsent| (No::Disconnected, unsent.0.0)), No::Now)
        }
        1 | 2 => {
            let timeout = if wait { Duration::ZERO } else { Duration::MAX };
            (timed(sender.send_timeout(value, timeout)), No::Timeout)
        }
        3 => (timed(sender.send_deadline(value, Instant::now())), No::Timeout),
        4 => (timed(sender.send_until(value, Deadline::now())), No::Timeout),
        5 => {
            let sent = sender.send_cancellable(value, &token(wait));
            let got = sent.map_err(|unsent| match unsent {
                SendCancellableError::Cancelled(value) => (No::Cancelled, value.0),
                SendCancellableError::Disconnected(value) => (No::Disconnected, value.0),
            });
            (got, No::Cancelled)
        }
        _ => {
            let got = sender.try_send(value).map_err(|unsent| match unsent {
                TrySendError::Full(value) => (No::Now, value.0),
                TrySendError::Disconnected(value) => (No::Disconnected, value.0),
            });
            (got, No::Now)
        }
    };
    assert_eq!(got, model.sent(ends, late), "{when}: channel (left) and model (right)");
}

fn recv(ends: &Ends, model: &mut Model, form: u8, n: usize, when: &str) {
    let Some(receiver) = ends.receivers.get(n % ends.receivers.len().max(1)) else { return };
    let wait = model.recv_would_wait(ends);
    let timed = |received: Result<Value, RecvTimeoutError>| {
        received.map_err(|none| match none {
            RecvTimeoutError::Timeout => No::Timeout,
            RecvTimeoutError::Disconnected => No::Disconnected,
        })
    };
    let (got, late) = match form {
        1 if !wait && n % 2 == 0 => {
            (receiver.recv().map_err(|RecvError| No::Disconnected), No::Now)
        }
        1 if !wait => (receiver.iter().next().ok_or(No::Disconnected), No::Now),
        1 | 2 => {
            let timeout = if wait { Duration::ZERO } else { Duration::MAX };
            (timed(receiver.recv_timeout(timeout)), No::Timeout)
        }
        3 if n % 2 == 0 => (timed(receiver.recv_deadline(Instant::now())), No::Timeout),
        3 => (timed(receiver.recv_until(Deadline::now())), No::Timeout),
        4 => {
            let received = receiver.recv_cancellable(&token(wait));
            let got = received.map_err(|none| match none {
                RecvCancellableError::Cancelled => No::Cancelled,
                RecvCancellableError::Disconnected => No::Disconnected,
            });
            (got, No::Cancelled)
        }
        _ => {
            let got = receiver.try_recv().map_err(|none| match none {
                TryRecvError::Empty => No::Now,
                TryRecvError::Disconnected => No::Disconnected,
            });
            (got, No::Now)
        }
    };
    let expected = model.received(ends, late);
    assert_eq!(got.map(|value| value.0), expected, "{when}: channel (left) and model (right)");
}

/// Runs one input.
///
/// # Panics
///
/// If the channel differs from the model.
pub(crate) fn run(data: &[u8]) {
    let Some((&first, operations)) = data.split_first() else { return };
    let capacity = CAPACITIES[usize::from(first) % CAPACITIES.len()];
    let (sender, receiver) =
        if capacity == 0 { channel::rendezvous() } else { channel::bounded(capacity) };
    let mut ends = Ends { senders: vec![sender], receivers: vec![receiver] };
    let mut model = Model { values: VecDeque::new(), capacity, alive: Rc::default(), next: 0 };
    model.check(&ends, "new");
    for (step, byte) in operations.iter().take(MAX_OPERATIONS).enumerate() {
        let (operation, n) = (byte & 15, usize::from(byte >> 4));
        let when = format!("step {step}, operation {operation} with {n}, capacity {capacity}");
        match operation {
            0..6 => send(&ends, &mut model, operation, n, &when),
            6..11 => recv(&ends, &mut model, operation - 6, n, &when),
            11 => (0..n).for_each(|n| send(&ends, &mut model, 0, n, &when)),
            12 => {
                if let Some(receiver) = ends.receivers.first() {
                    let rest = receiver.try_iter().map(|value| value.0);
                    assert!(rest.eq(model.values.drain(..)), "{when}: the rest");
                }
            }
            13 if n % 2 == 0 && ends.senders.len() < MAX_ENDS => {
                ends.senders.extend(ends.senders.first().cloned());
            }
            13 if ends.receivers.len() < MAX_ENDS => {
                ends.receivers.extend(ends.receivers.first().cloned());
            }
            13 => {}
            14 if !ends.senders.is_empty() => {
                drop(ends.senders.swap_remove(n % ends.senders.len()));
            }
            15 if !ends.receivers.is_empty() => {
                drop(ends.receivers.swap_remove(n % ends.receivers.len()));
                if ends.receivers.is_empty() {
                    model.values.clear();
                }
            }
            _ => {}
        }
        model.check(&ends, &when);
    }
    let Ends { senders, receivers } = ends;
    if first & 128 == 0 {
        drop(senders);
        let expected = if receivers.is_empty() { 0 } else { model.values.len() };
        assert_eq!(Rc::strong_count(&model.alive) - 1, expected, "without senders");
        drop(receivers);
    } else {
        drop(receivers);
        assert_eq!(Rc::strong_count(&model.alive), 1, "without receivers");
        drop(senders);
    }
    assert_eq!(Rc::strong_count(&model.alive), 1, "dropped");
}
