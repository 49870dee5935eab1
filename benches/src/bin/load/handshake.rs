//! The case of connections over TLS that have one byte sent back, and close.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use socket2::{SockAddr, Socket};

use crate::noise::Noise;
use crate::result::Measured;
use crate::server::Server;
use crate::sources::Sources;
use crate::tls::{Client, Session};
use crate::visits;
use crate::wire;

/// Measures operations that last from connecting to the end of the server's data, this
/// many at any time. In the case of resumed sessions, all but the first ones have to be
/// resumed.
pub(crate) fn run(
    address: &SockAddr,
    server: Server,
    time: Duration,
    connections: usize,
    client: &Client,
    resumes: bool,
) -> Result<Measured> {
    let mut sources = Sources::new();
    visits::run(server, time, connections, |place, poll, first| {
        let since = Instant::now();
        let socket = sources.connect(address)?;
        Ok(Visit {
            socket: wire::register(socket, place, poll)?,
            session: Session::begin(client, place)?,
            resumes: resumes && !first,
            state: State::Connecting,
            since,
        })
    })
}

struct Visit {
    socket: Socket,
    session: Session,
    /// True if the session has to be resumed.
    resumes: bool,
    state: State,
    since: Instant,
}

#[derive(PartialEq)]
enum State {
    Connecting,
    Greeting,
    Sent,
    Answered,
}

impl visits::Visit for Visit {
    fn since(&self) -> Instant {
        self.since
    }

    fn go_on(&mut self, place: usize, noise: &Noise) -> Result<bool> {
        if self.state == State::Connecting {
            if !visits::is_connected(&self.socket)? {
                return Ok(false);
            }
            self.session.flush(&self.socket)?;
            self.state = State::Greeting;
        }
        loop {
            let mut answer = Vec::new();
            let received = self.session.receive(&self.socket, &mut |bytes| {
                answer.extend_from_slice(bytes);
                Ok(())
            })?;
            if self.state == State::Greeting && self.session.is_established() {
                ensure!(
                    self.session.is_resumed() == self.resumes,
                    "a session was resumed where it should not, or not where it should"
                );
                let written = self.session.write(&self.socket, noise.piece(place, 1))?;
                written.context("no room for one byte")?;
                self.state = State::Sent;
            }
            if !answer.is_empty() {
                ensure!(
                    self.state == State::Sent && answer.len() == 1,
                    "more came back than was sent"
                );
                noise.check(place, &answer)?;
                self.session.end(&self.socket)?;
                self.socket.shutdown(Shutdown::Write)?;
                self.state = State::Answered;
            }
            match received {
                None => return Ok(false),
                Some(0) => break,
                Some(_) => {}
            }
        }
        ensure!(
            self.state == State::Answered && self.session.has_ended(),
            "the server did not close in peace"
        );
        Ok(true)
    }
}
