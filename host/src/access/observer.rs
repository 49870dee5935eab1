use std::fmt;
use std::net::SocketAddr;

use super::ListenAddress;
use crate::policy::{DenyReason, HostName, UnixName};

/// Is told what happens to a guest's sockets. Everything has a default that
/// writes to `tracing`; implement what you want to see.
///
/// Called on the thread that runs the guest, so it must not block. Calls are
/// limited: see [`denied`](Self::denied).
pub trait Observer: Send + Sync + 'static {
    /// Something was denied. The same denial is reported once, and different
    /// ones at a limited rate, since a guest can make as many as it likes.
    fn denied(&self, denial: &Denial) {
        tracing::warn!(label = denial.reason.label(), "{denial}");
    }

    /// So many denials were not reported, because they came too fast.
    fn suppressed(&self, count: u64) {
        tracing::warn!(count, "more denials, not shown");
    }

    /// A client has begun a TLS session with somebody whose certificate, or the name
    /// in it, it does not check. The policy permits that; once per guest.
    fn unverified(&self) {
        tracing::warn!("a TLS client does not check with whom it speaks");
    }

    /// A listener accepts connections on this address. Once per listener; where
    /// several guests share one, whoever is first tells it.
    fn listening(&self, address: &ListenAddress) {
        tracing::info!(%address, "listening");
    }
}

/// The observer that only writes to `tracing`.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingObserver;

impl Observer for TracingObserver {}

/// Something that a guest requested_address for and did not get.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Denial {
    /// What the guest asked for.
    pub request: Request,
    /// Why it did not get it.
    pub reason: DenyReason,
}

/// What a guest asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Request {
    /// To connect to an address.
    Connect(SocketAddr),
    /// To bind to an address.
    Bind(SocketAddr),
    /// To listen on an address.
    Listen(SocketAddr),
    /// To share an address with somebody else.
    Share(SocketAddr),
    /// To look up a name.
    Lookup(HostName),
    /// To have one more socket, made or accepted.
    Socket,
    /// To have so many bytes of memory in all.
    Memory(usize),
    /// To present the TLS certificate of this name.
    TlsIdentity(String),
    /// To check the certificates of TLS servers with roots of its own.
    TlsRoots,
    /// Not to check the certificate of a TLS server, or the name in it.
    TlsUnverified,
    /// To connect to a Unix socket.
    ConnectUnix(UnixName),
    /// To bind to the name of a Unix socket and listen there.
    ListenUnix(UnixName),
    /// To take the listener of this name from the host.
    Listener(String),
}

/// Characters of the name of an identity or a listener that are shown.
const SHOWN: usize = 64;

impl Denial {
    /// The flag, with its rule, that would allow it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match (&self.reason, &self.request) {
            (DenyReason::DenyRule(rule), _) => format!("remove {rule}"),
            (DenyReason::SocketLimit(limit), _) => {
                format!("--max-sockets {}", limit.saturating_mul(2).max(1))
            }
            (DenyReason::SymbolicLink(target), Request::ConnectUnix(_)) => {
                links_remedy(target.as_ref(), "--allow-connect")
            }
            (DenyReason::SymbolicLink(target), Request::ListenUnix(_)) => {
                links_remedy(target.as_ref(), "--allow-listen")
            }
            (DenyReason::ParentFolder, _) => "use the path without `..`".to_owned(),
            (DenyReason::Permission, Request::ConnectUnix(name)) => format!(
                "write permission for {name}, and search permission for its folder, of the user \
                 that runs this"
            ),
            (DenyReason::Permission, Request::ListenUnix(name)) => {
                format!("write permission for the folder of {name}, of the user that runs this")
            }
            (DenyReason::OtherPort(Some(name)), Request::Connect(address)) => {
                format!("--allow-connect tcp://{name}:{}", address.port())
            }
            (DenyReason::Expired(_), Request::Connect(_)) => {
                "look the name up again before connecting".to_owned()
            }
            (_, Request::Connect(address)) => format!("--allow-connect {}", rule(*address)),
            (_, Request::Bind(address) | Request::Listen(address) | Request::Share(address)) => {
                format!("--allow-listen {}", rule(*address))
            }
            (_, Request::Lookup(name)) => {
                format!("--allow-connect tcp://{name}:PORT, or --allow-resolve {name}")
            }
            (_, Request::Socket) => "--max-sockets N".to_owned(),
            (_, Request::Memory(bytes)) => {
                format!(
                    "--max-memory {}MiB",
                    bytes.div_ceil(1 << 20).next_power_of_two()
                )
            }
            (_, Request::TlsIdentity(name)) => {
                format!("--tls-identity {}=CERT.pem,KEY.pem", shown(name))
            }
            (_, Request::TlsRoots) => "--allow-tls-guest-roots".to_owned(),
            (_, Request::TlsUnverified) => "--allow-tls-unverified".to_owned(),
            (_, Request::ConnectUnix(name)) => format!("--allow-connect {name}"),
            (_, Request::ListenUnix(name)) => format!("--allow-listen {name}"),
            (_, Request::Listener(name)) => {
                format!("--listen-fds, with a socket named {}", shown(name))
            }
        }
    }
}

