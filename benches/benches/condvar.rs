//! The condition variable family: C1 nobody waits, C2 two take turns, C3 one wakes many, C4 the
//! bounded buffer.
//!
//! `cargo bench -p lockwork-bench --bench condvar [-- OPTIONS]`

use lockwork_bench::every_condvar;
use lockwork_bench::harness::journal::Journal;
use lockwork_bench::harness::options::Options;
use lockwork_bench::harness::report::{self, Cell};
use lockwork_bench::harness::round::{Field, Plan, interleave};
use lockwork_bench::harness::stage::Timing;
use lockwork_bench::harness::work::Work;
use lockwork_bench::scenarios::bounded_buffer::{self, BoundedBuffer};
use lockwork_bench::scenarios::broadcast::{self, Broadcast};
use lockwork_bench::scenarios::notify;
use lockwork_bench::scenarios::ping_pong::{self, PingPong};
use lockwork_bench::scenarios::solo::Solo;
use std::io;
use std::time::{Duration, Instant};

/// A run of this family, half done.
struct Family {
    options: Options,
    plan: Plan,
    random: fastrand::Rng,
    journal: Journal,
    cells: Vec<Cell>,
}

impl Family {
    fn measure<C>(&mut self, name: String, field: &Field<C>, cell: &C) -> io::Result<()> {
        if !name.contains(&self.options.filter) {
            return Ok(());
        }
        report::progress(self.cells.len(), CELLS, &name);
        let Family { plan, random, journal, .. } = self;
        let rounds = interleave(field, cell, &name, plan, random, journal)?;
        self.cells.push(Cell { name, rounds, traced: None });
        Ok(())
    }
}

/// Waiters, hold, order.
const BROADCASTS: [(usize, u64, bool); 12] = [
    (2, 0, true),
    (2, 0, false),
    (2, 5, true),
    (2, 5, false),
    (8, 0, true),
    (8, 0, false),
    (8, 5, true),
    (8, 5, false),
    (64, 0, true),
    (64, 0, false),
    (64, 5, true),
    (64, 5, false),
];

/// Two notifications, one ping-pong, two buffers, and the above.
const CELLS: usize = 5 + BROADCASTS.len();

fn main() -> io::Result<()> {
    let options = Options::from_arguments();
    let (plan, turn) = (Plan::new(&options, Instant::now()), options.turn);
    let random = fastrand::Rng::with_seed(options.seed);
    let journal = Journal::create("condvar")?;
    let mut family = Family { options, plan, random, journal, cells: vec![] };

    let solo = Solo { length: turn };
    family.measure("notify_one, nobody waits".into(), &every_condvar!(notify::one), &solo)?;
    family.measure("notify_all, nobody waits".into(), &every_condvar!(notify::all), &solo)?;

    let timing = Timing::lasting(turn);
    let ping_pong = PingPong { timing };
    family.measure("ping-pong".into(), &every_condvar!(ping_pong::run), &ping_pong)?;

    let field = every_condvar!(broadcast::run);
    for (waiters, micros, notifies_under_lock) in BROADCASTS {
        let order = if notifies_under_lock { "under the lock" } else { "after it" };
        let name = format!("notify_all {order}, {waiters} waiters, hold {micros} us");
        // A cycle of 64 waiters takes a good part of a millisecond.
        let timing = Timing::lasting(turn.max(Duration::from_millis(waiters as u64)));
        let hold = Work::lasting(1000 * micros);
        let cell = Broadcast { waiters, notifies_under_lock, hold, timing };
        family.measure(name, &field, &cell)?;
    }

    let field = every_condvar!(bounded_buffer::run);
    for consumers in [1, 4] {
        let name = format!("bounded buffer, 1 producer to {consumers}");
        family.measure(name, &field, &BoundedBuffer { consumers, timing })?;
    }

    report::print("condvar", &family.cells, &[], &family.journal.finish()?);
    Ok(())
}
