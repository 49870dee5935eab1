//! The cases: each is a load for the servers.

use super::peers::Peer;

/// A case.
#[derive(Debug)]
pub(crate) struct Case {
    /// The name, for `--case`.
    pub(crate) name: &'static str,
    /// The title in the tables.
    pub(crate) title: &'static str,
    pub(crate) work: Work,
}

/// The work of the load generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A message of this many bytes on each of this many connections. The next message
    /// follows when it has come back.
    PingPong(usize, usize),
    /// One connection, with at most this many bytes in flight; 0 means as many as the
    /// kernel takes.
    Bulk(usize),
    /// Connect, have one byte sent back, close; this many connections at a time.
    Connect(usize),
    /// Lines of 100 bytes, which the server reads in this way and counts.
    Lines(Reads),
    /// This many idle connections, after this many bytes have gone over each of them
    /// and back.
    Idle(usize, usize),
    /// The server's start, until its line `listening on`.
    Start,
    /// Work over TLS.
    Tls(Flow),
    /// Work over a Unix socket.
    Unix(&'static Work),
}

/// Work over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The work of [`Work::PingPong`].
    PingPong(usize, usize),
    /// One connection, on which the server sends as much as it can.
    Source,
    /// One connection, on which the server receives as much as it can.
    Sink,
    /// The work of [`Work::Connect`], with a new session for each connection.
    Handshake(usize),
    /// The work of [`Work::Connect`], with a resumed session for each connection.
    Resume(usize),
}

impl Flow {
    /// Returns the service that the server offers.
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
            Self::PingPong(..) | Self::Handshake(_) | Self::Resume(_) => "echo",
        }
    }
}

/// The way in which a server reads lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Line by line, up to `\n`.
    Readline,
    /// Line by line, up to `\r\n`.
    Readuntil,
    /// All lines that have arrived, if the server has such a read.
    Readlines,
}

impl Reads {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Readline => "readline",
            Self::Readuntil => "readuntil",
            Self::Readlines => "readlines",
        }
    }
}

const fn case(name: &'static str, title: &'static str, work: Work) -> Case {
    Case { name, title, work }
}

/// All cases, in the order of the tables.
pub(crate) const CASES: [Case; 25] = [
    case(
        "ping-pong-64x1",
        "64 B ping-pong, 1 connection",
        Work::PingPong(64, 1),
    ),
    case(
        "ping-pong-64x64",
        "64 B ping-pong, 64 connections",
        Work::PingPong(64, 64),
    ),
    case(
        "ping-pong-64x1000",
        "64 B ping-pong, 1000 connections",
        Work::PingPong(64, 1000),
    ),
    case(
        "ping-pong-4kx1",
        "4 KiB ping-pong, 1 connection",
        Work::PingPong(4096, 1),
    ),
    case(
        "ping-pong-4kx64",
        "4 KiB ping-pong, 64 connections",
        Work::PingPong(4096, 64),
    ),
    case(
        "ping-pong-4kx1000",
        "4 KiB ping-pong, 1000 connections",
        Work::PingPong(4096, 1000),
    ),
    case(
        "ping-pong-16kx1",
        "16 KiB ping-pong, 1 connection",
        Work::PingPong(16384, 1),
    ),
    case(
        "ping-pong-16kx64",
        "16 KiB ping-pong, 64 connections",
        Work::PingPong(16384, 64),
    ),
    case(
        "ping-pong-16kx1000",
        "16 KiB ping-pong, 1000 connections",
        Work::PingPong(16384, 1000),
    ),
    case("bulk", "bulk echo, 1 connection", Work::Bulk(0)),
    case(
        "bulk-256k",
        "bulk echo, 256 KiB in flight",
        Work::Bulk(256 << 10),
    ),
    case(
        "connect",
        "connect, echo a byte, close; 16 at a time",
        Work::Connect(16),
    ),
    case(
        "readline",
        "readline, 100-byte lines",
        Work::Lines(Reads::Readline),
    ),
    case(
        "readuntil",
        "readuntil, 100-byte lines",
        Work::Lines(Reads::Readuntil),
    ),
    case(
        "lines-in-batches",
        "100-byte lines, ours in batches",
        Work::Lines(Reads::Readlines),
    ),
    case("idle", "10 000 idle connections", Work::Idle(10_000, 0)),
    case(
        "idle-after-traffic",
        "500 idle connections, after 1 MiB over each",
        Work::Idle(500, 1 << 20),
    ),
    case("start", "start to `listening`", Work::Start),
    case(
        "tls-send",
        "TLS: the server sends, 1 connection",
        Work::Tls(Flow::Source),
    ),
    case(
        "tls-receive",
        "TLS: the server receives, 1 connection",
        Work::Tls(Flow::Sink),
    ),
    case(
        "tls-ping-pong",
        "TLS: 64 B ping-pong, 64 connections",
        Work::Tls(Flow::PingPong(64, 64)),
    ),
    case(
        "tls-handshake",
        "TLS: handshake, echo a byte, close; 16 at a time",
        Work::Tls(Flow::Handshake(16)),
    ),
    case(
        "tls-resume",
        "TLS: the same, sessions resumed",
        Work::Tls(Flow::Resume(16)),
    ),
    case(
        "unix-ping-pong",
        "Unix socket: 64 B ping-pong, 64 connections",
        Work::Unix(&Work::PingPong(64, 64)),
    ),
    case(
        "unix-bulk",
        "Unix socket: bulk echo, 1 connection",
        Work::Unix(&Work::Bulk(0)),
    ),
];

