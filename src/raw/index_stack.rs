//! A stack whose nodes come back: two lists of the same nodes, each behind a word with a tag.
//!
//! # State words
//!
//! ```text
//! full   {tag, name} of the node on top; its link names the next, and so on: the values
//! free   the same for the nodes that hold none
//!
//!            take from free             put on full
//!   free ------------------>  in hand  ----------------->  full
//!        <------------------           <-----------------
//!            put on free                take from full
//! ```
//!
//! Names and tags are those of [`TaggedWord`]; nodes live in an [`Arena`], which frees none before
//! the stack is dropped.
//!
//! # Invariants
//!
//! 1. A node is in one list, or in the hand of one thread. The compare-exchange that takes nodes
//!    off a list hands them to its thread; the one that puts them on a list ends that.
//! 2. Value and link of a node are written by the thread that has it in hand, and by no other. So a
//!    link in a list stays what it is for as long as the node stays in the list.
//! 3. **Whatever takes nodes off a list moves its tag on**, by the number of nodes or, for
//!    [`pop_all`](IndexStack::pop_all), by one at first and by the rest later. Putting nodes on a
//!    list may move it on and never moves it back. So if a compare-exchange finds the word that its
//!    thread has loaded before, nothing was taken in between (or 2^bits values were, see
//!    [`IndexStack::tag_bits`]), and by invariant 2 every link that the thread has followed since
//!    is still true.
//! 4. A thread may follow links of a list that has changed. It comes to other nodes of the same
//!    stack then, which live, and its compare-exchange fails.
//! 5. The tag of `free` counts the nodes that were taken for values, that of `full` those that were
//!    emptied, and those that were taken in vain. The difference is the number of nodes in use.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | any load of a word, and its failed compare-exchange | Acquire | b | see the nodes of the list: value, links, and that they were made; the last reader of a free node is done with it |
//! | b | the compare-exchange that puts nodes on a list | Release | a | publish them; that the value was read |
//! | c | a link is stored | Release | d | whoever follows it at a wrong time finds a node that was made |
//! | d | a link is followed to a node that is looked at | Acquire | c | as (c) |
//! | e | the compare-exchange that takes nodes, and the link that it makes the top | Relaxed | - | hands out what (a) has seen; whoever follows the new top has it from the word |
//! | f | fence before "nothing there" | SeqCst | f | the look stays behind our own puts and takes before it: what was put in elsewhere before, in real time, is seen |
//!
//! Every write to a word is a read-modify-write. So whatever value of it (a) reads, it is in the
//! release sequence of every (b) before, and pairs with all of them.
//!
//! # Linearization points
//!
//! A push, or a batch: its compare-exchange on `full`. A pop that finds something: the same. A pop
//! that does not: its last load of `full`. A refused push: its last load of `free`; nodes may be in
//! hands at that moment, so "full" means that no node is free, and not that as many values are in.
//!
//! # ABA
//!
//! A thread loads `{t, A}`, and reads that `B` is next. It is held up while others take `A` and `B`
//! and put `A` back, on top of `C`. A word of a name alone would be what it was, and the thread
//! would make `B` the top: a node in the hand of somebody else. Here the word is `{t + 2, A}`.
//!
//! # Progress and scaling
//!
//! Lock-free: a compare-exchange fails only because another one did not. Each operation is two
//! compare-exchanges, one on each word; a batch is two as well, and one or two more for each 32
//! nodes. What a batch costs beside them is the walk along its links, each of which has to be
//! loaded before the next: two nanoseconds a value. All threads meet at the same two lines: more of
//! them do not get more done, and losers pause before they try again, which is what keeps a word
//! with one thread for long enough to be worth its transfer. Pushes are not eliminated against
//! pops: that has been measured on no machine with the cores to gain by it.
//!
//! # Sources
//!
//! R. Kent Treiber, "Systems programming: coping with parallelism" (IBM RJ 5118, 1986), with the
//! tag in the IBM System/370 Principles of Operation, appendix A.

