//! `Once`, `OnceLock`, `LazyLock`: one closure at a time, one that ends, and everybody sees it.

use std::panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use lockwork::model::{Explore, futex_calls, thread};
use lockwork::{LazyLock, Once, OnceLock, OnceState};

use super::support::{Watched, beside};

/// A licence to time out at any moment: see the model's notes on time.
const SOON: Duration = Duration::from_secs(1);

/// A once, and what its closures touch.
struct Shared {
    once: Once,
    runs: Watched,
}

fn shared() -> Arc<Shared> {
    Arc::new(Shared { once: Once::new(), runs: Watched::new(0) })
}

impl Shared {
    fn call(&self) {
        self.once.call_once(|| _ = self.runs.add());
    }

    fn fail(&self) -> bool {
        panics(|| self.once.call_once(|| run_and_panic(&self.runs)))
    }
}

/// A closure that panics, without a word.
fn run_and_panic(runs: &Watched) {
    runs.add();
    resume_unwind(Box::new("planned"));
}

/// Whether `f` panics. What this crate says as it refuses is not printed: the mutants' table shows
/// the first words of a model that fails, and those would not be why.
fn panics<R>(f: impl FnOnce() -> R) -> bool {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let said = info.payload().downcast_ref::<&str>().unwrap_or(&"");
            if !said.contains("of a once") {
                before(info);
            }
        }));
    });
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// What the closure did is seen by whoever finds it done, at first sight or after having slept.
#[test]
fn two_callers() {
    Explore::new("once, two callers").preemptions(5).at_least(50).run(&[1], || {
        let shared = shared();
        let other = beside(&shared, Shared::call);
        shared.call();
        // No look at the once in between, which would be a second chance to see it.
        let seen = shared.runs.peek();
        other.join().unwrap();
        seen
    });
}

/// Found done without having called: what the closure did is seen all the same.
#[test]
fn a_look() {
    Explore::new("once, a look").unbounded().at_least(10).run(&[None, Some(1)], || {
        let shared = shared();
        let other = beside(&shared, Shared::call);
        let seen = shared.once.is_completed().then(|| shared.runs.peek());
        other.join().unwrap();
        seen
    });
}

/// All who sleep are woken, callers and watchers.
#[test]
fn three_threads() {
    Explore::new("once, three threads").preemptions(2).at_least(500).run(&[1], || {
        let shared = shared();
        let caller = beside(&shared, Shared::call);
        let watcher = beside(&shared, |shared| {
            shared.once.wait();
            shared.runs.peek()
        });
        shared.call();
        caller.join().unwrap();
        watcher.join().unwrap()
    });
}

/// Nobody calls the kernel unless somebody sleeps.
#[test]
fn calls_of_the_kernel() {
    Explore::new("once, calls").unbounded().at_least(50).run(&[false, true], || {
        let shared = shared();
        let other = beside(&shared, Shared::call);
        shared.call();
        other.join().unwrap();
        futex_calls() > 0
    });
}

/// A closure that panics poisons; the one that is forced after it sees what it did.
#[test]
fn panic_then_retry() {
    let outcomes = [(true, true, 2), (false, false, 1)];
    Explore::new("once, panic and retry").preemptions(4).at_least(50).run(&outcomes, || {
        let shared = shared();
        let other = beside(&shared, Shared::fail);
        let mut poisoned = false;
        shared.once.call_once_force(|before| {
            poisoned = before.is_poisoned();
            shared.runs.add();
        });
        let failed = other.join().unwrap();
        assert_eq!(shared.once.state(), OnceState::Done);
        (poisoned, failed, shared.runs.get())
    });
}

/// A closure that panics wakes all: who calls or waits panics, who waits by force sleeps on.
#[test]
fn panic_among_sleepers() {
    Explore::new("once, panic among sleepers").preemptions(2).at_least(200).run(&[2], || {
        loom::stop_exploring();
        let shared = shared();
        let mut sleepers = Vec::new();
        let attempt = || {
            shared.once.call_once(|| {
                sleepers.push(beside(&shared, |shared| panics(|| shared.once.wait())));
                sleepers.push(beside(&shared, |shared| {
                    shared.once.wait_force();
                    shared.runs.peek() == 2
                }));
                while futex_calls() < 2 {
                    thread::yield_now();
                }
                loom::explore();
                run_and_panic(&shared.runs);
            });
        };
        assert!(panics(attempt));
        // The first has panicked before the once is forced, or finds it poisoned no more.
        assert!(sleepers.remove(0).join().unwrap());
        shared.once.call_once_force(|_| _ = shared.runs.add());
        assert!(sleepers.remove(0).join().unwrap());
        shared.runs.get()
    });
}

/// A wait with a limit ends in both ways, and takes nobody's wake-up along.
#[test]
fn timed() {
    Explore::new("once, timed").preemptions(2).at_least(200).run(&[None, Some(1)], || {
        let shared = shared();
        let caller = beside(&shared, Shared::call);
        let watcher =
            beside(&shared, |shared| shared.once.wait_for(SOON).then(|| shared.runs.peek()));
        shared.once.wait();
        caller.join().unwrap();
        watcher.join().unwrap()
    });
}

