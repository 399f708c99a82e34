//! `OnceLock`: a value that is written once.

use core::convert::Infallible;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use crate::primitive::{Deadline, UnsafeCell, model_const_fn};
use crate::raw;

/// A place for a value that is written once and then read by everybody, without a lock.
///
/// Reading is one load and one branch. Whoever comes while the value is being made sleeps until it
/// is there. For a value whose maker is known when the place is declared, see
/// [`LazyLock`](crate::LazyLock).
///
/// # Failed attempts
///
/// A closure that panics, or returns an error, leaves the place empty; there is no poisoning. One
/// of the threads that waited tries next, and the others sleep on.
///
/// # Making the value inside of making the value
///
/// A closure that asks its own place for the value would wait for its own end: that is a panic, as
/// for [`Once`](crate::Once#waiting-for-itself).
///
/// # Memory ordering
///
/// Everything done until the value was there happens before everything done with it.
///
/// # Fork, signals, panics, allocators
///
/// As for [`Once`](crate::Once#fork-signals-panics-allocators): a value that is there is there in
/// the child. A signal handler may call [`get`](Self::get).
///
/// # Differences
///
/// From `std::sync::OnceLock`: [`get_or_try_init`](Self::get_or_try_init),
/// [`get_mut_or_init`](Self::get_mut_or_init) and [`try_insert`](Self::try_insert) are there, as
/// are waits with limits. The value lies in an `Option`, so that a place may hold a reference to
/// what is dropped before it, as `std`'s may: eight bytes more for a type such as `u64` which
/// leaves the `Option` no room, and none for a `Box`, a `Vec` or a `String`. From
/// `once_cell::sync::OnceCell`: names are `std`'s, and four bytes instead of a pointer beside the
/// value.
///
/// # Examples
///
/// ```
/// use lockwork::OnceLock;
///
/// static HOST: OnceLock<String> = OnceLock::new();
///
/// fn host() -> &'static str {
///     HOST.get_or_init(|| std::env::var("HOST").unwrap_or("localhost".into()))
/// }
/// assert_eq!(host(), host());
/// ```
///
/// A place may be sent to where its value may, and shared if its value may be both sent, as the
/// thread that writes it need not be the one that drops it, and shared:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::OnceLock::from(std::cell::Cell::new(0)));
/// ```
///
/// ```compile_fail,E0277
/// fn sent<T: Send>(_: T) {}
/// sent(lockwork::OnceLock::from(std::rc::Rc::new(0)));
/// ```
#[doc(alias("once_cell", "OnceCell", "call_once", "lazy_static", "pthread_once"))]
pub struct OnceLock<T> {
    once: raw::Once,
    /// `Some` iff the once is done; written by an attempt, and read once it is done.
    value: UnsafeCell<Option<T>>,
}

// SAFETY: moving the place moves the value.
unsafe impl<T: Send> Send for OnceLock<T> {}
// SAFETY: a shared place gives out shared references to its value, which needs `Sync`, and takes
// the value from one thread to be dropped by another, which needs `Send`.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}

// A panic leaves the value there or not, and never half.
impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceLock<T> {}
impl<T: UnwindSafe> UnwindSafe for OnceLock<T> {}

impl<T> OnceLock<T> {
    model_const_fn! {
        /// Creates an empty place.
        ///
        /// ```
        /// static PLACE: lockwork::OnceLock<u32> = lockwork::OnceLock::new();
        /// assert_eq!(PLACE.get(), None);
        /// ```
        #[must_use]
        pub const fn new() -> Self {
            Self { once: raw::Once::new(), value: UnsafeCell::new(None) }
        }
    }

