use std::sync::Arc;

use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode as SocketError;

use super::super::bindings::tls::ErrorCode;
use crate::access::{AccessGuard, Charge};
use crate::tls::{Identity, Settings, Side, Tls, Verify, Version, check_protocols, check_roots};

/// The guest's memory has no room for it.
pub(super) const OUT_OF_MEMORY: ErrorCode = ErrorCode::Socket(SocketError::OutOfMemory);

/// The settings of sessions, in the guest's table. The caller asks the policy before
/// it changes them.
pub(super) struct TlsContext {
    settings: Settings,
    /// The memory that the settings take.
    charge: Charge,
}

impl TlsContext {
    /// Makes the default settings of a side. Returns `None` if the guest's memory has no
    /// room for them.
    pub(super) fn new(side: Side, guard: &AccessGuard) -> Option<TlsContext> {
        let settings = Settings::new(side);
        let charge = guard.charge(settings.kept())?;
        Some(TlsContext { settings, charge })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn is_client(&self) -> bool {
        self.settings.side == Side::Client
    }

    /// Returns whether this mode leaves a server unchecked, which the policy has to
    /// permit.
    pub(super) fn leaves_unverified(&self, mode: Verify) -> bool {
        self.is_client() && mode == Verify::None
    }

    pub(super) fn set_alpn_protocols(
        &mut self,
        protocols: Vec<String>,
        guard: &AccessGuard,
    ) -> Result<(), ErrorCode> {
        check_protocols(&protocols).map_err(ErrorCode::InvalidArgument)?;
        let mut settings = self.settings.clone();
        settings.alpn_protocols = protocols.into_iter().map(String::into_bytes).collect();
        self.change(settings, guard)
    }

    pub(super) fn add_roots(&mut self, pem: &[u8], guard: &AccessGuard) -> Result<(), ErrorCode> {
        let more = Tls::parse_roots(pem).map_err(ErrorCode::InvalidArgument)?;
        let before = self.settings.roots.iter().flat_map(|roots| roots.iter());
        check_roots(before.chain(&more)).map_err(ErrorCode::InvalidArgument)?;
        let mut settings = self.settings.clone();
        Arc::make_mut(settings.roots.get_or_insert_default()).extend(more);
        self.change(settings, guard)
    }

    pub(super) fn add_identity(
        &mut self,
        identity: Identity,
        guard: &AccessGuard,
    ) -> Result<(), ErrorCode> {
        if self.settings.identities.contains(&identity) {
            return Ok(());
        }
        let mut settings = self.settings.clone();
        settings.identities.push(identity);
        self.change(settings, guard)
    }

    /// Replaces the settings, if the guest's memory has room for the new ones.
    fn change(&mut self, settings: Settings, guard: &AccessGuard) -> Result<(), ErrorCode> {
        if !guard.recharge(&mut self.charge, settings.kept()) {
            return Err(OUT_OF_MEMORY);
        }
        self.settings = settings;
        Ok(())
    }

    pub(super) fn set_verify(&mut self, mode: Verify) -> Result<(), ErrorCode> {
        if self.is_client() && mode == Verify::Optional {
            return Err(invalid(
                "`optional` is for servers: their clients may have no certificate",
            ));
        }
        self.settings.verify = mode;
        Ok(())
    }

    pub(super) fn set_minimum_version(&mut self, version: Version) {
        self.settings.minimum_version = version;
    }

    pub(super) fn set_require_alpn(&mut self, require: bool) {
        self.settings.require_alpn = require;
    }

    pub(super) fn set_ignore_unexpected_eof(&mut self, ignore: bool) {
        self.settings.ignore_unexpected_eof = ignore;
    }
}

fn invalid(why: impl Into<String>) -> ErrorCode {
    ErrorCode::InvalidArgument(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::testing;

    fn context(side: Side) -> TlsContext {
        TlsContext::new(side, &testing::guard(1 << 20)).unwrap()
    }

    fn refused(outcome: Result<(), ErrorCode>) -> String {
        match outcome {
            Err(ErrorCode::InvalidArgument(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_application_protocol_is_neither_empty_nor_longer_than_255_bytes() {
        let mut context = context(Side::Client);
        for wrong in [String::new(), "x".repeat(256)] {
            refused(
                context.set_alpn_protocols(vec!["h2".to_owned(), wrong], &testing::guard(1 << 20)),
            );
        }
        assert!(context.settings().alpn_protocols.is_empty());
        let protocols = vec!["h2".to_owned(), "x".repeat(255)];
        assert!(
            context
                .set_alpn_protocols(protocols, &testing::guard(1 << 20))
                .is_ok()
        );
        assert_eq!(context.settings().alpn_protocols.len(), 2);
    }

    #[test]
    fn only_a_server_checks_what_may_be_missing() {
        refused(context(Side::Client).set_verify(Verify::Optional));
        let mut server = context(Side::Server);
        assert!(server.set_verify(Verify::Optional).is_ok());
        assert_eq!(server.settings().verify, Verify::Optional);
    }

    #[test]
    fn roots_that_cannot_be_read_change_nothing() {
        let mut context = context(Side::Client);
        refused(context.add_roots(b"no certificate", &testing::guard(1 << 20)));
        assert_eq!(context.settings().roots, None);
    }

    #[test]
    fn settings_count_against_the_memory_of_the_guest_until_they_are_dropped() {
        let guard = testing::guard(8 * 1024);
        let used = || guard.stats().snapshot().memory_bytes;
        let long = |count| vec!["x".repeat(255); count];
        let mut context = TlsContext::new(Side::Client, &guard).unwrap();
        assert!(context.set_alpn_protocols(long(10), &guard).is_ok());
        let before = used();
        assert!(before > 10 * 255, "{before}");
        let refused = context.set_alpn_protocols(long(60), &guard);
        assert!(matches!(
            refused,
            Err(ErrorCode::Socket(SocketError::OutOfMemory))
        ));
        assert_eq!(context.settings().alpn_protocols.len(), 10);
        assert_eq!(used(), before);
        assert!(context.set_alpn_protocols(Vec::new(), &guard).is_ok());
        assert!(used() < before);
        drop(context);
        assert_eq!(used(), 0);
    }

    #[test]
    fn too_many_application_protocols_are_refused_when_they_are_set() {
        refused(
            context(Side::Client)
                .set_alpn_protocols(vec!["x".to_owned(); 129], &testing::guard(1 << 20)),
        );
    }
}
