use std::path::PathBuf;

use rustls::pki_types::CertificateDer;

use super::load_error::{LoadError, LoadProblem, at, read};
use super::pem;
use super::trusted_roots::TrustedRoots;

/// The authorities whose certificates are trusted.
///
/// ```
/// # use asyncio_streams_host::tls::Roots;
/// let public_and_ours = Roots::webpki().and(Roots::file("/etc/ours/ca.pem"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Roots(Vec<Source>);

#[derive(Debug, Clone)]
enum Source {
    Webpki,
    Platform,
    File(PathBuf),
    Certificates(Vec<CertificateDer<'static>>),
}

impl Roots {
    /// Trusts no authority.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Trusts the authorities that Mozilla trusted when this crate was built.
    #[must_use]
    pub fn webpki() -> Self {
        Self(vec![Source::Webpki])
    }

    /// Trusts the authorities that the system trusts.
    #[must_use]
    pub fn platform() -> Self {
        Self(vec![Source::Platform])
    }

    /// Trusts the authorities in a PEM file.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(vec![Source::File(path.into())])
    }

    /// Trusts the authorities in this PEM.
    ///
    /// # Errors
    ///
    /// Names the certificate that cannot be used, and the reason.
    pub fn from_pem(pem: &[u8]) -> Result<Self, LoadError> {
        let certificates =
            pem::roots(pem).map_err(|problem| LoadError::new("the TLS roots", problem))?;
        Ok(Self(vec![Source::Certificates(certificates)]))
    }

    /// Adds other authorities.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    pub(super) fn reads_files(&self) -> bool {
        let read = |source: &Source| matches!(source, Source::File(_) | Source::Platform);
        self.0.iter().any(read)
    }

    /// Reads all sources.
    pub(super) fn load(&self) -> Result<TrustedRoots, LoadError> {
        let mut store = TrustedRoots::empty();
        for source in &self.0 {
            source.load(&mut store)?;
        }
        Ok(store)
    }
}

impl Source {
    fn load(&self, store: &mut TrustedRoots) -> Result<(), LoadError> {
        match self {
            Self::Webpki => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Self::Platform => platform(store)
                .map_err(|problem| LoadError::new("the system's TLS roots", problem))?,
            Self::File(path) => pem::certificates(&read(path)?)
                .and_then(|certificates| store.add(&certificates))
                .map_err(|problem| at(path, problem))?,
            Self::Certificates(certificates) => store
                .add(certificates)
                .map_err(|problem| LoadError::new("the TLS roots", problem))?,
        }
        Ok(())
    }
}

/// Adds the system's roots. Roots that cannot be parsed are skipped: such collections
/// hold old ones.
fn platform(store: &mut TrustedRoots) -> Result<(), LoadProblem> {
    let found = rustls_native_certs::load_native_certs();
    if store.add_parsable(found.certs) > 0 {
        return Ok(());
    }
    let why = found.errors.first();
    let why = why.map(|error| format!(" ({error})")).unwrap_or_default();
    Err(LoadProblem::NoPlatformRoots(why))
}
