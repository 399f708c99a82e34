//! `ReentrantMutex`: one thread at a time, as often as it likes.
//!
//! Guards give out shared references, so the data is a number whose every access is exclusive: the
//! model fails if two threads are in at once.

use std::sync::Arc;
use std::time::Duration;

use lockwork::model::Explore;
use lockwork::{ReentrantMutex, ReentrantMutexGuard};

use super::support::{Watched, beside};

fn shared() -> Arc<ReentrantMutex<Watched>> {
    Arc::new(ReentrantMutex::new(Watched::new(0)))
}

#[test]
fn two_threads() {
    Explore::new("reentrant, two threads").preemptions(4).at_least(100).run(&[2], || {
        let count = shared();
        let other = beside(&count, |count| count.lock().add());
        count.lock().add();
        other.join().unwrap();
        count.lock().get()
    });
}

/// The lock is the thread's until the last level is given back, whichever that is.
#[test]
fn inside_one_another() {
    Explore::new("reentrant, levels").preemptions(4).at_least(100).run(&[4], || {
        let count = shared();
        fn twice(count: &ReentrantMutex<Watched>) {
            let outer = count.lock();
            let inner = count.lock();
            assert!(count.is_owned_by_current_thread());
            let before = outer.add();
            drop(outer);
            assert_eq!(inner.add(), before + 1, "somebody came in between");
        }
        let other = beside(&count, twice);
        twice(&count);
        other.join().unwrap();
        count.lock().get()
    });
}

/// Whoever has unlocked has to lock again, like anybody else.
#[test]
fn turns() {
    Explore::new("reentrant, turns").preemptions(2).at_least(500).run(&[4], || {
        let count = shared();
        fn turns(count: &ReentrantMutex<Watched>) {
            for _ in 0..2 {
                count.lock().add();
                assert!(!count.is_owned_by_current_thread());
            }
        }
        let other = beside(&count, turns);
        turns(&count);
        other.join().unwrap();
        count.lock().get()
    });
}

/// Three owners, so that one who slept wakes the next.
#[test]
fn three_threads() {
    Explore::new("reentrant, three threads").preemptions(2).at_least(1_000).run(&[6], || {
        let count = shared();
        fn twice(count: &ReentrantMutex<Watched>) {
            let outer = count.lock();
            count.lock().add();
            outer.add();
        }
        let others = [0; 2].map(|_| beside(&count, twice));
        twice(&count);
        for other in others {
            other.join().unwrap();
        }
        count.lock().get()
    });
}

/// What is refused leaves no level and no owner behind.
#[test]
fn try_and_timed() {
    let outcomes = [(false, false), (false, true), (true, true)];
    Explore::new("reentrant, try and timed").preemptions(3).at_least(100).run(&outcomes, || {
        let count = shared();
        let other = beside(&count, |count| {
            let outer = count.lock();
            let inner = count.try_lock().expect("has it already");
            inner.add();
            drop(inner);
            outer.add();
        });
        let tried = count.try_lock().map(|guard| guard.add()).is_some();
        let soon = Duration::from_secs(1);
        let timed = tried || count.try_lock_for(soon).map(|guard| guard.add()).is_some();
        assert!(!count.is_owned_by_current_thread());
        other.join().unwrap();
        assert_eq!(count.lock().get(), 2 + u32::from(tried || timed));
        (tried, timed)
    });
}

/// One of two levels given back for a while gives nothing away; the only one does.
#[test]
fn given_back_for_a_while() {
    Explore::new("reentrant, unlocked").preemptions(2).at_least(500).run(&[4, 5], || {
        let count = shared();
        let other = beside(&count, |count| count.lock().add());
        let mut outer = count.lock();
        let before = outer.add();
        let mut inner = count.lock();
        let inside = ReentrantMutexGuard::unlocked(&mut inner, || outer.add());
        assert_eq!(inside, before + 1);
        ReentrantMutexGuard::bump(&mut inner);
        drop(inner);
        assert_eq!(outer.add(), before + 2, "somebody came in between");
        ReentrantMutexGuard::unlocked(&mut outer, || {
            assert!(!count.is_owned_by_current_thread());
        });
        assert!(count.is_owned_by_current_thread());
        let seen = outer.add();
        ReentrantMutexGuard::bump(&mut outer);
        ReentrantMutexGuard::unlock_fair(outer);
        other.join().unwrap();
        assert_eq!(count.lock().get(), 5);
        seen
    });
}
