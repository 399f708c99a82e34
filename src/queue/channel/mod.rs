//! Channels: a queue with two ends, which closes when one of them has gone.
//!
//! | made by | places | a send |
//! |---|---|---|
//! | [`bounded`] | so many | sleeps while they are all taken |
//! | `unbounded`, with feature `std` | without limit | never sleeps |
//! | [`rendezvous`] | none | sleeps until a receiver has the value |
//!
//! Both ends may be cloned, and used by any number of threads at once. Each value goes to exactly
//! one receiver. When the last [`Sender`] is dropped, receivers get what is still there, and then
//! learn that there are no more; when the last [`Receiver`] is dropped, sends are refused and give
//! their value back, and values that nobody can receive any more are dropped.
//!
//! # Progress
//!
//! | operation | with places | `rendezvous` |
//! |---|---|---|
//! | `try_send`, `try_recv`, `try_iter` | as [`ArrayQueue`](super::ArrayQueue#progress): wait for an operation on the same place that is under way; without a bound, as `SegQueue`, which does not | wait for a lock that is held for a few stores and one move |
//! | `send`, `recv`, their limited and cancellable forms, `iter` | the same, and sleep | the same, and sleep |
//! | `len`, `is_empty`, `is_full`, `capacity` | wait-free, but for a `len` that is overtaken | wait-free |
//! | `clone`, `drop` of an end | wait-free; the last one of its kind closes | the same |
//!
//! # Nothing is lost at the end
//!
//! A receiver is told "disconnected" only if no send has succeeded whose value has not been
//! received: the end is marked in the word through which values go in, so a value either went in
//! before the mark, and is found before the end is, or was refused.
//!
//! # Fairness
//!
//! Values of a channel with places leave first in, first out; of a rendezvous, in the order in
//! which the senders came. Who of several sleeping threads is served next is up to the kernel in a
//! channel with places, and in a rendezvous it is whoever has waited for longest.
//!
//! # Memory ordering
//!
//! Everything done before a send happens before the return of the receive that has its value, and
//! in a rendezvous also the other way round. Everything done before any sender was dropped happens
//! before a receive says "disconnected", and the same for receivers and sends.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | one end less | AcqRel | a | what was done with each end comes before the closing that the last one does |
//! | b | one end more | Relaxed | - | made from one that is still there |
//!
//! # Fork, signals, panics, allocators
//!
//! As for [`ArrayQueue`](super::ArrayQueue#fork-signals-panics-allocators). A child of `fork` has
//! both ends of its own copy, as far as they belong to threads that are not there, for ever: no end
//! of theirs is dropped. A rendezvous works in a child whatever other threads were doing in it at
//! the fork: those that waited are forgotten there, and what they offered stays with the parent. A
//! wait that is interrupted by a signal handler which forks goes on in both processes (in the
//! child, unless the handler was installed with `SA_RESTART`: then it may not end before its
//! limit).
//!
//! A signal neither ends a wait nor moves its limit. Not for signal handlers, which may have
//! interrupted what they would wait for.
//!
//! Allocates when a channel is made, and not afterwards; one without a bound as
//! a `SegQueue` does, in sends.
//!
//! # Differences
//!
//! From `crossbeam-channel`: the same names mean the same. `bounded(0)` is spelled [`rendezvous`],
//! and `bounded` has a place at least. Deadlines may also be [`Deadline`](crate::Deadline)s, and
//! waits can be [cancelled](crate::cancel). There is no `select!`: [`wait_any`](crate::wait_any)
//! waits for several [receivers](Receiver#waiting-for-several) and other things, and says which is
//! ready; it does not wait for senders. Nor are there channels that are clocks (`after`, `tick`).
//!
//! From `std::sync::mpsc`: receivers may be cloned.
//!
//! # Examples
//!
//! ```
//! use lockwork::queue::channel;
//! use std::thread;
//!
//! let (sender, receiver) = channel::bounded(4);
//! for worker in 0..2 {
//!     let sender = sender.clone();
//!     thread::spawn(move || (0..50).for_each(|n| sender.send(2 * n + worker).unwrap()));
//! }
//! drop(sender);
//! assert_eq!(receiver.iter().sum::<i32>(), 4950);
//! ```

mod error;
mod receiver;
mod sender;

use alloc::sync::Arc;
use core::fmt;

use super::BlockingQueue;
#[cfg(feature = "std")]
use super::SegQueue;
use super::backing::Backing;
use crate::primitive::AtomicU64;
use crate::primitive::Ordering::{AcqRel, Relaxed};
use crate::primitive::{mutant, ord};
use crate::raw::Rendezvous;

pub use error::{
    RecvCancellableError, RecvError, RecvTimeoutError, SendCancellableError, SendError,
    SendTimeoutError, TryRecvError, TrySendError,
};
pub use receiver::{IntoIter, Iter, Receiver, TryIter};
pub use sender::Sender;

/// Creates a channel with `capacity` places.
///
/// # Panics
///
/// If `capacity` is zero (see [`rendezvous`]), or more than there is memory for.
///
/// ```
/// use lockwork::queue::channel;
///
/// let (sender, receiver) = channel::bounded(1);
/// sender.send("hello").unwrap();
/// assert_eq!(receiver.recv(), Ok("hello"));
/// ```
#[doc(alias("sync_channel", "channel"))]
#[must_use = "a channel of which one end is dropped is closed"]
#[track_caller]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    ends(Flavor::Bounded(BlockingQueue::new(capacity)))
}

