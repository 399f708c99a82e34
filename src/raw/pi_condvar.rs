//! A condition variable for a mutex with priority inheritance: the kernel keeps the waiters in the
//! order of their priorities, and hands them the mutex.
//!
//! # State
//!
//! ```text
//!  PiCondvar (40 bytes)                       waiters, oldest to youngest
//!  +----------+--------+                 +---------+    +---------+    +---------+
//!  | sequence |        |       null <--- | credits | <- | credits | <- | credits |
//!  +----------+--------+                 |         | -> |         | -> |         | --> null
//!  | mutex             |                 +---------+    +---------+    +---------+
//!  +-------------------+                                                    ^
//!  | epoch | in, owed  | youngest ------------------------------------------+
//!  +-------------------+
//! ```
//!
//! `sequence` is what waiters sleep on: each notification adds one. `mutex` is the one that the
//! waiters there are came with, or null; or `DEAD`. Everything else belongs to the owner of that
//! mutex, and so do the nodes, one on the stack of each waiter: the two counts, of nodes and of
//! credits, and a fork epoch, without which the list is that of another process.
//!
//! A *credit* is a notification that no waiter has taken yet. Who is woken takes one before it
//! returns, or sleeps again if there is none for it. So what the kernel does decides who is first,
//! and the credits decide how many, and that nobody takes what came before it waited.
//!
//! # Invariants
//!
//! 1. Notifiers own the mutex. Waiters own it when they come, and when they have been woken, before
//!    they look for a credit. So all of this is ordered by the mutex, and one at a time.
//! 2. A credit lies at a node, and is for the owner of that node or of an older one: those who
//!    waited when the notification came. Nobody waits longer than they are in the list, so a credit
//!    can be taken by none that came after it.
//! 3. There are no more credits at a node and those before it than there are such nodes: a
//!    notification adds one at the youngest if there are fewer credits than nodes. Who takes one
//!    takes the oldest that is for it, that is the first at its own node or a younger one, and what
//!    else lies at its node goes to the node before. So a credit can always be taken by somebody.
//! 4. As many of those that a credit is for are awake or on their way to the mutex as there are
//!    credits for them: a notification sends one of those who sleep on, and those that were about
//!    to sleep find the sequence changed. Who takes a credit is one of those, and who sleeps again
//!    found none, so it leaves enough.
//! 5. A node is in the list from before its owner releases the mutex until it owns it again. If it
//!    never does, as an owner of the mutex died, it leaves `DEAD` behind, before it returns: nobody
//!    looks at the list again, also if another mutex is made where this one was.
//! 6. Nothing unwinds while the node is in the list.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | the first waiter says which mutex it is | Acquire | b | its list comes after the last one's |
//! | b | the last waiter says that it is over | Release | a | as (a) |
//! | c | who looks whose list it is | Relaxed | - | the caller owns the mutex: it reads what an owner of that wrote last, or something else |
//! | d | the sequence | Relaxed | - | written and read by owners of the mutex; the kernel compares |
//!
//! # Why no wake-up is lost
//!
//! A waiter runs W1 `enter the list`, W2 `read the sequence`, W3 `unlock`, W4 `wait`; a notifier,
//! with the mutex, N1 `add a credit`, N2 `add to the sequence`, N3 `send the first of those who
//! sleep`. By the mutex N1 comes after W3 or before W1, and then it is not for that waiter. In the
//! first case N2 changes what W4 expects. The kernel compares and enqueues for W4 under the lock
//! that N3 takes. If it did before N2, N3 finds somebody asleep, and sends the most urgent one. If
//! after, W4 returns at once, and the waiter locks the mutex and looks for its credit.
//!
//! The kernel begins a wait again that a signal interrupted, with what it expected: if a
//! notification came meanwhile it returns. Once a waiter is on its way to the mutex, a signal or
//! its deadline ends the wait without the mutex: it locks it as everybody does, and looks for a
//! credit. A wait says that it timed out only if there is none for it.
//!
//! # Fork
//!
//! In a child the waiters of the parent do not exist: who owns the mutex and finds another epoch
//! forgets the list unread. (A signal handler that interrupted a waiter may fork: that waiter goes
//! on in the child, and enters the list there once it runs.) The mutex stays the one that they came
//! with until somebody uses the condition variable with it.
//!
//! # Cost
//!
//! A wait is one call, and usually the unlock before it none. A notification is one call, and sends
//! the waiter to the queue of the mutex, which its notifier still owns: the unlock hands it over,
//! and wakes. Nobody wakes to find the mutex taken, and there is no herd. Looking for a credit
//! costs a step for each younger waiter without one.
//!
//! # Not provided
//!
//! Notifying without the mutex: the kernel has to be told where it sends the waiters, and only who
//! owns the mutex can know that it is still there.
//!
//! # Sources
//!
//! futex(2); the kernel's `Documentation/locking/futex-requeue-pi.rst`. That credits must not be
//! taken by those who came later: bug 12875 of the GNU C library.

