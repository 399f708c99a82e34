//! Children made from the running test binary, for what belongs to a whole process.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

const CHILD: &str = "LOCKWORK_TEST_CHILD";

/// Whether this process is the child that [`run`] started for `role`.
pub(crate) fn is(role: &str) -> bool {
    env::var(CHILD).is_ok_and(|child| child == role)
}

/// Runs the test at `path` (as libtest names it) once more, alone in a process of its own, where
/// [`is`] is true for `role`.
pub(crate) fn run(path: &str, role: &str) -> Output {
    Command::new(env::current_exe().expect("the test binary"))
        .args([path, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, role)
        .stdin(Stdio::null())
        .output()
        .expect("the test binary runs")
}

/// Fails with what the child wrote unless it ended by `exit(status)`.
#[track_caller]
pub(crate) fn assert_exit(output: &Output, status: i32) {
    assert_eq!(output.status.code(), Some(status), "{}", report(output));
}

/// Fails with what the child wrote unless it died of the signal.
#[track_caller]
pub(crate) fn assert_signal(output: &Output, signal: i32) {
    assert_eq!(output.status.signal(), Some(signal), "{}", report(output));
}

fn report(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
