//! Hazard pointers, of which the side that looks pays next to nothing.
//!
//! # State words
//!
//! ```text
//! records   a list of records, from the newest; none is ever removed or freed
//! record    owned     1 while a thread, or one operation, has it
//!           hazards   for each end of a queue: the node that its owner looks at, or looked at
//!                     last, or null
//!           used      for each of these: 1 while it looks
//! ```
//!
//! A thread gets a record when it first needs one, keeps its address in a thread-local, and gives
//! it back when it ends. An operation that finds its thread's hazard in use (it runs in the middle
//! of another one: in a signal handler, say) or gone (the thread's destructors run) takes a record
//! for itself. So there are as many records as there ever were owners at one time.
//!
//! # Protocol
//!
//! A hazard outlasts its operation. So it is rarely written: with a full fence, once for the many
//! operations that a thread has with one node. Whoever removes a node from the structure looks
//! for it among the hazards, and mostly finds it nowhere; only if nothing else is to be had does
//! he ask whether those who *looked* at it do so now, which takes a heavy fence.
//!
//! ```text
//! reader                                   whoever removes node n
//! P0 used = 1                              F1 place = another node
//! P1 n = place                             F2 add n to the bin
//! P2 hazard is n: light fence              F3 take it from the bin, with one more at most
//!    else: hazard = n; full fence          F4 full fence
//! P3 place is still n, and the hazard too  F5 no hazard is n: n is free
//!    (else from P1): go on                 F6 in need of one: F3, and heavy fence
//! P4 use n                                 F7 each hazard that is n and not used becomes null;
//! P5 used = 0                                 none was used: n is free
//! ```
//!
//! # Why nobody reads what is freed
//!
//! Let P3 find n in its place before F1 takes it out of there.
//!
//! *n freed at F5.* The hazard has been n since some P2, with the full fence behind it, and that
//! fence lies before P3, however many operations ago it was made. The two full fences make it
//! impossible that P3 finds n and F5 finds a hazard from before; so it finds n, or what the hazard
//! was later, and then all that was done at P4 has been done. The light fence has no part in this.
//! If it was made null meanwhile, at F7 of an earlier time that n was removed, then before n was
//! put into its place, so P3 finds it null and does not go on.
//!
//! *n freed at F7.* P0 and P2 come before P3, with a fence between that is light at least. So P3
//! could not find n, or F7 finds the hazard in use, unless that is over (P5), and then all that was
//! done at P4 has been done. What the hazard was before, when, and why, has no part in this.
//!
//! F1 comes before the fences also where F1 to F3 are done by different threads (F2 publishes to
//! F3). A node comes back to a place by way of F5 or F7 only, or of the allocator; and if it does
//! between P1 and P3, it is the one that is protected.
//!
//! In a signal handler: P0 comes before the look at the hazard, so no handler's operation changes
//! that between the look and what is made of it.
//!
//! # Garbage
//!
//! F3 to F5 are done when a node is retired, for those that have waited for longest, and F6 when a
//! node is needed and none is spare. So before more than a few are allocated, there are those that
//! were just retired, and two for each thread that was stopped: those that it had taken at F3; or
//! the one it looked at, and one that it was about to add. What hazards name that are not in use is
//! used again before that, at the price of one heavy fence, and is no longer named then.
//!
//! A heavy fence that is refused frees nothing: the nodes go back to the bin. Then hazards that are
//! not in use keep their nodes too.
//!
//! # Fork
//!
//! A child has the records of all threads of its parent, as they were. Those of threads that it
//! does not have are never given back, and a node that one of them was looking at is never used
//! again.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | change of a hazard, P2 | Release | c | what its owner did before, with another node, is over |
//! | b | store of `used`, P5 | Release | c | P4 is over |
//! | c | loads of hazards and `used`, F5 and F7 | Acquire | a, b | see that |
//! | e | fence of P2, where the hazard stays, and the load of the place behind it, which is an Acquire | light | f; the structure's | as above; sees the node, and that the hazard was taken away (in the model the fence is enough for that) |
//! | f | fence, F6 | heavy | e | as above |
//! | g | add a record | Release | h | publish it |
//! | h | load of the first record | Acquire | g | see it |
//! | i | a record is given back | Release | j | its next owner comes after |
//! | j | a record is taken | Acquire | i | as above |
//! | k | other accesses | Relaxed | - | the own words, and hints |
//! | l | fence of P2, where the hazard changes | SeqCst | m | the look at the place (P3) stays behind the store of the hazard: no load before a store |
//! | m | fence, F4 | SeqCst | l | the looks at the hazards (F5) stay behind the change of the place (F1) |
//! | n | the hazard becomes null at F7 | Relaxed | - | who finds n in its place after that (row e) finds this too |
//!
//! # Cost
//!
//! A thread-local pointer, two stores and a second load of the place for each look; a full fence
//! for the first look at a node, and so for each one of a thread that goes to and fro between the
//! same ends of two structures. A search costs a full fence and two to four loads for each record;
//! once for a thread that stops between its looks, a heavy fence. That is a system call which
//! interrupts all processors that run threads of this process: a microsecond for each, or fifteen
//! under some hypervisors. (With one for each two segments, two threads on two virtual processors
//! took 20 ns for a push and a pop, and take 12 with none.)
//!
//! # Sources
//!
//! Maged M. Michael, "Hazard Pointers: Safe Memory Reclamation for Lock-Free Objects" (2004). The
//! asymmetric fence: as in Folly's `hazptr`.

