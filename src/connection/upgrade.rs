//! TLS on an open connection.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use futures::channel::oneshot;

use super::{Connection, State};
use crate::error::ConnectError;
use crate::refusal::Refusal;
use crate::socket::host_socket::HostSocket;
use crate::ssl::{Plan, SslObject};

/// A call of `start_tls` that waits.
pub(super) struct Upgrade {
    plan: Plan,
    told: oneshot::Sender<Result<(), ConnectError>>,
}

impl Connection {
    /// Moves bytes over a socket's streams until the connection is to be closed;
    /// from the moment that TLS is asked for, over that.
    pub(crate) async fn run_socket(self: Rc<Self>, socket: Box<dyn HostSocket>) {
        let (source, sink) = socket.halves();
        if let Some(sink) = self.work(source, sink, async { Ok(()) }).await {
            self.upgrade(socket, sink).await;
        }
    }

    /// [`run_socket`](Self::run_socket) will be called, if it has not been yet.
    pub(crate) fn permit_upgrade(&self) {
        self.upgradable.set(true);
    }

    /// Sends what was written before, then begins a session. What was received
    /// and not read is the session's.
    pub(crate) async fn start_tls(&self, plan: Plan) -> Result<(), ConnectError> {
        self.check_upgrade()
            .map_err(ConnectError::InvalidArgument)?;
        let (told, result) = oneshot::channel();
        *self.upgrade.borrow_mut() = Some(Upgrade { plan, told });
        self.write.borrow_mut().upgrading = true;
        self.wakers.take_rest();
        self.wakers.receive();
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

    pub(super) fn upgrading(&self) -> bool {
        self.upgrade.borrow().is_some()
    }

    /// What the handshake came to, if there was one.
    pub(crate) fn ssl_object(&self) -> Option<&SslObject> {
        self.object.get().map(|object| &**object)
    }

    pub(crate) fn set_ssl_object(&self, object: Rc<SslObject>) {
        // There is one session at most.
        let _ = self.object.set(object);
    }

    fn check_upgrade(&self) -> Result<(), String> {
        if self.state.get() != State::Open || self.failed() {
            return Err("the connection is closed; TLS can begin on an open one".into());
        }
        let write = self.write.borrow();
        if self.object.get().is_some() || write.upgrading {
            return Err("TLS has begun on this connection already".into());
        }
        if write.eof {
            return Err("nothing can be sent after write-eof, and so TLS cannot begin".into());
        }
        if !self.upgradable.get() {
            return Err("TLS begins on connections, and this is a stream of another kind".into());
        }
        Ok(())
    }

    async fn upgrade(self: Rc<Self>, socket: Box<dyn HostSocket>, sink: impl Sized) {
        let Some(Upgrade { plan, told }) = self.upgrade.take() else {
            return;
        };
        let received = self.read.borrow_mut().take_all();
        let begun = (plan.provider.begin)(socket, &received, &plan);
        // The host has taken the connection from them.
        drop((self.receiving.give_up(), sink));
        let established = match begun {
            Ok(handshake) => {
                let mut handshake = pin!(self.until(State::Closing, handshake));
                poll_fn(|cx| {
                    self.wakers.set_task(cx);
                    handshake.as_mut().poll(cx)
                })
                .await
            }
            Err(error) => {
                self.read.borrow_mut().buffer.feed(&received);
                Some(Err(error))
            }
        };
        self.wakers.no_task();
        match established {
            Some(Ok(session)) => {
                self.set_ssl_object(session.object.clone());
                self.write.borrow_mut().upgraded();
                self.parked.set(false);
                // Whoever asked may have gone, and aborts the connection then.
                let _ = told.send(Ok(()));
                self.run_session(session).await;
            }
            Some(Err(refusal)) => {
                let error = refusal.clone().connecting(self.names.peer.clone());
                let _ = told.send(Err(error));
                self.fail(refusal.into_error_code());
            }
            // Closed meanwhile.
            None => {}
        }
    }
}

/// A `start_tls` that is given up leaves a connection that nobody can use.
struct GivenUp<'a>(&'a Connection);

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