use core::fmt;
use core::mem::needs_drop;

use crossbeam_utils::CachePadded;

use super::arena::{Arena, Fixed, Growing, Head, Name};
use crate::primitive::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::primitive::{Backoff, TaggedWord, fence, mutant, ord};

/// The most nodes that are taken at a time for values that are yet to come, and after which those
/// that were emptied are given back.
const BATCH: usize = 32;

/// The stack inside [`ArrayStack`](crate::stack::ArrayStack) and
/// [`TaggedStack`](crate::stack::TaggedStack).
pub struct IndexStack<T, A: Arena<T>> {
    full: CachePadded<A::Word>,
    free: CachePadded<A::Word>,
    arena: A,
    values: core::marker::PhantomData<T>,
}

/// A stack of a capacity that is given.
pub type FixedStack<T> = IndexStack<T, Fixed<T>>;

/// A stack that grows.
pub type GrowingStack<T> = IndexStack<T, Growing<T>>;

// SAFETY: the stack owns its values and hands each to one thread (invariant 1).
unsafe impl<T: Send, A: Arena<T>> Send for IndexStack<T, A> {}
// SAFETY: as for `Send`; no reference to a value is ever shared.
unsafe impl<T: Send, A: Arena<T>> Sync for IndexStack<T, A> {}

impl<T> FixedStack<T> {
    /// The most nodes that leave 40 bits for the tag.
    pub const MAX_CAPACITY: usize = <Fixed<T> as Arena<T>>::Word::MAX_NODES;

    /// Creates an empty stack of that capacity, which is between 1 and
    /// [`MAX_CAPACITY`](Self::MAX_CAPACITY); `None` if there is no memory for it.
    pub fn fixed(capacity: usize) -> Option<Self> {
        let arena = Fixed::new(capacity)?;
        let names = arena.all();
        let stack = Self::with(arena, capacity);
        stack.add(names);
        Some(stack)
    }
}

impl<T> GrowingStack<T> {
    /// Creates an empty stack.
    ///
    /// # Panics
    ///
    /// If the processor lacks what it takes.
    #[track_caller]
    pub fn growing() -> Self {
        Self::with(Growing::new(), <Growing<T> as Arena<T>>::Word::MAX_NODES)
    }

    /// Makes room for that many values, or as many as there can be.
    pub fn reserve(&self, capacity: usize) {
        while self.arena.capacity() < capacity {
            match self.arena.more() {
                Some(names) => self.add(names),
                None => return,
            }
        }
    }
}

impl<T, A: Arena<T>> IndexStack<T, A> {
    #[track_caller]
    fn with(arena: A, nodes: usize) -> Self {
        Self {
            full: CachePadded::new(A::Word::new(nodes)),
            free: CachePadded::new(A::Word::new(nodes)),
            arena,
            values: core::marker::PhantomData,
        }
    }

    /// Adds nodes that are new to the free ones.
    fn add(&self, mut names: impl Iterator<Item = Name<T, A>>) {
        let Some(top) = names.next() else { return };
        let bottom = names.fold(top, |above, name| {
            self.set_link(above, name);
            name
        });
        self.put(&self.free, top, bottom, 0);
    }

    /// Puts a value on top.
    ///
    /// # Errors
    ///
    /// The value comes back if there is no free node and will be no more of them.
    #[inline]
    pub fn push(&self, value: T) -> Result<(), T> {
        let Some(name) = self.take_one(&self.free).or_else(|| self.claim_one()) else {
            return Err(value);
        };
        self.fill(name, value);
        self.put(&self.full, name, name, 0);
        Ok(())
    }

