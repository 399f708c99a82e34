//! A counting semaphore that serves strictly in the order of arrival, however many permits each
//! wants.
//!
//! # State
//!
//! ```text
//!  FairSemaphore (32 bytes)            waiters, first to last
//!  +---------------------------+       +------+    +------+    +------+
//!  | word                      |  +--> | node | <> | node | <> | node | <--+
//!  +-----------+---------------+  |    +------+    +------+    +------+    |
//!  | list lock | maximum       |  |                                        |
//!  +-----------+---------------+  |                                        |
//!  | first                     | -+                                        |
//!  | last                      | ------------------------------------------+
//!  +---------------------------+
//!
//!  word:
//!  63           33    32        31       30                    0
//! +---------------+--------+---------+-----------------------+
//! |    unused     | QUEUED | CLOSED  |        permits        |
//! +---------------+--------+---------+-----------------------+
//! ```
//!
//! Without QUEUED, permits come and go by compare-exchange on the word. With QUEUED, the word
//! belongs to the holder of the list lock: nobody takes permits past the queue, and whoever adds
//! permits serves the queue with them.
//!
//! A node is `{state, need, place}`. Its state is the word that its owner sleeps on:
//!
//! ```text
//! state      meaning                        who leaves it, and how
//! WAITING 0  the owner is awake             owner, before it sleeps: -> ASLEEP
//! ASLEEP  1  it sleeps on this word         whoever has taken the node from the queue:
//!                                             -> SERVED, -> SHUT
//! SERVED  2  it has the permits             -
//! SHUT    3  the semaphore was closed       -
//! ```
//!
//! "Taken" means that somebody has the node: out of the queue, served or shut out, not yet told.
//! That is a field under the list lock, as only a waiter that gives up asks for it.
//!
//! # Invariants
//!
//! 1. Whenever the list lock is free, QUEUED is set iff the queue is not empty, and then there are
//!    fewer permits than its first waiter needs. So nobody waits who could be served.
//! 2. Whoever comes while QUEUED is set queues, or is refused. So nobody overtakes.
//! 3. The place of a queued node belongs to the holder of the list lock; that of a taken node to
//!    whoever took it, until it has told the owner.
//! 4. An owner leaves only after it unlinked itself, or after SERVED or SHUT. A node whose time is
//!    up when it is taken already awaits that store.
//! 5. SERVED or SHUT is the last access to a node; after it only its address is used, to wake.
//! 6. Once `release` has stored permits that anybody may take, the semaphore may be gone: after an
//!    exchange without QUEUED it is not touched. After a store under the list lock, somebody who
//!    was served and has not been told is still inside `acquire`, or somebody queues, until the
//!    list lock is free; and after that the semaphore is not touched.
//! 7. Nothing unwinds between linking a node and leaving.
//! 8. The maximum is never written after the semaphore was made.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | permits taken without queueing | Acquire | b, e | see what was done before their release |
//! | b | permits added, nobody queues | Release | a, d | publish it |
//! | c | swap SERVED or SHUT in | Release | f | publish what (b), (d) and the list lock have brought here; and our reads of the node come before its owner reuses it |
//! | d | QUEUED set, or permits taken, by whoever goes to queue | Acquire | b | as (a), and hand on under the list lock what came before: from here on permits change there |
//! | e | what is left stored once the queue was served | Release | a | publish what was released under the list lock |
//! | f | the owner loads its state | Acquire | c | as (c) |
//! | g | CLOSED set | Release | h | publish what was done before `close` |
//! | h | who is told of it without having queued | Acquire | g | see that |
//! | i | the word under the list lock, failed looks, gauges | Relaxed | - | an exchange or the lock decides |
//! | j | ASLEEP | Relaxed | - | carries no data |
//!
//! # Why no wake-up is lost
//!
//! Nobody decides to sleep but by setting QUEUED in the very exchange that found too few permits,
//! or by finding it set under the list lock. So a release that comes later finds QUEUED, and serves
//! the queue under the list lock, until its first does not have enough (invariant 1). Two more
//! moves can let the first be served: another first, because the one before gave up, so who gives
//! up serves the queue; and nothing else.
//!
//! An owner sleeps only after it has changed its state to say so, and the kernel compares the state
//! as it queues the owner. Who swaps SERVED in learns from the swap whether there is anybody to
//! wake: WAITING means that the owner's own change will fail and find SERVED.
//!
//! # Cost
//!
//! While nobody queues, one read-modify-write each for `acquire` and `release`, and no system call.
//! A waiter adds two read-modify-writes for the list lock and one on its own node; whoever serves
//! it, two for the list lock, and one for each node and a system call if its owner sleeps. A waiter
//! that is the only one looks at its node for a moment before it sleeps.
//!
//! # Fork
//!
//! The queue of another process is forgotten unread (`raw::list_lock`). A waiter whose thread was
//! forked by a signal handler queues again, when its handler has returned from the child's side and
//! the kernel has not begun the wait again by itself.
//!
//! # Not provided
//!
//! Waiting across processes: nodes are addresses of this one.

