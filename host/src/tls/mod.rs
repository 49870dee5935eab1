//! TLS for guests: what a session is to this crate, and who provides them.
//!
//! A [`Provider`] knows TLS and neither WIT nor guests: it makes sessions over
//! anything that reads and writes as tokio does. [`RustlsProvider`] is the one
//! unless an embedder brings another. What guests may ask of it is for
//! [`Tls`] to say: the roots, the identities, what may be switched off.

mod builder;
mod current;
mod error;
mod identity;
mod load_error;
mod memo;
mod pem;
mod policy;
mod provider;
mod roots;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use rustls::RootCertStore;
use tokio::io::{AsyncRead, AsyncWrite};

pub use self::builder::TlsBuilder;
pub use self::error::SessionError;
pub use self::identity::Identity;
pub use self::load_error::{LoadError, LoadProblem};
pub use self::policy::Tls;
pub use self::provider::RustlsProvider;
pub use self::roots::Roots;
pub use self::settings::{Settings, Side, Verify, Version};
pub(crate) use self::settings::{check_protocols, check_roots};

/// What a session runs on. Shutting it down means nothing to it: whoever gave it
/// decides when the connection ends.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for T {}

/// A session whose handshake is done.
///
/// A read of nothing is the peer's end of the session (close_notify); an end of
/// the connection alone is [`SessionError::UnexpectedEof`]. What was written is on its way
/// once the session was flushed. Shutting it down flushes it and sends the
/// end of this side's half; reading goes on. Errors of TLS are [`io::Error`]s around
/// a [`SessionError`], all others are the transport's.
///
/// [`io::Error`]: std::io::Error
pub trait Session: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Session for T {}

/// A handshake under way. Dropping it drops the transport.
pub type Handshake =
    Pin<Box<dyn Future<Output = Result<(Box<dyn Session>, Details), SessionError>> + Send>>;

/// Begins sessions of one kind, one for each transport.
pub trait Endpoint: fmt::Debug + Send + Sync + 'static {
    /// Begins a session. A client's `server_name` is a name or an address; none
    /// if it is not to be checked. For a server it means nothing.
    fn handshake(&self, transport: Box<dyn Transport>, server_name: Option<String>) -> Handshake;
}

/// Makes endpoints.
pub trait Provider: fmt::Debug + Send + Sync + 'static {
    /// An endpoint with these settings, which a policy has permitted; `roots` are to
    /// be checked with, the guest's if it has brought some. A new one is asked for
    /// when roots or identities have changed.
    ///
    /// Private keys do not leave this crate: a provider elsewhere has keys of its own,
    /// by the [names](Identity::name) of the identities.
    ///
    /// # Errors
    ///
    /// In words for the guest: which setting cannot be used, and why.
    fn endpoint(
        &self,
        settings: &Settings,
        roots: &Arc<RootCertStore>,
    ) -> Result<Arc<dyn Endpoint>, String>;
}

/// What a handshake came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// The version, as in `TLSv1.3`.
    pub version: String,
    /// The cipher suite by OpenSSL's name.
    pub cipher: String,
    /// The bits of its key.
    pub cipher_bits: u32,
    /// The application protocol both ends agreed on.
    pub alpn_protocol: Option<String>,
    /// The name that the client asked for.
    pub server_hostname: Option<String>,
    /// The peer's certificates in DER, its own first.
    pub peer_certificates: Vec<Vec<u8>>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}
