//! `TaggedStack`.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use super::{AbaHorizon, PopAll};
use crate::raw::GrowingStack;

/// A stack for any number of values and threads.
///
/// Grows by chunks, each as large as all before together, and keeps them until it is dropped: so a
/// stack that has once been as full as it gets allocates nothing more. Last in, first out: the
/// value that a pop takes is the last one whose push took effect.
///
/// # Progress
///
/// Lock-free, but for the allocator: a thread that is stopped in the middle of an operation, for
/// however long, stops nobody else.
///
/// # ABA
///
/// On x86-64 the head of the stack is one word of 128 bits, an address and a tag of 64 bits,
/// changed by `cmpxchg16b`. No bits of addresses are used for anything else, so five-level page
/// tables, tagged pointers and sanitizers are no problem. [`aba_horizon`](Self::aba_horizon) is
/// centuries.
///
/// On aarch64, and with `--cfg lockwork_portable`, it is a word of 64 bits, an index of 24 bits and
/// a tag of 40 bits.
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
/// `pop` may be called in signal handlers, if moving the value may; `push` may allocate.
///
/// Nothing of the values' is called but their destructors, when the stack is dropped or a
/// [`PopAll`] is, and the iterator of a batch; all may use the stack. If the iterator panics, the
/// values before that are in.
///
/// If there is no memory, what `std` does then is done: [`alloc::alloc::handle_alloc_error`]. The
/// stack uses no thread-local, so it works in the destructors of those.
///
/// # Differences
///
/// From a Treiber stack with epochs or hazard pointers, such as the example of `crossbeam-epoch`:
/// no allocation per value, and no garbage that waits for a slow thread; memory is given back when
/// the stack is dropped. From `Mutex<Vec<T>>`: no look at the values, and nobody waits for anybody.
///
/// # Examples
///
/// ```
/// use lockwork::stack::TaggedStack;
///
/// let stack = TaggedStack::new();
/// stack.push('a');
/// stack.push_many(['b', 'c']);
/// assert_eq!(stack.pop(), Some('c'));
/// assert_eq!(stack.pop_all().collect::<String>(), "ba");
/// ```
///
/// Only values that may change threads make a stack that may be shared:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::stack::TaggedStack::<std::rc::Rc<()>>::new());
/// ```
///
/// ```
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::stack::TaggedStack::<std::cell::Cell<()>>::new());
/// ```
#[doc(alias("Treiber", "LIFO", "cmpxchg16b", "DCAS", "ConcurrentLinkedStack", "ConcurrentStack"))]
pub struct TaggedStack<T> {
    stack: GrowingStack<T>,
}

impl<T> UnwindSafe for TaggedStack<T> {}
impl<T> RefUnwindSafe for TaggedStack<T> {}