    /// Puts all values that there are nodes for on top, the last one uppermost, all at one moment.
    ///
    /// # Errors
    ///
    /// The first value for which there was no node, and the values after it.
    pub fn push_many<I: Iterator<Item = T>>(&self, mut values: I) -> Result<(), (T, I)> {
        let mut batch = Batch::new(self);
        while let Some(value) = values.next() {
            // As many nodes as are sure to be needed; or as many again, if that is not known.
            let sure = values.size_hint().0.saturating_add(1);
            if let Err(value) = batch.push(value, sure) {
                return Err((value, values));
            }
        }
        Ok(())
    }

    /// Takes the value on top.
    #[inline]
    pub fn pop(&self) -> Option<T> {
        let name = self.take_one(&self.full)?;
        let value = self.empty(name);
        self.put(&self.free, name, name, 0);
        Some(value)
    }

    /// Takes all values at one moment.
    pub fn pop_all(&self) -> Taken<'_, T, A> {
        let (full, none) = (&self.full, self.none());
        let mut backoff = Backoff::new();
        let mut top = self.top(full);
        while let Some(seen) = top {
            // By one now, as nobody has counted the values: invariant 3.
            let step = if mutant!("index_stack.pop-all-same-tag") { 0 } else { 1 };
            // Relaxed: row e.
            let failure = ord!("index_stack.a/pop_all", Acquire); // Acquire: row a.
            match full.compare_exchange(seen, full.replace(seen, step, none), Relaxed, failure) {
                Ok(()) => break,
                Err(now) => {
                    backoff.lost_race();
                    top = if full.name(now) == none { self.top(full) } else { Some(now) };
                }
            }
        }
        let next = top.map_or(none, |seen| full.name(seen));
        Taken { stack: self, next, top: next, bottom: next, emptied: 0, counted: 1 }
    }

    /// Whether there is no value at this moment.
    pub fn is_empty(&self) -> bool {
        self.is_nothing_in(&self.full)
    }

    /// Whether there is no free node at this moment, and none could be added.
    pub fn is_full(&self) -> bool {
        self.is_nothing_in(&self.free)
    }

    fn is_nothing_in(&self, list: &A::Word) -> bool {
        // SeqCst: as row f, for those who ask instead of taking.
        fence(ord!("index_stack.f/is_nothing", SeqCst));
        list.name(list.load(Relaxed)) == list.none()
    }

    /// The number of nodes in use: values, and those in the hands of threads. Exact while nobody
    /// pushes or pops, one less while a `Taken` has nodes; between 0 and the capacity always.
    pub fn len(&self) -> usize {
        // Acquire: row a. Whoever emptied a node took it before, so there are as many to be seen.
        let emptied = self.full.tag(self.full.load(ord!("index_stack.a/len", Acquire)));
        let taken = self.free.tag(self.free.load(Relaxed)); // Relaxed: a gauge, cut off below.
        let bits = self.tag_bits();
        let used = taken.wrapping_sub(emptied) << (u64::BITS - bits) >> (u64::BITS - bits);
        usize::try_from(used).unwrap_or(usize::MAX).min(self.arena.capacity())
    }

    /// How many nodes there are.
    pub fn capacity(&self) -> usize {
        self.arena.capacity()
    }

    /// The width of the tags: one comes back after 2^bits values.
    pub fn tag_bits(&self) -> u32 {
        self.full.tag_bits()
    }

    #[inline]
    fn none(&self) -> Name<T, A> {
        self.full.none()
    }

    /// Takes free nodes for values, as [`take`](Self::take) does; none if there are none and will
    /// be no more.
    #[inline]
    fn claim(&self, names: &mut [Name<T, A>]) -> usize {
        loop {
            let len = self.take(&self.free, names);
            if len != 0 {
                return len;
            }
            let Some(more) = self.arena.more() else { return 0 };
            self.add(more);
        }
    }

    #[cold]
    fn claim_one(&self) -> Option<Name<T, A>> {
        let mut name = [self.none()];
        (self.claim(&mut name) != 0).then_some(name[0])
    }

    /// What a list begins with; `None` if there is nothing in it.
    #[inline]
    fn top(&self, list: &A::Word) -> Option<Head<T, A>> {
        let seen = list.load(ord!("index_stack.a", Acquire)); // Acquire: row a.
        if list.name(seen) != list.none() {
            return Some(seen);
        }
        fence(ord!("index_stack.f", SeqCst)); // SeqCst: row f.
        let seen = list.load(ord!("index_stack.a/fenced", Acquire)); // Acquire: row a.
        (list.name(seen) != list.none()).then_some(seen)
    }

    /// Takes the first node of a list.
    #[inline]
    fn take_one(&self, list: &A::Word) -> Option<Name<T, A>> {
        let seen = list.load(ord!("index_stack.a/one", Acquire)); // Acquire: row a.
        let name = list.name(seen);
        if name != list.none() {
            // Relaxed, twice: the link is not followed here; row e. A loser looks again.
            let rest = self.link_of(name, Relaxed);
            if list.compare_exchange(seen, list.replace(seen, 1, rest), Relaxed, Relaxed).is_ok() {
                return Some(name);
            }
        }
        self.take_one_again(list)
    }

    #[cold]
    fn take_one_again(&self, list: &A::Word) -> Option<Name<T, A>> {
        let mut name = [self.none()];
        (self.take(list, &mut name) != 0).then_some(name[0])
    }

    /// Takes nodes off a list, as many as there is room for names, if there are so many. Says how
    /// many; each is linked to the next.
    #[inline]
    fn take(&self, list: &A::Word, names: &mut [Name<T, A>]) -> usize {
        let mut backoff = Backoff::new();
        let Some(mut seen) = self.top(list) else { return 0 };
        loop {
            let (len, rest) = self.follow(list.name(seen), names);
            let new = list.replace(seen, len as u64, rest);
            let failure = ord!("index_stack.a/again", Acquire); // Acquire: row a.
            // Relaxed: row e.
            match list.compare_exchange(seen, new, Relaxed, failure) {
                Ok(()) => return len,
                Err(now) => {
                    backoff.lost_race();
                    seen = now;
                    if list.name(now) == list.none() {
                        let Some(now) = self.top(list) else { return 0 };
                        seen = now;
                    }
                }
            }
        }
    }

    /// The first nodes of the list that begins with `top`, how many they are, and what comes after
    /// them; anything, if the list has changed (invariant 4).
    #[inline]
    fn follow(&self, top: Name<T, A>, names: &mut [Name<T, A>]) -> (usize, Name<T, A>) {
        let none = self.none();
        let mut next = top;
        for (len, name) in names.iter_mut().enumerate() {
            if next == none {
                return (len, none);
            }
            *name = next;
            next = self.link_of(next, ord!("index_stack.d", Acquire)); // Acquire: row d.
        }
        (names.len(), next)
    }

    /// Puts nodes that are in hand, and linked from `top` to `bottom`, on a list, and moves its tag
    /// on.
    #[inline]
    fn put(&self, list: &A::Word, top: Name<T, A>, bottom: Name<T, A>, step: u64) {
        // Acquire: row a; the link made of it is followed.
        let seen = list.load(ord!("index_stack.a/put", Acquire));
        if let Err(now) = self.put_before(seen, list, top, bottom, step) {
            self.put_again(now, list, top, bottom, step);
        }
    }

    #[inline]
    fn put_before(
        &self,
        seen: Head<T, A>,
        list: &A::Word,
        top: Name<T, A>,
        bottom: Name<T, A>,
        step: u64,
    ) -> Result<(), Head<T, A>> {
        self.set_link(bottom, list.name(seen));
        // Release, Acquire: rows b, a.
        let [success, failure] =
            [ord!("index_stack.b", Release), ord!("index_stack.a/put", Acquire)];
        list.compare_exchange(seen, list.replace(seen, step, top), success, failure)
    }

    #[cold]
    fn put_again(
        &self,
        mut seen: Head<T, A>,
        list: &A::Word,
        top: Name<T, A>,
        bottom: Name<T, A>,
        step: u64,
    ) {
        let mut backoff = Backoff::new();
        loop {
            backoff.lost_race();
            match self.put_before(seen, list, top, bottom, step) {
                Ok(()) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Moves the tag of a list on.
    #[cold]
    fn count(&self, list: &A::Word, step: u64) {
        let mut backoff = Backoff::new();
        // Relaxed, here and below: the name stays, and what it hands out is in the release
        // sequence that this write continues.
        let mut seen = list.load(Relaxed);
        while let Err(now) =
            list.compare_exchange(seen, list.replace(seen, step, list.name(seen)), Relaxed, Relaxed)
        {
            seen = now;
            backoff.lost_race();
        }
    }

    #[inline]
    fn link_of(&self, name: Name<T, A>, order: crate::primitive::Ordering) -> Name<T, A> {
        // SAFETY: the name was read from a word (rows a, b) or a link (rows c, d), or is in hand.
        <A::Word as TaggedWord>::load_link(&unsafe { self.arena.node(name) }.link, order)
    }

    #[inline]
    fn set_link(&self, name: Name<T, A>, to: Name<T, A>) {
        // SAFETY: the node is in hand.
        let link = &unsafe { self.arena.node(name) }.link;
        // Release: row c.
        <A::Word as TaggedWord>::store_link(link, to, ord!("index_stack.c", Release));
    }

    /// Writes the value of a node in hand that holds none.
    #[inline]
    fn fill(&self, name: Name<T, A>, value: T) {
        // SAFETY: the node is in hand.
        let node = unsafe { self.arena.node(name) };
        // SAFETY: so nobody else writes or reads its value (invariant 2).
        node.value.with_mut(|place| unsafe { (*place).write(value) });
    }

    /// Moves the value out of a node in hand that holds one.
    #[inline]
    fn empty(&self, name: Name<T, A>) -> T {
        // SAFETY: the node is in hand.
        let node = unsafe { self.arena.node(name) };
        // SAFETY: so nobody else writes or reads its value (invariant 2); it came from `full`,
        // where every node holds one.
        node.value.with_mut(|place| unsafe { (*place).assume_init_read() })
    }
}

/// A batch of values on its way in. Where it ends, also by a panic of whoever makes the values,
/// those that are there go in, and the nodes that were taken in vain go back.
///
/// Free nodes are linked already, so they are filled from the lowest to the uppermost, and stay as
/// they are.
struct Batch<'a, T, A: Arena<T>> {
    stack: &'a IndexStack<T, A>,
    /// Nodes of the last claim, each linked to the next. The first `spare` of them are free.
    names: [Name<T, A>; BATCH],
    spare: usize,
    claimed: usize,
    /// The uppermost and the lowest value of the claims before, if there were any.
    below: Option<(Name<T, A>, Name<T, A>)>,
}

impl<'a, T, A: Arena<T>> Batch<'a, T, A> {
    fn new(stack: &'a IndexStack<T, A>) -> Self {
        Self { stack, names: [stack.none(); BATCH], spare: 0, claimed: 0, below: None }
    }

    /// Adds a value, and takes nodes for `sure` or as many as before, if there are none left.
    #[inline]
    fn push(&mut self, value: T, sure: usize) -> Result<(), T> {
        if self.spare == 0 {
            let most = sure.max(self.claimed).min(BATCH);
            self.below = self.values();
            self.claimed = self.stack.claim(&mut self.names[..most]);
            self.spare = self.claimed;
            if self.claimed == 0 {
                return Err(value);
            }
        }
        self.spare -= 1;
        self.stack.fill(self.names[self.spare], value);
        Ok(())
    }

    /// The uppermost and the lowest of all values, which are linked then.
    fn values(&self) -> Option<(Name<T, A>, Name<T, A>)> {
        let &[top, .., bottom] = &self.names[self.spare..self.claimed] else {
            return match self.names[self.spare..self.claimed] {
                [only] => Some(self.above(only, only)),
                _ => self.below,
            };
        };
        Some(self.above(top, bottom))
    }

    fn above(&self, top: Name<T, A>, bottom: Name<T, A>) -> (Name<T, A>, Name<T, A>) {
        match self.below {
            Some((next, lowest)) => {
                self.stack.set_link(bottom, next);
                (top, lowest)
            }
            None => (top, bottom),
        }
    }
}

impl<T, A: Arena<T>> Drop for Batch<'_, T, A> {
    fn drop(&mut self) {
        let (stack, spare) = (self.stack, self.spare);
        // Invariant 5: nodes that were taken in vain count as emptied.
        match self.values() {
            Some((top, bottom)) => stack.put(&stack.full, top, bottom, spare as u64),
            None if spare != 0 => stack.count(&stack.full, spare as u64),
            None => {}
        }
        if spare != 0 {
            stack.put(&stack.free, self.names[0], self.names[spare - 1], 0);
        }
    }
}

