use rcgen::date_time_ymd;

use super::*;
use crate::tls::Verify;

#[tokio::test]
async fn a_server_of_the_right_name_is_trusted_and_both_ends_know_what_was_agreed() {
    let authority = Authority::new();
    let identity = authority.server(&["a.example"]);
    let [client, server] = ask(&authority, &identity, "a.example").await.map(details);
    let certificates: Vec<_> = identity
        .certificates()
        .iter()
        .map(|der| der.to_vec())
        .collect();
    assert_eq!(client.peer_certificates, certificates);
    assert!(server.peer_certificates.is_empty());
    for end in [client, server] {
        assert_eq!(end.version, "TLSv1.3");
        assert_eq!(end.cipher, "TLS_AES_256_GCM_SHA384");
        assert_eq!(end.cipher_bits, 256);
        assert_eq!(end.alpn_protocol, None);
        assert_eq!(end.server_hostname.as_deref(), Some("a.example"));
        assert!(!end.resumed);
    }
}

#[tokio::test]
async fn a_wrong_name_is_told_with_the_right_ones() {
    let authority = Authority::new();
    let identity = authority.server(&["a.example", "*.b.example", "127.0.0.1"]);
    let [client, server] = ask(&authority, &identity, "c.example").await.map(failed);
    let SessionError::WrongName(text) = client else {
        panic!("{client:?}");
    };
    assert_eq!(
        text,
        "the certificate is for a.example, *.b.example, 127.0.0.1, not for c.example"
    );
    // bad_certificate
    assert!(matches!(server, SessionError::Alert(42)), "{server:?}");
}

