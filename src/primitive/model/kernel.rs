//! The kernel's half of a futex, as far as this crate relies on it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::thread_local;
use std::vec::Vec;

use super::super::{Deadline, Ordering, Wait};
use super::pi::Pi;

/// How one run of the explorer is set up. Ordinary thread locals: loom runs every thread of a model
/// on the one that called it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    /// Sleepers poll with `yield_now`, so that a wake gives no happens-before edge.
    pub(super) strict: bool,
    /// Waits that a signal may interrupt, in each execution.
    pub(super) signals: u32,
    /// Whether the kernel begins an interrupted wait again, as it does after `SIGCONT` and after
    /// handlers with `SA_RESTART`. No code of ours runs in between.
    pub(super) restart: bool,
    /// Whether a sleep on several words is refused, as old kernels and filters do.
    pub(super) one_word: bool,
    /// Whether heavy fences are refused, as a filter does that comes late, and light ones are
    /// nothing.
    pub(super) no_barriers: bool,
    /// How often, in each execution, somebody who waits finds that it has been for long.
    pub(super) naps: u32,
    /// Whether numbers that have a value of their own for models have the one that ships.
    pub(super) as_shipped: bool,
    /// Off only in the litmus tests that show why the shadow is there.
    pub(super) shadows: bool,
    /// Off only in the litmus tests that show why the token is there.
    pub(super) token: bool,
}

impl Setup {
    pub(super) const DEFAULT: Self = Self {
        strict: false,
        signals: 0,
        restart: false,
        one_word: false,
        no_barriers: false,
        naps: 0,
        as_shipped: false,
        shadows: true,
        token: true,
    };
}

thread_local! {
    static SETUP: Cell<Setup> = const { Cell::new(Setup::DEFAULT) };
    /// Modelled operations so far, by any thread.
    static PROGRESS: Cell<u64> = const { Cell::new(0) };
    /// Whether this part of the execution is the same in all.
    static UNVARIED: Cell<bool> = const { Cell::new(false) };
    /// Where objects were that could be freed by now.
    static GRAVES: RefCell<Vec<Range<usize>>> = const { RefCell::new(Vec::new()) };
}

/// Polls of a strict sleeper between which no thread did anything, after which the rest of the
/// execution is run but not varied: it can only repeat one that had fewer such polls. (Bounded
/// exploration would go on varying which of two sleepers polls next, for ever.)
const IDLE_POLLS: u32 = 2;

/// Idle polls that mean that nobody is left who could do anything: the scheduler prefers threads
/// that have yielded less often.
const STRANDED: u32 = 100;

/// A thread in a wait, on one word or several.
struct Sleeper {
    woken: Cell<bool>,
    parked: Cell<bool>,
    thread: loom::thread::Thread,
}

/// Its place in the queue of one word. Whoever is woken on one of several keeps the other places
/// until it runs, and may be woken there as well.
struct Place {
    address: Cell<usize>,
    classes: u32,
    sleeper: Rc<Sleeper>,
}

/// What the kernel compares.
pub(crate) trait Held {
    /// Whether the word, or its low half, holds `expected`.
    fn holds(&self, expected: u32) -> bool;
}

/// The real type of this name.
#[derive(Clone, Copy)]
#[allow(unreachable_pub, missing_debug_implementations, reason = "named by a trait, that is all")]
pub struct WaitWord<'a> {
    address: usize,
    expected: u32,
    word: Option<&'a dyn Held>,
}

impl<'a> WaitWord<'a> {
    pub(crate) const NONE: Self = Self { address: 0, expected: 0, word: None };

    pub(super) fn new(address: usize, expected: u32, word: &'a dyn Held) -> Self {
        Self { address, expected, word: Some(word) }
    }
    pub(crate) const OF_NOBODY: u32 = 1 << 31;
    pub(crate) fn of_nobody() -> Self {
        static WORD: Nobodys = Nobodys(0);
        Self::new(super::backend::address(&WORD), Self::OF_NOBODY, &WORD)
    }
    pub(crate) fn is_of_nobody(&self) -> bool {
        self.address == Self::of_nobody().address
    }
    pub(crate) fn expected(&self) -> u32 {
        self.expected
    }
    pub(crate) fn wait(&self, deadline: Deadline) -> Wait {
        wait(&[*self], !0, deadline)
    }
    fn holds(&self) -> bool {
        self.word.expect("a word to sleep on").holds(self.expected)
    }
}

