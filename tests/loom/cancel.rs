//! `CancelToken`: who listens is told, once, and nothing is lost on who gives up.

use std::sync::{Arc, Mutex as Plain};

use lockwork::cancel::{CancelCallback, CancelToken, Cancelled};
use lockwork::model::{Explore, enter_forked_child, thread, unvaried};
use lockwork::queue::{BlockingQueue, PopError, PushErrorReason};
use lockwork::semaphore::AcquireError;
use lockwork::{CondvarAny, Deadline, Event, FairSemaphore, Latch, Mutex, Parker, Semaphore};

use super::support::{Watched, beside, let_sleep};

/// Not `NEVER`: a licence to pass at any moment.
fn soon() -> CancelToken {
    CancelToken::with_deadline(Deadline::after(std::time::Duration::from_secs(1)))
}

/// Two threads that sleep, in this order; how they got there is not varied.
fn asleep<S: 'static, A: 'static, B: 'static>(
    shared: &Arc<S>,
    first: impl FnOnce(&S) -> A + 'static,
    second: impl FnOnce(&S) -> B + 'static,
) -> (thread::JoinHandle<A>, thread::JoinHandle<B>) {
    unvaried(|| {
        let first = beside(shared, first);
        let_sleep(1);
        let second = beside(shared, second);
        let_sleep(2);
        (first, second)
    })
}

/// Callbacks may be called by any thread of the model, which all are one.
struct Sent<T>(T);

// SAFETY: loom runs all threads of a model on one thread of the system.
unsafe impl<T> Send for Sent<T> {}

/// A closure for callbacks, with something that is not `Send` for the compiler.
fn with<T: Clone + 'static>(
    value: &T,
    body: impl FnOnce(&T) + 'static,
) -> impl FnOnce() + Send + 'static {
    let all = Sent((value.clone(), body));
    move || {
        let Sent((value, body)) = { all };
        body(&value);
    }
}

/// Who waits is woken, and sees what came before.
#[test]
fn waits() {
    Explore::new("cancel token, waits").preemptions(3).at_least(10).run(&[1], || {
        let shared = Arc::new((CancelToken::new(), Watched::new(0)));
        let canceller = beside(&shared, |(token, data)| {
            data.set(1);
            token.cancel();
        });
        shared.0.wait();
        let seen = shared.1.get();
        canceller.join().unwrap();
        seen
    });
}

/// Who looks sees it as well; and of two who cancel, one did it.
#[test]
fn looks() {
    Explore::new("cancel token, looks").preemptions(3).at_least(10).run(&[false, true], || {
        let shared = Arc::new((CancelToken::new(), Watched::new(0)));
        let canceller = beside(&shared, |(token, data)| {
            data.set(1);
            assert!(token.cancel());
        });
        let seen = shared.0.is_cancelled();
        if seen {
            assert_eq!(shared.1.get(), 1);
        }
        canceller.join().unwrap();
        assert!(!shared.0.cancel());
        seen
    });
}

/// All are woken, whatever else they wait for.
#[test]
fn three_words() {
    Explore::new("cancel token, three words").preemptions(2).at_least(100).run(&[()], || {
        let shared = Arc::new((CancelToken::new(), Latch::new(1), Semaphore::new(0)));
        let first = beside(&shared, |(token, latch, _)| latch.wait_cancellable(token));
        let second =
            beside(&shared, |(token, _, semaphore)| semaphore.acquire_cancellable(token).map(drop));
        shared.0.cancel();
        shared.0.wait();
        assert_eq!(first.join().unwrap(), Err(Cancelled));
        assert_eq!(second.join().unwrap(), Err(AcquireError::Cancelled));
    });
}