use core::cell::Cell;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr;

use super::PiMutex;
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{AtomicPtr, Deadline, Futex, Handed, PiError, Private, UnsafeCell};
use crate::primitive::{fork_epoch, model_const_fn, mutant, ord};

/// One waiter, on its own stack.
struct Node {
    /// Notifications that this one may take, or an older one.
    credits: Cell<u32>,
    older: Cell<*const Node>,
    younger: Cell<*const Node>,
}

/// What belongs to the owner of the mutex.
struct List {
    youngest: *const Node,
    /// That of the process in which the nodes are.
    epoch: u32,
    nodes: u32,
    credits: u32,
}

impl List {
    const EMPTY: Self = Self { youngest: ptr::null(), epoch: 0, nodes: 0, credits: 0 };
}

/// In the place of a mutex: an owner of it died, and nodes may have been left in the list.
fn dead() -> *mut PiMutex {
    ptr::without_provenance_mut(1)
}

/// The condition variable inside [`PiCondvar`](crate::PiCondvar).
pub struct PiCondvar {
    sequence: Futex<Private>,
    mutex: AtomicPtr<PiMutex>,
    list: UnsafeCell<List>,
}

// SAFETY: what is not atomic is accessed by the owner of one mutex, which all waiters there are
// have come with (invariant 1).
unsafe impl Sync for PiCondvar {}
// SAFETY: where there are waiters, it is borrowed.
unsafe impl Send for PiCondvar {}
// What a panic interrupts is no change of ours (invariant 6).
impl UnwindSafe for PiCondvar {}
impl RefUnwindSafe for PiCondvar {}

impl PiCondvar {
    model_const_fn! {
        /// Creates a condition variable that nobody waits on.
        pub const fn new() -> Self {
            Self {
                sequence: Futex::new(0),
                mutex: AtomicPtr::new(ptr::null_mut()),
                list: UnsafeCell::new(List::EMPTY),
            }
        }
    }

    /// Gives `mutex` up, waits to be notified, takes it again, and says whether it was notified; if
    /// not, `deadline` passed.
    ///
    /// # Errors
    ///
    /// Where the kernel cannot do this at all, with the mutex, and where an owner of the mutex
    /// died, without it: see [`Lost`].
    ///
    /// # Panics
    ///
    /// If others wait with another mutex. Then nothing has happened yet, and the caller has the
    /// mutex.
    ///
    /// # Safety
    ///
    /// The calling thread owns `mutex`.
    #[track_caller]
    pub unsafe fn wait(&self, mutex: &PiMutex, deadline: Deadline) -> Result<bool, Lost> {
        if !self.bind(mutex) {
            return Err(Lost { error: PiError::OwnerDied, owned: true });
        }
        let node = Node {
            credits: Cell::new(0),
            older: Cell::new(ptr::null()),
            younger: Cell::new(ptr::null()),
        };
        // SAFETY: this thread owns the mutex, which is that of the list now.
        let mut epoch = unsafe { self.enter(&node) };
        loop {
            let expected = self.sequence.load(Relaxed); // Relaxed: row d.
            // SAFETY: this thread owns the mutex: it did when it came here, and locks it below.
            let end = unsafe { mutex.unlock_and_wait(&self.sequence, expected, deadline) };
            let late = match end {
                Ok(Handed::Owner(_)) => false,
                Ok(other) => {
                    self.relock(mutex)?;
                    other == Handed::TimedOut
                }
                Err(PiError::OwnerDied) => return Err(self.bury()),
                Err(error) => {
                    self.relock(mutex)?;
                    // SAFETY: this thread owns the mutex again.
                    unsafe { self.leave(&node, epoch) };
                    return Err(Lost { error, owned: true });
                }
            };
            // SAFETY: this thread owns the mutex again.
            let notified = unsafe { self.take_credit(&node, epoch) };
            if notified || late {
                // SAFETY: as above.
                unsafe { self.leave(&node, epoch) };
                return Ok(notified);
            }
            if epoch != fork_epoch() {
                if !self.bind(mutex) {
                    return Err(Lost { error: PiError::OwnerDied, owned: true });
                }
                // SAFETY: as above; nobody in this process has the node.
                epoch = unsafe { self.enter(&node) };
            }
        }
    }

