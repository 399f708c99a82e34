//! Adapters: barriers, groups, and tokens for one thread, behind small traits.

use std::cell::UnsafeCell;

/// A meeting point.
pub trait Meeting: Send + Sync {
    /// For `parties` threads.
    fn of(parties: usize) -> Self;

    /// Waits for all; says whether this is the leader.
    fn meet(&self) -> bool;
}

impl Meeting for lockwork::Barrier {
    fn of(parties: usize) -> Self {
        Self::new(parties)
    }

    #[inline]
    fn meet(&self) -> bool {
        self.wait().expect("nobody gives up").is_leader()
    }
}

impl Meeting for std::sync::Barrier {
    fn of(parties: usize) -> Self {
        Self::new(parties)
    }

    #[inline]
    fn meet(&self) -> bool {
        self.wait().is_leader()
    }
}

/// `pthread_barrier_t`. Boxed: it must not be moved.
#[derive(Debug)]
pub struct PthreadBarrier(Box<UnsafeCell<libc::pthread_barrier_t>>);

// SAFETY: it is made for use by several threads.
unsafe impl Send for PthreadBarrier {}
// SAFETY: as for `Send`.
unsafe impl Sync for PthreadBarrier {}

impl Meeting for PthreadBarrier {
    fn of(parties: usize) -> Self {
        // SAFETY: plain bytes, which are initialised below.
        let barrier = Box::new(UnsafeCell::new(unsafe { std::mem::zeroed() }));
        let parties = u32::try_from(parties).expect("a few");
        // SAFETY: the memory is this function's own, and stays where it is.
        let status =
            unsafe { libc::pthread_barrier_init(barrier.get(), std::ptr::null(), parties) };
        assert_eq!(status, 0);
        Self(barrier)
    }

    #[inline]
    fn meet(&self) -> bool {
        // SAFETY: initialised in `of`.
        unsafe { libc::pthread_barrier_wait(self.0.get()) == libc::PTHREAD_BARRIER_SERIAL_THREAD }
    }
}

impl Drop for PthreadBarrier {
    fn drop(&mut self) {
        // SAFETY: initialised in `of`, and nobody has it any more.
        unsafe { libc::pthread_barrier_destroy(self.0.get()) };
    }
}

/// Something that one thread sleeps for and another one gives, made in the thread that sleeps.
pub trait Token {
    /// What the other thread needs.
    type Giver: Send + Sync;

    /// Without the token.
    fn new() -> Self;

    /// For the other thread.
    fn giver(&self) -> Self::Giver;

    /// Sleeps for it.
    fn take(&self);

    /// Gives it.
    fn give(giver: &Self::Giver);
}

impl Token for std::sync::Arc<lockwork::Event> {
    type Giver = Self;

    fn new() -> Self {
        Self::new(lockwork::Event::auto())
    }

    fn giver(&self) -> Self {
        self.clone()
    }

    #[inline]
    fn take(&self) {
        self.wait();
    }

    #[inline]
    fn give(giver: &Self) {
        giver.set();
    }
}

macro_rules! parker {
    ($library:ident $(:: $module:ident)*) => {
        impl Token for $library $(:: $module)* :: Parker {
            type Giver = $library $(:: $module)* :: Unparker;

            fn new() -> Self {
                Self::new()
            }

            fn giver(&self) -> Self::Giver {
                self.unparker().clone()
            }

            #[inline]
            fn take(&self) {
                self.park();
            }

            #[inline]
            fn give(giver: &Self::Giver) {
                giver.unpark();
            }
        }
    };
}

parker!(lockwork);
parker!(crossbeam_utils::sync);

/// The standard library's token of each thread.
#[derive(Debug)]
pub struct StdPark;

impl Token for StdPark {
    type Giver = std::thread::Thread;

    fn new() -> Self {
        Self
    }

    fn giver(&self) -> Self::Giver {
        std::thread::current()
    }

    #[inline]
    fn take(&self) {
        // May return without: the other thread's turn is then looked for in vain, and it parks
        // again, as the token is a turn only if it was given.
        std::thread::park();
    }

    #[inline]
    fn give(giver: &Self::Giver) {
        giver.unpark();
    }
}
