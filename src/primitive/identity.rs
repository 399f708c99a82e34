//! Which process and which thread this is, also after a fork.
//!
//! A child of `fork` has a copy of every word but none of the other threads, and its one thread has
//! another id. State that names threads or points into their stacks therefore has to notice. The
//! kernel offers a way that costs no hook and no system call: a page marked `MADV_WIPEONFORK` reads
//! as zero in the child (also after a raw `clone` without `CLONE_VM`, which no `pthread_atfork`
//! handler sees). The page holds the *epoch* of this process; a process that finds zero there takes
//! the next number, so an epoch differs from that of every ancestor.
//!
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | publish the page | Release | b | its first epoch is written before it is found |
//! | b | load the page's address | Acquire | a | see that epoch rather than zero |
//! | c | the epoch on the page, the last epoch | Relaxed | - | a number by itself; one CAS decides |

use core::ptr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU32};

use crate::sys;

/// The wiped page, once there is one. `FALLBACK` where the kernel has none to give.
static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());

/// The epoch taken last by this process or an ancestor; an ordinary word, so a child inherits it.
static LAST_EPOCH: AtomicU32 = AtomicU32::new(0);

/// Stands for "no such page": its address is compared, it is never read.
static FALLBACK: AtomicU32 = AtomicU32::new(0);

/// A number that is never zero, the same for all threads of a process, and different in a child
/// from every process it descends from.
///
/// Costs two loads. Where `MADV_WIPEONFORK` is missing (before Linux 4.14) it is the process id,
/// which costs a system call and could repeat in a descendant after the ids wrap.
#[inline]
pub(crate) fn fork_epoch() -> u32 {
    // Acquire: row b.
    let page = PAGE.load(Acquire);
    if !page.is_null() && !ptr::eq(page, &raw const FALLBACK) {
        // SAFETY: the page is mapped for as long as the process lives, in children too, and holds
        // an `AtomicU32` at its start; all zero bytes are one.
        let epoch = unsafe { (*page).load(Relaxed) }; // Relaxed: row c.
        if epoch != 0 {
            return epoch;
        }
    }
    fork_epoch_slow(page)
}

#[cold]
fn fork_epoch_slow(page: *mut AtomicU32) -> u32 {
    let page = if page.is_null() { map_page() } else { page };
    if ptr::eq(page, &raw const FALLBACK) {
        return sys::fork::pid();
    }
    // SAFETY: as in `fork_epoch`.
    let word = unsafe { &*page };
    // The threads of a fresh child may race here, and each takes a number; the first to write its
    // own decides for all. Relaxed: row c.
    let fresh = LAST_EPOCH.fetch_add(1, Relaxed).wrapping_add(1).max(1);
    match word.compare_exchange(0, fresh, Relaxed, Relaxed) {
        Ok(_) => fresh,
        Err(taken) => taken,
    }
}

/// Maps the page, or settles for the fall-back; another thread may have been first.
fn map_page() -> *mut AtomicU32 {
    let fallback = (&raw const FALLBACK).cast_mut();
    let fresh =
        sys::fork::wipe_on_fork_page().map_or(fallback, |page| page.as_ptr().cast::<AtomicU32>());
    // A page that loses the race stays mapped, unused: once in a process, and unmapping it would
    // need a rule for a fork that comes in between. Release, Acquire: rows a and b.
    match PAGE.compare_exchange(ptr::null_mut(), fresh, Release, Acquire) {
        Ok(_) => fresh,
        Err(first) => first,
    }
}

/// Whether this process may have words that were written before a fork: not if its epoch is the
/// first one there was.
#[cfg(feature = "std")]
pub(crate) fn is_forked() -> bool {
    fork_epoch() != 1
}

/// The kernel's id of the calling thread, from a cache that does not survive a fork.
#[cfg(feature = "std")]
#[inline]
pub(crate) fn thread_id() -> u32 {
    use core::cell::Cell;
    std::thread_local! {
        /// `{fork epoch, thread id}` of the last look; epoch 0 is none.
        static CACHE: Cell<(u32, u32)> = const { Cell::new((0, 0)) };
    }
    let epoch = fork_epoch();
    // `try_with`: locks are used in destructors of thread locals. This one has none itself, so it
    // stays usable, but that is not promised; the system call is right in any case.
    CACHE
        .try_with(|cache| match cache.get() {
            (cached_epoch, id) if cached_epoch == epoch => id,
            _ => {
                let id = sys::thread::tid();
                cache.set((epoch, id));
                id
            }
        })
        .unwrap_or_else(|_| sys::thread::tid())
}

/// A number that no other call in this process returns, and never zero.
#[cfg(feature = "std")]
pub(crate) fn unique_id() -> u64 {
    static LAST: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);
    LAST.fetch_add(1, Relaxed) + 1 // Relaxed: a number by itself.
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_is_one_number_for_all_threads() {
        let mine = fork_epoch();
        assert_ne!(mine, 0);
        let theirs = std::thread::spawn(fork_epoch).join().unwrap();
        assert_eq!(mine, theirs);
        assert_eq!(mine, fork_epoch());
    }

    #[test]
    fn thread_ids_differ_and_are_the_kernels() {
        assert_eq!(thread_id(), sys::thread::tid());
        assert_eq!(thread_id(), sys::thread::tid(), "from the cache");
        let (cached, fresh) =
            std::thread::spawn(|| (thread_id(), sys::thread::tid())).join().unwrap();
        assert_eq!(cached, fresh);
        assert_ne!(cached, thread_id());
    }

    /// In a process of its own, as a fork copies whatever the other tests are in the middle of.
    #[test]
    fn neither_survives_a_fork() {
        use crate::sys::testing::{fork, in_child};
        if !in_child(module_path!(), "neither_survives_a_fork") {
            return;
        }
        let (epoch, id) = (fork_epoch(), thread_id());
        let checks = |epoch: u32, id: u32| {
            let own = sys::thread::tid();
            // Twice each: the first look fills what the second finds.
            let news = fork_epoch() != epoch && thread_id() != id;
            u8::from(news && fork_epoch() == fork_epoch() && thread_id() == own)
        };
        let status = fork(|| {
            let child = checks(epoch, id);
            let (child_epoch, child_id) = (fork_epoch(), thread_id());
            let grandchild =
                fork(|| u8::from(checks(child_epoch, child_id) == 1 && fork_epoch() != epoch));
            child + 2 * grandchild
        });
        assert_eq!(status, 3, "bit 0: the child, bit 1: its child");
        assert_eq!((fork_epoch(), thread_id()), (epoch, id), "the parent keeps its own");
    }

    #[test]
    fn numbers_are_unique() {
        let theirs = std::thread::spawn(unique_id).join().unwrap();
        let (mine, again) = (unique_id(), unique_id());
        assert!(mine != 0 && mine != again && theirs != mine && theirs != again);
    }
}
