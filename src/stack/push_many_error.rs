//! `PushManyError`.

use core::fmt;
use core::iter::{Chain, Once, once};

/// A batch did not fit: the values that did not go in, as an iterator.
///
/// ```
/// use lockwork::stack::ArrayStack;
///
/// let stack = ArrayStack::new(2);
/// let error = stack.push_many(1..=4).unwrap_err();
/// assert_eq!(error.to_string(), "stack is full (capacity 2)");
/// assert!(error.into_iter().eq([3, 4]));
/// ```
#[must_use = "the values that were refused are in here"]
pub struct PushManyError<I: Iterator> {
    first: I::Item,
    rest: I,
    capacity: usize,
}

impl<I: Iterator> PushManyError<I> {
    pub(super) fn new((first, rest): (I::Item, I), capacity: usize) -> Self {
        Self { first, rest, capacity }
    }
}

/// The values that were refused, in their order: the first one for which there was no place, and
/// whatever the iterator has left.
impl<I: Iterator> IntoIterator for PushManyError<I> {
    type Item = I::Item;
    type IntoIter = Chain<Once<I::Item>, I>;

    fn into_iter(self) -> Self::IntoIter {
        once(self.first).chain(self.rest)
    }
}

impl<I: Iterator> fmt::Debug for PushManyError<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushManyError").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl<I: Iterator> fmt::Display for PushManyError<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stack is full (capacity {})", self.capacity)
    }
}

impl<I: Iterator> core::error::Error for PushManyError<I> {}
