use std::sync::{Arc, RwLock};

use super::Policy;
use crate::lock::{read, write};

/// A policy that can be replaced while guests run under it; clones are the same one.
///
/// Each request is decided by the policy of its moment. Connections and listeners that are
/// open stay open.
#[derive(Debug, Clone, Default)]
pub struct SharedPolicy(Arc<RwLock<Arc<Policy>>>);

impl SharedPolicy {
    /// Makes one that guests can share.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(policy))))
    }

    /// Replaces the policy, for all guests that share this one.
    pub fn replace(&self, policy: Policy) {
        *write(&self.0) = Arc::new(policy);
    }

    /// Returns the policy of this moment.
    #[must_use]
    pub fn current(&self) -> Arc<Policy> {
        Arc::clone(&read(&self.0))
    }
}

impl From<Policy> for SharedPolicy {
    fn from(policy: Policy) -> Self {
        Self::new(policy)
    }
}