impl Case {
    /// Returns true if this peer can serve the case.
    pub(crate) fn is_for(&self, peer: Peer) -> bool {
        match (peer, self.work) {
            (Peer::RawEpoll, Work::Lines(_)) => false,
            (Peer::RawEpoll | Peer::TokioWasip2 | Peer::Uvloop, Work::Tls(_)) => false,
            (Peer::TokioWasip2, Work::Unix(_)) => false,
            (Peer::Stream, work) => matches!(work, Work::Bulk(_)),
            _ => true,
        }
    }
}

impl Work {
    /// Returns true if earlier rounds would affect the figures of a server.
    pub(crate) fn needs_a_fresh_server(self) -> bool {
        matches!(self, Self::Idle(..) | Self::Start)
    }

    /// Returns the load generator's arguments for rounds of this length.
    pub(crate) fn arguments(self, milliseconds: u32, quick: bool) -> (&'static str, Vec<String>) {
        let time = milliseconds as usize;
        let (name, numbers) = match self {
            Self::PingPong(bytes, connections) => ("ping-pong", vec![time, bytes, connections]),
            Self::Bulk(window) => ("bulk", vec![time, window]),
            Self::Connect(connections) => ("connect", vec![time, connections]),
            Self::Lines(_) => ("lines", vec![time]),
            Self::Idle(connections, bytes) => {
                let connections = if quick { connections / 10 } else { connections };
                ("idle", vec![connections, bytes])
            }
            Self::Start => ("start", Vec::new()),
            Self::Tls(flow) => match flow {
                Flow::PingPong(bytes, connections) => ("ping-pong", vec![time, bytes, connections]),
                Flow::Source => ("source", vec![time]),
                Flow::Sink => ("sink", vec![time]),
                Flow::Handshake(connections) => ("handshake", vec![time, connections]),
                Flow::Resume(connections) => ("resume", vec![time, connections]),
            },
            Self::Unix(work) => return work.arguments(milliseconds, quick),
        };
        (name, numbers.iter().map(ToString::to_string).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_cases_have_one_name() {
        let mut names = CASES.map(|case| case.name);
        names.sort_unstable();
        assert!(names.array_windows().all(|[one, next]| one != next));
    }

    #[test]
    fn the_load_generator_is_told_what_to_do() {
        let (name, numbers) = Work::PingPong(64, 1000).arguments(500, false);
        assert_eq!(
            (name, numbers.join(" ")),
            ("ping-pong", "500 64 1000".to_owned())
        );
        let (name, numbers) = Work::Idle(10_000, 5).arguments(500, true);
        assert_eq!((name, numbers.join(" ")), ("idle", "1000 5".to_owned()));
        let (name, numbers) = Work::Tls(Flow::Resume(16)).arguments(500, false);
        assert_eq!((name, numbers.join(" ")), ("resume", "500 16".to_owned()));
        let (name, numbers) = Work::Unix(&Work::Bulk(0)).arguments(500, false);
        assert_eq!((name, numbers.join(" ")), ("bulk", "500 0".to_owned()));
    }

    #[test]
    fn unix_sockets_are_for_all_but_those_that_have_none() {
        let cases = CASES
            .iter()
            .filter(|case| matches!(case.work, Work::Unix(_)));
        for case in cases {
            let without = [Peer::TokioWasip2, Peer::Stream];
            for peer in Peer::ALL {
                assert_eq!(case.is_for(peer), !without.contains(&peer), "{peer:?}");
            }
        }
    }
}