use core::cell::Cell;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr;

use super::list_lock::{HeldList, ListLock, list_epoch};
use super::semaphore::{all_of, as_many_of, check};
use super::{Limit, MAX_PERMITS, Refusal};
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{AtomicU64, Deadline, Futex, Private, UnsafeCell, Wait};
use crate::primitive::{model_const_fn, mutant, ord, spin_loop, tuning};

const CLOSED: u64 = 1 << 31;
const QUEUED: u64 = 1 << 32;

const WAITING: u32 = 0;
const ASLEEP: u32 = 1;
const SERVED: u32 = 2;
const SHUT: u32 = 3;

/// Looks at its node before a waiter sleeps that found nobody queued; none in the model, so that it
/// sleeps.
const POLLS: u32 = tuning(100, 0);

/// The semaphore inside [`FairSemaphore`](crate::FairSemaphore).
pub struct FairSemaphore {
    word: AtomicU64,
    list: ListLock,
    /// In a cell like all else: no byte of a semaphore is outside of one, since who releases has a
    /// reference to a semaphore that may be gone when the call returns.
    max: UnsafeCell<u32>,
    queue: UnsafeCell<Queue>,
}

#[derive(Clone, Copy)]
struct Queue {
    first: *const Node,
    last: *const Node,
}

impl Queue {
    const EMPTY: Self = Self { first: ptr::null(), last: ptr::null() };
}

/// One waiter, on its own stack.
struct Node {
    state: Futex<Private>,
    need: u32,
    /// That of the list when the node was linked.
    epoch: Cell<u32>,
    place: UnsafeCell<Place>,
    /// Whether it was taken from the queue. Belongs to the holder of the list lock.
    taken: UnsafeCell<bool>,
}

/// Where a node stands in the queue; once it is taken, `next` is who else was.
#[derive(Clone, Copy)]
struct Place {
    prev: *const Node,
    next: *const Node,
}

impl Node {
    fn new(need: u32) -> Self {
        let place = Place { prev: ptr::null(), next: ptr::null() };
        Self {
            state: Futex::new(WAITING),
            need,
            epoch: Cell::new(0),
            place: UnsafeCell::new(place),
            taken: UnsafeCell::new(false),
        }
    }

    /// # Safety
    ///
    /// The node is there, and its place is the caller's (invariant 3).
    unsafe fn place<R>(node: *const Self, access: impl FnOnce(&mut Place) -> R) -> R {
        // SAFETY: by the caller's contract, and so nobody else accesses the place.
        unsafe { (*node).place.with_mut(|place| access(&mut *place)) }
    }

    /// Says that the node was taken, and which one is behind it.
    ///
    /// # Safety
    ///
    /// The list lock is held, and the node is in the queue.
    unsafe fn take(node: *const Self) -> *const Self {
        // SAFETY: by the caller's contract the node is there, and both cells are the caller's.
        unsafe {
            (*node).taken.with_mut(|taken| *taken = true);
            Self::place(node, |place| place.next)
        }
    }
}

