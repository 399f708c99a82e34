//! The inputs that fuzzing left behind, replayed: no fuzzing engine, any toolchain.
//!
//! A corpus is only worth what it reaches, and a comparison only what it notices. So the same
//! inputs are also run against queues that err, each in one way, and every one of those must be
//! caught.

#[path = "../../fuzz/src/blocking_queue.rs"]
mod blocking_queue;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use lockwork::queue::{PopError, PushErrorReason};

use self::blocking_queue::{Gauges, Limit, Payload, Subject, compare, run};
use super::support::watchdog::Watchdog;

/// Name and content of every input, in order of the names.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/blocking_queue");
    let mut inputs: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        })
        .collect();
    inputs.sort();
    assert!(inputs.len() >= 20, "{} inputs in {}", inputs.len(), folder.display());
    inputs
}

#[test]
fn the_queue_agrees_with_its_model_on_the_corpus() {
    let watchdog = Watchdog::start();
    for (name, input) in corpus() {
        let outcome = catch_unwind(|| run(&input));
        assert!(outcome.is_ok(), "input {name}: {input:02x?}");
        watchdog.tick();
    }
}

macro_rules! faults {
    ($($name:ident),* $(,)?) => {
        /// One way to err, or none.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Fault {
            Correct,
            $($name),*
        }

        const FAULTS: &[Fault] = &[$(Fault::$name),*];
    };
}

faults! {
    // Order and capacity.
    LastInFirstOut,
    OneMore,
    OneLess,
    SwapsWhenItWraps,
    // Values.
    LeaksOnDrop,
    LeaksARefusedValue,
    DropsTwice,
    ReturnsAnotherRefusedValue,
    // Closing.
    TakesPushesAfterClose,
    DropsTheRestOnClose,
    SaysFullWhenFullAndClosed,
    SaysEmptyWhenClosed,
    SaysClosedWithValuesLeft,
    CloseIsAlwaysFirst,
    CloseIsNeverFirst,
    // Limits.
    TimedPushSaysFull,
    TimedPopSaysEmpty,
    TryPushSaysTimedOut,
    TryPopSaysTimedOut,
    TimedPushRefusesThoughThereIsRoom,
    TimedPopRefusesThoughThereIsAValue,
    TimedOutThoughClosed,
    // Gauges.
    LenCountsPushes,
    NeverFull,
    EmptyOnceClosed,
    NeverClosed,
    CapacityIsWhatIsLeft,
    DebugWithoutClosed,
}

use Fault::*;

thread_local! {
    /// The way in which the queues made by this thread err.
    static FAULT: Cell<Fault> = const { Cell::new(Correct) };
}

/// A queue for one thread that does what `BlockingQueue` promises, but for its fault.
struct Erring {
    fault: Fault,
    capacity: usize,
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    values: VecDeque<Payload>,
    closed: bool,
    pushes: usize,
}

impl Erring {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn timed(limit: Limit) -> bool {
        !matches!(limit, Limit::Try | Limit::Forever)
    }
}

impl Subject for Erring {
    fn with_capacity(capacity: usize) -> Self {
        Self { fault: FAULT.get(), capacity, inner: RefCell::default() }
    }

    fn push(&self, value: Payload, limit: Limit) -> Result<(), (PushErrorReason, Payload)> {
        let inner = &mut *self.inner.borrow_mut();
        let len = inner.values.len();
        let room = match self.fault {
            OneMore => len <= self.capacity,
            OneLess => len + 1 < self.capacity,
            TimedPushRefusesThoughThereIsRoom if Self::timed(limit) => false,
            _ => len < self.capacity,
        };
        let refuse_closed = inner.closed && !self.has(TakesPushesAfterClose);
        let reason = if refuse_closed && !room && self.has(SaysFullWhenFullAndClosed) {
            PushErrorReason::Full
        } else if refuse_closed && !(self.has(TimedOutThoughClosed) && Self::timed(limit)) {
            PushErrorReason::Closed
        } else if room && !refuse_closed {
            inner.pushes += 1;
            inner.values.push_back(value);
            if self.has(SwapsWhenItWraps) && inner.pushes % self.capacity == 1 && len > 0 {
                inner.values.swap(len - 1, len);
            }
            return Ok(());
        } else {
            match limit {
                Limit::Try if !self.has(TryPushSaysTimedOut) => PushErrorReason::Full,
                _ if self.has(TimedPushSaysFull) => PushErrorReason::Full,
                _ => PushErrorReason::TimedOut,
            }
        };
        match self.fault {
            LeaksARefusedValue => {
                std::mem::forget(value);
                Err((reason, Payload::new()))
            }
            ReturnsAnotherRefusedValue => Err((reason, Payload::new())),
            _ => Err((reason, value)),
        }
    }

