//! The departures from CPython on purpose. Each says exactly which pair of results it
//! permits, and how the script goes on.
//!
//! The ids are those of the project's table of departures.

use crate::answer::{Outcome, State};
use crate::script::Action;

/// One call, and its outcome on either side.
pub(crate) struct Case<'a> {
    pub(crate) action: &'a Action,
    /// CPython's outcome.
    pub(crate) theirs: &'a Outcome,
    pub(crate) ours: &'a Outcome,
    /// CPython's state, before the step and after it.
    pub(crate) before: State,
    pub(crate) after: State,
    /// The bytes that our reader holds unread.
    pub(crate) unread: &'a [u8],
    pub(crate) limit: usize,
    /// Another read was waiting, or had begun just before.
    pub(crate) a_read_waited: bool,
    /// The connection was closing when the call was made.
    pub(crate) was_closing: bool,
    pub(crate) memory: &'a Memory,
}

/// The events so far on which departures depend.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// A `wait_closed` was cancelled. From then on, CPython cancels the others too.
    pub(crate) wait_closed_cancelled: bool,
    /// `abort` threw bytes away.
    pub(crate) discarded: bool,
    /// Our reader has returned bytes that CPython's hides behind an error.
    pub(crate) ahead: bool,
    /// `pause_reading` was called, and `resume_reading` not since.
    pub(crate) paused_by_hand: bool,
    /// Reading was paused while flow control held the peer back. CPython has one switch
    /// for both.
    pub(crate) paused_twice: bool,
    /// `close` or `abort` was called.
    pub(crate) left: bool,
    /// The peer has ended its data.
    pub(crate) peer_ended: bool,
}

/// How a script goes on after a departure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Then {
    GoOn,
    /// The two sides are no longer in step.
    End,
}

