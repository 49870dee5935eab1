//! The result of a TLS handshake.

use std::fmt;

/// The result of a connection's TLS handshake: asyncio's `ssl_object`. It does not change
/// when the connection closes.
#[derive(Clone, PartialEq, Eq)]
pub struct SslObject {
    pub(crate) server_side: bool,
    pub(crate) version: String,
    pub(crate) cipher: String,
    pub(crate) cipher_bits: u32,
    pub(crate) alpn_protocol: Option<String>,
    pub(crate) server_hostname: Option<String>,
    pub(crate) peer_certificates: Vec<Vec<u8>>,
    pub(crate) session_reused: bool,
}

impl SslObject {
    /// Returns the version, such as `TLSv1.3`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the cipher suite by OpenSSL's name, the version, and the bits of the key.
    pub fn cipher(&self) -> (&str, &str, u32) {
        (&self.cipher, &self.version, self.cipher_bits)
    }

    /// Returns the application protocol that both ends agreed on (ALPN).
    pub fn selected_alpn_protocol(&self) -> Option<&str> {
        self.alpn_protocol.as_deref()
    }

    /// Returns the name that the client asked for (SNI).
    pub fn server_hostname(&self) -> Option<&str> {
        self.server_hostname.as_deref()
    }

    /// Returns true on the server's end.
    pub fn server_side(&self) -> bool {
        self.server_side
    }

    /// Returns true if an earlier session was resumed.
    pub fn session_reused(&self) -> bool {
        self.session_reused
    }

    /// Returns the peer's certificate in DER; `None` if it sent none.
    pub fn getpeercert(&self) -> Option<&[u8]> {
        self.peer_certificates.first().map(Vec::as_slice)
    }

    /// Returns the certificates that the peer sent, in DER, its own first.
    pub fn peer_certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.peer_certificates.iter().map(Vec::as_slice)
    }
}

impl fmt::Debug for SslObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SslObject")
            .field("server_side", &self.server_side)
            .field("version", &self.version)
            .field("cipher", &self.cipher)
            .field("alpn_protocol", &self.alpn_protocol)
            .field("server_hostname", &self.server_hostname)
            .field("peer_certificates", &self.peer_certificates.len())
            .field("session_reused", &self.session_reused)
            .finish_non_exhaustive()
    }
}
