//! Sessions by rustls, with the cryptography of ring.

mod client;
mod details;
mod failure;
mod present;
mod server;
mod session;
mod sniffed;
mod verify;

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::SupportedProtocolVersion;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{DnsName, ServerName};
use rustls::version::{TLS12, TLS13};

use self::client::Client;
use self::server::Server;
use super::{Endpoint, Provider, Settings, Side, Version};
use crate::policy::Target;

/// TLS by rustls.
///
/// TLS 1.2 and 1.3 with the cipher suites that rustls has on, all of them with
/// forward secrecy. Sessions are resumed, by tickets whose keys change every six
/// hours; data are never sent before the handshake is done (0-RTT).
#[derive(Debug)]
pub struct RustlsProvider {
    crypto: Arc<CryptoProvider>,
}

impl RustlsProvider {
    /// The provider.
    #[must_use]
    pub fn new() -> Self {
        Self {
            crypto: Arc::new(ring::default_provider()),
        }
    }
}

impl Default for RustlsProvider {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for RustlsProvider {
    fn endpoint(
        &self,
        settings: &Settings,
        roots: &Arc<RootCertStore>,
    ) -> Result<Arc<dyn Endpoint>, String> {
        Ok(match settings.side {
            Side::Client => Arc::new(Client::new(&self.crypto, settings, roots)?),
            Side::Server => Arc::new(Server::new(&self.crypto, settings, roots)?),
        })
    }
}

static SINCE_12: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
static SINCE_13: [&SupportedProtocolVersion; 1] = [&TLS13];

fn versions(minimum: Version) -> &'static [&'static SupportedProtocolVersion] {
    match minimum {
        Version::Tls12 => &SINCE_12,
        Version::Tls13 => &SINCE_13,
    }
}

/// A name or an address as rustls has them; names in Unicode become ASCII.
pub(super) fn server_name(text: &str) -> Result<ServerName<'static>, String> {
    let target: Target = text.parse().map_err(|_| no_name(text))?;
    Ok(match target {
        Target::Address(address) => ServerName::IpAddress(address.into()),
        Target::Name(name) => {
            let name = DnsName::try_from(name.as_str().to_owned());
            ServerName::DnsName(name.map_err(|_| no_name(text))?)
        }
    })
}

fn no_name(text: &str) -> String {
    let text: String = text.chars().take(300).collect();
    format!("`{text}` is neither a host name nor an address")
}
