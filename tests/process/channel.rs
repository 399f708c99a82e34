//! Channels in a storm of signals, and on both sides of a fork.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lockwork::queue::channel::{
    self, Receiver, RecvError, RecvTimeoutError, SendTimeoutError, Sender, TryRecvError,
    TrySendError,
};
use lockwork::{Deadline, TakenKind, wait_any, wait_any_for};

use super::forking::{self, fork, raw_clone};
use super::runner::{Case, Outcome};
use super::signals::{enough, interrupted, pass, storm};
use super::support::proc::{self, tid};
use super::support::scaled;
use super::support::threads::{asleep, join_all, together};

pub(crate) const CASES: &[Case] = &[
    ("channel::waiters_at_a_fork", || waiters_at_a_fork(|child| fork(child))),
    ("channel::waiters_at_a_raw_clone", || waiters_at_a_fork(|child| raw_clone(child))),
    ("channel::forks_in_the_middle_of_hand_overs", forks_in_the_middle_of_hand_overs),
    ("channel::a_receiver_whose_handler_forks", a_receiver_whose_handler_forks),
    ("channel::a_sender_whose_handler_forks", a_sender_whose_handler_forks),
    ("channel::hand_overs_under_a_storm", hand_overs_under_a_storm),
    ("channel::limits_under_a_storm", limits_under_a_storm),
    ("channel::endless_waits_under_a_storm", endless_waits_under_a_storm),
];

const SOON: Duration = Duration::from_millis(1);

/// Every way to meet, among the threads of this process. The channel is empty, and stays open.
fn use_channel(sender: &Sender<u32>, receiver: &Receiver<u32>) {
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(receiver.recv_timeout(SOON), Err(RecvTimeoutError::Timeout));
    thread::scope(|s| {
        let waiter = asleep(s, None, || receiver.recv());
        sender.send(7).unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(7));
        let several = asleep(s, None, || matches!(wait_any(&[receiver]).kind, TakenKind::Came));
        // A wait for any is no receiver: where there is no place, the sender sleeps.
        let giver = s.spawn(|| sender.send(8));
        assert!(several.join().unwrap());
        assert_eq!(receiver.recv(), Ok(8));
        giver.join().unwrap().unwrap();
    });
    let sums = together(4, |i| {
        let numbers = 0..200;
        if i < 2 {
            numbers.map(|n| sender.send(n).map(|()| n).unwrap()).sum::<u32>()
        } else {
            numbers.map(|_| receiver.recv().unwrap()).sum()
        }
    });
    assert_eq!(sums[0] + sums[1], sums[2] + sums[3]);
    let full = sender.capacity().unwrap_or_default();
    (0..full).for_each(|n| sender.try_send(n as u32).unwrap());
    assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
    assert_eq!(sender.send_timeout(9, SOON), Err(SendTimeoutError::Timeout(9)));
    assert_eq!(receiver.try_iter().count(), full);
}

/// The parent's waiters do not exist in the child: nobody is handed anything, nothing is taken from
/// them, and the channel is as new but for what is in it. In the parent they are all still there.
fn waiters_at_a_fork(fork: impl Fn(&mut dyn FnMut())) -> Outcome {
    for (sender, receiver) in [channel::bounded(2), channel::rendezvous()] {
        thread::scope(|s| {
            let receivers: [_; 3] = std::array::from_fn(|_| asleep(s, None, || receiver.recv()));
            let several = asleep(s, None, || wait_any(&[&receiver]).index);
            // A child that sends first: to nobody, or into a place.
            fork(&mut || {
                let sent = sender.try_send(1).is_ok();
                assert_eq!(receiver.try_recv().is_ok(), sent);
                assert_eq!(sent, sender.capacity() != Some(0), "to one who is not here");
                use_channel(&sender, &receiver);
            });
            // One that receives first, and one of whose threads nobody ends the wait.
            fork(&mut || use_channel(&sender, &receiver));
            fork(&mut || {
                assert!(receiver.recv_timeout(SOON).is_err());
                assert!(wait_any_for(&[&receiver], SOON).is_none());
                assert!(receiver.recv_until(Deadline::now()).is_err());
            });
            (0..3).for_each(|n| sender.send(n).unwrap());
            let mut got: Vec<_> = join_all(receivers).into_iter().map(Result::unwrap).collect();
            got.sort_unstable();
            assert_eq!(got, [0, 1, 2]);
            // It was told of one of those, or is told of this.
            if !several.is_finished() {
                let giver = s.spawn(|| sender.send(3));
                assert_eq!(receiver.recv(), Ok(3));
                giver.join().unwrap().unwrap();
                let another = s.spawn(|| sender.send_timeout(4, Duration::from_secs(20)));
                assert_eq!(several.join().unwrap(), 0);
                assert_eq!(receiver.recv(), Ok(4));
                another.join().unwrap().unwrap();
            }
        });
        thread::scope(|s| {
            let room = sender.capacity().unwrap_or_default() as u32;
            (0..room).for_each(|n| sender.send(n).unwrap());
            let senders: [_; 3] = std::array::from_fn(|_| asleep(s, None, || sender.send(9)));
            fork(&mut || {
                // What waits in the parent's hands stays there.
                assert_eq!(receiver.try_iter().count(), room as usize);
                use_channel(&sender, &receiver);
            });
            let taken = senders.len() + room as usize;
            assert!((0..taken).map(|_| receiver.recv()).all(|got| got.is_ok()));
            assert!(join_all(senders).into_iter().all(|sent| sent.is_ok()));
        });
        use_channel(&sender, &receiver);
        // The end, with waiters of the parent in the list.
        let (sender, receiver) = (sender, receiver);
        thread::scope(|s| {
            let sleeper = asleep(s, None, || receiver.recv());
            let mut last = Some(sender);
            fork(&mut || {
                drop(last.take());
                assert_eq!(receiver.recv(), Err(RecvError), "by a process with one sender");
                assert!(matches!(wait_any(&[&receiver]).kind, TakenKind::Closed));
            });
            drop(last);
            assert_eq!(sleeper.join().unwrap(), Err(RecvError));
        });
    }
    Outcome::Passed
}

