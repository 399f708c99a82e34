//! Signals in a program with threads: held back everywhere, and taken by one thread.
//!
//! A signal to a process runs its handler on whichever thread lets it through, in the middle of
//! whatever that does, where next to nothing may be called. So programs with threads hold the
//! signals that they care for back, in all of them, and have one thread wait for them: that one is
//! no handler, and may do anything. [`SignalThread`] is that thread.
//!
//! Threads begin with the mask of whoever starts them; so the signal thread comes first in `main`,
//! and what is started later has the mask already. So do, alas, *programs* that are started later,
//! which then cannot be ended with Ctrl-C or `kill`: see [`reset_sigmask`].

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::panic::AssertUnwindSafe;
use std::io;
use std::os::unix::process::CommandExt;
use std::panic::catch_unwind;
use std::process::Command;

use super::packet::drop_payload;
use crate::primitive::Ordering::{Acquire, Release};
use crate::primitive::{AtomicU32, fork_epoch, signals, thread, thread_id};
use crate::sync::OnceLock;

/// A set of signals that can be waited for.
///
/// ```
/// use lockwork::pool::SignalSet;
///
/// let terminate = SignalSet::new(&[libc::SIGINT, libc::SIGTERM])?;
/// assert!(terminate.contains(libc::SIGINT) && !terminate.contains(libc::SIGHUP));
/// assert_eq!(SignalSet::new(&[libc::SIGKILL]).unwrap_err().number(), libc::SIGKILL);
/// # Ok::<(), lockwork::pool::InvalidSignal>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[doc(alias("sigset_t", "sigemptyset", "sigaddset"))]
pub struct SignalSet(signals::Set);

impl SignalSet {
    /// No signal.
    ///
    /// ```
    /// assert!(lockwork::pool::SignalSet::EMPTY.is_empty());
    /// ```
    pub const EMPTY: Self = Self(0);

    /// All that come from outside of a thread and have no meaning for the thread they hit: every
    /// one that [`new`](Self::new) takes, but for `SIGABRT` and `SIGPROF`.
    ///
    /// ```
    /// let all = lockwork::pool::SignalSet::ASYNCHRONOUS;
    /// assert!(all.contains(libc::SIGTERM) && !all.contains(libc::SIGSEGV));
    /// ```
    pub const ASYNCHRONOUS: Self = Self(signals::WAITABLE & !(signals::bit(6) | signals::bit(27)));

    /// The set of these signals, by their numbers.
    ///
    /// # Errors
    ///
    /// [`InvalidSignal`], with the first number that is none, or one of a signal that cannot be
    /// held back (`SIGKILL`, `SIGSTOP`), or of one that is raised by a fault of the running
    /// instruction (`SIGSEGV`, `SIGBUS`, `SIGFPE`, `SIGILL`, `SIGTRAP`, `SIGSYS`), which ends the
    /// process if it is held back, or of the two that the C library keeps for itself (32, 33).
    ///
    /// ```
    /// use lockwork::pool::SignalSet;
    ///
    /// assert!(SignalSet::new(&[libc::SIGHUP, libc::SIGUSR1]).is_ok());
    /// assert!(SignalSet::new(&[65]).is_err());
    /// ```
    pub const fn new(numbers: &[i32]) -> Result<Self, InvalidSignal> {
        let mut set = 0;
        let mut i = 0;
        while i < numbers.len() {
            let number = numbers[i];
            if number < 1 || number > 64 || signals::bit(number) & signals::WAITABLE == 0 {
                return Err(InvalidSignal(number));
            }
            set |= signals::bit(number);
            i += 1;
        }
        Ok(Self(set))
    }

    /// Whether a signal is in the set.
    ///
    /// ```
    /// assert!(!lockwork::pool::SignalSet::EMPTY.contains(libc::SIGINT));
    /// ```
    #[must_use]
    pub const fn contains(self, number: i32) -> bool {
        number >= 1 && number <= 64 && self.0 & signals::bit(number) != 0
    }

    /// Whether no signal is in the set.
    ///
    /// ```
    /// assert!(!lockwork::pool::SignalSet::ASYNCHRONOUS.is_empty());
    /// ```
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The signals of both sets.
    ///
    /// ```
    /// use lockwork::pool::SignalSet;
    ///
    /// let [a, b] = [libc::SIGINT, libc::SIGTERM].map(|n| SignalSet::new(&[n]).unwrap());
    /// assert!(a.union(b).contains(libc::SIGINT) && a.union(b).contains(libc::SIGTERM));
    /// ```
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn numbers(self) -> impl Iterator<Item = i32> {
        (1..=64).filter(move |number| self.contains(*number))
    }
}