/// All values that a stack had, the uppermost first. Gives nodes back 32 at a time.
pub struct Taken<'a, T, A: Arena<T>> {
    stack: &'a IndexStack<T, A>,
    next: Name<T, A>,
    /// The first and the last node whose value is out, and how many they are. They are linked.
    top: Name<T, A>,
    bottom: Name<T, A>,
    emptied: usize,
    /// By how much the tag has been moved on for nodes that were not given back yet.
    counted: u64,
}

// SAFETY: the nodes are in hand, and their values may change threads.
unsafe impl<T: Send, A: Arena<T>> Send for Taken<'_, T, A> {}
// SAFETY: a shared reference does not get at them.
unsafe impl<T: Send, A: Arena<T>> Sync for Taken<'_, T, A> {}

impl<T, A: Arena<T>> Taken<'_, T, A> {
    /// Whether there are values left.
    pub fn is_empty(&self) -> bool {
        self.next == self.stack.none()
    }

    fn give_back(&mut self) {
        let stack = self.stack;
        let step = (self.emptied as u64).saturating_sub(core::mem::take(&mut self.counted));
        let (top, bottom) = (core::mem::replace(&mut self.top, self.next), self.bottom);
        self.emptied = 0;
        stack.put(&stack.free, top, bottom, 0);
        if step != 0 {
            stack.count(&stack.full, step); // Invariant 5: the others that were emptied.
        }
    }
}

