//! How many processors there can be.

use super::errno;

/// One more than the largest number that a processor of this machine can have, also of those that
/// are switched off or not there yet. From what the kernel says in `/sys`, see
/// `Documentation/admin-guide/cputopology.rst`; where that cannot be read, in a container without
/// `/sys` or behind a filter, what the C library thinks of it; and 1 at least.
///
/// For deciding how much to make of something: a processor may still have a larger number, where
/// one is brought in by moving a container's state to another machine.
pub(crate) fn possible() -> usize {
    listed()
        .unwrap_or_else(|| {
            // SAFETY: a number in, a number out.
            let known = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) };
            usize::try_from(known).unwrap_or(1)
        })
        .clamp(1, LIMIT)
}

/// The kernel's own limit on x86-64 with the largest setting.
const LIMIT: usize = 8192;

/// Whatever goes wrong has one answer: the file is of no help.
fn listed() -> Option<usize> {
    let path = c"/sys/devices/system/cpu/possible";
    // SAFETY: a path that ends with a zero.
    let open = || unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    let file = errno::call(-1, open).ok()?;
    let mut text = [0_u8; 1024];
    // SAFETY: writes at most as many bytes as the buffer has.
    let read = || unsafe { libc::read(file, text.as_mut_ptr().cast(), text.len()) };
    let length = errno::call(-1, read);
    // SAFETY: opened above, and nobody else's.
    let closed = errno::call(-1, || unsafe { libc::close(file) });
    debug_assert_eq!(closed, Ok(0));
    last(text.get(..usize::try_from(length.ok()?).ok()?)?).map(|last| last + 1)
}

/// The last number of a list such as `0-3,8-11`, which ends with a line break: one that does not is
/// not whole.
fn last(list: &[u8]) -> Option<usize> {
    let list = core::str::from_utf8(list).ok()?.strip_suffix('\n')?;
    list.rsplit([',', '-']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{UNTOUCHED, forbid, get_errno, in_child, set_errno};
    use super::*;

    #[test]
    fn the_last_number_of_a_list() {
        assert_eq!(last(b"0-3,8-11\n"), Some(11));
        assert_eq!(last(b"0-1\n"), Some(1));
        assert_eq!(last(b"0\n"), Some(0));
        assert_eq!(last(b"0-3,8-1"), None, "cut off");
        assert_eq!(last(b"\n"), None);
        assert_eq!(last(b""), None);
    }

    #[test]
    fn there_is_one_for_each_that_this_thread_may_run_on() {
        set_errno();
        let possible = possible();
        assert_eq!(get_errno(), UNTOUCHED);
        let allowed = std::thread::available_parallelism().map_or(1, usize::from);
        assert!((allowed..=LIMIT).contains(&possible), "{possible}");
    }

    #[test]
    fn without_the_file_there_is_an_answer() {
        const TEST: &str = "without_the_file_there_is_an_answer";
        // Reading, as the C library needs to open files for its own answer.
        if !in_child(module_path!(), TEST) || !forbid(libc::SYS_read, (2, 1024), libc::EPERM) {
            return;
        }
        assert_eq!(listed(), None);
        assert!((1..=LIMIT).contains(&possible()));
    }
}
