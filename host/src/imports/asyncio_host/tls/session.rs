use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::super::bindings::tls::ErrorCode;
use super::carrier::Carrier;
use super::shared_session::{ABORTED, Outcome, SharedSession};
use crate::access::Charge;
use crate::tls::{Details, Endpoint};

/// A session in the guest's table. Dropping it cuts the session short.
pub(super) struct TlsSession(Arc<SharedSession>);

impl TlsSession {
    pub(super) fn new(
        carrier: Carrier,
        endpoint: Arc<dyn Endpoint>,
        received: Vec<u8>,
        server_name: Option<String>,
        ignore_eof: bool,
        charge: Charge,
    ) -> TlsSession {
        let shared =
            SharedSession::new(carrier, endpoint, received, server_name, ignore_eof, charge);
        TlsSession(Arc::new(shared))
    }

    pub(super) fn shared(&self) -> &Arc<SharedSession> {
        &self.0
    }

    /// Sends all data and the end of our half, then gives the peer `time` to end its
    /// own. Then ends the sessions that carry this one, in the same way. The socket is
    /// closed in any case.
    pub(super) async fn close(self, time: Duration) -> Outcome {
        close(&self.0, time).await?;
        let mut carrier = self.0.outer();
        while let Some(session) = carrier {
            // Nothing of the guest's is missing any more: only a peer that does not end
            // its half is told.
            if let Err(ErrorCode::ShutdownTimeout) = close(session, time).await {
                return Err(ErrorCode::ShutdownTimeout);
            }
            carrier = session.outer();
        }
        Ok(())
    }

    /// Takes the session from its streams, to carry another one.
    pub(super) fn into_carrier(self) -> Carrier {
        self.0.carry();
        Carrier::Session(Arc::clone(&self.0))
    }
}

impl Drop for TlsSession {
    fn drop(&mut self) {
        if !self.0.is_carrier() {
            self.0.end(ABORTED);
        }
    }
}

/// Sends all data and the end of our half of this session, then gives the peer `time` to
/// end its own.
async fn close(session: &SharedSession, time: Duration) -> Outcome {
    session.begin_close()?;
    let mut discarded = None;
    let sent = poll_fn(|cx| {
        if discarded.is_none()
            && let Poll::Ready(ended) = session.poll_discard(cx)
        {
            discarded = Some(ended);
        }
        match session.poll_closed(cx) {
            Poll::Pending if session.unended().is_some() => Poll::Ready(Ok(())),
            sent => sent,
        }
    });
    let mut sent = sent.await;
    if sent.is_ok() {
        if discarded.is_none() {
            let rest = tokio::time::timeout(time, poll_fn(|cx| session.poll_discard(cx)));
            let late = || session.unended().unwrap_or(ErrorCode::ShutdownTimeout);
            discarded = Some(rest.await.map_err(|_| late())?);
        }
        // An error of the peer's half is not ours: it has all of our data.
        sent = poll_fn(|cx| session.poll_closed(cx)).await;
    }
    sent.map_err(|why| match discarded {
        // The first error of the socket explains the later ones.
        Some(Err(first @ ErrorCode::Socket(_))) => first,
        _ => why,
    })
}

/// Does the handshake of a session. One that fails or times out ends the session and
/// its socket.
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
