use std::any::Any;
use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;

/// The settings of TLS sessions, made once and used for any number of them.
///
/// Private keys and trusted roots are the host's. A program names what it wants
/// of them; the host's policy decides. Settings are checked where a connection or
/// a server first uses them.
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
pub struct SslContext(Rc<Inner>);

/// Whether the peer's certificate is asked for and checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyMode {
    /// Not asked for by servers, not checked by clients. For a client the host's
    /// policy has to permit it.
    None,
    /// Asked for; checked where one is sent. For servers.
    Optional,
    /// Required and checked. The default of clients.
    Required,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// Which end of a session.
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
}

struct Inner {
    settings: Settings,
    /// The host's, once one was used. What its type does at the end is an import,
    /// which a program without TLS is not to have.
    host: OnceCell<Box<dyn Any>>,
}

impl SslContext {
    /// The defaults of a client: it checks the server's chain and name against
    /// the roots of the host's policy. asyncio's `ssl=True`.
    pub fn client() -> SslContext {
        SslContext::new(Side::Client)
    }

    /// The defaults of a server: it asks for no certificate, and needs an
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
        })
    }

    /// The application protocols offered or accepted, best first (ALPN).
    pub fn alpn_protocols<T: Into<String>>(self, protocols: impl IntoIterator<Item = T>) -> Self {
        let protocols = protocols.into_iter().map(Into::into).collect();
        self.with(|settings| settings.alpn_protocols = Some(protocols))
    }

    /// Trust these roots (PEM), with those of earlier calls, and no others. For a
    /// client the host's policy has to permit roots that come from the program.
    pub fn load_verify_locations(self, pem: impl Into<Vec<u8>>) -> Self {
        self.with(|settings| settings.roots.push(pem.into()))
    }

    /// Present the certificate that the host's policy knows by this name. Its
    /// private key never enters the sandbox. A server may have several: the name
    /// that the client asks for chooses, the first one where none fits.
    pub fn use_identity(self, name: impl Into<String>) -> Self {
        self.with(|settings| settings.identities.push(name.into()))
    }

    /// Whether the peer's certificate is checked.
    pub fn verify_mode(self, mode: VerifyMode) -> Self {
        self.with(|settings| settings.verify_mode = Some(mode))
    }

    /// No version below this one; 1.2 unless set.
    pub fn minimum_version(self, version: TlsVersion) -> Self {
        self.with(|settings| settings.minimum_version = Some(version))
    }

    pub(crate) fn has_identity(&self) -> bool {
        !self.0.settings.identities.is_empty()
    }

    pub(crate) fn side(&self) -> Side {
        self.0.settings.side
    }

    /// What `make` has made of the settings, now or before.
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

    /// Connections that have the context already keep it as it was.
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
            .finish_non_exhaustive()
    }
}
