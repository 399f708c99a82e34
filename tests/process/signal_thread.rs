//! A thread that takes the signals of the process, and what starts processes beside it.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use lockwork::pool::{SignalSet, SignalThread, ThreadPool, reset_sigmask, with_original_sigmask};

use super::forking::fork;
use super::runner::{Case, Outcome};
use super::support::proc::{thread_count, until_thread_count};

pub(crate) const CASES: &[Case] = &[
    ("signal_thread::takes_what_is_sent_to_the_process", takes_what_is_sent),
    ("signal_thread::takes_what_was_pending", takes_what_was_pending),
    ("signal_thread::survives_panics", survives_panics),
    ("signal_thread::ends_when_dropped", ends_when_dropped),
    ("signal_thread::dropped_by_its_own_handler", dropped_by_its_own_handler),
    ("signal_thread::shuts_a_pool_down", shuts_a_pool_down),
    ("signal_thread::masks_of_started_programs", masks_of_started_programs),
    ("signal_thread::in_a_forked_child", in_a_forked_child),
    ("signal_thread::no_thread_to_be_had", no_thread_to_be_had),
];

fn set(numbers: &[i32]) -> SignalSet {
    SignalSet::new(numbers).unwrap()
}

fn kill(number: i32) {
    // SAFETY: no memory. To this process as a whole.
    assert_eq!(unsafe { libc::kill(libc::getpid(), number) }, 0);
}

/// The signals that the calling thread holds back, from the kernel.
fn held_back() -> u64 {
    mask_in(&std::fs::read_to_string("/proc/thread-self/status").unwrap())
}

