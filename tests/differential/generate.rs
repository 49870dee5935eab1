//! Generates random scripts step by step while CPython runs them, so that each step makes
//! sense where it stands: it cancels a call that waits, starts a second read while one
//! waits, or lets the peer receive what was written.

use crate::random::Random;
use crate::script::{Action, Role};
use crate::session::{Session, with_bytes};

pub(crate) struct Generator {
    random: Random,
    pub(crate) role: Role,
    pub(crate) limit: usize,
    profile: Profile,
    /// The number of steps left.
    left: usize,
    flooded: bool,
    /// `pause_reading` was called last.
    paused: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Profile {
    /// A small limit, a few bytes at a time.
    Small,
    /// The default limit, up to tens of KiB at a time, but less than makes flow control
    /// hold the peer back.
    Bulk,
    /// The peer lets the subject wait to write.
    Stalled,
    /// Much more than flow control lets in at once, with reads whose results do not
    /// depend on the size of the pieces.
    Flow,
}

/// Returns whether this cancels a read that an earlier step began.
fn cancels_a_read(session: &Session<'_>, call: &Action) -> bool {
    let name = call.argument().parse();
    let cancelled = name.ok().and_then(|name: u32| session.pending.get(&name));
    call.verb() == "cancel" && cancelled.is_some_and(Action::reads)
}

type Choices = Vec<(usize, Action)>;

impl Generator {
    pub(crate) fn new(seed: u64) -> Generator {
        let mut random = Random::new(seed);
        let profile = random.weighed(vec![
            (83, Profile::Small),
            (4, Profile::Flow),
            (7, Profile::Bulk),
            (6, Profile::Stalled),
        ]);
        let limit = match profile {
            Profile::Bulk => 65536,
            Profile::Flow => *random.one_of(&[&1, &16, &500, &4096, &20_000]),
            _ => *random.one_of(&[&1, &2, &3, &4, &5, &8, &8, &16, &31, &64, &65536]),
        };
        Generator {
            role: match random.once_in(2) {
                true => Role::Client,
                false => Role::Server,
            },
            limit,
            profile,
            left: random.between(5, 30),
            random,
            flooded: false,
            paused: false,
        }
    }

    /// Returns the next step, which has this name, or none when the script is long
    /// enough.
    pub(crate) fn next(&mut self, session: &Session<'_>, name: u32) -> Option<Action> {
        self.left = self.left.checked_sub(1)?;
        if session.state.closing {
            // Little happens after the end.
            self.left = self.left.min(6);
        }
        let mut choices = self.calls(session);
        self.peers(session, &mut choices);
        let action = self.random.weighed(choices);
        let calm = self.profile == Profile::Small && session.peer.is_open();
        let several = calm && self.random.once_in(5);
        let action = match &action {
            Action::Call(words) if several => self.several(session, name, words),
            _ => action,
        };
        match action.verb() {
            "flood" => self.flooded = true,
            "pause_reading" => self.paused = true,
            "resume_reading" => self.paused = false,
            _ => {}
        }
        Some(action)
    }

    fn calls(&mut self, session: &Session<'_>) -> Choices {
        let mut choices = Vec::new();
        if self.profile == Profile::Flow {
            self.whole_reads(session, &mut choices);
            self.writes(session, &mut choices);
            return choices;
        }
        self.reads(session, &mut choices);
        self.writes(session, &mut choices);
        self.waits(session, &mut choices);
        self.looks(&mut choices);
        self.ends(session, &mut choices);
        choices
    }

