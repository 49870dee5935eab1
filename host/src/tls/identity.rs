use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A certificate with its private key, by the name that a policy gives it.
///
/// Guests know the name alone.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    name: String,
}

impl Identity {
    /// The policy's name for it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }
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
