//! What the explorer sees: outcomes that loom alone skips, and the ones that must never appear.

use std::sync::Arc;

use lockwork::model::Ordering::{Acquire, Relaxed, Release, SeqCst};
use lockwork::model::{
    AtomicU32, Deadline, Explore, Futex, UnsafeCell, Wait, fence, futex_calls, heavy_fence,
    light_fence, thread,
};

/// Two atomics and two threads, each of which returns what it read.
fn pair(
    left: impl Fn(&AtomicU32, &AtomicU32) -> u32 + Send + Sync + Clone + 'static,
    right: impl Fn(&AtomicU32, &AtomicU32) -> u32 + Send + Sync + Clone + 'static,
) -> impl Fn() -> (u32, u32) + Send + Sync + 'static {
    move || {
        let words = Arc::new((AtomicU32::new(0), AtomicU32::new(0)));
        let (shared, left) = (words.clone(), left.clone());
        let thread = thread::spawn(move || left(&shared.0, &shared.1));
        let b = right(&words.0, &words.1);
        (thread.join().unwrap(), b)
    }
}

/// Load X, then store X, in both threads: the shape that loom's bookkeeping loses (loom#166).
fn load_then_store() -> impl Fn() -> (u32, u32) + Send + Sync + 'static {
    let body = |x: &AtomicU32, _: &AtomicU32| {
        let seen = x.load(Relaxed);
        x.store(1, Relaxed);
        seen
    };
    pair(body, body)
}

#[test]
fn load_then_store_sees_all_three() {
    Explore::new("load then store")
        .unbounded()
        .at_least(6)
        .run(&[(0, 0), (0, 1), (1, 0)], load_then_store());
}

/// If this fails, loom has been mended and the shadow may go; while it passes, taking the shadow
/// out makes the litmus above fail.
#[test]
fn without_the_shadow_outcomes_are_missed() {
    for (mode, seen, executions) in Explore::new("load then store, no shadow")
        .unbounded()
        .without_shadows()
        .explore(load_then_store())
    {
        assert!(seen.len() < 3, "{mode}: all seen in {executions} executions without a shadow");
    }
}

#[test]
fn message_passing() {
    let publish = |data: &AtomicU32, flag: &AtomicU32| {
        data.store(1, Relaxed);
        flag.store(1, Release);
        0
    };
    let receive = |data: &AtomicU32, flag: &AtomicU32| match flag.load(Acquire) {
        0 => 2, // not yet
        _ => data.load(Relaxed),
    };
    // (0, 0), the flag without the data, is the forbidden one.
    Explore::new("message passing")
        .unbounded()
        .at_least(6)
        .run(&[(0, 1), (0, 2)], pair(publish, receive));
    let receive_relaxed = |data: &AtomicU32, flag: &AtomicU32| match flag.load(Relaxed) {
        0 => 2,
        _ => data.load(Relaxed),
    };
    Explore::new("message passing, relaxed")
        .unbounded()
        .at_least(6)
        .run(&[(0, 0), (0, 1), (0, 2)], pair(publish, receive_relaxed));
}

#[test]
fn store_buffering() {
    let fenced = |mine: &AtomicU32, other: &AtomicU32| {
        mine.store(1, Relaxed);
        fence(SeqCst);
        other.load(Relaxed)
    };
    let fenced_right = move |x: &AtomicU32, y: &AtomicU32| fenced(y, x);
    Explore::new("store buffering, fenced")
        .unbounded()
        .at_least(6)
        .run(&[(0, 1), (1, 0), (1, 1)], pair(fenced, fenced_right));
    let bare = |mine: &AtomicU32, other: &AtomicU32| {
        mine.store(1, Relaxed);
        other.load(Relaxed)
    };
    let bare_right = move |x: &AtomicU32, y: &AtomicU32| bare(y, x);
    Explore::new("store buffering")
        .unbounded()
        .at_least(6)
        .run(&[(0, 0), (0, 1), (1, 0), (1, 1)], pair(bare, bare_right));
}

/// As two full fences; without either of the two this fails.
#[test]
fn asymmetric_fences() {
    let often = |mine: &AtomicU32, other: &AtomicU32| {
        mine.store(1, Relaxed);
        light_fence();
        other.load(Relaxed)
    };
    let rarely = |other: &AtomicU32, mine: &AtomicU32| {
        mine.store(1, Relaxed);
        assert!(heavy_fence());
        other.load(Relaxed)
    };
    Explore::new("asymmetric fences")
        .unbounded()
        .at_least(6)
        .run(&[(0, 1), (1, 0), (1, 1)], pair(often, rarely));
}

/// A store to the word and a wake against a wait: the sleeper is woken, or never sleeps.
#[test]
fn futex_wait_and_wake() {
    Explore::new("futex wait and wake").unbounded().at_least(4).run(
        &[(false, 0), (true, 1)],
        || {
            let word: Arc<Futex> = Arc::new(Futex::new(0));
            let waker = {
                let word = word.clone();
                thread::spawn(move || {
                    word.store(1, Relaxed);
                    Futex::wake(&*word, 1)
                })
            };
            let woken = match word.wait(0, Deadline::NEVER) {
                Wait::Woken => true,
                Wait::Changed => false,
                end => panic!("{end:?} without a deadline or a signal"),
            };
            let count = waker.join().unwrap();
            assert_eq!(futex_calls(), 2);
            (woken, count)
        },
    );
}

