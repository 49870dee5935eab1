//! The state of a server, and the tasks that accept and call back.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;

use futures::future::{AbortHandle, abortable};
use wasi::clocks::monotonic_clock;

use super::ServerOptions;
use super::bind::BoundSocket;
use super::callback::CallbackResult;
use super::failure::{Observer, ServerFailure};
use super::times::{Client, Times};
use crate::connection::Connection;
use crate::connection::open::PendingConnection;
use crate::error::{ErrorCode, TlsError};
use crate::runtime::executor;
use crate::runtime::time::{sleep, timeout};
use crate::runtime::waiters::Waiters;
use crate::socket::host_socket::{HostSocket, Incoming};
use crate::ssl::Plan;
use crate::{StreamReader, StreamWriter};

/// The most connections that are accepted ahead of the callback. Further ones wait in the
/// kernel's backlog.
const PENDING: usize = 16;
/// The most TLS handshakes at a time unless set; the oldest is given up for a new one. Half
/// of the sockets that the command permits, so that stalled peers leave some to others.
const HANDSHAKES: u32 = 10_000;
/// The pause of accepting when the host is out of descriptors or memory.
const BACK_OFF: Duration = Duration::from_secs(1);
/// The time that connections have to close when a scope is left, before they are aborted.
const LINGER: Duration = Duration::from_secs(5);

/// The state that a server, its listener tasks and its connections share.
pub(super) struct ServerState {
    limit: usize,
    pub(super) backlog: u32,
    keep_alive: bool,
    pub(super) bound: RefCell<Vec<BoundSocket>>,
    tls: Option<Plan>,
    /// Connections that wait for the callback.
    pub(super) pending: RefCell<VecDeque<PendingConnection>>,
    /// The handshakes under way, by their numbers: the oldest first.
    handshakes: RefCell<BTreeMap<u64, AbortHandle>>,
    /// The most handshakes under way.
    max_handshakes: usize,
    next_handshake: Cell<u64>,
    /// The connections that are not closed yet.
    clients: RefCell<BTreeMap<u64, Client>>,
    next_client: Cell<u64>,
    times: Times,
    /// A task watches the times of the clients.
    watched: Cell<bool>,
    pub(super) closed: Cell<bool>,
    /// The host has closed the server: set when a listener's stream ends by itself.
    pub(super) stopped: Cell<bool>,
    /// The number of listener tasks that still hold their sockets.
    pub(super) listeners: Cell<usize>,
    /// A task waits in `serve_forever`.
    pub(super) waited: Cell<bool>,
    /// Tasks that wait for a pending connection.
    pub(super) accepting: Waiters,
    /// Listener tasks that wait for room among the pending connections, or for the end.
    listening: Waiters,
    /// Tasks that wait for the server's end.
    pub(super) closing: Waiters,
    observer: Observer,
}

