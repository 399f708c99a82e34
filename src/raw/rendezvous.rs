//! Handing values from thread to thread, without a place to lay them down in between.
//!
//! # State
//!
//! ```text
//! list    lock, closed, side, first <-> .. <-> last     nodes on the stacks of those who wait
//! node    state word, links, value                      a sender's value, or room for a receiver's
//!
//! WAITING (0)   linked; its owner is awake
//! ASLEEP  (1)   linked; its owner sleeps on the word, or is about to
//! DONE    (2)   unlinked; the value has changed hands
//! CLOSED  (3)   unlinked; nothing has changed hands
//! ```
//!
//! Only one side waits at a time: who comes and finds somebody of the other side waiting serves the
//! one who has waited for longest, under the lock: moves the value from node to hand or from hand
//! to node, unlinks the node, stores DONE. Who finds nobody links a node of his own.
//!
//! # Invariants
//!
//! 1. A node is linked from before its owner releases the lock until DONE, CLOSED, or until its
//!    owner, giving up, unlinks it under the lock. It lives for as long.
//! 2. Its value is touched under the lock while it is linked; before that, and once it is not
//!    linked any more, by its owner alone. DONE and CLOSED are the last that anybody else writes
//!    to it, and afterwards only the *address* of its word is used.
//! 3. A send that returned `Ok` has had its value taken by exactly one receive; the others have it
//!    back. The step that decides is the one under the lock, for both at once.
//! 4. Once `closed` is set, nobody links a node.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | store DONE or CLOSED | Release | b | the value is in the node, or out of it, and nobody reads the node any more |
//! | b | the owner loads the state | Acquire | a | see the value; the node is its owner's alone |
//! | c | WAITING to ASLEEP | Relaxed | - | one word, one CAS; decided against (a) by its order of changes |
//!
//! What is in the list is ordered by its lock (`list_lock`). That orders senders and receivers too:
//! whatever came before either side's arrival is seen by the other once it has been served.
//!
//! # Why no wake-up is lost
//!
//! The owner goes from WAITING to ASLEEP and sleeps while the word says so; whoever serves it swaps
//! the state and wakes if that was ASLEEP. If the swap comes first, the owner's step fails; else
//! the swap sees ASLEEP, and the kernel compares the word under the lock that the wake takes. Each
//! node has one word, one owner and one who serves it, so a wake-up is nobody else's.
//!
//! An owner whose limit is reached takes the lock. If its node is still linked, it unlinks it and
//! has its value back; else it has been served, however late it is.
//!
//! # Waiting without taking
//!
//! Who waits for several things at once waits for a sender to come, and takes nothing
//! (`raw::readiness`). Such a waiter has no node, as no sender may hand a value to it: it sleeps on
//! an event count, and a sender notifies that once its node is linked.
//!
//! # Fork
//!
//! The nodes of another process are forgotten unread, and a lock that a thread of it had is taken
//! over (`list_lock`): their owners are not here. What the list itself says is written in single
//! words, so it is whole wherever the holder of the lock stood; the links are in the nodes, or are
//! reset. `closed` is set once and stays.
//!
//! A thread whose signal handler has forked during its wait is in no list of the child's. There it
//! begins anew, before its next sleep: as long as its node does not say DONE or CLOSED, what the
//! node holds has not changed hands in this process. A receiver that was being served loses the
//! copy that was on its way: the value is the parent's. (If the kernel goes on with the interrupted
//! sleep by itself, as it does for handlers with SA_RESTART, that thread does not learn of it
//! before its limit.)
//!
//! # Scaling
//!
//! Every operation takes the one lock, for a few stores and one move of a value.
//!
//! # Sources
//!
//! C. A. R. Hoare, "Communicating sequential processes" (1978). A list of waiters of one side or
//! the other: W. N. Scherer, D. Lea, M. L. Scott, "Scalable synchronous queues" (2006), which has
//! it without a lock.

use core::cell::Cell;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::list_lock::{HeldList, ListLock, list_epoch};
use super::readiness::Readiness;
use super::{EventCount, Found, Limit};
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{Futex, Looks, Private, UnsafeCell, Wait};
use crate::primitive::{mutant, ord, settle};

