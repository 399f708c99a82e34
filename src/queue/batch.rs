//! Where batches come from and go to.

use alloc::collections::{VecDeque, vec_deque};
use alloc::vec::{self, Vec};
use core::array;

#[cfg(feature = "std")]
use super::reclaim::Reclaim;
#[cfg(feature = "std")]
use crate::raw::Segments;
use crate::raw::{PopError, PushError, Ring, Values};

/// Values for [`push_many`](super::ArrayQueue::push_many): what is pushed is taken from the front,
/// and what does not fit stays.
///
/// The collections and owning iterators of the standard library are sources: they hand over a value
/// without calling anything of a user's. A batch takes its places in the queue before it takes the
/// values out, and nothing may go wrong in between. Any other iterator becomes a source in an
/// [`Ahead`](super::Ahead), which calls it before the places are taken.
///
/// # Examples
///
/// ```
/// use lockwork::queue::ArrayQueue;
///
/// let queue = ArrayQueue::new(3);
/// let mut letters = vec!['a', 'b'];
/// queue.push_many(&mut letters);
/// let mut more = ['c', 'd', 'e'].into_iter();
/// queue.push_many(&mut more);
/// assert!(letters.is_empty());
/// assert_eq!(more.as_slice(), ['d', 'e']);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source of `{T}` for a batch",
    note = "use a `Vec<{T}>`, a `VecDeque<{T}>` or what `drain` and `into_iter` make of one",
    note = "any other iterator becomes a source by `lockwork::queue::Ahead::new(iterator)`"
)]
pub trait Source<T>: sealed::Source<T> {}

/// Where [`pop_many`](super::ArrayQueue::pop_many) puts values: at the end.
///
/// # Examples
///
/// ```
/// use lockwork::queue::ArrayQueue;
///
/// let queue = ArrayQueue::new(3);
/// queue.push_many(&mut vec![1, 2, 3]);
/// let mut taken = Vec::with_capacity(8);
/// assert_eq!(queue.pop_many(&mut taken, 2), 2);
/// assert_eq!(taken, [1, 2]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a sink of `{T}` for a batch",
    note = "use a `Vec<{T}>` or a `VecDeque<{T}>`; `try_iter` serves any other collection"
)]
pub trait Sink<T>: sealed::Sink<T> {}

pub(super) mod sealed {
    use crate::raw::Values;

    /// Gives no more values than are ready.
    pub trait Source<T>: Values<T> {
        /// How many values there are to take, `max` at most; makes them ready first.
        fn ready(&mut self, max: usize) -> usize;
    }

    pub trait Sink<T> {
        /// Makes room for up to `max` values, at least one, and says for how many. More than there
        /// is: for as many as `expected` says.
        fn room(&mut self, max: usize, expected: impl FnOnce() -> usize) -> usize;

        /// Moves all of them in, for which there is room. Does not unwind, if `values` do not.
        fn empty(&mut self, values: impl ExactSizeIterator<Item = T>);
    }
}

/// Pushes what fits, in runs, and says how much that was; `Err` if it was not all because the ring
/// was full or closed.
pub(super) fn push_many<T>(
    ring: &Ring<T>,
    values: &mut impl Source<T>,
) -> (usize, Result<(), PushError<()>>) {
    let mut pushed = 0;
    loop {
        let ready = values.ready(ring.capacity());
        if ready == 0 {
            return (pushed, Ok(()));
        }
        match ring.push_run(ready) {
            Ok(run) => {
                pushed += run.len();
                run.fill(values);
            }
            Err(refused) => return (pushed, Err(refused)),
        }
    }
}

/// Takes up to `max` values, in runs, and says how many; `Err` if it was not `max` because the ring
/// was empty, or that and closed.
pub(super) fn pop_many<T>(
    ring: &Ring<T>,
    into: &mut impl Sink<T>,
    max: usize,
) -> (usize, Result<(), PopError>) {
    let mut popped = 0;
    while popped < max {
        let room = into.room(max - popped, || ring.len());
        match ring.pop_run(room) {
            Ok(run) => {
                popped += run.len();
                into.empty(run);
            }
            Err(refused) => return (popped, Err(refused)),
        }
    }
    (popped, Ok(()))
}

/// The same for a queue without a bound.
#[cfg(feature = "std")]
#[inline]
pub(super) fn pop_many_of_segments<T, R: Reclaim>(
    segments: &Segments<T, R>,
    into: &mut impl Sink<T>,
    max: usize,
) -> (usize, Result<(), PopError>) {
    let mut popped = 0;
    while popped < max {
        let room = into.room(max - popped, || segments.len());
        match segments.pop_run(room, |run| into.empty(run)) {
            Ok(count) => popped += count,
            Err(refused) => return (popped, Err(refused)),
        }
    }
    (popped, Ok(()))
}

macro_rules! sources {
    ($([$($parameters:tt)*] $type:ty;)*) => {$(
        impl<$($parameters)*> Source<T> for $type {}

        impl<$($parameters)*> sealed::Source<T> for $type {
            #[inline]
            fn ready(&mut self, max: usize) -> usize {
                self.len().min(max)
            }
        }

        impl<$($parameters)*> Values<T> for $type {
            #[inline]
            fn fill(&mut self, count: usize, put: impl FnMut(T)) {
                self.take(count).for_each(put);
            }
        }
    )*};
}

sources! {
    [T] vec::IntoIter<T>;
    [T] vec::Drain<'_, T>;
    [T] vec_deque::IntoIter<T>;
    [T] vec_deque::Drain<'_, T>;
    [T, const N: usize] array::IntoIter<T, N>;
}

macro_rules! collections {
    ($($type:ident),*) => {$(
        impl<T> Source<T> for $type<T> {}

        impl<T> sealed::Source<T> for $type<T> {
            #[inline]
            fn ready(&mut self, max: usize) -> usize {
                self.len().min(max)
            }
        }

        impl<T> Values<T> for $type<T> {
            #[inline]
            fn fill(&mut self, count: usize, put: impl FnMut(T)) {
                self.drain(..count).for_each(put);
            }
        }

        impl<T> Sink<T> for $type<T> {}
    )*};
}

collections!(Vec, VecDeque);

impl<T> sealed::Sink<T> for Vec<T> {
    #[inline]
    fn room(&mut self, max: usize, expected: impl FnOnce() -> usize) -> usize {
        if self.capacity() - self.len() >= max {
            return max;
        }
        let room = expected().clamp(1, max);
        self.reserve(room);
        room
    }

    #[inline]
    fn empty(&mut self, values: impl ExactSizeIterator<Item = T>) {
        let (mut count, mut places) = (0, self.spare_capacity_mut().iter_mut());
        values.for_each(|value| {
            if let Some(place) = places.next() {
                place.write(value);
                count += 1;
            }
        });
        // SAFETY: so many places behind the last value were written to.
        unsafe { self.set_len(self.len() + count) };
    }
}

impl<T> sealed::Sink<T> for VecDeque<T> {
    #[inline]
    fn room(&mut self, max: usize, expected: impl FnOnce() -> usize) -> usize {
        if self.capacity() - self.len() >= max {
            return max;
        }
        let room = expected().clamp(1, max);
        self.reserve(room);
        room
    }

    #[inline]
    fn empty(&mut self, values: impl ExactSizeIterator<Item = T>) {
        values.for_each(|value| self.push_back(value));
    }
}
