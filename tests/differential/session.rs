//! Runs one script with one subject: the steps of both ends, and the known state of the
//! connection between.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::sync::LazyLock;

use crate::answer::{Answer, Outcome, State};
use crate::peer::Peer;
use crate::script::{Action, Role, Step};
use crate::subject::Subject;
use crate::words::quote;

/// The name of the step after the last one of every script. Every call that waits has to
/// end by then.
pub(crate) const FINISH: &str = "finish";

/// The name of the read with which our side skips what CPython has thrown away.
pub(crate) const SKIPPED: u32 = 9000;

/// The smallest piece in which many bytes may arrive.
pub(crate) const PIECE: usize = 2048;

/// More than the kernel buffers between a writer and a peer that does not read.
static FLOOD: LazyLock<usize> = LazyLock::new(|| {
    let kept = fs::read_to_string("/proc/sys/net/ipv4/tcp_wmem").unwrap_or_default();
    let kept = kept.split_whitespace().last().and_then(|n| n.parse().ok());
    kept.unwrap_or(14 << 20) + (2 << 20)
});

/// A step that makes no sense where it stands. Scripts that are being made shorter have
/// such steps.
#[derive(Debug)]
pub(crate) struct Impossible;

pub(crate) struct Session<'a> {
    subject: &'a mut Subject,
    pub(crate) peer: Peer,
    /// The peer has ended its data, or closed.
    pub(crate) fin: bool,
    /// The peer has reset the connection.
    pub(crate) reset: bool,
    /// The peer takes nothing, and more was written than the kernel buffers.
    pub(crate) stalled: bool,
    /// The calls that wait.
    pub(crate) pending: BTreeMap<u32, Action>,
    pub(crate) state: State,
    /// The bytes that the peer can expect.
    written: Vec<u8>,
    /// Set by `pause_reading`: the number of bytes sent since.
    paused: Option<usize>,
    eof_written: bool,
}

