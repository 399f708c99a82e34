//! The nodes of one structure that it does not use, or may not use yet.
//!
//! Each structure has a [`Bin`]: the nodes that it has retired, and up to two spare ones.
//!
//! # State words
//!
//! ```text
//! retired   a list: nodes are added at its front and taken all at once, so that nobody who adds
//!           one can be confused by an address that has been here before; all but the last few are
//!           put back. So each comes to be among the last, whatever is found in use again and again
//! spares    a node or null; taken by a swap, put by a compare-exchange from null
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
//! | e | `nodes` | Relaxed | - | says when to do something, not what |

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

/// A look at everybody's hazards is about no more nodes than these: who is stopped in the middle of
/// it keeps them.
const ENOUGH: u32 = 2;

/// The nodes of one structure that it does not use, or may not use yet.
pub struct Bin {
    retired: AtomicPtr<Header>,
    spares: [AtomicPtr<Header>; SPARES],
    nodes: AtomicU32,
}

impl Bin {
    model_const_fn! {
        /// An empty one.
        pub const fn new() -> Self {
            Self {
                retired: AtomicPtr::new(ptr::null_mut()),
                spares: [AtomicPtr::new(ptr::null_mut()), AtomicPtr::new(ptr::null_mut())],
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
    pub unsafe fn add(&self, node: *mut Header) {
        // SAFETY: a list of one node, which is in no other.
        unsafe { self.add_list(node, node) };
    }

    /// # Safety
    ///
    /// A list of the caller's, of this bin's nodes, with this first and this last one.
    unsafe fn add_list(&self, first: *mut Header, last: *mut Header) {
        let mut next = self.retired.load(Relaxed); // Relaxed: the compare-exchange decides.
        loop {
            // SAFETY: the list is the caller's, so its nodes live.
            unsafe { (*last).change(|retired| retired.link = next) };
            // Release: row a.
            match self.retired.compare_exchange(next, first, ord!("bin.a", Release), Relaxed) {
                Ok(_) => return,
                Err(now) => next = now,
            }
        }
    }

    /// Takes all retired nodes.
    fn take_retired(&self) -> List {
        // Acquire: row b.
        List { first: self.retired.swap(ptr::null_mut(), ord!("bin.b", Acquire)) }
    }

    /// Takes [`ENOUGH`] retired nodes at most: those that have waited for longest.
    pub(super) fn take_enough(&self) -> List {
        let mut nodes = self.take_retired();
        if let Some((first, last)) = nodes.cut(ENOUGH) {
            // SAFETY: the list was ours, and these are not in it any more.
            unsafe { self.add_list(first, last) };
        }
        nodes
    }

    /// Keeps those nodes that nobody was seen looking at, and takes the others back.
    ///
    /// # Safety
    ///
    /// The nodes were retired and are this bin's, nobody else has the address of those not in use,
    /// and `free` is theirs.
    pub(super) unsafe fn sort(&self, nodes: List, free: Free) {
        for (node, in_use) in nodes {
            // SAFETY: the list was ours, and so is the node; and by this function's contract.
            unsafe { if in_use { self.add(node) } else { self.keep(node, free) } }
        }
    }

    /// Takes them all back.
    ///
    /// # Safety
    ///
    /// They were retired, and are this bin's.
    pub(super) unsafe fn take_back(&self, nodes: List) {
        for (node, _) in nodes {
            // SAFETY: the list was ours, and so is the node.
            unsafe { self.add(node) };
        }
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

    /// Keeps the last ones, so many; the first and the last of the others, if there are any.
    fn cut(&mut self, keep: u32) -> Option<(*mut Header, *mut Header)> {
        let mut count = 0;
        self.visit(|_, _| count += 1);
        if count <= keep {
            return None;
        }
        let (first, mut last) = (self.first, self.first);
        for _ in 1..count - keep {
            last = Self::after(last);
        }
        self.first = Self::after(last);
        Some((first, last))
    }

    /// The one after a node of the list.
    fn after(node: *mut Header) -> *mut Header {
        // SAFETY: of a list that is ours, as the callers see to.
        unsafe { (*node).change(|retired| retired.link) }
    }

    /// Finds out which nodes are in use: this one is.
    pub(super) fn find(&self, in_use: *mut Header) {
        self.visit(|node, retired| retired.in_use |= ptr::eq(node, in_use));
    }

    /// Whether this is one of the nodes.
    pub(super) fn contain(&self, node: *mut Header) -> bool {
        let mut found = false;
        self.visit(|one, _| found |= ptr::eq(one, node));
        found
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

#[cfg(test)]
pub(super) mod tests {
    use alloc::boxed::Box;
    use alloc::vec::Vec;

    use super::*;

    pub(in super::super) fn node() -> *mut Header {
        Box::into_raw(Box::new(Header::new()))
    }

    /// # Safety
    ///
    /// From `node`, and used by nobody.
    pub(in super::super) unsafe fn free(node: *mut Header) {
        // SAFETY: by this function's contract.
        drop(unsafe { Box::from_raw(node) });
    }

    /// Those that are found in use each time hide none of the others.
    #[test]
    fn each_node_comes_by() {
        let bin = Bin::new();
        let nodes: Vec<_> = (0..10).map(|_| node()).collect();
        let stuck = &nodes[3..6];
        for &node in &nodes {
            bin.count_node();
            // SAFETY: from `node`.
            unsafe { bin.add(node) };
        }
        for _ in 0..10 {
            let looked_at = bin.take_enough();
            stuck.iter().for_each(|&node| looked_at.find(node));
            // SAFETY: nobody else has any of them.
            unsafe { bin.sort(looked_at, free) };
        }
        assert_eq!(bin.nodes(), 3 + SPARES as u32);
        let left: Vec<_> = bin.take_retired().map(|(node, _)| node).collect();
        assert!(left.len() == 3 && stuck.iter().all(|node| left.contains(node)));
        // SAFETY: as above.
        unsafe {
            left.into_iter().for_each(|node| free(node));
            bin.empty(free);
        }
    }

    #[test]
    fn those_that_waited_for_longest_first() {
        let bin = Bin::new();
        for count in 0..6 {
            let nodes: Vec<_> = (0..count).map(|_| node()).collect();
            // SAFETY: from `node`.
            nodes.iter().for_each(|&node| unsafe { bin.add(node) });
            let mut taken = Vec::new();
            loop {
                let few: Vec<_> = bin.take_enough().map(|(node, _)| node).collect();
                assert!(few.len() <= ENOUGH as usize);
                if few.is_empty() {
                    break;
                }
                taken.extend(few.into_iter().rev());
            }
            assert_eq!(taken, nodes);
            // SAFETY: nobody else has any of them.
            nodes.into_iter().for_each(|node| unsafe { free(node) });
        }
    }
}
