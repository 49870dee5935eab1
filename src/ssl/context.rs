//! The settings of TLS sessions.

use std::any::Any;
use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;

/// The settings of TLS sessions, made once and used for any number of them.
///
/// The host holds private keys and trusted roots. A program names the ones it wants; the
/// host's policy decides. The host checks the settings when a connection or a server first
/// uses them.
///
/// The type is `!Send`; [`StreamReader`](crate::StreamReader) says why that is fine.
///
/// ```no_run
/// # async fn example() -> Result<(), asyncio_streams::ConnectError> {
/// use asyncio_streams::{ConnectOptions, SslContext};
///
/// let context = SslContext::client().alpn_protocols(["http/1.1"]);
/// let (reader, writer) = ConnectOptions::new()
///     .ssl(context)
///     .open_connection("example.com", 443)
///     .await?;
/// # drop((reader, writer)); Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a context does nothing until a connection or a server uses it"]
pub struct SslContext(Rc<Inner>);

/// The checks of the peer's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyMode {
    /// Servers do not ask for a certificate, clients do not check it. For a client the policy
    /// has to permit it.
    None,
    /// Servers ask for a certificate, and check it if the client sends one.
    Optional,
    /// A certificate is required and checked. The default of clients.
    Required,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// The end of a session that the program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) side: Side,
    pub(super) alpn_protocols: Option<Vec<String>>,
    pub(super) roots: Vec<Vec<u8>>,
    pub(super) identities: Vec<String>,
    pub(super) verify_mode: Option<VerifyMode>,
    pub(super) minimum_version: Option<TlsVersion>,
    pub(super) require_alpn: bool,
    pub(super) ignore_unexpected_eof: bool,
}

struct Inner {
    settings: Settings,
    /// The host's context, once it was used. Type-erased: naming the type would import its
    /// destructor, also into programs without TLS.
    host: OnceCell<Box<dyn Any>>,
}

impl SslContext {
    /// Returns the settings of a client, which checks the server's certificate against the
    /// roots of the host and the expected name: asyncio's `ssl=True`.
    pub fn client() -> SslContext {
        SslContext::new(Side::Client)
    }

    /// Returns the settings of a server, which asks for no certificate and needs an
    /// [identity](Self::use_identity).
    pub fn server() -> SslContext {
        SslContext::new(Side::Server)
    }

    pub(crate) fn new(side: Side) -> SslContext {
        SslContext::of(Settings {
            side,
            alpn_protocols: None,
            roots: Vec::new(),
            identities: Vec::new(),
            verify_mode: None,
            minimum_version: None,
            require_alpn: false,
            ignore_unexpected_eof: false,
        })
    }

    /// Sets the application protocols to offer or accept, best first (ALPN).
    pub fn alpn_protocols<T: Into<String>>(self, protocols: impl IntoIterator<Item = T>) -> Self {
        let protocols = protocols.into_iter().map(Into::into).collect();
        self.with(|settings| settings.alpn_protocols = Some(protocols))
    }

    /// Trusts these roots (PEM) and those of earlier calls, and no others. For a client the
    /// policy has to permit roots that come from the program.
    pub fn load_verify_locations(self, pem: impl Into<Vec<u8>>) -> Self {
        self.with(|settings| settings.roots.push(pem.into()))
    }

    /// Presents the certificate that the operator has given this name. Its private key never
    /// enters the sandbox. A server may have several identities: the name that the client asks
    /// for chooses, and the first identity stands in if none fits.
    pub fn use_identity(self, name: impl Into<String>) -> Self {
        self.with(|settings| settings.identities.push(name.into()))
    }

    /// Sets the checks of the peer's certificate.
    pub fn verify_mode(self, mode: VerifyMode) -> Self {
        self.with(|settings| settings.verify_mode = Some(mode))
    }

    /// Sets the lowest version of TLS; 1.2 unless set.
    pub fn minimum_version(self, version: TlsVersion) -> Self {
        self.with(|settings| settings.minimum_version = Some(version))
    }

    /// Fails handshakes in which the ends agree on no application protocol (ALPN); false
    /// unless set. Otherwise the session begins and has none.
    ///
    /// A server refuses a client that offers only other protocols, and accepts one that offers
    /// none. A client refuses a server that chooses none.
    pub fn require_alpn(self, require: bool) -> Self {
        self.with(|settings| settings.require_alpn = require)
    }

    /// Takes the end of the connection for the end of the session, also if the peer has not
    /// sent that (close_notify); false unless set. Python's `OP_IGNORE_UNEXPECTED_EOF`.
    ///
    /// Data that an attacker has cut short then look complete. Set it for protocols whose
    /// messages tell their own length, such as HTTP/1.1.
    pub fn ignore_unexpected_eof(self, ignore: bool) -> Self {
        self.with(|settings| settings.ignore_unexpected_eof = ignore)
    }

    pub(crate) fn has_identity(&self) -> bool {
        !self.0.settings.identities.is_empty()
    }

    pub(crate) fn side(&self) -> Side {
        self.0.settings.side
    }

    /// Returns the host's context, which `make` makes of the settings at the first call.
    pub(super) fn host<T: 'static, E>(
        &self,
        make: impl FnOnce(&Settings) -> Result<T, E>,
    ) -> Result<Option<&T>, E> {
        let host = match self.0.host.get() {
            Some(host) => host,
            None => {
                let host = make(&self.0.settings)?;
                self.0.host.get_or_init(|| Box::new(host))
            }
        };
        Ok(host.downcast_ref())
    }

    /// Returns the context with other settings. Connections that use it already keep theirs.
    fn with(self, set: impl FnOnce(&mut Settings)) -> SslContext {
        let mut settings = match Rc::try_unwrap(self.0) {
            Ok(inner) => inner.settings,
            Err(shared) => shared.settings.clone(),
        };
        set(&mut settings);
        SslContext::of(settings)
    }

    fn of(settings: Settings) -> SslContext {
        SslContext(Rc::new(Inner {
            settings,
            host: OnceCell::new(),
        }))
    }
}

impl fmt::Debug for SslContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.0.settings;
        f.debug_struct("SslContext")
            .field("side", &settings.side)
            .field("alpn_protocols", &settings.alpn_protocols)
            .field("identities", &settings.identities)
            .field("verify_mode", &settings.verify_mode)
            .field("minimum_version", &settings.minimum_version)
            .field("require_alpn", &settings.require_alpn)
            .field("ignore_unexpected_eof", &settings.ignore_unexpected_eof)
            .finish_non_exhaustive()
    }
}
