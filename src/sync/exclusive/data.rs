//! Methods of the locks that are about the data, and lock nothing.

macro_rules! lock_data_methods {
    (lock: $Lock:ident, raw: $raw:ty $(,)?) => {
        impl<T> $Lock<T> {
            $crate::primitive::model_const_fn! {
                /// Creates a free mutex around `value`.
                ///
                /// ```
                #[doc = concat!("use lockwork::", stringify!($Lock), ";")]
                ///
                #[doc = concat!("static LIMIT: ", stringify!($Lock), "<u32> = ",
                    stringify!($Lock), "::new(3);")]
                /// assert_eq!(*LIMIT.lock(), 3);
                /// ```
                #[must_use]
                pub const fn new(value: T) -> Self {
                    let data = $crate::primitive::UnsafeCell::new(value);
                    Self { raw: <$raw>::new(), data }
                }
            }

            /// Takes the data out of a mutex that nobody else can reach.
            ///
            /// ```
            #[doc = concat!("assert_eq!(lockwork::", stringify!($Lock),
                                                                "::new(7).into_inner(), 7);")]
            /// ```
            #[must_use]
            pub fn into_inner(self) -> T {
                self.data.into_inner()
            }
        }

        impl<T: ?Sized> $Lock<T> {
            /// Whether the lock is taken at this moment, by any thread. Good for assertions and
            /// displays; by the time the answer is read it may be out of date.
            ///
            /// ```
            #[doc = concat!("let mutex = lockwork::", stringify!($Lock), "::new(());")]
            /// assert!(!mutex.is_locked());
            /// let _held = mutex.lock();
            /// assert!(mutex.is_locked());
            /// ```
            #[must_use]
            pub fn is_locked(&self) -> bool {
                self.raw.is_locked()
            }

            /// The data, without locking: the exclusive borrow proves that nobody else has the
            /// mutex.
            ///
            /// ```
            #[doc = concat!("let mut mutex = lockwork::", stringify!($Lock), "::new(1);")]
            /// *mutex.get_mut() = 2;
            /// assert_eq!(mutex.into_inner(), 2);
            /// ```
            pub fn get_mut(&mut self) -> &mut T {
                self.data.get_mut()
            }

            /// The address of the data. Only the owner of the lock may read or write through it.
            ///
            /// ```
            #[doc = concat!("let mutex = lockwork::", stringify!($Lock), "::new(3);")]
            /// let held = mutex.lock();
            /// assert!(std::ptr::eq(mutex.data_ptr(), &*held));
            /// ```
            #[must_use]
            pub fn data_ptr(&self) -> *mut T {
                self.data.get()
            }
        }

        impl<T: Default> Default for $Lock<T> {
            fn default() -> Self {
                Self::new(T::default())
            }
        }

        impl<T> From<T> for $Lock<T> {
            fn from(value: T) -> Self {
                Self::new(value)
            }
        }
    };
}
pub(in crate::sync) use lock_data_methods;
