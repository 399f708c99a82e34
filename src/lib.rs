//! Futex locks, bounded queues and a bounded thread pool for Linux.
//!
//! Everything here is built directly on the `futex` system call and on atomics whose orderings are
//! written down one by one, and is model-checked with [loom] from the very source that ships.
//!
//! ```
//! use lockwork::Mutex;
//! use lockwork::pool::{RejectionPolicy, ThreadPool};
//!
//! static LONGEST: Mutex<String> = Mutex::new(String::new());
//!
//! let pool = ThreadPool::builder()
//!     .threads(2)
//!     .queue_capacity(8)
//!     .rejection(RejectionPolicy::CallerRuns) // a full queue slows the producer down
//!     .build()?;
//! for word in "a queue that is full pushes back on whoever fills it".split(' ') {
//!     pool.execute(move || {
//!         let mut longest = LONGEST.lock();
//!         if word.len() > longest.len() {
//!             *longest = word.to_owned();
//!         }
//!     })
//!     .expect("the pool was not shut down");
//! }
//! drop(pool); // drains the queue and joins the threads
//! assert_eq!(*LONGEST.lock(), "whoever");
//! # Ok::<(), lockwork::pool::BuildError>(())
//! ```
//!
//! # What is here
//!
//! | type | for | size |
//! |---|---|---|
//! | [`Mutex`] | one value, one owner at a time | 4 bytes and the value |
//! | [`FairMutex`] | the same, handed to whoever sleeps for it | 4 bytes and the value |
//! | [`ReentrantMutex`] | the same, for a thread that may have it already | 16 bytes and the value |
//! | [`RwLock`] | one value, many readers or one writer | 4 bytes and the value |
//! | [`RecursiveRwLock`] | the same for threads that read while they read | 4 bytes and the value |
//! | [`Condvar`] | waiting until the value of a mutex has changed | 16 bytes |
//! | [`CondvarAny`] | the same with the guards of any of these locks | 16 bytes |
//! | [`Semaphore`] | at most so many at a time; counting what is made and used up | 16 bytes |
//! | [`FairSemaphore`] | the same, first come, first served, also for several permits at once | 32 bytes |
//! | [`Event`] | waiting until something has happened, all or one by one | 4 bytes |
//! | [`Latch`] | waiting until so many steps are done, once | 4 bytes |
//! | [`WaitGroup`] | waiting until nothing is under way | 8 bytes |
//! | [`Barrier`] | meeting, again and again | 8 bytes |
//! | [`wait_any`] | the first of several events, semaphores, latches and groups | |
//! | [`PiMutex`] | one value for real-time threads: its owner inherits the priority of who waits | 8 bytes and the value |
//! | [`PiCondvar`] | waiting until the value of that has changed, by priority | 40 bytes |
//! | [`rt`] | scheduling class, priority, processors, locked memory | |
//! | [`SpinLock`] | a mutex whose waiters poll for longer | 4 bytes and the value |
//! | [`lock_all`], [`try_lock_all`] | several locks at once, without deadlock | |
//! | [`SeqLock`] | a small value that is read all the time; readers write nothing | 16 bytes and the value |
//! | [`Once`] | running a closure once | 4 bytes |
//! | [`OnceLock`], [`LazyLock`] | a value that is made once, and then read without a lock | 4 bytes and the value |
//! | [`cancel::CancelToken`] | telling threads to give up, and ending their waits | a pointer |
//! | [`Parker`] | putting one thread to sleep until somebody says go | a pointer |
//! | [`counter::StripedCounter`] | counting what happens all the time, on all processors | 32 bytes, and 128 for each processor |
//! | [`counter::BoundedCounter`], [`counter::Stamped`] | a number with limits; a small value with a stamp | 24 bytes; 8 bytes |
//! | [`queue::ArrayQueue`] | handing values over, also in batches; says "full" and "empty" at once | |
//! | [`queue::spsc`] | the same from one thread to another, without locked instructions | |
//! | [`queue::SegQueue`] | handing values over, without a bound; lock-free | |
//! | [`queue::BlockingQueue`] | handing values over; sleeps, with deadlines; can be closed | |
//! | [`queue::channel`] | the same, by two ends that close when they are dropped | |
//! | [`stack::ArrayStack`], [`stack::TaggedStack`] | keeping values for whoever comes next; lock-free, in batches too | |
//! | [`pool::ThreadPool`] | running closures, with a bound on how many wait | |
//! | [`pool::sizing`], [`pool::SignalThread`] | how many threads; one thread that takes the signals | |
//! | [`Deadline`] | points in time, also where there is no `std` | 8 bytes |
//!
//! # Which one should I use?
//!
//! At length: [`guide::choosing`]. In short:
//!
//! One value, several threads: [`Mutex`]; a [`FairMutex`] if everybody's next turn matters more
//! than the number of turns. Threads with real-time priorities: [`PiMutex`] and [`PiCondvar`].
//! Functions that lock and call each other: [`ReentrantMutex`]. Wait
//! until it is in some state: [`Condvar`], or [`CondvarAny`] with other locks. Wait for a moment,
//! without a value: an [`Event`], which may come again; a [`Latch`] for a number of steps known
//! beforehand, a [`WaitGroup`] for one that is not; a [`Barrier`] where all wait for all;
//! [`wait_any`] for whichever of them comes first. A limit
//! on how many do something at a time: [`Semaphore`]. A stream of values from some threads to
//! others: [`queue::BlockingQueue`]. Closures to run, and a limit on the backlog:
//! [`pool::ThreadPool`]. Long reads of a value that seldom changes: [`RwLock`]; a few words, read
//! all the time: [`SeqLock`]; made once and never changed: [`OnceLock`], or a [`LazyLock`] in a
//! `static`.
//! Splitting one loop over all cores: rayon. A `select!` that also sends:
//! crossbeam-channel. Holding a lock across an `.await`: tokio. Other systems than Linux:
//! `std::sync` or `parking_lot`.
//!
//! # What all of it has in common
//!
//! * **No global state**: a lock is its word. (A [`PiMutex`] and a [`ReentrantMutex`] also ask
//!   which thread it is.) It can guard a global allocator, and one that is free when a process
//!   forks works in the child.
//! * **No system call where nobody waits**, and no spurious wake-ups from [`Condvar`], [`Parker`]
//!   and the queues.
//! * **Deadlines are absolute** inside, so interruptions do not make time-outs drift. A time-out
//!   too long to represent means no limit.
//! * **Nothing is lost by refusal**: a value or closure that is not accepted comes back.
//! * **No poisoning.** A panic releases the lock, as in `parking_lot`. ([`Once`] and [`LazyLock`]
//!   are poisoned by one, as everywhere: what they promise has not come about.)
//! * **Locks stay with their thread**: guards are not `Send` (permits of semaphores are). They work
//!   until its very end: in the destructors of thread-locals too.
//!
//! # Features
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `std` | yes | [`pool`], [`counter::StripedCounter`], [`ReentrantMutex`], [`PiMutex`], [`PiCondvar`], [`rt`], conversions from `std::time::Instant` to [`Deadline`]; implies `alloc` |
//! | `alloc` | through `std` | [`queue`], [`stack`], [`Parker`], [`cancel`], guards and permits that own an `Arc` |
//! | `lock_api` | no | `RawMutex`, `RawRwLock`, `RawCondvar` and the others, for the types of `lock_api` 0.5; needs Rust 1.95 and implies `std` |
//! | `serde` | no | `Serialize` and `Deserialize` for the locks that hold data: as what they hold |
//! | `epoch` | no | `queue::reclaim::Epoch`: [`queue::SegQueue`] with crossbeam-epoch, to compare with; implies `std` |
//! | `tracing` | no | a span around each task of a [`pool`](pool#tracing); implies `std` |
//! | `loom` | no | with `--cfg loom`: all types on loom's model of memory, constructors no longer `const`; without that, nothing |
//!
//! Without features the crate needs neither `std` nor an allocator, and has [`Mutex`],
//! [`FairMutex`], [`SpinLock`], [`RwLock`], [`Condvar`], [`CondvarAny`], [`Semaphore`],
//! [`FairSemaphore`], [`Event`], [`Latch`], [`WaitGroup`], [`wait_any`], [`Barrier`], [`SeqLock`],
//! [`Once`], [`OnceLock`], [`LazyLock`], [`lock_all`], [`counter::BoundedCounter`],
//! [`counter::Stamped`] and [`Deadline`].
//!
//! # Platforms
//!
//! Linux on x86-64 and aarch64, with glibc or musl. Rust 1.85 or newer (1.95 with feature
//! `lock_api`). Kernel 4.14 or newer for the cheap way to notice a fork, 5.16 for the system call
//! of [`wait_any`]; older ones fall back.
//!
//! [loom]: https://docs.rs/loom
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    target_endian = "little",
    any(target_arch = "x86_64", target_arch = "aarch64"),
)))]
compile_error!(
    "lockwork works on Linux on x86-64 and aarch64 only: it talks to the kernel's futexes \
     directly. Use std::sync or parking_lot on this target."
);

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test, lockwork_chaos, lockwork_mutants, all(loom, feature = "loom")))]
extern crate std;

