use std::sync::{Arc, RwLock};

use rustls::RootCertStore;

use super::policy::TlsPolicy;
use super::{Identity, LoadError, Provider, Roots, RustlsProvider, Tls};

/// Makes a [`Tls`].
#[derive(Debug)]
pub struct TlsBuilder {
    provider: Option<Box<dyn Provider>>,
    identities: Vec<Identity>,
    roots: Roots,
    guest_roots: bool,
    unverified: bool,
}

impl TlsBuilder {
    pub(super) fn new() -> Self {
        Self {
            provider: None,
            identities: Vec::new(),
            roots: Roots::webpki(),
            guest_roots: false,
            unverified: false,
        }
    }

    /// Lets guests present this identity; of several with one name the first counts.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identities.push(identity);
        self
    }

    /// The authorities that peers' certificates may come from, instead of
    /// [`Roots::webpki`].
    #[must_use]
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Permits clients to bring roots of their own; then what a guest checks its
    /// peers with is its own affair.
    #[must_use]
    pub fn allow_guest_roots(mut self, allow: bool) -> Self {
        self.guest_roots = allow;
        self
    }

    /// Permits clients not to check the peer's certificate, or its name. The observer
    /// is told when one does.
    #[must_use]
    pub fn allow_unverified(mut self, allow: bool) -> Self {
        self.unverified = allow;
        self
    }

    /// Who makes the sessions, instead of [`RustlsProvider`].
    #[must_use]
    pub fn provider(mut self, provider: impl Provider) -> Self {
        self.provider = Some(Box::new(provider));
        self
    }

    /// Reads the roots.
    ///
    /// # Errors
    ///
    /// Which of them cannot be used, and why.
    pub fn build(self) -> Result<Tls, LoadError> {
        let roots = self.roots.load()?;
        Ok(self.with_roots(roots))
    }

    pub(super) fn with_roots(self, roots: RootCertStore) -> Tls {
        let provider = self.provider;
        Tls::new(TlsPolicy {
            provider: provider.unwrap_or_else(|| Box::new(RustlsProvider::new())),
            identities: self.identities,
            roots: self.roots,
            trusted: RwLock::new(Arc::new(roots)),
            guest_roots: self.guest_roots,
            unverified: self.unverified,
        })
    }
}
