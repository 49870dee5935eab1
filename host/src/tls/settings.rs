use rustls::pki_types::CertificateDer;

use super::Identity;

/// What sessions are to be like: what a guest has asked for and a policy has
/// permitted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Which end.
    pub side: Side,
    /// The application protocols, best first.
    pub alpn_protocols: Vec<Vec<u8>>,
    /// No version below this one.
    pub minimum_version: Version,
    /// Whether the peer's certificate is asked for and checked.
    pub verify: Verify,
    /// The roots to check with; none for the policy's.
    pub roots: Option<Vec<CertificateDer<'static>>>,
    /// What to present: by the name that the client asks for, the first one where
    /// none fits.
    pub identities: Vec<Identity>,
}

/// Which end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end that connects.
    Client,
    /// The end that accepts.
    Server,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// Whether the peer's certificate is asked for and checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verify {
    /// Not asked for by servers, not checked by clients.
    None,
    /// Asked for; checked where one is sent.
    Optional,
    /// Required and checked.
    Required,
}

impl Settings {
    /// The defaults of that side.
    #[must_use]
    pub fn new(side: Side) -> Self {
        Self {
            side,
            alpn_protocols: Vec::new(),
            minimum_version: Version::Tls12,
            verify: match side {
                Side::Client => Verify::Required,
                Side::Server => Verify::None,
            },
            roots: None,
            identities: Vec::new(),
        }
    }
}
