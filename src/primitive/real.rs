//! The names of this layer on the real machine.

#![allow(unreachable_pub, reason = "the types are public in `raw`, which is not always public")]

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use super::{Deadline, Ordering, PlainData, Private, Scope, Wait, WaitWord};
use crate::sys;
use crate::sys::errno::Errno;
use crate::sys::futex::{ANY, Reach, Waiter};

#[cfg(all(test, feature = "alloc"))]
pub(crate) use crate::sys::testing;

#[cfg(not(lockwork_chaos))]
use core::sync::atomic as atomics;

#[cfg(lockwork_chaos)]
use super::chaos as atomics;

pub(crate) use super::identity::fork_epoch;
#[cfg(feature = "std")]
pub(crate) use super::identity::{thread_id, unique_id};
#[cfg(feature = "std")]
pub use super::real_pi::PiFutex;
#[cfg(feature = "std")]
pub(crate) use super::real_pi::{show_hand_over, show_receipt};
pub(crate) use atomics::{AtomicPtr, AtomicU32, AtomicU64};

/// A memory fence; in a mutant build a fence whose row is weakened is left out.
#[inline]
pub(crate) fn fence(order: Ordering) {
    if cfg!(lockwork_mutants) && order == Ordering::Relaxed {
        return;
    }
    core::sync::atomic::fence(order);
}

/// Keeps what stands before it before what stands after it, for a signal handler of this thread.
#[cfg(feature = "std")]
#[inline]
pub(crate) fn signal_fence() {
    // SeqCst: nothing moves over it, either way. The processor keeps its own order for itself.
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
}

/// A number that no other thread of this process has: the kernel's, a system call each time, as
/// there is nowhere to remember one. In the child of a fork it is another one.
#[cfg(all(feature = "alloc", not(feature = "std")))]
pub(crate) fn this_thread() -> u64 {
    u64::from(sys::thread::tid())
}

/// Tells the core that this is a polling loop.
#[inline]
pub(crate) fn spin_loop() {
    core::hint::spin_loop();
}

/// Lets another thread have the core.
#[inline]
pub(crate) fn yield_now() {
    sys::thread::yield_now();
}

/// Whether numbers are those that ship: always, here.
#[inline]
pub(crate) const fn as_shipped() -> bool {
    true
}

pub(crate) fn monotonic_nanos() -> u64 {
    sys::clock::monotonic_nanos()
}

/// When a waiter that arrives now has waited for long: after a millisecond, or that doubled a few
/// times.
pub(crate) fn patience(doublings: u32) -> Deadline {
    Deadline::after(core::time::Duration::from_millis(1 << doublings.min(20)))
}

/// Threads, for the layer that owns some.
#[cfg(feature = "std")]
pub(crate) mod thread {
    pub(crate) use std::thread::{Builder, JoinHandle};

    /// Starts a thread.
    pub(crate) fn start(
        builder: Builder,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        builder.spawn(body)
    }

    /// Whether joining it would not wait.
    pub(crate) fn has_ended(thread: &JoinHandle<()>) -> bool {
        thread.is_finished()
    }
}

