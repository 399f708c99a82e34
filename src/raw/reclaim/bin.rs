//! The nodes of one structure that it does not use, or may not use yet.
//!
//! Each structure has a [`Bin`]: the nodes that it has retired, and up to two spare ones.
//!
//! # State words
//!
//! ```text
//! retired   a list: nodes are added one by one and taken all at once, so that nobody who adds one
//!           can be confused by an address that has been here before; all but a few are put back
//! spares    a node or null; taken by a swap, put by a compare-exchange from null
//! fresh     retired nodes that nobody has looked for a hazard of
//! nodes     nodes that have been allocated and not freed
//! ```
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | add to `retired` | Release | b | publish the links; and what led to it, for the look for hazards |
//! | b | take all of `retired` | Acquire | a | see them |
//! | c | put a spare | Release | d | whoever takes it has it to himself, and with it the accesses of all before |
//! | d | take a spare | Acquire | c | as above |
//! | e | `fresh`, `nodes` | Relaxed | - | they say when to do something, not what |

use core::ptr;

use super::Free;
use crate::primitive::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::{AtomicPtr, AtomicU32, UnsafeCell, model_const_fn, ord};

/// What every node begins with.
#[repr(C)]
pub struct Header {
    /// Who has the node in his list, has this to himself.
    retired: UnsafeCell<Retired>,
    /// Written to when the node is made and when it is taken for spare, read by all who use it: the
    /// model sees whether these are ordered. Nothing in the program that ships.
    life: UnsafeCell<()>,
}

/// Of a node that is retired.
struct Retired {
    /// The next one.
    link: *mut Header,
    /// Whether somebody was seen looking at it.
    in_use: bool,
}

impl Header {
    model_const_fn! {
        /// A node that nobody has retired.
        pub const fn new() -> Self {
            let retired = Retired { link: ptr::null_mut(), in_use: false };
            Self { retired: UnsafeCell::new(retired), life: UnsafeCell::new(()) }
        }
    }

    /// # Safety
    ///
    /// The node is retired, and in a list of the caller's or in none.
    unsafe fn change<R>(&self, change: impl FnOnce(&mut Retired) -> R) -> R {
        // SAFETY: nobody else uses it (this function's contract).
        self.retired.with_mut(|retired| change(unsafe { &mut *retired }))
    }

    /// Says that the node is about to be published.
    ///
    /// # Safety
    ///
    /// It is the caller's alone.
    pub unsafe fn begins(&self) {
        self.life.with_mut(|_| ());
    }

    /// Says that the node is being used.
    #[inline]
    pub fn is_used(&self) {
        self.life.track().end();
    }
}

/// More nodes than this are not kept as spares.
const SPARES: usize = 2;

/// Retired nodes that are worth a look at everybody's hazards. It is also about no more than so
/// many: who is stopped in the middle of that keeps them.
pub(super) const ENOUGH: u32 = 2;

/// The nodes of one structure that it does not use, or may not use yet.
pub struct Bin {
    retired: AtomicPtr<Header>,
    spares: [AtomicPtr<Header>; SPARES],
    fresh: AtomicU32,
    nodes: AtomicU32,
}

impl Bin {
    model_const_fn! {
        /// An empty one.
        pub const fn new() -> Self {
            Self {
                retired: AtomicPtr::new(ptr::null_mut()),
                spares: [AtomicPtr::new(ptr::null_mut()), AtomicPtr::new(ptr::null_mut())],
                fresh: AtomicU32::new(0),
                nodes: AtomicU32::new(0),
            }
        }
    }

    /// A node was allocated.
    pub fn count_node(&self) {
        self.nodes.fetch_add(1, Relaxed); // Relaxed: row e.
    }

    /// Nodes that have been allocated and not freed.
    pub fn nodes(&self) -> u32 {
        self.nodes.load(Relaxed) // Relaxed: row e.
    }

    /// Whether there is something for `Reclaim::collect`.
    pub fn has_retired(&self) -> bool {
        !self.retired.load(Relaxed).is_null() // Relaxed: a hint.
    }

    /// A node that is the caller's alone.
    pub fn take_spare(&self) -> Option<*mut Header> {
        for place in &self.spares {
            // Relaxed: a hint, row d follows.
            if !place.load(Relaxed).is_null() {
                // Acquire: row d.
                let node = place.swap(ptr::null_mut(), ord!("bin.d", Acquire));
                if !node.is_null() {
                    return Some(node);
                }
            }
        }
        None
    }

