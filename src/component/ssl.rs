//! The exports of `asyncio:streams/ssl`.

use std::cell::RefCell;

use super::Component;
use super::wit::ssl::{Guest, GuestSslContext, Side, TlsVersion, VerifyMode};
use crate::ssl;

/// The settings of TLS, which the application sets one by one.
pub(super) struct SslContext(RefCell<ssl::SslContext>);

impl SslContext {
    /// Returns the settings as they are now; later changes do not reach the copy.
    pub(super) fn current(&self) -> ssl::SslContext {
        self.0.borrow().clone()
    }

    pub(super) fn set(&self, set: impl FnOnce(ssl::SslContext) -> ssl::SslContext) {
        let context = self.current();
        *self.0.borrow_mut() = set(context);
    }
}

impl Guest for Component {
    type SslContext = SslContext;
}

impl GuestSslContext for SslContext {
    fn new(side: Side) -> SslContext {
        SslContext(RefCell::new(match side {
            Side::Client => ssl::SslContext::client(),
            Side::Server => ssl::SslContext::server(),
        }))
    }

    fn set_alpn_protocols(&self, protocols: Vec<String>) {
        self.set(|context| context.alpn_protocols(protocols));
    }

    fn load_verify_locations(&self, pem: Vec<u8>) {
        self.set(|context| context.load_verify_locations(pem));
    }

    fn use_identity(&self, name: String) {
        self.set(|context| context.use_identity(name));
    }

    fn set_verify_mode(&self, mode: VerifyMode) {
        self.set(|context| {
            context.verify_mode(match mode {
                VerifyMode::None => ssl::VerifyMode::None,
                VerifyMode::Optional => ssl::VerifyMode::Optional,
                VerifyMode::Required => ssl::VerifyMode::Required,
            })
        });
    }

    fn set_require_alpn(&self, require: bool) {
        self.set(|context| context.require_alpn(require));
    }

    fn set_ignore_unexpected_eof(&self, ignore: bool) {
        self.set(|context| context.ignore_unexpected_eof(ignore));
    }

    fn set_minimum_version(&self, version: TlsVersion) {
        self.set(|context| {
            context.minimum_version(match version {
                TlsVersion::Tls12 => ssl::TlsVersion::Tls12,
                TlsVersion::Tls13 => ssl::TlsVersion::Tls13,
            })
        });
    }
}
