use std::rc::Rc;
use std::time::Duration;

use asyncio_streams::{TlsVersion, VerifyMode};

use super::wit::ssl as wit;

/// The settings of TLS sessions; each setting as the crate's of this name.
#[derive(Debug, Clone)]
pub struct SslContext(Rc<wit::SslContext>);

impl SslContext {
    /// The defaults of a client.
    pub fn client() -> SslContext {
        SslContext(Rc::new(wit::SslContext::new(wit::Side::Client)))
    }

    /// The defaults of a server.
    pub fn server() -> SslContext {
        SslContext(Rc::new(wit::SslContext::new(wit::Side::Server)))
    }

    /// See the crate.
    pub fn alpn_protocols<T: Into<String>>(self, protocols: impl IntoIterator<Item = T>) -> Self {
        let protocols: Vec<String> = protocols.into_iter().map(Into::into).collect();
        self.0.set_alpn_protocols(&protocols);
        self
    }

    /// See the crate.
    pub fn load_verify_locations(self, pem: impl Into<Vec<u8>>) -> Self {
        self.0.load_verify_locations(&pem.into());
        self
    }

    /// See the crate.
    pub fn use_identity(self, name: impl Into<String>) -> Self {
        self.0.use_identity(&name.into());
        self
    }

    /// See the crate.
    pub fn verify_mode(self, mode: VerifyMode) -> Self {
        self.0.set_verify_mode(match mode {
            VerifyMode::None => wit::VerifyMode::None,
            VerifyMode::Optional => wit::VerifyMode::Optional,
            VerifyMode::Required => wit::VerifyMode::Required,
        });
        self
    }

    /// See the crate.
    pub fn minimum_version(self, version: TlsVersion) -> Self {
        self.0.set_minimum_version(match version {
            TlsVersion::Tls12 => wit::TlsVersion::Tls12,
            _ => wit::TlsVersion::Tls13,
        });
        self
    }

    /// See the crate.
    pub fn require_alpn(self, require: bool) -> Self {
        self.0.set_require_alpn(require);
        self
    }

    /// See the crate.
    pub fn ignore_unexpected_eof(self, ignore: bool) -> Self {
        self.0.set_ignore_unexpected_eof(ignore);
        self
    }

    pub(super) fn wit(&self) -> &wit::SslContext {
        &self.0
    }
}

/// The settings of `start_tls`, each named as the crate's.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    pub(super) context: SslContext,
    pub(super) server_hostname: Option<String>,
    pub(super) handshake_timeout: Option<Duration>,
    pub(super) shutdown_timeout: Option<Duration>,
}

impl TlsOptions {
    /// All defaults, with this context.
    pub fn new(context: SslContext) -> TlsOptions {
        TlsOptions {
            context,
            server_hostname: None,
            handshake_timeout: None,
            shutdown_timeout: None,
        }
    }

    /// See the crate.
    pub fn server_hostname(mut self, name: impl Into<String>) -> Self {
        self.server_hostname = Some(name.into());
        self
    }

    /// See the crate.
    pub fn ssl_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = Some(timeout);
        self
    }

    /// See the crate.
    pub fn ssl_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = Some(timeout);
        self
    }
}

impl From<SslContext> for TlsOptions {
    fn from(context: SslContext) -> TlsOptions {
        TlsOptions::new(context)
    }
}
