//! Locks are written as what they hold, and read as free locks around it.
//!
//! With what `serde_core` brings along: its deserializers of plain values, and `fmt::Formatter`,
//! which is a serializer of plain values and refuses all others.

use std::fmt;
use std::sync::Arc;
use std::thread;

use lockwork::{
    FairMutex, Mutex, OnceLock, RecursiveRwLock, ReentrantMutex, RwLock, SeqLock, SpinLock,
};
use serde_core::de::value::{Error, StrDeserializer, U32Deserializer, UnitDeserializer};
use serde_core::de::{DeserializeOwned, IntoDeserializer};
use serde_core::{Deserialize, Serialize, Serializer};

use super::support::watchdog::Watchdog;

/// Written by the formatter.
struct Text<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> fmt::Display for Text<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}

fn written(value: &(impl Serialize + ?Sized)) -> String {
    Text(value).to_string()
}

fn read<T: DeserializeOwned>(from: u32) -> T {
    let plain: U32Deserializer<Error> = from.into_deserializer();
    T::deserialize(plain).expect("a number")
}

/// There and back, and what is not a number is refused with its own error.
fn there_and_back<L: Serialize + DeserializeOwned>() {
    assert_eq!(written(&read::<L>(42)), "42");
    let word = || -> StrDeserializer<'_, Error> { "word".into_deserializer() };
    let error = L::deserialize(word()).err().expect("a number was asked for");
    assert_eq!(error, u32::deserialize(word()).unwrap_err());
}

#[test]
fn as_what_they_hold() {
    there_and_back::<Mutex<u32>>();
    there_and_back::<FairMutex<u32>>();
    there_and_back::<SpinLock<u32>>();
    there_and_back::<ReentrantMutex<u32>>();
    there_and_back::<RwLock<u32>>();
    there_and_back::<RecursiveRwLock<u32>>();
    there_and_back::<SeqLock<u32>>();
    there_and_back::<Mutex<RwLock<FairMutex<u32>>>>();
    let name = Mutex::new("ada");
    let unsized_name: &Mutex<dyn Named> = &name;
    assert_eq!((written(&name), written(unsized_name)), ("ada".into(), "ada".into()));
    assert!(!name.is_locked());
}

trait Named {
    fn name(&self) -> &str;
}

impl Named for &str {
    fn name(&self) -> &str {
        self
    }
}

impl Serialize for dyn Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[test]
fn a_place_that_may_be_empty() {
    let place: OnceLock<u32> = OnceLock::new();
    let nothing: UnitDeserializer<Error> = ().into_deserializer();
    assert_eq!(OnceLock::<u32>::deserialize(nothing).unwrap(), place);
    let refused = fmt::write(&mut String::new(), format_args!("{}", Text(&place)));
    assert!(refused.is_err(), "a formatter writes no options");
    // What is there is not the business of whoever makes it.
    thread::scope(|s| {
        place.get_or_init(|| {
            s.spawn(|| assert!(place.get().is_none())).join().unwrap();
            7
        });
    });
    assert_eq!(place.get(), Some(&7));
}

/// Says how it finds its lock while it is written, and fails if it is told to.
struct Curious {
    lock: Arc<OnceLock<Arc<Mutex<Curious>>>>,
    fails: bool,
}

impl Serialize for Curious {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lock = self.lock.get().expect("set up");
        if self.fails {
            return Err(serde_core::ser::Error::custom("told to"));
        }
        serializer.serialize_bool(lock.is_locked())
    }
}

/// The lock is had for the time of writing, and given back whatever comes of that.
#[test]
fn locked_meanwhile() {
    let place = Arc::new(OnceLock::new());
    let lock = Arc::new(Mutex::new(Curious { lock: place.clone(), fails: false }));
    assert!(place.set(lock.clone()).is_ok());
    assert_eq!(written(&*lock), "true");
    assert!(!lock.is_locked());
    lock.lock().fails = true;
    let refused = fmt::write(&mut String::new(), format_args!("{}", Text(&*lock)));
    assert!(refused.is_err() && !lock.is_locked());
}

/// One who reads, or owns a reentrant mutex, may have it written; readers elsewhere go on.
#[test]
fn beside_readers_and_owners() {
    let _watchdog = Watchdog::start();
    let (shared, reentrant) = (RwLock::new(1), ReentrantMutex::new(2));
    let (_reading, _owned) = (shared.read(), reentrant.lock());
    thread::scope(|s| {
        s.spawn(|| assert_eq!(written(&shared), "1")).join().unwrap();
    });
    assert_eq!((written(&shared), written(&reentrant)), ("1".into(), "2".into()));
}
