//! `wait_any`, and what it can wait for.

#[cfg(feature = "alloc")]
use alloc::sync::Arc;
use core::time::Duration;

use crate::primitive::Deadline;
use crate::raw::{self, Found};
use crate::sync::semaphore::{Semaphore, SemaphorePermit};
use crate::sync::{Event, Latch, WaitGroup};

/// What [`wait_any`] can wait for: an [`Event`], a [`Semaphore`], a [`Latch`], a [`WaitGroup`], the
/// handle of a task in a [`pool`](crate::pool), and references to them, counted ones too.
///
/// | | is there | and is taken so |
/// |---|---|---|
/// | [`Event::manual`] | when it is set, or was while this thread waited | not at all |
/// | [`Event::auto`] | when it is set | it is reset |
/// | [`Semaphore`] | when it has a permit | the [`TakenKind::Permit`] is the caller's |
/// | | when it is closed | not at all: [`TakenKind::Closed`] |
/// | [`Latch`] | when no step is left | not at all |
/// | [`WaitGroup`] | when it has come down to zero | not at all |
/// | [`BlockingQueue`](crate::queue::BlockingQueue) | when it has a value | not at all: `try_pop` it; another may be faster |
/// | | when it is closed and empty | not at all: [`TakenKind::Closed`] |
/// | [`Receiver`](crate::queue::channel::Receiver) | when there is a value, in a rendezvous a sender that waits | not at all: `try_recv` it; another may be faster |
/// | | when there is none, nor a sender | not at all: [`TakenKind::Closed`] |
/// | `pool::JoinHandle` | when the task has ended | not at all: join it |
///
/// Sealed: the kernel has to know where such a thing lies, and this crate how it wakes. A
/// [`FairSemaphore`](crate::FairSemaphore) is not one, since its waiters sleep each in a place of
/// their own; nor are locks, which one does not wait for without wanting to hold them.
///
/// ```
/// use lockwork::{Event, Latch, Waitable, wait_any};
///
/// let (event, latch) = (Event::manual(), Latch::new(0));
/// let list: Vec<&dyn Waitable> = vec![&event, &latch];
/// assert_eq!(wait_any(&list).index, 1);
/// ```
///
/// ```compile_fail,E0277
/// let mutex = lockwork::Mutex::new(());
/// lockwork::wait_any(&[&mutex]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`wait_any` cannot wait for `{Self}`",
    label = "not an `Event`, `Semaphore`, `Latch`, `WaitGroup`, `BlockingQueue` or `Receiver`",
    note = "references to these will do: `&event`, `&*arc`; a list is written `&[&first, &second]`"
)]
pub trait Waitable: sealed::Sealed + Send + Sync {}

pub(crate) mod sealed {
    use super::{Semaphore, raw};

    pub trait Sealed {
        fn raw(&self) -> &dyn raw::Waitable;

        /// The semaphore whose permits are given out, if it is one.
        fn semaphore(&self) -> Option<&Semaphore> {
            None
        }
    }
}

macro_rules! waitable {
    ($($Type:ident),*) => {$(
        impl Waitable for $Type {}
        impl sealed::Sealed for $Type {
            fn raw(&self) -> &dyn raw::Waitable {
                &self.raw
            }
        }
    )*};
}

waitable!(Event, Latch, WaitGroup);

impl Waitable for Semaphore {}
impl sealed::Sealed for Semaphore {
    fn raw(&self) -> &dyn raw::Waitable {
        self.raw_waitable()
    }
    fn semaphore(&self) -> Option<&Semaphore> {
        Some(self)
    }
}

macro_rules! waitable_reference {
    ($($Reference:ty),*) => {$(
        impl<T: Waitable + ?Sized> Waitable for $Reference {}
        impl<T: Waitable + ?Sized> sealed::Sealed for $Reference {
            fn raw(&self) -> &dyn raw::Waitable {
                (**self).raw()
            }
            fn semaphore(&self) -> Option<&Semaphore> {
                (**self).semaphore()
            }
        }
    )*};
}

