use std::fmt;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::{ResolvesClientCert, verify_server_name};
use rustls::pki_types::{DnsName, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::tls::identity::Identity;

/// Chooses the certificate to present.
pub(super) struct PresentedIdentities(Vec<Arc<CertifiedKey>>);

impl PresentedIdentities {
    /// Takes the keys that the identities have now.
    pub(super) fn new(identities: &[Identity]) -> Self {
        Self(identities.iter().map(Identity::key).collect())
    }

    /// Returns the keys that can sign by one of these schemes.
    fn signing(&self, schemes: &[SignatureScheme]) -> impl Iterator<Item = &Arc<CertifiedKey>> {
        let keys = self.0.iter();
        keys.filter(|key| key.key.choose_scheme(schemes).is_some())
    }
}

impl ResolvesServerCert for PresentedIdentities {
    /// Chooses the first identity for the client's name, or the first of all. Identities
    /// whose signatures the client does not know are left out.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let name = hello.server_name().and_then(|name| {
            let name = DnsName::try_from(name.to_owned()).ok()?;
            Some(ServerName::DnsName(name))
        });
        let fitting = name.and_then(|name| self.signing(schemes).find(|key| is_for(key, &name)));
        fitting.or_else(|| self.signing(schemes).next()).cloned()
    }
}

impl ResolvesClientCert for PresentedIdentities {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.signing(schemes).next().cloned()
    }

    fn has_certs(&self) -> bool {
        !self.0.is_empty()
    }
}

fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let certificate = key.end_entity_cert().ok();
    let certificate = certificate.and_then(|der| ParsedCertificate::try_from(der).ok());
    certificate.is_some_and(|certificate| verify_server_name(&certificate, name).is_ok())
}

impl fmt::Debug for PresentedIdentities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedIdentities")
            .finish_non_exhaustive()
    }
}
