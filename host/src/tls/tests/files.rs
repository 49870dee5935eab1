use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// Writes a certificate and its key.
fn write(folder: &Path, issued: &Issued) -> [PathBuf; 2] {
    let paths = [folder.join("cert.pem"), folder.join("key.pem")];
    fs::write(&paths[0], &issued.certificate).unwrap();
    fs::write(&paths[1], &issued.key).unwrap();
    paths
}

/// The problem of an identity of these files.
fn wrong(certificate: &Path, key: &Path) -> (PathBuf, String) {
    let error = Identity::from_files("web", certificate, key).unwrap_err();
    (error.origin().into(), error.problem().to_string())
}

#[test]
fn one_file_may_have_certificate_and_key_in_any_order() {
    let issued = Authority::new().issue(&["a.example"]);
    let folder = tempfile::tempdir().unwrap();
    for text in [
        issued.certificate.clone() + &issued.key,
        format!("{}# and\n{}", issued.key, issued.certificate),
    ] {
        let file = folder.path().join("both.pem");
        fs::write(&file, text).unwrap();
        let identity = Identity::from_files("web", &file, &file).unwrap();
        assert_eq!(
            identity.certificates(),
            issued.identity("web").certificates()
        );
    }
}

#[test]
fn keys_may_be_in_the_form_of_older_tools() {
    // PKCS#8 of an EC key ends with SEC1.
    let issued = Authority::new().issue(&["a.example"]);
    let pkcs8 = KeyPair::from_pem(&issued.key).unwrap().serialize_der();
    let inner = [0x02, 0x01, 0x01, 0x04, 0x20];
    let start = pkcs8.windows(5).position(|bytes| bytes == inner).unwrap() - 2;
    let sec1 = pem_of("EC PRIVATE KEY", &pkcs8[start..]);
    let identity = Identity::from_pem("web", issued.certificate.as_bytes(), sec1.as_bytes());
    assert!(identity.is_ok(), "{identity:?}");
}

