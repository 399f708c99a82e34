//! What a thread needs to be a real-time one: a scheduling class and priority, a processor, memory
//! that stays in memory, and a stack that is there.
//!
//! A [`PiMutex`](crate::PiMutex) bounds how long an urgent thread waits for a lock; these see to it
//! that there are urgent threads at all. Each function says what it takes to be allowed to use it,
//! and so do its errors. See sched(7).
//!
//! ```
//! use lockwork::rt::{self, Priority, RtError, Scheduling};
//!
//! fn control_loop() -> Result<(), RtError> {
//!     rt::lock_memory(rt::Pages::ALL)?; // no page is fetched from a disk from here on
//!     rt::prefault_stack(64 << 10)?;
//!     rt::pin_to(&[*rt::cpus()?.last().expect("this thread runs on one")])?;
//!     rt::set_scheduling(Scheduling::Fifo(Priority::new(40).expect("between 1 and 99")))
//! }
//!
//! match std::thread::spawn(control_loop).join().unwrap() {
//!     Ok(()) => println!("real time"),
//!     Err(error) => println!("as good as it gets: {error}"),
//! }
//! # let _ = rt::unlock_memory();
//! ```
//!
//! # A thread that never sleeps
//!
//! Below a `SCHED_FIFO` thread nothing runs on its processor while it does, the kernel's own
//! threads included: one that loops without sleeping makes a machine with one processor useless.
//! The kernel leaves the others 5 % of the time by default
//! (`/proc/sys/kernel/sched_rt_runtime_us`).
//!
//! # In what order
//!
//! Memory first, as that takes long and needs none of the rest. The class last: whoever is moved to
//! a processor that real-time threads keep busy, without being one, does not come back from the
//! call. (Unless the thread shall begin to compete there at once: then the class first.)

use alloc::vec::Vec;
use core::fmt;
use core::hint::black_box;

use crate::primitive::rt::{self as kernel, Policy, Refusal};
use crate::primitive::thread_id;

/// A real-time priority: from 1, the least urgent, to 99.
///
/// ```
/// use lockwork::rt::Priority;
///
/// assert_eq!(Priority::new(40).map(Priority::get), Some(40));
/// assert!(Priority::new(0).is_none() && Priority::new(100).is_none());
/// assert!(Priority::MIN < Priority::MAX);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// 1, which is above all threads that are not real-time ones.
    pub const MIN: Self = Self(1);

    /// 99. Threads of the kernel that keep the machine alive have this one.
    pub const MAX: Self = Self(99);

    /// The priority of this number, if it is one from 1 to 99.
    ///
    /// ```
    /// assert!(lockwork::rt::Priority::new(99).is_some());
    /// ```
    #[must_use]
    pub const fn new(priority: u8) -> Option<Self> {
        if priority >= 1 && priority <= 99 { Some(Self(priority)) } else { None }
    }

    /// The number.
    ///
    /// ```
    /// assert_eq!(lockwork::rt::Priority::MAX.get(), 99);
    /// ```
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A scheduling class, with a priority where it has them.
///
/// ```
/// use lockwork::rt::{Priority, Scheduling};
///
/// assert_eq!(Scheduling::Fifo(Priority::MIN).priority(), Some(Priority::MIN));
/// assert_eq!(Scheduling::Normal.priority(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias("sched_setscheduler", "policy"))]
pub enum Scheduling {
    /// Shares the processor with all others of this kind: what threads begin with.
    #[doc(alias = "SCHED_OTHER")]
    Normal,
    /// The same for work that nobody waits for: is not favoured when it wakes up.
    #[doc(alias = "SCHED_BATCH")]
    Batch,
    /// Runs where there is nothing else to do.
    #[doc(alias = "SCHED_IDLE")]
    Idle,
    /// Runs until it sleeps or somebody more urgent comes.
    #[doc(alias = "SCHED_FIFO")]
    Fifo(Priority),
    /// The same, but takes turns with others of the same priority.
    #[doc(alias = "SCHED_RR")]
    RoundRobin(Priority),
}

impl Scheduling {
    /// The real-time priority, if it is a real-time class.
    ///
    /// ```
    /// assert_eq!(lockwork::rt::Scheduling::Idle.priority(), None);
    /// ```
    #[must_use]
    pub const fn priority(self) -> Option<Priority> {
        match self {
            Self::Fifo(priority) | Self::RoundRobin(priority) => Some(priority),
            Self::Normal | Self::Batch | Self::Idle => None,
        }
    }

