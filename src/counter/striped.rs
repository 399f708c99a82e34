//! `StripedCounter`.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use crate::primitive::model_const_fn;
use crate::raw::Stripes;

/// A counter for what happens all the time and on all processors, and is read now and then.
///
/// An atomic that all threads add to moves from core to core with every addition, and is locked for
/// it. This counter is spread: each processor has a word of its own, and [`sum`](Self::sum) adds
/// them up. On x86-64 with glibc 2.35 or newer an addition is a few plain instructions, without a
/// lock, by a *restartable sequence* of the kernel's; elsewhere it is an atomic addition to a word
/// that few other threads use. [`is_per_cpu`](Self::is_per_cpu) says which.
///
/// # What a sum is
///
/// Exact at rest: it counts every addition that happened before, and there is no other. While
/// threads go on adding, it is a number that lies between what the counter was at the call and what
/// it was at the return, if nothing is subtracted (*intermediate value linearizability*). With
/// subtractions it is never less than the counter was at some moment of the call; it can be more,
/// by what was added and subtracted again meanwhile. If each subtraction takes back what was added
/// before, such as the requests that are under way, no sum is negative.
///
/// Sums are modulo 2^64.
///
/// # Resets
///
/// [`reset`](Self::reset) remembers the sum of the moment, and later sums are counted from there:
/// no word of another processor is written, so nothing is lost. Of resets at the same time, each
/// addition is in the result of exactly one. [`added`](Self::added) and
/// [`subtracted`](Self::subtracted) go on, whatever is reset.
///
/// # Progress
///
/// Adding is wait-free: no loop and no waiting. A thread that is preempted in the middle of its few
/// instructions, or stepped through by a debugger, does an atomic addition to a word for such cases
/// instead.
///
/// # Memory ordering
///
/// Everything done before an addition or a subtraction happens before the return of a sum that
/// counts it.
///
/// # Memory
///
/// 32 bytes; and once something has been added, 128 bytes for each processor that the machine can
/// have and 128 more. Without restartable sequences there are four times as many words, up to 256
/// or the number of processors. [`prepare`](Self::prepare) allocates beforehand. Where there is no
/// memory to be had, all is counted in the 32 bytes, exactly and slowly.
///
/// # Fork, signals, panics, allocators
///
/// A child of `fork` has a copy, exact at that moment, and counts on by itself. If another thread
/// was making the first addition of all at the fork, the child's copy stays without its words, and
/// counts exactly and slowly.
///
/// A signal handler may add, once the counter is [`prepare`](Self::prepare)d. A global allocator
/// may count with it: what it counts while the counter itself allocates is counted in the 32 bytes.
/// Nothing here runs anybody's code or panics. Threads leave nothing behind when they end. A
/// library that is loaded at run time and uses the counter leaves the kernel no address of its
/// code.
///
/// Not in the child of a `vfork` before it calls `exec`.
///
/// ThreadSanitizer and Miri do not see what the plain instructions do. Build for them with
/// `RUSTFLAGS="--cfg lockwork_portable"`, which leaves the plain instructions out.
///
/// # Differences
///
/// From `AtomicU64`: an addition does not say what the number was. From Java's `LongAdder`: no lock
/// in an addition; the words are there from the first addition on, however little the threads
/// disturb each other; `sumThenReset` is [`reset`](Self::reset), and loses nothing when others add.
///
/// # Examples
///
/// ```
/// use lockwork::counter::StripedCounter;
///
/// static REQUESTS: StripedCounter = StripedCounter::new();
///
/// std::thread::scope(|s| {
///     for _ in 0..4 {
///         s.spawn(|| (0..1000).for_each(|_| REQUESTS.add(1)));
///     }
/// });
/// assert_eq!(REQUESTS.sum(), 4000);
/// ```
#[doc(alias(
    "LongAdder",
    "rseq",
    "per-CPU counter",
    "percpu_counter",
    "sharded counter",
    "ThreadCachedInt"
))]
pub struct StripedCounter {
    stripes: Stripes,
}

impl UnwindSafe for StripedCounter {}
impl RefUnwindSafe for StripedCounter {}

impl StripedCounter {
    model_const_fn! {
        /// Creates a counter at zero. Allocates nothing.
        ///
        /// ```
        /// use lockwork::counter::StripedCounter;
        ///
        /// static HITS: StripedCounter = StripedCounter::new();
        /// assert_eq!(HITS.sum(), 0);
        /// ```
        #[must_use]
        pub const fn new() -> Self {
            Self { stripes: Stripes::new() }
        }
    }

