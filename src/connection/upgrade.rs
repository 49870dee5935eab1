//! TLS on an open connection.

use std::cell::OnceCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use futures::channel::oneshot;

use super::carrier::Carrier;
use super::{Connection, State};
use crate::error::ConnectError;
use crate::refusal::Refusal;
use crate::ssl::{Plan, Session, SessionCarrier, SslObject};

/// How far TLS has come on a connection.
pub(super) enum Upgrade {
    /// TLS cannot begin: the connection is not over a socket. `permit_upgrade` and
    /// `set_ssl_object` lead out, before the connection is used.
    Impossible,
    /// TLS can begin, inside the session if there is one: `start_tls` leads out.
    Possible,
    /// `start_tls` waits until both directions have come to rest. Then the task takes
    /// the request; if the connection ends before, the request is dropped.
    ///
    /// Receiving has come to rest when the receiver is `Parked` or `Over`, sending when
    /// the task holds the sink.
    Asked(StartTls),
    /// The handshake has begun. A session leads back to `Possible`. Otherwise the
    /// connection has ended.
    Begun,
}

/// The details of a TLS session, and those of the session inside it. Each is set once, when
/// its handshake has succeeded.
#[derive(Default)]
pub(super) struct Sessions(OnceCell<Box<(Rc<SslObject>, Sessions)>>);

impl Sessions {
    fn push(&self, object: Rc<SslObject>) {
        let mut innermost = self;
        while let Some(session) = innermost.0.get() {
            innermost = &session.1;
        }
        // It is empty: the loop has ended.
        let _ = innermost.0.set(Box::new((object, Sessions::default())));
    }

    fn innermost(&self) -> Option<&SslObject> {
        let mut innermost = self.0.get()?;
        while let Some(session) = innermost.1.0.get() {
            innermost = session;
        }
        Some(&innermost.0)
    }
}

/// A call of `start_tls` that waits.
pub(super) struct StartTls {
    plan: Plan,
    told: oneshot::Sender<Result<(), ConnectError>>,
}

impl Connection {
    /// Moves bytes over the socket's streams until the connection is to be closed. When
    /// TLS is asked for, goes on over the session.
    pub(crate) async fn run_socket(self: Rc<Self>) {
        let halves = match &*self.carrier.borrow() {
            Carrier::Socket(socket) => socket.halves(),
            _ => return,
        };
        let (source, sink) = halves;
        let sink = self.work(source, sink, async { Ok(()) }).await;
        let (Carrier::Socket(socket), Some(sink)) = (self.take_carrier(), sink) else {
            return;
        };
        if let Some(session) = self.begin_session(Box::new(socket), sink).await {
            self.run_session(session).await;
        }
    }

    /// Moves bytes over a TLS session until the connection is to be closed. From `close`
    /// on, the session's `ending` is polled beside sending what was written. When TLS is
    /// asked for, goes on over a session inside this one.
    pub(crate) async fn run_session(self: Rc<Self>, mut session: Session) {
        while let Some(halves) = (session.open)() {
            let work = self.work(halves.source, halves.sink, halves.ending);
            let Some(sink) = work.await else { break };
            drop(self.take_carrier());
            match self.begin_session(halves.carrier, sink).await {
                Some(inner) => session = inner,
                None => break,
            }
        }
        // The handle of the session, if nothing has closed or dropped it.
        drop(self.take_carrier());
    }

    /// Says that [`run_socket`](Self::run_socket) will be called, so that TLS may be asked
    /// for already.
    pub(crate) fn permit_upgrade(&self) {
        self.upgrade.replace(Upgrade::Possible);
    }

