//! A condition variable whose waiters queue on their own stacks, and give up whatever lock they
//! have while they wait.
//!
//! # State
//!
//! ```text
//!  Condvar (16 bytes)                    waiters, first to last
//!  +------------------+------+           +------+    +------+    +------+
//!  | list lock, epoch | gate |    +----> | node | -> | node | -> | node | --+
//!  +------------------+------+    |      +------+    +------+    +------+   |
//!  | tail                    | -+ |                                 ^       |
//!  +-------------------------+  | +------------- ring --------------|-------+
//!                               +-----------------------------------+
//! ```
//!
//! The list lock (`raw::list_lock`) notices a fork: whoever finds that its word was left by a
//! process we were forked from takes the lock over and forgets the list unread, since the waiters
//! in it do not exist here.
//!
//! A node is `{state, wants, links}`: what it wants is a lock, in one of the ways to have it
//! (`raw::relock`). Its state is the word that its owner sleeps on. What the
//! owner of the node does, it does to itself; the other arrows are a notifier's, or those of a
//! waiter that was handed a chain:
//!
//! ```text
//! state       meaning                            who leaves it, and how
//! WAITING  0  the owner is awake                 owner, before it sleeps: -> ASLEEP
//! ASLEEP   1  it sleeps on this word             whoever has taken it from the ring:
//!                                                  -> LEAVING, -> NOTIFIED, -> MOVED
//! LEAVING  2  it is being moved to the gate      the same: -> NOTIFIED
//!                                                owner, before it sleeps here again: -> ASLEEP
//! NOTIFIED 3  free to go                         owner: takes its lock; whatever was still
//!                                                chained behind its node is its to let go
//! MOVED    4  asleep on its mutex's word, or     owner: locks its mutex as one that slept there
//!             about to find out
//! ```
//!
//! What is said of a mutex below is about locks that consist of one. Nobody is moved to others.
//!
//! "Taken" means that a notifier has the node: out of the ring, notified, not yet told. That is a
//! field under the list lock, as only a waiter that gives up asks for it.
//!
//! The gate is a word that is never written. Waiters let go together are moved there and woken
//! together.
//!
//! # Invariants
//!
//! 1. Nodes are linked while their lock is held. So a notifier that changed the condition under a
//!    lock that keeps waiters out sees every waiter that had looked at it before: no waiter, one
//!    Relaxed load.
//! 2. `links` of a queued node belong to the holder of the list lock; those of a taken node to the
//!    owner of its chain: the thread that notified, until it lets a node go with the rest of the
//!    chain behind it, which makes that rest its owner's.
//! 3. An owner leaves only after it unlinked itself, or after NOTIFIED, or after MOVED and locking
//!    its mutex. A node that timed out once taken was notified, and awaits the store that says so.
//! 4. NOTIFIED is the last access to a node; for the last node of a chain it comes after the last
//!    access to the condition variable. After it only the node's address is used, to wake.
//! 5. Only a holder of the node's own mutex moves it there: its owner must lock that mutex before
//!    it returns, so the node outlives the move.
//! 6. Who sleeps at the gate is inside a wait on this condition variable, and is NOTIFIED or about
//!    to be; the gate is woken before the last of a chain is let go. So the gate's memory is there
//!    for as long as it has sleepers, and nobody sleeps at an address that may become something
//!    else. Nobody is ever moved from the gate.
//! 7. Nothing unwinds between linking a node and leaving. (What a limit does when it was reached
//!    comes after.)
//! 8. All of a chain want the same lock in the same way. So whatever keeps out the one who has the
//!    chain keeps out the others as well: nobody waits for more than what he would wait for anyway.
//!
//! So there are no spurious wake-ups, and counts are exact.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | c | swap NOTIFIED in | Release | d | our reads of the node come before its owner reuses it, and our writes to its chain before the owner walks it |
//! | d | the owner loads its state | Acquire | c | as (c) |
//! | e | tail in `notify_*` | Relaxed | - | invariant 1: the lock orders it, or nobody is owed |
//! | f | tail under the list lock | Relaxed | - | the list lock orders it, and the links |
//! | g | ASLEEP, LEAVING, MOVED | Relaxed | - | the first two carry no data; after MOVED comes the mutex's Acquire, and the mover's unlock was Release |
//!
//! # Why no wake-up is lost
//!
//! One node let go alone: an owner sleeps only after it has changed its state to say so, and the
//! kernel compares the state as it queues the owner. Who swaps NOTIFIED in learns from the swap
//! whether there is anybody to wake: WAITING means that the owner's own change will fail and find
//! NOTIFIED. Otherwise it wakes, and the owner is queued by then or finds the state changed.
//!
//! Several let go together: each is marked LEAVING and moved to the gate, then NOTIFIED, and the
//! gate is woken after that. An owner that sleeps on its own word after LEAVING has stored ASLEEP
//! again, so the swap of NOTIFIED finds that and it is woken there. It cannot get back there
//! without that store: when the kernel begins an interrupted wait again, on the word that it was
//! called with and with no code of ours in between, the comparison with ASLEEP fails. So whoever
//! is found in LEAVING is at the gate or awake. One that the move did not find is awake too, or
//! stores ASLEEP again.
//!
//! `notify_all` makes one chain for each lock and way, and who owns a chain lets go or moves every
//! node of it. While the lock can be had, those let go can run beside each other: they go together.
//! Once it cannot, they would only run into it: two are let go, so that one is on its way while the
//! other has the lock, and the second has the rest as its chain. It lets them go as soon as they
//! would get in, and looks twice: before it takes the lock, and when it has it. Readers get in by
//! then; of writers, two more are let go, the second with the rest, and so on to the end.
//!
//! Where the lock is a mutex, it moves them instead once it has that: it sets SLEEPERS on the
//! mutex, and for each node stores MOVED and asks the kernel to move its owner to the mutex's word.
//! An owner that was asleep is woken by an unlock of the mutex, for SLEEPERS is set; one that was
//! awake finds MOVED and locks as one that slept. Either way it sets SLEEPERS again when it locks,
//! so those moved after it are woken in turn. Whether the lock looks free decides only what this
//! costs: the look is a hint.
//!
//! A moved owner whose deadline passes or whose sleep is interrupted consumed no wake-up of the
//! mutex. One whose wait was woken goes to lock the mutex, so a wake-up of the mutex is not lost on
//! it.
//!
//! # Cost
//!
//! A wait adds two read-modify-writes on the condvar's line to those of the mutex, and one on its
//! node's if it sleeps. A waiter that finds nobody before it polls its own line for a moment before
//! it sleeps: whoever notifies it within that time makes no call either. A notification without a
//! waiter is one load.
//!
//! `notify_all` with the mutex free costs one call to move each sleeper to the gate and two to wake
//! them all; those beyond [`HERD`] wait for the last of these to go on. With the mutex taken it
//! costs two wakes, and later one call to move each of the others and one to wake it when it can
//! run. With another lock each costs one wake, and a sleep and a wake more if it finds that taken.
//! (Writers could go one by one even while the lock is free; 64 of them on two cores, in short
//! sections, then took five times as long.)
//!
//! An owner of the mutex that says so moves the waiters itself, at one call each, and wakes nobody:
//! an unlock does, one at a time.
//!
//! # Not provided
//!
//! Waiting across processes: nodes are addresses of this one.

