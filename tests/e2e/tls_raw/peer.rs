//! Authorities of the tests' own, and peers by rustls.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};
use tempfile::TempDir;

use crate::support::PATIENCE;

/// The peer's end of a session with a client.
pub(crate) type Served = StreamOwned<ServerConnection, TcpStream>;
/// The peer's end of a session with a server.
pub(crate) type Client = StreamOwned<ClientConnection, TcpStream>;

/// An authority, and a certificate for `localhost` that it has given.
pub(crate) struct Authority {
    folder: TempDir,
    certificate: String,
    leaf: String,
    key: String,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        let name = folder.path().display().to_string();
        (params.distinguished_name).push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap().pem();
        let authority = Authority {
            folder,
            certificate,
            leaf,
            key: key.serialize_pem(),
        };
        authority.write("authority.pem", &authority.certificate);
        authority.write("server.pem", &[&*authority.leaf, &authority.key].concat());
        authority
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Where its own certificate is.
    pub(crate) fn file(&self) -> String {
        self.path("authority.pem")
    }

    /// Where the certificate for `localhost` is, with its key.
    pub(crate) fn server_file(&self) -> String {
        self.path("server.pem")
    }

    /// Lets a guest trust it.
    pub(crate) fn roots(&self) -> String {
        format!("--tls-roots={}", self.file())
    }

    /// Lets a guest be `localhost`.
    pub(crate) fn identity(&self) -> String {
        format!("--tls-identity=server={}", self.server_file())
    }

    fn server_config(&self) -> ServerConfig {
        let chain = vec![CertificateDer::from_pem_slice(self.leaf.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap()
    }

    /// Trusts it.
    pub(crate) fn client_config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let own = CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap();
        roots.add(own).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// Waits for one client, and does this to it.
    pub(crate) fn serve<T: Send + 'static>(
        &self,
        act: impl FnOnce(Served) -> T + Send + 'static,
    ) -> (String, JoinHandle<T>) {
        let config = self.server_config();
        accept(move |connection| act(served(config, connection)))
    }

    /// The same on a connection that was accepted.
    pub(crate) fn served(&self, connection: TcpStream) -> Served {
        served(self.server_config(), patient(connection))
    }

    /// A session with a server.
    pub(crate) fn connect(&self, address: SocketAddr) -> Client {
        self.connect_with(self.client_config(), address)
    }

    pub(crate) fn connect_with(&self, config: ClientConfig, address: SocketAddr) -> Client {
        let connection = patient(TcpStream::connect(address).unwrap());
        let name = "localhost".try_into().unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        StreamOwned::new(session, connection)
    }
}

fn served(config: ServerConfig, connection: TcpStream) -> Served {
    let session = ServerConnection::new(Arc::new(config)).unwrap();
    StreamOwned::new(session, connection)
}

/// Waits for one connection, and does this to it; with the port to connect to.
pub(crate) fn accept<T: Send + 'static>(
    act: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let peer = thread::spawn(move || act(patient(listener.accept().unwrap().0)));
    (port, peer)
}

fn patient(connection: TcpStream) -> TcpStream {
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

/// Sends back what comes, and the end after it.
pub(crate) fn echo(mut session: Served) {
    let mut bytes = vec![0; 1 << 16];
    loop {
        match session.read(&mut bytes).unwrap() {
            0 => break,
            count => session.write_all(&bytes[..count]).unwrap(),
        }
    }
    session.conn.send_close_notify();
    session.flush().unwrap();
    // It has been told, and has nothing more to say.
    assert_eq!(session.sock.read(&mut bytes).unwrap(), 0);
}
