//! The clients, which ask more than the server can do.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use lockwork::Event;
use lockwork::cancel::CancelToken;

use crate::server::{BUSY, Outcome, READY, Server, primes_below};

/// How long an answer may take before something must be wrong.
const WATCHDOG: Duration = Duration::from_secs(60);

#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) clients: usize,
    /// Of each.
    pub(crate) requests: usize,
}

/// What the clients have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) answered: u64,
    pub(crate) busy: u64,
    /// Found the server gone after it was told to stop.
    pub(crate) gone: u64,
    pub(crate) failures: Vec<String>,
}

impl Load {
    /// After how many answers the server is stopped.
    pub(crate) fn enough(&self) -> u64 {
        (self.clients * self.requests).div_ceil(2) as u64
    }

    /// Has all clients ask at once, and stops the server when half of them have their answers.
    pub(crate) fn run(&self, server: Server) -> (Seen, Outcome) {
        let (address, stopping) = (server.address(), server.stopping().clone());
        let (answers, half) = (AtomicU64::new(0), Event::manual());
        thread::scope(|s| {
            let client = |number| {
                let (answers, half, stopping) = (&answers, &half, &stopping);
                s.spawn(move || {
                    let seen = self.client(address, number, stopping, || {
                        if answers.fetch_add(1, Relaxed) + 1 == self.enough() {
                            half.set();
                        }
                    });
                    if !seen.failures.is_empty() {
                        half.set(); // no use to wait for more
                    }
                    seen
                })
            };
            let clients: Vec<_> = (0..self.clients).map(client).collect();
            half.wait();
            let outcome = server.stop(WATCHDOG);
            let mut all = Seen::default();
            for client in clients {
                let seen = client.join().expect("a client does not panic");
                all.answered += seen.answered;
                all.busy += seen.busy;
                all.gone += seen.gone;
                all.failures.extend(seen.failures);
            }
            (all, outcome)
        })
    }

    fn client(
        &self,
        address: SocketAddr,
        number: usize,
        stopping: &CancelToken,
        answered: impl Fn(),
    ) -> Seen {
        let mut seen = Seen::default();
        for request in 0..self.requests {
            let limit = 10_000 + 997 * ((number + request) % 20);
            let mut pause = Duration::from_millis(1);
            loop {
                match ask(address, limit) {
                    Ok(Some(answer)) => {
                        seen.answered += 1;
                        answered();
                        if answer != primes_below(limit).to_string() {
                            seen.failures.push(format!("below {limit}: {answer} primes"));
                        }
                        break;
                    }
                    // It comes again, less and less often; or not at all, once that is in vain.
                    Ok(None) => {
                        seen.busy += 1;
                        if stopping.wait_for(pause) {
                            return seen;
                        }
                        pause = (pause * 2).min(Duration::from_millis(16));
                    }
                    // The listening socket is closed, as it must be in the end.
                    Err(error) if stopping.is_cancelled() && is_gone(&error) => {
                        seen.gone += 1;
                        return seen;
                    }
                    Err(error) => {
                        seen.failures.push(format!("below {limit}: {error}"));
                        return seen;
                    }
                }
            }
        }
        seen
    }
}

/// One request; `None` if the server is busy.
fn ask(address: SocketAddr, limit: usize) -> io::Result<Option<String>> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(WATCHDOG))?;
    let mut reader = BufReader::new(&stream);
    let mut hear = || {
        let mut line = String::new();
        match reader.read_line(&mut line)? {
            0 => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
            _ => Ok(line.trim_end().to_owned()),
        }
    };
    let greeting = hear()?;
    if greeting == BUSY {
        return Ok(None);
    }
    if greeting != READY {
        return Err(io::Error::other(greeting));
    }
    writeln!(&stream, "{limit}")?;
    hear().map(Some)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset)
}
