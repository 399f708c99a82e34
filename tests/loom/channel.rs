//! Channels: values change hands once, whoever gives up has its value back, and the end comes after
//! all that was sent. Where a channel has places, `blocking_queue` is about those.

use std::sync::Arc;
use std::time::Duration;

use lockwork::model::{Explore, enter_forked_child, interrupt_sleepers, thread};
use lockwork::queue::channel::{
    self, Receiver, RecvError, SendError, SendTimeoutError, Sender, TrySendError,
};
use lockwork::{Event, TakenKind, Waitable, wait_any};

use crate::support::{Watched, let_sleep};

/// A licence to time out at any moment: see the model's notes on time.
const SOON: Duration = Duration::from_secs(1);

fn join<T: 'static>(handle: thread::JoinHandle<T>) -> T {
    handle.join().unwrap()
}

// Rendezvous.

/// Each side sees what the other did before.
#[test]
fn hand_over() {
    Explore::new("rendezvous, hand-over").preemptions(4).at_least(100).run(&[(1, 2)], || {
        let (sender, receiver) = channel::rendezvous();
        let (given, mine) = (Watched::new(0), Watched::new(0));
        let theirs = mine.clone();
        given.set(1);
        let taker = thread::spawn(move || {
            theirs.set(2);
            let given: Watched = receiver.recv().unwrap();
            (given.get(), receiver)
        });
        sender.send(given).map_err(drop).unwrap();
        // A receiver that was served has done its part long ago; one that serves, too.
        let seen = mine.get();
        let (given, _receiver) = join(taker);
        (given, seen)
    });
}

/// A send that does not wait succeeds only if somebody waits, who then has the value.
#[test]
fn try_send_and_recv() {
    Explore::new("rendezvous, try_send").preemptions(3).at_least(30).run(
        &[(Ok(()), Some(1)), (Err(1), None)],
        || {
            let (sender, receiver) = channel::rendezvous();
            let taker = thread::spawn(move || receiver.recv());
            let sent = sender.try_send(1).map_err(TrySendError::into_inner);
            drop(sender);
            (sent, join(taker).ok())
        },
    );
}

/// The value is received in time or comes back, and both sides agree on which.
#[test]
fn timed_send() {
    Explore::new("rendezvous, timed send").preemptions(2).at_least(100).run(
        &[(Ok(()), Some(1)), (Err(1), None)],
        || {
            let (sender, receiver) = channel::rendezvous();
            let taker = thread::spawn(move || receiver.recv());
            let sent = sender.send_timeout(1, SOON).map_err(SendTimeoutError::into_inner);
            drop(sender);
            (sent, join(taker).ok())
        },
    );
}

/// The same, with the receiver in a hurry.
#[test]
fn timed_recv() {
    Explore::new("rendezvous, timed receive").preemptions(3).at_least(100).run(
        &[(Ok(()), Some(1)), (Err(1), None)],
        || {
            let (sender, receiver) = channel::rendezvous();
            let taker = thread::spawn(move || receiver.recv_timeout(SOON));
            let sent = sender.send(1).map_err(SendError::into_inner);
            (sent, join(taker).ok())
        },
    );
}

/// Who gives up stands between two others.
#[test]
fn giving_up_between_others() {
    Explore::new("rendezvous, giving up").without_strict_wakes().preemptions(1).at_least(500).run(
        &[(false, vec![2]), (true, vec![2, 1])],
        || {
            let (sender, receiver) = channel::rendezvous();
            let other = sender.clone();
            let hurried = thread::spawn(move || sender.send_timeout(1, SOON).is_err());
            let patient = thread::spawn(move || other.send(2).unwrap());
            let mut values: Vec<u32> = receiver.iter().collect();
            let gave_up = join(hurried);
            join(patient);
            values.sort_by(|a, b| b.cmp(a));
            assert_eq!(values.contains(&1), !gave_up);
            (!gave_up, values)
        },
    );
}

#[test]
fn two_senders_one_receiver() {
    Explore::new("rendezvous, 2 senders").without_strict_wakes().preemptions(1).at_least(500).run(
        &[vec![1, 2], vec![2, 1]],
        || {
            let (sender, receiver) = channel::rendezvous();
            let senders = [(1, sender.clone()), (2, sender)]
                .map(|(value, sender)| thread::spawn(move || sender.send(value).unwrap()));
            let values: Vec<u32> = receiver.iter().collect();
            senders.into_iter().for_each(join);
            values
        },
    );
}

#[test]
fn one_sender_two_receivers() {
    Explore::new("rendezvous, 2 receivers")
        .without_strict_wakes()
        .preemptions(1)
        .at_least(300)
        .run(&[[Some(1), None], [None, Some(1)]], || {
            let (sender, receiver) = channel::rendezvous();
            let receivers =
                [receiver.clone(), receiver].map(|receiver| thread::spawn(move || receiver.recv()));
            sender.send(1).unwrap();
            drop(sender);
            receivers.map(|receiver| join(receiver).ok())
        });
}

/// Senders that wait when the last receiver goes have their values back.
#[test]
fn receiver_goes() {
    Explore::new("rendezvous, receiver goes").preemptions(3).at_least(50).run(&[1], || {
        let (sender, receiver) = channel::rendezvous::<u32>();
        let waiter = thread::spawn(move || sender.send(1).unwrap_err().into_inner());
        drop(receiver);
        join(waiter)
    });
}

#[test]
fn sender_goes() {
    Explore::new("rendezvous, sender goes").preemptions(3).at_least(50).run(&[true], || {
        let (sender, receiver) = channel::rendezvous::<u32>();
        let waiter = thread::spawn(move || receiver.recv() == Err(RecvError));
        drop(sender);
        join(waiter)
    });
}

