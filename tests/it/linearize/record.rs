//! Recording histories.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use super::{Spec, check};
use crate::support::random::{Rng, seed};
use crate::support::threads::together;
use crate::support::watchdog::Watchdog;

/// What each thread recorded, in order.
pub(crate) type History<E> = Vec<Vec<Record<E>>>;

/// A call, its answer, and the times of both.
#[derive(Clone, Debug)]
pub(crate) struct Record<E> {
    pub(crate) called: u64,
    pub(crate) returned: u64,
    pub(crate) event: E,
}

/// A container under test.
pub(crate) trait Subject: Send + Sync {
    /// What it should be like.
    type Spec: Spec;

    /// The state of a new one.
    fn spec() -> Self::Spec;

    /// A new one.
    fn new() -> Self;

    /// One call by one thread, recorded; which, is for chance to say.
    fn act(&self, worker: &mut Worker<'_, <Self::Spec as Spec>::Event>);

    /// One pop, recorded, once all threads are done; whether it found something.
    fn pop(&self, worker: &mut Worker<'_, <Self::Spec as Spec>::Event>) -> bool;
}

/// Time: each tick is another number.
///
/// A counter and not the processor's clock: of two ticks in this order, what came before the first
/// happens before what comes after the second, in the sense of the language, by the chain of
/// read-modify-writes. So a call that the clock places after another one has to see what that did
/// on every machine, and no history is rejected wrongly. Clocks of two cores promise neither.
#[derive(Default)]
struct Clock(AtomicU64);

impl Clock {
    fn tick(&self) -> u64 {
        // AcqRel: see above.
        self.0.fetch_add(1, Ordering::AcqRel)
    }
}

/// One thread at work on one history.
pub(crate) struct Worker<'a, E> {
    /// This thread's chances.
    pub(crate) rng: Rng,
    clock: &'a Clock,
    log: Vec<Record<E>>,
    next_value: u32,
}

impl<E> Worker<'_, E> {
    /// A value that no other call of this history has.
    pub(crate) fn value(&mut self) -> u32 {
        self.next_value += 1;
        self.next_value
    }

    /// As many of those.
    pub(crate) fn values(&mut self, count: usize) -> Vec<u32> {
        (0..count).map(|_| self.value()).collect()
    }

    /// Makes a call, which says what it was and what it was answered.
    pub(crate) fn record(&mut self, call: impl FnOnce() -> E) {
        self.record_all(|| [call()]);
    }

    /// What this thread recorded last.
    pub(crate) fn last(&self) -> Option<&E> {
        self.log.last().map(|record| &record.event)
    }

    /// Makes a call that does several things, one after the other, none of them at a known time.
    pub(crate) fn record_all<I: IntoIterator<Item = E>>(&mut self, call: impl FnOnce() -> I) {
        let called = self.clock.tick();
        let events = call();
        let returned = self.clock.tick();
        let records = events.into_iter().map(|event| Record { called, returned, event });
        self.log.extend(records);
    }

    /// Nothing, or a few pauses, or the rest of the time slice.
    fn dawdle(&mut self) {
        match self.rng.below(64) {
            0 => thread::yield_now(),
            pauses @ 1..32 => (0..pauses).for_each(|_| std::hint::spin_loop()),
            _ => {}
        }
    }
}

/// How many histories to record, and of what size.
#[derive(Clone, Copy)]
pub(crate) struct Histories {
    count: usize,
    threads: usize,
    calls: usize,
}

/// Histories between two starts of threads, and the containers made at a time.
const BATCH: usize = 500;

/// Pops in the end: no history puts more in, so a container that has more to give is wrong.
const MOST_LEFT: usize = 100;

impl Histories {
    /// So many histories, of three threads with four calls each.
    pub(crate) fn of(count: usize) -> Self {
        Self { count, threads: 3, calls: 4 }
    }

