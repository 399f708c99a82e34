//! Rounds: every peer in random order, until the floor is low enough.
//!
//! A round gives each peer one short turn, in an order that is drawn anew. What drifts, a clock
//! rate, a neighbour, a temperature, then reaches all peers of the round alike, and the *ratio
//! within a round* is free of it. A disturbed round is dropped as a whole. The subject takes part
//! twice, under two names; rounds are added until that ratio is within 3 % of 1, or the limit is
//! reached.

use super::journal::{Entry, Journal};
use super::noise::{Disturbance, Watch, await_quiet};
use super::options::Options;
use super::sample::Sample;
use super::stats::Estimate;
use super::verdict::Floor;
use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

/// Where the subject stands in every field, and where it stands again.
const SUBJECT: usize = 0;
const AGAIN: usize = 1;

/// Who takes part in a cell of type `C`.
#[derive(Debug)]
pub struct Field<C> {
    entrants: Vec<Entrant<C>>,
}

#[derive(Debug)]
struct Entrant<C> {
    name: &'static str,
    run: fn(&C) -> Sample,
}

impl<C> Field<C> {
    /// A field of the subject and its second name.
    #[must_use]
    pub fn of(name: &'static str, run: fn(&C) -> Sample) -> Field<C> {
        let again = Entrant { name: "A/A", run };
        Field { entrants: vec![Entrant { name, run }, again] }
    }

    /// Adds a peer.
    #[must_use]
    pub fn against(mut self, name: &'static str, run: fn(&C) -> Sample) -> Field<C> {
        self.entrants.push(Entrant { name, run });
        self
    }
}

/// The kept rounds of one cell.
#[derive(Debug)]
pub struct Rounds {
    names: Vec<&'static str>,
    /// By entrant, then by round.
    samples: Vec<Vec<Sample>>,
    /// How many rounds were dropped, and why.
    pub dropped: BTreeMap<&'static str, usize>,
}

impl Rounds {
    /// How many rounds were kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.samples[SUBJECT].len()
    }

    /// Everybody's kept samples, the subject's first, without its second name.
    pub fn everybody(&self) -> impl Iterator<Item = (&'static str, &[Sample])> {
        let entrants = self.names.iter().copied().zip(self.samples.iter().map(Vec::as_slice));
        entrants.enumerate().filter(|(index, _)| *index != AGAIN).map(|(_, entrant)| entrant)
    }

    /// The subject's.
    #[must_use]
    pub fn subject(&self) -> &[Sample] {
        &self.samples[SUBJECT]
    }

    /// The subject's under its second name.
    #[must_use]
    pub fn again(&self) -> &[Sample] {
        &self.samples[AGAIN]
    }

    /// The peers.
    pub fn peers(&self) -> impl Iterator<Item = (&'static str, &[Sample])> {
        self.everybody().skip(1)
    }

    /// Ours over theirs, of any figure, round by round.
    #[must_use]
    pub fn ratio(&self, theirs: &[Sample], figure: impl Fn(&Sample) -> f64) -> Option<Estimate> {
        let pairs = self.subject().iter().zip(theirs);
        let ratios: Vec<f64> = pairs.map(|(ours, theirs)| figure(ours) / figure(theirs)).collect();
        Estimate::over(&ratios)
    }

    /// The subject against itself.
    #[must_use]
    pub fn floor(&self, figure: impl Fn(&Sample) -> f64) -> Option<Floor> {
        self.ratio(&self.samples[AGAIN], figure).map(|ratio| Floor { ratio })
    }
}

/// How many rounds to take.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Kept rounds, at least.
    pub rounds: usize,
    /// Kept rounds, at most.
    pub limit: usize,
    /// Dropped rounds, at most: a machine that is never quiet must not keep us for ever.
    pub losses: usize,
    /// When to stop adding rounds, and waiting for quiet.
    pub deadline: Instant,
    /// What others may use of the machine.
    pub foreign_share: f64,
    /// What a hypervisor may take away.
    pub steal_share: f64,
    /// What the journal says of a kept round.
    pub kept_as: &'static str,
}

impl Plan {
    /// The plan that the options ask for, for a family that started at `start`.
    #[must_use]
    pub fn new(options: &Options, start: Instant) -> Plan {
        Plan {
            rounds: options.rounds,
            limit: options.limit,
            losses: options.limit,
            deadline: start + options.patience,
            foreign_share: options.foreign_share,
            steal_share: 0.0,
            kept_as: "kept",
        }
    }

    /// A few rounds in which every acquisition is timed. They say who waited how long, and are
    /// no evidence of speed.
    #[must_use]
    pub fn traced(self) -> Plan {
        let rounds = self.rounds.min(3);
        Plan { rounds, limit: rounds, kept_as: "traced", ..self }
    }

    /// May another round be taken, `dropped` having been lost so far?
    fn wants_more(&self, rounds: &Rounds, dropped: usize) -> bool {
        let kept = rounds.kept();
        let late = Instant::now() >= self.deadline;
        if dropped >= if late { self.losses.min(self.rounds) } else { self.losses } {
            return false;
        }
        let floor_is_low = || rounds.floor(Sample::speed).is_some_and(|floor| floor.is_low());
        kept < self.rounds || (kept < self.limit && !late && !floor_is_low())
    }
}

/// Runs a field through one cell.
///
/// # Errors
///
/// If the journal cannot be written.
pub fn interleave<C>(
    field: &Field<C>,
    cell: &C,
    name: &str,
    plan: &Plan,
    random: &mut fastrand::Rng,
    journal: &mut Journal,
) -> io::Result<Rounds> {
    let entrants = &field.entrants;
    let mut rounds = Rounds {
        names: entrants.iter().map(|entrant| entrant.name).collect(),
        samples: entrants.iter().map(|_| Vec::new()).collect(),
        dropped: BTreeMap::new(),
    };
    let mut order: Vec<usize> = (0..entrants.len()).collect();
    let mut dropped = 0;
    while plan.wants_more(&rounds, dropped) {
        random.shuffle(&mut order);
        let watch = Watch::start();
        let taken: Vec<(usize, Sample)> =
            order.iter().map(|&index| (index, (entrants[index].run)(cell))).collect();
        let disturbance = watch.disturbance(plan.foreign_share, plan.steal_share);

        let verdict = disturbance.map_or(plan.kept_as, Disturbance::name);
        let round = rounds.kept() + dropped;
        for (index, sample) in taken {
            let peer = rounds.names[index];
            journal.note(&Entry { cell: name, peer, round, verdict, sample: &sample })?;
            if disturbance.is_none() {
                rounds.samples[index].push(sample);
            }
        }
        if let Some(disturbance) = disturbance {
            dropped += 1;
            *rounds.dropped.entry(verdict).or_default() += 1;
            if disturbance == Disturbance::Foreign {
                await_quiet(plan.foreign_share, plan.deadline);
            }
        }
    }
    Ok(rounds)
}
