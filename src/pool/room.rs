//! Those who wait for room in the queue: threads that sleep, and futures.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | who has made room looks at the count | SeqCst | b | Dekker: of the pop and the count, one is seen by whoever did the other |
//! | b | read-modify-writes of the count | SeqCst | a | the same, before the waiter tries |
//!
//! A waiter is counted and then tries; pops and tries are in the same total order (`raw::ring`,
//! rows e and f). Where there is no queue, it tries with the roster's lock held, which a worker
//! holds as it goes to the stack, before it makes room; so does whoever raises a limit.
//!
//! # Why no waiter is forgotten
//!
//! Either the count or the room comes first. If the count, who made room sees it, and wakes one
//! thread and one future, if there are any: a thread between its announcement and its sleep does
//! not fall asleep (`raw::event_count`), and a future is in the list before it is counted. If the
//! room, the try finds it. A future that was woken and is dropped before it has tried again passes
//! the wake-up on; one that tries in vain registers anew. What may be room for several, and what
//! may be the end of all hope, is told to all: they try, or find out. Nobody looks at the count
//! for that: a future is in the list, under its lock, or tries later.

use alloc::collections::VecDeque;
use core::task::Waker;

use crate::primitive::Ordering::SeqCst;
use crate::primitive::{Deadline, TotalU64, mutant, ord};
use crate::raw::EventCount;
use crate::sync::Mutex;

/// Who waits for room.
pub(super) struct Room {
    /// Threads and futures that wait.
    waiting: Waiting,
    threads: EventCount,
    futures: Mutex<Futures>,
}

/// How many wait.
struct Waiting(TotalU64);

impl Waiting {
    fn add(&self, change: i64) {
        self.0.fetch_add_total(change as u64, ord!("room.b", SeqCst)); // SeqCst: row b.
    }
}

#[derive(Default)]
struct Futures {
    last: u64,
    list: VecDeque<(u64, Waker)>,
}

/// A future's place in the list; void once it was woken.
#[derive(Debug)]
pub(super) struct Place(u64);

impl Room {
    pub(super) fn new() -> Self {
        Self {
            waiting: Waiting(TotalU64::new(0)),
            threads: EventCount::new(),
            futures: Mutex::new(Futures { last: 0, list: VecDeque::new() }),
        }
    }

    /// Room was made for one task.
    #[inline]
    pub(super) fn made(&self) {
        // SeqCst: row a; this look is not done before the pop is there for all.
        if self.waiting.0.load_total(ord!("room.a", SeqCst)) != 0 {
            self.wake_one();
        }
    }

    #[cold]
    #[inline(never)]
    fn wake_one(&self) {
        if !mutant!("room.wake") {
            self.threads.notify_one();
        }
        let woken = {
            let mut futures = self.futures.lock();
            let first = futures.list.pop_front();
            if first.is_some() {
                self.waiting.add(-1);
            }
            first
        };
        if let Some((_, waker)) = woken.filter(|_| !mutant!("room.wake-future")) {
            super::packet::wake(waker);
        }
    }

    /// All try again: there may be room for several, or never more.
    pub(super) fn changed(&self) {
        self.threads.notify_all();
        let woken = {
            let mut futures = self.futures.lock();
            if !futures.list.is_empty() {
                self.waiting.add(-(futures.list.len() as i64));
            }
            core::mem::take(&mut futures.list)
        };
        for (_, waker) in woken {
            super::packet::wake(waker);
        }
    }

    /// Calls `attempt` until it says something, or `deadline` has passed; sleeps in between.
    pub(super) fn wait<R>(
        &self,
        deadline: Deadline,
        mut attempt: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        let _counted = Counted::new(&self.waiting);
        loop {
            let ticket = self.threads.prepare();
            if let Some(result) = attempt() {
                self.threads.cancel(ticket);
                return Some(result);
            }
            // A wake-up that was consumed is followed by an attempt, however late it is.
            if !self.threads.wait(ticket, deadline) {
                return attempt();
            }
        }
    }

    /// Leaves `waker` to be woken when there is room, in place of an earlier one. The caller then
    /// tries once more.
    pub(super) fn register(&self, place: &mut Option<Place>, waker: &Waker) {
        let fresh = waker.clone();
        let stale = {
            let mut futures = self.futures.lock();
            let known = place
                .as_ref()
                .and_then(|place| futures.list.iter_mut().find(|(number, _)| *number == place.0));
            match known {
                Some((_, old)) => Some(core::mem::replace(old, fresh)),
                None => {
                    futures.last += 1;
                    let number = futures.last;
                    futures.list.push_back((number, fresh));
                    self.waiting.add(1);
                    *place = Some(Place(number));
                    None
                }
            }
        };
        drop(stale);
    }

    /// Takes a future off the list. If it was woken and has not `used` what it was woken for,
    /// somebody else is.
    pub(super) fn withdraw(&self, place: Place, used: bool) {
        let waker = {
            let mut futures = self.futures.lock();
            let at = futures.list.iter().position(|(number, _)| *number == place.0);
            if at.is_some() {
                self.waiting.add(-1);
            }
            at.and_then(|at| futures.list.remove(at))
        };
        let was_woken = waker.is_none();
        drop(waker);
        if was_woken && !used && !mutant!("room.keep-the-wake") {
            self.made();
        }
    }
}

/// A thread that waits, counted until the end of the wait.
struct Counted<'a>(&'a Waiting);

impl<'a> Counted<'a> {
    fn new(waiting: &'a Waiting) -> Self {
        waiting.add(1);
        Self(waiting)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}