use core::cell::Cell;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr;

use super::list_lock::{HeldList, ListLock, list_epoch};
use super::mutex::class::ORDINARY;
use super::relock::{Relock, Way};
use super::{Limit, Mutex, Plain};
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{AtomicPtr, Deadline, Futex, Private, UnsafeCell, Wait};
use crate::primitive::{model_const_fn, mutant, ord, spin_loop, tuned, tuning};

const WAITING: u32 = 0;
const ASLEEP: u32 = 1;
const LEAVING: u32 = 2;
const NOTIFIED: u32 = 3;
const MOVED: u32 = 4;

/// How many waiters go together at most: a bound on how long they keep whoever lets them go, and
/// on how many may run into their mutex at once.
const HERD: u32 = 64;

/// How many are let go while the lock is taken: one to have it next, and one that is on its way by
/// then. Most models have two waiters, and want one that is left.
#[inline]
fn heads() -> u32 {
    tuned(2, 1)
}

/// Up to this many in front of the last are woken one by one, which takes as many calls as moving
/// them to the gate. None in most models, so that two waiters use the gate.
#[inline]
fn few() -> u32 {
    tuned(1, 0)
}

/// Polls before a waiter sleeps that found nobody waiting; none in the model, so that it sleeps.
const NODE_POLLS: u32 = tuning(100, 0);

