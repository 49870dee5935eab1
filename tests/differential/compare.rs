//! Compares the answers of CPython and of our side, step by step.

use std::collections::{BTreeMap, BTreeSet};

use crate::answer::{Answer, Outcome, State};
use crate::departures::{
    Case, Memory, Then, lost_by_a_second_read, more_after_a_write_error, permitted,
};
use crate::script::{Action, Step};
use crate::session::{PIECE, SKIPPED};

/// The number of times that each departure was needed.
pub(crate) type Uses = BTreeMap<&'static str, usize>;

pub(crate) struct Comparison<'a> {
    limit: usize,
    memory: Memory,
    /// The calls that have begun and not ended on either side.
    begun: BTreeMap<u32, Begun>,
    /// The calls that wait on our side only, because CPython's were cancelled.
    late: BTreeMap<u32, Action>,
    /// The calls that wait on CPython's side only, and their outcome on ours.
    early: BTreeMap<u32, Outcome>,
    /// The number of bytes that our side has read.
    taken: usize,
    before: State,
    /// This step cancels something.
    cancels: bool,
    /// This step has a `read(-1)` while another read waits.
    reads_all_second: bool,
    uses: &'a mut Uses,
}

/// A call, and the state when it was made.
#[derive(Debug, Clone)]
struct Begun {
    action: Action,
    /// Another read was waiting, or had begun just before.
    a_read_waited: bool,
    /// The connection was closing already.
    was_closing: bool,
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(limit: usize, uses: &'a mut Uses) -> Comparison<'a> {
        Comparison {
            limit,
            memory: Memory::default(),
            begun: BTreeMap::new(),
            late: BTreeMap::new(),
            early: BTreeMap::new(),
            taken: 0,
            before: State {
                reading: true,
                ..State::default()
            },
            cancels: false,
            reads_all_second: false,
            uses,
        }
    }

    /// Compares the answers to a step. Returns how the script goes on, or what differs.
    /// `sent` is everything that the peer has sent.
    pub(crate) fn step(
        &mut self,
        step: &Step,
        theirs: &Answer,
        ours: &Answer,
        sent: &[u8],
    ) -> Result<Then, String> {
        self.prepare(step);
        if self.memory.paused_twice {
            *self.uses.entry("D18").or_default() += 1;
            return Ok(Then::End);
        }
        let names = theirs.outcomes.keys().chain(ours.outcomes.keys());
        for name in names.copied().collect::<BTreeSet<_>>() {
            if self.outcome(name, theirs, ours, sent)? == Then::End {
                return Ok(Then::End);
            }
        }
        if theirs.peer != ours.peer && !kernel_decides(theirs, ours, sent.len()) {
            return Err(format!("the peer: {:?}, {:?}", theirs.peer, ours.peer));
        }
        let mut their_state = theirs.state;
        if self.in_pieces(sent.len()) {
            their_state.received = ours.state.received;
            their_state.buffered = ours.state.buffered;
            their_state.reading = ours.state.reading;
        }
        let then = self.state(their_state, ours.state)?;
        self.before = theirs.state;
        Ok(then)
    }

    /// Returns whether flow control holds back some of the bytes. The size of the pieces
    /// decides how many, and is not documented.
    fn in_pieces(&self, sent: usize) -> bool {
        sent >= PIECE && sent > 2 * self.limit
    }

    /// Returns whether the results from here on would depend on that.
    pub(crate) fn depends_on_pieces(&self, step: &Step, sent: usize) -> bool {
        let ends = |call: &Action| matches!(call.verb(), "close" | "abort");
        self.in_pieces(sent) && step.calls().iter().any(|(_, call)| ends(call))
    }

    /// Returns whether this cannot be compared, because a read has ended on our side that
    /// still waits on CPython's.
    pub(crate) fn is_early(&self, step: &Step) -> bool {
        step.calls().iter().any(|(_, call)| {
            let name = call.argument().parse();
            let early = name.is_ok_and(|name| self.early.contains_key(&name));
            (call.verb() == "cancel" && early) || (call.reads() && !self.early.is_empty())
        })
    }

    fn prepare(&mut self, step: &Step) {
        self.memory.peer_ended |= matches!(step.action, Action::Fin | Action::Close);
        self.cancels = false;
        self.reads_all_second = false;
        let mut closing = self.before.closing;
        if !matches!(step.action, Action::Call(_)) {
            let begun = Begun {
                action: step.action.clone(),
                a_read_waited: false,
                was_closing: closing,
            };
            self.begun.insert(step.name, begun);
        }
        for (name, call) in step.calls() {
            self.prepare_call(&call);
            let all = call.verb() == "read" && call.argument() == "-1";
            self.reads_all_second |= all && self.a_read_waits();
            self.cancels |= call.verb() == "cancel";
            let begun = Begun {
                a_read_waited: self.a_read_waits(),
                was_closing: closing,
                action: call.clone(),
            };
            closing |= matches!(call.verb(), "close" | "abort");
            self.begun.insert(name, begun);
        }
    }

    fn prepare_call(&mut self, call: &Action) {
        match call.verb() {
            "cancel" => {
                let cancelled = call.argument().parse().ok();
                let cancelled = cancelled.and_then(|name: u32| self.begun.get(&name));
                let verb = cancelled.map_or("", |begun| begun.action.verb());
                self.memory.wait_closed_cancelled |= verb == "wait_closed";
            }
            "abort" => {
                self.memory.discarded |= self.before.queued;
                self.memory.left = true;
            }
            "close" => self.memory.left = true,
            "pause_reading" | "resume_reading" => {
                let by_hand = call.verb() == "pause_reading";
                let held_back = !self.before.reading && !self.before.closing;
                self.memory.paused_twice |= held_back && !self.memory.paused_by_hand;
                self.memory.paused_by_hand = by_hand;
            }
            _ => {}
        }
    }

    fn a_read_waits(&self) -> bool {
        self.begun.values().any(|begun| begun.action.reads())
    }

    fn outcome(
        &mut self,
        name: u32,
        theirs: &Answer,
        ours: &Answer,
        sent: &[u8],
    ) -> Result<Then, String> {
        let outcome = |of: &Answer| of.outcomes.get(&name).cloned();
        if name == SKIPPED {
            return self.skipped(theirs, ours);
        }
        let (their, our) = (outcome(theirs), outcome(ours));
        let their = their.unwrap_or(Outcome::Pending);
        let our = our.unwrap_or(Outcome::Pending);
        if their == Outcome::Stuck {
            return Err(format!("{name} does not settle with CPython"));
        }
        if let Some(action) = self.late.remove(&name) {
            return self.ended_late(name, action, &our, theirs.state);
        }
        if let Some(our) = self.early.remove(&name) {
            return match their {
                Outcome::Pending => Err(format!("{name} has ended twice")),
                their if their == our => Ok(Then::GoOn),
                Outcome::Connection | Outcome::Cancelled => Ok(Then::End),
                their => Err(format!("{name}: {their} with CPython, late; {our} here")),
            };
        }
        let begun = self.begun.get(&name).cloned();
        let begun = begun.ok_or(format!("{name} has ended twice"))?;
        let action = begun.action;
        let unread = sent.get(self.taken..ours.state.received);
        self.taken += our.taken();
        let then = if their == our {
            Then::GoOn
        } else {
            let case = Case {
                action: &action,
                theirs: &their,
                ours: &our,
                before: self.before,
                after: theirs.state,
                unread: unread.unwrap_or_default(),
                limit: self.limit,
                a_read_waited: begun.a_read_waited,
                was_closing: begun.was_closing,
                memory: &self.memory,
            };
            let (id, then) = permitted(&case)
                .ok_or_else(|| format!("{name} ({action}): {their} with CPython, {our} here"))?;
            *self.uses.entry(id).or_default() += 1;
            self.memory.ahead |= matches!(id, "D1" | "D1w");
            then
        };
        match (their == Outcome::Pending, our == Outcome::Pending) {
            (true, true) => {}
            (false, true) => drop(self.late.insert(name, action)),
            (true, false) => {
                self.early.insert(name, our);
                self.begun.remove(&name);
            }
            (false, false) => {}
        }
        if their != Outcome::Pending {
            self.begun.remove(&name);
        }
        Ok(then)
    }

    /// Records that our side has read the bytes that CPython threw away.
    fn skipped(&mut self, theirs: &Answer, ours: &Answer) -> Result<Then, String> {
        let thrown_away: usize = theirs.outcomes.values().map(Outcome::thrown_away).sum();
        self.taken += thrown_away;
        match ours.outcomes.get(&SKIPPED) {
            Some(Outcome::Data(data)) if data.len() == thrown_away => Ok(Then::GoOn),
            other => Err(format!("skipping {thrown_away} bytes: {other:?}")),
        }
    }

    /// Returns the calls that CPython had cancelled and our side had not.
    fn ended_late(
        &mut self,
        name: u32,
        action: Action,
        our: &Outcome,
        state: State,
    ) -> Result<Then, String> {
        match our {
            Outcome::Ok | Outcome::Connection if state.closed => {}
            Outcome::Cancelled => {}
            Outcome::Pending => drop(self.late.insert(name, action)),
            other => return Err(format!("{name} ({action}): {other} here, late")),
        }
        Ok(Then::GoOn)
    }

    fn state(&mut self, theirs: State, ours: State) -> Result<Then, String> {
        let mut theirs = theirs;
        if self.memory.ahead || !self.early.is_empty() {
            // CPython's reader still holds the bytes that ours has returned.
            theirs.received = ours.received;
            theirs.buffered = ours.buffered;
            theirs.eof = ours.eof;
        }
        if theirs == ours {
            return Ok(Then::GoOn);
        }
        if self.lost_by_cancelling(theirs, ours) {
            *self.uses.entry("D12").or_default() += 1;
            return Ok(Then::End);
        }
        if self.reads_all_second && lost_by_a_second_read(theirs, ours) {
            *self.uses.entry("D6s").or_default() += 1;
            return Ok(Then::End);
        }
        if more_after_a_write_error(theirs, ours, &self.memory) {
            *self.uses.entry("D1s").or_default() += 1;
            self.memory.ahead = true;
            return Ok(Then::GoOn);
        }
        let shown = |state| Answer {
            state,
            ..Answer::default()
        };
        Err(format!(
            "the state: {} with CPython, {} here",
            shown(theirs),
            shown(ours)
        ))
    }

    /// D12. In CPython, cancelling `read(-1)` loses the bytes that it had collected. Here
    /// nothing is lost, and the buffer may hold so much that flow control holds back
    /// more.
    fn lost_by_cancelling(&self, theirs: State, ours: State) -> bool {
        let lost = ours.buffered.saturating_sub(theirs.buffered);
        let same = State {
            buffered: ours.buffered,
            eof: ours.eof,
            reading: theirs.reading && (ours.reading || ours.buffered <= self.limit),
            ..theirs
        };
        self.cancels && lost > 0 && same == ours
    }
}

/// Returns whether the peer gets a reset, and everything before it, if the subject closes
/// while bytes from the peer are in the kernel's buffers.
fn kernel_decides(theirs: &Answer, ours: &Answer, sent: usize) -> bool {
    const POSSIBLE: [&str; 5] = [
        "everything",
        "everything, end",
        "everything, reset",
        "a part, end",
        "a part, reset",
    ];
    let possible = |answer: &Answer| {
        let found = answer.peer.as_deref();
        found.is_some_and(|found| POSSIBLE.contains(&found))
    };
    theirs.state.received < sent && possible(theirs) && possible(ours)
}
