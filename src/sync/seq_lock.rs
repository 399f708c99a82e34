//! `SeqLock` and its guard.

use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use super::exclusive::OnDrop;
use crate::primitive::{Backoff, PlainData, Words, model_const_fn};
use crate::raw;

/// A small value that is read all the time and written now and then; readers write nothing.
///
/// A reader copies the value and looks whether anybody wrote meanwhile; if so, it copies again. So
/// readers neither wait for each other nor take each other's cache lines, on any number of cores,
/// and a writer never waits for a reader. That is for values of a few words, such as times,
/// positions and statistics: larger ones, or those with pointers or a `Drop`, go into a
/// [`RwLock`](crate::RwLock). If the value fits one word, an atomic is better still.
///
/// Values must be [`PlainData`]: [`plain_data!`](crate::plain_data) checks a `struct` for that.
///
/// # Readers
///
/// [`read`](Self::read) tries until it has a copy that nobody wrote to: pauses first, then yields,
/// and sleeps for fractions of a millisecond once those were in vain, so that a writer that was
/// stopped in the middle can go on, also one of lower real-time priority. Writers without a pause
/// between them can keep it trying for as long as they like. [`try_read`](Self::try_read) tries
/// once, and never waits. Neither writes to the lock.
///
/// # Writers
///
/// One at a time, by a [`Mutex`](crate::Mutex) inside, in which the others sleep. A writer works on
/// a copy of its own; readers are held up only while that is stored.
///
/// # Fairness
///
/// Writers go before readers. Among writers, as for [`Mutex`](crate::Mutex#fairness).
///
/// # Memory ordering
///
/// Everything done before a write happens before everything done after a read that returns what was
/// written, or something later.
///
/// # Panics in a writer
///
/// A closure that panics inside [`update`](Self::update) leaves the value as it was. A guard that
/// is dropped by unwinding stores its copy, as one that is dropped otherwise. There is no
/// poisoning.
///
/// # Deadlocks
///
/// A thread that has a guard and asks for another, or writes, waits for itself for ever. Reading
/// is fine: it finds the value before the change.
///
/// # Fork, signals, panics, allocators
///
/// In a child of `fork`, a value whose writer is not there stays unwritable for ever, and if it was
/// stopped while it stored, [`read`](Self::read) does not return either;
/// [`try_read`](Self::try_read) does. A signal handler may use [`try_read`](Self::try_read).
///
/// # Differences
///
/// From the crate `seqlock`: the value is copied word by word by atomics, so that there is no data
/// race, and [`PlainData`] makes that possible; a guard works on a copy; 64 bits of sequence. From
/// Linux's `seqlock_t`: readers sleep in the end, as a process cannot forbid preemption. From
/// Java's `StampedLock`: readers cannot see a mixture, not even for a moment.
///
/// # Examples
///
/// ```
/// use lockwork::{SeqLock, plain_data};
///
/// #[derive(Clone, Copy)]
/// struct Position {
///     x: f64,
///     y: f64,
/// }
/// plain_data!(Position { x, y });
///
/// static SHIP: SeqLock<Position> = SeqLock::new(Position { x: 0.0, y: 0.0 });
///
/// std::thread::scope(|s| {
///     s.spawn(|| SHIP.write(Position { x: 3.0, y: 3.0 }));
///     let Position { x, y } = SHIP.read();
///     assert_eq!(x, y); // both from before, or both from after
/// });
/// ```
///
/// Padding is no data, and what is behind a pointer may be gone by the time a copy is known to be
/// old:
///
/// ```compile_fail,E0277
/// lockwork::SeqLock::new((1_u8, 2_u32));
/// ```
///
/// ```compile_fail,E0277
/// lockwork::SeqLock::new("a pointer and a length");
/// ```
#[doc(alias("seqlock", "seqcount", "seqcount_t", "StampedLock", "optimistic read"))]
pub struct SeqLock<T> {
    raw: raw::SeqLock,
    words: Words<T>,
}

// SAFETY: moving the lock moves the value.
unsafe impl<T: Send> Send for SeqLock<T> {}
// SAFETY: a shared lock hands copies from thread to thread, so the value must be `Send`; references
// to it are not given out, so it need not be `Sync`.
unsafe impl<T: Send> Sync for SeqLock<T> {}

