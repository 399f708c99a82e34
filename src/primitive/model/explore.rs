//! Running a model and judging what it explored.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::string::String;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::vec::Vec;
use std::{println, write};

use super::kernel::{self, Setup};

/// One model: a closure that is run under every schedule within the bound, and what has to come of
/// it. A model that explores too little fails, as does one that sees an outcome it did not list.
#[derive(Debug)]
#[must_use = "nothing is explored before `run`"]
pub struct Explore {
    name: &'static str,
    preemptions: Option<usize>,
    min_executions: usize,
    setup: Setup,
    modes: &'static [bool],
    restarts: &'static [bool],
}

impl Explore {
    /// A model of this name, in both wake modes, with at most three preemptions.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            preemptions: Some(3),
            min_executions: 1,
            setup: Setup::DEFAULT,
            modes: &[false, true],
            restarts: &[false, true],
        }
    }

    /// Bounds the switches away from a thread that could go on. `LOOM_MAX_PREEMPTIONS` overrides.
    pub fn preemptions(mut self, bound: usize) -> Self {
        self.preemptions = Some(bound);
        self
    }

    /// Lifts the bound: every schedule is run.
    pub fn unbounded(mut self) -> Self {
        self.preemptions = None;
        self
    }

    /// Fails the model if it ends after fewer executions: the explorer has lost its sight.
    pub fn at_least(mut self, executions: usize) -> Self {
        self.min_executions = executions;
        self
    }

    /// Lets a signal interrupt this many waits in each execution: in one exploration they return,
    /// in another the kernel begins them again.
    pub fn signals(mut self, signals: u32) -> Self {
        self.setup.signals = signals;
        self
    }

    /// Leaves out one of the two.
    pub fn restarting(mut self, restart: bool) -> Self {
        self.restarts = if restart { &[true] } else { &[false] };
        self
    }

    /// Has the kernel refuse to let a thread sleep on several words.
    pub fn one_word(mut self) -> Self {
        self.setup.one_word = true;
        self
    }

    /// Has the kernel refuse its barrier, and leaves light fences out: what a program has left
    /// where a filter comes late. All other order has to come from elsewhere.
    pub fn without_barriers(mut self) -> Self {
        self.setup.no_barriers = true;
        self
    }

    /// Lets this many waits of each execution be long ones, for locks that mind.
    pub fn naps(mut self, naps: u32) -> Self {
        self.setup.naps = naps;
        self
    }

    /// Has the numbers that ship where models have smaller ones of their own, but for spin counts.
    pub fn as_shipped(mut self) -> Self {
        self.setup.as_shipped = true;
        self
    }

    /// Leaves out strict wakes, whose sleepers are explored at every turn: for large models that
    /// are about who is woken. What order a wake-up brings, smaller ones explore.
    pub fn without_strict_wakes(mut self) -> Self {
        self.modes = &[false];
        self
    }

    /// Takes the shadows away, to show what they are for.
    pub fn without_shadows(mut self) -> Self {
        self.setup.shadows = false;
        self
    }

    /// Takes the token away, to show what it is for.
    pub fn without_token(mut self) -> Self {
        self.setup.token = false;
        self
    }

    /// Explores `body` in its wake modes and checks that the outcomes seen are exactly `expected`.
    pub fn run<O>(self, expected: &[O], body: impl Fn() -> O + Send + Sync + 'static)
    where
        O: Ord + Debug + Clone + Send + 'static,
    {
        let (name, min) = (self.name, self.min_executions);
        let expected: BTreeSet<O> = expected.iter().cloned().collect();
        for (mode, seen, executions) in self.explore(body) {
            let outcomes: BTreeSet<O> = seen.keys().cloned().collect();
            assert_eq!(outcomes, expected, "outcomes of {name} ({mode}), seen against expected");
            assert!(executions >= min, "{name} ({mode}): {executions} executions, {min} asked for");
        }
    }

    /// Explores `body` in its wake modes and returns what was seen in each, unjudged.
    pub fn explore<O>(
        self,
        body: impl Fn() -> O + Send + Sync + 'static,
    ) -> Vec<(&'static str, BTreeMap<O, usize>, usize)>
    where
        O: Ord + Debug + Clone + Send + 'static,
    {
        let body = Arc::new(body);
        let mut results = Vec::new();
        let restarts = if self.setup.signals > 0 { self.restarts } else { &[false] };
        let modes = self.modes.iter().flat_map(|&mode| restarts.iter().map(move |&it| (mode, it)));
        for (strict, restart) in modes {
            kernel::set_up(Setup { strict, restart, ..self.setup });
            let seen = Arc::new(Mutex::new(BTreeMap::<O, usize>::new()));
            let executions = Arc::new(AtomicUsize::new(0));
            let mut builder = loom::model::Builder::new();
            builder.max_branches = builder.max_branches.max(20_000);
            builder.preemption_bound = builder.preemption_bound.or(self.preemptions);
            {
                let (body, seen, executions) = (body.clone(), seen.clone(), executions.clone());
                builder.check(move || {
                    kernel::boot();
                    executions.fetch_add(1, Ordering::Relaxed);
                    let outcome = body();
                    *seen.lock().unwrap().entry(outcome).or_default() += 1;
                });
            }
            kernel::set_up(Setup::DEFAULT);
            let mode = match (strict, restart) {
                (false, false) => "park",
                (true, false) => "strict",
                (false, true) => "park, restarting",
                (true, true) => "strict, restarting",
            };
            let seen = std::mem::take(&mut *seen.lock().unwrap());
            let executions = executions.load(Ordering::Relaxed);
            println!("model {} ({mode}): {executions} executions, {}", self.name, summary(&seen));
            results.push((mode, seen, executions));
        }
        results
    }
}

fn summary<O: Debug>(seen: &BTreeMap<O, usize>) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for (outcome, count) in seen {
        let _ = write!(text, "{outcome:?} x{count} ");
    }
    text
}
