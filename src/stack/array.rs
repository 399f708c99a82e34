//! `ArrayStack`.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use super::{AbaHorizon, PopAll, PushManyError};
use crate::raw::FixedStack;

/// A stack of fixed capacity for any number of threads.
///
/// Allocates its places when it is made and nothing afterwards. Last in, first out: the value that
/// a pop takes is the last one whose push took effect.
///
/// # Progress
///
/// Lock-free: a thread that is stopped in the middle of an operation, for however long, stops
/// nobody else. It keeps the place that it has in hand, at most one, or those of its batch.
///
/// # Full and empty
///
/// "Empty" is true: at one moment during the call there was no value in the stack.
///
/// "Full" means that no place was free, and operations under way have places in hand: a pop until
/// it returns, a push before its value is seen. So a push may be refused while there are fewer
/// values than places, if other operations are under way, and only then. If there are never more
/// values than places in the stack and in the hands of its users together, none is refused: whoever
/// pushes what it has popped always finds a place.
///
/// # ABA
///
/// The head of the stack is one word of 64 bits, an index and a tag. The index has as many bits as
/// the capacity needs, at most 24, and the tag has the others. [`aba_horizon`](Self::aba_horizon)
/// tells how long it takes until a tag comes back.
///
/// # Memory ordering
///
/// Everything done before a push happens before the return of the pop that took its value.
///
/// # Fork, signals, panics, allocators
///
/// Works in a child of `fork`, whatever the parent's other threads were doing: the child lacks the
/// places, and the values, that they had in hand.
///
/// `push` and `pop` may be called in signal handlers, if moving the value may.
///
/// Nothing of the values' is called but their destructors, when the stack is dropped or a
/// [`PopAll`] is, and the iterator of a batch; all may use the stack. If the iterator panics, the
/// values before that are in.
///
/// The stack allocates when it is made, and uses no thread-local, so it works in the destructors of
/// those.
///
/// # Differences
///
/// From a `Mutex<Vec<T>>`: no look at the values, and nobody waits for anybody. From
/// `boost::lockfree::stack`: up to 16,777,215 places, not 65,535; tags of 40 bits and more, not 16;
/// batches. From `ConcurrentStack` of .NET and Treiber stacks with reclamation: it has a capacity,
/// and allocates nothing.
///
/// # Examples
///
/// ```
/// use lockwork::stack::ArrayStack;
///
/// let stack = ArrayStack::new(2);
/// assert_eq!(stack.push('a'), Ok(()));
/// assert_eq!(stack.push('b'), Ok(()));
/// assert_eq!(stack.push('c'), Err('c'));
/// assert_eq!(stack.pop(), Some('b'));
/// ```
///
/// Only values that may change threads make a stack that may be shared:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::stack::ArrayStack::<std::rc::Rc<()>>::new(1));
/// ```
///
/// ```
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::stack::ArrayStack::<std::cell::Cell<()>>::new(1));
/// ```
#[doc(alias("Treiber", "LIFO", "freelist", "lockfree_stack", "ConcurrentStack"))]
pub struct ArrayStack<T> {
    stack: FixedStack<T>,
}

impl<T> UnwindSafe for ArrayStack<T> {}
impl<T> RefUnwindSafe for ArrayStack<T> {}

impl<T> ArrayStack<T> {
    /// The largest capacity: 16,777,215. It leaves 40 bits for the tag.
    pub const MAX_CAPACITY: usize = FixedStack::<T>::MAX_CAPACITY;

