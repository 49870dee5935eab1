use super::*;

/// Two ends of an open session.
async fn open() -> [Box<dyn Session>; 2] {
    let authority = Authority::new();
    let identity = authority.server(&["a.example"]);
    let ends = ask(&authority, &identity, "a.example").await;
    ends.map(|end| end.unwrap().0)
}

#[tokio::test]
async fn bytes_arrive_as_they_were_sent_both_ways() {
    let [mut client, mut server] = open().await;
    let sent: Vec<u8> = (0..1_000_000_u32)
        .map(|number| number.to_le_bytes()[1])
        .collect();
    let echo = async {
        let mut buffer = vec![0; 100_000];
        loop {
            let count = server.read(&mut buffer).await.unwrap();
            if count == 0 {
                break server.shutdown().await.unwrap();
            }
            server.write_all(&buffer[..count]).await.unwrap();
            server.flush().await.unwrap();
        }
    };
    let (mut reading, mut writing) = tokio::io::split(client);
    let mut received = Vec::new();
    let send = async {
        writing.write_all(&sent).await.unwrap();
        writing.shutdown().await.unwrap();
    };
    let receive = async { reading.read_to_end(&mut received).await.unwrap() };
    tokio::join!(echo, send, receive);
    assert!(received == sent);
    client = reading.unsplit(writing);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn the_end_of_one_half_leaves_the_other_one_open() {
    for swapped in [false, true] {
        let [mut one, mut other] = open().await;
        if swapped {
            std::mem::swap(&mut one, &mut other);
        }
        one.write_all(b"last").await.unwrap();
        one.shutdown().await.unwrap();
        let mut received = Vec::new();
        other.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"last");
        assert!(one.write_all(b"more").await.is_err() || one.flush().await.is_err());

        other.write_all(b"answer").await.unwrap();
        other.flush().await.unwrap();
        let mut answer = [0; 6];
        one.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
        other.shutdown().await.unwrap();
        assert_eq!(one.read(&mut answer).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn the_end_of_the_connection_is_not_that_of_the_session() {
    let [mut client, mut server] = open().await;
    server.write_all(b"part").await.unwrap();
    server.flush().await.unwrap();
    drop(server);
    let mut part = [0; 4];
    client.read_exact(&mut part).await.unwrap();
    assert_eq!(&part, b"part");
    let error = client.read(&mut part).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(matches!(error.into(), SessionError::UnexpectedEof));
}

#[tokio::test]
async fn bytes_that_were_changed_on_the_way_are_refused() {
    let authority = Authority::new();
    let tls = trusting(&authority);
    let server = tls
        .endpoint(&server(&[&authority.server(&["a.example"])]))
        .unwrap();
    let client = tls.endpoint(&client()).unwrap();
    let (ours, mut wire) = duplex(64 * 1024);
    let (mut other_wire, theirs) = duplex(64 * 1024);
    let both = async {
        let handshakes = tokio::join!(
            client.handshake(Box::new(ours), Some("a.example".to_owned())),
            server.handshake(Box::new(theirs), None)
        );
        (handshakes.0.unwrap().0, handshakes.1.unwrap().0)
    };
    let (mut client, server) = tokio::select! {
        both = both => both,
        _ = tokio::io::copy_bidirectional(&mut wire, &mut other_wire) => unreachable!(),
    };
    client.write_all(b"pay 10").await.unwrap();
    client.flush().await.unwrap();
    let mut record = vec![0; 1024];
    let length = wire.read(&mut record).await.unwrap();
    record[length - 1] ^= 1;
    other_wire.write_all(&record[..length]).await.unwrap();
    let error = read_error(server).await;
    assert!(matches!(error, SessionError::Other(_)), "{error:?}");
}
