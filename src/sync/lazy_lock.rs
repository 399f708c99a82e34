//! `LazyLock`: a value made when it is first used.

use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::panic::{RefUnwindSafe, UnwindSafe};

use crate::primitive::{UnsafeCell, model_const_fn};
use crate::raw;

/// A value that its closure makes when somebody first uses it: for statics that cannot be constant.
///
/// Later uses are one load and one branch. Whoever comes while the value is being made sleeps until
/// it is there. The state takes four bytes beside the value, or the closure if that is larger.
///
/// # Panics
///
/// If the closure panics, the value is never made: this use and all others panic. So does a closure
/// that uses its own value ([details](crate::Once#waiting-for-itself)).
///
/// # Memory ordering
///
/// Everything the closure did happens before everything done with the value.
///
/// # Fork, signals, panics, allocators
///
/// As for [`Once`](crate::Once#fork-signals-panics-allocators): a value that is there is there in
/// the child. A signal handler may use one that is known to be there.
///
/// # Differences
///
/// From `std::sync::LazyLock`: [`get`](Self::get), [`get_mut`](Self::get_mut),
/// [`force_mut`](Self::force_mut) and [`into_inner`](Self::into_inner) are there, and recursion
/// panics instead of sleeping for ever. From `once_cell::sync::Lazy` and `lazy_static!`: no
/// dependency on a macro or on an allocator, and names are `std`'s.
///
/// # Examples
///
/// ```
/// use lockwork::{LazyLock, Mutex};
/// use std::collections::HashMap;
///
/// static VISITS: LazyLock<Mutex<HashMap<&str, u32>>> = LazyLock::new(Default::default);
///
/// *VISITS.lock().entry("index").or_default() += 1;
/// assert_eq!(VISITS.lock()["index"], 1);
/// ```
///
/// It is shared only if the value may be sent and shared, and the closure may be sent to whoever
/// runs it:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(lockwork::LazyLock::new(|| std::cell::Cell::new(0)));
/// ```
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// let one = std::rc::Rc::new(1);
/// shared(lockwork::LazyLock::new(move || *one + 1));
/// ```
#[doc(alias("lazy_static", "once_cell", "Lazy", "magic static"))]
pub struct LazyLock<T, F = fn() -> T> {
    once: raw::Once,
    /// Which it is, the once says: new, the closure; done, the value; else nothing.
    data: UnsafeCell<Data<T, F>>,
}

union Data<T, F> {
    make: ManuallyDrop<F>,
    value: ManuallyDrop<T>,
}

// SAFETY: moving it moves the value or the closure.
unsafe impl<T: Send, F: Send> Send for LazyLock<T, F> {}
// SAFETY: a shared one gives out shared references to its value, which needs `Sync`; makes it on
// one thread for another to drop, which needs `Send`; and runs and drops the closure on whatever
// thread comes first, which needs `Send`. The closure is never shared.
unsafe impl<T: Send + Sync, F: Send> Sync for LazyLock<T, F> {}

// A panic leaves the value there or not, and never half.
impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}
impl<T: UnwindSafe, F: UnwindSafe> UnwindSafe for LazyLock<T, F> {}

impl<T, F> LazyLock<T, F> {
    /// The value, if it is there. Never waits, and makes nothing.
    ///
    /// An associated function, as all here are: a method would hide one of the value's.
    ///
    /// ```
    /// use lockwork::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 1);
    /// assert_eq!(LazyLock::get(&lazy), None);
    /// assert_eq!(*lazy, 1);
    /// assert_eq!(LazyLock::get(&lazy), Some(&1));
    /// ```
    #[inline]
    #[must_use]
    pub fn get(this: &Self) -> Option<&T> {
        // SAFETY: the once is done.
        this.once.is_done().then(|| unsafe { this.value() })
    }