impl<T: PlainData> SeqLock<T> {
    model_const_fn! {
        /// Creates a lock around `value`.
        ///
        /// ```
        /// static LIMITS: lockwork::SeqLock<[u32; 4]> = lockwork::SeqLock::new([0; 4]);
        /// assert_eq!(LIMITS.read(), [0; 4]);
        /// ```
        #[must_use]
        pub const fn new(value: T) -> Self {
            Self { raw: raw::SeqLock::new(), words: Words::new(value) }
        }
    }

    /// A copy of the value, as it was at one moment. Waits for a writer in the middle, and as long
    /// as writers go on without a pause.
    ///
    /// ```
    /// let pair = lockwork::SeqLock::new([1_u64, 2]);
    /// assert_eq!(pair.read(), [1, 2]);
    /// ```
    #[doc(alias = "read_seqbegin")]
    #[inline]
    #[must_use]
    #[track_caller]
    pub fn read(&self) -> T {
        if let Some(value) = self.try_read() {
            return value;
        }
        // Here and not in a function of its own, whose result would take the other's with it into
        // memory.
        let mut backoff = Backoff::new();
        loop {
            disturbed(&mut backoff);
            if let Some(value) = self.try_read() {
                return value;
            }
        }
    }

    /// A copy of the value, as it was at one moment. Never waits.
    ///
    /// # Errors
    ///
    /// `None` if somebody wrote meanwhile.
    ///
    /// ```
    /// let pair = lockwork::SeqLock::new([1_u64, 2]);
    /// assert_eq!(pair.try_read(), Some([1, 2]));
    /// ```
    #[doc(alias("tryOptimisticRead", "validate", "read_seqretry"))]
    #[inline]
    #[must_use]
    pub fn try_read(&self) -> Option<T> {
        let reading = self.raw.begin_read();
        let copy = self.words.load();
        // SAFETY: nobody wrote meanwhile, so the words are those of one value.
        self.raw.end_read(reading).then(|| unsafe { copy.assume_init() })
    }

    /// Replaces the value. Sleeps while another writer is there.
    ///
    /// ```
    /// let pair = lockwork::SeqLock::new([1_u64, 2]);
    /// pair.write([3, 4]);
    /// assert_eq!(pair.read(), [3, 4]);
    /// ```
    #[doc(alias("write_seqlock", "lock_write"))]
    #[inline]
    #[track_caller]
    pub fn write(&self, value: T) {
        self.raw.writers().lock();
        // SAFETY: just locked; unlocked once, afterwards.
        unsafe {
            self.store(value);
            self.raw.writers().unlock();
        }
    }