const WAITING: u32 = 0;
const ASLEEP: u32 = 1;
const DONE: u32 = 2;
const CLOSED: u32 = 3;

/// Why nothing changed hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDeal {
    /// Nobody waits on the other side.
    Nobody,
    /// It was closed.
    Closed,
    /// The limit was reached.
    Reached,
}

/// How a wait ended, if not with what was waited for.
enum End {
    /// The limit was reached.
    Reached,
    /// It was closed.
    Closed,
    /// This is the child of a fork, and the node is in no list.
    Forked,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Sender,
    Receiver,
}

/// The meeting point inside a channel without places.
pub struct Rendezvous<T> {
    lock: ListLock,
    list: UnsafeCell<List<T>>,
    /// A sender waits, or it is closed.
    arrivals: EventCount,
}

struct List<T> {
    first: Option<NonNull<Node<T>>>,
    last: Option<NonNull<Node<T>>>,
    /// Whose nodes they are; means nothing without any.
    side: Side,
    closed: bool,
}

struct Node<T> {
    state: Futex<Private>,
    epoch: u32,
    next: Cell<Option<NonNull<Node<T>>>>,
    prev: Cell<Option<NonNull<Node<T>>>>,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: it owns no value; those in the nodes go from thread to thread, one owner at a time.
unsafe impl<T: Send> Send for Rendezvous<T> {}
// SAFETY: as for `Send`; the list is touched under its lock, and no reference to a value is shared.
unsafe impl<T: Send> Sync for Rendezvous<T> {}

impl<T> List<T> {
    fn link(&mut self, node: &Node<T>, side: Side) {
        let this = Some(NonNull::from(node));
        node.prev.set(self.last);
        match self.last {
            // SAFETY: invariant 1, and the lock is held.
            Some(last) => unsafe { last.as_ref() }.next.set(this),
            None => self.first = this,
        }
        self.last = this;
        self.side = side;
    }

    /// The node is linked, and its links mean nothing afterwards.
    fn unlink(&mut self, node: &Node<T>) {
        let (prev, next) = (node.prev.get(), node.next.get());
        match prev {
            // SAFETY: invariant 1, and the lock is held.
            Some(prev) => unsafe { prev.as_ref() }.next.set(next),
            None => self.first = next,
        }
        match next {
            // SAFETY: as above.
            Some(next) => unsafe { next.as_ref() }.prev.set(prev),
            None => self.last = prev,
        }
    }

    /// Whoever of `side` has waited for longest.
    fn first_of(&self, side: Side) -> Option<NonNull<Node<T>>> {
        self.first.filter(|_| self.side == side)
    }
}

impl<T> Node<T> {
    fn new(value: MaybeUninit<T>, held: &HeldList<'_>) -> Self {
        Self {
            state: Futex::new(WAITING),
            epoch: held.epoch,
            next: Cell::new(None),
            prev: Cell::new(None),
            value: UnsafeCell::new(value),
        }
    }

    /// Takes the value out.
    ///
    /// # Safety
    ///
    /// There is one, it is the caller's (invariant 2), and nobody takes it again.
    unsafe fn take(&self) -> T {
        // SAFETY: as the caller promises.
        self.value.with_mut(|place| unsafe { (*place).assume_init_read() })
    }

    /// Puts a value in.
    ///
    /// # Safety
    ///
    /// There is none, and the place is the caller's (invariant 2).
    unsafe fn put(&self, value: T) {
        // SAFETY: as the caller promises.
        self.value.with_mut(|place| unsafe { (*place).write(value) });
    }
}

/// Stores the last state of a node that is unlinked, then releases the lock and wakes its owner.
///
/// # Safety
///
/// The node was linked, and the caller has unlinked it, under the lock that it still holds.
unsafe fn serve<T>(node: NonNull<Node<T>>, state: u32, held: HeldList<'_>) {
    // SAFETY: the owner waits for this store (invariant 1).
    let word = unsafe { &raw const (*node.as_ptr()).state };
    // SAFETY: as above; and it is the last access (invariant 2). Release: row a.
    let was = unsafe { (*word).swap(state, ord!("rendezvous.a", Release)) };
    drop(held);
    if was == ASLEEP && !mutant!("rendezvous.wake") {
        Futex::wake(word, 1);
    }
}

impl<T> Rendezvous<T> {
    /// Creates a meeting point where nobody waits.
    pub fn new() -> Self {
        // Rather now than in the first notification.
        settle();
        Self {
            arrivals: EventCount::new(),
            lock: ListLock::new(),
            list: UnsafeCell::new(List {
                first: None,
                last: None,
                side: Side::Sender,
                closed: false,
            }),
        }
    }

