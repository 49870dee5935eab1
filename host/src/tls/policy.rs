use std::sync::Arc;

use rustls::pki_types::CertificateDer;

use super::{Endpoint, Identity, Settings};

/// What guests may have of TLS: the roots, the identities, what may be switched
/// off. Clones share the files that it was read from; see
/// [`reload`](Self::reload).
#[derive(Debug, Clone, Default)]
pub struct Tls {}

impl Tls {
    /// The identity of this name.
    #[must_use]
    pub fn identity(&self, _name: &str) -> Option<Identity> {
        None
    }

    /// Whether a client may bring roots of its own.
    #[must_use]
    pub fn permits_guest_roots(&self) -> bool {
        false
    }

    /// Whether a client may leave the peer's certificate, or its name, unchecked.
    #[must_use]
    pub fn permits_unverified(&self) -> bool {
        false
    }

    /// The endpoint of these settings; the same one for the same settings, so that
    /// its sessions can be resumed.
    ///
    /// # Errors
    ///
    /// Which setting cannot be used, and why.
    pub fn endpoint(&self, _settings: &Settings) -> Result<Arc<dyn Endpoint>, String> {
        Err(String::new())
    }

    /// Roots that a guest brings, from PEM.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn parse_roots(_pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
        Err(String::new())
    }
}
