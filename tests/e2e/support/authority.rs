//! Certificates made for one test, in files of their own.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;

/// Counts the authorities, so that no two of one process have the same name.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// An authority, and the folder with the certificates that it has issued.
pub(crate) struct Authority {
    folder: TempDir,
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as values and as files.
pub(crate) struct Identity {
    pub(crate) certificate: Certificate,
    pub(crate) key: KeyPair,
    pub(crate) certificate_file: String,
    pub(crate) key_file: String,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(
            DnType::CommonName,
            format!("authority {}", COUNT.fetch_add(1, Relaxed)),
        );
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let authority = Authority {
            folder: tempfile::tempdir().unwrap(),
            certificate,
            issuer: Issuer::new(params, key),
        };
        fs::write(authority.roots(), authority.pem()).unwrap();
        authority
    }

    /// Returns the file with the authority's own certificate.
    pub(crate) fn roots(&self) -> String {
        self.path("roots.pem")
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Has the command trust this authority alone.
    pub(crate) fn roots_flag(&self) -> String {
        format!("--tls-roots={}", self.roots())
    }

    /// Returns the path of a file beside the certificates.
    pub(crate) fn path(&self, file: &str) -> String {
        let path: PathBuf = self.folder.path().join(file);
        path.to_str().unwrap().to_owned()
    }

    /// Issues a certificate for servers of these names and addresses.
    pub(crate) fn server(&self, file: &str, names: &[&str]) -> Identity {
        self.issue(file, names, |_| {})
    }

    /// Issues the certificate of the server in most tests.
    pub(crate) fn localhost(&self) -> Identity {
        self.server("server", &["localhost", "127.0.0.1", "::1"])
    }

    pub(crate) fn expired(&self) -> Identity {
        self.issue("expired", &["localhost"], |params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        })
    }

    pub(crate) fn not_yet_valid(&self) -> Identity {
        self.issue("future", &["localhost"], |params| {
            params.not_before = date_time_ymd(2200, 1, 1);
            params.not_after = date_time_ymd(2201, 1, 1);
        })
    }

    /// Issues a certificate for a client.
    pub(crate) fn client(&self, name: &str) -> Identity {
        self.issue(name, &[name], |params| {
            params.distinguished_name.push(DnType::CommonName, name);
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        })
    }

    /// Makes a certificate that no authority has signed.
    pub(crate) fn self_signed(&self, names: &[&str]) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = leaf(names).self_signed(&key).unwrap();
        self.keep("self-signed", certificate, key)
    }

    fn issue(
        &self,
        file: &str,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let mut params = leaf(names);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.keep(file, certificate, key)
    }

    fn keep(&self, file: &str, certificate: Certificate, key: KeyPair) -> Identity {
        let identity = Identity {
            certificate,
            key,
            certificate_file: self.path(&format!("{file}.pem")),
            key_file: self.path(&format!("{file}.key")),
        };
        identity.write();
        identity
    }

    /// Makes the settings of a client that trusts this authority.
    pub(crate) fn client_config(&self) -> Arc<ClientConfig> {
        let config = ClientConfig::builder().with_root_certificates(self.root_store());
        Arc::new(config.with_no_client_auth())
    }

    /// Makes the settings of a server with this certificate.
    pub(crate) fn server_config(&self, identity: &Identity) -> Arc<ServerConfig> {
        let (chain, key) = identity.der();
        let config = ServerConfig::builder().with_no_client_auth();
        Arc::new(config.with_single_cert(chain, key).unwrap())
    }

    /// Makes the settings of a server that also requires a certificate of each client.
    pub(crate) fn asking_server_config(&self, identity: &Identity) -> Arc<ServerConfig> {
        let (chain, key) = identity.der();
        let verifier = WebPkiClientVerifier::builder(Arc::new(self.root_store()));
        let config = ServerConfig::builder().with_client_cert_verifier(verifier.build().unwrap());
        Arc::new(config.with_single_cert(chain, key).unwrap())
    }

    fn root_store(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        roots
    }
}

impl Identity {
    /// Gives it to the command by this name.
    pub(crate) fn flag(&self, name: &str) -> String {
        let Identity {
            certificate_file,
            key_file,
            ..
        } = self;
        format!("--tls-identity={name}={certificate_file},{key_file}")
    }

    /// Writes a file with the certificate and the key, and returns its path.
    pub(crate) fn in_one_file(&self) -> String {
        let path = format!("{}.both", self.certificate_file);
        let both = self.certificate.pem() + &self.key.serialize_pem();
        fs::write(&path, both).unwrap();
        path
    }

    /// Writes this identity to the files of another one, whose place it takes.
    pub(crate) fn replace(self, other: &Identity) -> Identity {
        let replaced = Identity {
            certificate_file: other.certificate_file.clone(),
            key_file: other.key_file.clone(),
            ..self
        };
        replaced.write();
        replaced
    }

    fn write(&self) {
        fs::write(&self.certificate_file, self.certificate.pem()).unwrap();
        fs::write(&self.key_file, self.key.serialize_pem()).unwrap();
    }

    fn der(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        (vec![self.certificate.der().clone()], key)
    }
}

fn leaf(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}
