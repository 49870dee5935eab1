use super::*;
use crate::tls::endpoints::CAPACITY;
use crate::tls::trusted_roots::TrustedRoots;
use crate::tls::{Provider, Verify};

fn speaking(protocol: &str) -> Settings {
    Settings {
        alpn_protocols: vec![protocol.as_bytes().to_vec()],
        ..client()
    }
}

#[test]
fn nothing_but_checked_clients_is_permitted_unless_asked_for() {
    let tls = Tls::default();
    assert!(tls.endpoint(&client()).is_ok());
    assert!(tls.identity("web").is_none());
    assert!(!tls.permits_guest_roots() && !tls.permits_unverified() && !tls.reads_files());
    let tls = Tls::builder().allow_guest_roots(true).build().unwrap();
    assert!(tls.permits_guest_roots() && !tls.permits_unverified());
    let tls = Tls::builder().allow_unverified(true).build().unwrap();
    assert!(!tls.permits_guest_roots() && tls.permits_unverified());
}

#[test]
fn identities_are_found_by_their_names() {
    let identity = Authority::new().server(&["a.example"]);
    let tls = Tls::builder().identity(identity.clone()).build().unwrap();
    assert_eq!(tls.identity("server"), Some(identity));
    assert_eq!(tls.identity("a.example"), None);
}

#[test]
fn the_same_settings_have_the_same_endpoint_until_too_many_others_came() {
    let tls = Tls::default();
    let first = tls.endpoint(&speaking("first")).unwrap();
    for number in 0..CAPACITY * 2 {
        tls.endpoint(&speaking(&number.to_string())).unwrap();
        let again = tls.endpoint(&speaking("first")).unwrap();
        assert!(Arc::ptr_eq(&first, &again), "{number}");
    }
    for number in 0..CAPACITY {
        tls.endpoint(&speaking(&number.to_string())).unwrap();
    }
    let again = tls.endpoint(&speaking("first")).unwrap();
    assert!(!Arc::ptr_eq(&first, &again));
    assert!(!Arc::ptr_eq(
        &again,
        &tls.for_guest().endpoint(&speaking("first")).unwrap()
    ));
}

#[test]
fn unusable_settings_are_refused_with_the_reason() {
    let tls = Tls::default();
    let root = Tls::parse_roots(Authority::new().pem().as_bytes())
        .unwrap()
        .remove(0);
    let optional = Settings {
        verify: Verify::Optional,
        ..client()
    };
    let roots = Settings {
        roots: Some(vec![root; 1025].into()),
        ..client()
    };
    let protocols = Settings {
        alpn_protocols: vec![vec![b'a'; 255]; 65],
        ..client()
    };
    for (settings, text) in [
        (speaking(""), "1 to 255 bytes"),
        (speaking(&"a".repeat(256)), "1 to 255 bytes"),
        (protocols, "too many application protocols"),
        (roots, "more than 1024 roots"),
        (optional, "only where one is sent"),
        (server(&[]), "needs an identity"),
    ] {
        let error = tls.endpoint(&settings).unwrap_err();
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn roots_of_a_guest_that_are_none_are_refused_with_the_reason() {
    for (pem, text) in [
        (&b""[..], "no certificate"),
        (b"\xff\x00garbage", "no certificate"),
        (
            b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n",
            "not PEM",
        ),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "certificate 1",
        ),
    ] {
        let error = Tls::parse_roots(pem).unwrap_err();
        assert!(error.contains(text), "{error}");
    }
    assert!(Tls::parse_roots(Authority::new().pem().as_bytes()).is_ok());
}

/// A provider of another embedder.
#[derive(Debug)]
struct Refusing;

impl Provider for Refusing {
    fn endpoint(
        &self,
        settings: &Settings,
        roots: &Arc<TrustedRoots>,
    ) -> Result<Arc<dyn Endpoint>, String> {
        Err(format!(
            "{:?}, {} roots",
            settings.side,
            roots.anchors().len()
        ))
    }
}

#[test]
fn an_embedders_provider_is_asked_with_the_settings_and_the_roots() {
    let authority = Authority::new();
    let tls = Tls::builder().roots(authority.roots()).provider(Refusing);
    let tls = tls.build().unwrap();
    assert_eq!(tls.endpoint(&client()).unwrap_err(), "Client, 1 roots");
    let two = authority.pem().repeat(2);
    let settings = Settings {
        roots: Some(Tls::parse_roots(two.as_bytes()).unwrap().into()),
        ..client()
    };
    assert_eq!(tls.endpoint(&settings).unwrap_err(), "Client, 2 roots");
}
