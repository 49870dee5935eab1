//! The TLS settings of a connection or a server, and their checks.

use std::fmt;
use std::time::Duration;

use super::{Provider, Side, SslContext, provider};
use crate::refusal::Refusal;

/// The time limit of a handshake unless set: asyncio's `SSL_HANDSHAKE_TIMEOUT`.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);
/// The time limit of a session's end unless set: asyncio's `SSL_SHUTDOWN_TIMEOUT`.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// The settings of [`StreamWriter::start_tls`](crate::StreamWriter::start_tls). A context
/// converts to them, with defaults for the others.
#[derive(Debug, Clone)]
#[must_use = "options do nothing until TLS is started with them"]
pub struct TlsOptions(pub(crate) Tls);

impl TlsOptions {
    /// Returns the defaults with this context. A client's context begins the handshake, a
    /// server's waits for the client.
    pub fn new(context: SslContext) -> TlsOptions {
        let mut tls = Tls::default();
        tls.set_context(context);
        TlsOptions(tls)
    }

    /// Sets the name or address that the server's certificate has to be for. A client needs
    /// one. An empty name is not checked, which the policy has to permit.
    pub fn server_hostname(mut self, name: impl Into<String>) -> Self {
        self.0.server_hostname = Some(name.into());
        self
    }

    /// Limits the time of the handshake; 60 s unless set. 0 is refused.
    pub fn ssl_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.0.handshake_timeout = Some(timeout);
        self
    }

    /// Limits the time that the end of the session takes; 30 s unless set. 0 is refused.
    pub fn ssl_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.0.shutdown_timeout = Some(timeout);
        self
    }
}

impl From<SslContext> for TlsOptions {
    fn from(context: SslContext) -> TlsOptions {
        TlsOptions::new(context)
    }
}

/// The TLS settings as the program has given them, unchecked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tls {
    ssl: Option<Ssl>,
    pub(crate) server_hostname: Option<String>,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) shutdown_timeout: Option<Duration>,
}

#[derive(Clone)]
struct Ssl {
    context: SslContext,
    provider: Option<&'static Provider>,
}

impl fmt::Debug for Ssl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.context.fmt(f)
    }
}

/// The checked TLS settings of one connection or server, and the host's TLS.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) context: SslContext,
    /// The name that the peer's certificate has to be for; `None` is not checked.
    pub(crate) server_hostname: Option<String>,
    pub(crate) handshake_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) provider: &'static Provider,
}

impl Tls {
    // Inlined, so that a program that does not call it does not import the host's TLS.
    #[inline]
    pub(crate) fn set_context(&mut self, context: SslContext) {
        self.ssl = Some(Ssl {
            context,
            provider: provider(),
        });
    }

    /// Checks the settings for a client that connects to `host`, if it has one.
    pub(crate) fn client(&self, host: Option<&str>) -> Result<Option<Plan>, Refusal> {
        let Some(mut wanted) = self.wanted()? else {
            return Ok(None);
        };
        wanted.is_of(Side::Client)?;
        let name = self.server_hostname.as_deref();
        let host = host.filter(|host| !host.is_empty());
        wanted.server_hostname = match name.or(host) {
            Some(name) => Some(name.to_owned()).filter(|name| !name.is_empty()),
            None => {
                return Err(Refusal::InvalidArgument(
                    "ssl without a host needs server-hostname: the name that the peer's \
                     certificate has to carry"
                        .into(),
                ));
            }
        };
        Ok(Some(wanted))
    }

    /// Checks the settings for a server.
    pub(crate) fn server(&self) -> Result<Option<Plan>, Refusal> {
        let wanted = self.wanted()?;
        if let Some(wanted) = &wanted {
            wanted.is_of(Side::Server)?;
            if !wanted.context.has_identity() {
                return Err(Refusal::InvalidArgument(
                    "ssl: a server's context needs an identity: the name of a certificate that \
                     the host's policy has"
                        .into(),
                ));
            }
        }
        Ok(wanted)
    }

    /// Checks the settings for an open connection: the context says which end this is.
    pub(crate) fn either(&self) -> Result<Option<Plan>, Refusal> {
        match self.ssl.as_ref().map(|ssl| ssl.context.side()) {
            Some(Side::Client) => self.client(None),
            _ => self.server(),
        }
    }

