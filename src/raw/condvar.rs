//! A condition variable whose waiters queue on their own stacks.
//!
//! # State
//!
//! ```text
//!  Condvar (16 bytes)                    waiters, first to last
//!  +------------------+-----+            +------+    +------+    +------+
//!  | list lock, epoch | ... |     +----> | node | -> | node | -> | node | --+
//!  +------------------+-----+     |      +------+    +------+    +------+   |
//!  | tail                   | -+  |                                 ^       |
//!  +------------------------+  |  +------------- ring --------------|-------+
//!                              +------------------------------------+
//! ```
//!
//! The list lock is a mutex of the kind in `raw::mutex` with the fork epoch in its upper 30 bits.
//! A word with another epoch than this process's was left by a process we were forked from: its
//! holder and its waiters do not exist here, so whoever finds it takes the lock over in one
//! compare-exchange and forgets the list unread.
//!
//! A node is `{state, mutex, links}`. Its state is the word that its owner sleeps on:
//!
//! ```text
//! state       meaning                          who leaves it, and how
//! QUEUED  0   in the ring                      owner, timed out: unlinks itself, list locked
//!                                              notifier, under the list lock: -> NOTIFIED or TAKEN
//! TAKEN   1   notified, in a chain that the    the notifier: -> NOTIFIED
//!             first with its mutex moves       owner of the node in front: -> MOVED
//! NOTIFIED 2  free to go                       owner: locks its mutex, then moves its chain
//! MOVED   3   asleep on its mutex's word, or   owner: locks its mutex as one that slept there
//!             about to find out
//! ```
//!
//! # Invariants
//!
//! 1. Nodes are linked while their mutex is held. So a notifier that changed the condition under
//!    the mutex sees every waiter that had looked at it before: no waiter, one Relaxed load.
//! 2. `links` of a queued node belong to the holder of the list lock; those of a taken node to the
//!    owner of the chain, which is the node in front of it, or the thread that notified.
//! 3. An owner leaves only after it unlinked itself, or after NOTIFIED, or after MOVED and locking
//!    its mutex. A node that timed out while TAKEN was notified, and awaits the store that says so.
//! 4. NOTIFIED is the last access to a node, and comes after the last access to the condition
//!    variable; after it only the node's address is used, to wake.
//! 5. Only a holder of the node's own mutex moves it: its owner must lock that mutex before it
//!    returns, so the node outlives the move.
//! 6. Nothing unwinds between linking a node and leaving.
//!
//! So there are no spurious wake-ups, and counts are exact.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | take the list lock | Acquire | b | see the links the last holder wrote |
//! | b | release the list lock | Release | a | publish them |
//! | c | swap NOTIFIED in | Release | d | our reads of the node come before its owner reuses it, and our writes to its chain before the owner walks it |
//! | d | the owner loads its state | Acquire | c | as (c) |
//! | e | tail in `notify_*` | Relaxed | - | invariant 1: the mutex orders it, or nobody is owed |
//! | f | tail under the list lock | Relaxed | - | (a) and (b) order it |
//! | g | TAKEN, MOVED | Relaxed | - | TAKEN is acted on under the list lock; after MOVED comes the mutex's Acquire, and the mover's unlock was Release |
//!
//! # Why no wake-up is lost
//!
//! `notify_one`: the node is unlinked, TAKEN, and NOTIFIED before the wake. Its owner compares the
//! state as the kernel queues it, so it either sees NOTIFIED or is queued when the wake comes.
//!
//! `notify_all`: all nodes are TAKEN; for each mutex among them, the first node is NOTIFIED with
//! the rest as its chain. Its owner locks the mutex, which ends its part as a waiter, and only then
//! moves the chain: it sets SLEEPERS on the mutex, and for each node stores MOVED and then asks the
//! kernel to move whoever sleeps on that node to the mutex's word. An owner that was asleep is
//! woken by an unlock of the mutex, for SLEEPERS is set; one that was awake finds MOVED and locks
//! as one that slept. Either way it sets SLEEPERS again when it locks, so those moved after it are
//! woken in turn.
//!
//! A moved owner whose deadline passes or whose sleep is interrupted consumed no wake-up of the
//! mutex. One whose wait was woken goes to lock the mutex, so a wake-up of the mutex is not lost on
//! it.
//!
//! # Cost
//!
//! A wait adds two read-modify-writes on the condvar's line to those of the mutex. A notification
//! without a waiter is one load. `notify_all` wakes one thread per mutex whatever the number of
//! waiters; each other waiter costs one call to move it and one to wake it when it can run.
//!
//! # Not provided
//!
//! Waiting across processes: nodes are addresses of this one.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr;

