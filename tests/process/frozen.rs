//! One thread is stopped inside an operation, at each of its instructions in turn, and the others
//! go on: what "lock-free" promises, asked of the very code that ships.
//!
//! The processor's trap flag interrupts the thread after each instruction; the handler of the
//! signal counts them, and at the one that was chosen does not return until it is told to. In a
//! build that is not optimized it is every seventh, and beyond the first hundreds fewer; and within
//! loops of thousands, some.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::queue::{ArrayQueue, SegQueue};

use super::runner::{Case, Outcome};

pub(crate) const CASES: &[Case] = &[
    ("frozen::in_a_push", || frozen::<SegQueue<u64>>(Inside::Push, 1, true)),
    ("frozen::in_a_push_to_a_last_place", || frozen::<SegQueue<u64>>(Inside::Push, LAST, true)),
    ("frozen::in_a_push_that_needs_a_segment", || {
        frozen::<SegQueue<u64>>(Inside::Push, LAST + 1, true)
    }),
    ("frozen::in_a_pop", || frozen::<SegQueue<u64>>(Inside::Pop, 1, true)),
    ("frozen::in_a_pop_from_a_last_place", || frozen::<SegQueue<u64>>(Inside::Pop, LAST, true)),
    ("frozen::in_a_pop_that_retires_a_segment", || {
        frozen::<SegQueue<u64>>(Inside::Pop, LAST + 1, true)
    }),
    ("frozen::the_test_notices", || frozen::<ArrayQueue<u64>>(Inside::Push, 1, false)),
    ("frozen::the_test_notices_crossbeam", || {
        frozen::<crossbeam_queue::SegQueue<u64>>(Inside::Push, 1, false)
    }),
];

/// With so many operations before it, and one of its thread's own, one has the last place.
const LAST: usize = <SegQueue<u64> as Queue>::PLACES - 2;

#[derive(Clone, Copy)]
enum Inside {
    Push,
    Pop,
}

trait Queue: Sync {
    /// The places of a segment: operations of interest begin just before the end of one.
    const PLACES: usize;

    fn new() -> Self;
    fn put(&self, value: u64);
    fn take(&self) -> Option<u64>;
    /// Whether its memory is bounded at this moment, where that is promised.
    fn is_small(&self) -> bool {
        true
    }
}

impl Queue for SegQueue<u64> {
    const PLACES: usize = 512;

    fn new() -> Self {
        assert_eq!(Self::places_per_segment(), Self::PLACES);
        Self::new()
    }
    fn put(&self, value: u64) {
        self.push(value);
    }
    fn take(&self) -> Option<u64> {
        self.pop()
    }
    fn is_small(&self) -> bool {
        // Three or four, and what the thread that was stopped has: two at most.
        self.segments() <= 6
    }
}

impl Queue for crossbeam_queue::SegQueue<u64> {
    const PLACES: usize = 31;

    fn new() -> Self {
        Self::new()
    }
    fn put(&self, value: u64) {
        self.push(value);
    }
    fn take(&self) -> Option<u64> {
        self.pop()
    }
}

impl Queue for ArrayQueue<u64> {
    const PLACES: usize = 64;

    fn new() -> Self {
        Self::new(Self::PLACES)
    }
    fn put(&self, value: u64) {
        self.push(value).expect("there is room");
    }
    fn take(&self) -> Option<u64> {
        self.pop()
    }
}

/// A program that was not optimized has many times the instructions: some of them will do.
const STRIDE: u64 = if cfg!(debug_assertions) { 7 } else { 1 };

/// The processor's trap flag.
#[cfg(target_arch = "x86_64")]
const TRAP: i64 = 0x100;

/// Instructions of the operation so far.
static STEPS: AtomicU64 = AtomicU64::new(0);
/// The one to stop at.
static STOP_AT: AtomicU64 = AtomicU64::new(0);
static STOPPED: AtomicBool = AtomicBool::new(false);
static GO_ON: AtomicBool = AtomicBool::new(false);

#[cfg(target_arch = "x86_64")]
extern "C" fn step(_signal: i32, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    if STEPS.fetch_add(1, SeqCst) + 1 == STOP_AT.load(SeqCst) {
        STOPPED.store(true, SeqCst);
        while !GO_ON.load(SeqCst) {
            let nap = libc::timespec { tv_sec: 0, tv_nsec: 50_000 };
            // SAFETY: may be called in a handler; reads the time, and writes nothing.
            unsafe { libc::nanosleep(&raw const nap, std::ptr::null_mut()) };
        }
        // The rest at full speed, without the trap flag.
        // SAFETY: the kernel hands over the context to which it will return.
        unsafe {
            let flags = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
            flags[libc::REG_EFL as usize] &= !TRAP;
        }
    }
}

