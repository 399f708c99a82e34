//! Event counts, by way of `BlockingQueue`: sleeping and waking where the kernel's barrier is
//! forbidden.

use std::thread;
use std::time::Duration;

use lockwork::queue::{BlockingQueue, channel};

use super::support::{child, say, seccomp};

/// Exit status of a child that can install no filter.
const NO_SECCOMP: i32 = 77;

/// Many sleeps and wake-ups, in both directions, and one that nobody ends but a limit.
fn back_and_forth() {
    let (there, back) = (BlockingQueue::new(1), BlockingQueue::new(1));
    thread::scope(|s| {
        s.spawn(|| {
            while let Ok(n) = there.pop() {
                back.push(n + 1).unwrap();
            }
        });
        for n in 0..300 {
            there.push(n).unwrap();
            if n % 16 == 0 {
                thread::sleep(Duration::from_micros(100));
            }
            assert_eq!(back.pop(), Ok(n + 1));
        }
        assert!(back.pop_for(Duration::from_millis(12)).is_err());
        there.close();
    });
    let (sender, receiver) = channel::rendezvous();
    let taker = thread::spawn(move || receiver.iter().count());
    (0..100).for_each(|n| sender.send(n).unwrap());
    drop(sender);
    assert_eq!(taker.join().unwrap(), 100);
}

fn without_barriers(test: &str, used_before: bool) {
    if !child::is(test) {
        let output = child::run(test, test);
        if output.status.code() == Some(NO_SECCOMP) {
            return say(&format!("SKIP {test}: no seccomp filters here"));
        }
        return child::assert_exit(&output, 0);
    }
    if used_before {
        back_and_forth();
    }
    // The threads that are started from here on inherit it.
    if !seccomp::answer(libc::SYS_membarrier, libc::EPERM) {
        // SAFETY: ends the process and runs nothing else of it.
        unsafe { libc::_exit(NO_SECCOMP) };
    }
    back_and_forth();
}

/// Full fences on both sides.
#[test]
fn forbidden_from_the_start() {
    without_barriers("event_count::forbidden_from_the_start", false);
}

/// Notifiers make no fences any more, and waiters cannot have the kernel make them: they look again
/// every few milliseconds.
#[test]
fn forbidden_later() {
    without_barriers("event_count::forbidden_later", true);
}
