//! Adapters: every bounded queue behind one small trait.

use std::collections::VecDeque;
use std::sync::Mutex;

/// A bounded queue of numbers, for many producers and consumers.
pub trait Queues: Send + Sync + 'static {
    /// For tables.
    const NAME: &'static str;

    /// An empty one.
    fn new(capacity: usize) -> Self;

    /// Whether there was room.
    fn push(&self, value: u64) -> bool;

    /// The oldest value.
    fn pop(&self) -> Option<u64>;

    /// Pushes a batch, as the queue can, and says how much of its front.
    fn push_many(&self, values: &mut Vec<u64>) -> usize {
        let pushed = values.iter().take_while(|value| self.push(**value)).count();
        values.drain(..pushed);
        pushed
    }

    /// Pops up to `max`, as the queue can.
    fn pop_many(&self, into: &mut Vec<u64>, max: usize) -> usize {
        let before = into.len();
        into.extend((0..max).map_while(|_| self.pop()));
        into.len() - before
    }
}

impl Queues for lockwork::queue::ArrayQueue<u64> {
    const NAME: &'static str = "lockwork";

    fn new(capacity: usize) -> Self {
        Self::new(capacity)
    }

    #[inline]
    fn push(&self, value: u64) -> bool {
        self.push(value).is_ok()
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.pop()
    }

    #[inline]
    fn push_many(&self, values: &mut Vec<u64>) -> usize {
        self.push_many(values)
    }

    #[inline]
    fn pop_many(&self, into: &mut Vec<u64>, max: usize) -> usize {
        self.pop_many(into, max)
    }
}

impl Queues for crossbeam_queue::ArrayQueue<u64> {
    const NAME: &'static str = "crossbeam ArrayQueue";

    fn new(capacity: usize) -> Self {
        Self::new(capacity)
    }

    #[inline]
    fn push(&self, value: u64) -> bool {
        self.push(value).is_ok()
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.pop()
    }
}

impl Queues for concurrent_queue::ConcurrentQueue<u64> {
    const NAME: &'static str = "concurrent-queue";

    fn new(capacity: usize) -> Self {
        Self::bounded(capacity)
    }

    #[inline]
    fn push(&self, value: u64) -> bool {
        self.push(value).is_ok()
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.pop().ok()
    }
}

impl Queues for Mutex<VecDeque<u64>> {
    const NAME: &'static str = "Mutex<VecDeque>";

    fn new(capacity: usize) -> Self {
        // Full when its memory is.
        Mutex::new(VecDeque::with_capacity(capacity))
    }

    #[inline]
    fn push(&self, value: u64) -> bool {
        let mut values = self.lock().expect("nobody panics");
        let room = values.len() < values.capacity();
        if room {
            values.push_back(value);
        }
        room
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.lock().expect("nobody panics").pop_front()
    }
}

/// A channel, as a queue: both ends in one place.
#[derive(Debug)]
pub struct Ends<S, R>(S, R);

macro_rules! channel {
    ($name:ident, $text:literal, $sender:ty, $receiver:ty, $new:path, $pop:expr, $push:expr) => {
        /// Both ends of that channel.
        pub type $name = Ends<$sender, $receiver>;

        impl Queues for $name {
            const NAME: &'static str = $text;

            fn new(capacity: usize) -> Self {
                let (sender, receiver) = $new(capacity);
                Self(sender, receiver)
            }

            #[inline]
            fn push(&self, value: u64) -> bool {
                let push: fn(&$sender, u64) -> bool = $push;
                push(&self.0, value)
            }

            #[inline]
            fn pop(&self) -> Option<u64> {
                let pop: fn(&$receiver) -> Option<u64> = $pop;
                pop(&self.1)
            }
        }
    };
}

channel!(
    CrossbeamChannel,
    "crossbeam-channel",
    crossbeam_channel::Sender<u64>,
    crossbeam_channel::Receiver<u64>,
    crossbeam_channel::bounded,
    |receiver| receiver.try_recv().ok(),
    |sender, value| sender.try_send(value).is_ok()
);
channel!(
    Kanal,
    "kanal",
    kanal::Sender<u64>,
    kanal::Receiver<u64>,
    kanal::bounded,
    |receiver| receiver.try_recv().ok().flatten(),
    |sender, value| sender.try_send(value).is_ok_and(|sent| sent)
);
channel!(
    Flume,
    "flume",
    flume::Sender<u64>,
    flume::Receiver<u64>,
    flume::bounded,
    |receiver| receiver.try_recv().ok(),
    |sender, value| sender.try_send(value).is_ok()
);

/// A ring for one producer and one consumer.
pub trait Rings: 'static {
    /// For tables.
    const NAME: &'static str;
    /// The end that pushes.
    type Producer: Send;
    /// The end that pops.
    type Consumer: Send;

    /// An empty one.
    fn new(capacity: usize) -> (Self::Producer, Self::Consumer);
    /// Whether there was room.
    fn push(producer: &mut Self::Producer, value: u64) -> bool;
    /// The oldest value.
    fn pop(consumer: &mut Self::Consumer) -> Option<u64>;
    /// Whether there was room for all.
    fn push_slice(producer: &mut Self::Producer, values: &[u64]) -> bool;
    /// Whether there were so many.
    fn pop_slice(consumer: &mut Self::Consumer, into: &mut [u64]) -> bool;
}

