//! Tokens for which a thread sleeps beside something else that does not come: the end of a program,
//! usually.

use crate::meetings::Token;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use std::sync::{Arc, Condvar, Mutex};

/// `lockwork::wait_any` on two events.
pub struct AnyEvent {
    token: Arc<lockwork::Event>,
    stop: lockwork::Event,
}

impl Token for AnyEvent {
    type Giver = Arc<lockwork::Event>;

    fn new() -> Self {
        Self { token: Arc::new(lockwork::Event::auto()), stop: lockwork::Event::manual() }
    }

    fn giver(&self) -> Self::Giver {
        self.token.clone()
    }

    #[inline]
    fn take(&self) {
        assert_eq!(lockwork::wait_any(&[&self.token, &self.stop]).index, 0);
    }

    #[inline]
    fn give(giver: &Self::Giver) {
        giver.set();
    }
}

/// `crossbeam_channel::select!` on two channels.
pub struct Selected {
    token: (Sender<()>, Receiver<()>),
    stop: (Sender<()>, Receiver<()>),
}

impl Token for Selected {
    type Giver = Sender<()>;

    fn new() -> Self {
        Self { token: bounded(1), stop: bounded(1) }
    }

    fn giver(&self) -> Self::Giver {
        self.token.0.clone()
    }

    #[inline]
    fn take(&self) {
        select! {
            recv(self.token.1) -> token => token.expect("this keeps a sender"),
            recv(self.stop.1) -> _ => unreachable!("nobody stops"),
        }
    }

    #[inline]
    fn give(giver: &Self::Giver) {
        // Full: given before, and not taken yet.
        _ = giver.try_send(());
    }
}

/// What one does without either: both flags under one mutex.
pub struct StdFlags {
    flags: Arc<(Mutex<(bool, bool)>, Condvar)>,
}

impl Token for StdFlags {
    type Giver = Arc<(Mutex<(bool, bool)>, Condvar)>;

    fn new() -> Self {
        Self { flags: Arc::default() }
    }

    fn giver(&self) -> Self::Giver {
        self.flags.clone()
    }

    #[inline]
    fn take(&self) {
        let (flags, changed) = &*self.flags;
        let mut flags =
            changed.wait_while(flags.lock().unwrap(), |(token, stop)| !*token && !*stop).unwrap();
        assert!(!flags.1);
        flags.0 = false;
    }

    #[inline]
    fn give(giver: &Self::Giver) {
        giver.0.lock().unwrap().0 = true;
        giver.1.notify_one();
    }
}