/// What came of an attempt to queue.
enum Joined {
    /// There were enough permits after all.
    Served,
    /// Queued, and as the only one or not.
    Queue { alone: bool },
}

/// How a wait ended.
enum End {
    Served,
    Shut,
    TimedOut,
    /// This is the child of a fork, and in no queue.
    Forked,
}

// SAFETY: nodes are shared under the list lock by the rules above, and hold nothing of the user's;
// `max` is never written (invariant 8).
unsafe impl Send for FairSemaphore {}
// SAFETY: as for `Send`.
unsafe impl Sync for FairSemaphore {}
// The queue is whole whenever user code runs.
impl UnwindSafe for FairSemaphore {}
impl RefUnwindSafe for FairSemaphore {}

/// The permits in a word.
const fn permits(word: u64) -> u32 {
    word as u32 & MAX_PERMITS
}

impl FairSemaphore {
    model_const_fn! {
        /// Creates a semaphore with some permits, that can have up to `max`.
        ///
        /// # Panics
        ///
        /// If `permits` are more than `max`, or that is more than [`MAX_PERMITS`].
        #[track_caller]
        pub const fn new(permits: u32, max: u32) -> Self {
            check(permits, max);
            Self {
                word: AtomicU64::new(permits as u64),
                list: ListLock::new(),
                max: UnsafeCell::new(max),
                queue: UnsafeCell::new(Queue::EMPTY),
            }
        }
    }

    /// Takes `n` permits if there are as many and nobody queues.
    #[inline]
    pub fn try_acquire(&self, n: u32) -> Result<(), Refusal> {
        let mut cur = self.word.load(Relaxed); // Relaxed: row i; the exchange decides.
        loop {
            let overtakes = mutant!("fair_semaphore.overtake") && cur & CLOSED == 0;
            // With either flag it is more than `MAX_PERMITS`.
            if cur > u64::from(MAX_PERMITS) && !overtakes || permits(cur) < n {
                cur = self.refused(cur)?;
                continue;
            }
            let new = cur - u64::from(n);
            // Acquire / Relaxed: rows a and i.
            let order = ord!("fair_semaphore.a", Acquire);
            match self.word.compare_exchange(cur, new, order, Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => cur = now,
            }
        }
    }

    /// Adds `n` permits and serves the queue; if there would be too many, adds none, and says how
    /// many there are.
    #[inline]
    pub fn release(&self, n: u32) -> Result<(), u32> {
        self.add(all_of(n))
    }

    /// Adds `n` permits, or as many of them as there is room for, and serves the queue.
    #[inline]
    pub fn put_back(&self, n: u32) {
        let _full = self.add(as_many_of(n));
    }

    /// Takes all the permits there are unless somebody queues for them, and says how many they
    /// were.
    pub fn drain(&self) -> u32 {
        let mut cur = self.word.load(Relaxed); // Relaxed: row i; the exchange decides.
        loop {
            if cur & QUEUED != 0 {
                match self.refused(cur) {
                    Ok(now) => cur = now,
                    Err(_) => return 0,
                }
                continue;
            }
            let taken = permits(cur);
            let new = cur - u64::from(taken);
            // Acquire / Relaxed: rows a and i.
            let order = ord!("fair_semaphore.a/drain", Acquire);
            match self.word.compare_exchange(cur, new, order, Relaxed) {
                Ok(_) => return taken,
                Err(now) => cur = now,
            }
        }
    }