    /// Adds some more calls in the same turn, which may cancel one of them.
    ///
    /// Left out are calls whose results may differ for reasons that each side is free to
    /// have: which of several reads has the first turn, how soon `close` shows in
    /// `at_eof`, whether a read that `close` ends can still be cancelled (between
    /// components its result is lost then), whether a write is on its way when `abort`
    /// comes, and in how many segments several writes meet a peer that is gone.
    fn several(&mut self, session: &Session<'_>, name: u32, first: &[String]) -> Action {
        let mut calls = vec![Action::Call(first.to_vec())];
        for _ in 0..self.random.between(1, 3) {
            let choices = self.calls(session);
            let mut next = self.random.weighed(choices);
            if self.random.once_in(4) && calls.last().is_some_and(Action::waits) {
                next = Action::call(&format!("cancel {}", name + calls.len() as u32 - 1));
            }
            calls.push(next);
        }
        let all = |read: &Action| read.argument() == "-1";
        let (mut taken, lost) = (
            session.waiting_read().is_some(),
            session.waiting_read().is_some_and(all),
        );
        let mut read = false;
        let closes = calls.iter().any(|call| call.verb() == "close");
        let mut unclear = false;
        for call in &calls {
            let cancels = cancels_a_read(session, call);
            unclear |= cancels && closes;
            unclear |= (call.reads() && (taken || lost)) || (cancels && read);
            taken = (taken && !cancels) || call.reads();
            read |= call.reads();
        }
        let apart = [
            "at_eof",
            "abort",
            "flood",
            "pause_reading",
            "resume_reading",
        ];
        if unclear || calls.iter().any(|call| apart.contains(&call.verb())) {
            return Action::Call(first.to_vec());
        }
        let calls: Vec<String> = calls.iter().map(Action::in_full).collect();
        Action::call(&calls.join(" & "))
    }

    fn whole_reads(&mut self, session: &Session<'_>, choices: &mut Choices) {
        let count = match self.random.once_in(3) {
            true => self.random.below(100_000),
            false => self.random.below(3 * self.limit),
        };
        match session.pending.iter().find(|(_, action)| action.reads()) {
            None if session.fin => choices.push((20, Action::call("read -1"))),
            None => choices.push((60, Action::call(&format!("readexactly {count}")))),
            Some((name, read)) if read.verb() == "readexactly" => {
                choices.push((10, Action::call(&format!("cancel {name}"))));
            }
            Some(_) => {}
        }
        choices.push((2, Action::call("at_eof")));
    }

    fn reads(&mut self, session: &Session<'_>, choices: &mut Choices) {
        // While one read waits, most other calls are refused.
        let weight: usize = match (session.waiting_read(), self.profile) {
            (Some(_), _) => 1,
            (None, Profile::Stalled) => 5,
            (None, _) => 12,
        };
        let count = self.count();
        let exactly = self.count() - 1;
        choices.extend([
            (weight, Action::call(&format!("read {count}"))),
            (weight, Action::call("readline")),
            (weight, Action::call(&format!("readexactly {exactly}"))),
            (weight, with_bytes("readuntil", &[self.separator()])),
            (weight.div_ceil(4), Action::call("read 0")),
            (weight.div_ceil(4), Action::call("read -1")),
        ]);
    }

    fn writes(&mut self, session: &Session<'_>, choices: &mut Choices) {
        let weight: usize = match self.profile {
            Profile::Stalled => 8,
            _ => 4,
        };
        let pieces = self.random.below(4);
        let pieces: Vec<_> = (0..pieces).map(|_| self.bytes()).collect();
        let (high, low) = (self.mark(), self.mark());
        choices.extend([
            (2 * weight, with_bytes("write", &[self.bytes()])),
            (weight, with_bytes("writelines", &pieces)),
            (2 * weight, Action::call("drain")),
            (
                weight.div_ceil(2),
                Action::call(&format!("set_write_buffer_limits {high} {low}")),
            ),
            (1, Action::call("get_write_buffer_limits")),
            (1, Action::call("write_eof")),
        ]);
        if self.profile == Profile::Stalled && !self.flooded && !session.fin {
            choices.push((40, Action::call("flood")));
        }
    }

    fn waits(&mut self, session: &Session<'_>, choices: &mut Choices) {
        choices.push((2, Action::call("wait_closed")));
        for (name, action) in &session.pending {
            let weight = if action.reads() { 8 } else { 3 };
            choices.push((weight, Action::call(&format!("cancel {name}"))));
        }
    }