/// One waiter, on its own stack.
struct Node {
    state: Futex<Private>,
    /// What the owner will take again.
    wants: Wants,
    /// That of the list when the node was linked.
    epoch: Cell<u32>,
    links: UnsafeCell<Links>,
    /// Whether a notifier took it out of the ring. Belongs to the holder of the list lock.
    taken: UnsafeCell<bool>,
}

/// A lock, and the way in which a waiter will have it again. The lock is there for as long as the
/// node is: its owner takes the lock before it returns.
#[derive(Clone, Copy)]
struct Wants {
    lock: *const (),
    way: Way,
    /// [`Relock::is_taken`].
    is_taken: unsafe fn(*const ()) -> bool,
}

impl Wants {
    fn new<R: Relock>(lock: &R::Lock) -> Self {
        /// # Safety
        ///
        /// `lock` is a `R::Lock` that is there.
        unsafe fn is_taken<R: Relock>(lock: *const ()) -> bool {
            // SAFETY: by the caller's contract.
            R::is_taken(unsafe { &*lock.cast() })
        }
        Self { lock: ptr::from_ref(lock).cast(), way: R::WAY, is_taken: is_taken::<R> }
    }

    /// # Safety
    ///
    /// The node is there.
    unsafe fn is_taken(self) -> bool {
        // SAFETY: made from such a lock, which is there as the node is.
        unsafe { (self.is_taken)(self.lock) }
    }
}

impl PartialEq for Wants {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.lock, other.lock) && (self.way == other.way || mutant!("condvar.one-way"))
    }
}

/// Neighbours in the ring; once the node is taken, `next` is the chain behind it.
#[derive(Clone, Copy)]
struct Links {
    prev: *const Node,
    next: *const Node,
}

impl Node {
    fn new(wants: Wants) -> Self {
        Self {
            state: Futex::new(WAITING),
            wants,
            epoch: Cell::new(0),
            links: UnsafeCell::new(Links { prev: ptr::null(), next: ptr::null() }),
            taken: UnsafeCell::new(false),
        }
    }

    /// # Safety
    ///
    /// The caller may access the links (invariant 2).
    unsafe fn links(&self) -> Links {
        // SAFETY: no other thread accesses them now, by the caller's contract.
        self.links.with_mut(|links| unsafe { *links })
    }

    /// # Safety
    ///
    /// The caller may access the links (invariant 2).
    unsafe fn set_next(&self, next: *const Node) {
        // SAFETY: as in `links`.
        self.links.with_mut(|links| unsafe { (*links).next = next });
    }

    /// # Safety
    ///
    /// The caller may access the links (invariant 2).
    unsafe fn set_links(&self, links: Links) {
        // SAFETY: as in `links`.
        self.links.with_mut(|place| unsafe { *place = links });
    }

    /// # Safety
    ///
    /// The list lock is held.
    unsafe fn is_taken(&self) -> bool {
        // SAFETY: no other thread accesses it now, by the caller's contract.
        self.taken.with_mut(|taken| unsafe { *taken })
    }

    /// # Safety
    ///
    /// The list lock is held, and the node is in the ring or has just left it.
    unsafe fn mark_taken(&self) {
        // SAFETY: as in `is_taken`.
        self.taken.with_mut(|taken| unsafe { *taken = true });
    }

    /// Whether it was linked in a process that this one was forked from.
    fn is_inherited(&self) -> bool {
        self.epoch.get() != list_epoch()
    }

    /// Looks at the state for a moment, in case a notifier is about to come.
    fn poll(&self) {
        let mut polls = NODE_POLLS;
        // Relaxed: what follows is decided by another load.
        while polls > 0 && self.state.load(Relaxed) == WAITING {
            polls -= 1;
            spin_loop();
        }
    }
}

/// How the sleep of a waiter ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Notified,
    Moved,
    TimedOut,
}

/// The condition variable inside [`Condvar`](crate::Condvar) and
/// [`CondvarAny`](crate::CondvarAny).
pub struct Condvar {
    list: ListLock,
    gate: Futex<Private>,
    tail: AtomicPtr<Node>,
}

impl Condvar {
    model_const_fn! {
        /// Creates a condition variable that nobody waits on.
        pub const fn new() -> Self {
            Self {
                list: ListLock::new(),
                gate: Futex::new(0),
                tail: AtomicPtr::new(ptr::null_mut()),
            }
        }
    }

