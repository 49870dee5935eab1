use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::shared::{ABORTED, Outcome, SharedSession};
use crate::imports::asyncio_host::bindings::tls::ErrorCode;
use crate::sockets::stream;
use crate::tls::{Details, Endpoint};

/// A session in the guest's table. Dropped, it is cut short.
#[expect(unreachable_pub, reason = "the bindings export it again")]
pub struct TlsSession(Arc<SharedSession>);

impl TlsSession {
    pub(super) fn new(
        connection: Arc<stream::StreamSocket>,
        endpoint: Arc<dyn Endpoint>,
        received: Vec<u8>,
        server_name: Option<String>,
    ) -> TlsSession {
        let shared = SharedSession::new(connection, endpoint, received, server_name);
        TlsSession(Arc::new(shared))
    }

    pub(super) fn shared(&self) -> &Arc<SharedSession> {
        &self.0
    }

    /// Ends this side's half once it is all sent, then gives the peer some time to
    /// end its own. However that goes, the connection is closed after it.
    pub(super) async fn close(self, time: Duration) -> Outcome {
        let TlsSession(session) = &self;
        session.begin_close()?;
        let mut discarded = None;
        let sent = poll_fn(|cx| {
            if discarded.is_none()
                && let Poll::Ready(ended) = session.poll_discard(cx)
            {
                discarded = Some(ended);
            }
            session.poll_closed(cx)
        });
        if let Err(why) = sent.await {
            // What was met first says more about it.
            return Err(match discarded {
                Some(Err(first @ ErrorCode::Socket(_))) => first,
                _ => why,
            });
        }
        if discarded.is_none() {
            // However it ends: that is up to the peer, which can tell.
            let rest = tokio::time::timeout(time, poll_fn(|cx| session.poll_discard(cx)));
            if rest.await.is_err() {
                return Err(ErrorCode::ShutdownTimeout);
            }
        }
        Ok(())
    }
}

impl Drop for TlsSession {
    fn drop(&mut self) {
        self.0.end(ABORTED);
    }
}

/// Begins a session. One that is given up here has no connection any more.
pub(super) async fn handshake(
    session: &SharedSession,
    time: Duration,
) -> Result<Details, ErrorCode> {
    let why = match tokio::time::timeout(time, session.begin()?).await {
        Ok(Ok((open, details))) => {
            session.open(open);
            return Ok(details);
        }
        Ok(Err(error)) => error.into(),
        Err(_) => ErrorCode::HandshakeTimeout,
    };
    session.end(why.clone());
    Err(why)
}