    /// Lets the most urgent waiter go, as soon as it can have the mutex, and says whether there was
    /// one.
    ///
    /// # Panics
    ///
    /// If there are waiters that came with another mutex, or the kernel has no memory.
    ///
    /// # Safety
    ///
    /// The calling thread owns `mutex`.
    #[inline]
    #[track_caller]
    pub unsafe fn notify_one(&self, mutex: &PiMutex) -> bool {
        // Relaxed: row c.
        // SAFETY: by the caller's contract.
        !self.mutex.load(Relaxed).is_null() && unsafe { self.notify(mutex, 1) } != 0
    }

    /// Lets all go who wait now, one after the other as they can have the mutex, and says how many
    /// they are.
    ///
    /// # Panics
    ///
    /// As [`notify_one`](Self::notify_one).
    ///
    /// # Safety
    ///
    /// The calling thread owns `mutex`.
    #[inline]
    #[track_caller]
    pub unsafe fn notify_all(&self, mutex: &PiMutex) -> usize {
        // Relaxed: row c.
        if self.mutex.load(Relaxed).is_null() {
            return 0;
        }
        // SAFETY: by the caller's contract.
        unsafe { self.notify(mutex, u32::MAX) as usize }
    }

    /// Whether anybody waits at this moment, or did when this process was forked.
    pub fn has_waiters(&self) -> bool {
        // Relaxed: row c.
        !self.mutex.load(Relaxed).is_null()
    }

    /// Makes the list that of `mutex`, whose owner calls. `false` if it is nobody's any more.
    #[track_caller]
    fn bind(&self, mutex: &PiMutex) -> bool {
        let new = ptr::from_ref(mutex).cast_mut();
        let cur = self.mutex.load(Relaxed); // Relaxed: row c.
        if ptr::eq(cur, new) {
            return true;
        }
        // Acquire: row a.
        let order = ord!("pi_condvar.a", Acquire);
        // Relaxed: row c.
        let bound = self.mutex.compare_exchange(ptr::null_mut(), new, order, Relaxed);
        match bound {
            Ok(_) => true,
            Err(other) if ptr::eq(other, dead()) => false,
            Err(_) => another_mutex(),
        }
    }

    /// The list, if the caller's mutex is the one it belongs to.
    ///
    /// # Safety
    ///
    /// The calling thread owns the mutex that the list belongs to, until the closure returns.
    unsafe fn with_list<R>(&self, access: impl FnOnce(&mut List) -> R) -> R {
        // SAFETY: nobody else accesses it meanwhile (invariant 1), nor does `access` by other ways.
        self.list.with_mut(|list| access(unsafe { &mut *list }))
    }

    /// Makes the node the youngest, and says in which epoch.
    ///
    /// # Safety
    ///
    /// As for [`with_list`](Self::with_list).
    unsafe fn enter(&self, node: &Node) -> u32 {
        let epoch = fork_epoch();
        let enter = |list: &mut List| {
            if list.epoch != epoch {
                *list = List { epoch, ..List::EMPTY };
            }
            node.credits.set(0);
            node.younger.set(ptr::null());
            node.older.set(list.youngest);
            if !list.youngest.is_null() {
                // SAFETY: nodes in the list are there (invariant 5), and belong to the owner of the
                // mutex.
                unsafe { (*list.youngest).younger.set(node) };
            }
            list.youngest = node;
            list.nodes += 1;
        };
        // SAFETY: by the caller's contract.
        unsafe { self.with_list(enter) };
        epoch
    }

    /// Takes a notification that is for this waiter, if there is one.
    ///
    /// # Safety
    ///
    /// As for [`with_list`](Self::with_list); the node entered it in `epoch`.
    unsafe fn take_credit(&self, node: &Node, epoch: u32) -> bool {
        let take = |list: &mut List| {
            // A signal handler may have forked during the wait, and this be the child.
            if list.epoch != epoch || list.credits == 0 {
                return false;
            }
            let mut at: *const Node = node;
            while !at.is_null() {
                // SAFETY: as in `enter`.
                let at_node = unsafe { &*at };
                if let Some(left) = at_node.credits.get().checked_sub(1) {
                    at_node.credits.set(left);
                    list.credits -= 1;
                    return true;
                }
                at = at_node.younger.get();
            }
            mutant!("pi_condvar.steal")
        };
        // SAFETY: by the caller's contract.
        unsafe { self.with_list(take) }
    }

