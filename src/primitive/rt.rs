//! Scheduling and memory locking: the kernel's calls, with its refusals as a type. The model has no
//! processors, and refuses everything.

/// A scheduling class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Other,
    Batch,
    Idle,
    Fifo,
    RoundRobin,
}

/// Which pages are kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pages {
    pub(crate) current: bool,
    pub(crate) future: bool,
    pub(crate) on_fault: bool,
}

/// The number of an error of the kernel, where it is none of those that have a meaning of their
/// own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(all(loom, feature = "loom"), allow(dead_code, reason = "the model has one answer"))]
pub(crate) enum Refusal {
    NotPermitted,
    /// Where the kernel tells a limit of the caller's own from other users' threads.
    AboveLimit,
    NoSuchThread,
    Invalid,
    NoMemory,
    Other(i32),
}

/// A thread: its id, or 0 for the calling one.
pub(crate) type Thread = u32;

#[cfg(not(all(loom, feature = "loom")))]
mod calls {
    use alloc::vec::Vec;

    use super::{Pages, Policy, Refusal, Thread};
    use crate::sys::errno::Errno;
    use crate::sys::sched;

    fn refusal(errno: Errno) -> Refusal {
        match errno {
            Errno::PERM => Refusal::NotPermitted,
            Errno::ACCES => Refusal::AboveLimit,
            Errno::SRCH => Refusal::NoSuchThread,
            Errno::INVAL => Refusal::Invalid,
            Errno::NO_MEM => Refusal::NoMemory,
            errno => Refusal::Other(errno.number()),
        }
    }

    const POLICIES: [(Policy, i32); 5] = [
        (Policy::Other, sched::OTHER),
        (Policy::Batch, sched::BATCH),
        (Policy::Idle, sched::IDLE),
        (Policy::Fifo, sched::FIFO),
        (Policy::RoundRobin, sched::ROUND_ROBIN),
    ];

    pub(crate) fn set_class(thread: Thread, policy: Policy, priority: u8) -> Result<(), Refusal> {
        let number = POLICIES.iter().find(|(known, _)| *known == policy).map(|(_, number)| *number);
        let policy = number.ok_or(Refusal::Invalid)?;
        let class = sched::Class { policy, priority: priority.into() };
        sched::set_class(thread, class).map_err(refusal)
    }

    /// `None` for a class that none of these is.
    pub(crate) fn class(thread: Thread) -> Result<Option<(Policy, u8)>, Refusal> {
        let sched::Class { policy, priority } = sched::class(thread).map_err(refusal)?;
        let known = POLICIES.iter().find(|(_, number)| *number == policy);
        Ok(known.and_then(|(policy, _)| Some((*policy, u8::try_from(priority).ok()?))))
    }

    pub(crate) fn set_cpus(thread: Thread, cpus: &[usize]) -> Result<(), Refusal> {
        let mut set: sched::Cpus = Default::default();
        for cpu in cpus {
            *set.get_mut(cpu / 64).ok_or(Refusal::Invalid)? |= 1 << (cpu % 64);
        }
        sched::set_affinity(thread, &set).map_err(refusal)
    }

    pub(crate) fn cpus(thread: Thread) -> Result<Vec<usize>, Refusal> {
        let set = sched::affinity(thread).map_err(refusal)?;
        Ok((0..sched::MAX_CPUS).filter(|cpu| set[cpu / 64] >> (cpu % 64) & 1 == 1).collect())
    }

    pub(crate) fn set_nice(thread: Thread, nice: i8) -> Result<(), Refusal> {
        sched::set_nice(thread, nice.into()).map_err(refusal)
    }

    pub(crate) fn nice(thread: Thread) -> Result<i8, Refusal> {
        // From -20 to 19.
        sched::nice(thread).map(|nice| nice as i8).map_err(refusal)
    }

    /// The lowest nice value without privileges.
    pub(crate) fn least_nice() -> i8 {
        20 - sched::limit(sched::Limit::Nice).min(40) as i8
    }

    pub(crate) fn lock_memory(pages: Pages) -> Result<(), Refusal> {
        let Pages { current, future, on_fault } = pages;
        sched::lock_memory(sched::Pages { current, future, on_fault }).map_err(refusal)
    }

    pub(crate) fn unlock_memory() -> Result<(), Refusal> {
        sched::unlock_memory().map_err(refusal)
    }

    pub(crate) fn priority_limit() -> u64 {
        sched::limit(sched::Limit::Priority)
    }

    pub(crate) fn memory_limit() -> u64 {
        sched::limit(sched::Limit::LockedMemory)
    }

    pub(crate) fn stack_left() -> Option<usize> {
        sched::stack_left()
    }
}

#[cfg(all(loom, feature = "loom"))]
mod calls {
    use std::vec::Vec;

    use super::{Pages, Policy, Refusal, Thread};

    const NONE: Refusal = Refusal::Other(0);

    pub(crate) fn set_class(_: Thread, _: Policy, _: u8) -> Result<(), Refusal> {
        Err(NONE)
    }
    pub(crate) fn class(_: Thread) -> Result<Option<(Policy, u8)>, Refusal> {
        Err(NONE)
    }
    pub(crate) fn set_cpus(_: Thread, _: &[usize]) -> Result<(), Refusal> {
        Err(NONE)
    }
    pub(crate) fn cpus(_: Thread) -> Result<Vec<usize>, Refusal> {
        Err(NONE)
    }
    pub(crate) fn set_nice(_: Thread, _: i8) -> Result<(), Refusal> {
        Err(NONE)
    }
    pub(crate) fn nice(_: Thread) -> Result<i8, Refusal> {
        Err(NONE)
    }
    pub(crate) fn least_nice() -> i8 {
        0
    }
    pub(crate) fn lock_memory(_: Pages) -> Result<(), Refusal> {
        Err(NONE)
    }
    pub(crate) fn unlock_memory() -> Result<(), Refusal> {
        Err(NONE)
    }
    pub(crate) fn priority_limit() -> u64 {
        0
    }
    pub(crate) fn memory_limit() -> u64 {
        0
    }
    pub(crate) fn stack_left() -> Option<usize> {
        None
    }
}

pub(crate) use calls::*;
