//! `asyncio:streams/ssl`. This variant of the component has no TLS: a context
//! can be made and set up, and using it answers `not-supported`.

use super::Component;
use super::wit::ssl::{Guest, GuestSslContext, Side, VerifyMode};

/// The settings, none of which is kept: nothing ever reads them.
pub(super) struct SslContext;

impl Guest for Component {
    type SslContext = SslContext;
}

impl GuestSslContext for SslContext {
    fn new(_side: Side) -> SslContext {
        SslContext
    }

    fn set_alpn_protocols(&self, _protocols: Vec<String>) {}

    fn load_verify_locations(&self, _pem: Vec<u8>) {}

    fn use_identity(&self, _name: String) {}

    fn set_verify_mode(&self, _mode: VerifyMode) {}
}
