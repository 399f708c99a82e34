//! Hazard pointers, of which the side that looks pays next to nothing.
//!
//! # State words
//!
//! ```text
//! records   a list of records, from the newest; none is ever removed or freed
//! record    owned    1 while a thread, or one operation, has it
//!           hazard   the node that its owner looks at, or null
//! ```
//!
//! A thread gets a record when it first needs one, keeps its address in a thread-local, and gives
//! it back when it ends. An operation that finds its thread's record in use (it runs in the middle
//! of another one: in a signal handler, say) or gone (the thread's destructors run) takes one for
//! itself. So there are as many records as there ever were owners at one time.
//!
//! # Protocol
//!
//! ```text
//! reader                                   whoever removes node n
//! P1 n = place                             F1 place = another node
//! P2 hazard = n                            F2 add n to the bin
//! P3 light fence                           F3 take it from the bin, with one more at most
//! P4 place is still n: go on               F4 heavy fence
//!    else: with what it is now, from P2    F5 no hazard is n: n is free
//! P5 use n
//! P6 hazard = null
//! ```
//!
//! # Why nobody reads what is freed
//!
//! The fences make it impossible that P4 still finds n and F5 does not find it among the hazards:
//! F1 came before F4, also where F1 to F3 are done by different threads (F2 publishes to F3). If P4
//! comes first in this sense, F5 sees the hazard unless it is over (P6), and then all that was done
//! at P5 has been done. A node comes back to the place by way of F5 only, so that P4 cannot mistake
//! it for what it was before.
//!
//! # Garbage
//!
//! At F5, at most one node for each record stays. F3 is done once two nodes were retired. So a
//! structure has at most one that waits for a second one, and two for each thread that was stopped:
//! those that it had taken at F3; or the one it looked at, and one that it was about to add.
//!
//! A heavy fence that is refused frees nothing: the nodes go back to the bin.
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
//! | a | store of the hazard, P2 | Release | c | what its owner did before, with another node, is over |
//! | b | store of the hazard, P6 | Release | c | P5 is over |
//! | c | loads of the hazards, F5 | Acquire | a, b | see that |
//! | d | load of the place, P4 | Acquire | the structure's | sees the node |
//! | e | fence, P3 | light | f | as above |
//! | f | fence, F4 | heavy | e | as above |
//! | g | add a record | Release | h | publish it |
//! | h | load of the first record | Acquire | g | see it |
//! | i | a record is given back | Release | j | its next owner comes after |
//! | j | a record is taken | Acquire | i | as above |
//! | k | other accesses | Relaxed | - | the own hazard, and hints |
//!
//! # Cost
//!
//! A thread-local pointer, two stores and a second load of the place for each look. A search costs
//! a heavy fence and one load for each record.
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
use super::{Free, Reclaim, sealed, unmarked};
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{AtomicPtr, AtomicU32, bare_light_fence, global, heavy_fence, light_fence};
use crate::primitive::{model_const_fn, mutant, ord};
use crate::primitive::{settle, thread_locals};

/// Hazard pointers: each thread says which block of memory it looks at, and only that one is kept.
///
/// To say so is one plain store. Whoever wants to use a block again has the kernel make a barrier
/// on all processors, once for several blocks, and then looks whether anybody has it.
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
    hazard: AtomicPtr<Header>,
    owned: AtomicU32,
    /// The record added before; not changed once this one is in the list.
    older: *const CachePadded<Record>,
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
            hazard: AtomicPtr::new(ptr::null_mut()),
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
    record.owned.store(0, ord!("hazard.i", Release)); // Release: row i.
}

/// A record, which protects at most one node.
#[derive(Debug)]
pub struct Guard {
    record: &'static Record,
    /// Whether it was taken for this guard only.
    borrowed: bool,
}

impl core::fmt::Debug for Record {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Record").finish_non_exhaustive()
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        Hazard::release(self);
        if self.borrowed {
            give_back(self.record);
        }
    }
}

impl sealed::Sealed for Hazard {}

impl Reclaim for Hazard {
    type Guard = Guard;

    const BARE: bool = true;

    #[inline]
    fn quick() -> Option<Guard> {
        let record = QUICK.with(Cell::get)?;
        // Relaxed: row k. In use: this operation runs in the middle of another.
        if !record.hazard.load(Relaxed).is_null() {
            return None;
        }
        Some(Guard { record, borrowed: false })
    }

    #[inline]
    fn protect_once(guard: &Guard, place: &AtomicPtr<Header>) -> Option<*mut Header> {
        let node = place.load(Relaxed); // Relaxed: row d follows.
        guard.record.hazard.store(node, ord!("hazard.a", Release)); // Release: row a.
        if !mutant!("hazard.e") {
            bare_light_fence(); // Row e.
        }
        if mutant!("hazard.trust") {
            return Some(node);
        }
        // Acquire: row d.
        let now = place.load(ord!("hazard.d", Acquire));
        (now == node).then_some(now)
    }

    fn enter() -> Guard {
        let own = OWN.try_with(|own| own.0.get());
        if let Ok(Some(record)) = own {
            // Relaxed: row k.
            if record.hazard.load(Relaxed).is_null() {
                return Guard { record, borrowed: false };
            }
        }
        let record = RECORDS.take();
        // A thread that has one in use, or is ending, gets no other.
        let kept = matches!(own, Ok(None)) && OWN.try_with(|own| own.0.set(Some(record))).is_ok();
        if kept && settle() {
            QUICK.with(|quick| quick.set(Some(record)));
        }
        Guard { record, borrowed: !kept }
    }

    #[inline]
    fn protect(guard: &Guard, place: &AtomicPtr<Header>) -> *mut Header {
        let mut node = place.load(Relaxed); // Relaxed: row d follows.
        loop {
            // Release: row a.
            guard.record.hazard.store(node, ord!("hazard.a/slow", Release));
            if !mutant!("hazard.e/slow") {
                light_fence(); // Row e.
            }
            if mutant!("hazard.trust/slow") {
                return node;
            }
            // Acquire: row d.
            let now = place.load(ord!("hazard.d/slow", Acquire));
            if now == node {
                return now;
            }
            node = now;
        }
    }

    #[inline]
    fn release(guard: &mut Guard) {
        // Release: row b.
        guard.record.hazard.store(ptr::null_mut(), ord!("hazard.b", Release));
    }

    unsafe fn retire(guard: Guard, bin: &Bin, node: *mut Header, free: Free) {
        drop(guard); // or it would protect the node itself
        // SAFETY: by this function's contract.
        if unsafe { bin.add_fresh(node) } {
            // SAFETY: as above.
            unsafe { Self::collect(bin, free) };
        }
    }

    unsafe fn collect(bin: &Bin, free: Free) {
        let nodes = bin.take_enough();
        if nodes.is_empty() {
            return;
        }
        let fenced = mutant!("hazard.f") || heavy_fence(); // Row f.
        for record in RECORDS.iter() {
            // Acquire: row c.
            nodes.find(unmarked(record.hazard.load(ord!("hazard.c", Acquire))));
        }
        for (node, in_use) in nodes {
            // SAFETY: the list was ours, and so is the node; `free` is its (the contract).
            unsafe {
                if in_use || !fenced {
                    bin.add(node);
                } else {
                    bin.keep(node, free);
                }
            }
        }
    }
}