    /// Gives `lock` up, waits to be notified, takes it again in the same way, and says whether it
    /// was notified; if not, `limit` was reached.
    ///
    /// # Safety
    ///
    /// The calling context has `lock` in the way that `R` says. It has it again when the call
    /// returns.
    pub unsafe fn wait<R: Relock>(&self, lock: &R::Lock, limit: impl Limit) -> bool {
        let node = Node::new(Wants::new::<R>(lock));
        let alone = self.link(&node);
        // SAFETY: the caller has the lock.
        unsafe { R::unlock(lock) };
        let end = self.sleep(&node, limit, alone);
        match end {
            End::Notified => {
                // SAFETY: NOTIFIED made the chain this thread's (invariant 2).
                let mut chain = unsafe { node.links() }.next;
                // A signal handler may fork while this thread sleeps, here or for the lock, and
                // this be the child: those in the chain do not exist there.
                if !chain.is_null() && !node.is_inherited() && !R::is_taken(lock) {
                    // SAFETY: the chain is ours; those in it wait here, for the same.
                    unsafe { self.release_chain(chain) };
                    chain = ptr::null();
                }
                R::relock(lock);
                if !chain.is_null() && !node.is_inherited() {
                    // SAFETY: as above; and this thread has the lock.
                    unsafe { self.pass_on::<R>(chain, lock) };
                }
            }
            End::Moved => R::relock_moved(lock),
            End::TimedOut => {
                let _relock = RelockLast::<R>(lock);
                limit.reached();
            }
        }
        end != End::TimedOut
    }

    /// Lets the waiter that has waited longest go, and says whether there was one.
    #[inline]
    pub fn notify_one(&self) -> bool {
        // Relaxed: row e.
        !self.tail.load(Relaxed).is_null() && self.notify_one_slow()
    }

    /// Lets all go who wait now, and says how many they were.
    #[inline]
    pub fn notify_all(&self) -> usize {
        // Relaxed: row e.
        if self.tail.load(Relaxed).is_null() { 0 } else { self.notify_all_slow() }
    }

    /// As [`notify_one`](Self::notify_one), for an owner of the mutex: queues the waiter on that
    /// instead of waking it. One that waits with another mutex is let go.
    ///
    /// # Safety
    ///
    /// The calling context owns `mutex`.
    #[inline]
    pub unsafe fn notify_one_held(&self, mutex: &Mutex) -> bool {
        // Relaxed: row e.
        // SAFETY: by the caller's contract.
        !self.tail.load(Relaxed).is_null() && unsafe { self.notify_one_held_slow(mutex) }
    }

    /// As [`notify_all`](Self::notify_all), for an owner of the mutex: instead of waking waiters,
    /// queues them on that. Those that wait with another mutex are let go.
    ///
    /// # Safety
    ///
    /// The calling context owns `mutex`.
    #[inline]
    pub unsafe fn notify_all_held(&self, mutex: &Mutex) -> usize {
        // Relaxed: row e.
        if self.tail.load(Relaxed).is_null() {
            return 0;
        }
        // SAFETY: by the caller's contract.
        unsafe { self.notify_all_held_slow(mutex) }
    }

    /// Whether anybody waits at this moment.
    pub fn has_waiters(&self) -> bool {
        // Relaxed: row e.
        !self.tail.load(Relaxed).is_null() && !self.list.is_inherited()
    }

    /// Puts the node at the end of the ring, and says whether it is the only one.
    fn link(&self, node: &Node) -> bool {
        let held = self.lock_list();
        node.epoch.set(held.epoch);
        let tail = self.tail.load(Relaxed).cast_const(); // Relaxed: row f.
        // SAFETY: the list lock is held and `node` is not linked yet; nodes in the ring are alive,
        // as their owners leave by way of this lock or of a notifier that has it (invariant 3).
        unsafe {
            if tail.is_null() {
                node.set_links(Links { prev: node, next: node });
            } else {
                let head = (*tail).links().next;
                node.set_links(Links { prev: tail, next: head });
                (*head).set_links(Links { prev: node, ..(*head).links() });
                (*tail).set_next(node);
            }
        }
        self.tail.store(ptr::from_ref(node).cast_mut(), Relaxed); // Relaxed: row f.
        tail.is_null()
    }