    pub(crate) fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    pub(crate) fn calls(self, calls: usize) -> Self {
        Self { calls, ..self }
    }

    /// Records and checks them all.
    ///
    /// # Panics
    ///
    /// With the first history that no order explains.
    pub(crate) fn accept<S: Subject>(self) {
        if let Some((number, history)) = self.first_rejected::<S>() {
            panic!("history {number} of {} is not linearizable:\n{}", self.count, show(&history));
        }
        println!("{} histories of {} threads, none rejected", self.count, self.threads);
    }

    /// Records and checks histories until one is rejected, and says which.
    pub(crate) fn first_rejected<S: Subject>(
        self,
    ) -> Option<(usize, History<<S::Spec as Spec>::Event>)> {
        let (watchdog, seed) = (Watchdog::start(), seed());
        for begin in (0..self.count).step_by(BATCH) {
            let count = BATCH.min(self.count - begin);
            let histories = self.batch::<S>(count, Rng::stream(seed, begin as u64).next());
            for (i, history) in histories.into_iter().enumerate() {
                if !check(&S::spec(), &history) {
                    return Some((begin + i, history));
                }
            }
            watchdog.tick();
        }
        None
    }

    fn batch<S: Subject>(self, count: usize, seed: u64) -> Vec<History<<S::Spec as Spec>::Event>> {
        let subjects: Vec<S> = (0..count).map(|_| S::new()).collect();
        let (clock, begun, ended) = (Clock::default(), Gates::default(), Gates::default());
        let by_thread = together(self.threads, |me| {
            let rng = Rng::stream(seed, me as u64);
            let mut worker = Worker { rng, clock: &clock, log: Vec::new(), next_value: 0 };
            let mut logs = Vec::with_capacity(count);
            for (i, subject) in subjects.iter().enumerate() {
                worker.log.reserve(4 * self.calls);
                worker.next_value = 1000 * me as u32;
                begun.pass((i + 1) * self.threads);
                for _ in 0..self.calls {
                    worker.dawdle();
                    subject.act(&mut worker);
                }
                ended.pass((i + 1) * self.threads);
                // What was lost or doubled shows.
                if me == 0 {
                    (0..MOST_LEFT).take_while(|_| subject.pop(&mut worker)).for_each(drop);
                }
                logs.push(std::mem::take(&mut worker.log));
            }
            logs
        });
        // By thread and then by history, and the other way round.
        let mut by_thread: Vec<_> = by_thread.into_iter().map(Vec::into_iter).collect();
        (0..count)
            .map(|_| by_thread.iter_mut().map(|logs| logs.next().unwrap()).collect())
            .collect()
    }
}

/// Threads that meet again and again.
#[derive(Default)]
struct Gates(AtomicUsize);

impl Gates {
    /// Returns once threads have come `times` times. Spins, as waking sleepers takes longer than
    /// the races that are looked for.
    fn pass(&self, times: usize) {
        self.0.fetch_add(1, Ordering::AcqRel);
        let mut polls = 0_u32;
        while self.0.load(Ordering::Acquire) < times {
            polls += 1;
            if polls % 16 == 0 {
                thread::yield_now(); // more threads than cores
            } else {
                std::hint::spin_loop();
            }
        }
    }
}

/// A line for each call, in the order in which they began.
pub(crate) fn show<E: std::fmt::Debug>(history: &History<E>) -> String {
    let mut lines: Vec<_> = history
        .iter()
        .enumerate()
        .flat_map(|(thread, log)| log.iter().map(move |record| (record, thread)))
        .collect();
    lines.sort_by_key(|(record, _)| record.called);
    let start = lines.first().map_or(0, |(record, _)| record.called);
    lines.iter().fold(String::new(), |mut text, (record, thread)| {
        let (called, returned) = (record.called - start, record.returned - start);
        let event = &record.event;
        _ = writeln!(text, "  thread {thread}: {called:>3} to {returned:>3}  {event:?}");
        text
    })
}