    fn pop(&self, limit: Limit) -> Result<Payload, PopError> {
        let inner = &mut *self.inner.borrow_mut();
        if self.has(TimedPopRefusesThoughThereIsAValue) && Self::timed(limit) {
            return Err(PopError::TimedOut);
        }
        if self.has(SaysClosedWithValuesLeft) && inner.closed {
            return Err(PopError::Closed);
        }
        let value = match self.fault {
            LastInFirstOut => inner.values.pop_back(),
            _ => inner.values.pop_front(),
        };
        if let Some(value) = value {
            if self.has(DropsTwice) {
                // SAFETY: a payload is a number and owns nothing; the ledger is what must notice.
                drop(unsafe { std::ptr::read(&value) });
            }
            return Ok(value);
        }
        Err(match limit {
            _ if inner.closed && self.has(SaysEmptyWhenClosed) => PopError::Empty,
            _ if inner.closed && !(self.has(TimedOutThoughClosed) && Self::timed(limit)) => {
                PopError::Closed
            }
            Limit::Try if !self.has(TryPopSaysTimedOut) => PopError::Empty,
            _ if self.has(TimedPopSaysEmpty) => PopError::Empty,
            _ => PopError::TimedOut,
        })
    }

    fn close(&self) -> bool {
        let inner = &mut *self.inner.borrow_mut();
        let first = !std::mem::replace(&mut inner.closed, true);
        match self.fault {
            DropsTheRestOnClose => inner.values.clear(),
            CloseIsAlwaysFirst => return true,
            CloseIsNeverFirst => return false,
            _ => {}
        }
        first
    }

    fn gauges(&self) -> Gauges {
        let inner = self.inner.borrow();
        let len = inner.values.len();
        Gauges {
            capacity: self.capacity - if self.has(CapacityIsWhatIsLeft) { len } else { 0 },
            len: if self.has(LenCountsPushes) { inner.pushes } else { len },
            is_empty: len == 0 || inner.closed && self.has(EmptyOnceClosed),
            is_full: len == self.capacity && !self.has(NeverFull),
            is_closed: inner.closed && !self.has(NeverClosed),
        }
    }

    fn debug(&self) -> String {
        let inner = self.inner.borrow();
        let (len, capacity) = (inner.values.len(), self.capacity);
        let closed = inner.closed && !self.has(DebugWithoutClosed);
        format!("BlockingQueue {{ len: {len}, capacity: {capacity}, closed: {closed} }}")
    }
}

impl Drop for Erring {
    fn drop(&mut self) {
        if self.has(LeaksOnDrop) {
            self.inner.get_mut().values.drain(..).for_each(std::mem::forget);
        }
    }
}

/// How many inputs tell a queue with that fault from the model.
fn caught(fault: Fault, inputs: &[(String, Vec<u8>)]) -> usize {
    FAULT.set(fault);
    let fails = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| compare::<Erring>(input))).is_err();
    inputs.iter().filter(|(_, input)| fails(input)).count()
}

#[test]
fn a_queue_that_errs_is_caught_by_the_corpus() {
    let inputs = corpus();
    assert_eq!(caught(Correct, &inputs), 0, "the queue that errs does so without a fault");
    for &fault in FAULTS {
        assert_ne!(caught(fault, &inputs), 0, "{fault:?} goes unnoticed");
    }
}