    /// Keeps a node that is the caller's alone, or frees it if there are enough.
    ///
    /// # Safety
    ///
    /// The node is this bin's, nobody else has its address, and `free` is its.
    pub unsafe fn keep(&self, node: *mut Header, free: Free) {
        // SAFETY: the node is the caller's alone.
        unsafe { (*node).begins() };
        for place in &self.spares {
            // Release: row c.
            let order = ord!("bin.c", Release);
            if place.compare_exchange(ptr::null_mut(), node, order, Relaxed).is_ok() {
                return;
            }
        }
        self.forget_node();
        // SAFETY: by this function's contract.
        unsafe { free(node) };
    }

    /// A node is about to be freed.
    pub(super) fn forget_node(&self) {
        self.nodes.fetch_sub(1, Relaxed); // Relaxed: row e.
    }

    /// Adds a node to the retired ones.
    ///
    /// # Safety
    ///
    /// The node is this bin's and not in a list.
    pub(super) unsafe fn add(&self, node: *mut Header) {
        let mut first = self.retired.load(Relaxed); // Relaxed: the compare-exchange decides.
        loop {
            // SAFETY: the node lives, and is in no list yet.
            unsafe { (*node).change(|retired| retired.link = first) };
            // Release: row a.
            match self.retired.compare_exchange(first, node, ord!("bin.a", Release), Relaxed) {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }

    /// As [`add`](Self::add), for a node just removed from the structure; whether there are enough
    /// now.
    ///
    /// # Safety
    ///
    /// As for `add`.
    pub(super) unsafe fn add_fresh(&self, node: *mut Header) -> bool {
        // SAFETY: by this function's contract.
        unsafe { self.add(node) };
        self.fresh.fetch_add(1, Relaxed) + 1 >= ENOUGH // Relaxed: row e.
    }

    /// Takes all retired nodes.
    fn take_retired(&self) -> List {
        // Acquire: row b.
        List { first: self.retired.swap(ptr::null_mut(), ord!("bin.b", Acquire)) }
    }

    /// Takes [`ENOUGH`] retired nodes at most.
    pub(super) fn take_enough(&self) -> List {
        self.fresh.store(0, Relaxed); // Relaxed: row e.
        let nodes = self.take_retired();
        for (node, _) in nodes.rest(ENOUGH) {
            // SAFETY: the list was ours, and the node is not in it any more.
            unsafe { self.add_fresh(node) };
        }
        nodes
    }

    /// Frees everything.
    ///
    /// # Safety
    ///
    /// Nobody else uses the structure any more, and `free` is that of its nodes.
    pub unsafe fn empty(&self, free: Free) {
        let spares = core::iter::from_fn(|| self.take_spare());
        for node in self.take_retired().map(|(node, _)| node).chain(spares) {
            // SAFETY: the caller has everything to itself.
            unsafe { free(node) };
        }
    }
}

/// Nodes that are one thread's, linked by their headers.
pub(super) struct List {
    first: *mut Header,
}

impl List {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// Cuts the list after so many nodes: those behind them.
    fn rest(&self, mut count: u32) -> Self {
        let mut rest = Self { first: ptr::null_mut() };
        self.visit(|_, retired| {
            count = count.saturating_sub(1);
            if count == 0 {
                // Once, as it ends the visit.
                rest.first = core::mem::replace(&mut retired.link, ptr::null_mut());
            }
        });
        rest
    }

    /// Finds out which nodes are in use: this one is.
    pub(super) fn find(&self, in_use: *mut Header) {
        self.visit(|node, retired| retired.in_use |= ptr::eq(node, in_use));
    }

    fn visit(&self, mut visit: impl FnMut(*mut Header, &mut Retired)) {
        let mut node = self.first;
        // SAFETY: the list is ours, so its nodes live.
        while let Some(header) = unsafe { node.as_ref() } {
            // SAFETY: in our list.
            node = unsafe {
                header.change(|retired| {
                    visit(node, retired);
                    retired.link
                })
            };
        }
    }
}

impl Iterator for List {
    type Item = (*mut Header, bool);

    /// Takes the first node, and says whether it is in use.
    fn next(&mut self) -> Option<(*mut Header, bool)> {
        let node = self.first;
        // SAFETY: as in `visit`; nodes already taken are not looked at.
        let header = unsafe { node.as_ref() }?;
        // SAFETY: in our list.
        unsafe {
            header.change(|retired| {
                self.first = retired.link;
                Some((node, core::mem::take(&mut retired.in_use)))
            })
        }
    }
}

impl Default for Bin {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for Header {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Bin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Bin").field("nodes", &self.nodes()).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Header {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Header").finish_non_exhaustive()
    }
}