/// A word that never changes, at an address of its own.
struct Nobodys(#[allow(dead_code, reason = "to be somewhere")] u8);

impl Held for Nobodys {
    fn holds(&self, _expected: u32) -> bool {
        true
    }
}

/// State of one execution.
struct Kernel {
    /// Makes futex operations conflict, so that the explorer reorders them.
    token: loom::sync::atomic::AtomicUsize,
    /// Hidden from the explorer. Touched only between two scheduling points.
    queue: RefCell<VecDeque<Rc<Place>>>,
    signals: Cell<u32>,
    naps: Cell<u32>,
    calls: Cell<usize>,
    fork_epoch: Cell<u32>,
    no_threads: Cell<bool>,
    last_id: Cell<u64>,
    /// The kernel's half of locks with priority inheritance.
    pi: Pi,
}

// SAFETY: loom runs all threads of a model on one OS thread, and statics do not leave it.
unsafe impl Sync for Kernel {}

loom::lazy_static! {
    static ref KERNEL: Kernel = Kernel {
        token: loom::sync::atomic::AtomicUsize::new(0),
        queue: RefCell::new(VecDeque::new()),
        signals: Cell::new(SETUP.get().signals),
        naps: Cell::new(SETUP.get().naps),
        calls: Cell::new(0),
        fork_epoch: Cell::new(1),
        no_threads: Cell::new(false),
        last_id: Cell::new(0),
        pi: Pi::default(),
    };
}

/// Counts an operation, and says whether its atomic shall touch its shadow.
pub(super) fn begin_operation() -> bool {
    PROGRESS.set(PROGRESS.get() + 1);
    SETUP.get().shadows
}

pub(super) fn refuses_barriers() -> bool {
    SETUP.get().no_barriers
}

pub(crate) fn as_shipped() -> bool {
    SETUP.get().as_shipped
}

/// Fails the model if an atomic that is about to be accessed could be freed by now.
pub(super) fn look_for_grave(address: usize) {
    let gone = GRAVES.with_borrow(|graves| graves.iter().any(|grave| grave.contains(&address)));
    assert!(!gone, "used once it could be freed");
}

pub(super) fn set_up(setup: Setup) {
    SETUP.set(setup);
}

/// Called first in every execution, before there is a second thread: whoever makes a lazy static
/// hands its view of memory to all who find it made.
pub(super) fn boot() {
    assert!(KERNEL.queue.borrow().is_empty());
    UNVARIED.set(false);
    GRAVES.with_borrow_mut(Vec::clear);
    super::total_order::boot();
}

/// Says that from here on an object could be freed: whoever touches one of its atomics afterwards
/// fails the model. (Wakes are by address, and touch none.) Memory that is really freed may by
/// then hold anything.
pub fn bury<T>(object: &T) {
    let start = core::ptr::from_ref(object).addr();
    GRAVES.with_borrow_mut(|graves| graves.push(start..start + size_of::<T>()));
}

/// Runs `body` without varying what other threads do meanwhile.
pub(super) fn unvaried<R>(body: impl FnOnce() -> R) -> R {
    loom::stop_exploring();
    UNVARIED.set(true);
    let result = body();
    UNVARIED.set(false);
    // Polls until now were none of what is explored.
    PROGRESS.set(PROGRESS.get() + 1);
    loom::explore();
    result
}

/// Runs `body` as one step: what it does to atomics is no point at which others can run. It has to
/// be preceded by a point that conflicts with all that the step could conflict with, and to load
/// nothing but by read-modify-write, as there is no choice in it.
pub(super) fn in_one_step<R>(body: impl FnOnce() -> R) -> R {
    if UNVARIED.get() {
        return body();
    }
    loom::stop_exploring();
    let result = body();
    loom::explore();
    result
}

/// The kernel's half of locks with priority inheritance.
pub(super) fn pi() -> &'static Pi {
    &KERNEL.pi
}

/// Lets a signal interrupt a wait, if there is one left.
pub(super) fn take_signal() -> bool {
    let left = KERNEL.signals.get().checked_sub(1);
    left.inspect(|&left| KERNEL.signals.set(left)).is_some()
}

/// A point that conflicts with every other futex operation. Relaxed: adds no edge.
pub(super) fn touch_token() {
    PROGRESS.set(PROGRESS.get() + 1);
    if SETUP.get().token {
        KERNEL.token.fetch_add(1, Ordering::Relaxed);
    }
}

/// Futex operations of this execution so far: waits that reached the comparison, and wakes.
#[must_use]
pub fn futex_calls() -> usize {
    KERNEL.calls.get()
}

pub(super) fn count_call() {
    KERNEL.calls.set(KERNEL.calls.get() + 1);
}

pub(crate) fn fork_epoch() -> u32 {
    KERNEL.fork_epoch.get()
}

/// Has passed at once, as often as the model allows; then it is never.
pub(crate) fn patience(_doublings: u32) -> Deadline {
    let Some(left) = KERNEL.naps.get().checked_sub(1) else { return Deadline::NEVER };
    KERNEL.naps.set(left);
    Deadline::now()
}

pub(crate) fn unique_id() -> u64 {
    KERNEL.last_id.set(KERNEL.last_id.get() + 1);
    KERNEL.last_id.get()
}

pub(super) fn threads_are_refused() -> bool {
    KERNEL.no_threads.get()
}

pub(super) fn refuse_threads() {
    KERNEL.no_threads.set(true);
}

pub(super) fn advance_fork_epoch() {
    KERNEL.fork_epoch.set(fork_epoch() + 1);
}

