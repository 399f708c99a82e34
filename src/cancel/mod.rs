//! Telling threads to give up what they are doing, and ending their waits.
//!
//! A [`CancelToken`] is cancelled once, by hand or by its deadline. Those who work look at it now
//! and then; those who wait do it with one of the `_cancellable` methods, which return when what
//! they wait for is there, or when the token is cancelled:
//!
//! | wait | says |
//! |---|---|
//! | [`CancelToken::wait`], [`wait_for`](CancelToken::wait_for), [`wait_until`](CancelToken::wait_until) | - |
//! | [`Semaphore::acquire_cancellable`](crate::Semaphore::acquire_cancellable), also of a [`FairSemaphore`](crate::FairSemaphore) | [`AcquireError::Cancelled`](crate::semaphore::AcquireError::Cancelled) |
//! | [`Event::wait_cancellable`](crate::Event::wait_cancellable) | [`Cancelled`] |
//! | [`Latch::wait_cancellable`](crate::Latch::wait_cancellable) | [`Cancelled`] |
//! | [`WaitGroup::wait_cancellable`](crate::WaitGroup::wait_cancellable) | [`Cancelled`] |
//! | [`Parker::park_cancellable`](crate::Parker::park_cancellable) | [`Cancelled`] |
//! | [`Condvar::wait_cancellable`](crate::Condvar::wait_cancellable), [`wait_while_cancellable`](crate::Condvar::wait_while_cancellable) | [`Cancelled`] |
//! | [`CondvarAny::wait_cancellable`](crate::CondvarAny::wait_cancellable), [`wait_while_cancellable`](crate::CondvarAny::wait_while_cancellable) | [`Cancelled`] |
//! | [`BlockingQueue::push_cancellable`](crate::queue::BlockingQueue::push_cancellable) | [`PushErrorReason::Cancelled`](crate::queue::PushErrorReason::Cancelled), with the value |
//! | `pool::JoinHandle::join_cancellable` | the handle |
//! | [`BlockingQueue::pop_cancellable`](crate::queue::BlockingQueue::pop_cancellable) | [`PopError::Cancelled`](crate::queue::PopError::Cancelled) |
//!
//! # What all these waits have in common
//!
//! * **A token that is cancelled already** ends the wait at once, also if there is something to be
//!   had. So a thread that serves a busy queue notices.
//! * **What comes at the same time**, while the thread sleeps, is taken: then the wait says that it
//!   has it.
//! * **A wait that was cancelled leaves nothing behind**: it has taken nothing, waits nowhere, and
//!   a wake-up that was on its way to it went to somebody else, or was for something that somebody
//!   else has taken.
//! * **The token's deadline** ends the wait as cancelling does. For a limit of the wait's own, make
//!   a [child](CancelToken::child_for) that has it.
//! * **They cost** what other waits do, until they sleep. Then one system call sleeps for both, the
//!   token and what is waited for (`futex_waitv`): nothing is polled, and there is no thread that
//!   wakes others up. Where the kernel is older than 5.16, or a filter forbids the call, the thread
//!   sleeps for what it waits for, in slices of ten milliseconds at the most, and looks at the
//!   token in between: so it may be as late to notice that the token was cancelled.

mod callback;
mod token;

pub use callback::CancelCallback;
pub use token::{CancelToken, Cancelled};
