//! Certificates and private keys from PEM.

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::load_error::LoadProblem;
use super::trusted_roots::TrustedRoots;

/// Parses all certificates; at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, LoadProblem> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(problem)?;
    if certificates.is_empty() {
        return Err(LoadProblem::NoCertificate);
    }
    Ok(certificates)
}

/// Parses certificates and checks that each can be a root.
pub(super) fn roots(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, LoadProblem> {
    let certificates = certificates(pem)?;
    TrustedRoots::empty().add(&certificates)?;
    Ok(certificates)
}

/// Parses the first private key: PKCS#8, PKCS#1 or SEC1.
pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, LoadProblem> {
    let encrypted = String::from_utf8_lossy(pem)
        .lines()
        .any(|line| line.starts_with("-----BEGIN ENCRYPTED") || line.ends_with("4,ENCRYPTED"));
    match PrivateKeyDer::from_pem_slice(pem) {
        Err(_) if encrypted => Err(LoadProblem::EncryptedKey),
        Err(pem::Error::NoItemsFound) => Err(LoadProblem::NoKey),
        key => key.map_err(problem),
    }
}

fn problem(error: pem::Error) -> LoadProblem {
    LoadProblem::Pem(error.to_string())
}
