use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::current::ReloadingEndpoint;
use super::memo::EndpointCache;
use super::{Endpoint, Identity, LoadError, Provider, Roots, Settings, TlsBuilder, pem};

/// What guests may have of TLS: the roots, the identities, what may be switched
/// off. Unless told otherwise the roots of [`Roots::webpki`], and nothing else.
///
/// Clones share everything, sessions that can be resumed included;
/// [`for_guest`](Self::for_guest) keeps those apart.
///
/// ```no_run
/// use asyncio_streams_host::StreamsCtx;
/// use asyncio_streams_host::tls::{Identity, Roots, Tls};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = Tls::builder()
///     .identity(Identity::from_files("web", "web.pem", "web.key")?)
///     .roots(Roots::platform())
///     .build()?;
/// let ctx = StreamsCtx::builder().tls(tls.clone()).build();
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
    endpoints: Arc<Mutex<EndpointCache>>,
}

/// What does not depend on the guest.
#[derive(Debug)]
pub(super) struct TlsPolicy {
    pub(super) provider: Box<dyn Provider>,
    pub(super) identities: Vec<Identity>,
    pub(super) roots: Roots,
    /// What the roots were when they were last read.
    pub(super) trusted: RwLock<Arc<RootCertStore>>,
    pub(super) guest_roots: bool,
    pub(super) unverified: bool,
}

impl Tls {
    pub(super) fn new(policy: TlsPolicy) -> Self {
        Self {
            policy: Arc::new(policy),
            endpoints: Arc::default(),
        }
    }

    /// A builder, which without further calls permits clients that check their
    /// peers against [`Roots::webpki`].
    #[must_use]
    pub fn builder() -> TlsBuilder {
        TlsBuilder::new()
    }

    /// The same for another guest: sessions of one are not resumed by the other.
    /// [`StreamsCtxBuilder::tls`](crate::StreamsCtxBuilder::tls) does this.
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
        let endpoint = Arc::new(ReloadingEndpoint::new(
            Arc::clone(&self.policy),
            settings.clone(),
        )?);
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
