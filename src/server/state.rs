//! The state of a server, and the tasks that accept and call back.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;

use futures::future::{AbortHandle, abortable};

use super::ServerOptions;
use super::bind::Bound;
use super::callback::CallbackResult;
use super::failure::{Observer, ServerFailure};
use crate::connection::Connection;
use crate::connection::open::Link;
use crate::error::{ErrorCode, TlsError};
use crate::runtime::executor;
use crate::runtime::time::timeout;
use crate::runtime::waiters::Waiters;
use crate::socket::host_socket::{HostSocket, Incoming};
use crate::ssl::Plan;
use crate::{StreamReader, StreamWriter};

/// Connections that were accepted and that nobody has taken yet. Further ones
/// wait in the operating system's queue.
const PENDING: usize = 16;
/// TLS handshakes under way at a time; the oldest is given up for a new one.
const HANDSHAKES: usize = 256;
/// How long accepting pauses when the host is out of resources.
const BACK_OFF: Duration = Duration::from_secs(1);
/// How long connections may take to close when a scope is left.
const LINGER: Duration = Duration::from_secs(5);

/// What a server, its listeners and its connections share.
pub(super) struct Shared {
    limit: usize,
    pub(super) backlog: u32,
    keep_alive: bool,
    pub(super) bound: RefCell<Vec<Bound>>,
    tls: Option<Plan>,
    pub(super) pending: RefCell<VecDeque<Link>>,
    /// The oldest first.
    handshakes: RefCell<VecDeque<(u64, AbortHandle)>>,
    next_handshake: Cell<u64>,
    clients: RefCell<BTreeMap<u64, Weak<Connection>>>,
    next_client: Cell<u64>,
    pub(super) closed: Cell<bool>,
    /// Its host has closed it.
    pub(super) stopped: Cell<bool>,
    /// Listeners that have not let go of their sockets.
    pub(super) listeners: Cell<usize>,
    /// A task is in `serve_forever`.
    pub(super) waited: Cell<bool>,
    /// Tasks that wait for a connection.
    pub(super) accepting: Waiters,
    /// Listeners that wait for room among the pending connections, or for
    /// the end.
    listening: Waiters,
    /// Tasks that wait for the end.
    pub(super) closing: Waiters,
    observer: Observer,
}

impl Shared {
    pub(super) fn new(
        options: &ServerOptions,
        limit: usize,
        tls: Option<Plan>,
        bound: Vec<Bound>,
    ) -> Shared {
        Shared {
            limit,
            backlog: options.backlog,
            keep_alive: options.keep_alive,
            bound: RefCell::new(bound),
            tls,
            pending: RefCell::default(),
            handshakes: RefCell::default(),
            next_handshake: Cell::new(0),
            clients: RefCell::default(),
            next_client: Cell::new(0),
            closed: Cell::new(false),
            stopped: Cell::new(false),
            listeners: Cell::new(0),
            waited: Cell::new(false),
            accepting: Waiters::default(),
            listening: Waiters::default(),
            closing: Waiters::default(),
            observer: options.observer.clone(),
        }
    }

    pub(super) fn close(&self) {
        if self.closed.replace(true) {
            return;
        }
        self.bound.take();
        self.pending.take();
        for (_, handshake) in self.handshakes.take() {
            handshake.abort();
        }
        self.accepting.wake_all();
        self.listening.wake_all();
        self.closing.wake_all();
    }

    pub(super) async fn wait_closed(&self) {
        self.closing
            .wait_until(|| {
                let over = self.closed.get()
                    && self.listeners.get() == 0
                    && self.clients.borrow().is_empty();
                over.then_some(())
            })
            .await;
    }

    pub(super) async fn end(&self) {
        self.close();
        self.each_client(Connection::close);
        if timeout(LINGER, self.wait_closed()).await.is_err() {
            self.each_client(Connection::abort);
            self.wait_closed().await;
        }
    }

    pub(super) fn each_client(&self, act: impl Fn(&Connection)) {
        let clients: Vec<_> = self.clients.borrow().values().cloned().collect();
        for client in clients.iter().filter_map(Weak::upgrade) {
            act(&client);
        }
    }

    /// The next connection; `None` when the server is closed.
    pub(super) async fn accept(self: &Rc<Self>) -> Option<(StreamReader, StreamWriter)> {
        self.accepting.wait_until(|| self.accept_now()).await
    }

    /// `Some(None)` when the server is closed, `None` when nobody waits.
    pub(super) fn accept_now(self: &Rc<Self>) -> Option<Option<(StreamReader, StreamWriter)>> {
        if self.closed.get() {
            return Some(None);
        }
        let link = self.pending.borrow_mut().pop_front()?;
        self.listening.wake_all();
        let id = self.next_client.get();
        self.next_client.set(id.wrapping_add(1));
        let server = self.clone();
        let (reader, writer, client) = link.open(self.limit, move || server.gone(id));
        self.clients.borrow_mut().insert(id, client);
        Some(Some((reader, writer)))
    }

    /// The connection waits for whoever accepts; with TLS once its handshake is
    /// done.
    fn admit(self: &Rc<Self>, socket: Box<dyn HostSocket>) {
        match &self.tls {
            None => self.pending.borrow_mut().push_back(Link::plain(socket)),
            Some(plan) => self.shake_hands(socket, plan.clone()),
        }
    }