/// Sleeps on the words. There is no scheduling point between the comparison of one and the
/// enqueueing there, and there is one between a word and the next, both ways.
pub(super) fn wait(words: &[WaitWord<'_>], classes: u32, deadline: Deadline) -> Wait {
    touch_token();
    count_call();
    let me = Rc::new(Sleeper {
        woken: Cell::new(false),
        parked: Cell::new(false),
        thread: loom::thread::current(),
    });
    let asleep_on = if SETUP.get().one_word { &words[..1] } else { words };
    if let Some(end) = enqueue(&me, asleep_on, classes) {
        return end;
    }
    let timed = deadline != Deadline::NEVER;
    let interruptible = KERNEL.signals.get() > 0;
    if timed || interruptible {
        if interruptible {
            KERNEL.signals.set(KERNEL.signals.get() - 1);
        }
        // Others may run here, and may wake us: then we were woken, however late it is.
        touch_token();
        if dequeue(&me) {
            return Wait::Woken;
        }
        if timed || !SETUP.get().restart {
            return if timed { Wait::TimedOut } else { Wait::Interrupted };
        }
        touch_token();
        // Where the call was made to sleep, wherever it may have been moved since.
        if let Some(end) = enqueue(&me, asleep_on, classes) {
            return end;
        }
    }
    let looks = asleep_on.len() < words.len();
    sleep_until(looks, &me.parked, || {
        if me.woken.get() {
            dequeue(&me);
            return Some(Wait::Woken);
        }
        // The end of a slice of time: of those that find nothing, nobody learns.
        (looks && words.iter().any(|word| !word.holds()))
            .then(|| if dequeue(&me) { Wait::Woken } else { Wait::Changed })
    })
}

/// Sleeps until `end` says how. Whoever makes it do so unparks the thread if `parked` is set, but
/// for one that `polls`.
pub(super) fn sleep_until<R>(polls: bool, parked: &Cell<bool>, end: impl Fn() -> Option<R>) -> R {
    let mut idle_polls = 0;
    loop {
        if let Some(end) = end() {
            return end;
        }
        if SETUP.get().strict || polls {
            let before = PROGRESS.get();
            loom::thread::yield_now();
            idle_polls = if PROGRESS.get() == before { idle_polls + 1 } else { 0 };
            // There is no way back from this one.
            if idle_polls >= IDLE_POLLS && !UNVARIED.get() {
                loom::skip_branch();
            }
            assert!(
                idle_polls < STRANDED,
                "deadlock: {idle_polls} polls while nobody did anything"
            );
        } else {
            parked.set(true);
            loom::thread::park();
        }
    }
}

/// Queues for one word after the other, until one does not hold what it should: then the wait is
/// over, by a wake-up if there was one meanwhile.
fn enqueue(me: &Rc<Sleeper>, words: &[WaitWord<'_>], classes: u32) -> Option<Wait> {
    for (i, word) in words.iter().enumerate() {
        if i > 0 {
            touch_token();
        }
        if !word.holds() {
            return Some(if dequeue(me) { Wait::Woken } else { Wait::Changed });
        }
        let place = Place { address: Cell::new(word.address), classes, sleeper: me.clone() };
        KERNEL.queue.borrow_mut().push_back(Rc::new(place));
    }
    None
}

/// Leaves one queue after the other, and says whether it was woken in any.
fn dequeue(me: &Rc<Sleeper>) -> bool {
    loop {
        let mut queue = KERNEL.queue.borrow_mut();
        let Some(first) = queue.iter().position(|place| Rc::ptr_eq(&place.sleeper, me)) else {
            return me.woken.get();
        };
        queue.remove(first);
        let more = queue.iter().any(|place| Rc::ptr_eq(&place.sleeper, me));
        drop(queue);
        if more {
            touch_token();
        }
    }
}

pub(super) fn wake(address: usize, classes: u32, count: u32) -> u32 {
    touch_token();
    count_call();
    let woken = take(address, classes, count);
    end_waits(&woken);
    woken.len() as u32
}

/// Ends all waits that are under way, as signals for every thread would: each waiter looks again.
pub fn interrupt_sleepers() {
    touch_token();
    let all: Vec<Rc<Place>> = KERNEL.queue.borrow_mut().drain(..).collect();
    end_waits(&all);
    KERNEL.pi.interrupt();
}

fn end_waits(places: &[Rc<Place>]) {
    for place in places {
        place.sleeper.woken.set(true);
    }
    for sleeper in places.iter().map(|place| &place.sleeper).filter(|it| it.parked.get()) {
        sleeper.thread.unpark();
    }
}

pub(super) fn requeue(from: usize, count: u32, to: usize) -> u32 {
    touch_token();
    count_call();
    let moved = take(from, !0, count);
    for place in &moved {
        place.address.set(to);
    }
    let count = moved.len() as u32;
    KERNEL.queue.borrow_mut().extend(moved);
    count
}

/// Takes the first sleepers of `classes` on `address` off the queue: first come, first woken.
fn take(address: usize, classes: u32, count: u32) -> Vec<Rc<Place>> {
    let mut queue = KERNEL.queue.borrow_mut();
    let mut taken = Vec::new();
    queue.retain(|place| {
        let take = taken.len() < count as usize
            && place.address.get() == address
            && place.classes & classes != 0;
        if take {
            taken.push(place.clone());
        }
        !take
    });
    taken
}
