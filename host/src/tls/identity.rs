use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

use super::load_error::{LoadError, LoadProblem, at, read};
use super::pem;

/// A certificate with its private key, by the name that a policy gives it.
///
/// Guests know the name alone. The key is for sessions and cannot be had back.
/// Clones are the same identity.
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
    /// From PEM files: the certificate followed by those of its authorities, and the
    /// private key (PKCS#8, PKCS#1 or SEC1, not encrypted). One file may have both.
    ///
    /// # Errors
    ///
    /// Which file cannot be used, and why.
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

    /// From PEM, as in the files of [`from_files`](Self::from_files).
    ///
    /// # Errors
    ///
    /// What is wrong with it.
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

    /// The policy's name for it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The certificate and those of its authorities, as they are presented now.
    #[must_use]
    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        self.key().cert.clone()
    }

    /// What sessions are made with from now on.
    pub(super) fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.key.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn reads_files(&self) -> bool {
        self.0.files.is_some()
    }

    /// Reads the files again. In case of an error everything stays as it was.
    pub(super) fn reload(&self) -> Result<(), LoadError> {
        let Some(files) = &self.0.files else {
            return Ok(());
        };
        let key = Arc::new(files.load()?);
        if key.cert != self.key().cert {
            *self.0.key.write().unwrap_or_else(PoisonError::into_inner) = key;
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
