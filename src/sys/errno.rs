//! Error numbers as a type, and calls that leave the thread's own `errno` alone.

use core::fmt;

/// An error number of the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(i32);

impl Errno {
    /// `EAGAIN`, which is also `EWOULDBLOCK`.
    pub(crate) const AGAIN: Self = Self(libc::EAGAIN);
    /// `EINTR`.
    pub(crate) const INTR: Self = Self(libc::EINTR);
    /// `ETIMEDOUT`.
    pub(crate) const TIMED_OUT: Self = Self(libc::ETIMEDOUT);
    /// `EFAULT`.
    pub(crate) const FAULT: Self = Self(libc::EFAULT);
    /// `EINVAL`.
    pub(crate) const INVAL: Self = Self(libc::EINVAL);
    /// `ENOSYS`.
    pub(crate) const NO_SYS: Self = Self(libc::ENOSYS);
    /// `ENOMEM`.
    pub(crate) const NO_MEM: Self = Self(libc::ENOMEM);
    /// `EDEADLK`.
    pub(crate) const DEADLOCK: Self = Self(libc::EDEADLK);
    /// `EPERM`.
    pub(crate) const PERM: Self = Self(libc::EPERM);
    /// `ESRCH`.
    pub(crate) const SRCH: Self = Self(libc::ESRCH);
    /// `EACCES`.
    pub(crate) const ACCES: Self = Self(libc::EACCES);
    /// `ENFILE`.
    pub(crate) const NFILE: Self = Self(libc::ENFILE);

    /// The number.
    #[cfg(feature = "std")]
    pub(crate) const fn number(self) -> i32 {
        self.0
    }

    /// What the C library calls it, or `None` for numbers that no operation here documents.
    fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::AGAIN => "EAGAIN",
            Self::INTR => "EINTR",
            Self::TIMED_OUT => "ETIMEDOUT",
            Self::FAULT => "EFAULT",
            Self::INVAL => "EINVAL",
            Self::NO_SYS => "ENOSYS",
            Self::NO_MEM => "ENOMEM",
            Self::DEADLOCK => "EDEADLK",
            Self::PERM => "EPERM",
            Self::SRCH => "ESRCH",
            Self::ACCES => "EACCES",
            Self::NFILE => "ENFILE",
            _ => return None,
        })
    }

    fn text(self) -> &'static str {
        match self {
            Self::AGAIN => "value changed or resource busy",
            Self::INTR => "interrupted by a signal",
            Self::TIMED_OUT => "deadline passed",
            Self::FAULT => "address not mapped",
            Self::INVAL => "invalid argument or inconsistent futex state",
            Self::NO_SYS => "not supported by this kernel",
            Self::NO_MEM => "out of kernel memory",
            Self::DEADLOCK => "would deadlock",
            Self::PERM => "not permitted",
            Self::SRCH => "owning thread does not exist",
            Self::ACCES => "no access to the memory",
            Self::NFILE => "too many open files",
            _ => "unexpected error",
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Errno({})", self.0),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (os error {})", self.text(), self.0)
    }
}

/// The calling thread's `errno`.
fn slot() -> *mut libc::c_int {
    // SAFETY: no preconditions. The C library answers with the address of a live thread-local.
    unsafe { libc::__errno_location() }
}

/// Runs a call that reports failure by the value `failed` and `errno`: its value, or its error.
///
/// Afterwards `errno` is what it was before. That matters where a lock is taken behind the back
/// of code that looks at `errno` later: inside an allocator, or in a signal handler.
#[inline]
pub(super) fn call<T: PartialEq>(failed: T, f: impl FnOnce() -> T) -> Result<T, Errno> {
    let slot = slot();
    // SAFETY: `slot` points to this thread's `errno`, which only this thread reads and writes.
    let before = unsafe { slot.read() };
    let value = f();
    if value != failed {
        return Ok(value);
    }
    // SAFETY: as above; the thread has not changed since.
    unsafe {
        let error = Errno(slot.read());
        slot.write(before);
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::{format, vec};

    use super::super::testing::{UNTOUCHED, get_errno, set_errno};
    use super::*;

    #[test]
    fn a_failing_call_returns_its_errno_and_leaves_the_thread_s() {
        set_errno();
        // SAFETY: closes no descriptor: there is none of that number.
        assert_eq!(call(-1, || unsafe { libc::close(-1) }), Err(Errno(libc::EBADF)));
        assert_eq!(get_errno(), UNTOUCHED);
    }

    #[test]
    fn a_call_that_succeeds_returns_its_value_and_leaves_errno() {
        set_errno();
        assert_eq!(call(-1, || 7), Ok(7));
        assert_eq!(call(-1, || -2), Ok(-2), "only the value that means failure is one");
        assert_eq!(get_errno(), UNTOUCHED);
    }

    #[test]
    fn the_value_that_means_failure_is_the_caller_s_choice() {
        // SAFETY: as in the first test.
        let result = call(true, || unsafe { libc::close(-1) } == -1);
        assert_eq!(result, Err(Errno(libc::EBADF)));
    }

    #[test]
    fn debug_names_what_is_documented_and_numbers_the_rest() {
        assert_eq!(format!("{:?}", Errno::TIMED_OUT), "ETIMEDOUT");
        assert_eq!(format!("{:?}", Errno(libc::EBADF)), format!("Errno({})", libc::EBADF));
    }

    #[test]
    fn display_says_what_and_which() {
        let named = vec![
            Errno::AGAIN,
            Errno::INTR,
            Errno::TIMED_OUT,
            Errno::FAULT,
            Errno::INVAL,
            Errno::NO_SYS,
            Errno::NO_MEM,
            Errno::DEADLOCK,
            Errno::PERM,
            Errno::SRCH,
            Errno::ACCES,
            Errno::NFILE,
        ];
        for (i, errno) in named.iter().enumerate() {
            let text = errno.to_string();
            assert!(text.ends_with(&format!("(os error {})", errno.0)), "{text}");
            assert!(!text.starts_with("unexpected"), "{text}");
            assert!(errno.name().is_some());
            assert!(!named[..i].iter().any(|other| other.text() == errno.text()), "{text} twice");
        }
        let text = Errno(libc::EBADF).to_string();
        assert_eq!(text, format!("unexpected error (os error {})", libc::EBADF));
    }
}