impl<T, A: Arena<T>> Iterator for Taken<'_, T, A> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let name = self.next;
        let value = self.stack.empty(name);
        self.next = self.stack.link_of(name, Relaxed); // Relaxed: ours.
        self.bottom = name;
        self.emptied += 1;
        if self.emptied == BATCH || self.is_empty() {
            self.give_back();
        }
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.is_empty() { (0, Some(0)) } else { (1, Some(self.stack.capacity())) }
    }
}

/// Drops what an iterator still has, also if a destructor panics.
struct Rest<I: Iterator>(I);

impl<I: Iterator> Drop for Rest<I> {
    fn drop(&mut self) {
        self.0.by_ref().for_each(drop);
    }
}

fn drop_all<I: Iterator>(values: I) {
    let mut rest = Rest(values);
    rest.0.by_ref().for_each(drop);
}

impl<T, A: Arena<T>> Drop for Taken<'_, T, A> {
    fn drop(&mut self) {
        drop_all(self.by_ref());
    }
}

impl<T, A: Arena<T>> Drop for IndexStack<T, A> {
    fn drop(&mut self) {
        if needs_drop::<T>() {
            drop_all(core::iter::from_fn(|| self.pop()));
        }
    }
}

impl<T, A: Arena<T>> fmt::Debug for IndexStack<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexStack")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}

impl<T, A: Arena<T>> fmt::Debug for Taken<'_, T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taken").field("is_empty", &self.is_empty()).finish()
    }
}
