use rustls::pki_types::CertificateDer;

use super::identity::Identity;

/// The number of roots that a guest may bring.
const MAX_ROOTS: usize = 1024;

/// Bytes that the application protocols may take in a handshake.
const MAX_PROTOCOLS: usize = 16 * 1024;

/// The settings of sessions, as a guest has asked for and the policy has permitted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Settings {
    /// The end of the session.
    pub(crate) side: Side,
    /// The application protocols, best first.
    pub(crate) alpn_protocols: Vec<Vec<u8>>,
    /// A handshake without an application protocol fails.
    pub(crate) require_alpn: bool,
    /// The lowest version.
    pub(crate) minimum_version: Version,
    /// The check of the peer's certificate.
    pub(crate) verify: Verify,
    /// The guest's roots, or `None` for the operator's.
    pub(crate) roots: Option<Vec<CertificateDer<'static>>>,
    /// The identities to present. A server chooses by the name that the client asks for,
    /// and takes the first if none fits.
    pub(crate) identities: Vec<Identity>,
    /// The end of the transport counts as the end of the session.
    pub(crate) ignore_unexpected_eof: bool,
}

/// An end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    /// The end that connects.
    Client,
    /// The end that accepts.
    Server,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// The check of the peer's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verify {
    /// A server does not ask for a certificate; a client does not check it.
    None,
    /// A server asks for a certificate, and checks it if the client sends one.
    Optional,
    /// A certificate is required and checked.
    Required,
}

impl Settings {
    /// Returns the defaults of this side.
    #[must_use]
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            alpn_protocols: Vec::new(),
            require_alpn: false,
            minimum_version: Version::Tls12,
            verify: match side {
                Side::Client => Verify::Required,
                Side::Server => Verify::None,
            },
            roots: None,
            identities: Vec::new(),
            ignore_unexpected_eof: false,
        }
    }

    /// Rejects settings that do not fit together, or that cost the host too much.
    pub(super) fn check(&self) -> Result<(), String> {
        let protocols = &self.alpn_protocols;
        check_protocols(protocols)?;
        let length: usize = protocols.iter().map(|name| name.len() + 1).sum();
        if length > MAX_PROTOCOLS {
            return Err("there are too many application protocols".to_owned());
        }
        if self.require_alpn && protocols.is_empty() {
            return Err("an application protocol is required, and none is set".to_owned());
        }
        check_roots(self.roots.as_ref().map_or(0, Vec::len))?;
        if self.side == Side::Client && self.verify == Verify::Optional {
            return Err("a client cannot check a certificate only where one is sent".to_owned());
        }
        if self.side == Side::Server && self.identities.is_empty() {
            return Err("a server needs an identity".to_owned());
        }
        Ok(())
    }
}

/// Checks the lengths of the protocols' names: RFC 7301 allows 1 to 255 bytes.
pub(crate) fn check_protocols(protocols: &[impl AsRef<[u8]>]) -> Result<(), String> {
    let mut names = protocols.iter().map(AsRef::as_ref);
    match names.all(|name| (1..=255).contains(&name.len())) {
        true => Ok(()),
        false => Err("an application protocol has 1 to 255 bytes".to_owned()),
    }
}

/// Checks that a guest may bring so many roots.
pub(crate) fn check_roots(count: usize) -> Result<(), String> {
    match count > MAX_ROOTS {
        true => Err(format!("there are more than {MAX_ROOTS} roots")),
        false => Ok(()),
    }
}