use super::Mutex;
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{AtomicPtr, Deadline, Futex, Private, UnsafeCell, Wait};
use crate::primitive::{fork_epoch, model_const_fn, mutant, ord, spin_loop, tuning};

const QUEUED: u32 = 0;
const TAKEN: u32 = 1;
const NOTIFIED: u32 = 2;
const MOVED: u32 = 3;

/// One waiter, on its own stack.
struct Node {
    state: Futex<Private>,
    /// The mutex that the owner will lock again. Compared, and used only by its holder.
    mutex: *const Mutex,
    /// That of the list lock when the node was made.
    epoch: u32,
    links: UnsafeCell<Links>,
}

/// Neighbours in the ring; once the node has left it, `next` is the chain it has to move.
#[derive(Clone, Copy)]
struct Links {
    prev: *const Node,
    next: *const Node,
}

impl Node {
    fn new(mutex: &Mutex) -> Self {
        Self {
            state: Futex::new(QUEUED),
            mutex,
            epoch: list_epoch(),
            links: UnsafeCell::new(Links { prev: ptr::null(), next: ptr::null() }),
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
}

/// How the sleep of a waiter ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Notified,
    Moved,
    TimedOut,
}

/// The condition variable inside [`Condvar`](crate::Condvar).
pub struct Condvar {
    list: ListLock,
    tail: AtomicPtr<Node>,
}

impl Condvar {
    model_const_fn! {
        /// Creates a condition variable that nobody waits on.
        pub const fn new() -> Self {
            Self { list: ListLock::new(), tail: AtomicPtr::new(ptr::null_mut()) }
        }
    }