    fn looks(&mut self, choices: &mut Choices) {
        let plain = ["at_eof", "is_closing", "is_reading", "can_write_eof"];
        choices.extend(plain.map(|verb| (1, Action::call(verb))));
        let names = ["peername", "sockname", "nothing"];
        let name = self.random.one_of(&names);
        choices.push((1, Action::call(&format!("get_extra_info {name}"))));
    }

    fn ends(&mut self, session: &Session<'_>, choices: &mut Choices) {
        choices.push((
            if self.paused { 10 } else { 1 },
            Action::call("resume_reading"),
        ));
        choices.push((2, Action::call("pause_reading")));
        let weight = if session.stalled { 6 } else { 1 };
        choices.push((weight, Action::call("close")));
        choices.push((weight, Action::call("abort")));
    }

    fn peers(&mut self, session: &Session<'_>, choices: &mut Choices) {
        if !session.peer.is_open() {
            return;
        }
        if !session.state.closing && self.profile != Profile::Flow {
            let weight = if session.fin { 4 } else { 1 };
            choices.push((weight, Action::Reset));
        }
        if !session.state.closing || session.state.queued {
            choices.push((if session.stalled { 8 } else { 3 }, Action::Receive));
        }
        if session.state.closing || session.fin {
            return;
        }
        choices.push((2, Action::Fin));
        choices.push((1, Action::Close));
        let data = self.data();
        let room = match self.profile {
            Profile::Bulk => 120_000,
            Profile::Flow => 600_000,
            _ => 1_900,
        };
        let waits = match session.waiting_read() {
            Some(_) => 60,
            None => 35,
        };
        if session.peer.sent.len() + data.len() <= room && self.may_come(session, data.len()) {
            choices.push((waits, Action::Send(data)));
        }
    }

    /// Sends much only while no call waits whose result depends on the size of the
    /// pieces.
    fn may_come(&self, session: &Session<'_>, count: usize) -> bool {
        session.peer.sent.len() + count < 2048
            || session
                .waiting_read()
                .is_none_or(|action| action.verb() == "readexactly" || action.argument() == "-1")
    }

    /// Picks a number of bytes to read, around the limit and its double.
    fn count(&mut self) -> usize {
        let limit = match self.profile {
            Profile::Bulk => 20_000,
            _ => self.limit.min(64),
        };
        match self.random.below(6) {
            0 => 1,
            1 => limit,
            2 => 2 * limit + self.random.below(3),
            _ => self.random.between(1, 3 * limit),
        }
    }

    /// Makes the bytes that the peer sends.
    fn data(&mut self) -> Vec<u8> {
        let large = matches!(self.profile, Profile::Bulk | Profile::Flow);
        if large && !self.random.once_in(3) {
            let count = self.random.between(1, 40_000);
            let mut data = vec![*self.random.one_of(&[&b'a', &b'b']); count];
            let tail = self.bytes();
            match self.random.once_in(2) {
                true => data.extend(tail),
                false => data.splice(0..0, tail).for_each(drop),
            }
            return data;
        }
        let count = self.count().min(400);
        (0..count).map(|_| self.letter()).collect()
    }

    /// Makes a few bytes.
    fn bytes(&mut self) -> Vec<u8> {
        if self.random.once_in(8) {
            return vec![self.letter(); self.random.below(600)];
        }
        let count = self.random.below(12);
        (0..count).map(|_| self.letter()).collect()
    }

    fn letter(&mut self) -> u8 {
        *self
            .random
            .one_of(&[&b'a', &b'a', &b'a', &b'b', &b';', &b'\n'])
    }

    fn separator(&mut self) -> Vec<u8> {
        let all: [&[u8]; 9] = [
            b";", b"\n", b"b", b"ab", b"a\n", b";;", b"aaaa", b"aab;", b"",
        ];
        self.random.one_of(&all).to_vec()
    }

    /// Picks a water mark: small, large, or none.
    fn mark(&mut self) -> String {
        match self.random.below(5) {
            0 | 1 => "-".to_owned(),
            2 => self.random.below(3).to_string(),
            3 => self.random.below(100).to_string(),
            _ => self.random.below(200_000).to_string(),
        }
    }
}
