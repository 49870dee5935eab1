//! Policies written as a script, so that an input can be read: a line is a rule
//! with its option (`allow-connect tcp://*:80`), a look-up and one address of its
//! answer (`lookup localhost 127.0.0.1`), or an address to decide about
//! (`try 127.0.0.1:80`, `try /run/app.sock`, `try @app`).

use std::fmt::{Debug, Display};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Instant;

use crate::host::policy::{
    Decision, DenyReason, Grants, HostName, HostPattern, ListenRule, NamePattern, ParseRuleError,
    Policy, Rule, Special, Target, UnixName, Use,
};

/// Scripts that fuzzing begins with.
pub const SEEDS: [(&str, &str); 5] = [
    (
        "connect",
        "allow-connect tcp://*:443\nallow-connect tcp://10.0.0.0/8:8000-8999\n\
         deny-connect tcp://[2001:4860::/32]:*\ntry 1.1.1.1:443\ntry 10.1.2.3:8080\n\
         try [2001:4860:4860::8888]:443\ntry 169.254.169.254:443\n",
    ),
    (
        "names",
        "allow-connect tcp://*.example.com:443\nallow-connect tcp://localhost:80\n\
         deny-connect tcp://bad.example.com:*\nlookup a.example.com 1.1.1.1\n\
         lookup bad.example.com 1.1.1.2\nlookup localhost 127.0.0.1\ntry 1.1.1.1:443\n\
         try 1.1.1.2:443\ntry 127.0.0.1:80\n",
    ),
    (
        "listen",
        "allow-listen tcp://localhost:0\nallow-listen tcp://[::]:*\n\
         deny-listen tcp://0.0.0.0/0:22\ntry 127.0.0.1:0\ntry [::]:80\ntry 0.0.0.0:22\n",
    ),
    (
        "resolve",
        "allow-resolve *\ndeny-resolve *.internal\nallow-resolve b\u{fc}cher.example\n\
         lookup xn--bcher-kva.example ::ffff:1.1.1.1\nlookup db.internal fd00::1\n\
         tcp://[::ffff:10.0.0.0/104]:80\ntry [::ffff:1.1.1.1]:80\n",
    ),
    (
        "unix",
        "allow-connect unix:///run/*.sock\nallow-connect unix://@a*%2Ab\n\
         deny-connect unix:///run/docker.sock\nallow-listen unix:///run/app/a*b?mode=0660\n\
         deny-listen unix://@*\ntry /run//./db.sock\ntry /run/../db.sock\ntry /run/docker.sock\n\
         try /run/app/a.b\ntry @a1*b\n",
    ),
];

/// The most rules: each decision asks every rule alone, so more would only be slower.
const MOST: usize = 16;

/// Parses the script, and decides about its names and addresses.
///
/// # Panics
///
/// If a parsed rule, printed and parsed again, differs; or if a decision differs from
/// that of the rules one by one.
pub fn check(script: &str) {
    let mut case = Case::default();
    for line in script.lines().take(4 * MOST) {
        check_grammar(line);
        if let Some((word, rest)) = line.split_once(' ') {
            check_grammar(rest);
            case.take(word, rest);
        }
    }
    case.check();
}

fn check_grammar(text: &str) {
    shows_itself(text.parse::<HostName>());
    for error in [
        shows_itself(text.parse::<Rule>()),
        shows_itself(text.parse::<ListenRule>()),
        shows_itself(text.parse::<NamePattern>()),
    ] {
        let explained = |error: ParseRuleError| error.to_string().contains(text);
        assert!(error.is_none_or(explained), "{text:?}");
    }
}

/// Checks that a value, printed and parsed again, stays the same.
fn shows_itself<T, E>(parsed: Result<T, E>) -> Option<E>
where
    T: FromStr<Err = E> + Display + Debug + PartialEq,
    E: Debug + PartialEq,
{
    match parsed {
        Ok(value) => {
            assert_eq!(value.to_string().parse::<T>().as_ref(), Ok(&value));
            None
        }
        Err(error) => Some(error),
    }
}

enum Entry {
    AllowConnect(Rule),
    DenyConnect(Rule),
    AllowListen(ListenRule),
    DenyListen(ListenRule),
    AllowResolve(NamePattern),
    DenyResolve(NamePattern),
}

impl Entry {
    fn parse(word: &str, rule: &str) -> Option<Self> {
        match word {
            "allow-connect" => rule.parse().ok().map(Self::AllowConnect),
            "deny-connect" => rule.parse().ok().map(Self::DenyConnect),
            "allow-listen" => rule.parse().ok().map(Self::AllowListen),
            "deny-listen" => rule.parse().ok().map(Self::DenyListen),
            "allow-resolve" => rule.parse().ok().map(Self::AllowResolve),
            "deny-resolve" => rule.parse().ok().map(Self::DenyResolve),
            _ => None,
        }
    }

