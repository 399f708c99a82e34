//! Nodes that are never freed before their stack, and what they are called.
//!
//! A thread that has read the name of a node may come back to it at any time, long after others
//! have used it for something else. So nodes keep their place and their type from the moment in
//! which somebody else can know their name until the arena is dropped.

use alloc::alloc::{Layout, handle_alloc_error};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::MaybeUninit;
use core::{fmt, ptr};

use crate::primitive::Ordering::Relaxed;
use crate::primitive::{AtomicPtr, IndexWord, TaggedWord, UnsafeCell, WideWord, tuning};

/// A place for a value, and the link to the next node of whatever list this one is in.
pub struct Node<T, W: TaggedWord> {
    pub(super) link: W::Link,
    pub(super) value: UnsafeCell<MaybeUninit<T>>,
}

impl<T, W: TaggedWord> Node<T, W> {
    fn new() -> Self {
        Self { link: W::link(), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }
}

/// `count` nodes in a row, if there is memory for them.
fn nodes<T, W: TaggedWord>(count: usize) -> Option<Box<[Node<T, W>]>> {
    let mut nodes = Vec::new();
    nodes.try_reserve_exact(count).ok()?;
    nodes.extend((0..count).map(|_| Node::new()));
    Some(nodes.into_boxed_slice())
}

#[cold]
fn no_memory<N>(count: usize) -> ! {
    match Layout::array::<N>(count) {
        Ok(layout) => handle_alloc_error(layout),
        Err(_) => panic!("lockwork: a stack cannot have {count} nodes more"),
    }
}

/// Where the nodes are.
///
/// # Safety
///
/// `node` finds every node that `more` has given out, at the same place each time, until the arena
/// is dropped.
pub unsafe trait Arena<T>: Send + Sync {
    /// The words that name its nodes.
    type Word: TaggedWord;

    /// The node of that name.
    ///
    /// # Safety
    ///
    /// The caller has the name from `more`, or from somebody whose call of `more` happens before
    /// this one.
    unsafe fn node(&self, name: Name<T, Self>) -> &Node<T, Self::Word>;

    /// Names of nodes that nobody has yet: no names if somebody else has just been given some, and
    /// `None` if there will be no more.
    fn more(&self) -> Option<impl Iterator<Item = Name<T, Self>>>;

    /// How many nodes there are.
    fn capacity(&self) -> usize;
}

/// What an arena calls its nodes.
pub type Name<T, A> = <<A as Arena<T>>::Word as TaggedWord>::Name;

/// What a list of its nodes begins with.
pub type Head<T, A> = <<A as Arena<T>>::Word as TaggedWord>::Head;

/// As many nodes as it was made with.
pub struct Fixed<T> {
    nodes: Box<[Node<T, IndexWord>]>,
}

// SAFETY: nodes are places; what is in them belongs to the stack.
unsafe impl<T> Send for Fixed<T> {}
// SAFETY: as for `Send`.
unsafe impl<T> Sync for Fixed<T> {}

impl<T> Fixed<T> {
    /// `None` if there is no memory for them.
    pub(super) fn new(capacity: usize) -> Option<Self> {
        Some(Self { nodes: nodes(capacity)? })
    }

    /// The names of all nodes, for whoever has just made the arena.
    pub(super) fn all(&self) -> impl Iterator<Item = u32> + use<T> {
        0..self.nodes.len() as u32
    }
}

// SAFETY: the nodes are in one box from beginning to end.
unsafe impl<T> Arena<T> for Fixed<T> {
    type Word = IndexWord;

    #[inline]
    unsafe fn node(&self, name: u32) -> &Node<T, IndexWord> {
        debug_assert!((name as usize) < self.nodes.len());
        // SAFETY: by the caller's contract it is one of `all`, the indices of this box.
        unsafe { self.nodes.get_unchecked(name as usize) }
    }

    fn more(&self) -> Option<impl Iterator<Item = u32>> {
        None::<core::iter::Empty<u32>>
    }