/// Runs `body` step by step.
#[cfg(target_arch = "x86_64")]
fn stepping<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: sets the trap flag, and nothing else; the stack is as it was afterwards. The handler
    // of the signal that follows each instruction is installed.
    unsafe {
        std::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq");
    }
    let result = body();
    // SAFETY: clears it.
    unsafe {
        std::arch::asm!("pushfq", "and qword ptr [rsp], 0xfffffffffffffeff", "popfq");
    }
    result
}

#[cfg(target_arch = "x86_64")]
fn frozen<Q: Queue>(inside: Inside, before: usize, lock_free: bool) -> Outcome {
    // SAFETY: the handler touches atomics only, and makes a system call that may be made there.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = step as *const () as usize;
        action.sa_flags = libc::SA_RESTART | libc::SA_SIGINFO;
        assert_eq!(libc::sigaction(libc::SIGTRAP, &raw const action, std::ptr::null_mut()), 0);
    }
    let (mut stopped_others, mut stop_at) = (0, 1);
    while stop_one::<Q>(inside, before, stop_at, &mut stopped_others, lock_free) {
        stop_at += match stop_at {
            0..300 => STRIDE,
            300..3000 => STRIDE * STRIDE,
            _ => stop_at / 2, // in a loop over all places of a segment
        };
    }
    assert!(stop_at > 10, "{stop_at} instructions make no operation");
    assert_eq!(stopped_others == 0, lock_free, "stopped the others at {stopped_others} places");
    Outcome::Passed
}

/// Stops one thread there; `false` if its operation has fewer instructions.
#[cfg(target_arch = "x86_64")]
fn stop_one<Q: Queue>(
    inside: Inside,
    before: usize,
    stop_at: u64,
    stopped_others: &mut usize,
    lock_free: bool,
) -> bool {
    let queue = Q::new();
    // Segments for later, so that nobody is stopped inside the allocator, which has locks.
    for i in 0..3 * Q::PLACES + before {
        queue.put(i as u64);
        assert_eq!(queue.take(), Some(i as u64));
    }
    if matches!(inside, Inside::Pop) {
        queue.put(7);
    }
    STEPS.store(0, SeqCst);
    STOP_AT.store(stop_at, SeqCst);
    STOPPED.store(false, SeqCst);
    GO_ON.store(false, SeqCst);
    let over = AtomicUsize::new(0);
    let (mut late, mut was_stopped) = (false, true);
    thread::scope(|s| {
        let (queue, over) = (&queue, &over);
        let one = s.spawn(move || {
            // Its first operation is another one: a thread's first allocates.
            queue.put(8);
            let taken = queue.take();
            match inside {
                Inside::Push => stepping(|| queue.put(9)),
                Inside::Pop => drop(stepping(|| queue.take())),
            }
            taken
        });
        while !STOPPED.load(SeqCst) && !one.is_finished() {
            thread::sleep(Duration::from_micros(50));
        }
        was_stopped = STOPPED.load(SeqCst);
        let others: [_; 2] = std::array::from_fn(|_| {
            s.spawn(move || {
                let mut found = 0;
                // Over several segments.
                for i in 0..3 * Q::PLACES {
                    queue.put(i as u64);
                    found += usize::from(queue.take().is_some());
                }
                over.fetch_add(1, SeqCst);
                found
            })
        });
        let start = Instant::now();
        // Who has to go on may take any time for that; who is expected not to gets a while.
        while over.load(SeqCst) < 2 && (lock_free || start.elapsed() < Duration::from_millis(200)) {
            thread::sleep(Duration::from_micros(50));
        }
        late = over.load(SeqCst) < 2;
        assert!(queue.is_small(), "stopped at {stop_at}");
        GO_ON.store(true, SeqCst);
        one.join().unwrap();
        let found: usize = others.map(|other| other.join().unwrap()).iter().sum();
        // Each took after it had put; the stopped one has one value in hand, or has put one.
        assert!(found + 1 >= 6 * Q::PLACES, "{found} of {}", 6 * Q::PLACES);
    });
    *stopped_others += usize::from(late);
    let noticed = late && !lock_free;
    was_stopped && !noticed
}

#[cfg(not(target_arch = "x86_64"))]
fn frozen<Q: Queue>(_inside: Inside, _before: usize, _lock_free: bool) -> Outcome {
    Outcome::Skipped("no trap flag that a program may set".into())
}