/// Two who sleep for the same token, and one of them for nothing else.
#[test]
fn two_sleepers() {
    Explore::new("cancel token, two sleepers").preemptions(2).at_least(50).run(&[()], || {
        let shared = Arc::new((CancelToken::new(), Event::manual()));
        let first = beside(&shared, |(token, _)| token.wait());
        let second = beside(&shared, |(token, event)| event.wait_cancellable(token));
        shared.0.cancel();
        first.join().unwrap();
        assert_eq!(second.join().unwrap(), Err(Cancelled));
    });
}

/// As `three_words`, where the kernel sleeps on one word only.
#[test]
fn slices() {
    Explore::new("cancel token, slices").one_word().preemptions(2).at_least(20).run(&[()], || {
        let shared = Arc::new((CancelToken::new(), Latch::new(1)));
        let waiter = beside(&shared, |(token, latch)| latch.wait_cancellable(token));
        shared.0.cancel();
        assert_eq!(waiter.join().unwrap(), Err(Cancelled));
    });
}

/// Cancel, wake-up and deadline at once: whichever comes first ends the wait, and what comes is
/// either taken or still there.
#[test]
fn cancel_wake_and_deadline() {
    let all = [(true, 0), (false, 1)];
    Explore::new("cancel token, all at once").preemptions(2).at_least(100).run(&all, || {
        let shared = Arc::new((soon(), Semaphore::new(0)));
        let waiter = beside(&shared, |(token, semaphore)| {
            let permit = semaphore.acquire_cancellable(token);
            permit.map(lockwork::SemaphorePermit::forget).is_ok()
        });
        let releaser = beside(&shared, |(_, semaphore)| semaphore.release(1).unwrap());
        shared.0.cancel();
        let taken = waiter.join().unwrap();
        releaser.join().unwrap();
        (taken, shared.1.available())
    });
}

/// A deadline alone ends a wait, and counts from then on.
#[test]
fn deadline() {
    Explore::new("cancel token, deadline").preemptions(3).at_least(10).run(&[false, true], || {
        let shared = Arc::new((soon(), Event::manual()));
        let setter = beside(&shared, |(_, event)| event.set());
        let end = shared.1.wait_cancellable(&shared.0);
        assert_eq!(shared.0.is_cancelled(), end.is_err());
        setter.join().unwrap();
        end.is_ok()
    });
}

/// One permit, one who may be cancelled as it is woken for it, and one who must get it then.
#[test]
fn permit_is_passed_on() {
    Explore::new("cancel token, permit").preemptions(1).at_least(100).run(&[false, true], || {
        let shared = Arc::new((CancelToken::new(), Semaphore::new(0)));
        let (cancelled, other) = asleep(
            &shared,
            |(token, semaphore)| semaphore.acquire_cancellable(token).is_ok(), // and gives it back
            |(_, semaphore)| semaphore.acquire().unwrap().forget(),
        );
        let releaser = beside(&shared, |(_, semaphore)| semaphore.release(1).unwrap());
        shared.0.cancel();
        releaser.join().unwrap();
        other.join().unwrap();
        cancelled.join().unwrap()
    });
}

/// As `permit_is_passed_on`, of a queue of waiters.
#[test]
fn turn_is_passed_on() {
    Explore::new("cancel token, turn").preemptions(1).at_least(100).run(&[false, true], || {
        let shared = Arc::new((CancelToken::new(), FairSemaphore::new(0)));
        let (cancelled, other) = asleep(
            &shared,
            |(token, semaphore)| semaphore.acquire_cancellable(token).is_ok(),
            |(_, semaphore)| semaphore.acquire().unwrap().forget(),
        );
        let releaser = beside(&shared, |(_, semaphore)| semaphore.release(1).unwrap());
        shared.0.cancel();
        releaser.join().unwrap();
        other.join().unwrap();
        cancelled.join().unwrap()
    });
}

