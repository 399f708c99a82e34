//! `PiMutex`: one thread at a time, handed on by priority; deadlocks and dead owners are told to
//! everybody who asks, and nobody sleeps for ever.

use std::mem::forget;
use std::sync::Arc;
use std::time::Duration;

use lockwork::model::{
    Explore, bury, end_thread, enter_forked_child, futex_calls, set_priority, thread, unvaried,
};
use lockwork::{PiError, PiMutex, PiMutexGuard};

use super::support::{beside, let_sleep};

/// A licence to time out at any moment: see the model's notes on time.
const SOON: Duration = Duration::from_secs(1);

/// Each sees what the last one wrote, by each way to lock and to unlock.
#[test]
fn two_threads() {
    Explore::new("pi mutex, two threads").preemptions(4).at_least(150).run(&[(2, 2)], || {
        let pair = Arc::new(PiMutex::new((0, 0)));
        let other = beside(&pair, |pair| {
            let mut both = pair.lock();
            both.0 += 1;
            *PiMutexGuard::map(both, |pair| &mut pair.1) += 1;
        });
        let mut both = pair.lock_arc();
        both.0 += 1;
        both.1 += 1;
        drop(both);
        other.join().unwrap();
        *pair.lock()
    });
}

/// A try never enters the kernel, and sees what the last owner wrote.
#[test]
fn tries() {
    use PiError::Taken;
    let expected = [(None, 2), (Some(Taken), 1)];
    Explore::new("pi mutex, tries").unbounded().at_least(20).run(&expected, || {
        let count = Arc::new(PiMutex::new(0));
        let other = beside(&count, |count| *count.lock() += 1);
        let refused = count.try_lock().map(|mut count| *count += 1).err();
        let calls = futex_calls();
        assert!(refused.is_none() || calls <= 2);
        other.join().unwrap();
        (refused, *count.lock())
    });
}

/// With three, each that slept is handed the lock.
#[test]
fn three_threads() {
    Explore::new("pi mutex, three threads").preemptions(2).at_least(400).run(&[3], || {
        let count = Arc::new(PiMutex::new(0));
        let others = [0; 2].map(|_| beside(&count, |count| *count.lock() += 1));
        *count.lock() += 1;
        for other in others {
            other.join().unwrap();
        }
        *count.lock()
    });
}

/// Somebody who waits with a limit may leave while the lock is on its way to him.
#[test]
fn timed() {
    use PiError::TimedOut;
    let expected = [(None, 3), (Some(TimedOut), 2)];
    Explore::new("pi mutex, timed").preemptions(2).at_least(700).run(&expected, || {
        let count = Arc::new(PiMutex::new(0));
        let timed =
            beside(&count, |count| count.try_lock_for(SOON).map(|mut count| *count += 1).err());
        let other = beside(&count, |count| *count.lock() += 1);
        *count.lock() += 1;
        let refused = timed.join().unwrap();
        other.join().unwrap();
        (refused, *count.lock())
    });
}

/// The kernel's order: the most urgent first, and of the same priority the first.
#[test]
fn handed_on_by_priority() {
    let in_turn = |priorities: [u32; 3]| {
        let order = Arc::new(PiMutex::new(Vec::new()));
        let held = order.lock();
        let mut threads = Vec::new();
        for (i, priority) in priorities.into_iter().enumerate() {
            threads.push(beside(&order, move |order| {
                set_priority(priority);
                order.lock().push(i);
            }));
            unvaried(|| let_sleep(i + 1));
        }
        drop(held);
        for thread in threads {
            thread.join().unwrap();
        }
        let order = order.lock();
        order[0] * 100 + order[1] * 10 + order[2]
    };
    let model = |name| Explore::new(name).preemptions(2).at_least(3);
    model("pi mutex, rising priorities").run(&[210], move || in_turn([1, 2, 3]));
    model("pi mutex, two of the same").run(&[120], move || in_turn([1, 3, 3]));
}

/// Who changes its mind while it waits is served by what it says last.
#[test]
fn bump_gives_way() {
    Explore::new("pi mutex, bump").preemptions(3).at_least(50).run(&[3], || {
        let count = Arc::new(PiMutex::new(0));
        let other = beside(&count, |count| *count.lock() += 1);
        let mut mine = count.lock();
        *mine += 1;
        PiMutexGuard::bump(&mut mine);
        *mine += 1;
        drop(mine);
        other.join().unwrap();
        *count.lock()
    });
}

/// Two locks in two orders: whoever closes the circle is told, and then both get on.
#[test]
fn circle_of_two() {
    use PiError::Deadlock;
    let expected = [(None, None), (None, Some(Deadlock)), (Some(Deadlock), None)];
    Explore::new("pi mutex, circle").preemptions(3).at_least(300).run(&expected, || {
        let locks = Arc::new([PiMutex::new(0), PiMutex::new(0)]);
        fn both(first: &PiMutex<u32>, second: &PiMutex<u32>) -> Option<PiError> {
            let mut first = first.lock();
            *first += 1;
            second.lock_checked().map(|mut second| *second += 1).err()
        }
        let other = beside(&locks, |[one, two]| both(two, one));
        let mine = both(&locks[0], &locks[1]);
        (mine, other.join().unwrap())
    });
}

