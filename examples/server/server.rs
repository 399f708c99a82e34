//! The server: an accepting thread, a bounded pool, and connections that answer for themselves.
//!
//! A client is told "ready" when a worker has time for it, sends a number, and gets as an answer
//! how many primes are below. Or it is told "busy", and may come again. The server speaks first so
//! that nobody is turned away with a request on the way: to close a connection with unread bytes
//! resets it, which may overtake the answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::cancel::CancelToken;
use lockwork::pool::{PoolHandle, Prestart, RejectionPolicy, Snapshot, ThreadPool, current_token};

pub(crate) const READY: &str = "ready";
pub(crate) const BUSY: &str = "busy";

/// How long a client may take to say what it wants, as a worker waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many have an answer, and how many were told that nobody has time for them.
#[derive(Default)]
struct Counts {
    served: AtomicU64,
    turned_away: AtomicU64,
}

/// What became of a server that was stopped.
pub(crate) struct Outcome {
    pub(crate) pool: Snapshot,
    pub(crate) served: u64,
    pub(crate) turned_away: u64,
    /// Accepted before the stop, and served after it.
    pub(crate) drained: u64,
    /// Accepted before the stop, and turned away when the time was up.
    pub(crate) given_back: usize,
}

pub(crate) struct Server {
    address: SocketAddr,
    stop: CancelToken,
    counts: Arc<Counts>,
    pool: ThreadPool,
    acceptor: thread::JoinHandle<()>,
}

impl Server {
    pub(crate) fn start(threads: usize, queue: usize, policy: RejectionPolicy) -> io::Result<Self> {
        let pool = ThreadPool::builder()
            .name("server")
            .threads(threads)
            .prestart(Prestart::None)
            .queue_capacity(queue)
            .rejection(policy)
            .build()
            .map_err(io::Error::other)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (stop, counts) = (CancelToken::new(), Arc::default());
        let acceptor = {
            let (pool, stop, counts) = (pool.handle(), stop.clone(), Arc::clone(&counts));
            let body = move || accept(&listener, &pool, &stop, &counts);
            thread::Builder::new().name("acceptor".into()).spawn(body)?
        };
        Ok(Self { address, stop, counts, pool, acceptor })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cancelled when the server stops.
    pub(crate) fn stopping(&self) -> &CancelToken {
        &self.stop
    }

    /// Accepts nobody any more, serves those that were accepted, for at most `grace`; interrupts
    /// those that are served then, and turns the others away.
    pub(crate) fn stop(self, grace: Duration) -> Outcome {
        self.stop.cancel();
        // The accepting thread sleeps in the kernel, where no token reaches it: a client does. It
        // is turned away as all that come now, or finds the door closed.
        drop(TcpStream::connect(self.address));
        self.acceptor.join().expect("what is accepted may fail, accepting does not");

        let (handle, before) = (self.pool.handle(), self.pool.snapshot());
        let given_back = match self.pool.close_timeout(grace) {
            Ok(()) => 0,
            Err(running) => {
                // Who is waited for is interrupted: see `Connection::talk`.
                let pool = running.into_pool();
                let unrun = pool.shutdown_now();
                let given_back = unrun.len();
                drop(unrun); // each has a connection, which answers
                pool.await_termination();
                given_back
            }
        };
        let pool = handle.snapshot();
        Outcome {
            served: self.counts.served.load(Relaxed),
            turned_away: self.counts.turned_away.load(Relaxed),
            drained: pool.completed - before.completed,
            given_back,
            pool,
        }
    }
}

/// The loop: whoever comes is accepted, or turned away at once.
fn accept(listener: &TcpListener, pool: &PoolHandle, stop: &CancelToken, counts: &Arc<Counts>) {
    while !stop.is_cancelled() {
        match listener.accept() {
            Ok((stream, _)) if !stop.is_cancelled() => {
                let connection = Connection::new(stream, counts);
                // The policy says what happens when the queue is full. Whatever it is, nothing
                // waits for room but this thread; and a closure that comes back is dropped, with
                // the connection, which then says "busy".
                drop(pool.execute(move || connection.serve()));
            }
            Ok((stream, _)) => drop(Connection::new(stream, counts)),
            // It went away again, or there are too many open files: then it waits for some to
            // be closed, in the backlog.
            Err(_) => drop(stop.wait_for(Duration::from_millis(1))),
        }
    }
    // Those in the backlog have connected, and do not know yet that nobody has time for them.
    if listener.set_nonblocking(true).is_ok() {
        while let Ok((stream, _)) = listener.accept() {
            drop(Connection::new(stream, counts));
        }
    }
}

/// A client. Dropped by whoever has it last, it has an answer.
struct Connection {
    /// Shared with what interrupts a read.
    stream: Arc<TcpStream>,
    counts: Arc<Counts>,
    /// A worker has begun with it.
    begun: bool,
    /// It has its answer.
    answered: bool,
}

impl Connection {
    fn new(stream: TcpStream, counts: &Arc<Counts>) -> Self {
        let (stream, counts) = (Arc::new(stream), Arc::clone(counts));
        Self { stream, counts, begun: false, answered: false }
    }