    fn add_to(&self, policy: &mut Policy) {
        match self {
            Self::AllowConnect(rule) => policy.allow_connect(rule.clone()),
            Self::DenyConnect(rule) => policy.deny_connect(rule.clone()),
            Self::AllowListen(rule) => policy.allow_listen(rule.clone()),
            Self::DenyListen(rule) => policy.deny_listen(rule.clone()),
            Self::AllowResolve(pattern) => policy.allow_resolve(pattern.clone()),
            Self::DenyResolve(pattern) => policy.deny_resolve(pattern.clone()),
        };
    }

    fn alone(&self) -> Policy {
        let mut policy = Policy::new();
        self.add_to(&mut policy);
        policy
    }

    /// Returns true for a rule that covers a special address by itself: it names an
    /// address, or a name that means loopback.
    fn names(&self, ip: IpAddr, class: Special) -> bool {
        let Self::AllowConnect(Rule::Tcp(rule)) = self else {
            return false;
        };
        match &rule.host {
            HostPattern::Any => false,
            HostPattern::Address(own) => *own == ip,
            HostPattern::Network(own) if class == Special::Metadata => {
                own.contains(&ip) && own.prefix_len() == own.max_prefix_len()
            }
            HostPattern::Network(own) => own.contains(&ip),
            HostPattern::Name(name) | HostPattern::Suffix(name) => {
                class == Special::Loopback && name.is_localhost()
            }
        }
    }
}

#[derive(Default)]
struct Case {
    entries: Vec<Entry>,
    looked_up: Vec<(HostName, Option<IpAddr>)>,
    addresses: Vec<SocketAddr>,
    unix_names: Vec<UnixName>,
}

impl Case {
    fn take(&mut self, word: &str, rest: &str) {
        if word == "try" {
            self.addresses.extend(rest.parse::<SocketAddr>());
            self.unix_names.extend(match rest.strip_prefix('@') {
                Some(name) => UnixName::abstract_name(name.as_bytes()),
                None => UnixName::path(rest.as_bytes()),
            });
        } else if word == "lookup" {
            let (name, address) = rest.split_once(' ').unwrap_or((rest, ""));
            if let Ok(Target::Name(name)) = name.parse() {
                self.looked_up.push((name, address.parse().ok()));
            }
        } else {
            self.entries.extend(Entry::parse(word, rest));
        }
    }

    fn check(mut self) {
        self.entries.truncate(MOST);
        self.looked_up.truncate(MOST);
        self.addresses.truncate(MOST);
        self.unix_names.truncate(MOST);
        let mut policy = Policy::new();
        for entry in &self.entries {
            entry.add_to(&mut policy);
        }

        let now = Instant::now();
        let mut grants = Grants::default();
        for (name, address) in &self.looked_up {
            self.check_one(&policy, |policy| policy.decide_lookup(name));
            if policy.grants_by_name(name) {
                grants.record(name, address.as_slice(), now);
            }
        }
        for address in &self.addresses {
            for usage in [Use::Connect, Use::Bind, Use::Listen, Use::Share] {
                let decide = |policy: &Policy| policy.decide(usage, *address, &grants, now);
                let decision = self.check_one(&policy, decide);
                let mapped = SocketAddr::new(mapped(address.ip()), address.port());
                assert_eq!(decision, policy.decide(usage, mapped, &grants, now));
                if usage == Use::Connect && decision == Decision::Allow {
                    self.check_special(address.ip().to_canonical());
                }
            }
        }
        for name in &self.unix_names {
            self.check_unix(&policy, name);
        }
    }

    fn check_unix(&self, policy: &Policy, name: &UnixName) {
        let connect = self.check_one(policy, |policy| policy.decide_unix_connect(name));
        let listen = self.check_one(policy, |policy| match policy.decide_unix_listen(name) {
            Ok(_) => Decision::Allow,
            Err(reason) => Decision::Deny(reason),
        });
        let shown = name.to_string();
        assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()), "{shown}");
        match shown.parse::<Rule>() {
            Ok(Rule::Unix(rule)) => assert!(rule.covers(name), "{shown}"),
            Ok(Rule::Tcp(_)) => panic!("{shown} is an address"),
            // The path contains `..`.
            Err(_) => assert!(connect != Decision::Allow && listen != Decision::Allow),
        }
    }

    /// Checks that all rules together allow a request if one allows it and none denies it.
    fn check_one(&self, whole: &Policy, decide: impl Fn(&Policy) -> Decision) -> Decision {
        let mut allowed = false;
        let mut denied = false;
        for entry in &self.entries {
            match decide(&entry.alone()) {
                Decision::Allow => allowed = true,
                Decision::Deny(DenyReason::DenyRule(_)) => denied = true,
                Decision::Deny(_) => {}
            }
        }
        let decision = decide(whole);
        assert_eq!(decision == Decision::Allow, allowed && !denied);
        decision
    }

    /// Checks that a special address is only allowed by a rule of its own.
    fn check_special(&self, ip: IpAddr) {
        if let Some((class, _)) = Special::of(ip) {
            let has_own = self.entries.iter().any(|entry| entry.names(ip, class));
            assert!(has_own, "{ip} is {class}, and no rule is for it alone");
        }
    }
}

/// Returns the same address in its other form, if it has one.
fn mapped(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().into(),
        ip => ip,
    }
}