    fn policy(self) -> Policy {
        match self {
            Self::Normal => Policy::Other,
            Self::Batch => Policy::Batch,
            Self::Idle => Policy::Idle,
            Self::Fifo(_) => Policy::Fifo,
            Self::RoundRobin(_) => Policy::RoundRobin,
        }
    }
}

impl fmt::Display for Scheduling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("SCHED_OTHER"),
            Self::Batch => f.write_str("SCHED_BATCH"),
            Self::Idle => f.write_str("SCHED_IDLE"),
            Self::Fifo(priority) => write!(f, "SCHED_FIFO with priority {priority}"),
            Self::RoundRobin(priority) => write!(f, "SCHED_RR with priority {priority}"),
        }
    }
}

/// Why the kernel did not do what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RtError {
    /// A real-time class takes `CAP_SYS_NICE`, or a limit (`RLIMIT_RTPRIO`, `ulimit -r`) as high as
    /// the priority.
    PriorityNotPermitted {
        /// What was asked for.
        asked: Scheduling,
        /// The limit of this process.
        limit: u64,
    },
    /// To be less nice takes `CAP_SYS_NICE`, or a limit (`RLIMIT_NICE`, `ulimit -e`) that allows
    /// it.
    NiceNotPermitted {
        /// What was asked for.
        asked: i8,
        /// The least that this process may have; 20 if the limit is 0.
        least: i8,
    },
    /// Another user's thread, or a call that a filter forbids.
    NotPermitted,
    /// Locking memory takes `CAP_IPC_LOCK`, or a limit (`RLIMIT_MEMLOCK`, `ulimit -l`) above what
    /// the process has mapped.
    MemoryLimit {
        /// The limit of this process in bytes.
        limit: u64,
    },
    /// The thread has ended.
    NoSuchThread,
    /// None of these processors is there, switched on, and allowed to this process.
    NoSuchCpu,
    /// The thread is of a class that [`Scheduling`] does not have, such as `SCHED_DEADLINE`.
    UnknownClass,
    /// The stack has no room for so much.
    StackTooSmall {
        /// Bytes that may be asked for.
        left: usize,
    },
    /// Anything else: the kernel's number of the error.
    Other {
        /// As `errno` has it.
        code: i32,
    },
}

impl RtError {
    fn new(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotPermitted | Refusal::AboveLimit => Self::NotPermitted,
            Refusal::NoSuchThread => Self::NoSuchThread,
            Refusal::Invalid => Self::NoSuchCpu,
            Refusal::NoMemory => Self::MemoryLimit { limit: kernel::memory_limit() },
            Refusal::Other(code) => Self::Other { code },
        }
    }
}

impl fmt::Display for RtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PriorityNotPermitted { asked, limit } => write!(
                f,
                "{asked} is not permitted: that takes CAP_SYS_NICE (root), or an RLIMIT_RTPRIO \
                 (ulimit -r) of at least the priority, where this process has {limit}"
            ),
            Self::NiceNotPermitted { asked, least } => write!(
                f,
                "a nice value of {asked} is not permitted: to lower it takes CAP_SYS_NICE (root), \
                 or an RLIMIT_NICE (ulimit -e) of at least {}, where this process has {}",
                20 - asked,
                20 - least
            ),
            Self::NotPermitted => f.write_str("not permitted"),
            Self::MemoryLimit { limit } => write!(
                f,
                "memory may not be locked: that takes CAP_IPC_LOCK (root), or an RLIMIT_MEMLOCK \
                 (ulimit -l) above what the process has mapped, where it has {limit} bytes"
            ),
            Self::NoSuchThread => f.write_str("the thread has ended"),
            Self::NoSuchCpu => f.write_str("none of these processors can be used by this process"),
            Self::UnknownClass => f.write_str("the thread has another scheduling class"),
            Self::StackTooSmall { left } => {
                write!(f, "the stack has no room for that; {left} bytes could be had")
            }
            Self::Other { code } => write!(f, "refused by the kernel (os error {code})"),
        }
    }
}

impl core::error::Error for RtError {}

/// A thread, for those who arrange its scheduling from outside.
///
/// The kernel's id, which it gives to another thread some time after this one has ended.
///
/// ```
/// use lockwork::rt::{Scheduling, ThreadId};
/// use std::sync::mpsc;
///
/// let (send, receive) = mpsc::channel();
/// let (stop, wait) = mpsc::channel::<()>();
/// let worker = std::thread::spawn(move || {
///     send.send(ThreadId::current()).unwrap();
///     let _ = wait.recv();
/// });
/// let id = receive.recv().unwrap();
/// id.set_scheduling(Scheduling::Batch)?;
/// assert_eq!(id.scheduling()?, Scheduling::Batch);
/// drop(stop);
/// worker.join().unwrap();
/// # Ok::<(), lockwork::rt::RtError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThreadId(u32);