/// As `permit_is_passed_on`, of an event for one.
#[test]
fn event_is_passed_on() {
    Explore::new("cancel token, event").preemptions(1).at_least(100).run(&[false, true], || {
        let shared = Arc::new((CancelToken::new(), Event::auto()));
        let (cancelled, other) = asleep(
            &shared,
            |(token, event)| {
                let came = event.wait_cancellable(token).is_ok();
                if came {
                    event.set();
                }
                came
            },
            |(_, event)| event.wait(),
        );
        let setter = beside(&shared, |(_, event)| event.set());
        shared.0.cancel();
        setter.join().unwrap();
        other.join().unwrap();
        cancelled.join().unwrap()
    });
}

/// As `permit_is_passed_on`, of a value in a queue.
#[test]
fn value_is_passed_on() {
    let all = [(true, false), (false, true)];
    Explore::new("cancel token, value").preemptions(1).at_least(100).run(&all, || {
        let shared = Arc::new((CancelToken::new(), BlockingQueue::new(1)));
        let (cancelled, other) = asleep(
            &shared,
            |(token, queue)| queue.pop_cancellable(token),
            |(_, queue)| queue.pop().is_ok(),
        );
        let pusher = beside(&shared, |(_, queue)| queue.push(7).unwrap());
        shared.0.cancel();
        pusher.join().unwrap();
        let first = cancelled.join().unwrap();
        assert!(matches!(first, Ok(7) | Err(PopError::Cancelled)));
        // One of them has the value; the other has nothing to wait for.
        shared.1.close();
        (first.is_ok(), other.join().unwrap())
    });
}

/// A push that is cancelled gives its value back, and leaves the room to others.
#[test]
fn push() {
    Explore::new("cancel token, push").preemptions(2).at_least(50).run(&[false, true], || {
        let shared = Arc::new((CancelToken::new(), BlockingQueue::new(1)));
        shared.1.push(1).unwrap();
        let pusher = beside(&shared, |(token, queue)| {
            queue.push_cancellable(2, token).map_err(|refused| {
                let reason = refused.reason();
                assert_eq!(refused.into_inner(), 2);
                reason
            })
        });
        let canceller = beside(&shared, |(token, _)| token.cancel());
        assert_eq!(shared.1.pop(), Ok(1));
        canceller.join().unwrap();
        let pushed = pusher.join().unwrap();
        assert!(matches!(pushed, Ok(()) | Err(PushErrorReason::Cancelled)));
        assert_eq!(shared.1.try_pop().ok(), pushed.is_ok().then_some(2));
        pushed.is_ok()
    });
}

/// A notification that meets a cancelled waiter is not lost on it.
#[test]
fn notification_is_passed_on() {
    Explore::new("cancel token, notification").preemptions(2).at_least(100).run(
        &[false, true],
        || {
            let shared = Arc::new((CancelToken::new(), Mutex::new(0), CondvarAny::new()));
            let (cancelled, other) = asleep(
                &shared,
                |(token, count, changed)| {
                    let mut count = count.lock();
                    let mut came = true;
                    while came && *count == 0 {
                        came = changed.wait_cancellable(&mut count, token).is_ok();
                    }
                    if came {
                        *count -= 1;
                    }
                    came
                },
                |(_, count, changed)| {
                    let mut count = count.lock();
                    changed.wait_while(&mut count, |count| *count == 0);
                    *count -= 1;
                },
            );
            let (token, count, changed) = &*shared;
            let notifier = beside(&shared, |(_, count, changed)| {
                *count.lock() += 1;
                changed.notify_one();
            });
            token.cancel();
            notifier.join().unwrap();
            let came = cancelled.join().unwrap();
            if came {
                *count.lock() += 1;
                changed.notify_one();
            }
            other.join().unwrap();
            came
        },
    );
}

