//! What stacks and queues are like when one thread uses them.

use std::collections::VecDeque;

use super::Spec;

/// A call to a container of values, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A push that was accepted.
    Push(u32),
    /// A push, or a batch of `wanted` values, that was refused as a whole: there was no room.
    Full {
        /// How many values there were to be room for.
        wanted: usize,
    },
    /// A pop, and its value.
    Pop(u32),
    /// A pop that found nothing.
    Empty,
    /// "Not now": nothing happened, for no reason that the caller is owed. Right at any time.
    Busy,
    /// A push that put the oldest value out to make room, and that value.
    Displace(u32, u32),
    /// Values that went in as a whole, this one first.
    PushMany(Vec<u32>),
    /// Values that came out as a whole, this one first; at most so many were asked for, and fewer
    /// came only because there were no more.
    PopMany(usize, Vec<u32>),
    /// All values at once, in the order in which pops would have given them.
    PopAll(Vec<u32>),
    /// The answer to "is it empty?".
    IsEmpty(bool),
    /// The answer to "is it full?".
    IsFull(bool),
    /// The answer to "how many?".
    Len(usize),
}

/// When a container that has a bound may say that it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Full {
    /// When there are as many values as places.
    Exactly,
    /// Also when the places that are missing may be in the hands of calls that overlap.
    CountingCalls,
}

/// What both have: values, the oldest in front, and a bound.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Values {
    values: VecDeque<u32>,
    capacity: usize,
    full: Full,
    /// Whether pops take the newest.
    newest_first: bool,
}

/// Last in, first out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stack(Values);

/// First in, first out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fifo(Values);

macro_rules! constructors {
    ($($name:ident: $newest_first:literal),*) => {$(
        #[allow(dead_code, reason = "each container has its own kind of bound")]
        impl $name {
            /// As many values as are pushed.
            pub(crate) fn unbounded() -> Self {
                Self::with(usize::MAX, Full::Exactly)
            }

            /// At most so many values, and "full" only if there are.
            pub(crate) fn bounded(capacity: usize) -> Self {
                Self::with(capacity, Full::Exactly)
            }

            /// At most so many values and calls under way, for each value of theirs.
            pub(crate) fn bounded_with_calls(capacity: usize) -> Self {
                Self::with(capacity, Full::CountingCalls)
            }

            fn with(capacity: usize, full: Full) -> Self {
                Self(Values {
                    values: VecDeque::new(),
                    capacity,
                    full,
                    newest_first: $newest_first,
                })
            }
        }

        impl Spec for $name {
            type Event = Event;

            fn step(&self, event: &Event, held: usize) -> Option<Self> {
                let mut next = self.0.clone();
                next.follow(event, held).then_some(Self(next))
            }

            fn places(event: &Event) -> usize {
                match event {
                    Event::Full { wanted } => *wanted,
                    Event::PushMany(values) => values.len(),
                    Event::PopMany(_, values) | Event::PopAll(values) => values.len(),
                    Event::Push(_) | Event::Pop(_) | Event::Displace(..) => 1,
                    Event::Empty
                    | Event::Busy
                    | Event::IsEmpty(_)
                    | Event::IsFull(_)
                    | Event::Len(_) => 0,
                }
            }
        }
    )*};
}

constructors!(Stack: true, Fifo: false);

impl Values {
    /// Does what the call did, and says whether it was right.
    fn follow(&mut self, event: &Event, held: usize) -> bool {
        match event {
            Event::Push(value) => self.push(*value),
            Event::Full { wanted } => {
                let held = if self.full == Full::CountingCalls { held } else { 0 };
                self.values.len().saturating_add(held).saturating_add(*wanted) > self.capacity
            }
            Event::Pop(value) => self.pop() == Some(*value),
            Event::Empty => self.values.is_empty(),
            Event::Busy => true,
            Event::Displace(new, old) => {
                self.values.len() == self.capacity
                    && self.values.pop_front() == Some(*old)
                    && self.push(*new)
            }
            Event::PushMany(values) => values.iter().all(|value| self.push(*value)),
            Event::PopMany(most, values) => {
                values.len() == self.values.len().min(*most)
                    && values.iter().all(|value| self.pop() == Some(*value))
            }
            Event::PopAll(values) => {
                values.len() == self.values.len()
                    && values.iter().all(|value| self.pop() == Some(*value))
            }
            Event::IsEmpty(answer) => self.values.is_empty() == *answer,
            Event::IsFull(answer) => (self.values.len() == self.capacity) == *answer,
            Event::Len(answer) => self.values.len() == *answer,
        }
    }

    fn push(&mut self, value: u32) -> bool {
        let room = self.values.len() < self.capacity;
        self.values.push_back(value);
        room
    }

    fn pop(&mut self) -> Option<u32> {
        if self.newest_first { self.values.pop_back() } else { self.values.pop_front() }
    }
}
