//! What may be sent, shared, used after a panic and shown, and what may not.

use std::cell::Cell;
use std::fmt::Debug;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::MutexGuard as StdGuard;

use lockwork::cancel::{CancelCallback, CancelToken, Cancelled};
use lockwork::counter::{
    BoundError, BoundedCounter, CompareError, OutOfRange, Stamped, StampedValue, StripedCounter,
};
use lockwork::pool::{
    AsCompleted, BuildError, Builder, Cancel, CancelOnDrop, CancelReason, InvokeError, JoinError,
    JoinHandle, PoolHandle, RejectReason, Rejected, RejectionPolicy, SignalThread, Snapshot,
    StillRunning, SubmitAsync, ThreadPool, Unrun, WorkerInfo,
};
use lockwork::queue::spsc::{Consumer, Producer, ReadChunk, WriteChunk, WriteChunkUninit};
use lockwork::queue::{
    ArrayQueue, BlockingQueue, Drain, IntoIter, PopError, PushError, PushErrorReason, TryIter,
    TryPopError, TryPushError, channel,
};
use lockwork::queue::{SegIntoIter, SegQueue};
use lockwork::rt::RtError;
use lockwork::semaphore::{AcquireError, Closed, Full, TryAcquireError};
use lockwork::{
    ArcFairMutexGuard, ArcFairSemaphorePermit, ArcMutexGuard, ArcPiMutexGuard,
    ArcReentrantMutexGuard, ArcRwLockReadGuard, ArcRwLockWriteGuard, ArcSemaphorePermit,
    ArcSpinLockGuard, ArcWaitGroupToken, Barrier, BarrierError, BarrierWaitResult, Condvar,
    CondvarAny, CountError, Deadline, Event, FairMutex, FairMutexGuard, FairSemaphore,
    FairSemaphorePermit, Latch, LazyLock, MappedFairMutexGuard, MappedMutexGuard,
    MappedPiMutexGuard, MappedReentrantMutexGuard, MappedRwLockReadGuard, MappedRwLockWriteGuard,
    MappedSpinLockGuard, Mutex, MutexGuard, Once, OnceLock, OnceState, Parker, PiCondvar, PiError,
    PiMutex, PiMutexGuard, RecursiveRwLock, ReentrantMutex, ReentrantMutexGuard, RwLock,
    RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit,
    SeqLock, SeqLockGuard, SpinLock, SpinLockGuard, Taken, TakenKind, Unparker, WaitGroup,
    WaitGroupToken, WaitTimeoutResult, Waitable,
};

fn error<T: std::error::Error + Send + Sync + 'static>() {}

/// Whether a type has a trait, for any type and one trait: an inherent constant of `Probe<T>` that
/// exists only where the bound holds goes before the trait's, which exists always.
macro_rules! has {
    ($type:ty: $trait:ident) => {{
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "not chosen where the bound holds")]
        trait Fallback {
            const HAS: bool = false;
        }
        impl<T: ?Sized> Fallback for Probe<T> {}
        #[allow(dead_code, reason = "not chosen where the bound does not hold")]
        impl<T: ?Sized + $trait> Probe<T> {
            const HAS: bool = true;
        }
        <Probe<$type>>::HAS
    }};
}