#[tokio::test]
async fn of_a_thousand_names_a_few_are_told() {
    let authority = Authority::new();
    let names: Vec<String> = (0..1000)
        .map(|number| format!("n{number}.example"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let [client, _] = ask(&authority, &authority.server(&names), "c.example").await;
    let text = failed(client).to_string();
    assert!(
        text.contains("n7.example and 992 more, not for c.example"),
        "{text}"
    );
}

#[tokio::test]
async fn addresses_and_names_in_unicode_are_names_too() {
    let authority = Authority::new();
    let identity = authority.server(&["127.0.0.1", "::1", "xn--bcher-kva.example"]);
    for name in [
        "127.0.0.1",
        "::1",
        "[::1]",
        "Bücher.example",
        "bücher.example.",
    ] {
        let [client, server] = ask(&authority, &identity, name).await.map(details);
        assert_eq!(client.server_hostname.as_deref(), Some(name));
        let sent = name.contains("example").then_some("xn--bcher-kva.example");
        assert_eq!(server.server_hostname.as_deref(), sent);
    }
    let [client, _] = ask(&authority, &identity, "127.0.0.2").await;
    assert!(matches!(failed(client), SessionError::WrongName(_)));
}

#[tokio::test]
async fn what_is_neither_name_nor_address_is_refused() {
    for name in ["", "a b", "a..b", "*.example", "a/b", "-"] {
        assert!(Tls::check_server_name(name).is_err(), "{name}");
    }
    let endpoint = Tls::default().endpoint(&client()).unwrap();
    let end = meet(&endpoint, Some("a b"), async |_| {}).await;
    assert_eq!(
        failed(end).to_string(),
        "`a b` is neither a host name nor an address"
    );
}

#[tokio::test]
async fn expired_and_not_yet_valid_are_told_apart() {
    let authority = Authority::new();
    let expired = authority.issue_with(&["a.example"], |params| {
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    let early = authority.issue_with(&["a.example"], |params| {
        params.not_before = date_time_ymd(4000, 1, 1);
    });
    let [client, _] = ask(&authority, &expired.identity("server"), "a.example").await;
    assert!(matches!(failed(client), SessionError::Expired));
    let [client, _] = ask(&authority, &early.identity("server"), "a.example").await;
    assert!(matches!(failed(client), SessionError::NotYetValid));
}

#[tokio::test]
async fn an_untrusted_authority_is_unknown() {
    let identity = Authority::new().server(&["a.example"]);
    let other = Authority::named("Another authority");
    let [client, server] = ask(&other, &identity, "a.example").await.map(failed);
    assert!(
        matches!(client, SessionError::UnknownAuthority),
        "{client:?}"
    );
    // unknown_ca
    assert!(matches!(server, SessionError::Alert(48)), "{server:?}");
}

#[tokio::test]
async fn an_authority_with_only_the_name_of_a_trusted_one_is_refused() {
    let identity = Authority::new().server(&["a.example"]);
    let [client, _] = ask(&Authority::new(), &identity, "a.example").await;
    let error = failed(client);
    assert!(
        matches!(error, SessionError::BadCertificate(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_self_signed_stranger_is_unknown() {
    let (params, key) = authority("Its own");
    let certificate = params.self_signed(&key).unwrap().pem();
    let issued = Issued {
        certificate,
        key: key.serialize_pem(),
    };
    let identity = issued.identity("server");
    let [client, _] = ask(&Authority::new(), &identity, "self.example").await;
    assert!(matches!(failed(client), SessionError::UnknownAuthority));
}

/// A self-signed authority for `self.example`, as `openssl req -x509` makes them.
fn own_authority(change: impl FnOnce(&mut CertificateParams)) -> Issued {
    let (mut params, key) = authority("Its own");
    change(&mut params);
    Issued {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

/// The results where this certificate is the server's and the only trusted root.
async fn ask_trusted(issued: &Issued, name: &str) -> [End; 2] {
    let tls = Tls::builder().roots(Roots::from_pem(issued.certificate.as_bytes()).unwrap());
    let tls = tls.build().unwrap();
    let server = tls
        .endpoint(&server(&[&issued.identity("server")]))
        .unwrap();
    shake(&tls.endpoint(&client()).unwrap(), Some(name), &server).await
}

#[tokio::test]
async fn an_authority_that_is_trusted_itself_may_be_the_server() {
    let issued = own_authority(|_| {});
    for end in ask_trusted(&issued, "self.example").await {
        end.map(|(_, details)| details).unwrap();
    }
    let [client, _] = ask_trusted(&issued, "other.example").await;
    assert!(matches!(failed(client), SessionError::WrongName(_)));

    // Another certificate of the same name is none that is trusted itself.
    let identity = own_authority(|_| {}).identity("server");
    let tls = Tls::builder().roots(Roots::from_pem(issued.certificate.as_bytes()).unwrap());
    let tls = tls.build().unwrap();
    let server = tls.endpoint(&server(&[&identity])).unwrap();
    let client = tls.endpoint(&super::client()).unwrap();
    let [client, _] = shake(&client, Some("self.example"), &server).await;
    let text = failed(client).to_string();
    assert!(text.contains("CA:TRUE"), "{text}");
}

#[tokio::test]
async fn a_certificate_that_is_trusted_itself_has_its_dates_and_purposes_checked() {
    let expired = own_authority(|params| params.not_after = date_time_ymd(2020, 1, 1));
    let [client, _] = ask_trusted(&expired, "self.example").await;
    assert!(matches!(failed(client), SessionError::Expired));
    let early = own_authority(|params| params.not_before = date_time_ymd(4000, 1, 1));
    let [client, _] = ask_trusted(&early, "self.example").await;
    assert!(matches!(failed(client), SessionError::NotYetValid));
    let usage = ExtendedKeyUsagePurpose::ClientAuth;
    let for_clients = own_authority(|params| params.extended_key_usages.push(usage));
    let [client, _] = ask_trusted(&for_clients, "self.example").await;
    let text = failed(client).to_string();
    assert!(text.contains("extended key usage"), "{text}");
    let usage = ExtendedKeyUsagePurpose::ServerAuth;
    let for_servers = own_authority(|params| params.extended_key_usages.push(usage));
    let [client, _] = ask_trusted(&for_servers, "self.example").await;
    assert!(client.is_ok());
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_can_be_trusted_by_itself() {
    let authority = Authority::new();
    let issued = authority.issue(&["a.example"]);
    let [client, _] = ask_trusted(&issued, "a.example").await;
    assert!(client.is_ok());
    let expired = authority.issue_with(&["a.example"], |params| {
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    let [client, _] = ask_trusted(&expired, "a.example").await;
    assert!(matches!(failed(client), SessionError::Expired));
}

/// The results where the client presents this certificate, the server's only root.
async fn present_trusted(issued: &Issued) -> [End; 2] {
    let (ours, theirs) = (Authority::new(), &issued.certificate);
    let settings = Settings {
        verify: Verify::Required,
        roots: Some(Tls::parse_roots(theirs.as_bytes()).unwrap().into()),
        ..server(&[&ours.server(&["a.example"])])
    };
    let tls = trusting(&ours);
    let presenting = Settings {
        identities: vec![issued.identity("client")],
        ..client()
    };
    let server = tls.endpoint(&settings).unwrap();
    shake(
        &tls.endpoint(&presenting).unwrap(),
        Some("a.example"),
        &server,
    )
    .await
}

#[tokio::test]
async fn an_authority_that_is_trusted_itself_may_be_the_client() {
    let issued = own_authority(|_| {});
    let [_, server] = present_trusted(&issued).await;
    assert_eq!(details(server).peer_certificates.len(), 1);
    let usage = ExtendedKeyUsagePurpose::ServerAuth;
    let for_servers = own_authority(|params| params.extended_key_usages.push(usage));
    let [_, server] = present_trusted(&for_servers).await;
    let text = failed(server).to_string();
    assert!(text.contains("extended key usage"), "{text}");
    let expired = own_authority(|params| params.not_after = date_time_ymd(2020, 1, 1));
    let [_, server] = present_trusted(&expired).await;
    assert!(matches!(failed(server), SessionError::Expired));
}

#[tokio::test]
async fn a_self_signed_certificate_that_signs_no_others_can_be_trusted_by_itself() {
    let mut params = authority("Its own").0;
    params.is_ca = IsCa::ExplicitNoCa;
    let key = KeyPair::generate().unwrap();
    let issued = Issued {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    };
    let tls = Tls::builder().roots(Roots::from_pem(issued.certificate.as_bytes()).unwrap());
    let tls = tls.build().unwrap();
    let server = tls
        .endpoint(&server(&[&issued.identity("server")]))
        .unwrap();
    let client = tls.endpoint(&client()).unwrap();
    for (name, trusted) in [("self.example", true), ("other.example", false)] {
        let [client, _] = shake(&client, Some(name), &server).await;
        assert_eq!(client.is_ok(), trusted);
    }
}

#[tokio::test]
async fn a_certificate_for_clients_is_none_for_servers() {
    let authority = Authority::new();
    let usage = ExtendedKeyUsagePurpose::ClientAuth;
    let issued = authority.issue_with(&["a.example"], |params| {
        params.extended_key_usages.push(usage)
    });
    let [client, _] = ask(&authority, &issued.identity("server"), "a.example").await;
    let text = failed(client).to_string();
    assert!(text.contains("extended key usage"), "{text}");
}

#[tokio::test]
async fn without_a_name_the_chain_is_checked_and_no_name_is_sent() {
    let authority = Authority::new();
    let server = server(&[&authority.server(&["a.example"])]);
    let tls = trusting(&authority);
    let server = tls.endpoint(&server).unwrap();
    let ends = shake(&tls.endpoint(&client()).unwrap(), None, &server).await;
    for end in ends.map(details) {
        assert_eq!(end.server_hostname, None);
    }
    let strangers = Tls::default().endpoint(&client()).unwrap();
    let [client, _] = shake(&strangers, None, &server).await;
    assert!(matches!(failed(client), SessionError::UnknownAuthority));
}

#[tokio::test]
async fn a_client_that_checks_nothing_takes_any_certificate_and_still_sends_the_name() {
    let authority = Authority::new();
    let expired = authority.issue_with(&["b.example"], |params| {
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    let tls = Tls::builder().roots(Roots::none()).build().unwrap();
    let server = tls
        .endpoint(&server(&[&expired.identity("server")]))
        .unwrap();
    let settings = Settings {
        verify: Verify::None,
        ..client()
    };
    let client = tls.endpoint(&settings).unwrap();
    for name in [Some("a.example"), None] {
        let [client, server] = shake(&client, name, &server).await.map(details);
        assert_eq!(client.peer_certificates.len(), 1);
        assert_eq!(server.server_hostname.as_deref(), name);
    }
}

#[tokio::test]
async fn roots_of_the_guest_are_instead_of_the_policys() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let tls = trusting(&ours);
    let settings = Settings {
        roots: Some(Tls::parse_roots(theirs.pem().as_bytes()).unwrap().into()),
        ..client()
    };
    let client = tls.endpoint(&settings).unwrap();
    for (authority, trusted) in [(&theirs, true), (&ours, false)] {
        let server = server(&[&authority.server(&["a.example"])]);
        let server = tls.endpoint(&server).unwrap();
        let [client, _] = shake(&client, Some("a.example"), &server).await;
        assert_eq!(client.is_ok(), trusted);
    }
}

#[test]
fn without_roots_a_client_cannot_check() {
    let tls = Tls::builder().roots(Roots::none()).build().unwrap();
    let error = tls.endpoint(&client()).unwrap_err();
    assert!(error.contains("no roots"), "{error}");
    let asking = Settings {
        verify: Verify::Required,
        ..server(&[&Authority::new().server(&["a.example"])])
    };
    let error = tls.endpoint(&asking).unwrap_err();
    assert!(error.contains("no roots"), "{error}");
}