fn pem_of(kind: &str, der: &[u8]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {kind}-----\n");
    for chunk in der.chunks(3) {
        let bytes = [0, 1, 2].map(|place| u32::from(chunk.get(place).copied().unwrap_or(0)));
        let bits = bytes[0] << 16 | bytes[1] << 8 | bytes[2];
        for place in 0..4 {
            let digit = digits[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place > chunk.len() {
                '='
            } else {
                char::from(digit)
            });
        }
    }
    text + &format!("\n-----END {kind}-----\n")
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_what_is_wrong() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = write(folder.path(), &authority.issue(&["a.example"]));
    let other = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let missing = folder.path().join("missing.pem");
    let empty = other("empty.pem", "nothing\n");
    let garbage = other(
        "garbage.pem",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    );
    let hollow = other(
        "hollow.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let encrypted = other(
        "encrypted.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let unknown = other("unknown.pem", &pem_of("PRIVATE KEY", &[0x30, 0]));
    let not_its = other("not-its.pem", &authority.issue(&["b.example"]).key);
    for (certificate, key, place, text) in [
        (&missing, &key, &missing, "cannot read it"),
        (&certificate, &missing, &missing, "cannot read it"),
        (&empty, &key, &empty, "no certificate"),
        (&key, &certificate, &key, "no certificate"),
        (&certificate, &certificate, &certificate, "no private key"),
        (&garbage, &key, &garbage, "not PEM"),
        (&certificate, &encrypted, &encrypted, "encrypted"),
        (&certificate, &unknown, &unknown, "has to be RSA"),
        (
            &certificate,
            &not_its,
            &not_its,
            "not that of the first certificate",
        ),
        (&hollow, &key, &hollow, "certificate 1 in it"),
    ] {
        let (found, problem) = wrong(certificate, key);
        assert_eq!(found, *place, "{problem}");
        assert!(problem.contains(text), "{problem}");
    }
    for (file, text) in [
        (&missing, "cannot read it"),
        (&empty, "no certificate"),
        (&hollow, "certificate 1 in it"),
    ] {
        let error = Tls::builder().roots(Roots::file(file)).build().unwrap_err();
        assert_eq!(Path::new(error.origin()), file);
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn a_private_key_is_nowhere_to_be_seen() {
    let authority = Authority::new();
    let issued = authority.issue(&["a.example"]);
    let identity = issued.identity("web");
    let tls = Tls::builder().identity(identity.clone()).build().unwrap();
    let endpoint = tls.endpoint(&server(&[&identity])).unwrap();
    let secret = KeyPair::from_pem(&issued.key).unwrap().serialize_der();
    let shown = format!(
        "{identity:?} {tls:?} {endpoint:?} {:#?}",
        server(&[&identity])
    );
    assert!(shown.contains("Identity(\"web\")"), "{shown}");
    // Every four bytes of the key, as a list of numbers would show them.
    for bytes in secret[secret.len() - 100..].windows(4) {
        let bytes = format!("{bytes:?}");
        assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
    }
}

#[tokio::test]
async fn a_new_certificate_is_presented_from_the_next_session_on() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = write(folder.path(), &authority.issue(&["a.example"]));
    let identity = Identity::from_files("web", &certificate, &key).unwrap();
    let tls = Tls::builder().identity(identity).roots(authority.roots());
    let tls = tls.build().unwrap();
    assert!(tls.reads_files());
    let identity = tls.identity("web").unwrap();
    let server = tls.endpoint(&server(&[&identity])).unwrap();
    let client = tls.endpoint(&client()).unwrap();
    let [one, other] = shake(&client, Some("a.example"), &server).await;
    let ((mut one, before), (mut other, _)) = (one.unwrap(), other.unwrap());
    talk(&mut one, &mut other).await;

    write(folder.path(), &authority.issue(&["a.example"]));
    tls.reload().unwrap();
    talk(&mut one, &mut other).await;
    let [after, _] = shake(&client, Some("a.example"), &server)
        .await
        .map(details);
    assert!(!after.resumed);
    assert_ne!(after.peer_certificates, before.peer_certificates);
    assert_eq!(
        after.peer_certificates,
        [identity.certificates()[0].to_vec()]
    );
}

#[tokio::test]
async fn what_cannot_be_read_again_stays_as_it_was_and_the_rest_is_new() {
    let authority = Authority::new();
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut tls = Tls::builder();
    for (name, folder) in ["a", "b"].iter().zip(&folders) {
        let [certificate, key] = write(folder.path(), &authority.issue(&["a.example"]));
        tls = tls.identity(Identity::from_files(*name, certificate, key).unwrap());
    }
    let roots = folders[0].path().join("roots.pem");
    fs::write(&roots, authority.pem()).unwrap();
    let tls = tls.roots(Roots::file(&roots)).build().unwrap();
    let of = |name| tls.identity(name).unwrap().certificates();
    let before = [of("a"), of("b")];

    // A certificate whose key is not there yet.
    write(folders[1].path(), &authority.issue(&["a.example"]));
    let [certificate, _] = write(folders[0].path(), &authority.issue(&["a.example"]));
    fs::write(&certificate, authority.issue(&["a.example"]).certificate).unwrap();
    fs::write(&roots, "").unwrap();
    let errors = tls.reload().unwrap_err();
    let places: Vec<&Path> = errors
        .iter()
        .map(|error| Path::new(error.origin()))
        .collect();
    assert_eq!(places, [folders[0].path().join("key.pem"), roots]);
    assert_eq!(of("a"), before[0]);
    assert_ne!(of("b"), before[1]);

    let server = tls
        .endpoint(&server(&[&tls.identity("a").unwrap()]))
        .unwrap();
    let ends = shake(
        &tls.endpoint(&client()).unwrap(),
        Some("a.example"),
        &server,
    )
    .await;
    assert!(ends.iter().all(Result::is_ok));
}
