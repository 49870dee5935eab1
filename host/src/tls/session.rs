//! Sessions as this crate sees them: a provider knows TLS, and neither WIT nor guests.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::session_error::SessionError;
use super::settings::Settings;
use super::trusted_roots::TrustedRoots;

/// The transport that a session runs on. Shutting it down does nothing: its owner
/// decides when the socket ends.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for T {}

/// A session whose handshake is done.
///
/// A read of zero bytes is the peer's end of the session (close_notify). An end of the
/// transport without one is [`SessionError::UnexpectedEof`]. Written bytes are sent by
/// the next flush. Shutting the session down flushes it and sends our close_notify;
/// reading goes on. Errors of TLS are [`io::Error`]s around a [`SessionError`]; all
/// others are the transport's.
///
/// [`io::Error`]: std::io::Error
pub(crate) trait Session: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Session for T {}

/// A handshake under way. Dropping it drops the transport.
pub(crate) type Handshake =
    Pin<Box<dyn Future<Output = Result<(Box<dyn Session>, Details), SessionError>> + Send>>;

/// Begins sessions with the same settings, one for each transport.
pub(crate) trait Endpoint: fmt::Debug + Send + Sync + 'static {
    /// Begins a session. A client's `server_name` is a name or an address, or `None` if
    /// the name is not to be checked. A server ignores it.
    fn handshake(&self, transport: Box<dyn Transport>, server_name: Option<String>) -> Handshake;
}

/// Makes endpoints.
pub(crate) trait Provider: fmt::Debug + Send + Sync + 'static {
    /// Makes an endpoint with these settings, which the policy has permitted. `roots`
    /// are those that peers are checked with: the guest's, if it has brought some. A
    /// new endpoint is made when roots or identities have changed.
    ///
    /// # Errors
    ///
    /// The setting that cannot be used and why, in words for the guest.
    fn endpoint(
        &self,
        settings: &Settings,
        roots: &Arc<TrustedRoots>,
    ) -> Result<Arc<dyn Endpoint>, String>;
}

/// The result of a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Details {
    /// The version, as in `TLSv1.3`.
    pub(crate) version: String,
    /// The cipher suite by OpenSSL's name.
    pub(crate) cipher: String,
    /// The number of bits of the cipher's key.
    pub(crate) cipher_bits: u32,
    /// The application protocol that both ends agreed on (ALPN).
    pub(crate) alpn_protocol: Option<String>,
    /// The name that the client asked for.
    pub(crate) server_hostname: Option<String>,
    /// The peer's certificates in DER, its own first.
    pub(crate) peer_certificates: Vec<Vec<u8>>,
    /// An earlier session was resumed.
    pub(crate) resumed: bool,
}
