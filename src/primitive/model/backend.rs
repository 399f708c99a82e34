//! The names that `real` exports, on loom.

use core::marker::PhantomData;
use core::mem::{MaybeUninit, size_of_val};
use core::ops::{Deref, DerefMut};
use std::boxed::Box;
use std::vec::Vec;

use super::super::{Deadline, Ordering, PlainData, Private, Scope, Wait, ord};
use super::kernel::{self, Held};

pub(crate) use super::kernel::{WaitWord, as_shipped, fork_epoch, patience, unique_id};
#[cfg(feature = "std")]
pub(crate) use super::pi::{PiFutex, show_hand_over, show_receipt, thread_id};

/// Threads, for the layer that owns some.
pub(crate) mod thread {
    pub(crate) use loom::thread::{Builder, JoinHandle};

    /// Starts a thread, unless the model is told that there are no more to be had.
    pub(crate) fn start(
        builder: Builder,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        match super::kernel::threads_are_refused() {
            true => Err(std::io::Error::from(std::io::ErrorKind::WouldBlock)),
            false => builder.spawn(body),
        }
    }

    /// The model does not tell.
    pub(crate) fn has_ended(_: &JoinHandle<()>) -> bool {
        false
    }
}
pub(crate) use loom::lazy_static;
pub(crate) use loom::thread_local as thread_locals;

/// The shadow of one atomic: see the module above.
#[derive(Debug)]
struct Shadow(loom::sync::atomic::AtomicUsize);

impl Shadow {
    fn new() -> Self {
        Self(loom::sync::atomic::AtomicUsize::new(0))
    }

    fn touch(&self) {
        if kernel::begin_operation() {
            // Relaxed: a conflict for the explorer, no edge for the program.
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        // Others have run by now.
        kernel::look_for_grave(core::ptr::from_ref(self).addr());
    }
}

/// The value of an atomic that nobody else can reach. Loom lends a copy, and takes it back.
pub struct Whole<'a, T: Copy> {
    value: T,
    put_back: Box<dyn FnMut(T) + 'a>,
}

impl<T: Copy + core::fmt::Debug> core::fmt::Debug for Whole<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: Copy> Deref for Whole<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Copy> DerefMut for Whole<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: Copy> Drop for Whole<'_, T> {
    fn drop(&mut self) {
        (self.put_back)(self.value);
    }
}

macro_rules! shadowed {
    ($($name:ident: $int:ty),*) => {$(
        /// loom's atomic with a shadow.
        #[derive(Debug)]
        pub struct $name {
            value: loom::sync::atomic::$name,
            shadow: Shadow,
        }

        #[allow(missing_docs, reason = "the methods of core's atomics")]
        impl $name {
            pub fn new(value: $int) -> Self {
                Self { value: loom::sync::atomic::$name::new(value), shadow: Shadow::new() }
            }
            pub fn get_mut(&mut self) -> Whole<'_, $int> {
                let value = self.value.with_mut(|value| *value);
                let put_back = |new| self.value.with_mut(|value| *value = new);
                Whole { value, put_back: Box::new(put_back) }
            }
            pub fn load(&self, order: Ordering) -> $int {
                self.shadow.touch();
                self.value.load(order)
            }
            pub fn store(&self, value: $int, order: Ordering) {
                self.shadow.touch();
                self.value.store(value, order);
            }
            pub fn swap(&self, value: $int, order: Ordering) -> $int {
                self.shadow.touch();
                self.value.swap(value, order)
            }
            pub fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                self.shadow.touch();
                self.value.compare_exchange(current, new, success, failure)
            }
            /// Never fails spuriously: a retry would explore the same again.
            pub fn compare_exchange_weak(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                self.compare_exchange(current, new, success, failure)
            }
            pub fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                self.shadow.touch();
                self.value.fetch_add(value, order)
            }
            pub fn fetch_sub(&self, value: $int, order: Ordering) -> $int {
                self.shadow.touch();
                self.value.fetch_sub(value, order)
            }
            pub fn fetch_and(&self, bits: $int, order: Ordering) -> $int {
                self.shadow.touch();
                self.value.fetch_and(bits, order)
            }
            pub fn fetch_or(&self, bits: $int, order: Ordering) -> $int {
                self.shadow.touch();
                self.value.fetch_or(bits, order)
            }
        }
    )*};
}