use alloc::boxed::Box;
use core::cell::Cell;
use core::ptr;

use crossbeam_utils::CachePadded;

use super::bin::{Bin, Header};
use super::{End, Free, Reclaim, sealed, unmarked};
use crate::primitive::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::primitive::{AtomicPtr, AtomicU32, bare_light_fence, fence, global, heavy_fence};
use crate::primitive::{light_fence, model_const_fn, mutant, ord};
use crate::primitive::{settle, signal_fence, thread_locals};

/// Hazard pointers: each thread says which blocks of memory it looks at, and only these are kept:
/// one for each end of a queue.
///
/// A thread says so when it comes to another block, with a fence; for the many operations that it
/// has with one block, plain stores do. Whoever wants to use a block again looks whether anybody
/// has it. If all are taken, he has the kernel make a barrier on all processors, and asks again, of
/// those only who are in the middle of an operation.
///
/// ```
/// use lockwork::queue::SegQueue;
/// use lockwork::queue::reclaim::Hazard;
///
/// let queue: SegQueue<u32, Hazard> = SegQueue::new(); // which is a SegQueue<u32>
/// queue.push(1);
/// ```
#[doc(alias("hazptr", "HazardPointer"))]
#[derive(Debug)]
pub enum Hazard {}

struct Record {
    hazards: [Hazards; 2],
    owned: AtomicU32,
    /// The record added before; not changed once this one is in the list.
    older: *const CachePadded<Record>,
}

/// What its owner says of one end.
struct Hazards {
    node: AtomicPtr<Header>,
    used: AtomicU32,
}

impl Hazards {
    fn new() -> Self {
        Self { node: AtomicPtr::new(ptr::null_mut()), used: AtomicU32::new(0) }
    }

    #[inline]
    fn is_used(&self) -> bool {
        self.used.load(Relaxed) != 0 // Relaxed: row k.
    }

    /// P0.
    #[inline]
    fn begin(&self) {
        if !mutant!("hazard.begin") {
            self.used.store(1, Relaxed); // Relaxed: row k; the fences of P2 order it.
        }
        signal_fence(); // For a handler it comes before the look at the hazard.
    }

    /// P5.
    #[inline]
    fn end(&self) {
        self.used.store(0, ord!("hazard.b", Release)); // Release: row b.
    }