pub(crate) type Departure = fn(&Case<'_>) -> Option<Then>;

/// All departures, by id and by the words for them in the table.
pub(crate) const ALL: &[(&str, &str, Departure)] = &[
    ("D1", "what had arrived is readable before the error", d1),
    (
        "D1e",
        "as D1, when at_eof is asked after reading it",
        d1_at_eof,
    ),
    (
        "D1w",
        "a write error does not hide the end of the data",
        d1_writing,
    ),
    ("D2", "a line over the limit is not thrown away", d2),
    ("D3", "a write after the end is an error", d3),
    ("D3e", "as D3, of write_eof after a failure", d3_eof),
    (
        "D4",
        "cancelling one wait_closed leaves the others alone",
        d4,
    ),
    ("D6", "a second read is refused", d6),
    ("D8", "abort during drain is an error", d8),
    (
        "WR9",
        "drain after the end: closed, not connection lost",
        wr9,
    ),
    (
        "WR14",
        "write_eof does not see a reset that nobody has met",
        wr14,
    ),
    (
        "C1",
        "CPython trips over a connection that close had to flush",
        c1,
    ),
];

/// Returns the departure that permits this, if there is one.
pub(crate) fn permitted(case: &Case<'_>) -> Option<(&'static str, Then)> {
    let mut permitted = ALL
        .iter()
        .filter_map(|(id, _, rule)| Some((*id, rule(case)?)));
    permitted.next()
}

/// Lists every departure by its id, with its words.
pub(crate) fn table() -> impl Iterator<Item = (&'static str, &'static str)> {
    let by_outcome = ALL.iter().map(|(id, what, _)| (*id, *what));
    let by_state = [
        ("D1s", "as D1 and D1w, when reading was paused"),
        ("D6s", "a second read(-1) takes nothing away and loses it"),
        ("D12", "cancelling read(-1) loses nothing"),
        ("D18", "pausing by hand and flow control are apart"),
    ];
    by_outcome.chain(by_state)
}

/// In CPython, the error hides bytes that were received. Here a read returns nothing more
/// than asked for, then the bytes, then the error.
fn d1(case: &Case<'_>) -> Option<Then> {
    (case.action.reads() && *case.theirs == Outcome::Connection).then_some(())?;
    let expected = after_an_error(case.action, case.unread, case.limit)?;
    (*case.ours == expected).then_some(Then::GoOn)
}

/// CPython's reader still has the bytes that it hides, so `at_eof` is false there.
fn d1_at_eof(case: &Case<'_>) -> Option<Then> {
    let other = |text: &str| Outcome::Other(text.to_owned());
    let asked = case.action.verb() == "at_eof" && case.memory.ahead;
    let read = *case.theirs == other("false") && *case.ours == other("true");
    (asked && read && case.unread.is_empty()).then_some(Then::GoOn)
}

/// In CPython, a write error is the error of every later read too, also when the peer had
/// ended its data. Here reads go on to that end.
fn d1_writing(case: &Case<'_>) -> Option<Then> {
    let at_end = match case.ours {
        Outcome::Data(data) => {
            matches!(case.action.verb(), "read" | "readline") && *data == case.unread
        }
        Outcome::Incomplete { partial, .. } => {
            matches!(case.action.verb(), "readexactly" | "readuntil") && *partial == case.unread
        }
        _ => false,
    };
    let failed = case.after.closed && *case.theirs == Outcome::Connection;
    (case.memory.peer_ended && at_end && failed).then_some(Then::GoOn)
}

/// Returns the outcome of a read when the connection has failed with `unread` bytes in
/// the buffer.
fn after_an_error(action: &Action, unread: &[u8], limit: usize) -> Option<Outcome> {
    let until = |separator: &[u8]| {
        let found = unread.windows(separator.len()).position(|w| w == separator);
        let searched = (unread.len() + 1).saturating_sub(separator.len());
        match found {
            Some(consumed) if consumed > limit => Outcome::Overrun { consumed },
            Some(at) => Outcome::Data(unread[..at + separator.len()].to_vec()),
            None if searched > limit => Outcome::Overrun { consumed: searched },
            None => Outcome::Connection,
        }
    };
    let some = |count: usize| match unread.len().min(count) {
        0 if count > 0 => Outcome::Connection,
        count => Outcome::Data(unread[..count].to_vec()),
    };
    Some(match (action.verb(), action.argument()) {
        ("read", "-1") if !unread.is_empty() => Outcome::Truncated(unread.to_vec()),
        ("read", "-1") => Outcome::Connection,
        ("read", count) => some(count.parse().ok()?),
        ("readexactly", count) => match count.parse().ok()? {
            count if count > unread.len() => Outcome::Connection,
            count => Outcome::Data(unread[..count].to_vec()),
        },
        ("readuntil", separator) => until(&crate::words::unquote(separator)?),
        ("readline", _) => until(b"\n"),
        _ => return None,
    })
}

/// In CPython, `readline` throws the line away, or all bytes of it so far. Here it
/// consumes nothing, as `readuntil`; the test has read the same bytes at once.
fn d2(case: &Case<'_>) -> Option<Then> {
    match (case.theirs, case.ours) {
        (Outcome::LineOverrun { found, dropped }, Outcome::Overrun { consumed })
            if *dropped == consumed + usize::from(*found) =>
        {
            Some(Then::GoOn)
        }
        _ => None,
    }
}

/// In CPython, a write after `close`, or on a lost connection, vanishes, or is sent if
/// something else still waits to be sent. Here it is an error.
fn d3(case: &Case<'_>) -> Option<Then> {
    let refused = matches!(
        case.ours,
        Outcome::Closed | Outcome::Aborted | Outcome::Connection
    );
    let closing = case.action.writes() && case.was_closing;
    (closing && refused && *case.theirs == Outcome::Ok).then_some(())?;
    Some(match case.before.queued {
        true => Then::End,
        false => Then::GoOn,
    })
}

/// In CPython, `write_eof` on a connection that has failed does nothing. Here it is an
/// error.
fn d3_eof(case: &Case<'_>) -> Option<Then> {
    let failed = case.action.verb() == "write_eof" && case.before.closed;
    (failed && *case.theirs == Outcome::Ok && *case.ours == Outcome::Connection)
        .then_some(Then::GoOn)
}

/// In CPython, cancelling one `wait_closed` cancels all others, now and later. Here they
/// wait, or have their answer.
fn d4(case: &Case<'_>) -> Option<Then> {
    let cancelled = case.memory.wait_closed_cancelled && *case.theirs == Outcome::Cancelled;
    (case.action.verb() == "wait_closed" && cancelled).then_some(())?;
    let right = match case.ours {
        Outcome::Pending => !case.after.closed,
        Outcome::Ok | Outcome::Connection => case.after.closed,
        _ => false,
    };
    right.then_some(Then::GoOn)
}

/// In CPython, a read that the buffer can satisfy takes bytes away from one that waits
/// for more. Here it is refused.
fn d6(case: &Case<'_>) -> Option<Then> {
    let second = case.action.reads() && case.a_read_waited;
    (second && *case.ours == Outcome::Busy).then_some(())?;
    match case.theirs {
        Outcome::Overrun { .. } => Some(Then::GoOn),
        Outcome::Data(_) | Outcome::LineOverrun { .. } => Some(Then::End),
        _ => None,
    }
}

/// In CPython, a drain that waits when `abort` throws its bytes away succeeds, and a
/// later one says that the connection is lost. Here both say that it was aborted.
fn d8(case: &Case<'_>) -> Option<Then> {
    let ends = matches!(case.theirs, Outcome::Ok | Outcome::Connection);
    let aborted = case.memory.discarded && *case.ours == Outcome::Aborted;
    (case.action.verb() == "drain" && ends && aborted).then_some(Then::GoOn)
}

/// The same error by two names: CPython calls a connection lost that was closed on this
/// side, and so does this project in Python. In Rust it is `Closed`.
///
/// A drain in the turn of the close may still see it open, and everything sent.
fn wr9(case: &Case<'_>) -> Option<Then> {
    let closed = case.memory.left && case.after.closed;
    let named = match case.ours {
        Outcome::Closed => true,
        Outcome::Ok => !case.before.closing,
        _ => false,
    };
    (case.action.verb() == "drain" && closed && named && *case.theirs == Outcome::Connection)
        .then_some(Then::GoOn)
}

/// CPython asks the kernel at once, which answers that there is no connection any more
/// (ENOTCONN). Here the end is sent in the background, and the next read or write meets
/// the reset.
fn wr14(case: &Case<'_>) -> Option<Then> {
    let refused = *case.theirs == Outcome::Other("not-connected".to_owned());
    (case.action.verb() == "write_eof" && refused && *case.ours == Outcome::Ok)
        .then_some(Then::GoOn)
}

/// A defect of CPython: the transport forgets to note that a connection which `close` had
/// to flush is gone, and `abort` or `write` then find no loop.
fn c1(case: &Case<'_>) -> Option<Then> {
    let trips = matches!(case.theirs, Outcome::Other(text) if text.starts_with("unexpected AttributeError: 'NoneType'"));
    let right = match case.action.verb() {
        "abort" => *case.ours == Outcome::Ok,
        _ => case.action.writes() && *case.ours == Outcome::Closed,
    };
    (trips && case.before.closed && right).then_some(Then::GoOn)
}

/// D6 again. In CPython, a second `read(-1)` takes the buffered bytes, then has to wait,
/// is refused, and has lost them. Here it is refused.
pub(crate) fn lost_by_a_second_read(theirs: State, ours: State) -> bool {
    theirs.buffered < ours.buffered && theirs.received == ours.received
}

/// D1 again: reading was paused when writing failed. CPython does not read the bytes that
/// the kernel still has, and does not learn of the end of the data. Here the end is
/// known, and so are the bytes received before it.
pub(crate) fn more_after_a_write_error(theirs: State, ours: State, memory: &Memory) -> bool {
    let Some(more) = ours.received.checked_sub(theirs.received) else {
        return false;
    };
    let same = State {
        received: ours.received,
        buffered: theirs.buffered + more,
        eof: ours.eof,
        ..theirs
    };
    let known = if ours.eof {
        memory.peer_ended
    } else {
        more > 0
    };
    theirs.closed && !memory.left && same == ours && known
}