shadowed!(AtomicU32: u32, AtomicU64: u64, AtomicUsize: usize);

/// loom's atomic pointer with a shadow.
#[derive(Debug)]
pub struct AtomicPtr<T> {
    value: loom::sync::atomic::AtomicPtr<T>,
    shadow: Shadow,
}

#[allow(missing_docs, reason = "the methods of core's atomics")]
impl<T> AtomicPtr<T> {
    pub fn new(value: *mut T) -> Self {
        Self { value: loom::sync::atomic::AtomicPtr::new(value), shadow: Shadow::new() }
    }
    pub fn load(&self, order: Ordering) -> *mut T {
        self.shadow.touch();
        self.value.load(order)
    }
    pub fn store(&self, value: *mut T, order: Ordering) {
        self.shadow.touch();
        self.value.store(value, order);
    }
    pub fn swap(&self, value: *mut T, order: Ordering) -> *mut T {
        self.shadow.touch();
        self.value.swap(value, order)
    }
    pub fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        self.shadow.touch();
        self.value.compare_exchange(current, new, success, failure)
    }
}

/// A memory fence; one whose row is weakened is left out.
pub fn fence(order: Ordering) {
    if order != Ordering::Relaxed {
        loom::sync::atomic::fence(order);
    }
}

/// The light side of a pair: a full fence.
pub fn light_fence() {
    bare_light_fence();
}

/// As `light_fence`, which is the same under the model.
pub(crate) fn bare_light_fence() {
    if !kernel::refuses_barriers() {
        // SeqCst: pairs with the heavy side's.
        fence(ord!("asymmetric.light", Ordering::SeqCst));
    }
}

/// The heavy side of a pair: a full fence too.
#[must_use = "without a fence, the other side has to be thought capable of anything"]
pub fn heavy_fence() -> bool {
    // SeqCst: pairs with the light side's.
    fence(ord!("asymmetric.heavy", Ordering::SeqCst));
    !kernel::refuses_barriers()
}

/// Nobody forbids anything in the model.
#[allow(dead_code, reason = "one set for all users")]
pub(crate) fn barrier_was_refused() -> bool {
    false
}

/// Settled from the start.
#[allow(dead_code, reason = "one set for all users")]
pub(crate) fn settle() -> bool {
    true
}

/// No thread of the model is interrupted by a handler.
pub(crate) fn signal_fence() {}

pub(crate) fn spin_loop() {
    loom::thread::yield_now();
}

pub(crate) fn yield_now() {
    loom::thread::yield_now();
}

/// Time stands still in the model: a deadline is a licence to time out, not a moment.
pub(crate) fn monotonic_nanos() -> u64 {
    0
}

/// The real type of this name, on the modelled kernel.
#[derive(Debug)]
pub struct Futex<S: Scope = Private> {
    word: AtomicU32,
    scope: PhantomData<S>,
}