impl ThreadId {
    /// The calling thread.
    ///
    /// ```
    /// use lockwork::rt::ThreadId;
    ///
    /// let other = std::thread::spawn(ThreadId::current).join().unwrap();
    /// assert_ne!(ThreadId::current(), other);
    /// ```
    #[doc(alias = "gettid")]
    #[must_use]
    pub fn current() -> Self {
        Self(thread_id())
    }

    /// Puts the thread into a class.
    ///
    /// # Errors
    ///
    /// [`PriorityNotPermitted`](RtError::PriorityNotPermitted) without the permission,
    /// [`NoSuchThread`](RtError::NoSuchThread), and [`NotPermitted`](RtError::NotPermitted) for
    /// another user's thread, or to leave `SCHED_IDLE` on an old kernel.
    ///
    /// ```
    /// use lockwork::rt::{Scheduling, ThreadId};
    ///
    /// ThreadId::current().set_scheduling(Scheduling::Normal)?;
    /// # Ok::<(), lockwork::rt::RtError>(())
    /// ```
    #[doc(alias("sched_setscheduler", "pthread_setschedparam"))]
    pub fn set_scheduling(self, scheduling: Scheduling) -> Result<(), RtError> {
        let priority = scheduling.priority().map_or(0, Priority::get);
        kernel::set_class(self.0, scheduling.policy(), priority).map_err(|refusal| match refusal {
            Refusal::NotPermitted if scheduling.priority().is_some() => {
                RtError::PriorityNotPermitted { asked: scheduling, limit: kernel::priority_limit() }
            }
            refusal => RtError::new(refusal),
        })
    }

    /// The class of the thread, and its priority there. (Not what it has inherited.)
    ///
    /// # Errors
    ///
    /// [`NoSuchThread`](RtError::NoSuchThread), and [`UnknownClass`](RtError::UnknownClass).
    ///
    /// ```
    /// println!("{}", lockwork::rt::ThreadId::current().scheduling()?);
    /// # Ok::<(), lockwork::rt::RtError>(())
    /// ```
    #[doc(alias("sched_getscheduler", "sched_getparam"))]
    pub fn scheduling(self) -> Result<Scheduling, RtError> {
        let (policy, number) =
            kernel::class(self.0).map_err(RtError::new)?.ok_or(RtError::UnknownClass)?;
        let priority = || Priority::new(number).ok_or(RtError::UnknownClass);
        Ok(match policy {
            Policy::Other => Scheduling::Normal,
            Policy::Batch => Scheduling::Batch,
            Policy::Idle => Scheduling::Idle,
            Policy::Fifo => Scheduling::Fifo(priority()?),
            Policy::RoundRobin => Scheduling::RoundRobin(priority()?),
        })
    }

    /// Sets the thread's share among threads of the ordinary classes: from -20, the largest, to 19;
    /// 0 is what threads begin with. What is beyond is moved to the end of that range. Real-time
    /// classes have no use for it, and keep it for later.
    ///
    /// # Errors
    ///
    /// [`NiceNotPermitted`](RtError::NiceNotPermitted), to lower it without the permission: also
    /// back to what it was. [`NoSuchThread`](RtError::NoSuchThread), and
    /// [`NotPermitted`](RtError::NotPermitted) for another user's thread.
    ///
    /// ```
    /// use lockwork::rt::ThreadId;
    ///
    /// let me = ThreadId::current();
    /// me.set_nice(me.nice()?)?;
    /// # Ok::<(), lockwork::rt::RtError>(())
    /// ```
    #[doc(alias("setpriority", "renice"))]
    pub fn set_nice(self, nice: i8) -> Result<(), RtError> {
        let asked = nice.clamp(-20, 19);
        kernel::set_nice(self.0, asked).map_err(|refusal| match refusal {
            Refusal::AboveLimit => RtError::NiceNotPermitted { asked, least: kernel::least_nice() },
            refusal => RtError::new(refusal),
        })
    }

    /// The thread's nice value.
    ///
    /// # Errors
    ///
    /// [`NoSuchThread`](RtError::NoSuchThread).
    ///
    /// ```
    /// assert!((-20..=19).contains(&lockwork::rt::ThreadId::current().nice()?));
    /// # Ok::<(), lockwork::rt::RtError>(())
    /// ```
    #[doc(alias = "getpriority")]
    pub fn nice(self) -> Result<i8, RtError> {
        kernel::nice(self.0).map_err(RtError::new)
    }