impl fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.numbers()).finish()
    }
}

/// The error of [`SignalSet::new`].
///
/// ```
/// let error = lockwork::pool::SignalSet::new(&[libc::SIGSEGV]).unwrap_err();
/// assert_eq!(error.to_string(), "signal 11 cannot be waited for");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSignal(i32);

impl InvalidSignal {
    /// The number that was given.
    ///
    /// ```
    /// assert_eq!(lockwork::pool::SignalSet::new(&[-1]).unwrap_err().number(), -1);
    /// ```
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl fmt::Display for InvalidSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signal {} cannot be waited for", self.0)
    }
}

impl core::error::Error for InvalidSignal {}

/// A signal that came, as the handler of a [`SignalThread`] sees it.
///
/// ```
/// # use lockwork::pool::Signal;
/// fn log(signal: Signal) {
///     match signal.sender() {
///         Some(process) => println!("signal {} of process {process}", signal.number()),
///         None => println!("signal {} of the kernel", signal.number()),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
#[doc(alias("siginfo_t", "si_pid"))]
pub struct Signal {
    number: i32,
    sender: Option<u32>,
}

impl Signal {
    /// Its number, such as 15 for `SIGTERM`.
    ///
    /// ```
    /// # fn handler(signal: lockwork::pool::Signal) {
    /// let graceful = signal.number() == libc::SIGTERM;
    /// # }
    /// ```
    #[must_use]
    pub fn number(self) -> i32 {
        self.number
    }

    /// The id of the process that sent it; `None` if it was the kernel, as for Ctrl-C.
    ///
    /// ```
    /// # fn handler(signal: lockwork::pool::Signal) {
    /// let by_ourselves = signal.sender() == Some(std::process::id());
    /// # }
    /// ```
    #[must_use]
    pub fn sender(self) -> Option<u32> {
        self.sender
    }
}

/// A thread that waits for signals and hands each to a closure.
///
/// The closure runs on that thread, one signal after the other, and may do whatever a thread may
/// do: lock, allocate, log, submit to a pool, shut one down. A panic in it is printed by the panic
/// hook, and the next signal is handed over as if nothing had been.
///
/// Dropping it ends the thread, after the signal at hand, and waits for that, unless it is dropped
/// on that very thread. The signals stay held back; those that come later stay pending.
///
/// # All threads
///
/// [`new`](Self::new) has the calling thread hold the signals back, and all that are started from
/// it afterwards inherit that. Threads that were there before still let them through, and are as
/// good for the kernel as the signal thread: so make it first, in `main`.
///
/// # Signals that come together
///
/// The kernel keeps one of each pending, and drops others of the same number (but not of those
/// from 34 up, which are queued). Several of one number may be handed over as one.
///
/// # Fork
///
/// The thread does not exist in a child of `fork`, and the signals are still held back there;
/// dropping the handle does nothing.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use lockwork::pool::{SignalSet, SignalThread, ThreadPool};
///
/// let pool = Arc::new(ThreadPool::builder().threads(2).build()?);
/// let terminate = SignalSet::new(&[libc::SIGTERM])?;
/// let signals = SignalThread::new(terminate, {
///     let pool = pool.clone();
///     move |_| pool.shutdown()
/// })?;
/// # // The program's own threads all hold it back only if this one does: it is sent to that one.
/// # drop(signals);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the thread ends when this is dropped"]
#[doc(alias("sigwait", "sigwaitinfo", "signalfd", "ctrlc", "signal_hook"))]
pub struct SignalThread {
    shared: Arc<Shared>,
    /// Some, until it is dropped.
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    signals: SignalSet,
    /// Whether the thread shall end. Release by who wants it, Acquire by the thread: what came
    /// before the drop has happened for the destructor of the closure.
    ends: AtomicU32,
    /// The id of the thread, which sets it first.
    id: OnceLock<u32>,
    /// The process that has the thread.
    epoch: u32,
}