    /// Lets nobody take permits any more, and sends all away who wait. Says whether it was open.
    pub fn close(&self) -> bool {
        let held = self.lock_list();
        let mut cur = self.word.load(Relaxed); // Relaxed: row i; the exchange decides.
        loop {
            if cur & CLOSED != 0 {
                return false;
            }
            let new = cur & !QUEUED | CLOSED;
            // Release / Relaxed: rows g and i.
            let order = ord!("fair_semaphore.g", Release);
            match self.word.compare_exchange(cur, new, order, Relaxed) {
                Ok(_) => break,
                Err(now) => cur = now,
            }
        }
        // SAFETY: the list lock is held, so the queue is ours, and so are the nodes taken from it
        // until they are told.
        unsafe {
            let chain = self.queue.with_mut(|queue| (*queue).first);
            let mut node = chain;
            while !node.is_null() {
                node = Node::take(node);
            }
            self.queue.with_mut(|queue| *queue = Queue::EMPTY);
            drop(held);
            if !mutant!("fair_semaphore.close-tells-nobody") {
                tell(chain, SHUT);
            }
        }
        true
    }

    /// Whether nobody can take permits any more.
    #[inline]
    pub fn is_closed(&self) -> bool {
        // Acquire: row h.
        self.word.load(ord!("fair_semaphore.h", Acquire)) & CLOSED != 0
    }

    /// The number of permits at this moment, those that are too few for the first in the queue
    /// included.
    #[inline]
    pub fn available(&self) -> u32 {
        permits(self.word.load(Relaxed)) // Relaxed: row i.
    }

    /// Whether anybody queues at this moment.
    pub fn has_waiters(&self) -> bool {
        // Relaxed: row i.
        self.word.load(Relaxed) & QUEUED != 0 && !self.list.is_inherited()
    }

    /// The most permits that it can have.
    #[inline]
    pub fn max(&self) -> u32 {
        // SAFETY: nobody writes to it (invariant 8).
        unsafe { *self.max.get() }
    }

    /// The word to try again with if what refuses is the queue of another process; or why there are
    /// no permits.
    #[cold]
    fn refused(&self, cur: u64) -> Result<u64, Refusal> {
        if self.is_closed() {
            return Err(Refusal::Closed);
        }
        if cur & QUEUED != 0 && self.list.is_inherited() {
            drop(self.lock_list());
            return Ok(self.word.load(Relaxed)); // Relaxed: row i.
        }
        Err(Refusal::NoPermits)
    }

    /// Adds as many permits as `room` says for the number of those there are and the most that
    /// there may be, and serves the queue.
    #[inline]
    fn add(&self, room: impl Fn(u32, u32) -> Result<u32, u32>) -> Result<(), u32> {
        let max = self.max();
        let mut cur = self.word.load(Relaxed); // Relaxed: row i; the exchange decides.
        loop {
            if cur & QUEUED != 0 {
                if self.add_to_queue(&|permits| room(permits, max))? {
                    return Ok(());
                }
                cur = self.word.load(Relaxed); // Relaxed: as above.
                continue;
            }
            let new = cur + u64::from(room(permits(cur), max)?);
            // Release / Relaxed: rows b and i. Once it succeeds, the semaphore may be gone
            // (invariant 6).
            let order = ord!("fair_semaphore.b", Release);
            match self.word.compare_exchange(cur, new, order, Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => cur = now,
            }
        }
    }

    /// As [`add`](Self::add), if anybody queues; `false` if nobody does.
    #[cold]
    #[inline(never)]
    fn add_to_queue(&self, room: &dyn Fn(u32) -> Result<u32, u32>) -> Result<bool, u32> {
        let held = self.lock_list();
        let cur = self.word.load(Relaxed); // Relaxed: row i.
        if cur & QUEUED == 0 {
            return Ok(false);
        }
        let permits = permits(cur);
        let sum = permits + room(permits)?;
        // SAFETY: the list lock is held and somebody queues. From the store on, what is left of the
        // semaphore's life is what invariant 6 says: the chain is told last.
        unsafe {
            let chain = self.serve(sum);
            drop(held);
            tell(chain, SERVED);
        }
        if mutant!("fair_semaphore.touch-after-telling") {
            let _gone = self.word.load(Relaxed);
        }
        Ok(true)
    }

