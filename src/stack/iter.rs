//! Iterators of both stacks.

use core::fmt;
use core::iter::FusedIterator;

use super::{ArrayStack, TaggedStack};
use crate::raw::{Fixed, Growing, Taken};

mod sealed {
    /// What the iterators need of a stack.
    pub trait Sealed {
        type Item;
        type Taken<'a>: Iterator<Item = Self::Item>
        where
            Self: 'a;

        fn next(&mut self) -> Option<Self::Item>;
        fn left(&self) -> usize;
    }
}

/// The stacks of this module. Nobody else can implement it; it is there to name their iterators.
pub trait Stack: sealed::Sealed {}

macro_rules! stacks {
    ($($stack:ident: $arena:ident),*) => {$(
        impl<T> Stack for $stack<T> {}

        impl<T> sealed::Sealed for $stack<T> {
            type Item = T;
            type Taken<'a>
                = Taken<'a, T, $arena<T>>
            where
                T: 'a;

            fn next(&mut self) -> Option<T> {
                self.pop()
            }

            fn left(&self) -> usize {
                self.len()
            }
        }

        impl<T> IntoIterator for $stack<T> {
            type Item = T;
            type IntoIter = IntoIter<Self>;

            fn into_iter(self) -> IntoIter<Self> {
                IntoIter { stack: self }
            }
        }
    )*};
}

stacks!(ArrayStack: Fixed, TaggedStack: Growing);

/// The values that a stack had at one moment, the uppermost first; see
/// [`ArrayStack::pop_all`] and [`TaggedStack::pop_all`].
///
/// They belong to this iterator, which drops those that are left. Their places are free again as it
/// comes by, 32 at a time. One that is forgotten ([`core::mem::forget`]) keeps values and places.
#[must_use = "dropping this drops the values"]
pub struct PopAll<'a, S: Stack + 'a> {
    taken: S::Taken<'a>,
}

impl<'a, S: Stack> PopAll<'a, S> {
    pub(super) fn new(taken: S::Taken<'a>) -> Self {
        Self { taken }
    }
}

impl<S: Stack> fmt::Debug for PopAll<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PopAll").finish_non_exhaustive()
    }
}

impl<S: Stack> Iterator for PopAll<'_, S> {
    type Item = S::Item;

    #[inline]
    fn next(&mut self) -> Option<S::Item> {
        self.taken.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.taken.size_hint()
    }
}

impl<S: Stack> FusedIterator for PopAll<'_, S> {}

/// The values of a stack, the uppermost first.
///
/// ```
/// let stack = lockwork::stack::ArrayStack::new(2);
/// stack.push('a');
/// stack.push('b');
/// assert_eq!(stack.into_iter().collect::<String>(), "ba");
/// ```
pub struct IntoIter<S: Stack> {
    stack: S,
}

impl<S: Stack> fmt::Debug for IntoIter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoIter").field("len", &self.stack.left()).finish()
    }
}

impl<S: Stack> Iterator for IntoIter<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        self.stack.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // A forgotten `PopAll` counts in `len`, and may be all there is.
        (0, Some(self.stack.left()))
    }
}

impl<S: Stack> FusedIterator for IntoIter<S> {}
