//! `Serialize` and `Deserialize` for the locks that hold data, as for what they hold.
//!
//! A lock is written as its data, and read by making a new, free lock around the data, which is
//! what `parking_lot` and `serde` itself do with their locks. So a field can become a lock, or stop
//! being one, and what was written before can still be read.
//!
//! # Deadlocks
//!
//! A lock is held, as by a reader where there are readers, while its data are written, by code of
//! the data's type and of the serializer. Whoever has the lock already must not serialize it
//! (a `ReentrantMutex`'s owner may), and a serializer that sends what it gets to a slow place keeps
//! others waiting; serialize a clone there. A value that holds several locks takes each on its own:
//! what is written of one may be older than what is written of another. `lock_all` and a struct of
//! references give a consistent picture.

use serde_core::{Deserialize, Deserializer, Serialize, Serializer};

use super::rwlock::Lock;
use super::{FairMutex, Mutex, OnceLock, SeqLock, SpinLock};
use crate::primitive::PlainData;

macro_rules! locks {
    ($({ $($params:tt)* } $Lock:ty, [$($sized:tt)?], $take:ident, $note:literal;)*) => {
        $(
            #[doc = $note]
            impl<$($params)* T: Serialize $(+ $sized Sized)?> Serialize for $Lock {
                #[track_caller]
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    self.$take().serialize(serializer)
                }
            }

            /// A free lock around the data.
            impl<'de, $($params)* T: Deserialize<'de>> Deserialize<'de> for $Lock {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    T::deserialize(deserializer).map(Self::new)
                }
            }
        )*
    };
}

locks! {
    {} Mutex<T>, [?], lock, "As the data, under the lock.";
    {} FairMutex<T>, [?], lock, "As the data, under the lock.";
    {} SpinLock<T>, [?], lock, "As the data, under the lock.";
    { const RECURSIVE: bool, } Lock<T, RECURSIVE>, [?], read, "As the data, as one of the readers.";
}

#[cfg(feature = "std")]
locks! {
    {} super::ReentrantMutex<T>, [?], lock, "As the data, under the lock, once more.";
}

/// As a copy of the data. Nothing is locked meanwhile.
impl<T: PlainData + Serialize> Serialize for SeqLock<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.read().serialize(serializer)
    }
}

/// A free lock around the data.
impl<'de, T: PlainData + Deserialize<'de>> Deserialize<'de> for SeqLock<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

/// As an `Option`: what is there at this moment. Does not wait for one who makes the value.
impl<T: Serialize> Serialize for OnceLock<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(serializer)
    }
}

/// From an `Option`.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for OnceLock<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value: Option<T> = Option::deserialize(deserializer)?;
        Ok(value.map_or_else(Self::new, Self::from))
    }
}
