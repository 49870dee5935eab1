use rustls::pki_types::CertificateDer;

use super::Identity;

/// Roots that a guest may bring.
const MAX_ROOTS: usize = 1024;

/// What the protocols may take in a handshake.
const MAX_PROTOCOLS: usize = 16 * 1024;

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

    /// What no provider could do, and what would cost the host too much.
    pub(super) fn check(&self) -> Result<(), String> {
        let protocols = &self.alpn_protocols;
        check_protocols(protocols)?;
        let length: usize = protocols.iter().map(|name| name.len() + 1).sum();
        if length > MAX_PROTOCOLS {
            return Err("there are too many application protocols".to_owned());
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

/// Whether these can be sent: by the lengths of their names.
pub(crate) fn check_protocols(protocols: &[impl AsRef<[u8]>]) -> Result<(), String> {
    let mut names = protocols.iter().map(AsRef::as_ref);
    match names.all(|name| (1..=255).contains(&name.len())) {
        true => Ok(()),
        false => Err("an application protocol has 1 to 255 bytes".to_owned()),
    }
}

/// Whether a guest may bring so many.
pub(crate) fn check_roots(count: usize) -> Result<(), String> {
    match count > MAX_ROOTS {
        true => Err(format!("there are more than {MAX_ROOTS} roots")),
        false => Ok(()),
    }
}