/// `std::thread_local!` with constant initializers, as which the model's cannot be written.
#[cfg(feature = "std")]
macro_rules! thread_locals {
    ($($(#[$meta:meta])* static $name:ident: $ty:ty = $init:expr;)*) => {
        std::thread_local! { $($(#[$meta])* static $name: $ty = const { $init };)* }
    };
}
#[cfg(feature = "std")]
pub(crate) use thread_locals;

const fn reach<S: Scope>() -> Reach {
    if S::SHARED { Reach::Shared } else { Reach::Private }
}

/// A 32-bit word that threads can sleep on.
#[repr(transparent)]
pub struct Futex<S: Scope = Private> {
    word: AtomicU32,
    scope: PhantomData<S>,
}

impl<S: Scope> Futex<S> {
    pub(crate) const fn new(value: u32) -> Self {
        Self { word: AtomicU32::new(value), scope: PhantomData }
    }

    #[inline]
    pub(crate) fn load(&self, order: Ordering) -> u32 {
        self.word.load(order)
    }

    #[inline]
    pub(crate) fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.word.swap(value, order)
    }

    #[inline]
    pub(crate) fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.word.compare_exchange(current, new, success, failure)
    }

    #[inline]
    pub(crate) fn fetch_or(&self, bits: u32, order: Ordering) -> u32 {
        self.word.fetch_or(bits, order)
    }

    #[inline]
    pub(crate) fn fetch_add(&self, value: u32, order: Ordering) -> u32 {
        self.word.fetch_add(value, order)
    }

    #[inline]
    pub(crate) fn fetch_sub(&self, value: u32, order: Ordering) -> u32 {
        self.word.fetch_sub(value, order)
    }

    /// Clears bit 0. Says whether bit 1 is set, and whether bit 31 is; the others of the low byte
    /// have to be zero.
    #[inline]
    pub(crate) fn clear_lowest(&self, order: Ordering) -> (bool, bool) {
        #[cfg(all(
            target_arch = "x86_64",
            target_pointer_width = "64",
            not(any(lockwork_portable, lockwork_chaos))
        ))]
        {
            _ = order;
            // SAFETY: the word lives, and is an atomic.
            unsafe { sys::x86::clear_lowest(self.word.as_ptr()) }
        }
        #[cfg(not(all(
            target_arch = "x86_64",
            target_pointer_width = "64",
            not(any(lockwork_portable, lockwork_chaos))
        )))]
        {
            let word = self.word.fetch_and(!1, order);
            (word >> 1 & 1 != 0, word >> 31 != 0)
        }
    }

    /// Sleeps while the word holds `expected`, until a wake-up, a signal or `deadline`.
    ///
    /// The kernel compares and goes to sleep in one step. The word itself is read Relaxed: order
    /// comes from the caller's own operations on it.
    pub(crate) fn wait(&self, expected: u32, deadline: Deadline) -> Wait {
        self.wait_as(ANY, expected, deadline)
    }

    /// As [`wait`](Self::wait), as a sleeper of `classes`, a set of bits that is not empty.
    pub(crate) fn wait_as(&self, classes: u32, expected: u32, deadline: Deadline) -> Wait {
        wait(self.word.as_ptr(), reach::<S>(), expected, classes, deadline)
    }

    /// The word and the value to sleep on, for [`wait_many`](fn@super::wait_many).
    pub(crate) fn while_it_is(&self, expected: u32) -> WaitWord<'_> {
        WaitWord::new(Waiter::new(self.word.as_ptr(), reach::<S>(), expected))
    }

    /// Wakes at most `count` sleepers and says how many there were. Only the address is used: the
    /// memory may be gone, or be somebody else's by now.
    pub(crate) fn wake(this: *const Self, count: u32) -> u32 {
        Self::wake_classes(this, ANY, count)
    }

    /// As [`wake`](Self::wake), for sleepers of any of `classes` only.
    pub(crate) fn wake_classes(this: *const Self, classes: u32, count: u32) -> u32 {
        wake(this.cast(), reach::<S>(), count, classes)
    }
}

impl Futex<Private> {
    #[cfg(feature = "std")]
    pub(super) fn as_ptr(&self) -> *const u32 {
        self.word.as_ptr()
    }

    /// Moves at most `count` sleepers to `to`, waking none, and says how many it moved.
    pub(crate) fn requeue(&self, count: u32, to: &Self) -> u32 {
        let (from, to) = (self.word.as_ptr(), to.word.as_ptr());
        match sys::futex::requeue(from, Reach::Private, 0, count, to) {
            Ok(moved) => moved,
            Err(errno) => unexpected("FUTEX_REQUEUE", errno),
        }
    }
}

/// A 64-bit word: a value that threads can sleep on in the low half, whatever its owner likes in
/// the high half. Rust code touches it only whole; the kernel compares the low half.
#[repr(transparent)]
pub struct Futex64<S: Scope = Private> {
    word: AtomicU64,
    scope: PhantomData<S>,
}

