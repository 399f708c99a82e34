//! A global allocator guarded by our own locks, and a count of what is allocated.
//!
//! Every test of this binary allocates through it, so the promise that a mutex and a reader-writer
//! lock need neither allocation nor thread-locals is tested by all of them: a lock that allocated
//! while it waits would come back to itself and wait for ever.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::cancel::CancelToken;
use lockwork::queue::{Ahead, ArrayQueue, BlockingQueue, SegQueue, channel, spsc};
use lockwork::rwlock::{Lock, ReadGuard};
use lockwork::{
    Condvar, Deadline, FairMutex, FairSemaphore, Mutex, MutexGuard, Parker, RecursiveRwLock,
    ReentrantMutex, RwLock, Semaphore,
};

use super::support::random::Rng;
use super::support::threads::{crowd, together};
use super::support::watchdog::Watchdog;

struct Guarded {
    /// Blocks in use, counted under the lock.
    in_use: Mutex<isize>,
    /// Blocks that changed their size, counted twice: looked at by everybody, written at times.
    resized: RwLock<(usize, usize)>,
}

#[global_allocator]
static ALLOCATOR: Guarded = Guarded { in_use: Mutex::new(0), resized: RwLock::new((0, 0)) };

thread_local! {
    /// Calls by this thread that asked for memory.
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

impl Guarded {
    fn enter(&self, change: isize) -> impl Sized {
        if change >= 0 {
            // Gone only while the thread ends; what happens there is nobody's count.
            let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
        }
        if change == 0 {
            let add = |resized: &mut (usize, usize)| {
                resized.0 += 1;
                resized.1 += 1;
            };
            let mut looking = self.resized.upgradable_read();
            if looking.0 % 2 == 0 {
                looking.with_upgraded(add);
            } else {
                drop(looking);
                add(&mut self.resized.write());
            }
        }
        let resized = self.resized.read();
        if resized.0 != resized.1 {
            std::process::abort(); // nobody can be told: that would allocate
        }
        let mut in_use = self.in_use.lock();
        *in_use += change;
        (in_use, resized)
    }
}

// SAFETY: as the system's allocator, which does the work.
unsafe impl GlobalAlloc for Guarded {
    // SAFETY: the caller keeps the contract of the system's.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _entered = self.enter(1);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: as for `alloc`.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let _entered = self.enter(1);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    // SAFETY: as for `alloc`.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _entered = self.enter(0);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }

    // SAFETY: as for `alloc`.
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let _entered = self.enter(-1);
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

/// How often this thread has asked for memory.
pub(super) fn calls() -> usize {
    CALLS.get()
}

/// How often `body` asks for memory on this thread.
pub(super) fn allocations(body: impl FnOnce()) -> usize {
    let before = CALLS.get();
    body();
    CALLS.get() - before
}

#[test]
fn the_count_counts() {
    assert_eq!(allocations(|| ()), 0);
    assert_eq!(allocations(|| drop(Box::new(1))), 1);
    assert!(allocations(|| drop((0..100).collect::<std::collections::BTreeSet<_>>())) > 5);
}

#[test]
fn the_lock_holds_under_a_crowd_that_allocates() {
    let watchdog = Watchdog::start();
    let rounds = super::support::scaled(300);
    let sums = together(crowd(), |i| {
        let mut rng = Rng::stream(1, i as u64);
        let mut kept: Vec<Vec<usize>> = Vec::new();
        for round in 0..rounds {
            kept.push(vec![round; rng.below(200) as usize]);
            // Resized: the other threads are looking.
            kept.last_mut().expect("just pushed").reserve_exact(300);
            if rng.one_in(3) {
                let at = rng.below(kept.len() as u64) as usize;
                drop(kept.swap_remove(at));
            }
            if rng.one_in(16) {
                // Blocks freed by a thread that did not ask for them, and by one that ends.
                let sent = std::mem::take(&mut kept);
                thread::spawn(move || drop(sent)).join().unwrap();
                watchdog.tick();
            }
        }
        kept.iter().all(|block| block.iter().all(|&n| n == block[0]))
    });
    assert!(sums.into_iter().all(|whole| whole));
    assert!(*ALLOCATOR.in_use.lock() > 0, "the test harness itself uses some");
    let resized = *ALLOCATOR.resized.read();
    assert!(resized.0 >= crowd() * rounds / 2 && resized.0 == resized.1, "each list grew");
}

/// Waiters queue on their own stacks.
#[test]
fn locks_and_waits_allocate_nothing() {
    let _watchdog = Watchdog::start();
    let (mutex, changed) = (Mutex::new(0_u32), Condvar::new());
    thread::scope(|s| {
        let partner = s.spawn(|| {
            allocations(|| {
                for _ in 0..50 {
                    let mut turn = mutex.lock();
                    changed.wait_while(&mut turn, |turn| *turn % 2 == 0);
                    *turn += 1;
                    changed.notify_one();
                }
            })
        });
        let here = allocations(|| {
            for _ in 0..50 {
                let mut turn = mutex.lock();
                changed.wait_while(&mut turn, |turn| *turn % 2 == 1);
                *turn += 1;
                changed.notify_all();
            }
            assert!(mutex.try_lock_for(Duration::MAX).is_some());
            MutexGuard::unlocked(&mut mutex.lock(), || drop(FairMutex::new(1).lock()));
            let reentrant = ReentrantMutex::new(1);
            assert_eq!(*reentrant.lock() + *reentrant.lock(), 2);
            let limit = Duration::from_millis(1);
            while !changed.wait_for(&mut mutex.lock(), limit).timed_out() {}
        });
        assert_eq!((here, partner.join().unwrap()), (0, 0));
    });
}

/// Nor do those of the reader-writer locks, asleep or not.
#[test]
fn reading_and_writing_allocate_nothing() {
    let watchdog = Watchdog::start();
    fn turns<const RECURSIVE: bool>(lock: &Lock<u32, RECURSIVE>, i: u32) {
        let soon = Duration::from_micros(20);
        *lock.write() += 1;
        drop(lock.try_write_for(soon));
        drop(lock.try_read_for(soon));
        assert!(*lock.read() > 0 && lock.try_upgradable_read_for(Duration::MAX).is_some());
        drop(ReadGuard::map(lock.read(), |value| value));
        let mut upgradable = lock.upgradable_read();
        if i % 16 == 0 {
            thread::yield_now(); // the other finds it taken, and sleeps
        }
        let _ = upgradable.try_with_upgraded_for(soon, |_| ());
        upgradable.with_upgraded(|value| *value += 1);
    }
    let (ordinary, recursive) = (RwLock::new(0), RecursiveRwLock::new(0));
    let here = together(3, |_| {
        allocations(|| {
            for i in 0..500 {
                turns(&ordinary, i);
                turns(&recursive, i);
                watchdog.tick();
            }
        })
    });
    assert_eq!(here, [0; 3]);
    assert_eq!((ordinary.into_inner(), recursive.into_inner()), (3_000, 3_000));
}

/// One block for a token, two if it comes from no other, and two for a callback with something in
/// it; to look, to wait and to cancel takes none.
#[test]
fn tokens_allocate_when_they_are_made() {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    let _watchdog = Watchdog::start();
    let (mut root, mut child, mut callback) = (None, None, None);
    assert_eq!(allocations(|| root = Some(CancelToken::new())), 2);
    let root = root.expect("just made");
    assert_eq!(allocations(|| child = Some(root.child())), 1);
    let (child, soon) = (child.expect("just made"), root.child_for(Duration::from_millis(1)));
    let some = root.deadline() == Deadline::NEVER;
    let call = move || {
        CALLED.fetch_add(usize::from(some), Relaxed);
    };
    assert_eq!(allocations(|| callback = Some(child.on_cancel(call))), 2);
    let semaphore = Semaphore::new(0);
    let used = allocations(|| {
        assert!(semaphore.acquire_cancellable(&soon).is_err());
        assert!(!child.wait_for(Duration::ZERO) && !child.clone().is_cancelled());
        assert!(root.cancel());
        assert!(semaphore.acquire_cancellable(&child).is_err());
    });
    assert_eq!((used, CALLED.load(Relaxed)), (0, 1));
}

#[test]
fn semaphores_allocate_nothing() {
    let _watchdog = Watchdog::start();
    let (plain, fair) = ([0, 1].map(Semaphore::new), [0, 1].map(FairSemaphore::new));
    let counts = together(2, |i| {
        allocations(|| {
            for _ in 0..50 {
                plain[i].acquire().unwrap().forget();
                fair[i].acquire().unwrap().forget();
                fair[1 - i].release(1).unwrap();
                plain[1 - i].release(1).unwrap();
            }
        })
    });
    assert_eq!(counts, [0, 0]);
    let timed = allocations(|| {
        assert!(plain[0].acquire_for(Duration::from_millis(1)).is_err());
        assert!(fair[0].acquire_for(Duration::from_millis(1)).is_err());
    });
    assert_eq!(timed, 0);
}

#[test]
fn parking_allocates_once_and_unparking_never() {
    let mut parker = None;
    assert_eq!(allocations(|| parker = Some(Parker::new())), 1);
    let parker = parker.expect("just made");
    let here = allocations(|| {
        let unparker = parker.unparker().clone();
        unparker.unpark();
        parker.park();
        assert!(!parker.park_for(Duration::from_millis(1)));
    });
    assert_eq!(here, 0);
}

/// Nor do batches, displacement and chunks allocate.
#[test]
fn batches_and_chunks_allocate_nothing() {
    let _watchdog = Watchdog::start();
    let (queue, (mut producer, mut consumer)) = (ArrayQueue::new(5), spsc::ring(5));
    let mut taken: Vec<u64> = Vec::with_capacity(16);
    let used = allocations(|| {
        for _ in 0..20 {
            assert_eq!(queue.push_many(&mut [1, 2, 3].into_iter()), 3);
            assert_eq!(queue.push_many(&mut Ahead::new(4..=9)), 2);
            assert_eq!(queue.force_push(7), Some(1));
            assert_eq!(queue.pop_many(&mut taken, 16), 5);
            taken.clear();
            assert!(producer.push_entire_slice(&[1, 2, 3]).is_ok());
            assert_eq!(producer.push_many(&mut [4, 5].into_iter()), 2);
            assert_eq!(consumer.read_chunk(2).map(|chunk| chunk.into_iter().sum()), Ok(3));
            assert_eq!(consumer.pop_many(&mut taken, 16), 3);
            taken.clear();
        }
    });
    assert_eq!(used, 0);
}

/// Room is made when the queue is.
#[test]
fn queues_allocate_when_they_are_made() {
    let _watchdog = Watchdog::start();
    let mut queues = None;
    let made = allocations(|| {
        queues = Some((ArrayQueue::new(3), BlockingQueue::new(3)));
    });
    assert_eq!(made, 2, "one block each");
    let (array, blocking) = queues.expect("just made");
    let used = allocations(|| {
        for i in 0..20_u64 {
            assert_eq!(array.push(i), Ok(()));
            assert_eq!(array.pop(), Some(i));
            blocking.push(i).unwrap();
            assert_eq!(blocking.pop(), Ok(i));
        }
        while array.push(0).is_ok() {}
        assert!(blocking.pop_for(Duration::from_millis(1)).is_err());
        while blocking.push_for(1, Duration::from_millis(1)).is_ok() {}
    });
    assert_eq!(used, 0);
    // Also with somebody asleep in it.
    thread::scope(|s| {
        let consumer = s.spawn(|| allocations(|| while blocking.pop().is_ok() {}));
        assert_eq!(allocations(|| (0..500).for_each(|i| blocking.push(i).unwrap())), 0);
        blocking.close();
        assert_eq!(consumer.join().unwrap(), 0);
    });
}

/// One block for both ends, and one for the places; to send and to receive takes none, asleep or
/// not, and nor do an end more or less.
#[test]
fn channels_allocate_when_they_are_made() {
    let _watchdog = Watchdog::start();
    let (mut bounded, mut meeting) = (None, None);
    assert_eq!(allocations(|| bounded = Some(channel::bounded(3))), 2);
    assert_eq!(allocations(|| meeting = Some(channel::rendezvous())), 1);
    let limit = Duration::from_millis(1);
    for (sender, receiver) in [bounded.expect("just made"), meeting.expect("just made")] {
        let used = allocations(|| {
            while sender.send_timeout(0, limit).is_ok() {}
            assert!(sender.try_send(0).is_err());
            while receiver.recv_timeout(limit).is_ok() {}
            drop((sender.clone(), receiver.clone()));
            assert!(lockwork::wait_any_for(&[&receiver], limit).is_none());
        });
        assert_eq!(used, 0);
        thread::scope(|s| {
            let consumer = s.spawn(|| allocations(|| _ = receiver.iter().count()));
            let sent = allocations(|| {
                (0..500_u64).for_each(|n| sender.send(n).unwrap());
                drop(sender);
            });
            assert_eq!((sent, consumer.join().unwrap()), (0, 0));
        });
    }
}

/// Room is made when a stack is, or when it grows.
#[test]
fn stacks_allocate_when_they_are_made() {
    use lockwork::stack::{ArrayStack, TaggedStack};
    let mut stacks = None;
    let made = allocations(|| {
        stacks = Some((ArrayStack::new(100), TaggedStack::new()));
    });
    assert_eq!(made, 1, "one block for the places");
    let (array, tagged) = stacks.expect("just made");
    assert_eq!(allocations(|| tagged.push_many(0..96)), 2, "32 places and 64");
    let used = allocations(|| {
        for i in 0..20_u64 {
            assert_eq!(array.push(i), Ok(()));
            assert_eq!(array.pop(), Some(i));
            tagged.pop_all().for_each(drop);
            tagged.push_many(0..50);
            tagged.push_many((0..92).filter(|i| i % 2 == 0));
            assert_eq!(tagged.pop(), Some(90));
            array.push_many((0..).take(70)).unwrap();
            assert_eq!(array.pop_all().count(), 70);
        }
        while array.push(0).is_ok() {}
        drop(array.pop_all());
    });
    assert_eq!(used, 0);
}

/// A queue without a bound uses its segments again: nothing for as long as it stays short.
#[test]
fn an_unbounded_queue_allocates_while_it_grows() {
    let queue = SegQueue::new();
    let first = allocations(|| assert_eq!(queue.pop(), None::<usize>));
    assert!(first <= 1, "the thread's record, and nothing else");
    assert_eq!(allocations(|| assert_eq!(queue.pop(), None)), 0, "it has nothing yet");
    let rounds = 10 * SegQueue::<usize>::places_per_segment();
    let some_rounds = || {
        for i in 0..rounds {
            queue.push(i);
            assert_eq!(queue.pop(), Some(i));
        }
    };
    assert!(allocations(some_rounds) <= 5, "segments, and the thread's record");
    assert_eq!(allocations(some_rounds), 0);
    let mut batch = Vec::with_capacity(64);
    let batches = || {
        for _ in 0..rounds / 16 {
            batch.extend(0..64);
            queue.push_many(&mut batch);
            assert_eq!(queue.pop_many(&mut batch, 64), 64);
            batch.clear();
        }
    };
    assert_eq!(allocations(batches), 0);
}
