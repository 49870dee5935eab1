//! TLS for guests: the operator's identities and roots, and the sessions.

mod endpoints;
mod identity;
mod load_error;
mod pem;
mod policy;
mod provider;
mod roots;
mod session;
mod session_error;
mod settings;
#[cfg(test)]
mod tests;
mod trusted_roots;

use std::sync::{Arc, Mutex, RwLock};

use rustls::pki_types::CertificateDer;

use self::endpoints::{EndpointCache, ReloadingEndpoint};
pub use self::identity::Identity;
pub use self::load_error::{LoadError, LoadProblem};
use self::policy::TlsPolicy;
use self::provider::RustlsProvider;
pub use self::roots::Roots;
use self::session::Provider;
pub(crate) use self::session::{Details, Endpoint, Handshake, Session, Transport};
pub(crate) use self::session_error::SessionError;
pub(crate) use self::settings::{Settings, Side, Verify, Version, check_protocols, check_roots};
use self::trusted_roots::TrustedRoots;
use crate::access::{Budget, OverBudget};
use crate::lock::lock;

/// The operator's settings of TLS: roots, identities, and checks that guests may switch
/// off. By default it has the roots of [`Roots::webpki`], and guests may switch nothing
/// off.
///
/// Clones share everything, including sessions that can be resumed.
/// [`for_guest`](Self::for_guest) keeps those of each guest apart.
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

/// The reason why there is no endpoint of a guest's settings.
#[derive(Debug)]
pub(crate) enum EndpointError {
    /// This setting cannot be used, and the reason.
    Setting(String),
    /// The guest's memory has no room for it.
    OverBudget(OverBudget),
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
    fn new(policy: TlsPolicy) -> Self {
        Self {
            policy: Arc::new(policy),
            endpoints: Arc::default(),
        }
    }

    /// Returns a builder; without further calls, guests may be clients that check servers
    /// against [`Roots::webpki`].
    #[must_use]
    pub fn builder() -> TlsBuilder {
        TlsBuilder::new()
    }

    /// Returns the same settings for another guest. No guest resumes sessions of another.
    /// [`StreamsCtxBuilder::tls`](crate::StreamsCtxBuilder::tls) does this.
    #[must_use]
    pub fn for_guest(&self) -> Self {
        Self {
            policy: Arc::clone(&self.policy),
            endpoints: Arc::default(),
        }
    }

    /// Returns the identity of this name.
    #[must_use]
    pub fn identity(&self, name: &str) -> Option<Identity> {
        let mut identities = self.policy.identities.iter();
        identities.find(|identity| identity.name() == name).cloned()
    }

    /// Returns whether a client may bring roots of its own.
    #[must_use]
    pub fn permits_guest_roots(&self) -> bool {
        self.policy.guest_roots
    }

    /// Returns whether a client may leave the server's certificate, or its name,
    /// unchecked.
    #[must_use]
    pub fn permits_unverified(&self) -> bool {
        self.policy.unverified
    }

    /// Returns the endpoint of these settings. The latest endpoints are kept, so that
    /// sessions with the same settings can be resumed. The caller has asked whether the
    /// settings are permitted. The memory of an endpoint is charged to `budget`.
    ///
    /// # Errors
    ///
    /// Names the setting that cannot be used, and the reason, or says that there is no
    /// memory for the endpoint.
    pub(crate) fn endpoint_within(
        &self,
        settings: &Settings,
        budget: &Budget,
    ) -> Result<Arc<dyn Endpoint>, EndpointError> {
        let mut endpoints = lock(&self.endpoints);
        if let Some(endpoint) = endpoints.find(settings) {
            return Ok(endpoint);
        }
        settings.check().map_err(EndpointError::Setting)?;
        let bytes = settings.kept_by_endpoint();
        let charge = budget.charge(bytes).or_else(|_| {
            endpoints.clear();
            budget.charge(bytes)
        });
        let endpoint = ReloadingEndpoint::new(
            Arc::clone(&self.policy),
            settings.clone(),
            charge.map_err(EndpointError::OverBudget)?,
        );
        let endpoint = Arc::new(endpoint.map_err(EndpointError::Setting)?);
        endpoints.keep(Arc::clone(&endpoint));
        Ok(endpoint)
    }

    /// Parses roots that a guest brings, from PEM.
    ///
    /// # Errors
    ///
    /// Names the certificate that cannot be used, and the reason.
    pub(crate) fn parse_roots(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
        pem::roots(pem).map_err(|problem| problem.to_string())
    }

    /// Checks that this is a [`server_name`](Endpoint::handshake): a name or an address.
    ///
    /// # Errors
    ///
    /// Says that it is neither.
    pub(crate) fn check_server_name(name: &str) -> Result<(), String> {
        provider::server_name(name).map(|_| ())
    }

    /// Returns whether there are files that [`reload`](Self::reload) reads again.
    #[must_use]
    pub fn reads_files(&self) -> bool {
        self.policy.roots.reads_files() || self.policy.identities.iter().any(Identity::reads_files)
    }

    /// Reads the files of identities and roots again, for every guest. Blocks meanwhile.
    ///
    /// Sessions go on. Later sessions use the new certificates. They resume no session that
    /// was made with others.
    ///
    /// # Errors
    ///
    /// Names all files that could not be used. Their identities stay as they were. The
    /// roots stay as they were if any file of them failed.
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
        let mut roots = TrustedRoots::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        Self::builder().with_roots(roots)
    }
}

impl TlsBuilder {
    fn new() -> Self {
        Self {
            provider: None,
            identities: Vec::new(),
            roots: Roots::webpki(),
            guest_roots: false,
            unverified: false,
        }
    }

    /// Lets guests present this identity. Of several with one name, the first counts.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identities.push(identity);
        self
    }

    /// Sets the authorities whose certificates are trusted, instead of
    /// [`Roots::webpki`].
    #[must_use]
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Permits clients to bring roots of their own. Then the guest decides which servers it
    /// trusts.
    #[must_use]
    pub fn allow_guest_roots(mut self, allow: bool) -> Self {
        self.guest_roots = allow;
        self
    }

    /// Permits clients not to check the server's certificate, or its name. The observer is
    /// told of the first session without the check.
    #[must_use]
    pub fn allow_unverified(mut self, allow: bool) -> Self {
        self.unverified = allow;
        self
    }

    /// Makes the sessions by another provider than rustls.
    #[cfg(test)]
    fn provider(mut self, provider: impl Provider) -> Self {
        self.provider = Some(Box::new(provider));
        self
    }

    /// Reads the roots and builds the settings.
    ///
    /// # Errors
    ///
    /// Names the roots that cannot be used, and the reason.
    pub fn build(self) -> Result<Tls, LoadError> {
        let roots = self.roots.load()?;
        Ok(self.with_roots(roots))
    }

    fn with_roots(self, roots: TrustedRoots) -> Tls {
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