    /// Takes `node` out of the ring and leaves it without a chain.
    ///
    /// # Safety
    ///
    /// The list lock is held and `node` is in the ring.
    unsafe fn unlink(&self, node: *const Node) {
        // SAFETY: the links of ring members belong to the holder of the list lock; they are alive
        // as in `link`.
        unsafe {
            let Links { prev, next } = (*node).links();
            if ptr::eq(next, node) {
                self.tail.store(ptr::null_mut(), Relaxed); // Relaxed: row f.
            } else {
                (*prev).set_next(next);
                (*next).set_links(Links { prev, ..(*next).links() });
                if ptr::eq(self.tail.load(Relaxed), node) {
                    self.tail.store(prev.cast_mut(), Relaxed); // Relaxed: row f.
                }
            }
            (*node).set_links(Links { prev: ptr::null(), next: ptr::null() });
        }
    }

    /// Waits until the node is notified, moved, or unlinked by its owner at the `limit`.
    fn sleep(&self, node: &Node, limit: impl Limit, alone: bool) -> End {
        if alone {
            node.poll();
        }
        let mut late = false;
        loop {
            // Acquire: row d.
            let state = node.state.load(ord!("condvar.d", Acquire));
            match state {
                NOTIFIED => return End::Notified,
                MOVED => return End::Moved,
                _ => {}
            }
            // Relaxed: row g. It fails if a notifier changed the state just now.
            if state != ASLEEP
                && !mutant!("condvar.sleep-unannounced")
                && node.state.compare_exchange(state, ASLEEP, Relaxed, Relaxed).is_err()
            {
                continue;
            }
            let asleep = if mutant!("condvar.sleep-unannounced") { state } else { ASLEEP };
            let sleep = |deadline| node.state.wait_as(ORDINARY, asleep, deadline);
            if late {
                sleep(Deadline::NEVER);
            } else if limit.sleep(node.state.while_it_is(asleep), sleep) == Wait::TimedOut {
                if self.give_up(node) {
                    return End::TimedOut;
                }
                // Notified, or taken: that store is on its way (invariant 3).
                late = true;
            }
        }
    }

    /// Unlinks a node whose limit was reached; `false` if a notifier had it before.
    fn give_up(&self, node: &Node) -> bool {
        let held = self.lock_list();
        // A signal handler may have forked during the wait, and this be the child: the ring that
        // the node was in is forgotten, and a notifier that took it does not exist here.
        let inherited = node.epoch.get() != held.epoch;
        // SAFETY: the list lock is held.
        let taken = !inherited && unsafe { node.is_taken() };
        if !taken && !inherited {
            // SAFETY: the list lock is held, and a node of this process that is not taken is in
            // the ring.
            unsafe { self.unlink(node) };
        }
        !taken || mutant!("condvar.timeout-eats-notify")
    }

    #[cold]
    #[inline(never)]
    fn notify_one_slow(&self) -> bool {
        let Some(first) = self.take_first() else { return false };
        // The condition variable is not touched from here on: its owner may be the one let go.
        // SAFETY: the node is ours since it is taken, and has no chain.
        unsafe { release(first) }.wake();
        true
    }

    /// # Safety
    ///
    /// The calling context owns `mutex`.
    #[cold]
    #[inline(never)]
    unsafe fn notify_one_held_slow(&self, mutex: &Mutex) -> bool {
        let Some(first) = self.take_first() else { return false };
        // SAFETY: the node is ours since it is taken, and has no chain; the caller owns the mutex.
        unsafe {
            if (*first).wants == Wants::new::<Plain>(mutex) {
                move_chain(first, mutex);
            } else {
                release(first).wake();
            }
        }
        true
    }

    /// # Safety
    ///
    /// The calling context owns `mutex`.
    #[cold]
    #[inline(never)]
    unsafe fn notify_all_held_slow(&self, mutex: &Mutex) -> usize {
        let (mut taken, count) = self.take_ring();
        while !taken.is_null() {
            // SAFETY: the chain is ours since its nodes are taken; the caller owns the mutex. The
            // condition variable is alive for as long as a part remains ours.
            unsafe {
                let others = split_off_others(taken);
                if (*taken).wants == Wants::new::<Plain>(mutex) {
                    move_chain(taken, mutex);
                } else {
                    self.release_chain(taken);
                }
                taken = others;
            }
        }
        count
    }