    /// Checks what concerns both ends; `None` without TLS.
    fn wanted(&self) -> Result<Option<Plan>, Refusal> {
        let Some(ssl) = &self.ssl else {
            return match self.detail() {
                Some(detail) => Err(Refusal::InvalidArgument(format!(
                    "{detail} needs ssl; leave it out, or set ssl as well"
                ))),
                None => Ok(None),
            };
        };
        let timeouts = [
            ("ssl-handshake-timeout", self.handshake_timeout),
            ("ssl-shutdown-timeout", self.shutdown_timeout),
        ];
        if let Some((name, _)) = timeouts.iter().find(|(_, t)| *t == Some(Duration::ZERO)) {
            return Err(Refusal::InvalidArgument(format!(
                "{name} is 0; it has to be longer"
            )));
        }
        let Some(provider) = ssl.provider else {
            return Err(Refusal::NotSupported(
                "ssl: WASI's own sockets have no TLS; compose with the variant `full` of the \
                 streams component"
                    .into(),
            ));
        };
        Ok(Some(Plan {
            context: ssl.context.clone(),
            server_hostname: None,
            handshake_timeout: self.handshake_timeout.unwrap_or(HANDSHAKE_TIMEOUT),
            shutdown_timeout: self.shutdown_timeout.unwrap_or(SHUTDOWN_TIMEOUT),
            provider,
        }))
    }

    /// Returns the name of a setting that needs TLS, if one is set.
    fn detail(&self) -> Option<&'static str> {
        let details = [
            ("server-hostname", self.server_hostname.is_some()),
            ("ssl-handshake-timeout", self.handshake_timeout.is_some()),
            ("ssl-shutdown-timeout", self.shutdown_timeout.is_some()),
        ];
        details.iter().find(|(_, set)| *set).map(|(name, _)| *name)
    }
}

impl Plan {
    /// Refuses a context of the other end.
    fn is_of(&self, side: Side) -> Result<(), Refusal> {
        if self.context.side() == side {
            return Ok(());
        }
        Err(Refusal::InvalidArgument(
            match side {
                Side::Client => "ssl: a server's context; a client needs one of its own kind",
                Side::Server => "ssl: a client's context; a server needs one of its own kind",
            }
            .into(),
        ))
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.context.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid(wanted: Result<Option<Plan>, Refusal>) -> String {
        match wanted {
            Err(Refusal::InvalidArgument(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    fn with(context: SslContext) -> Tls {
        TlsOptions::new(context).0
    }

    #[test]
    fn oc14_a_detail_of_tls_without_tls_is_a_wrong_argument_that_is_named() {
        let tls = Tls {
            server_hostname: Some("a.example".into()),
            ..Tls::default()
        };
        assert!(invalid(tls.client(None)).contains("server-hostname"));
        let tls = Tls {
            handshake_timeout: Some(Duration::from_secs(1)),
            ..Tls::default()
        };
        assert!(invalid(tls.server()).contains("ssl-handshake-timeout"));
        assert!(matches!(Tls::default().client(None), Ok(None)));
    }

    #[test]
    fn oc15_the_name_is_the_host_unless_there_is_another_one_and_an_empty_one_is_none() {
        let name = |tls: &Tls, host| tls.client(host).unwrap().unwrap().server_hostname;
        let mut tls = with(SslContext::client());
        assert_eq!(name(&tls, Some("a.example")), Some("a.example".into()));
        assert!(invalid(tls.client(None)).contains("server-hostname"));
        tls.server_hostname = Some("b.example".into());
        assert_eq!(name(&tls, Some("a.example")), Some("b.example".into()));
        tls.server_hostname = Some(String::new());
        assert_eq!(name(&tls, None), None);
    }

    #[test]
    fn oc16_a_limit_of_zero_is_refused_and_the_usual_ones_are_60_and_30_seconds() {
        let mut tls = with(SslContext::server().use_identity("a"));
        let wanted = tls.server().unwrap().unwrap();
        assert_eq!(wanted.handshake_timeout, Duration::from_secs(60));
        assert_eq!(wanted.shutdown_timeout, Duration::from_secs(30));
        tls.shutdown_timeout = Some(Duration::ZERO);
        assert!(invalid(tls.server()).contains("ssl-shutdown-timeout"));
    }

    #[test]
    fn a_context_of_the_other_side_and_a_servers_without_an_identity_are_refused() {
        assert!(invalid(with(SslContext::server()).server()).contains("identity"));
        assert!(invalid(with(SslContext::server()).client(Some("a"))).contains("server's"));
        assert!(invalid(with(SslContext::client()).server()).contains("client's"));
    }
}