#[allow(missing_docs, reason = "documented on the real type")]
impl<S: Scope> Futex<S> {
    pub fn new(value: u32) -> Self {
        Self { word: AtomicU32::new(value), scope: PhantomData }
    }
    pub fn load(&self, order: Ordering) -> u32 {
        self.word.load(order)
    }
    pub fn store(&self, value: u32, order: Ordering) {
        self.word.store(value, order);
    }
    pub fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.word.swap(value, order)
    }
    pub fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.word.compare_exchange(current, new, success, failure)
    }
    pub fn fetch_or(&self, bits: u32, order: Ordering) -> u32 {
        self.word.fetch_or(bits, order)
    }
    pub fn fetch_add(&self, value: u32, order: Ordering) -> u32 {
        self.word.fetch_add(value, order)
    }
    pub fn fetch_sub(&self, value: u32, order: Ordering) -> u32 {
        self.word.fetch_sub(value, order)
    }
    pub fn clear_lowest(&self, order: Ordering) -> (bool, bool) {
        let word = self.word.fetch_and(!1, order);
        (word >> 1 & 1 != 0, word >> 31 != 0)
    }
    pub fn wait(&self, expected: u32, deadline: Deadline) -> Wait {
        self.wait_as(!0, expected, deadline)
    }
    pub fn wait_as(&self, classes: u32, expected: u32, deadline: Deadline) -> Wait {
        kernel::wait(&[self.while_it_is(expected)], classes, deadline)
    }
    pub(crate) fn while_it_is(&self, expected: u32) -> WaitWord<'_> {
        WaitWord::new(address(self), expected, &self.word)
    }
    pub(super) fn holds(&self, expected: u32) -> bool {
        self.word.holds(expected)
    }
    pub fn wake(this: *const Self, count: u32) -> u32 {
        Self::wake_classes(this, !0, count)
    }
    pub fn wake_classes(this: *const Self, classes: u32, count: u32) -> u32 {
        kernel::wake(this.addr(), classes, count)
    }
}

#[allow(missing_docs, reason = "documented on the real type")]
impl Futex<Private> {
    pub fn requeue(&self, count: u32, to: &Self) -> u32 {
        kernel::requeue(address(self), count, address(to))
    }
}

/// The real type of this name, on the modelled kernel; a type of its own because loom has no half
/// words.
#[derive(Debug)]
pub struct Futex64<S: Scope = Private> {
    word: AtomicU64,
    scope: PhantomData<S>,
}

#[allow(missing_docs, reason = "documented on the real type")]
impl<S: Scope> Futex64<S> {
    pub fn new(value: u64) -> Self {
        Self { word: AtomicU64::new(value), scope: PhantomData }
    }
    pub fn load(&self, order: Ordering) -> u64 {
        self.word.load(order)
    }
    pub fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.word.compare_exchange(current, new, success, failure)
    }
    pub fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        self.word.fetch_add(value, order)
    }
    pub fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
        self.word.fetch_sub(value, order)
    }
    pub fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
        self.word.fetch_or(bits, order)
    }
    #[cfg(feature = "alloc")]
    pub fn fetch_and(&self, bits: u64, order: Ordering) -> u64 {
        self.word.fetch_and(bits, order)
    }
    pub fn wait_low(&self, expected: u32, deadline: Deadline) -> Wait {
        self.while_low_is(expected).wait(deadline)
    }
    pub(crate) fn while_low_is(&self, expected: u32) -> WaitWord<'_> {
        WaitWord::new(address(self), expected, &self.word)
    }
    pub fn wake(this: *const Self, count: u32) -> u32 {
        kernel::wake(this.addr(), !0, count)
    }
}

impl Held for AtomicU32 {
    fn holds(&self, expected: u32) -> bool {
        // The kernel compares under its bucket lock, so it sees the newest value, and it writes
        // nothing. A read-modify-write that fails does both; a load could return an old value, and
        // one that succeeds would leave a store that other threads' plain stores are not ordered
        // with.
        let (other, order) = (!expected, Ordering::Relaxed);
        self.value.compare_exchange(other, other, order, order) == Err(expected)
    }
}

impl Held for AtomicU64 {
    fn holds(&self, expected: u32) -> bool {
        self.value.fetch_or(0, Ordering::Relaxed) as u32 == expected
    }
}

