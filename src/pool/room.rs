//! Those who wait for room in the queue: threads that sleep, and futures.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | fence after room was made, before looking at the count | SeqCst | the try | Dekker: the look stays behind the pop |
//! | b | all accesses of the count | Relaxed | - | the queue orders what is in it |
//!
//! A waiter is counted, and tries behind a SeqCst fence; where there is no queue, it holds the
//! roster's lock, which a worker holds as it goes to the stack, before it makes room.
//!
//! # Why no waiter is forgotten
//!
//! One of the fences comes first. If the waiter's, who made room sees it counted, and wakes one
//! thread and one future, if there are any: a thread between its announcement and its sleep does
//! not fall asleep (`raw::event_count`), and a future is in the list before it is counted. If the
//! other, the try finds the room. A future that was woken and is dropped before it has tried again
//! passes the wake-up on; one that tries in vain registers anew.

use alloc::collections::VecDeque;
use core::task::Waker;

use crate::primitive::Ordering::{Relaxed, SeqCst};
use crate::primitive::{AtomicU64, Deadline, fence, mutant, ord};
use crate::raw::EventCount;
use crate::sync::Mutex;

/// Who waits for room.
pub(super) struct Room {
    /// Threads and futures that wait.
    waiting: AtomicU64,
    threads: EventCount,
    futures: Mutex<Futures>,
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
            waiting: AtomicU64::new(0),
            threads: EventCount::new(),
            futures: Mutex::new(Futures { last: 0, list: VecDeque::new() }),
        }
    }

    /// Room was made for one task.
    #[inline]
    pub(super) fn made(&self) {
        fence(ord!("room.a", SeqCst)); // SeqCst: row a.
        // Relaxed: row b.
        if self.waiting.load(Relaxed) != 0 {
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
                self.waiting.fetch_sub(1, Relaxed); // Relaxed: row b.
            }
            first
        };
        if let Some((_, waker)) = woken {
            super::packet::wake(waker);
        }
    }

    /// There will be no room any more.
    pub(super) fn close(&self) {
        fence(SeqCst); // SeqCst: row a, for all.
        if !mutant!("room.close") {
            self.threads.notify_all();
        }
        let woken = {
            let mut futures = self.futures.lock();
            self.waiting.fetch_sub(futures.list.len() as u64, Relaxed); // Relaxed: row b.
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
            fence(SeqCst); // SeqCst: the try stays behind the count.
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
                    self.waiting.fetch_add(1, Relaxed); // Relaxed: row b.
                    *place = Some(Place(number));
                    None
                }
            }
        };
        drop(stale);
        fence(SeqCst); // SeqCst: the try stays behind the count.
    }

    /// Takes a future off the list. If it was woken, and `has_room` is false as it did not use what
    /// it was woken for, somebody else is.
    pub(super) fn withdraw(&self, place: Place, used: bool) {
        let waker = {
            let mut futures = self.futures.lock();
            let at = futures.list.iter().position(|(number, _)| *number == place.0);
            if at.is_some() {
                self.waiting.fetch_sub(1, Relaxed); // Relaxed: row b.
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
struct Counted<'a>(&'a AtomicU64);

impl<'a> Counted<'a> {
    fn new(waiting: &'a AtomicU64) -> Self {
        waiting.fetch_add(1, Relaxed); // Relaxed: row b.
        Self(waiting)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed); // Relaxed: row b.
    }
}
