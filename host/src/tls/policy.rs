use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::current::Current;
use super::memo::Memo;
use super::provider::RustlsProvider;
use super::{Endpoint, Identity, LoadError, Provider, Roots, Settings, pem};

/// What guests may have of TLS: the roots, the identities, what may be switched
/// off. Unless told otherwise the roots of [`Roots::webpki`], and nothing else.
///
/// Clones share everything, sessions that can be resumed included;
/// [`for_guest`](Self::for_guest) keeps those apart.
///
/// ```no_run
/// use asyncio_streams_host::Ctx;
/// use asyncio_streams_host::tls::{Identity, Roots, Tls};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = Tls::builder()
///     .identity(Identity::from_files("web", "web.pem", "web.key")?)
///     .roots(Roots::platform())
///     .build()?;
/// let ctx = Ctx::builder().tls(tls.clone()).build();
///
/// // Later, when the files have changed:
/// if let Err(errors) = tls.reload() {
///     for error in errors {
///         eprintln!("{error}; what was there before is still used");
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Tls {
    policy: Arc<TlsPolicy>,
    endpoints: Arc<Mutex<Memo>>,
}

/// What does not depend on the guest.
#[derive(Debug)]
pub(super) struct TlsPolicy {
    pub(super) provider: Box<dyn Provider>,
    identities: Vec<Identity>,
    roots: Roots,
    trusted: RwLock<Arc<RootCertStore>>,
    guest_roots: bool,
    unverified: bool,
}

/// Makes a [`Tls`].
#[derive(Debug)]
pub struct TlsBuilder {
    provider: Option<Box<dyn Provider>>,
    identities: Vec<Identity>,
    roots: Roots,
    guest_roots: bool,
    unverified: bool,
}

impl Tls {
    /// A builder, which without further calls permits clients that check their
    /// peers against [`Roots::webpki`].
    #[must_use]
    pub fn builder() -> TlsBuilder {
        TlsBuilder {
            provider: None,
            identities: Vec::new(),
            roots: Roots::webpki(),
            guest_roots: false,
            unverified: false,
        }
    }

    /// The same for another guest: sessions of one are not resumed by the other.
    /// [`CtxBuilder::tls`](crate::CtxBuilder::tls) does this.
    #[must_use]
    pub fn for_guest(&self) -> Self {
        Self {
            policy: Arc::clone(&self.policy),
            endpoints: Arc::default(),
        }
    }

    /// The identity of this name.
    #[must_use]
    pub fn identity(&self, name: &str) -> Option<Identity> {
        let mut identities = self.policy.identities.iter();
        identities.find(|identity| identity.name() == name).cloned()
    }

    /// Whether a client may bring roots of its own.
    #[must_use]
    pub fn permits_guest_roots(&self) -> bool {
        self.policy.guest_roots
    }

    /// Whether a client may leave the peer's certificate, or its name, unchecked.
    #[must_use]
    pub fn permits_unverified(&self) -> bool {
        self.policy.unverified
    }

    /// The endpoint of these settings; the same one for the same settings, as long as
    /// it is among the latest ones, so that its sessions can be resumed. What a policy
    /// has to permit is for the caller to have asked.
    ///
    /// # Errors
    ///
    /// Which setting cannot be used, and why.
    pub fn endpoint(&self, settings: &Settings) -> Result<Arc<dyn Endpoint>, String> {
        let mut endpoints = self
            .endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(endpoint) = endpoints.find(settings) {
            return Ok(endpoint);
        }
        settings.check()?;
        let endpoint = Arc::new(Current::new(Arc::clone(&self.policy), settings.clone())?);
        endpoints.keep(Arc::clone(&endpoint));
        Ok(endpoint)
    }

    /// Roots that a guest brings, from PEM.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn parse_roots(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
        pem::roots(pem).map_err(|problem| problem.to_string())
    }

    /// Whether this can be a [`server_name`](Endpoint::handshake): a name or an
    /// address.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check_server_name(name: &str) -> Result<(), String> {
        super::provider::server_name(name).map(|_| ())
    }

    /// Whether there is anything that [`reload`](Self::reload) reads again.
    #[must_use]
    pub fn reads_files(&self) -> bool {
        self.policy.roots.reads_files() || self.policy.identities.iter().any(Identity::reads_files)
    }

    /// Reads all files again, those of identities and of roots, for every guest. It
    /// blocks while it does.
    ///
    /// Sessions go on. Those that begin later are made with what was read; none of
    /// earlier ones that were made with something else is resumed.
    ///
    /// # Errors
    ///
    /// What could not be used. An identity of which that is true stays as it was, and
    /// so do the roots if it is true of any of them.
    pub fn reload(&self) -> Result<(), Vec<LoadError>> {
        let identities = self.policy.identities.iter().map(Identity::reload);
        let outcomes = identities.chain([self.policy.reload_roots()]);
        let errors: Vec<LoadError> = outcomes.filter_map(Result::err).collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }
}

impl Default for Tls {
    fn default() -> Self {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        Self::builder().with_roots(roots.collect())
    }
}

impl TlsPolicy {
    /// The roots as they are now.
    pub(super) fn trusted(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.trusted.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn reload_roots(&self) -> Result<(), LoadError> {
        if !self.roots.reads_files() {
            return Ok(());
        }
        let roots = Arc::new(self.roots.load()?);
        if roots.roots != self.trusted().roots {
            *self.trusted.write().unwrap_or_else(PoisonError::into_inner) = roots;
        }
        Ok(())
    }
}

impl TlsBuilder {
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

    fn with_roots(self, roots: RootCertStore) -> Tls {
        let provider = self.provider;
        Tls {
            policy: Arc::new(TlsPolicy {
                provider: provider.unwrap_or_else(|| Box::new(RustlsProvider::new())),
                identities: self.identities,
                roots: self.roots,
                trusted: RwLock::new(Arc::new(roots)),
                guest_roots: self.guest_roots,
                unverified: self.unverified,
            }),
            endpoints: Arc::default(),
        }
    }
}
