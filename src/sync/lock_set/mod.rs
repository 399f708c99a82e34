//! Locking several locks at once: [`lock_all`], and what can be locked so.
//!
//! # How a deadlock is kept out
//!
//! Threads wait for each other for ever only if four things hold at once (Coffman, Elphick and
//! Shoshani, 1971): what they wait for is had by one at a time; who has something waits for more;
//! nothing is taken from who has it; and the waits form a circle. A lock *is* the first. Of the
//! others, two ways out are in use:
//!
//! * **One order for all** breaks the circle: everybody takes the locks by their addresses. A call
//!   sleeps with locks in hand, though, so it is safe beside calls of its own kind only: code that
//!   locks two of the set one after the other, in its own order, closes the circle again, and
//!   nobody has promised not to write such code.
//! * **Backing off** breaks "has something and waits for more": a call sleeps for one lock with
//!   nothing in hand, tries the others, and if one is taken it gives all back and sleeps for that
//!   one. This is safe beside any code. It is what `std::lock` of C++ does. But a call may try for
//!   ever, if the others lock one of its locks whenever it has another.
//!
//! Here a call backs off, so that it is safe beside any code; it tries in the order of addresses,
//! so that two calls for the same locks seldom meet with one lock in each one's hands; and after
//! some rounds that were in vain, in every second round it takes the locks by their addresses and
//! sleeps for each, with those before in hand, for *a limited time*, which grows from round to
//! round. What it has is thus taken from it, if nobody but itself does so: that breaks "nothing is
//! taken". And as it queues for each lock like everybody else, it is served like everybody else:
//! a lock that is let go within that time is a lock it gets.
//!
//! # Invariants
//!
//! 1. Whoever sleeps without a limit has no lock of the set.
//! 2. A call that ends without success, or by unwinding, has no lock of the set: guards are kept in
//!    slots that drop them.
//! 3. No lock is in a set twice: that is refused before anything is taken.
//!
//! # Why nobody waits for ever
//!
//! By invariant 1 a call is never part of a circle of waits that nothing but their ends could
//! break: the call leaves it when its patience ends, and gives back what the others wait for. It
//! then sleeps for the lock that was taken, not for one of those it gave back, so those go to the
//! others first. Among calls that are patient there is no circle at all, by the order of addresses.
//!
//! # Sources
//!
//! E. G. Coffman, M. J. Elphick, A. Shoshani, "System Deadlocks", ACM Computing Surveys 3 (1971).
//! Howard Hinnant, "Dining Philosophers Rebooted" (2015), which measures the ways to lock several.

mod lockable;
mod sets;

use core::time::Duration;

use crate::primitive::{Deadline, mutant, tuning};

pub use lockable::{Lockable, Read, UpgradableRead, Write};
pub(in crate::sync) use lockable::{lockable, sealed::Sealed};
pub use sets::LockSet;

/// Rounds without patience at the beginning. Few in the model, so that it gets to the others.
const EAGER_ROUNDS: u32 = tuning(8, 1);

/// How long a patient round sleeps for each lock, the first time. A waiter of a
/// [`Mutex`](crate::Mutex) is next after one millisecond.
const PATIENCE: Duration = Duration::from_millis(2);

/// How long in the end. Code that sleeps with one of the locks in hand for another, in the other
/// order, stands still for as long: five philosophers of whom every fourth does so took 150 times
/// as long with 128 milliseconds.
const LONGEST_PATIENCE: Duration = Duration::from_millis(8);

