use std::collections::HashSet;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{anyhow, bail};
use asyncio_streams_host::tls::{Identity, LoadError, Roots, Tls};
use clap::Args;

use crate::policy::Setting;
use crate::report::report;

/// The identities and roots for TLS.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS (default: clients check servers, with the roots `webpki`)")]
pub(crate) struct TlsArgs {
    /// Let the program present this certificate, which it selects by NAME; the private key
    /// never enters the program. NAME=FILE.pem if one file holds both
    #[arg(long, value_name = "NAME=CERT.pem,KEY.pem")]
    tls_identity: Vec<NamedFiles>,

    /// Certificate authorities to trust: webpki (the default; those that Mozilla trusts), platform
    /// (those of the operating system), none, or those in a PEM file. Several options add up
    #[arg(long, value_name = "webpki|platform|none|FILE.pem")]
    tls_roots: Vec<RootsArg>,

    /// Let the program trust certificate authorities of its own
    #[arg(long)]
    allow_tls_guest_roots: bool,

    /// Let the program connect without checking the server's certificate, or the name in it
    #[arg(long)]
    allow_tls_unverified: bool,
}

/// An identity as given on the command line: `NAME=CERT.pem,KEY.pem` or `NAME=FILE.pem`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NamedFiles {
    name: String,
    certificate: PathBuf,
    key: PathBuf,
}

/// The file of the authorities, if they are in one, and the authorities.
#[derive(Debug, Clone)]
struct RootsArg(Option<PathBuf>, Roots);

impl TlsArgs {
    /// Adds a setting of a policy file. Returns false if it is none of these options.
    pub(super) fn apply(&mut self, setting: &Setting) -> anyhow::Result<bool> {
        let on = setting.value == "true";
        match setting.option {
            "tls-identity" => self.tls_identity.push(setting.parse()?),
            "tls-roots" => self.tls_roots.push(setting.parse()?),
            "allow-tls-guest-roots" => self.allow_tls_guest_roots |= on,
            "allow-tls-unverified" => self.allow_tls_unverified |= on,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Returns the files of identities and roots.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let identities = self.tls_identity.iter();
        let identities = identities.flat_map(|files| [&*files.certificate, &*files.key]);
        let roots = self.tls_roots.iter().filter_map(|roots| roots.0.as_deref());
        identities.chain(roots)
    }

    /// Reads the files; an error names the option.
    pub(crate) fn load(&self) -> anyhow::Result<Tls> {
        let mut tls = Tls::builder()
            .allow_guest_roots(self.allow_tls_guest_roots)
            .allow_unverified(self.allow_tls_unverified);
        let mut names = HashSet::new();
        for files in &self.tls_identity {
            let name = &files.name;
            if !names.insert(name) {
                bail!("--tls-identity: the name `{name}` is given twice");
            }
            let identity = Identity::from_files(name, &files.certificate, &files.key);
            tls = tls.identity(identity.map_err(|error| option("tls-identity", &error))?);
        }
        let roots = self.tls_roots.iter().map(|arg| arg.1.clone());
        if let Some(roots) = roots.reduce(Roots::and) {
            tls = tls.roots(roots);
        }
        tls.build().map_err(|error| option("tls-roots", &error))
    }
}

fn option(name: &str, error: &LoadError) -> anyhow::Error {
    anyhow!("--{name}: {error}")
}

/// Reads the files again, and reports the result.
pub(super) fn reload(tls: &Tls) {
    match tls.reload() {
        Ok(()) => report(format_args!("TLS files were read again")),
        Err(errors) => {
            for error in errors {
                report(format_args!("{error}; its previous content stays in use"));
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
            return Err(
                "expected NAME=CERT.pem,KEY.pem, or NAME=FILE.pem with both in one file".to_owned(),
            );
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
        Ok(match text {
            "webpki" => Self(None, Roots::webpki()),
            "platform" => Self(None, Roots::platform()),
            "none" => Self(None, Roots::none()),
            file => Self(Some(file.into()), Roots::file(file)),
        })
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