pub(crate) fn wait_many(words: &[WaitWord<'_>], deadline: Deadline) -> Wait {
    kernel::wait(words, !0, deadline)
}

pub(super) fn address<T>(word: &T) -> usize {
    // A futex is keyed by address alone, so two words must never share one.
    debug_assert!(size_of_val(word) > 0);
    core::ptr::from_ref(word).addr()
}

/// A cell whose accesses loom checks against each other.
///
/// Tracking is apart from the data, so that the tracker of a guard does not depend on what the
/// guard was mapped to.
#[derive(Debug)]
pub struct UnsafeCell<T: ?Sized> {
    tracker: loom::cell::UnsafeCell<()>,
    data: core::cell::UnsafeCell<T>,
}

#[allow(missing_docs, reason = "documented on the real type")]
impl<T> UnsafeCell<T> {
    pub fn new(value: T) -> Self {
        Self { tracker: loom::cell::UnsafeCell::new(()), data: core::cell::UnsafeCell::new(value) }
    }
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T> UnsafeCell<MaybeUninit<T>> {
    /// Makes a cell without a value at `place`.
    ///
    /// # Safety
    ///
    /// `place` is valid for writes, and aligned.
    pub(crate) unsafe fn make_uninit_at(place: *mut Self) {
        // SAFETY: by this function's contract.
        unsafe { place.write(Self::new(MaybeUninit::uninit())) };
    }
}

#[allow(missing_docs, reason = "documented on the real type")]
impl<T: ?Sized> UnsafeCell<T> {
    pub fn get(&self) -> *mut T {
        self.data.get()
    }
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }
    pub fn track_mut(&self) -> Tracked {
        Tracked { access: Access::Exclusive(self.tracker.get_mut()) }
    }
    pub fn track(&self) -> Tracked {
        Tracked { access: Access::Shared(self.tracker.get()) }
    }
    pub fn untracked(&self) -> Tracked {
        Tracked { access: Access::Over }
    }
    pub fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
        self.tracker.with(|_| access(self.data.get()))
    }
    pub fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        self.tracker.with_mut(|_| access(self.data.get()))
    }
}

/// An access under way.
#[derive(Debug)]
pub struct Tracked {
    access: Access,
}

#[derive(Debug)]
#[allow(dead_code, reason = "the values end the access when they are dropped")]
enum Access {
    Exclusive(loom::cell::MutPtr<()>),
    Shared(loom::cell::ConstPtr<()>),
    Over,
}

impl Tracked {
    /// Ends the access.
    pub fn end(&mut self) {
        self.access = Access::Over;
    }
}

/// The real type of this name. Words of four bytes, so that small values have several.
#[derive(Debug)]
pub(crate) struct Words<T> {
    words: Vec<AtomicU32>,
    value: PhantomData<T>,
}

impl<T: PlainData> Words<T> {
    pub(crate) fn new(value: T) -> Self {
        let words = to_words(value).into_iter().map(AtomicU32::new).collect();
        Self { words, value: PhantomData }
    }
    pub(crate) fn load(&self) -> MaybeUninit<T> {
        let words: Vec<u32> = self.words.iter().map(|word| word.load(Ordering::Relaxed)).collect();
        let mut copy = MaybeUninit::<T>::uninit();
        // SAFETY: there are enough words for a value, and they are not where the copy is.
        unsafe {
            let from = words.as_ptr().cast::<u8>();
            from.copy_to_nonoverlapping(copy.as_mut_ptr().cast(), size_of::<T>());
        }
        copy
    }
    pub(crate) fn store(&self, value: T) {
        for (word, new) in self.words.iter().zip(to_words(value)) {
            word.store(new, Ordering::Relaxed);
        }
    }
}

/// The bytes of a value, with zeros behind them.
fn to_words<T: PlainData>(value: T) -> Vec<u32> {
    let mut words = std::vec![0; size_of::<T>().div_ceil(4)];
    let from = (&raw const value).cast::<u8>();
    // SAFETY: `words` is large enough, and every byte of the value is initialized.
    unsafe { from.copy_to_nonoverlapping(words.as_mut_ptr().cast(), size_of::<T>()) };
    words
}
