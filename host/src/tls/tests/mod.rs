//! Both ends of sessions, over pipes, with certificates made for the test.

mod files;
mod peers;
mod policy;
mod resumption;
mod servers;
mod sessions;
mod verification;

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::{
    Details, Endpoint, EndpointError, Identity, Roots, Session, SessionError, Settings, Side, Tls,
    session::Transport,
};
use crate::Limits;
use crate::access::testing;

/// The result of one end.
type End = Result<(Box<dyn Session>, Details), SessionError>;

impl Tls {
    /// Returns the endpoint of these settings, for a guest with the default memory.
    fn endpoint(&self, settings: &Settings) -> Result<Arc<dyn Endpoint>, String> {
        let budget = testing::guard(Limits::default().memory);
        let endpoint = self.endpoint_within(settings, budget.budget());
        endpoint.map_err(|why| match why {
            EndpointError::Setting(why) => why,
            EndpointError::OverBudget(over) => panic!("{over:?}"),
        })
    }
}

/// An authority, and what it has signed.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its private key, in PEM.
struct Issued {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        Self::named("The test's authority")
    }

    fn named(name: &str) -> Self {
        let (params, key) = authority(name);
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn roots(&self) -> Roots {
        Roots::from_pem(self.pem().as_bytes()).unwrap()
    }

    fn issue(&self, names: &[&str]) -> Issued {
        self.issue_with(names, |_| {})
    }

    fn issue_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "A test's certificate");
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Issued {
            certificate: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// An identity for servers of these names.
    fn server(&self, names: &[&str]) -> Identity {
        self.issue(names).identity("server")
    }

    fn client(&self) -> Identity {
        let usage = ExtendedKeyUsagePurpose::ClientAuth;
        let issued = self.issue_with(&[], |params| params.extended_key_usages.push(usage));
        issued.identity("client")
    }
}

impl Issued {
    fn identity(&self, name: &str) -> Identity {
        Identity::from_pem(name, self.certificate.as_bytes(), self.key.as_bytes()).unwrap()
    }
}

/// Of a certificate that may sign others.
fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new([String::from("self.example")]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params, KeyPair::generate().unwrap())
}

fn trusting(authority: &Authority) -> Tls {
    Tls::builder().roots(authority.roots()).build().unwrap()
}

fn client() -> Settings {
    Settings::new(Side::Client)
}

fn server(identities: &[&Identity]) -> Settings {
    Settings {
        identities: identities
            .iter()
            .map(|&identity| identity.clone())
            .collect(),
        ..Settings::new(Side::Server)
    }
}

/// Makes both shake hands. Each drops its end of the pipe when it fails.
async fn shake(
    client: &Arc<dyn Endpoint>,
    name: Option<&str>,
    server: &Arc<dyn Endpoint>,
) -> [End; 2] {
    let (one, other) = duplex(64 * 1024);
    let name = name.map(str::to_owned);
    let both = tokio::join!(
        client.handshake(Box::new(one), name),
        server.handshake(Box::new(other), None)
    );
    both.into()
}

/// The result of a client that trusts the authority and asks for `name`.
async fn ask(authority: &Authority, identity: &Identity, name: &str) -> [End; 2] {
    let tls = trusting(authority);
    let server = tls.endpoint(&server(&[identity])).unwrap();
    shake(&tls.endpoint(&client()).unwrap(), Some(name), &server).await
}

fn failed(end: End) -> SessionError {
    end.map(|(_, details)| details).unwrap_err()
}

fn details(end: End) -> Details {
    end.map(|(_, details)| details).unwrap()
}

/// The error of the next read of a session.
async fn read_error(mut session: Box<dyn Session>) -> SessionError {
    session.read(&mut [0; 16]).await.unwrap_err().into()
}

/// Sends a word both ways, which also brings the client its tickets.
async fn talk(client: &mut Box<dyn Session>, server: &mut Box<dyn Session>) {
    let mut word = [0; 4];
    client.write_all(b"ping").await.unwrap();
    client.flush().await.unwrap();
    server.read_exact(&mut word).await.unwrap();
    server.write_all(&word).await.unwrap();
    server.flush().await.unwrap();
    client.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"ping");
}

/// A handshake with a peer that is not of this crate.
async fn meet<F>(
    endpoint: &Arc<dyn Endpoint>,
    name: Option<&str>,
    peer: impl FnOnce(DuplexStream) -> F,
) -> End
where
    F: Future<Output = ()>,
{
    let (ours, theirs) = duplex(64 * 1024);
    let ours: Box<dyn Transport> = Box::new(ours);
    let handshake = endpoint.handshake(ours, name.map(str::to_owned));
    tokio::join!(handshake, peer(theirs)).0
}