    /// P2, but for its light fence, if that is needed: whether it is.
    #[inline]
    fn change(&self, node: *mut Header) -> bool {
        // Relaxed: row k.
        if self.node.load(Relaxed) == node {
            return true;
        }
        // Release: row a. A swap, as somebody may be taking the hazard away: the model takes a
        // plain store for one that may come between the two halves of his compare-exchange.
        self.node.swap(node, ord!("hazard.a", Release));
        if !mutant!("hazard.l") {
            fence(ord!("hazard.l/weak", SeqCst)); // SeqCst: row l.
        }
        false
    }

    /// The second half of P3.
    #[inline]
    fn is(&self, node: *mut Header) -> bool {
        // Relaxed: row n.
        self.node.load(Relaxed) == node || mutant!("hazard.n")
    }

    /// Forgets the node, unless it is looked at.
    fn forget(&self) {
        if !self.is_used() {
            self.node.store(ptr::null_mut(), ord!("hazard.a/forget", Release)); // Release: row a.
        }
    }
}

// SAFETY: `older` is an address that does not change while the record is shared.
unsafe impl Send for Record {}
// SAFETY: as above.
unsafe impl Sync for Record {}

/// The records of this process.
struct Records {
    first: AtomicPtr<CachePadded<Record>>,
}

global! {
    static RECORDS: Records = Records::new();
}

impl Records {
    model_const_fn! {
        const fn new() -> Self {
            Self { first: AtomicPtr::new(ptr::null_mut()) }
        }
    }

    fn iter(&self) -> impl Iterator<Item = &'static Record> {
        // Acquire: row h.
        let mut next = self.first.load(ord!("hazard.h", Acquire)).cast_const();
        core::iter::from_fn(move || {
            // SAFETY: records are never freed, and `older` is one or null.
            let record: &'static Record = unsafe { next.as_ref() }?;
            next = record.older;
            Some(record)
        })
    }

    fn hazards(&self) -> impl Iterator<Item = &'static Hazards> {
        self.iter().flat_map(|record| &record.hazards)
    }

    /// A record that nobody has, or a new one.
    #[cold]
    fn take(&self) -> &'static Record {
        for record in self.iter() {
            // Relaxed: a hint. Acquire: row j.
            let (free, order) = (record.owned.load(Relaxed) == 0, ord!("hazard.j", Acquire));
            if free && record.owned.compare_exchange(0, 1, order, Relaxed).is_ok() {
                return record;
            }
        }
        self.add()
    }

    fn add(&self) -> &'static Record {
        let mut older = self.first.load(Relaxed); // Relaxed: the compare-exchange decides.
        let mut record = Box::new(CachePadded::new(Record {
            hazards: [Hazards::new(), Hazards::new()],
            owned: AtomicU32::new(1),
            older,
        }));
        loop {
            record.older = older;
            let fresh = Box::into_raw(record);
            // Release: row g.
            match self.first.compare_exchange(older, fresh, ord!("hazard.g", Release), Relaxed) {
                // SAFETY: just made, and never freed.
                Ok(_) => return unsafe { &*fresh },
                Err(now) => {
                    older = now;
                    // SAFETY: from `into_raw`, and nobody else has seen it.
                    record = unsafe { Box::from_raw(fresh) };
                }
            }
        }
    }
}

/// A thread's own record; given back when the thread ends.
struct Own(Cell<Option<&'static Record>>);

thread_locals! {
    /// The same, if light fences are for the compiler only: where it is looked for each time. A
    /// thread-local without a destructor is there without a question, and to the very end.
    static QUICK: Cell<Option<&'static Record>> = Cell::new(None);
    static OWN: Own = Own(Cell::new(None));
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = QUICK.try_with(|record| record.set(None));
        if let Some(record) = self.0.get() {
            give_back(record);
        }
    }
}

fn give_back(record: &Record) {
    record.hazards.iter().for_each(Hazards::forget);
    record.owned.store(0, ord!("hazard.i", Release)); // Release: row i.
}