#[cfg(feature = "alloc")]
pub mod cancel;
pub mod counter;
#[cfg(feature = "std")]
pub mod pool;
mod primitive;
#[cfg(feature = "alloc")]
pub mod queue;
mod raw;
#[cfg(feature = "alloc")]
pub mod stack;
mod sync;
mod sys;

#[cfg(feature = "std")]
pub use primitive::PiError;
#[doc(hidden)]
pub use primitive::size_of_plain_field as __size_of_plain_field;
pub use primitive::{Deadline, PlainData};
#[cfg(feature = "alloc")]
pub use sync::ArcSpinLockGuard;
#[cfg(feature = "alloc")]
pub use sync::ArcWaitGroupToken;
pub use sync::lock_set;
#[cfg(feature = "std")]
pub use sync::rt;
pub use sync::rwlock;
#[cfg(feature = "alloc")]
pub use sync::rwlock::{ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard};
pub use sync::rwlock::{
    MappedRecursiveRwLockReadGuard, MappedRecursiveRwLockWriteGuard, MappedRwLockReadGuard,
    MappedRwLockWriteGuard, RecursiveRwLock, RecursiveRwLockReadGuard,
    RecursiveRwLockUpgradableReadGuard, RecursiveRwLockWriteGuard, RwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard,
};
pub use sync::semaphore;
#[cfg(feature = "alloc")]
pub use sync::semaphore::{ArcFairSemaphorePermit, ArcSemaphorePermit};
pub use sync::semaphore::{FairSemaphore, FairSemaphorePermit, Semaphore, SemaphorePermit};
#[cfg(feature = "alloc")]
pub use sync::{ArcFairMutexGuard, ArcMutexGuard, Parker, Unparker};
#[cfg(feature = "std")]
pub use sync::{ArcPiMutexGuard, MappedPiMutexGuard, PiCondvar, PiMutex, PiMutexGuard};
#[cfg(feature = "std")]
pub use sync::{
    ArcReentrantMutexGuard, MappedReentrantMutexGuard, ReentrantMutex, ReentrantMutexGuard,
};
pub use sync::{Barrier, BarrierError, BarrierWaitResult};
pub use sync::{Condvar, CondvarAny, WaitGuard, WaitTimeoutResult};
pub use sync::{CountError, Event, Latch, WaitGroup, WaitGroupToken};
pub use sync::{FairMutex, FairMutexGuard, MappedFairMutexGuard};
pub use sync::{LazyLock, Once, OnceLock, OnceState};
pub use sync::{MappedMutexGuard, Mutex, MutexGuard};
pub use sync::{MappedSpinLockGuard, SpinLock, SpinLockGuard};
pub use sync::{SeqLock, SeqLockGuard};
pub use sync::{Taken, TakenKind, Waitable, wait_any, wait_any_for, wait_any_until};
pub use sync::{lock_all, try_lock_all, try_lock_all_for, try_lock_all_until};

#[cfg(feature = "lock_api")]
primitive::except_in_model! {
    pub use ::lock_api;
    pub use raw::{
        RawCondvar, RawFairMutex, RawMutex, RawRwLock, RawRwLockRecursive, RawSpinLock, RawThreadId,
    };
}

primitive::export_model!(
    crate::raw::Any,
    crate::raw::EventCount,
    crate::raw::Seen,
    crate::raw::Mutex,
    crate::raw::PopError,
    crate::raw::Segments,
    crate::raw::Slot,
    crate::raw::reclaim::Bin,
    crate::raw::reclaim::Header,
    crate::raw::reclaim::End,
    crate::raw::reclaim::Keep,
);

/// Texts that are about more than one type.
#[cfg(all(any(doc, doctest), feature = "std"))]
pub mod guide {
    #[doc = include_str!("../docs/aba.md")]
    pub mod aba {}
    #[doc = include_str!("../docs/choosing.md")]
    pub mod choosing {}
    #[doc = include_str!("../docs/migrating.md")]
    pub mod migrating {}
}

/// The examples in README, which are tests too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