    /// The value, if it is there. Never waits.
    ///
    /// ```
    /// let place = lockwork::OnceLock::new();
    /// assert_eq!(place.get(), None);
    /// place.set(1).unwrap();
    /// assert_eq!(place.get(), Some(&1));
    /// ```
    #[inline]
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        // SAFETY: the once is done.
        self.once.is_done().then(|| unsafe { self.get_unchecked() })
    }

    /// # Safety
    ///
    /// The once is done, which this thread has seen.
    #[inline]
    unsafe fn get_unchecked(&self) -> &T {
        self.value.track().end();
        // SAFETY: the write of the value happened before, and there is no other as long as the
        // place is shared.
        unsafe { (*self.value.get()).as_ref().unwrap_unchecked() }
    }

    /// The value, if it is there; the exclusive borrow proves that nobody else is reading.
    ///
    /// ```
    /// let mut place = lockwork::OnceLock::from(1);
    /// *place.get_mut().unwrap() += 1;
    /// assert_eq!(place.get(), Some(&2));
    /// ```
    #[inline]
    #[must_use]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut().as_mut()
    }

    /// Sleeps until the value is there.
    ///
    /// # Panics
    ///
    /// If this is called by the closure that makes the value.
    ///
    /// ```
    /// let place = lockwork::OnceLock::new();
    /// std::thread::scope(|s| {
    ///     s.spawn(|| assert_eq!(*place.wait(), 7));
    ///     place.set(7).unwrap();
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait(&self) -> &T {
        let value = self.wait_as(|| Deadline::NEVER);
        value.expect("a wait without a deadline does not time out")
    }

    /// Sleeps until the value is there, for at most `timeout`. A time-out too long to represent
    /// means no limit.
    ///
    /// # Errors
    ///
    /// `None` if the value was not there in time.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let empty = lockwork::OnceLock::<u32>::new();
    /// assert_eq!(empty.wait_for(Duration::from_millis(1)), None);
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait_for(&self, timeout: Duration) -> Option<&T> {
        self.wait_as(|| Deadline::after(timeout))
    }

    /// Sleeps until the value is there, until `deadline` at the latest: an `Instant` or a
    /// [`Deadline`].
    ///
    /// # Errors
    ///
    /// `None` if the value was not there in time.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// ```
    /// use lockwork::{Deadline, OnceLock};
    ///
    /// assert_eq!(OnceLock::from(1).wait_until(Deadline::now()), Some(&1));
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait_until(&self, deadline: impl Into<Deadline>) -> Option<&T> {
        self.wait_as(|| deadline.into())
    }

    #[inline]
    #[track_caller]
    fn wait_as(&self, deadline: impl FnOnce() -> Deadline) -> Option<&T> {
        // Nothing poisons this once, so a forced wait is the same as the other.
        let done = self.once.is_done() || self.once.watch(true, deadline());
        // SAFETY: the once is done.
        done.then(|| unsafe { self.get_unchecked() })
    }

    /// Writes the value, if none is there. Sleeps while another thread makes one.
    ///
    /// # Errors
    ///
    /// `value` comes back if there is one already.
    ///
    /// # Panics
    ///
    /// If this is called by the closure that makes the value.
    ///
    /// ```
    /// let place = lockwork::OnceLock::new();
    /// assert_eq!(place.set("first"), Ok(()));
    /// assert_eq!(place.set("second"), Err("second"));
    /// ```
    #[inline]
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        match self.try_insert(value) {
            Ok(_) => Ok(()),
            Err((_, value)) => Err(value),
        }
    }

    /// Writes the value, if none is there, and returns what is. Sleeps while another thread makes
    /// one.
    ///
    /// # Errors
    ///
    /// The value that is there, and the one given.
    ///
    /// # Panics
    ///
    /// If this is called by the closure that makes the value.
    ///
    /// ```
    /// let place = lockwork::OnceLock::new();
    /// assert_eq!(place.try_insert(1), Ok(&1));
    /// assert_eq!(place.try_insert(2), Err((&1, 2)));
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_insert(&self, value: T) -> Result<&T, (&T, T)> {
        let mut given = Some(value);
        let make = || given.take().expect("a closure is run once");
        let there = self.get_or_init(make);
        match given {
            None => Ok(there),
            Some(value) => Err((there, value)),
        }
    }

    /// The value, made by `make` if none is there. Sleeps while another thread makes one.
    ///
    /// # Panics
    ///
    /// If `make` panics, with the place still empty; if this is called by the closure that makes
    /// the value.
    ///
    /// ```
    /// let place = lockwork::OnceLock::new();
    /// assert_eq!(place.get_or_init(|| 1), &1);
    /// assert_eq!(place.get_or_init(|| unreachable!()), &1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        match self.get_or_try_init(|| Ok::<T, Infallible>(make())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// The value, made by `make` if none is there. Sleeps while another thread makes one.
    ///
    /// # Errors
    ///
    /// What `make` failed with; the place is empty then, and the next to ask tries again.
    ///
    /// # Panics
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// ```
    /// let port = lockwork::OnceLock::new();
    /// assert!(port.get_or_try_init(|| "http".parse::<u16>()).is_err());
    /// assert_eq!(port.get_or_try_init(|| "80".parse::<u16>()), Ok(&80));
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_or_try_init<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if !self.once.is_done() {
            self.init_slow(make)?;
        }
        // SAFETY: the once is done.
        Ok(unsafe { self.get_unchecked() })
    }

    #[cold]
    #[track_caller]
    fn init_slow<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<(), E> {
        if let Some(attempt) = self.once.begin(true) {
            // If `make` panics or fails, the place is left empty.
            let attempt = attempt.or_as_before();
            let value = make()?;
            // SAFETY: there is one attempt at a time, and nobody reads before it is complete. What
            // is overwritten is `None`.
            self.value.with_mut(|place| unsafe { place.write(Some(value)) });
            attempt.complete();
        }
        Ok(())
    }

    /// The value, made by `make` if none is there, through an exclusive borrow.
    ///
    /// # Panics
    ///
    /// If `make` panics, with the place still empty.
    ///
    /// ```
    /// let mut place = lockwork::OnceLock::new();
    /// place.get_mut_or_init(Vec::new).push(1);
    /// assert_eq!(place.get_mut_or_init(Vec::new), &[1]);
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_mut_or_init(&mut self, make: impl FnOnce() -> T) -> &mut T {
        self.get_or_init(make);
        self.get_mut().expect("just made")
    }

    /// The value, made by `make` if none is there, through an exclusive borrow.
    ///
    /// # Errors
    ///
    /// What `make` failed with.
    ///
    /// # Panics
    ///
    /// If `make` panics, with the place still empty.
    ///
    /// ```
    /// let mut port = lockwork::OnceLock::new();
    /// *port.get_mut_or_try_init(|| "80".parse::<u16>())? += 8000;
    /// assert_eq!(port.get(), Some(&8080));
    /// # Ok::<(), std::num::ParseIntError>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_mut_or_try_init<E>(
        &mut self,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<&mut T, E> {
        self.get_or_try_init(make)?;
        Ok(self.get_mut().expect("just made"))
    }

    /// Takes the value out, and gives up the place.
    ///
    /// ```
    /// assert_eq!(lockwork::OnceLock::from(1).into_inner(), Some(1));
    /// ```
    #[must_use]
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Takes the value out, and leaves the place empty.
    ///
    /// ```
    /// let mut place = lockwork::OnceLock::from(1);
    /// assert_eq!(place.take(), Some(1));
    /// assert_eq!(place.get(), None);
    /// ```
    #[must_use = "the value is dropped otherwise"]
    pub fn take(&mut self) -> Option<T> {
        core::mem::take(self).into_inner()
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A place with a value in it.
impl<T> From<T> for OnceLock<T> {
    fn from(value: T) -> Self {
        Self { once: raw::Once::new_done(), value: UnsafeCell::new(Some(value)) }
    }
}

/// A place with a clone of the value, if it is there at this moment.
impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> Self {
        self.get().map_or_else(Self::new, |value| Self::from(value.clone()))
    }
}

/// Compares what is there at this moment.
impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    /// Shows the value if it is there, and that it is not otherwise. Never waits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_tuple("OnceLock");
        match self.get() {
            Some(value) => out.field(value).finish(),
            None => out.field(&format_args!("<uninit>")).finish(),
        }
    }
}
