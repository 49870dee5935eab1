//! The endpoints of one guest: kept for resuming sessions, made anew when files have
//! changed.

use std::fmt;
use std::sync::{Arc, Mutex};

use rustls::sign::CertifiedKey;

use super::identity::Identity;
use super::policy::TlsPolicy;
use super::session::{Endpoint, Handshake, Transport};
use super::session_error::SessionError;
use super::settings::Settings;
use super::trusted_roots::TrustedRoots;
use crate::access::Charge;
use crate::lock::lock;

/// Endpoints kept for one guest. A session keeps its own endpoint beyond that.
pub(super) const CAPACITY: usize = 32;

/// The latest endpoints by their settings, in the order of their last use.
#[derive(Debug, Default)]
pub(super) struct EndpointCache(Vec<Arc<ReloadingEndpoint>>);

impl EndpointCache {
    pub(super) fn find(&mut self, settings: &Settings) -> Option<Arc<dyn Endpoint>> {
        let mut endpoints = self.0.iter();
        let index = endpoints.position(|endpoint| endpoint.settings() == settings)?;
        let endpoint = self.0.remove(index);
        self.0.push(Arc::clone(&endpoint));
        Some(endpoint)
    }

    /// Forgets all endpoints that no session uses, to make room in the guest's memory.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn keep(&mut self, endpoint: Arc<ReloadingEndpoint>) {
        if self.0.len() >= CAPACITY {
            self.0.remove(0);
        }
        self.0.push(endpoint);
    }
}

/// An endpoint that is made anew when one of its roots or identities was read again.
/// So no session is resumed that was negotiated with the ones before.
pub(super) struct ReloadingEndpoint {
    policy: Arc<TlsPolicy>,
    settings: Settings,
    guest_roots: Option<Arc<TrustedRoots>>,
    made: Mutex<Made>,
    /// The memory that this endpoint takes.
    _charge: Charge,
}

struct Made {
    endpoint: Arc<dyn Endpoint>,
    of: Material,
}

/// The certificates and keys that an endpoint is made of.
struct Material {
    roots: Arc<TrustedRoots>,
    keys: Vec<Arc<CertifiedKey>>,
}

impl ReloadingEndpoint {
    pub(super) fn new(
        policy: Arc<TlsPolicy>,
        settings: Settings,
        charge: Charge,
    ) -> Result<Self, String> {
        let guest_roots = settings.roots.as_ref().map(|certificates| {
            let mut store = TrustedRoots::empty();
            store
                .add(certificates)
                .map_err(|problem| problem.to_string())?;
            Ok::<_, String>(Arc::new(store))
        });
        let guest_roots = guest_roots.transpose()?;
        let of = material(&policy, &settings, guest_roots.as_ref());
        let endpoint = policy.provider.endpoint(&settings, &of.roots)?;
        Ok(Self {
            policy,
            settings,
            guest_roots,
            made: Mutex::new(Made { endpoint, of }),
            _charge: charge,
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    fn endpoint(&self) -> Result<Arc<dyn Endpoint>, String> {
        let mut made = lock(&self.made);
        // Taken before the endpoint is made, so that the next handshake notices a change
        // that came meanwhile.
        let of = material(&self.policy, &self.settings, self.guest_roots.as_ref());
        if !of.is(&made.of) {
            let endpoint = self.policy.provider.endpoint(&self.settings, &of.roots)?;
            *made = Made { endpoint, of };
        }
        Ok(Arc::clone(&made.endpoint))
    }
}

impl Endpoint for ReloadingEndpoint {
    fn handshake(&self, transport: Box<dyn Transport>, server_name: Option<String>) -> Handshake {
        match self.endpoint() {
            Ok(endpoint) => endpoint.handshake(transport, server_name),
            Err(error) => Box::pin(std::future::ready(Err(SessionError::Other(error)))),
        }
    }
}

impl fmt::Debug for ReloadingEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReloadingEndpoint")
            .field(&self.settings)
            .finish()
    }
}

fn material(
    policy: &TlsPolicy,
    settings: &Settings,
    guest_roots: Option<&Arc<TrustedRoots>>,
) -> Material {
    Material {
        roots: guest_roots.map_or_else(|| policy.trusted(), Arc::clone),
        keys: settings.identities.iter().map(Identity::key).collect(),
    }
}

impl Material {
    fn is(&self, other: &Self) -> bool {
        let mut keys = self.keys.iter().zip(&other.keys);
        Arc::ptr_eq(&self.roots, &other.roots) && keys.all(|(key, other)| Arc::ptr_eq(key, other))
    }
}