    /// Takes `n` permits, sleeping until there are as many and it is this thread's turn, or until
    /// `limit` is reached. For whom [`try_acquire`](Self::try_acquire) has refused.
    #[cold]
    #[inline(never)]
    pub fn wait(&self, n: u32, limit: impl Limit) -> Result<(), Refusal> {
        loop {
            let node = Node::new(n);
            match self.join(&node)? {
                Joined::Served => return Ok(()),
                Joined::Queue { alone } => match self.sleep(&node, limit, alone) {
                    End::Served => return Ok(()),
                    End::Shut => return Err(Refusal::Closed),
                    End::TimedOut => return Err(Refusal::NoPermits),
                    End::Forked => {}
                },
            }
        }
    }

    /// Puts the node at the end of the queue, or takes the permits if nobody queues and there are
    /// enough.
    fn join(&self, node: &Node) -> Result<Joined, Refusal> {
        let held = self.lock_list();
        let mut cur = self.word.load(Relaxed); // Relaxed: row i; the exchange decides.
        let alone = loop {
            if cur & CLOSED != 0 {
                return Err(Refusal::Closed); // by a `close` that had the list lock before
            }
            if cur & QUEUED != 0 {
                break false;
            }
            let enough = permits(cur) >= node.need;
            let new = if enough { cur - u64::from(node.need) } else { cur | QUEUED };
            // Acquire / Relaxed: rows d and i.
            let order = ord!("fair_semaphore.d", Acquire);
            match self.word.compare_exchange(cur, new, order, Relaxed) {
                Ok(_) if enough => return Ok(Joined::Served),
                Ok(_) => break true,
                Err(now) => cur = now,
            }
        };
        node.epoch.set(held.epoch);
        // SAFETY: the list lock is held; nodes in the queue are alive, as their owners leave by way
        // of this lock or of somebody who has taken them under it (invariant 4).
        unsafe {
            let last = self.queue.with_mut(|queue| (*queue).last);
            Node::place(node, |place| place.prev = last);
            if last.is_null() {
                self.queue.with_mut(|queue| (*queue).first = node);
            } else {
                Node::place(last, |place| place.next = node);
            }
            self.queue.with_mut(|queue| (*queue).last = node);
        }
        Ok(Joined::Queue { alone })
    }

    /// Waits until the node is served or shut out, or unlinked by its owner at the `limit`.
    fn sleep(&self, node: &Node, limit: impl Limit, alone: bool) -> End {
        let mut late = false;
        let mut polls = if alone { POLLS } else { 0 };
        // Relaxed: row j; what follows is decided by another load.
        while polls > 0 && node.state.load(Relaxed) == WAITING {
            polls -= 1;
            spin_loop();
        }
        loop {
            // Acquire: row f.
            let state = node.state.load(ord!("fair_semaphore.f", Acquire));
            match state {
                SERVED if late && mutant!("fair_semaphore.time-out-eats-permits") => {
                    return End::TimedOut;
                }
                SERVED => return End::Served,
                SHUT => return End::Shut,
                _ if node.epoch.get() != list_epoch() => return End::Forked,
                _ => {}
            }
            // Relaxed: row j. It fails if the node was told just now.
            if state == WAITING
                && node.state.compare_exchange(WAITING, ASLEEP, Relaxed, Relaxed).is_err()
            {
                continue;
            }
            let asleep = |deadline| node.state.wait(ASLEEP, deadline);
            if late {
                asleep(Deadline::NEVER);
            } else if limit.sleep(node.state.while_it_is(ASLEEP), asleep) == Wait::TimedOut {
                if self.give_up(node) {
                    return End::TimedOut;
                }
                // Taken: the store that says so is on its way (invariant 4).
                late = true;
            }
        }
    }

