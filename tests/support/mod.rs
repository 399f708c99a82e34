//! What the test binaries share: a watchdog, a start gate, random numbers, a look at what the
//! kernel says of a thread, values that tell when they are dropped, and children made from the
//! running test binary.
#![allow(dead_code, reason = "each binary uses its own part")]

pub(crate) mod child;
pub(crate) mod load;
pub(crate) mod page;
pub(crate) mod proc;
pub(crate) mod random;
pub(crate) mod seccomp;
pub(crate) mod threads;
pub(crate) mod values;
pub(crate) mod watchdog;

/// Writes a line to standard error past libtest's capture: what a thread prints is lost when the
/// process aborts, and what a test that passes prints is never shown.
pub(crate) fn say(line: &str) {
    let line = format!("{line}\n");
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        // SAFETY: pointer and length are those of `rest`.
        let written = unsafe { libc::write(2, rest.as_ptr().cast(), rest.len()) };
        match usize::try_from(written) {
            Ok(written) => rest = &rest[written..],
            Err(_) if errno() == libc::EINTR => {}
            Err(_) => return, // nowhere to say it
        }
    }
}

/// The calling thread's error number.
pub(crate) fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// `LOCKWORK_STRESS` times `rounds`, and at least one: how long the stress tests run. A small count
/// is the default, so that the whole suite takes seconds.
pub(crate) fn scaled(rounds: usize) -> usize {
    let factor: f64 = match std::env::var("LOCKWORK_STRESS") {
        Ok(text) => text.parse().expect("LOCKWORK_STRESS is a number such as 0.5 or 20"),
        Err(_) => 1.0,
    };
    ((rounds as f64 * factor) as usize).max(1)
}