    /// Takes the lock, and forgets the waiters of another process.
    fn lock(&self) -> HeldList<'_> {
        let (held, inherited) = self.lock.lock();
        if inherited {
            self.with(&held, |list| (list.first, list.last) = (None, None));
        }
        held
    }

    fn with<R>(&self, _held: &HeldList<'_>, change: impl FnOnce(&mut List<T>) -> R) -> R {
        // SAFETY: the lock is held, and `change`, which is ours, does not come back here.
        self.list.with_mut(|list| change(unsafe { &mut *list }))
    }

    /// Hands `value` over to a receiver that waits.
    pub fn try_send(&self, value: T) -> Result<(), (NoDeal, T)> {
        self.deliver(value, self.lock()).map_err(|(why, value, _)| (why, value))
    }

    /// Hands `value` over, sleeping until a receiver has it, or `limit` is reached.
    pub fn send(&self, value: T, limit: impl Limit) -> Result<(), (NoDeal, T)> {
        let mut value = value;
        loop {
            let held;
            (value, held) = match self.deliver(value, self.lock()) {
                Ok(()) => return Ok(()),
                Err((NoDeal::Nobody, value, held)) => (value, held),
                Err((why, value, _)) => return Err((why, value)),
            };
            let node = Node::new(MaybeUninit::new(value), &held);
            let Err(end) = self.wait(&node, Side::Sender, held, limit) else { return Ok(()) };
            // SAFETY: it was put in above, and as nothing has changed hands nobody has taken it.
            value = unsafe { node.take() };
            match end {
                End::Reached => return Err((NoDeal::Reached, value)),
                End::Closed => return Err((NoDeal::Closed, value)),
                End::Forked => {}
            }
        }
    }

