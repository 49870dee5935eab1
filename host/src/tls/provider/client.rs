use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::failure;
use super::presented_identities::PresentedIdentities;
use super::session::RustlsSession;
use super::sniffed::SniffedTransport;
use super::verify::{Check, ServerVerifier};
use super::{details, server_name, versions};
use crate::tls::session::{Endpoint, Handshake, Transport};
use crate::tls::session_error::SessionError;
use crate::tls::settings::{Settings, Verify};
use crate::tls::trusted_roots::TrustedRoots;

/// Servers whose sessions are remembered. Each may have several tickets, whose size the
/// server decides.
const REMEMBERED: usize = 64;

pub(super) struct Client {
    named: Arc<ClientConfig>,
    /// The settings for sessions without a server name. They resume nothing, because
    /// rustls finds tickets by the name.
    unnamed: Arc<ClientConfig>,
    /// A server that chooses no application protocol is refused.
    requires_alpn: bool,
}

impl Client {
    pub(super) fn new(
        crypto: &Arc<CryptoProvider>,
        settings: &Settings,
        roots: &Arc<TrustedRoots>,
    ) -> Result<Self, String> {
        let checked = settings.verify != Verify::None;
        if checked && roots.anchors().is_empty() {
            return Err("there are no roots to check the server's certificate with".to_owned());
        }
        let config = |check| {
            let check = if checked { check } else { Check::Nothing };
            let verifier = ServerVerifier::new(crypto, roots, check);
            let config = ClientConfig::builder_with_provider(Arc::clone(crypto))
                .with_protocol_versions(versions(settings.minimum_version))
                .map_err(|error| error.to_string())?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier));
            let mut config = match &settings.identities[..] {
                [] => config.with_no_client_auth(),
                identities => {
                    config.with_client_cert_resolver(Arc::new(PresentedIdentities::new(identities)))
                }
            };
            config.alpn_protocols.clone_from(&settings.alpn_protocols);
            Ok::<_, String>(config)
        };
        let mut named = config(Check::ChainAndName)?;
        named.resumption = Resumption::in_memory_sessions(REMEMBERED);
        let mut unnamed = config(Check::Chain)?;
        unnamed.enable_sni = false;
        unnamed.resumption = Resumption::disabled();
        Ok(Self {
            named: Arc::new(named),
            unnamed: Arc::new(unnamed),
            requires_alpn: settings.require_alpn,
        })
    }
}

impl Endpoint for Client {
    fn handshake(&self, transport: Box<dyn Transport>, name: Option<String>) -> Handshake {
        let (named, unnamed) = (Arc::clone(&self.named), Arc::clone(&self.unnamed));
        let requires_alpn = self.requires_alpn;
        Box::pin(async move {
            let (config, server) = match &name {
                Some(name) => (named, server_name(name).map_err(SessionError::Other)?),
                // rustls demands a name. It never sends an address, and the verifier of
                // this config does not look at it.
                None => (unnamed, ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into())),
            };
            let stream = TlsConnector::from(config)
                .connect(server, SniffedTransport::new(transport))
                .into_fallible()
                .await
                .map_err(failure::of_handshake)?;
            let details = details::of(stream.get_ref().1, name);
            if requires_alpn && details.alpn_protocol.is_none() {
                return Err(SessionError::Other(
                    "the server chose none of the application protocols".to_owned(),
                ));
            }
            Ok((RustlsSession::boxed(stream), details))
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
