//! `BlockingQueue` against a `VecDeque` with a capacity and a closed flag, on one thread.
//!
//! This file knows nothing of the fuzzing engine. It is included twice: by the fuzz target, and by
//! `tests/it/replay.rs`, so that `cargo test` replays the corpus on any toolchain:
//!
//! ```text
//! #[path = "../../fuzz/src/blocking_queue.rs"]
//! mod blocking_queue;
//! ```
//!
//! # Input
//!
//! ```text
//! byte 0     capacity, see `CAPACITIES`
//! each next  one operation (low four bits), done one to sixteen times (high four bits)
//! ```
//!
//! Every sequence of bytes is a valid input, and neighbouring inputs do neighbouring things.
//!
//! # What is compared
//!
//! After every single operation: its answer, the kind of refusal and the value that came back with
//! it, every gauge, and the number of values that are alive, which shows a leak or a second drop at
//! the operation that caused it. A wait without a limit is made only where the model says that it
//! will not wait; with a limit that lies ahead likewise; any other limit has passed already.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use lockwork::Deadline;
use lockwork::queue::{BlockingQueue, PopError, PushErrorReason};

/// What byte 0 chooses from: one place, both sides of powers of two, and more than a sequence of
/// average length fills.
const CAPACITIES: [usize; 8] = [1, 2, 3, 4, 5, 8, 17, 64];

/// Longer inputs reach nothing that shorter ones do not.
const MAX_OPERATIONS: usize = 1024;

/// Runs one input against the queue.
///
/// # Panics
///
/// If the queue differs from the model.
pub(crate) fn run(data: &[u8]) {
    compare::<BlockingQueue<Payload>>(data);
}

/// How long an operation may wait. No form ever sleeps here, see the module's text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// `try_push`, `try_pop`.
    Try,
    /// `push`, `pop`.
    Forever,
    /// `push_for`, `pop_for`.
    For(Duration),
    /// `push_until`, `pop_until` with a `Deadline`.
    Deadline(Deadline),
    /// `push_until`, `pop_until` with an `Instant`.
    Instant(Instant),
}

/// What is compared with the model: the queue, or in the tests of this comparison one that errs.
pub(crate) trait Subject {
    fn with_capacity(capacity: usize) -> Self;
    fn push(&self, value: Payload, limit: Limit) -> Result<(), (PushErrorReason, Payload)>;
    fn pop(&self, limit: Limit) -> Result<Payload, PopError>;
    fn close(&self) -> bool;
    fn gauges(&self) -> Gauges;
    fn debug(&self) -> String;
}

/// Everything that can be asked without changing the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gauges {
    pub(crate) capacity: usize,
    pub(crate) len: usize,
    pub(crate) is_empty: bool,
    pub(crate) is_full: bool,
    pub(crate) is_closed: bool,
}

impl Subject for BlockingQueue<Payload> {
    fn with_capacity(capacity: usize) -> Self {
        Self::new(capacity)
    }

    fn push(&self, value: Payload, limit: Limit) -> Result<(), (PushErrorReason, Payload)> {
        match limit {
            Limit::Try => self.try_push(value),
            Limit::Forever => self.push(value),
            Limit::For(timeout) => self.push_for(value, timeout),
            Limit::Deadline(deadline) => self.push_until(value, deadline),
            Limit::Instant(instant) => self.push_until(value, instant),
        }
        .map_err(|refused| (refused.reason(), refused.into_inner()))
    }

    fn pop(&self, limit: Limit) -> Result<Payload, PopError> {
        match limit {
            Limit::Try => self.try_pop(),
            Limit::Forever => self.pop(),
            Limit::For(timeout) => self.pop_for(timeout),
            Limit::Deadline(deadline) => self.pop_until(deadline),
            Limit::Instant(instant) => self.pop_until(instant),
        }
    }

    fn close(&self) -> bool {
        self.close()
    }

    fn gauges(&self) -> Gauges {
        Gauges {
            capacity: self.capacity(),
            len: self.len(),
            is_empty: self.is_empty(),
            is_full: self.is_full(),
            is_closed: self.is_closed(),
        }
    }

    fn debug(&self) -> String {
        format!("{self:?}")
    }
}

/// A value that is counted: in a ledger of this thread, where it is alive until it is dropped.
#[derive(Debug)]
pub(crate) struct Payload {
    id: usize,
}

/// By number, whether that payload is alive, and what was dropped that was not.
struct Ledger {
    alive: Vec<bool>,
    count: usize,
    bad_drop: Option<usize>,
}

thread_local! {
    static LEDGER: RefCell<Ledger> =
        const { RefCell::new(Ledger { alive: Vec::new(), count: 0, bad_drop: None }) };
}

impl Payload {
    /// The next value.
    pub(crate) fn new() -> Self {
        LEDGER.with_borrow_mut(|ledger| {
            ledger.alive.push(true);
            ledger.count += 1;
            Self { id: ledger.alive.len() - 1 }
        })
    }

    /// The number by which the comparison knows it.
    pub(crate) fn id(&self) -> usize {
        self.id
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        // Only noted down: a panic here could come while another one unwinds.
        LEDGER.with_borrow_mut(|ledger| match ledger.alive.get_mut(self.id) {
            Some(alive) if *alive => {
                *alive = false;
                ledger.count -= 1;
            }
            _ => ledger.bad_drop = Some(self.id),
        });
    }
}

impl Ledger {
    fn reset() {
        LEDGER.set(Self { alive: Vec::new(), count: 0, bad_drop: None });
    }