    /// The value, if it is there; the exclusive borrow proves that nobody else is reading.
    ///
    /// ```
    /// use lockwork::LazyLock;
    ///
    /// let mut lazy = LazyLock::new(|| 1);
    /// assert_eq!(LazyLock::get_mut(&mut lazy), None);
    /// ```
    #[inline]
    #[must_use]
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        // SAFETY: done, so it is the value.
        this.once.is_done().then(|| unsafe { &mut *this.data.get_mut().value })
    }

    /// # Safety
    ///
    /// The once is done, which this thread has seen.
    #[inline]
    unsafe fn value(&self) -> &T {
        self.data.track().end();
        // SAFETY: done, so it is the value, which was written before, and is not again as long as
        // it is shared.
        unsafe { &(*self.data.get()).value }
    }
}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    model_const_fn! {
        /// A value that `make` will make.
        ///
        /// ```
        /// use lockwork::LazyLock;
        ///
        /// static PID: LazyLock<u32> = LazyLock::new(std::process::id);
        /// assert_eq!(*PID, std::process::id());
        /// ```
        #[must_use]
        pub const fn new(make: F) -> Self {
            let data = UnsafeCell::new(Data { make: ManuallyDrop::new(make) });
            Self { once: raw::Once::new(), data }
        }
    }

    /// The value, made if it is not there: what [`Deref`] does, by name.
    ///
    /// # Panics
    ///
    /// If the closure panics, or has; if it is the closure that calls this.
    ///
    /// ```
    /// use lockwork::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 1);
    /// assert_eq!(LazyLock::force(&lazy), &1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn force(this: &Self) -> &T {
        if !this.once.is_done() {
            this.make_slow();
        }
        // SAFETY: the once is done.
        unsafe { this.value() }
    }

    /// The value, made if it is not there, through an exclusive borrow.
    ///
    /// # Panics
    ///
    /// As [`force`](Self::force).
    ///
    /// ```
    /// use lockwork::LazyLock;
    ///
    /// let mut lazy = LazyLock::new(|| 1);
    /// *LazyLock::force_mut(&mut lazy) += 1;
    /// assert_eq!(*lazy, 2);
    /// ```
    #[inline]
    #[track_caller]
    pub fn force_mut(this: &mut Self) -> &mut T {
        Self::force(this);
        // SAFETY: done, so it is the value.
        unsafe { &mut this.data.get_mut().value }
    }

    #[cold]
    #[track_caller]
    fn make_slow(&self) {
        // A drop of the attempt poisons, and nothing is left in `data` then: the closure is used
        // up.
        if let Some(attempt) = self.once.begin(false) {
            // SAFETY: there is one attempt ever, as one that is dropped poisons; until now it is
            // the closure, and from now on nothing.
            let make = self.data.with_mut(|data| unsafe { ManuallyDrop::take(&mut (*data).make) });
            let value = Data { value: ManuallyDrop::new(make()) };
            // SAFETY: nobody reads before the attempt is complete, and there is nothing to drop.
            self.data.with_mut(|data| unsafe { data.write(value) });
            attempt.complete();
        }
    }

    /// Takes the value out, or the closure that would have made it.
    ///
    /// # Errors
    ///
    /// The closure, if it has not been run.
    ///
    /// # Panics
    ///
    /// If the closure has panicked.
    ///
    /// ```
    /// use lockwork::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 1);
    /// assert_eq!(*lazy, 1);
    /// assert_eq!(LazyLock::into_inner(lazy).ok(), Some(1));
    /// assert!(LazyLock::into_inner(LazyLock::new(|| 1)).is_err());
    /// ```
    #[track_caller]
    pub fn into_inner(this: Self) -> Result<T, F> {
        let mut this = ManuallyDrop::new(this);
        let (state, data) = (this.once.state(), this.data.get_mut());
        match state {
            // SAFETY: new, so it is the closure, which is not dropped with `this`.
            raw::OnceState::New => Err(unsafe { ManuallyDrop::take(&mut data.make) }),
            // SAFETY: done, so it is the value, likewise.
            raw::OnceState::Done => Ok(unsafe { ManuallyDrop::take(&mut data.value) }),
            _ => panic!("poisoned: the closure has panicked, and there is no value"),
        }
    }
}

impl<T, F> Drop for LazyLock<T, F> {
    fn drop(&mut self) {
        let (state, data) = (self.once.state(), self.data.get_mut());
        match state {
            // SAFETY: new, so it is the closure; dropped once.
            raw::OnceState::New => unsafe { ManuallyDrop::drop(&mut data.make) },
            // SAFETY: done, so it is the value; dropped once.
            raw::OnceState::Done => unsafe { ManuallyDrop::drop(&mut data.value) },
            // Poisoned: there is nothing. Running: in a child of fork, a closure of a thread that
            // does not exist.
            raw::OnceState::Poisoned | raw::OnceState::Running => {}
        }
    }
}

/// The value, made if it is not there. Panics if the closure panics, or has.
impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        Self::force(self)
    }
}

/// The value, made if it is not there. Panics if the closure panics, or has.
impl<T, F: FnOnce() -> T> DerefMut for LazyLock<T, F> {
    #[inline]
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        Self::force_mut(self)
    }
}

/// A value that is [`T::default()`](Default::default).
impl<T: Default> Default for LazyLock<T> {
    fn default() -> Self {
        Self::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    /// Shows the value if it is there, and that it is not otherwise. Never waits, and makes
    /// nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_tuple("LazyLock");
        match Self::get(self) {
            Some(value) => out.field(value).finish(),
            None => out.field(&format_args!("<uninit>")).finish(),
        }
    }
}