#[test]
fn interrupted() {
    Explore::new("rendezvous, signals").preemptions(2).signals(2).at_least(100).run(&[1], || {
        let (sender, receiver) = channel::rendezvous();
        let taker = thread::spawn(move || receiver.recv().unwrap());
        sender.send(1).unwrap();
        join(taker)
    });
}

/// In the child of a fork nobody serves those who waited at the time, and none of them is touched.
/// The thread that waited is there in the child too, as if a signal handler of its had forked: it
/// waits again, and is served.
#[test]
fn forked_in_the_middle_of_a_wait() {
    Explore::new("rendezvous, fork").preemptions(2).at_least(50).run(&[(true, 2)], || {
        loom::stop_exploring();
        let (sender, receiver) = channel::rendezvous();
        let taker = thread::spawn(move || receiver.recv().unwrap());
        let_sleep(1);
        enter_forked_child();
        loom::explore();
        let nobody = sender.try_send(1).is_err();
        interrupt_sleepers();
        sender.send(2).unwrap();
        (nobody, join(taker))
    });
}

/// The same, with a sender, who has its value still.
#[test]
fn forked_in_the_middle_of_a_send() {
    Explore::new("rendezvous, fork, send").preemptions(2).at_least(50).run(&[(true, 1)], || {
        loom::stop_exploring();
        let (sender, receiver) = channel::rendezvous();
        let giver = thread::spawn(move || sender.send(1).unwrap());
        let_sleep(1);
        enter_forked_child();
        loom::explore();
        let nobody = receiver.try_recv().is_err();
        interrupt_sleepers();
        let value = receiver.recv().unwrap();
        join(giver);
        (nobody, value)
    });
}

/// Who waits for several things is told of a sender that waits, and has what it offers.
#[test]
fn wait_any_for_a_sender() {
    Explore::new("rendezvous, wait_any").preemptions(2).at_least(100).run(&[1], || {
        let (sender, receiver) = channel::rendezvous();
        let giver = thread::spawn(move || sender.send(1).unwrap());
        let never = Event::manual();
        let list: [&dyn Waitable; 2] = [&never, &receiver];
        assert_eq!(wait_any(&list).index, 1);
        let value = receiver.try_recv().unwrap();
        join(giver);
        value
    });
}

#[test]
fn wait_any_for_the_end() {
    Explore::new("rendezvous, wait_any and the end").preemptions(2).at_least(50).run(
        &[true],
        || {
            let (sender, receiver) = channel::rendezvous::<u32>();
            let goes = thread::spawn(move || drop(sender));
            let closed = matches!(wait_any(&[&receiver]).kind, TakenKind::Closed);
            join(goes);
            closed
        },
    );
}

// With places.

/// What was sent is received, also by who finds the last sender gone.
#[test]
fn last_sender_leaves_its_value() {
    Explore::new("channel, last sender").preemptions(3).at_least(500).run(
        &[(Some(1), None)],
        || {
            let (sender, receiver) = channel::bounded(1);
            let producer = thread::spawn(move || sender.send(1).unwrap());
            let received = (receiver.recv().ok(), receiver.recv().ok());
            join(producer);
            received
        },
    );
}

fn ends() -> (Sender<u32>, Receiver<u32>) {
    channel::bounded(1)
}

/// Whoever is told that there are no senders sees what each of them did before it went.
#[test]
fn disconnected_sees_all_senders() {
    Explore::new("channel, two senders go").preemptions(2).at_least(100).run(&[(1, 2)], || {
        let (sender, receiver) = ends();
        let done = [Watched::new(0), Watched::new(0)];
        let senders = [(0, sender.clone()), (1, sender)].map(|(n, sender)| {
            let done = done[n].clone();
            thread::spawn(move || {
                done.set(n as u32 + 1);
                drop(sender);
            })
        });
        assert_eq!(receiver.recv(), Err(RecvError));
        let seen = (done[0].get(), done[1].get());
        senders.into_iter().for_each(join);
        seen
    });
}

/// Whoever is told that there are no receivers sees what each of them did before it went. A push
/// that finds the end has no fence after its look, which in the model would hide a weaker count.
#[test]
fn disconnected_sees_all_receivers() {
    Explore::new("channel, two receivers go").preemptions(2).at_least(10).run(
        &[None, Some((1, 2))],
        || {
            let (sender, receiver) = ends();
            let done = [Watched::new(0), Watched::new(0)];
            let receivers = [(0, receiver.clone()), (1, receiver)].map(|(n, receiver)| {
                let done = done[n].clone();
                thread::spawn(move || {
                    done.set(n as u32 + 1);
                    drop(receiver);
                })
            });
            let seen = match sender.try_send(7) {
                Err(TrySendError::Disconnected(_)) => Some((done[0].get(), done[1].get())),
                sent => {
                    sent.unwrap();
                    None
                }
            };
            receivers.into_iter().for_each(join);
            seen
        },
    );
}

/// A sender that sleeps when the last receiver goes, and the value that was there.
#[test]
fn last_receiver_drops_what_is_left() {
    Explore::new("channel, last receiver").preemptions(2).at_least(200).run(&[true], || {
        let (sender, receiver) = channel::bounded(1);
        // The channel itself goes with this, when all threads are done.
        let _stays = sender.clone();
        let value = Arc::new(());
        let watch = Arc::downgrade(&value);
        sender.send(value.clone()).unwrap();
        let waiter = thread::spawn(move || sender.send(value).is_err());
        drop(receiver);
        let refused = join(waiter);
        refused && watch.upgrade().is_none()
    });
}