waitable_reference!(&T);
#[cfg(feature = "alloc")]
waitable_reference!(Arc<T>);

/// What a [`wait_any`] has taken: which one of the list, and in which way.
///
/// ```
/// use lockwork::{Event, Semaphore, Taken, TakenKind, wait_any};
///
/// let (stop, work) = (Event::manual(), Semaphore::new(1));
/// match wait_any(&[&stop, &work]) {
///     Taken { index: 0, .. } => panic!("nobody has said so"),
///     Taken { kind: TakenKind::Permit(permit), .. } => permit.forget(),
///     taken => panic!("{taken:?}"),
/// }
/// assert_eq!(work.available(), 0);
/// ```
#[derive(Debug)]
#[must_use = "says what came; a permit that is dropped goes back at once"]
pub struct Taken<'a> {
    /// The place in the list of what is taken, from zero.
    pub index: usize,
    /// What that means, which is up to what stands there.
    pub kind: TakenKind<'a>,
}

/// How something was taken.
///
/// ```
/// use lockwork::{Event, Semaphore, TakenKind, wait_any};
///
/// let (event, semaphore) = (Event::manual(), Semaphore::new(0));
/// semaphore.close();
/// assert!(matches!(wait_any(&[&event, &semaphore]).kind, TakenKind::Closed));
/// event.set();
/// assert!(matches!(wait_any(&[&event, &semaphore]).kind, TakenKind::Came));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum TakenKind<'a> {
    /// It has come: the event was set (and, if it is automatic, is reset), the latch is open, the
    /// group at zero. In a queue there was a value a moment ago.
    Came,
    /// A permit of the semaphore. It goes back when it is dropped; for a semaphore that counts what
    /// is used up, [`forget`](SemaphorePermit::forget) it.
    Permit(SemaphorePermit<'a>),
    /// The semaphore is closed, and gave no permit; or the queue is, and has nothing left.
    Closed,
}

/// Waits for the first of several things to be there, and takes it: exactly one.
///
/// If several are there, it takes the one that stands first in the list. The others stay as they
/// are: whoever else waits for them is woken, also where a wake-up of theirs had reached this
/// thread.
///
/// If one is there already, the kernel is not entered. Else the thread sleeps in one call for all
/// of the list, and is woken by whichever comes. Nothing is allocated for up to 128 things, and
/// nobody who sets, releases or counts pays more than for an ordinary waiter.
///
/// The same thing may stand in the list twice.
///
/// # Fairness
///
/// The order of the list is one of priority. Of things that are there all the time, only the first
/// is ever taken; rotate the list if each shall have its turn.
///
/// # Old kernels, filters, long lists
///
/// Sleeping on several words is a system call of its own (`futex_waitv`), which came with Linux
/// 5.16, and which some sandboxes forbid. There a thread sleeps for the *first* thing as ever, and
/// looks at the others at intervals: they are noticed late, by about as long as they were waited
/// for, and by ten milliseconds at the most. Put first what has to be quick.
///
/// The same holds for things behind the first 128 of a longer list, whatever the kernel; such a
/// list needs the `alloc` feature.
///
/// # Memory ordering
///
/// That of a wait for the thing that is taken, by itself.
///
/// # Fork, signals, panics, allocators
///
/// What holds for each of the things also holds here: a signal does not end a wait, nothing of the
/// caller's runs inside, and there are no thread-locals. Where the system call is missing, a flag
/// for the whole process remembers that.
///
/// # Panics
///
/// If the list is empty: that would not end. Without the `alloc` feature also if it is longer than
/// 128.
///
/// # Differences
///
/// From `WaitForMultipleObjects` of Win32: no waiting for *all* (wait for one after the other, or
/// use a [`Latch`] or [`WaitGroup`]); more than 64 things; a permit that nobody uses goes back.
/// From `WaitHandle.WaitAny` of .NET: the same, and no garbage. From `select!` of
/// `crossbeam-channel`, which picks at random: the first. From `nsync_wait_n`: semaphores too.
///
/// # Examples
///
/// ```
/// use lockwork::{Event, Semaphore, TakenKind, wait_any};
/// use std::thread;
///
/// let (stop, jobs) = (Event::manual(), Semaphore::new(0));
/// thread::scope(|s| {
///     let worker = s.spawn(|| {
///         let mut done = 0;
///         // Work comes first in the list: what has been handed in is done before it stops.
///         while let TakenKind::Permit(job) = wait_any(&[&jobs, &stop]).kind {
///             job.forget();
///             done += 1;
///         }
///         done
///     });
///     jobs.release(3).unwrap();
///     stop.set();
///     assert_eq!(worker.join().unwrap(), 3);
/// });
/// ```
#[doc(alias("WaitForMultipleObjects", "WaitAny", "futex_waitv", "select", "poll", "wait_n"))]
#[inline]
#[track_caller]
pub fn wait_any<'a>(list: &[&'a dyn Waitable]) -> Taken<'a> {
    match take_any(list, || Deadline::NEVER) {
        Some(taken) => taken,
        None => unreachable!("a wait without a deadline timed out"),
    }
}