/// Waiters let go together, one of them by way of the gate or cancelled there.
#[test]
fn cancelled_at_the_gate() {
    Explore::new("cancel token, gate").preemptions(1).at_least(100).run(&[true], || {
        let shared = Arc::new((CancelToken::new(), Mutex::new(false), CondvarAny::new()));
        let waiter = |(token, open, changed): &(CancelToken, Mutex<bool>, CondvarAny)| {
            changed.wait_while_cancellable(&mut open.lock(), |open| !*open, token).is_ok()
        };
        let waiters = asleep(&shared, waiter, waiter);
        let (_, open, changed) = &*shared;
        *open.lock() = true;
        let canceller = beside(&shared, |(token, ..)| token.cancel());
        changed.notify_all();
        canceller.join().unwrap();
        let came = waiters.0.join().unwrap() && waiters.1.join().unwrap();
        assert_eq!(changed.notify_all(), 0);
        came
    });
}

/// A parker's token and the other kind.
#[test]
fn parker() {
    Explore::new("cancel token, parker").preemptions(3).at_least(50).run(&[false, true], || {
        let (parker, token) = (Parker::new(), Arc::new(CancelToken::new()));
        let unparker = parker.unparker().clone();
        let waking = thread::spawn(move || unparker.unpark());
        let canceller = beside(&token, CancelToken::cancel);
        let end = parker.park_cancellable(&token);
        waking.join().unwrap();
        canceller.join().unwrap();
        // What was not taken is there.
        assert_eq!(parker.park_until(Deadline::now()), end.is_err());
        end.is_ok()
    });
}

/// Signals end no cancellable wait, and eat nothing.
#[test]
fn interrupted() {
    Explore::new("cancel token, signals").preemptions(2).signals(2).at_least(20).run(&[()], || {
        let shared = Arc::new((CancelToken::new(), Event::manual()));
        let waiter = beside(&shared, |(token, event)| event.wait_cancellable(token));
        shared.0.cancel();
        assert_eq!(waiter.join().unwrap(), Err(Cancelled));
    });
}

/// Whoever sees a token cancelled sees all cancelled that come from it.
#[test]
fn children_first() {
    let all = [(false, false), (false, true), (true, true)];
    Explore::new("cancel token, children first").preemptions(3).at_least(10).run(&all, || {
        let parent = CancelToken::new();
        let (middle, lone) = (parent.child(), parent.child());
        let child = middle.child();
        let shared = Arc::new((parent, middle, lone, child));
        let canceller = beside(&shared, |(parent, ..)| parent.cancel());
        let (parent, _, _, child) = &*shared;
        let seen = (parent.is_cancelled(), child.is_cancelled());
        canceller.join().unwrap();
        assert!(shared.2.is_cancelled() && shared.1.is_cancelled());
        seen
    });
}

/// A child is made as its parent is cancelled; it ends all the same.
#[test]
fn born_in_time_or_cancelled() {
    Explore::new("cancel token, a birth").preemptions(3).at_least(10).run(&[()], || {
        let parent = Arc::new(CancelToken::new());
        let canceller = beside(&parent, CancelToken::cancel);
        parent.child().wait();
        canceller.join().unwrap();
    });
}

/// The token in the middle is dropped as the first is cancelled: the last one hears of it, and so
/// do those beside it.
#[test]
fn middle_goes() {
    Explore::new("cancel token, middle goes").preemptions(2).at_least(20).run(&[()], || {
        let first = CancelToken::new();
        let middle = first.child();
        let (last, beside_it) = (middle.child(), middle.child());
        let first = Arc::new(first);
        let canceller = beside(&first, CancelToken::cancel);
        let dropper = thread::spawn(move || drop(middle));
        last.wait();
        beside_it.wait();
        canceller.join().unwrap();
        dropper.join().unwrap();
    });
}

/// Two who cancel above and below, and one who drops: nobody follows a link to what is gone.
#[test]
fn above_and_below() {
    Explore::new("cancel token, above and below").preemptions(1).at_least(20).run(&[()], || {
        let parent = Arc::new(CancelToken::new());
        let (one, other) = (parent.child(), parent.child());
        let below = one.child();
        let canceller = beside(&parent, CancelToken::cancel);
        let dropper = thread::spawn(move || drop(other));
        one.cancel();
        assert!(below.is_cancelled());
        canceller.join().unwrap();
        dropper.join().unwrap();
        assert!(parent.is_cancelled());
    });
}