    /// Takes the node out of the ring that is there longest.
    fn take_first(&self) -> Option<*const Node> {
        let _held = self.lock_list();
        let tail = self.tail.load(Relaxed); // Relaxed: row f.
        if tail.is_null() {
            return None;
        }
        // SAFETY: the list lock is held; ring members are alive.
        unsafe {
            let first = (*tail).links().next;
            self.unlink(first);
            (*first).mark_taken();
            Some(first)
        }
    }

    /// Takes all nodes, as one chain, and says how many they are.
    fn take_ring(&self) -> (*const Node, usize) {
        let _held = self.lock_list();
        let tail = self.tail.load(Relaxed).cast_const(); // Relaxed: row f.
        if tail.is_null() {
            return (ptr::null(), 0);
        }
        self.tail.store(ptr::null_mut(), Relaxed); // Relaxed: row f.
        // SAFETY: the list lock is held, so the ring is ours to take. Its members are alive: they
        // stay until they are released or moved.
        unsafe {
            let first = (*tail).links().next;
            (*tail).set_next(ptr::null());
            (first, take_all(first))
        }
    }

    #[cold]
    #[inline(never)]
    fn notify_all_slow(&self) -> usize {
        let (mut taken, count) = self.take_ring();
        while !taken.is_null() {
            // SAFETY: the chain is ours since its nodes are taken. Its first part is let go, the
            // second remains ours, and keeps the condition variable alive.
            unsafe {
                let others = split_off_others(taken);
                self.release_chain(taken);
                taken = others;
            }
        }
        count
    }

    /// Sees to those chained behind a waiter that has its lock again: they are moved to it if it
    /// is a mutex, and else those who come next are let go.
    ///
    /// # Safety
    ///
    /// The calling context has `lock`, and owns the chain, all of which wait here for the same.
    unsafe fn pass_on<R: Relock>(&self, chain: *const Node, lock: &R::Lock) {
        match R::mutex(lock) {
            // SAFETY: by the caller's contract, and having the lock means to have its mutex.
            Some(mutex) => unsafe { move_chain(chain, mutex) },
            None if mutant!("condvar.pass-nothing-on") => {}
            // SAFETY: by the caller's contract.
            None => unsafe { self.release_chain(chain) },
        }
    }

    /// Lets the waiters of a chain go, as many as can run now; the last of them has the others as
    /// its chain. The condition variable is not touched once that one is let go.
    ///
    /// # Safety
    ///
    /// The caller owns the chain that starts at `first`, all of which wait here for the same.
    unsafe fn release_chain(&self, first: *const Node) {
        // SAFETY: the chain is ours, and its nodes are alive until they are released or moved.
        let last = unsafe {
            let limit = if (*first).wants.is_taken() { heads() } else { HERD };
            let (mut last, mut ahead) = (first, 0);
            while ahead + 1 < limit && !(*last).links().next.is_null() {
                last = (*last).links().next;
                ahead += 1;
            }
            self.release_together(first, last, ahead > few());
            last
        };
        if mutant!("condvar.drop-rest") {
            // SAFETY: as below.
            unsafe { (*last).set_next(ptr::null()) };
        }
        // SAFETY: it is ours, and so is the chain behind it.
        unsafe { release(last) }.wake();
    }

    /// Lets those before `last` go, each without a chain; by way of the gate or one by one.
    ///
    /// # Safety
    ///
    /// The caller owns the chain from `first` to `last`, which wait here.
    unsafe fn release_together(&self, first: *const Node, last: *const Node, by_gate: bool) {
        let (mut node, mut at_gate) = (first, false);
        while !ptr::eq(node, last) {
            // SAFETY: the node is ours and its owner waits here, until it is released; the next is
            // read before that.
            let (next, moved, owner) = unsafe {
                let next = (*node).links().next;
                // Before the move: the kernel begins an interrupted call again, on this word.
                let early = by_gate
                    && mutant!("condvar.gate-unannounced")
                    && (*node).state.requeue(1, &self.gate) == 1;
                // Relaxed: row g.
                let asleep = by_gate && (*node).state.swap(LEAVING, Relaxed) == ASLEEP;
                let moved = early || asleep && (*node).state.requeue(1, &self.gate) == 1;
                (*node).set_next(ptr::null());
                (next, moved, release(node))
            };
            at_gate |= moved;
            owner.wake();
            node = next;
        }
        if at_gate && !mutant!("condvar.gate") {
            Futex::wake(&raw const self.gate, u32::MAX);
        }
    }

