use std::error::Error;
use std::time::Duration;

use super::super::net::{
    ConnectOptions, ServerOptions, SslContext, TlsOptions, TlsVersion, VerifyMode,
};

/// The settings of the context, and the options.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// Set to begin without TLS.
    plain: bool,
    alpn: Option<Vec<String>>,
    roots: Option<String>,
    identities: Vec<String>,
    verify: Option<VerifyMode>,
    minimum: Option<TlsVersion>,
    name: Option<String>,
    handshake: Option<Duration>,
    shutdown: Option<Duration>,
    /// The most handshakes of a server.
    handshakes: Option<u32>,
    /// The times of a server's connections.
    idle: Option<Duration>,
    total: Option<Duration>,
    require_alpn: bool,
    ignore_eof: bool,
}

impl Settings {
    pub(super) fn parse(words: &[&str]) -> Result<Settings, Box<dyn Error>> {
        let mut settings = Settings::default();
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let value = value.to_owned();
            match key {
                "plain" => settings.plain = true,
                "alpn" => settings.alpn = Some(value.split(',').map(str::to_owned).collect()),
                "roots" => settings.roots = Some(value),
                "identity" => settings.identities.push(value),
                "verify" => settings.verify = Some(verify(&value)?),
                "minimum" => settings.minimum = Some(version(&value)?),
                "name" => settings.name = Some(value),
                "handshake" => settings.handshake = Some(Duration::from_millis(value.parse()?)),
                "shutdown" => settings.shutdown = Some(Duration::from_millis(value.parse()?)),
                "handshakes" => settings.handshakes = Some(value.parse()?),
                "idle" => settings.idle = Some(Duration::from_millis(value.parse()?)),
                "total" => settings.total = Some(Duration::from_millis(value.parse()?)),
                "require-alpn" => settings.require_alpn = true,
                "ignore-eof" => settings.ignore_eof = true,
                other => return Err(format!("no such setting: {other}").into()),
            }
        }
        Ok(settings)
    }

    pub(crate) fn connect(&self) -> ConnectOptions {
        let mut options = ConnectOptions::new();
        if !self.plain {
            options = options.ssl(self.context(SslContext::client()));
            if let Some(name) = &self.name {
                options = options.server_hostname(name);
            }
            if let Some(limit) = self.handshake {
                options = options.ssl_handshake_timeout(limit);
            }
            if let Some(limit) = self.shutdown {
                options = options.ssl_shutdown_timeout(limit);
            }
        }
        options
    }

    pub(crate) fn serve(&self) -> ServerOptions {
        let mut options = ServerOptions::new();
        if !self.plain {
            options = options.ssl(self.context(SslContext::server()));
            if let Some(limit) = self.handshake {
                options = options.ssl_handshake_timeout(limit);
            }
            if let Some(limit) = self.shutdown {
                options = options.ssl_shutdown_timeout(limit);
            }
            if let Some(count) = self.handshakes {
                options = options.max_ssl_handshakes(count);
            }
        }
        if let Some(limit) = self.idle {
            options = options.idle_timeout(limit);
        }
        if let Some(limit) = self.total {
            options = options.connection_timeout(limit);
        }
        options
    }

    /// Makes the options that begin TLS on an open connection. A program with an identity
    /// and no name to check is the server.
    pub(super) fn start(&self) -> TlsOptions {
        let mut options = TlsOptions::new(self.context(match self.name {
            Some(_) => SslContext::client(),
            None => SslContext::server(),
        }));
        if let Some(name) = &self.name {
            options = options.server_hostname(name);
        }
        if let Some(limit) = self.handshake {
            options = options.ssl_handshake_timeout(limit);
        }
        if let Some(limit) = self.shutdown {
            options = options.ssl_shutdown_timeout(limit);
        }
        options
    }

    fn context(&self, mut context: SslContext) -> SslContext {
        if let Some(protocols) = &self.alpn {
            context = context.alpn_protocols(protocols);
        }
        if let Some(pem) = &self.roots {
            context = context.load_verify_locations(pem.as_bytes());
        }
        for name in &self.identities {
            context = context.use_identity(name);
        }
        if let Some(mode) = self.verify {
            context = context.verify_mode(mode);
        }
        if let Some(version) = self.minimum {
            context = context.minimum_version(version);
        }
        if self.require_alpn {
            context = context.require_alpn(true);
        }
        if self.ignore_eof {
            context = context.ignore_unexpected_eof(true);
        }
        context
    }
}

fn verify(word: &str) -> Result<VerifyMode, String> {
    match word {
        "none" => Ok(VerifyMode::None),
        "optional" => Ok(VerifyMode::Optional),
        "required" => Ok(VerifyMode::Required),
        other => Err(format!("no such mode: {other}")),
    }
}

fn version(word: &str) -> Result<TlsVersion, String> {
    match word {
        "1.2" => Ok(TlsVersion::Tls12),
        "1.3" => Ok(TlsVersion::Tls13),
        other => Err(format!("no such version: {other}")),
    }
}