// The kernel is given the address of the whole word as that of its low half.
const _: () = assert!(cfg!(target_endian = "little"));

impl<S: Scope> Futex64<S> {
    pub(crate) const fn new(value: u64) -> Self {
        Self { word: AtomicU64::new(value), scope: PhantomData }
    }

    #[inline]
    pub(crate) fn load(&self, order: Ordering) -> u64 {
        self.word.load(order)
    }

    #[inline]
    pub(crate) fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.word.compare_exchange(current, new, success, failure)
    }

    #[inline]
    pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        self.word.fetch_add(value, order)
    }

    #[inline]
    pub(crate) fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
        self.word.fetch_sub(value, order)
    }

    #[inline]
    pub(crate) fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
        self.word.fetch_or(bits, order)
    }

    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn fetch_and(&self, bits: u64, order: Ordering) -> u64 {
        self.word.fetch_and(bits, order)
    }

    /// As [`Futex::wait`], on the low half.
    pub(crate) fn wait_low(&self, expected: u32, deadline: Deadline) -> Wait {
        wait(self.word.as_ptr().cast(), reach::<S>(), expected, ANY, deadline)
    }

    /// As [`Futex::while_it_is`], of the low half.
    pub(crate) fn while_low_is(&self, expected: u32) -> WaitWord<'_> {
        WaitWord::new(Waiter::new(self.word.as_ptr().cast(), reach::<S>(), expected))
    }

    /// As [`Futex::wake`], on the low half.
    pub(crate) fn wake(this: *const Self, count: u32) -> u32 {
        wake(this.cast(), reach::<S>(), count, ANY)
    }
}

fn wait(word: *const u32, reach: Reach, expected: u32, classes: u32, deadline: Deadline) -> Wait {
    let slept = sys::futex::wait(word, reach, expected, classes, Some(deadline.nanos()));
    how_it_ended("FUTEX_WAIT_BITSET", slept)
}

/// Why a sleep on one word or several returned.
pub(super) fn how_it_ended<T>(operation: &'static str, slept: Result<T, Errno>) -> Wait {
    match slept {
        Ok(_) => Wait::Woken,
        Err(Errno::AGAIN) => Wait::Changed,
        Err(Errno::INTR) => Wait::Interrupted,
        Err(Errno::TIMED_OUT) => Wait::TimedOut,
        Err(errno) => unexpected(operation, errno),
    }
}

fn wake(word: *const u32, reach: Reach, count: u32, classes: u32) -> u32 {
    match sys::futex::wake(word, reach, count, classes) {
        Ok(woken) => woken,
        // The word was unmapped, or is part of a PI lock by now: whoever slept on it as our word
        // has left, or it could not have been given up. Nobody is owed this wake-up.
        Err(Errno::FAULT | Errno::INVAL | Errno::ACCES) => 0,
        Err(errno) => unexpected("FUTEX_WAKE_BITSET", errno),
    }
}

/// Ends the process: a lock whose kernel half refuses to work can neither block nor return.
///
/// Not a panic, which would unwind past waiter nodes that other threads can still reach.
#[cold]
pub(super) fn unexpected(operation: &'static str, errno: Errno) -> ! {
    /// A panic inside a function that cannot unwind prints its message and aborts.
    extern "C" fn abort(operation: &&'static str, errno: &Errno) -> ! {
        panic!("lockwork: {operation} failed: {errno}; is the futex system call forbidden here?")
    }
    abort(&operation, &errno)
}

/// A cell whose accesses the model tracks; here it is `core`'s.
#[repr(transparent)]
pub struct UnsafeCell<T: ?Sized> {
    data: core::cell::UnsafeCell<T>,
}

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { data: core::cell::UnsafeCell::new(value) }
    }

    pub(crate) fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

#[cfg(feature = "std")]
impl<T> UnsafeCell<MaybeUninit<T>> {
    /// Makes a cell without a value at `place`: there is nothing to write.
    ///
    /// # Safety
    ///
    /// `place` is valid for writes, and aligned.
    #[inline]
    pub(crate) unsafe fn make_uninit_at(_place: *mut Self) {}
}

