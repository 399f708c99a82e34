//! The fast paths, each in a function of its own, with a name that a disassembler can find.
//!
//! They call the types directly and not through the adapters: this is the code that a program
//! gets when it uses the type.

use lockwork::queue::spsc;
use lockwork_bench::locks::{Lock, Pthread};
use lockwork_bench::priority::PthreadPi;
use lockwork_bench::rwlocks::{Pthread as PthreadRwLock, SharedLock};
use lockwork_bench::semaphores::{SemT, Semaphores};
use std::cell::RefCell;
use std::hint::black_box;

/// A fast path, ready to be called.
pub(crate) struct Probe {
    pub(crate) path: &'static str,
    pub(crate) peer: &'static str,
    /// Address of its first instruction.
    pub(crate) entry: usize,
    /// Calls it, on a lock that is free or a condition variable without waiters.
    pub(crate) call: Box<dyn Fn()>,
}

/// Both ends of a channel.
type Ends = (lockwork::queue::channel::Sender<u64>, lockwork::queue::channel::Receiver<u64>);

/// Both ends of a ring. As they are used by one thread at a time, they are borrowed from it.
type Spsc = RefCell<(spsc::Producer<u64>, spsc::Consumer<u64>)>;
type Rtrb = RefCell<(rtrb::Producer<u64>, rtrb::Consumer<u64>)>;

/// A queue and what a batch that is popped goes into.
type Batches = (lockwork::queue::ArrayQueue<u64>, RefCell<Vec<u64>>);

/// Places in a queue that a probe fills or empties: enough for its calls, which are three.
const PLACES: usize = 64;
/// Values in a batch.
const BATCH: usize = 16;

/// A full one.
fn full() -> lockwork::queue::ArrayQueue<u64> {
    let queue = lockwork::queue::ArrayQueue::new(PLACES);
    queue.push_many(&mut vec![1; PLACES]);
    queue
}

/// A full one.
fn full_peer() -> crossbeam_queue::ArrayQueue<u64> {
    let queue = crossbeam_queue::ArrayQueue::new(PLACES);
    (0..PLACES).for_each(|_| queue.push(1).expect("a place for each"));
    queue
}

/// Names of the paths.
pub(crate) const LOCK: &str = "lock, add, unlock";
pub(crate) const PI_LOCK: &str = "PI lock, add, unlock";
pub(crate) const TRY_LOCK: &str = "try_lock, add, unlock";
pub(crate) const PERMIT: &str = "acquire, release";
pub(crate) const NOTIFY_ONE: &str = "notify_one, nobody waits";
pub(crate) const NOTIFY_ALL: &str = "notify_all, nobody waits";

pub(crate) const READ: &str = "read, look, unlock";
pub(crate) const WRITE: &str = "write, add, unlock";
pub(crate) const ONCE: &str = "Once::call_once, done";
pub(crate) const ONCE_LOCK: &str = "OnceLock::get_or_init, there";
pub(crate) const LAZY_LOCK: &str = "LazyLock, there";
pub(crate) const SEQ_LOCK: &str = "SeqLock::read, 16 bytes";
pub(crate) const PASS: &str = "push, pop, nobody asleep";
pub(crate) const PUSH: &str = "push";
pub(crate) const POP: &str = "pop";
pub(crate) const EMPTY: &str = "pop, nothing there";
pub(crate) const PUSH_MANY: &str = "push, 16 values";
pub(crate) const POP_MANY: &str = "pop, 16 values";
pub(crate) const SPSC: &str = "push, pop, one thread at each end";
pub(crate) const COUNT: &str = "add to a counter";

/// A queue without a bound that has its first segment, and so many values.
fn used(values: u64) -> lockwork::queue::SegQueue<u64> {
    let queue = lockwork::queue::SegQueue::new();
    queue.push(0);
    queue.pop();
    (0..values).for_each(|value| queue.push(value));
    queue
}

/// The same, and a batch.
type SegBatches = (lockwork::queue::SegQueue<u64>, RefCell<Vec<u64>>);

/// Defines the functions and lists them.
macro_rules! probes {
    ($(
        $path:ident $peer:literal $name:ident($target:ident: $type:ty = $new:expr) $body:block
    )*) => {
        $(
            // The names are prefixed with the peer's, and occur in no library.
            #[unsafe(no_mangle)]
            #[inline(never)]
            fn $name($target: &$type) $body
        )*

        /// All of them.
        pub(crate) fn all() -> Vec<Probe> {
            vec![$({
                let target: $type = $new;
                let entry: fn(&$type) = $name;
                Probe {
                    path: $path,
                    peer: $peer,
                    entry: entry as usize,
                    call: Box::new(move || black_box(entry)(black_box(&target))),
                }
            }),*]
        }
    };
}

