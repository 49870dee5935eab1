//! TLS on an open connection.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use futures::channel::oneshot;

use super::carrier::Carrier;
use super::{Connection, State};
use crate::error::ConnectError;
use crate::refusal::Refusal;
use crate::socket::host_socket::HostSocket;
use crate::ssl::{Plan, SslObject};

/// How far TLS has come on a connection. A connection only goes on to later states.
pub(super) enum Upgrade {
    /// TLS cannot begin: the connection is not over a socket. `permit_upgrade` and
    /// `set_ssl_object` lead out, before the connection is used.
    Impossible,
    /// TLS can begin: `start_tls` leads out.
    Possible,
    /// `start_tls` waits until both directions have come to rest. Then the task takes
    /// the request; if the connection ends before, the request is dropped.
    ///
    /// Receiving has come to rest when the receiver is `Parked` or `Over`, sending when
    /// the task holds the sink.
    Asked(StartTls),
    /// The handshake has begun, the session runs, or neither came to be because the
    /// connection has ended. The session's details are in `Connection::session`.
    Begun,
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
        if let (Carrier::Socket(socket), Some(sink)) = (self.take_carrier(), sink) {
            self.begin_session(socket, sink).await;
        }
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

    /// The details of the TLS session, if there was a handshake.
    pub(crate) fn ssl_object(&self) -> Option<&SslObject> {
        self.session.get().map(|object| &**object)
    }

    pub(super) fn set_ssl_object(&self, object: Rc<SslObject>) {
        self.upgrade.replace(Upgrade::Begun);
        // There is one session at most.
        let _ = self.session.set(object);
    }

    fn check_upgrade(&self) -> Result<(), String> {
        if self.state.get() != State::Open || self.failed() {
            return Err("the connection is closed; TLS can begin on an open one".into());
        }
        let upgrade = self.upgrade.borrow();
        if matches!(*upgrade, Upgrade::Asked(_) | Upgrade::Begun) {
            return Err("TLS has begun on this connection already".into());
        }
        if self.write.borrow().eof {
            return Err("nothing can be sent after write-eof, and so TLS cannot begin".into());
        }
        if matches!(*upgrade, Upgrade::Impossible) {
            return Err("TLS begins on connections, and this is a stream of another kind".into());
        }
        Ok(())
    }

    async fn begin_session(self: Rc<Self>, socket: Box<dyn HostSocket>, sink: impl Sized) {
        let Upgrade::Asked(StartTls { plan, told }) = self.upgrade.replace(Upgrade::Begun) else {
            return;
        };
        let received = self.read.borrow_mut().take_all();
        let begun = (plan.provider.begin)(socket, &received, &plan);
        // The host has taken the system's socket from the streams. Dropped before, they
        // would have ended the connection.
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
                self.run_session(session).await;
            }
            Some(Err(refusal)) => {
                let error = refusal.clone().connecting(self.names.peer.clone());
                let _ = told.send(Err(error));
                self.fail(refusal.into_error_code());
            }
            // The connection was closed meanwhile.
            None => {}
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
