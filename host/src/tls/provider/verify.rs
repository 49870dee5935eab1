use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

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
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    check: Check,
}

impl ServerVerifier {
    pub(super) fn new(crypto: &CryptoProvider, roots: &Arc<RootCertStore>, check: Check) -> Self {
        Self {
            roots: Arc::clone(roots),
            algorithms: crypto.signature_verification_algorithms,
            check,
        }
    }

    /// Explains the refusal of an authority's certificate. If it is self-signed and not
    /// among the roots, it is an unknown issuer: that tells the user more.
    fn explain(&self, error: Error, certificate: &CertificateDer<'_>) -> Error {
        if !is_authority(&error) {
            return error;
        }
        let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else {
            return error;
        };
        let subject = certificate.subject();
        let mut roots = self.roots.roots.iter();
        if certificate.issuer() == subject && !roots.any(|root| root.subject.as_ref() == subject) {
            return CertificateError::UnknownIssuer.into();
        }
        error
    }
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
            &self.roots,
            intermediates,
            now,
            algorithms,
        )
        .map_err(|error| self.explain(error, end_entity))?;
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
