use std::sync::Arc;

use super::current::ReloadingEndpoint;
use super::{Endpoint, Settings};

/// Endpoints kept for one guest; what is in use lives on without being here.
pub(super) const CAPACITY: usize = 32;

/// The latest endpoints by their settings, the one used last at the end.
#[derive(Debug, Default)]
pub(super) struct EndpointCache(Vec<Arc<ReloadingEndpoint>>);

impl EndpointCache {
    pub(super) fn find(&mut self, settings: &Settings) -> Option<Arc<dyn Endpoint>> {
        let mut endpoints = self.0.iter();
        let place = endpoints.position(|endpoint| endpoint.settings() == settings)?;
        let endpoint = self.0.remove(place);
        self.0.push(Arc::clone(&endpoint));
        Some(endpoint)
    }

    pub(super) fn keep(&mut self, endpoint: Arc<ReloadingEndpoint>) {
        if self.0.len() >= CAPACITY {
            self.0.remove(0);
        }
        self.0.push(endpoint);
    }
}