impl SignalThread {
    /// Has the calling thread hold `signals` back, and starts a thread that takes them.
    ///
    /// One that is pending when this is called is handed over too.
    ///
    /// # Errors
    ///
    /// Those of [`std::thread::Builder::spawn`]; then the calling thread's mask is as before.
    ///
    /// ```
    /// use lockwork::pool::{SignalSet, SignalThread};
    ///
    /// let hangup = SignalSet::new(&[libc::SIGHUP])?;
    /// let _signals = SignalThread::new(hangup, |_| println!("reading the configuration again"))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new<F>(signals: SignalSet, handler: F) -> io::Result<Self>
    where
        F: FnMut(Signal) + Send + 'static,
    {
        let (ends, id, epoch) = (AtomicU32::new(0), OnceLock::new(), fork_epoch());
        let shared = Arc::new(Shared { signals, ends, id, epoch });
        // Before the thread is there, which inherits it.
        let before = signals::hold_back(signals.0);
        let thread = thread::Builder::new().name(String::from("signals")).spawn({
            let shared = shared.clone();
            move || shared.hand_over(handler)
        });
        match thread {
            Ok(thread) => Ok(Self { shared, thread: Some(thread) }),
            Err(error) => {
                let _ = signals::replace_mask(before);
                Err(error)
            }
        }
    }

    /// The signals that it takes.
    ///
    /// ```
    /// use lockwork::pool::{SignalSet, SignalThread};
    ///
    /// let user = SignalSet::new(&[libc::SIGUSR2])?;
    /// assert_eq!(SignalThread::new(user, |_| ())?.signals(), user);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn signals(&self) -> SignalSet {
        self.shared.signals
    }
}

impl Shared {
    fn hand_over(&self, mut handler: impl FnMut(Signal)) {
        if self.id.set(thread_id()).is_err() {
            unreachable!("only this thread sets it");
        }
        if self.signals.is_empty() {
            return;
        }
        loop {
            let arrival = signals::wait(self.signals.0);
            let ends = self.ends.load(Acquire) == 1; // Acquire: the drop's Release.
            let ours = arrival.to_thread && arrival.sender == Some(std::process::id());
            if !(ends && ours) {
                let signal = Signal { number: arrival.signal, sender: arrival.sender };
                let handled = catch_unwind(AssertUnwindSafe(|| handler(signal)));
                handled.unwrap_or_else(drop_payload);
            }
            if ends {
                break;
            }
        }
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(handler))) {
            drop_payload(payload);
        }
    }
}

impl Drop for SignalThread {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if self.shared.epoch != fork_epoch() {
            // Nobody waits for a thread that is not there.
            core::mem::forget(thread);
            return;
        }
        self.shared.ends.store(1, Release); // Release: the thread's Acquire.
        let id = *self.shared.id.wait();
        if let Some(number) = self.shared.signals.numbers().next() {
            // It takes what was sent to itself before what was sent to the process.
            signals::send(id, number);
        }
        if id != thread_id() {
            thread.join().unwrap_or_else(drop_payload);
        }
    }
}

impl fmt::Debug for SignalThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalThread").field("signals", &self.shared.signals).finish()
    }
}

/// Has `command` start its program with the signal mask that this process had before this crate
/// held signals back: those that [`SignalThread`]s and pools have added to it are let through.
///
/// A program inherits the mask of the thread that starts it, and most never look at it: without
/// this, `SIGTERM` and Ctrl-C have no effect on one that is started beside a [`SignalThread`] for
/// them. (Rust's standard library emptied the mask until 1.66.) Costs the fast way of starting a
/// process: the standard library takes `fork` and `exec` instead of `posix_spawn`.
///
/// The mask is the one that the starting thread has then, less what this crate has added in any
/// thread. Signals that the program itself holds back stay so.
///
/// ```
/// use std::process::Command;
/// use lockwork::pool::reset_sigmask;
///
/// assert!(reset_sigmask(&mut Command::new("true")).status()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn reset_sigmask(command: &mut Command) -> &mut Command {
    let reset = || {
        let _ = signals::replace_mask(signals::original_mask());
        Ok(())
    };
    // SAFETY: between fork and exec only two system calls are made and one word is read.
    unsafe { command.pre_exec(reset) }
}

/// Runs a closure with the signal mask that the calling thread had before this crate held signals
/// back, as [`reset_sigmask`] does for a process to be started.
///
/// For what starts processes by itself and takes no [`Command`]. **Meanwhile, signals are let
/// through on this thread**: one that a [`SignalThread`] waits for may have its default effect
/// instead, which is mostly to end the process. Where there is a `Command`, use [`reset_sigmask`].
///
/// The mask is put back at the end, also by a panic.
///
/// ```
/// use lockwork::pool::with_original_sigmask;
///
/// let status = with_original_sigmask(|| std::process::Command::new("true").status())?;
/// assert!(status.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn with_original_sigmask<T>(f: impl FnOnce() -> T) -> T {
    struct PutBack(signals::Set);

    impl Drop for PutBack {
        fn drop(&mut self) {
            let _ = signals::replace_mask(self.0);
        }
    }

    let _put_back = PutBack(signals::replace_mask(signals::original_mask()));
    f()
}
