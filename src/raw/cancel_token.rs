//! "Give it up", said once, to a tree of those who listen.
//!
//! # State
//!
//! ```text
//! word       meaning                             who leaves it, and how
//! LIVE  (0)  nobody has slept on it              sleeper: -> AWAITED; cancel: -> CANCELLED
//! AWAITED (1)  some sleep on it, or did          cancel: -> CANCELLED, and wakes all
//! CANCELLED (2)                                  -
//!
//!        tree: lock, era
//!          ^  ^  ^
//!   token -+  |  +----------+
//!     |       |             |           callbacks of each: a list, in order of registration
//!   token <-> token <-> token           children of each: a list, in no order
//!             |
//!           token
//! ```
//!
//! Tokens of one tree share a lock, which guards all links between them, and the lists of
//! callbacks. Links are plain pointers: a token that nobody has a handle of takes itself out, and
//! its children become those of its parent. So a tree is as large as what is in use of it.
//!
//! A token may have a deadline, at the latest that of its parent. The word knows nothing of that:
//! whoever finds that it has passed cancels.
//!
//! # Invariants
//!
//! 1. `CANCELLED` is set under the lock, and stays.
//! 2. It is set in a token after it was set in all below. So at any moment, whoever sees a token
//!    cancelled sees all that come from it cancelled.
//! 3. A cancelled token has no links. Its callbacks belong to whoever cancelled it, and nobody else
//!    touches their links.
//! 4. What a place points to is there: a token leaves the tree under the lock before it goes, and
//!    a callback in a list has a reference count for that.
//! 5. Closures run and are dropped without the lock.
//! 6. While a thread sleeps on a word, that is `AWAITED`, or a wake-up for all is on its way.
//! 7. Once the lock is given back, only the *address* of other tokens' words is used, to wake.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | looks at the word | Acquire | b | see what was done before `cancel`; and the words of all below (invariant 2) |
//! | b | `CANCELLED` swapped in | Release | a | publish that |
//! | c | `AWAITED` on, and the looks of those who are about to sleep | Relaxed | - | they publish nothing, and as read-modify-writes do not part (b) from (a). Who does not sleep looks again by (a) |
//! | d | handles counted | Relaxed | - | says only who is the last. What was done in the tree is ordered by its lock; the memory goes with an `Arc` |
//!
//! # Why no wake-up is lost
//!
//! A waiter sleeps on two words at once: that of what it waits for, with the value that it saw
//! there, and that of its token, as long as it is `AWAITED`. It runs W1 `AWAITED on`, W2 `sleep`;
//! who cancels runs C1 `CANCELLED on`, C2 `wake all` if C1 found `AWAITED`. If C1 comes before W1,
//! W1 fails. Otherwise C1 finds `AWAITED`, and C2 wakes who sleeps; who does not yet finds the word
//! changed, as the kernel compares under the lock that C2 takes.
//!
//! What it consumed on the other word is the business of the wait's loop: a sleep that may have
//! been woken there never says that the limit was reached (`raw::limit`), so the loop looks once
//! more and takes what the wake-up announced, or finds it taken. Only the next sleep says so: it
//! has consumed nothing, and has had the kernel compare the word with what the loop saw there.
//!
//! # Fork
//!
//! In the child, tokens are what they were, and a tree whose lock was free is whole. If another
//! thread was about to change it, it may not be: then all its links are void there. What tells is
//! the era, which is then another one: each token is one by itself, and has none of the callbacks
//! that were registered before.
//!
//! # Scaling
//!
//! Looking at a token is one load, and a wait adds nothing to the token but the first one. Making a
//! child, dropping it, registering a callback and taking it back take the lock of the tree for a
//! few stores. To cancel is to hold it for a step for each token below; to drop a token that has
//! children, for one for each child.
//!
//! # Sources
//!
//! Trees and deadlines are those of `context` in Go, callbacks those of `std::stop_token` in C++20.

use alloc::sync::Arc;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr;

use super::callback::{Callback, Function, TakenBack};
use super::list_lock::{HeldList, ListLock};
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{AtomicU64, Deadline, Futex, Private, UnsafeCell, Wait, WaitWord};
use crate::primitive::{mutant, ord, wait_many};

