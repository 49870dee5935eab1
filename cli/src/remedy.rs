//! Remedies: the options of this command that would allow a denied request, or help with an
//! error. The library knows no options; it says what happened, and why.

use std::borrow::Cow;
use std::fmt;

use asyncio_streams_host::compose::{ComposeError, builtin_streams};
use asyncio_streams_host::policy::{DenyReason, PolicyRule};
use asyncio_streams_host::{CompileError, Denial, Quota, Request, Trap};

/// Returns what to do about a denial, if anything is known.
pub(crate) fn of_denial(denial: &Denial) -> Option<String> {
    if let DenyReason::DenyRule(rule) = &denial.reason {
        return Some(format!(
            "remove --deny-{} {}",
            rule.operation(),
            quoted(rule)
        ));
    }
    if let Some(rule) = denial.allowing_rule() {
        return Some(allow_by_rule(&denial.reason, &rule));
    }
    Some(match (&denial.reason, &denial.request) {
        (DenyReason::SocketLimit(limit), _) => more("sockets", *limit),
        (DenyReason::HandleLimit(limit), _) => more("handles", *limit),
        (DenyReason::ConcurrentLimit(limit), _) => more("concurrent", *limit),
        (DenyReason::ResourceLimit(limit), _) => more("resources", *limit),
        (DenyReason::Quota(quota), _) => return quota_option(*quota),
        (DenyReason::SymbolicLink(_), _) => {
            "use the path that it leads to, with a rule for that".to_owned()
        }
        (DenyReason::ParentFolder, _) => "use the path without `..`".to_owned(),
        (DenyReason::Permission, Request::ConnectUnix(name)) => format!(
            "the user that runs this command needs write permission for {name}, and search \
             permission for its folder"
        ),
        (DenyReason::Permission, Request::ListenUnix(name)) => format!(
            "the user that runs this command needs write permission for the folder of {name}"
        ),
        (DenyReason::Permission, Request::Bind(address) | Request::Listen(address)) => format!(
            "the user that runs this command may not use {address}; on Linux, a port below that of \
             net.ipv4.ip_unprivileged_port_start needs CAP_NET_BIND_SERVICE"
        ),
        (DenyReason::Expired(_), _) => {
            "the program has to look the name up again before it connects".to_owned()
        }
        (_, Request::Memory(bytes)) => {
            let mebibytes = bytes.div_ceil(1 << 20).next_power_of_two();
            format!("allow more with --max-memory {mebibytes}MiB")
        }
        (_, request @ Request::TlsIdentity(_)) => format!(
            "allow it with --tls-identity {}=CERT.pem,KEY.pem",
            quoted(request.shown_name()?)
        ),
        (_, Request::TlsRoots) => "allow it with --allow-tls-guest-roots".to_owned(),
        (_, Request::TlsUnverified) => "allow it with --allow-tls-unverified".to_owned(),
        (_, request @ Request::Listener(_)) => format!(
            "allow it with --listen-fds, and a socket named {}",
            quoted(request.shown_name()?)
        ),
        _ => return None,
    })
}

fn more(limit: &str, than: usize) -> String {
    let more = than.saturating_mul(2).max(1);
    format!("allow more with --max-{limit} {more}")
}

/// Names the option of a quota, with a value that would do.
fn quota_option(quota: Quota) -> Option<String> {
    let option = match quota {
        Quota::Connections(_) => "--max-connections",
        Quota::ConnectionsPerPeer(_) => "--max-connections-per-peer",
        Quota::AcceptsPerSecond(_) => "--max-accept-rate",
        Quota::ConnectsPerSecond(_) => "--max-connect-rate",
        Quota::LookupsPerSecond(_) => "--max-lookup-rate",
        Quota::ReceivedPerSecond(_) => "--max-receive-rate",
        Quota::SentPerSecond(_) => "--max-send-rate",
        Quota::Bytes(_) => "--max-bytes",
        _ => return None,
    };
    let more = quota.value().saturating_mul(2).max(1);
    Some(format!("allow more with {option} {more}"))
}

fn allow_by_rule(reason: &DenyReason, rule: &PolicyRule) -> String {
    let option = format!("--allow-{} {}", rule.operation(), quoted(rule));
    match (reason, rule) {
        (DenyReason::SymbolicLink(Some(target)), _) => {
            let target = quoted(target);
            format!("use the path that it leads to, {target}, and allow that with {option}")
        }
        // A rule for connecting covers the look-up too, and is what a client needs.
        (_, PolicyRule::Resolve(name)) => {
            let connect = quoted(format_args!("tcp://{name}:PORT"));
            format!(
                "allow it with --allow-connect {connect} or, to listen, with {option} and \
                 --allow-listen tcp://ADDRESS:PORT"
            )
        }
        _ => format!("allow it with {option}"),
    }
}