    /// Takes the node out of the list; the last one leaves no mutex behind.
    ///
    /// # Safety
    ///
    /// As for [`take_credit`](Self::take_credit).
    unsafe fn leave(&self, node: &Node, epoch: u32) {
        let leave = |list: &mut List| {
            if list.epoch != epoch {
                return list.nodes == 0;
            }
            let (older, younger) = (node.older.get(), node.younger.get());
            // SAFETY: as in `enter`.
            unsafe {
                if younger.is_null() {
                    list.youngest = older;
                } else {
                    (*younger).older.set(older);
                }
                if !older.is_null() {
                    // Invariant 3.
                    (*older).younger.set(younger);
                    if !mutant!("pi_condvar.drop-credits") {
                        (*older).credits.set((*older).credits.get() + node.credits.get());
                    }
                } else {
                    debug_assert_eq!(node.credits.get(), 0, "credits for nobody (invariant 3)");
                }
            }
            list.nodes -= 1;
            list.nodes == 0
        };
        // SAFETY: by the caller's contract.
        let last = unsafe { self.with_list(leave) };
        if last {
            self.mutex.store(ptr::null_mut(), ord!("pi_condvar.b", Release)); // Release: row b.
        }
    }

    /// Adds up to `count` notifications, and sends as many waiters on.
    ///
    /// # Safety
    ///
    /// The calling thread owns `mutex`.
    #[cold]
    #[inline(never)]
    #[track_caller]
    unsafe fn notify(&self, mutex: &PiMutex, count: u32) -> u32 {
        let bound = self.mutex.load(Relaxed).cast_const(); // Relaxed: row c.
        if bound.is_null() || ptr::eq(bound, dead()) {
            return 0; // the last waiter, with another mutex, has just left; or all are gone
        }
        if !ptr::eq(bound, mutex) {
            another_mutex();
        }
        let epoch = fork_epoch();
        let add = |list: &mut List| {
            let inherited = list.epoch != epoch && !mutant!("pi_condvar.trust-inherited");
            if inherited || list.nodes == 0 {
                return 0;
            }
            let added = count.min(list.nodes - list.credits);
            // SAFETY: as in `enter`; there is one.
            let youngest = unsafe { &*list.youngest };
            youngest.credits.set(youngest.credits.get() + added);
            list.credits += added;
            added
        };
        // SAFETY: this thread owns the mutex, which is that of the list.
        let added = unsafe { self.with_list(add) };
        if added == 0 {
            return 0;
        }
        if !mutant!("pi_condvar.same-sequence") {
            self.sequence.fetch_add(1, Relaxed); // Relaxed: row d.
        }
        if mutant!("pi_condvar.send") {
            return added;
        }
        let more = if mutant!("pi_condvar.send-one") { 0 } else { added - 1 };
        // SAFETY: this thread owns the mutex; notifiers alone write the sequence.
        if let Err(error) = unsafe { mutex.send(&self.sequence, more) } {
            // As if nothing had happened: nobody has had the mutex since, to take one.
            // SAFETY: as above.
            unsafe { self.with_list(|list| take_back(list, added)) };
            not_sent(&error);
        }
        added
    }

    /// Locks the mutex for a waiter that was not handed it.
    fn relock(&self, mutex: &PiMutex) -> Result<(), Lost> {
        match mutex.lock_owed() {
            Ok(()) => Ok(()),
            Err(PiError::OwnerDied) => Err(self.bury()),
            Err(error) => super::relock::never(&error),
        }
    }

    /// Leaves the list to nobody (invariant 5).
    #[cold]
    fn bury(&self) -> Lost {
        self.mutex.store(dead(), Relaxed); // Relaxed: it publishes nothing.
        Lost { error: PiError::OwnerDied, owned: false }
    }
}

/// Takes notifications back that have just been added.
#[cold]
fn take_back(list: &mut List, added: u32) {
    // SAFETY: there is a node, as there are credits; it is there, and the caller's (invariant 5).
    let youngest = unsafe { &*list.youngest };
    youngest.credits.set(youngest.credits.get() - added);
    list.credits -= added;
}

/// Why a wait could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// What went wrong.
    pub error: PiError,
    /// Whether the caller has the mutex all the same.
    pub owned: bool,
}

#[cold]
#[inline(never)]
#[track_caller]
fn another_mutex() -> ! {
    panic!("a condition variable was used with another mutex than that of those who wait on it")
}

#[cold]
#[inline(never)]
#[track_caller]
fn not_sent(error: &PiError) -> ! {
    panic!("a waiter could not be notified: {error}")
}

impl Default for PiCondvar {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for PiCondvar {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PiCondvar").field("has_waiters", &self.has_waiters()).finish()
    }
}