const LIVE: u32 = 0;
const AWAITED: u32 = 1;
const CANCELLED: u32 = 2;

/// What is new has era 0, and thus nothing.
const FIRST_ERA: u32 = 1;

/// What the tokens of one tree share.
struct Tree {
    lock: ListLock,
    /// Belongs to the holder of the lock. Places of another era are void.
    era: UnsafeCell<u32>,
}

/// A token.
struct Node {
    word: Futex<Private>,
    handles: AtomicU64,
    deadline: Deadline,
    tree: Arc<Tree>,
    /// Belongs to the holder of the tree's lock.
    place: UnsafeCell<Place>,
}

// SAFETY: everything in it is atomic, or never written, or belongs to the holder of the lock.
unsafe impl Send for Node {}
// SAFETY: as for `Send`.
unsafe impl Sync for Node {}

// SAFETY: the era belongs to the holder of the lock.
unsafe impl Sync for Tree {}

/// Where a token stands in its tree.
struct Place {
    era: u32,
    parent: *const Node,
    /// Neighbours among the children of the parent.
    prev: *const Node,
    next: *const Node,
    /// The first of its own.
    child: *const Node,
    calls: List,
}

impl Place {
    /// In no tree, with nothing.
    const fn nowhere(era: u32) -> Self {
        let none = ptr::null();
        Self { era, parent: none, prev: none, next: none, child: none, calls: List::EMPTY }
    }
}

/// A callback in the list of a token, or in none.
struct Entry {
    callback: Callback,
    /// Belong to the holder of the tree's lock; once the token is cancelled, to whoever did it.
    links: UnsafeCell<Links>,
}

// SAFETY: the links have one user at a time, and a callback may be sent and shared.
unsafe impl Send for Entry {}
// SAFETY: as for `Send`.
unsafe impl Sync for Entry {}

#[derive(Clone, Copy)]
struct Links {
    era: u32,
    prev: *const Entry,
    next: *const Entry,
}

/// Callbacks in the order in which they were registered. Each counts as a reference.
struct List {
    first: *const Entry,
    last: *const Entry,
}

impl List {
    const EMPTY: Self = Self { first: ptr::null(), last: ptr::null() };

    fn take(&mut self) -> Self {
        core::mem::replace(self, Self::EMPTY)
    }

    /// # Safety
    ///
    /// The links of all in this list are the caller's, and `entry` is in no list.
    unsafe fn push(&mut self, entry: Arc<Entry>, era: u32) {
        let entry = Arc::into_raw(entry);
        // SAFETY: by the caller's contract; what is in the list is there as it counts.
        unsafe {
            Entry::links(entry, |links| *links = Links { era, prev: self.last, next: ptr::null() });
            match self.last.is_null() {
                true => self.first = entry,
                false => Entry::links(self.last, |links| links.next = entry),
            }
        }
        self.last = entry;
    }

    /// # Safety
    ///
    /// The links of all in this list are the caller's, and `entry` is in it.
    unsafe fn remove(&mut self, entry: *const Entry) -> Arc<Entry> {
        // SAFETY: by the caller's contract, and as in `push`.
        unsafe {
            let Links { prev, next, .. } = Entry::links(entry, |links| *links);
            match prev.is_null() {
                true => self.first = next,
                false => Entry::links(prev, |links| links.next = next),
            }
            match next.is_null() {
                true => self.last = prev,
                false => Entry::links(next, |links| links.prev = prev),
            }
            Arc::from_raw(entry)
        }
    }

    /// # Safety
    ///
    /// The links of all in both lists are the caller's.
    unsafe fn append(&mut self, other: Self) {
        if other.first.is_null() {
            return;
        }
        // SAFETY: by the caller's contract, and as in `push`.
        unsafe {
            match self.last.is_null() {
                true => self.first = other.first,
                false => {
                    Entry::links(self.last, |links| links.next = other.first);
                    Entry::links(other.first, |links| links.prev = self.last);
                }
            }
        }
        self.last = other.last;
    }

