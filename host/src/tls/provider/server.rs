use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::Ticketer;
use rustls::server::WebPkiClientVerifier;
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use super::client_verifier::ClientVerifier;
use super::presented_identities::PresentedIdentities;
use super::session::RustlsSession;
use super::sniffed::SniffedTransport;
use super::{details, failure, versions};
use crate::tls::session::{Endpoint, Handshake, Transport};
use crate::tls::settings::{Settings, Verify};
use crate::tls::trusted_roots::TrustedRoots;

pub(super) struct Server(Arc<ServerConfig>);

impl Server {
    pub(super) fn new(
        crypto: &Arc<CryptoProvider>,
        settings: &Settings,
        roots: &Arc<TrustedRoots>,
    ) -> Result<Self, String> {
        let clients = match settings.verify {
            Verify::None => WebPkiClientVerifier::no_client_auth(),
            asked => {
                let verifier = WebPkiClientVerifier::builder_with_provider(
                    Arc::clone(roots.anchors()),
                    Arc::clone(crypto),
                );
                let verifier = match asked {
                    Verify::Optional => verifier.allow_unauthenticated(),
                    _ => verifier,
                };
                let verifier = verifier.build().map_err(|_| {
                    "there are no roots to check the client's certificate with".to_owned()
                })?;
                Arc::new(ClientVerifier::new(verifier, roots))
            }
        };
        let mut config = ServerConfig::builder_with_provider(Arc::clone(crypto))
            .with_protocol_versions(versions(settings.minimum_version))
            .map_err(|error| error.to_string())?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::new(PresentedIdentities::new(&settings.identities)));
        config.alpn_protocols.clone_from(&settings.alpn_protocols);
        // With tickets, clients resume without taking memory of the host. Clients without
        // tickets share the small cache that rustls has by default.
        config.ticketer = Ticketer::new().map_err(|error| error.to_string())?;
        Ok(Self(Arc::new(config)))
    }
}

impl Endpoint for Server {
    fn handshake(&self, transport: Box<dyn Transport>, _: Option<String>) -> Handshake {
        let config = Arc::clone(&self.0);
        Box::pin(async move {
            let stream = TlsAcceptor::from(config)
                .accept(SniffedTransport::new(transport))
                .into_fallible()
                .await
                .map_err(failure::of_handshake)?;
            let connection = stream.get_ref().1;
            let name = connection.server_name().map(str::to_owned);
            let details = details::of(connection, name);
            Ok((RustlsSession::boxed(stream), details))
        })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}
