use std::sync::{Arc, RwLock};

use super::identity::Identity;
use super::load_error::LoadError;
use super::roots::Roots;
use super::session::Provider;
use super::trusted_roots::TrustedRoots;
use crate::lock;

/// The operator's settings, which all guests share.
#[derive(Debug)]
pub(super) struct TlsPolicy {
    pub(super) provider: Box<dyn Provider>,
    pub(super) identities: Vec<Identity>,
    pub(super) roots: Roots,
    /// The certificates of `roots`, as they were last read.
    pub(super) trusted: RwLock<Arc<TrustedRoots>>,
    pub(super) guest_roots: bool,
    pub(super) unverified: bool,
}

impl TlsPolicy {
    /// The certificates of the roots, as they were last read.
    pub(super) fn trusted(&self) -> Arc<TrustedRoots> {
        Arc::clone(&lock::read(&self.trusted))
    }

    pub(super) fn reload_roots(&self) -> Result<(), LoadError> {
        if !self.roots.reads_files() {
            return Ok(());
        }
        let roots = Arc::new(self.roots.load()?);
        if !roots.is_same(&self.trusted()) {
            *lock::write(&self.trusted) = roots;
        }
        Ok(())
    }
}
