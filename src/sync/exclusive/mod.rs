//! What `Mutex`, `SpinLock`, `FairMutex` and `ReentrantMutex` have in common: all their methods.
//!
//! The four have one shape: a raw lock, the data, and three guards. Each type, the proof of its
//! auto traits and what is special about it stand in a file of their own; the methods are written
//! here, once, and filled in by macros, with the names of the type also in the documentation. A
//! generic type behind three aliases would need no macros, and would show its inner names in every
//! error message and on every page.
//!
//! | argument | what it is |
//! |---|---|
//! | `lock`, `guard`, `mapped`, `arc` | names of the public types |
//! | `raw` | the raw lock, with the methods of [`raw::Mutex`](crate::raw::Mutex) |
//! | `unlock` | the method of `raw` with which a guard that is dropped unlocks |
//! | `relock` | the one with which `unlocked` takes back what it gave |
//! | `way` | what a condition variable does with `raw`: a [`Relock`](crate::raw::Relock) |
//! | `track` | how the model sees the accesses of a guard: a method of `UnsafeCell` |
//! | `access` | `[mut]` if a guard is the only one, `[]` if there may be several of a thread |
//! | `whole` | what a guard calls the lock that it came from |
//! | `taken`, `panics`, `levels`, `example` | words and lines for the documentation |
//!
//! Guards are made of what they share: `access` is in all of them, `map` in those that borrow,
//! `whole` in those that know their lock.
//!
//! # Invariants
//!
//! 1. A guard stands for one acquisition of the raw lock by the thread that has the guard. It ends
//!    with the one release of that acquisition: in `drop`, in `unlock_fair`, or not at all.
//! 2. `into_parts` hands the acquisition on with the parts, and drops nothing.
//! 3. With `[mut]` there is one guard at a time, so it stands for exclusive access to the data.
//!    With `[]` all guards there are belong to one thread, and give out shared references only.

mod access;
mod arc;
mod data;
mod guard;
mod lock;
mod map;
mod mapped;
mod whole;

pub(super) use access::guard_traits;
#[cfg(feature = "alloc")]
pub(super) use arc::arc_guard_methods;
pub(super) use data::lock_data_methods;
pub(super) use guard::guard_methods;
pub(super) use lock::lock_methods;
pub(super) use map::map_methods;
pub(super) use mapped::mapped_guard_methods;
pub(super) use whole::whole_guard_methods;

/// Runs its closure when it is dropped, by unwinding too.
pub(super) struct OnDrop<F: FnMut()>(pub(super) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// The borrow that `access` says, for the examples.
macro_rules! borrow {
    ([mut]) => {
        "&mut "
    };
    ([]) => {
        "&"
    };
}
pub(super) use borrow;
