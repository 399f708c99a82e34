//! Methods of permits, borrowed and owned.

macro_rules! permit_methods {
    (
        permit: $Permit:ty,
        name: $name:literal,
        make: $make:literal,
        semaphore: $Semaphore:ty,
        again: ($semaphore:ident) $again:expr,
        same: ($left:ident, $right:ident) $same:expr $(,)?
    ) => {
        impl $Permit {
            /// How many permits this stands for.
            ///
            /// ```
            #[doc = $make]
            /// assert_eq!(permit.permits(), 3);
            /// ```
            #[doc(alias("num_permits"))]
            #[must_use]
            pub fn permits(&self) -> u32 {
                self.permits
            }

            /// The semaphore that the permits go back to.
            ///
            /// ```
            #[doc = $make]
            /// assert_eq!(permit.semaphore().available(), 0);
            /// ```
            #[must_use]
            pub fn semaphore(&self) -> &$Semaphore {
                &self.semaphore
            }

            /// Parts with `n` of the permits; `None`, and nothing changes, if there are fewer.
            ///
            /// ```
            #[doc = $make]
            /// let two = permit.split(2).unwrap();
            /// assert_eq!((two.permits(), permit.permits()), (2, 1));
            /// assert!(permit.split(2).is_none());
            /// ```
            #[must_use = "permits that are dropped go back"]
            pub fn split(&mut self, n: u32) -> Option<Self> {
                self.permits = self.permits.checked_sub(n)?;
                let $semaphore = &self.semaphore;
                Some(Self { semaphore: $again, permits: n })
            }

            /// Takes the permits of `other` over.
            ///
            /// # Errors
            ///
            /// Gives `other` back if it is of another semaphore, or the two have together more
            /// permits than can be counted.
            ///
            /// ```
            #[doc = $make]
            /// let one = permit.split(1).unwrap();
            /// permit.merge(one).unwrap();
            /// assert_eq!(permit.permits(), 3);
            /// ```
            pub fn merge(&mut self, other: Self) -> Result<(), Self> {
                let ($left, $right) = (&self.semaphore, &other.semaphore);
                match self.permits.checked_add(other.permits) {
                    Some(sum) if $same => self.permits = sum,
                    _ => return Err(other),
                }
                other.forget();
                Ok(())
            }

            /// Keeps the permits from going back: the semaphore has that many fewer from now on,
            /// until somebody [`release`](crate::Semaphore::release)s them.
            ///
            /// ```
            #[doc = $make]
            /// permit.split(1).unwrap().forget();
            /// drop(permit);
            /// assert_eq!(semaphore.available(), 2);
            /// ```
            pub fn forget(mut self) {
                self.permits = 0;
            }
        }

        impl Drop for $Permit {
            #[inline]
            fn drop(&mut self) {
                if self.permits > 0 {
                    // Those that there is no room for are gone: somebody has released more than
                    // were acquired.
                    self.semaphore.raw.put_back(self.permits);
                }
            }
        }

        impl core::fmt::Debug for $Permit {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct($name).field("permits", &self.permits).finish_non_exhaustive()
            }
        }
    };
}
pub(super) use permit_methods;
