//! Channels of numbers, with a bound.

use std::sync::mpsc;

/// Both ends of one.
pub trait Channel {
    /// Where values go in.
    type Sender: Clone + Send + Sync;
    /// Where they come out.
    type Receiver: Send;

    /// One with `capacity` places.
    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver);
    /// One more to receive.
    fn another(receiver: &Self::Receiver) -> Self::Receiver;
    /// Waits for a place; false if there is no receiver.
    fn send(sender: &Self::Sender, value: u64) -> bool;
    /// Waits for a value; none if there is no sender.
    fn recv(receiver: &Self::Receiver) -> Option<u64>;
}

macro_rules! channels {
    ($($(#[$meta:meta])* $Name:ident: $Sender:ty, $Receiver:ty, $bounded:path;)*) => {$(
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $Name;

        impl Channel for $Name {
            type Sender = $Sender;
            type Receiver = $Receiver;

            fn bounded(capacity: usize) -> ($Sender, $Receiver) {
                $bounded(capacity)
            }

            fn another(receiver: &$Receiver) -> $Receiver {
                receiver.clone()
            }

            #[inline]
            fn send(sender: &$Sender, value: u64) -> bool {
                sender.send(value).is_ok()
            }

            #[inline]
            fn recv(receiver: &$Receiver) -> Option<u64> {
                receiver.recv().ok()
            }
        }
    )*};
}

channels! {
    /// `lockwork::queue::channel`.
    Lockwork:
        lockwork::queue::channel::Sender<u64>, lockwork::queue::channel::Receiver<u64>,
        lockwork::queue::channel::bounded;
    /// `crossbeam_channel`.
    Crossbeam:
        crossbeam_channel::Sender<u64>, crossbeam_channel::Receiver<u64>,
        crossbeam_channel::bounded;
    /// `kanal`.
    Kanal: kanal::Sender<u64>, kanal::Receiver<u64>, kanal::bounded;
    /// `flume`.
    Flume: flume::Sender<u64>, flume::Receiver<u64>, flume::bounded;
}

/// `std::sync::mpsc`, for one receiver.
#[derive(Debug)]
pub struct Std;

impl Channel for Std {
    type Sender = mpsc::SyncSender<u64>;
    type Receiver = mpsc::Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
        mpsc::sync_channel(capacity)
    }

    /// # Panics
    ///
    /// Always.
    fn another(_: &Self::Receiver) -> Self::Receiver {
        panic!("std's channels have one receiver")
    }

    #[inline]
    fn send(sender: &Self::Sender, value: u64) -> bool {
        sender.send(value).is_ok()
    }

    #[inline]
    fn recv(receiver: &Self::Receiver) -> Option<u64> {
        receiver.recv().ok()
    }
}
