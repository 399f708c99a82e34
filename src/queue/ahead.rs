//! `Ahead`.

use core::fmt;
use core::iter::FusedIterator;

use super::batch::{Source, sealed};
use crate::raw::Values;

/// Values that are asked for at a time.
const HELD: usize = 16;

/// Any iterator, as a source for [`push_many`](super::ArrayQueue::push_many): it is asked for a few
/// values before places are taken for them, so that nobody waits for a place while it is at work.
///
/// What it has given and what was not pushed stays in here, in order, and comes first when this is
/// iterated over or pushed from again; also if the iterator panics.
///
/// # Examples
///
/// ```
/// use lockwork::queue::{Ahead, ArrayQueue};
///
/// let queue = ArrayQueue::new(3);
/// let mut squares = Ahead::new((1..=5).map(|n| n * n));
/// assert_eq!(queue.push_many(&mut squares), 3);
/// assert_eq!(queue.pop(), Some(1));
/// assert_eq!(squares.collect::<Vec<_>>(), [16, 25]);
/// ```
#[must_use = "values that are not pushed are asked for in vain"]
#[derive(Clone)]
pub struct Ahead<I: Iterator> {
    rest: I,
    /// `held[from..to]` are values, the others are not.
    held: [Option<I::Item>; HELD],
    from: usize,
    to: usize,
}

impl<I: Iterator> Ahead<I> {
    /// Asks for nothing yet.
    ///
    /// ```
    /// let ahead = lockwork::queue::Ahead::new(std::iter::repeat(7));
    /// assert_eq!(ahead.take(2).collect::<Vec<_>>(), [7, 7]);
    /// ```
    pub fn new(values: impl IntoIterator<IntoIter = I>) -> Self {
        let (rest, held) = (values.into_iter(), [const { None }; HELD]);
        Self { rest, held, from: 0, to: 0 }
    }

    fn next_held(&mut self) -> Option<I::Item> {
        let value = self.held.get_mut(self.from)?.take()?;
        self.from += 1;
        Some(value)
    }
}

impl<I: Iterator> Source<I::Item> for Ahead<I> {}

impl<I: Iterator> sealed::Source<I::Item> for Ahead<I> {
    fn ready(&mut self, max: usize) -> usize {
        self.held.rotate_left(self.from);
        (self.from, self.to) = (0, self.to - self.from);
        while self.to < max.min(HELD) {
            let Some(value) = self.rest.next() else { break };
            self.held[self.to] = Some(value);
            self.to += 1;
        }
        self.to.min(max)
    }
}

impl<I: Iterator> Values<I::Item> for Ahead<I> {
    fn fill(&mut self, count: usize, put: impl FnMut(I::Item)) {
        core::iter::from_fn(|| self.next_held()).take(count).for_each(put);
    }
}

impl<I: Iterator> Iterator for Ahead<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.next_held().or_else(|| self.rest.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (held, (least, most)) = (self.to - self.from, self.rest.size_hint());
        (least.saturating_add(held), most.and_then(|most| most.checked_add(held)))
    }
}

impl<I: ExactSizeIterator> ExactSizeIterator for Ahead<I> {}
impl<I: FusedIterator> FusedIterator for Ahead<I> {}

impl<I: Iterator> fmt::Debug for Ahead<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ahead").field("held", &(self.to - self.from)).finish_non_exhaustive()
    }
}
