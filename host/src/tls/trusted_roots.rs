use std::collections::HashSet;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, TrustAnchor};

use super::load_error::LoadProblem;

/// The certificates that peers are checked with.
#[derive(Debug, Clone)]
pub(crate) struct TrustedRoots {
    anchors: Arc<RootCertStore>,
    /// The certificates themselves in DER, as far as they are known: Mozilla's are not.
    certificates: HashSet<Vec<u8>>,
}

impl TrustedRoots {
    pub(super) fn empty() -> Self {
        Self {
            anchors: Arc::new(RootCertStore::empty()),
            certificates: HashSet::new(),
        }
    }

    /// Adds authorities without their certificates.
    pub(super) fn extend(&mut self, anchors: impl IntoIterator<Item = TrustAnchor<'static>>) {
        Arc::make_mut(&mut self.anchors).extend(anchors);
    }

    /// Adds all certificates, or names the first that cannot be added.
    pub(super) fn add(
        &mut self,
        certificates: &[CertificateDer<'static>],
    ) -> Result<(), LoadProblem> {
        for (index, certificate) in certificates.iter().enumerate() {
            let added = Arc::make_mut(&mut self.anchors).add(certificate.clone());
            added.map_err(|error| LoadProblem::Certificate {
                number: index + 1,
                reason: error.to_string(),
            })?;
            self.certificates.insert(certificate.to_vec());
        }
        Ok(())
    }

    /// Adds the certificates that can be parsed. Returns their number.
    pub(super) fn add_parsable(&mut self, certificates: Vec<CertificateDer<'static>>) -> usize {
        let anchors = Arc::make_mut(&mut self.anchors);
        let before = self.certificates.len();
        for certificate in certificates {
            if anchors.add(certificate.clone()).is_ok() {
                self.certificates.insert(certificate.to_vec());
            }
        }
        self.certificates.len() - before
    }

    /// Returns the authorities that a chain of certificates may end at.
    pub(super) fn anchors(&self) -> &Arc<RootCertStore> {
        &self.anchors
    }

    /// Returns whether this very certificate is trusted.
    pub(super) fn contains(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates.contains(certificate.as_ref())
    }

    /// Returns whether these are the same roots.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.anchors.roots == other.anchors.roots && self.certificates == other.certificates
    }
}