    /// Keeps the thread on these processors, of those that are there.
    ///
    /// # Errors
    ///
    /// [`NoSuchCpu`](RtError::NoSuchCpu) if none is, also for an empty list and for numbers above
    /// 1023; [`NoSuchThread`](RtError::NoSuchThread), [`NotPermitted`](RtError::NotPermitted).
    ///
    /// ```
    /// use lockwork::rt::ThreadId;
    ///
    /// let me = ThreadId::current();
    /// me.pin_to(&me.cpus()?)?; // where it was allowed before
    /// # Ok::<(), lockwork::rt::RtError>(())
    /// ```
    #[doc(alias("sched_setaffinity", "affinity", "taskset"))]
    pub fn pin_to(self, cpus: &[usize]) -> Result<(), RtError> {
        kernel::set_cpus(self.0, cpus).map_err(RtError::new)
    }

    /// The processors that the thread may run on, in order.
    ///
    /// # Errors
    ///
    /// [`NoSuchThread`](RtError::NoSuchThread); [`NoSuchCpu`](RtError::NoSuchCpu) on a machine with
    /// more than 1024.
    ///
    /// ```
    /// assert!(!lockwork::rt::ThreadId::current().cpus()?.is_empty());
    /// # Ok::<(), lockwork::rt::RtError>(())
    /// ```
    #[doc(alias("sched_getaffinity", "available_parallelism"))]
    pub fn cpus(self) -> Result<Vec<usize>, RtError> {
        kernel::cpus(self.0).map_err(RtError::new)
    }
}

/// Puts the calling thread into a class. Threads that it starts begin in the same.
///
/// # Errors
///
/// As [`ThreadId::set_scheduling`].
///
/// ```
/// use lockwork::rt::{self, Priority, RtError, Scheduling};
///
/// match rt::set_scheduling(Scheduling::Fifo(Priority::MIN)) {
///     Ok(()) => rt::set_scheduling(Scheduling::Normal)?,
///     Err(error @ RtError::PriorityNotPermitted { .. }) => println!("{error}"),
///     Err(error) => return Err(error),
/// }
/// # Ok::<(), RtError>(())
/// ```
#[doc(alias("sched_setscheduler", "pthread_setschedparam"))]
pub fn set_scheduling(scheduling: Scheduling) -> Result<(), RtError> {
    ThreadId::current().set_scheduling(scheduling)
}

/// The class of the calling thread.
///
/// # Errors
///
/// As [`ThreadId::scheduling`].
///
/// ```
/// println!("{}", lockwork::rt::scheduling()?);
/// # Ok::<(), lockwork::rt::RtError>(())
/// ```
pub fn scheduling() -> Result<Scheduling, RtError> {
    ThreadId::current().scheduling()
}

/// Sets the calling thread's nice value. Threads that it starts begin with the same.
///
/// # Errors
///
/// As [`ThreadId::set_nice`].
///
/// ```
/// use lockwork::rt;
///
/// std::thread::spawn(|| {
///     rt::set_nice(19)?; // only what nobody else has a use for
///     assert_eq!(rt::nice()?, 19);
///     Ok::<(), rt::RtError>(())
/// })
/// .join()
/// .unwrap()?;
/// # Ok::<(), rt::RtError>(())
/// ```
#[doc(alias("setpriority", "nice"))]
pub fn set_nice(nice: i8) -> Result<(), RtError> {
    ThreadId::current().set_nice(nice)
}

/// The calling thread's nice value.
///
/// # Errors
///
/// As [`ThreadId::nice`].
///
/// ```
/// println!("{}", lockwork::rt::nice()?);
/// # Ok::<(), lockwork::rt::RtError>(())
/// ```
#[doc(alias = "getpriority")]
pub fn nice() -> Result<i8, RtError> {
    ThreadId::current().nice()
}

/// Keeps the calling thread on these processors, of those that are there. Threads that it starts
/// begin with the same.
///
/// # Errors
///
/// As [`ThreadId::pin_to`].
///
/// ```
/// use lockwork::rt;
///
/// let first = rt::cpus()?[0];
/// std::thread::spawn(move || {
///     rt::pin_to(&[first])?;
///     assert_eq!(rt::cpus()?, [first]);
///     Ok::<(), rt::RtError>(())
/// })
/// .join()
/// .unwrap()?;
/// # Ok::<(), rt::RtError>(())
/// ```
pub fn pin_to(cpus: &[usize]) -> Result<(), RtError> {
    ThreadId::current().pin_to(cpus)
}

