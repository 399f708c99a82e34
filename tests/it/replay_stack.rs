//! The inputs that fuzzing the stacks left behind, replayed; and replayed against stacks that err,
//! each in one way, every one of which must be caught.

#[path = "../../fuzz/src/stack.rs"]
mod stack;

use std::cell::{Cell, RefCell};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use self::stack::{Gauges, Payload, Subject, compare, run};
use super::support::watchdog::Watchdog;

/// Name and content of every input, in order of the names.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/stack");
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
fn the_stacks_agree_with_their_model_on_the_corpus() {
    let watchdog = Watchdog::start();
    for (name, input) in corpus() {
        let outcome = catch_unwind(|| run(&input));
        assert!(outcome.is_ok(), "input {name}: {input:02x?}");
        watchdog.tick();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    FirstInFirstOut,
    OneMore,
    OneLess,
    BatchTurnedRound,
    BatchRefusesAll,
    RefusesInAnotherOrder,
    DropsWhatIsRefused,
    AllTurnedRound,
    AllLeavesOne,
    ForgetsWhatIsNotLookedAt,
    LeaksOnDrop,
    LenCountsTwice,
    NeverFull,
    NeverEmpty,
}

use Fault::*;

const FAULTS: [Fault; 14] = [
    FirstInFirstOut,
    OneMore,
    OneLess,
    BatchTurnedRound,
    BatchRefusesAll,
    RefusesInAnotherOrder,
    DropsWhatIsRefused,
    AllTurnedRound,
    AllLeavesOne,
    ForgetsWhatIsNotLookedAt,
    LeaksOnDrop,
    LenCountsTwice,
    NeverFull,
    NeverEmpty,
];

thread_local! {
    /// The way in which the stacks made by this thread err.
    static FAULT: Cell<Fault> = const { Cell::new(None) };
}

/// A stack for one thread that does what `ArrayStack` promises, but for its fault.
struct Erring {
    fault: Fault,
    capacity: usize,
    values: RefCell<Vec<Payload>>,
}

impl Erring {
    fn bound(&self) -> usize {
        match self.fault {
            OneMore => self.capacity + 1,
            OneLess => self.capacity - 1,
            _ => self.capacity,
        }
    }
}

impl Subject for Erring {
    fn with_capacity(capacity: usize) -> Self {
        Self { fault: FAULT.get(), capacity, values: RefCell::default() }
    }

    fn push(&self, value: Payload) -> Result<(), Payload> {
        if self.values.borrow().len() >= self.bound() {
            return Err(value);
        }
        self.values.borrow_mut().push(value);
        Ok(())
    }

    fn push_many(&self, values: impl Iterator<Item = Payload>) -> Vec<Payload> {
        let mut batch: Vec<Payload> = values.collect();
        let room = self.bound().saturating_sub(self.values.borrow().len());
        let fits = batch.len() <= room;
        let refused = match self.fault {
            BatchRefusesAll if !fits => return batch,
            _ => batch.split_off(batch.len().min(room)),
        };
        if self.fault == BatchTurnedRound {
            batch.reverse();
        }
        self.values.borrow_mut().extend(batch);
        match self.fault {
            RefusesInAnotherOrder => refused.into_iter().rev().collect(),
            DropsWhatIsRefused => Vec::new(),
            _ => refused,
        }
    }

    fn pop(&self) -> Option<Payload> {
        let mut values = self.values.borrow_mut();
        match self.fault {
            FirstInFirstOut if !values.is_empty() => Some(values.remove(0)),
            _ => values.pop(),
        }
    }

    fn pop_all(&self, most: usize) -> Vec<Payload> {
        let mut all = self.values.take();
        if self.fault == AllLeavesOne && all.len() > 1 {
            self.values.borrow_mut().push(all.remove(0));
        }
        if self.fault != AllTurnedRound {
            all.reverse();
        }
        let unseen = all.split_off(most.min(all.len()));
        if self.fault == ForgetsWhatIsNotLookedAt {
            unseen.into_iter().for_each(std::mem::forget);
        }
        all
    }

    fn gauges(&self) -> Gauges {
        let len = self.values.borrow().len();
        Gauges {
            capacity: Some(self.capacity),
            len: if self.fault == LenCountsTwice { 2 * len } else { len },
            is_empty: len == 0 && self.fault != NeverEmpty,
            is_full: len == self.capacity && self.fault != NeverFull,
        }
    }

    fn rest(self) -> Vec<Payload> {
        self.values.take().into_iter().rev().collect()
    }
}

impl Drop for Erring {
    fn drop(&mut self) {
        if self.fault == LeaksOnDrop {
            self.values.take().into_iter().for_each(std::mem::forget);
        }
    }
}

/// How many inputs tell a stack with that fault from the model.
fn caught(fault: Fault, inputs: &[(String, Vec<u8>)]) -> usize {
    FAULT.set(fault);
    let fails = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| compare::<Erring>(input))).is_err();
    inputs.iter().filter(|(_, input)| fails(input)).count()
}

#[test]
fn a_stack_that_errs_is_caught_by_the_corpus() {
    let inputs = corpus();
    assert_eq!(caught(None, &inputs), 0, "the stack that errs does so without a fault");
    for fault in FAULTS {
        assert_ne!(caught(fault, &inputs), 0, "{fault:?} goes unnoticed");
    }
}
