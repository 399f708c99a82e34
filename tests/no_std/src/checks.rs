//! What the two threads do, step by step; they meet before each.

use core::time::Duration;

use lockwork::lock_set::{Read, Write};
use lockwork::{
    Barrier, BarrierError, Condvar, CondvarAny, Deadline, Event, FairMutex, FairSemaphore, Latch,
    LazyLock, MappedMutexGuard, Mutex, MutexGuard, Once, OnceLock, RecursiveRwLock, RwLock,
    RwLockUpgradableReadGuard, Semaphore, SeqLock, SpinLock, WaitGroup, lock_all, try_lock_all,
    try_lock_all_until,
};

const ROUNDS: u32 = 5_000;

static MEETING: Barrier = Barrier::new(2);

fn meet() {
    MEETING.wait().expect("nobody gives up");
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_millis(1))
}

/// A limit that is there and does not pass.
fn late() -> Deadline {
    Deadline::after(Duration::from_secs(1_000))
}

/// All steps, as thread 0 or 1.
pub(crate) fn run(me: u32) {
    let steps: [fn(u32); 9] =
        [exclusion, readers, sets, conditions, any_conditions, permits, events, copies, made_once];
    for step in steps {
        meet();
        step(me);
    }
}

static MUTEX: Mutex<u32> = Mutex::new(0);
static FAIR: FairMutex<u32> = FairMutex::new(0);
static SPIN: SpinLock<u32> = SpinLock::new(0);

/// The locks with one owner, with each kind of wait.
fn exclusion(me: u32) {
    for round in 0..ROUNDS {
        if round % 2 == me {
            *MUTEX.lock() += 1;
            *FAIR.lock() += 1;
            *SPIN.lock() += 1;
        } else {
            *MUTEX.try_lock_until(late()).expect("not before the limit") += 1;
            *FAIR.try_lock_until(late()).expect("not before the limit") += 1;
            *SPIN.try_lock_until(Deadline::NEVER).expect("there is no limit") += 1;
        }
    }
    let mut part: MappedMutexGuard<'_, u32> = MutexGuard::map(MUTEX.lock(), |count| count);
    *part += 1;
    MappedMutexGuard::unlock_fair(part);
    meet();
    if me == 0 {
        let held = (MUTEX.lock(), FAIR.lock(), SPIN.lock());
        assert_eq!((*held.0, *held.1, *held.2), (2 * ROUNDS + 2, 2 * ROUNDS, 2 * ROUNDS));
        meet();
        meet();
    } else {
        meet();
        assert!(MUTEX.try_lock().is_none() && MUTEX.try_lock_until(soon()).is_none());
        assert!(FAIR.try_lock_until(soon()).is_none());
        assert!(SPIN.try_lock_until(soon()).is_none());
        meet();
    }
}

static SHARED: RwLock<(u32, u32)> = RwLock::new((0, 0));
static RECURSIVE: RecursiveRwLock<u32> = RecursiveRwLock::new(0);

/// Readers, writers and those that become writers.
fn readers(me: u32) {
    for round in 0..ROUNDS {
        if round % 2 == me {
            let mut pair = SHARED.try_write_until(late()).expect("not before the limit");
            pair.0 += 1;
            pair.1 += 1;
        } else {
            let pair = SHARED.try_read_until(late()).expect("not before the limit");
            assert_eq!(pair.0, pair.1, "half written");
            drop(pair);
            let reading = SHARED.try_upgradable_read_until(late()).expect("not before the limit");
            let seen = *reading;
            let upgraded = RwLockUpgradableReadGuard::try_upgrade_until(reading, late());
            let mut pair = upgraded.expect("not before the limit");
            assert_eq!(*pair, seen, "somebody wrote in between");
            pair.0 += 1;
            pair.1 += 1;
        }
        *RECURSIVE.write() += 1;
        assert!(*RECURSIVE.read() <= 2 * ROUNDS && RECURSIVE.read().le(&*RECURSIVE.read()));
    }
    meet();
    let pair = SHARED.read();
    assert_eq!(*pair, (2 * ROUNDS, 2 * ROUNDS));
    assert!(SHARED.try_write_until(soon()).is_none());
    meet();
}

/// Several locks at once, in opposite orders.
fn sets(me: u32) {
    for _ in 0..ROUNDS {
        if me == 0 {
            let (mut plain, mut fair, mut pair) = lock_all((&MUTEX, &FAIR, Write(&SHARED)));
            *plain += 1;
            *fair += 1;
            pair.0 += 1;
            pair.1 += 1;
        } else {
            let locks = (Read(&SHARED), &FAIR, &MUTEX);
            let (pair, fair, plain) = try_lock_all_until(locks, late()).expect("there is time");
            assert_eq!((pair.0, *fair + 2), (pair.1, *plain));
        }
    }
    meet();
    if me == 0 {
        assert!(try_lock_all([&MUTEX]).is_some());
    }
}

/// Turns: a number that each thread waits for to be its own.
static TURN: Mutex<u32> = Mutex::new(0);
static TURNED: Condvar = Condvar::new();