    /// Sends what was written before, then begins a session, which is given what was
    /// received and not read.
    pub(crate) async fn start_tls(&self, plan: Plan) -> Result<(), ConnectError> {
        self.check_upgrade()
            .map_err(ConnectError::InvalidArgument)?;
        let (told, result) = oneshot::channel();
        self.upgrade
            .replace(Upgrade::Asked(StartTls { plan, told }));
        self.write.borrow_mut().hold();
        // The pending receive has to be given up, and a rest has nothing to wait for.
        self.read.borrow_mut().receiver.rest_over();
        self.wake_ups.wake_to_receive();
        let given_up = GivenUp(self);
        let result = result.await;
        std::mem::forget(given_up);
        result.unwrap_or_else(|_| {
            Err(match &*self.failure.borrow() {
                Some(code) => Refusal::Socket(code.clone()).connecting(self.names.peer.clone()),
                None => ConnectError::InvalidArgument("the connection was closed".into()),
            })
        })
    }

    /// Returns true if `start_tls` waits for both directions to come to rest.
    pub(super) fn upgrading(&self) -> bool {
        matches!(*self.upgrade.borrow(), Upgrade::Asked(_))
    }

    /// The connection has ended: tells a `start_tls` that waits so, by dropping its
    /// request.
    pub(super) fn end_upgrade(&self) {
        let request = {
            let mut upgrade = self.upgrade.borrow_mut();
            match &*upgrade {
                Upgrade::Asked(_) => std::mem::replace(&mut *upgrade, Upgrade::Begun),
                _ => return,
            }
        };
        drop(request);
    }

    /// The details of the TLS session, if there was a handshake; of the innermost one.
    pub(crate) fn ssl_object(&self) -> Option<&SslObject> {
        self.sessions.innermost()
    }

    /// Says that a session is open, inside of the one before. Another one may be asked for.
    pub(super) fn set_ssl_object(&self, object: Rc<SslObject>) {
        self.sessions.push(object);
        self.permit_upgrade();
    }

    fn check_upgrade(&self) -> Result<(), String> {
        if self.state.get() != State::Open || self.failed() {
            return Err("the connection is closed; TLS can begin on an open one".into());
        }
        let upgrade = self.upgrade.borrow();
        if matches!(*upgrade, Upgrade::Asked(_) | Upgrade::Begun) {
            return Err("TLS is beginning on this connection already".into());
        }
        if self.write.borrow().eof {
            return Err("nothing can be sent after write-eof, and so TLS cannot begin".into());
        }
        if matches!(*upgrade, Upgrade::Impossible) {
            return Err("TLS begins on connections, and this is a stream of another kind".into());
        }
        Ok(())
    }

    /// Begins the session that was asked for. Returns it when its handshake has succeeded.
    async fn begin_session(
        self: &Rc<Self>,
        carrier: Box<dyn SessionCarrier>,
        sink: impl Sized,
    ) -> Option<Session> {
        let Upgrade::Asked(StartTls { plan, told }) = self.upgrade.replace(Upgrade::Begun) else {
            return None;
        };
        let received = self.read.borrow_mut().take_all();
        let begun = (plan.provider.begin)(carrier, &received, &plan);
        // The host has taken the socket or the outer session from the streams. Dropped
        // before, they would have ended the connection.
        drop((self.take_source(), sink));
        let established = match begun {
            Ok(handshake) => {
                let mut handshake = pin!(self.until(State::Closing, handshake));
                poll_fn(|cx| {
                    self.wake_ups.set_task(cx);
                    handshake.as_mut().poll(cx)
                })
                .await
            }
            Err(error) => {
                self.read.borrow_mut().buffer.feed(&received);
                Some(Err(error))
            }
        };
        self.wake_ups.clear_task();
        match established {
            Some(Ok(session)) => {
                self.set_session(&session);
                self.write.borrow_mut().release();
                // A caller that has given up `start_tls` aborts the connection.
                let _ = told.send(Ok(()));
                Some(session)
            }
            Some(Err(refusal)) => {
                let error = refusal.clone().connecting(self.names.peer.clone());
                let _ = told.send(Err(error));
                self.fail(refusal.into_error_code());
                None
            }
            // The connection was closed meanwhile.
            None => None,
        }
    }
}

/// Aborts the connection if `start_tls` is given up: the caller cannot know which bytes
/// would be part of the session.
struct GivenUp<'a>(&'a Connection);

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