    /// # Safety
    ///
    /// The links of all in this list are the caller's.
    unsafe fn pop(&mut self) -> Option<Arc<Entry>> {
        match self.first.is_null() {
            true => None,
            // SAFETY: by the caller's contract.
            false => Some(unsafe { self.remove(self.first) }),
        }
    }
}

impl Entry {
    /// # Safety
    ///
    /// The entry is there, and its links are the caller's.
    unsafe fn links<R>(entry: *const Self, access: impl FnOnce(&mut Links) -> R) -> R {
        // SAFETY: by the caller's contract, and so nobody else accesses them.
        unsafe { (*entry).links.with_mut(|links| access(&mut *links)) }
    }
}

/// The token inside [`CancelToken`](crate::cancel::CancelToken): a handle. The last one that is
/// dropped takes the token out of its tree.
pub struct CancelToken {
    node: Arc<Node>,
}

// Trees are whole whenever code of the user's runs.
impl UnwindSafe for CancelToken {}
impl RefUnwindSafe for CancelToken {}

impl CancelToken {
    /// Creates a token that comes from no other.
    pub fn new(deadline: Deadline) -> Self {
        let tree = Tree { lock: ListLock::new(), era: UnsafeCell::new(FIRST_ERA) };
        Self { node: Arc::new(Node::new(deadline, Arc::new(tree))) }
    }

    /// Creates a token that is cancelled when this one is. Its deadline is no later.
    pub fn child(&self, deadline: Deadline) -> Self {
        let deadline = deadline.min(self.node.deadline);
        let node = Arc::new(Node::new(deadline, self.node.tree.clone()));
        let held = self.node.lock();
        if self.is_cancelled() {
            // Relaxed: nobody else knows of it yet, and the look was row a.
            node.word
                .swap(if mutant!("cancel_token.born-live") { LIVE } else { CANCELLED }, Relaxed);
        } else {
            // SAFETY: the lock is held, both are there, and the new one is in no list.
            unsafe { Node::adopt(&*self.node, Arc::as_ptr(&node), held.era) };
        }
        drop(held);
        Self { node }
    }

    /// When it is to be cancelled if nobody does it before.
    #[inline]
    pub fn deadline(&self) -> Deadline {
        self.node.deadline
    }

    /// Whether somebody has cancelled it.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.node.is_cancelled()
    }

    /// Whether both are handles of one token.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.node, &other.node)
    }

    /// Cancels it and all that come from it, and wakes who sleeps for them. Returns the callbacks,
    /// which have yet to be called; `None` if it was cancelled already.
    pub fn cancel(&self) -> Option<Calls> {
        if self.is_cancelled() {
            return None;
        }
        let mut wakes = Wakes { words: [ptr::null(); Wakes::MAX], count: 0 };
        let held = self.node.lock();
        if self.is_cancelled() {
            return None;
        }
        // SAFETY: the lock is held, and the token is there.
        let list = unsafe { Node::cancel_all(&*self.node, held.era, &mut wakes) };
        // First, as who is woken may want the lock.
        drop(held);
        wakes.make();
        Some(Calls { list })
    }

    /// Registers a closure to be called when the token is cancelled. The flag says that it is not
    /// registered, as that has happened: to be called now.
    pub fn on_cancel(&self, function: Function) -> (Registration, bool) {
        let links = Links { era: 0, prev: ptr::null(), next: ptr::null() };
        let callback = Callback::new(function);
        let entry = Arc::new(Entry { callback, links: UnsafeCell::new(links) });
        let held = self.node.lock();
        let late = self.is_cancelled() && !mutant!("cancel_token.register-late");
        if !late {
            let counted = entry.clone();
            // SAFETY: the lock is held; the token is not cancelled, so its list is what the lock
            // guards; and the entry is new.
            unsafe {
                Node::place(&*self.node, held.era, |place| place.calls.push(counted, held.era))
            };
        }
        drop(held);
        (Registration { token: self.clone(), entry }, late)
    }

    /// Sleeps on the token until it is cancelled or `deadline` passes; whether it is cancelled.
    pub fn wait(&self, deadline: Deadline) -> bool {
        while self.announce() {
            if self.node.word.wait(AWAITED, deadline) == Wait::TimedOut {
                break;
            }
        }
        self.is_cancelled()
    }

    /// The sleep of a [`Limit`](super::Limit): on `word`, until the token is cancelled or its
    /// deadline passes. Whoever is told that looks at the token, which is row a.
    pub fn sleep_beside(&self, word: WaitWord<'_>) -> Wait {
        if !self.announce() {
            // Nothing was consumed since the caller looked at what it waits for, but that look may
            // have been at an old value, without what a wake-up before it announced. The kernel
            // looks at the newest.
            return match mutant!("cancel_token.leave-unseeing") {
                false => word.wait(Deadline::PAST),
                true => Wait::TimedOut,
            };
        }
        let awaited = if mutant!("cancel_token.unannounced") { LIVE } else { AWAITED };
        let words = [word, self.node.word.while_it_is(awaited)];
        let slept_on = if mutant!("cancel_token.not-slept-on") { &words[..1] } else { &words[..] };
        let wait = wait_many(slept_on, self.node.deadline);
        if mutant!("cancel_token.eat-the-wake") && wait == Wait::Woken && self.is_cancelled() {
            return Wait::TimedOut;
        }
        wait
    }

    /// Says in the word that somebody is about to sleep on it; `false` if the token is cancelled.
    fn announce(&self) -> bool {
        let word = &self.node.word;
        // Relaxed: row c.
        match word.load(Relaxed) {
            LIVE if mutant!("cancel_token.unannounced") => true,
            LIVE => match word.compare_exchange(LIVE, AWAITED, Relaxed, Relaxed) {
                Ok(_) => true,
                Err(now) => now == AWAITED,
            },
            state => state == AWAITED,
        }
    }
}