    fn capacity(&self) -> usize {
        self.nodes.len()
    }
}

/// Nodes in chunks, each twice as large as the one before.
///
/// Chunk *c* has the nodes with the numbers `FIRST * (2^c - 1)` to `FIRST * (2^(c+1) - 1)`, less
/// one. Chunks are added at the end, by a compare-exchange of their place in the table; whoever
/// loses has made one in vain and frees it, which nobody else has seen.
pub struct Growing<T, W: TaggedWord = WideWord> {
    chunks: [AtomicPtr<Node<T, W>>; CHUNKS],
}

/// Nodes of the first chunk. One in the model, so that there is a second soon.
const FIRST: usize = tuning(32, 1) as usize;

/// More than there is memory for; and a table of less than half a kilobyte.
const CHUNKS: usize = tuning(48, 5) as usize;

// SAFETY: nodes are places; what is in them belongs to the stack.
unsafe impl<T, W: TaggedWord> Send for Growing<T, W> {}
// SAFETY: as for `Send`.
unsafe impl<T, W: TaggedWord> Sync for Growing<T, W> {}

impl<T, W: TaggedWord> Growing<T, W> {
    pub(super) fn new() -> Self {
        Self { chunks: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())) }
    }

    /// Nodes of chunk `c`, as far as there are names for them.
    fn chunk_len(c: usize) -> usize {
        (FIRST << c).min(W::MAX_NODES.saturating_sub(Self::first_of(c)))
    }

    /// The number of the first node of chunk `c`.
    fn first_of(c: usize) -> usize {
        FIRST * ((1 << c) - 1)
    }

    /// The chunks that are there. Relaxed: this is for those who count, and for `drop`, which is
    /// alone.
    fn present(&self) -> impl Iterator<Item = (usize, *mut Node<T, W>)> {
        let chunks = self.chunks.iter().map(|chunk| chunk.load(Relaxed)).enumerate();
        chunks.take_while(|(_, chunk)| !chunk.is_null())
    }
}

// SAFETY: a chunk is freed by `drop` only, and its place in the table changes once.
unsafe impl<T, W: TaggedWord> Arena<T> for Growing<T, W> {
    type Word = W;

    #[inline]
    unsafe fn node(&self, name: W::Name) -> &Node<T, W> {
        let address = W::address(name, |number| {
            let c = (number / FIRST + 1).ilog2() as usize;
            // Relaxed: by the caller's contract the store of this pointer happens before.
            let chunk = self.chunks[c].load(Relaxed);
            assert!(!chunk.is_null(), "a node whose chunk has not come here yet");
            chunk.wrapping_add(number - Self::first_of(c)).cast()
        });
        // SAFETY: the address of a node of a chunk, which lives as long as `self`; its making
        // happens before, by the caller's contract.
        unsafe { &*address.cast() }
    }

    fn more(&self) -> Option<impl Iterator<Item = W::Name>> {
        let c = self.chunks.iter().position(|chunk| chunk.load(Relaxed).is_null())?;
        let len = Self::chunk_len(c);
        if len == 0 {
            return None;
        }
        let chunk = match nodes::<T, W>(len) {
            Some(chunk) => Box::into_raw(chunk),
            None => no_memory::<Node<T, W>>(len),
        };
        let first = chunk.cast::<Node<T, W>>();
        // Relaxed: others get at the chunk by way of its names, which are handed over with release
        // and acquire.
        let place = &self.chunks[c];
        let added = match place.compare_exchange(ptr::null_mut(), first, Relaxed, Relaxed) {
            Ok(_) => 0..len,
            Err(_) => {
                // SAFETY: made above, and never shown to anybody.
                drop(unsafe { Box::from_raw(chunk) });
                0..0
            }
        };
        Some(added.map(move |i| W::name_of(Self::first_of(c) + i, first.wrapping_add(i).cast())))
    }

    fn capacity(&self) -> usize {
        self.present().map(|(c, _)| Self::chunk_len(c)).sum()
    }
}

impl<T, W: TaggedWord> Drop for Growing<T, W> {
    fn drop(&mut self) {
        for (c, chunk) in self.present() {
            let chunk = ptr::slice_from_raw_parts_mut(chunk, Self::chunk_len(c));
            // SAFETY: made by `more` with this length, and nobody has a name of it any more.
            drop(unsafe { Box::from_raw(chunk) });
        }
    }
}

impl<T, W: TaggedWord> fmt::Debug for Node<T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Fixed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixed").field("capacity", &self.capacity()).finish()
    }
}

impl<T, W: TaggedWord> fmt::Debug for Growing<T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Growing").field("capacity", &self.capacity()).finish()
    }
}
