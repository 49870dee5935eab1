use super::super::bindings::tls::ErrorCode;
use crate::tls::{Identity, Settings, Side, Tls, Verify, Version, check_protocols, check_roots};

/// The settings of sessions, in the guest's table. The caller asks the policy before
/// it changes them.
pub(super) struct TlsContext(Settings);

impl TlsContext {
    pub(super) fn new(side: Side) -> TlsContext {
        TlsContext(Settings::new(side))
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0
    }

    pub(super) fn is_client(&self) -> bool {
        self.0.side == Side::Client
    }

    /// Returns whether this mode leaves a server unchecked, which the policy has to
    /// permit.
    pub(super) fn leaves_unverified(&self, mode: Verify) -> bool {
        self.is_client() && mode == Verify::None
    }

    pub(super) fn set_alpn_protocols(&mut self, protocols: Vec<String>) -> Result<(), ErrorCode> {
        check_protocols(&protocols).map_err(ErrorCode::InvalidArgument)?;
        self.0.alpn_protocols = protocols.into_iter().map(String::into_bytes).collect();
        Ok(())
    }

    pub(super) fn add_roots(&mut self, pem: &[u8]) -> Result<(), ErrorCode> {
        let more = Tls::parse_roots(pem).map_err(ErrorCode::InvalidArgument)?;
        let roots = self.0.roots.get_or_insert_default();
        check_roots(roots.len() + more.len()).map_err(ErrorCode::InvalidArgument)?;
        roots.extend(more);
        Ok(())
    }

    pub(super) fn add_identity(&mut self, identity: Identity) {
        if !self.0.identities.contains(&identity) {
            self.0.identities.push(identity);
        }
    }

    pub(super) fn set_verify(&mut self, mode: Verify) -> Result<(), ErrorCode> {
        if self.is_client() && mode == Verify::Optional {
            return Err(invalid(
                "`optional` is for servers: their clients may have no certificate",
            ));
        }
        self.0.verify = mode;
        Ok(())
    }

    pub(super) fn set_minimum_version(&mut self, version: Version) {
        self.0.minimum_version = version;
    }

    pub(super) fn set_require_alpn(&mut self, require: bool) {
        self.0.require_alpn = require;
    }

    pub(super) fn set_ignore_unexpected_eof(&mut self, ignore: bool) {
        self.0.ignore_unexpected_eof = ignore;
    }
}

fn invalid(why: impl Into<String>) -> ErrorCode {
    ErrorCode::InvalidArgument(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(outcome: Result<(), ErrorCode>) -> String {
        match outcome {
            Err(ErrorCode::InvalidArgument(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_application_protocol_is_neither_empty_nor_longer_than_255_bytes() {
        let mut context = TlsContext::new(Side::Client);
        for wrong in [String::new(), "x".repeat(256)] {
            refused(context.set_alpn_protocols(vec!["h2".to_owned(), wrong]));
        }
        assert!(context.settings().alpn_protocols.is_empty());
        let protocols = vec!["h2".to_owned(), "x".repeat(255)];
        assert!(context.set_alpn_protocols(protocols).is_ok());
        assert_eq!(context.settings().alpn_protocols.len(), 2);
    }

    #[test]
    fn only_a_server_checks_what_may_be_missing() {
        refused(TlsContext::new(Side::Client).set_verify(Verify::Optional));
        let mut server = TlsContext::new(Side::Server);
        assert!(server.set_verify(Verify::Optional).is_ok());
        assert_eq!(server.settings().verify, Verify::Optional);
    }

    #[test]
    fn roots_that_cannot_be_read_change_nothing() {
        let mut context = TlsContext::new(Side::Client);
        refused(context.add_roots(b"no certificate"));
        assert_eq!(context.settings().roots, None);
    }
}
