use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;

fn an_endpoint(side: Side) -> Arc<dyn Endpoint> {
    let authority = Authority::new();
    let settings = match side {
        Side::Client => client(),
        Side::Server => server(&[&authority.server(&["a.example"])]),
    };
    trusting(&authority).endpoint(&settings).unwrap()
}

#[tokio::test]
async fn a_peer_that_speaks_http_does_not_speak_tls() {
    for (side, said) in [
        (Side::Client, "HTTP/1.1 400 Bad Request\r\n\r\n"),
        (Side::Server, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        // No more than a record's header, and less.
        (Side::Client, "220 a"),
        (Side::Server, "\n"),
    ] {
        let end = meet(&an_endpoint(side), Some("a.example"), async |mut theirs| {
            theirs.write_all(said.as_bytes()).await.unwrap();
        })
        .await;
        let error = failed(end);
        assert!(matches!(error, SessionError::NotTls), "{said}: {error:?}");
    }
}

#[tokio::test]
async fn what_only_begins_as_tls_does_is_an_error_and_no_panic() {
    for side in [Side::Client, Side::Server] {
        for said in [
            &[22, 3, 1, 0, 4, 9, 9, 9, 9][..],
            &[22, 3, 1, 255, 255, 0],
            &[22; 64],
            &[21; 7],
        ] {
            let end = meet(&an_endpoint(side), Some("a.example"), async |mut theirs| {
                theirs.write_all(said).await.unwrap();
            })
            .await;
            let error = failed(end);
            assert!(
                !matches!(error, SessionError::NotTls),
                "{said:?}: {error:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_end_of_the_connection_within_the_handshake_is_unexpected() {
    for side in [Side::Client, Side::Server] {
        for said in [&[][..], &[22, 3, 1]] {
            let end = meet(&an_endpoint(side), Some("a.example"), async |mut theirs| {
                theirs.write_all(said).await.unwrap();
                theirs.shutdown().await.unwrap();
            })
            .await;
            let error = failed(end);
            assert!(matches!(error, SessionError::UnexpectedEof), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_peers_alert_keeps_its_number() {
    // handshake_failure
    let end = meet(
        &an_endpoint(Side::Client),
        Some("a.example"),
        async |mut theirs| {
            theirs.write_all(&[21, 3, 3, 0, 2, 2, 40]).await.unwrap();
        },
    )
    .await;
    assert!(matches!(failed(end), SessionError::Alert(40)));
}

/// A connection that is reset.
struct Reset;

impl AsyncRead for Reset {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

impl AsyncWrite for Reset {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn an_error_of_the_transport_stays_that_error() {
    for side in [Side::Client, Side::Server] {
        let name = Some("a.example".to_owned());
        let error = failed(an_endpoint(side).handshake(Box::new(Reset), name).await);
        let SessionError::Transport(error) = error else {
            panic!("{error:?}");
        };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
