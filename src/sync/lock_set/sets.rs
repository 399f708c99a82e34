//! Sets of locks: tuples, arrays and slices.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use super::lockable::sealed::Sealed;
use super::{Lockable, Place, Slots, take_all};
use crate::primitive::Deadline;

/// What [`lock_all`](crate::lock_all) takes: a tuple of [`Lockable`]s of up to eight types, an
/// array or a reference to one, or a slice.
///
/// Sealed.
///
/// ```
/// use lockwork::lock_set::LockSet;
/// use lockwork::{Mutex, lock_all};
///
/// /// Runs `body` with all of them locked.
/// fn with_all<S: LockSet>(locks: S, body: impl FnOnce(&S::Guards)) {
///     body(&lock_all(locks));
/// }
///
/// let (a, b) = (Mutex::new(1), Mutex::new(2));
/// with_all((&a, &b), |(a, b)| assert_eq!(**a + **b, 3)); // a tuple: any types
/// with_all([&a, &b], |[a, b]| assert_eq!(**a + **b, 3)); // references
/// with_all(&[a, b], |[a, b]| assert_eq!(**a + **b, 3)); // the locks themselves
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no set of locks",
    label = "not a tuple, array or slice of locks",
    note = "`lock_all((&a, &b))`, `lock_all([&a, &b])`, `lock_all(&locks[..])`; of an `RwLock`, \
            say what for: `Read(&lock)`, `UpgradableRead(&lock)` or `Write(&lock)`"
)]
pub trait LockSet: Sized + Sealed {
    /// The guards: in a tuple, an array or a `Vec`.
    type Guards;

    /// Takes all the locks, waiting until `limit`, or not at all.
    #[doc(hidden)]
    fn lock_by(self, limit: Option<Deadline>) -> Option<Self::Guards>;
}

/// What a guard that was taken is in, so that it is there.
const TAKEN: &str = "all slots are filled";

/// Locks of one type.
struct Row<'s, L: Lockable> {
    locks: &'s [L],
    guards: &'s mut [Option<L::Guard>],
}

impl<L: Lockable> Slots for Row<'_, L> {
    #[inline]
    #[track_caller]
    fn take(&mut self, slot: usize, limit: Option<Deadline>) -> bool {
        self.guards[slot] = self.locks[slot].take(limit);
        self.guards[slot].is_some()
    }

    fn give_back(&mut self) {
        self.guards.fill_with(|| None);
    }
}

impl<L: Lockable, const N: usize> Sealed for [L; N] {}

impl<L: Lockable, const N: usize> LockSet for [L; N] {
    type Guards = [L::Guard; N];

    #[track_caller]
    fn lock_by(self, limit: Option<Deadline>) -> Option<Self::Guards> {
        let mut guards = [const { None::<L::Guard> }; N];
        let mut places = core::array::from_fn::<_, N, _>(|i| Place::new(&self[i], i));
        let mut row = Row { locks: &self, guards: &mut guards };
        take_all(&mut row, &mut places, limit).then(|| guards.map(|guard| guard.expect(TAKEN)))
    }
}

impl<'a, L, const N: usize> Sealed for &'a [L; N] where &'a L: Lockable {}

impl<'a, L, const N: usize> LockSet for &'a [L; N]
where
    &'a L: Lockable,
{
    type Guards = [<&'a L as Lockable>::Guard; N];

    #[track_caller]
    fn lock_by(self, limit: Option<Deadline>) -> Option<Self::Guards> {
        self.each_ref().lock_by(limit)
    }
}

#[cfg(feature = "alloc")]
impl<'a, L> Sealed for &'a [L] where &'a L: Lockable {}

#[cfg(feature = "alloc")]
impl<'a, L> LockSet for &'a [L]
where
    &'a L: Lockable,
{
    type Guards = Vec<<&'a L as Lockable>::Guard>;

    #[track_caller]
    fn lock_by(self, limit: Option<Deadline>) -> Option<Self::Guards> {
        let locks: Vec<&'a L> = self.iter().collect();
        let mut guards: Vec<_> = locks.iter().map(|_| None).collect();
        let mut places: Vec<_> =
            locks.iter().enumerate().map(|(i, lock)| Place::new(lock, i)).collect();
        let mut row = Row { locks: &locks, guards: &mut guards };
        take_all(&mut row, &mut places, limit)
            .then(|| guards.into_iter().map(|guard| guard.expect(TAKEN)).collect())
    }
}

/// Locks of different types, and a slot for the guard of each.
struct Tuple<L, G> {
    locks: L,
    guards: G,
}

macro_rules! tuples {
    ($(($($L:ident $i:tt),+),)*) => {
        $(
            impl<$($L: Lockable),+> Slots for Tuple<($($L,)+), ($(Option<$L::Guard>,)+)> {
                #[inline]
                #[track_caller]
                fn take(&mut self, slot: usize, limit: Option<Deadline>) -> bool {
                    match slot {
                        $($i => {
                            self.guards.$i = self.locks.$i.take(limit);
                            self.guards.$i.is_some()
                        })+
                        _ => unreachable!("there is no slot {slot}"),
                    }
                }

                fn give_back(&mut self) {
                    $(self.guards.$i = None;)+
                }
            }

            impl<$($L: Lockable),+> Sealed for ($($L,)+) {}

            impl<$($L: Lockable),+> LockSet for ($($L,)+) {
                type Guards = ($($L::Guard,)+);

                #[track_caller]
                fn lock_by(self, limit: Option<Deadline>) -> Option<Self::Guards> {
                    let mut places = [$(Place::new(&self.$i, $i)),+];
                    let guards = ($(None::<$L::Guard>,)+);
                    let mut tuple = Tuple { locks: self, guards };
                    take_all(&mut tuple, &mut places, limit)
                        .then(|| ($(tuple.guards.$i.expect(TAKEN),)+))
                }
            }
        )*
    };
}

tuples! {
    (A 0),
    (A 0, B 1),
    (A 0, B 1, C 2),
    (A 0, B 1, C 2, D 3),
    (A 0, B 1, C 2, D 3, E 4),
    (A 0, B 1, C 2, D 3, E 4, F 5),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7),
}