probes! {
    LOCK "lockwork" lockwork_lock_unlock(m: lockwork::Mutex<u64> = lockwork::Mutex::new(0)) {
        *m.lock() += 1;
    }
    LOCK "std" std_lock_unlock(m: std::sync::Mutex<u64> = std::sync::Mutex::new(0)) {
        *m.lock().unwrap() += 1;
    }
    LOCK "parking_lot" parking_lot_lock_unlock(
        m: parking_lot::Mutex<u64> = parking_lot::Mutex::new(0)
    ) {
        *m.lock() += 1;
    }
    LOCK "usync" usync_lock_unlock(m: usync::Mutex<u64> = usync::Mutex::new(0)) {
        *m.lock() += 1;
    }
    LOCK "pthread" pthread_lock_unlock(m: Pthread = Pthread::new()) {
        m.with(|n| *n += 1);
    }
    PI_LOCK "lockwork" lockwork_pi_lock_unlock(
        m: lockwork::PiMutex<u64> = lockwork::PiMutex::new(0)
    ) {
        *m.lock() += 1;
    }
    PI_LOCK "pthread" pthread_pi_lock_unlock(m: PthreadPi = PthreadPi::new()) {
        m.with(|n| *n += 1);
    }
    TRY_LOCK "lockwork" lockwork_try_lock(m: lockwork::Mutex<u64> = lockwork::Mutex::new(0)) {
        if let Some(mut guard) = m.try_lock() {
            *guard += 1;
        }
    }
    TRY_LOCK "std" std_try_lock(m: std::sync::Mutex<u64> = std::sync::Mutex::new(0)) {
        if let Ok(mut guard) = m.try_lock() {
            *guard += 1;
        }
    }
    TRY_LOCK "parking_lot" parking_lot_try_lock(
        m: parking_lot::Mutex<u64> = parking_lot::Mutex::new(0)
    ) {
        if let Some(mut guard) = m.try_lock() {
            *guard += 1;
        }
    }
    TRY_LOCK "usync" usync_try_lock(m: usync::Mutex<u64> = usync::Mutex::new(0)) {
        if let Some(mut guard) = m.try_lock() {
            *guard += 1;
        }
    }
    TRY_LOCK "pthread" pthread_try_lock(m: Pthread = Pthread::new()) {
        m.try_with(|n| *n += 1);
    }
    PERMIT "lockwork" lockwork_permit(s: lockwork::Semaphore = lockwork::Semaphore::new(1)) {
        drop(s.acquire());
    }
    PERMIT "lockwork, fair" lockwork_fair_permit(
        s: lockwork::FairSemaphore = lockwork::FairSemaphore::new(1)
    ) {
        drop(s.acquire());
    }
    PERMIT "sem_t" sem_t_permit(s: SemT = SemT::new(1)) {
        s.acquire_release();
    }
    NOTIFY_ONE "lockwork" lockwork_notify_one(c: lockwork::Condvar = lockwork::Condvar::new()) {
        c.notify_one();
    }
    NOTIFY_ONE "std" std_notify_one(c: std::sync::Condvar = std::sync::Condvar::new()) {
        c.notify_one();
    }
    NOTIFY_ONE "parking_lot" parking_lot_notify_one(
        c: parking_lot::Condvar = parking_lot::Condvar::new()
    ) {
        c.notify_one();
    }
    NOTIFY_ONE "usync" usync_notify_one(c: usync::Condvar = usync::Condvar::new()) {
        c.notify_one();
    }
    NOTIFY_ALL "lockwork" lockwork_notify_all(c: lockwork::Condvar = lockwork::Condvar::new()) {
        c.notify_all();
    }
    NOTIFY_ALL "std" std_notify_all(c: std::sync::Condvar = std::sync::Condvar::new()) {
        c.notify_all();
    }
    NOTIFY_ALL "parking_lot" parking_lot_notify_all(
        c: parking_lot::Condvar = parking_lot::Condvar::new()
    ) {
        c.notify_all();
    }
    NOTIFY_ALL "usync" usync_notify_all(c: usync::Condvar = usync::Condvar::new()) {
        c.notify_all();
    }
    READ "lockwork" lockwork_read(l: lockwork::RwLock<u64> = lockwork::RwLock::new(0)) {
        black_box(*l.read());
    }
    READ "std" std_read(l: std::sync::RwLock<u64> = std::sync::RwLock::new(0)) {
        black_box(*l.read().unwrap());
    }
    READ "parking_lot" parking_lot_read(
        l: parking_lot::RwLock<u64> = parking_lot::RwLock::new(0)
    ) {
        black_box(*l.read());
    }
    READ "usync" usync_read(l: usync::RwLock<u64> = usync::RwLock::new(0)) {
        black_box(*l.read());
    }
    READ "pthread" pthread_read(l: PthreadRwLock = PthreadRwLock::new()) {
        l.read(|n| black_box(*n));
    }
    WRITE "lockwork" lockwork_write(l: lockwork::RwLock<u64> = lockwork::RwLock::new(0)) {
        *l.write() += 1;
    }
    WRITE "std" std_write(l: std::sync::RwLock<u64> = std::sync::RwLock::new(0)) {
        *l.write().unwrap() += 1;
    }
    WRITE "parking_lot" parking_lot_write(
        l: parking_lot::RwLock<u64> = parking_lot::RwLock::new(0)
    ) {
        *l.write() += 1;
    }
    WRITE "usync" usync_write(l: usync::RwLock<u64> = usync::RwLock::new(0)) {
        *l.write() += 1;
    }
    WRITE "pthread" pthread_write(l: PthreadRwLock = PthreadRwLock::new()) {
        l.write(|n| *n += 1);
    }
    ONCE "lockwork" lockwork_call_once(o: lockwork::Once = lockwork::Once::new()) {
        o.call_once(|| _ = black_box(1));
    }
    ONCE "std" std_call_once(o: std::sync::Once = std::sync::Once::new()) {
        o.call_once(|| _ = black_box(1));
    }
    ONCE "parking_lot" parking_lot_call_once(o: parking_lot::Once = parking_lot::Once::new()) {
        o.call_once(|| _ = black_box(1));
    }
    ONCE_LOCK "lockwork" lockwork_get_or_init(
        o: lockwork::OnceLock<u64> = lockwork::OnceLock::new()
    ) {
        black_box(*o.get_or_init(|| black_box(1)));
    }
    ONCE_LOCK "std" std_get_or_init(o: std::sync::OnceLock<u64> = std::sync::OnceLock::new()) {
        black_box(*o.get_or_init(|| black_box(1)));
    }
    LAZY_LOCK "lockwork" lockwork_lazy_lock(
        o: lockwork::LazyLock<u64> = lockwork::LazyLock::new(|| black_box(1))
    ) {
        black_box(**o);
    }
    LAZY_LOCK "std" std_lazy_lock(
        o: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| black_box(1))
    ) {
        black_box(**o);
    }
    SEQ_LOCK "lockwork" lockwork_seq_lock(
        s: lockwork::SeqLock<[u64; 2]> = lockwork::SeqLock::new([1; 2])
    ) {
        black_box(s.read());
    }
    SEQ_LOCK "seqlock" seqlock_seq_lock(
        s: seqlock::SeqLock<[u64; 2]> = seqlock::SeqLock::new([1; 2])
    ) {
        black_box(s.read());
    }
    PASS "ArrayQueue" lockwork_array_queue(
        q: lockwork::queue::ArrayQueue<u64> = lockwork::queue::ArrayQueue::new(8)
    ) {
        _ = black_box(q.push(1));
        black_box(q.pop());
    }
    PASS "BlockingQueue" lockwork_blocking_queue(
        q: lockwork::queue::BlockingQueue<u64> = lockwork::queue::BlockingQueue::new(8)
    ) {
        _ = black_box(q.push(1));
        _ = black_box(q.pop());
    }
    PASS "BlockingQueue, try" lockwork_blocking_queue_try(
        q: lockwork::queue::BlockingQueue<u64> = lockwork::queue::BlockingQueue::new(8)
    ) {
        _ = black_box(q.try_push(1));
        _ = black_box(q.try_pop());
    }
    PASS "channel" lockwork_channel(c: Ends = lockwork::queue::channel::bounded(8)) {
        _ = black_box(c.0.send(1));
        _ = black_box(c.1.recv());
    }
    PASS "crossbeam ArrayQueue" crossbeam_array_queue(
        q: crossbeam_queue::ArrayQueue<u64> = crossbeam_queue::ArrayQueue::new(8)
    ) {
        _ = black_box(q.push(1));
        black_box(q.pop());
    }
    PUSH "ArrayQueue" lockwork_array_push(
        q: lockwork::queue::ArrayQueue<u64> = lockwork::queue::ArrayQueue::new(PLACES)
    ) {
        _ = black_box(q.push(1));
    }
    PUSH "crossbeam ArrayQueue" crossbeam_array_push(
        q: crossbeam_queue::ArrayQueue<u64> = crossbeam_queue::ArrayQueue::new(PLACES)
    ) {
        _ = black_box(q.push(1));
    }
    POP "ArrayQueue" lockwork_array_pop(q: lockwork::queue::ArrayQueue<u64> = full()) {
        black_box(q.pop());
    }
    POP "crossbeam ArrayQueue" crossbeam_array_pop(
        q: crossbeam_queue::ArrayQueue<u64> = full_peer()
    ) {
        black_box(q.pop());
    }
    EMPTY "ArrayQueue" lockwork_array_empty(
        q: lockwork::queue::ArrayQueue<u64> = lockwork::queue::ArrayQueue::new(8)
    ) {
        black_box(q.pop());
    }
    EMPTY "crossbeam ArrayQueue" crossbeam_array_empty(
        q: crossbeam_queue::ArrayQueue<u64> = crossbeam_queue::ArrayQueue::new(8)
    ) {
        black_box(q.pop());
    }
    PUSH_MANY "ArrayQueue" lockwork_push_many(
        q: lockwork::queue::ArrayQueue<u64> = lockwork::queue::ArrayQueue::new(PLACES)
    ) {
        black_box(q.push_many(&mut [1; BATCH].into_iter()));
    }
    PUSH_MANY "crossbeam ArrayQueue" crossbeam_push_many(
        q: crossbeam_queue::ArrayQueue<u64> = crossbeam_queue::ArrayQueue::new(PLACES)
    ) {
        for _ in 0..BATCH {
            _ = black_box(q.push(1));
        }
    }
    POP_MANY "ArrayQueue" lockwork_pop_many(
        q: Batches = (full(), RefCell::new(Vec::with_capacity(PLACES)))
    ) {
        black_box(q.0.pop_many(&mut *q.1.borrow_mut(), BATCH));
    }
    POP_MANY "crossbeam ArrayQueue" crossbeam_pop_many(
        q: crossbeam_queue::ArrayQueue<u64> = full_peer()
    ) {
        for _ in 0..BATCH {
            black_box(q.pop());
        }
    }
    PASS "SegQueue" lockwork_seg_pass(q: lockwork::queue::SegQueue<u64> = used(0)) {
        q.push(1);
        black_box(q.pop());
    }
    PASS "crossbeam SegQueue" crossbeam_seg_pass(
        q: crossbeam_queue::SegQueue<u64> = crossbeam_queue::SegQueue::new()
    ) {
        q.push(1);
        black_box(q.pop());
    }
    EMPTY "SegQueue" lockwork_seg_empty(q: lockwork::queue::SegQueue<u64> = used(0)) {
        black_box(q.pop());
    }
    EMPTY "crossbeam SegQueue" crossbeam_seg_empty(
        q: crossbeam_queue::SegQueue<u64> = crossbeam_queue::SegQueue::new()
    ) {
        black_box(q.pop());
    }
    PUSH_MANY "SegQueue" lockwork_seg_push_many(
        q: SegBatches = (used(0), RefCell::new(vec![1; BATCH]))
    ) {
        let batch = &mut *q.1.borrow_mut();
        black_box(q.0.push_many(batch));
        batch.resize(BATCH, 1);
    }
    POP_MANY "SegQueue" lockwork_seg_pop_many(
        q: SegBatches = (used(PLACES as u64), RefCell::new(Vec::with_capacity(PLACES)))
    ) {
        black_box(q.0.pop_many(&mut *q.1.borrow_mut(), BATCH));
    }
    SPSC "spsc" lockwork_spsc(r: Spsc = RefCell::new(spsc::ring(8))) {
        let (producer, consumer) = &mut *r.borrow_mut();
        _ = black_box(producer.push(1));
        black_box(consumer.pop());
    }
    SPSC "rtrb" rtrb_spsc(r: Rtrb = RefCell::new(rtrb::RingBuffer::new(8))) {
        let (producer, consumer) = &mut *r.borrow_mut();
        _ = black_box(producer.push(1));
        _ = black_box(consumer.pop());
    }
    COUNT "lockwork" lockwork_count(
        c: lockwork::counter::StripedCounter = lockwork::counter::StripedCounter::new()
    ) {
        c.add(1);
    }
    COUNT "AtomicU64" atomic_count(
        c: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0)
    ) {
        c.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}
