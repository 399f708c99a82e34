//! Are containers what they say when several threads use them at once?
//!
//! A *history* is what a few threads asked of one container, what they were answered, and when each
//! call began and ended. It is *linearizable* if every call can be given one moment between its
//! beginning and its end such that, call after call in the order of these moments, a sequential
//! container would have given the same answers (Herlihy and Wing 1990). The tests here record many
//! small histories and have each one checked.
//!
//! # How to check a container
//!
//! Say what it should be like, a [`Spec`]: [`Stack`] and [`Fifo`] are there, bounded or not. Then
//! write one operation of one thread, chosen at random, and have [`Histories`] run it:
//!
//! ```ignore
//! struct Queue(ArrayQueue<u32>);
//!
//! impl Subject for Queue {
//!     type Spec = Fifo;
//!     fn spec() -> Fifo {
//!         Fifo::bounded(2)
//!     }
//!     fn new() -> Self {
//!         Self(ArrayQueue::new(2))
//!     }
//!     fn act(&self, worker: &mut Worker<Event>) {
//!         if worker.rng.one_in(2) {
//!             let value = worker.value(); // no other call of this history has it
//!             worker.record(|| match self.0.push(value) {
//!                 Ok(()) => Event::Push(value),
//!                 Err(_) => Event::Full { wanted: 1 },
//!             });
//!         } else {
//!             self.pop(worker);
//!         }
//!     }
//!     fn pop(&self, worker: &mut Worker<Event>) -> bool {
//!         worker.record(|| self.0.pop().map_or(Event::Empty, Event::Pop));
//!         worker.last() != Some(&Event::Empty)
//!     }
//! }
//!
//! Histories::of(scaled(10_000)).threads(3).calls(4).accept::<Queue>();
//! ```
//!
//! `accept` panics with the first history that is rejected. In the end one thread calls `pop` until
//! nothing is left, so that what was lost or doubled shows. A call that may answer "busy" at any
//! time records [`Event::Busy`]; a batch that takes effect value by value, and not as a whole,
//! records its parts with [`Worker::record_all`].
//!
//! Values must be unlike each other. Two or three threads with three to five calls each find more
//! per second than longer histories; a small capacity finds more than a large one.
//!
//! # How threads get to meet
//!
//! All threads begin each history at once, and wait a little, or give up the core, between calls.
//! Inside the container's own calls they meet by chance, unless the crate was built with
//! `--cfg lockwork_chaos`: then its atomics yield at the worst moments. `.ci/chaos` does that, with
//! at least 200,000 histories for each container.
//!
//! # What this does not show
//!
//! The clock orders memory as well, so an ordering that is too weak may hide behind it: that is for
//! the models and for the race detector. This is about the algorithm.

mod array_queue;
mod check;
mod planted;
mod record;
mod seg_queue;
mod spec;
mod stacks;
mod waiting;

pub(crate) use check::{Spec, check};
pub(crate) use record::{Histories, History, Record, Subject, Worker};
pub(crate) use spec::{Event, Fifo, Stack};