/// Whatever others were doing in it, their lock in hand too, a rendezvous is as new in the child.
fn forks_in_the_middle_of_hand_overs() -> Outcome {
    let (sender, receiver) = channel::rendezvous();
    let stop = AtomicBool::new(false);
    thread::scope(|s| {
        let busy: [_; 4] = std::array::from_fn(|i| {
            let (sender, receiver, stop) = (&sender, &receiver, &stop);
            s.spawn(move || {
                let hurry = Duration::from_micros(50 + 100 * (i as u64 / 2));
                while !stop.load(Relaxed) {
                    if i % 2 == 0 {
                        let _ = sender.send_timeout(1, hurry);
                    } else {
                        let _ = receiver.recv_timeout(hurry);
                    }
                }
            })
        });
        for _ in 0..scaled(100) {
            fork(|| use_channel(&sender, &receiver));
        }
        stop.store(true, Relaxed);
        join_all(busy);
    });
    use_channel(&sender, &receiver);
    Outcome::Passed
}

/// What the handler uses in the child, where no other thread is.
static ENDS: OnceLock<(Sender<u32>, Receiver<u32>)> = OnceLock::new();
static CHILD: AtomicI32 = AtomicI32::new(-1);
static SENDS: AtomicBool = AtomicBool::new(false);
static GOT: AtomicU32 = AtomicU32::new(0);

extern "C" fn fork_here(_: libc::c_int) {
    // SAFETY: the interrupted thread is in a system call, with no lock of any library in hand.
    let pid = unsafe { libc::fork() };
    CHILD.store(pid, Relaxed);
    if pid == 0 {
        let (sender, receiver) = ENDS.get().expect("set before the signal");
        // The other side, for a thread that goes on waiting when this handler has returned.
        thread::spawn(move || {
            if SENDS.load(Relaxed) {
                GOT.store(receiver.recv().unwrap(), Relaxed);
            } else {
                sender.send(2).unwrap();
            }
        });
    }
}

/// Runs `call` in a thread that sleeps and is forked by its own handler: the child ends inside,
/// with what `call` returned there as its exit status.
fn forked_while_asleep(call: impl FnOnce() -> u32 + Send, end: impl FnOnce()) -> u32 {
    // SAFETY: all zeros is a valid `sigaction`: no flags, so calls fail and are not restarted.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let on_signal: extern "C" fn(libc::c_int) = fork_here;
    action.sa_sigaction = on_signal as usize;
    // SAFETY: `action` outlives the call; of the handler see there.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) }, 0);
    let own = AtomicU32::new(0);
    thread::scope(|s| {
        let waiter = s.spawn(|| {
            own.store(tid(), Relaxed);
            let result = call();
            if CHILD.load(Relaxed) == 0 {
                // SAFETY: ends the process and runs nothing else of it.
                unsafe { libc::_exit(result as i32) };
            }
            result
        });
        while own.load(Relaxed) == 0 {
            thread::yield_now();
        }
        let target = own.load(Relaxed);
        proc::until_asleep(target, None);
        // SAFETY: no memory; the thread is there, as nobody has ended its wait.
        let sent =
            unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), target, libc::SIGUSR1) };
        assert_eq!(sent, 0);
        while CHILD.load(Relaxed) < 0 {
            thread::yield_now();
        }
        let status = forking::wait(CHILD.load(Relaxed));
        end();
        let result = waiter.join().unwrap();
        assert_eq!(status, Some(2), "in the child");
        result
    })
}

/// On both sides of such a fork the receiver waits, and is served by a thread of its own process.
fn a_receiver_whose_handler_forks() -> Outcome {
    let (sender, receiver) = ENDS.get_or_init(channel::rendezvous);
    let got = forked_while_asleep(|| receiver.recv().unwrap(), || sender.send(1).unwrap());
    assert_eq!(got, 1, "in the parent");
    Outcome::Passed
}