/// Creates a channel without places: a send returns when a receiver has the value.
///
/// ```
/// use lockwork::queue::channel;
/// use std::thread;
///
/// let (sender, receiver) = channel::rendezvous();
/// assert!(sender.try_send(1).is_err(), "nobody is there to take it");
/// let taker = thread::spawn(move || receiver.recv());
/// sender.send(2).unwrap();
/// assert_eq!(taker.join().unwrap(), Ok(2));
/// ```
#[doc(alias("SynchronousQueue", "zero capacity", "bounded(0)"))]
#[must_use = "a channel of which one end is dropped is closed"]
pub fn rendezvous<T>() -> (Sender<T>, Receiver<T>) {
    ends(Flavor::Rendezvous(Rendezvous::new()))
}

/// Creates a channel without a bound: a send never sleeps, and is refused only if there is no
/// receiver any more. It is a [`SegQueue`] with two ends: a sender that is stopped in the middle of
/// a send does not stop receivers.
///
/// ```
/// use lockwork::queue::channel;
///
/// let (sender, receiver) = channel::unbounded();
/// (0..1000).for_each(|n| sender.send(n).unwrap());
/// drop(sender);
/// assert_eq!(receiver.iter().sum::<i32>(), 499_500);
/// ```
#[cfg(feature = "std")]
#[doc(alias("channel", "async channel", "mpsc"))]
#[must_use = "a channel of which one end is dropped is closed"]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    ends(Flavor::Unbounded(BlockingQueue::unbounded()))
}

fn ends<T>(flavor: Flavor<T>) -> (Sender<T>, Receiver<T>) {
    let (senders, receivers) = (AtomicU64::new(1), AtomicU64::new(1));
    let shared = Arc::new(Shared { flavor, senders, receivers });
    (Sender::of(shared.clone()), Receiver::of(shared))
}

/// What the ends have in common. The counts are of ends that may be used; an `Arc` counts those
/// that keep the memory.
struct Shared<T> {
    flavor: Flavor<T>,
    senders: AtomicU64,
    receivers: AtomicU64,
}

#[allow(
    clippy::large_enum_variant,
    reason = "one for each channel, in the memory that its ends share"
)]
enum Flavor<T> {
    Bounded(BlockingQueue<T>),
    #[cfg(feature = "std")]
    Unbounded(BlockingQueue<T, SegQueue<T>>),
    Rendezvous(Rendezvous<T>),
}

impl<T> Shared<T> {
    fn is_empty(&self) -> bool {
        match &self.flavor {
            Flavor::Bounded(queue) => queue.is_empty(),
            #[cfg(feature = "std")]
            Flavor::Unbounded(queue) => queue.is_empty(),
            Flavor::Rendezvous(_) => true,
        }
    }

    fn is_full(&self) -> bool {
        match &self.flavor {
            Flavor::Bounded(queue) => queue.is_full(),
            #[cfg(feature = "std")]
            Flavor::Unbounded(_) => false,
            Flavor::Rendezvous(_) => true,
        }
    }

    fn len(&self) -> usize {
        match &self.flavor {
            Flavor::Bounded(queue) => queue.len(),
            #[cfg(feature = "std")]
            Flavor::Unbounded(queue) => queue.len(),
            Flavor::Rendezvous(_) => 0,
        }
    }

    fn capacity(&self) -> Option<usize> {
        match &self.flavor {
            Flavor::Bounded(queue) => Some(queue.capacity()),
            #[cfg(feature = "std")]
            Flavor::Unbounded(_) => None,
            Flavor::Rendezvous(_) => Some(0),
        }
    }

    fn close(&self) {
        match &self.flavor {
            Flavor::Bounded(queue) => queue.close(),
            #[cfg(feature = "std")]
            Flavor::Unbounded(queue) => queue.close(),
            Flavor::Rendezvous(meeting) => meeting.close(),
        };
    }

    /// The last sender goes: receivers get what is there, and then the end.
    fn sender_goes(&self) {
        if one_less(&self.senders) && !mutant!("channel.senders-stay") {
            self.close();
        }
    }

    /// The last receiver goes: nobody will ask for what is there.
    fn receiver_goes(&self) {
        if one_less(&self.receivers) && !mutant!("channel.receivers-stay") {
            self.close();
            match &self.flavor {
                Flavor::Bounded(queue) => drop_all(queue),
                #[cfg(feature = "std")]
                Flavor::Unbounded(queue) => drop_all(queue),
                Flavor::Rendezvous(_) => {}
            }
        }
    }
}

fn one_more(count: &AtomicU64) {
    count.fetch_add(1, Relaxed); // Relaxed: row b.
}

/// Whether it was the last.
fn one_less(count: &AtomicU64) -> bool {
    // AcqRel: row a.
    count.fetch_sub(1, ord!("channel.a", AcqRel)) == 1
}

/// Drops what is left, also if a destructor panics.
fn drop_all<T, Q: Backing<T>>(queue: &BlockingQueue<T, Q>) {
    struct Rest<'a, T, Q: Backing<T>>(&'a BlockingQueue<T, Q>);

    impl<T, Q: Backing<T>> Drop for Rest<'_, T, Q> {
        fn drop(&mut self) {
            self.0.try_iter().for_each(drop);
        }
    }

    let rest = Rest(queue);
    rest.0.try_iter().for_each(drop);
}

/// What `Debug` shows of either end.
fn debug<T>(name: &str, shared: &Shared<T>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_struct(name)
        .field("len", &shared.len())
        .field("capacity", &shared.capacity())
        .finish_non_exhaustive()
}