fn conditions(me: u32) {
    for round in 0..ROUNDS {
        let mut turn = TURN.lock();
        if round % 2 == 0 {
            TURNED.wait_while(&mut turn, |turn| *turn % 2 != me);
        } else {
            let end = TURNED.wait_while_until(&mut turn, |turn| *turn % 2 != me, late());
            assert!(!end.timed_out());
        }
        *turn += 1;
        TURNED.notify_one_held(&turn);
    }
    meet();
    let mut turn = TURN.lock();
    assert_eq!(*turn, 2 * ROUNDS);
    assert!(TURNED.wait_until(&mut turn, soon()).timed_out());
}

static ANY_TURN: RwLock<u32> = RwLock::new(0);
static ANY_TURNED: CondvarAny = CondvarAny::new();

fn any_conditions(me: u32) {
    for _ in 0..ROUNDS {
        let mut turn = ANY_TURN.read();
        ANY_TURNED.wait_while(&mut turn, |turn| *turn % 2 != me);
        drop(turn);
        *ANY_TURN.write() += 1;
        ANY_TURNED.notify_all();
    }
    meet();
    assert_eq!(*ANY_TURN.read(), 2 * ROUNDS);
    assert!(ANY_TURNED.wait_until(&mut SPIN.lock(), soon()).timed_out());
}

static PING: Semaphore = Semaphore::new(1);
static PONG: FairSemaphore = FairSemaphore::new(0);

/// Permits that go back and forth.
fn permits(me: u32) {
    for round in 0..ROUNDS {
        if me == 0 {
            PING.acquire_until(late()).expect("there is time").forget();
            PONG.release(2).expect("there is room");
        } else {
            let mut both = PONG.acquire_many_until(2, late()).expect("there is time");
            let one = both.split(1).expect("there are two");
            both.merge(one).expect("of the same semaphore");
            both.forget();
            PING.release(1).expect("there is room");
        }
        assert!(round < ROUNDS && PING.available() <= 1);
    }
    meet();
    if me == 0 {
        assert_eq!((PING.available(), PONG.available()), (1, 0));
        assert!(PONG.acquire_until(soon()).is_err());
        assert!(PING.close() && PING.acquire().is_err());
    }
}

static GO: [Event; 2] = [Event::auto(), Event::auto()];
static DONE: Event = Event::manual();
static STEPS: Latch = Latch::new(2);
static RUNNING: WaitGroup = WaitGroup::new();

/// Events, counts and meetings.
fn events(me: u32) {
    let (mine, other) = (me as usize, 1 - me as usize);
    for _ in 0..ROUNDS {
        if me == 0 {
            GO[other].set();
            assert!(GO[mine].wait_until(late()));
        } else {
            GO[mine].wait();
            GO[other].set();
        }
    }
    assert!(!GO[mine].wait_until(soon()));
    RUNNING.add(1);
    meet();
    RUNNING.done();
    assert!(RUNNING.wait_until(late()) && RUNNING.count() == 0);
    STEPS.count_down(1);
    assert!(STEPS.wait_until(late()) && STEPS.try_wait());
    if me == 0 {
        DONE.set();
    }
    DONE.wait();
    assert!(matches!(Barrier::new(2).wait_until(soon()), Err(BarrierError::TimedOut)));
}

static PAIR: SeqLock<[u64; 5]> = SeqLock::new([0; 5]);

/// Copies of one moment.
fn copies(me: u32) {
    for _ in 0..ROUNDS {
        if me == 0 {
            PAIR.update(|words| words.iter_mut().for_each(|word| *word += 1));
        } else {
            let words = PAIR.read();
            assert!(words.iter().all(|&word| word == words[0]), "torn");
        }
    }
    meet();
    assert_eq!(PAIR.read(), [u64::from(ROUNDS); 5]);
}

static START: Once = Once::new();
static STARTS: Mutex<u32> = Mutex::new(0);
static PLACE: OnceLock<u32> = OnceLock::new();
static LAZY: LazyLock<u32> = LazyLock::new(|| {
    *STARTS.lock() += 1;
    7
});

/// What is made once, and waited for.
fn made_once(me: u32) {
    START.call_once(|| *STARTS.lock() += 1);
    assert!(START.wait_until(late()) && START.is_completed());
    if me == 0 {
        assert_eq!(PLACE.wait_until(late()), Some(&1));
    } else {
        assert_eq!(*PLACE.get_or_init(|| 1), 1);
    }
    assert_eq!(*LAZY, 7);
    meet();
    assert_eq!(*STARTS.lock(), 2);
    assert_eq!(OnceLock::<u8>::new().wait_until(soon()), None);
}

/// With one thread left.
pub(crate) fn at_the_end() {
    assert!(!MUTEX.is_locked() && !FAIR.is_locked() && !SPIN.is_locked());
    assert!(!SHARED.is_locked() && !RECURSIVE.is_locked() && !ANY_TURN.is_locked());
    assert!(Deadline::now().has_passed() && late().remaining() > Some(Duration::from_secs(900)));
    assert_eq!(MEETING.waiting(), 0);
}