/// A callback and its guard: once the guard is dropped, the call is over, or never comes.
#[test]
fn callback_and_guard() {
    Explore::new("cancel token, guard").preemptions(3).at_least(20).run(&[0, 1], || {
        let (token, calls) = (Arc::new(CancelToken::new()), Watched::new(0));
        let callback = token.on_cancel(with(&calls, |calls| {
            calls.add();
        }));
        let canceller = beside(&token, CancelToken::cancel);
        drop(callback);
        let seen = calls.get();
        canceller.join().unwrap();
        assert_eq!(calls.get(), seen);
        seen
    });
}

/// The guard is dropped in another thread than the one that waits for it: three at once.
#[test]
fn two_callbacks() {
    let all = [(0, 0), (0, 1), (1, 0), (1, 1)];
    Explore::new("cancel token, two callbacks").preemptions(2).at_least(50).run(&all, || {
        let (token, first, second) =
            (Arc::new(CancelToken::new()), Watched::new(0), Watched::new(0));
        let count = |calls: &Watched| {
            token.on_cancel(with(calls, |calls| {
                calls.add();
            }))
        };
        let guards = (count(&first), Sent(count(&second)));
        let canceller = beside(&token, CancelToken::cancel);
        let seen = second.clone();
        let dropper = thread::spawn(move || {
            drop({ guards.1 }.0);
            seen.get()
        });
        drop(guards.0);
        let seen = first.get();
        canceller.join().unwrap();
        (seen, dropper.join().unwrap())
    });
}

/// A closure is registered as its token is cancelled: it is called, once.
#[test]
fn registered_in_time_or_called() {
    Explore::new("cancel token, registration").preemptions(3).at_least(10).run(&[1], || {
        let (token, calls) = (Arc::new(CancelToken::new()), Watched::new(0));
        let canceller = beside(&token, CancelToken::cancel);
        let callback = token.on_cancel(with(&calls, |calls| {
            calls.add();
        }));
        callback.detach();
        canceller.join().unwrap();
        calls.get()
    });
}

/// A callback that drops its own guard does not wait for itself.
#[test]
fn callback_drops_its_guard() {
    Explore::new("cancel token, own guard").preemptions(3).at_least(1).run(&[false], || {
        let token = CancelToken::new();
        let place = Arc::new(Plain::new(None::<CancelCallback>));
        let callback = token.on_cancel(with(&place, |place| drop(place.lock().unwrap().take())));
        *place.lock().unwrap() = Some(callback);
        token.cancel();
        place.lock().unwrap().is_some()
    });
}

/// In the child of a fork that a callback has made, nobody waits for a call of the parent's.
#[test]
fn child_of_fork_does_not_wait_for_a_call() {
    Explore::new("cancel token, fork").preemptions(3).at_least(1).run(&[()], || {
        let token = CancelToken::new();
        let place = Arc::new(Plain::new(None::<CancelCallback>));
        let callback = token.on_cancel(with(&place, |place| {
            enter_forked_child();
            // The call would go on in the parent; in the child this thread is a stranger to it.
            let guard = Sent(place.lock().unwrap().take());
            thread::spawn(move || drop({ guard }.0)).join().unwrap();
        }));
        *place.lock().unwrap() = Some(callback);
        token.cancel();
    });
}

/// In the child of a fork a tree whose lock was free is what it was.
#[test]
fn child_of_fork_has_the_tree() {
    Explore::new("cancel token, tree and fork").preemptions(3).at_least(1).run(&[1], || {
        let (token, calls) = (CancelToken::new(), Watched::new(0));
        let child = token.child();
        child
            .on_cancel(with(&calls, |calls| {
                calls.add();
            }))
            .detach();
        enter_forked_child();
        assert!(token.cancel() && child.is_cancelled());
        calls.get()
    });
}
