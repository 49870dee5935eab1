use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::purposes::Purpose;
use crate::tls::trusted_roots::TrustedRoots;

/// The check of a server's certificate. The server must prove in any case that it has the
/// key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    ChainAndName,
    Chain,
    Nothing,
}

#[derive(Debug)]
pub(super) struct ServerVerifier {
    roots: Arc<TrustedRoots>,
    algorithms: WebPkiSupportedAlgorithms,
    check: Check,
}

impl ServerVerifier {
    pub(super) fn new(crypto: &CryptoProvider, roots: &Arc<TrustedRoots>, check: Check) -> Self {
        Self {
            roots: Arc::clone(roots),
            algorithms: crypto.signature_verification_algorithms,
            check,
        }
    }
}

/// Accepts a certificate that was refused and is trusted itself, as OpenSSL does; else
/// returns the error.
///
/// webpki checks the dates first, so that they are right where it finds no authority or
/// refuses the certificate as one. In the latter case it has not checked the purposes.
pub(super) fn unless_trusted(
    error: Error,
    certificate: &CertificateDer<'_>,
    roots: &TrustedRoots,
    purpose: Purpose,
) -> Result<(), Error> {
    let unknown = CertificateError::UnknownIssuer.into();
    let authority = is_authority(&error);
    if !authority && error != unknown {
        return Err(error);
    }
    match roots.contains(certificate) {
        true if authority && !purpose.is_of(certificate) => {
            Err(CertificateError::InvalidPurpose.into())
        }
        true => Ok(()),
        // That tells the user more than that it is an authority.
        false if is_stranger(certificate, roots) => Err(unknown),
        false => Err(error),
    }
}

/// Returns whether the certificate is self-signed, and no root has its name.
fn is_stranger(certificate: &CertificateDer<'_>, roots: &TrustedRoots) -> bool {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else {
        return false;
    };
    let subject = certificate.subject();
    let mut anchors = roots.anchors().roots.iter();
    certificate.issuer() == subject && !anchors.any(|root| root.subject.as_ref() == subject)
}

/// Returns whether a peer was refused because its certificate is an authority's.
pub(super) fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(error))) = error else {
        return false;
    };
    let error = error.downcast_ref::<webpki::Error>();
    matches!(error, Some(webpki::Error::CaUsedAsEndEntity))
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.check == Check::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            self.roots.anchors(),
            intermediates,
            now,
            algorithms,
        )
        .or_else(|error| unless_trusted(error, end_entity, &self.roots, Purpose::SERVER))?;
        if self.check == Check::ChainAndName {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
