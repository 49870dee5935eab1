use std::sync::Arc;

use rustls::pki_types::CertificateDer;

use super::identity::Identity;

/// The number of roots that a guest may bring, and their bytes.
const MAX_ROOTS: usize = 1024;
const MAX_ROOT_BYTES: usize = 4 << 20;

/// The number of application protocols, and the bytes that they may take in a handshake.
const MAX_PROTOCOLS: usize = 128;
const MAX_PROTOCOL_BYTES: usize = 16 * 1024;

/// Bytes of settings without lists, and of an item of a list without its content, as the
/// host keeps them.
const SETTINGS: usize = 1024;
const ITEM: usize = 128;

/// Bytes of an endpoint without lists: rustls's settings for it, and the memory of the
/// sessions that it can resume.
const ENDPOINT: usize = 64 * 1024;

/// Copies of each list in an endpoint: in its settings, in those of rustls, and in what
/// rustls makes of them.
const COPIES: usize = 4;

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
    pub(crate) roots: Option<Arc<Vec<CertificateDer<'static>>>>,
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
        if self.require_alpn && protocols.is_empty() {
            return Err("an application protocol is required, and none is set".to_owned());
        }
        check_roots(self.roots.iter().flat_map(|roots| roots.iter()))?;
        if self.side == Side::Client && self.verify == Verify::Optional {
            return Err("a client cannot check a certificate only where one is sent".to_owned());
        }
        if self.side == Side::Server && self.identities.is_empty() {
            return Err("a server needs an identity".to_owned());
        }
        Ok(())
    }

    /// Returns the bytes of memory that these settings take.
    pub(crate) fn kept(&self) -> usize {
        SETTINGS + self.lists()
    }

    /// Returns the bytes of memory that an endpoint with these settings takes, at most.
    pub(crate) fn kept_by_endpoint(&self) -> usize {
        ENDPOINT + COPIES * self.lists()
    }

    fn lists(&self) -> usize {
        let protocols = self.alpn_protocols.iter().map(Vec::len);
        let roots = self.roots.iter().flat_map(|roots| roots.iter());
        let roots = roots.map(|root| root.len());
        let identities = self.identities.iter().map(|_| 0);
        let items = protocols.chain(roots).chain(identities);
        items.map(|bytes| bytes + ITEM).sum()
    }
}

/// Checks the lengths of the protocols' names, of which RFC 7301 allows 1 to 255 bytes, and
/// their number.
pub(crate) fn check_protocols(protocols: &[impl AsRef<[u8]>]) -> Result<(), String> {
    let names = || protocols.iter().map(AsRef::as_ref);
    if protocols.len() > MAX_PROTOCOLS {
        return Err(format!(
            "there are more than {MAX_PROTOCOLS} application protocols"
        ));
    }
    if !names().all(|name| (1..=255).contains(&name.len())) {
        return Err("an application protocol has 1 to 255 bytes".to_owned());
    }
    match names().map(|name| name.len() + 1).sum::<usize>() > MAX_PROTOCOL_BYTES {
        true => Err("there are too many application protocols".to_owned()),
        false => Ok(()),
    }
}

/// Checks that a guest may bring these roots.
pub(crate) fn check_roots<'a>(
    roots: impl Iterator<Item = &'a CertificateDer<'static>>,
) -> Result<(), String> {
    let (count, bytes) = roots.fold((0_usize, 0_usize), |(count, bytes), root| {
        (count + 1, bytes + root.len())
    });
    if count > MAX_ROOTS {
        return Err(format!("there are more than {MAX_ROOTS} roots"));
    }
    match bytes > MAX_ROOT_BYTES {
        true => Err(format!(
            "the roots have more than {} MiB",
            MAX_ROOT_BYTES >> 20
        )),
        false => Ok(()),
    }
}