fn mask_in(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

fn takes_what_is_sent() -> Outcome {
    let (send, handed) = mpsc::channel();
    let signals = SignalThread::new(set(&[libc::SIGTERM, libc::SIGINT, 40]), move |signal| {
        send.send((signal.number(), signal.sender())).unwrap();
    })
    .unwrap();
    let others: Vec<_> = (0..4).map(|_| thread::spawn(held_back)).collect();
    for other in others {
        let expected = 1 << (libc::SIGTERM - 1) | 1 << (libc::SIGINT - 1) | 1 << 39;
        assert_eq!(other.join().unwrap() & expected, expected);
    }
    let us = Some(std::process::id());
    for round in 0..1_000 {
        let number = [libc::SIGTERM, libc::SIGINT, 40][round % 3];
        kill(number);
        assert_eq!(handed.recv().unwrap(), (number, us));
    }
    drop(signals);
    assert!(handed.recv().is_err(), "nothing more, and the closure is gone");
    Outcome::Passed
}

fn takes_what_was_pending() -> Outcome {
    let first = SignalThread::new(set(&[libc::SIGUSR1]), |_| ()).unwrap();
    drop(first);
    kill(libc::SIGUSR1); // would end the process if it were not held back
    let (send, handed) = mpsc::channel();
    let _second = SignalThread::new(set(&[libc::SIGUSR1]), move |signal| {
        send.send(signal.number()).unwrap();
    });
    assert_eq!(handed.recv(), Ok(libc::SIGUSR1));
    Outcome::Passed
}

fn survives_panics() -> Outcome {
    struct Loud(Arc<AtomicUsize>);
    impl Drop for Loud {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
            panic!("in the destructor");
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let (send, handed) = mpsc::channel();
    let loud = Loud(dropped.clone());
    let signals = SignalThread::new(set(&[libc::SIGUSR1]), move |signal| {
        let _captured = &loud;
        send.send(signal.number()).unwrap();
        panic!("in the handler");
    })
    .unwrap();
    for _ in 0..3 {
        kill(libc::SIGUSR1);
        assert_eq!(handed.recv(), Ok(libc::SIGUSR1));
    }
    drop(signals);
    assert_eq!(dropped.load(Relaxed), 1);
    Outcome::Passed
}

fn ends_when_dropped() -> Outcome {
    let before = thread_count();
    for numbers in [&[][..], &[libc::SIGHUP], &[libc::SIGRTMAX(), libc::SIGALRM]] {
        let signals = SignalThread::new(set(numbers), |_| ()).unwrap();
        assert_eq!(signals.signals(), set(numbers));
        drop(signals);
        until_thread_count(before);
    }
    // As fast as can be, while others send.
    for _ in 0..200 {
        let _signals = SignalThread::new(set(&[libc::SIGHUP]), |_| ()).unwrap();
        kill(libc::SIGHUP);
    }
    until_thread_count(before);
    Outcome::Passed
}

fn dropped_by_its_own_handler() -> Outcome {
    let before = thread_count();
    let itself = Arc::new(Mutex::new(None));
    let (send, handed) = mpsc::channel();
    let signals = SignalThread::new(set(&[libc::SIGUSR2]), {
        let itself = itself.clone();
        move |_| {
            let taken: Option<SignalThread> = itself.lock().unwrap().take();
            drop(taken);
            send.send(()).unwrap();
        }
    });
    *itself.lock().unwrap() = signals.ok();
    kill(libc::SIGUSR2);
    assert_eq!(handed.recv(), Ok(()));
    assert!(handed.recv().is_err(), "the thread has ended");
    until_thread_count(before);
    Outcome::Passed
}

fn shuts_a_pool_down() -> Outcome {
    let pool = Arc::new(ThreadPool::builder().threads(2).build().unwrap());
    // The pool's threads were there first, and let the signal through: so this is sent to one
    // thread. Here the order is wrong on purpose; in a program the signal thread comes first.
    let signals = SignalThread::new(set(&[libc::SIGTERM]), {
        let pool = pool.clone();
        move |_| pool.shutdown()
    });
    let _signals = signals.unwrap();
    let task = pool.submit(|| 7).unwrap();
    let named = |id: &String| {
        std::fs::read_to_string(format!("/proc/self/task/{id}/comm"))
            .is_ok_and(|name| name.trim() == "signals")
    };
    // It gives itself the name, once it runs.
    let taker = loop {
        let threads = std::fs::read_dir("/proc/self/task").unwrap();
        let mut ids = threads.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        if let Some(id) = ids.find(named) {
            break id;
        }
        thread::yield_now();
    };
    let taker: i32 = taker.parse().unwrap();
    // SAFETY: no memory.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), taker, libc::SIGTERM) };
    assert_eq!(sent, 0);
    pool.await_termination();
    assert_eq!(task.join().unwrap(), 7);
    Outcome::Passed
}

fn masks_of_started_programs() -> Outcome {
    let original = held_back();
    let numbers = [libc::SIGTERM, libc::SIGINT];
    let _signals = SignalThread::new(set(&numbers), |_| ()).unwrap();
    let added = numbers.iter().fold(0, |mask, number| mask | 1_u64 << (number - 1));
    let status = || {
        let mut command = Command::new("cat");
        command.arg("/proc/self/status").stderr(Stdio::null());
        command
    };
    let mask = |command: &mut Command| {
        mask_in(&String::from_utf8(command.output().unwrap().stdout).unwrap())
    };
    // Own wishes of the program stay: this one is not ours.
    let own = 1_u64 << (libc::SIGWINCH - 1);
    thread::spawn(move || {
        // SAFETY: `set` is filled in by the first call, and the others read it.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            libc::sigaddset(&mut set, libc::SIGWINCH);
            assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()), 0);
        }
        assert_eq!(mask(&mut status()), original | added | own, "programs inherit the mask");
        assert_eq!(mask(reset_sigmask(&mut status())), original | own);
        assert_eq!(with_original_sigmask(|| mask(&mut status())), original | own);
        assert_eq!(with_original_sigmask(held_back), original | own);
        assert_eq!(held_back(), original | added | own, "it was put back");
        let thrown = std::panic::catch_unwind(|| with_original_sigmask(|| panic!("in between")));
        assert!(thrown.is_err());
        assert_eq!(held_back(), original | added | own, "after a panic too");
    })
    .join()
    .unwrap();
    Outcome::Passed
}

fn in_a_forked_child() -> Outcome {
    let (send, handed) = mpsc::channel();
    let mut signals = SignalThread::new(set(&[libc::SIGUSR1]), {
        let send = send.clone();
        move |_| send.send(1).unwrap()
    })
    .ok();
    fork(|| {
        drop(signals.take());
        // A new one works.
        let (send, handed) = mpsc::channel();
        let signals = SignalThread::new(set(&[libc::SIGUSR1]), move |_| send.send(2).unwrap());
        kill(libc::SIGUSR1);
        assert_eq!(handed.recv(), Ok(2));
        drop(signals);
    });
    kill(libc::SIGUSR1);
    assert_eq!(handed.recv(), Ok(1));
    Outcome::Passed
}

fn no_thread_to_be_had() -> Outcome {
    // The limit does not bind the superuser: become somebody who has no other processes.
    // SAFETY: no memory.
    let nobody = unsafe { libc::geteuid() != 0 || libc::setresuid(54_322, 54_322, 54_322) == 0 };
    if !nobody {
        return Outcome::Skipped("may not change the user".into());
    }
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for the read.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &limit) }, 0);
    let before = held_back();
    match SignalThread::new(set(&[libc::SIGUSR1]), |_| ()) {
        Ok(_) => return Outcome::Skipped("the limit on threads does not bind here".into()),
        Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EAGAIN)),
    }
    assert_eq!(held_back(), before, "the mask is as it was");
    Outcome::Passed
}
