//! Planted faults, so that the models can be shown to notice.
//!
//! Every row of an orderings table and every duty to wake carries a name at the line that does it.
//! Under `--cfg lockwork_mutants` the environment variable `LOCKWORK_MUTANT` chooses one name, and
//! that line then does the wrong thing: the ordering becomes `Relaxed`, the fence is left out, the
//! wake does not happen. One build holds all mutants. In every other build both macros expand to
//! constants and nothing of this remains.

/// `ord!("type.row", Acquire)`: the ordering of one row, `Relaxed` when its mutant is chosen.
///
/// An `AcqRel` row has two mutants, `type.row/acquire` and `type.row/release`, each of which drops
/// the half it names.
#[cfg(not(lockwork_mutants))]
macro_rules! ord {
    ($row:literal, $order:expr) => {
        $order
    };
}

#[cfg(lockwork_mutants)]
macro_rules! ord {
    ($row:literal, $order:expr) => {
        $crate::primitive::weakened($row, $order)
    };
}

/// `mutant!("type.duty")`: true when that mutant is chosen; `false`, a constant, otherwise.
#[cfg(not(lockwork_mutants))]
macro_rules! mutant {
    ($name:literal) => {
        false
    };
}

#[cfg(lockwork_mutants)]
macro_rules! mutant {
    ($name:literal) => {
        $crate::primitive::chosen($name)
    };
}

pub(crate) use {mutant, ord};

#[cfg(lockwork_mutants)]
mod chosen {
    use std::string::String;
    use std::sync::OnceLock;

    use super::super::Ordering;

    fn choice() -> Option<&'static str> {
        static CHOICE: OnceLock<Option<String>> = OnceLock::new();
        CHOICE.get_or_init(|| std::env::var("LOCKWORK_MUTANT").ok()).as_deref()
    }

    pub(crate) fn chosen(name: &str) -> bool {
        choice() == Some(name)
    }

    pub(crate) fn weakened(row: &str, order: Ordering) -> Ordering {
        let Some(rest) = choice().and_then(|choice| choice.strip_prefix(row)) else {
            return order;
        };
        match (rest, order) {
            ("/acquire", Ordering::AcqRel) => Ordering::Release,
            ("/release", Ordering::AcqRel) => Ordering::Acquire,
            ("", Ordering::AcqRel) => panic!("{row} is AcqRel: choose {row}/acquire or /release"),
            ("", _) => Ordering::Relaxed,
            _ => order,
        }
    }
}

#[cfg(lockwork_mutants)]
pub(crate) use chosen::{chosen, weakened};
