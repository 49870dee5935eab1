use std::collections::HashSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{anyhow, bail};
use asyncio_streams_host::tls::{Identity, LoadError, Roots, Tls};
use clap::Args;

use crate::cli::say;

/// What the program may have of TLS.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS (default: clients that check servers with the public roots)")]
pub(crate) struct TlsArgs {
    /// Let the program present this certificate, by the name; the private key stays with
    /// the host. NAME=FILE.pem if one file has both
    #[arg(long, value_name = "NAME=CERT.pem,KEY.pem")]
    tls_identity: Vec<NamedFiles>,

    /// Which authorities are trusted; several are added up: webpki (those of Mozilla),
    /// platform, none, or those in a PEM file [default: webpki]
    #[arg(long, value_name = "webpki|platform|none|FILE.pem")]
    tls_roots: Vec<RootsArg>,

    /// Let the program trust authorities that it brings itself
    #[arg(long)]
    allow_tls_guest_roots: bool,

    /// Let the program connect without checking the server's certificate, or its name
    #[arg(long)]
    allow_tls_unverified: bool,
}

/// `NAME=CERT.pem,KEY.pem` or `NAME=FILE.pem`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NamedFiles {
    name: String,
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Debug, Clone)]
struct RootsArg(Roots);

impl TlsArgs {
    /// Reads the files.
    pub(crate) fn load(&self) -> anyhow::Result<Tls> {
        let mut tls = Tls::builder()
            .allow_guest_roots(self.allow_tls_guest_roots)
            .allow_unverified(self.allow_tls_unverified);
        let mut names = HashSet::new();
        for files in &self.tls_identity {
            let name = &files.name;
            if !names.insert(name) {
                bail!("--tls-identity: the name `{name}` is there twice");
            }
            let identity = Identity::from_files(name, &files.certificate, &files.key);
            tls = tls.identity(identity.map_err(|error| option("tls-identity", &error))?);
        }
        let roots = self.tls_roots.iter().map(|arg| arg.0.clone());
        if let Some(roots) = roots.reduce(Roots::and) {
            tls = tls.roots(roots);
        }
        tls.build().map_err(|error| option("tls-roots", &error))
    }
}

fn option(name: &str, error: &LoadError) -> anyhow::Error {
    anyhow!("--{name}: {error}")
}

/// Reads the files again, and says what came of it.
#[cfg(unix)]
pub(super) fn reload(tls: &Tls) {
    match tls.reload() {
        Ok(()) => say(format_args!("TLS files were read again")),
        Err(errors) => {
            for error in errors {
                say(format_args!(
                    "{error}; what was read of it before is still used"
                ));
            }
        }
    }
}

impl FromStr for NamedFiles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, files) = text.split_once('=').unwrap_or_default();
        let (certificate, key) = files.split_once(',').unwrap_or((files, files));
        if [name, certificate, key].contains(&"") {
            return Err("it is NAME=CERT.pem,KEY.pem, or NAME=FILE.pem with both".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            certificate: certificate.into(),
            key: key.into(),
        })
    }
}

impl FromStr for RootsArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(match text {
            "webpki" => Roots::webpki(),
            "platform" => Roots::platform(),
            "none" => Roots::none(),
            file => Roots::file(file),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(name: &str, certificate: &str, key: &str) -> NamedFiles {
        NamedFiles {
            name: name.to_owned(),
            certificate: certificate.into(),
            key: key.into(),
        }
    }

    #[test]
    fn an_identity_is_two_files_or_one_with_both() {
        let two = files("web", "a.pem", "b.pem");
        assert_eq!("web=a.pem,b.pem".parse(), Ok(two));
        assert_eq!("web=a.pem".parse(), Ok(files("web", "a.pem", "a.pem")));
        let unusual = files("web", "a=1.pem", "b,c.pem");
        assert_eq!("web=a=1.pem,b,c.pem".parse(), Ok(unusual));
    }

    #[test]
    fn an_identity_without_a_name_or_a_file_says_what_it_is() {
        for text in ["", "web", "web=", "=a.pem", "web=a.pem,", "web=,b.pem"] {
            let error = text.parse::<NamedFiles>().unwrap_err();
            assert!(error.contains("NAME=CERT.pem,KEY.pem"), "{text}: {error}");
        }
    }
}