    /// Changes the value, and returns what the closure does. Sleeps while another writer is there;
    /// readers find the value before the change until the closure has returned. If it panics, the
    /// value stays as it was.
    ///
    /// ```
    /// let pair = lockwork::SeqLock::new([1_u64, 2]);
    /// let sum = pair.update(|pair| {
    ///     pair[0] += 10;
    ///     pair[0] + pair[1]
    /// });
    /// assert_eq!((sum, pair.read()), (13, [11, 2]));
    /// ```
    #[inline]
    #[track_caller]
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        self.raw.writers().lock();
        // SAFETY: locked above; unlocked once, by unwinding too.
        let _locked = OnDrop(|| unsafe { self.raw.writers().unlock() });
        // SAFETY: locked above.
        let mut copy = unsafe { self.read_as_writer() };
        let result = change(&mut copy);
        // SAFETY: locked above.
        unsafe { self.store(copy) };
        result
    }

    /// Keeps other writers out, and gives a copy of the value to work on, which is stored when the
    /// guard is dropped. Sleeps while another writer is there. Readers find the value before the
    /// change until then.
    ///
    /// ```
    /// let pair = lockwork::SeqLock::new([1_u64, 2]);
    /// let mut guard = pair.lock();
    /// guard[0] = 7;
    /// assert_eq!(pair.read(), [1, 2]);
    /// drop(guard);
    /// assert_eq!(pair.read(), [7, 2]);
    /// ```
    #[doc(alias("lock_write", "write_seqlock"))]
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> SeqLockGuard<'_, T> {
        self.raw.writers().lock();
        // SAFETY: just locked.
        unsafe { SeqLockGuard::new(self, self.read_as_writer()) }
    }

    /// As [`lock`](Self::lock), if no other writer is there at this moment.
    ///
    /// # Errors
    ///
    /// `None` if another writer is there.
    ///
    /// ```
    /// let pair = lockwork::SeqLock::new([1_u64, 2]);
    /// let guard = pair.try_lock().expect("nobody else is here");
    /// assert!(pair.try_lock().is_none());
    /// assert_eq!(*guard, [1, 2]);
    /// ```
    #[inline]
    #[must_use = "if unused the same value is stored again"]
    pub fn try_lock(&self) -> Option<SeqLockGuard<'_, T>> {
        // SAFETY: locked if it says so.
        let guard = || unsafe { SeqLockGuard::new(self, self.read_as_writer()) };
        self.raw.writers().try_lock().then(guard)
    }

    /// # Safety
    ///
    /// The calling context has the writers' mutex, and is not writing.
    #[inline]
    unsafe fn read_as_writer(&self) -> T {
        // SAFETY: no other writer is there, and what earlier ones stored happened before.
        unsafe { self.words.load().assume_init() }
    }

    /// # Safety
    ///
    /// The calling context has the writers' mutex, and is not writing.
    #[inline]
    unsafe fn store(&self, value: T) {
        // SAFETY: by the caller; storing does not unwind.
        unsafe {
            self.raw.begin_write();
            self.words.store(value);
            self.raw.end_write();
        }
    }

    /// Whether a writer is there at this moment, with a guard or in the middle of storing. Good for
    /// displays; by the time the answer is read it may be out of date.
    ///
    /// ```
    /// let number = lockwork::SeqLock::new(1);
    /// let guard = number.lock();
    /// assert!(number.is_locked());
    /// drop(guard);
    /// assert!(!number.is_locked());
    /// ```
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.raw.writers().is_locked()
    }

    /// Takes the value out of a lock that nobody else can reach.
    ///
    /// ```
    /// assert_eq!(lockwork::SeqLock::new(1).into_inner(), 1);
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        // SAFETY: nobody else has the lock, so nobody is in the middle of storing.
        unsafe { self.words.load().assume_init() }
    }
}

/// Somebody writes: lets that end.
#[cold]
#[inline(never)]
fn disturbed(backoff: &mut Backoff) {
    backoff.wait_for_other();
}

impl<T: PlainData + Default> Default for SeqLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: PlainData> From<T> for SeqLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: PlainData + fmt::Debug> fmt::Debug for SeqLock<T> {
    /// Shows the value, unless somebody is in the middle of storing one. Never waits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("SeqLock");
        match self.try_read() {
            Some(value) => out.field("data", &value).finish(),
            None => out.field("data", &format_args!("<written>")).finish(),
        }
    }
}

/// The proof that no other writer of a [`SeqLock`] is there, and a copy of its value. Dropping it
/// stores the copy.
///
/// ```
/// let pair = lockwork::SeqLock::new([1_u64, 2]);
/// pair.lock().reverse();
/// assert_eq!(pair.read(), [2, 1]);
/// ```
///
/// It stays with the thread that locked:
///
/// ```compile_fail,E0277
/// let lock = lockwork::SeqLock::new(0);
/// let guard = lock.lock();
/// std::thread::scope(|s| s.spawn(move || drop(guard)));
/// ```
#[must_use = "if unused the same value is stored again"]
pub struct SeqLockGuard<'a, T: PlainData> {
    lock: &'a SeqLock<T>,
    copy: T,
    /// Not `Send`: a thread that locks is the one that unlocks.
    stays: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out shared references to the copy, which needs `Sync`, and nothing
// else.
unsafe impl<T: PlainData + Sync> Sync for SeqLockGuard<'_, T> {}

impl<'a, T: PlainData> SeqLockGuard<'a, T> {
    /// # Safety
    ///
    /// The calling thread has locked the writers' mutex, and no guard stands for that yet.
    #[inline]
    unsafe fn new(lock: &'a SeqLock<T>, copy: T) -> Self {
        Self { lock, copy, stays: PhantomData }
    }
}

impl<T: PlainData> Deref for SeqLockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.copy
    }
}

impl<T: PlainData> DerefMut for SeqLockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.copy
    }
}

impl<T: PlainData> Drop for SeqLockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the guard stands for the writers' mutex, and ends here.
        unsafe {
            self.lock.store(self.copy);
            self.lock.raw.writers().unlock();
        }
    }
}

impl<T: PlainData + fmt::Debug> fmt::Debug for SeqLockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: PlainData + fmt::Display> fmt::Display for SeqLockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
