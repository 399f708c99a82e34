//! What the kernel says of this process's threads.

use std::fs;
use std::ops::Range;
use std::thread;
use std::time::Duration;

/// The calling thread's id.
pub(crate) fn tid() -> u32 {
    // SAFETY: no arguments, no memory.
    let tid = unsafe { libc::syscall(libc::SYS_gettid) };
    u32::try_from(tid).expect("thread ids are positive")
}

/// Whether the thread sleeps in a futex call on a word within `words`, or on any word, or several,
/// if `None`.
///
/// Where `/proc` hides the call (some containers do), a thread that sleeps at all counts.
pub(crate) fn asleep_in_futex(tid: u32, words: Option<Range<usize>>) -> bool {
    let look = |file| fs::read_to_string(format!("/proc/self/task/{tid}/{file}"));
    // The state follows the name, which is in parentheses and may hold any character. It is `S`
    // once the thread is in the queue; only then does the kernel name the call.
    let state = look("stat").unwrap_or_default();
    if !state.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S')) {
        return false;
    }
    let Ok(line) = look("syscall") else { return true };
    let mut fields = line.split_whitespace();
    match fields.next().and_then(|number| number.parse().ok()) {
        Some(libc::SYS_futex) => {}
        Some(libc::SYS_futex_waitv) => return words.is_none(),
        _ => return false,
    }
    let first = fields.next().and_then(|field| field.strip_prefix("0x"));
    let first = first.and_then(|field| usize::from_str_radix(field, 16).ok());
    words.is_none_or(|words| first.is_some_and(|first| words.contains(&first)))
}

/// Returns once the thread sleeps in a futex call, see [`asleep_in_futex`]. The caller's watchdog
/// ends it if that never comes.
pub(crate) fn until_asleep(tid: u32, words: Option<Range<usize>>) {
    while !asleep_in_futex(tid, words.clone()) {
        thread::sleep(Duration::from_micros(100));
    }
}

/// One line for each thread of this process: what it is called and what it sleeps in.
pub(crate) fn threads() -> Vec<String> {
    threads_of("self")
}

/// The same for any process.
pub(crate) fn threads_of(process: &str) -> Vec<String> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    tasks
        .flatten()
        .map(|task| {
            let look = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
            let state = look("stat");
            let state = state.rsplit(") ").next().and_then(|rest| rest.chars().next());
            format!(
                "  thread {} {:?} state {} syscall {}",
                task.file_name().to_string_lossy(),
                look("comm").trim(),
                state.unwrap_or('?'),
                look("syscall").trim(),
            )
        })
        .collect()
}

/// How many threads this process has.
pub(crate) fn thread_count() -> usize {
    fs::read_dir("/proc/self/task").expect("/proc is mounted").count()
}

/// Returns once this process has as many threads as that: the kernel wakes who joins a thread a
/// moment before it forgets the thread. The caller's watchdog ends it if that never comes.
pub(crate) fn until_thread_count(count: usize) {
    while thread_count() != count {
        thread::yield_now();
    }
}