impl ServerState {
    pub(super) fn new(
        options: &ServerOptions,
        limit: usize,
        tls: Option<Plan>,
        bound: Vec<BoundSocket>,
    ) -> ServerState {
        ServerState {
            limit,
            backlog: options.backlog,
            keep_alive: options.keep_alive,
            bound: RefCell::new(bound),
            tls,
            pending: RefCell::default(),
            handshakes: RefCell::default(),
            max_handshakes: options.max_handshakes.unwrap_or(HANDSHAKES) as usize,
            next_handshake: Cell::new(0),
            clients: RefCell::default(),
            next_client: Cell::new(0),
            times: options.times,
            watched: Cell::new(false),
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
        let clients = self.clients.borrow();
        let living = clients.values().filter_map(|one| one.connection.upgrade());
        let living: Vec<_> = living.collect();
        drop(clients);
        living.iter().for_each(|client| act(client));
    }

    /// Waits for the next connection; `None` when the server is closed.
    pub(super) async fn accept(self: &Rc<Self>) -> Option<(StreamReader, StreamWriter)> {
        self.accepting.wait_until(|| self.accept_now()).await
    }

    /// Returns the next connection, `Some(None)` when the server is closed, and `None` when no
    /// connection waits.
    pub(super) fn accept_now(self: &Rc<Self>) -> Option<Option<(StreamReader, StreamWriter)>> {
        if self.closed.get() {
            return Some(None);
        }
        let pending = self.pending.borrow_mut().pop_front()?;
        self.listening.wake_all();
        let id = self.next_client.get();
        self.next_client.set(id.wrapping_add(1));
        let server = self.clone();
        let (reader, writer, client) = pending.open(self.limit, move || server.gone(id));
        let client = Client::new(client, monotonic_clock::now());
        self.clients.borrow_mut().insert(id, client);
        self.watch_times();
        Some(Some((reader, writer)))
    }

    /// Starts the task that ends connections which take too long, if there are limits. It ends
    /// with the last connection.
    fn watch_times(self: &Rc<Self>) {
        let Some(period) = self.times.period() else {
            return;
        };
        if self.watched.replace(true) {
            return;
        }
        let state = self.clone();
        executor::detach(async move {
            while !state.clients.borrow().is_empty() {
                sleep(period).await;
                state.end_overdue();
            }
            state.watched.set(false);
        });
    }

    fn end_overdue(&self) {
        let now = monotonic_clock::now();
        let clients = self.clients.borrow();
        let overdue = clients.values().filter_map(|client| {
            let connection = client.connection.upgrade()?;
            client
                .is_overdue(self.times, connection.transfers(), now)
                .then_some(connection)
        });
        let overdue: Vec<_> = overdue.collect();
        drop(clients);
        for connection in overdue {
            connection.fail(ErrorCode::Timeout);
        }
    }

    /// Queues a connection for the callback; with TLS once its handshake is done.
    fn admit(self: &Rc<Self>, socket: Box<dyn HostSocket>) {
        match &self.tls {
            None => self
                .pending
                .borrow_mut()
                .push_back(PendingConnection::over_socket(socket)),
            Some(plan) => self.shake_hands(socket, plan.clone()),
        }
    }

    /// Begins a handshake as a task of its own, so that a slow peer delays no other.
    fn shake_hands(self: &Rc<Self>, socket: Box<dyn HostSocket>, plan: Plan) {
        let id = self.next_handshake.get();
        self.next_handshake.set(id.wrapping_add(1));
        let names = socket.names();
        let peer = names.peer.clone();
        let handshake = async move { PendingConnection::over_tls(socket, names, &plan).await };
        let (handshake, handle) = abortable(handshake);
        let oldest = {
            let mut handshakes = self.handshakes.borrow_mut();
            handshakes.insert(id, handle);
            let over = handshakes.len() > self.max_handshakes;
            over.then(|| handshakes.pop_first()).flatten()
        };
        if let Some((_, oldest)) = oldest {
            oldest.abort();
        }
        let state = self.clone();
        executor::detach(async move {
            let handshake = handshake.await;
            state.handshakes.borrow_mut().remove(&id);
            if state.closed.get() {
                return;
            }
            let error = match handshake {
                Ok(Ok(pending)) => {
                    state.pending.borrow_mut().push_back(pending);
                    return state.accepting.wake_all();
                }
                Ok(Err(refusal)) => refusal.into_tls_error(),
                Err(_) => TlsError::Other(format!(
                    "given up for a newer one: {} handshakes were under way",
                    state.max_handshakes
                )),
            };
            let failure = ServerFailure::Handshake { peer, error };
            state.observer.report(&failure);
        });
    }

    /// Reports the failure of a callback and closes its connection.
    fn called(&self, client: &Weak<Connection>, failure: Option<String>) {
        let Some(message) = failure else { return };
        let client = client.upgrade();
        self.observer.report(&ServerFailure::Callback {
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

/// Takes connections from one listening socket until the server is closed. The host's end
/// of the listener closes the server, too.
pub(super) async fn listen(state: Rc<ServerState>, mut connections: Box<dyn Incoming>) {
    take_connections(&state, &mut *connections).await;
    if !state.closed.get() {
        state.stopped.set(true);
        state.close();
    }
    state.listeners.set(state.listeners.get() - 1);
    state.closing.wake_all();
}

async fn take_connections(state: &Rc<ServerState>, connections: &mut dyn Incoming) {
    let mut reported = false;
    while let Some(batch) = next(state, connections).await {
        let Some(code) = admit(state, batch, &mut reported) else {
            continue;
        };
        if !std::mem::replace(&mut reported, true) {
            state.observer.report(&ServerFailure::Accept(code));
        }
        let closed = state
            .listening
            .wait_until(|| state.closed.get().then_some(()));
        let _ = timeout(BACK_OFF, closed).await;
    }
}

/// Queues these connections for the callback. Returns the error of one that could not be
/// accepted, if accepting should pause before the next try.
fn admit(
    state: &Rc<ServerState>,
    batch: Vec<Box<dyn HostSocket>>,
    reported: &mut bool,
) -> Option<ErrorCode> {
    let mut failure = None;
    for socket in batch {
        match socket.check_connected() {
            Ok(()) => {
                *reported = false;
                if state.keep_alive {
                    socket.keep_alive();
                }
                state.admit(socket);
            }
            // The peer left before it was accepted; the next connection may be fine.
            Err(ErrorCode::ConnectionAborted | ErrorCode::InvalidState) => {}
            Err(code) => failure = Some(code),
        }
    }
    state.accepting.wake_all();
    failure
}

/// Waits for the next connections, at most as many as there is room for. Returns `None`
/// when the server is closed or the host ends the listener.
async fn next(
    state: &ServerState,
    connections: &mut dyn Incoming,
) -> Option<Vec<Box<dyn HostSocket>>> {
    let room = || match state.closed.get() {
        true => Some(0),
        false => {
            Some(PENDING.saturating_sub(state.pending.borrow().len())).filter(|room| *room > 0)
        }
    };
    let room = state.listening.wait_until(room).await;
    if room == 0 {
        return None;
    }
    let closed = state
        .listening
        .wait_until(|| state.closed.get().then_some(()));
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
pub(super) async fn serve<C, R, Kind>(state: Rc<ServerState>, mut client_connected: C)
where
    C: FnMut(StreamReader, StreamWriter) -> R + 'static,
    R: CallbackResult<Kind>,
{
    while let Some((reader, writer)) = state.accept().await {
        let client = writer.downgrade();
        match client_connected(reader, writer).into_task() {
            Ok(task) => {
                let state = state.clone();
                drop(executor::spawn(async move {
                    state.called(&client, task.await);
                }));
            }
            Err(outcome) => state.called(&client, outcome),
        }
    }
}
