//! The targets: promises about figures.

use super::figures::{self, Metric, Results};
use super::peers::Peer;

use Base::{Case, Only, Peer as Of};
use Bound::{AtLeast, AtMost};

/// A promise about one figure.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) title: &'static str,
    case: &'static str,
    peer: Peer,
    metric: Metric,
    base: Base,
    bound: Bound,
}

/// The divisor of the figure.
#[derive(Debug)]
enum Base {
    /// The figure of this peer in the same case.
    Peer(Peer),
    /// The figure of the same peer in this case.
    Case(&'static str),
    /// A unit, with its name.
    Only(f64, &'static str),
}

#[derive(Debug)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// The verdict on a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    Met(f64),
    Missed(f64),
    /// One of the figures was not measured.
    Unknown,
}

const fn target(
    title: &'static str,
    (case, peer, metric): (&'static str, Peer, Metric),
    base: Base,
    bound: Bound,
) -> Target {
    Target {
        title,
        case,
        peer,
        metric,
        base,
        bound,
    }
}

const SMALL: (&str, Peer, Metric) = ("ping-pong-64x64", Peer::Static, Metric::Cpu);
const MANY: (&str, Peer, Metric) = ("ping-pong-64x1000", Peer::Static, Metric::Cpu);
const COMPOSED: (&str, Peer, Metric) = ("ping-pong-64x64", Peer::Composed, Metric::Cpu);
const BULK: (&str, Peer, Metric) = ("bulk", Peer::Static, Metric::Rate);
const WINDOW: (&str, Peer, Metric) = ("bulk-256k", Peer::Static, Metric::Cpu);
const LARGE: (&str, Peer, Metric) = ("ping-pong-16kx64", Peer::Static, Metric::Cpu);
const LINES: (&str, Peer, Metric) = ("readline", Peer::Static, Metric::Rate);
const BATCHES: (&str, Peer, Metric) = ("lines-in-batches", Peer::Composed, Metric::Rate);
const STREAM: (&str, Peer, Metric) = ("bulk", Peer::Stream, Metric::Rate);
const CONNECT: (&str, Peer, Metric) = ("connect", Peer::Static, Metric::Rate);
const TLS_SEND: (&str, Peer, Metric) = ("tls-send", Peer::Static, Metric::Rate);
const TLS_RECEIVE: (&str, Peer, Metric) = ("tls-receive", Peer::Static, Metric::Rate);
const HANDSHAKE: (&str, Peer, Metric) = ("tls-handshake", Peer::Static, Metric::Rate);
const RESUME: (&str, Peer, Metric) = ("tls-resume", Peer::Static, Metric::Rate);
const UNIX: (&str, Peer, Metric) = ("unix-ping-pong", Peer::Static, Metric::Cpu);
const UNIX_COMPOSED: (&str, Peer, Metric) = ("unix-ping-pong", Peer::Composed, Metric::Cpu);
const UNIX_BULK: (&str, Peer, Metric) = ("unix-bulk", Peer::Static, Metric::Rate);

/// All targets, in the order of the issues.
pub(crate) const TARGETS: [Target; 28] = [
    target(
        "64 B ping-pong, 64 connections, static: CPU",
        SMALL,
        Of(Peer::Asyncio),
        AtMost(0.65),
    ),
    target(
        "64 B ping-pong, 64 connections, static: CPU",
        SMALL,
        Of(Peer::Uvloop),
        AtMost(0.8),
    ),
    target(
        "64 B ping-pong, 64 connections, static: CPU",
        SMALL,
        Of(Peer::RawEpoll),
        AtMost(1.5),
    ),
    target(
        "the same at 1000 connections: CPU",
        MANY,
        Case("ping-pong-64x64"),
        AtMost(1.15),
    ),
    target(
        "64 B ping-pong, 64 connections, composed: CPU",
        COMPOSED,
        Of(Peer::Static),
        AtMost(1.6),
    ),
    target(
        "bulk echo, static: rate",
        BULK,
        Of(Peer::RawEpoll),
        AtLeast(0.9),
    ),
    target(
        "bulk echo, static: rate",
        BULK,
        Of(Peer::Asyncio),
        AtLeast(2.0),
    ),
    target(
        "bulk echo, 256 KiB in flight, static: CPU",
        WINDOW,
        Of(Peer::RawEpoll),
        AtMost(1.3),
    ),
    target(
        "16 KiB ping-pong, 64 connections, static: CPU",
        LARGE,
        Of(Peer::RawEpoll),
        AtMost(1.5),
    ),
    target(
        "readline, static: rate",
        LINES,
        Of(Peer::Asyncio),
        AtLeast(10.0),
    ),
    target(
        "readline, static: rate",
        LINES,
        Of(Peer::Tokio),
        AtLeast(0.7),
    ),
    target(
        "lines in batches, composed: rate",
        BATCHES,
        Of(Peer::Asyncio),
        AtLeast(5.0),
    ),
    target(
        "bulk echo, composed, `stream<u8>`: rate",
        STREAM,
        Of(Peer::RawEpoll),
        AtLeast(0.7),
    ),
    target(
        "connect, echo a byte, close, static: rate",
        CONNECT,
        Of(Peer::Asyncio),
        AtLeast(1.5),
    ),
    target(
        "connect, echo a byte, close, static: rate",
        CONNECT,
        Of(Peer::Tokio),
        AtLeast(0.6),
    ),
    target(
        "idle connection, static: memory",
        ("idle", Peer::Static, Metric::Memory),
        Only(1024.0, "KiB"),
        AtMost(8.0),
    ),
    target(
        "idle connection, composed: memory",
        ("idle", Peer::Composed, Metric::Memory),
        Only(1024.0, "KiB"),
        AtMost(8.0),
    ),
    target(
        "start to `listening`, static",
        ("start", Peer::Static, Metric::Start),
        Only(1e6, "ms"),
        AtMost(15.0),
    ),
    target(
        "start to `listening`, composed",
        ("start", Peer::Composed, Metric::Start),
        Only(1e6, "ms"),
        AtMost(15.0),
    ),
    target(
        "TLS: the server sends, static: rate",
        TLS_SEND,
        Of(Peer::Tokio),
        AtLeast(0.8),
    ),
    target(
        "TLS: the server receives, static: rate",
        TLS_RECEIVE,
        Of(Peer::Tokio),
        AtLeast(0.8),
    ),
    target(
        "TLS: handshake, echo a byte, close, static: rate",
        HANDSHAKE,
        Of(Peer::Tokio),
        AtLeast(0.7),
    ),
    target(
        "TLS: the same, sessions resumed, static: rate",
        RESUME,
        Of(Peer::Tokio),
        AtLeast(0.7),
    ),
    target(
        "Unix socket: 64 B ping-pong, 64 connections, static: CPU",
        UNIX,
        Of(Peer::Asyncio),
        AtMost(0.65),
    ),
    target(
        "Unix socket: 64 B ping-pong, 64 connections, static: CPU",
        UNIX,
        Of(Peer::Uvloop),
        AtMost(0.8),
    ),
    target(
        "Unix socket: 64 B ping-pong, 64 connections, composed: CPU",
        UNIX_COMPOSED,
        Of(Peer::Static),
        AtMost(1.6),
    ),
    target(
        "Unix socket: bulk echo, static: rate",
        UNIX_BULK,
        Of(Peer::Tokio),
        AtLeast(0.5),
    ),
    target(
        "Unix socket: bulk echo, static: rate",
        UNIX_BULK,
        Of(Peer::Asyncio),
        AtLeast(2.0),
    ),
];

impl Target {
    /// Returns the promise as text, such as `at most 0.65 of asyncio`.
    pub(crate) fn promise(&self) -> String {
        let bound = match self.bound {
            AtMost(bound) => format!("at most {bound}"),
            AtLeast(bound) => format!("at least {bound}"),
        };
        match self.base {
            Of(peer) => format!("{bound} of {}", peer.name()),
            Case(case) => format!("{bound} of {case}"),
            Only(_, unit) => format!("{bound} {unit}"),
        }
    }

    pub(crate) fn verdict(&self, results: &Results) -> Verdict {
        let figure = |(case, peer)| results.get(&(case, peer))?.get(&self.metric).copied();
        let base = match self.base {
            Only(unit, _) => Some(unit),
            _ => self.base().and_then(figure),
        };
        let (Some(figure), Some(base)) = (figure((self.case, self.peer)), base) else {
            return Verdict::Unknown;
        };
        let value = figure / base;
        let met = match self.bound {
            AtMost(bound) => value <= bound,
            AtLeast(bound) => value >= bound,
        };
        match met {
            true => Verdict::Met(value),
            false => Verdict::Missed(value),
        }
    }

    /// Returns true if the target is about rates, and the load generator set one of them.
    pub(crate) fn is_bounded_by_the_load(&self, results: &Results) -> bool {
        let measured = std::iter::once((self.case, self.peer)).chain(self.base());
        self.metric == Metric::Rate
            && measured
                .filter_map(|place| results.get(&place))
                .any(figures::is_bounded_by_the_load)
    }

    /// Returns case and peer of the divisor, if it is a figure.
    fn base(&self) -> Option<(&'static str, Peer)> {
        match self.base {
            Of(peer) => Some((self.case, peer)),
            Case(case) => Some((case, self.peer)),
            Only(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cases::CASES;
    use crate::bench::figures::Figures;

    fn results(figures: &[(&'static str, Peer, Metric, f64)]) -> Results {
        let mut results = Results::new();
        for &(case, peer, metric, value) in figures {
            let figures: &mut Figures = results.entry((case, peer)).or_default();
            figures.insert(metric, value);
        }
        results
    }

    #[test]
    fn targets_name_cases_and_peers_that_are_measured() {
        for target in &TARGETS {
            let case = |name| CASES.iter().find(|case| case.name == name);
            assert!(case(target.case).is_some_and(|case| case.is_for(target.peer)));
            match target.base {
                Of(peer) => assert!(case(target.case).is_some_and(|case| case.is_for(peer))),
                Case(name) => assert!(case(name).is_some()),
                Only(..) => {}
            }
        }
    }

    #[test]
    fn a_ratio_is_held_against_its_bound() {
        let [first, ..] = &TARGETS;
        assert_eq!(first.promise(), "at most 0.65 of asyncio");
        let with = |ours| {
            results(&[
                (SMALL.0, SMALL.1, SMALL.2, ours),
                (SMALL.0, Peer::Asyncio, SMALL.2, 10.0),
            ])
        };
        assert_eq!(first.verdict(&with(6.0)), Verdict::Met(0.6));
        assert_eq!(first.verdict(&with(8.0)), Verdict::Missed(0.8));
        assert_eq!(first.verdict(&results(&[])), Verdict::Unknown);
    }

    #[test]
    fn more_connections_are_held_against_fewer_and_memory_against_its_unit() {
        let of = |metric: Metric, base: fn(&Target) -> bool| {
            TARGETS
                .iter()
                .find(|target| target.metric == metric && base(target))
        };
        let many = of(Metric::Cpu, |target: &Target| {
            matches!(target.base, Case(_))
        });
        let cpu = results(&[
            (SMALL.0, SMALL.1, SMALL.2, 10.0),
            (MANY.0, MANY.1, MANY.2, 11.0),
        ]);
        assert_eq!(
            many.map(|target| target.verdict(&cpu)),
            Some(Verdict::Met(1.1))
        );
        let idle = of(Metric::Memory, |_: &Target| true);
        let memory = results(&[("idle", Peer::Static, Metric::Memory, 10240.0)]);
        assert_eq!(
            idle.map(|target| target.verdict(&memory)),
            Some(Verdict::Missed(10.0))
        );
        assert_eq!(idle.map(Target::promise), Some("at most 8 KiB".to_owned()));
    }

    #[test]
    fn a_rate_that_the_load_generator_set_is_known() {
        let target = TARGETS
            .iter()
            .find(|target| target.case == BULK.0)
            .unwrap_or(&TARGETS[0]);
        let with = |metric, busy| {
            results(&[
                (BULK.0, BULK.1, BULK.2, 1.0),
                (BULK.0, Peer::RawEpoll, metric, busy),
            ])
        };
        assert!(target.is_bounded_by_the_load(&with(Metric::Busy, 0.99)));
        assert!(!target.is_bounded_by_the_load(&with(Metric::Busy, 0.9)));
        assert!(!target.is_bounded_by_the_load(&with(Metric::Share, 0.99)));
    }
}
