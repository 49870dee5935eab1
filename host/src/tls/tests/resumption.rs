use super::*;

/// Two sessions after each other: whether the second one was resumed, as both ends
/// see it. `then` happens in between.
async fn resumed(
    client: [&Arc<dyn Endpoint>; 2],
    names: [Option<&str>; 2],
    server: &Arc<dyn Endpoint>,
    then: impl FnOnce(),
) -> [bool; 2] {
    let [first, other] = shake(client[0], names[0], server).await;
    let ((mut first, _), (mut other, _)) = (first.unwrap(), other.unwrap());
    talk(&mut first, &mut other).await;
    then();
    let ends = shake(client[1], names[1], server).await;
    ends.map(|end| details(end).resumed)
}

#[tokio::test]
async fn the_second_session_with_a_server_is_resumed() {
    let authority = Authority::new();
    let tls = trusting(&authority);
    let identity = authority.server(&["a.example", "b.example"]);
    let server = tls.endpoint(&server(&[&identity])).unwrap();
    let one = &tls.endpoint(&client()).unwrap();
    let same = &tls.endpoint(&client()).unwrap();
    let names = [Some("a.example"); 2];
    assert_eq!(resumed([one, same], names, &server, || {}).await, [true; 2]);
    let names = [Some("a.example"), Some("b.example")];
    assert_eq!(resumed([one, one], names, &server, || {}).await, [false; 2]);
}

#[tokio::test]
async fn a_resumed_session_still_knows_the_certificate() {
    let authority = Authority::new();
    let tls = trusting(&authority);
    let server = tls
        .endpoint(&server(&[&authority.server(&["a.example"])]))
        .unwrap();
    let client = tls.endpoint(&client()).unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let [one, other] = shake(&client, Some("a.example"), &server).await;
        let ((mut one, details), (mut other, _)) = (one.unwrap(), other.unwrap());
        talk(&mut one, &mut other).await;
        seen.push(details.peer_certificates);
    }
    assert_eq!(seen[0].len(), 1);
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn guests_do_not_resume_each_others_sessions() {
    let authority = Authority::new();
    let tls = trusting(&authority);
    let server = tls
        .endpoint(&server(&[&authority.server(&["a.example"])]))
        .unwrap();
    let one = &tls.for_guest().endpoint(&client()).unwrap();
    let other = &tls.for_guest().endpoint(&client()).unwrap();
    let names = [Some("a.example"); 2];
    assert_eq!(
        resumed([one, other], names, &server, || {}).await,
        [false; 2]
    );
}

#[tokio::test]
async fn a_client_without_a_server_name_resumes_nothing() {
    let authority = Authority::new();
    let tls = trusting(&authority);
    let server = tls
        .endpoint(&server(&[&authority.server(&["a.example"])]))
        .unwrap();
    let client = &tls.endpoint(&client()).unwrap();
    let names = [None, None];
    assert_eq!(
        resumed([client, client], names, &server, || {}).await,
        [false; 2]
    );
}

#[tokio::test]
async fn a_session_with_earlier_roots_is_not_resumed() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let tls = Tls::builder().roots(Roots::file(&file)).build().unwrap();
    let server = tls
        .endpoint(&server(&[&authority.server(&["a.example"])]))
        .unwrap();
    let client = &tls.endpoint(&client()).unwrap();
    let names = [Some("a.example"); 2];
    let unchanged = || tls.reload().unwrap();
    assert_eq!(
        resumed([client, client], names, &server, unchanged).await,
        [true; 2]
    );
    let more = || {
        let both = authority.pem() + &Authority::new().pem();
        std::fs::write(&file, both).unwrap();
        tls.reload().unwrap();
    };
    assert_eq!(
        resumed([client, client], names, &server, more).await,
        [false; 2]
    );
    std::fs::write(&file, Authority::new().pem()).unwrap();
    tls.reload().unwrap();
    let [client, _] = shake(client, Some("a.example"), &server).await;
    assert!(client.is_err());
}
