use std::io;
use std::path::Path;

/// The reason why a certificate, a private key or roots cannot be used, with their origin.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {problem}")]
pub struct LoadError {
    origin: String,
    problem: LoadProblem,
}

/// The problem of a [`LoadError`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadProblem {
    /// The file cannot be read.
    #[error("cannot read it: {0}")]
    Read(io::Error),
    /// The PEM holds no certificate.
    #[error("there is no certificate in it; it has to be PEM (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// The PEM holds no private key.
    #[error("there is no private key in it; it has to be PEM (-----BEGIN PRIVATE KEY-----)")]
    NoKey,
    /// The private key is encrypted.
    #[error("the private key is encrypted; `openssl pkey -in FILE -out PLAIN` decrypts it")]
    EncryptedKey,
    /// The text between the lines of dashes cannot be decoded.
    #[error("this is not PEM: {0}")]
    Pem(String),
    /// A certificate cannot be parsed.
    #[error("certificate {number} in it cannot be used: {reason}")]
    Certificate {
        /// The number of the certificate, from 1.
        number: usize,
        /// The reason.
        reason: String,
    },
    /// The private key is of a kind that is not supported.
    #[error("the private key cannot be used; it has to be RSA, ECDSA (P-256, P-384) or Ed25519")]
    Key,
    /// The private key belongs to another certificate.
    #[error("the private key is not that of the first certificate in the file with the chain")]
    KeyMismatch,
    /// No roots of the system were found.
    #[error("none found{0}; SSL_CERT_FILE or SSL_CERT_DIR may say where they are")]
    NoPlatformRoots(String),
}

impl LoadError {
    pub(super) fn new(origin: impl Into<String>, problem: LoadProblem) -> Self {
        Self {
            origin: origin.into(),
            problem,
        }
    }

    /// Returns the origin: a file, or a name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the problem.
    #[must_use]
    pub fn problem(&self) -> &LoadProblem {
        &self.problem
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|error| at(path, LoadProblem::Read(error)))
}

/// Makes the error for a problem with this file.
pub(super) fn at(path: &Path, problem: LoadProblem) -> LoadError {
    LoadError::new(path.display().to_string(), problem)
}