    /// The lock comes back with a refusal.
    fn deliver<'a>(&self, value: T, held: HeldList<'a>) -> Result<(), (NoDeal, T, HeldList<'a>)> {
        let receiver = self.with(&held, |list| match list.first_of(Side::Receiver) {
            _ if list.closed => Err(NoDeal::Closed),
            None => Err(NoDeal::Nobody),
            Some(node) => {
                // SAFETY: invariant 1.
                list.unlink(unsafe { node.as_ref() });
                Ok(node)
            }
        });
        match receiver {
            Err(why) => Err((why, value, held)),
            Ok(node) => {
                // SAFETY: a receiver's node, under the lock, and not served yet.
                unsafe {
                    node.as_ref().put(value);
                    serve(node, DONE, held);
                }
                Ok(())
            }
        }
    }

    /// Takes the value of a sender that waits.
    pub fn try_recv(&self) -> Result<T, NoDeal> {
        self.collect(self.lock()).map_err(|(why, _)| why)
    }

    /// Takes a value, sleeping until a sender brings one, or `limit` is reached.
    pub fn recv(&self, limit: impl Limit) -> Result<T, NoDeal> {
        loop {
            let held = match self.collect(self.lock()) {
                Ok(value) => return Ok(value),
                Err((NoDeal::Nobody, held)) => held,
                Err((why, _)) => return Err(why),
            };
            let node = Node::new(MaybeUninit::uninit(), &held);
            match self.wait(&node, Side::Receiver, held, limit) {
                // SAFETY: somebody has put one in, and nobody else takes it out.
                Ok(()) => return Ok(unsafe { node.take() }),
                Err(End::Reached) => return Err(NoDeal::Reached),
                Err(End::Closed) => return Err(NoDeal::Closed),
                Err(End::Forked) => {}
            }
        }
    }

    /// The lock comes back with a refusal.
    fn collect<'a>(&self, held: HeldList<'a>) -> Result<T, (NoDeal, HeldList<'a>)> {
        let sender = self.with(&held, |list| match list.first_of(Side::Sender) {
            Some(node) => {
                // SAFETY: invariant 1.
                list.unlink(unsafe { node.as_ref() });
                Ok(node)
            }
            None if list.closed => Err(NoDeal::Closed),
            None => Err(NoDeal::Nobody),
        });
        match sender {
            Err(why) => Err((why, held)),
            Ok(node) => {
                // SAFETY: a sender's node, under the lock, and not served yet.
                let value = unsafe { node.as_ref().take() };
                // SAFETY: as above; this one has unlinked it.
                unsafe { serve(node, DONE, held) };
                Ok(value)
            }
        }
    }

    /// Links `node` and waits until it is served or `limit` is reached. Returns when it is linked
    /// no more.
    fn wait(
        &self,
        node: &Node<T>,
        side: Side,
        held: HeldList<'_>,
        limit: impl Limit,
    ) -> Result<(), End> {
        self.with(&held, |list| list.link(node, side));
        drop(held);
        if side == Side::Sender && !mutant!("rendezvous.arrive-untold") {
            self.arrivals.notify_one();
        }
        // Nothing unwinds until the node is unlinked.
        let mut looks = Looks::new();
        loop {
            // Acquire: row b.
            match node.state.load(ord!("rendezvous.b", Acquire)) {
                DONE => return Ok(()),
                CLOSED => return Err(End::Closed),
                _ if node.epoch != list_epoch() && !mutant!("rendezvous.wait-in-no-list") => {
                    return Err(End::Forked);
                }
                WAITING if looks.once_more(|| limit.is_reached()) => {}
                WAITING => {
                    // Relaxed: row c. If it fails, the next look says why.
                    let _ = node.state.compare_exchange(WAITING, ASLEEP, Relaxed, Relaxed);
                }
                _ => {
                    let alone = |deadline| node.state.wait(ASLEEP, deadline);
                    let wait = limit.sleep(node.state.while_it_is(ASLEEP), alone);
                    if wait == Wait::TimedOut && self.give_up(node) {
                        return Err(End::Reached);
                    }
                }
            }
        }
    }

    /// Unlinks the node; `false` if it has been served.
    #[cold]
    fn give_up(&self, node: &Node<T>) -> bool {
        let held = self.lock();
        // Relaxed: decided under the lock, of which the one who serves it had hold.
        let state = node.state.load(Relaxed);
        if matches!(state, DONE | CLOSED) && !mutant!("rendezvous.give-up-anyway") {
            return false;
        }
        // In a child of a fork that a signal handler made while we slept, it is forgotten already.
        if node.epoch == held.epoch {
            self.with(&held, |list| list.unlink(node));
        }
        true
    }

    /// Sends back whoever waits, and whoever comes. Whether it was not closed already.
    pub fn close(&self) -> bool {
        let mut first_time = None;
        loop {
            let held = self.lock();
            let node = self.with(&held, |list| {
                first_time.get_or_insert(!core::mem::replace(&mut list.closed, true));
                let node = list.first?;
                // SAFETY: invariant 1.
                list.unlink(unsafe { node.as_ref() });
                Some(node)
            });
            match node {
                // SAFETY: just unlinked, and the lock is held.
                Some(node) => unsafe { serve(node, CLOSED, held) },
                None => break,
            }
        }
        if !mutant!("rendezvous.close-untold") {
            self.arrivals.notify_all();
        }
        first_time == Some(true)
    }
}

/// There is something to receive when a sender waits.
impl<T> Readiness for Rendezvous<T> {
    fn look(&self) -> Option<Found> {
        let held = self.lock();
        self.with(&held, |list| match list.first_of(Side::Sender) {
            Some(_) => Some(Found::It),
            None => list.closed.then_some(Found::Closed),
        })
    }

    fn has_some(&self) -> bool {
        self.look() == Some(Found::It)
    }

    fn changes(&self) -> &EventCount {
        &self.arrivals
    }
}

impl<T> fmt::Debug for Rendezvous<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendezvous").finish_non_exhaustive()
    }
}
