//! How a guard is narrowed to a part: from the whole data, and from a part further on.

macro_rules! map_methods {
    (
        guard: $Guard:ident,
        mapped: $Mapped:ident,
        access: [$($mut:tt)?],
        example: { $(#[$example:meta])* } $(,)?
    ) => {
        impl<'a, T: ?Sized> $Guard<'a, T> {
            /// Narrows the guard to a part of the data. If `part` panics, the guard is dropped.
            ///
            /// ```
            $(#[$example])*
            #[doc = concat!("let name = ", stringify!($Guard), "::map(guard, |pair| ",
                $crate::sync::exclusive::borrow!([$($mut)?]), "pair.1);")]
            /// assert_eq!(*name, "one");
            /// ```
            pub fn map<U: ?Sized>(
                guard: Self,
                part: impl FnOnce(&$($mut)? T) -> &$($mut)? U,
            ) -> $Mapped<'a, U> {
                // SAFETY: the guard stands for this access (invariant 3), and is used up below.
                let part = part(unsafe { &$($mut)? *Self::data(&guard) });
                $Mapped::from_parts(guard.into_parts(), core::ptr::NonNull::from(part))
            }

            /// Narrows the guard to a part of the data, if there is one. If `part` panics, the
            /// guard is dropped.
            ///
            /// # Errors
            ///
            /// The guard comes back if `part` returns `None`.
            ///
            /// ```
            $(#[$example])*
            #[doc = concat!("let other = ", stringify!($Guard), "::try_map(guard, |pair| {")]
            #[doc = concat!("    (pair.0 == 2).then_some(",
                $crate::sync::exclusive::borrow!([$($mut)?]), "pair.1)")]
            /// });
            /// assert_eq!(*other.unwrap_err(), (1, "one"));
            /// ```
            pub fn try_map<U: ?Sized>(
                guard: Self,
                part: impl FnOnce(&$($mut)? T) -> Option<&$($mut)? U>,
            ) -> Result<$Mapped<'a, U>, Self> {
                Self::try_map_or_err(guard, |data| part(data).ok_or(()))
                    .map_err(|(guard, ())| guard)
            }

            /// Narrows the guard to a part of the data, or hands on why there is none. If `part`
            /// panics, the guard is dropped.
            ///
            /// # Errors
            ///
            /// The guard comes back, with the error of `part`.
            ///
            /// ```
            $(#[$example])*
            #[doc = concat!("let other = ", stringify!($Guard), "::try_map_or_err(guard, |pair| {")]
            #[doc = concat!("    if pair.0 == 2 { Ok(",
                $crate::sync::exclusive::borrow!([$($mut)?]), "pair.1) } else { Err(pair.0) }")]
            /// });
            /// let (guard, number) = other.unwrap_err();
            /// assert_eq!((guard.1, number), ("one", 1));
            /// ```
            pub fn try_map_or_err<U: ?Sized, E>(
                guard: Self,
                part: impl FnOnce(&$($mut)? T) -> Result<&$($mut)? U, E>,
            ) -> Result<$Mapped<'a, U>, (Self, E)> {
                // SAFETY: as in `map`; if there is no part, no reference is left either.
                match part(unsafe { &$($mut)? *Self::data(&guard) }) {
                    Ok(part) => {
                        let part = core::ptr::NonNull::from(part);
                        Ok($Mapped::from_parts(guard.into_parts(), part))
                    }
                    Err(error) => Err((guard, error)),
                }
            }
        }
    };
}
pub(in crate::sync) use map_methods;
