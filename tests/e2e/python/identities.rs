//! Certificates for the checks of python/tests/behaviours/tls.py.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;

/// A folder with the certificate of an authority, `roots.pem`, and `<name>.pem` of each
/// identity, which holds the certificate and its key.
pub(super) struct Identities(TempDir);

/// The identities: name, the names in the certificate, and the year in which it ends.
const IDENTITIES: [(&str, &[&str], i32); 4] = [
    (
        "localhost",
        &["localhost", "127.0.0.1", "xn--bcher-kva.example"],
        2096,
    ),
    ("example", &["example.com"], 2096),
    ("expired", &["localhost"], 2021),
    (STRANGER, &["localhost"], 2096),
];

/// The identity that is its own authority.
const STRANGER: &str = "stranger";

impl Identities {
    pub(super) fn new() -> Identities {
        let identities = Identities(tempfile::tempdir().unwrap());
        let mut params = named("tests' authority", &[], 2096);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        identities.write("roots", &params.self_signed(&key).unwrap().pem());
        let authority = Issuer::new(params, key);
        for (name, names, end) in IDENTITIES {
            let (params, key) = (named(name, names, end), KeyPair::generate().unwrap());
            let certificate = match name {
                STRANGER => params.self_signed(&key),
                _ => params.signed_by(&key, &authority),
            };
            let pem = certificate.unwrap().pem() + &key.serialize_pem();
            identities.write(name, &pem);
        }
        identities
    }

    pub(super) fn folder(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    pub(super) fn roots(&self) -> String {
        self.file("roots")
    }

    pub(super) fn file(&self, name: &str) -> String {
        format!("{}/{name}.pem", self.folder())
    }

    /// Returns the flags that make the command trust the authority alone, and name the
    /// identities.
    pub(super) fn flags(&self) -> Vec<String> {
        let identities =
            IDENTITIES.map(|(name, ..)| format!("--tls-identity={name}={}", self.file(name)));
        let mut flags = vec![format!("--tls-roots={}", self.roots())];
        flags.extend(identities);
        flags
    }

    fn write(&self, name: &str, pem: &str) {
        fs::write(self.file(name), pem).unwrap();
    }
}

fn named(name: &str, names: &[&str], end: i32) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(1975, 1, 1);
    params.not_after = date_time_ymd(end, 1, 1);
    params
}
