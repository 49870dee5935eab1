use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::*;
use crate::tls::{Verify, Version};

#[tokio::test]
async fn the_name_asked_for_chooses_the_certificate_and_the_first_one_is_for_all_others() {
    let authority = Authority::new();
    let identities = [
        authority.server(&["a.example"]),
        authority.server(&["b.example", "*.b.example"]),
        authority.server(&["x.b.example"]),
    ];
    let tls = trusting(&authority);
    let server = tls.endpoint(&server(&identities.each_ref())).unwrap();
    let unchecked = Settings {
        verify: Verify::None,
        ..client()
    };
    let client = tls.endpoint(&unchecked).unwrap();
    for (name, expected) in [
        (Some("a.example"), 0),
        (Some("b.example"), 1),
        (Some("X.B.example"), 1),
        (Some("y.x.b.example"), 0),
        (Some("other.example"), 0),
        (Some("127.0.0.1"), 0),
        (None, 0),
    ] {
        let [client, _] = shake(&client, name, &server).await.map(details);
        let certificate = identities[expected].certificates()[0].to_vec();
        assert_eq!(client.peer_certificates, [certificate], "{name:?}");
    }
}

#[tokio::test]
async fn the_servers_first_protocol_that_the_client_has_is_taken() {
    let authority = Authority::new();
    let tls = trusting(&authority);
    let with = |settings: Settings, protocols: &[&str]| {
        let alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
        let settings = Settings {
            alpn_protocols: alpn_protocols.collect(),
            ..settings
        };
        tls.endpoint(&settings).unwrap()
    };
    let server = server(&[&authority.server(&["a.example"])]);
    for (offered, had, agreed) in [
        (
            &["h2", "http/1.1"][..],
            &["http/1.1", "h2"][..],
            Some("http/1.1"),
        ),
        (&["h2"], &[], None),
        (&[], &["h2"], None),
    ] {
        let server = with(server.clone(), had);
        let ends = shake(&with(client(), offered), Some("a.example"), &server).await;
        for end in ends.map(details) {
            assert_eq!(end.alpn_protocol.as_deref(), agreed);
        }
    }
}

/// The results of both ends, which have these application protocols and require one or
/// not.
async fn agree(offered: &[&str], client_requires: bool, had: &[&str], requires: bool) -> [End; 2] {
    let authority = Authority::new();
    let tls = trusting(&authority);
    let with = |settings: Settings, protocols: &[&str], require_alpn| {
        let alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
        let settings = Settings {
            alpn_protocols: alpn_protocols.collect(),
            require_alpn,
            ..settings
        };
        tls.endpoint(&settings).unwrap()
    };
    let server = server(&[&authority.server(&["a.example"])]);
    let server = with(server, had, requires);
    let client = with(client(), offered, client_requires);
    shake(&client, Some("a.example"), &server).await
}

#[tokio::test]
async fn ends_without_a_common_protocol_have_none_unless_one_is_required() {
    for end in agree(&["h2"], false, &["http/1.1"], false)
        .await
        .map(details)
    {
        assert_eq!(end.alpn_protocol, None);
    }

    let [client, server] = agree(&["h2"], false, &["http/1.1"], true).await;
    // no_application_protocol
    assert!(matches!(failed(client), SessionError::Alert(120)));
    assert!(matches!(failed(server), SessionError::Other(_)));

    for end in agree(&[], false, &["http/1.1"], true).await.map(details) {
        assert_eq!(
            end.alpn_protocol, None,
            "a client that offers none is served"
        );
    }
    for had in [&["http/1.1"][..], &[]] {
        let [client, _] = agree(&["h2"], true, had, false).await;
        let why = failed(client).to_string();
        assert!(why.contains("application protocols"), "{why}");
    }
    for end in agree(&["h2"], true, &["h2"], true).await.map(details) {
        assert_eq!(end.alpn_protocol.as_deref(), Some("h2"));
    }
}

#[test]
fn a_required_protocol_has_to_be_among_some() {
    let settings = Settings {
        require_alpn: true,
        ..client()
    };
    let error = Tls::default().endpoint(&settings).unwrap_err();
    assert!(error.contains("application protocol"), "{error}");
}