impl Clone for CancelToken {
    fn clone(&self) -> Self {
        self.node.handles.fetch_add(1, Relaxed); // Relaxed: row d.
        Self { node: self.node.clone() }
    }
}

impl Drop for CancelToken {
    fn drop(&mut self) {
        // Relaxed: row d.
        if self.node.handles.fetch_sub(1, Relaxed) == 1 {
            self.node.retire();
        }
    }
}

impl Node {
    fn new(deadline: Deadline, tree: Arc<Tree>) -> Self {
        Self {
            word: Futex::new(LIVE),
            handles: AtomicU64::new(1),
            deadline,
            tree,
            place: UnsafeCell::new(Place::nowhere(0)),
        }
    }

    #[inline]
    fn is_cancelled(&self) -> bool {
        // Acquire: row a.
        self.word.load(ord!("cancel_token.a", Acquire)) == CANCELLED
    }

    fn lock(&self) -> Held<'_> {
        let (list, torn) = self.tree.lock.lock_copied();
        // SAFETY: the lock is held.
        let era = self.tree.era.with_mut(|era| unsafe {
            *era += u32::from(torn);
            *era
        });
        Held { _list: list, era }
    }

    /// # Safety
    ///
    /// The lock of the tree is held, in this era, and the token is there.
    unsafe fn place<R>(node: *const Self, era: u32, access: impl FnOnce(&mut Place) -> R) -> R {
        // SAFETY: by the caller's contract, so nobody else accesses the place.
        let place = unsafe { &(*node).place };
        place.with_mut(|place| {
            // SAFETY: as above.
            let place = unsafe { &mut *place };
            if place.era != era {
                // Left by a process that we were forked from, maybe in the middle of a change.
                *place = Place::nowhere(era);
            }
            access(place)
        })
    }

    /// # Safety
    ///
    /// The lock of the tree is held, in this era; both are there and of it, and the child is in no
    /// list.
    unsafe fn adopt(parent: *const Self, child: *const Self, era: u32) {
        // SAFETY: by the caller's contract, and invariant 4.
        unsafe {
            let next =
                Self::place(parent, era, |place| core::mem::replace(&mut place.child, child));
            if !next.is_null() {
                Self::place(next, era, |place| place.prev = child);
            }
            Self::place(child, era, |place| {
                (place.parent, place.prev, place.next) = (parent, ptr::null(), next);
            });
        }
    }

    /// Takes a token out of the list it is in, if any, and returns its parent.
    ///
    /// # Safety
    ///
    /// The lock of the tree is held, in this era, and the token is there.
    unsafe fn leave(node: *const Self, era: u32) -> *const Self {
        // SAFETY: by the caller's contract, and invariant 4.
        unsafe {
            let (parent, prev, next) = Self::place(node, era, |place| {
                let old = (place.parent, place.prev, place.next);
                (place.parent, place.prev, place.next) = (ptr::null(), ptr::null(), ptr::null());
                old
            });
            if !next.is_null() {
                Self::place(next, era, |place| place.prev = prev);
            }
            if !prev.is_null() {
                Self::place(prev, era, |place| place.next = next);
            } else if !parent.is_null() {
                Self::place(parent, era, |place| place.child = next);
            }
            parent
        }
    }

    /// Cancels a token and all below it, the lowest first, and returns their callbacks.
    ///
    /// # Safety
    ///
    /// The lock of the tree is held, in this era; the token is there, and not cancelled.
    unsafe fn cancel_all(top: *const Self, era: u32, wakes: &mut Wakes) -> List {
        let mut calls = List::EMPTY;
        let mut node = top;
        loop {
            // SAFETY: `node` is there by the caller's contract, or by invariant 4 and the lock; it
            // is not cancelled, as it is in the tree or the top, so its list is ours to take.
            unsafe {
                let child = Self::place(node, era, |place| place.child);
                if !child.is_null() && !mutant!("cancel_token.spare-children") {
                    if mutant!("cancel_token.top-first") {
                        // Release: row b, too early.
                        (*node).word.swap(CANCELLED, Release);
                    }
                    node = child;
                    continue;
                }
                let parent = Self::leave(node, era);
                calls.append(Self::place(node, era, |place| place.calls.take()));
                let word = &raw const (*node).word;
                // Release: row b. Past this line `word` is only an address (invariant 7).
                if (*word).swap(CANCELLED, ord!("cancel_token.b", Release)) == AWAITED {
                    wakes.owe(word);
                }
                if ptr::eq(node, top) {
                    return calls;
                }
                node = parent;
            }
        }
    }

    /// Takes a token out of its tree of which nobody has a handle any more.
    fn retire(&self) {
        let held = self.lock();
        let era = held.era;
        // SAFETY: the lock is held, and this token is there; invariant 4. If it is cancelled it has
        // neither children nor callbacks.
        let mut calls = unsafe {
            let parent = Self::leave(self, era);
            loop {
                let child = Self::place(self, era, |place| place.child);
                if child.is_null() {
                    break;
                }
                Self::leave(child, era);
                if !parent.is_null() && !mutant!("cancel_token.orphan") {
                    Self::adopt(parent, child, era);
                }
            }
            Self::place(self, era, |place| place.calls.take())
        };
        drop(held);
        // SAFETY: the list is ours: it was taken under the lock. Dropping what is in it runs code
        // of the user's.
        while let Some(entry) = unsafe { calls.pop() } {
            drop(entry);
        }
    }
}

