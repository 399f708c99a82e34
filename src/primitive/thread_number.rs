//! A number for each thread that has ever asked, for locks that remember their owner.

use core::cell::Cell;

use super::{thread_locals, unique_id};

thread_locals! {
    /// Zero until the thread asks.
    static NUMBER: Cell<u64> = Cell::new(0);
}

/// The calling thread's number: never zero, and never another thread's, not even that of one that
/// has ended.
///
/// After a fork, the child's one thread keeps the number of the thread that forked. That is right,
/// where it would not be for the kernel's ids: the child's thread carries on with the stack of the
/// one that forked, and thus with whatever that one owned; and the numbers of all other threads of
/// the parent are never given out in the child, as it also has the count of those given out.
#[inline]
pub(crate) fn thread_number() -> u64 {
    // Asked for in destructors of thread locals too: having no destructor itself, it is not gone
    // by then.
    NUMBER.with(|number| match number.get() {
        0 => {
            let fresh = unique_id();
            number.set(fresh);
            fresh
        }
        known => known,
    })
}

#[cfg(all(test, not(all(loom, feature = "loom"))))]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_one_of_its_own() {
        let mine = thread_number();
        assert_ne!(mine, 0);
        assert_eq!(thread_number(), mine);
        let theirs: [u64; 3] =
            core::array::from_fn(|_| std::thread::spawn(thread_number).join().unwrap());
        assert!(!theirs.contains(&mine) && !theirs.contains(&0));
        assert!(theirs[0] != theirs[1] && theirs[1] != theirs[2] && theirs[0] != theirs[2]);
    }

    /// The thread that goes on in the child is known by its number; new ones are no old ones.
    #[test]
    fn a_fork_keeps_it() {
        use crate::sys::testing::{fork, in_child};
        if !in_child(module_path!(), "a_fork_keeps_it") {
            return;
        }
        let mine = thread_number();
        let other = std::thread::spawn(thread_number).join().unwrap();
        let status = fork(|| {
            let fresh = std::thread::spawn(thread_number).join().unwrap();
            u8::from(thread_number() == mine && fresh != mine && fresh != other)
        });
        assert_eq!(status, 1);
        assert_eq!(thread_number(), mine);
    }
}