    /// Unlocks `mutex`, waits to be notified, locks it again, and says whether it was notified; if
    /// not, `deadline` passed.
    ///
    /// # Safety
    ///
    /// The calling context owns `mutex`. It owns it again when the call returns.
    pub unsafe fn wait(&self, mutex: &Mutex, deadline: Deadline) -> bool {
        let node = Node::new(mutex);
        self.link(&node);
        // SAFETY: the caller owns the mutex.
        unsafe { mutex.unlock() };
        let end = self.sleep(&node, deadline);
        match end {
            // Never slept on the mutex's word.
            End::Notified | End::TimedOut => mutex.lock(),
            // May have: others may sleep behind us (invariant 2 of the mutex).
            End::Moved if !mutant!("condvar.moved-as-newcomer") => {
                mutex.lock_sleeping(Deadline::NEVER);
            }
            End::Moved => mutex.lock(),
        }
        if end == End::Notified {
            // SAFETY: NOTIFIED made the chain this thread's (invariant 2), and it owns the mutex.
            unsafe { move_chain(node.links().next, mutex) };
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

    /// Whether anybody waits at this moment.
    pub fn has_waiters(&self) -> bool {
        // Relaxed: row e.
        !self.tail.load(Relaxed).is_null() && !self.list.is_inherited()
    }

    fn link(&self, node: &Node) {
        let _held = self.lock_list();
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

    /// Sleeps until the node is notified, moved, or unlinked by its owner after `deadline`.
    fn sleep(&self, node: &Node, mut deadline: Deadline) -> End {
        loop {
            // Acquire: row d.
            let state = node.state.load(ord!("condvar.d", Acquire));
            match state {
                NOTIFIED => return End::Notified,
                MOVED => return End::Moved,
                _ => {}
            }
            if node.state.wait(state, deadline) == Wait::TimedOut {
                if self.give_up(node) {
                    return End::TimedOut;
                }
                // Notified already, or TAKEN: that store is on its way (invariant 3).
                deadline = Deadline::NEVER;
            }
        }
    }

    /// Unlinks a node whose deadline has passed; `false` if a notifier had it before.
    fn give_up(&self, node: &Node) -> bool {
        let held = self.lock_list();
        // Relaxed: row g; a notifier left QUEUED under the list lock.
        let queued = node.state.load(Relaxed) == QUEUED;
        // A signal handler may have forked during the wait, and this be the child: the ring that
        // the node was in is forgotten.
        if queued && node.epoch == held.epoch {
            // SAFETY: the list lock is held, and a QUEUED node of this process is in the ring.
            unsafe { self.unlink(node) };
        }
        queued || mutant!("condvar.timeout-eats-notify")
    }

    #[cold]
    #[inline(never)]
    fn notify_one_slow(&self) -> bool {
        let first = {
            let _held = self.lock_list();
            let tail = self.tail.load(Relaxed); // Relaxed: row f.
            if tail.is_null() {
                return false;
            }
            // SAFETY: the list lock is held; ring members are alive.
            unsafe {
                let first = (*tail).links().next;
                self.unlink(first);
                mark_taken(first);
                first
            }
        };
        // The condition variable is not touched from here on: its owner may be the one let go.
        // SAFETY: the node is ours since it is TAKEN, and has no chain.
        wake(unsafe { release(first) });
        true
    }

    #[cold]
    #[inline(never)]
    fn notify_all_slow(&self) -> usize {
        let (mut taken, count) = {
            let _held = self.lock_list();
            let tail = self.tail.load(Relaxed).cast_const(); // Relaxed: row f.
            if tail.is_null() {
                return 0;
            }
            self.tail.store(ptr::null_mut(), Relaxed); // Relaxed: row f.
            // SAFETY: the list lock is held, so the ring is ours to take. Its members are alive:
            // they stay until they are released or moved.
            unsafe {
                let first = (*tail).links().next;
                (*tail).set_next(ptr::null());
                (first, mark_taken(first))
            }
        };
        while !taken.is_null() {
            // SAFETY: the chain is ours since its nodes are TAKEN. Its first part goes to its first
            // node's owner, the second part remains ours.
            unsafe {
                let others = split_off_other_mutexes(taken);
                wake(release(taken));
                taken = others;
            }
        }
        count
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

/// Marks the nodes of a chain as notified but not yet free to go, and counts them.
///
/// # Safety
///
/// The list lock is held, and the chain was taken out of the ring under it.
unsafe fn mark_taken(mut node: *const Node) -> usize {
    let mut count = 0;
    while !node.is_null() {
        // SAFETY: by the caller's contract the nodes are alive and their links are ours.
        unsafe {
            (*node).state.store(TAKEN, Relaxed); // Relaxed: row g.
            node = (*node).links().next;
        }
        count += 1;
    }
    count
}

/// Leaves in the chain of `first` those that wait with the same mutex, in their order, and returns
/// the chain of the others: they must not wait for a mutex that they do not use.
///
/// # Safety
///
/// The caller owns the chain, which is TAKEN.
unsafe fn split_off_other_mutexes(first: *const Node) -> *const Node {
    let mut last_same = first;
    let (mut first_other, mut last_other) = (ptr::null::<Node>(), ptr::null::<Node>());
    // SAFETY: by the caller's contract the nodes are alive and their links are ours; the mutexes
    // are compared, not used.
    unsafe {
        let mut node = (*first).links().next;
        while !node.is_null() {
            let next = (*node).links().next;
            if ptr::eq((*node).mutex, (*first).mutex) {
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

/// Lets the owner of `node` go. What is returned is only an address (invariant 4).
///
/// # Safety
///
/// The caller owns the node's links, and gives them to the node's owner.
unsafe fn release(node: *const Node) -> *const Futex<Private> {
    // SAFETY: the node is alive until the swap below.
    let word = unsafe { &raw const (*node).state };
    // SAFETY: as above. Release: row c.
    unsafe { (*word).swap(NOTIFIED, ord!("condvar.c", Release)) };
    if mutant!("condvar.touch-after-notified") {
        // SAFETY: none; the model has to notice.
        unsafe { (*node).links() };
    }
    word
}

fn wake(word: *const Futex<Private>) {
    if !mutant!("condvar.wake") {
        Futex::wake(word, 1);
    }
}

/// Sends the waiters of a chain to sleep on `mutex` until it is their turn.
///
/// # Safety
///
/// The calling context owns `mutex` and the chain that starts at `node`, all of which wait with it.
unsafe fn move_chain(mut node: *const Node, mutex: &Mutex) {
    if node.is_null() || mutant!("condvar.drop-chain") {
        return;
    }
    // SAFETY: the caller owns the mutex.
    unsafe { mutex.expect_sleepers() };
    while !node.is_null() {
        // SAFETY: the chain is ours, and a TAKEN node waits for what is stored below.
        let next = unsafe { (*node).links() }.next;
        // SAFETY: the node waits with `mutex`, as all of a chain do with one. Its owner has to lock
        // that before it returns, and we hold it, so the node is alive (invariant 5).
        let state = unsafe { &(*node).state };
        state.store(MOVED, Relaxed); // Relaxed: row g.
        if !mutant!("condvar.move") {
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

const LIST_FREE: u32 = 0;
const LIST_HELD: u32 = 1;
const LIST_CONTENDED: u32 = 3;
const LIST_STATE: u32 = 0b11;

/// Polls before the list lock sleeps; it is held for a few stores.
const SPIN_LIMIT: u32 = tuning(100, 0);

/// The list lock: `{ epoch, state }` in one word.
struct ListLock {
    word: Futex<Private>,
}

/// Proof that the list lock is held; releases it when dropped.
struct HeldList<'a> {
    lock: &'a ListLock,
    epoch: u32,
}

/// The fork epoch, where the list lock's word has it.
fn list_epoch() -> u32 {
    fork_epoch() << 2
}

impl ListLock {
    model_const_fn! {
        const fn new() -> Self {
            // Epoch 0 is no process's: the first to lock "inherits" an empty list.
            Self { word: Futex::new(LIST_FREE) }
        }
    }

    /// Whether the word was last written by another process.
    fn is_inherited(&self) -> bool {
        self.word.load(Relaxed) & !LIST_STATE != list_epoch() // Relaxed: a display.
    }

    /// Takes the lock. The flag says that it was taken over from another process.
    fn lock(&self) -> (HeldList<'_>, bool) {
        let epoch = list_epoch();
        let held = HeldList { lock: self, epoch };
        let mut spins = SPIN_LIMIT;
        let mut claim = LIST_HELD;
        loop {
            let cur = self.word.load(Relaxed); // Relaxed: decided by the compare-exchange.
            let inherited = cur & !LIST_STATE != epoch;
            if inherited || cur & LIST_STATE == LIST_FREE {
                let new = epoch | claim;
                // Acquire: row a.
                let order = ord!("condvar.a", Acquire);
                if self.word.compare_exchange(cur, new, order, Relaxed).is_ok() {
                    return (held, inherited && !mutant!("condvar.trust-inherited-list"));
                }
            } else if cur & LIST_STATE == LIST_HELD && spins > 0 {
                spins -= 1;
                spin_loop();
            } else {
                let contended = epoch | LIST_CONTENDED;
                // Relaxed: does not take the lock; order comes from the exchange that does.
                if cur == contended
                    || self.word.compare_exchange(cur, contended, Relaxed, Relaxed).is_ok()
                {
                    self.word.wait(contended, Deadline::NEVER);
                    // Others may sleep behind us, as in `raw::mutex`.
                    if !mutant!("condvar.list-forget-sleepers") {
                        claim = LIST_CONTENDED;
                    }
                }
            }
        }
    }
}

impl Drop for HeldList<'_> {
    fn drop(&mut self) {
        let word = &raw const self.lock.word;
        // Release: row b.
        let prev = self.lock.word.swap(self.epoch | LIST_FREE, ord!("condvar.b", Release));
        if prev & LIST_STATE == LIST_CONTENDED && !mutant!("condvar.list-wake") {
            Futex::wake(word, 1);
        }
    }
}