    model_const_fn! {
        /// For measurements: without restartable sequences, wherever it is.
        #[doc(hidden)]
        #[must_use]
        pub const fn __portable() -> Self {
            Self { stripes: Stripes::for_threads() }
        }
    }

    /// Adds. The first call allocates, see [`prepare`](Self::prepare).
    ///
    /// ```
    /// let bytes = lockwork::counter::StripedCounter::new();
    /// bytes.add(1500);
    /// bytes.add(40);
    /// assert_eq!(bytes.sum(), 1540);
    /// ```
    #[doc(alias("fetch_add", "increment", "inc"))]
    #[inline]
    pub fn add(&self, n: u64) {
        self.stripes.add(n);
    }

    /// Subtracts. The first call allocates, see [`prepare`](Self::prepare).
    ///
    /// ```
    /// let under_way = lockwork::counter::StripedCounter::new();
    /// under_way.add(2);
    /// under_way.sub(1);
    /// assert_eq!(under_way.sum(), 1);
    /// ```
    #[doc(alias("fetch_sub", "decrement", "dec"))]
    #[inline]
    pub fn sub(&self, n: u64) {
        self.stripes.subtract(n);
    }

    /// What was added, less what was subtracted, since the last [`reset`](Self::reset): what that
    /// is while others go on counting, see [above](Self#what-a-sum-is).
    ///
    /// ```
    /// let counter = lockwork::counter::StripedCounter::new();
    /// counter.add(3);
    /// counter.sub(5);
    /// assert_eq!(counter.sum(), -2);
    /// ```
    #[doc(alias("get", "load", "value", "longValue"))]
    #[must_use]
    pub fn sum(&self) -> i64 {
        self.stripes.sum()
    }

    /// All that was ever added. Only grows, until it wraps.
    ///
    /// ```
    /// let counter = lockwork::counter::StripedCounter::new();
    /// counter.add(3);
    /// counter.sub(2);
    /// counter.reset();
    /// assert_eq!((counter.added(), counter.subtracted(), counter.sum()), (3, 2, 0));
    /// ```
    #[must_use]
    pub fn added(&self) -> u64 {
        self.stripes.added()
    }

    /// All that was ever subtracted. Only grows, until it wraps.
    ///
    /// ```
    /// let counter = lockwork::counter::StripedCounter::new();
    /// counter.sub(2);
    /// assert_eq!(counter.subtracted(), 2);
    /// ```
    #[must_use]
    pub fn subtracted(&self) -> u64 {
        self.stripes.subtracted()
    }

    /// Begins anew at zero, and returns the sum until now. Whatever is added meanwhile is either in
    /// this sum or in the next.
    ///
    /// ```
    /// let per_minute = lockwork::counter::StripedCounter::new();
    /// per_minute.add(3);
    /// assert_eq!(per_minute.reset(), 3);
    /// per_minute.add(4);
    /// assert_eq!(per_minute.reset(), 4);
    /// assert_eq!(per_minute.sum(), 0);
    /// ```
    #[doc(alias("sumThenReset", "take", "swap"))]
    pub fn reset(&self) -> i64 {
        self.stripes.reset()
    }

    /// Allocates what the first addition would: for counters of a signal handler, of a real-time
    /// thread, or behind a filter for system calls. The first counter of a process also asks the
    /// kernel, in `/sys`, how many processors there can be.
    ///
    /// ```
    /// static SIGNALS: lockwork::counter::StripedCounter =
    ///     lockwork::counter::StripedCounter::new();
    /// SIGNALS.prepare(); // before the handler is installed
    /// ```
    pub fn prepare(&self) {
        self.stripes.prepare();
    }

    /// Whether additions are plain instructions, to a word of the processor they are made on. False
    /// as long as nothing was added, as that decides it.
    ///
    /// ```
    /// let counter = lockwork::counter::StripedCounter::new();
    /// counter.prepare();
    /// println!("without locks: {}", counter.is_per_cpu());
    /// ```
    #[must_use]
    pub fn is_per_cpu(&self) -> bool {
        self.stripes.is_per_cpu()
    }
}

impl Default for StripedCounter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for StripedCounter {
    /// Shows the sum, how many words there are, of processors or of threads, and how much went to
    /// the words for what is in the way of that.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripedCounter")
            .field("sum", &self.sum())
            .field("words", &self.stripes.width())
            .field("per_cpu", &self.is_per_cpu())
            .field("astray", &self.stripes.astray())
            .finish()
    }
}