/// The value is there on both sides too.
fn a_sender_whose_handler_forks() -> Outcome {
    let (sender, receiver) = ENDS.get_or_init(channel::rendezvous);
    SENDS.store(true, Relaxed);
    let send = || {
        sender.send(2).unwrap();
        while CHILD.load(Relaxed) == 0 && GOT.load(Relaxed) == 0 {
            thread::yield_now();
        }
        GOT.load(Relaxed)
    };
    let got = forked_while_asleep(send, || assert_eq!(receiver.recv(), Ok(2)));
    assert_eq!(got, 0, "the parent's own");
    Outcome::Passed
}

/// Every value arrives once.
fn hand_overs_under_a_storm() -> Outcome {
    let rounds = 400;
    for (kind, (sender, receiver)) in
        [("bounded", channel::bounded(1)), ("rendezvous", channel::rendezvous())]
    {
        storm(&format!("channel, {kind}"), 4, |i| {
            for n in 0..rounds {
                match (i, n % 3) {
                    (0 | 1, 0) => sender.send(n).unwrap(),
                    (0 | 1, 1) => sender.send_timeout(n, Duration::MAX).unwrap(),
                    (0 | 1, _) => sender.send_for(n, Duration::from_secs(600)).unwrap(),
                    (2, 0) => {
                        // Another may be faster.
                        let _ready = wait_any(&[&receiver]);
                        assert!(receiver.recv().is_ok());
                    }
                    (_, 1) => assert!(receiver.recv_timeout(Duration::MAX).is_ok()),
                    _ => assert!(receiver.recv().is_ok()),
                }
            }
        });
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty), "{kind}");
    }
    Outcome::Passed
}

/// Limits that nobody cuts short, and those that have passed before.
fn limits_under_a_storm() -> Outcome {
    let (full, rest) = channel::bounded(1);
    full.send(0).unwrap();
    let (_kept, empty) = channel::bounded::<u32>(1);
    let (meet, met) = channel::rendezvous::<u32>();
    let ((_open, nobody), past) = (channel::rendezvous::<u32>(), Instant::now());
    storm("limits of channels", 5, |i| {
        for round in 0..40 {
            let wait = Duration::from_micros(500 + 100 * (round % 10));
            let start = Instant::now();
            match i {
                0 => assert_eq!(full.send_timeout(1, wait), Err(SendTimeoutError::Timeout(1))),
                1 => assert_eq!(empty.recv_timeout(wait), Err(RecvTimeoutError::Timeout)),
                2 => assert_eq!(meet.send_timeout(1, wait), Err(SendTimeoutError::Timeout(1))),
                3 => assert_eq!(nobody.recv_timeout(wait), Err(RecvTimeoutError::Timeout)),
                _ => assert!(wait_any_for(&[&met, &nobody, &empty], wait).is_none_or(|taken| {
                    // The senders of 2 wait for a while; this one takes nothing from them.
                    pass(wait);
                    taken.index == 0
                })),
            }
            assert!(start.elapsed() >= wait, "operation {i}: {:?} of {wait:?}", start.elapsed());
            assert!(full.send_deadline(1, past).is_err() && empty.recv_deadline(past).is_err());
            assert!(nobody.recv_deadline(past).is_err());
        }
    });
    assert_eq!(rest.len(), 1);
    Outcome::Passed
}

/// Waits without an end, and with ends beyond that of time, for a while under fire: none returns
/// before it is told to.
fn endless_waits_under_a_storm() -> Outcome {
    let told = AtomicBool::new(false);
    let (bounded, full) = (channel::bounded(2), channel::bounded(1));
    full.0.send(0).unwrap();
    let (meeting, offers) = (channel::rendezvous(), channel::rendezvous());
    let ready = channel::rendezvous::<u32>();
    let runs = storm("endless waits in channels", 8, |i| {
        let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365 * 200);
        match i {
            0 => assert_eq!(bounded.1.recv(), Ok(1)),
            1 => assert_eq!(bounded.1.recv_timeout(Duration::MAX), Ok(1)),
            2 => full.0.send_deadline(1, far).unwrap(),
            3 => assert_eq!(meeting.1.recv(), Ok(1)),
            4 => assert_eq!(meeting.1.recv_deadline(far), Ok(1)),
            5 => offers.0.send_timeout(1, Duration::MAX).unwrap(),
            6 => {
                assert!(matches!(wait_any(&[&ready.1]).kind, TakenKind::Came));
                assert_eq!(ready.1.recv(), Ok(1));
            }
            _ => {
                let before = interrupted();
                while interrupted() - before < 7 * enough() {
                    pass(Duration::from_millis(10));
                }
                told.store(true, Relaxed);
                bounded.0.send(1).unwrap();
                bounded.0.send(1).unwrap();
                assert_eq!(full.1.recv(), Ok(0));
                meeting.0.send(1).unwrap();
                meeting.0.send(1).unwrap();
                assert_eq!(offers.1.recv(), Ok(1));
                ready.0.send(1).unwrap();
            }
        }
        assert!(told.load(Relaxed), "operation {i} returned by itself");
    });
    assert_eq!(runs, 1, "the last thread waited for the storm");
    Outcome::Passed
}