    /// The task. Two pointers and two flags: it lies in the pool's queue as it is.
    fn serve(mut self) {
        self.begun = true;
        // What fails is the client's: it has gone away, or says nothing.
        let _ = self.talk();
    }

    fn talk(&mut self) -> io::Result<()> {
        let mut stream = &*self.stream;
        stream.set_read_timeout(Some(PATIENCE))?;
        // Who stops the pool without patience ends this read.
        let (interrupted, reading) = (current_token(), Arc::clone(&self.stream));
        let _guard = interrupted
            .map(|token| token.on_cancel(move || drop(reading.shutdown(Shutdown::Read))));
        writeln!(stream, "{READY}")?;
        let mut line = String::new();
        BufReader::new(stream.take(32)).read_line(&mut line)?;
        if let Ok(number @ 0..=10_000_000) = line.trim_end().parse() {
            writeln!(stream, "{}", primes_below(number))?;
            self.counts.served.fetch_add(1, Relaxed);
        } else {
            writeln!(stream, "want a number up to 10000000")?;
        }
        self.answered = true;
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        if !self.begun {
            self.counts.turned_away.fetch_add(1, Relaxed);
        }
        // A few bytes into a buffer that has room: this waits for nobody.
        let _ = writeln!(&*self.stream, "{}", if self.begun { "failed" } else { BUSY });
    }
}

/// How many primes are less than `limit`.
pub(crate) fn primes_below(limit: usize) -> usize {
    let mut composite = vec![false; limit];
    let mut primes = 0;
    for number in 2..limit {
        if !composite[number] {
            primes += 1;
            (number * number..limit)
                .step_by(number)
                .for_each(|multiple| composite[multiple] = true);
        }
    }
    primes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that has connected, and perhaps no more.
    struct Client(BufReader<TcpStream>);

    impl Client {
        fn of(server: &Server) -> Self {
            let stream = TcpStream::connect(server.address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            Self(BufReader::new(stream))
        }

        fn say(&mut self, what: &str) {
            writeln!(self.0.get_ref(), "{what}").unwrap();
        }

        fn hear(&mut self) -> String {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            line.trim_end().into()
        }
    }

    /// A server with one thread, which waits for the first client, and room for one more.
    fn one_served_and_one_queued(policy: RejectionPolicy) -> (Server, Client, Client) {
        let server = Server::start(1, 1, policy).unwrap();
        let mut served = Client::of(&server);
        assert_eq!(served.hear(), READY);
        let queued = Client::of(&server);
        while server.pool.queued() == 0 {
            thread::yield_now();
        }
        (server, served, queued)
    }

    #[test]
    fn too_many_are_turned_away_and_the_others_served_to_the_end() {
        let (server, mut served, mut queued) = one_served_and_one_queued(RejectionPolicy::Abort);
        assert_eq!(Client::of(&server).hear(), BUSY);
        let outcome = thread::scope(|s| {
            let stopping = server.stopping().clone();
            let stop = s.spawn(|| server.stop(Duration::from_secs(60)));
            stopping.wait();
            served.say("100");
            assert_eq!(served.hear(), "25");
            assert_eq!(queued.hear(), READY);
            queued.say("many");
            assert_eq!(queued.hear(), "want a number up to 10000000");
            stop.join().unwrap()
        });
        assert_eq!((outcome.served, outcome.given_back), (1, 0));
        assert_eq!((outcome.pool.completed, outcome.pool.rejected), (2, 1));
        // The one that told the accepting thread to stop may have found the door closed.
        assert!((1..=2).contains(&outcome.turned_away), "{}", outcome.turned_away);
    }

    #[test]
    fn the_oldest_makes_room() {
        let (server, mut served, mut queued) =
            one_served_and_one_queued(RejectionPolicy::DiscardOldest);
        let mut newest = Client::of(&server);
        assert_eq!(queued.hear(), BUSY);
        served.say("10");
        assert_eq!(served.hear(), "4");
        assert_eq!(newest.hear(), READY);
        newest.say("0");
        assert_eq!(newest.hear(), "0");
        assert_eq!(server.stop(Duration::from_secs(60)).pool.discarded, 1);
    }

    #[test]
    fn who_takes_too_long_is_interrupted_and_who_waits_is_told() {
        let (server, mut served, mut queued) = one_served_and_one_queued(RejectionPolicy::Abort);
        let outcome = server.stop(Duration::from_millis(1));
        assert_eq!(queued.hear(), BUSY);
        assert_eq!(served.hear(), "want a number up to 10000000", "it has said nothing");
        assert_eq!((outcome.given_back, outcome.served), (1, 0));
    }

    #[test]
    fn a_panic_is_an_answer_too() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut connection = Connection::new(listener.accept().unwrap().0, &Arc::default());
        let pool = ThreadPool::builder().threads(1).build().unwrap();
        let task = pool.submit(move || {
            connection.begun = true;
            let _answers = connection;
            std::panic::resume_unwind(Box::new(())); // without a message
        });
        assert!(task.unwrap().join().unwrap_err().is_panic());
        assert_eq!(io::read_to_string(client).unwrap(), "failed\n");
    }

    #[test]
    fn primes() {
        assert_eq!([0, 2, 3, 100, 10_000].map(primes_below), [0, 0, 1, 25, 1_229]);
    }
}