/// Wakes that come in front of the wait and behind it, told apart by how many they found. The words
/// themselves conflict nowhere: only the token makes the explorer reorder the calls.
fn wait_against_bare_wake() -> impl Fn() -> (Wait, u32) + Send + Sync + 'static {
    || {
        let word: Arc<Futex> = Arc::new(Futex::new(0));
        let waker = {
            let word = word.clone();
            thread::spawn(move || Futex::wake(&*word, 1))
        };
        let soon = Deadline::after(std::time::Duration::from_secs(1));
        let end = word.wait(0, soon);
        (end, waker.join().unwrap())
    }
}

#[test]
fn timed_wait_ends_both_ways() {
    Explore::new("timed wait against wake")
        .unbounded()
        .at_least(3)
        .run(&[(Wait::TimedOut, 0), (Wait::Woken, 1)], wait_against_bare_wake());
}

/// As for the shadow: while this passes, the token is needed.
#[test]
fn without_the_token_outcomes_are_missed() {
    for (mode, seen, executions) in Explore::new("timed wait against wake, no token")
        .unbounded()
        .without_token()
        .explore(wait_against_bare_wake())
    {
        assert!(seen.len() < 2, "{mode}: all seen in {executions} executions without the token");
    }
}

#[test]
fn signals_interrupt_within_their_budget() {
    Explore::new("interrupted wait").unbounded().signals(1).restarting(false).at_least(3).run(
        &[(Wait::Interrupted, 0), (Wait::Woken, 1), (Wait::Changed, 0)],
        || {
            let word: Arc<Futex> = Arc::new(Futex::new(0));
            let waker = {
                let word = word.clone();
                thread::spawn(move || {
                    word.store(1, Relaxed);
                    Futex::wake(&*word, 1)
                })
            };
            let end = word.wait(0, Deadline::NEVER);
            (end, waker.join().unwrap())
        },
    );
}

/// A wait that the kernel begins again sleeps on the word that it was called with, whatever it was
/// moved to meanwhile; and not at all if that has changed.
#[test]
fn restarted_waits_go_back_to_their_word() {
    Explore::new("restarted wait").unbounded().signals(1).restarting(true).at_least(3).run(
        // Moved, woken there, woken at its own word.
        &[(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0)],
        || {
            let words: Arc<(Futex, Futex)> = Arc::new((Futex::new(0), Futex::new(0)));
            let waker = {
                let words = words.clone();
                thread::spawn(move || {
                    let moved = words.0.requeue(1, &words.1);
                    let there = Futex::wake(&words.1, 1);
                    words.0.store(1, Relaxed);
                    (moved, there, Futex::wake(&words.0, 1))
                })
            };
            words.0.wait(0, Deadline::NEVER);
            waker.join().unwrap()
        },
    );
}

#[test]
fn requeue_moves_sleepers_and_order_is_kept() {
    Explore::new("requeue").preemptions(2).at_least(10).run(&[(1, 0), (0, 0), (1, 1)], || {
        let words: Arc<(Futex, Futex)> = Arc::new((Futex::new(0), Futex::new(0)));
        let waiter = {
            let words = words.clone();
            thread::spawn(move || words.0.wait(0, Deadline::NEVER))
        };
        let moved = words.0.requeue(1, &words.1);
        // Whoever was moved is no longer found on the first word.
        let first = Futex::wake(&words.0, 1);
        let second = Futex::wake(&words.1, 1);
        if first + second == 0 {
            // It had not gone to sleep yet: make sure that it need not.
            words.0.store(1, Relaxed);
            Futex::wake(&words.0, 1);
        }
        waiter.join().unwrap();
        assert_eq!(moved, second);
        (moved | first, first.min(moved) | (moved & second))
    });
}

/// A wake hands nothing over in strict mode, and loom's `unpark` would: so what a sleeper may see
/// differs between the modes, and code must be right in both. (The sleeper is the second thread, as
/// loom does not show a thread that has yielded the values that it wrote itself.)
#[test]
fn strict_mode_gives_no_edge() {
    let results = Explore::new("wake without an edge").unbounded().explore(|| {
        let shared: Arc<(Futex, AtomicU32)> = Arc::new((Futex::new(0), AtomicU32::new(0)));
        let sleeper = {
            let shared = shared.clone();
            thread::spawn(move || {
                let end = shared.0.wait(0, Deadline::NEVER);
                (end == Wait::Woken, shared.1.load(Relaxed))
            })
        };
        shared.1.store(1, Relaxed);
        shared.0.store(1, Relaxed);
        Futex::wake(&shared.0, 1);
        sleeper.join().unwrap()
    });
    for (mode, seen, _) in results {
        assert!(seen.contains_key(&(true, 1)), "{mode}: {seen:?}");
        assert_eq!(seen.contains_key(&(true, 0)), mode == "strict", "{mode}: {seen:?}");
    }
}

/// The cells notice two accesses at once, which is how every model notices a broken lock.
#[test]
#[should_panic(expected = "Causality violation")]
fn overlapping_accesses_are_caught() {
    Explore::new("two writers").unbounded().run(&[()], || {
        struct Cell(UnsafeCell<u32>);
        // SAFETY: it is not: that is what the model has to notice.
        unsafe impl Sync for Cell {}
        let cell = Arc::new(Cell(UnsafeCell::new(0)));
        let writer = {
            let cell = cell.clone();
            // SAFETY: as above.
            thread::spawn(move || cell.0.with_mut(|value| unsafe { *value += 1 }))
        };
        // SAFETY: as above.
        cell.0.with_mut(|value| unsafe { *value += 1 });
        writer.join().unwrap();
    });
}