impl<T> TaggedStack<T> {
    /// Creates an empty stack. Allocates nothing.
    ///
    /// # Panics
    ///
    /// On an x86-64 processor without `cmpxchg16b`, of which the last were sold in 2006, unless
    /// built with `--cfg lockwork_portable`.
    ///
    /// ```
    /// let stack = lockwork::stack::TaggedStack::<u8>::new();
    /// assert_eq!((stack.len(), stack.capacity()), (0, 0));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self { stack: GrowingStack::growing() }
    }

    /// As [`new`](Self::new), with places for at least that many values.
    ///
    /// # Panics
    ///
    /// As `new`; and if there are not as many addresses.
    ///
    /// ```
    /// let stack = lockwork::stack::TaggedStack::<u8>::with_capacity(100);
    /// assert!(stack.capacity() >= 100);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn with_capacity(capacity: usize) -> Self {
        let new = Self::new();
        new.stack.reserve(capacity);
        new
    }

    /// Makes places for `additional` more values than there are, if there are not as many yet, so
    /// that the pushes that fill them allocate nothing. Places in the hands of other threads count
    /// as taken, and other threads may fill the new ones.
    ///
    /// # Panics
    ///
    /// If there are not as many addresses.
    ///
    /// ```
    /// let stack = lockwork::stack::TaggedStack::<u8>::from_iter([1, 2, 3]);
    /// stack.reserve(100);
    /// assert!(stack.capacity() >= 103);
    /// ```
    #[track_caller]
    pub fn reserve(&self, additional: usize) {
        self.stack.reserve(self.len().saturating_add(additional));
    }

    /// Puts a value on top.
    ///
    /// # Panics
    ///
    /// On aarch64 and with `--cfg lockwork_portable`, if there are 16,777,215 values. See
    /// [`try_push`](Self::try_push).
    ///
    /// ```
    /// let stack = lockwork::stack::TaggedStack::new();
    /// stack.push(1);
    /// assert_eq!(stack.pop(), Some(1));
    /// ```
    #[inline]
    #[track_caller]
    pub fn push(&self, value: T) {
        if self.stack.push(value).is_err() {
            no_names_left(self.capacity());
        }
    }

    /// As [`push`](Self::push), without a panic.
    ///
    /// # Errors
    ///
    /// The value comes back if there are 16,777,215 values already, on aarch64 and with
    /// `--cfg lockwork_portable`.
    ///
    /// ```
    /// let stack = lockwork::stack::TaggedStack::new();
    /// assert_eq!(stack.try_push(1), Ok(()));
    /// ```
    #[inline]
    pub fn try_push(&self, value: T) -> Result<(), T> {
        self.stack.push(value)
    }

    /// Puts all these values on top, the last one uppermost, in one step: nobody sees some of them
    /// without the others, or another thread's value between them.
    ///
    /// Costs one compare-exchange, and one for each 32 values to get their places; more if the
    /// iterator does not know a lower bound of its length.
    ///
    /// # Panics
    ///
    /// As [`push`](Self::push), with the values before that in the stack.
    ///
    /// ```
    /// let stack = lockwork::stack::TaggedStack::new();
    /// stack.push_many(['a', 'b']);
    /// assert_eq!(stack.pop(), Some('b'));
    /// ```
    #[doc(alias("push_batch"))]
    #[track_caller]
    pub fn push_many<I: IntoIterator<Item = T>>(&self, values: I) {
        if self.stack.push_many(values.into_iter()).is_err() {
            no_names_left(self.capacity());
        }
    }

    /// Takes the value on top, if there is one.
    ///
    /// ```
    /// let stack = lockwork::stack::TaggedStack::new();
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
    /// ```
    /// let stack = lockwork::stack::TaggedStack::from_iter([1, 2, 3]);
    /// let all = stack.pop_all();
    /// assert!(stack.is_empty());
    /// assert!(all.eq([3, 2, 1]));
    /// ```
    #[doc(alias("drain", "consume_all", "batch_pop", "clear"))]
    pub fn pop_all(&self) -> PopAll<'_, Self> {
        PopAll::new(self.stack.pop_all())
    }

    /// The number of places that are allocated.
    ///
    /// ```
    /// let stack = lockwork::stack::TaggedStack::new();
    /// stack.push(());
    /// assert!(stack.capacity() >= 1);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.stack.capacity()
    }

    /// The number of places in use: by values, and by operations under way. Exact while nobody
    /// pushes or pops, and no [`PopAll`] has values; an estimate otherwise, never above the
    /// capacity.
    ///
    /// ```
    /// let stack = lockwork::stack::TaggedStack::new();
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
    /// assert!(lockwork::stack::TaggedStack::<()>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }

    /// How long it takes until a tag comes back.
    ///
    /// ```
    /// let years = |stack: lockwork::stack::TaggedStack<u8>| {
    ///     stack.aba_horizon().duration().as_secs() / (365 * 86_400)
    /// };
    /// # #[cfg(all(target_arch = "x86_64", not(lockwork_portable)))]
    /// assert_eq!(years(lockwork::stack::TaggedStack::new()), 584);
    /// ```
    #[must_use]
    pub fn aba_horizon(&self) -> AbaHorizon {
        AbaHorizon::new(self.stack.tag_bits())
    }
}

#[cold]
#[track_caller]
fn no_names_left(capacity: usize) -> ! {
    panic!("lockwork: a stack cannot have more than {capacity} places here")
}

impl<T> Default for TaggedStack<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

/// The last value is uppermost.
impl<T> FromIterator<T> for TaggedStack<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let new = Self::new();
        new.push_many(values);
        new
    }
}

/// As [`push_many`](TaggedStack::push_many).
impl<T> Extend<T> for TaggedStack<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        self.push_many(values);
    }
}

impl<T> fmt::Debug for TaggedStack<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaggedStack")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}
