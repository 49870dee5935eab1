//! Scripts: the steps of the subject and its peer, one after the other, and their text
//! form.
//!
//! ```text
//! # CPython throws such a line away (D2)
//! role client
//! limit 4
//! 1 peer send abcdef;
//! 2 readline
//! 3 read 100
//! ```
//!
//! A number names its step: `cancel 3` cancels the call of step 3. The calls of `5 write
//! abc & close` are made without a turn of the loop between them, and are named 5 and 6.

use std::fmt;

use crate::words::{quote, quote_runs, unquote};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Script {
    pub(crate) role: Role,
    /// The reader's limit.
    pub(crate) limit: usize,
    pub(crate) steps: Vec<Step>,
}

/// The subject's role: it connects to the peer, or the peer to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Role {
    Client,
    Server,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) name: u32,
    pub(crate) action: Action,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// Calls of the subject, in the words of the drivers, with an `&` between them.
    Call(Vec<String>),
    /// The peer sends.
    Send(Vec<u8>),
    /// The peer ends its data.
    Fin,
    /// The peer resets the connection.
    Reset,
    /// The peer closes, after it has received everything.
    Close,
    /// The peer receives everything that was written.
    Receive,
}

impl Step {
    /// Returns each call with its name, or none for a step of the peer.
    pub(crate) fn calls(&self) -> Vec<(u32, Action)> {
        let Action::Call(words) = &self.action else {
            return Vec::new();
        };
        let calls = words.split(|word| word == "&").map(<[String]>::to_vec);
        (self.name..).zip(calls.map(Action::Call)).collect()
    }
}

impl Action {
    pub(crate) fn call(words: &str) -> Action {
        Action::Call(words.split(' ').map(str::to_owned).collect())
    }

    /// Returns the method that is called, or an empty text for a step of the peer.
    pub(crate) fn verb(&self) -> &str {
        match self {
            Action::Call(words) => words.first().map_or("", String::as_str),
            _ => "",
        }
    }

    /// Returns the call's first argument.
    pub(crate) fn argument(&self) -> &str {
        match self {
            Action::Call(words) => words.get(1).map_or("", String::as_str),
            _ => "",
        }
    }

    pub(crate) fn reads(&self) -> bool {
        matches!(
            self.verb(),
            "read" | "readline" | "readexactly" | "readuntil"
        )
    }

    /// Returns a call in the words of the drivers.
    pub(crate) fn in_full(&self) -> String {
        match self {
            Action::Call(words) => words.join(" "),
            _ => String::new(),
        }
    }

    /// Returns whether the call may wait.
    pub(crate) fn waits(&self) -> bool {
        self.reads() || matches!(self.verb(), "drain" | "wait_closed")
    }

    pub(crate) fn writes(&self) -> bool {
        matches!(self.verb(), "write" | "writelines" | "flood")
    }

    fn parse(text: &str) -> Option<Action> {
        Some(match text.split(' ').collect::<Vec<_>>().as_slice() {
            ["peer", "send", data] => Action::Send(unquote(data)?),
            ["peer", "fin"] => Action::Fin,
            ["peer", "reset"] => Action::Reset,
            ["peer", "close"] => Action::Close,
            ["peer", "receive"] => Action::Receive,
            ["peer", ..] | [] => return None,
            words => Action::Call(words.iter().map(|word| in_full(word)).collect()),
        })
    }
}

impl Script {
    /// Returns the script without the steps for which `keep` is false.
    pub(crate) fn only(&self, mut keep: impl FnMut(usize, &Step) -> bool) -> Script {
        let steps = self.steps.iter().enumerate();
        let steps = steps.filter(|(index, step)| keep(*index, step));
        Script {
            steps: steps.map(|(_, step)| step.clone()).collect(),
            ..*self
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Script, String> {
        let mut script = Script {
            role: Role::Client,
            limit: 65536,
            steps: Vec::new(),
        };
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let wrong = || format!("not a line of a script: {line:?}");
            match line.split_once(' ').ok_or_else(wrong)? {
                ("role", "client") => script.role = Role::Client,
                ("role", "server") => script.role = Role::Server,
                ("limit", limit) => script.limit = limit.parse().map_err(|_| wrong())?,
                (name, action) => script.steps.push(Step {
                    name: name.parse().map_err(|_| wrong())?,
                    action: Action::parse(action).ok_or_else(wrong)?,
                }),
            }
        }
        Ok(script)
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Client => "client",
            Role::Server => "server",
        };
        writeln!(f, "role {role}\nlimit {}", self.limit)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.action)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Call(words) => {
                let (verb, arguments) = words.split_at(words.len().min(1));
                f.write_str(&verb.concat())?;
                arguments
                    .iter()
                    .try_for_each(|word| write!(f, " {}", in_short(word)))
            }
            Action::Send(data) => write!(f, "peer send {}", quote_runs(data)),
            Action::Fin => f.write_str("peer fin"),
            Action::Reset => f.write_str("peer reset"),
            Action::Close => f.write_str("peer close"),
            Action::Receive => f.write_str("peer receive"),
        }
    }
}

/// Writes a word for a reader, with the repetitions counted.
fn in_short(word: &str) -> String {
    match unquote(word) {
        Some(data) if word.len() > 24 => quote_runs(&data),
        _ => word.to_owned(),
    }
}

/// Writes a word for the drivers.
fn in_full(word: &str) -> String {
    match unquote(word) {
        Some(data) if word.contains('*') => quote(&data),
        _ => word.to_owned(),
    }
}

#[test]
fn a_script_is_what_its_text_says() {
    let text = "role server\nlimit 4\n1 peer send a*3000+\\x0a\n2 read 5\n5 cancel 2\n6 write a*30+ & close\n7 peer fin\n";
    let script = Script::parse(text).unwrap();
    assert_eq!(script.to_string(), text);
    assert!(Script::parse("1 peer sing").is_err());
    assert!(Script::parse("nonsense").is_err());
}