    /// Creates an empty stack with `capacity` places.
    ///
    /// # Panics
    ///
    /// If `capacity` is zero, or above [`MAX_CAPACITY`](Self::MAX_CAPACITY), or more than there is
    /// memory for.
    ///
    /// ```
    /// let stack = lockwork::stack::ArrayStack::<u8>::new(100);
    /// assert_eq!(stack.capacity(), 100);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "lockwork: a stack needs a capacity of at least 1");
        assert!(
            capacity <= Self::MAX_CAPACITY,
            "lockwork: a stack of {capacity} places has no room for a tag (at most {})",
            Self::MAX_CAPACITY
        );
        match FixedStack::fixed(capacity) {
            Some(stack) => Self { stack },
            None => panic!("lockwork: there is no memory for a stack of {capacity} places"),
        }
    }

    /// Puts a value on top.
    ///
    /// # Errors
    ///
    /// The value comes back if no place is free.
    ///
    /// ```
    /// let stack = lockwork::stack::ArrayStack::new(1);
    /// assert_eq!(stack.push(1), Ok(()));
    /// assert_eq!(stack.push(2), Err(2));
    /// ```
    #[inline]
    pub fn push(&self, value: T) -> Result<(), T> {
        self.stack.push(value)
    }

    /// Puts all these values on top, the last one uppermost, in one step: nobody sees some of them
    /// without the others, or another thread's value between them.
    ///
    /// Costs one compare-exchange, and one for each 32 values to get their places; more if the
    /// iterator does not know a lower bound of its length.
    ///
    /// # Errors
    ///
    /// If there are not enough places, as many values as there are places for go in, and the error
    /// has the others.
    ///
    /// ```
    /// let stack = lockwork::stack::ArrayStack::new(3);
    /// assert!(stack.push_many(['a', 'b']).is_ok());
    /// let refused = stack.push_many(['c', 'd', 'e']).unwrap_err();
    /// assert!(refused.into_iter().eq(['d', 'e']));
    /// assert_eq!(stack.pop(), Some('c'));
    /// ```
    #[doc(alias("extend", "push_batch"))]
    pub fn push_many<I>(&self, values: I) -> Result<(), PushManyError<I::IntoIter>>
    where
        I: IntoIterator<Item = T>,
    {
        let refused = self.stack.push_many(values.into_iter());
        refused.map_err(|refused| PushManyError::new(refused, self.capacity()))
    }

    /// Takes the value on top, if there is one.
    ///
    /// ```
    /// let stack = lockwork::stack::ArrayStack::new(1);
    /// assert_eq!(stack.pop(), None);
    /// stack.push(1);
    /// assert_eq!(stack.pop(), Some(1));
    /// ```
    #[inline]
    pub fn pop(&self) -> Option<T> {
        self.stack.pop()
    }

    /// Takes all values in one step, by one compare-exchange however many they are. They come out
    /// of the iterator as they would have come out of pops, the uppermost first.
    ///
    /// Their places are in use until the iterator has come by, or is dropped.
    ///
    /// ```
    /// let stack = lockwork::stack::ArrayStack::new(3);
    /// stack.push_many([1, 2, 3]).unwrap();
    /// let all = stack.pop_all();
    /// assert!(stack.is_empty());
    /// assert!(all.eq([3, 2, 1]));
    /// ```
    #[doc(alias("drain", "consume_all", "batch_pop", "clear"))]
    pub fn pop_all(&self) -> PopAll<'_, Self> {
        PopAll::new(self.stack.pop_all())
    }

    /// The number of places.
    ///
    /// ```
    /// assert_eq!(lockwork::stack::ArrayStack::<()>::new(3).capacity(), 3);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.stack.capacity()
    }

    /// The number of places in use: by values, and by operations under way. Exact while nobody
    /// pushes or pops, and no [`PopAll`] has values; an estimate otherwise, never above the
    /// capacity. Costs two loads.
    ///
    /// ```
    /// let stack = lockwork::stack::ArrayStack::new(3);
    /// stack.push('x');
    /// assert_eq!(stack.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.stack.len()
    }

    /// Whether there is no value at this moment.
    ///
    /// ```
    /// assert!(lockwork::stack::ArrayStack::<()>::new(1).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }

    /// Whether there is no free place at this moment.
    ///
    /// ```
    /// let stack = lockwork::stack::ArrayStack::new(1);
    /// stack.push(());
    /// assert!(stack.is_full());
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.stack.is_full()
    }

    /// How long it takes until a tag comes back.
    ///
    /// ```
    /// let stack = lockwork::stack::ArrayStack::<u8>::new(1_000);
    /// assert_eq!(stack.aba_horizon().values(), 1 << 54);
    /// ```
    #[must_use]
    pub fn aba_horizon(&self) -> AbaHorizon {
        AbaHorizon::new(self.stack.tag_bits())
    }
}

impl<T> fmt::Debug for ArrayStack<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrayStack")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}
