//! Sessions by rustls, with ring for cryptography.

mod client;
mod client_verifier;
mod details;
mod failure;
mod presented_identities;
mod purposes;
mod server;
mod session;
mod sniffed;
mod verify;

use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{DnsName, ServerName};
use rustls::version::{TLS12, TLS13};

use self::client::Client;
use self::server::Server;
use crate::policy::Target;
use crate::tls::session::{Endpoint, Provider};
use crate::tls::settings::{Settings, Side, Version};
use crate::tls::trusted_roots::TrustedRoots;

/// TLS by rustls.
///
/// It speaks TLS 1.2 and 1.3 with the default cipher suites of rustls, all of them with
/// forward secrecy. Sessions are resumed by tickets, whose keys change every six hours.
/// No data is sent before the handshake is done (0-RTT).
#[derive(Debug)]
pub(super) struct RustlsProvider {
    crypto: Arc<CryptoProvider>,
}

impl RustlsProvider {
    /// Makes the provider.
    pub(super) fn new() -> Self {
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
        roots: &Arc<TrustedRoots>,
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

/// Parses a name or an address for rustls; names in Unicode become ASCII.
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
