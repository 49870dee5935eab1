use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::guest_text::printable;
use crate::policy::{
    DenyReason, HostName, HostPattern, ListenRule, NamePattern, PolicyRule, PortPattern, Rule,
    TcpRule, UnixName,
};

/// A request of a guest that the host denied.
///
/// [`Display`](fmt::Display) gives both parts as one sentence: `denied: connect to
/// 127.0.0.1:80: no rule allows it`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Denial {
    /// The request.
    pub request: Request,
    /// The reason why it was denied.
    pub reason: DenyReason,
}

/// A request of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Request {
    /// To connect to an address.
    Connect(SocketAddr),
    /// To bind to an address.
    Bind(SocketAddr),
    /// To listen on an address.
    Listen(SocketAddr),
    /// To share an address with another process.
    Share(SocketAddr),
    /// To look up a name.
    Lookup(HostName),
    /// To have one more socket, made or accepted.
    Socket,
    /// To have this many bytes of memory in all.
    Memory(usize),
    /// To present the TLS identity of this name.
    TlsIdentity(String),
    /// To check the certificates of TLS servers with roots of its own.
    TlsRoots,
    /// To leave the certificate of a TLS server, or the name in it, unchecked.
    TlsUnverified,
    /// To connect to a Unix socket.
    ConnectUnix(UnixName),
    /// To bind to the name of a Unix socket and listen there.
    ListenUnix(UnixName),
    /// To take the inherited listener of this name.
    Listener(String),
    /// To accept a connection, from this address if the peer has one.
    Accept(Option<IpAddr>),
    /// To receive more bytes.
    Receive,
    /// To send more bytes.
    Send,
}

/// The length, in characters, to which names that a guest made up are cut.
const SHOWN: usize = 64;

impl Denial {
    /// Returns the narrowest rule that would allow the request, or `None` if no rule would,
    /// or several could.
    ///
    /// For a look-up, a rule for connecting to the name would do as well.
    #[must_use]
    pub fn allowing_rule(&self) -> Option<PolicyRule> {
        match (&self.reason, &self.request) {
            (
                DenyReason::DenyRule(_)
                | DenyReason::Expired(_)
                | DenyReason::ParentFolder
                | DenyReason::UnixFileLimit(_)
                | DenyReason::Permission
                | DenyReason::Quota(_),
                _,
            ) => None,
            (
                reason @ (DenyReason::OtherPort(Some(name)) | DenyReason::PrivateAddress(name)),
                Request::Connect(address),
            ) => Some(PolicyRule::Connect(Rule::Tcp(TcpRule {
                host: HostPattern::Name(name.clone()),
                port: PortPattern::One(address.port()),
                private: matches!(reason, DenyReason::PrivateAddress(_)),
            }))),
            (DenyReason::SymbolicLink(target), Request::ConnectUnix(_)) => {
                connect_unix(target.as_ref()?)
            }
            (DenyReason::SymbolicLink(target), Request::ListenUnix(_)) => {
                listen_unix(target.as_ref()?)
            }
            (_, Request::Connect(address)) => {
                Some(PolicyRule::Connect(Rule::Tcp(TcpRule::from(*address))))
            }
            (_, Request::Bind(address) | Request::Listen(address) | Request::Share(address)) => {
                Some(PolicyRule::Listen(ListenRule::Tcp((*address).into())))
            }
            (_, Request::Lookup(name)) => {
                Some(PolicyRule::Resolve(NamePattern::Name(name.clone())))
            }
            (_, Request::ConnectUnix(name)) => connect_unix(name),
            (_, Request::ListenUnix(name)) => listen_unix(name),
            (
                _,
                Request::Socket
                | Request::Memory(_)
                | Request::TlsIdentity(_)
                | Request::TlsRoots
                | Request::TlsUnverified
                | Request::Listener(_)
                | Request::Accept(_)
                | Request::Receive
                | Request::Send,
            ) => None,
        }
    }
}

fn connect_unix(name: &UnixName) -> Option<PolicyRule> {
    name.to_string().parse().ok().map(PolicyRule::Connect)
}

