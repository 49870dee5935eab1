//! TEMPORARY: differences that this test has found and that nobody has decided
//! on yet: to be mended here, or to become departures. Each is as narrow as a
//! departure. Nothing may stay here.

use crate::answer::{Outcome, State};
use crate::departures::{Case, Departure, Memory, Then};

pub(crate) const ALL: &[(&str, &str, Departure)] = &[
    ("U1i", "as U1, when is_reading is asked", u1),
    ("U4", "write_eof after a failure is an error (WR14)", u4),
    ("U5", "write after write_eof and close (WR2)", u5),
    ("U6", "reads after a write error and the end (WR22)", u6),
    ("U7r", "as U7, where a read waits", u7),
    ("U7e", "as U7, when at_eof is asked", u7_at_eof),
    ("U8", "an end of the data that the peer never sent", u8),
    ("U9", "write_eof after an unnoticed reset (WR14)", u9),
];

pub(crate) const STATE: [(&str, &str); 7] = [
    ("U1", "is_reading while a read waits above the limit"),
    (
        "U1e",
        "as U1, after that read has given up; ends the script",
    ),
    ("U2", "pause_reading during flow control; ends the script"),
    ("U6s", "as U6, when reading was paused"),
    ("U7", "close ends the reading before all is sent (RD25)"),
    ("U8s", "as U8, when reading was paused"),
    ("U10", "a write error gives free what came during a pause"),
];

/// CPython: write_eof on a connection that has failed does nothing. Here: an
/// error.
fn u4(case: &Case<'_>) -> Option<Then> {
    let ended = case.action.verb() == "write_eof" && case.before.closed;
    (ended && *case.theirs == Outcome::Ok && *case.ours == Outcome::Connection)
        .then_some(Then::GoOn)
}

/// CPython: a write after write_eof is refused for that, whatever came after.
/// Here: for what came after, where something did.
fn u5(case: &Case<'_>) -> Option<Then> {
    let ended = case.action.writes() && case.was_closing;
    let named = matches!(
        case.ours,
        Outcome::Closed | Outcome::Aborted | Outcome::Connection
    );
    (ended && named && *case.theirs == Outcome::EofWritten).then_some(Then::GoOn)
}

/// CPython: a write error is every later read's error too, also when the end of
/// the data had been seen. Here: reads go on to the end.
fn u6(case: &Case<'_>) -> Option<Then> {
    (case.memory.peer_ended && ends_after_a_write_error(case)).then_some(Then::GoOn)
}

/// The same, but the peer has reset the connection and never ended its data.
fn u8(case: &Case<'_>) -> Option<Then> {
    (!case.memory.peer_ended && ends_after_a_write_error(case)).then_some(Then::GoOn)
}

/// Whether ours is what comes of the read at the end of the data, and CPython's
/// is the error.
fn ends_after_a_write_error(case: &Case<'_>) -> bool {
    let at_end = match case.ours {
        Outcome::Data(data) => {
            matches!(case.action.verb(), "read" | "readline") && *data == case.unread
        }
        Outcome::Incomplete { partial, .. } => {
            matches!(case.action.verb(), "readexactly" | "readuntil") && *partial == case.unread
        }
        _ => false,
    };
    at_end && case.after.closed && *case.theirs == Outcome::Connection
}

/// CPython: while something written waits, a closed connection is not lost, and
/// only the loss ends the data. Here: closing ends them.
fn u7(case: &Case<'_>) -> Option<Then> {
    let closing = case.after.closing && case.after.queued && case.action.reads();
    let ends = match case.ours {
        Outcome::Data(data) => *data == case.unread,
        Outcome::Incomplete { partial, .. } => *partial == case.unread,
        _ => false,
    };
    let waits = matches!(case.theirs, Outcome::Pending | Outcome::Busy);
    (closing && ends && waits).then_some(Then::GoOn)
}

fn u7_at_eof(case: &Case<'_>) -> Option<Then> {
    let other = |text: &str| Outcome::Other(text.to_owned());
    let closing = case.after.closing && case.after.queued && case.unread.is_empty();
    let ends = *case.theirs == other("false") && *case.ours == other("true");
    (case.action.verb() == "at_eof" && closing && ends).then_some(Then::GoOn)
}

/// CPython: ENOTCONN at once (WR14). Here: nothing, not later either.
fn u9(case: &Case<'_>) -> Option<Then> {
    let refused = *case.theirs == Outcome::Other("not-connected".to_owned());
    (case.action.verb() == "write_eof" && refused && *case.ours == Outcome::Ok)
        .then_some(Then::GoOn)
}

/// See U1 below.
fn u1(case: &Case<'_>) -> Option<Then> {
    let other = |text: &str| Outcome::Other(text.to_owned());
    let asked = case.action.verb() == "is_reading" && case.a_read_waited;
    (asked && *case.theirs == other("true") && *case.ours == other("false")).then_some(Then::GoOn)
}

/// CPython: a read that waits makes the transport receive again (RD18), and it
/// goes on when the read is cancelled. Here: it receives as far as the read
/// wants, and does not say so.
pub(crate) fn state(
    theirs: State,
    ours: State,
    a_read_waits: bool,
) -> Option<(&'static str, Then)> {
    let same = State { eof: false, ..ours };
    if ours.eof && same == theirs && ours.closing && ours.queued {
        return Some(("U7", Then::GoOn));
    }
    let same = State {
        reading: true,
        ..ours
    };
    (theirs.reading && !ours.reading && same == theirs).then_some(())?;
    Some(match a_read_waits {
        true => ("U1", Then::GoOn),
        false => ("U1e", Then::End),
    })
}

/// Reading was paused when writing failed. CPython: what the system still has
/// is not read, and the end of the data is not known. Here: the end is, and
/// what came first (U10, which D1 means too).
pub(crate) fn after_a_write_error(
    theirs: State,
    ours: State,
    memory: &Memory,
) -> Option<&'static str> {
    let failed = theirs.closed && !memory.left;
    let more = ours.received.checked_sub(theirs.received)?;
    let same = State {
        received: theirs.received + more,
        buffered: theirs.buffered + more,
        eof: ours.eof,
        ..theirs
    };
    (failed && same == ours).then_some(())?;
    match (ours.eof, memory.peer_ended) {
        (true, true) => Some("U6s"),
        (true, false) => Some("U8s"),
        (false, _) => (more > 0).then_some("U10"),
    }
}