/// Proof that the lock of a tree is held.
struct Held<'a> {
    _list: HeldList<'a>,
    era: u32,
}

/// Wake-ups that are owed to all who sleep on some words.
struct Wakes {
    words: [*const Futex<Private>; Self::MAX],
    count: usize,
}

impl Wakes {
    /// Beyond these, they are made before more are noted.
    const MAX: usize = 16;

    fn owe(&mut self, word: *const Futex<Private>) {
        if self.count == Self::MAX {
            self.make();
        }
        self.words[self.count] = word;
        self.count += 1;
    }

    fn make(&mut self) {
        let all = if mutant!("cancel_token.wake-one") { 1 } else { u32::MAX };
        for &word in &self.words[..self.count] {
            if !mutant!("cancel_token.wake") {
                Futex::wake(word, all);
            }
        }
        self.count = 0;
    }
}

/// Callbacks of tokens that were cancelled, to be called one after the other. Those that were not
/// when this is dropped are called then: when one of them has panicked.
pub struct Calls {
    list: List,
}

impl Calls {
    /// Calls the next one, if it was not taken back; whether there was one.
    pub fn call_next(&mut self) -> bool {
        // SAFETY: whoever has cancelled has these (invariant 3).
        match unsafe { self.list.pop() } {
            Some(entry) => {
                entry.callback.call();
                true
            }
            None => false,
        }
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        while self.call_next() {}
    }
}