#[test]
fn the_probe_tells_yes_from_no() {
    assert!(has!(u8: Send) && has!(str: Sync) && has!(Cell<u8>: Send));
    assert!(!has!(Rc<u8>: Send) && !has!(Cell<u8>: Sync) && !has!(StdGuard<'static, u8>: Send));
}

/// `Cell` may change threads and not be shared; a reference to it neither; `StdGuard` may be shared
/// and not change threads.
type Movable = Cell<u8>;
type Shareable = StdGuard<'static, u8>;
type Neither = Rc<u8>;

/// A mutex is sent and shared if its data may be sent.
macro_rules! mutex {
    ($Mutex:ident) => {
        assert!(has!($Mutex<Movable>: Send));
        assert!(has!($Mutex<Movable>: Sync));
        assert!(has!($Mutex<dyn Fn() + Send>: Sync));
        assert!(!has!($Mutex<Shareable>: Send) && !has!($Mutex<Shareable>: Sync));
        assert!(!has!($Mutex<Neither>: Send) && !has!($Mutex<Neither>: Sync));
        assert!(has!($Mutex<u8>: UnwindSafe));
        assert!(has!($Mutex<u8>: Unpin));
    };
}

#[test]
fn mutexes() {
    mutex!(Mutex);
    mutex!(FairMutex);
    mutex!(ReentrantMutex);
    mutex!(SpinLock);
    mutex!(PiMutex);
}

/// Guards stay with their thread. A guard that leads to its mutex is shared only if both the data
/// and the mutex may be: by way of the mutex, another thread could take out data that is not
/// `Send`. Mapped guards lead to a part of the data and nothing else.
macro_rules! guards {
    ($Guard:ident, $Mapped:ident, $Arc:ident) => {
        assert!(!has!($Guard<'static, u8>: Send));
        assert!(has!($Guard<'static, u8>: Sync));
        assert!(!has!($Guard<'static, Movable>: Sync));
        assert!(!has!($Guard<'static, Shareable>: Sync));
        assert!(!has!($Guard<'static, Neither>: Sync));
        assert!(!has!($Mapped<'static, u8>: Send));
        assert!(has!($Mapped<'static, [u8]>: Sync));
        assert!(has!($Mapped<'static, Shareable>: Sync));
        assert!(!has!($Mapped<'static, Movable>: Sync));
        assert!(!has!($Mapped<'static, Neither>: Sync));
        assert!(!has!($Arc<u8>: Send));
        assert!(has!($Arc<u8>: Sync));
        assert!(!has!($Arc<Movable>: Sync));
        assert!(!has!($Arc<Shareable>: Sync));
        assert!(!has!($Arc<Neither>: Sync));
    };
}

#[test]
fn guards_of_mutexes() {
    guards!(MutexGuard, MappedMutexGuard, ArcMutexGuard);
    guards!(FairMutexGuard, MappedFairMutexGuard, ArcFairMutexGuard);
    guards!(PiMutexGuard, MappedPiMutexGuard, ArcPiMutexGuard);
    guards!(SpinLockGuard, MappedSpinLockGuard, ArcSpinLockGuard);
    guards!(ReentrantMutexGuard, MappedReentrantMutexGuard, ArcReentrantMutexGuard);
}

/// Counters are numbers; a stamped value is copied from thread to thread.
#[test]
fn counters() {
    assert!(
        has!(StripedCounter: Send) && has!(StripedCounter: Sync) && has!(StripedCounter: Unpin)
    );
    assert!(has!(StripedCounter: UnwindSafe) && has!(StripedCounter: RefUnwindSafe));
    assert!(has!(BoundedCounter: Send) && has!(BoundedCounter: Sync));
    assert!(has!(BoundedCounter: UnwindSafe) && has!(BoundedCounter: RefUnwindSafe));
    assert!(has!(Stamped<Movable>: Send) && has!(Stamped<Movable>: Sync));
    assert!(!has!(Stamped<Shareable>: Send) && !has!(Stamped<Shareable>: Sync));
    assert!(!has!(Stamped<Neither>: Send) && !has!(Stamped<Neither>: Sync));
    assert!(has!(Stamped<u8>: UnwindSafe) && has!(Stamped<u8>: RefUnwindSafe));
    assert!(has!(StampedValue<u8>: Send) && !has!(StampedValue<Neither>: Send));
    error::<BoundError>();
    error::<CompareError>();
    error::<OutOfRange>();
}

#[test]
fn rwlock() {
    assert!(has!(RwLock<u8>: Send) && has!(RwLock<u8>: Sync) && has!(RwLock<u8>: Unpin));
    assert!(has!(RecursiveRwLock<u8>: Send) && has!(RecursiveRwLock<u8>: Sync));
    assert!(has!(RwLock<dyn Fn() + Send + Sync>: Sync));
    assert!(has!(RwLock<u8>: UnwindSafe));
    assert!(has!(RwLock<Movable>: Send) && !has!(RwLock<Movable>: Sync));
    assert!(!has!(RwLock<Shareable>: Send) && !has!(RwLock<Shareable>: Sync));
    assert!(!has!(RwLock<Neither>: Send) && !has!(RwLock<Neither>: Sync));
    assert!(!has!(RecursiveRwLock<Movable>: Sync) && !has!(RecursiveRwLock<Shareable>: Sync));
}

/// A shared guard shows its lock, which others may then lock: what they get must be sendable, too.
#[test]
fn rwlock_guards() {
    assert!(has!(RwLockReadGuard<'static, u8>: Sync) && !has!(RwLockReadGuard<'static, u8>: Send));
    assert!(has!(RwLockWriteGuard<'static, u8>: Sync));
    assert!(!has!(RwLockWriteGuard<'static, u8>: Send));
    assert!(has!(RwLockUpgradableReadGuard<'static, u8>: Sync));
    assert!(!has!(RwLockUpgradableReadGuard<'static, u8>: Send));
    assert!(has!(ArcRwLockReadGuard<u8>: Sync) && !has!(ArcRwLockReadGuard<u8>: Send));
    assert!(!has!(RwLockReadGuard<'static, Shareable>: Sync));
    assert!(!has!(RwLockWriteGuard<'static, Shareable>: Sync));
    assert!(!has!(RwLockUpgradableReadGuard<'static, Movable>: Sync));
    assert!(!has!(ArcRwLockWriteGuard<Movable>: Sync));
    assert!(!has!(ArcRwLockWriteGuard<Shareable>: Sync));
    assert!(has!(MappedRwLockReadGuard<'static, Shareable>: Sync));
    assert!(!has!(MappedRwLockReadGuard<'static, Movable>: Sync));
    assert!(!has!(MappedRwLockReadGuard<'static, u8>: Send));
    assert!(has!(MappedRwLockWriteGuard<'static, u8>: Sync));
    assert!(!has!(MappedRwLockWriteGuard<'static, Movable>: Sync));
    assert!(!has!(MappedRwLockWriteGuard<'static, u8>: Send));
}

/// For each type and trait, what `std`'s type of the same name has.
macro_rules! as_std {
    ($($Type:ident<$($arg:ty),*>: $trait:ident)*) => {
        $(
            let theirs = has!(std::sync::$Type<$($arg),*>: $trait);
            assert_eq!(has!($Type<$($arg),*>: $trait), theirs);
        )*
    };
}

#[test]
fn made_once() {
    assert!(has!(Once: Send) && has!(Once: Sync) && has!(Once: Unpin));
    assert!(has!(Once: UnwindSafe) && has!(Once: RefUnwindSafe));
    assert!(has!(OnceState: Send) && has!(OnceState: Sync));
    macro_rules! of_each {
        ($($value:ty),*) => {$(
            as_std! {
                OnceLock<$value>: Send
                OnceLock<$value>: Sync
                OnceLock<$value>: UnwindSafe
                OnceLock<$value>: RefUnwindSafe
                OnceLock<$value>: Unpin
                LazyLock<$value>: Send
                LazyLock<$value>: Sync
                LazyLock<$value>: UnwindSafe
                LazyLock<$value>: RefUnwindSafe
                LazyLock<u8, $value>: Send
                LazyLock<u8, $value>: Sync
                LazyLock<u8, $value>: UnwindSafe
                LazyLock<u8, $value>: RefUnwindSafe
                LazyLock<u8, $value>: Unpin
            }
        )*};
    }
    of_each!(u8, Movable, Shareable, Neither, &'static mut u8, std::marker::PhantomPinned);
    assert!(has!(OnceLock<u8>: Sync) && !has!(OnceLock<Movable>: Sync));
    assert!(!has!(OnceLock<Shareable>: Sync) && !has!(OnceLock<Neither>: Send));
    assert!(has!(LazyLock<u8, Movable>: Sync) && !has!(LazyLock<u8, Shareable>: Sync));
}

#[test]
fn seq_lock() {
    assert!(has!(SeqLock<u8>: Send) && has!(SeqLock<u8>: Sync) && has!(SeqLock<u8>: UnwindSafe));
    assert!(has!(SeqLock<Movable>: Sync), "copies are given out, and no references");
    assert!(!has!(SeqLock<Neither>: Send) && !has!(SeqLock<Neither>: Sync));
    assert!(!has!(SeqLock<Shareable>: Send) && !has!(SeqLock<Shareable>: Sync));
    assert!(!has!(SeqLockGuard<'static, u8>: Send) && has!(SeqLockGuard<'static, u8>: Sync));
}

#[test]
fn condvar_parker_deadline() {
    assert!(has!(Condvar: Send));
    assert!(has!(Condvar: Sync));
    assert!(has!(Condvar: UnwindSafe));
    assert!(has!(Condvar: RefUnwindSafe));
    assert!(has!(Condvar: Unpin));
    assert!(has!(PiCondvar: Send) && has!(PiCondvar: Sync) && has!(PiCondvar: Unpin));
    assert!(has!(PiCondvar: UnwindSafe) && has!(PiCondvar: RefUnwindSafe));
    assert!(has!(CondvarAny: Send));
    assert!(has!(CondvarAny: Sync));
    assert!(has!(CondvarAny: UnwindSafe));
    assert!(has!(CondvarAny: RefUnwindSafe));
    assert!(has!(CondvarAny: Unpin));
    assert!(has!(WaitTimeoutResult: Send));
    assert!(has!(WaitTimeoutResult: Sync));
    assert!(has!(Parker: Send));
    assert!(!has!(Parker: Sync));
    assert!(has!(Parker: UnwindSafe));
    assert!(has!(Unparker: Send));
    assert!(has!(Unparker: Sync));
    assert!(has!(Unparker: UnwindSafe));
    assert!(has!(Unparker: RefUnwindSafe));
    assert!(has!(Deadline: Send));
    assert!(has!(Deadline: Sync));
}

/// Tokens belong to all threads, and so do the guards of callbacks.
#[test]
fn tokens() {
    macro_rules! everything {
        ($($type:ty),*) => {$(
            assert!(has!($type: Send) && has!($type: Sync) && has!($type: Unpin));
            assert!(has!($type: UnwindSafe) && has!($type: RefUnwindSafe));
        )*};
    }
    everything!(CancelToken, CancelCallback, Cancelled);
    error::<Cancelled>();
}

/// Permits belong to no thread.
#[test]
fn semaphores() {
    macro_rules! everything {
        ($($type:ty),*) => {$(
            assert!(has!($type: Send) && has!($type: Sync) && has!($type: Unpin));
            assert!(has!($type: UnwindSafe) && has!($type: RefUnwindSafe));
            assert!(has!($type: Debug) && !has!($type: Clone));
        )*};
    }
    everything!(Semaphore, SemaphorePermit<'static>, ArcSemaphorePermit);
    everything!(FairSemaphore, FairSemaphorePermit<'static>, ArcFairSemaphorePermit);
    error::<Closed>();
    error::<PiError>();
    error::<RtError>();
    error::<Full>();
    error::<AcquireError>();
    error::<TryAcquireError>();
}

/// Words without data: they may go anywhere, and so may what they give out.
#[test]
fn events_and_counts() {
    assert!(has!(Event: Send) && has!(Event: Sync) && has!(Event: Unpin));
    assert!(has!(Event: UnwindSafe) && has!(Event: RefUnwindSafe));
    assert!(has!(Latch: Send) && has!(Latch: Sync) && has!(Latch: Unpin));
    assert!(has!(Latch: UnwindSafe) && has!(Latch: RefUnwindSafe));
    assert!(has!(WaitGroup: Send) && has!(WaitGroup: Sync) && has!(WaitGroup: Unpin));
    assert!(has!(WaitGroup: UnwindSafe) && has!(WaitGroup: RefUnwindSafe));
    assert!(has!(Barrier: Send) && has!(Barrier: Sync) && has!(Barrier: Unpin));
    assert!(has!(Barrier: UnwindSafe) && has!(Barrier: RefUnwindSafe));
    assert!(has!(BarrierWaitResult: Send) && has!(BarrierWaitResult: Sync));
    // A token is there to be sent to whoever does the work.
    assert!(has!(WaitGroupToken<'static>: Send) && has!(WaitGroupToken<'static>: Sync));
    assert!(has!(WaitGroupToken<'static>: UnwindSafe) && !has!(WaitGroupToken<'static>: Clone));
    assert!(has!(ArcWaitGroupToken: Send) && has!(ArcWaitGroupToken: Sync));
    assert!(has!(ArcWaitGroupToken: UnwindSafe) && !has!(ArcWaitGroupToken: Clone));
}

/// Things to wait for may be shared, and so may lists of them; what is taken is as a permit is.
#[test]
fn waits_for_any() {
    assert!(has!(dyn Waitable: Send) && has!(dyn Waitable: Sync));
    assert!(has!(Taken<'static>: Send) && has!(Taken<'static>: Sync));
    assert!(has!(TakenKind<'static>: Send) && has!(TakenKind<'static>: UnwindSafe));
    assert!(has!(Taken<'static>: UnwindSafe) && has!(Taken<'static>: RefUnwindSafe));
    assert!(has!(Taken<'static>: Unpin) && !has!(Taken<'static>: Clone));
}

#[test]
fn queues() {
    assert!(has!(ArrayQueue<Movable>: Send));
    assert!(has!(ArrayQueue<Movable>: Sync));
    assert!(has!(IntoIter<Movable>: Send));
    assert!(has!(BlockingQueue<Movable>: Send));
    assert!(has!(BlockingQueue<Movable>: Sync));
    assert!(has!(channel::Sender<Movable>: Send) && has!(channel::Sender<Movable>: Sync));
    assert!(has!(channel::Receiver<Movable>: Send) && has!(channel::Receiver<Movable>: Sync));
    assert!(!has!(channel::Sender<Neither>: Send) && !has!(channel::Sender<Neither>: Sync));
    assert!(!has!(channel::Receiver<Neither>: Send) && !has!(channel::Receiver<Neither>: Sync));
    assert!(!has!(channel::Sender<Shareable>: Send) && !has!(channel::Receiver<Shareable>: Sync));
    assert!(has!(channel::Sender<&mut u8>: UnwindSafe) && has!(channel::Receiver<Neither>: Debug));
    assert!(has!(channel::IntoIter<Movable>: Send) && has!(channel::SendError<Neither>: Debug));
    assert!(!has!(ArrayQueue<Neither>: Send) && !has!(ArrayQueue<Neither>: Sync));
    assert!(!has!(BlockingQueue<Neither>: Send) && !has!(BlockingQueue<Neither>: Sync));
    assert!(!has!(ArrayQueue<Shareable>: Sync) && !has!(BlockingQueue<Shareable>: Sync));
    assert!(has!(Drain<'static, Movable>: Send) && has!(TryIter<'static, Movable>: Send));
    assert!(has!(TryPushError<Movable>: Send) && has!(TryPopError: Sync));
    // Ends and their chunks move, and are used by one thread at a time.
    assert!(has!(Producer<Movable>: Send) && has!(Consumer<Movable>: Send));
    assert!(!has!(Producer<u8>: Sync) && !has!(Consumer<u8>: Sync));
    assert!(!has!(Producer<Neither>: Send) && !has!(Consumer<Shareable>: Send));
    assert!(has!(WriteChunk<'static, Movable>: Send) && !has!(WriteChunk<'static, u8>: Sync));
    assert!(has!(ReadChunk<'static, Movable>: Send) && !has!(ReadChunk<'static, u8>: Sync));
    assert!(!has!(WriteChunkUninit<'static, Neither>: Send));
    assert!(has!(Producer<&mut u8>: UnwindSafe) && has!(Consumer<Movable>: RefUnwindSafe));
    // As crossbeam's: a panic leaves no queue half changed, whatever is in it.
    assert!(has!(ArrayQueue<Movable>: UnwindSafe));
    assert!(has!(ArrayQueue<Movable>: RefUnwindSafe));
    assert!(has!(BlockingQueue<&mut u8>: UnwindSafe));
    assert!(has!(BlockingQueue<Movable>: RefUnwindSafe));
}

#[test]
fn stacks() {
    use std::error::Error;

    use lockwork::stack::{ArrayStack, IntoIter, PopAll, PushManyError, TaggedStack};
    type Rest<T> = PushManyError<std::vec::IntoIter<T>>;
    assert!(has!(ArrayStack<Movable>: Send) && has!(ArrayStack<Movable>: Sync));
    assert!(has!(TaggedStack<Movable>: Send) && has!(TaggedStack<Movable>: Sync));
    assert!(!has!(ArrayStack<Neither>: Send) && !has!(ArrayStack<Neither>: Sync));
    assert!(!has!(TaggedStack<Neither>: Send) && !has!(TaggedStack<Neither>: Sync));
    assert!(!has!(ArrayStack<Shareable>: Sync) && !has!(TaggedStack<Shareable>: Sync));
    assert!(has!(PopAll<'static, ArrayStack<Movable>>: Send));
    assert!(has!(PopAll<'static, TaggedStack<Movable>>: Send));
    assert!(!has!(PopAll<'static, ArrayStack<Neither>>: Send));
    assert!(!has!(PopAll<'static, TaggedStack<Shareable>>: Send));
    assert!(has!(IntoIter<ArrayStack<Movable>>: Send));
    assert!(!has!(IntoIter<TaggedStack<Neither>>: Send));
    assert!(has!(ArrayStack<&mut u8>: UnwindSafe) && has!(TaggedStack<&mut u8>: UnwindSafe));
    assert!(has!(ArrayStack<Movable>: RefUnwindSafe) && has!(TaggedStack<Movable>: RefUnwindSafe));
    struct Silent;
    assert!(has!(ArrayStack<Silent>: Debug) && has!(TaggedStack<Silent>: Debug));
    assert!(has!(Rest<Silent>: Error) && has!(Rest<Movable>: Send));
}

#[test]
fn unbounded_queues() {
    assert!(has!(SegQueue<Movable>: Send) && has!(SegQueue<Movable>: Sync));
    assert!(has!(SegIntoIter<Movable>: Send));
    assert!(!has!(SegQueue<Neither>: Send) && !has!(SegQueue<Neither>: Sync));
    assert!(!has!(SegQueue<Shareable>: Sync) && !has!(SegIntoIter<Neither>: Send));
    assert!(has!(SegQueue<Movable>: UnwindSafe) && has!(SegQueue<Movable>: RefUnwindSafe));
}

/// Types are shown without asking anything of what is in them; a mutex shows its data.
#[test]
fn debug_without_debug() {
    struct Silent;
    assert!(has!(Mutex<u8>: Debug) && !has!(Mutex<Silent>: Debug));
    assert!(has!(ArrayQueue<Silent>: Debug));
    assert!(has!(IntoIter<Silent>: Debug));
    assert!(has!(SegQueue<Silent>: Debug) && has!(SegIntoIter<Silent>: Debug));
    assert!(has!(BlockingQueue<Silent>: Debug));
    assert!(has!(PushError<Silent>: Debug));
    assert!(has!(JoinHandle<Silent>: Debug));
    assert!(has!(Rejected<Silent>: Debug));
}

#[test]
fn pool() {
    assert!(has!(ThreadPool: Send) && has!(ThreadPool: Sync));
    assert!(has!(ThreadPool: UnwindSafe) && has!(ThreadPool: RefUnwindSafe));
    assert!(!has!(ThreadPool: Clone), "whoever has it ends it");
    assert!(has!(Builder: Send) && has!(Builder: Sync) && has!(Builder: Clone));
    assert!(has!(JoinHandle<Movable>: Send) && has!(JoinHandle<Movable>: Sync));
    assert!(has!(JoinHandle<Movable>: UnwindSafe) && has!(JoinHandle<Movable>: RefUnwindSafe));
    assert!(!has!(JoinHandle<u8>: Clone), "a result is taken once");
    assert!(!has!(ThreadPool: Clone), "a pool has one owner");
    assert!(has!(PoolHandle: Send) && has!(PoolHandle: Sync) && has!(PoolHandle: Clone));
    assert!(has!(PoolHandle: UnwindSafe) && has!(PoolHandle: RefUnwindSafe));
    assert!(has!(CancelOnDrop<Movable>: Send) && has!(CancelOnDrop<Movable>: Sync));
    assert!(has!(AsCompleted<Movable>: Send) && has!(AsCompleted<Movable>: Debug));
    type Closure = Box<dyn FnOnce() -> u8 + Send>;
    assert!(has!(SubmitAsync<Closure, u8>: Send) && has!(SubmitAsync<Closure, u8>: Unpin));
    assert!(has!(Unrun: Send) && !has!(Unrun: Sync), "closures may be sent, and no more");
    assert!(has!(Snapshot: Send) && has!(Snapshot: Sync) && has!(WorkerInfo: Clone));
    assert!(has!(SignalThread: Send) && has!(SignalThread: Sync));
    assert!(has!(StillRunning: Send) && has!(StillRunning: Sync));
    error::<StillRunning>();
    error::<InvokeError>();
    // What was refused is what was submitted.
    assert!(has!(Rejected<Movable>: Send) && !has!(Rejected<Movable>: Sync));
    assert!(has!(Rejected<Shareable>: Sync) && !has!(Rejected<Shareable>: Send));
    error::<BuildError>();
    error::<JoinError>();
    error::<Rejected<fn()>>();
    assert!(has!(JoinError: UnwindSafe) && has!(JoinError: RefUnwindSafe));
    assert!(has!(Cancel: Send) && has!(CancelReason: Send) && has!(RejectReason: Send));
    assert!(has!(RejectionPolicy: Sync));
}

#[test]
fn errors() {
    error::<BarrierError>();
    error::<CountError>();
    error::<PopError>();
    error::<PushError<u8>>();
    error::<PushError<Box<dyn FnOnce() + Send + Sync>>>();
    assert!(has!(PushErrorReason: Send));
    assert!(has!(PushErrorReason: Sync));
    assert!(!has!(PushError<Neither>: Send));
}