/// Takes all locks of a set, sleeping until they can be had together; the guards, in the order in
/// which the locks were given.
///
/// A set is a tuple of up to eight locks of any types, an array, or a slice of locks or of
/// references (the guards then come in a `Vec`). Of a [`RwLock`](crate::RwLock), say what for:
/// [`Read`], [`UpgradableRead`] or [`Write`].
///
/// However the same locks are taken elsewhere, all at once or one after the other and in whatever
/// order, there is no deadlock: while the call sleeps for a lock without a limit it has none of
/// the others.
///
/// ```
/// use lockwork::{Mutex, lock_all};
///
/// fn transfer(from: &Mutex<u64>, to: &Mutex<u64>, amount: u64) {
///     let (mut from, mut to) = lock_all((from, to)); // in any order, with no deadlock
///     *from -= amount;
///     *to += amount;
/// }
///
/// let (ada, bob) = (Mutex::new(10), Mutex::new(0));
/// std::thread::scope(|s| {
///     s.spawn(|| transfer(&ada, &bob, 7));
///     s.spawn(|| transfer(&ada, &bob, 3));
/// });
/// transfer(&bob, &ada, 4);
/// assert_eq!((*ada.lock(), *bob.lock()), (4, 6));
/// ```
///
/// All locks of a table, and locks of different kinds:
///
/// ```
/// use lockwork::lock_set::{Read, Write};
/// use lockwork::{Mutex, RwLock, lock_all};
///
/// let shards = [Mutex::new(1), Mutex::new(2), Mutex::new(3)];
/// let sum: i32 = lock_all(&shards[..]).iter().map(|shard| **shard).sum();
/// assert_eq!(sum, 6); // of one moment
///
/// let (limits, log) = (RwLock::new(5), Mutex::new(vec![]));
/// let (limit, mut log) = lock_all((Read(&limits), &log));
/// log.push(*limit);
/// ```
///
/// # Panics
///
/// If a lock is in the set twice, before anything is locked. As the locks do: for one reader too
/// many, or too many levels of a [`ReentrantMutex`](crate::ReentrantMutex); what was locked is
/// unlocked first.
///
/// # Fairness
///
/// A call waits for one lock as any thread that locks it, and tries the others; if one is taken, it
/// gives back what it has and waits for that one. If that was in vain for some rounds, it keeps
/// what it has for a while, 2 milliseconds at first and 8 in the end, and waits for each lock in
/// turn. So others cannot keep it out for ever by being fast, but by keeping a lock for longer than
/// that, whenever the call has the rest.
///
/// # Deadlocks
///
/// A thread that has a lock already, other than a [`ReentrantMutex`](crate::ReentrantMutex), and
/// asks for it in a set sleeps for ever. One that has a lock and asks for a set of others waits
/// with something in hand: there the order is its own care. [`try_lock_all`] never waits.
///
/// # Memory ordering
///
/// That of the locks.
///
/// # Fork, signals, panics, allocators
///
/// That of the locks. Tuples and arrays need no allocator; slices allocate.
///
/// # Differences
///
/// From `std::lock` and `std::scoped_lock` of C++: with limits, for any number of locks of one
/// type, and calls are not starved by short sections. `std` and `parking_lot` have nothing like it.
#[doc(alias("std::lock", "scoped_lock", "deadlock", "dining philosophers", "multi_lock"))]
#[track_caller]
pub fn lock_all<S: LockSet>(locks: S) -> S::Guards {
    let guards = locks.lock_by(Some(Deadline::NEVER));
    guards.expect("no limit, so it goes on until it has them")
}

/// Takes all locks of a set if they are free at this moment; the guards, in the order in which the
/// locks were given. Never blocks.
///
/// What a set is, and what holds: see [`lock_all`].
///
/// # Errors
///
/// `None`, with nothing locked, if one of them is taken.
///
/// # Panics
///
/// As [`lock_all`].
///
/// ```
/// use lockwork::{FairMutex, Mutex, try_lock_all};
///
/// let (a, b) = (Mutex::new(1), FairMutex::new("b"));
/// assert!(try_lock_all((&a, &b)).is_some());
/// let held = b.lock();
/// assert!(try_lock_all((&a, &b)).is_none());
/// assert!(!a.is_locked());
/// # drop(held);
/// ```
#[doc(alias("std::try_lock"))]
#[track_caller]
pub fn try_lock_all<S: LockSet>(locks: S) -> Option<S::Guards> {
    locks.lock_by(None)
}

/// As [`lock_all`], waiting at most `timeout`. A time-out too long to represent means no limit.
///
/// # Errors
///
/// `None`, with nothing locked, if they could not all be taken in time. They are tried at least
/// once, also with a time-out of zero.
///
/// # Panics
///
/// As [`lock_all`].
///
/// ```
/// use lockwork::{Mutex, try_lock_all_for};
/// use std::time::Duration;
///
/// let forks = [Mutex::new(()), Mutex::new(())];
/// let eating = forks[1].lock();
/// assert!(try_lock_all_for(&forks, Duration::from_millis(1)).is_none());
/// assert!(!forks[0].is_locked());
/// # drop(eating);
/// ```
#[track_caller]
pub fn try_lock_all_for<S: LockSet>(locks: S, timeout: Duration) -> Option<S::Guards> {
    locks.lock_by(Some(Deadline::after(timeout)))
}