/// Quotes a word for a shell. Guests choose names, and operators paste what the log
/// suggests.
fn quoted(word: impl fmt::Display) -> String {
    // Only a zero byte cannot be quoted, and names are shown without control characters.
    shlex::try_quote(&word.to_string()).map_or_else(|_| "''".to_owned(), Cow::into_owned)
}

/// The option for a limit whose end wasmtime reports in words of its own.
pub(crate) fn of_trap(trap: &Trap) -> Option<&'static str> {
    let options = [
        (
            "resource table has no free keys",
            "a limit is reached, of tasks, streams and futures (--max-concurrent) or of resources \
             (--max-resources); both are also bounded by --max-memory",
        ),
        (
            "store handle limit exceeded",
            "allow more with --max-handles, which is also bounded by --max-memory",
        ),
        (
            "too much data is being copied between the host and the guest",
            "one call may have the host copy a quarter of --max-memory, and 64MiB at most",
        ),
        (
            "the limit of memory leaves no room",
            "allow more with --max-memory",
        ),
    ];
    let mut options = options.into_iter();
    options
        .find(|(words, _)| trap.cause().contains(words))
        .map(|(_, option)| option)
}

/// Returns what to do about an error that ends the command, if an option helps.
pub(crate) fn of_error(error: &anyhow::Error) -> Option<&'static str> {
    let compose = error.chain().find_map(|cause| {
        let compile = cause.downcast_ref::<CompileError>();
        match compile {
            Some(CompileError::Compose(error)) => Some(error),
            _ => cause.downcast_ref::<ComposeError>(),
        }
    });
    match compose? {
        ComposeError::NoStreamsComponent(_) if builtin_streams().is_some() => {
            Some("compose it with --streams-component full")
        }
        ComposeError::NoStreamsComponent(_) => Some(
            "name one with --streams-component, or run `cargo xtask setup` and build the command \
             again",
        ),
        ComposeError::Mismatch(mismatch) if mismatch.is_newer() == Some(false) => {
            Some("name that one with --streams-component")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {

    use asyncio_streams_host::compose::prepare;
    use asyncio_streams_host::policy::{ListenRule, Rule, UnixName};

    use super::*;

    fn remedy(request: Request, reason: DenyReason) -> String {
        of_denial(&Denial { request, reason }).unwrap()
    }

    /// The single word that a shell makes of this text.
    fn pasted(text: &str) -> String {
        let words = shlex::split(text).unwrap();
        <[String; 1]>::try_from(words).unwrap().concat()
    }

    fn connect(address: &str) -> Request {
        Request::Connect(address.parse().unwrap())
    }

    #[test]
    fn a_denied_address_names_the_option_with_a_rule_that_parses() {
        for address in [
            "10.0.0.1:80",
            "[::1]:0",
            "[::ffff:1.1.1.1]:80",
            "[fe80::1%3]:80",
        ] {
            let connect = remedy(connect(address), DenyReason::NoRule);
            let rule = connect.strip_prefix("allow it with --allow-connect ");
            pasted(rule.unwrap()).parse::<Rule>().unwrap();
            let bind = Request::Bind(address.parse().unwrap());
            let listen = remedy(bind, DenyReason::SharedPort);
            let rule = listen.strip_prefix("allow it with --allow-listen ");
            pasted(rule.unwrap()).parse::<ListenRule>().unwrap();
        }
    }

    #[test]
    fn a_denied_connect_after_a_look_up_names_the_name() {
        let reason = DenyReason::OtherPort(Some("a.example".parse().unwrap()));
        assert_eq!(
            remedy(connect("1.1.1.1:80"), reason),
            "allow it with --allow-connect tcp://a.example:80"
        );
    }

    #[test]
    fn a_denied_look_up_names_both_options_that_allow_it() {
        let look_up = Request::Lookup("a.example".parse().unwrap());
        assert_eq!(
            remedy(look_up, DenyReason::NoRule),
            "allow it with --allow-connect tcp://a.example:PORT or, to listen, with \
             --allow-resolve a.example and --allow-listen tcp://ADDRESS:PORT"
        );
    }

    #[test]
    fn a_deny_rule_is_named_with_its_option() {
        let rule = PolicyRule::Connect("tcp://*:25".parse().unwrap());
        let reason = DenyReason::DenyRule(rule);
        assert_eq!(
            remedy(connect("1.1.1.1:25"), reason),
            "remove --deny-connect 'tcp://*:25'"
        );
    }

    #[test]
    fn a_denied_unix_socket_names_the_rule_or_the_permission() {
        let name = UnixName::path(b"/run/a b").unwrap();
        let target = UnixName::path(b"/srv/c").ok();
        let (connect, listen) = (
            Request::ConnectUnix(name.clone()),
            Request::ListenUnix(name),
        );
        for (request, reason, expected) in [
            (
                &connect,
                DenyReason::NoRule,
                "allow it with --allow-connect 'unix:///run/a%20b'",
            ),
            (
                &listen,
                DenyReason::NoRule,
                "allow it with --allow-listen 'unix:///run/a%20b'",
            ),
            (
                &connect,
                DenyReason::SymbolicLink(target),
                "use the path that it leads to, unix:///srv/c, and allow that with \
                 --allow-connect unix:///srv/c",
            ),
            (
                &listen,
                DenyReason::SymbolicLink(None),
                "use the path that it leads to, with a rule for that",
            ),
            (
                &connect,
                DenyReason::Permission,
                "the user that runs this command needs write permission for unix:///run/a%20b, and \
                 search permission for its folder",
            ),
            (
                &listen,
                DenyReason::Permission,
                "the user that runs this command needs write permission for the folder of \
                 unix:///run/a%20b",
            ),
        ] {
            assert_eq!(remedy(request.clone(), reason), expected);
        }
    }

    #[test]
    fn a_port_that_the_system_does_not_permit_names_the_capability_and_no_rule() {
        let bind = Request::Bind("127.0.0.1:80".parse().unwrap());
        let remedy = remedy(bind, DenyReason::Permission);
        assert!(remedy.contains("CAP_NET_BIND_SERVICE"), "{remedy}");
        assert!(!remedy.contains("--allow"), "{remedy}");
    }

    #[test]
    fn a_limit_names_the_option_with_a_value_that_would_do() {
        assert_eq!(
            remedy(Request::Socket, DenyReason::SocketLimit(3)),
            "allow more with --max-sockets 6"
        );
        assert_eq!(
            remedy(Request::Socket, DenyReason::SocketLimit(0)),
            "allow more with --max-sockets 1"
        );
        assert_eq!(
            remedy(Request::Socket, DenyReason::ConcurrentLimit(100)),
            "allow more with --max-concurrent 200"
        );
        assert_eq!(
            remedy(Request::Memory(65 << 20), DenyReason::MemoryLimit(64 << 20)),
            "allow more with --max-memory 128MiB"
        );
    }

    #[test]
    fn a_name_that_the_guest_made_up_is_shown_escaped() {
        let identity = remedy(Request::TlsIdentity("web".into()), DenyReason::NotGranted);
        assert_eq!(
            identity,
            "allow it with --tls-identity web=CERT.pem,KEY.pem"
        );
        let listener = remedy(Request::Listener("a\nb".into()), DenyReason::NotGranted);
        assert_eq!(
            listener,
            r#"allow it with --listen-fds, and a socket named "a\\nb""#
        );
    }

    #[test]
    fn a_name_that_the_guest_made_up_is_one_word_for_a_shell() {
        for name in [
            "$(reboot)",
            "`reboot`",
            "a b",
            "it's",
            "a;b",
            "a&b",
            "~",
            "#",
            "!x",
            "",
        ] {
            let identity = remedy(Request::TlsIdentity(name.into()), DenyReason::NotGranted);
            let words = shlex::split(&identity).unwrap();
            let expected = format!("{name}=CERT.pem,KEY.pem");
            assert_eq!(words.last(), Some(&expected), "{identity}");
            let listener = remedy(Request::Listener(name.into()), DenyReason::NotGranted);
            let words = shlex::split(&listener).unwrap();
            assert_eq!(words.last().map(String::as_str), Some(name), "{listener}");
        }
    }

    #[test]
    fn a_name_with_a_private_address_names_the_rule_that_opens_it() {
        let reason = DenyReason::PrivateAddress("redis".parse().unwrap());
        assert_eq!(
            remedy(connect("172.18.0.2:6379"), reason),
            "allow it with --allow-connect 'tcp://redis:6379?private'"
        );
    }

    #[test]
    fn an_error_that_no_option_helps_with_has_no_remedy() {
        let error = anyhow::Error::new(prepare(b"text", None).unwrap_err());
        assert_eq!(of_error(&error.context("app.wasm")), None);
    }
}