/// One end of a record, which protects at most one node.
#[derive(Debug)]
pub struct Guard {
    hazard: &'static Hazards,
    /// If it was taken for this guard only.
    borrowed: Option<&'static Record>,
}

impl core::fmt::Debug for Record {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Record").finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Hazards {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Hazards").finish_non_exhaustive()
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        self.hazard.end();
        if let Some(record) = self.borrowed {
            give_back(record);
        }
    }
}

impl sealed::Sealed for Hazard {}

impl Reclaim for Hazard {
    type Guard = Guard;

    const BARE: bool = true;

    #[inline]
    fn quick(end: End) -> Option<Guard> {
        let record = QUICK.with(Cell::get)?;
        let hazard = &record.hazards[end as usize];
        if hazard.is_used() {
            return None; // This operation runs in the middle of another.
        }
        hazard.begin();
        Some(Guard { hazard, borrowed: None })
    }

    #[inline]
    fn protect_once(guard: &Guard, place: &AtomicPtr<Header>) -> Option<*mut Header> {
        let node = place.load(Relaxed); // Relaxed: row e follows.
        if guard.hazard.change(node) && !mutant!("hazard.e") {
            bare_light_fence(); // Row e.
        }
        if mutant!("hazard.trust") {
            return Some(node);
        }
        // Acquire: row e.
        let now = place.load(Acquire);
        (now == node && guard.hazard.is(node)).then_some(now)
    }

    fn enter(end: End) -> Guard {
        let own = OWN.try_with(|own| own.0.get());
        if let Ok(Some(record)) = own {
            let hazard = &record.hazards[end as usize];
            if !hazard.is_used() {
                hazard.begin();
                return Guard { hazard, borrowed: None };
            }
        }
        let record = RECORDS.take();
        // A thread that has one in use, or is ending, gets no other.
        let kept = matches!(own, Ok(None)) && OWN.try_with(|own| own.0.set(Some(record))).is_ok();
        if kept && settle() {
            QUICK.with(|quick| quick.set(Some(record)));
        }
        let hazard = &record.hazards[end as usize];
        hazard.begin();
        Guard { hazard, borrowed: (!kept).then_some(record) }
    }

    #[inline]
    fn protect(guard: &Guard, place: &AtomicPtr<Header>) -> *mut Header {
        guard.hazard.begin(); // It may have been released.
        let mut node = place.load(Relaxed); // Relaxed: row e follows.
        loop {
            if guard.hazard.change(node) && !mutant!("hazard.e/slow") {
                light_fence(); // Row e.
            }
            if mutant!("hazard.trust/slow") {
                return node;
            }
            // Acquire: row e.
            let now = place.load(Acquire);
            if now == node && guard.hazard.is(node) {
                return now;
            }
            node = now;
        }
    }

    #[inline]
    fn release(guard: &mut Guard) {
        guard.hazard.end();
    }

    unsafe fn retire(guard: Guard, bin: &Bin, node: *mut Header, free: Free) {
        drop(guard); // or it would protect the node itself
        // SAFETY: by this function's contract.
        unsafe {
            bin.add(node); // first, as who is stopped in a search keeps what is not in the bin
            Self::collect(bin, free);
        }
    }

    unsafe fn collect(bin: &Bin, free: Free) {
        let nodes = bin.take_enough();
        if nodes.is_empty() {
            return;
        }
        // What this thread looked at is nothing to it.
        if let Ok(Some(record)) = OWN.try_with(|own| own.0.get()) {
            record.hazards.iter().for_each(Hazards::forget);
        }
        if !mutant!("hazard.m") {
            fence(ord!("hazard.m/weak", SeqCst)); // SeqCst: row m.
        }
        for hazard in RECORDS.hazards() {
            // Acquire: row c.
            nodes.find(unmarked(hazard.node.load(ord!("hazard.c", Acquire))));
        }
        // SAFETY: by this function's contract.
        unsafe { bin.sort(nodes, free) };
    }

