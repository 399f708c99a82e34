//! The search for an order that explains a history.
//!
//! Wing and Gong's search (1993): take a call that nothing has to come before, see whether the
//! sequential container could have answered so, and go on from there; go back where it could not.
//! With Lowe's memo (2017): a set of calls done, and a state reached by them, is tried once.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

use super::{History, Record};

/// The state of a sequential container.
pub(crate) trait Spec: Clone + Eq + Hash {
    /// A call and its answer.
    type Event: Debug + Send;

    /// The state after the call, if in this state it could have been answered so. `held` is how
    /// much of the container calls of other threads that overlap with this one may have in hand:
    /// the sum of what [`places`](Self::places) says of them.
    fn step(&self, event: &Self::Event, held: usize) -> Option<Self>;

    /// How many places of the container the call may have in hand while it is under way.
    fn places(_: &Self::Event) -> usize {
        1
    }
}

/// As many threads as a history may have, and as many records as each may have less one.
const MAX_THREADS: usize = 8;

/// How many records of each thread are done.
type Done = [u8; MAX_THREADS];

/// Whether some order of the calls explains the history, beginning in this state.
pub(crate) fn check<S: Spec>(start: &S, history: &History<S::Event>) -> bool {
    assert!(history.len() <= MAX_THREADS, "too many threads");
    assert!(history.iter().all(|log| log.len() <= usize::from(u8::MAX)), "too many calls");
    Search { history, tried: HashSet::new() }.explains(Done::default(), start)
}

struct Search<'a, S: Spec> {
    history: &'a History<S::Event>,
    tried: HashSet<(Done, S)>,
}

impl<S: Spec> Search<'_, S> {
    /// Whether the calls that are left can follow.
    fn explains(&mut self, done: Done, state: &S) -> bool {
        let history = self.history;
        let heads = || {
            let left = history.iter().enumerate();
            left.filter_map(|(thread, log)| Some((thread, log.get(usize::from(done[thread]))?)))
        };
        // What began after another call had ended comes after it. The calls of a thread come in
        // their order, so the first one left of each is the first to end.
        let Some(first_end) = heads().map(|(_, record)| record.returned).min() else {
            return true; // nothing is left
        };
        if !self.tried.insert((done, state.clone())) {
            return false;
        }
        for (thread, record) in heads().filter(|(_, record)| record.called < first_end) {
            if let Some(next) = state.step(&record.event, self.held(thread, record)) {
                let mut done = done;
                done[thread] += 1;
                if self.explains(done, &next) {
                    return true;
                }
            }
        }
        false
    }

    /// What calls of other threads that overlap with this one may have in hand.
    fn held(&self, thread: usize, this: &Record<S::Event>) -> usize {
        let others = self.history.iter().enumerate().filter(|&(other, _)| other != thread);
        others
            .flat_map(|(_, log)| log)
            .filter(|other| other.called < this.returned && this.called < other.returned)
            .map(|other| S::places(&other.event))
            .sum()
    }
}