    fn shake_hands(self: &Rc<Self>, socket: Box<dyn HostSocket>, plan: Plan) {
        let id = self.next_handshake.get();
        self.next_handshake.set(id.wrapping_add(1));
        let names = socket.names();
        let peer = names.peer.clone();
        let handshake = async move { Link::tls(socket, names, &plan).await };
        let (handshake, handle) = abortable(handshake);
        let oldest = {
            let mut handshakes = self.handshakes.borrow_mut();
            handshakes.push_back((id, handle));
            let over = handshakes.len() > HANDSHAKES;
            over.then(|| handshakes.pop_front()).flatten()
        };
        if let Some((_, oldest)) = oldest {
            oldest.abort();
        }
        let shared = self.clone();
        executor::detach(async move {
            let link = handshake.await;
            shared
                .handshakes
                .borrow_mut()
                .retain(|(other, _)| *other != id);
            if shared.closed.get() {
                return;
            }
            let error = match link {
                Ok(Ok(link)) => {
                    shared.pending.borrow_mut().push_back(link);
                    return shared.accepting.wake_all();
                }
                Ok(Err(refusal)) => refusal.into_tls_error(),
                Err(_) => TlsError::Other(format!(
                    "given up for another one: {HANDSHAKES} were under way"
                )),
            };
            let failure = ServerFailure::Handshake { peer, error };
            shared.observer.tell(&failure);
        });
    }

    /// The callback of this connection has come to an end.
    fn called(&self, client: &Weak<Connection>, failure: Option<String>) {
        let Some(message) = failure else { return };
        let client = client.upgrade();
        self.observer.tell(&ServerFailure::Callback {
            peer: client
                .as_ref()
                .and_then(|client| client.names().peer.clone()),
            message,
        });
        if let Some(client) = client {
            client.close();
        }
    }

    fn gone(&self, id: u64) {
        self.clients.borrow_mut().remove(&id);
        self.closing.wake_all();
    }
}

/// Takes connections from one listening socket until the server is closed, which
/// it is as well when the host ends them.
pub(super) async fn listen(shared: Rc<Shared>, mut connections: Box<dyn Incoming>) {
    take_connections(&shared, &mut *connections).await;
    if !shared.closed.get() {
        shared.stopped.set(true);
        shared.close();
    }
    shared.listeners.set(shared.listeners.get() - 1);
    shared.closing.wake_all();
}

async fn take_connections(shared: &Rc<Shared>, connections: &mut dyn Incoming) {
    let mut reported = false;
    while let Some(batch) = next(shared, connections).await {
        let Some(code) = admit(shared, batch, &mut reported) else {
            continue;
        };
        if !std::mem::replace(&mut reported, true) {
            shared.observer.tell(&ServerFailure::Accept(code));
        }
        let closed = shared
            .listening
            .wait_until(|| shared.closed.get().then_some(()));
        let _ = timeout(BACK_OFF, closed).await;
    }
}

/// Lets these connections wait for whoever accepts. Returns why one could not be
/// had, if it makes no sense to ask for more at once.
fn admit(
    shared: &Rc<Shared>,
    batch: Vec<Box<dyn HostSocket>>,
    reported: &mut bool,
) -> Option<ErrorCode> {
    let mut failure = None;
    for socket in batch {
        match socket.check_connected() {
            Ok(()) => {
                *reported = false;
                if shared.keep_alive {
                    socket.keep_alive();
                }
                shared.admit(socket);
            }
            // Gone before it was accepted: the next one may be fine.
            Err(ErrorCode::ConnectionAborted | ErrorCode::InvalidState) => {}
            Err(code) => failure = Some(code),
        }
    }
    shared.accepting.wake_all();
    failure
}

/// The next connections, as many as have arrived and there is room for; `None`
/// when the server is closed or the host has no more.
async fn next(shared: &Shared, connections: &mut dyn Incoming) -> Option<Vec<Box<dyn HostSocket>>> {
    let room = || match shared.closed.get() {
        true => Some(0),
        false => {
            Some(PENDING.saturating_sub(shared.pending.borrow().len())).filter(|room| *room > 0)
        }
    };
    let room = shared.listening.wait_until(room).await;
    if room == 0 {
        return None;
    }
    let closed = shared
        .listening
        .wait_until(|| shared.closed.get().then_some(()));
    let mut next = connections.next(room);
    let mut closed = pin!(closed);
    poll_fn(|cx| {
        if closed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        next.as_mut().poll(cx)
    })
    .await
}

/// Calls back for each connection until the server is closed.
pub(super) async fn serve<C, R, Kind>(shared: Rc<Shared>, mut client_connected: C)
where
    C: FnMut(StreamReader, StreamWriter) -> R + 'static,
    R: CallbackResult<Kind>,
{
    while let Some((reader, writer)) = shared.accept().await {
        let client = writer.downgrade();
        match client_connected(reader, writer).into_task() {
            Ok(task) => {
                let shared = shared.clone();
                drop(executor::spawn(async move {
                    shared.called(&client, task.await);
                }));
            }
            Err(outcome) => shared.called(&client, outcome),
        }
    }
}