impl<T: ?Sized> UnsafeCell<T> {
    /// The address, untracked: for a caller that holds a [`Tracked`], or one with no race to find.
    #[inline]
    pub(crate) const fn get(&self) -> *mut T {
        self.data.get()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    /// Begins an exclusive access that lasts as long as the value returned.
    #[inline]
    pub(crate) fn track_mut(&self) -> Tracked {
        Tracked
    }

    /// An access that the model does not check, where a lock has several guards of one thread.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn untracked(&self) -> Tracked {
        Tracked
    }

    /// Begins a shared access that lasts as long as the value returned.
    #[inline]
    pub(crate) fn track(&self) -> Tracked {
        Tracked
    }

    /// Runs `access` on the address, as one exclusive access.
    #[inline]
    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.data.get())
    }
}

/// An access under way. Has a size only in the model.
#[derive(Debug)]
pub(crate) struct Tracked;

impl Tracked {
    /// Ends the access; the guard that holds it calls this before it releases its lock.
    #[inline]
    pub(crate) fn end(&mut self) {}
}

/// A value that is loaded and stored word by word, each word Relaxed: a load beside a store is a
/// mixture of old and new words, and no data race. What makes a value of it is the caller's.
///
/// Words are the eight bytes that the cell is aligned to, and smaller ones at the end. Any two
/// accesses agree on the size of each, as all go through `copy`.
#[repr(C, align(8))]
pub(crate) struct Words<T> {
    value: core::cell::UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: shared accesses are atomic; a load takes a copy to another thread, which needs `Send`.
unsafe impl<T: Send> Sync for Words<T> {}

impl<T: PlainData> Words<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { value: core::cell::UnsafeCell::new(MaybeUninit::new(value)) }
    }

    /// Each word as it is at some moment.
    #[inline]
    pub(crate) fn load(&self) -> MaybeUninit<T> {
        let mut copy = MaybeUninit::<T>::uninit();
        // SAFETY: `copy` is as large as the value, and nobody else has it.
        unsafe { Self::copy::<Load>(self.value.get().cast(), copy.as_mut_ptr().cast()) };
        copy
    }

    /// Writes each word. Two of these at a time leave a mixture.
    #[inline]
    pub(crate) fn store(&self, mut value: T) {
        let from = (&raw mut value).cast();
        // SAFETY: `value` is as large as the words, nobody else has it, and it has no padding.
        unsafe { Self::copy::<Store>(self.value.get().cast(), from) };
    }

    /// Copies between the words and memory of the caller's, as `D` says.
    ///
    /// # Safety
    ///
    /// `words` are those of a cell of `T`, which other threads access only here; `plain` is the
    /// caller's alone, as large, and initialized if it is what is stored.
    #[inline]
    unsafe fn copy<D: Direction>(words: *mut u8, plain: *mut u8) {
        let mut at = 0;
        macro_rules! step {
            ($($atomic:ident: $int:ty),*) => {$(
                while size_of::<T>() - at >= size_of::<$int>() {
                    // SAFETY: within both; aligned, as the cell is to eight bytes and `at` is a
                    // multiple of this size, all steps before having been of larger ones.
                    unsafe {
                        let word = &*words.add(at).cast::<core::sync::atomic::$atomic>();
                        let plain = plain.add(at).cast::<$int>();
                        if D::LOADS {
                            plain.write_unaligned(word.load(Ordering::Relaxed));
                        } else {
                            word.store(plain.read_unaligned(), Ordering::Relaxed);
                        }
                    }
                    at += size_of::<$int>();
                }
            )*};
        }
        step!(AtomicU64: u64, AtomicU32: u32, AtomicU16: u16, AtomicU8: u8);
    }
}

/// From the words, or to them.
trait Direction {
    const LOADS: bool;
}

enum Load {}

impl Direction for Load {
    const LOADS: bool = true;
}

enum Store {}

impl Direction for Store {
    const LOADS: bool = false;
}