/// A thread that has the lock is told, whichever way it asks, and has it as before.
#[test]
fn alone_with_itself() {
    Explore::new("pi mutex, itself").unbounded().run(&[()], || {
        let mutex = PiMutex::new(1);
        let held = mutex.lock();
        assert_eq!(mutex.try_lock().unwrap_err(), PiError::Deadlock);
        assert_eq!(mutex.lock_checked().unwrap_err(), PiError::Deadlock);
        assert_eq!(mutex.try_lock_for(SOON).unwrap_err(), PiError::Deadlock);
        assert_eq!(*held, 1);
        drop(held);
        assert_eq!(*mutex.lock(), 1);
    });
}

/// Asked by somebody else than the owner: that nobody gets in any more.
fn assert_dead(mutex: &Arc<PiMutex<u32>>) {
    let ask = |mutex: &PiMutex<u32>| {
        assert_eq!(mutex.lock_checked().unwrap_err(), PiError::OwnerDied);
        assert_eq!(mutex.try_lock().unwrap_err(), PiError::OwnerDied);
        assert_eq!(mutex.try_lock_for(SOON).unwrap_err(), PiError::OwnerDied);
        assert!(mutex.is_locked());
    };
    beside(mutex, ask).join().unwrap();
}

/// An owner ends while others wait, or come, or come later: all are told, and none gets in.
#[test]
fn owner_dies() {
    Explore::new("pi mutex, owner dies").preemptions(2).at_least(150).run(&[()], || {
        let mutex = Arc::new(PiMutex::new(0));
        let mut held = mutex.lock();
        *held += 1;
        forget(held);
        let others = [0; 2].map(|_| beside(&mutex, |mutex| mutex.lock_checked().err()));
        end_thread();
        for other in others {
            assert_eq!(other.join().unwrap(), Some(PiError::OwnerDied));
        }
        assert_dead(&mutex);
    });
}

/// Somebody who comes just as an owner ends is told so, and leaves alone those who inherit: with
/// others in line, each of them unlocks by way of the kernel, or the next one sleeps for ever.
#[test]
fn owner_dies_with_others_in_line() {
    let model = Explore::new("pi mutex, owner dies, line").preemptions(2);
    model.without_strict_wakes().at_least(1_000).run(&[()], || {
        let mutex = Arc::new(PiMutex::new(0));
        forget(mutex.lock());
        let in_line = [1, 2, 3].map(|place| {
            let waiter = beside(&mutex, |mutex| mutex.lock_checked().err());
            unvaried(|| let_sleep(place));
            waiter
        });
        unvaried(end_thread);
        let late = beside(&mutex, |mutex| mutex.lock_checked().err());
        for waiter in in_line {
            assert_eq!(waiter.join().unwrap(), Some(PiError::OwnerDied));
        }
        assert_eq!(late.join().unwrap(), Some(PiError::OwnerDied));
    });
}

/// The same with one that may give up meanwhile.
#[test]
fn owner_dies_and_a_waiter_gives_up() {
    use PiError::{OwnerDied, TimedOut};
    let expected = [OwnerDied, TimedOut];
    Explore::new("pi mutex, owner dies, timed").preemptions(3).at_least(5).run(&expected, || {
        let mutex = Arc::new(PiMutex::new(0));
        forget(mutex.lock());
        let timed = beside(&mutex, |mutex| mutex.try_lock_for(SOON).err().unwrap());
        end_thread();
        let end = timed.join().unwrap();
        assert_dead(&mutex);
        end
    });
}

/// In a child, the thread that forked unlocks what it has, and a lock of another thread is refused.
#[test]
fn child_of_fork() {
    Explore::new("pi mutex, fork").preemptions(2).run(&[1], || {
        let (mine, theirs) = (Arc::new(PiMutex::new(0)), Arc::new(PiMutex::new(0)));
        beside(&theirs, |theirs| forget(theirs.lock())).join().unwrap();
        let held = mine.lock();
        // Somebody who waits for it in the parent, and is not there in the child.
        let waiter = beside(&mine, |mine| mine.try_lock_for(SOON).is_ok());
        unvaried(|| let_sleep(1));
        assert!(!waiter.join().unwrap(), "the owner waits for it to give up");
        enter_forked_child();
        assert_eq!(theirs.lock_checked().unwrap_err(), PiError::NotPermitted);
        assert_eq!(theirs.try_lock_for(SOON).unwrap_err(), PiError::NotPermitted);
        assert_eq!(mine.try_lock().unwrap_err(), PiError::Taken);
        drop(held);
        let child = beside(&mine, |mine| *mine.lock() += 1);
        child.join().unwrap();
        *mine.lock()
    });
}

/// The last owner may free the mutex: whoever is still on the way out of an unlock does not notice.
#[test]
fn freed_by_the_next_owner() {
    Explore::new("pi mutex, freed").preemptions(4).at_least(50).run(&[()], || {
        let mutex = Arc::new(PiMutex::new(false));
        let other = beside(&mutex, |mutex| {
            *mutex.lock() = true;
        });
        loop {
            let over = mutex.lock();
            let freed = *over;
            drop(over);
            if freed {
                bury(&*mutex);
                break;
            }
            thread::yield_now();
        }
        other.join().unwrap();
    });
}