/// What to do about a symbolic link at the path of a Unix socket.
fn links_remedy(target: Option<&UnixName>, flag: &str) -> String {
    match target {
        Some(target) => format!("use what it leads to, {target}, and {flag} {target}"),
        None => format!("use the path that it leads to, and grant that with {flag}"),
    }
}

/// A name that a guest has made up.
fn shown(name: &str) -> String {
    let start = name.chars().take(SHOWN).flat_map(char::escape_debug);
    let cut = name.chars().nth(SHOWN).map(|_| '\u{2026}');
    start.chain(cut).collect()
}

/// The narrowest rule that covers the address.
fn rule(address: SocketAddr) -> String {
    let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
    format!("tcp://{canonical}")
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "denied {} ({}); to allow it: {}",
            self.request,
            self.reason,
            self.remedy()
        )
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(address) => write!(f, "connect to {address}"),
            Self::Bind(address) => write!(f, "bind to {address}"),
            Self::Listen(address) => write!(f, "listen on {address}"),
            Self::Share(address) => write!(f, "sharing of {address}"),
            Self::Lookup(name) => write!(f, "look-up of {name}"),
            Self::Socket => f.write_str("another socket"),
            Self::Memory(bytes) => write!(f, "{} KiB of memory", bytes / 1024),
            Self::TlsIdentity(name) => write!(f, "use of the TLS identity {}", shown(name)),
            Self::TlsRoots => f.write_str("TLS roots of its own"),
            Self::TlsUnverified => f.write_str("TLS with an unchecked server"),
            Self::ConnectUnix(name) => write!(f, "connect to {name}"),
            Self::ListenUnix(name) => write!(f, "listen on {name}"),
            Self::Listener(name) => write!(f, "use of the listener {}", shown(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{ListenRule, Rule, Special};

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn line(request: Request, reason: DenyReason) -> String {
        Denial { request, reason }.to_string()
    }

    #[test]
    fn a_denied_connect_names_the_flag_that_would_allow_it() {
        assert_eq!(
            line(Request::Connect(address("10.0.0.1:80")), DenyReason::NoRule),
            "denied connect to 10.0.0.1:80 (no rule); to allow it: \
             --allow-connect tcp://10.0.0.1:80"
        );
    }

    #[test]
    fn a_denied_connect_after_a_look_up_names_the_name() {
        let reason = DenyReason::OtherPort(Some("a.example".parse().unwrap()));
        let line = line(Request::Connect(address("1.1.1.1:80")), reason);
        assert!(
            line.ends_with("--allow-connect tcp://a.example:80"),
            "{line}"
        );
    }

    #[test]
    fn a_denied_listen_names_the_flag_that_would_allow_it() {
        let line = line(Request::Bind(address("[::1]:0")), DenyReason::NoRule);
        assert!(line.ends_with("--allow-listen tcp://[::1]:0"), "{line}");
    }

    #[test]
    fn a_denied_look_up_names_the_flags_that_would_allow_it() {
        let line = line(
            Request::Lookup("a.example".parse().unwrap()),
            DenyReason::NoRule,
        );
        assert!(
            line.contains("--allow-connect tcp://a.example:PORT"),
            "{line}"
        );
        assert!(line.contains("--allow-resolve a.example"), "{line}");
    }

    #[test]
    fn what_a_deny_rule_denied_names_that_rule() {
        let reason = DenyReason::DenyRule("--deny-connect tcp://*:25".into());
        let line = line(Request::Connect(address("1.1.1.1:25")), reason);
        assert!(line.ends_with("remove --deny-connect tcp://*:25"), "{line}");
    }

    #[test]
    fn a_denied_tls_identity_names_the_flag_and_cannot_forge_a_line() {
        assert_eq!(
            line(Request::TlsIdentity("web".into()), DenyReason::NotGranted),
            "denied use of the TLS identity web (not granted); to allow it: \
             --tls-identity web=CERT.pem,KEY.pem"
        );
        let forged = format!("a\nasyncio-streams: \x1b[31m{}", "b".repeat(1000));
        let line = line(Request::TlsIdentity(forged), DenyReason::NotGranted);
        assert!(!line.contains(char::is_control), "{line}");
        assert!(line.len() < 300, "{line}");
    }

    #[test]
    fn a_denied_listener_names_the_flag_and_cannot_forge_a_line() {
        assert_eq!(
            line(Request::Listener("web".into()), DenyReason::NotGranted),
            "denied use of the listener web (not granted); to allow it: \
             --listen-fds, with a socket named web"
        );
        let line = line(Request::Listener("a\nb".into()), DenyReason::NotGranted);
        assert!(!line.contains('\n'), "{line}");
    }

    #[test]
    fn a_denied_unix_socket_names_what_would_allow_it() {
        let name = UnixName::path(b"/run/a b").unwrap();
        let target = UnixName::path(b"/srv/c").ok();
        for (request, reason, end) in [
            (
                Request::ConnectUnix(name.clone()),
                DenyReason::NoRule,
                "(no rule); to allow it: --allow-connect unix:///run/a%20b",
            ),
            (
                Request::ListenUnix(name.clone()),
                DenyReason::NoRule,
                "(no rule); to allow it: --allow-listen unix:///run/a%20b",
            ),
            (
                Request::ConnectUnix(name.clone()),
                DenyReason::SymbolicLink(target),
                "(it is a symbolic link); to allow it: use what it leads to, unix:///srv/c, and \
                 --allow-connect unix:///srv/c",
            ),
            (
                Request::ListenUnix(name.clone()),
                DenyReason::SymbolicLink(None),
                "to allow it: use the path that it leads to, and grant that with --allow-listen",
            ),
            (
                Request::ListenUnix(name),
                DenyReason::Permission,
                "(the system does not permit it); to allow it: write permission for the folder \
                 of unix:///run/a%20b, of the user that runs this",
            ),
        ] {
            let line = line(request, reason);
            assert!(line.ends_with(end), "{line}");
        }
    }

    #[test]
    fn every_rule_named_as_a_remedy_parses() {
        for text in [
            "10.0.0.1:80",
            "[::1]:80",
            "[::ffff:1.1.1.1]:80",
            "[fe80::1%3]:80",
        ] {
            let target = address(text);
            let class = DenyReason::Special(Special::Loopback);
            let connect = Denial {
                request: Request::Connect(target),
                reason: class.clone(),
            }
            .remedy();
            let rule = connect.strip_prefix("--allow-connect ").unwrap();
            assert!(rule.parse::<Rule>().is_ok(), "{rule}");
            let listen = Denial {
                request: Request::Bind(target),
                reason: class,
            }
            .remedy();
            let rule = listen.strip_prefix("--allow-listen ").unwrap();
            assert!(rule.parse::<ListenRule>().is_ok(), "{rule}");
        }
        for name in [UnixName::path(b"/a *%"), UnixName::abstract_name(b"\0")] {
            let name = name.unwrap();
            let connect = line(Request::ConnectUnix(name.clone()), DenyReason::NoRule);
            let (_, rule) = connect.rsplit_once(' ').unwrap();
            assert!(rule.parse::<Rule>().is_ok(), "{rule}");
            let listen = line(Request::ListenUnix(name), DenyReason::NoRule);
            let (_, rule) = listen.rsplit_once(' ').unwrap();
            assert!(rule.parse::<ListenRule>().is_ok(), "{rule}");
        }
    }
}
