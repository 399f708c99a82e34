//! Was the machine quiet during a round?
//!
//! Three witnesses. A *sentinel*, two milliseconds of fixed work before and after the round: if
//! it took 3 % longer or shorter after than before, the processor itself had changed. *Steal*,
//! time that a hypervisor took away. *Foreign* CPU time: what the machine was busy with, less
//! what this process used. A round against which any of them speaks is dropped as a whole, for
//! all peers, and counted.

use super::clock::ticks;
use super::usage::Usage;
use super::work::Work;
use std::fs;
use std::time::{Duration, Instant};

/// How much the sentinel may move.
const SENTINEL_TOLERANCE: f64 = 0.03;

/// Accounting steps of the kernel (10 ms) that may be booked on the wrong side of a reading.
const ROUNDING: Duration = Duration::from_millis(30);

/// Why a round was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// The sentinel took a different time after the round than before.
    Sentinel,
    /// A hypervisor took time away.
    Steal,
    /// Another process was busy.
    Foreign,
}

impl Disturbance {
    /// One word for tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Disturbance::Sentinel => "sentinel",
            Disturbance::Steal => "steal",
            Disturbance::Foreign => "foreign",
        }
    }
}

/// Watches the machine over one round.
#[derive(Debug)]
pub struct Watch {
    start: Instant,
    sentinel: u64,
    own: Usage,
    machine: Cpus,
}

impl Watch {
    /// Starts to watch.
    #[must_use]
    pub fn start() -> Watch {
        let sentinel = sentinel();
        Watch {
            start: Instant::now(),
            sentinel,
            own: Usage::of_this_process(),
            machine: Cpus::now(),
        }
    }

    /// Ends it. Others may have used `foreign_share` of all cores, a hypervisor `steal_share`.
    #[must_use]
    pub fn disturbance(self, foreign_share: f64, steal_share: f64) -> Option<Disturbance> {
        let machine = Cpus::now();
        let own = Usage::of_this_process() - self.own;
        let capacity = self.start.elapsed().as_secs_f64() * cores() as f64;
        let sentinel = sentinel() as f64 / self.sentinel as f64;

        let foreign = capacity - (machine.idle - self.machine.idle) - own.cpu_seconds;
        if machine.stolen - self.machine.stolen > steal_share * capacity {
            Some(Disturbance::Steal)
        } else if foreign > ROUNDING.as_secs_f64().max(foreign_share * capacity) {
            Some(Disturbance::Foreign)
        } else if (sentinel - 1.0).abs() > SENTINEL_TOLERANCE {
            Some(Disturbance::Sentinel)
        } else {
            None
        }
    }
}

/// Waits until others leave the machine alone, or until `deadline`. A round that is bound to be
/// dropped helps nobody, and disturbs whoever is at work.
pub fn await_quiet(foreign_share: f64, deadline: Instant) {
    // Quiet for this long: builds and tests have pauses, but short ones.
    const ENOUGH: Duration = Duration::from_millis(500);
    while Instant::now() < deadline {
        let (start, before) = (Instant::now(), Cpus::now());
        std::thread::sleep(ENOUGH);
        let capacity = start.elapsed().as_secs_f64() * cores() as f64;
        let busy = capacity - (Cpus::now().idle - before.idle);
        if busy <= ROUNDING.as_secs_f64().max(foreign_share * capacity) {
            return;
        }
    }
}

/// Fixed work, timed.
fn sentinel() -> u64 {
    let work = Work::lasting(2_000_000);
    let start = ticks();
    work.run();
    ticks() - start
}

/// Cores this process may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The machine's account, in seconds over all cores since it started.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cpus {
    idle: f64,
    stolen: f64,
}

impl Cpus {
    fn now() -> Cpus {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        Cpus::parse(&stat).expect("/proc/stat is there and starts with the sum of all processors")
    }

    /// The first line: `cpu user nice system idle iowait irq softirq steal ...`, in ticks.
    fn parse(stat: &str) -> Option<Cpus> {
        // SAFETY: a question about a constant.
        let ticks_per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
        let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
        let seconds: Vec<f64> = fields
            .map_while(|field| field.parse().ok())
            .map(|t: f64| t / ticks_per_second)
            .collect();
        Some(Cpus { idle: seconds.get(3)? + seconds.get(4)?, stolen: *seconds.get(7)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_read_by_column() {
        let found = Cpus::parse("cpu  1352 0 1852 247812 909 0 24 12 0 0\ncpu0 1 2 3\n").unwrap();
        // SAFETY: a question about a constant.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
        assert_eq!(
            found,
            Cpus { idle: (247_812.0 + 909.0) / per_second, stolen: 12.0 / per_second }
        );
        assert_eq!(Cpus::parse("intr 1"), None);
    }
}
