use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::RootCertStore;
use rustls::sign::CertifiedKey;

use super::policy::TlsPolicy;
use super::{Endpoint, Handshake, Identity, SessionError, Settings, Transport, pem};

/// An endpoint with the roots and identities as they are now: made anew when one
/// of those that it uses has been read again. So nothing that was negotiated with
/// the ones before is resumed.
pub(super) struct ReloadingEndpoint {
    policy: Arc<TlsPolicy>,
    settings: Settings,
    guest_roots: Option<Arc<RootCertStore>>,
    made: Mutex<Made>,
}

struct Made {
    endpoint: Arc<dyn Endpoint>,
    of: Material,
}

/// What an endpoint is made of, besides its settings.
struct Material {
    roots: Arc<RootCertStore>,
    keys: Vec<Arc<CertifiedKey>>,
}

impl ReloadingEndpoint {
    pub(super) fn new(policy: Arc<TlsPolicy>, settings: Settings) -> Result<Self, String> {
        let guest_roots = settings.roots.as_deref().map(|certificates| {
            let mut store = RootCertStore::empty();
            pem::add(&mut store, certificates).map_err(|problem| problem.to_string())?;
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
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    fn endpoint(&self) -> Result<Arc<dyn Endpoint>, String> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken first: what changes while the endpoint is made is noticed by the next
        // handshake.
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
    guest_roots: Option<&Arc<RootCertStore>>,
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
