//! What is measured.

use super::peers::Peer;

/// One load.
#[derive(Debug)]
pub(crate) struct Case {
    /// As one writes it after `--case`.
    pub(crate) name: &'static str,
    /// As it stands in the tables.
    pub(crate) title: &'static str,
    pub(crate) work: Work,
}

/// What the load generator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A message of this many bytes on each of this many connections, and the
    /// next one once it has come back.
    PingPong(usize, usize),
    /// One connection, with so many bytes on their way; with 0, as many as the
    /// system takes.
    Bulk(usize),
    /// Connect, have one byte sent back, close; so many at a time.
    Connect(usize),
    /// Lines of 100 bytes, which the server reads so and counts.
    Lines(Reads),
    /// So many connections on which nothing happens any more, after so many bytes
    /// have gone over each and back.
    Idle(usize, usize),
    /// From starting the server to its line `listening on`.
    Start,
    /// Over TLS.
    Tls(Flow),
    /// The same over a Unix socket.
    Unix(&'static Work),
}

/// What goes over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// As [`Work::PingPong`].
    PingPong(usize, usize),
    /// One connection, on which the server sends as much as it can.
    Source,
    /// One connection, on which it receives as much as it can.
    Sink,
    /// As [`Work::Connect`], with a new session for each connection.
    Handshake(usize),
    /// With an earlier session for each.
    Resume(usize),
}

impl Flow {
    /// What the server has to be.
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
            Self::PingPong(..) | Self::Handshake(_) | Self::Resume(_) => "echo",
        }
    }
}

/// How a server reads lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// One by one, up to `\n`.
    Readline,
    /// One by one, up to `\r\n`.
    Readuntil,
    /// All that are there, where there is such a read.
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

/// All, in the order of the tables.
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
    /// Whether there is anything to compare with this peer.
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
    /// Whether what came before would show in what is measured.
    pub(crate) fn needs_a_fresh_server(self) -> bool {
        matches!(self, Self::Idle(..) | Self::Start)
    }

    /// What the load generator is told to do for so long.
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