/// The processors that the calling thread may run on, in order.
///
/// # Errors
///
/// As [`ThreadId::cpus`].
///
/// ```
/// println!("may run on {:?}", lockwork::rt::cpus()?);
/// # Ok::<(), lockwork::rt::RtError>(())
/// ```
pub fn cpus() -> Result<Vec<usize>, RtError> {
    ThreadId::current().cpus()
}

/// Which pages [`lock_memory`] keeps.
///
/// ```
/// use lockwork::rt::Pages;
///
/// assert_ne!(Pages::ALL, Pages::WHEN_TOUCHED);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pages {
    future: bool,
    on_fault: bool,
}

impl Pages {
    /// Those that are mapped now, and all that will be. They are read in at once: whatever is
    /// mapped later takes that long to map.
    #[doc(alias = "MCL_FUTURE")]
    pub const ALL: Self = Self { future: true, on_fault: false };

    /// Those that are mapped now. They are read in at once.
    #[doc(alias = "MCL_CURRENT")]
    pub const MAPPED: Self = Self { future: false, on_fault: false };

    /// Those that are mapped now and will be, each from the moment on when it is touched first.
    /// Costs no memory that is not used, such as the large stacks of threads.
    #[doc(alias = "MCL_ONFAULT")]
    pub const WHEN_TOUCHED: Self = Self { future: true, on_fault: true };
}

/// Keeps the pages of the process in memory, so that no access waits for a disk.
///
/// Children of `fork` do not inherit it.
///
/// # Errors
///
/// [`MemoryLimit`](RtError::MemoryLimit) without the permission.
///
/// ```
/// use lockwork::rt::{self, Pages, RtError};
///
/// match rt::lock_memory(Pages::WHEN_TOUCHED) {
///     Ok(()) => rt::unlock_memory()?,
///     Err(error @ RtError::MemoryLimit { .. }) => println!("{error}"),
///     Err(error) => return Err(error),
/// }
/// # Ok::<(), RtError>(())
/// ```
#[doc(alias("mlockall", "mlock"))]
pub fn lock_memory(pages: Pages) -> Result<(), RtError> {
    let Pages { future, on_fault } = pages;
    kernel::lock_memory(kernel::Pages { current: true, future, on_fault }).map_err(|refusal| {
        match refusal {
            // The limit is zero.
            Refusal::NotPermitted => RtError::MemoryLimit { limit: kernel::memory_limit() },
            refusal => RtError::new(refusal),
        }
    })
}

/// Takes [`lock_memory`] back.
///
/// # Errors
///
/// Where a filter forbids the call.
///
/// ```
/// lockwork::rt::unlock_memory()?;
/// # Ok::<(), lockwork::rt::RtError>(())
/// ```
#[doc(alias("munlockall", "munlock"))]
pub fn unlock_memory() -> Result<(), RtError> {
    kernel::unlock_memory().map_err(RtError::new)
}

/// The smallest page of the machines this crate is for.
const PAGE: usize = 4096;

/// What is left below: the frames of this module, and whatever a signal handler needs.
const RESERVE: usize = 16 << 10;

/// Touches so many bytes of the calling thread's stack, below what is in use, so that they are
/// there when they are needed. With [`lock_memory`] they also stay.
///
/// # Errors
///
/// [`StackTooSmall`](RtError::StackTooSmall) if the stack has no room for that, and nothing is
/// touched.
///
/// ```
/// use lockwork::rt::{self, RtError};
///
/// rt::prefault_stack(32 << 10)?;
/// let refused = rt::prefault_stack(usize::MAX).unwrap_err();
/// assert!(matches!(refused, RtError::StackTooSmall { .. }));
/// # Ok::<(), RtError>(())
/// ```
#[doc(alias("stack", "page fault"))]
pub fn prefault_stack(bytes: usize) -> Result<(), RtError> {
    let left = kernel::stack_left().unwrap_or(0).saturating_sub(RESERVE);
    if bytes > left {
        return Err(RtError::StackTooSmall { left });
    }
    let here = 0_u8;
    touch_down_to((&raw const here).addr() - bytes);
    Ok(())
}

/// Touches the stack from here down to an address that is on it, in steps of less than a page.
#[inline(never)]
fn touch_down_to(lowest: usize) {
    let mut part = [0_u8; PAGE / 2];
    // So that it is written, and the call below is not the last thing done here.
    black_box(&mut part);
    if part.as_ptr().addr() > lowest {
        touch_down_to(lowest);
    }
    black_box(&part);
}
