//! Each use of the network, with rules that do not allow it: none, one for another use,
//! ones that nearly cover it, and one that denies it beside the one that allows it.

use std::os::unix::net::UnixListener;

use crate::support::{Process, run};

use super::{FORMS, listener, words};

/// A use that one rule allows.
struct Use {
    /// The words of the host's line about a denial.
    what: String,
    /// The program and its arguments. In the composed form, `-wit` follows its name.
    program: &'static str,
    args: Vec<String>,
    /// The rules that the use needs beside the one in question.
    beside: Vec<String>,
    allow: String,
    /// Rules that do not cover it.
    others: Vec<String>,
    deny: String,
    /// True if the program serves until it is stopped.
    serves: bool,
}

impl Use {
    fn start(&self, form: &str, rules: &[&String]) -> Process {
        let flags = self.beside.iter().chain(rules.iter().copied());
        let flags: Vec<&str> = flags.flat_map(|flag| words(flag)).collect();
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        run(&flags, &format!("{}{form}", self.program), &args)
    }

    fn is_denied_with(&self, form: &str, rules: &[&String]) {
        let ended = self.start(form, rules).end();
        let denial = format!("asyncio-streams: denied: {}: ", self.what);
        let lines = ended.stderr.lines();
        let denials = lines.filter(|line| line.starts_with(&denial)).count();
        assert_eq!(denials, 1, "{rules:?} for {}: {ended:?}", self.what);
    }

    fn check(&self) {
        for form in FORMS {
            let mut allowed = self.start(form, &[&self.allow]);
            match self.serves {
                true => drop(allowed.wait_for("listening on ")),
                false => {
                    let ended = allowed.end();
                    assert!(!ended.stderr.contains("denied: "), "{ended:?}");
                }
            }
            self.is_denied_with(form, &[]);
            for other in &self.others {
                self.is_denied_with(form, &[other]);
            }
            self.is_denied_with(form, &[&self.allow, &self.deny]);
            self.is_denied_with(form, &[&self.deny, &self.allow]);
        }
    }
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

#[test]
fn connecting_needs_a_rule_that_covers_address_and_port() {
    let (_listener, port) = listener();
    let near = port.parse::<u16>().unwrap() ^ 1;
    Use {
        what: format!("connect to 127.0.0.1:{port}"),
        program: "connect",
        args: vec!["127.0.0.1".into(), port.clone()],
        beside: Vec::new(),
        allow: format!("--allow-connect tcp://127.0.0.1:{port}"),
        others: vec![
            format!("--allow-listen tcp://127.0.0.1:{port}"),
            format!("--allow-connect tcp://127.0.0.1:{near}"),
            format!("--allow-connect tcp://127.0.0.2:{port}"),
            format!("--allow-connect tcp://[::1]:{port}"),
            format!("--allow-connect tcp://*:{port}"),
            "--allow-resolve localhost".into(),
        ],
        deny: format!("--deny-connect tcp://127.0.0.0/8:{port}"),
        serves: false,
    }
    .check();
}

#[test]
fn binding_before_a_connect_needs_a_rule_to_listen() {
    let (_listener, port) = listener();
    Use {
        what: "bind to 127.0.0.1:0".into(),
        program: "connect",
        args: [texts(["127.0.0.1", &port]), texts(["127.0.0.1", "0"])].concat(),
        beside: vec![format!("--allow-connect tcp://127.0.0.1:{port}")],
        allow: "--allow-listen tcp://127.0.0.1:0".into(),
        others: texts([
            "--allow-connect tcp://127.0.0.1:80",
            "--allow-listen tcp://127.0.0.2:0",
            "--allow-listen tcp://127.0.0.1:80",
            "--allow-listen tcp://[::1]:0",
        ]),
        deny: "--deny-listen tcp://127.0.0.0/8:*".into(),
        serves: false,
    }
    .check();
}

#[test]
fn listening_needs_a_rule_that_covers_address_and_port() {
    Use {
        what: "bind to 127.0.0.1:0".into(),
        program: "echo-server",
        args: texts(["127.0.0.1", "0"]),
        beside: Vec::new(),
        allow: "--allow-listen tcp://127.0.0.1:0".into(),
        others: texts([
            "--allow-connect tcp://127.0.0.1:*",
            "--allow-listen tcp://127.0.0.2:0",
            "--allow-listen tcp://127.0.0.1:80",
            "--allow-listen tcp://[::1]:0",
            "--allow-listen tcp://0.0.0.0:0",
        ]),
        deny: "--deny-listen tcp://*:0".into(),
        serves: true,
    }
    .check();
}

#[test]
fn a_look_up_needs_a_rule_that_covers_the_name() {
    Use {
        what: "look up name.invalid".into(),
        program: "looks-up",
        args: texts(["name.invalid,80"]),
        beside: Vec::new(),
        allow: "--allow-resolve name.invalid".into(),
        others: texts([
            "--allow-connect tcp://127.0.0.1:*",
            "--allow-listen tcp://localhost:80",
            "--allow-resolve other.invalid",
            "--allow-resolve *.name.invalid",
            "--allow-resolve invalid",
        ]),
        deny: "--deny-resolve *.invalid".into(),
        serves: false,
    }
    .check();
}

#[test]
fn unix_sockets_need_a_rule_that_covers_folder_and_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (used, made) = (at("used"), at("made"));
    let _listener = UnixListener::bind(&used).unwrap();
    let others = |operation: &str, other: &str, path: &str| {
        vec![
            format!("--allow-{other} unix://{path}"),
            format!("--allow-{operation} unix://{path}r"),
            format!("--allow-{operation} unix://{path}/*"),
            format!("--allow-{operation} unix://@*"),
        ]
    };
    Use {
        what: format!("connect to unix://{used}"),
        program: "unix",
        args: texts(["connect", &used]),
        beside: Vec::new(),
        allow: format!("--allow-connect unix://{used}"),
        others: others("connect", "listen", &used),
        deny: format!("--deny-connect unix://{}", at("*")),
        serves: false,
    }
    .check();
    Use {
        what: format!("listen on unix://{made}"),
        program: "unix",
        args: texts(["serve", &made]),
        beside: Vec::new(),
        allow: format!("--allow-listen unix://{made}"),
        others: others("listen", "connect", &made),
        deny: format!("--deny-listen unix://{}", at("*")),
        serves: true,
    }
    .check();
}