#[tokio::test]
async fn a_hello_is_read_first_only_where_protocols_are_set_and_fails_alike() {
    for protocols in [&[][..], &["h2"]] {
        let authority = Authority::new();
        let settings = Settings {
            alpn_protocols: protocols
                .iter()
                .map(|name| name.as_bytes().to_vec())
                .collect(),
            ..server(&[&authority.server(&["a.example"])])
        };
        let endpoint = trusting(&authority).endpoint(&settings).unwrap();
        for (said, expected) in [
            (
                &b"GET / HTTP/1.1\r\n\r\n"[..],
                "the peer does not speak TLS",
            ),
            (b"", "the connection ended without the end of the session"),
        ] {
            let end = meet(&endpoint, None, async |mut theirs| {
                theirs.write_all(said).await.unwrap();
            });
            assert_eq!(failed(end.await).to_string(), expected, "{protocols:?}");
        }
    }
}

/// The results of both ends when the server asks for certificates.
async fn asked(verify: Verify, authority: &Authority, presented: Option<Identity>) -> [End; 2] {
    let tls = trusting(authority);
    let server = Settings {
        verify,
        ..server(&[&authority.server(&["a.example"])])
    };
    let client = Settings {
        identities: presented.into_iter().collect(),
        ..client()
    };
    let client = tls.endpoint(&client).unwrap();
    shake(&client, Some("a.example"), &tls.endpoint(&server).unwrap()).await
}

#[tokio::test]
async fn a_client_presents_its_certificate_where_it_is_asked_to() {
    let authority = Authority::new();
    for (verify, presented) in [
        (Verify::None, 0),
        (Verify::Optional, 1),
        (Verify::Required, 1),
    ] {
        let [client, server] = asked(verify, &authority, Some(authority.client())).await;
        assert!(client.is_ok());
        assert_eq!(details(server).peer_certificates.len(), presented);
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused_where_one_is_required() {
    let authority = Authority::new();
    let [client, server] = asked(Verify::Optional, &authority, None).await;
    assert!(client.is_ok());
    assert!(details(server).peer_certificates.is_empty());

    let [client, server] = asked(Verify::Required, &authority, None).await;
    assert!(matches!(failed(server), SessionError::NoCertificate));
    // In TLS 1.3 the client has finished by then. certificate_required
    let error = read_error(client.unwrap().0).await;
    assert!(matches!(error, SessionError::Alert(116)), "{error:?}");
}

#[tokio::test]
async fn a_clients_certificate_is_checked_also_where_it_is_optional() {
    let authority = Authority::new();
    for verify in [Verify::Optional, Verify::Required] {
        let mut other = CertificateParams::new([]).unwrap();
        other
            .distinguished_name
            .push(DnType::CommonName, "Somebody");
        let key = KeyPair::generate().unwrap();
        let stranger = Issued {
            certificate: other.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        };
        let [client, server] = asked(verify, &authority, Some(stranger.identity("client"))).await;
        assert!(matches!(failed(server), SessionError::UnknownAuthority));
        let error = read_error(client.unwrap().0).await;
        assert!(matches!(error, SessionError::Alert(48)), "{error:?}");
    }
}

/// A client that has no more than TLS 1.2, as it came to see its session.
async fn old_client(authority: &Authority, theirs: DuplexStream) -> Option<u16> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
    roots.add(root).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("a.example").unwrap();
    let session = TlsConnector::from(Arc::new(config))
        .connect(name, theirs)
        .await;
    let session = session.ok()?;
    session.get_ref().1.protocol_version().map(u16::from)
}

#[tokio::test]
async fn tls_1_2_is_spoken_unless_the_minimum_is_higher() {
    let authority = Authority::new();
    let tls = trusting(&authority);
    let settings = server(&[&authority.server(&["a.example"])]);
    let endpoint = tls.endpoint(&settings).unwrap();
    let end = meet(&endpoint, None, async |theirs| {
        assert_eq!(old_client(&authority, theirs).await, Some(0x0303));
    })
    .await;
    let end = details(end);
    assert_eq!(end.version, "TLSv1.2");
    assert_eq!(end.cipher, "ECDHE-ECDSA-AES256-GCM-SHA384");
    assert_eq!(end.cipher_bits, 256);

    let settings = Settings {
        minimum_version: Version::Tls13,
        ..settings
    };
    let endpoint = tls.endpoint(&settings).unwrap();
    let end = meet(&endpoint, None, async |theirs| {
        assert_eq!(old_client(&authority, theirs).await, None);
    })
    .await;
    let error = failed(end);
    assert!(matches!(error, SessionError::Other(_)), "{error:?}");
}