    /// Unlinks a node whose limit was reached, and serves those behind it; `false` if it was
    /// taken before.
    fn give_up(&self, node: &Node) -> bool {
        let held = self.lock_list();
        if node.epoch.get() != held.epoch {
            // A signal handler forked, and this is the child: the queue that the node was in is
            // forgotten, and whoever took it does not exist here.
            return true;
        }
        // SAFETY: the list lock is held. A node of this process that is not taken is in the queue,
        // whose nodes are alive. Whom we serve is ours to tell.
        unsafe {
            if node.taken.with_mut(|taken| *taken) {
                return false;
            }
            let Place { prev, next } = Node::place(node, |place| *place);
            self.queue.with_mut(|queue| {
                if prev.is_null() {
                    (*queue).first = next;
                }
                if next.is_null() {
                    (*queue).last = prev;
                }
            });
            if !prev.is_null() {
                Node::place(prev, |place| place.next = next);
            }
            if !next.is_null() {
                Node::place(next, |place| place.prev = prev);
            }
            let chain = if mutant!("fair_semaphore.leave-in-silence") && !next.is_null() {
                ptr::null()
            } else {
                self.serve(permits(self.word.load(Relaxed))) // Relaxed: row i.
            };
            drop(held);
            tell(chain, SERVED);
        }
        true
    }

    /// Takes from the front of the queue those for whom `permits` are enough, one after the other,
    /// and stores what is left. They are the chain that is returned, and have yet to be told.
    ///
    /// # Safety
    ///
    /// The list lock is held, QUEUED is set, and the semaphore is not touched once the lock is free
    /// and the chain is told.
    unsafe fn serve(&self, mut permits: u32) -> *const Node {
        // SAFETY: the queue and its nodes are ours while the list lock is held.
        unsafe {
            let first = self.queue.with_mut(|queue| (*queue).first);
            let (mut node, mut last) = (first, ptr::null());
            while !node.is_null() && (*node).need <= permits {
                permits -= (*node).need;
                last = node;
                node = Node::take(node);
            }
            if !last.is_null() {
                Node::place(last, |place| place.next = ptr::null());
                self.queue.with_mut(|queue| {
                    (*queue).first = node;
                    if node.is_null() {
                        (*queue).last = ptr::null();
                    }
                });
                if !node.is_null() {
                    Node::place(node, |place| place.prev = ptr::null());
                }
            }
            let queued = if node.is_null() { 0 } else { QUEUED };
            // Release: row e.
            self.word.store(u64::from(permits) | queued, ord!("fair_semaphore.e", Release));
            if last.is_null() { ptr::null() } else { first }
        }
    }

    fn lock_list(&self) -> HeldList<'_> {
        let (held, inherited) = self.list.lock();
        if inherited {
            // The queue of another process: its nodes are not here.
            // SAFETY: the list lock is held.
            self.queue.with_mut(|queue| unsafe { *queue = Queue::EMPTY });
            let cur = self.word.load(Relaxed); // Relaxed: row i.
            if cur & QUEUED != 0 {
                // Relaxed: row i. What came before was before the fork.
                self.word.store(cur & !QUEUED, Relaxed);
            }
        }
        held
    }
}

/// Tells the owners of a chain how their wait has ended, and wakes those that sleep.
///
/// # Safety
///
/// The caller has taken the nodes of the chain that starts at `node`, and told nobody yet.
unsafe fn tell(mut node: *const Node, end: u32) {
    while !node.is_null() {
        // SAFETY: the node is ours until its owner is told, and alive until then.
        let next = unsafe { Node::place(node, |place| place.next) };
        // SAFETY: as above.
        let word = unsafe { &raw const (*node).state };
        // SAFETY: as above. Release: row c. Past this line `word` is only an address (invariant 5).
        let prev = unsafe { (*word).swap(end, ord!("fair_semaphore.c", Release)) };
        if prev == ASLEEP && !mutant!("fair_semaphore.wake") {
            Futex::wake(word, 1);
        }
        node = next;
    }
}

impl fmt::Debug for FairSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FairSemaphore")
            .field("available", &self.available())
            .field("max", &self.max())
            .field("has_waiters", &self.has_waiters())
            .field("closed", &self.is_closed())
            .finish()
    }
}