/// A closure that was registered, and can be taken back.
pub struct Registration {
    token: CancelToken,
    entry: Arc<Entry>,
}

impl UnwindSafe for Registration {}
impl RefUnwindSafe for Registration {}

impl Registration {
    /// Calls the closure that was not registered, as the token was cancelled.
    pub fn call(&self) {
        self.entry.callback.call();
    }

    /// Whether the closure has not been called yet, nor taken back.
    pub fn is_pending(&self) -> bool {
        self.entry.callback.is_pending()
    }

    /// Makes sure that the closure is not called from now on. Waits for a call that is under way,
    /// unless it is the caller's own.
    pub fn take_back(&mut self) {
        let TakenBack::Before(function) = self.entry.callback.take_back() else { return };
        let node = &*self.token.node;
        let held = node.lock();
        let entry = Arc::as_ptr(&self.entry);
        // SAFETY: the lock is held. A token that is not cancelled has its list, and the entry is in
        // it: it was put there before anybody could take it back. Of another era it is in none.
        let counted = unsafe {
            (!node.is_cancelled() && Entry::links(entry, |links| links.era) == held.era)
                .then(|| Node::place(node, held.era, |place| place.calls.remove(entry)))
        };
        drop(held);
        drop(counted);
        // Code of the user's.
        drop(function);
    }
}

#[cfg(test)]
mod tests {
    use std::boxed::Box;

    use super::*;
    use crate::primitive::testing::{fork, in_child};

    /// The child of a process in which another thread was changing the tree: it neither hangs nor
    /// follows a link. What it makes itself is as ever.
    #[test]
    fn a_torn_tree_falls_into_single_tokens() {
        if !in_child(module_path!(), "a_torn_tree_falls_into_single_tokens") {
            return;
        }
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let call = || -> Function {
            Box::new(|| {
                CALLS.fetch_add(1, Relaxed);
            })
        };
        let parent = CancelToken::new(Deadline::NEVER);
        let child = parent.child(Deadline::NEVER);
        let (mut registration, _) = parent.on_cancel(call());
        let held = parent.node.lock();
        let status = fork(|| {
            let newborn = parent.child(Deadline::NEVER);
            let (_kept, late) = parent.on_cancel(call());
            let calls = parent.cancel();
            let first = calls.is_some() && !late;
            drop(calls);
            let whole = newborn.is_cancelled() && CALLS.load(Relaxed) == 1;
            let alone = !child.is_cancelled() && child.cancel().is_some();
            u8::from(first) + 2 * u8::from(whole) + 4 * u8::from(alone)
        });
        drop(held);
        assert_eq!(status, 7);
        registration.take_back();
        drop(parent.cancel());
        assert!(child.is_cancelled());
        assert_eq!(CALLS.load(Relaxed), 0);
    }

    /// Neither a long chain nor a broad tree takes a stack, and a token that is dropped leaves its
    /// children to its parent.
    #[test]
    fn chains_are_as_long_as_what_is_in_use() {
        let root = CancelToken::new(Deadline::NEVER);
        let mut last = root.child(Deadline::NEVER);
        for _ in 0..100_000 {
            last = last.child(Deadline::NEVER);
        }
        let held = root.node.lock();
        // SAFETY: the lock is held, and the root is there.
        let first = unsafe { Node::place(&*root.node, held.era, |place| place.child) };
        drop(held);
        assert!(ptr::eq(first, Arc::as_ptr(&last.node)));
        let mut all = std::vec![root.clone()];
        for i in 0..100_000 {
            let next = all[i].child(Deadline::NEVER);
            all.push(next);
        }
        assert!(root.cancel().is_some());
        assert!(last.is_cancelled() && all.iter().all(CancelToken::is_cancelled));
    }
}
