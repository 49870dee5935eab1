//! The answer of a driver to a step.

use std::collections::BTreeMap;
use std::fmt;

use crate::words::{quote_runs, unquote};

/// The result of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Ok,
    /// The call waits.
    Pending,
    Data(Vec<u8>),
    Incomplete {
        partial: Vec<u8>,
        expected: String,
    },
    /// The connection failed during a read to the end, which had these bytes.
    Truncated(Vec<u8>),
    Overrun {
        consumed: usize,
    },
    /// CPython's `readline` met a line over the limit, and threw bytes away.
    LineOverrun {
        found: bool,
        dropped: usize,
    },
    Busy,
    Closed,
    Aborted,
    EofWritten,
    /// Reset by the peer, or a broken pipe. The kernel decides which of the two.
    Connection,
    Cancelled,
    /// The expected outcome did not come within the time that a step has.
    Stuck,
    /// A value as text, or an unexpected error.
    Other(String),
}

/// The visible state of a connection after a step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct State {
    /// The number of bytes that the transport has taken from the peer.
    pub(crate) received: usize,
    /// The number of those bytes that were not read.
    pub(crate) buffered: usize,
    pub(crate) reading: bool,
    pub(crate) closing: bool,
    pub(crate) closed: bool,
    pub(crate) eof: bool,
    /// True if written bytes still wait.
    pub(crate) queued: bool,
}

/// The answer to one step.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Answer {
    /// The outcomes by the names of steps: of this step, and of earlier ones that have
    /// ended by now.
    pub(crate) outcomes: BTreeMap<u32, Outcome>,
    pub(crate) state: State,
    /// The bytes and the end that the peer received.
    pub(crate) peer: Option<String>,
}

impl Answer {
    pub(crate) fn parse(line: &str) -> Option<Answer> {
        let mut parts: Vec<&str> = line.split('\t').collect();
        let state = State::parse(parts.pop()?)?;
        let mut outcomes = BTreeMap::new();
        for part in parts {
            let (name, outcome) = part.split_once('=')?;
            outcomes.insert(name.parse().ok()?, Outcome::parse(outcome));
        }
        Some(Answer {
            outcomes,
            state,
            peer: None,
        })
    }
}

impl Answer {
    /// Adds the answer to a further step, which counts as one with this.
    pub(crate) fn then(mut self, next: Answer) -> Answer {
        self.outcomes.extend(next.outcomes);
        self.state = next.state;
        self
    }
}

impl Outcome {
    fn parse(text: &str) -> Outcome {
        let other = || Outcome::Other(text.to_owned());
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["ok"] => Outcome::Ok,
            ["pending"] => Outcome::Pending,
            ["busy"] => Outcome::Busy,
            ["closed"] => Outcome::Closed,
            ["aborted"] => Outcome::Aborted,
            ["eof-written"] => Outcome::EofWritten,
            ["connection"] => Outcome::Connection,
            ["stuck"] => Outcome::Stuck,
            ["cancelled"] => Outcome::Cancelled,
            ["data", data] => unquote(data).map_or_else(other, Outcome::Data),
            ["incomplete", partial, expected] => {
                unquote(partial).map_or_else(other, |partial| Outcome::Incomplete {
                    partial,
                    expected: (*expected).to_owned(),
                })
            }
            ["truncated", data] => unquote(data).map_or_else(other, Outcome::Truncated),
            ["overrun", count] => count
                .parse()
                .map_or_else(|_| other(), |consumed| Outcome::Overrun { consumed }),
            ["line-overrun", kind, count] => count.parse().map_or_else(
                |_| other(),
                |dropped| Outcome::LineOverrun {
                    found: *kind == "found",
                    dropped,
                },
            ),
            _ => other(),
        }
    }

    /// Returns the number of bytes that it has taken from the reader.
    pub(crate) fn taken(&self) -> usize {
        match self {
            Outcome::Data(data) | Outcome::Truncated(data) => data.len(),
            Outcome::Incomplete { partial, .. } => partial.len(),
            _ => 0,
        }
    }

    /// Returns the number of bytes that it has thrown away.
    pub(crate) fn thrown_away(&self) -> usize {
        match self {
            Outcome::LineOverrun { dropped, .. } => *dropped,
            _ => 0,
        }
    }
}

impl State {
    fn parse(text: &str) -> Option<State> {
        let mut state = State::default();
        for field in text.split(' ') {
            let (name, value) = field.split_once('=')?;
            let number: usize = value.parse().ok()?;
            let flag = number != 0;
            match name {
                "received" => state.received = number,
                "buffered" => state.buffered = number,
                "reading" => state.reading = flag,
                "closing" => state.closing = flag,
                "closed" => state.closed = flag,
                "eof" => state.eof = flag,
                "queued" => state.queued = flag,
                _ => return None,
            }
        }
        Some(state)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, outcome) in &self.outcomes {
            write!(f, "{name}={outcome}  ")?;
        }
        if let Some(peer) = &self.peer {
            write!(f, "peer: {peer}  ")?;
        }
        let State {
            received, buffered, ..
        } = self.state;
        write!(f, "[{received} received, {buffered} unread")?;
        let State {
            reading,
            closing,
            closed,
            eof,
            queued,
            ..
        } = self.state;
        let flags = [
            (reading, "reading"),
            (closing, "closing"),
            (closed, "closed"),
            (eof, "at eof"),
            (queued, "write queued"),
        ];
        for (_, word) in flags.iter().filter(|(is_so, _)| *is_so) {
            write!(f, ", {word}")?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Data(data) => f.write_str(&quote_runs(data)),
            Outcome::Truncated(data) => write!(f, "Truncated({})", quote_runs(data)),
            Outcome::Incomplete { partial, expected } => {
                write!(f, "Incomplete({}, {expected})", quote_runs(partial))
            }
            Outcome::Other(text) => f.write_str(text),
            other => write!(f, "{other:?}"),
        }
    }
}