macro_rules! rings {
    ($($(#[$meta:meta])* $name:ident, $text:literal, $module:path, $new:path);* $(;)?) => {$(
        $(#[$meta])*
        #[derive(Debug)]
        pub enum $name {}

        const _: () = {
            use $module as module;

            impl Rings for $name {
                const NAME: &'static str = $text;
                type Producer = module::Producer<u64>;
                type Consumer = module::Consumer<u64>;

                fn new(capacity: usize) -> (Self::Producer, Self::Consumer) {
                    $new(capacity)
                }

                #[inline]
                fn push(producer: &mut Self::Producer, value: u64) -> bool {
                    producer.push(value).is_ok()
                }

                #[inline]
                fn pop(consumer: &mut Self::Consumer) -> Option<u64> {
                    // One of them says `Option`, the other one `Result`.
                    consumer.pop().into_iter().next()
                }

                #[inline]
                fn push_slice(producer: &mut Self::Producer, values: &[u64]) -> bool {
                    producer.push_entire_slice(values).is_ok()
                }

                #[inline]
                fn pop_slice(consumer: &mut Self::Consumer, into: &mut [u64]) -> bool {
                    consumer.pop_entire_slice(into).is_ok()
                }
            }
        };
    )*};
}

rings! {
    /// Ours.
    Lockwork, "lockwork", lockwork::queue::spsc, lockwork::queue::spsc::ring;
    /// The crate `rtrb`.
    Rtrb, "rtrb", rtrb, rtrb::RingBuffer::new;
}

/// A [`Field`](crate::harness::round::Field) of all of them: `run` is a function that is generic
/// over [`Queues`].
#[macro_export]
macro_rules! every_queue {
    ($($run:ident)::+) => {{
        use $crate::harness::round::Field;
        use $crate::queues::{CrossbeamChannel, Flume, Kanal, Queues};
        type Ours = lockwork::queue::ArrayQueue<u64>;
        type Crossbeam = crossbeam_queue::ArrayQueue<u64>;
        type Concurrent = concurrent_queue::ConcurrentQueue<u64>;
        type Locked = std::sync::Mutex<std::collections::VecDeque<u64>>;
        Field::of(<Ours as Queues>::NAME, $($run)::+::<Ours>)
            .against(<Crossbeam as Queues>::NAME, $($run)::+::<Crossbeam>)
            .against(<Concurrent as Queues>::NAME, $($run)::+::<Concurrent>)
            .against(CrossbeamChannel::NAME, $($run)::+::<CrossbeamChannel>)
            .against(Kanal::NAME, $($run)::+::<Kanal>)
            .against(Flume::NAME, $($run)::+::<Flume>)
            .against(<Locked as Queues>::NAME, $($run)::+::<Locked>)
    }};
}

/// As [`every_queue`], for those with one producer and one consumer.
#[macro_export]
macro_rules! every_ring {
    ($($run:ident)::+) => {{
        use $crate::harness::round::Field;
        use $crate::queues::{Lockwork, Rings, Rtrb};
        Field::of(Lockwork::NAME, $($run)::+::<Lockwork>)
            .against(Rtrb::NAME, $($run)::+::<Rtrb>)
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_a_queue<Q: Queues>() {
        let queue = Q::new(3);
        assert_eq!(queue.pop(), None, "{}", Q::NAME);
        assert!((1..=3).all(|value| queue.push(value)) && !queue.push(4), "{}", Q::NAME);
        assert_eq!(queue.pop(), Some(1), "{}", Q::NAME);
        let mut values = vec![5, 6];
        assert_eq!((queue.push_many(&mut values), values), (1, vec![6]), "{}", Q::NAME);
        let mut popped = vec![];
        assert_eq!((queue.pop_many(&mut popped, 9), popped), (3, vec![2, 3, 5]), "{}", Q::NAME);
    }

    #[test]
    fn every_adapter_is_a_bounded_queue() {
        is_a_queue::<lockwork::queue::ArrayQueue<u64>>();
        is_a_queue::<crossbeam_queue::ArrayQueue<u64>>();
        is_a_queue::<concurrent_queue::ConcurrentQueue<u64>>();
        is_a_queue::<CrossbeamChannel>();
        is_a_queue::<Kanal>();
        is_a_queue::<Flume>();
        is_a_queue::<Mutex<VecDeque<u64>>>();
    }

    fn is_a_ring<R: Rings>() {
        let (mut producer, mut consumer) = R::new(3);
        assert!(R::push(&mut producer, 1) && R::push_slice(&mut producer, &[2, 3]), "{}", R::NAME);
        assert!(!R::push(&mut producer, 4), "{}", R::NAME);
        assert_eq!(R::pop(&mut consumer), Some(1), "{}", R::NAME);
        let mut two = [0; 2];
        assert!(R::pop_slice(&mut consumer, &mut two), "{}", R::NAME);
        assert_eq!((two, R::pop(&mut consumer)), ([2, 3], None), "{}", R::NAME);
    }

    #[test]
    fn every_adapter_is_a_ring() {
        is_a_ring::<Lockwork>();
        is_a_ring::<Rtrb>();
    }
}