fn listen_unix(name: &UnixName) -> Option<PolicyRule> {
    name.to_string().parse().ok().map(PolicyRule::Listen)
}

impl Request {
    /// Returns the name that the guest asked for, of an identity or an inherited listener,
    /// so that it can be shown: it fits into a line, and cannot forge another one.
    #[must_use]
    pub fn shown_name(&self) -> Option<String> {
        match self {
            Self::TlsIdentity(name) | Self::Listener(name) => Some(shown(name)),
            _ => None,
        }
    }
}

/// Escapes and cuts a name that the guest made up.
fn shown(name: &str) -> String {
    printable(name, SHOWN)
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "denied: {}: {}", self.request, self.reason)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(address) => write!(f, "connect to {address}"),
            Self::Bind(address) => write!(f, "bind to {address}"),
            Self::Listen(address) => write!(f, "listen on {address}"),
            Self::Share(address) => write!(f, "share {address}"),
            Self::Lookup(name) => write!(f, "look up {name}"),
            Self::Socket => f.write_str("open another socket"),
            Self::Memory(bytes) => write!(f, "have {} KiB of memory", bytes / 1024),
            Self::TlsIdentity(name) => write!(f, "use the TLS identity {}", shown(name)),
            Self::TlsRoots => f.write_str("trust TLS roots of its own"),
            Self::TlsUnverified => f.write_str("leave a TLS server unchecked"),
            Self::ConnectUnix(name) => write!(f, "connect to {name}"),
            Self::ListenUnix(name) => write!(f, "listen on {name}"),
            Self::Listener(name) => write!(f, "use the listener {}", shown(name)),
            Self::Accept(Some(peer)) => write!(f, "accept a connection from {peer}"),
            Self::Accept(None) => f.write_str("accept a connection"),
            Self::Receive => f.write_str("receive more bytes"),
            Self::Send => f.write_str("send more bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Special;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn denial(request: Request, reason: DenyReason) -> Denial {
        Denial { request, reason }
    }

    /// The operation and the text of the rule that would allow it.
    fn allowing(request: Request, reason: DenyReason) -> Option<(&'static str, String)> {
        let rule = denial(request, reason).allowing_rule()?;
        Some((rule.operation(), rule.to_string()))
    }

    fn some(operation: &'static str, rule: &str) -> Option<(&'static str, String)> {
        Some((operation, rule.to_owned()))
    }

    #[test]
    fn a_denial_is_shown_as_one_sentence() {
        for (request, reason, line) in [
            (
                Request::Connect(address("10.0.0.1:80")),
                DenyReason::NoRule,
                "denied: connect to 10.0.0.1:80: no rule allows it",
            ),
            (
                Request::Connect(address("1.1.1.1:25")),
                DenyReason::DenyRule(PolicyRule::Connect("tcp://*:25".parse().unwrap())),
                "denied: connect to 1.1.1.1:25: the rule tcp://*:25 denies it",
            ),
            (
                Request::Socket,
                DenyReason::SocketLimit(3),
                "denied: open another socket: the limit of sockets is 3",
            ),
            (
                Request::TlsIdentity("web".into()),
                DenyReason::NotGranted,
                "denied: use the TLS identity web: it is not granted",
            ),
        ] {
            assert_eq!(denial(request, reason).to_string(), line);
        }
    }

    #[test]
    fn a_rule_that_would_allow_an_address_is_the_narrowest() {
        for (text, rule) in [
            ("10.0.0.1:80", "tcp://10.0.0.1:80"),
            ("[::1]:0", "tcp://[::1]:0"),
            ("[::ffff:1.1.1.1]:80", "tcp://1.1.1.1:80"),
            ("[fe80::1%3]:80", "tcp://[fe80::1]:80"),
        ] {
            let (target, reason) = (address(text), DenyReason::Special(Special::Loopback));
            let connect = allowing(Request::Connect(target), reason.clone());
            assert_eq!(connect, some("connect", rule));
            for request in [
                Request::Bind(target),
                Request::Listen(target),
                Request::Share(target),
            ] {
                assert_eq!(allowing(request, reason.clone()), some("listen", rule));
            }
        }
    }

    #[test]
    fn a_rule_for_an_address_after_a_look_up_has_the_name() {
        let reason = DenyReason::OtherPort(Some("a.example".parse().unwrap()));
        let connect = Request::Connect(address("1.1.1.1:80"));
        assert_eq!(
            allowing(connect, reason),
            some("connect", "tcp://a.example:80")
        );
        let reason = DenyReason::PrivateAddress("redis".parse().unwrap());
        let connect = Request::Connect(address("172.18.0.2:6379"));
        assert_eq!(
            allowing(connect, reason),
            some("connect", "tcp://redis:6379?private")
        );
        let look_up = Request::Lookup("a.example".parse().unwrap());
        assert_eq!(
            allowing(look_up, DenyReason::NoRule),
            some("resolve", "a.example")
        );
    }

    #[test]
    fn a_rule_for_a_unix_socket_has_its_name_or_that_behind_a_link() {
        let name = UnixName::path(b"/run/a b").unwrap();
        let target = UnixName::path(b"/srv/c").ok();
        let connect = |reason| allowing(Request::ConnectUnix(name.clone()), reason);
        let listen = |reason| allowing(Request::ListenUnix(name.clone()), reason);
        let (own, linked) = ("unix:///run/a%20b", "unix:///srv/c");
        assert_eq!(connect(DenyReason::NoRule), some("connect", own));
        assert_eq!(listen(DenyReason::NoRule), some("listen", own));
        let link = DenyReason::SymbolicLink(target);
        assert_eq!(connect(link.clone()), some("connect", linked));
        assert_eq!(listen(link), some("listen", linked));
        assert_eq!(connect(DenyReason::SymbolicLink(None)), None);
        assert_eq!(listen(DenyReason::Permission), None);
    }

    #[test]
    fn every_name_of_a_unix_socket_has_a_rule_that_covers_it() {
        for name in [UnixName::path(b"/a *%"), UnixName::abstract_name(b"\0")] {
            let name = name.unwrap();
            let connect = denial(Request::ConnectUnix(name.clone()), DenyReason::NoRule);
            let Some(PolicyRule::Connect(Rule::Unix(rule))) = connect.allowing_rule() else {
                panic!("no rule for {name}");
            };
            assert!(rule.covers(&name), "{rule}");
            let listen = denial(Request::ListenUnix(name.clone()), DenyReason::NoRule);
            let Some(PolicyRule::Listen(ListenRule::Unix(rule))) = listen.allowing_rule() else {
                panic!("no rule for {name}");
            };
            assert!(rule.rule().covers(&name), "{rule}");
        }
    }

    #[test]
    fn no_rule_allows_what_a_rule_denies_or_a_limit_forbids() {
        let connect = Request::Connect(address("1.1.1.1:25"));
        let deny_rule = PolicyRule::Connect("tcp://*:25".parse().unwrap());
        assert_eq!(
            allowing(connect.clone(), DenyReason::DenyRule(deny_rule)),
            None
        );
        let expired = DenyReason::Expired("a.example".parse().unwrap());
        assert_eq!(allowing(connect, expired), None);
        assert_eq!(allowing(Request::Socket, DenyReason::SocketLimit(1)), None);
        assert_eq!(allowing(Request::TlsRoots, DenyReason::NotGranted), None);
    }

    #[test]
    fn a_name_that_the_guest_made_up_cannot_forge_a_line() {
        let forged = format!("a\nasyncio-streams: \x1b[31m{}", "b".repeat(1000));
        for request in [
            Request::TlsIdentity(forged.clone()),
            Request::Listener(forged),
        ] {
            let name = request.shown_name().unwrap();
            assert!(!name.contains(char::is_control), "{name}");
            let line = denial(request, DenyReason::NotGranted).to_string();
            assert!(!line.contains(char::is_control), "{line}");
            assert!(line.len() < 300, "{line}");
        }
    }
}