    #[cold]
    unsafe fn insist(bin: &Bin, free: Free) {
        let nodes = bin.take_enough();
        if nodes.is_empty() {
            return;
        }
        if !mutant!("hazard.f") && !heavy_fence() {
            // SAFETY: by this function's contract.
            return unsafe { bin.take_back(nodes) };
        }
        // Row f.
        for hazard in RECORDS.hazards() {
            // Acquire: row c.
            let used = hazard.used.load(ord!("hazard.c/used", Acquire)) != 0;
            let named = hazard.node.load(ord!("hazard.c/again", Acquire)); // Acquire: row c.
            if used {
                nodes.find(unmarked(named));
            } else if nodes.contain(unmarked(named)) {
                // Relaxed: row n.
                let _ = hazard.node.compare_exchange(named, ptr::null_mut(), Relaxed, Relaxed);
            }
        }
        // SAFETY: by this function's contract.
        unsafe { bin.sort(nodes, free) };
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::bin::tests::{free, node};
    use super::*;

    /// Retired nodes, and spare ones.
    fn counts(bin: &Bin) -> (bool, bool) {
        let spare = bin.take_spare();
        if let Some(spare) = spare {
            // SAFETY: nobody else has it.
            unsafe { bin.keep(spare, free) };
        }
        (bin.has_retired(), spare.is_some())
    }

    fn hazard(end: End) -> *mut Header {
        let record = OWN.with(|own| own.0.get()).expect("this thread has had a guard");
        record.hazards[end as usize].node.load(Relaxed)
    }

    /// A thread that has gone on to nothing else does not keep a node, and is asked once only.
    #[test]
    fn what_nobody_looks_at_any_more() {
        for end in [End::Front, End::Back] {
            let (bin, place) = (&Bin::new(), AtomicPtr::new(node()));
            let old = place.load(Relaxed);
            assert_eq!(Hazard::protect(&Hazard::enter(end), &place), old);
            place.store(node(), Relaxed); // Relaxed: the threads below come after.
            // SAFETY: all nodes are from `node`, and no thread below is in the middle of a look.
            unsafe {
                thread::scope(|s| {
                    let removed = AtomicPtr::new(old);
                    let elsewhere = s.spawn(move || {
                        Hazard::retire(Hazard::enter(end), bin, removed.into_inner(), free);
                        Hazard::collect(bin, free);
                        assert_eq!(counts(bin), (true, false), "somebody has it, or had");
                    });
                    elsewhere.join().unwrap();
                    assert_eq!(hazard(end), old);
                    s.spawn(|| Hazard::insist(bin, free)).join().unwrap();
                });
                assert_eq!(counts(bin), (false, true));
                assert!(hazard(end).is_null());
                bin.empty(free);
                free(place.into_inner());
            }
        }
    }

    /// What is looked at stays, however one insists; and a nested look takes another hazard.
    #[test]
    fn what_somebody_looks_at() {
        let (bin, place) = (Bin::new(), AtomicPtr::new(node()));
        let old = place.load(Relaxed);
        let guard = Hazard::enter(End::Back);
        assert_eq!(Hazard::protect(&guard, &place), old);
        assert!(Hazard::quick(End::Back).is_none());
        place.store(node(), Relaxed); // Relaxed: on this thread.
        // SAFETY: all nodes are from `node`.
        unsafe {
            // On this thread too, which is in the middle of a look at the other end.
            Hazard::retire(Hazard::enter(End::Front), &bin, old, free);
            Hazard::collect(&bin, free);
            Hazard::insist(&bin, free);
            let nested = Hazard::enter(End::Back);
            assert!(nested.borrowed.is_some());
            assert_ne!(Hazard::protect(&nested, &place), old);
            drop(nested);
            assert_eq!(counts(&bin), (true, false));
            assert_eq!(hazard(End::Back), old);
            drop(guard);
            thread::scope(|s| s.spawn(|| Hazard::insist(&bin, free)).join().unwrap());
            assert_eq!(counts(&bin), (false, true));
            bin.empty(free);
            free(place.into_inner());
        }
    }
}