/// As [`lock_all`], waiting until `deadline` at the latest: an `Instant` or a [`Deadline`].
///
/// # Errors
///
/// `None`, with nothing locked, if they could not all be taken in time. They are tried at least
/// once, also after the deadline.
///
/// # Panics
///
/// As [`lock_all`].
///
/// ```
/// use lockwork::{Deadline, Mutex, try_lock_all_until};
///
/// let (a, b) = (Mutex::new(1), Mutex::new(2));
/// assert!(try_lock_all_until((&a, &b), Deadline::now()).is_some());
/// ```
#[track_caller]
pub fn try_lock_all_until<S: LockSet>(
    locks: S,
    deadline: impl Into<Deadline>,
) -> Option<S::Guards> {
    locks.lock_by(Some(deadline.into()))
}

/// Locks, and a slot for the guard of each.
trait Slots {
    /// Takes a lock, waiting until `limit`, or not at all; whether it has been taken.
    fn take(&mut self, slot: usize, limit: Option<Deadline>) -> bool;

    /// Gives back all that was taken.
    fn give_back(&mut self);
}

/// Where a lock is in memory, and in its set. Ordered by the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    address: usize,
    slot: usize,
}

impl Place {
    fn new(lock: &impl Lockable, slot: usize) -> Self {
        Self { address: lock.address(), slot }
    }
}

/// Takes all the locks, or none; whether it did. No `limit` means to try once.
#[track_caller]
fn take_all(slots: &mut impl Slots, places: &mut [Place], limit: Option<Deadline>) -> bool {
    places.sort_unstable();
    for pair in places.windows(2) {
        if pair[0].address == pair[1].address {
            refuse_twice(pair[0].slot, pair[1].slot);
        }
    }
    let Some(deadline) = limit else {
        return one_round(slots, places, 0, None, None) == Round::All;
    };
    let (mut round, mut first, mut patience) = (0_u32, 0, PATIENCE);
    loop {
        let patient = round >= EAGER_ROUNDS && (round - EAGER_ROUNDS) % 2 == 0;
        let ended = if patient {
            one_round(slots, places, 0, limit, Some(patience))
        } else {
            one_round(slots, places, first, limit, None)
        };
        match ended {
            Round::All => return true,
            Round::TimedOut => return false,
            Round::Taken(_) if deadline.has_passed() => return false,
            Round::Taken(by_others) => first = by_others,
        }
        if patient {
            patience = LONGEST_PATIENCE.min(patience * 2);
        }
        round = round.saturating_add(1);
    }
}

/// How a round ended. Nothing is taken unless all are.
#[derive(PartialEq, Eq)]
enum Round {
    All,
    /// The first was not to be had within the limit.
    TimedOut,
    /// One of the others was not to be had.
    Taken(usize),
}

/// Takes one lock, waiting until `limit`, and then the others in order, waiting for `patience`, or
/// not at all.
fn one_round(
    slots: &mut impl Slots,
    places: &[Place],
    first: usize,
    limit: Option<Deadline>,
    patience: Option<Duration>,
) -> Round {
    let Some(place) = places.get(first) else {
        return Round::All; // an empty set
    };
    if !slots.take(place.slot, limit) {
        return Round::TimedOut;
    }
    // Without a limit it waits for the first alone (invariant 1).
    let of_others = match (limit, patience) {
        _ if mutant!("lock_set.hold-and-wait") => limit,
        (Some(deadline), Some(patience)) => Some(Deadline::after(patience).min(deadline)),
        _ => None,
    };
    for (i, place) in places.iter().enumerate() {
        if i != first && !slots.take(place.slot, of_others) {
            if !mutant!("lock_set.keep") {
                slots.give_back();
            }
            return Round::Taken(i);
        }
    }
    Round::All
}

#[cold]
#[inline(never)]
#[track_caller]
fn refuse_twice(one: usize, other: usize) -> ! {
    panic!("a set to lock has the same lock twice, at {one} and at {other}");
}