impl<'a> Session<'a> {
    pub(crate) fn open(subject: &'a mut Subject, role: Role, limit: usize) -> Session<'a> {
        let socket = match role {
            Role::Client => {
                let port = subject.listener.local_addr().unwrap().port();
                subject.demand(&format!("connect {port} {limit}"));
                subject.listener.accept().unwrap().0
            }
            Role::Server => {
                let port: u16 = subject.ask(&format!("listen {limit}")).parse().unwrap();
                let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
                subject.demand("accept");
                socket
            }
        };
        Session {
            subject,
            peer: Peer::new(socket),
            fin: false,
            reset: false,
            stalled: false,
            pending: BTreeMap::new(),
            state: State {
                reading: true,
                ..State::default()
            },
            written: Vec::new(),
            paused: None,
            eof_written: false,
        }
    }

    /// Returns whether a read waits, for something or for anything.
    pub(crate) fn waiting_read(&self) -> Option<&Action> {
        self.pending.values().find(|action| action.reads())
    }

    /// Does a step and waits for its results.
    pub(crate) fn perform(&mut self, step: &Step) -> Result<Answer, Impossible> {
        self.check(step)?;
        let mut found = None;
        let request = match &step.action {
            Action::Call(words) if words.as_slice() == [FINISH] => {
                found = self.peer.is_open().then(|| self.peer.finish(&self.written));
                self.stalled = false;
                "settle".to_owned()
            }
            Action::Call(words) if words.as_slice() == ["flood"] => {
                self.stalled = true;
                format!("flood {}", *FLOOD)
            }
            Action::Call(_) => step.action.in_full(),
            peers => {
                found = self.act(peers);
                "settle".to_owned()
            }
        };
        for (_, call) in step.calls() {
            match call.verb() {
                "pause_reading" => self.paused = self.paused.or(Some(0)),
                "resume_reading" => self.paused = None,
                "write_eof" => self.eof_written = true,
                _ => {}
            }
        }
        Ok(self.ask(step, &request, found))
    }

    /// Has the subject read the bytes that CPython has thrown away.
    pub(crate) fn skip(&mut self, count: usize) -> Result<Answer, Impossible> {
        let step = Step {
            name: SKIPPED,
            action: Action::call(&format!("readexactly {count}")),
        };
        self.perform(&step)
    }

    /// Leaves the subject to the next script.
    pub(crate) fn leave(self) {
        self.subject.demand("leave");
    }

    fn check(&self, step: &Step) -> Result<(), Impossible> {
        let peer = self.peer.is_open();
        let possible = match &step.action {
            Action::Send(data) => peer && !self.fin && self.is_whole(data.len()),
            Action::Fin => peer && !self.fin,
            Action::Reset | Action::Close | Action::Receive => peer,
            Action::Call(_) => self.can_call(&step.calls()),
        };
        possible.then_some(()).ok_or(Impossible)
    }

    /// Only a call that waits, or one of the same step, can be cancelled. A flood needs a
    /// peer that does not receive.
    fn can_call(&self, calls: &[(u32, Action)]) -> bool {
        let begun = |name| calls.iter().any(|(own, call)| *own == name && call.waits());
        let floods = calls.iter().any(|(_, call)| call.verb() == "flood");
        if floods && (self.eof_written || !self.peer.is_open()) {
            return false;
        }
        let can = |(own, call): &(u32, Action)| match call.argument().parse() {
            Ok(name) if call.verb() == "cancel" => {
                name < *own && (self.pending.contains_key(&name) || begun(name))
            }
            _ => call.verb() != "cancel",
        };
        calls.iter().all(can)
    }

    /// Returns whether no result shows the size of the pieces in which so many bytes
    /// arrive. That size is not documented.
    fn is_whole(&self, count: usize) -> bool {
        if self.paused.is_some_and(|sent| sent > 0) {
            // Our side holds the first piece that arrives during a pause.
            return false;
        }
        let unread = self.peer.sent.len() - (self.state.received - self.state.buffered);
        let exactly = |action: &Action| match action.verb() {
            "readexactly" => true,
            "read" => action.argument() == "-1",
            _ => false,
        };
        unread + count < PIECE || self.waiting_read().is_none_or(exactly)
    }

    fn act(&mut self, action: &Action) -> Option<String> {
        match action {
            Action::Send(data) => {
                self.paused = self.paused.map(|sent| sent + data.len());
                self.peer.send(data);
            }
            Action::Fin => {
                self.fin = true;
                self.peer.fin();
            }
            Action::Reset => {
                self.reset = true;
                self.peer.reset();
            }
            Action::Receive => {
                self.stalled = false;
                return Some(self.peer.receive(&self.written));
            }
            Action::Close => {
                self.stalled = false;
                let found = self.peer.receive(&self.written);
                self.fin = true;
                self.peer.close();
                return Some(found);
            }
            Action::Call(_) => {}
        }
        None
    }

    fn ask(&mut self, step: &Step, request: &str, found: Option<String>) -> Answer {
        let flags = [(self.fin, 'f'), (self.reset, 'r'), (self.stalled, 's')];
        let flags: String = flags.iter().filter(|(is, _)| *is).map(|(_, f)| f).collect();
        let total = self.peer.sent.len();
        let line = format!("step {} {total} -{flags} {request}", step.name);
        let line = self.subject.ask(&line);
        let mut answer = Answer::parse(&line)
            .unwrap_or_else(|| panic!("{:?} answers {line:?}", self.subject.kind));
        answer.peer = found;
        self.note(step, &mut answer);
        answer
    }

    fn note(&mut self, step: &Step, answer: &mut Answer) {
        let before = std::mem::replace(&mut self.state, answer.state);
        self.stalled &= answer.state.queued;
        for outcome in answer.outcomes.values_mut() {
            if let Outcome::Other(text) = outcome
                && let Some(name) = self.peer.name(text)
            {
                *outcome = Outcome::Other(name.to_owned());
            }
        }
        let calls: BTreeMap<u32, Action> = step.calls().into_iter().collect();
        for (name, outcome) in &answer.outcomes {
            match (outcome, calls.get(name)) {
                (Outcome::Pending, Some(call)) => drop(self.pending.insert(*name, call.clone())),
                _ => drop(self.pending.remove(name)),
            }
        }
        let mut open = !before.closing || before.queued;
        let left = |call: &Action| matches!(call.verb(), "close" | "abort");
        let failed = answer.state.closing && !before.closing && !calls.values().any(left);
        for (name, call) in &calls {
            let taken = answer.outcomes.get(name) == Some(&Outcome::Ok);
            if call.writes() && taken && open && !failed {
                self.written.extend(bytes(call));
            }
            open &= !left(call) || before.queued;
        }
    }
}

/// Returns the bytes that a writing step writes.
fn bytes(action: &Action) -> Vec<u8> {
    let Action::Call(words) = action else {
        return Vec::new();
    };
    match words.split_first() {
        Some((verb, [])) if verb == "flood" => b"abcdefghijklmnop".repeat(*FLOOD / 16),
        Some((_, pieces)) => {
            let pieces = pieces.iter().filter_map(|word| crate::words::unquote(word));
            pieces.flatten().collect()
        }
        None => Vec::new(),
    }
}

/// Makes a call with bytes as its arguments.
pub(crate) fn with_bytes(verb: &str, pieces: &[Vec<u8>]) -> Action {
    let pieces = pieces.iter().map(|piece| quote(piece));
    Action::Call(std::iter::once(verb.to_owned()).chain(pieces).collect())
}