#[test]
fn interrupted() {
    Explore::new("once, signals").preemptions(3).signals(2).at_least(100).run(&[1], || {
        let shared = shared();
        let caller = beside(&shared, Shared::call);
        shared.once.wait();
        caller.join().unwrap();
        shared.runs.get()
    });
}

/// Whoever sees that it is done may free it.
#[test]
fn freed_by_who_waited() {
    Explore::new("once, freed early").preemptions(5).at_least(20).run(&[()], || {
        let once = Arc::new(Once::new());
        let caller = beside(&once, |once| once.call_once(|| ()));
        once.wait();
        drop(once);
        caller.join().unwrap();
    });
}

/// A closure that waits for itself is told.
#[test]
fn waits_for_itself() {
    Explore::new("once, recursion").unbounded().run(&[(true, true, true)], || {
        let once = Once::new();
        let mut told = (false, false);
        once.call_once(|| {
            told.0 = panics(|| once.call_once(|| ()));
            told.1 = panics(|| once.wait_force());
        });
        (told.0, told.1, once.is_completed())
    });
}

/// A place for a value, and how often one was tried to be made.
struct Place {
    value: OnceLock<u32>,
    tries: Watched,
}

impl Place {
    fn new() -> Arc<Self> {
        Arc::new(Self { value: OnceLock::new(), tries: Watched::new(0) })
    }

    /// The first try fails.
    fn make(&self) -> Result<u32, u32> {
        let tries = || match self.tries.add() {
            1 => Err(1),
            n => Ok(n),
        };
        self.value.get_or_try_init(tries).copied()
    }
}

/// Two make a value: one of them does, and both have it.
#[test]
fn place_with_two_makers() {
    Explore::new("once lock, two makers").unbounded().at_least(50).run(&[(1, 1), (2, 2)], || {
        let place = Arc::new(OnceLock::new());
        let other = beside(&place, |place| *place.get_or_init(|| 1));
        let mine = *place.get_or_init(|| 2);
        (mine, other.join().unwrap())
    });
}

/// A look finds the value whole or not at all.
#[test]
fn place_with_a_reader() {
    Explore::new("once lock, a reader").unbounded().at_least(10).run(&[None, Some(1)], || {
        let place = Arc::new(OnceLock::new());
        let other = beside(&place, |place| place.set(1).unwrap());
        let seen = place.get().copied();
        other.join().unwrap();
        seen
    });
}

/// One try fails, and the next sees what it did; whoever slept meanwhile has its turn.
#[test]
fn place_after_a_failure() {
    let outcomes = [(Err(1), Ok(2)), (Ok(2), Err(1))];
    Explore::new("once lock, failure").preemptions(4).at_least(50).run(&outcomes, || {
        let place = Place::new();
        let other = beside(&place, Place::make);
        let mine = place.make();
        (mine, other.join().unwrap())
    });
}

/// Two sleep while a try fails: one of them tries next and wakes the other.
#[test]
fn place_with_two_sleepers_after_a_failure() {
    Explore::new("once lock, failure, two sleepers").preemptions(2).at_least(5).run(
        &[(Err(1), 2, 2)],
        || {
            loom::stop_exploring();
            let place = Place::new();
            let mut others = Vec::new();
            let mine = place.value.get_or_try_init(|| {
                others.extend([(); 2].map(|()| beside(&place, |place| place.make().unwrap())));
                while futex_calls() < 2 {
                    thread::yield_now();
                }
                loom::explore();
                Err(place.tries.add())
            });
            let mine = mine.copied();
            let [first, second] = [others.remove(0), others.remove(0)];
            (mine, first.join().unwrap(), second.join().unwrap())
        },
    );
}

/// A failure leaves those asleep who only wait for a value, and they get it in the end.
#[test]
fn place_with_a_watcher_after_a_failure() {
    Explore::new("once lock, failure, a watcher").preemptions(3).at_least(50).run(&[2], || {
        let place = Place::new();
        let watcher = beside(&place, |place| *place.value.wait());
        assert_eq!(place.make(), Err(1));
        assert_eq!(place.make(), Ok(2));
        watcher.join().unwrap()
    });
}

/// The value of a lazy one is made once, by either.
#[test]
fn lazy_with_two_users() {
    Explore::new("lazy lock, two users").unbounded().at_least(50).run(&[(1, 1)], || {
        let made = Watched::new(0);
        let lazy = Arc::new(LazyLock::new(move || made.add()));
        let other = beside(&lazy, |lazy| **lazy);
        let mine = **lazy;
        (mine, other.join().unwrap())
    });
}

/// It panics for one, and for everybody else.
#[test]
fn lazy_that_panics() {
    Explore::new("lazy lock, panic").preemptions(4).at_least(50).run(&[(true, true, 1)], || {
        let made = Watched::new(0);
        let tries = made.clone();
        let lazy = Arc::new(LazyLock::new(move || run_and_panic(&made)));
        let other = beside(&lazy, |lazy| panics(|| LazyLock::force(lazy)));
        let mine = panics(|| LazyLock::force(&lazy));
        (mine, other.join().unwrap(), tries.get())
    });
}
