//! Threads that act when they are told to, and are watched while they sleep.
//!
//! The director (the main thread) gives cues and waits by spinning on atomics: no futex call comes
//! from the direction itself. That an actor sleeps is not assumed after some time, it is seen: the
//! kernel says of each thread which system call it is in, and whether it sleeps there.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread;
use std::time::Duration;

/// An actor, as the director sees it.
pub(crate) struct Actor {
    cues: &'static Cues,
    /// `/proc/self/task/<tid>/syscall`: the number of the call it is in, if it is not running.
    syscall: File,
    /// `/proc/self/task/<tid>/stat`: its state, among others.
    stat: File,
}

/// What passes between director and actor: the number of the scene.
#[derive(Default)]
struct Cues {
    begun: AtomicU64,
    done: AtomicU64,
    thread_id: OnceLock<libc::pid_t>,
}

impl Actor {
    /// Engages an actor for a part, to be played at each cue. Actors are never dismissed: the
    /// process ends with them on stage.
    pub(crate) fn engage(part: impl Fn() + Send + 'static) -> Actor {
        let cues: &'static Cues = Box::leak(Box::default());
        thread::spawn(move || {
            // SAFETY: always sound.
            let id = unsafe { libc::gettid() };
            cues.thread_id.set(id).expect("set once, here");
            for scene in 1.. {
                await_at_least(&cues.begun, scene);
                part();
                cues.done.store(scene, Release);
            }
        });
        let id = loop {
            match cues.thread_id.get() {
                Some(id) => break id,
                None => thread::yield_now(),
            }
        };
        let open = |file| {
            let path = format!("/proc/self/task/{id}/{file}");
            File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        Actor { cues, syscall: open("syscall"), stat: open("stat") }
    }

    /// Lets it play its part once more.
    pub(crate) fn cue(&self) {
        let next = self.cues.begun.load(Acquire) + 1;
        self.cues.begun.store(next, Release);
    }

    /// Waits until it has played its part.
    pub(crate) fn await_done(&self) {
        await_at_least(&self.cues.done, self.cues.begun.load(Acquire));
    }

    /// As [`await_done`](Self::await_done), leaving the cores to the cast.
    pub(crate) fn await_done_asleep(&self) {
        while self.cues.done.load(Acquire) < self.cues.begun.load(Acquire) {
            thread::sleep(Duration::from_millis(1)); // no futex call
        }
    }

    /// Waits until it sleeps in a futex call.
    pub(crate) fn await_asleep(&self) {
        while !self.is_asleep() {
            thread::yield_now();
        }
    }

    /// Both files are needed: a thread that a tracer stops at the door of a system call is in the
    /// call, but stopped; one that sleeps elsewhere sleeps, but in another call.
    fn is_asleep(&self) -> bool {
        let mut text = [0; 512];
        let read = |file: &File, text: &mut [u8]| {
            file.read_at(text, 0).expect("the kernel tells a process about its own threads")
        };
        let length = read(&self.syscall, &mut text);
        let number = text[..length].split(|&byte| byte == b' ').next();
        let number = number.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        if number != Some(libc::SYS_futex) {
            return false;
        }
        let length = read(&self.stat, &mut text);
        // `id (name) state ...`; the name may hold anything but does not hold `) ` here.
        text[..length].windows(3).any(|window| window == b") S")
    }
}

fn await_at_least(cue: &AtomicU64, scene: u64) {
    // Acquire: pairs with the release of whoever gives the cue.
    while cue.load(Acquire) < scene {
        thread::yield_now();
    }
}
