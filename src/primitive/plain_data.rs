//! What may be copied word by word while somebody else writes it.

use core::marker::PhantomData;
use core::num;

#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be copied word by word while another thread writes it",
    label = "not known to be free of padding and pointers",
    note = "for a struct of plain fields: `lockwork::plain_data!({Self} {{ each, field }});`",
    note = "a value with padding, a pointer or a `Drop` needs a lock: `Mutex` or `RwLock`"
)]
/// Types whose values are copied word by word, also while another thread writes: `Copy`, without
/// padding, and without pointers.
///
/// Integers, floats, `bool`, `char`, and arrays of such are. For a `struct` of your own,
/// [`plain_data!`](crate::plain_data) checks the rules when it is compiled, and needs no `unsafe`.
///
/// # Safety
///
/// * Every byte of every value is initialized: there is no padding between the fields or behind
///   the last, no variant of an `enum` that is shorter than the others, no `MaybeUninit`.
/// * No part of a value is a pointer or a reference: as a word it would lose what it may point to.
///
/// That not every pattern of bits is a value does no harm: a copy counts as a value only once it is
/// known that nobody wrote meanwhile.
///
/// # Examples
///
/// ```
/// use lockwork::{PlainData, SeqLock};
///
/// #[derive(Clone, Copy, PartialEq, Debug)]
/// #[repr(u8)]
/// enum Light {
///     Red,
///     Green,
/// }
///
/// // SAFETY: one byte, and no fields.
/// unsafe impl PlainData for Light {}
///
/// let light = SeqLock::new(Light::Red);
/// light.write(Light::Green);
/// assert_eq!(light.read(), Light::Green);
/// ```
pub unsafe trait PlainData: Copy {}

macro_rules! plain {
    ($($type:ty),* $(,)?) => {
        $(
            // SAFETY: numbers and the like, of which every byte counts.
            unsafe impl PlainData for $type {}
        )*
    };
}

plain!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);
plain!(f32, f64, bool, char, ());
plain!(num::NonZeroU8, num::NonZeroU16, num::NonZeroU32, num::NonZeroU64, num::NonZeroU128);
plain!(num::NonZeroI8, num::NonZeroI16, num::NonZeroI32, num::NonZeroI64, num::NonZeroI128);
plain!(num::NonZeroUsize, num::NonZeroIsize);

// SAFETY: nothing but elements, one after the other.
unsafe impl<T: PlainData, const N: usize> PlainData for [T; N] {}
// SAFETY: no bytes.
unsafe impl<T> PlainData for PhantomData<T> {}
// SAFETY: the same layout as what is in it.
unsafe impl<T: PlainData> PlainData for num::Wrapping<T> {}

/// Makes a `struct` [`PlainData`], and proves it when it is compiled: all fields are named, each is
/// plain itself, and together they are as large as the `struct`, so that there is no padding.
///
/// ```
/// use lockwork::{SeqLock, plain_data};
///
/// #[derive(Clone, Copy, PartialEq, Debug)]
/// struct Fix {
///     at: u64,
///     latitude: f32,
///     longitude: f32,
/// }
/// plain_data!(Fix { at, latitude, longitude });
///
/// #[derive(Clone, Copy)]
/// struct Range(u32, u32);
/// plain_data!(Range { 0, 1 });
///
/// let fix = SeqLock::new(Fix { at: 0, latitude: 0.0, longitude: 0.0 });
/// fix.update(|fix| fix.at += 1);
/// assert_eq!(fix.read().at, 1);
/// ```
///
/// Three bytes of padding behind the last field:
///
/// ```compile_fail,E0080
/// #[derive(Clone, Copy)]
/// struct Flagged {
///     value: u32,
///     flag: bool,
/// }
/// lockwork::plain_data!(Flagged { value, flag });
/// ```
///
/// A field that is not plain, and one that is forgotten:
///
/// ```compile_fail,E0277
/// #[derive(Clone, Copy)]
/// struct Named {
///     name: &'static str,
/// }
/// lockwork::plain_data!(Named { name });
/// ```
///
/// ```compile_fail,E0027
/// #[derive(Clone, Copy)]
/// struct Pair {
///     left: u8,
///     right: u8,
/// }
/// lockwork::plain_data!(Pair { left });
/// ```
///
/// The same field twice in place of another, which would make the sizes agree:
///
/// ```compile_fail,E0025
/// #[derive(Clone, Copy)]
/// struct Pair {
///     left: u16,
///     right: u8,
/// }
/// lockwork::plain_data!(Pair { left, left });
/// ```
///
/// A `union`, or an `enum`, has no such proof:
///
/// ```compile_fail
/// #[derive(Clone, Copy)]
/// union Either {
///     word: u32,
///     byte: u8,
/// }
/// lockwork::plain_data!(Either { word });
/// ```
#[macro_export]
macro_rules! plain_data {
    ($type:ident { $($field:tt),* $(,)? }) => {
        const _: () = {
            // Every field, and each once: or this is no pattern. A union's would be unsafe to use.
            #[allow(dead_code, reason = "checked, never called")]
            fn all_fields($type { $($field: _),* }: &$type) {}
            let fields = 0 $(+ $crate::__size_of_plain_field(|whole: &$type| &whole.$field))*;
            assert!(
                fields == ::core::mem::size_of::<$type>(),
                concat!(stringify!($type), " has padding, which is not data")
            );
        };
        // SAFETY: no padding, and each field is plain, as was just proved.
        unsafe impl $crate::PlainData for $type {}
    };
}

/// For [`plain_data!`](crate::plain_data): the size of a field, if that is plain.
#[doc(hidden)]
pub const fn size_of_plain_field<S, T: PlainData>(_field: fn(&S) -> &T) -> usize {
    size_of::<T>()
}
