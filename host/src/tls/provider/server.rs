use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::Ticketer;
use rustls::server::{Acceptor, ClientHello, WebPkiClientVerifier};
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::client_verifier::ClientVerifier;
use super::presented_identities::PresentedIdentities;
use super::session::RustlsSession;
use super::sniffed::SniffedTransport;
use super::{details, failure, versions};
use crate::tls::session::{Endpoint, Handshake, Transport};
use crate::tls::session_error::SessionError;
use crate::tls::settings::{Settings, Verify};
use crate::tls::trusted_roots::TrustedRoots;

#[derive(Clone)]
pub(super) struct Server {
    config: Arc<ServerConfig>,
    /// The settings for clients that offer none of the application protocols. `None` if
    /// there are no protocols, or if such clients are refused.
    without_alpn: Option<Arc<ServerConfig>>,
}

type TlsStream = tokio_rustls::server::TlsStream<SniffedTransport<Box<dyn Transport>>>;

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
        let lenient = !settings.alpn_protocols.is_empty() && !settings.require_alpn;
        Ok(Self {
            without_alpn: lenient.then(|| {
                let mut config = config.clone();
                config.alpn_protocols.clear();
                Arc::new(config)
            }),
            config: Arc::new(config),
        })
    }

    /// Does the handshake. rustls refuses a client that offers only other application
    /// protocols, and OpenSSL, which asyncio uses, begins a session that has none.
    async fn accept(
        self,
        transport: SniffedTransport<Box<dyn Transport>>,
    ) -> Result<TlsStream, SessionError> {
        let Some(without_alpn) = self.without_alpn else {
            let accepted = TlsAcceptor::from(self.config).accept(transport);
            return accepted
                .into_fallible()
                .await
                .map_err(failure::of_handshake);
        };
        let mut hello = pin!(LazyConfigAcceptor::new(Acceptor::default(), transport));
        let begun = match hello.as_mut().await {
            Ok(begun) => begun,
            Err(error) => {
                return Err(match hello.take_io() {
                    Some(transport) => failure::of_handshake((error, transport)),
                    None => failure::of_session(error),
                });
            }
        };
        let config = match offers_only_others(&begun.client_hello(), &self.config.alpn_protocols) {
            true => without_alpn,
            false => self.config,
        };
        let accepted = begun.into_stream(config).into_fallible().await;
        accepted.map_err(failure::of_handshake)
    }
}

/// Returns whether the client offers application protocols, and none of ours.
fn offers_only_others(hello: &ClientHello<'_>, ours: &[Vec<u8>]) -> bool {
    hello.alpn().is_some_and(|mut offered| {
        !offered.any(|protocol| ours.iter().any(|known| known == protocol))
    })
}

impl Endpoint for Server {
    fn handshake(&self, transport: Box<dyn Transport>, _: Option<String>) -> Handshake {
        let server = self.clone();
        Box::pin(async move {
            let stream = server.accept(SniffedTransport::new(transport)).await?;
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