/// As [`wait_any`], for at most `timeout`; `None` if nothing came in time, and then nothing is
/// taken. A time-out too long to represent means no limit.
///
/// An empty list waits the time-out out.
///
/// # Panics
///
/// If the list is empty and the time-out means no limit; or as [`wait_any`], if it is too long.
///
/// ```
/// use lockwork::{Event, Latch, wait_any_for};
/// use std::time::Duration;
///
/// let (event, latch) = (Event::auto(), Latch::new(1));
/// let limit = Duration::from_millis(1);
/// assert!(wait_any_for(&[&event, &latch], limit).is_none());
/// latch.count_down(1);
/// assert_eq!(wait_any_for(&[&event, &latch], limit).unwrap().index, 1);
/// ```
#[must_use = "says what came, if anything did"]
#[inline]
#[track_caller]
pub fn wait_any_for<'a>(list: &[&'a dyn Waitable], timeout: Duration) -> Option<Taken<'a>> {
    take_any(list, || Deadline::after(timeout))
}

/// As [`wait_any`], until `deadline` at the latest, an `Instant` or a [`Deadline`]; `None` if
/// nothing came in time, and then nothing is taken.
///
/// What is there is taken, however late it is. An empty list waits for the deadline.
///
/// # Panics
///
/// If the list is empty and the deadline is never; or as [`wait_any`], if it is too long.
///
/// ```
/// use lockwork::{Deadline, Event, wait_any_until};
///
/// let events = [Event::auto(), Event::auto()];
/// assert!(wait_any_until(&[&events[0], &events[1]], Deadline::now()).is_none());
/// events[1].set();
/// let taken = wait_any_until(&[&events[0], &events[1]], Deadline::now()).unwrap();
/// assert_eq!(taken.index, 1);
/// assert!(!events[1].is_set());
/// ```
#[must_use = "says what came, if anything did"]
#[inline]
#[track_caller]
pub fn wait_any_until<'a>(
    list: &[&'a dyn Waitable],
    deadline: impl Into<Deadline>,
) -> Option<Taken<'a>> {
    take_any(list, || deadline.into())
}

#[inline]
#[track_caller]
fn take_any<'a>(
    list: &[&'a dyn Waitable],
    deadline: impl FnOnce() -> Deadline,
) -> Option<Taken<'a>> {
    let (index, found) = raw::wait_any(list, |one| one.raw(), deadline)?;
    let kind = match (found, list[index].semaphore()) {
        (Found::Closed, _) => TakenKind::Closed,
        (Found::It, None) => TakenKind::Came,
        (Found::It, Some(semaphore)) => TakenKind::Permit(SemaphorePermit::of_one(semaphore)),
    };
    Some(Taken { index, kind })
}
