use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

use super::load_error::{LoadError, LoadProblem, at, read};
use super::pem;
use crate::lock;

/// A certificate with its private key, under a name that the operator gives it.
///
/// Guests know the name alone. Sessions use the key, and nothing gives it out. Clones are
/// the same identity.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    name: String,
    files: Option<Files>,
    key: RwLock<Arc<CertifiedKey>>,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Identity {
    /// Reads PEM files: the certificate followed by those of its authorities, and the
    /// private key (PKCS#8, PKCS#1 or SEC1, not encrypted). One file may hold both.
    ///
    /// # Errors
    ///
    /// Names the file that cannot be used, and the reason.
    pub fn from_files(
        name: impl Into<String>,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, LoadError> {
        let files = Files {
            certificate: certificate.into(),
            key: key.into(),
        };
        let key = files.load()?;
        Ok(Self::new(name.into(), Some(files), key))
    }

    /// Parses PEM, as in the files of [`from_files`](Self::from_files).
    ///
    /// # Errors
    ///
    /// Names the part that cannot be used, and the reason.
    pub fn from_pem(
        name: impl Into<String>,
        certificate: &[u8],
        key: &[u8],
    ) -> Result<Self, LoadError> {
        let name = name.into();
        let key = pem::certificates(certificate).and_then(|chain| certified(chain, key));
        let key =
            key.map_err(|problem| LoadError::new(format!("the TLS identity `{name}`"), problem))?;
        Ok(Self::new(name, None, key))
    }

    fn new(name: String, files: Option<Files>, key: CertifiedKey) -> Self {
        Self(Arc::new(Inner {
            name,
            files,
            key: RwLock::new(Arc::new(key)),
        }))
    }

    /// Returns the operator's name for the identity.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the certificate and those of its authorities, as they are presented now.
    #[must_use]
    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        self.key().cert.clone()
    }

    /// Returns the certificate and key for sessions from now on.
    pub(super) fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&lock::read(&self.0.key))
    }

    pub(super) fn reads_files(&self) -> bool {
        self.0.files.is_some()
    }

    /// Reads the files again. After an error the identity stays as it was.
    pub(super) fn reload(&self) -> Result<(), LoadError> {
        let Some(files) = &self.0.files else {
            return Ok(());
        };
        let key = Arc::new(files.load()?);
        if key.cert != self.key().cert {
            *lock::write(&self.0.key) = key;
        }
        Ok(())
    }
}

impl Files {
    fn load(&self) -> Result<CertifiedKey, LoadError> {
        let chain = pem::certificates(&read(&self.certificate)?);
        let chain = chain.map_err(|problem| at(&self.certificate, problem))?;
        certified(chain, &read(&self.key)?).map_err(|problem| {
            let file = match problem {
                LoadProblem::Certificate { .. } => &self.certificate,
                _ => &self.key,
            };
            at(file, problem)
        })
    }
}

fn certified(chain: Vec<CertificateDer<'static>>, key: &[u8]) -> Result<CertifiedKey, LoadProblem> {
    let key = pem::private_key(key)?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => LoadProblem::KeyMismatch,
        rustls::Error::InvalidCertificate(error) => LoadProblem::Certificate {
            number: 1,
            reason: error.to_string(),
        },
        _ => LoadProblem::Key,
    })
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.0.name).finish()
    }
}
