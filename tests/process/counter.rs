//! Counters whose threads are moved, interrupted, stepped through and forked.

use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use lockwork::counter::StripedCounter;
use lockwork::rt;

use super::forking;
use super::runner::{Case, Outcome, run_limited};
use super::support::scaled;
use super::support::threads::together;

pub(crate) const CASES: &[Case] = &[
    ("counter::moved_between_processors", moved_between_processors),
    ("counter::under_a_storm", under_a_storm),
    ("counter::eight_threads_a_core", eight_threads_a_core),
    ("counter::stepped_through", stepped_through),
    ("counter::without_restartable_sequences", without_restartable_sequences),
    ("counter::forked_child_counts_on", forked_child_counts_on),
];

/// One thread never stays where it is; others move themselves between their additions.
fn moved_between_processors() -> Outcome {
    let cpus = rt::cpus().expect("the kernel says where this thread may run");
    if cpus.len() < 2 {
        return Outcome::Skipped("there is one processor".to_owned());
    }
    let counter = StripedCounter::new();
    let (threads, rounds) = (4, scaled(20_000));
    together(threads, |i| {
        for round in 0..rounds {
            rt::pin_to(&[cpus[(i + round) % cpus.len()]]).expect("it may run there");
            for _ in 0..round % 50 {
                counter.add(1);
                counter.sub(2);
            }
        }
    });
    let each: u64 = (0..rounds).map(|round| round as u64 % 50).sum();
    let total = each * threads as u64;
    assert_eq!((counter.added(), counter.subtracted()), (total, 2 * total));
    assert_eq!(counter.sum(), -(total as i64));
    Outcome::Passed
}

fn eight_threads_a_core() -> Outcome {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let counter = StripedCounter::new();
    let each = scaled(1_000_000) as u64;
    together(8 * cores, |_| (0..each).for_each(|_| counter.add(1)));
    assert_eq!(counter.added(), 8 * cores as u64 * each);
    Outcome::Passed
}

static IN_HANDLER: StripedCounter = StripedCounter::new();
static HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn add_in_handler(_: libc::c_int) {
    IN_HANDLER.add(1);
    HANDLED.fetch_add(1, Relaxed);
}

/// Signals as fast as they come, whose handler adds to the counter that it interrupts.
fn under_a_storm() -> Outcome {
    IN_HANDLER.prepare();
    // SAFETY: the handler does what a handler may; all zeros are a set and flags.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = add_in_handler as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()), 0);
    }
    let often = libc::timeval { tv_sec: 0, tv_usec: 50 };
    let timer = libc::itimerval { it_interval: often, it_value: often };
    // SAFETY: reads the timer.
    let started = unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) };
    assert_eq!(started, 0);
    let (threads, least) = (4, scaled(500) as u64);
    let added = together(threads, |_| {
        let mut added = 0_u64;
        while added < 1_000_000 || HANDLED.load(Relaxed) < least {
            IN_HANDLER.add(1);
            added += 1;
        }
        added
    });
    // SAFETY: all zeros stop it.
    let stopped =
        unsafe { libc::setitimer(libc::ITIMER_REAL, &std::mem::zeroed(), std::ptr::null_mut()) };
    assert_eq!(stopped, 0);
    std::thread::sleep(Duration::from_millis(1)); // one may be on its way
    let handled = HANDLED.load(Relaxed);
    assert!(handled >= least);
    assert_eq!(IN_HANDLER.added(), added.iter().sum::<u64>() + handled);
    Outcome::Passed
}

/// Under a debugger's steps no section comes to its end: each addition takes the other way.
#[cfg(target_arch = "x86_64")]
fn stepped_through() -> Outcome {
    const ADDITIONS: u64 = 20;
    let counter = StripedCounter::new();
    counter.prepare();
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: this process has one thread, so that the child is a whole copy.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        // SAFETY: no memory.
        unsafe {
            if libc::ptrace(libc::PTRACE_TRACEME, 0, none, none) != 0 {
                libc::_exit(77);
            }
            libc::raise(libc::SIGSTOP);
        }
        (0..ADDITIONS).for_each(|_| counter.add(3));
        let exact = counter.sum() == 3 * ADDITIONS as i64;
        let text = format!("astray: {}", if counter.is_per_cpu() { 3 * ADDITIONS } else { 0 });
        let astray = format!("{counter:?}").contains(&text);
        // SAFETY: ends the process without running anything else of it.
        unsafe { libc::_exit(i32::from(!exact) + 2 * i32::from(!astray)) };
    }
    let mut steps = 0_u64;
    loop {
        let mut status = 0;
        // SAFETY: `status` is valid for the write, and the child is ours.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        if libc::WIFEXITED(status) {
            let said = libc::WEXITSTATUS(status);
            if said == 77 {
                return Outcome::Skipped("a child may not be traced".to_owned());
            }
            assert_eq!(said, 0, "1: the sum is wrong; 2: it was not disturbed");
            break;
        }
        assert!(libc::WIFSTOPPED(status), "the child died");
        steps += 1;
        assert!(steps < 2_000_000, "it does not come to an end");
        // SAFETY: the child is stopped and ours.
        assert_eq!(unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, child, none, none) }, 0);
    }
    assert!(steps > ADDITIONS);
    Outcome::Passed
}

#[cfg(not(target_arch = "x86_64"))]
fn stepped_through() -> Outcome {
    Outcome::Skipped("there are no sections on this architecture".to_owned())
}

const ROLE: &str = "LOCKWORK_COUNTER_CHILD";

/// glibc can be told to register none; then the offset is there all the same.
fn without_restartable_sequences() -> Outcome {
    if env::var_os(ROLE).is_none() {
        let mut again = Command::new(env::current_exe().expect("this binary"));
        again.env(ROLE, "1").env("GLIBC_TUNABLES", "glibc.pthread.rseq=0");
        let end = run_limited(&mut again, Duration::from_secs(50), |_| {});
        assert!(end.status.success(), "{}", end.output);
        return Outcome::Passed;
    }
    let counter = StripedCounter::new();
    let each = scaled(100_000) as u64;
    together(8, |_| (0..each).for_each(|_| counter.add(1)));
    assert!(!counter.is_per_cpu());
    assert_eq!(counter.added(), 8 * each);
    Outcome::Passed
}

/// The child has what was counted at the fork, whole, while other threads go on in the parent.
fn forked_child_counts_on() -> Outcome {
    let counters = [StripedCounter::new(), StripedCounter::__portable()];
    let over = AtomicBool::new(false);
    let added = together(4, |i| {
        let mut added = 0_u64;
        if i > 0 {
            while !over.load(Relaxed) {
                counters.iter().for_each(|counter| counter.add(1));
                added += 1;
            }
            return added;
        }
        for _ in 0..scaled(40) {
            forking::fork(|| {
                for counter in &counters {
                    let sum = counter.sum();
                    assert_eq!(counter.sum(), sum, "nobody else is here");
                    (0..1000).for_each(|_| counter.add(1));
                    counter.sub(10);
                    assert_eq!(counter.sum(), sum + 990);
                }
            });
        }
        over.store(true, Relaxed);
        0
    });
    let total = added.iter().sum::<u64>();
    assert_eq!(counters.each_ref().map(StripedCounter::added), [total; 2]);
    Outcome::Passed
}