    fn lock_list(&self) -> HeldList<'_> {
        let (held, inherited) = self.list.lock();
        if inherited {
            // The list of another process: its nodes are not here. Relaxed: row f.
            self.tail.store(ptr::null_mut(), Relaxed);
        }
        held
    }
}

/// Takes a lock again when it is dropped, also by unwinding.
struct RelockLast<'a, R: Relock>(&'a R::Lock);

impl<R: Relock> Drop for RelockLast<'_, R> {
    fn drop(&mut self) {
        R::relock(self.0);
    }
}

/// Marks the nodes of a chain as taken, and counts them.
///
/// # Safety
///
/// The list lock is held, and the chain was taken out of the ring under it.
unsafe fn take_all(mut node: *const Node) -> usize {
    let mut count = 0;
    while !node.is_null() {
        // SAFETY: by the caller's contract the nodes are alive and their links are ours.
        unsafe {
            (*node).mark_taken();
            node = (*node).links().next;
        }
        count += 1;
    }
    count
}

/// Leaves in the chain of `first` those that want the same, in their order, and returns the chain
/// of the others: they must not wait for what they do not want.
///
/// # Safety
///
/// The caller owns the chain.
unsafe fn split_off_others(first: *const Node) -> *const Node {
    let mut last_same = first;
    let (mut first_other, mut last_other) = (ptr::null::<Node>(), ptr::null::<Node>());
    // SAFETY: by the caller's contract the nodes are alive and their links are ours; the locks
    // are compared, not used.
    unsafe {
        let mut node = (*first).links().next;
        while !node.is_null() {
            let next = (*node).links().next;
            if (*node).wants == (*first).wants {
                (*last_same).set_next(node);
                last_same = node;
            } else if first_other.is_null() {
                (first_other, last_other) = (node, node);
            } else {
                (*last_other).set_next(node);
                last_other = node;
            }
            node = next;
        }
        (*last_same).set_next(ptr::null());
        if !last_other.is_null() {
            (*last_other).set_next(ptr::null());
        }
    }
    first_other
}

/// A node that was let go: only an address (invariant 4).
struct Released {
    word: *const Futex<Private>,
    prev: u32,
}

/// Lets the owner of `node` go; it has yet to be woken.
///
/// # Safety
///
/// The caller owns the node's links, and gives them to the node's owner.
unsafe fn release(node: *const Node) -> Released {
    // SAFETY: the node is alive until the swap below.
    let word = unsafe { &raw const (*node).state };
    // SAFETY: as above. Release: row c.
    let prev = unsafe { (*word).swap(NOTIFIED, ord!("condvar.c", Release)) };
    if mutant!("condvar.touch-after-notified") {
        // SAFETY: none; the model has to notice.
        unsafe { (*node).links() };
    }
    Released { word, prev }
}

impl Released {
    /// Wakes the owner, unless it was awake when it was let go.
    fn wake(self) {
        if self.prev == ASLEEP && !mutant!("condvar.wake") {
            Futex::wake(self.word, 1);
        }
    }
}

/// Sends the waiters of a chain to sleep on `mutex` until it is their turn.
///
/// # Safety
///
/// The calling context owns `mutex` and the chain that starts at `node`, all of which wait with it.
unsafe fn move_chain(mut node: *const Node, mutex: &Mutex) {
    if mutant!("condvar.drop-chain") {
        return;
    }
    // SAFETY: the caller owns the mutex.
    unsafe { mutex.expect_sleepers() };
    while !node.is_null() {
        // SAFETY: the chain is ours, and a taken node waits for what is stored below.
        let next = unsafe { (*node).links() }.next;
        // SAFETY: the node waits with `mutex`, as all of a chain do with one. Its owner has to lock
        // that before it returns, and we hold it, so the node is alive (invariant 5).
        let state = unsafe { &(*node).state };
        let asleep = state.swap(MOVED, Relaxed) != WAITING; // Relaxed: row g.
        if asleep && !mutant!("condvar.move") {
            state.requeue(1, mutex.word());
        }
        node = next;
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").field("has_waiters", &self.has_waiters()).finish()
    }
}

// A list is whole whenever user code runs.
impl UnwindSafe for Condvar {}
impl RefUnwindSafe for Condvar {}

// SAFETY: nodes are shared under the list lock by the rules above, and hold nothing of the user's.
unsafe impl Send for Condvar {}
// SAFETY: as for `Send`.
unsafe impl Sync for Condvar {}