    /// Panics unless exactly `expected` values are alive and none was dropped twice.
    fn check(expected: usize, when: &str) {
        LEDGER.with_borrow(|ledger| {
            if let Some(id) = ledger.bad_drop {
                panic!("{when}: value {id} was dropped, and was not alive");
            }
            assert_eq!(ledger.count, expected, "{when}: values alive");
        });
    }
}

/// What a queue of that capacity must answer. Values are their numbers.
struct Model {
    values: VecDeque<usize>,
    capacity: usize,
    closed: bool,
}

impl Model {
    fn push_would_wait(&self) -> bool {
        !self.closed && self.values.len() == self.capacity
    }

    fn pop_would_wait(&self) -> bool {
        !self.closed && self.values.is_empty()
    }

    fn push(&mut self, id: usize, limit: Limit) -> Result<(), (PushErrorReason, usize)> {
        if self.closed {
            Err((PushErrorReason::Closed, id))
        } else if self.values.len() < self.capacity {
            self.values.push_back(id);
            Ok(())
        } else if matches!(limit, Limit::Try) {
            Err((PushErrorReason::Full, id))
        } else {
            Err((PushErrorReason::TimedOut, id))
        }
    }

    fn pop(&mut self, limit: Limit) -> Result<usize, PopError> {
        match self.values.pop_front() {
            Some(id) => Ok(id),
            None if self.closed => Err(PopError::Closed),
            None if matches!(limit, Limit::Try) => Err(PopError::Empty),
            None => Err(PopError::TimedOut),
        }
    }

    fn close(&mut self) -> bool {
        !std::mem::replace(&mut self.closed, true)
    }

    fn gauges(&self) -> Gauges {
        Gauges {
            capacity: self.capacity,
            len: self.values.len(),
            is_empty: self.values.is_empty(),
            is_full: self.values.len() == self.capacity,
            is_closed: self.closed,
        }
    }

    fn debug(&self) -> String {
        let Self { values, capacity, closed } = self;
        let len = values.len();
        format!("BlockingQueue {{ len: {len}, capacity: {capacity}, closed: {closed} }}")
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Push(Limit),
    Pop(Limit),
    /// As many pushes as are needed.
    Fill,
    /// As many pops as are needed.
    Drain,
    Close,
    Debug,
}

impl Operation {
    /// The operation of a byte; `would_wait` is asked before a form that could sleep.
    fn decode(byte: u8, model: &Model) -> Self {
        let limit = |code: u8, would_wait: bool| match code {
            0 => Limit::Try,
            1 if !would_wait => Limit::Forever,
            2 if !would_wait => Limit::For(Duration::MAX),
            1 | 2 => Limit::For(Duration::ZERO),
            3 => Limit::Deadline(Deadline::now()),
            4 if !would_wait => Limit::Deadline(Deadline::NEVER),
            4 => Limit::For(Duration::ZERO),
            _ => Limit::Instant(Instant::now()),
        };
        match byte & 15 {
            code @ 0..6 => Self::Push(limit(code, model.push_would_wait())),
            code @ 6..12 => Self::Pop(limit(code - 6, model.pop_would_wait())),
            12 => Self::Fill,
            13 => Self::Drain,
            14 => Self::Debug,
            _ => Self::Close,
        }
    }
}

/// Runs one input against a subject.
///
/// # Panics
///
/// If the subject differs from the model.
pub(crate) fn compare<S: Subject>(data: &[u8]) {
    let Some((&first, operations)) = data.split_first() else {
        return;
    };
    Ledger::reset();
    let capacity = CAPACITIES[usize::from(first) % CAPACITIES.len()];
    let mut model = Model { values: VecDeque::new(), capacity, closed: false };
    let subject = S::with_capacity(capacity);
    check(&subject, &model, "new");

    let repeated = operations.iter().flat_map(|&byte| (0..=byte >> 4).map(move |_| byte));
    for (step, byte) in repeated.take(MAX_OPERATIONS).enumerate() {
        let operation = Operation::decode(byte, &model);
        let when = format!("step {step}, {operation:?}, capacity {capacity}");
        match operation {
            Operation::Push(limit) => push(&subject, &mut model, limit, &when),
            Operation::Pop(limit) => pop(&subject, &mut model, limit, &when),
            Operation::Fill => {
                while model.values.len() < capacity && !model.closed {
                    push(&subject, &mut model, Limit::Try, &when);
                }
            }
            Operation::Drain => {
                while !model.values.is_empty() {
                    pop(&subject, &mut model, Limit::Try, &when);
                }
            }
            Operation::Close => same(subject.close(), model.close(), &when),
            Operation::Debug => same(subject.debug(), model.debug(), &when),
        }
        check(&subject, &model, &when);
    }
    drop(subject);
    Ledger::check(0, "dropped");
}

fn push<S: Subject>(subject: &S, model: &mut Model, limit: Limit, when: &str) {
    let value = Payload::new();
    let expected = model.push(value.id(), limit);
    let got = subject.push(value, limit).map_err(|(reason, value)| (reason, value.id()));
    same(got, expected, when);
    check(subject, model, when);
}

fn pop<S: Subject>(subject: &S, model: &mut Model, limit: Limit, when: &str) {
    let expected = model.pop(limit);
    let got = subject.pop(limit).map(|value| value.id());
    same(got, expected, when);
    check(subject, model, when);
}

fn check<S: Subject>(subject: &S, model: &Model, when: &str) {
    same(subject.gauges(), model.gauges(), when);
    Ledger::check(model.values.len(), when);
}

#[track_caller]
fn same<T: PartialEq + Debug>(got: T, expected: T, when: &str) {
    assert_eq!(got, expected, "{when}: queue (left) and model (right)");
}
